"""May this request come in, and which headers leave with the answer?"""

import asyncio
import base64
import binascii
import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping

import bcrypt
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exporter.errors import ExporterError
from exporter.web.config import WebConfig
from exporter.web.middleware import refuse

_REMEMBERED = 64  # credentials that were right; a replica of Prometheus each, and some more
_WAITING = 32  # checks under way or waiting; more are turned away
_AT_ONCE = 2  # threads that may compute
_DEFAULT_COST = 10
_LONGEST = 72  # bytes; bcrypt looks at no more


class Busy(ExporterError):
    """More passwords wait to be checked than is sensible."""


class Passwords:
    """Checks passwords, and remembers those that were right.

    What is remembered is a keyed digest, by a key that lives as long as the process; with the hash
    in it, a changed password is forgotten by itself. Wrong ones are not remembered: each costs its
    sender a whole check, and cannot push out what is.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._running: dict[bytes, asyncio.Task[bool]] = {}
        self._threads = asyncio.Semaphore(_AT_ONCE)

    async def check(self, user: str, password: bytes, users: Mapping[str, bytes]) -> bool:
        """Return whether ``users`` (name → bcrypt hash) has this user with this password.

        A user who does not exist takes as long as one who does. Raises ``Busy``.
        """
        known = user in users
        wanted = users[user] if known else _nobody(users)
        digest = self._digest(user.encode(), password, wanted)
        if digest in self._right:
            self._right.move_to_end(digest)
            return known
        check = self._running.get(digest)
        if check is None:
            if len(self._running) >= _WAITING:
                raise Busy
            check = asyncio.create_task(self._ask(password[:_LONGEST], wanted))
            self._running[digest] = check
            check.add_done_callback(lambda _: self._running.pop(digest, None))
        # A client that goes away does not stop a check for which others may wait.
        right = await asyncio.shield(check) and known
        if right:
            self._right[digest] = None
            while len(self._right) > _REMEMBERED:
                self._right.popitem(last=False)
        return right

    async def _ask(self, password: bytes, wanted: bytes) -> bool:
        async with self._threads:
            return await asyncio.to_thread(bcrypt.checkpw, password, wanted)

    def _digest(self, *parts: bytes) -> bytes:
        digest = hashlib.blake2b(key=self._key, digest_size=32)
        for part in parts:
            digest.update(len(part).to_bytes(8) + part)
        return digest.digest()


def _nobody(users: Mapping[str, bytes]) -> bytes:
    """Return a hash that fits no password known to anybody, as costly as the costliest user's."""
    cost = max((int(each[4:6]) for each in users.values()), default=_DEFAULT_COST)
    return b"$2b$%02d$" % cost + b"." * 53


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
