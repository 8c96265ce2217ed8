"""A raw client of the Genesys simulator on virtual time; it knows nothing of the real client."""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

import httpx

from exporter.simulators.floor.floor import Floor
from exporter.simulators.genesys.simulator import GenesysSimulator
from support.clock import LoopClock, run

MIDNIGHT = 1_795_564_800.0  # 2026-11-25 00:00 UTC
LATE_MORNING = MIDNIGHT + 11 * 3600.0
SUBSCRIPTIONS = "/statistics/v3/subscriptions"
NOTIFICATIONS = "/statistics/v3/notifications"
UPDATES, SERVICE = "/statistics/v3/updates", "/statistics/v3/service"


def virtual(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test on a virtual loop of its own."""

    @wraps(test)
    def wrapper(*args: Any, **kwargs: Any) -> None:
        run(test(*args, **kwargs))

    return wrapper


def simulate(**switches: Any) -> GenesysSimulator:
    """Make a simulator over a floor in the late morning that moves with the loop."""
    floor = Floor(agents=20, queues=4, campaigns=6, start=MIDNIGHT)
    floor.advance(LATE_MORNING)
    clock = LoopClock(LATE_MORNING)
    return GenesysSimulator(
        floor,
        clock,
        tick=lambda: floor.advance(clock.time()),
        **switches,
    )


def named(statistic: str, name: str, kind: str, key: str) -> dict[str, Any]:
    return {"statisticId": statistic, "name": name, "objectType": kind, "objectId": key}


def defined(statistic: str, kind: str, key: str, **definition: Any) -> dict[str, Any]:
    return {
        "statisticId": statistic,
        "objectType": kind,
        "objectId": key,
        "definition": definition,
    }


def state(statistic: str, agent: str, **more: Any) -> dict[str, Any]:
    """Return the description of an agent's state, at the level of the agent."""
    definition = {"category": "CurrentState", "subject": "AgentStatus", "mainMask": "*"}
    return defined(statistic, "Agent", agent, **{**definition, **more})


class Wire:
    """One client of a simulator, with its own cookies."""

    def __init__(self, simulator: GenesysSimulator) -> None:
        self.simulator = simulator
        self.client_id = ""
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(simulator.app),
            base_url="http://gws.example",
            headers={"x-api-key": simulator.api_key},
        )

    async def token(self, client: tuple[str, str] | None = None, **form: str) -> httpx.Response:
        simulator = self.simulator
        right = {
            "grant_type": "password",
            "username": simulator.username,
            "password": simulator.password,
        }
        auth = client or (simulator.client_id, simulator.client_secret)
        return await self.http.post("/auth/v3/oauth/token", data={**right, **form}, auth=auth)

    async def sign_in(self, **form: str) -> "Wire":
        token = (await self.token(**form)).json()["access_token"]
        self.http.headers["Authorization"] = f"Bearer {token}"
        return self

    async def post(self, *messages: Any, suffix: str = "") -> httpx.Response:
        """Post Bayeux messages; what has a client id and names none gets ours."""
        for message in messages:
            if message.get("channel") != "/meta/handshake" and self.client_id:
                message.setdefault("clientId", self.client_id)
        return await self.http.post(f"{NOTIFICATIONS}{suffix}", json=list(messages))

    async def send(self, *messages: Any, suffix: str = "") -> list[dict[str, Any]]:
        answer = await self.post(*messages, suffix=suffix)
        assert answer.status_code == 200, answer.text
        return list(answer.json())

    async def handshake(self, **more: Any) -> dict[str, Any]:
        message = {
            "id": "1",
            "channel": "/meta/handshake",
            "version": "1.0",
            "supportedConnectionTypes": ["long-polling"],
            **more,
        }
        (reply,) = await self.send(message)
        self.client_id = reply["clientId"]
        return reply

    async def connect(self, **more: Any) -> list[dict[str, Any]]:
        return await self.send(connecting(**more))

    async def subscribe(self, *channels: str) -> list[dict[str, Any]]:
        message = {
            "id": "2",
            "channel": "/meta/subscribe",
            "subscription": list(channels or (SERVICE, UPDATES)),
        }
        return await self.send(message)

    async def begin(self) -> "Wire":
        """Sign in, shake hands, subscribe to both channels."""
        await self.sign_in()
        await self.handshake()
        await self.subscribe()
        return self

    async def create(self, *statistics: Any, key: str = "sub-1", **query: str) -> httpx.Response:
        body = {"operationId": key, "data": {"statistics": list(statistics)}}
        return await self.http.post(SUBSCRIPTIONS, json=body, params=query)

    async def peek(self, key: str = "sub-1", **query: Any) -> httpx.Response:
        return await self.http.get(f"{SUBSCRIPTIONS}/{key}/statistic-values", params=query)

    async def updates(self, **more: Any) -> list[dict[str, Any]]:
        """Connect once; return the update entries that come along."""
        return entries(await self.connect(**more))


def connecting(**more: Any) -> dict[str, Any]:
    return {"id": "c", "channel": "/meta/connect", "connectionType": "long-polling", **more}


def entries(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the update entries among messages, in the usual envelope."""
    return [
        entry
        for message in messages
        if message["channel"] == UPDATES
        for entry in message["data"]["data"]["statistics"]
    ]
