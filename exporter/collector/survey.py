"""What a look around an account brings: objects, permissions, licences, limits, what is missing."""

from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field

from exporter.errors import ProviderError
from exporter.metrics.parsers import Cell
from exporter.metrics.reading import Reading
from exporter.metrics.tables import Table, normalise

PLURALS = {"queue": "queues", "agent": "agents", "campaign": "campaigns"}


@dataclass(frozen=True, slots=True)
class Permission:
    """A permission, privilege or role, ``name`` as the platform spells it.

    ``held`` is ``None`` where the platform does not tell. ``loss`` says what goes without it, and
    what to do. One that is ``needed`` and not held fails the check.
    """

    name: str
    _: KW_ONLY
    held: bool | None
    loss: str = ""
    needed: bool = True


@dataclass(frozen=True, slots=True)
class Licence:
    """Licences of one kind, in use and allowed."""

    kind: str
    used: float
    limit: float


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit of requests: ``limit`` in ``window`` seconds, ``used`` where the platform tells."""

    operation: str
    window: float
    limit: float
    used: float | None = None


@dataclass(slots=True)
class Survey:
    """What was found. ``faults`` fail the check, ``hints`` do not; each says what to do.

    Nothing here names a person.
    """

    objects: dict[str, int] = field(default_factory=dict)
    permissions: list[Permission] = field(default_factory=list)
    licences: list[Licence] = field(default_factory=list)
    limits: list[Limit] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Collected:
    """What one visit brought by the time of the survey: readings, and errors, by feed.

    ``refusal`` is why there is no session; then the platform can be asked nothing.
    """

    readings: Mapping[str, Reading] = field(default_factory=dict)
    errors: Mapping[str, ProviderError] = field(default_factory=dict)
    refusal: ProviderError | None = None


def rows_of(found: Collected, table: Table) -> int | None:
    """Return how many rows a table has, ``None`` where it was not in any answer."""
    grids = [reading.tables.get(table.name) for reading in found.readings.values()]
    sizes = [len(rows.cells) for rows in grids if rows is not None]
    return max(sizes, default=None)


def objects(tables: Iterable[Table], found: Collected) -> dict[str, int]:
    """Count the queues, agents and campaigns that the readings tell of."""
    seen: dict[str, set[tuple[Cell, ...]]] = {}
    for table in tables:
        if table.subject is None:
            continue
        key = table.key[0]
        names = {normalise(name) for name in (key.header, *key.aliases)}
        for reading in found.readings.values():
            rows = reading.tables.get(table.name)
            headers = [normalise(header) for header in rows.headers] if rows else []
            at = next((at for at, header in enumerate(headers) if header in names), None)
            if rows is not None and at is not None:
                plural = PLURALS[table.subject]
                seen.setdefault(plural, set()).update((row[at],) for row in rows.cells)
    return {plural: len(seen[plural]) for plural in PLURALS.values() if plural in seen}
