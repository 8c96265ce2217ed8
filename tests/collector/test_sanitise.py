"""Tests of the sanitiser: what a recording keeps, and what is replaced."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.collector.sanitise import Pseudonyms, Sanitiser
from exporter.providers import PROVIDERS
from exporter.providers.five9.sanitise import Five9Sanitiser

GUID = "3F2504E0-4F89-11D3-9A0C-0305E82C3301"


@pytest.fixture
def sanitiser() -> Sanitiser:
    return Sanitiser(kept=("status",), plain=("id",), hidden=("odd",), words=("Waiting", "READY"))


KEPT: list[tuple[str, Any]] = [
    ("anything", 12),
    ("anything", 0.5),
    ("anything", True),
    ("anything", None),
    ("anything", ""),
    ("anything", "999999"),
    ("anything", "-1.5"),
    ("anything", "93%"),
    ("anything", "7 (6)"),
    ("anything", "12 (8%)"),
    ("anything", "00:01:07"),
    ("anything", "2026-11-25 09:00:00"),
    ("anything", "ready"),
    ("anything", "READY;Waiting"),
    ("Waiting", 4_930_123_456_789),
    ("waiting", "4930123456789"),
    ("status", "whatever the vendor says"),
    ("id", "7"),
    ("user_id", "all"),
]
REPLACED: list[tuple[str, Any]] = [
    ("anything", "Sales"),
    ("anything", "READY;Sales"),
    ("anything", "4930123456789"),
    ("anything", 4_930_123_456_789),
    ("user_id", 7),
    ("user_id", "7"),
    ("odd", "READY"),
    ("extension", "1234"),
    ("callerid", "123"),
    ("Email", "12"),
    ("access_token", "12"),
    ("callback_salt", "12"),
    ("apiKey", "12"),
    ("queue_name", "ready"),
    ("message", "12"),
]


@pytest.mark.parametrize(("key", "value"), KEPT)
def test_kept(sanitiser: Sanitiser, key: str, value: Any) -> None:
    """Figures, dates, the vendor's words, and what stands under keys known to be harmless, stay."""
    assert sanitiser.value(value, key) == value


@pytest.mark.parametrize(("key", "value"), REPLACED)
def test_replaced(sanitiser: Sanitiser, key: str, value: Any) -> None:
    """What names somebody or something is replaced, by something of its own sort."""
    found = sanitiser.value(value, key)

    assert found != value
    assert type(found) is type(value)
    assert sanitiser.value(value, key) == found


@pytest.mark.parametrize("key", ["custom_data", "customData", "result_data", "attributes"])
def test_what_is_noted_of_customers(key: str) -> None:
    """Of customers' own data not even the keys or small numbers stay."""
    sanitiser = PROVIDERS["voximplant"].sanitiser()
    found = sanitiser.value({key: {"Maria": {"age": 12, "ok": ["READY"]}}}, "")

    assert list(found) == [key]
    assert "Maria" not in str(found)
    assert "READY" not in str(found)
    assert "12" not in str(found)


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
        f"/acme/v3/subscriptions/{GUID}/statistic-values", "verbose=ready&user=jdoe", operation
    )

    assert "acme" not in shown
    assert GUID not in shown
    assert "jdoe" not in shown
    assert shown.split("/")[2:4] == ["v3", "subscriptions"]
    assert "verbose=ready" in shown


def test_bodies(sanitiser: Sanitiser) -> None:
    """A form and JSON are shown as values; of anything else only its size is."""
    form = sanitiser.body("x", "application/x-www-form-urlencoded", b"status=a+b&user_id=7")

    assert form["form"]["status"] == "a b"
    assert form["form"]["user_id"] != "7"
    assert sanitiser.body("x", "application/json", b'["READY"]') == {"json": ["READY"]}
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
    assert "e:Server" in text
    assert "jdoe" not in text


def test_five9_headers_that_were_listed() -> None:
    """An unknown header stays where it is none of the dispositions, and its numbers with it."""
    sanitiser = Five9Sanitiser()
    listed = envelope(
        "<getDispositionsNamesResponse><return>Sold</return></getDispositionsNamesResponse>"
    )
    sanitiser.prepare([("getDispositionsNames", listed), ("other", b"")])
    row = "<values>" + "".join(f"<data>{each}</data>" for each in ("Main", "5", "7")) + "</values>"
    head = (
        "<values>"
        + "".join(f"<data>{each}</data>" for each in ("Campaign Name", "Sold", "Calls Moved"))
        + "</values>"
    )
    asked = envelope(
        "<getStatistics><statisticType>InboundCampaignStatistics</statisticType></getStatistics>"
    )
    answered = envelope(
        f"<getStatisticsResponse><return><columns>{head}</columns><rows>{row}</rows></return>"
        "</getStatisticsResponse>"
    )
    _, shown = sanitiser.exchange("getStatistics", ("text/xml", asked), ("text/xml", answered))

    assert "Calls Moved" in shown["xml"]
    assert "Sold" not in shown["xml"]
    assert "Main" not in shown["xml"]
    assert "<data>7</data>" in shown["xml"]


def test_five9_column_names() -> None:
    """The answer to getColumnNames is headers."""
    sanitiser = Five9Sanitiser()
    sanitiser.prepare([("getDispositionsNames", envelope("<x><return>Sold</return></x>"))])
    asked = envelope("<getColumnNames><statisticType>ACDStatus</statisticType></getColumnNames>")
    answered = envelope(
        "<getColumnNamesResponse><return><values><data>Skill Name</data><data>New</data></values>"
        "</return></getColumnNamesResponse>"
    )
    _, shown = sanitiser.exchange("getColumnNames", ("text/xml", asked), ("text/xml", answered))

    assert "<data>Skill Name</data><data>New</data>" in shown["xml"]


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


def test_brightpattern_odd_rows() -> None:
    """A row that is no object is in the recording, hidden."""
    sanitiser = PROVIDERS["brightpattern"].sanitiser()
    found = sanitiser.value(
        {"service_grids": [{"id": "services", "values": ["Sales", {"0": 1}]}]}, ""
    )
    rows = found["service_grids"][0]["values"]

    assert rows[0] != "Sales"
    assert rows[1]["0"] != 1  # nobody has said what the column is
