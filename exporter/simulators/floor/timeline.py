"""What happens next on the floor: simulated time, and the events that wait for it."""

import heapq
from collections.abc import Callable
from itertools import count
from typing import Any


class Timeline:
    """Simulated seconds since the epoch, moved only by ``run``.

    Events of one instant happen in the order they were planned, so the outcome does not depend
    on how many steps it takes to get there.
    """

    def __init__(self, start: float) -> None:
        self.now = start
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._order = count()

    def at(self, instant: float, action: Callable[..., None], *args: object) -> None:
        """Plan ``action(*args)`` for an instant; one that has passed happens at the next step."""
        heapq.heappush(self._events, (max(instant, self.now), next(self._order), action, args))

    def after(self, seconds: float, action: Callable[..., None], *args: object) -> None:
        """Plan ``action(*args)`` for so many seconds from now."""
        heapq.heappush(self._events, (self.now + seconds, next(self._order), action, args))

    def run(self, to: float) -> None:
        """Let everything up to and including the instant ``to`` happen."""
        events = self._events
        while events and events[0][0] <= to:
            self.now, _, action, args = heapq.heappop(events)
            action(*args)
        self.now = max(self.now, to)
