"""Scales of shares: finds whether a platform writes a share in per cent or as a fraction.

Where a platform does not document the scale of a share, a wrong one is off by 100. So a share is
left out until the numbers of its rows prove its scale, once for each column of each table:

- A value above 1 proves per cent, unless the other numbers of its row show that it is a fraction
  above 1, as they can be of different instants.
- A value that is too small for a percentage proves a fraction: the counts of its row give a lower
  bound of the share (``Bound``). Rounding and cutting off change a value by a factor of 2 at most.
  Such a row has to show it for some seconds, and while its value is older than a restart of its
  counts it shows nothing.

Zero and values with a percent sign need no proof. Contradicting proofs withdraw the share.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import chain
from types import MappingProxyType
from typing import Literal, NamedTuple
from weakref import ref

from exporter.logs import Log
from exporter.metrics.columns import ColumnMap
from exporter.metrics.parsers import OF_ONE, Cell, Number, Parser, number, share
from exporter.metrics.reading import Reading, Rows
from exporter.metrics.tables import Column, Spread, Table

Scale = Literal["percent", "fraction"]
Get = Callable[[str], Number | None]  # the number of the row in a column, by header
Bound = Callable[[Get], float]
"""Least share that the other numbers of a row allow if its share is not zero.

It is 0 where they say nothing. One above 1, from numbers of different instants, proves no fraction.
"""

UNPROVEN = "(scale not proven)"  # a cell that no parser reads
MISFIT = float("inf")  # bound of a row that proves nothing
_OTHER: Mapping[Scale, Scale] = {"percent": "fraction", "fraction": "percent"}
_ROUNDING = 2  # largest factor by which a written value differs from the true one
_NEARER_PERCENT = 10  # times the bound: above it a value is nearer to a percentage
_ABOVE_ONE = 1.01  # up to here a value may be a fraction of 1
_ROW_HOLD = 10.0  # seconds for which a row has to show a fraction
_HOLDS = (0.0, 3600.0)  # seconds without the contrary, by number of contradictions before


def least_share(part: Number | None, whole: Number | None) -> float:
    """Return the bound of ``part`` in at most ``whole`` contacts; an unknown part is at least one.

    A part of zero does not fit a share that is not zero, so it says nothing.
    """
    if whole is None or part == 0:
        return 0.0
    return (1 if part is None else part) / whole if whole > 0 else MISFIT


class _Observation(NamedTuple):
    """What one row showed in the last reading."""

    value: Number
    numbers: tuple[Number | None, ...]  # that the bound has read
    since: float | None  # since when it shows a fraction, monotonic seconds
    outdated: bool  # its counts have restarted, and its value has not changed since


@dataclass(slots=True)
class _Share:
    """One share of one table, and what is known of its scale."""

    table: str
    column: Column
    bound: Bound
    configured: Scale | None
    scale: Scale | None = None
    shown: Scale | None = None  # by the last reading alone
    divided: bool = False  # rows of the last reading contradict each other
    withheld: bool = False  # the last reading had values that were left out
    disproved: bool = False  # the configured scale
    contradictions: int = 0
    candidate: Scale | None = None
    candidate_since: float = 0.0
    rows: dict[tuple[Cell, ...], _Observation] = field(default_factory=dict)

    def observe(
        self, values: Sequence[Number | None], rows: Sequence["_Row"], now: float, log: Log
    ) -> None:
        """Take in the values of a reading; ``None`` has no bearing on the scale."""
        before, self.rows = self.rows, {}
        self.shown, self.divided = None, False
        if self.scale == "fraction" and all(not value or value <= _ABOVE_ONE for value in values):
            return
        percentages = 0
        for value, row in zip(values, rows, strict=True):
            if value:
                if value > _ABOVE_ONE and self.scale == "percent":
                    percentages += 1
                    continue
                bound = row.bound(self.bound)
                if value > _ABOVE_ONE:
                    percentages += value >= _NEARER_PERCENT * bound
                else:
                    self.rows[row.key] = _observe(row, value, bound, before.get(row.key), now)
        since = [row.since for row in self.rows.values() if row.since is not None]
        if percentages and percentages >= len(since):
            self.rows = {key: row._replace(since=None) for key, row in self.rows.items()}
            self.shown = "percent"
            self._conclude("percent", now, log)
        elif percentages:
            self.divided = True
        elif since:
            self.shown = "fraction"
            if min(since) <= now - _ROW_HOLD:
                self._conclude("fraction", now, log)

    def _conclude(self, proven: Scale, now: float, log: Log) -> None:
        log = log.bind(table=self.table, statistic=self.column.header)
        if proven != self.candidate:
            self.candidate, self.candidate_since = proven, now
        if self.scale == _OTHER[proven]:
            self.scale = None
            self.contradictions += 1
            message = "scale of a share contradicted; the share is left out"
            if self.configured is not None:
                self.disproved = True
                message = "configured scale of a share disproved; the share is left out"
            log.warning(message, scale=_OTHER[proven], numbers_show=proven)
        elif self.scale is None and self.configured in (None, proven):
            hold = dict(enumerate(_HOLDS)).get(self.contradictions)
            if hold is not None and now >= self.candidate_since + hold:
                self.scale = proven
                proof = "value above 1" if proven == "percent" else "counts of its row"
                log.info("scale of a share proven", scale=proven, proof=proof)

    def convert(self, cells: Sequence[Cell], values: Sequence[Number | None]) -> Sequence[Cell]:
        """Return the cells with their scale, ``UNPROVEN`` where it is not proven.

        While rows contradict the scale or each other, the whole column is left out.
        """
        scale = None if self.divided or self.shown not in (None, self.scale) else self.scale
        self.withheld = scale is None and any(values)
        if scale is None:
            return [UNPROVEN if value else cell for cell, value in zip(cells, values, strict=True)]
        if self.configured is not None:
            return cells  # the parser knows
        ending = "%" if scale == "percent" else OF_ONE
        return [
            f"{str(cell).strip()}{ending}" if value else cell
            for cell, value in zip(cells, values, strict=True)
        ]


class _Row:
    """The numbers of one row by header, and those that a bound has read."""

    def __init__(self, key: tuple[Cell, ...], cells: Sequence[Cell], position: "_Position") -> None:
        self.key = key
        self.read: list[Number | None] = []
        self._cells = cells
        self._position = position

    def bound(self, bound: Bound) -> float:
        """Return the bound of a share in this row."""
        self.read = []
        return bound(self._get)

    def _get(self, header: str) -> Number | None:
        position = self._position(header)
        self.read.append(_plain(self._cells[position]) if position is not None else None)
        return self.read[-1]


_Position = Callable[[str], int | None]


def _observe(
    row: _Row, value: Number, bound: float, last: _Observation | None, now: float
) -> _Observation:
    """Return what a row with a value of at most 1 shows."""
    numbers = tuple(row.read)
    outdated = (
        last is not None
        and last.value == value
        and (last.outdated or _have_fallen(last.numbers, numbers))
    )
    fits = bound / _ROUNDING <= value <= 1 and bound <= 1
    since = None
    if fits and value < 100 * bound / _ROUNDING and not outdated:
        since = now if last is None or last.since is None else last.since
    return _Observation(value, numbers, since, outdated)


class ShareScales:
    """Scales of all shares of one account; kept as long as the account.

    The shares are the columns of ``tables`` whose parser is in ``parsers``, which gives the scale
    that the user has configured, if any. ``bounds`` are by table and header.
    """

    def __init__(
        self,
        tables: Iterable[Table],
        log: Log,
        *,
        bounds: Mapping[tuple[str, str], Bound] | None = None,
        parsers: Mapping[Parser, Scale | None] = MappingProxyType({share: None}),
    ) -> None:
        self._log = log
        self._tables = {table.name: table for table in tables}
        self._shares: dict[str, list[_Share]] = {}
        self._maps: dict[str, ColumnMap] = {}
        self._source: ref[Reading] | None = None
        self._result: Reading | None = None  # of the source, as long as that exists
        for table in self._tables.values():
            for column in table.figures:
                if isinstance(column, Column) and column.parse in parsers:
                    bound = (bounds or {}).get((table.name, column.header), _says_nothing)
                    scale = parsers[column.parse]
                    entry = _Share(table.name, column, bound, scale, scale)
                    self._shares.setdefault(table.name, []).append(entry)

    def convert(self, reading: Reading, now: float) -> Reading:
        """Return a reading whose shares show their scale; ``now`` is monotonic seconds.

        The same reading becomes the same object again, unless values are left out.
        """
        if self._shares.keys().isdisjoint(reading.tables):
            return reading
        same = self._source is not None and self._source() is reading
        if same and self._result is not None and not any(entry.withheld for entry in self._all()):
            return self._result
        tables = {
            name: self._convert(name, rows, now) if name in self._shares else rows
            for name, rows in reading.tables.items()
        }
        self._result = result = replace(reading, tables=tables)
        self._source = ref(reading, self._forget)
        return result

    def _forget(self, _: object) -> None:
        self._result = None

    def _all(self) -> Iterable[_Share]:
        return chain.from_iterable(self._shares.values())

    def _convert(self, name: str, rows: Rows, now: float) -> Rows:
        table = self._tables[name]
        columns = self._maps.get(name)
        if columns is None or not columns.fits(rows):
            columns = self._maps[name] = ColumnMap(table, rows.headers, rows.names)
        aliases = {
            figure.header: figure.aliases
            for figure in table.figures
            if not isinstance(figure, Spread)
        }

        @cache
        def position(header: str) -> int | None:
            return columns.position(header, aliases.get(header, ()))

        keys = [position(key.header) for key in table.key]
        readers = [
            _Row(tuple(row[at] for at in keys if at is not None), row, position)
            for row in rows.cells
        ]
        cells = [list(row) for row in rows.cells]
        for entry in self._shares[name]:
            at = position(entry.column.header)
            if at is not None:
                column = [row[at] for row in cells]
                values = [_plain(cell) for cell in column]
                entry.observe(values, readers, now, self._log)
                for row, cell in zip(cells, entry.convert(column, values), strict=True):
                    row[at] = cell
        return replace(rows, cells=cells)

    def hints(self, remedy: str) -> Iterable[str]:
        """Yield what ``check --live`` says: disproved settings, and shares that are left out.

        ``remedy`` says how to set a scale.
        """
        for entry in self._all():
            about = f"{entry.table}: {entry.column.header} is left out"
            if entry.configured is not None and (
                entry.disproved or entry.shown == _OTHER[entry.configured]
            ):
                yield (
                    f"{about}: configured as {entry.configured}, but its rows show "
                    f"{_OTHER[entry.configured]}. Correct or remove the setting"
                )
            elif entry.withheld and entry.shown is None:
                yield (
                    f"{about} until the numbers of a row prove whether it is in per cent or a "
                    f"fraction. If you know it, {remedy}"
                )


def _says_nothing(get: Get) -> float:  # noqa: ARG001 - a Bound
    return 0.0


def _have_fallen(before: Sequence[Number | None], now: Sequence[Number | None]) -> bool:
    pairs = zip(before, now, strict=False)
    return any(old is not None and new is not None and new < old for old, new in pairs)


def _plain(cell: Cell) -> Number | None:
    """Return an unsigned number; ``None`` for any other cell."""
    if cell is None or cell == "":
        return None
    try:
        value = number(cell)
    except ValueError:
        return None
    return value if value >= 0 else None
