"""Tables of Bright Pattern: which statistic maps to which metric family.

Names and meanings come from the Real-Time Statistics API collection and the vendor's wallboards;
the vendor's list of statistics is not public. ``certain=False`` marks a statistic that no source
shows in that kind of grid; where a tenant declines it, it is left out. A header with `` + `` is a
sum computed here ("SUM" columns are documented up to release 5.2 only).
"""

from collections.abc import Mapping

from exporter.collector.scales import Bound, Get, Scale, least_share
from exporter.metrics import families as f
from exporter.metrics.parsers import Cell, Number, Parser, count, fraction, percent, seconds, share
from exporter.metrics.parsers import epoch_milliseconds as instant
from exporter.metrics.tables import (
    Column,
    Key,
    Reasons,
    Spread,
    State,
    States,
    Sum,
    Table,
)

PLUS = " + "

# States -----------------------------------------------------------------------------------------

# An empty cell is logged out (Real-Time Statistics API), which is not true of one that is absent;
# the vendor's wallboard also accepts "0".
LOGGED_OUT = "logged_out"
AGENT = States(
    f.AGENT_STATES,
    {
        "ready": "ready",
        "not_ready": "not_ready",
        "busy": "on_contact",
        "after_call_work": "after_contact_work",
        LOGGED_OUT: "logged_out",
        "0": "logged_out",
    },
)
NEXT = States(
    f.AGENT_STATES,
    {word: state for word, state in AGENT.words.items() if state != "logged_out"},
)
CAMPAIGN = States(f.CAMPAIGN_STATES, {"RUNNING": "running", "STOPPED": "stopped"})
# Spellings of the reporting database; those of this API are not documented.
MEDIA = {
    "voice": "voice",
    "chat": "chat",
    "email": "email",
    "sms": "sms",
    "task": "task",
    "video": "video",
    "callback": "callback",
    "voicemail": "voicemail",
}

# Statistics that identify rows, and computed columns -------------------------------------------

NAME, LOGIN, FULL_NAME = "name", "login_id", "first_last_name"
PLAIN_NAME = "plain name"  # of a service or campaign that is shown as name and id
STATE, REASON = "acd_state", "reason"
STATE_DURATION, ACTIVE_MEDIA = "state_duration", "active_item_media_type"
BREAK_TIME = "agent_total_break_time"
DISPOSITIONS = "calls_dispositions_per_day"
STATE_START = "state start"  # epoch ms: local time less STATE_DURATION
ACTIVE = {media: f"active {media}" for media in (*dict.fromkeys(MEDIA.values()), "other")}
SOURCES = {
    STATE_START: (STATE_DURATION,),
    **dict.fromkeys(ACTIVE.values(), (ACTIVE_MEDIA,)),
}
HANDLED = PLUS.join(("in_calls_handled_per_day", "out_calls_handled_per_day"))
KEYS = {"services": NAME, "agents": LOGIN}
# Statistics of agents that are summed over all agents, by the state that they measure.
TIMES = {
    "agent_total_ready_time": "ready",
    "agent_total_busy_time": "on_contact",
    "agent_total_ACW_time": "after_contact_work",
}
# Names that the vendor's wallboard uses, but not the API.
PSEUDO = ("state_ic", "count_of_interactions", "SUM")


# Ratios whose scale is configured ------------------------------------------------------------


def percent_share(cell: Cell) -> Number:
    """Read a ratio given as 0..100; a larger one has another scale and is rejected."""
    return _share(percent(cell))


def fraction_share(cell: Cell) -> Number:
    """Read a ratio given as 0..1; a larger one has another scale and is rejected."""
    return _share(fraction(cell))


def _share(value: Number) -> Number:
    if value > 1:
        raise ValueError("ratio above 1")
    return value


SCALES: Mapping[Parser, Scale | None] = {
    share: None,
    percent_share: "percent",
    fraction_share: "fraction",
}

# Tables -----------------------------------------------------------------------------------------

_ALL = {"media": "all"}  # "calls" in a name means interactions of any channel
_AGENT_KEY = (Key("agent", LOGIN),)

# Totals repeat the services' figures; they are for user-defined mappings.
TOTALS = Table(
    name="subscription.totals",
    key=(),
    figures=(),
    ignored=(
        "app",
        "in_calls_waiting",
        "in_max_wait_time",
        "in_calls_received_per_day",
        "in_calls_queued_per_day",
        "in_calls_abandoned_in_queue_per_day",
        "in_calls_abandoned_in_queue_ratio_per_day",
        "in_calls_short_abandoned_in_queue_per_day",
        "in_calls_short_abandoned_in_queue_ratio_per_day",
        "in_average_speed_of_answer",
        "service_level",
        "service_level_threshold_time",
        "out_calls_answered_per_day",
        "agents_logged",
        "agents_ready",
    ),
)

SERVICES = Table(
    name="subscription.services",
    key=(Key("queue", NAME),),
    subject="queue",
    display=PLAIN_NAME,
    figures=(
        Column("in_calls_waiting", f.QUEUE_CONTACTS_WAITING, count, _ALL),
        Column("in_max_wait_time", f.QUEUE_LONGEST_WAIT, seconds, _ALL),
        Column("agents_logged", f.QUEUE_AGENTS_LOGGED_IN, count),
        Column("agents_busy", f.QUEUE_AGENTS_BUSY, count),
        Column("agents_ready", f.QUEUE_AGENTS, count, {"state": "ready"}, certain=False),
        Column("service_level", f.QUEUE_SERVICE_LEVEL, share, _ALL),
        Column("service_level_target", f.QUEUE_SERVICE_LEVEL_TARGET, share, _ALL),
        Column("service_level_threshold_time", f.QUEUE_THRESHOLD, seconds, _ALL),
        Column("in_calls_received_per_day", f.QUEUE_OFFERED, count, _ALL),
        Column("in_calls_queued_per_day", f.QUEUE_QUEUED, count, _ALL, certain=False),
        Column("in_calls_abandoned_total_per_day", f.QUEUE_ABANDONED, count, _ALL),
        # The wallboard's "Long Abandoned" and "Short Abandoned".
        Column("in_calls_abandoned_in_queue_per_day", f.QUEUE_LATE_ABANDONED, count, _ALL),
        Column("in_calls_short_abandoned_in_queue_per_day", f.QUEUE_SHORT_ABANDONED, count, _ALL),
        Column("in_calls_abandoned_percent_per_day", f.QUEUE_ABANDONED_RATIO, share, _ALL),
        Column(
            "in_calls_abandoned_in_queue_ratio_per_day",
            f.QUEUE_LATE_ABANDONED_RATIO,
            share,
            _ALL,
        ),
        Column(
            "in_calls_short_abandoned_in_queue_ratio_per_day",
            f.QUEUE_SHORT_ABANDONED_RATIO,
            share,
            _ALL,
        ),
        Column("in_average_speed_of_answer", f.QUEUE_ANSWER_AVERAGE, seconds, _ALL, certain=False),
        Column("in_calls_handled_per_day", f.QUEUE_HANDLED, count, _ALL, certain=False),
        Column("out_calls_answered_per_day", f.QUEUE_OUTBOUND_ANSWERED, count, _ALL, certain=False),
        Column("out_calls_handled_per_day", f.QUEUE_OUTBOUND_HANDLED, count, _ALL, certain=False),
    ),
)
SERVICE_DISPOSITIONS = Table(
    name="subscription.service_dispositions",
    key=SERVICES.key,
    subject="queue",
    display=PLAIN_NAME,
    figures=(Spread("dispositions", f.QUEUE_DISPOSITIONS, "disposition", count),),
)

# All agents together, without names.
AGENTS = Table(
    name="subscription.agents",
    key=_AGENT_KEY,
    subject="agent",
    display=FULL_NAME,
    figures=(
        State(STATE, f.AGENTS, AGENT, "count"),
        Reasons(REASON, f.AGENTS_NOT_READY, STATE, AGENT, "not_ready"),
        Sum(HANDLED, f.AGENTS_CONTACTS_HANDLED, count, certain=False),
        Sum(BREAK_TIME, f.AGENTS_BREAK_TIME, seconds),
    ),
)
AGENT_TIMES = Table(
    name="subscription.agent_times",
    key=(Key("state", "state"),),
    figures=(Column("seconds", f.AGENTS_STATE_TIME, seconds),),
)

EACH_AGENT = Table(
    name="subscription.each_agent",
    key=_AGENT_KEY,
    subject="agent",
    display=FULL_NAME,
    figures=(
        State(STATE, f.AGENT_STATE, AGENT),
        State("acd_next_state", f.AGENT_NEXT_STATE, NEXT),
        Column(STATE_START, f.AGENT_STATE_SINCE, instant),
        Column("login_time", f.AGENT_SESSION, seconds),
        Column(
            "active_item_talk_duration", f.AGENT_STATE_SECONDS, seconds, {"state": "on_contact"}
        ),
        Column("active_item_hold_duration", f.AGENT_STATE_SECONDS, seconds, {"state": "on_hold"}),
        *(
            Column(header, f.AGENT_CONTACTS_ACTIVE, count, {"media": media}, certain=False)
            for media, header in ACTIVE.items()
        ),
        Column("in_calls_handled_per_day", f.AGENT_CALLS, count, {"direction": "inbound"}),
        Column(
            "out_calls_handled_per_day",
            f.AGENT_CALLS,
            count,
            {"direction": "outbound"},
            certain=False,
        ),
        Column(HANDLED, f.AGENT_CONTACTS_HANDLED, count, _ALL, certain=False),
        Column("calls_average_handling_time_per_day", f.AGENT_HANDLE_AVERAGE, seconds),
        *(
            Column(header, f.AGENT_STATE_TIME, seconds, {"state": state})
            for header, state in TIMES.items()
        ),
        Column(BREAK_TIME, f.AGENT_BREAK_TIME, seconds),
    ),
    # Other identifiers and spellings of an agent.
    ignored=("user_id", "team_id", "team_name", "is_agent"),
    private=("firstname", "lastname", "last_first_name", "extension"),
)
AGENT_DISPOSITIONS = Table(
    name="subscription.agent_dispositions",
    key=_AGENT_KEY,
    subject="agent",
    display=FULL_NAME,
    figures=(Spread("dispositions", f.AGENT_DISPOSITIONS, "disposition", count),),
)

DIRECTORY_SERVICES = Table(
    name="directory.services",
    key=(Key("queue", "name"), Key("id", "id")),
    subject="queue",
    display=PLAIN_NAME,
    figures=(Column("value", f.QUEUE_INFO, count),),
    inventory=True,
)
DIRECTORY_TEAMS = Table(
    name="directory.teams",
    key=(Key("team", "name"), Key("id", "id")),
    figures=(Column("value", f.TEAM_INFO, count),),
    inventory=True,
)

CAMPAIGN_STATES = Table(
    name="campaigns.states",
    key=(Key("campaign", "name"),),
    subject="campaign",
    display=PLAIN_NAME,
    direction="outbound",
    figures=(State("state", f.CAMPAIGN_STATE, CAMPAIGN, "each"),),
)
CAMPAIGN_RECORDS = Table(
    name="campaigns.records",
    key=(Key("campaign", "name"), Key("status", "status")),
    subject="campaign",
    display=PLAIN_NAME,
    direction="outbound",
    figures=(Column("records", f.CAMPAIGN_RECORDS, count),),
)

# Shares -----------------------------------------------------------------------------------------

# No source says whether they are 0..1 or 0..100; the vendor's wallboard shows both, by grid.
_RECEIVED, _THRESHOLD = "in_calls_received_per_day", "service_level_threshold_time"
_LONG, _SHORT = "in_calls_abandoned_in_queue_per_day", "in_calls_short_abandoned_in_queue_per_day"
_ANSWER_WAIT, _ANSWERED = "in_average_speed_of_answer", "in_calls_handled_per_day"
_LOWEST_TARGET = 0.05  # no target is lower


def _of_received(count: str) -> Bound:
    """Return the bound of a share of at most the received interactions."""
    return lambda get: least_share(get(count), get(_RECEIVED))


def _answered_in_time(get: Get) -> float:
    return least_share(None, get(_RECEIVED))


def _service_level(get: Get) -> float:
    # At most wait / threshold of the answered interactions waited longer than the threshold.
    bound = _answered_in_time(get)
    wait, threshold, answered, lost = map(get, (_ANSWER_WAIT, _THRESHOLD, _ANSWERED, _LONG))
    if not answered or not threshold or wait is None or lost is None:
        return bound
    return max(bound, (1 - wait / threshold) * answered / (answered + lost))


def _target(get: Get) -> float:
    # Exactly 1 may be 1 % or 100 %.
    return 0 if get("service_level_target") == 1 else _LOWEST_TARGET


def _any_abandoned(get: Get) -> float:
    return least_share(get(_LONG) or None, get(_RECEIVED))


_ABANDONED_BOUNDS: Mapping[str, Bound] = {
    "in_calls_abandoned_in_queue_ratio_per_day": _of_received(_LONG),
    "in_calls_short_abandoned_in_queue_ratio_per_day": _of_received(_SHORT),
    # Whether it includes short abandoned interactions and those in the IVR is not documented.
    "in_calls_abandoned_percent_per_day": lambda get: least_share(
        get(_LONG) or None, get(_RECEIVED)
    ),
}
_BOUNDS: Mapping[str, Mapping[str, Bound]] = {
    # Totals may include services without a service level.
    TOTALS.name: {**_ABANDONED_BOUNDS, "service_level": _answered_in_time},
    SERVICES.name: {
        **_ABANDONED_BOUNDS,
        "service_level": _service_level,
        "service_level_target": _target,
    },
}
BOUNDS = {
    (table, name): bound for table, bounds in _BOUNDS.items() for name, bound in bounds.items()
}
RATIOS = tuple(_BOUNDS[SERVICES.name])
# Statistics that prove the scale of a ratio.
PROOFS = (_RECEIVED, _LONG, _SHORT)

# Feeds ------------------------------------------------------------------------------------------

TABLES = (
    TOTALS,
    SERVICES,
    SERVICE_DISPOSITIONS,
    AGENTS,
    AGENT_TIMES,
    EACH_AGENT,
    AGENT_DISPOSITIONS,
    DIRECTORY_SERVICES,
    DIRECTORY_TEAMS,
    CAMPAIGN_STATES,
    CAMPAIGN_RECORDS,
)
