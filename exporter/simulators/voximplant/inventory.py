"""Account, applications and call lists: GetAccountInfo, GetApplications, GetCallLists, …Details."""

from typing import Any
from uuid import UUID

from starlette.responses import Response

from exporter.simulators.floor.figures import Campaign
from exporter.simulators.voximplant.call import Call
from exporter.simulators.voximplant.protocol import RefusalError, invalid, page_of, written

_SINCE = "2024-02-01 08:00:00"
_LISTED = ("outbound", "autodial")  # inbound campaigns have no list
_LIST_STATUSES = ("In progress", "Completed", "Canceled", "Suspended")
_TASK_STATUSES = ("New", "In progress", "Processed", "Error", "Canceled")
_ATTEMPTS = 3
_MAX_ROWS = 1000


def get_account_info(call: Call) -> dict[str, Any]:
    """Return balance and state of the account; the platform adds secrets."""
    call.parameters.flag("return_live_balance", default=True)
    money = call.floor.account
    result = {
        "account_id": call.account_id,
        "account_name": "acme",
        "active": True,
        "frozen": money.balance + money.credit_limit <= 0,
        "balance": round(money.balance, 4),
        "credit_limit": round(money.credit_limit, 4),
        "min_balance_to_notify": 100.0,
        "currency": money.currency,
        "location": call.floor.time_zone,
        "created": _SINCE,
        **call.account.secrets,
    }
    return {"result": result, "api_address": call.account.api_address}


def get_applications(call: Call) -> dict[str, Any]:
    """Return the applications; agents and queues belong to the first."""
    only = call.application(required=False)
    rows = [
        {"application_id": number, "application_name": name, "modified": _SINCE}
        for number, name in call.account.applications.items()
        if only in (None, number)
    ]
    return page_of(rows, call.parameters)


def call_list_status(campaign: Campaign) -> str:
    """Return the status of a campaign's call list."""
    if campaign.state != "stopped":
        return "In progress"
    records = campaign.records
    left = records.available + records.redial_timer + records.asap
    return "Suspended" if left else "Completed"


def call_list_tasks(campaign: Campaign) -> dict[str, int]:
    """Count the tasks of a call list by status."""
    records = campaign.records
    counts = (
        records.available + records.asap,
        records.redial_timer,
        records.dialed,
        records.unreachable,
        0,
    )
    return dict(zip(_TASK_STATUSES, counts, strict=True))


def _lists(call: Call) -> dict[int, Campaign]:
    campaigns = call.floor.campaigns.values()
    return {campaign.id: campaign for campaign in campaigns if campaign.kind in _LISTED}


def get_call_lists(call: Call) -> dict[str, Any]:
    """Return the call lists, which carry no progress."""
    parameters, lists = call.parameters, _lists(call)
    numbers = parameters.ids("list_id", lists)
    status = parameters.text("status")
    if status is not None and status.lower() not in {word.lower() for word in _LIST_STATUSES}:
        raise invalid("status")
    active = parameters.given_flag("is_active")
    after, before = parameters.instant("from_date"), parameters.instant("to_date")
    rows = [
        _list(campaign)
        for number, campaign in lists.items()
        if (numbers is None or number in numbers)
        and (parameters.text("name") or campaign.name) == campaign.name
        and (status is None or call_list_status(campaign).lower() == status.lower())
        and (active is None or (campaign.state == "running") is active)
        and (after is None or campaign.since >= after)
        and (before is None or campaign.since <= before)
    ]
    return page_of(rows, parameters)


def _list(campaign: Campaign) -> dict[str, Any]:
    status = call_list_status(campaign)
    row = {
        "list_id": campaign.id,
        "list_name": campaign.name,
        "rule_id": 7000 + campaign.id,
        "priority": 1,
        "max_simultaneous": 10,
        "num_attempts": _ATTEMPTS,
        "interval_seconds": 3600,
        "dt_submit": written(campaign.since),
        "status": status,
        "task_priority_strategy": "first_attempts",
    }
    if status == "Completed":
        row["dt_complete"] = written(campaign.since)
    return row


def get_call_list_details(call: Call) -> dict[str, Any] | Response:
    """Return the tasks of a call list, as a CSV file unless ``output=json``."""
    parameters = call.parameters
    number = parameters.number("list_id")
    campaign = _lists(call).get(number or 0)
    if campaign is None:
        raise RefusalError(251)
    output = parameters.choice("output", ("csv", "json", "xls"), "csv")
    count = parameters.ranged("count", _MAX_ROWS, 0, _MAX_ROWS)
    offset = parameters.ranged("offset", 0, 0, 2**31)
    counts = call_list_tasks(campaign)
    total = sum(counts.values())
    rows = [_task(campaign, counts, place) for place in range(total)[offset : offset + count]]
    if output != "json":
        return _file(rows)
    shown = len(rows) if call.account.details_count == "page" else total
    return {"result": rows, "count": shown}


def _task(campaign: Campaign, counts: dict[str, int], place: int) -> dict[str, Any]:
    row = {
        "list_id": campaign.id,
        "task_id": campaign.id * 1_000_000 + place,
        "task_uuid": str(UUID(int=campaign.id << 64 | place, version=4)),
        "start_execution_time": "09:00:00",
        "finish_execution_time": "18:00:00",
        "custom_data": f'{{"phone":"1555{place:07}"}}',
    }
    passed = 0
    for status_id, (status, number) in enumerate(counts.items()):
        passed += number
        if place < passed:
            left = (_ATTEMPTS, 1, 0, 0, 0)[status_id]
            row |= {"status_id": status_id, "status": status, "attempts_left": left}
            break
    if row["attempts_left"] != _ATTEMPTS:
        row["last_attempt"] = written(campaign.since)
        row["result_data"] = f'{{"heard":"1555{place:07}"}}'
    return row


def _file(rows: list[dict[str, Any]]) -> Response:
    """Return the tasks as CSV, the default output."""
    columns = ("task_id", "task_uuid", "status_id", "status", "attempts_left", "custom_data")
    lines = [";".join(columns), *(";".join(str(row[name]) for name in columns) for row in rows)]
    return Response("\r\n".join(lines), media_type="application/octet-stream")
