"""Model of the keys that every account has, and the HTTP client they describe."""

import re
from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from hashlib import blake2b
from ipaddress import ip_address
from pathlib import Path
from secrets import token_bytes
from typing import Annotated, Any, ClassVar
from urllib.parse import unquote, urlsplit

import httpx
from pydantic import BeforeValidator, Field, SecretStr

from exporter.collector.base import FeedTimes
from exporter.collector.bounds import STATISTICS
from exporter.collector.http import Tls, is_proxy, open_client
from exporter.config.schema import Duration, Fault, Model
from exporter.config.secrets import NOT_ASCII, describe_hidden
from exporter.config.yaml import suggest
from exporter.exposition.store import Limits
from exporter.metrics.families import BASE_LABELS, FAMILIES
from exporter.metrics.labels import AccountLabels, AgentMode, Filter

_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
_NOT_SENT = ("agents_key", "proxy_url")  # secrets that are not sent to the platform
_FINGERPRINT_KEY = token_bytes(32)  # of this process: a digest says nothing outside it
_MIN_STALE_AFTER = 30.0  # seconds
_STALE_INTERVALS = 3
_BYTES_PER_SERIES = 500  # for the default of max_bytes; a series usually takes 100 to 200
_RESERVED_LABELS = {
    *("job", "instance", "le"),
    *BASE_LABELS,
    *(label for family in FAMILIES.values() for label in family.labels),
}


class FeedConfig(Model):
    """Settings of one feed; times in seconds, ``None`` for the default."""

    EXAMPLE: ClassVar = "{interval: 15s}"

    interval: Annotated[Duration, Field(ge=1, le=86_400)] | None = None
    timeout: Annotated[Duration, Field(ge=1, le=600)] | None = None
    stale_after: Annotated[Duration, Field(ge=1, le=604_800)] | None = None
    raw: bool = False


def _feed_or_off(value: object) -> object:
    """Return ``None`` for ``false``, and default settings for an empty value."""
    if value is False:
        return None
    return {} if value is None else value


MaybeFeed = Annotated[FeedConfig | None, BeforeValidator(_feed_or_off)]


class Patterns(Model):
    """Shell patterns for each kind of object."""

    EXAMPLE: ClassVar = '{queues: ["Sales*"]}'

    queues: list[str] = []
    agents: list[str] = []
    campaigns: list[str] = []


class TlsConfig(Model):
    """TLS settings: trusted CA and client certificate."""

    EXAMPLE: ClassVar = "{ca_file: ca.pem}"

    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    insecure_skip_verify: bool = False


def url_fault(url: str, endpoints: Collection[str] = (), *, insecure_http: bool) -> str:
    """Return what is wrong with a platform's URL, or an empty string.

    ``endpoints`` are the first parts of the paths that the client adds.
    """
    try:
        parts = urlsplit(url)
        port_valid = parts.port is None or parts.port > 0
    except ValueError:
        port_valid = False
    if not port_valid:
        return "the host or port is not valid"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "expected a URL such as https://host"
    if parts.username or parts.password:
        return "must not contain credentials"
    if parts.query or parts.fragment:
        return "must not contain a query or fragment"
    if parts.scheme == "http" and not insecure_http and not _is_loopback(parts.hostname):
        return "http:// would send credentials unencrypted; use https or set insecure_http: true"
    known = [part for part in parts.path.split("/") if part.casefold() in endpoints]
    added = f"must end before /{known[0]}, which the exporter adds itself" if known else ""
    return added or describe_hidden(url)


class AccountConfig(Model):
    """Keys of every account; each provider's model adds its own.

    ``INTERVALS`` maps the provider's feeds, in order of importance, to the default time between
    two refreshes in seconds. ``AGENT_FEEDS`` are feeds whose rows are agents. ``SHARED_LOGIN`` says
    why two accounts must not share a ``login``. ``ENDPOINTS`` are the first parts of the paths that
    the client adds to ``base_url``. ``PLACEHOLDER`` replaces missing required keys, so
    that other faults can be found too.
    """

    INTERVALS: ClassVar[Mapping[str, float]] = {}
    AGENT_FEEDS: ClassVar[frozenset[str]] = frozenset()
    SHARED_LOGIN: ClassVar[str] = ""
    ENDPOINTS: ClassVar[tuple[str, ...]] = ()
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
    max_bytes: Annotated[int, Field(ge=1, le=10_000_000_000)] | None = None
    max_answer_bytes: Annotated[int, Field(ge=2**20, le=2**30)] = STATISTICS
    labels: dict[str, str] = {}
    tls: TlsConfig = TlsConfig()
    proxy_url: SecretStr | None = None

    @property
    def limits(self) -> Limits:
        """The limits of the account's series on the page."""
        return Limits(self.max_series, self.max_bytes or self.max_series * _BYTES_PER_SERIES)

    @property
    def login(self) -> object:
        """Value that no two accounts may share, or ``None``."""
        return None

    @property
    def signs_in_with(self) -> tuple[object, ...]:
        """What decides whether a sign-in is accepted: address, user, secrets in clear."""
        values = (getattr(self, name) for name in type(self).model_fields if name not in _NOT_SENT)
        secrets = (value.get_secret_value() for value in values if isinstance(value, SecretStr))
        return (self.base_url, self.login, *secrets)

    def fingerprint(self) -> bytes:
        """Return a digest of the credentials: equal only where the same are sent to the same."""
        parts = repr((self.provider, self.signs_in_with)).encode()
        return blake2b(parts, key=_FINGERPRINT_KEY, digest_size=16).digest()

    def faults(self) -> Iterator[Fault]:
        """Yield faults that types cannot express, with the path inside this account."""
        yield from self._feed_faults()
        yield from self._label_faults()
        yield from self._url_faults()
        if self.agents == "hashed" and not self.agents_key:
            yield ("agents",), "'hashed' requires agents_key or agents_key_file"
        if bool(self.tls.cert_file) != bool(self.tls.key_file):
            yield ("tls",), "cert_file and key_file must be set together"

    def warnings(self) -> Iterator[Fault]:
        """Yield what is valid and probably a mistake, with the path inside this account."""
        if self.proxy_url and not unquote(self.proxy_url.get_secret_value()).isascii():
            yield ("proxy_url",), NOT_ASCII

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
        if self.INTERVALS and not self.enabled_feeds():
            yield ("feeds",), "all feeds are disabled"

    def _label_faults(self) -> Iterator[Fault]:
        for label in self.labels:
            if not _LABEL.fullmatch(label) or label.startswith("__"):
                yield ("labels", label), "is not a valid label name"
            elif label in _RESERVED_LABELS:
                yield ("labels", label), "is a reserved label name"

    def _url_faults(self) -> Iterator[Fault]:
        if self.base_url is not None:
            fault = url_fault(self.base_url, self.ENDPOINTS, insecure_http=self.insecure_http)
            if fault:
                yield ("base_url",), fault
        if self.proxy_url and not is_proxy(self.proxy_url.get_secret_value()):
            yield ("proxy_url",), "expected a URL such as http://user:password@host:3128"

    def enabled_feeds(self) -> dict[str, FeedTimes]:
        """Return the settings of the enabled feeds, in order of importance."""
        return self.feed_times(self.INTERVALS)

    def feed_times(self, intervals: Mapping[str, float]) -> dict[str, FeedTimes]:
        """Return the settings of the enabled feeds; ``intervals`` are defaults in seconds."""
        enabled = {}
        for name, default in intervals.items():
            feed = self.feeds.get(name, FeedConfig())
            if feed is None:
                continue
            interval = feed.interval or default
            stale_after = feed.stale_after or self.stale_after
            stale_after = stale_after or max(_MIN_STALE_AFTER, _STALE_INTERVALS * interval)
            timeout = feed.timeout or self.timeout
            enabled[name] = FeedTimes(interval, timeout, stale_after, feed.raw)
        return enabled

    def account_labels(self) -> AccountLabels:
        """Return how this account's series are labelled and filtered."""
        return AccountLabels(
            base={"provider": self.provider, "account": self.name, **self.labels},
            agents=self.agents,
            agents_key=(self.agents_key.get_secret_value() if self.agents_key else "").encode(),
            filter=self._filter,
        )

    @cached_property
    def _filter(self) -> Filter:  # one for the whole account, as it notes what matched
        return Filter(_by_subject(self.include), _by_subject(self.exclude))

    def tls_settings(self, directory: Path) -> Tls:
        """Return the TLS settings; relative paths start at ``directory``."""

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
    """Return a new HTTP client with an account's TLS and proxy settings."""
    proxy = account.proxy_url.get_secret_value() if account.proxy_url else None
    return open_client(account.tls_settings(directory), proxy, account.name)
