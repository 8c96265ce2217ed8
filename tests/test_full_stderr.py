"""Tests of a standard error that cannot be written to: nothing waits for it, and nothing is hidden.

Each test starts a real process against a simulated Five9. Pipes are as small as Linux allows, and
filled beforehand, so that the first line of the log is one too many.
"""

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from test_signals import platform

from support.programs import free_port

LINUX_PIPE = 4096  # bytes: the smallest
REFRESHES = re.compile(
    r'contactcenter_feed_refreshes_total\{account="acme",feed="ACDStatus",outcome="ok",.*\} (\S+)'
)


@contextmanager
def full_pipe() -> Iterator[tuple[int, int]]:
    """Yield the ends of a pipe that is full."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, LINUX_PIPE)
    os.write(writer, b"-" * (LINUX_PIPE - 1) + b"\n")
    try:
        yield reader, writer
    finally:
        os.close(reader)
        os.close(writer)


class Exporter:
    """A running exporter and its page."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self._url = f"http://127.0.0.1:{port}"

    def page(self, path: str = "/metrics") -> str:
        try:
            return httpx.get(self._url + path, timeout=5, trust_env=False).text
        except httpx.TransportError:
            return ""

    def refreshes(self) -> float:
        match = REFRESHES.search(self.page())
        return float(match[1]) if match else 0.0

    def dropped(self) -> float:
        match = re.search(
            r"^contactcenter_exporter_log_lines_dropped_total (\S+)", self.page(), re.MULTILINE
        )
        return float(match[1]) if match else -1.0

    def stop(self) -> int:
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=8)
        print(f"ended {time.monotonic() - started:.2f} s after SIGTERM")
        return code


@contextmanager
def exporter(file: Path, stderr: Any, *words: str, shell: str = "") -> Iterator[Exporter]:
    if '"username"' in file.read_text():
        config = json.loads(file.read_text())
        config["accounts"][0]["feeds"] = {"ACDStatus": {"interval": "2s"}}
        file.write_text(json.dumps(config))
    port = free_port()
    command = [sys.executable, "-m", "exporter", "run", "--config.file", str(file)]
    command += ["--web.listen-address", f"127.0.0.1:{port}", "--log.level=debug", *words]
    if shell:
        command = ["sh", "-c", f'exec "$@" {shell}', "sh", *command]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stderr) as process:
        try:
            yield Exporter(process, port)
        finally:
            process.kill()


def wait(holds: Callable[[], bool]) -> None:
    for _ in range(150):
        if holds():
            return
        time.sleep(0.1)
    raise AssertionError("not within 15 s")


def test_a_pipe_that_nobody_reads(tmp_path: Path) -> None:
    """Figures go on, and SIGTERM ends the process; a line waits until somebody reads."""
    with platform(tmp_path) as (file, simulator), full_pipe() as (reader, writer):
        with exporter(file, writer) as started:
            wait(lambda: started.refreshes() >= 2)
            assert 'contactcenter_up{account="acme",provider="five9"} 1.0' in started.page()
            assert started.dropped() == 0
            assert started.stop() == 0
        assert simulator.log[-1].operation == "closeSession"
        assert set(os.read(reader, LINUX_PIPE)) == set(b"-\n")


@pytest.mark.slow
def test_lines_wait_in_order(tmp_path: Path) -> None:
    """A reader that comes late gets every line in order, to the last."""
    with platform(tmp_path) as (file, _), full_pipe() as (reader, writer):
        with exporter(file, writer) as started:
            wait(lambda: started.refreshes() >= 1)
            started.process.send_signal(signal.SIGTERM)
            text = b""
            os.set_blocking(reader, False)
            while started.process.poll() is None or b"msg=stopped" not in text:
                try:
                    text += os.read(reader, 100)
                except BlockingIOError:
                    time.sleep(0.01)
        lines = text.decode().splitlines()
        stamps = [line.split()[0] for line in lines if line.startswith("ts=")]
        assert "msg=listening" in text.decode()
        assert lines[-1].endswith("msg=stopped")
        assert stamps == sorted(stamps)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["no reader", "full disk", "closed"])
def test_lines_that_cannot_be_written(tmp_path: Path, kind: str) -> None:
    """Lines are counted where the reader has gone, the disk is full, or there is no stderr."""
    with platform(tmp_path) as (file, _), full_pipe() as (reader, writer):
        shell = {"full disk": "2>/dev/full", "closed": "2>&-"}.get(kind, "")
        with exporter(file, writer, shell=shell) as started:
            wait(lambda: started.refreshes() >= 1)
            if kind == "no reader":
                os.dup2(os.open(os.devnull, os.O_RDONLY), reader)
            wait(lambda: started.dropped() >= 1)
            assert 'contactcenter_up{account="acme",provider="five9"} 1.0' in started.page()
            assert started.stop() == 0


@pytest.mark.slow
def test_a_wrong_configuration_and_a_full_pipe(tmp_path: Path) -> None:
    """What ``run`` says of a wrong configuration does not keep it from ending."""
    file = tmp_path / "exporter.yml"
    file.write_text("accounts: 1")
    with full_pipe() as (_, writer), exporter(file, writer) as started:
        assert started.process.wait(timeout=10) == 2


@pytest.mark.slow
def test_a_command_waits_for_its_reader(tmp_path: Path) -> None:
    """``check`` loses nothing in a pager, however long the list of faults."""
    file = tmp_path / "exporter.yml"
    file.write_text("accounts:\n" + "- {name: a, provider: none}\n" * 2000)
    command = [sys.executable, "-m", "exporter", "check", "--config.file", str(file)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        time.sleep(2.5)
        assert process.poll() is None
        assert process.stderr.read().count(b"expected one of") == 2000
        assert process.wait(timeout=5) == 2


@pytest.mark.slow
def test_a_command_in_a_pipe_that_is_closed(tmp_path: Path) -> None:
    """``metrics | head`` ends without a traceback."""
    command = f"{sys.executable} -m exporter metrics | head -n 1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, check=True)
    assert done.stdout.count(b"\n") == 1
    assert b"Traceback" not in done.stderr
