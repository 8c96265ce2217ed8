"""Which statistics are opened: the built-in sets for each kind of object, and their definitions.

All are defined here rather than taken by name, because which names a contact centre has is its own
configuration. Attributes and masks are those of the Statistics API reference and of the Stat Server
User's Guide; the definitions follow those that the vendor publishes with its Agent API simulator,
less their filters on media, whose spelling differs between two pages of the vendor.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from exporter.providers.genesys import headers as h

Profile = Literal["agent", "agent_group", "queue", "campaign"]
Definition = Mapping[str, Any]

QUEUE_TYPES: Final = ("Queue", "RoutePoint", "GroupQueues")
GROUP_TYPES: Final = ("GroupAgents", "GroupPlaces")
AGENT_TYPES: Final = ("Agent", "AgentPlace")
CAMPAIGN_TYPES: Final = ("Campaign", "CampaignGroup", "CallingList", "CampaignCallingList")
OTHER_TYPES: Final = ("Switch", "RegDN", "Tenant", "StagingArea", "RoutingStrategy", "Workbin")
OBJECT_TYPES: Final = (*AGENT_TYPES, *GROUP_TYPES, *QUEUE_TYPES, *CAMPAIGN_TYPES, *OTHER_TYPES)
PROFILES: Final[Mapping[str, Profile]] = {
    **dict.fromkeys(AGENT_TYPES, "agent"),
    **dict.fromkeys(GROUP_TYPES, "agent_group"),
    **dict.fromkeys(QUEUE_TYPES, "queue"),
    **dict.fromkeys(CAMPAIGN_TYPES, "campaign"),
}

_PERIODICAL: Definition = {
    "notificationMode": "Periodical",
    "notificationFrequency": 10,
    "insensitivity": 1,
}
# Told every time: a change below the least insensitivity, which is 1, would matter here.
_PRECISE: Definition = {**_PERIODICAL, "insensitivity": 0}
_IMMEDIATE: Definition = {"notificationMode": "Immediate", "insensitivity": 1}
_TODAY: Definition = {"intervalType": "GrowingWindow", "dynamicTimeProfile": "0:00"}
_LAST_HOUR: Definition = {"intervalType": "SlidingWindow", "dynamicTimeProfile": "3600:10"}
_TALK = "CallUnknown,CallConsult,CallInternal,CallOutbound,CallInbound"
_HOLD = (
    "CallOnHoldInbound,CallOnHoldOutbound,CallOnHoldInternal,CallOnHoldConsult,CallOnHoldUnknown"
)
_SHORT_ABANDON = 10  # seconds, as in the vendor's sample of ServiceFactor1
# The statuses of an agent by the state that we call them; each agent has one status.
STATUSES: Final[Mapping[str, tuple[str, ...]]] = {
    "ready": ("WaitForNextCall",),
    "ringing": ("CallDialing", "CallRinging"),
    "on_contact": (
        "CallUnknown",
        "CallConsult",
        "CallInternal",
        "CallOutbound",
        "CallInbound",
        "ASM_Engaged",
        "ASM_Outbound",
    ),
    "on_hold": ("CallOnHold",),
    "after_contact_work": ("AfterCallWork",),
    "not_ready": ("NotReadyForNextCall",),
    "logged_out": ("LoggedOut",),
    "other": ("LoggedIn", "OnHook", "OffHook"),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A statistic to open for an object: its column here, and what it is to the platform.

    It has a ``name`` where the contact centre has it defined, else a ``definition``. A ``guess``
    is one whose combination of attributes no document shows: it is opened apart, so that a refusal
    costs nothing else.
    """

    header: str
    name: str | None = None
    definition: Definition = field(default_factory=dict)
    guess: bool = False


def _defined(
    header: str, category: str, mask: str, *more: Definition, subject: str = "DNAction"
) -> Wanted:
    definition = {"category": category, "subject": subject, "mainMask": mask}
    for each in more:
        definition |= each
    return Wanted(header, definition=definition)


def _today(header: str, action: str, category: str = "TotalNumber") -> Wanted:
    """Count an action since midnight, telling every change."""
    return _defined(header, category, action, _TODAY, _IMMEDIATE)


def queue(threshold: float) -> Sequence[Wanted]:
    """Return what is opened for a queue; ``threshold`` is the T of "answered within", seconds."""
    within = {"timeRangeLeft": 0, "timeRangeRight": round(threshold)}
    service_level = {
        "category": "ServiceFactor1",
        "subject": "DNAction",
        **_LAST_HOUR,
        **within,
        "timeRangeLeft2": 0,
        "timeRangeRight2": _SHORT_ABANDON,
        **_PRECISE,
    }
    answered_within = _defined(
        h.WITHIN, "TotalNumberInTimeRange", "CallAnswered", _TODAY, within, _IMMEDIATE
    )
    return (
        _defined(h.WAITING, "CurrentNumber", "CallWait", _IMMEDIATE),
        _defined(h.LONGEST_WAIT, "CurrentMaxTime", "CallWait", _PERIODICAL),
        _today(h.OFFERED, "CallEntered"),
        _today(h.ANSWERED, "CallAnswered"),
        _today(h.ABANDONED, "CallAbandoned"),
        Wanted(h.SERVICE_LEVEL, definition=service_level),
        *_guessed(
            _today(h.HANDLED, "CallReleased"),
            answered_within,
            _defined(h.ANSWER_WAIT, "TotalTime", "CallAnswered", _TODAY, _PERIODICAL),
            _defined(h.ESTIMATED_WAIT, "EstimWaitTime", "CallWait", _PRECISE),
        ),
    )


def _guessed(*wanted: Wanted) -> Sequence[Wanted]:
    return tuple(replace(each, guess=True) for each in wanted)


AGENT_GROUP: Final = tuple(
    _defined(
        h.GROUP_STATES[state],
        "CurrentNumber",
        ",".join(statuses),
        _IMMEDIATE,
        subject="AgentStatus",
    )
    for state, statuses in STATUSES.items()
)

AGENT_STATE: Final = _defined(
    h.AGENT_STATE, "CurrentState", "*", {"notificationMode": "Immediate"}, subject="AgentStatus"
)
# What is opened for an agent whose own figures are wanted; none of it in aggregate mode.
AGENT_DAY: Final = (
    _today(h.AGENT_HANDLED, "CallInbound,CallOutbound"),
    *(
        _today(header, f"Call{direction.capitalize()}")
        for direction, header in h.AGENT_CALLS.items()
    ),
    *(
        _defined(header, category, mask, _TODAY, _PERIODICAL, subject=subject)
        for header, category, subject, mask in (
            (h.AGENT_TALK, "TotalAdjustedTime", "DNAction", _TALK),
            (h.AGENT_HOLD, "TotalAdjustedTime", "DNAction", _HOLD),
            (h.AGENT_WORK, "TotalAdjustedTime", "AgentStatus", "AfterCallWork"),
            (h.AGENT_READY, "TotalAdjustedTime", "AgentStatus", "WaitForNextCall"),
            (h.AGENT_NOT_READY, "TotalAdjustedTime", "AgentStatus", "NotReadyForNextCall"),
            (h.AGENT_LOGIN, "TotalTime", "AgentStatus", "*,~LoggedOut,~NotMonitored"),
        )
    ),
)

# The vendor documents the actions; that these categories count them is our reading.
CAMPAIGN: Final = _guessed(
    *(
        _defined(header, "CurrentNumber", action, _IMMEDIATE, subject="CampaignAction")
        for header, action in h.CAMPAIGN_STATUSES.items()
    ),
    _defined(
        h.PROCESSED, "TotalNumber", "LeadProcessed", _TODAY, _IMMEDIATE, subject="CampaignAction"
    ),
)


def of(profile: Profile, *, each_agent: bool, threshold: float) -> Sequence[Wanted]:
    """Return the built-in set of a profile."""
    if profile == "queue":
        return queue(threshold)
    if profile == "agent_group":
        return AGENT_GROUP
    if profile == "campaign":
        return CAMPAIGN
    return (AGENT_STATE, *AGENT_DAY) if each_agent else (AGENT_STATE,)
