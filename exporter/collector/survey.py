"""Survey of an account: its objects, permissions, licences and limits, and what is missing."""

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

    ``granted`` is ``None`` where the platform does not say. ``consequence`` says what is missing
    without it, and what to do. One that is ``needed`` and not granted fails the check.
    """

    name: str
    _: KW_ONLY
    granted: bool | None
    consequence: str = ""
    needed: bool = True


@dataclass(frozen=True, slots=True)
class Licence:
    """Licences of one kind, in use and allowed; ``None`` where the platform gives no number."""

    kind: str
    used: float | None
    limit: float | None


@dataclass(frozen=True, slots=True)
class Limit:
    """A request limit: ``limit`` in ``window`` seconds; ``used`` where the platform says."""

    operation: str
    window: float
    limit: float
    used: float | None = None


@dataclass(slots=True)
class Survey:
    """Result of a survey. ``faults`` fail the check, ``hints`` do not; both say what to do.

    It names no person.
    """

    objects: dict[str, int] = field(default_factory=dict)
    permissions: list[Permission] = field(default_factory=list)
    licences: list[Licence] = field(default_factory=list)
    limits: list[Limit] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Collected:
    """Readings and errors by feed, as they stand before the survey.

    ``refusal`` is why there is no session; no request can be made then.
    """

    readings: Mapping[str, Reading] = field(default_factory=dict)
    errors: Mapping[str, ProviderError] = field(default_factory=dict)
    refusal: ProviderError | None = None


def rows_of(collected: Collected, table: Table) -> int | None:
    """Return how many rows a table has, ``None`` where no answer had the table."""
    tables = [reading.tables.get(table.name) for reading in collected.readings.values()]
    sizes = [len(rows.cells) for rows in tables if rows is not None]
    return max(sizes, default=None)


def objects(tables: Iterable[Table], collected: Collected) -> dict[str, int]:
    """Count the queues, agents and campaigns in the readings."""
    seen: dict[str, set[tuple[Cell, ...]]] = {}
    for table in tables:
        if table.subject is None:
            continue
        key = table.key[0]
        names = {normalise(name) for name in (key.header, *key.aliases)}
        for reading in collected.readings.values():
            rows = reading.tables.get(table.name)
            headers = [normalise(header) for header in rows.headers] if rows else []
            at = next((at for at, header in enumerate(headers) if header in names), None)
            if rows is not None and at is not None:
                plural = PLURALS[table.subject]
                seen.setdefault(plural, set()).update((row[at],) for row in rows.cells)
    return {plural: len(seen[plural]) for plural in PLURALS.values() if plural in seen}
