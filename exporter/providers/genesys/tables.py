"""Genesys' tables: which statistic is which figure.

Sources: the Statistics API reference; the Stat Server User's Guide for what categories, masks and
campaign actions mean; the status numbers are those that public clients of Stat Server agree on.
"""

from collections.abc import Mapping
from typing import Final

from exporter.metrics import families as f
from exporter.metrics.parsers import Cell, Number, count, percent, seconds
from exporter.metrics.period import Period
from exporter.metrics.tables import Column, CurrentState, Key, States, StateSet, Table, Tally

# Headers: category, then mask --------------------------------------------------------------------

OBJECT: Final = "objectId"

WAITING: Final = "CurrentNumber CallWait"
LONGEST_WAIT: Final = "CurrentMaxTime CallWait"
OFFERED: Final = "TotalNumber CallEntered"
ANSWERED: Final = "TotalNumber CallAnswered"
ABANDONED: Final = "TotalNumber CallAbandoned"
HANDLED: Final = "TotalNumber CallReleased"
WITHIN: Final = "TotalNumberInTimeRange CallAnswered"
ANSWER_WAIT: Final = "TotalTime CallAnswered"
SERVICE_LEVEL: Final = "ServiceFactor1"
ESTIMATED_WAIT: Final = "EstimWaitTime"
THRESHOLD: Final = "timeRangeRight"

GROUP_STATES: Final = {
    state: f"CurrentNumber {label}"
    for state, label in {
        "ready": "WaitForNextCall",
        "ringing": "CallDialing, CallRinging",
        "on_contact": "CallInbound, CallOutbound, …",
        "on_hold": "CallOnHold",
        "after_contact_work": "AfterCallWork",
        "not_ready": "NotReadyForNextCall",
        "logged_out": "LoggedOut",
        "other": "LoggedIn, OnHook, OffHook",
    }.items()
}

AGENT_STATE: Final = "CurrentState"
STATE_SINCE: Final = "CurrentState time"
AGENT_CALLS: Final = {
    direction: f"TotalNumber Call{direction.capitalize()}"
    for direction in ("inbound", "outbound", "internal", "consult")
}
AGENT_HANDLED: Final = "TotalNumber CallInbound, CallOutbound"
AGENT_TALK: Final = "TotalAdjustedTime CallInbound, CallOutbound, …"
AGENT_HOLD: Final = "TotalAdjustedTime CallOnHold…"
AGENT_WORK: Final = "TotalAdjustedTime AfterCallWork"
AGENT_READY: Final = "TotalAdjustedTime WaitForNextCall"
AGENT_NOT_READY: Final = "TotalAdjustedTime NotReadyForNextCall"
AGENT_LOGIN: Final = "TotalTime logged in"

RUNNING: Final = "CurrentNumber StatusRunning"
ACTIVATED: Final = "CurrentNumber StatusActivated"
CAMPAIGN_STATE: Final = "campaign state"
STALLS: Final = {
    "agents": "CurrentNumber StatusWaitingAgents",
    "ports": "CurrentNumber StatusWaitingPorts",
    "records": "CurrentNumber StatusWaitingRecords",
    "system_error": "CurrentNumber StatusSystemError",
}
CAMPAIGN_STATUSES: Final = {
    header: header.split()[1] for header in (RUNNING, ACTIVATED, *STALLS.values())
}
PROCESSED: Final = "TotalNumber LeadProcessed"

# States -----------------------------------------------------------------------------------------

_CODES = {
    "4": "ready",  # WaitForNextCall
    "5": "other",  # OffHook
    "6": "ringing",  # CallDialing
    "7": "ringing",  # CallRinging
    "8": "not_ready",  # NotReadyForNextCall
    "9": "after_contact_work",  # AfterCallWork
    "13": "on_hold",  # CallOnHold
    "16": "on_contact",  # ASM_Engaged
    "17": "on_contact",  # ASM_Outbound
    "18": "on_contact",  # CallUnknown
    "19": "on_contact",  # CallConsult
    "20": "on_contact",  # CallInternal
    "21": "on_contact",  # CallOutbound
    "22": "on_contact",  # CallInbound
    "23": "logged_out",  # LoggedOut
}
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
AGENT = States(
    f.AGENT_STATES,
    {
        **_CODES,
        **{status: state for state, statuses in STATUSES.items() for status in statuses},
        # What Stat Server knows of an agent whose telephone it only watches, or does not.
        "Monitored": "other",
        "NotMonitored": "other",
    },
)
CAMPAIGN = States(
    f.CAMPAIGN_STATES,
    {
        "StatusRunning": "running",
        "StatusActivated": "stopped",  # loaded, not dialling
        "StatusDeactivated": "stopped",
    },
)


def percentage(cell: Cell) -> Number:
    """Read a share given as 0..100; Stat Server's may exceed the whole, a share here may not."""
    value = percent(cell)
    if value > 1:
        raise ValueError("a share above the whole")
    return value


# Tables -----------------------------------------------------------------------------------------

# Definitions carry no filter on media: whose calls these are is the platform's queue.
_ALL = {"media": "all"}

QUEUES = Table(
    name="statistics.queues",
    key=(Key("queue", OBJECT),),
    subject="queue",
    figures=(
        Column(WAITING, f.QUEUE_CONTACTS_WAITING, count, _ALL),
        Column(LONGEST_WAIT, f.QUEUE_LONGEST_WAIT, seconds, _ALL),
        Column(OFFERED, f.QUEUE_OFFERED, count, _ALL),
        Column(ANSWERED, f.QUEUE_ANSWERED, count, _ALL),
        Column(ABANDONED, f.QUEUE_ABANDONED, count, _ALL),
        Column(HANDLED, f.QUEUE_HANDLED, count, _ALL),
        Column(WITHIN, f.QUEUE_ANSWERED_WITHIN, count, _ALL),
        Column(THRESHOLD, f.QUEUE_THRESHOLD, seconds, _ALL, certain=False),
        Column(ANSWER_WAIT, f.QUEUE_ANSWER_WAIT_TIME, seconds, _ALL),
        Column(ESTIMATED_WAIT, f.QUEUE_ESTIMATED_WAIT, seconds, _ALL),
    ),
)
LAST_HOUR = Period("1h")
SERVICE_LEVELS = Table(
    name="statistics.service_levels",
    key=QUEUES.key,
    subject="queue",
    figures=(Column(SERVICE_LEVEL, f.QUEUE_SERVICE_LEVEL, percentage, _ALL),),
    period=LAST_HOUR,
)
AGENT_GROUPS = Table(
    name="statistics.agent_groups",
    key=(Key("queue", OBJECT),),
    subject="queue",
    figures=tuple(
        Column(header, f.QUEUE_AGENTS, count, {"state": state})
        for state, header in GROUP_STATES.items()
    ),
)
_AGENT_KEY = (Key("agent", OBJECT),)
NAME = "name"
AGENTS = Table(
    name="statistics.agents",
    key=_AGENT_KEY,
    subject="agent",
    display=NAME,
    figures=(Tally(AGENT_STATE, f.AGENTS, AGENT),),
    ignored=(STATE_SINCE,),
)
EACH_AGENT = Table(
    name="statistics.each_agent",
    key=_AGENT_KEY,
    subject="agent",
    display=NAME,
    figures=(
        CurrentState(AGENT_STATE, f.AGENT_STATE, AGENT),
        Column(STATE_SINCE, f.AGENT_STATE_SINCE, seconds, certain=False),
        Column(AGENT_HANDLED, f.AGENT_CONTACTS_HANDLED, count, _ALL),
        *(
            Column(header, f.AGENT_CALLS, count, {"direction": direction})
            for direction, header in AGENT_CALLS.items()
        ),
        Column(AGENT_TALK, f.AGENT_TALK_TIME, seconds, _ALL),
        Column(AGENT_HOLD, f.AGENT_HOLD_TIME, seconds, _ALL),
        Column(AGENT_WORK, f.AGENT_WORK_TIME, seconds, _ALL),
        Column(AGENT_READY, f.AGENT_STATE_TIME, seconds, {"state": "ready"}),
        Column(AGENT_NOT_READY, f.AGENT_STATE_TIME, seconds, {"state": "not_ready"}),
        Column(AGENT_LOGIN, f.AGENT_LOGIN_TIME, seconds),
    ),
)
CAMPAIGNS = Table(
    name="statistics.campaigns",
    key=(Key("campaign", OBJECT),),
    subject="campaign",
    figures=(
        StateSet(CAMPAIGN_STATE, f.CAMPAIGN_STATE, CAMPAIGN),
        *(
            Column(header, f.CAMPAIGN_STALLED, count, {"reason": reason})
            for reason, header in STALLS.items()
        ),
        Column(PROCESSED, f.CAMPAIGN_RECORDS_PROCESSED, count),
    ),
    ignored=(RUNNING, ACTIVATED),  # together they are the state
)
# Objects that are neither queues, agents nor campaigns have the user's own statistics only.
OBJECTS = Table(name="statistics.objects", key=(Key("object", OBJECT),), figures=())

TABLES = (QUEUES, SERVICE_LEVELS, AGENT_GROUPS, AGENTS, EACH_AGENT, CAMPAIGNS, OBJECTS)
