"""Dashboard of campaigns: dialling, results, and legal limits."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from boards import look
from boards.frame import Shelf, board, link, section, shelf
from boards.panels import Column, Key, Query, bars, lines, number, rows, strip
from boards.promql import Promql, by, few, grand, most

_Q = Promql(("provider", "account", "campaign"))

_NAME = "{{campaign}} · {{account}}"
_ON = f"on ({by('campaign')})"
_LIMIT = _Q.figure("campaign_abandoned_limit_ratio", "campaign")
_RUNNING = _Q.figure("campaign_state", "campaign", where='state="running"')


def _in_window(name: str) -> str:
    return _Q.figure(f"campaign_{name}_in_window", "campaign", "window")


def _rise(name: str) -> str:
    return _Q.rise(f"campaign_{name}_total", "campaign")


def _count(name: str) -> str:
    """Return a count of the interval, or of the platform's own window where that slides."""
    return f"{_rise(name)} or max by ({by('campaign')}) ({_in_window(name)})"


def _ratio(part: str, whole: str) -> str:
    """Return the ratio of two counts, both of the interval or both of one window."""
    risen = f"{_rise(part)} / {_ON} ({_rise(whole)} > 0)"
    window = f"on ({by('campaign', 'window')})"
    slides = f"{_in_window(part)} / {window} ({_in_window(whole)} > 0)"
    return f"{risen} or max by ({by('campaign')}) ({slides})"


_SHARE = _Q.figure("campaign_abandoned_ratio", "campaign", "window")
# Counted, or as the platform gives it.
_ABANDONED = f"{_ratio('abandoned', 'connected')} or max by ({by('campaign')}) ({_SHARE})"
_OF_LIMIT = f"({_ABANDONED}) / {_ON} {_LIMIT}"
_REACHED = _ratio("connected", "dials")
_AVAILABLE = _Q.figure("campaign_records", "campaign", where='status="available"')


def campaigns() -> Dashboard:
    """Return the dashboard of campaigns."""
    return board(
        "campaigns",
        "Contact centre / Campaigns",
        "Dialling, reach, records, and abandoned calls against the legal limit of exporter.yml; "
        "and the service of inbound campaigns, where a platform tells it by campaign (Five9).",
        _Q,
        [
            section("", _numbers()),
            section("Abandoned calls and the law", _law()),
            section("Campaigns", _table()),
            section("Dialling", *_dialling()),
            section("Inbound", *_inbound()),
            section("Outcome", _outcome()),
        ],
        span="now-6h",
    )


def _numbers() -> Shelf:
    return shelf(
        4,
        number("Running", "Campaigns that are running.", Query(grand(_RUNNING))),
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
            colours=look.steps(*look.OF_LIMIT),
            decimals=0,
        ),
        number(
            "Reached",
            "Dials that were connected, of all; of a campaign whose figures slide, in its window. "
            "Nothing while nothing is dialled.",
            Query(f"sum(({_REACHED}) * {_ON} ({_count('dials')})) / (sum({_count('dials')}) > 0)"),
            unit="percentunit",
            decimals=0,
        ),
        number(
            "Records available",
            "Records that may still be dialled, of all lists. Nothing while no list is dialled.",
            Query(grand(_AVAILABLE)),
        ),
        number(
            "Agents ready",
            "Agents of the campaigns who are ready. Nothing while no campaign dials.",
            Query(grand(_Q.figure("campaign_agents", "campaign", where='state="ready"'))),
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
            Query(most(_ABANDONED, "campaign"), _NAME),
            Query(few(_LIMIT), "limit of {{campaign}}", limit=look.CRITICAL_LINE),
            unit="percentunit",
            interval="15m",
        ),
        lines(
            "Abandon rate against the limit",
            "The same as a share of the limit. Alerts begin at 80 % and at 100 %, over 30 days.",
            Query(most(_OF_LIMIT, "campaign"), _NAME),
            unit="percentunit",
            thresholds=look.lines(*look.OF_LIMIT),
            interval="15m",
        ),
    )


def _table() -> Shelf:
    return shelf(
        9,
        rows(
            "Campaigns",
            "One row for each campaign; dials and calls in the interval, or in the platform's own "
            "window if that slides. Records: those that may still be dialled. Per agent: calls "
            "dialled for each free agent. An empty cell: the platform does not give the figure.",
            [
                Key("campaign", "Campaign", link("campaigns"), 180),
                Key("account", "Account", width=160),
            ],
            [
                Column("Running", _RUNNING, mapping=look.RUNS),
                Column("Hours", _Q.figure("campaign_open", "campaign"), mapping=look.OPEN_CLOSED),
                Column("Dials", _count("dials")),
                Column("Connected", _count("connected")),
                Column("Abandon rate", _ABANDONED, "percentunit", decimals=1),
                Column(
                    "Of limit", _OF_LIMIT, "percentunit", look.steps(*look.OF_LIMIT), decimals=0
                ),
                Column("Records", _AVAILABLE),
                Column(
                    "Per agent",
                    _Q.figure("campaign_dialing_ratio", "campaign", where='kind="actual"'),
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
                Query(most(_count("dials"), "campaign"), _NAME),
            ),
            lines(
                "Dials that were connected",
                "Dials that were connected, of all, in the interval or the platform's own window. "
                "After a sudden fall, look whether your numbers are flagged as spam.",
                Query(most(_REACHED, "campaign"), _NAME),
                unit="percentunit",
                most=1,
            ),
        ),
        shelf(
            8,
            lines(
                "Records left",
                "Records that may still be dialled.",
                Query(most(_AVAILABLE, "campaign"), _NAME),
            ),
            lines(
                "Dialled for each free agent",
                "What the dialler aims at (dashed) and does.",
                Query(
                    _Q.figure("campaign_dialing_ratio", "campaign", where='kind="actual"'), _NAME
                ),
                Query(
                    _Q.figure("campaign_dialing_ratio", "campaign", where='kind="target"'),
                    "target of {{campaign}}",
                    limit=look.GREY,
                ),
            ),
        ),
    )


def _inbound() -> tuple[Shelf, ...]:
    offered = _Q.figure("campaign_offered_total", "campaign")
    return (
        shelf(
            8,
            rows(
                "Inbound campaigns",
                "One row for each campaign that is offered calls; counts of today, shares and "
                "times as the platform gives them over its own period.",
                [
                    Key("campaign", "Campaign", link("campaigns"), 180),
                    Key("account", "Account", width=160),
                ],
                [
                    Column("Offered today", offered),
                    Column("Handled", _of_offered("handled_total")),
                    Column("Abandoned", _of_offered("abandoned_total")),
                    Column("Rejected", _of_offered("rejected_total")),
                    Column(
                        "Service level",
                        _given("service_level_ratio"),
                        "percentunit",
                        look.SERVICE,
                        decimals=0,
                    ),
                    Column("Answered after", _given("answer_seconds"), "s"),
                    Column("Handle time", _given("handle_seconds"), "s"),
                    Column("Longest wait", _given("longest_wait_seconds"), "s"),
                ],
                sort="Offered today",
            ),
        ),
        shelf(
            8,
            lines(
                "Calls offered",
                "Calls that inbound campaigns were offered in the interval.",
                Query(_Q.rise("campaign_offered_total", "campaign"), _NAME),
                columns=True,
            ),
            lines(
                "Service level of campaigns",
                "Share of calls answered in time, as the platform gives it over its own period.",
                Query(_given("service_level_ratio"), _NAME),
                unit="percentunit",
                most=1,
            ),
            lines(
                "Speed of answer of campaigns",
                "Mean time to an answer, as the platform gives it over its own period.",
                Query(_given("answer_seconds"), _NAME),
                unit="s",
            ),
        ),
    )


def _given(name: str) -> str:
    """Return a mean or share that the platform gives of its own period."""
    return f"max by ({by('campaign')}) ({_Q.figure(f'campaign_{name}', 'campaign', 'window')})"


def _of_offered(name: str) -> str:
    """Return a total of the campaigns that are offered calls."""
    return (
        f"{_Q.figure(f'campaign_{name}', 'campaign')}"
        f" and {_ON} {_Q.figure('campaign_offered_total', 'campaign')}"
    )


def _outcome() -> Shelf:
    dispositions = _Q.rise("campaign_dispositions_total", "campaign", "disposition")
    return shelf(
        9,
        strip(
            "Running, over time",
            "When each campaign was running.",
            _RUNNING,
            _NAME,
        ),
        bars(
            "Dispositions",
            "The twelve most frequent dispositions in the interval, of the campaigns chosen.",
            Query(f"topk(12, sum by (disposition) ({dispositions}))", "{{disposition}}"),
            colours=look.BARS,
        ),
        widths=(14, 10),
    )
