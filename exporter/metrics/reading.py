"""Readings: the plain rows that a collector returns for one refresh of one feed."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from exporter.metrics.parsers import Cell

_MANY_CELLS = 20_000


@dataclass(frozen=True, slots=True)
class Rows:
    """One grid: ``headers`` as the platform spells them, ``cells`` by row in the same order.

    ``names`` are the headers of columns that only the platform can name, such as dispositions,
    by the ``names`` of the table's ``Spread``. ``origin`` identifies where the totals of the grid
    count from; a new origin means that the platform began to count anew. ``None`` is unknown.
    """

    headers: Sequence[str]
    cells: Sequence[Sequence[Cell]]
    names: Mapping[str, frozenset[str]] = field(default_factory=dict)
    origin: Hashable = None

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Cell]]) -> "Rows":
        """Return a grid of rows given as mappings; missing cells are null."""
        rows = list(rows)
        headers = list(dict.fromkeys(header for row in rows for header in row))
        return cls(headers, [[row.get(header) for header in headers] for row in rows])


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
