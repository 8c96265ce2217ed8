"""One account of an exporter, read from a simulated platform on virtual time."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx

from exporter.clock import Clock
from exporter.collector.base import Collector
from exporter.collector.http import Http
from exporter.config.account import AccountConfig
from exporter.errors import Hold
from exporter.exposition.store import SnapshotStore
from exporter.metrics.reading import Reading
from exporter.objectives.model import Objectives
from exporter.providers import PROVIDERS
from exporter.refresh.schedule import Refresher
from exporter.telemetry import AccountTelemetry, Telemetry
from support.clock import VirtualClock
from support.page import Series, figures_of, series


class Observed(Collector):
    """A collector that calls ``note`` with a feed's name at the moment of each answer."""

    def __init__(self, inner: Collector, note: Callable[[str], None]) -> None:
        self.inner = inner
        self.feeds = inner.feeds
        self.note = note

    def open(self) -> AbstractAsyncContextManager[None]:
        return self.inner.open()

    def delay(self, feed: str) -> float:
        return self.inner.delay(feed)

    def hold(self, feeds: Sequence[str]) -> Hold | None:
        return self.inner.hold(feeds)

    async def fetch(self, feed: str) -> Reading:
        reading = await self.inner.fetch(feed)
        self.note(feed)
        return reading

    async def listen(self, seconds: float) -> Mapping[str, Reading] | None:
        readings = await self.inner.listen(seconds)
        for feed in readings or {}:
            self.note(feed)
        return readings


class Line(httpx.AsyncBaseTransport):
    """The way to a simulator, which can be cut as when a process is killed.

    ``delay`` are the seconds that each request waits first, as for a resolver that hangs.
    ``instead`` are answers for the next requests, as of a gateway.
    """

    def __init__(self, app: Any) -> None:
        self._inner = httpx.ASGITransport(app)
        self.is_cut = False
        self.delay = 0.0
        self.instead: list[httpx.Response] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.is_cut:
            raise httpx.ConnectError("nobody is left to send this")
        if self.delay:
            await asyncio.sleep(self.delay)
        if self.instead:
            return self.instead.pop()
        return await self._inner.handle_async_request(request)


class Bench:
    """Schedule, collector and page of one account.

    ``noted`` holds, for each feed, the time of its last answer and what ``truth`` said then.
    """

    clock: Clock

    def __init__(
        self,
        config: AccountConfig,
        transport: httpx.AsyncBaseTransport,
        *,
        objectives: Objectives | None = None,
        observe: bool = True,
    ) -> None:
        assert list(config.faults()) == []
        self.config: Any = config
        self.telemetry = Telemetry()
        self.account = AccountTelemetry(self.telemetry, config.provider, config.name)
        self.client = httpx.AsyncClient(transport=transport)
        self.store = SnapshotStore(objectives=objectives, wall=self.clock.time)
        http = Http(self.client, self.account, self.clock)
        make = PROVIDERS[config.provider].collector
        self.collector: Any = make(config, http, self.account, self.clock)
        self.noted: dict[str, tuple[float, dict[Series, float]]] = {}
        self.refresher = Refresher(
            Observed(self.collector, self._note) if observe else self.collector,
            config.account_labels(),
            self.store,
            self.account,
            auth_retry=config.auth_retry,
            limits=config.limits,
            clock=self.clock,
            roll=random.Random(7).random,
        )

    def truth(self, feed: str) -> dict[Series, float]:
        """Return every figure that a feed must show, from the floor alone."""
        raise NotImplementedError

    def _note(self, feed: str) -> None:
        self.noted[feed] = (self.clock.time(), self.truth(feed))

    @asynccontextmanager
    async def running(self, seconds: float) -> AsyncIterator[None]:
        """Run the exporter for so long on a ``VirtualClock``, then sign out."""
        clock = self.clock
        assert isinstance(clock, VirtualClock)
        clock.end = clock.now + seconds
        clock.ended.clear()
        task = asyncio.create_task(self.refresher.run())
        ended = asyncio.create_task(clock.ended.wait())
        try:
            await asyncio.wait([task, ended], return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()  # raises what ended the schedule, which nothing may
            yield
        finally:
            clock.end = float("inf")
            ended.cancel()
            task.cancel()
            await asyncio.wait([task])
            await self.client.aclose()

    def page(self) -> dict[Series, float]:
        """Return the figures on the page now."""
        return figures_of(self.store.page(self.clock.monotonic()))

    def own(self, name: str, **labels: str) -> Series:
        """Name a series of the account, without the prefix."""
        labels = {"provider": self.config.provider, "account": self.config.name, **labels}
        return series(f"contactcenter_{name}", **labels)

    def metric(self, name: str, **labels: str) -> float | None:
        """Return one of the exporter's own metrics."""
        full, pairs = self.own(name, **labels)
        return self.telemetry.registry.get_sample_value(full, dict(pairs))
