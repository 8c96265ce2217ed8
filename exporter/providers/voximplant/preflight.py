"""Preflight: roles of a key by method, the state of the account, and unmapped SmartQueue reports.

Roles: method pages of the Management API reference. Those of SmartQueue are not published.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

from exporter.collector.offers import Offer, Offers, mapping, taken_names
from exporter.collector.survey import Permission, Survey
from exporter.metrics.parsers import Cell
from exporter.providers.voximplant.client import Client
from exporter.providers.voximplant.config import VoximplantConfig
from exporter.providers.voximplant.tables import FEED_TABLES, SMARTQUEUE_REPORTS

_FULL: Final = "Developer, Admin or Owner"
_SUPERVISOR: Final = "Supervisor, Developer, Admin or Owner"
_STATISTICS: Final = "Supervisor, User manager, Developer, Admin or Owner"
_UNPUBLISHED: Final = "a role that the vendor does not name; Developer, Admin or Owner may do"
ROLES: Final[Mapping[str, str]] = {
    "GetACDState": _FULL,
    "GetQueues": _SUPERVISOR,
    "GetUsers": _STATISTICS,
    "GetACDOperatorStatusStatistics": _STATISTICS,
    "GetACDOperatorStatistics": _STATISTICS,
    "GetACDQueueStatistics": _STATISTICS,
    "GetCallLists": "Supervisor, Support, Call list manager, Developer, Admin or Owner",
    "GetCallListDetails": "Call list manager, Developer, Admin or Owner",
}
# The methods that a feed calls at every refresh; those of the inventory are called less often.
FEED_METHODS: Final[Mapping[str, Collection[str]]] = {
    "state": ("GetACDState",),
    "operators": ("GetUsers",),
    "operator_status": ("GetACDOperatorStatusStatistics",),
    "operator_statistics": ("GetACDOperatorStatistics",),
    "queue_statistics": ("GetACDQueueStatistics",),
    "smartqueue_state": ("GetSQState",),
    "smartqueue_reports": ("GetSmartQueueRealtimeMetrics",),
    "queues": ("GetQueues",),
    "call_lists": ("GetCallLists", "GetCallListDetails"),
    "account": ("GetAccountInfo",),
}
assert FEED_METHODS.keys() == FEED_TABLES.keys()
# The feeds that need an inventory, by the method that reads it.
_INVENTORY: Final[Mapping[str, Collection[str]]] = {
    "GetApplications": ("operators", "smartqueue_state", "smartqueue_reports"),
    "GetQueues": ("state", "queue_statistics"),
    "GetUsers": ("operator_status", "operator_statistics"),
    "SQ_GetQueues": ("smartqueue_reports",),
}


def survey(
    config: VoximplantConfig, client: Client, account: Mapping[str, Cell], result: Survey
) -> None:
    """Add the roles that refused methods reveal, and the state of the account."""
    result.permissions = _permissions(config, client.allowed, client.forbidden)
    if account.get("frozen"):
        result.faults.append("the account is frozen: contact Voximplant")
    if account.get("active") == 0:
        result.faults.append("the account is not active: contact Voximplant")


def _permissions(
    config: VoximplantConfig, allowed: Collection[str], forbidden: Collection[str]
) -> list[Permission]:
    permissions = []
    for method in dict.fromkeys((*ROLES, *sorted({*allowed, *forbidden}))):
        feeds = [feed for feed in config.enabled_feeds() if _uses(feed, method)]
        name = f"role for {method} ({ROLES.get(method, _UNPUBLISHED)})"
        if method in forbidden:
            consequence = (
                f"{', '.join(feeds) or 'Some names'} cannot be read. Give the service account the "
                "role in the Voximplant control panel, or switch those feeds off under feeds:"
            )
            permissions.append(Permission(name, granted=False, consequence=consequence))
        elif method in allowed and method in ROLES:
            permissions.append(Permission(name, granted=True))
    return permissions


def _uses(feed: str, method: str) -> bool:
    return method in FEED_METHODS[feed] or feed in _INVENTORY.get(method, ())


_OF = ("min", "max", "average")
_IN_STATUS = (
    *("online", "ready", "dialing", "in_service", "in_service_incoming", "in_service_outcoming"),
    *("afterservice", "dnd", *(f"custom_{number}" for number in range(1, 11)), "banned"),
)
_IM_IN_STATUS = (
    *("online", "ready", "in_service", "dnd", *(f"custom_{number}" for number in range(1, 11))),
    "banned",
)
REPORTS: Final = (
    *("calls_blocked_percentage", "count_blocked_calls", "im_blocked_chats_percentage"),
    *("im_count_blocked_chats", "im_answered_chats_rate", "average_abandonment_rate"),
    *("count_abandonment_calls", "service_level", "im_service_level", "occupancy_rate"),
    *("im_agent_occupancy_rate", "agent_utilization_rate", "im_agent_utilization_rate"),
    *(f"sum_agents_{status}_time" for status in _IN_STATUS),
    *(f"im_sum_agents_{status}_time" for status in _IM_IN_STATUS),
    *(f"{which}_agents_idle_time" for which in _OF),
    *(f"percentile_0_{part}_agents_idle_time" for part in (25, 50, 75)),
    *(f"{which}_time_in_queue" for which in _OF),
    *(f"{which}_answer_speed" for which in _OF),
    *(f"im_{which}_answer_speed" for which in _OF),
    *(f"{which}_handle_time" for which in _OF),
    "count_handled_calls",
    *(f"{which}_after_call_worktime" for which in _OF),
    *("count_agent_unanswered_calls", "im_count_agent_unanswered_chats"),
    *(f"{which}_reaction_time" for which in _OF),
    *(f"im_{which}_reaction_time" for which in _OF),
    *("im_count_abandonment_chats", "im_count_lost_chats", "im_lost_chats_rate"),
    *("call_count_assigned_to_queue", "im_count_assigned_to_queue"),
)


def discover(config: VoximplantConfig, result: Offers) -> None:
    """Add the reports that are not read, and the configuration that reads them."""
    new = [name for name in REPORTS if name not in config.reports]
    result.items += [
        Offer(SMARTQUEUE_REPORTS.name, name, "not mapped", parse="number") for name in new
    ]
    unknown = [
        f"{offer.table}: {offer.name}"
        for offer in result.items
        if offer.use == "not mapped" and offer.table != SMARTQUEUE_REPORTS.name
    ]
    if unknown:
        result.notes.append(f"unknown fields; please report them: {', '.join(unknown)}")
    smartqueue = config.smartqueue
    if smartqueue is None:
        result.notes.append("smartqueue: without this key SmartQueue is not read")
    taken = taken_names(result.items)
    reports = [*config.reports, *new]
    own: dict[str, Any] = {
        name: column.model_dump(exclude_defaults=True) for name, column in config.statistics.items()
    }
    result.keys["smartqueue"] = {"reports": reports}
    if smartqueue is not None:
        result.keys["smartqueue"] |= {
            "applications": list(smartqueue.applications),
            "report_seconds_scale": smartqueue.report_seconds_scale,
            "service_level_threshold": f"{smartqueue.service_level_threshold:g}s",
        }
    result.keys["statistics"] = own | {
        name: mapping(name, None, taken, "smartqueue") for name in reports if name not in own
    }
