"""Benchmark with a real Prometheus: its ``scrape_duration_seconds`` of each peer."""

import json
import statistics
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from benchmarks import peers
from benchmarks.harness import CLIENT_CORE, Figures, Options, free_port, need, started

_PEERS: dict[str, peers.Start] = {
    "nginx": peers.nginx,
    "ours": peers.refreshing,
    "pushgateway": peers.pushgateway,
    "prometheus_client": peers.prometheus_client,
}
_TITLES = {
    "nginx": "nginx, gzip_static (the limit)",
    "ours": "**contactcenter-exporter**, every feed refreshed each 5 s",
    "pushgateway": "Pushgateway, 20 groups",
    "prometheus_client": "prometheus-client, `start_http_server`",
}
_CONFIG = """
global: {{scrape_interval: {interval}s, scrape_timeout: {interval}s}}
scrape_configs: [{{job_name: bench, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]
"""
_TIMEOUT = 60.0  # seconds for enough scrapes of one target


@contextmanager
def _prometheus(target: int, interval: int, options: Options) -> Iterator[int]:
    """Start a Prometheus that scrapes one target; give its port."""
    need({"prometheus": "prometheus"})
    port = free_port()
    folder = options.folder / f"prometheus-{port}"
    folder.mkdir()
    config = folder / "prometheus.yml"
    config.write_text(_CONFIG.format(interval=interval, port=target))
    command = [
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    ready = peers.answers(port, "/-/ready")
    with started(command, ready, folder / "log", CLIENT_CORE, resting=False):
        yield port


def _durations(port: int, wanted: int) -> list[float]:
    """Wait for scrapes; return their durations (s), less the first, which makes the series."""
    query = urllib.parse.urlencode({"query": "scrape_duration_seconds[10m]"})
    url = f"http://127.0.0.1:{port}/api/v1/query?{query}"
    until = time.monotonic() + _TIMEOUT
    while time.monotonic() < until:
        with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer:
            result = json.load(answer)["data"]["result"]
        values = [float(value) for _, value in result[0]["values"]] if result else []
        if len(values) > wanted:
            return values[1:]
        time.sleep(0.2)
    raise RuntimeError("Prometheus did not scrape often enough")


def run(options: Options, figures: Figures) -> None:
    """Scrape each peer with a Prometheus of its own, in turn."""
    interval = 1 if options.quick else 3
    with ExitStack() as stack:
        chosen = {
            peer: stack.enter_context(start(options.middle, options))
            for peer, start in _PEERS.items()
        }
        for _ in range(options.rounds):
            for peer, there in chosen.items():
                with there.process.turn(), _prometheus(there.port, interval, options) as port:
                    found = _durations(port, 1 if options.quick else 2)
                    figures.add(f"prometheus/{peer}", statistics.median(found) * 1000)


def tables(options: Options, figures: Figures) -> list[str]:
    """Return the figures as Markdown."""
    lines = [
        f"Prometheus' own `scrape_duration_seconds`, {options.middle:,} series, in ms",
        "",
        "| target | ms |",
        "|---|---|",
        *(f"| {title} | {figures[f'prometheus/{peer}']:,.0f} |" for peer, title in _TITLES.items()),
    ]
    return ["\n".join(lines)]
