"""Bright Pattern from end to end: floor → wire → client → tables → page, on virtual time."""

import logging
import random
from itertools import pairwise
from typing import Any

import pytest
from prometheus_client import generate_latest

from support.brightpattern import STATES, Exporter, Platform, own
from support.clock import MIDNIGHT
from support.quick import first

pytestmark = pytest.mark.anyio

MORNING = MIDNIGHT + 9 * 3600


async def test_unknown_statistic_costs_only_itself(caplog: pytest.LogCaptureFixture) -> None:
    """A mistyped statistic is found, named in one line of the log, and all else is exported."""
    caplog.set_level(logging.INFO)
    platform = Platform(start=MORNING)
    mistyped = {"in_calls_wating": {"metric": "custom_x"}}
    exporter = Exporter(platform, statistics={"services": mistyped})
    async with exporter.running(60):
        page = exporter.page()
        _, truth = exporter.noted["subscription"]
        assert truth.keys() <= page.keys()
        assert exporter.metric("schema_missing_columns", table="subscription.services") == 1
        assert exporter.metric("schema_missing_columns", table="subscription.agents") == 0
    lines = [str(getattr(record, "fields", {})) for record in caplog.records]
    assert sum("in_calls_wating" in line for line in lines) == 1
    posts = len(platform.requests("/statsapi/subscription")) - len(platform.requests("/data"))
    assert posts < 25


async def test_declined_statistics_are_remembered() -> None:
    """A statistic that was declined once is not asked for again by the same account."""
    platform = Platform(start=MORNING, likely_statistics=False)
    exporter = Exporter(platform)
    async with exporter.running(30):
        declined = [r for r in platform.simulator.log if r.status == 400]
        assert 0 < len(declined) < 60
        platform.simulator.take_over()
        await exporter.go_on(60)
        assert "contactcenter_queue_contacts_waiting" in {name for name, _ in exporter.page()}
        assert [r for r in platform.simulator.log if r.status == 400] == declined
        assert exporter.metric("schema_missing_columns", table="subscription.services") == 0


async def test_column_key_of_another_release_is_reported_not_hammered() -> None:
    """Where every body is declined, that is the sign-in's failure, tried again after minutes."""
    platform = Platform(start=MORNING, column_key="statName")
    exporter = Exporter(platform)
    async with exporter.running(280):
        assert exporter.metric("session_signins_total", outcome="fault") == 1
        assert len([r for r in platform.simulator.log if r.status == 400]) <= 4
        failure = exporter.refresher.status().failure
        assert failure is not None
        assert "Set column_key: statName" in failure.remedy
    assert platform.simulator.active_subscriptions == 0


async def test_restarts_never_hold_more_than_one_licence() -> None:
    """Through 100 clean stops and 20 kills, the account has at most one subscription."""
    platform = Platform(start=MORNING)
    chance, most = random.Random(4), 0
    for round_ in range(120):
        exporter = Exporter(platform)
        async with exporter.running(chance.uniform(0.5, 12.0), clean=round_ % 6 != 5):
            most = max(most, platform.simulator.active_subscriptions)
        left = platform.simulator.active_subscriptions
        most = max(most, left)
        assert left == 0 or round_ % 6 == 5
    assert most == 1


async def test_wrong_secret_asks_for_one_token_and_waits() -> None:
    """A rejected secret is sent once in each auth_retry, and takes the figures off the page."""
    platform = Platform(start=MORNING, lock_after=3)
    exporter = Exporter(platform, api_secret="wrong")
    async with exporter.running(800):
        assert platform.requests() == ["POST /configapi/v2/oauth/token"]
        assert exporter.metric("session_signins_total", outcome="auth") == 1
        assert exporter.page() == {}
        await exporter.go_on(900)
        assert len(platform.requests()) == 2


async def test_two_exporters_on_one_user_are_seen_within_two_intervals() -> None:
    """Each of two exporters on one user shows that the other took its subscription."""
    platform = Platform(start=MORNING)
    first, second = Exporter(platform), Exporter(platform)
    async with first.running(30):
        assert first.metric("feed_up", feed="subscription") == 1
        async with second.running(12):
            await first.go_on(10)
            assert first.metric("feed_refreshes_total", feed="subscription", outcome="session")
            await second.go_on(10)
            assert second.metric("feed_refreshes_total", feed="subscription", outcome="session")
            assert platform.simulator.active_subscriptions == 1


@pytest.mark.parametrize("taken_over", ["not_found", "unauthorized", "foreign"])
async def test_other_login_is_survived(taken_over: str) -> None:
    """A person's wallboard on our user costs a few refreshes, and its data are never ours."""
    platform = Platform(start=MORNING, taken_over=taken_over)
    exporter = Exporter(platform)
    async with exporter.running(30):
        platform.simulator.take_over()
        await exporter.go_on(7)
        assert exporter.metric("feed_refreshes_total", feed="subscription", outcome="session") == 1
        await exporter.go_on(60)
        assert exporter.metric("feed_up", feed="subscription") == 1


async def test_exhausted_licences_are_visible_and_waited_out() -> None:
    """A 409 shows as throttled and is tried again after one to five minutes."""
    platform = Platform(start=MORNING, wallboards_open=10)
    exporter = Exporter(platform)
    async with exporter.running(700):
        tries = [r.start for r in platform.simulator.log if r.status == 409]
        gaps = [after - before for before, after in pairwise(tries)]
        assert all(60 <= gap <= 310 for gap in gaps), gaps
        assert exporter.metric("session_signins_total", outcome="throttled") == len(tries)
        assert exporter.metric("up") == 0
        platform.simulator.wallboards_open = 0
        await exporter.go_on(330)
        assert exporter.metric("up") == 1


async def test_server_trouble_keeps_the_subscription() -> None:
    """Bad gateways and broken connections neither sign in anew nor subscribe anew."""
    platform = Platform(start=MORNING)
    exporter = Exporter(platform)
    async with exporter.running(30):
        for kind in ("html502", "reset", "html503"):
            platform.simulator.fail_next(kind)
            await exporter.go_on(20)
        await exporter.go_on(60)
        assert exporter.metric("feed_up", feed="subscription") == 1
    assert len([x for x in platform.requests() if x == "POST /statsapi/subscription"]) == 1


@pytest.mark.timeout(300)
@pytest.mark.slow
async def test_tokens_are_renewed_ahead_of_their_end() -> None:
    """Over hours of short-lived tokens that are handed out again, at most one a minute is asked."""
    platform = Platform(start=MORNING, token_seconds=600.0)
    exporter = Exporter(platform)
    async with exporter.running(7200):
        asked = [r.start for r in platform.simulator.log if r.path.endswith("/token")]
        refused = [r.start for r in platform.simulator.log if r.status == 401]
        gaps = [after - before for before, after in pairwise(asked)]
        assert sum(gap < 60 for gap in gaps) <= len(refused)
        assert len(refused) <= 13
        assert exporter.metric("feed_refreshes_total", feed="subscription", outcome="auth") is None
    assert len([x for x in platform.requests() if x == "POST /statsapi/subscription"]) == 1


@pytest.mark.parametrize(
    "switches",
    [
        {"unknown_statistics": "empty"},
        {"error_codes": "text"},
        {"logged_out_state": "0", "numbers": "bare"},
        {"expires_in": "number"},
        {"tokens_shared": False},
        {"column_key": "stat_name"},
        {"dispositions_shape": "object"},
        {"default_limit": 3},
        {"login_time": "timestamp", "nothing": "absent"},
        {"refresh_seconds": 4.0},
        {"balancer": True, "sticky_required": True},
        {"last_cursor": "empty"},
        {"last_cursor": "absent"},
        {"last_cursor": "page"},
    ],
    ids=str,
)
async def test_every_uncertain_shape_is_read(switches: dict[str, Any]) -> None:
    """Whatever the platform chooses where no document is certain, the figures are right."""
    platform = Platform(start=MORNING, **switches)
    exporter = Exporter(platform, agents="id", feeds={"campaigns": {}})
    async with exporter.running(60):
        page = exporter.page()
        for feed, (_, truth) in exporter.noted.items():
            assert feed in ("subscription", "directory", "campaigns")
            for key, value in truth.items():
                if key[0].endswith("_agent_session_seconds") and "login_time" in switches:
                    continue  # an instant is refused, cell by cell
                close = 10.0 if "refresh_seconds" in switches else 2.5
                near = close if "_seconds" in key[0] else 1e-9
                assert page[key] == pytest.approx(value, abs=near) or "refresh_seconds" in switches
        assert exporter.metric("feed_up", feed="campaigns") == 1


async def test_aggregate_asks_for_nobody() -> None:
    """Without opt-in, no name of a person is on the page, and none but the login is asked for."""
    platform = Platform(start=MORNING)
    exporter = Exporter(platform)
    async with exporter.running(30):
        labels = {label for _, pairs in exporter.page() for label, _ in pairs}
        assert "agent" not in labels
        (block,) = platform.simulator.subscribed().values()
        asked = {column["stat_name"] for column in block["agent_grids"][0]["columns"]}
        assert not any("name" in each or "user" in each for each in asked)
        assert {own("agents", state=state) for state in STATES} <= exporter.page().keys()


async def test_names_filters_and_own_statistics() -> None:
    """Teams and services are chosen by id or name; own totals, sums and names are exported."""
    platform = Platform(start=MORNING)
    floor = platform.floor
    chat = floor.queues["Chat"].guid
    exporter = Exporter(
        platform,
        agents="name",
        services=["Support", chat, "No Such Service"],
        teams=["Blue"],
        statistics={
            "totals": {"agents_logged": {"metric": "custom_logged"}},
            "services": {
                "agents_logged + agents_busy": {"metric": "custom_both"},
                "agents_ready": {"metric": "custom_ready", "labels": {"site": "x"}},
            },
        },
    )
    async with exporter.running(60):
        page = exporter.page()
        queues = {dict(labels)["queue"] for name, labels in page if "waiting" in name}
        assert queues == {"Support", "Chat"}
        names = {dict(labels)["agent"] for name, labels in page if name.endswith("agent_state")}
        assert names == {agent.name for agent in floor.agents.values() if agent.team == "Blue"}
        truth = platform.simulator.truth().services["Support"]
        both = int(truth["agents_logged"]) + int(truth["agents_busy"])
        assert page[own("custom_both", queue="Support")] == both
        assert own("custom_ready", queue="Chat", site="x") in page
        assert own("custom_logged") in page
        assert page[own("queue_info", queue="Chat", id=chat.upper())] == 1
        assert exporter.metric("schema_unmapped", table="subscription.services", kind="column") == 0


@pytest.mark.slow
async def test_campaigns_run_only_if_asked_for() -> None:
    """Without ``feeds: {campaigns: …}`` nothing is read of List Management."""
    platform = Platform(start=MORNING)
    exporter = Exporter(platform)
    async with exporter.running(2000):
        assert platform.requests("/configapi/v3") == []
        assert exporter.metric("feed_up", feed="campaigns") is None


async def test_campaign_refusal_costs_only_campaigns() -> None:
    """A user without the privilege for campaigns keeps the rest of the figures."""
    platform = Platform(start=MORNING, may_see_campaigns=False)
    exporter = Exporter(platform, feeds={"campaigns": {}})
    async with exporter.running(600):
        assert exporter.metric("feed_up", feed="campaigns") == 0
        assert exporter.metric("feed_up", feed="subscription") == 1
    assert len(platform.requests("/campaign/")) == 1


@pytest.mark.parametrize("unseen", ["empty", "absent"])
async def test_missing_privileges_make_no_zeros(unseen: str) -> None:
    """A block that the platform leaves out is absent from the page, not zero."""
    platform = Platform(start=MORNING, may_see_agents=False, unseen=unseen)
    exporter = Exporter(platform)
    async with exporter.running(60):
        names = {name for name, _ in exporter.page()}
        assert "contactcenter_queue_contacts_waiting" in names
        assert ("contactcenter_agents" in names) == (unseen == "empty")


async def test_secrets_are_in_no_log_and_no_metric(caplog: pytest.LogCaptureFixture) -> None:
    """Neither secret nor token is in any log line or metric, whatever goes wrong."""
    caplog.set_level(logging.DEBUG, logger="exporter")
    platform = Platform(start=MORNING)
    exporter = Exporter(platform, agents="id")
    async with exporter.running(20):
        for kind in ("401", "401", "html502", "cut", "html200", "400", "404", "403", "reset"):
            platform.simulator.fail_next(kind)
            await exporter.go_on(60)
    said = " ".join(str(vars(record)) for record in caplog.records)
    told = said + generate_latest(exporter.telemetry.registry).decode()
    assert platform.simulator.api_secret not in told
    assert "Bearer" not in told


async def test_directory_is_needed_for_filters_only() -> None:
    """Without a directory all is read, unless names have to be found; then sign-in waits for it."""
    platform = Platform(start=MORNING)
    platform.simulator.fail_next("html502", n=1000, target="/statsapi/cfg/*")
    plain, filtered = Exporter(platform), Exporter(platform, services=["Support"])
    async with plain.running(60):
        assert plain.metric("feed_up", feed="subscription") == 1
        assert plain.metric("feed_up", feed="directory") == 0
    async with filtered.running(60):
        assert filtered.metric("up") == 0
        assert filtered.page() == {}
    assert platform.simulator.active_subscriptions == 0


async def test_changed_directory_is_followed() -> None:
    """What the directory newly says to ask for is asked for, by a new subscription."""
    platform = Platform(start=MORNING)
    exporter = Exporter(platform, feeds={"directory": {"interval": "1m"}})
    async with exporter.running(90):
        assert platform.requests().count("POST /statsapi/subscription") == 1
        platform.floor.dispositions = (*platform.floor.dispositions, "Brand New")
        await exporter.go_on(120)
        assert platform.requests().count("POST /statsapi/subscription") == 2
        labels = [dict(labels) for name, labels in exporter.page() if "disposition" in name]
        assert "Brand New" in {label["disposition"] for label in labels}


async def test_configured_service_created_again() -> None:
    """A configured service that was deleted and created again is found by its new id."""
    platform = Platform(start=MORNING)
    name = next(iter(platform.floor.queues))
    exporter = Exporter(platform, services=[name])

    def families() -> set[str]:
        shown = {family for family, labels in exporter.page() if ("queue", name) in labels}
        return shown - {"contactcenter_queue_info"}

    async with exporter.running(400):
        before = families()
        assert before
        platform.floor.queues[name].guid = "99999999-2222-3333-4444-555555555555"
        await exporter.go_on(60)
        assert families() == before


async def test_failed_remaking_of_the_subscription_is_made_up_for() -> None:
    """Where a lost subscription cannot be made at once, the next refresh makes it."""
    platform = Platform(start=MORNING)
    exporter = Exporter(platform)
    async with exporter.running(30):
        platform.simulator.take_over()
        platform.simulator.fail_next("html503", target="/statsapi/subscription")
        await exporter.go_on(90)
        assert exporter.metric("feed_up", feed="subscription") == 1


@pytest.mark.parametrize("interval", first(2, [5, 30, 10, 29, 60]))
async def test_interval_of_the_directory_is_kept(interval: int) -> None:
    """The directory is read as often as its interval says, also below half a minute."""
    platform = Platform(start=MORNING)
    exporter = Exporter(platform, feeds={"directory": {"interval": f"{interval}s"}})
    async with exporter.running(60):
        before = len(platform.requests("/services"))
        await exporter.go_on(10 * interval)
        read = len(platform.requests("/services")) - before
        assert 9 <= read <= 11


@pytest.mark.parametrize("kind", ["twice:0", "lacking:0", "lacking:1"])
async def test_odd_rows_make_no_wrong_figure(kind: str) -> None:
    """Rows that come twice, or lack the cell that names them, are counted; others stand."""
    platform = Platform(start=MORNING)
    exporter = Exporter(platform, agents="id")
    platform.simulator.tick = None  # time stands still on the floor
    async with exporter.running(30):
        before = exporter.page()
        platform.simulator.fail_next(kind, n=10_000, target="*/data")
        await exporter.go_on(120)
        page = exporter.page()
        duplicates = exporter.metric("duplicate_samples_total", feed="subscription")
        refused = exporter.metric("schema_rejected_cells_total", table="subscription.services")
    figures = {key for key in page if "seconds" not in key[0]}
    assert {key for key in figures if page[key] != before.get(key)} == set()
    assert "contactcenter_queue_contacts_waiting" in {name for name, _ in page}
    assert (duplicates > 0) is (kind == "twice:0")
    assert (refused > 0) is (kind == "lacking:0")
    agents = any(name == "contactcenter_agents" for name, _ in page)
    assert agents is (kind == "twice:0")
