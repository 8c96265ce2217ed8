"""A Five9 account on virtual time: a floor, its simulator, the exporter reading it, the truth."""

import random
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx

from exporter.objectives.model import Objectives
from exporter.providers.five9.config import Five9Config
from exporter.simulators.five9.domain import DEFAULT_LIMITS
from exporter.simulators.five9.simulator import Five9Simulator
from exporter.simulators.floor.figures import LOGGED_OUT, NOT_READY, ON_CONTACT, ON_HOLD, READY
from exporter.simulators.floor.floor import Floor
from support.bench import Bench
from support.clock import MIDNIGHT, VirtualClock
from support.page import Series, series

LIMITS_OF_2015 = DEFAULT_LIMITS
GENEROUS = {
    "QueryStatistics": {60: 10_000, 3600: 100_000, 86_400: 1_000_000},
    "QueryChangedStatistics": {60: 10_000, 3600: 100_000, 86_400: 1_000_000},
}


class Distant(httpx.AsyncBaseTransport):
    """The way to a simulator, on which every request takes 50 to 350 ms of virtual time."""

    def __init__(self, app: Any, clock: VirtualClock) -> None:
        self._inner = httpx.ASGITransport(app)
        self._clock = clock
        self._chance = random.Random(5)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await self._clock.sleep(self._chance.uniform(0.05, 0.35))
        return await self._inner.handle_async_request(request)


class Centre(Bench):
    """A floor, its simulator, and one account read from it, all on one virtual clock."""

    def __init__(
        self,
        *,
        start: float = MIDNIGHT,
        floor: Floor | None = None,
        before: "Centre | None" = None,
        switches: Mapping[str, Any] | None = None,
        objectives: Objectives | None = None,
        **options: Any,
    ) -> None:
        if before is None:
            self.clock = VirtualClock(start, monotonic=start)
            self.floor = floor or Floor(agents=12, queues=6, campaigns=6, seed=3, start=start)
            self.simulator = Five9Simulator(
                self.floor,
                self.clock,
                tick=lambda: self.floor.advance(self.clock.now),
                **{"limits": GENEROUS, **(switches or {})},
            )
        else:  # the same platform, read by an exporter that was started anew
            self.clock, self.floor, self.simulator = before.clock, before.floor, before.simulator
            self.clock.ended.clear()
            self.clock.watchers.clear()
        account = {
            "name": "acme",
            "provider": "five9",
            "base_url": "http://127.0.0.1:9001",
            "username": self.simulator.username,
            "password": self.simulator.password,
            **options,
        }
        super().__init__(
            Five9Config.model_validate(account),
            Distant(self.simulator.app, self.clock),
            objectives=objectives,
        )

    def running(self, until: float) -> AbstractAsyncContextManager[None]:  # type: ignore[override]
        """Run the exporter until an instant, then sign out."""
        return super().running(until - self.clock.now)

    # What the floor says, in our vocabulary ------------------------------------------------

    def truth(self, feed: str) -> dict[Series, float]:
        """Return every figure that a feed must show, from the floor alone."""
        makers: dict[str, Callable[[], dict[Series, float]]] = {
            "ACDStatus": self._queues,
            "AgentState": self._agents,
            "AgentStatistics": self._agents_day,
            "CampaignState": self._campaign_states,
            "OutboundCampaignManager": self._dialling,
            "InboundCampaignStatistics": self._inbound,
            "OutboundCampaignStatistics": lambda: self._dispositions("outbound"),
            "AutodialCampaignStatistics": lambda: self._dispositions("autodial"),
            "account": self._account,
        }
        return {
            self.own(name, **dict(labels)): value
            for (name, labels), value in makers[feed]().items()
        }

    def _queues(self) -> dict[Series, float]:
        found: dict[Series, float] = {}
        for queue in self.floor.queues.values():
            if queue.media != "voice":
                continue
            name = queue.name
            states = self.floor.queue_agents(name)
            voicemail = {"queue": name, "media": "voicemail"}
            voice = {"queue": name, "media": "voice"}
            found |= {
                series("queue_contacts_waiting", **voice): queue.waiting_count,
                series("queue_contacts_waiting", queue=name, media="visual_ivr"): (
                    queue.visual_ivr_waiting
                ),
                series("queue_longest_wait_seconds", **voice): queue.longest_wait,
                series("queue_longest_wait_window_seconds", window="day", **voice): (
                    queue.day.longest_wait_seconds
                ),
                series("queue_callbacks_waiting", queue=name, media="callback"): (
                    queue.callbacks_waiting
                ),
                series("queue_voicemails", **voicemail): queue.voicemails_total,
                series("queue_voicemails_active", **voicemail): queue.voicemails_active,
                series("queue_voicemails_waiting", **voicemail): queue.voicemails_waiting,
                series("queue_agents_logged_in", queue=name): (
                    sum(states.values()) - states[LOGGED_OUT]
                ),
                series("queue_agents_voicemail_ready", queue=name): states[READY],
                series("queue_agents", queue=name, state="ready"): states[READY],
                series("queue_agents", queue=name, state="on_contact"): (
                    states[ON_CONTACT] + states[ON_HOLD]
                ),
                series("queue_agents", queue=name, state="not_ready"): states[NOT_READY],
            }
        return found

    def _agents(self) -> dict[Series, float]:
        agents = self.floor.agents.values()
        found = dict.fromkeys((series("agents", state=state) for state in ALL_STATES), 0.0)
        for agent in agents:
            state = ON_CONTACT if agent.state == ON_HOLD else agent.state
            found[series("agents", state=state)] += 1
            if state == NOT_READY:
                key = series("agents_not_ready", reason=agent.reason or "unspecified")
                found[key] = found.get(key, 0) + 1
            if self.config.agents == "id":
                found[series("agent_state", agent=agent.username, state=state)] = 1
        return found

    def _agents_day(self) -> dict[Series, float]:
        found: dict[Series, float] = {}
        total = 0
        for agent in self.floor.agents.values():
            day = agent.day
            calls = day.inbound + day.outbound + day.manual + day.internal
            total += calls
            if self.config.agents != "id":
                continue
            own = {"agent": agent.username}
            directions = {
                "inbound": day.inbound,
                "manual": day.manual,
                "placed": day.manual,
                "outbound": day.outbound,
                "internal": day.internal,
                "preview": day.preview,
            }
            found[series("agent_contacts_handled_total", media="voice", **own)] = calls
            found[series("agent_first_contact_resolutions_total", **own)] = day.resolved
            found[series("agent_voicemails_processed_total", **own)] = day.voicemails
            found[series("agent_not_ready_entries_total", **own)] = day.state_entries[NOT_READY]
            found[series("agent_handle_average_seconds", window="day", **own)] = mean(
                day.handle_seconds, calls
            )
            found[series("agent_talk_average_seconds", window="day", **own)] = mean(
                day.talk_seconds, calls
            )
            for direction, count in directions.items():
                found[series("agent_calls_total", direction=direction, **own)] = count
        if self.floor.agents:
            found[series("agents_contacts_handled_total")] = total
        return found

    def _campaign_states(self) -> dict[Series, float]:
        return {
            series("campaign_state", campaign=campaign.name, state=state): float(
                campaign.state == state
            )
            for campaign in self.floor.campaigns.values()
            for state in CAMPAIGN_STATES
        }

    def _dialling(self) -> dict[Series, float]:
        found: dict[Series, float] = {}
        for campaign in self.floor.campaigns.values():
            if campaign.kind != "outbound" or campaign.state != "running":
                continue
            totals = self.floor.campaign_window(campaign.name, 1800)
            counts = {
                "campaign_dials": totals.dials,
                "campaign_connected": totals.connected,
                "campaign_abandoned": totals.abandoned,
                "campaign_no_party_contact": totals.no_party_contact,
                "campaign_records_dispositioned": totals.dispositioned,
                "campaign_previews_skipped": totals.preview_skipped,
            }
            for name, count in counts.items():
                found[series(f"{name}_in_window", campaign=campaign.name, window="30m")] = count
            records = {
                "total": campaign.records.total,
                "available": campaign.records.available,
                "redial_with_timer": campaign.records.redial_timer,
                "dialed_without_timer": campaign.records.dialed,
                "asap_request": campaign.records.asap,
                "unreachable": campaign.records.unreachable,
            }
            for status, count in records.items():
                found[series("campaign_records", campaign=campaign.name, status=status)] = count
        return found

    def _inbound(self) -> dict[Series, float]:
        found = self._dispositions("inbound")
        for campaign in self.floor.campaigns.values():
            if campaign.kind != "inbound":
                continue
            day = campaign.day
            own = {"campaign": campaign.name}
            found |= {
                series("campaign_offered_total", **own): day.offered,
                series("campaign_agent_calls_total", **own): day.connected,
                series("campaign_connected_total", **own): day.connected,
                series("campaign_handled_total", **own): day.handled,
                series("campaign_abandoned_total", **own): day.abandoned,
                series("campaign_rejected_total", **own): day.rejected,
                series("campaign_visual_ivr_sessions_total", **own): day.visual_ivr_sessions,
                series("campaign_ivr_finished_total", outcome="success", **own): day.ivr_success,
                series("campaign_ivr_finished_total", outcome="error", **own): day.ivr_error,
                series("campaign_first_contact_resolutions_total", **own): day.resolved,
                series("campaign_answer_seconds", window="day", **own): mean(
                    day.answer_wait_seconds, day.connected
                ),
                series("campaign_handle_seconds", window="day", **own): mean(
                    day.handle_seconds, day.handled
                ),
                series("campaign_longest_wait_seconds", window="day", **own): (
                    day.longest_wait_seconds
                ),
            }
        return found

    def _dispositions(self, kind: str) -> dict[Series, float]:
        direction = "inbound" if kind == "inbound" else "outbound"
        found: dict[Series, float] = {}
        for campaign in self.floor.campaigns.values():
            if campaign.kind != kind:
                continue
            own = {"campaign": campaign.name}
            found[series("campaign_info", **own, direction=direction)] = 1.0
            for disposition in self.floor.dispositions:
                key = series("campaign_dispositions_total", **own, disposition=disposition)
                found[key] = campaign.day.dispositions[disposition]
        return found

    def _account(self) -> dict[Series, float]:
        return {
            series("account_permission", permission=name): float(
                self.simulator.permissions.get(name, False)
            )
            for name in ("Agents", "Campaigns", "AllSkills", "ViewDataForAllAgentGroups")
        }


ALL_STATES = (
    *("ready", "ringing", "on_contact", "on_hold", "after_contact_work"),
    *("not_ready", "logged_out", "other"),
)
CAMPAIGN_STATES = (
    *("running", "starting", "stopping", "stopped", "resetting", "completed", "other"),
)
# Figures that Five9 may move in steps of five seconds, or not at all while nothing else changes.
STEPPED = {
    "contactcenter_queue_longest_wait_seconds": 5.0,
    "contactcenter_queue_longest_wait_window_seconds": 5.0,
}


def mean(seconds: float, count: int) -> float:
    """Return a mean as Five9 rounds it."""
    return round(seconds * 1000 / count) / 1000 if count else 0.0
