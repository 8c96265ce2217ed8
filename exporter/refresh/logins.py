"""Logins whose credentials were rejected: remembered across reloads, and tried once a minute.

A platform locks a user after some wrong passwords. So a reload, an edit of another key, another
name or a second account with the same credentials does not repeat a sign-in that was rejected.
"""

from collections.abc import Callable
from weakref import WeakValueDictionary

from exporter.status import Failure

RETRY_GAP = 60.0  # seconds between two sign-ins with the same rejected credentials
_BUSY_PAUSE = 1.0


class Login:
    """The credentials of an account, shared by every account that has the same.

    ``failure`` says why they were rejected the last time, ``None`` if they were not.
    """

    def __init__(self, logins: "Logins") -> None:
        self.failure: Failure | None = None
        self._logins = logins
        self._signing_in = False
        self._tried_at = float("-inf")

    def delay(self) -> float:
        """Return the seconds until they may be sent."""
        if self._signing_in:
            return _BUSY_PAUSE
        return max(self._tried_at + RETRY_GAP - self._logins.now(), 0.0) if self.failure else 0.0

    def begin(self) -> None:
        """Record that a sign-in begins; ``end`` has to follow."""
        self._signing_in = True
        self._tried_at = self._logins.now()

    def end(self) -> None:
        """Record that the sign-in has ended."""
        self._signing_in = False

    def accept(self) -> None:
        """Record that they were accepted."""
        self.failure = None

    def reject(self, failure: Failure) -> None:
        """Record that they were rejected."""
        self.failure = failure
        self._tried_at = self._logins.now()
        self._logins.keep(self)


class Logins:
    """The logins of this process by fingerprint; ``now`` returns monotonic seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self._known: WeakValueDictionary[bytes, Login] = WeakValueDictionary()
        self._kept: set[Login] = set()

    def of(self, fingerprint: bytes) -> Login:
        """Return the login of ``AccountConfig.fingerprint``."""
        self._kept = {login for login in self._kept if login.delay() > 0}
        login = self._known.get(fingerprint)
        if login is None:
            login = self._known[fingerprint] = Login(self)
        return login

    def keep(self, login: Login) -> None:
        """Remember a rejected login as long as it has to wait, also without an account."""
        self._kept.add(login)
