"""What the simulator shows of an agent: state, contact in hand, figures of the day."""

from collections.abc import Sequence
from datetime import UTC, datetime

from exporter.simulators.brightpattern.services import Value, View, disposed, is_ready
from exporter.simulators.floor.figures import (
    AFTER_CONTACT_WORK,
    LOGGED_OUT,
    NOT_READY,
    ON_CONTACT,
    ON_HOLD,
    Agent,
)


class AgentNow:
    """One agent at this moment."""

    def __init__(self, view: View, agent: Agent) -> None:
        self.agent = agent
        self._tenant = view.tenant
        self._now = view.now
        self._figures = view.days.read(agent)

    def count(self, name: str) -> Value:
        """Return a figure of the day."""
        return round(self._figures.get(name, 0.0))

    def state(self) -> str:
        """Return the state's word."""
        agent, tenant = self.agent, self._tenant
        if agent.state == LOGGED_OUT:
            return tenant.logged_out_state
        if agent.username in tenant.other_states:
            return tenant.other_states[agent.username]
        if agent.state == NOT_READY:
            return "not_ready"
        if agent.state == AFTER_CONTACT_WORK:
            return "after_call_work"
        return "ready" if is_ready(agent, tenant) else "busy"

    def next_state(self) -> str:
        """Return where the agent has asked to go once the contact is done."""
        return "not_ready" if self.agent.absence is not None else ""

    def state_seconds(self) -> Value:
        """Return how long the state lasts; talk and hold are one state."""
        agent = self.agent
        if agent.state == LOGGED_OUT:
            return None
        contact = agent.contact
        talking = agent.state in (ON_CONTACT, ON_HOLD) and contact is not None
        since = contact.started if talking and contact is not None else None
        return round(self._now - (agent.since if since is None else since))

    def reason(self) -> str:
        """Return why the agent is not ready."""
        return (self.agent.reason or "") if self.agent.state == NOT_READY else ""

    def login_time(self) -> Value:
        """Return how long the agent has been there, or since when."""
        if self.agent.state == LOGGED_OUT:
            return None
        seconds = self.agent.day.login_seconds
        if self._tenant.login_time == "duration":
            return round(seconds)
        return datetime.fromtimestamp(self._now - seconds, UTC).isoformat(timespec="seconds")

    def talk_seconds(self) -> Value:
        """Return the talk time of the contact in hand."""
        contact = self.agent.contact
        started = contact is not None and contact.started is not None
        return round(contact.talked(self._now)) if contact is not None and started else None

    def hold_seconds(self) -> Value:
        """Return the hold time of the contact in hand."""
        contact = self.agent.contact
        started = contact is not None and contact.started is not None
        return round(contact.held(self._now)) if contact is not None and started else None

    def media(self) -> str:
        """Return the media of the contact in hand."""
        contact = self.agent.contact
        if contact is None:
            return ""
        media = contact.media if contact.media in ("chat", "email") else "voice"
        return media.upper() if self._tenant.media_case == "upper" else media

    def ready_time(self) -> int:
        """Return the seconds spent ready."""
        ringing = self._tenant.ringing_state == "ready"
        return round(self._figures["agent_total_ready_time"] + ringing * self._ringing)

    def busy_time(self) -> int:
        """Return the seconds spent busy."""
        ringing = self._tenant.ringing_state == "busy"
        return round(self._figures["agent_total_busy_time"] + ringing * self._ringing)

    def handle_time(self) -> Value:
        """Return how long an interaction took on average."""
        handled = self._figures["handled"]
        return round(self._figures["handle_seconds"] / handled) if handled else None

    def is_agent(self) -> str:
        """Return whether the user is an agent, as everybody on the floor is."""
        return self._tenant.booleans[True]

    def disposed(self, names: Sequence[str]) -> Value:
        """Return how many ended with one of some dispositions, of any if none is named."""
        return disposed(self._figures, names)

    @property
    def _ringing(self) -> float:
        return self._figures["ringing_seconds"]
