"""A Five9 domain that answers as the platform does, and refuses what the platform refuses.

This is the door: HTTP, credentials, one request at a time for each user, and misbehaviour on
request. The service behind it is in ``service.py``, the tables in
``tables.py``, and the switches are the fields of ``domain.Domain``.
"""

import base64
import binascii
from collections import Counter
from dataclasses import dataclass
from email.utils import formatdate
from functools import partial
from pathlib import Path
from random import Random

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from exporter.simulators.five9.domain import Domain
from exporter.simulators.five9.failures import Failure, Reset, page, spoil_body, spoil_table
from exporter.simulators.five9.service import Service
from exporter.simulators.five9.wire import FaultError, description, operation_of, read, wrapper

_WSDL = Path(__file__).parents[2] / "providers" / "five9" / "statistics.wsdl"
_XML = "text/xml;charset=UTF-8"
_PATHS = (
    "/wssupervisor/{version}/SupervisorWebService",
    "/wssupervisor/SupervisorWebService",
)


@dataclass
class Record:
    """One request as the simulator saw it; times are the clock's."""

    user: str
    start: float
    operation: str = ""
    statistic_type: str = ""
    end: float | None = None
    outcome: str = ""  # ok, nothing, cancelled, an HTTP status, a fault, a failure's kind


@dataclass(eq=False)
class Five9Simulator(Domain):
    """A simulated domain on the wire; ``app`` is the ASGI application."""

    def __post_init__(self) -> None:
        self.log: list[Record] = []
        self.overlaps: list[Record] = []
        self.max_in_flight = 0
        self._service = Service(self)
        self._random = Random(self.seed)
        self._failures: list[Failure] = []
        self._in_flight: Counter[str] = Counter()
        post = [Route(path, self._post, methods=["POST"]) for path in _PATHS]
        get = [Route(path, self._get, methods=["GET"]) for path in _PATHS]
        self.app = Starlette(routes=[*post, *get])

    # What a test or a demo may do and ask. A user is the first one where none is named.

    def fail_next(self, kind: str, n: int = 1, operation: str | None = None) -> None:
        """Make the next requests fail, of one operation or of any."""
        self._failures.append(Failure(kind, n, operation))

    def expire_session(self, user: str | None = None) -> None:
        """End the session as an idle one ends."""
        self._service.end_session(user or self.username)

    def log_in_elsewhere(self, user: str | None = None) -> None:
        """Let a person sign in with the user: the session here ends."""
        self._service.log_in_elsewhere(user or self.username)

    def log_out_elsewhere(self, user: str | None = None) -> None:
        """Let that person leave."""
        self._service.log_out_elsewhere(user or self.username)

    def forget_timestamps(self, user: str | None = None) -> None:
        """Make every timestamp handed out so far unknown."""
        self._service.forget_timestamps(user or self.username)

    def used(self, operation_type: str, window: int, user: str | None = None) -> int:
        """Return how many requests the current window (60, 3600 or 86400 s) has seen."""
        return self._service.counters(user or self.username).used(operation_type, window)

    def rows(
        self, statistic_type: str, user: str | None = None
    ) -> tuple[list[str], list[list[str]]]:
        """Return columns and rows as a full read would give them now."""
        table = self._service.table(statistic_type, user or self.username)
        return table.columns, list(table.rows.values())

    # HTTP.

    async def _get(self, request: Request) -> Response:
        """Serve the service description, which needs the user in the query and no password."""
        if not self._is_served(request) or "wsdl" not in request.query_params:
            return page(404, "Not Found")
        if not request.query_params.get("user"):
            return page(400, "Bad Request")
        wsdl = _WSDL.read_text(encoding="utf-8")
        address = str(request.url.replace(query=""))
        return Response(description(wsdl, address), media_type=_XML)

    def _is_served(self, request: Request) -> bool:
        version: str = request.path_params.get("version", self.version)
        return version == self.version

    async def _post(self, request: Request) -> Response:
        if self.tick is not None:
            self.tick()
        response = await self._answer(request)
        if self.date_header:
            now = self.clock.time() + self.clock_ahead
            response.headers["date"] = formatdate(now, usegmt=True)
        return response

    async def _answer(self, request: Request) -> Response:
        user, authentic = self._user(request)
        record = Record(user, self.clock.time())
        self.log.append(record)
        try:
            refusal = self._refusal(request, authentic=authentic)
            if refusal is not None:
                record.outcome = str(refusal.status_code)
                return refusal
            return await self._enter(request, record)
        except FaultError as fault:
            record.outcome = fault.name or "Client"
            return Response(self._service.writer.fault(fault), 500, media_type=_XML)
        finally:
            record.outcome = record.outcome or "cancelled"
            record.end = self.clock.time()

    def _user(self, request: Request) -> tuple[str, bool]:
        """Return who asks, and whether the password is right."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        try:
            text = base64.b64decode(token, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            text = ""
        user, _, password = text.partition(":")
        users = {**self.other_users, self.username: self.password}
        return user, scheme.lower() == "basic" and users.get(user) == password

    def _refusal(self, request: Request, *, authentic: bool) -> Response | None:
        """Return what answers a request that never reaches the service."""
        if not self._is_served(request):
            return page(404, "Not Found")
        if not authentic:
            return page(401, "Unauthorized", {"WWW-Authenticate": 'Basic realm="Five9"'})
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != "text/xml":
            return page(415, "Unsupported Media Type")
        return None

    async def _enter(self, request: Request, record: Record) -> Response:
        """Serve one request of a user while no other of the same user is being served."""
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
            raise FaultError(self.overlap_fault, "another request of this user is in progress")
        failure = self._take_failure(record.operation)
        if failure is not None:
            record.outcome = failure.kind
            if instead := await self._instead(failure, request):
                return instead
        call = read(element, lax=self.lax)
        spoil = None
        if failure is not None and failure.spoils_table:
            spoil = partial(spoil_table, failure, self._random)
        returns = await self._service.operate(record.user, call, spoil)
        body = self._service.writer.answer(call.operation, returns)
        silent = call.operation == "getStatisticsUpdate" and not returns
        record.outcome = record.outcome or ("nothing" if silent else "ok")
        return Response(spoil_body(failure, body, self._random), media_type=_XML)

    # Misbehaviour.

    def _take_failure(self, operation: str) -> Failure | None:
        for failure in self._failures:
            if failure.applies(operation):
                failure.left -= 1
                return failure
        return None

    async def _instead(self, failure: Failure, request: Request) -> Response | None:
        """Return what is sent in place of an answer, for the kinds that have none."""
        match failure.word:
            case "fault":
                raise failure.fault()
            case "html502":
                return page(502, "Bad Gateway")
            case "html503":
                return page(503, "Service Temporarily Unavailable")
            case "garbage":
                return Response(b"\x00\xffnot XML at all", media_type=_XML)
            case "reset":
                return Reset()
            case "hang":
                await self._hang(request)
                return page(504, "Gateway Timeout")
        return None

    async def _hang(self, request: Request) -> None:
        """Wait for longer than any client does, or until it has gone."""
        until = self.clock.monotonic() + self.hang_seconds
        while self.clock.monotonic() < until and not await request.is_disconnected():
            await self.clock.sleep(1.0)
