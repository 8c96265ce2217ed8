"""From columns of cells to columns of numbers and states: what can be read, and what is strange?"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice

from exporter.metrics.parsers import Cell, Number, Parser, whole_numbers
from exporter.metrics.recall import Recall, Row, Values
from exporter.metrics.tables import States, normalise


@dataclass(slots=True)
class Schema:
    """How well a table fits what the platform sent."""

    unmapped: dict[str, set[str]] = field(
        default_factory=lambda: {"column": set(), "state": set(), "media": set()}
    )
    missing: set[str] = field(default_factory=set)
    rejected: Counter[str] = field(default_factory=Counter)


class Columns:
    """The columns of one grid; ``recall`` knows which of them have been read already.

    What does not fit is noted in ``schema``.
    """

    def __init__(self, cells: Sequence[Row], recall: Recall, schema: Schema) -> None:
        self._cells = cells
        self._recall = recall
        self._schema = schema

    def read(self, position: int, parse: Parser) -> Values:
        """Read a column; only the cells that have changed, where most have not."""
        known = self._recall.values
        key = (position, parse)
        if key not in known:
            self._patch(parse)
        if key not in known:
            column = self._columns[position] if self._cells else ()
            self._keep(key, *self._read(column, position, parse))
        return known[key]

    def states(self, position: int, states: States) -> list[str | None]:
        """Read a column of states, as our canonical words."""
        words = states.words
        known: dict[str, str] = {}
        found: list[str | None] = []
        for row in self._cells:
            word = text_of(row[position])
            if not word:
                found.append(words.get(""))
                continue
            if word not in known:
                known[word] = words.get(normalise(word), "other")
                if normalise(word) not in words:
                    self._schema.unmapped["state"].add(word)
            found.append(known[word])
        return found

    @cached_property
    def _columns(self) -> list[tuple[Cell, ...]]:
        return list(zip(*self._cells, strict=True))

    def _patch(self, parse: Parser) -> None:
        """Read what has changed in all columns that are read like this: it is little in each."""
        stale = self._recall.take_stale(parse)
        cells = [self._cells[at][column] for column, _, rows in stale for at in rows]
        fresh = iter(whole_numbers(cells, parse) or ())
        for column, known, rows in stale:
            found: Sequence[Number | None] = list(islice(fresh, len(rows)))
            bad = 0
            if not found:
                changed = [self._cells[at][column] for at in rows]
                (found, _), bad = self._read(changed, column, parse)
            numbers = [*known.numbers]
            for at, value in zip(rows, found, strict=True):
                numbers[at] = value
            whole = None not in (found if known.whole else numbers)
            self._keep((column, parse), Values(numbers, whole), bad)

    def _keep(self, key: tuple[int, Parser], values: Values, bad: int) -> None:
        self._recall.values[key] = values
        if bad:  # they are to count again with the next reading
            self._recall.once.append(key)

    def _read(self, cells: Sequence[Cell], position: int, parse: Parser) -> tuple[Values, int]:
        """Read some cells of a column; return how many are bad, too."""
        whole = whole_numbers(cells, parse)
        if whole is not None:
            return Values(whole, whole=True), 0
        header = self._recall.layout.headers[position]
        numbers: list[Number | None] = []
        bad = 0
        for cell in cells:
            try:
                numbers.append(None if cell is None or cell == "" else parse(cell))
            except ValueError:
                numbers.append(None)
                bad += 1
        if bad:
            self._schema.rejected[header] += bad
        return Values(numbers, None not in numbers), bad


def text_of(cell: Cell) -> str:
    """Return a cell's text without the blanks around it; nothing for null."""
    return "" if cell is None else str(cell).strip()
