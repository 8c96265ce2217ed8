"""What is the state tree of an agent or a group? Its depth is that of the subject.

The names are those of the Platform SDK's beans, the times epoch seconds. Whoever is logged out has
no place.
"""

from collections.abc import Callable, Iterable
from typing import Any

from exporter.simulators.floor.figures import LOGGED_OUT, Agent
from exporter.simulators.genesys.world import SWITCH, actions

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
    """Return how a status is written: as its number, its digits or its name."""
    if how == "name":
        return str
    return _CODES.__getitem__ if how == "int" else lambda status: str(_CODES[status])


def agent_state(agent: Agent, subject: str, spell: Spell) -> dict[str, Any]:
    """Return the tree of one agent."""
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
    """Return the tree of a group and its agents."""
    trees = [agent_state(agent, subject, spell) for agent in agents]
    return {"groupId": name, "agents": trees, "agentCount": len(trees)}
