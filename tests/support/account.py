"""One account of any provider on a virtual loop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from support.bench import Bench, Line
from support.clock import MORNING, LoopClock
from support.platforms import PLATFORMS, Platform, platform

LIVE = 120.0  # seconds after which every live feed of every platform has been read


class Account(Bench):
    """One account, read from its platform on a virtual loop."""

    def __init__(self, provider: str, on: Platform | None = None, **options: Any) -> None:
        """Read a new platform of a provider, or the platform ``on``."""
        self.clock = on.clock if on else LoopClock(MORNING)
        options = {**PLATFORMS[provider].on_a_loop, **options}
        self.platform = on or platform(provider, clock=self.clock, **options)
        self.line = Line(self.platform.simulator.app)
        super().__init__(self.platform.account, self.line, observe=False)

    @asynccontextmanager
    async def signed_in(self, seconds: float = LIVE) -> AsyncIterator[None]:
        """Run the account's schedule for a while, then stop it as on SIGTERM."""
        self.task = asyncio.create_task(self.refresher.run())
        try:
            await self.wait(seconds)
            yield
        finally:
            self.task.cancel()
            await asyncio.wait([self.task])
            await self.client.aclose()

    async def wait(self, seconds: float) -> None:
        """Continue the schedule for a while."""
        await asyncio.wait([self.task], timeout=seconds)
        if self.task.done():
            self.task.result()  # raises what ended the schedule, which nothing may

    @property
    def live_for(self) -> float:
        """The seconds after which no live feed has figures unless it was read again."""
        return max(feed.times.stale_after for feed in self.collector.feeds if feed.is_live)

    def waiting(self) -> int:
        """Return for how many queues the page shows who waits."""
        return sum(name == "contactcenter_queue_contacts_waiting" for name, _ in self.page())
