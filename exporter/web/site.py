"""HTTP in: the figures, a landing page, whether we are well, and what we are asked to do.

Served by uvicorn in a thread of its own, so that no parsing or rendering holds up a scrape.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import Receive, Scope, Send

from exporter.errors import ConfigError, ReloadRefused
from exporter.exposition.encoding import Format
from exporter.exposition.page import Chunks
from exporter.exposition.publisher import Publisher
from exporter.status import Overview
from exporter.telemetry import Telemetry
from exporter.web import status_page
from exporter.web.server import CHUNKS

_JOINED = 512 * 1024  # bytes for one write where they have to be joined
_PATH = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@/-]*")
_TAKEN = ("/", "/config")


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


@lru_cache(maxsize=64)  # clients are few, and each asks in the same words every time
def choose_format(accept: str) -> Format:
    """Choose between text 0.0.4 and OpenMetrics; text where the client likes both the same."""
    openmetrics = quality(accept, ["application/openmetrics-text"])
    text = quality(accept, ["text/plain", "text/*"])
    named = "application/openmetrics-text" in accept.lower()
    return Format.OPENMETRICS if named and openmetrics > 0 and openmetrics >= text else Format.TEXT


@lru_cache(maxsize=64)
def takes_gzip(accept_encoding: str) -> bool:
    """Tell whether a client takes a compressed answer."""
    return quality(accept_encoding, ["gzip"]) > 0


class _Body(Response):
    """A response of ready buffers, which are joined only where the server cannot do without."""

    def __init__(self, chunks: Sequence[Chunks], headers: dict[str, str]) -> None:
        super().__init__(None, headers=headers)
        self._pieces = chunks
        self.headers["content-length"] = str(sum(map(len, chunks)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        if scope["method"] != "HEAD":
            as_they_are = CHUNKS in scope.get("extensions", {})
            for part in self._pieces if as_they_are else _joined(self._pieces):
                await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _joined(chunks: Sequence[Chunks]) -> Iterable[bytes]:
    """Join small buffers; large ones stay as they are."""
    held: list[bytes] = []
    size = 0
    for buffer in chain.from_iterable(each.parts for each in chunks):
        if held and size + len(buffer) > _JOINED:
            yield b"".join(held)
            held, size = [], 0
        if len(buffer) > _JOINED:
            yield buffer
        else:
            held.append(buffer)
            size += len(buffer)
    if held:
        yield b"".join(held)


@dataclass(frozen=True, slots=True)
class Paths:
    """Where the site is mounted. Every path begins with a slash and ends without one.

    ``prefix`` precedes every path of a request, ``external`` every path in a link: they differ
    behind a proxy that rewrites paths. Empty means none.
    """

    telemetry: str = "/metrics"
    prefix: str = ""
    external: str = ""

    @classmethod
    def parse(cls, telemetry: str, url: str | None, prefix: str | None) -> "Paths":
        """Read ``--web.telemetry-path``, ``--web.external-url`` and ``--web.route-prefix``.

        Raises ``ValueError``.
        """
        external = _external(url) if url else ""
        inner = external if prefix is None else _trimmed(prefix, "--web.route-prefix")
        if not telemetry.startswith("/") or not _PATH.fullmatch(telemetry):
            raise ValueError(f"--web.telemetry-path: {telemetry!r} is no path such as /metrics")
        if telemetry in _TAKEN or telemetry.startswith("/-/"):
            raise ValueError(f"--web.telemetry-path: {telemetry!r} is another page's")
        return cls(telemetry, inner, external)


def _external(url: str) -> str:
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        fits = False
    if not fits or parts.query or parts.fragment or parts.username or parts.password:
        raise ValueError(
            "--web.external-url: an address such as https://host/path is wanted, "
            "without credentials and query"
        )
    return _trimmed(parts.path, "--web.external-url")


def _trimmed(path: str, option: str) -> str:
    if not _PATH.fullmatch(path) or "//" in path:
        raise ValueError(f"{option}: {path!r} is no plain path")
    inner = path.strip("/")
    return f"/{inner}" if inner else ""


class Site:
    """The exporter's own web site, as an ASGI application.

    ``overview`` and ``config`` are what the landing page and ``/config`` show. ``reload`` returns
    what it did, or raises ``ConfigError`` or ``ReloadRefused``; without it nobody may ask for it.
    """

    def __init__(
        self,
        publisher: Publisher,
        telemetry: Telemetry,
        ready: Callable[[], bool],
        *,
        overview: Callable[[], Overview] = Overview,
        config: Callable[[], str] = str,
        reload: Callable[[], Awaitable[str]] | None = None,
        paths: Paths = Paths(),
    ) -> None:
        self._publisher = publisher
        self._telemetry = telemetry
        self._ready = ready
        self._overview = overview
        self._config = config
        self._do_reload = reload
        self._external = paths.external
        self._links = {
            paths.telemetry: "the metrics, for Prometheus",
            "/-/healthy": "whether the exporter runs",
            "/-/ready": "whether every account has been tried once",
            "/config": "the configuration in force, without its secrets",
        }
        routes: list[BaseRoute] = [
            Route("/", self._status_page),
            Route(paths.telemetry, self._metrics),
            Route("/config", self._configuration),
            Route("/-/healthy", self._healthy),
            Route("/-/ready", self._readiness),
            Route("/-/reload", self._reload, methods=["POST", "PUT"]),
            Route("/-/reload", self._only_post),
        ]
        if paths.prefix:
            to_prefix = RedirectResponse(f"{paths.prefix}/", 302)
            routes = [
                Mount(paths.prefix, routes=routes),
                Route("/", to_prefix),
                Route(paths.prefix, to_prefix),
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
        gzip = takes_gzip(headers.get("accept-encoding", ""))
        answer = {"content-type": form.value, "vary": "Accept, Accept-Encoding"}
        if gzip:
            answer["content-encoding"] = "gzip"
        return _Body(page.chunks(form, gzip=gzip), answer)

    async def _status_page(self, _: Request) -> Response:
        page = status_page.render(self._overview(), self._external, self._links)
        return HTMLResponse(page, headers=status_page.HEADERS)

    async def _configuration(self, _: Request) -> Response:
        return PlainTextResponse(self._config())

    async def _reload(self, _: Request) -> Response:
        """Reload, in the words that users of Prometheus know."""
        if self._do_reload is None:
            return PlainTextResponse("Lifecycle API is not enabled.", status_code=403)
        try:
            return PlainTextResponse(f"{await self._do_reload()}\n")
        except ConfigError as error:
            return PlainTextResponse(f"failed to reload config: {error}\n", status_code=500)
        except ReloadRefused as error:
            return PlainTextResponse(f"not reloaded: {error}\n", status_code=503)

    async def _only_post(self, _: Request) -> Response:
        return PlainTextResponse(
            "Only POST or PUT requests allowed", status_code=405, headers={"Allow": "POST, PUT"}
        )

    async def _healthy(self, _: Request) -> Response:
        return PlainTextResponse("healthy\n")

    async def _readiness(self, _: Request) -> Response:
        if self._ready():
            return PlainTextResponse("ready\n")
        return PlainTextResponse("not every account has been tried yet\n", status_code=503)
