"""What of Voximplant's answers may be shown to strangers: statuses, reports and figures."""

from exporter.collector.sanitise import Sanitiser
from exporter.providers.voximplant.preflight import REPORTS
from exporter.providers.voximplant.tables import TABLES

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

    def __init__(self) -> None:
        tables = [table for tables in TABLES.values() for table in tables]
        super().__init__(
            tables,
            kept=_KEPT,
            hidden=("user_id", "campaign", "queue", "applications", "text", "title"),
            words=(*TABLES, *REPORTS, *_FIGURES, "user_id", "CALL", "IM", "UTC", "day"),
        )
