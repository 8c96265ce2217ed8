"""Clock passed to everything that reads the time or sleeps, and the back-off after failures.

Nothing else in this package reads a clock or sleeps, so that tests control the time.
"""

import asyncio
import random
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol

Roll = Callable[[], float]  # a random number in [0, 1)
_STABLE_AFTER = 90.0  # seconds that an attempt has to last to make up for a brief one
_MOST_BRIEF = 8  # attempts that are remembered
_LONGEST_STEP = 45.0  # seconds ahead that the wall clock may be corrected: the usual stale_after
_LONGEST_NAP = 5.0  # seconds
_FIRST_SPACING, _LONGEST_SPACING = 4.0, 70.0  # seconds; with the jitter more than a minute


def backoff(failures: int, first: float, cap: float, roll: Roll) -> float:
    """Return the seconds to wait after ``failures`` in a row (1 or more).

    ``first * 2^(failures-1)``, at most ``cap``, less up to a tenth, so that accounts that failed
    together are not retried together.
    """
    doubled = first * 2.0 ** min(failures - 1, 30)
    return min(doubled, cap) * (1.0 - 0.1 * roll())


class Clock(Protocol):
    """Reads the time and sleeps."""

    def time(self) -> float:
        """Return the wall time in seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back, from an arbitrary start; suspend counts."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Sleep for that many seconds."""
        ...


class ElapsedTime:
    """Counts the seconds that have passed, also while the machine was suspended.

    A wall clock that is stepped ahead by more than ``_LONGEST_STEP`` means that time has passed
    which ``count`` did not see: a virtual machine was paused, or ``count`` leaves suspend out.
    Smaller steps, and all steps back, are corrections of the wall clock.
    """

    def __init__(self, count: Callable[[], float], wall: Callable[[], float]) -> None:
        self.wall = wall
        self._count = count
        self._offset = wall() - count()
        self._unseen = 0.0
        self._lock = threading.Lock()

    def seconds(self) -> float:
        """Return the seconds since an arbitrary start. Thread-safe."""
        with self._lock:
            count = self._count()
            offset = self.wall() - count
            if offset - self._offset > _LONGEST_STEP:
                self._unseen += offset - self._offset
            self._offset = offset
            return count + self._unseen


def _count() -> float:
    """Return the seconds since the boot, with suspend.

    Linux counts suspend in CLOCK_BOOTTIME, macOS in CLOCK_MONOTONIC (not in Python's
    ``time.monotonic``).
    """
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


_ELAPSED = ElapsedTime(_count, lambda: time.time())  # noqa: PLW0108 - looked up when called


class SystemClock:
    """The clock of the machine; its monotonic time goes on while the machine is suspended.

    The time of the event loop stands still meanwhile. So a sleep is made of short ones, and after a
    resume what is due begins at random within ``_LONGEST_NAP`` seconds.
    """

    def __init__(self, elapsed: ElapsedTime = _ELAPSED, roll: Roll = random.random) -> None:
        self._elapsed = elapsed
        self._roll = roll

    def time(self) -> float:
        """Return the wall time in seconds since the epoch."""
        return self._elapsed.wall()

    def monotonic(self) -> float:
        """Return seconds that never go back, from an arbitrary start."""
        return self._elapsed.seconds()

    async def sleep(self, seconds: float) -> None:
        """Sleep for that many seconds."""
        until = self.monotonic() + seconds
        left = seconds
        while True:
            nap = _LONGEST_NAP * (0.5 + 0.5 * self._roll())
            await asyncio.sleep(min(left, nap))
            left = until - self.monotonic()
            if left <= 0:
                return


def uptime() -> float:
    """Return the seconds of CLOCK_MONOTONIC, which systemd compares."""
    return time.clock_gettime(time.CLOCK_MONOTONIC)


@asynccontextmanager
async def time_limit(clock: Clock, seconds: float) -> AsyncIterator[None]:
    """Limit what is awaited within to that many seconds, of which suspend is a part.

    Raises ``TimeoutError``, also where it ended too late.
    """
    loop = asyncio.get_running_loop()
    until = clock.monotonic() + seconds
    timer: asyncio.TimerHandle

    def check() -> None:
        nonlocal timer
        if clock.monotonic() >= until and not limit.expired():
            limit.reschedule(0.0)
        timer = loop.call_later(_LONGEST_NAP, check)

    timer = loop.call_later(_LONGEST_NAP, check)
    try:
        async with asyncio.timeout(seconds) as limit:
            yield
    finally:
        timer.cancel()
    if clock.monotonic() > until + _LONGEST_NAP:
        raise TimeoutError


class Pace:
    """Spaces attempts within a session that succeed only for a moment, such as handshakes.

    Without it, a success that does not last would reset the back-off. An attempt lasts until the
    last call of ``note_good``. After one that lasted less than a minute and a half the next may
    follow at once; after several in a row they are spaced, up to a little more than a minute from
    start to start. An attempt that lasts makes up for one that was brief every minute and a half.
    """

    def __init__(self, clock: Clock, roll: Roll = random.random) -> None:
        self._clock = clock
        self._roll = roll
        self._brief = 0  # attempts that did not last
        self._began_at = float("-inf")
        self._good_at = 0.0

    @property
    def delay(self) -> float:
        """Seconds until the next attempt; 0 is now."""
        brief = self._next_brief()
        if brief <= 1:
            return 0.0
        spacing = backoff(brief - 1, _FIRST_SPACING, _LONGEST_SPACING, self._roll)
        return max(self._began_at + spacing - self._clock.monotonic(), 0.0)

    def begin(self) -> None:
        """Note that an attempt begins."""
        self._brief = self._next_brief()
        self._began_at = self._good_at = self._clock.monotonic()

    def note_good(self) -> None:
        """Note that what the last attempt achieved is still good."""
        self._good_at = self._clock.monotonic()

    def _next_brief(self) -> int:
        """Return the number of brief attempts, the last one included."""
        if self._began_at == float("-inf"):
            return 0
        lasted = self._good_at - self._began_at
        if lasted < _STABLE_AFTER:
            return min(self._brief + 1, _MOST_BRIEF)
        return max(self._brief - int(lasted / _STABLE_AFTER), 0)
