"""Which role may call which method, and which method makes which feed.

Roles: the method pages of the Management API reference. Those of SmartQueue are not published.
"""

from collections.abc import Collection, Mapping
from typing import Final

from exporter.collector.survey import Grant
from exporter.providers.voximplant.config import VoximplantConfig
from exporter.providers.voximplant.tables import TABLES

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


def grants(
    config: VoximplantConfig, answered: Collection[str], forbidden: Collection[str]
) -> list[Grant]:
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
            found.append(Grant(f"role for {method} ({role})", held=False, loss=loss))
        elif method in answered and method in ROLES:
            found.append(Grant(f"role for {method} ({role})", held=True))
    return found


def _uses(feed: str, method: str) -> bool:
    return method in OWN[feed] or feed in _INVENTORY.get(method, ())
