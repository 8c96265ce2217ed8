"""HTTP client of one account: the operations of the Statistics API v3, and CometD messages.

A request that is answered 401 or 403 is repeated once with a new token. Every method raises
``ProviderError``.
"""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import orjson

from exporter.clock import Clock
from exporter.collector.bounds import SMALL
from exporter.collector.http import Http, check_status, retry_after
from exporter.collector.transport import REPEATABLE
from exporter.errors import (
    InvalidAnswer,
    ProviderError,
    Refused,
    ServerTrouble,
    SessionLost,
    Unauthorized,
    Unexplained,
)
from exporter.metrics.parsers import plain_text
from exporter.providers.genesys.auth import TokenAuth
from exporter.providers.genesys.config import GenesysConfig

Json = Any
ValueEntry = dict[str, Any]  # StatisticValue of the Statistics API
_GET_VALUES = "/operations/get-statistic-ex"
_SUCCESS_CODES = (0, 1)  # status.code: done; accepted (Statistics API overview)
_NEW_TOKEN = 10.0  # seconds in which a 403 does not mean that the token has expired
_MESSAGE_LENGTH = 200  # characters of the platform's text in an error
_DENIED = (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)
_TOO_LARGE = (
    httpx.codes.REQUEST_ENTITY_TOO_LARGE,
    httpx.codes.REQUEST_URI_TOO_LONG,
    httpx.codes.REQUEST_HEADER_FIELDS_TOO_LARGE,
)


class TokenDenied(Unauthorized):
    """The platform rejects the token, or the user lacks a permission (HTTP 401 or 403)."""

    is_forbidden = False  # HTTP 403


class TooLarge(Refused):
    """The platform, or a gateway before it, refuses a request for its size."""

    remedy = (
        "A request with a single statistic is too large: raise the gateway's limit for the size of "
        "requests and headers."
    )


class Failed(ServerTrouble):
    """The service failed (HTTP 500): over this request, or altogether."""


class AccessDenied(SessionLost):
    """The platform denies a request with a new token too."""

    remedy = (
        "The platform accepts the login, but not the request. Check that the user may read "
        "statistics and belongs to the contact centre; ask Genesys where it does."
    )


class Client:
    """The requests of one user."""

    def __init__(self, config: GenesysConfig, http: Http, clock: Clock) -> None:
        self._http = http
        self._base = config.base_url.rstrip("/") + "/statistics/v3"
        self._timeout = config.timeout
        self._auth = TokenAuth(config, http, clock)
        if urlsplit(config.base_url).scheme == "http":
            http.client.event_hooks = {"response": [self._clear_secure_flags]}

    async def _clear_secure_flags(self, _: httpx.Response) -> None:
        """Send secure cookies over plain HTTP too.

        Behind an internal gateway the service marks them all the same; without them CometD does
        not recognise its own session.
        """
        for cookie in self._http.client.cookies.jar:
            cookie.secure = False

    # Session -------------------------------------------------------------------------------

    async def sign_in(self) -> None:
        """Drop the cookies of an earlier session and request a token."""
        self._http.forget_cookies()
        self._auth.forget()
        await self._auth.ensure_valid()

    async def sign_out(self, limit: float) -> None:
        """End the token, within ``limit`` seconds."""
        await self._auth.sign_out(limit)

    async def post_messages(
        self, messages: Sequence[Mapping[str, Any]], name: str, limit: float
    ) -> Json:
        """Post Bayeux messages; return the decoded body, within ``limit`` seconds."""
        return await self._authorized(
            "POST", "/notifications", f"/meta/{name}", messages, limit, self._http.max_answer
        )

    # Statistics ----------------------------------------------------------------------------

    async def create_subscription(
        self, subscription: str, statistics: Sequence[Mapping[str, Any]]
    ) -> list[ValueEntry]:
        """Open statistics under our own id; return the values of those that opened."""
        body = {"operationId": subscription, "data": {"statistics": statistics}}
        path = "/subscriptions?verbose=INFO"
        return _entries(await self._operation("POST", path, "POST /subscriptions", body))

    async def peek_subscription(self, subscription: str) -> list[ValueEntry]:
        """Read the values of a subscription's statistics."""
        path = f"/subscriptions/{quote(subscription, safe='')}/statistic-values?verbose=INFO"
        operation = "GET /subscriptions/{id}/statistic-values"
        return _entries(await self._operation("GET", path, operation))

    async def delete_subscription(self, subscription: str) -> None:
        """Close a subscription; by the Statistics API reference this always succeeds."""
        path = f"/subscriptions/{quote(subscription, safe='')}"
        await self._authorized("DELETE", path, "DELETE /subscriptions/{id}", None, self._timeout)

    async def get_values(self, statistics: Iterable[tuple[str, str, str]]) -> list[ValueEntry]:
        """Read statistics by (name, object type, object id), without a subscription."""
        entries = [
            {"name": name, "objectId": object_id, "objectType": object_type}
            for name, object_type, object_id in statistics
        ]
        body = {"data": {"statistics": entries}}
        return _entries(await self._operation("POST", _GET_VALUES, f"POST {_GET_VALUES}", body))

    # Requests ------------------------------------------------------------------------------

    async def _operation(
        self, method: str, path: str, operation: str, body: Json | None = None
    ) -> Mapping[str, Any]:
        """Send a request whose response is an envelope; return its data.

        The Statistics API reference names no code for a partial success, so an envelope with
        statistics is accepted whatever its code.
        """
        answer = await self._authorized(
            method, path, operation, body, self._timeout, self._http.max_answer
        )
        if not isinstance(answer, dict):
            raise InvalidAnswer(f"{operation}: the answer is not a JSON object")
        data = answer.get("data")
        data = data if isinstance(data, dict) else {}
        status = answer.get("status")
        status = status if isinstance(status, dict) else {"message": "no status"}
        code = status.get("code")
        if code in _SUCCESS_CODES or _entries(data):
            return data
        message = self._http.redact(plain_text(status.get("message")) or "no message")[
            :_MESSAGE_LENGTH
        ]
        raise Unexplained(f"{operation}: code {code}: {message}")

    async def _authorized(
        self,
        method: str,
        path: str,
        operation: str,
        body: Json | None,
        limit: float,
        size: int = SMALL,
    ) -> Json:
        """Send a request; where it is denied, repeat it once with a new token.

        A token that is new itself is not replaced, as the platform keeps each until it expires.
        """
        await self._auth.ensure_valid()
        token = self._auth.value
        try:
            return await self._send(method, path, operation, body, limit, size)
        except TokenDenied as error:
            if error.is_forbidden and self._auth.age < _NEW_TOKEN:
                raise AccessDenied(f"{operation}: {error}, with a new token") from error
            await self._auth.renew(token)
        try:
            return await self._send(method, path, operation, body, limit, size)
        except TokenDenied as error:
            # The credentials have just been accepted: the session or a permission is missing.
            raise AccessDenied(f"{operation}: {error}, with a new token too") from error

    async def _send(
        self, method: str, path: str, operation: str, body: Json | None, limit: float, size: int
    ) -> Json:
        trace = secrets.token_hex(8)
        request = self._http.client.build_request(
            method,
            self._base + path,
            content=None if body is None else orjson.dumps(body),
            headers={
                **self._auth.headers,
                "Accept": "application/json",
                "X-B3-TraceId": trace,
                "X-B3-SpanId": trace,
                **({} if body is None else {"Content-Type": "application/json"}),
            },
            extensions={REPEATABLE: operation == f"POST {_GET_VALUES}"},
        )
        try:
            return await self._http.json(request, operation, _identity, limit, _check, size=size)
        except ProviderError as error:
            error.args = (f"{error} (trace {trace})",)  # the vendor's support asks for it
            raise


def _entries(data: Mapping[str, Any]) -> list[ValueEntry]:
    """Return the statistics of an answer; entries that are not objects are dropped."""
    entries = data.get("statistics")
    if isinstance(entries, dict):
        entries = [entries]
    if not isinstance(entries, list):
        return []
    return [entry for entry in entries if isinstance(entry, dict)]


def _check(response: httpx.Response, _: Json) -> None:
    if response.status_code in _DENIED:
        error = TokenDenied(f"HTTP {response.status_code}")
        error.is_forbidden = response.status_code == httpx.codes.FORBIDDEN
        raise error
    if response.status_code in _TOO_LARGE:
        raise TooLarge(f"HTTP {response.status_code}")
    if response.status_code == httpx.codes.INTERNAL_SERVER_ERROR:
        raise Failed("HTTP 500", retry_after=retry_after(response))
    check_status(response)


def _identity(body: Json) -> Json:
    return body
