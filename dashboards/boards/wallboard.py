"""Wallboard: the figures that everybody on the floor sees from five metres."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from boards import look
from boards import promql as q
from boards.frame import Shelf, board, section, shelf
from boards.panels import Query, bars, number

_HUGE, _LARGE, _MEDIUM = 110, 60, 34  # pixels
_TILES, _BARS = 18, 8  # more could not be read
_ON = f"on ({q.by('queue')})"
_HERE = f"({q.WAITING} unless {_ON} ({q.CLOSED}))"
_OVER_CRITICAL = f"({_HERE} > {_ON} {q.CRITICAL_LIMIT})"
# Without a limit of its own, a queue is judged by contacts for each agent, as the alerts do.
_CROWDED = (
    f"(({_HERE} >= 5) and {_ON} ({q.WAITING} / {_ON} clamp_min({q.STAFFED}, 1) > 1)"
    f" unless {_ON} {q.WARNING_LIMIT})"
)
_OVER_WARNING = f"(({_HERE} > {_ON} {q.WARNING_LIMIT}) or {_CROWDED})"
_WAIT = f"({q.LONGEST_WAIT} unless {_ON} ({q.CLOSED}))"
_LATE = f"({_WAIT} > {_ON} 6 * {q.ANSWER_OBJECTIVE})"
_VERY_LATE = f"({_WAIT} > {_ON} 15 * {q.ANSWER_OBJECTIVE})"


def wallboard() -> Dashboard:
    """Return the dashboard for a screen on the wall, 1920 by 1080 pixels, in kiosk mode."""
    return board(
        "wallboard",
        "Contact centre / Wallboard",
        "For a screen on the wall: choose account and queues, then add &kiosk to the address.",
        [section("", _numbers(), _tiles())],
        choose=("provider", "account", "queue"),
        span="now-1h",
        refresh="10s",
    )


def _numbers() -> Shelf:
    return shelf(
        8,
        number(
            "Waiting",
            "Contacts that wait for an agent now, in the open queues chosen.",
            Query(f"{q.grand(_HERE)} or vector(0)"),
            size=_HUGE,
        ),
        number(
            "Longest wait",
            "The wait of the oldest contact of an open queue. Orange and red: six and fifteen "
            "times the answer objective of its queue, where exporter.yml sets one.",
            Query(f"max({_WAIT}) unless on () max({_LATE})", "oldest contact"),
            Query(
                f"max({_WAIT}) and on () max({_LATE}) unless on () max({_VERY_LATE})",
                "! late",
                colour=look.WARNING,
            ),
            Query(
                f"max({_WAIT}) and on () max({_VERY_LATE})", "!! very late", colour=look.CRITICAL
            ),
            unit="dthms",
            size=_HUGE,
            decimals=0,
        ),
        number(
            "Service level",
            "Contacts answered in time, of all offered in the interval; where no platform counts "
            "both, the mean of what the platforms give.",
            Query(
                f"{q.grand(q.IN_TIME)} / ({q.grand(q.OFFERED)} > 0)"
                f" or avg({q.figure('queue_service_level_ratio', 'queue', 'media', 'window')})"
            ),
            unit="percentunit",
            colours=look.SERVICE,
            size=_HUGE,
            decimals=0,
        ),
        number(
            "Agents ready",
            "Agents of the accounts chosen who could take a contact at once.",
            Query(q.grand(q.figure("agents", "state", where='state="ready"'))),
            colours=look.steps((1, look.GOOD), base=look.CRITICAL),
            size=_HUGE,
        ),
    )


def _tiles() -> Shelf:
    return shelf(
        19,
        number(
            "Waiting by queue",
            "Contacts waiting in each open queue, those over a limit first: !! over the critical "
            "limit, ! over the warning limit, or more than one contact for each agent where "
            f"exporter.yml sets no limit. Of the others the {_TILES} fullest.",
            Query(f"sort_desc({_OVER_CRITICAL})", "!! {{queue}}", colour=look.CRITICAL),
            Query(
                f"sort_desc({_OVER_WARNING} unless {_ON} {_OVER_CRITICAL})",
                "! {{queue}}",
                colour=look.WARNING,
            ),
            Query(
                f"topk({_TILES}, {_HERE} unless {_ON} ({_OVER_CRITICAL} or {_OVER_WARNING}))",
                "{{queue}}",
                colour=look.BLUE,
            ),
            size=_LARGE,
        ),
        bars(
            "Longest waits",
            "The open queues whose oldest contact has waited longest. Orange and red (! and !!): "
            "six and fifteen times the answer objective of the queue, where exporter.yml sets one.",
            Query(f"sort_desc({_VERY_LATE})", "!! {{queue}}", colour=look.CRITICAL),
            Query(
                f"sort_desc({_LATE} unless {_ON} {_VERY_LATE})", "! {{queue}}", colour=look.WARNING
            ),
            Query(f"topk({_BARS}, {_WAIT} unless {_ON} {_LATE})", "{{queue}}", colour=look.BLUE),
            unit="dthms",
            size=_MEDIUM,
        ),
        widths=(16, 8),
    )
