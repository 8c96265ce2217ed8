"""The service behind the wire: sessions, permissions, limits, and the operations that read."""

from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape

from exporter.simulators.five9.domain import Domain
from exporter.simulators.five9.session import IDLE_SECONDS, Counters, Delta, Session, Table, compare
from exporter.simulators.five9.tables import SILENT_COLUMNS, draw
from exporter.simulators.five9.wire import VIEW_SETTINGS, Call, FaultError, Writer, elements

Change = Callable[[list[str], list[list[str]]], tuple[list[str] | None, list[list[str]]]]

_DEFAULT_SETTINGS: dict[str, Any] = {
    "forceLogoutSession": False,
    "idleTimeOut": IDLE_SECONDS,
    "rollingPeriod": "Minutes30",
    "shiftStart": 0,
    "statisticsRange": "CurrentDay",
    "timeZone": 0,
}
_CHARGED = {
    "getStatisticsUpdate": "QueryChangedStatistics",
    "setSessionParameters": "QueryStatistics",
    "getStatistics": "QueryStatistics",
}
# Whether these count, and where, is published nowhere.
_PERHAPS_CHARGED = frozenset(
    [
        "getColumnNames",
        "getSessionParameters",
        "getUserLimits",
        "getMyPermissions",
        "getDispositionsNames",
    ]
)
# The names that the guide's own example of an update carries.
_INTERNAL_NAMES = {"Avg Wrap Time": "averageWrapTime", "Total Agent Calls": "totalAgentCalls"}
_AGENT_TYPES = frozenset(["AgentState", "AgentStatistics", "ACDStatus"])
_MOMENT = 1e-6  # less is rounding, not time to wait


class Service:
    """Carries out operations for the users of one domain."""

    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        self._clock = domain.clock
        self._sessions: dict[str, Session] = {}
        self._elsewhere: set[str] = set()
        self._counters: dict[str, Counters] = {}
        self._timestamp = 0

    @property
    def writer(self) -> Writer:
        """What writes answers in the domain's present dialect."""
        domain = self._domain
        return Writer(domain.envelope_prefix, domain.nil_style, domain.empty_containers)

    async def operate(self, user: str, call: Call, change: Change | None = None) -> list[str]:
        """Carry out an operation and return the contents of its return elements."""
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
            case "getUserLimits" if not self._domain.user_limits_need_session:
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
        """Count an operation, whether or not it then succeeds."""
        operation_type = _CHARGED.get(operation)
        if operation in _PERHAPS_CHARGED and self._domain.strict_counters:
            operation_type = "QueryStatistics"
        if operation_type is not None:
            self.counters(user).charge(operation_type)

    def _counters_state(self, user: str) -> list[str]:
        return [
            "".join(f"<callCounterStates>{elements(state)}</callCounterStates>" for state in states)
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
        """Let a person take the user over."""
        self.end_session(user)
        self._elsewhere.add(user)

    def log_out_elsewhere(self, user: str) -> None:
        """Let that person leave."""
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
        here = len(self._elsewhere) + sum(self._live(user) is not None for user in self._sessions)
        elsewhere = self._domain.supervisors_elsewhere
        if elsewhere is None:
            return max(here, self._domain.floor.account.supervisors_logged_in)
        return here + elsewhere

    def _supervisor_limit(self) -> int:
        limit = self._domain.supervisor_limit
        return self._domain.floor.account.supervisors_limit if limit is None else limit

    def _set_session(self, user: str, settings: dict[str, Any]) -> list[str]:
        """Start the user's session, or change the settings of the one that lives."""
        settings = {**_DEFAULT_SETTINGS, **settings}
        session = self._live(user)
        if session is None:
            session = self._start_session(user, settings)
        elif self._domain.settings_invalidate_timestamps:
            session.forget_timestamps()
        session.settings = settings
        session.used = self._clock.monotonic()
        return [self._settings(session)] if self._domain.echo_settings else []

    def _start_session(self, user: str, settings: dict[str, Any]) -> Session:
        if user in self._elsewhere:
            if not settings["forceLogoutSession"]:
                raise FaultError("UserAlreadyLoggedIn", f"{user} is already logged in")
            self._elsewhere.discard(user)
        if self._supervisors() >= self._supervisor_limit():
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
                "supervisorLimit": self._supervisor_limit(),
                "supervisorsLoggedin": self._supervisors(),
            }
        )

    # Reading.

    def table(self, statistic_type: str, user: str) -> Table:
        """Return the table that a full read of a user's would give now."""
        session = self._sessions.get(user)
        return self._table(statistic_type, session.settings if session else _DEFAULT_SETTINGS)

    async def _read(self, session: Session, call: Call, change: Change | None) -> list[str]:
        match call.operation:
            case "getSessionParameters":
                returns = [self._settings(session)]
            case "getUserLimits":
                returns = [self._user_limits()]
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
        if self._domain.missing_permission == "fault":
            raise FaultError("Server", f"permission {permission} is missing")
        return Table(table.columns, {})

    def _get_statistics(
        self, session: Session, arguments: dict[str, Any], change: Change | None
    ) -> list[str]:
        statistic_type: str = arguments["statisticType"]
        table = self._table(statistic_type, session.settings)
        wanted: list[str] = arguments.get("columnNames") or table.columns
        for name in wanted:
            if name not in table.columns:
                raise FaultError("UnknownColumn", f"{name} is not a column of {statistic_type}")
        timestamp = self._next_timestamp()
        session.remember(statistic_type, timestamp, table)
        session.columns[statistic_type] = frozenset(wanted)
        places = [table.columns.index(name) for name in wanted]
        rows = [[row[place] for place in places] for row in table.rows.values()]
        columns, rows = change(list(wanted), rows) if change else (list(wanted), rows)
        values = self.writer.values
        return [
            ("" if columns is None else f"<columns>{values(columns)}</columns>")
            + "".join(f"<rows>{values(row)}</rows>" for row in rows)
            + elements({"timestamp": timestamp, "type": statistic_type})
        ]

    async def _get_update(self, session: Session, arguments: dict[str, Any]) -> list[str]:
        statistic_type: str = arguments["statisticType"]
        previous: int = arguments["previousTimestamp"]
        before = session.recall(statistic_type, previous)
        deadline = self._clock.monotonic() + arguments["longPollingTimeout"] / 1000
        while True:
            now = self._table(statistic_type, session.settings)
            if delta := self._delta(session, statistic_type, before, now, previous):
                break
            remaining = deadline - self._clock.monotonic()
            if remaining < _MOMENT:
                return []
            await self._clock.sleep(min(self._domain.batch_seconds, remaining))
            self._domain.move()
            if session.closed:
                raise FaultError("SessionClosed", "Session was closed")
        timestamp = self._next_timestamp()
        session.remember(statistic_type, timestamp, now)
        stamps = {"lastTimestamp": timestamp, "previousTimestamp": previous}
        return [self._changes(delta) + elements({**stamps, "type": statistic_type})]

    def _delta(
        self, session: Session, statistic_type: str, before: Table, now: Table, since: int
    ) -> Delta:
        silent = () if self._domain.stream_durations else SILENT_COLUMNS
        elapsed = round(self._domain.floor.now * 1000) - since
        delta = compare(before, now, silent=silent, elapsed=elapsed)
        if not self._domain.filter_updates:
            return delta
        wanted = session.columns[statistic_type]
        return delta._replace(changes=[change for change in delta.changes if change[1] in wanted])

    def _changes(self, delta: Delta) -> str:
        changes = delta.changes
        if self._domain.internal_names:
            changes = [(o, _INTERNAL_NAMES.get(column, column), v) for o, column, v in changes]
        writer = self.writer
        added = delta.added if self._domain.announce_added else []
        return (
            (writer.container("addedObjects", added) if self._domain.announce_added else "")
            + writer.updates(changes)
            + writer.container("deletedObjects", delta.deleted)
        )

    def _next_timestamp(self) -> int:
        """Return the floor's time in milliseconds, moved on where two answers would share it."""
        self._timestamp = max(self._timestamp + 1, round(self._domain.floor.now * 1000))
        return self._timestamp
