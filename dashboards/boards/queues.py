"""Dashboard of queues: waiting contacts, waiting times, agents, service level."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from boards import look
from boards import promql as q
from boards.frame import Shelf, board, section, shelf
from boards.panels import Column, Key, Query, bars, lines, number, rows

_NAME = "{{queue}} · {{account}}"
_LOAD = f"{q.WAITING} / on ({q.by('queue')}) {q.WARNING_LIMIT}"
_OBJECTIVE = q.figure("queue_service_level_objective_ratio", "queue")
_ALL_STATES = q.figure("queue_agents", "queue", "state")


def queues() -> Dashboard:
    """Return the dashboard of queues."""
    return board(
        "queues",
        "Contact centre / Queues",
        "Depth, longest wait, service level and agents of each queue. Dashed lines are the limits "
        "and objectives of exporter.yml; they are drawn while few queues are chosen.",
        [
            section("", _numbers(), _table()),
            section("Waiting", *_waiting()),
            section("Service", *_service()),
            section("Agents", _agents()),
            section("Besides", _besides()),
        ],
        choose=("provider", "account", "queue"),
    )


def _numbers() -> Shelf:
    return shelf(
        4,
        number(
            "Contacts waiting",
            "Contacts that wait for an agent now, in all queues chosen.",
            Query(q.grand(q.WAITING)),
        ),
        number(
            "Longest wait",
            "The wait of the oldest contact of the queues chosen.",
            Query(f"max({q.LONGEST_WAIT})"),
            unit="s",
        ),
        number(
            "Most loaded queue",
            "Contacts waiting against the warning limit, of the queue for which that is most.",
            Query(f"max({_LOAD})"),
            unit="percentunit",
            colours=look.OF_LIMIT,
        ),
        number(
            "Service level",
            "Contacts answered in time, of all offered in the interval, where platforms count. "
            "Coloured as if the objective were 80 %; each queue's own is in its graph.",
            Query(f"{q.grand(q.IN_TIME)} / ({q.grand(q.OFFERED)} > 0)"),
            unit="percentunit",
            colours=look.SERVICE,
        ),
        number(
            "Abandoned",
            "Contacts that left before an answer, of all offered in the interval.",
            Query(f"{q.grand(q.ABANDONED)} / ({q.grand(q.OFFERED)} > 0)"),
            unit="percentunit",
            colours=look.steps((0.08, look.WARNING), (0.2, look.CRITICAL)),
        ),
        number(
            "Queues closed",
            "Queues outside their hours, whose alerts are silent; 0 without hours in exporter.yml.",
            Query(f"count({q.CLOSED}) or vector(0)"),
        ),
    )


def _table() -> Shelf:
    return shelf(
        11,
        rows(
            "Queues",
            "One row for each queue, the fullest first. An empty cell is a figure that the "
            "platform does not give, or a limit that exporter.yml does not set.",
            [Key("queue", "Queue"), Key("account", "Account"), Key("provider", "Provider")],
            [
                Column("Hours", q.figure("queue_open", "queue"), mapping=look.OPEN_CLOSED),
                Column("Waiting", q.WAITING),
                Column("Of limit", _LOAD, "percentunit", look.OF_LIMIT, decimals=0),
                Column("Longest wait", q.LONGEST_WAIT, "s"),
                Column(
                    "Of objective",
                    f"{q.LONGEST_WAIT} / on ({q.by('queue')}) {q.ANSWER_OBJECTIVE}",
                    "percentunit",
                    look.steps((6, look.WARNING), (15, look.CRITICAL)),
                    decimals=0,
                ),
                Column("Ready", q.READY),
                Column("Agents at work", q.STAFFED),
                Column("Service level", q.SERVICE_LEVEL, "percentunit", look.SERVICE, decimals=0),
                Column(
                    "Abandoned today",
                    q.total(q.figure("queue_contacts_abandoned_total", "queue", "media"), "queue"),
                ),
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
                Query(q.WAITING, _NAME),
                Query(q.few(q.WARNING_LIMIT), "limit of {{queue}}", limit=look.WARNING),
                Query(q.few(q.CRITICAL_LIMIT), "critical for {{queue}}", limit=look.CRITICAL),
            ),
            lines(
                "Waiting against the limit",
                "Contacts waiting as a share of the warning limit: from 100 % on, an alert is due.",
                Query(_LOAD, _NAME),
                unit="percentunit",
                thresholds=look.OF_LIMIT,
            ),
        ),
        shelf(
            9,
            lines(
                "Longest wait",
                "The wait of each queue's oldest contact. With few queues chosen, dashed lines are "
                "six times and fifteen times the answer objective, where alerts begin.",
                Query(q.LONGEST_WAIT, _NAME),
                Query(q.few(f"6 * {q.ANSWER_OBJECTIVE}"), "late for {{queue}}", limit=look.WARNING),
                Query(
                    q.few(f"15 * {q.ANSWER_OBJECTIVE}"),
                    "very late for {{queue}}",
                    limit=look.CRITICAL,
                ),
                unit="s",
            ),
            lines(
                "Contacts waiting for each agent at work",
                "Contacts waiting, divided by the agents who are ready or occupied: from 1 on, a "
                "queue without a limit raises an alert.",
                Query(
                    f"{q.WAITING} / on ({q.by('queue')}) clamp_min({q.STAFFED}, 1)",
                    _NAME,
                ),
                thresholds=look.steps((1, look.WARNING)),
            ),
        ),
    )


def _service() -> tuple[Shelf, ...]:
    arrivals = "of all queues chosen, in the interval. Where a platform gives no counts, nothing."
    return (
        shelf(
            9,
            lines(
                "Service level",
                "Share of contacts answered in time: counted in the interval where the platform "
                "counts, else as the platform gives it over its own period.",
                Query(q.SERVICE_LEVEL, _NAME),
                Query(q.few(_OBJECTIVE), "objective of {{queue}}", limit=look.WARNING),
                unit="percentunit",
                most=1,
                interval="15m",
            ),
            lines(
                "What became of contacts",
                f"Contacts offered, answered and abandoned {arrivals}",
                Query(q.grand(q.OFFERED), "offered", colour=look.SKY),
                Query(q.grand(q.ANSWERED), "answered", colour=look.GREEN),
                Query(q.grand(q.ABANDONED), "abandoned", colour=look.VERMILION),
                columns=True,
            ),
        ),
        shelf(
            9,
            lines(
                "Mean speed of answer",
                "How long answered contacts had waited: counted in the interval, or as the "
                "platform gives it over its own period.",
                Query(
                    q.total(q.rise("queue_answer_wait_seconds_total", "queue", "media"), "queue")
                    + f" / on ({q.by('queue')}) ({q.ANSWERED} > 0)"
                    + f" or max by ({q.by('queue')}) ("
                    + q.figure("queue_answer_seconds", "queue", "media", "window")
                    + ")",
                    _NAME,
                ),
                Query(q.few(q.ANSWER_OBJECTIVE), "objective of {{queue}}", limit=look.WARNING),
                unit="s",
                interval="15m",
            ),
            lines(
                "Mean handle time",
                "Conversation and the work after it, of the contacts that ended in the interval.",
                Query(
                    q.total(q.rise("queue_handle_seconds_total", "queue", "media"), "queue")
                    + f" / on ({q.by('queue')}) ("
                    + q.total(q.rise("queue_contacts_handled_total", "queue", "media"), "queue")
                    + " > 0)",
                    _NAME,
                ),
                unit="s",
                interval="15m",
            ),
        ),
    )


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
            Query(f"sort({q.READY})", _NAME),
            colours=look.steps((1, look.GOOD), base=look.CRITICAL),
        ),
    )


def _besides() -> Shelf:
    return shelf(
        8,
        lines(
            "Callbacks and voicemails waiting",
            "Callbacks and voicemails that nobody has worked yet, where the platform has them.",
            Query(q.figure("queue_callbacks_waiting", "queue", "media"), "callbacks: " + _NAME),
            Query(q.figure("queue_voicemails_waiting", "queue", "media"), "voicemails: " + _NAME),
        ),
        lines(
            "Contacts active",
            "Contacts that agents are talking to, where the platform tells it by queue.",
            Query(
                q.total(q.figure("queue_contacts_active", "queue", "media"), "queue"),
                _NAME,
            ),
        ),
        lines(
            "Estimated wait",
            "How long a new contact would wait, as the platform predicts it.",
            Query(q.figure("queue_estimated_wait_seconds", "queue", "media"), _NAME),
            unit="s",
        ),
    )
