import itertools
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import pytest
from holidays import country_holidays
from hypothesis import given
from hypothesis import strategies as st

from exporter.objectives.holidays import Holidays, Spans
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
YEAR_ENDS = [datetime(year, 12, 30, tzinfo=UTC) for year in range(2026, 2034)]


def hours(*lines: str, zone: ZoneInfo = BERLIN, holidays: tuple[str, ...] = ()) -> Hours:
    return Hours(zone, parse_week(lines), Holidays(dict.fromkeys(holidays, ())))


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


def listed(found: Hours, first: str, last: str) -> dict[str, str]:
    """Return the days between two whose hours at noon are not open, or that close by 16:00."""
    days = {}
    day = date.fromisoformat(first)
    while day <= date.fromisoformat(last):
        noon, four = (found.open_at(at(f"{day}T{time}", found.zone)) for time in ("12:00", "16:00"))
        if not (noon and four):
            days[f"{day:%m-%d}"] = "half" if noon else "closed"
        day += timedelta(days=1)
    return days


ALL_DAYS = parse_week(["Mon-Sun 08:00-20:00"])


def test_public_holidays_of_a_country_and_a_subdivision() -> None:
    """A country's public holidays are closed, with those of the subdivision alone."""
    germany = Hours(BERLIN, ALL_DAYS, Holidays({}, ("DE",)))
    bavaria = Hours(BERLIN, ALL_DAYS, Holidays({}, ("DE-BY",)))

    shared = ["01-01", "04-03", "04-06", "05-01", "05-14", "05-25", "10-03", "12-25", "12-26"]
    assert list(listed(germany, "2026-01-01", "2026-12-31")) == shared
    own = ["01-06", "06-04", "11-01"]
    assert list(listed(bavaria, "2026-01-01", "2026-12-31")) == sorted(shared + own)


def test_observed_days_over_the_end_of_a_year() -> None:
    """New Year's Day of 2028 is a Saturday, so that the last day of 2027 is closed too."""
    found = Hours(ZoneInfo("America/New_York"), ALL_DAYS, Holidays({}, ("US",)))

    assert found.next_change(at("2027-12-30T20:00", found.zone)) == at(
        "2028-01-02T08:00", found.zone
    )
    assert list(listed(found, "2027-12-20", "2028-01-10")) == ["12-24", "12-25", "12-31", "01-01"]


def test_a_named_holiday_has_hours_of_its_own() -> None:
    """A name takes a public holiday out, its observed day too, or shortens any known holiday."""
    days = {"veterans day": None, "juneteenth national independence day": None}
    found = Hours(
        ZoneInfo("America/New_York"),
        parse_week(["Mon-Fri 08:00-20:00"]),
        Holidays({**days, "christmas eve": ((480, 840),)}, ("US-NY",)),
    )
    weekdays = {
        day: kind
        for day, kind in listed(found, "2028-01-01", "2028-12-31").items()
        if date.fromisoformat(f"2028-{day}").weekday() < 5
    }

    assert "11-10" not in weekdays  # observed; the eleventh is a Saturday
    assert "06-19" not in weekdays
    assert weekdays["12-25"] == weekdays["07-04"] == "closed"
    assert listed(found, "2026-12-24", "2026-12-24") == {"12-24": "half"}
    assert listed(found, "2027-12-24", "2027-12-24") == {"12-24": "half"}  # Christmas is observed


def test_precedence_of_holidays() -> None:
    """A date comes before a day of every year, that before a name, and a name before a country."""
    half = ((480, 840),)
    days: dict[str, Spans | None] = {
        "christmas day": half,
        "second day of christmas": None,
        "12-26": half,
        "2026-12-26": (),
        "2026-12-27": half,  # a Sunday
        "12-24": half,
    }
    found = Hours(BERLIN, parse_week(["Mon-Sat 08:00-20:00"]), Holidays(days, ("DE",)))

    assert listed(found, "2026-12-24", "2026-12-28") == {
        "12-24": "half",
        "12-25": "half",
        "12-26": "closed",
        "12-27": "half",  # a date opens also what is closed on its weekday
    }
    sunday = listed(found, "2028-12-23", "2028-12-26")
    assert sunday == {"12-24": "closed", "12-25": "half", "12-26": "half"}


def test_a_list_of_dates_becomes_outdated() -> None:
    """Dates that have all passed, in the zone of the hours, are outdated; nothing else is."""
    dates = hours("Mon-Fri 08:00-20:00", holidays=("2026-12-25", "2026-12-26"))

    assert not dates.outdated(at("2026-12-26T23:59"))
    assert dates.outdated(at("2026-12-27T00:00"))
    far = at("2040-01-01T00:00")
    for kept in (Holidays(), Holidays({"12-25": ()}), Holidays({"2026-12-25": ()}, ("DE",))):
        assert not Hours(BERLIN, ALL_DAYS, kept).outdated(far)
    ended = Hours(BERLIN, ALL_DAYS, Holidays({"may day": None, "2027-12-25": ()}, ("LK",)))
    assert not ended.outdated(at("2027-12-25T12:00"))
    assert ended.outdated(at("2028-01-01T00:00"))  # the package knows LK until 2026


def test_years_far_ahead() -> None:
    """After the last year of a calendar only the week applies, also where the package warns."""
    for code, last in (("US", 2100), ("IN", 2100), ("JP", 2099), ("LK", 2026)):
        found = Hours(BERLIN, (((0, 1440),),) * 7, Holidays({}, (code,)))
        assert found.next_change(at(f"{last}-01-02T12:00")) is not None
        assert found.next_change(at(f"{last + 1}-01-02T12:00")) is None


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
    listed = Holidays({day.isoformat(): () for day in closed})
    found = Hours(place, parse_week(lines), listed)
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


@pytest.mark.slow
@given(
    zone=st.sampled_from(ZONES),
    lines=weeks(),
    around=st.sampled_from(
        [*CHANGES, *(datetime(y, 12, 30, tzinfo=UTC) for y in range(2026, 2034))]
    ),
    codes=st.sets(st.sampled_from(["US", "DE-BY", "GB-SCT", "BR"])),
    own=st.dictionaries(
        st.tuples(st.integers(0, 4), st.booleans()),
        st.one_of(st.none(), st.just(()), st.just(((130, 190), (600, 1440)))),
        max_size=3,
    ),
)
def test_holidays_are_what_counting_minutes_finds(
    zone: str,
    lines: list[str],
    around: datetime,
    codes: set[str],
    own: dict[tuple[int, bool], Spans | None],
) -> None:
    """Minute by minute over three days, hours on holidays are what wall clocks show."""
    place = ZoneInfo(zone)
    keys = {
        str(around.date() + timedelta(days=day))[0 if dated else 5 :]: spans
        for (day, dated), spans in own.items()
    }
    found = Hours(place, parse_week(lines), Holidays(keys, tuple(codes)))
    public = [
        country_holidays(code[:2], code[3:] or None, years=range(2025, 2036)) for code in codes
    ]

    @lru_cache
    def has_hours(day: date) -> bool:
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)  # where no clock changes
        all_day = (midnight + timedelta(minutes=minute) for minute in range(1440))
        return any(shown_open(lines, time, frozenset()) for time in all_day)

    def shown(wall: datetime) -> bool:
        day, minute = wall.date(), wall.hour * 60 + wall.minute
        usual = shown_open(lines, wall, frozenset())
        for key, limits in ((str(day), False), (f"{day:%m-%d}", True)):
            if key in keys:
                spans = keys[key]
                if limits and not has_hours(day):
                    return False
                return usual if spans is None else any(a <= minute < b for a, b in spans)
        return usual and not any(dict.__contains__(days, day) for days in public)

    start = int(around.timestamp())
    instants = range(start, start + 3 * 1440 * MINUTE, MINUTE)
    minutes = [shown(datetime.fromtimestamp(instant, place)) for instant in instants]
    assert [found.open_at(instant) for instant in instants[::7]] == minutes[::7]
    seen = []
    change = found.next_change(start)
    while change is not None and change <= instants[-1]:
        seen.append(change)
        change = found.next_change(change)
    assert seen == [
        instant
        for (before, now), instant in zip(itertools.pairwise(minutes), instants[1:], strict=True)
        if before != now
    ]


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
