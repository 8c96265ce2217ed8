"""Tests of the recording rules and alerts with promtool: when they fire."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.dashboards import ROOT, RULES, metric_names, unknown_metrics
from support.programs import program
from support.scenarios import PREFIX, alerts, judge, rules, scenarios

FILES = scenarios(Path(__file__).parent / "rules")
SCENARIOS = [scenario for file in FILES.values() for scenario in file]
ALERTS = alerts(RULES)
RUNBOOK = (ROOT / "dashboards" / "runbook.md").read_text(encoding="utf-8")
# level:metric:operations; the metric is one of ours, or what is made of several.
RECORDED = re.compile(
    r"account(_queue|_campaign|_feed)?(_state|_level)?:contactcenter_\w+:[a-z0-9]+"
)


def named(scenario: dict[str, Any], kind: str) -> set[str]:
    """Return the alerts that a scenario expects to be ``firing`` or ``silent``."""
    found = [each for at in scenario.get(kind, {}).values() for each in at]
    return {PREFIX + (each["alert"] if isinstance(each, dict) else each) for each in found}


@pytest.mark.real
@pytest.mark.parametrize("file", FILES)
def test_scenarios(file: str, tmp_path: Path) -> None:
    """In each scenario of a file exactly its alerts fire, with its labels and its words."""
    judge(FILES[file], RULES, tmp_path)


@pytest.mark.parametrize("kind", ["firing", "silent"])
def test_every_alert_has_scenarios(kind: str) -> None:
    """No alert is without a scenario in which it fires, and one in which it must not."""
    assert set(ALERTS) - {name for each in SCENARIOS for name in named(each, kind)} == set()


@pytest.mark.real
def test_promtool_likes_the_rules() -> None:
    """Promtool finds nothing to say of the rule files, its lint included."""
    files = [str(file) for file in sorted(RULES.glob("*.rules.yml"))]
    command = [program("promtool"), "check", "rules", "--lint=all", "--lint-fatal", *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_keeps_to_hours(name: str) -> None:
    """What is said of queues, agents and campaigns is said within their hours."""
    rule = ALERTS[name]
    if rule["labels"]["subsystem"] in ("queues", "agents", "campaigns"):
        made_of = {x["record"]: metric_names(x["expr"]) for x in rules(RULES) if "record" in x}
        read = metric_names(rule["expr"])
        for _ in range(3):  # a record may be made of records
            read = read.union(*(made_of.get(metric, set()) for metric in read))
        assert any("_open:" in metric for metric in read), name


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_is_complete(name: str) -> None:
    """An alert has a severity, a subsystem, a wait, and says what is the matter."""
    rule = ALERTS[name]

    assert name.startswith(PREFIX)
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert rule["labels"]["subsystem"] in ("queues", "agents", "campaigns", "account", "exporter")
    assert re.fullmatch(r"\d+m", rule["for"])
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert "{{" not in rule["annotations"]["summary"]
    assert rule["annotations"]["summary"].endswith(".")
    assert rule["annotations"]["description"].endswith(".")


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_has_a_runbook_section(name: str) -> None:
    """The link of an alert leads to its section: what it means, what to check, how to silence."""
    anchor = ALERTS[name]["annotations"]["runbook_url"].partition("#")[2]
    sections = {title.lower(): text for title, text in _sections().items()}

    assert anchor == name.lower()
    text = sections[anchor]
    assert [
        word for word in ("**Means:**", "**Check first:**", "**Silence:**") if word not in text
    ] == []


def test_the_runbook_has_no_section_of_an_alert_that_is_gone() -> None:
    """Every section about an alert is about one that exists."""
    assert {title for title in _sections() if title.startswith(PREFIX)} == set(ALERTS)


def _sections() -> dict[str, str]:
    parts = re.split(r"^### (.+)$", RUNBOOK, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("rule", rules(RULES), ids=lambda rule: rule.get("alert") or rule["record"])
def test_names_in_an_expression_exist(rule: dict[str, Any]) -> None:
    """Every metric of an expression is one of the vocabulary or is recorded by another rule."""
    assert metric_names(rule["expr"])
    assert unknown_metrics(rule["expr"]) == set()


def test_recorded_names_follow_the_convention() -> None:
    """A recorded series is named level:metric:operations."""
    recorded = [rule["record"] for rule in rules(RULES) if "record" in rule]

    assert len(recorded) == len(set(recorded)) > 20
    assert [name for name in recorded if not RECORDED.fullmatch(name)] == []


def test_every_recorded_series_is_used() -> None:
    """Nothing is recorded that no other rule reads."""
    found = rules(RULES)
    read = {name for rule in found for name in metric_names(rule["expr"])}

    assert {rule["record"] for rule in found if "record" in rule} - read == set()


@pytest.mark.parametrize("rule", rules(RULES), ids=lambda rule: rule.get("alert") or rule["record"])
def test_replicas_are_reduced_before_anything_is_summed(rule: dict[str, Any]) -> None:
    """No sum takes a figure as scraped; counters of the exporter's own work may add up."""
    raw = re.findall(r"sum by \([^)]*\) \(\s*(?:increase\()?(contactcenter_\w+)", rule["expr"])

    own = ("contactcenter_api_requests_total", "contactcenter_session_signins_total")
    assert [name for name in raw if name not in own] == []
