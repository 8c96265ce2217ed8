"""What the simulator shows of agents: the columns of AgentState and AgentStatistics.

``SEEN`` columns are spelled as public clients of this service spell them; ``GUESS`` columns are
figures of the vendor's sibling REST feed under names that nobody outside has seen.
"""

from collections.abc import Callable, Mapping

from exporter.simulators.five9.cells import Cells
from exporter.simulators.floor.figures import (
    AFTER_CONTACT_WORK,
    LOGGED_OUT,
    NOT_READY,
    ON_CONTACT,
    ON_HOLD,
    READY,
    RINGING,
    Agent,
)

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
    """One agent at this moment, with what several columns share."""

    __slots__ = ("_hold_since", "_present", "_since", "agent", "cells")

    def __init__(self, agent: Agent, cells: Cells) -> None:
        self.agent = agent
        self.cells = cells
        contact = agent.contact
        self._present = _STATES[agent.state]
        self._since = agent.since
        if self._present == "On Call" and contact is not None:
            if contact.media == "voicemail":
                self._present = "On Voicemail"
            elif contact.previewed and contact.started is None:
                self._present = "On Preview"
            elif contact.started is not None:
                self._since = contact.started
        self._hold_since = contact.hold_since if agent.state == ON_HOLD and contact else None

    def state(self) -> str:
        """Return the state's word."""
        return self.cells.state(self._present)

    def since(self, state: str | None = None) -> str:
        """Return when the present state began, or nothing if it is not the one asked for."""
        return self.cells.instant(self._since) if state in (None, self._present) else ""

    def duration(self, state: str | None = None) -> str:
        """Return how long the present state lasts, or zero if it is not the one asked for."""
        return self.cells.age(self._since) if state in (None, self._present) else "0"

    def reason(self) -> str:
        """Return the reason of a not-ready or logged-out agent."""
        return self.agent.reason or ""

    def reason_since(self) -> str:
        """Return when the reason was given."""
        return self.cells.instant(self.agent.since) if self.agent.reason else ""

    def reason_duration(self) -> str:
        """Return how long the reason has held."""
        return self.cells.age(self.agent.since) if self.agent.reason else "0"

    def hold_since(self) -> str:
        """Return when the present hold began."""
        return "" if self._hold_since is None else self.cells.instant(self._hold_since)

    def hold_duration(self) -> str:
        """Return how long the present hold lasts."""
        return "0" if self._hold_since is None else self.cells.age(self._hold_since)

    def call_type(self) -> str:
        """Return the kind of the present call."""
        contact = self.agent.contact
        if contact is None:
            return ""
        return contact.direction.title() + (" Voicemail" if contact.media == "voicemail" else "")

    def customer(self) -> str:
        """Return the number of the other party."""
        contact = self.agent.contact
        return "" if contact is None else f"+1555{contact.id % 10_000_000:07}"

    def campaign(self) -> str:
        """Return the campaign of the present call."""
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


class AgentDayNow:
    """One agent's day so far, with what several columns share."""

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
        """Return the mean length of the stays in a state; the first may have no entry."""
        return self.cells.mean(self.spent[state], max(1, self.day.state_entries[state]))


AGENT_STATISTICS_SEEN: Mapping[str, Callable[[AgentDayNow], str]] = {
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
AGENT_STATISTICS_GUESS: Mapping[str, Callable[[AgentDayNow], str]] = {
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
    "Occupancy": lambda a: a.cells.percent(a.handling, a.handling + a.spent[READY]),
    "Utilization": lambda a: a.cells.percent(a.handling, a.login),
}
