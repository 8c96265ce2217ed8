"""Statistics to open: the built-in set of each object type, and their Stat Server definitions.

Every built-in statistic carries its definition, because the names that a contact centre has defined
are its own configuration. Attributes and masks: Statistics API reference and Stat Server User's
Guide. The definitions follow those of the vendor's Agent API simulator, without their media
filters, whose spelling differs between two pages of the vendor.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from exporter.metrics.parsers import Cell
from exporter.providers.genesys import tables as t

Profile = Literal["agent", "agent_group", "queue", "campaign", "calling_list"]
Definition = Mapping[str, Any]

QUEUE_TYPES: Final = ("Queue", "RoutePoint", "GroupQueues")
GROUP_TYPES: Final = ("GroupAgents", "GroupPlaces")
AGENT_TYPES: Final = ("Agent", "AgentPlace")
CAMPAIGN_TYPES: Final = ("Campaign", "CampaignGroup")
LIST_TYPES: Final = ("CallingList", "CampaignCallingList")
OTHER_TYPES: Final = ("Switch", "RegDN", "Tenant", "StagingArea", "RoutingStrategy", "Workbin")
OBJECT_TYPES: Final = (
    *(*AGENT_TYPES, *GROUP_TYPES, *QUEUE_TYPES),
    *(*CAMPAIGN_TYPES, *LIST_TYPES, *OTHER_TYPES),
)
PROFILES: Final[Mapping[str, Profile]] = {
    **dict.fromkeys(AGENT_TYPES, "agent"),
    **dict.fromkeys(GROUP_TYPES, "agent_group"),
    **dict.fromkeys(QUEUE_TYPES, "queue"),
    **dict.fromkeys(CAMPAIGN_TYPES, "campaign"),
    **dict.fromkeys(LIST_TYPES, "calling_list"),
}

_NO_UPDATES: Definition = {"notificationMode": "NoNotification"}
_PERIODICAL: Definition = {
    "notificationMode": "Periodical",
    "notificationFrequency": 10,
    "insensitivity": 1,
}
# Sent every time: a change below the least insensitivity, which is 1, matters here.
_PRECISE: Definition = {**_PERIODICAL, "insensitivity": 0}
_IMMEDIATE: Definition = {"notificationMode": "Immediate", "insensitivity": 1}
_TODAY: Definition = {"intervalType": "GrowingWindow", "dynamicTimeProfile": "0:00"}
_LAST_HOUR: Definition = {"intervalType": "SlidingWindow", "dynamicTimeProfile": "3600:10"}
_TALK = "CallUnknown,CallConsult,CallInternal,CallOutbound,CallInbound"
_HOLD = (
    "CallOnHoldInbound,CallOnHoldOutbound,CallOnHoldInternal,CallOnHoldConsult,CallOnHoldUnknown"
)
_SHORT_ABANDON = 10  # seconds, as in the vendor's sample of ServiceFactor1


@dataclass(frozen=True, slots=True)
class StatType:
    """A statistical type: the table column it fills, and its name or definition at the platform.

    ``name`` is set where the contact centre has defined the type, else ``definition``. A type that
    is not ``documented`` combines attributes as no vendor document shows: it is opened in a request
    of its own, so that a refusal affects nothing else. One with ``instead_of`` is opened for an
    object only if the type with that header could not be opened for it.
    """

    header: str
    name: str | None = None
    definition: Definition = field(default_factory=dict)
    documented: bool = True
    instead_of: str | None = None


def _defined(
    header: str, category: str, mask: str, *more: Definition, subject: str = "DNAction"
) -> StatType:
    definition = {"category": category, "subject": subject, "mainMask": mask}
    for attributes in more:
        definition |= attributes
    return StatType(header, definition=definition)


def _today(header: str, action: str) -> StatType:
    """Count an action of the day, from the opening on; every change is sent."""
    return _defined(header, "TotalNumber", action, _TODAY, _IMMEDIATE)


def _queue(threshold: float) -> Sequence[StatType]:
    """Return the types of a queue; ``threshold`` is the T of "answered within T" in seconds."""
    within = {"timeRangeLeft": 0, "timeRangeRight": round(threshold)}
    short = {"timeRangeLeft2": 0, "timeRangeRight2": _SHORT_ABANDON}
    # Compound categories: subject, mask and an interval are required (Stat Server User's Guide).
    service_level = _defined(
        *(t.SERVICE_LEVEL, "ServiceFactor1", "CallAnswered"),
        *(_LAST_HOUR, within, short, _PRECISE),
    )
    answered_within = _defined(
        t.WITHIN, "TotalNumberInTimeRange", "CallAnswered", _TODAY, within, _IMMEDIATE
    )
    return (
        _defined(t.WAITING, "CurrentNumber", "CallWait", _IMMEDIATE),
        _defined(t.LONGEST_WAIT, "CurrentMaxTime", "CallWait", _PERIODICAL),
        _today(t.OFFERED, "CallEntered"),
        _today(t.ANSWERED, "CallAnswered"),
        _today(t.ABANDONED, "CallAbandoned"),
        service_level,
        *_undocumented(
            _today(t.HANDLED, "CallReleased"),
            answered_within,
            _defined(t.ANSWER_WAIT, "TotalTime", "CallAnswered", _TODAY, _PERIODICAL),
            _defined(t.ESTIMATED_WAIT, "EstimWaitTime", "CallWait", _LAST_HOUR, _PRECISE),
            replace(
                _defined(t.EXPECTED_WAIT, "ExpectedWaitTime2", "CallWait", _LAST_HOUR, _PRECISE),
                instead_of=t.ESTIMATED_WAIT,
            ),
        ),
    )


def _undocumented(*stat_types: StatType) -> Sequence[StatType]:
    return tuple(replace(stat_type, documented=False) for stat_type in stat_types)


_AGENT_GROUP: Final = tuple(
    _defined(
        t.GROUP_STATES[state],
        "CurrentNumber",
        ",".join(statuses),
        _IMMEDIATE,
        subject="AgentStatus",
    )
    for state, statuses in t.STATUSES.items()
)

_AGENT_STATE: Final = _defined(
    t.AGENT_STATE, "CurrentState", "*", {"notificationMode": "Immediate"}, subject="AgentStatus"
)
# Figures of single agents; not opened with agents: aggregate.
_AGENT_DAY: Final = (
    _today(t.AGENT_HANDLED, "CallInbound,CallOutbound"),
    *(
        _today(header, f"Call{direction.capitalize()}")
        for direction, header in t.AGENT_CALLS.items()
    ),
    *(
        _defined(header, category, mask, _TODAY, _PERIODICAL, subject=subject)
        for header, category, subject, mask in (
            (t.AGENT_TALK, "TotalAdjustedTime", "DNAction", _TALK),
            (t.AGENT_HOLD, "TotalAdjustedTime", "DNAction", _HOLD),
            (t.AGENT_WORK, "TotalAdjustedTime", "AgentStatus", "AfterCallWork"),
            (t.AGENT_READY, "TotalAdjustedTime", "AgentStatus", "WaitForNextCall"),
            (t.AGENT_NOT_READY, "TotalAdjustedTime", "AgentStatus", "NotReadyForNextCall"),
            (t.AGENT_LOGIN, "TotalTime", "AgentStatus", "*,~LoggedOut,~NotMonitored"),
        )
    ),
)

# The Stat Server User's Guide documents the actions, but not these categories with them. A calling
# list has operational actions only: campaigns and their groups alone have a status.
_CALLING_LIST: Final = _undocumented(
    _defined(
        t.PROCESSED, "TotalNumber", "LeadProcessed", _TODAY, _IMMEDIATE, subject="CampaignAction"
    ),
)
_CAMPAIGN: Final = (
    *_undocumented(
        *(
            _defined(header, "CurrentNumber", action, _IMMEDIATE, subject="CampaignAction")
            for header, action in t.CAMPAIGN_STATUSES.items()
        )
    ),
    *_CALLING_LIST,
)


def built_in(profile: Profile, *, each_agent: bool, threshold: float) -> Sequence[StatType]:
    """Return the built-in types of a profile; ``threshold`` is in seconds."""
    if profile == "queue":
        return _queue(threshold)
    if profile == "agent_group":
        return _AGENT_GROUP
    if profile == "campaign":
        return _CAMPAIGN
    if profile == "calling_list":
        return _CALLING_LIST
    return (_AGENT_STATE, *_AGENT_DAY) if each_agent else (_AGENT_STATE,)


@dataclass(frozen=True, slots=True)
class ObjectStatistic:
    """A statistical type opened for one object; ``table`` and ``label`` name its row."""

    table: str
    stat_type: StatType
    object_type: str
    object_id: str
    label: str

    @property
    def is_state(self) -> bool:
        """Whether its value is a status instead of a number."""
        return self.stat_type.header == t.AGENT_STATE

    @property
    def is_agent(self) -> bool:
        """Whether its object is a person, who is not named in logs and reports."""
        return self.object_type in AGENT_TYPES

    @property
    def key_cells(self) -> dict[str, Cell]:
        """The cells that name the row: an agent has an id and a name, other objects a label."""
        if self.is_agent:
            return {t.OBJECT_ID: self.object_id, t.NAME: self.label}
        return {t.OBJECT_ID: self.label}

    def __str__(self) -> str:
        text = f"{self.stat_type.header} of {self.object_type}"
        return text if self.is_agent else f"{text} {self.object_id}"

    def description(self, statistic_id: str, *, updates: bool) -> dict[str, Any]:
        """Return the statistic's entry in the body of ``POST /subscriptions``.

        Without ``updates`` the platform sends no notifications, and values are read by request.
        """
        stat_type = self.stat_type
        definition = {**stat_type.definition, **({} if updates else _NO_UPDATES)}
        return {
            "statisticId": statistic_id,
            "objectId": self.object_id,
            "objectType": self.object_type,
            **({"name": stat_type.name} if stat_type.name else {"definition": definition}),
        }
