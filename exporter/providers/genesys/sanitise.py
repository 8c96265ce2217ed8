"""Sanitiser of Genesys recordings.

Sources of the keys and words: Statistics API and Authentication API references, Stat Server User's
Guide, Platform SDK (EventInfo), Bayeux protocol.
"""

import contextlib
import re

import orjson

from exporter.collector.sanitise import Allowed, Sanitiser, Value
from exporter.providers.genesys.preflight import NAMES
from exporter.providers.genesys.statistics import OBJECT_TYPES, PROFILES
from exporter.providers.genesys.tables import AGENT_STATES

_CHANNELS = (
    *(f"/meta/{name}" for name in ("handshake", "connect", "subscribe", "unsubscribe")),
    *("/meta/disconnect", "/statistics/v3/updates", "/statistics/v3/service"),
)
_CATEGORIES = (
    *("CurrentNumber", "CurrentTime", "CurrentMaxTime", "CurrentMinTime", "CurrentAverageTime"),
    *("CurrentContinuousTime", "CurrentRelativeTimePercentage", "CurrentDistinctNumber"),
    *("CurrentRelativeNumberPercentage", "CurrentNumberInTimeRange", "CurrentCustomValue"),
    *("CurrentNumberInTimeRangePercentage", "CurrentAverageCustomValue", "CurrentMinCustomValue"),
    *("CurrentMaxCustomValue", "CurrentState", "CurrentStateReasons", "CurrentTargetState"),
    *("TotalNumber", "TotalTime", "TotalAdjustedNumber", "TotalAdjustedTime", "TotalDistinctTime"),
    *("AverageTime", "MaxTime", "MinTime", "MaxNumber", "MinNumber", "ElapsedTimePercentage"),
    *("RelativeTimePercentage", "RelativeNumber", "RelativeNumberPercentage", "TotalCustomValue"),
    *("TotalNumberInTimeRange", "TotalNumberInTimeRangePercentage", "TotalTimeInTimeRange"),
    *("TotalNumberPerSecond", "AverageNumberPerRelativeHour", "AverageOfCurrentNumber"),
    *("AverageOfCurrentTime", "TotalNumberErrors", "AverageCustomValue", "MinCustomValue"),
    *("MaxCustomValue", "EstimWaitTime", "EstimWaitingTime", "ExpectedWaitTime2", "LoadBalance"),
    *("LoadBalance1", "ServiceFactor1", "EstimTimeToComplete", "EstimTimeToEndCurrentNumber"),
    *("JavaCategory", "Formula"),
)
_MASKS = (  # a preceding ~ excludes
    *("*", "NotMonitored", "Monitored", "LoggedIn", "OnHook", "WaitForNextCall", "OffHook"),
    *("CallDialing", "CallRinging", "NotReadyForNextCall", "AfterCallWork", "CallOnHold"),
    *("ASM_Engaged", "ASM_Outbound", "CallUnknown", "CallConsult", "CallInternal", "LoggedOut"),
    *("CallOutbound", "CallInbound", "CallOnHoldInbound", "CallOnHoldOutbound", "CallTransferMade"),
    *("CallOnHoldInternal", "CallOnHoldConsult", "CallOnHoldUnknown", "CallWait", "CallEntered"),
    *("CallDistributed", "CallAnswered", "CallAbandoned", "CallAbandonedFromRinging"),
    *("CallCleared", "CallForwarded", "CallReleased", "DNLogin", "DNActive", "DNReady"),
    *("AgentLogin", "AgentActive", "AgentReady", "InteractionEntered", "InteractionDistributed"),
    *("InteractionCleared", "InteractionDeleted", "StatusActivated", "StatusRunning"),
    *("StatusDeactivated", "StatusWaitingRecords", "StatusWaitingPorts", "StatusWaitingAgents"),
    *("StatusSystemError", "LeadProcessed", "CallbackScheduled", "CallbackCompleted"),
)
_ERROR_CODE = re.compile(r"[45]\d\d:", re.ASCII)
_STATUSES = (*AGENT_STATES.words, *_MASKS)
_NAMES = tuple(name for names in NAMES.values() for name in names)

ALLOWED = Allowed(
    objects={
        *("data", "statistics", "definition", "value", "stateValue", "objectValue", "place"),
        *("dnStatuses", "actions", "agents", "status", "errors", "advice", "objects"),
    },
    figures={
        *("code", "status", "expires_in", "interval", "timeout", "value", "intValue"),
        *("stringValue", "longValue", "doubleValue", "floatValue", "intervalLength", "tag"),
        *("insensitivity", "notificationFrequency", "timeRangeLeft", "timeRangeRight"),
        *("timeRangeLeft2", "timeRangeRight2", "agentCount", "version", "minimumVersion"),
        *("dynamicTimeProfile", "dynamicProfile", "chunk"),
    },
    times={"timestamp", "time"},
    words={
        **dict.fromkeys(("channel", "subscription", "topic"), _CHANNELS),
        "name": (*_NAMES, "StatisticUpdate", "ServiceStateChange"),
        **dict.fromkeys(("objectType", "object_type", "type"), OBJECT_TYPES),
        "objects": OBJECT_TYPES,
        "category": _CATEGORIES,
        "subject": (
            *("DNAction", "DNStatus", "AgentStatus", "PlaceStatus", "GroupStatus"),
            "CampaignAction",
        ),
        **dict.fromkeys(("mainMask", "relativeMask"), _MASKS),
        "maskType": ("DN",),
        "dynamicFilter": ("MediaType=voice", "Media=voice"),
        "notificationMode": ("Immediate", "Periodical", "NoNotification", "Reset"),
        "intervalType": ("GrowingWindow", "SlidingWindow", "SlidingSelection", "SinceLogin"),
        **dict.fromkeys(("status", "value", "stringValue", "action"), _STATUSES),
        **dict.fromkeys(
            ("supportedConnectionTypes", "connectionType"),
            ("long-polling", "callback-polling", "websocket"),
        ),
        "reconnect": ("retry", "handshake", "none"),
        "serviceState": ("AVAILABLE", "UNAVAILABLE"),
        "error": (
            *("invalid_request", "invalid_client", "invalid_grant", "unauthorized_client"),
            *("unsupported_grant_type", "invalid_scope"),
            *("402::Unknown client", "402::unknown_session", "402::session_unknown"),
        ),
        "grant_type": ("password", "client_credentials", "refresh_token"),
        "token_type": ("bearer",),
        "verbose": ("INFO", "OFF"),
        # Settings.
        "profile": tuple(PROFILES.values()),
        "grant": ("password", "client_credentials"),
        "mode": ("subscribe", "poll"),
        "window": ("day",),
        "feeds": ("statistics",),
    },
    replaced={
        *("access_token", "refresh_token", "scope", "username", "password", "client_id"),
        *("client_secret", "operationId", "subscriptionId", "statisticId", "statisticIds"),
        *("objectId", "clientId", "id", "agentId", "placeId", "loginId", "dnId", "switchId"),
        *("connectionId", "groupId", "employeeId", "referenceId", "message", "path"),
        *("error_description", "successful", "multiple-clients", "detail", "ids", "names"),
        *("object_ids", "metric", "labels"),
    },
    segments={"auth", "statistics", "oauth", "token", "sign-out", "notifications"},
)


class GenesysSanitiser(Sanitiser):
    """Sanitiser of JSON bodies and forms; numbers of statistics and messages are the exporter's."""

    allowed = ALLOWED

    def exchange(
        self, operation: str, asked: tuple[str, bytes], answered: tuple[str, bytes]
    ) -> tuple[Value, Value]:
        """Store the numbers that a request gives to statistics and messages."""
        with contextlib.suppress(orjson.JSONDecodeError):
            self._store_numbers(orjson.loads(asked[1]))
        return super().exchange(operation, asked, answered)

    def _store_numbers(self, body: Value) -> None:
        if isinstance(body, list):  # Bayeux messages
            self.own.setdefault("id", set()).update(message.get("id", "") for message in body)
        elif isinstance(body, dict):
            statistics = body.get("data", {}).get("statistics", ())
            numbers = (item["statisticId"] for item in statistics if "statisticId" in item)
            self.own.setdefault("statisticId", set()).update(numbers)

    def replace(self, value: Value, key: str) -> Value:
        """Return the replacement of a value; an error of Bayeux keeps its code."""
        code = _ERROR_CODE.match(value) if key == "error" and isinstance(value, str) else None
        if code is None:
            return super().replace(value, key)
        return code[0] + str(super().replace(value[code.end() :], key))
