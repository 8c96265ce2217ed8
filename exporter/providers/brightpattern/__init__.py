"""Bright Pattern Real-Time Statistics API (JSON)."""

from exporter.providers import Provider
from exporter.providers.brightpattern.collector import BrightPatternCollector
from exporter.providers.brightpattern.config import BrightPatternConfig
from exporter.providers.brightpattern.sanitise import BrightPatternSanitiser
from exporter.providers.brightpattern.tables import TABLES

PROVIDER = Provider(
    BrightPatternConfig,
    BrightPatternCollector,
    TABLES,
    BrightPatternSanitiser,
)
