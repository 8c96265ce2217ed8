"""What can be read of a queue: who waits, who serves it, the figures of the day."""

from collections import OrderedDict
from dataclasses import dataclass, field

from exporter.simulators.floor.agents import STATES, Agent
from exporter.simulators.floor.contacts import Contact
from exporter.simulators.floor.timeline import Timeline


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
        """Note that a wait has ended, one way or the other."""
        self._settled = max(self._settled, wait)

    @property
    def longest_wait_seconds(self) -> float:
        """Return the longest wait seen in the day, of those that still wait too."""
        return max(self._settled, _longest_wait(self._waiting, self._clock.now))


@dataclass(slots=True, eq=False)
class Queue:
    """One queue. A contact that rings at an agent still waits: nobody has answered it yet."""

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
        """Return how many contacts wait now."""
        return len(self.waiting)

    @property
    def longest_wait(self) -> float:
        """Return the wait of the oldest waiting contact in seconds, zero if none waits."""
        return _longest_wait(self.waiting, self.clock.now)

    @property
    def visual_ivr_waiting(self) -> int:
        """Return how many of the waiting contacts came through the visual IVR."""
        return sum(contact.visual_ivr for contact in self.waiting.values())

    @property
    def voicemails_total(self) -> int:
        """Return how many voicemails are in the box: new, in work or done today."""
        return self.voicemails_waiting + self.voicemails_active + self.voicemails_processed


def _longest_wait(waiting: dict[int, Contact], now: float) -> float:
    for contact in waiting.values():
        return now - contact.arrived
    return 0.0
