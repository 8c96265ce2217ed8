"""Does a refresh hold up a scrape? The worst scrape of 5,000 agents' figures, idle and refreshing.

Starts the simulators and two exporters as processes of their own: one refreshes AgentState and
AgentStatistics every second with all figures of each agent, the other reads them once and rests.
Both are scraped alike; the ratio of their medians and the worst scrapes are printed.
"""

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

CONFIG = """
accounts:
  - name: acme
    provider: five9
    base_url: http://{simulator}
    username: {username}
    password: correct horse
    agents: id
    max_series: 1000000
    timeout: 60s
    feeds:
      AgentState: {{interval: {interval}, stale_after: 1h}}
      AgentStatistics: {{interval: {interval}, stale_after: 1h}}
"""


@contextmanager
def started(*arguments: str) -> Iterator[tuple[str, str]]:
    """Start a command of the exporter; give its address and the log line that names it."""
    command = [sys.executable, "-m", "exporter", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = next(line for line in process.stderr if re.search(r"address=|base_url=", line))
        found = re.search(r"(?:address=|base_url=http://)(\S+)", line)
        assert found is not None
        try:
            yield found[1], line
        finally:
            process.kill()


def scrape(address: str, seconds: float, *, gzip: bool) -> tuple[list[float], int]:
    """Scrape again and again; return the durations in milliseconds and the page's series."""
    headers = {"accept-encoding": "gzip" if gzip else "identity"}
    found = []
    series = 0
    with httpx.Client(trust_env=False, timeout=60, headers=headers) as client:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            began = time.perf_counter()
            with client.stream("GET", f"http://{address}/metrics") as answer:
                size = sum(len(chunk) for chunk in answer.iter_raw())
            found.append((time.perf_counter() - began) * 1000)
            assert size > 0
            time.sleep(0.02)
        text = client.get(f"http://{address}/metrics").text
        series = sum(1 for line in text.splitlines() if line and line[0] != "#")
    return found, series


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--agents", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=15.0)
    options = parser.parse_args()
    size = ("--agents", str(options.agents), "--queues", "100", "--campaigns", "30")
    with (
        tempfile.TemporaryDirectory() as folder,
        started("simulate", "--listen", "127.0.0.1:0", *size) as (simulator, line),
    ):
        username = re.search(r"username=(\S+)", line)
        assert username is not None
        results = {}
        for name, interval in (("idle", "1h"), ("refreshing", "1s")):
            file = Path(folder) / f"{name}.yml"
            file.write_text(
                CONFIG.format(simulator=simulator, username=username[1], interval=interval)
            )
            listen = ("--web.listen-address", "127.0.0.1:0")
            with started("run", "--config.file", str(file), *listen) as (address, _):
                time.sleep(15)  # until every feed has been read
                for gzip in (False, True):
                    results[name, gzip] = scrape(address, options.seconds, gzip=gzip)
        print("| scrape | series | median ms | p99 ms | worst ms |\n|---|---|---|---|---|")
        for (name, gzip), (found, series) in results.items():
            p99 = sorted(found)[int(0.99 * len(found))]
            label = f"{name}, {'gzip' if gzip else 'plain'}"
            print(
                f"| {label} | {series} | {statistics.median(found):.2f} "
                f"| {p99:.1f} | {max(found):.1f} |"
            )
        for gzip in (False, True):
            idle, busy = (statistics.median(results[n, gzip][0]) for n in ("idle", "refreshing"))
            print(f"{'gzip' if gzip else 'plain'}: refreshing / idle = {busy / idle:.2f}")


if __name__ == "__main__":
    main()
