"""Genesys' tables: which statistic is which figure.

Sources: the Statistics API reference; the Stat Server User's Guide for what categories, masks and
campaign actions mean; the status numbers are those that public clients of Stat Server agree on.
"""

from exporter.metrics import families as f
from exporter.metrics.parsers import Cell, Number, count, percent, seconds
from exporter.metrics.period import Period
from exporter.metrics.tables import Column, Key, State, States, Table
from exporter.providers.genesys import headers as h
from exporter.providers.genesys.statistics import STATUSES

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
    key=(Key("queue", h.OBJECT),),
    subject="queue",
    figures=(
        Column(h.WAITING, f.QUEUE_CONTACTS_WAITING, count, _ALL),
        Column(h.LONGEST_WAIT, f.QUEUE_LONGEST_WAIT, seconds, _ALL),
        Column(h.OFFERED, f.QUEUE_OFFERED, count, _ALL),
        Column(h.ANSWERED, f.QUEUE_ANSWERED, count, _ALL),
        Column(h.ABANDONED, f.QUEUE_ABANDONED, count, _ALL),
        Column(h.HANDLED, f.QUEUE_HANDLED, count, _ALL),
        Column(h.WITHIN, f.QUEUE_ANSWERED_WITHIN, count, _ALL),
        Column(h.THRESHOLD, f.QUEUE_THRESHOLD, seconds, _ALL, certain=False),
        Column(h.ANSWER_WAIT, f.QUEUE_ANSWER_WAIT_TIME, seconds, _ALL),
        Column(h.ESTIMATED_WAIT, f.QUEUE_ESTIMATED_WAIT, seconds, _ALL),
    ),
)
LAST_HOUR = Period("1h")
SERVICE_LEVELS = Table(
    name="statistics.service_levels",
    key=QUEUES.key,
    subject="queue",
    figures=(Column(h.SERVICE_LEVEL, f.QUEUE_SERVICE_LEVEL, percentage, _ALL),),
    period=LAST_HOUR,
)
AGENT_GROUPS = Table(
    name="statistics.agent_groups",
    key=(Key("queue", h.OBJECT),),
    subject="queue",
    figures=tuple(
        Column(header, f.QUEUE_AGENTS, count, {"state": state})
        for state, header in h.GROUP_STATES.items()
    ),
)
_AGENT_KEY = (Key("agent", h.OBJECT),)
NAME = "name"
AGENTS = Table(
    name="statistics.agents",
    key=_AGENT_KEY,
    subject="agent",
    display=NAME,
    figures=(State(h.AGENT_STATE, f.AGENTS, AGENT, "count"),),
    ignored=(h.STATE_SINCE,),
)
EACH_AGENT = Table(
    name="statistics.each_agent",
    key=_AGENT_KEY,
    subject="agent",
    display=NAME,
    figures=(
        State(h.AGENT_STATE, f.AGENT_STATE, AGENT),
        Column(h.STATE_SINCE, f.AGENT_STATE_SINCE, seconds, certain=False),
        Column(h.AGENT_HANDLED, f.AGENT_CONTACTS_HANDLED, count, _ALL),
        *(
            Column(header, f.AGENT_CALLS, count, {"direction": direction})
            for direction, header in h.AGENT_CALLS.items()
        ),
        Column(h.AGENT_TALK, f.AGENT_TALK_TIME, seconds, _ALL),
        Column(h.AGENT_HOLD, f.AGENT_HOLD_TIME, seconds, _ALL),
        Column(h.AGENT_WORK, f.AGENT_WORK_TIME, seconds, _ALL),
        Column(h.AGENT_READY, f.AGENT_STATE_TIME, seconds, {"state": "ready"}),
        Column(h.AGENT_NOT_READY, f.AGENT_STATE_TIME, seconds, {"state": "not_ready"}),
        Column(h.AGENT_LOGIN, f.AGENT_LOGIN_TIME, seconds),
    ),
)
CAMPAIGNS = Table(
    name="statistics.campaigns",
    key=(Key("campaign", h.OBJECT),),
    subject="campaign",
    figures=(
        State(h.CAMPAIGN_STATE, f.CAMPAIGN_STATE, CAMPAIGN, "each"),
        *(
            Column(header, f.CAMPAIGN_STALLED, count, {"reason": reason})
            for reason, header in h.STALLS.items()
        ),
        Column(h.PROCESSED, f.CAMPAIGN_RECORDS_PROCESSED, count),
    ),
    ignored=(h.RUNNING, h.ACTIVATED),  # together they are the state
)
# Objects that are neither queues, agents nor campaigns have the user's own statistics only.
OBJECTS = Table(name="statistics.objects", key=(Key("object", h.OBJECT),), figures=())

TABLES = (QUEUES, SERVICE_LEVELS, AGENT_GROUPS, AGENTS, EACH_AGENT, CAMPAIGNS, OBJECTS)
