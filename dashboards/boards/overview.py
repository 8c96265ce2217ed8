"""Dashboard of all accounts at a glance."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from boards import look
from boards.frame import Shelf, board, link, runbook, section, shelf
from boards.panels import Column, Key, Query, lines, number, rows
from boards.promql import ALERTS, HALF_HOUR, Promql, by, grand, total

_Q = Promql()
_OVER_LIMIT = f"sum({_Q.waiting} > bool on ({by('queue')}) {_Q.warning_limit})"
_READY = total(_Q.figure("agents", "state", where='state="ready"'))
_RULES_ONLY = "Nothing where our rule files are not loaded."


def overview() -> Dashboard:
    """Return the dashboard of all accounts."""
    return board(
        "overview",
        "Contact centre / Overview",
        "All accounts at a glance: who answers, what waits, which alerts fire.",
        _Q,
        [
            section("", _numbers(), _accounts()),
            section("Now and before", *_graphs()),
            section("Alerts", _alerts()),
        ],
    )


def _numbers() -> Shelf:
    return shelf(
        4,
        number(
            "Contacts waiting",
            "Contacts that wait for an agent now, in all queues chosen.",
            Query(grand(_Q.waiting)),
        ),
        number(
            "Queues over their limit",
            "Queues in which more contacts wait than their warning limit allows. Nothing where "
            "exporter.yml sets no limit.",
            Query(_OVER_LIMIT),
            colours=look.steps((1, look.WARNING)),
        ),
        number(
            "Longest wait",
            "The wait of the oldest contact of all.",
            Query(f"max({_Q.longest_wait})"),
            unit="s",
        ),
        number(
            "Service level, 30 min",
            "Contacts answered in time, of those offered in the last half-hour. Inbound campaigns "
            "stand in where a platform counts by campaign (Five9).",
            Query(_Q.grand_service_level(HALF_HOUR)),
            unit="percentunit",
            colours=look.SERVICE,
            decimals=0,
        ),
        number(
            "Agents ready",
            "Agents who could take a contact at once. Accounts that show the same centre count "
            "their agents twice: choose one.",
            Query(grand(_READY)),
        ),
        number(
            "Alerts firing",
            f"Alerts of our rule files that fire now. {_RULES_ONLY}",
            Query(_Q.alerts),
            colours=look.steps((1, look.WARNING)),
        ),
    )


def _accounts() -> Shelf:
    return shelf(
        8,
        rows(
            "Accounts",
            "One row for each account. An empty cell is a figure that the platform does not give, "
            "or that could not be read. Age: of the feed that is latest, as a share of the age at "
            "which its alert is due.",
            [Key("account", "Account", link("queues"), 200), Key("provider", "Provider")],
            [
                Column("State", _Q.up, mapping=look.UP_DOWN),
                Column("Waiting", total(_Q.waiting)),
                Column("Longest wait", f"max by ({by()}) ({_Q.longest_wait})", "s"),
                Column("Signed in", _Q.signed_in),
                Column("Ready", _READY),
                Column(
                    "Ready share",
                    f"{_READY} / ({_Q.signed_in} > 0)",
                    "percentunit",
                    decimals=0,
                ),
                Column(
                    "Age",
                    f"max by ({by()}) ({_Q.lateness})",
                    "percentunit",
                    look.steps((1, look.WARNING)),
                    decimals=0,
                ),
                Column(
                    "Feeds down",
                    total(f"{_Q.figure('feed_up', 'feed')} == bool 0"),
                    colours=look.ANY_IS_BAD,
                ),
                Column("Alerts", f"count by ({by()}) ({_Q.firing})"),
            ],
            sort="Waiting",
        ),
    )


def _graphs() -> tuple[Shelf, ...]:
    campaigns = _Q.inbound(_Q.rise("campaign_offered_total", "campaign"))
    return (
        shelf(
            8,
            lines(
                "Contacts waiting by account",
                "Contacts that wait for an agent, all queues of an account together.",
                Query(total(_Q.waiting), "{{account}}"),
            ),
            lines(
                "Longest wait by account",
                "The wait of the account's oldest contact.",
                Query(f"max by ({by()}) ({_Q.longest_wait})", "{{account}}"),
                unit="s",
            ),
        ),
        shelf(
            8,
            lines(
                "Contacts offered by account",
                "Contacts that arrived in the interval, from queue totals; Five9 counts arrivals "
                "by inbound campaign.",
                Query(total(_Q.contacts("offered")), "{{account}}"),
                Query(
                    f"{total(campaigns)} unless on ({by()}) {_Q.contacts('offered')}",
                    "{{account}} (campaigns)",
                ),
                columns=True,
            ),
            lines(
                "Agents signed in by account",
                "Agents in any state but logged out.",
                Query(_Q.signed_in, "{{account}}"),
            ),
        ),
    )


def _alerts() -> Shelf:
    return shelf(
        8,
        rows(
            "Alerts firing now",
            "Alerts of our rule files, from Prometheus. The runbook says what each means and what "
            f"to check first. Alertmanager's silences are not seen here. {_RULES_ONLY}",
            [
                Key("alertname", "Alert", runbook(), 360),
                Key("severity", "Severity"),
                Key("account", "Account", link("queues")),
                Key("queue", "Queue", link("queues")),
                Key("campaign", "Campaign", link("campaigns")),
                Key("feed", "Feed"),
            ],
            [
                Column(
                    "Firing",
                    f"max by ({by('alertname', 'severity', 'queue', 'campaign', 'feed')}) "
                    f'({ALERTS}, provider=~"$provider|", account=~"$account|"}})',
                )
            ],
            sort="Severity",
            rising=True,
        ),
    )
