"""PromQL expressions as trees, read by the promql-parser package."""

from typing import Any

import promql_parser as promql

# Grafana replaces these before it sends a query.
_FILLED = {"$__rate_interval": "5m", "$__range": "1h", "$__interval": "15s"}


def filled(expression: str) -> str:
    """Return a query of a panel with Grafana's durations filled in."""
    for variable, value in _FILLED.items():
        expression = expression.replace(variable, value)
    return expression


def parse(expression: str) -> Any:
    """Return the root node of an expression; raises ``ValueError`` where it is not PromQL."""
    return promql.parse(filled(expression))


def nodes(expression: str) -> list[Any]:
    """Return all nodes of an expression, from the outside in."""
    found: list[Any] = []
    promql.walk(parse(expression), found.append)
    return found


def clauses(expression: str) -> list[tuple[str, list[str]]]:
    """Return the word and the labels of every aggregation and of every match of two vectors.

    An aggregation without labels counts as ``by`` no labels. A match without ``on`` and
    ``ignoring`` is of all labels, so it is not listed.
    """
    found = []
    for node in nodes(expression):
        if isinstance(node, promql.AggregateExpr):
            kept = node.modifier is None or node.modifier.type == promql.AggModifierType.By
            labels = node.modifier.labels if node.modifier else []
            found.append(("by" if kept else "without", labels))
        elif isinstance(node, promql.BinaryExpr) and node.modifier and node.modifier.matching:
            matching = node.modifier.matching
            included = matching.type == promql.LabelModifierType.Include
            found.append(("on" if included else "ignoring", matching.labels))
    return found


def matchers(expression: str) -> list[tuple[str, dict[str, str]]]:
    """Return the name and the matchers, label to value, of every series that is selected."""
    return [
        (node.name or "", {matcher.name: matcher.value for matcher in node.matchers.matchers})
        for node in nodes(expression)
        if isinstance(node, promql.VectorSelector)
    ]
