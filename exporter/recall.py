"""What one fold of a table leaves to the next: which labels and values are known already?

Most rows of an answer are the rows of the answer before. Their names do not change, so neither do
their label sets; and where only some cells have changed, only those rows are read anew.
"""

from collections.abc import Callable, Hashable, Sequence

from exporter.parsers import Cell, Number, Parser
from exporter.scope import label_pairs

_FEW = 4  # up to one row of that many is read singly; from there on whole columns are quicker

Values = Sequence[Number | None]


class Recall:
    """The rows of one grid and what was made of them; ``before`` is the recall of an earlier one.

    ``names`` are the rows' own label values under the labels ``keys``; none where the rows are
    only counted. Both folds have to be by the same table and scope.
    """

    def __init__(
        self,
        headers: Sequence[str],
        cells: Sequence[Sequence[Cell]],
        names: Sequence[tuple[str, ...]],
        keys: Sequence[str],
        before: "Recall | None" = None,
    ) -> None:
        self.headers = headers
        self.cells = cells
        self.names = names
        self.parts: Sequence[bytes]  # each row's own labels as ``a="x",b="y"``
        self.found_labels: dict[Hashable, list[bytes]] = {}
        self.found_values: dict[tuple[int, Parser], Values] = {}
        # What was found by the fold before; what is of use goes over one by one.
        self._old_labels: dict[Hashable, list[bytes]] = {}
        self._old_values: dict[tuple[int, Parser], Values] = {}
        self._changed: Sequence[int] = ()
        if before is not None and names == before.names:
            self.parts = before.parts
            self._old_labels = dict(before.found_labels)
        else:
            self.parts = [label_pairs(dict(zip(keys, name, strict=True))) for name in names]
        if before is not None and headers == before.headers and len(cells) == len(before.cells):
            self._take_over(before)

    def _take_over(self, before: "Recall") -> None:
        pairs = enumerate(zip(self.cells, before.cells, strict=True))
        changed = [at for at, (new, old) in pairs if new != old]
        if len(changed) * _FEW <= len(self.cells):
            self._old_values, self._changed = dict(before.found_values), changed

    def labels(self, key: Hashable, around: Callable[[], tuple[bytes, bytes]]) -> list[bytes]:
        """Return each row's whole label set; families with the same labels share it.

        ``key`` stands for what ``around`` returns: what is before and after a row's own labels.
        """
        if key not in self.found_labels:
            found = self._old_labels.pop(key, None)
            if found is None:
                before, after = around()
                found = [before + part + after for part in self.parts]
            self.found_labels[key] = found
        return self.found_labels[key]

    def known(self, position: int, parse: Parser) -> tuple[Values | None, Sequence[int]]:
        """Return a column as it was read last, if it was, and the rows changed since."""
        key = (position, parse)
        if key in self.found_values:
            return self.found_values[key], ()
        return self._old_values.pop(key, None), self._changed

    def keep(self, position: int, parse: Parser, values: Values) -> None:
        """Remember a column that was read."""
        self.found_values[position, parse] = values
