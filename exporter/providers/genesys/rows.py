"""From single values to rows: one row for each object of which something is known."""

import contextlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from exporter.metrics.parsers import Cell, number
from exporter.metrics.reading import Rows
from exporter.providers.genesys import headers as h
from exporter.providers.genesys import tables
from exporter.providers.genesys.statistics import AGENT_TYPES, Wanted

Cells = tuple[Cell, Cell]  # a figure and nothing, or a status and since when
Row = dict[str, Cell]
_QUIET = {"notificationMode": "NoNotification"}


@dataclass(frozen=True, slots=True)
class Statistic:
    """One statistic of one object; ``table`` is where its value goes, ``label`` names the row."""

    table: str
    wanted: Wanted
    kind: str
    identity: str
    label: str

    @property
    def is_state(self) -> bool:
        """Whether its value is a status instead of a number."""
        return self.wanted.header == h.AGENT_STATE

    @property
    def names(self) -> Row:
        """The cells that name the row: persons have an id and a name, the rest has a label."""
        if self.kind in AGENT_TYPES:
            return {h.OBJECT: self.identity, tables.NAME: self.label}
        return {h.OBJECT: self.label}

    def described(self, statistic_id: str, *, quiet: bool = False) -> dict[str, Any]:
        """Return how the platform is asked to open it under an id of ours.

        A ``quiet`` one brings no updates and is only read.
        """
        definition = {**self.wanted.definition, **(_QUIET if quiet else {})}
        named = self.wanted.name is not None
        what = {"name": self.wanted.name} if named else {"definition": definition}
        return {
            "statisticId": statistic_id,
            "objectId": self.identity,
            "objectType": self.kind,
            **what,
        }


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
            row[h.STATE_SINCE] = since
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
    name = tables.QUEUES.name
    for row in rows.get(name, ()):
        if row.get(h.WITHIN) is not None:
            headers[name][h.THRESHOLD] = None
            row[h.THRESHOLD] = threshold


def _add_campaign_states(
    rows: Mapping[str, Sequence[Row]], headers: Mapping[str, dict[str, None]]
) -> None:
    """Make one state of a campaign's flags; what runs is loaded as well."""
    name = tables.CAMPAIGNS.name
    if h.RUNNING not in headers.get(name, ()):
        return
    headers[name][h.CAMPAIGN_STATE] = None
    for row in rows[name]:
        running, activated = _flag(row.get(h.RUNNING)), _flag(row.get(h.ACTIVATED))
        if running is not None:
            stopped = "StatusActivated" if activated else "StatusDeactivated"
            row[h.CAMPAIGN_STATE] = "StatusRunning" if running else stopped


def _flag(cell: Cell) -> bool | None:
    with contextlib.suppress(ValueError):
        return number(cell) > 0 if cell is not None else None
    return None


def _add_agents(rows: dict[str, list[Row]], headers: dict[str, dict[str, None]]) -> None:
    """Count those agents whose state is known; without any, nothing is said of their number."""
    own = headers.get(tables.EACH_AGENT.name, {})
    if h.AGENT_STATE not in own:
        return
    own[h.STATE_SINCE] = None
    found = [row for row in rows[tables.EACH_AGENT.name] if row.get(h.AGENT_STATE) is not None]
    if found:
        headers[tables.AGENTS.name] = dict.fromkeys((h.OBJECT, tables.NAME, h.AGENT_STATE))
        rows[tables.AGENTS.name] = found
