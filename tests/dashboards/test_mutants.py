"""Tests of the scenarios: every change of an alert is noticed by one of them."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.dashboards import RULES
from support.mutants import mutants
from support.scenarios import PREFIX, alerts, run, scenarios, written

FILES = scenarios(Path(__file__).parent / "rules")
SCENARIOS = [scenario for file in FILES.values() for scenario in file]
ALERTS = alerts(RULES)


def about(alert: str) -> list[dict[str, Any]]:
    """Return the scenarios that say when an alert fires or is silent, with nothing of others."""
    name = alert.removeprefix(PREFIX)
    found = []
    for scenario in SCENARIOS:
        firing = {
            at: kept
            for at, expected in scenario.get("firing", {}).items()
            if (kept := [x for x in expected if x["alert"] == name])
        }
        silent = {at: [name] for at, names in scenario.get("silent", {}).items() if name in names}
        if firing or silent:
            found.append({**scenario, "firing": firing, "silent": silent, "records": {}})
    return found


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.timeout(900)  # scenarios of weeks take promtool seconds for each mutant
@pytest.mark.parametrize("alert", ALERTS)
def test_a_changed_alert_is_noticed(alert: str, tmp_path: Path) -> None:
    """With any mutant of an alert in its place, a scenario of it fails."""
    rules = tmp_path / "rules"
    shutil.copytree(RULES, rules)
    tests = written(about(alert), rules, tmp_path)
    (file,) = [file for file in rules.iterdir() if f"alert: {alert}\n" in file.read_text()]
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert run(tests).returncode == 0
    left = []
    for mutant in mutants(ALERTS[alert]):
        for group in document["groups"]:
            group["rules"] = [
                mutant.rule if rule.get("alert") == alert else rule for rule in group["rules"]
            ]
        file.write_text(json.dumps(document), encoding="utf-8")  # JSON is YAML, and written faster
        for test in tests:  # the first that fails is enough
            done = run([test])
            if done.returncode:
                assert "exp:" in done.stdout + done.stderr, done
                break
        else:
            left.append(mutant.what)

    assert left == []
