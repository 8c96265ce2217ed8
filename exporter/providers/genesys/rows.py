"""From single values to rows: one row for each object of which something is known."""

import contextlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from exporter.metrics.parsers import Cell, number
from exporter.metrics.reading import Rows
from exporter.providers.genesys import tables as t
from exporter.providers.genesys.statistics import Statistic

Cells = tuple[Cell, Cell]  # a figure and nothing, or a status and since when
Row = dict[str, Cell]
UNREADABLE: Final = "unreadable"  # no parser takes it, so it is counted as a rejected cell
_TREES: Final = ("stateValue", "objectValue")
_DEPTH: Final = 4


# Rows ---


def grids(
    statistics: Sequence[Statistic],
    opened: Collection[int],
    cells: Mapping[int, Cells],
    threshold: float,
) -> dict[str, Rows]:
    """Return the rows of every table; a statistic is known by its place in ``statistics``.

    ``threshold`` is the T of "answered within T" in seconds. A column is there if it is open for
    any object, so that one that is open for none is missing.
    """
    rows: dict[str, dict[tuple[str, str], Row]] = {each.table: {} for each in statistics}
    headers: dict[str, dict[str, None]] = {
        each.table: dict.fromkeys(each.names) for each in statistics
    }
    for at, statistic in enumerate(statistics):
        if at in opened:
            headers[statistic.table][statistic.wanted.header] = None
        if at not in cells:
            continue
        key = (statistic.kind, statistic.identity)
        row = rows[statistic.table].setdefault(key, statistic.names)
        row[statistic.wanted.header], since = cells[at]
        if statistic.is_state:
            row[t.STATE_SINCE] = since
    found = {name: list(each.values()) for name, each in rows.items()}
    _add_thresholds(found, headers, threshold)
    _add_campaign_states(found, headers)
    _add_agents(found, headers)
    return {
        name: Rows(list(headers[name]), [[row.get(x) for x in headers[name]] for row in each])
        for name, each in found.items()
    }


def _add_thresholds(
    rows: Mapping[str, Sequence[Row]], headers: Mapping[str, dict[str, None]], threshold: float
) -> None:
    """Say what "within the threshold" means beside the figure that is counted by it."""
    name = t.QUEUES.name
    for row in rows.get(name, ()):
        if row.get(t.WITHIN) is not None:
            headers[name][t.THRESHOLD] = None
            row[t.THRESHOLD] = threshold


def _add_campaign_states(
    rows: Mapping[str, Sequence[Row]], headers: Mapping[str, dict[str, None]]
) -> None:
    """Make one state of a campaign's flags; what runs is loaded as well."""
    name = t.CAMPAIGNS.name
    if t.RUNNING not in headers.get(name, ()):
        return
    headers[name][t.CAMPAIGN_STATE] = None
    for row in rows[name]:
        running, activated = _flag(row.get(t.RUNNING)), _flag(row.get(t.ACTIVATED))
        if running is not None:
            stopped = "StatusActivated" if activated else "StatusDeactivated"
            row[t.CAMPAIGN_STATE] = "StatusRunning" if running else stopped


def _flag(cell: Cell) -> bool | None:
    with contextlib.suppress(ValueError):
        return number(cell) > 0 if cell is not None else None
    return None


def _add_agents(rows: dict[str, list[Row]], headers: dict[str, dict[str, None]]) -> None:
    """Count those agents whose state is known; without any, nothing is said of their number."""
    own = headers.get(t.EACH_AGENT.name, {})
    if t.AGENT_STATE not in own:
        return
    own[t.STATE_SINCE] = None
    found = [row for row in rows[t.EACH_AGENT.name] if row.get(t.AGENT_STATE) is not None]
    if found:
        headers[t.AGENTS.name] = dict.fromkeys((t.OBJECT, t.NAME, t.AGENT_STATE))
        rows[t.AGENTS.name] = found


# Values ---


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
