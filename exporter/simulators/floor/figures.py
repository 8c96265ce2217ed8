"""What can be read on the simulated floor, in one place: import the types from here.

The day figures restart at local midnight. A contact counts where and when something happens to
it: *offered* on arrival, *answered* or *abandoned* when its wait ends, *handled* (with talk, hold,
work and disposition) when its after-contact work ends.
"""

from dataclasses import dataclass, field

from exporter.simulators.floor.agents import (
    AFTER_CONTACT_WORK,
    LOGGED_OUT,
    NOT_READY,
    ON_CONTACT,
    ON_HOLD,
    READY,
    RINGING,
    STATES,
    Agent,
    AgentDay,
    count_states,
)
from exporter.simulators.floor.campaigns import WINDOW_MINUTES, Campaign, CampaignTotals, Records
from exporter.simulators.floor.contacts import Contact
from exporter.simulators.floor.queues import Queue, QueueDay
from exporter.simulators.floor.timeline import Timeline

__all__ = [
    "AFTER_CONTACT_WORK",
    "LOGGED_OUT",
    "NOT_READY",
    "ON_CONTACT",
    "ON_HOLD",
    "READY",
    "RINGING",
    "STATES",
    "WINDOW_MINUTES",
    "Account",
    "Agent",
    "AgentDay",
    "Campaign",
    "CampaignTotals",
    "Contact",
    "House",
    "Queue",
    "QueueDay",
    "Records",
    "count_states",
]


@dataclass(slots=True)
class Account:
    """Money and licences."""

    balance: float = 1000.0
    credit_limit: float = 500.0
    currency: str = "USD"
    supervisors_logged_in: int = 1
    supervisors_limit: int = 5


@dataclass(slots=True)
class House:
    """Everything that is on the floor, by name."""

    clock: Timeline
    account: Account = field(default_factory=Account)
    agents: dict[str, Agent] = field(default_factory=dict)
    queues: dict[str, Queue] = field(default_factory=dict)
    campaigns: dict[str, Campaign] = field(default_factory=dict)
