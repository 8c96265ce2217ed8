"""Which role may call which method, and which method makes which feed.

Roles: the method pages of the Management API reference. Those of SmartQueue are not published.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from exporter.collector.offers import Offer, Offers, mapping, taken_names
from exporter.collector.survey import Permission
from exporter.providers.voximplant.config import VoximplantConfig
from exporter.providers.voximplant.tables import SMARTQUEUE_REPORTS, TABLES

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
# The methods that each feed calls at every refresh; the rest is an inventory that is kept.
OWN: Final[Mapping[str, Collection[str]]] = {
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
assert OWN.keys() == TABLES.keys()
# What is called for names and lists of objects.
_INVENTORY: Final[Mapping[str, Collection[str]]] = {
    "GetApplications": ("operators", "smartqueue_state", "smartqueue_reports"),
    "GetQueues": ("state", "queue_statistics"),
    "GetUsers": ("operator_status", "operator_statistics"),
    "SQ_GetQueues": ("smartqueue_reports",),
}


def permissions(
    config: VoximplantConfig, answered: Collection[str], forbidden: Collection[str]
) -> list[Permission]:
    """Return which methods the key may call, by the role that each of them needs."""
    found = []
    for method in (*dict.fromkeys((*ROLES, *sorted({*answered, *forbidden} - {*ROLES}))),):
        feeds = [each for each in config.wanted_feeds() if _uses(each, method)]
        role = ROLES.get(method, _UNPUBLISHED)
        if method in forbidden:
            loss = (
                f"{', '.join(feeds) or 'Some names'} cannot be read. Give the service account the "
                "role in the Voximplant control panel, or switch those feeds off under feeds:"
            )
            found.append(Permission(f"role for {method} ({role})", granted=False, consequence=loss))
        elif method in answered and method in ROLES:
            found.append(Permission(f"role for {method} ({role})", granted=True))
    return found


def _uses(feed: str, method: str) -> bool:
    return method in OWN[feed] or feed in _INVENTORY.get(method, ())


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


def suggest(config: VoximplantConfig, seen: Offers) -> None:
    """Add the reports that are not read, and the keys that read them."""
    new = [name for name in REPORTS if name not in config.reports]
    seen.found += [
        Offer(SMARTQUEUE_REPORTS.name, name, "not mapped", parse="number") for name in new
    ]
    seen.notes += _notes(seen)
    if config.smartqueue is None:
        seen.notes.append("smartqueue: without that key nothing of SmartQueue is read")
    taken = taken_names(seen.found)
    wanted = [each for each in (*config.reports, *new) if each not in config.statistics]
    own: dict[str, Any] = {
        name: each.model_dump(exclude_defaults=True) for name, each in config.statistics.items()
    }
    added = {name: mapping(name, None, taken, "smartqueue") for name in wanted}
    smartqueue = config.smartqueue
    seen.keys["smartqueue"] = {
        "reports": [*config.reports, *new],
        **({"applications": list(smartqueue.applications)} if smartqueue else {}),
        **(
            {
                "report_seconds_scale": smartqueue.report_seconds_scale,
                "service_level_threshold": f"{smartqueue.service_level_threshold:g}s",
            }
            if smartqueue
            else {}
        ),
    }
    seen.keys["statistics"] = {**own, **added}


def _notes(seen: Offers) -> Iterator[str]:
    """Say of unknown fields that they cannot be mapped: only reports can."""
    strange = [
        f"{each.table}: {each.name}"
        for each in seen.found
        if each.use == "not mapped" and each.table != SMARTQUEUE_REPORTS.name
    ]
    if strange:
        yield f"fields that the exporter does not know; please report them: {', '.join(strange)}"
