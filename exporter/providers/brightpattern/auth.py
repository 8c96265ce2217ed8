"""Signing in: an OAuth token that is renewed ahead of its end, or a session of the old kind.

Both have the same doors: ``ready`` before a request, ``headers`` with it, ``renew`` when the
platform said that it no longer knows us, ``sign_out`` at the end.
"""

import contextlib
import re
from collections.abc import Mapping
from typing import Any, Protocol

import httpx
from pydantic import SecretStr

from exporter.clock import Clock
from exporter.collector.http import Http, check_status
from exporter.collector.token import Token
from exporter.errors import InvalidAnswer, Unauthorized

_UNKNOWN_LIFE = 600.0  # seconds, where the platform does not say
_OLD_WAY = (
    "HTTP 403: releases from 5.36 on take no passwords; use auth: oauth with the API secret that "
    "the administrator application generates for the user"
)


class Login(Protocol):
    """A way to be known to the platform."""

    def begin(self) -> None:
        """Forget what an earlier session had, a refusal included."""

    async def ready(self) -> None:
        """See to it that there is something to show. Raises ``ProviderError``."""

    async def renew(self) -> None:
        """Get something new to show: the platform did not take the old. Raises likewise."""

    def headers(self) -> Mapping[str, str]:
        """Return what to send with a request."""

    async def sign_out(self) -> None:
        """End what can be ended. Raises ``ProviderError``."""


class OAuth:
    """A token by client credentials, from ``path``.

    The endpoint hands out a token that is still valid again, with the life that is left of it.
    """

    def __init__(
        self,
        http: Http,
        clock: Clock,
        base: str,
        path: str,
        form: Mapping[str, str],
        secret: SecretStr,
        timeout: float,
    ) -> None:
        self._http = http
        self._base = base
        self._path = path
        self._form = form
        self._secret = secret
        self._timeout = timeout
        self._token = Token(self._ask, clock)

    def begin(self) -> None:
        """Ask again even where that was refused before; a token that is valid stays."""
        self._token.clear_refusal()

    async def ready(self) -> None:
        """Ask for a token where there is none, or where most of its life is over."""
        await self._token.ensure_valid()

    async def renew(self) -> None:
        """Ask for a token now."""
        await self._token.renew(self._token.value)

    def headers(self) -> Mapping[str, str]:
        """Return the token as the header that carries it."""
        return self._token.headers

    async def sign_out(self) -> None:
        """Keep the token: there is no way to give it back."""

    async def _ask(self) -> tuple[str, float]:
        request = self._http.client.build_request(
            "POST",
            self._base + self._path,
            data={**self._form, "client_secret": self._secret.get_secret_value()},
        )
        return await self._http.json(
            request, f"POST {self._path}", _parse_token, self._timeout, _check_token
        )


class Password:
    """A session by ``POST /statsapi/auth``: its cookies are kept by the HTTP client."""

    _PATH = "/statsapi/auth"

    def __init__(
        self,
        http: Http,
        base: str,
        body: Mapping[str, str],
        password: SecretStr,
        timeout: float,
    ) -> None:
        self._http = http
        self._base = base
        self._body = body
        self._password = password
        self._timeout = timeout
        self._open = False

    def begin(self) -> None:
        """Do nothing: the next request signs in where that has not been done."""

    async def ready(self) -> None:
        """Sign in where that has not been done."""
        if not self._open:
            await self.renew()

    async def renew(self) -> None:
        """Sign in."""
        self._open = False
        await self._send("POST", {**self._body, "password": self._password.get_secret_value()})
        self._open = True

    def headers(self) -> Mapping[str, str]:
        """Return nothing: the cookies do."""
        return {}

    async def sign_out(self) -> None:
        """End the session; the vendor's wallboard does it so, no document says it."""
        if self._open:
            self._open = False
            await self._send("DELETE", None)

    async def _send(self, method: str, body: Mapping[str, str] | None) -> None:
        request = self._http.client.build_request(method, self._base + self._PATH, json=body)
        await self._http.send(request, f"{method} {self._PATH}", _read_session, self._timeout)


def _check_token(response: httpx.Response, _: object) -> None:
    if response.status_code == httpx.codes.BAD_REQUEST:
        raise Unauthorized("HTTP 400: username, API secret or tenant_url was not accepted")
    check_status(response)


def _parse_token(body: Any) -> tuple[str, float]:
    """Return a token and the seconds left of its life, which come as text."""
    token = body.get("access_token")
    if not isinstance(token, str) or not re.fullmatch(r"[!-~]+", token):
        raise InvalidAnswer("the answer holds no token")
    life = _UNKNOWN_LIFE
    with contextlib.suppress(TypeError, ValueError):
        life = float(int(body.get("expires_in")))
    return token, max(life, 0.0)


async def _read_session(response: httpx.Response) -> None:
    if response.status_code == httpx.codes.FORBIDDEN:
        raise Unauthorized(_OLD_WAY)
    check_status(response)
