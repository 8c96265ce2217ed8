"""Schedule of one account: when each feed is read, and how long to wait after a failure.

Each account has one task, which makes one request at a time. A failure affects a feed (it is read
later), the session (sign in again) or the credentials (stop, so that no user is locked). The
schedule does all retries; clients do none, except for a session that receives pushed data, which
has to be kept alive between refreshes.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import NoReturn, get_args
from weakref import ref

from exporter.clock import Clock, Roll, SystemClock, backoff
from exporter.collector.base import Collector, Feed
from exporter.collector.threads import run_in_worker_if
from exporter.errors import (
    FeedUnauthorized,
    Hold,
    InternalError,
    OverBudget,
    ProviderError,
    Rejected,
    SessionLost,
    Throttled,
    TimedOut,
    Unauthorized,
    Unexplained,
    utc,
)
from exporter.exposition.store import Limits, SnapshotStore
from exporter.logs import get_log
from exporter.metrics.counters import Counters, Falls
from exporter.metrics.labels import AccountLabels, bounded
from exporter.metrics.mapping import Mapped, map_reading
from exporter.metrics.reading import Reading
from exporter.metrics.snapshot import Snapshot, make_snapshot
from exporter.metrics.tables import Subject
from exporter.refresh.logins import Login, Logins
from exporter.status import AccountStatus, Failure, FeedState, FeedStatus, Session
from exporter.telemetry import AccountTelemetry

LASTING_PAUSE = 3600.0  # seconds before a feed that was refused is read again
FEED_BACKOFF_CAP = 60.0  # seconds, or the feed's interval where that is longer
SESSION_BACKOFF_CAP = 300.0
_FIRST_SESSION_BACKOFF = 2.0
_LASTING_FAILURE = 300.0  # seconds without a stable session, after which sign-ins keep this gap:
_SIGN_IN_GAP = 60.0
_STABLE_AFTER = 60.0  # seconds a session has to last for earlier failures to be forgotten
_LONGEST_REJECTION_PAUSE = 3600.0  # between sign-ins with the same rejected credentials
_SECRETS_EVERY = 60.0  # seconds between looks at the secret files, after a rejection
_BUSY = 10.0  # seconds that a refresh may take beyond its timeout, where the event loop is busy
_SPREAD = 2.0  # seconds over which the first sign-ins of all accounts are spread
_EARLY_ANSWERS = 4  # answers without data in a row that count as the feed's first answer
_SHORTEST_LISTEN = 1.0
_MOST_ROWS = 10  # refused rows that are logged for one reading of a table
_MOST_LOGGED_NAMES = 1000  # unmapped names remembered as logged
_MOST_LOGGED_PATTERNS = 100  # that matched nothing, of one subject
_LISTEN_PAUSE = 60.0  # seconds without listening after it failed
_RETRY_CHECK = 60.0  # seconds after which a reload ends the pause before a sign-in
_UP_WITHOUT_READING = 180.0  # seconds, or the shortest stale_after of the feeds that work
_CONFIRM_BEFORE = 60.0  # seconds before that end at which a slow feed is read to confirm it


@dataclass(slots=True)
class _ScheduledFeed:
    """One feed with its next refresh and the result of the last; times are monotonic seconds."""

    feed: Feed
    rank: int
    due: float = 0.0
    # After a lasting refusal or a long Retry-After, across sessions.
    refused_until: float = float("-inf")
    tried_at: float = float("-inf")  # the start of the last refresh
    untried: bool = True  # no refresh yet in this session
    failures: int = 0
    answering: bool = False
    reading: Callable[[], Reading | None] = lambda: None  # the last, as long as it is in memory
    mapped: Mapped | None = None  # of that reading
    counters: Counters = field(default_factory=Counters)
    hold_logged: bool = False
    cut_logged: bool = False
    notes: tuple[str, ...] = ()  # how the last answer did not fit its tables
    delayed_until: float = float("-inf")  # by the collector, when the schedule last looked
    hold: Hold | None = None  # the request limit behind that
    read_at: float | None = None  # when the last refresh succeeded
    seconds: float | None = None  # duration of the last refresh
    samples: int | None = None
    failure: Failure | None = None  # of the last refresh, if it failed
    rejected: bool = False  # that failure is that of the feed's own credentials

    def status(self, now: float, wall: float, session: Session) -> FeedStatus:
        """Return the status at ``now``, which is ``wall`` in epoch seconds, in a session."""
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
            due_in=self._due_in(now, wall) if session == "signed in" else None,
            notes=self.notes,
            hold=self.hold if session == "signed in" else None,
            seconds=self.seconds,
            samples=self.samples,
            failure=self.failure,
        )

    def _due_in(self, now: float, wall: float) -> float:
        """Return the seconds until the next refresh: a hold's estimate is nearer than the delay."""
        if self.hold is None:
            return max(self.due, self.delayed_until) - now
        return max(self.due - now, self.hold.at - wall, _SHORTEST_LISTEN)


def _is_refusal(error: ProviderError, *, signed_in: bool) -> bool:
    """Return whether an error that ended a session, or a sign-in, rejected the credentials."""
    return isinstance(error, Rejected if signed_in else Unauthorized)


class Refresher:
    """Reads one account's feeds on schedule until it is cancelled.

    ``login`` is what the account's credentials share with others that have the same.

    ``replaced`` reads the account's secret files after a rejection; it returns whether they have
    changed, so that another refresher takes over.
    """

    def __init__(
        self,
        collector: Collector,
        labels: AccountLabels,
        store: SnapshotStore,
        telemetry: AccountTelemetry,
        *,
        auth_retry: float,
        limits: Limits,
        replaced: Callable[[], Awaitable[bool]] | None = None,
        login: Login | None = None,
        clock: Clock | None = None,
        roll: Roll = random.random,
    ) -> None:
        self._account = account = telemetry.account
        self._collector = collector
        self._labels = labels
        self._store = store
        self._telemetry = telemetry
        self._auth_retry = auth_retry
        self._limits = limits
        self._replaced = replaced
        self._clock = clock or SystemClock()
        self._login = login or Logins(self._clock.monotonic).of(b"")
        self._roll = roll
        self._log = get_log(__name__).bind(provider=telemetry.provider, account=account)
        self._feeds = {
            feed.name: _ScheduledFeed(feed, rank) for rank, feed in enumerate(collector.feeds)
        }
        live = [feed.name for feed in collector.feeds if feed.is_live]
        self._deciding = live or list(self._feeds)  # the feeds that decide whether it is up
        self._up_until = float("-inf")  # monotonic seconds, unless one of them is read before
        self._failures = 0  # sessions in a row that ended before they were stable
        self._failing_since = 0.0  # when the first of them ended
        self._rejections = 0  # sign-ins in a row whose credentials were rejected
        self._signed_in_at = float("inf")
        self._worked = False  # a feed was read in this session
        self._session: tuple[Session, float | None, Failure | None] = ("signing in", None, None)
        self._listen_after = float("-inf")
        self._secrets_due = float("-inf")
        # Bugs that were logged: the feed, or "" for the session, and the exception's name.
        self._crashes: set[tuple[str, str]] = set()
        self._unchecked_subjects: list[Subject] = list(get_args(Subject))
        self._logged_names: set[tuple[str, str, str]] = set()
        self._stopping = False
        self._retries = False  # a reload came since the session ended
        self._asleep = False
        self._holds_logged = False  # in this session
        self.ready = asyncio.Event()  # a feed has been read, or the sign-in has failed
        self.all_tried = asyncio.Event()  # every feed has been read, or no session could be opened
        store.add_account(account, list(self._feeds), limits, labels.base, self.all_tried.is_set)
        telemetry.watch_up(self.is_up)
        telemetry.add_feeds({feed.name: feed.times.interval for feed in collector.feeds})

    async def run(self) -> NoReturn:
        """Sign in and refresh, again and again."""
        await self._sleep(self._roll() * _SPREAD)
        while True:
            pause = self._hold_back() or await self._run_session()
            if self._session[0] != "signing in":
                self.ready.set()
                self.all_tried.set()
            await self._pause(pause)

    async def _pause(self, seconds: float) -> None:
        """Sleep; after a rejection look at the secret files every minute, and before the end.

        If they have changed, wait to be replaced: the old secrets are not sent again.
        """
        while self._session[0] == "stopped" and self._replaced is not None:
            step = min(seconds, _SECRETS_EVERY)
            await self._sleep(step)
            seconds -= step
            if await self._replaced():
                seconds = _SECRETS_EVERY
            if seconds <= 0:
                return
        until = self._clock.monotonic() + seconds
        while (left := until - self._clock.monotonic()) > 0 and not self._retries:
            await self._sleep(min(left, _RETRY_CHECK))

    def request_stop(self) -> bool:
        """Make no more requests except the sign-out; return whether that needs no cancellation.

        The sign-out follows the answer to the current request: a platform may go on with a request
        whose client has gone, and refuse the sign-out meanwhile. While sleeping, ``run`` has to be
        cancelled.
        """
        self._stopping = True
        return not self._asleep

    def retry(self) -> None:
        """Ask once more, within a minute, for what is postponed at the platform's wish.

        That is feeds that were refused, and a sign-in or feeds that have to wait (``Retry-After``).
        Nothing is asked for twice within a minute.
        """
        self._retries = True
        self._collector.retry()
        now = self._clock.monotonic()
        for scheduled in self._feeds.values():
            if scheduled.refused_until > now:
                soonest = max(now, scheduled.tried_at + _RETRY_CHECK)
                scheduled.refused_until = min(scheduled.refused_until, soonest)
                scheduled.due = scheduled.refused_until

    def _check_stop(self) -> None:
        """End the schedule where that was requested, though an error hid the cancellation."""
        task = asyncio.current_task()
        if self._stopping or (task is not None and task.cancelling()):
            raise asyncio.CancelledError

    def _log_crash(self, message: str, error: Exception, feed: str = "") -> InternalError:
        """Log a bug, with its traceback unless the same has been logged since all worked."""
        name = type(error).__name__
        log = self._log.bind(feed=feed) if feed else self._log
        if (feed, name) in self._crashes:
            log.debug(message, error=name)
        else:
            self._crashes.add((feed, name))
            log.error(message, exc_info=error)
        return InternalError(name)

    async def _sleep(self, seconds: float) -> None:
        self._check_stop()
        self._asleep = True
        try:
            await self._clock.sleep(seconds)
        finally:
            self._asleep = False

    def is_up(self) -> bool:
        """Return whether the account is signed in, and live figures are on the page and current.

        A slow feed's figures stay on the page long after a platform is gone. So a live feed must
        have been read within three minutes, or within the shortest ``stale_after`` of the live
        feeds that were fresh then. If no live feed is enabled, every feed counts. Thread-safe.
        """
        if self._session[0] != "signed in" or self._clock.monotonic() >= self._up_until:
            return False
        return any(fresh and fresh.size for fresh in map(self._fresh, self._deciding))

    def _fresh(self, feed: str) -> Snapshot | None:
        """Return a feed's snapshot if it has not expired."""
        latest = self._store.latest(self._account, feed)
        return latest if latest and latest.expires_at > self._clock.monotonic() else None

    def status(self) -> AccountStatus:
        """Return the current status of the account. Thread-safe."""
        now, wall = self._clock.monotonic(), self._clock.time()
        session, retry_at, failure = self._session
        return AccountStatus(
            self._account,
            self._telemetry.provider,
            session,
            tuple(scheduled.status(now, wall, session) for scheduled in self._feeds.values()),
            retry_in=None if retry_at is None else max(retry_at - now, 0.0),
            failure=failure,
            quotas=self._telemetry.quotas,
            up=self.is_up(),
            survey=self._collector.known(),
        )

    # Session -------------------------------------------------------------------------------

    def _hold_back(self) -> float:
        """Return the seconds to wait as the same credentials were rejected or are being sent."""
        pause = self._login.delay()
        self._retries = False
        if pause and self._login.failure:
            self._session = ("stopped", self._clock.monotonic() + pause, self._login.failure)
        return pause

    async def _run_session(self) -> float:
        """Run one session until it fails; return the seconds to wait before the next."""
        signed_in = False
        self._session = ("signing in", None, self._session[2])
        self._login.begin()
        try:
            async with self._collector.open():
                signed_in = True
                self._login.end()
                self._login.accept()
                self._signed_in_at, self._worked = self._clock.monotonic(), False
                self._rejections = 0
                self._session = ("signed in", None, None)
                self._telemetry.count_sign_in("ok")
                await self._refresh_feeds()
        except ProviderError as error:
            if _is_refusal(error, signed_in=signed_in):
                self._login.reject(Failure.of(error, 1))
            self._check_stop()
            return self._session_ended(error, signed_in=signed_in)
        except Exception as error:  # noqa: BLE001 - no bug ends the schedule
            self._check_stop()
            crash = self._log_crash("session crashed", error)
            return self._session_ended(crash, signed_in=signed_in)
        finally:
            if not signed_in:
                self._login.end()
            self._set_all_down()
        raise AssertionError("a session ends with an error only")

    def _session_ended(self, error: ProviderError, *, signed_in: bool) -> float:
        """Record why a session ended, or did not begin; return the seconds to wait."""
        if not signed_in:
            self._telemetry.count_sign_in(error.reason)
        self._check_stop()
        if signed_in:
            self._note_stable_session()
        refused = _is_refusal(error, signed_in=signed_in)
        over_budget = isinstance(error, OverBudget) and not signed_in
        if not over_budget:
            self._failures += 1
        if self._failures == 1:
            self._failing_since = self._clock.monotonic()
        if refused:
            self._store.clear_account(self._account)
            cap = max(self._auth_retry, _LONGEST_REJECTION_PAUSE)
            pause = min(self._auth_retry * 2.0 ** min(self._rejections, 10), cap)
            pause = max(pause, error.retry_after)
            self._rejections += 1
        elif over_budget:
            pause = error.retry_after  # nothing was sent: no platform has to be spared
        elif signed_in and self._failures == 1 and not isinstance(error, InternalError):
            pause = error.retry_after  # the session worked: sign in again at once
        else:
            pause = backoff(self._failures, _FIRST_SESSION_BACKOFF, SESSION_BACKOFF_CAP, self._roll)
            lasting = self._clock.monotonic() - self._failing_since >= _LASTING_FAILURE
            pause = max(pause, error.retry_after, _SIGN_IN_GAP if lasting else 0.0)
        message = "session ended" if signed_in else "sign-in failed"
        failure = Failure.of(error, max(self._failures, 1))
        known = self._session[2]
        is_new = known is None or known.message != failure.message
        if over_budget:
            log_line = self._log.warning if is_new else self._log.debug
        else:
            log_line = self._log.warning if self._failures == 1 or refused else self._log.debug
        log_line(
            message,
            reason=error.reason,
            error=str(error),
            remedy=error.remedy,
            retry_in=round(pause, 1),
        )
        retry_at = self._clock.monotonic() + pause
        if isinstance(error, OverBudget):
            retry_at += max(error.hold.at - self._clock.time() - pause, 0.0)
        self._session = ("stopped" if refused else "waiting", retry_at, failure)
        return pause

    def _set_all_down(self) -> None:
        if self._session[0] == "signed in":  # the session was cancelled
            self._session = ("signing in", None, None)
        for scheduled in self._feeds.values():
            scheduled.answering = False
            self._telemetry.set_feed_down(scheduled.feed.name)

    def _log_unmatched_patterns(self) -> None:
        """Log the items of include and exclude that matched nothing, once for each subject.

        A subject waits until every feed with a table about it has been read.
        """
        for subject in [*self._unchecked_subjects]:
            feeds = (
                scheduled
                for scheduled in self._feeds.values()
                if any(table.subject == subject for table in scheduled.feed.tables)
            )
            if any(scheduled.read_at is None for scheduled in feeds):
                continue
            self._unchecked_subjects.remove(subject)
            for pattern in self._labels.filter.unmatched(subject)[:_MOST_LOGGED_PATTERNS]:
                self._log.warning("pattern matched nothing", subject=subject, pattern=pattern)

    # Feeds ---------------------------------------------------------------------------------

    async def _refresh_feeds(self) -> NoReturn:
        """Refresh the feeds that are due, one at a time, until the session ends."""
        start = self._clock.monotonic()
        self._holds_logged = False
        for scheduled in self._feeds.values():
            scheduled.due = max(start, scheduled.refused_until)
            scheduled.untried = scheduled.due <= start
            scheduled.counters.record_loss()
        while True:
            self._check_stop()
            scheduled, wait = self._next()
            if wait > 0:
                await self._read_secrets()
                await self._idle(wait)
            else:
                await self._refresh(scheduled)
                self.ready.set()
                if not any(scheduled.untried for scheduled in self._feeds.values()):
                    self.all_tried.set()
                    self._log_unmatched_patterns()

    async def _read_secrets(self) -> None:
        """Look at the secret files every minute while a feed's own credentials are rejected."""
        now = self._clock.monotonic()
        rejected = any(scheduled.rejected for scheduled in self._feeds.values())
        if rejected and self._replaced is not None and now >= self._secrets_due:
            self._secrets_due = now + _SECRETS_EVERY
            await self._replaced()

    def _next(self) -> tuple[_ScheduledFeed, float]:
        """Return the feed to read next and the seconds until then.

        Of several that are due, the one due longest; of those, the first in order of importance.
        """
        now = self._clock.monotonic()
        candidates = []
        for scheduled in self._feeds.values():
            delay = self._collector.delay(scheduled.feed.name)
            scheduled.delayed_until = now + delay if delay > 0 else float("-inf")
            candidates.append((max(self._due(scheduled) - now, delay, 0.0), scheduled))
        self._note_holds()
        wait, scheduled = min(candidates, key=lambda pair: (pair[0], pair[1].due, pair[1].rank))
        return scheduled, wait

    def _note_holds(self) -> None:
        """Note until when request limits delay feeds, in the order in which they will be read."""
        names: list[str] = []
        for scheduled in sorted(self._feeds.values(), key=lambda x: (x.due, x.rank)):
            names.append(scheduled.feed.name)
            delayed = scheduled.delayed_until > self._clock.monotonic()
            scheduled.hold = self._collector.hold(names) if delayed else None
        holds = [
            (scheduled.feed.name, scheduled.hold)
            for scheduled in self._feeds.values()
            if scheduled.hold and scheduled.read_at is None
        ]
        if not holds or self._holds_logged:
            return
        self._holds_logged = True
        self._log.info(
            "first figures delayed",
            limit=max((hold for _, hold in holds), key=lambda hold: hold.at).limit,
            expected=", ".join(f"{name} at {utc(hold.at)}" for name, hold in holds),
        )

    def _due(self, scheduled: _ScheduledFeed) -> float:
        """Return when a feed is due: early if it has to confirm that the account is up."""
        name = scheduled.feed.name
        latest = self._fresh(name) if name in self._deciding and not scheduled.failures else None
        if latest is None or latest.expires_at <= self._up_until:
            return scheduled.due
        return min(scheduled.due, self._up_until - _CONFIRM_BEFORE)

    async def _idle(self, wait: float) -> None:
        """Listen for pushed changes, or sleep, until the next feed is due, or for a minute."""
        wait = min(wait, _LISTEN_PAUSE)  # a reload may make a feed due
        if wait >= _SHORTEST_LISTEN and self._clock.monotonic() >= self._listen_after:
            started = self._clock.monotonic()
            try:
                readings = await self._collector.listen(wait)
            except (SessionLost, Unauthorized):
                raise
            except ProviderError as error:
                self._listen_after = self._clock.monotonic() + _LISTEN_PAUSE
                self._log.debug("listening failed", reason=error.reason, error=str(error))
                return
            if readings is not None:
                for name, reading in readings.items():
                    scheduled = self._feeds[name]
                    await self._publish(scheduled, reading, started)
                    scheduled.due = self._clock.monotonic() + scheduled.feed.times.interval
                return
            wait = min(wait, _SHORTEST_LISTEN)
        await self._sleep(wait)

    async def _refresh(self, scheduled: _ScheduledFeed) -> None:
        """Refresh one feed. Raises only where the session has ended."""
        started = scheduled.tried_at = self._clock.monotonic()
        try:
            reading = await self._collector.fetch_in_time(scheduled.feed)
            self._check_age(scheduled, started)
            await self._publish(scheduled, reading, started)
        except (SessionLost, Unauthorized) as error:
            self._record_failure(scheduled, error, started, log=self._log.debug)
            raise
        except ProviderError as error:
            self._refresh_failed(scheduled, error, started)
        except Exception as error:  # noqa: BLE001 - no bug ends the session
            crash = self._log_crash("refresh crashed", error, scheduled.feed.name)
            self._refresh_failed(scheduled, crash, started)
        else:
            self._schedule_next(scheduled, started)
            scheduled.untried = scheduled.rejected = False

    def _check_age(self, scheduled: _ScheduledFeed, started: float) -> None:
        """Raise ``TimedOut`` where the machine was suspended during a refresh: a part is old."""
        limit = scheduled.feed.times.timeout
        if self._clock.monotonic() > started + limit + _BUSY:
            raise TimedOut(f"took longer than {limit:g} s: the machine was suspended")

    def _refresh_failed(
        self, scheduled: _ScheduledFeed, error: ProviderError, started: float
    ) -> None:
        self._check_stop()
        if not isinstance(error, Throttled):
            scheduled.counters.record_loss()
        if error.early and self._has_live_figures(scheduled):
            self._telemetry.count_no_data(scheduled.feed.name, error.reason)
            self._schedule_next(scheduled, started)
            return  # the figures age, and are true as long as they are exported
        self._record_failure(scheduled, error, started)
        scheduled.rejected = isinstance(error, FeedUnauthorized)
        now = self._clock.monotonic()
        interval = scheduled.feed.times.interval
        cap = LASTING_PAUSE if isinstance(error, Unexplained) else FEED_BACKOFF_CAP
        pause = backoff(scheduled.failures, interval, max(cap, interval), self._roll)
        scheduled.due = now + max(pause, error.retry_after, LASTING_PAUSE if error.lasting else 0)
        is_refused = error.lasting or error.retry_after > _RETRY_CHECK
        scheduled.refused_until = scheduled.due if is_refused else now
        if error.voids:
            self._store.remove_feed(self._account, scheduled.feed.name)
        # After a few answers without data the feed counts as tried, and the page as complete.
        scheduled.untried &= error.early and scheduled.failures < _EARLY_ANSWERS

    def _has_live_figures(self, scheduled: _ScheduledFeed) -> bool:
        """Return whether the feed works and its figures are exported."""
        return scheduled.answering and self._fresh(scheduled.feed.name) is not None

    def _schedule_next(self, scheduled: _ScheduledFeed, started: float) -> None:
        """Set the next refresh: a multiple of the interval, without making up for missed ones.

        It is at least half an interval after the start of the last: a platform may take two equal
        requests in a row for one that was sent twice, and refuse them.
        """
        now = self._clock.monotonic()
        interval = scheduled.feed.times.interval
        if scheduled.untried:  # at random within an interval, so that feeds do not run in step
            scheduled.due = now + interval * (0.5 + 0.5 * self._roll())
            return
        scheduled.due = min(scheduled.due, now) + interval
        earliest = max(now, started + interval / 2)
        if scheduled.due <= earliest:
            missed = int((earliest - scheduled.due) // interval) + 1
            self._telemetry.count_skipped(scheduled.feed.name, missed)
            scheduled.due += missed * interval

    async def _publish(self, scheduled: _ScheduledFeed, reading: Reading, started: float) -> None:
        """Make a snapshot of a reading and store it."""
        self._check_stop()
        name = scheduled.feed.name
        before = self._store.latest(self._account, name)
        read_at = self._clock.monotonic()  # figures age while they wait for a thread
        mapped, snapshot = await run_in_worker_if(
            reading.is_large, self._make_snapshot, scheduled, reading, before, read_at
        )
        self._check_stop()
        scheduled.read_at = read_at
        scheduled.seconds = self._clock.monotonic() - started
        scheduled.samples, scheduled.failure = snapshot.size, None
        self._telemetry.record_refresh(snapshot, scheduled.seconds)
        self._record_schemas(mapped)
        if mapped.schemas:
            scheduled.notes = tuple(
                note for table, schema in mapped.schemas.items() for note in schema.notes(table)
            )
        self._log_falls(scheduled, snapshot.falls)
        if snapshot.cut and not scheduled.cut_logged:
            scheduled.cut_logged = True
            self._log.warning("label values cut", feed=name, values=snapshot.cut)
        scheduled.answering = True
        self._worked = True
        self._note_stable_session()
        if scheduled.failures:
            self._log.info("refresh recovered", feed=name, failures=scheduled.failures)
            scheduled.failures = 0
            self._crashes = {crash for crash in self._crashes if crash[0] != name}
        self._store.put(snapshot)
        if name in self._deciding:
            fresh = (self._feeds[feed].feed.times for feed in self._deciding if self._fresh(feed))
            shortest = min((times.stale_after for times in fresh), default=0.0)
            self._up_until = scheduled.read_at + max(_UP_WITHOUT_READING, shortest)

    def _note_stable_session(self) -> None:
        """Forget failures of earlier sessions once this one has worked for a while."""
        lasted = self._clock.monotonic() - self._signed_in_at
        if self._failures and self._worked and lasted >= _STABLE_AFTER:
            self._log.info("session recovered", failures=self._failures)
            self._failures = 0
            self._crashes = {crash for crash in self._crashes if crash[0]}

    def _make_snapshot(
        self,
        scheduled: _ScheduledFeed,
        reading: Reading,
        before: Snapshot | None,
        read_at: float,
    ) -> tuple[Mapped, Snapshot]:
        """Make the snapshot of a reading; may run in a worker thread."""
        feed = scheduled.feed
        expires_at = read_at + feed.times.stale_after
        known = scheduled.mapped if before and reading is scheduled.reading() else None
        if before is not None and known is not None and scheduled.counters.is_settled:
            # Nothing was pushed since: the same figures are true for longer. They were not read
            # again, so the counters stay as they are.
            return Mapped(), replace(
                before,
                taken_at=self._clock.time(),
                expires_at=expires_at,
                falls=Falls(),
                duplicates=0,
            )
        if known is not None:
            mapped = replace(known, schemas={}, duplicates=0)  # these were counted
        else:
            tables = {table.name: table for table in feed.tables}
            mapped = map_reading(
                reading, tables, self._labels, raw=feed.times.raw, before=scheduled.mapped
            )
        snapshot = make_snapshot(
            self._account,
            feed.name,
            mapped,
            scheduled.counters,
            taken_at=self._clock.time(),
            source_at=reading.source_at,
            expires_at=expires_at,
            before=before,
        )
        scheduled.reading, scheduled.mapped = ref(reading), known or mapped
        scheduled.counters.discard_oldest(self._limits.series)
        return mapped, snapshot

    def _log_falls(self, scheduled: _ScheduledFeed, falls: Falls) -> None:
        """Log totals that restarted, and once until none is held those that are held for long."""
        for message, families in (
            ("totals restarted within their period", falls.restarted),
            ("totals held after a fall", {} if scheduled.hold_logged else falls.long_held),
        ):
            if families:
                self._log.info(
                    message,
                    feed=scheduled.feed.name,
                    families=sorted(families),
                    series=sum(families.values()),
                )
        scheduled.hold_logged = falls.held > 0 and (scheduled.hold_logged or bool(falls.long_held))

    def _record_schemas(self, mapped: Mapped) -> None:
        """Record how the tables matched the answer; log each unmapped name once."""
        for table, schema in mapped.schemas.items():
            self._telemetry.record_schema(table, schema)
            names = [(kind, name) for kind, words in schema.unmapped.items() for name in words]
            names += [("missing column", header) for header in schema.missing]
            names += [("unreadable cells in column", header) for header in schema.rejected]
            names += [("refused row", str(row)) for row in schema.refused[:_MOST_ROWS]]
            for kind, text in sorted(names):
                name = bounded(text)
                known = (table, kind, name) in self._logged_names
                if not known and len(self._logged_names) < _MOST_LOGGED_NAMES:
                    self._logged_names.add((table, kind, name))
                    self._log.info("answer did not fit", table=table, kind=kind, name=name)

    def _record_failure(
        self,
        scheduled: _ScheduledFeed,
        error: ProviderError,
        started: float,
        log: Callable[..., None] | None = None,
    ) -> None:
        scheduled.failures += 1
        scheduled.answering = False
        log_line = log or (self._log.warning if scheduled.failures == 1 else self._log.debug)
        log_line(
            "refresh failed",
            feed=scheduled.feed.name,
            reason=error.reason,
            error=str(error),
            remedy=error.remedy,
        )
        scheduled.seconds = self._clock.monotonic() - started
        scheduled.failure = Failure.of(error, scheduled.failures)
        self._telemetry.record_failure(scheduled.feed.name, error.reason, scheduled.seconds)
