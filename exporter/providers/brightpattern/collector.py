"""Collector of one Bright Pattern user: the subscription, the directory and the campaigns.

The subscription (Real-Time Statistics API) is made at sign-in. 200 is a reading; 204 fails the
refresh, so that the last figures age; 404, or the data of another login, subscribes again and fails
the refresh, as data are not ready at once; 409 waits for a licence. A server error changes nothing.
"""

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from exporter.clock import Clock, Pace
from exporter.collector.base import Collector, Feed
from exporter.collector.http import Http
from exporter.collector.offers import Offers
from exporter.collector.scales import ShareScales
from exporter.collector.survey import Collected, Survey
from exporter.config.columns import add_columns
from exporter.errors import ProviderError, Unauthorized
from exporter.logs import get_log
from exporter.metrics.reading import Reading
from exporter.metrics.tables import Column, Table
from exporter.providers.brightpattern import directory, preflight
from exporter.providers.brightpattern import tables as t
from exporter.providers.brightpattern.campaigns import Campaigns
from exporter.providers.brightpattern.client import (
    Client,
    SubscriptionDeclined,
    SubscriptionLimitReached,
    SubscriptionLost,
    TokenRejected,
)
from exporter.providers.brightpattern.config import (
    CAMPAIGNS,
    DIRECTORY,
    SUBSCRIPTION,
    BrightPatternConfig,
)
from exporter.providers.brightpattern.directory import Directory
from exporter.providers.brightpattern.rows import RowBuilder, duplicate_names, service_names
from exporter.providers.brightpattern.subscription import (
    GridStatistic,
    SubscribedObjects,
    Subscription,
    SubscriptionData,
    required_statistics,
    subscribe_accepted,
    subscribed_statistics,
)
from exporter.telemetry import AccountTelemetry

_SETTLE = 1.0  # seconds until the first data of a subscription are read
_SAME_DIRECTORY = 30.0  # seconds in which one read for the subscription serves the feed too
_UNKNOWN_NAMES_EVERY = 300.0  # seconds between two readings because of names that it lacks
_LICENCE_PAUSES = (60.0, 120.0, 240.0, 300.0)


class BrightPatternCollector(Collector):
    """Collector of one API user. See ``Collector``."""

    def __init__(
        self,
        config: BrightPatternConfig,
        http: Http,
        telemetry: AccountTelemetry,  # noqa: ARG002 - what every collector is given
        clock: Clock,
    ) -> None:
        self._config = config
        self._clock = clock
        self._log = get_log(__name__).bind(provider=config.provider, account=config.name)
        self._client = Client(config, http, clock)
        self._campaigns = Campaigns(self._client, config.auth_retry, self._log)
        self.feeds = feeds(config)
        tables = {table.name: table for feed in self.feeds for table in feed.tables}
        self._rows = RowBuilder(tables.values(), config.account_labels(), self._log)
        self._scales = ShareScales(tables.values(), self._log, bounds=t.BOUNDS, parsers=t.SCALES)
        self._statistics = statistics(config, tables)
        required = required_statistics(tables)
        self._certain = {statistic for statistic, certain in required.items() if certain}
        self._subscribes = any(feed.name == SUBSCRIPTION for feed in self.feeds)
        self._declined: set[GridStatistic] = set()
        self._directory = Directory()
        self._directory_at = self._directory_tried_at = float("-inf")
        self._was_fetched = False  # the directory, by its feed
        self._objects = SubscribedObjects()
        self._subscription: Subscription | None = None
        self._last_accepted: Subscription | None = None  # perhaps of a bisection
        self._ready_at = float("-inf")
        self._pace = Pace(clock)  # of subscriptions
        self._conflicts = 0
        self._sizes: dict[str, int] = {}
        self._absent_grids: set[str] = set()
        self._unknown_names: frozenset[str] = frozenset()
        self._unknown: frozenset[str] = frozenset()

    # Session -------------------------------------------------------------------------------

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Sign in and subscribe; on exit drop the subscription, which frees its licence."""
        await self._client.sign_in()
        alive = True
        try:
            if self._subscribes:
                await self._prepare_objects()
                await self._subscribe()
            yield
        except Unauthorized:
            alive = False  # rejected credentials are not sent again
            raise
        finally:
            self._subscription = None
            if alive:
                await self._leave()

    async def _leave(self) -> None:
        with contextlib.suppress(ProviderError):
            if self._subscribes:
                await self._client.unsubscribe()
        with contextlib.suppress(ProviderError):
            await self._client.sign_out()

    # Feeds ---------------------------------------------------------------------------------

    async def fetch(self, feed: str) -> Reading:
        """Read one feed."""
        if feed == SUBSCRIPTION:
            return await self._read_subscription()
        if feed == CAMPAIGNS:
            return await self._campaigns.read()
        if self._was_fetched or self._clock.monotonic() >= self._directory_at + _SAME_DIRECTORY:
            await self._read_directory()
        self._was_fetched = True
        await self._update_objects()
        return self._directory.reading(self._objects)

    def delay(self, feed: str) -> float:
        """Return the seconds until a new subscription can have data."""
        if feed != SUBSCRIPTION:
            return 0.0
        return max(self._ready_at - self._clock.monotonic(), 0.0)

    # Preflight -----------------------------------------------------------------------------

    async def survey(self, collected: Collected) -> Survey:
        """Add the privileges that readings and refusals show."""
        result = await super().survey(collected)
        preflight.survey(self._config, collected, self._directory, result)
        result.hints += self._scales.hints("set ratio_scale")
        return result

    async def discover(self, collected: Collected) -> Offers:
        """Add known statistics that are not subscribed to, after subscribing to them."""
        result = await super().discover(collected)
        result.items = [
            offer for offer in result.items if offer.table != t.TOTALS.name or offer.use == "mapped"
        ]
        await preflight.discover(self._config, self._subscribe_to, self._declined, result)
        return result

    # Directory -----------------------------------------------------------------------------

    async def _read_directory(self) -> None:
        self._directory_tried_at = self._clock.monotonic()
        self._directory = await directory.read(self._client)
        self._was_fetched = False
        self._directory_at = self._clock.monotonic()

    async def _prepare_objects(self) -> None:
        """Read the directory before a subscription; only filters require it."""
        try:
            if self._clock.monotonic() >= self._directory_at + _SAME_DIRECTORY:
                await self._read_directory()
        except ProviderError as error:
            filtered = self._config.services or self._config.teams
            if filtered and self._directory_at == float("-inf"):
                raise
            self._log.debug("directory not read", reason=error.reason, error=str(error))
        self._objects = self._find_objects()

    async def _update_objects(self) -> None:
        """Subscribe again where a new directory changes the objects."""
        objects = self._find_objects()
        if objects != self._objects:
            self._objects = objects
            if self._subscription is not None:
                await self._subscribe()

    def _find_objects(self) -> SubscribedObjects:
        unknown = self._directory.unknown(self._config)
        for name in unknown - self._unknown:
            self._log.warning("configured team or service not visible", name=name)
        self._unknown = unknown
        return self._directory.objects(self._config)

    # Subscription --------------------------------------------------------------------------

    async def _read_subscription(self) -> Reading:
        """Read the subscription; read it once more where a grid is empty and was not before."""
        if self._subscription is None:
            await self._subscribe()
            raise SubscriptionLost("there was no subscription; subscribed again")
        data = await self._read_data()
        if any(not rows and self._sizes.get(grid, 1) for grid, rows in data.grids.items()):
            data = await self._read_data()
        self._sizes = {grid: len(rows) for grid, rows in data.grids.items()}
        self._log_absent_grids(self._subscription, data)
        reading = self._rows.reading(
            self._subscription, data, self._clock.time(), self._directory.names
        )
        unknown = self._rows.unlisted | (duplicate_names(data) - self._objects.shared)
        if "services" in data.grids:
            unknown |= self._directory.without_row(self._objects, service_names(data))
        await self._look_up(unknown)
        return self._scales.convert(reading, self._clock.monotonic())

    async def _read_data(self) -> SubscriptionData:
        """Read the subscription's data; where there is none, subscribe again and fail."""
        subscription = self._subscription
        assert subscription is not None, "read without a subscription"
        try:
            data = await self._client.data()
        except (SubscriptionLost, TokenRejected) as lost:
            await self._subscribe()
            raise SubscriptionLost(f"{lost}; subscribed again") from lost
        if subscription.app not in data:
            await self._subscribe()
            raise SubscriptionLost("another login of this user subscribed; subscribed again")
        self._pace.note_good()
        return subscription.read(data[subscription.app])

    def _log_absent_grids(self, subscription: Subscription, data: SubscriptionData) -> None:
        """Log each grid once that the data lack."""
        requested = {grid for grid in t.KEYS if subscription.names(grid)}
        for grid in requested - set(data.grids) - self._absent_grids:
            self._absent_grids.add(grid)
            self._log.warning("answer lacks a grid; check the user's privileges", grid=grid)

    async def _look_up(self, names: frozenset[str]) -> None:
        """Read the directory early where ``names`` of services, which do not fit it, are new."""
        self._unknown_names &= names
        due = self._clock.monotonic() >= self._directory_tried_at + _UNKNOWN_NAMES_EVERY
        known = self._directory_at != float("-inf") and names <= self._unknown_names
        if known or not due:
            return
        self._unknown_names |= names
        with contextlib.suppress(ProviderError):
            await self._read_directory()
            await self._update_objects()

    async def _subscribe(self) -> None:
        """Subscribe to the statistics that the platform does not decline."""
        self._subscription = None
        delay = self._pace.delay
        if delay > 0:
            raise SubscriptionLost("lost soon after it was made", retry_after=delay)
        await self._client.unsubscribe()
        statistics = [item for item in self._statistics if item not in self._declined]
        try:
            await self._subscribe_to(statistics)
        except SubscriptionDeclined as error:
            self._log.debug("subscription declined", error=str(error))
            known = set(self._declined)
            await subscribe_accepted(statistics, self._declined, self._subscribe_to, str(error))
            self._log_declined(self._declined - known, error.code)
        self._subscription = self._last_accepted
        self._pace.begin()

    async def _subscribe_to(self, statistics: Sequence[GridStatistic]) -> None:
        subscription = Subscription(statistics, self._objects, self._config.column_key)
        try:
            await self._client.subscribe(subscription.body())
        except SubscriptionLimitReached as error:
            pause = _LICENCE_PAUSES[min(self._conflicts, len(_LICENCE_PAUSES) - 1)]
            self._conflicts += 1
            error.retry_after = max(error.retry_after, pause)
            raise
        self._conflicts = 0
        self._last_accepted = subscription
        self._ready_at = self._clock.monotonic() + _SETTLE

    def _log_declined(self, declined: set[GridStatistic], code: str) -> None:
        """Log the uncertain statistics that are declined; the schedule logs the certain ones."""
        guesses = ", ".join(sorted(f"{grid}: {name}" for grid, name in declined - self._certain))
        self._log.info(
            "statistics declined", error_code=code, number=len(declined), guesses=guesses
        )


def statistics(config: BrightPatternConfig, tables: Mapping[str, Table]) -> list[GridStatistic]:
    """Return the statistics that an account subscribes to.

    Names of agents are personal data: they are requested only where they are shown or filtered by.
    """
    times = config.enabled_feeds().get(SUBSCRIPTION)
    filtered = config.include.agents or config.exclude.agents
    return subscribed_statistics(
        tables,
        named=config.agents == "name" or bool(filtered),
        each_agent=config.agents != "aggregate",
        raw=times is not None and times.raw,
    )


def feeds(config: BrightPatternConfig) -> list[Feed]:
    """Return the feeds of an account in order of importance, with its day and ratio scales."""
    period = config.period()
    own = config.statistics
    subscription = [
        add_columns(t.TOTALS, own.totals, t.RATIOS),
        add_columns(_scaled(t.SERVICES, config), own.services, t.RATIOS),
        t.SERVICE_DISPOSITIONS,
        t.AGENTS,
        t.AGENT_TIMES,
    ]
    if config.agents != "aggregate":
        subscription += [add_columns(t.EACH_AGENT, own.agents), t.AGENT_DISPOSITIONS]
    tables = {
        SUBSCRIPTION: [table.over(period) for table in subscription],
        DIRECTORY: [t.DIRECTORY_SERVICES, t.DIRECTORY_TEAMS],
        CAMPAIGNS: [t.CAMPAIGN_STATES, t.CAMPAIGN_RECORDS],
    }
    return [Feed(name, tables[name], times) for name, times in config.enabled_feeds().items()]


def _scaled(table: Table, config: BrightPatternConfig) -> Table:
    """Return a table whose ratios have the scales that the account sets."""
    parsers = {scale: parser for parser, scale in t.SCALES.items()}
    figures = tuple(
        replace(figure, parse=parsers[config.scale(figure.header)])
        if isinstance(figure, Column) and figure.header in t.RATIOS
        else figure
        for figure in table.figures
    )
    return replace(table, figures=figures)
