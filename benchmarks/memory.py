"""Benchmark of memory: bytes per series, and for clients that do not read their response."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from benchmarks import peers
from benchmarks.client import scrape
from benchmarks.harness import Figures, Options

_READERS = 4  # clients that request the plain page and never read it
_REFRESHED = 12.0  # seconds, in which every account is read twice


@contextmanager
def _deaf(port: int) -> Iterator[None]:
    """Request pages without reading them."""
    with ExitStack() as stack:
        for _ in range(_READERS):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\nAccept-Encoding: identity\r\n\r\n")
        yield


def run(options: Options, figures: Figures) -> None:
    """Measure memory after refreshes, and the peak with eight readers, four idle clients."""
    for series in options.sizes:
        with peers.refreshing(series, options) as there, there.process.turn():
            time.sleep(2.0 if options.quick else _REFRESHED)
            figures.add(f"memory/{series}/refreshing", there.process.memory() / series)
        with peers.ours(series, options) as there, there.process.turn():
            figures.add(f"memory/{series}/idle", there.process.memory() / series)
            size = scrape(there.port, gzip=False, seconds=0.5).size
            there.process.forget_peak()
            before = there.process.memory("VmHWM")
            with _deaf(there.port):
                scrape(there.port, gzip=False, connections=8, seconds=1.5)
                grown = there.process.memory("VmHWM") - before
            figures.add(f"memory/{series}/readers", grown / size)
        with peers.prometheus_client(series, options) as there, there.process.turn():
            scrape(there.port, gzip=True, seconds=0.5)
            used = there.process.memory() / series
            figures.add(f"memory/{series}/prometheus_client", used)


def tables(options: Options, figures: Figures) -> list[str]:
    """Return the results as Markdown."""
    lines = [
        "Resident bytes of the whole process per series; plain pages held for 8 clients that read",
        "and 4 that do not",
        "",
        "| series | idle | every feed refreshed each 5 s | prometheus-client | pages held |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {series:,} | {figures[f'memory/{series}/idle']:,.0f} "
        f"| {figures[f'memory/{series}/refreshing']:,.0f} "
        f"| {figures[f'memory/{series}/prometheus_client']:,.0f} "
        f"| {figures[f'memory/{series}/readers']:.2f} |"
        for series in options.sizes
    ]
    small, large = options.sizes[0], options.sizes[-1]
    if large > small:
        used = [figures[f"memory/{series}/refreshing"] * series for series in (small, large)]
        slope = (used[1] - used[0]) / (large - small)
        start = used[0] - small * slope
        base = f"{start / 1e6:,.0f} MB for the process with its libraries"
        lines += ["", f"That is {base}, and {slope:,.0f} B per series."]
    return ["\n".join(lines)]
