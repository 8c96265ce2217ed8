"""A Bright Pattern account on virtual time: floor, simulator, exporter, and the truth."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from exporter.providers.brightpattern.config import BrightPatternConfig
from exporter.simulators.brightpattern.figures import share_scale
from exporter.simulators.brightpattern.simulator import BrightPatternSimulator
from exporter.simulators.floor.figures import LOGGED_OUT, NOT_READY
from exporter.simulators.floor.floor import Floor
from support.bench import Bench, Line
from support.clock import MIDNIGHT, VirtualClock
from support.page import Series, series

URL = "http://127.0.0.1:9003"
# Statistic → family and constant labels, written down once more: the tables must agree with it.
QUEUE_GAUGES = {
    "in_calls_waiting": "queue_contacts_waiting",
    "in_max_wait_time": "queue_longest_wait_seconds",
    "service_level_threshold_time": "queue_service_level_threshold_seconds",
    "service_level_target": "queue_service_level_target_ratio",
}
QUEUE_TOTALS = {
    "in_calls_received_per_day": "queue_contacts_offered_total",
    "in_calls_queued_per_day": "queue_contacts_queued_total",
    "in_calls_abandoned_total_per_day": "queue_contacts_abandoned_total",
    "in_calls_abandoned_in_queue_per_day": "queue_contacts_late_abandoned_total",
    "in_calls_short_abandoned_in_queue_per_day": "queue_contacts_short_abandoned_total",
    "in_calls_handled_per_day": "queue_contacts_handled_total",
    "out_calls_answered_per_day": "queue_outbound_answered_total",
    "out_calls_handled_per_day": "queue_outbound_handled_total",
}
QUEUE_WINDOWED = {
    "service_level": "queue_service_level_ratio",
    "in_calls_abandoned_percent_per_day": "queue_abandoned_ratio",
    "in_calls_abandoned_in_queue_ratio_per_day": "queue_late_abandoned_ratio",
    "in_calls_short_abandoned_in_queue_ratio_per_day": "queue_short_abandoned_ratio",
    "in_average_speed_of_answer": "queue_answer_seconds",
}
SHARES = (
    "service_level",
    "service_level_target",
    "in_calls_abandoned_percent_per_day",
    "in_calls_abandoned_in_queue_ratio_per_day",
    "in_calls_short_abandoned_in_queue_ratio_per_day",
)
AGENT_FIGURES: dict[str, tuple[str, dict[str, str]]] = {
    "in_calls_handled_per_day": ("agent_calls_total", {"direction": "inbound"}),
    "out_calls_handled_per_day": ("agent_calls_total", {"direction": "outbound"}),
    "calls_average_handling_time_per_day": ("agent_handle_average_seconds", {"window": "day"}),
    "agent_total_ready_time": ("agent_state_time_seconds_total", {"state": "ready"}),
    "agent_total_busy_time": ("agent_state_time_seconds_total", {"state": "on_contact"}),
    "agent_total_ACW_time": ("agent_state_time_seconds_total", {"state": "after_contact_work"}),
    "agent_total_break_time": ("agent_break_seconds_total", {}),
    "login_time": ("agent_session_seconds", {}),
    "active_item_talk_duration": ("agent_state_seconds", {"state": "on_contact"}),
    "active_item_hold_duration": ("agent_state_seconds", {"state": "on_hold"}),
}
WORDS = {
    "ready": "ready",
    "not_ready": "not_ready",
    "busy": "on_contact",
    "after_call_work": "after_contact_work",
    "": "logged_out",
    "0": "logged_out",
}
STATES = (
    *("ready", "ringing", "on_contact", "on_hold", "after_contact_work"),
    *("not_ready", "logged_out", "other"),
)


class Turn:
    """One exporter's view of a shared clock: it waits while it is not its turn."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.end = 0.0
        self.over = asyncio.Event()
        self._next = asyncio.Event()

    def time(self) -> float:
        return self._clock.time()

    def monotonic(self) -> float:
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        wake = self.monotonic() + max(seconds, 0.0)
        while wake > self.end:
            self.over.set()
            await self._next.wait()
        await self._clock.sleep(wake - self.monotonic())

    def give(self, seconds: float) -> None:
        """Run the exporter for a while."""
        self.end = self.monotonic() + seconds
        self.over.clear()
        self._next.set()
        self._next = asyncio.Event()


class Platform:
    """A floor and the simulator that shows it, on one virtual clock."""

    def __init__(
        self, *, start: float = MIDNIGHT, floor: Floor | None = None, **switches: Any
    ) -> None:
        self.clock = VirtualClock(start)
        self.floor = floor or Floor(agents=20, queues=8, campaigns=6, seed=3, start=start)
        self.simulator = BrightPatternSimulator(
            self.floor,
            self.clock,
            tick=lambda: self.floor.advance(self.clock.now),
            **switches,
        )

    def requests(self, part: str = "") -> list[str]:
        """Return the requests so far whose path has a part."""
        return [f"{r.method} {r.path}" for r in self.simulator.log if part in r.path]


class Exporter(Bench):
    """One account of an exporter that reads a platform."""

    def __init__(self, platform: Platform, **options: Any) -> None:
        self.platform = platform
        self.clock = Turn(platform.clock)
        simulator = platform.simulator
        account = {
            "name": "acme",
            "provider": "brightpattern",
            "base_url": URL,
            "tenant_url": simulator.tenant_url,
            "username": simulator.username,
            "api_secret": simulator.api_secret,
            **options,
        }
        self.line = Line(simulator.app)
        super().__init__(BrightPatternConfig.model_validate(account), self.line)

    @asynccontextmanager
    async def running(self, seconds: float, *, clean: bool = True) -> AsyncIterator[None]:
        """Run the exporter for a while; then stop it, or kill it if not ``clean``."""
        self._task = asyncio.create_task(self.refresher.run())
        try:
            await self.go_on(seconds)
            yield
        finally:
            self.line.is_cut = not clean
            self._task.cancel()
            await asyncio.wait([self._task])
            await self.client.aclose()

    async def go_on(self, seconds: float) -> None:
        """Continue a running exporter for a while."""
        self.clock.give(seconds)
        over = asyncio.create_task(self.clock.over.wait())
        await asyncio.wait([self._task, over], return_when=asyncio.FIRST_COMPLETED)
        over.cancel()
        if self._task.done():
            self._task.result()  # raises what ended the schedule, which nothing may
        clock = self.platform.clock
        clock.elapsed = max(clock.elapsed, self.clock.end)

    # What the platform says, in our vocabulary ----------------------------------------------

    def truth(self, feed: str) -> dict[Series, float]:
        """Return every figure that a feed must show, from the floor alone."""
        if feed == "directory":
            return {}
        if feed == "campaigns":
            found = self._campaigns()
        else:
            truth = self.platform.simulator.truth()
            found = self._queues(truth.services) | self._agents(truth.agents)
            if self.config.agents != "aggregate":
                found |= self._each_agent(truth.agents)
        return {own(name, **dict(labels)): value for (name, labels), value in found.items()}

    def _queues(self, services: Mapping[str, Mapping[str, str]]) -> dict[Series, float]:
        found: dict[Series, float] = {}
        for queue, row in services.items():
            both = {"queue": queue, "media": "all"}
            for statistic, name in (QUEUE_GAUGES | QUEUE_TOTALS).items():
                _put(found, self._cell(row, statistic), name, **both)
            for statistic, name in QUEUE_WINDOWED.items():
                _put(found, self._cell(row, statistic), name, **both, window="day")
            _put(found, row["agents_logged"], "queue_agents_logged_in", queue=queue)
            _put(found, row["agents_busy"], "queue_agents_busy", queue=queue)
            _put(found, row.get("agents_ready", ""), "queue_agents", queue=queue, state="ready")
        return found

    def _cell(self, row: Mapping[str, str], statistic: str) -> str:
        """Return a cell, a share as a fraction."""
        cell = row.get(statistic, "")
        scale = share_scale(self.platform.simulator, "service", statistic)
        if not cell or statistic not in SHARES or scale == "fraction":
            return cell
        return repr(float(cell.removesuffix("%")) / 100)

    def _agents(self, agents: Mapping[str, Mapping[str, str]]) -> dict[Series, float]:
        states = Counter(WORDS.get(row["acd_state"], "other") for row in agents.values())
        found = {series("agents", state=state): float(states[state]) for state in STATES}
        for agent in self.platform.floor.agents.values():
            if agent.state == NOT_READY:
                key = series("agents_not_ready", reason=agent.reason or "unspecified")
                found[key] = found.get(key, 0.0) + 1
        if agents:
            for statistic, (name, labels) in AGENT_FIGURES.items():
                if name == "agent_state_time_seconds_total":
                    found[series("agents_state_seconds_total", **labels)] = _sum(agents, statistic)
            found[series("agents_break_seconds_total")] = _sum(agents, "agent_total_break_time")
            handled = ("in_calls_handled_per_day", "out_calls_handled_per_day")
            if self.platform.simulator.likely_statistics:
                found[series("agents_contacts_handled_total")] = sum(
                    _sum(agents, statistic) for statistic in handled
                )
        return found

    def _each_agent(self, agents: Mapping[str, Mapping[str, str]]) -> dict[Series, float]:
        found: dict[Series, float] = {}
        for login, row in agents.items():
            state = WORDS.get(row["acd_state"], "other")
            found[series("agent_state", agent=login, state=state)] = 1.0
            for statistic, (name, labels) in AGENT_FIGURES.items():
                _put(found, row.get(statistic, ""), name, agent=login, **labels)
            if row["acd_next_state"]:
                word = WORDS[row["acd_next_state"]]
                found[series("agent_next_state", agent=login, state=word)] = 1.0
            if row["active_item_media_type"]:
                media = row["active_item_media_type"].lower()
                found[series("agent_contacts_active", agent=login, media=media)] = 1.0
            handled = int(row["in_calls_handled_per_day"]) + int(row["out_calls_handled_per_day"])
            found[series("agent_contacts_handled_total", agent=login, media="all")] = handled
            agent = self.platform.floor.agents[login]
            shifted = self.platform.simulator.reset_hour != 0  # the floor's day is another one
            for disposition, count in () if shifted else agent.day.dispositions.items():
                key = series("agent_dispositions_total", agent=login, disposition=disposition)
                found[key] = count
            if agent.state != LOGGED_OUT:
                start = self.clock.time() - int(row["state_duration"])
                found[series("agent_state_since_timestamp_seconds", agent=login)] = start
        return found

    def _campaigns(self) -> dict[Series, float]:
        found: dict[Series, float] = {}
        for campaign in self.platform.floor.campaigns.values():
            if campaign.kind != "inbound":
                own_labels = {"campaign": campaign.name}
                running = campaign.state == "running"
                total = campaign.records.total
                done = self.platform.simulator.completed_records(campaign.name)
                found |= {
                    series("campaign_info", direction="outbound", **own_labels): 1.0,
                    series("campaign_state", state="running", **own_labels): float(running),
                    series("campaign_state", state="stopped", **own_labels): float(not running),
                    series("campaign_records", status="total", **own_labels): total,
                    series("campaign_records", status="completed", **own_labels): done,
                }
        return found


def _put(found: dict[Series, float], cell: str, name: str, **labels: str) -> None:
    """Add a figure unless the platform says nothing."""
    if cell:
        found[series(name, **labels)] = float(cell)


def _sum(rows: Mapping[str, Mapping[str, str]], statistic: str) -> float:
    return float(sum(int(row.get(statistic) or 0) for row in rows.values()))


def own(name: str, **labels: str) -> Series:
    """Name a series of the account, without the prefix."""
    labels = {"provider": "brightpattern", "account": "acme", **labels}
    return series(f"contactcenter_{name}", **labels)
