"""What a user can say of a Genesys Multicloud CX account."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import time
from typing import Annotated, Any, ClassVar, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr

from exporter.collector.base import FeedTimes
from exporter.config.account import AccountConfig, url_fault
from exporter.config.columns import ColumnConfig, make_column
from exporter.config.schema import Duration, Fault, Model, WallTime, Zone
from exporter.config.yaml import KeyPath, suggest
from exporter.metrics.period import Period
from exporter.metrics.tables import Table
from exporter.providers.genesys import tables
from exporter.providers.genesys.statistics import OBJECT_TYPES, PROFILES, Profile, Wanted, of

STATISTICS = "statistics"
_POLL_INTERVAL = 15.0  # seconds
_MOST_STATISTICS = 100_000

ObjectId = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]


class ObjectsConfig(Model):
    """Objects of one type whose built-in statistics are opened, and how they are labelled."""

    type: str
    ids: Annotated[list[ObjectId], Field(min_length=1)]
    profile: Profile | None = None
    names: dict[str, ObjectId] = {}

    @property
    def wanted(self) -> Profile | None:
        """The built-in set: the one that is named, else that of the type."""
        return self.profile or PROFILES.get(self.type)


class StatisticConfig(ColumnConfig):
    """A statistic of the user's own: a name that the contact centre defines, or a definition."""

    name: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    definition: dict[str, Any] | None = None
    object_type: str
    object_ids: Annotated[list[ObjectId], Field(min_length=1)]


class GenesysConfig(AccountConfig):
    """A Genesys Multicloud CX contact centre, read by one user of it.

    ``service_level_threshold`` is the T of "answered within T". The day of the figures begins at
    ``reset_time`` in the Stat Server's ``time_zone``.
    """

    INTERVALS: ClassVar[Mapping[str, float]] = {STATISTICS: 1.0}
    PLACEHOLDER: ClassVar[Mapping[str, Any]] = {
        **AccountConfig.PLACEHOLDER,
        "base_url": "https://centre.invalid",
        "client_id": "-",
        "client_secret": "-",
    }

    provider: Literal["genesys"]
    base_url: str
    auth_url: str | None = None
    api_key: SecretStr | None = None
    client_id: Annotated[str, Field(min_length=1)]
    client_secret: SecretStr
    grant: Literal["password", "client_credentials"] = "password"
    username: Annotated[str, Field(min_length=1)] | None = None
    password: SecretStr | None = None
    mode: Literal["subscribe", "poll"] = "subscribe"
    chunk: Annotated[int, Field(ge=1, le=10_000)] = 200
    objects: list[ObjectsConfig] = []
    statistics: list[StatisticConfig] = []
    service_level_threshold: Annotated[Duration, Field(ge=1, le=3600)] = 20.0
    reset_time: WallTime = time()
    time_zone: Zone = ZoneInfo("UTC")

    def wanted_feeds(self) -> dict[str, FeedTimes]:
        """Return the feeds to read; polling is slower than publishing what was pushed."""
        if self.mode == "poll":
            return self.feed_times({STATISTICS: _POLL_INTERVAL})
        return super().wanted_feeds()

    def period(self) -> Period:
        """Return what figures of the day cover."""
        return Period("day", self.time_zone, (self.reset_time,))

    def label(self, kind: str, identity: str) -> str:
        """Return how an object is called on the page."""
        names = (each.names.get(identity) for each in self.objects if each.type == kind)
        return next((name for name in names if name is not None), identity)

    def faults(self) -> Iterator[Fault]:
        """Yield what is wrong beyond the shape."""
        yield from super().faults()
        if self.auth_url is not None:
            fault = url_fault(self.auth_url, insecure_http=self.insecure_http)
            if fault:
                yield ("auth_url",), fault
        if self.grant == "password":
            for name in ("username", "password"):
                if not getattr(self, name):
                    yield (name,), "is required with grant: password"
        if not self.objects and not self.statistics:
            yield ("objects",), "expected objects or statistics: the platform lists neither"
        yield from self._object_faults()
        for at, wanted in enumerate(self.statistics):
            yield from self._statistic_faults(("statistics", at), wanted)
        if self._size() > _MOST_STATISTICS:
            yield ("objects",), f"would open more than {_MOST_STATISTICS} statistics"

    def _size(self) -> int:
        """Return how many statistics would be opened."""
        size = sum(len(each.object_ids) for each in self.statistics)
        for each in self.objects:
            if each.wanted is not None:
                size += len(each.ids) * len(self.built_in(each.wanted))
        return size

    def built_in(self, profile: Profile) -> Sequence[Wanted]:
        """Return what is opened for each object of a profile."""
        each_agent = self.agents != "aggregate"
        return of(profile, each_agent=each_agent, threshold=self.service_level_threshold)

    def _object_faults(self) -> Iterator[Fault]:
        seen: dict[tuple[str, str], KeyPath] = {}
        for at, each in enumerate(self.objects):
            path: KeyPath = ("objects", at)
            yield from _type_faults((*path, "type"), each.type)
            if each.wanted is None and each.type in OBJECT_TYPES:
                yield (*path, "type"), "has no built-in statistics; use statistics: instead"
            for name in each.names:
                if name not in each.ids:
                    yield (*path, "names", name), f"is not in ids{suggest(name, each.ids)}"
            if each.wanted is None:
                continue
            for index, identity in enumerate(each.ids):
                here = (*path, "ids", index)
                first = seen.setdefault((each.wanted, self.label(each.type, identity)), here)
                if first != here:
                    yield here, "same label as an earlier object; set another name"

    def _statistic_faults(self, path: KeyPath, wanted: StatisticConfig) -> Iterator[Fault]:
        yield from _type_faults((*path, "object_type"), wanted.object_type)
        if (wanted.name is None) == (wanted.definition is None):
            yield path, "expected either name or definition"
        if wanted.definition == {}:
            yield (*path, "definition"), "is empty"
        if len(set(wanted.object_ids)) != len(wanted.object_ids):
            yield (*path, "object_ids"), "contains an object twice"
        table = table_of(wanted.object_type)
        if table is tables.EACH_AGENT and self.agents == "aggregate":
            yield path, "rows are agents: requires agents: hashed, id or name"
            return
        try:
            make_column(f"statistics[{path[-1]}]", wanted, table)
        except ValueError as error:
            yield path, str(error)


def table_of(kind: str) -> Table:
    """Return the table of a type's own statistics."""
    return {
        "queue": tables.QUEUES,
        "agent_group": tables.AGENT_GROUPS,
        "agent": tables.EACH_AGENT,
        "campaign": tables.CAMPAIGNS,
    }.get(PROFILES.get(kind, ""), tables.OBJECTS)


def _type_faults(path: Sequence[str | int], kind: str) -> Iterator[Fault]:
    if kind not in OBJECT_TYPES:
        yield tuple(path), f"is not an object type{suggest(kind, list(OBJECT_TYPES))}"
