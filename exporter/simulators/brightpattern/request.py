"""Parser of a subscription's body: strict, refuses the whole body for one mistake.

Members are those of the Real-Time Statistics API (Postman collection), but for chat messages and
the SUM columns of releases up to 5.2, which are refused as unknown. That unknown members are
refused is known from a comment in the vendor's wallboard.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from exporter.simulators.brightpattern.figures import names
from exporter.simulators.brightpattern.tenant import Tenant

# The vendor publishes no codes; these are made up.
MALFORMED, WRONG_TYPE, UNKNOWN_MEMBER = 1001, 1002, 1003
UNKNOWN_STATISTIC, UNKNOWN_COLUMN = 1004, 1005
LICENCE_EXCEEDED = 2001

_OPERATIONS = ("EQ", "NE", "LT", "GT", "LE", "GE")
_ORDERS = ("ASC", "DESC")

Json = Any


class RefusedError(Exception):
    """A body that is refused."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Column(NamedTuple):
    """One column of a grid: a statistic, limited to some dispositions if it counts them."""

    id: str
    name: str
    dispositions: tuple[str, ...]


class Filter(NamedTuple):
    """Condition on the rows of a grid."""

    column: str
    operation: str
    value: str


@dataclass(frozen=True)
class Grid:
    """One grid."""

    id: str | int
    columns: tuple[Column, ...]
    order: tuple[tuple[str, bool], ...]  # column, whether descending
    limit: int | None
    filter: Filter | None
    team_ids: frozenset[str]
    service_ids: frozenset[str]
    logged_in_only: bool = False
    subteam_only: bool = False


@dataclass(frozen=True)
class Block:
    """One application of a subscription; None is a member that is absent."""

    totals: tuple[str, ...] | None
    service_ids: frozenset[str]
    dispositions: tuple[str, ...]
    service_grids: tuple[Grid, ...] | None
    agent_grids: tuple[Grid, ...] | None


def read(body: Json, tenant: Tenant) -> dict[str, Block]:
    """Return the blocks of a subscription by application. Raises ``RefusedError``."""
    applications = _Members("the body", body, tenant)
    if not applications.members:
        raise RefusedError(MALFORMED, "the subscription is empty")
    return {name: _block(name, block, tenant) for name, block in applications.members.items()}


class _Members:
    """The members of one JSON object; members that are not taken are unknown."""

    def __init__(self, path: str, value: Json, tenant: Tenant) -> None:
        if not isinstance(value, dict):
            raise RefusedError(WRONG_TYPE, f"{path}: an object is expected")
        self.path = path
        self.members: Mapping[str, Json] = value
        self.tenant = tenant
        self._known: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name in self.members

    def take(self, name: str, convert: Callable[[str, Json], Json], default: Json) -> Json:
        """Return a member, or the default if it is absent."""
        self._known.add(name)
        if name not in self.members:
            return default
        return convert(f"{self.path}.{name}", self.members[name])

    def need(self, name: str, convert: Callable[[str, Json], Json]) -> Json:
        """Return a required member."""
        if name not in self.members:
            raise RefusedError(MALFORMED, f"{self.path}: {name} is required")
        return self.take(name, convert, None)

    def close(self) -> None:
        """Refuse members that were not taken."""
        unknown = sorted(set(self.members) - self._known)
        if unknown:
            raise RefusedError(UNKNOWN_MEMBER, f"{self.path}: unrecognized field {unknown[0]!r}")


def _text(path: str, value: Json) -> str:
    if not isinstance(value, str):
        raise RefusedError(WRONG_TYPE, f"{path}: a string is expected")
    return value


def _texts(path: str, value: Json) -> tuple[str, ...]:
    return tuple(_text(path, item) for item in _array(path, value))


def _array(path: str, value: Json) -> Sequence[Json]:
    if not isinstance(value, list):
        raise RefusedError(WRONG_TYPE, f"{path}: an array is expected")
    return value


def _id(path: str, value: Json) -> str | int:
    """Read an id; one example of the vendor has a number."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise RefusedError(WRONG_TYPE, f"{path}: a string is expected")
    return value


def _column_id(path: str, value: Json) -> str:
    return str(_id(path, value))


def _guids(path: str, value: Json) -> frozenset[str]:
    guids = frozenset(_texts(path, value))
    for guid in guids:
        try:
            UUID(guid)
        except ValueError:
            raise RefusedError(WRONG_TYPE, f"{path}: {guid!r} is not a GUID") from None
    return guids


def _limit(path: str, value: Json) -> int:
    """Read a limit: a string in one document of the vendor, a number in the other."""
    digits = isinstance(value, str) and value.isascii() and value.isdecimal()
    number = int(value) if digits else value
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise RefusedError(WRONG_TYPE, f"{path}: a positive integer is expected")
    return number


def _boolean(path: str, value: Json) -> bool:
    words = {"true": True, "false": False}
    if isinstance(value, str) and value in words:
        return words[value]
    if not isinstance(value, bool):
        raise RefusedError(WRONG_TYPE, f"{path}: a boolean is expected")
    return value


def _one_of(words: Sequence[str]) -> Callable[[str, Json], str]:
    def convert(path: str, value: Json) -> str:
        if _text(path, value) not in words:
            raise RefusedError(WRONG_TYPE, f"{path}: {value!r} is not one of {', '.join(words)}")
        return str(value)

    return convert


def _block(name: str, value: Json, tenant: Tenant) -> Block:
    members = _Members(name, value, tenant)

    def grids(kind: str) -> Callable[[str, Json], tuple[Grid, ...]]:
        return lambda path, value: _grids(path, value, kind, tenant)

    block = Block(
        totals=members.take("stats_totals", _texts, None),
        service_ids=members.take("stats_totals_service_ids", _guids, frozenset()),
        dispositions=members.take("stats_totals_dispositions", _texts, ()),
        service_grids=members.take("service_grids", grids("service"), None),
        agent_grids=members.take("agent_grids", grids("agent"), None),
    )
    members.close()
    for statistic in block.totals or ():
        _check_statistic(f"{name}.stats_totals", statistic, "totals", tenant)
    return block


def _grids(path: str, value: Json, kind: str, tenant: Tenant) -> tuple[Grid, ...]:
    grids = tuple(
        _grid(f"{path}[{index}]", item, kind, tenant)
        for index, item in enumerate(_array(path, value))
    )
    if len({grid.id for grid in grids}) < len(grids):
        raise RefusedError(MALFORMED, f"{path}: two grids have one id")
    return grids


def _grid(path: str, value: Json, kind: str, tenant: Tenant) -> Grid:
    members = _Members(path, value, tenant)
    columns = tuple(
        _column(f"{path}.columns[{index}]", item, kind, tenant)
        for index, item in enumerate(members.need("columns", _array))
    )
    known = {column.id for column in columns}
    if not known or len(known) < len(columns):
        raise RefusedError(MALFORMED, f"{path}.columns: ids must be present and different")
    agents = kind == "agent"
    grid = Grid(
        id=members.need("id", _id),
        columns=columns,
        order=_order(members),
        limit=members.take("limit", _limit, tenant.default_limit),
        filter=_filter(members),
        team_ids=members.take("team_ids", _guids, frozenset()) if agents else frozenset(),
        service_ids=members.take("service_ids", _guids, frozenset()),
        logged_in_only=(
            members.take("logged_in_agents_only", _boolean, default=False) if agents else False
        ),
        subteam_only=members.take("my_subteam_only", _boolean, default=False) if agents else False,
    )
    members.close()
    referenced = [column for column, _ in grid.order]
    referenced += [grid.filter.column] if grid.filter is not None else []
    for column in referenced:
        if column not in known:
            raise RefusedError(UNKNOWN_COLUMN, f"{path}: there is no column {column!r}")
    return grid


def _order(members: _Members) -> tuple[tuple[str, bool], ...]:
    """Read the order of rows: one column in older clients, several in newer ones."""
    by = members.take("order_by", _column_id, None)
    descending = members.take("order_dir", _one_of(_ORDERS), "ASC") == "DESC"
    items = members.take("order", _array, None)
    if items is None:
        return () if by is None else ((by, descending),)
    order = []
    for index, value in enumerate(items):
        item = _Members(f"{members.path}.order[{index}]", value, members.tenant)
        column = item.need("by", _column_id)
        order.append((column, item.take("dir", _one_of(_ORDERS), "ASC") == "DESC"))
        item.close()
    return tuple(order)


def _filter(members: _Members) -> Filter | None:
    by = members.take("filter_by", _column_id, None)
    value = members.take("filter_value", _text, "")
    operation = members.take("filter_operation", _one_of(_OPERATIONS), "EQ")
    return None if by is None else Filter(by, operation, value)


def _column(path: str, value: Json, kind: str, tenant: Tenant) -> Column:
    members = _Members(path, value, tenant)
    column_id = members.need("id", _column_id)
    name = _statistic(members)
    dispositions = members.take("dispositions", _texts, ())
    members.close()
    _check_statistic(path, name, kind, tenant)
    return Column(column_id, name, dispositions)


def _statistic(members: _Members) -> str:
    """Read the name of a column's statistic under a key that the server accepts."""
    spelling = members.tenant.column_key
    keys = ("stat_name", "statName") if spelling == "both" else (spelling,)
    given = [key for key in keys if key in members]
    if len(given) > 1:
        raise RefusedError(MALFORMED, f"{members.path}: the statistic is named twice")
    name: str = members.need(given[0] if given else keys[0], _text)
    return name


def _check_statistic(path: str, name: str, kind: str, tenant: Tenant) -> None:
    if tenant.unknown_statistics == "refuse" and name not in names(tenant, kind):
        raise RefusedError(UNKNOWN_STATISTIC, f"{path}: unknown statistic {name!r}")
