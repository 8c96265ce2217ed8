"""What a Five9 user may see, what goes without it, and the columns that are not mapped.

Permissions and what they open: Statistics Web Services API Reference Guide, 2015.
"""

from collections.abc import Mapping
from typing import Any

from exporter.collector.offers import Offers, mapping, taken_names
from exporter.collector.survey import Collected, Licence, Permission, Survey
from exporter.errors import ProviderError
from exporter.providers.five9.client import Licences
from exporter.providers.five9.config import Five9Config
from exporter.providers.five9.tables import STATISTICS

_AGENTS = ("ACDStatus", "AgentState", "AgentStatistics")
_ASK = "Ask your Five9 administrator to grant it to this user"
_WEB_API = (
    "The user may not use the web services at all: it needs the supervisor permission "
    "CanUseSupervisorSoapApi and the administrator permission User Can Execute Web API Requests. "
)


def look(
    config: Five9Config,
    found: Collected,
    permissions: Mapping[str, bool] | None,
    licences: Licences | None,
    result: Survey,
) -> None:
    """Add what the platform says of the user, as far as it could be read."""
    if found.refusal is not None or permissions is not None:
        result.permissions = _grants(config, permissions or {}, found.refusal)
    if licences is not None:
        result.licences = [
            Licence("supervisor", licences.supervisors, licences.supervisor_limit),
            Licence("mobile", licences.mobiles, licences.mobile_limit),
        ]


def _grants(
    config: Five9Config, permissions: Mapping[str, bool], refusal: ProviderError | None
) -> list[Permission]:
    """Return the permissions that matter to this configuration."""
    if refusal is not None:
        if "AccessDisallowedFault" not in str(refusal):
            return []
        return [
            Permission(
                "permission CanUseSupervisorSoapApi", granted=False, consequence=_WEB_API + _ASK
            )
        ]
    feeds = config.wanted_feeds()
    agents = [name for name in _AGENTS if name in feeds]
    campaigns = [name for name in STATISTICS if name in feeds and name not in _AGENTS]
    people = [name for name in agents if name in config.AGENT_FEEDS]
    shown = {
        "Agents": (
            agents,
            f"Nothing of {', '.join(agents)} is shown. {_ASK}, or leave them out",
            True,
        ),
        "Campaigns": (
            campaigns,
            f"Nothing of {', '.join(campaigns)} is shown. {_ASK}, or leave them out",
            True,
        ),
        # Rows are missing without any error, unless somebody has said which are wanted.
        "AllSkills": (
            ["ACDStatus"] if "ACDStatus" in feeds else [],
            f"Only the user's own skills are shown. {_ASK}, or name those under include: queues:",
            not config.include.queues,
        ),
        "ViewDataForAllAgentGroups": (
            people,
            f"Only agents of the user's own groups count. {_ASK}, or name them: include: agents:",
            not config.include.agents,
        ),
    }
    return [
        Permission(
            f"permission {name}",
            granted=permissions.get(name, False),
            consequence=loss,
            needed=needed,
        )
        for name, (wanted, loss, needed) in shown.items()
        if wanted
    ]


def suggest(config: Five9Config, seen: Offers) -> None:
    """Add the keys that map what is not mapped yet."""
    taken = taken_names(seen.found)
    columns: dict[str, dict[str, Any]] = {}
    for name, table in STATISTICS.items():
        unmapped = seen.unmapped(name)
        if unmapped and name in config.AGENT_FEEDS and config.agents == "aggregate":
            seen.notes.append(
                f"{name}: its rows are persons; columns need agents: hashed, id or name"
            )
            continue
        mine = {
            header: wanted.model_dump(exclude_defaults=True)
            for header, wanted in config.columns.get(name, {}).items()  # type: ignore[call-overload]
        }
        found = {
            each.name: mapping(each.name, each.parse, taken, table.subject or "")
            for each in unmapped
        }
        if found:
            columns[name] = {**mine, **found}
    if columns:
        kept = {
            name: {header: each.model_dump(exclude_defaults=True) for header, each in own.items()}
            for name, own in config.columns.items()
            if name not in columns
        }
        seen.keys["columns"] = {**kept, **columns}
