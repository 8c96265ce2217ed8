"""Operations of the service: sessions, permissions, limits on requests, full reads and updates."""

from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

from exporter.simulators.five9.domain import DAY, Domain
from exporter.simulators.five9.tables import SILENT_COLUMNS, Table, draw
from exporter.simulators.five9.wire import VIEW_SETTINGS, Call, FaultError, Writer, elements

Change = Callable[[list[str], list[list[str]]], tuple[list[str] | None, list[list[str]]]]

_IDLE_SECONDS = 180  # default of the guide
_DEFAULT_SETTINGS: dict[str, Any] = {
    "forceLogoutSession": False,
    "idleTimeOut": _IDLE_SECONDS,
    "rollingPeriod": "Minutes30",
    "shiftStart": 0,
    "statisticsRange": "CurrentDay",
    "timeZone": 0,
}
_CHARGED = {
    "getStatisticsUpdate": "QueryChangedStatistics",
    "setSessionParameters": "QueryStatistics",
    "getStatistics": "QueryStatistics",
    # Whether the following are charged, and as what, is published nowhere.
    "getColumnNames": "QueryStatistics",
    "getSessionParameters": "QueryStatistics",
    "getUserLimits": "QueryStatistics",
    "getMyPermissions": "QueryStatistics",
    "getDispositionsNames": "QueryStatistics",
}
_AGENT_TYPES = frozenset(["AgentState", "AgentStatistics", "ACDStatus"])
_MOMENT = 1e-6  # less is rounding, not time to wait
_LOOK_SECONDS = 1.0  # between two looks at the floor during a long poll
_VALID_TIMESTAMPS = 2  # per table
_TIMESTAMPS = 1000  # remembered
_WAIT_COLUMN = "Current Longest Queue Time"
_ROUNDING = 3  # ms, of two waits


class Delta(NamedTuple):
    """The difference of two tables; a change is an object, a column and the new value."""

    added: list[str]
    changes: list[tuple[str, str, str]]
    deleted: list[str]

    def __bool__(self) -> bool:
        return bool(self.added or self.changes or self.deleted)


def compare(before: Table, now: Table, *, silent: Collection[str] = (), elapsed: int = 0) -> Delta:
    """Return the difference of two tables.

    A silent column that only grows with time is not a change by itself. ``elapsed`` is the time
    between the tables in milliseconds: a wait that has grown by another amount is the wait of
    another contact.
    """
    if before.columns != now.columns:
        raise FaultError("ConfigurationChanged", "the columns of the table have changed")
    columns = now.columns
    comparable = itemgetter(*[i for i, name in enumerate(columns) if name not in silent])
    growing = [i for i, name in enumerate(columns) if name in silent]
    waits = [i for i in growing if columns[i] == _WAIT_COLUMN]
    added: list[str] = []
    changes: list[tuple[str, str, str]] = []
    for key, row in now.rows.items():
        old = before.rows.get(key)
        if old is None:
            added.append(key)
            changes += [(key, column, cell) for column, cell in zip(columns, row, strict=True)]
        elif comparable(old) != comparable(row) or any(
            (
                *(_has_restarted(old[i], row[i]) for i in growing),
                *(_is_another_wait(old[i], row[i], elapsed) for i in waits),
            )
        ):
            cells = zip(columns, old, row, strict=True)
            changes += [(key, column, cell) for column, was, cell in cells if was != cell]
    return Delta(added, changes, [key for key in before.rows if key not in now.rows])


def _has_restarted(was: str, cell: str) -> bool:
    """Return whether a running duration has started, ended or started again."""
    if was == cell or not (was.isdecimal() and cell.isdecimal()):
        return False
    return was == "0" or int(cell) < int(was)


def _is_another_wait(was: str, cell: str, elapsed: int) -> bool:
    """Return whether a wait has grown by another time than the elapsed one."""
    if not (was.isdecimal() and cell.isdecimal()) or "0" in (was, cell):
        return False
    return abs(int(cell) - int(was) - elapsed) > _ROUNDING


@dataclass
class Session:
    """A supervisor's session: its settings, and the tables that updates can refer to."""

    settings: dict[str, Any]
    used: float
    closed: bool = False
    tables: dict[str, OrderedDict[int, Table]] = field(default_factory=dict)

    def expired(self, now: float) -> bool:
        """Return whether the session has been idle for longer than its settings allow."""
        return now - self.used > int(self.settings.get("idleTimeOut", _IDLE_SECONDS))

    def remember(self, statistic_type: str, timestamp: int, table: Table) -> None:
        """Keep a table under its timestamp; the newest two are valid."""
        tables = self.tables.setdefault(statistic_type, OrderedDict())
        tables[timestamp] = table
        while len(tables) > _VALID_TIMESTAMPS:
            tables.popitem(last=False)

    def table(self, statistic_type: str, timestamp: int) -> Table:
        """Return the table that was sent with a timestamp."""
        if statistic_type not in self.tables:
            raise FaultError("StatisticsNotRequested", f"{statistic_type} was not requested")
        table = self.tables[statistic_type].get(timestamp)
        if table is None:
            raise FaultError("UnknownTimestamp", f"{timestamp} is not known")
        return table

    def forget_timestamps(self) -> None:
        """Make every timestamp sent so far unknown."""
        for tables in self.tables.values():
            tables.clear()


class Counters:
    """One user's requests in the current windows of the data centre's clock."""

    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        self._counts: dict[tuple[str, int], tuple[int, int]] = {}

    def used(self, operation_type: str, window: int) -> int:
        """Return the number of requests of a type in the current window."""
        number, count = self._counts.get((operation_type, window), (None, 0))
        return count if number == self._window(window) else 0

    def charge(self, operation_type: str) -> None:
        """Count a request. Raises a fault where a window is used up."""
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
        """Return limit and use of each operation type by window in seconds."""
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


class Service:
    """Executes operations for the users of one domain."""

    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        self._clock = domain.clock
        self._sessions: dict[str, Session] = {}
        self._elsewhere: set[str] = set()
        self._counters: dict[str, Counters] = {}
        self._sent_at: dict[int, int] = {}  # by timestamp: the floor's time in milliseconds

    @property
    def writer(self) -> Writer:
        """A writer in the format of the domain's switches."""
        domain = self._domain
        return Writer(domain.envelope_prefix, domain.nil_style, domain.empty_containers)

    async def operate(self, user: str, call: Call, change: Change | None = None) -> list[str]:
        """Execute an operation and return the contents of its return elements."""
        if not self._domain.permissions.get("CanUseSupervisorSoapApi", True):
            raise FaultError("AccessDisallowed", "the user may not use this service")
        self._charge(user, call.operation)
        match call.operation:
            case "setSessionParameters":
                return self._set_session(user, call.arguments["viewSettings"])
            case "closeSession":
                self.end_session(user)
                return []
            case "getCallCountersState":
                return self._counters_state(user)
            case "getApiVersions":
                return [elements({"maxVersion": self._domain.version, "minVersion": "v2"})]
            case "getUserLimits":
                return [self._user_limits()]
        session = self._session(user)
        try:
            return await self._read(session, call, change)
        finally:
            session.used = self._clock.monotonic()

    # Limits.

    def counters(self, user: str) -> Counters:
        """Return a user's request counters."""
        if user not in self._counters:
            self._counters[user] = Counters(self._domain)
        return self._counters[user]

    def _charge(self, user: str, operation: str) -> None:
        """Count an operation, whether or not it succeeds."""
        operation_type = _CHARGED.get(operation)
        if operation_type is not None:
            self.counters(user).charge(operation_type)

    def _counters_state(self, user: str) -> list[str]:
        new: list[dict[str, str | int]] = [
            {"limit": 1, "operationType": self._domain.random.randbytes(8).hex(), "value": 1}
            for _ in range(self._domain.new_operation_types)
        ]
        return [
            "".join(
                f"<callCounterStates>{elements(state)}</callCounterStates>"
                for state in (*new, *states)
            )
            + elements({"timeout": window})
            for window, states in self.counters(user).state().items()
        ]

    # Sessions.

    def end_session(self, user: str) -> None:
        """End a user's session, if there is one."""
        if session := self._sessions.get(user):
            session.closed = True

    def forget_timestamps(self, user: str) -> None:
        """Make every timestamp handed out to a user unknown."""
        if session := self._sessions.get(user):
            session.forget_timestamps()

    def log_in_elsewhere(self, user: str) -> None:
        """Sign the user in elsewhere, which ends the session."""
        self.end_session(user)
        self._elsewhere.add(user)

    def log_out_elsewhere(self, user: str) -> None:
        """Sign the user out elsewhere."""
        self._elsewhere.discard(user)

    def _live(self, user: str) -> Session | None:
        session = self._sessions.get(user)
        if session is None or session.closed or session.expired(self._clock.monotonic()):
            return None
        return session

    def _session(self, user: str) -> Session:
        if user not in self._sessions:
            raise FaultError("SessionNotInitialized", "Session was not initialized")
        session = self._live(user)
        if session is None:
            raise FaultError("SessionClosed", "Session was closed")
        return session

    def _supervisors(self) -> int:
        """Return the supervisors logged in: those of the floor, who may include our users."""
        here = len(self._elsewhere) + sum(self._live(user) is not None for user in self._sessions)
        return max(here, self._domain.floor.account.supervisors_logged_in)

    def _set_session(self, user: str, settings: dict[str, Any]) -> list[str]:
        """Start a session, or change the settings of the live one."""
        settings = {**_DEFAULT_SETTINGS, **settings}
        session = self._live(user)
        if session is None:
            session = self._start_session(user, settings)
        session.settings = settings
        session.used = self._clock.monotonic()
        return []

    def _start_session(self, user: str, settings: dict[str, Any]) -> Session:
        if user in self._elsewhere:
            if not settings["forceLogoutSession"]:
                raise FaultError("UserAlreadyLoggedIn", f"{user} is already logged in")
            self._elsewhere.discard(user)
        if self._supervisors() >= self._domain.floor.account.supervisors_limit:
            raise FaultError("UserLimitReached", "maximum number of supervisors is logged in")
        self._sessions[user] = Session(settings, self._clock.monotonic())
        return self._sessions[user]

    def _settings(self, session: Session) -> str:
        known = {name: session.settings.get(name) for name in VIEW_SETTINGS}
        return elements({name: value for name, value in known.items() if value is not None})

    def _user_limits(self) -> str:
        return elements(
            {
                "mobileLimit": 0,
                "mobileLoggedin": 0,
                "supervisorLimit": self._domain.floor.account.supervisors_limit,
                "supervisorsLoggedin": self._supervisors(),
            }
        )

    # Reading.

    def table(self, statistic_type: str, user: str) -> Table:
        """Return the table that a full read by a user would return now."""
        session = self._sessions.get(user)
        return self._table(statistic_type, session.settings if session else _DEFAULT_SETTINGS)

    async def _read(self, session: Session, call: Call, change: Change | None) -> list[str]:
        match call.operation:
            case "getSessionParameters":
                returns = [self._settings(session)]
            case "getMyPermissions":
                permissions = self._domain.permissions.items()
                returns = [elements({"type": name, "value": value}) for name, value in permissions]
            case "getDispositionsNames":
                returns = [escape(name) for name in self._domain.floor.dispositions]
            case "getColumnNames":
                table = self._table(call.arguments["statisticType"], session.settings)
                returns = [self.writer.values(table.columns)]
            case "getStatistics":
                returns = self._get_statistics(session, call.arguments, change)
            case _:
                returns = await self._get_update(session, call.arguments)
        return returns

    def _table(self, statistic_type: str, settings: dict[str, Any]) -> Table:
        permission = "Agents" if statistic_type in _AGENT_TYPES else "Campaigns"
        table = draw(self._domain, statistic_type, settings)
        if self._domain.permissions.get(permission, False):
            return table
        if self._domain.missing_permission == "disallowed":
            raise FaultError("AccessDisallowed", f"permission {permission} is missing")
        if self._domain.missing_permission == "fault":
            raise FaultError("Server", f"permission {permission} is missing")
        return Table(table.columns, {})

    def _get_statistics(
        self, session: Session, arguments: dict[str, Any], change: Change | None
    ) -> list[str]:
        statistic_type: str = arguments["statisticType"]
        table = self._table(statistic_type, session.settings)
        names: list[str] = arguments.get("columnNames") or table.columns
        for name in names:
            if name not in table.columns:
                raise FaultError("UnknownColumn", f"{name} is not a column of {statistic_type}")
        timestamp = self._next_timestamp()
        session.remember(statistic_type, timestamp, table)
        positions = [table.columns.index(name) for name in names]
        rows = [[row[i] for i in positions] for row in table.rows.values()]
        columns, rows = change(list(names), rows) if change else (list(names), rows)
        values = self.writer.values
        return [
            ("" if columns is None else f"<columns>{values(columns)}</columns>")
            + "".join(f"<rows>{values(row)}</rows>" for row in rows)
            + elements({"timestamp": timestamp, "type": statistic_type})
        ]

    async def _get_update(self, session: Session, arguments: dict[str, Any]) -> list[str]:
        statistic_type: str = arguments["statisticType"]
        previous: int = arguments["previousTimestamp"]
        before = session.table(statistic_type, previous)
        deadline = self._clock.monotonic() + arguments["longPollingTimeout"] / 1000
        while True:
            now = self._table(statistic_type, session.settings)
            if delta := self._delta(before, now, previous):
                break
            remaining = deadline - self._clock.monotonic()
            if remaining < _MOMENT:
                return []
            await self._clock.sleep(min(_LOOK_SECONDS, remaining))
            self._domain.move()
            if session.closed:
                raise FaultError("SessionClosed", "Session was closed")
        timestamp = self._next_timestamp()
        session.remember(statistic_type, timestamp, now)
        stamps = {"lastTimestamp": timestamp, "previousTimestamp": previous}
        return [self._changes(delta) + elements({**stamps, "type": statistic_type})]

    def _delta(self, before: Table, now: Table, since: int) -> Delta:
        silent = () if self._domain.stream_durations else SILENT_COLUMNS
        elapsed = round(self._domain.floor.now * 1000) - self._sent_at.get(since, since)
        return compare(before, now, silent=silent, elapsed=elapsed)

    def _changes(self, delta: Delta) -> str:
        writer = self.writer
        announced = self._domain.announce_added
        return (
            (writer.container("addedObjects", delta.added) if announced else "")
            + writer.updates(delta.changes)
            + writer.container("deletedObjects", delta.deleted)
        )

    def _next_timestamp(self) -> int:
        """Return the present timestamp, increased where two answers would share it."""
        timestamp = self._now()
        while timestamp in self._sent_at:
            timestamp += 1
        self._sent_at[timestamp] = round(self._domain.floor.now * 1000)
        if len(self._sent_at) > _TIMESTAMPS:
            del self._sent_at[next(iter(self._sent_at))]
        return timestamp

    def _now(self) -> int:
        """Return the time of Five9's clock in milliseconds."""
        return round((self._domain.floor.now + self._domain.timestamp_ahead) * 1000)
