"""The configuration: what did the user ask for, and where exactly is it wrong?

Shape first (pydantic models), then meaning (plain functions that yield faults); all faults are
reported at once, each with file, line and path, and none shows the value of a secret.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path as FilePath
from typing import Annotated, Any, ClassVar, TypeVar, get_args
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, ValidationError

from exporter.collector.http import Tls, is_proxy
from exporter.config.objectives import CampaignObjectives, QueueObjectives, objectives_of
from exporter.config.schema import Duration, Fault, Model, prune, shape_faults
from exporter.config.yaml import Located, Path, read, suggest
from exporter.errors import ConfigError
from exporter.metrics.families import BASE_LABELS, FAMILIES
from exporter.metrics.labels import AgentMode, Scope
from exporter.objectives.model import Objectives

M = TypeVar("M", bound=Model)
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
        return "has a host or port that is none"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "an address such as https://host is wanted"
    if parts.username or parts.password:
        return "must not hold credentials"
    if parts.query or parts.fragment:
        return "must not hold a query or fragment"
    if parts.scheme == "http" and not insecure_http and not _is_loopback(parts.hostname):
        return "http:// would send credentials in clear; use https or insecure_http: true"
    return ""


@dataclass(frozen=True, slots=True)
class FeedTimes:
    """A feed's settings with every default filled in; seconds."""

    interval: float
    timeout: float
    stale_after: float
    raw: bool


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
            yield ("agents",), "'hashed' needs agents_key or agents_key_file"
        if bool(self.tls.cert_file) != bool(self.tls.key_file):
            yield ("tls",), "cert_file and key_file belong together"

    def _feed_faults(self) -> Iterator[Fault]:
        for name, feed in self.feeds.items():
            if name not in self.INTERVALS:
                hint = suggest(name, list(self.INTERVALS))
                yield ("feeds", name), f"{self.provider} has no such feed{hint}"
            elif feed and feed.raw and name in self.AGENT_FEEDS and self.agents == "aggregate":
                yield (
                    ("feeds", name, "raw"),
                    "its rows are persons: needs agents: hashed, id or name",
                )
        if self.INTERVALS and not self.wanted_feeds():
            yield ("feeds",), "every feed is switched off"

    def _label_faults(self) -> Iterator[Fault]:
        for label in self.labels:
            if not _LABEL.fullmatch(label) or label.startswith("__"):
                yield ("labels", label), "is no label name"
            elif label in _TAKEN_LABELS or label in ("job", "instance", "le"):
                yield ("labels", label), "is a label that has a meaning already"

    def _url_faults(self) -> Iterator[Fault]:
        fault = (
            url_fault(self.base_url, insecure_http=self.insecure_http)
            if self.base_url is not None
            else ""
        )
        if fault:
            yield ("base_url",), fault
        if self.proxy_url and not is_proxy(self.proxy_url.get_secret_value()):
            yield ("proxy_url",), "an address such as http://user:password@host:3128 is wanted"

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

    def scope(self) -> Scope:
        """Return what this account may show."""
        return Scope(
            base={"provider": self.provider, "account": self.name, **self.labels},
            agents=self.agents,
            agents_key=(self.agents_key.get_secret_value() if self.agents_key else "").encode(),
            include=_by_subject(self.include),
            exclude=_by_subject(self.exclude),
        )

    def transport_tls(self, directory: FilePath) -> Tls:
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


@dataclass(frozen=True, slots=True)
class Config:
    """A configuration without faults; ``directory`` is where relative paths start."""

    accounts: tuple[AccountConfig, ...]
    directory: FilePath
    objectives: Objectives = field(default_factory=Objectives)


def load(
    file: FilePath, environment: Mapping[str, str], models: Mapping[str, type[AccountConfig]]
) -> Config:
    """Read a configuration file; ``models`` maps each provider's name to its account model.

    Raises ``ConfigError`` with every fault found.
    """
    located = read(file, environment)
    loader = _Load(located, models)
    loader.faults += located.faults
    accounts = loader.accounts()
    objectives = loader.objectives()
    if loader.faults:
        raise ConfigError(list(dict.fromkeys(loader.faults)))
    return Config(tuple(accounts), file.parent, objectives)


class _Load:
    def __init__(self, located: Located, models: Mapping[str, type[AccountConfig]]) -> None:
        self.located = located
        self.models = models
        self.faults: list[str] = []
        self._context = {"directory": located.file.parent}  # where relative paths start

    def accounts(self) -> list[AccountConfig]:
        top = self.located.value
        if not isinstance(top, dict):
            self._fault((), "a mapping with accounts: is wanted")
            return []
        known = ["accounts", "defaults", "queues", "campaigns"]
        for key in top:
            if key not in known:
                self._fault((key,), f"unknown key{suggest(key, known)}")
        items = top.get("accounts")
        if not isinstance(items, list) or not items:
            self._fault(("accounts",), "a list of at least one account is wanted")
            return []
        if not isinstance(top.get("defaults", {}), dict):
            self._fault(("defaults",), "a mapping is wanted")
            return []
        accounts = [self._account(at) for at in range(len(items))]
        self._check_together(accounts)
        return [account for account in accounts if account is not None]

    def objectives(self) -> Objectives:
        """Read what is to hold for queues and campaigns."""
        return objectives_of(
            self._section("queues", QueueObjectives),
            self._section("campaigns", CampaignObjectives),
        )

    def _section(self, key: str, model: type[M]) -> list[M]:
        """Read an optional list whose items all have one shape."""
        top = self.located.value
        items = top.get(key, []) if isinstance(top, dict) else []
        if not isinstance(items, list):
            self._fault((key,), "a list is wanted")
            return []
        found = []
        for at, item in enumerate(items):
            if not isinstance(item, dict):
                self._fault((key, at), "a mapping is wanted")
                continue
            try:
                found.append(model.model_validate(item))
            except ValidationError as error:
                for inner, message in shape_faults(error, item, model):
                    self._fault((key, at, *inner), message)
        return found

    def _account(self, at: int) -> AccountConfig | None:
        path: Path = ("accounts", at)
        data = self.located.value["accounts"][at]
        if not isinstance(data, dict):
            self._fault(path, "a mapping is wanted")
            return None
        if "defaults" in self.located.value:
            own = {*data, *(f"{key}_file" for key in data)}
            own |= {str(key).removesuffix("_file") for key in data}
            self.located.merge(("defaults",), path, own)
        provider = data.get("provider")
        model = self.models.get(provider) if isinstance(provider, str) else None
        if model is None:
            known = sorted(self.models)
            hint = suggest(str(provider), known)
            message = f"one of {', '.join(known)} is wanted{hint}"
            self._fault((*path, "provider"), message)
            return None
        self._read_secret_files(data, model, path)
        return self._validate(data, model, path)

    def _read_secret_files(
        self, data: dict[str, Any], model: type[AccountConfig], path: Path
    ) -> None:
        """Replace ``x_file`` by the secret ``x`` in it, a trailing line break removed."""
        for name, info in model.model_fields.items():
            key = f"{name}_file"
            if SecretStr not in (info.annotation, *get_args(info.annotation)) or key not in data:
                continue
            where = data.pop(key)
            if data.get(name) is not None:
                self._fault((*path, key), f"{name} is given as well; only one of them is wanted")
            try:
                text = (self.located.file.parent / str(where)).read_text(encoding="utf-8")
            except (OSError, ValueError) as error:
                problem = getattr(error, "strerror", None) or "no path, or not UTF-8"
                self._fault((*path, key), f"cannot be read: {problem}")
                data[name] = "unread"
                continue
            data[name] = text.removesuffix("\n").removesuffix("\r")
            if not data[name]:
                self._fault((*path, key), "the file is empty")

    def _validate(
        self, data: dict[str, Any], model: type[AccountConfig], path: Path
    ) -> AccountConfig | None:
        try:
            account = model.model_validate(data, context=self._context)
        except ValidationError as error:
            account = None
            found = shape_faults(error, data, model)
            for inner, message in found:
                self._fault((*path, *inner), message)
            for inner, _ in found:
                prune(data, inner)
        sound = account
        for inner, message in (account or _salvage(model, data, self._context)).faults():
            self._fault((*path, *inner), message)
            sound = None
        return sound

    def _check_together(self, accounts: list[AccountConfig | None]) -> None:
        """Report names that are there twice, and logins that would disturb each other."""
        names: dict[object, int] = {}
        logins: dict[object, str] = {}
        for at, item in enumerate(self.located.value["accounts"]):
            name = item.get("name") if isinstance(item, dict) else None
            first = names.setdefault(name, at) if isinstance(name, str) else at
            if first != at:
                self._fault(("accounts", at, "name"), f"is the name of accounts[{first}] too")
            account = accounts[at]
            login = account.login if account else None
            if account is None:
                continue
            if login is not None and logins.setdefault(login, account.name) != account.name:
                message = f"has the same host and user as {logins[login]!r}: {account.SHARED_LOGIN}"
                self._fault(("accounts", at), message)

    def _fault(self, path: Path, message: str) -> None:
        self.faults.append(self.located.fault(path, message))


def _salvage(
    model: type[AccountConfig], data: dict[str, Any], context: dict[str, Any]
) -> AccountConfig:
    """Return an account of what has the right shape, or an empty one; only to look for faults."""
    try:
        return model.model_validate({**model.PLACEHOLDER, **data}, context=context)
    except ValidationError:
        return AccountConfig(name="-", provider="-")
