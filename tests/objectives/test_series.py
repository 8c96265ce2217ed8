import logging
import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from exporter.config.objectives import CampaignObjectives, QueueObjectives, objectives_of
from exporter.exposition.encoding import Format
from exporter.exposition.page import Page
from exporter.exposition.publisher import Publisher
from exporter.exposition.store import LONGEST_VALID, Limits, SnapshotStore
from exporter.metrics import families as f
from exporter.metrics.counters import Counters
from exporter.metrics.families import Family
from exporter.metrics.labels import render_labels
from exporter.metrics.mapping import Mapped, Series
from exporter.metrics.snapshot import Snapshot, make_snapshot
from exporter.objectives.model import Objectives
from exporter.objectives.series import Unmatched, apply_objectives
from exporter.simulators.floor.floor import Floor
from exporter.telemetry import Telemetry
from support.clock import MIDNIGHT
from support.five9 import Centre

NOON = 1_772_452_800.0  # 2026-03-02 12:00 UTC, a Monday
BASE = {"provider": "five9", "account": "acme", "site": 'B "1"'}
FEEDS = ("first", "second")
HOURS = {"time_zone": "UTC", "weekly": "Mon-Fri 08:00-20:00"}
CLOSING = datetime(2026, 3, 2, 20, tzinfo=UTC).timestamp()


def objectives(*queues: dict[str, Any], campaigns: Iterable[dict[str, Any]] = ()) -> Objectives:
    return objectives_of(
        map(QueueObjectives.model_validate, queues),
        map(CampaignObjectives.model_validate, campaigns),
    )


def limit(queue: str, warning: int, **match: str) -> dict[str, Any]:
    return {"match": {"queue": queue, **match}, "waiting_limit": {"warning": warning}}


def labels(base: dict[str, str], **own: str) -> bytes:
    return b"{" + render_labels({**base, **own}) + b"} "


def snapshot(
    *queues: str,
    campaigns: Iterable[str] = (),
    feed: str = "first",
    base: dict[str, str] = BASE,
    until: float = 1e9,
    before: Snapshot | None = None,
    more: dict[Family, Series] | None = None,
    **directions: Iterable[str],
) -> Snapshot:
    """Make a snapshot in which each queue has one series, and each campaign is named.

    ``directions`` are the campaigns of tables that tell it, by direction.
    """
    names = [labels(base, queue=name, media="voice") for name in queues]
    mapped = Mapped({f.QUEUE_CONTACTS_WAITING: Series(names, [1] * len(names), None)})
    mapped.series |= more or {}
    mapped.objects = {"queue": frozenset(queues), "campaign": frozenset(campaigns)}
    mapped.objects |= {direction: frozenset(names) for direction, names in directions.items()}
    return make_snapshot(
        base["account"], feed, mapped, Counters(),
        taken_at=NOON, source_at=None, expires_at=until, before=before,
    )  # fmt: skip


class Wall:
    """A wall clock and a monotonic one, both set by hand."""

    def __init__(self) -> None:
        self.wall = NOON
        self.now = 100.0

    def time(self) -> float:
        return self.wall

    def wait(self, seconds: float) -> None:
        self.wall += seconds
        self.now += seconds


@pytest.fixture
def wall() -> Wall:
    return Wall()


def make_store(wall: Wall, found: Objectives, cap: int = 1000, **options: Any) -> SnapshotStore:
    store = SnapshotStore(objectives=found, wall=wall.time, **options)
    store.add_account("acme", FEEDS, Limits(cap), BASE)
    return store


def text(page: Page) -> str:
    return b"".join(page.body(Format.TEXT, gzip=False)[0]).decode()


def shown(page: Page) -> dict[str, float]:
    """Return the figures from the configuration on a page, as short names with their labels."""
    return {
        " ".join([sample.name.removeprefix("contactcenter_"), *own]): sample.value
        for family in text_string_to_metric_families(text(page))
        for sample in family.samples
        if re.search("_(open|limit|objective|info)(_|$)", sample.name)
        for own in [[v for k, v in sample.labels.items() if k not in BASE]]
    }


# Matching ------------------------------------------------------------------------------------


def test_the_series() -> None:
    """Every figure has the account's own labels, then its family's, in order and escaped."""
    found = objectives(
        {
            "waiting_limit": {"warning": 5, "critical": 9},
            "answer_objective": "20s",
            "service_level_objective": 0.8,
            "hours": HOURS,
        },
        campaigns=[{"abandoned_limit": 0.03, "hours": HOURS}],
    )
    applied = apply_objectives(found, BASE, [snapshot('A "b"', campaigns=["Main"])], NOON)
    base = rb'provider="five9",account="acme",site="B \"1\""'

    assert {block.family: block.text for block in applied.snapshot.blocks.values()} == {
        f.QUEUE_WAITING_LIMIT: (
            rb'contactcenter_queue_waiting_limit{%s,queue="A \"b\"",level="warning"} 5' % base
            + b"\n"
            + rb'contactcenter_queue_waiting_limit{%s,queue="A \"b\"",level="critical"} 9' % base
            + b"\n"
        ),
        f.QUEUE_ANSWER_OBJECTIVE: (
            rb'contactcenter_queue_answer_objective_seconds{%s,queue="A \"b\""} 20' % base + b"\n"
        ),
        f.QUEUE_SERVICE_LEVEL_OBJECTIVE: (
            rb'contactcenter_queue_service_level_objective_ratio{%s,queue="A \"b\""} 0.8' % base
            + b"\n"
        ),
        f.QUEUE_OPEN: rb'contactcenter_queue_open{%s,queue="A \"b\""} 1' % base + b"\n",
        f.CAMPAIGN_ABANDONED_LIMIT: (
            rb'contactcenter_campaign_abandoned_limit_ratio{%s,campaign="Main"} 0.03' % base + b"\n"
        ),
        f.CAMPAIGN_OPEN: rb'contactcenter_campaign_open{%s,campaign="Main"} 1' % base + b"\n",
    }


def test_the_first_match_holds(wall: Wall) -> None:
    """Of several items that match a queue the first holds alone; one without figures exempts."""
    store = make_store(
        wall,
        objectives(
            {"match": {"queue": "Sales Test"}},
            limit("Sales*", 1),
            limit("*", 2) | {"answer_objective": "20s"},
        ),
    )
    store.put(snapshot("Sales", "Sales Test", "Help"))

    assert shown(store.page(wall.now)) == {
        "queue_waiting_limit Sales warning": 1,
        "queue_waiting_limit Help warning": 2,
        "queue_answer_objective_seconds Help": 20,
    }


def test_accounts_and_providers(wall: Wall) -> None:
    """Patterns of account and provider choose accounts; a campaign's item is for no queue."""
    store = make_store(
        wall,
        objectives(
            limit("*", 1, account="beta"),
            limit("*", 2, provider="five?", account="ac*"),
            campaigns=[{"abandoned_limit": 0.5, "match": {"campaign": "a"}}],
        ),
    )
    beta = {"provider": "genesys", "account": "beta"}
    store.add_account("beta", FEEDS, Limits(1000), beta)
    store.put(snapshot("a", campaigns=["a", "b"]))
    store.put(snapshot("b", campaigns=["b"], base=beta))

    assert shown(store.page(wall.now)) == {
        "queue_waiting_limit b warning": 1,
        "queue_waiting_limit a warning": 2,
        "campaign_abandoned_limit_ratio a": 0.5,
    }


DIRECTED = [
    {"match": {"direction": "outbound"}, "abandoned_limit": 0.03},
    {"match": {"direction": "inbound"}, "answer_objective": "20s", "service_level_objective": 0.8},
]


def test_directions(wall: Wall) -> None:
    """An item for a direction applies to campaigns of that direction, others to all campaigns."""
    others = {"abandoned_limit": 1}
    store = make_store(wall, objectives(campaigns=[*DIRECTED, others]))
    store.put(snapshot(campaigns=["in", "out", "x"]))
    store.put(snapshot(feed="second", campaigns=["in"], inbound=["in"], outbound=["out"]))

    assert shown(store.page(wall.now)) == {
        "campaign_info in inbound": 1,
        "campaign_info out outbound": 1,
        "campaign_answer_objective_seconds in": 20,
        "campaign_service_level_objective_ratio in": 0.8,
        "campaign_abandoned_limit_ratio out": 0.03,
        "campaign_abandoned_limit_ratio x": 1,
    }


def test_an_item_for_a_direction_matches_no_campaign_whose_direction_is_not_known(
    wall: Wall,
) -> None:
    """A direction is not known from tables of both, from a stale feed, and without a figure."""
    store = make_store(wall, objectives(campaigns=DIRECTED))
    store.put(snapshot(campaigns=["a", "b", "c"], inbound=["a"]))
    store.put(
        snapshot(feed="second", campaigns=["a"], outbound=["a", "b", "d"], until=wall.now + 10)
    )
    both = shown(store.page(wall.now))
    wall.wait(11)

    assert both == {"campaign_info b outbound": 1, "campaign_abandoned_limit_ratio b": 0.03}
    assert shown(store.page(wall.now)) == {
        "campaign_info a inbound": 1,
        "campaign_answer_objective_seconds a": 20,
        "campaign_service_level_objective_ratio a": 0.8,
    }


def test_directions_need_no_objectives(wall: Wall) -> None:
    """A direction is on the page without objectives, follows its feed, and is no queue's."""
    store = make_store(wall, objectives(limit("out", 1)))
    store.put(snapshot("out", campaigns=["out"], outbound=["out"]))
    first = shown(store.page(wall.now))
    store.set_objectives(objectives())
    second = shown(store.page(wall.now))
    store.put(snapshot("out", campaigns=["out"], inbound=["out"]))

    assert first == {"queue_waiting_limit out warning": 1, "campaign_info out outbound": 1}
    assert second == {"campaign_info out outbound": 1}
    assert shown(store.page(wall.now)) == {"campaign_info out inbound": 1}


def test_all_feeds_count(wall: Wall) -> None:
    """A queue is live while any fresh feed of its account shows it, and has its series once."""
    store = make_store(wall, objectives(limit("*", 1)))
    store.put(snapshot("a", "b", until=wall.now + 10))
    store.put(snapshot("b", "c", feed="second"))
    everyone = shown(store.page(wall.now))
    wall.wait(11)

    assert set(everyone) == {f"queue_waiting_limit {name} warning" for name in "abc"}
    assert set(shown(store.page(wall.now))) == {
        f"queue_waiting_limit {name} warning" for name in "bc"
    }


def test_what_vanishes_takes_its_objectives_along(wall: Wall) -> None:
    """A queue that is gone from its feed, or whose account is cleared, has no objectives."""
    store = make_store(wall, objectives(limit("*", 1)))
    store.put(snapshot("a", "b"))
    store.page(wall.now)
    store.put(snapshot("b"))
    one = shown(store.page(wall.now))
    store.clear_account("acme")

    assert one == {"queue_waiting_limit b warning": 1}
    assert shown(store.page(wall.now)) == {}


def test_a_board_without_labels(wall: Wall) -> None:
    """An account without base labels has no objectives."""
    store = SnapshotStore(objectives=objectives(limit("*", 1)), wall=wall.time)
    store.add_account("acme", FEEDS, Limits(1000))
    store.put(snapshot("a"))

    assert shown(store.page(wall.now)) == {}


# Reload, cost, cap ----------------------------------------------------------------------------


def test_other_objectives_hold_from_the_next_page(wall: Wall) -> None:
    """Objectives are replaced by one call, which wakes the publisher; the old ones are gone."""
    store = make_store(wall, objectives())
    store.put(snapshot("a", "b"))
    assert shown(store.page(wall.now)) == {}
    store.changed.clear()
    store.set_objectives(objectives(limit("a", 1)))
    assert store.changed.is_set()
    first = shown(store.page(wall.now))
    store.set_objectives(objectives(limit("b", 2)))
    second = shown(store.page(wall.now))
    store.set_objectives(objectives())

    assert first == {"queue_waiting_limit a warning": 1}
    assert second == {"queue_waiting_limit b warning": 2}
    assert shown(store.page(wall.now)) == {}


def test_nothing_is_made_anew_while_nothing_changes() -> None:
    """The result stays the same object while the live names, hours and objectives do."""
    found = objectives({"hours": HOURS})
    first = snapshot("a", "b")
    again = snapshot("b", "a", before=first)
    before = apply_objectives(found, BASE, [first], NOON)

    assert apply_objectives(found, BASE, [again], CLOSING - 0.001, before) is before
    assert (
        apply_objectives(found, BASE, [again], NOON - 1, before) is not before
    )  # the clock was set back
    assert apply_objectives(found, BASE, [snapshot("a")], NOON, before) is not before
    assert apply_objectives(objectives({"hours": HOURS}), BASE, [again], NOON, before) is not before


def test_only_what_changed_is_rendered_anew() -> None:
    """When a queue closes, blocks of other figures stay the same objects."""
    found = objectives(limit("*", 1) | {"hours": HOURS})
    before = apply_objectives(found, BASE, [snapshot("a", "b")], NOON)
    after = apply_objectives(found, BASE, [snapshot("a", "b")], CLOSING, before)

    blocks, later = before.snapshot.blocks, after.snapshot.blocks
    assert later[f.QUEUE_WAITING_LIMIT] is blocks[f.QUEUE_WAITING_LIMIT]
    assert later[f.QUEUE_OPEN] is not blocks[f.QUEUE_OPEN]
    assert (blocks[f.QUEUE_OPEN].values, later[f.QUEUE_OPEN].values) == ([1, 1], [0, 0])


def test_objectives_are_inside_the_cap(wall: Wall) -> None:
    """Objectives count as series, and are the first to be left out and reported."""
    dropped: list[tuple[str, str, int]] = []
    store = make_store(
        wall, objectives(limit("*", 1)), cap=5, dropped=lambda *each: dropped.append(each)
    )
    store.put(snapshot("c", "b", "a"))

    assert shown(store.page(wall.now)) == {
        "queue_waiting_limit a warning": 1,
        "queue_waiting_limit b warning": 1,
    }
    assert dropped == [("acme", "first", 0), ("acme", "objectives", 1)]


def test_a_mapped_column_goes_first(wall: Wall) -> None:
    """Where the user has mapped a column to the same series, the platform's figure stands alone."""
    duplicated: list[tuple[str, str, int]] = []
    store = make_store(
        wall, objectives(limit("*", 1)), duplicated=lambda *each: duplicated.append(each)
    )
    mapped = Series([labels(BASE, queue="a", level="warning")], [7], None)
    store.put(snapshot("a", "b", more={f.QUEUE_WAITING_LIMIT: mapped}))
    page = store.page(wall.now)

    assert shown(page) == {
        "queue_waiting_limit a warning": 7,
        "queue_waiting_limit b warning": 1,
    }
    assert text(page).count('queue="a",level="warning"') == 1
    assert duplicated == [("acme", "objectives", 1)]


@given(
    st.lists(st.frozensets(st.sampled_from("abcde")), max_size=6),
    st.lists(st.tuples(st.sampled_from(["*", "a", "[bc]", "z"]), st.integers(0, 9)), max_size=3),
)
def test_any_history_ends_alike(
    histories: list[frozenset[str]], entries: list[tuple[str, int]]
) -> None:
    """The page does not depend on what was live before."""
    found = objectives(*(limit(pattern, value) for pattern, value in entries))
    applied = None
    for step, names in enumerate(histories):
        applied = apply_objectives(found, BASE, [snapshot(*names)], NOON + step, applied)
        scratch = apply_objectives(found, BASE, [snapshot(*names)], NOON + step)
        assert [block.text for block in applied.snapshot.blocks.values()] == [
            block.text for block in scratch.snapshot.blocks.values()
        ]
        assert applied.matched == scratch.matched


# Hours on the page ----------------------------------------------------------------------------


def test_a_page_ends_with_the_hours(wall: Wall) -> None:
    """A page is valid until the next queue opens or closes, as the wall clock says."""
    store = make_store(wall, objectives({"hours": HOURS}))
    store.put(snapshot("a"))
    assert store.page(wall.now).valid_until == wall.now + LONGEST_VALID
    wall.wait(CLOSING - NOON - 4)
    before = store.page(wall.now)
    assert before.valid_until == wall.now + 4
    wall.wait(4)

    assert shown(before) == {"queue_open a": 1}
    assert shown(store.page(wall.now)) == {"queue_open a": 0}


def test_a_scrape_at_closing_time_sees_it_closed(wall: Wall) -> None:
    """A scrape in the very second of closing is answered with a new page."""
    wall.wait(CLOSING - NOON - 1)
    store = make_store(wall, objectives({"hours": HOURS}))
    store.put(snapshot("a"))
    publisher = Publisher(store, list, lambda: wall.now)
    assert shown(publisher.current()) == {"queue_open a": 1}
    wall.wait(1)

    assert shown(publisher.current()) == {"queue_open a": 0}


def test_hours_are_absent_where_none_are_given(wall: Wall) -> None:
    """A queue without hours is neither open nor closed, so that rules decide."""
    store = make_store(wall, objectives({"match": {"queue": "a"}, "hours": HOURS}, limit("b", 1)))
    store.put(snapshot("a", "b"))

    assert shown(store.page(wall.now)) == {"queue_open a": 1, "queue_waiting_limit b warning": 1}


# Unmatched objectives -------------------------------------------------------------------------


def test_unmatched(wall: Wall) -> None:
    """What matches nothing live is known once all accounts were tried; a shadowed item matches."""
    tried = {"acme": True, "beta": False}
    store = SnapshotStore(
        objectives=objectives(
            limit("a", 1), limit("*", 1), limit("z", 1), campaigns=[{"match": {"campaign": "a"}}]
        ),
        wall=wall.time,
    )
    store.add_account("acme", FEEDS, Limits(1000), BASE, lambda: tried["acme"])
    beta = {"provider": "five9", "account": "beta"}
    store.add_account("beta", FEEDS, Limits(1000), beta, lambda: tried["beta"])
    store.put(snapshot("a", campaigns=["b"], until=wall.now + 10))
    assert store.unmatched(wall.now) is None
    tried["beta"] = True

    def places() -> list[str]:
        return [entry.place for entry in store.unmatched(wall.now) or ()]

    assert places() == ["queues[2]", "campaigns[0]"]
    store.put(snapshot("z", campaigns=["a"], base=beta))
    assert places() == []
    wall.wait(11)
    assert places() == ["queues[0]"]


@pytest.mark.parametrize(
    ("queue", "pattern"),
    [
        ("Support [EN]", "Support [EN]"),
        ("Support [EN] (7)", "Support [EN]"),
        ("Support [EN] (7)", "Support [EN] (7)"),
        ("Support [EN] (7)", "*EN]"),
    ],
)
def test_objective_of_a_name_with_brackets(queue: str, pattern: str) -> None:
    """An equal name matches, and the plain name of a queue that is shown as name and id."""
    plain = {("queue", queue): "Support [EN]", ("queue", "Support (7)"): "Support"}
    fresh = [replace(snapshot(queue, "Support (7)"), namesakes=plain)]
    applied = apply_objectives(objectives(limit(pattern, 1)), BASE, fresh, NOON)

    (block,) = applied.snapshot.blocks.values()
    assert [queue in labels.decode() for labels in block.labels] == [True]


def test_unmatched_are_counted_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """The gauge is absent until the number is known, and each item is logged once, by its place."""
    entries = objectives(limit("a", 1), limit("b", 1, account="x*")).items
    answers = iter([None, entries[1:], entries, entries, (), entries])
    telemetry = Telemetry()
    telemetry.watch_objectives(Unmatched(lambda: next(answers)).count)
    name = f.OBJECTIVES_UNMATCHED.name
    with caplog.at_level(logging.WARNING):
        values = [telemetry.registry.get_sample_value(name) for _ in range(6)]

    assert values == [None, 1, 2, 2, 0, 2]
    assert [(record.message, record.fields["entry"]) for record in caplog.records] == [
        ("objectives matched nothing", "queues[1]"),
        ("objectives matched nothing", "queues[0]"),
    ]
    assert caplog.records[0].fields["queue"] == "b"
    assert caplog.records[0].fields["account"] == "x*"


def test_outdated_holidays_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """An item whose dates pass while the process runs is logged with its place, once."""
    passing = {"hours": {**HOURS, "holidays": ["2026-12-25"]}}
    kept = {"hours": {**HOURS, "holidays": ["12-25"]}}
    queues = [limit("a", 1), limit("b", 1) | passing, limit("c", 1) | kept]
    wall = datetime(2026, 12, 25, 23, tzinfo=UTC).timestamp()
    store = SnapshotStore(objectives=objectives(*queues), wall=lambda: wall)
    watched = Unmatched(lambda: None, store.outdated)
    with caplog.at_level(logging.WARNING):
        watched.count()
        assert not caplog.records
        wall += 3600
        watched.count()
        watched.count()

    (record,) = caplog.records
    assert (record.message, record.fields["entry"]) == ("all holidays have passed", "queues[1]")
    assert record.fields["queue"] == "b"


# From the platform to the page ----------------------------------------------------------------


@pytest.mark.anyio
async def test_objectives_follow_the_platform() -> None:
    """Objectives come with a queue that a platform adds, go with it, and close to the minute."""
    start = MIDNIGHT + 20 * 3600 - 120  # two minutes before closing time
    floor = Floor(agents=6, queues=4, campaigns=3, seed=3, start=start)
    item = limit("*", 5) | {"hours": {"time_zone": "UTC", "weekly": "Mon-Sun 08:00-20:00"}}
    centre = Centre(
        start=start,
        floor=floor,
        objectives=objectives(item, campaigns=[{"abandoned_limit": 0.03}]),
        labels={"site": "berlin"},
        exclude={"queues": ["Sales"]},
    )
    old = {name for name, queue in floor.queues.items() if queue.media == "voice"} - {"Sales"}
    seen: dict[float, dict[str, set[float]]] = {}

    def watch() -> None:
        passed = centre.clock.now - start
        if passed > 40 and "Brand new" not in floor.queues and passed < 80:
            floor.add_queue("Brand new")
        if passed > 80 and "Brand new" in floor.queues:
            floor.remove_queue("Brand new")
        found: dict[str, set[float]] = {"limits": set(), "open": set()}
        for (name, pairs), value in centre.page().items():
            if name == f.QUEUE_OPEN.name:
                found["open"].add(value)
            if name == f.QUEUE_WAITING_LIMIT.name:
                found["limits"].add(dict(pairs)["queue"])
                assert dict(pairs)["site"] == "berlin"
        seen[passed] = found

    centre.clock.watchers.append(watch)
    async with centre.running(until=start + 180):
        page = centre.page()
        assert {dict(pairs)["campaign"] for name, pairs in page
                if name == f.CAMPAIGN_ABANDONED_LIMIT.name} == set(floor.campaigns)  # fmt: skip
        assert centre.store.unmatched(centre.clock.monotonic()) == []
        centre.store.set_objectives(objectives(limit("nobody", 1)))
        assert not [name for name, _ in centre.page() if name == f.QUEUE_WAITING_LIMIT.name]
        assert [each.place for each in centre.store.unmatched(centre.clock.monotonic()) or ()] == [
            "queues[0]"
        ]

    def between(since: float, until: float) -> list[dict[str, set[float]]]:
        return [found for passed, found in seen.items() if since <= passed < until]

    assert all(found["limits"] in (set(), old) for found in between(0, 40))
    assert all(found["limits"] == old for found in between(30, 40))
    assert all(found["limits"] == old | {"Brand new"} for found in between(65, 80))
    assert all(found["limits"] == old for found in between(110, 180))
    assert all(found["open"] == {1} for found in between(30, 120))
    assert all(found["open"] == {0} for found in between(120, 180))
    for since, until in ((30, 40), (65, 80), (110, 120), (120, 180)):
        assert between(since, until)
