"""Agents, queues, campaigns and contacts of the simulated contact centre, and their figures.

The day figures restart at local midnight. A contact counts where and when something happens to
it: *offered* on arrival, *answered* or *abandoned* when its wait ends, *handled* (with talk, hold,
work and disposition) when its after-contact work ends.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Self

from exporter.simulators.floor.timing import Timeline

READY = "ready"
RINGING = "ringing"
ON_CONTACT = "on_contact"
ON_HOLD = "on_hold"
AFTER_CONTACT_WORK = "after_contact_work"
NOT_READY = "not_ready"
LOGGED_OUT = "logged_out"
STATES = (READY, RINGING, ON_CONTACT, ON_HOLD, AFTER_CONTACT_WORK, NOT_READY, LOGGED_OUT)


@dataclass(slots=True, eq=False)
class Contact:
    """One call, chat, e-mail or voicemail, from its arrival until its work is done.

    ``queue`` and ``campaign`` are names, None if it belongs to none (any more). ``started`` and
    ``ended`` are begin and end of the conversation.
    ``hold_seconds`` is the time on hold before ``hold_since``, the start of the present hold.
    """

    id: int
    media: str
    direction: str  # inbound, outbound, manual or internal
    arrived: float
    queue: str | None = None
    campaign: str | None = None
    started: float | None = None
    ended: float | None = None
    hold_seconds: float = 0.0
    hold_since: float | None = None
    previewed: bool = False
    visual_ivr: bool = False
    agent: str | None = None  # the one it rings at, or who handles it

    def held(self, now: float) -> float:
        """Return the seconds on hold so far, the present hold included."""
        return self.hold_seconds + (0.0 if self.hold_since is None else now - self.hold_since)

    def talked(self, now: float) -> float:
        """Return the seconds the parties have talked so far, without holds."""
        if self.started is None:
            return 0.0
        return (now if self.ended is None else self.ended) - self.started - self.held(now)


class AgentDay:
    """One agent's figures since local midnight, or since the agent was there.

    ``handled`` is the sum of ``inbound``, ``outbound``, ``manual``, ``internal`` and
    ``voicemails``; ``preview`` are those of ``outbound`` whose record was looked at first.
    ``handle_seconds`` is talk plus hold plus after-contact work. A record that was skipped, or
    whose party was not reached, is not handled.
    """

    __slots__ = (
        "_clock",
        "_closed",
        "_open_since",
        "_open_state",
        "after_contact_work_seconds",
        "began",
        "dispositions",
        "handle_seconds",
        "handled",
        "hold_seconds",
        "inbound",
        "internal",
        "manual",
        "outbound",
        "preview",
        "resolved",
        "state_entries",
        "talk_seconds",
        "voicemails",
    )

    def __init__(self, clock: Timeline, state: str) -> None:
        self.began = clock.now
        self.handled = 0
        self.inbound = 0
        self.outbound = 0
        self.manual = 0
        self.internal = 0
        self.preview = 0
        self.voicemails = 0
        self.resolved = 0  # settled at the first contact
        self.talk_seconds = 0.0
        self.hold_seconds = 0.0
        self.after_contact_work_seconds = 0.0
        self.handle_seconds = 0.0
        self.dispositions: Counter[str] = Counter()
        self.state_entries = dict.fromkeys(STATES, 0)
        self._clock = clock
        self._closed = dict.fromkeys(STATES, 0.0)
        self._open_state = state
        self._open_since = clock.now

    def enter(self, state: str) -> None:
        """End the present stay and begin one in ``state``."""
        now = self._clock.now
        self._closed[self._open_state] += now - self._open_since
        self._open_state = state
        self._open_since = now
        self.state_entries[state] += 1

    @property
    def state_seconds(self) -> dict[str, float]:
        """Seconds by state, the present stay included."""
        seconds = dict(self._closed)
        seconds[self._open_state] += self._clock.now - self._open_since
        return seconds

    @property
    def login_seconds(self) -> float:
        """Seconds in any state but logged out."""
        seconds = self.state_seconds
        return sum(seconds[state] for state in STATES if state != LOGGED_OUT)


@dataclass(slots=True, eq=False)
class Agent:
    """One agent.

    ``since`` is the beginning of the present state, even before midnight. ``contact`` is set from
    ringing until the end of the after-contact work.
    """

    id: int
    guid: str
    username: str
    first_name: str
    last_name: str
    team: str
    queues: tuple[str, ...]
    campaigns: tuple[str, ...]  # outbound campaigns that route calls to this agent
    shift_start: float  # minutes after local midnight
    since: float
    day: AgentDay
    state: str = LOGGED_OUT
    reason: str | None = None
    contact: Contact | None = None
    turn: int = 0  # counts state changes: events planned for an earlier turn are void
    shift: int = 0  # counts log-ins and log-outs; likewise
    absence: tuple[str, float] | None = None  # reason and seconds, once the contact is done
    leaving: bool = False  # logs out once the contact is done

    @property
    def name(self) -> str:
        """Full name."""
        return f"{self.first_name} {self.last_name}"


def count_states(agents: Iterable[Agent]) -> dict[str, int]:
    """Count agents by state, every state present."""
    counts = dict.fromkeys(STATES, 0)
    for agent in agents:
        counts[agent.state] += 1
    return counts


class QueueDay:
    """One queue's figures since local midnight, or since it was there.

    Always: ``carried_over + offered == answered + abandoned + waiting now``. ``abandoned``
    includes ``short_abandoned``. ``handled`` and the sums know only contacts answered from the
    line, not voicemails and callbacks.
    """

    __slots__ = (
        "_clock",
        "_settled",
        "_waiting",
        "abandoned",
        "answer_wait_seconds",
        "answered",
        "answered_within_threshold",
        "carried_over",
        "handle_seconds",
        "handled",
        "offered",
        "short_abandoned",
        "talk_seconds",
    )

    def __init__(self, clock: Timeline, waiting: dict[int, Contact]) -> None:
        self.carried_over = len(waiting)
        self.offered = 0
        self.answered = 0
        self.abandoned = 0
        self.short_abandoned = 0
        self.answered_within_threshold = 0
        self.handled = 0
        self.answer_wait_seconds = 0.0
        self.handle_seconds = 0.0
        self.talk_seconds = 0.0
        self._clock = clock
        self._waiting = waiting
        self._settled = 0.0

    def settle(self, wait: float) -> None:
        """Record the length of a wait that has ended."""
        self._settled = max(self._settled, wait)

    @property
    def longest_wait_seconds(self) -> float:
        """Longest wait of the day in seconds, contacts still waiting included."""
        return max(self._settled, _longest_wait(self._waiting, self._clock.now))


@dataclass(slots=True, eq=False)
class Queue:
    """One queue. A contact that rings at an agent is still waiting."""

    id: int
    guid: str
    name: str
    media: str
    campaign: str | None  # the inbound campaign whose contacts it takes
    threshold_seconds: float
    weight: float  # its share of the arrivals, against other queues
    clock: Timeline
    day: QueueDay
    waiting: OrderedDict[int, Contact]  # by contact id, the oldest first
    line: OrderedDict[int, Contact] = field(default_factory=OrderedDict)  # not ringing anywhere
    idle: OrderedDict[str, Agent] = field(default_factory=OrderedDict)  # ready, longest first
    agent_states: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STATES, 0))
    active: int = 0  # contacts agents are talking to
    callbacks_waiting: int = 0
    voicemails_waiting: int = 0
    voicemails_active: int = 0
    voicemails_processed: int = 0  # since midnight, when the box is emptied
    plan: int = 0  # counts plans for the next arrival: an earlier one is void

    @property
    def waiting_count(self) -> int:
        """Number of waiting contacts."""
        return len(self.waiting)

    @property
    def longest_wait(self) -> float:
        """Wait of the oldest waiting contact in seconds, zero if none waits."""
        return _longest_wait(self.waiting, self.clock.now)

    @property
    def visual_ivr_waiting(self) -> int:
        """Number of waiting contacts that came through the visual IVR."""
        return sum(contact.visual_ivr for contact in self.waiting.values())

    @property
    def voicemails_total(self) -> int:
        """Number of voicemails: new, in work or done today."""
        return self.voicemails_waiting + self.voicemails_active + self.voicemails_processed


def _longest_wait(waiting: dict[int, Contact], now: float) -> float:
    for contact in waiting.values():
        return now - contact.arrived
    return 0.0


WINDOW_MINUTES = 180  # the longest sliding window a campaign can be asked for


@dataclass(slots=True)
class CampaignTotals:
    """Figures of a campaign in some span of time.

    Inbound: ``offered`` contacts reached it, ``rejected`` came while it did not run, ``connected``
    were answered by an agent, ``callbacks`` asked to be called instead of waiting. Outbound and
    autodial: ``offered`` equals ``dials``; a dial is ``connected`` (somebody or something picked
    up) or ``no_party_contact``; a person is ``answered_live``; ``abandoned`` found no free agent.
    ``longest_wait_seconds`` is of the waits that ended in the span.
    """

    offered: int = 0
    dials: int = 0
    connected: int = 0
    answered_live: int = 0
    abandoned: int = 0
    handled: int = 0
    rejected: int = 0
    callbacks: int = 0
    no_party_contact: int = 0
    dispositioned: int = 0
    preview_skipped: int = 0
    ivr_success: int = 0
    ivr_error: int = 0
    resolved: int = 0
    visual_ivr_sessions: int = 0
    within_threshold: int = 0
    answer_wait_seconds: float = 0.0
    handle_seconds: float = 0.0
    talk_seconds: float = 0.0
    after_contact_work_seconds: float = 0.0
    longest_wait_seconds: float = 0.0
    dispositions: Counter[str] = field(default_factory=Counter)

    def dispose(self, disposition: str) -> None:
        """Count the disposition of a contact or record."""
        self.dispositioned += 1
        self.dispositions[disposition] += 1

    def copy(self) -> Self:
        """Return a copy of the figures."""
        return self.since(type(self)())

    def since(self, mark: "CampaignTotals") -> Self:
        """Return the difference to an earlier copy, without the longest wait."""
        grown = type(self)()
        for name in _ADDITIVE:
            setattr(grown, name, getattr(self, name) - getattr(mark, name))
        grown.dispositions = self.dispositions - mark.dispositions
        return grown


_ADDITIVE = tuple(
    column.name
    for column in fields(CampaignTotals)
    if column.name not in ("longest_wait_seconds", "dispositions")
)


@dataclass(slots=True)
class Records:
    """The records of an outbound campaign's lists: ``total`` is the sum of all others."""

    available: int = 0
    redial_timer: int = 0  # to be dialled again at a set time
    dialed: int = 0  # done with, or being dialled
    asap: int = 0  # asked to be dialled next
    unreachable: int = 0

    @property
    def total(self) -> int:
        """Number of records in the lists."""
        return self.available + self.redial_timer + self.dialed + self.asap + self.unreachable


@dataclass(slots=True, eq=False)
class Campaign:
    """One campaign: ``life`` is never reset; days and windows are its differences."""

    id: int
    guid: str
    name: str
    kind: str  # inbound, outbound or autodial
    mode: str  # how an outbound one dials: predictive or preview
    since: float
    state: str = "stopped"
    list_size: int = 0
    ratio_target: float = 0.0  # dials in flight per ready agent
    ratio_actual: float = 0.0
    active: int = 0  # contacts agents are talking to
    in_flight: int = 0  # dialled, and nobody has picked up yet
    records: Records = field(default_factory=Records)
    list_round: int = 0  # counts refills of the lists: timers of an earlier round are void
    turn: int = 0  # counts state changes: events planned for an earlier turn are void
    idle: OrderedDict[str, Agent] = field(default_factory=OrderedDict)  # ready, longest first
    life: CampaignTotals = field(default_factory=CampaignTotals)
    _midnight: CampaignTotals = field(default_factory=CampaignTotals)
    _minutes: deque[tuple[float, CampaignTotals]] = field(
        default_factory=lambda: deque(maxlen=WINDOW_MINUTES + 1)
    )
    _peaks: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW_MINUTES + 1))
    _day_peak: float = 0.0

    def settle(self, wait: float) -> None:
        """Record the length of a wait that has ended."""
        self._day_peak = max(self._day_peak, wait)
        self._peaks[-1] = max(self._peaks[-1], wait)

    def begin_minute(self, start: float) -> None:
        """Save the figures at the start of a minute."""
        self._minutes.append((start, self.life.copy()))
        self._peaks.append(0.0)

    def begin_day(self) -> None:
        """Save the figures at midnight."""
        self._midnight = self.life.copy()
        self._day_peak = 0.0

    @property
    def day(self) -> CampaignTotals:
        """Figures since local midnight."""
        totals = self.life.since(self._midnight)
        totals.longest_wait_seconds = self._day_peak
        return totals

    def window(self, after: float) -> CampaignTotals:
        """Return the figures of every minute that began after an instant."""
        peak = 0.0
        oldest = self.life
        for (start, mark), wait in zip(reversed(self._minutes), reversed(self._peaks), strict=True):
            if start <= after:
                break
            oldest = mark
            peak = max(peak, wait)
        totals = self.life.since(oldest)
        totals.longest_wait_seconds = peak
        return totals


@dataclass(slots=True)
class Account:
    """Balance and licences."""

    balance: float = 1000.0
    credit_limit: float = 500.0
    currency: str = "USD"
    supervisors_logged_in: int = 1
    supervisors_limit: int = 5


@dataclass(slots=True)
class Registry:
    """All agents, queues and campaigns by name, with the account."""

    clock: Timeline
    account: Account = field(default_factory=Account)
    agents: dict[str, Agent] = field(default_factory=dict)
    queues: dict[str, Queue] = field(default_factory=dict)
    campaigns: dict[str, Campaign] = field(default_factory=dict)
