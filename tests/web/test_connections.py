"""Tests of many connections, and of clients that hold theirs: which is closed, what is counted."""

import asyncio
import contextlib
import errno
import resource
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send

from exporter.web.config import WebConfigWatcher
from exporter.web.server import ConnectionLimits, Server
from exporter.web.sockets import Address, listen, raise_descriptor_limit
from support.certificates import Authority

PLACES = 8
ANY_PORT = Address("127.0.0.1", 0)
LIMITS = ConnectionLimits(connections=PLACES)
GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
GET_LARGE = b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n"
LARGE = b"x" * 16_000_000  # more than the buffers of both ends take
PAGE = b"page"


class Site:
    """An application with a small page, a large one, and one that waits for ``released``."""

    def __init__(self) -> None:
        self.requests = 0
        self.released = threading.Event()

    async def __call__(self, scope: Scope, _: Receive, send: Send) -> None:
        self.requests += 1
        if scope["path"] == "/wait":
            await asyncio.to_thread(self.released.wait, 20)
        body = LARGE if scope["path"] == "/large" else PAGE
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@pytest.fixture
def refusals() -> Counter[str]:
    return Counter()


@pytest.fixture
def serving(refusals: Counter[str]) -> Iterator[Callable[..., Server]]:
    with ExitStack() as stack:

        def serve(
            limits: ConnectionLimits = LIMITS,
            *,
            site: Site | None = None,
            where: Address | list[socket.socket] = ANY_PORT,
            watcher: WebConfigWatcher | None = None,
        ) -> Server:
            site = site or Site()
            server = Server(
                site,
                where,
                "test",
                watcher=watcher,
                limits=limits,
                count_refusal=lambda reason: refusals.update([reason]),
            )
            server.start()
            stack.callback(server.stop, at_once=True)
            stack.callback(site.released.set)
            return server

        yield serve


@contextmanager
def connected(server: Server, host: str = "127.0.0.1") -> Iterator[socket.socket]:
    with socket.create_connection((host, server.address.port), timeout=10) as client:
        yield client


def rest(client: socket.socket) -> bytes:
    """Return all that comes until the server closes or resets the connection."""
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := client.recv(1 << 20):
            parts.append(part)
    return b"".join(parts)


def answered(client: socket.socket, request: bytes = GET) -> bool:
    """Return whether a request is answered with the small page."""
    received = b""
    with contextlib.suppress(ConnectionError):
        client.sendall(request)
        while not received.endswith(PAGE) and (part := client.recv(1000)):
            received += part
    return received.startswith(b"HTTP/1.1 200") and received.endswith(PAGE)


def is_open(client: socket.socket) -> bool:
    """Return whether the server has left a connection open on which nothing is to come."""
    client.settimeout(0.05)
    try:
        return client.recv(1, socket.MSG_PEEK) != b""
    except TimeoutError:
        return True
    except ConnectionResetError:
        return False


def _logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    name = "exporter.web.connections"
    return [record.getMessage() for record in caplog.records if record.name == name]


def idle(client: socket.socket) -> None:
    assert answered(client)


def silent(client: socket.socket) -> None:
    """Send nothing."""


def unfinished(client: socket.socket) -> None:
    client.sendall(b"GET / HTTP/1.1\r\nx-slow: a")


def unfinished_body(client: socket.socket) -> None:
    client.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\na")


def deaf(client: socket.socket) -> None:
    client.sendall(GET_LARGE)
    assert client.recv(1)


def waiting(client: socket.socket) -> None:
    client.sendall(GET.replace(b"/ ", b"/wait "))


@pytest.mark.parametrize("hold", [idle, silent, unfinished, unfinished_body, deaf, waiting])
def test_a_new_client_is_served(
    serving: Callable[..., Server], refusals: Counter[str], hold: Callable[[socket.socket], None]
) -> None:
    """However clients hold all the connections, a new client is served; one of them gives way."""
    server = serving()
    with ExitStack() as stack:
        holders = [stack.enter_context(connected(server)) for _ in range(PLACES)]
        for holder in holders:
            hold(holder)
        for newer in range(1, 4):
            assert answered(stack.enter_context(connected(server)))
            assert refusals == {"too_many": newer}


def test_the_longest_idle_connection_gives_way(
    serving: Callable[..., Server], caplog: pytest.LogCaptureFixture
) -> None:
    """In the order in which they became idle, not in that of their connecting; logged once."""
    server = serving()
    with ExitStack() as stack:
        holders = [stack.enter_context(connected(server)) for _ in range(PLACES)]
        for holder in [*holders, holders[0], holders[2]]:
            assert answered(holder)
        for _ in range(3):
            assert answered(stack.enter_context(connected(server)))
        assert [holders.index(each) for each in holders if not is_open(each)] == [1, 3, 4]
        assert answered(holders[0])
    assert _logged(caplog) == ["connections refused"]


def test_busy_connections_give_way_last(serving: Callable[..., Server]) -> None:
    """A response that is being sent or made is not cut while a connection is idle."""
    site = Site()
    server = serving(site=site)
    with ExitStack() as stack:
        reader, waiter = (stack.enter_context(connected(server)) for _ in range(2))
        deaf(reader)
        waiting(waiter)
        for _ in range(3 * PLACES):
            assert answered(stack.enter_context(connected(server)))
        site.released.set()
        assert waiter.recv(1000).endswith(PAGE)
        received = 1
        while received < len(LARGE):
            part = reader.recv(1 << 20)
            assert part
            received += len(part)


@pytest.mark.parametrize("hold", [idle, deaf])
def test_a_host_that_floods_takes_its_own_connections(
    serving: Callable[..., Server], hold: Callable[[socket.socket], None]
) -> None:
    """The host with most connections makes room, so that the others keep theirs."""
    server = serving(where=Address("", 0))
    with ExitStack() as stack:
        scraper = stack.enter_context(connected(server, "127.0.0.1"))
        assert answered(scraper)
        for _ in range(5 * PLACES):
            client = stack.enter_context(socket.socket())
            client.bind(("127.0.0.2", 0))
            client.connect(("127.0.0.1", server.address.port))
            hold(client)
        assert answered(scraper)


@pytest.mark.parametrize("start", [b"", b"\x16\x03\x01", b"\x16\x03\x01\x02\x00" + b"\0" * 40])
def test_connections_count_before_the_handshake(
    serving: Callable[..., Server], refusals: Counter[str], tmp_path: Path, start: bytes
) -> None:
    """Silent connections to the TLS port are bounded, too, and a new client is served."""
    server, context = _secured(serving, tmp_path)
    with ExitStack() as stack:
        holders = [stack.enter_context(connected(server)) for _ in range(3 * PLACES)]
        for holder in holders:
            with contextlib.suppress(ConnectionError):  # it has made room
                holder.sendall(start)
        plain = stack.enter_context(connected(server))
        client = stack.enter_context(context.wrap_socket(plain, server_hostname="localhost"))
        assert answered(client)
        assert sum(is_open(holder) for holder in holders[: 2 * PLACES]) == 0
        assert refusals["too_many"] == 2 * PLACES + 1


@pytest.mark.parametrize(
    "garbage", [GET, b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n", b"\x16\x03\x01\x00\x05hello" * 20, None]
)
def test_a_handshake_that_fails_is_counted(
    serving: Callable[..., Server], refusals: Counter[str], tmp_path: Path, garbage: bytes | None
) -> None:
    """What is not TLS, or says nothing in time, is closed, counted and logged once."""
    server, context = _secured(serving, tmp_path, replace(LIMITS, head_time=0.5))
    for _ in range(1 if garbage is None else 2):
        with connected(server) as client:
            if garbage is not None:
                client.sendall(garbage)
            assert PAGE not in rest(client)
    _until(lambda: refusals == {"handshake": 1 if garbage is None else 2})
    with connected(server) as plain, context.wrap_socket(plain, server_hostname="localhost") as own:
        assert answered(own)


def _secured(
    serving: Callable[..., Server], folder: Path, limits: ConnectionLimits = LIMITS
) -> tuple[Server, ssl.SSLContext]:
    authority = Authority()
    authority.sign("server", "localhost", "127.0.0.1").write(folder, "server")
    (folder / "web.yml").write_text(
        "tls_server_config: {cert_file: server.crt, key_file: server.key}\n"
    )
    server = serving(limits, watcher=WebConfigWatcher(folder / "web.yml"))
    return server, ssl.create_default_context(cadata=authority.pem)


def _until(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        time.sleep(0.02)
    pytest.fail("not so within 10 s")


def test_refusals_without_a_response_are_counted(
    serving: Callable[..., Server], refusals: Counter[str]
) -> None:
    """A connection without a request is closed in time; so is one with an unfinished head."""
    server = serving(replace(LIMITS, head_time=0.5))
    with connected(server) as quiet, connected(server) as slow:
        unfinished(slow)
        assert rest(quiet) == b""
        assert rest(slow).startswith(b"HTTP/1.1 408")
    assert refusals == {"silent": 1, "408": 1}


@pytest.mark.parametrize("rate", [400, 7_000])
def test_readers_have_a_least_rate(
    serving: Callable[..., Server], refusals: Counter[str], rate: int
) -> None:
    """A client on a line of 56 kbit/s is served; one that takes 400 bytes a second is cut."""
    server = serving(replace(LIMITS, read_time=1.0))
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # a short queue, as on a line
        client.connect(("127.0.0.1", server.address.port))
        client.sendall(GET_LARGE)
        begun = time.monotonic()
        while time.monotonic() - begun < 2.6 and not refusals:
            client.settimeout(5)
            assert client.recv(rate // 10)
            time.sleep(0.1)
    assert refusals == ({"slow_reader": 1} if rate < 1000 else {})


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_a_slow_line_is_not_cut(
    serving: Callable[..., Server], refusals: Counter[str], caplog: pytest.LogCaptureFixture
) -> None:
    """With the default limits and buffers, 56 kbit/s is enough, and 6 kB each 15 s is not."""
    server = serving(ConnectionLimits())

    def read(host: str, size: int, pause: float) -> None:
        with socket.socket() as client:
            client.bind((host, 0))
            client.connect(("127.0.0.1", server.address.port))
            client.sendall(GET_LARGE)
            begun = time.monotonic()
            while time.monotonic() - begun < 100:
                assert client.recv(size)
                time.sleep(pause)

    with ThreadPoolExecutor() as pool:
        readers = [
            pool.submit(read, "127.0.0.2", 1_750, 0.25),
            pool.submit(read, "127.0.0.3", 6_000, 15),
        ]
    for reader in readers:
        reader.result()
    assert refusals == {"slow_reader": 1}
    assert [record.fields["client"] for record in caplog.records] == ["127.0.0.3"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("ending", [b"", b"connection: close\r\n"])
def test_a_response_that_is_never_read_is_dropped(
    serving: Callable[..., Server], refusals: Counter[str], ending: bytes
) -> None:
    """A client that takes nothing does not keep its connection, not even one that is closing."""
    server = serving(replace(LIMITS, read_time=0.5))
    with connected(server) as client:
        client.sendall(GET_LARGE.replace(b"\r\n\r\n", b"\r\n" + ending + b"\r\n"))
        _until(lambda: refusals == {"slow_reader": 1})
        assert len(rest(client)) < len(LARGE)


def test_tls_clients_that_read_or_answer_nothing(
    serving: Callable[..., Server], refusals: Counter[str], tmp_path: Path
) -> None:
    """Neither a response that is not read nor a closing that is not answered holds a connection."""
    limits = replace(LIMITS, head_time=0.5, read_time=0.5)
    server, context = _secured(serving, tmp_path, limits)
    with ExitStack() as stack:
        for request in (GET_LARGE, GET.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"), b""):
            plain = stack.enter_context(connected(server))
            client = stack.enter_context(context.wrap_socket(plain, server_hostname="localhost"))
            client.sendall(request)
        _until(lambda: not list(server._server.open))
    assert refusals == {"slow_reader": 1, "silent": 1}


@pytest.mark.parametrize("requests", [1, 3])
@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_a_client_that_closes_its_side_is_answered(
    serving: Callable[..., Server], requests: int, version: bytes
) -> None:
    """What was requested before the client closed its direction is answered; then it is closed."""
    server = serving()
    with connected(server) as client:
        client.sendall(GET.replace(b"1.1", version) * requests)
        client.shutdown(socket.SHUT_WR)
        answers = 1 if version == b"1.0" else requests
        assert rest(client).count(PAGE) == answers


def test_a_closed_side_frees_the_place(
    serving: Callable[..., Server], refusals: Counter[str]
) -> None:
    """Connections closed by their clients, in one direction or by a reset, take no place."""
    server = serving()
    with ExitStack() as stack:
        for number in range(5 * PLACES):
            client = stack.enter_context(connected(server))
            if number % 2:
                client.shutdown(socket.SHUT_WR)
                assert rest(client) == b""
            else:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                client.close()
            time.sleep(0.01)
        assert answered(stack.enter_context(connected(server)))
    assert not refusals


def test_requests_that_wait_are_bounded(
    serving: Callable[..., Server], refusals: Counter[str]
) -> None:
    """Thousands of requests in one packet are not all kept; the connection is closed."""
    site = Site()
    server = serving(site=site)
    with connected(server) as client:
        client.sendall(GET * 5_000)
        assert rest(client).count(PAGE) < 50
    assert refusals == {"pipelining": 1}
    assert site.requests < 50


class _Exhausted(socket.socket):
    """A listening socket of a process without a free descriptor, for the first calls."""

    failures = 5

    def accept(self) -> tuple[socket.socket, object]:
        if self.failures:
            self.failures -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


def test_no_descriptor_is_left(
    serving: Callable[..., Server], refusals: Counter[str], caplog: pytest.LogCaptureFixture
) -> None:
    """While accept fails, it is called a few times a second; then waiting clients are served."""
    listener = listen(ANY_PORT)
    exhausted = _Exhausted(fileno=listener.detach())
    server = serving(where=[exhausted])
    with connected(server) as client:
        begun = time.monotonic()
        assert answered(client)
    assert time.monotonic() - begun > 0.3
    assert refusals == {"not_accepted": 5}
    assert _logged(caplog) == ["connections refused"]


def test_the_descriptor_limit_is_raised() -> None:
    """The soft limit becomes the hard one; half of it is for clients."""
    script = (
        "import resource; from exporter.web import sockets, server\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 300))\n"
        "sockets.raise_descriptor_limit()\n"
        "web = server.Server(None, sockets.Address('127.0.0.1', 0), 'web')\n"
        "print(sockets.descriptor_limit(), web._server.open.limit)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["300", "150"]


def test_a_limit_that_cannot_be_raised_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sandbox that forbids it does not keep the exporter from starting."""

    def refuse(*_: object) -> None:
        raise PermissionError("Operation not permitted")

    monkeypatch.setattr(resource, "setrlimit", refuse)
    raise_descriptor_limit()
