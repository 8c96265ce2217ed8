"""One refresh of one feed: its series, settled and rendered once. What was read, and until when?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from exporter.families import Family
from exporter.fold import Folded
from exporter.ledger import Ledger
from exporter.parsers import Number


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """All lines of one family from one feed: the same bytes in both exposition formats."""

    family: Family
    labels: Sequence[bytes]
    values: Sequence[Number]
    text: bytes

    @classmethod
    def of(cls, family: Family, labels: Sequence[bytes], values: Sequence[Number]) -> "Block":
        """Render series; ``labels`` are complete label sets with the blank behind them."""
        return cls(family, labels, values, _render(family.name.encode(), labels, values))

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

    @property
    def size(self) -> int:
        """The number of series."""
        return sum(len(block.labels) for block in self.blocks.values())


def take(
    account: str,
    feed: str,
    folded: Folded,
    ledger: Ledger,
    *,
    taken_at: float,
    source_at: float | None,
    expires_at: float,
    before: Snapshot | None = None,
) -> Snapshot:
    """Make a snapshot of folded series.

    A block that equals the one in ``before`` is that same object, so the page can tell by
    identity what has changed; so it is with ``objects``.
    """
    blocks: dict[Family, Block] = {}
    corrections = 0
    for family, (labels, values, period) in folded.series.items():
        if not labels:
            continue
        settled: Sequence[Number] = values
        if family.kind == "counter":
            at = taken_at if source_at is None else source_at
            settled, held = ledger.settle(family.name, labels, values, period, at)
            corrections += held
        old = before.blocks.get(family) if before else None
        same = old is not None and old.labels == labels and old.values == settled
        blocks[family] = old if old and same else Block.of(family, labels, settled)
    return Snapshot(
        account,
        feed,
        blocks,
        taken_at,
        source_at,
        expires_at,
        corrections,
        folded.duplicates,
        before.objects if before and before.objects == folded.objects else folded.objects,
    )


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
