"""Wallboard: the figures that everybody on the floor sees from five metres."""

from collections.abc import Sequence

from grafana_foundation_sdk.builders.dashboard import Dashboard

from boards import look
from boards.frame import Shelf, board, section, shelf
from boards.panels import Query, bars, number
from boards.promql import HALF_HOUR, Promql, by, grand

_Q = Promql(("provider", "account", "queue"))
_HUGE, _LARGE, _MEDIUM = 90, 56, 34  # pixels
_TILES, _BARS = 12, 7  # more could not be read
_HOUR = 3600
_ON = f"on ({by('queue')})"
_HERE = f"({_Q.waiting} unless {_ON} ({_Q.closed}))"
_OVER_CRITICAL = f"({_HERE} > {_ON} {_Q.critical_limit})"
# Without a limit of its own, a queue is judged by contacts for each agent, as the alerts do.
_CROWDED = (
    f"(({_HERE} >= 5) and {_ON} ({_Q.waiting} / {_ON} clamp_min({_Q.staffed}, 1) > 1)"
    f" unless {_ON} {_Q.warning_limit})"
)
_OVER_WARNING = f"(({_HERE} > {_ON} {_Q.warning_limit}) or {_CROWDED})"
_WAIT = f"({_Q.longest_wait} unless {_ON} ({_Q.closed}))"
_LATE = f"({_WAIT} > {_ON} 6 * {_Q.answer_objective})"
_VERY_LATE = f"({_WAIT} > {_ON} 15 * {_Q.answer_objective})"
_NAME = "{{queue}} · {{account}}"
_SETTLED = "abandoned or answered, or offered where those are more"


def wallboard() -> Dashboard:
    """Return the dashboard for a screen on the wall, 1920 by 1080 pixels, in kiosk mode."""
    return board(
        "wallboard",
        "Contact centre / Wallboard",
        "For a screen on the wall: choose account and queues, then add &kiosk to the address.",
        _Q,
        [section("", _numbers(), _tiles())],
        span="now-1h",
        refresh="10s",
        zone="utc",  # minutes and seconds of a wait are formatted as a time of day
    )


def _clock(expression: str, legend: str, colour: str = "") -> Sequence[Query]:
    """Return two queries for a time: as 0:53 below an hour, in hours from then on.

    Milliseconds, since the unit is one of Grafana's for points of time.
    """
    return (
        Query(f"1000 * ({expression} < {_HOUR})", legend, colour=colour, unit="time:m:ss"),
        Query(f"1000 * ({expression} >= {_HOUR})", legend, colour=colour, unit="ms", decimals=1),
    )


def _numbers() -> Shelf:
    not_ready = grand(_Q.figure("agents", "state", where='state="not_ready"'))
    oldest = f"max({_WAIT})"
    late, very_late = f"on () max({_LATE})", f"on () max({_VERY_LATE})"
    return shelf(
        7,
        number(
            "Waiting",
            "Contacts that wait for an agent now, in the open queues chosen.",
            Query(f"{grand(_HERE)} or 0 * {grand(_Q.waiting)}"),
            size=_HUGE,
        ),
        number(
            "Longest wait",
            "The wait of the oldest contact of an open queue. Yellow and red: six and fifteen "
            "times the answer objective of its queue, where exporter.yml sets one.",
            *_clock(f"({oldest} unless {late})", "oldest contact"),
            *_clock(f"({oldest} and {late} unless {very_late})", "! late", look.WARNING),
            *_clock(f"({oldest} and {very_late})", "!! very late", look.CRITICAL),
            size=_HUGE,
        ),
        number(
            "Service level",
            f"Contacts answered in time, of those {_SETTLED}; inbound campaigns stand in where a "
            "platform counts by campaign (Five9).",
            Query(_Q.grand_service_level(HALF_HOUR), "last 30 minutes"),
            Query(_Q.grand_service_level(""), "today"),
            unit="percentunit",
            colours=look.SERVICE,
            size=_LARGE,
            decimals=0,
        ),
        number(
            "Abandoned",
            f"Contacts that left before an answer, of those {_SETTLED}.",
            Query(_Q.grand_share("abandoned", HALF_HOUR), "last 30 minutes"),
            Query(_Q.grand_share("abandoned", ""), "today"),
            unit="percentunit",
            colours=look.steps((0.08, look.WARNING), (0.2, look.CRITICAL)),
            size=_LARGE,
            decimals=0,
        ),
        number(
            "Agents",
            "Agents of the accounts chosen who could take a contact at once, and those signed in "
            "who take none.",
            Query(grand(_Q.figure("agents", "state", where='state="ready"')), "ready"),
            Query(not_ready, "not ready"),
            size=_LARGE,
        ),
        widths=(4, 5, 5, 5, 5),
    )


def _tiles() -> Shelf:
    return shelf(
        17,
        number(
            "Waiting by queue",
            "Contacts waiting in each open queue, those over a limit first: !! over the critical "
            "limit, ! over the warning limit, or more than one contact for each agent where "
            f"exporter.yml sets no limit. Of the others the {_TILES} fullest.",
            Query(f"sort_desc({_OVER_CRITICAL})", f"!! {_NAME}", colour=look.CRITICAL),
            Query(
                f"sort_desc({_OVER_WARNING} unless {_ON} {_OVER_CRITICAL})",
                f"! {_NAME}",
                colour=look.WARNING,
            ),
            Query(
                f"topk({_TILES}, {_HERE} unless {_ON} ({_OVER_CRITICAL} or {_OVER_WARNING}))",
                _NAME,
                colour=look.BLUE,
            ),
            size=_LARGE,
        ),
        bars(
            "Longest waits",
            "The open queues whose oldest contact has waited longest. Orange and red (! and !!): "
            "six and fifteen times the answer objective of the queue, where exporter.yml sets one.",
            *_clock(f"sort_desc({_VERY_LATE})", f"!! {_NAME}", look.CRITICAL),
            *_clock(
                f"sort_desc({_LATE} unless {_ON} {_VERY_LATE})", f"! {_NAME}", look.WARNING_LINE
            ),
            *_clock(f"topk({_BARS}, {_WAIT} unless {_ON} {_LATE})", _NAME, look.BLUE),
            unit="ms",
            size=_MEDIUM,
        ),
        widths=(16, 8),
    )
