"""Tokens and refusals of the Authentication API v3."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl
from uuid import UUID

from starlette.responses import JSONResponse, Response

from exporter.simulators.genesys.tenant import Tenant

_FORM = "application/x-www-form-urlencoded"
_TOKENS = 1000  # live ones; the oldest goes first


@dataclass(slots=True)
class Token:
    """User of an access token and its expiry by the monotonic clock."""

    user: str
    expires: float


class RefusedError(Exception):
    """A refused token request, with the error codes of RFC 6749."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(error)
        headers = {"WWW-Authenticate": 'Basic realm="auth"'} if status == 401 else None  # noqa: PLR2004
        body = {"error": error, "error_description": description}
        self.response = JSONResponse(body, status, headers)


class Tokens:
    """Issued access and refresh tokens."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant
        self._live: dict[str, Token] = {}
        self._refresh: dict[str, str] = {}  # refresh token -> user

    @property
    def count(self) -> int:
        """Number of access tokens that were not signed out."""
        return len(self._live)

    def expire(self) -> None:
        """End every access token."""
        self._live.clear()

    def who(self, authorization: str) -> Token | None:
        """Return the token of an Authorization header; the scheme may be in lower case."""
        scheme, _, secret = authorization.partition(" ")
        token = self._live.get(secret) if scheme.lower() == "bearer" else None
        return (
            token if token is not None and self._tenant.clock.monotonic() < token.expires else None
        )

    def sign_out(self, authorization: str, *, everywhere: bool) -> None:
        """End this token, or all tokens of its user."""
        mine = self.who(authorization)
        secret = authorization.partition(" ")[2]
        if mine is not None:
            self._live = {
                key: token
                for key, token in self._live.items()
                if key != secret and not (everywhere and token.user == mine.user)
            }

    def grant(self, headers: Mapping[str, str], body: bytes) -> Response:
        """Answer a token request."""
        try:
            self._check_client(headers.get("authorization", ""))
            return self._issue(_form(headers, body))
        except RefusedError as refusal:
            return refusal.response

    def _check_client(self, authorization: str) -> None:
        scheme, _, encoded = authorization.partition(" ")
        try:
            decoded = base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            decoded = ""
        known = f"{self._tenant.client_id}:{self._tenant.client_secret}"
        if scheme.lower() != "basic" or decoded != known:
            raise RefusedError("invalid_client", "Bad client credentials", 401)

    def _issue(self, form: dict[str, str]) -> Response:
        grant = form.get("grant_type", "")
        if form.get("client_id", self._tenant.client_id) != self._tenant.client_id:
            raise RefusedError("invalid_client", "Given client ID does not match", 401)
        if form.get("scope", "*") != "*":
            raise RefusedError("invalid_scope", "Invalid scope")
        user = self._user(grant, form)
        answer: dict[str, object] = {
            "access_token": self._uuid(),
            "token_type": "bearer",
            "scope": "*",
        }
        if self._tenant.says_expires_in:
            answer["expires_in"] = int(self._tenant.token_seconds)
        if grant != "client_credentials":
            answer["refresh_token"] = self._uuid()
            self._refresh[str(answer["refresh_token"])] = user
        expires = self._tenant.clock.monotonic() + self._tenant.token_seconds
        self._live[str(answer["access_token"])] = Token(user, expires)
        while len(self._live) > _TOKENS:
            del self._live[next(iter(self._live))]
        while len(self._refresh) > _TOKENS:
            del self._refresh[next(iter(self._refresh))]
        return JSONResponse(answer, headers={"Cache-Control": "no-store"})

    def _user(self, grant: str, form: dict[str, str]) -> str:
        match grant:
            case "":
                raise RefusedError("invalid_request", "Missing grant type")
            case "client_credentials":
                return self._tenant.client_id
            case "password":
                given = (form.get("username"), form.get("password"))
                if given == (self._tenant.username, self._tenant.password):
                    return self._tenant.username
                raise RefusedError("invalid_grant", "Bad credentials")
            case "refresh_token":
                user = self._refresh.pop(form.get("refresh_token", ""), None)
                if user is not None:
                    return user
                raise RefusedError("invalid_grant", "Invalid refresh token")
        raise RefusedError("unsupported_grant_type", f"Unsupported grant type: {grant}")

    def _uuid(self) -> str:
        return str(UUID(int=self._tenant.random.getrandbits(128), version=4))


def _form(headers: Mapping[str, str], body: bytes) -> dict[str, str]:
    """Return the form fields of a request; refuse any other media type."""
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != _FORM:
        raise RefusedError("invalid_request", "a form is expected", 415)
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
