"""Mutants of alerts: rules that differ in one place, each of which some scenario must notice."""

import copy
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import promql_parser as promql

from support.expressions import parse

Rule = dict[str, Any]
_FLIPPED = {">": "<", "<": ">", ">=": "<", "<=": ">", "==": "!=", "!=": "=="}


class Mutant(NamedTuple):
    """A changed alert, and what was changed."""

    what: str
    rule: Rule


def mutants(rule: Rule) -> Iterator[Mutant]:
    """Yield the mutants of an alert.

    A comparison is turned around, a side of ``and``, ``or`` and ``unless`` is dropped, and so are
    matchers, ``for`` and ``keep_firing_for``.
    """
    for key in ("for", "keep_firing_for"):
        if key in rule:
            yield Mutant(f"without {key}", {k: v for k, v in rule.items() if k != key})
    root = parse(rule["expr"])
    for index in range(_count(root)):
        for what, expression in _changed(root, index):
            yield Mutant(what, copy.deepcopy(rule) | {"expr": expression})


def _count(root: Any) -> int:
    found: list[Any] = []
    promql.walk(root, found.append)
    return len(found)


def _changed(root: Any, index: int) -> Iterator[tuple[str, str]]:
    """Yield what becomes of an expression where its node of a number is changed."""
    found: list[Any] = []
    promql.walk(root, found.append)
    for what, text in _variants(found[index]):
        seen = -1

        def replace(_: Any, text: str = text) -> Any:
            nonlocal seen
            seen += 1
            return promql.parse(text) if seen == index else None

        changed = promql.transform(root, pre_visit=replace)
        yield f"{_short(str(found[index]))}: {what}", str(changed)


def _variants(node: Any) -> Iterator[tuple[str, str]]:
    match node:
        case promql.BinaryExpr():
            word, matching = str(node.op), str(node.modifier or "")
            left, right = f"({node.lhs})", f"({node.rhs})"
            if word in ("and", "or", "unless"):
                yield f"left of {word} only", left
                if word == "or":
                    yield "right of or only", right
            elif word in _FLIPPED and "bool" not in matching:
                yield f"{_FLIPPED[word]}", f"({left} {_FLIPPED[word]} {matching} {right})"
        case promql.VectorSelector() if node.matchers.matchers:
            yield "without matchers", re.sub(r"\{.*\}", "", str(node), flags=re.DOTALL)


def _short(text: str) -> str:
    """Return the beginning of a text in one line."""
    return " ".join(text.split())[:60]
