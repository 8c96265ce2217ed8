"""A bearer token that is renewed ahead of its end. Providers say how one is asked for."""

import asyncio
from collections.abc import Awaitable, Callable

from exporter.clock import Clock
from exporter.errors import ProviderError, Rejected, Unauthorized

RENEW_AT = 0.8  # of a token's life
_PAUSE = 60.0  # seconds between two tokens, unless the platform asked for a new one

Ask = Callable[[], Awaitable[tuple[str, float]]]  # the token, and the seconds that it lives


class Token:
    """One account's token; requests that are made side by side share it."""

    def __init__(self, ask: Ask, clock: Clock) -> None:
        self._ask = ask
        self._clock = clock
        self._asking = asyncio.Lock()
        self._asked_at = self._renew_at = self._ends_at = float("-inf")
        self.value = ""
        self._refused = ""  # what was said where credentials were rejected; nobody asks again then

    @property
    def headers(self) -> dict[str, str]:
        """The header that carries the token."""
        return {"Authorization": f"Bearer {self.value}"}

    async def ready(self) -> None:
        """Ask for a token where there is none, or where most of its life is over.

        Raises ``ProviderError`` where there is none that could be shown.
        """
        async with self._asking:
            now = self._clock.monotonic()
            if self.value and (now < self._renew_at or now < self._asked_at + _PAUSE):
                return
            try:
                await self._renew()
            except Unauthorized:
                raise
            except ProviderError:
                if not self.value or now >= self._ends_at:
                    raise

    async def renew(self, refused: str) -> None:
        """Ask for another token than ``refused``, unless that has been done meanwhile.

        Raises ``ProviderError``.
        """
        async with self._asking:
            if self.value in ("", refused):
                self.value = ""
                await self._renew()

    def clear_refusal(self) -> None:
        """Let a token be asked for again although that was refused."""
        self._refused = ""

    def forget(self) -> None:
        """Begin anew: show no token, and ask for one even if that was refused before."""
        self.value = self._refused = ""

    async def _renew(self) -> None:
        if self._refused:
            raise Rejected(self._refused)
        self._asked_at = self._clock.monotonic()
        try:
            self.value, life = await self._ask()
        except Unauthorized as error:
            self.value, self._refused = "", str(error)
            raise Rejected(str(error), retry_after=error.retry_after) from error
        self._renew_at = self._asked_at + RENEW_AT * life
        self._ends_at = self._asked_at + life
