"""Request budget of one user: when the next call fits the limits of Five9.

Five9 counts each user's calls in windows of a minute, an hour and a day, and reports the counts
(``getCallCountersState``). Between two reports the exporter adds its own calls, which can only
overstate the usage, so that short intervals and restarts never exceed a limit. Without a report the
budget counts the exporter's own calls of the window.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from exporter.clock import Clock
from exporter.collector.survey import Limit
from exporter.errors import Throttled
from exporter.providers.five9.client import CallCounter

FULL = "QueryStatistics"  # setSessionParameters, getStatistics and, as far as known, the rest
CHANGES = "QueryChangedStatistics"  # getStatisticsUpdate

# Statistics Web Services API Reference Guide, 1 April 2015; a domain's own may differ.
DEFAULT_LIMITS: Mapping[str, Mapping[float, int]] = {
    FULL: {60.0: 2, 3600.0: 15, 86_400.0: 240},
    CHANGES: {60.0: 30, 3600.0: 1200, 86_400.0: 24_000},
}
_LONGEST = 86_400.0
_HEADROOM = 0.95  # share of a limit that is planned with
WINDOWS = {60.0: "minute", 3600.0: "hour", 86_400.0: "day"}


@dataclass(slots=True)
class _Window:
    length: float
    limit: int
    reported: int = 0  # calls in the platform's last report
    reported_at: float = float("-inf")
    calls_before: int = 0  # calls that the exporter had made by then


class Budget:
    """Calls that one user may still make. Lives as long as the account, across sessions.

    ``fixed`` limits replace those that the platform reports. Times are seconds of the monotonic
    clock. ``demand`` is the number of updates a second that the configuration asks for.
    """

    def __init__(self, clock: Clock, fixed: Mapping[str, Mapping[float, int]]) -> None:
        self._clock = clock
        self._fixed = fixed
        self._windows = {
            operation: [_Window(length, limit) for length, limit in limits.items()]
            for operation, limits in {**DEFAULT_LIMITS, **fixed}.items()
        }
        self._recent: dict[str, list[float]] = {operation: [] for operation in self._windows}
        self._calls = dict.fromkeys(self._windows, 0)
        self._last_long_poll = float("-inf")
        self.reported_at = float("-inf")

    def update(self, counters: Iterable[CallCounter]) -> None:
        """Apply the platform's report of limits and calls."""
        self.reported_at = self._clock.monotonic()
        for counter in counters:
            windows = self._windows.get(counter.operation)
            if windows is None or counter.operation in self._fixed:
                continue
            window = next((window for window in windows if window.length == counter.window), None)
            if window is None:
                window = _Window(counter.window, counter.limit)
                windows.append(window)
            window.limit = counter.limit
            self._set_usage(counter.operation, window, counter.used)

    def add_call(self, operation: str, *, long_poll: bool = False) -> None:
        """Count a call; a ``long_poll`` is one made in idle time."""
        now = self._clock.monotonic()
        recent = self._recent[operation]
        recent.append(now)
        del recent[: bisect_right(recent, now - _LONGEST)]
        self._calls[operation] += 1
        if long_poll:
            self._last_long_poll = now

    def exhaust(self, operation: str) -> None:
        """Mark the shortest window as used up, after the platform reported an exceeded limit."""
        shortest = min(self._windows[operation], key=lambda window: window.length)
        self._set_usage(operation, shortest, shortest.limit)

    @contextmanager
    def call(self, operation: str, *, long_poll: bool = False) -> Iterator[None]:
        """Count the call made in this context. Raises ``Throttled`` where the budget has none."""
        wait = self.wait(operation)
        if wait > 0:
            raise Throttled(f"request budget has no {operation} call left", retry_after=wait)
        self.add_call(operation, long_poll=long_poll)
        try:
            yield
        except Throttled:
            self.exhaust(operation)
            raise

    def wait(self, operation: str, calls: int = 1, demand: float = 0.0) -> float:
        """Return the seconds until ``calls`` more are allowed; 0 is now.

        Where ``demand`` exceeds a window's limit, calls are spaced evenly.
        """
        waits = [self._window_wait(operation, window, calls) for window in self._windows[operation]]
        if self._recent[operation]:
            next_call = self._recent[operation][-1] + self._gap(operation, demand)
            waits.append(next_call - self._clock.monotonic())
        return max(0.0, *waits)

    def limits(self) -> list[Limit]:
        """Return each limit with the calls used, ``None`` where no current report has them."""
        now = self._clock.monotonic()
        return [
            Limit(
                operation,
                window.length,
                window.limit,
                self._used(operation, window) if now < window.reported_at + window.length else None,
            )
            for operation, windows in self._windows.items()
            for window in windows
        ]

    def long_poll_wait(self, demand: float) -> float:
        """Return the seconds until a long poll fits beside the due calls; infinite for never."""
        spares = [
            (window.length, window.limit * _HEADROOM - demand * window.length)
            for window in self._windows[CHANGES]
        ]
        if any(spare < 1 for _, spare in spares):
            return float("inf")
        gap = max((length / spare for length, spare in spares), default=0.0)
        next_poll = self._last_long_poll + gap
        return max(next_poll - self._clock.monotonic(), self.wait(CHANGES, 1, demand))

    def demand_ratio(self, demand: float) -> float:
        """Return the updates asked for as a multiple of those that the limits allow."""
        ratios = [
            demand * window.length / (window.limit * _HEADROOM) for window in self._windows[CHANGES]
        ]
        return max(ratios, default=0.0)

    def _set_usage(self, operation: str, window: _Window, used: int) -> None:
        window.reported = used
        window.reported_at = self._clock.monotonic()
        window.calls_before = self._calls[operation]

    def _used(self, operation: str, window: _Window) -> int:
        return window.reported + self._calls[operation] - window.calls_before

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
        if now < window.reported_at + window.length:
            excess = self._used(operation, window) + calls - window.limit
            return window.reported_at + window.length - now if excess > 0 else 0.0
        recent = self._recent[operation]
        in_window = recent[bisect_right(recent, now - window.length) :]
        excess = len(in_window) + calls - window.limit
        return in_window[excess - 1] + window.length - now if excess > 0 else 0.0
