"""Totals that fall within their period, from the floor through the wire to the page."""

from collections.abc import Mapping
from typing import Any

import pytest

from exporter.metrics.families import FAMILIES
from support.account import Account
from support.clock import run
from support.page import Series
from support.platforms import NAMES, PLATFORMS
from support.quick import first

SETTLED = 160.0  # seconds after which every feed with totals has read a floor that stands still
STEP = 10.0  # seconds between two scrapes
MINUTE, FIVE_MINUTES = 60.0, 300.0
MANY = 5  # contacts, or seconds
CHEAP_FIRST = first(2, reversed(NAMES))  # the other two take most of the time
ROUNDING = 1.0  # of times, which platforms give in whole seconds
# Otherwise durations are as old as the last change of their row.
STREAMED: Mapping[str, Any] = {"five9": {"switches": {"stream_durations": True}}}


class Watch:
    """An account with every feed, and its totals as Prometheus sees and counts them."""

    def __init__(self, provider: str) -> None:
        options = {**PLATFORMS[provider].everything, **STREAMED.get(provider, {})}
        self.account = Account(provider, agents="id", **options)
        self.platform = self.account.platform
        self.floor = self.platform.floor
        self.queue = max(self.floor.queues.values(), key=lambda queue: queue.day.answered)
        self.first: dict[Series, float] = {}
        self.last: dict[Series, float] = {}
        self.increase: dict[Series, float] = {}
        self.falls = 0

    async def wait(self, seconds: float) -> None:
        for _ in range(int(seconds / STEP)):
            await self.account.wait(STEP)
            for key, value in totals(self.account).items():
                before = self.last.get(key)
                if before is None:
                    self.first[key] = before = value
                    self.increase[key] = 0
                self.falls += value < before
                self.increase[key] += value - before if value >= before else value
                self.last[key] = value

    async def go_on(self, seconds: float) -> None:
        """Let the floor work for a while, then stand still until everything is read."""
        self.platform.frozen = False
        await self.wait(seconds)
        self.platform.frozen = True
        await self.wait(SETTLED)

    def held(self) -> float:
        """Return how many series are held."""
        feeds = [feed.name for feed in self.account.collector.feeds]
        return sum(self.account.metric("totals_held", feed=feed) or 0 for feed in feeds)

    async def truth(self) -> dict[Series, float]:
        """Return the totals that an exporter without a past shows of the floor as it is."""
        fresh = Account(self.platform.provider, self.platform)
        async with fresh.signed_in(SETTLED):
            return totals(fresh)


def totals(account: Account) -> dict[Series, float]:
    """Return the totals on an account's page that restart with a period."""
    page = account.page().items()
    return {key: value for key, value in page if FAMILIES[key[0]].kind == "counter"}


async def restart(provider: str, *, alone: bool) -> None:
    """Restart all totals, or those of a queue and its campaign; compare page and increase."""
    watch = Watch(provider)
    names = [watch.queue.name, watch.queue.campaign] if alone else [None]
    async with watch.account.signed_in():
        await watch.go_on(MINUTE)
        before = totals(watch.account)
        for name in names:
            watch.floor.restart_totals(name)
        watch.floor.surge(watch.queue.name, 5)
        watch.floor.advance(watch.floor.now + 120)
        await watch.wait(FIVE_MINUTES + SETTLED if alone else SETTLED)
        low = totals(watch.account)
        await watch.go_on(2 * MINUTE)
        after = totals(watch.account)
    truth = await watch.truth()
    restarted = {key for key in before if not alone or {name for _, name in key[1]} & {*names}}
    seen = {key for key in restarted if before[key] > MANY and 0 < low[key] < before[key] / 2}
    assert len(seen) >= (1 if alone else 9)
    for key, value in truth.items():
        assert after[key] == pytest.approx(value, abs=2), key  # a small fall may be held
        if key in seen:
            assert watch.increase[key] == pytest.approx(
                before[key] - watch.first[key] + value, abs=ROUNDING
            ), key
        elif key not in restarted:
            assert watch.increase[key] == pytest.approx(value - watch.first[key], abs=ROUNDING), key


@pytest.mark.parametrize("provider", CHEAP_FIRST)
def test_a_fail_over_restarts_all_totals(provider: str) -> None:
    """Where a platform counts anew, all totals are shown as read, with the first reading."""
    run(restart(provider, alone=False))


@pytest.mark.parametrize("provider", CHEAP_FIRST)
def test_totals_that_restart_alone(provider: str) -> None:
    """Where one queue and its campaign restart, they are shown as read after five minutes."""
    run(restart(provider, alone=True))


@pytest.mark.parametrize("provider", CHEAP_FIRST)
def test_a_correction_is_counted_once(provider: str) -> None:
    """Totals that are corrected by two are held until new contacts have made that good."""

    async def main() -> None:
        watch = Watch(provider)
        queue = watch.queue
        async with watch.account.signed_in():
            await watch.go_on(MINUTE)
            before = totals(watch.account)
            assert queue.campaign is not None
            life = watch.floor.campaigns[queue.campaign].life
            queue.day.offered -= 2
            queue.day.answered -= 2
            life.offered -= 2
            life.connected -= 2
            watch.floor.advance(watch.floor.now + 1)
            await watch.wait(FIVE_MINUTES + MINUTE)
            assert watch.held() > 0
            assert all(totals(watch.account)[key] >= value for key, value in before.items())
            watch.floor.surge(queue.name, 10)
            await watch.go_on(FIVE_MINUTES)
            assert watch.held() == 0
            assert watch.falls == 0
            after = totals(watch.account)
        truth = await watch.truth()
        assert after == pytest.approx(truth, abs=ROUNDING)
        for key, begin in watch.first.items():
            assert watch.increase[key] == pytest.approx(truth[key] - begin, abs=ROUNDING), key

    run(main())
