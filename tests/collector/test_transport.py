"""Tests of name resolution apart, of connections that are kept, and of those that were closed."""

import asyncio
import socket
import ssl
import struct
import threading
import time
from typing import Any

import httpcore
import httpx
import pytest

from exporter.clock import SystemClock
from exporter.collector import resolver as lookups
from exporter.collector import transport as transports
from exporter.collector.http import Http, Tls, check_status, open_client
from exporter.collector.resolver import Resolver
from exporter.collector.transport import REPEATABLE, Transport, stop_waiting
from exporter.errors import ProviderError, TimedOut, Unreachable
from exporter.telemetry import AccountTelemetry, Telemetry
from support.clock import VirtualClock
from support.resolver import FakeResolver, until
from support.servers import listening

pytestmark = pytest.mark.anyio
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Replace the system's resolver."""
    monkeypatch.setattr(transports, "_resolver", Resolver())
    resolver = FakeResolver(monkeypatch)
    yield resolver
    resolver.release.set()


class Wire:
    """An account that sends requests over real connections."""

    def __init__(
        self,
        account: str = "acme",
        proxy: str | None = None,
        clock: VirtualClock | None = None,
    ) -> None:
        self.telemetry = Telemetry()
        self.client = open_client(Tls(), proxy, account)
        if clock is not None:
            self.client._transport = Transport(ssl.create_default_context(), proxy, account, clock)
        counted = AccountTelemetry(self.telemetry, "five9", account)
        self.http = Http(self.client, counted, clock or SystemClock())

    async def send(
        self, url: str, method: str = "GET", *, limit: float = 10.0, repeatable: bool = False
    ) -> bytes:
        request = self.client.build_request(method, url, extensions={REPEATABLE: repeatable})

        async def read(response: httpx.Response) -> bytes:
            check_status(response)
            return response.content

        return await self.http.send(request, "get", read, limit)

    async def hang(self, url: str, error: str = "took longer") -> None:
        """Send a request whose look-up is waited for only 0.1 s, and fails."""
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(transports, "_LOOKUP_SHARE", 0.01)
            with pytest.raises(Unreachable, match=error):
                await self.send(url)

    @property
    def counted(self) -> dict[str, float]:
        return {
            sample.labels["outcome"]: sample.value
            for family in self.telemetry.registry.collect()
            for sample in family.samples
            if sample.name == "contactcenter_api_requests_total"
        }


class Platform:
    """A server that counts connections and requests, and may cut a kept connection.

    ``cut`` is what it does instead of answering the second request of a connection: ``fin`` closes
    it, ``reset`` resets it, ``half`` sends a part of a head and closes it; ``silence`` is nothing.
    """

    def __init__(self, cut: str = "") -> None:
        self.cut = cut
        self.connections = 0
        self.requests: list[str] = []

    def close(self, how: str) -> None:
        """Close the last connection."""
        if how == "reset":
            peer = self.writer.get_extra_info("socket")
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writer, first = writer, True
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.requests.append(head.split(b" ")[0].decode())
                if self.cut == "silence" and not first:
                    continue
                if self.cut and not first:
                    if self.cut == "half":
                        writer.write(OK[:12])
                    self.close(self.cut)
                    return
                writer.write(OK)
                first = False
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()


# Name resolution --------------------------------------------------------------------------------


async def test_a_look_up_that_hangs(names: FakeResolver) -> None:
    """A look-up has its own timeout and error; its late answer serves the next request."""
    platform, wire = Platform(), Wire()
    async with listening(platform.serve) as port, wire.client:
        url = f"http://hang.test:{port}/"
        for _ in range(2):  # the second waits for the look-up of the first
            await wire.hang(url, r"of hang\.test took longer than 0\.1 s")
        assert (names.asked, names.hanging) == (["hang.test"], 1)
        names.release.set()
        until(lambda: names.hanging == 0)
        assert await wire.send(url) == b"ok"
        assert names.asked == ["hang.test"]
        assert await wire.send(url) == b"ok"
        assert (names.asked, platform.connections) == (["hang.test"], 1)
    assert wire.counted == {"network": 2, "ok": 2}


@pytest.mark.parametrize(("hanging", "healthy"), [(12, 8), (150, 8)])
async def test_many_accounts(names: FakeResolver, hanging: int, healthy: int) -> None:
    """However many accounts wait for a look-up, that of another account is not delayed."""
    platform = Platform()
    wires = [Wire(f"account-{number}") for number in range(hanging + healthy)]
    async with listening(platform.serve) as port:
        waiting = [
            asyncio.create_task(wire.send(f"http://hang.test:{port}/", limit=60.0))
            for wire in wires[healthy:]
        ]
        await asyncio.sleep(0.1)
        start = time.monotonic()
        sent = [wire.send(f"http://platform.test:{port}/", limit=60.0) for wire in wires[:healthy]]
        assert await asyncio.gather(*sent) == [b"ok"] * healthy
        assert time.monotonic() - start < 5.0  # less than any look-up that hangs
        assert (names.hanging, platform.connections) == (hanging, healthy)
        names.release.set()
        assert await asyncio.gather(*waiting) == [b"ok"] * hanging
        for wire in wires:
            await wire.client.aclose()


async def test_an_answer_is_used_once(names: FakeResolver) -> None:
    """A name is looked up again for the next connection."""
    platform = Platform()
    async with listening(platform.serve) as port:
        for _ in range(2):
            wire = Wire()
            async with wire.client:
                assert await wire.send(f"http://platform.test:{port}/") == b"ok"
    assert names.asked == ["platform.test"] * 2


async def test_look_ups_of_an_account_are_bounded(names: FakeResolver) -> None:
    """An account has two look-ups that hang at the most; other accounts go on."""
    platform, wire, other = Platform(), Wire(), Wire("other")
    async with listening(platform.serve) as port, wire.client, other.client:
        for name in ("hang-1", "hang-2"):
            await wire.hang(f"http://{name}.test:{port}/")
        with pytest.raises(Unreachable, match="too many earlier ones have not ended"):
            await wire.send(f"http://platform.test:{port}/")
        assert await other.send(f"http://platform.test:{port}/") == b"ok"
        names.release.set()
        until(lambda: names.hanging == 0)
        assert await wire.send(f"http://platform.test:{port}/") == b"ok"


async def test_look_ups_of_a_new_client_are_bounded_too(names: FakeResolver) -> None:
    """Clients that a reload opens for the same account share what is pending."""
    for _ in range(4):
        wire = Wire()
        async with wire.client:
            await wire.hang("http://hang.test:1/")
    assert names.asked == ["hang.test"]


async def test_look_ups_of_all_accounts_are_bounded(
    names: FakeResolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is a bound on the threads of all accounts together."""
    monkeypatch.setattr(lookups, "MOST_LOOKUPS", 3)
    for number in range(5):
        wire = Wire(f"account-{number}")
        async with wire.client:
            await wire.hang("http://hang.test:1/", "too many" if number > 2 else "took longer")
    assert names.most_hanging == 3


async def test_no_thread_is_left(names: FakeResolver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system allows no more threads, the request fails, and the next may work."""
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "resolver":
            raise RuntimeError("can't start new thread")
        start(thread)

    platform, wire = Platform(), Wire()
    async with listening(platform.serve) as port, wire.client:
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", refuse)
            with pytest.raises(Unreachable, match="can't start new thread"):
                await wire.send(f"http://platform.test:{port}/")
        assert await wire.send(f"http://platform.test:{port}/") == b"ok"


async def test_a_name_that_does_not_exist(names: FakeResolver) -> None:
    """The resolver's own error is shown; it is asked again by the next request."""
    wire = Wire()
    async with wire.client:
        for _ in range(2):
            with pytest.raises(Unreachable, match="Name or service not known"):
                await wire.send("http://gone.test:1/")
    assert names.asked == ["gone.test"] * 2


@pytest.mark.parametrize(("late", "again"), [(59.0, False), (61.0, True)])
async def test_a_late_answer_is_kept_for_a_minute(
    names: FakeResolver, clock: VirtualClock, late: float, again: bool
) -> None:
    """An answer older than a minute is not used: addresses change."""
    resolver = Resolver(clock)
    for account in ("acme", "other"):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(resolver.resolve(account, "hang.test", 1), 0.05)
    names.release.set()
    until(lambda: names.hanging == 0)
    clock.elapsed += late
    assert await resolver.resolve("acme", "hang.test", 1) == ["127.0.0.1"]
    assert names.asked == ["hang.test"] * (3 if again else 2)


async def test_a_late_failure_is_not_kept(names: FakeResolver) -> None:
    """A look-up that failed too late is made again."""
    resolver = Resolver()
    names.answer = []
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(resolver.resolve("acme", "hang.test", 1), 0.05)
    names.release.set()
    until(lambda: names.hanging == 0)
    names.answer = [(socket.AF_INET, "127.0.0.1")]
    assert await resolver.resolve("acme", "hang.test", 1) == ["127.0.0.1"]


def test_the_loop_ends_while_look_ups_hang(
    names: FakeResolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of the event loop, and of the process, does not wait for a look-up."""
    monkeypatch.setattr(transports, "_LOOKUP_SHARE", 0.01)

    async def send() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(50):
                group.create_task(fail(Wire(f"account-{number}")))

    async def fail(wire: Wire) -> None:
        async with wire.client:
            with pytest.raises(Unreachable):
                await wire.send("http://hang.test:1/")

    start = time.monotonic()
    asyncio.run(send())
    assert time.monotonic() - start < 5.0
    assert names.hanging == 50
    threads = [thread for thread in threading.enumerate() if thread.name == "resolver"]
    assert all(thread.daemon for thread in threads)


async def test_an_account_that_stops(names: FakeResolver, monkeypatch: pytest.MonkeyPatch) -> None:
    """An account that stops does not wait for a look-up that hangs, and hardly for the next."""
    monkeypatch.setattr(transports, "_LAST_LOOKUP", 0.05)
    wire = Wire()
    async with wire.client:
        waiting = asyncio.create_task(wire.send("http://hang.test:1/"))
        await asyncio.sleep(0.05)
        stop_waiting(wire.client)
        start = time.monotonic()
        with pytest.raises(Unreachable, match=r"name resolution of hang\.test"):
            await waiting
        with pytest.raises(Unreachable, match=r"took longer than 0\.05 s"):
            await wire.send("http://hang.test:1/")
        assert time.monotonic() - start < 1.0


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_the_name_of_a_proxy(names: FakeResolver, scheme: str) -> None:
    """Through a proxy, only the proxy's name is looked up, apart as well."""
    platform = Platform()
    async with listening(platform.serve) as port:
        wire = Wire(proxy=f"http://user:secret@proxy.test:{port}")
        async with wire.client:
            if scheme == "http":
                assert await wire.send("http://platform.test/") == b"ok"
            else:  # the tunnel is made, and no TLS follows
                with pytest.raises(ProviderError):
                    await wire.send("https://platform.test/", limit=0.2)
    assert platform.requests[0] == {"http": "GET", "https": "CONNECT"}[scheme]
    wire = Wire("other", proxy="http://user:secret@hang-proxy.test:1")
    async with wire.client:
        await wire.hang(f"{scheme}://platform.test/", r"of hang-proxy\.test took longer")
    assert names.asked == ["proxy.test", "hang-proxy.test"]


async def test_addresses_are_not_looked_up(names: FakeResolver) -> None:
    """An address needs no look-up and no thread."""
    platform, wire = Platform(), Wire()
    async with listening(platform.serve) as port, wire.client:
        assert await wire.send(f"http://127.0.0.1:{port}/") == b"ok"
    assert names.asked == []


# Several addresses ------------------------------------------------------------------------------

V6, V4 = socket.AF_INET6, socket.AF_INET


class Attempts:
    """What happens to connections to each address, instead of a network."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **outcomes: str) -> None:
        self.tried: list[tuple[str, float]] = []
        self.closed = 0
        self.outcomes = {"::1": "refused", **outcomes}
        attempts = self
        connect = httpcore.AnyIOBackend.connect_tcp

        async def attempt(backend: Any, host: str, port: int, **options: Any) -> Any:
            attempts.tried.append((host, asyncio.get_running_loop().time()))
            outcome = attempts.outcomes.get(host, "ok")
            if outcome == "refused":
                raise httpcore.ConnectError("All connection attempts failed")
            if outcome == "silent":
                await asyncio.sleep(30)
            return await connect(backend, "127.0.0.1", port, **options)

        monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", attempt)


@pytest.mark.parametrize(
    ("outcomes", "tried"),
    [
        ({}, ["::1"]),
        ({"::1": "refused"}, ["::1", "192.0.2.1"]),
        ({"::1": "silent"}, ["::1", "192.0.2.1"]),
        ({"::1": "silent", "192.0.2.1": "silent"}, ["::1", "192.0.2.1", "::2"]),
        ({"::1": "refused", "192.0.2.1": "silent", "::2": "refused"}, None),
    ],
)
async def test_several_addresses(
    names: FakeResolver,
    monkeypatch: pytest.MonkeyPatch,
    outcomes: dict[str, str],
    tried: list[str] | None,
) -> None:
    """IPv6 and IPv4 in turn: the next address after a failure, or after 250 ms of silence."""
    names.answer = [(V4, "192.0.2.1"), (V6, "::1"), (V6, "::2"), (V4, "192.0.2.2")]
    attempts = Attempts(monkeypatch, **{"::1": "ok", **outcomes})
    platform, wire = Platform(), Wire()
    async with listening(platform.serve) as port, wire.client:
        assert await wire.send(f"http://platform.test:{port}/") == b"ok"
    hosts = [host for host, _ in attempts.tried]
    assert hosts == (tried or ["::1", "192.0.2.1", "::2", "192.0.2.2"])
    for (host, at), (_, after) in zip(attempts.tried, attempts.tried[1:], strict=False):
        assert (after - at < 0.2) == (outcomes[host] == "refused")


async def test_no_address_answers(names: FakeResolver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all addresses refuse, or one is silent to the end, the request fails."""
    names.answer = [(V6, "::1"), (V4, "192.0.2.1")]
    attempts = Attempts(monkeypatch, **{"192.0.2.1": "refused"})
    wire = Wire()
    async with wire.client:
        with pytest.raises(Unreachable, match="All connection attempts failed"):
            await wire.send("http://platform.test:1/")
        attempts.outcomes["192.0.2.1"] = "silent"
        start = time.monotonic()
        with pytest.raises(ProviderError):
            await wire.send("http://platform.test:1/", limit=0.5)
        assert time.monotonic() - start < 2.0


# Connections that are kept -----------------------------------------------------------------------


async def test_connections_are_kept(names: FakeResolver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection is used again after 110 s, and not after 130 s."""
    now = 1000.0
    monkeypatch.setattr("httpcore._async.http11.time.monotonic", lambda: now)
    platform, wire = Platform(), Wire()
    async with listening(platform.serve) as port, wire.client:
        url = f"http://platform.test:{port}/"
        for after, connections in ((0.0, 1), (110.0, 1), (119.0, 1), (130.0, 2)):
            now += after
            assert await wire.send(url, "POST") == b"ok"
            assert platform.connections == connections
    assert len(names.asked) == 2


@pytest.mark.parametrize("cut", ["fin", "reset", "half"])
@pytest.mark.parametrize(
    ("method", "repeatable"), [("GET", False), ("DELETE", False), ("POST", True)]
)
async def test_a_read_is_sent_again(cut: str, method: str, repeatable: bool) -> None:
    """A read on a kept connection that is closed without an answer is sent again, and counted."""
    platform, wire = Platform(cut), Wire()
    async with listening(platform.serve) as port, wire.client:
        url = f"http://127.0.0.1:{port}/"
        for _ in range(2):
            assert await wire.send(url, method, repeatable=repeatable) == b"ok"
    assert (len(platform.requests), platform.connections) == (3, 2)
    assert wire.counted == {"ok": 2, "network": 1}


@pytest.mark.parametrize("cut", ["fin", "reset"])
async def test_a_post_is_not_sent_again(cut: str) -> None:
    """A request that may change something, or counts, is sent once; the next one succeeds."""
    platform, wire = Platform(cut), Wire()
    async with listening(platform.serve) as port, wire.client:
        url = f"http://127.0.0.1:{port}/"
        assert await wire.send(url, "POST") == b"ok"
        with pytest.raises(Unreachable):
            await wire.send(url, "POST")
        assert await wire.send(url, "POST") == b"ok"
    assert len(platform.requests) == 3
    assert wire.counted == {"ok": 2, "network": 1}


async def test_a_new_connection_that_is_cut() -> None:
    """A server that closes a new connection without an answer is not asked again."""

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        await reader.readuntil(b"\r\n\r\n")
        asked += 1
        writer.close()

    asked, wire = 0, Wire()
    async with listening(cut) as port, wire.client:
        with pytest.raises(Unreachable):
            await wire.send(f"http://127.0.0.1:{port}/")
    assert asked == 1


@pytest.mark.parametrize("how", ["fin", "reset"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_connection_closed_before(how: str, method: str) -> None:
    """A kept connection that the server has closed is not used: nothing was sent on it."""
    platform, wire = Platform(), Wire()
    async with listening(platform.serve) as port, wire.client:
        url = f"http://127.0.0.1:{port}/"
        for connections in (1, 2, 3):
            assert await wire.send(url, method) == b"ok"
            assert platform.connections == connections
            platform.close(how)
            await asyncio.sleep(0.05)
    assert wire.counted == {"ok": 3}


async def test_how_long_connections_are_kept_is_learned(clock: VirtualClock) -> None:
    """After a kept connection turned out to be closed, connections are kept for a shorter time."""
    platform, wire = Platform("reset"), Wire(clock=clock)
    async with listening(platform.serve) as port, wire.client:
        url = f"http://127.0.0.1:{port}/"
        await wire.send(url, "POST")
        clock.elapsed += 20.0
        with pytest.raises(Unreachable):
            await wire.send(url, "POST")
        for _ in range(5):
            clock.elapsed += 20.0
            assert await wire.send(url, "POST") == b"ok"
        clock.elapsed += 15.0
        with pytest.raises(Unreachable):
            await wire.send(url, "POST")
    assert wire.counted == {"ok": 6, "network": 2}


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_gateway_that_drops(clock: VirtualClock, method: str) -> None:
    """Where a gateway drops what is sent on an idle connection, one request is lost, not each."""
    platform, wire = Platform("silence"), Wire(clock=clock)
    async with listening(platform.serve) as port, wire.client:
        url = f"http://127.0.0.1:{port}/"
        assert await wire.send(url, method) == b"ok"
        clock.elapsed += 75.0
        with pytest.raises(TimedOut):
            await wire.send(url, method, limit=0.2)
        for _ in range(3):
            assert await wire.send(url, method) == b"ok"
            clock.elapsed += 75.0
    assert wire.counted == {"ok": 4, "timeout": 1}


async def test_a_busy_connection_that_is_closed(clock: VirtualClock) -> None:
    """A connection that is closed while it is in use says nothing about idle ones."""
    platform, wire = Platform("fin"), Wire(clock=clock)
    async with listening(platform.serve) as port, wire.client:
        url = f"http://127.0.0.1:{port}/"
        for _ in range(2):
            assert await wire.send(url) == b"ok"
        platform.cut = ""
        for _ in range(3):
            clock.elapsed += 100.0
            assert await wire.send(url) == b"ok"
    assert platform.connections == 2


async def test_connections_from_before_a_suspend(clock: VirtualClock) -> None:
    """After hours, kept connections are closed, although httpcore's clock stood still."""
    platform, wire = Platform("reset"), Wire(clock=clock)
    async with listening(platform.serve) as port, wire.client:
        for _ in range(3):
            assert await wire.send(f"http://127.0.0.1:{port}/", "POST") == b"ok"
            clock.elapsed += 3600.0
    assert platform.connections == 3


@pytest.mark.parametrize("proxy", [None, "http://127.0.0.1:1", "https://127.0.0.1:1"])
async def test_the_network_is_ours(proxy: str | None) -> None:
    """The private attributes of httpx and httpcore that are set have an effect."""
    async with open_client(Tls(), proxy, "acme") as client:
        transport = client._transport
        assert isinstance(transport, Transport)
        for origin in (b"http", b"https"):
            connection: Any = transport._pool.create_connection(
                httpcore.Origin(origin, b"platform.test", 443)
            )
            inner = connection if proxy is None else connection._connection
            assert inner._network_backend is transport.network
