"""Collector: one feed, whose values are pushed over CometD or polled."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial

from exporter.clock import Clock
from exporter.collector.base import Collector, Feed
from exporter.collector.http import Http
from exporter.collector.offers import Offers
from exporter.collector.scales import ShareScales
from exporter.collector.survey import Collected, Survey
from exporter.errors import ProviderError, Unauthorized
from exporter.logs import get_log
from exporter.metrics.reading import Reading
from exporter.metrics.tables import Column
from exporter.providers.genesys import preflight
from exporter.providers.genesys import tables as t
from exporter.providers.genesys.client import Client
from exporter.providers.genesys.cometd import LONG_POLL_REMEDY
from exporter.providers.genesys.config import STATISTICS, GenesysConfig, StatisticConfig
from exporter.providers.genesys.poll import PollSession
from exporter.providers.genesys.push import (
    CHECK_INTERVAL,
    CLOSE_LIMIT,
    EVENT_INTERVAL,
    PushSession,
)
from exporter.providers.genesys.statistics import ObjectStatistic, StatType
from exporter.providers.genesys.store import OVERTAKING, StatisticStore
from exporter.providers.genesys.subscriptions import Subscriptions
from exporter.telemetry import AccountTelemetry


class GenesysCollector(Collector):
    """One user of one contact centre. See ``Collector``."""

    def __init__(
        self,
        config: GenesysConfig,
        http: Http,
        telemetry: AccountTelemetry,
        clock: Clock,
    ) -> None:
        self._config = config
        log = get_log(__name__).bind(provider=config.provider, account=config.name)
        self.feeds = feeds(config)
        tables = {table.name for feed in self.feeds for table in feed.tables}
        self._clock = clock
        self._scales = ShareScales(self.feeds[0].tables, log, parsers={t.percentage: None})
        threshold = config.service_level_threshold
        updates = config.mode == "subscribe"
        self._store = store = StatisticStore(
            statistics(config),
            tables,
            threshold,
            clock,
            partial(telemetry.count_outdated, STATISTICS),
            OVERTAKING if updates else 0.0,  # of two answers the second is the newer
        )
        self._client = client = Client(config, http, clock)
        chunk_size = config.chunk
        subscriptions = Subscriptions(client, store, chunk_size, clock, log, updates=updates)
        self._subscriptions = subscriptions
        self._session: PushSession | PollSession
        if updates:
            telemetry.count_outdated(STATISTICS, 0)  # so that the first is an increase
            self._session = PushSession(client, store, subscriptions, clock, log)
        else:
            self._session = PollSession(client, store, subscriptions, chunk_size, clock, log)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Sign in and open the statistics; leaving the context closes them and ends the token."""
        await self._client.sign_in()
        accepted = True
        try:
            async with self._session.open():
                yield
        except Unauthorized:
            accepted = False  # a rejected token is not sent again
            raise
        finally:
            if accepted:
                with suppress(ProviderError):
                    await self._client.sign_out(CLOSE_LIMIT)

    async def fetch(self, feed: str) -> Reading:  # noqa: ARG002 - there is one feed
        """Return the current values."""
        if isinstance(self._session, PushSession):
            return self._scaled(self._session.reading())
        return self._scaled(await self._session.read())

    def _scaled(self, reading: Reading) -> Reading:
        """Leave out service levels until they are proven to be in per cent.

        No document of the vendor states the scale of ServiceFactor1.
        """
        return self._scales.convert(reading, self._clock.monotonic())

    def steady_requests(self, feed: str, requests: Mapping[str, float]) -> Mapping[str, float]:
        """Count the connects and checks of a push session; its refreshes send no request."""
        if not isinstance(self._session, PushSession):
            return super().steady_requests(feed, requests)
        interval = self.feeds[0].times.interval
        checked = len(self._subscriptions.ids) * interval / CHECK_INTERVAL
        return {
            "/meta/connect": interval / EVENT_INTERVAL,
            "GET /subscriptions/{id}/statistic-values": checked,
        }

    async def listen(self, seconds: float) -> Mapping[str, Reading] | None:  # noqa: ARG002 - never waits
        """Return values that were not available at the last refresh, once they are.

        In poll mode, use idle time to keep a session alive.
        """
        if not isinstance(self._session, PushSession):
            await self._session.keep_alive()
            return None
        reading = self._session.overdue_reading()
        return {STATISTICS: self._scaled(reading)} if reading is not None else None

    async def survey(self, collected: Collected) -> Survey:
        """Add the permissions that refusals reveal, and the statistics that are not open."""
        result = await super().survey(collected)
        preflight.survey(self._config, collected, self._store, result)
        session = self._session
        if isinstance(session, PushSession) and collected.readings and await session.is_cut():
            result.hints.append(f"long polls are cut. {LONG_POLL_REMEDY}")
        result.hints += self._scales.hints(
            "map a statistic of your own with parse: percent or fraction"
        )
        return result

    async def discover(self, collected: Collected) -> Offers:
        """Add the statistics that the contact centre has defined under known names."""
        result = await super().discover(collected)
        await preflight.discover(self._config, self._client, result)
        return result


def statistics(config: GenesysConfig) -> Sequence[ObjectStatistic]:
    """Return every statistic to open: built-in and user-defined ones.

    A user-defined statistic replaces the built-in one for the same series.
    """
    replaced = {
        (own.object_type, object_id, mapped.family.name, own.window, _labels_of(mapped))
        for own, mapped in _own_columns(config)
        for object_id in own.object_ids
    }
    built_in = [
        statistic
        for statistic in _built_in_statistics(config)
        if not any(
            (statistic.object_type, statistic.object_id, *series) in replaced
            for series in _series_of(statistic)
        )
    ]
    return [*built_in, *_own_statistics(config)]


def _built_in_statistics(config: GenesysConfig) -> Iterator[ObjectStatistic]:
    for objects in config.objects:
        profile = objects.built_in_profile
        if profile is None:
            continue
        for object_id in objects.ids:
            label = config.label(objects.type, object_id)
            for stat_type in config.stat_types(profile):
                table = t.PROFILE_TABLES[profile]
                if stat_type.header == t.SERVICE_LEVEL:
                    table = t.SERVICE_LEVELS  # its period is not the day
                yield ObjectStatistic(table.name, stat_type, objects.type, object_id, label)


def _own_statistics(config: GenesysConfig) -> Iterator[ObjectStatistic]:
    for own, mapped in _own_columns(config):
        stat_type = StatType(mapped.header, own.name, own.definition or {}, documented=False)
        for object_id in own.object_ids:
            label = config.label(own.object_type, object_id)
            yield ObjectStatistic(own.table.name, stat_type, own.object_type, object_id, label)


def _own_columns(config: GenesysConfig) -> Iterator[tuple[StatisticConfig, Column]]:
    """Yield the user-defined statistics and their columns."""
    for index, statistic in enumerate(config.statistics):
        yield statistic, statistic.column(f"statistics[{index}]")


def _series_of(statistic: ObjectStatistic) -> Iterator[tuple[str, str, Sequence[tuple[str, str]]]]:
    """Yield (family name, window, sorted labels) of each column that a statistic fills."""
    table = next(table for table in t.TABLES if table.name == statistic.table)
    window = table.period.window if table.period else "day"
    for figure in table.figures:
        if isinstance(figure, Column) and figure.header == statistic.stat_type.header:
            yield figure.family.name, window, _labels_of(figure)


def _labels_of(column: Column) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(column.labels.items()))


def feeds(config: GenesysConfig) -> list[Feed]:
    """Return the account's feed, with the user's columns and the period of the daily figures."""
    times = config.enabled_feeds()[STATISTICS]
    by_name = {
        table.name: table
        for table in t.TABLES
        if table is not t.EACH_AGENT or config.agents != "aggregate"
    }
    own: dict[str, list[Column]] = {}
    for statistic, mapped in _own_columns(config):
        own.setdefault(statistic.table.name, []).append(mapped)
        by_name.setdefault(statistic.table.name, statistic.table)
    tables = [
        table.extended(tuple(own.get(table.name, ()))).over(table.period or config.period())
        for table in by_name.values()
    ]
    return [Feed(STATISTICS, tables, times)]
