import re

import pytest

from exporter.metrics import families as f
from exporter.metrics.families import (
    BASE_LABELS,
    FAMILIES,
    PREFIX,
    PROCESS_WIDE,
    Family,
    custom_family,
)

EVERY = list(FAMILIES.values())


def test_names_are_kept_by_themselves() -> None:
    """The vocabulary holds every declared family and every sliding twin under its own name."""
    declared = {family.name for family in vars(f).values() if isinstance(family, Family)}
    twins = {each.sliding.name for each in EVERY if each.sliding}

    assert set(FAMILIES) == declared | twins
    assert [each.name for each in EVERY] == list(FAMILIES)


def test_no_name_is_declared_twice() -> None:
    """No two different families share a name."""
    declared = [family for family in vars(f).values() if isinstance(family, Family)]
    twins = [each.sliding for each in declared if each.sliding]

    assert len(FAMILIES) == len({id(each) for each in [*declared, *twins]})


@pytest.mark.parametrize("family", EVERY, ids=lambda family: family.name)
def test_grammar(family: Family) -> None:
    """A name is ours, in small letters, and its help is one line of sentences."""
    assert re.fullmatch(rf"{PREFIX}[a-z0-9]+(_[a-z0-9]+)*", family.name)
    assert re.fullmatch(r"[A-Z0-9][^\"\\\n]+\.", family.help)
    assert not {"le", "quantile", "job", "instance", *BASE_LABELS} & set(family.labels)


@pytest.mark.parametrize("family", [each for each in EVERY if each.sliding], ids=lambda x: x.name)
def test_sliding_twins(family: Family) -> None:
    """A period total's twin is a gauge of another name, with the labels and a window more."""
    twin = family.sliding
    assert twin is not None

    assert family.kind == "counter"
    assert (twin.kind, twin.labels) == ("gauge", (*family.labels, "window"))
    assert not twin.name.endswith("_total")
    assert twin.unit == family.unit


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("contactcenter_queue_longest_wait_seconds", "seconds"),
        ("contactcenter_agent_login_seconds_total", "seconds"),
        ("contactcenter_campaign_abandoned_ratio", "ratio"),
        ("contactcenter_queue_agents", ""),
        ("contactcenter_feed_last_success_timestamp_seconds", "seconds"),
    ],
)
def test_unit(name: str, expected: str) -> None:
    """The unit is the end of the name, before _total."""
    assert FAMILIES[name].unit == expected


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("queue_agents", {}, "is not a valid metric name"),
        ("contactcenter_", {}, "is not a valid metric name"),
        ("contactcenter_Agents", {}, "is not a valid metric name"),
        ("contactcenter_a__b", {}, "is not a valid metric name"),
        ("contactcenter_x\n", {}, "is not a valid metric name"),
        ("contactcenter_x_total", {}, "end in _total"),
        ("contactcenter_x", {"kind": "counter"}, "end in _total"),
        ("contactcenter_x", {"help": "No stop"}, "without quotes"),
        ("contactcenter_x", {"help": 'A "word".'}, "without quotes"),
        ("contactcenter_x", {"help": "Two\nlines."}, "without quotes"),
        ("contactcenter_x", {"labels": ("Queue",)}, "invalid labels"),
        ("contactcenter_x", {"labels": ("account",)}, "invalid labels"),
        ("contactcenter_x", {"labels": ("a", "a")}, "invalid labels"),
    ],
)
def test_what_is_no_family(name: str, options: dict[str, object], message: str) -> None:
    """A family that breaks the grammar cannot be made."""
    with pytest.raises(ValueError, match=message):
        Family(name, **{"help": "A sentence.", **options})


def test_custom() -> None:
    """A family of the user is a gauge with the labels it was given."""
    family = custom_family("contactcenter_custom_x", ("queue", "kind"))

    assert family.name == "contactcenter_custom_x"
    assert (family.kind, family.labels) == ("gauge", ("queue", "kind"))
    assert family == custom_family("contactcenter_custom_x", ("queue", "kind"))


def test_custom_without_the_prefix() -> None:
    """A family of the user is named in full."""
    with pytest.raises(ValueError, match="is not a valid metric name"):
        custom_family("custom_x", ("queue",))


def test_process_wide() -> None:
    """What the process tells of itself is in the vocabulary too."""
    assert {each.name for each in PROCESS_WIDE} <= set(FAMILIES)


@pytest.mark.parametrize("states", [f.AGENT_STATES, f.CAMPAIGN_STATES])
def test_every_set_of_states_has_other(states: tuple[str, ...]) -> None:
    """Canonical states are different words, and other is one of them."""
    assert len(states) == len(set(states))
    assert "other" in states
