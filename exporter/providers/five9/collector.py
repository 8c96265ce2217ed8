"""Collector of one Five9 user: whole tables once, updates after that, one request at a time."""

import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from exporter.clock import Clock
from exporter.collector.base import Collector, Feed
from exporter.collector.http import Http
from exporter.collector.offers import Offers
from exporter.collector.scales import ShareScales
from exporter.collector.survey import Collected, Survey
from exporter.config.columns import add_columns
from exporter.errors import (
    Hold,
    InvalidAnswer,
    ProviderError,
    Refused,
    ServerTrouble,
    SessionLost,
    Unauthorized,
)
from exporter.logs import get_log
from exporter.metrics.parsers import Cell
from exporter.metrics.period import Period
from exporter.metrics.reading import Reading, Rows
from exporter.metrics.tables import Spread, Table
from exporter.providers.five9 import preflight
from exporter.providers.five9.auth import Session
from exporter.providers.five9.budget import CHANGES, FULL, WINDOWS, Budget
from exporter.providers.five9.client import Client, Licences, ResyncRequired
from exporter.providers.five9.config import Five9Config
from exporter.providers.five9.rows import Replica
from exporter.providers.five9.tables import (
    BOUNDS,
    LICENSES,
    OUTBOUND_CAMPAIGN_MANAGER,
    PERMISSIONS,
    RUNNING,
    STATISTICS,
    VISIBILITY,
)
from exporter.status import Quota
from exporter.telemetry import AccountTelemetry

_ACCOUNT = "account"
_IMPORTANT = ("ACDStatus", "AgentState")  # long-polled; calls are kept back for them
_DUE_HOLD = 0.5  # seconds for which the server may hold a due update, while other feeds wait
_REREAD_AFTER = 7200.0  # repairs drift; 8 tables twice in 4 hours are few of 240 calls a day
# Seconds until a table is read whole again; each doubles as long as that does not help.
_RESYNC_PAUSE = 600.0  # because a row was refused or an update could not be applied
_INVALID_PAUSE = 20.0  # because the answer was invalid
_LONGEST_INVALID_PAUSE = 480.0  # within the idle time of a session
_NAMES_LIFE, _NAMES_PAUSE = 86_400.0, 3600.0  # the second after an answer that cannot be read
_COUNTERS_EVERY = 60.0
_COUNTERS_EVERY_BLOCKED = 15.0
_SHORTEST_HOLD = 1.0
_RECENT = 1.0  # seconds for which a report of the counters is not read again
_MOST_FAILED = 2  # whole reads in a row, after which an important feed uses no reserve


class Five9Collector(Collector):
    """Collector of one supervisor user. See ``Collector``."""

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
        self._session = Session(config, self._client, self._budget, clock)
        self.feeds = feeds(config)
        self._tables = {feed.name: feed.tables[0] for feed in self.feeds}
        self._scales = ShareScales(self._tables.values(), self._log, bounds=BOUNDS)
        self._demand = sum(1 / feed.times.interval for feed in self.feeds if feed.name != _ACCOUNT)
        self._replicas: dict[str, Replica] = {}
        self._sizes: dict[str, int] = {}  # rows of the last table that was accepted
        # Calls kept back: one to sign in, and one for a whole read of each important feed.
        self._reserve = 1 + sum(name in self._tables for name in _IMPORTANT)
        self._failed: Counter[str] = Counter()  # whole reads in a row that failed
        self._resyncs: Counter[str] = Counter()  # tables in a row that became inconsistent
        self._invalid: Counter[str] = Counter()  # whole reads in a row that were invalid
        self._not_before: dict[str, float] = {}  # monotonic time of the next whole read
        self._names: frozenset[str] = frozenset()
        self._names_at = float("-inf")
        self._warned_of_budget = False
        self._permissions: dict[str, bool] | None = None
        self._licences: Licences | None = None

    # Session -------------------------------------------------------------------------------

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Open a session with the view settings; close it on exit."""
        if self._clock.monotonic() > self._budget.reported_at + _RECENT:
            await self._try_to_read_counters()
        await self._session.open()
        alive = True
        try:
            yield
        except (SessionLost, Unauthorized):
            alive = False  # no session to close, and rejected credentials are not sent again
            raise
        finally:
            self._replicas.clear()
            if alive:
                await self._session.close()

    async def _update_offset(self) -> None:
        if await self._session.update_offset():
            self._replicas.clear()
            self._log.info("time zone offset changed")

    # Feeds ---------------------------------------------------------------------------------

    async def fetch(self, feed: str) -> Reading:
        """Read one feed: an update of a table that was read, else the whole table."""
        if feed == _ACCOUNT:
            return await self._read_account()
        await self._update_offset()
        replica = self._replicas.get(feed)
        if replica is None or (
            self._is_reread_due(feed, replica)
            and self._budget.wait(FULL, reserve=self._reserve) == 0
        ):
            return await self._read_whole(feed)
        hold = min(self._config.long_poll, _DUE_HOLD)
        return await self._read_update(feed, replica, hold)

    def delay(self, feed: str) -> float:
        """Return the seconds until the budget allows the feed's next calls."""
        if feed == _ACCOUNT:
            return self._budget.wait(FULL, 2, reserve=self._reserve)
        if feed not in self._replicas:
            pause = self._not_before.get(feed, 0.0) - self._clock.monotonic()
            calls = 2 if self._are_names_due(feed) else 1
            if feed not in _IMPORTANT:  # one that lost its table may have become due later
                calls += sum(map(self._is_missing, _IMPORTANT))
            return max(pause, self._budget.wait(FULL, calls, reserve=self._reserve_for(feed)))
        return self._budget.wait(CHANGES, 1, self._demand)

    def _reserve_for(self, feed: str) -> int:
        """Return how many calls a whole read has to leave.

        An important feed may use them, unless it has failed twice in a row.
        """
        return 0 if feed in _IMPORTANT and self._failed[feed] < _MOST_FAILED else self._reserve

    def _is_missing(self, feed: str) -> bool:
        missing = feed in self._tables and feed not in self._replicas
        return missing and self._reserve_for(feed) == 0

    def hold(self, feeds: Sequence[str]) -> Hold | None:
        """Return the request limit that delays the last of the feeds, read in their order."""
        if feeds[-1] in self._replicas:
            return None
        return self._budget.hold(FULL, self._reads(feeds))

    def _reads(self, feeds: Sequence[str]) -> list[tuple[int, int]]:
        """Return the calls of each whole read of the feeds, and how many it has to leave."""
        reads: list[tuple[int, int]] = []
        names_due = True
        for feed in feeds:
            if feed == _ACCOUNT:
                reads.append((2, self._reserve))
            elif feed not in self._replicas:
                calls = 2 if names_due and self._are_names_due(feed) else 1
                names_due = names_due and calls == 1
                reads.append((calls, self._reserve_for(feed)))
        return reads

    async def listen(self, seconds: float) -> Mapping[str, Reading] | None:
        """Use idle time: read the request counters where due, else long-poll for an update."""
        blocked = any(self.delay(feed.name) > 0 for feed in self.feeds)
        every = _COUNTERS_EVERY_BLOCKED if blocked else _COUNTERS_EVERY
        if self._clock.monotonic() >= self._budget.reported_at + every:
            await self._read_counters()
            return {}
        names = [
            name
            for name in _IMPORTANT
            if name in self._replicas and not self._is_reread_due(name, self._replicas[name])
        ]
        hold = min(self._config.long_poll, seconds)
        if not names or hold < _SHORTEST_HOLD or self._budget.long_poll_wait(self._demand) > 0:
            return None
        feed = min(names, key=lambda name: self._replicas[name].checked_at)
        await self._update_offset()
        if feed not in self._replicas:
            return {}
        reading = await self._read_update(feed, self._replicas[feed], hold, long_poll=True)
        return {feed: reading}

    async def _read_account(self) -> Reading:
        """Read licences, permissions and the request counters."""
        await self._read_counters()
        with self._budget.call(FULL, reserve=self._reserve):
            licences = self._licences = await self._client.user_limits()
        with self._budget.call(FULL, reserve=self._reserve):
            permissions = self._permissions = await self._client.permissions()
        rows: list[dict[str, Cell]] = []
        if licences is not None:
            rows = [
                {"kind": "supervisor", "state": "limit", "value": licences.supervisor_limit},
                {"kind": "supervisor", "state": "used", "value": licences.supervisors},
                {"kind": "mobile", "state": "limit", "value": licences.mobile_limit},
                {"kind": "mobile", "state": "used", "value": licences.mobiles},
            ]
        granted: list[dict[str, Cell]] = [
            {"permission": name, "value": int(permissions[name])}
            for name in VISIBILITY
            if name in permissions
        ]
        return Reading({LICENSES.name: Rows.of(rows), PERMISSIONS.name: Rows.of(granted)})

    async def _try_to_read_counters(self) -> None:
        with contextlib.suppress(Refused, ServerTrouble, InvalidAnswer):
            await self._read_counters()

    async def _read_counters(self) -> None:
        counters = await self._client.call_counters()
        self._budget.update(counters)
        self._telemetry.set_quotas(
            Quota(
                counter.operation,
                WINDOWS.get(counter.window, f"{counter.window:g}s"),
                counter.limit,
                counter.used,
            )
            for counter in sorted(counters, key=lambda counter: counter.window not in WINDOWS)
        )
        ratio = self._budget.demand_ratio(self._demand)
        if ratio > 1 and not self._warned_of_budget:
            self._warned_of_budget = True
            self._log.warning("intervals are shorter than the limits allow", times=ratio)

    # Preflight -----------------------------------------------------------------------------

    async def forecast(self, feeds: Sequence[str]) -> list[str]:
        """Return the calls of a check and when it will end, and the same of a start after it."""
        await self._try_to_read_counters()
        sign_in = (1, 0)
        check = [sign_in, *self._reads(feeds)]
        start = [sign_in, *self._reads([feed.name for feed in self.feeds])]
        first = self._budget.hold(FULL, [*check, *start[:2]])
        last = self._budget.hold(FULL, [*check, *start])
        end = self._budget.hold(FULL, check)
        number = sum(calls for calls, _ in check)
        return [
            f"{number} {FULL} calls to sign in and read, of {self._budget.left(FULL)}",
            f"the last of them {end or 'at once'}",
            f"an exporter started after that has queue figures {first or 'at once'}",
            f"and figures of every feed {last or 'at once'}",
        ]

    async def survey(self, collected: Collected) -> Survey:
        """Add permissions, licences and request limits; read those that no feed has read."""
        result = await super().survey(collected)
        if collected.refusal is None:
            if self._permissions is None:
                try:
                    await self._read_account()
                except ProviderError as error:
                    result.faults.append(
                        f"permissions and licences: not read ({error.reason}): {error}"
                    )
            result.limits = self._budget.limits()
        preflight.survey(self._config, collected, self._permissions, self._licences, result)
        result.hints += self._scales.hints("map the column with parse: percent or fraction")
        return result

    def known(self) -> Survey:
        """Return the permissions and licences that the feed ``account`` has read."""
        result = Survey()
        preflight.survey(self._config, Collected(), self._permissions, self._licences, result)
        return result

    def steady_requests(self, feed: str, requests: Mapping[str, float]) -> Mapping[str, float]:
        """Return the counted calls of a refresh: one update, and a share of a whole read."""
        if feed == _ACCOUNT:
            return {FULL: sum(requests.values()) - requests.get("getCallCountersState", 0)}
        interval = next(item.times.interval for item in self.feeds if item.name == feed)
        return {CHANGES: 1.0, FULL: interval / _REREAD_AFTER}

    async def discover(self, collected: Collected) -> Offers:
        """Add the keys that map the columns which are not mapped."""
        result = await super().discover(collected)
        preflight.discover(self._config, result)
        return result

    # Tables --------------------------------------------------------------------------------

    async def _read_whole(self, feed: str) -> Reading:
        """Read a whole table; read it once more where it is empty and was not before."""
        reserve = self._reserve_for(feed)
        if self._are_names_due(feed) and self._budget.wait(FULL, 2, reserve=reserve) == 0:
            await self._read_names()
        replica = await self._read_table(feed)
        if replica.size == 0 and self._sizes.get(feed, 0) > 0:
            self._sizes[feed] = 0  # the next table is accepted, empty or not
            if self._budget.wait(FULL, reserve=reserve) > 0:
                raise InvalidAnswer("table is empty; it is read again to confirm that")
            replica = await self._read_table(feed)
        before = self._replicas.get(feed)
        self._resyncs[feed] = self._resyncs[feed] + 1 if before and before.inconsistent else 0
        self._replicas[feed] = replica
        self._sizes[feed] = replica.size
        return self._reading(feed, replica)

    async def _read_table(self, feed: str) -> Replica:
        """Read a whole table; postpone the next attempt where the answer is invalid."""
        reserve = self._reserve_for(feed)
        try:
            with self._budget.call(FULL, reserve=reserve):
                self._failed[feed] += 1  # until the answer has been accepted
                statistics = await self._client.statistics(feed)
            if statistics.rows and not statistics.columns:
                with self._budget.call(FULL, reserve=reserve):
                    statistics.columns = await self._client.column_names(feed)
            now = self._clock.monotonic()
            replica = Replica(self._tables[feed], statistics, RUNNING.get(feed, ()), now)
        except InvalidAnswer:
            pause = min(_INVALID_PAUSE * 2 ** self._invalid[feed], _LONGEST_INVALID_PAUSE)
            self._invalid[feed] += 1
            self._not_before[feed] = self._clock.monotonic() + pause
            raise
        except ServerTrouble as error:
            if preflight.is_denied(feed, self._permissions):
                raise Refused(f"a permission is missing: {error}") from error
            raise
        self._invalid[feed] = self._failed[feed] = 0
        return replica

    async def _read_update(
        self, feed: str, replica: Replica, hold: float, *, long_poll: bool = False
    ) -> Reading:
        """Read an update and apply it; read the whole table where Five9 has no update for it."""
        try:
            with self._budget.call(CHANGES, long_poll=long_poll):
                update = await self._client.statistics_update(feed, replica.timestamp, hold)
        except ResyncRequired:
            del self._replicas[feed]
            return await self._read_whole_if_allowed(feed)
        replica.checked_at = self._clock.monotonic()
        if update is not None:
            replica.apply(update, replica.checked_at)
            if replica.size == 0 and self._sizes.get(feed, 0) > 0:
                del self._replicas[feed]
                self._sizes[feed] = 0
                return await self._read_whole_if_allowed(feed)
            self._sizes[feed] = replica.size
        return self._reading(feed, replica)

    async def _read_whole_if_allowed(self, feed: str) -> Reading:
        message = "table has to be read whole; the request budget delays it"
        self._budget.check(message, FULL, reserve=self._reserve_for(feed))
        return await self._read_whole(feed)

    def _reading(self, feed: str, replica: Replica) -> Reading:
        now = self._clock.monotonic()
        rows = replica.rows(now, {"dispositions": self._names})
        return self._scales.convert(Reading({feed: rows}, replica.source_at(now)), now)

    def _is_reread_due(self, feed: str, replica: Replica) -> bool:
        now = self._clock.monotonic()
        pause = _REREAD_AFTER
        if replica.inconsistent:
            pause = min(_RESYNC_PAUSE * 2 ** self._resyncs[feed], _REREAD_AFTER)
        return now >= max(replica.read_at + pause, self._not_before.get(feed, 0.0))

    def _are_names_due(self, feed: str) -> bool:
        spreads = any(isinstance(figure, Spread) for figure in self._tables[feed].figures)
        return spreads and self._clock.monotonic() >= self._names_at + _NAMES_LIFE

    async def _read_names(self) -> None:
        """Read the names of dispositions; where that is refused, their columns stay unmapped."""
        self._names_at = now = self._clock.monotonic()
        try:
            with self._budget.call(FULL):
                self._names = await self._client.disposition_names()
        except Refused:
            return
        except (ServerTrouble, InvalidAnswer):
            self._names_at = now + _NAMES_PAUSE - _NAMES_LIFE


def feeds(config: Five9Config) -> list[Feed]:
    """Return the feeds of an account in order of importance, their tables bound to its view."""
    day = config.view.period()
    rolling = Period(config.view.rolling_window(), config.view.time_zone)
    result = []
    for name, times in config.enabled_feeds().items():
        tables: tuple[Table, ...] = (LICENSES, PERMISSIONS)
        if name != _ACCOUNT:
            table = add_columns(STATISTICS[name], config.columns.get(name, {}))  # type: ignore[call-overload]
            period = rolling if name == OUTBOUND_CAMPAIGN_MANAGER.name else day
            tables = (table.over(period),)
        result.append(Feed(name, tables, times))
    return result
