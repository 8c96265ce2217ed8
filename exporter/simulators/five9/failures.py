"""How the simulator misbehaves on request, and the pages that stand in front of the service."""

from dataclasses import dataclass
from random import Random

import httpx
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send

from exporter.simulators.five9.wire import FaultError

# These change the table of one getStatistics and mean nothing elsewhere.
_TABLE_KINDS = frozenset(
    ["empty_table", "blank_rows", "wrong_type", "missing_column", "extra_column", "no_columns"]
)
_PLAIN_KINDS = frozenset(
    ["html502", "html503", "cut", "reset", "hang", "garbage", "doctype", *_TABLE_KINDS]
)
_NAMED_KINDS = frozenset(["fault", "missing_column", "extra_column"])
_MINIMAL_BODY = 2


@dataclass
class Failure:
    """One kind of misbehaviour, for so many requests, of one operation or of any."""

    kind: str
    left: int
    operation: str | None

    def __post_init__(self) -> None:
        word, _, name = self.kind.partition(":")
        if word not in (_NAMED_KINDS if name else _PLAIN_KINDS - _NAMED_KINDS):
            raise ValueError(f"unknown kind of failure: {self.kind}")

    @property
    def word(self) -> str:
        """The kind without its name."""
        return self.kind.partition(":")[0]

    @property
    def name(self) -> str:
        """What the kind names: a column or a fault."""
        return self.kind.partition(":")[2]

    @property
    def spoils_table(self) -> bool:
        """Whether the kind changes a table and leaves the rest of the answer alone."""
        return self.word in _TABLE_KINDS

    def fault(self) -> FaultError:
        """Return the fault that the kind names, with the fields of that fault."""
        name = self.name.removesuffix("Fault")
        if name == "OperationsLimitExceeded":
            return FaultError(name, "simulated", limit=2, operationType="QueryStatistics")
        return FaultError(name, "simulated")

    def applies(self, operation: str) -> bool:
        """Tell whether a request of this operation is to fail."""
        if self.spoils_table and operation != "getStatistics":
            return False
        return self.left > 0 and self.operation in (None, operation)


class Reset(Response):
    """A connection that breaks after the head of the answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - as Starlette calls it
        """Send the head, then break off: with or without a socket httpx sees a disconnect."""
        head = [(b"content-type", b"text/xml;charset=UTF-8"), (b"content-length", b"4096")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        raise httpx.RemoteProtocolError("peer closed connection without sending complete body")


def page(status: int, title: str, headers: dict[str, str] | None = None) -> HTMLResponse:
    """Return a page as the platform's servlet container draws it, never SOAP."""
    html = (
        "<html><head><title>JBoss Web/7.5.3.Final - Error report</title></head><body>"
        f"<h1>HTTP Status {status} - {title}</h1><hr><p><b>type</b> Status report</p>"
        f"<p><b>message</b> <u>{title}</u></p><hr><h3>JBoss Web/7.5.3.Final</h3></body></html>"
    )
    return HTMLResponse(html, status, headers)


def spoil_table(
    failure: Failure, random: Random, columns: list[str], rows: list[list[str]]
) -> tuple[list[str] | None, list[list[str]]]:
    """Return the table as a failing platform would give it; the originals stay as they are."""
    place = columns.index(failure.name) if failure.name in columns else len(columns)
    spoiled: dict[str, tuple[list[str] | None, list[list[str]]]] = {
        "empty_table": (columns, []),
        "blank_rows": (columns, [[""] * len(row) for row in rows]),
        "no_columns": (None, rows),
        "missing_column": (
            columns[:place] + columns[place + 1 :],
            [row[:place] + row[place + 1 :] for row in rows],
        ),
        "extra_column": ([*columns, failure.name], [[*row, "1"] for row in rows]),
        "wrong_type": (columns, _with_text_for_a_number(rows, random)),
    }
    return spoiled[failure.word]


def _with_text_for_a_number(rows: list[list[str]], random: Random) -> list[list[str]]:
    rows = [list(row) for row in rows]
    numeric = [(row, i) for row in rows for i, cell in enumerate(row) if i and cell.isdecimal()]
    if numeric:
        row, place = random.choice(numeric)
        row[place] = "n/a"
    return rows


def spoil_body(failure: Failure | None, body: bytes, random: Random) -> bytes:
    """Return the bytes of an answer as they arrive."""
    if failure is None:
        return body
    if failure.word == "cut" and len(body) > _MINIMAL_BODY:
        return body[: random.randrange(len(body) // 3, 2 * len(body) // 3)]
    if failure.word == "doctype":
        entity = b'<!DOCTYPE bomb [<!ENTITY bomb "many times the same">]>'
        return entity + body.replace(b"<data>", b"<data>&bomb;", 1)
    return body
