"""Configuration of a Voximplant account."""

import os
import stat
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import orjson
from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    ValidationInfo,
)

from exporter.collector.base import FeedTimes
from exporter.config.account import AccountConfig
from exporter.config.columns import ColumnConfig, make_column
from exporter.config.files import read_file
from exporter.config.schema import Duration, Fault, Model, Zone
from exporter.config.secrets import Credential, describe_hidden
from exporter.logs import get_log
from exporter.metrics.period import Period
from exporter.providers.voximplant.auth import read_private_key
from exporter.providers.voximplant.tables import SMARTQUEUE_REPORTS

_HOST = "https://api.voximplant.com"
_SMARTQUEUE_FEEDS = ("smartqueue_state", "smartqueue_reports")
_KEY_FIELDS = ("account_id", "key_id", "private_key")

_log = get_log(__name__)


def _identifier(value: object) -> object:
    """Convert an integer id to text."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _private_key(value: SecretStr | None) -> SecretStr | None:
    if value is not None:
        read_private_key(value.get_secret_value())
    return value


Id = Annotated[str, StringConstraints(pattern=r"^\d{1,20}$"), BeforeValidator(_identifier)]
KeyId = Annotated[Credential, Field(pattern=r"^[0-9A-Za-z-]{1,64}$")]
Reference = Annotated[
    str, StringConstraints(min_length=1, max_length=255), BeforeValidator(_identifier)
]
Report = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,64}$")]


class Credentials(Model):
    """The fields of a service account's ``credentials.json`` that are used."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    account_id: Id
    key_id: KeyId
    private_key: Annotated[SecretStr, AfterValidator(_private_key)]


def _credentials(value: object, info: ValidationInfo) -> object:
    """Read the credentials from a file; warn if other users can read it."""
    if not isinstance(value, str):
        return value
    path = Path((info.context or {}).get("directory", "")) / value
    try:
        text = read_file(path)
        mode = path.stat().st_mode
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None
    if os.name == "posix" and mode & (stat.S_IRGRP | stat.S_IROTH):
        _log.warning("credentials file is readable by other users", file=str(path))
    if text.startswith(BOM_UTF8):
        raise ValueError(describe_hidden(BOM_UTF8.decode()))
    try:
        content = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise ValueError("is not valid JSON") from None
    if isinstance(content, dict) and isinstance(content.get("result"), dict):
        content = content["result"]  # the whole answer of the method that created the key
    try:
        return Credentials.model_validate(content)
    except ValidationError as error:
        fields = sorted({str(part) for fault in error.errors() for part in fault["loc"][:1]})
        texts = content if isinstance(content, dict) else {}
        hidden = {name: describe_hidden(str(texts.get(name, ""))) for name in fields}
        invalid = [f"{name}: {fault}" if fault else name for name, fault in hidden.items()]
        raise ValueError(f"not a service account key file; invalid: {', '.join(invalid)}") from None


CredentialsFile = Annotated[Credentials, BeforeValidator(_credentials)]


class SmartQueueConfig(Model):
    """SmartQueue settings.

    The vendor does not document the unit of times in reports; ``report_seconds_scale`` converts
    them to seconds. ``service_level_threshold`` is the T of service-level reports in seconds.
    """

    applications: list[Reference] = []
    reports: list[Report] = []
    report_seconds_scale: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    service_level_threshold: Annotated[Duration, Field(ge=1, le=3600)] = 20.0


class VoximplantConfig(AccountConfig):
    """A Voximplant account, read with one service-account key."""

    INTERVALS: ClassVar[Mapping[str, float]] = {
        "state": 30.0,
        "operators": 30.0,
        "operator_status": 60.0,
        "operator_statistics": 60.0,
        "queue_statistics": 60.0,
        "smartqueue_state": 30.0,
        "smartqueue_reports": 120.0,
        "queues": 600.0,
        "call_lists": 300.0,
        "account": 300.0,
    }
    AGENT_FEEDS: ClassVar[frozenset[str]] = frozenset(
        {"operators", "operator_status", "operator_statistics"}
    )
    SHARED_LOGIN: ClassVar[str] = "Voximplant may treat equal requests with one key as resends"

    ENDPOINTS: ClassVar = ("platform_api",)

    provider: Literal["voximplant"]
    credentials_file: CredentialsFile | None = None
    account_id: Id | None = None
    key_id: KeyId | None = None
    private_key: Annotated[SecretStr | None, AfterValidator(_private_key)] = None
    child_account_id: Id | None = None
    applications: list[Reference] = []
    window: Literal["day"] = "day"
    time_zone: Zone = ZoneInfo("UTC")
    smartqueue: SmartQueueConfig | None = None
    statistics: dict[Report, ColumnConfig] = {}
    call_list_details: bool = False

    @property
    def url(self) -> str:
        """The base URL of the methods."""
        return f"{(self.base_url or _HOST).rstrip('/')}/platform_api"

    @property
    def credentials(self) -> Credentials:
        """The key, from the file or the account's own keys."""
        if self.credentials_file is not None:
            return self.credentials_file
        assert self.account_id is not None, "faults() checks it"
        assert self.key_id is not None, "faults() checks it"
        assert self.private_key is not None, "faults() checks it"
        # Not validated again: that takes 50 ms, and a reload compares all logins.
        return Credentials.model_construct(
            account_id=self.account_id, key_id=self.key_id, private_key=self.private_key
        )

    @property
    def issuer(self) -> str:
        """The account whose figures are read."""
        return self.child_account_id or self.credentials.account_id

    @property
    def period(self) -> Period:
        """The period of the statistics: from the start of the local day until now."""
        return Period(self.window, self.time_zone)

    @property
    def reports(self) -> list[str]:
        """The SmartQueue reports to read: those listed and those mapped."""
        listed = self.smartqueue.reports if self.smartqueue else []
        return list(dict.fromkeys((*listed, *self.statistics)))

    @property
    def login(self) -> object:
        """The host, the account whose figures are read, and the key."""
        if self._key_faults():
            return None
        parts = urlsplit(self.url)
        return parts.hostname, parts.port, self.issuer, self.credentials.key_id

    @property
    def signs_in_with(self) -> tuple[object, ...]:
        """The common values, and the key that signs requests, from wherever it was read."""
        return (*super().signs_in_with, self.credentials.private_key.get_secret_value())

    def enabled_feeds(self) -> dict[str, FeedTimes]:
        """Return the enabled feeds; those of SmartQueue only where that is configured."""
        feeds = super().enabled_feeds()
        if self.smartqueue is None:
            feeds.pop("smartqueue_state", None)
        if self.smartqueue is None or not self.reports:
            feeds.pop("smartqueue_reports", None)
        return feeds

    def faults(self) -> Iterator[Fault]:
        """Yield the faults that the schema cannot express, by path."""
        yield from super().faults()
        yield from self._key_faults()
        if self.smartqueue is None:
            for feed in _SMARTQUEUE_FEEDS:
                if self.feeds.get(feed) is not None:
                    yield ("feeds", feed), "requires smartqueue:"
            if self.statistics:
                yield ("statistics",), "maps SmartQueue reports: requires smartqueue:"
        yield from self._statistics_faults()

    def _key_faults(self) -> list[Fault]:
        given = [name for name in _KEY_FIELDS if getattr(self, name) is not None]
        if self.credentials_file is not None:
            return [((name,), "is set in credentials_file too; set only one") for name in given]
        if not given:
            text = "expected credentials_file, or account_id, key_id and private_key"
            return [(("credentials_file",), text)]
        missing = [name for name in _KEY_FIELDS if name not in given]
        return [((name,), "is required without credentials_file") for name in missing]

    def _statistics_faults(self) -> Iterator[Fault]:
        for report, mapping in self.statistics.items():
            try:
                make_column(report, mapping, SMARTQUEUE_REPORTS)
            except ValueError as error:
                yield ("statistics", report), str(error)
