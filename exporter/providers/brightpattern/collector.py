"""Reading Bright Pattern: one user, one subscription, and what the directory says of names.

The subscription's states (Real-Time Statistics API): made when signing in; 200 is a reading; 204
fails the refresh, so that the last figures stay and age; 404, or another's data, makes it anew
and fails the refresh, because data are never ready at once and because it tells that another
login of the user is at work; 409 waits for a licence. A server's trouble changes nothing.
"""

import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from exporter.clock import Clock
from exporter.collector.base import Collector
from exporter.collector.http import Http
from exporter.collector.offers import Offers
from exporter.collector.survey import Collected, Survey
from exporter.errors import ProviderError, Throttled, Unauthorized
from exporter.logs import get_log
from exporter.metrics.reading import Reading
from exporter.providers.brightpattern import directory, tables
from exporter.providers.brightpattern.auth import Login, OAuth, Password
from exporter.providers.brightpattern.campaigns import Campaigns
from exporter.providers.brightpattern.client import Client, Declined, Expired, SubscriptionLost
from exporter.providers.brightpattern.config import CAMPAIGNS, BrightPatternConfig
from exporter.providers.brightpattern.directory import Directory
from exporter.providers.brightpattern.feeds import (
    SUBSCRIPTION,
    asked,
    certain_of,
    feeds,
)
from exporter.providers.brightpattern.preflight import look, suggest, totals
from exporter.providers.brightpattern.rows import Grids, doubled
from exporter.providers.brightpattern.subscription import (
    Answer,
    Layout,
    Selection,
    Statistic,
    negotiate,
)
from exporter.telemetry import AccountTelemetry

_SETTLE = 1.0  # seconds until the first data of a subscription are asked for
_SAME_DIRECTORY = 30.0  # seconds in which it is not read twice
_ASK_NAMES_EVERY = 300.0  # seconds; until then a service that the directory lacks has to wait
_LICENCE_PAUSES = (60.0, 120.0, 240.0, 300.0)


class BrightPatternCollector(Collector):
    """One API user. See ``Collector``."""

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
        self._client = client(config, http, clock)
        self._campaigns = Campaigns(self._client, config.auth_retry, self._log)
        labels = config.account_labels()
        self.feeds = list(feeds(config, labels))
        wanted = {table.name: table for feed in self.feeds for table in feed.tables}
        self._grids = Grids(wanted.values(), labels, self._log)
        self._wanted = list(asked(config, labels, wanted))
        self._certain = certain_of(wanted)
        self._subscribes = any(feed.name == SUBSCRIPTION for feed in self.feeds)
        self._declined: set[Statistic] = set()
        self._directory = Directory()
        self._directory_at = self._asked_names_at = float("-inf")
        self._selection = Selection()
        self._layout: Layout | None = None  # what is subscribed to
        self._posted: Layout | None = None  # what was last taken, perhaps only on trial
        self._ready_at = float("-inf")
        self._conflicts = 0
        self._sizes: dict[str, int] = {}
        self._left_out: set[str] = set()
        self._looked_for: frozenset[str] = frozenset()
        self._unknown: frozenset[str] = frozenset()

    # Session -------------------------------------------------------------------------------

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Sign in and subscribe; leaving it drops the subscription, which frees its licence."""
        await self._client.sign_in()
        alive = True
        try:
            if self._subscribes:
                await self._find_names()
                await self._subscribe()
            yield
        except Unauthorized:
            alive = False  # what is not accepted is not sent again
            raise
        finally:
            self._layout = None
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
        if self._clock.monotonic() >= self._directory_at + _SAME_DIRECTORY:
            await self._read_directory()
        await self._follow_directory()
        return self._directory.reading(self._selection)

    def delay(self, feed: str) -> float:
        """Return the seconds until a new subscription can have data."""
        if feed != SUBSCRIPTION:
            return 0.0
        return max(self._ready_at - self._clock.monotonic(), 0.0)

    # Looking around ------------------------------------------------------------------------

    async def survey(self, found: Collected) -> Survey:
        """Add the privileges that the answers reveal."""
        result = await super().survey(found)
        look(self._config, found, self._directory, result)
        return result

    async def discover(self, found: Collected) -> Offers:
        """Try the statistics that are known and not asked for, in a subscription on trial."""
        seen = await super().discover(found)
        seen.found = [
            each for each in seen.found if each.table != tables.TOTALS.name or each.use == "mapped"
        ]
        await totals(self._config, self._post, seen)
        suggest(self._config, seen)
        for grid, name in sorted(self._declined):
            seen.notes.append(f"{grid}: {name} is not offered by this tenant")
        return seen

    # Directory -----------------------------------------------------------------------------

    async def _read_directory(self) -> None:
        self._asked_names_at = self._clock.monotonic()
        self._directory = await directory.read(self._client)
        self._directory_at = self._clock.monotonic()

    async def _find_names(self) -> None:
        """Read the directory before a subscription; it must be had only for filters."""
        try:
            if self._clock.monotonic() >= self._directory_at + _SAME_DIRECTORY:
                await self._read_directory()
        except ProviderError as error:
            filtered = self._config.services or self._config.teams
            if filtered and self._directory_at == float("-inf"):
                raise
            self._log.debug("directory not read", reason=error.reason, error=str(error))
        self._selection = self._select()

    async def _follow_directory(self) -> None:
        """Subscribe anew where the directory has changed what to ask for."""
        selection = self._select()
        if selection != self._selection:
            self._selection = selection
            if self._layout is not None:
                await self._subscribe()

    def _select(self) -> Selection:
        for name in self._directory.unknown(self._config) - self._unknown:
            self._log.warning("configured team or service not seen", name=name)
        self._unknown = self._directory.unknown(self._config)
        return self._directory.selection(self._config)

    # Subscription --------------------------------------------------------------------------

    async def _read_subscription(self) -> Reading:
        """Read the subscription; an empty grid that was not empty before is read once more."""
        if self._layout is None:
            await self._subscribe()
            raise SubscriptionLost("there was no subscription; it was made anew")
        answer = await self._answer()
        if any(not rows and self._sizes.get(grid, 1) for grid, rows in answer.grids.items()):
            answer = await self._answer()
        self._sizes = {grid: len(rows) for grid, rows in answer.grids.items()}
        self._note_left_out(self._layout, answer)
        reading = self._grids.reading(
            self._layout, answer, self._clock.time(), self._directory.names
        )
        await self._look_for_names(
            self._grids.unlisted | (doubled(answer) - self._selection.shared)
        )
        return reading

    async def _answer(self) -> Answer:
        """Read our part of the data; where there is none, subscribe anew and fail."""
        assert self._layout is not None, "asked for without a subscription"
        layout = self._layout
        try:
            found = await self._client.data()
        except (SubscriptionLost, Expired) as lost:
            await self._subscribe()
            raise SubscriptionLost(f"{lost}; it was made anew") from lost
        if layout.app not in found:
            await self._subscribe()
            raise SubscriptionLost("another login of this user has the subscription; made anew")
        return layout.read(found[layout.app])

    def _note_left_out(self, layout: Layout, answer: Answer) -> None:
        """Log once which kinds of figures the platform leaves out of its answers."""
        wanted = {grid for grid in tables.KEYS if layout.asks(grid)}
        for grid in wanted - set(answer.grids) - self._left_out:
            self._left_out.add(grid)
            self._log.warning("the answer lacks a grid; see the user's privileges", grid=grid)

    async def _look_for_names(self, names: frozenset[str]) -> None:
        """Read the directory early where an answer has services that it lacks or cannot tell."""
        due = self._clock.monotonic() >= self._asked_names_at + _ASK_NAMES_EVERY
        known = self._directory_at != float("-inf") and names <= self._looked_for
        if known or not due:
            return
        self._looked_for |= names
        with contextlib.suppress(ProviderError):
            await self._read_directory()
            await self._follow_directory()

    async def _subscribe(self) -> None:
        """Make the subscription, without the statistics that the platform declines."""
        self._layout = None
        await self._client.unsubscribe()
        wanted = [each for each in self._wanted if each not in self._declined]
        try:
            await self._post(wanted)
        except Declined as error:
            self._log.debug("subscription declined", error_code=error.code, said=error.said)
            known = set(self._declined)
            await negotiate(wanted, self._declined, self._post, str(error))
            self._tell_declined(self._declined - known, error.code)
        self._layout = self._posted

    async def _post(self, wanted: Sequence[Statistic]) -> None:
        layout = Layout(wanted, self._selection, self._config.column_key)
        try:
            await self._client.subscribe(layout.body())
        except Throttled as error:
            pause = _LICENCE_PAUSES[min(self._conflicts, len(_LICENCE_PAUSES) - 1)]
            self._conflicts += 1
            raise Throttled(str(error), retry_after=max(error.retry_after, pause)) from error
        self._conflicts = 0
        self._posted = layout
        self._ready_at = self._clock.monotonic() + _SETTLE

    def _tell_declined(self, declined: set[Statistic], code: str) -> None:
        """Log what was guessed and is not there; what is certain is named by the schedule."""
        guesses = ", ".join(sorted(f"{grid}: {name}" for grid, name in declined - self._certain))
        self._log.info(
            "statistics declined", error_code=code, number=len(declined), guesses=guesses
        )


def client(config: BrightPatternConfig, http: Http, clock: Clock) -> Client:
    """Return the client of an account."""
    base = config.base_url.rstrip("/")

    def oauth(version: str) -> OAuth:
        assert config.api_secret is not None, "checked when the file was read"
        form = {
            "grant_type": "client_credentials",
            "client_id": config.username,
            "scope": config.tenant,
        }
        path = f"/configapi/{version}/oauth/token"
        return OAuth(http, clock, base, path, form, config.api_secret, config.timeout)

    login: Login
    if config.auth == "oauth":
        login = oauth("v2")
    else:
        assert config.password is not None, "checked when the file was read"
        body = {"tenant_url": config.tenant, "username": config.username}
        login = Password(http, base, body, config.password, config.timeout)
    lists = oauth("v3") if CAMPAIGNS in config.wanted_feeds() else None
    return Client(http, base, login, lists, config.timeout)
