"""From rows to series: applies an account's tables to one reading.

Bad cells are dropped singly and counted; unknown headers and words are reported, never hidden;
an absent or empty cell makes no series.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from exporter.errors import InvalidAnswer
from exporter.families import RAW_VALUE, Family
from exporter.parsers import Cell, Number, Parser, number, whole_numbers
from exporter.period import Period
from exporter.recall import Recall
from exporter.rows import Reading, Rows
from exporter.scope import Scope, label_pairs
from exporter.tables import (
    Column,
    CurrentState,
    Figure,
    Reasons,
    Spread,
    States,
    StateSet,
    Sum,
    Table,
    Tally,
    normalise,
)

RAW_CAP = 10_000  # series of raw_value for one table
_OBJECTS = {"queue", "campaign"}  # labels whose values may have objectives


class Series(NamedTuple):
    """All series of one family: rendered labels (``{…} ``) and values, side by side."""

    labels: list[bytes]
    values: list[Number]
    period: Period | None


@dataclass(slots=True)
class Schema:
    """How well a table fits what the platform sent."""

    unmapped: dict[str, set[str]] = field(
        default_factory=lambda: {"column": set(), "state": set(), "media": set()}
    )
    missing: set[str] = field(default_factory=set)
    rejected: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Folded:
    """The series of one reading, how the tables fitted, and what helps to fold the next one.

    ``objects`` are the names of all queues and campaigns in the series, by label.
    """

    series: dict[Family, Series] = field(default_factory=dict)
    schemas: dict[str, Schema] = field(default_factory=dict)
    recalls: dict[str, Recall] = field(default_factory=dict)
    duplicates: int = 0
    objects: dict[str, frozenset[str]] = field(default_factory=dict)


def fold(
    reading: Reading,
    tables: Mapping[str, Table],
    scope: Scope,
    *,
    raw: bool,
    before: Folded | None = None,
) -> Folded:
    """Map a reading to series.

    ``before`` is an earlier fold by the same tables and scope, whose work is taken over where rows
    have not changed. Raises ``InvalidAnswer`` where a grid lacks the column that names its rows.
    """
    folded = Folded()
    recalls = before.recalls if before else {}
    for name, rows in reading.tables.items():
        _TableFold(tables[name], rows, scope, folded, recalls.get(name)).run(raw=raw)
    for family, series in folded.series.items():
        folded.duplicates += _drop_duplicates(series)
        assert len(series.labels) == len(series.values), family.name
    return folded


def _drop_duplicates(series: Series) -> int:
    """Keep the first of each label set; return how many went."""
    extra = len(series.labels) - len(set(series.labels))
    if extra:
        first: dict[bytes, Number] = {}
        for label, value in zip(series.labels, series.values, strict=True):
            first.setdefault(label, value)
        series.labels[:] = first.keys()
        series.values[:] = first.values()
    return extra


class _TableFold:
    """One table meeting one grid."""

    def __init__(
        self, table: Table, rows: Rows, scope: Scope, folded: Folded, before: Recall | None
    ) -> None:
        self.table = table
        self.rows = rows
        self.scope = scope
        self.folded = folded
        self.schema = folded.schemas.setdefault(table.name, Schema())
        self.base = b"{" + label_pairs(scope.base)
        self.at: dict[str, int] = {}
        self.exact = {header: at for at, header in reversed([*enumerate(rows.headers)])}
        for position, header in enumerate(rows.headers):
            self.at.setdefault(normalise(header), position)
        self.cells = self._wanted(rows.cells)
        self.by_row = table.subject != "agent" or scope.agents != "aggregate"
        self.shown = self._shown() if self.by_row else []
        keys = [key.label for key in table.key]
        self.recall = Recall(rows.headers, self.cells, self.shown, keys, before)
        folded.recalls[table.name] = self.recall
        self.parts = self.recall.parts
        self.without = list(range(len(self.shown)))  # rows of which no series has been made yet

    def run(self, *, raw: bool) -> None:
        for figure in self.table.figures:
            self._fold_figure(figure)
        unknown = self._unknown_headers()
        self.schema.unmapped["column"] |= {header for header, ours in unknown if not ours}
        if raw and self.by_row:
            self._raw([header for header, _ in unknown])
        for at, key in enumerate(self.table.key):
            without = set(self.without)
            names = (name[at] for row, name in enumerate(self.shown) if row not in without)
            self._note_objects(key.label, names)

    # What the rows are about ---------------------------------------------------------------

    def _position(self, header: str, aliases: Iterable[str] = ()) -> int | None:
        found = (self.at.get(normalise(name)) for name in (header, *aliases))
        return next((position for position in found if position is not None), None)

    def _key_positions(self) -> list[int]:
        positions = []
        for key in self.table.key:
            position = self._position(key.header, key.aliases)
            if position is None:
                raise InvalidAnswer(f"{self.table.name}: no column {key.header!r}")
            positions.append(position)
        return positions

    def _wanted(self, cells: Sequence[Sequence[Cell]]) -> list[Sequence[Cell]]:
        """Keep the rows that name themselves and that the account wants."""
        keys = self._key_positions() if cells else []
        also = self._position(self.table.display) if self.table.display else None
        names = keys if also is None else [*keys, also]
        subject = self.table.subject
        return [
            row
            for row in cells
            if all(_text(row[key]) for key in keys)
            and self.scope.wants(subject, [str(row[name]) for name in names])
        ]

    def _shown(self) -> list[tuple[str, ...]]:
        """Return each row's own label values."""
        keys = self._key_positions() if self.cells else []
        names = [tuple(str(row[key]) for key in keys) for row in self.cells]
        if self.table.subject != "agent" or self.scope.agents == "id":
            return names
        ids = [name[0] for name in names]
        if self.scope.agents == "hashed":
            return [(self.scope.hashed(identity),) for identity in ids]
        return [(name,) for name in self._display_names(ids)]

    def _display_names(self, ids: list[str]) -> list[str]:
        """Return people's names; those of namesakes carry the id, those without one are ids."""
        at = self._position(self.table.display) if self.table.display else None
        if at is None:
            return ids
        names = [_text(row[at]) for row in self.cells]
        often = Counter(names)
        return [
            name if name and often[name] == 1 else f"{name} ({identity})" if name else identity
            for name, identity in zip(names, ids, strict=True)
        ]

    # Figures -------------------------------------------------------------------------------

    def _fold_figure(self, figure: Figure) -> None:
        if isinstance(figure, Spread):
            self._spread(figure)
            return
        position = self._position(figure.header, figure.aliases)
        if position is None:
            if figure.certain and self.rows.headers:
                self.schema.missing.add(figure.header)
            if isinstance(figure, Tally) and not self.cells:
                self._tally(figure, 0)
            return
        handlers: dict[type, Callable[..., None]] = {
            Column: self._column,
            CurrentState: self._current_state,
            StateSet: self._state_set,
            Tally: self._tally,
            Reasons: self._reasons,
            Sum: self._sum,
        }
        handlers[type(figure)](figure, position)

    def _column(self, figure: Column, position: int) -> None:
        if self.by_row:
            values = self._read(position, figure.parse)
            self._add(figure.family, figure.labels, values)
            some = any(value is not None for value in values)
            for label, name in figure.labels.items():
                self._note_objects(label, [name] if some else [])

    def _current_state(self, figure: CurrentState, position: int) -> None:
        if not self.by_row:
            return
        around = {
            state: self._around(figure.family, {"state": state})
            for state in figure.states.canonical
        }
        series = self._series(figure.family)
        states = self._states(position, figure.states)
        for part, state in zip(self.parts, states, strict=True):
            if state is not None:
                before, after = around[state]
                series.labels.append(before + part + after)
                series.values.append(1)
        self._made_series_of(states)

    def _state_set(self, figure: StateSet, position: int) -> None:
        if not self.by_row:
            return
        present = self._states(position, figure.states)
        for state in figure.states.canonical:
            values = [None if now is None else int(now == state) for now in present]
            self._add(figure.family, {"state": state}, values)

    def _tally(self, figure: Tally, position: int) -> None:
        found = self._states(position, figure.states) if self.cells else []
        if None in found:
            self.schema.unmapped["state"].add("(empty)")
        counts = Counter(state or "other" for state in found)
        for state in figure.states.canonical:
            self._single(figure.family, {"state": state}, counts[state])

    def _reasons(self, figure: Reasons, position: int) -> None:
        state_at = self._position(figure.state_header)
        if state_at is None:
            return
        states = self._states(state_at, figure.states)
        counts = Counter(
            _text(row[position]) or "unspecified"
            for row, state in zip(self.cells, states, strict=True)
            if state == figure.state
        )
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        shown = Counter(dict(ranked[: figure.cap]))
        for _, rest in ranked[figure.cap :]:
            shown["other"] += rest
        for reason, rows in shown.items():
            self._single(figure.family, {"reason": reason}, rows)

    def _sum(self, figure: Sum, position: int) -> None:
        values = [value for value in self._read(position, figure.parse) if value is not None]
        if values:
            self._single(figure.family, {}, number(sum(values)))

    def _spread(self, figure: Spread) -> None:
        """Sum columns past the cap under ``other``; alphabetical, so that the choice is stable."""
        if not self.by_row:
            return
        wanted = self.rows.names.get(figure.names, frozenset())
        claimed = self._claimed()
        found = sorted(
            header for header in set(self.rows.headers) & wanted if normalise(header) not in claimed
        )
        totals: dict[str, Sequence[Number | None]] = {}
        for rank, header in enumerate(found):
            name = header if rank < figure.cap else "other"
            column = self._read(self.exact[header], figure.parse)
            totals[name] = _sums(totals[name], column) if name in totals else column
        for name, column in totals.items():
            self._add(figure.family, {figure.label: name}, column)

    def _raw(self, headers: Sequence[str]) -> None:
        series = self._series(RAW_VALUE)
        left = RAW_CAP
        for header in headers:
            position = self.exact[header]
            for name, row in zip(self.shown, self.cells, strict=True):
                try:
                    value = number(row[position])
                except ValueError:
                    continue
                if left == 0:
                    return
                left -= 1
                labels = {
                    "table": self.table.name,
                    "object": " / ".join(name),
                    "column": header,
                }
                series.labels.append(self.base + b"," + label_pairs(labels) + b"} ")
                series.values.append(value)

    # Small steps ---------------------------------------------------------------------------

    def _made_series_of(self, values: Sequence[object]) -> None:
        """Remember the rows that had a value; after the first full column that costs nothing."""
        self.without = [row for row in self.without if values[row] is None]

    def _note_objects(self, label: str, names: Iterable[str]) -> None:
        if label in _OBJECTS:
            known = self.folded.objects.get(label, frozenset())
            self.folded.objects[label] = known.union(names)

    def _series(self, family: Family) -> Series:
        return self.folded.series.setdefault(family, Series([], [], self.table.period))

    def _add(
        self, family: Family, constants: Mapping[str, str], values: Sequence[Number | None]
    ) -> None:
        """Add a series for each row that has a value."""
        self._made_series_of(values)
        series = self._series(family)
        key = (family.labels, *constants.items())
        labels = self.recall.labels(key, lambda: self._around(family, constants))
        if None not in values:
            series.labels.extend(labels)
            series.values.extend(cast("Sequence[Number]", values))
            return
        for label, value in zip(labels, values, strict=True):
            if value is not None:
                series.labels.append(label)
                series.values.append(value)

    def _single(self, family: Family, constants: Mapping[str, str], value: Number) -> None:
        before, after = self._around(family, constants)
        series = self._series(family)
        series.labels.append(before + after)
        series.values.append(value)

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

    def _read(self, position: int, parse: Parser) -> Sequence[Number | None]:
        """Read a column; only the rows that have changed, where most have not."""
        header = self.rows.headers[position]
        rejected = self.schema.rejected[header]
        known, changed = self.recall.known(position, parse)
        if known is None:
            values = self._read_all(position, parse)
        elif changed:
            values = patched = [*known]
            for at in changed:
                patched[at] = self._read_cell(self.cells[at][position], position, parse)
        else:
            values = known
        if self.schema.rejected[header] == rejected:
            self.recall.keep(position, parse, values)  # else the bad cells are to count again
        return values

    def _read_all(self, position: int, parse: Parser) -> Sequence[Number | None]:
        column = [row[position] for row in self.cells]
        values = whole_numbers(column, parse)
        if values is not None:
            return values
        return [self._read_cell(cell, position, parse) for cell in column]

    def _read_cell(self, cell: Cell, position: int, parse: Parser) -> Number | None:
        if cell is None or cell == "":
            return None
        try:
            return parse(cell)
        except ValueError:
            self.schema.rejected[self.rows.headers[position]] += 1
            return None

    def _states(self, position: int, states: States) -> list[str | None]:
        words = states.words
        known: dict[str, str] = {}
        found: list[str | None] = []
        for row in self.cells:
            word = _text(row[position])
            if not word:
                found.append(words.get(""))
                continue
            if word not in known:
                known[word] = words.get(normalise(word), "other")
                if normalise(word) not in words:
                    self.schema.unmapped["state"].add(word)
            found.append(known[word])
        return found

    def _claimed(self) -> set[str]:
        table = self.table
        names = [name for key in table.key for name in (key.header, *key.aliases)]
        for figure in table.figures:
            if not isinstance(figure, Spread):
                names += [figure.header, *figure.aliases]
        if table.display:
            names.append(table.display)
        return {normalise(name) for name in names}

    def _unknown_headers(self) -> list[tuple[str, bool]]:
        """List (header, known to us) of the columns that no figure maps; private ones never."""
        claimed = self._claimed() | {normalise(header) for header in self.table.private}
        ignored = {normalise(header) for header in self.table.ignored}
        spread: set[str] = set()
        for figure in self.table.figures:
            if isinstance(figure, Spread):
                spread |= self.rows.names.get(figure.names, frozenset())
        return [
            (header, normalise(header) in ignored)
            for header in self.rows.headers
            if normalise(header) not in claimed and header not in spread
        ]


def _text(cell: Cell) -> str:
    """Return a cell's text without the blanks around it; nothing for null."""
    return "" if cell is None else str(cell).strip()


def _sums(left: Sequence[Number | None], right: Sequence[Number | None]) -> Sequence[Number | None]:
    """Add two columns cell by cell; a cell is null only where both are."""
    return [b if a is None else a if b is None else a + b for a, b in zip(left, right, strict=True)]
