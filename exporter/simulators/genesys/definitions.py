"""Definitions of statistics, read as strictly as the Stat Server does, and the configured names.

Configured names with a filter or a profile are from the vendor's Workspace simulator and
tutorials; the others are names of classic installations, with the definition their name implies.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CURRENT = frozenset(
    [
        *("CurrentNumber", "CurrentTime", "CurrentMaxTime", "CurrentMinTime"),
        *("CurrentAverageTime", "CurrentContinuousTime", "CurrentRelativeTimePercentage"),
        *("CurrentRelativeNumberPercentage", "CurrentNumberInTimeRange"),
        *("CurrentNumberInTimeRangePercentage", "CurrentDistinctNumber", "CurrentCustomValue"),
        *("CurrentAverageCustomValue", "CurrentMinCustomValue", "CurrentMaxCustomValue"),
        *("CurrentState", "CurrentStateReasons", "CurrentTargetState"),
    ]
)
HISTORICAL = frozenset(
    [
        *("TotalNumber", "TotalTime", "TotalAdjustedNumber", "TotalAdjustedTime"),
        *("TotalDistinctTime", "AverageTime", "MaxTime", "MinTime", "MaxNumber", "MinNumber"),
        *("ElapsedTimePercentage", "RelativeTimePercentage", "RelativeNumber"),
        *("RelativeNumberPercentage", "TotalNumberInTimeRange", "TotalTimeInTimeRange"),
        *("TotalNumberInTimeRangePercentage", "TotalNumberPerSecond", "TotalNumberErrors"),
        *("AverageNumberPerRelativeHour", "AverageOfCurrentNumber", "AverageOfCurrentTime"),
        *("TotalCustomValue", "AverageCustomValue", "MinCustomValue", "MaxCustomValue"),
    ]
)
WAITS = frozenset(["EstimWaitTime", "EstimWaitingTime", "ExpectedWaitTime2"])
# The action that the main mask must have (Stat Server User's Guide, Compound Categories).
COMPOUND = {
    "ServiceFactor1": "CallAnswered",
    **dict.fromkeys((*WAITS, "LoadBalance", "LoadBalance1"), "CallWait"),
}
_OTHER = frozenset(
    ["EstimTimeToComplete", "EstimTimeToEndCurrentNumber", "JavaCategory", "Formula"]
)
SUBJECTS = frozenset(
    ["DNAction", "DNStatus", "AgentStatus", "PlaceStatus", "GroupStatus", "CampaignAction"]
)
OBJECT_TYPES = frozenset(
    [
        *("Agent", "AgentPlace", "GroupAgents", "GroupPlaces", "RoutePoint", "Queue"),
        *("GroupQueues", "Switch", "RegDN", "Campaign", "CampaignGroup", "CallingList"),
        *("CampaignCallingList", "Tenant", "StagingArea", "RoutingStrategy", "Workbin"),
    ]
)
STATUSES = (  # by rising priority
    *("NotMonitored", "Monitored", "LoggedIn", "OnHook", "WaitForNextCall", "OffHook"),
    *("CallDialing", "CallRinging", "NotReadyForNextCall", "AfterCallWork", "CallOnHold"),
    *("ASM_Engaged", "ASM_Outbound", "CallUnknown", "CallConsult", "CallInternal"),
    *("CallOutbound", "CallInbound", "LoggedOut"),
)
HOLDS = tuple(f"CallOnHold{kind}" for kind in ("Inbound", "Outbound", "Internal"))
AGENT_ACTIONS = frozenset(
    [
        *(*STATUSES, *HOLDS, "CallOnHoldConsult", "CallOnHoldUnknown"),
        *("CallTransferMade", "CallAbandonedFromRinging", "CallForwarded"),
    ]
)
QUEUE_ACTIONS = frozenset(
    [
        *("CallWait", "CallEntered", "CallDistributed", "CallAnswered", "CallAbandoned"),
        *("CallAbandonedFromRinging", "CallCleared", "CallForwarded", "CallReleased"),
        *("DNLogin", "DNActive", "DNReady", "AgentLogin", "AgentActive", "AgentReady"),
        *("InteractionEntered", "InteractionDistributed", "InteractionCleared"),
        "InteractionDeleted",
    ]
)
DIAL_MODES = frozenset(
    [
        *("NoDial", "Predict", "PredictAndSeize", "PredictGVP", "Preview", "Power"),
        *("PowerAndSeize", "PowerGVP", "Progress", "ProgressAndSeize", "ProgressGVP"),
        "PushPreview",
    ]
)
# Of a campaign and its groups; the operational actions are of lists too.
CONDITIONS = DIAL_MODES | frozenset(
    [
        *("StatusActivated", "StatusRunning", "StatusDeactivated", "StatusWaitingRecords"),
        *("StatusWaitingPorts", "StatusWaitingAgents", "StatusSystemError"),
    ]
)
CAMPAIGN_ACTIONS = CONDITIONS | {"LeadProcessed", "CallbackScheduled", "CallbackCompleted"}
_ACTIONS = AGENT_ACTIONS | QUEUE_ACTIONS | CAMPAIGN_ACTIONS
_ATTRIBUTES = frozenset(
    [
        *("notificationMode", "notificationFrequency", "insensitivity", "category", "subject"),
        *("intervalType", "intervalLength", "dynamicTimeProfile", "dynamicProfile", "mainMask"),
        *("relativeMask", "maskType", "dynamicFilter", "timeRangeLeft", "timeRangeRight"),
        *("timeRangeLeft2", "timeRangeRight2", "objects"),
    ]
)
_MODES = {name.lower(): name for name in ("Immediate", "Periodical", "NoNotification", "Reset")}
_INTERVALS = ("GrowingWindow", "SlidingWindow", "SlidingSelection", "SinceLogin")
# Every contact of the simulated tenant, whatever its medium, is a call of its one switch, so that
# both published spellings of the filter match everything.
_FILTERS = ("Media=voice", "MediaType=voice")
_MIDNIGHT = re.compile(r"0?0:00")
_SLIDING_PROFILE = re.compile(r"([1-9]\d*):([1-9]\d*)")
_FREQUENCY = 10.0  # seconds, the default of periodical statistics


class RefusedError(Exception):
    """A refused statistic; the text is the reason."""


@dataclass(frozen=True, slots=True)
class Mask:
    """A set of actions or statuses: named ones, or all but some."""

    named: frozenset[str]
    without: frozenset[str] = frozenset()
    every: bool = False

    def __contains__(self, action: str) -> bool:
        return action not in self.without and (self.every or action in self.named)

    def meets(self, actions: tuple[str, ...]) -> bool:
        """Return whether one of several simultaneous actions matches, and none is excluded."""
        if self.every:
            return self.without.isdisjoint(actions)
        return not self.named.isdisjoint(actions) and self.without.isdisjoint(actions)


@dataclass(frozen=True, slots=True)
class Definition:
    """A valid definition; ``window`` is in seconds, None means since midnight."""

    category: str
    subject: str
    main: Mask
    relative: Mask
    window: float | None
    mode: str
    frequency: float
    insensitivity: float | None
    ranges: tuple[float | None, float | None, float | None, float | None]


def read(attributes: Any) -> Definition:
    """Read the attributes of a definition; raises ``RefusedError``."""
    if not isinstance(attributes, Mapping):
        raise RefusedError("Definition is not an object")
    unknown = sorted(set(attributes) - _ATTRIBUTES)
    if unknown:
        raise RefusedError(f"Unknown attribute {unknown[0]}")
    category = _one_of(attributes, "category", CURRENT | HISTORICAL | frozenset(COMPOUND) | _OTHER)
    subject = _one_of(attributes, "subject", SUBJECTS)
    if attributes.get("maskType", "DN") != "DN":
        raise RefusedError(f"Unknown maskType {attributes['maskType']}")
    if attributes.get("dynamicFilter", _FILTERS[0]) not in _FILTERS:
        raise RefusedError(f"Unknown filter {attributes['dynamicFilter']}")
    objects = str(attributes.get("objects", "Agent")).split(",")
    if not OBJECT_TYPES.issuperset(objects):
        raise RefusedError(f"Unknown objects {attributes['objects']}")
    _numeric(attributes, "intervalLength")
    main = _mask(attributes, "mainMask")
    relative = _mask(attributes, "relativeMask")
    if relative is not None and main is None:
        raise RefusedError("relativeMask without mainMask")
    if category in COMPOUND:
        _check_compound(attributes, category, subject, main)
    if main is None and category not in _OTHER:
        raise RefusedError("mainMask is missing")
    nothing = Mask(frozenset())
    return Definition(
        category,
        subject,
        main or nothing,
        relative or nothing,
        _window(attributes) if category in HISTORICAL or category in COMPOUND else None,
        _mode(attributes),
        _numeric(attributes, "notificationFrequency") or _FREQUENCY,
        _numeric(attributes, "insensitivity"),
        (
            _numeric(attributes, "timeRangeLeft"),
            _numeric(attributes, "timeRangeRight"),
            _numeric(attributes, "timeRangeLeft2"),
            _numeric(attributes, "timeRangeRight2"),
        ),
    )


def _check_compound(
    attributes: Mapping[str, Any], category: str, subject: str, main: Mask | None
) -> None:
    """Refuse a compound category without its subject, its action or an interval."""
    if subject != "DNAction":
        raise RefusedError(f"{category} needs the subject DNAction")
    if main is None or COMPOUND[category] not in main:
        raise RefusedError(f"{category} needs {COMPOUND[category]} in its mainMask")
    if not {"intervalType", "dynamicTimeProfile", "dynamicProfile"} & set(attributes):
        raise RefusedError(f"{category} needs an interval")


def _one_of(attributes: Mapping[str, Any], name: str, known: frozenset[str]) -> str:
    value = attributes.get(name)
    if value is None:
        raise RefusedError(f"{name} is missing")
    if value not in known:
        raise RefusedError(f"Unknown {name} {value}")
    return str(value)


def _mode(attributes: Mapping[str, Any]) -> str:
    """Return the mode in the documents' spelling; tenant files write it in capitals."""
    given = str(attributes.get("notificationMode", "Immediate"))
    if given.lower() not in _MODES:
        raise RefusedError(f"Unknown notificationMode {given}")
    return _MODES[given.lower()]


def _numeric(attributes: Mapping[str, Any], name: str) -> float | None:
    """Return a non-negative number; tenant files quote them."""
    value = attributes.get(name)
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -1.0
    if not 0.0 <= number < float("inf") or isinstance(value, bool):
        raise RefusedError(f"Bad {name} {value}")
    return number


def _mask(attributes: Mapping[str, Any], name: str) -> Mask | None:
    """Read ``*``, ``CallWait,CallEntered`` or ``*,~LoggedOut``; files put single quotes around."""
    text = attributes.get(name)
    if text is None:
        return None
    words = [word.strip() for word in str(text).strip("'").split(",")]
    without = frozenset(word[1:].strip() for word in words if word.startswith("~"))
    named = frozenset(word for word in words if word != "*" and not word.startswith("~"))
    unknown = sorted((without | named) - _ACTIONS)
    if unknown:
        raise RefusedError(f"Unknown action {unknown[0]!r} in {name}")
    return Mask(named, without, every="*" in words or not named)


def _window(attributes: Mapping[str, Any]) -> float | None:
    """Return the seconds of a sliding window, None for the default, since midnight.

    Profiles that restart at another time or with a login are refused: the floor has none.
    """
    kind = attributes.get("intervalType", "GrowingWindow")
    profile = attributes.get("dynamicTimeProfile", attributes.get("dynamicProfile"))
    if kind not in _INTERVALS:
        raise RefusedError(f"Unknown intervalType {kind}")
    if kind == "GrowingWindow" and (profile is None or _MIDNIGHT.fullmatch(str(profile))):
        return None
    sliding = _SLIDING_PROFILE.fullmatch(str(profile))
    if kind == "SlidingWindow" and sliding:
        return float(sliding[1])
    raise RefusedError(f"Cannot apply time profile {profile} to {kind}")


_TALK = "CallUnknown,CallConsult,CallInternal,CallOutbound,CallInbound"
_HOLD = (
    "CallOnHoldInbound,CallOnHoldOutbound,CallOnHoldInternal,CallOnHoldConsult,CallOnHoldUnknown"
)
_LOGGED_IN = "*,~LoggedOut,~NotMonitored"
_QUEUES = ("RoutePoint", "GroupAgents", "Queue")
_CLASSIC_QUEUES = ("Queue", "GroupQueues", "RoutePoint")
_AGENTS = ("Agent", "GroupAgents")
_TODAY = {
    "intervalType": "GrowingWindow",
    "dynamicTimeProfile": "0:00",
    "notificationMode": "Immediate",
    "notificationFrequency": 10,
}
_LAST_HOUR = {
    "intervalType": "SlidingWindow",
    "dynamicTimeProfile": "3600:10",
    "intervalLength": 9999999,
    "notificationFrequency": 10,
}
_VOICE = {"dynamicFilter": "MediaType=voice"}
_NOW = {"notificationMode": "Immediate"}
_EVERY_10S = {"notificationMode": "PERIODICAL", "notificationFrequency": 10}


def _define(category: str, subject: str, mask: str, *more: dict[str, Any]) -> dict[str, Any]:
    attributes: dict[str, Any] = {"category": category, "subject": subject, "mainMask": mask}
    for extra in more:
        attributes.update(extra)
    return attributes


def _total(mask: str, *more: dict[str, Any]) -> dict[str, Any]:
    return _define("TotalNumber", "DNAction", mask, _TODAY, *more)


def _per(mask: str) -> dict[str, str]:
    return {"relativeMask": mask}


_CONFIGURED: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "CurrentAgentState": (("Agent",), _define("CurrentState", "DNAction", "*", _NOW)),
    "TimeInCurrentState": (
        ("Agent",),
        _define(
            *("CurrentTime", "DNStatus", "*"),
            {"notificationMode": "Periodical", "notificationFrequency": 5, "insensitivity": 0},
        ),
    ),
    "TimeInCurrentStateVoice": (
        ("Agent",),
        _define("CurrentTime", "DNStatus", "*", _VOICE, _NOW),
    ),
    "AverageHandlingTime": (
        ("Agent",),
        _define("AverageTime", "DNStatus", f"{_TALK},AfterCallWork", _per(_TALK), _TODAY, _VOICE),
    ),
    "InboundCalls": (("Agent",), _total("CallInbound", _VOICE)),
    "OutboundCalls": (("Agent",), _total("CallOutbound", _VOICE)),
    "InternalCalls": (("Agent",), _total("CallInternal", _VOICE)),
    "ConsultCalls": (("Agent",), _total("CallConsult", _VOICE)),
    "InteractionTransferred": (("Agent",), _total("CallTransferMade", _per("LoggedOut"))),
    "RefusedCalls": (("Agent",), _total("CallAbandonedFromRinging")),
    "MissedCalls": (("Agent",), _total("CallForwarded", _VOICE, _LAST_HOUR)),
    "LoginDuration": (("Agent",), _define("TotalTime", "AgentStatus", _LOGGED_IN, _TODAY)),
    "ReadyDuration": (
        ("Agent",),
        _define("TotalAdjustedTime", "DNStatus", "WaitForNextCall", _TODAY, _VOICE),
    ),
    "NotReadyDuration": (
        ("Agent",),
        _define("TotalAdjustedTime", "AgentStatus", "NotReadyForNextCall", _TODAY),
    ),
    "TalkDuration": (
        ("Agent",),
        _define("TotalAdjustedTime", "DNAction", _TALK, _TODAY, _VOICE),
    ),
    "HoldDuration": (
        ("Agent",),
        _define("TotalAdjustedTime", "DNAction", _HOLD, _TODAY, _VOICE),
    ),
    "WrapDuration": (
        ("Agent",),
        _define(
            *("TotalAdjustedTime", "AgentStatus", "AfterCallWork", _per("AfterCallWork")),
            *(_TODAY, _EVERY_10S),
        ),
    ),
    "Productivity": (
        ("Agent",),
        _define(
            *("AverageNumberPerRelativeHour", "DNStatus", _TALK),
            *(_per(_LOGGED_IN), _TODAY, _VOICE),
        ),
    ),
    "CurrentReadyAgents": (
        ("GroupAgents",),
        _define("CurrentNumber", "DNStatus", "WaitForNextCall", {"insensitivity": 0}, _NOW, _VOICE),
    ),
    "CurrentNumberWaitingCalls": (
        ("RoutePoint", "Queue"),
        _define("CurrentNumber", "DNStatus", "CallWait", {"insensitivity": 0}, _NOW),
    ),
    "Current_In_Queue": (
        _QUEUES,
        _define("CurrentNumber", "DNAction", "CallWait", _VOICE, _EVERY_10S),
    ),
    "AverageWaitingTime": (
        ("GroupAgents", "Queue", "GroupQueues"),
        _define(
            *("AverageTime", "DNAction", "CallWait", _per("CallWait"), _VOICE),
            {
                "intervalType": "GrowingWindow",
                "dynamicProfile": "0:00",
                "notificationMode": "PERIODICAL",
            },
        ),
    ),
    "CurrMaxCallWaitingTime": (
        ("Queue", "RoutePoint"),
        _define("CurrentMaxTime", "DNAction", "CallWait", _EVERY_10S),
    ),
    "ServiceLevel": (
        _QUEUES,
        _define(
            *("ServiceFactor1", "DNAction", "CallAnswered", _LAST_HOUR, _VOICE, _EVERY_10S),
            {"timeRangeLeft": 0, "timeRangeRight": 120},
            {"timeRangeLeft2": 0, "timeRangeRight2": 10},
        ),
    ),
    "Total_Abandoned": (_QUEUES, _total("CallAbandoned", _VOICE, _EVERY_10S)),
    "Total_Answered": (_QUEUES, _total("CallAnswered", _VOICE, _EVERY_10S)),
    "CurrNumberWaitingCalls": (
        _CLASSIC_QUEUES,
        _define("CurrentNumber", "DNAction", "CallWait"),
    ),
    "ExpectedWaitTime": (
        ("Queue",),
        _define("EstimWaitTime", "DNAction", "CallWait", _LAST_HOUR),
    ),
    **{
        f"CurrNumber{what}": (("GroupAgents",), _define("CurrentNumber", "DNStatus", mask))
        for what, mask in (
            ("InboundStatuses", "CallInbound"),
            ("OutboundStatuses", "CallOutbound"),
            ("InternalStatuses", "CallInternal"),
            ("ACWStatuses", "AfterCallWork"),
            ("NotReadyStatuses", "NotReadyForNextCall"),
            ("NotReadyReasons", "NotReadyForNextCall"),
            ("WaitStatuses", "WaitForNextCall"),
        )
    },
    **{
        f"Total_Calls_{what}": (("Queue", "GroupQueues"), _total(mask))
        for what, mask in (
            ("Entered", "CallEntered"),
            ("Offered", "CallEntered"),
            ("Answered", "CallAnswered"),
            ("Abandoned", "CallAbandoned"),
        )
    },
    "Total_Calls_Answered_In_Threshold": (
        ("Queue", "GroupQueues"),
        _define(
            *("TotalNumberInTimeRange", "DNAction", "CallAnswered", _TODAY),
            {"timeRangeLeft": 0, "timeRangeRight": 20},
        ),
    ),
    "Total_Calls_Outbound": (_AGENTS, _total("CallOutbound")),
    "Total_Login_Time": (_AGENTS, _define("TotalTime", "AgentStatus", _LOGGED_IN, _TODAY)),
    "Total_Not_Ready_Time": (
        _AGENTS,
        _define("TotalTime", "AgentStatus", "NotReadyForNextCall", _TODAY),
    ),
    "Average_Handle_Time": (
        _AGENTS,
        _define(
            "AverageTime",
            "DNStatus",
            f"{_TALK},CallOnHold,AfterCallWork",
            _per(_TALK),
            _TODAY,
        ),
    ),
    "Average_Hold_Time": (
        _AGENTS,
        _define("AverageTime", "DNStatus", "CallOnHold", _per(_TALK), _TODAY),
    ),
    "Service_Level": (
        ("Queue",),
        _define(
            *("ServiceFactor1", "DNAction", "CallAnswered", _TODAY),
            {"timeRangeLeft": 0, "timeRangeRight": 20},
            {"timeRangeLeft2": 0, "timeRangeRight2": 5},
        ),
    ),
    "CurrentAllAgentState": (
        ("GroupAgents",),
        _define("CurrentState", "GroupStatus", "*", _NOW),
    ),
}
NAMES = {name: (types, read(attributes)) for name, (types, attributes) in _CONFIGURED.items()}


def configured(name: str, object_type: str) -> Definition:
    """Return the definition of a configured name (case-sensitive); raises ``RefusedError``."""
    if name not in NAMES:
        raise RefusedError(f"Unknown statistic {name}")
    types, definition = NAMES[name]
    if object_type not in types:
        raise RefusedError(f"Statistic {name} is not for {object_type}")
    return definition
