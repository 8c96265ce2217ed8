"""One visit to an account: sign in, read every feed once, look around, sign out.

For the commands that answer a person; what serves the page is the schedule. One request at a time,
as there; a platform's budget is waited for, within a limit for the whole visit.
"""

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from exporter.clock import Clock
from exporter.collector.base import Collector, Feed
from exporter.collector.http import Http
from exporter.collector.survey import Collected, Survey
from exporter.collector.threads import run_in_worker_if
from exporter.config.account import AccountConfig
from exporter.errors import ProviderError, SessionLost, Throttled, Unauthorized
from exporter.logs import get_log
from exporter.metrics import families as f
from exporter.metrics.mapping import Mapped, map_reading
from exporter.metrics.reading import Reading
from exporter.telemetry import AccountTelemetry

_LONGEST = 900.0  # seconds for reading all feeds: quotas of some platforms take minutes
_EARLY_ANSWERS = 4  # "nothing yet" in a row, after which it is the answer
_EARLY_PAUSE = 1.0

_log = get_log(__name__)


@dataclass(slots=True)
class FeedVisit:
    """What came of one feed, and the requests that were answered for it, by operation."""

    feed: Feed
    reading: Reading | None = None
    mapped: Mapped | None = None
    error: ProviderError | None = None
    requests: Mapping[str, float] = field(default_factory=dict)

    @property
    def series(self) -> int:
        """How many series the feed brought."""
        found = self.mapped.series.values() if self.mapped else ()
        return sum(len(each.labels) for each in found)


@dataclass(slots=True)
class Visit:
    """What came of one account. ``refusal`` is why there was no session."""

    account: AccountConfig
    collector: Collector
    http: Http
    feeds: dict[str, FeedVisit]
    refusal: ProviderError | None = None
    survey: Survey = field(default_factory=Survey)
    requests: Mapping[str, float] = field(default_factory=dict)  # of the visit until the survey

    @property
    def found(self) -> Collected:
        """What a collector is shown to look around."""
        return Collected(
            {name: each.reading for name, each in self.feeds.items() if each.reading},
            {name: each.error for name, each in self.feeds.items() if each.error},
            self.refusal,
        )


@asynccontextmanager
async def visiting(
    account: AccountConfig,
    collector: Collector,
    telemetry: AccountTelemetry,
    http: Http,
    clock: Clock,
) -> AsyncIterator[Visit]:
    """Give a visit whose feeds have been read, while its session is still open."""
    visit = Visit(
        account, collector, http, {feed.name: FeedVisit(feed) for feed in collector.feeds}
    )
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(collector.open())
        except ProviderError as error:
            visit.refusal = error
        else:
            await _Round(visit, telemetry, clock).read()
        visit.requests = _answered(telemetry, any_outcome=True)
        yield visit


async def survey(visit: Visit) -> None:
    """Let the collector look around; what it cannot ask is a fault of its own."""
    try:
        visit.survey = await visit.collector.survey(visit.found)
    except ProviderError as error:
        visit.survey = Survey(faults=[f"survey failed: {error}"])


class _Round:
    """Reads every feed once, the most important first, as the platform's budget allows."""

    def __init__(self, visit: Visit, telemetry: AccountTelemetry, clock: Clock) -> None:
        self._visit = visit
        self._telemetry = telemetry
        self._clock = clock
        self._labels = visit.account.account_labels()
        self._until = clock.monotonic() + _LONGEST

    async def read(self) -> None:
        left = list(self._visit.feeds.values())
        while left:
            each = min(left, key=lambda one: self._visit.collector.delay(one.feed.name))
            left.remove(each)
            before = _answered(self._telemetry)
            try:
                await self._wait(self._visit.collector.delay(each.feed.name))
                await self._read(each)
            except ProviderError as error:
                each.error = error
            each.requests = _answered(self._telemetry) - before
            if isinstance(each.error, SessionLost | Unauthorized):
                for other in left:
                    other.error = SessionLost("not read: the session had ended")
                return

    async def _read(self, each: FeedVisit) -> None:
        reading = await self._fetch(each.feed)
        tables = {table.name: table for table in each.feed.tables}
        each.mapped = await run_in_worker_if(
            reading.is_large, map_reading, reading, tables, self._labels, raw=each.feed.times.raw
        )
        each.reading = reading

    async def _fetch(self, feed: Feed) -> Reading:
        """Read a feed; where the platform has nothing yet, ask a few times."""
        for turn in range(1, _EARLY_ANSWERS + 1):
            try:
                return await self._visit.collector.fetch_in_time(feed)
            except ProviderError as error:
                if not error.early or turn == _EARLY_ANSWERS:
                    raise
                pause = max(_EARLY_PAUSE, error.retry_after)
            await self._wait(max(pause, self._visit.collector.delay(feed.name)))
        raise AssertionError("the last turn returns or raises")

    async def _wait(self, seconds: float) -> None:
        if self._clock.monotonic() + seconds > self._until:
            raise Throttled(f"not asked: its turn comes only in {seconds:.0f} s")
        if seconds > 0:
            _log.info("waiting until the platform may be asked", seconds=round(seconds, 1))
            await self._clock.sleep(seconds)


def _answered(telemetry: AccountTelemetry, *, any_outcome: bool = False) -> Counter[str]:
    """Return the account's requests so far by operation: those answered well, or all."""
    counts: Counter[str] = Counter()
    for metric in telemetry.telemetry.registry.collect():
        for sample in metric.samples:
            labels = sample.labels
            if sample.name != f.API_REQUESTS.name or labels["account"] != telemetry.account:
                continue
            if any_outcome or labels["outcome"] == "ok":
                counts[labels["operation"]] += int(sample.value)
    return counts
