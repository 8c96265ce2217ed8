"""A Voximplant account on virtual time: a floor, its simulator, the exporter, the truth."""

from collections import Counter, deque
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import httpx

from exporter.providers.voximplant.config import VoximplantConfig
from exporter.simulators.floor.figures import ON_CONTACT, ON_HOLD, Agent, Queue
from exporter.simulators.floor.floor import Floor
from exporter.simulators.voximplant.simulator import VoximplantSimulator
from support.bench import Bench
from support.clock import MORNING, VirtualClock
from support.page import Series, series

AGENT_STATES = (
    *("ready", "ringing", "on_contact", "on_hold", "after_contact_work"),
    *("not_ready", "logged_out", "other"),
)
CAMPAIGN_STATES = (
    *("running", "starting", "stopping", "stopped", "resetting", "completed", "other"),
)
STATE_OF_STATUS = {
    "READY": "ready",
    "IN_SERVICE": "on_contact",
    "AFTER_SERVICE": "after_contact_work",
    "DND": "not_ready",
    "OFFLINE": "logged_out",
}
STATE_OF_SQ_STATUS = {**STATE_OF_STATUS, "DIALING": "ringing"}
_REMEMBERED = 500  # requests: more than there are within a feed's freshness


class Centre(Bench):
    """A floor, its simulator, and one account read from it, all on one virtual clock."""

    def __init__(
        self,
        *,
        start: float = MORNING,
        floor: Floor | None = None,
        switches: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        self.clock = VirtualClock(start)
        self.floor = floor or Floor(
            agents=20, queues=6, campaigns=6, seed=3, start=start - 6 * 3600
        )
        self.floor.advance(start)
        self.asked: dict[Series, deque[float]] = {}  # what queues were like at recent requests
        switches = {"account_id": 1_234_567, "key_id": "key-1", **(switches or {})}
        self.simulator = VoximplantSimulator(self.floor, self.clock, tick=self._tick, **switches)
        key = self.simulator.credentials()
        account = {
            "name": "acme",
            "provider": "voximplant",
            "base_url": "http://127.0.0.1:9001",
            **{name: key[name] for name in ("account_id", "key_id", "private_key")},
            **options,
        }
        super().__init__(
            VoximplantConfig.model_validate(account), httpx.ASGITransport(self.simulator.app)
        )

    def _tick(self) -> None:
        self.floor.advance(self.clock.now)
        for key, value in (self._queue_statistics() | self._account()).items():
            self.asked.setdefault(_own(key), deque(maxlen=_REMEMBERED)).append(value)

    # What the floor says, in our vocabulary ------------------------------------------------

    def truth(self, feed: str) -> dict[Series, float]:
        """Return every figure that a feed must show, from the floor alone."""
        makers: dict[str, Callable[[], dict[Series, float]]] = {
            "state": self._state,
            "operators": self._operators,
            "operator_status": self._operator_status,
            "operator_statistics": self._operator_statistics,
            "queue_statistics": self._queue_statistics,
            "smartqueue_state": self._smartqueue,
            "queues": self._queues,
            "call_lists": self._call_lists,
            "account": self._account,
        }
        return {_own(key): value for key, value in makers.get(feed, dict)().items()}

    def voice_queues(self) -> list[Queue]:
        """Return the queues of ACD v1."""
        return [queue for queue in self.floor.queues.values() if queue.media == "voice"]

    def _state(self) -> dict[Series, float]:
        found: dict[Series, float] = {}
        for queue in self.voice_queues():
            states = self.floor.queue_agents(queue.name)
            voice = {"queue": queue.name, "media": "voice"}
            locked = states["ringing"] + states["on_contact"] + states["on_hold"]
            found |= {
                series("queue_contacts_waiting", **voice): queue.waiting_count,
                series("queue_contacts_active", **voice): queue.active + queue.voicemails_active,
                series("queue_longest_wait_seconds", **voice): int(queue.longest_wait),
                series("queue_agents", queue=queue.name, state="ready"): states["ready"],
                series("queue_agents", queue=queue.name, state="other"): locked,
                series("queue_agents", queue=queue.name, state="after_contact_work"): states[
                    "after_contact_work"
                ],
            }
        return found

    def _operators(self) -> dict[Series, float]:
        found = {series("agents", state=state): 0.0 for state in AGENT_STATES}
        for agent in self.floor.agents.values():
            status = self.simulator.acd_statuses[agent.state]
            state = STATE_OF_STATUS[status]
            found[series("agents", state=state)] += 1
            if state == "not_ready":
                key = series("agents_not_ready", reason=status)
                found[key] = found.get(key, 0) + 1
            if self.config.agents == "id":
                found[series("agent_state", agent=str(agent.id), state=state)] = 1
        return found

    def _operator_status(self) -> dict[Series, float]:
        found: Counter[Series] = Counter()
        for agent in self.floor.agents.values():
            user = str(agent.id)
            for state in STATE_OF_STATUS.values():
                for suffix in ("seconds", "entries"):
                    found[series(f"agents_state_{suffix}_total", state=state)] += 0
            times = self.simulator.status_times(agent.username)
            for status, state in STATE_OF_STATUS.items():
                entries, seconds = times.get(status, (0, 0.0))
                whole = int(seconds + 1e-6)
                found[series("agents_state_seconds_total", state=state)] += whole
                found[series("agents_state_entries_total", state=state)] += entries
                if self.config.agents == "id":
                    own = {"agent": user, "state": state}
                    found[series("agent_state_time_seconds_total", **own)] = whole
                    found[series("agent_state_entries_total", **own)] = entries
        return dict(found)

    def _operator_statistics(self) -> dict[Series, float]:
        found: Counter[Series] = Counter()
        for agent in self.floor.agents.values():
            calls = _calls_of(agent)
            in_hand = agent.contact is not None and agent.contact.direction == "inbound"
            missed = agent.day.state_entries["ringing"] - agent.day.inbound - in_hand
            if self.simulator.omit_zero and not calls["contacts_answered"] and missed <= 0:
                calls["ring_seconds"] = 0  # without a call there is no row, so no ringing either
            for name, value in calls.items():
                found[series(f"agents_{name}_total")] += value
                if self.config.agents == "id":
                    own = {"agent": str(agent.id), "media": "voice"}
                    found[series(f"agent_{name}_total", **own)] = value
        return dict(found)

    def _queue_statistics(self) -> dict[Series, float]:
        found: dict[Series, float] = {}
        for queue in self.voice_queues():
            day = queue.day
            own = {"queue": queue.name, "media": "voice"}
            lost = 60 * day.abandoned  # the simulator's own invention
            figures = {
                "answered": day.answered,
                "abandoned": day.abandoned,
                "handled": day.handled,
                "answered_within_threshold": day.answered_within_threshold,
            }
            found |= {
                series(f"queue_contacts_{name}_total", **own): value
                for name, value in figures.items()
            }
            waited = int(day.answer_wait_seconds + 1e-6)
            found[series("queue_answer_wait_seconds_total", **own)] = waited
            found[series("queue_wait_seconds_total", **own)] = waited + lost
            found[series("queue_handle_seconds_total", **own)] = int(day.handle_seconds + 1e-6)
            found[series("queue_talk_seconds_total", **own)] = int(day.talk_seconds + 1e-6)
        return found

    def _smartqueue(self) -> dict[Series, float]:
        taken = {queue.name for queue in self.voice_queues()}
        found: dict[Series, float] = {}
        for queue in self.floor.queues.values():
            label = queue.name if queue.name not in taken else f"{queue.name} ({queue.id + 10_000})"
            media = "voice" if queue.media == "voice" else "chat"
            own = {"queue": label, "media": media}
            active = sum(
                agent.contact is not None
                and agent.contact.queue == queue.name
                and agent.state in (ON_CONTACT, ON_HOLD)
                for agent in self.floor.agents.values()
            )
            found[series("queue_contacts_waiting", **own)] = queue.waiting_count
            found[series("queue_contacts_active", **own)] = active
            found[series("queue_longest_wait_seconds", **own)] = (
                int(1000 * queue.longest_wait) / 1e3
            )
            for state, number in self._smartqueue_agents(queue).items():
                found[series("queue_agents", queue=label, state=state)] = number
                found[series("queue_channel_agents", **own, state=state)] = number
        return found

    def _smartqueue_agents(self, queue: Queue) -> dict[str, int]:
        states = self.floor.queue_agents(queue.name)
        return {
            "ready": states["ready"],
            "ringing": states["ringing"],
            "on_contact": states["on_contact"] + states["on_hold"],
            "after_contact_work": states["after_contact_work"],
            "not_ready": states["not_ready"],
        }

    def _queues(self) -> dict[Series, float]:
        found: dict[Series, float] = {}
        for queue in self.voice_queues():
            found[series("queue_info", queue=queue.name, id=str(queue.id))] = 1
            found[series("queue_agents_assigned", queue=queue.name)] = sum(
                queue.agent_states.values()
            )
        return found

    def _call_lists(self) -> dict[Series, float]:
        found: dict[Series, float] = {}
        for campaign in self.floor.campaigns.values():
            if campaign.kind == "inbound":
                continue
            records = campaign.records
            left = records.available + records.redial_timer + records.asap
            info = series("campaign_info", campaign=campaign.name, direction="outbound")
            found[info] = 1.0
            now = "running" if campaign.state != "stopped" else "stopped" if left else "completed"
            for state in CAMPAIGN_STATES:
                key = series("campaign_state", campaign=campaign.name, state=state)
                found[key] = float(state == now)
            counts = {
                "total": records.total,
                "available": records.available + records.asap,
                "in_progress": records.redial_timer,
                "dialed": records.dialed,
                "failed": records.unreachable,
            }
            if self.config.call_list_details:
                for status, count in counts.items():
                    key = series("campaign_records", campaign=campaign.name, status=status)
                    found[key] = count
        return found

    def _account(self) -> dict[Series, float]:
        money = self.floor.account
        return {
            series("account_balance", currency=money.currency): round(money.balance, 4),
            series("account_credit_limit"): money.credit_limit,
            series("account_active"): 1,
        }


@cache
def _own(key: Series) -> Series:
    name, labels = key
    return series(f"contactcenter_{name}", provider="voximplant", account="acme", **dict(labels))


def _calls_of(agent: Agent) -> dict[str, int]:
    """Return an operator's figures as the platform defines them, in whole seconds."""
    day = agent.day
    handle, work = int(day.handle_seconds + 1e-6), int(day.after_contact_work_seconds + 1e-6)
    return {
        "contacts_answered": day.handled,
        "ring_seconds": int(day.state_seconds["ringing"] + 1e-6),
        "talk_seconds": handle - work,
        "handle_seconds": handle,
        "after_contact_work_seconds": work,
    }
