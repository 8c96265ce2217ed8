"""Clock passed to everything that reads the time or sleeps, and the back-off after failures.

Nothing else in this package reads a clock or sleeps, so that tests control the time.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

Roll = Callable[[], float]  # a random number in [0, 1)


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
