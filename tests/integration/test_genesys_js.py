"""The vendor's own JavaScript client reads the Genesys simulator over a real socket."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from exporter.clock import SystemClock
from exporter.simulators.floor.floor import Floor
from exporter.simulators.genesys.simulator import GenesysSimulator
from exporter.web.server import Server
from exporter.web.sockets import Address
from support.node import modules
from support.programs import program

pytestmark = pytest.mark.real
SCRIPT = Path(__file__).parent / "genesys" / "client.cjs"
MIDNIGHT = 1_795_564_800.0  # 2026-11-25 00:00 UTC


@pytest.fixture(scope="module")
def simulator() -> GenesysSimulator:
    floor = Floor(agents=20, queues=4, campaigns=6, start=MIDNIGHT)
    floor.advance(MIDNIGHT + 11 * 3600.0)
    return GenesysSimulator(floor, SystemClock())


@pytest.fixture(scope="module")
def told(simulator: GenesysSimulator) -> Iterator[dict[str, Any]]:
    """Run the client once; give what it printed."""
    node, packages = program("node"), modules()
    server = Server(simulator.app, Address("127.0.0.1", 0), "genesys")
    server.start()
    try:
        base = f"http://{server.address}"
        asked = {
            "modules": str(packages),
            "base": base,
            "apiKey": simulator.api_key,
            "token": _token(simulator, base),
            "agent": simulator.objects()["Agent"][0],
            "queue": simulator.objects()["Queue"][0],
        }
        done = subprocess.run(
            [node, str(SCRIPT), json.dumps(asked)],
            capture_output=True,
            text=True,
            timeout=40,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        yield json.loads(done.stdout)
    finally:
        server.stop(at_once=True)


def _token(simulator: GenesysSimulator, base: str) -> str:
    form = {
        "grant_type": "password",
        "username": simulator.username,
        "password": simulator.password,
    }
    answer = httpx.post(
        f"{base}/auth/v3/oauth/token",
        data=form,
        auth=(simulator.client_id, simulator.client_secret),
        headers={"x-api-key": simulator.api_key},
        timeout=10,
    )
    return str(answer.json()["access_token"])


def test_a_subscription_answers_what_it_could_open(
    simulator: GenesysSimulator, told: dict[str, Any]
) -> None:
    """Named and defined statistics arrive with the floor's figures, an unknown one is an error."""
    created = told["created"]
    state, waiting = created["data"]["statistics"]
    agent = next(iter(simulator.floor.agents.values()))
    queue = next(iter(simulator.floor.queues.values()))

    assert created["data"]["subscriptionId"] == "11111111-2222-3333-4444-555555555555"
    assert state["value"]["stateValue"]["agentId"] == agent.username
    assert state["value"]["stateValue"]["time"] == int(agent.since)
    assert waiting["value"]["intValue"] == queue.waiting_count
    assert [error["status"]["message"] for error in created["errors"]] == [
        "unknown: Unknown statistic NoSuchStatistic"
    ]


def test_an_update_is_pushed(simulator: GenesysSimulator, told: dict[str, Any]) -> None:
    """The client's own CometD hears an update with the ids of the statistic."""
    (entry,) = told["updated"]["data"]["statistics"]
    queue = next(iter(simulator.floor.queues.values()))

    assert entry["statisticId"] == "waiting"
    assert entry["subscriptionId"] == "11111111-2222-3333-4444-555555555555"
    assert entry["value"]["intValue"] == queue.waiting_count
    assert entry["timestamp"] == int(simulator.floor.now * 1000)


def test_values_are_read(simulator: GenesysSimulator, told: dict[str, Any]) -> None:
    """Peeks and reads without a subscription tell the floor's figures, however ids are sent."""
    agent = next(iter(simulator.floor.agents.values()))
    queue = next(iter(simulator.floor.queues.values()))
    peeked = [statistic["statisticId"] for statistic in told["peeked"]["data"]["statistics"]]
    (inbound,) = told["several"]["data"]["statistics"]

    assert peeked == ["state", "waiting"]
    assert told["read"]["data"]["statistic"]["value"]["intValue"] == queue.day.answered
    assert inbound["value"]["intValue"] == agent.day.inbound + agent.day.voicemails


def test_a_subscription_is_closed(simulator: GenesysSimulator, told: dict[str, Any]) -> None:
    """Deleting closes the statistics, and the answer is good."""
    assert told["deleted"]["status"]["code"] == 0
    assert simulator.open_statistics == 0
