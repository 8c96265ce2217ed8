"""CometD client: Bayeux over long polling.

A session is a handshake, subscriptions, and then one ``/meta/connect`` after another, each held by
the server until there is something to send. Events may come with any reply. The server drops a
session that has no connect outstanding for a while (CometD ``maxInterval``: 10 s), so only its own
advice, failures, and a pause that no server notices separate two connects.

Retries here are the exception below ``refresh/``: the protocol requires them.
"""

import math
import random
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from exporter.clock import Clock, Pace, Roll, backoff
from exporter.errors import InvalidAnswer, ProviderError, SessionLost, Unauthorized, Unexplained
from exporter.logs import Log

Message = dict[str, Any]
# Arguments: messages, operation (for counting), limit of the exchange in seconds. Returns the
# decoded body; raises ProviderError.
PostMessages = Callable[[Sequence[Message], str, float], Awaitable[Any]]
EventHandler = Callable[[str, Any], None]  # channel, data

LONG_POLL_REMEDY = (
    "A proxy on the way cuts the long poll: let it wait a minute for /statistics/v3/notifications, "
    "or set mode: poll."
)
_LONG_POLLING = "long-polling"
_RETRY, _HANDSHAKE, _NONE = "retry", "handshake", "none"  # values of the advice "reconnect"
_UNKNOWN_SESSION = 402  # the text after the number differs between server versions
_LONGEST_CLIENT_ID = 1000  # characters; it is sent with every message
# Seconds.
_LONGEST_INTERVAL = 60.0
_LONGEST_TIMEOUT = 300.0
_IMMEDIATE_LIMIT = 30.0  # for requests that are not held
_NETWORK_DELAY = 10.0  # on top of the time that the server holds a connect (CometD maxNetworkDelay)
_NO_RECONNECT_PAUSE = 300.0  # after the advice "none"
_PATIENCE = 30.0  # of failures, since the last good reply
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 4.0
_PACE = 0.05  # from a connect with events to the next
_IDLE_PACE = 1.0  # from a connect without events to the next
_BRIEF = 10.0  # a session that ends sooner counts as brief
_MOST_BRIEF_SESSIONS = 4  # in a row
_MOST_CUTS = 3  # of held connects, after which none is held for a while
_CUTS_FORGOTTEN_AFTER = 300.0  # without another
_SHORT_PACE = 5.0  # between connects that are not held; a server drops a session after 10 s
_FIRST_SHORT, _LONGEST_SHORT = 60.0, 600.0  # how long no connect is held


class LongPollFailed(SessionLost):
    """No connect is answered any more."""

    remedy = (
        "No long poll is answered: check the platform's status page. If other requests succeed, a "
        "proxy on the way cuts long polls: set mode: poll."
    )


@dataclass(slots=True)
class Advice:
    """Advice of the server for the next connect; times in seconds."""

    reconnect: str = _RETRY
    interval: float = 0.0  # pause before it
    timeout: float = 30.0  # for which the server may hold it
    capped: bool = False  # an interval was implausibly long
    multiple_clients: bool = False  # another session sends the same browser cookie

    def update(self, message: Message) -> None:
        """Apply a message's advice; fields that are absent or invalid keep their value."""
        advice = message.get("advice")
        if not isinstance(advice, dict):
            return
        specific = advice.get(_LONG_POLLING)
        advice = {**advice, **specific} if isinstance(specific, dict) else advice
        if advice.get("reconnect") in (_RETRY, _HANDSHAKE, _NONE):
            self.reconnect = advice["reconnect"]
        interval = _seconds(advice.get("interval"))
        if interval is not None:
            self.interval = min(max(interval, 0.0), _LONGEST_INTERVAL)
            self.capped |= interval > _LONGEST_INTERVAL
            # "A negative period indicates that the message should not be retried" (Bayeux 1.0):
            # this session gets no further connect, which leaves a new handshake.
            if interval < 0 and self.reconnect == _RETRY:
                self.reconnect = _HANDSHAKE
        timeout = _seconds(advice.get("timeout"))
        if timeout is not None and timeout > 0:
            self.timeout = min(timeout, _LONGEST_TIMEOUT)
        self.multiple_clients |= advice.get("multiple-clients") is True


class CometdSession:
    """One session at a time: ``handshake``, ``receive`` until it returns, ``handshake`` again.

    ``on_event`` gets the channel and data of every event in the order of arrival, also before
    ``handshake`` returns. ``on_gap`` is called when the session continues after a reply was lost,
    and any events in it. ``alive_until`` is the monotonic time at which the next good reply is
    overdue; until then silence means that nothing has happened. ``failing`` is whether connects
    fail repeatedly, or a new handshake is due. ``is_cut`` is whether something on the way cuts
    held connects while others are answered: then no connect is held for a while. ``pace`` is that
    of the handshakes; the caller waits for its ``delay``.
    """

    def __init__(
        self,
        post: PostMessages,
        clock: Clock,
        on_event: EventHandler,
        log: Log,
        *,
        on_gap: Callable[[], None] = lambda: None,
        roll: Roll = random.random,
    ) -> None:
        self.alive_until = -math.inf
        self.failing = False
        self.pace = Pace(clock, roll)
        self._post = post
        self._clock = clock
        self._on_event = on_event
        self._on_gap = on_gap
        self._log = log
        self._roll = roll
        self._advice = Advice()
        self._client_id: str | None = None
        self._last_id = 0
        self._began_at = 0.0  # time of the handshake
        self._good_at = 0.0  # time of the last good reply
        self._had_events = False  # in the last reply
        self._brief_sessions = 0
        self._cuts = 0  # of held connects
        self._cut_at = -math.inf  # time of the last
        self._hold_after = -math.inf  # no connect is held before
        self._warned: set[str] = set()

    @property
    def was_cut(self) -> bool:
        """Whether a held connect was cut lately."""
        return self._cuts > 0

    @property
    def is_cut(self) -> bool:
        """Whether held connects are cut."""
        return self._cuts >= _MOST_CUTS

    # The session ---------------------------------------------------------------------------

    async def handshake(self, channels: Sequence[str]) -> None:
        """Begin a session and subscribe to all channels. Raises ``ProviderError``."""
        self.pace.begin()
        self._client_id = None
        self.failing = False
        self._advice = Advice()  # some servers send none with the handshake, and mean "retry"
        request = self._request(
            "handshake", version="1.0", supportedConnectionTypes=[_LONG_POLLING]
        )
        (reply,) = await self._exchange("handshake", [request], _IMMEDIATE_LIMIT)
        self._client_id = _client_id_of(_check_reply(request, reply))
        self._began_at = self._clock.monotonic()
        self._note_success()
        if channels:
            requests = [self._request("subscribe", subscription=channel) for channel in channels]
            replies = await self._exchange("subscribe", requests, _IMMEDIATE_LIMIT)
            for request, reply in zip(requests, replies, strict=True):
                _check_reply(request, reply)
            self._note_success()
        self._log.debug("cometd session began", channels=len(channels))

    async def receive(self) -> None:
        """Receive events; return when the server requires a new handshake.

        Raises ``SessionLost`` where the server is out of reach for too long, advises not to
        reconnect or ends every session at once, and ``Unauthorized`` where the credentials expired.
        """
        failures = 0
        first = True
        was_held = False  # the connect that failed
        failure: ProviderError | None
        await self._sleep(self._advice.interval)
        while self._client_id is not None:
            began = self._clock.monotonic()
            # Where it is unknown whether the server knows the session, it must reply at once.
            at_once = first or failures > 0 or began < self._hold_after
            try:
                await self._connect(at_once=at_once)
            except (SessionLost, Unauthorized):
                raise
            except ProviderError as error:
                failure = error
            else:
                failure = None
            if self._advice.reconnect == _HANDSHAKE:
                await self._end_session()
                return
            self.failing = failure is not None and failures > 0
            if failure is not None:
                failures += 1
                was_held = not at_once
                await self._wait_after_failure(failure, failures)
            else:
                self._note_recovery(failures)
                if failures == 1 and was_held:
                    self._note_cut(began)
                failures = 0
                await self._wait_after_success(began, first=first)
            first = False
        raise SessionLost("no CometD session")

    async def touch(self, limit: float) -> float:
        """Keep the session alive with a connect that is answered at once.

        Return the seconds that the server advises to wait before the next. Raises ``SessionLost``
        where it does not know the session, else ``ProviderError``.
        """
        if self._client_id is not None:
            await self._connect(at_once=True, limit=limit)
        if self._client_id is None or self._advice.reconnect == _HANDSHAKE:
            self._client_id = None
            raise SessionLost("the server does not know the CometD session")
        return self._advice.interval

    async def disconnect(self, timeout: float) -> None:  # noqa: ASYNC109 - of the exchange
        """End the session, best-effort; ``receive`` has ended before."""
        if self._client_id is None:
            return
        request = self._request("disconnect")
        self._client_id = None
        self.alive_until = -math.inf
        try:
            await self._exchange("disconnect", [request], timeout)
        except ProviderError as error:
            self._log.debug("cometd session left open", reason=error.reason, error=str(error))

    # Connects ------------------------------------------------------------------------------

    async def _connect(self, *, at_once: bool, limit: float | None = None) -> None:
        """Send one connect; where the server does not know the session, set the advice so."""
        request = self._request("connect", connectionType=_LONG_POLLING)
        if at_once:
            request["advice"] = {"timeout": 0}
        limit = limit or self._advice.timeout + _NETWORK_DELAY
        (reply,) = await self._exchange("connect", [request], limit)
        if reply and reply.get("successful") is False and _code_of(reply) == _UNKNOWN_SESSION:
            self._advice.reconnect = _HANDSHAKE
            return
        _check_reply(request, reply)
        self._note_success()

    async def _wait_after_failure(self, error: ProviderError, failures: int) -> None:
        """Wait after a failed connect; the first may be a balancer that cuts long requests."""
        silent = self._clock.monotonic() - self._good_at
        if (failures > 1 and silent > _PATIENCE) or error.retry_after > _PATIENCE:
            raise LongPollFailed(
                f"no good reply for {silent:.0f} s: {error}", retry_after=error.retry_after
            ) from error
        pause = max(self._advice.interval, error.retry_after)
        if failures > 1:
            pause = max(pause, backoff(failures - 1, _FIRST_PAUSE, _LONGEST_PAUSE, self._roll))
        log = self._log.warning if failures == 2 else self._log.debug  # noqa: PLR2004
        log("connect failed", reason=error.reason, error=str(error), retry_in=round(pause, 1))
        await self._sleep(pause)

    async def _wait_after_success(self, began: float, *, first: bool) -> None:
        """Wait as advised, and long enough not to spin where the server holds nothing."""
        pace = _PACE if self._had_events else _IDLE_PACE
        if began < self._hold_after:
            pace = _SHORT_PACE
        due = began if first else began + pace
        await self._sleep(max(self._advice.interval, due - self._clock.monotonic()))

    def _note_recovery(self, failures: int) -> None:
        if failures:
            self._on_gap()
        if failures > 1:
            self._log.info("connect recovered", failures=failures)

    def _note_cut(self, now: float) -> None:
        """Note that a held connect was cut; after several hold none for a while."""
        if now - max(self._cut_at, self._hold_after) > _CUTS_FORGOTTEN_AFTER:
            self._cuts = 0
        self._cut_at = now
        self._cuts += 1
        if not self.is_cut:
            return
        pause = backoff(self._cuts - _MOST_CUTS + 1, _FIRST_SHORT, _LONGEST_SHORT, self._roll)
        self._hold_after = now + pause
        if "cut" not in self._warned:
            self._warned.add("cut")
            self._log.warning("long polls are cut", remedy=LONG_POLL_REMEDY)

    async def _end_session(self) -> None:
        """Wait before a new handshake, longer each time where sessions are brief.

        A cookie that is lost on the way makes every session unknown at once.
        """
        now = self._clock.monotonic()
        lasted = now - self._began_at
        self._client_id = None
        self.failing = True
        self._brief_sessions = self._brief_sessions + 1 if lasted < _BRIEF else 0
        if self._brief_sessions > _MOST_BRIEF_SESSIONS:
            raise SessionLost("every CometD session ends right after its handshake")
        self._log.info("new handshake required", lasted=round(lasted, 1))
        pause = max(self._advice.interval, self.pace.delay)
        self.alive_until = max(self.alive_until, now + pause + _IMMEDIATE_LIMIT)
        await self._sleep(pause)

    async def _sleep(self, seconds: float) -> None:
        if seconds > 0:
            await self._clock.sleep(seconds)

    # Messages ------------------------------------------------------------------------------

    def _request(self, kind: str, **fields: object) -> Message:
        self._last_id += 1
        request: Message = {"id": str(self._last_id), "channel": f"/meta/{kind}", **fields}
        if self._client_id is not None:
            request["clientId"] = self._client_id
        return request

    async def _exchange(
        self, operation: str, requests: Sequence[Message], limit: float
    ) -> list[Message | None]:
        """Post requests, apply all advice, pass on all events; return the replies by request."""
        messages = messages_of(await self._post(requests, operation, limit))
        self._had_events = False
        for message in messages:
            self._advice.update(message)
            if is_event(message):
                self._had_events = True
                self._on_event(message["channel"], message["data"])
        self._warn()
        if self._advice.reconnect == _NONE:
            raise SessionLost(
                "the server advised not to reconnect", retry_after=_NO_RECONNECT_PAUSE
            )
        return [_reply_to(request, messages) for request in requests]

    def _note_success(self) -> None:
        self._good_at = self._clock.monotonic()
        self.pace.note_good()
        advice = self._advice
        self.alive_until = self._good_at + advice.interval + advice.timeout + _NETWORK_DELAY

    def _warn(self) -> None:
        """Log a warning about unusual advice, once."""
        warnings = {
            "advised interval capped": self._advice.capped,
            "another session sends the same browser cookie": self._advice.multiple_clients,
        }
        for message, applies in warnings.items():
            if applies and message not in self._warned:
                self._warned.add(message)
                self._log.warning(message)


def messages_of(body: object) -> list[Message]:
    """Return the messages of a body, which may be a single one. Raises ``InvalidAnswer``."""
    messages = [body] if isinstance(body, dict) else body
    if not isinstance(messages, list):
        raise InvalidAnswer("the answer is not a list of Bayeux messages")
    for message in messages:
        if not isinstance(message, dict) or not isinstance(message.get("channel"), str):
            raise InvalidAnswer("the answer holds an item that is not a Bayeux message")
    return messages


def is_event(message: Message) -> bool:
    """Return whether a message is an event; one with ``successful`` is the reply to a publish."""
    meta = message["channel"].startswith("/meta/")
    return not meta and "data" in message and "successful" not in message


def _reply_to(request: Message, messages: Sequence[Message]) -> Message | None:
    """Return the reply to a request: by its id, else by its channel and subscription."""
    for message in messages:
        if message["channel"] != request["channel"]:
            continue
        reply_id = message.get("id")
        channel = request.get("subscription")
        if reply_id is None and message.get("subscription") in (channel, [channel]):
            return message
        if reply_id == request["id"]:
            return message
    return None


def _check_reply(request: Message, reply: Message | None) -> Message:
    """Return a successful reply; raise the error that another one stands for.

    The server's text is left out of the error, because it may hold the client id.
    """
    channel = request["channel"]
    if reply is None:
        raise InvalidAnswer(f"no reply to {channel}")
    successful = reply.get("successful")
    if successful is True:
        return reply
    if successful is not False:
        raise InvalidAnswer(f"reply to {channel} lacks a valid 'successful'")
    code = _code_of(reply)
    text = f"{channel} was declined with {code or 'no code'}"
    if code == _UNKNOWN_SESSION:
        raise SessionLost(text)
    # In a handshake only the credentials of the HTTP headers can be forbidden.
    if code == 401 or (code == 403 and channel == "/meta/handshake"):  # noqa: PLR2004
        raise Unauthorized(text)
    raise Unexplained(text)


def _client_id_of(reply: Message) -> str:
    client_id = reply.get("clientId")
    if not isinstance(client_id, str) or not client_id:
        raise InvalidAnswer("reply to /meta/handshake lacks a client id")
    if len(client_id) > _LONGEST_CLIENT_ID:
        raise InvalidAnswer(f"the client id has {len(client_id)} characters")
    return client_id


def _code_of(reply: Message) -> int | None:
    """Return the number at the start of an error (``402::Unknown client``)."""
    error = reply.get("error")
    match = re.match(r"([0-9]{3}):", error) if isinstance(error, str) else None
    return int(match[1]) if match else None


def _seconds(value: object) -> float | None:
    """Return milliseconds of any size as seconds; ``None`` where it is not a number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:  # noqa: PLR0124
        return None
    return max(min(value, 1e9), -1.0) / 1000.0
