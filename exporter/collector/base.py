"""What every provider's collector is: feeds that can be fetched while a session is open."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from exporter.collector.offers import Offers, offers
from exporter.collector.survey import Collected, Survey, objects
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


class Collector(ABC):
    """One account at one provider.

    It lives as long as the account; what it learns of budgets survives a session. It never
    sleeps, retries or decides when: the schedule does.
    """

    feeds: Sequence[Feed]

    @abstractmethod
    def open(self) -> AbstractAsyncContextManager[None]:
        """Sign in; leaving the context signs out, best-effort.

        Raises ``Unauthorized`` where the credentials are rejected, else ``ProviderError``.
        """

    @abstractmethod
    async def fetch(self, feed: str) -> Reading:
        """Read one feed. Raises ``ProviderError``; ``SessionLost`` where a new sign-in helps."""

    def wait(self, feed: str) -> float:  # noqa: ARG002 - for those that have a budget
        """Return the seconds until the platform's budget allows to fetch ``feed``; 0 is now."""
        return 0.0

    async def listen(self, seconds: float) -> Mapping[str, Reading] | None:  # noqa: ARG002
        """Use idle time, up to ``seconds``, to hear of changes; return readings by feed.

        ``None`` means that there is nothing to listen to for now. Raises ``ProviderError``.
        """
        return None

    # For the person who sets the exporter up: asked once, in a session of its own.

    async def survey(self, found: Collected) -> Survey:
        """Look around: what is there, what may we see, what is missing? Raises ``ProviderError``.

        Where ``found`` has no session nothing is asked, and only its refusal is explained.
        """
        tables = [table for feed in self.feeds for table in feed.tables]
        return Survey(objects=objects(tables, found))

    def steady(self, feed: str, requests: Mapping[str, float]) -> Mapping[str, float]:  # noqa: ARG002
        """Return what each refresh of a feed costs once the session stands.

        ``requests`` are those of its first refresh, by operation; the answer is by what limits
        are counted by, the operation where there are none.
        """
        return requests

    async def discover(self, found: Collected) -> Offers:
        """Tell what the platform offers, and what is mapped. Raises ``ProviderError``."""
        tables = [table for feed in self.feeds for table in feed.tables]
        return offers(tables, found)
