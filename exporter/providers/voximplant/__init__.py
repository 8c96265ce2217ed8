"""Voximplant: the Management API, its ACD v1 and SmartQueue."""

from exporter.providers import Provider
from exporter.providers.voximplant.collector import VoximplantCollector
from exporter.providers.voximplant.config import VoximplantConfig
from exporter.providers.voximplant.sanitise import VoximplantSanitiser
from exporter.providers.voximplant.tables import TABLES

PROVIDER = Provider(VoximplantConfig, VoximplantCollector, TABLES, VoximplantSanitiser)
