"""What a Bright Pattern user may see, as far as refusals and empty grids tell.

Privileges: the vendor's Real-Time Statistics API. Nothing lists those of a user, so a privilege is
known to be held only where rows came.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from exporter.collector.offers import Offer, Offers, mapping, taken_names
from exporter.collector.survey import Collected, Permission, Survey, rows_of
from exporter.errors import ProviderError, Refused
from exporter.providers.brightpattern import tables as t
from exporter.providers.brightpattern.client import Declined, Expired, Unprivileged
from exporter.providers.brightpattern.config import CAMPAIGNS, BrightPatternConfig
from exporter.providers.brightpattern.directory import Directory
from exporter.providers.brightpattern.feeds import SUBSCRIPTION
from exporter.providers.brightpattern.subscription import Statistic, negotiate
from exporter.providers.brightpattern.tables import RATIOS, TOTALS

Post = Callable[[Sequence[Statistic]], Awaitable[None]]
KNOWN = tuple(name for name in TOTALS.ignored if name != "app")
_TIMES = ("_wait_time", "_threshold_time", "_speed_of_answer")


async def totals(config: BrightPatternConfig, post: Post, seen: Offers) -> None:
    """Subscribe to the known totals that are not mapped; add those that are taken to ``seen``.

    Raises ``ProviderError``.
    """
    mapped = config.statistics.totals
    wanted = [Statistic("totals", name) for name in KNOWN if name not in mapped]
    declined: set[Statistic] = set()
    if wanted:
        await _try(wanted, declined, post)
    for each in wanted:
        if each in declined:
            seen.notes.append(f"totals: {each.name} is not offered by this tenant")
        else:
            parse = _parser(config, each.name)
            seen.found.append(Offer(TOTALS.name, each.name, "not mapped", parse=parse))
    seen.notes.append(
        "the platform has no list of its statistics: others, by their names in the vendor's list, "
        "can be mapped under statistics: too"
    )


async def _try(wanted: Sequence[Statistic], declined: set[Statistic], post: Post) -> None:
    try:
        await post(wanted)
    except Declined as error:
        try:
            await negotiate(wanted, declined, post, str(error))
        except Refused:
            declined.update(wanted)


def _parser(config: BrightPatternConfig, name: str) -> str | None:
    if name in RATIOS:
        return config.scale(name)
    return "seconds" if name.endswith(_TIMES) else "number"


def suggest(config: BrightPatternConfig, seen: Offers) -> None:
    """Add the keys that map what is not mapped yet."""
    taken = taken_names(seen.found)
    own: dict[str, Any] = config.statistics.model_dump(exclude_defaults=True)
    found = {}
    for each in seen.found:
        if each.table != TOTALS.name or each.use != "not mapped":
            continue
        if each.parse is None:
            seen.notes.append(f"totals: {each.name} is a ratio; say ratio_scale: for it first")
            continue
        found[each.name] = mapping(each.name, each.parse, taken, "total")
    if found:
        seen.keys["statistics"] = {**own, "totals": {**own.get("totals", {}), **found}}


_STATS = "privilege Access Realtime Stats API"
_AGENTS = "privilege View real-time agent metrics"
_SERVICES = "privilege View real-time service metrics"
_TEAMS = "supervisor of teams"
_LISTS = "privilege for the List Management API"
_ASK = "Ask your Bright Pattern administrator to give it to this user"
_LICENCE = "HTTP 409"


def look(
    config: BrightPatternConfig, found: Collected, directory: Directory, result: Survey
) -> None:
    """Add what the answers reveal."""
    refusal = found.refusal or found.errors.get(SUBSCRIPTION)
    if isinstance(refusal, Unprivileged | Expired):
        result.permissions.append(
            Permission(_STATS, granted=False, consequence=f"The user may read nothing. {_ASK}")
        )
    elif refusal is not None and _LICENCE in str(refusal):
        result.faults.append(
            "no subscription is free: close a wallboard, or ask Bright Pattern for another licence"
        )
    if found.refusal is not None:
        return
    if SUBSCRIPTION in found.readings:
        result.permissions.append(Permission(_STATS, granted=True))
        result.permissions += _grids(found, directory)
    if CAMPAIGNS in config.wanted_feeds():
        result.permissions.append(_lists(found.errors.get(CAMPAIGNS)))
    for name in sorted(directory.unknown(config)):
        result.faults.append(f"teams or services: {name!r} is not seen: correct it, or see teams")
    for what in ("services", "teams"):
        entries = getattr(directory, what)
        if entries is not None:
            result.objects[what] = len(entries)


def _grids(found: Collected, directory: Directory) -> list[Permission]:
    """Return what the two grids reveal: one without rows where there must be some is closed."""
    agents, services = (rows_of(found, table) for table in (t.AGENTS, t.SERVICES))
    permissions = []
    if directory.teams is not None:
        loss = f"No agent is counted. {_ASK}: assign the user as supervisor of the teams to watch"
        permissions.append(Permission(_TEAMS, granted=bool(directory.teams), consequence=loss))
    if agents or directory.teams != []:
        loss = f"No agent is counted, though there are teams. {_ASK}, unless no team has an agent"
        permissions.append(Permission(_AGENTS, granted=bool(agents), consequence=loss))
    if services or directory.services != []:
        loss = f"No queue has figures, though there are services. {_ASK}"
        permissions.append(Permission(_SERVICES, granted=bool(services), consequence=loss))
    elif directory.teams:
        loss = f"No service is seen: its teams serve none, or a privilege is missing. {_ASK}"
        permissions.append(Permission(_SERVICES, granted=False, consequence=loss))
    return permissions


def _lists(error: ProviderError | None) -> Permission:
    """Return the grant behind campaigns, whose name is not documented."""
    if error is None:
        return Permission(_LISTS, granted=True)
    denied = "HTTP 403" in str(error) or "HTTP 401" in str(error)
    loss = f"No campaign is shown (the vendor does not name the privilege). {_ASK}"
    return Permission(_LISTS, granted=False if denied else None, consequence=loss)
