"""Configuration of a Five9 account."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, time
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr

from exporter.config.account import AccountConfig
from exporter.config.columns import ColumnConfig, make_column
from exporter.config.schema import Duration, Fault, Model, WallTime, Zone
from exporter.config.secrets import NOT_ASCII, Credential
from exporter.metrics.period import Period
from exporter.providers.five9.tables import STATISTICS

# Data centres: Five9 Developer Program, five9_session.py; Configuration Web Services, 2026.
HOSTS = {
    "us": "api.five9.com",
    "ca": "api.five9.ca",
    "eu": "api.five9.eu",
    "frk": "api.eu.five9.com",
    "in": "api.in.five9.com",
}
_RANGES = {
    "RollingHour": "rolling_hour",
    "CurrentDay": "day",
    "CurrentWeek": "week",
    "CurrentMonth": "month",
    "Lifetime": "lifetime",
    "CurrentShift": "shift",
}
_ROLLING = {
    "Minutes5": "5m",
    "Minutes10": "10m",
    "Minutes15": "15m",
    "Minutes30": "30m",
    "Hour1": "1h",
    "Hours2": "2h",
    "Hours3": "3h",
    "Today": "day",
}
_OFFSETS = (-12 * 3600, 14 * 3600)  # seconds


class View(Model):
    """View settings of the session: the period that figures cover."""

    statistics_range: Literal[
        "RollingHour", "CurrentDay", "CurrentWeek", "CurrentMonth", "Lifetime", "CurrentShift"
    ] = "CurrentDay"
    rolling_period: Literal[
        "Minutes5", "Minutes10", "Minutes15", "Minutes30", "Hour1", "Hours2", "Hours3", "Today"
    ] = "Minutes30"
    shift_start: WallTime = time()
    time_zone: Zone = ZoneInfo("UTC")

    def period(self) -> Period:
        """Return the period of ``statistics_range``.

        Whether a day begins at midnight or at the start of the shift is not documented, so
        counters may restart at both.
        """
        window = _RANGES[self.statistics_range]
        times = {time(), self.shift_start} if window != "shift" else {self.shift_start}
        return Period(window, self.time_zone, tuple(sorted(times)))

    def rolling_window(self) -> str:
        """Return ``rolling_period`` as a value of the label ``window``."""
        return _ROLLING[self.rolling_period]

    def offset(self, at: float) -> int:
        """Return the zone's offset from UTC in milliseconds at a time in epoch seconds."""
        delta = datetime.fromtimestamp(at, UTC).astimezone(self.time_zone).utcoffset()
        assert delta is not None
        return int(delta.total_seconds() * 1000)

    def shift_start_milliseconds(self) -> int:
        """Return the start of the shift in milliseconds after midnight."""
        start = self.shift_start
        return ((start.hour * 60 + start.minute) * 60 + start.second) * 1000


class Limits(Model):
    """Requests allowed in each window; ``None`` is no limit."""

    minute: Annotated[int, Field(ge=1)] | None = None
    hour: Annotated[int, Field(ge=1)] | None = None
    day: Annotated[int, Field(ge=1)] | None = None

    def by_seconds(self) -> dict[float, int]:
        """Return the limits by window length in seconds."""
        pairs = ((60.0, self.minute), (3600.0, self.hour), (86_400.0, self.day))
        return {length: limit for length, limit in pairs if limit is not None}


class BudgetConfig(Model):
    """Limits that replace those reported by the platform."""

    query_statistics: Limits | None = None
    query_changed_statistics: Limits | None = None


StatisticType = Literal[
    "AgentState",
    "AgentStatistics",
    "ACDStatus",
    "CampaignState",
    "OutboundCampaignManager",
    "OutboundCampaignStatistics",
    "InboundCampaignStatistics",
    "AutodialCampaignStatistics",
]


class Five9Config(AccountConfig):
    """A Five9 account: one supervisor user of one domain.

    The default intervals keep eight feeds within the limits of the Statistics Web Services API
    Reference Guide of 2015: 30 updates a minute, 1,200 an hour, 24,000 a day.
    """

    INTERVALS: ClassVar[Mapping[str, float]] = {
        "ACDStatus": 12.0,
        "AgentState": 12.0,
        **{name: 75.0 for name in STATISTICS if name not in ("ACDStatus", "AgentState")},
        "account": 1800.0,
    }
    AGENT_FEEDS: ClassVar[frozenset[str]] = frozenset({"AgentState", "AgentStatistics"})
    SHARED_LOGIN: ClassVar[str] = "Five9 serves one request at a time per user"
    PLACEHOLDER: ClassVar[Mapping[str, Any]] = {
        **AccountConfig.PLACEHOLDER,
        "username": "-",
        "password": "-",
    }

    ENDPOINTS: ClassVar = ("wssupervisor", "wsadmin")

    provider: Literal["five9"]
    region: Literal["us", "ca", "eu", "frk", "in"] = "us"
    version: Annotated[str, Field(pattern=r"^v\d{1,3}(_\d{1,3})?$")] = "v13"
    username: Credential
    password: SecretStr
    idle_timeout: Annotated[Duration, Field(ge=60, le=1800)] = 600.0
    force_logout: bool = False
    long_poll: Annotated[Duration, Field(ge=0, le=60)] = 5.0
    view: View = View()
    budget: BudgetConfig = BudgetConfig()
    columns: dict[StatisticType, dict[str, ColumnConfig]] = {}

    @property
    def url(self) -> str:
        """The address of the service, with its version."""
        base = self.base_url or f"https://{HOSTS[self.region]}"
        return f"{base.rstrip('/')}/wssupervisor/{self.version}/SupervisorWebService"

    @property
    def login(self) -> object:
        """The host and user, for which Five9 serves one request at a time."""
        parts = urlsplit(self.url)
        port = parts.port or {"https": 443}.get(parts.scheme, 80)
        return parts.hostname, port, self.username.casefold()

    def warnings(self) -> Iterator[Fault]:
        """Yield what is valid and probably a mistake."""
        yield from super().warnings()
        if not self.username.isascii():
            yield ("username",), NOT_ASCII
        if not self.password.get_secret_value().isascii():
            yield ("password",), NOT_ASCII

    def faults(self) -> Iterator[Fault]:
        """Yield the faults that the schema does not catch."""
        yield from super().faults()
        low, high = _OFFSETS
        january, july = (datetime(2026, month, 1, tzinfo=UTC).timestamp() for month in (1, 7))
        offsets = [self.view.offset(at) / 1000 for at in (january, july)]
        if not all(low <= offset <= high for offset in offsets):
            yield ("view", "time_zone"), "Five9 accepts UTC offsets from -12 to +14 hours"
        for kind in ("query_statistics", "query_changed_statistics"):
            limits = getattr(self.budget, kind)
            if limits is not None and not limits.by_seconds():
                yield ("budget", kind), "expected at least one of minute, hour, day"
        for name, columns in self.columns.items():
            if name in self.AGENT_FEEDS and self.agents == "aggregate":
                yield ("columns", name), "rows are agents: requires agents: hashed, id or name"
            for header, mapping in columns.items():
                duplicates = self.labels.keys() & mapping.labels.keys()
                if duplicates:
                    path = ("columns", name, header, "labels")
                    yield path, f"{', '.join(sorted(duplicates))}: already a label of the account"
                try:
                    make_column(header, mapping, STATISTICS[name])
                except ValueError as error:
                    yield ("columns", name, header), str(error)
