"""Preflight: permissions and unopened statistics of an account, and statistics it may map.

The Statistics API reference names no permission: the platform answers 403 to a user who may not
read, or who belongs to no contact centre. Names of statistics: the vendor's own pages, tutorials
and Agent API simulator.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from exporter.collector.offers import Offer, Offers, mapping, taken_names
from exporter.collector.survey import Collected, Permission, Survey
from exporter.errors import Refused, Unauthorized
from exporter.providers.genesys.client import AccessDenied, Client
from exporter.providers.genesys.config import GenesysConfig, table_of
from exporter.providers.genesys.statistics import AGENT_TYPES, ObjectStatistic
from exporter.providers.genesys.store import StatisticStore

_STATISTICS = "permission to read statistics"
_KEY = "api_key"
_EXAMPLES = 5  # statistics named in a line
_AGENT = (
    *("TimeInCurrentState", "TimeInCurrentStateVoice", "AverageHandlingTime", "InboundCalls"),
    *("OutboundCalls", "InternalCalls", "ConsultCalls", "InteractionTransferred", "RefusedCalls"),
    *("MissedCalls", "LoginDuration", "ReadyDuration", "NotReadyDuration", "TalkDuration"),
    *("HoldDuration", "WrapDuration", "Productivity", "Total_Login_Time", "Total_Not_Ready_Time"),
    *("Average_Handle_Time", "Average_Hold_Time", "Total_Calls_Outbound"),
)
_GROUP = (
    *("CurrentReadyAgents", "Current_In_Queue", "AverageWaitingTime", "ServiceLevel"),
    *("Total_Abandoned", "Total_Answered", "CurrNumberInboundStatuses"),
    *("CurrNumberOutboundStatuses", "CurrNumberInternalStatuses", "CurrNumberACWStatuses"),
    *("CurrNumberNotReadyStatuses", "CurrNumberWaitStatuses", "Total_Calls_Outbound"),
    *("Total_Login_Time", "Total_Not_Ready_Time", "Average_Handle_Time", "Average_Hold_Time"),
)
_QUEUE = (
    *("CurrentNumberWaitingCalls", "Current_In_Queue", "AverageWaitingTime"),
    *("CurrMaxCallWaitingTime", "ServiceLevel", "Total_Abandoned", "Total_Answered"),
    *("CurrNumberWaitingCalls", "ExpectedWaitTime", "Total_Calls_Entered", "Total_Calls_Offered"),
    *("Total_Calls_Answered", "Total_Calls_Answered_In_Threshold", "Total_Calls_Abandoned"),
    "Service_Level",
)
NAMES: Final[Mapping[str, Sequence[str]]] = {
    **dict.fromkeys(("Agent", "AgentPlace"), _AGENT),
    **dict.fromkeys(("GroupAgents", "GroupPlaces"), _GROUP),
    **dict.fromkeys(("Queue", "RoutePoint", "GroupQueues"), _QUEUE),
}
_PERCENT = ("ServiceLevel", "Service_Level")


def survey(
    config: GenesysConfig, collected: Collected, store: StatisticStore, result: Survey
) -> None:
    """Add permissions, the number of objects, and the statistics that are not open."""
    refusal = collected.refusal or next(iter(collected.errors.values()), None)
    if isinstance(refusal, AccessDenied) and "HTTP 403" in str(refusal):
        consequence = (
            "The platform answers 403. Ask Genesys, or your administrator, to let this user read "
            "statistics, and check that the user belongs to the contact centre"
        )
        result.permissions.append(Permission(_STATISTICS, granted=False, consequence=consequence))
    elif isinstance(refusal, Unauthorized) and "login was not accepted" not in str(refusal):
        state = "is not accepted" if config.api_key else "is not configured, and may be required"
        consequence = (
            f"The gateway refuses requests before the sign-in: the key {state}. Ask Genesys"
        )
        result.permissions.append(Permission(_KEY, granted=False, consequence=consequence))
    if collected.refusal is not None:
        return
    if collected.readings:
        result.permissions.append(Permission(_STATISTICS, granted=True))
    unopened = set(store.unopened)
    objects = {
        (statistic.object_type, statistic.object_id)
        for index, statistic in enumerate(store.statistics)
        if index not in unopened
    }
    counts = Counter(object_type for object_type, _ in objects)
    for object_type, count in sorted(counts.items()):
        result.objects[f"{object_type} objects"] = count
    failed = [store.statistics[index] for index in sorted(unopened)]
    total = len(store.statistics)
    undocumented = [statistic for statistic in failed if not statistic.stat_type.documented]
    documented = [statistic for statistic in failed if statistic.stat_type.documented]
    result.hints += _not_opened(undocumented, total, "this release may not have them")
    result.faults += _not_opened(documented, total, "check the ids and types under objects:")


def _not_opened(statistics: Sequence[ObjectStatistic], total: int, remedy: str) -> list[str]:
    if not statistics:
        return []
    examples = "; ".join(list(dict.fromkeys(map(str, statistics)))[:_EXAMPLES])
    return [f"statistics not opened: {len(statistics)} of {total}, such as {examples}: {remedy}"]


async def discover(config: GenesysConfig, client: Client, result: Offers) -> None:
    """Request every known name, for one object of each type. Raises ``ProviderError``."""
    taken = taken_names(result.items)
    own = [statistic.model_dump(exclude_defaults=True) for statistic in config.statistics]
    mapped = {(statistic.object_type, statistic.name) for statistic in config.statistics}
    added: list[dict[str, Any]] = []
    for object_type, ids in _ids_by_type(config).items():
        if object_type not in NAMES:
            continue
        if object_type in AGENT_TYPES and config.agents == "aggregate":
            result.notes.append(
                f"{object_type}: rows are agents; requires agents: hashed, id or name"
            )
            continue
        names = [name for name in NAMES[object_type] if (object_type, name) not in mapped]
        table = table_of(object_type)
        for name in await _defined_names(client, object_type, ids[0], names):
            parse = "percent" if name in _PERCENT else None
            result.items.append(Offer(table.name, name, "not mapped", parse=parse or "number"))
            keys = mapping(name, parse, taken, table.subject or "object")
            added.append({"name": name, "object_type": object_type, "object_ids": ids, **keys})
    if added:
        result.keys["statistics"] = [*own, *added]
    result.notes.append(
        "the platform lists neither objects nor names of statistics: only names from the vendor's "
        "pages were tried; other names that your contact centre has defined can be mapped too"
    )


def _ids_by_type(config: GenesysConfig) -> dict[str, list[str]]:
    ids_by_type: dict[str, dict[str, None]] = {}
    for objects in config.objects:
        ids_by_type.setdefault(objects.type, {}).update(dict.fromkeys(objects.ids))
    for own in config.statistics:
        ids_by_type.setdefault(own.object_type, {}).update(dict.fromkeys(own.object_ids))
    return {object_type: list(ids) for object_type, ids in ids_by_type.items()}


async def _defined_names(
    client: Client, object_type: str, object_id: str, names: Sequence[str]
) -> list[str]:
    """Return the names that the contact centre has defined.

    All are requested together; one by one where that is refused.
    """

    async def request(chunk: Sequence[str]) -> list[str]:
        entries = await client.get_values((name, object_type, object_id) for name in chunk)
        defined = {entry.get("name") for entry in entries}
        return [name for name in chunk if name in defined]

    if not names:
        return []
    with suppress(Refused):
        return await request(names)
    defined = []
    for name in names:
        with suppress(Refused):
            defined += await request([name])
    return defined
