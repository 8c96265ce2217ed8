"""Authentication: an OAuth token, or a session by user name and password.

Sources: Bright Pattern, Real-Time Statistics API and List Management API v3.2.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import httpx

from exporter.clock import Clock, Pace
from exporter.collector.http import Http, check_status
from exporter.collector.token import Token, check_pace, lifetime_of, token_of
from exporter.errors import Unauthorized
from exporter.providers.brightpattern.config import BrightPatternConfig

_OAUTH_REQUIRED = (
    "HTTP 403: releases from 5.36 on accept no passwords; use auth: oauth with the API secret that "
    "the administrator application generates for the user"
)


class Auth(Protocol):
    """A way to authenticate requests. Coroutines raise ``ProviderError``."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of every request."""

    def clear_refusal(self) -> None:
        """Forget an earlier refusal, so that the next request signs in."""

    async def ensure_valid(self) -> None:
        """Sign in unless that is done."""

    async def sign_in(self) -> None:
        """Sign in again after the platform rejected a request."""

    async def sign_out(self) -> None:
        """End the session where there is one."""


class TokenAuth(Token):
    """OAuth token by client credentials, of the Configuration API in ``version``.

    The endpoint returns a token that is still valid again, with the rest of its lifetime.
    """

    def __init__(self, config: BrightPatternConfig, http: Http, clock: Clock, version: str) -> None:
        super().__init__(self._request_token, clock)
        self._config = config
        self._http = http
        self._path = f"/configapi/{version}/oauth/token"

    async def sign_in(self) -> None:
        """Request a token now."""
        await self.renew(self.value)

    async def sign_out(self) -> None:
        """Keep the token: the API cannot revoke one."""

    async def _request_token(self) -> tuple[str, float]:
        config = self._config
        assert config.api_secret is not None, "checked by the configuration"
        request = self._http.client.build_request(
            "POST",
            config.root + self._path,
            data={
                "grant_type": "client_credentials",
                "client_id": config.username,
                "client_secret": config.api_secret.get_secret_value(),
                "scope": config.tenant,
            },
        )
        return await self._http.json(
            request, f"POST {self._path}", _parse_token, config.timeout, _check_token
        )


class PasswordAuth:
    """Session by ``POST /statsapi/auth``; the HTTP client keeps its cookies."""

    _PATH = "/statsapi/auth"

    def __init__(self, config: BrightPatternConfig, http: Http, clock: Clock) -> None:
        self._config = config
        self._http = http
        self._pace = Pace(clock)
        self._open = False
        self.headers: Mapping[str, str] = {}

    def clear_refusal(self) -> None:
        """Do nothing: a refusal is not remembered."""

    async def ensure_valid(self) -> None:
        """Sign in unless that is done."""
        if not self._open:
            await self.sign_in()

    async def sign_in(self) -> None:
        """Sign in."""
        config = self._config
        assert config.password is not None, "checked by the configuration"
        if self._open:
            self._pace.note_good()
        check_pace(self._pace)
        self._pace.begin()
        self._open = False
        body = {
            "tenant_url": config.tenant,
            "username": config.username,
            "password": config.password.get_secret_value(),
        }
        await self._send("POST", body)
        self._open = True

    async def sign_out(self) -> None:
        """End the session, as the vendor's wallboard does; the request is not documented."""
        if self._open:
            self._open = False
            await self._send("DELETE", None)

    async def _send(self, method: str, body: Mapping[str, str] | None) -> None:
        config = self._config
        request = self._http.client.build_request(method, config.root + self._PATH, json=body)
        await self._http.send(request, f"{method} {self._PATH}", _read_session, config.timeout)


def _check_token(response: httpx.Response, _: object) -> None:
    if response.status_code == httpx.codes.BAD_REQUEST:
        raise Unauthorized("HTTP 400: username, API secret or tenant_url was not accepted")
    check_status(response)


def _parse_token(body: Any) -> tuple[str, float]:
    """Return a token and the seconds left of its lifetime, which come as text."""
    return token_of(body.get("access_token")), lifetime_of(body.get("expires_in"))


async def _read_session(response: httpx.Response) -> None:
    if response.status_code == httpx.codes.FORBIDDEN:
        raise Unauthorized(_OAUTH_REQUIRED)
    check_status(response)
