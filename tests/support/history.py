"""A past for the pictures: the demo run on virtual time, as OpenMetrics with timestamps."""

import asyncio
import random
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from email.utils import formatdate
from functools import partial
from pathlib import Path
from typing import IO, Any

import httpx

from exporter.app import App
from exporter.clock import Clock
from exporter.config.account import AccountConfig
from exporter.exposition.encoding import Format
from exporter.simulators.centre import Centre, Size
from support.clock import LoopClock, run

STEP = 30.0  # seconds between two scrapes
_SETTLED = 600.0  # seconds that the demo runs before the past begins
_PLATFORM = "http://127.0.0.1:9"  # every request is answered in this process
_SAMPLE = re.compile(rb"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$")


class Cut(httpx.AsyncBaseTransport):
    """The way to the simulated platforms, which refuses connections from a moment on."""

    def __init__(self, app: Any, clock: Clock, is_cut: Callable[[], bool]) -> None:
        self._inner = httpx.ASGITransport(app)
        self._clock = clock
        self._is_cut = is_cut

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._is_cut():
            raise httpx.ConnectError("connection refused")
        response = await self._inner.handle_async_request(request)
        response.headers["date"] = formatdate(self._clock.time(), usegmt=True)
        return response


def write(
    out: IO[bytes],
    end: float,
    seconds: float,
    *,
    providers: Iterable[str] = (),
    dead: str = "",
    dead_for: float = 1200.0,
    seed: int = 1,
) -> None:
    """Write the samples of ``seconds`` before ``end`` (epoch seconds).

    ``providers`` are those whose accounts are read (default: all). ``dead`` is a provider whose
    platform has refused connections for the last ``dead_for`` seconds.
    """
    start = end - seconds - _SETTLED
    random.seed(1)
    centre = partial(Centre, Size(seed=seed))
    run(_record(out, centre, start, end, frozenset(providers), dead, end - dead_for))


async def _record(
    out: IO[bytes],
    build: Callable[[Clock], Centre],
    start: float,
    end: float,
    providers: frozenset[str],
    dead: str,
    died: float,
) -> None:
    clock = LoopClock(start)
    centre = build(clock)
    config = centre.config(_PLATFORM)
    if providers:
        accounts = tuple(account for account in config.accounts if account.provider in providers)
        config = replace(config, accounts=accounts)

    def client(account: AccountConfig, _: Path) -> httpx.AsyncClient:
        cut = account.provider == dead
        return httpx.AsyncClient(
            transport=Cut(centre.app, clock, lambda: cut and clock.time() >= died)
        )

    app = App(config, clock=clock, clients=client)
    async with app._refreshing():
        await asyncio.sleep(_SETTLED)
        while (now := clock.time()) <= end:
            app.telemetry.http_requests.labels("200").inc()  # as the scrape does
            page = app.store.page(clock.monotonic(), app.telemetry.exposed_families())
            for line in samples(b"".join(page.body(Format.TEXT, gzip=False)[0]), now, start):
                out.write(line)
            await asyncio.sleep(STEP)
    out.write(b"# EOF\n")


def samples(page: bytes, now: float, started: float) -> Iterator[bytes]:
    """Yield the samples of a page as a scrape at ``now`` would have stored them."""
    stamp = f" {now:.3f}\n".encode()
    target = b'job="contactcenter",instance="exporter:10077"'
    yield b"up{" + target + b"} 1" + stamp
    yield b"scrape_duration_seconds{" + target + b"} 0.01" + stamp
    for line in page.split(b"\n"):
        if match := _SAMPLE.match(line):
            name, labels, value = match.groups()
            if name == b"process_start_time_seconds":
                value = b"%d" % started  # this process is younger than its figures
            labels = b",".join(x for x in ((labels or b"").rstrip(b","), target) if x)
            yield name + b"{" + labels + b"} " + value + stamp
