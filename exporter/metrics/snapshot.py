"""Snapshot of one feed: the series of one refresh, corrected and rendered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import orjson

from exporter.metrics.counters import Counters, Falls
from exporter.metrics.families import Family
from exporter.metrics.mapping import Mapped, Series
from exporter.metrics.parsers import Number


@dataclass(slots=True, eq=False)  # not frozen: that would take as long as rendering two lines
class Block:
    """All lines of one family from one feed; immutable, the same bytes in both formats."""

    family: Family
    labels: Sequence[bytes]
    values: Sequence[Number]
    text: bytes

    @classmethod
    def render(cls, family: Family, labels: Sequence[bytes], values: Sequence[Number]) -> "Block":
        """Render series; ``labels`` are complete label sets, each with a trailing space."""
        return cls(family, labels, values, _render(family.name.encode(), labels, values))

    def has(self, labels: Sequence[bytes], values: Sequence[Number]) -> bool:
        """Return whether these are the block's series; identical lists are compared first."""
        return (self.labels is labels or self.labels == labels) and (
            self.values is values or self.values == values
        )

    def without(self, labels: set[bytes]) -> "Block":
        """Return the block without the series that have one of these label sets."""
        kept = [(x, y) for x, y in zip(self.labels, self.values, strict=True) if x not in labels]
        return Block.render(self.family, [x for x, _ in kept], [y for _, y in kept])

    def first(self, series: int, size: int) -> "Block":
        """Return the block's first series in the order of their label sets, in ``size`` bytes."""
        kept = sorted(zip(self.labels, self.values, strict=True))[:series]
        block = Block.render(self.family, [x for x, _ in kept], [y for _, y in kept])
        if len(block.text) <= size:
            return block
        ends = accumulate(len(line) + 1 for line in block.text.splitlines())
        fitting = sum(end <= size for end in ends)
        return Block.render(self.family, block.labels[:fitting], block.values[:fitting])


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """The result of one refresh of one feed.

    ``series`` is the mapping that ``blocks`` were rendered from. ``taken_at`` is the exporter's
    time and ``source_at`` the platform's, if known, both in epoch seconds; ``expires_at`` is when
    the figures become too old to be shown, in monotonic seconds. ``falls`` are the falls of
    counters; ``duplicates`` counts dropped series and ``cut`` the label values that were too long.
    ``objects`` and ``namesakes`` are those of ``Mapped``.
    """

    account: str
    feed: str
    blocks: Mapping[Family, Block]
    taken_at: float
    source_at: float | None
    expires_at: float
    falls: Falls = field(default_factory=Falls)
    duplicates: int = 0
    cut: int = 0
    objects: Mapping[str, frozenset[str]] = field(default_factory=dict)
    series: Mapping[Family, Series] = field(default_factory=dict, repr=False)
    namesakes: Mapping[tuple[str, str], str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """The number of series."""
        return sum(len(block.labels) for block in self.blocks.values())

    @property
    def bytes(self) -> int:
        """The size of the rendered series."""
        return sum(len(block.text) for block in self.blocks.values())


def make_snapshot(
    account: str,
    feed: str,
    mapped: Mapped,
    counters: Counters,
    *,
    taken_at: float,
    source_at: float | None,
    expires_at: float,
    before: Snapshot | None = None,
) -> Snapshot:
    """Correct and render mapped series.

    ``before`` is the feed's last snapshot. Blocks, and the mappings ``blocks`` and ``objects``,
    that equal those of ``before`` are the same objects, so that the page finds changes by
    identity.
    """
    at = taken_at if source_at is None else source_at
    blocks: Mapping[Family, Block]
    if before is not None and before.series is mapped.series and counters.repeat_reading(at):
        blocks, falls = before.blocks, Falls()
    else:
        shown, falls = counters.correct(mapped.series, at, taken_at)
        blocks = _blocks(mapped.series, shown, before.blocks if before else {})
    return Snapshot(
        account,
        feed,
        blocks,
        taken_at,
        source_at,
        expires_at,
        falls,
        mapped.duplicates,
        mapped.cut,
        before.objects if before and before.objects == mapped.objects else mapped.objects,
        mapped.series,
        mapped.namesakes,
    )


def _blocks(
    series: Mapping[Family, Series],
    corrected: Mapping[Family, Sequence[Number]],
    old: Mapping[Family, Block],
) -> Mapping[Family, Block]:
    """Return the rendered blocks, those of ``old`` if equal."""
    blocks: dict[Family, Block] = {}
    for family, (labels, values, *_) in series.items():
        if not labels:
            continue
        shown = corrected.get(family, values)
        block = old.get(family)
        if block is None or not block.has(labels, shown):
            block = Block.render(family, labels, shown)
        blocks[family] = block
    return old if blocks == old else blocks


def _render(name: bytes, labels: Sequence[bytes], values: Sequence[Number]) -> bytes:
    """Return ``name{labels} value`` lines; numbers are formatted in bulk, which is fastest."""
    if not labels:
        return b""
    parts = [b"\n" + name] * (3 * len(labels))
    parts[0] = name
    parts[1::3] = labels
    parts[2::3] = orjson.dumps(values)[1:-1].split(b",")
    parts.append(b"\n")
    return b"".join(parts)
