import itertools
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.objectives.hours import DAYS, Hours, parse_week

BERLIN = ZoneInfo("Europe/Berlin")
MINUTE = 60
# Zones whose clocks change at different hours, at midnight, by half an hour, and not at all.
ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",  # half an hour
    "America/Santiago",  # at midnight, into the day before
    "Asia/Beirut",  # at midnight: the day begins at one
    "Africa/Casablanca",  # for a month around Ramadan
    "Asia/Kathmandu",  # 5:45 hours ahead, never changed
    "America/St_Johns",
    "Etc/GMT+12",
)
CHANGES = (
    datetime(2026, 3, 8, tzinfo=UTC),
    datetime(2026, 3, 28, 20, tzinfo=UTC),
    datetime(2026, 4, 4, tzinfo=UTC),
    datetime(2026, 9, 5, 12, tzinfo=UTC),
    datetime(2026, 10, 3, tzinfo=UTC),
    datetime(2026, 10, 24, 12, tzinfo=UTC),
    datetime(2026, 11, 1, tzinfo=UTC),
    datetime(2026, 2, 14, 12, tzinfo=UTC),
    datetime(2026, 3, 22, tzinfo=UTC),
)


def hours(*lines: str, zone: ZoneInfo = BERLIN, holidays: tuple[str, ...] = ()) -> Hours:
    return Hours(zone, parse_week(lines), frozenset(map(date.fromisoformat, holidays)))


def at(text: str, zone: ZoneInfo = BERLIN, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).timestamp()


def changes(found: Hours, since: str, until: str) -> Iterator[str]:
    """Yield all changes of a time, as local wall time with its offset and what it is from then."""
    instant: float | None = at(since, found.zone)
    while instant is not None:
        instant = found.next_change(instant)
        if instant is None or instant > at(until, found.zone):
            return
        wall = datetime.fromtimestamp(instant, found.zone)
        yield f"{wall:%a %H:%M%z} {'open' if found.open_at(instant) else 'closed'}"


# Notation ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["Mon-Fri 08:00-20:00"], {"Mon Tue Wed Thu Fri": [(480, 1200)]}),
        (["Mon,Wed 8:00-9:30"], {"Mon Wed": [(480, 570)]}),
        (["Mon , Wed - Thu 08:00 - 09:00"], {"Mon Wed Thu": [(480, 540)]}),
        (["sat-MON 10:00-11:00"], {"Sat Sun Mon": [(600, 660)]}),
        (["Sun 00:00-24:00"], {"Sun": [(0, 1440)]}),
        (["Tue 08:00-12:00,13:00-17:00"], {"Tue": [(480, 720), (780, 1020)]}),
        (["Tue 08:00-12:00 13:00-17:00"], {"Tue": [(480, 720), (780, 1020)]}),
        (["Tue 13:00-17:00", "Tue 08:00-12:00"], {"Tue": [(480, 720), (780, 1020)]}),
        (["Tue 08:00-12:00", "Mon,Tue 11:00-13:00"], {"Tue": [(480, 780)], "Mon": [(660, 780)]}),
        (["Tue 08:00-12:00, 12:00-13:00"], {"Tue": [(480, 780)]}),
        (["Tue 08:00-18:00, 09:00-10:00"], {"Tue": [(480, 1080)]}),
        (["Tue 22:00-06:00"], {"Tue": [(1320, 1440)], "Wed": [(0, 360)]}),
        (["Sun 22:00-06:00"], {"Sun": [(1320, 1440)], "Mon": [(0, 360)]}),
        (["Sun 22:00-00:00"], {"Sun": [(1320, 1440)]}),
        (["Fri-Mon 20:00-02:00"], {"Fri": [(1200, 1440)], "Sat Sun Mon": [(0, 120), (1200, 1440)],
                                   "Tue": [(0, 120)]}),
        (["Mon-Sun 00:00-24:00"], {" ".join(DAYS): [(0, 1440)]}),
    ],
)  # fmt: skip
def test_weeks(lines: list[str], expected: dict[str, list[tuple[int, int]]]) -> None:
    """A week is written as days and hours, in any order; what touches or overlaps is one span."""
    spans = {day: tuple(found) for days, found in expected.items() for day in days.split()}

    assert parse_week(lines) == tuple(spans.get(day, ()) for day in DAYS)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "days and hours such as Mon-Fri 08:00-20:00"),
        ("Mon", "days and hours such as"),
        ("08:00-20:00", "days and hours such as"),
        ("Mo 08:00-20:00", "expected Mon, Tue"),
        ("Monday 08:00-20:00", "expected Mon, Tue"),
        ("Mon- 08:00", "days and hours such as"),
        ("Mon,,Tue 08:00-20:00", "expected Mon, Tue"),
        ("Mon-Tue-Wed 08:00-20:00", "expected Mon, Tue"),
        ("Mon 08:00", "expected hours such as 08:00-20:00"),
        ("Mon 8-20", "expected hours such as"),
        (
            "Mon 08:00-20:00, Tue 08:00-20:00",
            "expected hours such as 08:00-20:00 after the days; write other",
        ),
        ("Mon \uff108:00-20:00", "expected hours such as"),
        ("Mon 08:60-20:00", "hours must be between 00:00 and 23:59"),
        ("Mon 08:00-20:60", "hours must be between 00:00 and 23:59"),
        ("Mon 24:00-08:00", "hours must be between 00:00 and 23:59"),
        ("Mon 08:00-24:01", "hours must be between 00:00 and 23:59"),
        ("Mon 08:00-25:00", "hours must be between 00:00 and 23:59"),
        ("Mon 08:00-08:00", "write all day as 00:00-24:00"),
        ("Mon 00:00-00:00", "write all day as 00:00-24:00"),
    ],
)
def test_what_is_no_week(line: str, message: str) -> None:
    """An invalid line is refused with what is expected instead."""
    with pytest.raises(ValueError, match=message):
        parse_week([line])


# Open or closed ------------------------------------------------------------------------------


def test_an_ordinary_week() -> None:
    """It opens with the first minute of a range and closes with the minute of its end."""
    found = hours("Mon-Fri 08:00-20:00", "Sat 09:00-13:00")

    assert not found.open_at(at("2026-01-05T07:59:59.9"))
    assert found.open_at(at("2026-01-05T08:00"))
    assert found.open_at(at("2026-01-05T19:59:59.9"))
    assert not found.open_at(at("2026-01-05T20:00"))
    assert list(changes(found, "2026-01-09T12:00", "2026-01-12T12:00")) == [
        "Fri 20:00+0100 closed",
        "Sat 09:00+0100 open",
        "Sat 13:00+0100 closed",
        "Mon 08:00+0100 open",
    ]


def test_midnight_is_no_change() -> None:
    """A night that is open on both sides of midnight has no change at it."""
    found = hours("Mon-Sun 22:00-06:00")

    assert list(changes(found, "2026-01-05T12:00", "2026-01-06T23:00")) == [
        "Mon 22:00+0100 open",
        "Tue 06:00+0100 closed",
        "Tue 22:00+0100 open",
    ]


def test_holidays() -> None:
    """A holiday is closed for the whole local day, also for a night that began the day before."""
    found = hours("Mon-Sun 22:00-06:00", holidays=("2026-12-25",))

    assert list(changes(found, "2026-12-24T12:00", "2026-12-26T12:00")) == [
        "Thu 22:00+0100 open",
        "Fri 00:00+0100 closed",
        "Sat 00:00+0100 open",
        "Sat 06:00+0100 closed",
    ]


def test_always_open() -> None:
    """What never closes has no next change, unless a holiday is near."""
    always = hours("Mon-Sun 00:00-24:00")
    but_once = hours("Mon-Sun 00:00-24:00", holidays=("2026-12-25", "2040-01-01"))
    summer = at("2026-07-01T12:00")

    assert always.open_at(summer)
    assert always.next_change(summer) is None
    assert but_once.next_change(summer) == at("2026-12-25T00:00")
    assert but_once.next_change(at("2026-12-25T00:00")) == at("2026-12-26T00:00")
    assert but_once.next_change(at("2026-12-26T00:00")) is None


def test_the_hour_that_is_skipped() -> None:
    """What would open in a skipped hour opens with the first minute that exists, as with an end."""
    opening = hours("Sun 02:30-04:00")
    closing = hours("Sun 01:00-02:30")
    inside = hours("Sun 02:10-02:50")

    assert list(changes(opening, "2026-03-28T12:00", "2026-03-29T12:00")) == [
        "Sun 03:00+0200 open",
        "Sun 04:00+0200 closed",
    ]
    assert list(changes(closing, "2026-03-28T12:00", "2026-03-29T12:00")) == [
        "Sun 01:00+0100 open",
        "Sun 03:00+0200 closed",
    ]
    assert list(changes(inside, "2026-03-28T12:00", "2026-04-05T12:00")) == [
        "Sun 02:10+0200 open",
        "Sun 02:50+0200 closed",
    ]


def test_the_hour_that_comes_twice() -> None:
    """In an hour that comes twice, the ranges of it come twice."""
    opening = hours("Sun 02:30-04:00")
    closing = hours("Sun 01:00-02:30")
    all_of_it = hours("Sun 01:00-04:00")

    assert list(changes(opening, "2026-10-24T12:00", "2026-10-25T12:00")) == [
        "Sun 02:30+0200 open",
        "Sun 02:00+0100 closed",
        "Sun 02:30+0100 open",
        "Sun 04:00+0100 closed",
    ]
    assert list(changes(closing, "2026-10-24T12:00", "2026-10-25T12:00")) == [
        "Sun 01:00+0200 open",
        "Sun 02:30+0200 closed",
        "Sun 02:00+0100 open",
        "Sun 02:30+0100 closed",
    ]
    assert list(changes(all_of_it, "2026-10-24T12:00", "2026-10-25T12:00")) == [
        "Sun 01:00+0200 open",
        "Sun 04:00+0100 closed",
    ]


# Against counting minutes ---------------------------------------------------------------------

_TIMES = st.integers(0, 95).map(lambda quarter: quarter * 15 + 7 * (quarter % 3 == 0))


@st.composite
def weeks(draw: st.DrawFn) -> list[str]:
    """Draw lines of a week; nights are likely, because that is when clocks are changed."""
    lines = []
    for _ in range(draw(st.integers(1, 3))):
        first, last = draw(st.sampled_from(DAYS)), draw(st.sampled_from(DAYS))
        start = draw(st.one_of(_TIMES, st.sampled_from([0, 30, 60, 90, 120, 150, 180, 1410])))
        end = draw(st.one_of(_TIMES, st.sampled_from([0, 30, 60, 90, 120, 150, 180, 1410, 1440])))
        if start == end:
            end = start + 10 if start < 1430 else 5
        times = (f"{each // 60:02}:{each % 60:02}" for each in (start, end))
        lines.append(f"{first}-{last} {'-'.join(times)}")
    return lines


def shown_open(lines: list[str], wall: datetime, holidays: frozenset[date]) -> bool:
    """Return whether a wall clock shows an open time; written apart from the code on purpose."""
    if wall.date() in holidays:
        return False
    minute = wall.hour * 60 + wall.minute
    today = wall.weekday()
    for line in lines:
        days, times = line.split()
        first, last = (DAYS.index(day) for day in days.split("-"))
        listed = {(first + step) % 7 for step in range((last - first) % 7 + 1)}
        start, end = (int(time[:2]) * 60 + int(time[3:]) for time in times.split("-"))
        if start < end:
            if today in listed and start <= minute < end:
                return True
        elif (today in listed and minute >= start) or ((today - 1) % 7 in listed and minute < end):
            return True
    return False


@given(
    zone=st.sampled_from(ZONES),
    lines=weeks(),
    around=st.sampled_from(CHANGES),
    offset=st.integers(-24 * 60, 24 * 60),
    holidays=st.frozensets(st.integers(-1, 3), max_size=2),
)
def test_hours_are_what_counting_minutes_finds(
    zone: str, lines: list[str], around: datetime, offset: int, holidays: frozenset[int]
) -> None:
    """Minute by minute over three days, open and the next change are what wall clocks show."""
    place = ZoneInfo(zone)
    closed = frozenset(around.date() + timedelta(days=day) for day in holidays)
    found = Hours(place, parse_week(lines), closed)
    start = int(around.timestamp()) + offset * MINUTE
    instants = range(start, start + 3 * 1440 * MINUTE, MINUTE)
    shown = [shown_open(lines, datetime.fromtimestamp(i, place), closed) for i in instants]

    assert [found.open_at(instant) for instant in instants[::7]] == shown[::7]
    expected = [
        instant
        for (before, now), instant in zip(itertools.pairwise(shown), instants[1:], strict=True)
        if before != now
    ]
    seen: list[float] = []
    instant = found.next_change(start)
    while instant is not None and instant <= instants[-1]:
        seen.append(instant)
        instant = found.next_change(instant)
    assert seen == expected


@given(
    zone=st.sampled_from(ZONES),
    lines=weeks(),
    start=st.floats(1_767_225_600, 1_830_297_600),
)
def test_a_next_change_is_one(zone: str, lines: list[str], start: float) -> None:
    """At the next change it is not as it was, just before it still is, and it lies ahead."""
    found = Hours(ZoneInfo(zone), parse_week(lines))
    change = found.next_change(start)
    if change is None:
        assert found.week == (((0, 1440),),) * 7
        return
    assert change > start
    assert found.open_at(change) != found.open_at(start)
    assert found.open_at(max(change - 0.001, start)) == found.open_at(start)
