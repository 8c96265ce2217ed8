"""Readings: the plain rows that a collector returns for one refresh of one feed."""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from exporter.errors import InvalidAnswer
from exporter.metrics.parsers import Cell

# U+FFFD, which stands in a cell for a character that the answer's format forbids, so that the cell
# may mean anything: it is neither a figure nor a state, and as a name it may be that of several.
REPLACEMENT: Final = "\ufffd"
MOST_COLUMNS = 1000
MOST_CELLS = 5_000_000  # of one grid: 20,000 agents with 250 columns
_MANY_CELLS = 20_000


class RefusedRow(NamedTuple):
    """A row that was left out: its position in the answer from 1, its number of cells, and why.

    ``kind`` is what was left out instead of a row, such as a change of one cell.
    """

    position: int
    cells: int
    fault: str
    kind: str = "row"

    def __str__(self) -> str:
        return f"{self.kind} {self.position}: {self.fault}"


def check_refused(refused: Sequence[RefusedRow], rows: int) -> None:
    """Raise ``InvalidAnswer`` where more than half of an answer's rows were refused."""
    if 2 * len(refused) > rows:
        raise InvalidAnswer(f"{len(refused)} of {rows} rows were refused, the first: {refused[0]}")


@dataclass(frozen=True, slots=True)
class Rows:
    """One grid: ``headers`` as the platform spells them, ``cells`` by row in the same order.

    ``names`` are the headers of columns that only the platform can name, such as dispositions,
    by the ``names`` of the table's ``Spread``. ``origin`` identifies where the totals of the grid
    count from; a new origin means that the platform began to count anew. ``None`` is unknown.
    ``refused`` are rows that were left out because they do not fit their columns or lack their key;
    ``repeated`` counts those that were left out because their object came before. ``unopened``
    counts the statistics that are not open, at a platform that opens statistics one by one.
    """

    headers: Sequence[str]
    cells: Sequence[Sequence[Cell]]
    names: Mapping[str, frozenset[str]] = field(default_factory=dict)
    origin: Hashable = None
    refused: Sequence[RefusedRow] = ()
    repeated: int = 0
    unopened: int | None = None

    @classmethod
    def of(
        cls,
        rows: Iterable[Mapping[str, Cell]],
        refused: Sequence[RefusedRow] = (),
        repeated: int = 0,
    ) -> "Rows":
        """Return a grid of rows given as mappings; missing cells are null.

        Of more columns than ``MOST_COLUMNS``, or than would make ``MOST_CELLS``, those that most
        rows have are kept: a platform may name its columns itself.
        """
        rows = list(rows)
        headers = list(dict.fromkeys(header for row in rows for header in row))
        most = min(MOST_COLUMNS, MOST_CELLS // max(len(rows), 1))
        if len(headers) > most:
            frequency = Counter(header for row in rows for header in row)
            headers = [header for header, _ in frequency.most_common(most)]
        cells = [[row.get(header) for header in headers] for row in rows]
        return cls(headers, cells, refused=refused, repeated=repeated)


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Reading:
    """The grids of one feed, by table name.

    ``source_at`` is the platform's time of the figures in epoch seconds, if it reports one.
    """

    tables: Mapping[str, Rows]
    source_at: float | None = None

    @property
    def is_large(self) -> bool:
        """Whether mapping the reading would hold up an event loop."""
        cells = sum(len(rows.cells) * len(rows.headers) for rows in self.tables.values())
        return cells > _MANY_CELLS
