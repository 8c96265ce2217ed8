import textwrap
from collections.abc import Callable
from datetime import datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from exporter.config.load import load
from exporter.errors import ConfigError
from exporter.providers.five9.config import HOSTS, Five9Config, View
from exporter.providers.five9.tables import STATISTICS

ACCOUNT = """\
accounts:
- name: acme
  provider: five9
  username: Jo
  password: secret
"""
Read = Callable[..., Five9Config]
Faults = Callable[[str], list[str]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Return the last account of a file with one account and some more keys, from line 6 on."""

    def read(more: str = "") -> Five9Config:
        file = tmp_path / "exporter.yml"
        text = ACCOUNT + textwrap.indent(textwrap.dedent(more).strip("\n"), "  ") + "\n"
        file.write_text(text, encoding="utf-8")
        return load(file, {}, {"five9": Five9Config}).accounts[-1]

    return read


@pytest.fixture
def faults(read: Read, tmp_path: Path) -> Faults:
    def faults(more: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            read(more)
        return [fault.removeprefix(f"{tmp_path}/exporter.yml:") for fault in caught.value.faults]

    return faults


def test_defaults(read: Read) -> None:
    """An account needs a user and a password; the rest has a default."""
    account = read()

    assert account.url == ("https://api.five9.com/wssupervisor/v13/SupervisorWebService")
    assert (account.idle_timeout, account.long_poll, account.force_logout) == (600, 5, False)
    assert (account.view.period().window, account.view.rolling_window()) == ("day", "30m")


def test_all_feeds_by_default(read: Read) -> None:
    """All statistic types and the account itself are read, the queues first."""
    feeds = read().enabled_feeds()

    assert set(feeds) == {*STATISTICS, "account"}
    assert list(feeds)[:2] == ["ACDStatus", "AgentState"]


def test_the_default_intervals_fit_the_limits(read: Read) -> None:
    """The default intervals ask for less than the limits that the guide prints."""
    feeds = read().enabled_feeds()
    a_minute = sum(60 / times.interval for name, times in feeds.items() if name != "account")

    assert a_minute <= 0.95 * 24_000 / (24 * 60)


@pytest.mark.parametrize(("region", "host"), list(HOSTS.items()))
def test_regions(read: Read, region: str, host: str) -> None:
    """Every data centre has its host."""
    assert read(f"region: {region}").url.startswith(f"https://{host}/wssupervisor/")


@pytest.mark.parametrize("base", ["http://127.0.0.1:9001", "http://127.0.0.1:9001/"])
def test_base_url(read: Read, base: str) -> None:
    """Another address stands for the data centre's, with the same path behind it."""
    assert read(f"base_url: {base}\nversion: v9_5").url == (
        "http://127.0.0.1:9001/wssupervisor/v9_5/SupervisorWebService"
    )


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("region: uss", "6: accounts[0].region: expected one of 'us', 'ca', 'eu', 'frk' or 'in'"),
        ("version: 13", "6: accounts[0].version: expected text"),
        ("version: v13/../x", "6: accounts[0].version: "),
        ("idle_timeout: 30s", "6: accounts[0].idle_timeout: must be at least 60"),
        ("long_poll: 2m", "6: accounts[0].long_poll: must be at most 60"),
        ("feeds: {ACDStats: {}}", "6: accounts[0].feeds.ACDStats: unknown feed; did you"),
        ("feeds: {AgentState: {raw: true}}", "6: accounts[0].feeds.AgentState.raw: rows are"),
        (
            "view: {statistics_range: Today}",
            "6: accounts[0].view.statistics_range: expected one of",
        ),
        ("view: {time_zone: Mars}", "6: accounts[0].view.time_zone: expected an IANA time zone"),
        ("view: {time_zone: ''}", "6: accounts[0].view.time_zone: expected an IANA time zone"),
        (
            "view: {time_zone: ../../etc/passwd}",
            "6: accounts[0].view.time_zone: expected an IANA time",
        ),
        ("view: {time_zone: America}", "6: accounts[0].view.time_zone: expected an IANA time zone"),
        ("view: {time_zone: 5}", "6: accounts[0].view.time_zone: expected an IANA time zone"),
        (
            "view: {shift_start: noon}",
            "6: accounts[0].view.shift_start: expected a time of day such",
        ),
        (
            "view: {shift_start: '25:00'}",
            "6: accounts[0].view.shift_start: expected a time of day such",
        ),
        (
            "view: {shift_start: '08:00Z'}",
            "6: accounts[0].view.shift_start: expected a time of day without",
        ),
        (
            "view: {shift_start: '08:00+02:00'}",
            "6: accounts[0].view.shift_start: expected a time of day without",
        ),
        ("budget: {query_statistics: {minute: 0}}", "6: accounts[0].budget.query_statistics.min"),
        ("budget: {query_stats: {}}", "6: accounts[0].budget.query_stats: unknown key; did you"),
        ("columns: {ACDStats: {}}", "6: accounts[0].columns.ACDStats: expected one of "),
        (
            "columns: {ACDStatus: {X: {metric: nope}}}",
            "6: accounts[0].columns.ACDStatus.X: unknown metric 'nope'",
        ),
        (
            "columns: {ACDStatus: {X: {metric: campaign_priority}}}",
            "6: accounts[0].columns.ACDStatus.X: ACDStatus: contactcenter_campaign_priority has",
        ),
        (
            "columns: {ACDStatus: {X: {metric: custom_x, parse: guess}}}",
            "6: accounts[0].columns.ACDStatus.X.parse: expected one of",
        ),
        (
            "columns: {ACDStatus: {X: {}}}",
            "6: accounts[0].columns.ACDStatus.X.metric: is required",
        ),
        (
            "columns: {ACDStatus: {X: {metrc: custom_x, metric: custom_x}}}",
            "6: accounts[0].columns.ACDStatus.X.metrc: unknown key; did you mean 'metric'?",
        ),
        (
            "columns: {AgentState: {X: {metric: custom_x}}}",
            "6: accounts[0].columns.AgentState: rows are agents: requires agents:",
        ),
        (
            "labels: {site: a}\ncolumns: {ACDStatus: {X: {metric: custom_x, labels: {site: b}}}}",
            "7: accounts[0].columns.ACDStatus.X",
        ),
    ],
)
def test_faults(faults: Faults, more: str, expected: str) -> None:
    """What cannot be meant is one fault with line and path."""
    found = faults(more)

    assert len(found) == 1
    assert found[0].startswith(expected)


def test_a_wrong_type_hides_no_place(faults: Faults) -> None:
    """A mistake inside a mapping whose statistic type is misspelt too has its own place."""
    found = faults("columns:\n  ACDStats:\n    X: {parse: number}")

    assert [fault.split(": ")[1] for fault in found] in (
        ["accounts[0].columns.ACDStats"],
        ["accounts[0].columns.ACDStats", "accounts[0].columns.ACDStats.X.metric"],
    )


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ("username: Jo", True),
        ("username: jo", True),
        ("username: al", False),
        ("username: Jo, region: eu", False),
        ("username: Jo, base_url: 'https://api.five9.com'", True),
        ("username: Jo, base_url: 'https://API.FIVE9.COM:443/x'", True),
        ("username: Jo, base_url: 'http://127.0.0.1:9001'", False),
        ("username: Jo, version: v12", True),
    ],
)
def test_one_login_for_two_accounts(tmp_path: Path, other: str, expected: bool) -> None:
    """Two accounts of one host and user are refused: they would take each other's turns."""
    account = f"- {{name: beta, provider: five9, password: x, {other}}}\n"
    file = tmp_path / "exporter.yml"
    file.write_text(ACCOUNT + account, encoding="utf-8")
    try:
        load(file, {}, {"five9": Five9Config})
        said = ""
    except ConfigError as error:
        said = str(error)

    assert expected is ("6: accounts[1]: same host and user as 'acme': Five9" in said)
    assert expected is bool(said)


@pytest.mark.parametrize("port", ["99999", "x"])
def test_a_port_that_is_none(faults: Faults, port: str) -> None:
    """An address whose port is none is a fault, not a crash."""
    found = faults(f"base_url: 'https://host:{port}'")

    assert [fault.split(": ")[1] for fault in found] == ["accounts[0].base_url"]


@pytest.mark.parametrize(
    ("statistics_range", "window", "times"),
    [
        ("CurrentDay", "day", (time(0), time(8, 30))),
        ("CurrentShift", "shift", (time(8, 30),)),
        ("CurrentWeek", "week", (time(0), time(8, 30))),
        ("CurrentMonth", "month", (time(0), time(8, 30))),
        ("Lifetime", "lifetime", (time(0), time(8, 30))),
        ("RollingHour", "rolling_hour", (time(0), time(8, 30))),
    ],
)
def test_the_period(
    read: Read, statistics_range: str, window: str, times: tuple[time, ...]
) -> None:
    """The view says what period figures cover, and when that restarts."""
    zone = "America/New_York"
    view = read(
        f"view: {{statistics_range: {statistics_range}, shift_start: 08:30, time_zone: {zone}}}"
    ).view
    period = view.period()

    assert (window, times, ZoneInfo(zone)) == (period.window, period.times, period.zone)


def test_a_shift_at_midnight() -> None:
    """A shift that starts at midnight is no second start of the day."""
    assert View().period().times == (time(),)


@pytest.mark.parametrize(
    ("period", "expected"),
    [("Minutes5", "5m"), ("Minutes30", "30m"), ("Hour1", "1h"), ("Hours3", "3h"), ("Today", "day")],
)
def test_the_rolling_window(read: Read, period: str, expected: str) -> None:
    """The rolling period is a value of the label window."""
    assert expected == read(f"view: {{rolling_period: {period}}}").view.rolling_window()


@pytest.mark.parametrize(
    ("zone", "at", "expected"),
    [
        ("UTC", "2026-01-01T12:00", 0),
        ("America/New_York", "2026-01-01T12:00", -5 * 3_600_000),
        ("America/New_York", "2026-07-01T12:00", -4 * 3_600_000),
        ("Asia/Kathmandu", "2026-01-01T12:00", 20_700_000),
        ("Pacific/Kiritimati", "2026-01-01T12:00", 14 * 3_600_000),
    ],
)
def test_the_offset(read: Read, zone: str, at: str, expected: int) -> None:
    """The zone's offset is the one of the moment, in milliseconds."""
    moment = datetime.fromisoformat(at).replace(tzinfo=ZoneInfo("UTC")).timestamp()

    assert expected == read(f"view: {{time_zone: {zone}}}").view.offset(moment)


def test_the_shift_s_start(read: Read) -> None:
    """The shift's start goes to the platform in milliseconds after midnight."""
    view = read("view: {shift_start: 08:30:15}").view

    assert view.shift_start_milliseconds() == ((8 * 60 + 30) * 60 + 15) * 1000


def test_the_budget(read: Read) -> None:
    """Limits are by the length of their window; what is not given is not limited."""
    budget = read("budget: {query_statistics: {minute: 2, day: 240}}").budget

    assert budget.query_statistics is not None
    assert budget.query_statistics.by_seconds() == {60.0: 2, 86_400.0: 240}
    assert budget.query_changed_statistics is None


def test_columns(read: Read) -> None:
    """A user's mapping is kept by statistic type and header."""
    columns = read(
        """
        columns:
          InboundCampaignStatistics:
            "Abandon Call Rate": {metric: contactcenter_campaign_abandoned_ratio, parse: percent}
        """
    ).columns

    wanted = columns["InboundCampaignStatistics"]["Abandon Call Rate"]
    assert (wanted.metric, wanted.parse) == ("contactcenter_campaign_abandoned_ratio", "percent")


def test_the_password_is_hidden(read: Read) -> None:
    """An account that is printed does not show its password."""
    assert "secret" not in repr(read())


def test_the_password_is_not_in_a_fault(faults: Faults) -> None:
    """A password in the wrong place is not shown by its fault."""
    found = faults("region: hunter2\nversion: [hunter2]\nview: {time_zone: hunter2}")

    assert len(found) == 3
    assert "hunter2" not in "\n".join(found)
