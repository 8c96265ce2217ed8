"""Campaigns: start, stop, dial, and route answered calls to agents."""

from datetime import date
from random import Random

from exporter.simulators.floor.figures import ON_CONTACT, READY, Agent, Campaign, Records, Registry
from exporter.simulators.floor.routing import Router
from exporter.simulators.floor.timing import HOUR, Calendar

_TICK = 5.0
_PREVIEW_IDLE = 15.0  # ready seconds before an agent is shown a record
_PREVIEW_SKIP_SHARE = 0.15
_ASAP_SHARE = 0.04
_REDIAL_SHARE = 0.7
_IVR_ERROR_SHARE = 0.06
_AUTODIAL_HOURS = 6.0  # roughly the duration of a list

# Changes in a day, as minutes after midnight. The first inbound campaign never closes.
_HOURS = {
    "inbound": ((420.0, "start"), (1260.0, "stop")),
    "outbound": (
        (120.0, "reset"), (540.0, "start"), (720.0, "stop"), (780.0, "start"), (1050.0, "stop"),
    ),
    "autodial": (
        (120.0, "reset"), (600.0, "start"), (750.0, "stop"), (840.0, "start"), (990.0, "stop"),
    ),
}  # fmt: skip

# Outcomes of a dial. All but the first two reach no party.
_OUTCOMES = ("Live", "Answering Machine", "No Answer", "Busy", "Unreachable")
_OUTCOME_WEIGHTS = (28, 17, 40, 9, 6)
_MESSAGE = "Message Delivered"
_DROPPED = "Abandoned"
DIALED_DISPOSITIONS = (*_OUTCOMES[1:], _MESSAGE, _DROPPED)


class Dialer:
    """Runs the campaigns."""

    def __init__(self, registry: Registry, router: Router, calendar: Calendar, rng: Random) -> None:
        self._registry = registry
        self._clock = registry.clock
        self._router = router
        self._calendar = calendar
        self._rng = rng

    def open(self) -> None:
        """Set every campaign to its state at this hour."""
        today = self._calendar.day(self._clock.now)
        for index, campaign in enumerate(self._registry.campaigns.values()):
            past = [
                action
                for minutes, action in _hours(campaign, index)
                if self._calendar.instant(today, minutes) <= self._clock.now
            ]
            if past[-1:] == ["start"] or (index == 0 and campaign.kind == "inbound"):
                self._settle(campaign, campaign.turn, "running")
        self.plan_day(today)

    def plan_day(self, day: date) -> None:
        """Schedule the remaining state changes of a day."""
        for index, campaign in enumerate(self._registry.campaigns.values()):
            for minutes, action in _hours(campaign, index):
                instant = self._calendar.instant(day, minutes)
                if instant > self._clock.now:
                    self._clock.at(instant, self._change, campaign, action)

    def _change(self, campaign: Campaign, action: str) -> None:
        between, then, seconds = {
            "start": ("starting", "running", self._rng.uniform(15.0, 60.0)),
            "stop": ("stopping", "stopped", self._rng.uniform(30.0, 90.0)),
            "reset": ("resetting", "stopped", 120.0),
        }[action]
        if action == "reset":
            campaign.list_round += 1
            campaign.records = Records(available=campaign.list_size)
        self._enter(campaign, between)
        self._clock.after(seconds, self._settle, campaign, campaign.turn, then)

    def _settle(self, campaign: Campaign, turn: int, state: str) -> None:
        if campaign.turn != turn:
            return
        self._enter(campaign, state)
        if state == "running" and campaign.kind == "outbound":
            self._clock.after(_TICK, self._tick, campaign, campaign.turn)
        elif state == "running" and campaign.kind == "autodial":
            self._tick_autodial(campaign, campaign.turn)

    def _enter(self, campaign: Campaign, state: str) -> None:
        campaign.state, campaign.since = state, self._clock.now
        campaign.ratio_actual = 0.0
        campaign.turn += 1

    def _tick(self, campaign: Campaign, turn: int) -> None:
        """Dial predictively for the ready agents, or show them records in preview."""
        if campaign.turn != turn:
            return
        ready = len(campaign.idle)
        if campaign.mode == "preview":
            for agent in list(campaign.idle.values()):
                if self._clock.now - agent.since >= _PREVIEW_IDLE and _take(campaign.records):
                    self._preview(campaign, agent)
        else:
            for _ in range(int(ready * campaign.ratio_target) - campaign.in_flight):
                if _take(campaign.records):
                    self._dial(campaign, None)
        campaign.ratio_actual = campaign.in_flight / ready if ready else 0.0
        self._clock.after(_TICK, self._tick, campaign, turn)

    def _tick_autodial(self, campaign: Campaign, turn: int) -> None:
        if campaign.turn != turn:
            return
        if _take(campaign.records):
            self._dial(campaign, None)
        campaign.ratio_actual = campaign.ratio_target
        rate = campaign.list_size / (_AUTODIAL_HOURS * HOUR)
        self._clock.after(self._rng.expovariate(rate), self._tick_autodial, campaign, turn)

    def _preview(self, campaign: Campaign, agent: Agent) -> None:
        contact = self._router.contact("voice", "outbound")
        contact.campaign, contact.previewed, contact.agent = campaign.name, True, agent.username
        agent.contact = contact
        self._router.enter(agent, ON_CONTACT)
        seconds = self._rng.uniform(8.0, 40.0)
        self._clock.after(
            seconds, self._previewed, campaign, agent, agent.turn, campaign.list_round
        )

    def _previewed(self, campaign: Campaign, agent: Agent, turn: int, list_round: int) -> None:
        if agent.turn != turn:
            return
        if self._rng.random() >= _PREVIEW_SKIP_SHARE:
            self._dial(campaign, agent)
            return
        campaign.life.preview_skipped += 1
        if campaign.list_round == list_round:
            campaign.records.dialed -= 1
            campaign.records.available += 1
        agent.contact = None
        self._router.free(agent)

    def _dial(self, campaign: Campaign, agent: Agent | None) -> None:
        """Dial one record, of a preview for its ``agent``."""
        campaign.in_flight += 1
        campaign.life.dials += 1
        campaign.life.offered += 1
        turn = 0 if agent is None else agent.turn
        seconds = self._rng.uniform(6.0, 25.0)
        self._clock.after(seconds, self._hear, campaign, agent, turn, campaign.list_round)

    def _hear(self, campaign: Campaign, agent: Agent | None, turn: int, list_round: int) -> None:
        """End a dial with a random outcome."""
        campaign.in_flight -= 1
        if agent is not None and agent.turn != turn:
            agent = None  # logged out meanwhile
        outcome = self._rng.choices(_OUTCOMES, _OUTCOME_WEIGHTS)[0]
        if campaign.list_round == list_round:
            self._file(campaign, outcome)
        if outcome in _OUTCOMES[:2]:
            campaign.life.connected += 1
        else:
            campaign.life.no_party_contact += 1
        if outcome == "Live":
            self._pick_up(campaign, agent)
            return
        campaign.life.dispose(outcome)
        if agent is not None:
            agent.contact = None
            self._router.free(agent)

    def _pick_up(self, campaign: Campaign, agent: Agent | None) -> None:
        """Route a live answer to the script, to an agent, or abandon it."""
        life = campaign.life
        life.answered_live += 1
        if campaign.kind == "autodial":
            failed = self._rng.random() < _IVR_ERROR_SHARE
            life.ivr_error += failed
            life.ivr_success += not failed
            life.dispose(_MESSAGE)
            return
        if agent is None:
            agent = next(iter(campaign.idle.values()), None)
        if agent is None:
            life.abandoned += 1
            life.dispose(_DROPPED)
            return
        contact = agent.contact if agent.state != READY else None
        if contact is None:
            contact = self._router.contact("voice", "outbound")
            contact.campaign = campaign.name
        campaign.active += 1
        self._router.talk(agent, contact)

    def _file(self, campaign: Campaign, outcome: str) -> None:
        """Move a record to the list of its outcome."""
        records = campaign.records
        if outcome == "Unreachable":
            records.dialed -= 1
            records.unreachable += 1
        elif outcome == "Live":
            if self._rng.random() < _ASAP_SHARE:
                records.dialed -= 1
                records.asap += 1
        elif self._rng.random() < _REDIAL_SHARE:
            records.dialed -= 1
            records.redial_timer += 1
            seconds = self._rng.uniform(0.5, 1.5) * HOUR
            self._clock.after(seconds, self._redial, campaign, campaign.list_round)

    def _redial(self, campaign: Campaign, list_round: int) -> None:
        if campaign.list_round == list_round:
            campaign.records.redial_timer -= 1
            campaign.records.available += 1


def _take(records: Records) -> bool:
    """Take the next record to dial; return whether there was one."""
    if records.asap:
        records.asap -= 1
    elif records.available:
        records.available -= 1
    else:
        return False
    records.dialed += 1
    return True


def _hours(campaign: Campaign, index: int) -> list[tuple[float, str]]:
    """Return a campaign's state changes of a day, shifted by minutes between campaigns."""
    if index == 0 and campaign.kind == "inbound":
        return []
    return [(minutes + 3.0 * (index % 5), action) for minutes, action in _HOURS[campaign.kind]]
