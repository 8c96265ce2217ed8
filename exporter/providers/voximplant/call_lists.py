"""Call lists: which there are, and how far they have come.

GetCallLists has no figures of progress: the tasks of a list must be counted. A finished list does
not change any more and is counted once.
"""

from collections import Counter
from dataclasses import dataclass

from exporter.clock import Clock
from exporter.logs import Log
from exporter.providers.voximplant.answers import figure, identity, scalars
from exporter.providers.voximplant.client import PAGE, Client, Row
from exporter.providers.voximplant.errors import Forbidden, UnknownObject
from exporter.providers.voximplant.rows import Cells
from exporter.providers.voximplant.tables import FINISHED, TASK_STATUS

_MOST_PAGES = 60  # of tasks in one refresh: more would hold up other feeds
_MOST_REMEMBERED = 10_000  # lists


@dataclass(frozen=True, slots=True)
class _Progress:
    """The tasks of a list by status, when they were counted, and whether that is final."""

    tasks: dict[str, int]
    read_at: float
    final: bool


class CallLists:
    """The lists of an account. Progress older than ``stale_after`` seconds is not shown."""

    def __init__(self, client: Client, clock: Clock, log: Log, stale_after: float) -> None:
        self._client = client
        self._clock = clock
        self._log = log
        self._stale_after = stale_after
        self._progress: dict[str, _Progress] = {}
        self._no_details_before = float("-inf")

    async def read(self, *, details: bool) -> list[Cells]:
        """Return a row for each list. Raises ``ProviderError``."""
        found = await self._client.pages("GetCallLists")
        lists = {identity(row.get("list_id")): row for row in found}
        lists.pop("", None)
        self._forget(lists)
        if details and self._clock.monotonic() >= self._no_details_before:
            await self._count(lists)
        often = Counter(str(row.get("list_name") or "") for row in lists.values())
        return [
            {
                **scalars(row),
                "campaign": _label(each, str(row.get("list_name") or ""), often),
                **self._tasks(each),
            }
            for each, row in lists.items()
        ]

    def _forget(self, lists: dict[str, Row]) -> None:
        known = [each for each in self._progress if each in lists]
        self._progress = {each: self._progress[each] for each in known[-_MOST_REMEMBERED:]}

    def _tasks(self, each: str) -> Cells:
        progress = self._progress.get(each)
        oldest = self._clock.monotonic() - self._stale_after
        if progress is None or (not progress.final and progress.read_at <= oldest):
            return {}
        return {f"tasks {status}": count for status, count in progress.tasks.items()}

    async def _count(self, lists: dict[str, Row]) -> None:
        """Count the tasks of the lists that were counted longest ago, as far as that goes."""
        left = _MOST_PAGES
        for each in sorted(lists, key=self._counted_at):
            if left <= 0:
                return
            progress = self._progress.get(each)
            if progress is not None and progress.final:
                continue
            try:
                tasks = await self._count_one(each)
            except Forbidden as error:
                self._no_details_before = self._clock.monotonic() + error.retry_after
                self._log.warning("call list details are not allowed", error=str(error))
                return
            except UnknownObject:
                continue
            left -= 1 + tasks["total"] // PAGE
            final = str(lists[each].get("status")) in FINISHED
            self._progress[each] = _Progress(tasks, self._clock.monotonic(), final)

    def _counted_at(self, each: str) -> float:
        progress = self._progress.get(each)
        return progress.read_at if progress else float("-inf")

    async def _count_one(self, each: str) -> dict[str, int]:
        rows = await self._client.pages("GetCallListDetails", list_id=each, output="json")
        tasks = dict.fromkeys(("total", *TASK_STATUS.values()), 0)
        tasks["total"] = len(rows)
        for row in rows:
            status = TASK_STATUS.get(int(figure(row.get("status_id"))), "other")
            tasks[status] = tasks.get(status, 0) + 1
        return tasks


def _label(each: str, name: str, often: Counter[str]) -> str:
    if not name:
        return each
    return name if often[name] == 1 else f"{name} ({each})"
