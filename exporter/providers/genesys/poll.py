"""A session without CometD: statistics are opened without updates, and read when they are due."""

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from exporter.clock import Clock
from exporter.errors import InvalidAnswer, ProviderError, Refused, ServerTrouble
from exporter.providers.genesys.book import Book
from exporter.providers.genesys.client import Client
from exporter.providers.genesys.live import RETRY_MISSING
from exporter.providers.genesys.subscriptions import Subscriptions
from exporter.rows import Reading


class Poll:
    """One account's polling sessions, one after the other.

    What the contact centre defines by name is read without a subscription, ``chunk`` at a time.
    """

    def __init__(
        self, client: Client, book: Book, subscriptions: Subscriptions, chunk: int, clock: Clock
    ) -> None:
        self._client = client
        self._book = book
        self._subscriptions = subscriptions
        self._chunk = chunk
        self._clock = clock
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
            await self._open_anew()
            yield
        finally:
            with contextlib.suppress(ProviderError):
                await self._subscriptions.close()

    async def _open_anew(self) -> None:
        await self._subscriptions.open_anew()
        self._outdated = False
        self._retry_at = self._clock.monotonic() + RETRY_MISSING

    async def reading(self) -> Reading:
        """Read every statistic. Raises ``ProviderError``."""
        if self._outdated:
            await self._open_anew()
        elif self._clock.monotonic() >= self._retry_at and self._book.missing:
            self._retry_at = self._clock.monotonic() + RETRY_MISSING
            await self._subscriptions.open_missing()
        for subscription, lot in self._subscriptions.lots.items():
            try:
                entries = await self._client.peek(subscription)
            except (Refused, ServerTrouble, InvalidAnswer):
                self._outdated = True  # what else it may be, it may be gone
                raise
            came = self._subscriptions.take(entries, subscription)
            missing = set(self._book.missing)
            self._book.lost(number for number in lot if number not in came | missing)
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
