"""Clock passed to everything that reads the time or sleeps, and the back-off after failures.

Nothing else in this package reads a clock or sleeps, so that tests control the time.
"""

import asyncio
import random
import time
from collections.abc import Callable
from typing import Protocol

Roll = Callable[[], float]  # a random number in [0, 1)
_STABLE_AFTER = 90.0  # seconds that an attempt has to last to make up for a brief one
_MOST_BRIEF = 8  # attempts that are remembered
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
        """Return seconds that never go back, from an arbitrary start."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Sleep for that many seconds."""
        ...


class SystemClock:
    """The clock of the machine."""

    monotonic = staticmethod(time.monotonic)
    time = staticmethod(time.time)

    async def sleep(self, seconds: float) -> None:
        """Sleep for that many seconds."""
        await asyncio.sleep(seconds)


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
