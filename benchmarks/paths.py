"""Benchmark of every path: 100 clients that ask for it, and what Prometheus gets meanwhile.

The server is the real command with 200 accounts whose platforms refuse connections: its own
metrics are 40,000 lines, and the status page shows 200 failures. ``python -m benchmarks.paths``
with arguments is the load: clients in threads, each of which asks again at once.
"""

import argparse
import base64
import http.client
import json
import secrets
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

import bcrypt

from benchmarks.harness import Figures, Options, Process, free_port, python, started
from benchmarks.peers import answers

_ACCOUNTS = 200
_CLIENTS = 100
_LOOPERS = 10
_PAUSE = 0.02  # seconds between two scrapes
_TIMEOUT = 60.0
_WARM = 5.0  # seconds in which every account has failed to sign in
_STATUSES = (200, 401, 404, 503)
BASE = "/-/healthy"  # a ready answer of some bytes
WRONG = "/metrics with wrong passwords"
PATHS = (
    BASE,
    "/-/ready",
    "/metrics",
    "/metrics?account=acme-001",
    "/metrics?account=acme-001&account=acme-002&name[]=contactcenter_up",
    "/metrics?name[]=contactcenter_up",
    "/metrics?account=nobody",
    "/",
    "/-/status",
    "/config",
    "/-/reload",
    "/favicon.ico",
    WRONG,
)


def name(path: str, what: str) -> str:
    """Return the name of a figure."""
    return f"paths/{path}/{what}"


def run(options: Options, figures: Figures) -> None:
    """Measure every path."""
    seconds = 0.5 if options.quick else 3.0
    for protected in (False, True):
        with server(options, protected=protected) as (process, port), process.turn():
            time.sleep(1.0 if options.quick else _WARM)
            for path in PATHS:
                if (path == WRONG) is protected:
                    _measure(figures, port, path, seconds)


def _measure(figures: Figures, port: int, path: str, seconds: float) -> None:
    times = _load(port, path, _CLIENTS, seconds)
    figures.add(name(path, "p50"), statistics.median(times))
    figures.add(name(path, "p99"), p99(times))
    looping = threading.Thread(target=_load, args=(port, path, _LOOPERS, seconds + 1.0))
    looping.start()
    time.sleep(0.7)  # until its process has started
    scrapes = ask(port, "/metrics", seconds, user="right", pause=_PAUSE)
    looping.join()
    figures.add(name(path, "scrape p99"), p99(scrapes))
    figures.add(name(path, "scrape max"), max(scrapes))


@contextmanager
def server(options: Options, *, protected: bool) -> Iterator[tuple[Process, int]]:
    """Start the exporter with 200 accounts, and a password if it is ``protected``."""
    port = free_port()
    accounts = [_account(number) for number in range(_ACCOUNTS)]
    config = options.folder / "paths.json"
    config.write_text(json.dumps({"accounts": accounts}))
    command = python("exporter", "run", "--config.file", config)
    command += ["--web.listen-address", f"127.0.0.1:{port}", "--log.level=error"]
    if protected:
        web = options.folder / "paths-web.json"
        hashed = bcrypt.hashpw(b"right", bcrypt.gensalt(10)).decode()
        web.write_text(json.dumps({"basic_auth_users": {"prometheus": hashed}}))
        command += ["--web.config.file", str(web)]
    ready = answers(port, "/-/healthy")

    def is_ready() -> bool:
        if not protected:
            return ready()
        with suppress(OSError, http.client.HTTPException):
            return bool(ask(port, "/-/healthy", 0.0, user="right"))
        return False

    with started(command, is_ready, options.folder / f"paths-{port}.log") as process:
        yield process, port


def _account(number: int) -> Mapping[str, object]:
    common = {
        "name": f"acme-{number:03}",
        "base_url": "http://127.0.0.1:1",
        "username": f"u{number}",
    }
    if number % 2:
        return {**common, "provider": "five9", "password": f"secret of {number}"}
    return {**common, "provider": "brightpattern", "api_secret": f"secret of {number}"}


def p99(times: list[float]) -> float:
    """Return what one of a hundred exceeds."""
    return sorted(times)[int(len(times) * 0.99)]


def ask(port: int, path: str, seconds: float, *, user: str = "", pause: float = 0.0) -> list[float]:
    """Ask for a path again and again on one connection; return the times in ms.

    ``user`` is ``right`` for the right password, ``wrong`` for another wrong one each time.
    """
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT)
    times = []
    until = time.monotonic() + seconds
    while True:
        password = "right" if user == "right" else secrets.token_hex()
        credentials = base64.b64encode(f"prometheus:{password}".encode()).decode()
        headers = {"Authorization": f"Basic {credentials}"} if user else {}
        began = time.perf_counter()
        client.request("GET", path, headers={**headers, "Accept-Encoding": "gzip"})
        answer = client.getresponse()
        answer.read()
        times.append((time.perf_counter() - began) * 1000)
        assert answer.status in (*_STATUSES, 405), answer.status
        if time.monotonic() >= until:
            client.close()
            return times
        time.sleep(pause)


def _load(port: int, path: str, clients: int, seconds: float) -> list[float]:
    """Run clients in a process of their own; return the times of all requests in ms."""
    arguments = ("--port", port, "--path", path, "--clients", clients, "--seconds", seconds)
    done = subprocess.run(
        python("benchmarks.paths", *arguments), capture_output=True, text=True, check=True
    )
    times: list[float] = json.loads(done.stdout)
    return times


def tables(options: Options, figures: Figures) -> list[str]:  # noqa: ARG001 - as in every subject
    """Return the figures as Markdown."""
    own, others = f"{_CLIENTS} clients: p50 / p99", f"`/metrics` while {_LOOPERS} clients loop"
    lines = [
        f"### Every path, {_ACCOUNTS} accounts (ms)",
        "",
        f"| path | {own} | {others}: p99 / longest |",
        "|---|---|---|",
    ]
    for path in PATHS:
        if name(path, "p50") in figures:
            values = [figures[name(path, x)] for x in ("p50", "p99", "scrape p99", "scrape max")]
            p50, own99, scrape, longest = (f"{value:,.1f}" for value in values)
            lines.append(f"| `{path}` | {p50} / {own99} | {scrape} / {longest} |")
    return ["\n".join(lines)]


def main() -> None:
    """Be the load; print the times."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", required=True)
    parser.add_argument("--clients", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    options = parser.parse_args()
    path, user = ("/metrics", "wrong") if options.path == WRONG else (options.path, "")
    times: list[float] = []

    def loop() -> None:
        with suppress(ConnectionError, http.client.HTTPException):  # turned away
            times.extend(ask(options.port, path, options.seconds, user=user))

    threads = [threading.Thread(target=loop) for _ in range(options.clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(times))


if __name__ == "__main__":
    main()
