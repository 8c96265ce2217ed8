"""Statistics of services and agents under their protocol names, and where each may be asked for.

A service is a queue or a dialling campaign: "a campaign is a service" in this API. "busy" of a
service includes after-call work (Supervisor Guide, List of Service Metrics). "calls" in a name
means interactions of any channel. ``SEEN`` are the names that vendor documents or clients show in
a kind of block, ``LIKELY`` those that belong there but are shown nowhere.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from math import floor
from typing import NamedTuple

from exporter.simulators.brightpattern.day import Days, Figures, disposition
from exporter.simulators.brightpattern.tenant import ShareScale, Tenant, object_id
from exporter.simulators.floor.figures import (
    AFTER_CONTACT_WORK,
    LOGGED_OUT,
    NOT_READY,
    ON_CONTACT,
    ON_HOLD,
    READY,
    RINGING,
    Agent,
    Campaign,
    Queue,
)

Value = str | int | float | None  # None: the statistic has no value now

DISPOSITIONS = "calls_dispositions_per_day"
_BUSY = (ON_CONTACT, ON_HOLD, AFTER_CONTACT_WORK)
_RATIO_DIGITS, _PERCENT_DIGITS = 4, 2
_TARGET = 0.8  # of the service level
_TRUE = "true"


class Service(NamedTuple):
    """A queue of the floor or a dialling campaign; one of the two is set."""

    id: str
    name: str
    queue: Queue | None
    campaign: Campaign | None


class Team(NamedTuple):
    """One team."""

    id: str
    name: str


class View:
    """What the user of a tenant may see at one moment."""

    def __init__(self, tenant: Tenant, days: Days) -> None:
        self.tenant = tenant
        self.days = days
        self.now = tenant.floor.now
        floor = tenant.floor
        teams = tenant.supervised_teams
        self.agents = [
            agent for agent in floor.agents.values() if teams is None or agent.team in teams
        ]
        names = sorted({agent.team for agent in self.agents})
        self.teams = [Team(object_id(f"team {name}"), name) for name in names]
        queues = [Service(q.guid.upper(), q.name, q, None) for q in floor.queues.values()]
        dialling = [
            Service(campaign.guid.upper(), campaign.name, None, campaign)
            for campaign in floor.campaigns.values()
            if campaign.kind != "inbound"
        ]
        handled = {name for agent in self.agents for name in (*agent.queues, *agent.campaigns)}
        self.services = [
            service for service in (*queues, *dialling) if teams is None or service.name in handled
        ]
        self._staff: dict[str, list[Agent]] = {}  # by service, other teams included
        for agent in floor.agents.values():
            for name in (*agent.queues, *agent.campaigns):
                self._staff.setdefault(name, []).append(agent)

    def staff(self, services: Iterable[Service]) -> list[Agent]:
        """Return the agents of some services, each agent once."""
        agents = {
            agent.username: agent
            for service in services
            for agent in self._staff.get(service.name, ())
        }
        return list(agents.values())


class ServiceGroup:
    """One service in a row of a grid, or several together in totals."""

    def __init__(self, view: View, services: Sequence[Service], block: str) -> None:
        self.services = services
        self._block = block
        self._tenant = view.tenant
        self._staff = view.staff(services)
        self._queues = [service.queue for service in services if service.queue is not None]
        self._figures: Figures = {}
        self._with_level: Figures = {}  # of services that have a service level
        for service in services:
            subject = service.queue or service.campaign
            assert subject is not None, "a service is one of the two"
            figures = view.days.read(subject)
            _add(self._figures, figures)
            if service.queue is not None and _has_service_level(service.queue):
                _add(self._with_level, figures)

    def count(self, name: str) -> Value:
        """Return a day figure."""
        return round(self._figures.get(name, 0.0))

    def long_abandoned(self) -> int:
        """Return the abandoned contacts that are not short abandoned."""
        return round(_long_abandoned(self._figures))

    def waiting(self) -> int:
        """Return the contacts that wait now."""
        return sum(queue.waiting_count for queue in self._queues)

    def max_wait(self) -> int:
        """Return the longest wait of a contact that waits now, in seconds."""
        return round(max((queue.longest_wait for queue in self._queues), default=0.0))

    def logged_in(self) -> int:
        """Return the agents logged in."""
        return sum(agent.state != LOGGED_OUT for agent in self._staff)

    def ready(self) -> int:
        """Return the ready agents."""
        return sum(is_ready(agent, self._tenant) for agent in self._staff)

    def busy(self) -> int:
        """Return the agents busy with an interaction of any service."""
        rings = self._tenant.ringing_state == "busy"
        return sum(
            agent.state in _BUSY or (rings and agent.state == RINGING) for agent in self._staff
        )

    def of_received(self, statistic: str, part: float) -> Value:
        """Return a part of the received contacts as a share."""
        whole = self._figures.get("in_calls_received_per_day", 0.0)
        return self._share(statistic, part, whole)

    def figure(self, name: str) -> float:
        """Return a day figure, not rounded."""
        return self._figures.get(name, 0.0)

    def mean_answer(self) -> Value:
        """Return the average speed of answer in seconds."""
        answered = self._figures.get("answered", 0.0)
        return round(self._figures["answer_wait_seconds"] / answered) if answered else None

    def service_level(self) -> Value:
        """Return the share answered within the threshold; short abandoned contacts do not count."""
        whole = self._with_level.get("answered", 0.0) + _long_abandoned(self._with_level)
        return self._share("service_level", self._with_level.get("answered_in_time", 0.0), whole)

    def target(self) -> Value:
        """Return the target of the service level."""
        return self._share("service_level_target", _TARGET, float(bool(self._thresholds())))

    def threshold(self) -> Value:
        """Return the threshold of the service level in seconds, if all services share it."""
        thresholds = self._thresholds()
        return round(thresholds.pop()) if len(thresholds) == 1 else None

    def disposed(self, names: Sequence[str]) -> Value:
        """Return the contacts with one of some dispositions, with any if none is named."""
        if self._queues:
            return None  # the floor does not count them by queue
        return _disposed(self._figures, names)

    def _thresholds(self) -> set[float]:
        return {queue.threshold_seconds for queue in self._queues if _has_service_level(queue)}

    def _share(self, statistic: str, part: float, whole: float) -> Value:
        if not whole:
            return None
        scale = share_scale(self._tenant, self._block, statistic)
        digits, share = self._tenant.share_digits, part / whole
        if scale == "fraction":
            return _shortened(share, _RATIO_DIGITS if digits is None else digits, self._tenant)
        value = _shortened(100 * share, _PERCENT_DIGITS if digits is None else digits, self._tenant)
        return f"{value:.10g}%" if scale == "signed" else value


def share_scale(tenant: Tenant, block: str, statistic: str) -> ShareScale:
    """Return the scale of a share in the block ``totals`` or ``service``."""
    usual: ShareScale = "fraction" if block == "totals" else "percent"
    return tenant.share_scales.get((block, statistic), usual)


def _shortened(value: float, digits: int, tenant: Tenant) -> float:
    return floor(value * 10**digits) / 10**digits if tenant.share_cut else round(value, digits)


class AgentNow:
    """One agent at one moment."""

    def __init__(self, view: View, agent: Agent) -> None:
        self.agent = agent
        self._tenant = view.tenant
        self._now = view.now
        self._figures = view.days.read(agent)

    def count(self, name: str) -> Value:
        """Return a day figure."""
        return round(self._figures.get(name, 0.0))

    def state(self) -> str:
        """Return the word of the state."""
        match self.agent.state:
            case "logged_out":
                return self._tenant.logged_out_state
            case "not_ready":
                return "not_ready"
            case "after_contact_work":
                return "after_call_work"
        return "ready" if is_ready(self.agent, self._tenant) else "busy"

    def next_state(self) -> str:
        """Return the state that the agent has asked for after the contact."""
        return "not_ready" if self.agent.absence is not None else ""

    def state_seconds(self) -> Value:
        """Return the duration of the state; talk and hold are one state."""
        agent = self.agent
        if agent.state == LOGGED_OUT:
            return None
        contact = agent.contact
        talks = agent.state in (ON_CONTACT, ON_HOLD) and contact is not None
        since = contact.started if talks and contact is not None else None
        return round(self._now - (agent.since if since is None else since))

    def reason(self) -> str:
        """Return the reason of a not-ready agent."""
        return (self.agent.reason or "") if self.agent.state == NOT_READY else ""

    def login_time(self) -> Value:
        """Return how long the agent has been logged in, or since when."""
        if self.agent.state == LOGGED_OUT:
            return None
        seconds = self.agent.day.login_seconds
        if self._tenant.login_time == "duration":
            return round(seconds)
        return datetime.fromtimestamp(self._now - seconds, UTC).isoformat(timespec="seconds")

    def talk_seconds(self) -> Value:
        """Return the talk time of the active contact."""
        contact = self.agent.contact
        started = contact is not None and contact.started is not None
        return round(contact.talked(self._now)) if contact is not None and started else None

    def hold_seconds(self) -> Value:
        """Return the hold time of the active contact."""
        contact = self.agent.contact
        started = contact is not None and contact.started is not None
        return round(contact.held(self._now)) if contact is not None and started else None

    def media(self) -> str:
        """Return the media of the active contact."""
        contact = self.agent.contact
        if contact is None:
            return ""
        media = contact.media if contact.media in ("chat", "email") else "voice"
        return media.upper() if self._tenant.media_case == "upper" else media

    def total_seconds(self, state: str) -> int:
        """Return the time of the day in the state ready or busy, in seconds."""
        rings = self._tenant.ringing_state == state
        seconds = self._figures[f"agent_total_{state}_time"]
        return round(seconds + rings * self._figures["ringing_seconds"])

    def handle_time(self) -> Value:
        """Return the average handling time of the day in seconds."""
        handled = self._figures["handled"]
        return round(self._figures["handle_seconds"] / handled) if handled else None

    def disposed(self, names: Sequence[str]) -> Value:
        """Return the contacts with one of some dispositions, with any if none is named."""
        return _disposed(self._figures, names)


def is_ready(agent: Agent, tenant: Tenant) -> bool:
    """Return whether an agent counts as ready."""
    return agent.state == READY or (agent.state == RINGING and tenant.ringing_state == "ready")


def _has_service_level(queue: Queue) -> bool:
    """Return whether a queue has a service level; that of mail is configured elsewhere."""
    return queue.media != "email"


def _disposed(figures: Figures, names: Sequence[str]) -> int:
    chosen = {disposition(name) for name in names}
    prefix = disposition("")
    return round(
        sum(
            figure
            for name, figure in figures.items()
            if name in chosen or (not names and name.startswith(prefix))
        )
    )


def _long_abandoned(figures: Figures) -> float:
    total = figures.get("in_calls_abandoned_total_per_day", 0.0)
    return max(total - figures.get("in_calls_short_abandoned_in_queue_per_day", 0.0), 0.0)


def _add(into: Figures, figures: Figures) -> None:
    for name, figure in figures.items():
        into[name] = into.get(name, 0.0) + figure


def _count(name: str) -> Callable[[ServiceGroup], Value]:
    return lambda group: group.count(name)


def _agent_count(name: str) -> Callable[[AgentNow], Value]:
    return lambda agent: agent.count(name)


SERVICE: Mapping[str, Callable[[ServiceGroup], Value]] = {
    "name": lambda g: g.services[0].name,
    "in_calls_waiting": ServiceGroup.waiting,
    "in_max_wait_time": ServiceGroup.max_wait,
    "agents_logged": ServiceGroup.logged_in,
    "agents_ready": ServiceGroup.ready,
    "agents_busy": ServiceGroup.busy,
    "service_level": ServiceGroup.service_level,
    "service_level_target": ServiceGroup.target,
    "service_level_threshold_time": ServiceGroup.threshold,
    "in_calls_abandoned_in_queue_per_day": ServiceGroup.long_abandoned,
    "in_calls_abandoned_in_queue_ratio_per_day": lambda g: g.of_received(
        "in_calls_abandoned_in_queue_ratio_per_day", g.long_abandoned()
    ),
    "in_calls_short_abandoned_in_queue_ratio_per_day": lambda g: g.of_received(
        "in_calls_short_abandoned_in_queue_ratio_per_day",
        g.figure("in_calls_short_abandoned_in_queue_per_day"),
    ),
    "in_calls_abandoned_percent_per_day": lambda g: g.of_received(
        "in_calls_abandoned_percent_per_day", g.figure("in_calls_abandoned_total_per_day")
    ),
    "in_average_speed_of_answer": ServiceGroup.mean_answer,
    **{
        name: _count(name)
        for name in (
            "in_calls_received_per_day",
            "in_calls_queued_per_day",
            "in_calls_short_abandoned_in_queue_per_day",
            "in_calls_abandoned_total_per_day",
            "out_calls_answered_per_day",
            "out_calls_handled_per_day",
            "in_calls_handled_per_day",
        )
    },
    DISPOSITIONS: lambda g: g.disposed(()),
}
AGENT: Mapping[str, Callable[[AgentNow], Value]] = {
    "login_id": lambda a: a.agent.username,
    "firstname": lambda a: a.agent.first_name,
    "lastname": lambda a: a.agent.last_name,
    "first_last_name": lambda a: a.agent.name,
    "last_first_name": lambda a: f"{a.agent.last_name} {a.agent.first_name}",
    "user_id": lambda a: a.agent.guid.upper(),
    "team_id": lambda a: object_id(f"team {a.agent.team}"),
    "team_name": lambda a: a.agent.team,
    "extension": lambda a: str(a.agent.id),
    "is_agent": lambda _: _TRUE,
    "acd_state": AgentNow.state,
    "acd_next_state": AgentNow.next_state,
    "reason": AgentNow.reason,
    "state_duration": AgentNow.state_seconds,
    "login_time": AgentNow.login_time,
    "active_item_talk_duration": AgentNow.talk_seconds,
    "active_item_hold_duration": AgentNow.hold_seconds,
    "active_item_media_type": AgentNow.media,
    "agent_total_ready_time": lambda a: a.total_seconds("ready"),
    "agent_total_busy_time": lambda a: a.total_seconds("busy"),
    "agent_total_ACW_time": _agent_count("agent_total_ACW_time"),
    "agent_total_break_time": _agent_count("agent_total_break_time"),
    "calls_average_handling_time_per_day": AgentNow.handle_time,
    "in_calls_handled_per_day": _agent_count("in_calls_handled_per_day"),
    "out_calls_handled_per_day": _agent_count("out_calls_handled_per_day"),
    DISPOSITIONS: lambda a: a.disposed(()),
}

LIKELY: Mapping[str, frozenset[str]] = {
    "totals": frozenset(
        [
            *("agents_busy", "in_calls_abandoned_total_per_day"),
            "in_calls_abandoned_percent_per_day",
        ]
    ),
    "service": frozenset(
        [
            *("agents_ready", "in_calls_queued_per_day", "in_average_speed_of_answer"),
            *("out_calls_answered_per_day", "out_calls_handled_per_day"),
            *("in_calls_handled_per_day", DISPOSITIONS),
        ]
    ),
    "agent": frozenset(["out_calls_handled_per_day"]),
}
SEEN: Mapping[str, frozenset[str]] = {
    "totals": frozenset(
        [
            *("in_calls_waiting", "in_max_wait_time", "in_calls_received_per_day"),
            *("in_calls_queued_per_day", "in_calls_abandoned_in_queue_per_day"),
            *("in_calls_abandoned_in_queue_ratio_per_day", "in_average_speed_of_answer"),
            "in_calls_short_abandoned_in_queue_per_day",
            "in_calls_short_abandoned_in_queue_ratio_per_day",
            *("service_level", "service_level_threshold_time", "out_calls_answered_per_day"),
            *("agents_logged", "agents_ready"),
        ]
    ),
    "service": frozenset(SERVICE) - LIKELY["service"],
    "agent": frozenset(AGENT) - LIKELY["agent"],
}


def names(tenant: Tenant, kind: str) -> frozenset[str]:
    """Return the statistics that a tenant knows in ``totals``, ``service`` or ``agent`` grids."""
    return SEEN[kind] | (LIKELY[kind] if tenant.likely_statistics else frozenset())
