"""Call lists and their progress.

GetCallLists returns no progress, so the tasks of a list are counted from GetCallListDetails. A
finished list does not change any more and is counted once.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from exporter.clock import Clock
from exporter.logs import Log
from exporter.metrics.parsers import plain_text
from exporter.providers.voximplant.answers import JsonObject, ObjectsById, to_cells, to_number
from exporter.providers.voximplant.client import PAGE_SIZE, Client
from exporter.providers.voximplant.errors import MissingRole, UnknownId
from exporter.providers.voximplant.inventory import unique_labels
from exporter.providers.voximplant.rows import Cells
from exporter.providers.voximplant.tables import FINISHED, PLAIN_NAME, TASK_STATUS

_MOST_PAGES = 60  # of tasks in one refresh: more would delay other feeds
_MOST_REMEMBERED = 10_000  # lists


@dataclass(frozen=True, slots=True)
class _Progress:
    """The number of a list's tasks by status, when they were counted, and whether for good."""

    tasks: Mapping[str, int]
    read_at: float
    final: bool


class CallLists:
    """The call lists of an account. Progress older than ``stale_after`` seconds is left out."""

    def __init__(self, client: Client, clock: Clock, log: Log, stale_after: float) -> None:
        self._client = client
        self._clock = clock
        self._log = log
        self._stale_after = stale_after
        self.latest = ObjectsById((), "list_id")  # of the last answer
        self._progress: dict[str, _Progress] = {}
        self._no_details_before = float("-inf")

    def retry(self) -> None:
        """Ask for the details again, though they were refused."""
        self._no_details_before = float("-inf")

    async def read(self, *, details: bool) -> list[Cells]:
        """Return a row for each list; with ``details`` also its progress.

        Raises ``ProviderError``.
        """
        rows = await self._client.read_pages("GetCallLists")
        lists = self.latest = ObjectsById(rows, "list_id")
        remembered = [list_id for list_id in self._progress if list_id in lists]
        self._progress = {key: self._progress[key] for key in remembered[-_MOST_REMEMBERED:]}
        if details and self._clock.monotonic() >= self._no_details_before:
            await self._count_tasks(lists)
        names = {
            list_id: plain_text(row.get("list_name")) or list_id for list_id, row in lists.items()
        }
        labels = unique_labels(names)
        plain_names: dict[str, Cells] = {
            list_id: {PLAIN_NAME: names[list_id]}
            for list_id, label in labels.items()
            if label != names[list_id]
        }
        return [
            {
                **to_cells(row),
                "campaign": labels[list_id],
                **plain_names.get(list_id, {}),
                **self._task_cells(list_id),
            }
            for list_id, row in lists.items()
        ]

    def _task_cells(self, list_id: str) -> Cells:
        progress = self._progress.get(list_id)
        oldest = self._clock.monotonic() - self._stale_after
        if progress is None or (not progress.final and progress.read_at <= oldest):
            return {}
        return {f"tasks {status}": count for status, count in progress.tasks.items()}

    async def _count_tasks(self, lists: Mapping[str, JsonObject]) -> None:
        """Count the tasks of the lists, those counted longest ago first, up to a limit of pages."""
        pages_left = _MOST_PAGES
        for list_id in sorted(lists, key=self._counted_at):
            if pages_left <= 0:
                return
            progress = self._progress.get(list_id)
            if progress is not None and progress.final:
                continue
            try:
                tasks = await self._read_tasks(list_id)
            except MissingRole as error:
                self._no_details_before = self._clock.monotonic() + error.retry_after
                self._log.warning("call list details refused", error=str(error))
                return
            except UnknownId:
                continue
            pages_left -= 1 + tasks["total"] // PAGE_SIZE
            final = plain_text(lists[list_id].get("status")) in FINISHED
            self._progress[list_id] = _Progress(tasks, self._clock.monotonic(), final)

    def _counted_at(self, list_id: str) -> float:
        progress = self._progress.get(list_id)
        return progress.read_at if progress else float("-inf")

    async def _read_tasks(self, list_id: str) -> Counter[str]:
        rows = await self._client.read_pages("GetCallListDetails", list_id=list_id, output="json")
        tasks = Counter(dict.fromkeys(("total", *TASK_STATUS.values()), 0))
        tasks["total"] = len(rows)
        for row in rows:
            tasks[TASK_STATUS.get(int(to_number(row.get("status_id"))), "other")] += 1
        return tasks
