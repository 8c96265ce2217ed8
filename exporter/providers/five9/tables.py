"""Five9's tables: which column is which figure.

Spellings marked ``certain=False`` are ours, by analogy with the field names of Five9's REST
supervisor feed (their aliases): Five9 publishes no list of columns, it refers to
``getColumnNames`` (Statistics Web Services API Reference Guide, "getStatistics").
"""

from exporter.metrics import families as f
from exporter.metrics.parsers import count, count_share, milliseconds, number, pair, signed_percent
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

# States -----------------------------------------------------------------------------------------

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

# Columns computed here from what Five9 sends ----------------------------------------------------

STATE_START = "State Start"  # epoch ms: the answer's time less State Duration

# Durations that run while nothing else changes; Five9 does not say whether updates carry them.
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

# Tables -----------------------------------------------------------------------------------------

_VOICE = {"media": "voice"}
_AGENT_KEY = (Key("agent", "Username"),)
_CAMPAIGN_KEY = (Key("campaign", "Campaign Name"),)

ACD_STATUS = Table(
    name="ACDStatus",
    key=(Key("queue", "Skill Name"),),
    subject="queue",
    figures=(
        Column("Calls In Queue", f.QUEUE_CONTACTS_WAITING, count, _VOICE, ("callsInQueue",)),
        Column(
            "Calls In Queue (Visual IVR)",
            f.QUEUE_CONTACTS_WAITING,
            count,
            {"media": "visual_ivr"},
            ("vivrCallsInQueue",),
        ),
        Column(
            "Current Longest Queue Time",
            f.QUEUE_LONGEST_WAIT,
            milliseconds,
            _VOICE,
            ("currentLongestQueueTime",),
        ),
        Column(
            "Longest Queue Time",
            f.QUEUE_LONGEST_WAIT_WINDOW,
            milliseconds,
            _VOICE,
            ("longestQueueTime",),
        ),
        Column(
            "Queue Callbacks",
            f.QUEUE_CALLBACKS_WAITING,
            count,
            {"media": "callback"},
            ("callbacksInQueue",),
        ),
        Column(
            "VMs In Queue",
            f.QUEUE_VOICEMAILS_WAITING,
            count,
            {"media": "voicemail"},
            ("voicemailsInQueue",),
        ),
        Column(
            "VMs In Progress",
            f.QUEUE_VOICEMAILS_ACTIVE,
            count,
            {"media": "voicemail"},
            ("voicemailsInProgress",),
        ),
        Column(
            "Total VMs", f.QUEUE_VOICEMAILS, count, {"media": "voicemail"}, ("voicemailsTotal",)
        ),
        Column("Agents Logged In", f.QUEUE_AGENTS_LOGGED_IN, pair, {}, ("agentsLoggedIn",)),
        Column(
            "Agents Ready For Calls",
            f.QUEUE_AGENTS,
            count,
            {"state": "ready"},
            ("agentsInQueue",),
        ),
        Column("Agents On Call", f.QUEUE_AGENTS, count, {"state": "on_contact"}, ("agentsOnCall",)),
        Column(
            "Agents Not Ready For Calls",
            f.QUEUE_AGENTS,
            count,
            {"state": "not_ready"},
            ("agentsNotReadyForCalls",),
        ),
        Column(
            "Agents Ready For VMs",
            f.QUEUE_AGENTS_VOICEMAIL_READY,
            count,
            {},
            ("agentsInVoicemailQueue",),
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
        Column(
            "On Hold Duration",
            f.AGENT_STATE_SECONDS,
            milliseconds,
            {"state": "on_hold"},
            ("onHoldStateDuration",),
        ),
        Column(
            "Not Ready State Duration",
            f.AGENT_STATE_SECONDS,
            milliseconds,
            {"state": "not_ready"},
            ("notReadyStateDuration",),
        ),
        Column(
            "On Call State Duration",
            f.AGENT_STATE_SECONDS,
            milliseconds,
            {"state": "on_contact"},
            ("onCallStateDuration",),
        ),
        Column(
            "Ready State Duration",
            f.AGENT_STATE_SECONDS,
            milliseconds,
            {"state": "ready"},
            ("readyStateDuration",),
            certain=False,
        ),
        Column(
            "After Call Work State Duration",
            f.AGENT_STATE_SECONDS,
            milliseconds,
            {"state": "after_contact_work"},
            ("afterCallWorkStateDuration",),
            certain=False,
        ),
        Column(
            "Reason Duration", f.AGENT_REASON_SECONDS, milliseconds, {}, ("reasonCodeDuration",)
        ),
        Column(
            "Parked Calls Count",
            f.AGENT_PARKED_CALLS,
            count,
            {},
            ("parkedCallsCount",),
            certain=False,
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
        Column("Total Calls", f.AGENT_CONTACTS_HANDLED, count, _VOICE, ("totalCallsCount",)),
        Column(
            "Total Inbound Calls",
            f.AGENT_CALLS,
            count,
            {"direction": "inbound"},
            ("inboundCallsCount",),
        ),
        Column("Total Manual Calls", f.AGENT_CALLS, count, {"direction": "manual"}),
        Column(
            "Total Agent Calls",
            f.AGENT_CALLS,
            count,
            {"direction": "placed"},
            ("agentCallsCount", "totalAgentCalls"),
            certain=False,
        ),
        Column(
            "Total Outbound Calls",
            f.AGENT_CALLS,
            count,
            {"direction": "outbound"},
            ("outboundCallsCount",),
            certain=False,
        ),
        Column(
            "Total Internal Calls",
            f.AGENT_CALLS,
            count,
            {"direction": "internal"},
            ("internalCallsCount",),
            certain=False,
        ),
        Column(
            "Total Preview Calls",
            f.AGENT_CALLS,
            count,
            {"direction": "preview"},
            ("previewCallsCount",),
            certain=False,
        ),
        Column(
            "First Call Resolution",
            f.AGENT_RESOLUTIONS,
            count_share,
            {},
            ("firstCallResolution",),
        ),
        Column("Avg Call Time", f.AGENT_CALL_AVERAGE, milliseconds, {}, ("averageCallTime",)),
        Column("Avg Talk Time", f.AGENT_TALK_AVERAGE, milliseconds, {}, ("averageTalkTime",)),
        Column("Avg Handle Time", f.AGENT_HANDLE_AVERAGE, milliseconds, {}, ("averageHandleTime",)),
        Column("Avg Hold Time", f.AGENT_HOLD_AVERAGE, milliseconds, {}, ("averageHoldTime",)),
        Column("Avg Idle Time", f.AGENT_IDLE_AVERAGE, milliseconds, {}, ("averageIdleTime",)),
        Column(
            "Avg Not Ready Time",
            f.AGENT_NOT_READY_AVERAGE,
            milliseconds,
            {},
            ("averageBreakTime",),
        ),
        Column("Avg Wrap Time", f.AGENT_WORK_AVERAGE, milliseconds, {}, ("averageWrapTime",)),
        Column(
            "Avg Internal Call Time",
            f.AGENT_INTERNAL_AVERAGE,
            milliseconds,
            {},
            ("averageInternalCallTime",),
            certain=False,
        ),
        Column(
            "Avg Preview Time",
            f.AGENT_PREVIEW_AVERAGE,
            milliseconds,
            {},
            ("averagePreviewTime",),
            certain=False,
        ),
        Column(
            "Avg VM Processing Time",
            f.AGENT_VOICEMAIL_AVERAGE,
            milliseconds,
            {},
            ("averageVoicemailProcessingTime",),
            certain=False,
        ),
        Column(
            "Avg Ready For VM Time",
            f.AGENT_VOICEMAIL_READY_AVERAGE,
            milliseconds,
            {},
            ("averageVoicemailReadyTime",),
            certain=False,
        ),
        Column(
            "Calls Skipped In Preview",
            f.AGENT_PREVIEWS_SKIPPED,
            count,
            {},
            ("skippedInPreviewCallsCount",),
            certain=False,
        ),
        Column(
            "Total VMs Processed",
            f.AGENT_VOICEMAILS,
            count,
            {},
            ("processedVoicemailCount",),
            certain=False,
        ),
        Column(
            "Not Ready Count",
            f.AGENT_NOT_READY_ENTRIES,
            count,
            {},
            ("breaksCount",),
            certain=False,
        ),
        Column("Login Time", f.AGENT_LOGIN_TIME, milliseconds, {}, ("loginTime",), certain=False),
        Column(
            "Off Break Time",
            f.AGENT_ON_DUTY_TIME,
            milliseconds,
            {},
            ("offBreakTime",),
            certain=False,
        ),
        Column(
            "Preview Time", f.AGENT_PREVIEW_TIME, milliseconds, {}, ("previewTime",), certain=False
        ),
        Column("Occupancy", f.AGENT_OCCUPANCY, signed_percent, {}, certain=False),
        Column("Utilization", f.AGENT_UTILIZATION, signed_percent, {}, certain=False),
        Spread("dispositions", f.AGENT_DISPOSITIONS, "disposition", count),
    ),
    # A sum of other columns, and money whose currency is not sent.
    ignored=(
        "Total Calls (without Internal)",
        "totalCallsWithoutInternalsCount",
        "Call Charges",
    ),
)

CAMPAIGN_STATE = Table(
    name="CampaignState",
    key=_CAMPAIGN_KEY,
    subject="campaign",
    figures=(
        State("State", f.CAMPAIGN_STATE, CAMPAIGN, "each", ("campaignState",)),
        Column("Priority", f.CAMPAIGN_PRIORITY, number, certain=False),
        Column("Ratio", f.CAMPAIGN_WEIGHT, number, certain=False),
    ),
    ignored=("State Since", "Mode", "Profile", "Current Action", "Type"),
)

_ROLLING = (
    ("Dialing Attempts", f.CAMPAIGN_DIALS, "dialingAttemptsCount"),
    ("Contacted", f.CAMPAIGN_CONNECTED, "contactedCallsCount"),
    ("Abandoned", f.CAMPAIGN_ABANDONED, "abandonedCallsCount"),
    ("No Party Contact", f.CAMPAIGN_UNANSWERED, "noPartyContactSystemCallsCount"),
    ("Dispositioned Records", f.CAMPAIGN_DISPOSITIONED, "dispositionedRecordsCount"),
    ("Skipped In Preview", f.CAMPAIGN_PREVIEWS_SKIPPED, "skippedInPreviewCallsCount"),
)
_RECORDS = (
    ("Total Records", "total", "totalRecordsCount"),
    ("Available Records", "available", "availableRecordsCount"),
    ("Redial With Timer", "redial_with_timer", "redialedWithTimerRecordsCount"),
    ("Dialed Without Timer", "dialed_without_timer", "dialedWithoutTimerRecordsCount"),
    ("ASAP Requests", "asap_request", "dialedWithASAPRequestRecordsCount"),
    ("Unreachable Records", "unreachable", "unreachableRecordsCount"),
)

OUTBOUND_CAMPAIGN_MANAGER = Table(
    name="OutboundCampaignManager",
    key=_CAMPAIGN_KEY,
    subject="campaign",
    figures=(
        *(
            Column(header, family, count, {}, (alias,), certain=False)
            for header, family, alias in _ROLLING
        ),
        *(
            Column(header, f.CAMPAIGN_RECORDS, count, {"status": status}, (alias,), certain=False)
            for header, status, alias in _RECORDS
        ),
        Column(
            "Calls To Agent Ratio",
            f.CAMPAIGN_DIALING_RATIO,
            count,
            {"kind": "actual"},
            ("callsToAgentRatio",),
            certain=False,
        ),
        Column(
            "Calls To Agent Target Ratio",
            f.CAMPAIGN_DIALING_RATIO,
            count,
            {"kind": "target"},
            ("callsToAgentTargetRatio",),
            certain=False,
        ),
        Column(
            "Agents Ready For Calls",
            f.CAMPAIGN_AGENTS,
            count,
            {"state": "ready"},
            ("readyForCallAgentsCount",),
            certain=False,
        ),
    ),
    ignored=("State",),  # CampaignState has it for every campaign, not only for running ones
)

_COUNTS = (
    ("Total Calls", f.CAMPAIGN_OFFERED, "totalCallsCount"),
    ("Agent Calls", f.CAMPAIGN_AGENT_CALLS, "associatedWithAgentsCallsCount"),
    ("Calls Connected", f.CAMPAIGN_CONNECTED, "connectedCallsCount"),
    ("Calls Handled", f.CAMPAIGN_HANDLED, "handledCallsCount"),
    ("Calls Abandoned", f.CAMPAIGN_ABANDONED, "abandonedCallsCount"),
    ("Calls Rejected", f.CAMPAIGN_REJECTED, "rejectedCallsCount"),
    ("Visual IVR Sessions", f.CAMPAIGN_VISUAL_IVR, "vivrSessionsCount"),
)
_AVERAGES = (
    ("Avg Speed Of Answer", f.CAMPAIGN_ANSWER_AVERAGE, "averageSpeedOfAnswer"),
    ("Avg Handle Time", f.CAMPAIGN_HANDLE_AVERAGE, "averageHandleTime"),
    ("Avg Call Time", f.CAMPAIGN_CALL_AVERAGE, "averageCallTime"),
    ("Avg Wrap Time", f.CAMPAIGN_WORK_AVERAGE, "averageWrapTime"),
    ("Avg Availability Time", f.CAMPAIGN_AVAILABLE_AVERAGE, "averageAvailabilityTime"),
    ("Longest Hold Time", f.CAMPAIGN_LONGEST_HOLD, "longestHoldTime"),
    ("Longest Queue Time", f.CAMPAIGN_LONGEST_WAIT, "longestQueueTime"),
)
_SHARES = (
    ("Abandon Call Rate", f.CAMPAIGN_ABANDONED_RATIO, "abandonCallRate"),
    ("Service Level Queue", f.CAMPAIGN_SERVICE_LEVEL, "serviceLevelQueue"),
    ("Service Level Talk", f.CAMPAIGN_TALK_LEVEL, "serviceLevelTalk"),
)


def _campaign_statistics(name: str) -> Table:
    """Make the table of one campaign type: what is known of one is expected of all three."""
    return Table(
        name=name,
        key=_CAMPAIGN_KEY,
        subject="campaign",
        figures=(
            *(
                Column(header, family, count, {}, (alias,), certain=False)
                for header, family, alias in _COUNTS
            ),
            *(
                Column(header, family, milliseconds, {}, (alias,), certain=False)
                for header, family, alias in _AVERAGES
            ),
            *(
                Column(header, family, signed_percent, {}, (alias,), certain=False)
                for header, family, alias in _SHARES
            ),
            Column(
                "Finished In IVR (Success)",
                f.CAMPAIGN_IVR_FINISHED,
                count,
                {"outcome": "success"},
                ("finishedInIVRSuccessCallsCount",),
                certain=False,
            ),
            Column(
                "Finished In IVR (Error)",
                f.CAMPAIGN_IVR_FINISHED,
                count,
                {"outcome": "error"},
                ("finishedInIVRErrorCallsCount",),
                certain=False,
            ),
            Column(
                "First Call Resolution",
                f.CAMPAIGN_RESOLUTIONS,
                count_share,
                {},
                ("firstCallResolution",),
                certain=False,
            ),
            Spread("dispositions", f.CAMPAIGN_DISPOSITIONS, "disposition", count),
        ),
        # A sum of other columns, and money whose currency is not sent.
        ignored=("Calls Connected + Abandoned", "connectedPlusAbandonedCallsCount", "Call Charges"),
    )


INBOUND_CAMPAIGN_STATISTICS = _campaign_statistics("InboundCampaignStatistics")
OUTBOUND_CAMPAIGN_STATISTICS = _campaign_statistics("OutboundCampaignStatistics")
AUTODIAL_CAMPAIGN_STATISTICS = _campaign_statistics("AutodialCampaignStatistics")

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

# Feeds ------------------------------------------------------------------------------------------

STATISTICS = {
    table.name: table
    for table in (
        ACD_STATUS,
        AGENT_STATE,
        CAMPAIGN_STATE,
        OUTBOUND_CAMPAIGN_MANAGER,
        INBOUND_CAMPAIGN_STATISTICS,
        OUTBOUND_CAMPAIGN_STATISTICS,
        AUTODIAL_CAMPAIGN_STATISTICS,
        AGENT_STATISTICS,
    )
}
# The permissions that decide which rows this user sees.
VISIBILITY = ("Agents", "Campaigns", "AllSkills", "ViewDataForAllAgentGroups")
