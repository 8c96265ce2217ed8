"""An exporter in a process of its own, whose memory and event loop are measured on request.

``python -m support.exploded`` reads a JSON list of accounts (the keys of their models) from the
first line of standard input. Each further line ends a measurement, prints it and begins the next:
the peak of the resident memory over that at its begin (``peak``, bytes), what is resident at its
end over that at the start (``kept``), the longest delay of the event loop (``stall``, seconds) and
the longest time without a refresh of the last account (``gap``, seconds).
"""

import asyncio
import gc
import json
import resource
import signal
import sys
import time
from pathlib import Path

from exporter.app import App
from exporter.config.load import Config
from exporter.providers import MODELS

_TICK = 0.01  # seconds
_ADDRESSES = 8_000_000_000  # bytes, so that a failing test does not take the machine down


def _status(key: str) -> int:
    return int(Path("/proc/self/status").read_text().partition(f"{key}:")[2].split()[0]) * 1024


class Watch:
    """Measures memory and delays from ``begin`` on."""

    def __init__(self, app: App, account: str) -> None:
        self._registry = app.telemetry.registry
        self._account = account
        gc.collect()
        self.first = _status("VmRSS")
        self.begin()

    def begin(self) -> None:
        Path("/proc/self/clear_refs").write_text("5")
        self.base = _status("VmRSS")
        self.stall = self.gap = 0.0
        self._read, self._read_at = self._reads(), time.monotonic()

    def _reads(self) -> float:
        return sum(
            sample.value
            for family in self._registry.collect()
            for sample in family.samples
            if sample.name == "contactcenter_feed_refreshes_total"
            and (sample.labels["account"], sample.labels["outcome"]) == (self._account, "ok")
        )

    async def run(self) -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(_TICK)
            now = time.monotonic()
            self.stall = max(self.stall, now - before - _TICK)
            read = self._reads()
            self.gap = max(self.gap, now - self._read_at)
            if read != self._read:
                self._read, self._read_at = read, now

    def report(self) -> str:
        figures = {
            "peak": _status("VmHWM") - self.base,
            "kept": _status("VmRSS") - self.first,
            "stall": self.stall,
            "gap": self.gap,
        }
        return json.dumps(figures)


async def main() -> None:
    """Run the accounts until standard input ends."""
    loop = asyncio.get_running_loop()
    accounts = [
        MODELS[options["provider"]].model_validate(options)
        for options in json.loads(sys.stdin.readline())
    ]
    app = App(Config(tuple(accounts), Path.cwd()))
    async with app._refreshing():
        for account in app.accounts:
            await account.refresher.all_tried.wait()
        watch = Watch(app, accounts[-1].name)
        watching = loop.create_task(watch.run())
        print("ready", flush=True)
        while await loop.run_in_executor(None, sys.stdin.readline):
            print(watch.report(), flush=True)
            watch.begin()
        watching.cancel()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESSES, _ADDRESSES))
    asyncio.run(main())
