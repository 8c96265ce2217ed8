"""HTTP server: uvicorn with limits for every connection, and certificates that can change.

uvicorn limits neither the duration nor the size of a request head, nor how slowly a client may read
a response; it counts connections only after their TLS handshake; it writes every body as one
buffer; and it cannot change its certificate while it serves. uvloop closes a listening socket when
the process runs out of file descriptors. So connections are accepted here.
"""

import asyncio
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from exporter.exposition.page import Chunks
from exporter.web.connections import Connections, Refusals, acknowledged
from exporter.web.sockets import Address, descriptor_limit, listen

if TYPE_CHECKING:
    from exporter.web.config import WebConfigWatcher  # loads pydantic, which not every server needs

_STOP_TIMEOUT = 10.0  # seconds for the server to stop
_CHECK_INTERVAL = 0.5  # seconds between two checks of all connections
_TURNS = 32  # of the event loop that a new connection has, at least, before it can make room
_ACCEPT_RETRY = 0.1  # seconds until the next accept after one that failed
_DESCRIPTORS_PER_CLIENT = 2  # one for its connection, one kept back for platforms and files


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Limits of one server: times in seconds, sizes in bytes, and the number of connections.

    A client that reads a response has to take ``read_rate`` bytes a second on average, in every
    ``read_time``. The default is a seventh of what a line of 56 kbit/s carries.
    """

    head_time: float = 10.0  # for a TLS handshake, then for a request's head
    read_time: float = 30.0
    read_rate: float = 1000.0
    head_size: int = 16 * 1024
    url_size: int = 8 * 1024
    connections: int = 512
    pipelined: int = 16  # requests that wait for the response to an earlier one


CHUNKS = "exporter.chunks"  # the ASGI extension that allows ``Chunks`` as the body of a message


class _ChunksTransport(asyncio.Transport):
    """The transport that a response is written to; it writes ``Chunks`` without joining them.

    A plain page of 100,000 series (16 MB in 2,200 buffers) over loopback, median of five
    alternating runs: 4.9 ms and 2.9 ms of CPU per scrape; with chunks joined to 512 KB each 7.3 ms
    and 4.5 ms; with the page joined to one buffer 1.3 to 1.9 times the CPU, and 60 to 140 MB more
    memory. A gzip page is few buffers already: no difference.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__()
        self._transport = transport

    def is_closing(self) -> bool:
        """Return whether the connection is closing."""
        return self._transport.is_closing()

    def close(self) -> None:
        """Close the connection after everything is sent."""
        self._transport.close()

    def write(self, data: Any) -> None:
        """Write bytes or ``Chunks``."""
        if isinstance(data, Chunks):
            self._transport.writelines(data.parts)
        else:
            self._transport.write(data)


class _HeadRefused(Exception):
    """A request is not served, because its head is too large or too many others wait."""


class LimitedProtocol(HttpToolsProtocol):
    """The connection of one client, with limits."""

    def __init__(self, server: "UvicornServer", client: socket.socket, host: str) -> None:
        super().__init__(server.config, server.server_state, {}, asyncio.get_running_loop())
        self.host = host
        self.opening: asyncio.Task[None] | None = None  # until the TLS handshake is complete
        self._limits = server.limits
        self._open = server.open
        self._refusals = server.refusals
        self._sans = server.sans
        self._socket = client
        self._head_since: float | None = None  # when the client began to owe a request
        self._in_head = False
        self._head_size = 0  # bytes of an unfinished head so far
        self._received = 0  # bytes that are being parsed
        self._read_since: tuple[float, int] | None = None  # time, and bytes acknowledged then
        self._error = "400"  # of a request that cannot be parsed: a status, or a reason to close

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept a client, unless its certificate has no allowed name."""
        super().connection_made(transport)
        self._chunks_transport = _ChunksTransport(transport)
        sans = self._sans()
        if sans is not None and not sans & _certificate_names(transport):
            self._close("certificate")
        else:
            self._expect_head()

    def data_received(self, data: bytes) -> None:
        """Parse a part of a request."""
        if self.transport.is_closing():
            return
        self._unset_keepalive_if_required()
        self._received = len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # No other protocol is supported; the request is served as an ordinary one.
            self.cycle.keep_alive = False
        except httptools.HttpParserError:
            self._refuse(self._error)
            return
        if self._in_head:
            self._expect_head()
            self._head_size += len(data)
            if self._head_size > self._limits.head_size:
                self._refuse("414" if len(self.url) > self._limits.url_size else "431")
        elif self.cycle is None or self.cycle.response_complete:
            self._expect_head()  # no request: empty lines, or a body that nothing waits for

    def on_message_begin(self) -> None:
        """Start a request."""
        self._in_head, self._head_size = True, 0
        super().on_message_begin()
        if self.scheme == "http":  # TLS would hold all of them encrypted in memory
            self.scope["extensions"] = {CHUNKS: {}}

    def on_headers_complete(self) -> None:
        """Serve a request whose head is complete, unless it is too large or one too many."""
        self._in_head = False
        self._head_since = None
        if len(self.pipeline) >= self._limits.pipelined:
            self._error = "pipelining"
            raise _HeadRefused
        if len(self.url) > self._limits.url_size:
            self._error = "414"
            raise _HeadRefused
        # Most heads arrive in one small part: then there is nothing to add up.
        if self._head_size + self._received > self._limits.head_size:
            size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if size > self._limits.head_size:
                self._error = "431"
                raise _HeadRefused
        super().on_headers_complete()
        self.cycle.transport = self._chunks_transport
        self._read_since = None
        self._open.set_busy(self)

    def on_response_complete(self) -> None:
        """Serve the next request, or wait for one."""
        last = not self.pipeline
        super().on_response_complete()
        if last and not self.flow.write_paused:
            self._open.set_idle(self)

    def resume_writing(self) -> None:
        """Continue to write: the client has read most of what was sent."""
        super().resume_writing()
        if self.cycle.response_complete:
            self._open.set_idle(self)

    def eof_received(self) -> bool:  # type: ignore[override]
        """Close, after the response to what a client requested before it closed its side."""
        if self.scheme != "http" or self.cycle is None or self.cycle.response_complete:
            return False
        self.cycle.keep_alive = False  # of the last request that was received
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Give up the connection's place."""
        self._open.remove(self)
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def drop(self) -> None:
        """Close the connection without sending what is left."""
        if self.transport is not None:
            self.transport.abort()
        elif self.opening is not None:
            self.opening.cancel()
            self._socket.close()  # the task may not have begun

    def check(self, now: float) -> None:
        """Close the connection if its client is too slow."""
        if self.transport is None:
            return  # the TLS handshake has a timeout of its own
        since, closing = self._head_since, self.transport.is_closing()
        if since is not None and now - since >= self._limits.head_time and not closing:
            self._refuse("408" if self._in_head else "silent")
        with suppress(OSError):  # closed by now
            self._check_reading(now, *acknowledged(self._socket, self.transport))

    def _check_reading(self, now: float, size: int, unsent: bool) -> None:
        """Close the connection if its client has read too little of what is to be sent."""
        if not unsent:
            self._read_since = None
        elif self._read_since is None:
            self._read_since = now, size
        elif (seconds := now - self._read_since[0]) >= self._limits.read_time:
            if size - self._read_since[1] < self._limits.read_rate * seconds:
                self._close("slow_reader")
            self._read_since = now, size

    def _expect_head(self) -> None:
        if self._head_since is None:
            self._head_since = self.loop.time()

    def _close(self, reason: str) -> None:
        self._refusals.add(reason, self.host)
        self._open.remove(self)
        self.drop()

    def _refuse(self, error: str) -> None:
        """Close; if the error is a status and no response is being sent, after one that says it."""
        self._refusals.add(error, self.host)
        if error.isdigit() and (self.cycle is None or self.cycle.response_complete):
            phrase = HTTPStatus(int(error)).phrase
            self.transport.write(
                f"HTTP/1.1 {error} {phrase}\r\ncontent-type: text/plain; charset=utf-8\r\n"
                f"content-length: {len(phrase) + 1}\r\nx-content-type-options: nosniff\r\n"
                f"connection: close\r\n\r\n{phrase}\n".encode()
            )
        self.transport.close()


def _certificate_names(transport: asyncio.Transport) -> frozenset[str]:
    """Return the alternative names of a client certificate: hosts, addresses, mail, URIs."""
    certificate = transport.get_extra_info("ssl_object").getpeercert() or {}
    return frozenset(
        str(ip_address(name)) if kind == "IP Address" else name
        for kind, name in certificate.get("subjectAltName", ())
    )


class UvicornServer(uvicorn.Server):
    """uvicorn on listening sockets, with connection limits and certificates that can change."""

    def __init__(
        self,
        config: uvicorn.Config,
        limits: ConnectionLimits,
        watcher: "WebConfigWatcher | None",
        count: Callable[[str], None],
    ) -> None:
        super().__init__(config)
        self.limits = limits
        self.refusals = Refusals(count)
        most = min(limits.connections, descriptor_limit() // _DESCRIPTORS_PER_CLIENT)
        self.open = Connections[LimitedProtocol](most, self.refusals)
        self._watcher = watcher
        self._sockets: list[socket.socket] = []
        if watcher:
            config.callback_notify = self._poll_watcher
            config.timeout_notify = 0  # at each of uvicorn's ticks, once a second

    async def _poll_watcher(self) -> None:
        assert self._watcher is not None
        await asyncio.to_thread(self._watcher.poll)

    def sans(self) -> frozenset[str] | None:
        """Return the names of which a client certificate needs one, ``None`` for any name."""
        return self._watcher.current.sans if self._watcher else None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to accept connections."""
        self._sockets = sockets or []
        self.servers = []  # of asyncio, which would accept
        for listener in self._sockets:
            listener.setblocking(False)  # noqa: FBT003 - the library's own order
            self._listen(listener)
        self._check_connections()
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop to accept, and close the connections after their responses."""
        self._next_check.cancel()
        for listener in self._sockets:
            asyncio.get_running_loop().remove_reader(listener)
        for connection in list(self.open):
            if connection.transport is None:
                connection.drop()
        await super().shutdown(sockets)

    def _check_connections(self) -> None:
        loop = asyncio.get_running_loop()
        self._next_check = loop.call_later(_CHECK_INTERVAL, self._check_connections)
        for connection in list(self.open):
            connection.check(loop.time())

    def _listen(self, listener: socket.socket) -> None:
        if not self.should_exit:
            asyncio.get_running_loop().add_reader(listener, self._accept, listener)

    def _accept(self, listener: socket.socket) -> None:
        """Accept the clients that wait; each takes a place before it has sent anything."""
        loop = asyncio.get_running_loop()
        for _ in range(max(1, self.open.limit // _TURNS)):
            try:
                client, address = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                # Mostly out of descriptors. The client still waits, so the listener stays readable.
                self.refusals.add("not_accepted")
                self.open.make_room()
                loop.remove_reader(listener)
                loop.call_later(_ACCEPT_RETRY, self._listen, listener)
                return
            client.setblocking(False)  # noqa: FBT003 - the library's own order
            connection = LimitedProtocol(self, client, str(address[0]))
            self.open.add(connection)
            connection.opening = loop.create_task(self._open_connection(connection, client))

    async def _open_connection(self, connection: LimitedProtocol, client: socket.socket) -> None:
        options: dict[str, Any] = {}
        if self._watcher and (context := self._watcher.current.tls):
            options["ssl"] = context
            options["ssl_handshake_timeout"] = self.limits.head_time
            options["ssl_shutdown_timeout"] = self.limits.head_time
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: connection, client, **options
            )
        except OSError:
            self.open.remove(connection)
            client.close()
            if options:  # without TLS, the client is gone
                self.refusals.add("handshake", connection.host)
        finally:
            connection.opening = None


class Server:
    """Serves an ASGI application from a thread of its own.

    ``where`` is an address to listen on, or listening sockets, which the server closes when it
    stops. ``count_refusal`` is called with the status or the reason of every refusal that the
    application does not see. Raises ``OSError`` if it cannot listen on the address.
    """

    def __init__(
        self,
        app: Any,
        where: Address | Sequence[socket.socket],
        name: str,
        *,
        watcher: "WebConfigWatcher | None" = None,
        limits: ConnectionLimits = ConnectionLimits(),
        count_refusal: Callable[[str], None] = lambda _: None,
    ) -> None:
        config = uvicorn.Config(
            app,
            http=LimitedProtocol,
            ws="none",
            interface="asgi3",
            access_log=False,
            log_config=None,
            lifespan="off",
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=75,  # Prometheus scrapes every 15 to 60 s on one connection
            timeout_graceful_shutdown=3,
        )
        self._server = UvicornServer(config, limits, watcher, count_refusal)
        self._sockets = [listen(where)] if isinstance(where, Address) else list(where)
        self.addresses = [Address.of(listener) for listener in self._sockets]
        if isinstance(where, Address):
            self.addresses = [Address(where.host, self.addresses[0].port)]
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": self._sockets}, name=name, daemon=True
        )

    @property
    def address(self) -> Address:
        """The address that it listens on; the first if there are several."""
        return self.addresses[0]

    def start(self) -> None:
        """Start to serve; the sockets already accept connections."""
        self._thread.start()

    def stop(self, *, at_once: bool = False) -> None:
        """Stop after open requests are served; ``at_once`` does not wait for them."""
        self._server.should_exit = True
        self._server.force_exit = at_once
        self._thread.join(timeout=_STOP_TIMEOUT)
        for listener in self._sockets:
            listener.close()
