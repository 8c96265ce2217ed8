"""Name resolution: calls of getaddrinfo in threads of their own, bounded for each account.

The event loop's own look-ups share the few threads of its executor: accounts whose resolver hangs
would take them from all others, and the end of the loop would wait for them.
"""

import asyncio
import itertools
import socket
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field

from exporter.clock import Clock, SystemClock

MOST_OF_ACCOUNT = 2  # look-ups that an account has pending: of the platform, of its sign-in
MOST_LOOKUPS = 1000  # of all accounts; a thread each, of some 50 kB
_LATE = 60.0  # seconds for which an answer that came too late is kept for the next try


@dataclass(slots=True, eq=False)
class _Lookup:
    """One call of getaddrinfo, in a thread that does not keep the process alive."""

    host: str
    port: int
    clock: Clock
    addresses: Future[list[str]] = field(default_factory=Future)
    ended_at: float = float("inf")  # monotonic seconds

    def start(self) -> None:
        """Start the thread; raises ``OSError`` if there can be no more."""
        self.addresses.set_running_or_notify_cancel()  # no cancellation reaches the thread
        thread = threading.Thread(target=self._run, name="resolver", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            raise OSError(f"name resolution of {self.host}: {error}") from error

    def _run(self) -> None:
        try:
            addresses = _resolve(self.host, self.port)
        except (OSError, ValueError) as error:
            self.ended_at = float("-inf")  # a failure is not kept
            self.addresses.set_exception(error if isinstance(error, OSError) else OSError(error))
        else:
            self.ended_at = self.clock.monotonic()
            self.addresses.set_result(addresses)
        finally:
            if not self.addresses.done():  # a bug, whose traceback the thread prints
                self.addresses.set_exception(OSError("name resolution failed"))


def _resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host: IPv6 and IPv4 in turn, in the system's order of each."""
    answers = socket.getaddrinfo(host.encode(), port, type=socket.SOCK_STREAM)
    families = (socket.AF_INET6, socket.AF_INET)
    by_family = ([x[4][0] for x in answers if x[0] == family] for family in families)
    pairs = itertools.zip_longest(*by_family)
    addresses = [address for pair in pairs for address in pair if isinstance(address, str)]
    if not addresses:
        raise OSError(f"name resolution of {host} returned no address")
    return addresses


class Resolver:
    """Resolves host names for all accounts.

    A look-up that hangs costs its account only: every look-up has a thread of its own, an account
    has at most ``MOST_OF_ACCOUNT``, and while one is pending, the next request for its host waits
    for it instead of starting another. An answer that came too late is used by that request.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._lookups: dict[tuple[str, str], _Lookup] = {}  # by account and host

    async def resolve(self, account: str, host: str, port: int) -> list[str]:
        """Return the addresses of a host. Raises ``OSError``."""
        key = (account, host)
        lookup = self._lookups.get(key)
        if lookup is None or (lookup.addresses.done() and not self._is_recent(lookup)):
            lookup = self._start(key, port)
        addresses = await asyncio.wrap_future(lookup.addresses)
        self._lookups.pop(key, None)  # an answer is used once; the system may have a cache
        return addresses

    def _start(self, key: tuple[str, str], port: int) -> _Lookup:
        account, host = key
        self._lookups = {
            other: lookup
            for other, lookup in self._lookups.items()
            if not lookup.addresses.done() or self._is_recent(lookup)
        }
        pending = [
            owner for (owner, _), lookup in self._lookups.items() if not lookup.addresses.done()
        ]
        if pending.count(account) >= MOST_OF_ACCOUNT or len(pending) >= MOST_LOOKUPS:
            raise OSError(f"name resolution of {host}: too many earlier ones have not ended")
        lookup = _Lookup(host, port, self._clock)
        lookup.start()
        self._lookups[key] = lookup
        return lookup

    def _is_recent(self, lookup: _Lookup) -> bool:
        return self._clock.monotonic() < lookup.ended_at + _LATE
