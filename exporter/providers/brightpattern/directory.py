"""The names and ids of services and teams, and what follows from them for a subscription."""

import contextlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from exporter.errors import InvalidAnswer, ProviderError, Refused, Unauthorized
from exporter.metrics.parsers import Cell
from exporter.metrics.reading import Reading, Rows
from exporter.providers.brightpattern.client import Client
from exporter.providers.brightpattern.config import BrightPatternConfig
from exporter.providers.brightpattern.subscription import Selection, disposition_columns
from exporter.providers.brightpattern.tables import DIRECTORY_SERVICES, DIRECTORY_TEAMS

_GUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


class Entry(NamedTuple):
    """One service or team."""

    id: str
    name: str


@dataclass(slots=True)
class Directory:
    """What of the tenant's configuration this user sees; ``None`` where it was not to be had."""

    services: list[Entry] | None = None
    teams: list[Entry] | None = None
    dispositions: list[str] | None = None

    @property
    def names(self) -> frozenset[str] | None:
        """The names of all services, where they are known."""
        return None if self.services is None else frozenset(e.name for e in self.services)

    def selection(self, config: BrightPatternConfig) -> Selection:
        """Return what to subscribe to. Raises ``Refused`` where nothing has a wanted name."""
        services = chosen("service", config.services, self.services)
        teams = chosen("team", config.teams, self.teams)
        wanted = [e for e in self.services or () if not services or e.id in services]
        shared = shared_names(self.services or ())
        return Selection(
            services=services,
            teams=teams,
            namesakes={e.id: f"{e.name} ({e.id})" for e in wanted if e.name in shared},
            shared=shared,
            dispositions=disposition_columns(self.dispositions or ()),
        )

    def unknown(self, config: BrightPatternConfig) -> frozenset[str]:
        """Return which of the configured services and teams are not seen."""
        found = find(config.services, self.services) | find(config.teams, self.teams)
        return frozenset(each for each, ids in found.items() if not ids)

    def reading(self, selection: Selection) -> Reading:
        """Return the directory's own rows, of what the account subscribes to."""
        services: list[dict[str, Cell]] = [
            {"name": selection.namesakes.get(each.id, each.name), "id": each.id, "value": 1}
            for each in self.services or ()
            if not selection.services or each.id in selection.services
        ]
        teams: list[dict[str, Cell]] = [
            {"name": each.name, "id": each.id, "value": 1}
            for each in self.teams or ()
            if not selection.teams or each.id in selection.teams
        ]
        tables = {}
        if self.services is not None:
            tables[DIRECTORY_SERVICES.name] = Rows.of(services)
        if self.teams is not None:
            tables[DIRECTORY_TEAMS.name] = Rows.of(teams)
        return Reading(tables)


async def read(client: Client) -> Directory:
    """Read what this user may see. Raises ``ProviderError`` where that is nothing, or fails."""
    found = Directory()
    refusal: ProviderError | None = None
    for what in ("services", "teams"):
        try:
            setattr(found, what, _entries(await client.directory(what)))
        except (Refused, Unauthorized) as error:  # one may be allowed without the other
            refusal = Refused(f"{what}: {error}")
    if found.services is None and found.teams is None and refusal is not None:
        raise refusal
    with contextlib.suppress(Refused, Unauthorized):
        names = await client.directory("dispositions")
        found.dispositions = [name for name in names if isinstance(name, str) and name]
    return found


def _entries(values: Iterable[Any]) -> list[Entry]:
    entries = []
    for each in values:
        if not isinstance(each, dict):
            raise InvalidAnswer("an entry of the directory is no object")
        identity, name = each.get("id"), each.get("name")
        if identity is not None and name is not None:
            entries.append(Entry(str(identity), str(name)))
    return entries


def shared_names(entries: Sequence[Entry]) -> frozenset[str]:
    """Return the names that are not one entry's alone."""
    often = Counter(entry.name for entry in entries)
    return frozenset(name for name, entries in often.items() if entries > 1)


def find(wanted: Sequence[str], entries: Sequence[Entry] | None) -> dict[str, list[str]]:
    """Return the ids behind each wanted id or name; without a directory, ids are taken as such."""
    if entries is None:
        return {each: [each] if _GUID.fullmatch(each) else [] for each in wanted}
    return {
        each: [
            entry.id
            for entry in entries
            if each == entry.name or each.casefold() == entry.id.casefold()
        ]
        for each in wanted
    }


def chosen(kind: str, wanted: Sequence[str], entries: Sequence[Entry] | None) -> tuple[str, ...]:
    """Return the ids of what is wanted by id or name; nothing where all is wanted.

    Raises ``Refused`` where none is there: nothing would mean all.
    """
    ids = [identity for found in find(wanted, entries).values() for identity in found]
    if wanted and not ids:
        raise Refused(f"the user sees no {kind} of those that the configuration names")
    return tuple(dict.fromkeys(ids))
