"""Counters: resets, restarts, corrections, and how long a fall is held."""

import random
from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.metrics import families as f
from exporter.metrics.counters import LONE_HOLD, LONGEST_HOLD, Counters, Falls
from exporter.metrics.families import Family
from exporter.metrics.mapping import Series
from exporter.metrics.period import Period

DAY = Period("day")
NOON = 1_772_452_800.0  # 2026-03-02 12:00 UTC
HOUR = 3600.0
DIALS, HANDLED = f.CAMPAIGN_DIALS, f.CAMPAIGN_HANDLED
NAMES = "abcdefghij"


def series(
    values: Mapping[str, float],
    period: Period | None = DAY,
    table: str = "campaigns",
    origin: Hashable = None,
) -> Series:
    labels = [f'{{campaign="{name}"}} '.encode() for name in values]
    return Series(labels, list(values.values()), period, unique=True, table=table, origin=origin)


def correct(
    counters: Counters, value: float, at: float, period: Period | None = DAY, **options: Hashable
) -> tuple[float, int]:
    """Correct a reading of one series; return the value shown, and the number held."""
    found = {DIALS: series({"a": value}, period, **options)}
    shown, falls = counters.correct(found, at, at)
    return shown[DIALS][0], falls.held


def shown_of(counters: Counters, values: Mapping[str, float], at: float) -> dict[str, float]:
    shown, _ = counters.correct({DIALS: series(values)}, at, at)
    return dict(zip(values, shown[DIALS], strict=True))


def increase(shown: Sequence[float]) -> float:
    """Return the sum of rises; a fall is a restart at zero, as in PromQL."""
    return sum(now - before if now >= before else now for before, now in pairwise(shown))


def test_a_first_value_is_shown() -> None:
    """A first value is shown as it is."""
    assert shown_of(Counters(), {"a": 5, "b": 0}, NOON) == {"a": 5, "b": 0}


def test_a_rise_is_shown() -> None:
    """A counter that rises is shown as it is."""
    counters = Counters()
    correct(counters, 5, NOON)

    assert correct(counters, 7, NOON + 60) == (7, 0)


def test_a_gauge_may_fall() -> None:
    """Families that are no counters are left out."""
    assert Counters().correct({f.QUEUE_AGENTS: series({"a": 3})}, NOON, NOON) == ({}, Falls())


def test_a_correction_is_held() -> None:
    """A small fall within the period shows the highest value until the total catches up."""
    counters = Counters()
    shown = [correct(counters, value, NOON + at * 60)[0] for at, value in enumerate(CORRECTED)]

    assert shown == [500, 500, 500, 500, 501]
    assert increase([0, *shown]) == CORRECTED[-1]


CORRECTED = [500, 498, 499, 500, 501]


@pytest.mark.parametrize(
    ("high", "low", "held_for"),
    [
        (500, 498, LONGEST_HOLD),
        (500, 450, LONGEST_HOLD),  # by a tenth
        (500, 449, LONE_HOLD),
        (500, 251, LONE_HOLD),
        (500, 3, LONE_HOLD),
        (3, 1, LONGEST_HOLD),  # by two
        (4, 1, LONE_HOLD),
        (36_000.5, 12.25, LONE_HOLD),
        (36_000.5, 35_400.0, LONGEST_HOLD),
    ],
)
@pytest.mark.parametrize("pause", [10.0, 60.0, 300.0])
def test_a_lone_fall_is_held_for_a_limited_time(
    high: float, low: float, held_for: float, pause: float
) -> None:
    """A fall is held for an hour while the total is nearly right, else for five minutes."""
    counters = Counters()
    correct(counters, high, NOON)
    times = [NOON + pause * count for count in range(1, int(2 * HOUR / pause))]
    held = [at for at in times if correct(counters, low, at)[0] == high]

    assert held == [at for at in times if at < times[0] + held_for]


def test_a_restart_is_counted() -> None:
    """A total that restarts alone and rises is frozen for five minutes, and nothing is lost."""
    counters = Counters()
    values = [500, *range(3, 60)]
    shown = [correct(counters, value, NOON + at * 30)[0] for at, value in enumerate(values)]

    assert shown == [500] * 11 + values[11:]
    assert increase(shown) == values[-1]


@pytest.mark.parametrize(
    "fall",
    [
        lambda at: 499 - at,  # it keeps falling
        lambda at: 400 - 100 * (at % 3),  # it falls again and again
        lambda at: [3, 498, 498, 498, 498][at % 5],  # now small, now large
        lambda at: [498, 3][at % 2],
    ],
)
def test_a_further_fall_renews_no_hold(fall: Callable[[int], int]) -> None:
    """The time begins when the series fell, and not when it fell last."""
    counters = Counters()
    correct(counters, 500, NOON)
    shown = [correct(counters, fall(at), NOON + 60 * (at + 1))[0] for at in range(120)]
    first_low = next(at for at in range(120) if fall(at) < 450)

    assert any(value < 500 for value in shown[: max(first_low + 7, 61)])
    for at, value in enumerate(shown[:60]):
        if value == 500 and fall(at) < 450:
            assert at < first_low + 5


def test_a_fall_that_grows_is_held_for_five_minutes_from_then() -> None:
    """A small fall that becomes large has that long, within the hour."""
    counters = Counters()
    values = {0: 500, 1: 498, **dict.fromkeys(range(30, 40), 3)}
    shown = {at: correct(counters, value, NOON + 60 * at)[0] for at, value in values.items()}
    assert shown == {0: 500, 1: 500, **dict.fromkeys(range(30, 35), 500)} | dict.fromkeys(
        range(35, 40), 3
    )

    correct(counters, 500, NOON + HOUR)
    correct(counters, 498, NOON + HOUR + 60)
    assert correct(counters, 498, NOON + 2 * HOUR + 59) == (500, 1)
    assert correct(counters, 3, NOON + 2 * HOUR + 61) == (3, 0)


def test_a_total_that_flickers_is_held() -> None:
    """A hold ends when the old value is back, so that another fall begins a new one."""
    counters = Counters()
    values = [500, 3] * 60
    shown = [correct(counters, value, NOON + 30 * at)[0] for at, value in enumerate(values)]

    assert shown == [500] * 120


@pytest.mark.parametrize(("low", "held_for"), [(3, LONE_HOLD), (498, LONGEST_HOLD)])
def test_a_clock_that_was_set_back_prolongs_no_hold(low: int, held_for: float) -> None:
    """The time of a hold is counted on from the earlier time."""
    counters, fallen = Counters(), {DIALS: series({"a": low})}
    correct(counters, 500, NOON)
    correct(counters, low, NOON + 10)
    counters.correct(fallen, NOON + 20, NOON - HOUR)
    shown, _ = counters.correct(fallen, NOON + 30, NOON - HOUR + held_for)

    assert shown[DIALS] == [low]


def test_the_platform_s_clock_does_not_stop_a_hold() -> None:
    """A platform's time that stands still holds nothing for longer."""
    counters = Counters()
    correct(counters, 500, NOON)
    times = [NOON + 60 * count for count in range(1, 8)]
    shown = [counters.correct({DIALS: series({"a": 3})}, NOON, at)[0][DIALS][0] for at in times]

    assert shown == [500] * 5 + [3] * 2


def test_a_fall_to_zero_is_a_reset() -> None:
    """A fall to zero goes through at any time."""
    counters = Counters()
    correct(counters, 5, NOON)

    assert correct(counters, 0, NOON + 60) == (0, 0)
    assert correct(counters, 1, NOON + 120) == (1, 0)


def test_a_fall_after_the_boundary_is_a_reset() -> None:
    """A fall goes through once the period's boundary was passed."""
    counters = Counters()
    correct(counters, 500, NOON)

    assert correct(counters, 498, NOON + 13 * HOUR) == (498, 0)


def test_a_held_value_is_let_go_at_the_boundary() -> None:
    """A held value is not shown after a new period has begun."""
    counters = Counters()
    midnight = NOON + 12 * HOUR
    correct(counters, 500, midnight - 600)
    assert correct(counters, 498, midnight - 400) == (500, 1)

    assert correct(counters, 499, midnight + 1) == (499, 0)


def test_a_lifetime_has_no_boundary() -> None:
    """A small fall of a lifetime total is held, however long ago it was read."""
    counters = Counters()
    period = Period("lifetime")
    correct(counters, 500, NOON, period)

    assert correct(counters, 499, NOON + 400 * 86_400, period) == (500, 1)


def test_without_a_period_all_goes_through() -> None:
    """A counter whose period is not known is shown as it is."""
    counters = Counters()
    correct(counters, 5, NOON, None)

    assert correct(counters, 4, NOON + 60, None) == (4, 0)


# Origin, loss, company ---------------------------------------------------------------------------


def test_another_origin_is_a_restart() -> None:
    """Rows that count from elsewhere are shown as they are, however little they fell."""
    counters = Counters()
    correct(counters, 500, NOON, origin=("opened", 1))
    assert correct(counters, 499, NOON + 60, origin=("opened", 1)) == (500, 1)

    assert correct(counters, 498, NOON + 120, origin=("opened", 2)) == (498, 0)
    assert correct(counters, 497, NOON + 180, origin=("opened", 2)) == (498, 1)


def test_an_unknown_origin_tells_nothing() -> None:
    """From or to an unknown origin a fall is judged as any other."""
    counters = Counters()
    correct(counters, 500, NOON, origin="x")

    assert correct(counters, 499, NOON + 60) == (500, 1)
    assert correct(counters, 499, NOON + 120, origin="y") == (500, 1)


def test_an_absent_series_keeps_its_origin() -> None:
    """A series that returns with another origin has restarted."""
    counters = Counters()
    correct(counters, 500, NOON, origin=1)
    counters.correct({DIALS: series({"b": 7}, origin=2)}, NOON + 60, NOON + 60)

    assert correct(counters, 499, NOON + 120, origin=2) == (499, 0)


@pytest.mark.parametrize(
    ("value", "pause", "shown"),
    [(3, 0, 3), (3, LONE_HOLD - 1, 3), (3, LONE_HOLD, 500), (300, 0, 500), (498, 0, 500)],
)
def test_after_a_loss_a_large_fall_is_a_restart(value: int, pause: float, shown: int) -> None:
    """For five minutes after the feed was read again, a fall below half is shown at once."""
    counters = Counters()
    correct(counters, 500, NOON)
    counters.record_loss()
    correct(counters, 500, NOON + HOUR)

    assert correct(counters, value, NOON + HOUR + pause)[0] == shown


@pytest.mark.parametrize(
    ("before", "after", "together"),
    [
        ([500, 20, 8, 0], [3, 1, 1, 0], True),
        ([500, 20, 8, 0], [0, 0, 1, 0], True),  # those that fell to zero count
        ([500, 20, 8, 6], [3, 0, 1, 5], True),  # a small fall in company
        ([500, 20, 8, 7, 9, 9], [3, 1, 1, 7, 9, 9], True),  # three of six
        ([500, 20, 8, 7, 9, 9, 9], [3, 1, 1, 7, 9, 9, 9], False),  # three of seven
        ([500, 20], [3, 1], False),
        ([500, 20, 8, 7], [300, 11, 5, 4], False),  # none below half
        ([500, 20, 8, 7], [498, 19, 7, 6], False),
    ],
)
def test_series_that_fall_together(before: list[int], after: list[int], together: bool) -> None:
    """A fall of half of a table's series below half is a restart; of fewer it is held."""
    counters = Counters()
    shown_of(counters, dict(zip(NAMES, before, strict=False)), NOON)
    values = dict(zip(NAMES, after, strict=False))
    shown = shown_of(counters, values, NOON + 60)

    held = {
        name: high if 0 < low < high else low
        for (name, low), high in zip(values.items(), before, strict=True)
    }
    assert shown == (values if together else held)


def test_families_of_a_table_fall_together() -> None:
    """Series of several families of a table are one company; those of another table are not."""

    def found(dials: int, handled: int, offered: int) -> dict[Family, Series]:
        return {
            DIALS: series({"a": dials, "b": dials}),
            HANDLED: series({"a": handled}),
            f.QUEUE_OFFERED: series({"a": offered}, table="queues"),
        }

    counters = Counters()
    counters.correct(found(500, 400, 300), NOON, NOON)
    shown, falls = counters.correct(found(3, 2, 1), NOON + 60, NOON + 60)

    assert [*shown.values()] == [[3, 3], [2], [300]]
    assert (falls.held, falls.restarted) == (1, {DIALS.name: 2, HANDLED.name: 1})


def test_a_restart_that_is_seen_bit_by_bit() -> None:
    """Held series count as company; those that follow within five minutes are not held."""
    counters = Counters()
    full = dict.fromkeys("abcdef", 500)
    shown_of(counters, full, NOON)

    assert shown_of(counters, full | dict.fromkeys("ab", 3), NOON + 10) == full
    fallen = full | dict.fromkeys("abc", 4)
    assert shown_of(counters, fallen, NOON + 20) == fallen
    fallen |= {"d": 1}
    assert shown_of(counters, fallen, NOON + 30) == fallen
    assert shown_of(counters, fallen | {"e": 1}, NOON + 400) == fallen


def test_a_series_that_was_absent_when_its_table_restarted() -> None:
    """It has restarted too, however late it returns and however little it fell."""
    counters = Counters()
    shown_of(counters, dict(zip("abcd", [500, 500, 500, 9], strict=True)), NOON)
    shown_of(counters, {"a": 3, "b": 3, "c": 3}, NOON + 60)
    returned = {"a": 4, "b": 4, "c": 4, "d": 8}

    assert shown_of(counters, returned, NOON + 2 * HOUR) == returned
    assert shown_of(counters, returned | {"d": 7}, NOON + 2 * HOUR + 60) == returned


@pytest.mark.parametrize(("value", "shown"), [(3, 3), (300, 500), (499, 500)])
def test_a_series_that_was_absent_at_a_loss(value: int, shown: int) -> None:
    """Below half of its value it has restarted, however late it returns."""
    counters = Counters()
    shown_of(counters, {"a": 500, "b": 7}, NOON)
    counters.record_loss()
    shown_of(counters, {"b": 7}, NOON + 60)

    assert shown_of(counters, {"a": value, "b": 7}, NOON + 2 * HOUR) == {"a": shown, "b": 7}


# What is logged ----------------------------------------------------------------------------------


def test_what_fell_is_reported() -> None:
    """Series held for five minutes and those taken for restarted are reported by family."""
    counters = Counters()
    falls = []
    for at, dials in enumerate([500, 498, 498, 498, 501]):
        found = {DIALS: series({"a": dials}), HANDLED: series({"a": 500 if at == 0 else 3})}
        falls.append(counters.correct(found, NOON, NOON + 200 * at)[1])

    assert [fall.held for fall in falls] == [0, 2, 2, 1, 0]
    assert [fall.long_held for fall in falls] == [{}, {}, {}, {DIALS.name: 1}, {}]
    assert [fall.restarted for fall in falls] == [{}, {}, {}, {HANDLED.name: 1}, {}]


def test_resets_are_not_reported() -> None:
    """Neither zero nor a new period is a restart to log."""
    counters = Counters()
    correct(counters, 500, NOON)
    _, zero = counters.correct({DIALS: series({"a": 0})}, NOON + 60, NOON + 60)
    correct(counters, 500, NOON + HOUR)
    _, midnight = counters.correct({DIALS: series({"a": 3})}, NOON + 13 * HOUR, NOON + 13 * HOUR)

    assert zero == midnight == Falls()


# Series that come and go -------------------------------------------------------------------------


def test_series_are_apart() -> None:
    """One series' fall does not touch another of the same or another name."""
    counters = Counters()
    first = {DIALS: series({"a": 5, "b": 5}), HANDLED: series({"a": 2})}
    counters.correct(first, NOON, NOON)
    second = {DIALS: series({"a": 4, "b": 6}), HANDLED: series({"a": 3})}
    shown, falls = counters.correct(second, NOON + 60, NOON + 60)

    assert ([*shown.values()], falls.held) == ([[5, 6], [3]], 1)


def test_a_series_that_was_away_is_remembered() -> None:
    """A series absent from a reading is still held when it comes back lower."""
    counters = Counters()
    shown_of(counters, {"a": 5, "b": 5}, NOON)
    shown_of(counters, {"b": 5}, NOON + 60)

    assert correct(counters, 4, NOON + 120) == (5, 1)


def test_the_time_of_an_absent_series_goes_on() -> None:
    """A held series that is absent meanwhile is not held anew."""
    counters = Counters()
    shown_of(counters, {"a": 500, "b": 5}, NOON)
    assert shown_of(counters, {"a": 3, "b": 5}, NOON + 60) == {"a": 500, "b": 5}
    shown_of(counters, {"b": 5}, NOON + 120)

    assert shown_of(counters, {"a": 3, "b": 5}, NOON + 360) == {"a": 3, "b": 5}


def test_prune_keeps_the_newest() -> None:
    """Discarding removes the series that were read longest ago."""
    counters = Counters()
    shown_of(counters, {"a": 5}, NOON)
    shown_of(counters, {"b": 5}, NOON + 60)
    counters.discard_oldest(1)

    assert shown_of(counters, {"a": 4, "b": 4}, NOON + 120) == {"a": 4, "b": 5}


def test_prune_below_the_limit_forgets_nothing() -> None:
    """Discarding to more than there are changes nothing."""
    counters = Counters()
    correct(counters, 5, NOON)
    counters.discard_oldest(1)

    assert correct(counters, 4, NOON + 60) == (5, 1)


def test_prune_forgets_holds() -> None:
    """A discarded series has no hold that could end another one's at once."""
    counters = Counters()
    correct(counters, 500, NOON)
    correct(counters, 3, NOON + 60)
    counters.discard_oldest(0)
    correct(counters, 500, NOON + HOUR)

    assert correct(counters, 3, NOON + HOUR + 60) == (500, 1)


def test_labels_and_values_belong_together() -> None:
    """Labels and values of different lengths raise an error."""
    broken = series({"a": 1, "b": 2})._replace(values=[1])

    with pytest.raises(ValueError, match="zip"):
        Counters().correct({DIALS: broken}, NOON, NOON)


# Any course of readings --------------------------------------------------------------------------


@given(st.lists(st.integers(min_value=1, max_value=1000), min_size=1, max_size=200))
def test_never_falls_within_five_minutes(values: list[int]) -> None:
    """A lone counter without zeros neither falls so soon nor exceeds its maximum."""
    counters = Counters()
    shown = [correct(counters, value, NOON + at)[0] for at, value in enumerate(values)]

    assert [max(values[: at + 1]) for at in range(len(values))] == shown


pauses = st.sampled_from([1.0, 60.0, 299.0, 300.0, 1800.0, 3600.0, 7200.0, 86_400.0])
totals = st.one_of(st.integers(0, 12), st.integers(0, 1000))


@given(st.lists(st.tuples(totals, totals, totals, pauses, st.booleans()), max_size=40))
def test_a_counter_is_never_wrong_for_long(
    course: list[tuple[int, int, int, float, bool]],
) -> None:
    """A value is shown as read, or that shown before, which is higher and only for a while."""
    counters, now = Counters(), NOON
    before: dict[str, float] = {}
    low_since: dict[str, float] = {}
    far_since: dict[str, float] = {}
    for *values, pause, lost in course:
        now += pause
        if lost:
            counters.record_loss()
        read = dict(zip("abc", values, strict=True))
        shown = shown_of(counters, read, now)
        for name, value in read.items():
            if shown[name] == value:
                low_since.pop(name, None)
                far_since.pop(name, None)
                continue
            assert shown[name] == before[name] > value > 0
            assert now - low_since.setdefault(name, now) < LONGEST_HOLD
            if shown[name] - value > max(2, shown[name] / 10):
                assert now - far_since.setdefault(name, now) < LONE_HOLD
        before = shown


class Plain:
    """Reference implementation that corrects series one by one."""

    def __init__(self) -> None:
        self.seen: dict[str, tuple[float, float, int]] = {}
        self.restarts = 0
        self.low: dict[str, float] = {}
        self.far: dict[str, float] = {}
        self.together = float("-inf")

    def correct(self, found: dict[str, float], at: float) -> dict[str, float]:
        best = {name: self.seen.get(name, (value, at, 0)) for name, value in found.items()}
        large = [name for name, value in found.items() if 2 * value < best[name][0]]
        able = [name for name, value in found.items() if value or best[name][0]]
        company = len(large) >= 3 and 2 * len(large) >= len(able)
        shown = {}
        for name, value in found.items():
            high, last, restarts = best[name]
            shown[name] = value
            if value >= high or value == 0 or DAY.restarted(last, at) or restarts < self.restarts:
                self.low.pop(name, None)
                self.far.pop(name, None)
            else:
                far = high - value > max(2, high / 10)
                low_for = at - self.low.setdefault(name, at)
                far_for = at - self.far.setdefault(name, at) if far else 0
                soon = name in large and at - self.together < 300
                if company or soon or low_for >= 3600 or far_for >= 300:
                    self.low.pop(name, None)
                    self.far.pop(name, None)
                else:
                    shown[name] = high
        self.restarts += company
        self.seen |= {name: (value, at, self.restarts) for name, value in shown.items()}
        if company:
            self.together = at
        return shown


@given(
    st.lists(
        st.tuples(st.dictionaries(st.sampled_from("abcd"), st.integers(0, 9)), pauses),
        max_size=12,
    )
)
def test_any_course_of_readings(course: list[tuple[dict[str, float], float]]) -> None:
    """Series that come, go and come back are corrected by their last shown value."""
    counters, plain, at = Counters(), Plain(), NOON
    for found, pause in course:
        at += pause

        assert shown_of(counters, found, at) == plain.correct(found, at)


@pytest.mark.parametrize("seed", range(6))
def test_a_day_with_corrections_and_a_restart(seed: int) -> None:
    """Over a day of 24 series, corrections are never counted and a restart always is."""
    dice = random.Random(seed)
    rates = {f"{name}{half}": dice.choice([0.2, 1, 6]) for name in NAMES + "kl" for half in "xy"}
    counters = Counters()
    totals, counted = dict.fromkeys(rates, 0), dict.fromkeys(rates, 0)
    shown: dict[str, list[float]] = {name: [] for name in rates}
    restart_at = dice.randrange(120, 600)
    for minute in range(720):
        if minute == restart_at:
            totals = dict.fromkeys(rates, 0)
        for name, rate in rates.items():
            fresh = sum(dice.random() < rate / 10 for _ in range(10))
            counted[name] += fresh
            totals[name] += fresh
            if minute < 660 and totals[name] > 20 * rate and dice.random() < 0.003:
                totals[name] -= 1  # counted again elsewhere
                counted[name] -= 1
        for name, value in shown_of(counters, totals, NOON - 6 * HOUR + 60 * minute).items():
            shown[name].append(value)
    missing = {name: counted[name] - increase([0, *shown[name]]) for name in rates}

    # What a reading misses: contacts between the last reading and the restart, and corrections
    # that had not been made good by then. Rates are per minute.
    assert all(abs(missing[name]) <= rate + 8 for name, rate in rates.items())


# Repeated readings -------------------------------------------------------------------------------


def test_confirmed() -> None:
    """A repeated reading has the same effect as correcting it again."""
    counters = Counters()
    correct(counters, 5, NOON)
    assert counters.repeat_reading(NOON + 13 * HOUR)

    assert correct(counters, 4, NOON + 13 * HOUR + 600) == (5, 1)  # it was 5 after midnight too


def test_what_is_held_is_not_confirmed() -> None:
    """A held value has to be corrected again, so that it is released in time."""
    counters = Counters()
    correct(counters, 5, NOON)
    correct(counters, 4, NOON + 60)

    assert not counters.repeat_reading(NOON + 120)
    assert correct(counters, 4, NOON + 13 * HOUR) == (4, 0)
    assert counters.repeat_reading(NOON + 14 * HOUR)


def test_what_was_lost_is_not_confirmed() -> None:
    """The first reading after a loss is corrected, so that it starts the five minutes."""
    counters = Counters()
    correct(counters, 500, NOON)
    counters.record_loss()

    assert not counters.repeat_reading(NOON + 60)
    correct(counters, 500, NOON + 60)
    assert counters.repeat_reading(NOON + 120)
    assert correct(counters, 3, NOON + 180) == (3, 0)


def test_what_was_pruned_is_not_confirmed() -> None:
    """Series that were discarded or are absent have to be corrected again."""
    counters = Counters()
    correct(counters, 5, NOON)
    counters.discard_oldest(0)

    assert not counters.repeat_reading(NOON + 60)


@pytest.mark.parametrize("at", [NOON + 60, NOON])
def test_what_is_gone_is_not_confirmed(at: float) -> None:
    """Only what was in the last reading is read again, also where two readings have one time."""
    counters = Counters()
    correct(counters, 500, NOON)
    counters.correct({}, NOON, NOON)  # a reading without anything
    assert counters.repeat_reading(at)
    assert counters.repeat_reading(NOON + 13 * HOUR)

    assert correct(counters, 3, NOON + 13 * HOUR + 400) == (3, 0)
