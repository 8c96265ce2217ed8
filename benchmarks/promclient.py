"""An exporter as usually written: prometheus-client, gauges set at each refresh."""

import argparse
import threading

import prometheus_client as prom

from benchmarks.workload import ACCOUNTS, SITE, TABLES, Account, accounts, columns
from exporter.metrics.parsers import milliseconds
from exporter.metrics.reading import Reading


class Gauges:
    """One gauge for each family, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = prom.CollectorRegistry()
        self._gauges = {
            (table.name, at): prom.Gauge(
                figure.family.name,
                figure.family.help,
                ("provider", "account", "site", *figure.family.labels),
                registry=self.registry,
            )
            for table in TABLES
            for at, figure in enumerate(columns(table), start=1)
        }

    def set_all(self, account: Account, reading: Reading) -> None:
        """Set every gauge of an account."""
        base = ("five9", account.name, SITE["site"])
        for table in TABLES:
            for at, figure in enumerate(columns(table), start=1):
                gauge = self._gauges[table.name, at]
                scale = 1000 if figure.parse is milliseconds else 1
                for row in reading.tables[table.name].cells:
                    gauge.labels(*base, row[0], "voice").set(float(row[at] or 0) / scale)


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--series", type=int, required=True)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    gauges = Gauges()
    found = accounts(given.series)
    assert len(found) == ACCOUNTS
    for each in found:
        gauges.set_all(each, each.reading(1))
    prom.start_http_server(given.port, "127.0.0.1", gauges.registry)
    threading.Event().wait()


if __name__ == "__main__":
    main()
