"""Outbound campaigns from the List Management API v3.2: their states, and counts of records.

Records can only be counted by reading them, a thousand a page. So the feed is off by default
(``feeds: {campaigns: …}``), has a long interval and reads a limited number of pages.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from exporter.errors import FeedUnauthorized, InvalidAnswer, Refused, Unauthorized
from exporter.logs import Log
from exporter.metrics.parsers import Cell, Number, count, plain_text
from exporter.metrics.reading import Reading, RefusedRow, Rows, check_refused
from exporter.providers.brightpattern.client import Client
from exporter.providers.brightpattern.tables import CAMPAIGN_RECORDS, CAMPAIGN_STATES, PLAIN_NAME

PAGE = 1000  # records, the maximum of the API
MAX_PAGES = 60  # of one refresh, during which the account's other feeds wait


_STATUSES = ("completed", "attempted", "available")


class Campaigns:
    """Reader of the campaigns of one account."""

    def __init__(self, client: Client, auth_retry: float, log: Log) -> None:
        self._client = client
        self._auth_retry = auth_retry
        self._log = log
        self._pages_left = 0
        self._too_large: set[str] = set()

    async def read(self) -> Reading:
        """Read all campaigns. Raises ``ProviderError``; a refusal does not end the session."""
        self._pages_left = MAX_PAGES
        try:
            items, refused, repeated = _by_id(await self._client.campaigns())
            campaigns = list(_campaigns(items))
            self._too_large &= {str(names["name"]) for _, names, _ in campaigns}
            records = [
                row
                for identity, names, _ in campaigns
                for row in await self._records(identity, names)
            ]
        except Unauthorized as error:
            raise FeedUnauthorized(str(error), retry_after=self._auth_retry) from error
        states: list[dict[str, Cell]] = [
            {"name": names["name"], "state": state, **names} for _, names, state in campaigns
        ]
        return Reading(
            {
                CAMPAIGN_STATES.name: Rows.of(states, refused, repeated),
                CAMPAIGN_RECORDS.name: Rows.of(records),
            }
        )

    async def _records(self, identity: str, names: dict[str, Cell]) -> list[dict[str, Cell]]:
        """Return the record counts of one campaign, none where they cannot be read."""
        name = str(names["name"])
        try:
            lists = list(_lists(await self._client.campaign(identity)))
            total = sum(records for _, records in lists)
            counts: Counter[str] = Counter(total=total)
            if self._fits(name, lists):
                for instance, _ in lists:
                    counts += await self._count(identity, instance)
                counts.update(dict.fromkeys(_STATUSES, 0))
                counts["total"] = sum(counts[status] for status in _STATUSES)
        except (Refused, InvalidAnswer) as error:
            self._log.debug("campaign not counted", campaign=name, error=str(error))
            return []
        return [
            {"name": name, "status": status, "records": number, **names}
            for status, number in counts.items()
        ]

    def _fits(self, name: str, lists: list[tuple[str, int]]) -> bool:
        """Return whether the pages of all lists may be read; log once where they may not."""
        pages = sum(records // PAGE + 1 for _, records in lists)
        if pages <= self._pages_left:
            return True
        if name not in self._too_large:
            self._too_large.add(name)
            self._log.warning("campaign has too many records to count", campaign=name, pages=pages)
        return False

    async def _count(self, identity: str, instance: str) -> Counter[str]:
        """Count a list's records by status, page by page, until no cursor or no record follows."""
        counts: Counter[str] = Counter()
        cursor: str | None = None
        seen = set()
        while self._pages_left > 0:
            self._pages_left -= 1
            page = await self._client.records(identity, instance, PAGE, cursor)
            records = page.get("records")
            if not isinstance(records, list):
                raise InvalidAnswer("page lacks the list of records")
            counts.update(_status(record) for record in records)
            cursor = page.get("next_cursor")
            if not records or not isinstance(cursor, str) or not cursor:
                return counts
            if cursor in seen:
                raise InvalidAnswer("list repeats a cursor")
            seen.add(cursor)
        raise InvalidAnswer("list has more pages than its totalRecords")


def _by_id(items: list[Any]) -> tuple[list[dict[str, Any]], list[RefusedRow], int]:
    """Return the campaigns, the items without an id, and the number of items that repeat one."""
    campaigns: dict[str, dict[str, Any]] = {}
    refused = []
    for position, item in enumerate(items, 1):
        identity = plain_text(item.get("id")) if isinstance(item, dict) else ""
        if identity:
            campaigns.setdefault(identity, item)
        else:
            refused.append(RefusedRow(position, 0, "no id"))
    check_refused(refused, len(items))
    return [*campaigns.values()], refused, len(items) - len(campaigns) - len(refused)


def _campaigns(campaigns: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Cell], Cell]]:
    """Yield id, cells that name it and state; the labels of namesakes end in the id."""
    names = [plain_text(campaign.get("name")) or str(campaign["id"]) for campaign in campaigns]
    shared = {name for name, number in Counter(names).items() if number > 1}
    for campaign, name in zip(campaigns, names, strict=True):
        identity = str(campaign["id"])
        cells: dict[str, Cell] = {"name": name}
        if name in shared:
            cells = {"name": f"{name} ({identity})", PLAIN_NAME: name}
        state = campaign.get("state")
        yield identity, cells, state if isinstance(state, str) else None


def _lists(campaign: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """Yield the instance and the number of records of each list bound to a campaign."""
    lists = campaign.get("lists")
    if not isinstance(lists, list):
        raise InvalidAnswer("campaign lacks its lists")
    for item in lists:
        instance = item.get("instanceId") if isinstance(item, dict) else None
        records = item.get("totalRecords") if isinstance(item, dict) else None
        if not isinstance(instance, str) or not isinstance(records, int) or records < 0:
            raise InvalidAnswer("list lacks instanceId or totalRecords")
        yield instance, records


def _status(record: Any) -> str:
    """Return a record's status from ``completed``, the only field that is always there."""
    status = record.get("status") if isinstance(record, dict) else None
    if not isinstance(status, dict) or not isinstance(status.get("completed"), bool):
        raise InvalidAnswer("record lacks its status")
    if status["completed"]:
        return "completed"
    return "attempted" if _attempts(status.get("totalAttempts")) else "available"


def _attempts(value: Any) -> Number:
    """Return the number of attempts, 0 where there is none."""
    if value is None or value == "":
        return 0
    try:
        return count(value if isinstance(value, str | int | float) else None)
    except ValueError:
        raise InvalidAnswer("record has an unreadable totalAttempts") from None
