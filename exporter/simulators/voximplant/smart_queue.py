"""SmartQueue as it stands now: GetSQState, the queues, the agents, the custom statuses.

Names and units are those of the vendor's own clients and reference. Times are in milliseconds, and
dates in the zone that the request names.
"""

import json
from typing import Any
from zoneinfo import ZoneInfo

from exporter.simulators.floor.figures import LOGGED_OUT, ON_CONTACT, ON_HOLD, Agent, Contact, Queue
from exporter.simulators.voximplant.call import Call, callerid, person, sq_queue_id
from exporter.simulators.voximplant.wire import RefusalError, invalid, written

_SINCE = "2024-02-01 08:00:00"
_FILTERED = ("OFFLINE", "ONLINE", "READY", "IN_SERVICE", "AFTER_SERVICE", "DND")


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


def sq_get_agents(call: Call) -> dict[str, Any]:
    """Return all agents of an application, those who are not there too."""
    parameters, zone = call.parameters, call.zone()
    handles_calls = parameters.given_flag("handle_calls")
    if handles_calls is None and call.account.handle_calls_required:
        raise RefusalError(485, "handle_calls")
    chosen = {queue.name for queue in call.picked_sq_queues(required=False)}
    narrowed = not parameters.values.keys().isdisjoint(("sq_queue_id", "sq_queue_name"))
    here = call.application() == call.main_application
    numbers = parameters.ids("user_id", call.users, allow_all=False)
    statuses = _wanted_statuses(parameters.text("sq_statuses"))
    rows = [
        _agent(call, agent, zone)
        for agent in call.users.values()
        if here
        and handles_calls is not False
        and (numbers is None or agent.id in numbers)
        and (not narrowed or not chosen.isdisjoint(agent.queues))
        and (statuses is None or call.sq_status(agent) in statuses)
        and (parameters.text("user_name_template") or "") in agent.username
    ]
    page, _ = parameters.page(rows)
    return {"result": page}


def _wanted_statuses(text: str | None) -> set[str] | None:
    """Return the status names in a filter, which is JSON in a parameter."""
    if text is None:
        return None
    try:
        names = {each["sq_status_name"] for each in json.loads(text)}
    except (ValueError, TypeError, KeyError):
        raise invalid("sq_statuses") from None
    if not names <= set(_FILTERED):
        raise invalid("sq_statuses")
    return names


def _agent(call: Call, agent: Agent, zone: ZoneInfo) -> dict[str, Any]:
    row = {**person(agent), "max_simultaneous_conversations": 1}
    if call.parameters.flag("with_sq_statuses"):
        row["sq_statuses"] = _statuses(call, agent, zone)
    if call.parameters.flag("with_sq_queues"):
        row["sq_queues"] = [
            {"sq_queue_id": number, "sq_queue_name": queue.name}
            for number, queue in call.sq_queues.items()
            if queue.name in agent.queues
        ]
    if call.parameters.flag("with_sq_skills"):
        row["sq_skills"] = []
    return row


def sq_get_agent_custom_status_mapping(call: Call) -> Any:
    """Return what the custom statuses are called in this application."""
    call.application(required=False)
    mapping = [
        {"sq_status_name": word, "custom_status_name": name}
        for name, word in call.account.custom_statuses.items()
    ]
    return mapping if call.account.mapping_shape == "array" else {"result": mapping}
