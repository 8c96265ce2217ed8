"""Accounts of all platforms, most of them with a resolver that hangs, on the real event loop."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from exporter.app import App
from exporter.clock import SystemClock
from exporter.config.account import AccountConfig
from exporter.config.load import Config
from exporter.exposition.encoding import Format
from exporter.providers import MODELS
from exporter.refresh import schedule
from exporter.web.server import Server
from exporter.web.sockets import Address
from support.platforms import NAMES, PLATFORMS, Platform
from support.resolver import FakeResolver

pytestmark = pytest.mark.anyio
HEALTHY = [f"{provider}-{number}" for provider in NAMES for number in range(2)]


class ByHost:
    """Serves every simulated platform under a host name of its own."""

    def __init__(self, platforms: dict[str, Platform]) -> None:
        self.platforms = platforms

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        host = dict(scope["headers"])[b"host"].decode().partition(".")[0]
        await self.platforms[host].simulator.app(scope, receive, send)


class World:
    """Eight healthy accounts, two of each platform, and others whose host names hang."""

    def __init__(self, hanging: int) -> None:
        self.platforms = {
            name: PLATFORMS[name.partition("-")[0]](clock=SystemClock()) for name in HEALTHY
        }
        for platform in self.platforms.values():
            platform.frozen = True
        self.hanging = [f"hang-{NAMES[n % len(NAMES)]}-{n}" for n in range(hanging)]
        self.config = Config((), Path())

    def account(self, name: str, port: int, **more: Any) -> AccountConfig:
        provider = next(provider for provider in NAMES if provider in name)
        options = {
            **self.platforms[f"{provider}-0" if name in self.hanging else name].options,
            "name": name,
            "base_url": f"http://{name}.test:{port}",
            "insecure_http": True,
            **({"long_poll": 0} if provider == "five9" else {}),
            **more,
        }
        account = MODELS[provider].model_validate(options)
        assert list(account.faults()) == []
        return account

    def changed(self) -> Config:
        """Return the configuration with a change to every account that hangs."""
        accounts = [
            account.model_copy(update={"max_series": 1000})
            if account.name in self.hanging
            else account
            for account in self.config.accounts
        ]
        return Config(tuple(accounts), Path())

    def up(self, app: App) -> set[str]:
        page = b"".join(app.publisher.current().body(Format.TEXT, gzip=False)[0]).decode()
        return set(re.findall(r'^contactcenter_up\{account="([^"]+)"[^}]*\} 1', page, re.MULTILINE))


@asynccontextmanager
async def running(world: World) -> AsyncIterator[tuple[App, asyncio.Event, asyncio.Task[None]]]:
    platforms = Server(ByHost(world.platforms), Address("127.0.0.1", 0), "platforms")
    platforms.start()
    port = platforms.address.port
    names = [*world.hanging, *HEALTHY]
    world.config = Config(tuple(world.account(name, port) for name in names), Path())
    app = App(world.config, reread=lambda: world.config)
    stop = asyncio.Event()
    task = asyncio.create_task(app.serve(Address("127.0.0.1", 0), stop))
    try:
        yield app, stop, task
    finally:
        stop.set()
        await task
        platforms.stop(at_once=True)


async def until(true: Any, seconds: float) -> float:
    """Wait on the loop until something is true; return how long that took."""
    start = time.monotonic()
    while not true():
        if time.monotonic() - start > seconds:
            raise AssertionError(f"not within {seconds} s")
        await asyncio.sleep(0.02)
    return time.monotonic() - start


@pytest.mark.slow
@pytest.mark.parametrize(("hanging", "limit"), [(12, 2.0), (150, 10.0)])
async def test_healthy_accounts(
    monkeypatch: pytest.MonkeyPatch, hanging: int, limit: float
) -> None:
    """Look-ups that hang delay no other account, nor a reload, nor the end.

    ``limit`` is in seconds: 150 accounts that are replaced take some of them without look-ups.
    """
    resolver = FakeResolver(monkeypatch)
    monkeypatch.setattr(schedule, "_SPREAD", 0.2)
    world = World(hanging)
    try:
        async with running(world) as (app, stop, task):
            await until(lambda: world.up(app) == set(HEALTHY), 15.0)
            assert resolver.hanging == hanging
            start = time.monotonic()
            await app.reload()  # nothing has changed
            assert time.monotonic() - start < limit
            world.config = world.changed()
            start = time.monotonic()
            summary = await app.reload()  # those that hang are replaced
            assert f"{hanging} changed" in summary
            assert time.monotonic() - start < limit
            assert world.up(app) == set(HEALTHY)
            stop.set()
            start = time.monotonic()
            await task
            assert time.monotonic() - start < limit
            assert resolver.most_hanging == hanging
    finally:
        resolver.release.set()
