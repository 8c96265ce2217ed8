"""Dashboard of queues: waiting contacts, waiting times, agents, service level."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from boards import look
from boards.frame import Shelf, board, link, section, shelf
from boards.panels import Column, Key, Query, bars, lines, number, rows
from boards.promql import HALF_HOUR, Promql, by, few, grand, most, total

_Q = Promql(("provider", "account", "queue"))

_NAME = "{{queue}} · {{account}}"
_LOAD = f"{_Q.waiting} / on ({by('queue')}) {_Q.warning_limit}"
_CROWD = f"{_Q.waiting} / on ({by('queue')}) clamp_min({_Q.staffed}, 1)"
_OBJECTIVE = _Q.figure("queue_service_level_objective_ratio", "queue")
_SETTLED = "abandoned or answered, or offered where those are more"
_ALL_STATES = _Q.figure("queue_agents", "queue", "state")


def queues() -> Dashboard:
    """Return the dashboard of queues."""
    return board(
        "queues",
        "Contact centre / Queues",
        "Depth, longest wait, service level and agents of each queue. Dashed lines are the limits "
        "and objectives of exporter.yml; they are drawn while few queues are chosen. Graphs of "
        "many queues show the ten with the largest figures.",
        _Q,
        [
            section("", _numbers(), _table()),
            section("Waiting", *_waiting()),
            section("Service", *_service()),
            section("Agents", _agents()),
            section("Callbacks, contacts in hand, estimated wait", _besides(), folded=True),
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
            "Longest wait",
            "The wait of the oldest contact of the queues chosen.",
            Query(f"max({_Q.longest_wait})"),
            unit="s",
        ),
        number(
            "Most loaded queue",
            "Contacts waiting against the warning limit, of the queue for which that is most.",
            Query(f"max({_LOAD})"),
            unit="percentunit",
            colours=look.steps(*look.OF_LIMIT),
            decimals=0,
        ),
        number(
            "Service level",
            f"Contacts answered in time, of those {_SETTLED}; inbound campaigns stand in where a "
            "platform counts by campaign (Five9). Coloured as if the objective were 80 %; each "
            "queue's own is in its graph.",
            Query(_Q.grand_service_level(HALF_HOUR), "30 min"),
            Query(_Q.grand_service_level(""), "today"),
            unit="percentunit",
            colours=look.SERVICE,
            decimals=0,
        ),
        number(
            "Abandoned",
            f"Contacts that left before an answer, of those {_SETTLED}.",
            Query(_Q.grand_share("abandoned", HALF_HOUR), "30 min"),
            Query(_Q.grand_share("abandoned", ""), "today"),
            unit="percentunit",
            colours=look.steps((0.08, look.WARNING), (0.2, look.CRITICAL)),
            decimals=0,
        ),
        number(
            "Queues closed",
            "Queues outside their hours, whose alerts are silent. Nothing without hours in "
            "exporter.yml.",
            Query(f"sum({_Q.open} == bool 0)"),
        ),
    )


def _table() -> Shelf:
    return shelf(
        11,
        rows(
            "Queues",
            "One row for each queue, the fullest first. At work: agents ready or occupied. Level: "
            "contacts answered in time of those settled. Offered and abandoned are of today. An "
            "empty cell is a figure that the platform does not give, or a limit that exporter.yml "
            "does not set.",
            [
                Key("queue", "Queue", link("queues"), 180),
                Key("account", "Account", link("queues"), 160),
            ],
            [
                Column("Hours", _Q.figure("queue_open", "queue"), mapping=look.OPEN_CLOSED),
                Column("Waiting", _Q.waiting),
                Column("Of limit", _LOAD, "percentunit", look.steps(*look.OF_LIMIT), decimals=0),
                Column("Longest wait", _Q.longest_wait, "s"),
                Column(
                    "Of objective",
                    f"{_Q.longest_wait} / on ({by('queue')}) {_Q.answer_objective}",
                    "percentunit",
                    look.steps((6, look.WARNING), (15, look.CRITICAL)),
                    decimals=0,
                ),
                Column("Ready", _Q.ready),
                Column("At work", _Q.staffed),
                Column(
                    "Level 30 min",
                    _Q.service_level(HALF_HOUR),
                    "percentunit",
                    look.SERVICE,
                    decimals=0,
                ),
                Column(
                    "Level today", _Q.service_level(""), "percentunit", look.SERVICE, decimals=0
                ),
                Column("Offered", _Q.contacts("offered", "")),
                Column("Abandoned", _Q.contacts("abandoned", "")),
            ],
            sort="Waiting",
        ),
    )


def _waiting() -> tuple[Shelf, ...]:
    return (
        shelf(
            9,
            lines(
                "Contacts waiting",
                "Contacts that wait for an agent. With few queues chosen, dashed lines are their "
                "limits.",
                Query(most(_Q.waiting, "queue"), _NAME),
                Query(few(_Q.warning_limit), "limit of {{queue}}", limit=look.WARNING_LINE),
                Query(few(_Q.critical_limit), "critical for {{queue}}", limit=look.CRITICAL_LINE),
            ),
            lines(
                "Waiting against the limit",
                "Contacts waiting as a share of the warning limit: from 100 % on, an alert is due.",
                Query(most(_LOAD, "queue"), _NAME),
                unit="percentunit",
                thresholds=look.lines(*look.OF_LIMIT),
            ),
        ),
        shelf(
            9,
            lines(
                "Longest wait",
                "The wait of each queue's oldest contact. With few queues chosen, dashed lines are "
                "six times and fifteen times the answer objective, where alerts begin.",
                Query(most(_Q.longest_wait, "queue"), _NAME),
                Query(
                    few(f"6 * {_Q.answer_objective}"),
                    "late for {{queue}}",
                    limit=look.WARNING_LINE,
                ),
                Query(
                    few(f"15 * {_Q.answer_objective}"),
                    "very late for {{queue}}",
                    limit=look.CRITICAL_LINE,
                ),
                unit="s",
            ),
            lines(
                "Contacts waiting for each agent at work",
                "Contacts waiting, divided by the agents who are ready or occupied: from 1 on, a "
                "queue without a limit raises an alert.",
                Query(most(_CROWD, "queue"), _NAME),
                thresholds=look.lines((1, look.WARNING)),
                decimals=1,
            ),
        ),
    )


def _service() -> tuple[Shelf, ...]:
    on = f"on ({by('queue')})"
    answered, handled = _Q.contacts("answered"), _Q.contacts("handled")
    mean_wait = (
        total(_Q.rise("queue_answer_wait_seconds_total", "queue", "media"), "queue")
        + f" / {on} ({answered} > 0) or max by ({by('queue')}) ("
        + _Q.figure("queue_answer_seconds", "queue", "media", "window")
        + ")"
    )
    handle_time = (
        total(_Q.rise("queue_handle_seconds_total", "queue", "media"), "queue")
        + f" / {on} ({handled} > 0)"
    )
    return (
        shelf(
            9,
            lines(
                "Service level by half-hour",
                f"Contacts answered in time, of those {_SETTLED} in the half-hour before; as the "
                "platform gives it over its own period where it does not count.",
                Query(_least(_Q.service_level(HALF_HOUR)), _NAME),
                Query(few(_OBJECTIVE), "objective of {{queue}}", limit=look.WARNING_LINE),
                unit="percentunit",
                most=1,
                interval="30m",
            ),
            lines(
                "What became of contacts",
                "Contacts offered, answered and abandoned in the interval, of all queues chosen. "
                "Where a platform gives no counts, nothing.",
                Query(grand(_Q.contacts("offered")), "offered", colour=look.SKY),
                Query(grand(answered), "answered", colour=look.GREEN),
                Query(grand(_Q.contacts("abandoned")), "abandoned", colour=look.VERMILION),
                columns=True,
            ),
        ),
        shelf(
            9,
            lines(
                "Contacts offered, and a week ago",
                "Contacts that arrived in a half-hour, of all queues chosen; dashed, at the same "
                "time last week.",
                Query(grand(_Q.contacts("offered", HALF_HOUR)), "offered", colour=look.BLUE),
                Query(
                    grand(_Q.contacts("offered", HALF_HOUR, ago="1w")),
                    "a week ago",
                    limit=look.GREY,
                ),
                interval="15m",
            ),
            lines(
                "Mean speed of answer",
                "How long answered contacts had waited: counted in the interval, or as the "
                "platform gives it over its own period.",
                Query(most(mean_wait, "queue"), _NAME),
                Query(few(_Q.answer_objective), "objective of {{queue}}", limit=look.WARNING_LINE),
                unit="s",
                interval="15m",
            ),
            lines(
                "Mean handle time",
                "Conversation and the work after it, of the contacts that ended in the interval.",
                Query(most(handle_time, "queue"), _NAME),
                unit="s",
                interval="15m",
            ),
        ),
    )


def _least(expression: str) -> str:
    """Return the ten queues with the lowest share in the time shown."""
    lows = f"min_over_time(({expression})[$__range:$__interval] @ end())"
    return f"({expression}) and on ({by('queue')}) bottomk(10, {lows})"


def _agents() -> Shelf:
    return shelf(
        9,
        lines(
            "Agents by state",
            "Agents of the queues chosen, by state, as far as the platform tells it by queue. One "
            "agent who serves two queues is counted in both.",
            Query(f"sum by (state) ({_ALL_STATES})", "{{state}}"),
            stacked=True,
            colours=look.STATE_COLOURS,
        ),
        bars(
            "Agents ready by queue",
            "Agents who could take a contact of the queue at once; the emptiest first.",
            Query(f"sort(bottomk(15, {_Q.ready}))", _NAME),
            colours=look.steps((0, look.CRITICAL), (1, look.BLUE)),
        ),
    )


def _besides() -> Shelf:
    return shelf(
        8,
        lines(
            "Callbacks and voicemails waiting",
            "Callbacks and voicemails that nobody has worked yet, where the platform has them.",
            Query(_Q.figure("queue_callbacks_waiting", "queue", "media"), "callbacks: " + _NAME),
            Query(_Q.figure("queue_voicemails_waiting", "queue", "media"), "voicemails: " + _NAME),
        ),
        lines(
            "Contacts active",
            "Contacts that agents are talking to, where the platform tells it by queue.",
            Query(
                total(_Q.figure("queue_contacts_active", "queue", "media"), "queue"),
                _NAME,
            ),
        ),
        lines(
            "Estimated wait",
            "How long a new contact would wait, as the platform predicts it.",
            Query(_Q.figure("queue_estimated_wait_seconds", "queue", "media"), _NAME),
            unit="s",
        ),
    )
