import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.metrics import families as f
from exporter.metrics.families import Family
from exporter.metrics.parsers import count, milliseconds, number
from exporter.metrics.period import Period
from exporter.metrics.tables import (
    Column,
    Figure,
    Key,
    Reasons,
    Spread,
    State,
    States,
    Sum,
    Table,
    normalise,
)

STATES = States(f.AGENT_STATES, {"Ready": "ready", "Not Ready": "not_ready"})
QUEUE = (Key("queue", "Skill Name", ("Skill",)),)
AGENT = (Key("agent", "Username"),)
CAMPAIGN = (Key("campaign", "Campaign"),)
CUSTOM = Family("contactcenter_custom_x", "Custom.", "gauge", ("queue",))
WAITING = Column("Calls In Queue", f.QUEUE_CONTACTS_WAITING, count, {"media": "voice"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Calls In Queue", "callsinqueue"),
        ("calls_in-QUEUE ", "callsinqueue"),
        ("Calls In Queue (Visual IVR)", "callsinqueuevisualivr"),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("---", ""),
    ],
)
def test_normalise(text: str, expected: str) -> None:
    """Case, blanks and punctuation do not matter in a header or a state word."""
    assert expected == normalise(text)


@given(st.text())
def test_normalise_twice_is_once(text: str) -> None:
    """What is reduced already stays as it is."""
    once = normalise(text)

    assert once == normalise(once)


def test_normalise_remembers_no_long_text() -> None:
    """Long texts are normalised each time, so that no platform fills the memory with them."""
    normalise("x")
    tracemalloc.start()
    for name in map(str, range(200)):
        assert normalise(f"Long {name} {'x' * 20_000}") == f"long{name}{'x' * 20_000}"
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 500_000


def test_states_know_any_spelling() -> None:
    """State words are kept by what matters in them."""
    assert STATES.words == {"ready": "ready", "notready": "not_ready"}


def test_states_are_canonical() -> None:
    """A word that maps to no canonical state is a mistake in the table."""
    with pytest.raises(ValueError, match="not canonical"):
        States(("ready", "other"), {"Ready": "redy"})


@pytest.mark.parametrize(
    ("key", "figure"),
    [
        (QUEUE, Column("X", f.QUEUE_CONTACTS_WAITING)),  # lacks media
        (QUEUE, Column("X", f.QUEUE_AGENTS_LOGGED_IN, number, {"media": "voice"})),
        (AGENT, WAITING),
        (QUEUE, Column("X", f.QUEUE_AGENTS_LOGGED_IN, number, {"queue": "twice"})),
        (QUEUE, State("X", f.AGENT_STATE, STATES)),
        (QUEUE, State("X", f.CAMPAIGN_STATE, STATES, "each")),
        (AGENT, State("X", f.AGENTS_NOT_READY, STATES, "count")),
        (AGENT, Reasons("X", f.AGENTS, "State", STATES, "not_ready")),
        (AGENT, Sum("X", f.AGENT_CONTACTS_HANDLED)),
        (AGENT, Spread("dispositions", f.AGENT_DISPOSITIONS, "direction")),
        ((Key("state", "S"), Key("kind", "K")), Column("X", f.ACCOUNT_LICENSES)),  # order
    ],
)
def test_labels_are_checked(key: tuple[Key, ...], figure: Figure) -> None:
    """A figure whose labels are not exactly its family's is refused when the table is made."""
    with pytest.raises(ValueError, match="t: contactcenter_"):
        Table("t", key, (figure,))


@pytest.mark.parametrize(
    ("key", "figure"),
    [
        (QUEUE, WAITING),
        (AGENT, State("X", f.AGENT_STATE, STATES)),
        (CAMPAIGN, State("X", f.CAMPAIGN_STATE, STATES, "each")),
        (AGENT, State("X", f.AGENTS, STATES, "count")),
        (AGENT, Reasons("X", f.AGENTS_NOT_READY, "State", STATES, "not_ready")),
        (AGENT, Sum("X", f.AGENTS_CONTACTS_HANDLED)),
        (AGENT, Spread("dispositions", f.AGENT_DISPOSITIONS, "disposition")),
        ((Key("kind", "K"), Key("state", "S")), Column("X", f.ACCOUNT_LICENSES)),
        (AGENT, Column("X", f.AGENT_CALL_AVERAGE, milliseconds)),  # the window comes later
    ],
)
def test_labels_that_fit(key: tuple[Key, ...], figure: Figure) -> None:
    """A figure whose labels are exactly its family's is taken."""
    assert (figure,) == Table("t", key, (figure,)).figures


@pytest.mark.parametrize(
    "options",
    [
        {"figures": (WAITING, Column("skill name", f.QUEUE_AGENTS_LOGGED_IN))},
        {"figures": (WAITING, Column("SKILL", f.QUEUE_AGENTS_LOGGED_IN))},
        {"figures": (WAITING,), "ignored": ("calls in queue",)},
        {"figures": (WAITING,), "private": ("calls-in-queue",)},
        {
            "figures": (
                WAITING,
                Column("Other", f.QUEUE_AGENTS_LOGGED_IN, aliases=("callsInQueue",)),
            )
        },
    ],
)
def test_a_header_has_one_owner(options: dict[str, tuple[Figure, ...]]) -> None:
    """A header, in any spelling, that two parts of a table claim is refused."""
    with pytest.raises(ValueError, match="is claimed by"):
        Table("t", QUEUE, **options)


def test_only_campaigns_have_a_direction() -> None:
    with pytest.raises(ValueError, match="only campaigns have a direction"):
        Table("x", (Key("queue", "name"),), (), subject="queue", direction="inbound")


def test_one_header_may_feed_several_figures() -> None:
    """Figures of one header may share it."""
    table = Table(
        "t",
        AGENT,
        (State("State", f.AGENTS, STATES, "count"), State("State", f.AGENT_STATE, STATES)),
    )

    assert [figure.header for figure in table.figures] == ["State", "State"]


def test_over_a_sliding_period() -> None:
    """Over a sliding period counters become their sliding twins, and gauges stay."""
    table = Table("t", CAMPAIGN, (Column("X", f.CAMPAIGN_DIALS), Column("Y", f.CAMPAIGN_PRIORITY)))
    period = Period("30m")
    over = table.over(period)

    assert period is over.period
    assert [f.CAMPAIGN_DIALS.sliding, f.CAMPAIGN_PRIORITY] == [x.family for x in over.figures]


@pytest.mark.parametrize("window", ["day", "week", "month", "shift", "lifetime"])
def test_over_a_fixed_period(window: str) -> None:
    """Over a period that restarts at a known instant counters stay counters."""
    table = Table("t", CAMPAIGN, (Column("X", f.CAMPAIGN_DIALS),))

    assert [x.family for x in table.over(Period(window)).figures] == [f.CAMPAIGN_DIALS]


def test_extended() -> None:
    """The user's columns come after the table's own."""
    mine = Column("Custom", CUSTOM)

    assert (WAITING, mine) == Table("t", QUEUE, (WAITING,)).extended((mine,)).figures


def test_extended_wins() -> None:
    """A user's column of a header, in any spelling, replaces the table's own."""
    mine = Column("calls in queue", CUSTOM)

    assert (mine,) == Table("t", QUEUE, (WAITING,)).extended((mine,)).figures


def test_extended_wins_over_an_alias() -> None:
    """A user's column that is named by an alias replaces the table's own too."""
    own = Column("Agents", f.QUEUE_AGENTS_LOGGED_IN, aliases=("agentsLoggedIn",))
    mine = Column("agentsLoggedIn", CUSTOM)

    assert (mine,) == Table("t", QUEUE, (own,)).extended((mine,)).figures


def test_extended_maps_what_was_ignored() -> None:
    """A header that was ignored can be mapped by the user."""
    mine = Column("type", CUSTOM)
    table = Table("t", QUEUE, (WAITING,), ignored=("Type", "Mode")).extended((mine,))

    assert table.ignored == ("Mode",)


def test_extended_never_maps_what_is_private() -> None:
    """A private header cannot be mapped by the user."""
    mine = Column("Customer", CUSTOM)
    table = Table("t", QUEUE, (WAITING,), private=("customer",))

    with pytest.raises(ValueError, match="is claimed by"):
        table.extended((mine,))


def test_extended_checks_labels() -> None:
    """A user's column that does not fit the table is refused."""
    with pytest.raises(ValueError, match="has the labels"):
        Table("t", QUEUE, (WAITING,)).extended((Column("X", f.CAMPAIGN_PRIORITY),))
