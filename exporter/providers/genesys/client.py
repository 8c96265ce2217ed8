"""Genesys' wire: the Statistics API's five operations, and the way for CometD's messages.

A request that is answered 401 or 403 is made once more with a new token; refused again, the session
is lost. Every method raises ``ProviderError``.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import httpx
import orjson

from exporter.clock import Clock
from exporter.collector.http import Http, check_status, json_object
from exporter.errors import ProviderError, Refused, SessionLost, Unauthorized
from exporter.providers.genesys.auth import Login
from exporter.providers.genesys.config import GenesysConfig

T = TypeVar("T")
Json = Any
Entry = dict[str, Any]
_DONE = (0, 1)  # status.code: done; accepted, to be done
_SAID = 200  # characters of the platform's own words that go into a message
_REFUSED = (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)


class Denied(Unauthorized):
    """The platform does not, or no longer, take the token, or the user lacks a permission."""


class Client:
    """One user's requests."""

    def __init__(self, config: GenesysConfig, http: Http, clock: Clock) -> None:
        self._http = http
        self._base = config.base_url.rstrip("/") + "/statistics/v3"
        self._timeout = config.timeout
        self._login = Login(config, http, clock)
        if urlsplit(config.base_url).scheme == "http":
            http.client.event_hooks = {"response": [self._bare_cookies]}

    async def _bare_cookies(self, _: httpx.Response) -> None:
        """Let cookies go out over plain HTTP that are marked as secure.

        Behind an internal gateway the service marks them all the same; were they withheld, CometD
        would not know its own session again.
        """
        for cookie in self._http.client.cookies.jar:
            cookie.secure = False

    # Session -------------------------------------------------------------------------------

    async def sign_in(self) -> None:
        """Begin anew: no cookie of an earlier session, and a token of our own."""
        self._http.client.cookies.clear()
        self._login.token.forget()
        await self._login.token.ensure_valid()

    async def sign_out(self, limit: float) -> None:
        """End the token, within ``limit`` seconds."""
        await self._login.sign_out(limit)

    async def messages(self, messages: Sequence[Entry], name: str, limit: float) -> Json:
        """Send Bayeux messages; return what is answered within ``limit`` seconds."""
        return await self._twice("POST", "/notifications", f"/meta/{name}", messages, limit, _any)

    # Statistics ----------------------------------------------------------------------------

    async def create(
        self, subscription: str, statistics: Sequence[Mapping[str, Any]]
    ) -> list[Entry]:
        """Open statistics under an id of ours; return those that were, with their values."""
        body = {"operationId": subscription, "data": {"statistics": list(statistics)}}
        path = "/subscriptions?verbose=INFO"
        return _statistics(await self._operation("POST", path, "POST /subscriptions", body))

    async def peek(self, subscription: str) -> list[Entry]:
        """Read the values of a subscription's statistics."""
        path = f"/subscriptions/{quote(subscription, safe='')}/statistic-values?verbose=INFO"
        operation = "GET /subscriptions/{id}/statistic-values"
        return _statistics(await self._operation("GET", path, operation))

    async def delete(self, subscription: str) -> None:
        """Close a subscription; the platform says that it always succeeds."""
        path = f"/subscriptions/{quote(subscription, safe='')}"
        await self._twice("DELETE", path, "DELETE /subscriptions/{id}", None, self._timeout, _any)

    async def values(self, statistics: Sequence[Mapping[str, str]]) -> list[Entry]:
        """Read statistics that the contact centre has defined, without a subscription."""
        path = "/operations/get-statistic-ex"
        body = {"data": {"statistics": list(statistics)}}
        return _statistics(await self._operation("POST", path, f"POST {path}", body))

    # Requests ------------------------------------------------------------------------------

    async def _operation(
        self, method: str, path: str, operation: str, body: Json | None = None
    ) -> Mapping[str, Any]:
        """Make a request whose answer is an envelope; return its data.

        A partial success has a code of its own that no document names, so an envelope with data
        is taken for what it holds, whatever its code.
        """
        found = await self._twice(method, path, operation, body, self._timeout, json_object)
        data = found.get("data")
        if isinstance(data, dict) and data:
            return data
        status = found.get("status")
        code = status.get("code") if isinstance(status, dict) else None
        if code in _DONE:
            return {}
        said = str(status.get("message", "no message")) if isinstance(status, dict) else "no status"
        raise Refused(f"{operation}: code {code}: {self._http.hide(said)[:_SAID]}")

    async def _twice(
        self,
        method: str,
        path: str,
        operation: str,
        body: Json | None,
        limit: float,
        parse: Callable[[Json], T],
    ) -> T:
        """Make a request; where it is denied, get a new token and make it once more."""
        token = self._login.token
        await token.ensure_valid()
        shown = token.value
        try:
            return await self._once(method, path, operation, body, limit, parse)
        except Denied:
            await token.renew(shown)
        try:
            return await self._once(method, path, operation, body, limit, parse)
        except Denied as error:
            # The credentials were good a moment ago: it is the session, or a permission.
            raise SessionLost(f"{operation}: {error}, with a new token too") from error

    async def _once(
        self,
        method: str,
        path: str,
        operation: str,
        body: Json | None,
        limit: float,
        parse: Callable[[Json], T],
    ) -> T:
        trace = secrets.token_hex(8)
        request = self._http.client.build_request(
            method,
            self._base + path,
            content=None if body is None else orjson.dumps(body),
            headers={
                **self._login.headers(),
                "Accept": "application/json",
                "X-B3-TraceId": trace,
                "X-B3-SpanId": trace,
                **({} if body is None else {"Content-Type": "application/json"}),
            },
        )
        try:
            return await self._http.json(request, operation, parse, limit, _check)
        except ProviderError as error:
            error.args = (f"{error} (trace {trace})",)  # what the vendor's support asks for
            raise


def _statistics(data: Mapping[str, Any]) -> list[Entry]:
    """Return the statistics of an answer; what is no object among them is not one."""
    found = data.get("statistics")
    if isinstance(found, dict):
        found = [found]
    if not isinstance(found, list):
        return []
    return [each for each in found if isinstance(each, dict)]


def _check(response: httpx.Response, _: Json) -> None:
    if response.status_code in _REFUSED:
        raise Denied(f"HTTP {response.status_code}")
    check_status(response)


def _any(body: Json) -> Json:
    return body
