"""Is this the user's password? Asked of bcrypt, off the event loop."""

import asyncio
import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Mapping

import bcrypt

from exporter.errors import ExporterError

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
