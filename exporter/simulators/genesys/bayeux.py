"""CometD endpoint: sessions, handshakes, held connects, channels, and the events between replies.

CometD finds a session by the BAYEUX_BROWSER cookie: the right client id without it is unknown.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from exporter.simulators.genesys.tenant import Tenant

UPDATES, SERVICE = "/statistics/v3/updates", "/statistics/v3/service"
_SESSIONS = 1000  # of each kind; the oldest goes first
_HTTP_SESSION_SECONDS = 1800.0  # without a request
_QUEUE_LIMIT = 200_000  # undelivered updates of one session


@dataclass(slots=True, eq=False)
class Hold:
    """A held connect."""

    is_cancelled: bool = False  # another connect came
    is_released: bool = False  # the session disconnected
    wake: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True, eq=False)
class HttpSession:
    """The HTTP session of a STATISTICS_SESSIONID; ``used`` is of the monotonic clock."""

    id: str
    node: int
    used: float


@dataclass(slots=True, eq=False)
class CometSession:
    """One CometD session; ``seen`` is the end of its last connect by the monotonic clock."""

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
        """Drop acknowledged batches."""
        self.unacknowledged = [batch for batch in self.unacknowledged if batch[0] > number]


class Sessions:
    """The HTTP and CometD sessions of the service."""

    def __init__(self, tenant: Tenant, on_end: Callable[[str], None]) -> None:
        self._tenant = tenant
        self._on_end = on_end  # called with the id of the HTTP session of an ended CometD session
        self._http: dict[str, HttpSession] = {}
        self._comet: dict[str, CometSession] = {}

    @property
    def live(self) -> list[CometSession]:
        """The CometD sessions that have not expired, the oldest first."""
        self.sweep()
        return list(self._comet.values())

    def key(self) -> str:
        """Return a new id."""
        return f"{self._tenant.random.getrandbits(128):032x}"

    def http(self, key: str | None, node: int) -> HttpSession | None:
        """Return an HTTP session by its cookie, None if this node does not have it."""
        self.sweep()
        session = self._http.get(key or "")
        if session is None or (self._tenant.balancer and session.node != node):
            return None
        session.used = self._tenant.clock.monotonic()
        return session

    def knows(self, key: str) -> bool:
        """Return whether an HTTP session exists."""
        return key in self._http

    def hears(self, key: str) -> bool:
        """Return whether an HTTP session has a CometD session."""
        return any(session.http == key for session in self._comet.values())

    def open_http(self, node: int) -> HttpSession:
        """Create an HTTP session."""
        session = HttpSession(self.key(), node, self._tenant.clock.monotonic())
        self._http[session.id] = session
        if len(self._http) > _SESSIONS:
            self._end_http(next(iter(self._http)))
        return session

    def open(self, browser: str, http: HttpSession, *, has_ack: bool) -> CometSession:
        """Create a CometD session."""
        now = self._tenant.clock.monotonic()
        session = CometSession(self.key(), browser, http.id, http.node, now, has_ack)
        self._comet[session.client_id] = session
        if len(self._comet) > _SESSIONS:
            self.end(next(iter(self._comet.values())))
        return session

    def find(self, client_id: object, browser: str | None, node: int) -> CometSession | None:
        """Return a CometD session by its id and its cookie."""
        self.sweep()
        session = self._comet.get(client_id) if isinstance(client_id, str) else None
        if session is None or session.browser != browser:
            return None
        return session if not self._tenant.balancer or session.node == node else None

    def is_live(self, session: CometSession) -> bool:
        """Return whether a session has not ended."""
        return session.client_id in self._comet

    def has_rival(self, session: CometSession) -> bool:
        """Return whether another session of the same browser has a held connect."""
        return any(
            rival.browser == session.browser and rival is not session and rival.hold is not None
            for rival in self._comet.values()
        )

    def end(self, session: CometSession) -> None:
        """End a CometD session and wake its held connect."""
        if self._comet.pop(session.client_id, None) is not None:
            if session.hold is not None:
                session.hold.wake.set()
            self._on_end(session.http)

    def end_all(self, *, http: bool) -> None:
        """End every CometD session, and with ``http`` every HTTP session."""
        for session in list(self._comet.values()):
            self.end(session)
        if http:
            for key in list(self._http):
                self._end_http(key)

    def _end_http(self, key: str) -> None:
        del self._http[key]
        self._on_end(key)

    def sweep(self) -> None:
        """End expired sessions."""
        now = self._tenant.clock.monotonic()
        for session in list(self._comet.values()):
            if session.hold is None and now - session.seen > self._tenant.max_interval:
                self.end(session)
        held = {session.http for session in self._comet.values()}
        for key, http in list(self._http.items()):
            if key not in held and now - http.used > _HTTP_SESSION_SECONDS:
                self._end_http(key)

    def listener(self, http: str) -> Callable[[dict[str, Any]], None] | None:
        """Return the receiver of an HTTP session's updates, None without a listener."""
        listening = [
            session
            for session in self._comet.values()
            if session.http == http and UPDATES in session.channels
        ]
        if not listening:
            return None

        def send(update: dict[str, Any]) -> None:
            for session in listening:
                session.queue.append(update)

        return send

    def announce(self, state: str) -> None:
        """Send the state of the service to every session that listens to it."""
        for session in self.live:
            if SERVICE in session.channels:
                session.queue.append({"serviceState": state})

    def limit(self) -> None:
        """End sessions whose queue is too long, as CometD does."""
        for session in list(self._comet.values()):
            waiting = len(session.queue) + sum(len(batch) for _, batch in session.unacknowledged)
            if waiting > _QUEUE_LIMIT:
                self.end(session)


Message = dict[str, Any]
_CONNECT_SECONDS = 20.0  # a connect is held
LOOK_SECONDS = 0.25  # how often a held connect looks at the floor
_UPDATES_PER_MESSAGE = 500
_MULTIPLE = {"multiple-clients": True, "reconnect": "retry", "interval": 2000}


class InvalidChannelError(Exception):
    """A subscription to an unknown channel, which the service answers with an exception."""


class SupersededError(Exception):
    """The connect was superseded or its client has gone: the answer is an empty 500."""


class Caller:
    """One request to the endpoint: its cookies, its node, whether the client has gone."""

    def __init__(
        self,
        browser: str | None,
        http: str | None,
        node: int,
        is_gone: Callable[[], Awaitable[bool]],
    ) -> None:
        self.browser = browser
        self.http = http
        self.node = node
        self.is_gone = is_gone
        self.session: CometSession | None = None  # of the messages
        self.is_new = False


class Bayeux:
    """Answers the requests to the endpoint."""

    def __init__(self, tenant: Tenant, sessions: Sessions, look: Callable[[], None]) -> None:
        self._tenant = tenant
        self._sessions = sessions
        self._look = look

    async def answer(self, messages: list[Message], caller: Caller) -> list[Message]:
        """Answer the messages of one request.

        Raises ``InvalidChannelError`` and ``SupersededError``.
        """
        channels = [message["channel"] for message in messages]
        if "/meta/handshake" in channels and len(messages) > 1:
            return [self._refused(message, "400::handshake is not alone") for message in messages]
        replies = []
        may_carry = self._tenant.events_on == "any"
        for message in messages:
            if message["channel"] == "/meta/connect":
                may_carry = True
                replies.append(await self._connect(message, caller, alone=len(messages) == 1))
            else:
                replies.append(self._plain(message, caller))
        if channels == ["/meta/handshake"] or caller.session is None or not may_carry:
            return replies
        events = self._events(caller.session)
        self._acknowledge(caller.session, messages, replies, events)
        first = self._tenant.events == "before"
        return [*events, *replies] if first else [*replies, *events]

    # Messages.

    def _plain(self, message: Message, caller: Caller) -> Message:
        channel = message["channel"]
        if channel == "/meta/handshake":
            return self._handshake(message, caller)
        session = self._session(message, caller)
        if session is None:
            return self._refused(message, self._tenant.unknown_session)
        match channel:
            case "/meta/subscribe" | "/meta/unsubscribe":
                return self._subscribe(message, session)
            case "/meta/disconnect":
                if session.hold is not None:
                    session.hold.is_released = True
                self._sessions.end(session)
                caller.session = None
                return self._reply(message, session)
        return self._refused(message, "403::publish_denied", session)

    def _handshake(self, message: Message, caller: Caller) -> Message:
        transports = message.get("supportedConnectionTypes")
        if not isinstance(transports, list) or "long-polling" not in transports:
            return self._refused(message, "400::supportedConnectionTypes")
        http = self._sessions.http(caller.http, caller.node)
        if http is None:
            http = self._sessions.open_http(caller.node)
        has_ack = self._tenant.ack and (message.get("ext") or {}).get("ack") is True
        browser = caller.browser or self._sessions.key()
        session = self._sessions.open(browser, http, has_ack=has_ack)
        caller.session, caller.is_new = session, True
        reply = self._reply(message, session)
        reply |= {"version": "1.0", "supportedConnectionTypes": ["long-polling"]}
        reply["clientId"] = session.client_id
        if self._tenant.handshake_advice:
            reply["advice"] = self._advice()
        if has_ack:
            reply["ext"] = {"ack": True}
        return reply

    def _subscribe(self, message: Message, session: CometSession) -> Message:
        given = message.get("subscription")
        channels = [given] if isinstance(given, str) else given
        if not channels or not isinstance(channels, list):
            return self._refused(message, "403::subscription_missing", session)
        for channel in channels:
            if channel not in (UPDATES, SERVICE):
                raise InvalidChannelError(str(channel))
        if message["channel"] == "/meta/subscribe":
            session.channels.update(channels)
        else:
            session.channels.difference_update(channels)
        return {**self._reply(message, session), "subscription": given}

    async def _connect(self, message: Message, caller: Caller, *, alone: bool) -> Message:
        session = self._session(message, caller)
        if session is None:
            return self._unknown(message)
        if message.get("connectionType") != "long-polling":
            return self._refused(message, "400::connectionType", session)
        if session.has_ack:
            number = (message.get("ext") or {}).get("ack")
            session.acknowledge(number if isinstance(number, int) else -1)
        if session.hold is not None:
            session.hold.is_cancelled = True
            session.hold.wake.set()
        reply = self._reply(message, session)
        if "advice" in message:
            reply["advice"] = self._advice()
        if alone and self._sessions.has_rival(session):
            reply["advice"] = _MULTIPLE
        elif alone:
            was_released = await self._held(message, caller, session)
            if not self._sessions.is_live(session) and not was_released:
                caller.session = None
                return self._unknown(message)
        else:
            self._look()
        session.seen = self._tenant.clock.monotonic()
        return reply

    async def _held(self, message: Message, caller: Caller, session: CometSession) -> bool:
        """Wait for events or the timeout; return whether a disconnect ended the wait."""
        clock = self._tenant.clock
        hold = session.hold = Hold()
        until = clock.monotonic() + self._patience(message)
        try:
            while True:
                self._look()
                left = until - clock.monotonic()
                if hold.is_cancelled:
                    raise SupersededError
                ended = hold.is_released or not self._sessions.is_live(session)
                if ended or session.queue or session.unacknowledged or left <= 0:
                    return hold.is_released
                if await caller.is_gone():
                    raise SupersededError
                await self._pause(hold, min(left, LOOK_SECONDS))
        finally:
            if session.hold is hold:
                session.hold = None
                session.seen = clock.monotonic()

    async def _pause(self, hold: Hold, seconds: float) -> None:
        waits = [
            asyncio.ensure_future(hold.wake.wait()),
            asyncio.ensure_future(self._tenant.clock.sleep(seconds)),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _patience(self, message: Message) -> float:
        """Return the seconds to hold a connect: the client may ask for fewer."""
        timeout = (message.get("advice") or {}).get("timeout")
        if not isinstance(timeout, int) or timeout < 0:
            return _CONNECT_SECONDS
        return min(_CONNECT_SECONDS, timeout / 1000.0)

    # Parts of replies and events.

    def _session(self, message: Message, caller: Caller) -> CometSession | None:
        session = self._sessions.find(message.get("clientId"), caller.browser, caller.node)
        caller.session = session or caller.session
        return session

    def _advice(self) -> Message:
        return {"reconnect": "retry", "interval": 0, "timeout": int(_CONNECT_SECONDS * 1000)}

    def _reply(self, message: Message, session: CometSession) -> Message:
        reply: Message = {"channel": message["channel"], "successful": True}
        if "id" in message:
            reply["id"] = message["id"]
        if self._tenant.replies_with_client_id:
            reply["clientId"] = session.client_id
        return reply

    def _refused(
        self, message: Message, error: str, session: CometSession | None = None
    ) -> Message:
        reply: Message = {"channel": message["channel"], "successful": False, "error": error}
        if "id" in message:
            reply["id"] = message["id"]
        if session is not None and self._tenant.replies_with_client_id:
            reply["clientId"] = session.client_id
        return reply

    def _unknown(self, message: Message) -> Message:
        reply = self._refused(message, self._tenant.unknown_session)
        return {**reply, "advice": {"reconnect": "handshake", "interval": 0}}

    def _events(self, session: CometSession) -> list[Message]:
        """Empty the queue of a session, with several updates in one message."""
        events: list[Message] = []
        entries: list[Message] = []
        while session.queue:
            item = session.queue.popleft()
            if "serviceState" in item:
                events += self._update_event(entries)
                entries = []
                events.append(self._service_event(item))
                continue
            entries.append(item)
            if len(entries) >= _UPDATES_PER_MESSAGE:
                events += self._update_event(entries)
                entries = []
        return events + self._update_event(entries)

    def _update_event(self, entries: list[Message]) -> list[Message]:
        if not entries:
            return []
        return [self._event(UPDATES, "StatisticUpdate", {"statistics": entries})]

    def _service_event(self, state: Message) -> Message:
        if self._tenant.service_message == "workspace":
            data = {"messageType": "ServiceStateChanged", "serviceName": "STATS", **state}
            return {"channel": SERVICE, "data": data}
        return self._event(SERVICE, "ServiceStateChange", state)

    def _event(self, channel: str, name: str, content: Message) -> Message:
        data = content
        if self._tenant.nesting >= 1:
            data = {"name": name, "topic": channel, "data": data}
        if self._tenant.nesting > 1:
            data = {"data": data}
        return {"channel": channel, "data": data}

    def _acknowledge(
        self,
        session: CometSession,
        messages: list[Message],
        replies: list[Message],
        events: list[Message],
    ) -> None:
        """Assign a number to a connect's batch, and repeat batches that were not acknowledged."""
        if not session.has_ack or messages[-1]["channel"] != "/meta/connect":
            return
        events[:0] = [event for _, batch in session.unacknowledged for event in batch]
        session.acked += 1
        session.unacknowledged = [(session.acked, list(events))] if events else []
        replies[-1]["ext"] = {"ack": session.acked}
