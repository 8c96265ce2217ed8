"""Request budget of one user: when the next call fits the limits of Five9.

Five9 counts each user's calls in windows of a minute, an hour and a day, and reports the counts
(``getCallCountersState``). Between two reports the exporter adds its own calls, which can only
overstate the usage, so that short intervals and restarts never exceed a limit. Without a report the
budget counts the exporter's own calls of the window.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from exporter.clock import Clock
from exporter.collector.survey import Limit
from exporter.errors import Hold, OverBudget, Throttled
from exporter.providers.five9.client import CallCounter

FULL = "QueryStatistics"  # setSessionParameters, getStatistics and, as far as known, the rest
CHANGES = "QueryChangedStatistics"  # getStatisticsUpdate

# Statistics Web Services API Reference Guide, 1 April 2015; a domain's own may differ.
DEFAULT_LIMITS: Mapping[str, Mapping[float, int]] = {
    FULL: {60.0: 2, 3600.0: 15, 86_400.0: 240},
    CHANGES: {60.0: 30, 3600.0: 1200, 86_400.0: 24_000},
}
_LONGEST = 86_400.0
_SOONEST = 1.0  # second before the budget is asked again
_MOST_WINDOWS = 10  # of one operation type
_HEADROOM = 0.95  # share of a limit that is planned with
_MINUTE, _HOUR = 60.0, 3600.0
WINDOWS = {_MINUTE: "minute", _HOUR: "hour", _LONGEST: "day"}


@dataclass(slots=True)
class _Window:
    length: float
    limit: int
    reported: int = 0  # calls in the platform's last report
    reported_at: float = float("-inf")
    calls_before: int = 0  # calls that the exporter had made by then
    since: float = float("-inf")  # first report of the platform's current window

    def kept(self, reserve: int) -> int:
        """Return how many calls are kept back: at most half, and none where it is soon over."""
        return min(reserve, self.limit // 2) if self.length > _MINUTE else 0


@dataclass(slots=True)
class _Projection:
    """A window and its calls, as they will be; ``end`` is monotonic."""

    window: _Window
    used: int
    end: float

    def earliest(self, at: float, calls: int, reserve: int) -> float:
        """Return the earliest time from ``at`` on at which the window has room for calls."""
        self._move_to(at)
        limit = self.window.limit - self.window.kept(reserve)
        full = self.used + min(calls, limit) > limit
        return self.end if full or limit < 1 else at

    def add_call(self, at: float) -> None:
        self._move_to(at)
        self.used += 1

    def _move_to(self, at: float) -> None:
        if at >= self.end:
            missed = (at - self.end) // self.window.length
            self.used, self.end = 0, self.end + self.window.length * (missed + 1)


class Budget:
    """Calls that one user may still make. Lives as long as the account, across sessions.

    ``fixed`` limits replace those that the platform reports. Times are seconds of the monotonic
    clock. ``demand`` is the number of updates a second that the configuration asks for. ``reserve``
    is the number of calls that have to be left for more important ones, in every window that is
    longer than a minute.
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
        """Apply the platform's report of limits and calls.

        A limit of zero is passed over, as no document says what it means: with it nobody could
        sign in. The platform refuses the calls if that is what it means.
        """
        self.reported_at = self._clock.monotonic()
        for counter in counters:
            windows = self._windows.get(counter.operation)
            if windows is None or counter.operation in self._fixed or counter.limit < 1:
                continue
            window = next((window for window in windows if window.length == counter.window), None)
            if window is None and len(windows) >= _MOST_WINDOWS:
                continue
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
    def call(self, operation: str, *, long_poll: bool = False, reserve: int = 0) -> Iterator[None]:
        """Count the call made in this context. Raises ``OverBudget`` where the budget has none."""
        self.check(f"request budget has no {operation} call left", operation, reserve=reserve)
        self.add_call(operation, long_poll=long_poll)
        try:
            yield
        except Throttled:
            self.exhaust(operation)
            raise

    def check(self, message: str, operation: str, *, reserve: int = 0) -> None:
        """Raise ``OverBudget`` with that message where no call is left."""
        wait = self.wait(operation, reserve=reserve)
        if wait > 0:
            hold = self.hold(operation, [(1, reserve)])
            soonest = max(hold.at - self._clock.time(), _SOONEST) if hold else wait
            raise OverBudget(
                message,
                retry_after=min(wait, soonest, _MINUTE),
                hold=hold or Hold(self._clock.time() + wait, operation),
            )

    def wait(
        self, operation: str, calls: int = 1, demand: float = 0.0, *, reserve: int = 0
    ) -> float:
        """Return the seconds until ``calls`` more are allowed; 0 is now.

        Where ``demand`` exceeds a window's limit, calls are spaced evenly. The time is that after
        which the calls are certainly allowed; new reports of the platform make it shorter.
        """
        waits = [
            self._window_wait(operation, window, calls, reserve)
            for window in self._windows[operation]
        ]
        if self._recent[operation]:
            next_call = self._recent[operation][-1] + self._gap(operation, demand)
            waits.append(next_call - self._clock.monotonic())
        return max(0.0, *waits)

    def hold(self, operation: str, reads: Sequence[tuple[int, int]]) -> Hold | None:
        """Return what delays the last of several reads, ``None`` where nothing does.

        ``reads`` are in order: the calls of each, which are made together as soon as there is room
        for all of them, and the calls that it has to leave. The time is an estimate: Five9's
        windows of a minute and an hour begin with those of the clock, its day at a midnight that
        is not known.
        """
        now = self._clock.monotonic()
        at, limit = now, ""
        projections = [
            _Projection(window, self._used_now(operation, window), self._end(operation, window))
            for window in sorted(self._windows[operation], key=lambda x: -x.length)
        ]
        for calls, reserve in reads:
            for left in range(calls, 0, -1):
                for projection in projections:
                    start = projection.earliest(at, left, reserve)
                    if start > at:
                        at, limit = start, f"{operation} of {_named(projection.window.length)}"
                for projection in projections:
                    projection.add_call(at)
        return Hold(self._clock.time() + at - now, limit) if limit else None

    def left(self, operation: str) -> str:
        """Return the calls left in each window, in words."""
        windows = sorted(self._windows[operation], key=lambda window: window.length)
        left = (
            f"{max(window.limit - self._used_now(operation, window), 0)} of {window.limit} left "
            f"in {_named(window.length)}"
            for window in windows
        )
        return ", ".join(left)

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
        if used < self._used(operation, window) or window.since == float("-inf"):
            window.since = self._clock.monotonic()
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
            if demand * window.length > window.limit * _HEADROOM
        ]
        return max(gaps, default=0.0)

    def _used_now(self, operation: str, window: _Window) -> int:
        """Return the calls in the current window, as far as is known."""
        now = self._clock.monotonic()
        if now < window.reported_at + window.length:
            return self._used(operation, window)
        recent = self._recent[operation]
        return len(recent) - bisect_right(recent, now - window.length)

    def _end(self, operation: str, window: _Window) -> float:
        """Return when the platform's current window probably ends (monotonic seconds)."""
        now, wall = self._clock.monotonic(), self._clock.time()
        if now >= window.reported_at + window.length:  # without a report, windows slide
            recent = self._recent[operation]
            first = bisect_right(recent, now - window.length)
            return (recent[first] if first < len(recent) else now) + window.length
        if window.length <= _HOUR:
            return now + window.length - wall % window.length
        latest = window.since + window.length
        return latest if now < latest else now + window.length

    def _window_wait(self, operation: str, window: _Window, calls: int, reserve: int) -> float:
        now = self._clock.monotonic()
        limit = window.limit - window.kept(reserve)
        calls = min(calls, limit)
        if now < window.reported_at + window.length:
            excess = self._used(operation, window) + calls - limit
            return window.reported_at + window.length - now if excess > 0 else 0.0
        recent = self._recent[operation]
        in_window = recent[bisect_right(recent, now - window.length) :]
        excess = len(in_window) + calls - limit
        return in_window[excess - 1] + window.length - now if excess > 0 else 0.0


def _named(length: float) -> str:
    """Return the length of a window in words."""
    name = WINDOWS.get(length)
    return f"a{'n' if name == 'hour' else ''} {name}" if name else f"{length:g} s"
