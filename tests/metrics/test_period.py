from datetime import datetime, time
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.metrics.period import SLACK, Period

NEW_YORK = ZoneInfo("America/New_York")
UTC = ZoneInfo("UTC")
instants = st.floats(min_value=1.7e9, max_value=1.9e9)


def at(text: str, zone: ZoneInfo = UTC) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        ("day", False),
        ("shift", False),
        ("week", False),
        ("month", False),
        ("lifetime", False),
        ("rolling_hour", True),
        ("30m", True),
        ("3h", True),
    ],
)
def test_slides(window: str, expected: bool) -> None:
    """Only a window with no fixed start slides."""
    assert expected is Period(window).slides


@pytest.mark.parametrize(
    ("last", "now", "expected"),
    [
        ("2026-03-02T23:50", "2026-03-03T00:10", True),
        ("2026-03-02T12:00", "2026-03-02T12:01", False),
        ("2026-03-02T23:40", "2026-03-02T23:54", False),
        ("2026-03-02T23:40", "2026-03-02T23:56", True),  # their clock may be ahead
        ("2026-03-03T00:04", "2026-03-03T00:20", True),  # their clock may be behind
        ("2026-03-03T00:06", "2026-03-03T00:20", False),
        ("2026-03-01T12:00", "2026-03-04T12:00", True),
    ],
)
def test_day(last: str, now: str, expected: bool) -> None:
    """A day restarts at midnight, give or take the slack."""
    assert expected is Period("day").restarted(at(last), at(now))


def test_day_in_a_zone() -> None:
    """A day restarts at midnight of its own zone."""
    period = Period("day", NEW_YORK)

    assert period.restarted(at("2026-03-02T23:00", NEW_YORK), at("2026-03-03T01:00", NEW_YORK))
    assert not period.restarted(at("2026-03-02T23:00"), at("2026-03-03T01:00"))


@pytest.mark.parametrize("day", ["2026-03-08", "2026-11-01"])
def test_day_of_a_changed_clock(day: str) -> None:
    """On the days when clocks change, a day restarts once, at its midnight."""
    period = Period("day", NEW_YORK)
    midnight = at(f"{day}T00:00", NEW_YORK)
    hours = [midnight + hour * 3600 for hour in range(-3, 27)]
    restarts = [now for last, now in pairwise(hours) if period.restarted(last, now)]

    assert {midnight, midnight + 3600} >= {now for now in restarts if now < midnight + 20 * 3600}
    assert midnight in restarts


def test_shift() -> None:
    """A shift restarts at its own start and not at midnight."""
    period = Period("shift", UTC, (time(8, 30),))

    assert period.restarted(at("2026-03-02T08:00"), at("2026-03-02T09:00"))
    assert not period.restarted(at("2026-03-02T23:00"), at("2026-03-03T01:00"))


def test_several_times() -> None:
    """A day whose start is not certain may restart at each of the times named."""
    period = Period("day", UTC, (time(0), time(8)))

    assert period.restarted(at("2026-03-02T07:00"), at("2026-03-02T09:00"))
    assert period.restarted(at("2026-03-02T23:00"), at("2026-03-03T01:00"))
    assert not period.restarted(at("2026-03-02T09:00"), at("2026-03-02T23:00"))


@pytest.mark.parametrize(
    ("last", "now", "expected"),
    [
        ("2026-02-28T12:00", "2026-03-01T12:00", True),  # to Sunday
        ("2026-03-01T12:00", "2026-03-02T12:00", True),  # to Monday
        ("2026-03-02T12:00", "2026-03-06T12:00", False),
        ("2026-03-02T12:00", "2026-03-12T12:00", True),
    ],
)
def test_week(last: str, now: str, expected: bool) -> None:
    """A week may restart on Sunday or on Monday."""
    assert expected is Period("week").restarted(at(last), at(now))


@pytest.mark.parametrize(
    ("last", "now", "expected"),
    [
        ("2026-01-31T12:00", "2026-02-01T12:00", True),
        ("2026-01-02T12:00", "2026-01-31T12:00", False),
        ("2026-01-02T12:00", "2026-03-31T12:00", True),
    ],
)
def test_month(last: str, now: str, expected: bool) -> None:
    """A month restarts on its first day."""
    assert expected is Period("month").restarted(at(last), at(now))


@given(st.sampled_from(["lifetime", "rolling_hour", "30m"]), instants, instants)
def test_no_boundary(window: str, last: float, now: float) -> None:
    """What has no fixed start never restarts."""
    assert not Period(window).restarted(last, now)


@given(
    st.sampled_from(["day", "week", "month", "shift"]),
    st.sampled_from(["UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    instants,
    st.floats(min_value=32 * 86_400, max_value=1e8),
)
def test_a_long_gap_holds_a_boundary(window: str, zone: str, last: float, gap: float) -> None:
    """Between two readings more than a month apart every period has restarted."""
    assert Period(window, ZoneInfo(zone)).restarted(last, last + gap)


@given(st.sampled_from(["day", "week", "month"]), instants, st.floats(0, 1e7), st.floats(0, 1e7))
def test_a_wider_gap_holds_no_fewer(window: str, last: float, gap: float, more: float) -> None:
    """A restart between two readings is also one between readings further apart."""
    period = Period(window)

    assert period.restarted(last, last + gap) <= period.restarted(last - more, last + gap)


def test_slack() -> None:
    """The slack is five minutes."""
    assert SLACK == 300
