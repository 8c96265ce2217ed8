"""Simulated methods of the Management API, with their roles and parameters.

Roles and parameters are from the method pages of the Management API reference and from the
vendor's own clients.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from exporter.simulators.voximplant import (
    acd,
    inventory,
    smart_queue,
    statistics,
)
from exporter.simulators.voximplant.call import Call
from exporter.simulators.voximplant.protocol import Parameters, RefusalError, invalid

_ADMINISTRATION = frozenset({"Owner", "Admin", "Developer"})
_SUPERVISION = _ADMINISTRATION | {"Supervisor"}
_STATISTICS = _SUPERVISION | {"User manager"}
_UNPUBLISHED = frozenset({"*"})  # roles that no page tells
_ANY: frozenset[str] = frozenset()

_WINDOW = ("to_date", "aggregation")
_PAGE = ("count", "offset")
_APPLICATION = ("application_id", "application_name")
_SQ_QUEUE = ("sq_queue_id", "sq_queue_name")
_ALWAYS = frozenset({"cmd", "account_id"})  # one of the vendor's clients adds the account


@dataclass(frozen=True)
class Method:
    """One method: its handler, roles and parameters."""

    answer: Callable[[Call], Any]
    roles: frozenset[str]
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    either: tuple[str, ...] = ()  # exactly one of these

    def permits(self, roles: frozenset[str], unpublished: frozenset[str] | None) -> bool:
        """Return whether a key with some roles may call the method."""
        if self.roles == _UNPUBLISHED:
            return unpublished is None or bool(roles & unpublished)
        return self.roles == _ANY or bool(roles & self.roles)

    def check(self, parameters: Parameters) -> None:
        """Refuse parameters that are missing, empty, exclusive or unknown."""
        values = parameters.values
        known = {*_ALWAYS, *self.required, *self.optional, *self.either}
        for name, value in values.items():
            if name not in known:
                raise RefusalError(492, name)
            if not value:
                raise RefusalError(134) if name in self.required else RefusalError(485, name)
        for name in self.required:
            if name not in values:
                raise RefusalError(485, name)
        parameters.only_one(*self.either)
        if self.either and values.keys().isdisjoint(self.either):
            raise invalid(self.either[0])


_REPORT_OPTIONS = (
    *(*_SQ_QUEUE, "user_id", "from_date", "to_date", "timezone", "interval"),
    *("group_by", "max_waiting_sec", "omit_empty"),
)

METHODS: Mapping[str, Method] = {
    "GetACDState": Method(acd.get_acd_state, _ADMINISTRATION, optional=("acd_queue_id",)),
    "GetQueues": Method(
        acd.get_queues,
        _SUPERVISION,
        optional=(
            *("acd_queue_id", "acd_queue_name", *_APPLICATION, *_PAGE),
            *("with_skills", "with_operatorcount", "show_deleted"),
        ),
    ),
    "GetUsers": Method(
        acd.get_users,
        _STATISTICS,
        either=_APPLICATION,
        optional=(
            *("acd_queue_id", "excluded_acd_queue_id", "user_id", "user_name"),
            *("user_display_name", "user_active", "acd_status", "with_skills", "with_queues"),
            *("order_by", "return_live_balance", *_PAGE),
        ),
    ),
    "GetACDOperatorStatusStatistics": Method(
        statistics.get_acd_operator_status_statistics,
        _STATISTICS,
        required=("from_date", "user_id"),
        optional=(*_WINDOW, "group", "acd_status"),
    ),
    "GetACDOperatorStatistics": Method(
        statistics.get_acd_operator_statistics,
        _STATISTICS,
        required=("from_date", "user_id"),
        optional=(*_WINDOW, "group", "acd_queue_id", "abbreviation", "report"),
    ),
    "GetACDQueueStatistics": Method(
        statistics.get_acd_queue_statistics,
        _STATISTICS,
        required=("from_date", "acd_queue_id"),
        optional=(*_WINDOW, "abbreviation", "report"),
    ),
    "GetApplications": Method(
        inventory.get_applications,
        _UNPUBLISHED,
        optional=(*_APPLICATION, "with_rules", "with_scenarios", *_PAGE),
    ),
    "GetSQState": Method(
        smart_queue.get_sq_state,
        _UNPUBLISHED,
        either=_APPLICATION,
        optional=(*_SQ_QUEUE, "timezone"),
    ),
    "SQ_GetQueues": Method(
        smart_queue.sq_get_queues,
        _UNPUBLISHED,
        either=_APPLICATION,
        optional=(*_SQ_QUEUE, "sq_queue_name_template", "with_agentcount", *_PAGE),
    ),
    "GetSmartQueueRealtimeMetrics": Method(
        smart_queue.get_smart_queue_realtime_metrics,
        _UNPUBLISHED,
        required=("report_type",),
        either=_APPLICATION,
        optional=_REPORT_OPTIONS,
    ),
    "GetCallLists": Method(
        inventory.get_call_lists,
        _SUPERVISION | {"Support", "Call list manager"},
        optional=(*("list_id", "name", "is_active", "from_date", "to_date", "status", *_PAGE),),
    ),
    "GetCallListDetails": Method(
        inventory.get_call_list_details,
        _ADMINISTRATION | {"Call list manager"},
        required=("list_id",),
        optional=("output", "encoding", "delimiter", *_PAGE),
    ),
    "GetAccountInfo": Method(inventory.get_account_info, _ANY, optional=("return_live_balance",)),
}
