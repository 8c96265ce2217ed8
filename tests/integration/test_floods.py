"""Tests of the whole process under floods of connections: scrapes, health checks, refreshes."""

import contextlib
import multiprocessing
import re
import select
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path

import httpx
import pytest

from support.certificates import Authority
from support.programs import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

_DESCRIPTORS = 600  # that the process may have, half of them for clients
_FLOOD = 400  # connections
_SECONDS = 6.0
_REFRESHES = re.compile(
    r'^contactcenter_feed_refreshes_total.*outcome="(\w+)".* (\S+)$', re.MULTILINE
)
_GET = b"GET /metrics HTTP/1.1\r\nhost: x\r\naccept-encoding: identity\r\n\r\n"
_RESET = b"\1\0\0\0\0\0\0\0"  # for SO_LINGER


@dataclass(frozen=True)
class Attack:
    """What a client sends first and five times a second; it reads nothing."""

    first: bytes = b""
    trickle: bytes = b""
    resets: bool = False


ATTACKS = {
    "silent": Attack(),
    "idle": Attack(_GET.replace(b"metrics", b"-/healthy")),
    "heads": Attack(b"GET / HTTP/1.1\r\nx: ", b"a"),
    "bodies": Attack(b"POST /-/reload HTTP/1.1\r\nhost: x\r\ncontent-length: 9999\r\n\r\n", b"a"),
    "garbage": Attack(b"PROXY UNKNOWN\r\n", b"\x16\x03\x01\xff\xff"),
    "readers": Attack(_GET * 4),
    "resets": Attack(resets=True),
}


def _hold(port: int, attack: Attack, ended: Event) -> None:
    """Hold connections; connect again where the server closes one."""
    clients: list[socket.socket] = []
    with ExitStack() as stack:
        while not ended.wait(0.2):
            for _ in range(_FLOOD - len(clients)):
                with contextlib.suppress(OSError):
                    client = socket.create_connection(("127.0.0.1", port), timeout=1)
                    clients.append(stack.enter_context(client))
                    client.sendall(attack.first)
                    client.settimeout(0)
            for client in list(clients):
                poll = select.poll()
                poll.register(client, select.POLLRDHUP)
                cut = bool(poll.poll(0))
                with contextlib.suppress(OSError):
                    client.send(attack.trickle)
                if attack.resets:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                if cut or attack.resets:
                    client.close()
                    clients.remove(client)


@contextmanager
def flooding(port: int, attack: Attack) -> Iterator[None]:
    """Flood from a process of its own, so that new clients are not delayed by it."""
    context = multiprocessing.get_context("spawn")
    ended = context.Event()
    process = context.Process(target=_hold, args=(port, attack, ended))
    process.start()
    try:
        yield
    finally:
        ended.set()
        process.join()


def refreshes(page: str) -> Counter[str]:
    """Return how many refreshes there were, by outcome."""
    counts: Counter[str] = Counter()
    for outcome, value in _REFRESHES.findall(page):
        counts[outcome] += int(float(value))
    return counts


@pytest.mark.parametrize(
    ("name", "tls"),
    [*((name, False) for name in ATTACKS), ("silent", True), ("garbage", True), ("readers", True)],
)
def test_a_flood(tmp_path: Path, name: str, tls: bool) -> None:
    """New clients are answered, refreshes succeed, the log stays short, and the process ends."""
    port = free_port()
    command = ["prlimit", f"--nofile=64:{_DESCRIPTORS}", sys.executable, "-m", "exporter", "demo"]
    command += ["--web.listen-address", f"127.0.0.1:{port}"]
    verify: ssl.SSLContext | bool = True
    if tls:
        authority = Authority()
        authority.sign("server", "127.0.0.1").write(tmp_path, "server")
        (tmp_path / "web.yml").write_text(
            "tls_server_config: {cert_file: server.crt, key_file: server.key}\n"
        )
        command += ["--web.config.file", str(tmp_path / "web.yml")]
        verify = ssl.create_default_context(cadata=authority.pem)

    def get(path: str) -> str:
        url = f"http{'s' if tls else ''}://127.0.0.1:{port}{path}"
        answer = httpx.get(url, verify=verify, timeout=10, trust_env=False)
        assert answer.status_code == 200, answer.text
        return answer.text

    log = tmp_path / "log"
    with log.open("w") as stderr, subprocess.Popen(command, stderr=stderr) as process:
        try:
            for _ in range(600):
                with contextlib.suppress(httpx.HTTPError, AssertionError):
                    get("/-/ready")
                    break
                time.sleep(0.1)
            before = refreshes(get("/metrics"))
            with flooding(port, ATTACKS[name]):
                begun = time.monotonic()
                while time.monotonic() - begun < _SECONDS:
                    get("/-/healthy")
                    page = get("/metrics")
                    time.sleep(0.1)
                after = refreshes(page)
                process.send_signal(signal.SIGTERM)
                process.wait(15)
        finally:
            process.kill()
    assert after["ok"] >= before["ok"] + 4
    assert {outcome for outcome in after if after[outcome] > before[outcome]} <= {"ok", "empty"}
    lines = [line for line in log.read_text().splitlines() if "connections refused" in line]
    assert len(lines) == len({line.partition("reason=")[2].partition(" ")[0] for line in lines})
    assert "Traceback" not in log.read_text()
