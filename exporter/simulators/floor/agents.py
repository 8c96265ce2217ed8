"""What can be read of an agent: the state, the contact in hand, the figures of the day."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from exporter.simulators.floor.contacts import Contact
from exporter.simulators.floor.timeline import Timeline

READY = "ready"
RINGING = "ringing"
ON_CONTACT = "on_contact"
ON_HOLD = "on_hold"
AFTER_CONTACT_WORK = "after_contact_work"
NOT_READY = "not_ready"
LOGGED_OUT = "logged_out"
STATES = (READY, RINGING, ON_CONTACT, ON_HOLD, AFTER_CONTACT_WORK, NOT_READY, LOGGED_OUT)


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
        """Close the present stay and open one in ``state``."""
        now = self._clock.now
        self._closed[self._open_state] += now - self._open_since
        self._open_state = state
        self._open_since = now
        self.state_entries[state] += 1

    @property
    def state_seconds(self) -> dict[str, float]:
        """Return the seconds in each state, the present stay included."""
        seconds = dict(self._closed)
        seconds[self._open_state] += self._clock.now - self._open_since
        return seconds

    @property
    def login_seconds(self) -> float:
        """Return the seconds in any state but logged out."""
        seconds = self.state_seconds
        return sum(seconds[state] for state in STATES if state != LOGGED_OUT)


@dataclass(slots=True, eq=False)
class Agent:
    """One person who answers contacts.

    ``since`` is when the present state began, midnight or not. ``contact`` is set from ringing
    until the end of the after-contact work.
    """

    id: int
    guid: str
    username: str
    first_name: str
    last_name: str
    team: str
    queues: tuple[str, ...]
    campaigns: tuple[str, ...]  # the outbound campaigns that may give this agent calls
    shift_start: float  # minutes after local midnight
    since: float
    day: AgentDay
    state: str = LOGGED_OUT
    reason: str | None = None
    contact: Contact | None = None
    turn: int = 0  # counts state changes: what was planned for an earlier turn is void
    shift: int = 0  # counts log-ins and log-outs, in the same way
    absence: tuple[str, float] | None = None  # reason and seconds, once the contact is done
    leaving: bool = False  # logs out once the contact is done

    @property
    def name(self) -> str:
        """Return the full name."""
        return f"{self.first_name} {self.last_name}"


def count_states(agents: Iterable[Agent]) -> dict[str, int]:
    """Count agents by state, every state present."""
    counts = dict.fromkeys(STATES, 0)
    for agent in agents:
        counts[agent.state] += 1
    return counts
