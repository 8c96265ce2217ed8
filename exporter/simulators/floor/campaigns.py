"""What can be read of a campaign: its state, its records, its figures in a day or a window."""

from collections import Counter, OrderedDict, deque
from dataclasses import dataclass, field, fields
from typing import Self

from exporter.simulators.floor.agents import Agent

WINDOW_MINUTES = 180  # the longest sliding window a campaign can be asked for


@dataclass(slots=True)
class CampaignTotals:
    """What a campaign has done in some span of time.

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
        """Note how one contact or record came out."""
        self.dispositioned += 1
        self.dispositions[disposition] += 1

    def copy(self) -> Self:
        """Return the same figures, apart."""
        return self.since(type(self)())

    def since(self, mark: "CampaignTotals") -> Self:
        """Return what came after an earlier reading; the longest wait cannot be told apart."""
        grown = type(self)()
        for name in _ADDITIVE:
            setattr(grown, name, getattr(self, name) - getattr(mark, name))
        grown.dispositions = self.dispositions - mark.dispositions
        return grown


_ADDITIVE = tuple(
    each.name
    for each in fields(CampaignTotals)
    if each.name not in ("longest_wait_seconds", "dispositions")
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
        """Return how many records the lists hold."""
        return self.available + self.redial_timer + self.dialed + self.asap + self.unreachable


@dataclass(slots=True, eq=False)
class Campaign:
    """One campaign: ``life`` is counted, days and windows are differences of it."""

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
    turn: int = 0  # counts state changes: what was planned for an earlier turn is void
    idle: OrderedDict[str, Agent] = field(default_factory=OrderedDict)  # ready, longest first
    life: CampaignTotals = field(default_factory=CampaignTotals)
    _midnight: CampaignTotals = field(default_factory=CampaignTotals)
    _minutes: deque[tuple[float, CampaignTotals]] = field(
        default_factory=lambda: deque(maxlen=WINDOW_MINUTES + 1)
    )
    _peaks: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW_MINUTES + 1))
    _day_peak: float = 0.0

    def settle(self, wait: float) -> None:
        """Note that a wait has ended, one way or the other."""
        self._day_peak = max(self._day_peak, wait)
        self._peaks[-1] = max(self._peaks[-1], wait)

    def begin_minute(self, start: float) -> None:
        """Mark where the figures stand at the start of a minute."""
        self._minutes.append((start, self.life.copy()))
        self._peaks.append(0.0)

    def begin_day(self) -> None:
        """Mark where the figures stand at midnight."""
        self._midnight = self.life.copy()
        self._day_peak = 0.0

    @property
    def day(self) -> CampaignTotals:
        """Return the figures since local midnight."""
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
