"""Connections of a web server: their order, which one makes room for a new one, and refusals."""

import asyncio
import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from exporter.logs import get_log

_STREAK = 60.0  # seconds without a refusal for the same reason, after which it is logged again
# Of Linux' struct tcp_info: tcpi_unacked, tcpi_bytes_acked and tcpi_notsent_bytes.
_TCP_INFO = struct.Struct("=24xI92xQ16xI")

_log = get_log(__name__)


class Connection(Protocol):
    """One open connection: the client's IP address, and what closes it at once."""

    host: str

    def drop(self) -> None:
        """Close the connection without sending what is left."""


C = TypeVar("C", bound=Connection)


class Refusals:
    """Counts refusals by reason, and logs the first of a streak. Used from an event loop."""

    def __init__(self, count: Callable[[str], None]) -> None:
        self._count = count
        self._latest: dict[str, float] = {}

    def add(self, reason: str, client: str = "") -> None:
        """Count a refusal. ``reason`` is an HTTP status or a word."""
        self._count(reason)
        now = asyncio.get_running_loop().time()
        if now - self._latest.get(reason, -_STREAK) >= _STREAK:
            _log.warning("connections refused", reason=reason, client=client)
        self._latest[reason] = now


@dataclass(slots=True)
class _Host(Generic[C]):
    """The connections of one address, in the order in which they became idle or busy."""

    idle: dict[C, None] = field(default_factory=dict)
    busy: dict[C, None] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.idle) + len(self.busy)


class Connections(Generic[C]):
    """The open connections of a server, from accept on, at most ``limit``.

    A connection is idle while it waits for its client: for a handshake, for a request, or to be
    closed. It is busy from a complete request head until most of the response is sent.
    """

    def __init__(self, limit: int, refusals: Refusals) -> None:
        self.limit = limit
        self._refusals = refusals
        self._hosts: dict[str, _Host[C]] = {}  # those that have a connection
        self._size = 0

    def __iter__(self) -> Iterator[C]:
        for host in self._hosts.values():
            yield from host.idle
            yield from host.busy

    def add(self, connection: C) -> None:
        """Add an accepted connection; if there are too many, another makes room."""
        if self._size >= self.limit:
            self.make_room()
        self._size += 1
        self._hosts.setdefault(connection.host, _Host()).idle[connection] = None

    def make_room(self) -> None:
        """Close one connection of the host that has most, so that no host takes those of another.

        It is the one that has been idle for longest; if all are busy, busy for longest, because its
        client reads slowly.
        """
        host = max(self._hosts.values(), key=len, default=None)
        if host is None:
            return
        connection = next(iter(host.idle or host.busy))
        self.remove(connection)
        self._refusals.add("too_many", connection.host)
        connection.drop()

    def set_busy(self, connection: C) -> None:
        """Move an idle connection: its client has sent a request."""
        host = self._hosts.get(connection.host)
        if host and connection in host.idle:
            del host.idle[connection]
            host.busy[connection] = None

    def set_idle(self, connection: C) -> None:
        """Move a busy connection: most of its response has been sent."""
        host = self._hosts.get(connection.host)
        if host and connection in host.busy:
            del host.busy[connection]
            host.idle[connection] = None

    def remove(self, connection: C) -> None:
        """Remove a connection, unless that was done before."""
        host = self._hosts.get(connection.host)
        if host and (connection in host.idle or connection in host.busy):
            self._size -= 1
            host.idle.pop(connection, None)
            host.busy.pop(connection, None)
            if not host:
                del self._hosts[connection.host]


def acknowledged(client: socket.socket, transport: asyncio.WriteTransport) -> tuple[int, bool]:
    """Return how many bytes a client's host has acknowledged, and whether it has to take more.

    The buffer of a transport does not show it: the kernel takes more of it only when a third of its
    own buffer is free again, up to a megabyte, which takes minutes at 7 kB/s. Raises ``OSError``.
    """
    if not hasattr(socket, "TCP_INFO"):  # not Linux
        buffered = transport.get_write_buffer_size()
        return -buffered, buffered > 0
    info = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
    unacknowledged, size, unsent = _TCP_INFO.unpack(info)
    return size, bool(unacknowledged or unsent)
