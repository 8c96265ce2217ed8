"""The servers compared: the exporter, nginx (the limit), and the usual alternatives."""

import gzip
import http.client
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness import Options, Process, free_port, need, python, started
from benchmarks.workload import ACCOUNTS, FEED, TABLES, Account, accounts
from exporter.exposition.encoding import Format
from exporter.exposition.page import Page
from exporter.exposition.store import Limits, SnapshotStore
from exporter.metrics.counters import Counters
from exporter.metrics.mapping import map_reading
from exporter.metrics.snapshot import Snapshot, make_snapshot

NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
  access_log off; sendfile on; keepalive_requests 1000000; default_type text/plain;
  client_body_temp_path {folder}/t; proxy_temp_path {folder}/t; fastcgi_temp_path {folder}/t;
  uwsgi_temp_path {folder}/t; scgi_temp_path {folder}/t;
  server {{ listen 127.0.0.1:{port} backlog=512; root {folder}; gzip_static on; }}
}}
"""
_START = 120.0  # seconds for one request while a peer starts
_PUSHED = 300.0


@dataclass(frozen=True, slots=True)
class Peer:
    """A server of the page: a process and its port."""

    process: Process
    port: int


Start = Callable[[int, Options], AbstractContextManager[Peer]]


def answers(port: int, path: str = "/metrics") -> Callable[[], bool]:
    """Return a question: does a server answer yet?"""

    def ask() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=_START) as answer:
                return bool(answer.read(64))
        except (OSError, http.client.HTTPException):
            return False

    return ask


def figures(series: int, generation: int = 1) -> SnapshotStore:
    """Return a store with all the figures, and none of the exporter's own."""
    store = SnapshotStore()
    for account in accounts(series):
        store.add_account(account.name, [FEED], Limits(sys.maxsize))
        store.put(_snapshot(account, generation))
    return store


def _snapshot(account: Account, generation: int) -> Snapshot:
    tables = {table.name: table for table in TABLES}
    mapped = map_reading(account.reading(generation), tables, account.labels, raw=False)
    return make_snapshot(
        account.name,
        FEED,
        mapped,
        Counters(),
        taken_at=0.0,
        source_at=None,
        expires_at=float("inf"),
    )


def text(page: Page) -> bytes:
    """Return a page as it is served in text 0.0.4."""
    return b"".join(page.body(Format.TEXT, gzip=False)[0])


@contextmanager
def ours(
    series: int, options: Options, *, interval: float = 0.0, parse: Path | None = None
) -> Iterator[Peer]:
    """Start our exporter, idle unless there is an interval."""
    port = free_port()
    arguments = ["--series", series, "--port", port, "--interval", interval]
    arguments += ["--parse", parse] if parse else []
    command = python("benchmarks.ours", *arguments)
    log = options.folder / f"ours-{port}.log"
    with started(command, answers(port, "/-/healthy"), log) as process:
        yield Peer(process, port)


def refreshing(series: int, options: Options) -> AbstractContextManager[Peer]:
    """Start our exporter with every account read each five seconds: one each 0.25 s."""
    return ours(series, options, interval=5.0)


@contextmanager
def nginx(series: int, options: Options) -> Iterator[Peer]:
    """Start nginx on files with our page, plain and by gzip -9."""
    need({"nginx": "nginx"})
    port = free_port()
    folder = options.folder / f"nginx-{port}"
    folder.mkdir()
    folder.chmod(0o755)
    body = text(figures(series).page(0.0))
    (folder / "metrics").write_bytes(body)
    (folder / "metrics.gz").write_bytes(gzip.compress(body, 9))
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, port=port))
    command = ["nginx", "-c", str(config), "-p", str(folder)]
    with started(command, answers(port), options.folder / "nginx.log") as process:
        yield Peer(process, port)


@contextmanager
def pushgateway(series: int, options: Options) -> Iterator[Peer]:
    """Start a Pushgateway that keeps nothing, and push each account as a group."""
    need({"prometheus-pushgateway": "prometheus-pushgateway"})
    port = free_port()
    command = [
        "prometheus-pushgateway",
        f"--web.listen-address=127.0.0.1:{port}",
        "--persistence.file=",
    ]
    log = options.folder / "pushgateway.log"
    with started(command, answers(port), log, resting=False) as process:
        for number in range(ACCOUNTS):
            push(port, series, number, 1)
        with process.turn():
            pass
        yield Peer(process, port)


def pushed(series: int, number: int, generation: int) -> bytes:
    """Return what is pushed of one account."""
    account = accounts(series)[number]
    store = SnapshotStore()
    store.add_account(account.name, [FEED], Limits(sys.maxsize))
    store.put(_snapshot(account, generation))
    return text(store.page(0.0))


def push(port: int, series: int, number: int, generation: int) -> None:
    """Push one account's figures."""
    send_push(port, number, pushed(series, number, generation))


def send_push(port: int, number: int, body: bytes) -> None:
    """Send what is to be pushed, and wait until it has been taken."""
    url = f"http://127.0.0.1:{port}/metrics/job/centre/account/acme-{number:02}"
    request = urllib.request.Request(url, body, method="PUT")
    with urllib.request.urlopen(request, timeout=_PUSHED) as answer:
        assert answer.status == http.client.OK, answer.status


@contextmanager
def node_exporter(series: int, options: Options) -> Iterator[Peer]:
    """Start node_exporter's textfile collector on a file with the figures."""
    need({"prometheus-node-exporter": "prometheus-node-exporter"})
    port = free_port()
    folder = options.folder / f"textfile-{port}"
    folder.mkdir()
    (folder / "centre.prom").write_bytes(text(figures(series).page(0.0)))
    command = [
        "prometheus-node-exporter",
        f"--web.listen-address=127.0.0.1:{port}",
        "--collector.disable-defaults",
        "--collector.textfile",
        f"--collector.textfile.directory={folder}",
    ]
    log = options.folder / "node_exporter.log"
    with started(command, answers(port, "/"), log) as process:
        yield Peer(process, port)


@contextmanager
def prometheus_client(series: int, options: Options) -> Iterator[Peer]:
    """Start an exporter as it is usually written."""
    port = free_port()
    command = python("benchmarks.promclient", "--series", series, "--port", port)
    log = options.folder / "promclient.log"
    with started(command, answers(port), log) as process:
        yield Peer(process, port)
