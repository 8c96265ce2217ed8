"""The part of the simulator that lists campaigns: List Management API v3.2, on configapi v3.

Only what reads: campaigns, their lists, and the records of a list page by page. The floor counts
records and does not keep them, so records are made up from the counts, the completed ones first.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from exporter.simulators.brightpattern.services import View
from exporter.simulators.brightpattern.tenant import Tenant, object_id
from exporter.simulators.floor.figures import Campaign

_MAX_PAGE = 1000
_CURSOR_DIGITS = 24
_TYPES = {"autodial": "AUTOMATIC", "predictive": "PREDICTIVE", "preview": "PREVIEW"}
_INCLUDES = (
    *("generalSettings", "callerIdSettings", "outboundGeneral", "teams", "callerIDs"),
    *("dispositions", "lists", "dncLists"),
)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}")
_ALL = {"instanceId": str, "limit": int, "extractAttempts": bool, "cursor": str}
_COMPLETED = {**_ALL, "startTime": str, "endTime": str}


class CampaignError(Exception):
    """A request that is refused, with what the vendor calls the error."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.error = error
        self.description = description


def campaigns(view: View) -> list[dict[str, Any]]:
    """Return the enabled outbound campaigns."""
    return [
        {"id": service.id, "name": service.name, "state": state(service.campaign)}
        for service in view.services
        if service.campaign is not None
    ]


def find(view: View, campaign_id: str) -> Campaign:
    """Return a campaign by its id."""
    for service in view.services:
        if service.campaign is not None and service.id == campaign_id:
            return service.campaign
    raise CampaignError(404, "not_found", f"campaign {campaign_id!r} was not found")


def state(campaign: Campaign) -> str:
    """Return one of the two states that this API knows."""
    return "RUNNING" if campaign.state == "running" else "STOPPED"


def status(campaign: Campaign) -> dict[str, Any]:
    """Return the state of a campaign."""
    return {"name": campaign.name, "enabled": True, "state": state(campaign)}


def settings(campaign: Campaign, view: View, include: str | None) -> dict[str, Any]:
    """Return a campaign with its lists, or the settings that are asked for."""
    lists = {"lists": [_list(campaign)], "dncLists": []}
    if include is None:
        return {**status(campaign), "direction": "OUTBOUND_VOICE", **lists}
    wanted = set(_INCLUDES if include in ("*", "\\*") else include.split(","))
    if strange := sorted(wanted.difference(_INCLUDES)):
        raise _bad(f"'include' has unsupported value '{strange[0]}'")
    mode = campaign.kind if campaign.kind == "autodial" else campaign.mode
    everything = {
        "callerIdSettings": {"callerIdSelectionMethod": "DEFAULT"},
        "outboundGeneral": {"type": _TYPES[mode]},
        "teams": [team._asdict() for team in view.teams],
        "callerIds": [],
        "dispositions": [],
        **lists,
    }
    names = {"callerIds" if name == "callerIDs" else name for name in wanted}
    chosen = {name: value for name, value in everything.items() if name in names}
    return {**status(campaign), "type": "OUTBOUND_VOICE", **chosen}


def completed_count(campaign: Campaign) -> int:
    """Return how many records are done with: not those whose dial is still in flight."""
    records = campaign.records
    return max(records.dialed - campaign.in_flight, 0) + records.unreachable


def records(campaign: Campaign, body: object, tenant: Tenant, *, completed: bool) -> dict[str, Any]:
    """Return one page of a list's records, all of them or the completed ones."""
    asked = _asked(campaign, body, _COMPLETED if completed else _ALL)
    done = completed_count(campaign)
    total = campaign.records.total
    if completed:
        total = done if _is_between(campaign, asked) else 0
    start = _start(asked.get("cursor"), _TIME.pattern + "_" if completed else "")
    end = min(start + asked["limit"], total)
    attempts = bool(asked.get("extractAttempts"))
    page = [
        _record(index, campaign, done=index < done, attempts=attempts)
        for index in range(start, end)
    ]
    cursor = f"{max(end, start):0{_CURSOR_DIGITS}x}"
    if completed:
        cursor = f"{_done_at(campaign)}_{cursor}"
    more = end < total or (tenant.last_cursor == "page" and bool(page))
    if more:
        return {"next_cursor": cursor, "records": page}
    if tenant.last_cursor == "absent":
        return {"records": page}
    return {"next_cursor": "" if tenant.last_cursor == "empty" else None, "records": page}


def _asked(campaign: Campaign, body: object, types: dict[str, type]) -> dict[str, Any]:
    """Read the parameters of a page, and hold the list against the campaign."""
    if not isinstance(body, dict):
        raise _bad("an object is expected")
    for name, value in body.items():
        if name not in types:
            raise _bad(f"'{name}' is not supported")
        if not _is_right(name, value, types[name]):
            raise _bad(f"'{name}' has unsupported value '{value}'")
    for name in ("instanceId", "limit"):
        if name not in body:
            raise _bad(f"'{name}' is required")
    if body["instanceId"] != _instance_id(campaign):
        raise CampaignError(409, "conflict", "the instance is not bound to the campaign")
    return body


def _is_right(name: str, value: Any, wanted: type) -> bool:
    """Tell whether a parameter is of its type and within its bounds."""
    exact: bool = type(value) is wanted  # a bool is no number here
    if not exact:
        return name == "cursor" and value is None
    if name == "limit":
        return bool(1 <= value <= _MAX_PAGE)
    return name not in ("startTime", "endTime") or _TIME.fullmatch(value) is not None


def _bad(description: str) -> CampaignError:
    return CampaignError(400, "bad_request", description)


def _start(cursor: str | None, prefix: str) -> int:
    if cursor is None:
        return 0
    if not re.fullmatch(rf"{prefix}[0-9a-f]{{{_CURSOR_DIGITS}}}", cursor):
        raise _bad(f"'cursor' has unsupported value '{cursor}'")
    return int(cursor[-_CURSOR_DIGITS:], 16)


def _is_between(campaign: Campaign, asked: dict[str, Any]) -> bool:
    done = _done_at(campaign)
    start, end = asked.get("startTime"), asked.get("endTime")
    return (start is None or start <= done) and (end is None or done < end)


def _done_at(campaign: Campaign) -> str:
    """Return when records were completed: the floor knows the campaign's last change only."""
    return datetime.fromtimestamp(campaign.since, UTC).strftime("%Y-%m-%dT%H:%M:%S.000")


def _instance_id(campaign: Campaign) -> str:
    return object_id(f"instance {campaign.guid}")


def _list(campaign: Campaign) -> dict[str, Any]:
    return {
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


def _record(index: int, campaign: Campaign, *, done: bool, attempts: bool) -> dict[str, Any]:
    """Make up one record: the completed ones first, then those that were tried, then the rest."""
    counts = campaign.records
    tried = done or index < counts.total - counts.available
    at = _done_at(campaign) if tried else ""
    phone = f"1555{index:07}"
    tries: Sequence[dict[str, Any]] = [{"call_attempted": True, "date": at, "phone": phone}]
    return {
        "entry": {"id": f"N{index}", "phone": phone},
        "status": {
            "globalInteractionID": "",
            "lastCallDuration": 0,
            "lastDisposition": "",
            "totalAttempts": int(tried),
            "completed": done,
            "completedTime": at if done else "",
            "lastAgent": "",
            "lastPhone": phone if tried else "",
            "lastDate": at,
        },
        "attempts": tries if attempts and tried else [],
    }
