"""Benchmark of a refresh, from rows of text to the bytes of a page.

Maps, renders and publishes all accounts for several kinds of change, and one account; compared
with setting as many gauges of prometheus-client and writing its page.
"""

import gc
import gzip
import sys
import time
from collections.abc import Sequence

import prometheus_client as prom

from benchmarks.harness import Figures, Options
from benchmarks.promclient import Gauges
from benchmarks.workload import FEED, TABLES, Account, Change, accounts
from exporter.exposition.encoding import Format
from exporter.exposition.page import Page
from exporter.exposition.store import Limits, SnapshotStore
from exporter.metrics.counters import Counters
from exporter.metrics.mapping import Mapped, map_reading
from exporter.metrics.reading import Reading
from exporter.metrics.snapshot import Snapshot, make_snapshot

_KINDS: dict[str, Change] = {
    "all values": "all",
    "5 % of rows": "scattered",
    "nothing": "nothing",
}
_ONE = "one account of 20"
_NAIVE = "prometheus-client: set all, write the page, gzip"
_REPEATS = 3
_ROUNDS = 3  # per round of the other subjects: these are short, and easily disturbed
_LARGEST_NAIVE = 100_000  # series; above, prometheus-client takes minutes


class Kernel:
    """The steps from rows to bytes, in the order in which the schedule runs them."""

    def __init__(self, series: int) -> None:
        self.accounts = accounts(series)
        self._tables = {table.name: table for table in TABLES}
        self._store = SnapshotStore()
        self._mapped: dict[str, Mapped] = {}
        self._counters = {account.name: Counters() for account in self.accounts}
        self._snapshots: dict[str, Snapshot] = {}
        self._page: Page | None = None
        for account in self.accounts:
            self._store.add_account(account.name, [FEED], Limits(sys.maxsize))

    def refresh(
        self, chosen: Sequence[Account], generation: int, change: Change
    ) -> tuple[float, float]:
        """Refresh accounts; return the ms until all lines are rendered, and until gzip is done."""
        readings = [(account, account.reading(generation, change)) for account in chosen]
        began = time.perf_counter()
        for account, reading in readings:
            self._refresh(account, reading)
        rendered = time.perf_counter()
        self._page = self._store.page(0.0, (), self._page)
        self._page.body(Format.OPENMETRICS, gzip=True)
        return (rendered - began) * 1000, (time.perf_counter() - began) * 1000

    def _refresh(self, account: Account, reading: Reading) -> None:
        name = account.name
        before = self._mapped.get(name)
        mapped = map_reading(reading, self._tables, account.labels, raw=False, before=before)
        self._mapped[name] = mapped
        snapshot = make_snapshot(
            name,
            FEED,
            mapped,
            self._counters[name],
            taken_at=0.0,
            source_at=None,
            expires_at=float("inf"),
            before=self._snapshots.get(name),
        )
        self._snapshots[name] = snapshot
        self._store.put(snapshot)


def run(options: Options, figures: Figures) -> None:
    """Measure all sizes, both implementations in turn."""
    for series in options.sizes:
        kernel = Kernel(series)
        gauges = Gauges() if series <= _LARGEST_NAIVE else None
        generation = 0
        for change in _KINDS.values():  # first reading of each kind of change
            kernel.refresh(kernel.accounts, generation, change)
        gc.collect()
        gc.freeze()  # as the exporter does after its start
        for _ in range(options.rounds * _ROUNDS):
            for kind, change in _KINDS.items():
                kernel.refresh(kernel.accounts, generation, change)
                for _ in range(_REPEATS):
                    generation += 1
                    _add(figures, series, kind, kernel.refresh(kernel.accounts, generation, change))
            for account in kernel.accounts[:_REPEATS]:
                generation += 1
                _add(figures, series, _ONE, kernel.refresh([account], generation, "all"))
            if gauges is not None:
                _add(figures, series, _NAIVE, _naive(gauges, kernel.accounts, generation))
        gc.unfreeze()


def _naive(gauges: Gauges, chosen: Sequence[Account], generation: int) -> tuple[float, float]:
    readings = [(account, account.reading(generation)) for account in chosen]
    began = time.perf_counter()
    for account, reading in readings:
        gauges.set_all(account, reading)
    page = prom.generate_latest(gauges.registry)
    rendered = time.perf_counter()
    gzip.compress(page)
    return (rendered - began) * 1000, (time.perf_counter() - began) * 1000


def _add(figures: Figures, series: int, kind: str, took: tuple[float, float]) -> None:
    figures.add(f"refresh/{series}/{kind}/rendered", took[0])
    figures.add(f"refresh/{series}/{kind}/gzipped", took[1])


def tables(options: Options, figures: Figures) -> list[str]:
    """Return the results as Markdown."""
    head = " | ".join(f"{series:,} series" for series in options.sizes)
    lines = [
        "Refresh from rows of text to rendered lines / to the gzipped page, in ms",
        "",
        f"| what differs | {head} |",
        f"|---|{'---|' * len(options.sizes)}",
    ]
    for kind in (*_KINDS, _ONE, _NAIVE):
        cells = []
        for series in options.sizes:
            rendered = figures.get(f"refresh/{series}/{kind}/rendered")
            gzipped = figures.get(f"refresh/{series}/{kind}/gzipped")
            known = rendered is not None and gzipped is not None
            cells.append(f"{rendered:,.1f} / {gzipped:,.1f}" if known else "-")
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    return ["\n".join(lines)]
