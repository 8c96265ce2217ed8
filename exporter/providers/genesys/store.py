"""Latest value of every statistic, and the rows made of them.

Values arrive in any order and more than once; a value produced before the stored one is dropped.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from exporter.metrics.reading import Reading
from exporter.providers.genesys.rows import (
    Cells,
    milliseconds_of,
    number_of,
    rows_by_table,
    state_of,
)
from exporter.providers.genesys.statistics import ObjectStatistic


class StatisticStore:
    """The statistics of one account. A statistic's index in ``statistics`` is its ``statisticId``.

    Only rows of ``tables`` are returned. ``threshold`` is the T of "answered within T" in seconds.
    """

    def __init__(
        self, statistics: Sequence[ObjectStatistic], tables: Collection[str], threshold: float
    ) -> None:
        self.statistics = statistics
        self._tables = tables
        self._threshold = threshold
        self._open: set[int] = set()
        self._cells: dict[int, Cells] = {}
        self._produced: dict[int, float] = {}  # epoch milliseconds
        self._reading: Reading | None = None

    @property
    def unopened(self) -> list[int]:
        """The statistics that are not open."""
        return [index for index in range(len(self.statistics)) if index not in self._open]

    def clear(self) -> None:
        """Forget everything: the platform has dropped the statistics."""
        self.mark_all_closed()
        self._cells.clear()
        self._reading = None

    def mark_all_closed(self) -> None:
        """Mark every statistic as not open; values stay until newer ones arrive."""
        self._open.clear()
        self._produced.clear()

    def mark_open(self, index: int) -> None:
        """Mark a statistic as open."""
        if index not in self._open:
            self._open.add(index)
            self._reading = None

    def mark_closed(self, indexes: Iterable[int]) -> None:
        """Mark statistics as not open and drop their values."""
        closed = self._open.intersection(indexes)
        if closed:
            self._open -= closed
            self._reading = None
            self.drop_unopened()

    def drop_unopened(self) -> None:
        """Drop the values of statistics that are not open, because nothing updates them."""
        for index in self.unopened:
            if self._cells.pop(index, None) is not None:
                self._reading = None

    def update(self, index: int, entry: Mapping[str, Any]) -> None:
        """Store an open statistic's value, unless a value produced later is stored already."""
        self.mark_open(index)
        produced = milliseconds_of(entry.get("timestamp"))
        if produced is not None:
            if produced < self._produced.get(index, produced):
                return
            self._produced[index] = produced
        cells = _cells_of(self.statistics[index], entry.get("value"))
        if cells == self._cells.get(index):
            return
        if cells is None:
            self._cells.pop(index, None)
        else:
            self._cells[index] = cells
        self._reading = None

    def reading(self) -> Reading:
        """Return the rows of all tables; the same object as long as nothing has changed."""
        if self._reading is None:
            tables = rows_by_table(self.statistics, self._open, self._cells, self._threshold)
            self._reading = Reading(
                {name: rows for name, rows in tables.items() if name in self._tables}
            )
        return self._reading


def _cells_of(statistic: ObjectStatistic, value: Any) -> Cells | None:
    if statistic.is_state:
        return state_of(value)
    number = number_of(value)
    return None if number is None else (number, None)
