"""Answers that take time to make: made off the web's loop, once for all clients that ask."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from exporter.errors import ExporterError

T = TypeVar("T")
_MOST_KEPT = 16  # a page of every account is as large as the whole page
_MOST_WAITING = 64


class TooManyAnswers(ExporterError):
    """Too many answers are waiting to be made."""


@dataclass(slots=True)
class _Answer:
    """An answer, the object that it was made of, and when it was made (monotonic seconds)."""

    source: object
    made: Future[Any]
    made_at: float


class Answers:
    """Makes answers in one thread, one after the other, and shares the latest.

    So no request, and no number of them, keeps the web's loop from handing over finished pages.
    ``now`` returns monotonic seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="answers")
        self._answers: OrderedDict[Hashable, _Answer] = OrderedDict()
        self._waiting = 0

    async def get(
        self,
        key: Hashable,
        make: Callable[[], T],
        *,
        source: object = None,
        lifetime: float = float("inf"),
    ) -> T:
        """Return what ``make`` returns or has returned for this key.

        It is made again if ``source`` is another object than the last time, or ``lifetime``
        seconds have passed. Raises ``TooManyAnswers``.
        """
        answer = self._answers.get(key)
        if answer is None or not self._is_current(answer, source, lifetime):
            if self._waiting >= _MOST_WAITING:
                raise TooManyAnswers
            answer = _Answer(source, self._thread.submit(make), self._now())
            self._answers[key] = answer
        self._answers.move_to_end(key)
        while len(self._answers) > _MOST_KEPT:
            self._answers.popitem(last=False)
        if answer.made.done():
            return answer.made.result()  # type: ignore[no-any-return]
        self._waiting += 1
        try:
            # A client that disconnects does not stop what others wait for.
            return await asyncio.shield(asyncio.wrap_future(answer.made))
        finally:
            self._waiting -= 1

    def forget(self) -> None:
        """Make every answer again when it is asked for."""
        self._answers.clear()

    def _is_current(self, answer: _Answer, source: object, lifetime: float) -> bool:
        if answer.source is not source:
            return False
        if not answer.made.done():
            return True
        return not answer.made.exception() and 0 <= self._now() - answer.made_at < lifetime
