"""A session without CometD: statistics are opened without updates, and read when they are due."""

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from exporter.clock import Clock
from exporter.errors import InvalidAnswer, Refused, ServerTrouble
from exporter.logs import Log
from exporter.providers.genesys.book import Book
from exporter.providers.genesys.client import Client
from exporter.providers.genesys.cometd import Session
from exporter.providers.genesys.live import CHECK_EVERY, CLOSE_LIMIT
from exporter.providers.genesys.subscriptions import Subscriptions
from exporter.rows import Reading


class Poll:
    """One account's polling sessions, one after the other.

    What the contact centre defines by name is read without a subscription, ``chunk`` at a time.
    """

    def __init__(
        self,
        client: Client,
        book: Book,
        subscriptions: Subscriptions,
        chunk: int,
        clock: Clock,
        log: Log,
    ) -> None:
        self._client = client
        self._book = book
        self._subscriptions = subscriptions
        self._chunk = chunk
        self._clock = clock
        self._session = Session(client.messages, clock, subscriptions.heard, log)
        self._names: dict[tuple[Any, Any, Any], int] = {
            (each.wanted.name, each.kind, each.identity): at
            for at, each in enumerate(book.statistics)
            if each.wanted.name
        }
        self._outdated = False
        self._retry_at = 0.0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Open the statistics that have a definition; leaving it closes them."""
        self._book.drop()
        try:
            with contextlib.suppress(Refused, ServerTrouble, InvalidAnswer):
                # A handshake brings the cookie of the HTTP session that subscriptions belong to
                # (the vendor's Java client waits for it); nobody listens, and gateways without
                # CometD may do without the cookie too.
                await self._session.start(())
            await self._open_anew()
            yield
        finally:
            await self._subscriptions.close(CLOSE_LIMIT)
            await self._session.stop(CLOSE_LIMIT)

    async def _open_anew(self) -> None:
        await self._subscriptions.open_anew()
        self._outdated = False
        self._retry_at = self._clock.monotonic() + CHECK_EVERY

    async def reading(self) -> Reading:
        """Read every statistic. Raises ``ProviderError``."""
        if self._outdated:
            await self._open_anew()
        elif self._clock.monotonic() >= self._retry_at and self._book.missing:
            self._retry_at = self._clock.monotonic() + CHECK_EVERY
            await self._subscriptions.open_missing()
        try:
            await self._subscriptions.read()
        except (Refused, ServerTrouble, InvalidAnswer):
            self._outdated = True
            raise
        await self._read_names()
        return self._book.reading()

    async def _read_names(self) -> None:
        wanted = list(self._names)
        for start in range(0, len(wanted), self._chunk):
            lot = wanted[start : start + self._chunk]
            asked = [
                {"name": str(name), "objectId": identity, "objectType": kind}
                for name, kind, identity in lot
            ]
            came = set()
            for entry in await self._client.values(asked):
                key = (entry.get("name"), entry.get("objectType"), entry.get("objectId"))
                number = self._names.get(key)
                if number is not None:
                    came.add(number)
                    self._book.opened(number)
                    self._book.put(number, entry)
            self._book.lost(self._names[key] for key in lot if self._names[key] not in came)
