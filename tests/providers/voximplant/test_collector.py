"""Voximplant end to end, under faults: floor → wire → client → tables → page."""

import asyncio
import itertools
import logging
import random
from datetime import UTC, datetime
from typing import Any

import pytest

from exporter.logs import Logfmt
from exporter.simulators.floor.floor import Floor
from support.clock import MIDNIGHT, MORNING
from support.page import Series, series, text_of
from support.quick import first
from support.storms.voximplant import EVERY_FEED, FAULTS, SMARTQUEUE, UNCERTAIN, Comparison
from support.voximplant import Centre

pytestmark = pytest.mark.anyio


@pytest.mark.timeout(300)
async def test_day_totals_restart_at_local_midnight() -> None:
    """Over midnight in the account's own zone totals fall to zero and are never held."""
    zone, midnight = "America/New_York", MIDNIGHT + 5 * 3600
    start = midnight - 1800
    floor = Floor(agents=20, queues=6, seed=3, start=start - 6 * 3600, time_zone=zone)
    centre = Centre(
        start=start,
        floor=floor,
        time_zone=zone,
        feeds=EVERY_FEED | {"smartqueue_state": False, "smartqueue_reports": False},
    )
    comparison = Comparison(centre)
    beat = [start]

    def watch() -> None:
        if centre.clock.now >= beat[0]:
            beat[0] = centre.clock.now + 30
            comparison.compare()

    centre.clock.watchers.append(watch)
    async with centre.running(2700):
        pass

    # The floor forgets a stay that midnight cut once another of its state is over: that is held.
    assert [line for line in comparison.wrong if "_entries_total" not in line] == []
    assert centre.metric("corrections_total", feed="operator_statistics") == 0
    assert centre.metric("corrections_total", feed="queue_statistics") == 0


def combinations() -> list[dict[str, Any]]:
    """Every combination of the shapes of one answer, and a sample of those of all."""
    groups = (
        ("status_shape", "ids", "omit_zero", "none_by_aggregation", "first_hour"),
        ("calls_shape", "percent_scale", "key_style", "ids", "omit_zero", "default_report"),
        ("sq_statuses_shape", "sq_queues_shape", "ids", "details_count", "date_header"),
    )
    found = [
        dict(zip(names, values, strict=True))
        for names in groups
        for values in itertools.product(*(UNCERTAIN[name] for name in names))
    ]
    chance = random.Random(5)
    names = [name for name in UNCERTAIN if name != "open_stay"]
    found += [{name: chance.choice(UNCERTAIN[name]) for name in names} for _ in range(40)]
    return found


@pytest.mark.timeout(600)
@pytest.mark.parametrize("step", [21, pytest.param(1, marks=pytest.mark.slow)])
async def test_every_shape_makes_the_same_page(step: int) -> None:
    """However the platform shapes its answers, the figures of one instant are the same bytes."""
    pages: dict[str, dict[str, Any]] = {}
    floor = Floor(agents=8, queues=4, campaigns=6, seed=3, start=MORNING - 6 * 3600)
    for switches in combinations()[::step]:
        centre = Centre(
            floor=floor,
            agents="id",
            smartqueue={"reports": ["count_abandonment_calls"]},
            call_list_details=True,
            switches=switches,
        )
        centre.simulator.tick = None  # time stands still on the floor
        async with centre.running(20):
            lines = [
                line
                for line in text_of(centre.store.page(centre.clock.monotonic())).splitlines()
                if "clock_skew" not in line
            ]
        pages.setdefault("\n".join(lines), switches)

    assert len(pages) == 1, list(pages.values())
    assert len(next(iter(pages)).splitlines()) > 400


@pytest.mark.timeout(300)
@pytest.mark.slow
async def test_large_accounts_are_read_to_the_end() -> None:
    """3,000 operators and 250 queues are all there: lists are paged to their end."""
    floor = Floor(agents=3000, queues=250, campaigns=6, seed=3, start=MORNING)
    centre = Centre(
        start=MORNING,
        floor=floor,
        agents="id",
        switches={"acd_media": frozenset({"voice", "chat", "email"})},
    )
    centre.simulator.tick = None
    async with centre.running(120):
        page = centre.page()
    queues = {dict(labels)["queue"] for name, labels in page if name.endswith("_offered_total")}
    waiting = {
        dict(labels)["queue"] for name, labels in page if name.endswith("queue_contacts_waiting")
    }
    agents = [key for key in page if key[0] == "contactcenter_agent_state"]
    timed = {dict(labels)["agent"] for name, labels in page if name.endswith("time_seconds_total")}

    assert queues == waiting == set(floor.queues)
    assert len(agents) == len(timed) == 3000
    assert sum(page[key] for key in page if key[0] == "contactcenter_agents") == 3000
    assert centre.simulator.calls("GetUsers") % 4 == 0  # three pages and an empty application


@pytest.mark.slow
async def test_rounds_of_many_queues_hold_up_no_other_feed() -> None:
    """With slow answers and 250 queues the state is still read on time, and every queue in turn."""
    floor = Floor(agents=10, queues=250, campaigns=0, seed=3, start=MORNING)
    centre = Centre(
        start=MORNING,
        floor=floor,
        switches={"acd_media": frozenset({"voice", "chat", "email"}), "latency": 0.3},
    )
    async with centre.running(240):
        page = centre.page()
    log = centre.simulator.log
    reads = [record.start for record in log if record.method == "GetACDState"]
    shown = [key for key in page if key[0] == "contactcenter_queue_contacts_offered_total"]

    assert max(after - before for before, after in itertools.pairwise(reads)) < 37
    assert len(shown) == 250
    assert centre.metric("feed_refreshes_total", feed="state", outcome="skipped") is None
    assert centre.simulator.max_in_flight == 1


@pytest.mark.parametrize("role_code", first(1, [104, 100]))
async def test_a_missing_role_stops_only_its_feed(role_code: int) -> None:
    """With a Supervisor's key the state is off and says why; all else works."""
    centre = Centre(
        call_list_details=True,
        switches={"roles": frozenset({"Supervisor"}), "role_code": role_code},
    )
    async with centre.running(3600):
        page = centre.page()
        up = {
            feed.name: centre.metric("feed_up", feed=feed.name) for feed in centre.collector.feeds
        }
        assert centre.metric("up") == 1

    assert up.pop("state") == 0
    assert set(up.values()) == {1}
    assert centre.metric("feed_refreshes_total", feed="state", outcome="forbidden") == 1
    assert centre.metric("session_signins_total", outcome="ok") == 1
    assert series_of(page, "campaign_state")
    assert not series_of(page, "campaign_records")
    assert not series_of(page, "queue_contacts_waiting")
    assert series_of(page, "queue_contacts_answered_total")


def series_of(page: dict[Series, float], name: str) -> list[Series]:
    return [key for key in page if key[0] == f"contactcenter_{name}"]


@pytest.mark.parametrize("status", [200, 401])
async def test_a_wrong_key_is_tried_once_in_a_while(status: int) -> None:
    """A rejected key is one request, then none until auth_retry has passed."""
    centre = Centre(switches={"auth_status": status})
    centre.simulator.key_id = "another"
    async with centre.running(890):
        assert [record.method for record in centre.simulator.log] == ["GetAccountInfo"]
        assert centre.metric("session_signins_total", outcome="auth") == 1
        assert centre.metric("up") == 0
        assert centre.page() == {}


async def test_a_key_that_is_withdrawn_takes_the_figures_off() -> None:
    """When a good key is rejected the page empties and the key is left alone."""
    centre = Centre()
    moments = []

    def withdraw() -> None:
        if centre.clock.now > MORNING + 300 and not moments:
            moments.append(len(centre.simulator.log))
            centre.simulator.fail_next("code:433", n=10_000)

    centre.clock.watchers.append(withdraw)
    async with centre.running(1000):
        assert centre.page() == {}
        assert centre.metric("up") == 0
        assert len(centre.simulator.log) - moments[0] < 12


async def test_secrets_and_callers_appear_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    """What GetAccountInfo tells too much, callers and customers: on no page, in no log."""
    caplog.set_level(logging.DEBUG)
    centre = Centre(
        agents="name",
        feeds={
            **EVERY_FEED,
            "operators": {"raw": True},
            "account": {"raw": True},
            "state": {"raw": True},
            "smartqueue_state": {"raw": True},
            "call_lists": {"raw": True},
        },
        smartqueue=SMARTQUEUE,
        call_list_details=True,
    )
    chance = random.Random(1)

    def watch() -> None:
        if centre.clock.now < MORNING + 600 and chance.random() < 0.03:
            centre.simulator.fail_next(chance.choice(FAULTS))
        elif MORNING + 600 <= centre.clock.now < MORNING + 660:
            centre.refresher.retry()

    centre.clock.watchers.append(watch)
    async with centre.running(1500):
        text = text_of(centre.store.page(centre.clock.monotonic()))
    formatter = Logfmt()
    logged = "\n".join(formatter.format(record) for record in caplog.records)
    key = centre.simulator.credentials()["private_key"]
    forbidden = [
        *centre.simulator.secrets.values(),
        "1555",
        "Bearer ",
        "eyJ",
        *key.split("\n")[1:3],
    ]

    assert len(text) > 10_000
    assert "refresh failed" in logged
    assert [word for word in forbidden if word in text or word in logged] == []


async def test_a_clock_that_is_wrong_is_told_once_and_borne(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With our clock two minutes ahead of the platform's, everything works after one renewal."""
    centre = Centre(switches={"date_header": True, "clock_ahead": -120.0})
    async with centre.running(1200):
        page = centre.page()
        up = [centre.metric("feed_up", feed=feed.name) for feed in centre.collector.feeds]
    told = [each for each in caplog.records if "clock differs" in each.getMessage()]
    skew = series("contactcenter_account_clock_skew_seconds", provider="voximplant", account="acme")

    assert set(up) == {1}
    assert page[skew] == pytest.approx(-120, abs=1)
    assert len(told) == 1
    assert [record.outcome for record in centre.simulator.log].count("455") == 1


async def test_an_account_without_applications_is_no_failure() -> None:
    """A key that sees no application has no operators; that is a count of zero."""
    centre = Centre(switches={"applications": {}})
    centre.simulator.acd_media = frozenset()
    async with centre.running(200):
        page = centre.page()
        assert centre.metric("feed_up", feed="operators") == 1
        assert centre.metric("feed_up", feed="account") == 1

    assert {page[key] for key in series_of(page, "agents")} == {0}


async def test_an_answer_that_is_suddenly_empty_must_come_twice() -> None:
    """One empty answer right after a full one does not wipe the page; a second one does."""
    centre = Centre(feeds={"state": {"interval": "10s"}})
    seen = []

    def watch() -> None:
        if centre.clock.now > MORNING + 100:
            centre.simulator.acd_media = frozenset()
        seen.append((centre.clock.now - MORNING, len(series_of(centre.page(), "queue_agents"))))

    centre.clock.watchers.append(watch)
    async with centre.running(160):
        assert centre.metric("feed_refreshes_total", feed="state", outcome="invalid") == 1

    assert all(number for at, number in seen if 20 < at < 110)
    assert seen[-1][1] == 0


async def test_only_the_configured_applications_are_shown() -> None:
    """Queues and operators of other applications are left out, though answers hold them."""
    centre = Centre(applications=["website.acme.n2.voximplant.com"])
    async with centre.running(200):
        page = centre.page()
        assert centre.metric("up") == 1

    assert {dict(labels).get("queue") for _, labels in page} == {None}
    assert {page[key] for key in series_of(page, "agents")} == {0}
    assert series_of(page, "agents_state_seconds_total") == []
    assert series_of(page, "agents_contacts_answered_total") == []


async def test_patterns_choose_queues_and_operators() -> None:
    """Unwanted queues are not even asked for; sums are of the wanted operators."""
    centre = Centre(
        agents="id", include={"queues": ["Sales"], "agents": ["Ada *"]}, exclude={"agents": ["no"]}
    )
    ada = next(agent for agent in centre.floor.agents.values() if agent.first_name == "Ada")
    async with centre.running(200):
        page = centre.page()
    total = sum(page[key] for key in series_of(page, "agents_state_seconds_total"))
    asked = {
        record.parameters["acd_queue_id"]
        for record in centre.simulator.log
        if record.method == "GetACDQueueStatistics"
    }

    assert asked == {str(centre.floor.queues["Sales"].id)}
    assert {dict(labels).get("queue") for _, labels in page} == {None, "Sales"}
    assert {dict(labels).get("agent") for _, labels in page} == {None, str(ada.id)}
    assert sum(page[key] for key in series_of(page, "agents")) == 1
    assert total == pytest.approx(6 * 3600, abs=400)


async def test_a_child_account_is_read_with_its_parents_key() -> None:
    """The figures are those of the account that the token speaks for."""
    child = Floor(agents=5, queues=2, campaigns=2, seed=9, start=MORNING)
    centre = Centre(child_account_id=77, switches={"children": {77: child}})
    async with centre.running(100):
        page = centre.page()

    assert {record.account_id for record in centre.simulator.log} == {77}
    assert sum(page[key] for key in series_of(page, "agents")) == 5


async def test_leaving_while_a_request_hangs_ends_at_once() -> None:
    """A platform that never answers does not keep the exporter from stopping."""
    centre = Centre()
    centre.simulator.fail_next("hang", n=1000)
    task = asyncio.create_task(centre.refresher.run())
    for _ in range(50):
        await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=2)
    await centre.client.aclose()

    assert done == {task}


@pytest.mark.parametrize(
    ("method", "key", "feed"),
    first(
        4,
        [
            ("GetACDState", "acd_queue_id", "state"),
            ("GetUsers", "user_id", "operators"),
            ("GetQueues", "acd_queue_id", "queues"),
            ("GetSQState", "sq_queue_id", "smartqueue_state"),
            ("GetSQState", "sq_statuses", "smartqueue_state"),
            ("GetSmartQueueRealtimeMetrics", "sq_queue_id", "smartqueue_reports"),
            ("GetCallLists", "list_id", "call_lists"),
        ],
    ),
)
async def test_rows_that_come_twice_are_counted(method: str, key: str, feed: str) -> None:
    """A row that comes twice is counted as a duplicate, and changes no figure."""
    pages = []
    for kind in ("", f"twice:{key}"):
        centre = Centre(agents="id", feeds=EVERY_FEED, smartqueue=SMARTQUEUE)
        centre.simulator.tick = None  # time stands still on the floor
        if kind:
            centre.simulator.fail_next(kind, n=1000, target=method)
        async with centre.running(15):
            pages.append(centre.page())
            assert (centre.metric("duplicate_samples_total", feed=feed) > 0) is bool(kind)
    assert pages[0].keys() == pages[1].keys()
    figures = {key for key in pages[0] if "seconds" not in key[0]}
    assert {key for key in figures if pages[0][key] != pages[1][key]} == set()


@pytest.mark.parametrize(
    ("method", "key", "table"),
    [
        ("GetACDState", "acd_queue_id", "state"),
        ("GetUsers", "user_id", "operators"),
        ("GetSQState", "sq_queue_id", "smartqueue_state"),
        ("GetSmartQueueRealtimeMetrics", "sq_queue_id", "smartqueue_reports"),
    ],
)
async def test_a_row_without_its_id_is_refused(method: str, key: str, table: str) -> None:
    """A row without an id is counted and logged; the others stand, sums of all rows do not."""
    centre = Centre(agents="aggregate", feeds=EVERY_FEED, smartqueue=SMARTQUEUE)
    centre.simulator.fail_next(f"lacking:{key}", n=1000, target=method)
    async with centre.running(15):
        page = centre.page()
        assert centre.metric("schema_rejected_cells_total", table=table) > 0
        assert centre.metric("feed_up", feed=table) == 1
    if table == "operators":
        assert not any(name == "contactcenter_agents" for name, _ in page)


@pytest.mark.parametrize(
    ("method", "key", "family"),
    [
        ("GetSQState", "tasks", "queue_contacts_waiting"),
        ("GetSQState", "sq_agents", "queue_agents"),
        ("GetACDState", "waiting_calls", "queue_contacts_waiting"),
    ],
)
async def test_an_absent_list_is_no_empty_one(method: str, key: str, family: str) -> None:
    """Where a queue lacks a list, what is counted from it is absent, not zero."""
    pages = []
    for kind in ("", f"lacking:{key}"):
        centre = Centre(feeds=EVERY_FEED, smartqueue=SMARTQUEUE)
        centre.simulator.tick = None  # time stands still on the floor
        if kind:
            centre.simulator.fail_next(kind, n=1000, target=method)
        async with centre.running(15):
            pages.append(centre.page())
    whole, page = ({k: v for k, v in p.items() if "seconds" not in k[0]} for p in pages)
    gone = whole.keys() - page.keys()
    assert any(name == f"contactcenter_{family}" for name, _ in gone)
    assert {k for k in page if page[k] != whole[k]} == set()


@pytest.mark.parametrize(
    ("ahead", "date_header"),
    [(86_400, True), (86_400, False), (-1_000_000_000, False), (-86_400, True), (7 * 86_400, True)],
)
async def test_a_date_that_is_wrong_now_and_then_moves_no_day(
    ahead: int, date_header: bool
) -> None:
    """A Date of another day in one answer of three does not change the day that totals cover.

    The other answers have the right one, or none.
    """
    centre = Centre(switches={"date_header": date_header})
    before = len(centre.simulator.log)
    starts = set()

    def watch() -> None:
        nonlocal before
        if len(centre.simulator.log) >= before + 3:
            before = len(centre.simulator.log)
            centre.simulator.fail_next(f"date:{ahead}")
        starts.add(centre.collector._window()[0])

    centre.clock.watchers.append(watch)
    async with centre.running(1200):
        held = centre.metric("corrections_total", feed="operator_statistics")
    assert len(starts) == 1
    assert not held


async def test_a_clock_that_steps_is_followed() -> None:
    """Where the platform's clock steps to another day, its day is soon the one that is read."""
    centre = Centre(switches={"date_header": True})
    start = centre.clock.now
    before, _ = centre.collector._window()

    def watch() -> None:
        if centre.clock.now > start + 300:
            centre.simulator.clock_ahead = 86_400.0

    centre.clock.watchers.append(watch)
    async with centre.running(420):
        after, _ = centre.collector._window()
    assert (after - before).total_seconds() == 86_400


@pytest.mark.parametrize("latency", [0.0, 2.0, 8.0])
async def test_statistics_cover_the_day_until_the_request(latency: float) -> None:
    """An inventory that is read slowly first makes the statistics of operators no older."""
    centre = Centre(switches={"latency": latency}, feeds={"operators": False})
    async with centre.running(120):
        pass
    ends = [
        record.start
        - datetime.fromisoformat(record.parameters["to_date"]).replace(tzinfo=UTC).timestamp()
        for record in centre.simulator.log
        if record.method.startswith("GetACDOperator")
    ]
    assert len(ends) >= 2
    assert max(ends) < 1.0
