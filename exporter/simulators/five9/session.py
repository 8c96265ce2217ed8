"""What the simulator remembers of a user: session, tables handed out, request counters."""

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from exporter.simulators.five9.domain import DAY, Domain
from exporter.simulators.five9.wire import FaultError

IDLE_SECONDS = 180  # what the guide gives as the default
_VALID_TIMESTAMPS = 2


class Table(NamedTuple):
    """A whole table: its columns, and its rows by the value of the key column."""

    columns: list[str]
    rows: dict[str, list[str]]


_WAIT = "Current Longest Queue Time"
_ROUNDING = 3  # ms


class Delta(NamedTuple):
    """What differs between two tables; a change is an object, a column and the new value."""

    added: list[str]
    changes: list[tuple[str, str, str]]
    deleted: list[str]

    def __bool__(self) -> bool:
        return bool(self.added or self.changes or self.deleted)


def compare(before: Table, now: Table, *, silent: Collection[str] = (), elapsed: int = 0) -> Delta:
    """Return what changed; a silent column that merely runs on does not count by itself.

    ``elapsed`` is the time between the tables in milliseconds: a wait that has grown by another
    amount is the wait of another contact.
    """
    if before.columns != now.columns:
        raise FaultError("ConfigurationChanged", "the columns of the table have changed")
    columns = now.columns
    spoken = itemgetter(*[i for i, name in enumerate(columns) if name not in silent])
    growing = [i for i, name in enumerate(columns) if name in silent]
    waits = [i for i in growing if columns[i] == _WAIT]
    added: list[str] = []
    changes: list[tuple[str, str, str]] = []
    for key, row in now.rows.items():
        old = before.rows.get(key)
        if old is None:
            added.append(key)
            changes += [(key, column, cell) for column, cell in zip(columns, row, strict=True)]
        elif spoken(old) != spoken(row) or any(
            (
                *(_turned(old[i], row[i]) for i in growing),
                *(_another(old[i], row[i], elapsed) for i in waits),
            )
        ):
            cells = zip(columns, old, row, strict=True)
            changes += [(key, column, cell) for column, was, cell in cells if was != cell]
    return Delta(added, changes, [key for key in before.rows if key not in now.rows])


def _turned(was: str, cell: str) -> bool:
    """Tell whether a running duration has begun, ended or begun anew."""
    if was == cell or not (was.isdecimal() and cell.isdecimal()):
        return False
    return was == "0" or int(cell) < int(was)


def _another(was: str, cell: str, elapsed: int) -> bool:
    """Tell whether a wait has not simply gone on."""
    if not (was.isdecimal() and cell.isdecimal()) or "0" in (was, cell):
        return False
    return abs(int(cell) - int(was) - elapsed) > _ROUNDING


@dataclass
class Session:
    """A supervisor's session: its settings, and the tables that updates can refer to."""

    settings: dict[str, Any]
    used: float
    closed: bool = False
    columns: dict[str, frozenset[str]] = field(default_factory=dict)
    tables: dict[str, OrderedDict[int, Table]] = field(default_factory=dict)

    def expired(self, now: float) -> bool:
        """Tell whether the session has been idle for longer than its settings allow."""
        return now - self.used > int(self.settings.get("idleTimeOut", IDLE_SECONDS))

    def remember(self, statistic_type: str, timestamp: int, table: Table) -> None:
        """Keep a table under its timestamp; only the newest two stay valid."""
        tables = self.tables.setdefault(statistic_type, OrderedDict())
        tables[timestamp] = table
        while len(tables) > _VALID_TIMESTAMPS:
            tables.popitem(last=False)

    def recall(self, statistic_type: str, timestamp: int) -> Table:
        """Return the table that was handed out with a timestamp."""
        if statistic_type not in self.tables:
            raise FaultError("StatisticsNotRequested", f"{statistic_type} was not requested")
        table = self.tables[statistic_type].get(timestamp)
        if table is None:
            raise FaultError("UnknownTimestamp", f"{timestamp} is not known")
        return table

    def forget_timestamps(self) -> None:
        """Make every timestamp handed out so far unknown."""
        for tables in self.tables.values():
            tables.clear()


class Counters:
    """One user's requests in the current minute, hour and day of the data centre."""

    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        self._counts: dict[tuple[str, int], tuple[int, int]] = {}

    def used(self, operation_type: str, window: int) -> int:
        """Return how many requests of a type the current window has seen."""
        number, count = self._counts.get((operation_type, window), (None, 0))
        return count if number == self._window(window) else 0

    def charge(self, operation_type: str) -> None:
        """Count one request, or refuse it where a window is used up."""
        limits = self._domain.limits.get(operation_type, {})
        for window, limit in limits.items():
            if self.used(operation_type, window) >= limit:
                raise FaultError(
                    "OperationsLimitExceeded",
                    f"the limit of {limit} operations in {window} s is used up",
                    limit=limit,
                    operationType=operation_type,
                )
        for window in limits:
            count = self.used(operation_type, window) + 1
            self._counts[operation_type, window] = (self._window(window), count)

    def state(self) -> dict[int, list[dict[str, str | int]]]:
        """Return limit and use of every operation type, by window."""
        windows = sorted({window for limits in self._domain.limits.values() for window in limits})
        return {
            window: [
                {"limit": limits[window], "operationType": name, "value": self.used(name, window)}
                for name, limits in self._domain.limits.items()
                if window in limits
            ]
            for window in windows
        }

    def _window(self, seconds: int) -> int:
        """Return the number of the current window, aligned to the data centre's clock."""
        local = datetime.fromtimestamp(self._domain.clock.time(), ZoneInfo(self._domain.zone))
        if seconds >= DAY:
            return local.toordinal()
        offset = local.utcoffset()
        shift = 0 if offset is None else offset.total_seconds() % 3600
        return int((self._domain.clock.time() + shift) // seconds)
