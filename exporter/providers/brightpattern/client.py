"""HTTP client of one user: Real-Time Statistics API and List Management API, JSON both ways.

A request that is answered 401 is repeated once after a new sign-in. Every method raises
``ProviderError``.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

import httpx

from exporter.clock import Clock
from exporter.collector.bounds import SMALL
from exporter.collector.http import (
    Http,
    Read,
    check_status,
    json_array,
    json_object,
    json_reader,
    parse_json,
)
from exporter.collector.token import RenewalPaused
from exporter.collector.transport import REPEATABLE
from exporter.errors import InvalidAnswer, ProviderError, Refused, Throttled, Unauthorized
from exporter.metrics.parsers import plain_text
from exporter.providers.brightpattern.auth import Auth, PasswordAuth, TokenAuth
from exporter.providers.brightpattern.config import CAMPAIGNS, BrightPatternConfig

T = TypeVar("T")
_LONGEST_CODE = 40  # characters
_STATS = "/statsapi"
_LISTS = "/configapi/v3/campaign"


class TokenRejected(Unauthorized):
    """The platform rejects the token or session (HTTP 401), which may have expired."""


class PrivilegeMissing(Unauthorized):
    """The user lacks a privilege (HTTP 403)."""

    remedy = (
        "The platform accepts the user, but not the request. Grant the user the privilege Access "
        "Realtime Stats API."
    )


class SubscriptionDeclined(Refused):
    """The platform declines the body of a subscription (HTTP 400), for the reason ``code``."""

    remedy = (
        "The platform declines the subscription. Check statistics, services and teams of the "
        "account; the log shows the platform's error_code."
    )

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"HTTP 400: {code}: {text}")
        self.code = code[:_LONGEST_CODE]


class EveryStatisticDeclined(Refused):
    """The platform declines a subscription to each statistic alone."""

    remedy = (
        "The platform declines every statistic. Set column_key: statName, which some of its "
        "versions expect; then check services and teams of the account."
    )


class SubscriptionLost(Refused):
    """The exporter's subscription has expired, or another login of the user has replaced it."""

    reason = "session"
    lasting = False
    remedy = (
        "The subscription was lost and is made anew. If this repeats, another program uses the "
        "same user: give the exporter a user of its own."
    )


class SubscriptionLimitReached(Throttled):
    """The tenant's limit of active subscriptions is reached (HTTP 409)."""

    remedy = (
        "No subscription is free. Close a wallboard, or ask Bright Pattern for another licence."
    )


class DataNotReady(ProviderError):
    """The subscription has no data yet (HTTP 204)."""

    reason = "empty"
    remedy = "The platform has no data yet; if this lasts, check the user's privileges and teams."
    early = True


class Client:
    """Requests of one user."""

    def __init__(self, config: BrightPatternConfig, http: Http, clock: Clock) -> None:
        self._http = http
        self._root = config.root
        self._timeout = config.timeout
        self._working: set[Auth] = set()  # a request was answered since they last signed in
        self._auth: Auth = (
            TokenAuth(config, http, clock, "v2")
            if config.auth == "oauth"
            else PasswordAuth(config, http, clock)
        )
        self._lists_auth = (
            TokenAuth(config, http, clock, "v3") if CAMPAIGNS in config.enabled_feeds() else None
        )

    # Session -------------------------------------------------------------------------------

    async def sign_in(self) -> None:
        """Drop the cookies of an earlier session; sign in unless that is done."""
        self._http.forget_cookies()
        self._auth.clear_refusal()
        await self._auth.ensure_valid()

    async def sign_out(self) -> None:
        """End the session where there is one."""
        await self._auth.sign_out()

    async def directory(self, kind: str) -> list[Any]:
        """Read the names (and ids) of ``services``, ``teams`` or ``dispositions``."""

        def parse(body: Any) -> list[Any]:
            # Release 3.10 returns an object, later ones a list (Real-Time Statistics API).
            return json_array(body.get(kind) if isinstance(body, dict) else body)

        read = json_reader(parse, _check)
        return await self._send(self._auth, f"GET {_STATS}/cfg/{kind}", read)

    # Subscription --------------------------------------------------------------------------

    async def unsubscribe(self) -> None:
        """Delete the active subscription. Any status is accepted: there may be none."""
        operation = f"DELETE {_STATS}/subscription/active"
        await self._send(self._auth, operation, _ignore_body)

    async def subscribe(self, body: Mapping[str, Any]) -> None:
        """Replace the subscription. Raises ``SubscriptionDeclined`` and others."""
        operation = f"POST {_STATS}/subscription"
        await self._send(self._auth, operation, _read_subscribed, body)

    async def data(self) -> dict[str, Any]:
        """Read the subscription's data. Raises ``DataNotReady``, ``SubscriptionLost``, others."""
        operation = f"GET {_STATS}/subscription/data"
        data = await self._send(self._auth, operation, _read_data, size=self._http.max_answer)
        if data is None:
            raise DataNotReady("HTTP 204: no data yet")
        return data

    # List Management -----------------------------------------------------------------------

    async def campaigns(self) -> list[Any]:
        """Read the enabled outbound campaigns."""
        return await self._list_management("GET", "getAll", json_array)

    async def campaign(self, identity: str) -> dict[str, Any]:
        """Read a campaign with its lists."""
        return await self._list_management("GET", "getCampaign", json_object, identity)

    async def records(
        self, identity: str, instance: str, limit: int, cursor: str | None
    ) -> dict[str, Any]:
        """Read a page of the records of a campaign's list."""
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
        assert self._lists_auth is not None, "the feed campaigns is off"
        operation = f"{method} {_LISTS}/{name}" + ("/{id}" if identity else "")
        read = json_reader(parse, _check)
        size = self._http.max_answer
        return await self._send(self._lists_auth, operation, read, body, identity, size=size)

    # Requests ------------------------------------------------------------------------------

    async def _send(
        self,
        auth: Auth,
        operation: str,
        read: Read[T],
        body: Mapping[str, Any] | None = None,
        identity: str = "",
        *,
        size: int = SMALL,
    ) -> T:
        """Send a request; where it is answered 401, sign in again and repeat it once.

        ``operation`` is method and path, whose ``{id}`` is replaced by ``identity``.
        """
        method, _, path = operation.partition(" ")
        url = self._root + path.replace("{id}", quote(identity, safe=""))

        async def send() -> T:
            request = self._http.client.build_request(
                method,
                url,
                json=body,
                headers=auth.headers,
                extensions={REPEATABLE: "/getAllRecords/" in path},
            )
            return await self._http.send(request, operation, read, self._timeout, size=size)

        await auth.ensure_valid()
        try:
            result = await send()
        except TokenRejected:
            try:
                await auth.sign_in()
            except RenewalPaused:
                if auth in self._working:
                    raise
            else:
                self._working.discard(auth)
            result = await send()
        self._working.add(auth)
        return result


def _check(response: httpx.Response, _: object = None) -> None:
    """Raise the error of a status; a 401 may mean an expired token, a 403 does not."""
    if response.status_code == httpx.codes.UNAUTHORIZED:
        raise TokenRejected("HTTP 401: token or session not accepted")
    if response.status_code == httpx.codes.FORBIDDEN:
        raise PrivilegeMissing(
            "HTTP 403: the user lacks a privilege, such as Access Realtime Stats API"
        )
    check_status(response)


async def _ignore_body(response: httpx.Response) -> None:
    """Accept any response but a 401."""
    if response.status_code == httpx.codes.UNAUTHORIZED:
        _check(response)


async def _read_subscribed(response: httpx.Response) -> None:
    """Check the response to a subscription; on success it has no body."""
    if response.status_code == httpx.codes.CONFLICT:
        raise SubscriptionLimitReached(
            "HTTP 409: the tenant's limit of active subscriptions is reached"
        )
    if response.status_code == httpx.codes.BAD_REQUEST:
        raise await _declined(response)
    _check(response)


async def _declined(response: httpx.Response) -> SubscriptionDeclined:
    """Read ``error_code`` and ``error_message``, whose values are not documented."""
    try:
        body = await parse_json(response)
    except InvalidAnswer:
        body = None
    if not isinstance(body, dict):
        body = {}
    code = plain_text(body.get("error_code")) or "no code"
    text = plain_text(body.get("error_message")) or "no message"
    return SubscriptionDeclined(code, text)


async def _read_data(response: httpx.Response) -> dict[str, Any] | None:
    if response.status_code == httpx.codes.NO_CONTENT:
        return None
    if response.status_code == httpx.codes.NOT_FOUND:
        raise SubscriptionLost("HTTP 404: no active subscription")
    return await json_reader(json_object, _check)(response)
