"""Which statistics the simulator knows, under their protocol names, and where each may stand.

``SEEN`` are the names that vendor documents or clients have shown in a kind of block, ``LIKELY``
those that belong there without anybody having shown it. "calls" in a name means interactions of
any channel.
"""

from collections.abc import Callable, Mapping

from exporter.simulators.brightpattern.agents import AgentNow
from exporter.simulators.brightpattern.services import Group, Value
from exporter.simulators.brightpattern.tenant import Tenant, object_id

DISPOSITIONS = "calls_dispositions_per_day"
SUM = "SUM"


def _count(name: str) -> Callable[[Group], Value]:
    return lambda group: group.count(name)


def _agent_count(name: str) -> Callable[[AgentNow], Value]:
    return lambda agent: agent.count(name)


GROUP: Mapping[str, Callable[[Group], Value]] = {
    "name": lambda g: g.services[0].name,
    "in_calls_waiting": Group.waiting,
    "in_max_wait_time": Group.max_wait,
    "agents_logged": Group.logged_in,
    "agents_ready": Group.ready,
    "agents_busy": Group.busy,
    "service_level": Group.service_level,
    "service_level_target": Group.target,
    "service_level_threshold_time": Group.threshold,
    "in_calls_received_per_day": _count("in_calls_received_per_day"),
    "in_calls_queued_per_day": _count("in_calls_queued_per_day"),
    "in_calls_abandoned_in_queue_per_day": Group.long_abandoned,
    "in_calls_short_abandoned_in_queue_per_day": _count(
        "in_calls_short_abandoned_in_queue_per_day"
    ),
    "in_calls_abandoned_total_per_day": _count("in_calls_abandoned_total_per_day"),
    "in_calls_abandoned_in_queue_ratio_per_day": Group.long_share,
    "in_calls_short_abandoned_in_queue_ratio_per_day": lambda g: g.share(
        "in_calls_short_abandoned_in_queue_per_day"
    ),
    "in_calls_abandoned_percent_per_day": lambda g: g.percent("in_calls_abandoned_total_per_day"),
    "in_average_speed_of_answer": Group.mean_answer,
    "out_calls_answered_per_day": _count("out_calls_answered_per_day"),
    "out_calls_handled_per_day": _count("out_calls_handled_per_day"),
    "in_calls_handled_per_day": _count("in_calls_handled_per_day"),
    DISPOSITIONS: lambda g: g.disposed(()),
}
AGENT: Mapping[str, Callable[[AgentNow], Value]] = {
    "login_id": lambda a: a.agent.username,
    "firstname": lambda a: a.agent.first_name,
    "lastname": lambda a: a.agent.last_name,
    "first_last_name": lambda a: a.agent.name,
    "last_first_name": lambda a: f"{a.agent.last_name} {a.agent.first_name}",
    "user_id": lambda a: a.agent.guid.upper(),
    "team_id": lambda a: object_id(f"team {a.agent.team}"),
    "team_name": lambda a: a.agent.team,
    "extension": lambda a: str(a.agent.id),
    "is_agent": AgentNow.is_agent,
    "acd_state": AgentNow.state,
    "acd_next_state": AgentNow.next_state,
    "reason": AgentNow.reason,
    "state_duration": AgentNow.state_seconds,
    "login_time": AgentNow.login_time,
    "active_item_talk_duration": AgentNow.talk_seconds,
    "active_item_hold_duration": AgentNow.hold_seconds,
    "active_item_media_type": AgentNow.media,
    "agent_total_ready_time": AgentNow.ready_time,
    "agent_total_busy_time": AgentNow.busy_time,
    "agent_total_ACW_time": _agent_count("agent_total_ACW_time"),
    "agent_total_break_time": _agent_count("agent_total_break_time"),
    "calls_average_handling_time_per_day": AgentNow.handle_time,
    "in_calls_handled_per_day": _agent_count("in_calls_handled_per_day"),
    "out_calls_handled_per_day": _agent_count("out_calls_handled_per_day"),
    DISPOSITIONS: lambda a: a.disposed(()),
}

_TOTALS_SEEN = frozenset(
    [
        *("in_calls_waiting", "in_max_wait_time", "in_calls_received_per_day"),
        *("in_calls_queued_per_day", "in_calls_abandoned_in_queue_per_day"),
        *("in_calls_abandoned_in_queue_ratio_per_day", "in_average_speed_of_answer"),
        "in_calls_short_abandoned_in_queue_per_day",
        "in_calls_short_abandoned_in_queue_ratio_per_day",
        *("service_level", "service_level_threshold_time", "out_calls_answered_per_day"),
        *("agents_logged", "agents_ready"),
    ]
)
_TOTALS_LIKELY = frozenset(
    [
        *("agents_busy", "in_calls_abandoned_total_per_day"),
        "in_calls_abandoned_percent_per_day",
    ]
)
_SERVICE_LIKELY = frozenset(
    [
        *("agents_ready", "in_calls_queued_per_day", "in_average_speed_of_answer"),
        *("out_calls_answered_per_day", "out_calls_handled_per_day", "in_calls_handled_per_day"),
        DISPOSITIONS,
    ]
)
_AGENT_LIKELY = frozenset(["out_calls_handled_per_day"])
SEEN: Mapping[str, frozenset[str]] = {
    "totals": _TOTALS_SEEN,
    "service": frozenset(GROUP) - _SERVICE_LIKELY,
    "agent": frozenset(AGENT) - _AGENT_LIKELY,
}
LIKELY: Mapping[str, frozenset[str]] = {
    "totals": _TOTALS_LIKELY,
    "service": _SERVICE_LIKELY,
    "agent": _AGENT_LIKELY,
}


def names(tenant: Tenant, kind: str) -> frozenset[str]:
    """Return the statistics that a tenant knows in totals, service grids or agent grids."""
    likely = LIKELY[kind] if tenant.likely_statistics else frozenset()
    return SEEN[kind] | likely | frozenset(tenant.more_statistics)
