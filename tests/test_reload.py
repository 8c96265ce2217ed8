"""Tests of reloading the configuration: responses, effects, and what is not disturbed."""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from exporter.app import App
from exporter.clock import SystemClock
from exporter.config.account import AccountConfig
from exporter.config.load import Config, load
from exporter.errors import ConfigError, ReloadRefused
from exporter.exposition.encoding import Format
from exporter.providers import MODELS
from exporter.simulators.five9.simulator import Five9Simulator
from exporter.simulators.floor.floor import Floor
from exporter.web.sockets import Address
from support.clock import MIDNIGHT
from support.five9 import GENEROUS

pytestmark = pytest.mark.anyio
SECRET = "planted-hunter2"
GOOD = "contactcenter_exporter_config_last_reload_successful"
WHEN = "contactcenter_exporter_config_last_reload_success_timestamp_seconds"


class World:
    """Two users of one simulated domain, a configuration file, and the exporter reading both."""

    def __init__(self, folder: Path, **options: Any) -> None:
        floor = Floor(agents=6, queues=3, campaigns=2, start=MIDNIGHT)
        self.simulator = Five9Simulator(
            floor, SystemClock(), limits=GENEROUS, other_users={"second@example.com": SECRET}
        )
        self.simulator.password = SECRET
        self.file = folder / "exporter.yml"
        (folder / "password").write_text(SECRET + "\n")
        self.write(self.account("first", self.simulator.username))
        self.hold: threading.Event | None = None
        options = {"reread": self.read, "lifecycle": True, **options}
        self.app = App(self.read(), clients=self.client, **options)
        transport = httpx.ASGITransport(self.app.site, raise_app_exceptions=False)
        self.web = httpx.AsyncClient(transport=transport, base_url="http://exporter")

    def account(self, name: str, user: str, more: str = "") -> str:
        return (
            f"  - {{name: {name}, provider: five9, base_url: 'http://127.0.0.1:9001', "
            f"username: {user}, password_file: password, long_poll: 0{more}}}\n"
        )

    def write(self, *accounts: str) -> None:
        self.file.write_text("accounts:\n" + "".join(accounts))

    def read(self) -> Config:
        if self.hold is not None:
            assert self.hold.wait(20)
        return load(self.file, {"HOME": "/"}, MODELS)

    def client(self, _: AccountConfig, __: Path) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.simulator.app))

    def metric(self, name: str, **labels: str) -> float | None:
        return self.app.telemetry.registry.get_sample_value(name, labels)

    def sign_ins(self, user: str) -> int:
        log = self.simulator.log
        return sum((r.operation, r.user) == ("setSessionParameters", user) for r in log)

    async def until(self, *wanted: str) -> str:
        """Return the page once it holds all that is wanted."""
        page = ""
        for _ in range(200):
            page = (await self.web.get("/metrics")).text
            if all(each in page for each in wanted):
                return page
            await asyncio.sleep(0.05)
        raise AssertionError(f"{wanted} never came: {page}")

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        stop = asyncio.Event()
        task = asyncio.create_task(self.app.serve(Address("127.0.0.1", 0), stop))
        await self.until('contactcenter_up{account="first",provider="five9"} 1.0')
        try:
            yield
        finally:
            stop.set()
            await asyncio.wait_for(task, timeout=10)


async def test_a_reload_over_http(tmp_path: Path) -> None:
    """Added accounts start, unchanged ones go on, removed ones stop, all at once."""
    world = World(tmp_path)
    first, second = world.simulator.username, "second@example.com"
    async with world.serving():
        before = world.metric(WHEN)
        world.write(world.account("first", first), world.account("second", second))
        answer = await world.web.post("/-/reload")
        assert (answer.status_code, answer.text) == (
            200,
            "1 unchanged, 0 changed, 1 added, 0 removed\n",
        )
        await world.until('contactcenter_queue_contacts_waiting{provider="five9",account="second"')
        after = world.metric(WHEN)
        assert before is not None
        assert after is not None
        assert after > before
        world.write(world.account("first", first))
        assert (await world.web.put("/-/reload")).status_code == 200
        assert 'account="second"' not in (await world.web.get("/metrics")).text
        assert (world.sign_ins(first), world.sign_ins(second)) == (1, 1)


async def test_a_secret_file_is_read_again(tmp_path: Path) -> None:
    """Another content of a secret's file makes its account a changed one."""
    world = World(tmp_path)
    async with world.serving():
        (tmp_path / "password").write_text("wrong")
        assert "1 changed" in (await world.web.post("/-/reload")).text
        page = await world.until('signins_total{account="first",outcome="auth",provider="five9"}')
        assert "contactcenter_queue_contacts_waiting{" not in page
        (tmp_path / "password").write_text(SECRET)
        assert "1 changed" in (await world.web.post("/-/reload")).text
        await world.until('contactcenter_up{account="first",provider="five9"} 1.0')


async def test_a_broken_file_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Every mistake is answered and logged, none with a secret; figures and session stay."""
    world = World(tmp_path)
    async with world.serving():
        when = world.metric(WHEN)
        bad = world.account("first", "x", f", intervall: 3, agents_key: {SECRET}, region: mars")
        world.write(bad, world.account("first", "y"))
        answer = await world.web.post("/-/reload")
        assert answer.status_code == 500
        assert answer.text.startswith("failed to reload config: ")
        for part in ("accounts[0].intervall", "accounts[0].region", "accounts[1].name"):
            assert part in answer.text
            assert part in faults(caplog)
        assert SECRET not in answer.text + faults(caplog)
        page = (await world.web.get("/metrics")).text
        assert f"{GOOD} 0.0" in page
        assert 'contactcenter_up{account="first",provider="five9"} 1.0' in page
        assert world.metric(WHEN) == when
        assert "The last reload of the configuration failed" in (await world.web.get("/")).text
        world.write(world.account("first", world.simulator.username))
        assert (await world.web.post("/-/reload")).text.startswith("1 unchanged")
        assert f"{GOOD} 1.0" in (await world.web.get("/metrics")).text
        assert world.sign_ins(world.simulator.username) == 1


async def test_a_reload_has_to_be_allowed(tmp_path: Path) -> None:
    """Without --web.enable-lifecycle it is forbidden, in Prometheus' words; GET never does it."""
    world = World(tmp_path, lifecycle=False)
    answer = await world.web.post("/-/reload")
    assert (answer.status_code, answer.text) == (403, "Lifecycle API is not enabled.")
    answer = await world.web.get("/-/reload")
    assert (answer.status_code, answer.text) == (405, "Only POST or PUT requests allowed")
    assert answer.headers["allow"] == "POST, PUT"


async def test_methods_of_a_reload(tmp_path: Path) -> None:
    """POST and PUT reload, through the middleware too; every other method does nothing."""
    world = World(tmp_path)
    transport = httpx.ASGITransport(world.app._web_app(None))
    async with (
        world.serving(),
        httpx.AsyncClient(transport=transport, base_url="http://exporter") as web,
    ):
        before = world.metric(WHEN)
        for method in ("GET", "HEAD", "OPTIONS", "DELETE", "PATCH"):
            answer = await web.request(method, "/-/reload")
            assert answer.status_code == 405
            assert {"POST", "PUT"} <= {*answer.headers["allow"].split(", ")}
        assert world.metric(WHEN) == before
        for method in ("POST", "PUT"):
            assert (await web.request(method, "/-/reload")).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": "http://exporter"},
        {"sec-fetch-site": "nonsense"},
        {"origin": "http://evil.example"},
        {"origin": "http://exporter:8080"},
        {"origin": "https://exporter:80"},
        {"origin": "http://exporter.evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://[exporter"},
        {"origin": "http://exporter:x"},
        {"origin": "http://exporter", "host": ""},
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_a_page_of_another_origin_cannot_reload(
    tmp_path: Path, headers: dict[str, str], method: str
) -> None:
    """What a browser sends for a page of another origin, or of none, is refused and counted."""
    world = World(tmp_path)
    answer = await world.web.request(method, "/-/reload", headers=headers)
    assert (answer.status_code, answer.text) == (403, "reload refused: cross-site request\n")
    assert world.metric("contactcenter_exporter_http_requests_total", code="403") == 1


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec-fetch-site": "same-origin", "origin": "https://behind-a-proxy"},
        {"sec-fetch-site": "none"},
        {"origin": "http://exporter"},
        {"origin": "http://EXPORTER:80"},
        {"origin": "https://exporter", "host": "exporter:443"},
        {"origin": "http://[::1]:10077", "host": "[::1]:10077"},
    ],
)
async def test_programs_and_own_pages_can_reload(tmp_path: Path, headers: dict[str, str]) -> None:
    """Programs send no origin; a page of the exporter's own origin is no other."""
    world = World(tmp_path)
    async with world.serving():
        assert (await world.web.post("/-/reload", headers=headers)).status_code == 200


async def test_reloads_take_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One reload runs and one waits, which serves all that come; after a while it is refused."""
    world = World(tmp_path)
    async with world.serving():
        reads = []
        reread = world.app._reread
        assert reread is not None

        def counted() -> Config:
            reads.append(1)
            return reread()

        world.app._reread = counted
        world.hold = threading.Event()
        first = asyncio.create_task(world.web.post("/-/reload"))
        await asyncio.sleep(0.1)
        others = [asyncio.create_task(world.web.post("/-/reload")) for _ in range(30)]
        for _ in range(30):
            world.app.reload_on_signal()
        await asyncio.sleep(0.1)
        assert not first.done()
        assert not any(task.done() for task in others)
        world.hold.set()
        assert {(await task).status_code for task in (first, *others)} == {200}
        assert len(reads) == 2
        world.hold = threading.Event()
        first = asyncio.create_task(world.web.post("/-/reload"))
        await asyncio.sleep(0.1)
        monkeypatch.setattr("exporter.app._LOCK_TIMEOUT", 0.1)
        late = [await world.web.post("/-/reload") for _ in range(2)]
        assert [(answer.status_code, answer.text) for answer in late] == [
            (503, "reload refused: another reload is still running\n")
        ] * 2
        assert not first.done()
        world.hold.set()
        assert (await first).status_code == 200
        assert world.metric(GOOD) == 1


async def test_certificates_that_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that hangs under a certificate file blocks neither figures nor reloads."""
    monkeypatch.setattr("exporter.app._READ_TIMEOUT", 0.2)
    world = World(tmp_path)
    hang = threading.Event()

    def client(account: AccountConfig, directory: Path) -> httpx.AsyncClient:
        assert hang.wait(20)
        return world.client(account, directory)

    async with world.serving():
        world.app.accounts._clients = client
        world.write(world.account("first", world.simulator.username, ", max_series: 7"))
        beats = 0
        reload = asyncio.create_task(world.web.post("/-/reload"))
        while not reload.done():
            await asyncio.sleep(0.01)
            beats += 1
        assert beats >= 10
        assert "could not be read within 0.2 s" in (await reload).text
        hang.set()
        for _ in range(100):
            if (await world.web.post("/-/reload")).status_code == 200:
                break
            await asyncio.sleep(0.05)
        await world.until('contactcenter_up{account="first",provider="five9"} 1.0')
        assert world.metric(GOOD) == 1


async def test_a_file_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that cannot be read in time is an invalid one, and blocks nothing.

    While it hangs, further reloads are refused at once, and start no further thread.
    """
    monkeypatch.setattr("exporter.app._READ_TIMEOUT", 0.2)
    world = World(tmp_path)
    async with world.serving():
        world.hold = threading.Event()
        answer = await world.web.post("/-/reload")
        assert answer.status_code == 500
        assert "could not be read within 0.2 s" in answer.text
        assert world.metric(GOOD) == 0
        start = time.monotonic()
        for _ in range(20):
            assert (await world.web.post("/-/reload")).status_code == 500
        assert time.monotonic() - start < 2.0
        assert sum(thread.name == "daemon" for thread in threading.enumerate()) == 1
        world.hold.set()
        for _ in range(100):
            if (await world.web.post("/-/reload")).status_code == 200:
                break
            await asyncio.sleep(0.02)
        assert world.metric(GOOD) == 1


async def test_a_bug_while_reading(tmp_path: Path) -> None:
    """A bug while reading is a failed reload, and the next reload works."""
    world = World(tmp_path)
    reread = world.read
    reasons = [KeyError("bug")]

    def broken() -> Config:
        if reasons:
            raise reasons.pop()
        return reread()

    app = App(world.read(), clients=world.client, reread=broken)
    hook, threading.excepthook = threading.excepthook, lambda _: None
    try:
        with pytest.raises(RuntimeError, match="a function in a thread failed"):
            await app.reload()
    finally:
        threading.excepthook = hook
    assert app.telemetry.registry.get_sample_value(GOOD) == 0
    await app.reload()
    assert app.telemetry.registry.get_sample_value(GOOD) == 1
    await app.accounts.stop()


async def test_no_reload_during_the_end(tmp_path: Path) -> None:
    """A reload during shutdown, or one that shutdown interrupts, is refused."""
    world = World(tmp_path)
    async with world.serving():
        world.hold = threading.Event()
        reading = asyncio.create_task(world.app.reload())
        await asyncio.sleep(0.1)
        asyncio.get_running_loop().call_later(0.3, world.hold.set)
    with pytest.raises(ReloadRefused, match="stopping"):
        await reading
    with pytest.raises(ReloadRefused, match="stopping"):
        await world.app.reload()
    assert [r.outcome for r in world.simulator.log if r.operation == "closeSession"] == ["ok"]


async def test_the_end_during_a_reload(tmp_path: Path) -> None:
    """Shutdown waits for a reload's sign-outs, ten seconds at most; added accounts do not start."""
    world = World(tmp_path)
    async with world.serving():
        world.simulator.fail_next("hang", target="closeSession")
        world.write(world.account("first", world.simulator.username, ", max_series: 7"))
        reload = asyncio.create_task(world.app.reload())
        await asyncio.sleep(0.2)
        assert not reload.done()
        asked = time.monotonic()
    took = time.monotonic() - asked
    print(f"ended {took:.2f} s after it was asked to")
    assert took < 10
    await reload
    assert world.sign_ins(world.simulator.username) == 1
    assert list(world.app.accounts) == []


async def test_readiness_stays(tmp_path: Path) -> None:
    """An account that a reload adds does not make the exporter unready."""
    world = World(tmp_path)
    assert (await world.web.get("/-/ready")).status_code == 503
    async with world.serving():
        world.write(
            world.account("first", world.simulator.username),
            world.account("second", "second@example.com"),
        )
        await world.app.reload()
        assert (await world.web.get("/-/ready")).status_code == 200


async def test_a_hang_up_reloads_in_the_background(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """SIGHUP reloads; a broken file is logged; many at once are one reload."""
    world = World(tmp_path)
    reads = []
    reread = world.read

    def counted() -> Config:
        reads.append(1)
        return reread()

    app = App(world.read(), clients=world.client, reread=counted)
    with caplog.at_level(logging.INFO):
        for _ in range(20):
            app.reload_on_signal()
        await _settled(lambda: caplog.text.count("configuration reloaded") == 1)
        world.file.write_text("accounts: []")
        app.reload_on_signal()
        await _settled(lambda: "configuration not reloaded" in caplog.text)
    assert len(reads) == 2
    assert "expected a list of at least one account" in faults(caplog)
    await app.accounts.stop()


async def test_without_a_file_nothing_is_reloaded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The demo has no file: SIGHUP is logged and does nothing."""
    world = World(tmp_path, reread=None)
    world.app.reload_on_signal()
    await _settled(lambda: "reload refused" in caplog.text)
    assert world.metric(GOOD) == 1


async def test_rejected_credentials_end_at_a_reload(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An account that the platform refused is tried again by a reload that changes nothing."""
    monkeypatch.setattr("exporter.refresh.logins.RETRY_GAP", 0.5)
    world = World(tmp_path)
    world.write(
        world.account("first", world.simulator.username),
        world.account("second", "second@example.com"),
    )
    async with world.serving():
        world.simulator.other_users = {"second@example.com": "another"}
        assert "1 added" in await world.app.reload()
        await world.until('signins_total{account="second",outcome="auth",provider="five9"} 1.0')
        world.simulator.other_users = {"second@example.com": SECRET}
        assert "2 unchanged" in await world.app.reload()
        await world.until('contactcenter_up{account="second",provider="five9"} 1.0')
        assert world.sign_ins(world.simulator.username) == 1


async def test_what_is_left_out_is_told(tmp_path: Path) -> None:
    """Series over an account's cap are counted, and no longer when the account has gone."""
    world = World(tmp_path)
    second = world.account("second", "second@example.com", ", max_series: 3")
    world.write(world.account("first", world.simulator.username), second)
    async with world.serving():
        await world.app.reload()
        page = await world.until(
            'contactcenter_series_dropped{account="second",feed="ACDStatus",provider="five9"} '
        )
        assert 'contactcenter_up{account="second"' in page
        world.write(world.account("first", world.simulator.username))
        await world.app.reload()
        for _ in range(5):
            assert 'account="second"' not in (await world.web.get("/metrics")).text
            await asyncio.sleep(0.1)


async def test_the_configuration_is_shown_without_secrets(tmp_path: Path) -> None:
    """/config shows what is in force, also after a reload, and never a secret."""
    world = World(tmp_path)
    answer = await world.web.get("/config")
    assert answer.headers["content-type"].startswith("text/plain")
    assert "password: <secret>" in answer.text
    assert "max_series: 100000" in answer.text
    assert SECRET not in answer.text
    world.write(world.account("first", world.simulator.username, ", max_series: 77"))
    await world.app.reload()
    assert "max_series: 77" in (await world.web.get("/config")).text
    await world.app.accounts.stop()


async def test_a_config_error_reaches_the_caller(tmp_path: Path) -> None:
    """A certificate that cannot be used is a mistake of the configuration like any other."""
    world = World(tmp_path)
    app = App(world.read(), reread=world.read)
    world.write(world.account("first", "x", ", tls: {ca_file: none.pem}"))
    with pytest.raises(ConfigError, match=r":2: accounts\[0\].tls.ca_file: cannot be read: No"):
        await app.reload()
    assert len(list(app.accounts)) == 1
    await app.accounts.stop()


def faults(caplog: pytest.LogCaptureFixture) -> str:
    """Return the mistakes that were logged."""
    return "\n".join(getattr(record, "fields", {}).get("fault", "") for record in caplog.records)


async def _settled(done: Any) -> None:
    for _ in range(100):
        if done():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it never came")


@pytest.mark.slow
async def test_no_account_is_up_while_the_loop_is_blocked(tmp_path: Path) -> None:
    """Where something blocks the accounts' loop, ``up`` falls as soon as the figures expire."""
    world = World(tmp_path)
    world.write(world.account("first", world.simulator.username, ", stale_after: 2s"))
    await world.app.reload()
    async with world.serving():
        pages: list[str] = []

        def read() -> None:
            time.sleep(3)
            page = world.app.publisher.current()
            pages.append(b"".join(page.body(Format.TEXT, gzip=False)[0]).decode())

        reader = threading.Thread(target=read)
        reader.start()
        reader.join()  # blocks the loop
        assert 'contactcenter_up{account="first",provider="five9"} 0.0' in pages[0]
        assert "contactcenter_queue_contacts_waiting{" not in pages[0]
