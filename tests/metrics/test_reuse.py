"""Mapping with an earlier result gives the same series as without, with less work."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from exporter.metrics import families as f
from exporter.metrics.labels import AccountLabels, AgentMode
from exporter.metrics.mapping import Mapped, Series, map_reading
from exporter.metrics.parsers import Cell, count, seconds
from exporter.metrics.period import Period
from exporter.metrics.reading import Reading, Rows
from exporter.metrics.tables import Column, Key, Spread, State, States, Sum, Table

HEADERS = ["Name", "Waiting", "Dials", "State", "Sale"]
CAMPAIGNS = Table(
    "campaigns",
    (Key("campaign", "Name"),),
    (
        State("State", f.CAMPAIGN_STATE, States(f.CAMPAIGN_STATES, {"Running": "running"}), "each"),
        Column("Dials", f.CAMPAIGN_DIALS, count),
        Spread("dispositions", f.CAMPAIGN_DISPOSITIONS, "disposition", count),
    ),
    subject="campaign",
    period=Period("day"),
)
AGENTS = Table(
    "agents",
    (Key("agent", "Name"),),
    (
        Sum("Dials", f.AGENTS_CONTACTS_HANDLED, count),
        Column("Dials", f.AGENT_CONTACTS_HANDLED, count, {"media": "voice"}),
    ),
    subject="agent",
)
cells = st.sampled_from(["7", "8", "1200", "", "bad", None, 3, 2.5, "Running", "-1", "7\x008"])
rows = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), cells, cells, cells, cells).map(list), max_size=12
)


def reading(*tables: tuple[str, Sequence[Sequence[Cell]]], spread: str = "Sale") -> Reading:
    names = {"dispositions": frozenset([spread])}
    return Reading({name: Rows(HEADERS, found, names) for name, found in tables})


def mapped(
    found: Reading, before: Mapped | None = None, agents: AgentMode = "id", *, raw: bool = False
) -> Mapped:
    account = AccountLabels({"provider": "five9", "account": "acme"}, agents=agents)
    tables = {table.name: table for table in (CAMPAIGNS, AGENTS)}
    return map_reading(found, tables, account, raw=raw, before=before)


def figures(found: Mapped) -> object:
    return found.series, found.schemas, found.duplicates, found.objects


def lines(found: Mapped) -> object:
    return {
        family.name: list(zip(series.labels, series.values, strict=True))
        for family, series in found.series.items()
    }


@given(st.lists(rows, min_size=2, max_size=4), st.sampled_from(["id", "aggregate"]))
def test_the_same_is_found(generations: list[list[list[Cell]]], agents: AgentMode) -> None:
    """A reading maps to the same series and schema, whatever the earlier result."""
    before = None
    for at, each in enumerate(generations):
        spread = "Waiting" if at % 3 == 1 else "Sale"  # now and then other columns are named
        found = reading(("campaigns", each), ("agents", each), spread=spread)
        before = mapped(found, before, agents)

        assert figures(before) == figures(mapped(found, agents=agents))


@given(rows, st.data())
def test_few_changes(found: list[list[Cell]], data: st.DataObject) -> None:
    """A reading maps to the same if few cells have changed."""
    before = mapped(reading(("campaigns", found), ("agents", found)))
    changed = [[*row] for row in found]
    for row in changed[:1]:
        row[data.draw(st.integers(0, 4))] = data.draw(st.sampled_from(["7", "bad", "x"]))
    then = reading(("campaigns", changed), ("agents", changed))

    assert figures(mapped(then, before)) == figures(mapped(then))


@given(rows, st.booleans())
def test_nothing_has_changed(found: list[list[Cell]], raw: bool) -> None:
    """An equal reading returns the earlier result; a different one neither does nor changes it."""
    before = mapped(reading(("campaigns", found), ("agents", found)), raw=raw)
    lines_before = lines(before)
    same = [[*row] for row in found]

    assert mapped(reading(("campaigns", same), ("agents", same)), before, raw=raw) is before

    more = [["new", "7", "8", "Running", "1"], *found]
    other = mapped(reading(("campaigns", more), ("agents", more)), before, raw=raw)
    assert other is not before
    assert lines(before) == lines_before


def test_other_columns_are_a_change() -> None:
    """Equal cells with other column names or other tables are mapped again."""
    campaign = [["a", "1", "1", "Running", "1"]]
    first = mapped(reading(("campaigns", campaign)))

    assert mapped(reading(("campaigns", campaign), spread="Waiting"), first) is not first
    assert mapped(reading(("campaigns", campaign), ("agents", [])), first) is not first


def test_cells_that_join_to_the_same_text() -> None:
    """Rows whose cells contain a separator are different readings."""
    one, other = ["a", "1", "2", "Running", "x\0y"], ["a", "1", "2\0Running", "x", "y"]
    first = mapped(reading(("campaigns", [one])))

    assert figures(mapped(reading(("campaigns", [other])), first)) == figures(
        mapped(reading(("campaigns", [other])))
    )


def test_two_figures_of_one_column() -> None:
    """A column read by two parsers shows its changes in both families."""
    table = Table(
        "agents",
        (Key("agent", "Name"),),
        (
            Sum("Dials", f.AGENTS_CONTACTS_HANDLED, count),
            Column("Dials", f.AGENT_CONTACTS_HANDLED, count, {"media": "voice"}),
            Column("Dials", f.AGENT_HANDLE_TIME, seconds, {"media": "voice"}),
        ),
        subject="agent",
    )
    account = AccountLabels({"provider": "five9", "account": "acme"}, agents="id")
    cells = [[f"a{at}", "", str(at), "", ""] for at in range(9)]
    first = map_reading(reading(("agents", cells)), {"agents": table}, account, raw=False)
    cells = [[*row] for row in cells]
    cells[3][2] = "30"
    second = map_reading(
        reading(("agents", cells)), {"agents": table}, account, raw=False, before=first
    )

    assert second.series[f.AGENTS_CONTACTS_HANDLED].values == [36 + 27]
    for family in (f.AGENT_CONTACTS_HANDLED, f.AGENT_HANDLE_TIME):
        assert second.series[family].values == [0, 1, 2, 30, 4, 5, 6, 7, 8]


def test_label_sets_are_shared() -> None:
    """Rows with the same names keep their label sets as the same objects."""
    first = mapped(reading(("campaigns", [["a", "", "1", "", ""]])))
    second = mapped(reading(("campaigns", [["a", "", "2", "", ""]])), first)
    one, two = (each.series[f.CAMPAIGN_DIALS].labels[0] for each in (first, second))

    assert one is two


def test_bad_cells_count_again() -> None:
    """A cell that cannot be parsed is counted in every reading, once per column."""
    rows = [["a", "", "bad", "", ""], *([f"b{n}", "", "1", "", ""] for n in range(8))]
    first = mapped(reading(("campaigns", rows), ("agents", rows)))
    rows = [*rows[:-1], ["b7", "", "1", "Running", ""]]
    second = mapped(reading(("campaigns", rows), ("agents", rows)), first)
    third = mapped(reading(("campaigns", rows), ("agents", rows)), second)

    for each in (first, second, third):
        assert each.schemas["campaigns"].rejected == {"Dials": 1}
        assert each.schemas["agents"].rejected == {"Dials": 1}


def test_a_flag_is_no_number() -> None:
    """``true`` after ``1`` is a change."""
    first = mapped(reading(("campaigns", [["a", "", 1, "", None]])))
    second = mapped(reading(("campaigns", [["a", "", True, "", None]])), first)

    assert f.CAMPAIGN_DIALS in first.series
    assert second.schemas["campaigns"].rejected == {"Dials": 1}
    assert not second.series.get(f.CAMPAIGN_DIALS, Series([], [], None)).labels


def test_what_is_gone_is_forgotten() -> None:
    """Label sets of columns that are gone are not kept."""
    campaign = [["a", "1", "1", "Running", "1"]]
    first = mapped(reading(("campaigns", campaign)))
    second = mapped(reading(("campaigns", campaign), spread="Waiting"), first)
    third = mapped(reading(("campaigns", campaign), spread="Waiting"), second)

    assert len(third.tables["campaigns"].label_sets) == len(first.tables["campaigns"].label_sets)


def with_origins(found: Reading, **origins: str) -> Reading:
    """Return the reading with origins of its totals, by table."""
    tables = {name: replace(rows, origin=origins.get(name)) for name, rows in found.tables.items()}
    return replace(found, tables=tables)


def test_an_origin_is_not_lost() -> None:
    """Equal rows that count from elsewhere are mapped again, and their series say so."""
    found = reading(("campaigns", [["a", "1", "5", "Running", "2"]]))
    first = mapped(with_origins(found, campaigns="first"))
    again = mapped(with_origins(found, campaigns="first"), first)
    second = mapped(with_origins(found, campaigns="second"), first)

    assert again is first
    assert first.series[f.CAMPAIGN_DIALS].origin == "first"
    assert second.series[f.CAMPAIGN_DIALS].origin == "second"
    assert second.series[f.CAMPAIGN_DISPOSITIONS].origin == "second"


def test_a_family_of_two_origins_has_none() -> None:
    """The origin of a family is known only if all tables of its series agree on it."""
    rows = [["a", "1", "5", "Running", "2"]]
    two = {
        name: replace(CAMPAIGNS, name=name, figures=(Column("Dials", f.CAMPAIGN_DIALS, count),))
        for name in ("first", "second")
    }
    account = AccountLabels({"provider": "five9", "account": "acme"})

    def origin(**origins: str) -> object:
        found = with_origins(reading(("first", rows), ("second", [["b", *rows[0][1:]]])), **origins)
        series = map_reading(found, two, account, raw=False).series[f.CAMPAIGN_DIALS]
        assert len(series.labels) == 2
        return series.origin

    assert origin(first="x", second="x") == "x"
    assert origin(first="x", second="y") is None
    assert origin(first="x") is None
