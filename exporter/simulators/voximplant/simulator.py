"""A Voximplant account that answers as the Management API does, and refuses what it refuses.

This is the door: HTTP, the method's name, the token, roles and limits, and misbehaviour on request.
The methods are listed in ``methods.py``, the switches are the fields of
``account.Account``.
"""

from collections import Counter
from dataclasses import dataclass, field
from email.utils import formatdate
from random import Random
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from exporter.simulators.floor.floor import Floor
from exporter.simulators.voximplant.account import Account, authenticate
from exporter.simulators.voximplant.call import Call, renamed
from exporter.simulators.voximplant.failures import JSON, Failure, Reset, page
from exporter.simulators.voximplant.methods import METHODS, Method
from exporter.simulators.voximplant.protocol import (
    AUTH_CODES,
    Parameters,
    RefusalError,
    merge,
    read_body,
)
from exporter.simulators.voximplant.statistics import Stay, stays

_PATH = "/platform_api"
_IDS = ("user_id", "acd_queue_id", "sq_queue_id", "application_id", "list_id")
_IN_STATISTICS = ("GetACDOperatorStatusStatistics", "GetACDOperatorStatistics")


@dataclass
class Record:
    """One request as the simulator saw it; times are the clock's."""

    start: float
    method: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    account_id: int | None = None  # whom the token speaks for
    end: float | None = None
    outcome: str = ""  # ok, a code, a failure's kind, cancelled


@dataclass(eq=False)
class VoximplantSimulator(Account):
    """A simulated account on the wire; ``app`` is the ASGI application."""

    def __post_init__(self) -> None:
        self.log: list[Record] = []
        self.max_in_flight = 0
        self._random = Random(self.seed)
        self._failures: list[Failure] = []
        self._in_flight = 0
        self._served: dict[tuple[int, str, tuple[tuple[str, str], ...]], float] = {}
        verbs = ["GET", "POST"]
        paths = (_PATH, f"{_PATH}/", f"{_PATH}/{{method}}", f"{_PATH}/{{method}}/")
        self.app = Starlette(routes=[Route(path, self._serve, methods=verbs) for path in paths])

    # What a test or a demo may do and ask.

    def fail_next(self, kind: str, n: int = 1, method: str | None = None) -> None:
        """Make the next requests fail, of one method or of any."""
        self._failures.append(Failure(kind, n, method))

    def answer(self, method: str, account_id: int | None = None, **parameters: str) -> Any:
        """Return what a method would answer now to somebody who may call it."""
        account_id = self.account_id if account_id is None else account_id
        floor = self.floor_of(account_id)
        assert floor is not None, "the account or a child of it"
        return self._answer(METHODS[method], method, account_id, floor, parameters)

    def calls(self, method: str) -> int:
        """Return how often a method has been called."""
        return Counter(record.method for record in self.log)[method]

    def status_times(self, username: str) -> dict[str, tuple[int, float]]:
        """Return how often and how many seconds an agent was in each ACD status today."""
        times: dict[str, tuple[int, float]] = {}
        for stay in self.stays(username):
            status = self.acd_statuses[stay.state]
            count, seconds = times.get(status, (0, 0.0))
            times[status] = (count + 1, seconds + stay.end - stay.start)
        return times

    def stays(self, username: str) -> list[Stay]:
        """Return the stays of an agent that the statistics are made of."""
        return stays(self.floor.agents[username], self.floor.now, open_stay=self.open_stay)

    # HTTP.

    async def _serve(self, request: Request) -> Response:
        if self.tick is not None:
            self.tick()
        record = Record(self.clock.time())
        self.log.append(record)
        self._in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self._in_flight)
        try:
            response = await self._respond(request, record)
        except RefusalError as refusal:
            record.outcome = record.outcome or str(refusal.code)
            response = self._refused(refusal)
        finally:
            self._in_flight -= 1
            record.outcome = record.outcome or "cancelled"
            record.end = self.clock.time()
        if self.date_header:
            response.headers["date"] = formatdate(self._now(), usegmt=True)
        return response

    def _now(self) -> float:
        """Return what the platform's own clock says."""
        return self.clock.time() + self.clock_ahead

    def _refused(self, refusal: RefusalError) -> Response:
        if refusal.code == 340 and self.throttle == "429":  # noqa: PLR2004 - the rate limit's code
            return page(429)
        status = self.auth_status if refusal.code in AUTH_CODES else 200
        return JSONResponse(refusal.body(), status)

    async def _respond(self, request: Request, record: Record) -> Response:
        """Let a request pass the door, and answer it."""
        body = read_body(request.headers.get("content-type", ""), await request.body())
        values = merge([*request.query_params.multi_items(), *body])
        record.method = request.path_params.get("method") or values.get("cmd", "")
        record.parameters = {name: text for name, text in values.items() if name != "cmd"}
        failure = self._take_failure(record.method)
        if failure is not None:
            record.outcome = failure.kind
            if instead := await self._instead(failure, request):
                return instead
        if self.latency:
            await self.clock.sleep(self.latency)
        method, floor = self._admit(request, record)
        assert record.account_id is not None, "who is let in has an account"
        answer = self._answer(method, record.method, record.account_id, floor, record.parameters)
        record.outcome = record.outcome or "ok"
        response = answer if isinstance(answer, Response) else JSONResponse(answer)
        if failure is None:
            return response
        whole = bytes(response.body)
        half = self._random.randrange(len(whole) // 3, 2 * len(whole) // 3)
        return Response(whole[:half], media_type=response.media_type)

    def _admit(self, request: Request, record: Record) -> tuple[Method, Floor]:
        """Return the method that may be called, and the floor of the account that calls it."""
        if not record.method:
            raise RefusalError(102)
        method = METHODS.get(record.method)
        if method is None:
            raise RefusalError(103)
        header = request.headers.get("authorization")
        account_id = authenticate(header, self.key, self._now())
        floor = self.floor_of(account_id)
        if floor is None or record.parameters.get("account_id", str(account_id)) != str(account_id):
            raise RefusalError(100)
        record.account_id = account_id
        if not method.permits(self.roles, self.unpublished_roles):
            raise RefusalError(self.role_code)
        self._refuse_resend(record)
        return method, floor

    def _refuse_resend(self, record: Record) -> None:
        """Refuse a request that is identical to a recent one."""
        now = self.clock.time()
        identity = (record.account_id or 0, record.method, tuple(sorted(record.parameters.items())))
        lately = {
            which: then for which, then in self._served.items() if now - then < self.resend_seconds
        }
        self._served = {**lately, identity: now}
        if identity in lately:
            raise RefusalError(484)

    def _answer(
        self, method: Method, name: str, account_id: int, floor: Floor, values: dict[str, str]
    ) -> Any:
        parameters = Parameters(values)
        method.check(parameters)
        answer = method.answer(Call(self, account_id, floor, parameters))
        if self.ids == "str" or (self.ids == "str_in_statistics" and name in _IN_STATISTICS):
            return renamed(answer, _IDS)
        return answer

    # Misbehaviour.

    def _take_failure(self, method: str) -> Failure | None:
        for failure in self._failures:
            if failure.applies(method):
                failure.left -= 1
                return failure
        return None

    async def _instead(self, failure: Failure, request: Request) -> Response | None:
        """Return what is sent in place of an answer, for the kinds that have none."""
        if failure.kind.startswith("code:"):
            raise RefusalError(failure.number)
        if failure.kind.startswith("html"):
            return page(failure.number)
        match failure.kind:
            case "garbage":
                return Response(b"\x00\xffnot JSON at all", media_type=JSON)
            case "reset":
                return Reset()
            case "hang":
                await self._hang(request)
                return page(504)
        return None

    async def _hang(self, request: Request) -> None:
        """Wait for longer than any client does, or until it has gone."""
        until = self.clock.monotonic() + self.hang_seconds
        while self.clock.monotonic() < until and not await request.is_disconnected():
            await self.clock.sleep(1.0)
