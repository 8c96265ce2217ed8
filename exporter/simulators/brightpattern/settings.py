"""What the simulator lists as configured: teams, services, agents, dispositions, wallboards.

Teams, dispositions and the check for available agents are in the Real-Time Statistics API (Postman
collection); services, agents and saved wallboards are what public clients read.
"""

from collections.abc import Callable, Mapping
from typing import Any

from exporter.simulators.brightpattern.services import View, is_ready
from exporter.simulators.brightpattern.tenant import Tenant, object_id
from exporter.simulators.floor.booking import HANDLED_DISPOSITIONS

WALLBOARD: Mapping[str, Any] = {
    "widgets": [
        {
            "type": "service_grid",
            "columns": [
                {"id": "1", "statName": "name", "coltitle": "Service", "dir": "ASC"},
                {"id": "2", "statName": "in_calls_waiting", "coltitle": "Waiting", "dir": "ASC"},
                {"id": "3", "statName": "in_max_wait_time", "coltitle": "Longest", "dir": "ASC"},
            ],
        },
        {"type": "text", "statName": "agents_ready"},
        {"type": "clock"},
    ]
}
WALLBOARD_ID = object_id("wallboard")

Query = Mapping[str, str]


def _teams(view: View, _query: Query) -> Any:
    return [team._asdict() for team in view.teams]


def _services(view: View, _query: Query) -> Any:
    return [{"id": service.id, "name": service.name} for service in view.services]


def _agents(view: View, _query: Query) -> Any:
    """List agents; the name of an agent is the login id here."""
    return [{"id": agent.guid.upper(), "name": agent.username} for agent in view.agents]


def _dispositions(view: View, query: Query) -> Any:
    """List dispositions; the flags leave those of agents, or of inbound contacts."""
    flags = {name for name, value in query.items() if value == "1"}
    found = sorted(view.tenant.floor.dispositions)
    outbound = flags & {"outbound", "preview"}
    if "agentCanSelect" in flags or ("inbound" in flags and not outbound):
        found = [name for name in found if name in HANDLED_DISPOSITIONS]
    return {"dispositions": found} if view.tenant.dispositions_shape == "object" else found


CONFIGURED: Mapping[str, Callable[[View, Query], Any]] = {
    "teams": _teams,
    "services": _services,
    "agents": _agents,
    "dispositions": _dispositions,
}


def saved(wallboards: Mapping[str, Any]) -> Any:
    """List saved wallboards; the first one is what a user sees at first."""
    return {
        "wallboards": [
            {"id": key, "name": f"Wallboard {number}", "is_global": True, "is_default": number == 1}
            for number, key in enumerate(wallboards, 1)
        ]
    }


def has_ready_agent(tenant: Tenant, service: str) -> bool:
    """Tell whether a service has a ready agent, supervised or not."""
    return any(
        is_ready(agent, tenant) and service in (*agent.queues, *agent.campaigns)
        for agent in tenant.floor.agents.values()
    )
