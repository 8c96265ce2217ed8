"""A Genesys Multicloud CX tenant whose statistics are the floor's, and that refuses what it ought.

This is the door: HTTP, key and token, cookies, and misbehaviour on request. Behind it,
``rest.py`` answers the operations and ``bayeux.py`` the notifications;
``subscriptions.py`` pushes, and ``figures.py`` evaluates. The switches are the
fields of ``settings.Settings``.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from math import inf
from random import Random
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from exporter.simulators.genesys.bayeux import (
    LOOK_SECONDS,
    UPDATES,
    Bayeux,
    Caller,
    InvalidChannelError,
    Message,
    Sessions,
    SupersededError,
)
from exporter.simulators.genesys.failures import (
    NOTIFICATIONS,
    Failure,
    cut,
    envelope,
    instead,
    spring,
)
from exporter.simulators.genesys.rest import Rest, parse
from exporter.simulators.genesys.subscriptions import Subscriptions
from exporter.simulators.genesys.tenant import Tenant
from exporter.simulators.genesys.tokens import Credentials, Tokens

_AUTH, _STATISTICS = "/auth/v3", "/statistics/v3"
_SESSION, _BROWSER, _BALANCER = "STATISTICS_SESSIONID", "BAYEUX_BROWSER", "AWSALB"
_REQUESTS = 500  # remembered
_NODES = 2  # machines behind the balancer
_JSON = "application/json"

Serve = Callable[[Request], Awaitable[Response]]


@dataclass(slots=True)
class Record:
    """One request as the simulator saw it; times are the clock's. Sign-ins keep no body."""

    method: str
    path: str
    start: float
    body: Any = None
    channels: tuple[str, ...] = ()  # of its CometD messages
    query: tuple[tuple[str, str], ...] = ()
    cookies: frozenset[str] = field(default_factory=frozenset)  # their names
    end: float | None = None
    status: int | None = None
    failure: str = ""  # the kind of misbehaviour that it met


@dataclass(eq=False)
class GenesysSimulator(Tenant):
    """A simulated tenant on the wire; ``app`` is the ASGI application."""

    url_path = (_AUTH, _STATISTICS)  # what its paths begin with

    def __post_init__(self) -> None:
        random = Random(self.seed)
        credentials = Credentials(self.username, self.password, self.client_id, self.client_secret)
        self.requests: deque[Record] = deque(maxlen=_REQUESTS)
        self.is_available = True
        self._random = random
        self._tokens = Tokens(credentials, self.clock, random)
        self._subscriptions = Subscriptions(self)
        self._sessions = Sessions(self, random, self._forget)
        self._rest = Rest(self, self._subscriptions)
        self._bayeux = Bayeux(self, self._sessions, self._look)
        self._failures: list[Failure] = []
        self._next_node = 0
        self._looked = -inf
        self.app = Starlette(routes=self._routes())

    # What a test or a demo may do and ask.

    def fail_next(self, kind: str, n: int = 1, path: str | None = None) -> None:
        """Make the next requests fail, of one path (wildcards work) or of any.

        The kinds are those of ``failures.Failure``. A CometD request's path is that of
        the endpoint with its first channel behind it: ``*/notifications/meta/connect``.
        """
        self._failures = [each for each in self._failures if each.left > 0]
        self._failures.append(Failure(kind, n, path))

    def objects(self) -> dict[str, list[str]]:
        """Return the ids of everything there is, by object type."""
        return self._subscriptions.world.objects()

    @property
    def open_statistics(self) -> int:
        """How many statistics are open in subscriptions."""
        return self._subscriptions.count

    @property
    def open_subscriptions(self) -> list[str]:
        """The ids of the open subscriptions."""
        return self._subscriptions.ids

    @property
    def live_sessions(self) -> list[str]:
        """The client ids of the CometD sessions that have not expired."""
        return [each.client_id for each in self._sessions.live]

    @property
    def live_tokens(self) -> int:
        """How many access tokens have been given out and not been ended; some may have expired."""
        return self._tokens.count

    def expire_tokens(self) -> None:
        """End every access token."""
        self._tokens.expire()

    def expire_sessions(self, *, http: bool = False) -> None:
        """Forget every CometD session, with ``http`` the HTTP sessions too, as a restart does."""
        self._sessions.end_all(http=http)

    def unavailable(self) -> None:
        """Lose the Stat Server: every subscription is dropped, and everybody is told."""
        self.is_available = False
        self._subscriptions.drop_all()
        self._sessions.announce("UNAVAILABLE")

    def available(self) -> None:
        """Have the Stat Server back."""
        self.is_available = True
        self._sessions.announce("AVAILABLE")

    def push(self, updates: list[dict[str, Any]]) -> None:
        """Send these update entries, as they are, to everybody who listens to updates."""
        for session in self._sessions.live:
            if UPDATES in session.channels:
                session.queue.extend(updates)
        self._sessions.limit()

    def repeat_updates(self, older_by: float = 0.0) -> None:
        """Send the last value of every open statistic once more, its timestamp that much older."""
        for key, entries in self._subscriptions.again(older_by).items():
            send = self._sessions.listener(key)
            if send is not None:
                for entry in entries:
                    send(entry)
        self._sessions.limit()

    # HTTP: every request comes through here.

    def _routes(self) -> list[Route]:
        routes: list[tuple[list[str], str, Serve]] = [
            (["POST"], f"{_AUTH}/oauth/token", self._token),
            (["GET"], f"{_AUTH}/ping", self._ping),
            (["GET", "POST"], f"{_AUTH}/sign-out", self._sign_out),
            (["POST"], f"{_STATISTICS}/subscriptions", self._create),
            (["GET"], f"{_STATISTICS}/subscriptions/{{id}}/statistic-values", self._peek),
            (["DELETE"], f"{_STATISTICS}/subscriptions/{{id}}", self._delete),
            (["GET"], f"{_STATISTICS}/statistic-values/{{name}}", self._read),
            (["POST"], f"{_STATISTICS}/operations/get-statistic-ex", self._read_many),
            *(
                (["POST"], f"{NOTIFICATIONS}{suffix}", self._notifications)
                for suffix in (
                    *("", "/", "/handshake", "/connect", "/subscribe", "/unsubscribe"),
                    "/disconnect",
                )
            ),
        ]
        return [
            Route(path, self._entered(serve), methods=methods) for methods, path, serve in routes
        ]

    def _entered(self, serve: Serve) -> Serve:
        async def enter(request: Request) -> Response:
            self.move()
            record = await self._record(request)
            self.requests.append(record)
            request.state.node = self._node(request)
            try:
                response = await self._admit(serve, request, record)
                record.status = response.status_code
            finally:
                record.end = self.clock.time()
            if self.date_header:
                now = self.clock.time() + self.clock_ahead
                response.headers["Date"] = formatdate(now, usegmt=True)
            if self.settings.balancer:
                cookie = f"{request.state.node}{self._random.getrandbits(64):016x}"
                response.headers.append("Set-Cookie", f"{_BALANCER}={cookie}; Path=/")
            return response

        return enter

    async def _record(self, request: Request) -> Record:
        path = request.url.path
        content = await request.body()  # before anybody looks for a disconnect, which would eat it
        body = parse(content) if path.startswith(_STATISTICS) else None
        request.state.body = body
        messages = body if isinstance(body, list) else []
        channels = [str(each.get("channel")) for each in messages if isinstance(each, dict)]
        return Record(
            request.method,
            path,
            self.clock.time(),
            body,
            tuple(channels),
            tuple(request.query_params.multi_items()),
            frozenset(request.cookies),
        )

    def _node(self, request: Request) -> int:
        """Return which machine is asked: the cookie says so, else the balancer takes turns."""
        cookie = request.cookies.get(_BALANCER, "")
        if cookie[:1] in ("0", "1"):
            return int(cookie[0])
        self._next_node = (self._next_node + 1) % _NODES
        return self._next_node

    async def _admit(self, serve: Serve, request: Request, record: Record) -> Response:
        """Serve who has the key and, for statistics, a token; or fail as the next failure says."""
        target = record.path
        if target.startswith(NOTIFICATIONS):
            target = NOTIFICATIONS + "".join(record.channels[:1])
        failure = self._take_failure(target)
        request.state.failure = failure
        if failure is not None:
            record.failure = failure.kind
            if failure.word == "hang":
                await self._wait(request, self.hang_seconds)
            elif failure.word == "slow":
                await self._wait(request, float(failure.detail))
            response = instead(failure, target, self.clock.time())
            if response is not None:
                return response
        if request.headers.get("x-api-key") != self.api_key:
            return JSONResponse({"message": "Forbidden"}, 403)
        if record.path.startswith(_STATISTICS):
            refused = self._refused(request)
            if refused is not None:
                return refused
        response = await serve(request)
        return cut(response) if failure is not None and failure.word == "cut" else response

    def _take_failure(self, target: str) -> Failure | None:
        failure = next((each for each in self._failures if each.applies(target)), None)
        if failure is not None:
            failure.left -= 1
        return failure

    async def _wait(self, request: Request, seconds: float) -> None:
        """Wait, or until nobody listens any more."""
        until = self.clock.monotonic() + seconds
        while (left := until - self.clock.monotonic()) > 0 and not await request.is_disconnected():
            await self.clock.sleep(min(left, 1.0))

    def _refused(self, request: Request) -> Response | None:
        if self._tokens.who(request.headers.get("authorization", "")) is None:
            return envelope(self.settings.refused_status, "Invalid or expired token")
        if not self.settings.may_read:
            return envelope(403, "Access denied")
        return None

    # Authentication.

    async def _token(self, request: Request) -> Response:
        return self._tokens.grant(request.headers, await request.body(), self.settings)

    async def _ping(self, request: Request) -> Response:
        if self._tokens.who(request.headers.get("authorization", "")) is None:
            return envelope(403, "Not authenticated")
        return JSONResponse({"status": {"code": 0}})

    async def _sign_out(self, request: Request) -> Response:
        everywhere = request.query_params.get("global") == "true"
        authorization = request.headers.get("authorization", "")
        self._tokens.sign_out(authorization, everywhere=everywhere)
        return JSONResponse({"status": {"code": 0}})

    # The operations.

    async def _create(self, request: Request) -> Response:
        session = self._session(request)
        if session is None:
            return envelope(403, "No session: connect to the notifications first")
        if not _is_json(request):
            return envelope(400, "JSON is expected")
        if not self.is_available:
            return envelope(503, "Service is unavailable")
        return self._rest.create(session, request.state.body, request.query_params)

    async def _peek(self, request: Request) -> Response:
        session = self._session(request)
        if session is None:
            return envelope(403, "No session: connect to the notifications first")
        if not self.is_available:
            return envelope(503, "Service is unavailable")
        query = request.query_params.multi_items()
        return self._rest.peek(session, request.path_params["id"], query)

    async def _delete(self, request: Request) -> Response:
        return self._rest.delete(self._session(request) or "", request.path_params["id"])

    async def _read(self, request: Request) -> Response:
        if not self.is_available:
            return envelope(503, "Service is unavailable")
        return self._rest.read(request.path_params["name"], request.query_params)

    async def _read_many(self, request: Request) -> Response:
        if not self.is_available:
            return envelope(503, "Service is unavailable")
        return self._rest.read_many(request.state.body)

    def _session(self, request: Request) -> str | None:
        found = self._sessions.http(request.cookies.get(_SESSION), request.state.node)
        return None if found is None else found.id

    def _forget(self, session: str) -> None:
        """Close what an HTTP session has open, once nobody hears of it any more."""
        keeps = self.settings.keeps_subscriptions and self._sessions.knows(session)
        if not keeps and not self._sessions.hears(session):
            self._subscriptions.drop_of(session)

    # Notifications.

    async def _notifications(self, request: Request) -> Response:
        messages = request.state.body
        is_bayeux = isinstance(messages, list) and all(
            isinstance(each, dict) and isinstance(each.get("channel"), str) for each in messages
        )
        if not messages or not is_bayeux or not _is_json(request):
            return Response(status_code=400)
        caller = Caller(
            request.cookies.get(_BROWSER),
            request.cookies.get(_SESSION),
            request.state.node,
            request.is_disconnected,
        )
        failure: Failure | None = request.state.failure
        if failure is not None and failure.word in ("unsuccessful", "reconnect"):
            return JSONResponse([_unsuccessful(each, failure.detail) for each in messages])
        try:
            answer = await self._bayeux.answer(messages, caller)
        except InvalidChannelError as error:
            message = f"java.lang.IllegalArgumentException: Invalid channel id: {error}"
            return spring(message, self.clock.time())
        except SupersededError:
            return Response(status_code=500)
        return self._bayeux_response(answer, caller, failure)

    def _bayeux_response(
        self, answer: list[Message], caller: Caller, failure: Failure | None
    ) -> Response:
        word = "" if failure is None else failure.word
        if word == "multiple_clients":
            answer[-1]["advice"] = {"multiple-clients": True, "interval": 2000}
        as_object = len(answer) == 1 and (word == "object" or self.settings.as_object)
        response = JSONResponse(answer[0] if as_object else answer)
        session = caller.session
        if session is not None and caller.has_begun:
            if caller.http != session.http:
                cookie = f"{_SESSION}={session.http}; Path={_STATISTICS}; HttpOnly"
                response.headers.append("Set-Cookie", cookie)
            if caller.browser != session.browser:
                secure = "; Secure" if self.settings.secure_browser_cookie else ""
                cookie = f"{_BROWSER}={session.browser}; Path=/; HttpOnly{secure}"
                response.headers.append("Set-Cookie", cookie)
        return response

    def _look(self) -> None:
        """Look at the floor, and put what has changed into the sessions' queues."""
        now = self.clock.monotonic()
        if now - self._looked < LOOK_SECONDS / 2:
            return  # another held connect has just looked
        self._looked = now
        self.move()
        if self.is_available:
            self._subscriptions.look(self._sessions.listener)
        self._sessions.limit()


def _is_json(request: Request) -> bool:
    content_type = request.headers.get("content-type", "")
    return content_type.partition(";")[0].strip().lower() == _JSON


def _unsuccessful(message: Message, reconnect: str) -> Message:
    reply: Message = {
        "channel": message["channel"],
        "successful": False,
        "error": "500::failed on request",
    }
    if "id" in message:
        reply["id"] = message["id"]
    if reconnect:
        reply["advice"] = {"reconnect": reconnect, "interval": 0}
    return reply
