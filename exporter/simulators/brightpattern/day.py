"""Day figures of a tenant, whose day need not begin at midnight.

"Reset time for daily statistics" is a setting of the tenant (Contact Center Administrator Guide,
Reporting Settings). The floor restarts its figures at midnight: figures of its past days are added,
figures at the tenant's last reset are subtracted.
"""

from collections.abc import Callable
from datetime import timedelta
from itertools import count
from math import inf, nextafter

from exporter.simulators.brightpattern.tenant import Tenant
from exporter.simulators.floor.figures import (
    AFTER_CONTACT_WORK,
    NOT_READY,
    ON_CONTACT,
    ON_HOLD,
    READY,
    RINGING,
    Agent,
    Campaign,
    Queue,
)
from exporter.simulators.floor.timing import Calendar

Figures = dict[str, float]
Subject = Agent | Queue | Campaign

_MINUTES = 60.0
_MIDNIGHT = 0.0


class Days:
    """The figures of agents, queues and campaigns since the tenant's last reset."""

    def __init__(self, tenant: Tenant) -> None:
        floor = tenant.floor
        self._floor = floor
        self._hour = tenant.reset_hour
        self._calendar = Calendar(floor.time_zone)
        self._shifted = tenant.reset_hour != _MIDNIGHT
        self._past: dict[str, Figures] = {}  # of the floor's past days
        self._closing: dict[str, Figures] = {}  # of a day of the floor that is about to end
        self._closes = inf
        self._at_reset: dict[str, Figures] = {}
        self._corrections: dict[str, Figures] = {}
        self._clock = next((queue.clock for queue in floor.queues.values()), None)
        if self._clock is not None:
            self._plan_reset()
            if self._shifted:
                self._plan_close()
        elif self._shifted:
            raise ValueError("a floor without queues has no clock for a reset of its own")

    def read(self, subject: Subject) -> Figures:
        """Return the day figures of a subject, none below zero."""
        figures = self._counted(subject)
        at_reset = self._at_reset.get(subject.guid, {})
        corrections = self._corrections.get(subject.guid, {})
        return {
            name: max(figure - at_reset.get(name, 0.0) + corrections.get(name, 0.0), 0.0)
            for name, figure in figures.items()
        }

    def correct(self, subject: Subject, name: str, by: float) -> None:
        """Correct a figure until the next reset."""
        if name not in _figures(subject):
            raise ValueError(f"{name} is not counted of {subject.name!r}")
        own = self._corrections.setdefault(subject.guid, {})
        own[name] = own.get(name, 0.0) + by

    def _counted(self, subject: Subject) -> Figures:
        """Return the figures since the start of the floor's first day."""
        figures = _figures(subject)
        if not self._shifted:
            return figures
        self._settle()
        return _sum(self._past.get(subject.guid, {}), figures)

    def _settle(self) -> None:
        """Add the closed day to the past ones, once the floor has begun its next day."""
        if self._floor.now >= self._closes:
            for guid, closed in self._closing.items():
                self._past[guid] = _sum(self._past.get(guid, {}), closed)
            self._closing, self._closes = {}, inf

    def _subjects(self) -> list[Subject]:
        floor = self._floor
        return [*floor.agents.values(), *floor.queues.values(), *floor.campaigns.values()]

    def _plan_reset(self) -> None:
        self._plan(self._hour, self._reset)

    def _plan_close(self) -> None:
        self._plan(_MIDNIGHT, self._close)

    def _plan(self, hour: float, action: Callable[[float], None]) -> None:
        """Plan an action for the last moment before the next such hour."""
        assert self._clock is not None, "only a floor with a clock has plans"
        today, instant_of = self._calendar.day(self._floor.now), self._calendar.instant
        instants = (instant_of(today + timedelta(days), _MINUTES * hour) for days in count())
        instant = next(time for time in instants if nextafter(time, -inf) > self._floor.now)
        self._clock.at(nextafter(instant, -inf), action, instant)

    def _reset(self, _instant: float) -> None:
        if self._shifted:
            self._at_reset = {s.guid: self._counted(s) for s in self._subjects()}
        self._corrections = {}
        self._plan_reset()

    def _close(self, midnight: float) -> None:
        self._settle()
        self._closing = {s.guid: _figures(s) for s in self._subjects()}
        self._closes = midnight
        self._plan_close()


def _sum(left: Figures, right: Figures) -> Figures:
    return {name: left.get(name, 0.0) + right.get(name, 0.0) for name in {**left, **right}}


def _figures(subject: Subject) -> Figures:
    """Return a subject's figures since midnight, under the names of the statistics."""
    if isinstance(subject, Agent):
        return _agent_figures(subject)
    return _queue_figures(subject) if isinstance(subject, Queue) else _campaign_figures(subject)


def _agent_figures(agent: Agent) -> Figures:
    day = agent.day
    seconds = day.state_seconds
    dispositions = {disposition(name): float(n) for name, n in day.dispositions.items()}
    return {
        "in_calls_handled_per_day": day.inbound,
        "out_calls_handled_per_day": day.outbound + day.manual,
        "handled": day.handled,
        "handle_seconds": day.handle_seconds,
        "ringing_seconds": seconds[RINGING],
        "agent_total_ready_time": seconds[READY],
        "agent_total_busy_time": seconds[ON_CONTACT] + seconds[ON_HOLD],
        "agent_total_ACW_time": seconds[AFTER_CONTACT_WORK],
        "agent_total_break_time": seconds[NOT_READY],
        **dispositions,
    }


def _queue_figures(queue: Queue) -> Figures:
    """Return the figures of a queue. On this floor all received contacts are queued.

    "Short abandoned" is by the floor's limit; the platform's is the threshold of the service
    level, by which the floor does not count.
    """
    day = queue.day
    return {
        "in_calls_received_per_day": day.offered,
        "in_calls_queued_per_day": day.offered,
        "in_calls_abandoned_total_per_day": day.abandoned,
        "in_calls_short_abandoned_in_queue_per_day": day.short_abandoned,
        "in_calls_handled_per_day": day.handled,
        "answered": day.answered,
        "answered_in_time": day.answered_within_threshold,
        "answer_wait_seconds": day.answer_wait_seconds,
    }


def _campaign_figures(campaign: Campaign) -> Figures:
    day = campaign.day
    return {
        "out_calls_answered_per_day": day.answered_live,
        "out_calls_handled_per_day": day.handled,
        **{disposition(name): float(n) for name, n in day.dispositions.items()},
    }


def disposition(name: str) -> str:
    """Return the name of the figure that counts a disposition."""
    return f"disposition {name}"
