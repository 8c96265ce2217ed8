"""HTTP in: the page, a landing page, and whether we are well.

Served by uvicorn in a thread of its own, so that no parsing or rendering holds up a scrape.
"""

import html
import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from exporter import __version__
from exporter.board import Publisher
from exporter.page import Format
from exporter.telemetry import Telemetry

_STOP_TIMEOUT = 10.0  # seconds for the server to go down
_BACKLOG = 512  # many replicas may come at once; a short queue costs them a second each
_LINKS = {
    "/metrics": "the figures, for Prometheus",
    "/-/healthy": "whether the exporter runs",
    "/-/ready": "whether every account has been tried once",
}


def quality(header: str, names: Iterable[str]) -> float:
    """Return the highest q value that an Accept or Accept-Encoding header gives any of ``names``.

    A wildcard counts where no name is mentioned; 0 is no.
    """
    wanted = {name.lower() for name in names}
    found: dict[str, float] = {}
    for item in header.split(","):
        name, *parameters = (part.strip().lower() for part in item.split(";"))
        weights = (part[2:].strip() for part in parameters if part.startswith("q="))
        weight = next(weights, "1")
        try:
            found[name] = max(found.get(name, 0.0), min(max(float(weight), 0.0), 1.0))
        except ValueError:
            continue
    named = [found[name] for name in wanted if name in found]
    wild = max(found.get("*", 0.0), found.get("*/*", 0.0))
    return max(named, default=wild)


def choose_format(accept: str) -> Format:
    """Choose between text 0.0.4 and OpenMetrics; text where the client likes both the same."""
    openmetrics = quality(accept, ["application/openmetrics-text"])
    text = quality(accept, ["text/plain", "text/*"])
    named = "application/openmetrics-text" in accept.lower()
    return Format.OPENMETRICS if named and openmetrics > 0 and openmetrics >= text else Format.TEXT


class _Buffers(Response):
    """A response of ready buffers, sent one by one without ever being joined."""

    def __init__(self, buffers: Iterable[bytes], length: int, headers: dict[str, str]) -> None:
        super().__init__(None, headers=headers)
        self._buffers = buffers
        self.headers["content-length"] = str(length)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        if scope["method"] != "HEAD":
            for buffer in self._buffers:
                await send({"type": "http.response.body", "body": buffer, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class Site:
    """The exporter's own web site, as an ASGI application."""

    def __init__(
        self, publisher: Publisher, telemetry: Telemetry, ready: Callable[[], bool]
    ) -> None:
        self._publisher = publisher
        self._telemetry = telemetry
        self._ready = ready
        routes = [
            Route("/", self._landing),
            Route("/metrics", self._metrics),
            Route("/-/healthy", self._healthy),
            Route("/-/ready", self._readiness),
        ]
        self._app = Starlette(routes=routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, and count it by its status code."""

        async def counted(message: Any) -> None:
            if message["type"] == "http.response.start":
                self._telemetry.http_requests.labels(str(message["status"])).inc()
                message["headers"] = [*message["headers"], (b"x-content-type-options", b"nosniff")]
            await send(message)

        await self._app(scope, receive, counted)

    async def _metrics(self, request: Request) -> Response:
        page = self._publisher.current()
        accounts = set(request.query_params.getlist("account"))
        if accounts:
            strange = sorted(accounts - page.accounts)
            if strange:
                return PlainTextResponse(f"no such account: {strange[0]}\n", status_code=404)
            page = page.of(accounts)
        names = request.query_params.getlist("name[]")
        if names:
            page = page.only(set(names))
        headers = Headers(scope=request.scope)
        form = choose_format(headers.get("accept", ""))
        gzip = quality(headers.get("accept-encoding", ""), ["gzip"]) > 0
        buffers, length = page.body(form, gzip=gzip)
        answer = {"content-type": form.value, "vary": "Accept, Accept-Encoding"}
        if gzip:
            answer["content-encoding"] = "gzip"
        return _Buffers(buffers, length, answer)

    async def _landing(self, _: Request) -> Response:
        items = "".join(
            f'<li><a href="{path}">{path}</a>: {html.escape(what)}</li>'
            for path, what in _LINKS.items()
        )
        return HTMLResponse(
            "<!doctype html><html lang=en><head><meta charset=utf-8>"
            "<meta name=viewport content='width=device-width'>"
            "<meta name=color-scheme content='light dark'>"
            "<title>contactcenter-exporter</title>"
            "<style>body{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;"
            "padding:0 1rem}</style></head><body><h1>contactcenter-exporter</h1>"
            f"<p>Version {html.escape(__version__)}</p><ul>{items}</ul></body></html>"
        )

    async def _healthy(self, _: Request) -> Response:
        return PlainTextResponse("healthy\n")

    async def _readiness(self, _: Request) -> Response:
        if self._ready():
            return PlainTextResponse("ready\n")
        return PlainTextResponse("not every account has been tried yet\n", status_code=503)


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen: a host (empty for all) and a port (0 for any free one)."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Read ``:10077``, ``127.0.0.1:10077`` or ``[::1]:10077``; raises ``ValueError``."""
        host, colon, port = text.rpartition(":")
        host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
        if not colon or not port.isascii() or not port.isdigit() or int(port) > 65_535:  # noqa: PLR2004
            raise ValueError(f"{text!r} is no address such as :10077 or 127.0.0.1:10077")
        return cls(host, int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _listen(address: Address) -> socket.socket:
    """Open a socket; with no host, for IPv4 and IPv6 alike."""
    where = (address.host, address.port)
    if not address.host and socket.has_dualstack_ipv6():
        return socket.create_server(
            where, family=socket.AF_INET6, backlog=_BACKLOG, dualstack_ipv6=True
        )
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    return socket.create_server(where, family=family, backlog=_BACKLOG)


class Server:
    """An ASGI application on a socket, served from a thread of its own.

    Raises ``OSError`` where the address cannot be listened on.
    """

    def __init__(self, app: Any, address: Address, name: str) -> None:
        config = uvicorn.Config(
            app,
            interface="asgi3",
            access_log=False,
            log_config=None,
            lifespan="off",
            server_header=False,
            limit_concurrency=512,
            timeout_keep_alive=75,  # Prometheus comes every 15 to 60 s on one connection
            timeout_graceful_shutdown=3,
            h11_max_incomplete_event_size=16 * 1024,
        )
        self._server = uvicorn.Server(config)
        self._socket = _listen(address)
        self.address = Address(address.host, self._socket.getsockname()[1])
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name=name, daemon=True
        )

    def start(self) -> None:
        """Start to serve; the socket takes connections already."""
        self._thread.start()

    def stop(self, *, at_once: bool = False) -> None:
        """Finish what is being served (not if ``at_once``), then stop."""
        self._server.should_exit = True
        self._server.force_exit = at_once
        self._thread.join(timeout=_STOP_TIMEOUT)
        self._socket.close()
