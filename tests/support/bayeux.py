"""A strict Bayeux server; a test can script single replies."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Sequence
from typing import Any, NamedTuple

from exporter.errors import ServerTrouble, TimedOut
from support.clock import LoopClock

Message = dict[str, Any]
UNKNOWN = "402::Unknown client"  # as CometD up to 3.1 has it
SECRET = "client-4711-secret"


class Posted(NamedTuple):
    """One exchange: when it began, its operation, messages and limit."""

    at: float
    operation: str
    messages: list[Message]
    limit: float


class After(NamedTuple):
    """A scripted answer that takes its time."""

    seconds: float
    answer: Any


class Server:
    """Answers ``post`` as CometD does; ``script[operation]`` goes first.

    A scripted answer is a body, a callable that makes one of the request, or an error to raise;
    ``After`` lets it take its time. A scripted handshake hands out the client id "c". Where the
    client breaks the protocol, an assertion fails.
    """

    def __init__(self, clock: LoopClock, hold: float = 20.0, max_interval: float = 10.0) -> None:
        self.clock = clock
        self.hold = hold
        self.max_interval = max_interval
        self.script: defaultdict[str, deque[Any]] = defaultdict(deque)
        self.posted: list[Posted] = []
        self.subscribed: set[str] = set()
        self.client: str | None = None
        self.latency = 0.0
        self._clients = 0
        self._last_id = 0
        self._connects = 0
        self._idle_since = 0.0
        self._queue: list[Message] = []
        self._news = asyncio.Event()

    def operations(self) -> list[str]:
        return [each.operation for each in self.posted]

    def times(self, operation: str) -> list[float]:
        return [each.at for each in self.posted if each.operation == operation]

    def publish(self, channel: str, data: object) -> None:
        if channel in self.subscribed:
            self._queue.append({"channel": channel, "data": data})
            self._news.set()

    def forget(self) -> None:
        """Lose the session, as a restart does."""
        self.client = None
        self.subscribed.clear()
        self._queue.clear()
        self._news.set()

    async def post(self, messages: Sequence[Message], operation: str, limit: float) -> Any:
        """Check what the client sends, then answer."""
        self.posted.append(Posted(self.clock.monotonic(), operation, list(messages), limit))
        self._check(messages, operation, limit)
        if operation == "connect":
            self._connects += 1
            assert self._connects == 1, "two connects at a time"
        try:
            async with asyncio.timeout(limit):
                await asyncio.sleep(self.latency)
                return await self._answer(list(messages), operation)
        except TimeoutError:
            raise TimedOut(f"no answer within {limit:g} s") from None
        finally:
            if operation == "connect":
                self._connects -= 1
            self._idle_since = self.clock.monotonic()

    def _check(self, messages: Sequence[Message], operation: str, limit: float) -> None:
        assert messages
        assert limit > 0
        for message in messages:
            assert message["channel"] == f"/meta/{operation}"
            assert isinstance(message["id"], str)
            assert int(message["id"]) > self._last_id
            self._last_id = int(message["id"])
            assert "ext" not in message
            assert ("clientId" in message) == (operation != "handshake")
        if operation == "handshake":
            (message,) = messages
            assert message["version"] == "1.0"
            assert message["supportedConnectionTypes"] == ["long-polling"]
        if operation == "connect":
            (message,) = messages
            assert message["connectionType"] == "long-polling"
            assert message.get("advice") in (None, {"timeout": 0})

    async def _answer(self, messages: list[Message], operation: str) -> Any:
        if self.script[operation]:
            answer = self.script[operation].popleft()
            if isinstance(answer, After):
                await asyncio.sleep(answer.seconds)
                answer = answer.answer
            if isinstance(answer, BaseException):
                raise answer
            if operation == "handshake":
                self.client = "c"
            return answer(messages) if callable(answer) else answer
        if operation == "handshake":
            return self._handshake(messages[0])
        if self._expired(messages[0]):
            return [unknown(message) for message in messages]
        return await getattr(self, f"_{operation}")(messages)

    def _expired(self, message: Message) -> bool:
        if self.clock.monotonic() - self._idle_since > self.max_interval:
            self.forget()
        return message["clientId"] != self.client

    def _handshake(self, message: Message) -> list[Message]:
        self._clients += 1
        self.client = f"{SECRET}-{self._clients}"
        self.subscribed.clear()
        reply = {**yes(message), "clientId": self.client, "version": "1.0"}
        return [{**reply, "supportedConnectionTypes": ["long-polling"], "advice": self._advice()}]

    async def _subscribe(self, messages: list[Message]) -> list[Message]:
        self.subscribed |= {message["subscription"] for message in messages}
        return [yes(each) for each in messages]

    async def _connect(self, messages: list[Message]) -> list[Message]:
        (message,) = messages
        if "advice" in message:
            return [*self._drain(), {**yes(message), "advice": self._advice()}]
        try:
            async with asyncio.timeout(self.hold):
                await self._news.wait()
        except TimeoutError:
            return [yes(message)]
        if message["clientId"] != self.client:
            raise ServerTrouble("HTTP 503")
        return [*self._drain(), yes(message)]

    async def _disconnect(self, messages: list[Message]) -> list[Message]:
        self.forget()
        return [yes(messages[0])]

    def _drain(self) -> list[Message]:
        drained, self._queue = self._queue, []
        self._news.clear()
        return drained

    def _advice(self) -> Message:
        return {"interval": 0, "timeout": int(self.hold * 1000), "reconnect": "retry"}


def yes(message: Message, **fields: Any) -> Message:
    """Return the reply of a server that never repeats the client id."""
    reply = {key: message[key] for key in ("id", "channel", "subscription") if key in message}
    return {**reply, "successful": True, **fields}


def no(message: Message, error: str, **fields: Any) -> Message:
    return {**yes(message), "successful": False, "error": error, **fields}


def unknown(message: Message) -> Message:
    """Return the reply to a client that the server does not know."""
    if message["channel"] != "/meta/connect":
        return no(message, UNKNOWN)
    return no(message, UNKNOWN, advice={"interval": 0, "reconnect": "handshake"})
