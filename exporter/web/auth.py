"""May this request come in, and which headers leave with the answer?"""

import base64
import binascii
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exporter.web.config import WebConfig
from exporter.web.middleware import refuse
from exporter.web.passwords import Busy, Passwords

_CHALLENGE = {"www-authenticate": 'Basic realm="contactcenter-exporter", charset="UTF-8"'}


class Gate:
    """Everything that a web configuration asks of a request, before an application.

    ``rules`` returns the configuration as it is now, ``count`` is told the status of each answer
    that is given here, ``now`` returns seconds.
    """

    def __init__(
        self,
        app: ASGIApp,
        rules: Callable[[], WebConfig],
        count: Callable[[int], None],
        now: Callable[[], float],
    ) -> None:
        self._app = app
        self._rules = rules
        self._count = count
        self._bucket = _Bucket(now)
        self._passwords = Passwords()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or answer it."""
        rules = self._rules()
        if rules.headers:
            send = _with_headers(send, rules.headers)
        if rules.interval and not self._bucket.take(rules.interval, rules.burst):
            await self._refuse(429, scope, receive, send)
            return
        if rules.users:
            credentials = _credentials(Headers(scope=scope))
            try:
                known = credentials and await self._passwords.check(*credentials, rules.users)
            except Busy:
                await self._refuse(503, scope, receive, send)
                return
            if not known:
                await self._refuse(401, scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _refuse(self, status: int, scope: Scope, receive: Receive, send: Send) -> None:
        self._count(status)
        await refuse(status, _CHALLENGE if status == 401 else {})(scope, receive, send)  # noqa: PLR2004


class _Bucket:
    """A token bucket: full at first, a token more each interval."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._size = (0.0, 0)
        self._tokens = 0.0
        self._at = 0.0

    def take(self, interval: float, burst: int) -> bool:
        now = self._now()
        if self._size != (interval, burst):
            self._size, self._tokens, self._at = (interval, burst), float(burst), now
        self._tokens = min(burst, self._tokens + (now - self._at) / interval)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def _credentials(headers: Headers) -> tuple[str, bytes] | None:
    """Return the user and password of the one Authorization header, where it is Basic."""
    given = headers.getlist("authorization")
    scheme, _, text = given[0].strip().partition(" ") if len(given) == 1 else ("", "", "")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(text.strip(), validate=True).partition(b":")
        return (user.decode(), password) if colon else None
    except (binascii.Error, UnicodeDecodeError):
        return None


def _with_headers(send: Send, wanted: tuple[tuple[bytes, bytes], ...]) -> Send:
    """Set headers in every answer, in place of what the application says of the same ones."""
    names = {name for name, _ in wanted}

    async def adorned(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [each for each in message["headers"] if each[0] not in names]
            message["headers"] = [*kept, *wanted]
        await send(message)

    return adorned
