import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.metrics.counters import Counters
from exporter.metrics.period import Period

DAY = Period("day")
NOON = 1_772_452_800.0  # 2026-03-02 12:00 UTC
A = b'{account="a"} '
B = b'{account="b"} '


def correct(
    counters: Counters, value: float, at: float, period: Period | None = DAY
) -> tuple[float, int]:
    shown, held = counters.correct("x_total", [A], [value], period, at)
    return shown[0], held


def test_a_first_value_goes_through() -> None:
    """A first value is shown as it is."""
    assert Counters().correct("x_total", [A, B], [5, 0], DAY, NOON) == ([5, 0], 0)


def test_a_rise_goes_through() -> None:
    """A counter that rises is shown as it is."""
    counters = Counters()
    correct(counters, 5, NOON)

    assert correct(counters, 7, NOON + 60) == (7, 0)


def test_a_correction_is_held() -> None:
    """A fall within the period shows the highest value and is counted."""
    counters = Counters()
    correct(counters, 5, NOON)

    assert correct(counters, 4, NOON + 60) == (5, 1)
    assert correct(counters, 4, NOON + 120) == (5, 1)
    assert correct(counters, 6, NOON + 180) == (6, 0)


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

    assert correct(counters, 3, NOON + 13 * 3600) == (3, 0)


def test_a_held_value_is_let_go_at_the_boundary() -> None:
    """A held value is not shown after a new period has begun."""
    counters = Counters()
    correct(counters, 500, NOON)
    correct(counters, 490, NOON + 3600)

    assert correct(counters, 3, NOON + 13 * 3600) == (3, 0)


def test_a_lifetime_holds_for_ever() -> None:
    """A lifetime total has no boundary: only zero is a reset."""
    counters = Counters()
    period = Period("lifetime")
    correct(counters, 500, NOON, period)

    assert correct(counters, 499, NOON + 400 * 86_400, period) == (500, 1)


def test_without_a_period_all_goes_through() -> None:
    """A counter whose period is not known is shown as it is."""
    counters = Counters()
    correct(counters, 5, NOON, None)

    assert correct(counters, 4, NOON + 60, None) == (4, 0)


def test_series_are_apart() -> None:
    """One series' fall does not touch another of the same or another name."""
    counters = Counters()
    counters.correct("x_total", [A, B], [5, 5], DAY, NOON)
    counters.correct("y_total", [A], [2], DAY, NOON)

    assert counters.correct("x_total", [A, B], [4, 6], DAY, NOON + 60) == ([5, 6], 1)
    assert counters.correct("y_total", [A], [3], DAY, NOON + 60) == ([3], 0)


def test_a_series_that_was_away_is_remembered() -> None:
    """A series absent from a reading is still held when it comes back lower."""
    counters = Counters()
    counters.correct("x_total", [A, B], [5, 5], DAY, NOON)
    counters.correct("x_total", [B], [5], DAY, NOON + 60)

    assert correct(counters, 4, NOON + 120) == (5, 1)


def test_prune_keeps_the_newest() -> None:
    """Discarding removes the series that were read longest ago."""
    counters = Counters()
    counters.correct("x_total", [A], [5], DAY, NOON)
    counters.correct("x_total", [B], [5], DAY, NOON + 60)
    counters.discard_oldest(1)

    assert counters.correct("x_total", [A, B], [4, 4], DAY, NOON + 120) == ([4, 5], 1)


def test_prune_below_the_limit_forgets_nothing() -> None:
    """Discarding to more than there are changes nothing."""
    counters = Counters()
    counters.correct("x_total", [A], [5], DAY, NOON)
    counters.discard_oldest(1)

    assert correct(counters, 4, NOON + 60) == (5, 1)


@given(st.lists(st.integers(min_value=1, max_value=1000), min_size=1))
def test_never_falls_within_a_period(values: list[int]) -> None:
    """Within a period a counter without zeros never falls and never exceeds its maximum."""
    counters = Counters()
    shown = [correct(counters, value, NOON + at)[0] for at, value in enumerate(values)]

    assert [max(values[: at + 1]) for at in range(len(values))] == shown


def test_labels_and_values_belong_together() -> None:
    """Labels and values of different lengths raise an error."""
    with pytest.raises(ValueError, match="zip"):
        Counters().correct("x_total", [A, B], [1], DAY, NOON)


class Plain:
    """Reference implementation that corrects series one by one."""

    def __init__(self) -> None:
        self.seen: dict[bytes, tuple[float, float]] = {}

    def correct(self, found: dict[bytes, float], at: float) -> tuple[list[float], int]:
        shown, held = [], 0
        for label, value in found.items():
            best, last = self.seen.get(label, (value, at))
            correction = value < best and value != 0 and not DAY.restarted(last, at)
            held += correction
            self.seen[label] = (best if correction else value, at)
            shown.append(self.seen[label][0])
        return shown, held


@given(
    st.lists(
        st.tuples(
            st.dictionaries(st.sampled_from([A, B, b"c"]), st.integers(0, 4)),
            st.sampled_from([60.0, 7200.0, 86_400.0]),
        ),
        max_size=12,
    )
)
def test_any_course_of_readings(course: list[tuple[dict[bytes, float], float]]) -> None:
    """Series that come, go and come back are corrected by their last shown value."""
    counters, plain, at = Counters(), Plain(), NOON
    for found, pause in course:
        at += pause
        shown, held = counters.correct("x_total", list(found), list(found.values()), DAY, at)

        assert (list(shown), held) == plain.correct(found, at)


def test_confirmed() -> None:
    """A repeated reading has the same effect as correcting it again."""
    counters = Counters()
    counters.start_reading()
    correct(counters, 5, NOON)
    assert counters.repeat_reading(NOON + 13 * 3600)

    assert correct(counters, 4, NOON + 13 * 3600 + 600) == (5, 1)  # it was 5 after midnight too


def test_what_is_held_is_not_confirmed() -> None:
    """A held value has to be corrected again, so that it is released at the boundary."""
    counters = Counters()
    correct(counters, 5, NOON)
    counters.start_reading()
    correct(counters, 4, NOON + 60)

    assert not counters.repeat_reading(NOON + 120)
    counters.start_reading()
    assert correct(counters, 4, NOON + 13 * 3600) == (4, 0)
    assert counters.repeat_reading(NOON + 14 * 3600)


def test_what_was_pruned_is_not_confirmed() -> None:
    """Series that were discarded or are absent have to be corrected again."""
    counters = Counters()
    counters.start_reading()
    correct(counters, 5, NOON)
    counters.discard_oldest(0)

    assert not counters.repeat_reading(NOON + 60)


@pytest.mark.parametrize("at", [NOON + 60, NOON])
def test_what_is_gone_is_not_confirmed(at: float) -> None:
    """Only what was in the last reading is read again, also where two readings have one time."""
    counters = Counters()
    counters.start_reading()
    correct(counters, 500, NOON)
    counters.start_reading()  # a reading without anything
    assert counters.repeat_reading(at)
    assert counters.repeat_reading(NOON + 13 * 3600)

    assert correct(counters, 3, NOON + 13 * 3600 + 400) == (3, 0)
