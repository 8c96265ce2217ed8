"""Lists of what is configured: services, teams, dispositions; campaigns with their records.

Teams and dispositions are in the Real-Time Statistics API (Postman collection), services are what
public clients read. Campaigns are those of the List Management API v3.2 on configapi v3. The floor
counts records and does not keep them, so records are made up from the counts, completed ones first.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from exporter.simulators.brightpattern.figures import View
from exporter.simulators.brightpattern.tenant import object_id
from exporter.simulators.floor.figures import Campaign
from exporter.simulators.floor.routing import HANDLED_DISPOSITIONS

_MAX_PAGE = 1000
_CURSOR_DIGITS = 24
_PARAMETERS = {"instanceId": str, "limit": int, "extractAttempts": bool, "cursor": str}

Query = Mapping[str, str]


class CampaignError(Exception):
    """A refused request, with the vendor's name of the error."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.error = error
        self.description = description


def _teams(view: View, _query: Query) -> Any:
    return [team._asdict() for team in view.teams]


def _services(view: View, _query: Query) -> Any:
    return [{"id": service.id, "name": service.name} for service in view.services]


def _dispositions(view: View, query: Query) -> Any:
    """List dispositions; flags in the query keep those of agents, or of inbound contacts."""
    flags = {name for name, value in query.items() if value == "1"}
    dispositions = sorted(view.tenant.floor.dispositions)
    outbound = flags & {"outbound", "preview"}
    if "agentCanSelect" in flags or ("inbound" in flags and not outbound):
        dispositions = [name for name in dispositions if name in HANDLED_DISPOSITIONS]
    is_object = view.tenant.dispositions_shape == "object"
    return {"dispositions": dispositions} if is_object else dispositions


CONFIGURED: Mapping[str, Callable[[View, Query], Any]] = {
    "teams": _teams,
    "services": _services,
    "dispositions": _dispositions,
}


def campaigns(view: View) -> list[dict[str, Any]]:
    """Return the enabled outbound campaigns."""
    return [
        {"id": service.id, "name": service.name, "state": _state(service.campaign)}
        for service in view.services
        if service.campaign is not None
    ]


def find(view: View, campaign_id: str) -> Campaign:
    """Return a campaign by its id. Raises ``CampaignError``."""
    for service in view.services:
        if service.campaign is not None and service.id == campaign_id:
            return service.campaign
    raise CampaignError(404, "not_found", f"campaign {campaign_id!r} was not found")


def settings(campaign: Campaign) -> dict[str, Any]:
    """Return a campaign with its lists."""
    calling_list = {
        "id": object_id(f"list {campaign.guid}"),
        "name": f"{campaign.name}.csv",
        "instanceId": _instance_id(campaign),
        "instanceName": "",
        "enabled": True,
        "order": 1,
        "dialingRatio": 1,
        "sortingOrder": {"type": "NATURAL", "sortingFields": []},
        "totalRecords": campaign.records.total,
    }
    return {
        "name": campaign.name,
        "enabled": True,
        "state": _state(campaign),
        "direction": "OUTBOUND_VOICE",
        "lists": [calling_list],
        "dncLists": [],
    }


def completed_count(campaign: Campaign) -> int:
    """Return the number of completed records; a call in flight is not completed."""
    records = campaign.records
    return max(records.dialed - campaign.in_flight, 0) + records.unreachable


def records(campaign: Campaign, body: object, last_cursor: str) -> dict[str, Any]:
    """Return one page of a list's records. Raises ``CampaignError``.

    ``last_cursor`` is the cursor of the last page: null, empty, absent, or that of an empty page.
    """
    parameters = _parameters(campaign, body)
    completed, total = completed_count(campaign), campaign.records.total
    start = _start(parameters.get("cursor"))
    end = min(start + parameters["limit"], total)
    attempts = bool(parameters.get("extractAttempts"))
    page = [
        _record(index, campaign, completed=index < completed, attempts=attempts)
        for index in range(start, end)
    ]
    if end < total or (last_cursor == "page" and page):
        return {"next_cursor": f"{max(end, start):0{_CURSOR_DIGITS}x}", "records": page}
    if last_cursor == "absent":
        return {"records": page}
    return {"next_cursor": "" if last_cursor == "empty" else None, "records": page}


def _state(campaign: Campaign) -> str:
    """Return one of the two states of this API."""
    return "RUNNING" if campaign.state == "running" else "STOPPED"


def _parameters(campaign: Campaign, body: object) -> dict[str, Any]:
    """Check the parameters of a page, and that the list is bound to the campaign."""
    if not isinstance(body, dict):
        raise _bad_request("an object is expected")
    for name, value in body.items():
        if name not in _PARAMETERS:
            raise _bad_request(f"'{name}' is not supported")
        if not _is_valid(name, value):
            raise _bad_request(f"'{name}' has unsupported value '{value}'")
    for name in ("instanceId", "limit"):
        if name not in body:
            raise _bad_request(f"'{name}' is required")
    if body["instanceId"] != _instance_id(campaign):
        raise CampaignError(409, "conflict", "the instance is not bound to the campaign")
    return body


def _is_valid(name: str, value: Any) -> bool:
    if name == "cursor" and value is None:
        return True
    exact: bool = type(value) is _PARAMETERS[name]  # a bool is not a number here
    return exact and (name != "limit" or 1 <= value <= _MAX_PAGE)


def _bad_request(description: str) -> CampaignError:
    return CampaignError(400, "bad_request", description)


def _start(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not re.fullmatch(rf"[0-9a-f]{{{_CURSOR_DIGITS}}}", cursor):
        raise _bad_request(f"'cursor' has unsupported value '{cursor}'")
    return int(cursor, 16)


def _instance_id(campaign: Campaign) -> str:
    return object_id(f"instance {campaign.guid}")


def _record(index: int, campaign: Campaign, *, completed: bool, attempts: bool) -> dict[str, Any]:
    """Make up one record: the completed ones first, then those attempted, then the rest."""
    counts = campaign.records
    attempted = completed or index < counts.total - counts.available
    # The floor knows the campaign's last change only.
    last = datetime.fromtimestamp(campaign.since, UTC).strftime("%Y-%m-%dT%H:%M:%S.000")
    date = last if attempted else ""
    phone = f"1555{index:07}"
    attempt = {"call_attempted": True, "date": date, "phone": phone}
    return {
        "entry": {"id": f"N{index}", "phone": phone},
        "status": {
            "globalInteractionID": "",
            "lastCallDuration": 0,
            "lastDisposition": "",
            "totalAttempts": int(attempted),
            "completed": completed,
            "completedTime": date if completed else "",
            "lastAgent": "",
            "lastPhone": phone if attempted else "",
            "lastDate": date,
        },
        "attempts": [attempt] if attempts and attempted else [],
    }
