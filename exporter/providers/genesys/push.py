"""Push session: receives every change over CometD, and opens again what the platform loses.

Two tasks run while it is open: one receives events, the other keeps the statistics open. A failure
that ends either of them ends the session at the next refresh.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NoReturn

from exporter.clock import Clock, Pace
from exporter.errors import ProviderError, Refused, SessionLost, Unauthorized
from exporter.logs import Log
from exporter.metrics.reading import Reading
from exporter.providers.genesys.client import Client
from exporter.providers.genesys.cometd import LONG_POLL_REMEDY, CometdSession, LongPollFailed
from exporter.providers.genesys.store import OVERTAKING, StatisticStore
from exporter.providers.genesys.subscriptions import Subscriptions, Unavailable, has_unreadable_ids

CHANNELS = ("/statistics/v3/service", "/statistics/v3/updates")
# Seconds from one check of all statistics to the next: the platform does not report that an object
# has been deleted, and statistics that failed before may open now. A check opens nothing that is
# open, because totals count from their opening (Stat Server User's Guide, time profiles).
CHECK_INTERVAL = 600.0
EVENT_INTERVAL = 10.0  # seconds between two replies to connects, as some statistics are periodical
CLOSE_LIMIT = 2.0  # seconds for each step; an orchestrator waits ten in all
_REOPEN_PAUSE = 5.0  # seconds, at least, from one reopening to the next
_WATCH, _WATCH_PACE = 7.0, 0.5  # seconds for which check --live watches the long poll
_DOUBTFUL = OVERTAKING + 1.0  # seconds after which what is doubtful is read again
_MOST_FAILURES = 7  # to reopen or read, in a row, which is two minutes; then the session ends
_FIRST_PAUSE, _UNAVAILABLE_PAUSE, _LONGEST_PAUSE = 1.0, 15.0, 60.0


class Reopening(ProviderError):
    """The statistics are being reopened after the platform lost the session."""

    reason = "reopening"
    remedy = "The platform lost the session: the statistics are being opened again."
    early = True


class LongPollCut(Reopening):
    """Something on the way cuts the long poll, and updates are lost."""

    remedy = LONG_POLL_REMEDY


class PushSession:
    """The push sessions of one account, one after the other."""

    def __init__(
        self,
        client: Client,
        store: StatisticStore,
        subscriptions: Subscriptions,
        clock: Clock,
        log: Log,
    ) -> None:
        self._client = client
        self._store = store
        self._subscriptions = subscriptions
        self._clock = clock
        self._log = log
        self._cometd = CometdSession(
            client.post_messages, clock, self._on_event, log, on_gap=self._on_gap
        )
        self._pace = Pace(clock)  # of opening everything anew
        self._wake = asyncio.Event()
        self._losses = 0  # how often values were lost
        self._repaired = 0  # the number of losses after which they were read or reopened
        self._has_reopened = True  # nothing has to be opened anew
        self._check_at = 0.0  # monotonic
        self._is_second_check = False  # the next one
        self._is_doubtful = False  # a stored value may be older than one that was dropped
        self._overdue = False  # the last reading was not available
        self._tasks: list[asyncio.Task[None]] = []
        self._crashes: set[str] = set()  # the bugs that were logged with their traceback

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Open the statistics and keep them open; leaving the context closes everything.

        Raises ``ProviderError``.
        """
        self._repaired, self._has_reopened = self._losses, True
        self._wake.clear()
        self._store.clear()
        await self._clock.sleep(self._cometd.pace.delay)
        await self._cometd.handshake(CHANNELS)
        self._tasks = [asyncio.create_task(self._receive())]
        try:
            await self._reopen()
            self._tasks.append(asyncio.create_task(self._keep_open()))
            yield
        finally:
            tasks, self._tasks = self._tasks, []
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._subscriptions.close(CLOSE_LIMIT)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_LIMIT):
                    await self._cometd.disconnect(CLOSE_LIMIT)

    def reading(self) -> Reading:
        """Return the current values. Raises ``ProviderError`` where they are not up to date."""
        self._overdue = True
        for task in self._tasks:
            if task.done():
                self._raise_end(task.exception())
        if self._clock.monotonic() > self._cometd.alive_until:
            raise LongPollFailed("the long poll is no longer answered")
        if not self._subscriptions.available:
            raise Unavailable("the statistics service is unavailable")
        if self._repaired != self._losses:
            raise self._reopening("updates were lost; the statistics are being read or reopened")
        if self._cometd.failing:
            raise self._reopening("the long poll fails; the values are getting old")
        self._overdue = False
        return self._store.reading()

    async def is_cut(self) -> bool:
        """Watch the long poll for a few seconds; return whether something on the way cuts it."""
        until = self._clock.monotonic() + _WATCH
        while not self._cometd.was_cut and self._clock.monotonic() < until:
            await self._clock.sleep(_WATCH_PACE)
        return self._cometd.was_cut

    def _reopening(self, message: str) -> Reopening:
        return LongPollCut(message) if self._cometd.is_cut else Reopening(message)

    def overdue_reading(self) -> Reading | None:
        """Return a reading if the last one failed and one is available now.

        Raises ``SessionLost`` or ``Unauthorized``.
        """
        if not self._overdue:
            return None
        try:
            return self.reading()
        except (SessionLost, Unauthorized):
            raise
        except ProviderError:
            return None

    def _on_event(self, channel: str, data: object) -> None:
        was_available = self._subscriptions.available
        self._subscriptions.on_event(channel, data)
        if has_unreadable_ids(channel, data):
            self._on_gap()
        if self._subscriptions.available != was_available:
            if was_available:
                self._note_loss()
            self._has_reopened = False
            self._wake.set()
        if self._store.stepped_back:
            # What was dropped may be the latest value, and what was stored an old one.
            self._store.stepped_back = False
            self._is_doubtful = True
            self._check_at = min(self._check_at, self._clock.monotonic() + _DOUBTFUL)
            self._wake.set()

    def _note_loss(self) -> None:
        if self._repaired == self._losses:  # until now everything was open
            self._pace.note_good()
        self._losses += 1

    def _on_gap(self) -> None:
        """Read everything after updates were lost; the statistics are still open."""
        self._losses += 1
        self._wake.set()

    def _raise_end(self, error: BaseException | None) -> NoReturn:
        """Raise why a task ended, as an error after which a new session begins."""
        if isinstance(error, SessionLost | Unauthorized):
            raise error
        if isinstance(error, ProviderError):
            raise SessionLost(str(error), retry_after=error.retry_after) from error
        name = type(error).__name__
        log = self._log.debug if name in self._crashes else self._log.error
        log("push session broke", error=name, exc_info=None if name in self._crashes else error)
        self._crashes.add(name)
        raise SessionLost("the push session broke") from error

    async def _receive(self) -> None:
        """Receive events; where the platform requires a new handshake, make one."""
        while True:
            await self._cometd.receive()
            self._log.info("platform lost the session")
            self._note_loss()
            self._has_reopened = False
            await self._cometd.handshake(CHANNELS)
            self._wake.set()

    async def _keep_open(self) -> None:
        """Reopen the statistics after each loss, and check them at ``_check_at``."""
        failures = 0
        while True:
            await self._wait(failures)
            if not self._has_reopened:
                await self._clock.sleep(self._pace.delay)
            reopens = not self._has_reopened
            self._has_reopened = True
            try:
                await (self._reopen() if reopens else self._check())
                failures = 0
                await self._clock.sleep(_REOPEN_PAUSE)
            except (SessionLost, Unauthorized):
                raise
            except ProviderError as error:
                failures += 1
                # What must be read and is refused can only be opened anew.
                is_refused = isinstance(error, Refused) and self._repaired != self._losses
                self._has_reopened &= not (reopens or is_refused)
                if failures >= _MOST_FAILURES or error.retry_after > _LONGEST_PAUSE:
                    raise  # the schedule waits
                self._log.debug("reopening failed", reason=error.reason, error=str(error))
                await self._clock.sleep(error.retry_after)

    async def _reopen(self) -> None:
        losses = self._losses
        self._is_second_check = self._is_doubtful = False
        self._check_in(CHECK_INTERVAL)
        self._pace.begin()
        await self._subscriptions.reopen()
        self._repaired = losses

    async def _check(self) -> None:
        """Read every statistic, and open those that are gone.

        A value that was read may return to the one sent last before it is sent itself: the
        platform then sends nothing, so that it has to be read once more. Until values that could
        not be read are read, they count as lost.
        """
        losses, changes = self._losses, self._store.changes
        doubtful = self._is_second_check or self._is_doubtful or self._repaired != losses
        self._is_doubtful = False
        try:
            await self._subscriptions.read_values(doubtful=doubtful)
        except ProviderError:
            self._losses += 1
            raise
        self._repaired = losses
        has_changed = self._store.changes > changes
        await self._subscriptions.open_missing()
        self._is_second_check = has_changed and not self._is_second_check
        soon = self._is_second_check or self._is_doubtful or self._subscriptions.unconfirmed
        self._check_in(_DOUBTFUL if soon else CHECK_INTERVAL)

    def _check_in(self, seconds: float) -> None:
        self._check_at = self._clock.monotonic() + seconds

    async def _wait(self, failures: int) -> None:
        """Wait until there is something to reopen or check; longer the more attempts failed.

        While the service is unavailable nothing is opened, except after a longer pause, because
        the event that it is available again may be lost.
        """
        while True:
            pause = max(self._check_at - self._clock.monotonic(), 0.0)
            if failures or not self._subscriptions.available:
                first = _FIRST_PAUSE if self._subscriptions.available else _UNAVAILABLE_PAUSE
                pause = min(first * 2.0 ** min(failures, 30), _LONGEST_PAUSE)
            try:
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            except TimeoutError:
                return
            self._wake.clear()
            if self._subscriptions.available and self._repaired != self._losses:
                return
