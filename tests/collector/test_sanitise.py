"""Tests of the sanitiser: what a recording keeps, and what is replaced."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.collector.sanitise import Allowed, Pseudonyms, Sanitiser
from exporter.providers import PROVIDERS
from exporter.providers.five9.sanitise import Five9Sanitiser

GUID = "3F2504E0-4F89-11D3-9A0C-0305E82C3301"


class Small(Sanitiser):
    """A sanitiser with one key of each kind."""

    allowed = Allowed(
        objects={"data", "mixed"},
        figures={"count", "mixed"},
        times={"since"},
        words={"status": ("READY", "In progress"), "user_id": ("all",)},
        replaced={"id", "name", "user_id", "active"},
        segments={"api"},
    )


@pytest.fixture
def sanitiser() -> Sanitiser:
    return Small()


KEPT: list[tuple[str, Any]] = [
    ("count", 12),
    ("count", 0.5),
    ("count", 999_999_999),
    ("count", "999999"),
    ("count", "-1.5"),
    ("count", "93%"),
    ("count", "7 (6)"),
    ("count", "12 (8%)"),
    ("count", "00:01:07"),
    ("count", ""),
    ("count", None),
    ("since", "2026-11-25 09:00:00"),
    ("since", "2026-11-25T09:00:00.123Z"),
    ("since", 1_795_597_200_000),
    ("since", "09:00:00"),
    ("status", "ready"),
    ("status", "READY;In-Progress"),
    ("user_id", "all"),
    ("active", False),
    ("active", "false"),
    ("data", [[], None, {"count": 1, "data": [{"mixed": {"count": "1"}}, {"mixed": 2}]}]),
]
REPLACED: list[tuple[str, Any]] = [
    ("count", 4_930_123_456_789),
    ("count", "4930123456789"),
    ("count", 15_551_234_567),
    ("count", 1e300),
    ("count", "Sales"),
    ("count", "1971-02-03"),
    ("since", "Sales"),
    ("since", "4930123456789"),
    ("since", 15_551_234_567),
    ("status", "Sales"),
    ("status", "READY;Sales"),
    ("status", 7),
    ("user_id", 7),
    ("user_id", "7"),
    ("name", "ready"),
    ("name", "1971-02-03"),
    ("anything", "ready"),
    ("anything", 12),
    ("anything", 0.5),
    ("anything", False),
    ("anything", "12"),
    ("anything", "93%"),
    ("anything", "1971-02-03"),
    ("anything", "+49 30 1234567"),
    ("anything", "jane@example.com"),
    ("access_token", "12"),
]


@pytest.mark.parametrize(("key", "value"), KEPT)
def test_kept(sanitiser: Sanitiser, key: str, value: Any) -> None:
    """Figures, instants and words stay under the keys that the list names for them."""
    assert sanitiser.value(value, key) == value


@pytest.mark.parametrize(("key", "value"), REPLACED)
def test_replaced(sanitiser: Sanitiser, key: str, value: Any) -> None:
    """Everything else is replaced by something of its own type and, for texts, length."""
    found = sanitiser.mapping({key: value}, "", hide=False)
    ((_, replaced),) = found.items()

    assert replaced != value
    assert type(replaced) is type(value)
    assert not isinstance(value, str) or len(replaced) >= len(value)
    assert sanitiser.mapping({key: value}, "", hide=False) == found


def test_known_keys_below_unknown_ones(sanitiser: Sanitiser) -> None:
    """Of an unknown key nothing stays, and nothing of an object where a value is expected."""
    for body in ({"entry": {"count": 111, "data": {"count": 222}}}, {"name": {"count": 111}}):
        found = sanitiser.value(body, "")
        assert "count" not in json.dumps(found)
        assert not re.search(r"111|222", json.dumps(found))


def test_shapes(sanitiser: Sanitiser) -> None:
    """Of unknown figures the shape stays."""
    shapes = {"93%": "11%", "1971-02-03": "1111-11-11", "00:01:07": "11:11:11", "-1.5": "-1.1"}

    assert {text: sanitiser.value(text, "x") for text in shapes} == shapes
    assert sanitiser.value(7.25, "x") == 1.11
    assert sanitiser.value(-4711, "x") < -1000
    assert len(sanitiser.value("x" * 500, "x")) == 500
    assert len(sanitiser.value("x" * 500_000, "x")) == 1000
    assert len(sanitiser.value("1" * 500_000 + "x", "x")) == 1000  # in no time


def test_deep_bodies(sanitiser: Sanitiser) -> None:
    """A body that is nested too deeply is told by its size."""
    body = b"[" * 1000 + b"]" * 1000

    assert sanitiser.body("x", "application/json", body)["omitted"] == 2000


@pytest.mark.parametrize("key", ["custom_data", "customData", "result_data", "attributes"])
def test_what_is_noted_of_customers(key: str) -> None:
    """Of customers' own data not even the keys or small numbers stay."""
    sanitiser = PROVIDERS["voximplant"].sanitiser()
    found = str(sanitiser.value({key: {"Maria": {"count": 12, "status": ["READY"]}}}, ""))

    for word in ("Maria", "READY", "12", "count", "status"):
        assert word not in found


def test_odd_keys(sanitiser: Sanitiser) -> None:
    """A key that is no plain word is replaced like a text."""
    assert "é" not in str(sanitiser.value({"é@example.com": 1}, ""))


def test_pseudonyms() -> None:
    """The same text gets the same replacement, a number and its digits too, ids stay ids."""
    names = Pseudonyms()

    assert names.text("Sales") == names.text("Sales") != names.text("Support")
    assert str(names.number(4711)) == names.text("4711")
    assert len(names.text(GUID)) == len(GUID)
    assert names.text(GUID) != GUID


def test_paths(sanitiser: Sanitiser) -> None:
    """A path keeps the segments of its operation and loses whoever is named in it."""
    operation = "GET /subscriptions/{id}/statistic-values"
    shown = sanitiser.path(
        f"/acme/v3/subscriptions/{GUID}/statistic-values", "status=ready&user=jdoe", operation
    )

    assert "acme" not in shown
    assert GUID not in shown
    assert "jdoe" not in shown
    assert shown.split("/")[2:4] == ["v3", "subscriptions"]
    assert "status=ready" in shown
    assert "user" not in shown


def test_bodies(sanitiser: Sanitiser) -> None:
    """A form and JSON are shown as values; of anything else only its size is."""
    form = sanitiser.body("x", "application/x-www-form-urlencoded", b"status=in+progress&user_id=7")

    assert form["form"]["status"] == "in progress"
    assert form["form"]["user_id"] != "7"
    assert sanitiser.body("x", "application/json", b'[{"count": 1}]') == {"json": [{"count": 1}]}
    assert sanitiser.body("x", "application/json", b'["READY"]') != {"json": ["READY"]}
    assert sanitiser.body("x", "text/html", b"<html>Sales</html>") == {"omitted": 18}
    assert sanitiser.body("x", "", b"") is None


@given(
    st.recursive(
        st.text(min_size=1).map(lambda text: f"Zz{text}zZ"),
        lambda inner: st.lists(inner) | st.dictionaries(st.text().map("a key: {}".format), inner),
        max_leaves=20,
    ),
    st.sampled_from(sorted(PROVIDERS)),
)
def test_no_text_of_a_stranger_stays(value: Any, provider: str) -> None:
    """Whatever the shape of an answer, a text that is not the vendor's is not in the recording."""
    found = PROVIDERS[provider].sanitiser().value(value, "")

    def texts(each: Any) -> list[str]:
        if isinstance(each, dict):
            return [text for inner in each.values() for text in texts(inner)]
        return (
            [text for inner in each for text in texts(inner)] if isinstance(each, list) else [each]
        )

    assert [text for text in texts(found) if text.startswith("Zz")] == []


ENVELOPE = '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>{}</e:Body></e:Envelope>'


def envelope(inner: str) -> bytes:
    return ENVELOPE.format(inner).encode()


def test_five9_updates() -> None:
    """Changes are judged by their column, and keep its name; objects are hidden."""
    sanitiser = Five9Sanitiser()
    asked = envelope(
        "<getStatisticsUpdate><statisticType>AgentState</statisticType></getStatisticsUpdate>"
    )
    change = (
        "<dataUpdate><objectName>jdoe</objectName><columnName>{}</columnName>"
        "<columnValue>{}</columnValue></dataUpdate>"
    )
    answered = envelope(
        "<getStatisticsUpdateResponse><return><addedObjects><values><data>asmith</data></values>"
        "</addedObjects>"
        + change.format("State", "Ready")
        + change.format("Full Name", "Jane Doe")
        + change.format("State Duration", "86400000")
        + "<lastTimestamp>1795564800000</lastTimestamp></return></getStatisticsUpdateResponse>"
    )
    _, shown = sanitiser.exchange(
        "getStatisticsUpdate", ("text/xml", asked), ("text/xml", answered)
    )
    text = shown["xml"]

    for word in ("Ready", "Full Name", "State Duration", "86400000", "1795564800000"):
        assert word in text
    for word in ("jdoe", "asmith", "Jane"):
        assert word not in text
    assert text.count(sanitiser.pseudonyms.text("jdoe")) == 3


def test_five9_faults() -> None:
    """A fault keeps its name, and loses its text, which may repeat what was sent."""
    fault = envelope(
        "<e:Fault><faultcode>e:Server</faultcode><faultstring>user jdoe</faultstring>"
        "<detail><AccessDisallowedFault><message>jdoe</message></AccessDisallowedFault></detail>"
        "</e:Fault>"
    )
    text = Five9Sanitiser().body("getStatistics", "text/xml", fault)["xml"]

    assert "AccessDisallowedFault" in text
    assert "Server" in text
    assert "jdoe" not in text


def test_five9_headers() -> None:
    """Headers of the tables stay; others are replaced, and the figures below them.

    A disposition's header is replaced too, its figures stay.
    """
    sanitiser = Five9Sanitiser()
    listed = envelope(
        "<getDispositionsNamesResponse><return>Sold</return></getDispositionsNamesResponse>"
    )
    sanitiser.prepare([("getDispositionsNames", listed), ("other", b"")])
    headers = ("Campaign Name", "Sold", "Total Calls", "Calls Moved")
    head = "".join(f"<data>{header}</data>" for header in headers)
    row = "".join(f"<data>{cell}</data>" for cell in ("Main", "5", "6", "7"))
    asked = envelope(
        "<getStatistics><statisticType>InboundCampaignStatistics</statisticType></getStatistics>"
    )
    answered = envelope(
        f"<getStatisticsResponse><return><columns><values>{head}</values></columns>"
        f"<rows><values>{row}</values></rows></return></getStatisticsResponse>"
    )
    _, shown = sanitiser.exchange("getStatistics", ("text/xml", asked), ("text/xml", answered))
    text = shown["xml"]

    for word in ("Campaign Name", "Total Calls", "<data>5</data>", "<data>6</data>"):
        assert word in text
    for word in ("Calls Moved", "Sold", "Main", "<data>7</data>"):
        assert word not in text


def test_five9_column_names() -> None:
    """The answer to getColumnNames is headers."""
    sanitiser = Five9Sanitiser()
    asked = envelope("<getColumnNames><statisticType>ACDStatus</statisticType></getColumnNames>")
    answered = envelope(
        "<getColumnNamesResponse><return><values><data>Skill Name</data><data>New</data></values>"
        "</return></getColumnNamesResponse>"
    )
    _, shown = sanitiser.exchange("getColumnNames", ("text/xml", asked), ("text/xml", answered))

    assert "<data>Skill Name</data>" in shown["xml"]
    assert "New" not in shown["xml"]


def test_five9_mixed_text() -> None:
    """Texts between elements and attributes, also of empty elements, are replaced."""
    answered = envelope(
        "<getUserLimitsResponse>jane<return owner='jane'><mobileLimit birth='1971-02-03'/>jane"
        "<supervisorLimit>5<b>jane</b></supervisorLimit><!--jane--><?jane jane?></return>"
        "<![CDATA[jane]]></getUserLimitsResponse>"
    )
    text = Five9Sanitiser().body("getUserLimits", "text/xml", answered)["xml"]

    assert "mobileLimit" in text
    for word in ("jane", "owner", "birth", "1971"):
        assert word not in text


def test_five9_what_is_no_envelope() -> None:
    """What is not XML is told by its size, its fault and its form."""
    body = b"\x00not XML"
    fault = "not well-formed XML at line 1, column 1 (U+0000): document empty"
    assert Five9Sanitiser().body("getStatistics", "text/xml", body) == {
        "omitted": len(body),
        "fault": fault,
        "around": "\x00xxx xxx",
    }


def test_five9_an_envelope_with_entities() -> None:
    """What declares entities is told by its size."""
    body = b"<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>"
    assert Five9Sanitiser().body("getStatistics", "text/xml", body) == {"omitted": len(body)}


def test_genesys_names() -> None:
    """Labels that the configuration gives to objects are hidden with the ids they stand for."""
    sanitiser = PROVIDERS["genesys"].sanitiser()
    found = sanitiser.value([{"type": "Queue", "ids": ["q1"], "names": {"q1": "Queue"}}], "objects")

    (shown,) = found
    assert shown["type"] == "Queue"
    assert list(shown["names"]) == shown["ids"] != ["q1"]
    assert list(shown["names"].values()) != ["Queue"]


def test_brightpattern_records() -> None:
    """A recording keeps no member of a customer's record, whatever its name."""
    record = {"entry": {"phone": "15550000001", "birth": "1971-02-03", "status": "x", "limit": 9}}
    record["status"] = {"totalAttempts": 3, "lastPhone": "15550000001", "completed": True}
    found = PROVIDERS["brightpattern"].sanitiser().value({"records": [record]}, "")
    (shown,) = found["records"]

    assert len(shown["entry"]) == 4
    assert not re.search(r"phone|1555|birth|1971|limit|\b9\b", json.dumps(shown["entry"]))
    assert shown["status"]["totalAttempts"] == 3
    assert shown["status"]["completed"] is True
    assert shown["status"]["lastPhone"] != "15550000001"


def test_brightpattern_odd_rows() -> None:
    """A row that is no object is in the recording, hidden; so is a column nobody asked for."""
    sanitiser = PROVIDERS["brightpattern"].sanitiser()
    found = sanitiser.value(
        {"service_grids": [{"id": "services", "values": ["Sales", {"0": 1}]}]}, "app"
    )
    grid = sanitiser.mapping(
        {"service_grids": [{"id": "services", "values": ["Sales", {"0": 1}]}]}, "", hide=False
    )["service_grids"][0]

    assert "Sales" not in str(found)
    assert grid["id"] == "services"
    assert grid["values"][0] != "Sales"
    assert list(grid["values"][1].values()) != [1]
