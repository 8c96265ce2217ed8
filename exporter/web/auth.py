"""Basic auth, rate limit and response headers from the web configuration file."""

import asyncio
import base64
import binascii
import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial

import bcrypt
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exporter.collector.threads import run_with_timeout
from exporter.errors import ExporterError
from exporter.web.config import WebConfig
from exporter.web.middleware import refuse

_MAX_CACHED = 64  # verified credentials: one for each replica of Prometheus, and some to spare
_MAX_WRONG = 1024  # digests of wrong ones
_MAX_PENDING = 32  # checks that run or wait; more are refused
_MAX_THREADS = 1  # checks that run at the same time: each takes a whole core
_CHECK_TIMEOUT = 60.0  # seconds; at the highest cost on a slow machine
_DEFAULT_COST = 10
_MAX_PASSWORD = 72  # bytes; bcrypt ignores the rest
_CHALLENGE = {"www-authenticate": 'Basic realm="contactcenter-exporter", charset="UTF-8"'}


class TooManyChecks(ExporterError):
    """Too many password checks are pending."""


class PasswordChecker:
    """Checks passwords against bcrypt hashes, each password once.

    The caches hold keyed digests, by a key that lives as long as the process. A digest covers the
    hash too, so a changed password is no longer in a cache. Wrong passwords have a cache of their
    own, so that they cannot evict a right one: a client that repeats one costs nothing.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._verified: OrderedDict[bytes, None] = OrderedDict()
        self._wrong: OrderedDict[bytes, None] = OrderedDict()
        self._pending: dict[bytes, asyncio.Task[bool]] = {}
        self._threads = asyncio.Semaphore(_MAX_THREADS)

    async def check(self, user: str, password: bytes, users: Mapping[str, bytes]) -> bool:
        """Return whether ``users`` (name → bcrypt hash) has this user with this password.

        An unknown user takes as long as a known one. Raises ``TooManyChecks``.
        """
        known = user in users
        password_hash = users[user] if known else _stand_in_hash(users)
        digest = self._digest(user.encode(), password, password_hash)
        if digest in self._verified:
            self._verified.move_to_end(digest)
            return known
        if digest in self._wrong:
            self._wrong.move_to_end(digest)
            return False
        check = self._pending.get(digest)
        if check is None:
            if len(self._pending) >= _MAX_PENDING:
                raise TooManyChecks
            check = asyncio.create_task(self._run_bcrypt(password[:_MAX_PASSWORD], password_hash))
            self._pending[digest] = check
            check.add_done_callback(lambda _: self._pending.pop(digest, None))
        # A client that disconnects does not stop a check for which others may wait.
        right = await asyncio.shield(check) and known
        cache, most = (self._verified, _MAX_CACHED) if right else (self._wrong, _MAX_WRONG)
        cache[digest] = None
        while len(cache) > most:
            cache.popitem(last=False)
        return right

    async def _run_bcrypt(self, password: bytes, password_hash: bytes) -> bool:
        async with self._threads:
            check = partial(bcrypt.checkpw, password, password_hash)
            return await run_with_timeout(check, _CHECK_TIMEOUT, object())

    def _digest(self, *parts: bytes) -> bytes:
        digest = hashlib.blake2b(key=self._key, digest_size=32)
        for part in parts:
            digest.update(len(part).to_bytes(8) + part)
        return digest.digest()


def _stand_in_hash(users: Mapping[str, bytes]) -> bytes:
    """Return a hash without a known password, as costly as the costliest user's."""
    cost = max((int(user[4:6]) for user in users.values()), default=_DEFAULT_COST)
    return b"$2b$%02d$" % cost + b"." * 53


class AccessMiddleware:
    """Applies the web configuration to every request before ``app``.

    ``config`` returns the configuration in force, ``count`` is called with the status of every
    response given here, ``now`` returns monotonic seconds.
    """

    def __init__(
        self,
        app: ASGIApp,
        config: Callable[[], WebConfig],
        count: Callable[[int], None],
        now: Callable[[], float],
    ) -> None:
        self._app = app
        self._config = config
        self._count = count
        self._bucket = _TokenBucket(now)
        self._passwords = PasswordChecker()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        config = self._config()
        if config.headers:
            send = _with_headers(send, config.headers)
        if config.interval and not self._bucket.allow(config.interval, config.burst):
            await self._refuse(429, scope, receive, send)
            return
        if config.users:
            credentials = _credentials(Headers(scope=scope))
            try:
                known = credentials and await self._passwords.check(*credentials, config.users)
            except TooManyChecks:
                await self._refuse(503, scope, receive, send)
                return
            if not known:
                await self._refuse(401, scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _refuse(self, status: int, scope: Scope, receive: Receive, send: Send) -> None:
        self._count(status)
        await refuse(status, _CHALLENGE if status == 401 else {})(scope, receive, send)  # noqa: PLR2004


class _TokenBucket:
    """A token bucket: full at first, refilled by one token per interval."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._limit = (0.0, 0)
        self._tokens = 0.0
        self._updated_at = 0.0

    def allow(self, interval: float, burst: int) -> bool:
        """Take a token and return whether there was one. A new limit starts with a full bucket."""
        now = self._now()
        if self._limit != (interval, burst):
            self._limit, self._tokens, self._updated_at = (interval, burst), float(burst), now
        self._tokens = min(burst, self._tokens + (now - self._updated_at) / interval)
        self._updated_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def _credentials(headers: Headers) -> tuple[str, bytes] | None:
    """Return user and password, if there is exactly one Authorization header and it is Basic."""
    values = headers.getlist("authorization")
    scheme, _, text = values[0].strip().partition(" ") if len(values) == 1 else ("", "", "")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(text.strip(), validate=True).partition(b":")
        return (user.decode(), password) if colon else None
    except (binascii.Error, UnicodeDecodeError):
        return None


def _with_headers(send: Send, headers: tuple[tuple[bytes, bytes], ...]) -> Send:
    """Set headers in every response; they replace those of the same name."""
    names = {name for name, _ in headers}

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [header for header in message["headers"] if header[0] not in names]
            message["headers"] = [*kept, *headers]
        await send(message)

    return send_with_headers
