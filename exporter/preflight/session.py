"""One session with an account for the commands of this package: sign in, read every feed, sign out.

Requests are sent one at a time. A request limit of the platform is waited for, up to 15 minutes in
all.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from exporter.clock import Clock
from exporter.collector.base import Collector, Feed
from exporter.collector.http import Http
from exporter.collector.survey import Collected, Survey
from exporter.collector.threads import run_in_worker_if
from exporter.config.account import AccountConfig
from exporter.errors import ProviderError, SessionLost, Throttled, Unauthorized, utc
from exporter.logs import get_log
from exporter.metrics import families as f
from exporter.metrics.mapping import Mapped, map_reading
from exporter.metrics.reading import Reading
from exporter.telemetry import AccountTelemetry

_MAX_DURATION = 900.0  # seconds for reading all feeds: quotas of some platforms take minutes
_EMPTY_ATTEMPTS = 4  # answers "no data yet" in a row, after which the feed has failed
_EMPTY_PAUSE = 1.0  # seconds
_SHORTEST_WAIT, _LONGEST_WAIT = 1.0, 60.0  # seconds between looks at a request limit

_log = get_log(__name__)


@dataclass(slots=True)
class FeedResult:
    """Outcome of one feed; ``requests`` counts its successful requests by operation."""

    feed: Feed
    reading: Reading | None = None
    mapped: Mapped | None = None
    error: ProviderError | None = None
    requests: Mapping[str, float] = field(default_factory=dict)

    @property
    def series(self) -> int:
        """Number of series that the feed produced."""
        blocks = self.mapped.series.values() if self.mapped else ()
        return sum(len(block.labels) for block in blocks)


@dataclass(slots=True)
class PreflightSession:
    """One account, its collector and the result of every feed.

    ``refusal`` is the error that prevented the session. ``requests`` counts requests of any outcome
    before the survey, by operation. ``say`` reports progress. ``is_partial`` is set where not every
    feed is read, because some were selected or the command was interrupted.
    """

    account: AccountConfig
    collector: Collector
    http: Http
    feeds: dict[str, FeedResult]
    refusal: ProviderError | None = None
    survey: Survey = field(default_factory=Survey)
    requests: Mapping[str, float] = field(default_factory=dict)
    say: Callable[[str], None] = lambda _: None
    is_partial: bool = False
    signed_in: bool = False

    @property
    def collected(self) -> Collected:
        """Readings and errors so far, as ``Collector.survey`` and ``discover`` take them."""
        return Collected(
            {name: result.reading for name, result in self.feeds.items() if result.reading},
            {name: result.error for name, result in self.feeds.items() if result.error},
            self.refusal,
        )

    async def run_survey(self) -> None:
        """Ask the collector for objects, permissions and limits; a failure becomes a fault."""
        try:
            self.survey = await self.collector.survey(self.collected)
        except ProviderError as error:
            self.survey = Survey(faults=[f"survey failed: {error}"])


@asynccontextmanager
async def open_session(
    account: AccountConfig,
    collector: Collector,
    telemetry: AccountTelemetry,
    http: Http,
    clock: Clock,
    *,
    only: Sequence[str] = (),
    say: Callable[[str], None] = lambda _: None,
    started: Callable[[PreflightSession], None] = lambda _: None,
) -> AsyncIterator[PreflightSession]:
    """Sign in, read every feed, or ``only`` some, and yield the session while it is open.

    ``say`` reports progress; ``started`` gets the session before the first request.
    """
    name = account.name
    feeds = {
        feed.name: FeedResult(feed) for feed in collector.feeds if feed.name in only or not only
    }
    session = PreflightSession(account, collector, http, feeds, say=say, is_partial=bool(only))
    started(session)
    async with AsyncExitStack() as stack:
        try:
            for line in await collector.forecast(list(session.feeds)):
                session.say(f"{name}: {line}")
            await stack.enter_async_context(collector.open())
            session.signed_in = True
        except ProviderError as error:
            session.refusal = error
        try:
            if session.signed_in:
                await _FeedReader(session, telemetry, clock).read_all()
        finally:
            session.requests = _count_requests(telemetry, any_outcome=True)
        yield session


class _FeedReader:
    """Reads every feed once, in order of importance where the platform's limits allow."""

    def __init__(
        self, session: PreflightSession, telemetry: AccountTelemetry, clock: Clock
    ) -> None:
        self._session = session
        self._collector = session.collector
        self._telemetry = telemetry
        self._clock = clock
        self._labels = session.account.account_labels()
        self._deadline = clock.monotonic() + _MAX_DURATION

    async def read_all(self) -> None:
        pending = list(self._session.feeds.values())
        count = len(pending)
        while pending:
            result = min(pending, key=lambda result: self._collector.delay(result.feed.name))
            self._report(result.feed.name, pending, count)
            pending.remove(result)
            before = _count_requests(self._telemetry)
            try:
                await self._wait(result.feed.name)
                await self._read(result)
            except ProviderError as error:
                result.error = error
            result.requests = _count_requests(self._telemetry) - before
            if isinstance(result.error, SessionLost | Unauthorized):
                for unread in pending:
                    unread.error = SessionLost("not read: the session had ended")
                return

    async def _read(self, result: FeedResult) -> None:
        feed = result.feed
        reading = await self._fetch(feed)
        tables = {table.name: table for table in feed.tables}
        result.mapped = await run_in_worker_if(
            reading.is_large, map_reading, reading, tables, self._labels, raw=feed.times.raw
        )
        result.reading = reading

    async def _fetch(self, feed: Feed) -> Reading:
        """Read a feed; try again a few times while the platform has no data yet."""
        for attempt in range(1, _EMPTY_ATTEMPTS + 1):
            try:
                return await self._collector.fetch_in_time(feed)
            except ProviderError as error:
                if not error.early or attempt == _EMPTY_ATTEMPTS:
                    raise
                pause = max(_EMPTY_PAUSE, error.retry_after)
            await self._wait(feed.name, pause)
        raise AssertionError("the last attempt returns or raises")

    def _report(self, feed: str, pending: Sequence[FeedResult], count: int) -> None:
        """Report the feed that is read next, its number and the expected end of all."""
        names = [feed, *(result.feed.name for result in pending if result.feed.name != feed)]
        hold = self._collector.hold(names)
        end = f", expected end at {utc(hold.at)}: request limit {hold.limit}" if hold else ""
        number = count - len(pending) + 1
        account = self._session.account.name
        self._session.say(f"{account}: {feed}, {number} of {count}{end}")

    async def _wait(self, feed: str, pause: float = 0.0) -> None:
        """Wait for a pause, and until request limits allow to read a feed.

        Raises ``Throttled`` where that takes too long.
        """
        until = self._clock.monotonic() + pause
        while True:
            delay = self._collector.delay(feed)
            seconds = max(until - self._clock.monotonic(), delay)
            if seconds <= 0:
                return
            hold = self._collector.hold([feed])
            expected = min(seconds, hold.at - self._clock.time()) if hold else seconds
            if self._clock.monotonic() + expected > self._deadline:
                raise Throttled(
                    f"not read: next call possible {hold}"
                    if hold
                    else f"not read: a request limit would delay it by {seconds:.0f} s"
                )
            if delay > 0:
                _log.info("delayed by a request limit", feed=feed, seconds=round(expected, 1))
            await self._clock.sleep(min(seconds, max(expected, _SHORTEST_WAIT), _LONGEST_WAIT))
            if self._collector.delay(feed) > 0:
                await self._collector.forecast([])  # the platform's counters may have restarted


def _count_requests(telemetry: AccountTelemetry, *, any_outcome: bool = False) -> Counter[str]:
    """Return the account's requests so far by operation: the successful ones, or all."""
    counts: Counter[str] = Counter()
    for metric in telemetry.telemetry.registry.collect():
        for sample in metric.samples:
            labels = sample.labels
            if sample.name != f.API_REQUESTS.name or labels["account"] != telemetry.account:
                continue
            if any_outcome or labels["outcome"] == "ok":
                counts[labels["operation"]] += int(sample.value)
    return counts
