"""Bayeux messages: what do the parts of an answer say, however odd it is?"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from exporter.errors import InvalidAnswer, Refused, SessionLost, Unauthorized

Message = dict[str, Any]
LONG_POLLING = "long-polling"
RETRY, HANDSHAKE, NONE = "retry", "handshake", "none"  # what advice says of "reconnect"
UNKNOWN_SESSION = 402  # the texts behind the number differ with the server's version
LONGEST_INTERVAL = 60.0  # seconds
_LONGEST_HOLD = 300.0  # seconds


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
