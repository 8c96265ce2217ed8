"""The web configuration file: reads and validates it, and reloads it when it changes.

The format is that of Prometheus' exporter-toolkit (``tls_server_config``, ``http_server_config``,
``basic_auth_users``, ``rate_limit``), so that one file serves all exporters. Settings that are not
supported are refused with the reason. Faults never show a hash or a key.
"""

import re
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, SecretStr, ValidationError

from exporter.config.schema import Duration, Fault, Model, shape_faults
from exporter.config.yaml import KeyPath, read, suggest
from exporter.errors import ConfigError
from exporter.logs import get_log
from exporter.web.tls import TlsServerConfig, make_context

# The values that a header may have; empty if any. No other header may be set.
_HEADERS: Mapping[str, tuple[str, ...]] = {
    "Content-Security-Policy": (),
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
}
_HASH = re.compile(r"\$2[abxy]\$(\d\d)\$[./A-Za-z0-9]{53}", re.ASCII)
_COSTS = range(4, 19)  # 2 to the cost rounds: at 18 one check takes many seconds
_READ_POLLS = 5  # about seconds, after which reading hangs
_VISIBLE = re.compile(r"[\x20-\x7e]*")

Stamp = tuple[int, int, int] | None


def _plain_text(value: object) -> object:
    """Return the integer of ``X-XSS-Protection: 1`` as text."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class HttpServerConfig(Model):
    """``http_server_config``: headers for every response."""

    http2: bool | None = None
    headers: dict[str, Annotated[str, BeforeValidator(_plain_text)]] = {}

    def faults(self) -> Iterator[Fault]:
        """Yield faults that the schema cannot express, with the path inside this section."""
        if self.http2:
            yield ("http2",), "HTTP/2 is not supported: set false, or leave it out"
        for name, value in self.headers.items():
            allowed = _HEADERS.get(name)
            if allowed is None:
                yield ("headers", name), f"cannot be set{suggest(name, list(_HEADERS))}"
            elif value and allowed and value not in allowed:
                yield ("headers", name), f"expected {' or '.join(allowed)}"
            elif not _VISIBLE.fullmatch(value):
                yield ("headers", name), "has characters that a header must not have"


class RateLimit(Model):
    """``rate_limit``: a bucket of ``burst`` requests, refilled by one per ``interval`` seconds."""

    interval: Duration = 0.0
    burst: Annotated[int, Field(ge=0)] = 0

    def faults(self) -> Iterator[Fault]:
        """Yield faults that the schema cannot express, with the path inside this section."""
        if self.interval and not self.burst:
            yield ("burst",), "has to be at least 1: with 0 every request would be refused"


class WebFile(Model):
    """The schema of the file."""

    tls_server_config: TlsServerConfig = TlsServerConfig()
    http_server_config: HttpServerConfig = HttpServerConfig()
    rate_limit: RateLimit = RateLimit()
    basic_auth_users: dict[str, SecretStr] = {}

    def faults(self) -> Iterator[Fault]:
        """Yield faults that the schema cannot express."""
        for name in ("tls_server_config", "http_server_config", "rate_limit"):
            for path, message in getattr(self, name).faults():
                yield (name, *path), message
        for user, secret in self.basic_auth_users.items():
            path = ("basic_auth_users", user)
            match = _HASH.fullmatch(secret.get_secret_value())
            if ":" in user:
                yield path, "a user name must not have a colon"
            if match is None:
                yield path, "is not a bcrypt hash, which begins with $2y$ or $2b$"
            elif int(match[1]) not in _COSTS:
                yield path, f"has a cost outside {_COSTS.start} to {_COSTS.stop - 1}"


@dataclass(frozen=True, slots=True)
class WebConfig:
    """A valid web configuration.

    ``tls`` is ``None`` for plain HTTP, ``users`` (name → bcrypt hash) is empty if no password is
    required, ``sans`` is ``None`` if a client certificate may have any name.
    """

    tls: ssl.SSLContext | None = None
    sans: frozenset[str] | None = None
    users: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    headers: tuple[tuple[bytes, bytes], ...] = ()
    interval: float = 0.0  # seconds between two requests; 0 for no limit
    burst: int = 0


@dataclass(slots=True)
class LoadResult:
    """A configuration or its faults, with the stamps of all files it was read from.

    A stamp is taken before its file is read, so that no later change is missed.
    """

    config: WebConfig | None = None
    faults: list[str] = field(default_factory=list)
    stamps: dict[Path, Stamp] = field(default_factory=dict)


def _stamp(file: Path) -> Stamp:
    """Return what changes when a file does; ``None`` if there is no file."""
    try:
        status = file.stat()
    except (OSError, ValueError):
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def load(file: Path) -> LoadResult:
    """Read a web configuration and the files that it names."""
    result = LoadResult(stamps={file: _stamp(file)})
    try:
        document = read(file, None)
    except ConfigError as error:
        result.faults = error.faults
        return result
    content = _without_nulls(document.value)
    faults: list[Fault] = []
    if not isinstance(content, dict):
        faults.append(((), "expected a mapping"))
        content = {}
    sections = _validate(content, faults)
    faults += sections.faults()
    tls = sections.tls_server_config
    for name in (tls.cert_file, tls.key_file, tls.client_ca_file):
        if name:
            result.stamps[file.parent / name] = _stamp(file.parent / name)
    context = None
    if not faults and tls.enabled:
        context, problems = make_context(tls, file.parent)
        faults += [(("tls_server_config", *path), message) for path, message in problems]
    result.faults = [*document.faults, *(document.fault(path, message) for path, message in faults)]
    if not result.faults:
        result.config = _config(sections, context)
    return result


def _validate(content: dict[str, Any], faults: list[Fault]) -> WebFile:
    """Return the sections that fit the schema; add the faults of the others to ``faults``."""
    try:
        return WebFile.model_validate(content)
    except ValidationError as error:
        problems = shape_faults(error, content, WebFile)
    faults += problems
    wrong = {path[0] for path, _ in problems}
    return WebFile.model_validate({key: part for key, part in content.items() if key not in wrong})


def _config(sections: WebFile, context: ssl.SSLContext | None) -> WebConfig:
    sans = sections.tls_server_config.client_allowed_sans
    users = sections.basic_auth_users.items()
    # The site itself sends nosniff in every response.
    headers = (
        (name.lower().encode(), value.encode())
        for name, value in sections.http_server_config.headers.items()
        if value and name != "X-Content-Type-Options"
    )
    return WebConfig(
        tls=context,
        sans=None if sans is None else frozenset(sans),
        users={user: secret.get_secret_value().encode() for user, secret in users},
        headers=tuple(headers),
        interval=sections.rate_limit.interval,
        burst=sections.rate_limit.burst,
    )


def _without_nulls(value: Any, path: KeyPath = ()) -> Any:
    """Drop keys without a value, which mean the default; but a user needs a hash."""
    if value is None and not path:
        return {}
    if not isinstance(value, dict) or path == ("basic_auth_users",):
        return value
    kept = {key: _without_nulls(part, (*path, key)) for key, part in value.items()}
    return {key: part for key, part in kept.items() if part is not None}


_log = get_log(__name__)


class WebConfigWatcher:
    """Holds the last valid web configuration with its certificates, and reloads changed files.

    Raises ``ConfigError`` if the first version is not valid.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        result = load(file)
        if result.config is None:
            raise ConfigError(result.faults)
        self.current: WebConfig = result.config
        self._valid = True
        self._thread = threading.Thread(target=self.look)  # the latest that looks for changes
        self._polls = 0  # since it was started
        self._hangs = False
        self._loaded = result.stamps
        self._changed: dict[Path, Stamp] = {}

    @property
    def last_reload_successful(self) -> bool:
        """Whether the latest version is in use, as far as its files can be read."""
        return self._valid and not self._hangs

    def poll(self) -> None:
        """Look for changed files in a thread; to be called about once a second.

        A file system may hang: the thread keeps neither the server nor the process from ending,
        and there is one at a time.
        """
        if not self._thread.is_alive():
            self._thread = threading.Thread(target=self.look, name="web config", daemon=True)
            self._polls, self._hangs = 0, False
            self._thread.start()
            return
        self._polls += 1
        if not self._hangs and self._polls >= _READ_POLLS:
            self._hangs = True
            fault = f"{self._file}: could not be read within {_READ_POLLS} s"
            _log.error("web configuration not reloaded", faults=fault)

    def look(self) -> None:
        """Look for changed files.

        A change is loaded once it is the same in two calls, so that no file is read while it is
        being written.
        """
        stamps = {file: _stamp(file) for file in self._loaded}
        if stamps == self._loaded:
            self._changed = {}
        elif stamps != self._changed:
            self._changed = stamps
        else:
            self._reload()

    def _reload(self) -> None:
        result = load(self._file)
        self._loaded, self._changed = result.stamps, {}
        faults = result.faults
        if result.config is not None:
            faults = [f"{self._file}: {fault}" for fault in self._needs_restart(result.config)]
        self._valid = not faults
        if result.config is None or faults:
            _log.error("web configuration not reloaded", faults="\n".join(faults))
            return
        self.current = result.config
        _log.info("web configuration reloaded", file=str(self._file))

    def _needs_restart(self, new: WebConfig) -> list[str]:
        """Return the changes that need a restart, so that no mistake removes all protection."""
        faults = []
        if (new.tls is None) != (self.current.tls is None):
            faults.append("tls_server_config: can only be added or removed by a restart")
        if self.current.users and not new.users:
            faults.append("basic_auth_users: can only be removed by a restart")
        return faults
