"""Chromium for tests, spoken to over its debugging protocol."""

import itertools
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

from support.programs import program

OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
)


class Tab:
    """A tab of the browser, spoken to over its debugging protocol."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self.complaints: list[str] = []
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, timeout: float = 30, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(timeout=timeout))
            if message.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown"):
                self.complaints.append(json.dumps(message["params"]))
            if message.get("id") == number:
                assert "error" not in message, message
                found: dict[str, Any] = message["result"]
                return found

    def evaluate(self, expression: str) -> Any:
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return found["result"].get("value")

    def until(self, expression: str, seconds: float) -> float:
        """Wait until an expression is true; return after how many seconds it was."""
        started = time.monotonic()
        while not self.evaluate(expression):
            assert time.monotonic() < started + seconds, expression
            time.sleep(0.02)
        return time.monotonic() - started


@contextmanager
def browser(folder: Path, url: str, *options: str) -> Iterator[Tab]:
    """Start a browser that shows a page; its profile and log are kept in a folder."""
    binary = program("chromium")
    profile = folder / "profile"
    command = [binary, *OPTIONS, *options, f"--user-data-dir={profile}", url]
    with (
        (folder / "chromium.log").open("w") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
    ):
        try:
            with connect(_debugger(profile), proxy=None, max_size=None) as socket:
                yield Tab(socket)
        finally:
            process.terminate()
            process.wait(timeout=20)


def _debugger(profile: Path) -> str:
    """Return the address of the first tab, as soon as the browser tells it."""
    port = profile / "DevToolsActivePort"
    for _ in range(600):
        if port.exists() and port.read_text():
            url = f"http://127.0.0.1:{port.read_text().split()[0]}/json/list"
            pages = httpx.get(url, trust_env=False).json()
            found = [page for page in pages if page["type"] == "page"]
            if found:
                return str(found[0]["webSocketDebuggerUrl"])
        time.sleep(0.1)
    raise AssertionError("the browser did not start")
