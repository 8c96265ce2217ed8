"""When: which feed is read next, how failures are waited out.

One task for each account, one request at a time in it. Failures reach one of three scopes: a
feed (its next time moves), the session (sign in anew), the credentials (stop, so that no account
is locked). The schedule is the retry: no client tries again on its own, but for a session that the
platform pushes into, which has to be kept alive between refreshes (Genesys).
"""

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import NoReturn
from weakref import ref

from exporter.clock import Clock, Roll, SystemClock, backoff
from exporter.collector.base import Collector, Feed
from exporter.collector.threads import run_job
from exporter.errors import (
    InternalError,
    ProviderError,
    Rejected,
    SessionLost,
    TimedOut,
    Unauthorized,
)
from exporter.exposition.store import SnapshotStore
from exporter.logs import get_log
from exporter.metrics.counters import Counters
from exporter.metrics.labels import AccountLabels
from exporter.metrics.mapping import Mapped, map_reading
from exporter.metrics.reading import Reading
from exporter.metrics.snapshot import Snapshot, make_snapshot
from exporter.status import AccountStatus, Failure, FeedState, FeedStatus, Session
from exporter.telemetry import AccountTelemetry

FEED_BACKOFF_CAP = 60.0  # seconds, or the feed's interval where that is longer
SESSION_BACKOFF_CAP = 300.0
_FIRST_SESSION_BACKOFF = 2.0
_SPREAD = 2.0  # seconds over which the first sign-ins of all accounts are spread
_EARLY_ANSWERS = 4  # "nothing yet" in a row, after which it counts as the feed's first answer
_SHORTEST_LISTEN = 1.0
_MANY_CELLS = 20_000  # from here on, folding would hold up the event loop
_MOST_WORDS = 10_000  # strange names remembered as logged
_LISTEN_PAUSE = 60.0  # seconds without listening after it failed


@dataclass(slots=True)
class _State:
    """Where one feed stands."""

    feed: Feed
    rank: int
    due: float = 0.0
    fresh: bool = True  # no refresh yet in this session
    failures: int = 0
    answering: bool = False
    reading: Callable[[], Reading | None] = lambda: None  # the last one, while anybody has it
    mapped: Mapped | None = None  # and what it became
    counters: Counters = field(default_factory=Counters)
    read_at: float | None = None  # when the last refresh succeeded
    seconds: float | None = None  # that the last refresh took
    samples: int | None = None
    failure: Failure | None = None  # of the last refresh, if it failed

    def status(self, now: float, session: Session) -> FeedStatus:
        """Tell how the feed stands at ``now``, in a session that stands so."""
        state: FeedState = "failing" if self.failure else "waiting"
        if session == "stopped":
            state = "stopped"
        elif session == "waiting":
            state = "waiting"
        elif self.answering and self.read_at is not None:
            fresh = now < self.read_at + self.feed.times.stale_after
            state = "ok" if fresh else "waiting"  # it may have to wait for a request limit
        return FeedStatus(
            self.feed.name,
            state,
            self.feed.times.interval,
            age=None if self.read_at is None else now - self.read_at,
            due_in=self.due - now if session == "signed in" else None,
            seconds=self.seconds,
            samples=self.samples,
            failure=self.failure,
        )


class Refresher:
    """Keeps one account's figures fresh until it is cancelled."""

    def __init__(
        self,
        account: str,
        collector: Collector,
        labels: AccountLabels,
        store: SnapshotStore,
        telemetry: AccountTelemetry,
        *,
        auth_retry: float,
        max_series: int,
        clock: Clock | None = None,
        roll: Roll = random.random,
    ) -> None:
        self._account = account
        self._collector = collector
        self._labels = labels
        self._board = store
        self._telemetry = telemetry
        self._auth_retry = auth_retry
        self._max_series = max_series
        self._clock = clock or SystemClock()
        self._roll = roll
        self._log = get_log(__name__).bind(provider=telemetry.provider, account=account)
        self._states = {feed.name: _State(feed, rank) for rank, feed in enumerate(collector.feeds)}
        self._failures = 0  # sessions in a row that ended before any feed succeeded
        self._standing: tuple[Session, float | None, Failure | None] = ("signing in", None, None)
        self._no_listening_before = float("-inf")
        self._seen_words: set[tuple[str, str, str]] = set()
        self._ending = False
        self._asleep = False
        self.begun = asyncio.Event()  # a feed, or the sign-in, has been tried
        self.tried = asyncio.Event()  # every feed has
        store.add_account(account, list(self._states), max_series, labels.base, self.tried.is_set)
        telemetry.starting({feed.name: feed.times.interval for feed in collector.feeds})

    async def run(self) -> NoReturn:
        """Sign in, refresh, sign in again; for ever."""
        await self._sleep(self._roll() * _SPREAD)
        while True:
            pause = await self._session()
            self.begun.set()
            self.tried.set()
            await self._sleep(pause)

    def end(self) -> bool:
        """Ask the platform nothing more but to sign out; tell whether that comes by itself.

        It does when the request at work has been answered. A platform may go on with a request
        whose client has gone, and refuse the sign-out meanwhile. Who sleeps has to be cancelled.
        """
        self._ending = True
        return not self._asleep

    def _check_end(self) -> None:
        if self._ending:
            raise asyncio.CancelledError

    async def _sleep(self, seconds: float) -> None:
        self._check_end()
        self._asleep = True
        try:
            await self._clock.sleep(seconds)
        finally:
            self._asleep = False

    def status(self) -> AccountStatus:
        """Tell how the account stands; may be asked from any thread."""
        now = self._clock.monotonic()
        session, retry_at, failure = self._standing
        return AccountStatus(
            self._account,
            self._telemetry.provider,
            session,
            tuple(state.status(now, session) for state in self._states.values()),
            retry_in=None if retry_at is None else max(retry_at - now, 0.0),
            failure=failure,
            quotas=self._telemetry.quotas,
        )

    # Sessions ------------------------------------------------------------------------------

    async def _session(self) -> float:
        """Live through one session; return the seconds to wait before the next."""
        signed_in = False
        self._standing = ("signing in", None, self._standing[2])
        try:
            async with self._collector.open():
                signed_in = True
                self._standing = ("signed in", None, None)
                self._telemetry.signed_in("ok")
                await self._refresh_forever()
        except ProviderError as error:
            if not signed_in:
                self._telemetry.signed_in(error.reason)
            return self._session_ended(error, signed_in=signed_in)
        except Exception as error:  # noqa: BLE001 - the boundary of a session: no bug ends the schedule
            self._log.exception("session broke", reason="internal")
            if not signed_in:
                self._telemetry.signed_in(InternalError.reason)
            self._failures += 1
            pause = backoff(self._failures, _FIRST_SESSION_BACKOFF, SESSION_BACKOFF_CAP, self._roll)
            self._stand_by("waiting", pause, InternalError(type(error).__name__))
            return pause
        finally:
            self._all_down()
        raise AssertionError("a session ends by an error only")

    def _session_ended(self, error: ProviderError, *, signed_in: bool) -> float:
        """Log the end of a session; return the seconds to wait."""
        self._check_end()
        self._failures += 1
        refused = isinstance(error, Rejected if signed_in else Unauthorized)
        if refused:
            self._board.clear_account(self._account)
            pause = max(self._auth_retry, error.retry_after)
        elif signed_in and self._failures == 1:
            pause = error.retry_after  # it worked until now: sign in again at once
        else:
            pause = backoff(self._failures, _FIRST_SESSION_BACKOFF, SESSION_BACKOFF_CAP, self._roll)
            pause = max(pause, error.retry_after)
        message = "session ended" if signed_in else "sign-in failed"
        say = self._log.warning if self._failures == 1 or refused else self._log.debug
        say(
            message,
            reason=error.reason,
            error=str(error),
            remedy=error.remedy,
            retry_in=round(pause, 1),
        )
        self._stand_by("stopped" if refused else "waiting", pause, error)
        return pause

    def _stand_by(self, session: Session, pause: float, error: ProviderError) -> None:
        """Show that there is no session for a while, and why."""
        failure = Failure.of(error, self._failures)
        self._standing = (session, self._clock.monotonic() + pause, failure)

    def _all_down(self) -> None:
        self._telemetry.up(answering=False)
        for state in self._states.values():
            state.answering = False
            self._telemetry.down(state.feed.name)

    # Feeds ---------------------------------------------------------------------------------

    async def _refresh_forever(self) -> NoReturn:
        """Refresh whatever is due, one feed at a time, until the session ends."""
        start = self._clock.monotonic()
        for state in self._states.values():
            state.due, state.fresh = start, True
        while True:
            self._check_end()
            state, wait = self._next()
            if wait > 0:
                await self._idle(wait)
            else:
                await self._refresh(state)
                self._check_tried()

    def _check_tried(self) -> None:
        """Tell who waits for figures that a feed, or every feed, has answered or failed."""
        self.begun.set()
        if not any(state.fresh for state in self._states.values()):
            self.tried.set()

    def _next(self) -> tuple[_State, float]:
        """Return the feed to read next and the seconds until then.

        Of several that may be read now, the one due longest; of those, the most important.
        """
        now = self._clock.monotonic()
        ready = [
            (max(state.due - now, self._collector.wait(state.feed.name), 0.0), state)
            for state in self._states.values()
        ]
        wait, state = min(ready, key=lambda each: (each[0], each[1].due, each[1].rank))
        return state, wait

    async def _idle(self, wait: float) -> None:
        """Spend the time until the next feed is due, listening if the platform can push."""
        if wait >= _SHORTEST_LISTEN and self._clock.monotonic() >= self._no_listening_before:
            started = self._clock.monotonic()
            try:
                readings = await self._collector.listen(wait)
            except (SessionLost, Unauthorized):
                raise
            except ProviderError as error:
                self._no_listening_before = self._clock.monotonic() + _LISTEN_PAUSE
                self._log.debug("listening failed", reason=error.reason, error=str(error))
                return
            if readings is not None:
                await self._heard(readings, started)
                return
            wait = min(wait, _SHORTEST_LISTEN)
        await self._sleep(wait)

    async def _heard(self, readings: Mapping[str, Reading], started: float) -> None:
        """Publish what was pushed; a feed that was heard of need not be asked so soon."""
        for name, reading in readings.items():
            state = self._states[name]
            await self._publish(state, reading, started)
            state.due = self._clock.monotonic() + state.feed.times.interval

    async def _refresh(self, state: _State) -> None:
        """Refresh one feed; keep its failure to itself unless the session is gone."""
        feed = state.feed
        started = self._clock.monotonic()
        try:
            async with asyncio.timeout(feed.times.timeout):
                reading = await self._collector.fetch(feed.name)
            await self._publish(state, reading, started)
        except (SessionLost, Unauthorized) as error:
            self._failed(state, error, started, log=self._log.debug)
            raise
        except ProviderError as error:
            self._check_end()
            if error.early and self._is_fresh(state):
                self._telemetry.waited(feed.name, error.reason)
                self._move_on(state)
                return  # the figures age, and are true as long as they are shown
            self._failed(state, error, started)
            self._wait_out(state, error.retry_after)
            if error.voids:
                self._board.remove_feed(self._account, feed.name)
            if error.early and state.failures < _EARLY_ANSWERS:
                return  # not yet tried: it is asked again before anyone is told so
        except TimeoutError:
            self._failed(state, TimedOut(f"took longer than {feed.times.timeout:g} s"), started)
            self._wait_out(state, 0.0)
        except Exception as error:  # noqa: BLE001 - the boundary of a refresh
            self._log.exception("refresh broke", feed=feed.name, reason="internal")
            self._failed(state, InternalError(type(error).__name__), started)
            self._wait_out(state, 0.0)
        else:
            self._move_on(state)
        state.fresh = False

    def _is_fresh(self, state: _State) -> bool:
        """Tell whether the feed works and its figures are on the page."""
        latest = self._board.latest(self._account, state.feed.name)
        now = self._clock.monotonic()
        return state.answering and latest is not None and latest.expires_at > now

    def _move_on(self, state: _State) -> None:
        """Set the next time: on the feed's own beat, without catching up on missed beats."""
        now = self._clock.monotonic()
        interval = state.feed.times.interval
        if state.fresh:  # the first beat comes early by chance, so that feeds do not march in step
            state.due = now + interval * (0.5 + 0.5 * self._roll())
            return
        state.due += interval
        if state.due <= now:
            missed = int((now - state.due) // interval) + 1
            self._telemetry.skipped(state.feed.name, missed)
            state.due += missed * interval

    def _wait_out(self, state: _State, retry_after: float) -> None:
        interval = state.feed.times.interval
        cap = max(FEED_BACKOFF_CAP, interval)
        pause = max(backoff(state.failures, interval, cap, self._roll), retry_after)
        state.due = self._clock.monotonic() + pause

    async def _publish(self, state: _State, reading: Reading, started: float) -> None:
        """Make a snapshot of a reading and put it on the board."""
        self._check_end()
        name = state.feed.name
        before = self._board.latest(self._account, name)
        cells = sum(len(rows.cells) * len(rows.headers) for rows in reading.tables.values())
        mapped, snapshot = await run_job(cells > _MANY_CELLS, self._take, state, reading, before)
        self._check_end()
        state.read_at = self._clock.monotonic()
        state.seconds = state.read_at - started
        state.samples, state.failure = snapshot.size, None
        self._telemetry.refreshed(snapshot, state.seconds)
        self._report(mapped)
        state.answering = True
        self._telemetry.up(answering=True)
        if state.failures:
            self._log.info("refresh recovered", feed=name, failures=state.failures)
            state.failures = 0
        if self._failures:
            self._log.info("session recovered", failures=self._failures)
            self._failures = 0
        self._board.put(snapshot)

    def _take(
        self, state: _State, reading: Reading, before: Snapshot | None
    ) -> tuple[Mapped, Snapshot]:
        """Make the snapshot of a reading; may run in a worker thread."""
        feed = state.feed
        expires_at = self._clock.monotonic() + feed.times.stale_after
        if before is not None and reading is state.reading():
            # Nothing was pushed since: the same figures are true for longer. They were not read
            # again, which is why the ledger is not told.
            return Mapped(), replace(
                before,
                taken_at=self._clock.time(),
                expires_at=expires_at,
                corrections=0,
                duplicates=0,
            )
        tables = {table.name: table for table in feed.tables}
        mapped = map_reading(reading, tables, self._labels, raw=feed.times.raw, before=state.mapped)
        snapshot = make_snapshot(
            self._account,
            feed.name,
            mapped,
            state.counters,
            taken_at=self._clock.time(),
            source_at=reading.source_at,
            expires_at=expires_at,
            before=before,
        )
        state.reading, state.mapped = ref(reading), mapped
        state.counters.discard_oldest(self._max_series)
        return mapped, snapshot

    def _report(self, mapped: Mapped) -> None:
        """Show how the tables fitted; log each strange name once."""
        for table, schema in mapped.schemas.items():
            self._telemetry.fitted(table, schema)
            strange = [(kind, word) for kind, words in schema.unmapped.items() for word in words]
            strange += [("missing column", header) for header in schema.missing]
            strange += [("unreadable cells in column", header) for header in schema.rejected]
            for kind, word in sorted(strange):
                if (table, kind, word) not in self._seen_words and len(
                    self._seen_words
                ) < _MOST_WORDS:
                    self._seen_words.add((table, kind, word))
                    self._log.info("answer did not fit", table=table, kind=kind, name=word)

    def _failed(
        self,
        state: _State,
        error: ProviderError,
        started: float,
        log: Callable[..., None] | None = None,
    ) -> None:
        state.failures += 1
        state.answering = False
        say = log or (self._log.warning if state.failures == 1 else self._log.debug)
        say(
            "refresh failed",
            feed=state.feed.name,
            reason=error.reason,
            error=str(error),
            remedy=error.remedy,
        )
        state.seconds = self._clock.monotonic() - started
        state.failure = Failure.of(error, state.failures)
        self._telemetry.failed(state.feed.name, error.reason, state.seconds)
        self._telemetry.up(answering=any(each.answering for each in self._states.values()))
