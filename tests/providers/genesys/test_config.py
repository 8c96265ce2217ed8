"""Tests of the Genesys account configuration and its faults."""

from pathlib import Path

import pytest

from exporter.config.load import Config, load
from exporter.errors import ConfigError
from exporter.metrics import families
from exporter.providers.genesys.collector import feeds, statistics
from exporter.providers.genesys.config import GenesysConfig

ACCOUNT = """\
  - name: acme
    provider: genesys
    base_url: https://gapi.example.com
    client_id: exporter
    client_secret: s3cret
    username: acme\\wallboard
    password: swordfish
"""
OBJECTS = """\
    objects:
      - {type: Queue, ids: ["sales@switch", "help@switch"], names: {"sales@switch": Sales}}
      - {type: GroupAgents, ids: [Sales]}
"""


def read(folder: Path, text: str) -> Config:
    file = folder / "exporter.yml"
    file.write_text("accounts:\n" + text, encoding="utf-8")
    return load(file, {}, {"genesys": GenesysConfig})


def account(folder: Path, text: str) -> GenesysConfig:
    (found,) = read(folder, text).accounts
    assert isinstance(found, GenesysConfig)
    return found


def faults(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(folder, text)
    said = "\n".join(caught.value.faults)
    assert "s3cret" not in said
    assert "swordfish" not in said
    return said


def test_defaults(tmp_path: Path) -> None:
    """A short account subscribes as a user, publishes each second, and labels by objects' ids."""
    found = account(tmp_path, ACCOUNT + OBJECTS)
    assert (found.mode, found.grant, found.chunk) == ("subscribe", "password", 200)
    assert found.username == "acme\\wallboard"
    times = found.enabled_feeds()["statistics"]
    assert (times.interval, times.stale_after) == (1.0, 30.0)
    labels = {statistic.label for statistic in statistics(found)}
    assert labels == {"Sales", "help@switch"}


def test_polling_is_slower(tmp_path: Path) -> None:
    """In poll mode the feed is read every 15 s, unless the user says otherwise."""
    poll = ACCOUNT + OBJECTS + "    mode: poll\n"
    assert account(tmp_path, poll).enabled_feeds()["statistics"].interval == 15.0
    faster = poll + "    feeds: {statistics: {interval: 5s}}\n"
    assert account(tmp_path, faster).enabled_feeds()["statistics"].interval == 5.0


def test_client_credentials_need_no_user(tmp_path: Path) -> None:
    """A user and password are required with the password grant only."""
    text = ACCOUNT.replace("    username: acme\\wallboard\n    password: swordfish\n", "")
    said = faults(tmp_path, text + OBJECTS)
    assert "accounts[0].username: is required with grant: password" in said
    assert "accounts[0].password: is required with grant: password" in said
    assert account(tmp_path, text + OBJECTS + "    grant: client_credentials\n").username is None


@pytest.mark.parametrize(
    ("addition", "said"),
    [
        ("", "accounts[0].objects: expected objects or statistics"),
        ("    objects: [{type: Quene, ids: [a]}]\n", "objects[0].type: is not an object type"),
        ("    objects: [{type: Workbin, ids: [a]}]\n", "has no built-in statistics"),
        ("    objects: [{type: Queue, ids: []}]\n", "objects[0].ids"),
        (
            "    objects: [{type: Queue, ids: [a], names: {b: B}}]\n",
            "objects[0].names.b: is not in ids",
        ),
        (
            "    objects: [{type: Queue, ids: [a, b], names: {b: a}}]\n",
            "objects[0].ids[1]: same label as an earlier object",
        ),
        ("    objects: [{type: Queue, ids: [a], profile: agents}]\n", "objects[0].profile"),
        (
            "    objects: [{type: Queue, ids: [a]}]\n    auth_url: ftp://x\n",
            "auth_url: expected a URL",
        ),
        (
            "    objects: [{type: Queue, ids: [a]}]\n    auth_url: http://auth.example.com\n",
            "auth_url: http:// would send credentials unencrypted",
        ),
        (
            "    statistics: [{object_type: Queue, object_ids: [a], metric: custom_x}]\n",
            "statistics[0]: expected either name or definition",
        ),
        (
            (
                "    statistics: [{name: X, definition: {a: b}, object_type: Queue,"
                " object_ids: [a], metric: custom_x}]\n"
            ),
            "statistics[0]: expected either name or definition",
        ),
        (
            (
                "    statistics: [{definition: {}, object_type: Queue, object_ids: [a],"
                " metric: custom_x}]\n"
            ),
            "statistics[0].definition: is empty",
        ),
        (
            (
                "    statistics: [{name: X, object_type: Queue, object_ids: [a, a],"
                " metric: custom_x}]\n"
            ),
            "statistics[0].object_ids: contains an object twice",
        ),
        (
            "    statistics: [{name: X, object_type: Agent, object_ids: [a], metric: custom_x}]\n",
            "statistics[0]: rows are agents: requires agents: hashed, id or name",
        ),
        (
            (
                "    statistics: [{name: X, object_type: Queue, object_ids: [a],"
                " metric: queue_contact_waiting}]\n"
            ),
            "unknown metric",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, addition: str, said: str) -> None:
    """Every mistake is reported with its place in the file, and no secret."""
    assert said in faults(tmp_path, ACCOUNT + addition)


WAITING = "queue_contacts_waiting, labels: {media: all}"
OFFERED = "queue_contacts_offered_total, labels: {media: all}"
IN_WINDOW = "queue_contacts_offered_in_window, labels: {media: all}"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (f"metric: {OFFERED}, window: 60m", f"metric: {OFFERED}, window: 1h", True),
        (f"metric: {OFFERED}, window: 3600s", f"metric: {OFFERED}, window: 60m", True),
        (f"metric: {OFFERED}, window: 24h", f"metric: {OFFERED}, window: 1d", True),
        (f"metric: {OFFERED}, window: 1h", f"metric: {IN_WINDOW}, window: 60m", True),
        (f"metric: {OFFERED}", f"metric: {OFFERED}, window: day", True),
        (f"metric: {WAITING}", f"metric: {WAITING}", True),
        (f"metric: {OFFERED}, window: 1h", f"metric: {OFFERED}, window: 61m", False),
        (f"metric: {OFFERED}", f"metric: {OFFERED}, window: 1d", False),
        ("metric: custom_x", "metric: custom_y", False),
        ("metric: custom_x, labels: {a: b}", "metric: custom_x, labels: {a: c}", False),
    ],
)
def test_two_statistics_for_one_series(tmp_path: Path, one: str, other: str, same: bool) -> None:
    """Two statistics that make one series are refused with the place, however they are written."""
    own = f"""\
    statistics:
      - {{name: X, object_type: Queue, object_ids: [a, b], {one}}}
      - {{name: Y, object_type: Queue, object_ids: [c, b], {other}}}
"""
    said = "accounts[0].statistics[1].object_ids[1]: same series as statistics[0]"
    if same:
        assert said in faults(tmp_path, ACCOUNT + own)
    else:
        read(tmp_path, ACCOUNT + own)


def test_two_statistics_for_one_label(tmp_path: Path) -> None:
    """Objects with one label are one series too."""
    own = """\
    objects: [{type: Queue, ids: [a], names: {a: b}}]
    statistics:
      - {name: X, object_type: Queue, object_ids: [a], metric: custom_x}
      - {name: Y, object_type: RoutePoint, object_ids: [b], metric: custom_x}
"""
    assert "statistics[1].object_ids[0]: same series as statistics[0]" in faults(
        tmp_path, ACCOUNT + own
    )


def test_too_many_statistics_are_refused(tmp_path: Path) -> None:
    """The number of statistics of an account is limited."""
    ids = ", ".join(f"q{number}" for number in range(10_001))
    said = faults(tmp_path, f"{ACCOUNT}    objects: [{{type: Queue, ids: [{ids}]}}]\n")
    assert "accounts[0].objects: would open more than 100000 statistics" in said


def test_what_is_opened_for_an_agent_depends_on_privacy(tmp_path: Path) -> None:
    """In aggregate mode only the states of agents are opened."""
    text = ACCOUNT + "    objects: [{type: Agent, ids: [jd]}]\n"
    (only,) = statistics(account(tmp_path, text))
    assert only.stat_type.definition["category"] == "CurrentState"
    assert {table.name for table in feeds(account(tmp_path, text))[0].tables} & {
        "statistics.each_agent"
    } == set()
    assert len(statistics(account(tmp_path, text + "    agents: id\n"))) > 5


def test_own_statistics_win_over_built_in_ones(tmp_path: Path) -> None:
    """A statistic that a user maps to a figure of an object is opened in place of the built-in."""
    own = """\
    statistics:
      - {name: Current_In_Queue, object_type: Queue, object_ids: ["sales@switch"],
         metric: queue_contacts_waiting, labels: {media: all}}
      - {name: Size, object_type: Workbin, object_ids: [box], metric: custom_size}
"""
    found = statistics(account(tmp_path, ACCOUNT + OBJECTS + own))
    waiting = {
        each.object_id: each.stat_type.name
        for each in found
        if each.stat_type.name or each.stat_type.header == "CurrentNumber CallWait"
    }
    assert waiting == {"sales@switch": "Current_In_Queue", "help@switch": None, "box": "Size"}
    own_labels = {each.label for each in found if each.stat_type.name == "Current_In_Queue"}
    assert own_labels == {"Sales"}


@pytest.mark.parametrize(
    ("objects", "said"),
    [
        ("{type: CampaignGroup, ids: [Spring@East, Spring]}", "ids[1]: expected campaign@group"),
        ("{type: CampaignGroup, ids: ['@East']}", "ids[0]: expected campaign@group"),
        ("{type: CampaignCallingList, ids: ['Spring@']}", "expected campaign@callinglist"),
        ("{type: Campaign, ids: [Spring@East]}", "is the id of a CampaignGroup"),
        ("{type: CallingList, ids: [Spring@May]}", "is the id of a CampaignCallingList"),
        ("{type: Campaign, ids: [Spring]}", None),
        ("{type: CampaignGroup, ids: [Spring@East, Spring@West]}", None),
        ("{type: Queue, ids: [sales@switch, sales]}", None),
    ],
)
def test_ids_of_campaign_objects_have_a_form(
    tmp_path: Path, objects: str, said: str | None
) -> None:
    """An id that Stat Server would not recognise is a warning with its place, and no fault."""
    config = read(tmp_path, f"{ACCOUNT}    objects:\n      - {objects}\n")
    if said is None:
        assert config.warnings == ()
    else:
        (warning,) = config.warnings
        assert "exporter.yml:10: accounts[0].objects[0].ids[" in warning
        assert said in warning


def test_own_statistics_of_campaign_groups_are_checked_too(tmp_path: Path) -> None:
    """The ids of a statistic of the user's own are warned of as well."""
    own = "[{name: X, object_type: CampaignGroup, object_ids: [Spring], metric: custom_x}]"
    (warning,) = read(tmp_path, f"{ACCOUNT}    statistics: {own}\n").warnings
    assert "accounts[0].statistics[0].object_ids[0]: expected campaign@group" in warning


def test_a_campaign_and_a_list_of_one_name_need_another_label(tmp_path: Path) -> None:
    """A campaign and a calling list of one name would be one series."""
    objects = """\
    objects:
      - {type: Campaign, ids: [Spring]}
      - {type: CallingList, ids: [Spring]}
"""
    assert "objects[1].ids[0]: same label as an earlier" in faults(tmp_path, ACCOUNT + objects)


def _own(metric: str, **keys: str) -> str:
    more = "".join(f", {key}: {value}" for key, value in keys.items())
    return (
        f"      - {{name: X{len(more)}, object_type: Queue, object_ids: [sales@switch], "
        f"metric: {metric}{more}}}\n"
    )


@pytest.mark.parametrize(
    ("given", "shown"),
    [("15m", "15m"), ("60m", "1h"), ("3600s", "1h"), ("90s", "90s"), ("1d", "24h"), ("day", "day")],
)
def test_own_statistics_name_their_window(tmp_path: Path, given: str, shown: str) -> None:
    """A statistic's window is the label ``window`` of its series, and of no other statistic's."""
    text = _own("queue_service_level_ratio", labels="{media: all}", window=given)
    found = account(tmp_path, ACCOUNT + OBJECTS + "    statistics:\n" + text)
    by_name = {table.name: table for table in feeds(found)[0].tables}
    own = statistics(found)[-1]
    table = by_name[own.table]
    period = table.period
    assert period is not None
    assert period.window == shown
    day = by_name["statistics.queues"].period
    assert day is not None
    assert day.window == "day"
    built_in = [x for x in statistics(found) if x.table == "statistics.service_levels"]
    replaced = {"sales@switch"} if shown == "1h" else set()
    assert {x.object_id for x in built_in} == {"sales@switch", "help@switch"} - replaced


def test_a_total_with_a_window_is_no_counter(tmp_path: Path) -> None:
    """A total over a sliding window gets the name of the sliding figure, beside the day's."""
    text = _own("queue_contacts_answered_total", labels="{media: all}", window="30m")
    text += _own("custom_answered", window="30m")
    found = account(tmp_path, ACCOUNT + OBJECTS + "    statistics:\n" + text)
    families = {
        figure.family
        for table in feeds(found)[0].tables
        if table.name == "statistics.queues.30m"
        for figure in table.figures
    }
    assert {family.kind for family in families} == {"gauge"}
    assert all("window" in family.labels for family in families)
    day = {x.stat_type.header for x in statistics(found) if x.object_id == "sales@switch"}
    assert "TotalNumber CallAnswered" in day, "the day's total stays"


@pytest.mark.parametrize(
    ("metric", "keys", "fault"),
    [
        ("queue_contacts_waiting", {"window": "15m"}, "queue_contacts_waiting has no window"),
        ("queue_longest_wait_seconds", {"window": "1h"}, "has no window"),
        ("queue_service_level_ratio", {"window": "2d"}, "expected day, or a duration"),
        ("queue_service_level_ratio", {"window": "0s"}, "expected day, or a duration"),
        ("queue_service_level_ratio", {"window": "today"}, "expected a duration"),
        (
            "queue_service_level_ratio",
            {"definition": "{intervalType: SlidingWindow, category: X}"},
            "the definition slides: requires window",
        ),
        (
            "queue_service_level_ratio",
            {"definition": "{intervalType: GrowingWindow, category: X}", "window": "1h"},
            "the definition does not slide: remove window",
        ),
    ],
)
def test_windows_that_do_not_fit(
    tmp_path: Path, metric: str, keys: dict[str, str], fault: str
) -> None:
    """A window that the metric or the definition does not have is refused, with its place."""
    text = _own(metric, labels="{media: all}", **keys)
    if "definition" in keys:
        text = text.replace(text[text.index("name:") : text.index("object_type")], "")
    said = faults(tmp_path, ACCOUNT + OBJECTS + "    statistics:\n" + text)
    assert fault in said
    assert "statistics[0].window" in said


def test_a_sliding_metric_requires_a_window(tmp_path: Path) -> None:
    """The name of a figure over a sliding window is not for the day's figure."""
    sliding = families.QUEUE_ANSWERED.sliding
    assert sliding is not None
    text = _own(sliding.name, labels="{media: all}")
    said = faults(tmp_path, ACCOUNT + OBJECTS + "    statistics:\n" + text)
    assert "covers a sliding window: requires window, such as 15m" in said
