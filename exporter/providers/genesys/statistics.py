"""Which statistics are opened: the built-in sets for each kind of object, and their definitions.

All are defined here rather than taken by name, because which names a contact centre has is its own
configuration. Attributes and masks are those of the Statistics API reference and of the Stat Server
User's Guide; the definitions follow those that the vendor publishes with its Agent API simulator,
less their filters on media, whose spelling differs between two pages of the vendor.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from exporter.metrics.parsers import Cell
from exporter.providers.genesys import tables as t
from exporter.providers.genesys.tables import STATUSES

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

_QUIET = {"notificationMode": "NoNotification"}
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
        t.WITHIN, "TotalNumberInTimeRange", "CallAnswered", _TODAY, within, _IMMEDIATE
    )
    return (
        _defined(t.WAITING, "CurrentNumber", "CallWait", _IMMEDIATE),
        _defined(t.LONGEST_WAIT, "CurrentMaxTime", "CallWait", _PERIODICAL),
        _today(t.OFFERED, "CallEntered"),
        _today(t.ANSWERED, "CallAnswered"),
        _today(t.ABANDONED, "CallAbandoned"),
        Wanted(t.SERVICE_LEVEL, definition=service_level),
        *_guessed(
            _today(t.HANDLED, "CallReleased"),
            answered_within,
            _defined(t.ANSWER_WAIT, "TotalTime", "CallAnswered", _TODAY, _PERIODICAL),
            _defined(t.ESTIMATED_WAIT, "EstimWaitTime", "CallWait", _PRECISE),
        ),
    )


def _guessed(*wanted: Wanted) -> Sequence[Wanted]:
    return tuple(replace(each, guess=True) for each in wanted)


AGENT_GROUP: Final = tuple(
    _defined(
        t.GROUP_STATES[state],
        "CurrentNumber",
        ",".join(statuses),
        _IMMEDIATE,
        subject="AgentStatus",
    )
    for state, statuses in STATUSES.items()
)

AGENT_STATE: Final = _defined(
    t.AGENT_STATE, "CurrentState", "*", {"notificationMode": "Immediate"}, subject="AgentStatus"
)
# What is opened for an agent whose own figures are wanted; none of it in aggregate mode.
AGENT_DAY: Final = (
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

# The vendor documents the actions; that these categories count them is our reading.
CAMPAIGN: Final = _guessed(
    *(
        _defined(header, "CurrentNumber", action, _IMMEDIATE, subject="CampaignAction")
        for header, action in t.CAMPAIGN_STATUSES.items()
    ),
    _defined(
        t.PROCESSED, "TotalNumber", "LeadProcessed", _TODAY, _IMMEDIATE, subject="CampaignAction"
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


@dataclass(frozen=True, slots=True)
class Statistic:
    """One statistic of one object; ``table`` is where its value goes, ``label`` names the row."""

    table: str
    wanted: Wanted
    kind: str
    identity: str
    label: str

    @property
    def is_state(self) -> bool:
        """Whether its value is a status instead of a number."""
        return self.wanted.header == t.AGENT_STATE

    @property
    def names(self) -> dict[str, Cell]:
        """The cells that name the row: persons have an id and a name, the rest has a label."""
        if self.kind in AGENT_TYPES:
            return {t.OBJECT: self.identity, t.NAME: self.label}
        return {t.OBJECT: self.label}

    def described(self, statistic_id: str, *, quiet: bool = False) -> dict[str, Any]:
        """Return how the platform is asked to open it under an id of ours.

        A ``quiet`` one brings no updates and is only read.
        """
        definition = {**self.wanted.definition, **(_QUIET if quiet else {})}
        named = self.wanted.name is not None
        what = {"name": self.wanted.name} if named else {"definition": definition}
        return {
            "statisticId": statistic_id,
            "objectId": self.identity,
            "objectType": self.kind,
            **what,
        }
