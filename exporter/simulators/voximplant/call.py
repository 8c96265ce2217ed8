"""One call of a method: the account's floor, the parameters, ids and statuses."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from exporter.simulators.floor.figures import NOT_READY, Agent, Contact, Queue
from exporter.simulators.floor.floor import Floor
from exporter.simulators.voximplant.account import CUSTOM_STATUSES, Account
from exporter.simulators.voximplant.protocol import Parameters, RefusalError, invalid

_SQ_QUEUE_IDS = 10_000  # between the ids of a queue in ACD v1 and in SmartQueue


def sq_queue_id(queue: Queue) -> int:
    """Return a queue's id in SmartQueue, which differs from that in ACD v1."""
    return queue.id + _SQ_QUEUE_IDS


def callerid(contact: Contact) -> str:
    """Return the phone number of a contact (personal data)."""
    return f"1555{contact.id % 10_000_000:07}"


def person(agent: Agent) -> dict[str, Any]:
    """Return the three fields that identify a user."""
    return {
        "user_id": agent.id,
        "user_name": agent.username.partition("@")[0],
        "user_display_name": agent.name,
    }


@dataclass(frozen=True)
class Call:
    """The arguments of a method."""

    account: Account
    account_id: int
    floor: Floor
    parameters: Parameters

    @property
    def now(self) -> float:
        """The instant of the floor's figures."""
        return self.floor.now

    @cached_property
    def users(self) -> dict[int, Agent]:
        """The agents by user id."""
        return {agent.id: agent for agent in self.floor.agents.values()}

    @cached_property
    def acd_queues(self) -> dict[int, Queue]:
        """The queues of ACD v1 by id."""
        queues = self.floor.queues.values()
        return {queue.id: queue for queue in queues if queue.media in self.account.acd_media}

    @cached_property
    def sq_queues(self) -> dict[int, Queue]:
        """The queues of SmartQueue by id."""
        return {sq_queue_id(queue): queue for queue in self.floor.queues.values()}

    @property
    def main_application(self) -> int:
        """The application of all agents and queues."""
        return next(iter(self.account.applications))

    def application(self, *, required: bool = True) -> int | None:
        """Return the application requested by id or by name; both at once are refused."""
        self.parameters.only_one("application_id", "application_name")
        number, name = self.parameters.number("application_id"), None
        if number is None:
            name = self.parameters.text("application_name")
            if name is None and not required:
                return None
        known = self.account.applications
        for identity, full_name in known.items():
            if number == identity or (name is not None and name == full_name):
                return identity
        raise invalid("application_id")

    def zone(self) -> ZoneInfo:
        """Return the time zone of dates in the answer, by default the account's."""
        name = self.parameters.text("timezone") or "auto"
        try:
            return ZoneInfo(self.floor.time_zone if name == "auto" else name)
        except (ZoneInfoNotFoundError, ValueError):
            raise invalid("timezone") from None

    def acd_status(self, agent: Agent) -> str:
        """Return an operator's status in ACD v1."""
        return self.account.acd_statuses[agent.state]

    def sq_status(self, agent: Agent) -> str:
        """Return an agent's status in SmartQueue; some reasons are custom statuses."""
        reason = agent.reason if agent.state == NOT_READY else None
        own = CUSTOM_STATUSES.get(reason or "")
        return own or self.account.sq_statuses[agent.state]

    def serving(self, queue: Queue) -> list[Agent]:
        """Return the agents of a queue."""
        return [agent for agent in self.floor.agents.values() if queue.name in agent.queues]

    def requested_sq_queues(self, *, required: bool, allow_all: bool = True) -> list[Queue]:
        """Return the application's SmartQueue queues requested by ids or names."""
        self.parameters.only_one("sq_queue_id", "sq_queue_name")
        here = self.sq_queues if self.application() == self.main_application else {}
        names = self.parameters.words("sq_queue_name")
        if names is not None:
            by_name = {queue.name: queue for queue in here.values()}
            if not set(names) <= set(by_name):
                raise invalid("sq_queue_name")
            return [by_name[name] for name in names]
        if required and "sq_queue_id" not in self.parameters.values:
            raise RefusalError(485, "sq_queue_id")
        numbers = self.parameters.ids("sq_queue_id", here, allow_all=allow_all)
        return [here[number] for number in (here if numbers is None else numbers)]


def ids_as_text(value: Any, names: Collection[str]) -> Any:
    """Return an answer with the ids of the named fields as text."""
    if isinstance(value, list):
        return [ids_as_text(item, names) for item in value]
    if isinstance(value, dict):
        return {
            name: str(item) if name in names and isinstance(item, int) else ids_as_text(item, names)
            for name, item in value.items()
        }
    return value
