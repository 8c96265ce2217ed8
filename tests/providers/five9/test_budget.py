from collections import Counter as Tallies
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.providers.five9.budget import CHANGES, DEFAULT_LIMITS, FULL, Budget
from exporter.providers.five9.client import CallCounter

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
SMALL = {FULL: {MINUTE: 2, HOUR: 5}, CHANGES: {MINUTE: 3, HOUR: 20}}
pauses = st.lists(st.integers(0, 90), min_size=1, max_size=120)


class Platform:
    """What Five9 counts: calls in windows that start at multiples of their length, and a shift."""

    def __init__(self, clock: Any, limits: dict[float, int], shift: float = 0.0) -> None:
        self.clock = clock
        self.limits = limits
        self.shift = shift
        self.calls: list[float] = []

    def call(self) -> None:
        self.calls.append(self.clock.monotonic())
        for length, limit in self.limits.items():
            assert self.used(length) <= limit

    def used(self, length: float) -> int:
        now = self.clock.monotonic()
        return sum(self.window(at, length) == self.window(now, length) for at in self.calls)

    def window(self, at: float, length: float) -> int:
        return int((at + self.shift) // length)

    def counters(self, operation: str = FULL) -> list[CallCounter]:
        return [
            CallCounter(operation, length, limit, self.used(length))
            for length, limit in self.limits.items()
        ]


@pytest.fixture
def budget(clock: Any) -> Budget:
    return Budget(clock, SMALL)


def add_calls(budget: Budget, operation: str, times: int = 1) -> None:
    for _ in range(times):
        budget.add_call(operation)


def test_the_guide_s_limits(clock: Any) -> None:
    """Without other knowledge the limits are those that the guide of 2015 prints."""
    budget = Budget(clock, {})
    add_calls(budget, FULL, DEFAULT_LIMITS[FULL][MINUTE])

    assert budget.wait(FULL) == 60
    assert budget.wait(CHANGES) == 0


def test_a_new_budget_is_free(budget: Budget) -> None:
    """Nothing spent, nothing to wait for."""
    assert (budget.wait(FULL), budget.wait(CHANGES, 3)) == (0, 0)


def test_a_call_comes_back_after_its_window(budget: Budget, clock: Any) -> None:
    """A call counts for as long as the window is, from when it was made."""
    budget.add_call(FULL)
    clock.elapsed += 20
    budget.add_call(FULL)
    waits = [budget.wait(FULL)]
    clock.elapsed += 39.5
    waits.append(budget.wait(FULL))
    clock.elapsed += 0.5
    waits.append(budget.wait(FULL))

    assert waits == [40, 0.5, 0]


def test_several_calls(budget: Budget, clock: Any) -> None:
    """Room for several calls takes as long as the last of them needs."""
    budget.add_call(FULL)
    clock.elapsed += 20

    assert (budget.wait(FULL, 1), budget.wait(FULL, 2)) == (0, 40)


def test_more_calls_than_the_limit(budget: Budget) -> None:
    """More calls than a window allows at all are allowed when it is empty."""
    assert budget.wait(FULL, 99) == 0


def test_operations_are_apart(budget: Budget) -> None:
    """One operation's calls do not use up another's limit."""
    add_calls(budget, FULL, 2)

    assert budget.wait(CHANGES) == 0


def test_learned_counts(clock: Any) -> None:
    """What the platform has counted is believed, for as long as its window is at most."""
    budget = Budget(clock, {})
    budget.update([CallCounter(CHANGES, MINUTE, 30, 29)])
    waits = [budget.wait(CHANGES)]
    budget.add_call(CHANGES)
    waits.append(budget.wait(CHANGES))
    clock.elapsed += 59
    waits.append(budget.wait(CHANGES))
    clock.elapsed += 1
    waits.append(budget.wait(CHANGES))

    assert waits == [0, 60, 1, 0]


def test_learned_limits(clock: Any) -> None:
    """A domain's own limit replaces the guide's, in both directions."""
    budget = Budget(clock, {})
    budget.update([CallCounter(FULL, MINUTE, 4, 0), CallCounter(CHANGES, MINUTE, 1, 0)])
    add_calls(budget, FULL, 3)
    add_calls(budget, CHANGES)

    assert (budget.wait(FULL), budget.wait(CHANGES)) == (0, 60)


def test_learned_windows(clock: Any) -> None:
    """A window of a length that was not known is kept too."""
    budget = Budget(clock, {})
    budget.update([CallCounter(CHANGES, 10.0, 1, 1)])

    assert budget.wait(CHANGES) == 10


def test_learning_frees(clock: Any) -> None:
    """A count that the platform has taken back is believed at once."""
    budget = Budget(clock, {})
    budget.update([CallCounter(CHANGES, MINUTE, 30, 30)])
    before = budget.wait(CHANGES)
    budget.update([CallCounter(CHANGES, MINUTE, 30, 0)])

    assert (before, budget.wait(CHANGES)) == (60, 0)


def test_unknown_operations(clock: Any) -> None:
    """Counters of operations that are not ours are passed over."""
    budget = Budget(clock, {})
    budget.update([CallCounter("ModifyCampaign", MINUTE, 1, 1)])

    assert (budget.wait(FULL), budget.wait(CHANGES)) == (0, 0)


def test_windows_without_end(clock: Any) -> None:
    """A window of another length in each report adds a few windows, and no more."""
    budget = Budget(clock, {})
    for seconds in range(1, 3_000):
        budget.update([CallCounter(FULL, 100.0 + seconds, 100, 0)])

    assert len([limit for limit in budget.limits() if limit.operation == FULL]) == 10
    assert budget.wait(FULL) == 0


def test_fixed_limits_are_kept(budget: Budget) -> None:
    """Limits of the configuration are kept, whatever the platform says."""
    budget.update([CallCounter(FULL, MINUTE, 100, 0)])
    add_calls(budget, FULL, 2)

    assert budget.wait(FULL) == 60


def test_no_limits(clock: Any) -> None:
    """An operation for which the configuration names no window is not limited."""
    budget = Budget(clock, {CHANGES: {}})
    add_calls(budget, CHANGES, 1000)

    assert budget.wait(CHANGES) == 0
    assert budget.long_poll_wait(5.0) == 0
    assert budget.demand_ratio(5.0) == 0


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_of_nothing(clock: Any, limit: int) -> None:
    """With a limit of zero the one known before stays, so that a user can sign in."""
    budget = Budget(clock, {})
    for operation in (FULL, CHANGES):
        for window in (MINUTE, HOUR, DAY):
            budget.update([CallCounter(operation, window, limit, 0)])
    free = budget.wait(FULL)
    add_calls(budget, FULL, DEFAULT_LIMITS[FULL][MINUTE])

    assert (free, budget.wait(FULL)) == (0, 60)
    assert budget.demand_ratio(0.1) < 1
    assert budget.long_poll_wait(0.1) >= 0


def test_exhausted(budget: Budget, clock: Any) -> None:
    """Where the platform says that a limit is met, the shortest window is waited out."""
    budget.exhaust(FULL)
    waits = [budget.wait(FULL)]
    clock.elapsed += 60
    waits.append(budget.wait(FULL))

    assert waits == [60, 0]


def test_when_it_was_read(budget: Budget, clock: Any) -> None:
    """The budget knows when the platform's counters were last read."""
    before = budget.reported_at
    clock.elapsed += 7
    budget.update([])

    assert (before, budget.reported_at) == (float("-inf"), 7)


@pytest.mark.parametrize(("demand", "expected"), [(0.0, 0), (0.25, 0.5), (0.475, 0.95)])
def test_overdrawn(clock: Any, demand: float, expected: float) -> None:
    """The demand is compared with what can be planned with of the tightest window."""
    budget = Budget(clock, {CHANGES: {MINUTE: 30, HOUR: 10_000}})

    assert pytest.approx(expected / 0.95, abs=0.03) == budget.demand_ratio(demand)


def test_a_demand_over_the_limit_is_spread(clock: Any) -> None:
    """Where more is asked for than the limit allows, calls are spaced evenly, not bunched."""
    budget = Budget(clock, {CHANGES: {MINUTE: 30}})
    budget.add_call(CHANGES)

    assert budget.wait(CHANGES, 1, demand=1.0) == pytest.approx(60 / 28.5)
    assert budget.wait(CHANGES, 1, demand=0.4) == 0


# Properties -----------------------------------------------------------------------------------


@given(pauses, st.booleans())
def test_no_window_of_any_alignment_exceeds_its_limit(
    make_clock: Callable[[], Any], steps: list[int], greedy: bool
) -> None:
    """Calls that wait until they may are within the limit in every window, however it lies."""
    clock = make_clock()
    budget = Budget(clock, SMALL)
    made: list[float] = []
    for step in steps:
        clock.elapsed += budget.wait(FULL) if greedy else step
        if budget.wait(FULL) == 0:
            budget.add_call(FULL)
            made.append(clock.monotonic())

    for length, limit in SMALL[FULL].items():
        assert max((sum(at <= each < at + length for each in made) for at in made), default=0) <= (
            limit
        )


@given(
    pauses,
    st.floats(0, DAY),
    st.sets(st.integers(0, 119), max_size=12),
    st.sets(st.integers(0, 119), max_size=12),
)
def test_the_platform_s_count_never_exceeds(
    make_clock: Callable[[], Any],
    steps: list[int],
    shift: float,
    readings: set[int],
    crashes: set[int],
) -> None:
    """With counters read now and then, and restarts that read them first, no limit is exceeded."""
    clock = make_clock()
    platform = Platform(clock, {MINUTE: 3, HOUR: 20}, shift)
    budget = Budget(clock, {})
    budget.update(platform.counters(CHANGES))
    for turn, step in enumerate(steps):
        clock.elapsed += step
        if turn in crashes:
            budget = Budget(clock, {})
        if turn in crashes | readings:
            budget.update(platform.counters(CHANGES))
        while budget.wait(CHANGES) == 0:
            budget.add_call(CHANGES)
            platform.call()

    assert platform.calls


@given(st.integers(1, 20), st.floats(0, DAY), st.integers(1, 3))
def test_a_crash_loop_never_exceeds(
    make_clock: Callable[[], Any], seconds: int, shift: float, calls: int
) -> None:
    """A process that restarts for ever, reading the counters first, never exceeds a limit."""
    clock = make_clock()
    platform = Platform(clock, dict(DEFAULT_LIMITS[FULL]), shift)
    for _ in range(300):
        budget = Budget(clock, {})
        budget.update(platform.counters())
        for _ in range(calls):
            if budget.wait(FULL) == 0:
                budget.add_call(FULL)
                platform.call()
        clock.elapsed += seconds

    assert 0 < len(platform.calls) <= 300 * calls


@given(st.floats(4.5, 120.0))
def test_polls_leave_room_for_what_is_due(make_clock: Callable[[], Any], interval: float) -> None:
    """However eagerly long polls fill the time, an update that is due never has to wait."""
    clock = make_clock()
    budget = Budget(clock, {CHANGES: dict(DEFAULT_LIMITS[CHANGES])})
    demand = 1 / interval
    made: Tallies[str] = Tallies()
    due = 0.0
    while clock.monotonic() < 1800:
        poll = clock.monotonic() + budget.long_poll_wait(demand)
        if poll < due:
            clock.elapsed = poll
            budget.add_call(CHANGES, long_poll=True)
            made["poll"] += 1
            clock.elapsed += 0.01
        else:
            clock.elapsed = max(clock.elapsed, due)
            assert budget.wait(CHANGES, 1, demand) == pytest.approx(0, abs=1e-6)
            budget.add_call(CHANGES)
            made["due"] += 1
            due += interval

    assert min(made["poll"], made["due"]) > 0


@pytest.mark.parametrize("interval", [1.0, 2.0, 2.1])
def test_no_polls_where_nothing_is_left(clock: Any, interval: float) -> None:
    """Where what is due uses up the limit, there is no long poll at all."""
    budget = Budget(clock, {CHANGES: {MINUTE: 30}})

    assert budget.long_poll_wait(1 / interval) == float("inf")
