"""SmartQueue as it stands now: GetSQState, the queues, the agents, the custom statuses.

Names and units are those of the vendor's own clients and reference. Times are in milliseconds, and
dates in the zone that the request names.
"""

import json
from typing import Any
from zoneinfo import ZoneInfo

from exporter.simulators.floor.figures import LOGGED_OUT, ON_CONTACT, ON_HOLD, Agent, Contact, Queue
from exporter.simulators.voximplant.call import Call, callerid, person, sq_queue_id
from exporter.simulators.voximplant.wire import written

_SINCE = "2024-02-01 08:00:00"


def channel(queue: Queue) -> str:
    """Return the channel of a queue's contacts: SmartQueue knows calls, and messages."""
    return "CALL" if queue.media == "voice" else "IM"


def get_sq_state(call: Call) -> dict[str, Any]:
    """Return the logged-in agents and the tasks of queues."""
    zone = call.zone()
    queues = call.picked_sq_queues(required=True)
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
    """Return an agent's status in each channel: who has one contact takes no other."""
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
    """Return the queues of SmartQueue: the answer never tells how many there are in all."""
    part = call.parameters.text("sq_queue_name_template") or ""
    rows = [
        _queue(call, queue)
        for queue in call.picked_sq_queues(required=False, allow_all=False)
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
