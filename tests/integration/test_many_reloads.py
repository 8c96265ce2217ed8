"""Two hundred reloads while pages are taken: nobody else is disturbed, and nothing is left behind.

Every part is real: simulators on a socket, the exporter with its own sockets, files and threads,
reloads over HTTP, pages from several readers. Only time goes by twenty times as fast.
"""

import asyncio
import gc
import os
import re
import statistics
import threading
import time
import weakref
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from exporter.app import App
from exporter.config.account import AccountConfig, client_for
from exporter.config.load import Config, load
from exporter.exposition.encoding import Format
from exporter.providers import MODELS
from exporter.refresh.schedule import Refresher
from exporter.simulators.brightpattern.simulator import BrightPatternSimulator
from exporter.simulators.five9.simulator import Five9Simulator
from exporter.simulators.floor.floor import Floor
from exporter.simulators.voximplant.simulator import VoximplantSimulator
from exporter.web.server import Server
from exporter.web.sockets import Address
from support.clock import MIDNIGHT
from support.five9 import GENEROUS
from support.programs import free_port

pytestmark = [pytest.mark.slow, pytest.mark.anyio, pytest.mark.timeout(600)]
SPEED = 20.0
RELOADS = 200
WARM_UP = 30  # reloads before memory is looked at
READERS = 3
SECRET = "planted-hunter2"
FIGURE = re.compile(rb'contactcenter_queue_contacts_waiting\{provider="\w+",account="([\w-]+)",')
SIGN_IN = re.compile(rb'contactcenter_session_signins_total\{account="([\w-]+)",.*"ok".*\} (\S+)')
UP = re.compile(rb'contactcenter_up\{account="([\w-]+)",.*\} 1\.0')


class FastClock:
    """A clock that goes fast."""

    def time(self) -> float:
        return MIDNIGHT + 10 * 3600 + self.monotonic()

    def monotonic(self) -> float:
        return time.monotonic() * SPEED

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / SPEED)


class Platforms:
    """All simulators behind one socket, two users or keys of each; their sign-ins are counted."""

    def __init__(self) -> None:
        clock = FastClock()
        floor = Floor(agents=8, queues=4, campaigns=3, start=MIDNIGHT)
        floor.advance(clock.time())
        self.five9 = Five9Simulator(
            floor, clock, limits=GENEROUS, other_users={"second@example.com": SECRET}
        )
        self.five9.password = SECRET
        self.bright = BrightPatternSimulator(
            floor,
            clock,
            other_users={"third@example.com": SECRET},
            token_seconds=86_400.0,  # longer than all reloads take, on a slow machine too
        )
        self.bright.api_secret = SECRET
        self.vox = VoximplantSimulator(floor, clock)
        self.sign_ins: Counter[str] = Counter()
        self.accounts: dict[str, dict[str, Any]] = {}
        self.server = Server(self.app, Address("127.0.0.1", 0), "simulators")
        self.server.start()
        key = self.vox.credentials()
        for user in (self.five9.username, "second@example.com"):
            self._add("five9", user, {"password_file": "secret", "long_poll": "2s"}, "ACDStatus")
        bright = {"api_secret_file": "secret", "tenant_url": self.bright.tenant_url}
        for user in (self.bright.username, "third@example.com"):
            self._add("brightpattern", user, {**bright, "ratio_scale": "percent"}, "subscription")
        names = ("account_id", "key_id", "private_key")
        self._add("voximplant", None, {name: key[name] for name in names}, "state")

    def _add(self, provider: str, user: str | None, more: dict[str, Any], feed: str) -> None:
        name = f"{provider}-{len(self.accounts)}"
        self.accounts[name] = {
            "name": name,
            "provider": provider,
            "base_url": f"http://{self.server.address}",
            **({"username": user} if user else {}),
            "stale_after": "10m",  # what is missing is missing because of a reload
            "feeds": {feed: {"interval": "2s"}},
            **more,
        }

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope["path"]
        if path.startswith("/wssupervisor"):
            await self.five9.app(scope, receive, send)
        elif path.startswith("/platform_api"):
            await self.vox.app(scope, receive, send)
        else:
            await self.bright.app(scope, receive, send)

    def count(self) -> None:
        """Add what the simulators have logged to the sign-ins, and empty their logs."""
        taken, self.five9.log[:] = list(self.five9.log), []
        self.sign_ins.update(
            f"five9 {each.user}" for each in taken if each.operation == "setSessionParameters"
        )
        seen, self.bright.log[:] = list(self.bright.log), []
        self.sign_ins.update(
            f"brightpattern {each.user}" for each in seen if each.path.endswith("/token")
        )
        self.vox.log.clear()


def figures(page: bytes) -> Counter[bytes]:
    """Return how many queues each account shows."""
    return Counter(FIGURE.findall(page))


@dataclass
class Readers:
    """Threads that take pages and look what is missing on them."""

    address: str
    expected: Counter[bytes]
    changing: str = ""
    pages: int = 0
    gaps: list[str] = field(default_factory=list)
    stop: bool = False

    def __post_init__(self) -> None:
        self.threads = [threading.Thread(target=self.read, daemon=True) for _ in range(READERS)]
        for thread in self.threads:
            thread.start()

    def read(self) -> None:
        with httpx.Client(trust_env=False) as client:
            while not self.stop:
                before = self.changing
                page = client.get(f"http://{self.address}/metrics").content
                self.look(page, {before.encode(), self.changing.encode()})
                self.pages += 1
                time.sleep(0.04)

    def look(self, page: bytes, disturbed: set[bytes]) -> None:
        found, up, sign_ins = figures(page), set(UP.findall(page)), dict(SIGN_IN.findall(page))
        for name, expected in self.expected.items():
            if name in disturbed:
                continue
            if found[name] != expected or name not in up:
                self.gaps.append(f"{name!r}: {found[name]} of {expected}, up: {name in up}")
            if sign_ins.get(name) != b"1.0":
                self.gaps.append(f"{name!r}: signed in {sign_ins.get(name)!r} times")

    def end(self) -> None:
        self.stop = True
        for thread in self.threads:
            thread.join(timeout=10)


class Exporter:
    """The exporter, its file, and what it has opened."""

    def __init__(self, platforms: Platforms, folder: Path) -> None:
        self.platforms = platforms
        self.file = folder / "exporter.yml"
        (folder / "secret").write_text(SECRET)
        self.sizes = dict.fromkeys(platforms.accounts, 50_000)
        self.clients: weakref.WeakSet[httpx.AsyncClient] = weakref.WeakSet()
        self.write()
        self.app = App(
            self.read(), clock=FastClock(), clients=self.client, reread=self.read, lifecycle=True
        )

    def write(self) -> None:
        sections = [
            {**account, "max_series": self.sizes[name]}
            for name, account in self.platforms.accounts.items()
        ]
        import yaml  # noqa: PLC0415 - only to write the file

        self.file.write_text(yaml.safe_dump({"accounts": sections}))

    def read(self) -> Config:
        return load(self.file, {}, MODELS)

    def client(self, account: AccountConfig, directory: Path) -> httpx.AsyncClient:
        made = client_for(account, directory)
        self.clients.add(made)
        return made

    async def figures(self, wanted: Counter[bytes] | None = None) -> Counter[bytes]:
        """Return the figures once all accounts are up and show some, or all that are wanted."""
        found: Counter[bytes] = Counter()
        for _ in range(3000):
            page = b"".join(self.app.publisher.current().body(Format.TEXT, gzip=False)[0])
            found = figures(page)
            there = found == wanted if wanted else len(found) == len(self.sizes)
            if there and len(UP.findall(page)) == len(self.sizes):
                return found
            await asyncio.sleep(0.01)
        raise AssertionError((found, self.app.overview()))

    async def reload(self, client: httpx.AsyncClient, address: str, name: str) -> float:
        """Change one account in the file and reload it; return how long that took."""
        self.sizes[name] += 1
        self.write()
        started = time.monotonic()
        answer = await client.post(f"http://{address}/-/reload")
        assert answer.text == "4 unchanged, 1 changed, 0 added, 0 removed\n"
        return time.monotonic() - started


@dataclass(frozen=True)
class Left:
    """What there is at a moment."""

    tasks: int
    sockets: int
    threads: int
    clients: int
    refreshers: int
    megabytes: float

    @classmethod
    def now(cls, exporter: Exporter) -> "Left":
        gc.collect()
        links = []
        for each in Path("/proc/self/fd").iterdir():
            try:
                links.append(str(each.readlink()))
            except FileNotFoundError:  # closed meanwhile
                continue
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return cls(
            tasks=len(asyncio.all_tasks()),
            sockets=sum(link.startswith("socket:") for link in links),
            threads=threading.active_count(),
            clients=len(exporter.clients),
            refreshers=sum(isinstance(item, Refresher) for item in gc.get_objects()),
            megabytes=pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
        )


async def test_two_hundred_reloads(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One account changes each time: the others' series and sessions stay, and nothing leaks."""
    gc.freeze()  # as the command does: what is loaded by now stays
    platforms = Platforms()
    exporter = Exporter(platforms, tmp_path)
    names = [*exporter.sizes]
    changed = [names[number % len(names)] for number in range(RELOADS)]
    stop = asyncio.Event()
    address = Address("127.0.0.1", free_port())
    serving = asyncio.create_task(exporter.app.serve(address, stop))
    durations, moments = [], []
    expected = await exporter.figures()
    readers = Readers(str(address), expected)
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            for number, name in enumerate(changed):
                readers.changing = name
                durations.append(await exporter.reload(client, str(address), name))
                await exporter.figures(expected)
                readers.changing = ""
                await asyncio.sleep(0.05)
                platforms.count()
                if number in (WARM_UP, RELOADS - 1):
                    moments.append(Left.now(exporter))
    finally:
        readers.end()
        stop.set()
        await asyncio.wait_for(serving, timeout=15)
        platforms.server.stop(at_once=True)
        gc.unfreeze()
    before, after = moments
    print(
        f"{readers.pages} pages; a reload took {statistics.median(durations) * 1000:.0f} ms in the "
        f"median, {max(durations) * 1000:.0f} ms at most\nbefore {before}\nafter  {after}\n"
        f"sign-ins {dict(platforms.sign_ins)}"
    )
    assert readers.gaps == []
    assert readers.pages > RELOADS
    for name, account in platforms.accounts.items():
        if "username" in account:
            key = f"{account['provider']} {account['username']}"
            assert platforms.sign_ins[key] == 1 + changed.count(name), name
    assert platforms.five9.max_in_flight == 1
    ours = [record for record in caplog.records if record.name.startswith("exporter")]
    assert [record.getMessage() for record in ours if record.levelname == "ERROR"] == []
    assert (after.clients, after.refreshers) == (len(names), len(names))
    assert after.tasks <= before.tasks
    assert after.threads <= before.threads + 1
    assert after.sockets <= before.sockets + 5
    assert after.megabytes < before.megabytes + 25
