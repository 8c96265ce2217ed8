"""Dashboard of the exporter: age of figures, requests, failures."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from boards import look
from boards import promql as q
from boards.frame import Shelf, board, section, shelf
from boards.panels import Column, Key, Query, bars, lines, number, rows, strip

_FEED = "{{feed}} · {{account}}"
_ON = f"on ({q.by('feed')})"
_AGE = f"(time() - {q.figure('feed_last_success_timestamp_seconds', 'feed')})"
_LATE = f"{_AGE} / {_ON} {q.figure('feed_interval_seconds', 'feed')}"
_QUOTA = (
    q.figure("api_quota_used", "operation", "window")
    + f" / on ({q.by('operation', 'window')}) ("
    + q.figure("api_quota_limit", "operation", "window")
    + " > 0)"
)
# Requests of two replicas are two requests: these really add up.
_REQUESTS = f"sum by (outcome) (rate({q.series('api_requests_total')}[{q.RATE}]))"
_FAILED = q.series("api_requests_total", where='outcome!="ok"')
_DURATIONS = q.series("api_request_duration_seconds_bucket")
_EXPORTER = 'job=~".*contactcenter.*"'


def health() -> Dashboard:
    """Return the dashboard of the exporter."""
    return board(
        "exporter",
        "Contact centre / Exporter health",
        "Freshness of figures, requests and quota, changes of the platforms' answers, the process.",
        [
            section("", _numbers()),
            section("Freshness", *_freshness()),
            section("Requests", *_requests()),
            section("Answers", *_answers()),
            section("Accounts", _accounts()),
            section("Process", _process()),
        ],
    )


def _numbers() -> Shelf:
    return shelf(
        4,
        number(
            "Accounts that answer",
            "Accounts whose platform answers, of all.",
            Query(f"sum({q.figure('up')}) / count({q.figure('up')})"),
            unit="percentunit",
            colours=look.ALL_IS_GOOD,
        ),
        number(
            "Feeds down",
            "Feeds whose last refresh failed on every replica.",
            Query(f"count({q.figure('feed_up', 'feed')} == 0) or vector(0)"),
            colours=look.ANY_IS_BAD,
        ),
        number(
            "Latest feed",
            "Age of a feed's figures in intervals, of the feed for which that is most. From 3 on "
            "the figures leave the page.",
            Query(f"max({_LATE})"),
            colours=look.steps((2, look.WARNING), (3, look.CRITICAL)),
            decimals=1,
        ),
        number(
            "Failed requests",
            "Requests to platforms that failed, of all in the interval.",
            Query(
                f"(sum(rate({_FAILED}[{q.RATE}])) or vector(0))"
                f" / sum(rate({q.series('api_requests_total')}[{q.RATE}]))"
            ),
            unit="percentunit",
            colours=look.steps((0.05, look.WARNING), (0.2, look.CRITICAL)),
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
            Query(q.grand(q.figure("series_dropped", "feed"))),
            colours=look.ANY_IS_BAD,
        ),
    )


def _freshness() -> tuple[Shelf, ...]:
    return (
        shelf(
            12,
            bars(
                "Age of figures, in intervals",
                "Time since a feed was last read, in its own intervals, the latest first. About 1 "
                "is well; from 3 on its figures leave the page.",
                Query(f"sort_desc({_LATE})", _FEED),
                colours=look.steps((2, look.WARNING), (3, look.CRITICAL), base=look.BLUE),
            ),
            lines(
                "Age of figures",
                "Time since each feed was last read.",
                Query(_AGE, _FEED),
                unit="s",
            ),
        ),
        shelf(
            9,
            strip(
                "Feeds",
                "When each feed's last refresh was a success.",
                q.figure("feed_up", "feed"),
                _FEED,
            ),
            lines(
                "Refreshes by outcome",
                "Refreshes in the interval by outcome; skipped: it was due while the account was "
                "busy.",
                Query(
                    f"sum by (outcome) (increase({q.series('feed_refreshes_total')}[{q.RATE}]))",
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
                    f"time() - {q.figure('feed_source_timestamp_seconds', 'feed')}",
                    _FEED,
                ),
                unit="s",
            ),
            lines(
                "Duration of refreshes",
                "How long the last refresh of each feed took.",
                Query(q.figure("feed_duration_seconds", "feed"), _FEED),
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
                    "histogram_quantile(0.95, sum by (le, provider, account, operation)"
                    f" (rate({_DURATIONS}[{q.RATE}])))",
                    "{{operation}} · {{account}}",
                ),
                unit="s",
            ),
        ),
        shelf(
            9,
            lines(
                "Quota used",
                "What is used of each request quota that the platform tells.",
                Query(_QUOTA, "{{operation}} in one {{window}} · {{account}}"),
                unit="percentunit",
                thresholds=look.steps((0.9, look.CRITICAL)),
                most=1,
            ),
            lines(
                "Sign-ins",
                "Sign-ins in the interval by outcome. A steady climb means that something ends the "
                "session.",
                Query(
                    "sum by (provider, account, outcome) ("
                    f"increase({q.series('session_signins_total')}[{q.RATE}]))",
                    "{{outcome}} · {{account}}",
                ),
                columns=True,
            ),
        ),
    )


def _answers() -> tuple[Shelf, ...]:
    table = q.figure("schema_missing_columns", "table")
    return (
        shelf(
            9,
            rows(
                "Answers that do not fit",
                "Columns that are missing, names that nothing maps and cells that could not be "
                "read, by table. The log names them.",
                [Key("table", "Table"), Key("account", "Account"), Key("provider", "Provider")],
                [
                    Column("Missing columns", table, colours=look.steps((1, look.WARNING))),
                    Column(
                        "Unmapped names",
                        q.total(q.figure("schema_unmapped", "table", "kind"), "table"),
                        colours=look.steps((1, look.WARNING)),
                    ),
                    Column("Rejected cells", q.figure("schema_rejected_cells_total", "table")),
                ],
                sort="Missing columns",
            ),
            lines(
                "Series by feed",
                "Series that the last refresh of each feed produced.",
                Query(q.figure("feed_samples", "feed"), _FEED),
            ),
        ),
        shelf(
            7,
            lines(
                "Corrections",
                "Totals that fell within their period and show their old value, in the interval.",
                Query(q.rise("corrections_total", "feed"), _FEED),
            ),
            lines(
                "Series that came twice",
                "Series of which one was dropped, in the interval.",
                Query(q.rise("duplicate_samples_total", "feed"), _FEED),
            ),
            lines(
                "Clock of the platform",
                "The platform's clock less the exporter's, where it is known.",
                Query(q.figure("account_clock_skew_seconds"), "{{account}}"),
                unit="s",
                least=None,
            ),
        ),
    )


def _accounts() -> Shelf:
    used = q.figure("account_licenses", "kind", where='state="used"')
    limit = q.figure("account_licenses", "kind", where='state="limit"')
    return shelf(
        7,
        rows(
            "Permissions",
            "What the exporter's user may see. No: rows are hidden without any error.",
            [Key("permission", "Permission"), Key("account", "Account")],
            [Column("Given", q.figure("account_permission", "permission"), mapping=look.YES_NO)],
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
                Column("Balance", q.figure("account_balance", "currency"), decimals=2),
                Column("Notice below", q.figure("account_balance_notice", "currency"), decimals=2),
            ],
            sort="Balance",
            rising=True,
        ),
    )


def _process() -> Shelf:
    return shelf(
        8,
        rows(
            "Exporters",
            "Each exporter that is scraped: whether it answers, its version, its configuration.",
            [Key("instance", "Instance"), Key("job", "Job"), Key("version", "Version")],
            [
                Column("Answers", f"up{{{_EXPORTER}}}", mapping=look.UP_DOWN),
                Column(
                    "Configuration read",
                    "contactcenter_exporter_config_last_reload_successful",
                    mapping=look.YES_NO,
                ),
                Column(
                    "Read ago",
                    "time() - contactcenter_exporter_config_last_reload_success_timestamp_seconds",
                    "s",
                ),
                Column("Running for", f"time() - process_start_time_seconds{{{_EXPORTER}}}", "s"),
                Column("Build", "contactcenter_exporter_build_info"),
            ],
            sort="Instance",
            rising=True,
        ),
        lines(
            "Memory",
            "Resident memory of each exporter.",
            Query(f"process_resident_memory_bytes{{{_EXPORTER}}}", "{{instance}}"),
            unit="bytes",
        ),
        lines(
            "Processor time",
            "Share of one processor that each exporter uses.",
            Query(f"rate(process_cpu_seconds_total{{{_EXPORTER}}}[{q.RATE}])", "{{instance}}"),
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
            "Requests to the exporter for each second, by code.",
            Query(
                f"sum by (code) (rate(contactcenter_exporter_http_requests_total[{q.RATE}]))",
                "{{code}}",
            ),
            unit="reqps",
        ),
        widths=(8, 4, 4, 4, 4),
    )
