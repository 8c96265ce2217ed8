"""Poll session: opens statistics without notifications, and reads them at every refresh."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from exporter.clock import Clock
from exporter.errors import InvalidAnswer, Refused, ServerTrouble, SessionLost
from exporter.logs import Log
from exporter.metrics.reading import Reading
from exporter.providers.genesys.client import Client
from exporter.providers.genesys.cometd import CometdSession
from exporter.providers.genesys.push import CLOSE_LIMIT, REOPEN_INTERVAL
from exporter.providers.genesys.store import StatisticStore
from exporter.providers.genesys.subscriptions import Subscriptions

_NameKey = tuple[str, str, str]  # statistic's name, object's type and id
_MOST_REFUSALS = 64  # requests spent on finding the bad names of a refused chunk


class PollSession:
    """The poll sessions of one account, one after the other.

    Statistics that have a name are read without a subscription, ``chunk_size`` at a time.
    """

    def __init__(
        self,
        client: Client,
        store: StatisticStore,
        subscriptions: Subscriptions,
        chunk_size: int,
        clock: Clock,
        log: Log,
    ) -> None:
        self._client = client
        self._store = store
        self._subscriptions = subscriptions
        self._chunk_size = chunk_size
        self._clock = clock
        self._cometd = CometdSession(client.post_messages, clock, subscriptions.on_event, log)
        self._refused: set[int] = set()  # named statistics that the platform refuses
        self._named: dict[_NameKey, int] = {
            (item.stat_type.name, item.object_type, item.object_id): index
            for index, item in enumerate(store.statistics)
            if item.stat_type.name
        }
        self._lost = False
        self._retry_at = 0.0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Open the statistics that have a definition; leaving the context closes them."""
        self._store.clear()
        try:
            with contextlib.suppress(Refused, ServerTrouble, InvalidAnswer):
                # The handshake sets the cookie of the HTTP session that subscriptions belong to
                # (the vendor's Java client waits for it). Gateways without CometD may do without.
                await self._cometd.handshake(())
            await self._subscriptions.reopen()
            self._lost = False
            self._retry_at = self._clock.monotonic() + REOPEN_INTERVAL
            yield
        finally:
            await self._subscriptions.close(CLOSE_LIMIT)
            await self._cometd.disconnect(CLOSE_LIMIT)

    async def read(self) -> Reading:
        """Read every statistic. Raises ``ProviderError``."""
        if self._lost:
            raise SessionLost("a subscription is gone")  # reopening may outlast a refresh
        if self._clock.monotonic() >= self._retry_at and self._store.unopened:
            self._retry_at = self._clock.monotonic() + REOPEN_INTERVAL
            self._refused.clear()
            await self._subscriptions.retry_unopened()
        try:
            await self._subscriptions.read_values()
        except (Refused, ServerTrouble, InvalidAnswer):
            self._lost = True
            raise
        await self._read_named()
        return self._store.reading()

    async def _read_named(self) -> None:
        keys = [key for key, index in self._named.items() if index not in self._refused]
        refusals_left = [_MOST_REFUSALS]
        for start in range(0, len(keys), self._chunk_size):
            await self._read_chunk(keys[start : start + self._chunk_size], refusals_left)

    async def _read_chunk(self, chunk: Sequence[_NameKey], refusals_left: list[int]) -> None:
        """Read named statistics; where the chunk is refused, read its halves."""
        indexes = {self._named[key] for key in chunk}
        try:
            entries = await self._client.get_values(chunk)
        except Refused:
            refusals_left[0] -= 1
            if refusals_left[0] <= 0:
                raise
            if len(chunk) == 1:
                self._refused |= indexes
                self._store.mark_closed(indexes)
                return
            middle = len(chunk) // 2
            await self._read_chunk(chunk[:middle], refusals_left)
            await self._read_chunk(chunk[middle:], refusals_left)
            return
        returned = set()
        for entry in entries:
            key = (
                str(entry.get("name")),
                str(entry.get("objectType")),
                str(entry.get("objectId")),
            )
            index = self._named.get(key)
            if index in indexes:
                returned.add(index)
                self._store.update(index, entry)
        self._store.mark_closed(indexes - returned)
