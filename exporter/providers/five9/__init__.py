"""Five9 Statistics Web Services (SOAP)."""

from exporter.providers import Provider
from exporter.providers.five9.collector import Five9Collector
from exporter.providers.five9.config import Five9Config
from exporter.providers.five9.sanitise import Five9Sanitiser
from exporter.providers.five9.tables import TABLES

PROVIDER = Provider(
    Five9Config,
    Five9Collector,
    TABLES,
    Five9Sanitiser,
)
