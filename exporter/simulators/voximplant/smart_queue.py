"""SmartQueue: GetSQState, SQ_GetQueues and the reports of GetSmartQueueRealtimeMetrics.

Names, units, defaults and limits are those of the vendor's own clients and reference. Times of the
state are in milliseconds, dates in the zone that the request names. Neither the unit of times nor
the scale of rates in reports is documented: seconds and percent here. What the floor does not know
is zero.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from exporter.simulators.floor.figures import (
    AFTER_CONTACT_WORK,
    LOGGED_OUT,
    NOT_READY,
    ON_CONTACT,
    ON_HOLD,
    READY,
    RINGING,
    Agent,
    Contact,
    Queue,
)
from exporter.simulators.voximplant.call import Call, callerid, person, sq_queue_id
from exporter.simulators.voximplant.protocol import RefusalError, invalid, written
from exporter.simulators.voximplant.statistics import DAY, Share, Span, local_midnight

_SINCE = "2024-02-01 08:00:00"


def channel(queue: Queue) -> str:
    """Return the channel of a queue: calls or instant messages."""
    return "CALL" if queue.media == "voice" else "IM"


def get_sq_state(call: Call) -> dict[str, Any]:
    """Return the logged-in agents and the tasks of queues."""
    zone = call.zone()
    queues = call.requested_sq_queues(required=True)
    return {"result": [_state(call, queue, zone) for queue in queues]}


def _state(call: Call, queue: Queue, zone: ZoneInfo) -> dict[str, Any]:
    agents = [agent for agent in call.serving(queue) if agent.state != LOGGED_OUT]
    waiting = [_task(call, queue, contact, None) for contact in queue.waiting.values()]
    served = [
        _task(call, queue, contact, contact.started)
        for agent in call.floor.agents.values()
        if (contact := agent.contact) is not None
        and contact.queue == queue.name
        and agent.state in (ON_CONTACT, ON_HOLD)
    ]
    return {
        "sq_queue_id": sq_queue_id(queue),
        "sq_queue_name": queue.name,
        "sq_agents": [
            {**person(agent), "sq_skills": [], "sq_statuses": _statuses(call, agent, zone)}
            for agent in agents
        ],
        "tasks": [*waiting, *served],
    }


def _statuses(call: Call, agent: Agent, zone: ZoneInfo) -> Any:
    """Return an agent's status by channel: a contact of one channel blocks the other."""
    status = {"sq_status_name": call.sq_status(agent), "from_date": written(agent.since, zone)}
    statuses = {"IM": status, "CALL": dict(status)}
    return [statuses] if call.account.sq_statuses_shape == "array" else statuses


def _task(call: Call, queue: Queue, contact: Contact, started: float | None) -> dict[str, Any]:
    assigned = contact.agent is not None
    answered = call.now if started is None else started
    task: dict[str, Any] = {
        "task_type": channel(queue),
        "status": "IN_PROCESSING" if started else "DISTRIBUTED" if assigned else "IN_QUEUE",
        "waiting_time": int((answered - contact.arrived) * 1000),
        "processing_time": int((call.now - answered) * 1000),
        "sq_skills": [],
        "custom_data": json.dumps({"customer": callerid(contact)}),
    }
    if contact.agent is not None:
        task["user_id"] = call.floor.agents[contact.agent].id
    return task


def sq_get_queues(call: Call) -> dict[str, Any]:
    """Return the queues of SmartQueue; the answer has no total count."""
    part = call.parameters.text("sq_queue_name_template") or ""
    rows = [
        _queue(call, queue)
        for queue in call.requested_sq_queues(required=False, allow_all=False)
        if part in queue.name
    ]
    page, _ = call.parameters.page(rows)
    if call.account.sq_queues_shape == "object" and len(page) == 1:
        return {"result": page[0]}
    return {"result": page}


def _queue(call: Call, queue: Queue) -> dict[str, Any]:
    row = {
        "sq_queue_id": sq_queue_id(queue),
        "sq_queue_name": queue.name,
        "call_agent_selection": "MAX_WAITING_TIME",
        "im_agent_selection": "MAX_WAITING_TIME",
        "call_task_selection": "MAX_WAITING_TIME",
        "im_task_selection": "MAX_WAITING_TIME",
        "call_max_waiting_time": 60,
        "call_max_waiting_time_in_seconds": 3600,
        "im_max_waiting_time": 1440,
        "im_max_waiting_time_in_seconds": 86_400,
        "call_max_queue_size": 100,
        "im_max_queue_size": 500,
        "hold_calls_if_inactive_agents": True,
        "hold_im_if_inactive_agents": True,
        "created": _SINCE,
        "modified": _SINCE,
    }
    if call.parameters.flag("with_agentcount"):
        row["agentcount"] = len(call.serving(queue))
    return row


_HALF_HOUR = 1800
_MOST_IDS = 5
_MOST_BUCKETS = 1500
_DURATION = re.compile(r"(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)", re.ASCII)
_UNITS = (365 * DAY, 30 * DAY, DAY, 3600, 60, 1)
_CUSTOM = tuple(f"custom_{number}" for number in range(1, 11))
_BUSY = (RINGING, ON_CONTACT, ON_HOLD, AFTER_CONTACT_WORK)


@dataclass(frozen=True)
class Figures:
    """Figures of a report: of a queue, or of agents, for a share of the day."""

    queue: Queue | None
    agents: Sequence[Agent]
    share: Share

    def of_queue(self, name: str, media: str) -> int:
        """Return a figure of the queue's day, zero for the other channel."""
        if self.queue is None or channel(self.queue) != media:
            return 0
        return self.share.of(getattr(self.queue.day, name))

    def states(self, *states: str) -> int:
        """Return the agents' seconds in some states."""
        return sum(
            self.share.of(sum(agent.day.state_seconds[state] for state in states))
            for agent in self.agents
        )

    def agent_sum(self, name: str) -> int:
        """Return a figure of the agents' day."""
        return sum(self.share.of(getattr(agent.day, name)) for agent in self.agents)

    def time(self, seconds: float, number: int = 1) -> float:
        """Return a time, or the mean of several, in seconds."""
        return round(seconds / number, 3) if number else 0

    def rate(self, part: float, whole: float) -> float:
        """Return a share in percent."""
        return round(100 * part / whole, 4) if whole else 0

    def handled(self) -> int:
        """Return the handled contacts of the queue, or else of the agents."""
        if self.queue is None:
            return self.agent_sum("handled")
        return self.share.of(self.queue.day.handled)

    def settled(self, media: str) -> int:
        """Return the contacts answered or abandoned."""
        return self.of_queue("answered", media) + self.of_queue("abandoned", media)

    def longest(self, media: str) -> float:
        """Return the longest wait of the day."""
        if self.queue is None or channel(self.queue) != media:
            return 0.0
        return self.queue.day.longest_wait_seconds

    def handle_time(self, part: str) -> float:
        """Return the mean handling time, or the mean after-call work."""
        if self.queue is None:
            handle, work = (
                self.agent_sum(name) for name in ("handle_seconds", "after_contact_work_seconds")
            )
        else:
            handle = self.share.of(self.queue.day.handle_seconds)
            work = handle - self.share.of(self.queue.day.talk_seconds)
        return self.time(handle if part == "handle" else work, self.handled())


Report = Callable[[Figures], float]


def _answer_speed(media: str) -> Report:
    return lambda f: f.time(f.of_queue("answer_wait_seconds", media), f.of_queue("answered", media))


def _zero(_: Figures) -> float:
    return 0


_QUEUE_REPORTS: Mapping[str, Report] = {
    "calls_blocked_percentage": _zero,
    "count_blocked_calls": _zero,
    "im_blocked_chats_percentage": _zero,
    "im_count_blocked_chats": _zero,
    "im_answered_chats_rate": lambda f: f.rate(f.of_queue("answered", "IM"), f.settled("IM")),
    "average_abandonment_rate": lambda f: f.rate(
        f.of_queue("abandoned", "CALL"), f.settled("CALL")
    ),
    "count_abandonment_calls": lambda f: f.of_queue("abandoned", "CALL"),
    "service_level": lambda f: f.rate(
        f.of_queue("answered_within_threshold", "CALL"), f.settled("CALL")
    ),
    "im_service_level": lambda f: f.rate(
        f.of_queue("answered_within_threshold", "IM"), f.settled("IM")
    ),
    "min_time_in_queue": _zero,
    "max_time_in_queue": lambda f: f.time(f.longest("CALL")),
    "average_time_in_queue": _answer_speed("CALL"),
    "min_answer_speed": _zero,
    "max_answer_speed": lambda f: f.time(f.longest("CALL")),
    "average_answer_speed": _answer_speed("CALL"),
    "im_min_answer_speed": _zero,
    "im_max_answer_speed": lambda f: f.time(f.longest("IM")),
    "im_average_answer_speed": _answer_speed("IM"),
    "im_count_abandonment_chats": lambda f: f.of_queue("abandoned", "IM"),
    "im_count_lost_chats": _zero,
    "im_lost_chats_rate": _zero,
    "call_count_assigned_to_queue": lambda f: f.of_queue("offered", "CALL"),
    "im_count_assigned_to_queue": lambda f: f.of_queue("offered", "IM"),
}
_AGENT_TIMES: Mapping[str, Sequence[str]] = {
    "online": (),
    "ready": (READY,),
    "dialing": (RINGING,),
    "in_service": (ON_CONTACT, ON_HOLD),
    "in_service_incoming": (),
    "in_service_outcoming": (),
    "afterservice": (AFTER_CONTACT_WORK,),
    "dnd": (NOT_READY,),  # the day's figures know no reasons, hence no custom statuses
    **dict.fromkeys(_CUSTOM, ()),
    "banned": (),
}


def _time_in(states: Sequence[str]) -> Report:
    return lambda f: f.time(f.states(*states))


_AGENT_REPORTS: Mapping[str, Report] = {
    "occupancy_rate": lambda f: f.rate(f.states(*_BUSY), f.states(*_BUSY, READY)),
    "agent_utilization_rate": lambda f: f.rate(
        f.states(*_BUSY), f.states(*_BUSY, READY, NOT_READY)
    ),
    "im_agent_occupancy_rate": _zero,
    "im_agent_utilization_rate": _zero,
    **{f"sum_agents_{name}_time": _time_in(states) for name, states in _AGENT_TIMES.items()},
    **{
        f"im_sum_agents_{name}_time": _zero
        for name in ("online", "ready", "in_service", "dnd", "banned", *_CUSTOM)
    },
    **{f"{kind}_agents_idle_time": _zero for kind in ("average", "max", "min")},
    **{f"percentile_0_{part}_agents_idle_time": _zero for part in (25, 50, 75)},
    "min_handle_time": _zero,
    "max_handle_time": _zero,
    "average_handle_time": lambda f: f.handle_time("handle"),
    "count_handled_calls": lambda f: f.handled(),
    "min_after_call_worktime": _zero,
    "max_after_call_worktime": _zero,
    "average_after_call_worktime": lambda f: f.handle_time("work"),
    "count_agent_unanswered_calls": _zero,
    "im_count_agent_unanswered_chats": _zero,
    **{f"{kind}_reaction_time": _zero for kind in ("min", "max", "average")},
    **{f"im_{kind}_reaction_time": _zero for kind in ("min", "max", "average")},
}
REPORTS: Mapping[str, Report] = {**_QUEUE_REPORTS, **_AGENT_REPORTS}


def get_smart_queue_realtime_metrics(call: Call) -> dict[str, Any]:
    """Return reports of the last half hour, or of a window in the last day."""
    zone = call.zone()
    names = call.parameters.words("report_type", REPORTS)
    assert names is not None, "report_type is required"
    if {"service_level", "im_service_level"} & set(names):
        if "max_waiting_sec" not in call.parameters.values:
            raise RefusalError(485, "max_waiting_sec")
        call.parameters.number("max_waiting_sec")
    groups = _groups(call, names)
    start, end = (call.parameters.instant(name, zone) for name in ("from_date", "to_date"))
    end = call.now if end is None or end > call.now - 1.0 else end
    start = end - _HALF_HOUR if start is None else start
    if start > end or start < call.now - DAY - 1.0:
        raise RefusalError(123)
    spans = _cut(Span(start, end), _interval(call))
    midnight = local_midnight(call.floor)
    result = []
    for name in names:
        report = REPORTS[name]
        rows = []
        for labels, queue, agents in groups:
            values = []
            for span in spans:
                figures = Figures(queue, agents, Share(midnight, call.now, [span]))
                value = report(figures)
                if value or not call.parameters.flag("omit_empty"):
                    dates = [written(instant, zone) for instant in span]
                    values.append({"from_date": dates[0], "to_date": dates[1], "value": value})
            rows.append({**labels, "values": values})
        result.append({"report_type": name, "groups": rows})
    return {"result": result, "timezone": zone.key}


def _groups(
    call: Call, names: Sequence[str]
) -> list[tuple[dict[str, Any], Queue | None, list[Agent]]]:
    """Return the groups of a report: queues, or the agents of one queue or of all."""
    for name in ("sq_queue_id", "user_id"):
        if len((call.parameters.text(name) or "").split(";")) > _MOST_IDS:
            raise RefusalError(497, name, 1, _MOST_IDS)
    about_queues = not set(names) <= set(_AGENT_REPORTS)
    named = not call.parameters.values.keys().isdisjoint(("sq_queue_id", "sq_queue_name"))
    queues = call.requested_sq_queues(required=about_queues, allow_all=False) if named else []
    if not named and about_queues:
        raise RefusalError(485, "sq_queue_id")
    call.application()
    numbers = call.parameters.ids("user_id", call.users)
    group_by = call.parameters.choice("group_by", ("queue", "agent"), "queue" if named else "agent")
    agents = [
        agent
        for agent in call.users.values()
        if (numbers is None or agent.id in numbers)
        and (not named or any(queue.name in agent.queues for queue in queues))
    ]
    if group_by == "agent":
        if about_queues or len(queues) > 1:
            raise RefusalError(525, "agent")
        return [(person(agent), None, [agent]) for agent in agents]
    if not named:
        raise RefusalError(526, "queue")
    return [
        (
            {"sq_queue_id": sq_queue_id(queue), "sq_queue_name": queue.name},
            queue,
            [agent for agent in agents if queue.name in agent.queues],
        )
        for queue in queues
    ]


def _interval(call: Call) -> int:
    """Return the length of a bucket in seconds; the platform writes a day 0000-00-01 00:00:00."""
    text = call.parameters.text("interval")
    if text is None:
        return _HALF_HOUR
    match = _DURATION.fullmatch(text)
    seconds = (
        0
        if match is None
        else sum(int(part) * unit for part, unit in zip(match.groups(), _UNITS, strict=True))
    )
    if not seconds:
        raise invalid("interval")
    return seconds


def _cut(span: Span, step: int) -> list[Span]:
    if (span.end - span.start) / step > _MOST_BUCKETS:
        raise invalid("interval")
    spans, start = [], span.start
    while start < span.end:
        spans.append(Span(start, min(start + step, span.end)))
        start += step
    return spans
