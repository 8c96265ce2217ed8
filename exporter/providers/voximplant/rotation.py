"""The statistics of queues, one request for each queue: whose turn is it?

GetACDQueueStatistics does not say which queue a row belongs to. A round asks every queue once; it
is spread over idle time, so that hundreds of queues hold up no other feed.
"""

import math
from collections.abc import Collection, Mapping
from datetime import datetime

from exporter.clock import Clock
from exporter.errors import InvalidAnswer, ProviderError, ServerTrouble
from exporter.providers.voximplant.client import Client
from exporter.providers.voximplant.errors import UnknownObject
from exporter.providers.voximplant.rows import Cells, queue_statistics

_METHOD = "GetACDQueueStatistics"


class Rotation:
    """What is known of each queue, and the round that is going on.

    Figures older than ``stale_after`` seconds are not shown. ``interval`` is the time between the
    starts of two rounds.
    """

    def __init__(self, client: Client, clock: Clock, interval: float, stale_after: float) -> None:
        self._client = client
        self._clock = clock
        self._interval = interval
        self._stale_after = stale_after
        self._rows: dict[str, tuple[float, Cells]] = {}
        self._pending: list[str] = []
        self._started_at = float("-inf")
        self._paused_until = float("-inf")

    @property
    def waiting(self) -> int:
        """How many queues of the round have not been asked yet."""
        return len(self._pending)

    @property
    def finished(self) -> bool:
        """Whether every queue of the round has been asked."""
        return not self._pending

    def idle(self) -> bool:
        """Tell whether there is nothing to do between two fetches: no round is on, or all fails."""
        now = self._clock.monotonic()
        return now < self._paused_until or (
            self.finished and now < self._started_at + self._interval
        )

    def begin(self, queues: Collection[str]) -> None:
        """Start a round where none is going on; queues that have gone are forgotten."""
        wanted = set(queues)
        self._rows = {queue: row for queue, row in self._rows.items() if queue in wanted}
        self._pending = [queue for queue in self._pending if queue in wanted]
        if not self._pending:
            self._pending = list(queues)
            self._started_at = self._clock.monotonic()

    def share(self) -> int:
        """Return how many queues to ask in a second, so that a round fits its interval."""
        return math.ceil(max(len(self._pending), len(self._rows)) / self._interval)

    async def advance(self, most: int, seconds: float, window: tuple[datetime, datetime]) -> None:
        """Ask up to ``most`` queues, for about ``seconds``. Raises ``ProviderError``."""
        until = self._clock.monotonic() + seconds
        failed: ProviderError | None = None
        asked = answered = 0
        while self._pending and asked < most and (not asked or self._clock.monotonic() < until):
            asked += 1
            queue = self._pending.pop(0)
            try:
                self._rows[queue] = (self._clock.monotonic(), await self._ask(queue, window))
                answered += 1
            except UnknownObject as error:
                self._rows.pop(queue, None)
                failed = error
            except (ServerTrouble, InvalidAnswer) as error:
                failed = error  # of this queue alone, as long as others answer
            except ProviderError as error:
                self._pending.append(queue)
                self._pause(error)
                raise
        if failed is not None and not answered:
            self._pause(failed)
            raise failed

    def _pause(self, error: ProviderError) -> None:
        pause = max(error.retry_after, self._interval)
        self._paused_until = self._clock.monotonic() + pause

    async def _ask(self, queue: str, window: tuple[datetime, datetime]) -> Cells:
        start, end = window
        rows = await self._client.rows(
            _METHOD,
            acd_queue_id=queue,
            from_date=start,
            to_date=end,
            aggregation="none",
            abbreviation=True,
            report="all",
        )
        return queue_statistics(rows)

    def rows(self, labels: Mapping[str, str]) -> list[Cells]:
        """Return what is known and fresh."""
        oldest = self._clock.monotonic() - self._stale_after
        return [
            {"queue": labels.get(queue, queue), **row}
            for queue, (read_at, row) in self._rows.items()
            if read_at > oldest
        ]
