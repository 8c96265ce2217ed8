"""The vocabulary: every metric family, named once. What does a name mean?

A family never changes its kind: a total that restarts at a known instant is a counter; the same
figure over a sliding window is another family, its ``sliding`` twin, with a ``window`` label.
Every family here also carries ``provider`` and ``account`` and the account's own labels.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

PREFIX = "contactcenter_"
BASE_LABELS = ("provider", "account")
Kind = Literal["gauge", "counter", "histogram"]

AGENT_STATES = (
    "ready",
    "ringing",
    "on_contact",
    "on_hold",
    "after_contact_work",
    "not_ready",
    "logged_out",
    "other",
)
CAMPAIGN_STATES = (
    "running",
    "starting",
    "stopping",
    "stopped",
    "resetting",
    "completed",
    "other",
)

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_PLAIN_HELP = re.compile(r"[^\"\\\n]+\.")


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """One metric name: its meaning, kind and own labels (in the order they are written).

    There is one object for each, by which series are found. Raises ``ValueError`` where the name
    breaks the grammar of Prometheus: only counters end in ``_total``; HELP is one plain sentence
    that reads the same in both exposition formats.
    """

    name: str
    help: str
    kind: Kind = "gauge"
    labels: tuple[str, ...] = ()
    sliding: "Family | None" = None

    def __post_init__(self) -> None:
        short = self.name.removeprefix(PREFIX)
        if short == self.name or not _NAME.fullmatch(short):
            raise ValueError(f"{self.name!r} is no metric name of ours")
        if self.name.endswith("_total") != (self.kind == "counter"):
            raise ValueError(f"{self.name}: counters, and only counters, end in _total")
        if not _PLAIN_HELP.fullmatch(self.help):
            raise ValueError(f"{self.name}: help must be plain sentences")
        wrong = [x for x in self.labels if not _NAME.fullmatch(x) or x in BASE_LABELS]
        if wrong or len(set(self.labels)) != len(self.labels):
            raise ValueError(f"{self.name}: bad labels {self.labels}")

    @property
    def unit(self) -> str:
        """The base unit: seconds, ratio, or empty for plain counts."""
        stem = self.name.removesuffix("_total")
        return next((unit for unit in ("seconds", "ratio") if stem.endswith("_" + unit)), "")


def _gauge(name: str, text: str, *labels: str) -> Family:
    return Family(PREFIX + name, text + " Refreshed on a schedule.", "gauge", labels)


def _total(name: str, text: str, *labels: str) -> Family:
    """Declare a period total and the gauge that stands for it where the period slides."""
    sliding = _gauge(name, text + " Over a sliding window.", *labels, "window")
    text += " Restarts at zero with the platform's period. Refreshed on a schedule."
    return Family(f"{PREFIX}{name}_total", text, "counter", labels, sliding)


def _time_total(name: str, text: str, *labels: str) -> Family:
    """Declare a period total of seconds; the name without ``_total`` means an average."""
    text += " Restarts at zero with the platform's period. Refreshed on a schedule."
    return Family(f"{PREFIX}{name}_total", text, "counter", labels)


def _setting(name: str, text: str, *labels: str) -> Family:
    """Declare a family whose figures the user sets, for what is live."""
    return Family(PREFIX + name, text + " Set in exporter.yml.", "gauge", labels)


def _own(name: str, text: str, *labels: str, kind: Kind = "gauge") -> Family:
    """Declare a family of the exporter itself, up to date at every scrape."""
    return Family(PREFIX + name, text, kind, labels)


@lru_cache(maxsize=4096)
def custom(name: str, labels: tuple[str, ...]) -> Family:
    """Return the gauge family ``name`` of a figure that the user maps to no family of ours."""
    return Family(
        name, "A figure mapped in exporter.yml. Refreshed on a schedule.", "gauge", labels
    )


# Queues -----------------------------------------------------------------------------------------
_Q = ("queue", "media")
QUEUE_CONTACTS_WAITING = _gauge("queue_contacts_waiting", "Contacts waiting for an agent now.", *_Q)
QUEUE_LONGEST_WAIT = _gauge(
    "queue_longest_wait_seconds", "Time the oldest waiting contact has waited.", *_Q
)
QUEUE_CALLBACKS_WAITING = _gauge(
    "queue_callbacks_waiting", "Callbacks waiting in the queue now.", *_Q
)
QUEUE_VOICEMAILS_WAITING = _gauge(
    "queue_voicemails_waiting", "Voicemails waiting for an agent now.", *_Q
)
QUEUE_VOICEMAILS_ACTIVE = _gauge(
    "queue_voicemails_active", "Voicemails being worked by an agent now.", *_Q
)
QUEUE_VOICEMAILS = _gauge("queue_voicemails", "All voicemails of the queue.", *_Q)
QUEUE_AGENTS = _gauge("queue_agents", "Agents serving the queue, by state.", "queue", "state")
QUEUE_AGENTS_LOGGED_IN = _gauge(
    "queue_agents_logged_in", "Logged-in agents serving the queue.", "queue"
)
QUEUE_AGENTS_VOICEMAIL_READY = _gauge(
    "queue_agents_voicemail_ready", "Agents of the queue ready to take a voicemail.", "queue"
)
QUEUE_LONGEST_WAIT_WINDOW = _gauge(
    "queue_longest_wait_window_seconds", "Longest wait in the window.", *_Q, "window"
)
QUEUE_CONTACTS_ACTIVE = _gauge("queue_contacts_active", "Contacts being handled now.", *_Q)
QUEUE_ESTIMATED_WAIT = _gauge(
    "queue_estimated_wait_seconds", "Wait that the platform predicts.", *_Q
)
QUEUE_CHANNEL_AGENTS = _gauge(
    "queue_channel_agents",
    "Agents serving the queue, by their state on one kind of media.",
    *_Q,
    "state",
)
QUEUE_AGENTS_ASSIGNED = _gauge(
    "queue_agents_assigned", "Agents assigned to the queue, logged in or not.", "queue"
)
QUEUE_WAITING_CAPACITY = _gauge(
    "queue_contacts_waiting_capacity", "Contacts that may wait before more are rejected.", *_Q
)
QUEUE_OFFERED = _total("queue_contacts_offered", "Contacts that reached the queue.", *_Q)
QUEUE_ANSWERED = _total("queue_contacts_answered", "Contacts that an agent answered.", *_Q)
QUEUE_ABANDONED = _total(
    "queue_contacts_abandoned", "Contacts that left before an agent answered.", *_Q
)
QUEUE_REJECTED = _total(
    "queue_contacts_rejected", "Contacts that the platform did not let wait.", *_Q
)
QUEUE_HANDLED = _total("queue_contacts_handled", "Contacts whose handling has ended.", *_Q)
QUEUE_ANSWERED_WITHIN = _total(
    "queue_contacts_answered_within_threshold", "Contacts answered within the threshold.", *_Q
)
QUEUE_THRESHOLD = _gauge(
    "queue_service_level_threshold_seconds", "The time of answered within threshold.", *_Q
)
QUEUE_WAIT_TIME = _time_total(
    "queue_wait_seconds", "Time all contacts waited, answered or not.", *_Q
)
QUEUE_ANSWER_WAIT_TIME = _time_total(
    "queue_answer_wait_seconds", "Time the answered contacts waited.", *_Q
)
QUEUE_ABANDONED_WAIT_TIME = _time_total(
    "queue_abandoned_wait_seconds", "Time the abandoned contacts waited.", *_Q
)
QUEUE_HANDLE_TIME = _time_total(
    "queue_handle_seconds", "Time of conversations and the work after them.", *_Q
)
QUEUE_TALK_TIME = _time_total("queue_talk_seconds", "Time of conversations.", *_Q)
QUEUE_INFO = _gauge("queue_info", "Always 1; the platform's id of the queue.", "queue", "id")
QUEUE_QUEUED = _total("queue_contacts_queued", "Contacts that had to wait in the queue.", *_Q)
QUEUE_SHORT_ABANDONED = _total(
    "queue_contacts_short_abandoned", "Contacts that left within the threshold.", *_Q
)
QUEUE_LATE_ABANDONED = _total(
    "queue_contacts_late_abandoned", "Contacts that left the queue after the threshold.", *_Q
)
QUEUE_OUTBOUND_ANSWERED = _total(
    "queue_outbound_answered", "Outbound attempts of the queue that were answered.", *_Q
)
QUEUE_OUTBOUND_HANDLED = _total(
    "queue_outbound_handled", "Outbound contacts of the queue that agents handled.", *_Q
)
QUEUE_DISPOSITIONS = _total(
    "queue_dispositions", "Contacts of the queue by disposition.", "queue", "disposition"
)
QUEUE_AGENTS_BUSY = _gauge(
    "queue_agents_busy",
    "Agents of the queue with a contact of any queue, or with the work after it.",
    "queue",
)
QUEUE_SERVICE_LEVEL_TARGET = _gauge(
    "queue_service_level_target_ratio", "Service level that the platform is set to aim at.", *_Q
)
_QW = (*_Q, "window")
QUEUE_SERVICE_LEVEL = _gauge(
    "queue_service_level_ratio", "Share of contacts answered within the threshold.", *_QW
)
QUEUE_ABANDONED_RATIO = _gauge(
    "queue_abandoned_ratio", "Share of contacts abandoned, as the platform gives it.", *_QW
)
QUEUE_SHORT_ABANDONED_RATIO = _gauge(
    "queue_short_abandoned_ratio", "Share of contacts abandoned within the threshold.", *_QW
)
QUEUE_LATE_ABANDONED_RATIO = _gauge(
    "queue_late_abandoned_ratio", "Share of contacts abandoned after the threshold.", *_QW
)
QUEUE_ANSWER_AVERAGE = _gauge("queue_answer_seconds", "Mean speed of answer.", *_QW)

QUEUE_WAITING_LIMIT = _setting(
    "queue_waiting_limit", "Contacts that may wait, by level of the limit.", "queue", "level"
)
QUEUE_ANSWER_OBJECTIVE = _setting(
    "queue_answer_objective_seconds", "Time in which contacts are to be answered.", "queue"
)
QUEUE_SERVICE_LEVEL_OBJECTIVE = _setting(
    "queue_service_level_objective_ratio", "Service level to be reached.", "queue"
)
QUEUE_OPEN = _setting("queue_open", "1 within the opening hours, 0 outside.", "queue")

# Agents -----------------------------------------------------------------------------------------
AGENTS = _gauge("agents", "Agents by state.", "state")
AGENTS_NOT_READY = _gauge("agents_not_ready", "Agents not ready, by reason.", "reason")
AGENTS_CONTACTS_HANDLED = _total(
    "agents_contacts_handled", "Contacts handled by all agents together."
)
AGENTS_CONTACTS_ANSWERED = _total(
    "agents_contacts_answered", "Contacts answered by all agents together."
)
AGENTS_CONTACTS_UNANSWERED = _total(
    "agents_contacts_unanswered", "Contacts offered to an agent and not answered, all agents."
)
AGENTS_RING_TIME = _time_total(
    "agents_ring_seconds", "Time contacts rang at agents before the answer, all agents."
)
AGENTS_TALK_TIME = _time_total("agents_talk_seconds", "Time of conversations, all agents.")
AGENTS_HANDLE_TIME = _time_total(
    "agents_handle_seconds", "Time of conversations and the work after them, all agents."
)
AGENTS_WORK_TIME = _time_total(
    "agents_after_contact_work_seconds", "Time of the work after contacts, all agents."
)
AGENTS_STATE_TIME = _time_total(
    "agents_state_seconds", "Time all agents together spent in a state.", "state"
)
AGENTS_STATE_ENTRIES = _total("agents_state_entries", "Times agents entered a state.", "state")
AGENT_STATE = _gauge("agent_state", "Always 1; the label is the agent's state.", "agent", "state")
AGENT_STATE_SINCE = _gauge(
    "agent_state_since_timestamp_seconds", "When the agent entered the present state.", "agent"
)
AGENT_STATE_SECONDS = _gauge(
    "agent_state_seconds",
    "Time the agent has been in a part of the present state.",
    "agent",
    "state",
)
AGENT_REASON_SECONDS = _gauge(
    "agent_reason_seconds", "Time the agent has had the present not-ready reason.", "agent"
)
AGENTS_BREAK_TIME = _time_total("agents_break_seconds", "Time on a break, all agents together.")
AGENT_BREAK_TIME = _time_total("agent_break_seconds", "Time the agent was on a break.", "agent")
AGENT_NEXT_STATE = _gauge(
    "agent_next_state",
    "Always 1; the label is the state the agent asked for after the present contact.",
    "agent",
    "state",
)
AGENT_SESSION = _gauge("agent_session_seconds", "Time since the agent logged in.", "agent")
AGENT_CONTACTS_ACTIVE = _gauge(
    "agent_contacts_active", "1 for the medium of the agent's present contact.", "agent", "media"
)
TEAM_INFO = _gauge("team_info", "Always 1; a team whose agents are seen.", "team", "id")
AGENT_PARKED_CALLS = _gauge("agent_parked_calls", "Calls the agent has parked.", "agent")
_AM = ("agent", "media")
AGENT_CONTACTS_HANDLED = _total("agent_contacts_handled", "Contacts the agent handled.", *_AM)
AGENT_CONTACTS_ANSWERED = _total("agent_contacts_answered", "Contacts the agent answered.", *_AM)
AGENT_CONTACTS_UNANSWERED = _total(
    "agent_contacts_unanswered", "Contacts offered to the agent and not answered.", *_AM
)
AGENT_RING_TIME = _time_total(
    "agent_ring_seconds", "Time contacts rang at the agent before the answer.", *_AM
)
AGENT_TALK_TIME = _time_total("agent_talk_seconds", "Time the agent talked.", *_AM)
AGENT_HANDLE_TIME = _time_total(
    "agent_handle_seconds", "Time the agent talked or worked after contacts.", *_AM
)
AGENT_HOLD_TIME = _time_total("agent_hold_seconds", "Time the agent had a contact on hold.", *_AM)
AGENT_WORK_TIME = _time_total(
    "agent_after_contact_work_seconds", "Time the agent worked after contacts.", *_AM
)
AGENT_STATE_TIME = _time_total(
    "agent_state_time_seconds", "Time the agent spent in a state.", "agent", "state"
)
AGENT_STATE_ENTRIES = _total(
    "agent_state_entries", "Times the agent entered a state.", "agent", "state"
)
AGENT_CALLS = _total("agent_calls", "Calls of the agent, by direction.", "agent", "direction")
AGENT_RESOLUTIONS = _total(
    "agent_first_contact_resolutions", "Contacts the agent resolved at the first try.", "agent"
)
AGENT_VOICEMAILS = _total("agent_voicemails_processed", "Voicemails the agent worked.", "agent")
AGENT_PREVIEWS_SKIPPED = _total(
    "agent_previews_skipped", "Records the agent skipped in preview.", "agent"
)
AGENT_NOT_READY_ENTRIES = _total(
    "agent_not_ready_entries", "Times the agent became not ready.", "agent"
)
AGENT_LOGIN_TIME = _total("agent_login_seconds", "Time the agent was logged in.", "agent")
AGENT_ON_DUTY_TIME = _total("agent_on_duty_seconds", "Time the agent was not on a break.", "agent")
AGENT_PREVIEW_TIME = _total("agent_preview_seconds", "Time the agent previewed records.", "agent")
AGENT_DISPOSITIONS = _total(
    "agent_dispositions", "Contacts of the agent by disposition.", "agent", "disposition"
)
_AW = ("agent", "window")
AGENT_CALL_AVERAGE = _gauge("agent_call_seconds", "Mean length of the agent's calls.", *_AW)
AGENT_TALK_AVERAGE = _gauge("agent_talk_seconds", "Mean talk time of the agent.", *_AW)
AGENT_HANDLE_AVERAGE = _gauge("agent_handle_seconds", "Mean handle time of the agent.", *_AW)
AGENT_HOLD_AVERAGE = _gauge("agent_hold_seconds", "Mean hold time of the agent.", *_AW)
AGENT_IDLE_AVERAGE = _gauge("agent_idle_seconds", "Mean ready time between contacts.", *_AW)
AGENT_NOT_READY_AVERAGE = _gauge("agent_not_ready_seconds", "Mean time not ready.", *_AW)
AGENT_WORK_AVERAGE = _gauge(
    "agent_after_contact_work_seconds", "Mean after-contact work of the agent.", *_AW
)
AGENT_INTERNAL_AVERAGE = _gauge(
    "agent_internal_call_seconds", "Mean length of internal calls.", *_AW
)
AGENT_PREVIEW_AVERAGE = _gauge("agent_preview_average_seconds", "Mean preview time.", *_AW)
AGENT_VOICEMAIL_AVERAGE = _gauge("agent_voicemail_seconds", "Mean time on a voicemail.", *_AW)
AGENT_VOICEMAIL_READY_AVERAGE = _gauge(
    "agent_voicemail_ready_seconds", "Mean time ready for a voicemail.", *_AW
)
AGENT_OCCUPANCY = _gauge("agent_occupancy_ratio", "Share of ready time spent handling.", *_AW)
AGENT_UTILIZATION = _gauge("agent_utilization_ratio", "Share of login time spent handling.", *_AW)

# Campaigns --------------------------------------------------------------------------------------
CAMPAIGN_STATE = _gauge(
    "campaign_state", "1 for the state the campaign is in, 0 for the others.", "campaign", "state"
)
CAMPAIGN_PRIORITY = _gauge("campaign_priority", "Dialling priority of the campaign.", "campaign")
CAMPAIGN_WEIGHT = _gauge(
    "campaign_weight", "Dialling weight of the campaign against others of its kind.", "campaign"
)
CAMPAIGN_AGENTS = _gauge("campaign_agents", "Agents of the campaign.", "campaign", "state")
CAMPAIGN_RECORDS = _gauge(
    "campaign_records", "Records of the campaign's lists, by status.", "campaign", "status"
)
CAMPAIGN_DIALING_RATIO = _gauge(
    "campaign_dialing_ratio", "Calls dialled for each free agent.", "campaign", "kind"
)
CAMPAIGN_OFFERED = _total("campaign_offered", "Calls of the campaign.", "campaign")
CAMPAIGN_AGENT_CALLS = _total(
    "campaign_agent_calls", "Calls of the campaign that reached an agent.", "campaign"
)
CAMPAIGN_DIALS = _total("campaign_dials", "Numbers dialled.", "campaign")
CAMPAIGN_CONNECTED = _total("campaign_connected", "Calls that were connected.", "campaign")
CAMPAIGN_ABANDONED = _total("campaign_abandoned", "Calls that were abandoned.", "campaign")
CAMPAIGN_HANDLED = _total("campaign_handled", "Calls that an agent handled.", "campaign")
CAMPAIGN_REJECTED = _total("campaign_rejected", "Calls that were rejected.", "campaign")
CAMPAIGN_UNANSWERED = _total("campaign_no_party_contact", "Dials that reached nobody.", "campaign")
CAMPAIGN_DISPOSITIONED = _total(
    "campaign_records_dispositioned", "Records that received a disposition.", "campaign"
)
CAMPAIGN_RECORDS_PROCESSED = _total(
    "campaign_records_processed", "Records that need no more dialling.", "campaign"
)
CAMPAIGN_STALLED = _gauge(
    "campaign_stalled", "1 while dialling stands still for this reason.", "campaign", "reason"
)
CAMPAIGN_PREVIEWS_SKIPPED = _total(
    "campaign_previews_skipped", "Records skipped in preview.", "campaign"
)
CAMPAIGN_IVR_FINISHED = _total(
    "campaign_ivr_finished", "Calls that ended in the IVR, by outcome.", "campaign", "outcome"
)
CAMPAIGN_VISUAL_IVR = _total("campaign_visual_ivr_sessions", "Visual IVR sessions.", "campaign")
CAMPAIGN_RESOLUTIONS = _total(
    "campaign_first_contact_resolutions", "Contacts resolved at the first try.", "campaign"
)
CAMPAIGN_DISPOSITIONS = _total(
    "campaign_dispositions", "Contacts of the campaign by disposition.", "campaign", "disposition"
)
_CW = ("campaign", "window")
CAMPAIGN_ABANDONED_RATIO = _gauge(
    "campaign_abandoned_ratio", "Share of calls abandoned, as the platform gives it.", *_CW
)
CAMPAIGN_SERVICE_LEVEL = _gauge(
    "campaign_service_level_ratio", "Share of calls answered within the threshold.", *_CW
)
CAMPAIGN_TALK_LEVEL = _gauge(
    "campaign_talk_level_ratio", "Share of calls longer than the minimum talk time.", *_CW
)
CAMPAIGN_ANSWER_AVERAGE = _gauge("campaign_answer_seconds", "Mean speed of answer.", *_CW)
CAMPAIGN_HANDLE_AVERAGE = _gauge("campaign_handle_seconds", "Mean handle time.", *_CW)
CAMPAIGN_CALL_AVERAGE = _gauge("campaign_call_seconds", "Mean call length.", *_CW)
CAMPAIGN_WORK_AVERAGE = _gauge(
    "campaign_after_contact_work_seconds", "Mean after-contact work.", *_CW
)
CAMPAIGN_AVAILABLE_AVERAGE = _gauge(
    "campaign_availability_seconds", "Mean time agents were available.", *_CW
)
CAMPAIGN_LONGEST_HOLD = _gauge("campaign_longest_hold_seconds", "Longest hold.", *_CW)
CAMPAIGN_LONGEST_WAIT = _gauge("campaign_longest_wait_seconds", "Longest wait.", *_CW)

CAMPAIGN_ABANDONED_LIMIT = _setting(
    "campaign_abandoned_limit_ratio", "Share of calls that may be abandoned.", "campaign"
)
CAMPAIGN_OPEN = _setting("campaign_open", "1 within the calling hours, 0 outside.", "campaign")

# Account ----------------------------------------------------------------------------------------
ACCOUNT_LICENSES = _gauge("account_licenses", "Licences, used and limit.", "kind", "state")
ACCOUNT_PERMISSION = _gauge(
    "account_permission", "What the exporter's user may see; 0 hides rows.", "permission"
)
ACCOUNT_BALANCE = _gauge("account_balance", "Money on the account.", "currency")
ACCOUNT_BALANCE_NOTICE = _gauge(
    "account_balance_notice", "Balance below which the platform warns its customer.", "currency"
)
ACCOUNT_CREDIT_LIMIT = _gauge(
    "account_credit_limit", "Money the account may owe, in its own currency."
)
ACCOUNT_ACTIVE = _gauge("account_active", "1 while the platform has the account active.")
ACCOUNT_FROZEN = _gauge("account_frozen", "1 while the platform has the account frozen.")
ACCOUNT_CLOCK_SKEW = _gauge(
    "account_clock_skew_seconds", "The platform's clock less the exporter's."
)

# Escape hatch -----------------------------------------------------------------------------------
RAW_VALUE = _gauge("raw_value", "A numeric column that no table maps.", "table", "object", "column")

# The exporter itself ------------------------------------------------------------------------------
UP = _own("up", "1 while the platform answers: signed in, and a feed's last refresh succeeded.")
FEED_UP = _own("feed_up", "1 while the feed's last refresh succeeded.", "feed")
FEED_INTERVAL = _own("feed_interval_seconds", "Configured time between refreshes.", "feed")
FEED_DURATION = _own("feed_duration_seconds", "Duration of the last refresh.", "feed")
FEED_SAMPLES = _own("feed_samples", "Series that the last refresh produced.", "feed")
FEED_LAST_SUCCESS = _own(
    "feed_last_success_timestamp_seconds", "When the feed was last refreshed.", "feed"
)
FEED_SOURCE_TIME = _own(
    "feed_source_timestamp_seconds", "The platform's own time of the figures.", "feed"
)
FEED_REFRESHES = _own(
    "feed_refreshes_total", "Refreshes by outcome.", "feed", "outcome", kind="counter"
)
SESSION_SIGNINS = _own("session_signins_total", "Sign-ins by outcome.", "outcome", kind="counter")
API_REQUESTS = _own(
    "api_requests_total",
    "Requests to the platform by outcome.",
    "operation",
    "outcome",
    kind="counter",
)
API_REQUEST_DURATION = _own(
    "api_request_duration_seconds",
    "Duration of requests to the platform.",
    "operation",
    kind="histogram",
)
API_QUOTA_LIMIT = _own(
    "api_quota_limit", "Requests the platform allows in the window.", "operation", "window"
)
API_QUOTA_USED = _own(
    "api_quota_used", "Requests used in the window, as the platform counts.", "operation", "window"
)
SCHEMA_UNMAPPED = _own(
    "schema_unmapped", "Names in the last answer that no table maps.", "table", "kind"
)
SCHEMA_REJECTED = _own(
    "schema_rejected_cells_total", "Cells that could not be read.", "table", kind="counter"
)
SCHEMA_MISSING = _own(
    "schema_missing_columns", "Known columns that the last answer lacked.", "table"
)
CORRECTIONS = _own(
    "corrections_total",
    "Falls of a period total, held as corrections.",
    "feed",
    kind="counter",
)
DUPLICATES = _own(
    "duplicate_samples_total",
    "Series that came twice, of which one was dropped.",
    "feed",
    kind="counter",
)
SERIES_DROPPED = _own("series_dropped", "Series over max_series, left out.", "feed")
BUILD_INFO = _own("exporter_build_info", "Always 1; the labels tell the build.", "version")
RELOAD_SUCCESSFUL = _own(
    "exporter_config_last_reload_successful", "1 if the configuration was last read well."
)
RELOAD_TIME = _own(
    "exporter_config_last_reload_success_timestamp_seconds",
    "When the configuration was last read well.",
)
WEB_RELOAD_SUCCESSFUL = _own(
    "exporter_web_config_last_reload_successful",
    "1 if the web configuration file was last read well, or there is none.",
)
HTTP_REQUESTS = _own(
    "exporter_http_requests_total", "Requests to this exporter.", "code", kind="counter"
)
OBJECTIVES_UNMATCHED = _own(
    "exporter_objectives_unmatched",
    "Items of queues and campaigns in exporter.yml that match nothing live.",
)
# These are the process's own: they carry no provider and account.
PROCESS_WIDE = (
    BUILD_INFO,
    RELOAD_SUCCESSFUL,
    RELOAD_TIME,
    WEB_RELOAD_SUCCESSFUL,
    HTTP_REQUESTS,
    OBJECTIVES_UNMATCHED,
)

FAMILIES: dict[str, Family] = {
    family.name: family
    for declared in list(vars().values())
    if isinstance(declared, Family)
    for family in (declared, declared.sliding)
    if family is not None
}
