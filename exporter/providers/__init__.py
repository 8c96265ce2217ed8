"""The platforms: one folder each, with the same doors. The only place that names them all."""

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
    """What the rest of the exporter needs of a platform."""

    model: type[AccountConfig]
    collector: Callable[[Any, Http, AccountTelemetry, Clock], Collector]
    tables: tuple[Table, ...]
    sanitiser: Callable[[], Sanitiser]


class _ByName(Mapping[str, T]):
    """Something of each platform, which is loaded when it is first asked for.

    So the libraries of a platform without an account take no memory. Raises ``ConfigError`` where
    a platform cannot be loaded.
    """

    def __init__(self, of: Callable[[Provider], T]) -> None:
        self._of = of

    def __getitem__(self, name: str) -> T:
        if name not in _NAMES:
            raise KeyError(name)
        try:
            provider: Provider = import_module(f"{__name__}.{name}").PROVIDER
        except ImportError as error:  # after an upgrade: the process is older than its files
            raise ConfigError(
                [f"{name} cannot be loaded, restart the exporter: {error}"]
            ) from error
        return self._of(provider)

    def __iter__(self) -> Iterator[str]:
        return iter(_NAMES)

    def __len__(self) -> int:
        return len(_NAMES)


PROVIDERS: Mapping[str, Provider] = _ByName(lambda provider: provider)
MODELS: Mapping[str, type[AccountConfig]] = _ByName(lambda provider: provider.model)
