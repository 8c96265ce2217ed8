"""What a subscription to the simulator brings: totals, rows of grids, chat messages."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cmp_to_key
from operator import eq, ge, gt, le, lt, ne
from typing import Any, TypeVar

from exporter.simulators.brightpattern.agents import AgentNow
from exporter.simulators.brightpattern.request import Block, Column, Filter, Grid
from exporter.simulators.brightpattern.services import Group, Service, Value, View
from exporter.simulators.brightpattern.statistics import AGENT, DISPOSITIONS, GROUP, names
from exporter.simulators.brightpattern.tenant import Tenant
from exporter.simulators.floor.figures import LOGGED_OUT

Subject = TypeVar("Subject")
Row = dict[str, Value]
Message = Mapping[str, str]

_OPERATIONS: Mapping[str, Callable[[int, int], bool]] = {
    "EQ": eq,
    "NE": ne,
    "LT": lt,
    "GT": gt,
    "LE": le,
    "GE": ge,
}


def text(value: Value) -> str:
    """Write a value as the platform does: all are strings, and nothing is an empty one."""
    if value is None:
        return ""
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def answer(block: Block, view: View, messages: Iterable[Message]) -> dict[str, Any]:
    """Return what one application of a subscription gets: only what it asked for."""
    tenant = view.tenant
    data: dict[str, Any] = {}
    if block.totals is not None and _shown(tenant, sees=tenant.may_see_services):
        figures = totals(view, block.totals, block.service_ids, block.dispositions)
        bare = tenant.numbers != "strings"
        data["stats_totals"] = _written(figures, tenant, bare=bare)
    if block.service_grids is not None and _shown(tenant, sees=tenant.may_see_services):
        data["service_grids"] = _grids(block.service_grids, view, services)
    if block.agent_grids is not None and _shown(tenant, sees=_sees_agents(tenant)):
        data["agent_grids"] = _grids(block.agent_grids, view, agents)
    if block.messages is not None:
        wanted, limit = block.messages
        found = [dict(each) for each in messages if wanted in each.get("content", "")]
        data["chat_messages"] = found[:limit]
    return data


def totals(
    view: View,
    wanted: Iterable[str],
    service_ids: frozenset[str] = frozenset(),
    dispositions: Sequence[str] = (),
) -> Row:
    """Return statistics of some services together, of all visible ones if none is named."""
    chosen = _chosen(view, service_ids) if view.tenant.may_see_services else []
    group = Group(view, chosen, view.tenant.totals_scale)
    column = Column("", (), is_sum=False, dispositions=tuple(dispositions))
    return {name: _group_value(group, name, column, "totals", view.tenant) for name in wanted}


def services(grid: Grid, view: View) -> list[Row]:
    """Return the rows of a service grid, before order and limit."""
    if not view.tenant.may_see_services:
        return []
    groups = [Group(view, [service]) for service in _chosen(view, grid.service_ids)]

    def value(group: Group, name: str, column: Column) -> Value:
        return _group_value(group, name, column, "service", view.tenant)

    return [_row(group, grid.columns, value) for group in groups]


def agents(grid: Grid, view: View) -> list[Row]:
    """Return the rows of an agent grid, before order and limit."""
    tenant = view.tenant
    if not tenant.may_see_agents:
        return []
    teams = {team.name for team in view.teams if not grid.team_ids or team.id in grid.team_ids}
    staff = None
    if grid.service_ids:
        staff = {each.username for each in view.staff(_chosen(view, grid.service_ids))}

    def value(agent: AgentNow, name: str, column: Column) -> Value:
        if name in tenant.more_statistics:
            return tenant.more_statistics[name]
        if name not in names(tenant, "agent"):
            return None
        if name == DISPOSITIONS:
            return agent.disposed(column.dispositions)
        return AGENT[name](agent)

    return [
        _row(AgentNow(view, agent), grid.columns, value)
        for agent in view.agents
        if agent.team in teams
        and (staff is None or agent.username in staff)
        and (not grid.logged_in_only or agent.state != LOGGED_OUT)
        and (not grid.subteam_only or agent.username in tenant.subteam)
    ]


def _group_value(group: Group, name: str, column: Column, kind: str, tenant: Tenant) -> Value:
    if name in tenant.more_statistics:
        return tenant.more_statistics[name]
    if name not in names(tenant, kind):
        return None
    if name == DISPOSITIONS:
        return group.disposed(column.dispositions)
    return GROUP[name](group)


def _chosen(view: View, ids: frozenset[str]) -> list[Service]:
    return [service for service in view.services if not ids or service.id in ids]


def _sees_agents(tenant: Tenant) -> bool:
    return tenant.may_see_agents and tenant.supervised_teams != frozenset()


def _shown(tenant: Tenant, *, sees: bool) -> bool:
    """Tell whether a block is in the answer: who may not see it gets an empty one, or none."""
    return sees or tenant.unseen == "empty"


def _row(
    subject: Subject,
    columns: Iterable[Column],
    value: Callable[[Subject, str, Column], Value],
) -> Row:
    row: Row = {}
    for column in columns:
        values = [value(subject, name, column) for name in column.names]
        numbers = [each for each in values if isinstance(each, int | float)]
        row[column.id] = sum(numbers) if column.is_sum else values[0]
    return row


def _grids(
    grids: Iterable[Grid], view: View, rows_of: Callable[[Grid, View], list[Row]]
) -> list[dict[str, Any]]:
    tenant = view.tenant
    bare = tenant.numbers == "bare"
    return [
        {
            "id": grid.id,
            "values": [
                _written(row, tenant, bare=bare)
                for row in _ranked(grid, rows_of(grid, view), tenant)
            ],
        }
        for grid in grids
    ]


def _ranked(grid: Grid, rows: list[Row], tenant: Tenant) -> list[Row]:
    """Filter, order and cut the rows of a grid."""
    if grid.filter is not None:
        wanted = grid.filter
        rows = [row for row in rows if _passes(row, wanted, tenant)]
    for column, falls in reversed(grid.order):
        rows = sorted(
            rows,
            key=cmp_to_key(_comparing(column, tenant)),
            reverse=falls,
        )
    return rows[: grid.limit]


def _comparing(column: str, tenant: Tenant) -> Callable[[Row, Row], int]:
    return lambda a, b: _compare(text(a[column]), text(b[column]), tenant)


def _passes(row: Row, wanted: Filter, tenant: Tenant) -> bool:
    order = _compare(text(row[wanted.column]), wanted.value, tenant)
    return _OPERATIONS[wanted.operation](order, 0)


def _compare(left: str, right: str, tenant: Tenant) -> int:
    """Compare two cells, as numbers where both are and the tenant knows it."""
    if tenant.comparison == "numeric":
        try:
            first, second = float(left), float(right)
        except ValueError:
            pass
        else:
            return (first > second) - (first < second)
    return (left > right) - (left < right)


def _written(row: Row, tenant: Tenant, *, bare: bool) -> dict[str, Any]:
    """Write a row in the style that the tenant's switches choose."""
    written: dict[str, Any] = {}
    for name, value in row.items():
        if value is None and tenant.nothing != "empty":
            if tenant.nothing == "null":
                written[name] = None
        elif bare and isinstance(value, int | float):
            written[name] = value
        else:
            written[name] = text(value)
    return written
