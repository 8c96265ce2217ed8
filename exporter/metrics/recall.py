"""What one fold of a table leaves to the next: which labels and values are known already?

Most rows of an answer are the rows of the answer before. Their names do not change, so neither do
their label sets; and where only some cells have changed, only those are read anew.
"""

from collections.abc import Hashable, Mapping, Sequence
from itertools import compress, repeat
from operator import ne
from typing import NamedTuple, cast

from exporter.metrics.labels import RowLabels
from exporter.metrics.layout import ColumnMap
from exporter.metrics.parsers import Cell, Number, Parser

_FEW = 4  # up to one row of that many is looked at singly; from there on columns are quicker
_BETWEEN = "\0"  # the cells of a line

Row = Sequence[Cell]
_Key = tuple[int, Parser]


class Values(NamedTuple):
    """A column that was read; ``whole`` tells that every row has a number."""

    numbers: Sequence[Number | None]
    whole: bool


class Recall:
    """The rows of one grid and what was made of them; ``before`` is the recall of an earlier one.

    ``cells`` are the wanted rows. Both folds have to be by the same table and scope.
    """

    def __init__(
        self,
        layout: ColumnMap,
        naming: RowLabels,
        cells: Sequence[Row],
        before: "Recall | None" = None,
    ) -> None:
        self.layout = layout
        self.naming = naming
        self.lines = _lines(cells)
        self.unchanged = False  # nothing at all has changed
        # Each row's whole label set; families with the same labels share it.
        self.labels: dict[Hashable, Sequence[bytes]] = {}
        # The columns that have been read, as they are now.
        self.values: dict[_Key, Values] = {}
        self.once: list[_Key] = []  # those of them that are to be read again next time
        self._stale: dict[_Key, Values] = {}  # the columns that have changed, as they were
        self._changed: Mapping[int, Sequence[int]] = {}  # in which rows, by column
        if before is None or layout is not before.layout:
            return
        if naming is before.naming:
            self.labels = before.labels
        if len(self.lines) == len(before.lines):
            self._compare(cells, before)

    def _compare(self, cells: Sequence[Row], before: "Recall") -> None:
        if self.lines == before.lines:
            self.lines, self.values = before.lines, before.values
            self.unchanged = self.naming is before.naming
            return
        differ = list(map(ne, self.lines, before.lines))
        if sum(differ) * _FEW > len(cells):
            return
        rows = list(compress(range(len(cells)), differ))
        self._changed = _changed(rows, cells, before.lines)
        for key, values in before.values.items():
            kept = self._stale if key[0] in self._changed else self.values
            kept[key] = values

    def take_stale(self, parse: Parser) -> list[tuple[int, Values, Sequence[int]]]:
        """Take (column, as it was read last, rows that have changed since) of these columns."""
        stale = [key for key in self._stale if key[1] is parse]
        return [(key[0], self._stale.pop(key), self._changed[key[0]]) for key in stale]

    def let_go(self) -> None:
        """Forget what is of no use to the next fold: everything has been read."""
        for key in self.once:
            del self.values[key]
        self.once = []
        self._stale, self._changed = {}, {}


def _lines(rows: Sequence[Row]) -> Sequence[str | Row]:
    """Write each row as one text, which takes a tenth of its cells' memory.

    A row stays as it is where its cells could not be told apart again, or are not all texts.
    """
    try:
        lines = list(map(_BETWEEN.join, cast("Sequence[Sequence[str]]", rows)))
    except TypeError:
        return [_line(row) for row in rows]
    if sum(map(str.count, lines, repeat(_BETWEEN))) == sum(map(len, rows)) - len(rows):
        return lines
    return [_line(row) for row in rows]


def _line(row: Row) -> str | Row:
    if all(isinstance(cell, str) and _BETWEEN not in cell for cell in row):
        return _BETWEEN.join(cast("Sequence[str]", row))
    if bool in map(type, row):  # which is no number, though it equals one
        return [str(cell) if isinstance(cell, bool) else cell for cell in row]
    return row


def _changed(
    rows: Sequence[int], cells: Sequence[Row], lines: Sequence[str | Row]
) -> dict[int, list[int]]:
    """Find the cells of these rows that differ from what they were; by column."""
    differ = []
    for at in rows:
        line = lines[at]
        old: Row = line.split(_BETWEEN) if isinstance(line, str) else line
        differ.append([one != other for one, other in zip(cells[at], old, strict=True)])
    columns = enumerate(zip(*differ, strict=True))
    return {at: list(compress(rows, column)) for at, column in columns if True in column}
