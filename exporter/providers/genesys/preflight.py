"""What a Genesys user may read, which statistics were opened, and which names the centre knows.

The Statistics API reference names no permission: it answers 403 to who may not read, or belongs to
no contact centre. Names of statistics: the vendor's own pages, tutorials and Agent API simulator.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from exporter.collector.offers import Offer, Offers, mapping, taken_names
from exporter.collector.survey import Collected, Permission, Survey
from exporter.errors import Refused, SessionLost, Unauthorized
from exporter.providers.genesys.client import Client
from exporter.providers.genesys.config import GenesysConfig, table_of
from exporter.providers.genesys.statistics import AGENT_TYPES
from exporter.providers.genesys.store import Book

_STATISTICS = "permission to read statistics"
_KEY = "api_key"
_MOST_NAMED = 5
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


def look(config: GenesysConfig, found: Collected, book: Book, result: Survey) -> None:
    """Add what the answers reveal."""
    refusal = found.refusal or next(iter(found.errors.values()), None)
    if isinstance(refusal, SessionLost) and "HTTP 403" in str(refusal):
        loss = (
            "The platform answers 403. Ask Genesys, or your administrator, to let this user read "
            "statistics, and see that it belongs to the contact centre"
        )
        result.permissions.append(Permission(_STATISTICS, granted=False, consequence=loss))
    elif isinstance(refusal, Unauthorized) and "login was not accepted" not in str(refusal):
        is_given = "is not accepted" if config.api_key else "is not given, and may be required"
        loss = (
            f"The gateway refuses before anybody signs in: the key {is_given}. Ask Genesys for it"
        )
        result.permissions.append(Permission(_KEY, granted=False, consequence=loss))
    if found.refusal is not None:
        return
    if found.readings:
        result.permissions.append(Permission(_STATISTICS, granted=True))
    _opened(book, result)


def _opened(book: Book, result: Survey) -> None:
    """Count the objects of which something is open, and say what is not; persons are not named."""
    missing = set(book.missing)
    objects = {
        (each.kind, each.identity) for at, each in enumerate(book.statistics) if at not in missing
    }
    for kind, count in sorted(Counter(kind for kind, _ in objects).items()):
        result.objects[f"{kind} objects"] = count
    total = len(book.statistics)
    result.hints += _missing(book, missing, total, guess=True)
    result.faults += _missing(book, missing, total, guess=False)


def _missing(book: Book, missing: set[int], total: int, *, guess: bool) -> list[str]:
    lost = [book.statistics[at] for at in sorted(missing)]
    lost = [each for each in lost if each.wanted.guess is guess]
    if not lost:
        return []
    named = [
        f"{each.wanted.header} of {each.kind}"
        + ("" if each.kind in AGENT_TYPES else f" {each.identity}")
        for each in lost
    ]
    shown = "; ".join(list(dict.fromkeys(named))[:_MOST_NAMED])
    what = "this release may not have them" if guess else "check the ids and types under objects:"
    return [f"statistics not opened: {len(lost)} of {total}, such as {shown}: {what}"]


async def discover(config: GenesysConfig, client: Client, seen: Offers) -> None:
    """Ask for the known names, of one object of each type. Raises ``ProviderError``."""
    taken = taken_names(seen.found)
    own = [each.model_dump(exclude_defaults=True) for each in config.statistics]
    mapped = {(each.object_type, each.name) for each in config.statistics}
    added: list[dict[str, Any]] = []
    for kind, ids in _ids(config).items():
        if kind not in NAMES:
            continue
        if kind in AGENT_TYPES and config.agents == "aggregate":
            seen.notes.append(f"{kind}: its objects are persons; needs agents: hashed, id or name")
            continue
        wanted = [name for name in NAMES[kind] if (kind, name) not in mapped]
        table = table_of(kind)
        for name in await _known(client, kind, ids[0], wanted):
            parse = "percent" if name in _PERCENT else None
            seen.found.append(Offer(table.name, name, "not mapped", parse=parse or "number"))
            keys = mapping(name, parse, taken, table.subject or "object")
            added.append({"name": name, "object_type": kind, "object_ids": ids, **keys})
    if added:
        seen.keys["statistics"] = [*own, *added]
    seen.notes.append(
        "the platform lists neither objects nor names of statistics: only names that the vendor's "
        "pages show were tried; what your centre has defined besides can be mapped too"
    )


def _ids(config: GenesysConfig) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in config.objects:
        found.setdefault(each.type, []).extend(each.ids)
    for own in config.statistics:
        found.setdefault(own.object_type, []).extend(own.object_ids)
    return {kind: list(dict.fromkeys(ids)) for kind, ids in found.items()}


async def _known(client: Client, kind: str, identity: str, names: Sequence[str]) -> list[str]:
    """Return which names the contact centre has; asked together, one by one if that is refused."""

    async def ask(some: Sequence[str]) -> list[str]:
        asked = [{"name": name, "objectId": identity, "objectType": kind} for name in some]
        known = {each.get("name") for each in await client.values(asked)}
        return [name for name in some if name in known]

    if not names:
        return []
    try:
        return await ask(names)
    except Refused:
        found = []
        for name in names:
            try:
                found += await ask([name])
            except Refused:
                continue  # not one of this centre's
        return found
