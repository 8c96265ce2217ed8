"""The exposition: blocks of bytes that are already there, in order. What does a scrape get?

A page is a list of ready buffers, made once per change and shared by every scrape. Sample lines
are the same bytes in text 0.0.4 and OpenMetrics 1.0; only headers differ. gzip is one member,
stitched from segments that were each compressed and fully flushed on their own, so a refresh
compresses what it changed; several members would be cut short by curl, requests and httpx.
"""

import re
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from types import ModuleType

from exporter.families import Family
from exporter.scope import escape
from exporter.snapshot import Block

deflate: ModuleType
try:
    from isal import isal_zlib as deflate
except ImportError:  # no wheel for this machine: the same format, about four times slower
    deflate = zlib

_LEVEL = 1
_GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_EMPTY_LAST_BLOCK = b"\x03\x00"
_SEGMENT_SERIES = 128  # cut by series, not bytes: a longer number must not move the cuts
_ACCOUNT = re.compile(rb'[{,]account="((?:[^"\\]|\\.)*)"')
_BUFFER = 512 * 1024  # smaller pieces are joined up to this, so that a scrape is few writes


class Format(Enum):
    """An exposition format; the value is its media type."""

    TEXT = "text/plain; version=0.0.4; charset=utf-8"
    OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """Bytes of the page, plain and as fully flushed deflate."""

    plain: bytes
    packed: bytes


def _segment(plain: bytes) -> Segment:
    packer = deflate.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    return Segment(plain, packer.compress(plain) + packer.flush(zlib.Z_FULL_FLUSH))


@lru_cache(maxsize=4096)
def _header(family: Family, form: Format, *, shadowed: bool) -> Segment:
    """Write HELP and TYPE.

    OpenMetrics names a counter's family without ``_total``. Where that name is ``shadowed`` by a
    gauge on the same page (a total beside its sliding twin), it has to be of unknown type.
    """
    name, kind = family.name, str(family.kind)
    if form is Format.OPENMETRICS and kind == "counter":
        name, kind = (name, "unknown") if shadowed else (name.removesuffix("_total"), kind)
    return _segment(f"# HELP {name} {family.help}\n# TYPE {name} {kind}\n".encode())


@dataclass(frozen=True, slots=True, eq=False)
class Chapter:
    """One family on the page: its header in each format, then its lines.

    ``samples`` are the names its lines can have.
    """

    name: str
    samples: frozenset[str]
    headers: Mapping[Format, Segment]
    segments: Sequence[Segment]

    def of(self, accounts: AbstractSet[bytes]) -> "Chapter | None":
        """Return what is about any of the accounts (names as they are escaped in labels).

        What has no account is under the empty name, and so is a family without lines.
        """
        lines = b"".join(segment.plain for segment in self.segments).splitlines(keepends=True)
        kept = [line for line in lines if _owner(line) in accounts]
        if not kept and (lines or b"" not in accounts):
            return None
        segments = [_segment(b"".join(kept))] if kept else []
        return Chapter(self.name, self.samples, self.headers, segments)


def _owner(line: bytes) -> bytes:
    """Return the account's name in a line as it is escaped; nothing where it has none."""
    found = _ACCOUNT.search(line)
    return found[1] if found else b""


class Page:
    """One generation of the exposition; never changed, replaced by one assignment.

    ``valid_until`` is when (monotonic seconds) the first of its figures gets too old. ``owned``
    are the blocks of each account, ``extra`` the chapters that are not made of blocks.
    """

    def __init__(
        self,
        chapters: Sequence[Chapter],
        valid_until: float,
        packed: "Packed | None" = None,
        owned: Mapping[str, Sequence[Block]] | None = None,
        extra: Sequence[Chapter] = (),
    ) -> None:
        self.chapters = chapters
        self.valid_until = valid_until
        self.packed = packed or Packed()
        self._owned = owned or {}
        self._extra = extra
        self._bodies: dict[tuple[Format, bool], tuple[list[bytes], int]] = {}

    def body(self, form: Format, *, gzip: bool) -> tuple[list[bytes], int]:
        """Return the buffers of the whole page and their summed length."""
        key = (form, gzip)
        if key not in self._bodies:
            pieces = list(self._pieces(form))
            buffers = _join(_gzip(pieces) if gzip else (piece.plain for piece in pieces))
            self._bodies[key] = (buffers, sum(map(len, buffers)))
        return self._bodies[key]

    def only(self, names: set[str]) -> "Page":
        """Return the page of the families that hold any of the sample names."""
        chapters = [chapter for chapter in self.chapters if names & chapter.samples]
        return Page(chapters, self.valid_until)

    @property
    def accounts(self) -> frozenset[str]:
        """The names for ``of``: every account, also one without figures, and the empty name."""
        return frozenset(["", *self._owned])

    def of(self, accounts: AbstractSet[str]) -> "Page":
        """Return the page of what is about any of the accounts.

        The empty name is that of everything that is about no account. The pages of all names
        together are the whole page, each series once.
        """
        owned = {name: blocks for name, blocks in self._owned.items() if name in accounts}
        escaped = {escape(name).encode() for name in accounts}
        parts = (chapter.of(escaped) for chapter in self._extra)
        extra = [part for part in parts if part is not None]
        return assemble(owned, extra, self.valid_until, self)

    def _pieces(self, form: Format) -> Iterable[Segment]:
        for chapter in self.chapters:
            yield chapter.headers[form]
            yield from chapter.segments
        if form is Format.OPENMETRICS:
            yield _EOF


_EOF = _segment(b"# EOF\n")


@dataclass(slots=True)
class Packed:
    """The segments of one generation by the blocks they hold, for the next to take over."""

    segments: dict[tuple[Block, ...], Segment] = field(default_factory=dict)


def assemble(
    owned: Mapping[str, Sequence[Block]],
    extra: Sequence[Chapter],
    valid_until: float,
    before: Page | None = None,
) -> Page:
    """Make a page of blocks by account, then ``extra`` chapters.

    Whatever ``before`` had compressed already, and which did not change, is taken from there.
    """
    old = before.packed.segments if before else {}
    packed = Packed()
    chapters = []
    blocks: dict[Family, list[Block]] = {}
    for own in owned.values():
        for block in own:
            blocks.setdefault(block.family, []).append(block)
    by_name: dict[str, list[Block]] = {}
    for family in sorted(blocks, key=lambda family: (family.name, family.labels)):
        by_name.setdefault(family.name, []).extend(blocks[family])
    for name, found in by_name.items():
        segments = []
        for group in _groups(found):
            segment = old.get(group) or _segment(b"".join(block.text for block in group))
            packed.segments[group] = segment
            segments.append(segment)
        shadowed = name.removesuffix("_total") in by_name
        headers = {form: _header(found[0].family, form, shadowed=shadowed) for form in Format}
        chapters.append(Chapter(name, frozenset([name]), headers, segments))
    return Page([*chapters, *extra], valid_until, packed, owned, extra)


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


def chapters_of(text: str) -> list[Chapter]:
    """Cut an exposition in text 0.0.4 into chapters, with headers for both formats."""
    chapters = []
    for part in ("\n" + text).split("\n# HELP ")[1:]:
        name, _, rest = part.partition(" ")
        summary, types, lines = f"{rest}\n".split("\n", 2)
        kind = types.rsplit(" ", 1)[1]
        short = name.removesuffix("_total") if kind == "counter" else name
        headers = {
            form: _segment(f"# HELP {shown} {summary}\n# TYPE {shown} {kind}\n".encode())
            for form, shown in ((Format.TEXT, name), (Format.OPENMETRICS, short))
        }
        body = [_segment(f"{lines.rstrip()}\n".encode())] if lines.strip() else []
        ends = ("_bucket", "_count", "_sum") if kind == "histogram" else ("",)
        samples = frozenset(name + end for end in ends)
        chapters.append(Chapter(name, samples, headers, body))
    return chapters


def _gzip(pieces: Sequence[Segment]) -> Iterable[bytes]:
    checksum = size = 0
    yield _GZIP_HEAD
    for piece in pieces:
        checksum = deflate.crc32(piece.plain, checksum)
        size += len(piece.plain)
        yield piece.packed
    yield _EMPTY_LAST_BLOCK + struct.pack("<LL", checksum, size & 0xFFFFFFFF)


def _join(pieces: Iterable[bytes]) -> list[bytes]:
    """Join small neighbours; leave what is large enough as it is."""
    buffers: list[bytes] = []
    small: list[bytes] = []
    held = 0
    for piece in pieces:
        if len(piece) >= _BUFFER // 2:
            buffers += [b"".join(small), piece]
            small, held = [], 0
            continue
        small.append(piece)
        held += len(piece)
        if held >= _BUFFER:
            buffers.append(b"".join(small))
            small, held = [], 0
    buffers.append(b"".join(small))
    return [buffer for buffer in buffers if buffer]
