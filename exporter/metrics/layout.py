"""Where is what in a grid: which column has which header, and which headers are strange?"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from exporter.errors import InvalidAnswer
from exporter.metrics.reading import Rows
from exporter.metrics.tables import Figure, Spread, Table, normalise


class ColumnMap:
    """The columns of a grid as a table sees them.

    ``headers`` are the columns' as the platform spells them, ``names`` those that only it can
    name (see ``Rows``).
    """

    def __init__(
        self, table: Table, headers: Sequence[str], names: Mapping[str, frozenset[str]]
    ) -> None:
        self.headers = headers
        self.names = names
        self._table = table
        # Of several columns with the same header the first counts.
        self._exact = {header: at for at, header in reversed([*enumerate(headers)])}
        self._at = {normalise(header): at for at, header in reversed([*enumerate(headers)])}

    def fits(self, rows: Rows) -> bool:
        """Tell whether another grid has the same columns."""
        return self.headers == rows.headers and self.names == rows.names

    def position(self, header: str, aliases: tuple[str, ...] = ()) -> int | None:
        """Return where a column is that has this header or an alias, in any spelling."""
        found = (self._at.get(normalise(name)) for name in (header, *aliases))
        return next((at for at in found if at is not None), None)

    def exactly(self, header: str) -> int:
        """Return where the column is that is spelt like this."""
        return self._exact[header]

    @cached_property
    def naming(self) -> list[int]:
        """Where the cells are that name a row: the key's, then a person's name if there is one.

        Raises ``InvalidAnswer`` where the key is not all there.
        """
        positions = []
        for key in self._table.key:
            position = self.position(key.header, key.aliases)
            if position is None:
                raise InvalidAnswer(f"{self._table.name}: no column {key.header!r}")
            positions.append(position)
        display = self.position(self._table.display) if self._table.display else None
        return positions if display is None else [*positions, display]

    @cached_property
    def places(self) -> list[tuple[Figure, int | None]]:
        """Each figure and where its column is; those of a ``Spread`` are not known by header."""
        return [(figure, self._place(figure)) for figure in self._table.figures]

    def _place(self, figure: Figure) -> int | None:
        if isinstance(figure, Spread):
            return None
        return self.position(figure.header, figure.aliases)

    def spread(self, names: str) -> list[str]:
        """List the headers that the platform names and no figure maps, in their order."""
        wanted = self.names.get(names, frozenset())
        return sorted(
            header
            for header in set(self.headers) & wanted
            if normalise(header) not in self._claimed
        )

    @cached_property
    def strange(self) -> list[tuple[str, bool]]:
        """List (header, known to us) of the columns that no figure maps; private ones never."""
        claimed = self._claimed | _normal(self._table.private)
        ignored = _normal(self._table.ignored)
        spread: set[str] = set()
        for figure in self._table.figures:
            if isinstance(figure, Spread):
                spread |= self.names.get(figure.names, frozenset())
        return [
            (header, normalise(header) in ignored)
            for header in self.headers
            if normalise(header) not in claimed and header not in spread
        ]

    @cached_property
    def _claimed(self) -> set[str]:
        table = self._table
        names = [name for key in table.key for name in (key.header, *key.aliases)]
        for figure in table.figures:
            if not isinstance(figure, Spread):
                names += [figure.header, *figure.aliases]
        if table.display:
            names.append(table.display)
        return _normal(names)


def _normal(headers: Iterable[str]) -> set[str]:
    return {normalise(header) for header in headers}
