"""Collector: reads the feeds from the methods of the Management API."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
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
from exporter.metrics.reading import Reading, RefusedRow, Rows, check_refused
from exporter.metrics.tables import Table
from exporter.providers.voximplant import preflight
from exporter.providers.voximplant import rows as r
from exporter.providers.voximplant import tables as t
from exporter.providers.voximplant.answers import (
    JsonObject,
    ObjectsById,
    distinct,
    objects_in,
    to_cells,
)
from exporter.providers.voximplant.auth import KeyAuth, read_private_key
from exporter.providers.voximplant.call_lists import CallLists
from exporter.providers.voximplant.client import Client
from exporter.providers.voximplant.config import VoximplantConfig
from exporter.providers.voximplant.errors import MissingRole
from exporter.providers.voximplant.inventory import (
    EMPTIED,
    JUST_READ,
    SLOW,
    Cached,
    Inventory,
    report_batches,
)
from exporter.providers.voximplant.rotation import QueueRotation
from exporter.telemetry import AccountTelemetry

TableRows = Sequence[Mapping[str, Cell]]

_QUEUE_STATISTICS = "queue_statistics"
# Seconds for which a round of queue statistics may delay other feeds.
_FETCH_LIMIT = 5.0
_IDLE_LIMIT = 1.0
_SERVICE_LEVELS = {"service_level", "im_service_level"}  # reports that take a threshold


class VoximplantCollector(Collector):
    """One account, read with one service-account key. See ``Collector``.

    There is no session: tokens are signed as needed, and the key is checked by one cheap request.
    The inventory lives as long as the account.
    """

    def __init__(
        self, config: VoximplantConfig, http: Http, telemetry: AccountTelemetry, clock: Clock
    ) -> None:
        self._config = config
        log = get_log(__name__).bind(provider=telemetry.provider, account=telemetry.account)
        key = config.credentials
        private_key = read_private_key(key.private_key.get_secret_value(), validated=True)
        auth = KeyAuth(config.issuer, key.key_id, private_key, clock)
        self._client = Client(http, config.url, auth, config.timeout, clock, log)
        self._inventory = Inventory(self._client, config, clock)
        self._account = Cached(self._client.read_account, clock)
        self._labels = config.account_labels()
        self.feeds = feeds(config)
        by_name = {feed.name: feed.times for feed in self.feeds}
        times = by_name.get(_QUEUE_STATISTICS)
        self._rotation = (
            QueueRotation(self._client, clock, times.interval, times.stale_after) if times else None
        )
        times = by_name.get("call_lists")
        stale_after = times.stale_after if times else SLOW
        self._lists = CallLists(self._client, clock, log, stale_after)
        self._full: set[str] = set()  # tables that had rows at the last reading
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
        """Check the key with a request that needs no role."""
        self._client.forget_cookies()
        with suppress(MissingRole):
            await self._account.get(JUST_READ)
        yield

    async def fetch(self, feed: str) -> Reading:
        """Read one feed."""
        return await self._readers[feed]()

    def delay(self, feed: str) -> float:  # noqa: ARG002 - limits apply to the account
        """Return the seconds until the platform accepts requests again, or 0."""
        return self._client.pause

    def retry(self) -> None:
        """Forget pauses of the account, of queue statistics and of call list details."""
        self._client.retry()
        self._lists.retry()
        if self._rotation is not None:
            self._rotation.retry()

    async def listen(self, seconds: float) -> Mapping[str, Reading] | None:
        """Use idle time for the round of queue statistics, where one is due."""
        rotation = self._rotation
        queues = self._inventory.queues.value
        if rotation is None or not queues or rotation.is_idle() or self._client.pause > 0:
            return None
        rotation.begin(self._included_queues(queues))
        await rotation.read(rotation.per_second(), min(seconds, _IDLE_LIMIT), self._window())
        return {} if rotation.pending else {_QUEUE_STATISTICS: self._rotation_reading(rotation)}

    # Preflight -----------------------------------------------------------------------------

    async def survey(self, collected: Collected) -> Survey:
        """Add the roles that refused methods reveal, and the state of the account."""
        result = await super().survey(collected)
        preflight.survey(self._config, self._client, self._account.value or {}, result)
        return result

    def steady_requests(self, feed: str, requests: Mapping[str, float]) -> Mapping[str, float]:
        """Return a feed's own requests, and its share in reading the inventory again."""
        interval = next(item.times.interval for item in self.feeds if item.name == feed)
        methods = preflight.FEED_METHODS[feed]
        cost = {
            method: count if method in methods else count * interval / max(SLOW, interval)
            for method, count in requests.items()
        }
        if feed == _QUEUE_STATISTICS:  # its first refresh need not have read every queue
            queues = len(self._included_queues(self._inventory.queues.value or {}))
            cost |= dict.fromkeys(methods, queues)
        return cost

    async def discover(self, collected: Collected) -> Offers:
        """Add the reports of SmartQueue that are not read."""
        result = await super().discover(collected)
        preflight.discover(self._config, result)
        return result

    # ACD v1 --------------------------------------------------------------------------------

    async def _state(self) -> Reading:
        answer = await self._client.call("GetACDState", acd_queue_id="all")
        result = answer.get("result")
        queues = objects_in(result, "acd_queues") if isinstance(result, dict) else None
        if queues is None:
            raise InvalidAnswer("GetACDState: answer lacks the queues")
        by_id = ObjectsById(queues, "acd_queue_id")
        known = await self._inventory.queues_with(by_id)
        labels = self._inventory.queue_labels()
        rows = [
            {"queue": labels.get(queue_id, queue_id), **r.acd_state_row(queue)}
            for queue_id, queue in by_id.items()
            if queue_id in known or not self._config.applications
        ]
        return self._confirmed(t.STATE, self._with_names(rows), by_id)

    async def _operators(self) -> Reading:
        operators = await self._inventory.operators.refresh(JUST_READ)
        rows = [to_cells(row) | {"user_id": user} for user, row in operators.items()]
        return _reading((t.OPERATORS, rows), source=operators)

    async def _operator_status(self) -> Reading:
        await self._inventory.operators.get_or_stale(SLOW)
        start, end = self._window()
        rows = await self._client.read_list(
            "GetACDOperatorStatusStatistics",
            from_date=start,
            to_date=end,
            user_id="all",
            aggregation="none",
            group="user",
        )
        times = r.StatusTimes(rows, self._inventory.operator_names())
        return _reading(
            (t.STATUS_TOTALS, times.totals(self._counts_operator)),
            (t.OPERATOR_STATUS, times.operators(self._reads_operator)),
        )

    async def _operator_statistics(self) -> Reading:
        await self._inventory.operators.get_or_stale(SLOW)
        start, end = self._window()
        answer = await self._client.read_list(
            "GetACDOperatorStatistics",
            from_date=start,
            to_date=end,
            user_id="all",
            aggregation="none",
            group="user",
            abbreviation=True,
            report="all",
        )
        rows = r.operator_rows(answer, self._inventory.operator_names())
        rows = [row for row in rows if self._reads_operator(str(row["user_id"]))]
        return _reading((t.OPERATOR_STATISTICS, rows))

    async def _queue_statistics(self) -> Reading:
        rotation = self._rotation
        assert rotation is not None, "only configured feeds are fetched"
        rotation.begin(self._included_queues(await self._inventory.queues.get(SLOW)))
        await rotation.read(rotation.pending, _FETCH_LIMIT, self._window())
        return self._rotation_reading(rotation)

    async def _queues(self) -> Reading:
        queues = await self._inventory.queues.refresh(JUST_READ)
        labels = self._inventory.queue_labels()
        info: TableRows = [
            {"queue": labels[queue], "acd_queue_id": queue, "present": 1} for queue in queues
        ]
        limits = [to_cells(row) | {"queue": labels[queue]} for queue, row in queues.items()]
        return _reading(
            (t.QUEUE_INFO, self._with_names(info)),
            (t.QUEUE_LIMITS, self._with_names(limits)),
            source=queues,
        )

    # SmartQueue ----------------------------------------------------------------------------

    async def _smartqueue_state(self) -> Reading:
        answers: list[JsonObject] = []
        for application in await self._inventory.smartqueue_applications():
            answers += await self._client.read_list(
                "GetSQState", sq_queue_id="all", timezone="Etc/GMT", **application
            )
        await self._inventory.update_smartqueues(answers)
        queues = ObjectsById(answers, "sq_queue_id")
        labels = self._inventory.smartqueue_labels()
        rows = []
        for queue_id, queue in queues.items():
            agents = objects_in(queue, "sq_agents")
            unique = None if agents is None else distinct(agents, "user_id")
            queues.repeated += len(agents or ()) - len(unique or ())
            row = r.smartqueue_row({**queue, "sq_agents": unique})
            rows.append({"queue": labels.get(queue_id, queue_id), **row})
        return self._confirmed(t.SMARTQUEUE_STATE, self._with_names(rows), queues)

    async def _smartqueue_reports(self) -> Reading:
        smartqueue = self._config.smartqueue
        assert smartqueue is not None, "only configured feeds are fetched"
        reports = self._config.reports
        threshold = int(smartqueue.service_level_threshold)
        scale = smartqueue.report_seconds_scale
        cells: dict[str, dict[str, Cell]] = {}
        refused: list[RefusedRow] = []
        values = repeated = 0
        for application, ids in report_batches(await self._inventory.smartqueues.get(SLOW)):
            answer = await self._client.read_list(
                "GetSmartQueueRealtimeMetrics",
                report_type=reports,
                sq_queue_id=ids,
                group_by="queue",
                timezone="Etc/GMT",
                max_waiting_sec=None if _SERVICE_LEVELS.isdisjoint(reports) else threshold,
                **application,
            )
            for queue, report, value in r.report_values(answer, scale):
                values += 1
                if not queue:
                    refused.append(RefusedRow(values, 1, "no sq_queue_id"))
                elif report in cells.setdefault(queue, {}):
                    repeated += 1
                else:
                    cells[queue][report] = value
        check_refused(refused, values)
        await self._inventory.queues.get_or_stale(SLOW)
        labels = self._inventory.smartqueue_labels()
        rows = [{"queue": labels.get(queue, queue), **row} for queue, row in cells.items()]
        named = self._with_names(rows)
        return Reading({t.SMARTQUEUE_REPORTS.name: Rows.of(named, refused, repeated)})

    # Call lists and the account ------------------------------------------------------------

    async def _call_lists(self) -> Reading:
        rows = await self._lists.read(details=self._config.call_list_details)
        return _reading((t.CALL_LISTS, rows), source=self._lists.latest)

    async def _account_status(self) -> Reading:
        account = await self._account.refresh(JUST_READ)
        money = {name: account[name] for name in ("currency", "balance", "min_balance_to_notify")}
        status = {name: account[name] for name in ("credit_limit", "active", "frozen")}
        skew = {"clock skew": self._client.skew}
        return _reading((t.BALANCE, [money]), (t.ACCOUNT, [status | skew]))

    # Helpers -------------------------------------------------------------------------------

    def _window(self) -> tuple[datetime, datetime]:
        """Return the start of the local day, and now or at least a second after it."""
        now = self._client.now()
        zone = self._config.time_zone
        today = datetime.fromtimestamp(now, zone).date()
        start = datetime.combine(today, time(), zone).timestamp()
        end = max(now, start + 1.0)
        return datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC)

    def _included_queues(self, queues: Mapping[str, JsonObject]) -> list[str]:
        labels = self._inventory.queue_labels()
        names = self._inventory.plain_names()
        accepts = self._labels.filter.accepts
        return [
            queue
            for queue in queues
            if accepts("queue", [labels[queue], names.get(labels[queue], labels[queue])])
        ]

    def _rotation_reading(self, rotation: QueueRotation) -> Reading:
        rows = rotation.rows(self._inventory.queue_labels())
        return _reading((t.QUEUE_STATISTICS, self._with_names(rows)))

    def _with_names(self, rows: TableRows) -> TableRows:
        """Return rows of queues with the plain names of those shown as name and id."""
        names = self._inventory.plain_names()
        if not names:
            return rows
        return [{**row, t.PLAIN_NAME: names.get(str(row["queue"]))} for row in rows]

    def _reads_operator(self, user: str) -> bool:
        """Return whether an operator belongs to the configured applications."""
        names = self._inventory.operator_names()
        return not self._config.applications or names is None or user in names

    def _counts_operator(self, user: str) -> bool:
        """Return whether an operator is in the totals: read, and not excluded."""
        name = (self._inventory.operator_names() or {}).get(user, "")
        return self._reads_operator(user) and self._labels.accepts_agent(user, name)

    def _confirmed(self, table: Table, rows: TableRows, source: ObjectsById) -> Reading:
        """Return a reading; an empty one right after a full one must be read twice."""
        if not rows and table.name in self._full:
            self._full.discard(table.name)
            raise InvalidAnswer(EMPTIED)
        if rows:
            self._full.add(table.name)
        return _reading((table, rows), source=source)


def _reading(*tables: tuple[Table, TableRows], source: ObjectsById | None = None) -> Reading:
    """Return rows by table; what ``source`` left out is reported with the first."""
    left_out = (source.refused, source.repeated) if source is not None else ((), 0)
    return Reading(
        {
            table.name: Rows.of(rows) if position else Rows.of(rows, *left_out)
            for position, (table, rows) in enumerate(tables)
        }
    )


def reports_table(config: VoximplantConfig) -> Table:
    """Return the table of SmartQueue reports; those that are not mapped are exported raw."""
    table = add_columns(t.SMARTQUEUE_REPORTS, config.statistics).over(Period(t.REPORTS_WINDOW))
    unmapped = tuple(report for report in config.reports if report not in config.statistics)
    return replace(table, ignored=unmapped)


def feeds(config: VoximplantConfig) -> list[Feed]:
    """Return the account's feeds in order of importance, with the period of their tables."""
    result = []
    for name, times in config.enabled_feeds().items():
        tables: Sequence[Table] = t.FEED_TABLES[name]
        if name in t.PERIOD_FEEDS:
            tables = [table.over(config.period) for table in tables]
        if name == "smartqueue_reports":
            result.append(Feed(name, [reports_table(config)], replace(times, raw=True)))
        else:
            result.append(Feed(name, tables, times))
    return result
