"""Who is there when: shifts, breaks, lunch, and what agents do between contacts."""

from datetime import date, timedelta
from random import Random

from exporter.simulators.floor import rhythm
from exporter.simulators.floor.agents import LOGGED_OUT, NOT_READY, READY, Agent
from exporter.simulators.floor.desk import Desk
from exporter.simulators.floor.figures import House
from exporter.simulators.floor.rhythm import HOUR, SHIFT_SECONDS, Calendar

_ASIDE_EVERY = 2.0 * HOUR  # how often an agent, if ready then, makes a call of their own
_MANUAL_SHARE = 0.6


class Roster:
    """Plans every agent's day. Every day is a working day: a demo is shown at weekends too."""

    def __init__(self, house: House, desk: Desk, calendar: Calendar, rng: Random) -> None:
        self._house = house
        self._clock = house.clock
        self._desk = desk
        self._calendar = calendar
        self._rng = rng

    def open(self) -> None:
        """Begin: whoever's shift is on logs in, the rest of the day is planned."""
        today = self._calendar.day(self._clock.now)
        for agent in self._house.agents.values():
            for day in (today - timedelta(days=1), today):
                begin = self._calendar.instant(day, agent.shift_start)
                if begin <= self._clock.now < begin + SHIFT_SECONDS:
                    self.start_shift(agent, begin)
                elif begin > self._clock.now:
                    self._clock.at(begin, self.start_shift, agent, begin)
        self._clock.after(self._gap(), self._call_aside)

    def plan_day(self, day: date) -> None:
        """Plan the shifts that begin on a day."""
        for agent in self._house.agents.values():
            begin = self._calendar.instant(day, agent.shift_start)
            self._clock.at(begin, self.start_shift, agent, begin)

    def start_shift(self, agent: Agent, begin: float) -> None:
        """Log an agent in for a shift that began at an instant, and plan its absences."""
        if self._house.agents.get(agent.username) is not agent or agent.state != LOGGED_OUT:
            return
        agent.shift += 1
        start_hour = self._calendar.hour(begin)
        for hours, reason, seconds in rhythm.absences(self._rng, start_hour):
            instant = begin + hours * HOUR
            if instant > self._clock.now:
                self._clock.at(instant, self._go_away, agent, agent.shift, reason, seconds)
        self._clock.at(begin + SHIFT_SECONDS, self._go_home, agent, agent.shift)
        self._desk.free(agent)

    def _go_away(self, agent: Agent, shift: int, reason: str, seconds: float) -> None:
        if agent.shift != shift or agent.state == NOT_READY:
            return
        if agent.state == READY:
            self._desk.step_out(agent, reason, seconds)
        else:
            agent.absence = (reason, seconds)

    def _go_home(self, agent: Agent, shift: int) -> None:
        if agent.shift != shift:
            return
        if agent.state in (READY, NOT_READY):
            self._desk.log_out(agent, "End of Shift")
        else:
            agent.leaving = True

    def _gap(self) -> float:
        return self._rng.expovariate(max(len(self._house.agents), 1) / _ASIDE_EVERY)

    def _call_aside(self) -> None:
        """Let one agent, if ready, dial by hand or call a colleague."""
        agents = list(self._house.agents.values())
        if agents:
            agent = agents[self._rng.randrange(len(agents))]
            manual = self._rng.random() < _MANUAL_SHARE
            if agent.state == READY:
                contact = self._desk.contact("voice", "manual" if manual else "internal")
                self._desk.talk(agent, contact)
        self._clock.after(self._gap(), self._call_aside)
