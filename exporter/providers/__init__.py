"""The platforms: one folder each, with the same doors. The only place that names them all."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from exporter.clock import Clock
from exporter.collector import Collector
from exporter.config import AccountConfig
from exporter.providers.brightpattern.collector import BrightPatternCollector
from exporter.providers.brightpattern.config import BrightPatternConfig
from exporter.providers.brightpattern.sanitise import BrightPatternSanitiser
from exporter.providers.brightpattern.tables import TABLES as BRIGHTPATTERN_TABLES
from exporter.providers.five9.collector import Five9Collector
from exporter.providers.five9.config import Five9Config
from exporter.providers.five9.sanitise import Five9Sanitiser
from exporter.providers.five9.tables import LICENSES, PERMISSIONS, STATISTICS
from exporter.providers.genesys.collector import GenesysCollector
from exporter.providers.genesys.config import GenesysConfig
from exporter.providers.genesys.sanitise import GenesysSanitiser
from exporter.providers.genesys.tables import TABLES as GENESYS_TABLES
from exporter.providers.voximplant.collector import VoximplantCollector
from exporter.providers.voximplant.config import VoximplantConfig
from exporter.providers.voximplant.sanitise import VoximplantSanitiser
from exporter.providers.voximplant.tables import TABLES as VOXIMPLANT_TABLES
from exporter.sanitise import Sanitiser
from exporter.tables import Table
from exporter.telemetry import AccountTelemetry
from exporter.transport import Http


@dataclass(frozen=True, slots=True)
class Provider:
    """What the rest of the exporter needs of a platform."""

    model: type[AccountConfig]
    collector: Callable[[Any, Http, AccountTelemetry, Clock], Collector]
    tables: tuple[Table, ...]
    sanitiser: Callable[[], Sanitiser]


PROVIDERS: Mapping[str, Provider] = {
    "five9": Provider(
        Five9Config,
        Five9Collector,
        (*STATISTICS.values(), LICENSES, PERMISSIONS),
        Five9Sanitiser,
    ),
    "genesys": Provider(GenesysConfig, GenesysCollector, GENESYS_TABLES, GenesysSanitiser),
    "brightpattern": Provider(
        BrightPatternConfig, BrightPatternCollector, BRIGHTPATTERN_TABLES, BrightPatternSanitiser
    ),
    "voximplant": Provider(
        VoximplantConfig,
        VoximplantCollector,
        tuple(table for tables in VOXIMPLANT_TABLES.values() for table in tables),
        VoximplantSanitiser,
    ),
}
MODELS: Mapping[str, type[AccountConfig]] = {
    name: provider.model for name, provider in PROVIDERS.items()
}
