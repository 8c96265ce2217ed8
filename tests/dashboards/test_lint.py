"""Tests of rules and dashboards by the lint, and by the parsers of other servers."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.dashboards import BOARDS, RULES
from support.expressions import clauses, filled, matchers
from support.lint import Series, lint_query, lint_rules
from support.node import FOLDER, modules
from support.panels import panels, targets
from support.programs import program
from support.scenarios import groups, rules

COMPLAINTS, MADE = lint_rules(groups(RULES))
ALERTS = {name: series.labels for name, series in MADE.items() if series.kind == "alert"}
EXPRESSIONS = sorted(
    {rule["expr"] for rule in rules(RULES)} | {filled(target.expression) for target in targets()}
)


def test_rules() -> None:
    """The lint finds nothing to say of the rules."""
    assert COMPLAINTS == []


@pytest.mark.parametrize(("board", "panel"), list(panels()))
def test_panels(board: str, panel: dict[str, Any]) -> None:
    """The lint finds nothing to say of a panel's queries, legends and columns."""
    records = {name: series for name, series in MADE.items() if series.kind != "alert"}
    for target in panel["targets"]:
        assert lint_query(target["expr"], target.get("legendFormat", ""), records) == []
    for step in panel.get("transformations", []):
        for name in step["options"].get("renameByName", {}):
            kept = [x for target in panel["targets"] for _, x in clauses(target["expr"])]
            assert name.startswith("Value") or any(name in labels for labels in kept), (board, name)


def test_what_an_inhibition_compares_is_there() -> None:
    """Both alerts have every label that must be equal: where both lack it, it counts as equal."""
    sample = yaml.safe_load((BOARDS / "alertmanager.yml").read_text(encoding="utf-8"))
    for rule in sample["inhibit_rules"]:
        for side in ("source_matchers", "target_matchers"):
            for name in chosen(rule[side]):
                assert set(rule["equal"]) <= ALERTS[name], (name, rule["equal"])


def chosen(conditions: list[str]) -> set[str]:
    """Return the alerts that matchers on names, subsystem and severity choose."""
    labels = {
        name: {"alertname": name, **rule["labels"]}
        for name, rule in ((rule.get("alert"), rule) for rule in rules(RULES))
        if name
    }
    found = set(labels)
    for condition in conditions:
        label, _, pattern = condition.partition("=")
        pattern = pattern.removeprefix("~").strip('"')
        if label != "feed":  # of the value, not of the alert
            found = {x for x in found if re.fullmatch(pattern, labels[x][label])}
    assert found, conditions
    return found


# The lint itself: a rule, and what it must say of it ----------------------------------------------
WAITING = "contactcenter_queue_contacts_waiting"
OFFERED = "contactcenter_queue_contacts_offered_total"
_QUEUE = "max by (provider, account, queue)"
_UP = "max by (provider, account) (contactcenter_up)"


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("contactcenter_queue_contact_waiting > 1", "no series is named"),
        ("account_queue:contactcenter_gone:max > 1", "no series is named"),
        (f'{WAITING}{{campaign="c"}} > 1', "has no label campaign"),
        (f"max by (provider, account, campaign) ({WAITING}) > 1", "has no such label"),
        (f"max by (provider, account) ({WAITING}) > 1", "a template uses queue"),
        (f"count({WAITING}) > 1", "a template uses"),
        (f"{_QUEUE} ({WAITING})", "no condition"),
        (f"{_QUEUE} ({WAITING}) > bool 1", "no condition"),
        (f"{_QUEUE} ({WAITING}) > 1 or {_QUEUE} ({WAITING})", "no condition"),
        (f"{_QUEUE} (rate({WAITING}[5m])) > 1", "rate over"),
        (f"{_QUEUE} (increase({WAITING}[5m])) > 1", "increase over"),
        (f"{_QUEUE} (deriv({OFFERED}[5m])) > 1", "deriv over"),
        (f"{_QUEUE} (delta({OFFERED}[5m])) > 1", "delta over"),
        (f"{_QUEUE} ({OFFERED}) > 1", "without its increase"),
        (f"{_QUEUE} ({OFFERED}) / {_QUEUE} (increase({OFFERED}[5m])) > 1", "without its increase"),
        (f"{_QUEUE} (increase({OFFERED}[45s])) > 1", "under four samples"),
        (f"{WAITING} > on (provider, account, queue) {_QUEUE} ({WAITING})", "on the left"),
        (f"{_QUEUE} ({WAITING}) > on (provider, account) {_QUEUE} ({WAITING})", "on the left"),
        (f"{_QUEUE} ({WAITING}) > on (provider, queue) {WAITING}", "on the right"),
        (f"{_QUEUE} ({WAITING}) > max by (provider, account) ({WAITING})", "no ['queue'] on"),
        (f"{_QUEUE} ({WAITING}) > 1 and {WAITING} > 1", "and: no ["),
        (
            f"{_QUEUE} ({WAITING}) > 1 unless on (feed) contactcenter_feed_up",
            "no ['feed'] on the left",
        ),
        (f"{_QUEUE} ({WAITING}) > 1 and on (queue) contactcenter_up", "no ['queue'] on the right"),
        (f"histogram_quantile(0.9, {_QUEUE} ({WAITING})) > 1", "needs the label le"),
    ],
)
def test_the_lint_finds(expression: str, complaint: str) -> None:
    """Each fault in an alert that is otherwise sound is found."""
    assert any(complaint in line for line in lint_alert(expression)), lint_alert(expression)


def test_the_lint_accepts() -> None:
    """What is sound is not found at fault."""
    limit = (
        'max without (level, job, instance) (contactcenter_queue_waiting_limit{level="warning"})'
    )
    for expression in (
        f"{_QUEUE} ({WAITING}) > 1",
        f"{_QUEUE} ({WAITING}) > on (provider, account, queue) {limit}",
        f"{_QUEUE} (increase({OFFERED}[1m])) == 0 unless on (provider, account) {OFFERED}",
    ):
        assert lint_alert(expression) == []


@pytest.mark.parametrize(
    ("record", "expression"),
    [
        ("account:contactcenter_x:max", f"{_QUEUE} ({WAITING})"),
        ("account_queue:contactcenter_x:max", f"max by (provider, account) ({WAITING})"),
    ],
)
def test_the_lint_compares_levels(record: str, expression: str) -> None:
    """A record whose labels are not those that its name says is found."""
    (complaint,), _ = lint_rules([{"rules": [{"record": record, "expr": expression}]}])

    assert "at the level" in complaint


def test_the_lint_knows_the_interval_of_a_record() -> None:
    """A range over what is recorded hourly is judged by hours."""
    hourly = {
        "record": "account:contactcenter_x:max",
        "expr": "max by (provider, account) (contactcenter_up)",
    }
    reader = {
        "record": "account:contactcenter_y:max",
        "expr": "max_over_time(account:contactcenter_x:max[2h])",
    }
    complaints, _ = lint_rules([{"rules": [reader]}, {"interval": "1h", "rules": [hourly]}])

    assert len(complaints) == 1
    assert "under four samples" in complaints[0]


def test_the_lint_finds_rules_that_are_there_twice() -> None:
    """Two records of one expression are found, whatever their spaces."""
    pair = [
        {"record": f"account:contactcenter_{name}:max", "expr": expression}
        for name, expression in (
            ("x", _UP),
            ("y", _UP.replace(" (", "(")),
        )
    ]
    complaints, _ = lint_rules([{"rules": pair}])

    assert complaints == [
        "account:contactcenter_y:max: the same expression as account:contactcenter_x:max"
    ]


def test_the_lint_finds_a_legend_without_its_label() -> None:
    """A legend that names a label which the query has dropped is found."""
    none: dict[str, Series] = {}

    assert lint_query("sum(contactcenter_up)", "{{account}}", none)
    assert not lint_query("sum by (account) (contactcenter_up)", "{{account}}", none)


def lint_alert(expression: str) -> list[str]:
    """Return what the lint says of an alert on queues with an expression."""
    alert = {
        "alert": "X",
        "expr": expression,
        "labels": {"severity": "info"},
        "annotations": {"description": "{{ $labels.queue }} of {{ $labels.account }}"},
    }
    return lint_rules([{"rules": [alert]}])[0]


# Other servers ----------------------------------------------------------------------------------
def refused_by_prometheus_3(expressions: list[str]) -> Any:
    """Return the expressions that the grammar of Prometheus 3's own editor refuses.

    No package index has Prometheus 3 itself; its repository publishes the grammar, which its web
    interface uses, with every release. It knows functions by name, but not the types of arguments;
    those are checked by promtool and by promql-parser.
    """
    command = [program("node"), str(FOLDER / "promql.cjs")]
    done = subprocess.run(
        command,
        input=json.dumps(expressions),
        env={**os.environ, "NODE_PATH": str(modules())},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return json.loads(done.stdout)


@pytest.mark.real
def test_prometheus_3_accepts_every_expression() -> None:
    """The grammar accepts what rules and dashboards ask, and refuses what Prometheus 3 dropped."""
    dropped = ["holt_winters(up[5m], 0.5, 0.5)", "sum(", "up keep_metric_names"]

    assert len(EXPRESSIONS) > 200
    assert refused_by_prometheus_3([*EXPRESSIONS, *dropped]) == dropped


def test_nothing_depends_on_what_prometheus_3_changed() -> None:
    """No expression matches ``le``, which is written otherwise, or needs a sample at both ends.

    From the migration guide of Prometheus 3: ranges exclude their start, so that one of exactly n
    intervals holds n samples (the lint asks for four); ``le`` is normalised to a float; ``.`` in a
    pattern matches a line break too, which narrows nothing here; names may be quoted, ours are not.
    """
    for expression in EXPRESSIONS:
        for name, labels in matchers(expression):
            assert name, "a name in braces is not known to Prometheus 2"
            assert not {"le", "quantile"} & set(labels)


@pytest.mark.real
def test_victoriametrics_accepts_every_expression(tmp_path: Path) -> None:
    """Vmalert's own check, which parses expressions as MetricsQL, accepts rules and queries.

    Vmalert 1.79, which Debian 12 has, does not know ``keep_firing_for``; later versions do.
    """
    shipped = {"groups": [keep_known(group) for group in groups(RULES)]}
    queries = [
        {"record": f"query:{number}", "expr": expression}
        for number, expression in enumerate(EXPRESSIONS)
    ]
    asked = {"groups": [{"name": "queries", "rules": queries}]}
    broken = {"groups": [{"name": "x", "rules": [{"record": "x", "expr": "sum by (a) x y"}]}]}

    assert vmalert(tmp_path / "rules.yml", shipped) == ""
    assert vmalert(tmp_path / "queries.yml", asked) == ""
    assert "invalid expression" in vmalert(tmp_path / "broken.yml", broken)


def keep_known(group: dict[str, Any]) -> dict[str, Any]:
    """Return a group without what an old vmalert does not know."""
    without = [{k: v for k, v in rule.items() if k != "keep_firing_for"} for rule in group["rules"]]
    return group | {"rules": without}


def vmalert(file: Path, document: dict[str, Any]) -> str:
    """Return what vmalert says is wrong with a rule file."""
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    command = [program("vmalert"), "-dryRun", f"-rule={file}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)
    return done.stderr if done.returncode else ""
