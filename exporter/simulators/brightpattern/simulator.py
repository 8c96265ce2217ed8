"""A Bright Pattern tenant that answers as the platform does, and refuses what it refuses.

This is the door: HTTP, credentials, the balancer's cookie, and misbehaviour on request. Behind it,
``sessions.py`` knows who is signed in and subscribed, ``request.py`` reads a
subscription and ``data.py`` fills it; ``settings.py`` and
``campaigns.py`` list what is configured. The switches are the fields of
``tenant.Tenant``.
"""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formatdate
from functools import partial
from random import Random
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from exporter.simulators.brightpattern import campaigns as listed
from exporter.simulators.brightpattern import data
from exporter.simulators.brightpattern.day import Days
from exporter.simulators.brightpattern.failures import Failure, instead, spoil, spoil_body
from exporter.simulators.brightpattern.request import (
    LICENCE_EXCEEDED,
    Column,
    Grid,
    RefusedError,
    read,
)
from exporter.simulators.brightpattern.services import View
from exporter.simulators.brightpattern.sessions import Caller, Sessions, Subscriptions
from exporter.simulators.brightpattern.settings import (
    CONFIGURED,
    WALLBOARD,
    WALLBOARD_ID,
    has_ready_agent,
    saved,
)
from exporter.simulators.brightpattern.statistics import names
from exporter.simulators.brightpattern.tenant import Tenant
from exporter.simulators.floor.figures import Agent, Campaign, Queue

_FORM, _JSON = "application/x-www-form-urlencoded", "application/json"
_NODES = 2  # machines behind the balancer

Open = Callable[[Request], Awaitable[Response]]
Guarded = Callable[[Request, Caller], Awaitable[Response]]


@dataclass
class Record:
    """One request as the simulator saw it; times are the clock's."""

    method: str
    path: str
    start: float
    user: str = ""
    end: float | None = None
    status: int | None = None
    failure: str = ""  # the kind of misbehaviour that it met


class Truth(NamedTuple):
    """What the platform would say at this moment, as it writes it; rows by service and login."""

    totals: dict[str, str]
    services: dict[str, dict[str, str]]
    agents: dict[str, dict[str, str]]


@dataclass(eq=False)
class BrightPatternSimulator(Tenant):
    """A simulated tenant on the wire; ``app`` is the ASGI application."""

    def __post_init__(self) -> None:
        random = Random(self.seed)
        self.log: list[Record] = []
        self.messages: list[dict[str, str]] = []  # of the internal chat, the latest first
        self.wallboards: dict[str, Mapping[str, Any]] = {WALLBOARD_ID: WALLBOARD}
        self._random = random
        self._days = Days(self)
        self._sessions = Sessions(self, random)
        self._subscriptions = Subscriptions(self)
        self._failures: list[Failure] = []
        self._next_node = 0
        self.app = Starlette(routes=self._routes())

    # What a test or a demo may do and ask. A user is the first one where none is named.

    def fail_next(self, kind: str, n: int = 1, path: str | None = None) -> None:
        """Make the next requests fail, of one path (wildcards work) or of any.

        The kinds are those of ``failures.Failure``.
        """
        self._failures.append(Failure(kind, n, path))

    def expire_tokens(self, user: str | None = None) -> None:
        """End the user's tokens and session; what was subscribed to stays."""
        self._sessions.expire(user or self.username)

    def take_over(self, user: str | None = None) -> None:
        """Let a person open a wallboard with the user: session and subscription go there."""
        block = {"stats_totals": ["in_calls_waiting"]}
        self._sessions.log_out(user or self.username)
        self._subscriptions.take_over(user or self.username, read({"wallboard": block}, self))

    def correct(self, statistic: str, name: str, by: float = -1) -> None:
        """Change a day figure of a service or a login until the next reset, as corrections do."""
        floor = self.floor
        subject: Agent | Queue | Campaign | None = (
            floor.queues.get(name) or floor.agents.get(name) or floor.campaigns.get(name)
        )
        if subject is None:
            raise ValueError(f"there is no service and no agent {name!r}")
        self._days.correct(subject, statistic, by)

    @property
    def active_subscriptions(self) -> int:
        """How many licences are in use."""
        return self._subscriptions.count

    @property
    def wrong_secrets(self) -> int:
        """How many wrong secrets in a row the platform holds against its users."""
        return self._sessions.wrong_secrets

    def subscribed(self, user: str | None = None) -> Any:
        """Return the body of the user's active subscription, or nothing."""
        return self._subscriptions.body(user or self.username)

    def truth(self) -> Truth:
        """Return every statistic of everything the user sees, whatever was subscribed to."""
        view = self._view()
        totals = data.totals(view, sorted(names(self, "totals")))
        services = data.services(_everything("service", names(self, "service")), view)
        agents = data.agents(_everything("agent", names(self, "agent")), view)
        return Truth(
            _texts(totals),
            {str(row["name"]): _texts(row) for row in services},
            {str(row["login_id"]): _texts(row) for row in agents},
        )

    def completed_records(self, campaign: str) -> int:
        """Return how many records of a campaign are done with."""
        return listed.completed_count(self.floor.campaigns[campaign])

    # HTTP: every request comes through here.

    def _routes(self) -> list[Route]:
        v3 = "/configapi/v3"
        opened: list[tuple[str, str, Open]] = [
            ("POST", "/configapi/v2/oauth/token", self._token),
            ("POST", f"{v3}/oauth/token", self._token),
            ("POST", "/statsapi/auth", self._log_in),
            ("GET", "/statsapi/info/check_available_agents", self._check_available_agents),
        ]
        guarded: list[tuple[str, str, Guarded]] = [
            ("DELETE", "/statsapi/auth", self._log_out),
            ("POST", "/statsapi/subscription", self._subscribe),
            ("GET", "/statsapi/subscription/data", self._data),
            ("DELETE", "/statsapi/subscription/active", self._unsubscribe),
            ("GET", "/statsapi/cfg/wallboards", self._list_wallboards),
            ("GET", "/statsapi/cfg/wallboards/{id}", self._wallboard),
            ("GET", "/statsapi/cfg/{what}", self._configured),
            ("GET", f"{v3}/campaign/getAll", self._campaigns),
            ("GET", f"{v3}/campaign/getStatus/{{id}}", self._campaign_status),
            ("GET", f"{v3}/campaign/getCampaign/{{id}}", self._campaign),
            ("POST", f"{v3}/campaign/getAllRecords/{{id}}", self._all_records),
            ("POST", f"{v3}/campaign/getCompletedRecords/{{id}}", self._completed_records),
        ]
        routes: list[tuple[str, str, Open]] = [
            *opened,
            *((m, path, partial(self._guard, serve)) for m, path, serve in guarded),
        ]
        return [
            Route(path, partial(self._enter, serve), methods=[method])
            for method, path, serve in routes
        ]

    async def _enter(self, serve: Open, request: Request) -> Response:
        if self.tick is not None:
            self.tick()
        record = Record(request.method, request.url.path, self.clock.time())
        request.state.record = record
        request.state.node = self._node(request)
        self.log.append(record)
        try:
            response = await self._answer(serve, request)
            record.status = response.status_code
        finally:
            record.end = self.clock.time()
        response.headers["Cache-Control"] = "no-store"
        if self.date_header:
            now = self.clock.time() + self.clock_ahead
            response.headers["Date"] = formatdate(now, usegmt=True)
        if self.balancer:
            cookie = f"{request.state.node}{self._random.getrandbits(64):016x}"
            response.headers.append("Set-Cookie", f"AWSALB={cookie}; Path=/")
            response.headers.append(
                "Set-Cookie", f"AWSALBCORS={cookie}; Path=/; SameSite=None; Secure"
            )
        return response

    def _node(self, request: Request) -> int:
        """Return which machine is asked: the cookie says so, else the balancer takes turns."""
        cookie = request.cookies.get("AWSALB", "")
        if cookie[:1].isdecimal():
            return int(cookie[0])
        self._next_node = (self._next_node + 1) % _NODES
        return self._next_node

    async def _answer(self, serve: Open, request: Request) -> Response:
        """Serve a request, or fail as the next failure says."""
        path = request.url.path
        failure = next((each for each in self._failures if each.applies(path)), None)
        request.state.failure = failure
        if failure is None:
            return await serve(request)
        request.state.record.failure = failure.kind
        if failure.spoils_data:
            return await serve(request)
        failure.left -= 1
        if failure.word == "hang":
            await self._hang(request)
        return instead(failure) or spoil_body(failure, await serve(request))

    async def _hang(self, request: Request) -> None:
        """Wait for longer than any client does, or until it has gone."""
        until = self.clock.monotonic() + self.hang_seconds
        while self.clock.monotonic() < until and not await request.is_disconnected():
            await self.clock.sleep(1.0)

    async def _guard(self, serve: Guarded, request: Request) -> Response:
        """Serve only who is signed in and may read."""
        listing = request.url.path.startswith("/configapi")
        authorization = request.headers.get("authorization", "")
        api = "v3" if listing else "statsapi"
        caller = self._sessions.who(authorization, request.cookies, api)
        if caller is None:
            invalid = _refused(401, "unauthorized", "invalid token")
            return invalid if listing else Response(status_code=401)
        request.state.record.user = caller.user
        if listing and not self.may_see_campaigns:
            return _refused(403, "forbidden", "insufficient privileges")
        if not (listing or self.may_read):
            return Response(status_code=self.refusal_status)
        return await serve(request, caller)

    # Signing in.

    async def _token(self, request: Request) -> Response:
        """Hand out a token for a form; neither JSON nor the query nor a header will do."""
        if _media_type(request) != _FORM:
            return Response(status_code=415)
        form = dict(parse_qsl((await request.body()).decode(errors="replace")))
        api = "v3" if "/v3/" in request.url.path else "v2"
        request.state.record.user = form.get("client_id", "")
        granted = self._sessions.token(form, api)
        return Response(status_code=401) if granted is None else JSONResponse(granted)

    async def _log_in(self, request: Request) -> Response:
        if not self.password_login:
            return JSONResponse({"error": "illegal login attempt"}, 403)
        body = await _json(request)
        fields = [
            body.get(name) if isinstance(body, dict) else None
            for name in ("username", "password", "tenant_url")
        ]
        user, password, tenant_url = (str(field) for field in fields)
        opened = self._sessions.log_in(user, password, tenant_url)
        if opened is None:
            return Response(status_code=401)
        response = JSONResponse(opened)
        for name, value in self._sessions.cookies(opened["token"]).items():
            response.headers.append("Set-Cookie", f"{name}={value}; Path=/; HttpOnly")
        return response

    async def _log_out(self, _request: Request, caller: Caller) -> Response:
        self._sessions.log_out(caller.user)
        return Response()

    # Subscriptions.

    async def _subscribe(self, request: Request, caller: Caller) -> Response:
        """Make a subscription; success is an empty answer without a content type."""
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
        self._subscriptions.make(caller, blocks, body, request.state.node)
        return Response()

    def _error(self, code: int, error: int, message: str) -> Response:
        number = error if self.error_codes == "number" else str(error)
        return JSONResponse({"error_code": number, "error_message": message}, code)

    async def _unsubscribe(self, _request: Request, caller: Caller) -> Response:
        dropped = self._subscriptions.drop(caller)
        return Response(status_code=200 if dropped else self.delete_nothing_status)

    async def _data(self, request: Request, caller: Caller) -> Response:
        found = self._subscriptions.find(caller, request.state.node)
        if found is None or (found.is_elsewhere and self.taken_over == "not_found"):
            return Response(status_code=404)
        if found.is_elsewhere and self.taken_over == "unauthorized":
            return Response(status_code=401)
        if found.polls_until_ready > 0:
            found.polls_until_ready -= 1
            return Response(status_code=204)
        now = self.clock.monotonic()
        if found.data is None or now - found.made >= self.refresh_seconds:
            view, blocks = self._view(), found.blocks.items()
            found.data = {name: data.answer(block, view, self.messages) for name, block in blocks}
            found.made = now
        content = found.data
        failure: Failure | None = request.state.failure
        if failure is not None and failure.spoils_data:
            failure.left -= 1
            content = spoil(failure, content)
        return JSONResponse(content, headers={"Last-Modified": self._last_modified()})

    def _last_modified(self) -> str:
        """Write the time as the platform does, which takes five in the afternoon for morning."""
        return datetime.fromtimestamp(self.clock.time(), UTC).strftime("%a, %d %b %Y %I:%M:%S GMT")

    def _view(self) -> View:
        return View(self, self._days)

    # What is configured.

    async def _check_available_agents(self, request: Request) -> Response:
        """Tell anybody whether a service has a ready agent."""
        query = request.query_params
        if "service" not in query or (self.tenant_url_required and "tenantUrl" not in query):
            return Response(status_code=400)
        return JSONResponse({"availability": has_ready_agent(self, query["service"])})

    async def _configured(self, request: Request, _caller: Caller) -> Response:
        listing = CONFIGURED.get(request.path_params["what"])
        if listing is None:
            return Response(status_code=404)
        return JSONResponse(listing(self._view(), request.query_params))

    async def _list_wallboards(self, _request: Request, _caller: Caller) -> Response:
        return JSONResponse(saved(self.wallboards))

    async def _wallboard(self, request: Request, _caller: Caller) -> Response:
        key = request.path_params["id"]
        if key not in self.wallboards:
            return Response(status_code=404)
        return JSONResponse({"id": key, "config": self.wallboards[key]})

    # Campaigns.

    async def _campaigns(self, _request: Request, _caller: Caller) -> Response:
        return JSONResponse(listed.campaigns(self._view()))

    async def _campaign_status(self, request: Request, _caller: Caller) -> Response:
        return await self._listing(request, lambda campaign, _view, _body: listed.status(campaign))

    async def _campaign(self, request: Request, _caller: Caller) -> Response:
        include = request.query_params.get("include")
        return await self._listing(
            request, lambda campaign, view, _body: listed.settings(campaign, view, include)
        )

    async def _all_records(self, request: Request, _caller: Caller) -> Response:
        return await self._records(request, completed=False)

    async def _completed_records(self, request: Request, _caller: Caller) -> Response:
        return await self._records(request, completed=True)

    async def _records(self, request: Request, *, completed: bool) -> Response:
        if _media_type(request) != _JSON:
            return _refused(415, "unsupported_media_type", "JSON is expected")
        return await self._listing(
            request,
            lambda campaign, _view, body: listed.records(campaign, body, self, completed=completed),
        )

    async def _listing(
        self, request: Request, answer: Callable[[Campaign, View, Any], dict[str, Any]]
    ) -> Response:
        """Answer about the campaign that the path names, or say in the vendor's way why not."""
        body = await _json(request) if request.method == "POST" else None
        view = self._view()
        try:
            campaign = listed.find(view, request.path_params["id"])
            return JSONResponse(answer(campaign, view, body))
        except listed.CampaignError as error:
            return _refused(error.status, error.error, error.description)


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _json(request: Request) -> Any:
    """Return the body of a request, None where it is not JSON."""
    try:
        return json.loads(await request.body())
    except ValueError:
        return None


def _refused(code: int, error: str, description: str) -> Response:
    return JSONResponse({"error": error, "error_description": description}, code)


def _everything(kind: str, statistics: Iterable[str]) -> Grid:
    """Return a grid of every statistic, under its own name."""
    columns = tuple(Column(name, (name,), is_sum=False, dispositions=()) for name in statistics)
    nothing: frozenset[str] = frozenset()
    return Grid(kind, columns, (), None, None, nothing, nothing)


def _texts(row: data.Row) -> dict[str, str]:
    return {name: data.text(value) for name, value in row.items()}
