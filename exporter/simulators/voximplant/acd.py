"""Current state of ACD v1: GetACDState, GetQueues and GetUsers.

Names and meanings of the fields are those of the vendor's own clients and reference.
"""

from typing import Any

from exporter.simulators.floor.figures import (
    AFTER_CONTACT_WORK,
    LOGGED_OUT,
    ON_CONTACT,
    ON_HOLD,
    READY,
    RINGING,
    Agent,
    Contact,
    Queue,
)
from exporter.simulators.voximplant.call import Call, callerid, person
from exporter.simulators.voximplant.protocol import page_of, written

ACD_STATUS_WORDS = (
    *("OFFLINE", "ONLINE", "READY", "BANNED"),
    *("IN_SERVICE", "AFTER_SERVICE", "TIMEOUT", "DND"),
)
_LOCKED = (RINGING, ON_CONTACT, ON_HOLD)
_USER_ORDERS = ("user_id", "user_name", "user_display_name")
_SINCE = "2024-02-01 08:00:00"
_SERVICE_SECONDS = 180


def get_acd_state(call: Call) -> dict[str, Any]:
    """Return ready and busy operators, waiting and active calls by queue."""
    numbers = call.parameters.ids("acd_queue_id", call.acd_queues)
    queues = call.acd_queues if numbers is None else {n: call.acd_queues[n] for n in numbers}
    return {"result": {"acd_queues": [_state(call, queue) for queue in queues.values()]}}


def _state(call: Call, queue: Queue) -> dict[str, Any]:
    serving = call.serving(queue)
    ready = [
        {**person(agent), "idle_duration": int(call.now - agent.since)}
        for agent in serving
        if agent.state == READY
    ]
    locked = [_locked(call, agent) for agent in serving if agent.state in _LOCKED]
    after = [
        {**person(agent), "status": call.acd_status(agent)}
        for agent in serving
        if agent.state == AFTER_CONTACT_WORK
    ]
    return {
        "acd_queue_id": queue.id,
        "ready_operators_count": len(ready),
        "ready_operators": ready,
        "locked_operators_count": len(locked),
        "locked_operators": locked,
        "after_service_operator_count": len(after),
        "after_service_operators": after,
        "servicing_calls": _servicing(call, queue),
        "waiting_calls": _waiting(call, queue, len(serving)),
    }


def _locked(call: Call, agent: Agent) -> dict[str, Any]:
    """Return a locked operator, with its call of a queue or else with a lock."""
    locked = {**person(agent), "status": "READY", "unreached": written(agent.since)}
    contact = agent.contact
    queue = call.floor.queues.get(contact.queue or "") if contact else None
    if contact is None or queue is None or queue.id not in call.acd_queues:
        locked["locks"] = [{"id": agent.guid, "created": written(agent.since)}]
        return locked
    on_the_line = {
        "acd_session_history_id": contact.id,
        "acd_request_id": f"{queue.id}-{contact.id}",
        "acd_queue_id": queue.id,
        "acd_queue_name": queue.name,
        "callerid": callerid(contact),
        "begin_time": written(contact.arrived),
    }
    if contact.started is not None:
        on_the_line["submitted"] = written(contact.started)
    locked["acd_calls"] = [on_the_line]
    return locked


def _servicing(call: Call, queue: Queue) -> list[dict[str, Any]]:
    return [
        {**person(agent), **_line(contact, (contact.started or call.now) - contact.arrived)}
        for agent in call.floor.agents.values()
        if (contact := agent.contact) is not None
        and contact.queue == queue.name
        and agent.state in (ON_CONTACT, ON_HOLD)
    ]


def _waiting(call: Call, queue: Queue, serving: int) -> list[dict[str, Any]]:
    waiting = []
    for place, contact in enumerate(queue.waiting.values(), 1):
        entry = {
            "user_name": "",
            "user_display_name": "",
            **_line(contact, call.now - contact.arrived),
            "minutes_to_submit": -(-place * _SERVICE_SECONDS // max(serving, 1) // 60),
        }
        if contact.agent is not None:
            entry |= person(call.floor.agents[contact.agent])
        waiting.append(entry)
    return waiting


def _line(contact: Contact, waited: float) -> dict[str, Any]:
    return {
        "priority": 50,
        "callerid": callerid(contact),
        "begin_time": written(contact.arrived),
        "waiting_time": int(waited),
        "acd_session_history_id": contact.id,
    }


def get_queues(call: Call) -> dict[str, Any]:
    """Return the queues of ACD v1."""
    parameters = call.parameters
    number = parameters.known("acd_queue_id", call.acd_queues)
    part = parameters.text("acd_queue_name") or ""
    application = call.application(required=False)
    if application not in (None, call.main_application):
        return page_of([], parameters)
    rows = [
        _queue(call, queue)
        for queue in call.acd_queues.values()
        if number in (None, queue.id) and part in queue.name
    ]
    return page_of(rows, parameters)


def _queue(call: Call, queue: Queue) -> dict[str, Any]:
    row = {
        "acd_queue_id": queue.id,
        "acd_queue_name": queue.name,
        "application_id": call.main_application,
        "acd_queue_priority": 1,
        "service_probability": 1.0,
        "auto_binding": False,
        "average_service_time": _SERVICE_SECONDS,
        "max_queue_size": 100,
        "max_waiting_time": 60,
        "sl_thresholds": [int(queue.threshold_seconds)],
        "modified": _SINCE,
    }
    if call.parameters.flag("with_operatorcount"):
        row["operatorcount"] = len(call.serving(queue))
    if call.parameters.flag("with_skills"):
        row["skills"] = []
    return row


def get_users(call: Call) -> dict[str, Any]:
    """Return the users of one application and their status in ACD v1."""
    parameters = call.parameters
    application = call.application()
    statuses = parameters.words("acd_status", ACD_STATUS_WORDS)
    queue = parameters.known("acd_queue_id", call.acd_queues)
    without = parameters.known("excluded_acd_queue_id", call.acd_queues)
    number = parameters.number("user_id")
    order = parameters.choice("order_by", _USER_ORDERS, "user_name")
    rows = [
        _user(call, agent)
        for agent in call.users.values()
        if application == call.main_application
        and (statuses is None or call.acd_status(agent) in statuses)
        and number in (None, agent.id)
        and (queue is None or call.acd_queues[queue].name in agent.queues)
        and (without is None or call.acd_queues[without].name not in agent.queues)
        and parameters.given_flag("user_active") is not False
        and (parameters.text("user_name") or "") in person(agent)["user_name"]
        and (parameters.text("user_display_name") or "") in agent.name
    ]
    return page_of(sorted(rows, key=lambda row: row[order]), parameters)


def _user(call: Call, agent: Agent) -> dict[str, Any]:
    balance = round(call.floor.account.balance, 4)
    row = {
        **person(agent),
        "user_active": True,
        "acd_status": call.acd_status(agent),
        "acd_status_change_time": written(agent.since),
        "parent_accounting": True,
        "balance": balance,
        "live_balance": balance,
        "fixed_balance": 0.0,
        "frozen": False,
        "two_factor_auth_required": False,
        "created": _SINCE,
        "modified": _SINCE,
    }
    if agent.state == LOGGED_OUT and agent.since <= agent.day.began:
        del row["acd_status_change_time"]  # absent for users who have not logged in today
    if call.parameters.flag("with_queues"):
        row["acd_queues"] = [
            {"acd_queue_id": queue.id, "acd_queue_name": queue.name, "auto_link": False}
            for queue in call.acd_queues.values()
            if queue.name in agent.queues
        ]
    if call.parameters.flag("with_skills"):
        row["skills"] = []
    return row
