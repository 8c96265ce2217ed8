"""Configuration of a Bright Pattern account."""

import re
from collections.abc import Iterator, Mapping
from datetime import time
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from exporter.collector.base import FeedTimes
from exporter.collector.scales import Scale
from exporter.config.account import AccountConfig
from exporter.config.columns import ColumnConfig, make_column
from exporter.config.schema import Fault, Model, WallTime, Zone
from exporter.config.secrets import Credential
from exporter.config.yaml import suggest
from exporter.metrics.period import Period
from exporter.providers.brightpattern.tables import (
    EACH_AGENT,
    KEYS,
    PLUS,
    PSEUDO,
    RATIOS,
    SERVICES,
    TOTALS,
)

SUBSCRIPTION, DIRECTORY, CAMPAIGNS = "subscription", "directory", "campaigns"
_NAME = r"[A-Za-z][A-Za-z0-9_]*"
_STATISTIC = re.compile(rf"{_NAME}(?:{re.escape(PLUS)}{_NAME})*", re.ASCII)


class OwnStatistics(Model):
    """User-defined mappings of statistics by protocol name, for each kind of grid."""

    totals: dict[str, ColumnConfig] = {}
    services: dict[str, ColumnConfig] = {}
    agents: dict[str, ColumnConfig] = {}


_TABLES = {"totals": TOTALS, "services": SERVICES, "agents": EACH_AGENT}


class BrightPatternConfig(AccountConfig):
    """A Bright Pattern account: one API user of one tenant.

    The vendor publishes no polling limit; its wallboard polls every 3 seconds.
    """

    INTERVALS: ClassVar[Mapping[str, float]] = {
        SUBSCRIPTION: 5.0,
        DIRECTORY: 3600.0,
        CAMPAIGNS: 900.0,
    }
    SHARED_LOGIN: ClassVar[str] = (
        "Bright Pattern keeps one subscription per user, so each account would end the other's"
    )
    PLACEHOLDER: ClassVar[Mapping[str, Any]] = {
        **AccountConfig.PLACEHOLDER,
        "base_url": "https://tenant.invalid",
        "username": "-",
    }

    ENDPOINTS: ClassVar = ("statsapi", "configapi")

    provider: Literal["brightpattern"]
    base_url: str
    tenant_url: Credential | None = None
    auth: Literal["oauth", "password"] = "oauth"
    username: Credential
    api_secret: SecretStr | None = None
    password: SecretStr | None = None
    teams: list[str] = []
    services: list[str] = []
    ratio_scale: Scale | dict[str, Scale] = {}
    reset_time: WallTime = time()
    time_zone: Zone = ZoneInfo("UTC")
    column_key: Literal["stat_name", "statName"] = "stat_name"
    statistics: OwnStatistics = OwnStatistics()

    @property
    def root(self) -> str:
        """The base URL without a trailing slash."""
        return self.base_url.rstrip("/")

    @property
    def tenant(self) -> str:
        """The host name by which the platform knows the tenant."""
        return self.tenant_url or urlsplit(self.base_url).hostname or ""

    @property
    def login(self) -> object:
        """The host and user, for which Bright Pattern keeps one subscription."""
        parts = urlsplit(self.base_url)
        return parts.hostname, parts.port, self.username.casefold()

    @property
    def signs_in_with(self) -> tuple[object, ...]:
        """The common values, and what else a token is requested with."""
        return (*super().signs_in_with, self.tenant, self.auth)

    def enabled_feeds(self) -> dict[str, FeedTimes]:
        """Return the feeds to read; campaigns only where the configuration names them."""
        feeds = super().enabled_feeds()
        if CAMPAIGNS not in self.feeds:
            del feeds[CAMPAIGNS]
        return feeds

    def period(self) -> Period:
        """Return the period of "per day" statistics: the day from the tenant's reset time on."""
        return Period("day", self.time_zone, (self.reset_time,))

    def scale(self, statistic: str) -> Scale | None:
        """Return the scale of a ratio that the configuration sets, ``None`` without one."""
        if isinstance(self.ratio_scale, dict):
            return self.ratio_scale.get(statistic)
        return self.ratio_scale

    def faults(self) -> Iterator[Fault]:
        """Yield the faults that the schema does not catch."""
        yield from super().faults()
        yield from self._secret_faults()
        if isinstance(self.ratio_scale, dict):
            for name in self.ratio_scale:
                if name not in RATIOS:
                    yield ("ratio_scale", name), f"is not a ratio{suggest(name, list(RATIOS))}"
        for grid in _TABLES:
            yield from self._statistic_faults(grid)

    def _secret_faults(self) -> Iterator[Fault]:
        if self.auth == "oauth" and not self.api_secret:
            yield ("api_secret",), "is required with auth: oauth"
        if self.auth == "password" and not self.password:
            yield ("password",), "is required with auth: password"
        if self.auth == "password" and CAMPAIGNS in self.enabled_feeds() and not self.api_secret:
            yield ("feeds", CAMPAIGNS), "requires api_secret: List Management accepts OAuth only"

    def _statistic_faults(self, grid: str) -> Iterator[Fault]:
        mappings: dict[str, ColumnConfig] = getattr(self.statistics, grid)
        if mappings and grid == "agents" and self.agents == "aggregate":
            yield ("statistics", grid), "rows are agents: requires agents: hashed, id or name"
        for name, mapping in mappings.items():
            path = ("statistics", grid, name)
            if not _STATISTIC.fullmatch(name):
                yield path, "expected a protocol name, or several joined by ' + '"
            elif name in PSEUDO:
                yield path, "is not a statistic; write a sum as its names joined by ' + '"
            elif name == KEYS.get(grid):
                yield path, "is the key column of the table"
            else:
                try:
                    make_column(name, mapping, _TABLES[grid], RATIOS)
                except ValueError as error:
                    yield path, str(error)
