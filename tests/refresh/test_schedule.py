"""The schedule: order and intervals of feeds, failures, staleness, shutdown."""

import asyncio
import itertools
import logging
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from exporter.collector.base import Collector, Feed, FeedTimes
from exporter.errors import (
    InternalError,
    InvalidAnswer,
    ProviderError,
    Refused,
    SessionLost,
    Throttled,
    TimedOut,
    Unauthorized,
    Unexplained,
    Unreachable,
)
from exporter.exposition.encoding import Format
from exporter.exposition.store import Limits, SnapshotStore
from exporter.metrics import families as f
from exporter.metrics.labels import AccountLabels, Filter
from exporter.metrics.mapping import map_reading
from exporter.metrics.period import Period
from exporter.metrics.reading import Reading, Rows
from exporter.metrics.tables import Column, Key, Table
from exporter.refresh import schedule
from exporter.refresh.schedule import Refresher
from exporter.status import AccountStatus, Failure, Quota
from exporter.telemetry import AccountTelemetry, Telemetry
from support.clock import VirtualClock

pytestmark = pytest.mark.anyio

TABLE = Table(
    "grid",
    (Key("queue", "Queue"),),
    (Column("Waiting", f.QUEUE_CONTACTS_WAITING, labels={"media": "voice"}),),
)
LIVE = replace(TABLE, subject="queue")
INVENTORY = replace(LIVE, inventory=True)
Answer = Callable[[], Reading]


def reading(waiting: int = 1) -> Reading:
    return Reading({"grid": Rows.of([{"Queue": "Sales", "Waiting": waiting}])}, 1_700_000_000.0)


def raising(error: BaseException) -> Answer:
    def answer() -> Reading:
        raise error

    return answer


class Script(Collector):
    """A collector with scripted answers, which records its calls."""

    def __init__(self, clock: VirtualClock, feeds: Sequence[Feed]) -> None:
        self.clock = clock
        self.feeds = feeds
        self.asked: list[tuple[str, float]] = []
        self.sessions: list[float] = []
        self.closed = 0
        self.answers: dict[str, list[Answer]] = {feed.name: [] for feed in feeds}
        self.sign_ins: list[BaseException] = []
        self.takes = 0.0
        self.waits: dict[str, float] = {}
        self.heard: list[Mapping[str, Reading] | ProviderError] = []
        self.listened: list[float] = []

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        self.sessions.append(self.clock.elapsed)
        if self.sign_ins:
            raise self.sign_ins.pop(0)
        try:
            yield
        finally:
            self.closed += 1

    async def fetch(self, feed: str) -> Reading:
        self.asked.append((feed, self.clock.elapsed))
        if self.takes:
            await self.clock.sleep(self.takes)
        answers = self.answers[feed]
        return answers.pop(0)() if answers else reading()

    def delay(self, feed: str) -> float:
        return max(0.0, self.waits.get(feed, 0.0) - self.clock.elapsed)

    async def listen(self, seconds: float) -> Mapping[str, Reading] | None:
        if not self.heard:
            return None
        self.listened.append(self.clock.elapsed)
        found = self.heard.pop(0)
        if isinstance(found, ProviderError):
            raise found
        await self.clock.sleep(min(seconds, 2.0))
        return found

    def times(self, feed: str) -> list[float]:
        return [round(at, 3) for name, at in self.asked if name == feed]


class Bench:
    """One account with its schedule."""

    def __init__(self, *intervals: float, **options: Any) -> None:
        self.clock = VirtualClock(1_700_000_000.0)
        stale = options.pop("stale_after", 30.0)
        tables = options.pop("tables", (TABLE,) * len(intervals))
        names = "abcdefgh"
        feeds = [
            Feed(names[at], (tables[at],), FeedTimes(interval, 5.0, max(stale, interval)))
            for at, interval in enumerate(intervals)
        ]
        self.script = Script(self.clock, feeds)
        self.telemetry = Telemetry()
        self.store = SnapshotStore()
        self.status = AccountStatus("", "", "signing in", ())
        self.samples: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
        self.refresher = Refresher(
            self.script,
            AccountLabels(
                {"provider": "five9", "account": "acme"}, filter=options.pop("filter", Filter())
            ),
            self.store,
            AccountTelemetry(self.telemetry, "five9", "acme"),
            auth_retry=900.0,
            limits=Limits(1000, 500_000),
            clock=self.clock,
            roll=lambda: 0.0,
            **options,
        )

    async def run(self, until: float) -> None:
        """Run the schedule for so many seconds, then end it."""
        self.clock.end = self.clock.start + until
        self.clock.ended.clear()
        task = asyncio.create_task(self.refresher.run())
        ended = asyncio.create_task(self.clock.ended.wait())
        await asyncio.wait([task, ended], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        self.samples = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in self.telemetry.registry.collect()
            for sample in family.samples
        }
        self.status = self.refresher.status()
        task.cancel()
        await asyncio.wait([task])

    def metric(self, name: str, **labels: str) -> float | None:
        """Return one of the exporter's own metrics as it was just before the end."""
        own = {"provider": "five9", "account": "acme", **labels}
        return self.samples.get((f"contactcenter_{name}", frozenset(own.items())))

    def page(self) -> str:
        body = self.store.page(self.clock.elapsed).body(Format.TEXT, gzip=False)[0]
        return b"".join(body).decode()


async def test_feeds_are_read_in_order_of_importance_then_on_their_beat() -> None:
    """All feeds are read at once in their order, then each at its own interval."""
    bench = Bench(10, 20)
    await bench.run(61)
    assert [name for name, _ in bench.script.asked[:2]] == ["a", "b"]
    assert bench.script.times("a") == [0, 5, 15, 25, 35, 45, 55]
    assert bench.script.times("b") == [0, 10, 30, 50]


async def test_a_slow_feed_skips_beats_and_never_catches_up() -> None:
    """Refreshes missed while a feed was slow are counted, not made up for."""
    bench = Bench(1)
    bench.script.takes = 3.5
    await bench.run(60)
    gaps = [
        b - a for a, b in zip(bench.script.times("a"), bench.script.times("a")[1:], strict=False)
    ]
    assert min(gaps) >= 3.5
    skipped = bench.metric("feed_refreshes_total", feed="a", outcome="skipped")
    assert skipped is not None
    assert skipped > 30


async def test_the_feed_due_longest_comes_first() -> None:
    """A feed of low importance is not starved by a fast one of high importance."""
    bench = Bench(1, 10)
    bench.script.takes = 1.5
    await bench.run(120)
    assert len(bench.script.times("b")) >= 10


async def test_a_failing_feed_backs_off_alone() -> None:
    """A feed that fails waits twice as long each time, to a minute; its neighbours do not."""
    bench = Bench(10, 10)
    bench.script.answers["a"] = [raising(Unreachable("gone"))] * 6
    await bench.run(240)
    assert bench.script.times("a")[:6] == [0, 10, 30, 70, 130, 190]
    assert len(bench.script.times("b")) >= 23
    assert bench.script.sessions == [0]
    assert bench.metric("feed_up", feed="a") == 0
    assert bench.metric("up") == 1


class NotYet(ProviderError):
    """The platform has nothing yet."""

    reason = "empty"
    early = True


@pytest.mark.parametrize(("times", "tried"), [(1, False), (3, False), (4, True)])
async def test_nothing_yet_is_no_first_answer(times: int, *, tried: bool) -> None:
    """A feed without data has not been tried, until that has lasted for a few answers."""
    bench = Bench(1)
    bench.script.answers["a"] = [raising(NotYet("later"))] * times
    until = [0.9, 1.9, 6.9, 7.1][times - 1]
    await bench.run(until)
    assert len(bench.script.times("a")) == times
    assert bench.refresher.all_tried.is_set() is tried


async def test_success_ends_the_backoff() -> None:
    """After one success a feed is back on its interval."""
    bench = Bench(10)
    bench.script.answers["a"] = [reading, raising(Unreachable("x")), raising(Unreachable("x"))]
    await bench.run(80)
    assert bench.script.times("a") == [0, 5, 15, 35, 45, 55, 65, 75]
    assert bench.metric("feed_refreshes_total", feed="a", outcome="network") == 2


async def test_retry_after_is_respected() -> None:
    """A feed is not read again before the time in ``retry_after``."""
    bench = Bench(5)
    bench.script.answers["a"] = [raising(Throttled("later", retry_after=120))]
    await bench.run(200)
    assert bench.script.times("a")[1] == 120


async def test_a_budget_delays_only_what_it_is_for() -> None:
    """A feed held back by a request limit waits; the others go on."""
    bench = Bench(10, 10)
    bench.script.waits = {"a": 47.0}
    await bench.run(60)
    assert bench.script.times("a")[0] == 47
    assert len(bench.script.times("b")) == 7


async def test_equal_readings_count_alike() -> None:
    """A reading that equals the last is taken like any other: it is fresh, and its faults count."""
    bench = Bench(10.0)
    cells = [{"Queue": "Sales", "Waiting": 7}, {"Queue": "Bad", "Waiting": "many"}]
    bench.script.answers["a"] = [
        lambda at=at: Reading({"grid": Rows.of(cells)}, 1_700_000_000.0 + at) for at in range(9)
    ]
    await bench.run(until=34.0)

    assert len(bench.script.asked) == 4
    assert bench.metric("schema_rejected_cells_total", table="grid") == 4
    assert bench.metric("feed_source_timestamp_seconds", feed="a") == 1_700_000_003.0
    assert bench.metric("feed_samples", feed="a") == 1
    assert 'queue="Sales"} 7' in bench.page().replace(',media="voice"', "")


async def test_stale_figures_leave_the_page() -> None:
    """Figures that were not refreshed in time leave the page."""
    bench = Bench(10, stale_after=30.0)
    bench.script.answers["a"] = [reading, *[raising(Unreachable("x"))] * 9]
    await bench.run(29)
    assert "contactcenter_queue_contacts_waiting{" in bench.page()
    bench.clock.elapsed = 31
    assert bench.page() == ""


async def test_a_lost_session_is_opened_again_at_once() -> None:
    """A session that worked and ended is followed by a new sign-in without a pause."""
    bench = Bench(10)
    bench.script.answers["a"] = [reading, raising(SessionLost("closed"))]
    await bench.run(30)
    assert bench.script.sessions == [0, 5]
    assert bench.script.closed == 2
    assert bench.metric("session_signins_total", outcome="ok") == 2
    assert "contactcenter_queue_contacts_waiting{" in bench.page()


async def test_sessions_that_keep_failing_back_off() -> None:
    """Failed sign-ins are retried at growing intervals, five minutes at most."""
    bench = Bench(10)
    bench.script.sign_ins = [Unreachable("down")] * 20
    await bench.run(1500)
    gaps = [b - a for a, b in zip(bench.script.sessions, bench.script.sessions[1:], strict=False)]
    assert gaps[:7] == [2, 4, 8, 16, 32, 64, 128]
    assert max(gaps) == 300
    assert bench.metric("session_signins_total", outcome="network") == len(bench.script.sessions)


async def test_rejected_credentials_are_not_tried_again_soon() -> None:
    """Rejected credentials stop the account for ``auth_retry``, and drop its figures at once."""
    bench = Bench(10)
    bench.script.answers["a"] = [reading, raising(SessionLost("closed"))]
    await bench.run(4)
    assert bench.page() != ""
    bench.script.sign_ins = [Unauthorized("no")]
    bench.script.sessions.clear()
    await bench.run(800)
    assert bench.script.sessions == [4]
    assert bench.page() == ""
    assert bench.metric("up") == 0


async def test_the_same_rejected_credentials_are_tried_ever_more_rarely() -> None:
    """Each rejection of unchanged credentials doubles the pause, to an hour."""
    bench = Bench(10)
    bench.script.sign_ins = [Unauthorized("no")] * 5
    await bench.run(11_000)
    assert bench.script.sessions == [0, 900, 2700, 6300, 9900]


async def test_other_failures_after_a_rejection_keep_the_gap() -> None:
    """Five minutes after the last stable session there is at most one sign-in a minute."""
    bench = Bench(10)
    bench.script.sign_ins = [Unauthorized("no"), *[Unreachable("down")] * 4, Unauthorized("no")]
    await bench.run(3000)
    assert bench.script.sessions[:2] == [0, 900]
    assert len(bench.script.sessions) >= 6
    assert min(b - a for a, b in pairwise(bench.script.sessions[1:])) >= 60


async def test_secret_files_are_read_before_a_sign_in_that_follows_a_rejection() -> None:
    """The files are looked at every minute; once they have changed nothing is sent any more."""
    looks: list[float] = []
    changed_at = 1000.0

    async def replaced() -> bool:
        looks.append(bench.clock.elapsed)
        return bench.clock.elapsed >= changed_at

    bench = Bench(10, replaced=replaced)
    bench.script.sign_ins = [Unauthorized("no")] * 5
    await bench.run(20_000)
    assert bench.script.sessions == [0, 900]
    assert looks[:3] == [60, 120, 180]
    assert 900 in looks


async def test_secret_files_are_not_read_without_a_rejection() -> None:
    """Other failures of the sign-in have nothing to do with the secrets."""

    async def replaced() -> bool:
        raise AssertionError("not to be called")

    bench = Bench(10, replaced=replaced)
    bench.script.sign_ins = [Unreachable("down"), Unreachable("down")]
    await bench.run(100)
    assert bench.script.sessions == [0, 2, 6]


@pytest.mark.parametrize("lives", [0, 20, 59, 61])
async def test_sessions_that_do_not_last_are_opened_ever_more_rarely(lives: float) -> None:
    """A session that works for a moment only is no recovery: at most one sign-in a minute."""
    bench = Bench(10)
    script = bench.script

    def answer() -> Reading:
        if bench.clock.elapsed >= script.sessions[-1] + lives:
            raise SessionLost("unknown client")
        return reading()

    script.answers["a"] = [answer] * 2000
    await bench.run(3600)
    late = [at for at in script.sessions if at > 300]
    assert len(late) >= 5
    assert all(b - a >= 60 for a, b in pairwise(late))


async def test_a_session_that_worked_for_a_minute_is_a_recovery() -> None:
    """Sessions that end between two refreshes of a slow feed are opened again at once."""
    bench = Bench(600)
    script = bench.script

    async def listen(_: float) -> None:
        if bench.clock.elapsed >= script.sessions[-1] + 70:
            raise SessionLost("closed")

    script.listen = listen
    await bench.run(1000)
    gaps = [b - a for a, b in pairwise(script.sessions)]
    assert len(gaps) >= 12
    assert max(gaps) < 73


async def test_a_late_refresh_is_not_followed_by_one_at_once() -> None:
    """After a refresh that was late the next is half an interval away at least, on the beat."""
    bench = Bench(2, 4)
    bench.script.takes = 0.01

    def delay(_: str) -> float:  # a limit that holds everything back for 5.9 of 9 seconds
        into = bench.clock.elapsed % 9.0
        return max(5.9 - into, 0.0) if into < 5.899 else 0.0

    bench.script.delay = delay
    await bench.run(600)
    for name, interval in (("a", 2), ("b", 4)):
        times = bench.script.times(name)
        assert len(times) >= 60
        assert min(b - a for a, b in pairwise(times)) >= interval / 2


async def test_a_bug_in_one_feed_is_contained(caplog: pytest.LogCaptureFixture) -> None:
    """An unexpected error fails one refresh, is logged with its traceback, and counted."""
    bench = Bench(10, 10)
    bench.script.answers["a"] = [raising(ZeroDivisionError("bug"))]
    with caplog.at_level(logging.ERROR):
        await bench.run(30)
    assert bench.metric("feed_refreshes_total", feed="a", outcome="internal") == 1
    assert bench.script.sessions == [0]
    assert "ZeroDivisionError" in caplog.text


async def test_a_bug_in_signing_in_is_contained() -> None:
    """An unexpected error while signing in is retried after a back-off."""
    bench = Bench(10)
    bench.script.sign_ins = [ZeroDivisionError("bug")]
    await bench.run(30)
    assert bench.script.sessions == [0, 2]
    assert bench.metric("session_signins_total", outcome="internal") == 1


def tracebacks(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [str(record.exc_info[1]) for record in caplog.records if record.exc_info]


async def test_a_bug_is_logged_once_until_all_is_well(caplog: pytest.LogCaptureFixture) -> None:
    """A bug that recurs at each refresh has one traceback, another or a later one has its own."""
    bench = Bench(10, 10)
    bugs = [ZeroDivisionError("one"), OverflowError("two")] * 10
    bench.script.answers["a"] = [*map(raising, bugs), reading, raising(bugs[0])]
    bench.script.answers["b"] = [raising(ZeroDivisionError("three"))] * 5
    with caplog.at_level(logging.INFO):
        await bench.run(3600)
    assert tracebacks(caplog) == ["one", "three", "two", "one"]
    assert bench.metric("feed_refreshes_total", feed="a", outcome="internal") == 21


@pytest.mark.parametrize("signs_in", [False, True])
async def test_a_bug_in_the_session_is_logged_once(
    signs_in: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """A session that ends in a bug at each try has one traceback, and the gaps grow."""
    bench = Bench(10)
    if signs_in:
        bench.script.delay = lambda _: 1 // 0  # type: ignore[method-assign]
    else:
        bench.script.sign_ins = [ZeroDivisionError("bug")] * 1000
    with caplog.at_level(logging.INFO):
        await bench.run(3600)
    assert len(tracebacks(caplog)) == 1
    assert 5 < len(bench.script.sessions) < 25


@pytest.mark.parametrize(
    "error", [ZeroDivisionError("bug"), Unreachable("gone"), SessionLost("gone"), TimedOut("late")]
)
async def test_an_error_in_the_sign_out_does_not_keep_the_account(error: Exception) -> None:
    """A schedule that was cancelled ends, whatever the sign-out raises."""
    bench = Bench(10)

    @asynccontextmanager
    async def opened() -> AsyncIterator[None]:
        bench.script.sessions.append(bench.clock.elapsed)
        try:
            yield
        finally:
            bench.script.closed += 1
            raise error

    bench.script.open = opened  # type: ignore[method-assign]
    await asyncio.wait_for(bench.run(30), 5)
    assert len(bench.script.sessions) == bench.script.closed == 1


@pytest.mark.parametrize("signed_in", [True, False])
async def test_a_reload_ends_a_long_wait(signed_in: bool) -> None:
    """What the platform asked to wait for an hour is asked for again, at most once a minute."""
    bench = Bench(10, 10)
    wait = Throttled("HTTP 429", retry_after=3600.0)
    reloads = [600.0, 601.0, 602.0, 625.0, 640.0]
    if signed_in:
        bench.script.answers["a"] = [raising(wait)] * 2
    else:
        bench.script.sign_ins = [wait] * 2

    def reload() -> None:
        while reloads and bench.clock.elapsed >= reloads[0]:
            reloads.pop(0)
            bench.refresher.retry()

    bench.clock.watchers.append(reload)
    await bench.run(1200)
    tries = bench.script.times("a") if signed_in else bench.script.sessions
    assert 600 <= tries[1] <= 661
    assert all(after - before >= 59.9 for before, after in pairwise(tries[:3]))


async def test_without_a_reload_an_hour_is_waited() -> None:
    """A wait that the platform asks for is kept."""
    bench = Bench(10)
    bench.script.answers["a"] = [raising(Throttled("HTTP 429", retry_after=3600.0))]
    await bench.run(3700)
    assert bench.script.times("a")[:2] == [0, 3600]


async def test_an_unreadable_answer_fails_the_feed() -> None:
    """An answer without the column that names its rows is a failure, not an empty table."""
    bench = Bench(10)
    bench.script.answers["a"] = [lambda: Reading({"grid": Rows.of([{"Other": 1}])})]
    await bench.run(4)
    assert bench.metric("feed_refreshes_total", feed="a", outcome=InvalidAnswer.reason) == 1


async def test_each_streak_of_failures_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """Failures in a row are one warning, their end one line; repeats are logged as debug."""
    bench = Bench(10)
    bench.script.answers["a"] = [raising(Unreachable("x"))] * 4
    with caplog.at_level(logging.INFO, logger="exporter"):
        await bench.run(200)
    messages = [record.getMessage() for record in caplog.records]
    assert messages.count("refresh failed") == 1
    assert messages.count("refresh recovered") == 1


async def test_listening_fills_idle_time_only() -> None:
    """A pushed reading is exported and postpones the feed; due feeds are not delayed."""
    bench = Bench(10, 10)
    bench.script.heard = [{"a": reading(7)}]
    await bench.run(11)
    assert bench.script.listened == [0]
    assert 'queue="Sales",media="voice"} 7' in bench.page()
    assert bench.script.times("a") == [0]
    assert bench.script.times("b") == [0, 5]


@pytest.mark.parametrize(("same", "counted"), [(True, 1), (False, 3)])
async def test_what_was_not_read_again_counts_once(same: bool, counted: int) -> None:
    """The same reading again counts no bad cells twice, and its figures stay valid."""
    bench = Bench(10)

    def pushed() -> Reading:
        rows = [{"Queue": "Sales", "Waiting": "bad"}, {"Queue": "Support", "Waiting": 7}]
        return Reading({"grid": Rows.of(rows)})

    kept = pushed()
    bench.script.answers["a"] = [lambda: kept if same else pushed()] * 9
    await bench.run(21)
    assert bench.script.times("a") == [0, 5, 15]
    assert bench.metric("schema_rejected_cells_total", table="grid") == counted
    assert bench.metric("feed_last_success_timestamp_seconds", feed="a") == 1_700_000_015.0
    assert 'queue="Support",media="voice"} 7' in bench.page()


async def test_failing_to_listen_is_no_failure_of_a_feed() -> None:
    """A long poll that fails is left out for a while; the feeds go on."""
    bench = Bench(10)
    bench.script.heard = [Unreachable("x"), {}, {}]
    await bench.run(50)
    assert bench.script.listened == [0]
    assert bench.metric("feed_up", feed="a") == 1


async def test_losing_the_session_while_listening_opens_a_new_one() -> None:
    """A session that ends in a long poll is opened again."""
    bench = Bench(10)
    bench.script.heard = [SessionLost("closed")]
    await bench.run(20)
    assert len(bench.script.sessions) == 2


DOWN = raising(Unreachable("x"))
AT_LENGTH = 99  # refreshes


@pytest.mark.parametrize("other", [INVENTORY, TABLE])
async def test_only_live_figures_make_an_account_up(other: Table) -> None:
    """A feed without live figures does not keep an account up, however long it is fresh."""
    bench = Bench(10, 3600, tables=(LIVE, other))
    bench.script.answers["a"] = [reading, *[DOWN] * AT_LENGTH]
    await bench.run(29.9)
    assert (bench.metric("up"), bench.status.up) == (1, True)
    bench = Bench(10, 3600, tables=(LIVE, other))
    bench.script.answers["a"] = [reading, *[DOWN] * AT_LENGTH]
    await bench.run(30)
    assert (bench.metric("up"), bench.status.up) == (0, False)
    assert bench.metric("feed_up", feed="b") == 1


async def test_one_live_feed_is_enough() -> None:
    """An account is up while any of its live feeds has figures, and again once one has."""
    bench = Bench(10, 10, tables=(LIVE, LIVE))
    bench.script.answers["a"] = [DOWN] * AT_LENGTH
    await bench.run(600)
    assert bench.metric("up") == 1
    bench = Bench(10, tables=(LIVE,))
    bench.script.answers["a"] = [reading, *[DOWN] * 4]
    await bench.run(200)
    assert bench.metric("feed_refreshes_total", feed="a", outcome="network") == 4
    assert bench.metric("up") == 1


async def test_a_slow_feed_alone_does_not_keep_an_account_up() -> None:
    """With a quick feed, three minutes without a reading take an account down."""
    for until, up in ((184, 1), (186, 0), (3000, 0)):
        bench = Bench(10, 900, tables=(LIVE, LIVE))
        bench.script.answers["a"] = [reading, reading, *[DOWN] * AT_LENGTH]
        bench.script.answers["b"] = [reading, *[DOWN] * AT_LENGTH]
        await bench.run(until)
        assert bench.script.times("a")[1] == pytest.approx(5)
        assert bench.metric("up") == up, until


async def test_a_slow_feed_that_works_keeps_an_account_up() -> None:
    """Where the quick feed fails, a slow one is read early, once, and decides from then on."""
    for until in range(100, 3600, 100):
        bench = Bench(10, 900, tables=(LIVE, LIVE))
        bench.script.answers["a"] = [reading, *[DOWN] * 999]
        await bench.run(until)
        assert bench.metric("up") == 1, until
    assert bench.script.times("b")[1] == pytest.approx(120, abs=2)
    assert bench.script.times("b")[2:] == pytest.approx([1020, 1920, 2820], abs=2)


async def test_up_falls_between_refreshes() -> None:
    """Figures that expire while nothing is refreshed take the account down at that moment."""
    bench = Bench(10, tables=(LIVE,))
    bench.script.answers["a"] = [reading, raising(Throttled("later", retry_after=3600))]
    await bench.run(20)
    assert bench.metric("up") == 1
    bench = Bench(10, tables=(LIVE,))
    bench.script.answers["a"] = [reading, raising(Throttled("later", retry_after=3600))]
    await bench.run(40)
    assert len(bench.script.asked) == 2
    assert (bench.metric("up"), bench.status.up, bench.page()) == (0, False, "")


async def test_no_figures_are_not_live_figures() -> None:
    """A live feed that answers without a single row does not make an account up."""
    bench = Bench(10, tables=(LIVE,))
    bench.script.answers["a"] = [lambda: Reading({"grid": Rows.of([])})] * AT_LENGTH
    await bench.run(60)
    assert bench.metric("feed_up", feed="a") == 1
    assert bench.metric("up") == 0


async def test_without_live_feeds_any_feed_makes_an_account_up() -> None:
    """Where no live feed is enabled, the feeds that are decide."""
    bench = Bench(10, tables=(INVENTORY,))
    bench.script.answers["a"] = [reading, *[DOWN] * AT_LENGTH]
    await bench.run(20)
    assert bench.metric("up") == 1
    bench = Bench(10, tables=(INVENTORY,))
    bench.script.answers["a"] = [reading, *[DOWN] * AT_LENGTH]
    await bench.run(40)
    assert bench.metric("up") == 0


async def test_a_lost_session_is_down_until_the_next() -> None:
    """Fresh figures do not make an account up without a session, and do with the next one."""
    for until, up in ((14, 0), (16, 1)):
        bench = Bench(10, tables=(LIVE,))
        lost = raising(SessionLost("closed", retry_after=10))
        bench.script.answers["a"] = [reading, lost, *[DOWN] * 9]
        await bench.run(until)
        assert bench.page() != ""
        assert bench.metric("up") == up


async def test_cancelling_signs_out() -> None:
    """Ending the schedule leaves the session in order."""
    bench = Bench(10)
    await bench.run(12)
    own = {"provider": "five9", "account": "acme"}
    assert bench.script.closed == 1
    assert bench.metric("up") == 1
    assert bench.telemetry.registry.get_sample_value("contactcenter_up", own) == 0


async def test_a_fetch_that_never_ends_is_cut_off() -> None:
    """A refresh that takes longer than its timeout fails, and the account goes on."""
    bench = Bench(10)
    bench.script.feeds = [Feed("a", (TABLE,), FeedTimes(10.0, 0.02, 30.0))]
    hung = Refresher(
        bench.script,
        AccountLabels({"provider": "five9", "account": "acme"}),
        bench.store,
        AccountTelemetry(bench.telemetry, "five9", "acme"),
        auth_retry=900.0,
        limits=Limits(1000, 500_000),
        clock=bench.clock,
        roll=lambda: 0.0,
    )
    bench.clock.end = bench.clock.start + 100.0
    bench.script.takes = 1000.0
    task = asyncio.create_task(hung.run())
    await asyncio.wait_for(hung.all_tried.wait(), timeout=5)
    task.cancel()
    await asyncio.wait([task])
    own = {"provider": "five9", "account": "acme", "feed": "a", "outcome": "timeout"}
    refreshes = "contactcenter_feed_refreshes_total"
    assert bench.telemetry.registry.get_sample_value(refreshes, own) == 1


async def test_a_refresh_during_a_suspend() -> None:
    """A refresh of which a suspend was a part is not published: its first figures are old."""
    bench = Bench(10)

    def suspended() -> Reading:
        bench.clock.elapsed += 3600.0
        return reading()

    bench.script.answers["a"] = [suspended]
    await bench.run(3605)

    assert bench.page() == ""
    (feed,) = bench.status.feeds
    assert feed.failure is not None
    assert (feed.failure.reason, feed.failure.message) == (
        "timeout",
        "took longer than 5 s: the machine was suspended",
    )


async def test_a_suspend_during_the_mapping(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures age from when they were read, also while they are mapped."""
    bench = Bench(10)

    def suspended(*arguments: Any, **options: Any) -> Any:
        bench.clock.elapsed += 3600.0
        return map_reading(*arguments, **options)

    monkeypatch.setattr("exporter.refresh.schedule.map_reading", suspended)
    await bench.run(3605)

    assert bench.page() == ""
    assert not bench.status.up


async def test_the_status_of_feeds() -> None:
    """A feed that works tells its age, next time and size; one that fails tells why."""
    bench = Bench(10, 20)
    bench.script.answers["b"] = [raising(Unreachable("gone"))] * 3
    await bench.run(17)
    status = bench.status
    assert (status.account, status.provider, status.session) == ("acme", "five9", "signed in")
    good, bad = status.feeds
    assert (good.name, good.state, good.interval) == ("a", "ok", 10)
    assert (good.age, good.due_in, good.seconds, good.samples) == (2, 8, 0, 1)
    assert good.failure is None
    assert (bad.state, bad.age, bad.due_in, bad.samples) == ("failing", None, 3, None)
    assert bad.failure == Failure.of(Unreachable("gone"), 1)


async def test_the_status_before_and_after_the_first_answer() -> None:
    """A feed waits until it has been read, and forgets a failure with the next success."""
    bench = Bench(10)
    assert bench.refresher.status().session == "signing in"
    assert [feed.state for feed in bench.refresher.status().feeds] == ["waiting"]
    bench.script.answers["a"] = [raising(InvalidAnswer("odd"))]
    await bench.run(12)
    (feed,) = bench.status.feeds
    assert (feed.state, feed.failure) == ("ok", None)


async def test_the_status_of_figures_that_have_grown_old() -> None:
    """A feed held back by a request limit for too long waits, though nothing has failed."""
    bench = Bench(10, 10)

    def last_one_for_now() -> Reading:
        bench.script.waits["a"] = 1000.0
        return reading()

    bench.script.answers["a"] = [last_one_for_now]
    await bench.run(29)
    assert [feed.state for feed in bench.status.feeds] == ["ok", "ok"]
    await bench.run(31)
    held, other = bench.status.feeds
    assert (held.state, held.failure, other.state) == ("waiting", None, "ok")
    assert held.due_in is not None
    assert held.due_in == pytest.approx(969)  # not "now", as the limit holds it back


async def test_the_status_of_a_lost_session() -> None:
    """Without a session the status has its failure and the next attempt; the feeds wait."""
    bench = Bench(10)
    bench.script.sign_ins = [Unreachable("down")] * 20
    await bench.run(10)
    status = bench.status
    assert (status.session, status.failure) == ("waiting", Failure.of(Unreachable("down"), 3))
    assert status.retry_in == 4
    assert [(feed.state, feed.due_in) for feed in status.feeds] == [("waiting", None)]


async def test_the_status_of_refused_credentials() -> None:
    """Refused credentials stop the account and its feeds for the pause."""
    bench = Bench(10)
    bench.script.sign_ins = [Unauthorized("no")]
    await bench.run(100)
    status = bench.status
    assert (status.session, status.failure) == ("stopped", Failure.of(Unauthorized("no"), 1))
    assert status.retry_in == 800
    assert [feed.state for feed in status.feeds] == ["stopped"]


async def test_the_status_of_a_bug() -> None:
    """A bug is told by the name of its error, which holds no data."""
    bench = Bench(10)
    bench.script.sign_ins = [ZeroDivisionError("some data")]
    await bench.run(1)
    assert bench.status.failure == Failure.of(InternalError("ZeroDivisionError"), 1)
    bench = Bench(10)
    bench.script.answers["a"] = [raising(ZeroDivisionError("some data"))]
    await bench.run(1)
    assert bench.status.feeds[0].failure == Failure.of(InternalError("ZeroDivisionError"), 1)


async def test_the_status_has_the_quotas() -> None:
    """Request limits are told as the platform last told them."""
    bench = Bench(10)
    telemetry = AccountTelemetry(bench.telemetry, "five9", "acme")
    telemetry.set_quotas([Quota("Query", "minute", 60, 1), Quota("Query", "day", 600, 1)])
    latest = (Quota("Query", "minute", 60, 2), Quota("Query", "hour", 600, 1))
    telemetry.set_quotas(latest)
    assert telemetry.quotas == latest
    assert bench.refresher.status().quotas == ()


# Include and exclude --------------------------------------------------------------------------


def unmatched(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [
        (record.fields["subject"], record.fields["pattern"])  # type: ignore[attr-defined]
        for record in caplog.records
        if record.message == "pattern matched nothing"
    ]


async def test_unmatched_patterns_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """What include and exclude did not match is logged once all feeds about it have been read."""
    patterns = Filter(
        {"queue": ["Sales", "Help*"]}, {"queue": ["S[a]les*x", "b"], "campaign": ["c"]}
    )
    bench = Bench(10.0, 10.0, tables=(LIVE, LIVE), filter=patterns)
    bench.script.sign_ins = [Unreachable("no")]
    bench.script.answers["b"] = [raising(Unreachable("no")), raising(Unreachable("no"))]
    early: list[list[tuple[str, str]]] = []

    def watch() -> None:
        if len(bench.script.asked) == 3:
            early.append(unmatched(caplog))

    bench.clock.watchers.append(watch)
    with caplog.at_level(logging.WARNING):
        await bench.run(100)

    assert all(subject == "campaign" for found in early for subject, _ in found)
    assert sorted(unmatched(caplog)) == [
        ("campaign", "c"),
        ("queue", "Help*"),
        ("queue", "S[a]les*x"),
        ("queue", "b"),
    ]


async def test_unmatched_patterns_are_not_logged_without_a_reading(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An account that could not sign in says nothing of its patterns."""
    bench = Bench(10.0, tables=(LIVE,), filter=Filter({"queue": ["x"]}))
    bench.script.sign_ins = [Unreachable("no") for _ in range(100)]
    with caplog.at_level(logging.WARNING):
        await bench.run(100)

    assert unmatched(caplog) == []


async def test_unmatched_patterns_are_bounded(caplog: pytest.LogCaptureFixture) -> None:
    """No more than a hundred items of a subject are logged."""
    bench = Bench(
        10.0, tables=(LIVE,), filter=Filter({}, {"queue": [f"q{number}" for number in range(1000)]})
    )
    with caplog.at_level(logging.WARNING):
        await bench.run(100)

    assert len(unmatched(caplog)) == 100


# Totals that fall ------------------------------------------------------------------------------

TOTALS = replace(
    LIVE,
    figures=(
        Column("Offered", f.QUEUE_OFFERED, labels={"media": "voice"}),
        Column("Answered", f.QUEUE_ANSWERED, labels={"media": "voice"}),
    ),
    period=Period("day"),
)


def totals(offered: int, answered: int = 400) -> Reading:
    row = {"Queue": "Sales", "Offered": offered, "Answered": answered}
    return Reading({"grid": Rows.of([row])})


async def offered_until(bench: Bench, end: float) -> float:
    """Run the schedule to ``end`` and return the total of offered contacts on the page."""
    await bench.run(end)
    (value,) = re.findall(r"queue_contacts_offered_total\{.*\} (\S+)", bench.page())
    return float(value)


@pytest.mark.parametrize("same", ["object", "rows", "other rows"])
async def test_a_held_total_is_released_without_news(same: str) -> None:
    """A hold ends in time if the platform repeats itself, and also if nothing is pushed."""

    def run() -> Bench:
        bench = Bench(10, tables=(TOTALS,), stale_after=60.0)
        fallen = totals(3)
        count = itertools.count(400)
        repeated: Mapping[str, Answer] = {
            "object": lambda: fallen,
            "rows": lambda: totals(3),
            "other rows": lambda: totals(3, next(count)),
        }
        bench.script.answers["a"] = [lambda: totals(500), *[repeated[same]] * 99]
        return bench

    bench = run()
    assert await offered_until(bench, 304) == 500
    assert bench.metric("totals_held", feed="a") == 1
    bench = run()
    assert await offered_until(bench, 310) == 3
    assert bench.metric("totals_held", feed="a") == 0
    assert bench.metric("corrections_total", feed="a") == 30


async def test_a_repeated_reading_with_a_held_total_counts_once() -> None:
    """Bad cells of a reading are not counted again because a total of it is held."""
    bench = Bench(10, tables=(TOTALS,))
    bad = totals(3)
    bad.tables["grid"].cells[0][2] = "bad"
    bench.script.answers["a"] = [lambda: totals(500), *[lambda: bad] * 9]
    await bench.run(61)
    assert bench.metric("totals_held", feed="a") == 1
    assert bench.metric("schema_rejected_cells_total", table="grid") == 1


@pytest.mark.parametrize(
    ("loss", "shown"),
    [
        (SessionLost("closed"), 3),
        (Unreachable("gone"), 3),
        (InvalidAnswer("half"), 3),
        (Throttled("busy"), 500),
    ],
)
async def test_after_a_loss_a_large_fall_is_shown(loss: ProviderError, shown: int) -> None:
    """A total that is below half after the feed was lost has restarted; a limit is no loss."""
    bench = Bench(10, tables=(TOTALS,))
    bench.script.answers["a"] = [lambda: totals(500), raising(loss), *[lambda: totals(3)] * 9]
    assert await offered_until(bench, 40) == shown


async def test_totals_held_for_long_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """A hold of five minutes is logged until none is left, and a restart each time."""
    caplog.set_level(logging.INFO)
    bench = Bench(10, tables=(TOTALS,))
    answers = [(500, 400), *[(499, 3)] * 60, *[(500, 3)] * 2, *[(499, 3)] * 40]
    bench.script.answers["a"] = [lambda pair=pair: totals(*pair) for pair in answers]
    await bench.run(1010)
    assert [
        (record.message, record.fields["families"])  # type: ignore[attr-defined]
        for record in caplog.records
        if record.message.startswith("totals")
    ] == [
        ("totals restarted within their period", [f.QUEUE_ANSWERED.name]),
        ("totals held after a fall", [f.QUEUE_OFFERED.name]),
        ("totals held after a fall", [f.QUEUE_OFFERED.name]),
    ]


class InUse(Refused):
    """Another program uses the user."""

    lasting = False


class Forbidden(Refused):
    """The platform says that a role is missing."""


async def test_a_refused_feed_is_read_hourly() -> None:
    """A lasting refusal is asked for again after an hour, whatever happens to the session."""
    bench = Bench(10, 10)
    bench.script.answers["a"] = [raising(Forbidden("no role"))] * 9
    bench.script.answers["b"] = [reading] * 20 + [raising(SessionLost("gone"))]
    await bench.run(2 * 3600 + 60)
    assert len(bench.script.sessions) == 2
    assert bench.script.times("a") == [0, 3600, 7200]
    held = bench.status.feeds[0]
    assert held.failure is not None
    assert held.due_in is not None
    assert held.due_in > 3500


@pytest.mark.parametrize("error", [Unexplained, InUse, Unreachable])
async def test_what_may_pass_is_read_sooner(error: type[ProviderError]) -> None:
    """A refusal that nothing explains, or that another program causes, costs no hour."""
    bench = Bench(10, 10)
    bench.script.answers["a"] = [raising(error("perhaps"))]
    await bench.run(30)
    assert bench.script.times("a") == [0, 10, 20]


async def test_an_unexplained_refusal_is_asked_for_ever_more_rarely() -> None:
    """The pause after refusals that nothing explains doubles, to an hour."""
    bench = Bench(10, 10)
    bench.script.answers["a"] = [raising(Unexplained("HTTP 404"))] * 20
    await bench.run(3 * 3600)
    times = bench.script.times("a")
    assert max(b - a for a, b in pairwise(times)) == 3600
    assert len(times) == 11


@pytest.mark.parametrize("signed_in", [True, False])
async def test_a_reload_asks_for_refused_feeds_once_more(signed_in: bool) -> None:
    """A reload that leaves the account unchanged reads its refused feeds again, once."""
    bench = Bench(10, 10)
    bench.script.answers["a"] = [raising(Forbidden("no role"))] * 2
    reloads: list[float] = []

    def reload() -> None:
        if not reloads and bench.clock.elapsed >= 600:
            reloads.append(bench.clock.elapsed)
            bench.refresher.retry()

    bench.clock.watchers.append(reload)
    if not signed_in:
        bench.script.answers["b"] = [reading] * 60 + [raising(SessionLost("gone"))]
    await bench.run(3000)
    times = bench.script.times("a")
    assert len(times) == 2
    assert 0 <= times[1] - reloads[0] <= 60


async def test_reloads_do_not_repeat_a_refused_feed() -> None:
    """However often the configuration is loaded, a refused feed is read once a minute."""
    bench = Bench(10, 10)
    bench.script.answers["a"] = [raising(Forbidden("no role"))] * 20

    def reload() -> None:
        if 30 <= bench.clock.elapsed <= 230:
            bench.refresher.retry()

    bench.clock.watchers.append(reload)
    await bench.run(600)
    times = bench.script.times("a")
    assert 3 <= len(times) <= 5
    assert all(later - earlier >= 60 for earlier, later in pairwise(times))


async def test_names_without_end_are_logged_to_a_limit(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many unmapped names are logged and remembered, each at a bounded length."""
    caplog.set_level("INFO")
    monkeypatch.setattr(schedule, "_MOST_LOGGED_NAMES", 7)
    bench = Bench(1)
    bench.script.answers["a"] = [
        lambda at=at: Reading(
            {"grid": Rows.of([{"Queue": "Sales", "Waiting": 1, f"{at} {'x' * 65_536}": 2}])}
        )
        for at in range(20)
    ]
    await bench.run(15)

    logged = [vars(record)["fields"] for record in caplog.records]
    names = [fields["name"] for fields in logged if fields.get("kind") == "column"]
    assert len(names) == len({*names}) == 7
    assert max(map(len, names)) < 300
    assert max(len(note) for feed in bench.status.feeds for note in feed.notes) < 300
    assert bench.metric("schema_unmapped", table="grid", kind="column") == 1
