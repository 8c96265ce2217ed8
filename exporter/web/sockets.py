"""Listening sockets, the addresses they are opened on, and the limit of file descriptors."""

import resource
import socket
import sys
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass

# Clients may connect at the same time; a full queue costs them a second each. Linux' own bound.
_BACKLOG = 4096


@dataclass(frozen=True, slots=True)
class Address:
    """An address to listen on: a host (empty for all) and a port (0 for any free port)."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Read ``:10077``, ``127.0.0.1:10077`` or ``[::1]:10077``; raises ``ValueError``."""
        host, colon, port = text.rpartition(":")
        host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
        if not colon or not port.isascii() or not port.isdigit() or int(port) > 65_535:  # noqa: PLR2004
            raise ValueError(f"{text!r} is not an address such as :10077 or 127.0.0.1:10077")
        return cls(host, int(port))

    @classmethod
    def of(cls, listener: socket.socket) -> "Address":
        """Return the address that a socket listens on."""
        host, port = listener.getsockname()[:2]
        return cls("" if host in ("::", "0.0.0.0") else host, port)  # noqa: S104 - read, not bound

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def listen(address: Address) -> socket.socket:
    """Open a socket; without a host, or for ``::``, for both IPv4 and IPv6. Raises ``OSError``."""
    if address.host in ("", "::") and socket.has_dualstack_ipv6():
        return socket.create_server(
            ("", address.port), family=socket.AF_INET6, backlog=_BACKLOG, dualstack_ipv6=True
        )
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    return socket.create_server((address.host, address.port), family=family, backlog=_BACKLOG)


def listen_all(addresses: Iterable[Address]) -> list[socket.socket]:
    """Open a socket for each address, or none of them. Raises ``OSError``."""
    with ExitStack() as stack:
        opened = [stack.enter_context(listen(address)) for address in addresses]
        stack.pop_all()
    return opened


def raise_descriptor_limit() -> None:
    """Raise the soft limit of open file descriptors to the hard one, as programs in Go do."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # a sandbox forbids it; then the soft limit stays
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def descriptor_limit() -> int:
    """Return how many file descriptors this process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft
