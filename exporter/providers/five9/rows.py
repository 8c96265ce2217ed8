"""One statistic type's table as it stands on the server: a full read, then its changes."""

from collections.abc import Mapping, Sequence

from exporter.metrics.parsers import Cell, milliseconds
from exporter.metrics.reading import Rows
from exporter.metrics.tables import Key, Spread, Table, normalise
from exporter.providers.five9.answers import Statistics, Update
from exporter.providers.five9.tables import STATE_START

_STEP = 6000.0  # ms; durations have been seen in steps of five seconds


class Grid:
    """Rows by the name of their object, kept up to date.

    ``distrusted`` is set where an update cannot be applied for certain; the table is then to be
    read anew. ``running`` headers are durations (ms) that grow while nothing changes: Five9 does
    not say whether updates carry them, so they are aged here, by its own clock, until an update
    is seen that carries nothing else.
    """

    def __init__(
        self,
        table: Table,
        statistics: Statistics,
        running: Sequence[str],
        read_at: float,
    ) -> None:
        self.headers: list[str] = list(statistics.columns or [])
        self.timestamp = statistics.timestamp
        self.received_at = self.read_at = self.full_at = read_at
        self.distrusted = False
        self._streams = False  # the server has been seen to send durations as they run
        self._at = {normalise(header): at for at, header in reversed([*enumerate(self.headers)])}
        self._exact = {header: at for at, header in reversed([*enumerate(self.headers)])}
        self._aliases = _aliases(table)
        self._running = [
            self._at[normalise(name)] for name in running if normalise(name) in self._at
        ]
        self._starts: dict[tuple[str, int], float] = {}
        state = self._at.get(normalise("State Duration"))
        self._state = state if state in self._running else None
        key = _position(self._at, table.key[0])
        width = len(self.headers)
        self._key = key
        self._rows: dict[str, list[str | None]] = {}
        for cells in statistics.rows:
            row = [*cells, *([None] * (width - len(cells)))][:width]
            name = row[key] if key is not None and width else None
            if name and name.strip():
                self._rows.setdefault(name, row)
                self._note_running(name, row, self._running)

    @property
    def size(self) -> int:
        """The number of objects."""
        return len(self._rows)

    def apply(self, update: Update, received_at: float) -> None:
        """Take over changes: added objects, then cells, then deleted ones.

        That order is the one of Five9's own sample scripts; where an object is both added and
        deleted no order is documented, so the table is to be read anew.
        """
        for name in update.added:
            self._row(name)
        self.timestamp = max(update.timestamp, self.timestamp)
        self.received_at = received_at
        alone: dict[str, list[bool]] = {}
        for name, column, value in update.changes:
            alone.setdefault(name, []).append(self._change(name, column, value))
        self._streams = self._streams or any(all(changes) for changes in alone.values())
        for name in update.deleted:
            self._rows.pop(name, None)
            for at in self._running:
                self._starts.pop((name, at), None)
        if not set(update.added).isdisjoint(update.deleted):
            self.distrusted = True

    def server_time(self, now: float) -> float:
        """Return the server's time in epoch milliseconds, as far as its last answer tells."""
        return self.timestamp + max(0.0, now - self.received_at) * 1000

    def rows(self, now: float, names: Mapping[str, frozenset[str]]) -> Rows:
        """Return the rows as they stand at ``now`` (monotonic seconds)."""
        server_now = self.server_time(now)
        state = self._state
        headers = self.headers if state is None else [*self.headers, STATE_START]
        cells: list[list[Cell]] = []
        for name, row in self._rows.items():
            shown: list[Cell] = list(row)
            for at in () if self._streams else self._running:
                start = self._starts.get((name, at))
                if start is not None:
                    shown[at] = max(0.0, server_now - start)
            if state is not None:
                shown.append(self._starts.get((name, state)))
            cells.append(shown)
        return Rows(headers, cells, names)

    def _row(self, name: str) -> list[str | None]:
        """Return an object's row; one that was not announced is made (older versions do not)."""
        if name not in self._rows:
            row: list[str | None] = [None] * len(self.headers)
            if self._key is not None:
                row[self._key] = name
            self._rows[name] = row
        return self._rows[name]

    def _change(self, name: str, column: str, value: str | None) -> bool:
        """Set a cell; tell whether it is a duration that just went on running."""
        header = normalise(column)
        at = self._exact.get(column)
        if at is None:
            at = self._at.get(header, self._at.get(self._aliases.get(header, "")))
        row = self._row(name)
        if at is None:
            self.distrusted = True  # which of our cells has changed is not known
            return False
        row[at] = value
        if at not in self._running:
            return False
        before = self._starts.get((name, at))
        self._note_running(name, row, [at])
        after = self._starts.get((name, at))
        return before is not None and after is not None and abs(after - before) < _STEP

    def _note_running(self, name: str, row: Sequence[str | None], columns: Sequence[int]) -> None:
        """Remember when a running duration began; one of zero does not run, but a state does."""
        for at in columns:
            self._starts.pop((name, at), None)
            try:
                elapsed = milliseconds(row[at] or "") * 1000
            except ValueError:
                continue
            if elapsed > 0 or at == self._state:
                self._starts[name, at] = self.timestamp - elapsed


def _aliases(table: Table) -> dict[str, str]:
    """Map every other name of a column to its header: updates may use internal names."""
    return {
        normalise(alias): normalise(figure.header)
        for figure in table.figures
        if not isinstance(figure, Spread)
        for alias in figure.aliases
    }


def _position(at: Mapping[str, int], key: Key) -> int | None:
    return next(
        (at[normalise(name)] for name in (key.header, *key.aliases) if normalise(name) in at), None
    )
