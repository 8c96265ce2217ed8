"""Exceptions of the exporter, each with its short reason and with what to do about it.

::

    ExporterError
    ├── ConfigError            the configuration is not valid; lists every fault with its place
    ├── ReloadRefused          the configuration cannot be reloaded now
    └── ProviderError          a request to a platform failed; the feed is retried
        ├── Unreachable        no connection: refused, reset, name resolution or TLS failed
        │   └── Untrusted      the certificate of the platform, or of a proxy, is not trusted
        ├── TimedOut           no answer in time
        ├── ServerTrouble      the platform, or a proxy before it, failed (5xx)
        │   └── CookiesRefused its own cookies made a request too large; some were dropped
        ├── Throttled          too many requests; carries how long to wait
        │   └── OverBudget     the budget below a limit has no call left; nothing was sent
        ├── InvalidAnswer      the answer cannot be parsed, or contradicts itself
        ├── Refused            the platform understood the request and declined it
        │   ├── Unexplained    with a status or code that nothing documents; it may pass
        │   └── FeedUnauthorized  the credentials of one feed were rejected, not the session's
        ├── SessionLost        the session has ended: sign in again
        ├── Unauthorized       the credentials were rejected: stop, so that no user is locked
        │   └── Rejected       by the sign-in itself; another sign-in would be rejected too
        └── InternalError      a bug of the exporter stopped a refresh or a session

Providers add subclasses where their platform calls for another remedy.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Hold:
    """A delay by a request limit: it ends at ``at`` (epoch seconds), as far as is known."""

    at: float
    limit: str

    def __str__(self) -> str:
        return f"at {utc(self.at)}: request limit {self.limit}"


def utc(at: float) -> str:
    """Return an instant (epoch seconds) as a time of day, rounded up to a minute."""
    return f"{datetime.fromtimestamp(math.ceil((at - 1) / 60) * 60, UTC):%H:%M} UTC"


class ExporterError(Exception):
    """Base class of every exception that this package raises on purpose."""


class ConfigError(ExporterError):
    """The configuration is not valid; ``faults`` holds one line for each mistake."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class ReloadRefused(ExporterError):
    """The configuration cannot be reloaded: no file, another reload is running, or shutdown."""


class ProviderError(ExporterError):
    """A request to a platform failed.

    ``retry_after`` is the shortest time in seconds before the next request, where the platform or
    its budget gives one. ``reason`` is the class's short word in logs and in the label
    ``outcome``; ``remedy`` says, in log, status page and ``check --live``, what it means and what
    to do. Where ``early`` is set the platform has no data yet, and the feed is read again at its
    next regular time; where ``voids`` is set the figures that the feed shows are no longer true.
    Where ``lasting`` is set only a change on the platform or of the configuration helps: the feed
    is read again after an hour, or at a reload.
    """

    reason: ClassVar[str] = "provider"
    remedy: ClassVar[str] = "Check the log; --log.level=debug shows more."
    early: ClassVar[bool] = False
    voids: ClassVar[bool] = False
    lasting: ClassVar[bool] = False

    def __init__(self, message: str, *, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unreachable(ProviderError):
    """No connection could be made or kept."""

    reason = "network"
    remedy = "No connection: check base_url or region, name resolution, firewall, proxy_url, tls."


class Untrusted(Unreachable):
    """The certificate of the platform, or of a proxy that intercepts TLS, is not trusted."""

    remedy = (
        "The certificate is not trusted: set tls.ca_file to the authority that signed it. "
        "SSL_CERT_FILE and other variables of the environment are not read."
    )


class TimedOut(ProviderError):
    """No answer came in time."""

    reason = "timeout"
    remedy = "No answer in time: set a longer timeout, or read less with one request."


class ServerTrouble(ProviderError):
    """The platform, or a proxy before it, answered with a server error."""

    reason = "server"
    remedy = "The platform, or a proxy before it, failed: check the platform's status page."


class CookiesRefused(ServerTrouble):
    """A request was refused because the platform's cookies made it too large.

    All but those of the session were dropped, or those too: the next request is smaller.
    """

    remedy = (
        "The platform's cookies made a request too large, and were dropped. If this repeats, let "
        "the proxy before the platform take 8 kB of header fields."
    )


class Throttled(ProviderError):
    """A request limit is reached: the platform's, or the budget that keeps below it."""

    reason = "throttled"
    remedy = "A request limit is used up: set longer intervals or fewer feeds, or raise the limit."


class OverBudget(Throttled):
    """The budget has no call left below a request limit of the platform; nothing was sent.

    ``hold`` says until when.
    """

    def __init__(self, message: str, *, retry_after: float, hold: Hold) -> None:
        super().__init__(f"{message}; next call possible {hold}", retry_after=retry_after)
        self.hold = hold


class InvalidAnswer(ProviderError):
    """The answer cannot be parsed, or contradicts itself."""

    reason = "invalid"
    remedy = "The answer is not as documented: check base_url and proxies; 'capture' records it."


class Refused(ProviderError):
    """The platform understood the request and declined it."""

    reason = "fault"
    remedy = "The platform declined the request: check permissions and the configured names."
    lasting = True


class Unexplained(Refused):
    """The request was declined with a status or code that no document explains; it may pass."""

    lasting = False


class FeedUnauthorized(Refused):
    """The credentials that one feed has of its own were rejected; those of the session were not."""

    remedy = "The platform rejected the credentials of this feed: check them and their permissions."


class SessionLost(ProviderError):
    """The session has ended; a new sign-in is needed."""

    reason = "session"
    remedy = "The session ended: check that no other program signs in with the same user."


class Unauthorized(ProviderError):
    """The credentials were rejected. Retried late, as repeated failures lock users."""

    reason = "auth"
    remedy = "The platform rejected the credentials: check them, then reload the configuration."


class Rejected(Unauthorized):
    """The sign-in itself was rejected, perhaps within a session whose token had expired."""


class InternalError(ProviderError):
    """A bug of the exporter; the message is the name of the exception, which holds no data."""

    reason = "internal"
    remedy = "This is a bug of the exporter: report it with the traceback in the log."
