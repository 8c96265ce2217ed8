"""Tests of connections on real sockets: slow clients, limits, TLS, new certificates."""

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httptools
import httpx
import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from exporter.exposition.page import Chunks
from exporter.web.config import WebConfigWatcher
from exporter.web.server import CHUNKS, ConnectionLimits, Server
from exporter.web.sockets import Address, listen_all
from support.certificates import Authority, Pair

QUICK = ConnectionLimits(head_time=1.0, read_time=1.0, connections=4)
TLS = "tls_server_config: {cert_file: server.crt, key_file: server.key}\n"
GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
LARGE = b"x" * 4_000_000
HUGE = b"x" * 64_000_000  # more than the buffers of both ends take


async def page(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with a little, much, or more than buffers hold; or fail."""
    if scope["path"] == "/broken":
        raise RuntimeError("hunter2 is in this message")
    body: bytes | Chunks = {"/large": LARGE, "/huge": HUGE}.get(scope["path"], b"page")
    if scope["path"].endswith("/chunks"):
        assert CHUNKS in scope["extensions"]
        body = Chunks([LARGE[:1000]] * (64_000 if scope["path"] == "/huge/chunks" else 4000))
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@contextmanager
def serving(
    limits: ConnectionLimits = QUICK,
    watcher: WebConfigWatcher | None = None,
    host: str = "127.0.0.1",
) -> Iterator[Server]:
    server = Server(page, Address(host, 0), "test", watcher=watcher, limits=limits)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def connected(server: Server) -> Iterator[socket.socket]:
    where = ("127.0.0.1", server.address.port)
    with socket.create_connection(where, timeout=10) as client:
        yield client


def rest(client: socket.socket) -> bytes:
    """Return all that comes until the server closes."""
    parts = []
    while part := client.recv(65_536):
        parts.append(part)
    return b"".join(parts)


def answered(client: socket.socket) -> bool:
    """Return whether the little page comes; what comes is read to its end."""
    received = b""
    while not received.endswith(b"page") and (part := client.recv(1000)):
        received += part
    return received.startswith(b"HTTP/1.1 200") and received.endswith(b"page")


def status(answer: bytes) -> int:
    assert answer.startswith(b"HTTP/1.1 ")
    return int(answer[9:12])


@pytest.mark.parametrize(
    "start",
    [b"GET /a", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nhost: x\r\nx-more: "],
)
def test_a_head_has_to_come_in_time(start: bytes) -> None:
    """A request that is not complete in time is answered with 408, however it drips."""
    with serving() as server, connected(server) as client:
        client.sendall(start)
        begun = time.monotonic()
        client.settimeout(0.05)
        answer = b""
        while not answer and time.monotonic() - begun < 10:
            with contextlib.suppress(TimeoutError):
                answer = client.recv(1000)
            with contextlib.suppress(OSError):
                client.sendall(b"x")
        took = time.monotonic() - begun
        assert status(answer) == 408
        assert 0.9 < took < 8


@pytest.mark.parametrize("idle", [b"", b"\r\n"])
def test_a_client_that_asks_nothing(idle: bytes) -> None:
    """A connection without any request is closed in time, without an answer."""
    with serving() as server, connected(server) as client:
        client.sendall(idle)
        assert rest(client) == b""


def test_empty_lines_do_not_keep_a_connection() -> None:
    """After an answer, too, only a whole request keeps a connection, not a drip of line breaks."""
    with serving() as server, connected(server) as client:
        client.sendall(GET)
        client.settimeout(0.05)
        received, begun = b"", time.monotonic()
        while time.monotonic() - begun < 10:
            with contextlib.suppress(TimeoutError):
                part = client.recv(1000)
                if not part:
                    break
                received += part
            with contextlib.suppress(OSError):
                client.sendall(b"\r\n")
        assert status(received) == 200
        assert received.count(b"HTTP/1.1") == 1
        assert time.monotonic() - begun < 8


def test_a_second_request_has_its_own_time() -> None:
    """Requests that follow each other on a connection each have the whole time."""
    with serving() as server, connected(server) as client:
        for _ in range(3):
            client.sendall(GET[:10])
            time.sleep(0.6)
            client.sendall(GET[10:])
            assert answered(client)


def test_requests_at_once_are_answered_in_order() -> None:
    """Requests sent together are all answered; an unfinished one after them is closed in time."""
    with serving() as server, connected(server) as client:
        client.sendall(GET * 3 + b"GET /")
        answers = rest(client)
        assert answers.count(b"HTTP/1.1 200") == 3
        assert answers.count(b"HTTP/1.1 408") == 1


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n", 414),
        (b"GET /" + b"a" * 20_000, 414),
        (b"GET / HTTP/1.1\r\nx-large: " + b"a" * 20_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nx-large: " + b"a" * 20_000, 431),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 4_000 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 4_000, 431),
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: x\r\ncontent-length: x\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"CONNECT host:1 HTTP/1.1\r\n\r\n", 400),
    ],
)
def test_heads_are_bounded(head: bytes, expected: int, caplog: pytest.LogCaptureFixture) -> None:
    """Long addresses, long heads and what is not HTTP are refused, and logged once."""
    with serving() as server:
        for _ in range(3):
            with connected(server) as client:
                client.sendall(head)
                answer = rest(client)
            assert status(answer) == expected
            assert b"connection: close" in answer
    records = [record for record in caplog.records if record.name == "exporter.web.connections"]
    assert [record.getMessage() for record in records] == ["connections refused"]
    assert records[0].fields == {"reason": str(expected), "client": "127.0.0.1"}  # type: ignore[attr-defined]


def test_a_head_that_grows_slowly_is_bounded() -> None:
    """A head that comes in many pieces is refused as soon as it is too large."""
    with serving(ConnectionLimits(head_time=10)) as server, connected(server) as client:
        client.sendall(b"GET / HTTP/1.1\r\nx: ")
        with contextlib.suppress(OSError):
            for _ in range(40):
                client.sendall(b"a" * 1000)
                time.sleep(0.002)
        with contextlib.suppress(ConnectionResetError):
            assert status(rest(client)) == 431


def test_large_but_allowed() -> None:
    """An address and a head just within bounds are served."""
    with serving() as server:
        url = f"http://{server.address}/?" + "a" * 7_000
        answer = httpx.get(url, headers={"x-large": "b" * 7_000}, trust_env=False)
        assert answer.status_code == 200


@pytest.mark.parametrize("path", [b"/huge", b"/huge/chunks"])
def test_a_client_that_does_not_read(path: bytes) -> None:
    """Who takes nothing of a long answer is cut off in time."""
    with serving() as server, connected(server) as client:
        client.sendall(GET.replace(b"/ ", path + b" "))
        time.sleep(4)
        received = b""
        with contextlib.suppress(ConnectionResetError):
            received = rest(client)
        assert len(received) < len(HUGE)


@pytest.mark.parametrize("path", [b"/large", b"/large/chunks"])
def test_a_slow_reader_is_served(path: bytes) -> None:
    """Who reads a long answer slowly, but reads, gets all of it."""
    with serving() as server, connected(server) as client:
        head = GET.replace(b"/ ", path + b" ")
        client.sendall(head.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
        received, begun = 0, time.monotonic()
        while part := client.recv(100_000):
            received += len(part)
            time.sleep(0.06)
        assert received > len(LARGE)
        assert time.monotonic() - begun > 2 * QUICK.read_time


@pytest.mark.parametrize("upgrade", [b"websocket", b"h2c"])
def test_no_other_protocol(upgrade: bytes) -> None:
    """A wish for another protocol is ignored: the answer is HTTP/1.1, and the last one."""
    with serving() as server, connected(server) as client:
        client.sendall(
            b"GET / HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: " + upgrade + b"\r\n"
            b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        answer = rest(client)
        assert status(answer) == 200
        assert answer.endswith(b"page")


def test_a_failure_shows_nothing() -> None:
    """A fault of ours is 500 in plain text, without a traceback and without a banner."""
    with serving() as server:
        answer = httpx.get(f"http://{server.address}/broken", trust_env=False)
    assert (answer.status_code, answer.text) == (500, "Internal Server Error")
    assert answer.headers["content-type"].startswith("text/plain")
    assert "server" not in answer.headers


def test_several_addresses_are_one_server() -> None:
    """Every socket that is passed answers, and is closed at the end."""
    addresses = [Address("127.0.0.1", 0), Address("127.0.0.1", 0)]
    if socket.has_ipv6:
        addresses.append(Address("::1", 0))
    opened = listen_all(addresses)
    server = Server(page, opened, "test")
    server.start()
    try:
        for each in server.addresses:
            assert httpx.get(f"http://{each}/", trust_env=False).text == "page"
    finally:
        server.stop()
    assert [each.fileno() for each in opened] == [-1] * len(opened)


class World:
    """A folder with a web configuration, a server's certificate and a client."""

    def __init__(self, folder: Path, options: str = "") -> None:
        self.folder = folder
        self.authority = Authority()
        (folder / "ca.pem").write_text(self.authority.pem)
        self.rotate()
        self.file = folder / "web.yml"
        self.file.write_text(TLS.replace("}", f"{options}}}"))
        self.watcher = WebConfigWatcher(self.file)

    def rotate(self) -> None:
        self.authority.sign("server", "localhost", "127.0.0.1").write(self.folder, "server")

    def client(self, pair: Pair | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=self.authority.pem)
        if pair:
            pair.write(self.folder, "client")
            context.load_cert_chain(self.folder / "client.crt", self.folder / "client.key")
        return context


@contextmanager
def secured(server: Server, context: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:
    with (
        connected(server) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as client,
    ):
        yield client


def serial(client: ssl.SSLSocket) -> object:
    certificate = client.getpeercert()
    assert certificate
    return certificate["serialNumber"]


def test_certificates_change_while_serving(tmp_path: Path) -> None:
    """A new certificate is shown to new clients within seconds; open connections go on."""
    world = World(tmp_path)
    with (
        serving(ConnectionLimits(), world.watcher) as server,
        secured(server, world.client()) as early,
    ):
        first = serial(early)
        for _ in range(2):  # a second time, because the listeners have been replaced by then
            world.rotate()
            for _ in range(100):
                with secured(server, world.client()) as late:
                    late.sendall(GET)
                    assert answered(late)
                    if serial(late) != first:
                        first = serial(late)
                        break
                time.sleep(0.1)
            else:
                pytest.fail("the new certificate was not taken")
            early.sendall(GET)
            assert answered(early)


def test_a_broken_certificate_changes_nothing(tmp_path: Path) -> None:
    """While a new certificate cannot be used, the old one is shown."""
    world = World(tmp_path)
    with serving(ConnectionLimits(), world.watcher) as server:
        with secured(server, world.client()) as client:
            first = serial(client)
        (tmp_path / "server.key").write_text("broken")
        time.sleep(2.5)
        with secured(server, world.client()) as client:
            assert serial(client) == first


def test_a_handshake_has_to_come_in_time(tmp_path: Path) -> None:
    """Who connects to TLS and says nothing, or begins to and stops, is cut off."""
    world = World(tmp_path)
    with serving(QUICK, world.watcher) as server:
        for start in (b"", b"\x16\x03\x01"):
            with connected(server) as client:
                client.sendall(start)
                with contextlib.suppress(ConnectionResetError):
                    assert rest(client) == b""


def test_plain_http_to_tls(tmp_path: Path) -> None:
    """A client that speaks plain HTTP to a TLS port gets no page."""
    world = World(tmp_path)
    with serving(QUICK, world.watcher) as server, connected(server) as client:
        client.sendall(GET)
        with contextlib.suppress(ConnectionResetError):
            assert b"page" not in rest(client)


CLIENTS = ", client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem"


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("prometheus.example", True),
        ("10.1.2.3", True),
        ("2001:db8::1", True),
        ("ops@example.com", True),
        ("spiffe://example/prometheus", True),
        ("grafana.example", False),
        ("10.1.2.4", False),
    ],
)
def test_clients_need_a_name(tmp_path: Path, name: str, fits: bool) -> None:
    """With client_allowed_sans a client's certificate has to have one of these names."""
    names = (
        "[prometheus.example, 10.1.2.3, '2001:db8::1', ops@example.com, "
        "'spiffe://example/prometheus']"
    )
    world = World(tmp_path, f"{CLIENTS}, client_allowed_sans: {names}")
    pair = world.authority.sign("client", name)
    with serving(QUICK, world.watcher) as server:
        came = False
        with contextlib.suppress(OSError), secured(server, world.client(pair)) as client:
            client.sendall(GET)
            came = answered(client)
        assert came is fits


def test_clients_need_a_certificate(tmp_path: Path) -> None:
    """Without a certificate, or with a stranger's, there is no page."""
    world = World(tmp_path, CLIENTS)
    stranger = Authority("somebody else").sign("client", "one")
    with serving(QUICK, world.watcher) as server:
        for pair, fits in (
            (None, False),
            (stranger, False),
            (world.authority.sign("c", "x"), True),
        ):
            came = False
            with contextlib.suppress(OSError), secured(server, world.client(pair)) as client:
                client.sendall(GET)
                came = answered(client)
            assert came is fits


# What exporter/web/server.py uses of uvicorn beyond its documentation: attributes of a connection,
# of the response being sent, of the server and of the configuration.
_CONNECTION = (
    "_unset_keepalive_if_required",
    "connection_lost",
    "connection_made",
    "connections",
    "cycle",
    "eof_received",
    "data_received",
    "headers",
    "loop",
    "on_headers_complete",
    "on_message_begin",
    "on_response_complete",
    "parser",
    "pipeline",
    "scheme",
    "scope",
    "transport",
    "url",
)
_CYCLE = ("keep_alive", "response_complete", "transport")
_SERVER = ("force_exit", "run", "server_state", "should_exit", "shutdown", "started", "startup")
_CONFIG = ("callback_notify", "timeout_notify")


@pytest.mark.anyio
async def test_private_attributes_of_uvicorn() -> None:
    """An upgrade of uvicorn or httptools that removes one of these fails here, by its name."""
    config = uvicorn.Config(page, http=HttpToolsProtocol, lifespan="off")
    config.load()
    server = uvicorn.Server(config)
    connection = HttpToolsProtocol(config, server.server_state, {}, asyncio.get_running_loop())
    connection.connection_made(asyncio.Transport())
    connection.data_received(GET)
    for task in connection.tasks:
        task.cancel()

    used: dict[object, tuple[str, ...]] = {
        connection: _CONNECTION,
        connection.cycle: _CYCLE,
        connection.parser: ("feed_data",),
        server: _SERVER,
        config: _CONFIG,
        httptools: ("HttpParserError", "HttpParserUpgrade"),
    }
    missing = [
        f"{owner}: {name}"
        for owner, names in used.items()
        for name in names
        if not hasattr(owner, name)
    ]
    assert missing == []
    assert "servers" in uvicorn.Server.shutdown.__code__.co_names  # which it closes
