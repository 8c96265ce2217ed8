"""The web site, an ASGI application: metrics, status page, health checks and reload.

It is served from a thread of its own, so that no parsing or rendering delays a scrape.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any
from urllib.parse import urlsplit

import orjson
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import Receive, Scope, Send

from exporter.errors import ConfigError, ReloadRefused
from exporter.exposition.encoding import Format
from exporter.exposition.page import Chunks, Page
from exporter.exposition.publisher import Publisher
from exporter.printable import escape_hidden, printable
from exporter.status import Overview
from exporter.telemetry import Telemetry
from exporter.web import status_page
from exporter.web.answers import Answers, TooManyAnswers
from exporter.web.middleware import is_cross_site, refuse
from exporter.web.server import CHUNKS

_PATH = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@/-]*")
_STATUS_LIFETIME = 1.0  # seconds; the page shows whole seconds
_RESERVED = ("/", "/config")


def quality(header: str, names: Iterable[str]) -> float:
    """Return the highest q value that an Accept or Accept-Encoding header gives any of ``names``.

    A wildcard counts if none of the names is in the header; 0 means not acceptable.
    """
    weights: dict[str, float] = {}
    for item in header.split(","):
        name, *parameters = (part.strip().lower() for part in item.split(";"))
        weight = next((part[2:].strip() for part in parameters if part.startswith("q=")), "1")
        try:
            weights[name] = max(weights.get(name, 0.0), min(max(float(weight), 0.0), 1.0))
        except ValueError:
            continue
    wildcard = max(weights.get("*", 0.0), weights.get("*/*", 0.0))
    return max((weights[name] for name in names if name in weights), default=wildcard)


@lru_cache(maxsize=64)  # clients are few, and each always sends the same header
def choose_format(accept: str) -> Format:
    """Return OpenMetrics if the client names it and does not prefer text; else text 0.0.4."""
    openmetrics = quality(accept, ["application/openmetrics-text"])
    text = quality(accept, ["text/plain", "text/*"])
    named = "application/openmetrics-text" in accept.lower()
    return Format.OPENMETRICS if named and openmetrics > 0 and openmetrics >= text else Format.TEXT


@lru_cache(maxsize=64)
def accepts_gzip(accept_encoding: str) -> bool:
    """Return whether a client accepts a compressed response."""
    return quality(accept_encoding, ["gzip"]) > 0


class _ChunkedResponse(Response):
    """A response of buffers that are joined only if the server cannot write ``Chunks``."""

    def __init__(self, chunks: Sequence[Chunks], headers: dict[str, str]) -> None:
        super().__init__(None, headers=headers)
        self._chunks = chunks
        self.headers["content-length"] = str(sum(map(len, chunks)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        if scope["method"] != "HEAD":
            join = CHUNKS not in scope.get("extensions", {})
            for chunk in self._chunks:
                body = b"".join(chunk.parts) if join else chunk
                await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _part(
    page: Page, accounts: frozenset[str], names: frozenset[str], form: Format, *, gzip: bool
) -> Sequence[Chunks]:
    """Return the part of a page with these accounts and sample names; an empty set means all."""
    if accounts:
        page = page.for_accounts(accounts)
    if names:
        page = page.with_samples(names)
    return page.chunks(form, gzip=gzip)


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

        Raises ``ConfigError``.
        """
        external = _external_path(url) if url else ""
        route_prefix = external if prefix is None else _plain_path(prefix, "--web.route-prefix")
        fault = None
        if not telemetry.startswith("/") or not _PATH.fullmatch(telemetry):
            fault = "is not a path such as /metrics"
        elif telemetry in _RESERVED or telemetry.startswith("/-/"):
            fault = "is the path of another page"
        if fault:
            raise ConfigError([f"--web.telemetry-path: {telemetry!r} {fault}"])
        return cls(telemetry, route_prefix, external)


def _external_path(url: str) -> str:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        valid = False
    if not valid or parts.query or parts.fragment or parts.username or parts.password:
        expected = "a URL such as https://host/path, without credentials or query"
        raise ConfigError([f"--web.external-url: expected {expected}"])
    return _plain_path(parts.path, "--web.external-url")


def _plain_path(path: str, option: str) -> str:
    """Return a path with a slash before it and none behind it; empty for the root."""
    if not _PATH.fullmatch(path) or "//" in path:
        raise ConfigError([f"{option}: {path!r} is not a plain path"])
    stripped = path.strip("/")
    return f"/{stripped}" if stripped else ""


class Site:
    """The web site, an ASGI application.

    ``ready`` returns whether every account has been tried once; ``overview`` and ``config`` return
    what the status page and ``/config`` show. ``reload`` returns what it did, or raises
    ``ConfigError`` or ``ReloadRefused``; without it, reload requests are refused.
    """

    def __init__(
        self,
        publisher: Publisher,
        telemetry: Telemetry,
        ready: Callable[[], bool],
        *,
        overview: Callable[[], Overview] = Overview,
        config: Callable[[], bytes] = bytes,
        reload: Callable[[], Awaitable[str]] | None = None,
        paths: Paths = Paths(),
    ) -> None:
        self._publisher = publisher
        self._telemetry = telemetry
        self._ready = ready
        self._overview = overview
        self._config = config
        self._reload_config = reload
        self._answers = Answers(publisher.now)
        self._external = paths.external
        self._links = {
            paths.telemetry: "the metrics, for Prometheus",
            "/-/healthy": "liveness: whether the exporter runs",
            "/-/ready": "readiness: whether every account has been tried once",
            "/-/status": "the status of every account as JSON",
            "/config": "the configuration in force, without secrets",
        }
        routes: list[BaseRoute] = [
            Route("/", self._status_page),
            Route(paths.telemetry, self._metrics),
            Route("/config", self._configuration),
            Route("/-/healthy", self._healthy),
            Route("/-/ready", self._readiness),
            Route("/-/status", self._status),
            Route("/-/reload", self._reload, methods=["POST", "PUT"]),
            Route("/-/reload", self._reload_method_not_allowed),
        ]
        if paths.prefix:
            to_prefix = RedirectResponse(f"{paths.prefix}/", 302)
            routes = [
                Mount(paths.prefix, routes=routes),
                Route("/", to_prefix),
                Route(paths.prefix, to_prefix),
            ]
        handlers: Mapping[Any, Any] = {TooManyAnswers: self._too_many_answers}
        self._app = Starlette(routes=routes, exception_handlers=handlers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request and count it by status code."""

        async def send_and_count(message: Any) -> None:
            if message["type"] == "http.response.start":
                self._telemetry.http_requests.labels(str(message["status"])).inc()
                message["headers"] = [*message["headers"], (b"x-content-type-options", b"nosniff")]
            await send(message)

        await self._app(scope, receive, send_and_count)

    async def _metrics(self, request: Request) -> Response:
        page = self._publisher.current()
        accounts = frozenset(request.query_params.getlist("account"))
        names = frozenset(request.query_params.getlist("name[]"))
        unknown = sorted(accounts - page.accounts)
        if unknown:
            text = f"no such account: {printable(unknown[0])}\n"
            return PlainTextResponse(text, status_code=404)
        headers = Headers(scope=request.scope)
        form = choose_format(headers.get("accept", ""))
        gzip = accepts_gzip(headers.get("accept-encoding", ""))
        response = {"content-type": form.value, "vary": "Accept, Accept-Encoding"}
        if gzip:
            response["content-encoding"] = "gzip"
        if accounts or names:
            make = partial(_part, page, accounts, names, form, gzip=gzip)
            chunks = await self._answers.get((accounts, names, form, gzip), make, source=page)
        else:
            chunks = page.chunks(form, gzip=gzip)
        return _ChunkedResponse(chunks, response)

    async def _status_page(self, _: Request) -> Response:
        body = await self._answers.get("/", self._make_status_page, lifetime=_STATUS_LIFETIME)
        return HTMLResponse(body, headers=status_page.HEADERS)

    def _make_status_page(self) -> bytes:
        return status_page.render(self._overview(), self._external, self._links).encode()

    async def _status(self, _: Request) -> Response:
        """Return the accounts' status as JSON, for ``check --live --url``."""
        body = await self._answers.get("status", self._make_status, lifetime=_STATUS_LIFETIME)
        headers = {"cache-control": "no-store"}
        return Response(body, headers=headers, media_type="application/json")

    def _make_status(self) -> bytes:
        return escape_hidden(orjson.dumps(self._overview()).decode()).encode()

    async def _configuration(self, _: Request) -> Response:
        return PlainTextResponse(self._config())

    async def _reload(self, request: Request) -> Response:
        """Reload the configuration; statuses and texts are those of Prometheus."""
        if self._reload_config is None:
            return PlainTextResponse("Lifecycle API is not enabled.", status_code=403)
        if is_cross_site(request.headers):
            return PlainTextResponse("reload refused: cross-site request\n", status_code=403)
        try:
            return PlainTextResponse(f"{await self._reload_config()}\n")
        except ConfigError as error:
            return PlainTextResponse(f"failed to reload config: {error}\n", status_code=500)
        except ReloadRefused as error:
            return PlainTextResponse(f"reload refused: {error}\n", status_code=503)
        finally:
            self._answers.forget()  # the status page shows the result

    async def _reload_method_not_allowed(self, _: Request) -> Response:
        return PlainTextResponse(
            "Only POST or PUT requests allowed", status_code=405, headers={"Allow": "POST, PUT"}
        )

    async def _too_many_answers(self, _: Request, __: Exception) -> Response:
        return refuse(503, {})

    async def _healthy(self, _: Request) -> Response:
        return PlainTextResponse("healthy\n")

    async def _readiness(self, _: Request) -> Response:
        if self._ready():
            return PlainTextResponse("ready\n")
        return PlainTextResponse("not every account has been tried yet\n", status_code=503)
