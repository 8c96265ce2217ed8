"""The eight tables of the service, drawn from the floor: key column first, then alphabetical.

``SEEN`` columns are spelled as public clients of this service spell them; ``GUESS`` columns are
figures of the vendor's sibling REST feed under names that no public source shows.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from math import floor
from typing import Any, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from exporter.simulators.five9.domain import Domain
from exporter.simulators.five9.wire import ROLLING_PERIODS
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
    CampaignTotals,
    Queue,
)

Subject = TypeVar("Subject")

_HOUR = 3600
_STEP_SECONDS = 5.0
_PRICE_PER_MINUTE = 0.02


class Table(NamedTuple):
    """A table: its columns, and its rows by the value of the key column."""

    columns: list[str]
    rows: dict[str, list[str]]


class Cells:
    """Writes the cells of one table in the format of the domain's switches."""

    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        self._now = domain.floor.now
        self._zone = ZoneInfo(domain.zone)
        self._streams = domain.stream_durations

    def step(self, seconds: float) -> float:
        """Return a running duration, in steps of five seconds where the platform streams them."""
        return seconds // _STEP_SECONDS * _STEP_SECONDS if self._streams else seconds

    def ms(self, seconds: float) -> str:
        """Write a duration in milliseconds."""
        return str(round(seconds * 1000))

    def age(self, since: float) -> str:
        """Write the duration since an instant."""
        return self.ms(self.step(self._now - since))

    def mean(self, seconds: float, count: int) -> str:
        """Write a mean duration; zero without a count."""
        return self.ms(seconds / count) if count else "0"

    def instant(self, at: float) -> str:
        """Write an instant as wall time of the data centre, without a zone."""
        return datetime.fromtimestamp(at, self._zone).isoformat(" ", "seconds")[:19]

    def state(self, words: str) -> str:
        """Write a state, given in title case."""
        style = self._domain.state_case
        return words if style == "title" else words.upper() if style == "upper" else words.lower()

    def word(self, words: str) -> str:
        """Write a word of an enumeration, given in title case."""
        style = self._domain.state_case
        return words.upper().replace(" ", "_") if style == "upper" else self.state(words)

    def ratio(self, column: str, part: float, whole: float) -> str:
        """Write a share; 0 of nothing."""
        domain = self._domain
        style = domain.share_styles.get(column, domain.share_style)
        value = part / whole if whole else 0.0
        if style != "fraction":
            value *= 100
        usual = 4 if style == "fraction" else 2
        digits = usual if domain.share_digits is None else domain.share_digits
        if domain.share_cut:
            value = floor(value * 10**digits) / 10**digits
        return f"{value:.{digits}f}{'%' if style == 'signed' else ''}"

    def share(self, part: int, whole: int) -> str:
        """Write a count, followed by its share as some clients have seen."""
        if self._domain.fcr_style == "count":
            return str(part)
        return f"{part}({round(100 * part / whole) if whole else 0}%)"

    def charges(self, seconds: float) -> str:
        """Write an amount of money."""
        return f"{seconds / 60 * _PRICE_PER_MINUTE:.2f}"


_STATES = {
    READY: "Ready",
    RINGING: "Ringing",
    ON_CONTACT: "On Call",
    ON_HOLD: "On Call",  # the platform has no state for it, only a duration
    AFTER_CONTACT_WORK: "After Call Work",
    NOT_READY: "Not Ready",
    LOGGED_OUT: "Logged Out",
}


class AgentNow:
    """One agent now."""

    __slots__ = ("_hold_since", "_since", "_state", "agent", "cells")

    def __init__(self, agent: Agent, cells: Cells) -> None:
        self.agent = agent
        self.cells = cells
        contact = agent.contact
        self._state = _STATES[agent.state]
        self._since = agent.since
        if self._state == "On Call" and contact is not None:
            if contact.media == "voicemail":
                self._state = "On Voicemail"
            elif contact.previewed and contact.started is None:
                self._state = "On Preview"
            elif contact.started is not None:
                self._since = contact.started
        self._hold_since = contact.hold_since if agent.state == ON_HOLD and contact else None

    def state(self) -> str:
        """Return the state."""
        return self.cells.state(self._state)

    def since(self, state: str | None = None) -> str:
        """Return when the current state began; empty if another state is asked for."""
        return self.cells.instant(self._since) if state in (None, self._state) else ""

    def duration(self, state: str | None = None) -> str:
        """Return the duration of the current state; zero if another state is asked for."""
        return self.cells.age(self._since) if state in (None, self._state) else "0"

    def reason(self) -> str:
        """Return the reason of a not-ready or logged-out agent."""
        return self.agent.reason or ""

    def reason_since(self) -> str:
        """Return when the reason was given."""
        return self.cells.instant(self.agent.since) if self.agent.reason else ""

    def reason_duration(self) -> str:
        """Return the duration of the reason."""
        return self.cells.age(self.agent.since) if self.agent.reason else "0"

    def hold_since(self) -> str:
        """Return when the current hold began."""
        return "" if self._hold_since is None else self.cells.instant(self._hold_since)

    def hold_duration(self) -> str:
        """Return the duration of the current hold."""
        return "0" if self._hold_since is None else self.cells.age(self._hold_since)

    def call_type(self) -> str:
        """Return the type of the current call."""
        contact = self.agent.contact
        if contact is None:
            return ""
        return contact.direction.title() + (" Voicemail" if contact.media == "voicemail" else "")

    def customer(self) -> str:
        """Return the number of the other party."""
        contact = self.agent.contact
        return "" if contact is None else f"+1555{contact.id % 10_000_000:07}"

    def campaign(self) -> str:
        """Return the campaign of the current call."""
        contact = self.agent.contact
        return "" if contact is None else contact.campaign or ""

    def media(self) -> str:
        """Return the media that the agent can take now."""
        return "Voice" if self.agent.state in (READY, RINGING, ON_CONTACT, ON_HOLD) else ""


AGENT_STATE_SEEN: Mapping[str, Callable[[AgentNow], str]] = {
    "Username": lambda a: a.agent.username,
    "Full Name": lambda a: a.agent.name,
    "State": AgentNow.state,
    "State Since": AgentNow.since,
    "State Duration": AgentNow.duration,
    "Reason Code": AgentNow.reason,
    "Reason Duration": AgentNow.reason_duration,
    "Reason Since": AgentNow.reason_since,
    "Call Type": AgentNow.call_type,
    "Customer": AgentNow.customer,
    "Campaign Name": AgentNow.campaign,
    "Media Availability": AgentNow.media,
    "On Hold Duration": AgentNow.hold_duration,
    "Not Ready State Duration": lambda a: a.duration("Not Ready"),
    "On Call State Duration": lambda a: a.duration("On Call"),
}
AGENT_STATE_GUESS: Mapping[str, Callable[[AgentNow], str]] = {
    "Not Ready State Since": lambda a: a.since("Not Ready"),
    "On Call State Since": lambda a: a.since("On Call"),
    "On Hold State Since": AgentNow.hold_since,
    "On Park Duration": lambda _: "0",
    "On Park State Since": lambda _: "",
    "Parked Calls Count": lambda _: "0",
    "Ready State Duration": lambda a: a.duration("Ready"),
    "Ready State Since": lambda a: a.since("Ready"),
    "After Call Work State Duration": lambda a: a.duration("After Call Work"),
    "After Call Work State Since": lambda a: a.since("After Call Work"),
    "Logged Out State Duration": lambda a: a.duration("Logged Out"),
    "Logged Out State Since": lambda a: a.since("Logged Out"),
}


class AgentDay:
    """One agent's day so far."""

    __slots__ = ("agent", "calls", "cells", "day", "handling", "login", "spent")

    def __init__(self, agent: Agent, cells: Cells) -> None:
        self.agent = agent
        self.cells = cells
        self.day = day = agent.day
        self.calls = day.inbound + day.outbound + day.manual + day.internal
        self.spent = {state: cells.step(spent) for state, spent in day.state_seconds.items()}
        self.login = sum(self.spent.values()) - self.spent[LOGGED_OUT]
        busy = (RINGING, ON_CONTACT, ON_HOLD, AFTER_CONTACT_WORK)
        self.handling = sum(self.spent[state] for state in busy)

    def per_call(self, seconds: float) -> str:
        """Return the mean over the calls of the day."""
        return self.cells.mean(seconds, self.calls)

    def per_stay(self, state: str) -> str:
        """Return the mean time in a state per entry; the day's first stay may lack one."""
        return self.cells.mean(self.spent[state], max(1, self.day.state_entries[state]))


AGENT_STATISTICS_SEEN: Mapping[str, Callable[[AgentDay], str]] = {
    "Username": lambda a: a.agent.username,
    "Full Name": lambda a: a.agent.name,
    "Total Calls": lambda a: str(a.calls),
    "Total Inbound Calls": lambda a: str(a.day.inbound),
    "Total Manual Calls": lambda a: str(a.day.manual),
    "First Call Resolution": lambda a: a.cells.share(a.day.resolved, a.calls),
    "Avg Call Time": lambda a: a.per_call(a.day.talk_seconds + a.day.hold_seconds),
    "Avg Talk Time": lambda a: a.per_call(a.day.talk_seconds),
    "Avg Handle Time": lambda a: a.per_call(a.day.handle_seconds),
    "Avg Hold Time": lambda a: a.per_call(a.day.hold_seconds),
    "Avg Idle Time": lambda a: a.per_stay(READY),
    "Avg Not Ready Time": lambda a: a.per_stay(NOT_READY),
    "Avg Wrap Time": lambda a: a.per_call(a.day.after_contact_work_seconds),
}
AGENT_STATISTICS_GUESS: Mapping[str, Callable[[AgentDay], str]] = {
    "Total Agent Calls": lambda a: str(a.day.manual),
    "Total Outbound Calls": lambda a: str(a.day.outbound),
    "Total Internal Calls": lambda a: str(a.day.internal),
    "Avg Internal Call Time": lambda _: "0",
    "Total Calls (without Internal)": lambda a: str(a.calls - a.day.internal),
    "Not Ready Count": lambda a: str(a.day.state_entries[NOT_READY]),
    "Total Preview Calls": lambda a: str(a.day.preview),
    "Preview Time": lambda _: "0",
    "Avg Preview Time": lambda _: "0",
    "Calls Skipped In Preview": lambda _: "0",
    "Total VMs Processed": lambda a: str(a.day.voicemails),
    "Avg VM Processing Time": lambda _: "0",
    "Avg Ready For VM Time": lambda _: "0",
    "Call Charges": lambda a: a.cells.charges(a.day.talk_seconds),
    "Login Time": lambda a: a.cells.ms(a.login),
    "Off Break Time": lambda a: a.cells.ms(a.login - a.spent[NOT_READY]),
    "Occupancy": lambda a: a.cells.ratio("Occupancy", a.handling, a.handling + a.spent[READY]),
    "Utilization": lambda a: a.cells.ratio("Utilization", a.handling, a.login),
}

# Columns that change with time alone: no update, unless the platform streams durations.
SILENT_COLUMNS = frozenset(
    [
        *(name for name in (*AGENT_STATE_SEEN, *AGENT_STATE_GUESS) if name.endswith("Duration")),
        *("Avg Idle Time", "Avg Not Ready Time", "Login Time", "Off Break Time"),
        *("Occupancy", "Utilization", "Current Longest Queue Time", "Longest Queue Time"),
    ]
)

_CAMPAIGN_STATES = {
    "running": "Running",
    "starting": "Starting",
    "stopping": "Stopping",
    "resetting": "Resetting",
}


class QueueNow(NamedTuple):
    """One skill now."""

    queue: Queue
    cells: Cells

    def agents(self, *states: str) -> str:
        """Count the skill's agents in some states."""
        return str(sum(self.queue.agent_states[state] for state in states))

    def logged_in(self) -> str:
        """Write the agents logged in and, in brackets, those ready or on a contact."""
        states = self.queue.agent_states
        logged_in = sum(states.values()) - states[LOGGED_OUT]
        return f"{logged_in} ({self.agents(READY, RINGING, ON_CONTACT, ON_HOLD)})"

    def duration(self, seconds: float) -> str:
        """Write a waiting time."""
        return self.cells.ms(self.cells.step(seconds))


ACD_STATUS: Mapping[str, Callable[[QueueNow], str]] = {
    "Skill Name": lambda q: q.queue.name,
    "Agents Logged In": QueueNow.logged_in,
    "Agents Not Ready For Calls": lambda q: q.agents(NOT_READY),
    "Agents On Call": lambda q: q.agents(ON_CONTACT, ON_HOLD),
    "Agents Ready For Calls": lambda q: q.agents(READY),
    "Agents Ready For VMs": lambda q: q.agents(READY),
    "Calls In Queue": lambda q: str(q.queue.waiting_count),
    "Calls In Queue (Visual IVR)": lambda q: str(q.queue.visual_ivr_waiting),
    "Current Longest Queue Time": lambda q: q.duration(q.queue.longest_wait),
    "Longest Queue Time": lambda q: q.duration(q.queue.day.longest_wait_seconds),
    "Queue Callbacks": lambda q: str(q.queue.callbacks_waiting),
    "Total VMs": lambda q: str(q.queue.voicemails_total),
    "VMs In Progress": lambda q: str(q.queue.voicemails_active),
    "VMs In Queue": lambda q: str(q.queue.voicemails_waiting),
}


class CampaignNow(NamedTuple):
    """One campaign now, with its figures in a window."""

    campaign: Campaign
    totals: CampaignTotals
    cells: Cells

    def state(self) -> str:
        """Write the state in a word of the schema."""
        return self.cells.word(_CAMPAIGN_STATES.get(self.campaign.state, "Not Running"))

    def dialled(self, text: str) -> str:
        """Write a cell that is empty for inbound campaigns."""
        return "" if self.campaign.kind == "inbound" else text

    def per_handled(self, seconds: float) -> str:
        """Write a mean over the handled contacts."""
        return self.cells.mean(seconds, self.totals.handled)

    def of_answered(self, column: str, part: int) -> str:
        """Write a share of the answered and abandoned contacts."""
        return self.cells.ratio(column, part, self.totals.connected + self.totals.abandoned)


CampaignColumns = Mapping[str, Callable[[CampaignNow], str]]

CAMPAIGN_STATE_SEEN: CampaignColumns = {
    "Campaign Name": lambda c: c.campaign.name,
    "State": CampaignNow.state,
    "State Since": lambda c: c.cells.instant(c.campaign.since),
}
CAMPAIGN_STATE_GUESS: CampaignColumns = {
    "Mode": lambda c: c.cells.word("Basic"),
    "Profile": lambda _: "",
    "Current Action": lambda _: "",
    "Priority": lambda c: c.dialled("3"),
    "Ratio": lambda c: c.dialled("50"),
    "Type": lambda c: c.cells.word(c.campaign.kind.title()),
}
CAMPAIGN_NAME: CampaignColumns = {"Campaign Name": lambda c: c.campaign.name}
MANAGER_GUESS: CampaignColumns = {
    "Agents Ready For Calls": lambda c: str(len(c.campaign.idle)),
    "Dispositioned Records": lambda c: str(c.totals.dispositioned),
    "Dialing Attempts": lambda c: str(c.totals.dials),
    "Contacted": lambda c: str(c.totals.connected),
    "Skipped In Preview": lambda c: str(c.totals.preview_skipped),
    "Calls To Agent Ratio": lambda c: f"{c.campaign.ratio_actual:.2f}",
    "Calls To Agent Target Ratio": lambda c: f"{c.campaign.ratio_target:.2f}",
    "Total Records": lambda c: str(c.campaign.records.total),
    "Available Records": lambda c: str(c.campaign.records.available),
    "Redial With Timer": lambda c: str(c.campaign.records.redial_timer),
    "Dialed Without Timer": lambda c: str(c.campaign.records.dialed),
    "ASAP Requests": lambda c: str(c.campaign.records.asap),
    "No Party Contact": lambda c: str(c.totals.no_party_contact),
    "Abandoned": lambda c: str(c.totals.abandoned),
    "Unreachable Records": lambda c: str(c.campaign.records.unreachable),
    "State": CampaignNow.state,
}
INBOUND_GUESS: CampaignColumns = {
    "Total Calls": lambda c: str(c.totals.offered),
    "Agent Calls": lambda c: str(c.totals.connected),
    "Calls Connected + Abandoned": lambda c: str(c.totals.connected + c.totals.abandoned),
    "Calls Connected": lambda c: str(c.totals.connected),
    "Calls Handled": lambda c: str(c.totals.handled),
    "Calls Abandoned": lambda c: str(c.totals.abandoned),
    "Abandon Call Rate": lambda c: c.of_answered("Abandon Call Rate", c.totals.abandoned),
    "Calls Rejected": lambda c: str(c.totals.rejected),
    "Finished In IVR (Error)": lambda c: str(c.totals.ivr_error),
    "Finished In IVR (Success)": lambda c: str(c.totals.ivr_success),
    "First Call Resolution": lambda c: c.cells.share(c.totals.resolved, c.totals.handled),
    "Avg Availability Time": lambda _: "0",
    "Avg Call Time": lambda c: c.per_handled(
        c.totals.handle_seconds - c.totals.after_contact_work_seconds
    ),
    "Avg Handle Time": lambda c: c.per_handled(c.totals.handle_seconds),
    "Avg Speed Of Answer": lambda c: c.cells.mean(c.totals.answer_wait_seconds, c.totals.connected),
    "Avg Wrap Time": lambda c: c.per_handled(c.totals.after_contact_work_seconds),
    "Longest Hold Time": lambda _: "0",
    "Longest Queue Time": lambda c: c.cells.ms(c.totals.longest_wait_seconds),
    "Service Level Queue": lambda c: c.of_answered(
        "Service Level Queue", c.totals.within_threshold
    ),
    "Service Level Talk": lambda c: c.cells.ratio(
        "Service Level Talk", c.totals.handled, c.totals.connected
    ),
    "Call Charges": lambda c: c.cells.charges(c.totals.talk_seconds),
    "Visual IVR Sessions": lambda c: str(c.totals.visual_ivr_sessions),
}
_CAMPAIGN_KINDS = {
    "InboundCampaignStatistics": "inbound",
    "OutboundCampaignStatistics": "outbound",
    "AutodialCampaignStatistics": "autodial",
}


def draw(domain: Domain, statistic_type: str, settings: Mapping[str, Any]) -> Table:
    """Return a table as the floor stands now, under a session's settings."""
    cells = Cells(domain)
    match statistic_type:
        case "AgentState":
            states = [AgentNow(agent, cells) for agent in _agents(domain)]
            return _fill({**AGENT_STATE_SEEN, **AGENT_STATE_GUESS}, states)
        case "AgentStatistics":
            days = [AgentDay(agent, cells) for agent in _agents(domain)]
            columns = {**AGENT_STATISTICS_SEEN, **AGENT_STATISTICS_GUESS}
            columns |= {name: partial(_count, name) for name in domain.floor.dispositions}
            return _fill(columns, days)
        case "ACDStatus":
            skills = domain.floor.queues.values() if _is_granted(domain, "AllSkills") else ()
            # The service knows calls only: a queue of another medium is not a skill here.
            return _fill(ACD_STATUS, [QueueNow(q, cells) for q in skills if q.media == "voice"])
    return _draw_campaigns(domain, statistic_type, settings)


def _draw_campaigns(domain: Domain, statistic_type: str, settings: Mapping[str, Any]) -> Table:
    match statistic_type:
        case "CampaignState":
            every = _campaigns(domain, None, lambda _: True)
            return _fill({**CAMPAIGN_STATE_SEEN, **CAMPAIGN_STATE_GUESS}, every)
        case "OutboundCampaignManager":
            seconds = ROLLING_PERIODS[settings["rollingPeriod"]]
            return _fill({**CAMPAIGN_NAME, **MANAGER_GUESS}, _campaigns(domain, seconds, _dials))
    seconds = _HOUR if settings["statisticsRange"] == "RollingHour" else None
    kind = _CAMPAIGN_KINDS[statistic_type]
    columns = {**CAMPAIGN_NAME, **(INBOUND_GUESS if kind == "inbound" else {})}
    columns |= {name: partial(_campaign_count, name) for name in domain.floor.dispositions}
    chosen = _campaigns(domain, seconds, lambda x: domain.mixed_campaigns or x.kind == kind)
    return _fill(columns, chosen)


def _is_granted(domain: Domain, permission: str) -> bool:
    return domain.permissions.get(permission, False)


def _agents(domain: Domain) -> Iterable[Agent]:
    """Return the agents the user may see; the user is in no agent group of its own."""
    everybody = _is_granted(domain, "ViewDataForAllAgentGroups")
    return domain.floor.agents.values() if everybody else ()


def _campaigns(
    domain: Domain, seconds: int | None, is_chosen: Callable[[Campaign], bool]
) -> list[CampaignNow]:
    """Return the chosen campaigns with the figures of their last seconds, or of the day."""
    cells = Cells(domain)
    floor = domain.floor
    return [
        CampaignNow(
            campaign,
            campaign.day if seconds is None else floor.campaign_window(campaign.name, seconds),
            cells,
        )
        for campaign in floor.campaigns.values()
        if is_chosen(campaign)
    ]


def _dials(campaign: Campaign) -> bool:
    return campaign.kind == "outbound" and campaign.state == "running"


def _count(disposition: str, agent: AgentDay) -> str:
    return str(agent.day.dispositions[disposition])


def _campaign_count(disposition: str, campaign: CampaignNow) -> str:
    return str(campaign.totals.dispositions[disposition])


def _fill(columns: Mapping[str, Callable[[Subject], str]], subjects: Iterable[Subject]) -> Table:
    """Write one row per subject; the first column is the key."""
    key, *others = columns
    names = [key, *sorted(others)]
    writers = [columns[name] for name in names]
    rows = [[write(subject) for write in writers] for subject in subjects]
    return Table(names, {row[0]: row for row in rows})
