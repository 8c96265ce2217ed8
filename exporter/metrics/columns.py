"""Columns of a grid: finds the mapped ones, reads their cells, reports what does not fit."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from exporter.errors import InvalidAnswer
from exporter.metrics.labels import bounded
from exporter.metrics.parsers import Cell, Number, Parser, whole_numbers
from exporter.metrics.reading import REPLACEMENT, RefusedRow, Rows
from exporter.metrics.tables import Figure, Spread, States, Table, normalise

Row = Sequence[Cell]

_MAX_NAMES = 8  # in a line of a report


@dataclass(slots=True)
class Schema:
    """Differences between a table and the platform's answer.

    ``unmapped`` are unknown columns, states and media; ``missing`` are headers of the table that
    the answer lacks; ``rejected`` counts cells that could not be parsed, by header. ``refused`` and
    ``unopened`` are those of ``Rows``.
    """

    unmapped: dict[str, set[str]] = field(
        default_factory=lambda: {"column": set(), "state": set(), "media": set()}
    )
    missing: set[str] = field(default_factory=set)
    rejected: Counter[str] = field(default_factory=Counter)
    refused: Sequence[RefusedRow] = ()
    unopened: int | None = None

    @property
    def missing_columns(self) -> int:
        """The number of columns that are missing, or of statistics that are not open."""
        return len(self.missing) if self.unopened is None else self.unopened

    @property
    def rejected_cells(self) -> int:
        """The number of cells that were rejected, with those of refused rows (at least one)."""
        return self.rejected.total() + sum(max(row.cells, 1) for row in self.refused)

    def notes(self, table: str) -> list[str]:
        """Return the differences in words, for reports."""
        notes = {
            "columns not in the answer": _listed(self.missing),
            "columns with unreadable cells": _listed(self.rejected),
            "refused rows": _listed(map(str, self.refused)),
        }
        lines = [f"{table}: {text}: {names}" for text, names in notes.items() if names]
        if self.unmapped["column"]:
            count = len(self.unmapped["column"])
            lines.append(f"{table}: unmapped columns: {count}, listed by 'discover'")
        return lines


def _listed(names: Iterable[str]) -> str:
    ordered = sorted(map(bounded, names))
    more = f" and {len(ordered) - _MAX_NAMES} more" if len(ordered) > _MAX_NAMES else ""
    return ", ".join(ordered[:_MAX_NAMES]) + more


def normal_positions(headers: Sequence[str]) -> dict[str, int]:
    """Return positions by normalised header: of equal ones the first, an intact one before others.

    With a replaced character a header may be that of another column.
    """
    ranked = sorted(enumerate(headers), key=lambda item: (REPLACEMENT in item[1], item[0]))
    return {normalise(header): position for position, header in reversed(ranked)}


class ColumnMap:
    """The positions of a table's columns in a grid.

    ``headers`` are spelled as the platform does; ``names`` are the columns that only the platform
    can name (see ``Rows``). Of several columns with the same header the first is used.
    """

    def __init__(
        self, table: Table, headers: Sequence[str], names: Mapping[str, frozenset[str]]
    ) -> None:
        self.headers = headers
        self.names = names
        self._table = table
        self._exact = {header: at for at, header in reversed([*enumerate(headers)])}
        self._normal = normal_positions(headers)

    def fits(self, rows: Rows) -> bool:
        """Return whether a grid has the same columns."""
        return self.headers == rows.headers and self.names == rows.names

    def position(self, header: str, aliases: tuple[str, ...] = ()) -> int | None:
        """Return the position of a header or one of its aliases, in any spelling."""
        positions = (self._normal.get(normalise(name)) for name in (header, *aliases))
        return next((at for at in positions if at is not None), None)

    def exact_position(self, header: str) -> int:
        """Return the position of a header in exactly this spelling."""
        return self._exact[header]

    @cached_property
    def name_positions(self) -> list[int]:
        """The positions of the cells that name a row: the key, then a name if any.

        Raises ``InvalidAnswer`` if a key column is missing.
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
    def figures(self) -> list[tuple[Figure, int | None]]:
        """Each figure with the position of its column; ``None`` if missing, and for ``Spread``."""
        return [
            (
                figure,
                None
                if isinstance(figure, Spread)
                else self.position(figure.header, figure.aliases),
            )
            for figure in self._table.figures
        ]

    def spread_headers(self, names: str) -> list[str]:
        """Return the headers that the platform names and no figure maps, sorted."""
        named = self.names.get(names, frozenset())
        return sorted(
            header
            for header in set(self.headers) & named
            if normalise(header) not in self._mapped
            # With a replaced character several columns may have become namesakes.
            and not (REPLACEMENT in header and list(self.headers).count(header) > 1)
        )

    @cached_property
    def unmapped(self) -> list[tuple[str, bool]]:
        """(header, ignored on purpose) of the columns that no figure maps, without private ones."""
        mapped = self._mapped | _normal(self._table.private)
        ignored = _normal(self._table.ignored)
        spread: set[str] = set()
        for figure in self._table.figures:
            if isinstance(figure, Spread):
                spread |= self.names.get(figure.names, frozenset())
        return [
            (header, normalise(header) in ignored)
            for header in self.headers
            if normalise(header) not in mapped and header not in spread
        ]

    @cached_property
    def _mapped(self) -> set[str]:
        table = self._table
        headers = [name for key in table.key for name in (key.header, *key.aliases)]
        for figure in table.figures:
            if not isinstance(figure, Spread):
                headers += [figure.header, *figure.aliases]
        if table.display:
            headers.append(table.display)
        return _normal(headers)


def _normal(headers: Iterable[str]) -> set[str]:
    return {normalise(header) for header in headers}


class Values(NamedTuple):
    """The numbers of a column, row by row; ``complete`` is true if no row lacks one."""

    numbers: Sequence[Number | None]
    complete: bool


class ColumnReader:
    """Reads the columns of one grid, each once; what does not fit is added to ``schema``."""

    def __init__(self, headers: Sequence[str], cells: Sequence[Row], schema: Schema) -> None:
        self._headers = headers
        self._cells = cells
        self._schema = schema
        self._values: dict[tuple[int, Parser], Values] = {}

    def numbers(self, position: int, parse: Parser) -> Values:
        """Return a column's numbers."""
        key = (position, parse)
        if key not in self._values:
            self._values[key] = self._parse(position, parse)
        return self._values[key]

    def states(self, position: int, states: States) -> list[str | None]:
        """Return a column's canonical states; ``None`` for empty cells without a state.

        An unknown word with a replaced character is ``None`` too, and a rejected cell.
        """
        canonical: dict[str, str] = {}
        column: list[str | None] = []
        unreadable = 0
        for row in self._cells:
            word = text_of(row[position])
            if not word:
                column.append(states.words.get(""))
                continue
            if REPLACEMENT in word and normalise(word) not in states.words:
                unreadable += 1
                column.append(None)
                continue
            if word not in canonical:
                canonical[word] = states.words.get(normalise(word), "other")
                if normalise(word) not in states.words:
                    self._schema.unmapped["state"].add(word)
            column.append(canonical[word])
        if unreadable:  # set, as several figures read the column
            self._schema.rejected[self._headers[position]] = unreadable
        return column

    @cached_property
    def _columns(self) -> list[tuple[Cell, ...]]:
        return list(zip(*self._cells, strict=True))

    def _parse(self, position: int, parse: Parser) -> Values:
        column = self._columns[position] if self._cells else ()
        whole = whole_numbers(column, parse)
        if whole is not None:
            return Values(whole, complete=True)
        numbers: list[Number | None] = []
        for cell in column:
            try:
                numbers.append(None if cell is None or cell == "" else parse(cell))
            except ValueError:
                numbers.append(None)
                self._schema.rejected[self._headers[position]] += 1
        return Values(numbers, None not in numbers)


def text_of(cell: Cell) -> str:
    """Return a cell's text without surrounding whitespace; empty for null."""
    return "" if cell is None else str(cell).strip()
