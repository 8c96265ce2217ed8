"""Benchmark of a large Five9 answer: time, memory, and delay of the event loop.

Our reader against zeep's deserialiser, which is what a SOAP client does by itself, and against
bare lxml. Each reads in a process of its own, so that the peak of memory is its own.
"""

import argparse
import gc
import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import zeep
from lxml import etree

from benchmarks import peers
from benchmarks.client import scrape
from benchmarks.envelope import answer
from benchmarks.harness import Figures, Options, python
from exporter.providers.five9 import client
from exporter.providers.five9.answers import read_statistics

_TIMEOUT = 120.0  # seconds for one reader
_REPEATS = 3


def _ours(body: bytes) -> object:
    return read_statistics(body)


def _bare(body: bytes) -> object:
    """Read the whole tree with lxml, then take the texts out of it."""
    root = etree.fromstring(body)
    return [[data.text for data in row.iter("data")] for row in root.iter("rows")]


def _zeep() -> Callable[[bytes], object]:
    """Return zeep's own way from a response to objects."""
    found = zeep.Client(str(client._WSDL), transport=client._BundledWsdl())  # noqa: SLF001
    binding = found.wsdl.bindings[client._BINDING]  # noqa: SLF001
    operation = binding.get("getStatistics")

    def read(body: bytes) -> object:
        headers = {"Content-Type": "text/xml; charset=utf-8"}
        response: Any = SimpleNamespace(
            status_code=200, content=body, headers=headers, encoding="utf-8"
        )
        result = binding.process_reply(found, operation, response)
        assert result.rows
        return result

    return read


_READERS: dict[str, Callable[[], Callable[[bytes], object]]] = {
    "ours": lambda: _ours,
    "lxml": lambda: _bare,
    "zeep": _zeep,
}
_TITLES = {
    "ours": "**contactcenter-exporter**",
    "lxml": "bare lxml, whole tree",
    "zeep": "zeep's deserialiser",
}


def _peak() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def measure(reader: str, rows: int) -> dict[str, float]:
    """Measure one reader in this process: ms, bytes at the peak, size of the answer."""
    read = _READERS[reader]()
    body = answer(rows)
    read(answer(2))
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    before = _peak()
    read(body)
    peak = _peak() - before
    took = []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        read(body)
        took.append((time.perf_counter() - began) * 1000)
    return {"ms": sorted(took)[_REPEATS // 2], "peak": peak, "size": len(body)}


def run(options: Options, figures: Figures) -> None:
    """Measure all readers in turn, then the exporter while it reads."""
    sizes = (500,) if options.quick else (5_000, 20_000)
    for _ in range(options.rounds):
        for rows in sizes:
            for reader in _READERS:
                command = python("benchmarks.soap", reader, rows)
                done = subprocess.run(
                    command, check=True, capture_output=True, text=True, timeout=_TIMEOUT
                )
                for what, value in json.loads(done.stdout).items():
                    figures.add(f"soap/{rows}/{reader}/{what}", value)
    stalls = options.folder / "stalls"
    for _ in range(options.rounds):
        stalls.unlink(missing_ok=True)
        with peers.ours(options.middle, options, parse=stalls) as there, there.process.turn():
            timings = scrape(
                there.port, gzip=True, seconds=0.5 if options.quick else 5.0, most=9999
            )
            until = time.monotonic() + _TIMEOUT
            while not stalls.exists() and time.monotonic() < until:
                time.sleep(0.05)
            figures.add("soap/stall", float(stalls.read_text()))
            figures.add("soap/scrape p99", timings.p99)


def tables(options: Options, figures: Figures) -> list[str]:  # noqa: ARG001 - as all subjects
    """Return the figures as Markdown."""
    lines = [
        "Reading a Five9 answer of 30 columns",
        "",
        "| rows | answer, MB | reader | ms | peak memory, MB |",
        "|---|---|---|---|---|",
    ]
    for rows in (500, 5_000, 20_000):
        for reader, title in _TITLES.items():
            took = figures.get(f"soap/{rows}/{reader}/ms")
            if took is not None:
                peak = figures[f"soap/{rows}/{reader}/peak"] / 1e6
                size = figures[f"soap/{rows}/{reader}/size"] / 1e6
                lines.append(f"| {rows:,} | {size:.1f} | {title} | {took:,.0f} | {peak:,.0f} |")
    stall, p99 = figures.get("soap/stall"), figures.get("soap/scrape p99")
    lines.append("")
    lines.append(
        f"While answers of 5,000 rows are read without a pause, the event loop is late by "
        f"{stall:.1f} ms at most, and the 99th percentile of gzip scrapes is {p99:.1f} ms."
    )
    return ["\n".join(lines)]


def main() -> None:
    """Measure one reader, and write what was found as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("reader", choices=_READERS)
    parser.add_argument("rows", type=int)
    given = parser.parse_args()
    print(json.dumps(measure(given.reader, given.rows)))


if __name__ == "__main__":
    main()
