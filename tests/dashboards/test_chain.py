"""End to end: simulated platforms, exporter, Prometheus with our rules, Alertmanager, receiver.

What is shortened is said in ``support.stack``; everything else is as it is shipped.
"""

import re
import time
from typing import Any

import pytest

from support.dashboards import RULES
from support.panels import DOCUMENTS, Target, targets
from support.scenarios import rules
from support.stack import Stack, until

_ACCOUNT = "demo-brightpattern"  # its platform tells of changes within seconds
_PATHS = ("/statsapi", "/configapi")  # of that platform
_DEPTH = ("ContactCenterQueueDepthHigh", "ContactCenterQueueDepthCritical")
_SETTLES = 45.0  # seconds for the first figures of every kind
# Queries without an answer in the demo, and why. Every other one must have data; a panel with
# several queries must have some in any case.
REASONS = {
    **{
        (board, "Accounts", ref): "no account of the demo is missing"
        for board in DOCUMENTS
        for ref in "AB"
    },
    **{
        ("wallboard", title, ref): "one of three colours has it, and one of two units"
        for title in ("Longest wait", "Longest waits")
        for ref in "ABCDEF"
    },
    ("queues", "Contacts offered, and a week ago", "B"): "the demo is no week old",
    ("exporter", "Answers of the exporter", "B"): "no connection is refused",
    ("wallboard", "Waiting by queue", "A"): "no queue is that full before it is made so",
    ("wallboard", "Waiting by queue", "B"): "no queue is that full before it is made so",
    ("wallboard", "Waiting by queue", "C"): "every queue may be over its limit",
}
RECORDED_REASONS = {
    "account_campaign:contactcenter_campaign_abandoned:ratio1h": "a small demo dials too little",
    "account:contactcenter_contacts_expected:increase15m": "the demo is no week old",
}

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]


def as_grafana_sends(expression: str, queue: str, campaign: str) -> str:
    """Return a query with Grafana's variables filled in: everything, or one queue or campaign."""
    filled = expression.replace("$__rate_interval", "20s")
    filled = filled.replace("$__range", "5m").replace("$__interval", "5s")
    filled = re.sub(r"\$(provider|account)\b", ".*", filled)
    return re.sub(r"\$campaign\b", campaign, re.sub(r"\$queue\b", queue, filled))


def answers(stack: Stack, target: Target) -> bool:
    """Return whether a query has data, for all objects or, where lines would crowd, for one."""
    chosen = ((".*", ".*"), ("Support", "Win-back"))
    return any(stack.query(as_grafana_sends(target.expression, *names)) for names in chosen)


def test_every_query_of_every_panel_has_data(stack: Stack) -> None:
    """No query is refused, and each panel shows something under the demo, or it is said why not."""
    missing = list(targets())
    end = time.monotonic() + _SETTLES
    while True:
        missing = [target for target in missing if not answers(stack, target)]
        if {target[:3] for target in missing} <= set(REASONS) or time.monotonic() > end:
            break
        time.sleep(1)
    dark = {target[:3] for target in missing}

    assert dark - set(REASONS) == set()
    lit = {target[:2] for target in targets() if target[:3] not in dark}
    assert {target[:2] for target in targets()} - lit == set()


def test_every_rule_runs(stack: Stack) -> None:
    """No expression is refused, no rule fails as Prometheus evaluates it, and records are made."""
    for rule in rules(RULES):
        stack.query(rule["expr"])
    recorded = {rule["record"] for rule in rules(RULES) if "record" in rule}

    def missing() -> set[str]:
        return {name for name in recorded if not stack.query(name)} - set(RECORDED_REASONS)

    until(lambda: not missing(), "every recorded series is there", _SETTLES)
    assert {rule["health"] for rule in stack.rules()} == {"ok"}


def test_an_overload_is_told_and_its_end(stack: Stack) -> None:
    """Contacts that pour in at lunch-time reach a person as an alert, and so does their end."""
    queue = overload(stack, "Support")
    told = until(lambda: depth_alerts(stack, queue, "firing"), "the alert is told")[0]

    labels = dict(told["labels"])
    name = labels.pop("alertname")
    assert labels == {
        "provider": "brightpattern",
        "account": _ACCOUNT,
        "queue": queue,
        "severity": "critical" if name.endswith("Critical") else "warning",
        "subsystem": "queues",
    }
    assert re.match(
        r"\d+ contacts wait in Support of demo-brightpattern\.", told["annotations"]["description"]
    )
    assert told["annotations"]["runbook_url"].endswith("#" + name.lower())
    assert told["receiver"] == "operations"

    stack.drive("drain")
    until(
        lambda: stack.told.find(name, "resolved", account=_ACCOUNT, queue=queue),
        "its end is told",
    )


def test_an_account_that_is_down_holds_its_queue_alerts_back(stack: Stack) -> None:
    """While an account does not answer, Alertmanager suppresses the alerts of its queues alone."""
    queue = overload(stack, "Sales")
    until(lambda: depth_alerts(stack, queue, "firing"), "the alert is told")
    for prefix in _PATHS:
        stack.drive("fail", prefix=prefix)
    told = until(
        lambda: stack.told.find("ContactCenterAccountUnreachable", "firing", account=_ACCOUNT),
        "the account's own alert is told",
    )[0]

    def suppressed() -> list[dict[str, Any]]:
        return [
            alert
            for alert in stack.alerts()
            if alert["labels"]["alertname"] in _DEPTH
            and alert["labels"]["queue"] == queue
            and told["fingerprint"] in alert["status"]["inhibitedBy"]
        ]

    assert (
        until(suppressed, "the queue's alert is suppressed")[0]["status"]["state"] == "suppressed"
    )
    others = [
        alert
        for alert in stack.alerts()
        if alert["labels"].get("account") != _ACCOUNT
        and told["fingerprint"] in alert["status"]["inhibitedBy"]
    ]
    assert others == []


def depth_alerts(stack: Stack, queue: str, status: str) -> list[dict[str, Any]]:
    """Return what was told of a queue's depth; which of two limits it is depends on the demo's."""
    return [
        alert
        for name in _DEPTH
        for alert in stack.told.find(name, status, account=_ACCOUNT, queue=queue)
    ]


def overload(stack: Stack, queue: str) -> str:
    """Send far more contacts to a queue than its limit and its ready agents allow."""
    where = f'{{account="{_ACCOUNT}", queue="{queue}"'

    def figure(name: str, more: str = "") -> float:
        (found,) = until(lambda: stack.query(f"max by (queue) ({name}{where}{more}}})"), name)
        return float(found["value"][1])

    limit = figure("contactcenter_queue_waiting_limit", ', level="warning"')
    ready = figure("contactcenter_queue_agents", ', state="ready"')
    stack.drive("surge", queue=queue, contacts=int(limit + ready) + 40)
    return queue
