"""Simulated Five9 domain over HTTP: credentials, requests, and failures on request.

The service is in ``service.py``, its tables in ``tables.py``; the switches are the fields of
``domain.Domain``.
"""

import base64
import binascii
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import ClassVar

from lxml import etree
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from exporter.simulators.door import Failure
from exporter.simulators.five9.domain import Domain, Record
from exporter.simulators.five9.service import Service
from exporter.simulators.five9.wire import FaultError, description, operation_of, read, wrapper

_WSDL = Path(__file__).parents[2] / "providers" / "five9" / "statistics.wsdl"
_XML = "text/xml;charset=UTF-8"
_PATHS = (
    "/wssupervisor/{version}/SupervisorWebService",
    "/wssupervisor/SupervisorWebService",
)
# Kinds of failure that change the table of one getStatistics.
_TABLE_KINDS = (
    r"empty_table|wrong_type|no_columns|missing_column:.+|extra_column:.+"
    r"|(?:blank|short|long)_rows?|row_twice"
)
# The first row, or all rows, of an answer as a failing platform sends them.
_MISSHAPEN: Mapping[str, Callable[[list[str]], list[str]]] = {
    "blank": lambda row: [""] * len(row),
    "short": lambda row: row[:1] + row[2:],
    "long": lambda row: [*row, "1"],
}


@dataclass(eq=False)
class Five9Simulator(Domain):
    """A simulated domain; ``app`` is the ASGI application.

    Own kinds of failure: ``fault:<name>``, ``doctype`` (an answer with a document type), kinds that
    change the table of one getStatistics, and ``lacking_object`` and ``lacking_column``: the first
    change of one getStatisticsUpdate lacks it (with an ``s`` at the end all changes do).
    """

    own_kinds: ClassVar[Mapping[str, str]] = {
        r"fault:\w+": "*",
        "doctype": "*",
        _TABLE_KINDS: "getStatistics",
        r"lacking_(?:object|column)s?": "getStatisticsUpdate",
    }
    media_type: ClassVar[str] = _XML

    def __post_init__(self) -> None:
        super().__post_init__()
        self.overlaps: list[Record] = []
        self.max_in_flight = 0
        self._service = Service(self)
        self._in_flight: Counter[str] = Counter()
        post = [Route(path, self._post, methods=["POST"]) for path in _PATHS]
        get = [Route(path, self._get, methods=["GET"]) for path in _PATHS]
        self.app = Starlette(routes=[*post, *get])

    # For tests and the demo. The default user is ``username``.

    def expire_session(self, user: str | None = None) -> None:
        """End the session as if it had been idle."""
        self._service.end_session(user or self.username)

    def log_in_elsewhere(self, user: str | None = None) -> None:
        """Sign the user in elsewhere, which ends the session."""
        self._service.log_in_elsewhere(user or self.username)

    def log_out_elsewhere(self, user: str | None = None) -> None:
        """Sign the user out elsewhere."""
        self._service.log_out_elsewhere(user or self.username)

    def forget_timestamps(self, user: str | None = None) -> None:
        """Make every timestamp sent so far unknown."""
        self._service.forget_timestamps(user or self.username)

    def used(self, operation_type: str, window: int, user: str | None = None) -> int:
        """Return the number of requests in the current window (60, 3600 or 86400 s)."""
        return self._service.counters(user or self.username).used(operation_type, window)

    def rows(
        self, statistic_type: str, user: str | None = None
    ) -> tuple[list[str], list[list[str]]]:
        """Return columns and rows as a full read would return them now."""
        table = self._service.table(statistic_type, user or self.username)
        return table.columns, list(table.rows.values())

    # HTTP.

    async def _get(self, request: Request) -> Response:
        """Serve the service description: the query names a user, no password is needed."""
        if not self._is_served(request) or "wsdl" not in request.query_params:
            return _page(404, "Not Found")
        if not request.query_params.get("user"):
            return _page(400, "Bad Request")
        wsdl = _WSDL.read_text(encoding="utf-8")
        address = str(request.url.replace(query=""))
        return Response(description(wsdl, address), media_type=_XML)

    def _is_served(self, request: Request) -> bool:
        version: str = request.path_params.get("version", self.version)
        return version == self.version

    async def _post(self, request: Request) -> Response:
        user, authentic = self._user(request)
        record = Record(self.clock.time(), user=user)
        return await self.serve(
            request, record, lambda: self._answer(request, record, authentic=authentic)
        )

    async def _answer(self, request: Request, record: Record, *, authentic: bool) -> Response:
        try:
            refusal = self._refusal(request, authentic=authentic)
            return refusal or await self._enter(request, record)
        except FaultError as fault:
            record.outcome = fault.name or "Client"
            return Response(self._service.writer.fault(fault), 500, media_type=_XML)

    def _user(self, request: Request) -> tuple[str, bool]:
        """Return the user of a request, and whether the password is correct."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        try:
            text = base64.b64decode(token, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            text = ""
        user, _, password = text.partition(":")
        users = {**self.other_users, self.username: self.password}
        return user, scheme.lower() == "basic" and users.get(user) == password

    def _refusal(self, request: Request, *, authentic: bool) -> Response | None:
        """Return the answer to a request that does not reach the service."""
        if not self._is_served(request):
            return _page(404, "Not Found")
        if not authentic:
            return _page(401, "Unauthorized", {"WWW-Authenticate": 'Basic realm="Five9"'})
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != "text/xml":
            return _page(415, "Unsupported Media Type")
        return None

    async def _enter(self, request: Request, record: Record) -> Response:
        """Serve a request; requests of one user that overlap are refused and noted."""
        self._in_flight[record.user] += 1
        self.max_in_flight = max(self.max_in_flight, self._in_flight[record.user])
        overlapping = self._in_flight[record.user] > 1
        if overlapping:
            self.overlaps.append(record)
        try:
            return await self._serve(request, record, overlapping=overlapping)
        finally:
            self._in_flight[record.user] -= 1

    async def _serve(self, request: Request, record: Record, *, overlapping: bool) -> Response:
        if request.headers.get("soapaction") not in ("", '""'):
            raise FaultError(None, "the SOAPAction header must be there and empty")
        element = wrapper(await request.body())
        record.operation = operation_of(element)
        record.statistic_type = element.findtext("statisticType") or ""
        if overlapping:
            raise FaultError("UserAlreadyLoggedIn", "another request of this user is in progress")
        answer = partial(self._operate, element, record)
        return await self.answer_or_fail(request, record, record.operation, answer)

    async def _operate(
        self, element: etree._Element, record: Record, failure: Failure | None
    ) -> Response:
        """Execute an operation; a failure may change its table or its bytes."""
        call = read(element)
        change = None if failure is None else partial(_changed_table, failure, self.random)
        returns = await self._service.operate(record.user, call, change)
        body = self._service.writer.answer(call.operation, returns)
        if call.operation == "getStatisticsUpdate" and not returns:
            record.outcome = record.outcome or "nothing"
        if failure is not None and failure.word == "doctype":
            entity = b'<!DOCTYPE bomb [<!ENTITY bomb "many times the same">]>'
            body = entity + body.replace(b"<data>", b"<data>&bomb;", 1)
        if failure is not None and failure.word.startswith("lacking_"):
            part = failure.word.removeprefix("lacking_")
            name = f"{part.removesuffix('s')}Name".encode()
            count = 0 if part.endswith("s") else 1
            body = re.sub(b"<%b>[^<]*</%b>" % (name, name), b"", body, count=count)
        return Response(body, media_type=_XML)

    async def failed(self, failure: Failure, request: Request) -> Response | None:
        """Return what is sent in place of an answer, among them the fault that a kind names."""
        if failure.word == "fault":
            name = failure.detail.removesuffix("Fault")
            if name == "OperationsLimitExceeded":
                raise FaultError(name, "simulated", limit=2, operationType="QueryStatistics")
            raise FaultError(name, "simulated")
        return await super().failed(failure, request)


def _page(status: int, title: str, headers: dict[str, str] | None = None) -> HTMLResponse:
    """Return an error page of the platform's servlet container, never SOAP."""
    html = (
        "<html><head><title>JBoss Web/7.5.3.Final - Error report</title></head><body>"
        f"<h1>HTTP Status {status} - {title}</h1><hr><p><b>type</b> Status report</p>"
        f"<p><b>message</b> <u>{title}</u></p><hr><h3>JBoss Web/7.5.3.Final</h3></body></html>"
    )
    return HTMLResponse(html, status, headers)


def _changed_table(
    failure: Failure, random: Random, columns: list[str], rows: list[list[str]]
) -> tuple[list[str] | None, list[list[str]]]:
    """Return a table as a failing platform sends it; the original stays as it is."""
    names: list[str] | None = columns
    match failure.word:
        case "empty_table":
            rows = []
        case "no_columns":
            names = None
        case "missing_column" if failure.detail in columns:
            i = columns.index(failure.detail)
            names, rows = columns[:i] + columns[i + 1 :], [row[:i] + row[i + 1 :] for row in rows]
        case "extra_column":
            names, rows = [*columns, failure.detail], [[*row, "1"] for row in rows]
        case "row_twice":
            rows = [*rows, *rows[:1]]
        case "wrong_type":
            rows = _with_text_for_a_number(rows, random)
        case word if word.startswith(tuple(_MISSHAPEN)):
            shape, _, number = word.partition("_")
            count = len(rows) if number == "rows" else 1
            rows = [*map(_MISSHAPEN[shape], rows[:count]), *rows[count:]]
    return names, rows


def _with_text_for_a_number(rows: list[list[str]], random: Random) -> list[list[str]]:
    rows = [list(row) for row in rows]
    numbers = [(row, i) for row in rows for i, cell in enumerate(row) if i and cell.isdecimal()]
    if numbers:
        row, i = random.choice(numbers)
        row[i] = "n/a"
    return rows
