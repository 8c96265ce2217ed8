"""Reading Genesys: one feed, whose figures are pushed over CometD or, where asked for, polled."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

from exporter.clock import Clock
from exporter.collector.base import Collector, Feed
from exporter.collector.http import Http
from exporter.collector.offers import Offers
from exporter.collector.survey import Collected, Survey
from exporter.config.columns import ColumnConfig, column
from exporter.errors import ProviderError, Unauthorized
from exporter.logs import get_log
from exporter.metrics.reading import Reading
from exporter.metrics.tables import Column, Table
from exporter.providers.genesys import tables as t
from exporter.providers.genesys.client import Client
from exporter.providers.genesys.config import STATISTICS, GenesysConfig, StatisticConfig, table_of
from exporter.providers.genesys.poll import Poll
from exporter.providers.genesys.preflight import discover, look
from exporter.providers.genesys.push import CHECK_EVERY, CLOSE_LIMIT, HEARD_EVERY, Live
from exporter.providers.genesys.statistics import Profile, Statistic, Wanted
from exporter.providers.genesys.store import Book
from exporter.providers.genesys.subscriptions import Subscriptions
from exporter.telemetry import AccountTelemetry

_TABLES: Mapping[Profile, Table] = {
    "queue": t.QUEUES,
    "agent_group": t.AGENT_GROUPS,
    "agent": t.EACH_AGENT,
    "campaign": t.CAMPAIGNS,
}
_APART = {t.SERVICE_LEVEL: t.SERVICE_LEVELS}  # their period is not the day


class GenesysCollector(Collector):
    """One user of one contact centre. See ``Collector``."""

    def __init__(
        self,
        config: GenesysConfig,
        http: Http,
        telemetry: AccountTelemetry,  # noqa: ARG002 - what every collector is given
        clock: Clock,
    ) -> None:
        self._config = config
        log = get_log(__name__).bind(provider=config.provider, account=config.name)
        self.feeds = [feed(config)]
        tables = {table.name for table in self.feeds[0].tables}
        self._book = book = Book(statistics(config), tables, config.service_level_threshold)
        polls = config.mode == "poll"
        self._client = Client(config, http, clock)
        subscriptions = Subscriptions(self._client, book, config.chunk, log, quiet=polls)
        self._subscriptions = subscriptions
        self._way: Live | Poll
        if polls:
            self._way = Poll(self._client, book, subscriptions, config.chunk, clock, log)
        else:
            self._way = Live(self._client, book, subscriptions, clock, log)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Sign in and open the statistics; leaving it closes them and ends the token."""
        await self._client.sign_in()
        alive = True
        try:
            async with self._way.open():
                yield
        except Unauthorized:
            alive = False  # what is not accepted is not sent again
            raise
        finally:
            if alive:
                with suppress(ProviderError):
                    await self._client.sign_out(CLOSE_LIMIT)

    async def fetch(self, feed: str) -> Reading:  # noqa: ARG002 - there is one feed
        """Return the figures as they are now."""
        if isinstance(self._way, Live):
            return self._way.reading()
        return await self._way.reading()

    def steady_requests(self, feed: str, requests: Mapping[str, float]) -> Mapping[str, float]:
        """Count long polls, and openings anew, by a refresh that itself asks for nothing."""
        if not isinstance(self._way, Live):
            return super().steady_requests(feed, requests)
        interval = self.feeds[0].times.interval
        openings = len(self._subscriptions.ids) * interval / CHECK_EVERY
        return {
            "/meta/connect": interval / HEARD_EVERY,
            "POST /subscriptions": openings,
            "DELETE /subscriptions/{id}": openings,
        }

    async def listen(self, seconds: float) -> Mapping[str, Reading] | None:  # noqa: ARG002 - it waits elsewhere
        """Return figures that are late because the platform was in trouble, once it is not."""
        reading = self._way.recovered() if isinstance(self._way, Live) else None
        return {STATISTICS: reading} if reading is not None else None

    async def survey(self, found: Collected) -> Survey:
        """Add what refusals reveal, and which statistics are not open."""
        result = await super().survey(found)
        look(self._config, found, self._book, result)
        return result

    async def discover(self, found: Collected) -> Offers:
        """Add the statistics that the contact centre has defined by names that are known."""
        seen = await super().discover(found)
        await discover(self._config, self._client, seen)
        return seen


def feed(config: GenesysConfig) -> Feed:
    """Return the account's feed, its tables bound to the account's day and own statistics."""
    times = config.wanted_feeds()[STATISTICS]
    own: dict[str, list[Column]] = {}
    for name, _, found in _own(config):
        own.setdefault(name, []).append(found)
    bound = [
        replace(table.extended(tuple(own.get(table.name, ()))), period=table.period)
        if table.period
        else table.extended(tuple(own.get(table.name, ()))).over(config.period())
        for table in t.TABLES
        if table is not t.EACH_AGENT or config.agents != "aggregate"
    ]
    return Feed(STATISTICS, bound, times)


def statistics(config: GenesysConfig) -> Sequence[Statistic]:
    """Return every statistic to open.

    Where a user maps a statistic of an object to a figure, the built-in one for the same figure of
    that object is not opened: the user's word counts.
    """
    own = list(_own_statistics(config))
    taken = {
        (wanted.object_type, identity, found.family.name, tuple(sorted(found.labels.items())))
        for (_, wanted, found) in _own(config)
        for identity in wanted.object_ids
    }
    built_in = [
        statistic
        for statistic in _built_in(config)
        if not any(
            (statistic.kind, statistic.identity, name, labels) in taken
            for name, labels in _figures(statistic)
        )
    ]
    return [*built_in, *own]


def _figures(statistic: Statistic) -> Iterator[tuple[str, tuple[tuple[str, str], ...]]]:
    table = next(each for each in t.TABLES if each.name == statistic.table)
    for figure in table.figures:
        if isinstance(figure, Column) and figure.header == statistic.wanted.header:
            yield figure.family.name, tuple(sorted(figure.labels.items()))


def _built_in(config: GenesysConfig) -> Iterator[Statistic]:
    for objects in config.objects:
        if objects.wanted is None:
            continue
        chosen = config.built_in(objects.wanted)
        for identity in objects.ids:
            label = config.label(objects.type, identity)
            for wanted in chosen:
                table = _APART.get(wanted.header, _TABLES[objects.wanted])
                yield Statistic(table.name, wanted, objects.type, identity, label)


def _own(config: GenesysConfig) -> Iterator[tuple[str, StatisticConfig, Column]]:
    """Yield the user's own statistics with their table's name and their column."""
    for at, wanted in enumerate(config.statistics):
        table = table_of(wanted.object_type)
        mapping = ColumnConfig(metric=wanted.metric, parse=wanted.parse, labels=wanted.labels)
        yield table.name, wanted, column(f"statistics[{at}]", mapping, table)


def _own_statistics(config: GenesysConfig) -> Iterator[Statistic]:
    for table, own, found in _own(config):
        wanted = Wanted(found.header, own.name, own.definition or {}, guess=True)
        for identity in own.object_ids:
            label = config.label(own.object_type, identity)
            yield Statistic(table, wanted, own.object_type, identity, label)
