"""Sanitiser of Voximplant recordings.

Source of the keys and words: the vendor's reference of the Management API, method by method.
"""

from exporter.collector.sanitise import Allowed, Sanitiser
from exporter.providers.voximplant.preflight import FEED_METHODS, REPORTS

_STATUSES = (
    *("OFFLINE", "ONLINE", "READY", "BANNED", "IN_SERVICE", "AFTER_SERVICE", "TIMEOUT", "DND"),
    *("DIALING", *(f"CUSTOM_{number}" for number in range(1, 11))),
)
_AGGREGATES = {  # figures of the ACD statistics, by short and long name
    "WT": "WaitingTime",
    "SA": "SpeedOfAnswer",
    "AT": "AbandonmentTime",
    "HT": "HandlingTime",
    "TT": "TalkTime",
    "ACW": "AfterCallWork",
    "QL": "QueueLength",
    "TC": "TotalCalls",
    "AC": "AnsweredCalls",
    "UAC": "UnansweredCalls",
    "RC": "RejectedCalls",
    "TWT": "TotalWaitingTime",
    "TST": "TotalSubmissionTime",
    "TAT": "TotalAbandonmentTime",
    "THT": "TotalHandlingTime",
    "TTT": "TotalTalkTime",
    "TACW": "TotalAfterCallWork",
    "SL": "ServiceLevel",
    "TDT": "TotalDialingTime",
}
_NAMES = {*_AGGREGATES, *_AGGREGATES.values()}
_TASKS = ("IN_QUEUE", "DISTRIBUTED", "IN_PROCESSING")
_LISTS = ("In progress", "Completed", "Canceled", "Suspended", "New", "Processed", "Error")
_PAGING = ("count", "total_count", "offset")

ALLOWED = Allowed(
    objects={
        *("result", "error", "errors", "acd_queues", "ready_operators", "locked_operators"),
        *("after_service_operators", "acd_calls", "locks", "servicing_calls", "waiting_calls"),
        *("skills", "sq_skills", "users", "statistics", "acd_status", "sq_agents"),
        *("sq_statuses", "CALL", "IM", "tasks", "groups", "values", *_NAMES, *_STATUSES),
    },
    figures={
        *("min", "avg", "max", "sum", "percent", "value", "hour", "code", *_PAGING, *_NAMES),
        *("acceptable_waiting_time", "call_count", "service_level", "status_id"),
        *("ready_operators_count", "locked_operators_count", "after_service_operator_count"),
        *("idle_duration", "waiting_time", "processing_time", "minutes_to_submit", "priority"),
        *("acd_queue_priority", "service_probability", "average_service_time", "sl_thresholds"),
        *("max_queue_size", "max_waiting_time", "operatorcount", "agentcount"),
        *("call_max_waiting_time", "call_max_waiting_time_in_seconds", "call_max_queue_size"),
        *("im_max_waiting_time", "im_max_waiting_time_in_seconds", "im_max_queue_size"),
        *("max_waiting_sec", "max_simultaneous", "num_attempts", "interval_seconds"),
        *("attempts_left", "balance", "live_balance", "fixed_balance", "credit_limit"),
        *("min_balance_to_notify", "report_seconds_scale"),
    },
    times={
        *("from_date", "to_date", "date", "begin_time", "unreached", "acd_status_change_time"),
        *("created", "modified", "deleted", "dt_submit", "dt_complete", "last_attempt"),
        *("start_execution_time", "finish_execution_time"),
    },
    words={
        "status": (*_STATUSES, *_TASKS, *_LISTS),
        "acd_status": _STATUSES,
        "sq_status_name": _STATUSES,
        "task_type": ("CALL", "IM"),
        "report_type": REPORTS,
        "report": (*_NAMES, "all"),
        **dict.fromkeys(("reports", "statistics"), REPORTS),  # settings
        "aggregation": ("none", "day", "hour_of_day", "hour"),
        "group": ("user", "aggregation"),
        "group_by": ("queue", "user", "user_queue"),
        "order_by": ("user_id", "user_name"),
        "output": ("json", "csv", "xls"),
        "timezone": ("Etc/GMT", "UTC", "auto"),
        "currency": ("USD", "EUR", "RUR", "RUB", "KZT"),
        "window": ("day",),
        "feeds": FEED_METHODS,
        **dict.fromkeys(("user_id", "acd_queue_id", "sq_queue_id", "list_id"), ("all",)),
    },
    replaced={
        *("account_id", "account_name", "account_email", "api_key", "callback_salt"),
        *("callback_url", "api_address", "location", "access_entries", "application_id"),
        *("application_name", "acd_queue_name", "sq_queue_name", "user_name"),
        *("user_display_name", "acd_session_history_id", "acd_request_id", "callerid"),
        *("skill_id", "skill_name", "sq_skill_id", "sq_skill_name", "sq_skill_level"),
        *("list_name", "rule_id", "task_id", "task_uuid", "id", "custom_data", "result_data"),
        *("task_priority_strategy", "call_agent_selection", "im_agent_selection"),
        *("call_task_selection", "im_task_selection", "msg", "field_name", "details"),
        # Parameters and answers that hold a boolean.
        *("active", "frozen", "auto_binding", "user_active", "parent_accounting"),
        *("two_factor_auth_required", "hold_calls_if_inactive_agents", "is_active"),
        *("hold_im_if_inactive_agents", "with_operatorcount", "with_agentcount"),
        *("with_skills", "with_queues", "abbreviation", "omit_empty", "return_live_balance"),
        *("show_deleted", "applications"),
    },
    segments={"platform_api"},
)


class VoximplantSanitiser(Sanitiser):
    """Sanitiser of JSON bodies and forms."""

    allowed = ALLOWED
