"""A session without CometD: statistics are opened without updates, and read when they are due."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from exporter.clock import Clock
from exporter.errors import InvalidAnswer, Refused, ServerTrouble, SessionLost
from exporter.logs import Log
from exporter.metrics.reading import Reading
from exporter.providers.genesys.client import Client
from exporter.providers.genesys.cometd import Session
from exporter.providers.genesys.push import CHECK_EVERY, CLOSE_LIMIT
from exporter.providers.genesys.store import Book
from exporter.providers.genesys.subscriptions import Subscriptions

_Name = tuple[str, str, str]  # the statistic's name, its object's type and id
_MOST_REFUSALS = 64  # requests spent on finding out which names of a refused lot are bad


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
        self._refused: set[int] = set()  # names that the platform does not take
        self._names: dict[_Name, int] = {
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
            raise SessionLost("a subscription is gone")  # opening takes longer than a refresh may
        if self._clock.monotonic() >= self._retry_at and self._book.missing:
            self._retry_at = self._clock.monotonic() + CHECK_EVERY
            self._refused.clear()
            await self._subscriptions.open_missing()
        try:
            await self._subscriptions.read()
        except (Refused, ServerTrouble, InvalidAnswer):
            self._outdated = True
            raise
        await self._read_names()
        return self._book.reading()

    async def _read_names(self) -> None:
        wanted = [each for each in self._names if self._names[each] not in self._refused]
        left = [_MOST_REFUSALS]
        for start in range(0, len(wanted), self._chunk):
            await self._read_lot(wanted[start : start + self._chunk], left)

    async def _read_lot(self, lot: Sequence[_Name], left: list[int]) -> None:
        """Read some names; where they are refused together, find out which are bad."""
        asked = [
            {"name": name, "objectId": identity, "objectType": kind} for name, kind, identity in lot
        ]
        numbers = {self._names[each] for each in lot}
        try:
            entries = await self._client.values(asked)
        except Refused:
            left[0] -= 1
            if left[0] <= 0:
                raise
            if len(lot) == 1:
                self._refused |= numbers
                self._book.lost(numbers)
                return
            middle = len(lot) // 2
            await self._read_lot(lot[:middle], left)
            await self._read_lot(lot[middle:], left)
            return
        came = set()
        for entry in entries:
            name, kind = str(entry.get("name")), str(entry.get("objectType"))
            number = self._names.get((name, kind, str(entry.get("objectId"))))
            if number in numbers:
                came.add(number)
                self._book.opened(number)
                self._book.put(number, entry)
        self._book.lost(numbers - came)
