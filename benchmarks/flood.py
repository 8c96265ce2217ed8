"""Benchmark of floods: clients that hold connections, and what new clients get meanwhile.

Both servers have a soft limit of 1,024 file descriptors and a hard one of 4,096. Figures: the share
of new clients that are answered, their times, descriptors, memory, and refreshes.
"""

import http.client
import ssl
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from socket import SHUT_RDWR, SO_RCVBUF, SOL_SOCKET, socket

from benchmarks.harness import Figures, Options, Process, free_port, need, python, started
from benchmarks.peers import figures as stored_figures
from benchmarks.peers import text

_SERIES = 10_000
_INTERVAL = 5.0  # seconds between two refreshes of each of the 20 accounts
_TIMEOUT = 5.0  # seconds for a new client
_PAUSE = 0.05  # seconds between two new clients
_LIMIT = ["prlimit", "--nofile=1024:4096"]
_GET = b"GET /metrics HTTP/1.1\r\nHost: a\r\nAccept-Encoding: identity\r\n\r\n"
PEERS = {"ours": "**contactcenter-exporter**", "node_exporter": "node_exporter"}


@dataclass(frozen=True, slots=True)
class _Flood:
    """Clients that hold connections: what they send first and each second, and how they read."""

    title: str
    connections: int
    first: bytes = b""
    trickle: bytes = b""
    reads: int = 0  # bytes each 15 s
    seconds: float = 6.0
    tls: bool = False


FLOODS = {
    "none": _Flood("none", 0),
    "idle": _Flood("512 idle connections", 512, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    "silent": _Flood("3,000 silent connections", 3_000),
    "silent-tls": _Flood("3,000 silent connections to TLS", 3_000, tls=True),
    "heads": _Flood("200 unfinished heads", 200, b"GET / HTTP/1.1\r\nx: ", b"a", seconds=15.0),
    "readers": _Flood("250 readers of 6 kB per 15 s", 250, _GET, reads=6_000, seconds=40.0),
}


@dataclass(slots=True)
class _Clients:
    """The clients of a flood."""

    flood: _Flood
    port: int
    held: list[socket] = field(default_factory=list)

    def connect(self) -> None:
        """Connect one more client."""
        with suppress(OSError):
            client = socket()
            self.held.append(client)
            client.settimeout(1.0)
            if self.flood.reads:
                client.setsockopt(SOL_SOCKET, SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", self.port))
            client.sendall(self.flood.first)
            client.setblocking(False)  # noqa: FBT003 - the library's own order

    def tick(self, second: int) -> None:
        """Trickle and read; replace the clients with a trickle that were cut."""
        reads = self.flood.reads
        for client in list(self.held):
            try:
                if self.flood.trickle:
                    client.sendall(self.flood.trickle)
                if (reads and second % 15) or client.recv(reads or 65_536):
                    continue
            except BlockingIOError:
                continue
            except OSError:
                pass
            self.held.remove(client)
            client.close()
            if self.flood.trickle:
                self.connect()


@contextmanager
def _flooding(flood: _Flood, port: int) -> Iterator[None]:
    clients = _Clients(flood, port)
    ended = threading.Event()

    def run() -> None:
        second = 0
        while not ended.wait(1.0):
            second += 1
            clients.tick(second)

    for _ in range(flood.connections):
        clients.connect()
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        for client in clients.held:
            with suppress(OSError):
                client.shutdown(SHUT_RDWR)
            client.close()


def _get(port: int, path: str, *, tls: bool) -> bytes | None:
    """Return the body that a new client gets, ``None`` if it is not answered with 200."""
    context = ssl._create_unverified_context() if tls else None  # noqa: S323, SLF001 - loopback
    connection = (
        http.client.HTTPSConnection("127.0.0.1", port, timeout=_TIMEOUT, context=context)
        if tls
        else http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT)
    )
    with suppress(OSError, http.client.HTTPException):
        connection.request("GET", path, headers={"Connection": "close"})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return body if answer.status == http.client.OK else None
    connection.close()
    return None


@contextmanager
def _server(peer: str, options: Options, *, tls: bool) -> Iterator[tuple[Process, int]]:
    port = free_port()
    folder = options.folder / f"flood-{port}"
    folder.mkdir()
    if peer == "ours":
        arguments = ["--series", _SERIES, "--port", port, "--interval", _INTERVAL]
        command = python("benchmarks.ours", *arguments)
        option = "--web-config"
    else:
        (folder / "centre.prom").write_bytes(text(stored_figures(_SERIES).page(0.0)))
        command = [
            "prometheus-node-exporter",
            f"--web.listen-address=127.0.0.1:{port}",
            "--collector.disable-defaults",
            "--collector.textfile",
            f"--collector.textfile.directory={folder}",
        ]
        option = "--web.config.file"
    if tls:
        command += [option, str(_web_config(folder))]
    log = folder / "log"
    with started([*_LIMIT, *command], lambda: _get(port, "/", tls=tls) is not None, log) as process:
        yield process, port


def _web_config(folder: Path) -> Path:
    """Write a web configuration with a certificate of its own."""
    files = ["-keyout", str(folder / "key"), "-out", str(folder / "crt")]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    subprocess.run(
        ["openssl", "req", "-x509", *key, "-subj", "/CN=localhost", "-days", "2", *files],
        check=True,
        capture_output=True,
    )
    file = folder / "web.yml"
    file.write_text("tls_server_config: {cert_file: crt, key_file: key}\n")
    return file


def run(options: Options, figures: Figures) -> None:
    """Flood each server in turn, each time a new one."""
    need({"prometheus-node-exporter": "prometheus-node-exporter", "openssl": "openssl"})
    for name, flood in FLOODS.items():
        for peer in PEERS:
            with (
                _server(peer, options, tls=flood.tls) as (process, port),
                process.turn(),
                ExitStack() as stack,
            ):
                seconds = 2.0 if options.quick else flood.seconds
                _measure(figures, f"flood/{name}/{peer}", flood, process, port, seconds, stack)


def _measure(
    figures: Figures,
    name: str,
    flood: _Flood,
    process: Process,
    port: int,
    seconds: float,
    stack: ExitStack,
) -> None:
    health = "/-/healthy" if name.endswith("/ours") else "/"
    refreshes, began = _refreshes(port, flood), time.monotonic()
    stack.enter_context(_flooding(flood, port))
    times: dict[str, list[float]] = {"/metrics": [], health: []}
    asked = 0
    while time.monotonic() - began < seconds:
        for path, found in times.items():
            asked += 1
            start = time.perf_counter()
            if _get(port, path, tls=flood.tls) is not None:
                found.append((time.perf_counter() - start) * 1000)
            time.sleep(_PAUSE)
    figures.add(f"{name}/unanswered", 100 * (1 - sum(map(len, times.values())) / asked))
    for what, path in (("page", "/metrics"), ("health", health)):
        if found := sorted(times[path]):
            figures.add(f"{name}/{what} p50", statistics.median(found))
            figures.add(f"{name}/{what} p99", found[min(len(found) - 1, int(len(found) * 0.99))])
    descriptors = sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in process.pids)
    figures.add(f"{name}/descriptors", descriptors)
    figures.add(f"{name}/memory", process.memory())
    stack.close()
    if refreshes is not None and (after := _refreshes(port, flood)) is not None:
        rate = (after - refreshes) / (time.monotonic() - began)
        figures.add(f"{name}/refreshes", rate)


def _refreshes(port: int, flood: _Flood) -> float | None:
    body = _get(port, "/metrics", tls=flood.tls) or b""
    counts = [
        float(line.rpartition(b" ")[2])
        for line in body.splitlines()
        if line.startswith(b"contactcenter_feed_refreshes_total{") and b'outcome="ok"' in line
    ]
    return sum(counts) if counts else None


def tables(options: Options, figures: Figures) -> list[str]:  # noqa: ARG001 - as the others
    """Return the results as Markdown."""
    lines = [
        f"Floods, {_SERIES:,} series: new clients get a page and a health check in turn, each on a",
        "connection of its own; lost are those not answered; median / 99th percentile in ms",
        "",
        "| held by others | server | lost | page | health check | open files | MB | refreshes/s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, flood in FLOODS.items():
        for peer, title in PEERS.items():
            key = f"flood/{name}/{peer}"
            cells = [
                f"{figures[f'{key}/unanswered']:.1f} %",
                _pair(figures, f"{key}/page"),
                _pair(figures, f"{key}/health"),
                f"{figures[f'{key}/descriptors']:,.0f}",
                f"{figures[f'{key}/memory'] / 1e6:,.0f}",
                f"{rate:.1f}" if (rate := figures.get(f"{key}/refreshes")) is not None else "-",
            ]
            lines.append(f"| {flood.title} | {title} | {' | '.join(cells)} |")
    return ["\n".join(lines)]


def _pair(figures: Figures, key: str) -> str:
    p50, p99 = figures.get(f"{key} p50"), figures.get(f"{key} p99")
    return "-" if p50 is None or p99 is None else f"{p50:,.1f} / {p99:,.1f}"
