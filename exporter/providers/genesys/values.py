"""Reading ``value``: what did the platform say, whatever layout it chose?

The Statistics API says only that a value "reflects the structure of the Stat Server message". The
fields are those of that message (EventInfo in the Platform SDK), as the vendor's Agent API
simulator writes them: an integer that is truncated, a text that has the fraction, and for states a
tree. A plain number, a text and an object with one thing in it are understood as well.
"""

import contextlib
from dataclasses import dataclass
from typing import Any, Final

from exporter.metrics.parsers import Cell, number

UNREADABLE: Final = "unreadable"  # no parser takes it, so it is counted as a rejected cell
_TREES: Final = ("stateValue", "objectValue")
_DEPTH: Final = 4


@dataclass(frozen=True, slots=True)
class State:
    """An agent's status, as number or name, and since when (epoch seconds), where told."""

    word: str
    since: Cell = None


def number_of(value: Any, depth: int = _DEPTH) -> Cell:
    """Return the figure in a value: a number or the text of one, or ``None`` where there is none.

    What has no figure that we know to look for is ``UNREADABLE``.
    """
    if isinstance(value, dict):
        return _inner_number(value, depth)
    if isinstance(value, str):
        text = value.strip()
        return None if text.casefold() in ("", "nan") else text
    if value is None or value != value:  # noqa: PLR0124 - only NaN is not itself
        return None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else UNREADABLE


def _inner_number(value: dict[str, Any], depth: int) -> Cell:
    if "stringValue" in value or "intValue" in value:
        return _event_number(value, depth) if depth else UNREADABLE
    if len(value) == 1 and depth:
        return number_of(next(iter(value.values())), depth - 1)
    return UNREADABLE if value else None


def _event_number(value: dict[str, Any], depth: int) -> Cell:
    """Take the text where it is a number, since the integer beside it has lost the fraction."""
    text = number_of(value.get("stringValue"), depth - 1)
    whole = number_of(value.get("intValue"), depth - 1)
    with contextlib.suppress(ValueError):
        if text is not None:
            number(text)
            return text
    nothing = isinstance(value.get("stringValue"), str) and value["stringValue"].strip() != ""
    return None if nothing and text is None else whole


def state_of(value: Any, depth: int = _DEPTH) -> State | None:
    """Return the status in a value, ``None`` where there is none."""
    if isinstance(value, dict):
        return _inner_state(value, depth) if depth else None
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        return None
    word = str(value).strip()
    return State(word) if word and word.casefold() != "nan" else None


def _inner_state(value: dict[str, Any], depth: int) -> State | None:
    for tree in _TREES:
        if value.get(tree) is not None:
            return state_of(value[tree], depth - 1)
    status = value.get("status")
    if isinstance(status, str | int) and not isinstance(status, bool):
        return _with_time(status, value.get("time"))
    if "stringValue" in value or "intValue" in value:
        return state_of(value.get("stringValue"), 0) or state_of(value.get("intValue"), 0)
    return state_of(next(iter(value.values())), depth - 1) if len(value) == 1 else None


def _with_time(status: str | int, time: Any) -> State | None:
    word = str(status).strip()
    since = number_of(time, 0)
    with contextlib.suppress(ValueError):
        if since is not None and number(since) > 0:
            return State(word, since) if word else None
    return State(word) if word else None


def milliseconds_of(timestamp: Any) -> float | None:
    """Return when a value was produced, in epoch milliseconds; ``None`` where it does not say."""
    found = number_of(timestamp, 0)
    with contextlib.suppress(ValueError):
        return float(number(found)) if found is not None else None
    return None
