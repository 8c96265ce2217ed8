"""Reading Five9: one session, one request at a time, full tables once and changes after that."""

import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager

from exporter.clock import Clock
from exporter.collector.base import Collector, Feed
from exporter.collector.http import Http
from exporter.collector.offers import Offers
from exporter.collector.survey import Collected, Limit, Survey
from exporter.config.columns import add_columns
from exporter.errors import (
    InvalidAnswer,
    ProviderError,
    Refused,
    ServerTrouble,
    SessionLost,
    Throttled,
    Unauthorized,
)
from exporter.logs import get_log
from exporter.metrics.parsers import Cell
from exporter.metrics.period import Period
from exporter.metrics.reading import Reading, Rows
from exporter.metrics.tables import Spread, Table
from exporter.providers.five9.answers import Statistics
from exporter.providers.five9.budget import CHANGES, FULL, WINDOWS, Budget
from exporter.providers.five9.client import Client, Forgotten, Licences
from exporter.providers.five9.config import Five9Config
from exporter.providers.five9.preflight import look, suggest
from exporter.providers.five9.rows import Grid
from exporter.providers.five9.tables import (
    LICENSES,
    OUTBOUND_CAMPAIGN_MANAGER,
    PERMISSIONS,
    RUNNING,
    STATISTICS,
    VISIBILITY,
)
from exporter.telemetry import AccountTelemetry

_ACCOUNT = "account"
_LISTENED = ("ACDStatus", "AgentState")  # what a long poll waits for
_DUE_HOLD = 0.5  # seconds a due update may be held: no other feed is to wait for long
_REREAD_AFTER = 7200.0  # repairs drift; 8 tables twice in 4 hours are few of 240 a day
_MISTRUST_PAUSE = 600.0  # between two re-reads because an update could not be applied
_NAMES_LAST = 86_400.0
_COUNTERS_EVERY = 60.0
_COUNTERS_EVERY_BLOCKED = 15.0
_SHORTEST_HOLD = 1.0
_LONGEST_SIGN_IN_WAIT = 60.0  # the counters are asked again after that, they may have restarted


class Five9Collector(Collector):
    """One supervisor user. See ``Collector``."""

    def __init__(
        self, config: Five9Config, http: Http, telemetry: AccountTelemetry, clock: Clock
    ) -> None:
        self._config = config
        self._telemetry = telemetry
        self._clock = clock
        self._log = get_log(__name__).bind(provider=config.provider, account=config.name)
        self._client = Client(
            http, config.url, config.username, config.password.get_secret_value(), config.timeout
        )
        fixed = {
            FULL: config.budget.query_statistics,
            CHANGES: config.budget.query_changed_statistics,
        }
        self._budget = Budget(
            clock, {name: limits.by_seconds() for name, limits in fixed.items() if limits}
        )
        self.feeds = list(feeds(config))
        self._tables = {feed.name: feed.tables[0] for feed in self.feeds}
        self._demand = sum(1 / feed.times.interval for feed in self.feeds if feed.name != _ACCOUNT)
        self._grids: dict[str, Grid] = {}
        self._sizes: dict[str, int] = {}  # rows of the last table that was believed
        self._names: frozenset[str] = frozenset()
        self._names_at = float("-inf")
        self._offset: int | None = None
        self._warned_of_budget = False
        self._permissions: dict[str, bool] | None = None
        self._licences: Licences | None = None

    # Session -------------------------------------------------------------------------------

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Sign in with the view settings; leaving it closes the session."""
        await self._sign_in()
        alive = True
        try:
            yield
        except (SessionLost, Unauthorized):
            alive = False  # nothing to close, and rejected credentials are not sent again
            raise
        finally:
            self._grids.clear()
            if alive:
                with contextlib.suppress(ProviderError):
                    await self._client.close_session()

    async def _sign_in(self) -> None:
        with contextlib.suppress(Refused, ServerTrouble, InvalidAnswer):
            await self._read_counters()
        wait = self._budget.wait(FULL)
        if wait > 0:
            raise Throttled(
                "the platform's request limit leaves no sign-in now",
                retry_after=min(wait, _LONGEST_SIGN_IN_WAIT),
            )
        await self._set_view()

    async def _set_view(self) -> None:
        """Send the view settings; what was read under others is void."""
        view = self._config.view
        offset = view.offset(self._clock.time())
        async with self._spending(FULL):
            await self._client.set_session_parameters(
                {
                    "forceLogoutSession": self._config.force_logout,
                    "idleTimeOut": int(self._config.idle_timeout),
                    "rollingPeriod": view.rolling_period,
                    "shiftStart": view.shift_start_milliseconds(),
                    "statisticsRange": view.statistics_range,
                    "timeZone": offset,
                }
            )
        self._offset = offset
        self._grids.clear()

    async def _keep_view(self) -> None:
        """Send the view settings again when daylight saving has changed the offset."""
        changed = self._config.view.offset(self._clock.time()) != self._offset
        if changed and self._budget.wait(FULL) == 0:
            self._log.info("time zone offset changed")
            await self._set_view()

    # Feeds ---------------------------------------------------------------------------------

    async def fetch(self, feed: str) -> Reading:
        """Read one feed: changes where the table is known, else the whole table."""
        if feed == _ACCOUNT:
            return await self._account()
        await self._keep_view()
        grid = self._grids.get(feed)
        if grid is None or (self._wants_reread(grid) and self._budget.wait(FULL) == 0):
            return await self._full(feed)
        hold = min(self._config.long_poll, _DUE_HOLD)
        return await self._update(feed, grid, hold)

    def delay(self, feed: str) -> float:
        """Return the seconds until the budget allows what the feed needs next."""
        if feed == _ACCOUNT:
            return self._budget.wait(FULL, 2)
        if feed not in self._grids:
            return self._budget.wait(FULL, 2 if self._wants_names(feed) else 1)
        return self._budget.wait(CHANGES, 1, self._demand)

    async def listen(self, seconds: float) -> Mapping[str, Reading] | None:
        """Fill idle time: look at the request counters when due, else wait for a change."""
        blocked = any(self.delay(feed.name) > 0 for feed in self.feeds)
        every = _COUNTERS_EVERY_BLOCKED if blocked else _COUNTERS_EVERY
        if self._clock.monotonic() >= self._budget.read_at + every:
            await self._read_counters()
            return {}
        known = [name for name in _LISTENED if name in self._grids]
        hold = min(self._config.long_poll, seconds)
        if not known or hold < _SHORTEST_HOLD or self._budget.poll_wait(self._demand) > 0:
            return None
        feed = min(known, key=lambda name: self._grids[name].read_at)
        await self._keep_view()
        if feed not in self._grids:
            return {}
        return {feed: await self._update(feed, self._grids[feed], hold, poll=True)}

    async def _account(self) -> Reading:
        """Read licences and permissions, and the request counters with them."""
        await self._read_counters()
        async with self._spending(FULL):
            licences = self._licences = await self._client.user_limits()
        async with self._spending(FULL):
            permissions = self._permissions = await self._client.permissions()
        rows: list[dict[str, Cell]] = []
        if licences is not None:
            rows = [
                {"kind": "supervisor", "state": "limit", "value": licences.supervisor_limit},
                {"kind": "supervisor", "state": "used", "value": licences.supervisors},
                {"kind": "mobile", "state": "limit", "value": licences.mobile_limit},
                {"kind": "mobile", "state": "used", "value": licences.mobiles},
            ]
        allowed: list[dict[str, Cell]] = [
            {"permission": name, "value": int(permissions[name])}
            for name in VISIBILITY
            if name in permissions
        ]
        return Reading({LICENSES.name: Rows.of(rows), PERMISSIONS.name: Rows.of(allowed)})

    async def _read_counters(self) -> None:
        counters = await self._client.call_counters()
        self._budget.learn(counters)
        for each in counters:
            window = WINDOWS.get(each.window, f"{each.window:g}s")
            self._telemetry.set_quota(each.operation, window, each.limit, each.used)
        overdrawn = self._budget.overdrawn(self._demand)
        if overdrawn > 1 and not self._warned_of_budget:
            self._warned_of_budget = True
            self._log.warning("intervals are shorter than the limits allow", times=overdrawn)

    # Looking around ------------------------------------------------------------------------

    async def survey(self, found: Collected) -> Survey:
        """Add permissions, licences and request counters; what no feed has read is asked for."""
        result = await super().survey(found)
        if found.refusal is None and self._permissions is None:
            try:
                await self._account()
            except ProviderError as error:
                result.faults.append(
                    f"permissions and licences: not read ({error.reason}): {error}"
                )
        look(self._config, found, self._permissions, self._licences, result)
        if found.refusal is None:
            result.limits = [Limit(*each) for each in self._budget.limits()]
        return result

    def steady_requests(self, feed: str, requests: Mapping[str, float]) -> Mapping[str, float]:
        """Return what is counted: after the first table come changes, and a re-read at times."""
        if feed == _ACCOUNT:
            return {FULL: sum(requests.values()) - requests.get("getCallCountersState", 0)}
        interval = next(each.times.interval for each in self.feeds if each.name == feed)
        return {CHANGES: 1.0, FULL: interval / _REREAD_AFTER}

    async def discover(self, found: Collected) -> Offers:
        """Add the keys that map what is not mapped yet."""
        seen = await super().discover(found)
        suggest(self._config, seen)
        return seen

    # Tables --------------------------------------------------------------------------------

    async def _full(self, feed: str) -> Reading:
        """Read a whole table; an empty one right after a full one is read once more."""
        if self._wants_names(feed) and self._budget.wait(FULL, 2) == 0:
            await self._read_names()
        grid = await self._read_grid(feed)
        if grid.size == 0 and self._sizes.get(feed, 0) > 0:
            self._sizes[feed] = 0  # the next reading is believed, whatever it says
            if self._budget.wait(FULL) > 0:
                raise InvalidAnswer("the table came back empty; it is read again to be sure")
            grid = await self._read_grid(feed)
        self._grids[feed] = grid
        self._sizes[feed] = grid.size
        return self._reading(feed, grid)

    async def _read_grid(self, feed: str) -> Grid:
        async with self._spending(FULL):
            found: Statistics = await self._client.statistics(feed)
        if found.rows and not found.columns:
            async with self._spending(FULL):
                found.columns = await self._client.column_names(feed)
        now = self._clock.monotonic()
        return Grid(self._tables[feed], found, RUNNING.get(feed, ()), now)

    async def _update(self, feed: str, grid: Grid, hold: float, *, poll: bool = False) -> Reading:
        """Read what changed; where the server forgot the table, read it whole."""
        try:
            async with self._spending(CHANGES, poll=poll):
                update = await self._client.statistics_update(feed, grid.timestamp, hold)
        except Forgotten:
            del self._grids[feed]
            return await self._full_if_allowed(feed)
        grid.read_at = self._clock.monotonic()
        if update is not None:
            grid.apply(update, grid.read_at)
            if grid.size == 0 and self._sizes.get(feed, 0) > 0:
                del self._grids[feed]
                self._sizes[feed] = 0
                return await self._full_if_allowed(feed)
            self._sizes[feed] = grid.size
        return self._reading(feed, grid)

    async def _full_if_allowed(self, feed: str) -> Reading:
        wait = self._budget.wait(FULL)
        if wait > 0:
            raise Throttled("the table must be read anew; the limit says later", retry_after=wait)
        return await self._full(feed)

    def _reading(self, feed: str, grid: Grid) -> Reading:
        now = self._clock.monotonic()
        names = {"dispositions": self._names}
        rows = grid.rows(now, names)
        return Reading({feed: rows}, grid.server_time(now) / 1000 if grid.timestamp else None)

    def _wants_reread(self, grid: Grid) -> bool:
        age = self._clock.monotonic() - grid.full_at
        return age >= (_MISTRUST_PAUSE if grid.distrusted else _REREAD_AFTER)

    def _wants_names(self, feed: str) -> bool:
        spreads = any(isinstance(figure, Spread) for figure in self._tables[feed].figures)
        return spreads and self._clock.monotonic() >= self._names_at + _NAMES_LAST

    async def _read_names(self) -> None:
        """Read the dispositions' names; where that is refused, their columns stay unmapped."""
        self._names_at = self._clock.monotonic()
        with contextlib.suppress(Refused, ServerTrouble, InvalidAnswer):
            async with self._spending(FULL):
                self._names = await self._client.disposition_names()

    @asynccontextmanager
    async def _spending(self, operation: str, *, poll: bool = False) -> AsyncIterator[None]:
        """Make a call that the platform counts."""
        if self._budget.wait(operation) > 0:
            raise Throttled(
                f"no {operation} call is left now", retry_after=self._budget.wait(operation)
            )
        self._budget.spend(operation, poll=poll)
        try:
            yield
        except Throttled:
            self._budget.exhausted(operation)
            raise


def feeds(config: Five9Config) -> Iterable[Feed]:
    """Return the feeds of an account, in order of importance, their tables bound to its view."""
    day = config.view.period()
    rolling = Period(config.view.rolling_window(), config.view.time_zone)
    for name, times in config.wanted_feeds().items():
        tables: tuple[Table, ...] = (LICENSES, PERMISSIONS)
        if name != _ACCOUNT:
            table = add_columns(STATISTICS[name], config.columns.get(name, {}))  # type: ignore[call-overload]
            period = rolling if name == OUTBOUND_CAMPAIGN_MANAGER.name else day
            tables = (table.over(period),)
        yield Feed(name, tables, times)
