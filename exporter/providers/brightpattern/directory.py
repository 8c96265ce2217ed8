"""Directory: names and ids of services and teams, and the objects that a subscription covers."""

import contextlib
import re
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from exporter.errors import InvalidAnswer, ProviderError, Refused, Unauthorized
from exporter.metrics.parsers import Cell, plain_text
from exporter.metrics.patterns import composed
from exporter.metrics.reading import Reading, Rows
from exporter.providers.brightpattern.client import Client
from exporter.providers.brightpattern.config import BrightPatternConfig
from exporter.providers.brightpattern.subscription import SubscribedObjects, disposition_columns
from exporter.providers.brightpattern.tables import (
    DIRECTORY_SERVICES,
    DIRECTORY_TEAMS,
    PLAIN_NAME,
)

_GUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


class DirectoryEntry(NamedTuple):
    """One service or team."""

    id: str
    name: str


@dataclass(slots=True)
class Directory:
    """The services, teams and dispositions that this user sees; ``None`` where not readable."""

    services: list[DirectoryEntry] | None = None
    teams: list[DirectoryEntry] | None = None
    dispositions: list[str] | None = None

    @property
    def names(self) -> frozenset[str] | None:
        """The names of all services, ``None`` if not known."""
        return None if self.services is None else frozenset(item.name for item in self.services)

    def objects(self, config: BrightPatternConfig) -> SubscribedObjects:
        """Return the objects to subscribe to.

        Raises ``Refused`` where no visible object has a configured name.
        """
        services = _select_ids("service", config.services, self.services)
        teams = _select_ids("team", config.teams, self.teams)
        names = Counter(item.name for item in self.services or ())
        return SubscribedObjects(
            services=services,
            teams=teams,
            namesakes={
                item.id: f"{item.name} ({item.id})"
                for item in _selected(self.services, services)
                if names[item.name] > 1
            },
            shared=frozenset(name for name, number in names.items() if number > 1),
            dispositions=disposition_columns(self.dispositions or ()),
        )

    def unknown(self, config: BrightPatternConfig) -> frozenset[str]:
        """Return the configured services and teams that are not visible."""
        ids = _find_ids(config.services, self.services) | _find_ids(config.teams, self.teams)
        return frozenset(name for name, matches in ids.items() if not matches)

    def without_row(self, objects: SubscribedObjects, rows: Container[str]) -> frozenset[str]:
        """Return the names of the configured services that have no row in the data.

        ``rows`` are the names of the rows. One that was deleted and created again has a new id.
        """
        entries = _selected(self.services, objects.services) if objects.services else []
        return frozenset(
            item.name for item in entries if objects.namesakes.get(item.id, item.name) not in rows
        )

    def reading(self, objects: SubscribedObjects) -> Reading:
        """Return the rows of the services and teams that are subscribed to."""
        services: list[dict[str, Cell]] = [
            {
                "name": objects.namesakes.get(item.id, item.name),
                "id": item.id,
                "value": 1,
                **({PLAIN_NAME: item.name} if item.id in objects.namesakes else {}),
            }
            for item in _selected(self.services, objects.services)
        ]
        teams: list[dict[str, Cell]] = [
            {"name": item.name, "id": item.id, "value": 1}
            for item in _selected(self.teams, objects.teams)
        ]
        tables = {}
        if self.services is not None:
            tables[DIRECTORY_SERVICES.name] = Rows.of(services)
        if self.teams is not None:
            tables[DIRECTORY_TEAMS.name] = Rows.of(teams)
        return Reading(tables)


async def read(client: Client) -> Directory:
    """Read the directory. Raises ``ProviderError`` where nothing of it is readable."""
    directory = Directory()
    refusal: ProviderError | None = None
    for kind in ("services", "teams"):
        try:
            setattr(directory, kind, _entries(await client.directory(kind)))
        except (Refused, Unauthorized) as error:  # each may be allowed without the other
            refusal = Refused(f"{kind}: {error}")
    if directory.services is None and directory.teams is None and refusal is not None:
        raise refusal
    with contextlib.suppress(Refused, Unauthorized):
        names = await client.directory("dispositions")
        directory.dispositions = [name for name in names if isinstance(name, str) and name]
    return directory


def _entries(values: Iterable[Any]) -> list[DirectoryEntry]:
    entries = []
    for value in values:
        if not isinstance(value, dict):
            raise InvalidAnswer("an entry of the directory is not an object")
        identity, name = plain_text(value.get("id")), plain_text(value.get("name"))
        if identity and name:
            entries.append(DirectoryEntry(identity, name))
    return entries


def _selected(entries: Sequence[DirectoryEntry] | None, ids: Sequence[str]) -> list[DirectoryEntry]:
    """Return the entries with one of ``ids``, all of them where ``ids`` is empty."""
    return [entry for entry in entries or () if not ids or entry.id in ids]


def _find_ids(
    configured: Sequence[str], entries: Sequence[DirectoryEntry] | None
) -> dict[str, list[str]]:
    """Return the ids of each configured id or name; without a directory an id stands for itself."""
    if entries is None:
        return {text: [text] if _GUID.fullmatch(text) else [] for text in configured}
    return {
        text: [
            entry.id
            for entry in entries
            if composed(text) in map(composed, (entry.name, f"{entry.name} ({entry.id})"))
            or text.casefold() == entry.id.casefold()
        ]
        for text in configured
    }


def _select_ids(
    kind: str, configured: Sequence[str], entries: Sequence[DirectoryEntry] | None
) -> tuple[str, ...]:
    """Return the ids of the configured objects, none where none is configured.

    Raises ``Refused`` where none is visible, as a subscription without ids covers all.
    """
    ids = [identity for matches in _find_ids(configured, entries).values() for identity in matches]
    if configured and not ids:
        raise Refused(f"no configured {kind} is visible to the user")
    return tuple(dict.fromkeys(ids))
