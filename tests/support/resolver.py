"""A resolver of host names that hangs, answers late or fails, in place of the system's."""

import socket
import threading
import time
from typing import Any

import pytest

_LONGEST = 30.0  # seconds for which a look-up hangs that is never released


class FakeResolver:
    """Answers look-ups of names; put in place of ``socket.getaddrinfo``.

    Names that begin with ``hang`` wait until ``release`` is set, or for ``delay`` seconds; those
    with ``gone`` do not exist; all others are this machine. Addresses and ``localhost`` are
    looked up by the system. ``asked`` are the names, ``hanging`` is how many wait now.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, delay: float = _LONGEST) -> None:
        self.delay = delay
        self.release = threading.Event()
        self.asked: list[str] = []
        self.hanging = 0
        self.most_hanging = 0
        self.answer: list[tuple[socket.AddressFamily, str]] = [(socket.AF_INET, "127.0.0.1")]
        self._real = socket.getaddrinfo
        self._lock = threading.Lock()
        monkeypatch.setattr(socket, "getaddrinfo", self.getaddrinfo)

    def getaddrinfo(self, host: Any, port: Any, *args: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name is None or name[:1].isdigit() or ":" in name or name == "localhost":
            return self._real(host, port, *args, **options)
        self.asked.append(name)
        if name.startswith("gone"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if name.startswith("hang"):
            self._hang()
        return [
            (family, socket.SOCK_STREAM, 6, "", (address, port)) for family, address in self.answer
        ]

    def _hang(self) -> None:
        with self._lock:
            self.hanging += 1
            self.most_hanging = max(self.most_hanging, self.hanging)
        self.release.wait(self.delay)
        with self._lock:
            self.hanging -= 1


def until(true: Any, seconds: float = 5.0) -> None:
    """Wait for something that another thread does."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)
