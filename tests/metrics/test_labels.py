"""Label values that are longer than a page takes: cut, distinct, stable, counted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config.objectives import QueueObjectives, objectives_of
from exporter.metrics import families as f
from exporter.metrics.counters import Counters
from exporter.metrics.labels import (
    LONGEST_VALUE,
    AccountLabels,
    AgentMode,
    Filter,
    bounded,
    render_labels,
)
from exporter.metrics.mapping import Mapped, map_reading
from exporter.metrics.parsers import Cell, count
from exporter.metrics.reading import REPLACEMENT, Reading, Rows
from exporter.metrics.snapshot import Snapshot, make_snapshot
from exporter.metrics.tables import Column, Key, Reasons, Spread, State, States, Table
from exporter.objectives.model import Objectives
from exporter.objectives.series import apply_objectives

BASE = {"provider": "five9", "account": "acme"}
MOST_BYTES = 4 * LONGEST_VALUE + 100  # of a value in UTF-8, with its digest
LONG = "Support EN " * 6_000  # 66 kB
QUEUES = Table(
    "queues",
    (Key("queue", "Skill"),),
    (Column("Waiting", f.QUEUE_CONTACTS_WAITING, count, {"media": "voice"}),),
    subject="queue",
)
STATES = States(f.AGENT_STATES, {"Not Ready": "not_ready"})
AGENTS = Table(
    "agents",
    (Key("agent", "Username"),),
    (
        State("State", f.AGENT_STATE, STATES),
        Reasons("Reason", f.AGENTS_NOT_READY, "State", STATES, "not_ready", cap=100),
        Spread("dispositions", f.AGENT_DISPOSITIONS, "disposition", count, cap=100),
    ),
    subject="agent",
    display="Full Name",
)
TABLES = {table.name: table for table in (QUEUES, AGENTS)}


def mapped(
    rows: dict[str, Rows], *, raw: bool = False, before: Mapped | None = None, **labels: object
) -> Mapped:
    account = AccountLabels(BASE, **labels)  # type: ignore[arg-type]
    return map_reading(Reading(rows), TABLES, account, raw=raw, before=before)


def queues(*names: str, **options: object) -> Mapped:
    cells = [[name, number] for number, name in enumerate(names)]
    return mapped({"queues": Rows(["Skill", "Waiting"], cells)}, **options)  # type: ignore[arg-type]


def shown(result: Mapped) -> list[bytes]:
    return [label for series in result.series.values() for label in series.labels]


@given(st.text(max_size=2 * LONGEST_VALUE))
def test_only_long_values_are_cut(value: str) -> None:
    """A value within the limit stays as it is; no cut one is equal to one that is not."""
    cut = bounded(value)

    assert (cut == value) == (len(value) <= LONGEST_VALUE)
    if cut != value:
        assert value.startswith(cut[:200])
        assert len(cut) == LONGEST_VALUE + 1 + (REPLACEMENT in value)
    assert len(render_labels({"a": value})) < 2 * MOST_BYTES  # each quote is escaped


def test_long_names_stay_distinct_and_stable() -> None:
    """Names that differ in their last character have different labels, and the same each time."""
    names = [f"{LONG}{number}" for number in range(50)]
    first, second = queues(*names), queues(*reversed(names))

    assert len({*shown(first)}) == 50
    assert {*shown(first)} == {*shown(second)}
    assert max(map(len, shown(first))) < MOST_BYTES
    assert first.cut == 50
    assert bounded(LONG) == bounded(LONG)


def test_values_that_are_cut_are_counted() -> None:
    """The count is that of the last reading, also where its rows were known before."""
    first = queues("short", LONG)
    second = queues("short", LONG, before=first)
    third = queues("short", before=second)

    assert [result.cut for result in (first, second, third)] == [1, 1, 0]


@pytest.mark.parametrize(
    "damaged", [f"{LONG}{REPLACEMENT}", f"{REPLACEMENT}{LONG}", f"{LONG}{REPLACEMENT}{LONG}"]
)
def test_a_damaged_long_name_may_be_that_of_several(damaged: str) -> None:
    """Where a character was replaced, two equal names are not known to be one queue's."""
    labels = shown(queues(damaged, damaged, "other"))
    assert len(labels) == 1
    assert b'queue="other"' in labels[0]


@pytest.mark.parametrize("pattern", ["Support*", f"{LONG}!", "*!", "S*EN !"])
def test_filters_compare_whole_names(pattern: str) -> None:
    """``exclude`` and ``include`` are matched with the whole name, not with what is shown of it."""
    excluded = queues(f"{LONG}!", "Sales", filter=Filter(exclude={"queue": [pattern]}))
    included = queues(f"{LONG}!", "Sales", filter=Filter(include={"queue": [pattern]}))

    assert len(shown(excluded)) == len(shown(included)) == 1
    assert b'queue="Sales"' in shown(excluded)[0]
    assert b'queue="Support EN ' in shown(included)[0]


def test_objectives_compare_whole_names_and_have_the_label_that_is_shown() -> None:
    """An objective of a long name joins with the figures of its queue."""
    result = queues(f"{LONG}!", f"{LONG}?")
    items = [{"match": {"queue": "*!"}, "waiting_limit": {"warning": 3}}]
    objectives: Objectives = objectives_of([QueueObjectives.model_validate(items[0])], [])
    snapshot: Snapshot = make_snapshot(
        "acme", "queues", result, Counters(), taken_at=0, source_at=None, expires_at=60
    )
    applied = apply_objectives(objectives, BASE, [snapshot], 0.0)

    limits = [label for block in applied.snapshot.blocks.values() for label in block.labels]
    waiting = snapshot.blocks[f.QUEUE_CONTACTS_WAITING].labels
    assert len(limits) == 1
    assert [_queue(label) for label in limits] == [_queue(waiting[0])]
    assert applied.matched == {*objectives.items}


def _queue(label: bytes) -> bytes:
    return label.partition(b'queue="')[2].partition(b'"')[0]


@pytest.mark.parametrize("mode", ["aggregate", "hashed", "id", "name"])
def test_what_agents_name(mode: AgentMode) -> None:
    """Users, full names, reasons and dispositions are cut, and counted where they are shown."""
    cells: list[list[Cell]] = [
        [f"{LONG}1", f"{LONG} Jane", "Not Ready", f"{LONG}a", 3],
        [f"{LONG}2", f"{LONG} Jane", "Not Ready", f"{LONG}b", 4],
        ["joe", "Joe", "Not Ready", "Lunch", 5],
    ]
    disposition = f"Sale {LONG}"
    headers = ["Username", "Full Name", "State", "Reason", disposition]
    rows = Rows(headers, cells, {"dispositions": frozenset({disposition})})
    result = mapped({"agents": rows}, agents=mode, agents_key=b"k")
    again = mapped({"agents": rows}, agents=mode, agents_key=b"k", before=result)

    assert max(map(len, shown(result))) < 2 * MOST_BYTES
    assert len({*shown(result)}) == len(shown(result))
    reasons, spread, agents = 2, 1, 2
    expected = {"aggregate": reasons, "hashed": reasons + spread}
    assert result.cut == again.cut == expected.get(mode, reasons + spread + agents)


def test_raw_columns() -> None:
    """The name of an unmapped column and the object are cut in the raw series."""
    rows = Rows(["Skill", "Waiting", f"Extra {LONG}"], [[LONG, 1, 2], ["Sales", 3, 4]])
    result = mapped({"queues": rows}, raw=True)

    assert len(result.series[f.RAW_VALUE].labels) == 2
    assert max(map(len, shown(result))) < 3 * MOST_BYTES
    assert result.cut == 2


def test_labels_of_the_account() -> None:
    """A long constant label is cut too."""
    account = AccountLabels({**BASE, "site": LONG})
    rows = Rows(["Skill", "Waiting"], [["Sales", 3]])
    result = map_reading(Reading({"queues": rows}), TABLES, account, raw=False)

    assert len(shown(result)[0]) < MOST_BYTES
