"""Genesys figures while the platform's clock steps, end to end."""

import pytest

from exporter.simulators.floor.floor import Floor
from support.clock import run
from support.genesys import MORNING, TICK, Exporter, Platform, objects_of, own


@pytest.mark.parametrize("mode", ["subscribe", "poll"])
@pytest.mark.parametrize("step", [-300.0, -20.0, -2.0, 600.0])
def test_the_page_follows_a_clock_that_steps(mode: str, step: float) -> None:
    """Whatever the step, the page is right within a minute; a step beyond 30 s costs nothing."""
    floor = Floor(agents=0, queues=3, campaigns=0, seed=3, start=MORNING)
    platform = Platform(start=MORNING, floor=floor)
    simulator = platform.simulator
    exporter = Exporter(
        platform,
        objects=objects_of(simulator, "Queue"),
        mode=mode,
        feeds={"statistics": {"interval": "2s"}} if mode == "poll" else {},
    )
    queue = next(iter(floor.queues))
    waiting = own("queue_contacts_waiting", queue=queue, media="all")

    async def main() -> None:
        async with exporter.running(3 * TICK):
            platform.frozen = True
            floor.surge(queue, 3)
            floor.advance(floor.now + 1)
            await exporter.go_on(10)
            assert exporter.page()[waiting] == floor.queues[queue].waiting_count
            simulator.stamp_ahead = step
            floor.surge(queue, 5)
            floor.advance(floor.now + 1)  # the only change: nothing follows it
            await exporter.go_on(3)
            prompt = exporter.page()[waiting] == floor.queues[queue].waiting_count
            assert prompt or (mode == "subscribe" and -30 <= step < 0)
            await exporter.go_on(60)
            assert exporter.page()[waiting] == floor.queues[queue].waiting_count
            simulator.stamp_ahead = 0.0
            floor.surge(queue, 2)
            floor.advance(floor.now + 1)
            await exporter.go_on(60)
            assert exporter.page()[waiting] == floor.queues[queue].waiting_count
            outdated = exporter.metric("outdated_values_total", feed="statistics")
            if mode == "poll" or step < -30:
                assert not outdated
            elif step < 0:
                assert outdated

    run(main())
