"""Which statistics are configured in the simulated tenant?

Those with a filter or a profile are from the vendor's Workspace simulator and tutorials; the
others are names of classic installations, with the definition that their name says.
"""

from typing import Any

from exporter.simulators.genesys.definitions import Definition, RefusedError, read

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
_SLIDING = {
    "intervalType": "SlidingWindow",
    "dynamicTimeProfile": "3600:10",
    "intervalLength": 9999999,
    "notificationFrequency": 10,
}
_VOICE = {"dynamicFilter": "MediaType=voice"}
_NOW = {"notificationMode": "Immediate"}
_EACH_TEN = {"notificationMode": "PERIODICAL", "notificationFrequency": 10}


def _of(category: str, subject: str, mask: str | None, *more: dict[str, Any]) -> dict[str, Any]:
    attributes: dict[str, Any] = {"category": category, "subject": subject}
    if mask is not None:
        attributes["mainMask"] = mask
    for each in more:
        attributes.update(each)
    return attributes


def _number(mask: str, *more: dict[str, Any]) -> dict[str, Any]:
    return _of("TotalNumber", "DNAction", mask, _TODAY, *more)


def _per(mask: str) -> dict[str, str]:
    return {"relativeMask": mask}


_CONFIGURED: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "CurrentAgentState": (("Agent",), _of("CurrentState", "DNAction", "*", _NOW)),
    "TimeInCurrentState": (
        ("Agent",),
        _of(
            *("CurrentTime", "DNStatus", "*"),
            {"notificationMode": "Periodical", "notificationFrequency": 5, "insensitivity": 0},
        ),
    ),
    "TimeInCurrentStateVoice": (("Agent",), _of("CurrentTime", "DNStatus", "*", _VOICE, _NOW)),
    "AverageHandlingTime": (
        ("Agent",),
        _of("AverageTime", "DNStatus", f"{_TALK},AfterCallWork", _per(_TALK), _TODAY, _VOICE),
    ),
    "InboundCalls": (("Agent",), _number("CallInbound", _VOICE)),
    "OutboundCalls": (("Agent",), _number("CallOutbound", _VOICE)),
    "InternalCalls": (("Agent",), _number("CallInternal", _VOICE)),
    "ConsultCalls": (("Agent",), _number("CallConsult", _VOICE)),
    "InteractionTransferred": (("Agent",), _number("CallTransferMade", _per("LoggedOut"))),
    "RefusedCalls": (("Agent",), _number("CallAbandonedFromRinging")),
    "MissedCalls": (("Agent",), _number("CallForwarded", _VOICE, _SLIDING)),
    "LoginDuration": (("Agent",), _of("TotalTime", "AgentStatus", _LOGGED_IN, _TODAY)),
    "ReadyDuration": (
        ("Agent",),
        _of("TotalAdjustedTime", "DNStatus", "WaitForNextCall", _TODAY, _VOICE),
    ),
    "NotReadyDuration": (
        ("Agent",),
        _of("TotalAdjustedTime", "AgentStatus", "NotReadyForNextCall", _TODAY),
    ),
    "TalkDuration": (("Agent",), _of("TotalAdjustedTime", "DNAction", _TALK, _TODAY, _VOICE)),
    "HoldDuration": (("Agent",), _of("TotalAdjustedTime", "DNAction", _HOLD, _TODAY, _VOICE)),
    "WrapDuration": (
        ("Agent",),
        _of(
            *("TotalAdjustedTime", "AgentStatus", "AfterCallWork", _per("AfterCallWork")),
            *(_TODAY, _EACH_TEN),
        ),
    ),
    "Productivity": (
        ("Agent",),
        _of(
            *("AverageNumberPerRelativeHour", "DNStatus", _TALK),
            *(_per(_LOGGED_IN), _TODAY, _VOICE),
        ),
    ),
    "CurrentReadyAgents": (
        ("GroupAgents",),
        _of("CurrentNumber", "DNStatus", "WaitForNextCall", {"insensitivity": 0}, _NOW, _VOICE),
    ),
    "CurrentNumberWaitingCalls": (
        ("RoutePoint", "Queue"),
        _of("CurrentNumber", "DNStatus", "CallWait", {"insensitivity": 0}, _NOW),
    ),
    "Current_In_Queue": (
        _QUEUES,
        _of("CurrentNumber", "DNAction", "CallWait", _VOICE, _EACH_TEN),
    ),
    "AverageWaitingTime": (
        ("GroupAgents", "Queue", "GroupQueues"),
        _of(
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
        _of("CurrentMaxTime", "DNAction", "CallWait", _EACH_TEN),
    ),
    "ServiceLevel": (
        _QUEUES,
        _of(
            *("ServiceFactor1", "DNAction", None, _SLIDING, _VOICE, _EACH_TEN),
            {"timeRangeLeft": 0, "timeRangeRight": 120},
            {"timeRangeLeft2": 0, "timeRangeRight2": 10},
        ),
    ),
    "Total_Abandoned": (_QUEUES, _number("CallAbandoned", _VOICE, _EACH_TEN)),
    "Total_Answered": (_QUEUES, _number("CallAnswered", _VOICE, _EACH_TEN)),
    "CurrNumberWaitingCalls": (_CLASSIC_QUEUES, _of("CurrentNumber", "DNAction", "CallWait")),
    "ExpectedWaitTime": (("Queue",), _of("EstimWaitTime", "DNAction", "CallWait")),
    **{
        f"CurrNumber{what}": (("GroupAgents",), _of("CurrentNumber", "DNStatus", mask))
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
        f"Total_Calls_{what}": (("Queue", "GroupQueues"), _number(mask))
        for what, mask in (
            ("Entered", "CallEntered"),
            ("Offered", "CallEntered"),
            ("Answered", "CallAnswered"),
            ("Abandoned", "CallAbandoned"),
        )
    },
    "Total_Calls_Answered_In_Threshold": (
        ("Queue", "GroupQueues"),
        _of(
            *("TotalNumberInTimeRange", "DNAction", "CallAnswered", _TODAY),
            {"timeRangeLeft": 0, "timeRangeRight": 20},
        ),
    ),
    "Total_Calls_Outbound": (_AGENTS, _number("CallOutbound")),
    "Total_Login_Time": (_AGENTS, _of("TotalTime", "AgentStatus", _LOGGED_IN, _TODAY)),
    "Total_Not_Ready_Time": (
        _AGENTS,
        _of("TotalTime", "AgentStatus", "NotReadyForNextCall", _TODAY),
    ),
    "Average_Handle_Time": (
        _AGENTS,
        _of("AverageTime", "DNStatus", f"{_TALK},CallOnHold,AfterCallWork", _per(_TALK), _TODAY),
    ),
    "Average_Hold_Time": (
        _AGENTS,
        _of("AverageTime", "DNStatus", "CallOnHold", _per(_TALK), _TODAY),
    ),
    "Service_Level": (
        ("Queue",),
        _of(
            *("ServiceFactor1", "DNAction", None, _TODAY),
            {"timeRangeLeft": 0, "timeRangeRight": 20},
            {"timeRangeLeft2": 0, "timeRangeRight2": 5},
        ),
    ),
    "CurrentAllAgentState": (("GroupAgents",), _of("CurrentState", "GroupStatus", "*", _NOW)),
}
NAMES = {name: (types, read(attributes)) for name, (types, attributes) in _CONFIGURED.items()}


def configured(name: str, object_type: str) -> Definition:
    """Return the definition behind a name, where it is for such objects; names have case."""
    if name not in NAMES:
        raise RefusedError(f"Unknown statistic {name}")
    types, definition = NAMES[name]
    if object_type not in types:
        raise RefusedError(f"Statistic {name} is not for {object_type}")
    return definition
