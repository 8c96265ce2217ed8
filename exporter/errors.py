"""What can go wrong, as a tree: which failure is it, and how far does it reach?

::

    ExporterError
    ├── ConfigError            the configuration cannot be used: every fault, each with its place
    ├── ReloadRefused          the configuration is not read again now, whatever it says
    └── ProviderError          a platform did not give what was asked; the feed is tried again
        ├── Unreachable        no connection: refused, reset, name or TLS failure
        ├── TimedOut           no answer in time
        ├── ServerTrouble      the platform answered that it is broken (5xx, a proxy's page)
        ├── Throttled          too many requests; carries how long to wait
        ├── InvalidAnswer      an answer that cannot be read
        ├── Refused            the platform understood and declined this request
        ├── SessionLost        the session is gone: sign in anew
        └── Unauthorized       the credentials were rejected: stop, or the account gets locked
            └── Rejected       by the sign-in itself, so that there is no use in another one

``reason`` is the short word of a class in logs and in the label ``outcome``.
"""

from collections.abc import Mapping
from typing import ClassVar


class ExporterError(Exception):
    """Root of everything that this package raises on purpose."""


class ConfigError(ExporterError):
    """The configuration cannot be used; ``faults`` holds one line for each mistake."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class ReloadRefused(ExporterError):
    """The configuration is not read again: there is no file, another reload runs, or all ends."""


class ProviderError(ExporterError):
    """A platform did not give what was asked for.

    ``retry_after`` is the shortest time in seconds before the next try, where the platform or its
    budget names one.
    """

    reason: ClassVar[str] = "provider"
    early: ClassVar[bool] = False  # the platform has nothing yet: ask again on the next beat
    voids: ClassVar[bool] = False  # what the feed said before is no longer true

    def __init__(self, message: str, *, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unreachable(ProviderError):
    """No connection could be made or kept."""

    reason = "network"


class TimedOut(ProviderError):
    """No answer came in time."""

    reason = "timeout"


class ServerTrouble(ProviderError):
    """The platform, or a proxy before it, says that it is broken."""

    reason = "server"


class Throttled(ProviderError):
    """The platform, or the budget that keeps us from meeting its limits, says: later."""

    reason = "throttled"


class InvalidAnswer(ProviderError):
    """The answer cannot be read, or contradicts itself."""

    reason = "invalid"


class Refused(ProviderError):
    """The platform understood the request and declined it."""

    reason = "fault"


class SessionLost(ProviderError):
    """The session has ended; only a new sign-in helps."""

    reason = "session"


class Unauthorized(ProviderError):
    """The credentials were rejected. Not tried again soon: repeated failures lock accounts."""

    reason = "auth"


class Rejected(Unauthorized):
    """The sign-in itself was refused, perhaps in the middle of a session whose token had ended."""


ADVICE: Mapping[str, str] = {
    "auth": "The platform refused the credentials. Check the user name and the password or key "
    "file, then reload the configuration.",
    "empty": "The platform has no figures yet, which is usual for a moment after signing in. If it "
    "lasts, check what the user may see.",
    "fault": "The platform understood the request and declined it. Often the user lacks a "
    "permission, or an object named in the configuration does not exist.",
    "forbidden": "The key lacks a role for this request. Grant it on the platform, or switch the "
    "feed off.",
    "internal": "This is a mistake in the exporter itself. The log holds a traceback: please "
    "report it.",
    "invalid": "The answer could not be read. The platform may have changed, or a proxy answers "
    "in its place: check the address.",
    "network": "No connection could be made. Check the address, the name service, the firewall "
    "and the proxy.",
    "provider": "The platform did not give what was asked for. The log may tell more.",
    "reopening": "The platform lost the session; the statistics are opened again, which takes a "
    "moment.",
    "server": "The platform, or a proxy before it, says that it is broken. Look at its status "
    "page; nothing has to be done here.",
    "session": "The session ended. If that happens again and again, somebody else works with the "
    "same user, or a proxy cuts the connection.",
    "throttled": "A request limit is used up. Set longer intervals or fewer feeds, or ask the "
    "platform for a higher limit.",
    "unavailable": "The platform's statistics service says that it has lost its servers. Nothing "
    "has to be done here; figures come back with it.",
    "timeout": "The answer did not come in time. If it lasts, set a longer timeout, or read less "
    "with one request.",
}


def advice(reason: str) -> str:
    """Return what to do about a failure; something general where the reason is not known."""
    return ADVICE.get(reason, ADVICE["provider"])
