"""Bright Pattern's wire: one method for each request we make; JSON in and out.

A request that is answered 401 is made once more with a new token or session; that is the only
thing done twice here. Every method raises ``ProviderError``.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import orjson

from exporter.collector.http import Http, Read, check_status, json_array, json_object, json_reader
from exporter.errors import (
    ProviderError,
    Refused,
    SessionLost,
    Throttled,
    Unauthorized,
)
from exporter.providers.brightpattern.auth import Login

T = TypeVar("T")
_SAID = 300  # characters of the platform's own words that go into a message
_STATS = "/statsapi"
_LISTS = "/configapi/v3/campaign"


class Expired(Unauthorized):
    """The platform does not, or no longer, know the token or session."""


class Unprivileged(Unauthorized):
    """The platform knows the user, who may not do this."""


class Declined(Refused):
    """The platform does not take a subscription as it is; ``code`` is its word for why."""

    def __init__(self, code: str, said: str) -> None:
        super().__init__(f"HTTP 400: {code}: {said}")
        self.code = code
        self.said = said


class SubscriptionLost(Refused):
    """There is no subscription of ours: it ran out, or another login of the user has its own."""

    reason = "session"
    remedy = SessionLost.remedy


class NotReady(ProviderError):
    """The platform has no data yet."""

    reason = "empty"
    remedy = (
        "The platform has no data yet, which is usual right after signing in. If this lasts, check "
        "the user's permissions."
    )
    early = True


class Client:
    """One user's requests.

    ``login`` is what the Real-Time Statistics API takes, ``lists`` what the List Management API
    does (none, if it is not read).
    """

    def __init__(
        self, http: Http, base: str, login: Login, lists: Login | None, timeout: float
    ) -> None:
        self._http = http
        self._base = base
        self._login = login
        self._lists = lists
        self._timeout = timeout

    # Session -------------------------------------------------------------------------------

    async def sign_in(self) -> None:
        """Be known to the platform."""
        self._login.begin()
        await self._login.ready()

    async def sign_out(self) -> None:
        """End what of the session can be ended."""
        await self._login.sign_out()

    async def directory(self, what: str) -> list[Any]:
        """Read the names (and ids) of ``services``, ``teams`` or ``dispositions``."""

        def parse(body: Any) -> list[Any]:
            if isinstance(body, dict):  # as the page for release 3.10 has it
                body = body.get(what)
            return json_array(body)

        return await self._stats("GET", f"{_STATS}/cfg/{what}", json_reader(parse, _check))

    # Subscription --------------------------------------------------------------------------

    async def unsubscribe(self) -> None:
        """Drop the active subscription; where there is none, any answer will do."""
        await self._stats("DELETE", f"{_STATS}/subscription/active", _whatever)

    async def subscribe(self, body: Mapping[str, Any]) -> None:
        """Make a subscription in place of what there was. Raises ``Declined`` for a 400."""
        await self._stats("POST", f"{_STATS}/subscription", _subscribed, body)

    async def data(self) -> dict[str, Any]:
        """Read what the subscription brings. Raises ``NotReady``, ``SubscriptionLost``."""
        found = await self._stats("GET", f"{_STATS}/subscription/data", _data)
        if found is None:
            raise NotReady("HTTP 204: no data yet")
        return found

    # List Management -----------------------------------------------------------------------

    async def campaigns(self) -> list[Any]:
        """Read the enabled outbound campaigns."""
        return await self._list_management("GET", "getAll", json_array)

    async def campaign(self, identity: str) -> dict[str, Any]:
        """Read one campaign with its lists."""
        return await self._list_management("GET", "getCampaign", json_object, identity)

    async def records(
        self, identity: str, instance: str, limit: int, cursor: str | None
    ) -> dict[str, Any]:
        """Read one page of the records of a list that is bound to a campaign."""
        body = {"instanceId": instance, "limit": limit, "cursor": cursor}
        return await self._list_management("POST", "getAllRecords", json_object, identity, body)

    async def _list_management(
        self,
        method: str,
        name: str,
        parse: Callable[[Any], T],
        identity: str = "",
        body: Mapping[str, Any] | None = None,
    ) -> T:
        assert self._lists is not None, "read without a login for it"
        path = f"{_LISTS}/{name}" + (f"/{quote(identity, safe='')}" if identity else "")
        operation = f"{method} {_LISTS}/{name}" + ("/{id}" if identity else "")
        read = json_reader(parse, _check)
        return await self._twice(self._lists, operation, method, path, read, body)

    # Requests ------------------------------------------------------------------------------

    async def _stats(
        self, method: str, path: str, read: Read[T], body: Mapping[str, Any] | None = None
    ) -> T:
        return await self._twice(self._login, f"{method} {path}", method, path, read, body)

    async def _twice(
        self,
        login: Login,
        operation: str,
        method: str,
        path: str,
        read: Read[T],
        body: Mapping[str, Any] | None,
    ) -> T:
        """Make a request; where it is answered 401, sign in anew and make it once more."""
        await login.ready()
        try:
            return await self._once(login, operation, method, path, read, body)
        except Expired:
            await login.renew()
        return await self._once(login, operation, method, path, read, body)

    async def _once(
        self,
        login: Login,
        operation: str,
        method: str,
        path: str,
        read: Read[T],
        body: Mapping[str, Any] | None,
    ) -> T:
        request = self._http.client.build_request(
            method, self._base + path, json=body, headers=login.headers()
        )
        return await self._http.send(request, operation, read, self._timeout)


def _check(response: httpx.Response, _: object = None) -> None:
    """Raise what a status stands for; a 401 may mean an expired token, a 403 does not."""
    if response.status_code == httpx.codes.UNAUTHORIZED:
        raise Expired("HTTP 401: token or session not accepted")
    if response.status_code == httpx.codes.FORBIDDEN:
        raise Unprivileged(
            "HTTP 403: the user lacks a privilege, such as Access Realtime Stats API"
        )
    check_status(response)


async def _whatever(response: httpx.Response) -> None:
    """Take any answer but one to a token that is not accepted."""
    if response.status_code == httpx.codes.UNAUTHORIZED:
        _check(response)


async def _subscribed(response: httpx.Response) -> None:
    """Judge the answer to a subscription; success has an empty body."""
    if response.status_code == httpx.codes.CONFLICT:
        raise Throttled("HTTP 409: the tenant's limit of active subscriptions is reached")
    if response.status_code == httpx.codes.BAD_REQUEST:
        raise _declined(response.content)
    _check(response)


def _declined(body: bytes) -> Declined:
    """Read ``error_code`` and ``error_message``, whose values are published nowhere."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        found = {}
    code, said = found.get("error_code", "no code"), found.get("error_message", "no message")
    return Declined(str(code)[:_SAID], str(said)[:_SAID])


async def _data(response: httpx.Response) -> dict[str, Any] | None:
    if response.status_code == httpx.codes.NO_CONTENT:
        return None
    if response.status_code == httpx.codes.NOT_FOUND:
        raise SubscriptionLost("HTTP 404: no active subscription")
    return await json_reader(json_object, _check)(response)
