"""How the simulator misbehaves on request, and the pages that stand in front of the service."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import httpx
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send

# These change the data of a subscription and mean nothing elsewhere.
_DATA_KINDS = frozenset(
    [
        *("null_cells", "bare_numbers", "wrong_type", "missing_column", "extra_column"),
        *("no_rows", "no_data"),
    ]
)
_NAMED_KINDS = frozenset(["missing_column", "extra_column"])
_KINDS = frozenset(["reset", "hang", "cut", "garbage", "html", *_DATA_KINDS])
_DATA_PATH = "/statsapi/subscription/data"
_GATEWAY = {502: "Bad Gateway", 503: "Service Temporarily Unavailable", 504: "Gateway Time-out"}


@dataclass
class Failure:
    """One kind of misbehaviour, for so many requests, of one path or of any.

    A kind is an HTTP status, with "Retry-After" behind a colon if need be ("429:30"), or one of
    the words above; the words for columns have a column id behind the colon.
    """

    kind: str
    left: int
    path: str | None  # may have wildcards

    def __post_init__(self) -> None:
        if self.status is None and (
            self.word not in _KINDS or bool(self.name) != (self.word in _NAMED_KINDS)
        ):
            raise ValueError(f"unknown kind of failure: {self.kind}")

    @property
    def word(self) -> str:
        """The kind without what it names."""
        return self.kind.partition(":")[0]

    @property
    def name(self) -> str:
        """What the kind names: a column, or the seconds of "Retry-After"."""
        return self.kind.partition(":")[2]

    @property
    def spoils_data(self) -> bool:
        """Whether the kind changes the data of a subscription, once there are some."""
        return self.word in _DATA_KINDS

    @property
    def status(self) -> int | None:
        """The status to answer with."""
        return int(self.word) if self.word.isdecimal() else None

    def applies(self, path: str) -> bool:
        """Tell whether a request of this path is to fail."""
        if self.spoils_data and path != _DATA_PATH:
            return False
        return self.left > 0 and (self.path is None or fnmatchcase(path, self.path))


class Reset(Response):
    """A connection that breaks after the head of the answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - as Starlette calls it
        """Send the head, then break off: with or without a socket httpx sees a disconnect."""
        head = [(b"content-type", b"application/json"), (b"content-length", b"4096")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        raise httpx.RemoteProtocolError("peer closed connection without sending complete body")


def instead(failure: Failure) -> Response | None:
    """Return what is sent in place of an answer, for the kinds that have none."""
    if failure.status is not None:
        return _status(failure.status, failure.name)
    match failure.word:
        case "reset":
            return Reset()
        case "garbage":
            return Response(b"\x00\xffnot JSON at all", media_type="application/json")
        case "html":
            return _page(200, "Sign in to the network")
        case "hang":
            return _status(504)
    return None


def spoil_body(failure: Failure, response: Response) -> Response:
    """Return an answer as it arrives."""
    if failure.word != "cut":
        return response
    body = bytes(response.body)
    media_type = response.headers.get("content-type")
    return Response(body[: len(body) // 2], response.status_code, media_type=media_type)


def _status(code: int, retry_after: str = "") -> Response:
    """Return a bare status, or a page where the balancer answers instead of the service."""
    headers = {"Retry-After": retry_after} if retry_after else None
    if code in _GATEWAY:
        return _page(code, _GATEWAY[code], headers)
    return Response(status_code=code, headers=headers)


def _page(code: int, title: str, headers: dict[str, str] | None = None) -> Response:
    """Return a page as the proxy in front draws it, never JSON."""
    html = (
        f"<html>\r\n<head><title>{code} {title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{code} {title}</h1></center>\r\n<hr><center>nginx</center>\r\n"
        "</body>\r\n</html>\r\n"
    )
    return HTMLResponse(html, code, headers)


def spoil(failure: Failure, data: dict[str, Any]) -> dict[str, Any]:
    """Return the data of a subscription as a failing platform would give them."""
    if failure.word == "no_data":
        return {}
    return {name: _spoil_block(failure, block) for name, block in data.items()}


def _spoil_block(failure: Failure, block: dict[str, Any]) -> dict[str, Any]:
    spoiled = dict(block)
    if "stats_totals" in block:
        spoiled["stats_totals"] = _spoil_row(failure, block["stats_totals"])
    for kind in ("service_grids", "agent_grids"):
        if kind in block:
            spoiled[kind] = [
                {**grid, "values": _spoil_rows(failure, grid["values"])} for grid in block[kind]
            ]
    return spoiled


def _spoil_rows(failure: Failure, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [] if failure.word == "no_rows" else [_spoil_row(failure, row) for row in rows]


def _spoil_row(failure: Failure, row: dict[str, Any]) -> dict[str, Any]:
    match failure.word:
        case "null_cells":
            return {name: cell or None for name, cell in row.items()}
        case "bare_numbers":
            return {name: _bare(cell) for name, cell in row.items()}
        case "wrong_type":
            return {name: "n/a" if _bare(cell) is not cell else cell for name, cell in row.items()}
        case "missing_column":
            return {name: cell for name, cell in row.items() if name != failure.name}
        case "extra_column":
            return {**row, failure.name: "1"}
    return row


def _bare(cell: Any) -> Any:
    """Return a number for a cell that looks like one, be it a name or not."""
    try:
        return float(cell) if "." in cell else int(cell)
    except (TypeError, ValueError):
        return cell
