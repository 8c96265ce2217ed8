"""Subscriptions of the Statistics API: opens, reads and closes them a chunk at a time.

The Statistics API reference names no limit for a subscription, and reports partial success without
saying which statistic failed, so the statistics asked for are compared with those returned.
"""

import asyncio
import contextlib
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from exporter.clock import Clock
from exporter.errors import InvalidAnswer, ProviderError, Refused, ServerTrouble
from exporter.logs import Log
from exporter.metrics.reading import REPLACEMENT
from exporter.providers.genesys.chunks import Chunks
from exporter.providers.genesys.client import AccessDenied, Client
from exporter.providers.genesys.store import StatisticStore

_EXAMPLES = 5  # statistics named in a log line
_CLOSERS = 4  # subscriptions closed concurrently
_ENVELOPES = 4  # inside each other
_ALIVE = 60.0  # seconds since an update in which a subscription exists, though it is not readable
_MOST_DOUBTED_READS = 5  # likewise, if it sent updates lately: more than there are in _ALIVE
_MOST_FAILED_READS = 2  # of one subscription in a row; the reference has no status for "not found"


async def _nothing() -> None:
    pass


class Unavailable(ServerTrouble):
    """The statistics service has lost its Stat Servers, and with them every statistic."""

    reason = "unavailable"
    remedy = "The platform's statistics service has lost its servers: check its status page."
    voids = True


class Subscriptions:
    """The subscriptions of one session.

    Without ``updates`` the platform sends no notifications, and statistics that have a name are
    not subscribed to. ``available`` is the state that the service last announced.
    ``before_request`` is awaited before each request that opens or reads.
    """

    def __init__(
        self,
        client: Client,
        store: StatisticStore,
        chunk_size: int,
        clock: Clock,
        log: Log,
        *,
        updates: bool = True,
    ) -> None:
        self._client = client
        self._store = store
        self._log = log
        self._updates = updates
        self._chunks = Chunks(store, self.needed, chunk_size, self._create, clock, log)
        self._open: dict[str, frozenset[int]] = {}  # statistics by subscription id
        self._to_delete: set[str] = set()
        self._losses = 0  # how often the platform dropped everything
        self._failed_reads: Counter[str] = Counter()  # in a row, by subscription
        self._anonymous = False  # updates carry no subscription id
        self._reported: set[int] = set()
        self.available = True
        self.unconfirmed = False  # a subscription could not be read that sent updates before
        self.before_request: Callable[[], Awaitable[None]] = _nothing

    @property
    def ids(self) -> Sequence[str]:
        """The open subscriptions."""
        return list(self._open)

    # Opening and closing -------------------------------------------------------------------

    async def reopen(self) -> None:
        """Open every statistic in new subscriptions. Raises ``ProviderError``."""
        self._to_delete.update(self._open)
        self._open = {}
        self._store.mark_all_closed()
        if self._anonymous:  # else updates of the old subscriptions would pass for new ones
            await self._delete_old()
        try:
            await self._open_statistics(self.needed)
        except ProviderError:
            await self._delete_old()
            raise
        self._store.drop_unopened()
        await self._delete_old()

    async def open_missing(self) -> None:
        """Open those statistics that are not open. Raises ``ProviderError``."""
        older = list(self._open)
        unopened = set(self._store.unopened)
        await self._open_statistics(index for index in self.needed if index in unopened)
        opened = unopened.difference(self._store.unopened)
        for subscription in self._open.keys() & older:
            self._open[subscription] -= opened
        await self._delete_old()

    @property
    def needed(self) -> Sequence[int]:
        """The statistics that need a subscription: a named one can be read without."""
        statistics = enumerate(self._store.statistics)
        return [index for index, item in statistics if self._updates or not item.stat_type.name]

    async def read_values(self, *, doubtful: bool) -> None:
        """Read every open statistic, and mark those as closed that no longer exist.

        Sets ``unconfirmed`` where a subscription that sent updates lately cannot be read: it may
        have been dropped since. One that is refused several times is read no more often.

        Raises ``ProviderError`` where it is not certain that a subscription still exists, and
        where stored values are ``doubtful`` and one cannot be read.
        """
        failure: ProviderError | None = None
        self.unconfirmed = False
        for subscription, indexes in list(self._open.items()):
            await self.before_request()
            try:
                entries = await self._client.peek_subscription(subscription)
            except (Refused, ServerTrouble, InvalidAnswer) as error:
                if self._is_gone(subscription, indexes, error):
                    self._drop(subscription, indexes)
                elif doubtful or not self._is_alive(indexes):
                    failure = error
                elif self._failed_reads[subscription] <= _MOST_DOUBTED_READS:
                    self.unconfirmed = True
                continue
            except AccessDenied:
                if doubtful or not self._is_alive(indexes):
                    raise
                continue
            self._failed_reads.pop(subscription, None)
            if subscription in self._open:
                stored = self.store_values(entries, subscription)
                self._drop(subscription, self._store.opened(indexes) - stored)
        if failure is not None:
            raise failure

    def _is_alive(self, indexes: frozenset[int]) -> bool:
        """Return whether a subscription still sends updates."""
        return self._updates and self._store.has_arrived(indexes, _ALIVE)

    def _is_gone(self, subscription: str, indexes: frozenset[int], error: ProviderError) -> bool:
        """Return whether a subscription that cannot be read no longer exists."""
        self._failed_reads[subscription] += 1
        is_certain = isinstance(error, Refused)
        is_certain |= self._failed_reads[subscription] >= _MOST_FAILED_READS
        return is_certain and not self._is_alive(indexes)

    def _drop(self, subscription: str, gone: frozenset[int]) -> None:
        """Mark statistics of a subscription as closed; delete it where none is left."""
        left = self._open.get(subscription, frozenset()) - gone
        if left:
            self._open[subscription] = left
        elif self._open.pop(subscription, None) is not None:
            self._to_delete.add(subscription)
            self._failed_reads.pop(subscription, None)
        self._store.mark_closed(gone)

    async def close(self, limit: float) -> None:
        """Delete every subscription, best-effort and within ``limit`` seconds."""
        self._to_delete.update(self._open)
        self._open = {}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit):
                await self._delete_old()
        self._to_delete.clear()

    async def _open_statistics(self, indexes: Iterable[int]) -> None:
        await self._chunks.send_all(indexes)
        self.available = True
        self.report_unopened(x for x in self.needed if not self._chunks.is_refused(x))

    async def _create(self, chunk: Sequence[int], *, keep: bool) -> Collection[int]:
        """Open a chunk in a subscription of its own, which is deleted at once without ``keep``."""
        subscription = str(uuid.uuid4())
        losses = self._losses
        if keep:
            self._open[subscription] = frozenset(chunk)  # updates may arrive before the response
        statistics = self._store.statistics
        descriptions = [
            statistics[index].description(str(index), updates=self._updates) for index in chunk
        ]
        try:
            await self.before_request()
            entries = await self._client.create_subscription(subscription, descriptions)
        except ProviderError:
            self._open.pop(subscription, None)
            raise
        if self._losses != losses:
            raise Unavailable("the service dropped the statistics while they were opened")
        if not keep:
            self._to_delete.add(subscription)
            returned = {_index_of(entry.get("statisticId")) for entry in entries}
            return [index for index in chunk if index in returned]
        stored = self.store_values(entries, subscription)
        if not stored:
            self._open.pop(subscription, None)
            self._to_delete.add(subscription)
        return stored

    def report_unopened(self, indexes: Iterable[int]) -> None:
        """Log, once for each of the statistics, that it could not be opened."""
        unopened = set(self._store.unopened).intersection(indexes)
        new = sorted(unopened - self._reported)
        if new:
            self._reported |= set(new)
            examples = "; ".join(str(self._store.statistics[index]) for index in new[:_EXAMPLES])
            self._log.warning("statistics not opened", statistics=len(new), examples=examples)

    async def _delete_old(self) -> None:
        """Delete the subscriptions that are no longer used, best-effort."""

        async def work() -> None:
            while self._to_delete:
                with contextlib.suppress(ProviderError):
                    await self._client.delete_subscription(self._to_delete.pop())

        await asyncio.gather(*(work() for _ in range(min(_CLOSERS, len(self._to_delete)))))

    # Events and values ---------------------------------------------------------------------

    def on_event(self, _channel: str, data: Any) -> None:
        """Process an event: values, or the state of the service."""
        payload = _unwrap(data)
        if isinstance(payload.get("statistics"), list):
            self.store_values(entry for entry in payload["statistics"] if isinstance(entry, dict))
        state = payload.get("serviceState")
        if isinstance(state, str):
            self._set_service_state(state.strip().upper())

    def _set_service_state(self, state: str) -> None:
        if state == "UNAVAILABLE":
            self._log.warning("statistics service became unavailable")
            self.available = False
            self._losses += 1
            self._open.clear()
            self._store.clear()
        elif state == "AVAILABLE":
            self._log.info("statistics service became available")
            self.available = True

    def store_values(
        self, entries: Iterable[Mapping[str, Any]], subscription: str | None = None
    ) -> set[int]:
        """Store values and return their statistics; those of other subscriptions are ignored."""
        stored = set()
        for entry in entries:
            index = _index_of(entry.get("statisticId"))
            owner = subscription or entry.get("subscriptionId")
            self._anonymous |= not isinstance(owner, str)
            indexes = self._open.get(owner) if isinstance(owner, str) else self._any_open()
            if index is None or not indexes or index not in indexes:
                continue
            stored.add(index)
            self._store.update(index, entry)
        return stored

    def _any_open(self) -> frozenset[int] | range:
        """Return the statistics of an update without a subscription id (older servers)."""
        return range(len(self._store.statistics)) if self._open else range(0)


def has_unreadable_ids(channel: str, data: Any) -> bool:
    """Return whether a forbidden character hides what an event is about."""
    payload = _unwrap(data)
    statistics = payload.get("statistics")
    words = [channel, payload.get("serviceState")]
    for entry in statistics if isinstance(statistics, list) else ():
        if isinstance(entry, dict):
            words += (entry.get("statisticId"), entry.get("subscriptionId"))
    return any(isinstance(word, str) and REPLACEMENT in word for word in words)


def _unwrap(data: Any) -> Mapping[str, Any]:
    """Return the innermost envelope of an event; servers differ in how many they nest."""
    for _ in range(_ENVELOPES):
        if not isinstance(data, dict):
            return {}
        if "statistics" in data or "serviceState" in data:
            return data
        data = data.get("data")
    return {}


def _index_of(statistic_id: Any) -> int | None:
    """Return the index that a ``statisticId`` of ours stands for."""
    if isinstance(statistic_id, str) and statistic_id.isascii() and statistic_id.isdigit():
        return int(statistic_id) if len(statistic_id) < 10 else None  # noqa: PLR2004
    return statistic_id if type(statistic_id) is int else None
