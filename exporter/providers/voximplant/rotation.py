"""Statistics of ACD queues: GetACDQueueStatistics, one request for each queue in rounds.

The answer does not name the queue of a row, so each queue has a request of its own. A round reads
every queue once; it is spread over idle time, so that hundreds of queues delay no other feed.
"""

import math
from collections.abc import Collection, Mapping
from datetime import datetime

from exporter.clock import Clock
from exporter.errors import InvalidAnswer, ProviderError, ServerTrouble
from exporter.providers.voximplant.client import Client
from exporter.providers.voximplant.errors import UnknownId
from exporter.providers.voximplant.rows import Cells, queue_row


class QueueRotation:
    """The latest row of each queue, and the queues of the current round that are still to read.

    Seconds: ``interval`` is the time between the starts of two rounds; rows older than
    ``stale_after`` are not returned.
    """

    def __init__(self, client: Client, clock: Clock, interval: float, stale_after: float) -> None:
        self._client = client
        self._clock = clock
        self._interval = interval
        self._stale_after = stale_after
        self._rows: dict[str, tuple[float, Cells]] = {}
        self._pending: list[str] = []
        self._started_at = float("-inf")
        self._failed_at = self._paused_until = float("-inf")

    @property
    def pending(self) -> int:
        """The number of queues of the round that are still to read."""
        return len(self._pending)

    def retry(self) -> None:
        """Forget a pause, but for an interval from its start."""
        self._paused_until = min(self._paused_until, self._failed_at + self._interval)

    def is_idle(self) -> bool:
        """Return whether nothing is to be read now: no round is due, or requests failed."""
        now = self._clock.monotonic()
        return now < self._paused_until or (
            not self._pending and now < self._started_at + self._interval
        )

    def begin(self, queues: Collection[str]) -> None:
        """Start a round where none is going on; queues that are gone are dropped."""
        known = set(queues)
        self._rows = {queue: row for queue, row in self._rows.items() if queue in known}
        self._pending = [queue for queue in self._pending if queue in known]
        if not self._pending:
            self._pending = list(queues)
            self._started_at = self._clock.monotonic()

    def per_second(self) -> int:
        """Return how many queues to read in a second, so that a round fits its interval."""
        return math.ceil(max(len(self._pending), len(self._rows)) / self._interval)

    async def read(self, most: int, seconds: float, window: tuple[datetime, datetime]) -> None:
        """Read up to ``most`` queues, for about ``seconds``. Raises ``ProviderError``."""
        until = self._clock.monotonic() + seconds
        failure: ProviderError | None = None
        requests = answers = 0
        while self._pending and requests < most:
            if requests and self._clock.monotonic() >= until:
                break
            requests += 1
            queue = self._pending.pop(0)
            try:
                self._rows[queue] = (self._clock.monotonic(), await self._read_row(queue, window))
                answers += 1
            except UnknownId as error:
                self._rows.pop(queue, None)
                failure = error
            except (ServerTrouble, InvalidAnswer) as error:
                failure = error  # concerns this queue alone, as long as others are answered
            except ProviderError as error:
                self._pending.append(queue)
                self._pause(error)
                raise
        if failure is not None and not answers:
            self._pause(failure)
            raise failure

    def _pause(self, error: ProviderError) -> None:
        self._failed_at = self._clock.monotonic()
        self._paused_until = self._failed_at + max(error.retry_after, self._interval)

    async def _read_row(self, queue: str, window: tuple[datetime, datetime]) -> Cells:
        start, end = window
        rows = await self._client.read_list(
            "GetACDQueueStatistics",
            acd_queue_id=queue,
            from_date=start,
            to_date=end,
            aggregation="none",
            abbreviation=True,
            report="all",
        )
        return queue_row(rows)

    def rows(self, labels: Mapping[str, str]) -> list[Cells]:
        """Return the rows that are not stale; ``labels`` are by queue id."""
        oldest = self._clock.monotonic() - self._stale_after
        return [
            {"queue": labels.get(queue, queue), **row}
            for queue, (read_at, row) in self._rows.items()
            if read_at > oldest
        ]
