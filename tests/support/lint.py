"""Lint of PromQL in rules and dashboards: what promtool accepts and is wrong all the same.

It checks what pint, which is in no package index, checks without a server: series and labels that
do not exist; labels that an aggregation has dropped and a match, a template or a legend needs;
matches that fail always, or with a second replica; functions of counters over gauges and the
reverse; ranges shorter than four scrapes; alerts without a condition; rules that are there twice.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import promql_parser as promql
import yaml

from support.dashboards import BOARDS, ROOT
from support.expressions import parse

Labels = frozenset[str]
_TARGET = frozenset({"job", "instance"})  # what Prometheus adds to each series
_OF_ALERTS = frozenset({"provider", "account", "queue", "campaign", "feed"})  # of their object
_COUNTERS_ONLY = {"rate", "irate", "increase", "resets"}
_GAUGES_ONLY = {"delta", "idelta", "deriv", "predict_linear"}
_COMPARISONS = {"==", "!=", ">", "<", ">=", "<="}
_SETS = {"and", "or", "unless"}
_KEEP_LABELS = {"topk", "bottomk"}
_ABSENT = {"absent", "absent_over_time"}
_ROW = re.compile(r"\| `(\w+)` \| (\w+) \|[^|]*\| ([^|]*) \|")
_USED = re.compile(r"\$labels\.(\w+)")
_LEGEND = re.compile(r"\{\{\s*(\w+)\s*\}\}")


@dataclass(frozen=True)
class Series:
    """Kind and labels of a series, and the seconds between two of its samples."""

    kind: str
    labels: Labels
    step: float


@dataclass
class Lint:
    """The series that may be read, and what is wrong with the expressions that were checked."""

    catalogue: dict[str, Series]
    todays: bool = False  # whether a total itself may be judged: that of the platform's day
    complaints: list[str] = field(default_factory=list)

    # Labels -----------------------------------------------------------------------------------
    def labels(self, node: Any) -> Labels:
        """Return the labels that every result of an expression has, and note what is wrong."""
        match node:
            case promql.VectorSelector():
                found = self._selected(node)
            case promql.MatrixSelector():
                found = self._selected(node.vector_selector)
            case promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
                found = self.labels(node.expr)
            case promql.Call():
                found = self._called(node)
            case promql.AggregateExpr():
                found = self._aggregated(node)
            case promql.BinaryExpr():
                found = self._combined(node)
            case _:
                found = frozenset()
        return found

    def _selected(self, node: Any) -> Labels:
        series = self.catalogue.get(node.name)
        if series is None:
            self.complaints.append(f"no series is named {node.name}")
            return frozenset()
        for matcher in node.matchers.matchers:
            if matcher.name not in series.labels and not matcher.name.startswith("exported_"):
                self.complaints.append(f"{node.name} has no label {matcher.name}")
        return series.labels

    def _called(self, node: Any) -> Labels:
        of = [self.labels(argument) for argument in node.args if not _is_scalar(argument)]
        name = node.func.name
        selectors = [x for x in node.args if isinstance(x, promql.MatrixSelector)]
        for selector in selectors:
            self._ranged(name, selector)
        if name in _ABSENT:
            return frozenset()
        inner = of[0] if of else frozenset()
        if name == "histogram_quantile":
            if "le" not in inner:
                self.complaints.append("histogram_quantile needs the label le")
            return inner - {"le"}
        return inner

    def _ranged(self, function: str, node: Any) -> None:
        name = node.vector_selector.name
        series = self.catalogue.get(name)
        if series is None:
            return  # noted already
        if function in _COUNTERS_ONLY and series.kind != "counter":
            self.complaints.append(f"{function} over {name}, a {series.kind}")
        if function in _GAUGES_ONLY and series.kind == "counter":
            self.complaints.append(f"{function} over {name}, a counter")
        if node.range < timedelta(seconds=4 * series.step):
            self.complaints.append(f"{function} of {name} over {node.range}: under four samples")

    def _aggregated(self, node: Any) -> Labels:
        inner = self.labels(node.expr)
        if str(node.op) in _KEEP_LABELS:
            return inner
        named = frozenset(node.modifier.labels if node.modifier else ())
        if node.modifier and node.modifier.type == promql.AggModifierType.Without:
            return inner - named
        if named - inner:
            self.complaints.append(f"by {sorted(named - inner)}: {node.expr} has no such label")
        return named & inner

    def _combined(self, node: Any) -> Labels:
        left, right = self.labels(node.lhs), self.labels(node.rhs)
        word = _word(node)
        if word not in _SETS and not self.todays:
            for name in (*_raw(node.lhs, self.catalogue), *_raw(node.rhs, self.catalogue)):
                self.complaints.append(f"{word} takes {name}, a counter, without its increase")
        if _is_scalar(node.lhs) or _is_scalar(node.rhs):
            return right if _is_scalar(node.lhs) else left
        if word == "or":
            return left & right
        key = _key(node, left | right)
        self._note(node, "no", left=key - left, right=key - right)
        if word in _SETS:
            return left
        if node.modifier and node.modifier.group_labels is not None:
            is_left = node.modifier.card == promql.VectorMatchCardinality.ManyToOne
            return (left if is_left else right) | frozenset(node.modifier.group_labels)
        # One to one: what has more labels than are matched can be there twice.
        self._note(node, "also", left=left - key, right=right - key)
        return key

    def _note(self, node: Any, what: str, **sides: Labels) -> None:
        self.complaints += [
            f"{_word(node)}: {what} {sorted(labels)} on the {side}: {node}"
            for side, labels in sides.items()
            if labels
        ]


def _word(node: Any) -> str:
    """Return the operator of a binary expression."""
    return str(node.op).split()[0]


def _key(node: Any, labels: Labels) -> Labels:
    """Return the labels by which a binary expression matches its sides, which have ``labels``."""
    matching = node.modifier.matching if node.modifier else None
    if matching is None:
        return labels
    if matching.type == promql.LabelModifierType.Include:
        return frozenset(matching.labels)
    return labels - frozenset(matching.labels)


def _is_scalar(node: Any) -> bool:
    """Return whether an expression is a number and no vector."""
    match node:
        case promql.NumberLiteral() | promql.StringLiteral():
            return True
        case promql.ParenExpr() | promql.UnaryExpr():
            return _is_scalar(node.expr)
        case promql.BinaryExpr():
            return _is_scalar(node.lhs) and _is_scalar(node.rhs)
        case promql.Call():
            return bool(node.func.return_type == promql.ValueType.Scalar)
    return False


def _raw(node: Any, catalogue: dict[str, Series]) -> Iterator[str]:
    """Yield the counters whose own value an expression has, neither ranged nor a condition."""
    match node:
        case promql.VectorSelector():
            series = catalogue.get(node.name or "")
            if series and series.kind == "counter":
                yield node.name or ""
        case promql.ParenExpr() | promql.UnaryExpr() | promql.AggregateExpr():
            yield from _raw(node.expr, catalogue)
        case promql.BinaryExpr():
            yield from _raw(node.lhs, catalogue)
            if _word(node) not in ("and", "unless"):
                yield from _raw(node.rhs, catalogue)


def _is_condition(node: Any) -> bool:
    """Return whether an expression has no result while all is well, in each of its ``or``."""
    match node:
        case promql.BinaryExpr():
            word, is_bool = (
                str(node.op).split()[0],
                bool(node.modifier and node.modifier.return_bool),
            )
            if word == "or":
                return _is_condition(node.lhs) and _is_condition(node.rhs)
            if word == "unless" or (word in _COMPARISONS and not is_bool):
                return True
            return _is_condition(node.lhs) or _is_condition(node.rhs)
        case promql.ParenExpr() | promql.UnaryExpr() | promql.AggregateExpr():
            return _is_condition(node.expr)
        case promql.Call():
            return node.func.name in _ABSENT or any(_is_condition(x) for x in node.args)
    return False


# Catalogue ------------------------------------------------------------------------------------
def exported() -> dict[str, Series]:
    """Return the series of the catalogue docs/metrics.md, and those of Prometheus that we read."""
    sample = yaml.safe_load((BOARDS / "prometheus.yml").read_text(encoding="utf-8"))
    step = float(promql.parse_duration(sample["global"]["scrape_interval"]).total_seconds())
    found = {
        name: Series("gauge", _TARGET, step)
        for name in (
            "up",
            "scrape_duration_seconds",
            "scrape_samples_scraped",
            "process_resident_memory_bytes",
            "process_start_time_seconds",
        )
    }
    found["process_cpu_seconds_total"] = Series("counter", _TARGET, step)
    alert = ("alertname", "alertstate", "severity", "subsystem")
    found["ALERTS"] = Series("gauge", frozenset(alert) | _TARGET | _OF_ALERTS, step)
    text = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    for name, kind, cell in _ROW.findall(text):
        labels = frozenset(re.findall(r"`(\w+)`", cell)) | _TARGET
        if kind == "histogram":
            found[f"{name}_bucket"] = Series("counter", labels | {"le"}, step)
            found |= {
                f"{name}_{part}": Series("counter", labels, step) for part in ("count", "sum")
            }
        else:
            found[name] = Series(kind, labels, step)
    return found


# Rules ----------------------------------------------------------------------------------------
def lint_rules(groups: list[dict[str, Any]]) -> tuple[list[str], dict[str, Series]]:
    """Return what is wrong with groups of rules, and what is recorded and raised by name."""
    lint = Lint(exported())
    found = list(_twice(rule for group in groups for rule in group["rules"]))
    made: dict[str, Series] = {}
    pending = [(rule, group.get("interval")) for group in groups for rule in group["rules"]]
    # A record is known once those that it reads are.
    recorded = {rule["record"] for rule, _ in pending if "record" in rule}
    while pending:
        ready = [item for item in pending if not _reads(item[0]["expr"]) & recorded]
        if not ready:
            return [*found, f"records read each other: {sorted(recorded)}"], made
        for rule, interval in ready:
            pending.remove((rule, interval))
            name = rule.get("alert") or rule["record"]
            node = parse(rule["expr"])
            labels = lint.labels(node) | frozenset(rule.get("labels", {}))
            if "record" in rule:
                seconds = promql.parse_duration(interval).total_seconds() if interval else None
                step = seconds or lint.catalogue["up"].step
                made[name] = lint.catalogue[name] = Series("gauge", labels, step)
                recorded.discard(name)
                level = frozenset(name.split(":")[0].split("_")) | {"provider"}
                if labels != level:
                    lint.complaints.append(f"labels {sorted(labels)} at the level {sorted(level)}")
            else:
                made[name] = Series("alert", labels, 0)
                if not _is_condition(node):
                    lint.complaints.append("no condition: it fires as long as there is a series")
                for text in (*rule["annotations"].values(), *rule["labels"].values()):
                    lint.complaints += [
                        f"a template uses {label}, which no result has"
                        for label in _USED.findall(text)
                        if label not in labels
                    ]
            found += [f"{name}: {complaint}" for complaint in lint.complaints]
            lint.complaints.clear()
    return found, made


def _reads(expression: str) -> set[str]:
    """Return the names of the series that an expression reads."""
    found: set[str] = set()

    def note(node: Any) -> None:
        if isinstance(node, promql.VectorSelector):
            found.add(node.name or "")

    promql.walk(parse(expression), note)
    return found


def _twice(rules: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield the rules that say what another one says already."""
    seen: dict[tuple[str, str], str] = {}
    for rule in rules:
        name = rule.get("alert") or rule["record"]
        key = (parse(rule["expr"]).prettify(), "alert" if "alert" in rule else "record")
        if key in seen:
            yield f"{name}: the same expression as {seen[key]}"
        seen[key] = name


# Dashboards -----------------------------------------------------------------------------------
def lint_query(expression: str, legend: str, made: dict[str, Series]) -> list[str]:
    """Return what is wrong with a query of a panel and the legend of its series."""
    lint = Lint(exported() | made, todays=True)
    labels = lint.labels(parse(expression))
    lost = [label for label in _LEGEND.findall(legend) if label not in labels]
    return [*lint.complaints, *(f"the legend uses {label}, which no result has" for label in lost)]
