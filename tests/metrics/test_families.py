import re
from collections import defaultdict

import pytest

from exporter.metrics import families as f
from exporter.metrics.families import (
    BASE_LABELS,
    FAMILIES,
    PREFIX,
    PROCESS_WIDE,
    Family,
    by_name,
    custom_family,
)
from exporter.telemetry import Telemetry

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
    """A period total's twin is a gauge with the labels and a window more, by one rule of names."""
    twin = family.sliding
    assert twin is not None
    name = family.name.removesuffix("_total").removesuffix("_seconds")

    assert family.kind == "counter"
    assert (twin.kind, twin.labels) == ("gauge", (*family.labels, "window"))
    assert twin.name == f"{name}_in_window" + ("_seconds" if family.unit else "")
    assert twin.unit == family.unit


def test_every_total_of_a_platform_has_a_twin() -> None:
    """A figure that a platform gives over a sliding window is never a counter."""
    counters = [each for each in EVERY if each.kind == "counter"]

    assert [each.name for each in counters if (each.sliding is None) != each.own] == []
    assert [each.name for each in EVERY if each.own and each.sliding] == []


def test_no_family_has_another_ones_name_without_suffix() -> None:
    """OpenMetrics, Datadog and OpenTelemetry strip suffixes: two families never become one.

    The collectors of the process, whose names have other prefixes, are included.
    """
    names = set(FAMILIES) | {
        metric.name + ("_total" if metric.type == "counter" else "")
        for metric in Telemetry().registry.collect()
    }
    by_stem: dict[str, list[str]] = defaultdict(list)
    for name in sorted(names):
        stem = re.sub("_(total|created|bucket|count|sum|gcount|gsum|info)$", "", name)
        by_stem[stem].append(name)

    assert {name for name in names if name.startswith("process_")}
    assert [clash for clash in by_stem.values() if len(clash) > 1] == []


@pytest.mark.parametrize("name", ["x", "x_created", "x_bucket", "x_count", "x_sum", "x_info"])
def test_a_clash_is_refused(name: str) -> None:
    """A family beside a counter of the same stem stops the import."""
    counter = Family("contactcenter_x_total", "A sentence.", "counter")
    clash = Family(f"contactcenter_{name}", "A sentence.")

    with pytest.raises(ValueError, match="the same name without its suffix"):
        by_name([counter, clash])


def test_a_name_declared_twice_is_refused() -> None:
    """Two families of one name stop the import."""
    with pytest.raises(ValueError, match="the same name without its suffix"):
        by_name([Family("contactcenter_x", "A sentence."), Family("contactcenter_x", "Another.")])


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
