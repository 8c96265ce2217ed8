"""Metric families: names, types, labels and HELP texts of everything that is exported.

A family never changes its type: a total that restarts at a known instant is a counter; the same
figure over a sliding window is another family, its ``sliding`` twin, with a ``window`` label.
No two families have the same ``stem``, since OpenMetrics and many backends strip suffixes: a mean
whose total is exported too is named ``average``.
Every family also has the labels ``provider`` and ``account`` and the account's own labels,
except those in ``PROCESS_WIDE``.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

PREFIX = "contactcenter_"
BASE_LABELS = ("provider", "account")
# https://prometheus.io/docs/specs/om/open_metrics_spec/#suffixes
RESERVED_SUFFIXES = (
    "_total",
    "_created",
    "_bucket",
    "_count",
    "_sum",
    "_gcount",
    "_gsum",
    "_info",
)
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
    """One metric family: name, HELP text, type and own labels in the order of exposition.

    There is one object per family; series are looked up by it. The exporter sets the values of its
    ``own`` families; no column feeds them. Raises ``ValueError`` if the name is not a valid metric
    name, if a counter does not end in ``_total`` or another type does, and if HELP needs escaping,
    which the two exposition formats do differently.
    """

    name: str
    help: str
    kind: Kind = "gauge"
    labels: tuple[str, ...] = ()
    sliding: "Family | None" = None
    own: bool = False

    def __post_init__(self) -> None:
        short = self.name.removeprefix(PREFIX)
        if short == self.name or not _NAME.fullmatch(short):
            raise ValueError(f"{self.name!r} is not a valid metric name")
        if self.name.endswith("_total") != (self.kind == "counter"):
            raise ValueError(f"{self.name}: only counters end in _total, and all of them")
        if not _PLAIN_HELP.fullmatch(self.help):
            raise ValueError(f"{self.name}: help must be sentences without quotes and backslashes")
        wrong = [x for x in self.labels if not _NAME.fullmatch(x) or x in BASE_LABELS]
        if wrong or len(set(self.labels)) != len(self.labels):
            raise ValueError(f"{self.name}: invalid labels {self.labels}")

    @property
    def unit(self) -> str:
        """The base unit: seconds, ratio, or empty for plain counts."""
        stem = self.name.removesuffix("_total")
        return next((unit for unit in ("seconds", "ratio") if stem.endswith("_" + unit)), "")


def stem(name: str) -> str:
    """Return a family's name without a suffix that OpenMetrics reserves."""
    return next((name.removesuffix(x) for x in RESERVED_SUFFIXES if name.endswith(x)), name)


def _family(name: str, text: str, *labels: str) -> Family:
    return Family(PREFIX + name, text, "gauge", labels)


def _total(name: str, text: str, *labels: str) -> Family:
    """Declare a period total, and the gauge that replaces it if the period slides.

    The gauge has ``_in_window`` in place of ``_total``, and its unit last.
    """
    unit = "_seconds" if name.endswith("_seconds") else ""
    in_window = f"{name.removesuffix(unit)}_in_window{unit}"
    sliding = _family(in_window, text + " Over a sliding window.", *labels, "window")
    text += " Restarts at zero with the platform's period."
    return Family(f"{PREFIX}{name}_total", text, "counter", labels, sliding)


def _own(name: str, text: str, *labels: str, kind: Kind = "gauge") -> Family:
    """Declare a family that describes the exporter itself."""
    return Family(PREFIX + name, text, kind, labels, own=True)


def _setting(name: str, text: str, *labels: str) -> Family:
    """Declare a family whose values the user sets."""
    return _own(name, text + " Set in exporter.yml.", *labels)


@lru_cache(maxsize=4096)
def custom_family(name: str, labels: tuple[str, ...]) -> Family:
    """Return the gauge family ``name`` for figures that are mapped to a name of the user."""
    return Family(name, "A figure mapped in exporter.yml.", "gauge", labels)


# Queues -----------------------------------------------------------------------------------------
_Q = ("queue", "media")
QUEUE_CONTACTS_WAITING = _family(
    "queue_contacts_waiting", "Contacts waiting for an agent now.", *_Q
)
QUEUE_LONGEST_WAIT = _family(
    "queue_longest_wait_seconds", "Waiting time of the contact that has waited longest.", *_Q
)
QUEUE_CALLBACKS_WAITING = _family(
    "queue_callbacks_waiting", "Callbacks waiting in the queue now.", *_Q
)
QUEUE_VOICEMAILS_WAITING = _family(
    "queue_voicemails_waiting", "Voicemails waiting for an agent now.", *_Q
)
QUEUE_VOICEMAILS_ACTIVE = _family(
    "queue_voicemails_active", "Voicemails being handled by an agent now.", *_Q
)
QUEUE_VOICEMAILS = _family("queue_voicemails", "All voicemails of the queue.", *_Q)
QUEUE_AGENTS = _family("queue_agents", "Agents serving the queue, by state.", "queue", "state")
QUEUE_AGENTS_LOGGED_IN = _family(
    "queue_agents_logged_in", "Logged-in agents serving the queue.", "queue"
)
QUEUE_AGENTS_VOICEMAIL_READY = _family(
    "queue_agents_voicemail_ready", "Agents of the queue ready to take a voicemail.", "queue"
)
QUEUE_LONGEST_WAIT_WINDOW = _family(
    "queue_longest_wait_window_seconds", "Longest wait in the window.", *_Q, "window"
)
QUEUE_CONTACTS_ACTIVE = _family("queue_contacts_active", "Contacts being handled now.", *_Q)
QUEUE_ESTIMATED_WAIT = _family(
    "queue_estimated_wait_seconds", "Waiting time that the platform predicts.", *_Q
)
QUEUE_CHANNEL_AGENTS = _family(
    "queue_channel_agents",
    "Agents serving the queue, by their state on one medium.",
    *_Q,
    "state",
)
QUEUE_AGENTS_ASSIGNED = _family(
    "queue_agents_assigned", "Agents assigned to the queue, logged in or not.", "queue"
)
QUEUE_WAITING_CAPACITY = _family(
    "queue_contacts_waiting_capacity",
    "Waiting contacts at which further contacts are rejected.",
    *_Q,
)
QUEUE_OFFERED = _total("queue_contacts_offered", "Contacts that reached the queue.", *_Q)
QUEUE_ANSWERED = _total("queue_contacts_answered", "Contacts that an agent answered.", *_Q)
QUEUE_ABANDONED = _total(
    "queue_contacts_abandoned", "Contacts abandoned before an agent answered.", *_Q
)
QUEUE_REJECTED = _total(
    "queue_contacts_rejected", "Contacts that the platform rejected instead of queueing them.", *_Q
)
QUEUE_HANDLED = _total("queue_contacts_handled", "Contacts whose handling ended.", *_Q)
QUEUE_ANSWERED_WITHIN = _total(
    "queue_contacts_answered_within_threshold", "Contacts answered within the threshold.", *_Q
)
QUEUE_THRESHOLD = _family(
    "queue_service_level_threshold_seconds", "Threshold of answered within threshold.", *_Q
)
QUEUE_WAIT_TIME = _total(
    "queue_wait_seconds", "Total waiting time of all contacts, answered or not.", *_Q
)
QUEUE_ANSWER_WAIT_TIME = _total(
    "queue_answer_wait_seconds", "Total waiting time of the answered contacts.", *_Q
)
QUEUE_ABANDONED_WAIT_TIME = _total(
    "queue_abandoned_wait_seconds", "Total waiting time of the abandoned contacts.", *_Q
)
QUEUE_HANDLE_TIME = _total(
    "queue_handle_seconds", "Total handle time, after-contact work included.", *_Q
)
QUEUE_TALK_TIME = _total("queue_talk_seconds", "Total talk time.", *_Q)
QUEUE_INFO = _family("queue_info", "Always 1; the platform's id of the queue.", "queue", "id")
QUEUE_QUEUED = _total("queue_contacts_queued", "Contacts that waited in the queue.", *_Q)
QUEUE_SHORT_ABANDONED = _total(
    "queue_contacts_short_abandoned", "Contacts abandoned within the threshold.", *_Q
)
QUEUE_LATE_ABANDONED = _total(
    "queue_contacts_late_abandoned", "Contacts abandoned after the threshold.", *_Q
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
QUEUE_AGENTS_BUSY = _family(
    "queue_agents_busy",
    "Agents of the queue handling a contact of any queue, after-contact work included.",
    "queue",
)
QUEUE_SERVICE_LEVEL_TARGET = _family(
    "queue_service_level_target_ratio", "Target service level configured in the platform.", *_Q
)
_QW = (*_Q, "window")
QUEUE_SERVICE_LEVEL = _family(
    "queue_service_level_ratio", "Share of contacts answered within the threshold.", *_QW
)
QUEUE_ABANDONED_RATIO = _family(
    "queue_abandoned_ratio", "Share of contacts abandoned, as reported by the platform.", *_QW
)
QUEUE_SHORT_ABANDONED_RATIO = _family(
    "queue_short_abandoned_ratio", "Share of contacts abandoned within the threshold.", *_QW
)
QUEUE_LATE_ABANDONED_RATIO = _family(
    "queue_late_abandoned_ratio", "Share of contacts abandoned after the threshold.", *_QW
)
QUEUE_ANSWER_AVERAGE = _family("queue_answer_seconds", "Mean speed of answer.", *_QW)

QUEUE_WAITING_LIMIT = _setting(
    "queue_waiting_limit", "Limit of waiting contacts, by level.", "queue", "level"
)
QUEUE_ANSWER_OBJECTIVE = _setting(
    "queue_answer_objective_seconds", "Time within which contacts should be answered.", "queue"
)
QUEUE_SERVICE_LEVEL_OBJECTIVE = _setting(
    "queue_service_level_objective_ratio", "Service level objective.", "queue"
)
QUEUE_OPEN = _setting("queue_open", "1 during opening hours, 0 otherwise.", "queue")

# Agents -----------------------------------------------------------------------------------------
AGENTS = _family("agents", "Agents by state.", "state")
AGENTS_NOT_READY = _family("agents_not_ready", "Agents not ready, by reason.", "reason")
AGENTS_CONTACTS_HANDLED = _total("agents_contacts_handled", "Contacts handled, all agents.")
AGENTS_CONTACTS_ANSWERED = _total("agents_contacts_answered", "Contacts answered, all agents.")
AGENTS_CONTACTS_UNANSWERED = _total(
    "agents_contacts_unanswered", "Contacts offered to an agent and not answered, all agents."
)
AGENTS_RING_TIME = _total(
    "agents_ring_seconds", "Total ring time of answered contacts, all agents."
)
AGENTS_TALK_TIME = _total("agents_talk_seconds", "Total talk time, all agents.")
AGENTS_HANDLE_TIME = _total(
    "agents_handle_seconds", "Total handle time, after-contact work included, all agents."
)
AGENTS_WORK_TIME = _total(
    "agents_after_contact_work_seconds", "Total after-contact work time, all agents."
)
AGENTS_STATE_TIME = _total("agents_state_seconds", "Total time in a state, all agents.", "state")
AGENTS_STATE_ENTRIES = _total("agents_state_entries", "Times agents entered a state.", "state")
AGENT_STATE = _family("agent_state", "Always 1; the label is the agent's state.", "agent", "state")
AGENT_STATE_SINCE = _family(
    "agent_state_since_timestamp_seconds",
    "Time at which the agent entered the current state.",
    "agent",
)
AGENT_STATE_SECONDS = _family(
    "agent_state_seconds",
    "Time the agent has been in a part of the current state.",
    "agent",
    "state",
)
AGENT_REASON_SECONDS = _family(
    "agent_reason_seconds", "Time the agent has had the current not-ready reason.", "agent"
)
AGENTS_BREAK_TIME = _total("agents_break_seconds", "Total time on a break, all agents.")
AGENT_BREAK_TIME = _total("agent_break_seconds", "Time the agent was on a break.", "agent")
AGENT_NEXT_STATE = _family(
    "agent_next_state",
    "Always 1; the label is the state the agent requested after the current contact.",
    "agent",
    "state",
)
AGENT_SESSION = _family("agent_session_seconds", "Time since the agent logged in.", "agent")
AGENT_CONTACTS_ACTIVE = _family(
    "agent_contacts_active", "1 for the medium of the agent's current contact.", "agent", "media"
)
TEAM_INFO = _family(
    "team_info", "Always 1; a team whose agents the exporter can see.", "team", "id"
)
AGENT_PARKED_CALLS = _family("agent_parked_calls", "Calls parked by the agent.", "agent")
_AM = ("agent", "media")
AGENT_CONTACTS_HANDLED = _total("agent_contacts_handled", "Contacts the agent handled.", *_AM)
AGENT_CONTACTS_ANSWERED = _total("agent_contacts_answered", "Contacts the agent answered.", *_AM)
AGENT_CONTACTS_UNANSWERED = _total(
    "agent_contacts_unanswered", "Contacts offered to the agent and not answered.", *_AM
)
AGENT_RING_TIME = _total(
    "agent_ring_seconds", "Total ring time of contacts the agent answered.", *_AM
)
AGENT_TALK_TIME = _total("agent_talk_seconds", "Total talk time of the agent.", *_AM)
AGENT_HANDLE_TIME = _total(
    "agent_handle_seconds", "Total handle time of the agent, after-contact work included.", *_AM
)
AGENT_HOLD_TIME = _total("agent_hold_seconds", "Total hold time of the agent.", *_AM)
AGENT_WORK_TIME = _total(
    "agent_after_contact_work_seconds", "Total after-contact work time of the agent.", *_AM
)
AGENT_STATE_TIME = _total(
    "agent_state_time_seconds", "Time the agent spent in a state.", "agent", "state"
)
AGENT_STATE_ENTRIES = _total(
    "agent_state_entries", "Times the agent entered a state.", "agent", "state"
)
AGENT_CALLS = _total("agent_calls", "Calls of the agent, by direction.", "agent", "direction")
AGENT_RESOLUTIONS = _total(
    "agent_first_contact_resolutions", "Contacts the agent resolved at first contact.", "agent"
)
AGENT_VOICEMAILS = _total("agent_voicemails_processed", "Voicemails the agent processed.", "agent")
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
AGENT_CALL_AVERAGE = _family("agent_call_seconds", "Mean length of the agent's calls.", *_AW)
AGENT_TALK_AVERAGE = _family("agent_talk_average_seconds", "Mean talk time of the agent.", *_AW)
AGENT_HANDLE_AVERAGE = _family(
    "agent_handle_average_seconds", "Mean handle time of the agent.", *_AW
)
AGENT_HOLD_AVERAGE = _family("agent_hold_average_seconds", "Mean hold time of the agent.", *_AW)
AGENT_IDLE_AVERAGE = _family("agent_idle_seconds", "Mean ready time between contacts.", *_AW)
AGENT_NOT_READY_AVERAGE = _family("agent_not_ready_seconds", "Mean time not ready.", *_AW)
AGENT_WORK_AVERAGE = _family(
    "agent_after_contact_work_average_seconds", "Mean after-contact work of the agent.", *_AW
)
AGENT_INTERNAL_AVERAGE = _family(
    "agent_internal_call_seconds", "Mean length of internal calls.", *_AW
)
AGENT_PREVIEW_AVERAGE = _family("agent_preview_average_seconds", "Mean preview time.", *_AW)
AGENT_VOICEMAIL_AVERAGE = _family("agent_voicemail_seconds", "Mean time on a voicemail.", *_AW)
AGENT_VOICEMAIL_READY_AVERAGE = _family(
    "agent_voicemail_ready_seconds", "Mean time ready for a voicemail.", *_AW
)
AGENT_OCCUPANCY = _family("agent_occupancy_ratio", "Share of ready time spent handling.", *_AW)
AGENT_UTILIZATION = _family("agent_utilization_ratio", "Share of login time spent handling.", *_AW)

# Campaigns --------------------------------------------------------------------------------------
CAMPAIGN_STATE = _family(
    "campaign_state", "1 for the state the campaign is in, 0 for the others.", "campaign", "state"
)
CAMPAIGN_INFO = _own(
    "campaign_info",
    "Always 1; the direction of the campaign, inbound or outbound, from the tables it is in.",
    "campaign",
    "direction",
)
CAMPAIGN_PRIORITY = _family("campaign_priority", "Dialling priority of the campaign.", "campaign")
CAMPAIGN_WEIGHT = _family(
    "campaign_weight", "Dialling weight of the campaign relative to others of its kind.", "campaign"
)
CAMPAIGN_AGENTS = _family(
    "campaign_agents", "Agents of the campaign, by state.", "campaign", "state"
)
CAMPAIGN_RECORDS = _family(
    "campaign_records", "Records of the campaign's lists, by status.", "campaign", "status"
)
CAMPAIGN_DIALING_RATIO = _family(
    "campaign_dialing_ratio", "Calls dialled per free agent.", "campaign", "kind"
)
CAMPAIGN_OFFERED = _total("campaign_offered", "Calls of the campaign.", "campaign")
CAMPAIGN_AGENT_CALLS = _total(
    "campaign_agent_calls", "Calls of the campaign that reached an agent.", "campaign"
)
CAMPAIGN_DIALS = _total("campaign_dials", "Dials of the campaign.", "campaign")
# The reference of no platform names a figure of the calls that a person answered.
CAMPAIGN_CONNECTED = _total(
    "campaign_connected",
    "Calls connected; a dialled one may have been answered by a machine.",
    "campaign",
)
CAMPAIGN_ABANDONED = _total("campaign_abandoned", "Calls abandoned.", "campaign")
CAMPAIGN_HANDLED = _total("campaign_handled", "Calls handled by an agent.", "campaign")
CAMPAIGN_REJECTED = _total("campaign_rejected", "Calls rejected.", "campaign")
CAMPAIGN_UNANSWERED = _total("campaign_no_party_contact", "Dials that reached nobody.", "campaign")
CAMPAIGN_DISPOSITIONED = _total(
    "campaign_records_dispositioned", "Records that received a disposition.", "campaign"
)
CAMPAIGN_RECORDS_PROCESSED = _total(
    "campaign_records_processed", "Records that need no further dialling.", "campaign"
)
CAMPAIGN_STALLED = _family(
    "campaign_stalled", "1 while dialling is stalled for this reason.", "campaign", "reason"
)
CAMPAIGN_PREVIEWS_SKIPPED = _total(
    "campaign_previews_skipped", "Records skipped in preview.", "campaign"
)
CAMPAIGN_IVR_FINISHED = _total(
    "campaign_ivr_finished", "Calls that ended in the IVR, by outcome.", "campaign", "outcome"
)
CAMPAIGN_VISUAL_IVR = _total("campaign_visual_ivr_sessions", "Visual IVR sessions.", "campaign")
CAMPAIGN_RESOLUTIONS = _total(
    "campaign_first_contact_resolutions", "Contacts resolved at first contact.", "campaign"
)
CAMPAIGN_DISPOSITIONS = _total(
    "campaign_dispositions", "Contacts of the campaign by disposition.", "campaign", "disposition"
)
_CW = ("campaign", "window")
CAMPAIGN_ABANDONED_RATIO = _family(
    "campaign_abandoned_ratio", "Share of calls abandoned, as reported by the platform.", *_CW
)
CAMPAIGN_SERVICE_LEVEL = _family(
    "campaign_service_level_ratio", "Share of calls answered within the threshold.", *_CW
)
CAMPAIGN_TALK_LEVEL = _family(
    "campaign_talk_level_ratio", "Share of calls longer than the minimum talk time.", *_CW
)
CAMPAIGN_ANSWER_AVERAGE = _family("campaign_answer_seconds", "Mean speed of answer.", *_CW)
CAMPAIGN_HANDLE_AVERAGE = _family("campaign_handle_seconds", "Mean handle time.", *_CW)
CAMPAIGN_CALL_AVERAGE = _family("campaign_call_seconds", "Mean call length.", *_CW)
CAMPAIGN_WORK_AVERAGE = _family(
    "campaign_after_contact_work_seconds", "Mean after-contact work.", *_CW
)
CAMPAIGN_AVAILABLE_AVERAGE = _family(
    "campaign_availability_seconds", "Mean time of agents being available.", *_CW
)
CAMPAIGN_LONGEST_HOLD = _family("campaign_longest_hold_seconds", "Longest hold.", *_CW)
CAMPAIGN_LONGEST_WAIT = _family("campaign_longest_wait_seconds", "Longest wait.", *_CW)

CAMPAIGN_ABANDONED_LIMIT = _setting(
    "campaign_abandoned_limit_ratio",
    "Share of the calls answered by a person that may be abandoned; connected calls stand in.",
    "campaign",
)
CAMPAIGN_ANSWER_OBJECTIVE = _setting(
    "campaign_answer_objective_seconds", "Time within which calls should be answered.", "campaign"
)
CAMPAIGN_SERVICE_LEVEL_OBJECTIVE = _setting(
    "campaign_service_level_objective_ratio", "Service level objective.", "campaign"
)
CAMPAIGN_OPEN = _setting("campaign_open", "1 during calling hours, 0 otherwise.", "campaign")

# Account ----------------------------------------------------------------------------------------
ACCOUNT_LICENSES = _family("account_licenses", "Licences in use and their limit.", "kind", "state")
ACCOUNT_PERMISSION = _family(
    "account_permission", "1 if the exporter's user has the permission; 0 hides rows.", "permission"
)
ACCOUNT_BALANCE = _family("account_balance", "Balance of the account.", "currency")
ACCOUNT_BALANCE_NOTICE = _family(
    "account_balance_notice", "Balance below which the platform warns the customer.", "currency"
)
ACCOUNT_CREDIT_LIMIT = _family("account_credit_limit", "Credit limit in the account's currency.")
ACCOUNT_ACTIVE = _family("account_active", "1 if the account is active on the platform.")
ACCOUNT_FROZEN = _family("account_frozen", "1 if the account is frozen on the platform.")
ACCOUNT_CLOCK_SKEW = _family(
    "account_clock_skew_seconds", "The platform's clock minus the exporter's."
)

# Escape hatch -----------------------------------------------------------------------------------
RAW_VALUE = _family(
    "raw_value", "Value of a numeric column that is not mapped.", "table", "object", "column"
)

# The exporter itself ------------------------------------------------------------------------------
UP = _own(
    "up",
    "1 if the exporter is signed in and has current figures of queues, agents or campaigns.",
)
FEED_UP = _own("feed_up", "1 if the last refresh of the feed succeeded.", "feed")
FEED_INTERVAL = _own("feed_interval_seconds", "Configured time between refreshes.", "feed")
FEED_DURATION = _own("feed_duration_seconds", "Duration of the last refresh.", "feed")
FEED_SAMPLES = _own("feed_samples", "Series that the last refresh produced.", "feed")
FEED_LAST_SUCCESS = _own(
    "feed_last_success_timestamp_seconds", "Time of the last successful refresh.", "feed"
)
FEED_SOURCE_TIME = _own(
    "feed_source_timestamp_seconds", "Time of the figures according to the platform.", "feed"
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
    "api_quota_limit", "Requests that the platform allows in the window.", "operation", "window"
)
API_QUOTA_USED = _own(
    "api_quota_used",
    "Requests used in the window, as counted by the platform.",
    "operation",
    "window",
)
SCHEMA_UNMAPPED = _own(
    "schema_unmapped", "Names in the last answer that are not mapped.", "table", "kind"
)
SCHEMA_REJECTED = _own(
    "schema_rejected_cells_total",
    "Cells that could not be parsed, and those of refused rows.",
    "table",
    kind="counter",
)
SCHEMA_MISSING = _own(
    "schema_missing_columns",
    "Known columns that the last answer lacked, or statistics that are not open.",
    "table",
)
CORRECTIONS = _own(
    "corrections_total",
    "Decreases of period totals that were held back.",
    "feed",
    kind="counter",
)
TOTALS_HELD = _own(
    "totals_held",
    "Series of period totals that fell and show an earlier value since the last refresh.",
    "feed",
)
DUPLICATES = _own(
    "duplicate_samples_total",
    "Duplicate series and rows that were dropped.",
    "feed",
    kind="counter",
)
OUTDATED = _own(
    "outdated_values_total",
    "Pushed values that were dropped because a newer one had arrived.",
    "feed",
    kind="counter",
)
REPLACED = _own(
    "replaced_characters_total",
    "Characters in answers that their format forbids, replaced so that the rest could be read.",
    "feed",
    kind="counter",
)
LABELS_CUT = _own(
    "labels_cut",
    "Label values of the last refresh that were longer than 256 characters, cut with a digest.",
    "feed",
)
SERIES_DROPPED = _own(
    "series_dropped", "Series dropped because of max_series or max_bytes.", "feed"
)
BUILD_INFO = _own(
    "exporter_build_info", "Always 1; the label is the exporter's version.", "version"
)
RELOAD_SUCCESSFUL = _own(
    "exporter_config_last_reload_successful", "1 if the last reload of the configuration succeeded."
)
RELOAD_TIME = _own(
    "exporter_config_last_reload_success_timestamp_seconds",
    "Time of the last successful reload of the configuration.",
)
WEB_RELOAD_SUCCESSFUL = _own(
    "exporter_web_config_last_reload_successful",
    "1 if the last reload of the web configuration file succeeded, or there is none.",
)
HTTP_REQUESTS = _own(
    "exporter_http_requests_total", "HTTP requests to the exporter.", "code", kind="counter"
)
LOG_LINES_DROPPED = _own(
    "exporter_log_lines_dropped_total",
    "Lines of the log that were lost: standard error was full, or could not be written to.",
    kind="counter",
)
HTTP_REFUSED = _own(
    "exporter_http_refused_connections_total",
    "Connections of clients that the exporter closed without a response.",
    "reason",
    kind="counter",
)
OBJECTIVES_UNMATCHED = _own(
    "exporter_objectives_unmatched",
    "Items of queues and campaigns in exporter.yml that match no live object.",
)
# Families of the whole process, without the labels provider and account.
PROCESS_WIDE = (
    BUILD_INFO,
    RELOAD_SUCCESSFUL,
    RELOAD_TIME,
    WEB_RELOAD_SUCCESSFUL,
    HTTP_REQUESTS,
    LOG_LINES_DROPPED,
    HTTP_REFUSED,
    OBJECTIVES_UNMATCHED,
)


def by_name(declared: Iterable[object]) -> dict[str, Family]:
    """Return families and their twins by name; raise ``ValueError`` if two have the same stem."""
    families = [
        family
        for item in declared
        if isinstance(item, Family)
        for family in (item, item.sliding)
        if family is not None
    ]
    stems = Counter(stem(family.name) for family in families)
    if clashes := [family.name for family in families if stems[stem(family.name)] > 1]:
        raise ValueError(f"the same name without its suffix: {clashes}")
    return {family.name: family for family in families}


FAMILIES = by_name(list(vars().values()))
