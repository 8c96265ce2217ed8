"""Reading Genesys: one feed, whose figures are pushed over CometD or, where asked for, polled."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

from exporter.clock import Clock
from exporter.collector.base import Collector
from exporter.collector.http import Http
from exporter.collector.offers import Offers
from exporter.collector.survey import Collected, Survey
from exporter.errors import ProviderError, Unauthorized
from exporter.logs import get_log
from exporter.metrics.reading import Reading
from exporter.providers.genesys.client import Client
from exporter.providers.genesys.config import STATISTICS, GenesysConfig
from exporter.providers.genesys.feeds import feed, statistics
from exporter.providers.genesys.poll import Poll
from exporter.providers.genesys.preflight import discover, look
from exporter.providers.genesys.push import CHECK_EVERY, CLOSE_LIMIT, HEARD_EVERY, Live
from exporter.providers.genesys.store import Book
from exporter.providers.genesys.subscriptions import Subscriptions
from exporter.telemetry import AccountTelemetry


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
