"""Targets: limits for ratios of two figures of the same run, and for single figures."""

import operator
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks import flood, paths, scrape
from benchmarks.harness import Figures, Options

Compare = Callable[[float, float], bool]
AT_MOST: Compare = operator.le
AT_LEAST: Compare = operator.ge
_MEMORY = {100_000: 600, 500_000: 400}  # bytes for a series


@dataclass(frozen=True, slots=True)
class Target:
    """One target: its number, subject and limit, and the measured value."""

    number: str
    what: str
    compare: Compare
    limit: float
    unit: str
    found: float

    @property
    def passed(self) -> bool:
        """Whether the value is within the limit."""
        return self.compare(self.found, self.limit)

    @property
    def asked(self) -> str:
        """The limit as text."""
        sign = "≤" if self.compare is AT_MOST else "≥"
        return f"{sign} {self.limit:g} {self.unit}".rstrip()

    def as_json(self) -> dict[str, object]:
        """Return the target for the file of results."""
        return {
            "target": self.number,
            "what": self.what,
            "asked": self.asked,
            "found": round(self.found, 4),
            "passed": self.passed,
        }


class _Judge:
    """Collects targets; those whose figures were not measured are omitted."""

    def __init__(self, figures: Figures) -> None:
        self.found: list[Target] = []
        self._figures = figures

    def ratio(
        self, number: str, what: str, above: str, below: str, compare: Compare, limit: float
    ) -> None:
        """Compare one figure as a multiple of another."""
        if above in self._figures and below in self._figures:
            value = self._figures[above] / self._figures[below]
            self.found.append(Target(number, what, compare, limit, "times", value))

    def share(self, number: str, what: str, above: str, below: str, limit: float) -> None:
        """Compare one figure as a percentage of another."""
        if above in self._figures and below in self._figures:
            value = 100 * self._figures[above] / self._figures[below]
            self.found.append(Target(number, what, AT_MOST, limit, "%", value))

    def value(self, number: str, what: str, name: str, limit: float, unit: str) -> None:
        """Compare a single figure."""
        if name in self._figures:
            value = self._figures[name]
            self.found.append(Target(number, what, AT_MOST, limit, unit, value))


def judge(options: Options, figures: Figures) -> list[Target]:
    """Return all targets whose figures were measured."""
    judge = _Judge(figures)
    _scrapes(judge, options.middle)
    if not options.quick:
        for clients, limit in ((1, 2), (8, 3)):
            judge.ratio(
                "T2",
                f"gzip, 500k series, {clients} client(s): of nginx gzip_static",
                scrape.name(500_000, "gzip", clients, "ours", "p50"),
                scrape.name(500_000, "gzip", clients, "nginx", "p50"),
                AT_MOST,
                limit,
            )
    _refreshes(judge, options)
    _memory(judge, options)
    ours, nginx = "prometheus/ours", "prometheus/nginx"
    judge.ratio("T13", "Prometheus' scrape: of nginx gzip_static", ours, nginx, AT_MOST, 1.4)
    for peer, limit in (("prometheus_client", 5), ("pushgateway", 2)):
        judge.ratio(
            "T13", f"Prometheus' scrape: {peer} takes", f"prometheus/{peer}", ours, AT_LEAST, limit
        )
    soap = f"soap/{500 if options.quick else 5000}"
    judge.ratio(
        "T14", "Five9 answer: zeep takes", f"{soap}/zeep/ms", f"{soap}/ours/ms", AT_LEAST, 4
    )
    judge.ratio(
        "T14", "Five9 answer: peak memory of its size", f"{soap}/ours/peak", f"{soap}/ours/size",
        AT_MOST, 6,
    )  # fmt: skip
    judge.value("T15", "longest stall of the event loop meanwhile", "soap/stall", 25, "ms")
    judge.value("T15", "99th percentile of gzip scrapes meanwhile", "soap/scrape p99", 50, "ms")
    for name, held in flood.FLOODS.items():
        key = f"flood/{name}/ours"
        judge.value("T16", f"not answered, {held.title}", f"{key}/unanswered", 0, "%")
        judge.ratio(
            "T16",
            f"health check, {held.title}: of node_exporter's",
            f"{key}/health p50",
            f"flood/{name}/node_exporter/health p50",
            AT_MOST,
            2,
        )
    if not options.quick:
        judge.value(
            "T16", "after 40 s of slow readers", "flood/readers/ours/descriptors", 64, "files"
        )
    for path in paths.PATHS:
        judge.ratio(
            "T17",
            f"scrape p99 while clients loop {path}: of {paths.BASE}'s",
            paths.name(path, "scrape p99"),
            paths.name(paths.BASE, "scrape p99"),
            AT_MOST,
            5,
        )
    return sorted(judge.found, key=lambda target: int(target.number[1:]))


def _scrapes(judge: _Judge, series: int) -> None:
    def key(encoding: str, clients: int, peer: str, what: str = "p50") -> str:
        return scrape.name(series, encoding, clients, peer, what)

    for clients in (1, 8):
        judge.ratio(
            "T1",
            f"plain, {clients} client(s): of nginx static",
            key("plain", clients, "ours"),
            key("plain", clients, "nginx"),
            AT_MOST,
            1.5,
        )
        judge.ratio(
            "T2",
            f"gzip, {clients} client(s): of nginx gzip_static",
            key("gzip", clients, "ours"),
            key("gzip", clients, "nginx"),
            AT_MOST,
            3,
        )
    busy = key("gzip", 1, "refreshing", "p99")
    nginx = key("gzip", 1, "nginx", "p99")
    judge.ratio("T3", "gzip p99 while refreshing: of nginx's", busy, nginx, AT_MOST, 6)
    judge.value("T3", "gzip p99 while refreshing", busy, 15, "ms")
    for number, peer, plain, gzip in (
        ("T4", "prometheus_client", 50, 300),
        ("T5", "pushgateway", 15, 100),
        ("T6", "node_exporter", 50, 300),
    ):
        for encoding, limit in (("plain", plain), ("gzip", gzip)):
            judge.ratio(
                number,
                f"{encoding}: {peer} takes",
                key(encoding, 1, peer),
                key(encoding, 1, "ours"),
                AT_LEAST,
                limit,
            )
    judge.ratio(
        "T5",
        "one account: a push takes, of our refresh with gzip",
        f"scrape/{series}/push of one account",
        f"refresh/{series}/one account of 20/gzipped",
        AT_LEAST,
        5,
    )
    judge.ratio(
        "T6",
        "memory of node_exporter",
        f"scrape/{series}/node_exporter/memory",
        f"scrape/{series}/ours/memory",
        AT_LEAST,
        10,
    )


def _refreshes(judge: _Judge, options: Options) -> None:
    def key(series: int, kind: str, what: str) -> str:
        return f"refresh/{series}/{kind}/{what}"

    middle = options.middle
    naive = "prometheus-client: set all, write the page, gzip"
    for what, words, limit in (("gzipped", "with gzip", 15), ("rendered", "without gzip", 25)):
        judge.ratio(
            "T7",
            f"full refresh {words}: prometheus-client takes",
            key(middle, naive, what),
            key(middle, "all values", what),
            AT_LEAST,
            limit,
        )
    shares = [
        ("T8", middle, "one account of 20", "rendered", 10),
        ("T8", middle, "one account of 20", "gzipped", 20),
        ("T9", middle, "5 % of rows", "rendered", 70),
        ("T9", middle, "5 % of rows", "gzipped", 90),
        ("T10", middle, "nothing", "rendered", 10),
        ("T10", middle, "nothing", "gzipped", 10),
    ]
    if not options.quick:
        shares.append(("T8", 500_000, "one account of 20", "gzipped", 15))
    for number, series, kind, what, limit in shares:
        judge.share(
            number,
            f"{kind}, {series // 1000}k series, {what}: of a full refresh",
            key(series, kind, what),
            key(series, "all values", what),
            limit,
        )


def _memory(judge: _Judge, options: Options) -> None:
    for series in options.sizes:
        name, naive = f"memory/{series}/refreshing", f"memory/{series}/prometheus_client"
        words = f"{series // 1000}k series"
        if series in _MEMORY:
            limit = _MEMORY[series]
            judge.value("T11", f"memory for a series, {words}", name, limit, "B")
        if series >= options.middle:
            judge.ratio(
                "T11", f"memory, {words}: of prometheus-client's", name, naive, AT_MOST, 0.5
            )
    for series in options.sizes:
        name = f"memory/{series}/readers"
        judge.value("T12", f"8 readers and 4 deaf ones, {series // 1000}k", name, 1, "page(s) more")
