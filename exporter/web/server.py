"""How much may one connection ask of us, and for how long?

uvicorn bounds neither the time nor the size of a request's head, nor idle connections, nor how
long a client may take to read; it writes a body piece by piece or joined, never as it is; and it
cannot take another certificate while it serves.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
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

if TYPE_CHECKING:
    from exporter.web.config import WebWatch  # a server without a web configuration needs none
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from exporter.web.sockets import Address, listen

if TYPE_CHECKING:
    from exporter.web.config import WebWatch  # a server without a web configuration needs none

_log = get_log(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one server: seconds, bytes, and connections at the same time."""

    head_time: float = 10.0
    read_time: float = 30.0  # without any progress of a client that reads an answer
    head_size: int = 16 * 1024
    url_size: int = 8 * 1024
    connections: int = 512


CHUNKS = "exporter.chunks"  # the ASGI extension by which the body of a message may be ``Pieces``


class _Writer(asyncio.Transport):
    """The end of a connection that uvicorn writes an answer to; it takes pieces too."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__()
        self._transport = transport

    def is_closing(self) -> bool:
        """Tell whether the connection ends."""
        return self._transport.is_closing()

    def close(self) -> None:
        """End the connection when everything has been sent."""
        self._transport.close()

    def write(self, data: Any) -> None:
        """Write bytes or pieces."""
        if isinstance(data, Chunks):
            self._transport.writelines(data.parts)
        else:
            self._transport.write(data)


class _Refused(Exception):
    """The head of a request is not acceptable."""


class Connection(HttpToolsProtocol):
    """One client's connection, within limits.

    ``sans`` returns the names of which a client's certificate has to have one, or ``None``.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: Any,
        loop: asyncio.AbstractEventLoop,
        limits: Limits,
        sans: Callable[[], frozenset[str] | None],
    ) -> None:
        super().__init__(config, server_state, {}, loop)
        self._limits = limits
        self._sans = sans
        self._timer: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._in_head = False
        self._head_size = 0  # bytes of an unfinished head so far
        self._part = 0  # bytes being parsed
        self._status = 400  # the answer to a request that cannot be read

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Let a client in, if there is room and its certificate has one of the names wanted."""
        full = len(self.connections) >= self._limits.connections
        super().connection_made(transport)
        self._writer = _Writer(transport)
        sans = self._sans()
        if sans is not None and not sans & _names(transport):
            _log.debug("client certificate had none of the names wanted")
            transport.abort()
        elif full:
            self._refuse(503)
        else:
            self._expect_head()

    def data_received(self, data: bytes) -> None:
        """Read a part of a request."""
        if self.transport.is_closing():
            return
        self._unset_keepalive_if_required()
        self._part = len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # No other protocol is spoken here; the request has been taken as an ordinary one.
            self.cycle.keep_alive = False
        except httptools.HttpParserError:
            self._refuse(self._status)
            return
        if self._in_head:
            self._expect_head()
            self._head_size += len(data)
            if self._head_size > self._limits.head_size:
                self._refuse(414 if len(self.url) > self._limits.url_size else 431)
        elif self.cycle is None or self.cycle.response_complete:
            self._expect_head()  # that was no request: empty lines, or a body nobody waits for

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._in_head, self._head_size = True, 0
        super().on_message_begin()
        if self.scheme == "http":  # TLS would hold all of them encrypted
            self.scope["extensions"] = {CHUNKS: {}}

    def on_headers_complete(self) -> None:
        """Take a request whose head is there, and not too large."""
        self._in_head = False
        self._forget_head()
        if len(self.url) > self._limits.url_size:
            self._status = 414
            raise _Refused
        # Most heads come in one small part: there is nothing to add up then.
        if self._head_size + self._part > self._limits.head_size:
            size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if size > self._limits.head_size:
                self._status = 431
                raise _Refused
        super().on_headers_complete()
        self.cycle.transport = self._writer

    def pause_writing(self) -> None:
        """Begin to wait for a client that does not read its answer."""
        super().pause_writing()
        if self._stall is None:
            self._wait_for_progress()

    def resume_writing(self) -> None:
        """Go on: the client has read most of what was sent."""
        super().resume_writing()
        self._forget_stall()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything."""
        self._forget_head()
        self._forget_stall()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def _expect_head(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self._limits.head_time, self._head_is_late)

    def _head_is_late(self) -> None:
        self._timer = None
        if self._in_head:
            self._refuse(408)
        else:
            self.transport.close()  # a client that has not asked for anything expects no answer

    def _forget_head(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _forget_stall(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def _wait_for_progress(self) -> None:
        left = self.transport.get_write_buffer_size()

        def look() -> None:
            if self.transport.get_write_buffer_size() < left:
                self._wait_for_progress()
            else:
                self.transport.abort()

        self._stall = self.loop.call_later(self._limits.read_time, look)

    def _refuse(self, status: int) -> None:
        """Answer and close; where another answer is under way, close only."""
        if self.cycle is None or self.cycle.response_complete:
            phrase = HTTPStatus(status).phrase
            self.transport.write(
                f"HTTP/1.1 {status} {phrase}\r\ncontent-type: text/plain; charset=utf-8\r\n"
                f"content-length: {len(phrase) + 1}\r\nx-content-type-options: nosniff\r\n"
                f"connection: close\r\n\r\n{phrase}\n".encode()
            )
        self.transport.close()


def _names(transport: asyncio.Transport) -> frozenset[str]:
    """Return the alternative names in a client's certificate: hosts, addresses, mail, URIs."""
    certificate = transport.get_extra_info("ssl_object").getpeercert() or {}
    return frozenset(
        str(ip_address(name)) if kind == "IP Address" else name
        for kind, name in certificate.get("subjectAltName", ())
    )


class Listener(uvicorn.Server):
    """uvicorn on sockets that listen already, with the limits above and TLS that can change."""

    def __init__(self, config: uvicorn.Config, limits: Limits, watch: "WebWatch | None") -> None:
        super().__init__(config)
        self._limits = limits
        self._watch = watch
        self._sockets: list[socket.socket] = []
        self._context = watch.current.tls if watch else None
        self._complained: ssl.SSLContext | None = None  # what could not be taken, said once
        if watch:
            config.callback_notify = self._look
            config.timeout_notify = 0  # whenever uvicorn's clock ticks: each second

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to take connections."""
        self._sockets = sockets or []
        self.servers = await self._serve_on_copies()
        self.started = True

    async def _look(self) -> None:
        """Take another certificate where there is one; connections that are open stay."""
        assert self._watch is not None
        await asyncio.to_thread(self._watch.poll)
        context = self._watch.current.tls
        if context is self._context:
            return
        before, self._context = self._context, context
        try:
            new = await self._serve_on_copies()
        except OSError as error:
            self._context = before
            if context is not self._complained:
                self._complained = context
                _log.warning("new certificate could not be taken yet", error=str(error))
            return
        for server in self.servers:
            server.close()
        self.servers = new

    async def _serve_on_copies(self) -> list[asyncio.base_events.Server]:
        """Serve on copies of the sockets: closing those refuses nobody who is waiting."""
        loop = asyncio.get_running_loop()
        handshake_time = self._limits.head_time if self._context else None
        servers: list[Any] = []
        with ExitStack() as undo:
            for each in self._sockets:
                copy = undo.enter_context(each.dup())
                server = await loop.create_server(
                    lambda: Connection(
                        self.config, self.server_state, loop, self._limits, self._sans
                    ),
                    sock=copy,
                    ssl=self._context,
                    backlog=self.config.backlog,
                    ssl_handshake_timeout=handshake_time,
                )
                undo.callback(server.close)
                servers.append(server)
            undo.pop_all()
        return servers

    def _sans(self) -> frozenset[str] | None:
        return self._watch.current.sans if self._watch else None


_STOP_TIMEOUT = 10.0  # seconds for the server to go down


class Server:
    """An ASGI application on sockets, served from a thread of its own.

    ``where`` is an address to listen on, or sockets that listen already, which the server closes
    at its end. Raises ``OSError`` where the address cannot be listened on.
    """

    def __init__(
        self,
        app: Any,
        where: Address | Sequence[socket.socket],
        name: str,
        *,
        watch: "WebWatch | None" = None,
        limits: Limits = Limits(),
    ) -> None:
        config = uvicorn.Config(
            app,
            http=Connection,
            ws="none",
            interface="asgi3",
            access_log=False,
            log_config=None,
            lifespan="off",
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=75,  # Prometheus comes every 15 to 60 s on one connection
            timeout_graceful_shutdown=3,
        )
        self._server = Listener(config, limits, watch)
        self._sockets = [listen(where)] if isinstance(where, Address) else list(where)
        self.addresses = [Address.of(each) for each in self._sockets]
        if isinstance(where, Address):
            self.addresses = [Address(where.host, self.addresses[0].port)]
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": self._sockets}, name=name, daemon=True
        )

    @property
    def address(self) -> Address:
        """Where it listens; the first, where there are several."""
        return self.addresses[0]

    def start(self) -> None:
        """Start to serve; the sockets take connections already."""
        self._thread.start()

    def stop(self, *, at_once: bool = False) -> None:
        """Finish what is being served (not if ``at_once``), then stop."""
        self._server.should_exit = True
        self._server.force_exit = at_once
        self._thread.join(timeout=_STOP_TIMEOUT)
        for each in self._sockets:
            each.close()
