"""Refusals: unsupported methods and request bodies, and requests of other sites' pages."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

_METHODS = ("GET", "HEAD", "POST", "PUT")
_PORTS = {"http": 80, "https": 443}


def refuse(status: int, headers: Mapping[str, str]) -> Response:
    """Return a response that says no more than its status."""
    headers = {"x-content-type-options": "nosniff", **headers}
    return PlainTextResponse(f"{HTTPStatus(status).phrase}\n", status, headers)


def is_cross_site(headers: Headers) -> bool:
    """Return whether a browser sent a request for a page of another origin.

    Browsers send ``Origin`` with every POST and PUT, ``null`` where they hide it; to https and
    localhost they send ``Sec-Fetch-Site`` too. Programs send neither.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    return any(
        not _is_origin_of(origin, headers.get("host", "")) for origin in headers.getlist("origin")
    )


def _is_origin_of(origin: str, host: str) -> bool:
    try:
        page, server = urlsplit(origin), urlsplit(f"//{host}")
        default = _PORTS[page.scheme]
        ports = page.port or default, server.port or default
    except (KeyError, ValueError):
        return False
    return bool(page.hostname) and page.hostname == server.hostname and ports[0] == ports[1]


class RefusalMiddleware:
    """Refuses what no page of the site accepts: other methods, and any request body.

    ``count`` is called with the status of every response given here.
    """

    def __init__(self, app: ASGIApp, count: Callable[[int], None]) -> None:
        self._app = app
        self._count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it and close the connection."""
        if scope["method"] not in _METHODS:
            status, headers = 405, {"allow": ", ".join(_METHODS)}
        elif _has_body(scope):
            status, headers = 413, {}
        else:
            await self._app(scope, receive, send)
            return
        self._count(status)
        await refuse(status, {**headers, "connection": "close"})(scope, receive, send)


def _has_body(scope: Scope) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0"))
        for name, value in scope["headers"]
    )
