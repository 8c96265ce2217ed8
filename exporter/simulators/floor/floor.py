"""The simulated contact centre behind the demo and the tests; its types are in ``figures.py``.

It reads no clock: ``advance`` moves it, and the same seed, start and calls give the same figures
however many steps are taken.
"""

from random import Random

from exporter.simulators.floor.arrivals import Arrivals
from exporter.simulators.floor.dialer import DIALED_DISPOSITIONS, Dialer
from exporter.simulators.floor.factory import Factory, split_login
from exporter.simulators.floor.figures import (
    LOGGED_OUT,
    READY,
    RINGING,
    Account,
    Agent,
    AgentDay,
    Campaign,
    CampaignTotals,
    Queue,
    QueueDay,
    Registry,
    count_states,
)
from exporter.simulators.floor.routing import HANDLED_DISPOSITIONS, Router
from exporter.simulators.floor.shifts import Shifts
from exporter.simulators.floor.timing import MINUTE, Calendar, Timeline

_TOP_UP_BELOW, _TOP_UP = 100.0, 1000.0
_OFFICE_HOURS = (8.0, 18.0)


class Floor:
    """One contact centre, from ``start`` (epoch seconds) in the local days of ``time_zone``.

    ``load`` scales the arrivals; ``set_load`` changes it later.
    """

    def __init__(
        self,
        *,
        agents: int = 60,
        queues: int = 12,
        campaigns: int = 6,
        seed: int = 1,
        start: float,
        time_zone: str = "UTC",
        load: float = 1.0,
    ) -> None:
        self.time_zone = time_zone
        self.dispositions = tuple(dict.fromkeys((*HANDLED_DISPOSITIONS, *DIALED_DISPOSITIONS)))
        self._clock = Timeline(start)
        self._rng = Random(seed)
        self._calendar = Calendar(time_zone)
        self._registry = Registry(self._clock)
        self._factory = Factory(self._clock, self._rng)
        self._router = Router(self._registry, self._rng)
        self._shifts = Shifts(self._registry, self._router, self._calendar, self._rng)
        self._dialer = Dialer(self._registry, self._router, self._calendar, self._rng)
        self._arrivals = Arrivals(self._registry, self._router, self._calendar, self._rng, load)
        self._fill(agents, queues, campaigns)
        self._open()

    @property
    def now(self) -> float:
        """Instant of the figures in epoch seconds."""
        return self._clock.now

    @property
    def load(self) -> float:
        """Factor of the arrivals."""
        return self._arrivals.load

    @property
    def account(self) -> Account:
        """Balance and licences."""
        return self._registry.account

    @property
    def agents(self) -> dict[str, Agent]:
        """Agents by username."""
        return self._registry.agents

    @property
    def queues(self) -> dict[str, Queue]:
        """Queues by name."""
        return self._registry.queues

    @property
    def campaigns(self) -> dict[str, Campaign]:
        """Campaigns by name."""
        return self._registry.campaigns

    def advance(self, to: float) -> None:
        """Advance to an instant; an earlier one changes nothing."""
        self._clock.run(to)

    def queue_agents(self, name: str) -> dict[str, int]:
        """Count the agents of a queue by state."""
        return dict(self.queues[name].agent_states)

    def campaign_agents(self, name: str) -> dict[str, int]:
        """Count the agents of a campaign by state; of an inbound one, those of its queues."""
        served = {queue.name for queue in self.queues.values() if queue.campaign == name}
        return count_states(
            agent
            for agent in self.agents.values()
            if name in agent.campaigns or not served.isdisjoint(agent.queues)
        )

    def campaign_window(self, name: str, seconds: float) -> CampaignTotals:
        """Return a campaign's figures of the clock minutes that began in the last ``seconds``.

        That is the minute now running and those before it whose first instant is less than
        ``seconds`` ago; three hours are remembered.
        """
        return self.campaigns[name].window(self.now - seconds)

    def surge(self, queue: str, contacts: int) -> None:
        """Let contacts arrive at a queue at once, even if it is closed."""
        for _ in range(contacts):
            self._arrivals.force(self.queues[queue])

    def set_load(self, factor: float) -> None:
        """Scale the arrivals from now on."""
        self._arrivals.set_load(factor)

    def log_out_all(self) -> None:
        """Log every agent out until the next shift; contacts end, ringing ones keep waiting."""
        for agent in self.agents.values():
            if agent.state != LOGGED_OUT:
                self._router.break_off(agent)
                self._router.log_out(agent, "Forced Logout")

    def add_queue(self, name: str) -> None:
        """Add a voice queue with the agents of the first queue, or all if there is none."""
        if name in self.queues:
            raise ValueError(f"there is a queue {name!r} already")
        first = next(iter(self.queues), None)
        inbound = next(
            (campaign.name for campaign in self.campaigns.values() if campaign.kind == "inbound"),
            None,
        )
        queue = self._factory.queue(name, "voice", 1.0, inbound)
        self.queues[name] = queue
        longest_ready_first = sorted(self.agents.values(), key=lambda agent: agent.since)
        for agent in longest_ready_first:
            if first is None or first in agent.queues:
                self._assign(agent, queue)
        self._arrivals.weigh()
        self._arrivals.plan(queue)

    def remove_queue(self, name: str) -> None:
        """Remove a queue: waiting contacts are dropped, conversations go on without it."""
        queue = self.queues[name]
        if queue.campaign is not None:
            self.campaigns[queue.campaign].life.abandoned += len(queue.waiting)
        queue.plan = -1
        for waiting in queue.waiting.values():
            waiting.queue = None
        stranded = []
        for agent in self.agents.values():
            contact = agent.contact
            if contact is not None and contact.queue is None and agent.state == RINGING:
                stranded.append(agent)
            elif contact is not None and contact.queue == name:
                contact.queue = None
            agent.queues = tuple(served for served in agent.queues if served != name)
        del self.queues[name]
        self._arrivals.weigh()
        for agent in stranded:
            agent.contact = None
            self._router.free(agent)

    def add_agent(self, username: str) -> None:
        """Add an agent to the first queues, who starts a shift at once."""
        if username in self.agents:
            raise ValueError(f"there is an agent {username!r} already")
        agent = self._factory.agent(username, *split_login(username), list(self.queues)[:3])
        self._welcome(agent)
        self._shifts.start_shift(agent, self.now)

    def remove_agent(self, username: str) -> None:
        """Remove an agent: the contact ends, a ringing one returns to the head of the line."""
        agent = self.agents[username]
        self._router.break_off(agent)
        self._router.log_out(agent, None)
        for name in agent.queues:
            self.queues[name].agent_states[LOGGED_OUT] -= 1
        del self.agents[username]
        agent.turn = agent.shift = -1
        for name in agent.queues:
            self._router.serve(self.queues[name])

    def _fill(self, agents: int, queues: int, campaigns: int) -> None:
        for campaign in self._factory.campaigns(campaigns, agents):
            self.campaigns[campaign.name] = campaign
        kinds = {
            kind: [x.name for x in self.campaigns.values() if x.kind == kind]
            for kind in ("inbound", "outbound")
        }
        for queue in self._factory.queues(queues, kinds["inbound"]):
            self.queues[queue.name] = queue
        everyday = [
            queue.name
            for queue in self.queues.values()
            if queue.campaign in (None, *kinds["inbound"][:1])
        ]
        made = self._factory.agents(agents, list(self.queues.values()), kinds["outbound"], everyday)
        for agent in made:
            self._welcome(agent)

    def _welcome(self, agent: Agent) -> None:
        self.agents[agent.username] = agent
        for name in agent.queues:
            self.queues[name].agent_states[agent.state] += 1

    def _assign(self, agent: Agent, queue: Queue) -> None:
        agent.queues = (*agent.queues, queue.name)
        queue.agent_states[agent.state] += 1
        if agent.state == READY:
            queue.idle[agent.username] = agent

    def _open(self) -> None:
        for campaign in self.campaigns.values():
            campaign.begin_minute(self.now)
        self._dialer.open()
        self._shifts.open()
        self._arrivals.weigh()
        for queue in self.queues.values():
            self._arrivals.plan(queue)
        self._set_supervisors()
        self._plan_midnight()
        self._plan_minute()

    def restart_totals(self, name: str | None = None) -> None:
        """Restart the day figures of all, or of one queue or campaign, as a fail-over does."""
        for agent in self.agents.values() if name is None else ():
            agent.day = AgentDay(self._clock, agent.state)
        for queue in self.queues.values():
            if name in (None, queue.name):
                queue.day = QueueDay(self._clock, queue.waiting)
                queue.voicemails_processed = 0
        for campaign in self.campaigns.values():
            if name in (None, campaign.name):
                campaign.begin_day()

    def _plan_midnight(self) -> None:
        today = self._calendar.day(self.now)
        self._clock.at(self._calendar.instant(today, 24 * 60.0), self._turn_day)

    def _turn_day(self) -> None:
        """Restart the day figures at midnight."""
        self.restart_totals()
        today = self._calendar.day(self.now)
        self._shifts.plan_day(today)
        self._dialer.plan_day(today)
        self._plan_midnight()

    def _plan_minute(self) -> None:
        self._clock.at((self.now // MINUTE + 1) * MINUTE, self._turn_minute)

    def _turn_minute(self) -> None:
        for campaign in self.campaigns.values():
            campaign.begin_minute(self.now)
        if self.account.balance < _TOP_UP_BELOW:
            self.account.balance += _TOP_UP
        self._set_supervisors()
        self._plan_minute()

    def _set_supervisors(self) -> None:
        start, end = _OFFICE_HOURS
        in_office = start <= self._calendar.hour(self.now) < end
        self.account.supervisors_logged_in = 3 if in_office else 1
