"""Registry of the platforms, each a package with the same eight modules."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeVar

from exporter.clock import Clock
from exporter.collector.base import Collector
from exporter.collector.http import Http
from exporter.collector.sanitise import Sanitiser
from exporter.config.account import AccountConfig
from exporter.errors import ConfigError
from exporter.metrics.tables import Table
from exporter.telemetry import AccountTelemetry

T = TypeVar("T")
_NAMES = ("five9", "genesys", "brightpattern", "voximplant")


@dataclass(frozen=True, slots=True)
class Provider:
    """The parts of a platform that the rest of the exporter uses."""

    model: type[AccountConfig]
    collector: Callable[[Any, Http, AccountTelemetry, Clock], Collector]
    tables: tuple[Table, ...]
    sanitiser: Callable[[], Sanitiser]


class _ByName(Mapping[str, T]):
    """A part of each platform by name, imported at the first access.

    The libraries of a platform without an account take no memory. Raises ``ConfigError`` where a
    platform cannot be imported.
    """

    def __init__(self, part: Callable[[Provider], T]) -> None:
        self._part = part

    def __getitem__(self, name: str) -> T:
        if name not in _NAMES:
            raise KeyError(name)
        try:
            provider: Provider = import_module(f"{__name__}.{name}").PROVIDER
        except ImportError as error:  # after an upgrade under a running process
            raise ConfigError(
                [f"{name} cannot be loaded, restart the exporter: {error}"]
            ) from error
        return self._part(provider)

    def __iter__(self) -> Iterator[str]:
        return iter(_NAMES)

    def __len__(self) -> int:
        return len(_NAMES)


PROVIDERS: Mapping[str, Provider] = _ByName(lambda provider: provider)
MODELS: Mapping[str, type[AccountConfig]] = _ByName(lambda provider: provider.model)
