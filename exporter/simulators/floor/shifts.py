"""Agents' working days: shifts, breaks, lunch, and calls of their own."""

from datetime import date, timedelta
from random import Random

from exporter.simulators.floor import timing
from exporter.simulators.floor.figures import LOGGED_OUT, NOT_READY, READY, Agent, Registry
from exporter.simulators.floor.routing import Router
from exporter.simulators.floor.timing import HOUR, SHIFT_SECONDS, Calendar

_ASIDE_EVERY = 2.0 * HOUR  # mean time between an agent's calls of their own
_MANUAL_SHARE = 0.6


class Shifts:
    """Schedules every agent's day. Weekends are working days, as a demo may run then."""

    def __init__(self, registry: Registry, router: Router, calendar: Calendar, rng: Random) -> None:
        self._registry = registry
        self._clock = registry.clock
        self._router = router
        self._calendar = calendar
        self._rng = rng

    def open(self) -> None:
        """Log in the agents whose shift is on and schedule the rest of the day."""
        today = self._calendar.day(self._clock.now)
        for agent in self._registry.agents.values():
            for day in (today - timedelta(days=1), today):
                begin = self._calendar.instant(day, agent.shift_start)
                if begin <= self._clock.now < begin + SHIFT_SECONDS:
                    self.start_shift(agent, begin)
                elif begin > self._clock.now:
                    self._clock.at(begin, self.start_shift, agent, begin)
        self._clock.after(self._gap(), self._call_aside)

    def plan_day(self, day: date) -> None:
        """Schedule the shifts that begin on a day."""
        for agent in self._registry.agents.values():
            begin = self._calendar.instant(day, agent.shift_start)
            self._clock.at(begin, self.start_shift, agent, begin)

    def start_shift(self, agent: Agent, begin: float) -> None:
        """Log an agent in for a shift that began at ``begin``, and schedule its absences."""
        if self._registry.agents.get(agent.username) is not agent or agent.state != LOGGED_OUT:
            return
        agent.shift += 1
        start_hour = self._calendar.hour(begin)
        for hours, reason, seconds in timing.absences(self._rng, start_hour):
            instant = begin + hours * HOUR
            if instant > self._clock.now:
                self._clock.at(instant, self._go_away, agent, agent.shift, reason, seconds)
        self._clock.at(begin + SHIFT_SECONDS, self._go_home, agent, agent.shift)
        self._router.free(agent)

    def _go_away(self, agent: Agent, shift: int, reason: str, seconds: float) -> None:
        if agent.shift != shift or agent.state == NOT_READY:
            return
        if agent.state == READY:
            self._router.step_out(agent, reason, seconds)
        else:
            agent.absence = (reason, seconds)

    def _go_home(self, agent: Agent, shift: int) -> None:
        if agent.shift != shift:
            return
        if agent.state in (READY, NOT_READY):
            self._router.log_out(agent, "End of Shift")
        else:
            agent.leaving = True

    def _gap(self) -> float:
        return self._rng.expovariate(max(len(self._registry.agents), 1) / _ASIDE_EVERY)

    def _call_aside(self) -> None:
        """Let a random agent, if ready, dial manually or call a colleague."""
        agents = list(self._registry.agents.values())
        if agents:
            agent = agents[self._rng.randrange(len(agents))]
            manual = self._rng.random() < _MANUAL_SHARE
            if agent.state == READY:
                contact = self._router.contact("voice", "manual" if manual else "internal")
                self._router.talk(agent, contact)
        self._clock.after(self._gap(), self._call_aside)
