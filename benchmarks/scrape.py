"""Benchmark of a scrape: the same page from every peer, in turn."""

from contextlib import ExitStack

from benchmarks import peers
from benchmarks.client import scrape
from benchmarks.harness import Figures, Options, milliseconds
from benchmarks.peers import Peer
from benchmarks.workload import accounts

_PEERS: dict[str, peers.Start] = {
    "nginx": peers.nginx,
    "ours": peers.ours,
    "refreshing": peers.refreshing,
    "pushgateway": peers.pushgateway,
    "node_exporter": peers.node_exporter,
    "prometheus_client": peers.prometheus_client,
}
_SLOW = ("pushgateway", "node_exporter", "prometheus_client")
_HUGE = 500_000  # series, from which node_exporter takes 8 GB, and others a minute for each turn
_TITLES = {
    "nginx": "nginx, static file (the limit)",
    "ours": "**contactcenter-exporter**, idle",
    "refreshing": "**contactcenter-exporter**, every feed refreshed each 5 s",
    "pushgateway": "Pushgateway, 20 groups",
    "node_exporter": "node_exporter, textfile",
    "prometheus_client": "prometheus-client, `start_http_server`",
}


def name(series: int, encoding: str, clients: int, peer: str, what: str) -> str:
    """Return the name of a figure."""
    return f"scrape/{series}/{encoding}/c{clients}/{peer}/{what}"


def run(options: Options, figures: Figures) -> None:
    """Measure all sizes."""
    for series in options.sizes:
        with ExitStack() as stack:
            chosen = {
                peer: stack.enter_context(start(series, options))
                for peer, start in _PEERS.items()
                if series < _HUGE or peer != "node_exporter"
            }
            for turn in range(options.rounds):
                for peer, there in chosen.items():
                    with there.process.turn():
                        _measure(figures, series, peer, there, options)
                        if peer == "pushgateway":
                            number = turn + 1
                            body = peers.pushed(series, number, turn + 2)
                            took = milliseconds(
                                lambda: peers.send_push(there.port, number, body)  # noqa: B023
                            )
                            figures.add(f"scrape/{series}/push of one account", took)
                        figures.add(f"scrape/{series}/{peer}/memory", there.process.memory())


def _measure(figures: Figures, series: int, peer: str, there: Peer, options: Options) -> None:
    slow = peer in _SLOW
    if peer in ("ours", "refreshing"):
        path = f"/metrics?account={accounts(series)[1].name}"
        timings = scrape(there.port, path=path, gzip=True, seconds=0.2 if options.quick else 1.0)
        figures.add(f"scrape/{series}/{peer}/one account", timings.p50)
    seconds = 0.2 if options.quick else 1.0 if slow else 1.5
    for clients in (1, 8):
        if clients > 1 and slow and series >= _HUGE:
            continue
        for encoding in ("plain", "gzip"):
            timings = scrape(
                there.port, gzip=encoding == "gzip", connections=clients, seconds=seconds
            )
            figures.add(name(series, encoding, clients, peer, "p50"), timings.p50)
            figures.add(name(series, encoding, clients, peer, "p99"), timings.p99)
            figures.add(name(series, encoding, clients, peer, "bytes"), timings.size)


def tables(options: Options, figures: Figures) -> list[str]:
    """Return the figures as Markdown."""
    found = []
    for series in options.sizes:
        lines = [
            f"Scrape of {series:,} series, median / 99th percentile in ms",
            "",
            "| | plain, 1 client | plain, 8 | gzip, 1 | gzip, 8 | memory, MB |",
            "|---|---|---|---|---|---|",
        ]
        for peer, title in _TITLES.items():
            cells = [
                _cell(figures, series, encoding, clients, peer)
                for encoding in ("plain", "gzip")
                for clients in (1, 8)
            ]
            memory = figures.get(f"scrape/{series}/{peer}/memory")
            if memory is not None:
                lines.append(f"| {title} | {' | '.join(cells)} | {memory / 1e6:,.0f} |")
        own = [figures[f"scrape/{series}/{peer}/one account"] for peer in ("ours", "refreshing")]
        lines += ["", f"`?account=` with gzip: {own[0]:.2f} idle, {own[1]:.2f} while refreshing."]
        found.append("\n".join(lines))
    return found


def _cell(figures: Figures, series: int, encoding: str, clients: int, peer: str) -> str:
    p50 = figures.get(name(series, encoding, clients, peer, "p50"))
    p99 = figures.get(name(series, encoding, clients, peer, "p99"))
    if p50 is None or p99 is None:
        return "-"
    return f"{p50:,.2f} / {p99:,.2f}" if p50 < 10 else f"{p50:,.0f} / {p99:,.0f}"
