"""Base class of the providers' collectors, and the feeds that a collector reads."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from exporter.collector.offers import Offers, offers
from exporter.collector.survey import Collected, Survey, objects
from exporter.errors import Hold, TimedOut
from exporter.metrics.reading import Reading
from exporter.metrics.tables import Table


@dataclass(frozen=True, slots=True)
class FeedTimes:
    """The settings of one feed with every default filled in; times in seconds.

    ``interval`` is the time between refreshes, ``timeout`` that of one refresh, and
    ``stale_after`` the age at which figures leave the page. ``raw`` exports unmapped columns too.
    """

    interval: float
    timeout: float
    stale_after: float
    raw: bool = False


@dataclass(frozen=True, slots=True)
class Feed:
    """One kind of data, read on its own schedule."""

    name: str
    tables: Sequence[Table]
    times: FeedTimes

    @property
    def is_live(self) -> bool:
        """Whether the feed has figures of what queues, agents or campaigns do."""
        return any(table.subject and not table.inventory for table in self.tables)


class Collector(ABC):
    """Reads the feeds of one account at one provider.

    A collector lives as long as the account does, so what it learns about request limits survives
    a session. It neither sleeps nor retries nor decides when a feed is read: the schedule does.
    """

    feeds: Sequence[Feed]

    @abstractmethod
    def open(self) -> AbstractAsyncContextManager[None]:
        """Sign in; leaving the context signs out, as far as that is possible.

        Raises ``Unauthorized`` where the credentials are rejected, else ``ProviderError``.
        """

    @abstractmethod
    async def fetch(self, feed: str) -> Reading:
        """Read one feed.

        Raises ``SessionLost`` where a new sign-in is needed, else ``ProviderError``.
        """

    async def fetch_in_time(self, feed: Feed) -> Reading:
        """Read one feed within its timeout. Raises as ``fetch`` does, and ``TimedOut``."""
        try:
            async with asyncio.timeout(feed.times.timeout):
                return await self.fetch(feed.name)
        except TimeoutError:
            raise TimedOut(f"took longer than {feed.times.timeout:g} s") from None

    def delay(self, feed: str) -> float:  # noqa: ARG002 - for platforms with request limits
        """Return the seconds until a request limit allows to fetch ``feed``; 0 is now."""
        return 0.0

    def hold(self, feeds: Sequence[str]) -> Hold | None:  # noqa: ARG002 - as above
        """Return the request limit that delays the last of the feeds, read in their order.

        ``None`` where nothing is known to delay it. The time is an estimate for people.
        """
        return None

    async def listen(self, seconds: float) -> Mapping[str, Reading] | None:  # noqa: ARG002
        """Wait up to ``seconds`` for changes that the platform pushes; return readings by feed.

        Called while no feed is due. ``None`` means that nothing can be pushed now. Raises
        ``ProviderError``.
        """
        return None

    def retry(self) -> None:  # noqa: B027 - for platforms that ask to wait
        """Forget until when the platform asked to wait, a minute after its answer at the soonest.

        Called on a reload.
        """

    # For the commands check --live and discover: called once, in a session of its own.

    async def forecast(self, feeds: Sequence[str]) -> list[str]:  # noqa: ARG002 - as above
        """Return what a sign-in and the feeds will cost, and when they will be read.

        Called before the sign-in, and again while a limit delays a feed. Makes no request that
        counts. Raises ``ProviderError``.
        """
        return []

    async def survey(self, collected: Collected) -> Survey:
        """Return objects, permissions, licences and limits of the account, and what is missing.

        Without a session (``collected.refusal``) no request is made; the refusal is explained.
        Raises ``ProviderError``.
        """
        tables = [table for feed in self.feeds for table in feed.tables]
        return Survey(objects=objects(tables, collected))

    def known(self) -> Survey:
        """Return what the feeds have told of permissions and licences; no request is made."""
        return Survey()

    def steady_requests(self, feed: str, requests: Mapping[str, float]) -> Mapping[str, float]:  # noqa: ARG002
        """Return the requests of one refresh of a feed in a session that has been running.

        ``requests`` are those of the first refresh, by operation. The keys returned are those of
        the platform's limits, or the operations where it has none.
        """
        return requests

    async def discover(self, collected: Collected) -> Offers:
        """Return the columns that the platform offers, mapped or not. Raises ``ProviderError``."""
        tables = [table for feed in self.feeds for table in feed.tables]
        return offers(tables, collected)
