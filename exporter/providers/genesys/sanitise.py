"""Sanitiser of Genesys recordings: keeps definitions, statuses and figures."""

from typing import Any

from exporter.collector.sanitise import Sanitiser, Value
from exporter.providers.genesys.preflight import NAMES
from exporter.providers.genesys.statistics import OBJECT_TYPES, PROFILES
from exporter.providers.genesys.tables import TABLES

_KEPT = (
    *("statisticId", "objectType", "object_type", "type", "profile", "definition", "category"),
    *("subject", "mainMask", "notificationMode", "intervalType", "dynamicTimeProfile", "channel"),
    *("subscription", "supportedConnectionTypes", "connectionType", "version", "minimumVersion"),
    *("reconnect", "serviceState", "grant_type", "token_type", "timestamp", "time", "code"),
    *("grant", "mode", "verbose", "time_zone", "reset_time", "insensitivity"),
    "notificationFrequency",
)
_IDS = (
    *("objectId", "agentId", "placeId", "loginId", "dnId", "switchId", "connectionId", "groupId"),
    *("employeeId", "subscriptionId", "operationId", "clientId", "referenceId", "ids"),
    *("object_ids", "names", "tenant"),
)


class GenesysSanitiser(Sanitiser):
    """See ``Sanitiser``."""

    segments = frozenset({"auth", "statistics", "oauth", "token", "sign-out", "notifications"})

    def __init__(self) -> None:
        names = {name for names in NAMES.values() for name in names}
        super().__init__(
            TABLES,
            kept=_KEPT,
            plain=("id", "name"),
            hidden=_IDS,
            words=(*OBJECT_TYPES, *PROFILES.values(), *names, "INFO", "OFF", "subscribe", "poll"),
        )

    def mapping(self, content: Any, key: str, *, hide: bool) -> Value:
        """Return an object; ``names`` of the configuration has object ids as keys."""
        if key == "names":
            text = self.pseudonyms.text
            return {text(object_id): text(label) for object_id, label in content.items()}
        return super().mapping(content, key, hide=hide)
