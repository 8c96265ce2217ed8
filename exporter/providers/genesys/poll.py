"""Poll session: opens statistics without notifications, and reads them at every refresh.

By the Statistics overview no CometD session is needed for that. Whether the service opens
statistics without one, and keeps them, is not documented: where it does not, a session is begun
and kept alive by connects that are answered at once, which no gateway cuts.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager

from exporter.clock import Clock
from exporter.errors import (
    InvalidAnswer,
    ProviderError,
    Refused,
    Rejected,
    ServerTrouble,
    SessionLost,
)
from exporter.logs import Log
from exporter.metrics.parsers import plain_text
from exporter.metrics.reading import Reading
from exporter.providers.genesys.chunks import Chunks
from exporter.providers.genesys.client import AccessDenied, Client
from exporter.providers.genesys.cometd import CometdSession
from exporter.providers.genesys.push import CHECK_INTERVAL, CLOSE_LIMIT
from exporter.providers.genesys.store import StatisticStore
from exporter.providers.genesys.subscriptions import Subscriptions

_NameKey = tuple[str, str, str]  # statistic's name, object's type and id
_TOUCH_INTERVAL = 4.0  # seconds; the server drops a session after ten (CometD maxInterval)
_TOUCH_LIMIT = 5.0  # seconds
_BRIEF, _PAUSE = 10.0, 60.0  # seconds: a CometD session that lasts less is not begun again at once


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
        self._clock = clock
        self._log = log
        self._cometd = CometdSession(client.post_messages, clock, subscriptions.on_event, log)
        subscriptions.before_request = self.keep_alive
        self._needs_cometd = False  # statistics are not opened, or not kept, without it
        self._has_cometd = False
        self._touch_at = self._begun_at = 0.0  # monotonic
        self._named: dict[_NameKey, int] = {
            (item.stat_type.name, item.object_type, item.object_id): index
            for index, item in enumerate(store.statistics)
            if item.stat_type.name
        }
        self._chunks = Chunks(store, self._named.values(), chunk_size, self._get, clock, log)
        self._read: set[int] = set()  # named statistics with a value in the present refresh
        self._is_opening = False
        self._retry_at = 0.0
        self._retries_suspects = True

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Open the statistics that have a definition; leaving the context closes them."""
        self._store.clear()
        self._has_cometd = False
        try:
            if self._needs_cometd:
                await self._begin_cometd()
            await self._open_missing()
            yield
        finally:
            await self._subscriptions.close(CLOSE_LIMIT)
            await self._cometd.disconnect(CLOSE_LIMIT)

    async def read(self) -> Reading:
        """Read every statistic. Raises ``ProviderError``."""
        if self._is_opening:
            raise SessionLost("opening the statistics took longer than a refresh")
        if self._clock.monotonic() >= self._retry_at and self._store.unopened:
            self._retries_suspects = True
            await self._open_missing()
        ids = set(self._subscriptions.ids)
        try:
            await self._subscriptions.read_values(doubtful=True)
        except AccessDenied:
            self._needs_cometd |= not self._has_cometd
            raise
        if ids.difference(self._subscriptions.ids):  # a subscription is gone
            if not self._has_cometd and not self._subscriptions.ids:
                await self._begin_cometd()
            await self._open_missing()
        await self._read_named()
        return self._store.reading()

    async def keep_alive(self) -> None:
        """Keep the CometD session alive, where there is one. Raises ``Rejected``."""
        now = self._clock.monotonic()
        if not self._has_cometd or now < self._touch_at:
            return
        self._touch_at = now + _TOUCH_INTERVAL
        try:
            self._touch_at = now + max(await self._cometd.touch(_TOUCH_LIMIT), _TOUCH_INTERVAL)
        except Rejected:
            raise
        except SessionLost as error:
            is_brief = now - self._begun_at < _BRIEF or isinstance(error, AccessDenied)
            self._touch_at = now + max(
                error.retry_after, _PAUSE if is_brief else self._cometd.pace.delay
            )
            if self._touch_at == now:
                await self._begin_cometd()
        except ProviderError as error:
            self._log.debug("session not kept alive", reason=error.reason, error=str(error))

    async def _open_missing(self) -> None:
        """Open what is not open; with a CometD session where it is refused without one."""
        self._is_opening, self._retry_at = True, 0.0
        try:
            await self._try_to_open()
        except ProviderError:
            self._is_opening = False
            raise
        self._is_opening = False
        self._retry_at = self._clock.monotonic() + CHECK_INTERVAL

    async def _try_to_open(self) -> None:
        refusal: ProviderError | None = None
        try:
            await self._subscriptions.open_missing()
        except (AccessDenied, Refused, ServerTrouble, InvalidAnswer) as error:
            refusal = error
        is_open = refusal is None and (self._subscriptions.ids or not self._subscriptions.needed)
        if not is_open and not self._has_cometd and await self._begin_cometd():
            await self._subscriptions.open_missing()
        elif refusal is not None:
            raise refusal

    async def _begin_cometd(self) -> bool:
        """Begin a CometD session; return whether the service, or a gateway, allows it.

        The handshake sets the cookie of the HTTP session that subscriptions belong to (the
        vendor's Java client waits for it).
        """
        self._has_cometd = False
        try:
            await self._cometd.handshake(())
        except Rejected:
            raise
        except ProviderError as error:
            self._log.debug("no cometd session", reason=error.reason, error=str(error))
        else:
            self._has_cometd = True
            self._begun_at = self._clock.monotonic()
            self._touch_at = self._begun_at + _TOUCH_INTERVAL
        self._needs_cometd = self._has_cometd
        return self._has_cometd

    async def _read_named(self) -> None:
        if not self._named:
            return
        self._read.clear()
        await self._chunks.send_all(self._named.values(), suspects=self._retries_suspects)
        self._store.mark_closed(set(self._named.values()) - self._read)
        if self._retries_suspects:
            self._retries_suspects = False
            unrefused = [x for x in self._named.values() if not self._chunks.is_refused(x)]
            self._subscriptions.report_unopened(unrefused)

    async def _get(self, chunk: Sequence[int], *, keep: bool) -> Collection[int]:
        """Read named statistics; their values are stored with ``keep``."""
        statistics = [self._store.statistics[index] for index in chunk]
        entries = await self._client.get_values(
            (str(item.stat_type.name), item.object_type, item.object_id) for item in statistics
        )
        wanted, returned = set(chunk), set()
        for entry in entries:
            key = (
                plain_text(entry.get("name")),
                plain_text(entry.get("objectType")),
                plain_text(entry.get("objectId")),
            )
            index = self._named.get(key)
            if index is None or index not in wanted:
                continue
            returned.add(index)
            if keep:
                self._read.add(index)
                self._store.update(index, entry)
        return returned
