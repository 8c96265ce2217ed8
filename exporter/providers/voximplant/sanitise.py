"""Sanitiser of Voximplant recordings: keeps statuses, reports and figures."""

import re

from exporter.collector.sanitise import Sanitiser
from exporter.providers.voximplant.preflight import REPORTS
from exporter.providers.voximplant.tables import FEED_TABLES, TABLES

_KEPT = (
    *("acd_status", "sq_status_name", "task_type", "status", "report_type", "aggregation", "group"),
    *("group_by", "report", "abbreviation", "order_by", "timezone", "code", "count", "offset"),
    *("total_count", "currency", "time_zone", "window"),
)
_FIGURES = (
    *("SA", "TT", "ACW", "HT", "AC", "UAC", "TDT", "THT", "TTT", "TACW", "WT", "AT", "QL", "SL"),
    *("TC", "RC", "min", "avg", "max", "sum", "call_count", "service_level", "value", "percent"),
    *("acceptable_waiting_time", "waiting_time", "minutes_to_submit", "balance", "live_balance"),
)


class VoximplantSanitiser(Sanitiser):
    """See ``Sanitiser``."""

    segments = frozenset({"platform_api"})
    customer_data = re.compile(r"custom_?data|result_?data|headers|attributes", re.IGNORECASE)

    def __init__(self) -> None:
        super().__init__(
            TABLES,
            kept=_KEPT,
            hidden=("user_id", "campaign", "queue", "applications", "text", "title"),
            words=(*FEED_TABLES, *REPORTS, *_FIGURES, "user_id", "CALL", "IM", "UTC", "day"),
        )
