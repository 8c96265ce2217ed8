"""Tests of the readers of a statistic's value, in every layout."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.metrics.parsers import Cell, number
from exporter.providers.genesys.rows import (
    UNREADABLE,
    milliseconds_of,
    number_of,
    state_of,
)
from exporter.providers.genesys.subscriptions import has_unreadable_ids

EVENT = {"intValue": 17, "stringValue": "17", "timestamp": 1, "intervalLength": 0, "tag": -1}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.parametrize(
    ("value", "figure"),
    [
        (17, 17),
        (0, 0),
        (1.5, 1.5),
        ("17", 17),
        (" 17.25 ", 17.25),
        (EVENT, 17),
        ({**EVENT, "intValue": 4, "stringValue": "4.75"}, 4.75),
        ({**EVENT, "intValue": 4, "stringValue": ""}, 4),
        ({"intValue": 3}, 3),
        ({"stringValue": "3"}, 3),
        ({"value": {"intValue": 3, "stringValue": "3"}}, 3),
        ({"number": 5}, 5),
        ({**EVENT, "intValue": "17", "stringValue": "seventeen"}, 17),
    ],
)
def test_a_figure_is_found(value: Any, figure: float) -> None:
    """A number is found in every layout, with its fraction."""
    cell = number_of(value)
    assert cell is not None
    assert number(cell) == figure


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "  ",
        "NaN",
        float("nan"),
        {},
        {"intValue": None, "stringValue": None},
        {"intValue": 0, "stringValue": "NaN"},
        {"value": None},
    ],
)
def test_nothing_is_not_zero(value: Any) -> None:
    """A value without a number makes no figure."""
    assert number_of(value) is None


@pytest.mark.parametrize(
    "value",
    [True, [1], {"a": 1, "b": 2}, {"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}}, {"intValue": True}],
)
def test_a_layout_that_nobody_has_shown_is_counted(value: Any) -> None:
    """An unknown structure becomes a cell that every parser refuses."""
    assert number_of(value) == UNREADABLE
    with pytest.raises(ValueError, match="not a number"):
        number(UNREADABLE)


TREE = {"agentId": "jd", "status": 8, "time": 1392641892, "place": {"status": 23, "time": 5}}


@pytest.mark.parametrize(
    ("value", "state"),
    [
        (TREE, ("8", 1392641892)),
        ({"stateValue": TREE}, ("8", 1392641892)),
        ({"objectValue": TREE}, ("8", 1392641892)),
        ({"stateValue": None, "objectValue": TREE}, ("8", 1392641892)),
        ({"agentStatus": TREE}, ("8", 1392641892)),
        ({"status": "8"}, ("8", None)),
        (
            {"status": "NotReadyForNextCall", "time": "1392641892"},
            ("NotReadyForNextCall", "1392641892"),
        ),
        ({"status": 4, "time": 0}, ("4", None)),
        ({"status": 4, "time": "noon"}, ("4", None)),
        (22, ("22", None)),
        ("CallInbound", ("CallInbound", None)),
        ({"intValue": 9, "stringValue": "AfterCallWork"}, ("AfterCallWork", None)),
        ({"intValue": 9, "stringValue": ""}, ("9", None)),
    ],
)
def test_a_status_is_found(value: Any, state: tuple[Cell, Cell]) -> None:
    """An agent's own status is found in every layout, not that of a place or a telephone."""
    assert state_of(value) == state


@pytest.mark.parametrize(
    "value", [None, "", True, [], {}, {"status": None}, {"status": ""}, {"status": True, "x": 1}]
)
def test_no_status_is_none(value: Any) -> None:
    """A value without a status returns None."""
    assert state_of(value) is None


@pytest.mark.parametrize(
    ("told", "found"),
    [
        (1490830620000, 1490830620000.0),
        ("1490830620000", 1490830620000.0),
        (None, None),
        ("soon", None),
        ({}, None),
        ([], None),
    ],
)
def test_an_instant_is_read_or_left_out(told: Any, found: float | None) -> None:
    """A timestamp may be a number or its text; anything else is no timestamp."""
    assert milliseconds_of(told) == found


@pytest.mark.fuzz
@given(JSON)
def test_no_value_breaks_the_reader(value: Any) -> None:
    """For any JSON the readers return a cell, a state or None."""
    cell: Cell = number_of(value)
    assert cell is None or isinstance(cell, str | int | float)
    state = state_of(value)
    assert state is None or state[0]
    at = milliseconds_of(value)
    assert at is None or isinstance(at, float)


def test_a_text_with_a_replaced_character() -> None:
    """The integer beside an unreadable text is not the number: it may have had a fraction."""
    cell = number_of({"stringValue": "12.\ufffd5", "intValue": 12})

    with pytest.raises(ValueError, match="not a number"):
        number(cell)


@pytest.mark.parametrize(
    ("channel", "data", "unreadable"),
    [
        (
            "/statistics/v3/updates",
            {"statistics": [{"statisticId": "1", "value": "\ufffd"}]},
            False,
        ),
        ("/statistics/v3/updates", {"statistics": [{"statisticId": "1\ufffd"}]}, True),
        ("/statistics/v3/updates", {"data": {"serviceState": "UNAV\ufffdILABLE"}}, True),
        ("/stat\ufffdstics/v3/updates", {}, True),
        ("/statistics/v3/updates", None, False),
    ],
)
def test_events_that_nobody_can_assign(channel: str, data: Any, unreadable: bool) -> None:
    """A character in a value costs the value; one in an id hides which value is out of date."""
    assert has_unreadable_ids(channel, data) is unreadable
