"""Dashboard of the exporter: age of figures, requests, failures."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from boards import look
from boards.frame import Shelf, board, section, shelf
from boards.panels import Column, Key, Query, bars, lines, number, rows, strip
from boards.promql import RATE, Promql, by, grand, most, total

_Q = Promql()

_FEED = "{{feed}} · {{account}}"
_ON = f"on ({by('feed')})"
_QUOTA = (
    _Q.figure("api_quota_used", "operation", "window")
    + f" / on ({by('operation', 'window')}) ("
    + _Q.figure("api_quota_limit", "operation", "window")
    + " > 0)"
)
# Requests of two replicas are two requests: these really add up.
_REQUESTS = f"sum by (outcome) (rate({_Q.series('api_requests_total')}[{RATE}]))"
_OK = _Q.series("api_requests_total", where='outcome="ok"')
_ALL = f"sum(rate({_Q.series('api_requests_total')}[{RATE}]))"
_DURATIONS = _Q.series("api_request_duration_seconds_bucket")
_EXPORTER = 'job=~".*contactcenter.*"'


def health() -> Dashboard:
    """Return the dashboard of the exporter."""
    return board(
        "exporter",
        "Contact centre / Exporter health",
        "Freshness of figures, requests and quota, changes of the platforms' answers, the process.",
        _Q,
        [
            section("", _numbers()),
            section("Freshness", *_freshness()),
            section("Requests", *_requests()),
            section("Answers", *_answers()),
            section("Permissions, licences, money", _accounts()),
            section("Process", *_process()),
        ],
    )


def _numbers() -> Shelf:
    return shelf(
        4,
        number(
            "Accounts that answer",
            "Accounts whose platform answers, of all.",
            Query(f"sum({_Q.up}) / count({_Q.up})"),
            unit="percentunit",
            colours=look.steps((0, look.CRITICAL), (1, look.CALM)),
        ),
        number(
            "Feeds down",
            "Feeds whose last refresh failed on every replica.",
            Query(f"sum({_Q.figure('feed_up', 'feed')} == bool 0)"),
            colours=look.ANY_IS_BAD,
        ),
        number(
            "Latest feed",
            "Age of the figures of the feed that is latest, as a share of the age at which its "
            "alert is due: three intervals, and a minute at least.",
            Query(f"max({_Q.lateness})"),
            unit="percentunit",
            colours=look.steps((0.67, look.WARNING), (1, look.CRITICAL)),
            decimals=0,
        ),
        number(
            "Failed requests",
            "Requests to platforms that failed, of all in the interval.",
            Query(f"1 - (sum(rate({_OK}[{RATE}])) or 0 * {_ALL}) / ({_ALL} > 0)"),
            unit="percentunit",
            colours=look.steps((0.05, look.WARNING), (0.2, look.CRITICAL)),
            decimals=1,
        ),
        number(
            "Quota used",
            "What is used of a request quota, of the quota for which that is most.",
            Query(f"max({_QUOTA})"),
            unit="percentunit",
            colours=look.steps((0.8, look.WARNING), (0.9, look.CRITICAL)),
        ),
        number(
            "Series left out",
            "Series over max_series or max_bytes, which are not on the page.",
            Query(grand(_Q.figure("series_dropped", "feed"))),
            colours=look.ANY_IS_BAD,
        ),
    )


def _freshness() -> tuple[Shelf, ...]:
    return (
        shelf(
            12,
            bars(
                "Latest feeds",
                "Time since a feed was last read as a share of the age at which its alert is due, "
                "the latest first.",
                Query(f"sort_desc(topk(12, {_Q.lateness}))", _FEED),
                unit="percentunit",
                colours=look.steps((0.67, look.WARNING_LINE), (1, look.CRITICAL), base=look.BLUE),
                decimals=0,
            ),
            lines(
                "Age of figures",
                "Time since each feed was last read.",
                Query(most(_Q.age, "feed"), _FEED),
                unit="s",
            ),
        ),
        shelf(
            9,
            strip(
                "Feeds",
                "When each feed's last refresh was a success.",
                _Q.figure("feed_up", "feed"),
                _FEED,
            ),
            lines(
                "Refreshes by outcome",
                "Refreshes in the interval by outcome; skipped: it was due while the account was "
                "busy.",
                Query(
                    f"sum by (outcome) (increase({_Q.series('feed_refreshes_total')}[{RATE}]))",
                    "{{outcome}}",
                ),
                columns=True,
                colours=look.OUTCOME_COLOURS,
            ),
        ),
        shelf(
            8,
            lines(
                "Age at the platform",
                "Time since the instant that the platform gives for its own figures, where it "
                "gives one.",
                Query(
                    f"time() - {_Q.figure('feed_source_timestamp_seconds', 'feed')}",
                    _FEED,
                ),
                unit="s",
            ),
            lines(
                "Duration of refreshes",
                "How long the last refresh of each feed took.",
                Query(most(_Q.figure("feed_duration_seconds", "feed"), "feed"), _FEED),
                unit="s",
            ),
        ),
    )


def _requests() -> tuple[Shelf, ...]:
    return (
        shelf(
            9,
            lines(
                "Requests by outcome",
                "Requests to platforms for each second, of all replicas together.",
                Query(_REQUESTS, "{{outcome}}"),
                unit="reqps",
                stacked=True,
                colours=look.OUTCOME_COLOURS,
            ),
            lines(
                "Duration of requests, 95th percentile",
                "The time within which 95 of 100 requests were answered, by account and operation.",
                Query(
                    f"histogram_quantile(0.95, sum by ({by('operation', 'le')})"
                    f" (rate({_DURATIONS}[{RATE}])))",
                    "{{operation}} · {{account}}",
                ),
                unit="s",
            ),
        ),
        shelf(
            9,
            lines(
                "Quotas",
                "What is used of each request quota that the platform tells.",
                Query(_QUOTA, "{{operation}} in one {{window}} · {{account}}"),
                unit="percentunit",
                thresholds=look.lines((0.9, look.CRITICAL)),
                most=1,
            ),
            lines(
                "Sign-ins",
                "Sign-ins in the interval by outcome. A steady climb means that something ends the "
                "session.",
                Query(
                    f"sum by ({by('outcome')}) ("
                    f"increase({_Q.series('session_signins_total')}[{RATE}]))",
                    "{{outcome}} · {{account}}",
                ),
                columns=True,
            ),
        ),
    )


def _answers() -> tuple[Shelf, ...]:
    table = _Q.figure("schema_missing_columns", "table")
    return (
        shelf(
            9,
            rows(
                "Answers that do not fit",
                "Columns that are missing, names that nothing maps and cells that could not be "
                "read, by table. The log names them.",
                [Key("table", "Table", width=200), Key("account", "Account")],
                [
                    Column("Missing columns", table, colours=look.steps((1, look.WARNING))),
                    Column(
                        "Unmapped names",
                        total(_Q.figure("schema_unmapped", "table", "kind"), "table"),
                        colours=look.steps((1, look.WARNING)),
                    ),
                    Column("Rejected cells", _Q.figure("schema_rejected_cells_total", "table")),
                ],
                sort="Missing columns",
            ),
            lines(
                "Series by feed",
                "Series that the last refresh of each feed produced.",
                Query(most(_Q.figure("feed_samples", "feed"), "feed"), _FEED),
            ),
        ),
        shelf(
            7,
            lines(
                "Corrections",
                "Totals that fell within their period and show their old value, in the interval.",
                Query(_Q.rise("corrections_total", "feed"), _FEED),
            ),
            lines(
                "Series that came twice",
                "Series of which one was dropped, in the interval.",
                Query(_Q.rise("duplicate_samples_total", "feed"), _FEED),
            ),
            lines(
                "Clock of the platform",
                "The platform's clock less the exporter's, where it is known.",
                Query(_Q.figure("account_clock_skew_seconds"), "{{account}}"),
                unit="s",
                least=None,
            ),
        ),
    )


def _accounts() -> Shelf:
    used = _Q.figure("account_licenses", "kind", where='state="used"')
    limit = _Q.figure("account_licenses", "kind", where='state="limit"')
    return shelf(
        7,
        rows(
            "Permissions",
            "What the exporter's user may see. No: rows are hidden without any error.",
            [Key("permission", "Permission"), Key("account", "Account")],
            [Column("Given", _Q.figure("account_permission", "permission"), mapping=look.YES_NO)],
            sort="Given",
            rising=True,
        ),
        rows(
            "Licences",
            "Licences of the account, used and allowed.",
            [Key("kind", "Kind"), Key("account", "Account")],
            [Column("Used", used), Column("Allowed", limit)],
            sort="Used",
        ),
        rows(
            "Money",
            "Balance of the account, and the value at which the platform warns.",
            [Key("account", "Account"), Key("currency", "Currency")],
            [
                Column("Balance", _Q.figure("account_balance", "currency"), decimals=2),
                Column("Notice below", _Q.figure("account_balance_notice", "currency"), decimals=2),
            ],
            sort="Balance",
            rising=True,
        ),
    )


def _process() -> tuple[Shelf, ...]:
    return (
        shelf(
            6,
            rows(
                "Exporters",
                "Each exporter that is scraped: does it answer, its version, its configuration.",
                [Key("instance", "Instance"), Key("version", "Version")],
                [
                    Column("State", _build(f"up{{{_EXPORTER}}}"), mapping=look.UP_DOWN),
                    Column(
                        "Configuration",
                        _build("contactcenter_exporter_config_last_reload_successful"),
                        mapping=look.words({"1": ("read", look.CALM), "0": ("old", look.CRITICAL)}),
                    ),
                    Column(
                        "Read ago",
                        _build(
                            "(time() - contactcenter_exporter_config_last_reload_success_timestamp_"
                            "seconds)"
                        ),
                        "s",
                    ),
                    Column(
                        "Runs for",
                        _build(f"(time() - process_start_time_seconds{{{_EXPORTER}}})"),
                        "s",
                    ),
                ],
                sort="Instance",
                rising=True,
            ),
        ),
        shelf(
            8,
            lines(
                "Memory",
                "Resident memory of each exporter.",
                Query(f"process_resident_memory_bytes{{{_EXPORTER}}}", "{{instance}}"),
                unit="bytes",
            ),
            lines(
                "Processor time",
                "Share of one processor that each exporter uses.",
                Query(f"rate(process_cpu_seconds_total{{{_EXPORTER}}}[{RATE}])", "{{instance}}"),
                unit="percentunit",
            ),
            lines(
                "Duration of scrapes",
                "How long Prometheus' scrapes take.",
                Query(f"scrape_duration_seconds{{{_EXPORTER}}}", "{{instance}}"),
                unit="s",
            ),
            lines(
                "Answers of the exporter",
                "Requests to the exporter by code, refused connections by reason, for each second.",
                Query(
                    f"sum by (code) (rate(contactcenter_exporter_http_requests_total[{RATE}]))",
                    "{{code}}",
                ),
                Query(
                    "sum by (reason) (rate(contactcenter_exporter_http_refused_connections_total"
                    f"[{RATE}])) > 0",
                    "{{reason}}",
                ),
                unit="reqps",
            ),
        ),
    )


def _build(expression: str) -> str:
    """Return a figure of each exporter with its version, which one that is down does not tell."""
    version = "max by (instance, version) (contactcenter_exporter_build_info)"
    figure = f"max by (instance) ({expression})"
    known = f"{figure} * on (instance) group_right () {version}"
    return f"{known} or {figure} unless on (instance) {version}"
