"""Five9's request limits: may another call be made now?

Five9 counts calls for each user in windows of a minute, an hour and a day, and tells the counts
(``getCallCountersState``). Between two readings of them our own calls are added, which can only
overstate: the limit is never met, not by a fast configuration and not by a restart loop. Where
the counts are not to be had, our own calls of the last minute, hour and day stand for them.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from exporter.clock import Clock
from exporter.providers.five9.client import Counter

FULL = "QueryStatistics"  # setSessionParameters, getStatistics and, as far as known, the rest
CHANGES = "QueryChangedStatistics"  # getStatisticsUpdate

# Statistics Web Services API Reference Guide, 1 April 2015; a domain's own may differ.
DEFAULT_LIMITS: Mapping[str, Mapping[float, int]] = {
    FULL: {60.0: 2, 3600.0: 15, 86_400.0: 240},
    CHANGES: {60.0: 30, 3600.0: 1200, 86_400.0: 24_000},
}
_LONGEST = 86_400.0
_HEADROOM = 0.95  # of a limit is planned with; the rest is for what cannot be planned
WINDOWS = {60.0: "minute", 3600.0: "hour", 86_400.0: "day"}


@dataclass(slots=True)
class _Window:
    length: float
    limit: int
    base: int = 0  # the platform's count when it was last read
    read_at: float = float("-inf")
    calls_then: int = 0  # how many calls we had made by then


class Budget:
    """What one user may still ask; lives as long as the account, so a new session knows it too.

    ``fixed`` limits are kept instead of the platform's. Times are the monotonic clock's seconds.
    """

    def __init__(self, clock: Clock, fixed: Mapping[str, Mapping[float, int]]) -> None:
        self._clock = clock
        self._fixed = fixed
        self._windows = {
            operation: [_Window(length, limit) for length, limit in limits.items()]
            for operation, limits in {**DEFAULT_LIMITS, **fixed}.items()
        }
        self._recent: dict[str, list[float]] = {operation: [] for operation in self._windows}
        self._made = dict.fromkeys(self._windows, 0)
        self._last_poll = float("-inf")
        self.read_at = float("-inf")

    def learn(self, counters: Iterable[Counter]) -> None:
        """Take over what the platform has counted so far."""
        self.read_at = self._clock.monotonic()
        for counter in counters:
            windows = self._windows.get(counter.operation)
            if windows is None or counter.operation in self._fixed:
                continue
            window = next((each for each in windows if each.length == counter.window), None)
            if window is None:
                window = _Window(counter.window, counter.limit)
                windows.append(window)
            window.limit = counter.limit
            self._set(counter.operation, window, counter.used)

    def spend(self, operation: str, *, poll: bool = False) -> None:
        """Record a call that is being made; a ``poll`` is one that only fills idle time."""
        now = self._clock.monotonic()
        recent = self._recent[operation]
        recent.append(now)
        del recent[: bisect_right(recent, now - _LONGEST)]
        self._made[operation] += 1
        if poll:
            self._last_poll = now

    def exhausted(self, operation: str) -> None:
        """Note that the platform says a limit is met, whatever we thought: wait a window."""
        shortest = min(self._windows[operation], key=lambda window: window.length)
        self._set(operation, shortest, shortest.limit)

    def wait(self, operation: str, calls: int = 1, demand: float = 0.0) -> float:
        """Return the seconds until ``calls`` more are allowed; 0 is now.

        ``demand`` is the calls a second that the configuration asks for. Where that is more than
        a window allows, calls are spaced evenly instead of being used up in a burst.
        """
        waits = [self._window_wait(operation, window, calls) for window in self._windows[operation]]
        if self._recent[operation]:
            next_beat = self._recent[operation][-1] + self._gap(operation, demand)
            waits.append(next_beat - self._clock.monotonic())
        return max(0.0, *waits)

    def limits(self) -> Iterable[tuple[str, float, float, float | None]]:
        """Yield each limit: what is counted, the window in seconds, the limit, and calls used now,

        ``None`` where the platform has not told them.
        """
        now = self._clock.monotonic()
        for operation, windows in self._windows.items():
            for each in windows:
                counted = now < each.read_at + each.length
                used = each.base + self._made[operation] - each.calls_then if counted else None
                yield operation, each.length, each.limit, used

    def poll_wait(self, demand: float) -> float:
        """Return the seconds until a long poll fits in what the due calls leave over."""
        spares = [
            (window.length, window.limit * _HEADROOM - demand * window.length)
            for window in self._windows[CHANGES]
        ]
        if any(spare < 1 for _, spare in spares):
            return float("inf")
        gap = max((length / spare for length, spare in spares), default=0.0)
        return max(self._last_poll + gap - self._clock.monotonic(), self.wait(CHANGES, 1, demand))

    def overdrawn(self, demand: float) -> float:
        """Return how many times more updates are asked for than the limits allow; 1 is just."""
        return max(
            (demand * each.length / (each.limit * _HEADROOM) for each in self._windows[CHANGES]),
            default=0.0,
        )

    def _set(self, operation: str, window: _Window, used: int) -> None:
        window.base = used
        window.read_at = self._clock.monotonic()
        window.calls_then = self._made[operation]

    def _gap(self, operation: str, demand: float) -> float:
        """Return the seconds to keep between calls."""
        gaps = [
            window.length / (window.limit * _HEADROOM)
            for window in self._windows[operation]
            if demand * window.length > window.limit * _HEADROOM > 0
        ]
        return max(gaps, default=0.0)

    def _window_wait(self, operation: str, window: _Window, calls: int) -> float:
        now = self._clock.monotonic()
        if window.limit <= 0:
            return window.length
        calls = min(calls, window.limit)
        if now < window.read_at + window.length:
            used = window.base + self._made[operation] - window.calls_then
            over = used + calls - window.limit
            return window.read_at + window.length - now if over > 0 else 0.0
        recent = self._recent[operation]
        ours = recent[bisect_right(recent, now - window.length) :]
        over = len(ours) + calls - window.limit
        return ours[over - 1] + window.length - now if over > 0 else 0.0
