"""From the floor to the service's eight tables: key column first, the others alphabetical.

``SEEN`` columns are spelled as public clients of this service spell them; ``GUESS`` columns are
figures of the vendor's sibling REST feed under names that nobody outside has seen.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple, TypeVar

from exporter.simulators.five9.agents import (
    AGENT_STATE_GUESS,
    AGENT_STATE_SEEN,
    AGENT_STATISTICS_GUESS,
    AGENT_STATISTICS_SEEN,
    AgentDayNow,
    AgentNow,
)
from exporter.simulators.five9.cells import Cells
from exporter.simulators.five9.domain import Domain
from exporter.simulators.five9.session import Table
from exporter.simulators.five9.wire import ROLLING_PERIODS
from exporter.simulators.floor.figures import (
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

# What moves with time alone, and so makes no update unless the platform streams durations.
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
    """One skill at this moment."""

    queue: Queue
    cells: Cells

    def agents(self, *states: str) -> str:
        """Count the skill's agents in some states."""
        return str(sum(self.queue.agent_states[state] for state in states))

    def logged_in(self) -> str:
        """Write all who are logged in and, in brackets, those ready or on a contact."""
        states = self.queue.agent_states
        everybody = sum(states.values()) - states[LOGGED_OUT]
        return f"{everybody} ({self.agents(READY, RINGING, ON_CONTACT, ON_HOLD)})"

    def duration(self, seconds: float) -> str:
        """Write a wait that may still go on."""
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
    """One campaign at this moment, with its figures in the window asked for."""

    campaign: Campaign
    totals: CampaignTotals
    cells: Cells

    def state(self) -> str:
        """Write the state, in the schema's words."""
        return self.cells.word(_CAMPAIGN_STATES.get(self.campaign.state, "Not Running"))

    def dialled(self, text: str) -> str:
        """Write what only a campaign that dials has."""
        return "" if self.campaign.kind == "inbound" else text

    def per_handled(self, seconds: float) -> str:
        """Write a mean over the contacts handled."""
        return self.cells.mean(seconds, self.totals.handled)

    def of_answered(self, part: int) -> str:
        """Write a share of the contacts that were answered or abandoned."""
        return self.cells.percent(part, self.totals.connected + self.totals.abandoned)


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
    "Abandon Call Rate": lambda c: c.of_answered(c.totals.abandoned),
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
    "Service Level Queue": lambda c: c.of_answered(c.totals.within_threshold),
    "Service Level Talk": lambda c: c.cells.percent(c.totals.handled, c.totals.connected),
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
    match statistic_type:
        case "AgentState":
            return _agent_state(domain)
        case "AgentStatistics":
            return _agent_statistics(domain)
        case "ACDStatus":
            return _acd_status(domain)
        case "CampaignState":
            everything = _campaigns(domain, None, lambda _: True)
            return _fill(CAMPAIGN_STATE_SEEN, _guess(domain, CAMPAIGN_STATE_GUESS), everything)
        case "OutboundCampaignManager":
            seconds = ROLLING_PERIODS[settings["rollingPeriod"]]
            running = _campaigns(domain, seconds, _is_dialling)
            return _fill(CAMPAIGN_NAME, _guess(domain, MANAGER_GUESS), running)
    seconds = _HOUR if settings["statisticsRange"] == "RollingHour" else None
    kind = _CAMPAIGN_KINDS[statistic_type]
    extra = dict(_guess(domain, INBOUND_GUESS)) if kind == "inbound" else {}
    for name in domain.floor.dispositions:
        extra[name] = partial(_campaign_disposition, name)
    return _fill(CAMPAIGN_NAME, extra, _campaigns(domain, seconds, lambda c: c.kind == kind))


def _agent_state(domain: Domain) -> Table:
    cells = Cells(domain)
    agents = [AgentNow(agent, cells) for agent in _visible_agents(domain)]
    return _fill(AGENT_STATE_SEEN, _guess(domain, AGENT_STATE_GUESS), agents)


def _agent_statistics(domain: Domain) -> Table:
    cells = Cells(domain)
    agents = [AgentDayNow(agent, cells) for agent in _visible_agents(domain)]
    extra = dict(_guess(domain, AGENT_STATISTICS_GUESS))
    for name in domain.floor.dispositions:
        extra[name] = partial(_agent_disposition, name)
    return _fill(AGENT_STATISTICS_SEEN, extra, agents)


def _acd_status(domain: Domain) -> Table:
    cells = Cells(domain)
    everything = domain.permissions.get("AllSkills", False)
    skills = [
        QueueNow(queue, cells)
        for queue in domain.floor.queues.values()
        if queue.media in domain.skill_media and (everything or queue.name in domain.own_skills)
    ]
    return _fill(ACD_STATUS, {}, skills)


def _visible_agents(domain: Domain) -> Iterable[Agent]:
    agents: Iterable[Agent] = domain.floor.agents.values()
    if domain.permissions.get("ViewDataForAllAgentGroups", False):
        return agents
    return [agent for agent in agents if agent.team in domain.own_groups]


def _campaigns(
    domain: Domain, seconds: int | None, wanted: Callable[[Campaign], bool]
) -> list[CampaignNow]:
    """Return the wanted campaigns with their last seconds, or with their day."""
    cells = Cells(domain)
    floor = domain.floor
    return [
        CampaignNow(
            campaign,
            campaign.day if seconds is None else floor.campaign_window(campaign.name, seconds),
            cells,
        )
        for campaign in floor.campaigns.values()
        if wanted(campaign)
    ]


def _is_dialling(campaign: Campaign) -> bool:
    return campaign.kind == "outbound" and campaign.state == "running"


def _agent_disposition(name: str, agent: AgentDayNow) -> str:
    return str(agent.day.dispositions[name])


def _campaign_disposition(name: str, campaign: CampaignNow) -> str:
    return str(campaign.totals.dispositions[name])


def _guess(
    domain: Domain, columns: Mapping[str, Callable[[Subject], str]]
) -> Mapping[str, Callable[[Subject], str]]:
    return columns if domain.guess_columns else {}


def _fill(
    seen: Mapping[str, Callable[[Subject], str]],
    extra: Mapping[str, Callable[[Subject], str]],
    subjects: Iterable[Subject],
) -> Table:
    """Write one row per subject, by the key, which is the first column."""
    columns = {**seen, **extra}
    key, *others = columns
    names = [key, *sorted(others)]
    writers = [columns[name] for name in names]
    rows = [[write(subject) for write in writers] for subject in subjects]
    return Table(names, {row[0]: row for row in rows})
