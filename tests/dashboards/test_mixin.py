"""Tests of the jsonnet mixin, rendered by jsonnet itself."""

import json
import subprocess
from pathlib import Path
from typing import Any

import _jsonnet
import build
import pytest
import yaml

from support.dashboards import BOARDS, RULES
from support.panels import DOCUMENTS
from support.programs import program
from support.scenarios import groups

_FIELDS = "{dashboards: m.grafanaDashboards, alerts: m.prometheusAlerts, rules: m.prometheusRules}"


def rendered(**config: str) -> Any:
    """Return the dashboards, alerts and rules of the mixin with a configuration."""
    mixin = f"(import '{BOARDS / 'mixin.libsonnet'}') + {{_config+:: {json.dumps(config)}}}"
    return json.loads(_jsonnet.evaluate_snippet("test", f"local m = {mixin}; {_FIELDS}"))


def all_groups(mixin: Any) -> list[Any]:
    """Return the groups of rules and of alerts, by name."""
    found = [*mixin["rules"]["groups"], *mixin["alerts"]["groups"]]
    return sorted(found, key=lambda group: str(group["name"]))


def by_name(folder: Path) -> list[Any]:
    """Return the groups of a folder's files, by name."""
    return sorted(groups(folder), key=lambda group: str(group["name"]))


def test_rules_and_dashboards_are_those_of_the_files() -> None:
    """Without a configuration the mixin holds every group and every dashboard as it is."""
    mixin = rendered()

    assert all_groups(mixin) == by_name(RULES)
    assert mixin["dashboards"] == {
        f"contactcenter-{name}.json": document for name, document in DOCUMENTS.items()
    }


def test_alerts_and_records_are_apart() -> None:
    """Alerts are in ``prometheusAlerts`` and recorded series in ``prometheusRules``."""
    mixin = rendered()

    for part, key in (("alerts", "alert"), ("rules", "record")):
        assert mixin[part]["groups"]
        assert all(key in rule for group in mixin[part]["groups"] for rule in group["rules"])


def test_the_label_is_where_build_puts_it(tmp_path: Path) -> None:
    """With a label, rules and dashboards are those that ``build.py --label`` writes."""
    assert build.main(["--label", "cluster", "--out", str(tmp_path)]) == 0
    mixin = rendered(label="cluster")

    assert all_groups(mixin) == by_name(tmp_path / "rules")
    for name in DOCUMENTS:
        written = json.loads((tmp_path / f"{name}.json").read_text(encoding="utf-8"))
        assert mixin["dashboards"][f"contactcenter-{name}.json"] == written


def test_selector_and_runbook_are_configured() -> None:
    """The exporter's targets and the runbook's address are those of the configuration."""
    mixin = rendered(selector='job="cc", region="eu"', runbookURL="https://wiki.example/cc")
    text = json.dumps(mixin)
    alerts = {rule["alert"]: rule for group in mixin["alerts"]["groups"] for rule in group["rules"]}

    assert alerts["ContactCenterExporterDown"]["expr"] == 'up{job="cc", region="eu"} == 0'
    assert ".*contactcenter.*" not in text
    assert "contactcenter-exporter.example" not in text
    for name, rule in alerts.items():
        url = rule["annotations"]["runbook_url"]
        assert url == f"https://wiki.example/cc#{name.lower()}"


def test_it_can_be_combined() -> None:
    """Rules, alerts and dashboards of another mixin are kept beside ours."""
    other = (
        "{grafanaDashboards+:: {'x.json': {}}, prometheusAlerts+:: {groups+: [{name: 'x'}]}, "
        "prometheusRules+:: {groups+: [{name: 'y'}]}}"
    )
    mixin = f"{other} + (import '{BOARDS / 'mixin.libsonnet'}')"
    both = json.loads(_jsonnet.evaluate_snippet("test", f"local m = {mixin}; {_FIELDS}"))

    assert len(both["dashboards"]) == len(DOCUMENTS) + 1
    assert len(all_groups(both)) == len(groups(RULES)) + 2


@pytest.mark.real
@pytest.mark.parametrize("label", ["", "env"])
def test_promtool_accepts_the_rules(label: str, tmp_path: Path) -> None:
    """Promtool finds nothing to say of what jsonnet renders."""
    mixin = rendered(label=label)
    files = []
    for part in ("rules", "alerts"):
        files.append(tmp_path / f"{part}.yml")
        files[-1].write_text(yaml.safe_dump(mixin[part]), encoding="utf-8")
    command = [
        program("promtool"),
        "check",
        "rules",
        "--lint=all",
        "--lint-fatal",
        *map(str, files),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)

    assert (done.returncode, done.stderr) == (0, "")
