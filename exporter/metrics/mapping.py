"""Mapping: turns the rows of one reading into series, by an account's tables.

Cells that cannot be parsed are dropped one by one and counted; unknown headers and words are
reported; an absent or empty cell makes no series. Where a row was refused, figures of all rows
together are left out, as they would lack that row.
"""

import hashlib
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import compress, islice
from typing import NamedTuple, cast

import orjson

from exporter.errors import InvalidAnswer
from exporter.metrics.columns import ColumnMap, ColumnReader, Schema, Values, text_of
from exporter.metrics.families import RAW_VALUE, Family
from exporter.metrics.labels import (
    AccountLabels,
    RowLabels,
    cut_values,
    label_rows,
    render_labels,
)
from exporter.metrics.parsers import Number, number, total
from exporter.metrics.period import Period
from exporter.metrics.reading import REPLACEMENT, Reading, Rows
from exporter.metrics.tables import (
    Column,
    Figure,
    Reasons,
    Spread,
    State,
    Sum,
    Table,
)

RAW_CAP = 10_000  # series of raw_value for one table
_OBJECTS = {"queue", "campaign"}  # labels whose values may have objectives


Digest = tuple[bytes, tuple[Hashable, ...]]  # a hash of all cells; the origins of the tables


class Series(NamedTuple):
    """All series of one family: rendered label sets (``{…} ``) and values, in the same order.

    Both lists are shared with later readings and never modified. ``unique`` is true if no two
    label sets can be equal. ``table`` is the table of the first series, and ``origin`` that of its
    rows; ``None`` if the series are of tables whose origins differ.
    """

    labels: Sequence[bytes]
    values: Sequence[Number]
    period: Period | None
    unique: bool = False
    table: str = ""
    origin: Hashable = None


class TableCache(NamedTuple):
    """What the next reading reuses of a table: column positions, row labels and label sets.

    ``label_sets`` are the label sets of all rows; families with the same labels share them.
    """

    columns: ColumnMap
    rows: RowLabels
    label_sets: dict[Hashable, Sequence[bytes]]


@dataclass(slots=True)
class Mapped:
    """The series of one reading, and by table name its schema and what the next one reuses.

    ``objects`` are the names of all queues and campaigns in the series, by label, and of campaigns
    whose table tells their direction, by direction.
    ``namesakes`` are the plain names of those shown as name and id, by label and its value.
    ``cut`` counts the label values that were too long. ``digest`` identifies the reading.
    """

    series: dict[Family, Series] = field(default_factory=dict)
    schemas: dict[str, Schema] = field(default_factory=dict)
    tables: dict[str, TableCache] = field(default_factory=dict)
    duplicates: int = 0
    cut: int = 0
    objects: dict[str, frozenset[str]] = field(default_factory=dict)
    namesakes: dict[tuple[str, str], str] = field(default_factory=dict)
    digest: Digest | None = None


def map_reading(
    reading: Reading,
    tables: Mapping[str, Table],
    account: AccountLabels,
    *,
    raw: bool,
    before: Mapped | None = None,
) -> Mapped:
    """Map a reading to series; with ``raw`` also the columns that no table maps.

    ``before`` is an earlier result for the same tables, account and ``raw``. It is returned if
    the readings are equal. Raises ``InvalidAnswer`` if a grid lacks a key column, or if a row has
    too many or too few cells.
    """
    digest = _digest(reading)
    if before is not None and digest is not None and digest == before.digest:
        return before
    mapped = Mapped(digest=digest)
    for name, rows in reading.tables.items():
        cache = before.tables.get(name) if before else None
        _TableMapping(tables[name], rows, account, cache, mapped).run(raw=raw)
    for family, series in mapped.series.items():
        if not series.unique:
            mapped.series[family] = unique = _unique(series)
            mapped.duplicates += len(series.labels) - len(unique.labels)
    return mapped


def _digest(reading: Reading) -> Digest | None:
    """Return what identifies a reading, ``None`` if a cell has no exact JSON form.

    JSON tells ``1``, ``1.0``, ``"1"`` and ``true`` apart. Only NaN and null are equal in it: both
    make no series.
    """
    digest = hashlib.blake2b(digest_size=16)
    for name, rows in reading.tables.items():
        names = {kind: sorted(headers) for kind, headers in rows.names.items()}
        left_out = ([*map(str, rows.refused)], rows.repeated, rows.unopened)
        try:
            digest.update(orjson.dumps((name, rows.headers, names, rows.cells, left_out)))
        except TypeError:  # a lone surrogate, or an integer of more than 64 bits
            return None
    return digest.digest(), tuple(rows.origin for rows in reading.tables.values())


def _unique(series: Series) -> Series:
    """Keep the first series of each label set.

    Names with a replaced character may have been different ones: none of their series is kept.
    """
    first: dict[bytes, Number] = {}
    if len(set(series.labels)) < len(series.labels):
        for label, value in zip(series.labels, series.values, strict=True):
            first.setdefault(label, value)
        for label, series_of_label in Counter(series.labels).items():
            if series_of_label > 1 and REPLACEMENT.encode() in label:
                del first[label]
        return series._replace(labels=[*first.keys()], values=[*first.values()])
    return series


class _TableMapping:
    """Maps one grid by one table; adds the result to ``mapped``."""

    def __init__(
        self,
        table: Table,
        rows: Rows,
        account: AccountLabels,
        cache: TableCache | None,
        mapped: Mapped,
    ) -> None:
        self.table = table
        self.mapped = mapped
        self.origin = rows.origin
        self.by_row = table.subject != "agent" or account.agents != "aggregate"
        if not set(map(len, rows.cells)) <= {len(rows.headers)}:
            raise InvalidAnswer(f"{table.name}: not every row has {len(rows.headers)} cells")
        if cache is not None and not cache.columns.fits(rows):
            cache = None
        self.columns = cache.columns if cache else ColumnMap(table, rows.headers, rows.names)
        names = [
            ["" if (cell := row[position]) is None else str(cell) for row in rows.cells]
            for position in (self.columns.name_positions if rows.cells else ())
        ]
        self.rows = label_rows(
            table, account, len(rows.cells), names, cache.rows if cache else None
        )
        self.label_sets = cache.label_sets if cache and cache.rows is self.rows else {}
        mapped.tables[table.name] = TableCache(self.columns, self.rows, self.label_sets)
        kept = self.rows.kept
        self.cells = rows.cells if kept is None else [rows.cells[index] for index in kept]
        self.base = b"{" + render_labels(account.base)
        self.schema = mapped.schemas.setdefault(table.name, Schema())
        self.schema.refused, self.schema.unopened = rows.refused, rows.unopened
        mapped.duplicates += rows.repeated
        self.reader = ColumnReader(rows.headers, self.cells, self.schema)
        # The rows that have no series yet.
        self.without_series: Sequence[int] = range(len(self.rows.values))

    def run(self, *, raw: bool) -> None:
        """Map every figure; with ``raw`` also the unmapped columns."""
        for figure, position in self.columns.figures:
            if isinstance(figure, Spread):
                self._spread(figure)
            elif position is not None:
                self._map(figure, position)
            else:
                self._missing(figure)
        self.mapped.cut += self.rows.cut
        unmapped = self.columns.unmapped
        self.schema.unmapped["column"] |= {header for header, ignored in unmapped if not ignored}
        if raw and self.by_row:
            self._raw([header for header, _ in unmapped])
        self.mapped.namesakes.update(self.rows.namesakes)
        for index, key in enumerate(self.table.key):
            if key.label == "campaign" and self.table.direction:
                self._add_objects(
                    self.table.direction, [value[index] for value in self.rows.values]
                )
            if key.label in _OBJECTS:
                without = set(self.without_series)
                rows = enumerate(self.rows.values)
                self._add_objects(
                    key.label, [value[index] for row, value in rows if row not in without]
                )

    # Figures -------------------------------------------------------------------------------

    def _map(self, figure: Figure, position: int) -> None:
        if self.schema.refused and _is_of_all_rows(figure):
            return
        match figure:
            case Column():
                self._column(figure, position)
            case State():
                self._state(figure, position)
            case Reasons():
                self._reasons(figure, position)
            case Sum():
                self._sum(figure, position)

    def _missing(self, figure: Column | State | Reasons | Sum) -> None:
        if figure.certain and self.columns.headers:
            self.schema.missing.add(figure.header)
        # Where statistics are opened one by one, a table without rows says nothing of its objects.
        is_empty = not self.cells and not self.schema.refused and self.schema.unopened is None
        if isinstance(figure, State) and figure.show == "count" and is_empty:
            self._state_counts(figure, [])

    def _column(self, figure: Column, position: int) -> None:
        if not self.by_row:
            return
        family = figure.family
        values = self.reader.numbers(position, figure.parse)
        labels = self._label_sets(family, figure.labels)
        if values.complete and family not in self.mapped.series:  # nearly always
            self.without_series = ()
            numbers = cast("Sequence[Number]", values.numbers)
            self.mapped.series[family] = self._series(labels, numbers, self.rows.unique)
        else:
            self._put(family, *self._present(labels, values), self.rows.unique)
        for label, name in figure.labels.items():
            if label in _OBJECTS:
                some = any(value is not None for value in values.numbers)
                self._add_objects(label, [name] if some else [])

    def _state(self, figure: State, position: int) -> None:
        if figure.show == "count":
            states = self.reader.states(position, figure.states)
            if not self._is_unreadable(position):
                self._state_counts(figure, states)
        elif self.by_row and figure.show == "current":
            self._current_states(figure, self.reader.states(position, figure.states))
        elif self.by_row:
            self._every_state(figure, self.reader.states(position, figure.states))

    def _current_states(self, figure: State, states: Sequence[str | None]) -> None:
        around = {
            state: self._around(figure.family, {"state": state})
            for state in figure.states.canonical
        }
        labels = [
            around[state][0] + pairs + around[state][1]
            for pairs, state in zip(self.rows.pairs, states, strict=True)
            if state is not None
        ]
        self._put(figure.family, labels, [1] * len(labels))
        self._note_series_of(states)

    def _every_state(self, figure: State, states: Sequence[str | None]) -> None:
        complete = None not in states
        labels: list[bytes] = []
        values: list[Number] = []
        for canonical in figure.states.canonical:
            numbers = [None if state is None else int(state == canonical) for state in states]
            label_sets = self._label_sets(figure.family, {"state": canonical})
            present = self._present(label_sets, Values(numbers, complete))
            labels += present[0]
            values += present[1]
        self._put(figure.family, labels, values)

    def _state_counts(self, figure: State, states: Sequence[str | None]) -> None:
        if None in states:
            self.schema.unmapped["state"].add("(empty)")
        counts = Counter(state or "other" for state in states)
        self._put_counts(
            figure.family, "state", {state: counts[state] for state in figure.states.canonical}
        )

    def _reasons(self, figure: Reasons, position: int) -> None:
        state_position = self.columns.position(figure.state_header)
        if state_position is None:
            return
        states = self.reader.states(state_position, figure.states)
        counts = Counter(
            text_of(row[position]) or "unspecified"
            for row, state in zip(self.cells, states, strict=True)
            if state == figure.state
        )
        unreadable = any(REPLACEMENT in reason for reason in counts)
        if unreadable or self._is_unreadable(state_position):
            return
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        shown = Counter(dict(ranked[: figure.cap]))
        for _, rows in ranked[figure.cap :]:
            shown["other"] += rows
        self.mapped.cut += cut_values(shown)
        self._put_counts(figure.family, "reason", shown)

    def _sum(self, figure: Sum, position: int) -> None:
        numbers = self.reader.numbers(position, figure.parse).numbers
        values = [value for value in numbers if value is not None]
        if values and not self._is_unreadable(position):
            before, after = self._around(figure.family, {})
            self._put(figure.family, [before + after], [total(values)])

    def _is_unreadable(self, position: int) -> bool:
        """Return whether a cell of a column was rejected: what counts all rows is not known."""
        return self.schema.rejected[self.columns.headers[position]] > 0

    def _spread(self, figure: Spread) -> None:
        """Map columns named at run time; in alphabetical order, so that the cap is stable."""
        if not self.by_row:
            return
        totals: dict[str, Values] = {}
        for rank, header in enumerate(self.columns.spread_headers(figure.names)):
            name = header if rank < figure.cap else "other"
            column = self.reader.numbers(self.columns.exact_position(header), figure.parse)
            totals[name] = _add(totals[name], column) if name in totals else column
        self.mapped.cut += cut_values(totals)
        labels: list[bytes] = []
        values: list[Number] = []
        for name, column in totals.items():
            label_sets = self._label_sets(figure.family, {figure.label: name})
            present = self._present(label_sets, column)
            labels += present[0]
            values += present[1]
        self._put(figure.family, labels, values)

    def _raw(self, headers: Sequence[str]) -> None:
        series = [*islice(self._raw_series(headers), RAW_CAP)]
        self.mapped.cut += cut_values({column for column, _, _ in series})
        labels = []
        for column, name, _ in series:
            about = {"table": self.table.name, "object": " / ".join(name), "column": column}
            labels.append(self.base + b"," + render_labels(about) + b"} ")
        self._put(RAW_VALUE, labels, [value for _, _, value in series])

    def _raw_series(self, headers: Sequence[str]) -> Iterator[tuple[str, tuple[str, ...], Number]]:
        """Yield column, name of the row and value of each cell that is a number."""
        for header in headers:
            position = self.columns.exact_position(header)
            for name, row in zip(self.rows.values, self.cells, strict=True):
                with suppress(ValueError):
                    yield header, name, number(row[position])

    # Series --------------------------------------------------------------------------------

    def _note_series_of(self, values: Sequence[object]) -> None:
        """Note the rows that have a value, and so a series."""
        self.without_series = [row for row in self.without_series if values[row] is None]

    def _add_objects(self, label: str, names: Iterable[str]) -> None:
        known = self.mapped.objects.get(label, frozenset())
        self.mapped.objects[label] = known.union(names)

    def _put(
        self,
        family: Family,
        labels: Sequence[bytes],
        values: Sequence[Number],
        unique: bool = False,  # noqa: FBT002 - always last
    ) -> None:
        """Add series to a family, after those it has already."""
        series = self._series(labels, values, unique)
        known = self.mapped.series.get(family)
        if known is not None:
            series = known._replace(
                labels=[*known.labels, *labels],
                values=[*known.values, *values],
                unique=False,
                origin=known.origin if known.origin == self.origin else None,
            )
        self.mapped.series[family] = series

    def _series(self, labels: Sequence[bytes], values: Sequence[Number], unique: bool) -> Series:
        table = self.table
        return Series(labels, values, table.period, unique, table.name, self.origin)

    def _put_counts(self, family: Family, label: str, counts: Mapping[str, int]) -> None:
        around = (self._around(family, {label: word}) for word in counts)
        self._put(family, [before + after for before, after in around], [*counts.values()])

    def _present(
        self, labels: Sequence[bytes], values: Values
    ) -> tuple[Sequence[bytes], Sequence[Number]]:
        """Return the series of the rows that have a value."""
        numbers = cast("Sequence[Number]", values.numbers)
        self._note_series_of(numbers)
        if values.complete:
            return labels, numbers
        present = [value is not None for value in numbers]
        return list(compress(labels, present)), list(compress(numbers, present))

    def _label_sets(self, family: Family, constants: Mapping[str, str]) -> Sequence[bytes]:
        """Return the complete label set of each row."""
        key = (family.labels, *constants.items())
        labels = self.label_sets.get(key)
        if labels is None:
            start, end = self._around(family, constants)
            labels = [start + pairs + end for pairs in self.rows.pairs]
            self.label_sets[key] = labels
        return labels

    def _around(self, family: Family, constants: Mapping[str, str]) -> tuple[bytes, bytes]:
        """Return the parts of a label set before and after the row's own labels."""
        keys = {key.label for key in self.table.key}
        values = dict(constants)
        if self.table.period is not None:
            values.setdefault("window", self.table.period.window)
        halves: tuple[dict[str, str], dict[str, str]] = ({}, {})
        half = 0
        for label in family.labels:
            if label in keys:
                half = 1
            else:
                halves[half][label] = values[label]
        before, after = (render_labels(part) for part in halves)
        start = self.base + b"," + before if before else self.base
        if half:
            start += b","
            after = b"," + after if after else after
        return start, after + b"} "


def _is_of_all_rows(figure: Figure) -> bool:
    if isinstance(figure, State):
        return figure.show == "count"
    return isinstance(figure, Reasons | Sum)


def _add(left: Values, right: Values) -> Values:
    """Add two columns cell by cell; a cell is null only if both are."""
    numbers = [
        b if a is None else a if b is None else total((a, b))
        for a, b in zip(left.numbers, right.numbers, strict=True)
    ]
    return Values(numbers, None not in numbers)
