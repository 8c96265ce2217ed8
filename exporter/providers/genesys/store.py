"""Latest value of every statistic, and the rows made of them.

Values may overtake each other on the way, and arrive more than once.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from exporter.clock import Clock
from exporter.metrics.reading import Reading
from exporter.providers.genesys.rows import (
    Cells,
    milliseconds_of,
    number_of,
    rows_by_table,
    state_of,
)
from exporter.providers.genesys.statistics import ObjectStatistic

# Seconds in which a value may overtake an older one: an answer takes 30 s at most, and CometD may
# deliver a part of the queue with an answer to any other request (CometD, "Bayeux").
OVERTAKING: Final = 30.0


class StatisticStore:
    """The statistics of one account. A statistic's index in ``statistics`` is its ``statisticId``.

    Only rows of ``tables`` are returned. ``threshold`` is the T of "answered within T" in seconds.
    Values are stored as they arrive, except that one produced earlier than the stored one is
    dropped if it may have been overtaken: within ``overtaking`` seconds by both clocks. Beyond,
    the platform's clock has stepped, or a stamp was wrong. ``count_outdated`` is called for each
    value dropped.
    """

    def __init__(
        self,
        statistics: Sequence[ObjectStatistic],
        tables: Collection[str],
        threshold: float,
        clock: Clock,
        count_outdated: Callable[[], None],
        overtaking: float = OVERTAKING,
    ) -> None:
        self.statistics = statistics
        self.stepped_back = False  # a value was stamped earlier than the stored one
        self.changes = 0  # values that differed from the stored one
        self._tables = tables
        self._threshold = threshold
        self._clock = clock
        self._count_outdated = count_outdated
        self._overtaking = overtaking
        self._open: set[int] = set()
        self._openings: Counter[str] = Counter()  # by table
        self._cells: dict[int, Cells] = {}
        # By index: when the value was produced (epoch ms), and when it arrived (monotonic s).
        self._produced: dict[int, tuple[float, float]] = {}
        self._arrived: dict[int, float] = {}  # when the last value arrived, stamped or not
        self._reading: Reading | None = None
        by_key = {
            (item.object_type, item.object_id, item.stat_type.header): index
            for index, item in enumerate(statistics)
        }
        # Those opened only if another of the object is not, and that other one.
        self.spares: Mapping[int, int | None] = {
            index: by_key.get((item.object_type, item.object_id, item.stat_type.instead_of))
            for index, item in enumerate(statistics)
            if item.stat_type.instead_of
        }

    @property
    def idle(self) -> frozenset[int]:
        """The spares that are not needed."""
        needed = (None, *(first for first in self.spares.values() if first in self._open))
        return frozenset(spare for spare, first in self.spares.items() if first in needed)

    @property
    def unopened(self) -> list[int]:
        """The statistics that are not open and are needed."""
        known = self._open | self.idle
        return [index for index in range(len(self.statistics)) if index not in known]

    def opened(self, indexes: Iterable[int]) -> frozenset[int]:
        """Return those of the statistics that are open."""
        return frozenset(self._open.intersection(indexes))

    def has_arrived(self, indexes: Iterable[int], seconds: float) -> bool:
        """Return whether a value of one of the statistics arrived within the last seconds."""
        since = self._clock.monotonic() - seconds
        return any(self._arrived.get(index, since) > since for index in indexes)

    def clear(self) -> None:
        """Forget everything: the platform has dropped the statistics."""
        self.mark_all_closed()
        self._cells.clear()
        self._reading = None

    def mark_all_closed(self) -> None:
        """Mark every statistic as not open; values stay until newer ones arrive."""
        self._open.clear()
        self._produced.clear()
        self._arrived.clear()

    def mark_open(self, index: int) -> None:
        """Mark a statistic as open. Its totals, and so its table's, have a new origin."""
        if index not in self._open:
            self._open.add(index)
            self._openings[self.statistics[index].table] += 1
            self._reading = None

    def mark_closed(self, indexes: Iterable[int]) -> None:
        """Mark statistics as not open and drop their values."""
        closed = self._open.intersection(indexes)
        if closed:
            self._open -= closed
            for index in closed:
                self._produced.pop(index, None)
                self._arrived.pop(index, None)
            self._reading = None
            self.drop_unopened()

    def drop_unopened(self) -> None:
        """Drop the values of statistics that are not open, because nothing updates them."""
        for index in self._cells.keys() - self._open:
            del self._cells[index]
            self._reading = None

    def update(self, index: int, entry: Mapping[str, Any]) -> None:
        """Store a statistic's value, unless it is outdated; the statistic is open."""
        self.mark_open(index)
        now = self._arrived[index] = self._clock.monotonic()
        produced = milliseconds_of(entry.get("timestamp"))
        if produced is not None:
            last, arrived = self._produced.get(index, (produced, now))
            if produced < last:
                self.stepped_back = True
                if max((last - produced) / 1000.0, now - arrived) <= self._overtaking:
                    self._count_outdated()
                    return
            self._produced[index] = (produced, now)
        cells = _cells_of(self.statistics[index], entry.get("value"))
        if cells == self._cells.get(index):
            return
        if cells is None:
            self._cells.pop(index, None)
        else:
            self._cells[index] = cells
        self.changes += 1
        self._reading = None

    def reading(self) -> Reading:
        """Return the rows of all tables; the same object as long as nothing has changed."""
        if self._reading is None:
            tables = rows_by_table(
                self.statistics, self._open, self.idle, self._cells, self._threshold
            )
            self._reading = Reading(
                {
                    name: replace(rows, origin=self._openings[name])
                    for name, rows in tables.items()
                    if name in self._tables
                }
            )
        return self._reading


def _cells_of(statistic: ObjectStatistic, value: Any) -> Cells | None:
    if statistic.is_state:
        return state_of(value)
    number = number_of(value)
    return None if number is None else (number, None)
