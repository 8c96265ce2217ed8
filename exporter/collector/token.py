"""Bearer token of one account, renewed before it expires. Providers supply the request."""

import asyncio
import re
from collections.abc import Awaitable, Callable

from exporter.clock import Clock, Pace
from exporter.errors import InvalidAnswer, ProviderError, Rejected, Throttled, Unauthorized
from exporter.metrics.parsers import number

_LONGEST_TOKEN = 6000  # characters: with the cookies, servers take 8 kB to 16 kB of header fields
DEFAULT_LIFETIME = 600.0  # seconds, where the platform does not say
_LONGEST_LIFETIME = 7 * 86_400.0
RENEW_AT = 0.8  # of a token's lifetime
_PAUSE = 60.0  # seconds between two tokens, unless the platform refused the first

Request = Callable[[], Awaitable[tuple[str, float]]]  # a token, and its lifetime in seconds


class RenewalPaused(Throttled):
    """Sign-ins or tokens are refused soon after they were accepted: the next is made later."""

    reason = "session"
    remedy = (
        "The platform refuses requests soon after it accepted the sign-in. Check that no other "
        "program uses the same user; if none does, ask the platform's support."
    )


def token_of(value: object) -> str:
    """Return a token that can be sent in a header field. Raises ``InvalidAnswer``."""
    if not isinstance(value, str) or not re.fullmatch(r"[!-~]+", value):
        raise InvalidAnswer("the answer holds no token")
    if len(value) > _LONGEST_TOKEN:
        raise InvalidAnswer(f"the token has {len(value)} characters")
    return value


def lifetime_of(expires_in: object) -> float:
    """Return a token's lifetime in seconds, 0 to a week; ten minutes where it is not a number."""
    try:
        lifetime = float(number(expires_in if isinstance(expires_in, str | int | float) else None))
    except ValueError:
        return DEFAULT_LIFETIME
    return min(max(lifetime, 0.0), _LONGEST_LIFETIME)


def check_pace(pace: Pace) -> None:
    """Raise ``RenewalPaused`` where the next token or sign-in has to wait."""
    delay = pace.delay
    if delay > 0:
        raise RenewalPaused("refused soon after a sign-in; the next is delayed", retry_after=delay)


class Token:
    """One account's token; concurrent requests share it."""

    def __init__(self, request: Request, clock: Clock) -> None:
        self._request = request
        self._clock = clock
        self._pace = Pace(clock)
        self._lock = asyncio.Lock()
        self._requested_at = self._renew_at = self._expires_at = float("-inf")
        self.value = ""
        self._refusal = ""  # the message of rejected credentials, which are not sent again

    @property
    def headers(self) -> dict[str, str]:
        """The header with the token."""
        return {"Authorization": f"Bearer {self.value}"}

    @property
    def age(self) -> float:
        """Seconds since the token was requested."""
        return self._clock.monotonic() - self._requested_at

    async def ensure_valid(self) -> None:
        """Request a token where there is none, or where most of its lifetime is over.

        Raises ``ProviderError`` where no valid token is left, among them ``RenewalPaused``.
        """
        async with self._lock:
            now = self._clock.monotonic()
            if self.value and (now < self._renew_at or now < self._requested_at + _PAUSE):
                return
            if self.value:
                self._pace.note_good()
            else:
                check_pace(self._pace)
            try:
                await self._renew()
            except Unauthorized:
                raise
            except ProviderError:
                if not self.value or now >= self._expires_at:
                    raise

    async def renew(self, refused: str) -> None:
        """Replace the token ``refused``, unless another request has replaced it already.

        Raises ``ProviderError``, and ``RenewalPaused`` where tokens are refused again and again.
        """
        async with self._lock:
            if self.value in ("", refused):
                self._pace.note_good()
                check_pace(self._pace)
                self.value = ""
                await self._renew()

    def clear_refusal(self) -> None:
        """Forget an earlier refusal, so that the next request asks for a token."""
        self._refusal = ""

    def forget(self) -> None:
        """Drop the token and an earlier refusal."""
        if self.value:
            self._pace.note_good()
        self.value = self._refusal = ""

    async def _renew(self) -> None:
        if self._refusal:
            raise Rejected(self._refusal)
        self._requested_at = self._clock.monotonic()
        self._pace.begin()
        try:
            self.value, lifetime = await self._request()
        except Unauthorized as error:
            self.value, self._refusal = "", str(error)
            raise Rejected(str(error), retry_after=error.retry_after) from error
        self._renew_at = self._requested_at + RENEW_AT * lifetime
        self._expires_at = self._requested_at + lifetime
