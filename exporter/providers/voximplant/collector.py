"""Reading Voximplant: which methods make a feed, and what is asked of them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, time

from exporter.clock import Clock
from exporter.collector.base import Collector, Feed
from exporter.collector.http import Http
from exporter.collector.offers import Offers
from exporter.collector.survey import Collected, Survey
from exporter.config.columns import add_columns
from exporter.errors import InvalidAnswer
from exporter.logs import get_log
from exporter.metrics.parsers import Cell
from exporter.metrics.period import Period
from exporter.metrics.reading import Reading, Rows
from exporter.metrics.tables import Table
from exporter.providers.voximplant import rows as shapes
from exporter.providers.voximplant import tables as t
from exporter.providers.voximplant.answers import identity, items, scalars
from exporter.providers.voximplant.auth import KeyAuth, read_private_key
from exporter.providers.voximplant.call_lists import CallLists
from exporter.providers.voximplant.client import Client, Row
from exporter.providers.voximplant.config import VoximplantConfig
from exporter.providers.voximplant.errors import Forbidden
from exporter.providers.voximplant.inventory import (
    ALL_OF_A_SUDDEN,
    JUST_READ,
    SLOW,
    Inventory,
    Kept,
    portions,
)
from exporter.providers.voximplant.preflight import OWN, permissions, suggest
from exporter.providers.voximplant.rotation import Rotation
from exporter.telemetry import AccountTelemetry

Grid = Sequence[Mapping[str, Cell]]

_QUEUE_STATISTICS = "queue_statistics"
_ROUND_HOLD = 5.0  # seconds of a round that may hold up other feeds at a stretch
_IDLE_HOLD = 1.0
_LEVELS = ("service_level", "im_service_level")  # reports that want a threshold


class VoximplantCollector(Collector):
    """One account, read with one service-account key. See ``Collector``.

    There is no session: a token is signed when one is needed, and a key is proved by one cheap
    request. What there is in the account is remembered for as long as the account lives.
    """

    def __init__(
        self, config: VoximplantConfig, http: Http, telemetry: AccountTelemetry, clock: Clock
    ) -> None:
        self._config = config
        self._clock = clock
        log = get_log(__name__).bind(provider=telemetry.provider, account=telemetry.account)
        key = config.credentials
        private_key = read_private_key(key.private_key.get_secret_value())
        auth = KeyAuth(config.issuer, key.key_id, private_key, clock)
        self._client = Client(http, config.url, auth, config.timeout, clock, log)
        self._inventory = Inventory(self._client, config, clock)
        self._account = Kept(self._client.account_info, clock)
        self._labels = config.account_labels()
        self.feeds = list(feeds(config))
        times = {feed.name: feed.times for feed in self.feeds}
        rounds = times.get(_QUEUE_STATISTICS)
        self._rotation = (
            Rotation(self._client, clock, rounds.interval, rounds.stale_after) if rounds else None
        )
        lists = times.get("call_lists")
        stale_after = lists.stale_after if lists else SLOW
        self._lists = CallLists(self._client, clock, log, stale_after)
        self._full: set[str] = set()  # tables that had rows when they were last read
        self._readers: dict[str, Callable[[], Awaitable[Reading]]] = {
            "state": self._state,
            "operators": self._operators,
            "operator_status": self._operator_status,
            "operator_statistics": self._operator_statistics,
            _QUEUE_STATISTICS: self._queue_statistics,
            "smartqueue_state": self._smartqueue_state,
            "smartqueue_reports": self._smartqueue_reports,
            "queues": self._queues,
            "call_lists": self._call_lists,
            "account": self._account_status,
        }

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Prove the key with one request that every key may make, whatever its roles."""
        with suppress(Forbidden):
            await self._account.within(JUST_READ)
        yield

    async def fetch(self, feed: str) -> Reading:
        """Read one feed."""
        return await self._readers[feed]()

    def delay(self, feed: str) -> float:  # noqa: ARG002 - it is the account that is limited
        """Return the seconds until the platform wants to hear of this account again."""
        return self._client.quiet

    async def listen(self, seconds: float) -> Mapping[str, Reading] | None:
        """Fill idle time with the round of queue statistics that is due."""
        rotation = self._rotation
        known = self._inventory.queues.value
        if rotation is None or not known or rotation.idle() or self._client.quiet > 0:
            return None
        rotation.begin(self._wanted_queues(known))
        await rotation.advance(rotation.share(), min(seconds, _IDLE_HOLD), self._window())
        return {_QUEUE_STATISTICS: self._rounded(rotation)} if rotation.finished else {}

    # Looking around ------------------------------------------------------------------------

    async def survey(self, collected: Collected) -> Survey:
        """Add the roles that refused methods reveal, and what the account says of itself."""
        result = await super().survey(collected)
        client = self._client
        result.permissions = permissions(self._config, client.answered, client.forbidden)
        account = self._account.value or {}
        if account.get("frozen"):
            result.faults.append("the account is frozen: settle that with Voximplant")
        if account.get("active") == 0:
            result.faults.append("the account is not active: settle that with Voximplant")
        return result

    def steady_requests(self, feed: str, requests: Mapping[str, float]) -> Mapping[str, float]:
        """Return a feed's own requests, and its part in reading the inventory anew at times."""
        interval = next(each.times.interval for each in self.feeds if each.name == feed)
        cost = {
            method: count if method in OWN[feed] else count * interval / max(SLOW, interval)
            for method, count in requests.items()
        }
        if feed == _QUEUE_STATISTICS:  # a round may have gone on after its first refresh
            cost |= {
                method: len(self._wanted_queues(self._inventory.queues.value or {}))
                for method in OWN[feed]
            }
        return cost

    async def discover(self, collected: Collected) -> Offers:
        """Add the reports of SmartQueue that are not read."""
        seen = await super().discover(collected)
        suggest(self._config, seen)
        return seen

    # ACD v1 --------------------------------------------------------------------------------

    async def _state(self) -> Reading:
        answer = await self._client.call("GetACDState", acd_queue_id="all")
        result = answer.get("result")
        queues = items(result, "acd_queues") if isinstance(result, dict) else None
        if queues is None:
            raise InvalidAnswer("GetACDState: no queues in the answer")
        ids = [identity(queue.get("acd_queue_id")) for queue in queues]
        known = await self._inventory.meet_queues(ids)
        labels = self._inventory.queue_labels()
        rows = [
            {"queue": labels.get(each, each), **shapes.acd_state(queue)}
            for each, queue in zip(ids, queues, strict=True)
            if each in known or not self._config.applications
        ]
        return self._believed(t.STATE, rows)

    async def _operators(self) -> Reading:
        found = await self._inventory.operators.take(JUST_READ)
        rows = [scalars(row) | {"user_id": user} for user, row in found.items()]
        return _reading((t.OPERATORS, rows))

    async def _operator_status(self) -> Reading:
        start, end = self._window()
        await self._inventory.operators.peek(SLOW)
        rows = await self._client.rows(
            "GetACDOperatorStatusStatistics",
            from_date=start,
            to_date=end,
            user_id="all",
            aggregation="none",
            group="user",
        )
        times = shapes.StatusTimes(rows, self._inventory.people())
        return _reading(
            (t.STATUS_TOTALS, times.totals(self._wants_operator)),
            (t.OPERATOR_STATUS, times.operators(self._belongs)),
        )

    async def _operator_statistics(self) -> Reading:
        start, end = self._window()
        await self._inventory.operators.peek(SLOW)
        rows = await self._client.rows(
            "GetACDOperatorStatistics",
            from_date=start,
            to_date=end,
            user_id="all",
            aggregation="none",
            group="user",
            abbreviation=True,
            report="all",
        )
        found = shapes.operator_statistics(rows, self._inventory.people())
        mine = [row for row in found if self._belongs(str(row["user_id"]))]
        return _reading((t.OPERATOR_STATISTICS, mine))

    async def _queue_statistics(self) -> Reading:
        rotation = self._rotation
        assert rotation is not None, "a feed that is not wanted is not fetched"
        rotation.begin(self._wanted_queues(await self._inventory.queues.within(SLOW)))
        await rotation.advance(rotation.waiting, _ROUND_HOLD, self._window())
        return self._rounded(rotation)

    async def _queues(self) -> Reading:
        found = await self._inventory.queues.take(JUST_READ)
        labels = self._inventory.queue_labels()
        info: Grid = [{"queue": labels[each], "acd_queue_id": each, "present": 1} for each in found]
        limits = [scalars(row) | {"queue": labels[each]} for each, row in found.items()]
        return _reading((t.QUEUE_INFO, info), (t.QUEUE_LIMITS, limits))

    # SmartQueue ----------------------------------------------------------------------------

    async def _smartqueue_state(self) -> Reading:
        found: dict[str, Row] = {}
        for application in await self._inventory.smartqueue_applications():
            rows = await self._client.rows(
                "GetSQState", sq_queue_id="all", timezone="Etc/GMT", **application
            )
            await self._inventory.meet_smartqueues(rows)
            found |= {identity(row.get("sq_queue_id")): row for row in rows}
        labels = self._inventory.smartqueue_labels()
        rows_ = [
            {"queue": labels.get(each, each), **shapes.smartqueue_state(row)}
            for each, row in found.items()
        ]
        return self._believed(t.SMARTQUEUE_STATE, rows_)

    async def _smartqueue_reports(self) -> Reading:
        smartqueue = self._config.smartqueue
        assert smartqueue is not None, "a feed that is not wanted is not fetched"
        reports = self._config.reports
        threshold = int(smartqueue.service_level_threshold)
        found: dict[str, dict[str, Cell]] = {}
        for application, ids in portions(await self._inventory.smartqueues.within(SLOW)):
            rows = await self._client.rows(
                "GetSmartQueueRealtimeMetrics",
                report_type=reports,
                sq_queue_id=ids,
                group_by="queue",
                timezone="Etc/GMT",
                max_waiting_sec=threshold if set(reports) & set(_LEVELS) else None,
                **application,
            )
            for queue, report, value in shapes.smartqueue_reports(
                rows, smartqueue.report_seconds_scale
            ):
                found.setdefault(queue, {})[report] = value
        await self._inventory.queues.peek(SLOW)
        labels = self._inventory.smartqueue_labels()
        rows_ = [{"queue": labels.get(each, each), **row} for each, row in found.items()]
        return _reading((t.SMARTQUEUE_REPORTS, rows_))

    # Call lists and the account ------------------------------------------------------------

    async def _call_lists(self) -> Reading:
        rows = await self._lists.read(details=self._config.call_list_details)
        return _reading((t.CALL_LISTS, rows))

    async def _account_status(self) -> Reading:
        found = await self._account.take(JUST_READ)
        money = {name: found[name] for name in ("currency", "balance", "min_balance_to_notify")}
        status = {name: found[name] for name in ("credit_limit", "active", "frozen")}
        skew = {"clock skew": self._client.skew}
        return _reading((t.BALANCE, [money]), (t.ACCOUNT, [status | skew]))

    # Small steps ---------------------------------------------------------------------------

    def _window(self) -> tuple[datetime, datetime]:
        """Return the start of the local day and now; there is at least a second in between."""
        now = self._client.now()
        zone = self._config.time_zone
        today = datetime.fromtimestamp(now, zone).date()
        start = datetime.combine(today, time(), zone).timestamp()
        end = max(now, start + 1.0)
        return datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC)

    def _wanted_queues(self, known: Mapping[str, Row]) -> list[str]:
        labels = self._inventory.queue_labels()
        return [each for each in known if self._labels.filter.accepts("queue", [labels[each]])]

    def _rounded(self, rotation: Rotation) -> Reading:
        rows = rotation.rows(self._inventory.queue_labels())
        return _reading((t.QUEUE_STATISTICS, rows))

    def _belongs(self, user: str) -> bool:
        """Tell whether an operator is of the applications that are read."""
        people = self._inventory.people()
        return not self._config.applications or people is None or user in people

    def _wants_operator(self, user: str) -> bool:
        names = filter(None, (user, (self._inventory.people() or {}).get(user)))
        return self._belongs(user) and self._labels.filter.accepts("agent", list(names))

    def _believed(self, table: Table, rows: Grid) -> Reading:
        """Return a reading; one that is empty right after a full one must come twice."""
        if not rows and table.name in self._full:
            self._full.discard(table.name)
            raise InvalidAnswer(ALL_OF_A_SUDDEN)
        if rows:
            self._full.add(table.name)
        return _reading((table, rows))


def _reading(*grids: tuple[Table, Grid]) -> Reading:
    return Reading({table.name: Rows.of(rows) for table, rows in grids})


def feeds(config: VoximplantConfig) -> Iterable[Feed]:
    """Return the feeds of an account, in order of importance, their tables bound to its period."""
    for name, times in config.wanted_feeds().items():
        tables: Sequence[Table] = t.TABLES[name]
        if name in t.PERIOD_FEEDS:
            tables = [table.over(config.period) for table in tables]
        if name == "smartqueue_reports":
            yield Feed(name, [reports_table(config)], replace(times, raw=True))
        else:
            yield Feed(name, tables, times)


def reports_table(config: VoximplantConfig) -> Table:
    """Return the table of the user's own reports: what is mapped is mapped, the rest is raw."""
    table = add_columns(t.SMARTQUEUE_REPORTS, config.statistics).over(Period(t.REPORTS_WINDOW))
    plain = tuple(report for report in config.reports if report not in config.statistics)
    return t.with_ignored(table, plain)
