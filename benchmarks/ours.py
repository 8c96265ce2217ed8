"""The exporter as a process, on made-up platforms that answer at once.

Everything between a reading and the socket is the real one: the schedule, worker threads, the
board, the publisher's thread and the server. ``--interval`` is how often each of the 20 accounts
is read; with 0 it is read once. ``--parse`` also reads a large Five9 answer in a worker thread,
again and again, and writes the longest stall of the event loop (ms) into a file.
"""

import argparse
import asyncio
import gc
import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.envelope import answer
from benchmarks.workload import FEED, TABLES, Account, accounts
from exporter.clock import SystemClock
from exporter.collector.base import Collector, Feed
from exporter.collector.threads import run_job
from exporter.exposition.publisher import Publisher
from exporter.exposition.store import SnapshotStore
from exporter.metrics.reading import Reading
from exporter.refresh.schedule import Refresher
from exporter.telemetry import AccountTelemetry, Telemetry
from exporter.web.server import Server
from exporter.web.site import Site
from exporter.web.sockets import Address

_NEVER = 10_000_000.0  # seconds
_SWITCH_INTERVAL = 0.0005  # seconds, as the exporter sets it
_BEAT = 0.001  # seconds between two looks at how late the loop is


class MadeUp(Collector):
    """A platform that answers with new figures at once."""

    def __init__(self, account: Account, interval: float) -> None:
        self.feeds = [Feed(FEED, TABLES, interval or _NEVER, 60.0, 2 * _NEVER)]
        self._account = account
        self._generation = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Sign in nowhere."""
        yield

    async def fetch(self, feed: str) -> Reading:  # noqa: ARG002 - there is one feed
        """Make an answer where a real one is parsed: in a worker thread."""
        self._generation += 1
        return await run_job(True, self._account.reading, self._generation)  # noqa: FBT003


async def parse(body: bytes, stalls: Path) -> None:
    """Read an answer for ever, and keep the file up to date."""
    from exporter.providers.five9.answers import read_statistics  # noqa: PLC0415 - brings lxml

    loop = asyncio.get_running_loop()
    longest = 0.0

    async def beat() -> None:
        nonlocal longest
        while True:
            due = loop.time() + _BEAT
            await asyncio.sleep(_BEAT)
            longest = max(longest, loop.time() - due)

    beating = asyncio.create_task(beat())
    while not beating.done():
        await run_job(True, read_statistics, body)  # noqa: FBT003
        stalls.write_text(str(longest * 1000))  # noqa: ASYNC240 - some bytes


async def serve(series: int, interval: float, port: int, stalls: Path | None) -> None:
    """Serve until killed."""
    sys.setswitchinterval(_SWITCH_INTERVAL)
    store, telemetry = SnapshotStore(), Telemetry()
    clock = SystemClock()
    refreshers = [
        Refresher(
            each.name,
            MadeUp(each, interval),
            each.labels,
            store,
            AccountTelemetry(telemetry, "five9", each.name),
            auth_retry=900,
            max_series=sys.maxsize,
            roll=random.Random(each.number).random,  # noqa: S311 - spread alike in every run
        )
        for each in accounts(series)
    ]
    publisher = Publisher(store, telemetry.exposed_families, clock.monotonic)
    site = Site(publisher, telemetry, lambda: True)
    publisher.start()
    tasks: list[asyncio.Task[None]] = [asyncio.create_task(each.run()) for each in refreshers]
    await asyncio.gather(*(each.tried.wait() for each in refreshers))
    gc.freeze()
    publisher.renew()  # every account is on the page that is scraped first
    server = Server(site, Address("127.0.0.1", port), "web")
    server.start()
    if stalls is not None:
        tasks.append(asyncio.create_task(parse(answer(5000), stalls)))
    await asyncio.gather(*tasks)


def main() -> None:
    """Serve as the arguments say."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--series", type=int, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--interval", type=float, default=0.0)
    parser.add_argument("--parse", type=Path)
    given = parser.parse_args()
    asyncio.run(serve(given.series, given.interval, given.port, given.parse))


if __name__ == "__main__":
    main()
