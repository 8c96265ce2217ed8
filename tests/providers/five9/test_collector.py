"""Five9 from end to end: floor → wire → client → tables → page, under faults, on virtual time."""

import logging
from datetime import UTC, datetime
from itertools import cycle, pairwise

import pytest

from exporter.simulators.floor.floor import Floor
from support.clock import MIDNIGHT
from support.five9 import LIMITS_OF_2015, Centre
from support.quick import first
from support.storms.five9 import EVERY_FEED, Comparison

pytestmark = pytest.mark.anyio

MORNING = MIDNIGHT + 9 * 3600
ONE_FEED: dict[str, object] = {
    **dict.fromkeys(EVERY_FEED, False),
    "ACDStatus": {"interval": "60s", "stale_after": "3m"},
}


def spoil_from(centre: Centre, instant: float) -> None:
    """Let every whole table have short rows from an instant on."""
    if centre.clock.now >= instant:
        centre.simulator.fail_next("short_rows", n=2)


def whole_reads(centre: Centre) -> list[float]:
    """Return when the whole table of the queues was read."""
    return [
        record.start
        for record in centre.simulator.log
        if (record.operation, record.statistic_type) == ("getStatistics", "ACDStatus")
    ]


async def test_counters_cross_midnight_as_resets() -> None:
    """Day totals restart at the account's midnight, and no fall is taken for a correction."""
    start = MIDNIGHT + 86_400 - 1800
    floor = Floor(agents=20, queues=6, campaigns=6, seed=3, start=MIDNIGHT)
    floor.advance(start)
    centre = Centre(start=start, floor=floor, feeds=EVERY_FEED)
    comparison = Comparison(centre, streamed=False, deletes=False)
    beat = [start]

    def watch() -> None:
        if centre.clock.now >= beat[0]:
            beat[0] = centre.clock.now + 40
            comparison.compare()

    centre.clock.watchers.append(watch)
    async with centre.running(until=start + 2700):
        assert comparison.wrong[:5] == []
        assert centre.metric("corrections_total", feed="InboundCampaignStatistics") == 0
    before = centre.noted["InboundCampaignStatistics"][1]
    assert max(value for (name, _), value in before.items() if name.endswith("offered_total")) < 50


async def test_wrong_password_is_tried_once() -> None:
    """Rejected credentials mean one request, no figures, a page, and a long pause."""
    centre = Centre(password="wrong")
    async with centre.running(until=MIDNIGHT + 890):
        assert [record.outcome for record in centre.simulator.log] == ["401"]
        assert centre.metric("up") == 0
        assert centre.metric("session_signins_total", outcome="auth") == 1
        assert centre.page() == {}


async def test_password_changed_while_running() -> None:
    """Credentials rejected in mid-session take the figures off the page after one new sign-in."""
    centre = Centre(feeds=EVERY_FEED)

    def change() -> None:
        if centre.clock.now > MIDNIGHT + 100:
            centre.simulator.password = "new"

    centre.clock.watchers.append(change)
    async with centre.running(until=MIDNIGHT + 900):
        refused = [record for record in centre.simulator.log if record.outcome == "401"]
        assert len(refused) == 2
        assert centre.page() == {}
        assert centre.metric("up") == 0


async def test_sign_out_closes_the_session() -> None:
    """Ending the exporter closes the session, which frees the licence."""
    centre = Centre()
    async with centre.running(until=MIDNIGHT + 30):
        pass
    assert centre.simulator.log[-1].operation == "closeSession"
    assert centre.simulator.log[-1].outcome == "ok"


async def test_vanished_queue_leaves_the_page() -> None:
    """A skill that is deleted, and one that is added, show with the next refresh."""
    centre = Centre(start=MORNING, feeds=EVERY_FEED)
    name = next(name for name, queue in centre.floor.queues.items() if queue.media == "voice")
    async with centre.running(until=MORNING + 60):
        assert any(("queue", name) in labels for _, labels in centre.page())
        centre.floor.remove_queue(name)
        centre.floor.add_queue("Brand new")
        centre.clock.ended.clear()
        centre.clock.end = float("inf")
    assert centre.simulator.max_in_flight == 1


async def test_daylight_saving_is_sent_again() -> None:
    """When the zone's offset changes, the view settings are sent again with the new one."""
    change = datetime(2026, 11, 1, 5, 40, tzinfo=UTC).timestamp()  # 20 minutes before it
    floor = Floor(agents=5, queues=3, campaigns=3, seed=3, start=change)
    zone = {"time_zone": "America/New_York"}
    centre = Centre(start=change, floor=floor, view=zone)
    async with centre.running(until=change + 2400):
        sent = [r for r in centre.simulator.log if r.operation == "setSessionParameters"]
        assert len(sent) == 2
        assert centre.metric("up") == 1


async def test_empty_table_is_confirmed_before_it_wipes_the_page() -> None:
    """An empty answer right after a full one is read again at once, and the page stays whole."""
    centre = Centre(start=MORNING, feeds=EVERY_FEED)
    seen: list[int] = []

    def watch() -> None:
        if 60 < centre.clock.now - MORNING < 61:
            centre.simulator.forget_timestamps()
            centre.simulator.fail_next("empty_table", target="getStatistics")
        if centre.clock.now - MORNING > 30:
            page = centre.page()
            seen.append(sum(name == "contactcenter_queue_contacts_waiting" for name, _ in page))

    centre.clock.watchers.append(watch)
    async with centre.running(until=MORNING + 120):
        assert min(seen) > 0
        assert any(record.outcome == "empty_table" for record in centre.simulator.log)


@pytest.mark.timeout(900)
@pytest.mark.slow
async def test_a_day_within_the_limits_of_2015() -> None:
    """With all feeds at their defaults, figures are fresh all day and no limit is met."""
    centre = Centre(switches={"limits": LIMITS_OF_2015})
    ages: dict[str, list[float]] = {feed.name: [] for feed in centre.collector.feeds}
    beat = [MIDNIGHT]

    def watch() -> None:
        if centre.clock.now >= beat[0]:
            beat[0] = centre.clock.now + 1
            for feed, found in ages.items():
                read = centre.noted.get(feed, (MIDNIGHT, {}))[0]
                found.append(centre.clock.now - read)

    centre.clock.watchers.append(watch)
    async with centre.running(until=MIDNIGHT + 86_400):
        outcomes = {record.outcome for record in centre.simulator.log if record.end is not None}
        assert outcomes <= {"ok", "nothing"}
        for feed, found in ages.items():
            started = found[600:]  # the eight full reads are spread over the first ten minutes
            p99, worst = sorted(found)[int(0.99 * len(found))], max(started)
            print(f"{feed}: p99 {p99:.1f} s, worst {worst:.1f} s of {len(found)}")
            if feed in ("ACDStatus", "AgentState"):
                assert p99 <= 15
            # Calls that are kept back for the important feeds delay the account by up to an hour.
            assert worst <= (1_800 + 3_600 if feed == "account" else 90)
    print(len(centre.simulator.log), "requests")
    assert centre.simulator.max_in_flight == 1


@pytest.mark.timeout(900)
@pytest.mark.slow
async def test_too_fast_a_configuration_keeps_the_limits() -> None:
    """Every feed at one second meets no limit: calls are spaced evenly instead."""
    fast = {name: {"interval": "1s"} for name in EVERY_FEED}
    centre = Centre(feeds=fast, switches={"limits": LIMITS_OF_2015})
    async with centre.running(until=MIDNIGHT + 4 * 3600):
        outcomes = {record.outcome for record in centre.simulator.log if record.end is not None}
        assert outcomes == {"ok", "nothing"}
        updates = [r for r in centre.simulator.log if r.operation == "getStatisticsUpdate"]
        assert len(updates) > 3_500


async def test_crash_loop_keeps_the_limits() -> None:
    """An exporter that is restarted every 40 seconds never meets a limit either."""
    centre = Centre(switches={"limits": LIMITS_OF_2015})
    for _ in range(100):
        async with centre.running(until=centre.clock.now + 40):
            pass
        centre = Centre(before=centre)
    log = centre.simulator.log
    assert {record.outcome for record in log} <= {"ok", "nothing", "cancelled"}  # by the restart
    assert sum(record.operation == "getStatistics" for record in log) > 10


async def test_a_table_without_columns_is_asked_for_them() -> None:
    """Where an answer has rows and no columns, the columns are read by their own operation."""
    centre = Centre(start=MORNING)
    centre.simulator.fail_next("no_columns", target="getStatistics")
    async with centre.running(until=MORNING + 30):
        operations = {record.operation for record in centre.simulator.log}
        assert "getColumnNames" in operations
        assert centre.metric("feed_up", feed="ACDStatus") == 1


async def test_a_user_taken_over_by_somebody_signs_in_again() -> None:
    """A user who is said to be logged in elsewhere again and again is signed in anew."""
    centre = Centre(start=MORNING, feeds=EVERY_FEED, long_poll=0)
    centre.simulator.fail_next("fault:UserAlreadyLoggedIn", 12, target="getStatisticsUpdate")
    async with centre.running(until=MORNING + 200):
        signed_in = centre.metric("session_signins_total", outcome="ok")
        assert signed_in is not None
        assert signed_in >= 2
        assert centre.metric("up") == 1


async def test_limits_of_the_users_own_are_kept() -> None:
    """A ``budget:`` holds where the platform's own counters allow more."""
    budget = {"query_changed_statistics": {"minute": 6}, "query_statistics": {"minute": 4}}
    centre = Centre(start=MORNING, feeds=EVERY_FEED, budget=budget)
    async with centre.running(until=MORNING + 900):
        updates = [r.start for r in centre.simulator.log if r.operation == "getStatisticsUpdate"]
        spans = [b - a for a, b in zip(updates, updates[6:], strict=False)]
        assert len(updates) > 60
        assert min(spans) > 59


async def test_a_met_limit_is_waited_out() -> None:
    """Where the platform says that a limit is met, the operation rests for a window."""
    centre = Centre(start=MORNING, feeds=EVERY_FEED)
    centre.simulator.fail_next("fault:OperationsLimitExceeded", target="getStatisticsUpdate")
    async with centre.running(until=MORNING + 300):
        met = [r for r in centre.simulator.log if "OperationsLimitExceeded" in r.outcome]
        after = [
            r.start
            for r in centre.simulator.log
            if r.operation == "getStatisticsUpdate" and r.start > met[0].start
        ]
        assert len(met) == 1
        assert after[0] - met[0].start >= 59
        assert centre.metric("up") == 1


async def test_rows_of_skills_not_allowed_are_told() -> None:
    """A missing permission shows as zero, and hides rows without any error."""
    centre = Centre(start=MORNING, feeds=EVERY_FEED)
    centre.simulator.permissions["AllSkills"] = False
    async with centre.running(until=MORNING + 60):
        page = centre.page()
        hidden = [v for (_, labels), v in page.items() if ("permission", "AllSkills") in labels]
        assert hidden == [0.0]
        assert not any(name == "contactcenter_queue_contacts_waiting" for name, _ in page)


async def test_a_type_without_permission_fails_alone() -> None:
    """A statistic type that this user may not read is that feed's failure only."""
    centre = Centre(start=MORNING, feeds=EVERY_FEED)
    centre.simulator.permissions["Campaigns"] = False
    async with centre.running(until=MORNING + 90):
        assert centre.metric("feed_up", feed="CampaignState") == 0
        assert centre.metric("feed_up", feed="ACDStatus") == 1
        assert centre.metric("session_signins_total", outcome="ok") == 1


@pytest.mark.parametrize("kind", ["short_row", "long_row", "blank_row"])
async def test_row_of_the_wrong_size_is_refused(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A row that does not fit is counted and named once without its cells; the others stand."""
    caplog.set_level(logging.INFO)
    centre = Centre(start=MORNING, feeds=EVERY_FEED)
    centre.simulator.fail_next(kind, target="getStatistics")
    async with centre.running(until=MORNING + 60):
        page = centre.page()
        assert centre.metric("feed_up", feed="ACDStatus") == 1
        assert centre.metric("schema_rejected_cells_total", table="ACDStatus") > 0
        waiting = {labels for name, labels in page if name.endswith("_queue_contacts_waiting")}
        assert len(waiting) > 0
    lines = [str(getattr(record, "fields", {})) for record in caplog.records]
    assert sum("row 1: " in line for line in lines) == 1


async def test_most_rows_of_the_wrong_size_are_an_invalid_answer() -> None:
    """Where most rows do not fit, the refresh fails, and the next is right."""
    centre = Centre(start=MORNING)
    centre.simulator.fail_next("short_rows", target="getStatistics")
    async with centre.running(until=MORNING + 240):
        assert centre.metric("feed_refreshes_total", feed="ACDStatus", outcome="invalid") == 1
        assert centre.metric("feed_up", feed="ACDStatus") == 1


async def test_row_that_comes_twice_is_counted() -> None:
    """A skill that comes twice is shown once, and the other row is counted."""
    centre = Centre(start=MORNING)
    centre.simulator.fail_next("row_twice", target="getStatistics")
    async with centre.running(until=MORNING + 60):
        assert centre.metric("feed_up", feed="ACDStatus") == 1
        assert centre.metric("duplicate_samples_total", feed="ACDStatus") > 0


@pytest.mark.parametrize(
    "kinds",
    first(
        2,
        [
            (("short_row", "long_row", "blank_row", "row_twice"),),
            (("lacking_object", "lacking_column"),),
            (("short_rows", "long_rows", "blank_rows"),),
            (("lacking_objects", "lacking_columns"),),
        ],
    ),
)
async def test_damaged_rows_and_changes_make_no_wrong_figure(kinds: tuple[str, ...]) -> None:
    """With a damaged row or change in every other answer, a figure is right or absent."""
    centre = Centre(start=MORNING, agents="id", feeds=EVERY_FEED)
    comparison = Comparison(centre, streamed=False)
    beat = [MORNING]
    kind = cycle(kinds)

    def watch() -> None:
        if centre.clock.now >= beat[0]:
            beat[0] = centre.clock.now + 10
            if "row" in kinds[0]:
                centre.simulator.forget_timestamps()  # so that tables are read whole
            for _ in range(4):
                centre.simulator.fail_next(next(kind))
            comparison.compare()

    centre.clock.watchers.append(watch)
    async with centre.running(until=MORNING + 300):
        pass
    assert comparison.wrong == []
    assert comparison.equal > 100


@pytest.mark.slow
async def test_a_row_that_is_always_refused_does_not_use_up_the_requests() -> None:
    """The table is read whole ever more rarely while its fault lasts, and updates go on."""
    centre = Centre(start=MORNING, feeds=ONE_FEED)
    centre.simulator.fail_next("short_row", n=10_000)
    async with centre.running(until=MORNING + 4 * 3600):
        gaps = [(late - early) / 600 for early, late in pairwise(whole_reads(centre))]
        assert [int(gap) for gap in gaps] == [1, 2, 4, 8]  # then every two hours
        assert centre.metric("feed_up", feed="ACDStatus") == 1


async def test_a_table_that_is_always_invalid_does_not_use_up_the_requests() -> None:
    """A feed whose answers are invalid leaves some of the 15 requests of an hour to the others."""
    centre = Centre(start=MORNING, feeds=ONE_FEED)
    centre.simulator.fail_next("short_rows", n=10_000)
    async with centre.running(until=MORNING + 3600):
        assert 8 < len(whole_reads(centre)) < 14
        assert centre.metric("feed_up", feed="ACDStatus") == 0


@pytest.mark.slow
async def test_an_invalid_table_does_not_stop_the_updates_of_the_last_one() -> None:
    """Where a table cannot be read again, the last one is kept up to date."""
    centre = Centre(start=MORNING, feeds=ONE_FEED)
    centre.clock.watchers.append(lambda: spoil_from(centre, MORNING + 7000))
    async with centre.running(until=MORNING + 10_600):
        assert centre.metric("feed_refreshes_total", feed="ACDStatus", outcome="invalid") > 5
        assert centre.metric("feed_up", feed="ACDStatus") == 1
        assert len(whole_reads(centre)) < 14
        shown, (_, truth) = centre.page(), centre.noted["ACDStatus"]
        waiting = [key for key in truth if key[0] == "contactcenter_queue_contacts_waiting"]
        assert [shown[key] for key in waiting] == [truth[key] for key in waiting]


@pytest.mark.parametrize("step", [-300.0, pytest.param(300.0, marks=pytest.mark.slow)])
async def test_a_clock_that_steps_costs_nothing(step: float) -> None:
    """While Five9's timestamps step and step back, no figure is wrong and no table read anew."""
    floor = Floor(agents=20, queues=6, campaigns=6, seed=3, start=MIDNIGHT)
    floor.advance(MORNING)
    centre = Centre(start=MORNING, floor=floor, feeds=EVERY_FEED)
    comparison = Comparison(centre, streamed=False, deletes=False)
    beat = [MORNING]

    def watch() -> None:
        now = centre.clock.now - MORNING
        centre.simulator.timestamp_ahead = step if 600 <= now < 1200 else 0.0
        if centre.clock.now >= beat[0]:
            beat[0] = centre.clock.now + 40
            comparison.compare()

    centre.clock.watchers.append(watch)
    async with centre.running(until=MORNING + 1800):
        assert comparison.ticks > 40
        assert comparison.wrong[:5] == []
        outcomes = {record.outcome for record in centre.simulator.log if record.end is not None}
        assert outcomes == {"ok", "nothing"}
