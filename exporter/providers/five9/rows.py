"""Local copy of one statistic type's table: read whole once, then kept up to date by updates."""

from collections.abc import Iterable, Mapping, Sequence

from exporter.collector.repair import plain
from exporter.errors import InvalidAnswer
from exporter.metrics.columns import normal_positions
from exporter.metrics.parsers import END_OF_TIME, Cell, milliseconds
from exporter.metrics.reading import (
    MOST_CELLS,
    MOST_COLUMNS,
    REPLACEMENT,
    RefusedRow,
    Rows,
    check_refused,
)
from exporter.metrics.tables import Key, Spread, Table, normalise
from exporter.providers.five9.answers import NESTED, Statistics, StatisticsUpdate
from exporter.providers.five9.tables import STATE_START

_STEP = 6000.0  # ms, also of a clock; durations have been seen in steps of five seconds


class Replica:
    """Rows of a table by object name.

    ``inconsistent`` is set where an update could not be applied for certain; the table then has to
    be read whole again. ``running`` headers are durations (ms) that grow while nothing changes.
    Whether updates carry them is not documented, so they are extrapolated by Five9's clock until
    an update has carried nothing else. Times are monotonic seconds.

    A row has a cell for each column (an empty one is an empty element). A row with fewer or more
    is ``refused``, since its cells may belong to other columns, and so is one without a name.
    Raises ``InvalidAnswer`` if more than half of the rows are refused or the key column is missing.
    """

    def __init__(
        self,
        table: Table,
        statistics: Statistics,
        running: Sequence[str],
        received_at: float,
    ) -> None:
        self._repaired = statistics.replaced > 0
        columns = statistics.columns or []
        if len(columns) > MOST_COLUMNS:
            raise InvalidAnswer(f"{table.name}: {len(columns)} columns")
        self.headers: list[str] = (
            [plain(name) for name in columns] if self._repaired else [*columns]
        )
        self.timestamp = statistics.timestamp
        self.updated_at = self.checked_at = self.read_at = received_at
        self.inconsistent = False
        self._streams = False  # updates carry durations as they grow
        positions = [*enumerate(self.headers)][::-1]  # the first of two equal headers counts
        self._positions = normal_positions(self.headers)
        self._exact_positions = {header: position for position, header in positions}
        self._aliases = _aliases(table)
        self._running = [
            self._positions[normalise(name)]
            for name in running
            if normalise(name) in self._positions
        ]
        self._starts: dict[tuple[str, int], float] = {}
        state = self._positions.get(normalise("State Duration"))
        self._state = state if state in self._running else None
        self._key = _key_position(self._positions, table.key[0])
        self.refused: list[RefusedRow] = []
        self._repeated: list[str] = []  # names of rows whose object came before
        self._rows: dict[str, list[str | None]] = {}
        self._bare_names: dict[str, str] = {}  # of rows without replaced characters, if any are
        self._add_rows(table, statistics.rows)

    def _add_rows(self, table: Table, rows: Sequence[list[str | None]]) -> None:
        if rows and self._key is None:
            raise InvalidAnswer(f"{table.name}: no column {table.key[0].header!r}")
        width = len(self.headers)
        for position, row in enumerate(rows, 1):
            fits = len(row) == width
            name = row[self._key] if fits and self._key is not None else None
            if not name or not name.strip() or name == NESTED:
                fault = f"no {table.key[0].header}" if fits else f"{len(row)} cells, not {width}"
                self.refused.append(RefusedRow(position, len(row), fault))
            elif name in self._rows:
                self._repeated.append(name)
            else:
                self._rows[name] = _plain_cells(row) if self._repaired else row
                self._set_starts(name, row, self._running)
        check_refused(self.refused, len(rows))
        self.inconsistent = bool(self.refused)

    @property
    def size(self) -> int:
        """The number of rows."""
        return len(self._rows)

    def apply(self, update: StatisticsUpdate, received_at: float) -> None:
        """Apply an update: added objects, then cells, then deleted objects.

        The order is that of Five9's sample scripts. An object that is both added and deleted has
        no documented order, so the table becomes inconsistent. One that was in the table, or has
        cells in the update, was created again: it stays, without the cells of its predecessor.
        A row whose name changes leaves, and the table becomes inconsistent.

        A change that lacks its object or column empties every cell that it may be about. Raises
        ``InvalidAnswer``, and applies nothing, if that holds for more than half of the changes or
        if the table would become too large.
        """
        self._repaired |= update.replaced > 0
        self._check_size(update)
        self._refuse(update)
        self._index_bare_names()
        deleted = {self._known(name) for name in update.deleted}
        again = deleted.intersection(update.added)
        if again:
            self.inconsistent = True
            again &= self._rows.keys() | {name for name, _, _ in update.changes}
            deleted -= again
            self._remove(again)
            self._index_bare_names()
        for name in update.added:
            self._row(self._known(name))
        if update.timestamp:
            self._set_clock(update.timestamp, received_at)
        extrapolated: dict[str, list[bool]] = {}
        for name, column, value in update.changes:
            if update.replaced:
                column, value = plain(column), plain(value or "") or None  # noqa: PLW2901
            name = self._known(name)  # noqa: PLW2901
            if self._renames(name, column, value):
                self.inconsistent = True
                deleted.add(name)
            extrapolated.setdefault(name, []).append(self._set_cell(name, column, value))
        self._streams = self._streams or any(map(all, extrapolated.values()))
        self._repeated = [name for name in self._repeated if name not in deleted]
        self._remove(deleted)

    def _renames(self, name: str, column: str, value: str | None) -> bool:
        """Return whether a change is about the name itself: whose row it is then is not known."""
        if self._key is None or self._position(column) != self._key:
            return False
        return _without_replaced(value or "") != _without_replaced(name)

    def _known(self, name: str) -> str:
        """Return the name of an object's row; either name may have replaced characters."""
        if not self._repaired or name in self._rows:
            return name
        return self._bare_names.get(_without_replaced(name), name)

    def _index_bare_names(self) -> None:
        if self._repaired:
            self._bare_names = {_without_replaced(name): name for name in reversed(self._rows)}

    def _check_size(self, update: StatisticsUpdate) -> None:
        """Raise ``InvalidAnswer`` where the objects of an update would make too many rows."""
        names = {*update.added, *(name for name, _, _ in update.changes)} - self._rows.keys()
        if (len(self._rows) + len(names)) * len(self.headers) > MOST_CELLS:
            self.inconsistent = True
            raise InvalidAnswer(f"an update adds {len(names)} objects to {len(self._rows)}")

    def _refuse(self, update: StatisticsUpdate) -> None:
        incomplete = update.incomplete
        if not incomplete:
            return
        self.inconsistent = True
        if len(incomplete) > len(update.changes):
            raise InvalidAnswer(f"{len(incomplete)} changes lack their object or column")
        known = {*self.refused}
        every = {*range(len(self.headers))} - {self._key}
        emptied: dict[str | None, set[int]] = {}  # positions by object, ``None`` for any
        for index, (name, column) in enumerate(incomplete, 1):
            lacks = "column" if name else "object"
            refused = RefusedRow(index, 1, f"no {lacks}", kind="incomplete change")
            if refused not in known:
                self.refused.append(refused)
            positions = every if column is None else every & {self._position(column)}
            emptied[name] = emptied.get(name, set()) | positions
        anywhere = emptied.pop(None, set())
        for name in self._rows if anywhere else self._rows.keys() & emptied.keys():
            for position in anywhere | emptied.get(name, set()):
                self._rows[name][position] = None
                self._starts.pop((name, position), None)

    def _set_clock(self, timestamp: int, received_at: float) -> None:
        """Record Five9's time (epoch ms). Where its clock has stepped, running durations go on."""
        step = timestamp - self.server_time(received_at)
        if abs(step) > _STEP:
            self._starts = {place: start + step for place, start in self._starts.items()}
        self.timestamp, self.updated_at = timestamp, received_at

    def server_time(self, now: float) -> float:
        """Return Five9's time in epoch ms, extrapolated from its last response."""
        return self.timestamp + max(0.0, now - self.updated_at) * 1000

    def source_at(self, now: float) -> float | None:
        """Return Five9's time in epoch seconds; ``None`` where it is not a time."""
        at = self.server_time(now) / 1000
        return at if 0 < at < END_OF_TIME else None

    def rows(self, now: float, names: Mapping[str, frozenset[str]]) -> Rows:
        """Return the rows with durations as of ``now``."""
        server_now = self.server_time(now)
        state = self._state if self.source_at(now) is not None else None
        headers = self.headers if state is None else [*self.headers, STATE_START]
        cells: list[list[Cell]] = []
        for name, row in self._rows.items():
            shown: list[Cell] = list(row)
            for position in () if self._streams else self._running:
                start = self._starts.get((name, position))
                if start is not None:
                    shown[position] = max(0.0, server_now - start)
            if state is not None:
                shown.append(self._starts.get((name, state)))
            cells.append(shown)
        return Rows(
            headers, cells, names, refused=tuple(self.refused), repeated=len(self._repeated)
        )

    def _row(self, name: str) -> list[str | None]:
        """Return an object's row, a new one where older versions did not announce the object."""
        if name not in self._rows:
            row: list[str | None] = [None] * len(self.headers)
            if self._key is not None:
                row[self._key] = plain(name) if self._repaired else name
            self._rows[name] = row
            if self._repaired:
                self._bare_names.setdefault(_without_replaced(name), name)
        return self._rows[name]

    def _remove(self, names: Iterable[str]) -> None:
        for name in names:
            self._rows.pop(name, None)
            for position in self._running:
                self._starts.pop((name, position), None)

    def _set_cell(self, name: str, column: str, value: str | None) -> bool:
        """Set a cell; return whether it is a running duration of the value extrapolated here."""
        position = self._position(column)
        row = self._row(name)
        if position is None:
            self.inconsistent = True  # the changed cell is unknown
            return False
        row[position] = value
        if position not in self._running:
            return False
        before = self._starts.get((name, position))
        self._set_starts(name, row, [position])
        after = self._starts.get((name, position))
        return before is not None and after is not None and abs(after - before) < _STEP

    def _position(self, column: str) -> int | None:
        position = self._exact_positions.get(column)
        if position is None:
            header = normalise(column)
            alias = self._aliases.get(header, "")
            position = self._positions.get(header, self._positions.get(alias))
        return position

    def _set_starts(self, name: str, row: Sequence[str | None], positions: Sequence[int]) -> None:
        """Store when durations began. One of zero is not running, unless it is a state's."""
        for position in positions:
            self._starts.pop((name, position), None)
            try:
                elapsed = milliseconds(row[position] or "") * 1000
            except ValueError:
                continue
            if elapsed > 0 or position == self._state:
                self._starts[name, position] = self.timestamp - elapsed


def _without_replaced(name: str) -> str:
    return plain(name).replace(REPLACEMENT, "")


def _plain_cells(cells: Iterable[str | None]) -> list[str | None]:
    return [cell and plain(cell) for cell in cells]


def _aliases(table: Table) -> dict[str, str]:
    """Return the header of each alias; updates may use internal names."""
    return {
        normalise(alias): normalise(figure.header)
        for figure in table.figures
        if not isinstance(figure, Spread)
        for alias in figure.aliases
    }


def _key_position(positions: Mapping[str, int], key: Key) -> int | None:
    names = map(normalise, (key.header, *key.aliases))
    return next((positions[name] for name in names if name in positions), None)
