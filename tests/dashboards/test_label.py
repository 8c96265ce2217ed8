"""Tests of rules, dashboards and Alertmanager's sample with one more label of accounts."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import build
import pytest
import yaml

from support.dashboards import BOARDS, RULES
from support.expressions import clauses, matchers
from support.scenarios import alerts, judge, rules, scenarios

FILES = scenarios(Path(__file__).parent / "rules")
_UNSAID = "unsaid"  # in place of descriptions
# Labels of one object; what is grouped by none of them is a sum over all that is chosen.
_OBJECTS = {"provider", "account", "instance", "job"}


def written(folder: Path, label: str = "env") -> Path:
    """Write everything with the label, and return the folder."""
    assert build.main(["--label", label, "--out", str(folder)]) == 0
    return folder


@pytest.mark.parametrize("label", ["env", "cluster"])
def test_every_rule_keeps_the_label(label: str, tmp_path: Path) -> None:
    """No aggregation drops the label, and no match of two vectors leaves it out."""
    found = rules(written(tmp_path, label) / "rules")

    assert len(found) == len(rules(RULES))
    for rule in found:
        for word, labels in clauses(rule["expr"]):
            assert (label in labels) == (word in ("by", "on")), rule["expr"]


def test_rules_differ_in_nothing_else(tmp_path: Path) -> None:
    """Without the label's name in their clauses the rules are the ones without a label."""
    for rule, plain in zip(rules(written(tmp_path) / "rules"), rules(RULES), strict=True):
        lists = [[name for name in labels if name != "env"] for _, labels in clauses(rule["expr"])]
        assert lists == [labels for _, labels in clauses(plain["expr"])]
        assert [rule.get(key) for key in ("alert", "record", "for", "labels")] == [
            plain.get(key) for key in ("alert", "record", "for", "labels")
        ]


def test_every_alert_names_the_label(tmp_path: Path) -> None:
    """The description of an alert holds the value of the label."""
    for name, rule in alerts(written(tmp_path) / "rules").items():
        assert "$labels.env" in rule["annotations"]["description"], name
        assert "env" not in rule["annotations"]["runbook_url"]


def test_inhibitions_and_groups_keep_the_label(tmp_path: Path) -> None:
    """Alertmanager neither groups nor inhibits across two values of the label."""
    text = (written(tmp_path) / "alertmanager.yml").read_text(encoding="utf-8")
    sample = yaml.safe_load(text)
    routes = [sample["route"], *sample["route"]["routes"]]

    assert all("env" in route["group_by"] for route in routes if "group_by" in route)
    assert all("env" in rule["equal"] for rule in sample["inhibit_rules"])


@pytest.mark.parametrize("board", sorted(BOARDS.glob("*.json")), ids=lambda file: file.stem)
def test_every_dashboard_keeps_the_label(board: Path, tmp_path: Path) -> None:
    """What is shown by account or exporter is shown by the label too, and chosen by it."""
    text = (written(tmp_path) / board.name).read_text(encoding="utf-8")
    document = json.loads(text)
    for target in queries(document):
        for word, labels in clauses(target["expr"]):
            if _OBJECTS & {*labels}:
                assert ("env" in labels) == (word in ("by", "on")), target["expr"]
        for name, chosen in matchers(target["expr"]):
            if "provider" in chosen or "job" in chosen:
                assert chosen.get("env") == "$env", name
        legend = target.get("legendFormat", "")
        assert ("{{env}}" in legend) == ("{{account}}" in legend or "{{instance}}" in legend)
    source, label, *others = document["templating"]["list"]

    assert (source["name"], label["name"], others[0]["name"]) == ("datasource", "env", "provider")
    assert label["query"]["query"] == "label_values(contactcenter_up, env)"
    assert all("env=~'$env'" in variable["query"]["query"] for variable in others)
    assert "LABEL" not in text
    for address in re.findall(r'"url": "(/d/[^"]*)"', text):
        assert address.count("var-env=${__data.fields.env}") == 1, address


def queries(document: Any) -> list[dict[str, Any]]:
    """Return every object with an expression in a document, however deep."""
    if isinstance(document, list):
        return [found for value in document for found in queries(value)]
    if not isinstance(document, dict):
        return []
    own = [document] if "expr" in document else []
    return own + [found for value in document.values() for found in queries(value)]


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("file", FILES)
def test_every_alert_fires_by_the_label(file: str, tmp_path: Path) -> None:
    """Every scenario, in two environments with the same accounts, raises its alerts in both.

    Descriptions are left out: a scenario says them without the label.
    """
    folder = written(tmp_path) / "rules"
    for path in folder.glob("*.yml"):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        for group in document["groups"]:
            for rule in group["rules"]:
                if "alert" in rule:
                    rule["annotations"]["description"] = _UNSAID
        path.write_text(yaml.safe_dump(document), encoding="utf-8")

    judge([in_both(scenario) for scenario in FILES[file]], folder, tmp_path)


def in_both(scenario: dict[str, Any]) -> dict[str, Any]:
    """Return a scenario as it is in two environments at once.

    Where no exporter was ever there, no environment is known that could lack one.
    """
    ever = any(series.startswith("contactcenter_exporter_") for series in scenario["series"])
    both = copy.deepcopy(scenario) | {"series": {}}
    both.pop("records", None)
    for env in ("prod", "test"):
        for series, values in scenario["series"].items():
            both["series"][with_env(series, env)] = values
    for at, expected in both.get("firing", {}).items():
        both["firing"][at] = [
            {**alert, **env, "description": _UNSAID}
            for alert in expected
            for env in (
                [{"env": "prod"}, {"env": "test"}]
                if ever or alert["alert"] != "ExporterAbsent"
                else [{}]
            )
        ]
    return both


def with_env(series: str, env: str) -> str:
    """Return a series with the label of an environment."""
    name, brace, labels = series.partition("{")
    return f'{name}{{env="{env}",{labels}' if brace else f'{name}{{env="{env}"}}'


# One environment breaks, the other has the same account name and is well.
_BREAKS: list[dict[str, Any]] = [
    {
        "name": "an account is down in one environment",
        "series": {
            'contactcenter_up{env="prod"}': "0+0x60",
            'contactcenter_up{env="test"}': "1x60",
        },
        "firing": {
            "20m": [
                {
                    "alert": "AccountUnreachable",
                    "env": "prod",
                    "description": "For five minutes no replica has had fresh figures of queues, "
                    "agents or campaigns of a (prod); its queue alerts are blind.",
                }
            ]
        },
    },
    {
        "name": "a queue is full in one environment, and open agents are in the other",
        "series": {
            'contactcenter_queue_contacts_waiting{env="prod",queue="q",media="voice"}': "40x60",
            'contactcenter_queue_contacts_waiting{env="test",queue="q",media="voice"}': "1x60",
            'contactcenter_queue_waiting_limit{env="prod",queue="q",level="warning"}': "25x60",
            'contactcenter_queue_waiting_limit{env="test",queue="q",level="warning"}': "50x60",
            'contactcenter_queue_agents{env="prod",queue="q",state="ready"}': "0+0x60",
            'contactcenter_queue_agents{env="test",queue="q",state="ready"}': "9x60",
            'contactcenter_queue_agents_busy{env="prod",queue="q"}': "0+0x60",
            'contactcenter_queue_agents_busy{env="test",queue="q"}': "3x60",
            'contactcenter_queue_open{env="test",queue="q"}': "0+0x60",
        },
        "firing": {
            "20m": [
                {
                    "alert": "QueueDepthHigh",
                    "env": "prod",
                    "queue": "q",
                    "description": "40 contacts wait in q of a (prod).",
                },
                {
                    "alert": "QueueUnstaffed",
                    "env": "prod",
                    "queue": "q",
                    "description": "40 contacts wait in q of a (prod), and no agent is there.",
                },
            ]
        },
    },
    {
        "name": "the exporter of one environment has gone",
        "bare": True,
        "series": {
            'contactcenter_up{env="prod",provider="p",account="a"}': "1x20 _x100",
            'contactcenter_up{env="test",provider="p",account="a"}': "1x120",
            'contactcenter_exporter_build_info{env="prod",instance="r"}': "1x20 _x100",
            'contactcenter_exporter_build_info{env="test",instance="r"}': "1x120",
        },
        "silent": {"40m": ["AccountVanished"]},
        "firing": {
            "40m": [
                {
                    "alert": "ExporterAbsent",
                    "env": "prod",
                    "description": "Prometheus has no figure of any exporter of prod, so every "
                    "other alert on contact centres is blind.",
                }
            ]
        },
    },
    {
        "name": "an account is no longer exported in one environment",
        "series": {
            'contactcenter_up{env="prod"}': "1x20 _x100",
            'contactcenter_up{env="test"}': "1x120",
            'contactcenter_exporter_build_info{env="prod",instance="r"}': "1x120",
            'contactcenter_exporter_build_info{env="test",instance="r"}': "1x120",
        },
        "firing": {
            "40m": [
                {
                    "alert": "AccountVanished",
                    "env": "prod",
                    "description": "The exporter showed a (prod) within the last hour and does not "
                    "now, so its alerts are blind; perhaps it was taken out of the configuration.",
                }
            ]
        },
    },
]


@pytest.mark.real
def test_one_environment_breaks(tmp_path: Path) -> None:
    """An alert fires for the environment that breaks; the other one's stays silent."""
    folder = written(tmp_path) / "rules"
    judge(_BREAKS, folder, tmp_path)


@pytest.mark.real
def test_without_the_label_two_environments_are_one(tmp_path: Path) -> None:
    """As README and runbook say: the better of two accounts with one name hides the other."""
    hidden = _BREAKS[0] | {"firing": {}, "silent": {"20m": ["AccountUnreachable"]}}

    judge([hidden], RULES, tmp_path)


@pytest.mark.parametrize(
    "arguments",
    [["--label", "env"], ["--out", "x"], ["--label", "my-env", "--out", "x"]],
)
def test_what_makes_no_sense_is_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The label and the folder belong together, and a label has a valid name."""
    with pytest.raises(SystemExit):
        build.main(arguments)
    assert "--label" in capsys.readouterr().err or "label name" in capsys.readouterr().err
