"""Rows of the tables: reads the ``value`` of a statistic, and makes one row for each object.

The Statistics API reference says only that a value "reflects the structure of the Stat Server
message". The fields are those of that message (Platform SDK, EventInfo), as the vendor's Agent API
simulator writes them: an integer that is truncated, a text that has the fraction, and for states a
tree. A plain number, a text and an object with one entry are accepted as well.
"""

import contextlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from exporter.metrics.parsers import Cell, number
from exporter.metrics.reading import REPLACEMENT, Rows
from exporter.providers.genesys import tables as t
from exporter.providers.genesys.statistics import ObjectStatistic

Cells = tuple[Cell, Cell]  # a number and nothing, or a status and its start (epoch seconds)
ObjectRow = dict[str, Cell]
UNREADABLE: Final = "unreadable"  # no parser accepts it, so it is counted as a rejected cell
_TREES: Final = ("stateValue", "objectValue")
_DEPTH: Final = 4  # objects inside each other


# Values -----------------------------------------------------------------------------------------


def number_of(value: Any, depth: int = _DEPTH) -> Cell:
    """Return the number in a value, as a number or a text; ``None`` where there is none.

    A value of unknown structure is ``UNREADABLE``.
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
    """Return the text where it is a number, since the integer beside it has no fraction."""
    text = number_of(value.get("stringValue"), depth - 1)
    whole = number_of(value.get("intValue"), depth - 1)
    with contextlib.suppress(ValueError):
        if text is not None:
            number(text)
            return text
    if isinstance(text, str) and REPLACEMENT in text:
        return text  # a number of which the integer is a part only
    is_nan = isinstance(value.get("stringValue"), str) and value["stringValue"].strip() != ""
    return None if is_nan and text is None else whole


def state_of(value: Any, depth: int = _DEPTH) -> Cells | None:
    """Return an agent's status (number or name) and its start, where given; ``None`` for none."""
    if isinstance(value, dict):
        return _inner_state(value, depth) if depth else None
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        return None
    word = str(value).strip()
    return (word, None) if word and word.casefold() != "nan" else None


def _inner_state(value: dict[str, Any], depth: int) -> Cells | None:
    for tree in _TREES:
        if value.get(tree) is not None:
            return state_of(value[tree], depth - 1)
    status = value.get("status")
    if isinstance(status, str | int) and not isinstance(status, bool):
        word = str(status).strip()
        return (word, _start_of(value.get("time"))) if word else None
    if "stringValue" in value or "intValue" in value:
        return state_of(value.get("stringValue"), 0) or state_of(value.get("intValue"), 0)
    return state_of(next(iter(value.values())), depth - 1) if len(value) == 1 else None


def _start_of(time: Any) -> Cell:
    start = number_of(time, 0)
    with contextlib.suppress(ValueError):
        return start if start is not None and number(start) > 0 else None
    return None


def milliseconds_of(timestamp: Any) -> float | None:
    """Return when a value was produced (epoch milliseconds); ``None`` where unknown."""
    cell = number_of(timestamp, 0)
    with contextlib.suppress(ValueError):
        return float(number(cell)) if cell is not None else None
    return None


# Rows -------------------------------------------------------------------------------------------


def rows_by_table(
    statistics: Sequence[ObjectStatistic],
    opened: Collection[int],
    idle: Collection[int],
    cells: Mapping[int, Cells],
    threshold: float,
) -> dict[str, Rows]:
    """Return the rows of every table: one for each object with a value.

    ``opened``, ``idle`` (not needed) and ``cells`` refer to a statistic by its index; ``threshold``
    is the T of "answered within T" in seconds. A table has a column if the statistic is open for
    any object, so that one that is open for none is reported as missing. Values belong to a
    statistic by its index, so no row can be longer or shorter than its columns.
    """
    unopened: Counter[str] = Counter()
    rows: dict[str, dict[tuple[str, str], ObjectRow]] = {}
    headers: dict[str, dict[str, None]] = {}  # a dict as an ordered set
    for index, statistic in enumerate(statistics):
        table_headers = headers.setdefault(statistic.table, dict.fromkeys(statistic.key_cells))
        table_rows = rows.setdefault(statistic.table, {})
        if index in opened:
            table_headers[statistic.stat_type.header] = None
        elif index not in idle:
            unopened[statistic.table] += 1
            if statistic.is_state:
                unopened[t.AGENTS.name] += 1
        if index not in cells:
            continue
        key = (statistic.object_type, statistic.object_id)
        row = table_rows.setdefault(key, statistic.key_cells)
        row[statistic.stat_type.header], since = cells[index]
        if statistic.is_state:
            row[t.STATE_SINCE] = since
    tables = {name: list(by_object.values()) for name, by_object in rows.items()}
    _add_thresholds(tables, headers, threshold)
    _add_campaign_states(tables, headers)
    _add_agents(tables, headers)
    return {
        name: Rows(
            list(headers[name]),
            [[row.get(header) for header in headers[name]] for row in table],
            unopened=unopened[name],
        )
        for name, table in tables.items()
    }


def _add_thresholds(
    tables: Mapping[str, Sequence[ObjectRow]],
    headers: Mapping[str, dict[str, None]],
    threshold: float,
) -> None:
    """Add the threshold to every row that counts the calls answered within it."""
    for row in tables.get(t.QUEUES.name, ()):
        if row.get(t.WITHIN) is not None:
            headers[t.QUEUES.name][t.THRESHOLD] = None
            row[t.THRESHOLD] = threshold


def _add_campaign_states(
    tables: Mapping[str, Sequence[ObjectRow]], headers: Mapping[str, dict[str, None]]
) -> None:
    """Combine a campaign's flags into its state; a running campaign is activated as well."""
    name = t.CAMPAIGNS.name
    if t.RUNNING not in headers.get(name, ()):
        return
    headers[name][t.CAMPAIGN_STATE] = None
    for row in tables[name]:
        running, activated = _flag(row.get(t.RUNNING)), _flag(row.get(t.ACTIVATED))
        if running is not None:
            stopped = "StatusActivated" if activated else "StatusDeactivated"
            row[t.CAMPAIGN_STATE] = "StatusRunning" if running else stopped


def _flag(cell: Cell) -> bool | None:
    with contextlib.suppress(ValueError):
        return number(cell) > 0 if cell is not None else None
    return None


def _add_agents(tables: dict[str, list[ObjectRow]], headers: dict[str, dict[str, None]]) -> None:
    """Add the table that counts agents by state; without any known state it has no such column."""
    own_headers = headers.get(t.EACH_AGENT.name)
    if own_headers is None:
        return
    known = [row for row in tables[t.EACH_AGENT.name] if row.get(t.AGENT_STATE) is not None]
    tables[t.AGENTS.name] = known
    headers[t.AGENTS.name] = dict.fromkeys((t.OBJECT_ID, t.NAME))
    if t.AGENT_STATE in own_headers:
        own_headers[t.STATE_SINCE] = None
    if known:
        headers[t.AGENTS.name][t.AGENT_STATE] = None
