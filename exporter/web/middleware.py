"""ASGI middleware that refuses unsupported methods and request bodies."""

from collections.abc import Callable, Mapping
from http import HTTPStatus

from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

_METHODS = ("GET", "HEAD", "POST")


def refuse(status: int, headers: Mapping[str, str]) -> Response:
    """Return a response that says no more than its status."""
    headers = {"x-content-type-options": "nosniff", **headers}
    return PlainTextResponse(f"{HTTPStatus(status).phrase}\n", status, headers)


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
