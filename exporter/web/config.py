"""The web configuration file: how is the way to the page kept, and who may go it?

The format is the one that Prometheus' own exporters share (``tls_server_config``,
``http_server_config``, ``basic_auth_users``, ``rate_limit``), so that one file serves them all.
What cannot be done here is refused with its reason. Faults never show a hash or a key.
"""

import re
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, SecretStr, ValidationError

from exporter.config.schema import Duration, Fault, Model, shape_faults
from exporter.config.yaml import KeyPath, read, suggest
from exporter.errors import ConfigError
from exporter.logs import get_log
from exporter.web.tls import TlsServer, make_context

# What a header may be set to; nothing where anything goes. No other header may be set.
_HEADERS: Mapping[str, tuple[str, ...]] = {
    "Content-Security-Policy": (),
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
}
_HASH = re.compile(r"\$2[abxy]\$(\d\d)\$[./A-Za-z0-9]{53}", re.ASCII)
_COSTS = range(4, 19)  # 2 to the cost rounds: at 18 one check takes many seconds already
_VISIBLE = re.compile(r"[\x20-\x7e]*")

Stamp = tuple[int, int, int] | None


def _plain_text(value: object) -> object:
    """Read ``X-XSS-Protection: 1`` as the text that it stands for."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class HttpServer(Model):
    """``http_server_config``: headers for every answer."""

    http2: bool | None = None
    headers: dict[str, Annotated[str, BeforeValidator(_plain_text)]] = {}

    def faults(self) -> Iterator[Fault]:
        """Yield what is wrong beyond the shape, with the path inside this section."""
        if self.http2:
            yield ("http2",), "only HTTP/1.1 is spoken here: say false, or leave it out"
        for name, value in self.headers.items():
            allowed = _HEADERS.get(name)
            if allowed is None:
                yield ("headers", name), f"cannot be set{suggest(name, list(_HEADERS))}"
            elif value and allowed and value not in allowed:
                yield ("headers", name), f"should be {' or '.join(allowed)}"
            elif not _VISIBLE.fullmatch(value):
                yield ("headers", name), "has characters that a header cannot have"


class RateLimit(Model):
    """``rate_limit``: a bucket of ``burst`` requests, refilled by one each ``interval`` seconds."""

    interval: Duration = 0.0
    burst: Annotated[int, Field(ge=0)] = 0

    def faults(self) -> Iterator[Fault]:
        """Yield what is wrong beyond the shape, with the path inside this section."""
        if self.interval and not self.burst:
            yield ("burst",), "has to be at least 1: with 0 no request would ever be answered"


class WebFile(Model):
    """The whole file."""

    tls_server_config: TlsServer = TlsServer()
    http_server_config: HttpServer = HttpServer()
    rate_limit: RateLimit = RateLimit()
    basic_auth_users: dict[str, SecretStr] = {}

    def faults(self) -> Iterator[Fault]:
        """Yield what is wrong beyond the shape."""
        sections = ("tls_server_config", "http_server_config", "rate_limit")
        for name in sections:
            for path, message in getattr(self, name).faults():
                yield (name, *path), message
        for user, secret in self.basic_auth_users.items():
            path = ("basic_auth_users", user)
            match = _HASH.fullmatch(secret.get_secret_value())
            if ":" in user:
                yield path, "a user's name cannot have a colon"
            if match is None:
                yield path, "is no bcrypt hash, which begins with $2y$ or $2b$"
            elif int(match[1]) not in _COSTS:
                yield path, f"has a cost out of {_COSTS.start} to {_COSTS.stop - 1}"


@dataclass(frozen=True, slots=True)
class WebConfig:
    """A web configuration without faults.

    ``tls`` is ``None`` where plain HTTP is spoken, ``users`` (name → bcrypt hash) is empty where
    everybody may come in, ``sans`` is ``None`` where a client's certificate may have any name.
    """

    tls: ssl.SSLContext | None = None
    sans: frozenset[str] | None = None
    users: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    headers: tuple[tuple[bytes, bytes], ...] = ()
    interval: float = 0.0  # seconds between two requests; 0 is no limit
    burst: int = 0


@dataclass(slots=True)
class Reading:
    """What came of reading the file: a configuration or faults, and all files that were asked.

    ``stamps`` were taken before each file was read, so that a later change is seen for certain.
    """

    config: WebConfig | None = None
    faults: list[str] = field(default_factory=list)
    stamps: dict[Path, Stamp] = field(default_factory=dict)


def stamp(file: Path) -> Stamp:
    """Return what changes when a file does; ``None`` where there is none."""
    try:
        found = file.stat()
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def load(file: Path) -> WebConfig:
    """Read a web configuration; raises ``ConfigError`` with every fault found."""
    reading = attempt(file)
    if reading.config is None:
        raise ConfigError(reading.faults)
    return reading.config


def attempt(file: Path) -> Reading:
    """Read a web configuration, and say what was wrong or which files it was made of."""
    reading = Reading(stamps={file: stamp(file)})
    try:
        located = read(file, None)
    except ConfigError as error:
        reading.faults = error.faults
        return reading
    found = _without_nulls(located.value)
    faults: list[Fault] = []
    if not isinstance(found, dict):
        faults.append(((), "a mapping is wanted"))
        found = {}
    shape = _shaped(found, faults)
    faults += shape.faults()
    tls = shape.tls_server_config
    named = (tls.cert_file, tls.key_file, tls.client_ca_file)
    files = [file.parent / name for name in named if name]
    reading.stamps |= {each: stamp(each) for each in files}
    context = None
    if not faults and tls.wanted:
        context, problems = make_context(tls, file.parent)
        faults += [(("tls_server_config", *path), message) for path, message in problems]
    reading.faults = [*located.faults, *(located.fault(path, message) for path, message in faults)]
    if not reading.faults:
        reading.config = _config(shape, context)
    return reading


def _shaped(found: dict[str, Any], faults: list[Fault]) -> WebFile:
    """Return the sections that have the right shape; what is wrong with others goes to faults."""
    try:
        return WebFile.model_validate(found)
    except ValidationError as error:
        problems = shape_faults(error, found, WebFile)
    faults += problems
    wrong = {path[0] for path, _ in problems}
    return WebFile.model_validate({key: part for key, part in found.items() if key not in wrong})


def _config(shape: WebFile, context: ssl.SSLContext | None) -> WebConfig:
    sans = shape.tls_server_config.client_allowed_sans
    users = shape.basic_auth_users.items()
    # The site says nosniff by itself, in every answer.
    headers = (
        (name.lower().encode(), value.encode())
        for name, value in shape.http_server_config.headers.items()
        if value and name != "X-Content-Type-Options"
    )
    return WebConfig(
        tls=context,
        sans=None if sans is None else frozenset(sans),
        users={user: secret.get_secret_value().encode() for user, secret in users},
        headers=tuple(headers),
        interval=shape.rate_limit.interval,
        burst=shape.rate_limit.burst,
    )


def _without_nulls(value: Any, path: KeyPath = ()) -> Any:
    """Leave out keys without a value, which mean the default; but a user needs a hash."""
    if value is None and not path:
        return {}
    if not isinstance(value, dict) or path == ("basic_auth_users",):
        return value
    kept = {key: _without_nulls(part, (*path, key)) for key, part in value.items()}
    return {key: part for key, part in kept.items() if part is not None}


_log = get_log(__name__)


class WebWatch:
    """Keeps the last version of a web configuration, with its certificates, that could be used.

    Raises ``ConfigError`` where the first one cannot.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        reading = attempt(file)
        if reading.config is None:
            raise ConfigError(reading.faults)
        self.current: WebConfig = reading.config
        self.well = True  # the latest version is the one that is used
        self._taken = reading.stamps
        self._changed: dict[Path, Stamp] = {}

    def poll(self) -> None:
        """Look at the files once, to be called about each second.

        A change is taken when it has stood still from one look to the next, so that nothing is
        read while it is being written.
        """
        seen = {file: stamp(file) for file in self._taken}
        if seen == self._taken:
            self._changed = {}
        elif seen != self._changed:
            self._changed = seen
        else:
            self._take()

    def _take(self) -> None:
        reading = attempt(self._file)
        self._taken, self._changed = reading.stamps, {}
        faults = reading.faults
        if reading.config is not None:
            faults = [f"{self._file}: {each}" for each in self._needs_restart(reading.config)]
        self.well = not faults
        if reading.config is None or faults:
            _log.error("web configuration was not taken", faults="\n".join(faults))
            return
        self.current = reading.config
        _log.info("web configuration was read again", file=str(self._file))

    def _needs_restart(self, new: WebConfig) -> list[str]:
        """Return what is not changed while running: nothing opens to everybody by a slip."""
        faults = []
        if (new.tls is None) != (self.current.tls is None):
            faults.append("tls_server_config: is added or removed by a restart only")
        if self.current.users and not new.users:
            faults.append("basic_auth_users: is removed by a restart only")
        return faults
