"""Dashboard of campaigns: dialling, results, and legal limits."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from boards import look
from boards.frame import Shelf, board, link, section, shelf
from boards.panels import Column, Key, Query, bars, lines, number, rows, strip
from boards.promql import HALF_HOUR, Promql, by, few, grand, most

_Q = Promql(("provider", "account", "campaign"))

_NAME = "{{campaign}} · {{account}}"
_ON = f"on ({by('campaign')})"
_LIMIT = _Q.outbound(_Q.figure("campaign_abandoned_limit_ratio", "campaign"))
_RUNNING = _Q.figure("campaign_state", "campaign", where='state="running"')


def _in_window(name: str) -> str:
    return _Q.figure(f"campaign_{name}_in_window", "campaign", "window")


def _rise(name: str) -> str:
    return _Q.rise(f"campaign_{name}_total", "campaign")


def _count(name: str) -> str:
    """Return a count of the interval, or of the platform's own window where that slides."""
    return f"{_rise(name)} or max by ({by('campaign')}) ({_in_window(name)})"


def _share(part: str, whole: str, on: str = _ON) -> str:
    """Return a part of a whole, or of itself where it is more.

    A call that is connected was perhaps dialled before the interval, and no share may be over
    100 %.
    """
    return f"{part} / {on} (({whole} >= {on} {part} or {part} and {on} {whole}) > 0)"


def _ratio(part: str, whole: str) -> str:
    """Return the share of two counts, both of the interval or both of one window."""
    risen = _share(_rise(part), _rise(whole))
    slides = _share(_in_window(part), _in_window(whole), f"on ({by('campaign', 'window')})")
    return f"{risen} or max by ({by('campaign')}) ({slides})"


_GIVEN = _Q.figure("campaign_abandoned_ratio", "campaign", "window")
# Counted, or as the platform gives it.
_ABANDONED = _Q.outbound(
    f"{_ratio('abandoned', 'connected')} or max by ({by('campaign')}) ({_GIVEN})"
)
_OF_LIMIT = f"({_ABANDONED}) / {_ON} ({_LIMIT})"
_DIALS = _Q.outbound(_count("dials"))
_REACHED = _Q.outbound(_ratio("connected", "dials"))
_AVAILABLE = _Q.outbound(_Q.figure("campaign_records", "campaign", where='status="available"'))
_OPEN = _Q.figure("campaign_open", "campaign")
_STAND_IN = (
    "The law counts calls that a person answered, of which no platform documents a figure; a "
    "machine that picks up may count as connected, and then the true rate is higher."
)


def campaigns() -> Dashboard:
    """Return the dashboard of campaigns."""
    return board(
        "campaigns",
        "Contact centre / Campaigns",
        "Outbound campaigns: dialling, reach, records, and abandoned calls against the legal limit "
        "of exporter.yml. Inbound campaigns: service against their objectives, where a platform "
        "tells it by campaign (Five9). A campaign is outbound if it is in a table of dialled "
        "campaigns; where nothing tells the direction, if it dials.",
        _Q,
        [
            section("", _numbers()),
            section("Abandoned calls and the law", _law()),
            section("Outbound", _table(), *_dialling()),
            section("Inbound", *_inbound()),
            section("Outcome", _outcome()),
        ],
        span="now-6h",
    )


def _numbers() -> Shelf:
    return shelf(
        4,
        number(
            "Running", "Campaigns that are running, of both directions.", Query(grand(_RUNNING))
        ),
        number(
            "Highest abandon rate",
            "The largest share of connected calls that an outbound campaign abandoned, in the "
            "interval, in the window of figures that slide, or as its platform gives it.",
            Query(f"max({_ABANDONED})"),
            unit="percentunit",
            decimals=1,
        ),
        number(
            "Nearest to its limit",
            "The abandon rate as a share of the campaign's legal limit, of the outbound campaign "
            "for which that is most.",
            Query(f"max({_OF_LIMIT})"),
            unit="percentunit",
            colours=look.steps(*look.OF_LIMIT),
            decimals=0,
        ),
        number(
            "Reached",
            "Dials that were connected, of all; of a campaign whose figures slide, in its window. "
            "Nothing while nothing is dialled.",
            Query(
                f"sum(({_REACHED}) * {_ON} ({_count('dials')}))"
                f" / (sum(({_count('dials')}) and {_ON} {_REACHED}) > 0)"
            ),
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
            "the share that the platform gives, of outbound campaigns. Dashed: the limit of the "
            f"campaign in exporter.yml. {_STAND_IN}",
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
        11,
        rows(
            "Outbound campaigns",
            "One row for each campaign; dials and calls in the interval, or in the platform's own "
            "window if that slides. Records: those that may still be dialled. Per agent: calls "
            "dialled for each free agent. An empty cell: the platform does not give the figure.",
            [
                Key("campaign", "Campaign", link("campaigns"), 180),
                Key("account", "Account", width=160),
            ],
            [
                Column("Running", _Q.outbound(_RUNNING), mapping=look.RUNS),
                Column("Hours", _Q.outbound(_OPEN), mapping=look.OPEN_CLOSED),
                Column("Dials", _DIALS),
                Column("Connected", _Q.outbound(_count("connected"))),
                Column("Reached", _REACHED, "percentunit", decimals=0),
                Column("Abandon rate", _ABANDONED, "percentunit", decimals=1),
                Column(
                    "Of limit", _OF_LIMIT, "percentunit", look.steps(*look.OF_LIMIT), decimals=0
                ),
                Column("Records", _AVAILABLE),
                Column("Per agent", _dialled("actual"), decimals=1),
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
                Query(most(_DIALS, "campaign"), _NAME),
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
                Query(_dialled("actual"), _NAME),
                Query(_dialled("target"), "target of {{campaign}}", limit=look.GREY),
                decimals=1,
            ),
        ),
    )


def _dialled(kind: str) -> str:
    """Return the calls that a dialler places for each free agent, or aims at."""
    return _Q.outbound(_Q.figure("campaign_dialing_ratio", "campaign", where=f'kind="{kind}"'))


def _calls(what: str, over: str = "") -> str:
    """Return a count of an inbound campaign's calls; ``over`` is empty for today."""
    name = f"campaign_{what}_total"
    today = _Q.figure(name, "campaign")
    if not over:
        return f"({_Q.inbound(today)})"
    # A total that has left the page has no half-hour either.
    risen = _Q.rise(name, "campaign", over=over)
    return f"({_Q.inbound(f'{risen} and {_ON} {today}')})"


def _settled(over: str = "") -> str:
    """Return the calls of which a share is taken: as for queues, so that none is over 100 %."""
    offered = _calls("offered", over)
    ended = f"({_calls('handled', over)} + {_ON} {_calls('abandoned', over)})"
    return f"({offered} >= {_ON} {ended} or {ended} or {offered})"


def _lost(over: str = "") -> str:
    """Return the share of abandoned calls of all inbound campaigns chosen."""
    part = _calls("abandoned", over)
    return f"sum({part}) / (sum({_settled(over)} and {_ON} {part}) > 0)"


def _given(name: str) -> str:
    """Return a mean or share that the platform gives of its own period, unless it is of no call."""
    figure = _Q.figure(f"campaign_{name}", "campaign", "window")
    figure = f"max by ({by('campaign')}) ({figure})"
    idle = f"{_Q.figure('campaign_offered_total', 'campaign')} == 0"
    return f"({_Q.inbound(f'{figure} unless {_ON} {idle}')})"


_LEVEL, _ANSWER = _given("service_level_ratio"), _given("answer_seconds")
_LEVEL_OBJECTIVE = _Q.inbound(_Q.figure("campaign_service_level_objective_ratio", "campaign"))
_ANSWER_OBJECTIVE = _Q.inbound(_Q.figure("campaign_answer_objective_seconds", "campaign"))
_OF_LEVEL = f"{_LEVEL} / {_ON} ({_LEVEL_OBJECTIVE})"
_OF_ANSWER = f"{_ANSWER} / {_ON} ({_ANSWER_OBJECTIVE})"
_LATE = look.steps((3, look.WARNING))


def _inbound() -> tuple[Shelf, ...]:
    return (
        shelf(
            4,
            number(
                "Calls offered today",
                "Calls that the inbound campaigns chosen were offered today.",
                Query(grand(_calls("offered"))),
                unit="locale",
                decimals=0,
            ),
            number(
                "Calls abandoned",
                "Calls that left before an answer, of those offered, or of those handled or "
                "abandoned where that is more. Alerts begin at 8 % and at 20 % in half an hour.",
                Query(_lost(HALF_HOUR), "30 min"),
                Query(_lost(), "today"),
                unit="percentunit",
                colours=look.LOST,
                decimals=0,
            ),
            number(
                "Furthest below its objective",
                "The service level as a share of its objective in exporter.yml, of the campaign "
                "for which that is least. Alerts begin under 80 % and under 60 %.",
                Query(f"min({_OF_LEVEL})"),
                unit="percentunit",
                colours=look.OF_SERVICE,
                decimals=0,
            ),
            number(
                "Slowest against its objective",
                "The mean time to an answer as a share of the answer objective in exporter.yml, of "
                "the campaign for which that is most. An alert is due from 300 % on.",
                Query(f"max({_OF_ANSWER})"),
                unit="percentunit",
                colours=_LATE,
                decimals=0,
            ),
        ),
        shelf(
            8,
            rows(
                "Inbound campaigns",
                "One row for each campaign that is not outbound; counts of today, shares and times "
                "as the platform gives them over its own period. Beside the service level and the "
                "time to an answer: the same as shares of the objectives in exporter.yml, coloured "
                "from where alerts begin.",
                [
                    Key("campaign", "Campaign", link("campaigns"), 180),
                    Key("account", "Account", width=140),
                ],
                [
                    Column("Running", _Q.inbound(_RUNNING), mapping=look.RUNS, width=80),
                    Column("Hours", _Q.inbound(_OPEN), mapping=look.OPEN_CLOSED, width=70),
                    Column("Offered", _calls("offered"), width=90),
                    Column("Handled", _of_offered("handled"), width=90),
                    Column("Abandoned", _of_offered("abandoned"), width=100),
                    Column("Rejected", _of_offered("rejected"), width=90),
                    Column("Service level", _LEVEL, "percentunit", decimals=0),
                    Column("Of objective", _OF_LEVEL, "percentunit", look.OF_SERVICE, decimals=0),
                    Column("Answered after", _ANSWER, "s"),
                    Column("Of its objective", _OF_ANSWER, "percentunit", _LATE, decimals=0),
                    Column("Handle time", _given("handle_seconds"), "s"),
                    Column("Longest wait", _given("longest_wait_seconds"), "s"),
                ],
                sort="Offered",
            ),
        ),
        shelf(
            8,
            lines(
                "Calls offered",
                "Calls that inbound campaigns were offered in the interval.",
                Query(
                    most(_Q.inbound(_Q.rise("campaign_offered_total", "campaign")), "campaign"),
                    _NAME,
                ),
                columns=True,
            ),
            lines(
                "Service level of campaigns",
                "Share of calls answered in time, as the platform gives it over its own period. "
                "With few campaigns chosen, dashed lines are their objectives.",
                Query(most(_LEVEL, "campaign"), _NAME),
                Query(few(_LEVEL_OBJECTIVE), "objective of {{campaign}}", limit=look.WARNING_LINE),
                unit="percentunit",
                most=1,
            ),
            lines(
                "Speed of answer of campaigns",
                "Mean time to an answer, as the platform gives it over its own period. With few "
                "campaigns chosen, dashed lines are their objectives.",
                Query(most(_ANSWER, "campaign"), _NAME),
                Query(few(_ANSWER_OBJECTIVE), "objective of {{campaign}}", limit=look.WARNING_LINE),
                unit="s",
            ),
        ),
    )


def _of_offered(what: str) -> str:
    """Return a total of the campaigns that are offered calls."""
    return f"{_calls(what)} and {_ON} {_Q.figure('campaign_offered_total', 'campaign')}"


def _outcome() -> Shelf:
    dispositions = _Q.rise("campaign_dispositions_total", "campaign", "disposition")
    return shelf(
        11,
        strip(
            "Running, over time",
            "When each campaign was running, of both directions.",
            _RUNNING,
            _NAME,
            look.RUNS,
        ),
        bars(
            "Dispositions",
            "The twelve most frequent dispositions in the interval, of the campaigns chosen.",
            Query(f"topk(12, sum by (disposition) ({dispositions}))", "{{disposition}}"),
            colours=look.BARS,
        ),
        widths=(14, 10),
    )
