import re
from collections import Counter
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter import __version__
from exporter.exposition.encoding import Format
from exporter.exposition.page import Page
from exporter.metrics import families
from exporter.metrics.columns import Schema
from exporter.metrics.counters import Falls
from exporter.metrics.families import BASE_LABELS, FAMILIES, PREFIX, PROCESS_WIDE
from exporter.metrics.snapshot import Block, Snapshot
from exporter.status import Quota
from exporter.telemetry import MOST_QUOTAS, AccountTelemetry, Telemetry

NOON = 1_772_452_800.0


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry()


@pytest.fixture
def acme(telemetry: Telemetry) -> AccountTelemetry:
    return AccountTelemetry(telemetry, "five9", "acme")


def value(telemetry: Telemetry, family: families.Family, **labels: str) -> float | None:
    base = {} if family in PROCESS_WIDE else {"provider": "five9", "account": "acme"}
    return telemetry.registry.get_sample_value(family.name, {**base, **labels})


def body(telemetry: Telemetry, form: Format) -> str:
    buffers, _ = Page(telemetry.exposed_families(), 0.0).body(form, gzip=False)
    return b"".join(buffers).decode()


def snapshot(**options: Any) -> Snapshot:
    block = Block.render(families.QUEUE_AGENTS, [b'{queue="a"} ', b'{queue="b"} '], [1, 2])
    return Snapshot(
        "acme", "ACDStatus", {block.family.name: block}, NOON, NOON - 3, NOON + 30, **options
    )


def busy(acme: AccountTelemetry) -> None:
    acme.add_feeds({"ACDStatus": 12.0})
    acme.watch_up(lambda: True)
    acme.count_sign_in("ok")
    acme.count_request('get"\\\n', "ok", 0.3)
    acme.set_quotas([Quota("QueryStatistics", "minute", 2, 1)])
    acme.record_refresh(snapshot(falls=Falls(held=1), duplicates=2), 0.5)
    acme.record_failure("ACDStatus", "timeout", 30.0)
    acme.count_skipped("ACDStatus", 3)
    acme.record_schema("ACDStatus", Schema())
    acme.set_dropped("ACDStatus", 4)
    acme.count_duplicates("ACDStatus", 1)
    acme.telemetry.http_requests.labels("200").inc()
    acme.telemetry.reload_successful.set(1)
    acme.telemetry.reload_time.set(NOON)


@pytest.mark.parametrize("form", list(Format))
def test_reads_back(telemetry: Telemetry, acme: AccountTelemetry, form: Format) -> None:
    """The families are a valid exposition in both formats, with the same samples."""
    busy(acme)
    parse = parse_text if form is Format.TEXT else parse_openmetrics
    samples = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in parse(body(telemetry, form))
        for sample in family.samples
    }

    assert {
        (sample.name, *sorted(sample.labels.items()))
        for family in telemetry.registry.collect()
        for sample in family.samples
    } == set(samples)
    assert samples["contactcenter_exporter_build_info", ("version", __version__)] == 1


def test_every_own_family_is_in_the_vocabulary(
    telemetry: Telemetry, acme: AccountTelemetry
) -> None:
    """What is exposed under our prefix is declared, with that help, kind and labels."""
    busy(acme)
    shown = re.findall(
        rf"# HELP ({PREFIX}\w+) (.*)\n# TYPE \S+ (\w+)", body(telemetry, Format.TEXT)
    )

    assert [(FAMILIES[name].help, FAMILIES[name].kind) for name, _, _ in shown] == [
        (text, kind) for _, text, kind in shown
    ]
    for family in telemetry.registry.collect():
        for sample in family.samples:
            declared = FAMILIES.get(re.sub("_(bucket|count|sum)$", "", sample.name))
            if declared:
                base = () if declared in PROCESS_WIDE else BASE_LABELS
                assert {*base, *declared.labels} == {*sample.labels} - {"le"}


def test_no_created_twins(telemetry: Telemetry, acme: AccountTelemetry) -> None:
    """Counters have no _created twin, which would double their series."""
    busy(acme)

    assert "_created" not in body(telemetry, Format.TEXT)


def test_every_process_metric_is_there(telemetry: Telemetry) -> None:
    """The process, its platform and its garbage collector are told of."""
    text = body(telemetry, Format.TEXT)

    for name in ("process_cpu_seconds_total", "python_info", "python_gc_collections_total"):
        assert f"# TYPE {name} " in text


def test_registries_are_apart(telemetry: Telemetry, acme: AccountTelemetry) -> None:
    """Two processes' worth of telemetry in one do not share a series."""
    acme.watch_up(lambda: True)

    assert value(Telemetry(), families.UP) is None
    assert value(telemetry, families.UP) == 1


def test_starting(telemetry: Telemetry, acme: AccountTelemetry) -> None:
    """Before the first answer an account and its feeds are down, and its counters are zero."""
    acme.watch_up(lambda: False)
    acme.add_feeds({"ACDStatus": 12.0, "AgentState": 15.0})

    assert value(telemetry, families.UP) == 0
    assert value(telemetry, families.FEED_UP, feed="AgentState") == 0
    assert value(telemetry, families.FEED_INTERVAL, feed="AgentState") == 15
    assert value(telemetry, families.FEED_REFRESHES, feed="ACDStatus", outcome="ok") == 0
    assert value(telemetry, families.CORRECTIONS, feed="ACDStatus") == 0
    assert value(telemetry, families.DUPLICATES, feed="ACDStatus") == 0
    assert value(telemetry, families.SESSION_SIGNINS, outcome="ok") == 0


def test_refreshed(telemetry: Telemetry, acme: AccountTelemetry) -> None:
    """A refresh shows its duration, size and times, and adds to the counters."""
    for _ in range(2):
        acme.record_refresh(snapshot(falls=Falls(held=1), duplicates=2), 0.5)
    feed = {"feed": "ACDStatus"}

    assert value(telemetry, families.FEED_UP, **feed) == 1
    assert value(telemetry, families.FEED_DURATION, **feed) == 0.5
    assert value(telemetry, families.FEED_SAMPLES, **feed) == 2
    assert value(telemetry, families.FEED_LAST_SUCCESS, **feed) == NOON
    assert value(telemetry, families.FEED_SOURCE_TIME, **feed) == NOON - 3
    assert value(telemetry, families.FEED_REFRESHES, outcome="ok", **feed) == 2
    assert value(telemetry, families.CORRECTIONS, **feed) == 2
    assert value(telemetry, families.DUPLICATES, **feed) == 4


def test_no_time_of_the_platform(telemetry: Telemetry, acme: AccountTelemetry) -> None:
    """Where the platform does not tell its time none is shown."""
    acme.record_refresh(Snapshot("acme", "account", {}, NOON, None, NOON + 30), 0.5)

    assert value(telemetry, families.FEED_SOURCE_TIME, feed="account") is None


def test_failed(telemetry: Telemetry, acme: AccountTelemetry) -> None:
    """A failure takes the feed down, is counted by its reason, and leaves the last success."""
    acme.record_refresh(snapshot(), 0.5)
    acme.record_failure("ACDStatus", "timeout", 30.0)
    feed = {"feed": "ACDStatus"}

    assert value(telemetry, families.FEED_UP, **feed) == 0
    assert value(telemetry, families.FEED_DURATION, **feed) == 30
    assert value(telemetry, families.FEED_REFRESHES, outcome="timeout", **feed) == 1
    assert value(telemetry, families.FEED_LAST_SUCCESS, **feed) == NOON


def test_skipped(telemetry: Telemetry, acme: AccountTelemetry) -> None:
    """Refreshes that were left out are counted."""
    acme.count_skipped("ACDStatus", 3)

    assert value(telemetry, families.FEED_REFRESHES, feed="ACDStatus", outcome="skipped") == 3


def test_down(telemetry: Telemetry, acme: AccountTelemetry) -> None:
    """A feed that is not being read is down."""
    acme.record_refresh(snapshot(), 0.5)
    acme.set_feed_down("ACDStatus")

    assert value(telemetry, families.FEED_UP, feed="ACDStatus") == 0


def test_requested(telemetry: Telemetry, acme: AccountTelemetry) -> None:
    """A request is counted by operation and outcome, with its duration."""
    acme.count_request("getStatistics", "ok", 0.3)
    name = families.API_REQUEST_DURATION.name
    labels = {"provider": "five9", "account": "acme", "operation": "getStatistics"}

    assert value(telemetry, families.API_REQUESTS, operation="getStatistics", outcome="ok") == 1
    assert telemetry.registry.get_sample_value(f"{name}_bucket", {**labels, "le": "0.25"}) == 0
    assert telemetry.registry.get_sample_value(f"{name}_bucket", {**labels, "le": "0.5"}) == 1


def test_quota(telemetry: Telemetry, acme: AccountTelemetry) -> None:
    """A request limit and what is used of it are shown by window."""
    acme.set_quotas([Quota("QueryStatistics", "hour", 15, 4)])
    labels = {"operation": "QueryStatistics", "window": "hour"}

    assert value(telemetry, families.API_QUOTA_LIMIT, **labels) == 15
    assert value(telemetry, families.API_QUOTA_USED, **labels) == 4


def test_quotas_that_a_platform_names_without_end(
    telemetry: Telemetry, acme: AccountTelemetry
) -> None:
    """Only the limits of the last report are shown, and not more than a limit of them."""
    for report in range(3):
        acme.set_quotas(Quota(f"{report}-{number}", "hour", 15, 4) for number in range(1_000))

    for metric in (telemetry.api_quota_limit, telemetry.api_quota_used):
        names = [
            sample.labels["operation"] for family in metric.collect() for sample in family.samples
        ]
        assert names == [f"2-{number}" for number in range(MOST_QUOTAS)]
    assert len(acme.quotas) == MOST_QUOTAS
    acme.set_quotas([])
    assert value(telemetry, families.API_QUOTA_LIMIT, operation="2-0", window="hour") is None


def test_fitted(telemetry: Telemetry, acme: AccountTelemetry) -> None:
    """Strange and missing names are of the last answer; rejected cells add up."""
    schema = Schema(missing={"a", "b"}, rejected=Counter(x=2, y=1))
    schema.unmapped["column"] |= {"c"}
    acme.record_schema("ACDStatus", schema)
    acme.record_schema("ACDStatus", Schema(rejected=Counter(x=1)))

    assert value(telemetry, families.SCHEMA_REJECTED, table="ACDStatus") == 4
    assert value(telemetry, families.SCHEMA_MISSING, table="ACDStatus") == 0
    assert value(telemetry, families.SCHEMA_UNMAPPED, table="ACDStatus", kind="column") == 0


def test_signed_in(telemetry: Telemetry, acme: AccountTelemetry) -> None:
    """Sign-ins are counted by outcome."""
    acme.count_sign_in("auth")

    assert value(telemetry, families.SESSION_SIGNINS, outcome="auth") == 1


def test_retire(telemetry: Telemetry, acme: AccountTelemetry) -> None:
    """An account that leaves takes all of its series along, and no other's; later ones are lost."""
    other = AccountTelemetry(telemetry, "five9", "other")
    same_name = AccountTelemetry(telemetry, "genesys", "acme")
    for each in (acme, other, same_name):
        busy(each)
    acme.remove()
    busy(acme)
    left = {
        (sample.labels["provider"], sample.labels["account"])
        for family in telemetry.registry.collect()
        for sample in family.samples
        if "account" in sample.labels
    }

    assert left == {("five9", "other"), ("genesys", "acme")}
    again = AccountTelemetry(telemetry, "five9", "acme")
    again.count_sign_in("ok")
    assert value(telemetry, families.SESSION_SIGNINS, outcome="ok") == 1
