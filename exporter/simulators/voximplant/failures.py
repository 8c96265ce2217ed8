"""How the simulator misbehaves on request, and the pages of what stands before the platform."""

import re
from dataclasses import dataclass

import httpx
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send

JSON = "application/json"
_KINDS = re.compile(r"html[45]\d\d|reset|cut|hang|garbage|code:\d+")
_TITLES = {
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Temporarily Unavailable",
    504: "Gateway Time-out",
}


@dataclass
class Failure:
    """One kind of misbehaviour, for so many requests, of one method or of any."""

    kind: str
    left: int
    method: str | None

    def __post_init__(self) -> None:
        if _KINDS.fullmatch(self.kind) is None:
            raise ValueError(f"unknown kind of failure: {self.kind}")

    @property
    def number(self) -> int:
        """The number in the kind: of an error code or of an HTTP status."""
        return int(re.sub(r"\D", "", self.kind))

    def applies(self, method: str) -> bool:
        """Tell whether a request of this method is to fail."""
        return self.left > 0 and self.method in (None, method)


class Reset(Response):
    """A connection that breaks after the head of the answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - as Starlette calls it
        """Send the head, then break off: with or without a socket httpx sees a disconnect."""
        head = [(b"content-type", JSON.encode()), (b"content-length", b"4096")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        raise httpx.RemoteProtocolError("peer closed connection without sending complete body")


def page(status: int) -> HTMLResponse:
    """Return a page as a web server in front of the platform draws it, never JSON."""
    title = f"{status} {_TITLES.get(status, 'Error')}"
    html = (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{title}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    )
    return HTMLResponse(html, status)
