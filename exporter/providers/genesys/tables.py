"""Tables of the Genesys figures: header constants, state words, and columns with their families.

Sources: Statistics API reference; Stat Server User's Guide for categories, masks and campaign
actions. The status numbers are those on which public clients of Stat Server agree.
"""

from collections.abc import Mapping
from typing import Final

from exporter.metrics import families as f
from exporter.metrics.parsers import Cell, Number, count, epoch_seconds, percent, seconds
from exporter.metrics.period import Period
from exporter.metrics.tables import Column, Key, State, States, Table

# Headers: the statistic's category, then its mask -------------------------------------------------

OBJECT_ID: Final = "objectId"

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
EXPECTED_WAIT: Final = "ExpectedWaitTime2"
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
# Stat Server statuses of an agent by canonical state; an agent has one status at a time.
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
AGENT_STATES = States(
    f.AGENT_STATES,
    {
        **_CODES,
        **{status: state for state, statuses in STATUSES.items() for status in statuses},
        # An agent whose telephone Stat Server only monitors, or does not.
        "Monitored": "other",
        "NotMonitored": "other",
    },
)
CAMPAIGN_STATES = States(
    f.CAMPAIGN_STATES,
    {
        "StatusRunning": "running",
        "StatusActivated": "stopped",  # loaded, not dialling
        "StatusDeactivated": "stopped",
    },
)


def percentage(cell: Cell) -> Number:
    """Parse a share given as 0..100 into 0..1.

    Raises ``ValueError`` above 100, which Stat Server may send.
    """
    value = percent(cell)
    if value > 1:
        raise ValueError("share above 100 %")
    return value


# Tables -----------------------------------------------------------------------------------------

# The definitions have no media filter. EstimWaitTime is computed for voice calls only,
# ExpectedWaitTime2 for all media.
_ALL = {"media": "all"}

QUEUES = Table(
    name="statistics.queues",
    key=(Key("queue", OBJECT_ID),),
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
        Column(ESTIMATED_WAIT, f.QUEUE_ESTIMATED_WAIT, seconds, {"media": "voice"}),
        # Opened only where EstimWaitTime is not.
        Column(EXPECTED_WAIT, f.QUEUE_ESTIMATED_WAIT, seconds, _ALL, certain=False),
    ),
)
SERVICE_LEVELS = Table(
    name="statistics.service_levels",
    key=QUEUES.key,
    subject="queue",
    figures=(Column(SERVICE_LEVEL, f.QUEUE_SERVICE_LEVEL, percentage, _ALL),),
    period=Period("1h"),
)
AGENT_GROUPS = Table(
    name="statistics.agent_groups",
    key=(Key("queue", OBJECT_ID),),
    subject="queue",
    figures=tuple(
        Column(header, f.QUEUE_AGENTS, count, {"state": state})
        for state, header in GROUP_STATES.items()
    ),
)
_AGENT_KEY = (Key("agent", OBJECT_ID),)
NAME = "name"
AGENTS = Table(
    name="statistics.agents",
    key=_AGENT_KEY,
    subject="agent",
    display=NAME,
    figures=(State(AGENT_STATE, f.AGENTS, AGENT_STATES, "count"),),
    ignored=(STATE_SINCE,),
)
EACH_AGENT = Table(
    name="statistics.each_agent",
    key=_AGENT_KEY,
    subject="agent",
    display=NAME,
    figures=(
        State(AGENT_STATE, f.AGENT_STATE, AGENT_STATES),
        Column(STATE_SINCE, f.AGENT_STATE_SINCE, epoch_seconds, certain=False),
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
    key=(Key("campaign", OBJECT_ID),),
    subject="campaign",
    direction="outbound",
    figures=(
        State(CAMPAIGN_STATE, f.CAMPAIGN_STATE, CAMPAIGN_STATES, "each"),
        *(
            Column(header, f.CAMPAIGN_STALLED, count, {"reason": reason})
            for reason, header in STALLS.items()
        ),
        Column(PROCESSED, f.CAMPAIGN_RECORDS_PROCESSED, count),
    ),
    ignored=(RUNNING, ACTIVATED),  # combined in CAMPAIGN_STATE
)
CALLING_LISTS = Table(
    name="statistics.calling_lists",
    key=CAMPAIGNS.key,
    subject="campaign",
    direction="outbound",
    figures=(Column(PROCESSED, f.CAMPAIGN_RECORDS_PROCESSED, count),),
)
# Other object types have only the statistics that the user configures.
OBJECTS = Table(name="statistics.objects", key=(Key("object", OBJECT_ID),), figures=())

TABLES = (
    *(QUEUES, SERVICE_LEVELS, AGENT_GROUPS, AGENTS, EACH_AGENT),
    *(CAMPAIGNS, CALLING_LISTS, OBJECTS),
)
PROFILE_TABLES: Final[Mapping[str, Table]] = {
    "queue": QUEUES,
    "agent_group": AGENT_GROUPS,
    "agent": EACH_AGENT,
    "campaign": CAMPAIGNS,
    "calling_list": CALLING_LISTS,
}
