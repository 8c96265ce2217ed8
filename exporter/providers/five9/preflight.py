"""Permissions, licences and request limits of a Five9 user, and the columns that are not mapped.

Permissions and what they open: Statistics Web Services API Reference Guide, 2015.
"""

from collections.abc import Mapping
from typing import Any

from exporter.collector.offers import Offers, mapping, taken_names
from exporter.collector.survey import Collected, Licence, Permission, Survey
from exporter.providers.five9.client import Licences, WebServicesDenied
from exporter.providers.five9.config import Five9Config
from exporter.providers.five9.tables import STATISTICS

_AGENTS = ("ACDStatus", "AgentState", "AgentStatistics")
_ASK = "Ask your Five9 administrator to grant it to this user"


def survey(
    config: Five9Config,
    collected: Collected,
    permissions: Mapping[str, bool] | None,
    licences: Licences | None,
    result: Survey,
) -> None:
    """Add permissions and licences, where they could be read (else ``None``)."""
    if isinstance(collected.refusal, WebServicesDenied):
        name = "permission CanUseSupervisorSoapApi"
        text = f"{collected.refusal.remedy} {_ASK}"
        result.permissions = [Permission(name, granted=False, consequence=text)]
    elif permissions is not None:
        result.permissions = _permissions(config, permissions)
    if licences is not None:
        result.licences = [
            Licence("supervisor", licences.supervisors, licences.supervisor_limit),
            Licence("mobile", licences.mobiles, licences.mobile_limit),
        ]


def is_denied(feed: str, granted: Mapping[str, bool] | None) -> bool:
    """Return whether the permission that a statistic type needs is known to be missing."""
    needed = "Agents" if feed in _AGENTS else "Campaigns"
    return granted is not None and not granted.get(needed, True)


def _permissions(config: Five9Config, granted: Mapping[str, bool]) -> list[Permission]:
    """Return the permissions that this configuration needs."""
    feeds = config.enabled_feeds()
    agents = [name for name in _AGENTS if name in feeds]
    campaigns = [name for name in STATISTICS if name in feeds and name not in _AGENTS]
    # Without the last two, rows are missing without an error, unless include: names the rest.
    needs = (
        ("Agents", agents, _not_exported(agents), True),
        ("Campaigns", campaigns, _not_exported(campaigns), True),
        (
            "AllSkills",
            [name for name in agents if name == "ACDStatus"],
            f"Only the user's own skills are exported. {_ASK}, or list them in include: queues:",
            not config.include.queues,
        ),
        (
            "ViewDataForAllAgentGroups",
            [name for name in agents if name in config.AGENT_FEEDS],
            f"Only agents of the user's own groups count. {_ASK}, or list them in include: agents:",
            not config.include.agents,
        ),
    )
    return [
        Permission(
            f"permission {name}",
            granted=granted.get(name, False),
            consequence=consequence,
            needed=needed,
        )
        for name, affected, consequence, needed in needs
        if affected
    ]


def _not_exported(feeds: list[str]) -> str:
    return f"No data for {', '.join(feeds)}. {_ASK}, or switch these feeds off"


def discover(config: Five9Config, result: Offers) -> None:
    """Add the keys that map the columns which are not mapped."""
    taken = taken_names(result.items)
    columns: dict[str, dict[str, Any]] = {
        name: {header: column.model_dump(exclude_defaults=True) for header, column in own.items()}
        for name, own in config.columns.items()
    }
    for name, table in STATISTICS.items():
        unmapped = result.unmapped(name)
        if unmapped and name in config.AGENT_FEEDS and config.agents == "aggregate":
            result.notes.append(
                f"{name}: rows are agents; columns require agents: hashed, id or name"
            )
        elif unmapped:
            columns.setdefault(name, {}).update(
                (offer.name, mapping(offer.name, offer.parse, taken, table.subject or ""))
                for offer in unmapped
            )
            result.keys["columns"] = columns
