import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.metrics import families as f
from exporter.metrics.counters import Counters
from exporter.metrics.families import Family
from exporter.metrics.mapping import Mapped, Series
from exporter.metrics.period import Period
from exporter.metrics.snapshot import Block, Snapshot, make_snapshot

DAY = Period("day")
A = b'{queue="a"} '
B = b'{queue="b"} '
NOON = 1_772_452_800.0


def mapped(family: Family, **values: float) -> Mapped:
    labels = [f'{{queue="{name}"}} '.encode() for name in values]
    return Mapped({family: Series(labels, list(values.values()), DAY)})


def snap(
    found: Mapped,
    counters: Counters | None = None,
    at: float = NOON,
    source_at: float | None = None,
    before: Snapshot | None = None,
) -> Snapshot:
    return make_snapshot(
        "acme",
        "ACDStatus",
        found,
        counters or Counters(),
        taken_at=at,
        source_at=source_at,
        expires_at=at + 30,
        before=before,
    )


def test_lines() -> None:
    """A block has one line per series, with the shortest form of the number."""
    block = Block.render(f.QUEUE_AGENTS, [A, B], [3, 0.25])

    assert block.text == (
        b'contactcenter_queue_agents{queue="a"} 3\ncontactcenter_queue_agents{queue="b"} 0.25\n'
    )


def test_no_lines() -> None:
    """A block without series has no bytes."""
    assert Block.render(f.QUEUE_AGENTS, [], []).text == b""


@given(st.lists(st.one_of(st.integers(-(2**53), 2**53), st.floats(allow_nan=False, width=64))))
def test_numbers_survive(values: list[float]) -> None:
    """Every finite number on a line reads back as the same number."""
    values = [value for value in values if abs(value) != float("inf")]
    labels = [b'{queue="%d"} ' % at for at in range(len(values))]
    lines = Block.render(f.QUEUE_AGENTS, labels, values).text.decode().splitlines()

    assert values == [float(line.rpartition(" ")[2]) for line in lines]


def test_without() -> None:
    """A block without some series keeps the order of the others."""
    block = Block.render(f.QUEUE_AGENTS, [A, B], [3, 4]).without({A})

    assert (block.labels, block.values) == ([B], [4])
    assert block.text == b'contactcenter_queue_agents{queue="b"} 4\n'


@given(st.permutations([(A, 1), (B, 2), (b'{queue="c"} ', 3)]), st.integers(0, 4))
def test_head_is_deterministic(series: list[tuple[bytes, int]], size: int) -> None:
    """The first series of a block do not depend on their order."""
    block = Block.render(f.QUEUE_AGENTS, [x for x, _ in series], [y for _, y in series])

    assert sorted(series)[:size] == list(
        zip(block.first(size, 10_000).labels, block.first(size, 10_000).values, strict=True)
    )


def test_take() -> None:
    """A snapshot holds a block for each family that has series, and its times."""
    found = mapped(f.QUEUE_AGENTS, a=1, b=2)
    found.series[f.AGENTS] = Series([], [], None)
    found.duplicates = 4
    snapshot = snap(found, source_at=NOON - 3)

    assert list(snapshot.blocks) == [f.QUEUE_AGENTS]
    assert snapshot.size == 2
    assert snapshot.duplicates == 4
    assert (
        snapshot.taken_at,
        snapshot.source_at,
        snapshot.expires_at,
    ) == (NOON, NOON - 3, NOON + 30)


def test_an_unchanged_block_is_the_same_object() -> None:
    """A block equal to the one before is the same object."""
    before = snap(mapped(f.QUEUE_AGENTS, a=1))
    after = snap(mapped(f.QUEUE_AGENTS, a=1), before=before)

    assert before.blocks[f.QUEUE_AGENTS] is after.blocks[f.QUEUE_AGENTS]


@pytest.mark.parametrize("values", [{"a": 2}, {"b": 1}, {"a": 1, "b": 1}])
def test_a_changed_block_is_another_object(values: dict[str, float]) -> None:
    """A block with another value or label, or one series more, is rendered again."""
    before = snap(mapped(f.QUEUE_AGENTS, a=1))
    after = snap(mapped(f.QUEUE_AGENTS, **values), before=before)

    assert before.blocks[f.QUEUE_AGENTS].text == b'contactcenter_queue_agents{queue="a"} 1\n'
    assert list(values.values()) == after.blocks[f.QUEUE_AGENTS].values


def test_unchanged_objects_are_the_same_object() -> None:
    """The names of queues are taken over from the snapshot before while they are the same."""
    first, same, other = (
        Mapped(objects={"queue": frozenset(names)}) for names in ("ab", "ba", "abc")
    )
    before = snap(first)
    after = snap(same, before=before)

    assert after.objects is before.objects
    assert snap(other, before=after).objects == {"queue": {"a", "b", "c"}}


def test_what_vanished_is_gone() -> None:
    """A family without series in this reading is not taken over from the one before."""
    before = snap(mapped(f.QUEUE_AGENTS, a=1))

    assert snap(Mapped(), before=before).blocks == {}


def test_counters_are_settled() -> None:
    """A counter's fall is held and counted; a gauge's is not."""
    counters = Counters()
    for found in (mapped(f.CAMPAIGN_DIALS, a=5), mapped(f.QUEUE_AGENTS, a=5)):
        snap(found, counters)
    held = snap(mapped(f.CAMPAIGN_DIALS, a=4), counters, NOON + 60)
    free = snap(mapped(f.QUEUE_AGENTS, a=4), counters, NOON + 60)

    assert (held.blocks[f.CAMPAIGN_DIALS].values, held.falls.held) == ([5], 1)
    assert (free.blocks[f.QUEUE_AGENTS].values, free.falls.held) == ([4], 0)


def test_the_platform_s_time_decides() -> None:
    """The platform's clock, if known, decides whether a period has restarted."""
    counters = Counters()
    snap(mapped(f.CAMPAIGN_DIALS, a=5), counters, NOON, source_at=NOON)
    snapshot = snap(mapped(f.CAMPAIGN_DIALS, a=4), counters, NOON + 86_400, source_at=NOON + 60)

    assert snapshot.falls.held == 1


def test_two_families_of_one_name_are_both_kept() -> None:
    """Series of one name with other labels, as users may map them, are all in the snapshot."""
    plain, kinds = (
        Family("contactcenter_custom_x", "Custom.", "gauge", labels)
        for labels in (("queue",), ("queue", "kind"))
    )
    found = mapped(plain, a=1)
    found.series[kinds] = Series([b'{queue="a",kind="b"} '], [2], DAY)

    snapshot = snap(found)

    assert list(snapshot.blocks) == [plain, kinds]
    assert snapshot.size == 2


def test_the_same_again() -> None:
    """Identical series keep their blocks; a held value is released at the boundary."""
    counters = Counters()
    first = snap(mapped(f.QUEUE_OFFERED, a=5, b=7), counters)
    fallen = mapped(f.QUEUE_OFFERED, a=4, b=7)
    held = snap(fallen, counters, NOON + 60, before=first)
    still = snap(fallen, counters, NOON + 120, before=held)
    let_go = snap(fallen, counters, NOON + 13 * 3600, before=still)
    same = snap(fallen, counters, NOON + 13 * 3600 + 60, before=let_go)

    assert (held.falls.held, still.falls.held, let_go.falls.held) == (1, 1, 0)
    assert held.blocks is first.blocks is still.blocks
    assert let_go.blocks[f.QUEUE_OFFERED].values == [4, 7]
    assert same.blocks is let_go.blocks
    assert same.taken_at == NOON + 13 * 3600 + 60


def test_a_total_that_was_away_overnight() -> None:
    """A series that vanished in the evening starts again in the morning, after empty readings."""
    counters = Counters()
    evening = snap(mapped(f.QUEUE_OFFERED, a=500), counters)
    nothing = Mapped()
    night = snap(nothing, counters, NOON + 3600, before=evening)
    night = snap(nothing, counters, NOON + 13 * 3600, before=night)
    night = snap(nothing, counters, NOON + 19 * 3600, before=night)
    morning = snap(mapped(f.QUEUE_OFFERED, a=3), counters, NOON + 20 * 3600, before=night)

    assert night.blocks == {}
    assert morning.blocks[f.QUEUE_OFFERED].values == [3]
    assert morning.falls.held == 0
