"""What a collector hands over: the plain rows of one reading of one feed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from exporter.metrics.parsers import Cell


@dataclass(frozen=True, slots=True)
class Rows:
    """One grid: ``headers`` as the platform spells them, ``cells`` row by row in that order.

    ``names`` holds the columns that only the platform can name, such as dispositions, by the
    word under which a table's ``Spread`` asks for them.
    """

    headers: Sequence[str]
    cells: Sequence[Sequence[Cell]]
    names: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Cell]]) -> "Rows":
        """Make a grid of rows given as mappings; what a row lacks is null."""
        rows = list(rows)
        headers = list(dict.fromkeys(header for row in rows for header in row))
        return cls(headers, [[row.get(header) for header in headers] for row in rows])


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Reading:
    """One feed's answer: its grids by table name.

    ``source_at`` is the platform's own time of the figures in epoch seconds, where it tells.
    """

    tables: Mapping[str, Rows]
    source_at: float | None = None
