"""The keys that every account may have."""

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, ClassVar
from urllib.parse import urlsplit

import httpx
from pydantic import BeforeValidator, Field, SecretStr

from exporter.collector.base import FeedTimes
from exporter.collector.http import Tls, is_proxy, open_client
from exporter.config.schema import Duration, Fault, Model
from exporter.config.yaml import suggest
from exporter.metrics.families import BASE_LABELS, FAMILIES
from exporter.metrics.labels import AccountLabels, AgentMode, Filter

_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)


_SHORTEST_STALE = 30.0


_STALE_INTERVALS = 3


_TAKEN_LABELS = {*BASE_LABELS, *(label for each in FAMILIES.values() for label in each.labels)}


class FeedConfig(Model):
    """How one feed is read; times in seconds, ``None`` where the default holds."""

    interval: Annotated[Duration, Field(ge=1, le=86_400)] | None = None
    timeout: Annotated[Duration, Field(ge=1, le=600)] | None = None
    stale_after: Annotated[Duration, Field(ge=1, le=604_800)] | None = None
    raw: bool = False


def _feed_or_off(value: object) -> object:
    """Read ``false`` as no feed, and nothing as a feed with its defaults."""
    if value is False:
        return None
    return {} if value is None else value


MaybeFeed = Annotated[FeedConfig | None, BeforeValidator(_feed_or_off)]


class Patterns(Model):
    """Shell patterns by kind of object."""

    queues: list[str] = []
    agents: list[str] = []
    campaigns: list[str] = []


class TlsConfig(Model):
    """How to trust the platform and show who we are."""

    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    insecure_skip_verify: bool = False


def url_fault(url: str, *, insecure_http: bool) -> str:
    """Return what is wrong with a platform's address; nothing where it can be used."""
    try:
        parts = urlsplit(url)
        port_fits = parts.port is None or parts.port > 0
    except ValueError:
        port_fits = False
    if not port_fits:
        return "the host or port is not valid"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "expected a URL such as https://host"
    if parts.username or parts.password:
        return "must not contain credentials"
    if parts.query or parts.fragment:
        return "must not contain a query or fragment"
    if parts.scheme == "http" and not insecure_http and not _is_loopback(parts.hostname):
        return "http:// would send credentials unencrypted; use https or set insecure_http: true"
    return ""


class AccountConfig(Model):
    """What every account can have; a provider's model adds its own keys.

    ``INTERVALS`` maps the provider's feeds, in order of importance, to the default time between
    two refreshes in seconds. ``AGENT_FEEDS`` are those whose rows are persons. ``SHARED_LOGIN``
    says why two accounts may not have one ``login``. ``PLACEHOLDER`` stands in for required keys
    that are missing, while other faults are looked for.
    """

    INTERVALS: ClassVar[Mapping[str, float]] = {}
    AGENT_FEEDS: ClassVar[frozenset[str]] = frozenset()
    SHARED_LOGIN: ClassVar[str] = ""
    PLACEHOLDER: ClassVar[Mapping[str, Any]] = {"name": "-", "provider": "-"}

    name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]
    provider: str
    base_url: str | None = None
    insecure_http: bool = False
    feeds: dict[str, MaybeFeed] = {}
    stale_after: Annotated[Duration, Field(ge=1, le=604_800)] | None = None
    timeout: Annotated[Duration, Field(ge=1, le=600)] = 30.0
    auth_retry: Annotated[Duration, Field(ge=60, le=604_800)] = 900.0
    agents: AgentMode = "aggregate"
    agents_key: SecretStr | None = None
    include: Patterns = Patterns()
    exclude: Patterns = Patterns()
    max_series: Annotated[int, Field(ge=1, le=10_000_000)] = 100_000
    labels: dict[str, str] = {}
    tls: TlsConfig = TlsConfig()
    proxy_url: SecretStr | None = None

    @property
    def login(self) -> object:
        """What no two accounts may share, or ``None``."""
        return None

    def faults(self) -> Iterator[Fault]:
        """Yield what is wrong beyond the shape, with the path inside this account."""
        yield from self._feed_faults()
        yield from self._label_faults()
        yield from self._url_faults()
        if self.agents == "hashed" and not self.agents_key:
            yield ("agents",), "'hashed' requires agents_key or agents_key_file"
        if bool(self.tls.cert_file) != bool(self.tls.key_file):
            yield ("tls",), "cert_file and key_file must be set together"

    def _feed_faults(self) -> Iterator[Fault]:
        for name, feed in self.feeds.items():
            if name not in self.INTERVALS:
                hint = suggest(name, list(self.INTERVALS))
                yield ("feeds", name), f"unknown feed{hint}"
            elif feed and feed.raw and name in self.AGENT_FEEDS and self.agents == "aggregate":
                yield (
                    ("feeds", name, "raw"),
                    "rows are agents: requires agents: hashed, id or name",
                )
        if self.INTERVALS and not self.wanted_feeds():
            yield ("feeds",), "all feeds are disabled"

    def _label_faults(self) -> Iterator[Fault]:
        for label in self.labels:
            if not _LABEL.fullmatch(label) or label.startswith("__"):
                yield ("labels", label), "is not a valid label name"
            elif label in _TAKEN_LABELS or label in ("job", "instance", "le"):
                yield ("labels", label), "is a reserved label name"

    def _url_faults(self) -> Iterator[Fault]:
        fault = (
            url_fault(self.base_url, insecure_http=self.insecure_http)
            if self.base_url is not None
            else ""
        )
        if fault:
            yield ("base_url",), fault
        if self.proxy_url and not is_proxy(self.proxy_url.get_secret_value()):
            yield ("proxy_url",), "expected a URL such as http://user:password@host:3128"

    def wanted_feeds(self) -> dict[str, FeedTimes]:
        """Return the feeds to read, in order of importance, with their times."""
        return self.feed_times(self.INTERVALS)

    def feed_times(self, intervals: Mapping[str, float]) -> dict[str, FeedTimes]:
        """Return the times of those feeds that are not switched off, by default intervals."""
        wanted = {}
        for name, default in intervals.items():
            feed = self.feeds.get(name, FeedConfig())
            if feed is None:
                continue
            interval = feed.interval or default
            stale_after = feed.stale_after or self.stale_after
            stale_after = stale_after or max(_SHORTEST_STALE, _STALE_INTERVALS * interval)
            timeout = feed.timeout or self.timeout
            wanted[name] = FeedTimes(interval, timeout, stale_after, feed.raw)
        return wanted

    def account_labels(self) -> AccountLabels:
        """Return how this account's series are labelled and filtered."""
        return AccountLabels(
            base={"provider": self.provider, "account": self.name, **self.labels},
            agents=self.agents,
            agents_key=(self.agents_key.get_secret_value() if self.agents_key else "").encode(),
            filter=Filter(_by_subject(self.include), _by_subject(self.exclude)),
        )

    def transport_tls(self, directory: Path) -> Tls:
        """Return the TLS settings, relative paths taken from the configuration's folder."""

        def resolve(name: str | None) -> str | None:
            return str(directory / name) if name else None

        tls = self.tls
        files = (resolve(tls.ca_file), resolve(tls.cert_file), resolve(tls.key_file))
        return Tls(*files, insecure_skip_verify=tls.insecure_skip_verify)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _by_subject(patterns: Patterns) -> dict[Any, list[str]]:
    return {
        "queue": patterns.queues,
        "agent": patterns.agents,
        "campaign": patterns.campaigns,
    }


def client_for(account: AccountConfig, directory: Path) -> httpx.AsyncClient:
    """Return an account's own HTTP client."""
    proxy = account.proxy_url.get_secret_value() if account.proxy_url else None
    return open_client(account.transport_tls(directory), proxy)
