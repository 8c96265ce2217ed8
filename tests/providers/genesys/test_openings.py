"""Totals that count from the opening of a statistic: what restarts them, and what must not."""

from typing import Any

import pytest

from exporter.simulators.floor.floor import Floor
from support.clock import run
from support.genesys import MORNING, TICK, Exporter, Platform, objects_of, own
from support.page import Series
from support.quick import first

MODES = ["subscribe", "poll"]
CHECK = 630.0  # seconds within which the routine check has run


def offered(queue: str) -> Series:
    return own("queue_contacts_offered_total", queue=queue, media="all")


class Watch:
    """The totals of offered contacts as Prometheus would see them, one scrape a second."""

    def __init__(self, mode: str, **settings: Any) -> None:
        floor = Floor(agents=8, queues=4, campaigns=2, seed=3, start=MORNING - 3 * 3600)
        floor.advance(MORNING)
        settings = {"counts_from": "opening", **settings}
        self.platform = Platform(start=MORNING, floor=floor, **settings)
        self.simulator = self.platform.simulator
        feeds = {"statistics": {"interval": "2s"}} if mode == "poll" else {}
        self.exporter = Exporter(
            self.platform, objects=objects_of(self.simulator, "Queue"), mode=mode, feeds=feeds
        )
        self.increase: dict[str, float] = dict.fromkeys(floor.queues, 0.0)
        self.falls = 0
        self.last: dict[str, float] = {}

    def day(self, queue: str) -> int:
        return self.platform.floor.queues[queue].day.offered

    def total(self, queue: str) -> float | None:
        return self.exporter.page().get(offered(queue))

    def creates(self) -> int:
        """Return how many statistics were opened so far."""
        creates = (
            record.body["data"]["statistics"]
            for record in self.simulator.log
            if record.path.endswith("/subscriptions")
        )
        return sum(map(len, creates))

    async def go_on(self, seconds: float) -> None:
        for second in range(int(seconds)):
            if second % 20 == 0 and not self.platform.frozen:
                for queue in self.increase:
                    self.platform.floor.surge(queue, 1)
            await self.exporter.go_on(1.0)
            page = self.exporter.page()
            for queue in self.increase:
                value = page.get(offered(queue))
                if value is None:
                    continue
                before = self.last.get(queue, value)
                self.falls += value < before
                self.increase[queue] += value - before if value >= before else value
                self.last[queue] = value

    async def settle(self) -> None:
        """Let what has happened arrive."""
        self.platform.frozen = True
        await self.go_on(5)
        self.platform.frozen = False

    def run(self, work: Any) -> None:
        async def main() -> None:
            async with self.exporter.running(3 * TICK):
                await self.go_on(1)
                await work()

        run(main())


@pytest.mark.parametrize("mode", first(1, MODES))
def test_the_routine_check_restarts_no_total(mode: str) -> None:
    """Within three checks no statistic is opened again, and every total counts on."""
    watch = Watch(mode)
    queues = list(watch.increase)

    async def work() -> None:
        await watch.settle()
        began = {queue: watch.day(queue) for queue in queues}
        first = {queue: watch.total(queue) for queue in queues}
        assert all(total is not None and total < 5 for total in first.values()), first
        creates = watch.creates()
        await watch.go_on(3 * CHECK)
        await watch.settle()
        assert watch.creates() == creates
        assert watch.falls == 0
        for queue in queues:
            came = watch.day(queue) - began[queue]
            assert came > 0
            assert watch.total(queue) == first[queue] + came

    watch.run(work)


@pytest.mark.parametrize("mode", first(1, MODES))
@pytest.mark.parametrize("loss", ["outage", "session", "http session", "subscription"])
def test_a_loss_restarts_the_totals(mode: str, loss: str) -> None:
    """After a loss the totals begin at zero and count on: none is held or counted twice."""
    watch = Watch(mode)
    simulator, queues = watch.simulator, list(watch.increase)

    async def work() -> None:
        await watch.go_on(300)
        await watch.settle()
        before = dict(watch.last)
        assert min(before.values()) > 3
        if loss == "outage":
            simulator.unavailable()
            await watch.go_on(20)
            simulator.available()
        elif loss == "subscription":
            for key in simulator.open_subscriptions:
                simulator._subscriptions.drop(key)
        else:
            simulator.expire_sessions(http=loss == "http session")
        await watch.go_on(100 if mode == "poll" or loss != "subscription" else CHECK + 100)
        await watch.settle()
        count = {queue: watch.total(queue) for queue in queues}
        days = {queue: watch.day(queue) for queue in queues}
        increase = dict(watch.increase)
        falls = watch.falls
        assert all(count[queue] is not None for queue in queues)
        await watch.go_on(200)
        await watch.settle()
        assert watch.falls == falls <= 2 * len(queues)
        assert falls > 0
        for queue in queues:
            came = watch.day(queue) - days[queue]
            assert watch.total(queue) == count[queue] + came
            assert watch.increase[queue] == increase[queue] + came

    watch.run(work)


@pytest.mark.parametrize("mode", MODES)
def test_a_total_that_goes_on_through_a_loss_is_not_counted_twice(mode: str) -> None:
    """Where totals count from midnight all the same, opening them anew changes nothing."""
    watch = Watch(mode, counts_from="midnight")

    async def work() -> None:
        await watch.settle()
        began = {queue: watch.day(queue) for queue in watch.increase}
        increase = dict(watch.increase)
        watch.simulator.expire_sessions(http=True)
        await watch.go_on(200)
        await watch.settle()
        assert watch.falls == 0
        for queue, day in began.items():
            assert watch.increase[queue] - increase[queue] == watch.day(queue) - day

    watch.run(work)


@pytest.mark.parametrize("mode", first(1, reversed(MODES)))
def test_one_statistic_that_was_deleted_is_opened_again_alone(mode: str) -> None:
    """The check opens what is gone; every other total counts on."""
    watch = Watch(mode)
    gone, *others = watch.increase

    async def work() -> None:
        await watch.go_on(300)
        await watch.settle()
        creates, before = watch.creates(), dict(watch.last)
        days = {queue: watch.day(queue) for queue in watch.increase}
        watch.simulator.drop_statistics(f"{gone}@SIP_Switch", "CallEntered")
        await watch.go_on(CHECK)
        await watch.settle()
        assert watch.creates() == creates + 1
        restarted, day = watch.total(gone), watch.day(gone)
        assert restarted is not None
        assert restarted < before[gone] + day - days[gone]
        assert watch.falls == 1
        await watch.go_on(100)
        await watch.settle()
        assert watch.total(gone) == restarted + watch.day(gone) - day
        for queue in others:
            assert watch.total(queue) == before[queue] + watch.day(queue) - days[queue]

    watch.run(work)


@pytest.mark.parametrize("seconds", [2.0, 8.0, 90.0])
def test_an_outage_whose_announcement_is_lost(seconds: float) -> None:
    """Statistics that were dropped unseen are opened again within two minutes of their return."""
    watch = Watch("subscribe")
    queue = next(iter(watch.increase))

    async def main() -> None:
        async with watch.exporter.running(3 * TICK):
            await watch.go_on(40)
            watch.simulator.fail_next("cut", 1, "*/notifications/meta/connect")
            while watch.simulator.log[-1].outcome != "cut":  # of the long poll that is held now
                await watch.go_on(1)
            watch.simulator.unavailable()
            await watch.go_on(seconds)
            watch.simulator.available()
            await watch.go_on(120)
            assert watch.simulator.open_subscriptions
            opened, shown = watch.day(queue), watch.total(queue)
            assert shown is not None
            watch.platform.floor.surge(queue, 4)
            await watch.go_on(30)
            assert watch.total(queue) == shown + watch.day(queue) - opened

    run(main())
