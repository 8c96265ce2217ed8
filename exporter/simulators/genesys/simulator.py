"""Simulated Genesys Multicloud CX tenant over HTTP: gateway key, tokens, cookies, failures.

``rest.py`` answers the operations and ``bayeux.py`` the notifications; ``subscriptions.py`` pushes,
``figures.py`` evaluates. The switches are the fields of ``tenant.Tenant``.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Any, ClassVar

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from exporter.simulators.door import Failure, Reset, gateway_page
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
from exporter.simulators.genesys.rest import NOTIFICATIONS, Rest, envelope, parse, spring
from exporter.simulators.genesys.subscriptions import Subscriptions
from exporter.simulators.genesys.tenant import Record, Tenant
from exporter.simulators.genesys.tokens import Tokens

_AUTH, _STATISTICS = "/auth/v3", "/statistics/v3"
_SESSION, _BROWSER, _BALANCER = "STATISTICS_SESSIONID", "BAYEUX_BROWSER", "AWSALB"
_NODES = 2  # behind the load balancer
_JSON = "application/json"

Serve = Callable[[Request], Awaitable[Response]]


@dataclass(eq=False)
class GenesysSimulator(Tenant):
    """A simulated tenant; ``app`` is the ASGI application.

    Targets of failures are paths; that of a CometD request is the endpoint with the first channel
    behind it: ``*/notifications/meta/connect``. Own kinds: an HTTP status (with an envelope, of
    CometD with an empty body), ``spring`` (500 with the framework's own body), and for CometD alone
    ``unsuccessful`` (a reply without advice), ``reconnect:<none, handshake, retry>`` (an
    unsuccessful reply with that advice), ``unknown:<code>`` (the client is unknown, with the advice
    to make a handshake), ``object`` (instead of an array) and
    ``multiple_clients`` (that advice).
    """

    own_kinds: ClassVar[Mapping[str, str]] = {
        r"[345]\d\d|spring": "*",
        r"unsuccessful|reconnect:(none|handshake|retry)|unknown:\d{3}|object|multiple_clients": (
            f"{NOTIFICATIONS}*"
        ),
    }
    url_path: ClassVar[tuple[str, str]] = (_AUTH, _STATISTICS)  # beginnings of its paths

    def __post_init__(self) -> None:
        super().__post_init__()
        self.is_available = True
        self._tokens = Tokens(self)
        self._subscriptions = Subscriptions(self)
        self._sessions = Sessions(self, self._forget)
        self._rest = Rest(self, self._subscriptions)
        self._bayeux = Bayeux(self, self._sessions, self._look)
        self._next_node = 0
        self._looked = -inf
        self.app = Starlette(routes=self._routes())

    # For tests and the demo.

    def objects(self) -> dict[str, list[str]]:
        """Return the ids of all objects, by object type."""
        return self._subscriptions.world.objects()

    @property
    def open_statistics(self) -> int:
        """Number of open statistics."""
        return self._subscriptions.count

    @property
    def open_subscriptions(self) -> list[str]:
        """Ids of the open subscriptions."""
        return self._subscriptions.ids

    @property
    def live_sessions(self) -> list[str]:
        """Client ids of the CometD sessions that have not expired."""
        return [session.client_id for session in self._sessions.live]

    @property
    def live_tokens(self) -> int:
        """Number of access tokens that were not signed out; some may have expired."""
        return self._tokens.count

    def expire_tokens(self) -> None:
        """End every access token."""
        self._tokens.expire()

    def expire_sessions(self, *, http: bool = False) -> None:
        """End every CometD session, with ``http`` the HTTP sessions too, as a restart does."""
        self._sessions.end_all(http=http)

    def drop_statistics(self, object_id: str, action: str) -> None:
        """Close the statistics of an action at an object and announce nothing."""
        self._subscriptions.drop_statistics(object_id, action)

    def unavailable(self) -> None:
        """Lose the Stat Server: drop every subscription and announce it."""
        self.is_available = False
        self._subscriptions.drop_all()
        self._sessions.announce("UNAVAILABLE")

    def available(self) -> None:
        """Reconnect to the Stat Server and announce it."""
        self.is_available = True
        self._sessions.announce("AVAILABLE")

    def push(self, updates: list[dict[str, Any]]) -> None:
        """Send update entries unchanged to every session that listens to updates."""
        for session in self._sessions.live:
            if UPDATES in session.channels:
                session.queue.extend(updates)
        self._sessions.limit()

    def repeat_updates(self, older_by: float = 0.0) -> None:
        """Send the last value of every open statistic again, with an older timestamp."""
        for key, entries in self._subscriptions.again(older_by).items():
            send = self._sessions.listener(key)
            if send is not None:
                for entry in entries:
                    send(entry)
        self._sessions.limit()

    # HTTP.

    def _routes(self) -> list[Route]:
        suffixes = ("", "/", "/handshake", "/connect", "/subscribe", "/unsubscribe", "/disconnect")
        routes: list[tuple[list[str], str, Serve]] = [
            (["POST"], f"{_AUTH}/oauth/token", self._token),
            (["GET"], f"{_AUTH}/ping", self._ping),
            (["GET", "POST"], f"{_AUTH}/sign-out", self._sign_out),
            (["POST"], f"{_STATISTICS}/subscriptions", self._create),
            (["GET"], f"{_STATISTICS}/subscriptions/{{id}}/statistic-values", self._peek),
            (["DELETE"], f"{_STATISTICS}/subscriptions/{{id}}", self._delete),
            (["GET"], f"{_STATISTICS}/statistic-values/{{name}}", self._read),
            (["POST"], f"{_STATISTICS}/operations/get-statistic-ex", self._read_many),
            *((["POST"], f"{NOTIFICATIONS}{suffix}", self._notify) for suffix in suffixes),
        ]
        return [
            Route(path, partial(self._enter, serve), methods=methods)
            for methods, path, serve in routes
        ]

    async def _enter(self, serve: Serve, request: Request) -> Response:
        record = await self._record(request)
        node = request.state.node = self._node(request)
        target = record.path
        if target.startswith(NOTIFICATIONS):
            target = NOTIFICATIONS + "".join(record.channels[:1])

        async def answer(failure: Failure | None) -> Response:
            request.state.failure = failure
            too_large = self._too_large(len(await request.body()))
            return too_large or self._refusal(request) or await serve(request)

        response = await self.serve(
            request, record, lambda: self.answer_or_fail(request, record, target, answer)
        )
        if self.balancer:
            cookie = f"{node}{self.random.getrandbits(64):016x}"
            response.headers.append("Set-Cookie", f"{_BALANCER}={cookie}; Path=/")
        return response

    async def _record(self, request: Request) -> Record:
        path = request.url.path
        body = parse(await request.body()) if path.startswith(_STATISTICS) else None
        request.state.body = body
        messages = body if isinstance(body, list) else []
        return Record(
            self.clock.time(),
            method=request.method,
            path=path,
            body=body,
            channels=tuple(str(item.get("channel")) for item in messages if isinstance(item, dict)),
            cookies=frozenset(request.cookies),
        )

    def _node(self, request: Request) -> int:
        """Return the node that the cookie names, or the next one in turn."""
        cookie = request.cookies.get(_BALANCER, "")
        if cookie[:1] in ("0", "1"):
            return int(cookie[0])
        self._next_node = (self._next_node + 1) % _NODES
        return self._next_node

    async def failed(self, failure: Failure, request: Request) -> Response | None:
        """Return what is sent in place of an answer, among them a bare status."""
        if failure.kind.isdecimal():
            status = int(failure.kind)
            is_bayeux = request.url.path.startswith(NOTIFICATIONS)
            return Response(None, status) if is_bayeux else envelope(status, "failed on request")
        if failure.kind == "spring":
            return spring("java.lang.IllegalStateException: failed on request", self.clock.time())
        return await super().failed(failure, request)

    def _too_large(self, size: int) -> Response | None:
        """Return the gateway's refusal of a body of this size, in bytes."""
        if self.body_limit is None or size <= self.body_limit:
            return None
        if self.too_large == "html413":
            return gateway_page(413)
        return JSONResponse({"message": "Request too long"}, int(self.too_large))

    def _refusal(self, request: Request) -> Response | None:
        """Return the refusal of a request without the key or, for statistics, without a token."""
        if request.headers.get("x-api-key") != self.api_key:
            return JSONResponse({"message": "Forbidden"}, 403)
        if self.notifications != "served" and request.url.path.startswith(NOTIFICATIONS):
            return JSONResponse({"message": "Blocked"}, int(self.notifications))
        if not request.url.path.startswith(_STATISTICS):
            return None
        if self._tokens.who(request.headers.get("authorization", "")) is None:
            return envelope(self.refused_status, "Invalid or expired token")
        return None if self.may_read else envelope(403, "Access denied")

    # Authentication.

    async def _token(self, request: Request) -> Response:
        return self._tokens.grant(request.headers, await request.body())

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
        is_new = session is None and self.subscribes_with == "cookie"
        if is_new:
            session = self._sessions.open_http(request.state.node).id
        if session is None:
            return envelope(self.no_session_status, "No session")
        if not _is_json(request):
            return envelope(400, "JSON is expected")
        if not self.is_available:
            return envelope(503, "Service is unavailable")
        response = self._rest.create(session, request.state.body, request.query_params)
        if is_new:
            response.headers.append("Set-Cookie", _session_cookie(session))
        return response

    async def _peek(self, request: Request) -> Response:
        session = self._session(request)
        if session is None:
            return envelope(self.no_session_status, "No session")
        if not self.is_available:
            return envelope(503, "Service is unavailable")
        self._subscriptions.drop_unheard(self._sessions.hears)
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
        """Return the id of the caller's HTTP session, None without one."""
        if self.subscribes_with == "id":
            return ""
        session = self._sessions.http(request.cookies.get(_SESSION), request.state.node)
        return None if session is None else session.id

    def _forget(self, session: str) -> None:
        """Close the subscriptions of an HTTP session without a CometD session."""
        keeps = self.keeps_subscriptions and self._sessions.knows(session)
        if not keeps and not self._sessions.hears(session):
            self._subscriptions.drop_of(session)

    # Notifications.

    async def _notify(self, request: Request) -> Response:
        messages = request.state.body
        is_bayeux = isinstance(messages, list) and all(
            isinstance(item, dict) and isinstance(item.get("channel"), str) for item in messages
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
        if failure is not None and failure.word in ("unsuccessful", "reconnect", "unknown"):
            return JSONResponse([_unsuccessful(message, failure) for message in messages])
        try:
            answer = await self._or_cut(self._bayeux.answer(messages, caller))
            if answer is None:
                return self._cut_response()
        except InvalidChannelError as error:
            message = f"java.lang.IllegalArgumentException: Invalid channel id: {error}"
            return spring(message, self.clock.time())
        except SupersededError:
            return Response(status_code=500)
        return self._bayeux_response(answer, caller, failure)

    async def _or_cut(self, answer: Awaitable[list[Message]]) -> list[Message] | None:
        """Return an answer, or None where a proxy on the way cuts the request first."""
        if self.cut_after is None:
            return await answer
        work = asyncio.ensure_future(answer)
        limit = asyncio.ensure_future(self.clock.sleep(self.cut_after))
        try:
            await asyncio.wait([work, limit], return_when=asyncio.FIRST_COMPLETED)
            return work.result() if work.done() else None
        finally:
            work.cancel()
            limit.cancel()

    def _cut_response(self) -> Response:
        if self.cut_with == "reset":
            return Reset(media_type=_JSON)
        return Response() if self.cut_with == "empty" else gateway_page(int(self.cut_with))

    def _bayeux_response(
        self, answer: list[Message], caller: Caller, failure: Failure | None
    ) -> Response:
        word = "" if failure is None else failure.word
        if word == "multiple_clients":
            answer[-1]["advice"] = {"multiple-clients": True, "interval": 2000}
        as_object = len(answer) == 1 and (word == "object" or self.as_object)
        response = JSONResponse(answer[0] if as_object else answer)
        session = caller.session
        if session is not None and caller.is_new:
            if caller.http != session.http:
                response.headers.append("Set-Cookie", _session_cookie(session.http))
            if caller.browser != session.browser:
                secure = "; Secure" if self.secure_browser_cookie else ""
                cookie = f"{_BROWSER}={session.browser}; Path=/; HttpOnly{secure}"
                response.headers.append("Set-Cookie", cookie)
        return response

    def _look(self) -> None:
        """Put statistics that have changed into the queues of the sessions."""
        now = self.clock.monotonic()
        if now - self._looked < LOOK_SECONDS / 2:
            return  # another held connect has just done so
        self._looked = now
        self.move()
        if self.is_available:
            self._subscriptions.look(self._sessions.listener)
        self._sessions.limit()


def _session_cookie(session: str) -> str:
    return f"{_SESSION}={session}; Path={_STATISTICS}; HttpOnly"


def _is_json(request: Request) -> bool:
    content_type = request.headers.get("content-type", "")
    return content_type.partition(";")[0].strip().lower() == _JSON


def _unsuccessful(message: Message, failure: Failure) -> Message:
    reconnect, error = failure.detail, "500::failed on request"
    if failure.word == "unknown":
        reconnect, error = "handshake", f"{failure.detail}::Unknown client"
    reply: Message = {
        "channel": message["channel"],
        "successful": False,
        "error": error,
    }
    if "id" in message:
        reply["id"] = message["id"]
    if reconnect:
        reply["advice"] = {"reconnect": reconnect, "interval": 0}
    return reply
