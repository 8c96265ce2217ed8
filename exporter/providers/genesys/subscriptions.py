"""What is open at the platform, and what came of it: subscriptions of some hundred statistics each.

The Statistics API reference names no limit for a subscription, and partial success without saying
how a failed statistic is named, so what was asked is compared with what came back.
"""

import asyncio
import contextlib
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from exporter.errors import ProviderError, Refused, ServerTrouble
from exporter.logs import Log
from exporter.providers.genesys.client import Client
from exporter.providers.genesys.statistics import AGENT_TYPES
from exporter.providers.genesys.store import Book

_MOST_REFUSALS = 64  # requests spent on finding out which statistics of a refused lot are bad
_NAMED = 5  # statistics that a log line names
_CLOSING = 4  # subscriptions closed side by side
_UNWRAPPED = 4  # envelopes inside each other


class Unavailable(ServerTrouble):
    """The statistics service has lost its servers, and with them every statistic."""

    reason = "unavailable"
    remedy = (
        "The platform's statistics service has lost its servers. Check the platform's status page; "
        "figures return with the servers."
    )
    voids = True


class Subscriptions:
    """The subscriptions of one session.

    ``quiet`` ones bring no updates. ``available`` is what the service last said of itself.
    """

    def __init__(
        self, client: Client, book: Book, chunk: int, log: Log, *, quiet: bool = False
    ) -> None:
        self._client = client
        self._book = book
        self._chunk = chunk
        self._log = log
        self._quiet = quiet
        self._ids: dict[str, frozenset[int]] = {}
        self._old: set[str] = set()  # to be deleted
        self._dropped = 0  # how often the platform dropped everything
        self._told: set[int] = set()
        self.available = True

    @property
    def ids(self) -> Sequence[str]:
        """The subscriptions that are open."""
        return list(self._ids)

    # Opening and closing -------------------------------------------------------------------

    async def open_anew(self) -> None:
        """Open every statistic, whatever was open before. Raises ``ProviderError``."""
        self._old.update(self._ids)
        self._ids = {}
        self._book.close()
        try:
            await self._open(self._mine())
        except ProviderError:
            await self._delete_old()
            raise
        self._book.settle()
        await self._delete_old()

    async def open_missing(self) -> None:
        """Try those again that could not be opened. Raises ``ProviderError``."""
        missing = set(self._book.missing)
        await self._open(number for number in self._mine() if number in missing)
        await self._delete_old()

    def _mine(self) -> Iterable[int]:
        """Return what is opened here; quiet names need no subscription to be read."""
        statistics = enumerate(self._book.statistics)
        return (at for at, each in statistics if not (self._quiet and each.wanted.name))

    async def read(self) -> None:
        """Read every open statistic, and forget those that are no longer there.

        Raises ``ProviderError``: a subscription that cannot be read may be gone.
        """
        for subscription, lot in list(self._ids.items()):
            entries = await self._client.peek(subscription)
            if subscription in self._ids:
                came = self.take(entries, subscription)
                self._book.lost(lot - came)

    async def close(self, limit: float) -> None:
        """Close everything, best-effort and within ``limit`` seconds."""
        self._old.update(self._ids)
        self._ids = {}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit):
                await self._delete_old()
        self._old.clear()

    async def _open(self, numbers: Iterable[int]) -> None:
        """Open statistics in lots; those of doubtful definition apart from the certain ones."""
        left = [_MOST_REFUSALS]
        for lot in _lots(list(numbers), self._book, self._chunk):
            await self._create(lot, left)
        self.available = True
        self._tell()

    async def _create(self, lot: Sequence[int], left: list[int]) -> None:
        """Open a lot; where it is refused as a whole, its halves, as long as ``left`` allows."""
        subscription = str(uuid.uuid4())
        before = self._dropped
        self._ids[subscription] = frozenset(lot)  # updates may come before the answer does
        statistics = self._book.statistics
        described = [statistics[number].described(str(number), quiet=self._quiet) for number in lot]
        try:
            entries = await self._client.create(subscription, described)
        except (Refused, ServerTrouble) as error:
            self._ids.pop(subscription, None)
            if isinstance(error, ServerTrouble) and not statistics[lot[0]].wanted.guess:
                raise  # a doubtful definition may well break the platform: it costs only itself
            left[0] -= 1
            if len(lot) == 1 or left[0] <= 0:
                self._log.debug("statistics refused", statistics=len(lot), error=str(error))
                return
            middle = len(lot) // 2
            await self._create(lot[:middle], left)
            await self._create(lot[middle:], left)
            return
        except ProviderError:
            self._ids.pop(subscription, None)
            raise
        if self._dropped != before:
            raise Unavailable("the service dropped the statistics while they were opened")
        if not self.take(entries, subscription):
            self._ids.pop(subscription, None)
            self._old.add(subscription)

    def _tell(self) -> None:
        """Say once of each statistic that it could not be opened; persons are not named."""
        new = [number for number in self._book.missing if number not in self._told]
        if new:
            self._told |= set(new)
            statistics = (self._book.statistics[number] for number in new[:_NAMED])
            examples = "; ".join(
                f"{x.wanted.header} of {x.kind}"
                + ("" if x.kind in AGENT_TYPES else f" {x.identity}")
                for x in statistics
            )
            self._log.warning("statistics not opened", statistics=len(new), examples=examples)

    async def _delete_old(self) -> None:
        """Close what is not needed any more, best-effort and a few at a time."""

        async def work() -> None:
            while self._old:
                with contextlib.suppress(ProviderError):
                    await self._client.delete(self._old.pop())

        await asyncio.gather(*(work() for _ in range(min(_CLOSING, len(self._old)))))

    # What comes in -------------------------------------------------------------------------

    def heard(self, _channel: str, data: Any) -> None:
        """Take an event: values, or what the service says of itself."""
        found = _unwrap(data)
        if isinstance(found.get("statistics"), list):
            self.take(each for each in found["statistics"] if isinstance(each, dict))
        state = found.get("serviceState")
        if isinstance(state, str):
            self._service(state.strip().upper())

    def _service(self, state: str) -> None:
        if state == "UNAVAILABLE":
            self._log.warning("statistics service became unavailable")
            self.available = False
            self._dropped += 1
            self._ids.clear()
            self._book.drop()
        elif state == "AVAILABLE":
            self._log.info("statistics service became available")
            self.available = True

    def take(
        self, entries: Iterable[Mapping[str, Any]], subscription: str | None = None
    ) -> set[int]:
        """Take values and return of which statistics.

        Of subscriptions that are not ours, or no longer, nothing is taken.
        """
        taken = set()
        for entry in entries:
            number = _number(entry.get("statisticId"))
            owner = subscription or entry.get("subscriptionId")
            ours = self._ids.get(owner) if isinstance(owner, str) else self._every()
            if number is None or not ours or number not in ours:
                continue
            taken.add(number)
            self._book.opened(number)
            self._book.put(number, entry)
        return taken

    def _every(self) -> frozenset[int] | range:
        """Return what an update may be about that does not say whose it is (older servers)."""
        return range(len(self._book.statistics)) if self._ids else range(0)


def _lots(numbers: Sequence[int], book: Book, chunk: int) -> Iterator[Sequence[int]]:
    for guess in (False, True):
        chosen = [each for each in numbers if book.statistics[each].wanted.guess is guess]
        for start in range(0, len(chosen), chunk):
            yield chosen[start : start + chunk]


def _unwrap(data: Any) -> Mapping[str, Any]:
    """Return the inmost of the envelopes that events come in; not all servers use as many."""
    for _ in range(_UNWRAPPED):
        if not isinstance(data, dict):
            return {}
        if "statistics" in data or "serviceState" in data:
            return data
        data = data.get("data")
    return {}


def _number(told: Any) -> int | None:
    """Return the number that a statisticId stands for."""
    if isinstance(told, str) and told.isascii() and told.isdigit() and len(told) < 10:  # noqa: PLR2004
        return int(told)
    return told if isinstance(told, int) and not isinstance(told, bool) else None
