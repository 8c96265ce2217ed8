import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import InvalidAnswer
from exporter.metrics import families as f
from exporter.metrics.families import Family
from exporter.metrics.labels import AccountLabels, Filter, escape, render_labels
from exporter.metrics.mapping import RAW_CAP, Mapped, map_reading
from exporter.metrics.parsers import Cell, count, milliseconds, number
from exporter.metrics.period import Period
from exporter.metrics.reading import Reading, RefusedRow, Rows
from exporter.metrics.tables import (
    Column,
    Key,
    Reasons,
    Spread,
    State,
    States,
    Sum,
    Table,
)

BASE = {"provider": "five9", "account": "acme"}
STATES = States(
    f.AGENT_STATES, {"Ready": "ready", "Not Ready": "not_ready", "On Call": "on_contact"}
)
CAMPAIGN_STATES = States(f.CAMPAIGN_STATES, {"Running": "running", "Stopped": "stopped"})
AGENTS = Table(
    "agents",
    (Key("agent", "Username"),),
    (
        State("State", f.AGENTS, STATES, "count"),
        Reasons("Reason", f.AGENTS_NOT_READY, "State", STATES, "not_ready", cap=2),
        State("State", f.AGENT_STATE, STATES),
        Column("Hold", f.AGENT_STATE_SECONDS, milliseconds, {"state": "on_hold"}),
        Sum("Total Calls", f.AGENTS_CONTACTS_HANDLED, count),
        Column("Total Calls", f.AGENT_CONTACTS_HANDLED, count, {"media": "voice"}),
        Column("Avg", f.AGENT_CALL_AVERAGE, milliseconds),
        Spread("dispositions", f.AGENT_DISPOSITIONS, "disposition", count, cap=2),
    ),
    subject="agent",
    display="Full Name",
    ignored=("Known",),
    private=("Customer",),
    period=Period("day"),
)
QUEUES = Table(
    "queues",
    (Key("queue", "Skill Name", ("Skill",)),),
    (
        Column("Waiting", f.QUEUE_CONTACTS_WAITING, count, {"media": "voice"}, ("callsInQueue",)),
        Column("Chats", f.QUEUE_CONTACTS_WAITING, count, {"media": "chat"}, certain=False),
        Column("Ready", f.QUEUE_AGENTS, count, {"state": "ready"}),
    ),
    subject="queue",
)
CAMPAIGNS = Table(
    "campaigns",
    (Key("campaign", "Campaign"),),
    (
        State("State", f.CAMPAIGN_STATE, CAMPAIGN_STATES, "each"),
        Column("Dials", f.CAMPAIGN_DIALS, count),
        Spread("dispositions", f.CAMPAIGN_DISPOSITIONS, "disposition", count, cap=2),
    ),
    subject="campaign",
    period=Period("day"),
)
TABLES = {table.name: table for table in (AGENTS, QUEUES, CAMPAIGNS)}
PAIR = re.compile(rb'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\n|\\")*)"')
SET = re.compile(rb"\{" + PAIR.pattern + rb"(?:," + PAIR.pattern + rb")*\} ")

odd_cells = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["Ready", "Not Ready", "Running", "5", "-1", "nan", "", " ", "a\n", '"', "\\"]),
)
names = st.text(min_size=1, max_size=6)
headers = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "State",
                "Reason",
                "Hold",
                "Total Calls",
                "Avg",
                "Full Name",
                "Sale",
                "SALE",
                "No Sale",
                "other",
                "Known",
                "Customer",
                "Strange",
                "Waiting",
                "Dials",
            ]
        ),
        names,
    ),
    max_size=8,
)
accounts = st.builds(
    AccountLabels,
    base=st.sampled_from([BASE, {**BASE, "site": 'B"\\\n'}]),
    agents=st.sampled_from(["aggregate", "hashed", "id", "name"]),
    agents_key=st.just(b"key"),
    filter=st.sampled_from(
        [Filter(), Filter(exclude={"agent": ["a*"], "queue": ["a*"], "campaign": ["*b"]})]
    ),
)


@st.composite
def grids(draw: st.DrawFn, key: str) -> Rows:
    found = [key, *draw(headers)]
    width = len(found)
    cells = draw(st.lists(st.lists(odd_cells, min_size=width, max_size=width), max_size=6))
    spread = draw(st.frozensets(st.sampled_from(["Sale", "SALE", "No Sale", "other"])))
    return Rows(found, cells, {"dispositions": spread})


readings = st.builds(
    lambda agents, queues, campaigns: Reading(
        {"agents": agents, "queues": queues, "campaigns": campaigns}
    ),
    grids("Username"),
    grids("Skill"),
    grids("Campaign"),
)


def map_one(
    table: Table,
    rows: Rows,
    *,
    agents: str = "id",
    raw: bool = False,
    key: bytes = b"",
    **patterns: object,
) -> Mapped:
    account = AccountLabels(BASE, agents, key, Filter(**patterns))
    return map_reading(Reading({table.name: rows}), {table.name: table}, account, raw=raw)


def series(mapped: Mapped, family: Family) -> dict[bytes, float]:
    found = mapped.series.get(family)
    return dict(zip(found.labels, found.values, strict=True)) if found else {}


def label(**labels: str) -> bytes:
    return b"{" + render_labels({**BASE, **labels}) + b"} "


def grid(headers: Sequence[str], *cells: Sequence[Cell], spread: Sequence[str] = ()) -> Rows:
    return Rows(list(headers), cells, {"dispositions": frozenset(spread)})


# Labels and columns ---------------------------------------------------------------------------


def test_a_cell_becomes_a_series() -> None:
    """A cell becomes a series with the base labels and the family's own, in the family's order."""
    mapped = map_one(QUEUES, grid(["Skill Name", "Waiting", "Ready"], ["Sales", "3", "2"]))

    assert {label(queue="Sales", media="voice"): 3} == series(mapped, f.QUEUE_CONTACTS_WAITING)
    assert {label(queue="Sales", state="ready"): 2} == series(mapped, f.QUEUE_AGENTS)


@pytest.mark.parametrize(
    ("skill", "waiting"),
    [("skill name", "WAITING"), ("Skill", "callsInQueue"), ("SKILL-NAME", "Calls in Queue")],
)
def test_headers_in_any_spelling(skill: str, waiting: str) -> None:
    """Headers match whatever their case and punctuation, and by their aliases."""
    mapped = map_one(QUEUES, grid([skill, waiting], ["Sales", "3"]))

    assert {label(queue="Sales", media="voice"): 3} == series(mapped, f.QUEUE_CONTACTS_WAITING)


@pytest.mark.parametrize("cell", [None, ""])
def test_absent_is_absent(cell: Cell) -> None:
    """A null or empty cell makes no series and is no error."""
    mapped = map_one(QUEUES, grid(["Skill", "Waiting"], ["Sales", cell]))

    assert not series(mapped, f.QUEUE_CONTACTS_WAITING)
    assert not mapped.schemas["queues"].rejected


def test_a_bad_cell_goes_alone() -> None:
    """A cell that cannot be read is counted under its header; its neighbours are shown."""
    rows = grid(["Skill", "Waiting", "Ready"], ["Sales", "many", "2"], ["Help", "1", "x"])
    mapped = map_one(QUEUES, rows)

    assert {label(queue="Help", media="voice"): 1} == series(mapped, f.QUEUE_CONTACTS_WAITING)
    assert {label(queue="Sales", state="ready"): 2} == series(mapped, f.QUEUE_AGENTS)
    assert Counter({"Waiting": 1, "Ready": 1}) == mapped.schemas["queues"].rejected


@pytest.mark.parametrize("name", [None, "", "  "])
def test_a_row_without_a_name_is_left_out(name: Cell) -> None:
    """A row that does not say what it is about makes no series."""
    mapped = map_one(QUEUES, grid(["Skill", "Waiting"], [name, "3"]))

    assert not series(mapped, f.QUEUE_CONTACTS_WAITING)


def test_no_key_column() -> None:
    """A grid of rows without the column that names them is an invalid answer."""
    with pytest.raises(InvalidAnswer, match="Skill Name"):
        map_one(QUEUES, grid(["Waiting"], ["3"]))


def test_an_empty_grid() -> None:
    """A grid without rows or headers is no error and makes no series."""
    mapped = map_one(QUEUES, grid([]))

    assert not mapped.schemas["queues"].missing
    assert not [series for series in mapped.series.values() if series.labels]


def test_doubles_are_dropped() -> None:
    """Of rows with the same name the first is shown, and the others are counted."""
    mapped = map_one(QUEUES, grid(["Skill", "Waiting"], ["Sales", "3"], ["Sales", "4"]))

    assert {label(queue="Sales", media="voice"): 3} == series(mapped, f.QUEUE_CONTACTS_WAITING)
    assert mapped.duplicates == 1


def test_hostile_names() -> None:
    """Quotes, backslashes and line breaks in a name are escaped."""
    mapped = map_one(QUEUES, grid(["Skill", "Ready"], ['a"b\\c\nd', "1"]))

    expected = b'{provider="five9",account="acme",queue="a\\"b\\\\c\\nd",state="ready"} '
    assert [expected] == list(series(mapped, f.QUEUE_AGENTS))


@pytest.mark.parametrize("agents", ["hashed", "id", "name"])
def test_a_name_that_is_no_unicode(agents: str) -> None:
    """A lone surrogate in a name, as JSON may hold, does not break the mapping."""
    rows = grid(["Username", "State"], ["x\ud800", "Ready"])
    mapped = map_one(AGENTS, rows, agents=agents, key=b"key")

    assert len(series(mapped, f.AGENT_STATE)) == 1


def test_the_window() -> None:
    """A period figure that is a gauge has its period as the label window."""
    mapped = map_one(AGENTS, grid(["Username", "Avg"], ["jo", "1500"]))

    assert {label(agent="jo", window="day"): 1.5} == series(mapped, f.AGENT_CALL_AVERAGE)


def test_the_sliding_twin() -> None:
    """Over a sliding period a counter's figure is the gauge with a window."""
    rows = grid(["Campaign", "Dials"], ["Spring", "9"])
    mapped = map_one(CAMPAIGNS.over(Period("30m")), rows)

    assert f.CAMPAIGN_DIALS not in mapped.series
    assert {label(campaign="Spring", window="30m"): 9} == series(mapped, f.CAMPAIGN_DIALS.sliding)


# Schema ---------------------------------------------------------------------------------------


def test_strange_headers_are_reported() -> None:
    """A header that no figure maps is reported; ignored, private and display ones are not."""
    rows = grid(
        ["Username", "Full Name", "Known", "Customer", "Strange", "State"],
        ["jo", "Jo Roe", "1", "Ann", "1", "Ready"],
    )

    assert {"Strange"} == map_one(AGENTS, rows).schemas["agents"].unmapped["column"]


def test_missing_headers_are_reported() -> None:
    """A certain column that the answer lacks is reported; a guessed one is not."""
    assert {"Ready"} == map_one(QUEUES, grid(["Skill", "Waiting"])).schemas["queues"].missing


def test_strange_words_are_reported() -> None:
    """A state word that is not known counts as other and is reported."""
    rows = grid(["Username", "State"], ["jo", "Dancing"], ["al", "ready"])
    mapped = map_one(AGENTS, rows)

    assert {"Dancing"} == mapped.schemas["agents"].unmapped["state"]
    assert {label(agent="jo", state="other"): 1, label(agent="al", state="ready"): 1} == series(
        mapped, f.AGENT_STATE
    )


# States ---------------------------------------------------------------------------------------


def test_tally() -> None:
    """Counts have every canonical state, zero if no row is in it."""
    rows = grid(["Username", "State"], ["a", "Ready"], ["b", "READY"], ["c", "Not Ready"])
    expected = dict.fromkeys(f.AGENT_STATES, 0) | {"ready": 2, "not_ready": 1}

    assert {label(state=state): value for state, value in expected.items()} == series(
        map_one(AGENTS, rows), f.AGENTS
    )


def test_tally_of_nobody() -> None:
    """No rows at all are counted as zero in every state."""
    mapped = map_one(AGENTS, grid([]))

    assert {label(state=state): 0 for state in f.AGENT_STATES} == series(mapped, f.AGENTS)


def test_tally_without_its_column() -> None:
    """Rows are not counted if the state column is missing."""
    assert not series(map_one(AGENTS, grid(["Username"], ["a"])), f.AGENTS)


def test_state_set() -> None:
    """A state shown each is 1 for the current state and 0 for all others."""
    mapped = map_one(CAMPAIGNS, grid(["Campaign", "State"], ["Spring", "RUNNING"]))

    assert {
        label(campaign="Spring", state=state): int(state == "running")
        for state in f.CAMPAIGN_STATES
    } == series(mapped, f.CAMPAIGN_STATE)


def test_reasons() -> None:
    """Reasons count the rows of one state; past the cap the rarest are other."""
    rows = grid(
        ["Username", "State", "Reason"],
        *(["Not Ready", "Lunch"] for _ in range(3)),
        *(["Not Ready", "Break"] for _ in range(2)),
        ["Not Ready", "Training"],
        ["Not Ready", None],
        ["Ready", "Lunch"],
    )
    named = grid(rows.headers, *([f"u{at}", *row] for at, row in enumerate(rows.cells)))

    assert {label(reason="Lunch"): 3, label(reason="Break"): 2, label(reason="other"): 2} == series(
        map_one(AGENTS, named), f.AGENTS_NOT_READY
    )


@pytest.mark.parametrize("word", ["Read\ufffd", "Not\ufffdReady"])
def test_states_with_a_replaced_character(word: str) -> None:
    """A state that is still known counts; where one is not, no state has a known number."""
    rows = grid(["Username", "State", "Reason"], ["a", word, "Lunch"], ["b", "Ready", ""])
    mapped = map_one(AGENTS, rows)
    known = word == "Not\ufffdReady"

    assert bool(series(mapped, f.AGENTS)) is known
    assert bool(series(mapped, f.AGENTS_NOT_READY)) is known
    assert mapped.schemas[AGENTS.name].rejected == ({} if known else {"State": 1})
    assert mapped.schemas[AGENTS.name].unmapped["state"] == set()


def test_reasons_with_a_replaced_character() -> None:
    """Such a reason may be any of them, so that none has a known number."""
    rows = grid(["Username", "State", "Reason"], ["a", "Not Ready", "L\ufffdnch"])

    assert not series(map_one(AGENTS, rows), f.AGENTS_NOT_READY)


def test_reasons_without_a_word() -> None:
    """A row in the state without a reason counts as unspecified."""
    rows = grid(["Username", "State", "Reason"], ["a", "Not Ready", " "])

    assert {label(reason="unspecified"): 1} == series(map_one(AGENTS, rows), f.AGENTS_NOT_READY)


def test_sum() -> None:
    """A sum adds all cells; empty ones add nothing."""
    rows = grid(["Username", "Total Calls"], ["a", "3"], ["b", None], ["d", "4"])

    assert {label(): 7} == series(map_one(AGENTS, rows), f.AGENTS_CONTACTS_HANDLED)


@pytest.mark.parametrize("cell", ["x", "3\ufffd"])
def test_sum_with_an_unreadable_cell(cell: str) -> None:
    """A sum without one of its cells would be too low: it is absent, and the cell is counted."""
    rows = grid(["Username", "Total Calls"], ["a", "3"], ["c", cell], ["d", "4"])
    mapped = map_one(AGENTS, rows)

    assert series(mapped, f.AGENTS_CONTACTS_HANDLED) == {}
    assert mapped.schemas[AGENTS.name].rejected == {"Total Calls": 1}


def test_sum_of_nothing() -> None:
    """A sum of no values is absent, not zero."""
    rows = grid(["Username", "Total Calls"], ["a", None])

    assert not series(map_one(AGENTS, rows), f.AGENTS_CONTACTS_HANDLED)


def test_sum_over_all_floats() -> None:
    """A sum that no float can hold is left out and breaks nothing else."""
    rows = grid(["Username", "Total Calls", "State"], ["a", "1e308", "Ready"], ["b", "1e308", ""])
    mapped = map_one(AGENTS, rows)

    assert not series(mapped, f.AGENTS_CONTACTS_HANDLED)
    assert label(state="ready") in series(mapped, f.AGENTS)


# Spread ---------------------------------------------------------------------------------------


def test_spread() -> None:
    """Columns named at run time become one family with the header as a label."""
    rows = grid(["Campaign", "Sale", "No Sale"], ["Spring", "3", "4"], spread=["Sale", "No Sale"])
    mapped = map_one(CAMPAIGNS, rows)

    assert {
        label(campaign="Spring", disposition="Sale"): 3,
        label(campaign="Spring", disposition="No Sale"): 4,
    } == series(mapped, f.CAMPAIGN_DISPOSITIONS)
    assert not mapped.schemas["campaigns"].unmapped["column"]


def test_spread_past_its_cap() -> None:
    """Past the cap, in alphabetical order, columns are summed under other; null is no zero."""
    rows = grid(
        ["Campaign", "D", "C", "B", "A"],
        ["Spring", "8", "4", "2", "1"],
        ["Autumn", None, None, None, "1"],
        spread=["A", "B", "C", "D"],
    )

    assert {
        label(campaign="Spring", disposition="A"): 1,
        label(campaign="Spring", disposition="B"): 2,
        label(campaign="Spring", disposition="other"): 12,
        label(campaign="Autumn", disposition="A"): 1,
    } == series(map_one(CAMPAIGNS, rows), f.CAMPAIGN_DISPOSITIONS)


def test_spread_of_near_namesakes() -> None:
    """Two run-time columns that differ in case or punctuation each keep their own figures."""
    rows = grid(["Campaign", "Call Back", "Callback"], ["Spring", "3", "4"])
    mapped = map_one(
        CAMPAIGNS, Rows(rows.headers, rows.cells, {"dispositions": frozenset(rows.headers)})
    )

    assert {
        label(campaign="Spring", disposition="Call Back"): 3,
        label(campaign="Spring", disposition="Callback"): 4,
    } == series(mapped, f.CAMPAIGN_DISPOSITIONS)


def test_spread_over_all_floats() -> None:
    """Columns whose sum no float can hold make no figure that is not finite."""
    rows = grid(
        ["Campaign", "A", "B", "C", "D"],
        ["Spring", "1", "1", "1e308", "1e308"],
        spread=["A", "B", "C", "D"],
    )
    found = series(map_one(CAMPAIGNS, rows), f.CAMPAIGN_DISPOSITIONS)

    assert [value for value in found.values() if not math.isfinite(value)] == []


# Privacy and wishes ---------------------------------------------------------------------------


def test_aggregate_shows_nobody() -> None:
    """In the mode aggregate no series names an agent, raw or not."""
    rows = grid(
        ["Username", "Full Name", "State", "Hold", "Total Calls", "Strange", "Sale"],
        ["jo@acme", "Jo Roe", "Not Ready", "5", "6", "7", "8"],
        spread=["Sale"],
    )
    mapped = map_one(AGENTS, rows, agents="aggregate", raw=True)
    text = b"".join(label for series in mapped.series.values() for label in series.labels)

    assert series(mapped, f.AGENTS)[label(state="not_ready")] == 1
    assert b"agent=" not in text
    assert b"jo@acme" not in text
    assert b"Jo Roe" not in text


def test_hashed_is_stable_and_keyed() -> None:
    """A pseudonym is the same for the same key and another for another."""
    rows = grid(["Username", "State"], ["jo", "Ready"])
    found = [
        list(series(map_one(AGENTS, rows, agents="hashed", key=key), f.AGENT_STATE))
        for key in (b"one", b"one", b"two")
    ]

    assert found[0] == found[1] != found[2]
    assert b"jo" not in found[0][0]


def test_name() -> None:
    """In the mode name agents carry their display name, namesakes with their id."""
    rows = grid(
        ["Username", "Full Name", "State"],
        ["a", "Jo Roe", "Ready"],
        ["b", "Al Low", "Ready"],
        ["c", "Al Low", "Ready"],
        ["d", None, "Ready"],
    )

    assert [
        label(agent=name, state="ready") for name in ("Jo Roe", "Al Low (b)", "Al Low (c)", "d")
    ] == list(series(map_one(AGENTS, rows, agents="name"), f.AGENT_STATE))


def test_include_and_exclude() -> None:
    """Only what matches an include pattern and no exclude pattern is shown."""
    rows = grid(["Skill", "Ready"], ["Sales US", "1"], ["Sales EU", "2"], ["Help", "3"])
    options = {"include": {"queue": ["Sales*"]}, "exclude": {"queue": ["*EU"]}}
    mapped = map_one(QUEUES, rows, **options)

    assert {label(queue="Sales US", state="ready"): 1} == series(mapped, f.QUEUE_AGENTS)


def test_an_agent_is_excluded_by_either_name() -> None:
    """An agent can be excluded by display name; then it is in no count either."""
    rows = grid(["Username", "Full Name", "State"], ["a", "Test Bot", "Ready"])
    mapped = map_one(AGENTS, rows, agents="aggregate", exclude={"agent": ["Test *"]})

    assert sum(series(mapped, f.AGENTS).values()) == 0


@pytest.mark.parametrize("name", ["Support [EN]", "[]", "What?*", "Support [EN", "[!a]", "*"])
def test_equality_comes_before_patterns(name: str) -> None:
    """An item that equals a name matches it, even if it means something else as a pattern."""
    rows = grid(["Skill", "Ready"], [name, "1"], ["Sales", "2"])
    shown = series(map_one(QUEUES, rows, include={"queue": [name]}), f.QUEUE_AGENTS)
    hidden = series(map_one(QUEUES, rows, exclude={"queue": [name]}), f.QUEUE_AGENTS)

    assert label(queue=name, state="ready") in shown
    assert label(queue=name, state="ready") not in hidden


@pytest.mark.parametrize("agents", ["aggregate", "hashed", "id", "name"])
@pytest.mark.parametrize("item", ["Al [EN]", "Al [EN] (b)", "b", "Al*", "*[[]EN]"])
@pytest.mark.parametrize("name", ["Al [EN]", " Al [EN] ", "Al [EN]\u00a0"])
def test_an_agent_is_excluded_by_every_name_it_is_shown_under(
    name: str, item: str, agents: str
) -> None:
    """Names with brackets, the label of a namesake, and the name as shown, without white space."""
    rows = grid(["Username", "Full Name", "State"], ["b", name, "Ready"], ["c", "Jo", "Ready"])
    mapped = map_one(AGENTS, rows, agents=agents, exclude={"agent": [item]})

    assert sum(series(mapped, f.AGENTS).values()) == 1
    assert len(series(mapped, f.AGENT_STATE)) == (agents != "aggregate")


@pytest.mark.parametrize("agents", ["aggregate", "hashed", "id", "name"])
def test_an_agent_that_may_be_excluded_is_not_shown(agents: str) -> None:
    """A name with a replaced character may be one that an item of exclude means."""
    rows = grid(
        ["Username", "Full Name", "State"],
        ["a", "Ja\ufffdne", "Ready"],
        ["b\ufffd", "Jo", "Ready"],
        ["c", "Al", "Ready"],
    )
    hidden = map_one(AGENTS, rows, agents=agents, exclude={"agent": ["Jane*"]})
    shown = map_one(AGENTS, rows, agents=agents, exclude={"queue": ["Jane*"]})
    in_aggregate = agents == "aggregate"

    assert len(series(hidden, f.AGENT_STATE)) == (0 if in_aggregate else 1)
    assert sum(series(hidden, f.AGENTS).values()) == (3 if in_aggregate else 1)
    assert len(series(shown, f.AGENT_STATE)) == (0 if in_aggregate else 3)


@pytest.mark.parametrize("item", ["Sales ", "\u00a0Sales", "sales", "Sales\t"])
def test_names_are_compared_by_every_character(item: str) -> None:
    """White space and letter case count."""
    rows = grid(["Skill", "Ready"], ["Sales", "1"], [item, "2"])
    shown = series(map_one(QUEUES, rows, include={"queue": [item]}), f.QUEUE_AGENTS)

    assert shown == {label(queue=item, state="ready"): 2}


@pytest.mark.parametrize("damaged", ["Ready\ufffd", "\ufffdReady", "Re\ufffdady"])
def test_a_header_with_a_replaced_character_gives_way(damaged: str) -> None:
    """Its column may be another one: the intact header counts, wherever it stands."""
    for headers, cells in (([damaged, "Ready"], "12"), (["Ready", damaged], "21")):
        mapped = map_one(QUEUES, grid(["Skill", *headers], ["Sales", *cells]))
        assert series(mapped, f.QUEUE_AGENTS) == {label(queue="Sales", state="ready"): 2}


@pytest.mark.parametrize("name", ["Zo\xe9", "Zoe\u0301"])
@pytest.mark.parametrize("item", ["Zo\xe9", "Zoe\u0301", "Zo?", "*o\xe9", "Z*e\u0301", "Z[o]\xe9"])
def test_an_accent_of_its_own_is_the_same_letter(item: str, name: str) -> None:
    """Texts that Unicode holds for equal match, in both directions; the label stays as it is."""
    rows = grid(["Username", "Full Name", "State"], ["b", name, "Ready"], ["c", "Jo", "Ready"])
    hidden = map_one(AGENTS, rows, agents="name", exclude={"agent": [item]})
    shown = map_one(AGENTS, rows, agents="name", include={"agent": [item]})
    account_filter = Filter({"agent": [item, "Jo\u0301"]})

    assert sum(series(hidden, f.AGENTS).values()) == 1
    assert [*series(shown, f.AGENT_STATE)] == [label(agent=name, state="ready")]
    assert account_filter.accepts("agent", [name])
    assert account_filter.unmatched("agent") == ["Jo\u0301"]


NAMESAKES = replace(QUEUES, display="plain name")


def namesakes() -> Rows:
    return grid(
        ["Skill", "plain name", "Ready"],
        ["Sales [1] (7)", "Sales [1]", "1"],
        ["Sales [1] (8)", "Sales [1]", "2"],
        ["Help (8)", None, "3"],
    )


@pytest.mark.parametrize(
    ("item", "matching"),
    [
        ("Sales [1]", {1, 2}),
        ("Sales [1] (8)", {2}),
        ("*(8)", {2, 3}),
        ("S*1]", {1, 2}),
        ("Help", set()),
        ("", set()),
    ],
)
def test_namesakes_match_by_plain_name(item: str, matching: set[int]) -> None:
    """Those shown as name and id match by name too; a bracket in a name is no namesake."""
    shown = map_one(NAMESAKES, namesakes(), include={"queue": [item]})
    hidden = map_one(NAMESAKES, namesakes(), exclude={"queue": [item]})

    assert set(series(shown, f.QUEUE_AGENTS).values()) == matching
    assert set(series(hidden, f.QUEUE_AGENTS).values()) == {1, 2, 3} - matching
    assert not hidden.schemas["queues"].unmapped["column"]


def test_plain_names_of_namesakes() -> None:
    """The plain names go with the series, for objectives."""
    mapped = map_one(NAMESAKES, namesakes(), exclude={"queue": ["*(7)"]})

    assert mapped.namesakes == {("queue", "Sales [1] (8)"): "Sales [1]"}


def test_items_that_matched_nothing() -> None:
    """An item is unmatched until it has matched an object, shown or not."""
    account_filter = Filter({"queue": ["a", "a*", "x*"]}, {"queue": ["b", "y"], "agent": ["z"]})
    for name in ("abc", "b", "c"):
        account_filter.accepts("queue", [name])

    assert account_filter.unmatched("queue") == ["a", "x*", "y"]
    assert account_filter.unmatched("agent") == ["z"]
    assert account_filter.unmatched("campaign") == []


# Raw ------------------------------------------------------------------------------------------


def test_raw() -> None:
    """Numbers of columns that no figure maps are shown raw on request, private ones never."""
    rows = grid(["Username", "Known", "Strange", "Customer", "Text"], ["jo", "1", "2.5", "3", "x"])
    mapped = map_one(AGENTS, rows, raw=True)

    assert {
        label(table="agents", object="jo", column="Known"): 1,
        label(table="agents", object="jo", column="Strange"): 2.5,
    } == series(mapped, f.RAW_VALUE)


def test_raw_is_capped() -> None:
    """A table shows at most so many raw series."""
    rows = grid(["Skill", "X"], *([f"q{at}", at] for at in range(RAW_CAP + 1)))

    assert len(series(map_one(QUEUES, rows, raw=True), f.RAW_VALUE)) == RAW_CAP


def test_not_raw_by_default() -> None:
    """Without the request nothing is shown raw."""
    rows = grid(["Skill", "X"], ["Sales", 1])

    assert f.RAW_VALUE not in map_one(QUEUES, rows).series


# Objects --------------------------------------------------------------------------------------


def test_objects_are_those_with_series() -> None:
    """The queues and campaigns of a reading are those that have a series, by their label."""
    rows = grid(["Skill", "Waiting", "Ready"], ["a", "1", ""], ["b", "", "2"], ["c", None, "x"])
    queues = map_one(QUEUES, rows, exclude={"queue": ["d"]})
    campaigns = map_one(CAMPAIGNS, grid(["Campaign", "State"], ["Main", "Running"]))

    assert queues.objects == {"queue": {"a", "b"}}
    assert campaigns.objects == {"campaign": {"Main"}}


def test_objects_that_are_excluded() -> None:
    """What the account does not show is no object, and agents never are."""
    rows = grid(["Skill", "Waiting"], ["a", "1"], ["b", "2"])
    agents = map_one(AGENTS, grid(["Username", "State"], ["jo", "Ready"]), agents="id")

    assert map_one(QUEUES, rows, exclude={"queue": ["b"]}).objects == {"queue": {"a"}}
    assert agents.objects == {}


def test_an_object_named_by_a_constant() -> None:
    """A queue that is named by a constant label of a figure is an object too, once it has one."""
    column = Column("Waiting", f.QUEUE_CONTACTS_WAITING, count, {"queue": "All", "media": "all"})
    totals = Table("totals", (), (column,))

    assert map_one(totals, grid(["Waiting"], ["5"])).objects == {"queue": {"All"}}
    assert map_one(totals, grid(["Waiting"], [""])).objects.get("queue", set()) == set()


# Properties -----------------------------------------------------------------------------------


@pytest.mark.fuzz
@given(readings, accounts, st.booleans())
def test_never_breaks(reading: Reading, account: AccountLabels, raw: bool) -> None:
    """Odd cells never raise, and every series is finite and has exactly its family's labels."""
    mapped = map_reading(reading, TABLES, account, raw=raw)

    for family, found in mapped.series.items():
        wanted = [*account.base, *family.labels]
        for labels, value in zip(found.labels, found.values, strict=True):
            assert SET.fullmatch(labels)
            assert wanted == [name.decode() for name, _ in PAIR.findall(labels)]
            assert math.isfinite(value)
        assert len(found.labels) == len(set(found.labels))


@given(st.lists(odd_cells, max_size=20), st.sampled_from(["aggregate", "hashed", "id", "name"]))
def test_a_tally_sums_to_its_rows(cells: list[Cell], agents: str) -> None:
    """Every row is counted in exactly one state, whatever the state words."""
    rows = grid(["Username", "State"], *([f"u{at}", cell] for at, cell in enumerate(cells)))

    assert len(cells) == sum(series(map_one(AGENTS, rows, agents=agents), f.AGENTS).values())


per_row = st.dictionaries(names, st.tuples(odd_cells, odd_cells), max_size=5)


@given(per_row, per_row)
def test_more_rows_take_nothing_away(
    before: Mapping[str, tuple[Cell, Cell]], more: Mapping[str, tuple[Cell, Cell]]
) -> None:
    """Adding rows never removes or changes the series of the rows that were there."""
    both = {**more, **before}
    grids = [
        grid(["Skill", "Waiting", "Ready"], *([name, *cells] for name, cells in each.items()))
        for each in (before, both)
    ]
    few, many = (map_one(QUEUES, rows) for rows in grids)

    for family in (f.QUEUE_CONTACTS_WAITING, f.QUEUE_AGENTS):
        assert series(few, family).items() <= series(many, family).items()


@given(st.text())
def test_escaping_can_be_undone(value: str) -> None:
    """An escaped label value holds no bare quote or line break, and stands for its origin."""
    escaped = escape(value)

    assert "\n" not in escaped
    assert value == re.sub(
        r"\\(.)", lambda match: {"n": "\n"}.get(match[1], match[1]), escaped, flags=re.DOTALL
    )


def test_numbers_of_a_grid() -> None:
    """Cells that are numbers already are taken as they are."""
    rows = grid(["Skill", "Waiting", "Ready"], ["Sales", 3, 2.0])
    mapped = map_one(QUEUES, rows)

    assert {label(queue="Sales", media="voice"): 3} == series(mapped, f.QUEUE_CONTACTS_WAITING)
    assert number(2.0) == series(mapped, f.QUEUE_AGENTS)[label(queue="Sales", state="ready")]


def test_rows_of_mappings() -> None:
    """A grid made of mappings has every header once; what a row lacks is null."""
    rows = Rows.of([{"a": 1}, {"b": 2, "a": 3}])

    assert (rows.headers, rows.cells) == (["a", "b"], [[1, None], [3, 2]])


@pytest.mark.parametrize("row", [["a"], ["a", "1", "2", "3"]])
def test_ragged_rows(row: list[Cell]) -> None:
    """A row with a cell too many or too few makes the whole grid invalid."""
    table = Table("queues", (Key("queue", "Name"),), ())
    reading = Reading({"queues": Rows(["Name", "One", "Two"], [["b", "1", "2"], row])})

    with pytest.raises(InvalidAnswer, match="queues: not every row has 3 cells"):
        map_reading(
            reading,
            {"queues": table},
            AccountLabels({"provider": "five9", "account": "a"}),
            raw=False,
        )


def test_figures_of_all_rows_without_a_refused_one() -> None:
    """Where a row was refused, its objects are not counted: the others stand, alone."""
    cells = [["jd", "Ready"], ["as", "On Call"]]
    rows = Rows(["Username", "State"], cells, refused=(RefusedRow(3, 1, "1 cells, not 2"),))
    mapped = map_one(AGENTS, rows)

    assert not series(mapped, f.AGENTS)
    assert mapped.schemas["agents"].rejected_cells == 1
    empty = map_one(AGENTS, Rows(["Username"], [], refused=(RefusedRow(1, 0, "no id"),)))
    assert not series(empty, f.AGENTS)


def test_rows_that_came_twice_are_counted() -> None:
    """Rows that were left out before the mapping count as duplicates."""
    rows = Rows(["Skill", "Waiting"], [["Sales", "3"]], repeated=2)

    assert map_one(QUEUES, rows).duplicates == 2


def test_statistics_that_are_not_open_are_counted() -> None:
    """The statistics that are not open are counted instead of the columns that are missing."""
    rows = Rows(["Skill", "Waiting"], [["Sales", "3"]], unopened=5)

    assert map_one(QUEUES, rows).schemas["queues"].missing_columns == 5
    assert map_one(QUEUES, grid(["Skill", "Waiting"])).schemas["queues"].missing_columns == 1
