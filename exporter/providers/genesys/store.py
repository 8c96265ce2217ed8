"""What is known of each statistic: is it open, and what was its last value?

Values come in any order and more than once; one that was produced before the value we have is
dropped. The rows of a table are made of those objects of which something is known.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from exporter.metrics.reading import Reading
from exporter.providers.genesys.rows import Cells, grids, milliseconds_of, number_of, state_of
from exporter.providers.genesys.statistics import Statistic


class Book:
    """The statistics of one account, each known by its number, which is its ``statisticId``.

    Rows are made of the ``tables`` that are wanted; ``threshold`` is the T of "answered within T"
    in seconds.
    """

    def __init__(
        self, statistics: Sequence[Statistic], tables: Collection[str], threshold: float
    ) -> None:
        self.statistics = statistics
        self._tables = tables
        self._threshold = threshold
        self._open: set[int] = set()
        self._cells: dict[int, Cells] = {}
        self._produced: dict[int, float] = {}
        self._reading: Reading | None = None

    @property
    def missing(self) -> list[int]:
        """The statistics that are not open."""
        return [number for number in range(len(self.statistics)) if number not in self._open]

    def drop(self) -> None:
        """Forget everything: the platform has dropped the statistics."""
        self._open.clear()
        self._cells.clear()
        self._produced.clear()
        self._reading = None

    def close(self) -> None:
        """Remember that nothing is open any more; values stay until newer ones come."""
        self._open.clear()
        self._produced.clear()

    def opened(self, number: int) -> None:
        """Remember that the platform has opened a statistic."""
        if number not in self._open:
            self._open.add(number)
            self._reading = None

    def lost(self, numbers: Iterable[int]) -> None:
        """Remember that the platform has statistics no longer, and forget their values."""
        gone = self._open.intersection(numbers)
        if gone:
            self._open -= gone
            self._reading = None
            self.settle()

    def settle(self) -> None:
        """Forget the values of what could not be opened again: nobody keeps them up to date."""
        for number in self.missing:
            if self._cells.pop(number, None) is not None:
                self._reading = None

    def put(self, number: int, entry: Mapping[str, Any]) -> None:
        """Take a value, unless one that was produced later is here already."""
        produced = milliseconds_of(entry.get("timestamp"))
        if produced is not None:
            if produced < self._produced.get(number, produced):
                return
            self._produced[number] = produced
        cells = _read(self.statistics[number], entry.get("value"))
        if cells == self._cells.get(number):
            return
        if cells is None:
            self._cells.pop(number, None)
        else:
            self._cells[number] = cells
        self._reading = None

    def reading(self) -> Reading:
        """Return the rows of all tables; the same object as long as nothing has changed."""
        if self._reading is None:
            found = grids(self.statistics, self._open, self._cells, self._threshold)
            wanted = {name: rows for name, rows in found.items() if name in self._tables}
            self._reading = Reading(wanted)
        return self._reading


def _read(statistic: Statistic, value: Any) -> Cells | None:
    if statistic.is_state:
        state = state_of(value)
        return None if state is None else (state.word, state.since)
    found = number_of(value)
    return None if found is None else (found, None)
