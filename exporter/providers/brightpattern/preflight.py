"""Privileges of a Bright Pattern user, and the totals that are not mapped.

Source: Bright Pattern, Real-Time Statistics API. No request lists a user's privileges, so
one is known to be granted only where rows came.
"""

from collections.abc import Collection
from typing import Any

from exporter.collector.offers import Offer, Offers, mapping, taken_names
from exporter.collector.survey import Collected, Permission, Survey, rows_of
from exporter.errors import ProviderError, Refused
from exporter.providers.brightpattern import tables as t
from exporter.providers.brightpattern.client import (
    PrivilegeMissing,
    SubscriptionDeclined,
    TokenRejected,
)
from exporter.providers.brightpattern.config import CAMPAIGNS, SUBSCRIPTION, BrightPatternConfig
from exporter.providers.brightpattern.directory import Directory
from exporter.providers.brightpattern.subscription import (
    GridStatistic,
    Subscribe,
    subscribe_accepted,
)

KNOWN_TOTALS = tuple(name for name in t.TOTALS.ignored if name != "app")
_IN_SECONDS = ("_wait_time", "_threshold_time", "_speed_of_answer")
_STATS = "privilege Access Realtime Stats API"
_AGENTS = "privilege View real-time agent metrics"
_SERVICES = "privilege View real-time service metrics"
_TEAMS = "supervisor of teams"
_LISTS = "privilege for the List Management API"
_ASK = "Ask your Bright Pattern administrator to grant it to this user"


def survey(
    config: BrightPatternConfig, collected: Collected, directory: Directory, result: Survey
) -> None:
    """Add the privileges that readings and refusals show, and configured names not visible."""
    refusal = collected.refusal or collected.errors.get(SUBSCRIPTION)
    if isinstance(refusal, PrivilegeMissing | TokenRejected):
        text = f"The user may not read anything. {_ASK}"
        result.permissions.append(Permission(_STATS, granted=False, consequence=text))
    if collected.refusal is not None:
        return
    if SUBSCRIPTION in collected.readings:
        result.permissions.append(Permission(_STATS, granted=True))
        result.permissions += _from_grids(collected, directory)
    if CAMPAIGNS in config.enabled_feeds():
        result.permissions.append(_list_management(collected.errors.get(CAMPAIGNS)))
    for name in sorted(directory.unknown(config)):
        result.faults.append(
            f"teams or services: {name!r} is not visible to the user. Correct the name, or make "
            "the user a supervisor of the team"
        )
    for kind in ("services", "teams"):
        entries = getattr(directory, kind)
        if entries is not None:
            result.objects[kind] = len(entries)


def _from_grids(collected: Collected, directory: Directory) -> list[Permission]:
    """Return the privileges of the two grids; an empty grid that should have rows lacks its own."""
    agents, services = (rows_of(collected, table) for table in (t.AGENTS, t.SERVICES))
    permissions = []
    if directory.teams is not None:
        text = f"No agents. {_ASK}: assign the user as supervisor of the teams to export"
        permissions.append(Permission(_TEAMS, granted=bool(directory.teams), consequence=text))
    if agents or directory.teams != []:
        text = f"No agents, although there are teams. {_ASK}, unless no team has an agent"
        permissions.append(Permission(_AGENTS, granted=bool(agents), consequence=text))
    if services or directory.services != []:
        text = f"No queue figures, although there are services. {_ASK}"
        permissions.append(Permission(_SERVICES, granted=bool(services), consequence=text))
    elif directory.teams:
        text = f"No visible service: the teams have none, or the privilege is missing. {_ASK}"
        permissions.append(Permission(_SERVICES, granted=False, consequence=text))
    return permissions


def _list_management(error: ProviderError | None) -> Permission:
    """Return the privilege for campaigns, whose name is not documented."""
    if error is None:
        return Permission(_LISTS, granted=True)
    denied = "HTTP 403" in str(error) or "HTTP 401" in str(error)
    text = f"No campaigns; the vendor does not name the privilege. {_ASK}"
    return Permission(_LISTS, granted=False if denied else None, consequence=text)


async def discover(
    config: BrightPatternConfig,
    subscribe: Subscribe,
    declined: Collection[GridStatistic],
    result: Offers,
) -> None:
    """Subscribe to the known totals that are not mapped; add the keys that map the accepted ones.

    ``declined`` are the statistics of the other grids that the tenant declines. Raises
    ``ProviderError``.
    """
    totals = [
        GridStatistic("totals", name)
        for name in KNOWN_TOTALS
        if name not in config.statistics.totals
    ]
    rejected = await _declined_totals(totals, subscribe) if totals else set()
    taken = taken_names(result.items)
    own: dict[str, Any] = config.statistics.model_dump(exclude_defaults=True)
    mappings: dict[str, Any] = {}
    for _, name in (total for total in totals if total not in rejected):
        parse = _parser(name)
        result.items.append(Offer(t.TOTALS.name, name, "not mapped", parse=parse))
        mappings[name] = mapping(name, parse, taken, "total")
    if mappings:
        result.keys["statistics"] = {**own, "totals": {**own.get("totals", {}), **mappings}}
    result.notes += [
        f"{grid}: {name} is not offered by this tenant"
        for grid, name in (
            *(total for total in totals if total in rejected),
            *sorted(declined),
        )
    ]
    result.notes.append(
        "the platform does not list its statistics; others, by their names in the vendor's list, "
        "can be mapped under statistics: too"
    )


async def _declined_totals(totals: list[GridStatistic], subscribe: Subscribe) -> set[GridStatistic]:
    """Subscribe to totals; return those that the platform declines."""
    declined: set[GridStatistic] = set()
    try:
        await subscribe(totals)
    except SubscriptionDeclined as error:
        try:
            await subscribe_accepted(totals, declined, subscribe, str(error))
        except Refused:
            return set(totals)
    return declined


def _parser(name: str) -> str:
    """Return the parser of a total."""
    if name in t.RATIOS:
        return "share"
    return "seconds" if name.endswith(_IN_SECONDS) else "number"
