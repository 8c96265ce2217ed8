"""Virtual time: a clock that sleeping moves, and an event loop that jumps to its next timer.

``VirtualClock`` serves code in which one task waits at a time. ``VirtualLoop`` serves code that
waits for several things at once, such as a held long poll beside a schedule: sleeps, timeouts and
delayed calls all see the same time, hours pass in seconds, and the order of events is the same in
every run. Sockets and threads still work; while a thread works, time stands still.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
NOON = 1_772_452_800.0  # 2026-03-02 12:00 UTC, a Monday
MIDNIGHT = 1_795_564_800.0  # 2026-11-25 00:00 UTC
MORNING = MIDNIGHT + 9 * 3600.0
_LONGEST_REAL_WAIT = 120.0  # seconds for a socket or thread; after that nothing will ever happen
_RESOLUTION = 1e-6


class VirtualClock:
    """A clock that only a sleep, or the test itself, moves; it stops at ``end``.

    ``start`` is the wall time at its beginning, and ``monotonic`` what ``monotonic()`` returns
    then. ``watchers`` are called after every step. A sleep that would pass ``end`` sets ``ended``
    and never returns.
    """

    def __init__(self, start: float = NOON, monotonic: float = 0.0) -> None:
        self.start = start
        self._first = self._monotonic = monotonic
        self.end = float("inf")
        self.ended = asyncio.Event()
        self.watchers: list[Callable[[], None]] = []

    @property
    def elapsed(self) -> float:
        """The seconds since the beginning."""
        return self._monotonic - self._first

    @elapsed.setter
    def elapsed(self, seconds: float) -> None:
        self._monotonic = self._first + seconds

    @property
    def now(self) -> float:
        """The wall time, in seconds since the epoch."""
        return self._monotonic + (self.start - self._first)

    @now.setter
    def now(self, wall: float) -> None:
        self._monotonic = wall - (self.start - self._first)

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        left = self.end - self.now
        self._monotonic += max(min(seconds, left), 0.0)
        for watch in self.watchers:
            watch()
        if seconds >= left:
            self.ended.set()
            await asyncio.Event().wait()
        await asyncio.sleep(0)


class _Jumping(selectors.DefaultSelector):
    """A selector that moves the loop's time on instead of waiting."""

    loop: "VirtualLoop"

    def select(self, timeout: float | None = None) -> Any:
        if timeout is not None and timeout <= 0:
            return super().select(0)
        if timeout is None or self.loop.jobs:
            ready = super().select(_LONGEST_REAL_WAIT)
            if not ready:
                raise RuntimeError("every task waits, and nothing is left that could end it")
            return ready
        ready = super().select(0)
        if not ready:
            self.loop.elapsed += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """See the module."""

    def __init__(self) -> None:
        self.elapsed = 0.0
        self.jobs = 0
        selector = _Jumping()
        selector.loop = self
        super().__init__(selector)
        self._clock_resolution = _RESOLUTION

    def time(self) -> float:
        return self.elapsed

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> Any:
        future = super().run_in_executor(executor, func, *args)
        self.jobs += 1
        future.add_done_callback(self._job_done)
        return future

    def _job_done(self, _: object) -> None:
        self.jobs -= 1


class LoopClock:
    """The virtual loop's time as a ``Clock``; ``start`` is the wall time at its zero."""

    def __init__(self, start: float) -> None:
        self.start = start
        self._suspended = 0.0  # seconds

    def time(self) -> float:
        return self.start + self.monotonic()

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time() + self._suspended

    def suspend(self, seconds: float) -> None:
        """Let time pass in which no timer of the loop runs, as while the machine is suspended."""
        self._suspended += seconds

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on a virtual loop of its own."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
