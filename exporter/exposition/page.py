"""Page: the exposition that scrapes get, made of bytes that are already rendered.

A page is a list of buffers, shared by every scrape: the plain page is the blocks' own bytes, so
that each line is in memory once. Sample lines are the same in text 0.0.4 and OpenMetrics 1.0;
only headers differ. gzip is one member, joined from segments that were each compressed and fully
flushed on their own, so a refresh compresses only what it changed; several members would be cut
short by curl, requests and httpx.
"""

import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from exporter.exposition.encoding import (
    GZIP_HEADER,
    LAST_BLOCK,
    Format,
    Segment,
    deflate,
    make_headers,
    make_segment,
)
from exporter.metrics.labels import escape
from exporter.metrics.snapshot import Block

_SEGMENT_SERIES = 128  # cut by series, not bytes: a longer number must not move the cuts
_BUFFERS_PER_WRITE = 512  # the kernel takes up to 1024
_BYTES_PER_WRITE = 512 * 1024  # with TLS a chunk is joined, and encrypted as a whole
_LINE = re.compile(rb"[^\n]*\n")  # splitlines() would cut at a carriage return in a label too
_ACCOUNT = re.compile(rb'[{,]account="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True, eq=False)
class ExposedFamily:
    """One family on the page: its header in each format, then its lines.

    ``samples`` are the names that its lines can have.
    """

    name: str
    samples: frozenset[str]
    headers: Mapping[Format, Segment]
    segments: Sequence[Segment]
    _lines: list[tuple[bytes, bytes]] = field(default_factory=list)  # account and line, once asked

    def for_accounts(self, accounts: AbstractSet[bytes]) -> "ExposedFamily | None":
        """Return the lines of these accounts (names escaped as in labels), ``None`` if none.

        The empty name stands for lines without account, and for families without lines.
        """
        if not self._lines:
            plain = (piece for segment in self.segments for piece in segment.plain)
            self._lines[:] = ((_account(line), line) for line in _LINE.findall(b"".join(plain)))
        kept = [line for account, line in self._lines if account in accounts]
        if not kept and (self._lines or b"" not in accounts):
            return None
        segments = [make_segment(b"".join(kept))] if kept else []
        return ExposedFamily(self.name, self.samples, self.headers, segments)


def _account(line: bytes) -> bytes:
    """Return the escaped account name of a line; empty if it has none."""
    match = _ACCOUNT.search(line)
    return match[1] if match else b""


def _segments(families: Iterable[ExposedFamily], form: Format) -> Iterable[Segment]:
    for family in families:
        yield family.headers[form]
        yield from family.segments


@dataclass(frozen=True, slots=True, eq=False)
class _Body:
    """The beginning of a body: its buffers, and for gzip the CRC and length of the plain text."""

    buffers: Sequence[bytes] = ()
    checksum: int = 0
    size: int = 0

    def with_plain(self, segments: Iterable[Segment]) -> "_Body":
        """Return the body with uncompressed segments appended."""
        return _Body([*self.buffers, *(piece for segment in segments for piece in segment.plain)])

    def with_packed(self, segments: Iterable[Segment]) -> "_Body":
        """Return the body with compressed segments appended."""
        checksum, size = self.checksum, self.size
        packed = []
        for segment in segments:
            for piece in segment.plain:
                checksum = deflate.crc32(piece, checksum)
                size += len(piece)
            packed.append(segment.packed)
        joined = b"".join(packed)
        return _Body([*self.buffers, joined] if joined else self.buffers, checksum, size)

    def with_trailer(self) -> "_Body":
        """Return the body with the end of its gzip member appended."""
        end = LAST_BLOCK + struct.pack("<LL", self.checksum, self.size & 0xFFFFFFFF)
        return _Body([*self.buffers, end])


@dataclass(slots=True, eq=False)
class AccountsPart:
    """The accounts' part of a page; pages share it until a block changes.

    ``blocks`` are the blocks of each account. ``segments``, by the blocks they were made of, are
    kept for the part that follows.
    """

    blocks: Mapping[str, Sequence[Block]] = field(default_factory=dict)
    families: Sequence[ExposedFamily] = ()
    segments: Mapping[tuple[Block, ...], Segment] = field(default_factory=dict)
    _bodies: dict[tuple[Format, bool], _Body] = field(default_factory=dict)

    def body(self, form: Format, *, gzip: bool) -> _Body:
        """Return the beginning of the body of every page that has this part."""
        key = (form, gzip)
        if key not in self._bodies:
            segments = _segments(self.families, form)
            self._bodies[key] = (
                _Body([GZIP_HEADER]).with_packed(segments) if gzip else _Body().with_plain(segments)
            )
        return self._bodies[key]


class Chunks:
    """Buffers that are written at once without being joined; ``len()`` is their size in bytes."""

    def __init__(self, parts: Sequence[bytes]) -> None:
        self.parts = parts
        self._size = sum(map(len, parts))

    def __len__(self) -> int:
        return self._size


class Page:
    """One version of the exposition; immutable.

    ``extra`` are families that are not made of blocks; they follow ``accounts_part``.
    ``valid_until`` is when the first of the figures expires, in monotonic seconds.
    """

    def __init__(
        self,
        extra: Sequence[ExposedFamily],
        valid_until: float,
        accounts_part: AccountsPart | None = None,
    ) -> None:
        self.valid_until = valid_until
        self.accounts_part = accounts_part or AccountsPart()
        self._extra = extra
        self._bodies: dict[tuple[Format, bool], tuple[Sequence[bytes], int]] = {}
        self._chunks: dict[tuple[Format, bool], Sequence[Chunks]] = {}

    @property
    def families(self) -> Sequence[ExposedFamily]:
        """All families, in order."""
        return [*self.accounts_part.families, *self._extra]

    @property
    def accounts(self) -> frozenset[str]:
        """The names that ``for_accounts`` knows: every account, and the empty name."""
        return frozenset(["", *self.accounts_part.blocks])

    def body(self, form: Format, *, gzip: bool) -> tuple[Sequence[bytes], int]:
        """Return the buffers of the whole page and their total size in bytes."""
        key = (form, gzip)
        if key not in self._bodies:
            end = [_EOF] if form is Format.OPENMETRICS else []
            rest = [*_segments(self._extra, form), *end]
            body = self.accounts_part.body(form, gzip=gzip)
            body = body.with_packed(rest).with_trailer() if gzip else body.with_plain(rest)
            self._bodies[key] = (body.buffers, sum(map(len, body.buffers)))
        return self._bodies[key]

    def chunks(self, form: Format, *, gzip: bool) -> Sequence[Chunks]:
        """Return the whole page, cut for writing; cached, since touching each buffer costs."""
        key = (form, gzip)
        if key not in self._chunks:
            groups: list[list[bytes]] = []
            size = _BYTES_PER_WRITE
            for buffer in self.body(form, gzip=gzip)[0]:
                full = size + len(buffer) > _BYTES_PER_WRITE
                if full or len(groups[-1]) == _BUFFERS_PER_WRITE:
                    groups.append([])
                    size = 0
                groups[-1].append(buffer)
                size += len(buffer)
            self._chunks[key] = [Chunks(group) for group in groups]
        return self._chunks[key]

    def with_samples(self, names: AbstractSet[str]) -> "Page":
        """Return the page of the families that can have one of these sample names."""
        families = [family for family in self.families if names & family.samples]
        return Page(families, self.valid_until)

    def for_accounts(self, accounts: AbstractSet[str]) -> "Page":
        """Return the page of these accounts.

        The empty name stands for everything that has no account. The pages of all names together
        have each series of the whole page once.
        """
        blocks = {
            name: blocks for name, blocks in self.accounts_part.blocks.items() if name in accounts
        }
        escaped = {escape(name).encode() for name in accounts}
        parts = (family.for_accounts(escaped) for family in self._extra)
        extra = [part for part in parts if part is not None]
        return assemble(blocks, extra, self.valid_until, self)


_EOF = make_segment(b"# EOF\n")


def assemble(
    blocks: Mapping[str, Sequence[Block]],
    extra: Sequence[ExposedFamily],
    valid_until: float,
    before: Page | None = None,
) -> Page:
    """Make a page of the blocks of each account, then the ``extra`` families.

    Unchanged parts are taken from the earlier page ``before``.
    """
    part = before.accounts_part if before else AccountsPart()
    if list(part.blocks.items()) != list(blocks.items()):  # blocks are compared by identity
        part = _accounts_part(blocks, part.segments)
    return Page(extra, valid_until, part)


def _accounts_part(
    blocks: Mapping[str, Sequence[Block]], old: Mapping[tuple[Block, ...], Segment]
) -> AccountsPart:
    by_name: dict[str, list[Block]] = {}
    for account_blocks in blocks.values():
        for block in account_blocks:
            by_name.setdefault(block.family.name, []).append(block)
    families = []
    kept: dict[tuple[Block, ...], Segment] = {}
    for name, same_name in sorted(by_name.items()):
        same_name.sort(key=lambda block: block.family.labels)
        segments = []
        for group in _groups(same_name):
            segment = old.get(group) or make_segment(*(block.text for block in group))
            kept[group] = segment
            segments.append(segment)
        family = same_name[0].family
        headers = make_headers(name, family.help, family.kind)
        families.append(ExposedFamily(name, frozenset([name]), headers, segments))
    return AccountsPart(blocks, families, kept)


def _groups(blocks: Sequence[Block]) -> Iterable[tuple[Block, ...]]:
    """Group small blocks; a large one stays alone, so that its account's own page shares it."""
    group: list[Block] = []
    series = 0
    for block in blocks:
        if group and len(block.labels) >= _SEGMENT_SERIES:
            yield tuple(group)
            group, series = [], 0
        group.append(block)
        series += len(block.labels)
        if series >= _SEGMENT_SERIES:
            yield tuple(group)
            group, series = [], 0
    if group:
        yield tuple(group)


def parse_exposition(text: str) -> list[ExposedFamily]:
    """Split an exposition in text 0.0.4 into families with headers for both formats."""
    families = []
    for part in ("\n" + text).split("\n# HELP ")[1:]:
        name, _, rest = part.partition(" ")
        summary, type_line, lines = f"{rest}\n".split("\n", 2)
        kind = type_line.rsplit(" ", 1)[1]
        segments = [make_segment(f"{lines.rstrip()}\n".encode())] if lines.strip() else []
        suffixes = ("_bucket", "_count", "_sum") if kind == "histogram" else ("",)
        samples = frozenset(name + suffix for suffix in suffixes)
        families.append(ExposedFamily(name, samples, make_headers(name, summary, kind), segments))
    return families
