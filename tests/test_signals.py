"""Every signal at every moment of a process: its exit code, its sessions, its last words.

Each test starts a real process against a simulated Five9, where a session that is left open holds
a licence and shuts out the user.
"""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest

from exporter.simulators.five9.simulator import Five9Simulator
from support.served import platform

STOPS = [signal.SIGTERM, signal.SIGINT]
ALL = [signal.SIGHUP, *STOPS]
Process = subprocess.Popen[str]
Moment = Literal["start", "sign-in", "run", "reload", "stop"]


@contextmanager
def process(*words: str, environment: dict[str, str] | None = None) -> Iterator[Process]:
    """Start the exporter, and wait until it catches signals."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command = [sys.executable, "-m", "exporter", *words]
    with subprocess.Popen(command, text=True, env=environment, **pipes) as started:  # type: ignore[call-overload]
        try:
            until(lambda: catches(started, ALL))
            yield started
        finally:
            started.kill()


def catches(started: Process, numbers: list[signal.Signals]) -> bool:
    """Return whether a process has a handler for each of these signals."""
    status = Path(f"/proc/{started.pid}/status").read_text(encoding="ascii")
    found = re.search(r"^SigCgt:\s*([0-9a-f]+)$", status, re.MULTILINE)
    assert found is not None
    mask = int(found[1], 16)
    return all(mask >> (number - 1) & 1 for number in numbers)


def until(holds: Callable[[], bool]) -> None:
    for _ in range(2000):
        if holds():
            return
        time.sleep(0.005)
    raise AssertionError("it has not come to that within ten seconds")


def calls(simulator: Five9Simulator, operation: str) -> int:
    return [request.operation for request in simulator.log].count(operation)


def open_sessions(simulator: Five9Simulator) -> int:
    """Return how many sessions a client has opened and has not closed."""
    return calls(simulator, "setSessionParameters") - calls(simulator, "closeSession")


def bring(started: Process, simulator: Five9Simulator, moment: Moment) -> None:
    """Wait until a process is at a moment of its life."""
    if moment == "start":
        return
    if moment == "sign-in":
        until(lambda: calls(simulator, "setSessionParameters") > 0)
        return
    until(lambda: calls(simulator, "getStatistics") > 0)
    if moment == "reload":
        started.send_signal(signal.SIGHUP)
    elif moment == "stop":
        simulator.fail_next("slow:1", target="closeSession")
        started.send_signal(signal.SIGTERM)
        until(lambda: calls(simulator, "closeSession") > 0)


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("start", signal.SIGTERM),
        ("sign-in", signal.SIGINT),
        ("reload", signal.SIGTERM),
        *(
            pytest.param(moment, number, marks=pytest.mark.slow)
            for moment, number in (
                ("start", signal.SIGINT),
                ("sign-in", signal.SIGTERM),
                ("run", signal.SIGTERM),
                ("run", signal.SIGINT),
                ("reload", signal.SIGINT),
                ("stop", signal.SIGTERM),
                ("stop", signal.SIGINT),
            )
        ),
    ],
)
def test_a_stop_ends_run_with_0(tmp_path: Path, number: signal.Signals, moment: Moment) -> None:
    """At every moment SIGTERM and SIGINT end ``run`` with 0, a line, and no session."""
    with platform(tmp_path) as (file, simulator):
        if moment == "sign-in":
            simulator.fail_next("slow:1", target="setSessionParameters")
        where = ("--config.file", str(file), "--web.listen-address", "127.0.0.1:0")
        with process("run", *where) as started:
            bring(started, simulator, moment)
            started.send_signal(number)
            _, log = started.communicate(timeout=15)
        assert open_sessions(simulator) == 0
    assert started.returncode == 0, log
    assert "Traceback" not in log, log
    said = f"stopped by {number.name}" if moment == "start" else "msg=stopped"
    assert said in log.splitlines()[-1]


@pytest.mark.parametrize(
    "moment", ["start", *(pytest.param(x, marks=pytest.mark.slow) for x in ("sign-in", "reload"))]
)
def test_a_hang_up_never_ends_run(tmp_path: Path, moment: Moment) -> None:
    """At every moment SIGHUP reloads, once the exporter serves, and ends nothing."""
    with platform(tmp_path) as (file, simulator):
        where = ("--config.file", str(file), "--web.listen-address", "127.0.0.1:0")
        with process("run", *where) as started:
            bring(started, simulator, moment)
            started.send_signal(signal.SIGHUP)
            assert started.stderr is not None
            assert any("configuration reloaded" in line for line in started.stderr)
            started.send_signal(signal.SIGTERM)
            assert started.wait(timeout=15) == 0
        assert open_sessions(simulator) == 0


def test_a_hang_up_while_it_stops_changes_nothing(tmp_path: Path) -> None:
    """SIGHUP after SIGTERM, up to the last instruction of the process, still ends with 0."""
    with platform(tmp_path) as (file, simulator):
        where = ("--config.file", str(file), "--web.listen-address", "127.0.0.1:0")
        with process("run", *where) as started:
            bring(started, simulator, "stop")
            while started.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    started.send_signal(signal.SIGHUP)
                time.sleep(0.001)
        assert open_sessions(simulator) == 0
    assert started.returncode == 0


@pytest.mark.parametrize(
    ("words", "number"),
    [
        (["check", "--live"], signal.SIGHUP),
        *(
            pytest.param(words, number, marks=pytest.mark.slow)
            for words in (["check", "--live"], ["discover"], ["capture"], ["run"])
            for number in ALL
            if (words[0], number) != ("check", signal.SIGHUP)
        ),
    ],
)
def test_a_signal_ends_a_command(tmp_path: Path, words: list[str], number: signal.Signals) -> None:
    """Every signal makes a command that reads a platform sign out and end with 1, and say so.

    A second signal does not cut the sign-out short.
    """
    options = {
        "check": [],
        "discover": ["--account", "acme"],
        "capture": ["--account", "acme", "--out", str(tmp_path / "out.json")],
        "run": ["--once"],
    }
    with platform(tmp_path) as (file, simulator):
        simulator.fail_next("hang", target="getStatistics")
        simulator.fail_next("slow:1", target="closeSession")
        with process(*words, *options[words[0]], "--config.file", str(file)) as started:
            bring(started, simulator, "run")
            started.send_signal(number)
            until(lambda: calls(simulator, "closeSession") > 0)
            started.send_signal(number)
            _, log = started.communicate(timeout=15)
        assert open_sessions(simulator) == 0
    assert started.returncode == 1
    assert "Traceback" not in log, log
    assert log.splitlines()[-1] == f"contactcenter-exporter: stopped by {number.name}; signed out"
    assert not (tmp_path / "out.json").exists()


def test_a_signal_ends_a_command_that_starts() -> None:
    """Before a command has read its options every signal ends it with 1 and a sentence."""
    for command, number in zip(("check", "discover", "capture"), ALL, strict=True):
        with process(command) as started:
            started.send_signal(number)
            _, log = started.communicate(timeout=15)
        assert started.returncode == 1
        assert log == f"contactcenter-exporter: stopped by {number.name}\n"


def test_simulate_and_demo(tmp_path: Path) -> None:
    """Programs without a file log SIGHUP and go on; SIGTERM ends them with 0."""
    for words in (["simulate", "--listen"], ["demo", "--web.listen-address"]):
        with process(*words, "127.0.0.1:0") as started:
            started.send_signal(signal.SIGHUP)
            assert started.stderr is not None
            assert any("reload refused" in line for line in started.stderr)
            started.send_signal(signal.SIGTERM)
            assert started.wait(timeout=15) == 0


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_is_told(tmp_path: Path, abstract: bool) -> None:
    """A Type=notify service reports that it is ready, reloads, is ready again, and stops."""
    path = f"\0contactcenter-{time.time_ns()}" if abstract else str(tmp_path / "notify")
    with (
        platform(tmp_path) as (file, _),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd,
    ):
        systemd.bind(path)
        systemd.settimeout(15)
        environment = {"NOTIFY_SOCKET": path.replace("\0", "@")}
        where = ("--config.file", str(file), "--web.listen-address", "127.0.0.1:0")
        with process("run", *where, environment=environment) as started:
            assert systemd.recv(4096) == b"READY=1"
            before = time.monotonic()
            started.send_signal(signal.SIGHUP)
            found = re.fullmatch(rb"RELOADING=1\nMONOTONIC_USEC=(\d+)", systemd.recv(4096))
            assert found is not None
            assert before <= int(found[1]) / 1e6 + 1e-6 <= time.monotonic()
            assert systemd.recv(4096) == b"READY=1"
            file.write_text("accounts: {}")  # a refused reload has ended as well
            started.send_signal(signal.SIGHUP)
            assert systemd.recv(4096).startswith(b"RELOADING=1")
            assert systemd.recv(4096) == b"READY=1"
            started.send_signal(signal.SIGTERM)
            assert systemd.recv(4096) == b"STOPPING=1"
            assert started.wait(timeout=15) == 0


def test_a_socket_that_nobody_reads_stops_nothing(tmp_path: Path) -> None:
    """Where systemd's socket cannot be written to, a warning says so, and the exporter runs."""
    with platform(tmp_path) as (file, simulator):
        where = ("--config.file", str(file), "--web.listen-address", "127.0.0.1:0")
        environment = {"NOTIFY_SOCKET": str(tmp_path / "nobody")}
        with process("run", *where, environment=environment) as started:
            bring(started, simulator, "run")
            started.send_signal(signal.SIGTERM)
            _, log = started.communicate(timeout=15)
    assert started.returncode == 0
    assert 'msg="systemd not notified" state=READY=1' in log.replace('"READY=1"', "READY=1")


@pytest.mark.slow
@pytest.mark.parametrize("at_start", [True, False])
def test_a_web_configuration_that_is_a_pipe(tmp_path: Path, at_start: bool) -> None:
    """A pipe in place of the web configuration ends the start, and does not outlive SIGTERM."""
    file = tmp_path / "web.yml"
    if at_start:
        os.mkfifo(file)
    else:
        file.write_text("{}")
    words = ("demo", "--web.config.file", str(file), "--web.listen-address", "127.0.0.1:0")
    with process(*words) as started:
        assert started.stderr is not None
        if at_start:
            assert started.wait(timeout=15) == 2
            assert "is a pipe" in started.stderr.read()
            return
        assert any("msg=listening" in line for line in started.stderr)
        file.unlink()
        os.mkfifo(file)
        assert any("web configuration not reloaded" in line for line in started.stderr)
        started.send_signal(signal.SIGTERM)
        assert started.wait(timeout=8) == 0
