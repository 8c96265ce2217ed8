import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import InvalidAnswer
from exporter.metrics.reading import MOST_COLUMNS, RefusedRow, Rows
from exporter.providers.five9 import rows
from exporter.providers.five9.answers import Statistics, StatisticsUpdate
from exporter.providers.five9.rows import Replica
from exporter.providers.five9.tables import (
    ACD_STATUS,
    AGENT_STATE,
    RUNNING,
    STATE_START,
)

SERVER = 1_760_000_000_000  # their clock, in milliseconds
QUEUES = ["Skill Name", "Calls In Queue", "Current Longest Queue Time"]
AGENTS = ["Username", "State", "State Duration", "On Hold Duration"]

Row = list[str | None]


def queues(*rows: Row, timestamp: int = SERVER, headers: list[str] | None = None) -> Replica:
    statistics = Statistics(QUEUES if headers is None else headers, list(rows), timestamp)
    return Replica(ACD_STATUS, statistics, RUNNING["ACDStatus"], 100.0)


def agents(*rows: Row) -> Replica:
    return Replica(
        AGENT_STATE, Statistics(AGENTS, list(rows), SERVER), RUNNING["AgentState"], 100.0
    )


def change(*changes: tuple[str, str, str | None], seconds: float = 0) -> StatisticsUpdate:
    return StatisticsUpdate(changes=list(changes), timestamp=SERVER + int(seconds * 1000))


def shown(replica: Replica, now: float = 100.0) -> list[list[object]]:
    return [list(row) for row in replica.rows(now, {}).cells]


@pytest.mark.parametrize(
    ("name", "changed"),
    [("Sales", "S\ufffdales"), ("S\ufffdales", "Sales"), ("S\ufffdales", "\ufffdSales")],
)
def test_a_name_with_replaced_characters(name: str, changed: str) -> None:
    """A change is about the row of its object, whichever of the two names was repaired."""
    repaired = Statistics(QUEUES, [[name, "3", "0"], ["Chat", "1", "0"]], SERVER, replaced=1)
    replica = Replica(ACD_STATUS, repaired, RUNNING["ACDStatus"], 100.0)
    replica.apply(change((changed, "Calls In Queue", "7")), 100.0)
    assert [row[1] for row in shown(replica)] == ["7", "1"]
    replica.apply(StatisticsUpdate(deleted=[changed], timestamp=SERVER, replaced=1), 100.0)
    assert [row[0] for row in shown(replica)] == ["Chat"]


def test_a_full_table() -> None:
    """A table's rows are shown as they came, under the headers as they came."""
    replica = queues(["Billing", "3", "0"], ["Sales", None, None])

    assert replica.rows(100.0, {"dispositions": frozenset({"x"})}) == Rows(
        QUEUES,
        [["Billing", "3", "0"], ["Sales", None, None]],
        {"dispositions": frozenset({"x"})},
    )
    assert replica.size == 2


@pytest.mark.parametrize("row", [[], ["a"], ["a", "41000"], ["a", "2", "41000", "0"]])
def test_ragged_rows(row: Row) -> None:
    """A row with too few or too many cells is refused; the others stand."""
    replica = queues(["b", "1", "0"], row)

    assert shown(replica) == [["b", "1", "0"]]
    assert replica.rows(100.0, {}).refused == (RefusedRow(2, len(row), f"{len(row)} cells, not 3"),)


@pytest.mark.parametrize("row", [["a"], ["a", "2", "41000", "0"]])
def test_most_rows_ragged(row: Row) -> None:
    """Where more than half of the rows do not fit, the answer is invalid."""
    with pytest.raises(InvalidAnswer, match="2 of 3 rows were refused"):
        queues(["b", "1", "0"], row, row)


def test_a_change_of_a_refused_row() -> None:
    """A refused row's object is shown with the cells that changes name, and with no others."""
    replica = queues(["a", "1", "0"], ["b", "41000"])
    replica.apply(change(("b", "Calls In Queue", "7")), 101.0)

    assert shown(replica) == [["a", "1", "0"], ["b", "7", None]]
    replica.apply(StatisticsUpdate(deleted=["b"], timestamp=SERVER), 102.0)
    assert shown(replica) == [["a", "1", "0"]]


@pytest.mark.parametrize(
    ("name", "column", "expected"),
    [
        ("a", None, [["a", None, None], ["b", "3", "0"]]),
        (None, "Calls In Queue", [["a", None, "0"], ["b", "3", "0"]]),
        (None, "Moons", [["a", "1", "0"], ["b", "3", "0"]]),
        (None, None, [["a", None, None], ["b", "3", None]]),
        ("x", None, [["a", "1", "0"], ["b", "3", "0"]]),
    ],
)
def test_a_change_that_lacks_its_object_or_column(
    name: str | None, column: str | None, expected: list[Row]
) -> None:
    """Every cell that such a change may be about is emptied until it is known again."""
    replica = queues(["a", "1", "0"], ["b", "2", "0"])
    known = ("b", "Calls In Queue", "3")
    update = StatisticsUpdate(changes=[known], incomplete=[(name, column)], timestamp=SERVER)
    replica.apply(update, 101.0)

    assert shown(replica) == expected
    assert replica.inconsistent
    assert len(replica.rows(101.0, {}).refused) == 1
    replica.apply(update, 102.0)
    assert len(replica.rows(101.0, {}).refused) == 1


def test_most_changes_lack_their_object() -> None:
    """An update most of whose changes are incomplete is invalid and changes nothing."""
    replica = queues(["a", "1", "0"])
    update = StatisticsUpdate(
        changes=[("a", "Calls In Queue", "9")], incomplete=[("a", None)] * 2, timestamp=SERVER + 5
    )
    with pytest.raises(InvalidAnswer, match="2 changes lack"):
        replica.apply(update, 101.0)

    assert shown(replica) == [["a", "1", "0"]]
    assert replica.timestamp == SERVER
    assert replica.inconsistent


@pytest.mark.parametrize("name", [None, "", " "])
def test_rows_without_a_name(name: str | None) -> None:
    """A row that does not name its object is refused; where most do not, the answer is invalid."""
    replica = queues([name, "1", "0"], ["b", "2", "0"])

    assert shown(replica) == [["b", "2", "0"]]
    assert replica.rows(100.0, {}).refused == (RefusedRow(1, 3, "no Skill Name"),)
    with pytest.raises(InvalidAnswer, match="1 of 1 rows were refused"):
        queues([name, "1", "0"])


def test_namesakes() -> None:
    """Of two rows with one name the first stays; the other is counted until the object goes."""
    replica = queues(["a", "1", None], ["a", "2", None], ["b", "1", None], ["a", "2", None])

    assert shown(replica) == [["a", "1", None], ["b", "1", None]]
    assert replica.rows(100.0, {}).repeated == 2
    replica.apply(StatisticsUpdate(deleted=["a"]), 101.0)
    assert replica.rows(100.0, {}).repeated == 0


@pytest.mark.parametrize("headers", [[], ["Calls In Queue"]])
def test_no_key(headers: list[str]) -> None:
    """Rows without headers, or without the one that names them, are an invalid answer."""
    with pytest.raises(InvalidAnswer):
        queues(["a"], headers=headers)
    assert queues(headers=headers).size == 0


def test_no_headers_at_all() -> None:
    """Rows whose headers are unknown are an invalid answer."""
    with pytest.raises(InvalidAnswer):
        Replica(ACD_STATUS, Statistics(None, [["a"]], SERVER), (), 0.0)

    assert Replica(ACD_STATUS, Statistics(None, [], SERVER), (), 0.0).headers == []


# Changes --------------------------------------------------------------------------------------


def test_a_change() -> None:
    """A changed cell is replaced, and null is a value too."""
    replica = queues(["a", "1", None], ["b", "2", None])
    replica.apply(change(("a", "Calls In Queue", "5"), ("b", "Calls In Queue", None)), 101.0)

    assert shown(replica) == [["a", "5", None], ["b", None, None]]
    assert not replica.inconsistent


@pytest.mark.parametrize("column", ["calls in queue", "CALLS_IN_QUEUE", "callsInQueue"])
def test_a_change_by_another_name(column: str) -> None:
    """Changes may name a column in another spelling or by its internal name."""
    replica = queues(["a", "1", None])
    replica.apply(change(("a", column, "5")), 101.0)

    assert shown(replica) == [["a", "5", None]]
    assert not replica.inconsistent


def test_a_change_of_an_unknown_column() -> None:
    """A change that belongs to no known column makes the table to be read anew."""
    replica = queues(["a", "1", None])
    replica.apply(change(("a", "News", "5")), 101.0)

    assert shown(replica) == [["a", "1", None]]
    assert replica.inconsistent


@pytest.mark.parametrize("value", ["c", "b", None])
def test_a_change_of_the_name(value: str | None) -> None:
    """Who a row is about then is not known: it leaves, and the table is read anew."""
    replica = queues(["a", "1", None], ["b", "2", None])
    replica.apply(change(("a", "Skill Name", value), ("a", "Calls In Queue", "7")), 101.0)

    assert shown(replica) == [["b", "2", None]]
    assert replica.inconsistent


def test_two_names_that_are_exchanged() -> None:
    """Neither row is known any more."""
    replica = queues(["a", "1", None], ["b", "2", None], ["c", "3", None])
    replica.apply(change(("a", "Skill Name", "b"), ("b", "Skill Name", "a")), 101.0)

    assert shown(replica) == [["c", "3", None]]
    assert replica.inconsistent


def test_a_name_that_comes_again() -> None:
    """A change that repeats the name changes nothing."""
    replica = queues(["a", "1", None])
    replica.apply(change(("a", "Skill Name", "a"), ("a", "Calls In Queue", "7")), 101.0)

    assert shown(replica) == [["a", "7", None]]
    assert not replica.inconsistent


@pytest.mark.parametrize("damaged", ["Calls In Queue\ufffd", "\ufffdCalls In Queue"])
def test_a_header_with_a_replaced_character_gives_way(damaged: str) -> None:
    """A change by another spelling is about the column whose header is intact."""
    replica = queues(["a", "7", "9"], headers=["Skill Name", damaged, "Calls In Queue"])
    replica.apply(change(("a", "calls_in_queue", "8")), 101.0)

    assert shown(replica) == [["a", "7", "8"]]


def test_added() -> None:
    """An added object has a row of nulls until its cells come."""
    replica = queues(["a", "1", None])
    replica.apply(StatisticsUpdate(added=["b"], changes=[("b", "Calls In Queue", "2")]), 101.0)
    replica.apply(StatisticsUpdate(added=["c"]), 102.0)

    assert shown(replica) == [["a", "1", None], ["b", "2", None], ["c", None, None]]


def test_added_again() -> None:
    """An object that is added though it is there keeps its cells."""
    replica = queues(["a", "1", None])
    replica.apply(StatisticsUpdate(added=["a"]), 101.0)

    assert shown(replica) == [["a", "1", None]]


def test_not_announced() -> None:
    """A change of an object that was not announced makes its row: older versions do that."""
    replica = queues()
    replica.apply(change(("a", "Calls In Queue", "2")), 101.0)

    assert shown(replica) == [["a", "2", None]]


def test_deleted() -> None:
    """A deleted object is gone, and one that was not there is no trouble."""
    replica = queues(["a", "1", None], ["b", "1", None])
    replica.apply(StatisticsUpdate(deleted=["a", "z"]), 101.0)

    assert shown(replica) == [["b", "1", None]]
    assert not replica.inconsistent


def test_deleted_after_its_changes() -> None:
    """An object that is changed and deleted in one answer is gone."""
    replica = queues(["a", "1", None])
    replica.apply(StatisticsUpdate(deleted=["a"], changes=[("a", "Calls In Queue", "2")]), 101.0)

    assert replica.size == 0


@pytest.mark.parametrize("deleted", [["a"], ["a", "b"], ["b", "a"]])
@pytest.mark.parametrize("added", [["a"], ["c", "a"], ["a", "c"]])
def test_deleted_and_created_again(added: list[str], deleted: list[str]) -> None:
    """An object that was deleted and created between two readings stays, with its new cells."""
    replica = queues(["a", "1", "9"], ["b", "1", None])
    cells = [("a", "Calls In Queue", "2")]
    replica.apply(StatisticsUpdate(added=added, deleted=deleted, changes=cells), 101.0)

    assert ["a", "2", None] in shown(replica)
    assert {str(row[0]) for row in shown(replica)} == {"a", "b", *added} - {*deleted} | {"a"}
    assert replica.inconsistent  # the order is not documented, so the table is read whole


def test_created_again_without_cells() -> None:
    """The cells of an object's predecessor, which are not its own, are not shown."""
    replica = queues(["a", "1", "9"])
    replica.apply(StatisticsUpdate(added=["a"], deleted=["a"]), 101.0)

    assert shown(replica) == [["a", None, None]]
    assert replica.inconsistent


def test_agent_created_again() -> None:
    """The duration of a state begins anew with the agent."""
    replica = agents(["ada", "Ready", "600000", None])
    cells: list[tuple[str, str, str | None]] = [
        ("ada", "State", "On Call"),
        ("ada", "State Duration", "1000"),
    ]
    update = StatisticsUpdate(
        added=["ada"], deleted=["ada"], changes=cells, timestamp=SERVER + 1000
    )
    replica.apply(update, 101.0)

    assert shown(replica, 101.0) == [["ada", "On Call", 1000.0, None, SERVER]]


def test_created_and_deleted() -> None:
    """An object that came and went between two readings does not exist."""
    replica = queues(["a", "1", None])
    replica.apply(StatisticsUpdate(added=["b"], deleted=["b"]), 101.0)

    assert shown(replica) == [["a", "1", None]]
    assert replica.inconsistent


@pytest.mark.parametrize("name", ["a ", "\ta", "a\u00a0", "A"])
def test_similar_names(name: str) -> None:
    """Names that differ in white space or letter case only are different objects."""
    replica = queues(["a", "1", None], [name, "2", None])
    replica.apply(change((name, "Calls In Queue", "5")), 101.0)
    replica.apply(StatisticsUpdate(added=[name], deleted=["a"]), 102.0)

    assert shown(replica) == [[name, "5", None]]
    assert not replica.inconsistent


# Time -----------------------------------------------------------------------------------------


def test_the_server_s_time() -> None:
    """Their time goes on from their last answer with our clock."""
    replica = queues()
    times = [replica.server_time(100.0), replica.server_time(102.5)]
    replica.apply(change(seconds=4), 104.0)
    times += [replica.server_time(104.0), replica.server_time(103.0)]

    assert times == [SERVER, SERVER + 2500, SERVER + 4000, SERVER + 4000]


@pytest.mark.parametrize("seconds", [-5, -300, 86_400])
def test_the_timestamp_is_that_of_the_last_answer(seconds: int) -> None:
    """The next request carries ``lastTimestamp``, also after Five9's clock has stepped."""
    replica = queues(["a", "1", "1500"])
    replica.apply(change(seconds=seconds), 101.0)

    assert replica.timestamp == SERVER + 1000 * seconds
    assert replica.server_time(102.0) == replica.timestamp + 1000


@pytest.mark.parametrize("seconds", [-300, 86_400])
def test_a_running_duration_survives_a_clock_that_steps(seconds: int) -> None:
    """A duration goes on where the clock by which it is extrapolated has stepped."""
    replica = queues(["a", "1", "1500"])
    replica.apply(change(seconds=seconds), 101.0)

    assert shown(replica, 103.0)[0][2] == 4500


def test_a_running_duration_grows() -> None:
    """A duration that runs is aged by the time since it was told."""
    replica = queues(["a", "1", "1500"])

    assert shown(replica, 100.0) == [["a", "1", 1500]]
    assert shown(replica, 102.0) == [["a", "1", 3500]]


def test_a_running_duration_is_told_anew() -> None:
    """A duration that comes with an answer counts from that answer's time."""
    replica = queues(["a", "1", "1500"])
    replica.apply(change(("a", "Current Longest Queue Time", "200"), seconds=5), 105.0)

    assert shown(replica, 106.0) == [["a", "1", 1200]]


@pytest.mark.parametrize("value", ["0", "", None, "x"])
def test_a_duration_that_does_not_run(value: str | None) -> None:
    """A duration of zero, of nothing or of no number stays as it is."""
    replica = queues(["a", "1", "1500"])
    replica.apply(change(("a", "Current Longest Queue Time", value)), 100.0)

    assert shown(replica, 109.0) == [["a", "1", value]]


def test_a_state_runs_from_zero() -> None:
    """A state's own duration runs from zero on, and its start is a column of its own."""
    replica = agents(["jo", "Ready", "0", "0"])
    rows = replica.rows(107.0, {})

    assert [*AGENTS, STATE_START] == rows.headers
    assert rows.cells == [["jo", "Ready", 7000, "0", SERVER]]


def test_a_state_s_start_stays() -> None:
    """While a state lasts its start does not move."""
    replica = agents(["jo", "Ready", "2000", None])
    starts = [replica.rows(now, {}).cells[0][-1] for now in (100.0, 107.3, 150.0)]

    assert starts == [SERVER - 2000] * 3


def test_a_state_without_a_duration() -> None:
    """An agent whose duration was not told has no start of the state."""
    assert shown(agents(["jo", "Ready", None, None])) == [["jo", "Ready", None, None, None]]


def test_a_new_object_of_an_old_name() -> None:
    """An object that was deleted and comes again does not take over the old duration."""
    replica = queues(["a", "1", "1500"])
    replica.apply(StatisticsUpdate(deleted=["a"]), 101.0)
    replica.apply(StatisticsUpdate(added=["a"]), 102.0)

    assert shown(replica, 110.0) == [["a", None, None]]


# Properties -----------------------------------------------------------------------------------

names = st.sampled_from("abc")
values = st.none() | st.integers(0, 99).map(str)
tables = st.dictionaries(names, st.tuples(values, values))


@given(st.lists(tables, min_size=2, max_size=5))
def test_changes_lead_to_the_full_table(states: list[dict[str, tuple[str | None, ...]]]) -> None:
    """A table that follows the changes shows what a full reading of the last state would."""
    headers = ["Skill Name", "Calls In Queue", "Queue Callbacks"]
    replica = queues(*([name, *cells] for name, cells in states[0].items()), headers=headers)
    for before, after in pairwise(states):
        replica.apply(
            StatisticsUpdate(
                added=[name for name in after if name not in before],
                deleted=[name for name in before if name not in after],
                changes=[
                    (name, header, cell)
                    for name, cells in after.items()
                    for at, (header, cell) in enumerate(zip(headers[1:], cells, strict=True))
                    if cell != before.get(name, (None, None))[at]
                ],
            ),
            101.0,
        )

    assert sorted([name, *cells] for name, cells in states[-1].items()) == sorted(shown(replica))
    assert not replica.inconsistent


NAMES = st.text(min_size=1, max_size=5).filter(str.strip)
CELLS = st.none() | st.text(max_size=5)


@pytest.mark.fuzz
@given(
    st.lists(st.tuples(NAMES, CELLS, CELLS).map(list), max_size=5),
    st.lists(st.tuples(st.text(max_size=3), st.sampled_from(QUEUES), st.none() | st.text())),
    st.lists(st.text(max_size=3)),
    st.floats(0, 1e9),
)
def test_odd_cells(
    rows: list[Row],
    changes: list[tuple[str, str, str | None]],
    deleted: list[str],
    now: float,
) -> None:
    """Whatever the cells, nothing breaks and every row is as wide as the headers."""
    replica = queues(*rows)
    replica.apply(StatisticsUpdate(changes=changes, deleted=deleted), 101.0)
    found = replica.rows(now, {})

    assert {len(found.headers)} >= {len(row) for row in found.cells}


def test_objects_that_updates_add_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that updates make too large is left as it is, and read again."""
    monkeypatch.setattr(rows, "MOST_CELLS", 300)
    replica = queues(["a", "1", "0"])
    update = StatisticsUpdate(added=[str(number) for number in range(100)], timestamp=SERVER + 5)

    with pytest.raises(InvalidAnswer, match="adds 100 objects to 1"):
        replica.apply(update, 101.0)

    assert shown(replica) == [["a", "1", "0"]]
    assert replica.inconsistent
    replica.apply(StatisticsUpdate(added=["b"], timestamp=SERVER + 5), 102.0)
    assert [row[0] for row in shown(replica)] == ["a", "b"]


def test_columns_without_end() -> None:
    """A table with more columns than any that is known is invalid."""
    headers = ["Skill Name", *map(str, range(MOST_COLUMNS))]
    with pytest.raises(InvalidAnswer, match="1001 columns"):
        queues(headers=headers)


def test_many_odd_changes_take_no_time_of_their_square() -> None:
    """Ten thousand incomplete changes, or of damaged names, are applied within a second."""
    names = [f"queue {number}" for number in range(10_000)]
    table = [[name, "1", "0"] for name in names]
    known = [(name, "Calls In Queue", "3") for name in names]
    started = time.process_time()

    replica = queues(*table)
    incomplete = [(None, None)] * 5_000 + [(name, None) for name in names[:5_000]]
    replica.apply(StatisticsUpdate(changes=known, incomplete=incomplete, timestamp=SERVER), 101.0)
    assert len(replica.rows(101.0, {}).refused) == 10_000
    replica = Replica(ACD_STATUS, Statistics(QUEUES, [*table], SERVER, replaced=1), (), 100.0)
    damaged = [(f"\ufffd{name}", column, cell) for name, column, cell in known]
    replica.apply(StatisticsUpdate(changes=damaged, timestamp=SERVER, replaced=1), 101.0)
    assert [row[1] for row in shown(replica)] == ["3"] * 10_000

    assert time.process_time() - started < 2.0
