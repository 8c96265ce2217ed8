"""Bayeux by long polling, as CometD servers speak it: how are a server's events heard?

A session is a handshake, its subscriptions, and then one ``/meta/connect`` after another, each held
by the server until there is something to send. Events may ride on any reply. The server drops a
session that has no connect outstanding (CometD: for 10 s), so what stands between two connects is
its own advice, failures, and a pace that no server notices.

This is the one place below the schedule that waits and tries again: the protocol asks for it.
"""

import math
import random
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from exporter.clock import Clock, Roll, backoff
from exporter.errors import InvalidAnswer, ProviderError, Refused, SessionLost, Unauthorized
from exporter.logs import Log

Message = dict[str, Any]
LONG_POLLING = "long-polling"
RETRY, HANDSHAKE, NONE = "retry", "handshake", "none"  # what advice says of "reconnect"
UNKNOWN_SESSION = 402  # the texts behind the number differ with the server's version
LONGEST_INTERVAL = 60.0  # seconds
_LONGEST_HOLD = 300.0  # seconds
# Messages, the operation's name for counting, and the seconds that the exchange may take at most;
# returns the decoded body, raises ProviderError.
Post = Callable[[Sequence[Message], str, float], Awaitable[Any]]
Heard = Callable[[str, Any], None]

# Seconds.
_PROMPT = 30.0  # for what is answered at once
_ALLOWANCE = 10.0  # for the network, on top of what the server holds: CometD's maxNetworkDelay
_NOT_WANTED = 300.0  # before a server is asked again that advised not to
_PATIENCE = 30.0  # since the last good answer, for failures
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 4.0
_PACE = 0.05  # from a connect that brought events to the next
_IDLE_PACE = 1.0  # from a connect that brought none
_BRIEF = 10.0  # a session that ended sooner was none
_BRIEF_SESSIONS = 4  # in a row


@dataclass(slots=True)
class Advice:
    """What the server last said of the next connect; times in seconds."""

    reconnect: str = RETRY
    interval: float = 0.0  # to leave before it
    hold: float = 30.0  # for which it may stay unanswered
    cut: bool = False  # an interval was too long to be true
    crowded: bool = False  # the server sees another session with the same cookie

    def apply_advice(self, message: Message) -> None:
        """Take over a message's advice; what it leaves out, or garbles, stays as it was."""
        said = message.get("advice")
        if not isinstance(said, dict):
            return
        ours = said.get(LONG_POLLING)
        said = {**said, **ours} if isinstance(ours, dict) else said
        if said.get("reconnect") in (RETRY, HANDSHAKE, NONE):
            self.reconnect = said["reconnect"]
        interval = _seconds(said.get("interval"))
        if interval is not None:
            self.interval = min(max(interval, 0.0), LONGEST_INTERVAL)
            self.cut |= interval > LONGEST_INTERVAL
            # "A negative period indicates that the message should not be retried" (Bayeux 1.0):
            # the session gets no further connect, which leaves a new one.
            if interval < 0 and self.reconnect == RETRY:
                self.reconnect = HANDSHAKE
        hold = _seconds(said.get("timeout"))
        if hold is not None and hold > 0:
            self.hold = min(hold, _LONGEST_HOLD)
        self.crowded |= said.get("multiple-clients") is True


class Session:
    """One session at a time: ``start``, ``stay`` until it returns, ``start`` again; ``stop``.

    ``heard`` is told the channel and the data of every event, in the order of arrival. It may be
    called before ``start`` returns. ``missed`` is told that the session goes on after an answer
    was lost, and with it whatever events it had. ``alive_until`` is the monotonic time at which the
    next good answer is overdue: until then silence means that nothing has happened. ``failing`` is
    whether connects are known to fail, again and again.
    """

    def __init__(
        self,
        post: Post,
        clock: Clock,
        heard: Heard,
        log: Log,
        *,
        missed: Callable[[], None] = lambda: None,
        roll: Roll = random.random,
    ) -> None:
        self.alive_until = -math.inf
        self.failing = False
        self._post = post
        self._clock = clock
        self._heard = heard
        self._missed = missed
        self._log = log
        self._roll = roll
        self._advice = Advice()
        self._client: str | None = None
        self._last_id = 0
        self._began = 0.0  # the time of the handshake
        self._good = 0.0  # the time of the last good answer
        self._brought = False  # whether the last answer had events
        self._brief_sessions = 0
        self._warned: set[str] = set()

    # The session ---------------------------------------------------------------------------

    async def start(self, channels: Sequence[str]) -> None:
        """Begin a session that is subscribed to all channels. Raises ``ProviderError``."""
        self._client = None
        self.failing = False
        self._advice = Advice()  # some servers send none with the handshake, and mean "retry"
        request = self._request("handshake", version="1.0", supportedConnectionTypes=[LONG_POLLING])
        (reply,) = await self._exchange("handshake", [request], _PROMPT)
        self._client = client_of(granted(request, reply))
        self._began = self._clock.monotonic()
        self._answered()
        if channels:
            requests = [self._request("subscribe", subscription=channel) for channel in channels]
            replies = await self._exchange("subscribe", requests, _PROMPT)
            for request, reply in zip(requests, replies, strict=True):
                granted(request, reply)
            self._answered()
        self._log.debug("session begun", channels=len(channels))

    async def stay(self) -> None:
        """Hear events; return when the server wants a new handshake.

        Raises ``SessionLost`` where the server is out of reach for too long, wants no more of us or
        ends each session at once, and ``Unauthorized`` where the credentials have run out.
        """
        failures = 0
        first = True
        failure: ProviderError | None
        await self._sleep(self._advice.interval)
        while self._client is not None:
            began = self._clock.monotonic()
            try:
                # Where it is unknown whether the server knows us, it is to answer at once.
                await self._connect(at_once=first or failures > 0)
            except (SessionLost, Unauthorized):
                raise
            except ProviderError as error:
                failure = error
            else:
                failure = None
            if self._advice.reconnect == HANDSHAKE:
                await self._part()
                return
            self.failing = failure is not None and failures > 0
            if failure is not None:
                failures += 1
                await self._endure(failure, failures)
            else:
                self._recovered(failures)
                failures = 0
                await self._rest(began, first=first)
            first = False
        raise SessionLost("there is no session")

    async def stop(self, timeout: float) -> None:  # noqa: ASYNC109 - of the exchange
        """Tell the server, where it listens, that the session ends; ``stay`` has ended before."""
        if self._client is None:
            return
        request = self._request("disconnect")
        self._client = None
        self.alive_until = -math.inf
        try:
            await self._exchange("disconnect", [request], timeout)
        except ProviderError as error:
            self._log.debug("session left open", reason=error.reason, error=str(error))

    # Staying -------------------------------------------------------------------------------

    async def _connect(self, *, at_once: bool) -> None:
        """Make one connect; where the server does not know us, note that it wants a handshake."""
        request = self._request("connect", connectionType=LONG_POLLING)
        if at_once:
            request["advice"] = {"timeout": 0}
        limit = self._advice.hold + _ALLOWANCE
        (reply,) = await self._exchange("connect", [request], limit)
        if reply and reply.get("successful") is False and code_of(reply) == UNKNOWN_SESSION:
            self._advice.reconnect = HANDSHAKE
            return
        granted(request, reply)
        self._answered()

    async def _endure(self, error: ProviderError, failures: int) -> None:
        """Wait after a failure: the first may be a balancer that cuts long requests short."""
        silent = self._clock.monotonic() - self._good
        if (failures > 1 and silent > _PATIENCE) or error.retry_after > _PATIENCE:
            raise SessionLost(
                f"no good answer for {silent:.0f} s: {error}", retry_after=error.retry_after
            ) from error
        pause = max(self._advice.interval, error.retry_after)
        if failures > 1:
            pause = max(pause, backoff(failures - 1, _FIRST_PAUSE, _LONGEST_PAUSE, self._roll))
        say = self._log.warning if failures == 2 else self._log.debug  # noqa: PLR2004
        say("connect failed", reason=error.reason, error=str(error), retry_in=round(pause, 1))
        await self._sleep(pause)

    async def _rest(self, began: float, *, first: bool) -> None:
        """Wait after a good answer: what is advised, and no spinning where nothing is held."""
        pace = _PACE if self._brought else _IDLE_PACE
        due = began if first else began + pace
        await self._sleep(max(self._advice.interval, due - self._clock.monotonic()))

    def _recovered(self, failures: int) -> None:
        if failures:
            self._missed()
        if failures > 1:
            self._log.info("connected again", failures=failures)

    async def _part(self) -> None:
        """Leave a session for a new handshake, ever slower where none of them lasts.

        A cookie that is lost on the way makes every session unknown at once.
        """
        lived = self._clock.monotonic() - self._began
        self._client = None
        self._brief_sessions = self._brief_sessions + 1 if lived < _BRIEF else 0
        if self._brief_sessions > _BRIEF_SESSIONS:
            self._brief_sessions = 0
            raise SessionLost("every session ends as soon as it has begun")
        self._log.info("new handshake wanted", lived=round(lived, 1))
        pause = 0.0
        if self._brief_sessions > 1:
            pause = backoff(self._brief_sessions - 1, _FIRST_PAUSE, _LONGEST_PAUSE, self._roll)
        await self._sleep(max(self._advice.interval, pause))

    async def _sleep(self, seconds: float) -> None:
        if seconds > 0:
            await self._clock.sleep(seconds)

    # Messages ------------------------------------------------------------------------------

    def _request(self, kind: str, **fields: object) -> Message:
        self._last_id += 1
        request: Message = {"id": str(self._last_id), "channel": f"/meta/{kind}", **fields}
        if self._client is not None:
            request["clientId"] = self._client
        return request

    async def _exchange(
        self, operation: str, requests: Sequence[Message], limit: float
    ) -> list[Message | None]:
        """Post requests, heed all advice, tell all events; return the replies by request."""
        messages = messages_of(await self._post(requests, operation, limit))
        self._brought = False
        for message in messages:
            self._advice.apply_advice(message)
            if is_event(message):
                self._brought = True
                self._heard(message["channel"], message["data"])
        self._warn()
        if self._advice.reconnect == NONE:
            raise SessionLost("the server advised not to come again", retry_after=_NOT_WANTED)
        return [reply_to(request, messages) for request in requests]

    def _answered(self) -> None:
        """Note a good answer."""
        self._good = self._clock.monotonic()
        advice = self._advice
        self.alive_until = self._good + advice.interval + advice.hold + _ALLOWANCE

    def _warn(self) -> None:
        """Warn of odd advice, once, however often it is given."""
        oddities = {
            "advised interval cut short": self._advice.cut,
            "another session has the same browser cookie": self._advice.crowded,
        }
        for message, seen in oddities.items():
            if seen and message not in self._warned:
                self._warned.add(message)
                self._log.warning(message)


# Messages ---


def messages_of(body: object) -> list[Message]:
    """Return the messages of a body, which may be a single one. Raises ``InvalidAnswer``."""
    found = [body] if isinstance(body, dict) else body
    if not isinstance(found, list):
        raise InvalidAnswer("the answer is no list of messages")
    if not all(isinstance(each, dict) and isinstance(each.get("channel"), str) for each in found):
        raise InvalidAnswer("the answer holds something that is no Bayeux message")
    return found


def is_event(message: Message) -> bool:
    """Return whether a message is an event; what has ``successful`` answers a publish."""
    meta = message["channel"].startswith("/meta/")
    return not meta and "data" in message and "successful" not in message


def reply_to(request: Message, messages: Sequence[Message]) -> Message | None:
    """Return the reply to a request: by its id or, where it has none, by what it is about."""
    for message in messages:
        if message["channel"] != request["channel"]:
            continue
        identity = message.get("id")
        about = request.get("subscription")
        if identity is None and message.get("subscription") in (about, [about]):
            return message
        if identity == request["id"]:
            return message
    return None


def granted(request: Message, reply: Message | None) -> Message:
    """Return a reply that says yes; raise what a different one stands for.

    The server's own words stay out of the error: they may hold the client id.
    """
    channel = request["channel"]
    if reply is None:
        raise InvalidAnswer(f"no reply to {channel}")
    successful = reply.get("successful")
    if successful is True:
        return reply
    if successful is not False:
        raise InvalidAnswer(f"the reply to {channel} says neither yes nor no")
    code = code_of(reply)
    said = f"{channel} was declined with {code or 'no code'}"
    if code == UNKNOWN_SESSION:
        raise SessionLost(said)
    # A handshake carries nothing but the HTTP headers' credentials that could be forbidden.
    if code == 401 or (code == 403 and channel == "/meta/handshake"):  # noqa: PLR2004
        raise Unauthorized(said)
    raise Refused(said)


def client_of(reply: Message) -> str:
    """Return the client id of a handshake's reply. Raises ``InvalidAnswer``."""
    client = reply.get("clientId")
    if not isinstance(client, str) or not client:
        raise InvalidAnswer("the handshake gave no client id")
    return client


def code_of(reply: Message) -> int | None:
    """Return the number that an error (``402::Unknown client``) begins with."""
    error = reply.get("error")
    found = re.match(r"([0-9]{3}):", error) if isinstance(error, str) else None
    return int(found[1]) if found else None


def _seconds(value: object) -> float | None:
    """Return milliseconds of any size as seconds; ``None`` where it is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:  # noqa: PLR0124
        return None
    return max(min(value, 1e9), -1.0) / 1000.0
