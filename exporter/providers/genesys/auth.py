"""Authentication: a token of the Authentication API v3, by password or client credentials."""

import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import httpx

from exporter.clock import Clock
from exporter.collector.http import Http, check_status
from exporter.collector.token import DEFAULT_LIFETIME, Token, lifetime_of, token_of
from exporter.errors import ServerTrouble, Unauthorized
from exporter.providers.genesys.config import GenesysConfig

_PATH = "/auth/v3"
_CODE = re.compile(r"[a-z_]{1,40}")  # RFC 6749; other text is not repeated
_TEMPORARY_ERRORS = ("server_error", "temporarily_unavailable")  # RFC 6749, section 4.1.2.1
_REFUSED = (httpx.codes.BAD_REQUEST, httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)


class TokenAuth(Token):
    """The token of one user, and the headers of every request."""

    def __init__(self, config: GenesysConfig, http: Http, clock: Clock) -> None:
        super().__init__(self._request_token, clock)
        self._config = config
        self._http = http
        self._base = (config.auth_url or config.base_url).rstrip("/") + _PATH
        key = config.api_key
        self._key_header = {"x-api-key": key.get_secret_value()} if key is not None else {}

    @property
    def headers(self) -> dict[str, str]:
        """The token and, where configured, the API key."""
        return {**self._key_header, **super().headers}

    async def sign_out(self, limit: float) -> None:
        """End this token, but no other of the user, in ``limit`` seconds.

        Raises ``ProviderError``.
        """
        if not self.value:
            return
        request = self._http.client.build_request(
            "POST", self._base + "/sign-out", headers=self.headers
        )
        self.forget()
        await self._http.send(request, "POST /sign-out", _ignore_body, limit)

    async def _request_token(self) -> tuple[str, float]:
        config = self._config
        form: dict[str, str] = {"grant_type": config.grant}
        if config.grant == "password" and config.password is not None:
            form |= {
                "username": str(config.username),
                "client_id": config.client_id,
                "password": config.password.get_secret_value(),
            }
        secret = config.client_secret.get_secret_value()
        pair = b64encode(f"{config.client_id}:{secret}".encode()).decode()
        request = self._http.client.build_request(
            "POST",
            self._base + "/oauth/token",
            data=form,
            headers={
                **self._key_header,
                "Authorization": f"Basic {pair}",
                "Accept": "application/json",
            },
        )
        return await self._http.json(
            request, "POST /oauth/token", _parse_token, config.timeout, _check_token
        )


async def _ignore_body(_: httpx.Response) -> None:
    """Accept any response to a sign-out."""


def _check_token(response: httpx.Response, body: object) -> None:
    error = body.get("error") if isinstance(body, dict) else None
    if error in _TEMPORARY_ERRORS:
        raise ServerTrouble(f"HTTP {response.status_code}: {error}")
    if response.status_code in _REFUSED and isinstance(error, str):
        code = error if _CODE.fullmatch(error) else "refused"
        raise Unauthorized(f"HTTP {response.status_code}: {code}: the login was not accepted")
    check_status(response)


def _parse_token(answer: Mapping[str, Any]) -> tuple[str, float]:
    """Return a token and its lifetime in seconds."""
    lifetime = lifetime_of(answer.get("expires_in")) or DEFAULT_LIFETIME
    return token_of(answer.get("access_token")), lifetime
