"""Our Bayeux client at the CometD project's own server, over a socket and in real time."""

import asyncio
import json
import subprocess
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import pytest

from exporter.clock import SystemClock
from exporter.errors import InvalidAnswer, ServerTrouble, TimedOut, Unreachable
from exporter.logs import get_log
from exporter.providers.genesys.cometd import CometdSession, Message
from support.node import FOLDER, modules
from support.programs import program

pytestmark = [pytest.mark.real, pytest.mark.anyio, pytest.mark.timeout(360)]
UPDATES, SERVICE = "/statistics/v3/updates", "/statistics/v3/service"
HOLD, MAX_INTERVAL = 2.0, 1.5
SOON = 15.0  # seconds of a busy machine


class CometD:
    """The server's process; ``restart`` keeps its port and loses its sessions."""

    def __init__(self) -> None:
        modules()
        self.port = 0
        self.start()

    def start(self) -> None:
        options = {"timeout": HOLD * 1000, "maxInterval": MAX_INTERVAL * 1000}
        script = str(FOLDER / "cometd-server.cjs")
        command = [program("node"), script, str(self.port), json.dumps(options), UPDATES, SERVICE]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def stop(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=15)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class Lab:
    """A client with a cookie jar, its session, what was posted and what was heard."""

    def __init__(self, server: CometD, client: httpx.AsyncClient) -> None:
        self.server = server
        self.client = client
        self.posted: list[Message] = []
        self.heard: list[tuple[str, Any, float]] = []
        self.handshakes = 0
        log = get_log("exporter.test")
        self.session = CometdSession(self.post, SystemClock(), self.hear, log)

    def hear(self, channel: str, data: object) -> None:
        self.heard.append((channel, data, time.monotonic()))

    async def post(self, messages: Sequence[Message], operation: str, limit: float) -> Any:
        assert {message["channel"] for message in messages} == {f"/meta/{operation}"}
        self.posted += messages
        url = f"{self.server.base}/statistics/v3/notifications"
        try:
            answer = await self.client.post(url, json=messages, timeout=limit)
        except httpx.TimeoutException as error:
            raise TimedOut("no answer") from error
        except httpx.TransportError as error:
            raise Unreachable(type(error).__name__) from error
        if answer.status_code != httpx.codes.OK:
            raise ServerTrouble(f"HTTP {answer.status_code}")
        try:
            return answer.json()
        except ValueError as error:
            raise InvalidAnswer("no JSON") from error

    async def keep(self) -> None:
        """Do what the session's owner does."""
        while True:
            await self.session.handshake([UPDATES, SERVICE])
            self.handshakes += 1
            await self.session.receive()

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Keep the session while the block runs; an error of keeping it ends the block."""
        async with asyncio.timeout(4 * SOON), asyncio.TaskGroup() as group:
            task = group.create_task(self.keep())
            await until(lambda: len(self.connects()) >= 2)
            yield
            task.cancel()

    def connects(self) -> list[Message]:
        return [each for each in self.posted if each["channel"] == "/meta/connect"]

    async def publish(self, data: object, channel: str = UPDATES) -> None:
        """Publish past the client under test, and wait until it has been heard."""
        before = len(self.heard)
        async with httpx.AsyncClient(trust_env=False) as other:
            body = {"channel": channel, "data": data}
            answer = await other.post(f"{self.server.base}/publish", json=body)
        assert answer.status_code == httpx.codes.OK
        await until(lambda: len(self.heard) > before)


async def until(true: Any) -> None:
    """Wait until something is true; fail where it does not come true soon."""
    async with asyncio.timeout(SOON):
        while not true():  # noqa: ASYNC110 - another process sets no event
            await asyncio.sleep(0.01)


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    server = CometD()
    try:
        async with httpx.AsyncClient(trust_env=False) as client:
            yield Lab(server, client)
    finally:
        server.stop()


async def test_an_event_while_a_connect_is_held(lab: Lab) -> None:
    """An event reaches us at once, while a connect is held that nothing else would end."""
    async with lab.kept():
        began = time.monotonic()
        await lab.publish({"statistics": [{"statisticId": "s1", "value": None}]})
        _, _, at = lab.heard[-1]
        await lab.publish("Grüße \U0001f600", SERVICE)

    assert [(channel, data) for channel, data, _ in lab.heard] == [
        (UPDATES, {"statistics": [{"statisticId": "s1", "value": None}]}),
        (SERVICE, "Grüße \U0001f600"),
    ]
    assert at - began < HOLD
    assert lab.handshakes == 1


async def test_silence(lab: Lab) -> None:
    """A session in which nothing happens is kept by connects that are held in turn."""
    async with lab.kept():
        count = len(lab.connects())
        await asyncio.sleep(2.5 * HOLD)
        assert 1 <= len(lab.connects()) - count <= 3
        assert lab.session.alive_until > time.monotonic()
        await lab.publish(1)

    assert lab.handshakes == 1


async def test_a_burst(lab: Lab) -> None:
    """Every event of a burst is heard once, in its order."""
    async with lab.kept(), httpx.AsyncClient(trust_env=False) as other:
        for number in range(200):
            body = {"channel": UPDATES, "data": number}
            await other.post(f"{lab.server.base}/publish", json=body)
        await until(lambda: len(lab.heard) >= 200)

    assert [data for _, data, _ in lab.heard] == list(range(200))


async def test_expiry(lab: Lab) -> None:
    """A client that was held up is told that it is unknown, begins anew and hears again."""
    await lab.session.handshake([UPDATES])
    await asyncio.sleep(MAX_INTERVAL + 2.0)  # the server sweeps once a second
    async with asyncio.timeout(SOON):
        await lab.session.receive()
    async with lab.kept():
        await lab.publish(1)

    assert [data for _, data, _ in lab.heard] == [1]


async def test_lost_cookies(lab: Lab) -> None:
    """Without its cookie the server does not know a client, which begins anew and hears again."""
    async with lab.kept():
        lab.client.cookies.clear()
        await until(lambda: lab.handshakes == 2)
        await until(lambda: lab.connects()[-2]["clientId"] == lab.connects()[-1]["clientId"])
        await lab.publish(1)


async def test_a_restart(lab: Lab) -> None:
    """A server that was restarted is joined anew, and its events are heard."""
    async with lab.kept():
        await lab.publish(1)
        lab.server.stop()
        await asyncio.sleep(0.5)
        lab.server.start()
        await until(lambda: lab.handshakes == 2)
        await lab.publish(2)

    assert [data for _, data, _ in lab.heard] == [1, 2]


async def test_a_cancelled_connect(lab: Lab) -> None:
    """A connect that is given up on our side leaves a session that can be gone on with."""
    await lab.session.handshake([UPDATES])
    with suppress(TimeoutError):
        async with asyncio.timeout(1.0):
            await lab.session.receive()
    task = asyncio.create_task(lab.session.receive())
    await until(lambda: len(lab.connects()) >= 4)
    await lab.publish(1)
    task.cancel()

    assert len({connect["clientId"] for connect in lab.connects()}) == 1


async def test_two_sessions_with_one_jar(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    """A second session under the same cookie is slowed down by the server, and warned of it."""
    other = Lab(lab.server, lab.client)
    async with lab.kept(), other.kept():
        await until(lambda: "another session sends the same browser cookie" in caplog.messages)
        count = len(other.connects())
        await asyncio.sleep(2.5)
        assert len(other.connects()) - count <= 2


async def test_disconnect(lab: Lab) -> None:
    """After a stop the server knows the client no more."""
    async with lab.kept():
        await lab.publish(1)
    await lab.session.disconnect(5.0)
    (reply,) = await lab.post([{**lab.connects()[-1], "id": "99"}], "connect", 5.0)

    assert reply["successful"] is False
    assert reply["error"].startswith("402:")
