"""Poll mode, with and without CometD: what the documents leave open about its session."""

from typing import Any

import pytest

from exporter.simulators.floor.floor import Floor
from support.clock import run
from support.genesys import MORNING, TICK, Exporter, Platform, objects_of, truth
from support.quick import first

QUARTER = 15.0  # seconds: the default interval
# Of the platform: what a subscription needs, and what becomes of it.
PLATFORMS: dict[str, dict[str, Any]] = {
    "handshake": {},
    "handshake, brief": {"max_interval": 5.0},
    "handshake, kept": {"keeps_subscriptions": True},
    "handshake, 400": {"no_session_status": 400},
    "handshake, 401": {"no_session_status": 401},
    "handshake, 404": {"no_session_status": 404},
    "handshake, 500": {"no_session_status": 500},
    "handshake, 503": {"no_session_status": 503},
    "handshake, two nodes": {"balancer": True, "secure_browser_cookie": True},
    "cookie": {"subscribes_with": "cookie"},
    "cookie, 403": {"subscribes_with": "cookie", "notifications": "403"},
    "cookie, 404": {"subscribes_with": "cookie", "notifications": "404"},
    "id, 403": {"subscribes_with": "id", "notifications": "403"},
    "id, 404": {"subscribes_with": "id", "notifications": "404"},
}


def made(settings: dict[str, Any], **options: Any) -> tuple[Platform, Exporter]:
    floor = Floor(agents=8, queues=4, campaigns=2, seed=3, start=MORNING - 3 * 3600)
    floor.advance(MORNING)
    platform = Platform(start=MORNING, floor=floor, **settings)
    objects = objects_of(platform.simulator, "Queue", "GroupAgents")
    return platform, Exporter(platform, objects=objects, mode="poll", chunk=20, **options)


def failed(exporter: Exporter) -> float:
    """Return how many refreshes have failed."""
    refreshes = exporter.telemetry.feed_refreshes.collect()[0].samples
    return sum(
        sample.value
        for sample in refreshes
        if sample.name.endswith("_total") and sample.labels["outcome"] != "ok"
    )


@pytest.mark.parametrize("name", first(5, PLATFORMS))
def test_ten_minutes_at_the_default_interval(name: str) -> None:
    """No refresh fails, nothing is signed in or opened twice, and the page is the floor."""
    platform, exporter = made(PLATFORMS[name])

    async def main() -> None:
        async with exporter.running(QUARTER):
            simulator = platform.simulator
            statistics, ids = simulator.open_statistics, simulator.open_subscriptions
            assert statistics
            for _ in range(40):
                await exporter.go_on(QUARTER)
                assert exporter.page()
            platform.frozen = True
            await exporter.go_on(2 * QUARTER)
            assert failed(exporter) == 0
            assert exporter.metric("session_signins_total", outcome="ok") == 1
            assert simulator.open_subscriptions == ids
            page, floor = exporter.page(), truth(platform.floor, exporter.config)
            assert {series: page.get(series) for series in floor} == floor
        assert simulator.open_subscriptions == []
        assert simulator.live_sessions == []

    run(main())
    asked = platform.requests("/notifications")
    assert bool(asked) == name.startswith("handshake"), "CometD is not needed"


@pytest.mark.parametrize("notifications", ["served", "403"])
def test_names_need_no_session(notifications: str) -> None:
    """Statistics that have a name are read without a subscription and without CometD."""
    platform, _ = made({"notifications": notifications})
    names = [
        {
            "name": "CurrentNumberWaitingCalls",
            "object_type": "Queue",
            "object_ids": platform.simulator.objects()["Queue"],
            "metric": "custom_waiting",
        }
    ]
    exporter = Exporter(platform, objects=[], statistics=names, mode="poll")

    async def main() -> None:
        async with exporter.running(10 * QUARTER):
            assert failed(exporter) == 0
            assert exporter.page()

    run(main())
    assert not platform.requests("/notifications")
    assert not platform.requests("/subscriptions")


@pytest.mark.parametrize("seconds", [10.0, 100.0])
def test_subscriptions_that_end_without_cometd(seconds: float) -> None:
    """Where subscriptions end because nobody listens, a session is begun, once."""
    settings = {"subscribes_with": "cookie", "unheard_seconds": seconds}
    platform, exporter = made(settings)

    async def main() -> None:
        async with exporter.running(3 * TICK):
            for _ in range(40):
                await exporter.go_on(QUARTER)
                assert exporter.page()
            assert failed(exporter) == 0
            assert exporter.metric("session_signins_total", outcome="ok") == 1

    run(main())
    handshakes = [r for r in platform.simulator.log if "/meta/handshake" in r.channels]
    assert len(handshakes) == 1


def test_a_platform_that_is_away_for_minutes_needs_no_sign_in() -> None:
    """While every request fails no sign-in is made; then all is opened again."""
    platform, exporter = made({})

    async def main() -> None:
        async with exporter.running(QUARTER):
            platform.simulator.unavailable()
            await exporter.go_on(180)
            assert exporter.page() == {}
            platform.simulator.available()
            await exporter.go_on(65)
            assert exporter.page()
            assert exporter.metric("session_signins_total", outcome="ok") == 1

    run(main())


@pytest.mark.parametrize("status", ["500", "503", "garbage"])
def test_a_subscription_that_fails_once_is_kept(status: str) -> None:
    """One failure is no reason to open anything anew: totals would restart."""
    platform, exporter = made({})

    async def main() -> None:
        async with exporter.running(QUARTER):
            ids = platform.simulator.open_subscriptions
            platform.simulator.fail_next(status, 1, "*/statistic-values")
            await exporter.go_on(4 * QUARTER)
            assert platform.simulator.open_subscriptions == ids
            assert failed(exporter) == 1
            assert exporter.page()

    run(main())


def test_connects_that_a_gateway_refuses() -> None:
    """Where a handshake passes and connects do not, handshakes do not pile up."""
    platform, exporter = made({"keeps_subscriptions": True})

    async def main() -> None:
        async with exporter.running(QUARTER):
            platform.simulator.fail_next("403", 10_000, "*/meta/connect")
            await exporter.go_on(600)
            assert failed(exporter) == 0
            assert exporter.page()

    run(main())
    handshakes = [r for r in platform.simulator.log if "/meta/handshake" in r.channels]
    assert len(handshakes) <= 2
