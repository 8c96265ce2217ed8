"""The exporter as a process, with made-up platforms that answer immediately.

Everything between a reading and the socket is real: the schedule, worker threads, the store, the
publisher's thread and the server. ``--interval`` is the time in seconds between two refreshes of
each of the 20 accounts; with 0 each is read once. ``--parse`` also parses a large Five9 answer
repeatedly in a worker thread, and writes the longest stall of the event loop (ms) to a file.
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
from exporter.collector.base import Collector, Feed, FeedTimes
from exporter.collector.threads import run_in_worker_if
from exporter.exposition.publisher import Publisher
from exporter.exposition.store import Limits, SnapshotStore
from exporter.metrics.reading import Reading
from exporter.refresh.schedule import Refresher
from exporter.telemetry import AccountTelemetry, Telemetry
from exporter.web.config import WebConfigWatcher
from exporter.web.server import Server
from exporter.web.site import Site
from exporter.web.sockets import Address, raise_descriptor_limit

_NEVER = 10_000_000.0  # seconds
_SWITCH_INTERVAL = 0.0005  # seconds, as the exporter sets it
_BEAT = 0.001  # seconds between two measurements of the loop's delay


class MadeUp(Collector):
    """A collector that returns new figures immediately."""

    def __init__(self, account: Account, interval: float) -> None:
        self.feeds = [Feed(FEED, TABLES, FeedTimes(interval or _NEVER, 60.0, 2 * _NEVER))]
        self._account = account
        self._generation = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Open no session."""
        yield

    async def fetch(self, feed: str) -> Reading:  # noqa: ARG002 - there is one feed
        """Return a reading, made in a worker thread as a real answer is parsed."""
        self._generation += 1
        return await run_in_worker_if(True, self._account.reading, self._generation)  # noqa: FBT003


async def parse(body: bytes, stalls: Path) -> None:
    """Parse an answer repeatedly and write the longest stall to a file."""
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
        await run_in_worker_if(True, read_statistics, body)  # noqa: FBT003
        stalls.write_text(str(longest * 1000))  # noqa: ASYNC240 - some bytes


async def serve(
    series: int, interval: float, port: int, stalls: Path | None, web_config: Path | None
) -> None:
    """Serve until killed."""
    sys.setswitchinterval(_SWITCH_INTERVAL)
    store, telemetry = SnapshotStore(), Telemetry()
    clock = SystemClock()
    refreshers = [
        Refresher(
            MadeUp(account, interval),
            account.labels,
            store,
            AccountTelemetry(telemetry, "five9", account.name),
            auth_retry=900,
            limits=Limits(sys.maxsize),
            roll=random.Random(account.number).random,  # noqa: S311 - the same spread in every run
        )
        for account in accounts(series)
    ]
    publisher = Publisher(store, telemetry.exposed_families, clock.monotonic)
    site = Site(publisher, telemetry, lambda: True)
    publisher.start()
    tasks: list[asyncio.Task[None]] = [
        asyncio.create_task(refresher.run()) for refresher in refreshers
    ]
    await asyncio.gather(*(each.all_tried.wait() for each in refreshers))
    gc.freeze()
    publisher.renew()  # the first scrape gets every account
    server = Server(
        site,
        Address("127.0.0.1", port),
        "web",
        watcher=WebConfigWatcher(web_config) if web_config else None,
        count_refusal=telemetry.count_refusal,
    )
    server.start()
    if stalls is not None:
        tasks.append(asyncio.create_task(parse(answer(5000), stalls)))
    await asyncio.gather(*tasks)


def main() -> None:
    """Parse the arguments and serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--series", type=int, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--interval", type=float, default=0.0)
    parser.add_argument("--parse", type=Path)
    parser.add_argument("--web-config", type=Path)
    options = parser.parse_args()
    raise_descriptor_limit()
    asyncio.run(
        serve(options.series, options.interval, options.port, options.parse, options.web_config)
    )


if __name__ == "__main__":
    main()
