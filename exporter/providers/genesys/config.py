"""Configuration of a Genesys Multicloud CX account."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import time
from typing import Annotated, Any, ClassVar, Literal
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, SecretStr

from exporter.collector.base import FeedTimes
from exporter.config.account import AccountConfig, url_fault
from exporter.config.columns import ColumnConfig, make_column
from exporter.config.schema import Duration, Fault, Model, WallTime, Zone, duration
from exporter.config.secrets import NOT_ASCII, Credential
from exporter.config.yaml import KeyPath, suggest
from exporter.metrics.families import FAMILIES, Family
from exporter.metrics.period import Period
from exporter.metrics.tables import Column, Table
from exporter.providers.genesys import tables
from exporter.providers.genesys.statistics import (
    AGENT_TYPES,
    OBJECT_TYPES,
    PROFILES,
    Profile,
    StatType,
    built_in,
)

STATISTICS = "statistics"
_POLL_INTERVAL = 15.0  # seconds
_MOST_STATISTICS = 100_000
# Forms of ids that begin with a campaign's name, and the types whose names are a part of them.
_JOINED = {"CampaignGroup": "campaign@group", "CampaignCallingList": "campaign@callinglist"}
_JOINED_TYPES = {"Campaign": "CampaignGroup", "CallingList": "CampaignCallingList"}

_DAY = "day"
_LONGEST_WINDOW = 86_400.0  # seconds

ObjectId = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]


class ObjectsConfig(Model):
    """Objects of one type with built-in statistics; ``names`` are labels by object id."""

    type: str
    ids: Annotated[list[ObjectId], Field(min_length=1)]
    profile: Profile | None = None
    names: dict[str, ObjectId] = {}

    @property
    def built_in_profile(self) -> Profile | None:
        """The configured profile, else that of the type; ``None`` where it has none."""
        return self.profile or PROFILES.get(self.type)


def _window(value: object) -> str:
    """Return ``day``, or a duration as a value of the label ``window``."""
    if value == _DAY:
        return _DAY
    seconds = duration(value)
    if not 1 <= seconds <= _LONGEST_WINDOW or seconds % 1:
        raise ValueError("expected day, or a duration from 1s to 1d such as 15m")
    for unit, length in (("h", 3600), ("m", 60)):
        if not seconds % length:
            return f"{seconds / length:g}{unit}"
    return f"{seconds:g}s"


class StatisticConfig(ColumnConfig):
    """A user-defined statistic: a name that the contact centre has defined, or a definition.

    ``window`` is what a figure covers: the day, or the time for which it slides.
    """

    name: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    definition: dict[str, Any] | None = None
    window: Annotated[str, BeforeValidator(_window)] = _DAY
    object_type: str
    object_ids: Annotated[list[ObjectId], Field(min_length=1)]

    @property
    def slides(self) -> bool:
        """Whether the figure covers a sliding window."""
        return self.window != _DAY

    @property
    def table(self) -> Table:
        """The table of the statistic's rows, a table for each window that slides."""
        table = table_of(self.object_type)
        if not self.slides:
            return table
        return replace(
            table,
            name=f"{table.name}.{self.window}",
            figures=(),
            ignored=(),
            period=Period(self.window),
        )

    def column(self, header: str) -> Column:
        """Return the column of the statistic. Raises ``ValueError`` where it does not fit."""
        mapping = ColumnConfig(metric=self.metric, parse=self.parse, labels=self.labels)
        return make_column(header, mapping, self.table, windowed=self.slides)

    def window_fault(self, family: Family) -> str:
        """Return why the window does not fit the metric or the definition, or an empty string."""
        has_window = family.sliding is not None or "window" in family.labels
        if self.slides and not has_window:
            return f"{self.metric} has no window"
        if not self.slides and any(total.sliding is family for total in FAMILIES.values()):
            return f"{self.metric} covers a sliding window: requires window, such as 15m"
        kind = (self.definition or {}).get("intervalType")
        if kind in ("SlidingWindow", "SlidingSelection") and has_window and not self.slides:
            return "the definition slides: requires window, such as 15m"
        if kind == "GrowingWindow" and self.slides:
            return "the definition does not slide: remove window"
        return ""


class GenesysConfig(AccountConfig):
    """A Genesys Multicloud CX contact centre, read as one of its users.

    ``chunk`` is the number of statistics in a request. ``service_level_threshold`` is the T of
    "answered within T" in seconds. The period of daily figures begins at ``reset_time`` in
    ``time_zone``, that of the Stat Server.
    """

    INTERVALS: ClassVar[Mapping[str, float]] = {STATISTICS: 1.0}
    PLACEHOLDER: ClassVar[Mapping[str, Any]] = {
        **AccountConfig.PLACEHOLDER,
        "base_url": "https://centre.invalid",
        "client_id": "-",
        "client_secret": "-",
    }

    ENDPOINTS: ClassVar = ("statistics", "auth")

    provider: Literal["genesys"]
    base_url: str
    auth_url: str | None = None
    api_key: SecretStr | None = None
    client_id: Credential
    client_secret: SecretStr
    grant: Literal["password", "client_credentials"] = "password"
    username: Credential | None = None
    password: SecretStr | None = None
    mode: Literal["subscribe", "poll"] = "subscribe"
    chunk: Annotated[int, Field(ge=1, le=10_000)] = 200
    objects: list[ObjectsConfig] = []
    statistics: list[StatisticConfig] = []
    service_level_threshold: Annotated[Duration, Field(ge=1, le=3600)] = 20.0
    reset_time: WallTime = time()
    time_zone: Zone = ZoneInfo("UTC")

    @property
    def signs_in_with(self) -> tuple[object, ...]:
        """The common values, and what else a token is requested with."""
        own = (self.auth_url, self.grant, self.client_id, self.username)
        return (*super().signs_in_with, *own)

    def enabled_feeds(self) -> dict[str, FeedTimes]:
        """Return the enabled feeds; the default interval is longer in poll mode."""
        if self.mode == "poll":
            return self.feed_times({STATISTICS: _POLL_INTERVAL})
        return super().enabled_feeds()

    def period(self) -> Period:
        """Return the period of daily figures."""
        return Period("day", self.time_zone, (self.reset_time,))

    def label(self, object_type: str, object_id: str) -> str:
        """Return an object's label: its configured name, else its id."""
        for objects in self.objects:
            if objects.type == object_type and object_id in objects.names:
                return objects.names[object_id]
        return object_id

    def stat_types(self, profile: Profile) -> Sequence[StatType]:
        """Return the statistical types that are opened for each object of a profile."""
        each_agent = self.agents != "aggregate"
        return built_in(profile, each_agent=each_agent, threshold=self.service_level_threshold)

    def faults(self) -> Iterator[Fault]:
        """Yield the faults that the schema cannot express, by path."""
        yield from super().faults()
        if self.auth_url is not None:
            fault = url_fault(self.auth_url, ("auth",), insecure_http=self.insecure_http)
            if fault:
                yield ("auth_url",), fault
        if self.api_key and not self.api_key.get_secret_value().isascii():
            yield ("api_key",), "has characters outside ASCII, which a request header cannot carry"
        if self.grant == "password":
            for name in ("username", "password"):
                if not getattr(self, name):
                    yield (name,), "is required with grant: password"
        if not self.objects and not self.statistics:
            yield ("objects",), "expected objects or statistics: the platform lists neither"
        yield from self._object_faults()
        for index, statistic in enumerate(self.statistics):
            yield from self._statistic_faults(("statistics", index), statistic)
        yield from self._series_faults()
        if self._size() > _MOST_STATISTICS:
            yield ("objects",), f"would open more than {_MOST_STATISTICS} statistics"

    def _size(self) -> int:
        """Return how many statistics would be opened."""
        size = sum(len(statistic.object_ids) for statistic in self.statistics)
        for objects in self.objects:
            if objects.built_in_profile is not None:
                size += len(objects.ids) * len(self.stat_types(objects.built_in_profile))
        return size

    def _object_faults(self) -> Iterator[Fault]:
        first_paths: dict[tuple[str, str], KeyPath] = {}
        for index, objects in enumerate(self.objects):
            path: KeyPath = ("objects", index)
            profile = objects.built_in_profile
            yield from _type_faults((*path, "type"), objects.type)
            if profile is None and objects.type in OBJECT_TYPES:
                yield (*path, "type"), "has no built-in statistics; use statistics: instead"
            for object_id in objects.names:
                if object_id not in objects.ids:
                    hint = suggest(object_id, objects.ids)
                    yield (*path, "names", object_id), f"is not in ids{hint}"
            if profile is None:
                continue
            for position, object_id in enumerate(objects.ids):
                id_path = (*path, "ids", position)
                table = tables.PROFILE_TABLES[profile]
                owner = profile if table.subject == "queue" else str(table.subject)
                key = (owner, self.label(objects.type, object_id))
                if first_paths.setdefault(key, id_path) != id_path:
                    yield id_path, "same label as an earlier object; set another name"

    def warnings(self) -> Iterator[Fault]:
        """Yield ids that Stat Server would not recognise, and credentials outside ASCII."""
        yield from super().warnings()
        if not self.client_id.isascii():
            yield ("client_id",), NOT_ASCII
        if not self.client_secret.get_secret_value().isascii():
            yield ("client_secret",), NOT_ASCII
        for index, objects in enumerate(self.objects):
            yield from _id_warnings(("objects", index, "ids"), objects.type, objects.ids)
        for index, statistic in enumerate(self.statistics):
            path: KeyPath = ("statistics", index, "object_ids")
            yield from _id_warnings(path, statistic.object_type, statistic.object_ids)

    def _series_faults(self) -> Iterator[Fault]:
        """Yield the objects of statistics whose series an earlier statistic makes."""
        first: dict[tuple[object, ...], int] = {}
        for index, statistic in enumerate(self.statistics):
            try:
                column = statistic.column(f"statistics[{index}]")
            except ValueError:
                continue  # reported as a fault of the statistic
            family = (column.family.sliding or column.family) if statistic.slides else column.family
            labels = tuple(sorted(column.labels.items()))
            for position, object_id in enumerate(statistic.object_ids):
                label = self.label(statistic.object_type, object_id)
                series = (family.name, statistic.window, labels, label)
                earlier = first.setdefault(series, index)
                if earlier != index:
                    message = f"same series as statistics[{earlier}]; set another metric or window"
                    yield ("statistics", index, "object_ids", position), message

    def _statistic_faults(self, path: KeyPath, statistic: StatisticConfig) -> Iterator[Fault]:
        yield from _type_faults((*path, "object_type"), statistic.object_type)
        if (statistic.name is None) == (statistic.definition is None):
            yield path, "expected either name or definition"
        if statistic.definition == {}:
            yield (*path, "definition"), "is empty"
        if len(set(statistic.object_ids)) != len(statistic.object_ids):
            yield (*path, "object_ids"), "contains an object twice"
        if statistic.object_type in AGENT_TYPES and self.agents == "aggregate":
            yield path, "rows are agents: requires agents: hashed, id or name"
            return
        try:
            column = statistic.column(f"statistics[{path[-1]}]")
        except ValueError as error:
            yield path, str(error)
            return
        if fault := statistic.window_fault(column.family):
            yield (*path, "window"), fault


def table_of(object_type: str) -> Table:
    """Return the table of the day's statistics that a user configures for an object type."""
    return tables.PROFILE_TABLES.get(PROFILES.get(object_type, ""), tables.OBJECTS)


def _id_warnings(path: KeyPath, object_type: str, ids: Sequence[str]) -> Iterator[Fault]:
    """Yield ids without the form of their type (Stat Server User's Guide, Campaign Objects)."""
    form, joined_type = _JOINED.get(object_type, ""), _JOINED_TYPES.get(object_type)
    for position, object_id in enumerate(ids):
        campaign, _, part = object_id.partition("@")
        if form and not (campaign and part):
            yield (*path, position), f"expected {form}: other ids of {object_type} are not found"
        elif joined_type and "@" in object_id:
            message = f"expected a name: {_JOINED[joined_type]} is the id of a {joined_type}"
            yield (*path, position), message


def _type_faults(path: KeyPath, object_type: str) -> Iterator[Fault]:
    if object_type not in OBJECT_TYPES:
        hint = suggest(object_type, list(OBJECT_TYPES))
        yield path, f"is not an object type{hint}"
