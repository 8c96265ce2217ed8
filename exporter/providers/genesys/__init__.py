"""Genesys Multicloud CX: the Statistics API v3, over REST and CometD."""

from exporter.providers import Provider
from exporter.providers.genesys.collector import GenesysCollector
from exporter.providers.genesys.config import GenesysConfig
from exporter.providers.genesys.sanitise import GenesysSanitiser
from exporter.providers.genesys.tables import TABLES

PROVIDER = Provider(GenesysConfig, GenesysCollector, TABLES, GenesysSanitiser)
