"""The one subscription of a user: what it asks for, and how its answer is read.

An answer carries the names we chose: an application id that no other program can have, so that
another login's subscription is never taken for ours, and column ids that are positions.
"""

import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from exporter.errors import InvalidAnswer, Refused
from exporter.metrics.parsers import Cell
from exporter.metrics.tables import normalise
from exporter.providers.brightpattern.client import Declined
from exporter.providers.brightpattern.tables import DISPOSITIONS, KEYS

LIMIT = 10_000  # rows of a grid; without a limit some tenants cut theirs short
OTHER = "other"
_MOST_DISPOSITIONS = 50  # columns; the rest are asked for together
_DECLINED_PAUSE = 300.0  # seconds before a body that can only be declined again is sent again


class Statistic(NamedTuple):
    """One statistic in one kind of grid: ``totals``, ``services`` or ``agents``."""

    grid: str
    name: str


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects a subscription covers.

    ``services`` and ``teams`` are ids, all visible ones where there are none. ``namesakes`` are
    services (id → label) whose name is not theirs alone, and ``shared`` those names: rows have
    no key but the name, so each of these services has a grid of its own. ``dispositions`` are the
    labels of the columns that count by disposition, each with the dispositions it counts.
    """

    services: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    namesakes: Mapping[str, str] = field(default_factory=dict)
    shared: frozenset[str] = frozenset()
    dispositions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class Row(NamedTuple):
    """One row: cells by statistic, and counts by disposition. What was not sent is not there."""

    cells: dict[str, Cell]
    dispositions: dict[str, Cell]


@dataclass(slots=True)
class Answer:
    """What a subscription brought: totals, and rows by grid; ``None`` where it was left out.

    ``grids`` holds ``services`` and ``agents``; the services of a shared name carry their label.
    """

    totals: dict[str, Cell] | None = None
    grids: dict[str, list[Row]] = field(default_factory=dict)
    namesakes: list[Row] = field(default_factory=list)


class _Column(NamedTuple):
    statistic: str
    disposition: str | None  # the label of a column that counts by disposition


class Layout:
    """One subscription's body, and the reader of its answers."""

    def __init__(
        self, statistics: Sequence[Statistic], selection: Selection, column_key: str
    ) -> None:
        self.app = f"exporter-{secrets.token_hex(8)}"
        self.statistics = tuple(statistics)
        self.selection = selection
        self._column_key = column_key
        self.totals = [each.name for each in statistics if each.grid == "totals"]
        self._columns = {grid: self._columns_of(grid) for grid in KEYS}

    def asks(self, grid: str) -> list[str]:
        """Return the statistics asked for in a grid."""
        return list(dict.fromkeys(column.statistic for column in self._columns[grid]))

    def _columns_of(self, grid: str) -> list[_Column]:
        columns = []
        for name in (each.name for each in self.statistics if each.grid == grid):
            if name == DISPOSITIONS:
                columns += [_Column(name, label) for label in self.selection.dispositions]
            else:
                columns.append(_Column(name, None))
        return columns

    # Asking --------------------------------------------------------------------------------

    def body(self) -> dict[str, Any]:
        """Return the body of the request."""
        block: dict[str, Any] = {}
        selection = self.selection
        if self.totals:
            block["stats_totals"] = self.totals
            if selection.services:
                block["stats_totals_service_ids"] = list(selection.services)
        services = self._service_grids() if self._columns["services"] else []
        if services:
            block["service_grids"] = services
        if self._columns["agents"]:
            grid = {**self._grid("agents", "agents"), "logged_in_agents_only": False}
            if selection.teams:
                grid["team_ids"] = list(selection.teams)
            block["agent_grids"] = [grid]
        return {self.app: block}

    def _service_grids(self) -> list[dict[str, Any]]:
        selection = self.selection
        main = self._grid("services", "services")
        others = [each for each in selection.services if each not in selection.namesakes]
        grids = []
        if others:
            grids.append({**main, "service_ids": others})
        elif not selection.services:
            grids.append(main)
        return grids + [
            {**self._grid("services", identity), "service_ids": [identity]}
            for identity in selection.namesakes
        ]

    def _grid(self, kind: str, identity: str) -> dict[str, Any]:
        columns: list[dict[str, Any]] = []
        for position, column in enumerate(self._columns[kind]):
            each: dict[str, Any] = {"id": str(position), self._column_key: column.statistic}
            if column.disposition is not None:
                each["dispositions"] = list(self.selection.dispositions[column.disposition])
            columns.append(each)
        return {"id": identity, "limit": LIMIT, "columns": columns}

    # Reading -------------------------------------------------------------------------------

    def read(self, block: Any) -> Answer:
        """Read our block of an answer. Raises ``InvalidAnswer``."""
        if not isinstance(block, dict):
            raise InvalidAnswer("the subscription's block is no object")
        answer = Answer()
        totals = block.get("stats_totals")
        if self.totals and isinstance(totals, dict):
            answer.totals = {name: _cell(totals[name]) for name in self.totals if name in totals}
        services = self._rows("services", block.get("service_grids"))
        for identity, rows in services.items():
            label = self.selection.namesakes.get(identity)
            if label is not None:
                answer.namesakes += [_renamed(row, label) for row in rows[:1]]
        if services:
            answer.grids["services"] = services.get("services", [])
        agents = self._rows("agents", block.get("agent_grids"))
        if "agents" in agents:
            answer.grids["agents"] = agents["agents"]
        return answer

    def _rows(self, kind: str, grids: Any) -> dict[str, list[Row]]:
        """Return the rows of each grid of a kind by the grid's id."""
        found = {}
        for grid in grids if isinstance(grids, list) else ():
            values = grid.get("values") if isinstance(grid, dict) else None
            if not isinstance(values, list) or not self._columns[kind]:
                continue
            if len(values) >= LIMIT:
                raise InvalidAnswer(f"a grid was cut at {LIMIT} rows: name fewer teams or services")
            found[str(grid.get("id"))] = [self._row(kind, row) for row in values]
        return found

    def _row(self, kind: str, row: Any) -> Row:
        read = Row({}, {})
        for position, (statistic, disposition) in enumerate(self._columns[kind]):
            if not isinstance(row, dict) or str(position) not in row:
                continue
            cell = _cell(row[str(position)])
            if disposition is None:
                read.cells[statistic] = cell
            else:
                read.dispositions[disposition] = cell
        return read


def _cell(value: Any) -> Cell:
    """Return a JSON value as a cell; what cannot be one is a text that no parser takes."""
    if value is None or (isinstance(value, str | int | float) and not isinstance(value, bool)):
        return value
    return f"({type(value).__name__})"


def _renamed(row: Row, label: str) -> Row:
    return Row({**row.cells, KEYS["services"]: label}, row.dispositions)


def disposition_columns(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return a column for each disposition: label → the dispositions that it counts.

    Those past the cap, and those whose labels could not be told apart, are counted together.
    """
    by_label: dict[str, list[str]] = {}
    for name in sorted(set(names)):
        by_label.setdefault(normalise(name), []).append(name)
    taken = {"", OTHER, *(normalise(key) for key in KEYS.values())}
    single = [each[0] for label, each in by_label.items() if len(each) == 1 and label not in taken]
    shown = sorted(single)[:_MOST_DISPOSITIONS]
    rest = tuple(name for each in by_label.values() for name in each if name not in shown)
    columns: dict[str, tuple[str, ...]] = {name: (name,) for name in shown}
    return {**columns, OTHER: rest} if rest else columns


async def negotiate(
    wanted: Sequence[Statistic],
    declined: set[Statistic],
    post: Callable[[Sequence[Statistic]], Awaitable[None]],
    why: str,
) -> list[Statistic]:
    """Subscribe to as much of ``wanted`` as the platform takes, after it took not all of it.

    ``post`` subscribes, or raises ``Declined``. Halves are tried until each statistic that is at
    fault stands alone: those go to ``declined`` as they are found. Returns what is subscribed
    to. Raises ``Refused`` where nothing is taken, for the reason ``why``.
    """
    taken = False

    async def takes(statistics: Sequence[Statistic]) -> bool:
        nonlocal taken
        try:
            await post(statistics)
        except Declined:
            taken = False
        else:
            taken = True
        return taken

    good, rest = await _bases(wanted, takes)
    groups = list(_halves(rest))
    while groups:
        group = groups.pop()
        if await takes([*good, *group]):
            good += group
        elif len(group) == 1:
            declined.update(group)
        else:
            groups += _halves(group)
    if not good:
        raise Refused(f"declined whatever is asked for: {why}", retry_after=_DECLINED_PAUSE)
    if not taken:
        await post(good)
    return good


async def _bases(
    wanted: Sequence[Statistic], takes: Callable[[Sequence[Statistic]], Awaitable[bool]]
) -> tuple[list[Statistic], list[Statistic]]:
    """Try each grid with nothing but its rows' name; return those, and the rest of their grids."""
    keys = [Statistic(grid, name) for grid, name in KEYS.items()]
    good = [key for key in keys if key in wanted and await takes([key])]
    grids = {"totals", *(key.grid for key in good)}
    return good, [each for each in wanted if each.grid in grids and each not in good]


def _halves(group: Sequence[Statistic]) -> list[list[Statistic]]:
    half = len(group) // 2
    return [list(part) for part in (group[half:], group[:half]) if part]
