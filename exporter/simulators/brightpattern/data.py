"""Answers to a subscription: totals and the rows of grids."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cmp_to_key, partial
from operator import eq, ge, gt, le, lt, ne
from typing import Any, TypeVar

from exporter.simulators.brightpattern.figures import (
    AGENT,
    DISPOSITIONS,
    SERVICE,
    AgentNow,
    Service,
    ServiceGroup,
    Value,
    View,
    names,
)
from exporter.simulators.brightpattern.request import Block, Column, Filter, Grid
from exporter.simulators.brightpattern.tenant import Tenant
from exporter.simulators.floor.figures import LOGGED_OUT

Subject = TypeVar("Subject", ServiceGroup, AgentNow)
Row = dict[str, Value]

_OPERATIONS: Mapping[str, Callable[[int, int], bool]] = {
    "EQ": eq,
    "NE": ne,
    "LT": lt,
    "GT": gt,
    "LE": le,
    "GE": ge,
}


def text(value: Value) -> str:
    """Write a value as the platform does: a string, empty where there is no value."""
    if value is None:
        return ""
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def answer(block: Block, view: View) -> dict[str, Any]:
    """Return the data of one application of a subscription."""
    tenant = view.tenant
    shows_services = tenant.may_see_services or tenant.unseen == "empty"
    sees_agents = tenant.may_see_agents and tenant.supervised_teams != frozenset()
    data: dict[str, Any] = {}
    if block.totals is not None and shows_services:
        figures = totals(view, block.totals, block.service_ids, block.dispositions)
        data["stats_totals"] = _written(figures, tenant, bare=tenant.numbers != "strings")
    if block.service_grids is not None and shows_services:
        data["service_grids"] = _grids(block.service_grids, view, services)
    if block.agent_grids is not None and (sees_agents or tenant.unseen == "empty"):
        data["agent_grids"] = _grids(block.agent_grids, view, agents)
    return data


def totals(
    view: View,
    statistics: Iterable[str],
    service_ids: frozenset[str] = frozenset(),
    dispositions: Sequence[str] = (),
) -> Row:
    """Return statistics over some services, over all visible ones if no id is given."""
    services = _services(view, service_ids) if view.tenant.may_see_services else []
    columns = [Column(name, name, tuple(dispositions)) for name in statistics]
    return _row(
        ServiceGroup(view, services, "totals"), columns, names(view.tenant, "totals"), SERVICE
    )


def services(grid: Grid, view: View) -> list[Row]:
    """Return the rows of a service grid, before order and limit."""
    if not view.tenant.may_see_services:
        return []
    known = names(view.tenant, "service")
    return [
        _row(ServiceGroup(view, [service], "service"), grid.columns, known, SERVICE)
        for service in _services(view, grid.service_ids)
    ]


def agents(grid: Grid, view: View) -> list[Row]:
    """Return the rows of an agent grid, before order and limit."""
    tenant = view.tenant
    if not tenant.may_see_agents or grid.subteam_only:  # nobody leads a subteam on this floor
        return []
    teams = {team.name for team in view.teams if not grid.team_ids or team.id in grid.team_ids}
    staff = None
    if grid.service_ids:
        staff = {agent.username for agent in view.staff(_services(view, grid.service_ids))}
    known = names(tenant, "agent")
    return [
        _row(AgentNow(view, agent), grid.columns, known, AGENT)
        for agent in view.agents
        if agent.team in teams
        and (staff is None or agent.username in staff)
        and (not grid.logged_in_only or agent.state != LOGGED_OUT)
    ]


def _services(view: View, ids: frozenset[str]) -> list[Service]:
    return [service for service in view.services if not ids or service.id in ids]


def _row(
    subject: Subject,
    columns: Iterable[Column],
    known: frozenset[str],
    statistics: Mapping[str, Callable[[Subject], Value]],
) -> Row:
    row: Row = {}
    for column in columns:
        if column.name not in known:
            row[column.id] = None
        elif column.name == DISPOSITIONS:
            row[column.id] = subject.disposed(column.dispositions)
        else:
            row[column.id] = statistics[column.name](subject)
    return row


def _grids(
    grids: Iterable[Grid], view: View, rows_of: Callable[[Grid, View], list[Row]]
) -> list[dict[str, Any]]:
    bare = view.tenant.numbers == "bare"
    return [
        {
            "id": grid.id,
            "values": [
                _written(row, view.tenant, bare=bare)
                for row in _arranged(grid, rows_of(grid, view))
            ],
        }
        for grid in grids
    ]


def _arranged(grid: Grid, rows: list[Row]) -> list[Row]:
    """Filter, order and limit the rows of a grid."""
    if grid.filter is not None:
        rows = [row for row in rows if _passes(row, grid.filter)]
    for column, descending in reversed(grid.order):
        rows = sorted(rows, key=cmp_to_key(partial(_compare_rows, column)), reverse=descending)
    return rows[: grid.limit]


def _compare_rows(column: str, left: Row, right: Row) -> int:
    return _compare(text(left[column]), text(right[column]))


def _passes(row: Row, chosen: Filter) -> bool:
    return _OPERATIONS[chosen.operation](_compare(text(row[chosen.column]), chosen.value), 0)


def _compare(left: str, right: str) -> int:
    """Compare two cells, as numbers where both are."""
    try:
        first, second = float(left), float(right)
    except ValueError:
        return (left > right) - (left < right)
    return (first > second) - (first < second)


def _written(row: Row, tenant: Tenant, *, bare: bool) -> dict[str, Any]:
    """Write a row in the format of the tenant's switches."""
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
