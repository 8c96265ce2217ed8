"""Benchmark of Genesys updates: how many per second reach a page.

From the bodies of CometD's responses through ``Subscriptions`` to a page made every 5,000 updates,
compared with a client that only keeps a dict, and with one that sets gauges of prometheus-client.
"""

import asyncio
import json
import logging
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
import prometheus_client as prom

from benchmarks.harness import Figures, Options
from exporter.clock import SystemClock
from exporter.exposition.encoding import Format
from exporter.exposition.page import Page
from exporter.exposition.store import Limits, SnapshotStore
from exporter.logs import get_log
from exporter.metrics.counters import Counters
from exporter.metrics.mapping import Mapped, map_reading
from exporter.metrics.snapshot import Snapshot, make_snapshot
from exporter.providers.genesys.client import Client
from exporter.providers.genesys.collector import feeds, statistics
from exporter.providers.genesys.cometd import is_event, messages_of
from exporter.providers.genesys.config import GenesysConfig
from exporter.providers.genesys.push import CHANNELS
from exporter.providers.genesys.store import StatisticStore
from exporter.providers.genesys.subscriptions import Subscriptions

_PER_MESSAGE = 100  # updates
_PER_BEAT = 5_000  # updates between two pages
_TITLES = {
    "ours": "**contactcenter-exporter**: to a gzipped page, each 5,000 updates",
    "dict": "`json.loads` and a dict, no page",
    "gauges": "`json.loads`, gauges of prometheus-client, its page each 5,000 updates",
}


def _account(queues: int) -> GenesysConfig:
    return GenesysConfig.model_validate(
        {
            "name": "acme",
            "provider": "genesys",
            "base_url": "https://genesys.example.com",
            "client_id": "exporter",
            "client_secret": "none",
            "username": "exporter",
            "password": "none",
            "max_series": 1_000_000,
            "objects": [{"type": "Queue", "ids": [f"queue-{at:04}@sip" for at in range(queues)]}],
        }
    )


class _Platform(Client):
    """A platform client that opens every statistic and returns the value 0."""

    def __init__(self) -> None:
        self.owner: dict[int, str] = {}

    async def create_subscription(
        self, subscription: str, statistics: Sequence[Mapping[str, Any]]
    ) -> list[dict[str, Any]]:
        """Open statistics."""
        self.owner |= {int(opened["statisticId"]): subscription for opened in statistics}
        return [{"statisticId": opened["statisticId"], "value": 0} for opened in statistics]


def _bodies(owner: Mapping[int, str], updates: int) -> list[bytes]:
    """Return the bodies of CometD responses with updates."""
    numbers = list(owner)
    bodies = []
    for first in range(0, updates, _PER_MESSAGE):
        batch = []
        for at in range(first, first + _PER_MESSAGE):
            number = numbers[at * 7919 % len(numbers)]
            batch.append(
                {
                    "statisticId": str(number),
                    "subscriptionId": owner[number],
                    "objectId": "queue-0001@sip",
                    "objectType": "Queue",
                    "value": at // 100 + 1,
                    "timestamp": 1_772_452_800_000 + at,
                }
            )
        bodies.append(
            json.dumps([{"channel": CHANNELS[1], "data": {"statistics": batch}}]).encode()
        )
    return bodies


class _Ours:
    """The exporter, from the body of a response to the page."""

    def __init__(self, queues: int) -> None:
        account = _account(queues)
        self.platform = _Platform()
        self._tables = {table.name: table for table in feeds(account)[0].tables}
        self._labels = account.account_labels()
        self._statistics = StatisticStore(
            statistics(account),
            set(self._tables),
            account.service_level_threshold,
            SystemClock(),
            lambda: None,
        )
        log = get_log("benchmarks").bind()
        self._subscriptions = Subscriptions(
            self.platform, self._statistics, account.chunk, SystemClock(), log
        )
        asyncio.run(self._subscriptions.reopen())
        self._store = SnapshotStore()
        self._store.add_account("acme", ["statistics"], Limits(sys.maxsize))
        self._counters = Counters()
        self._mapped: Mapped | None = None
        self._snapshot: Snapshot | None = None
        self._page: Page | None = None
        self.size = 0

    def hear(self, body: bytes) -> None:
        """Process one response."""
        for message in messages_of(orjson.loads(body)):
            if is_event(message):
                self._subscriptions.on_event(message["channel"], message["data"])

    def publish(self) -> None:
        """Make the page."""
        reading = self._statistics.reading()
        self._mapped = map_reading(
            reading, self._tables, self._labels, raw=False, before=self._mapped
        )
        self._snapshot = make_snapshot(
            "acme",
            "statistics",
            self._mapped,
            self._counters,
            taken_at=0.0,
            source_at=None,
            expires_at=float("inf"),
            before=self._snapshot,
        )
        self.size = self._snapshot.size
        self._store.put(self._snapshot)
        self._page = self._store.page(0.0, (), self._page)
        self._page.body(Format.OPENMETRICS, gzip=True)


class _Dict:
    """A client that keeps the last value of each statistic."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def hear(self, body: bytes) -> None:
        """Process one response."""
        for message in json.loads(body):
            for update in message["data"]["statistics"]:
                self.values[update["statisticId"]] = update["value"]

    def publish(self) -> None:
        """Make no page."""


class _Gauges:
    """A client that sets a gauge for each update."""

    def __init__(self) -> None:
        self._registry = prom.CollectorRegistry()
        labels = ("account", "object", "statistic")
        self._gauge = prom.Gauge("queue_statistic", "A value.", labels, registry=self._registry)

    def hear(self, body: bytes) -> None:
        """Process one response."""
        for message in json.loads(body):
            for update in message["data"]["statistics"]:
                labels = ("acme", update["objectId"], update["statisticId"])
                self._gauge.labels(*labels).set(float(update["value"]))

    def publish(self) -> None:
        """Make the page."""
        prom.generate_latest(self._registry)


def _rate(
    bodies: Sequence[bytes], hear: Callable[[bytes], None], publish: Callable[[], None]
) -> float:
    began = time.perf_counter()
    for at, body in enumerate(bodies, start=1):
        hear(body)
        if at * _PER_MESSAGE % _PER_BEAT == 0:
            publish()
    return len(bodies) * _PER_MESSAGE / (time.perf_counter() - began)


def run(options: Options, figures: Figures) -> None:
    """Measure all clients in turn."""
    logging.disable(logging.WARNING)
    updates = 10_000 if options.quick else 100_000
    for _ in range(options.rounds):
        ours = _Ours(50 if options.quick else 500)
        bodies = _bodies(ours.platform.owner, updates)
        clients: dict[str, _Ours | _Dict | _Gauges] = {
            "ours": ours,
            "dict": _Dict(),
            "gauges": _Gauges(),
        }
        for name, client in clients.items():
            figures.add(f"storm/{name}", _rate(bodies, client.hear, client.publish))
        figures.add("storm/statistics", len(ours.platform.owner))
        figures.add("storm/series", ours.size)
    logging.disable(logging.NOTSET)


def tables(options: Options, figures: Figures) -> list[str]:  # noqa: ARG001 - as all subjects
    """Return the results as Markdown."""
    lines = [
        f"Genesys updates of {figures['storm/statistics']:,.0f} statistics",
        f"({figures['storm/series']:,.0f} series)",
        "",
        "| client | updates a second |",
        "|---|---|",
        *(f"| {title} | {figures[f'storm/{name}']:,.0f} |" for name, title in _TITLES.items()),
    ]
    return ["\n".join(lines)]
