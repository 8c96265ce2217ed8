"""From rows to series: applies an account's tables to one reading.

Bad cells are dropped singly and counted; unknown headers and words are reported, never hidden;
an absent or empty cell makes no series.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import NamedTuple, cast

from exporter.errors import InvalidAnswer
from exporter.metrics.columns import Columns, Schema, text_of
from exporter.metrics.families import RAW_VALUE, Family
from exporter.metrics.labels import AccountLabels, label_pairs, label_rows
from exporter.metrics.layout import ColumnMap
from exporter.metrics.parsers import Number, number
from exporter.metrics.period import Period
from exporter.metrics.reading import Reading, Rows
from exporter.metrics.recall import Recall, Row, Values
from exporter.metrics.tables import (
    Column,
    CurrentState,
    Figure,
    Reasons,
    Spread,
    StateSet,
    Sum,
    Table,
    Tally,
)

RAW_CAP = 10_000  # series of raw_value for one table
_OBJECTS = {"queue", "campaign"}  # labels whose values may have objectives


class Series(NamedTuple):
    """All series of one family: rendered labels (``{…} ``) and values, side by side.

    Both are shared by what is made of them and by later folds, and never changed. ``distinct``
    tells that no two can have the same labels.
    """

    labels: Sequence[bytes]
    values: Sequence[Number]
    period: Period | None
    distinct: bool = False


@dataclass(slots=True)
class Mapped:
    """The series of one reading, how the tables fitted, and what helps to fold the next one.

    ``objects`` are the names of all queues and campaigns in the series, by label.
    """

    series: dict[Family, Series] = field(default_factory=dict)
    schemas: dict[str, Schema] = field(default_factory=dict)
    recalls: dict[str, Recall] = field(default_factory=dict)
    duplicates: int = 0
    objects: dict[str, frozenset[str]] = field(default_factory=dict)


def map_reading(
    reading: Reading,
    tables: Mapping[str, Table],
    account: AccountLabels,
    *,
    raw: bool,
    before: Mapped | None = None,
) -> Mapped:
    """Map a reading to series.

    ``before`` is an earlier fold by the same tables, account and ``raw``. Where nothing has changed
    it is returned as it is, else its work is taken over where rows have not changed. Raises
    ``InvalidAnswer`` where a grid lacks the column that names its rows, or a row has a cell too
    many or too few.
    """
    known = before.recalls if before else {}
    folds = [
        _TableMapping(tables[name], rows, account, known.get(name))
        for name, rows in reading.tables.items()
    ]
    if before and list(known) == list(reading.tables) and all(each.unchanged for each in folds):
        return before
    mapped = Mapped()
    for each in folds:
        each.run(mapped, raw=raw)
    for family, series in mapped.series.items():
        if not series.distinct:
            mapped.series[family] = unique = _unique(series)
            mapped.duplicates += len(series.labels) - len(unique.labels)
    return mapped


def _unique(series: Series) -> Series:
    """Keep the first of each label set."""
    first: dict[bytes, Number] = {}
    if len(set(series.labels)) < len(series.labels):
        for label, value in zip(series.labels, series.values, strict=True):
            first.setdefault(label, value)
        return Series([*first.keys()], [*first.values()], series.period)
    return series


class _TableMapping:
    """One table meeting one grid."""

    def __init__(
        self, table: Table, rows: Rows, account: AccountLabels, before: Recall | None
    ) -> None:
        self.table = table
        self.by_row = table.subject != "agent" or account.agents != "aggregate"
        known = before is not None and before.layout.fits(rows)
        self.layout = (
            before.layout if before and known else ColumnMap(table, rows.headers, rows.names)
        )
        if not set(map(len, rows.cells)) <= {len(rows.headers)}:
            raise InvalidAnswer(f"{table.name}: not every row has {len(rows.headers)} cells")
        named_by = self.layout.naming if rows.cells else ()
        texts = [
            ["" if (cell := row[at]) is None else str(cell) for row in rows.cells]
            for at in named_by
        ]
        self.naming = label_rows(
            table, account, len(rows.cells), texts, before.naming if before else None
        )
        wanted = self.naming.kept
        self.cells: Sequence[Row] = (
            rows.cells if wanted is None else [rows.cells[at] for at in wanted]
        )
        self.recall = Recall(self.layout, self.naming, self.cells, before)
        self.unchanged = self.recall.unchanged
        self.account = account

    def run(self, mapped: Mapped, *, raw: bool) -> None:
        """Add to ``folded`` what is found."""
        self.mapped = mapped
        self.base = b"{" + label_pairs(self.account.base)
        self.schema = mapped.schemas.setdefault(self.table.name, Schema())
        self.columns = Columns(self.cells, self.recall, self.schema)
        mapped.recalls[self.table.name] = self.recall
        # The rows of which no series has been made yet.
        self.without: Sequence[int] = range(len(self.naming.values))
        for figure, position in self.layout.places:
            if isinstance(figure, Column) and position is not None:
                self._column(figure, position)
            elif position is not None:
                self._fold_figure(figure, position)
            elif isinstance(figure, Spread):
                self._spread(figure)
            else:
                self._missing(figure)
        self.recall.let_go()
        strange = self.layout.strange
        self.schema.unmapped["column"] |= {header for header, ours in strange if not ours}
        if raw and self.by_row:
            self._raw([header for header, _ in strange])
        for at, key in enumerate(self.table.key):
            if key.label in _OBJECTS:
                without = set(self.without)
                shown = enumerate(self.naming.values)
                self._note_objects(
                    key.label, [name[at] for row, name in shown if row not in without]
                )

    # Figures -------------------------------------------------------------------------------

    def _fold_figure(self, figure: Figure, position: int) -> None:
        match figure:
            case CurrentState():
                self._current_state(figure, position)
            case StateSet():
                self._state_set(figure, position)
            case Tally():
                self._tally(figure, position)
            case Reasons():
                self._reasons(figure, position)
            case Sum():
                self._sum(figure, position)

    def _missing(self, figure: Column | CurrentState | StateSet | Tally | Reasons | Sum) -> None:
        if figure.certain and self.layout.headers:
            self.schema.missing.add(figure.header)
        if isinstance(figure, Tally) and not self.cells:
            self._tally(figure, 0)

    def _column(self, figure: Column, position: int) -> None:
        if not self.by_row:
            return
        family = figure.family
        values = self.columns.read(position, figure.parse)
        labels = self._labels(family, figure.labels)
        if values.whole and family not in self.mapped.series:  # nearly always
            self.without = ()
            numbers = cast("Sequence[Number]", values.numbers)
            series = Series(labels, numbers, self.table.period, self.naming.unique)
            self.mapped.series[family] = series
        else:
            self._put(family, *self._there(labels, values), self.naming.unique)
        for label, name in figure.labels.items():
            if label in _OBJECTS:
                some = any(value is not None for value in values.numbers)
                self._note_objects(label, [name] if some else [])

    def _current_state(self, figure: CurrentState, position: int) -> None:
        if not self.by_row:
            return
        around = {
            state: self._around(figure.family, {"state": state})
            for state in figure.states.canonical
        }
        states = self.columns.states(position, figure.states)
        labels = [
            around[state][0] + part + around[state][1]
            for part, state in zip(self.naming.pairs, states, strict=True)
            if state is not None
        ]
        self._put(figure.family, labels, [1] * len(labels))
        self._made_series_of(states)

    def _state_set(self, figure: StateSet, position: int) -> None:
        if not self.by_row:
            return
        present = self.columns.states(position, figure.states)
        whole = None not in present
        labels: list[bytes] = []
        values: list[Number] = []
        for state in figure.states.canonical:
            numbers = [None if now is None else int(now == state) for now in present]
            its = self._labels(figure.family, {"state": state})
            found = self._there(its, Values(numbers, whole))
            labels += found[0]
            values += found[1]
        self._put(figure.family, labels, values)

    def _tally(self, figure: Tally, position: int) -> None:
        found = self.columns.states(position, figure.states) if self.cells else []
        if None in found:
            self.schema.unmapped["state"].add("(empty)")
        counts = Counter(state or "other" for state in found)
        self._counted(figure.family, "state", {x: counts[x] for x in figure.states.canonical})

    def _reasons(self, figure: Reasons, position: int) -> None:
        state_at = self.layout.position(figure.state_header)
        if state_at is None:
            return
        states = self.columns.states(state_at, figure.states)
        counts = Counter(
            text_of(row[position]) or "unspecified"
            for row, state in zip(self.cells, states, strict=True)
            if state == figure.state
        )
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        shown = Counter(dict(ranked[: figure.cap]))
        for _, rest in ranked[figure.cap :]:
            shown["other"] += rest
        self._counted(figure.family, "reason", shown)

    def _sum(self, figure: Sum, position: int) -> None:
        numbers = self.columns.read(position, figure.parse).numbers
        values = [value for value in numbers if value is not None]
        if values:
            before, after = self._around(figure.family, {})
            self._put(figure.family, [before + after], [number(sum(values))])

    def _spread(self, figure: Spread) -> None:
        """Sum columns past the cap under ``other``; alphabetical, so that the choice is stable."""
        if not self.by_row:
            return
        totals: dict[str, Values] = {}
        for rank, header in enumerate(self.layout.spread(figure.names)):
            name = header if rank < figure.cap else "other"
            column = self.columns.read(self.layout.exactly(header), figure.parse)
            totals[name] = _sums(totals[name], column) if name in totals else column
        labels: list[bytes] = []
        values: list[Number] = []
        for name, column in totals.items():
            found = self._there(self._labels(figure.family, {figure.label: name}), column)
            labels += found[0]
            values += found[1]
        self._put(figure.family, labels, values)

    def _raw(self, headers: Sequence[str]) -> None:
        labels: list[bytes] = []
        values: list[Number] = []
        for header in headers:
            position = self.layout.exactly(header)
            for name, row in zip(self.naming.values, self.cells, strict=True):
                try:
                    value = number(row[position])
                except ValueError:
                    continue
                if len(values) < RAW_CAP:
                    about = {
                        "table": self.table.name,
                        "object": " / ".join(name),
                        "column": header,
                    }
                    labels.append(self.base + b"," + label_pairs(about) + b"} ")
                    values.append(value)
        self._put(RAW_VALUE, labels, values)

    # Small steps ---------------------------------------------------------------------------

    def _made_series_of(self, values: Sequence[object]) -> None:
        """Remember the rows that had a value."""
        self.without = [row for row in self.without if values[row] is None]

    def _note_objects(self, label: str, names: Iterable[str]) -> None:
        known = self.mapped.objects.get(label, frozenset())
        self.mapped.objects[label] = known.union(names)

    def _put(
        self,
        family: Family,
        labels: Sequence[bytes],
        values: Sequence[Number],
        distinct: bool = False,  # noqa: FBT002 - it stands last wherever it is known
    ) -> None:
        """Add series, after those that the family has already."""
        known = self.mapped.series.get(family)
        period = self.table.period
        if known is not None:
            labels, values = [*known.labels, *labels], [*known.values, *values]
            period, distinct = known.period, False
        self.mapped.series[family] = Series(labels, values, period, distinct)

    def _labels(self, family: Family, constants: Mapping[str, str]) -> Sequence[bytes]:
        """Return each row's whole label set."""
        key = (family.labels, *constants.items())
        labels = self.recall.labels.get(key)
        if labels is None:
            start, end = self._around(family, constants)
            labels = [start + part + end for part in self.naming.pairs]
            self.recall.labels[key] = labels
        return labels

    def _there(
        self, labels: Sequence[bytes], values: Values
    ) -> tuple[Sequence[bytes], Sequence[Number]]:
        """Return the series of the rows that have a value."""
        numbers = cast("Sequence[Number]", values.numbers)
        self._made_series_of(numbers)
        if values.whole:
            return labels, numbers
        there = [value is not None for value in numbers]
        return list(compress(labels, there)), list(compress(numbers, there))

    def _counted(self, family: Family, label: str, counts: Mapping[str, int]) -> None:
        around = (self._around(family, {label: word}) for word in counts)
        self._put(family, [before + after for before, after in around], [*counts.values()])

    def _around(self, family: Family, constants: Mapping[str, str]) -> tuple[bytes, bytes]:
        """Return what stands before and after a row's own labels, in the family's order."""
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
        before, after = (label_pairs(part) for part in halves)
        start = self.base + b"," + before if before else self.base
        if half:
            start += b","
            after = b"," + after if after else after
        return start, after + b"} "


def _sums(left: Values, right: Values) -> Values:
    """Add two columns cell by cell; a cell is null only where both are."""
    numbers = [
        b if a is None else a if b is None else a + b
        for a, b in zip(left.numbers, right.numbers, strict=True)
    ]
    return Values(numbers, None not in numbers)
