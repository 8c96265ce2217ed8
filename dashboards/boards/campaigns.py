"""Dashboard of campaigns: dialling, results, and legal limits."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from boards import look
from boards import promql as q
from boards.frame import Shelf, board, section, shelf
from boards.panels import Column, Key, Query, bars, lines, number, rows, strip

_NAME = "{{campaign}} · {{account}}"
_ON = f"on ({q.by('campaign')})"
_LIMIT = q.figure("campaign_abandoned_limit_ratio", "campaign")
_RUNNING = q.figure("campaign_state", "campaign", where='state="running"')


def _in_window(name: str) -> str:
    return q.figure(f"campaign_{name}_in_window", "campaign", "window")


def _rise(name: str) -> str:
    return q.rise(f"campaign_{name}_total", "campaign")


def _count(name: str) -> str:
    """Return a count of the interval, or of the platform's own window where that slides."""
    return f"{_rise(name)} or max by ({q.by('campaign')}) ({_in_window(name)})"


def _ratio(part: str, whole: str) -> str:
    """Return the ratio of two counts, both of the interval or both of one window."""
    risen = f"{_rise(part)} / {_ON} ({_rise(whole)} > 0)"
    window = f"on ({q.by('campaign', 'window')})"
    slides = f"{_in_window(part)} / {window} ({_in_window(whole)} > 0)"
    return f"{risen} or max by ({q.by('campaign')}) ({slides})"


_SHARE = q.figure("campaign_abandoned_ratio", "campaign", "window")
# Counted, or as the platform gives it.
_ABANDONED = f"{_ratio('abandoned', 'connected')} or max by ({q.by('campaign')}) ({_SHARE})"
_OF_LIMIT = f"({_ABANDONED}) / {_ON} {_LIMIT}"
_REACHED = _ratio("connected", "dials")
_AVAILABLE = q.figure("campaign_records", "campaign", where='status="available"')


def campaigns() -> Dashboard:
    """Return the dashboard of campaigns."""
    return board(
        "campaigns",
        "Contact centre / Campaigns",
        "Dialling, reach, records, and abandoned calls against the legal limit of exporter.yml.",
        [
            section("", _numbers()),
            section("Abandoned calls and the law", _law()),
            section("Campaigns", _table()),
            section("Dialling", *_dialling()),
            section("Outcome", _outcome()),
        ],
        choose=("provider", "account", "campaign"),
        span="now-6h",
    )


def _numbers() -> Shelf:
    return shelf(
        4,
        number("Running", "Campaigns that are running.", Query(q.grand(_RUNNING))),
        number(
            "Highest abandon rate",
            "The largest share of abandoned calls of a campaign, in the interval, in the window of "
            "figures that slide, or as its platform gives it.",
            Query(f"max({_ABANDONED})"),
            unit="percentunit",
            decimals=1,
        ),
        number(
            "Nearest to its limit",
            "The abandon rate as a share of the campaign's legal limit, of the campaign for which "
            "that is most.",
            Query(f"max({_OF_LIMIT})"),
            unit="percentunit",
            colours=look.OF_LIMIT,
        ),
        number(
            "Reached",
            "Dials that were connected, of all; of a campaign whose figures slide, in its window.",
            Query(f"sum(({_REACHED}) * {_ON} ({_count('dials')})) / (sum({_count('dials')}) > 0)"),
            unit="percentunit",
        ),
        number(
            "Records available",
            "Records that may still be dialled, of all lists.",
            Query(q.grand(_AVAILABLE)),
        ),
        number(
            "Agents ready",
            "Agents of the campaigns who are ready, where the platform tells it.",
            Query(q.grand(q.figure("campaign_agents", "campaign", where='state="ready"'))),
        ),
    )


def _law() -> Shelf:
    return shelf(
        9,
        lines(
            "Abandon rate",
            "Abandoned of connected calls in the interval, in the window of figures that slide, or "
            "the share that the platform gives. Dashed: the limit of the campaign in exporter.yml. "
            "The law counts calls answered by a person; a machine that picks up may count as "
            "connected, and then the true rate is higher.",
            Query(_ABANDONED, _NAME),
            Query(_LIMIT, "limit of {{campaign}}", limit=look.CRITICAL),
            unit="percentunit",
            interval="15m",
        ),
        lines(
            "Abandon rate against the limit",
            "The same as a share of the limit. Alerts begin at 80 % and at 100 %, over 30 days.",
            Query(_OF_LIMIT, _NAME),
            unit="percentunit",
            thresholds=look.OF_LIMIT,
            interval="15m",
        ),
    )


def _table() -> Shelf:
    return shelf(
        9,
        rows(
            "Campaigns",
            "One row for each campaign; dials and calls in the interval, or in the platform's own "
            "window if that slides. An empty cell is a figure that the platform does not give.",
            [Key("campaign", "Campaign"), Key("account", "Account"), Key("provider", "Provider")],
            [
                Column("Running", _RUNNING, mapping=look.YES_NO),
                Column("Hours", q.figure("campaign_open", "campaign"), mapping=look.OPEN_CLOSED),
                Column("Dials", _count("dials")),
                Column("Connected", _count("connected")),
                Column("Abandon rate", _ABANDONED, "percentunit", decimals=1),
                Column("Of limit", _OF_LIMIT, "percentunit", look.OF_LIMIT, decimals=0),
                Column("Records available", _AVAILABLE),
                Column(
                    "Dialled for each agent",
                    q.figure("campaign_dialing_ratio", "campaign", where='kind="actual"'),
                    decimals=1,
                ),
            ],
            sort="Dials",
        ),
    )


def _dialling() -> tuple[Shelf, ...]:
    return (
        shelf(
            8,
            lines(
                "Dials",
                "Numbers dialled in the interval, or in the platform's own window if that slides.",
                Query(_count("dials"), _NAME),
            ),
            lines(
                "Reached",
                "Dials that were connected, of all, in the interval or the platform's own window. "
                "After a sudden fall, look whether your numbers are flagged as spam.",
                Query(_REACHED, _NAME),
                unit="percentunit",
                most=1,
            ),
        ),
        shelf(
            8,
            lines(
                "Records available",
                "Records that may still be dialled.",
                Query(_AVAILABLE, _NAME),
            ),
            lines(
                "Dialled for each free agent",
                "What the dialler aims at (dashed) and does.",
                Query(q.figure("campaign_dialing_ratio", "campaign", where='kind="actual"'), _NAME),
                Query(
                    q.figure("campaign_dialing_ratio", "campaign", where='kind="target"'),
                    "target of {{campaign}}",
                    limit=look.GREY,
                ),
            ),
            lines(
                "Inbound: offered calls",
                "Calls that inbound campaigns were offered in the interval.",
                Query(q.rise("campaign_offered_total", "campaign"), _NAME),
                columns=True,
            ),
        ),
    )


def _outcome() -> Shelf:
    dispositions = q.rise("campaign_dispositions_total", "campaign", "disposition")
    return shelf(
        9,
        strip(
            "Running",
            "When each campaign was running.",
            _RUNNING,
            _NAME,
        ),
        bars(
            "Dispositions",
            "The twelve most frequent dispositions in the interval, of the campaigns chosen.",
            Query(f"topk(12, sum by (disposition) ({dispositions}))", "{{disposition}}"),
            colours=look.steps(base=look.BLUE),
        ),
        widths=(14, 10),
    )
