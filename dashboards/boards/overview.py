"""Dashboard of all accounts at a glance."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from boards import look
from boards import promql as q
from boards.frame import Shelf, board, link, section, shelf
from boards.panels import Column, Key, Query, lines, number, rows

_UP = q.figure("up")
_FIRING = f'{q.ALERTS}, provider=~"$provider", account=~"$account"}}'
_OVER_LIMIT = f"count({q.WAITING} > on ({q.by('queue')}) {q.WARNING_LIMIT})"
_OLDEST = f"max by ({q.by()}) (time() - {q.figure('feed_last_success_timestamp_seconds', 'feed')})"


def overview() -> Dashboard:
    """Return the dashboard of all accounts."""
    return board(
        "overview",
        "Contact centre / Overview",
        "All accounts at a glance: who answers, what waits, which alerts fire.",
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
            "Accounts that do not answer",
            "Accounts whose platform no replica of the exporter reaches. Their figures are absent.",
            Query(f"count({_UP} == 0) or vector(0)"),
            colours=look.ANY_IS_BAD,
        ),
        number(
            "Contacts waiting",
            "Contacts that wait for an agent now, in all queues chosen.",
            Query(q.grand(q.WAITING)),
        ),
        number(
            "Queues over their limit",
            "Queues in which more contacts wait than their warning limit allows. Without limits in "
            "exporter.yml this is 0.",
            Query(f"{_OVER_LIMIT} or vector(0)"),
            colours=look.steps((1, look.WARNING)),
        ),
        number(
            "Longest wait",
            "The wait of the oldest contact of all.",
            Query(f"max({q.LONGEST_WAIT})"),
            unit="s",
        ),
        number(
            "Agents ready",
            "Agents who could take a contact at once. Accounts that show the same centre count "
            "their agents twice: choose one.",
            Query(q.grand(q.figure("agents", "state", where='state="ready"'))),
        ),
        number(
            "Alerts firing",
            "Alerts of our rule files that fire now; 0 without the rules.",
            Query(f"count({_FIRING}) or vector(0)"),
            colours=look.steps((1, look.WARNING)),
        ),
    )


def _accounts() -> Shelf:
    ready = q.total(q.figure("agents", "state", where='state="ready"'))
    return shelf(
        8,
        rows(
            "Accounts",
            "One row for each account. An empty cell is a figure that the platform does not give, "
            "or that could not be read.",
            [Key("account", "Account", link("queues")), Key("provider", "Provider")],
            [
                Column("Answers", _UP, mapping=look.UP_DOWN),
                Column("Waiting", q.total(q.WAITING)),
                Column("Longest wait", f"max by ({q.by()}) ({q.LONGEST_WAIT})", "s"),
                Column("Signed in", q.SIGNED_IN),
                Column("Ready", ready),
                Column("Ready share", f"{ready} / {q.SIGNED_IN}", "percentunit"),
                Column("Oldest figure", _OLDEST, "s"),
                Column("Feeds down", f"count by ({q.by()}) ({q.figure('feed_up', 'feed')} == 0)"),
                Column("Alerts", f"count by ({q.by()}) ({_FIRING})"),
            ],
            sort="Waiting",
        ),
    )


def _graphs() -> tuple[Shelf, ...]:
    return (
        shelf(
            8,
            lines(
                "Contacts waiting by account",
                "Contacts that wait for an agent, all queues of an account together.",
                Query(q.total(q.WAITING), "{{account}}"),
            ),
            lines(
                "Longest wait by account",
                "The wait of the account's oldest contact.",
                Query(f"max by ({q.by()}) ({q.LONGEST_WAIT})", "{{account}}"),
                unit="s",
            ),
        ),
        shelf(
            8,
            lines(
                "Contacts offered by account",
                "Contacts that arrived in the interval, from queue totals; Five9 counts arrivals "
                "by inbound campaign.",
                Query(q.total(q.OFFERED), "{{account}}"),
                Query(
                    q.total(q.rise("campaign_offered_total", "campaign")), "{{account}} (campaigns)"
                ),
                columns=True,
            ),
            lines(
                "Agents signed in by account",
                "Agents in any state but logged out.",
                Query(q.SIGNED_IN, "{{account}}"),
            ),
        ),
    )


def _alerts() -> Shelf:
    return shelf(
        8,
        rows(
            "Alerts firing now",
            "Alerts of our rule files, from Prometheus. The runbook says what each means and what "
            "to check first. Silences are Alertmanager's business and not seen here.",
            [
                Key("alertname", "Alert"),
                Key("severity", "Severity"),
                Key("account", "Account", link("queues")),
                Key("queue", "Queue"),
                Key("campaign", "Campaign"),
                Key("feed", "Feed"),
            ],
            [
                Column(
                    "Firing",
                    "max by (alertname, severity, account, queue, campaign, feed) "
                    f'({q.ALERTS}, provider=~"$provider|", account=~"$account|"}})',
                )
            ],
            sort="Severity",
            rising=True,
        ),
    )
