"""Signing in to the Authentication API v3: a token by password or client credentials."""

import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import httpx

from exporter.clock import Clock
from exporter.collector.http import Http, check_status
from exporter.collector.token import Token
from exporter.errors import InvalidAnswer, ServerTrouble, Unauthorized
from exporter.metrics.parsers import number
from exporter.providers.genesys.config import GenesysConfig

_PATH = "/auth/v3"
_UNKNOWN_LIFE = 600.0  # seconds, where the platform does not say
_LONGEST_LIFE = 7 * 86_400.0
_CODE = re.compile(r"[a-z_]{1,40}")  # RFC 6749; anything else is not repeated
_BUSY = ("server_error", "temporarily_unavailable")  # RFC 6749, section 4.1.2.1
_REFUSED = (httpx.codes.BAD_REQUEST, httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)


class Login:
    """One user's token, with the headers that every request carries."""

    def __init__(self, config: GenesysConfig, http: Http, clock: Clock) -> None:
        self._config = config
        self._http = http
        self._base = (config.auth_url or config.base_url).rstrip("/") + _PATH
        self._form: dict[str, str] = {"grant_type": config.grant}
        if config.grant == "password":
            self._form |= {"username": str(config.username), "client_id": config.client_id}
        self._key = (
            {"x-api-key": config.api_key.get_secret_value()} if config.api_key is not None else {}
        )
        self.token = Token(self._ask, clock)

    def headers(self) -> dict[str, str]:
        """Return what every request carries: the token, and the key where there is one."""
        return {**self._key, **self.token.headers}

    async def sign_out(self, limit: float) -> None:
        """End this token, not the user's others, in ``limit`` seconds. Raises ``ProviderError``."""
        if not self.token.value:
            return
        request = self._http.client.build_request(
            "POST", self._base + "/sign-out", headers=self.headers()
        )
        self.token.forget()
        await self._http.send(request, "POST /sign-out", _whatever, limit)

    async def _ask(self) -> tuple[str, float]:
        config = self._config
        form = dict(self._form)
        if config.grant == "password" and config.password is not None:
            form["password"] = config.password.get_secret_value()
        secret = config.client_secret.get_secret_value()
        pair = b64encode(f"{config.client_id}:{secret}".encode()).decode()
        request = self._http.client.build_request(
            "POST",
            self._base + "/oauth/token",
            data=form,
            headers={
                **self._key,
                "Authorization": f"Basic {pair}",
                "Accept": "application/json",
            },
        )
        return await self._http.json(
            request, "POST /oauth/token", _parse_token, config.timeout, _check_token
        )


async def _whatever(_: httpx.Response) -> None:
    """Take any answer: there is nothing that could be done about it."""


def _check_token(response: httpx.Response, body: object) -> None:
    said = body.get("error") if isinstance(body, dict) else None
    if response.status_code in _REFUSED and isinstance(said, str) and said not in _BUSY:
        word = said if _CODE.fullmatch(said) else "refused"
        raise Unauthorized(f"HTTP {response.status_code}: {word}: the login was not accepted")
    if said in _BUSY:
        raise ServerTrouble(f"HTTP {response.status_code}: {said}")
    check_status(response)


def _parse_token(body: Mapping[str, Any]) -> tuple[str, float]:
    """Return a token and how many seconds it lives."""
    token = body.get("access_token")
    if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
        raise InvalidAnswer("the answer holds no token")
    return token, _life(body.get("expires_in"))


def _life(told: object) -> float:
    """Read how long a token lives; a time that is none is one we do not know."""
    try:
        life = float(number(told if isinstance(told, str | int | float) else None))
    except ValueError:
        return _UNKNOWN_LIFE
    return min(life, _LONGEST_LIFE) if life > 0 else _UNKNOWN_LIFE
