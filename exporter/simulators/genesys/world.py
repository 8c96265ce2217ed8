"""The floor as objects of the Stat Server, what each of them does, and their state trees.

An agent is named by the login, which is the employee id here; a queue and a route point by
``<queue>@SIP_Switch``; the virtual group of the agents who serve a queue by the queue's name. The
queues of an inbound campaign are a group, any other campaign is one that dials, with a group of
agents and a calling list of its own. The names in state
trees are those of the Platform SDK's beans, the times are epoch seconds.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

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
    Queue,
)
from exporter.simulators.floor.floor import Floor

SWITCH = "SIP_Switch"
ALL_AGENTS, ALL_QUEUES = "All Agents", "All Queues"
_TALKS = {
    "inbound": "Inbound",
    "outbound": "Outbound",
    "manual": "Outbound",
    "internal": "Internal",
}
_ACTIONS = {
    READY: ("WaitForNextCall",),
    RINGING: ("CallRinging",),
    AFTER_CONTACT_WORK: ("AfterCallWork",),
    NOT_READY: ("NotReadyForNextCall",),
    LOGGED_OUT: ("LoggedOut",),
}
_BUSY = {
    (state, direction): (f"Call{kind}",)
    if state == ON_CONTACT
    else ("CallOnHold", f"CallOnHold{kind}")
    for direction, kind in _TALKS.items()
    for state in (ON_CONTACT, ON_HOLD)
}

T = TypeVar("T")


class GoneError(Exception):
    """The object does not exist (any more)."""


def actions(agent: Agent) -> tuple[str, ...]:
    """Return the agent's status, and the action behind it where that has another name.

    A record in preview, or dialled for the agent, is an outbound call.
    """
    if agent.contact is not None and agent.state in (ON_CONTACT, ON_HOLD):
        return _BUSY[agent.state, agent.contact.direction]
    return _ACTIONS[agent.state]


class World:
    """The floor by the Stat Server's names; counts are cached for one instant of the floor."""

    def __init__(self, floor: Floor) -> None:
        self.floor = floor
        self._instant = floor.now
        self._memo: dict[tuple[str, str], object] = {}

    def objects(self) -> dict[str, list[str]]:
        """Return the ids of all objects, by object type."""
        floor = self.floor
        queues = [f"{name}@{SWITCH}" for name in floor.queues]
        campaigns = [
            campaign for campaign in floor.campaigns.values() if campaign.kind != "inbound"
        ]
        inbound = [campaign for campaign in floor.campaigns.values() if campaign.kind == "inbound"]
        return {
            "Agent": list(floor.agents),
            "GroupAgents": [ALL_AGENTS, *floor.queues],
            "Queue": queues,
            "RoutePoint": queues,
            "GroupQueues": [ALL_QUEUES, *(f"{campaign.name} queues" for campaign in inbound)],
            "Campaign": [campaign.name for campaign in campaigns],
            "CampaignGroup": [f"{name}@{name} group" for name in (c.name for c in campaigns)],
            "CallingList": [f"{campaign.name} list" for campaign in campaigns],
            "CampaignCallingList": [f"{name}@{name} list" for name in (c.name for c in campaigns)],
        }

    def once(self, kind: str, key: str, count: Callable[[], T]) -> T:
        """Return the result of ``count``, called once per instant of the floor."""
        if self.floor.now != self._instant:
            self._instant = self.floor.now
            self._memo.clear()
        value = self._memo.get((kind, key))
        if value is None:
            value = self._memo[kind, key] = count()
        return value  # type: ignore[return-value]

    def agent(self, name: str) -> Agent:
        """Return an agent by id."""
        try:
            return self.floor.agents[name]
        except KeyError:
            raise GoneError from None

    def members(self, group: str) -> list[Agent]:
        """Return the agents of a group."""
        if group == ALL_AGENTS and group not in self.floor.queues:
            return self.once("members", group, lambda: list(self.floor.agents.values()))
        if group not in self.floor.queues:
            raise GoneError
        return self.once("teams", "", self._teams).get(group, [])

    def _teams(self) -> dict[str, list[Agent]]:
        teams: dict[str, list[Agent]] = {}
        for agent in self.floor.agents.values():
            for name in agent.queues:
                teams.setdefault(name, []).append(agent)
        return teams

    def doing(self, group: str) -> Counter[tuple[str, ...]]:
        """Count the agents of a group by their actions."""
        members = self.members(group)
        return self.once("doing", group, lambda: Counter(actions(agent) for agent in members))

    def seconds(self, agent: Agent) -> dict[str, float]:
        """Return an agent's seconds in each state today."""
        return self.once("seconds", agent.username, lambda: agent.day.state_seconds)

    def queues(self, object_type: str, name: str) -> list[Queue]:
        """Return the queues behind a queue, a route point, a group of queues or of agents."""
        floor = self.floor
        if object_type == "GroupAgents":
            if name == ALL_AGENTS and name not in floor.queues:
                return list(floor.queues.values())
            return [self._queue(name)]
        if object_type == "GroupQueues":
            if name == ALL_QUEUES:
                return list(floor.queues.values())
            campaign = floor.campaigns.get(name.removesuffix(" queues"))
            if not name.endswith(" queues") or campaign is None or campaign.kind != "inbound":
                raise GoneError
            return [queue for queue in floor.queues.values() if queue.campaign == campaign.name]
        queue, at, switch = name.rpartition("@")
        if not at or switch != SWITCH:
            raise GoneError
        return [self._queue(queue)]

    def _queue(self, name: str) -> Queue:
        try:
            return self.floor.queues[name]
        except KeyError:
            raise GoneError from None

    def campaign(self, object_type: str, name: str) -> Campaign:
        """Return the campaign behind a campaign, its group or its calling list."""
        if object_type in ("CampaignGroup", "CampaignCallingList"):
            stem, _, part = name.rpartition("@")
            if part != f"{stem} {'group' if object_type == 'CampaignGroup' else 'list'}":
                raise GoneError
            name = stem
        elif object_type == "CallingList":
            if not name.endswith(" list"):
                raise GoneError
            name = name.removesuffix(" list")
        campaign = self.floor.campaigns.get(name)
        if campaign is None or campaign.kind == "inbound":
            raise GoneError
        return campaign


# Three public code bases agree on these.
_CODES = {
    "WaitForNextCall": 4,
    "OffHook": 5,
    "CallDialing": 6,
    "CallRinging": 7,
    "NotReadyForNextCall": 8,
    "AfterCallWork": 9,
    "CallOnHold": 13,
    "ASM_Engaged": 16,
    "ASM_Outbound": 17,
    "CallUnknown": 18,
    "CallConsult": 19,
    "CallInternal": 20,
    "CallOutbound": 21,
    "CallInbound": 22,
    "LoggedOut": 23,
}
_DEPTHS = {"GroupStatus": 0, "AgentStatus": 0, "PlaceStatus": 1, "DNStatus": 2, "DNAction": 3}
Spell = Callable[[str], int | str]


def speller(how: str) -> Spell:
    """Return the spelling of statuses: number, digits or name."""
    if how == "name":
        return str
    return _CODES.__getitem__ if how == "int" else lambda status: str(_CODES[status])


def agent_state(agent: Agent, subject: str, spell: Spell) -> dict[str, Any]:
    """Return the state tree of an agent, as deep as the subject; without a place if logged out."""
    depth = _DEPTHS[subject]
    doing = actions(agent)
    common = {"status": spell(doing[0]), "time": int(agent.since)}
    tree: dict[str, Any] = {"agentId": agent.username, "loginId": str(agent.id), **common}
    if depth == 0 or agent.state == LOGGED_OUT:
        return tree
    tree["place"] = {"placeId": f"Place_{agent.id}", **common}
    if depth > 1:
        line: dict[str, Any] = {"dnId": str(agent.id), "switchId": SWITCH, **common}
        if depth > 2:  # noqa: PLR2004 - as _DEPTHS says
            line["actions"] = [_action(agent, doing[-1])]
        tree["place"]["dnStatuses"] = [line]
    return tree


def _action(agent: Agent, name: str) -> dict[str, Any]:
    action: dict[str, Any] = {"action": name, "time": int(agent.since)}
    if agent.contact is not None:
        action["connectionId"] = f"{agent.contact.id:016X}"
    return action


def group_state(name: str, agents: Iterable[Agent], subject: str, spell: Spell) -> dict[str, Any]:
    """Return the state tree of a group and its agents."""
    trees = [agent_state(agent, subject, spell) for agent in agents]
    return {"groupId": name, "agents": trees, "agentCount": len(trees)}
