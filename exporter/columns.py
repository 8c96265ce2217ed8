"""From columns of cells to columns of numbers and states: what can be read, and what is strange?"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice

from exporter.parsers import Cell, Number, Parser, whole_numbers
from exporter.recall import Recall, Row, Values
from exporter.tables import States, normalise


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
        self._changes: dict[Parser, Mapping[int, Sequence[Number]]] = {}

    def read(self, position: int, parse: Parser) -> Values:
        """Read a column; only the cells that have changed, where most have not."""
        known = self._recall.values.get((position, parse))
        if known is not None:
            return known
        known, changed = self._recall.stale(position, parse)
        if known is None:
            values, bad = self._read(
                self._columns[position] if self._cells else (), position, parse
            )
        else:
            found, bad = self._read_changed(position, parse, changed)
            numbers = [*known.numbers]
            for at, value in zip(changed, found.numbers, strict=True):
                numbers[at] = value
            values = Values(numbers, found.whole and (known.whole or None not in numbers))
        if not bad:  # else they are to count again
            self._recall.values[position, parse] = values
        return values

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

    def _read_changed(
        self, position: int, parse: Parser, rows: Sequence[int]
    ) -> tuple[Values, int]:
        """Read the changed cells of a column: with those of its like, as each has only a few."""
        if parse not in self._changes:
            places = self._recall.changes(parse)
            cells = [self._cells[at][column] for column, changed in places for at in changed]
            whole = iter(whole_numbers(cells, parse) or ())
            cut = [(column, list(islice(whole, len(changed)))) for column, changed in places]
            self._changes[parse] = {column: found for column, found in cut if found}
        found = self._changes[parse].get(position)
        if found is not None:
            return Values(found, whole=True), 0
        return self._read([self._cells[at][position] for at in rows], position, parse)

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
