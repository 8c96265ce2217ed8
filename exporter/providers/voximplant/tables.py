"""Tables of the Voximplant figures: state words, and columns with their families.

Headers are the vendor's field names; where there is none, ``rows.py`` computes the column ("ready
seconds", "CALL waiting").
"""

from collections.abc import Mapping
from typing import Final

from exporter.metrics import families as f
from exporter.metrics.parsers import count, number, seconds
from exporter.metrics.tables import (
    Column,
    Key,
    Reasons,
    State,
    States,
    Sum,
    Table,
)
from exporter.providers.voximplant.answers import utc_time

# States -----------------------------------------------------------------------------------------

ACD_STATUS = States(
    f.AGENT_STATES,
    {
        "READY": "ready",
        "OFFLINE": "logged_out",
        "IN_SERVICE": "on_contact",
        "AFTER_SERVICE": "after_contact_work",
        "ONLINE": "not_ready",
        "BANNED": "not_ready",
        "TIMEOUT": "not_ready",
        "DND": "not_ready",
    },
)
ACD_STATES = ("ready", "on_contact", "after_contact_work", "not_ready", "logged_out")
SMARTQUEUE_STATUS = States(
    f.AGENT_STATES,
    {
        **ACD_STATUS.words,
        "DIALING": "ringing",
        **{f"CUSTOM_{number}": "not_ready" for number in range(1, 11)},
    },
)
# An agent has a status in each channel, and is counted in the first of these states.
SMARTQUEUE_STATES = ("on_contact", "ringing", "after_contact_work", "ready", "not_ready")
RARE_STATES = ("other", "logged_out")  # no series where no agent is in them
CALL_LIST = States(
    f.CAMPAIGN_STATES,
    {
        "In progress": "running",
        "Suspended": "stopped",
        "Canceled": "stopped",
        "Completed": "completed",
    },
)
FINISHED = ("Completed", "Canceled")
CHANNELS = {"CALL": "voice", "IM": "chat"}
WAITING = ("IN_QUEUE", "DISTRIBUTED")  # statuses of a task; a distributed one still rings
ACTIVE = ("IN_PROCESSING",)
TASK_STATUS = {
    0: "available",
    1: "in_progress",
    2: "dialed",
    3: "failed",
    4: "canceled",
}
REPORTS_WINDOW = "30m"  # default of GetSmartQueueRealtimeMetrics

# ACD v1 -----------------------------------------------------------------------------------------

_VOICE = {"media": "voice"}
_QUEUE = (Key("queue", "queue"),)
_OPERATOR = (Key("agent", "user_id"),)
_NAME = "user_display_name"
PLAIN_NAME = "plain name"  # of a queue or list that is shown as name and id

STATE = Table(
    name="state",
    key=_QUEUE,
    subject="queue",
    display=PLAIN_NAME,
    figures=(
        Column("waiting_calls", f.QUEUE_CONTACTS_WAITING, count, _VOICE),
        Column("servicing_calls", f.QUEUE_CONTACTS_ACTIVE, count, _VOICE),
        Column("longest waiting_time", f.QUEUE_LONGEST_WAIT, seconds, _VOICE),
        Column("longest minutes_to_submit", f.QUEUE_ESTIMATED_WAIT, seconds, _VOICE),
        Column("ready_operators_count", f.QUEUE_AGENTS, count, {"state": "ready"}),
        Column(
            "after_service_operator_count",
            f.QUEUE_AGENTS,
            count,
            {"state": "after_contact_work"},
            ("after_service_operators_count",),
        ),
        # In a call, being called, or banned for a while; the platform does not distinguish them.
        Column("locked_operators_count", f.QUEUE_AGENTS, count, {"state": "other"}),
    ),
)

OPERATORS = Table(
    name="operators",
    key=_OPERATOR,
    subject="agent",
    display=_NAME,
    figures=(
        State("acd_status", f.AGENTS, ACD_STATUS, "count"),
        Reasons("acd_status", f.AGENTS_NOT_READY, "acd_status", ACD_STATUS, "not_ready"),
        State("acd_status", f.AGENT_STATE, ACD_STATUS),
        Column("acd_status_change_time", f.AGENT_STATE_SINCE, utc_time, certain=False),
    ),
    ignored=(
        *("user_name", "user_active", "parent_accounting", "frozen", "two_factor_auth_required"),
        *("balance", "live_balance", "fixed_balance", "created", "modified"),
        *("acd_queues", "skills"),
    ),
    private=("user_custom_data", "user_email", "email", "mobile_phone", "phone"),
)

STATUS_TOTALS = Table(
    name="operator_status.states",
    key=(Key("state", "state"),),
    figures=(
        Column("seconds", f.AGENTS_STATE_TIME, seconds),
        Column("entries", f.AGENTS_STATE_ENTRIES, count),
    ),
)
OPERATOR_STATUS = Table(
    name="operator_status.operators",
    key=_OPERATOR,
    subject="agent",
    display=_NAME,
    figures=tuple(
        Column(f"{state} {unit}", family, parse, {"state": state}, certain=state != "other")
        for state in (*ACD_STATES, "other")
        for unit, family, parse in (
            ("seconds", f.AGENT_STATE_TIME, seconds),
            ("entries", f.AGENT_STATE_ENTRIES, count),
        )
    ),
)

OPERATOR_STATISTICS = Table(
    name="operator_statistics",
    key=_OPERATOR,
    subject="agent",
    display=_NAME,
    figures=(
        Sum("AC", f.AGENTS_CONTACTS_ANSWERED, count),
        Sum("UAC", f.AGENTS_CONTACTS_UNANSWERED, count),
        Sum("TDT", f.AGENTS_RING_TIME, seconds),
        Sum("TTT", f.AGENTS_TALK_TIME, seconds),
        Sum("THT", f.AGENTS_HANDLE_TIME, seconds),
        Sum("TACW", f.AGENTS_WORK_TIME, seconds),
        Column("AC", f.AGENT_CONTACTS_ANSWERED, count, _VOICE),
        Column("UAC", f.AGENT_CONTACTS_UNANSWERED, count, _VOICE),
        Column("TDT", f.AGENT_RING_TIME, seconds, _VOICE),
        Column("TTT", f.AGENT_TALK_TIME, seconds, _VOICE),
        Column("THT", f.AGENT_HANDLE_TIME, seconds, _VOICE),
        Column("TACW", f.AGENT_WORK_TIME, seconds, _VOICE),
    ),
)

QUEUE_STATISTICS = Table(
    name="queue_statistics",
    key=_QUEUE,
    subject="queue",
    display=PLAIN_NAME,
    figures=(
        Column("TC", f.QUEUE_OFFERED, count, _VOICE),
        Column("AC", f.QUEUE_ANSWERED, count, _VOICE),
        Column("UAC", f.QUEUE_ABANDONED, count, _VOICE),
        Column("RC", f.QUEUE_REJECTED, count, _VOICE),
        Column("HT count", f.QUEUE_HANDLED, count, _VOICE),
        Column("SL call_count", f.QUEUE_ANSWERED_WITHIN, count, _VOICE),
        Column("SL acceptable_waiting_time", f.QUEUE_THRESHOLD, seconds, _VOICE),
        Column("WT sum", f.QUEUE_WAIT_TIME, seconds, _VOICE),
        Column("AT sum", f.QUEUE_ABANDONED_WAIT_TIME, seconds, _VOICE),
        Column("WT sum less AT sum", f.QUEUE_ANSWER_WAIT_TIME, seconds, _VOICE),
        Column("HT sum", f.QUEUE_HANDLE_TIME, seconds, _VOICE),
        Column("TT sum", f.QUEUE_TALK_TIME, seconds, _VOICE),
    ),
)

QUEUE_INFO = Table(
    name="queues.info",
    key=(Key("queue", "queue"), Key("id", "acd_queue_id")),
    subject="queue",
    display=PLAIN_NAME,
    figures=(Column("present", f.QUEUE_INFO, count),),
    inventory=True,
)
QUEUE_LIMITS = Table(
    name="queues.limits",
    key=_QUEUE,
    subject="queue",
    display=PLAIN_NAME,
    figures=(
        Column("operatorcount", f.QUEUE_AGENTS_ASSIGNED, count, certain=False),
        Column("max_queue_size", f.QUEUE_WAITING_CAPACITY, count, _VOICE, certain=False),
    ),
    ignored=(
        *("acd_queue_id", "acd_queue_name", "application_id", "application_name"),
        *("acd_queue_priority", "service_probability", "auto_binding", "max_waiting_time"),
        *("average_service_time", "sl_thresholds", "skills", "users"),
        *("created", "modified", "deleted"),
    ),
    inventory=True,
)

# SmartQueue -------------------------------------------------------------------------------------

SMARTQUEUE_STATE = Table(
    name="smartqueue_state",
    key=_QUEUE,
    subject="queue",
    display=PLAIN_NAME,
    figures=(
        *(
            Column(f"{channel} {word}", family, parse, {"media": media})
            for channel, media in CHANNELS.items()
            for word, family, parse in (
                ("waiting", f.QUEUE_CONTACTS_WAITING, count),
                ("active", f.QUEUE_CONTACTS_ACTIVE, count),
                ("longest waiting_time", f.QUEUE_LONGEST_WAIT, seconds),
            )
        ),
        *(
            Column(
                f"agents {state}",
                f.QUEUE_AGENTS,
                count,
                {"state": state},
                certain=state not in RARE_STATES,
            )
            for state in (*SMARTQUEUE_STATES, *RARE_STATES)
        ),
        *(
            Column(
                f"{channel} agents {state}",
                f.QUEUE_CHANNEL_AGENTS,
                count,
                {"media": media, "state": state},
                certain=state not in RARE_STATES,
            )
            for channel, media in CHANNELS.items()
            for state in (*SMARTQUEUE_STATES, *RARE_STATES)
        ),
    ),
)
SMARTQUEUE_REPORTS = Table(
    name="smartqueue_reports", key=_QUEUE, subject="queue", display=PLAIN_NAME, figures=()
)

# Call lists and the account ---------------------------------------------------------------------

CALL_LISTS = Table(
    name="call_lists",
    key=(Key("campaign", "campaign"),),
    subject="campaign",
    display=PLAIN_NAME,
    direction="outbound",
    figures=(
        State("status", f.CAMPAIGN_STATE, CALL_LIST, "each"),
        Column("priority", f.CAMPAIGN_PRIORITY, number, certain=False),
        *(
            Column(f"tasks {status}", f.CAMPAIGN_RECORDS, count, {"status": status}, certain=False)
            for status in ("total", *TASK_STATUS.values())
        ),
    ),
    ignored=(
        *("list_id", "list_name", "rule_id", "max_simultaneous", "num_attempts"),
        *("interval_seconds", "dt_submit", "dt_complete", "task_priority_strategy", "type_list"),
    ),
)

BALANCE = Table(
    name="account.balance",
    key=(Key("currency", "currency"),),
    figures=(
        Column("balance", f.ACCOUNT_BALANCE),
        Column("min_balance_to_notify", f.ACCOUNT_BALANCE_NOTICE, certain=False),
    ),
)
ACCOUNT = Table(
    name="account.status",
    key=(),
    figures=(
        Column("credit_limit", f.ACCOUNT_CREDIT_LIMIT, certain=False),
        Column("active", f.ACCOUNT_ACTIVE, count, certain=False),
        Column("frozen", f.ACCOUNT_FROZEN, count, certain=False),
        Column("clock skew", f.ACCOUNT_CLOCK_SKEW, certain=False),
    ),
)

# Feeds ------------------------------------------------------------------------------------------

FEED_TABLES: Final[Mapping[str, tuple[Table, ...]]] = {
    "state": (STATE,),
    "operators": (OPERATORS,),
    "operator_status": (STATUS_TOTALS, OPERATOR_STATUS),
    "operator_statistics": (OPERATOR_STATISTICS,),
    "queue_statistics": (QUEUE_STATISTICS,),
    "smartqueue_state": (SMARTQUEUE_STATE,),
    "smartqueue_reports": (SMARTQUEUE_REPORTS,),
    "queues": (QUEUE_INFO, QUEUE_LIMITS),
    "call_lists": (CALL_LISTS,),
    "account": (BALANCE, ACCOUNT),
}
TABLES = tuple(table for tables in FEED_TABLES.values() for table in tables)
PERIOD_FEEDS = ("operator_status", "operator_statistics", "queue_statistics")
