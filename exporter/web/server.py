"""HTTP server: uvicorn with limits for every connection, and certificates that can change.

uvicorn limits neither the duration nor the size of a request head, nor idle connections, nor how
long a client may take to read a response; it writes every body as one buffer; and it cannot change
its certificate while it serves.
"""

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from exporter.exposition.page import Chunks
from exporter.logs import get_log
from exporter.web.sockets import Address, listen

if TYPE_CHECKING:
    from exporter.web.config import WebConfigWatcher  # loads pydantic, which not every server needs

_log = get_log(__name__)
_STOP_TIMEOUT = 10.0  # seconds for the server to stop


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Limits of one server: times in seconds, sizes in bytes, and the number of connections."""

    head_time: float = 10.0
    read_time: float = 30.0  # without progress of a client that reads a response
    head_size: int = 16 * 1024
    url_size: int = 8 * 1024
    connections: int = 512


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
    """A request head is too large."""


class LimitedProtocol(HttpToolsProtocol):
    """The connection of one client, with limits.

    ``sans`` returns the names of which a client certificate needs one, or ``None`` for any name.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: Any,
        loop: asyncio.AbstractEventLoop,
        limits: ConnectionLimits,
        sans: Callable[[], frozenset[str] | None],
    ) -> None:
        super().__init__(config, server_state, {}, loop)
        self._limits = limits
        self._sans = sans
        self._head_timer: asyncio.TimerHandle | None = None
        self._read_timer: asyncio.TimerHandle | None = None
        self._in_head = False
        self._head_size = 0  # bytes of an unfinished head so far
        self._received = 0  # bytes that are being parsed
        self._error_status = 400  # of the response to a request that cannot be parsed

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept a client, unless there are too many or its certificate has no allowed name."""
        full = len(self.connections) >= self._limits.connections
        super().connection_made(transport)
        self._chunks_transport = _ChunksTransport(transport)
        sans = self._sans()
        if sans is not None and not sans & _certificate_names(transport):
            _log.debug("client certificate refused: none of its names is allowed")
            transport.abort()
        elif full:
            self._refuse(503)
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
            self._refuse(self._error_status)
            return
        if self._in_head:
            self._expect_head()
            self._head_size += len(data)
            if self._head_size > self._limits.head_size:
                self._refuse(414 if len(self.url) > self._limits.url_size else 431)
        elif self.cycle is None or self.cycle.response_complete:
            self._expect_head()  # no request: empty lines, or a body that nothing waits for

    def on_message_begin(self) -> None:
        """Start a request."""
        self._in_head, self._head_size = True, 0
        super().on_message_begin()
        if self.scheme == "http":  # TLS would hold all of them encrypted in memory
            self.scope["extensions"] = {CHUNKS: {}}

    def on_headers_complete(self) -> None:
        """Serve a request whose head is complete, unless it is too large."""
        self._in_head = False
        self._cancel_head_timer()
        if len(self.url) > self._limits.url_size:
            self._error_status = 414
            raise _HeadRefused
        # Most heads arrive in one small part: then there is nothing to add up.
        if self._head_size + self._received > self._limits.head_size:
            size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if size > self._limits.head_size:
                self._error_status = 431
                raise _HeadRefused
        super().on_headers_complete()
        self.cycle.transport = self._chunks_transport

    def pause_writing(self) -> None:
        """Start the timeout for a client that does not read its response."""
        super().pause_writing()
        if self._read_timer is None:
            self._wait_for_progress()

    def resume_writing(self) -> None:
        """Continue: the client has read most of what was sent."""
        super().resume_writing()
        self._cancel_read_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel all timers."""
        self._cancel_head_timer()
        self._cancel_read_timer()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def _expect_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self._limits.head_time, self._head_timed_out)

    def _head_timed_out(self) -> None:
        self._head_timer = None
        if self._in_head:
            self._refuse(408)
        else:
            self.transport.close()  # without a request there is nothing to answer

    def _cancel_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _cancel_read_timer(self) -> None:
        if self._read_timer is not None:
            self._read_timer.cancel()
            self._read_timer = None

    def _wait_for_progress(self) -> None:
        unsent = self.transport.get_write_buffer_size()

        def check_progress() -> None:
            if self.transport.get_write_buffer_size() < unsent:
                self._wait_for_progress()
            else:
                self.transport.abort()

        self._read_timer = self.loop.call_later(self._limits.read_time, check_progress)

    def _refuse(self, status: int) -> None:
        """Send an error and close; while another response is being sent, only close."""
        if self.cycle is None or self.cycle.response_complete:
            phrase = HTTPStatus(status).phrase
            self.transport.write(
                f"HTTP/1.1 {status} {phrase}\r\ncontent-type: text/plain; charset=utf-8\r\n"
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
        self, config: uvicorn.Config, limits: ConnectionLimits, watcher: "WebConfigWatcher | None"
    ) -> None:
        super().__init__(config)
        self._limits = limits
        self._watcher = watcher
        self._sockets: list[socket.socket] = []
        self._context = watcher.current.tls if watcher else None
        self._failed: ssl.SSLContext | None = None  # logged once
        if watcher:
            config.callback_notify = self._reload_certificate
            config.timeout_notify = 0  # at each of uvicorn's ticks, once a second

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to accept connections."""
        self._sockets = sockets or []
        self.servers = await self._serve_on_copies()
        self.started = True

    async def _reload_certificate(self) -> None:
        """Use a new certificate if there is one; open connections stay."""
        assert self._watcher is not None
        await asyncio.to_thread(self._watcher.poll)
        context = self._watcher.current.tls
        if context is self._context:
            return
        previous, self._context = self._context, context
        try:
            new = await self._serve_on_copies()
        except OSError as error:
            self._context = previous
            if context is not self._failed:
                self._failed = context
                _log.warning("new certificate not in use yet", error=str(error))
            return
        for server in self.servers:
            server.close()
        self.servers = new

    async def _serve_on_copies(self) -> list[asyncio.base_events.Server]:
        """Serve on copies of the sockets: to close them refuses no client that is waiting."""
        loop = asyncio.get_running_loop()
        handshake_time = self._limits.head_time if self._context else None
        servers: list[Any] = []
        with ExitStack() as stack:
            for listener in self._sockets:
                copy = stack.enter_context(listener.dup())
                server = await loop.create_server(
                    lambda: LimitedProtocol(
                        self.config, self.server_state, loop, self._limits, self._sans
                    ),
                    sock=copy,
                    ssl=self._context,
                    backlog=self.config.backlog,
                    ssl_handshake_timeout=handshake_time,
                )
                stack.callback(server.close)
                servers.append(server)
            stack.pop_all()
        return servers

    def _sans(self) -> frozenset[str] | None:
        return self._watcher.current.sans if self._watcher else None


class Server:
    """Serves an ASGI application from a thread of its own.

    ``where`` is an address to listen on, or listening sockets, which the server closes when it
    stops. Raises ``OSError`` if it cannot listen on the address.
    """

    def __init__(
        self,
        app: Any,
        where: Address | Sequence[socket.socket],
        name: str,
        *,
        watcher: "WebConfigWatcher | None" = None,
        limits: ConnectionLimits = ConnectionLimits(),
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
        self._server = UvicornServer(config, limits, watcher)
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
