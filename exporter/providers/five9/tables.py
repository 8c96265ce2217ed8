"""Tables of Five9: which column of a statistic type maps to which metric family.

Five9 publishes no list of columns; it refers to ``getColumnNames`` (Statistics Web Services API
Reference Guide, "getStatistics"). Spellings marked ``certain=False`` are derived from the field
names of Five9's REST supervisor feed, which are their aliases.
"""

from collections.abc import Mapping

from exporter.collector.scales import MISFIT, Bound, Get, least_share
from exporter.metrics import families as f
from exporter.metrics.families import Family
from exporter.metrics.parsers import (
    Parser,
    count,
    count_share,
    milliseconds,
    number,
    pair,
    share,
)
from exporter.metrics.parsers import epoch_milliseconds as instant
from exporter.metrics.tables import (
    Column,
    Direction,
    Key,
    Reasons,
    Spread,
    State,
    States,
    Sum,
    Table,
)

AGENT = States(
    f.AGENT_STATES,
    {
        "Ready": "ready",
        "Not Ready": "not_ready",
        "Ringing": "ringing",
        "On Call": "on_contact",
        "On Preview": "on_contact",
        "On Voicemail": "on_contact",
        "On Hold": "on_hold",
        "After Call Work": "after_contact_work",
        "ACW": "after_contact_work",
        "Logged Out": "logged_out",
        "Unknown": "other",
    },
)
CAMPAIGN = States(
    f.CAMPAIGN_STATES,
    {
        "RUNNING": "running",
        "STARTING": "starting",
        "STOPPING": "stopping",
        "NOT_RUNNING": "stopped",
        "Stopped": "stopped",
        "RESETTING": "resetting",
    },
)

STATE_START = "State Start"  # computed, epoch ms: the response's time less State Duration

# Durations that grow while nothing else changes. Whether updates carry them is not documented.
RUNNING = {
    "ACDStatus": ("Current Longest Queue Time",),
    "AgentState": (
        "State Duration",
        "Reason Duration",
        "On Hold Duration",
        "On Park Duration",
        "Not Ready State Duration",
        "On Call State Duration",
        "Ready State Duration",
        "After Call Work State Duration",
    ),
}

_Row = tuple[str, Family, *tuple[str, ...]]  # header, family, aliases
_LabelledRow = tuple[str, str, *tuple[str, ...]]  # header, value of the label, aliases


def _columns(parse: Parser, *rows: _Row, certain: bool = True, **labels: str) -> tuple[Column, ...]:
    """Return columns of different families which share a parser and labels."""
    return tuple(
        Column(header, family, parse, labels, tuple(aliases), certain)
        for header, family, *aliases in rows
    )


def _labelled(
    family: Family, label: str, parse: Parser, *rows: _LabelledRow, certain: bool = True
) -> tuple[Column, ...]:
    """Return columns of one family which differ in the value of a label."""
    return tuple(
        Column(header, family, parse, {label: value}, tuple(aliases), certain)
        for header, value, *aliases in rows
    )


_AGENT_KEY = (Key("agent", "Username"),)
_CAMPAIGN_KEY = (Key("campaign", "Campaign Name"),)

ACD_STATUS = Table(
    name="ACDStatus",
    key=(Key("queue", "Skill Name"),),
    subject="queue",
    figures=(
        *_labelled(
            f.QUEUE_CONTACTS_WAITING,
            "media",
            count,
            ("Calls In Queue", "voice", "callsInQueue"),
            ("Calls In Queue (Visual IVR)", "visual_ivr", "vivrCallsInQueue"),
        ),
        *_columns(
            milliseconds,
            ("Current Longest Queue Time", f.QUEUE_LONGEST_WAIT, "currentLongestQueueTime"),
            ("Longest Queue Time", f.QUEUE_LONGEST_WAIT_WINDOW, "longestQueueTime"),
            media="voice",
        ),
        *_columns(
            count,
            ("Queue Callbacks", f.QUEUE_CALLBACKS_WAITING, "callbacksInQueue"),
            media="callback",
        ),
        *_columns(
            count,
            ("VMs In Queue", f.QUEUE_VOICEMAILS_WAITING, "voicemailsInQueue"),
            ("VMs In Progress", f.QUEUE_VOICEMAILS_ACTIVE, "voicemailsInProgress"),
            ("Total VMs", f.QUEUE_VOICEMAILS, "voicemailsTotal"),
            media="voicemail",
        ),
        *_columns(pair, ("Agents Logged In", f.QUEUE_AGENTS_LOGGED_IN, "agentsLoggedIn")),
        *_labelled(
            f.QUEUE_AGENTS,
            "state",
            count,
            ("Agents Ready For Calls", "ready", "agentsInQueue"),
            ("Agents On Call", "on_contact", "agentsOnCall"),
            ("Agents Not Ready For Calls", "not_ready", "agentsNotReadyForCalls"),
        ),
        *_columns(
            count,
            ("Agents Ready For VMs", f.QUEUE_AGENTS_VOICEMAIL_READY, "agentsInVoicemailQueue"),
        ),
    ),
)

AGENT_STATE = Table(
    name="AgentState",
    key=_AGENT_KEY,
    subject="agent",
    display="Full Name",
    figures=(
        State("State", f.AGENTS, AGENT, "count"),
        Reasons("Reason Code", f.AGENTS_NOT_READY, "State", AGENT, "not_ready"),
        State("State", f.AGENT_STATE, AGENT),
        Column(STATE_START, f.AGENT_STATE_SINCE, instant, certain=False),
        *_labelled(
            f.AGENT_STATE_SECONDS,
            "state",
            milliseconds,
            ("On Hold Duration", "on_hold", "onHoldStateDuration"),
            ("Not Ready State Duration", "not_ready", "notReadyStateDuration"),
            ("On Call State Duration", "on_contact", "onCallStateDuration"),
        ),
        *_labelled(
            f.AGENT_STATE_SECONDS,
            "state",
            milliseconds,
            ("Ready State Duration", "ready", "readyStateDuration"),
            (
                "After Call Work State Duration",
                "after_contact_work",
                "afterCallWorkStateDuration",
            ),
            certain=False,
        ),
        *_columns(milliseconds, ("Reason Duration", f.AGENT_REASON_SECONDS, "reasonCodeDuration")),
        *_columns(
            count, ("Parked Calls Count", f.AGENT_PARKED_CALLS, "parkedCallsCount"), certain=False
        ),
    ),
    # Texts, and instants whose time zone Five9 does not document.
    ignored=(
        "State Duration",
        "State Since",
        "Reason Since",
        "Call Type",
        "Campaign Name",
        "Media Availability",
        "Not Ready State Since",
        "On Call State Since",
        "On Hold State Since",
        "On Park Duration",
        "On Park State Since",
        "Ready State Since",
        "After Call Work State Since",
        "Logged Out State Duration",
        "Logged Out State Since",
    ),
    private=("Customer",),
)

AGENT_STATISTICS = Table(
    name="AgentStatistics",
    key=_AGENT_KEY,
    subject="agent",
    display="Full Name",
    figures=(
        Sum("Total Calls", f.AGENTS_CONTACTS_HANDLED, count, ("totalCallsCount",)),
        *_columns(
            count, ("Total Calls", f.AGENT_CONTACTS_HANDLED, "totalCallsCount"), media="voice"
        ),
        *_labelled(
            f.AGENT_CALLS,
            "direction",
            count,
            ("Total Inbound Calls", "inbound", "inboundCallsCount"),
            ("Total Manual Calls", "manual"),
        ),
        *_labelled(
            f.AGENT_CALLS,
            "direction",
            count,
            ("Total Agent Calls", "placed", "agentCallsCount", "totalAgentCalls"),
            ("Total Outbound Calls", "outbound", "outboundCallsCount"),
            ("Total Internal Calls", "internal", "internalCallsCount"),
            ("Total Preview Calls", "preview", "previewCallsCount"),
            certain=False,
        ),
        *_columns(
            count_share, ("First Call Resolution", f.AGENT_RESOLUTIONS, "firstCallResolution")
        ),
        *_columns(
            milliseconds,
            ("Avg Call Time", f.AGENT_CALL_AVERAGE, "averageCallTime"),
            ("Avg Talk Time", f.AGENT_TALK_AVERAGE, "averageTalkTime"),
            ("Avg Handle Time", f.AGENT_HANDLE_AVERAGE, "averageHandleTime"),
            ("Avg Hold Time", f.AGENT_HOLD_AVERAGE, "averageHoldTime"),
            ("Avg Idle Time", f.AGENT_IDLE_AVERAGE, "averageIdleTime"),
            ("Avg Not Ready Time", f.AGENT_NOT_READY_AVERAGE, "averageBreakTime"),
            ("Avg Wrap Time", f.AGENT_WORK_AVERAGE, "averageWrapTime"),
        ),
        *_columns(
            milliseconds,
            ("Avg Internal Call Time", f.AGENT_INTERNAL_AVERAGE, "averageInternalCallTime"),
            ("Avg Preview Time", f.AGENT_PREVIEW_AVERAGE, "averagePreviewTime"),
            ("Avg VM Processing Time", f.AGENT_VOICEMAIL_AVERAGE, "averageVoicemailProcessingTime"),
            ("Avg Ready For VM Time", f.AGENT_VOICEMAIL_READY_AVERAGE, "averageVoicemailReadyTime"),
            ("Login Time", f.AGENT_LOGIN_TIME, "loginTime"),
            ("Off Break Time", f.AGENT_ON_DUTY_TIME, "offBreakTime"),
            ("Preview Time", f.AGENT_PREVIEW_TIME, "previewTime"),
            certain=False,
        ),
        *_columns(
            count,
            ("Calls Skipped In Preview", f.AGENT_PREVIEWS_SKIPPED, "skippedInPreviewCallsCount"),
            ("Total VMs Processed", f.AGENT_VOICEMAILS, "processedVoicemailCount"),
            ("Not Ready Count", f.AGENT_NOT_READY_ENTRIES, "breaksCount"),
            certain=False,
        ),
        *_columns(
            share,
            ("Occupancy", f.AGENT_OCCUPANCY),
            ("Utilization", f.AGENT_UTILIZATION),
            certain=False,
        ),
        Spread("dispositions", f.AGENT_DISPOSITIONS, "disposition", count),
    ),
    # A sum of other columns, and money without a currency.
    ignored=("Total Calls (without Internal)", "totalCallsWithoutInternalsCount", "Call Charges"),
)

CAMPAIGN_STATE = Table(
    name="CampaignState",
    key=_CAMPAIGN_KEY,
    subject="campaign",
    figures=(
        State("State", f.CAMPAIGN_STATE, CAMPAIGN, "each", ("campaignState",)),
        *_columns(
            number, ("Priority", f.CAMPAIGN_PRIORITY), ("Ratio", f.CAMPAIGN_WEIGHT), certain=False
        ),
    ),
    ignored=("State Since", "Mode", "Profile", "Current Action", "Type"),
)

OUTBOUND_CAMPAIGN_MANAGER = Table(
    name="OutboundCampaignManager",
    key=_CAMPAIGN_KEY,
    subject="campaign",
    direction="outbound",
    figures=(
        *_columns(
            count,
            ("Dialing Attempts", f.CAMPAIGN_DIALS, "dialingAttemptsCount"),
            ("Contacted", f.CAMPAIGN_CONNECTED, "contactedCallsCount"),
            ("Abandoned", f.CAMPAIGN_ABANDONED, "abandonedCallsCount"),
            ("No Party Contact", f.CAMPAIGN_UNANSWERED, "noPartyContactSystemCallsCount"),
            ("Dispositioned Records", f.CAMPAIGN_DISPOSITIONED, "dispositionedRecordsCount"),
            ("Skipped In Preview", f.CAMPAIGN_PREVIEWS_SKIPPED, "skippedInPreviewCallsCount"),
            certain=False,
        ),
        *_labelled(
            f.CAMPAIGN_RECORDS,
            "status",
            count,
            ("Total Records", "total", "totalRecordsCount"),
            ("Available Records", "available", "availableRecordsCount"),
            ("Redial With Timer", "redial_with_timer", "redialedWithTimerRecordsCount"),
            ("Dialed Without Timer", "dialed_without_timer", "dialedWithoutTimerRecordsCount"),
            ("ASAP Requests", "asap_request", "dialedWithASAPRequestRecordsCount"),
            ("Unreachable Records", "unreachable", "unreachableRecordsCount"),
            certain=False,
        ),
        *_labelled(
            f.CAMPAIGN_DIALING_RATIO,
            "kind",
            count,
            ("Calls To Agent Ratio", "actual", "callsToAgentRatio"),
            ("Calls To Agent Target Ratio", "target", "callsToAgentTargetRatio"),
            certain=False,
        ),
        *_columns(
            count,
            ("Agents Ready For Calls", f.CAMPAIGN_AGENTS, "readyForCallAgentsCount"),
            certain=False,
            state="ready",
        ),
    ),
    ignored=("State",),  # in CampaignState for every campaign, here for running ones only
)


def _campaign_statistics(name: str, direction: Direction) -> Table:
    """Return the table of one campaign type; every column may occur in all three types."""
    return Table(
        name=name,
        key=_CAMPAIGN_KEY,
        subject="campaign",
        direction=direction,
        figures=(
            *_columns(
                count,
                ("Total Calls", f.CAMPAIGN_OFFERED, "totalCallsCount"),
                ("Agent Calls", f.CAMPAIGN_AGENT_CALLS, "associatedWithAgentsCallsCount"),
                ("Calls Connected", f.CAMPAIGN_CONNECTED, "connectedCallsCount"),
                ("Calls Handled", f.CAMPAIGN_HANDLED, "handledCallsCount"),
                ("Calls Abandoned", f.CAMPAIGN_ABANDONED, "abandonedCallsCount"),
                ("Calls Rejected", f.CAMPAIGN_REJECTED, "rejectedCallsCount"),
                ("Visual IVR Sessions", f.CAMPAIGN_VISUAL_IVR, "vivrSessionsCount"),
                certain=False,
            ),
            *_columns(
                milliseconds,
                ("Avg Speed Of Answer", f.CAMPAIGN_ANSWER_AVERAGE, "averageSpeedOfAnswer"),
                ("Avg Handle Time", f.CAMPAIGN_HANDLE_AVERAGE, "averageHandleTime"),
                ("Avg Call Time", f.CAMPAIGN_CALL_AVERAGE, "averageCallTime"),
                ("Avg Wrap Time", f.CAMPAIGN_WORK_AVERAGE, "averageWrapTime"),
                ("Avg Availability Time", f.CAMPAIGN_AVAILABLE_AVERAGE, "averageAvailabilityTime"),
                ("Longest Hold Time", f.CAMPAIGN_LONGEST_HOLD, "longestHoldTime"),
                ("Longest Queue Time", f.CAMPAIGN_LONGEST_WAIT, "longestQueueTime"),
                certain=False,
            ),
            *_columns(
                share,
                ("Abandon Call Rate", f.CAMPAIGN_ABANDONED_RATIO, "abandonCallRate"),
                ("Service Level Queue", f.CAMPAIGN_SERVICE_LEVEL, "serviceLevelQueue"),
                ("Service Level Talk", f.CAMPAIGN_TALK_LEVEL, "serviceLevelTalk"),
                certain=False,
            ),
            *_labelled(
                f.CAMPAIGN_IVR_FINISHED,
                "outcome",
                count,
                ("Finished In IVR (Success)", "success", "finishedInIVRSuccessCallsCount"),
                ("Finished In IVR (Error)", "error", "finishedInIVRErrorCallsCount"),
                certain=False,
            ),
            *_columns(
                count_share,
                ("First Call Resolution", f.CAMPAIGN_RESOLUTIONS, "firstCallResolution"),
                certain=False,
            ),
            Spread("dispositions", f.CAMPAIGN_DISPOSITIONS, "disposition", count),
        ),
        # A sum of other columns, and money without a currency.
        ignored=("Calls Connected + Abandoned", "connectedPlusAbandonedCallsCount", "Call Charges"),
    )


STATISTICS = {
    table.name: table
    for table in (
        ACD_STATUS,
        AGENT_STATE,
        CAMPAIGN_STATE,
        OUTBOUND_CAMPAIGN_MANAGER,
        _campaign_statistics("InboundCampaignStatistics", "inbound"),
        _campaign_statistics("OutboundCampaignStatistics", "outbound"),
        _campaign_statistics("AutodialCampaignStatistics", "outbound"),
        AGENT_STATISTICS,
    )
}

LICENSES = Table(
    name="account.licenses",
    key=(Key("kind", "kind"), Key("state", "state")),
    figures=(Column("value", f.ACCOUNT_LICENSES, count),),
)
PERMISSIONS = Table(
    name="account.permissions",
    key=(Key("permission", "permission"),),
    figures=(Column("value", f.ACCOUNT_PERMISSION, count),),
)
# Whether shares are 0..1 or 0..100 is not documented; Five9's REST feed has fractions.
_MARGIN = 10  # most calls that a campaign has for one connected or abandoned


def _abandoned(get: Get) -> float:
    # The denominator is not documented; it is at most all calls.
    abandoned, connected, total = map(get, ("Calls Abandoned", "Calls Connected", "Total Calls"))
    if total is None and abandoned is not None and connected is not None:
        total = _MARGIN * (connected + abandoned)
    return least_share(abandoned, total)


def _of_calls(get: Get) -> float:
    return least_share(None, get("Total Calls"))


def _of_time(get: Get) -> float:
    # A call that began before midnight may be longer than the login time of the day. Which calls
    # count as handling is not documented, so no number proves a fraction.
    calls, mean, login = map(get, ("Total Calls", "Avg Handle Time", "Login Time"))
    if calls is None or mean is None or not login:
        return MISFIT
    return max(1.01, calls * mean / login)


_CAMPAIGN_BOUNDS: Mapping[str, Bound] = {
    "Abandon Call Rate": _abandoned,
    "Service Level Queue": _of_calls,
    "Service Level Talk": _of_calls,
}
BOUNDS: Mapping[tuple[str, str], Bound] = {
    **{
        (f"{kind}CampaignStatistics", header): bound
        for kind in ("Inbound", "Outbound", "Autodial")
        for header, bound in _CAMPAIGN_BOUNDS.items()
    },
    (AGENT_STATISTICS.name, "Occupancy"): _of_time,
    (AGENT_STATISTICS.name, "Utilization"): _of_time,
}

# The permissions that decide which rows this user sees.
VISIBILITY = ("Agents", "Campaigns", "AllSkills", "ViewDataForAllAgentGroups")

TABLES = (*STATISTICS.values(), LICENSES, PERMISSIONS)
