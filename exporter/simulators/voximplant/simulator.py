"""Simulated Voximplant account over HTTP: method names, tokens, roles, failures on request.

The methods are listed in ``methods.py``, the switches are the fields of ``account.Account``.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from exporter.simulators.door import Failure, gateway_page
from exporter.simulators.floor.floor import Floor
from exporter.simulators.voximplant.account import Account, Record, authenticate
from exporter.simulators.voximplant.call import Call, ids_as_text
from exporter.simulators.voximplant.methods import METHODS, Method
from exporter.simulators.voximplant.protocol import (
    AUTH_CODES,
    RATE_LIMIT,
    Parameters,
    RefusalError,
    merge,
    read_body,
)
from exporter.simulators.voximplant.statistics import Stay, stays

_PATH = "/platform_api"
_IDS = ("user_id", "acd_queue_id", "sq_queue_id", "application_id", "list_id")
_IN_STATISTICS = ("GetACDOperatorStatusStatistics", "GetACDOperatorStatistics")


@dataclass(eq=False)
class VoximplantSimulator(Account):
    """A simulated account; ``app`` is the ASGI application.

    Own kind of failure: ``code:<number>``, an error of the API. Targets are methods.
    """

    own_kinds: ClassVar[Mapping[str, str]] = {r"code:\d+": "*"}

    def __post_init__(self) -> None:
        super().__post_init__()
        self.max_in_flight = 0
        self._in_flight = 0
        self._served: dict[tuple[int, str, tuple[tuple[str, str], ...]], float] = {}
        verbs = ["GET", "POST"]
        paths = (_PATH, f"{_PATH}/", f"{_PATH}/{{method}}", f"{_PATH}/{{method}}/")
        self.app = Starlette(routes=[Route(path, self._enter, methods=verbs) for path in paths])

    # For tests and the demo.

    def answer(self, method: str, account_id: int | None = None, **parameters: str) -> Any:
        """Return the answer of a method now, whatever the roles of the key."""
        account_id = self.account_id if account_id is None else account_id
        floor = self.floor_of(account_id)
        assert floor is not None, "the account or a child of it"
        return self._answer(METHODS[method], method, account_id, floor, parameters)

    def calls(self, method: str) -> int:
        """Return how often a method has been called."""
        return Counter(record.method for record in self.log)[method]

    def status_times(self, username: str) -> dict[str, tuple[int, float]]:
        """Return the intervals and the seconds of an agent today, by ACD status."""
        times: dict[str, tuple[int, float]] = {}
        for stay in self.stays(username):
            status = self.acd_statuses[stay.state]
            count, seconds = times.get(status, (0, 0.0))
            times[status] = (count + 1, seconds + stay.end - stay.start)
        return times

    def stays(self, username: str) -> list[Stay]:
        """Return the stays from which the statistics of an agent are computed."""
        return stays(self.floor.agents[username], self.floor.now, open_stay=self.open_stay)

    # HTTP.

    async def _enter(self, request: Request) -> Response:
        record = Record(self.clock.time())
        return await self.serve(request, record, lambda: self._respond(request, record))

    async def _respond(self, request: Request, record: Record) -> Response:
        """Answer a request, with an error of the API where it is refused."""
        self._in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self._in_flight)

        async def answer(_: Failure | None) -> Response:
            return await self._call(request, record)

        try:
            body = read_body(request.headers.get("content-type", ""), await request.body())
            values = merge([*request.query_params.multi_items(), *body])
            record.method = request.path_params.get("method") or values.get("cmd", "")
            record.parameters = {name: text for name, text in values.items() if name != "cmd"}
            return await self.answer_or_fail(request, record, record.method, answer)
        except RefusalError as refusal:
            record.outcome = record.outcome or str(refusal.code)
            return self._refused(refusal)
        finally:
            self._in_flight -= 1

    def _refused(self, refusal: RefusalError) -> Response:
        if refusal.code == RATE_LIMIT and self.throttle == "429":
            return gateway_page(429)
        status = self.auth_status if refusal.code in AUTH_CODES else 200
        return JSONResponse(refusal.body(), status)

    async def failed(self, failure: Failure, request: Request) -> Response | None:
        """Return what is sent in place of an answer; raise the error that is requested."""
        if failure.word == "code":
            raise RefusalError(int(failure.detail))
        return await super().failed(failure, request)

    async def _call(self, request: Request, record: Record) -> Response:
        if self.latency:
            await self.clock.sleep(self.latency)
        method, floor = self._admit(request, record)
        assert record.account_id is not None, "an admitted request has an account"
        answer = self._answer(method, record.method, record.account_id, floor, record.parameters)
        return answer if isinstance(answer, Response) else JSONResponse(answer)

    def _admit(self, request: Request, record: Record) -> tuple[Method, Floor]:
        """Return the method called and the floor of the account; raise ``RefusalError``."""
        if not record.method:
            raise RefusalError(102)
        method = METHODS.get(record.method)
        if method is None:
            raise RefusalError(103)
        header = request.headers.get("authorization")
        account_id = authenticate(header, self.key, self.platform_time())
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
            return ids_as_text(answer, _IDS)
        return answer
