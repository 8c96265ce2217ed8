"""How does the simulator misbehave on request, and what stands in front of the service?"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase

import httpx
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

_KINDS = re.compile(
    r"[345]\d\d|html[345]\d\d|spring|reset|hang|cut|garbage|html|slow:\d+(\.\d+)?"
    r"|unsuccessful|reconnect:(none|handshake|retry)|object|multiple_clients"
)
_BAYEUX = ("unsuccessful", "reconnect", "object", "multiple_clients")  # only CometD has these
NOTIFICATIONS = "/statistics/v3/notifications"
_TITLES = {
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Temporarily Unavailable",
    504: "Gateway Time-out",
}


@dataclass
class Failure:
    """One kind of misbehaviour, for so many requests, of one path or of any.

    A kind is an HTTP status (an envelope for REST, an empty body for CometD), ``html`` with a
    status (a balancer's page), ``spring`` (500 with the framework's own body), ``reset``, ``hang``,
    ``cut``, ``garbage``, ``html`` (200), ``slow:<seconds>``, or for CometD alone ``unsuccessful``
    (a reply without advice), ``reconnect:<none, handshake, retry>`` (an unsuccessful reply with
    that advice), ``object`` (instead of an array) and ``multiple_clients`` (that advice).
    """

    kind: str
    left: int
    path: str | None  # may have wildcards; a CometD request's is followed by its first channel

    def __post_init__(self) -> None:
        if _KINDS.fullmatch(self.kind) is None:
            raise ValueError(f"unknown kind of failure: {self.kind}")

    @property
    def word(self) -> str:
        """The kind without what is behind the colon."""
        return self.kind.partition(":")[0]

    @property
    def detail(self) -> str:
        """What is behind the colon."""
        return self.kind.partition(":")[2]

    def applies(self, target: str) -> bool:
        """Tell whether a request for this target is to fail."""
        if self.word in _BAYEUX and not target.startswith(NOTIFICATIONS):
            return False
        return self.left > 0 and (self.path is None or fnmatchcase(target, self.path))


class Reset(Response):
    """A connection that breaks after the head of the answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - as Starlette calls it
        """Send the head, then break off: with or without a socket httpx sees a disconnect."""
        head = [(b"content-type", b"application/json"), (b"content-length", b"4096")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        raise httpx.RemoteProtocolError("peer closed connection without sending complete body")


def instead(failure: Failure, target: str, now: float) -> Response | None:
    """Return what is sent in place of an answer, for the kinds that have none."""
    if failure.kind.isdecimal():
        status = int(failure.kind)
        is_bayeux = target.startswith(NOTIFICATIONS)
        return Response(None, status) if is_bayeux else envelope(status, "failed on request")
    if failure.kind.startswith("html"):
        return _page(int(failure.kind.removeprefix("html") or "200"))
    made: dict[str, Callable[[], Response]] = {
        "spring": lambda: spring("java.lang.IllegalStateException: failed on request", now),
        "reset": Reset,
        "garbage": lambda: Response(b"\x00\xffnot JSON at all", media_type="application/json"),
        "hang": lambda: _page(504),
    }
    return made[failure.word]() if failure.word in made else None


def cut(response: Response) -> Response:
    """Return half of an answer."""
    body = bytes(response.body)
    return Response(body[: len(body) // 2], response.status_code, media_type="application/json")


def envelope(status: int, message: str, code: int | None = None) -> Response:
    """Return a failure as the service words it; the codes are not documented."""
    return JSONResponse({"status": {"code": code or status, "message": message}}, status)


def spring(message: str, now: float) -> Response:
    """Return what the framework answers where the service itself fails."""
    body = {
        "timestamp": int(now * 1000),
        "status": 500,
        "error": "Internal Server Error",
        "message": message,
        "path": NOTIFICATIONS,
    }
    return JSONResponse(body, 500)


def _page(status: int) -> HTMLResponse:
    """Return a page as the balancer draws it, never JSON."""
    title = f"{status} {_TITLES.get(status, 'Sign in to the network')}"
    return HTMLResponse(
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n",
        status,
    )
