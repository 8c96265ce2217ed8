"""A live session: CometD brings every change, and what the platform loses is opened again.

Two tasks run while it is open: one listens, the other keeps the statistics open. What ends either
of them for good ends the session at the next refresh; the schedule then begins anew.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NoReturn

from exporter.clock import Clock
from exporter.errors import ProviderError, SessionLost, Unauthorized
from exporter.logs import Log
from exporter.metrics.reading import Reading
from exporter.providers.genesys.client import Client
from exporter.providers.genesys.cometd import Session
from exporter.providers.genesys.store import Book
from exporter.providers.genesys.subscriptions import Subscriptions, Unavailable

CHANNELS = ("/statistics/v3/service", "/statistics/v3/updates")
# Seconds until everything is opened anew: what could not be opened before may be there now, and
# nothing tells that an object is no longer there.
CHECK_EVERY = 600.0
HEARD_EVERY = (
    10.0  # seconds: how often a long poll is answered at least, as some statistics come so
)
_BETWEEN = 5.0  # seconds, at least, from one such opening to the next
_MOST_FAILURES = 5  # to open anew, one after the other; then the session is begun anew
_FIRST_PAUSE, _UNAVAILABLE_PAUSE, _LONGEST_PAUSE = 1.0, 15.0, 60.0
CLOSE_LIMIT = 2.0  # seconds for each step of it: an orchestrator waits ten in all


class Reopening(ProviderError):
    """The statistics are being opened again after the platform lost the session."""

    reason = "reopening"
    remedy = (
        "The platform lost the session. The statistics are being opened again, which takes a "
        "moment."
    )
    early = True


class Live:
    """One account's live sessions, one after the other."""

    def __init__(
        self, client: Client, book: Book, subscriptions: Subscriptions, clock: Clock, log: Log
    ) -> None:
        self._client = client
        self._book = book
        self._subscriptions = subscriptions
        self._clock = clock
        self._log = log
        self._session = Session(client.messages, clock, self._heard, log, missed=self._missed)
        self._wake = asyncio.Event()
        self._losses = 0  # how often everything had to be opened anew
        self._mended = 0  # how many of these have been made good
        self._late = False  # the last reading could not be had
        self._tasks: list[asyncio.Task[None]] = []

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Listen, open the statistics, and keep both going; leaving it closes everything.

        Raises ``ProviderError``.
        """
        self._mended = self._losses
        self._wake.clear()
        self._book.drop()
        await self._session.start(CHANNELS)
        self._tasks = [asyncio.create_task(self._listen())]
        try:
            await self._subscriptions.open_anew()
            self._tasks.append(asyncio.create_task(self._keep()))
            yield
        finally:
            tasks, self._tasks = self._tasks, []
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._subscriptions.close(CLOSE_LIMIT)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_LIMIT):
                    await self._session.stop(CLOSE_LIMIT)

    def reading(self) -> Reading:
        """Return what is known now. Raises ``ProviderError`` where that is not up to date."""
        self._late = True
        for task in self._tasks:
            if task.done():
                self._ended(task.exception())
        if self._clock.monotonic() > self._session.alive_until:
            raise SessionLost("the long poll is not answered any more")
        if not self._subscriptions.available:
            raise Unavailable("the statistics service is unavailable")
        if self._mended != self._losses:
            raise Reopening("the platform lost the session; the statistics are opened again")
        if self._session.failing:
            raise Reopening("the long poll fails; what is known gets old")
        self._late = False
        return self._book.reading()

    def recovered(self) -> Reading | None:
        """Return a reading if one is late and can be had now. Raises ``ProviderError``."""
        if not self._late:
            return None
        try:
            return self.reading()
        except (SessionLost, Unauthorized):
            raise
        except ProviderError:
            return None

    def _heard(self, channel: str, data: object) -> None:
        was = self._subscriptions.available
        self._subscriptions.heard(channel, data)
        if self._subscriptions.available != was:
            self._losses += was
            self._wake.set()

    def _missed(self) -> None:
        """Have everything opened anew: updates were lost.

        To read the values would not do: the platform tells what changes against the value that it
        told last, so that one which goes back to that would stay as it was read.
        """
        self._losses += 1
        self._wake.set()

    def _ended(self, error: BaseException | None) -> NoReturn:
        """Say why a task ended, in the way that makes the schedule begin a new session."""
        if isinstance(error, SessionLost | Unauthorized):
            raise error
        if isinstance(error, ProviderError):
            raise SessionLost(str(error), retry_after=error.retry_after) from error
        self._log.error("live session broke", exc_info=error)
        raise SessionLost("the live session broke") from error

    async def _listen(self) -> None:
        """Listen for ever; where the platform wants a new handshake, make one."""
        while True:
            await self._session.stay()
            self._log.info("platform lost the session")
            self._losses += 1
            await self._session.start(CHANNELS)
            self._wake.set()

    async def _keep(self) -> None:
        """Open what has to be opened, for ever."""
        failures = 0
        while True:
            await self._wait(failures)
            if self._mended == self._losses:
                self._losses += 1
            losses = self._losses
            try:
                await self._subscriptions.open_anew()
                self._mended = losses
                failures = 0
                await self._clock.sleep(_BETWEEN)
            except (SessionLost, Unauthorized):
                raise
            except ProviderError as error:
                failures += 1
                if failures >= _MOST_FAILURES:
                    raise
                self._log.debug("opening failed", reason=error.reason, error=str(error))
                await self._clock.sleep(error.retry_after)

    async def _wait(self, failures: int) -> None:
        """Wait until there is something to open, or for a time that grows with the failures.

        While the service is unavailable nothing is opened; that its word of being back got lost
        is possible, so it is tried all the same after a while.
        """
        while True:
            pause = CHECK_EVERY
            if failures or not self._subscriptions.available:
                first = _FIRST_PAUSE if self._subscriptions.available else _UNAVAILABLE_PAUSE
                pause = min(first * 2.0 ** min(failures, 30), _LONGEST_PAUSE)
            try:
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            except TimeoutError:
                return
            self._wake.clear()
            if self._subscriptions.available:
                return
