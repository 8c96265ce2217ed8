"""Simulated Bright Pattern tenant over HTTP: routes, authentication, failures on request.

``sessions.py`` holds tokens and subscriptions, ``request.py`` parses the body of a subscription,
``data.py`` answers it, ``listings.py`` lists services, teams, dispositions and campaigns. The
switches are the fields of ``tenant.Tenant``.
"""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Any, ClassVar, NamedTuple
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from exporter.simulators.brightpattern import data, listings
from exporter.simulators.brightpattern.day import Days
from exporter.simulators.brightpattern.figures import View, names
from exporter.simulators.brightpattern.request import (
    LICENCE_EXCEEDED,
    Column,
    Grid,
    RefusedError,
    read,
)
from exporter.simulators.brightpattern.sessions import Caller, Sessions, Subscriptions
from exporter.simulators.brightpattern.tenant import Record, Tenant
from exporter.simulators.door import Failure
from exporter.simulators.floor.figures import Agent, Campaign, Queue

_FORM, _JSON = "application/x-www-form-urlencoded", "application/json"
_NODES = 2  # behind the load balancer
_DATA = "/statsapi/subscription/data"
_LISTS = "/configapi/v3"

Serve = Callable[[Request], Awaitable[Response]]
ServeCaller = Callable[[Request, Caller], Awaitable[Response]]


class Truth(NamedTuple):
    """Every statistic at one moment as the platform writes it; rows by service and login."""

    totals: dict[str, str]
    services: dict[str, dict[str, str]]
    agents: dict[str, dict[str, str]]


class BrightPatternSimulator(Tenant):
    """A simulated tenant; ``app`` is the ASGI application.

    Own kinds of failure: an HTTP status with an empty body, with the seconds of "Retry-After"
    after a colon if need be ("429:30"), and kinds that change the data of a subscription.
    """

    own_kinds: ClassVar[Mapping[str, str]] = {
        r"[2-5]\d\d(:\d+)?": "*",
        r"null_cells|bare_numbers|wrong_type|no_rows|no_data": _DATA,
        r"(missing|extra)_column:.+": _DATA,
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        self._days = Days(self)
        self._sessions = Sessions(self, self.random)
        self._subscriptions = Subscriptions(self)
        self._next_node = 0
        self.app = Starlette(routes=self._routes())

    # For tests and the demo. The default user is ``username``.

    def expire_tokens(self, user: str | None = None) -> None:
        """End the user's tokens and session; the subscription stays."""
        self._sessions.expire(user or self.username)

    def take_over(self, user: str | None = None) -> None:
        """Open a wallboard with the user elsewhere, which takes session and subscription."""
        block = {"stats_totals": ["in_calls_waiting"]}
        self._sessions.log_out(user or self.username)
        self._subscriptions.take_over(user or self.username, read({"wallboard": block}, self))

    def correct(self, statistic: str, name: str, by: float = -1) -> None:
        """Correct a day figure of a service or a login; holds until the next reset."""
        floor = self.floor
        subject: Agent | Queue | Campaign | None = (
            floor.queues.get(name) or floor.agents.get(name) or floor.campaigns.get(name)
        )
        if subject is None:
            raise ValueError(f"there is no service and no agent {name!r}")
        self._days.correct(subject, statistic, by)

    @property
    def active_subscriptions(self) -> int:
        """Number of licences in use."""
        return self._subscriptions.count

    @property
    def wrong_secrets(self) -> int:
        """Number of consecutive wrong secrets, over all users."""
        return self._sessions.wrong_secrets

    def subscribed(self, user: str | None = None) -> Any:
        """Return the body of the user's active subscription, or None."""
        return self._subscriptions.body(user or self.username)

    def truth(self) -> Truth:
        """Return every statistic of everything that the user may see."""
        view = View(self, self._days)
        totals = data.totals(view, sorted(names(self, "totals")))
        services = data.services(_full_grid("service", names(self, "service")), view)
        agents = data.agents(_full_grid("agent", names(self, "agent")), view)
        return Truth(
            _texts(totals),
            {str(row["name"]): _texts(row) for row in services},
            {str(row["login_id"]): _texts(row) for row in agents},
        )

    def completed_records(self, campaign: str) -> int:
        """Return the number of completed records of a campaign."""
        return listings.completed_count(self.floor.campaigns[campaign])

    # HTTP.

    def _routes(self) -> list[Route]:
        public: list[tuple[str, str, Serve]] = [
            ("POST", "/configapi/v2/oauth/token", self._token),
            ("POST", f"{_LISTS}/oauth/token", self._token),
            ("POST", "/statsapi/auth", self._log_in),
        ]
        guarded: list[tuple[str, str, ServeCaller]] = [
            ("DELETE", "/statsapi/auth", self._log_out),
            ("POST", "/statsapi/subscription", self._subscribe),
            ("GET", _DATA, self._data),
            ("DELETE", "/statsapi/subscription/active", self._unsubscribe),
            ("GET", "/statsapi/cfg/{what}", self._configured),
            ("GET", f"{_LISTS}/campaign/getAll", self._campaigns),
            ("GET", f"{_LISTS}/campaign/getCampaign/{{id}}", self._campaign),
            ("POST", f"{_LISTS}/campaign/getAllRecords/{{id}}", self._records),
        ]
        routes: list[tuple[str, str, Serve]] = [
            *public,
            *((m, path, partial(self._guard, serve)) for m, path, serve in guarded),
        ]
        return [
            Route(path, partial(self._enter, serve), methods=[method])
            for method, path, serve in routes
        ]

    async def _enter(self, serve: Serve, request: Request) -> Response:
        path = request.url.path
        record = Record(self.clock.time(), method=request.method, path=path)
        node = self._node(request)
        request.state.record, request.state.node = record, node

        async def answer(failure: Failure | None) -> Response:
            request.state.failure = failure
            response = await serve(request)
            changes_data = failure is not None and failure.limited_to == _DATA
            if failure is not None and changes_data and response.status_code != HTTPStatus.OK:
                failure.left += 1  # there was nothing to change yet
            return response

        response = await self.serve(
            request, record, lambda: self.answer_or_fail(request, record, path, answer)
        )
        response.headers["Cache-Control"] = "no-store"
        if self.balancer:
            cookie = f"{node}{self.random.getrandbits(64):016x}"
            response.headers.append("Set-Cookie", f"AWSALB={cookie}; Path=/")
            response.headers.append(
                "Set-Cookie", f"AWSALBCORS={cookie}; Path=/; SameSite=None; Secure"
            )
        return response

    def _node(self, request: Request) -> int:
        """Return the node that the cookie names, or the next one in turn."""
        cookie = request.cookies.get("AWSALB", "")
        if cookie[:1].isdecimal():
            return int(cookie[0])
        self._next_node = (self._next_node + 1) % _NODES
        return self._next_node

    async def failed(self, failure: Failure, request: Request) -> Response | None:
        """Return what is sent in place of an answer, among them a bare status."""
        if failure.word.isdecimal():
            headers = {"Retry-After": failure.detail} if failure.detail else None
            return Response(status_code=int(failure.word), headers=headers)
        return await super().failed(failure, request)

    async def _guard(self, serve: ServeCaller, request: Request) -> Response:
        """Serve a caller who is signed in and has the privilege."""
        is_list = request.url.path.startswith(_LISTS)
        authorization = request.headers.get("authorization", "")
        api = "v3" if is_list else "statsapi"
        caller = self._sessions.caller(authorization, request.cookies, api)
        if caller is None:
            refusal = _refused(401, "unauthorized", "invalid token")
            return refusal if is_list else Response(status_code=401)
        request.state.record.user = caller.user
        if is_list and not self.may_see_campaigns:
            return _refused(403, "forbidden", "insufficient privileges")
        if not (is_list or self.may_read):
            return Response(status_code=self.refusal_status)
        return await serve(request, caller)

    # Signing in.

    async def _token(self, request: Request) -> Response:
        """Grant a token for a form; JSON, a query or a header is not accepted."""
        if _media_type(request) != _FORM:
            return Response(status_code=415)
        form = dict(parse_qsl((await request.body()).decode(errors="replace")))
        api = "v3" if request.url.path.startswith(_LISTS) else "v2"
        request.state.record.user = form.get("client_id", "")
        token = self._sessions.token(form, api)
        return Response(status_code=401) if token is None else JSONResponse(token)

    async def _log_in(self, request: Request) -> Response:
        if not self.password_login:
            return JSONResponse({"error": "illegal login attempt"}, 403)
        body = await _json(request)
        fields = [
            body.get(name) if isinstance(body, dict) else None
            for name in ("username", "password", "tenant_url")
        ]
        user, password, tenant_url = (str(field) for field in fields)
        session = self._sessions.log_in(user, password, tenant_url)
        if session is None:
            return Response(status_code=401)
        response = JSONResponse(session)
        for name, value in self._sessions.cookies(session["token"]).items():
            response.headers.append("Set-Cookie", f"{name}={value}; Path=/; HttpOnly")
        return response

    async def _log_out(self, _request: Request, caller: Caller) -> Response:
        self._sessions.log_out(caller.user)
        return Response()

    # Subscriptions.

    async def _subscribe(self, request: Request, caller: Caller) -> Response:
        """Make a subscription; the answer is empty and has no content type."""
        if _media_type(request) != _JSON:
            return Response(status_code=415)
        body = await _json(request)
        try:
            blocks = read(body, self)
        except RefusedError as refusal:
            return self._error(400, refusal.code, refusal.message)
        if not self._subscriptions.has_licence(caller):
            message = "limit of active subscriptions exceeded for tenant"
            return self._error(409, LICENCE_EXCEEDED, message)
        self._subscriptions.add(caller, blocks, body, request.state.node)
        return Response()

    def _error(self, status: int, code: int, message: str) -> Response:
        written = code if self.error_codes == "number" else str(code)
        return JSONResponse({"error_code": written, "error_message": message}, status)

    async def _unsubscribe(self, _request: Request, caller: Caller) -> Response:
        removed = self._subscriptions.remove(caller)
        return Response(status_code=200 if removed else self.delete_nothing_status)

    async def _data(self, request: Request, caller: Caller) -> Response:
        subscription = self._subscriptions.find(caller, request.state.node)
        if subscription is None or (subscription.is_elsewhere and self.taken_over == "not_found"):
            return Response(status_code=404)
        if subscription.is_elsewhere and self.taken_over == "unauthorized":
            return Response(status_code=401)
        if subscription.polls_until_ready > 0:
            subscription.polls_until_ready -= 1
            return Response(status_code=204)
        now = self.clock.monotonic()
        if subscription.data is None or now - subscription.made >= self.refresh_seconds:
            view, blocks = View(self, self._days), subscription.blocks.items()
            subscription.data = {name: data.answer(block, view) for name, block in blocks}
            subscription.made = now
        content = subscription.data
        failure: Failure | None = request.state.failure
        if failure is not None:
            content = _changed(failure, content)
        return JSONResponse(content, headers={"Last-Modified": self._last_modified()})

    def _last_modified(self) -> str:
        """Write the time as the platform does: on a twelve-hour clock, without AM or PM."""
        return datetime.fromtimestamp(self.clock.time(), UTC).strftime("%a, %d %b %Y %I:%M:%S GMT")

    # Listings.

    async def _configured(self, request: Request, _caller: Caller) -> Response:
        listing = listings.CONFIGURED.get(request.path_params["what"])
        if listing is None:
            return Response(status_code=404)
        return JSONResponse(listing(View(self, self._days), request.query_params))

    async def _campaigns(self, _request: Request, _caller: Caller) -> Response:
        return JSONResponse(listings.campaigns(View(self, self._days)))

    async def _campaign(self, request: Request, _caller: Caller) -> Response:
        return self._of_campaign(request, listings.settings)

    async def _records(self, request: Request, _caller: Caller) -> Response:
        if _media_type(request) != _JSON:
            return _refused(415, "unsupported_media_type", "JSON is expected")
        body = await _json(request)
        return self._of_campaign(
            request, lambda campaign: listings.records(campaign, body, self.last_cursor)
        )

    def _of_campaign(
        self, request: Request, answer: Callable[[Campaign], dict[str, Any]]
    ) -> Response:
        """Answer about the campaign in the path, or refuse as the vendor's API does."""
        try:
            campaign = listings.find(View(self, self._days), request.path_params["id"])
            return JSONResponse(answer(campaign))
        except listings.CampaignError as error:
            return _refused(error.status, error.error, error.description)


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _json(request: Request) -> Any:
    """Return the body of a request, None where it is not JSON."""
    try:
        return json.loads(await request.body())
    except ValueError:
        return None


def _refused(status: int, error: str, description: str) -> Response:
    return JSONResponse({"error": error, "error_description": description}, status)


def _full_grid(kind: str, statistics: Iterable[str]) -> Grid:
    """Return a grid of every statistic; the id of a column is its name."""
    columns = tuple(Column(name, name, ()) for name in statistics)
    nothing: frozenset[str] = frozenset()
    return Grid(kind, columns, (), None, None, nothing, nothing)


def _texts(row: data.Row) -> dict[str, str]:
    return {name: data.text(value) for name, value in row.items()}


def _changed(failure: Failure, content: dict[str, Any]) -> dict[str, Any]:
    """Return the data of a subscription as a failing platform sends it."""
    if failure.word == "no_data":
        return {}
    return {name: _changed_block(failure, block) for name, block in content.items()}


def _changed_block(failure: Failure, block: dict[str, Any]) -> dict[str, Any]:
    changed = dict(block)
    if "stats_totals" in block:
        changed["stats_totals"] = _changed_row(failure, block["stats_totals"])
    for kind in ("service_grids", "agent_grids"):
        if kind in block:
            changed[kind] = [
                {**grid, "values": _changed_rows(failure, grid["values"])} for grid in block[kind]
            ]
    return changed


def _changed_rows(failure: Failure, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [] if failure.word == "no_rows" else [_changed_row(failure, row) for row in rows]


def _changed_row(failure: Failure, row: dict[str, Any]) -> dict[str, Any]:
    match failure.word:
        case "null_cells":
            return {name: cell or None for name, cell in row.items()}
        case "bare_numbers":
            return {name: _bare(cell) for name, cell in row.items()}
        case "wrong_type":
            return {name: "n/a" if _bare(cell) is not cell else cell for name, cell in row.items()}
        case "missing_column":
            return {name: cell for name, cell in row.items() if name != failure.detail}
        case "extra_column":
            return {**row, failure.detail: "1"}
    return row


def _bare(cell: Any) -> Any:
    """Return a number for a cell that looks like one, be it a name or not."""
    try:
        return float(cell) if "." in cell else int(cell)
    except (TypeError, ValueError):
        return cell
