"""The statistics of ACD v1 over a window: of operators' statuses, of operators, of queues.

Keys, units and layouts are from the reference pages of these three methods; the sample on the page
of GetACDOperatorStatusStatistics shows hours counted from 0, means rounded down, and stays that
fit being clipped at the hour.
"""

from collections.abc import Callable, Sequence
from typing import Any

from exporter.simulators.floor.figures import RINGING, Agent, Queue
from exporter.simulators.voximplant.acd import ACD_STATUS_WORDS
from exporter.simulators.voximplant.call import Call
from exporter.simulators.voximplant.windows import (
    AGGREGATIONS,
    Bucket,
    Share,
    Span,
    buckets,
    clipped,
    guessed_stat,
    local_midnight,
    stat,
    stays,
    window,
)
from exporter.simulators.voximplant.wire import invalid

LONG_KEYS = {
    "WT": "WaitingTime",
    "SA": "SpeedOfAnswer",
    "AT": "AbandonmentTime",
    "HT": "HandlingTime",
    "TT": "TalkTime",
    "ACW": "AfterCallWork",
    "QL": "QueueLength",
    "TC": "TotalCalls",
    "AC": "AnsweredCalls",
    "UAC": "UnansweredCalls",
    "RC": "RejectedCalls",
    "TWT": "TotalWaitingTime",
    "TST": "TotalSubmissionTime",
    "TDT": "TotalDialingTime",
    "TAT": "TotalAbandonmentTime",
    "THT": "TotalHandlingTime",
    "TTT": "TotalTalkTime",
    "TACW": "TotalAfterCallWork",
    "SL": "ServiceLevel",
}
_OPERATOR_KEYS = ("SA", "TT", "ACW", "HT", "AC", "UAC", "TDT", "THT", "TTT", "TACW")
_QUEUE_KEYS = (
    *("WT", "SA", "AT", "HT", "TT", "ACW", "QL", "TC", "AC", "UAC", "RC"),
    *("TWT", "TST", "TAT", "THT", "TTT", "TACW", "SL"),
)
_RING_SECONDS, _ABANDON_SECONDS = 4, 60  # the floor has no such figures of a queue

Record = dict[str, Any]


def get_acd_operator_status_statistics(call: Call) -> dict[str, Any]:
    """Return how often and how long operators were in each status."""
    asked = call.parameters.words("acd_status", ACD_STATUS_WORDS)
    statuses = list(dict.fromkeys(call.account.acd_statuses.values()))
    if not call.account.omit_zero:
        statuses = list(dict.fromkeys([*ACD_STATUS_WORDS, *statuses]))
    wanted = [each for each in statuses if asked is None or each in asked]
    laid: dict[int, dict[str, list[Any]]] = {}

    def record(agent: Agent, spans: Sequence[Span]) -> Record | None:
        if agent.id not in laid:
            by_status: dict[str, list[Any]] = {status: [] for status in statuses}
            for stay in stays(agent, call.now, open_stay=call.account.open_stay):
                by_status[call.account.acd_statuses[stay.state]].append(stay)
            laid[agent.id] = by_status
        figures = {}
        for status in wanted:
            lengths = [each for stay in laid[agent.id][status] for each in clipped(stay, spans)]
            if lengths or not call.account.omit_zero:
                figures[status] = stat(lengths)
        if not figures:
            return None
        if call.account.status_shape == "array":
            return {"acd_status": [{status: each} for status, each in figures.items()]}
        return {"acd_status": figures}

    return {"result": _grouped(call, record)}


def get_acd_operator_statistics(call: Call) -> dict[str, Any]:
    """Return what operators did with their calls."""
    keys = _keys(call, _OPERATOR_KEYS)
    numbers = call.parameters.ids("acd_queue_id", call.acd_queues)
    chosen = None if numbers is None else {call.acd_queues[each].name for each in numbers}

    def record(agent: Agent, spans: Sequence[Span]) -> Record | None:
        share = (
            1.0 if chosen is None else len(chosen & set(agent.queues)) / len(agent.queues or "-")
        )
        figures = _operator(agent, Share(agent.day.began, call.now, spans, share))
        if call.account.omit_zero and not (figures["AC"] or figures["UAC"]):
            return None
        return {keys[key]: value for key, value in figures.items() if key in keys}

    return {"result": _grouped(call, record)}


def _operator(agent: Agent, share: Share) -> Record:
    """Return an operator's figures: a contact counts as answered once it is handled.

    Talk lasts from the answer to the end, so the holds are in it. After-call work is only there
    for those who did any.
    """
    day = agent.day
    rings = share.of(day.state_entries[RINGING])
    in_hand = agent.contact is not None and agent.contact.direction == "inbound"
    unanswered = share.of(day.state_entries[RINGING] - day.inbound - in_hand)
    answered = share.of(day.handled)
    ringing = share.of(day.state_seconds[RINGING])
    handled, work = share.of(day.handle_seconds), share.of(day.after_contact_work_seconds)
    figures = {
        "SA": guessed_stat(rings, ringing),
        "TT": guessed_stat(answered, handled - work),
        "HT": guessed_stat(answered, handled),
        "AC": answered,
        "UAC": unanswered,
        "TDT": ringing,
        "THT": handled,
        "TTT": handled - work,
    }
    if work:
        figures |= {"ACW": guessed_stat(answered, work), "TACW": work}
    return figures


def get_acd_queue_statistics(call: Call) -> dict[str, Any]:
    """Return what became of the calls of queues, all of them as one: no row names its queue."""
    keys = _keys(call, _QUEUE_KEYS)
    numbers = call.parameters.ids("acd_queue_id", call.acd_queues)
    queues = [call.acd_queues[each] for each in (call.acd_queues if numbers is None else numbers)]
    midnight = local_midnight(call.floor)
    rows = []
    for bucket in _buckets(call):
        share = Share(midnight, call.now, bucket.spans)
        figures = _queue(call, queues, share)
        if figures["TC"] or not call.account.omit_zero:
            named = {keys[key]: value for key, value in figures.items() if key in keys}
            rows.append({**bucket.labels, **named})
    return {"result": rows}


def _queue(call: Call, queues: list[Queue], share: Share) -> Record:
    """Return the figures of queues: a call counts when its wait ends, handling when that ends.

    Whom a campaign sent away because it did not run was refused, at the campaign's first queue.
    """
    days = [queue.day for queue in queues]
    answered = sum(share.of(day.answered) for day in days)
    abandoned = sum(share.of(day.abandoned) for day in days)
    rejected = sum(share.of(_rejected(call, queue)) for queue in queues)
    total = answered + abandoned + rejected
    handled = sum(share.of(day.handled) for day in days)
    talk = sum(share.of(day.talk_seconds) for day in days)
    handling = sum(share.of(day.handle_seconds) for day in days)
    lost = abandoned * _ABANDON_SECONDS
    waited = sum(share.of(day.answer_wait_seconds) for day in days) + lost
    longest = max((int(day.longest_wait_seconds) for day in days), default=0)
    length = waited // max(int(sum(span.end - span.start for span in share.spans)), 1)
    return {
        "WT": guessed_stat(answered + abandoned, waited, longest),
        "SA": guessed_stat(answered, answered * _RING_SECONDS),
        "AT": guessed_stat(abandoned, lost),
        "HT": guessed_stat(handled, handling),
        "TT": guessed_stat(handled, talk),
        "ACW": guessed_stat(handled, handling - talk),
        "QL": guessed_stat(
            total, total * length, max((len(each.waiting) for each in queues), default=0)
        ),
        "TC": total,
        "AC": _calls(call, answered, total),
        "UAC": _calls(call, abandoned, total),
        "RC": _calls(call, rejected, total),
        "TWT": waited,
        "TST": answered * _RING_SECONDS,
        "TAT": lost,
        "THT": handling,
        "TTT": talk,
        "TACW": handling - talk,
        "SL": _service_levels(queues, share, total),
    }


def _rejected(call: Call, queue: Queue) -> int:
    if queue.campaign is None:
        return 0
    first = next(each for each in call.acd_queues.values() if each.campaign == queue.campaign)
    return call.floor.campaigns[queue.campaign].day.rejected if first is queue else 0


def _calls(call: Call, count: int, total: int) -> Any:
    percent = round(call.account.percent_scale * count / total, 4) if total else 0
    calls = {"count": count, "percent": percent}
    return [calls] if call.account.calls_shape == "array" else calls


def _service_levels(queues: list[Queue], share: Share, total: int) -> list[Record]:
    within: dict[int, int] = {}
    for queue in queues:
        seconds = int(queue.threshold_seconds)
        count = share.of(queue.day.answered_within_threshold)
        within[seconds] = within.get(seconds, 0) + count
    return [
        {
            "acceptable_waiting_time": seconds,
            "call_count": count,
            "service_level": round(count / total, 4) if total else 0,
        }
        for seconds, count in sorted(within.items())
    ]


def _keys(call: Call, known: Sequence[str]) -> dict[str, str]:
    """Return the keys of the answer by the short names that a report is asked for with."""
    words = call.parameters.words("report")
    chosen = call.account.default_report or known
    if words is not None:
        chosen = known if words == ["all"] else words
    if not set(chosen) <= set(known):
        raise invalid("report")
    short = call.parameters.flag("abbreviation", default=True)
    if call.account.key_style != "asked":
        short = call.account.key_style == "short"
    return {key: key if short else LONG_KEYS[key] for key in chosen}


def _buckets(call: Call) -> list[Bucket]:
    span = window(call.parameters, call.now)
    aggregation = call.parameters.choice("aggregation", AGGREGATIONS, "none")
    return buckets(span, aggregation, call.account.first_hour)


def _grouped(call: Call, record: Callable[[Agent, Sequence[Span]], Record | None]) -> list[Record]:
    """Return the records of users and buckets, with either of the two outside."""
    group = call.parameters.choice("group", ("user", "aggregation"), "user")
    pieces = _buckets(call)
    numbers = call.parameters.ids("user_id", call.users)
    agents = [call.users[each] for each in (call.users if numbers is None else numbers)]
    undivided = not any(bucket.labels for bucket in pieces)
    if undivided and call.account.none_by_aggregation == "user":
        group = "user"
    outer: list[tuple[Record, list[Record]]] = []
    if group == "user":
        for agent in agents:
            rows = [(bucket.labels, record(agent, bucket.spans)) for bucket in pieces]
            outer.append(
                ({"user_id": agent.id}, [{**labels, **row} for labels, row in rows if row])
            )
    else:
        for bucket in pieces:
            found = [(agent.id, record(agent, bucket.spans)) for agent in agents]
            inner = [{"user_id": number, **row} for number, row in found if row]
            outer.append((dict(bucket.labels), inner))
    return [{**labels, "statistics": rows} for labels, rows in outer if rows]
