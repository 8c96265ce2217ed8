"""The exposition: blocks of bytes that are already there, in order. What does a scrape get?

A page is a list of ready buffers, shared by every scrape: the plain page is the blocks' own bytes,
so that each line is in memory once. Sample lines are the same in text 0.0.4 and OpenMetrics 1.0;
only headers differ. gzip is one member, stitched from segments that were each compressed and fully
flushed on their own, so a refresh compresses what it changed; several members would be cut short
by curl, requests and httpx.
"""

import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from exporter.exposition.encoding import (
    _EMPTY_LAST_BLOCK,
    _GZIP_HEAD,
    Format,
    Segment,
    _header,
    _headers,
    _segment,
    deflate,
)
from exporter.metrics.labels import escape
from exporter.metrics.snapshot import Block

_SEGMENT_SERIES = 128  # cut by series, not bytes: a longer number must not move the cuts
_AT_ONCE = 512  # buffers for one write: fewer are more writes, the kernel takes up to 1024
_ACCOUNT = re.compile(rb'[{,]account="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True, eq=False)
class ExposedFamily:
    """One family on the page: its header in each format, then its lines.

    ``samples`` are the names its lines can have.
    """

    name: str
    samples: frozenset[str]
    headers: Mapping[Format, Segment]
    segments: Sequence[Segment]

    def of(self, accounts: AbstractSet[bytes]) -> "ExposedFamily | None":
        """Return what is about any of the accounts (names as they are escaped in labels).

        What has no account is under the empty name, and so is a family without lines.
        """
        plain = (piece for segment in self.segments for piece in segment.plain)
        lines = b"".join(plain).splitlines(keepends=True)
        kept = [line for line in lines if _owner(line) in accounts]
        if not kept and (lines or b"" not in accounts):
            return None
        segments = [_segment(b"".join(kept))] if kept else []
        return ExposedFamily(self.name, self.samples, self.headers, segments)


def _owner(line: bytes) -> bytes:
    """Return the account's name in a line as it is escaped; nothing where it has none."""
    found = _ACCOUNT.search(line)
    return found[1] if found else b""


def _segments(chapters: Iterable[ExposedFamily], form: Format) -> Iterable[Segment]:
    for chapter in chapters:
        yield chapter.headers[form]
        yield from chapter.segments


@dataclass(frozen=True, slots=True, eq=False)
class _Body:
    """A body as far as it goes: what to send, and the checksum and length of what it says."""

    buffers: Sequence[bytes] = ()
    checksum: int = 0
    size: int = 0

    def and_plain(self, segments: Iterable[Segment]) -> "_Body":
        """Return the body with segments behind it, as they are."""
        return _Body([*self.buffers, *(piece for segment in segments for piece in segment.plain)])

    def and_packed(self, segments: Iterable[Segment]) -> "_Body":
        """Return the body with segments behind it, compressed."""
        checksum, size = self.checksum, self.size
        packed = []
        for segment in segments:
            for piece in segment.plain:
                checksum = deflate.crc32(piece, checksum)
                size += len(piece)
            packed.append(segment.packed)
        joined = b"".join(packed)
        return _Body([*self.buffers, joined] if joined else self.buffers, checksum, size)

    def and_end(self) -> "_Body":
        """Return the body with the end of its gzip member."""
        end = _EMPTY_LAST_BLOCK + struct.pack("<LL", self.checksum, self.size & 0xFFFFFFFF)
        return _Body([*self.buffers, end])


@dataclass(slots=True, eq=False)
class AccountsPart:
    """What a page shows of accounts; the same one on every page until a block changes.

    ``owned`` are the blocks of each account. ``segments``, by the blocks they hold, are for the
    next core to take over.
    """

    owned: Mapping[str, Sequence[Block]] = field(default_factory=dict)
    chapters: Sequence[ExposedFamily] = ()
    segments: Mapping[tuple[Block, ...], Segment] = field(default_factory=dict)
    _bodies: dict[tuple[Format, bool], _Body] = field(default_factory=dict)

    def body(self, form: Format, *, gzip: bool) -> _Body:
        """Return the beginning of every page with this core."""
        key = (form, gzip)
        if key not in self._bodies:
            segments = _segments(self.chapters, form)
            self._bodies[key] = (
                _Body([_GZIP_HEAD]).and_packed(segments) if gzip else _Body().and_plain(segments)
            )
        return self._bodies[key]


class Chunks:
    """A part of a body that is in many places, written at once and never joined.

    Its length is that of all pieces, in bytes.
    """

    def __init__(self, parts: Sequence[bytes]) -> None:
        self.parts = parts
        self._size = sum(map(len, parts))

    def __len__(self) -> int:
        return self._size


class Page:
    """One generation of the exposition; never changed, replaced by one assignment.

    ``extra`` are chapters that are not made of blocks; they follow the ``core``. ``valid_until``
    is when (monotonic seconds) the first of its figures gets too old.
    """

    def __init__(
        self, extra: Sequence[ExposedFamily], valid_until: float, core: AccountsPart | None = None
    ) -> None:
        self.valid_until = valid_until
        self.core = core or AccountsPart()
        self._extra = extra
        self._bodies: dict[tuple[Format, bool], tuple[Sequence[bytes], int]] = {}
        self._pieces: dict[tuple[Format, bool], Sequence[Chunks]] = {}

    @property
    def chapters(self) -> Sequence[ExposedFamily]:
        """All families, in order."""
        return [*self.core.chapters, *self._extra]

    def body(self, form: Format, *, gzip: bool) -> tuple[Sequence[bytes], int]:
        """Return the buffers of the whole page and their summed length."""
        key = (form, gzip)
        if key not in self._bodies:
            end = [_EOF] if form is Format.OPENMETRICS else []
            rest = [*_segments(self._extra, form), *end]
            core = self.core.body(form, gzip=gzip)
            buffers = (core.and_packed(rest).and_end() if gzip else core.and_plain(rest)).buffers
            self._bodies[key] = (buffers, sum(map(len, buffers)))
        return self._bodies[key]

    def chunks(self, form: Format, *, gzip: bool) -> Sequence[Chunks]:
        """Return the whole page as it is written; cut once, since to touch each buffer costs."""
        key = (form, gzip)
        if key not in self._pieces:
            buffers, _ = self.body(form, gzip=gzip)
            starts = range(0, len(buffers), _AT_ONCE)
            self._pieces[key] = [Chunks(buffers[start : start + _AT_ONCE]) for start in starts]
        return self._pieces[key]

    def only(self, names: set[str]) -> "Page":
        """Return the page of the families that hold any of the sample names."""
        chapters = [chapter for chapter in self.chapters if names & chapter.samples]
        return Page(chapters, self.valid_until)

    @property
    def accounts(self) -> frozenset[str]:
        """The names for ``of``: every account, also one without figures, and the empty name."""
        return frozenset(["", *self.core.owned])

    def of(self, accounts: AbstractSet[str]) -> "Page":
        """Return the page of what is about any of the accounts.

        The empty name is that of everything that is about no account. The pages of all names
        together are the whole page, each series once.
        """
        owned = {name: blocks for name, blocks in self.core.owned.items() if name in accounts}
        escaped = {escape(name).encode() for name in accounts}
        parts = (chapter.of(escaped) for chapter in self._extra)
        extra = [part for part in parts if part is not None]
        return assemble(owned, extra, self.valid_until, self)


_EOF = _segment(b"# EOF\n")


def assemble(
    owned: Mapping[str, Sequence[Block]],
    extra: Sequence[ExposedFamily],
    valid_until: float,
    before: Page | None = None,
) -> Page:
    """Make a page of blocks by account, then ``extra`` chapters.

    Whatever ``before`` had made already, and which did not change, is taken from there.
    """
    core = before.core if before else AccountsPart()
    if list(core.owned.items()) != list(owned.items()):  # blocks are compared by identity
        core = _core(owned, core.segments)
    return Page(extra, valid_until, core)


def _core(
    owned: Mapping[str, Sequence[Block]], old: Mapping[tuple[Block, ...], Segment]
) -> AccountsPart:
    by_name: dict[str, list[Block]] = {}
    for blocks in owned.values():
        for block in blocks:
            by_name.setdefault(block.family.name, []).append(block)
    chapters = []
    kept: dict[tuple[Block, ...], Segment] = {}
    for name, found in sorted(by_name.items()):
        found.sort(key=lambda block: block.family.labels)
        segments = []
        for group in _groups(found):
            segment = old.get(group) or _segment(*(block.text for block in group))
            kept[group] = segment
            segments.append(segment)
        shadowed = name.removesuffix("_total") in by_name
        headers = _headers(found[0].family, shadowed=shadowed)
        chapters.append(ExposedFamily(name, frozenset([name]), headers, segments))
    return AccountsPart(owned, chapters, kept)


def _groups(blocks: Sequence[Block]) -> Iterable[tuple[Block, ...]]:
    """Group small blocks; a large one stays alone, so that an account's own page has it too."""
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


def chapters_of(text: str) -> list[ExposedFamily]:
    """Cut an exposition in text 0.0.4 into chapters, with headers for both formats."""
    chapters = []
    for part in ("\n" + text).split("\n# HELP ")[1:]:
        name, _, rest = part.partition(" ")
        summary, types, lines = f"{rest}\n".split("\n", 2)
        kind = types.rsplit(" ", 1)[1]
        short = name.removesuffix("_total") if kind == "counter" else name
        headers = {
            Format.TEXT: _header(name, summary, kind),
            Format.OPENMETRICS: _header(short, summary, kind),
        }
        body = [_segment(f"{lines.rstrip()}\n".encode())] if lines.strip() else []
        ends = ("_bucket", "_count", "_sum") if kind == "histogram" else ("",)
        samples = frozenset(name + end for end in ends)
        chapters.append(ExposedFamily(name, samples, headers, body))
    return chapters
