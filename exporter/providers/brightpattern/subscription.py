"""The one subscription of a user: which statistics it needs, its request body and its data.

Data carry the names of the request: an application id that no other program uses, so that another
login's subscription is not mistaken for the exporter's, and column ids, which are positions.
"""

import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Any, NamedTuple

from exporter.errors import InvalidAnswer
from exporter.metrics.parsers import Cell, plain_text
from exporter.metrics.reading import RefusedRow, check_refused
from exporter.metrics.tables import Spread, Table, normalise
from exporter.providers.brightpattern import tables as t
from exporter.providers.brightpattern.client import EveryStatisticDeclined, SubscriptionDeclined

LIMIT = 10_000  # rows of a grid; without a limit some tenants cut theirs short
OTHER = "other"
_MAX_DISPOSITIONS = 50  # columns; the other dispositions share one
_DECLINED_PAUSE = 300.0  # seconds before a body that would be declined again is sent again


class GridStatistic(NamedTuple):
    """One statistic in one kind of grid: ``totals``, ``services`` or ``agents``."""

    grid: str
    name: str


@dataclass(frozen=True, slots=True)
class SubscribedObjects:
    """The objects that a subscription covers.

    ``services`` and ``teams`` are ids; empty means all visible ones. A row has no key but the name,
    so that services of a shared name need a grid of their own: ``namesakes`` are these services
    (id → label), ``shared`` their names. ``dispositions`` maps the label of each column that counts
    by disposition to the dispositions that it counts.
    """

    services: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    namesakes: Mapping[str, str] = field(default_factory=dict)
    shared: frozenset[str] = frozenset()
    dispositions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class GridRow(NamedTuple):
    """One row: cells by statistic, and counts by disposition; absent cells are left out."""

    cells: dict[str, Cell]
    dispositions: dict[str, Cell]


@dataclass(slots=True)
class SubscriptionData:
    """Data of a subscription: totals (``None`` where absent), and rows by kind of grid.

    ``grids`` holds ``services`` and ``agents``; ``namesakes`` the services of a shared name, with
    their labels as names. ``refused`` are rows by kind of grid that lack the cell which names them:
    without it the others cannot be assigned. ``repeated`` counts further rows of one namesake.
    """

    totals: dict[str, Cell] | None = None
    grids: dict[str, list[GridRow]] = field(default_factory=dict)
    namesakes: list[GridRow] = field(default_factory=list)
    refused: dict[str, list[RefusedRow]] = field(default_factory=dict)
    repeated: int = 0


class _GridColumn(NamedTuple):
    statistic: str
    disposition: str | None  # label of a column that counts by disposition


class Subscription:
    """One subscription: builds the request body and reads the data."""

    def __init__(
        self, statistics: Sequence[GridStatistic], objects: SubscribedObjects, column_key: str
    ) -> None:
        self.app = f"exporter-{secrets.token_hex(8)}"
        self.statistics = tuple(statistics)
        self.objects = objects
        self._column_key = column_key
        self.totals = [statistic.name for statistic in statistics if statistic.grid == "totals"]
        self._columns = {grid: self._columns_of(grid) for grid in t.KEYS}

    def names(self, grid: str) -> list[str]:
        """Return the names of the statistics of a grid."""
        return list(dict.fromkeys(column.statistic for column in self._columns[grid]))

    def _columns_of(self, grid: str) -> list[_GridColumn]:
        columns = []
        for name in (statistic.name for statistic in self.statistics if statistic.grid == grid):
            if name == t.DISPOSITIONS:
                columns += [_GridColumn(name, label) for label in self.objects.dispositions]
            else:
                columns.append(_GridColumn(name, None))
        return columns

    # Request -------------------------------------------------------------------------------

    def body(self) -> dict[str, Any]:
        """Return the body of the request."""
        block: dict[str, Any] = {}
        objects = self.objects
        if self.totals:
            block["stats_totals"] = self.totals
            if objects.services:
                block["stats_totals_service_ids"] = list(objects.services)
        services = self._service_grids() if self._columns["services"] else []
        if services:
            block["service_grids"] = services
        if self._columns["agents"]:
            grid = {**self._grid("agents", "agents"), "logged_in_agents_only": False}
            if objects.teams:
                grid["team_ids"] = list(objects.teams)
            block["agent_grids"] = [grid]
        return {self.app: block}

    def _service_grids(self) -> list[dict[str, Any]]:
        objects = self.objects
        main = self._grid("services", "services")
        ids = [identity for identity in objects.services if identity not in objects.namesakes]
        grids = []
        if ids:
            grids.append({**main, "service_ids": ids})
        elif not objects.services:
            grids.append(main)
        return grids + [
            {**self._grid("services", identity), "service_ids": [identity]}
            for identity in objects.namesakes
        ]

    def _grid(self, kind: str, identity: str) -> dict[str, Any]:
        columns: list[dict[str, Any]] = []
        for position, (statistic, disposition) in enumerate(self._columns[kind]):
            column: dict[str, Any] = {"id": str(position), self._column_key: statistic}
            if disposition is not None:
                column["dispositions"] = list(self.objects.dispositions[disposition])
            columns.append(column)
        return {"id": identity, "limit": LIMIT, "columns": columns}

    # Data ----------------------------------------------------------------------------------

    def read(self, block: Any) -> SubscriptionData:
        """Read the subscription's block of the data. Raises ``InvalidAnswer``."""
        if not isinstance(block, dict):
            raise InvalidAnswer("the subscription's block is not an object")
        data = SubscriptionData()
        totals = block.get("stats_totals")
        if self.totals and isinstance(totals, dict):
            data.totals = {name: _cell(totals[name]) for name in self.totals if name in totals}
        services = self._rows("services", block.get("service_grids"), data)
        for identity, rows in services.items():
            label = self.objects.namesakes.get(identity)
            if label is not None:
                data.namesakes += [_renamed(row, label) for row in rows[:1]]
                data.repeated += len(rows[1:])
        if services:
            data.grids["services"] = services.get("services", [])
        agents = self._rows("agents", block.get("agent_grids"), data)
        if "agents" in agents:
            data.grids["agents"] = agents["agents"]
        return data

    def _rows(self, kind: str, grids: Any, data: SubscriptionData) -> dict[str, list[GridRow]]:
        """Return the rows of each grid of a kind by the grid's id; add the refused to ``data``.

        Column ids are this request's, so that a row can lack a cell, but not have it elsewhere.
        """
        result = {}
        for grid in grids if isinstance(grids, list) else ():
            values = grid.get("values") if isinstance(grid, dict) else None
            if not isinstance(values, list) or not self._columns[kind]:
                continue
            if len(values) >= LIMIT:
                raise InvalidAnswer(f"a grid was cut at {LIMIT} rows; set fewer teams or services")
            rows = [self._row(kind, row) for row in values]
            key = t.KEYS[kind]
            named = [bool(str(row.cells.get(key) or "").strip()) for row in rows]
            refused = [
                RefusedRow(position, len(row.cells), f"no {key}")
                for position, row in enumerate(rows, 1)
                if not named[position - 1]
            ]
            check_refused(refused, len(rows))
            data.refused.setdefault(kind, []).extend(refused)
            result[plain_text(grid.get("id"))] = list(compress(rows, named))
        return result

    def _row(self, kind: str, values: Any) -> GridRow:
        row = GridRow({}, {})
        for position, (statistic, disposition) in enumerate(self._columns[kind]):
            if not isinstance(values, dict) or str(position) not in values:
                continue
            cell = _cell(values[str(position)])
            if statistic == t.KEYS[kind] and cell != values[str(position)]:
                continue  # a name of another type names nobody
            if disposition is None:
                row.cells[statistic] = cell
            else:
                row.dispositions[disposition] = cell
        return row


def _cell(value: Any) -> Cell:
    """Return a JSON value as a cell; another type becomes a text that every parser rejects."""
    if value is None or (isinstance(value, str | int | float) and not isinstance(value, bool)):
        return value
    return f"({type(value).__name__})"


def _renamed(row: GridRow, label: str) -> GridRow:
    names = {t.NAME: label, t.PLAIN_NAME: row.cells.get(t.NAME)}
    return GridRow({**row.cells, **names}, row.dispositions)


def disposition_columns(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the columns that count by disposition: label → the dispositions that each counts.

    Dispositions past the cap, or whose labels would be equal, share the column ``other``.
    """
    by_label: dict[str, list[str]] = {}
    for name in sorted(set(names)):
        by_label.setdefault(normalise(name), []).append(name)
    reserved = {"", OTHER, *(normalise(key) for key in t.KEYS.values())}
    unique = [
        names[0] for label, names in by_label.items() if len(names) == 1 and label not in reserved
    ]
    own = sorted(unique)[:_MAX_DISPOSITIONS]
    rest = tuple(name for names in by_label.values() for name in names if name not in own)
    columns: dict[str, tuple[str, ...]] = {name: (name,) for name in own}
    return {**columns, OTHER: rest} if rest else columns


# Statistics of the tables -------------------------------------------------------------------

_GRID_OF_TABLE = {
    t.TOTALS.name: "totals",
    t.SERVICES.name: "services",
    t.AGENTS.name: "agents",
    t.EACH_AGENT.name: "agents",
}


def required_statistics(tables: Mapping[str, Table]) -> dict[GridStatistic, bool]:
    """Return the statistics that the figures of tables need, and whether each is certain."""
    result: dict[GridStatistic, bool] = {}
    for table, grid in _GRID_OF_TABLE.items():
        for figure in tables[table].figures if table in tables else ():
            if isinstance(figure, Spread):
                continue
            names = t.SOURCES.get(figure.header, figure.header.split(t.PLUS))
            if figure.header in t.RATIOS:
                names = (*names, *t.PROOFS)
            for name in names:
                statistic = GridStatistic(grid, name)
                result[statistic] = result.get(statistic, False) or figure.certain
    if t.AGENT_TIMES.name in tables:
        result |= {GridStatistic("agents", name): True for name in t.TIMES}
    return result


def subscribed_statistics(
    tables: Mapping[str, Table], *, named: bool, each_agent: bool, raw: bool
) -> list[GridStatistic]:
    """Return the statistics to subscribe to: keys of rows first, uncertain ones last.

    The names of agents are included only where they are ``named``, totals without a figure only
    where the feed is ``raw``.
    """
    result = dict.fromkeys(GridStatistic(grid, name) for grid, name in t.KEYS.items())
    if named:
        result[GridStatistic("agents", t.FULL_NAME)] = None
    required = required_statistics(tables)
    statistics = list(required)
    if raw:
        statistics += [GridStatistic("totals", name) for name in t.TOTALS.ignored if name != "app"]
    statistics.append(GridStatistic("services", t.DISPOSITIONS))
    if each_agent:
        statistics.append(GridStatistic("agents", t.DISPOSITIONS))
    statistics.sort(key=lambda statistic: not required.get(statistic, False))
    return list(result | dict.fromkeys(statistics))


# Declined statistics --------------------------------------------------------------------------

Subscribe = Callable[[Sequence[GridStatistic]], Awaitable[None]]  # raises SubscriptionDeclined


async def subscribe_accepted(
    statistics: Sequence[GridStatistic],
    declined: set[GridStatistic],
    subscribe: Subscribe,
    reason: str,
) -> list[GridStatistic]:
    """Subscribe to the statistics that the platform accepts, after it declined all together.

    Bisects until each statistic at fault is alone, and adds it to ``declined``. Returns the
    accepted statistics. Raises ``EveryStatisticDeclined`` with ``reason`` where none is.
    """
    subscribed = False

    async def accepts(group: Sequence[GridStatistic]) -> bool:
        nonlocal subscribed
        try:
            await subscribe(group)
        except SubscriptionDeclined:
            subscribed = False
        else:
            subscribed = True
        return subscribed

    keys = [GridStatistic(grid, name) for grid, name in t.KEYS.items()]
    accepted = [key for key in keys if key in statistics and await accepts([key])]
    grids = {"totals", *(key.grid for key in accepted)}
    rest = [item for item in statistics if item.grid in grids and item not in accepted]
    groups = _halves(rest)
    while groups:
        group = groups.pop()
        if await accepts([*accepted, *group]):
            accepted += group
        elif len(group) == 1:
            declined.update(group)
        else:
            groups += _halves(group)
    if not accepted:
        message = f"every statistic was declined: {reason}"
        raise EveryStatisticDeclined(message, retry_after=_DECLINED_PAUSE)
    if not subscribed:
        await subscribe(accepted)
    return accepted


def _halves(group: Sequence[GridStatistic]) -> list[list[GridStatistic]]:
    half = len(group) // 2
    return [list(part) for part in (group[half:], group[:half]) if part]
