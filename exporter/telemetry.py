"""The exporter's own metrics, for the process and for each account."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import prometheus_client as prom
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from exporter import __version__
from exporter.exposition.page import ExposedFamily, parse_exposition
from exporter.logs import dropped_lines
from exporter.metrics import families
from exporter.metrics.columns import Schema
from exporter.metrics.families import BASE_LABELS, PROCESS_WIDE, Family
from exporter.metrics.snapshot import Snapshot
from exporter.status import Quota

M = TypeVar("M", prom.Gauge, prom.Counter, prom.Histogram)
MOST_QUOTAS = 50  # series of one account
# Reasons for which a connection is closed without a response.
_REFUSALS = (
    "certificate",  # none of the names in the client's certificate is allowed
    "handshake",  # the TLS handshake failed, or was not complete in time
    "not_accepted",  # no file descriptor was left
    "pipelining",  # too many requests before the response to the first
    "silent",  # no request in time
    "slow_reader",  # the client took too little of a response
    "too_many",  # it made room for a new connection
)
_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Telemetry:
    """The registry of the exporter's own metric families; one per process."""

    def __init__(self) -> None:
        prom.disable_created_metrics()  # type: ignore[no-untyped-call]  # noisy twins
        self.registry = prom.CollectorRegistry()
        for collector in (prom.ProcessCollector, prom.PlatformCollector, prom.GCCollector):
            collector(registry=self.registry)
        self._of_accounts: list[prom.Gauge | prom.Counter | prom.Histogram] = []
        gauge = partial(self._metric, prom.Gauge)
        counter = partial(self._metric, prom.Counter)
        self.up = gauge(families.UP)
        self.feed_up = gauge(families.FEED_UP)
        self.feed_interval = gauge(families.FEED_INTERVAL)
        self.feed_duration = gauge(families.FEED_DURATION)
        self.feed_samples = gauge(families.FEED_SAMPLES)
        self.feed_last_success = gauge(families.FEED_LAST_SUCCESS)
        self.feed_source_time = gauge(families.FEED_SOURCE_TIME)
        self.feed_refreshes = counter(families.FEED_REFRESHES)
        self.session_signins = counter(families.SESSION_SIGNINS)
        self.api_requests = counter(families.API_REQUESTS)
        self.api_quota_limit = gauge(families.API_QUOTA_LIMIT)
        self.api_quota_used = gauge(families.API_QUOTA_USED)
        self.schema_unmapped = gauge(families.SCHEMA_UNMAPPED)
        self.schema_rejected = counter(families.SCHEMA_REJECTED)
        self.schema_missing = gauge(families.SCHEMA_MISSING)
        self.corrections = counter(families.CORRECTIONS)
        self.totals_held = gauge(families.TOTALS_HELD)
        self.duplicates = counter(families.DUPLICATES)
        self.outdated = counter(families.OUTDATED)
        self.replaced = counter(families.REPLACED)
        self.labels_cut = gauge(families.LABELS_CUT)
        self.series_dropped = gauge(families.SERIES_DROPPED)
        self.http_requests = counter(families.HTTP_REQUESTS)
        self.http_refused = counter(families.HTTP_REFUSED)
        for reason in _REFUSALS:
            self.http_refused.labels(reason)
        self.reload_successful = gauge(families.RELOAD_SUCCESSFUL)
        self.reload_time = gauge(families.RELOAD_TIME)
        self.web_reload_successful = gauge(families.WEB_RELOAD_SUCCESSFUL)
        self.web_reload_successful.set(1)
        duration = families.API_REQUEST_DURATION
        self.api_request_duration = self._metric(prom.Histogram, duration, buckets=_BUCKETS)
        self.registry.register(_ReadMetric(families.LOG_LINES_DROPPED, dropped_lines))
        gauge(families.BUILD_INFO).labels(__version__).set(1)

    def _metric(self, kind: type[M], family: Family, **options: Any) -> M:
        labels = family.labels if family in PROCESS_WIDE else (*BASE_LABELS, *family.labels)
        metric = kind(family.name, family.help, labels, registry=self.registry, **options)
        if family not in PROCESS_WIDE:
            self._of_accounts.append(metric)
        return metric

    def remove_account(self, provider: str, account: str) -> None:
        """Remove every series of an account."""
        own = dict(zip(BASE_LABELS, (provider, account), strict=True))
        for metric in self._of_accounts:
            metric.remove_by_labels(own)

    def count_refusal(self, reason: str) -> None:
        """Count a request refused with an HTTP status, or a connection closed without one."""
        family = self.http_requests if reason.isdigit() else self.http_refused
        family.labels(reason).inc()

    def watch_objectives(self, unmatched: Callable[[], int | None]) -> None:
        """Export the number of objectives that match no live object, once it is known."""
        self.registry.register(_ReadMetric(families.OBJECTIVES_UNMATCHED, unmatched))

    def exposed_families(self) -> list[ExposedFamily]:
        """Return every family with its current values."""
        return parse_exposition(prom.generate_latest(self.registry).decode())


@dataclass(frozen=True, slots=True)
class _ReadMetric(Collector):
    """A gauge or counter whose value is read for every page; absent while it is ``None``."""

    family: Family
    value: Callable[[], int | None]

    def collect(self) -> Iterator[prom.Metric]:
        value = self.value()
        kind = CounterMetricFamily if self.family.kind == "counter" else GaugeMetricFamily
        if value is not None:
            yield kind(self.family.name, self.family.help, value)


class AccountTelemetry:
    """The metrics of one account, labelled with its ``provider`` and ``account``.

    Used from the event loop; ``set_dropped`` and ``count_duplicates`` from any thread.
    """

    def __init__(self, telemetry: Telemetry, provider: str, account: str) -> None:
        self.telemetry = telemetry
        self.provider = provider
        self.account = account
        self.quotas: tuple[Quota, ...] = ()  # of the platform's last report
        self._replaced = 0  # characters since the last refresh of any feed
        self._lock = threading.Lock()

    def remove(self) -> None:
        """Remove the account's series; what is recorded after that is not exported."""
        with self._lock:
            exported, self.telemetry = self.telemetry, Telemetry()
        exported.remove_account(self.provider, self.account)

    def add_feeds(self, intervals: Mapping[str, float]) -> None:
        """Export the feeds as down; ``intervals`` are seconds by feed."""
        own = self._own
        for feed, interval in intervals.items():
            self.telemetry.feed_up.labels(*own, feed).set(0)
            self.telemetry.feed_interval.labels(*own, feed).set(interval)
            self.telemetry.feed_refreshes.labels(*own, feed, "ok")
            self.telemetry.corrections.labels(*own, feed)
            self.telemetry.duplicates.labels(*own, feed)
            self.telemetry.replaced.labels(*own, feed)
        self.telemetry.session_signins.labels(*own, "ok")

    def watch_up(self, is_up: Callable[[], bool]) -> None:
        """Export whether the account is up; ``is_up`` is called from any thread."""
        self.telemetry.up.labels(*self._own).set_function(is_up)

    def count_sign_in(self, outcome: str) -> None:
        """Count a sign-in."""
        self.telemetry.session_signins.labels(*self._own, outcome).inc()

    def count_request(self, operation: str, outcome: str, seconds: float) -> None:
        """Count a request to the platform and its duration."""
        self.telemetry.api_requests.labels(*self._own, operation, outcome).inc()
        self.telemetry.api_request_duration.labels(*self._own, operation).observe(seconds)

    def count_replaced(self, characters: int) -> None:
        """Count replaced characters of an answer, for the feed whose refresh is recorded next."""
        self._replaced += characters

    def _record_replaced(self, feed: str) -> None:
        self.telemetry.replaced.labels(*self._own, feed).inc(self._replaced)
        self._replaced = 0

    def set_quotas(self, quotas: Iterable[Quota]) -> None:
        """Set the request limits of the platform's last report, up to ``MOST_QUOTAS`` of them.

        Those of an earlier report that are not in this one are removed.
        """
        latest = {(quota.operation, quota.window): quota for quota in quotas}
        latest = dict([*latest.items()][:MOST_QUOTAS])
        limits, used = self.telemetry.api_quota_limit, self.telemetry.api_quota_used
        for key in {(quota.operation, quota.window) for quota in self.quotas} - latest.keys():
            limits.remove(*self._own, *key)
            used.remove(*self._own, *key)
        for key, quota in latest.items():
            limits.labels(*self._own, *key).set(quota.limit)
            used.labels(*self._own, *key).set(quota.used)
        self.quotas = tuple(latest.values())

    def record_refresh(self, snapshot: Snapshot, seconds: float) -> None:
        """Record a successful refresh that took this many seconds."""
        own, feed = self._own, snapshot.feed
        self.telemetry.feed_up.labels(*own, feed).set(1)
        self.telemetry.feed_duration.labels(*own, feed).set(seconds)
        self.telemetry.feed_samples.labels(*own, feed).set(snapshot.size)
        self.telemetry.feed_last_success.labels(*own, feed).set(snapshot.taken_at)
        if snapshot.source_at is not None:
            self.telemetry.feed_source_time.labels(*own, feed).set(snapshot.source_at)
        self.telemetry.feed_refreshes.labels(*own, feed, "ok").inc()
        self.telemetry.corrections.labels(*own, feed).inc(snapshot.falls.held)
        self.telemetry.totals_held.labels(*own, feed).set(snapshot.falls.held)
        self.telemetry.duplicates.labels(*own, feed).inc(snapshot.duplicates)
        self.telemetry.labels_cut.labels(*own, feed).set(snapshot.cut)
        self._record_replaced(feed)

    def record_failure(self, feed: str, reason: str, seconds: float) -> None:
        """Record a failed refresh that took this many seconds."""
        self.telemetry.feed_up.labels(*self._own, feed).set(0)
        self.telemetry.feed_duration.labels(*self._own, feed).set(seconds)
        self.telemetry.feed_refreshes.labels(*self._own, feed, reason).inc()
        self._record_replaced(feed)

    def count_no_data(self, feed: str, reason: str) -> None:
        """Count a refresh for which the platform had no data yet."""
        self.telemetry.feed_refreshes.labels(*self._own, feed, reason).inc()

    def count_skipped(self, feed: str, refreshes: int) -> None:
        """Count refreshes that were due and left out because the account was busy."""
        self.telemetry.feed_refreshes.labels(*self._own, feed, "skipped").inc(refreshes)

    def set_feed_down(self, feed: str) -> None:
        """Set that a feed is not being read, as there is no session."""
        self.telemetry.feed_up.labels(*self._own, feed).set(0)

    def record_schema(self, table: str, schema: Schema) -> None:
        """Record the unmapped and missing columns and the rejected cells of a table."""
        own = self._own
        for kind, words in schema.unmapped.items():
            self.telemetry.schema_unmapped.labels(*own, table, kind).set(len(words))
        self.telemetry.schema_missing.labels(*own, table).set(schema.missing_columns)
        self.telemetry.schema_rejected.labels(*own, table).inc(schema.rejected_cells)

    def count_outdated(self, feed: str, values: int = 1) -> None:
        """Count values that were older than those they were to replace."""
        self.telemetry.outdated.labels(*self._own, feed).inc(values)

    def set_dropped(self, feed: str, series: int) -> None:
        """Set how many series of a feed are above the account's limit."""
        with self._lock:
            self.telemetry.series_dropped.labels(*self._own, feed).set(series)

    def count_duplicates(self, feed: str, series: int) -> None:
        """Count series that another feed of the account exports already."""
        with self._lock:
            self.telemetry.duplicates.labels(*self._own, feed).inc(series)

    @property
    def _own(self) -> tuple[str, str]:
        return self.provider, self.account
