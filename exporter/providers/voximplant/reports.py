"""The reports of SmartQueue: which there are, and how those that are not read yet are added.

Names: GetSmartQueueRealtimeMetrics in the Management API reference. The platform lists none;
whether an account takes one shows when it is read.
"""

from collections.abc import Iterator
from typing import Any, Final

from exporter.collector.offers import Offer, Offers, mapping, taken_names
from exporter.providers.voximplant.config import VoximplantConfig
from exporter.providers.voximplant.tables import SMARTQUEUE_REPORTS

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
