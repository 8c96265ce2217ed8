"""Outbound campaigns by the List Management API v3.2: their state, and their records counted.

Records can only be counted by reading them, a thousand a page, so this is asked for on purpose
(``feeds: {campaigns: …}``), seldom, and no more than so many pages at a time.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from exporter.errors import InvalidAnswer, Refused, Unauthorized
from exporter.logs import Log
from exporter.metrics.parsers import Cell, Number, count
from exporter.metrics.reading import Reading, Rows
from exporter.providers.brightpattern.client import Client
from exporter.providers.brightpattern.tables import CAMPAIGN_RECORDS, CAMPAIGN_STATES

PAGE = 1000  # records, the most that the API gives at once
MOST_PAGES = 60  # in one refresh: while they are read, the account's other feeds wait


class Campaigns:
    """Reads the campaigns of one account."""

    def __init__(self, client: Client, auth_retry: float, log: Log) -> None:
        self._client = client
        self._auth_retry = auth_retry
        self._log = log
        self._pages_left = 0
        self._too_long: set[str] = set()

    async def read(self) -> Reading:
        """Read all campaigns. Raises ``ProviderError``; a refusal is not the session's end."""
        self._pages_left = MOST_PAGES
        try:
            found = await self._client.campaigns()
            campaigns = list(_campaigns(found))
            records = [row for each in campaigns for row in await self._records(*each[:2])]
        except Unauthorized as error:
            raise Refused(str(error), retry_after=self._auth_retry) from error
        states: list[dict[str, Cell]] = [
            {"name": name, "state": state} for _, name, state in campaigns
        ]
        return Reading(
            {CAMPAIGN_STATES.name: Rows.of(states), CAMPAIGN_RECORDS.name: Rows.of(records)}
        )

    async def _records(self, identity: str, name: str) -> list[dict[str, Cell]]:
        """Count the records of one campaign; where that fails, its records are left out."""
        try:
            lists = list(_lists(await self._client.campaign(identity)))
            total = sum(records for _, records in lists)
            counts: Counter[str] = Counter(total=total)
            if self._affordable(name, lists):
                for instance, _ in lists:
                    counts += await self._count(identity, instance)
                counts.update(dict.fromkeys(("completed", "attempted", "available"), 0))
                counts["total"] = sum(counts[x] for x in ("completed", "attempted", "available"))
        except (Refused, InvalidAnswer) as error:
            self._log.debug("campaign not counted", campaign=name, error=str(error))
            return []
        return [{"name": name, "status": x, "records": n} for x, n in counts.items()]

    def _affordable(self, name: str, lists: list[tuple[str, int]]) -> bool:
        """Tell whether the pages of all lists may be read; of a campaign too large, say so once."""
        pages = sum(records // PAGE + 1 for _, records in lists)
        if pages <= self._pages_left:
            return True
        if name not in self._too_long:
            self._too_long.add(name)
            self._log.warning("campaign has too many records to count", campaign=name, pages=pages)
        return False

    async def _count(self, identity: str, instance: str) -> Counter[str]:
        """Count a list's records page by page, until there is no further cursor or record."""
        counts: Counter[str] = Counter()
        cursor: str | None = None
        seen = set()
        while self._pages_left > 0:
            self._pages_left -= 1
            page = await self._client.records(identity, instance, PAGE, cursor)
            records = page.get("records")
            if not isinstance(records, list):
                raise InvalidAnswer("a page holds no records")
            counts.update(_status(record) for record in records)
            cursor = page.get("next_cursor")
            if not records or not isinstance(cursor, str) or not cursor:
                return counts
            if cursor in seen:
                raise InvalidAnswer("the pages of a list go round in a circle")
            seen.add(cursor)
        raise InvalidAnswer("a list has more pages than its campaign says")


def _campaigns(found: list[Any]) -> Iterator[tuple[str, str, Cell]]:
    """Yield id, name and state; two campaigns of one name are told apart by their ids."""
    whole = [each for each in found if isinstance(each, dict) and each.get("id")]
    often = Counter(str(each.get("name") or each["id"]) for each in whole)
    for each in whole:
        identity, name = str(each["id"]), str(each.get("name") or each["id"])
        label = name if often[name] == 1 else f"{name} ({identity})"
        state = each.get("state")
        yield identity, label, state if isinstance(state, str) else None


def _lists(campaign: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """Yield the instance and the number of records of each list bound to a campaign."""
    lists = campaign.get("lists")
    if not isinstance(lists, list):
        raise InvalidAnswer("a campaign without lists")
    for each in lists:
        instance = each.get("instanceId") if isinstance(each, dict) else None
        records = each.get("totalRecords") if isinstance(each, dict) else None
        if not isinstance(instance, str) or not isinstance(records, int) or records < 0:
            raise InvalidAnswer("a list without instanceId or totalRecords")
        yield instance, records


def _status(record: Any) -> str:
    """Return where a record stands; only ``completed`` is always there."""
    status = record.get("status") if isinstance(record, dict) else None
    if not isinstance(status, dict) or not isinstance(status.get("completed"), bool):
        raise InvalidAnswer("a record without its status")
    if status["completed"]:
        return "completed"
    return "attempted" if _attempts(status.get("totalAttempts")) else "available"


def _attempts(told: Any) -> Number:
    """Return how often a record was tried; where that is not there, it was not."""
    if told is None or told == "":
        return 0
    try:
        return count(told if isinstance(told, str | int | float) else None)
    except ValueError:
        raise InvalidAnswer("a record whose attempts cannot be read") from None
