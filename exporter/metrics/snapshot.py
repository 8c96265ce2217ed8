"""One refresh of one feed: its series, settled and rendered once. What was read, and until when?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from exporter.metrics.counters import Counters
from exporter.metrics.families import Family
from exporter.metrics.mapping import Mapped, Series
from exporter.metrics.parsers import Number


@dataclass(slots=True, eq=False)  # not frozen: that would take as long as to write two lines
class Block:
    """All lines of one family from one feed: the same bytes in both formats; never changed."""

    family: Family
    labels: Sequence[bytes]
    values: Sequence[Number]
    text: bytes

    @classmethod
    def of(cls, family: Family, labels: Sequence[bytes], values: Sequence[Number]) -> "Block":
        """Render series; ``labels`` are complete label sets with the blank behind them."""
        return cls(family, labels, values, _render(family.name.encode(), labels, values))

    def holds(self, labels: Sequence[bytes], values: Sequence[Number]) -> bool:
        """Tell whether these are its series; mostly the very lists, which costs nothing."""
        return (self.labels is labels or self.labels == labels) and (
            self.values is values or self.values == values
        )

    def without(self, taken: set[bytes]) -> "Block":
        """Return the block less the series whose label sets are ``taken``."""
        kept = [(x, y) for x, y in zip(self.labels, self.values, strict=True) if x not in taken]
        return Block.of(self.family, [x for x, _ in kept], [y for _, y in kept])

    def head(self, series: int) -> "Block":
        """Return the block's first series in the order of their labels."""
        kept = sorted(zip(self.labels, self.values, strict=True))[:series]
        return Block.of(self.family, [x for x, _ in kept], [y for _, y in kept])


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """Everything one refresh produced; never changed after.

    ``blocks`` were made of ``series``, the very object.
    ``taken_at`` is our clock's time and ``source_at`` the platform's (if it tells), both in epoch
    seconds; ``expires_at``, in monotonic seconds, is when the figures are too old to be shown.
    ``corrections`` counts falls of counters that were held, ``duplicates`` the series that came
    twice. ``objects`` are the names of the queues and campaigns in it, by label.
    """

    account: str
    feed: str
    blocks: Mapping[Family, Block]
    taken_at: float
    source_at: float | None
    expires_at: float
    corrections: int = 0
    duplicates: int = 0
    objects: Mapping[str, frozenset[str]] = field(default_factory=dict)
    series: Mapping[Family, Series] = field(default_factory=dict, repr=False)

    @property
    def size(self) -> int:
        """The number of series."""
        return sum(len(block.labels) for block in self.blocks.values())


def take(
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
    """Make a snapshot of folded series.

    A block that equals the one in ``before`` is that same object, so the page can tell by
    identity what has changed; so it is with all ``blocks`` and with ``objects``.
    """
    at = taken_at if source_at is None else source_at
    blocks: Mapping[Family, Block]
    if before is not None and before.series is mapped.series and counters.confirm(at):
        blocks, corrections = before.blocks, 0
    else:
        old = before.blocks if before else {}
        blocks, corrections = _blocks(mapped.series, counters, at, old)
    return Snapshot(
        account,
        feed,
        blocks,
        taken_at,
        source_at,
        expires_at,
        corrections,
        mapped.duplicates,
        before.objects if before and before.objects == mapped.objects else mapped.objects,
        mapped.series,
    )


def _blocks(
    found: Mapping[Family, Series], counters: Counters, at: float, old: Mapping[Family, Block]
) -> tuple[Mapping[Family, Block], int]:
    """Settle and render series, but for those that are there already; count what was held."""
    blocks: dict[Family, Block] = {}
    corrections = 0
    counters.begin()
    for family, (labels, values, period, _) in found.items():
        if not labels:
            continue
        settled = values
        if family.kind == "counter":
            settled, held = counters.settle(family.name, labels, values, period, at)
            corrections += held
        block = old.get(family)
        if block is None or not block.holds(labels, settled):
            block = Block.of(family, labels, settled)
        blocks[family] = block
    return old if blocks == old else blocks, corrections


def _render(name: bytes, labels: Sequence[bytes], values: Sequence[Number]) -> bytes:
    """Write ``name{labels} value`` lines; numbers are formatted in bulk, which is what is fast."""
    if not labels:
        return b""
    parts = [b"\n" + name] * (3 * len(labels))
    parts[0] = name
    parts[1::3] = labels
    parts[2::3] = orjson.dumps(values)[1:-1].split(b",")
    parts.append(b"\n")
    return b"".join(parts)
