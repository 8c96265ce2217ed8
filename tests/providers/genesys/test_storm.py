"""Ten thousand statistics under a storm of updates: none is lost, and memory does not grow."""

import os
import time
from itertools import cycle, islice
from pathlib import Path

import httpx
import pytest

from exporter.clock import SystemClock
from exporter.providers.genesys import tables as h
from exporter.simulators.floor.floor import Floor
from exporter.web.server import Server
from exporter.web.sockets import Address
from support.genesys import MORNING, Exporter, Platform, objects_of

pytestmark = pytest.mark.anyio

AGENTS = 840  # with 12 statistics each
RATE, SECONDS, BEAT = 2_000, 30.0, 0.05  # updates a second, for so long, so often
LEVEL = 12.0  # seconds after which memory may not grow any more


def resident() -> float:
    """Return this process's memory in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


class Storm:
    """Updates at a steady rate for the calls of every agent, each with a value of its own."""

    def __init__(self, exporter: Exporter) -> None:
        session = exporter.collector._session
        self.simulator = exporter.platform.simulator
        self.statistics = session._store.statistics
        self.owner = {
            n: key for key, indexes in session._subscriptions._open.items() for n in indexes
        }
        calls = h.AGENT_CALLS.values()
        numbers = [n for n, each in enumerate(self.statistics) if each.stat_type.header in calls]
        self.targets = cycle(numbers)
        self.last: dict[int, int] = {}
        self.sent = self.taken = 0
        self._update = session._store.update
        session._store.update = self._count

    def _count(self, number: int, entry: dict[str, object]) -> None:
        self.taken += 1
        self._update(number, entry)

    def send(self, due: int) -> None:
        """Send what is due in all by now."""
        entries = []
        for number in islice(self.targets, max(due - self.sent, 0)):
            self.sent += 1
            self.last[number] = self.sent
            entries.append(
                {
                    "subscriptionId": self.owner[number],
                    "statisticId": str(number),
                    "value": {"intValue": self.sent, "stringValue": str(self.sent)},
                    "timestamp": int((MORNING + 60) * 1000) + self.sent,
                }
            )
        self.simulator.push(entries)

    def wanted(self) -> dict[str, float]:
        """Return the last figure of inbound calls by agent."""
        inbound = h.AGENT_CALLS["inbound"]
        return {
            each.object_id: float(self.last[number])
            for number, each in enumerate(self.statistics)
            if each.stat_type.header == inbound
        }


def inbound_calls(exporter: Exporter) -> dict[str, float]:
    return {
        dict(labels)["agent"]: value
        for (name, labels), value in exporter.page().items()
        if name == "contactcenter_agent_calls_total" and ("direction", "inbound") in labels
    }


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_an_update_storm_loses_nothing_and_memory_stays_flat() -> None:
    """Each of 60,000 updates in 30 s over a socket counts, and the last are on the page at once."""
    floor = Floor(agents=AGENTS, queues=6, campaigns=2, seed=3, start=MORNING)
    platform = Platform(floor=floor)
    platform.frozen = True
    platform.clock = platform.simulator.clock = SystemClock()  # type: ignore[assignment]
    server = Server(platform.simulator.app, Address("127.0.0.1", 0), "simulator")
    server.start()
    where = {
        "base_url": f"http://{server.address}",
        "objects": objects_of(platform.simulator, "Agent"),
    }
    exporter = Exporter(platform, httpx.AsyncHTTPTransport(), **where)
    size = len(exporter.collector._session._store.statistics)
    began = time.monotonic()
    try:
        async with exporter.running(1.0):
            while platform.simulator.open_statistics < size:
                assert time.monotonic() < began + 60, "not opened"
                await exporter.go_on(0.2)
            opened = time.monotonic() - began
            await exporter.go_on(3.0)
            storm = Storm(exporter)
            start, level = time.monotonic(), 0.0
            while (elapsed := time.monotonic() - start) < SECONDS:
                storm.send(int(elapsed * RATE))
                level = level if level or elapsed < LEVEL else resident()
                await exporter.go_on(BEAT)
            await exporter.go_on(2.0)
            grown = resident() - level
            assert inbound_calls(exporter) == storm.wanted()
    finally:
        server.stop(at_once=True)
    print(
        f"{size} statistics opened in {opened:.1f} s, {storm.sent} updates sent, "
        f"{storm.taken} taken, memory {level:.0f} MB, {grown:+.1f} MB later"
    )
    assert size > 10_000
    assert storm.sent >= RATE * (SECONDS - 1)
    assert storm.taken >= storm.sent
    assert grown < 15
