"""What the simulator shows of services: which of them a user sees, and their figures.

A service is a queue, or a campaign that dials: "a campaign is a service" to this API. "busy" of a
service includes after-call work (Supervisor Guide, List of Service Metrics).
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from exporter.simulators.brightpattern.day import Days, Figures, disposition
from exporter.simulators.brightpattern.tenant import Scale, Tenant, object_id
from exporter.simulators.floor.figures import (
    AFTER_CONTACT_WORK,
    LOGGED_OUT,
    ON_CONTACT,
    ON_HOLD,
    READY,
    RINGING,
    Agent,
    Campaign,
    Queue,
)

Value = str | int | float | None  # None is nothing: there is no such figure now

_BUSY = (ON_CONTACT, ON_HOLD, AFTER_CONTACT_WORK)
_RATIO_DIGITS, _PERCENT_DIGITS = 4, 2


class Service(NamedTuple):
    """One service: a queue of the floor, or a campaign that dials. One of the two is set."""

    id: str
    name: str
    queue: Queue | None
    campaign: Campaign | None


class Team(NamedTuple):
    """One team."""

    id: str
    name: str


class View:
    """What the user of a tenant sees at one moment."""

    def __init__(self, tenant: Tenant, days: Days) -> None:
        self.tenant = tenant
        self.days = days
        self.now = tenant.floor.now
        floor = tenant.floor
        teams = tenant.supervised_teams
        self.agents = [
            each for each in floor.agents.values() if teams is None or each.team in teams
        ]
        self.teams = [Team(object_id(f"team {name}"), name) for name in _teams(self.agents)]
        queues = [Service(q.guid.upper(), q.name, q, None) for q in floor.queues.values()]
        dialled = [
            Service(campaign.guid.upper(), campaign.name, None, campaign)
            for campaign in floor.campaigns.values()
            if campaign.kind != "inbound"
        ]
        handled = {name for agent in self.agents for name in (*agent.queues, *agent.campaigns)}
        self.services = [
            each for each in (*queues, *dialled) if teams is None or each.name in handled
        ]
        counted = floor.agents.values() if tenant.count_other_teams else self.agents
        self._staff: dict[str, list[Agent]] = {}
        for agent in counted:
            for name in (*agent.queues, *agent.campaigns):
                self._staff.setdefault(name, []).append(agent)

    def staff(self, services: Iterable[Service]) -> list[Agent]:
        """Return the agents of some services, each once."""
        agents = {
            agent.username: agent
            for service in services
            for agent in self._staff.get(service.name, ())
        }
        return list(agents.values())


class Group:
    """Some services taken together: one in a row of a grid, several in totals."""

    def __init__(self, view: View, services: Sequence[Service], scale: Scale | None = None) -> None:
        self.services = services
        self._tenant = view.tenant
        self._scale = scale
        self._staff = view.staff(services)
        self._queues = [each.queue for each in services if each.queue is not None]
        self._figures: Figures = {}
        self._timed: Figures = {}
        for service in services:
            subject = service.queue or service.campaign
            assert subject is not None, "a service is one of the two"
            figures = view.days.read(subject)
            _add(self._figures, figures)
            if service.queue is not None and has_service_level(service.queue):
                _add(self._timed, figures)

    def count(self, name: str) -> Value:
        """Return a figure of the day."""
        return round(self._figures.get(name, 0.0))

    def long_abandoned(self) -> int:
        """Return how many gave up after a while."""
        return round(_long_abandoned(self._figures))

    def waiting(self) -> int:
        """Return how many wait now."""
        return sum(queue.waiting_count for queue in self._queues)

    def max_wait(self) -> int:
        """Return how long the oldest of them has waited."""
        return round(max((queue.longest_wait for queue in self._queues), default=0.0))

    def logged_in(self) -> int:
        """Return how many agents are there."""
        return sum(agent.state != LOGGED_OUT for agent in self._staff)

    def ready(self) -> int:
        """Return how many agents can take an interaction."""
        return sum(is_ready(agent, self._tenant) for agent in self._staff)

    def busy(self) -> int:
        """Return how many agents handle an interaction, of any service."""
        return sum(is_busy(agent, self._tenant) for agent in self._staff)

    def share(self, part: str) -> Value:
        """Return a figure's share of what was received."""
        return self._ratio(self._figures.get(part, 0.0), self._tenant.ratio_scale)

    def long_share(self) -> Value:
        """Return the share of those who gave up after a while."""
        return self._ratio(_long_abandoned(self._figures), self._tenant.ratio_scale)

    def percent(self, part: str) -> Value:
        """Return a figure's share of what was received, where its name speaks of percent."""
        return self._ratio(self._figures.get(part, 0.0), self._tenant.percent_scale)

    def mean_answer(self) -> Value:
        """Return how long those who were answered had waited."""
        answered = self._figures.get("answered", 0.0)
        return round(self._figures["answer_wait_seconds"] / answered) if answered else None

    def service_level(self) -> Value:
        """Return the share answered in time; short waits that were given up do not count."""
        whole = self._timed.get("answered", 0.0) + _long_abandoned(self._timed)
        part = self._timed.get("answered_in_time", 0.0)
        return self._scaled(part, whole, self._tenant.service_level_scale)

    def target(self) -> Value:
        """Return the service level that is wanted."""
        wanted = self._tenant.service_level_target if self._thresholds() else 0.0
        return self._scaled(wanted, float(bool(wanted)), self._tenant.target_scale)

    def threshold(self) -> Value:
        """Return the seconds in which to answer, if the services agree on them."""
        thresholds = self._thresholds()
        return round(thresholds.pop()) if len(thresholds) == 1 else None

    def disposed(self, names: Sequence[str]) -> Value:
        """Return how many ended with one of some dispositions, of any if none is named."""
        if self._queues:
            return None  # the floor does not count them by queue
        return disposed(self._figures, names)

    def _thresholds(self) -> set[float]:
        return {queue.threshold_seconds for queue in self._queues if has_service_level(queue)}

    def _ratio(self, part: float, scale: Scale) -> Value:
        return self._scaled(part, self._figures.get("in_calls_received_per_day", 0.0), scale)

    def _scaled(self, part: float, whole: float, scale: Scale) -> Value:
        if not whole:
            return None
        if (self._scale or scale) == "percent":
            return round(100.0 * part / whole, _PERCENT_DIGITS)
        return round(part / whole, _RATIO_DIGITS)


def is_ready(agent: Agent, tenant: Tenant) -> bool:
    """Tell whether an agent counts as ready."""
    return agent.state == READY or (agent.state == RINGING and tenant.ringing_state == "ready")


def is_busy(agent: Agent, tenant: Tenant) -> bool:
    """Tell whether an agent counts as busy for a service."""
    return agent.state in _BUSY or (agent.state == RINGING and tenant.ringing_state == "busy")


def has_service_level(queue: Queue) -> bool:
    """Tell whether the service level is kept here; that of mail is configured elsewhere."""
    return queue.media != "email"


def disposed(figures: Figures, names: Sequence[str]) -> int:
    """Return how many ended with one of some dispositions, of any if none is named."""
    wanted = {disposition(name) for name in names}
    every = disposition("")
    return round(
        sum(
            figure
            for name, figure in figures.items()
            if name in wanted or (not names and name.startswith(every))
        )
    )


def _long_abandoned(figures: Figures) -> float:
    total = figures.get("in_calls_abandoned_total_per_day", 0.0)
    return max(total - figures.get("in_calls_short_abandoned_in_queue_per_day", 0.0), 0.0)


def _add(into: Figures, figures: Figures) -> None:
    for name, figure in figures.items():
        into[name] = into.get(name, 0.0) + figure


def _teams(agents: Iterable[Agent]) -> list[str]:
    return sorted({agent.team for agent in agents})
