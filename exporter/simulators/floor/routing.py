"""Routing: a contact waits, rings at an agent, is handled and booked; what agents do in between."""

from collections import OrderedDict
from itertools import count
from random import Random

from exporter.simulators.floor import timing
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
    Contact,
    Queue,
    Registry,
)

# Dispositions of handled contacts: name, weight, resolved at the first contact.
_OUTCOMES = {
    "inbound": (
        ("Resolved", 60, True),
        ("Follow-up", 15, False),
        ("Complaint", 6, False),
        ("Réclamation", 4, False),
        ("Wrong Number", 5, False),
        ("No Disposition", 10, False),
    ),
    "outbound": (
        ("Sale", 20, True),
        ("No Sale", 45, False),
        ("Callback Requested", 20, False),
        ("Do Not Call", 5, False),
        ("No Disposition", 10, False),
    ),
    "manual": (("Follow-up", 60, False), ("No Answer", 30, False), ("No Disposition", 10, False)),
    "internal": (("Internal", 1, False),),
}
_NAMES = {kind: [name for name, _, _ in rows] for kind, rows in _OUTCOMES.items()}
_WEIGHTS = {kind: [weight for _, weight, _ in rows] for kind, rows in _OUTCOMES.items()}
_SETTLED = {name for rows in _OUTCOMES.values() for name, _, settled in rows if settled}
HANDLED_DISPOSITIONS = tuple(dict.fromkeys(name for names in _NAMES.values() for name in names))


def book(
    now: float,
    rng: Random,
    agent: Agent,
    contact: Contact,
    queue: Queue | None,
    campaign: Campaign | None,
) -> None:
    """Count a contact as handled in all figures."""
    talked = contact.talked(now)
    worked = now - (contact.ended or now)
    names, weights = _NAMES[contact.direction], _WEIGHTS[contact.direction]
    disposition = rng.choices(names, weights)[0]
    _book_agent(agent, contact, disposition, talked, worked)
    from_the_line = contact.direction == "inbound" and contact.media != "voicemail"
    if queue is not None and from_the_line:
        queue.day.handled += 1
        queue.day.talk_seconds += talked
        queue.day.handle_seconds += talked + contact.hold_seconds + worked
    if campaign is not None:
        life = campaign.life
        life.handled += 1
        life.talk_seconds += talked
        life.after_contact_work_seconds += worked
        life.handle_seconds += talked + contact.hold_seconds + worked
        life.resolved += disposition in _SETTLED
        life.dispose(disposition)


def _book_agent(
    agent: Agent, contact: Contact, disposition: str, talked: float, worked: float
) -> None:
    day = agent.day
    voicemail = contact.media == "voicemail"
    day.handled += 1
    day.voicemails += voicemail
    day.inbound += contact.direction == "inbound" and not voicemail
    day.outbound += contact.direction == "outbound"
    day.manual += contact.direction == "manual"
    day.internal += contact.direction == "internal"
    day.preview += contact.previewed
    day.resolved += disposition in _SETTLED
    day.talk_seconds += talked
    day.hold_seconds += contact.hold_seconds
    day.after_contact_work_seconds += worked
    day.handle_seconds += talked + contact.hold_seconds + worked
    day.dispositions[disposition] += 1


SHORT_ABANDON_SECONDS = 5.0
_HOLD_SHARE = 0.15
_VOICEMAIL_SHARE = 0.12  # of the callers who give up after a while
_VISUAL_IVR_SHARE = 0.06
_MINUTE_PRICE = 0.012


class Router:
    """Moves agents and contacts through their states.

    An event planned for an agent carries the agent's ``turn`` and is void once that has changed.
    """

    def __init__(self, registry: Registry, rng: Random) -> None:
        self._registry = registry
        self._clock = registry.clock
        self._rng = rng
        self._ids = count(1)

    def contact(self, media: str, direction: str) -> Contact:
        """Create a contact that arrives now."""
        return Contact(next(self._ids), media, direction, self._clock.now)

    def enter(self, agent: Agent, state: str, reason: str | None = None) -> None:
        """Change an agent's state, and all counts and lists of agents with it."""
        registry = self._registry
        idle_lists = [registry.queues[name].idle for name in agent.queues]
        idle_lists += [registry.campaigns[name].idle for name in agent.campaigns]
        for name in agent.queues:
            counts = registry.queues[name].agent_states
            counts[agent.state] -= 1
            counts[state] += 1
        if agent.state == READY:
            for idle in idle_lists:
                del idle[agent.username]
        if state == READY:
            for idle in idle_lists:
                idle[agent.username] = agent
        agent.day.enter(state)
        agent.state, agent.reason, agent.since = state, reason, self._clock.now
        agent.turn += 1

    def free(self, agent: Agent) -> None:
        """Let an agent log out, begin an absence, or become ready and take a contact."""
        if agent.leaving:
            self.log_out(agent, "End of Shift")
        elif agent.absence is not None:
            reason, seconds = agent.absence
            agent.absence = None
            self.step_out(agent, reason, seconds)
        else:
            self.enter(agent, READY)
            self._look_for_work(agent)

    def step_out(self, agent: Agent, reason: str, seconds: float) -> None:
        """Make an agent not ready for some seconds."""
        self.enter(agent, NOT_READY, reason)
        self._clock.after(seconds, self._come_back, agent, agent.turn)

    def _come_back(self, agent: Agent, turn: int) -> None:
        if agent.turn == turn:
            self.free(agent)

    def log_out(self, agent: Agent, reason: str | None) -> None:
        """Log out an agent without a contact; events of the shift become void."""
        agent.shift += 1
        agent.leaving = False
        agent.absence = None
        self.enter(agent, LOGGED_OUT, reason)

    def join(self, queue: Queue) -> None:
        """Let a contact arrive at a queue."""
        contact = self.contact(queue.media, "inbound")
        contact.queue, contact.campaign = queue.name, queue.campaign
        campaign = self._campaign_of(contact)
        if queue.media == "voice" and self._rng.random() < _VISUAL_IVR_SHARE:
            contact.visual_ivr = True
            if campaign is not None:
                campaign.life.visual_ivr_sessions += 1
        queue.day.offered += 1
        queue.waiting[contact.id] = contact
        self._clock.after(timing.patience(self._rng, queue.media), self._give_up, contact)
        queue.line[contact.id] = contact
        self.serve(queue)

    def serve(self, queue: Queue) -> None:
        """Route the head of the line to the agent who has been ready longest."""
        while queue.line and queue.idle:
            _, contact = queue.line.popitem(last=False)
            self._ring(next(iter(queue.idle.values())), contact)

    def offer_aside(self, queue: Queue) -> None:
        """Route a callback or a voicemail to a ready agent."""
        if queue.idle:
            self._look_for_work(next(iter(queue.idle.values())))

    def _look_for_work(self, agent: Agent) -> None:
        """Take the most urgent contact: the longest wait relative to its queue's threshold."""
        queues = [self._registry.queues[name] for name in agent.queues]
        now = self._clock.now
        best, urgency = None, -1.0
        for queue in queues:
            for head in queue.line.values():
                urgent = (now - head.arrived) / queue.threshold_seconds
                if urgent > urgency:
                    best, urgency = queue, urgent
                break
        if best is not None:
            self._ring(agent, best.line.popitem(last=False)[1])
            return
        for queue in queues:
            if queue.callbacks_waiting or queue.voicemails_waiting:
                self._work_aside(agent, queue)
                return

    def _work_aside(self, agent: Agent, queue: Queue) -> None:
        """Take a callback or a voicemail."""
        if queue.callbacks_waiting:
            queue.callbacks_waiting -= 1
            contact = self.contact("callback", "outbound")
            queue.active += 1
        else:
            queue.voicemails_waiting -= 1
            contact = self.contact("voicemail", "inbound")
            queue.voicemails_active += 1
        contact.queue = queue.name
        self.talk(agent, contact)

    def _ring(self, agent: Agent, contact: Contact) -> None:
        agent.contact, contact.agent = contact, agent.username
        self.enter(agent, RINGING)
        seconds = timing.ringing(self._rng, contact.media)
        self._clock.after(seconds, self._answer, agent, agent.turn, contact)

    def _answer(self, agent: Agent, turn: int, contact: Contact) -> None:
        if agent.turn != turn:
            return
        queue = self._queue_of(contact)
        assert queue is not None, "a contact that rings has a queue"
        del queue.waiting[contact.id]
        queue.active += 1
        wait = self._clock.now - contact.arrived
        within = wait <= queue.threshold_seconds
        day = queue.day
        day.answered += 1
        day.answered_within_threshold += within
        day.answer_wait_seconds += wait
        day.settle(wait)
        campaign = self._campaign_of(contact)
        if campaign is not None:
            campaign.active += 1
            campaign.life.connected += 1
            campaign.life.within_threshold += within
            campaign.life.answer_wait_seconds += wait
            campaign.settle(wait)
        self.talk(agent, contact)

    def _give_up(self, contact: Contact) -> None:
        queue = None if contact.started else self._queue_of(contact)
        if queue is None:
            return  # answered in time, or cut off with its queue
        del queue.waiting[contact.id]
        wait = self._clock.now - contact.arrived
        queue.day.abandoned += 1
        queue.day.short_abandoned += wait < SHORT_ABANDON_SECONDS
        queue.day.settle(wait)
        campaign = self._campaign_of(contact)
        if campaign is not None:
            campaign.life.abandoned += 1
            campaign.settle(wait)
        long_voice = contact.media == "voice" and wait > queue.threshold_seconds
        if long_voice and self._rng.random() < _VOICEMAIL_SHARE:
            queue.voicemails_waiting += 1
        self.withdraw(contact, queue)
        self.offer_aside(queue)

    def withdraw(self, contact: Contact, queue: Queue) -> None:
        """Remove a contact that waits no longer from the line or from the agent it rings at."""
        if queue.line.pop(contact.id, None) is None and contact.agent is not None:
            agent = self._registry.agents[contact.agent]
            agent.contact = None
            self.free(agent)

    def talk(self, agent: Agent, contact: Contact) -> None:
        """Begin the conversation of a ready, ringing or previewing agent."""
        agent.contact, contact.agent = contact, agent.username
        contact.started = self._clock.now
        self.enter(agent, ON_CONTACT)
        seconds = timing.talk(self._rng, _kind(contact))
        if contact.media == "voice" and self._rng.random() < _HOLD_SHARE:
            before = seconds * self._rng.uniform(0.2, 0.8)
            self._clock.after(before, self._hold, agent, agent.turn, contact, seconds - before)
        else:
            self._clock.after(seconds, self._hang_up, agent, agent.turn, contact)

    def _hold(self, agent: Agent, turn: int, contact: Contact, rest: float) -> None:
        if agent.turn == turn:
            contact.hold_since = self._clock.now
            self.enter(agent, ON_HOLD)
            seconds = self._rng.uniform(15.0, 90.0)
            self._clock.after(seconds, self._resume, agent, agent.turn, contact, rest)

    def _resume(self, agent: Agent, turn: int, contact: Contact, rest: float) -> None:
        if agent.turn == turn:
            contact.hold_seconds, contact.hold_since = contact.held(self._clock.now), None
            self.enter(agent, ON_CONTACT)
            self._clock.after(rest, self._hang_up, agent, agent.turn, contact)

    def _hang_up(self, agent: Agent, turn: int, contact: Contact) -> None:
        if agent.turn != turn:
            return
        self._part(contact)
        seconds = timing.work(self._rng, _kind(contact))
        if seconds:
            self.enter(agent, AFTER_CONTACT_WORK)
            self._clock.after(seconds, self._finish, agent, agent.turn)
        else:
            self._finish(agent, agent.turn)

    def _part(self, contact: Contact) -> None:
        """End the conversation."""
        now = self._clock.now
        contact.hold_seconds, contact.hold_since = contact.held(now), None
        contact.ended = now
        queue, campaign = self._queue_of(contact), self._campaign_of(contact)
        if queue is not None and contact.media == "voicemail":
            queue.voicemails_active -= 1
            queue.voicemails_processed += 1
        elif queue is not None:
            queue.active -= 1
        if campaign is not None:
            campaign.active -= 1
        self._registry.account.balance -= contact.talked(now) / 60.0 * _MINUTE_PRICE

    def _finish(self, agent: Agent, turn: int) -> None:
        if agent.turn == turn:
            self._book(agent)
            self.free(agent)

    def break_off(self, agent: Agent) -> None:
        """End an agent's contact at once; the caller sets the agent's next state."""
        contact = agent.contact
        if contact is None:
            return
        queue = self._queue_of(contact)
        if agent.state == RINGING and queue is not None:
            agent.contact = contact.agent = None
            queue.line = OrderedDict(sorted([*queue.line.items(), (contact.id, contact)]))
        elif contact.started is None:  # a preview: nobody was on the line yet
            agent.contact = None
        else:
            if contact.ended is None:
                self._part(contact)
            self._book(agent)

    def _book(self, agent: Agent) -> None:
        """Count the agent's contact as handled and release it."""
        contact = agent.contact
        assert contact is not None, "only a contact in hand can be booked"
        agent.contact = None
        queue, campaign = self._queue_of(contact), self._campaign_of(contact)
        book(self._clock.now, self._rng, agent, contact, queue, campaign)

    def _queue_of(self, contact: Contact) -> Queue | None:
        return None if contact.queue is None else self._registry.queues[contact.queue]

    def _campaign_of(self, contact: Contact) -> Campaign | None:
        return None if contact.campaign is None else self._registry.campaigns[contact.campaign]


def _kind(contact: Contact) -> str:
    """Return the kind of a contact for its durations."""
    return (
        contact.media
        if contact.media != "voice" or contact.direction == "inbound"
        else (contact.direction)
    )
