"""Tokens, sessions and subscriptions of the users.

Tokens follow the OAuth 2.0 client-credentials page of the Real-Time Statistics API (Postman
collection), sessions its deprecated "Authenticate" method. A session is valid until the same user
signs in to any wallboard; a user has one active subscription, and each costs a licence.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, NamedTuple
from uuid import UUID

from exporter.simulators.brightpattern.request import Block
from exporter.simulators.brightpattern.tenant import Tenant, object_id

_TOKEN_BITS, _GUID_BITS = 256, 128
_STATS = ("X-STATSAPI-TOKEN", "X-STATSAPI-TENANT", "X-STATSAPI-LOGIN")
_SESSION = "X-BP-SESSION-ID"
_ELSEWHERE = "another login"
_IDLE_SECONDS = 900.0  # without a poll, after which a subscription ends


class Caller(NamedTuple):
    """The user of a request, and the token or session that authenticates it."""

    user: str
    credential: str


class _Token(NamedTuple):
    user: str
    api: str
    expires: float


@dataclass(eq=False)
class Subscription:
    """One active subscription."""

    owner: str  # the credential that made it
    blocks: Mapping[str, Block]
    body: Any
    node: int  # behind the load balancer
    polls_until_ready: int
    used: float
    data: dict[str, Any] | None = None  # the last answer
    made: float = 0.0  # when the last answer was made

    @property
    def is_elsewhere(self) -> bool:
        """Whether another login of the user made it."""
        return self.owner == _ELSEWHERE


class Sessions:
    """The tokens and sessions of a tenant's users."""

    def __init__(self, tenant: Tenant, random: Random) -> None:
        self._tenant = tenant
        self._random = random
        self._tokens: dict[str, _Token] = {}
        self._users_by_session: dict[str, str] = {}
        self._wrong: Counter[str] = Counter()

    @property
    def wrong_secrets(self) -> int:
        """Number of consecutive wrong secrets, over all users."""
        return self._wrong.total()

    def token(self, form: Mapping[str, str], api: str) -> dict[str, Any] | None:
        """Return the answer to a request for a token, or None if a parameter is wrong."""
        tenant = self._tenant
        user = form.get("client_id", "")
        secrets = {**tenant.other_users, tenant.username: tenant.api_secret}
        secret = secrets.get(user)
        if not self._may_sign_in(
            user, is_valid=secret is not None and secret == form.get("client_secret")
        ):
            return None
        if (form.get("grant_type"), form.get("scope")) != ("client_credentials", tenant.tenant_url):
            return None
        now = tenant.clock.monotonic()
        self._tokens = {key: token for key, token in self._tokens.items() if token.expires > now}
        for key, token in self._tokens.items():
            if token.user == user and (tenant.tokens_shared or token.api == api):
                return self._answer(key, token)
        key = f"{self._random.getrandbits(_TOKEN_BITS):064X}"
        self._tokens[key] = _Token(user, api, now + tenant.token_seconds)
        return self._answer(key, self._tokens[key])

    def log_in(self, user: str, password: str, tenant_url: str) -> dict[str, Any] | None:
        """Open a session by password and end the user's former one; None if refused."""
        tenant = self._tenant
        is_valid = (user, password, tenant_url) == (
            tenant.username,
            tenant.password,
            tenant.tenant_url,
        )
        if not self._may_sign_in(user, is_valid=is_valid):
            return None
        self.log_out(user)
        key = str(UUID(int=self._random.getrandbits(_GUID_BITS), version=4)).upper()
        self._users_by_session[key] = user
        return {
            "token": key,
            "privileges": ["PUSH_PULL_GLOBAL_WALLBOARDS", "CUSTOMIZE_WALLBOARDS"],
            "user_id": object_id(f"user {user}"),
        }

    def cookies(self, session: str) -> dict[str, str]:
        """Return the cookies of a session."""
        if self._tenant.session_cookies == "session":
            return {_SESSION: session}
        user = self._users_by_session[session]
        return dict(zip(_STATS, (session, self._tenant.tenant_url, user), strict=True))

    def log_out(self, user: str) -> None:
        """End the user's session."""
        self._users_by_session = {
            key: owner for key, owner in self._users_by_session.items() if owner != user
        }

    def expire(self, user: str) -> None:
        """End every token and session of a user."""
        self._tokens = {key: token for key, token in self._tokens.items() if token.user != user}
        self.log_out(user)

    def caller(self, authorization: str, cookies: Mapping[str, str], api: str) -> Caller | None:
        """Return the caller of a request, or None if it is not authentic."""
        scheme, _, rest = authorization.partition(" ")
        if scheme.lower() == "bearer" and rest:
            return self._bearer(rest.strip(), api)
        return self._by_cookie(cookies) if api == "statsapi" else None

    def _bearer(self, key: str, api: str) -> Caller | None:
        token = self._tokens.get(key)
        if token is None or token.expires <= self._tenant.clock.monotonic():
            return None
        own = "v3" if api == "v3" else "v2"
        if not self._tenant.tokens_shared and token.api != own:
            return None
        return Caller(token.user, key)

    def _by_cookie(self, sent: Mapping[str, str]) -> Caller | None:
        """Return the session of the cookies; each cookie of its generation is required."""
        key = sent.get(_STATS[0], "") or sent.get(_SESSION, "")
        user = self._users_by_session.get(key)
        if user is None:
            return None
        is_valid = all(sent.get(name) == value for name, value in self.cookies(key).items())
        return Caller(user, key) if is_valid else None

    def _answer(self, key: str, token: _Token) -> dict[str, Any]:
        tenant = self._tenant
        left = int(token.expires - tenant.clock.monotonic())
        return {
            "access_token": key,
            "token_type": "Bearer",
            "expires_in": str(left) if tenant.expires_in == "string" else left,
            "scope": tenant.tenant_url,
        }

    def _may_sign_in(self, user: str, *, is_valid: bool) -> bool:
        """Count wrong secrets and return whether a user may sign in."""
        limit = self._tenant.lock_after
        locked = limit is not None and self._wrong[user] >= limit
        if is_valid and not locked:
            self._wrong[user] = 0
            return True
        self._wrong[user] += 1
        return False


class Subscriptions:
    """Active subscriptions of the users, and the licences they use."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant
        self._active: dict[str, Subscription] = {}

    @property
    def count(self) -> int:
        """Number of licences in use."""
        self._forget_idle()
        return len(self._active) + self._tenant.wallboards_open

    def has_licence(self, caller: Caller) -> bool:
        """Return whether a caller may subscribe; replacing a subscription needs no licence."""
        limit = self._tenant.max_active_subscriptions
        return limit is None or self._key(caller) in self._active or self.count < limit

    def add(self, caller: Caller, blocks: Mapping[str, Block], body: Any, node: int) -> None:
        """Add a subscription in place of the caller's former one."""
        tenant = self._tenant
        self._active[self._key(caller)] = Subscription(
            caller.credential,
            blocks,
            body,
            node,
            tenant.polls_until_ready,
            tenant.clock.monotonic(),
        )

    def take_over(self, user: str, blocks: Mapping[str, Block]) -> None:
        """Replace the subscriptions of a user by that of another login."""
        self._active = {
            key: subscription
            for key, subscription in self._active.items()
            if key.partition("\0")[0] != user
        }
        self.add(Caller(user, _ELSEWHERE), blocks, None, node=0)
        self._active[self._key(Caller(user, _ELSEWHERE))].polls_until_ready = 0

    def find(self, caller: Caller, node: int) -> Subscription | None:
        """Return the subscription of a caller as a node knows it, or None."""
        self._forget_idle()
        subscription = self._active.get(self._key(caller))
        if subscription is None:
            return None
        is_astray = self._tenant.sticky_required and subscription.node != node
        if is_astray and not subscription.is_elsewhere:
            return None
        subscription.used = self._tenant.clock.monotonic()
        return subscription

    def remove(self, caller: Caller) -> bool:
        """End the subscription of a caller and return whether there was one."""
        self._forget_idle()
        return self._active.pop(self._key(caller), None) is not None

    def body(self, user: str) -> Any:
        """Return the body of a user's subscription, or None."""
        self._forget_idle()
        for key, subscription in self._active.items():
            if key.partition("\0")[0] == user:
                return subscription.body
        return None

    def _key(self, caller: Caller) -> str:
        if self._tenant.subscription_per == "user":
            return caller.user
        return f"{caller.user}\0{caller.credential}"

    def _forget_idle(self) -> None:
        now = self._tenant.clock.monotonic()
        self._active = {
            key: subscription
            for key, subscription in self._active.items()
            if now - subscription.used <= _IDLE_SECONDS
        }
