"""Genesys end to end: each figure on the page equals the simulated floor's or is absent."""

import logging
import random
import statistics as math
from collections.abc import Coroutine
from itertools import pairwise
from typing import Any

import pytest

from exporter.collector.survey import Collected
from exporter.simulators.floor.figures import READY
from exporter.simulators.floor.floor import Floor
from exporter.simulators.genesys.rest import spring
from support.bench import Line
from support.clock import run
from support.genesys import MORNING, TICK, Exporter, Platform, objects_of, own
from support.page import Series
from support.quick import first
from support.storms.genesys import SETTINGS, conform


def waiting(queue: str) -> Series:
    return own("queue_contacts_waiting", queue=queue, media="all")


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("mode", ["subscribe", "poll"])
def test_every_uncertain_shape_is_read(name: str, mode: str) -> None:
    """In both modes the page is the floor, whatever the documents leave open."""
    interval = {"feeds": {"statistics": {"interval": "2s"}}} if mode == "poll" else {}
    made = conform(SETTINGS[name], MORNING, 1, 0.0, 25, mode=mode, chunk=30, **interval)
    _, comparison, _ = run(made)
    assert comparison.wrong[:5] == []
    assert comparison.absent == 0
    assert comparison.equal > 25 * 200


def alone(exporter: Exporter, work: Coroutine[Any, Any, None]) -> None:
    """Run an exporter on a virtual loop while a test does its work."""

    async def main() -> None:
        async with exporter.running(3 * TICK):
            await work

    run(main())


def small(**settings: Any) -> Platform:
    floor = Floor(agents=12, queues=6, campaigns=4, seed=3, start=MORNING)
    return Platform(floor=floor, **settings)


@pytest.mark.parametrize("changes", [50, pytest.param(200, marks=pytest.mark.slow)])
def test_a_change_is_on_the_page_within_two_seconds(changes: int) -> None:
    """Of many changes on the floor, half are on the page within 1 s and all within 2, unpolled."""
    platform = small()
    exporter = Exporter(platform)
    platform.frozen = True
    delays: list[float] = []

    async def work() -> None:
        clock, floor, chance = platform.clock, platform.floor, random.Random(5)
        names = list(floor.queues)
        before = len(platform.requests("/subscriptions"))
        for number in range(changes):
            await exporter.go_on(1.5 + chance.random())
            name = names[number % len(names)]
            for agent in floor.agents.values():
                agent.queues = ()  # so that nobody answers what arrives
            floor.surge(name, 1)
            floor.advance(clock.time())
            wanted, since = floor.queues[name].waiting_count, clock.monotonic()
            while exporter.page().get(waiting(name)) != wanted:
                assert clock.monotonic() < since + 5, "never seen"
                await exporter.go_on(0.02)
            delays.append(clock.monotonic() - since)
        assert len(platform.requests("/subscriptions")) == before, "it was polled"

    alone(exporter, work())
    print(f"median {math.median(delays):.2f} s, worst {max(delays):.2f} s")
    assert math.median(delays) <= 1.0
    assert max(delays) <= 2.0


def test_nothing_is_folded_while_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A silent session stays fresh without any work: the same blocks are published again."""
    platform = small()
    platform.frozen = True
    exporter = Exporter(platform, objects=objects_of(platform.simulator, "CampaignGroup"))

    async def work() -> None:
        snapshot = exporter.store.latest("acme", "statistics")
        assert snapshot is not None
        await exporter.go_on(400)
        later = exporter.store.latest("acme", "statistics")
        assert later is not None
        assert later.blocks is snapshot.blocks
        assert later.expires_at > snapshot.expires_at + 300
        assert exporter.metric("feed_up", feed="statistics") == 1

    alone(exporter, work())


def test_a_dead_session_ages() -> None:
    """Once the long poll is not answered any more, figures leave the page within a minute or so."""
    platform = small()
    line = Line(platform.simulator.app)
    exporter = Exporter(platform, line)

    async def work() -> None:
        line.is_cut = True
        await exporter.go_on(25)
        assert exporter.page()
        await exporter.go_on(50)
        assert exporter.page() == {}
        assert exporter.metric("up") == 0
        line.is_cut = False
        await exporter.go_on(150)
        assert exporter.page()

    alone(exporter, work())


def test_an_unavailable_service_drops_its_figures() -> None:
    """UNAVAILABLE takes the figures off the page at once, AVAILABLE brings them back."""
    platform = small()
    exporter = Exporter(platform)

    async def work() -> None:
        simulator = platform.simulator
        await exporter.go_on(30)
        creates = len(platform.requests("/subscriptions", "POST"))
        simulator.unavailable()
        await exporter.go_on(2.5)
        assert exporter.page() == {}
        assert exporter.metric("feed_up", feed="statistics") == 0
        await exporter.go_on(5)
        assert len(platform.requests("/subscriptions", "POST")) == creates
        simulator.available()
        await exporter.go_on(3)
        assert exporter.page()
        assert simulator.open_statistics > 0

    alone(exporter, work())


def test_a_missed_word_of_availability_is_made_up_for() -> None:
    """Where AVAILABLE gets lost, the statistics are opened again after a while all the same."""
    platform = small()
    exporter = Exporter(platform)

    async def work() -> None:
        platform.simulator.unavailable()
        await exporter.go_on(3)
        platform.simulator.is_available = True  # and nobody is told
        await exporter.go_on(60)
        assert exporter.page()

    alone(exporter, work())


@pytest.mark.parametrize("status", [401, 403])
def test_an_expired_token_costs_no_figure(status: int) -> None:
    """When every token ends, no figure is missing and one new token is asked for."""
    platform = small(refused_status=status)
    exporter = Exporter(platform)

    async def work() -> None:
        platform.frozen = True
        await exporter.go_on(15)
        wanted = set(exporter.page())
        for _ in range(3):
            platform.simulator.expire_tokens()
            for _ in range(30):
                await exporter.go_on(1)
                assert wanted - set(exporter.page()) == set()
        assert len(platform.requests("/oauth/token")) == 4
        assert exporter.metric("session_signins_total", outcome="ok") == 1

    alone(exporter, work())


@pytest.mark.timeout(300)
def test_tokens_are_renewed_ahead_of_their_end() -> None:
    """Tokens that live five minutes are replaced in time: no request is ever refused."""
    platform = small(token_seconds=300.0)
    exporter = Exporter(platform)

    async def work() -> None:
        await exporter.go_on(1200)
        assert {each.status for each in platform.simulator.log} <= {200, None}
        assert (
            exporter.metric("api_requests_total", operation="/meta/connect", outcome="auth") is None
        )

    alone(exporter, work())
    tokens = exporter.metric("api_requests_total", operation="POST /oauth/token", outcome="ok")
    assert tokens is not None
    assert 5 <= tokens <= 7


def test_wrong_credentials_are_tried_once(caplog: pytest.LogCaptureFixture) -> None:
    """A wrong password makes one token request, then none until auth_retry; nothing leaks."""
    caplog.set_level(logging.DEBUG)
    platform = small()
    exporter = Exporter(platform, password="open sesame", auth_retry="15m")

    async def work() -> None:
        await exporter.go_on(600)
        assert platform.requests() == ["POST /auth/v3/oauth/token"]
        assert exporter.metric("session_signins_total", outcome="auth") == 1
        assert exporter.metric("up") == 0
        await exporter.go_on(400)
        assert len(platform.requests()) == 2

    alone(exporter, work())
    for secret in ("open sesame", platform.simulator.client_secret, platform.simulator.api_key):
        assert secret not in caplog.text


def test_stopping_leaves_nothing_behind() -> None:
    """On SIGTERM subscriptions are deleted, the session is ended, the token given back, at once."""
    platform = small()
    exporter = Exporter(platform)
    simulator = platform.simulator

    async def main() -> None:
        async with exporter.running(60):
            began = platform.clock.monotonic()
            assert simulator.open_subscriptions
        assert platform.clock.monotonic() - began < 1
        assert simulator.open_subscriptions == []
        assert simulator.live_sessions == []

    run(main())
    last = list(simulator.log)
    assert last[-1].path == "/auth/v3/sign-out"
    assert "/meta/disconnect" in {channel for each in last[-4:] for channel in each.channels}


def test_stopping_is_bounded() -> None:
    """A platform that does not answer any more holds up the end by no more than ten seconds."""
    platform = small()
    exporter = Exporter(platform, chunk=20)
    ended: list[float] = []

    async def main() -> None:
        async with exporter.running(60):
            platform.simulator.fail_next("hang", 1_000)
            began = platform.clock.monotonic()
        ended.append(platform.clock.monotonic() - began)

    run(main())
    assert 1 < ended[0] < 10


def test_a_vanished_object_leaves_within_ten_minutes() -> None:
    """Nobody tells that an object is gone, so that everything is read once every ten minutes."""
    platform = small()
    exporter = Exporter(platform)

    async def work() -> None:
        name = next(iter(platform.floor.queues))
        platform.floor.remove_queue(name)
        await exporter.go_on(630)
        page = exporter.page()
        assert waiting(name) not in page
        assert any(series[0] == "contactcenter_queue_contacts_waiting" for series in page)

    alone(exporter, work())


def test_an_object_that_comes_later_is_opened_later() -> None:
    """What could not be opened is tried again every ten minutes."""
    platform = small()
    known = objects_of(platform.simulator, "Queue")
    later = {"type": "Queue", "ids": ["Later@SIP_Switch"], "names": {"Later@SIP_Switch": "Later"}}
    exporter = Exporter(platform, objects=[*known, later])

    async def work() -> None:
        assert waiting("Later") not in exporter.page()
        platform.floor.add_queue("Later")
        await exporter.go_on(630)
        assert waiting("Later") in exporter.page()

    alone(exporter, work())


@pytest.mark.parametrize("mode", ["subscribe", "poll"])
def test_own_statistics_are_mapped(mode: str) -> None:
    """A name that the contact centre defines, and a definition, go where the user says."""
    platform = small()
    queue = next(iter(platform.floor.queues))
    group = {"subject": "DNStatus", "mainMask": "WaitForNextCall", "category": "CurrentNumber"}
    own_statistics = [
        {
            "name": "CurrentNumberWaitingCalls",
            "object_type": "Queue",
            "object_ids": [f"{queue}@SIP_Switch"],
            "metric": "queue_contacts_waiting",
            "labels": {"media": "all"},
        },
        {
            "definition": {**group, "notificationMode": "Immediate"},
            "object_type": "GroupAgents",
            "object_ids": [queue],
            "metric": "custom_ready",
        },
        {"name": "NoSuch", "object_type": "Queue", "object_ids": ["x"], "metric": "custom_none"},
    ]
    exporter = Exporter(
        platform,
        objects=objects_of(platform.simulator, "Queue"),
        statistics=own_statistics,
        mode=mode,
    )
    platform.frozen = True

    async def work() -> None:
        floor, page = platform.floor, exporter.page()
        label = f"{queue}@SIP_Switch" if waiting(queue) not in page else queue
        assert page[waiting(label)] == floor.queues[queue].waiting_count
        ready = sum(x.state == READY for x in floor.agents.values() if queue in x.queues)
        assert page[own("custom_ready", queue=queue)] == ready
        assert not any(name == "contactcenter_custom_none" for name, _ in page)
        missing = exporter.metric("schema_missing_columns", table="statistics.queues")
        assert missing == 1

    alone(exporter, work())


def test_polling_opens_again_what_is_gone() -> None:
    """In poll mode a subscription that is gone is opened again at the next refresh."""
    platform = small(keeps_subscriptions=True)
    exporter = Exporter(platform, mode="poll")

    async def work() -> None:
        platform.simulator.expire_sessions(http=True)
        await exporter.go_on(60)
        assert exporter.page()
        assert exporter.metric("feed_up", feed="statistics") == 1
        platform.simulator.fail_next("500", 1, "*/statistic-values")
        await exporter.go_on(60)
        assert exporter.metric("feed_up", feed="statistics") == 1

    alone(exporter, work())


def test_a_bug_in_the_live_session_ends_it(caplog: pytest.LogCaptureFixture) -> None:
    """What nobody has foreseen is logged with its traceback, and a new session is begun."""
    platform = small()
    exporter = Exporter(platform)

    async def work() -> None:
        store = exporter.collector._session._store
        update, store.update = store.update, None
        platform.simulator.repeat_updates()
        await exporter.go_on(3)
        store.update = update
        await exporter.go_on(30)
        assert exporter.page()

    alone(exporter, work())
    assert "push session broke" in caplog.text
    assert exporter.metric("session_signins_total", outcome="ok") == 2


def test_a_hanging_long_poll_is_given_up() -> None:
    """A connect that is never answered is not waited for beyond what the server said it holds."""
    platform = small()
    exporter = Exporter(platform)

    async def work() -> None:
        platform.simulator.fail_next("hang", 100, "*/notifications*")
        await exporter.go_on(75)
        assert exporter.page() == {}
        assert exporter.metric("session_signins_total", outcome="ok") == 1
        assert exporter.metric("up") == 0
        platform.simulator._failures.clear()
        await exporter.go_on(200)
        assert exporter.page()

    alone(exporter, work())


def test_trouble_while_opening_is_waited_out() -> None:
    """After a lost session, opening is tried again with pauses until it works."""
    platform = small()
    exporter = Exporter(platform)

    async def work() -> None:
        platform.simulator.fail_next("503", 4, "*/subscriptions")
        platform.simulator.expire_sessions()
        await exporter.go_on(60)
        waited = exporter.metric("feed_refreshes_total", feed="statistics", outcome="reopening")
        assert waited is not None
        assert waited > 3
        assert exporter.metric("session_signins_total", outcome="ok") == 1
        assert exporter.metric("feed_up", feed="statistics") == 1

    alone(exporter, work())


@pytest.mark.slow
def test_what_a_quiet_hour_costs() -> None:
    """A live session costs its long polls and an opening of all statistics every ten minutes."""
    platform = small()
    exporter = Exporter(platform, chunk=50)
    before: dict[str, float] = {}

    def count(operation: str) -> float:
        labels = {"operation": operation, "outcome": "ok"}
        return exporter.metric("api_requests_total", **labels) or 0.0

    async def work() -> None:
        platform.frozen = True
        await exporter.go_on(60)
        steady = exporter.collector.steady_requests("statistics", {})
        before.update({operation: count(operation) for operation in steady})
        await exporter.go_on(3600)
        for operation, share in steady.items():
            made = count(operation) - before[operation]
            assert made == pytest.approx(share * 3600, rel=0.25), operation

    alone(exporter, work())


def test_no_person_is_named_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """An agent whose statistics could not be opened is not named."""
    platform = small()
    exporter = Exporter(platform, objects=[{"type": "Agent", "ids": ["nobody.known"]}])

    async def work() -> None:
        await exporter.go_on(1)

    alone(exporter, work())
    assert "statistics not opened" in caplog.text
    fields = [getattr(record, "fields", {}) for record in caplog.records]
    assert not any("nobody.known" in str(field) for field in fields)


@pytest.mark.parametrize("mode", ["subscribe", "poll"])
def test_a_changed_password_is_tried_once(mode: str) -> None:
    """Where the password has changed meanwhile, one sign-in is refused, and nobody asks again."""
    platform = small(keeps_subscriptions=True)
    exporter = Exporter(platform, chunk=20, mode=mode)

    async def work() -> None:
        simulator = platform.simulator
        before = len(platform.requests("/oauth/token"))
        simulator.password = "another"
        simulator.expire_tokens()
        await exporter.go_on(300)
        assert len(platform.requests("/oauth/token")) == before + 1
        assert exporter.page() == {}
        assert exporter.refresher.status().session == "stopped"

    alone(exporter, work())


def test_polling_begins_anew_however_long_opening_takes() -> None:
    """Where a subscription is gone and opening takes long, the account comes back, and no more."""
    platform = small(keeps_subscriptions=True)
    exporter = Exporter(platform, chunk=20, mode="poll", timeout="30s")

    async def work() -> None:
        opened = len(platform.simulator.open_subscriptions)
        platform.simulator.fail_next("500", 1, "*/statistic-values")
        platform.simulator.fail_next("slow:3", 21, "*/subscriptions")
        await exporter.go_on(400)
        assert exporter.page()
        assert len(platform.simulator.open_subscriptions) <= opened

    alone(exporter, work())


def test_a_lot_that_breaks_the_platform_leaves_nothing_behind() -> None:
    """While some statistics cannot be opened for days, subscriptions do not pile up."""
    platform = small(keeps_subscriptions=True)
    exporter = Exporter(platform, chunk=20)

    async def work() -> None:
        opened = len(platform.simulator.open_subscriptions)
        platform.simulator.expire_sessions()
        for _ in range(40):
            platform.simulator.fail_next("500", 1, "*/subscriptions")
            await exporter.go_on(30)
            assert len(platform.simulator.open_subscriptions) <= 2 * opened
        platform.simulator._failures.clear()
        await exporter.go_on(600)
        assert exporter.page()

    alone(exporter, work())


def test_doubtful_definitions_cost_only_themselves() -> None:
    """Where the platform breaks over a definition of ours that is a guess, the rest is read."""
    platform = small()
    exporter = Exporter(platform, objects=objects_of(platform.simulator, "Queue"))
    create = platform.simulator._rest.create

    def breaks(session: str, body: Any, query: Any) -> Any:
        asked = body["data"]["statistics"]
        doubtful = {"EstimWaitTime", "ExpectedWaitTime2"}
        if doubtful & {each["definition"]["category"] for each in asked}:
            return spring("java.lang.NullPointerException", 0.0)
        return create(session, body, query)

    platform.simulator._rest.create = breaks

    async def work() -> None:
        names = {name for name, _ in exporter.page()}
        assert "contactcenter_queue_contacts_waiting" in names
        assert "contactcenter_queue_contacts_handled_total" in names
        assert "contactcenter_queue_estimated_wait_seconds" not in names

    alone(exporter, work())


def test_an_interval_is_kept() -> None:
    """With a longer interval, what was pushed is published so often and no more."""
    platform = small()
    exporter = Exporter(platform, feeds={"statistics": {"interval": "20s"}})

    async def work() -> None:
        labels = {"feed": "statistics", "outcome": "ok"}
        before = exporter.metric("feed_refreshes_total", **labels) or 0.0
        await exporter.go_on(200)
        after = exporter.metric("feed_refreshes_total", **labels) or 0.0
        assert 9 <= after - before <= 11

    alone(exporter, work())


def test_a_bad_name_costs_only_itself_when_polling() -> None:
    """A lot of names that is refused is halved until the bad one is found, which is remembered."""
    platform = small(refuses_unknown_names=True)
    queues = platform.simulator.objects()["Queue"]
    names = [
        {
            "name": name,
            "object_type": "Queue",
            "object_ids": queues,
            "metric": f"custom_{number}",
        }
        for number, name in enumerate(("CurrentNumberWaitingCalls", "Nope"))
    ]
    exporter = Exporter(platform, objects=[], statistics=names, mode="poll")

    async def work() -> None:
        found = {name for name, _ in exporter.page()}
        assert "contactcenter_custom_0" in found
        assert "contactcenter_custom_1" not in found
        before = len(platform.requests("/get-statistic-ex"))
        await exporter.go_on(61)
        assert len(platform.requests("/get-statistic-ex")) <= before + 5

    alone(exporter, work())


def test_failing_connects_are_not_taken_for_silence() -> None:
    """While connects are known to fail figures get older, though they are still shown."""
    platform = small()
    line = Line(platform.simulator.app)
    exporter = Exporter(platform, line)

    async def work() -> None:
        line.is_cut = True
        await exporter.go_on(23)
        read = exporter.metric("feed_last_success_timestamp_seconds", feed="statistics")
        await exporter.go_on(5)
        later = exporter.metric("feed_last_success_timestamp_seconds", feed="statistics")
        assert read == later
        assert exporter.page()

    alone(exporter, work())


@pytest.mark.parametrize(
    ("cut_after", "cut_with"),
    [
        (5.0, "reset"),
        *(
            pytest.param(cut_after, cut_with, marks=pytest.mark.slow)
            for cut_after in (1.0, 5.0)
            for cut_with in ("reset", "empty", "502", "504")
            if (cut_after, cut_with) != (5.0, "reset")
        ),
    ],
)
def test_long_polls_that_are_cut(
    cut_after: float, cut_with: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Where a proxy cuts each long poll, nothing is opened anew, and the figures stay true."""

    async def main() -> None:
        platform = Platform(cut_after=cut_after, cut_with=cut_with)
        exporter = Exporter(platform)
        async with exporter.running(300):
            subscriptions = set(platform.simulator.open_subscriptions)
            begin = platform.clock.time()
            for _ in range(100):
                await exporter.go_on(9)
                assert exporter.metric("up") == 1
            log = [record for record in platform.simulator.log if record.start >= begin]
            opened = [record for record in log if record.method == "POST" and not record.channels]
            assert opened == []
            assert set(platform.simulator.open_subscriptions) == subscriptions
            assert exporter.metric("session_signins_total", outcome="ok") == 1
            assert len(log) <= 15 * 15, "a minute's fifteenfold"
            name = next(iter(platform.floor.queues))
            platform.floor.surge(name, 50)
            await exporter.go_on(25)
            assert exporter.page()[waiting(name)] >= 20
            platform.simulator.cut_after = None
            await exporter.go_on(900)
            begin = platform.clock.time()
            await exporter.go_on(120)
            starts = [record.start for record in platform.simulator.log if record.start >= begin]
            assert min(b - a for a, b in pairwise(starts)) < 5, "connects are held again"

    run(main())
    warnings = [x for x in caplog.records if x.getMessage() == "long polls are cut"]
    assert len(warnings) == 1
    assert "mode: poll" in str(vars(warnings[0]))


@pytest.mark.parametrize(
    "refusal", first(2, ["503", "404", "500", "403", "spring", "garbage", "hang", "html502"])
)
def test_no_old_value_while_reading_after_a_gap_fails(refusal: str) -> None:
    """An update is lost, and reading fails, while the subscription sends others: no figure lies."""
    platform = small()
    floor, simulator = platform.floor, platform.simulator
    exporter = Exporter(platform)
    quiet, busy = list(floor.queues)[:2]
    offered = own("queue_contacts_offered_total", queue=quiet, media="all")

    async def surge(seconds: int) -> None:
        for _ in range(seconds // 5):
            floor.surge(busy, 1)
            await exporter.go_on(5)

    async def work() -> None:
        platform.floor.set_load(0.0)
        await surge(20)
        before = exporter.page()[offered]
        simulator.fail_next("cut", 1, "*/meta/connect")
        simulator.fail_next(refusal, 10_000, "*/statistic-values")
        for _ in range(60):
            if simulator.log[-1].outcome == "cut":  # the connect that is held now
                break
            await exporter.go_on(0.5)
        floor.surge(quiet, 50)
        await surge(60)
        pages = []
        for _ in range(24):
            pages.append(exporter.page())
            await surge(5)
        assert before not in [page.get(offered) for page in pages]
        simulator.fail_no_more()
        await surge(90)
        assert exporter.page()[offered] == floor.queues[quiet].day.offered > before
        assert exporter.metric("up") == 1

    alone(exporter, work())


@pytest.mark.parametrize("cut_after", [1.0, 5.0, None])
def test_check_reports_long_polls_that_are_cut(cut_after: float | None) -> None:
    """The survey of ``check --live`` names ``mode: poll`` where a proxy cuts long polls."""

    async def main() -> None:
        platform = Platform(cut_after=cut_after)
        platform.frozen = True
        exporter = Exporter(platform)
        async with exporter.client, exporter.collector.open():
            reading = await exporter.collector.fetch("statistics")
            survey = await exporter.collector.survey(Collected({"statistics": reading}, {}, None))
        hints = [hint for hint in survey.hints if "mode: poll" in hint]
        assert len(hints) == (cut_after is not None)

    run(main())
