"""Who is signed in to the simulator, and what each user has subscribed to.

Tokens follow the OAuth 2.0 client-credentials page of the Real-Time Statistics API (Postman
collection), sessions its deprecated "Authenticate" method. A session is valid until the same user
signs in to any wallboard; a user has one active subscription, and each costs a licence.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple
from uuid import UUID

from exporter.simulators.brightpattern.request import Block
from exporter.simulators.brightpattern.tenant import Tenant, object_id

_TOKEN_BITS, _GUID_BITS = 256, 128
_STATS = ("X-STATSAPI-TOKEN", "X-STATSAPI-TENANT", "X-STATSAPI-LOGIN")
_SESSION = "X-BP-SESSION-ID"
_ELSEWHERE = "another login"


class Caller(NamedTuple):
    """Who makes a request, and by which token or session."""

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
    node: int  # of the machines behind the balancer
    polls_until_ready: int
    used: float
    data: dict[str, Any] | None = field(default=None)  # the last ones, and when they were made
    made: float = 0.0

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
        """How many wrong secrets in a row the platform holds against its users."""
        return self._wrong.total()

    def token(self, form: Mapping[str, str], api: str) -> dict[str, Any] | None:
        """Answer the request for a token, or nothing if a parameter is wrong."""
        tenant = self._tenant
        user = form.get("client_id", "")
        secrets = {**tenant.other_users, tenant.username: tenant.api_secret}
        secret = secrets.get(user)
        if not self._is_welcome(
            user, right=secret is not None and secret == form.get("client_secret")
        ):
            return None
        if (form.get("grant_type"), form.get("scope")) != ("client_credentials", tenant.tenant_url):
            return None
        now = tenant.clock.monotonic()
        self._tokens = {key: token for key, token in self._tokens.items() if token.expires > now}
        for key, token in self._tokens.items():
            if token.user == user and (tenant.tokens_shared or token.api == api):
                return self._granted(key, token)
        key = f"{self._random.getrandbits(_TOKEN_BITS):064X}"
        self._tokens[key] = _Token(user, api, now + tenant.token_seconds)
        return self._granted(key, self._tokens[key])

    def log_in(self, user: str, password: str, tenant_url: str) -> dict[str, Any] | None:
        """Open a session by password and end the user's former one, or return nothing."""
        tenant = self._tenant
        right = (user, password, tenant_url) == (
            tenant.username,
            tenant.password,
            tenant.tenant_url,
        )
        if not self._is_welcome(user, right=right):
            return None
        self.log_out(user)
        key = str(UUID(int=self._random.getrandbits(_GUID_BITS), version=4)).upper()
        self._users_by_session[key] = user
        opened: dict[str, Any] = {"token": key}
        if tenant.login_details:
            opened["privileges"] = ["PUSH_PULL_GLOBAL_WALLBOARDS", "CUSTOMIZE_WALLBOARDS"]
            opened["user_id"] = object_id(f"user {user}")
        return opened

    def cookies(self, session: str) -> dict[str, str]:
        """Return the cookies of a session."""
        if self._tenant.session_cookies == "session":
            return {_SESSION: session}
        user = self._users_by_session[session]
        return dict(zip(_STATS, (session, self._tenant.tenant_url, user), strict=True))

    def log_out(self, user: str) -> None:
        """End the user's session."""
        self._users_by_session = {
            key: who for key, who in self._users_by_session.items() if who != user
        }

    def expire(self, user: str) -> None:
        """End every token and session of a user."""
        self._tokens = {key: token for key, token in self._tokens.items() if token.user != user}
        self.log_out(user)

    def who(self, authorization: str, cookies: Mapping[str, str], api: str) -> Caller | None:
        """Return who makes a request, or nothing if it is not authentic."""
        scheme, _, rest = authorization.partition(" ")
        if scheme.lower() == "bearer" and rest:
            return self._bearer(rest.strip(), api)
        if self._tenant.raw_tokens and scheme:
            return self._bearer(scheme, api) or self._session(scheme)
        return self._by_cookie(cookies) if api == "statsapi" else None

    def _bearer(self, key: str, api: str) -> Caller | None:
        token = self._tokens.get(key)
        if token is None or token.expires <= self._tenant.clock.monotonic():
            return None
        own = "v3" if api == "v3" else "v2"
        if not self._tenant.tokens_shared and token.api != own:
            return None
        return Caller(token.user, key)

    def _session(self, key: str) -> Caller | None:
        user = self._users_by_session.get(key)
        return None if user is None else Caller(user, key)

    def _by_cookie(self, sent: Mapping[str, str]) -> Caller | None:
        """Find the session that the cookies name; each of its generation has to be there."""
        caller = self._session(sent.get(_STATS[0], "") or sent.get(_SESSION, ""))
        if caller is None:
            return None
        wanted = self.cookies(caller.credential)
        right = all(sent.get(name) == value for name, value in wanted.items())
        return caller if right else None

    def _granted(self, key: str, token: _Token) -> dict[str, Any]:
        tenant = self._tenant
        left = int(token.expires - tenant.clock.monotonic())
        return {
            "access_token": key,
            "token_type": "Bearer",
            "expires_in": str(left) if tenant.expires_in == "string" else left,
            "scope": tenant.tenant_url,
        }

    def _is_welcome(self, user: str, *, right: bool) -> bool:
        """Count wrong secrets, and tell whether a user may come in."""
        limit = self._tenant.lock_after
        locked = limit is not None and self._wrong[user] >= limit
        if right and not locked:
            self._wrong[user] = 0
            return True
        self._wrong[user] += 1
        return False


class Subscriptions:
    """What the users of a tenant have subscribed to, and the licences that this costs."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant
        self._active: dict[str, Subscription] = {}

    @property
    def count(self) -> int:
        """How many licences are in use."""
        self._forget_idle()
        return len(self._active) + self._tenant.wallboards_open

    def has_licence(self, caller: Caller) -> bool:
        """Tell whether a user may subscribe: who does so already only replaces."""
        limit = self._tenant.max_active_subscriptions
        return limit is None or self._key(caller) in self._active or self.count < limit

    def make(self, caller: Caller, blocks: Mapping[str, Block], body: Any, node: int) -> None:
        """Subscribe, in place of what there was."""
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
        """Let another login of a user subscribe."""
        self._active = {
            key: each for key, each in self._active.items() if key.partition("\0")[0] != user
        }
        self.make(Caller(user, _ELSEWHERE), blocks, None, node=0)
        self._active[self._key(Caller(user, _ELSEWHERE))].polls_until_ready = 0

    def find(self, caller: Caller, node: int) -> Subscription | None:
        """Return what a caller has subscribed to, as the machine that is asked knows it."""
        self._forget_idle()
        found = self._active.get(self._key(caller))
        astray = found is not None and self._tenant.sticky_required and found.node != node
        if found is None or (astray and not found.is_elsewhere):
            return None
        if self._tenant.polling_keeps_alive:
            found.used = self._tenant.clock.monotonic()
        return found

    def drop(self, caller: Caller) -> bool:
        """End a subscription, if there is one."""
        self._forget_idle()
        return self._active.pop(self._key(caller), None) is not None

    def body(self, user: str) -> Any:
        """Return what a user has asked for, as it came, or nothing."""
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
        limit, now = self._tenant.subscription_idle_seconds, self._tenant.clock.monotonic()
        if limit is not None:
            self._active = {
                key: each for key, each in self._active.items() if now - each.used <= limit
            }
