"""Scenarios of alerts in short notation, converted to promtool's unit tests of rules.

A scenario has series and says which alerts fire and which are silent at an instant. What the rules
themselves say about an alert (severity, summary, runbook) is filled in from the rules, so that a
scenario states only what it is about: the labels of the object and the description.
"""

import subprocess
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from support.programs import program

PREFIX = "ContactCenter"
OWN = {"provider": "p", "account": "a"}
_INTERVAL = "30s"

Rule = dict[str, Any]


@cache
def groups(folder: Path) -> list[Rule]:
    """Return the groups of every rule file of a folder."""
    files = sorted(folder.glob("*.rules.yml"))
    return [
        group
        for file in files
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]
    ]


def rules(folder: Path) -> list[Rule]:
    """Return the rules of every rule file of a folder."""
    return [rule for group in groups(folder) for rule in group["rules"]]


def alerts(folder: Path) -> dict[str, Rule]:
    """Return the alerts of a folder by name."""
    found = [rule for rule in rules(folder) if "alert" in rule]
    by_name = {rule["alert"]: rule for rule in found}
    assert len(by_name) == len(found), "two alerts have one name"
    return by_name


def scenarios(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the scenarios of every file of a folder, by the file's name."""
    return {
        file.stem: yaml.safe_load(file.read_text(encoding="utf-8"))
        for file in sorted(folder.glob("*.yml"))
    }


def judge(scenarios: Iterable[dict[str, Any]], rules: Path, folder: Path) -> None:
    """Test scenarios with promtool against a folder of rules, all in one run.

    ``folder`` holds the files that it reads: one for each interval of evaluation.
    """
    done = run(written(scenarios, rules, folder))
    assert done.returncode == 0, done.stdout + done.stderr


def run(files: Iterable[Path]) -> subprocess.CompletedProcess[str]:
    """Run promtool on files of tests."""
    command = [program("promtool"), "test", "rules", *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=250)


def written(scenarios: Iterable[dict[str, Any]], rules: Path, folder: Path) -> list[Path]:
    """Write scenarios in promtool's form, a file for each interval of evaluation."""
    by_interval: dict[str, list[dict[str, Any]]] = {}
    for scenario in scenarios:
        evaluation = scenario.get("evaluation", scenario.get("interval", _INTERVAL))
        by_interval.setdefault(evaluation, []).append(_test(scenario, rules))
    # Promtool evaluates groups in any order unless told one: what is recorded comes first.
    order = sorted((group["name"] for group in groups(rules)), key=lambda name: "-rec" not in name)
    files = []
    for evaluation, tests in by_interval.items():
        files.append(folder / f"{evaluation}.yml")
        document = {
            "rule_files": [str(file) for file in _files(tests, rules)],
            "evaluation_interval": evaluation,
            "group_eval_order": order,
            "tests": tests,
        }
        files[-1].write_text(yaml.safe_dump(document), encoding="utf-8")
    return files


def _files(tests: Iterable[dict[str, Any]], folder: Path) -> list[Path]:
    """Return the files with the alerts and records that tests name, and with what these read."""
    text = {file: file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.rules.yml"))}
    home = {
        rule.get("alert") or rule["record"]: file
        for file in text
        for group in yaml.safe_load(text[file])["groups"]
        for rule in group["rules"]
    }
    needed = {home[alert["alertname"]] for test in tests for alert in test["alert_rule_test"]}
    asked = " ".join(record["expr"] for test in tests for record in test["promql_expr_test"])
    needed |= {file for name, file in home.items() if name in asked}
    while (
        more := {
            file for name, file in home.items() if any(name in text[reader] for reader in needed)
        }
        - needed
    ):
        needed |= more
    return sorted(needed)


def _test(scenario: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return promtool's own form of a scenario."""
    own = {} if scenario.get("bare") else OWN
    known = alerts(folder)
    test = {
        "name": scenario["name"],
        "interval": scenario.get("interval", _INTERVAL),
        "input_series": [
            {"series": _with(series, own), "values": str(values)}
            for series, values in scenario["series"].items()
        ],
        "promql_expr_test": [
            _record(at, what, value)
            for at, values in scenario.get("records", {}).items()
            for what, value in values.items()
        ],
        "alert_rule_test": [
            {"eval_time": at, "alertname": PREFIX + name, "exp_alerts": []}
            for at, names in scenario.get("silent", {}).items()
            for name in names
        ],
    }
    for at, expected in scenario.get("firing", {}).items():
        for name in dict.fromkeys(each["alert"] for each in expected):
            wanted = [
                _alert(each, known[PREFIX + name], own)
                for each in expected
                if each["alert"] == name
            ]
            test["alert_rule_test"].append(
                {"eval_time": at, "alertname": PREFIX + name, "exp_alerts": wanted}
            )
    return test


def _with(series: str, own: dict[str, str]) -> str:
    """Add the labels of the account to a series that has none."""
    name, _, rest = series.removesuffix("}").partition("{")
    bare = 'account="' in rest or name.startswith("contactcenter_exporter_")
    mine = [] if bare else [f'{label}="{value}"' for label, value in own.items()]
    return f"{name}{{{','.join([*mine, *([rest] if rest else [])])}}}"


def _record(at: str, what: str, value: float) -> dict[str, Any]:
    """Make an expectation of ``series`` or of ``expression => labels``."""
    expression, _, labels = what.partition(" => ")
    sample = {"labels": labels or expression, "value": value}
    return {"expr": expression, "eval_time": at, "exp_samples": [sample]}


def _alert(expected: dict[str, Any], rule: Rule, own: dict[str, str]) -> dict[str, Any]:
    labels = {key: value for key, value in expected.items() if key not in ("alert", "description")}
    annotations = {**rule["annotations"], "description": expected["description"]}
    return {"exp_labels": {**rule["labels"], **own, **labels}, "exp_annotations": annotations}
