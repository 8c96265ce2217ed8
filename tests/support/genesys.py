"""A Genesys contact centre on virtual time: floor, simulator, exporter, and the truth."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from exporter.providers.genesys.config import GenesysConfig
from exporter.simulators.floor.figures import (
    LOGGED_OUT,
    NOT_READY,
    ON_CONTACT,
    ON_HOLD,
    READY,
    STATES,
    Agent,
    Campaign,
    Queue,
)
from exporter.simulators.floor.floor import Floor
from exporter.simulators.genesys.simulator import GenesysSimulator
from support.bench import Bench
from support.clock import MIDNIGHT, LoopClock
from support.page import Series, series

MORNING = MIDNIGHT + 10 * 3600.0
URL = "http://127.0.0.1:9004"
TICK = 5.0  # seconds for which the floor stands still
PERIODICAL = {
    "queue_longest_wait_seconds",
    "queue_answer_wait_seconds_total",
    "queue_service_level_ratio",
    "queue_estimated_wait_seconds",
    "agent_talk_seconds_total",
    "agent_hold_seconds_total",
    "agent_after_contact_work_seconds_total",
    "agent_state_time_seconds_total",
    "agent_login_seconds_total",
}


class Platform:
    """A floor that moves every ``TICK``, and the simulator that shows it, on a virtual loop."""

    def __init__(self, *, start: float = MORNING, floor: Floor | None = None, **more: Any) -> None:
        self.clock = LoopClock(start)
        self.floor = floor or Floor(agents=20, queues=8, campaigns=6, seed=3, start=start)
        self.frozen = False
        self.simulator = GenesysSimulator(self.floor, self.clock, tick=self._tick, **more)

    def _tick(self) -> None:
        if not self.frozen:
            now = self.clock.time()
            self.floor.advance(now - (now - self.clock.start) % TICK)

    def requests(self, part: str = "", method: str = "") -> list[str]:
        """Return the requests so far that have a part in their path."""
        found = (each for each in self.simulator.log if part in each.path)
        return [f"{x.method} {x.path}" for x in found if x.method.startswith(method)]


def objects_of(simulator: GenesysSimulator, *wanted: str) -> list[dict[str, Any]]:
    """Return the objects of the wanted types, labelled by what the floor calls them."""
    found = simulator.objects()
    names = {
        "Queue": lambda identity: identity.removesuffix("@SIP_Switch"),
        "CampaignGroup": lambda identity: identity.partition("@")[0],
    }
    return [
        {
            "type": kind,
            "ids": found[kind],
            "names": {x: names[kind](x) for x in found[kind]} if kind in names else {},
        }
        for kind in wanted
        if found[kind]
    ]


class Exporter(Bench):
    """One account of an exporter that reads a platform."""

    def __init__(
        self, platform: Platform, transport: httpx.AsyncBaseTransport | None = None, **options: Any
    ) -> None:
        self.platform = platform
        self.clock = platform.clock
        simulator = platform.simulator
        account = {
            "name": "acme",
            "provider": "genesys",
            "base_url": URL,
            "api_key": simulator.api_key,
            "client_id": simulator.client_id,
            "client_secret": simulator.client_secret,
            "username": simulator.username,
            "password": simulator.password,
            "agents": "id",
            "time_zone": platform.floor.time_zone,
            "objects": objects_of(simulator, "Queue", "GroupAgents", "Agent", "CampaignGroup"),
            **options,
        }
        super().__init__(
            GenesysConfig.model_validate(account),
            transport or httpx.ASGITransport(simulator.app),
            observe=False,
        )

    @asynccontextmanager
    async def running(self, seconds: float) -> AsyncIterator[None]:
        """Run the exporter for a while, then stop it as on SIGTERM."""
        self._task = asyncio.create_task(self.refresher.run())
        try:
            await self.go_on(seconds)
            yield
        finally:
            self._task.cancel()
            await asyncio.wait([self._task])
            await self.client.aclose()

    async def go_on(self, seconds: float) -> None:
        """Continue a running exporter for a while."""
        await asyncio.wait([self._task], timeout=seconds)
        if self._task.done():
            self._task.result()  # raises what ended the schedule, which nothing may


def own(name: str, **labels: str) -> Series:
    """Name a series of the account, without the prefix."""
    return series(f"contactcenter_{name}", provider="genesys", account="acme", **labels)


def truth(floor: Floor, config: GenesysConfig) -> dict[Series, float]:
    """Return every figure that the page must show, from the floor alone."""
    kinds = {each.type for each in config.objects}
    found: dict[Series, float] = {}
    if "Queue" in kinds:
        for queue in floor.queues.values():
            found |= _queue(queue)
    if "GroupAgents" in kinds:
        for name in floor.queues:
            found |= _group(name, Counter(floor.queue_agents(name)))
        found |= _group("All Agents", Counter(agent.state for agent in floor.agents.values()))
    if "Agent" in kinds:
        found |= _agents(floor, each_agent=config.agents != "aggregate")
    if "CampaignGroup" in kinds:
        for campaign in floor.campaigns.values():
            if campaign.kind != "inbound":
                found |= _campaign(campaign)
    return found


def _agents(floor: Floor, *, each_agent: bool) -> dict[Series, float]:
    states = Counter(agent.state for agent in floor.agents.values())
    found: dict[Series, float] = {
        own("agents", state=state): states[state] for state in (*STATES, "other")
    }
    for agent in floor.agents.values() if each_agent else ():
        found |= _agent(agent)
    return found


def _queue(queue: Queue) -> dict[Series, float]:
    labels = {"queue": queue.name, "media": "all"}
    day = queue.day
    ended = day.answered + day.abandoned - day.short_abandoned
    figures = {
        "queue_contacts_waiting": queue.waiting_count,
        "queue_longest_wait_seconds": int(queue.longest_wait),
        "queue_contacts_offered_total": day.offered,
        "queue_contacts_answered_total": day.answered,
        "queue_contacts_abandoned_total": day.abandoned,
        "queue_contacts_handled_total": day.handled,
        "queue_contacts_answered_within_threshold_total": day.answered_within_threshold,
        "queue_service_level_threshold_seconds": 20,
        "queue_answer_wait_seconds_total": int(day.answer_wait_seconds),
    }
    found = {own(name, **labels): float(value) for name, value in figures.items()}
    level = round(100 * day.answered_within_threshold / ended, 3) / 100 if ended else 0.0
    found[own("queue_service_level_ratio", **labels, window="1h")] = level
    wait = _estimated_wait(queue)
    if wait is not None:
        found[own("queue_estimated_wait_seconds", queue=queue.name, media="voice")] = wait
    return found


def _estimated_wait(queue: Queue) -> float | None:
    """Return the wait of a new contact, by mean handling time and who could take it."""
    if queue.idle:
        return 0.0
    states, day = queue.agent_states, queue.day
    staffed = sum(states.values()) - states[LOGGED_OUT] - states[NOT_READY]
    if not staffed or not day.handled:
        return None
    return round((queue.waiting_count + 1) * day.handle_seconds / day.handled / staffed, 3)


def _group(name: str, states: Counter[str]) -> dict[Series, float]:
    return {own("queue_agents", queue=name, state=x): states[x] for x in (*STATES, "other")}


def _agent(agent: Agent) -> dict[Series, float]:
    who, day = {"agent": agent.username}, agent.day
    both = {**who, "media": "all"}
    inbound, outbound = day.inbound + day.voicemails, day.outbound + day.manual
    spent = day.state_seconds
    return {
        own("agent_state", **who, state=agent.state): 1.0,
        own("agent_state_since_timestamp_seconds", **who): float(int(agent.since)),
        own("agent_contacts_handled_total", **both): inbound + outbound,
        own("agent_calls_total", **who, direction="inbound"): inbound,
        own("agent_calls_total", **who, direction="outbound"): outbound,
        own("agent_calls_total", **who, direction="internal"): day.internal,
        own("agent_calls_total", **who, direction="consult"): 0,
        own("agent_talk_seconds_total", **both): int(spent[ON_CONTACT]),
        own("agent_hold_seconds_total", **both): int(spent[ON_HOLD]),
        own("agent_after_contact_work_seconds_total", **both): int(spent["after_contact_work"]),
        own("agent_state_time_seconds_total", **who, state="ready"): int(spent[READY]),
        own("agent_state_time_seconds_total", **who, state="not_ready"): int(spent[NOT_READY]),
        own("agent_login_seconds_total", **who): int(day.login_seconds),
    }


def _campaign(campaign: Campaign) -> dict[Series, float]:
    which = {"campaign": campaign.name}
    running = campaign.state == "running"
    found = {own("campaign_records_processed_total", **which): float(campaign.day.dispositioned)}
    found[own("campaign_info", **which, direction="outbound")] = 1.0
    for state in ("running", "starting", "stopping", "stopped", "resetting", "completed", "other"):
        now = "running" if running else "stopped"
        found[own("campaign_state", **which, state=state)] = float(state == now)
    empty = campaign.records.available + campaign.records.asap == 0
    stalls = {
        "agents": running and campaign.kind == "outbound" and not campaign.idle,
        "ports": False,
        "records": running and empty,
        "system_error": False,
    }
    return found | {
        own("campaign_stalled", **which, reason=reason): float(now)
        for reason, now in stalls.items()
    }
