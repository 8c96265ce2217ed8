"""Shared parts of the benchmarks: cores, measured processes, results."""

import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_CORES = sorted(os.sched_getaffinity(0))
CORES = len(_CORES)
SERVER_CORE, CLIENT_CORE = _CORES[0], _CORES[-1]
ROOT = Path(__file__).parents[1]
_START_TIMEOUT = 300.0  # seconds; a large page takes node_exporter a while
_STOP_TIMEOUT = 10.0


class Missing(Exception):
    """A program that a benchmark needs is not installed."""


def need(programs: Mapping[str, str]) -> None:
    """Raise ``Missing`` unless all programs (by the Debian package they are in) are there."""
    lacking = sorted({package for name, package in programs.items() if not shutil.which(name)})
    if lacking:
        raise Missing(f"not installed: apt-get install {' '.join(lacking)}")


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Options:
    """How much is measured: a ``quick`` run only shows that everything works."""

    quick: bool
    folder: Path

    @property
    def rounds(self) -> int:
        """How often each peer has its turn."""
        return 1 if self.quick else 3

    @property
    def sizes(self) -> Sequence[int]:
        """The numbers of series."""
        return (10_000,) if self.quick else (10_000, 100_000, 500_000)

    @property
    def middle(self) -> int:
        """The number of series where there is only one."""
        return 10_000 if self.quick else 100_000


@dataclass(slots=True)
class Figures:
    """What was measured, by name: one value of each round."""

    rounds: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, value: float) -> None:
        """Take the value of one round."""
        self.rounds.setdefault(name, []).append(value)

    def __contains__(self, name: str) -> bool:
        return name in self.rounds

    def __getitem__(self, name: str) -> float:
        return statistics.median(self.rounds[name])

    def get(self, name: str) -> float | None:
        """Return the median of the rounds, or ``None`` where nothing was measured."""
        return statistics.median(self.rounds[name]) if name in self.rounds else None


class Process:
    """A process on the servers' core, which rests unless it is its turn."""

    def __init__(self, popen: subprocess.Popen[str]) -> None:
        self._popen = popen

    @property
    def pids(self) -> list[int]:
        """The process and its children."""
        found = [self._popen.pid]
        for pid in found:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            found += [int(child) for child in children]
        return found

    def _signal(self, number: signal.Signals) -> None:
        for pid in self.pids:
            os.kill(pid, number)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Continue the process."""
        self._signal(signal.SIGCONT)
        try:
            yield
        finally:
            self._signal(signal.SIGSTOP)

    def memory(self, what: str = "VmRSS") -> int:
        """Return the resident bytes: ``VmRSS`` now, ``VmHWM`` at most since ``forget_peak``."""
        total = 0
        for pid in self.pids:
            text = Path(f"/proc/{pid}/status").read_text()
            found = re.search(rf"{what}:\s+(\d+) kB", text)
            total += int(found[1]) * 1024 if found else 0
        return total

    def forget_peak(self) -> None:
        """Reset the peak of memory to what is in use."""
        for pid in self.pids:
            Path(f"/proc/{pid}/clear_refs").write_text("5")

    def ended(self) -> bool:
        """Return whether the process has ended by itself."""
        return self._popen.poll() is not None


@contextmanager
def started(
    command: Sequence[str],
    ready: Callable[[], bool],
    log: Path,
    core: int = SERVER_CORE,
    *,
    resting: bool = True,
) -> Iterator[Process]:
    """Start a process on a core, wait until it is ready, and kill it at the end."""
    pinned = ["taskset", "--cpu-list", str(core), *command]
    with (
        log.open("w") as output,
        subprocess.Popen(
            pinned, stdout=output, stderr=output, text=True, cwd=ROOT, start_new_session=True
        ) as popen,
    ):
        process = Process(popen)
        try:
            until = time.monotonic() + _START_TIMEOUT
            while not ready():
                if process.ended() or time.monotonic() > until:
                    raise RuntimeError(f"{command[0]} did not start:\n{log.read_text()[-2000:]}")
                time.sleep(0.05)
            if resting:
                process._signal(signal.SIGSTOP)  # noqa: SLF001 - its own way to begin
            yield process
        finally:
            os.killpg(popen.pid, signal.SIGKILL)
            popen.wait(_STOP_TIMEOUT)


def python(module: str, *arguments: object) -> list[str]:
    """Return the command that runs one of our modules."""
    return [sys.executable, "-m", module, *map(str, arguments)]


def milliseconds(job: Callable[[], object]) -> float:
    """Return how long a job takes."""
    began = time.perf_counter()
    job()
    return (time.perf_counter() - began) * 1000
