"""Who is connected? HTTP sessions, and the CometD sessions bound to them with what they wait for.

CometD finds a session through the browser's cookie: a right client id without it is unknown.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from exporter.simulators.genesys.tenant import Tenant

UPDATES, SERVICE = "/statistics/v3/updates", "/statistics/v3/service"
_SESSIONS = 1000  # of each kind; the oldest goes first
_HTTP_SESSION_SECONDS = 1800.0  # without a request
_QUEUE_LIMIT = 200_000  # undelivered updates of one session


@dataclass(slots=True, eq=False)
class Hold:
    """A connect that waits for news."""

    is_cancelled: bool = False  # another connect came
    is_released: bool = False  # the session disconnected
    wake: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True, eq=False)
class HttpSession:
    """What STATISTICS_SESSIONID names; ``used`` is by the monotonic clock."""

    id: str
    node: int
    used: float


@dataclass(slots=True, eq=False)
class CometSession:
    """One CometD session; ``seen`` is when its last connect ended, by the monotonic clock."""

    client_id: str
    browser: str
    http: str
    node: int
    seen: float
    has_ack: bool
    channels: set[str] = field(default_factory=set)
    queue: deque[dict[str, Any]] = field(default_factory=deque)  # update entries and service states
    hold: Hold | None = None
    acked: int = 0  # the number of the last batch
    unacknowledged: list[tuple[int, list[dict[str, Any]]]] = field(default_factory=list)

    def acknowledge(self, number: int) -> None:
        """Forget the batches that have arrived."""
        self.unacknowledged = [each for each in self.unacknowledged if each[0] > number]


class Sessions:
    """Everybody who is connected to the service."""

    def __init__(self, tenant: Tenant, random: Random, on_end: Callable[[str], None]) -> None:
        self._tenant = tenant
        self._random = random
        self._on_end = on_end  # called with the HTTP session of a CometD session that ended
        self._http: dict[str, HttpSession] = {}
        self._comet: dict[str, CometSession] = {}

    @property
    def live(self) -> list[CometSession]:
        """The CometD sessions that have not expired, the oldest first."""
        self.sweep()
        return list(self._comet.values())

    def key(self) -> str:
        """Return a new id."""
        return f"{self._random.getrandbits(128):032x}"

    def http(self, key: str | None, node: int) -> HttpSession | None:
        """Return an HTTP session by its cookie, where this node knows it."""
        self.sweep()
        found = self._http.get(key or "")
        if found is None or (self._tenant.settings.balancer and found.node != node):
            return None
        found.used = self._tenant.clock.monotonic()
        return found

    def knows(self, key: str) -> bool:
        """Tell whether there is such an HTTP session."""
        return key in self._http

    def hears(self, key: str) -> bool:
        """Tell whether a CometD session of such an HTTP session lives."""
        return any(each.http == key for each in self._comet.values())

    def open_http(self, node: int) -> HttpSession:
        """Begin an HTTP session."""
        session = HttpSession(self.key(), node, self._tenant.clock.monotonic())
        self._http[session.id] = session
        if len(self._http) > _SESSIONS:
            self._end_http(next(iter(self._http)))
        return session

    def open(self, browser: str, http: HttpSession, *, has_ack: bool) -> CometSession:
        """Begin a CometD session."""
        now = self._tenant.clock.monotonic()
        session = CometSession(self.key(), browser, http.id, http.node, now, has_ack)
        self._comet[session.client_id] = session
        if len(self._comet) > _SESSIONS:
            self.end(next(iter(self._comet.values())))
        return session

    def find(self, client_id: object, browser: str | None, node: int) -> CometSession | None:
        """Return a CometD session by its id and its cookie."""
        self.sweep()
        found = self._comet.get(client_id) if isinstance(client_id, str) else None
        if found is None or found.browser != browser:
            return None
        return found if not self._tenant.settings.balancer or found.node == node else None

    def is_live(self, session: CometSession) -> bool:
        """Tell whether a session has not ended."""
        return session.client_id in self._comet

    def has_rival(self, session: CometSession) -> bool:
        """Tell whether another session of the same browser holds a connect."""
        return any(
            each.browser == session.browser and each is not session and each.hold is not None
            for each in self._comet.values()
        )

    def end(self, session: CometSession) -> None:
        """End a CometD session; a held connect notices."""
        if self._comet.pop(session.client_id, None) is not None:
            if session.hold is not None:
                session.hold.wake.set()
            self._on_end(session.http)

    def end_all(self, *, http: bool) -> None:
        """Forget every CometD session, and the HTTP sessions too."""
        for session in list(self._comet.values()):
            self.end(session)
        if http:
            for key in list(self._http):
                self._end_http(key)

    def _end_http(self, key: str) -> None:
        del self._http[key]
        self._on_end(key)

    def sweep(self) -> None:
        """End what nobody has asked about for too long."""
        now, settings = self._tenant.clock.monotonic(), self._tenant.settings
        for session in list(self._comet.values()):
            if session.hold is None and now - session.seen > settings.max_interval:
                self.end(session)
        held = {session.http for session in self._comet.values()}
        for key, http in list(self._http.items()):
            if key not in held and now - http.used > _HTTP_SESSION_SECONDS:
                self._end_http(key)

    def listener(self, http: str) -> Callable[[dict[str, Any]], None] | None:
        """Return what takes the updates of an HTTP session, if somebody listens."""
        listening = [
            each for each in self._comet.values() if each.http == http and UPDATES in each.channels
        ]
        if not listening:
            return None

        def send(update: dict[str, Any]) -> None:
            for session in listening:
                session.queue.append(update)

        return send

    def announce(self, state: str) -> None:
        """Tell everybody who listens what state the service is in."""
        for session in self.live:
            if SERVICE in session.channels:
                session.queue.append({"serviceState": state})

    def limit(self) -> None:
        """Drop the sessions that take too little, as CometD does past its limit of the queue."""
        for session in list(self._comet.values()):
            waiting = len(session.queue) + sum(len(each[1]) for each in session.unacknowledged)
            if waiting > _QUEUE_LIMIT:
                self.end(session)
