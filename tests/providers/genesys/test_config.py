"""Tests of the Genesys account configuration and its faults."""

from pathlib import Path

import pytest

from exporter.config.load import Config, load
from exporter.errors import ConfigError
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
