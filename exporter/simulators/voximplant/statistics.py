"""Statistics of ACD v1 over a window: of operators' statuses, of operators, of queues.

Keys, units and layouts are from the reference pages of these three methods; the sample on the page
of GetACDOperatorStatusStatistics shows hours counted from 0, means rounded down, and stays that
fit being clipped at the hour.

The floor remembers the sums of its local day and no history. A window that covers the day so far
has the floor's own figures. For any other, an agent's stays are laid out over the day in an even
mix, all of one state equally long but the present one, which is where it is; they are clipped at
the edges of windows and buckets. Everything else that is counted or timed is spread evenly over
the day. Before local midnight there is nothing.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from exporter.simulators.floor.figures import RINGING, STATES, Agent, Queue
from exporter.simulators.floor.floor import Floor
from exporter.simulators.voximplant.acd import ACD_STATUS_WORDS
from exporter.simulators.voximplant.call import Call
from exporter.simulators.voximplant.protocol import Parameters, RefusalError, invalid

HOUR, DAY = 3600, 86_400
_MOST_DAYS = 31  # of a window; the platform tells its own limit in the text of error 569 only
AGGREGATIONS = ("none", "day", "hour_of_day", "hour")
_INSTANT = 1e-6  # what adding floats may leave over


class Span(NamedTuple):
    """A stretch of time."""

    start: float
    end: float


class Stay(NamedTuple):
    """An agent's time in one of the floor's states, without a break."""

    state: str
    start: float
    end: float


class Bucket(NamedTuple):
    """The labels of a period in a record, and the period itself."""

    labels: Mapping[str, Any]
    spans: Sequence[Span]


def local_midnight(floor: Floor) -> float:
    """Return the last local midnight of the floor in epoch seconds."""
    zone = ZoneInfo(floor.time_zone)
    today = datetime.fromtimestamp(floor.now, zone).date()
    return datetime.combine(today, time(), zone).timestamp()


def window(parameters: Parameters, now: float, recent: float) -> Span:
    """Return the requested window, which ends now, or more than ``recent`` seconds ago."""
    start, end = parameters.instant("from_date"), parameters.instant("to_date")
    assert start is not None, "from_date is required"
    end = now if end is None else end
    if start > end:
        raise RefusalError(123)
    if end - start > _MOST_DAYS * DAY:
        raise RefusalError(569, _MOST_DAYS)
    end = now if end > now - recent else end
    return Span(min(start, end), end)


def buckets(span: Span, aggregation: str, first_hour: int) -> list[Bucket]:
    """Split a window at the hours or days of UTC."""
    if aggregation == "none":
        return [Bucket({}, [span])]
    step = DAY if aggregation == "day" else HOUR
    pieces = [
        Span(max(edge, span.start), min(edge + step, span.end))
        for edge in range(int(span.start // step) * step, int(-(-span.end // 1)), step)
    ]
    grouped: dict[tuple[tuple[str, Any], ...], list[Span]] = {}
    for piece in pieces:
        instant = datetime.fromtimestamp(piece.start, UTC)
        labels: list[tuple[str, Any]] = []
        if aggregation != "hour_of_day":
            labels.append(("date", instant.date().isoformat()))
        if aggregation != "day":
            labels.append(("hour", instant.hour + first_hour))
        grouped.setdefault(tuple(labels), []).append(piece)
    return [Bucket(dict(labels), spans) for labels, spans in grouped.items()]


def stays(agent: Agent, now: float, *, open_stay: bool = True) -> list[Stay]:
    """Return an agent's stays today; their sums and entries equal the floor's.

    A stay that midnight cut in two is in the floor's seconds and not among its entries: it counts
    as one, and comes first, where its state has no other that is over.
    """
    day = agent.day
    opened = max(agent.since, day.began)
    spent, entries = day.state_seconds, dict(day.state_entries)
    spent[agent.state] -= now - opened
    if agent.since >= day.began:
        entries[agent.state] = max(entries[agent.state] - 1, 0)
    mix = []
    for state in STATES:
        length, number = max(spent[state], 0.0), entries[state]
        if not number and length > _INSTANT:
            mix.append((0.0, state, length))
        mix += [((place + 0.5) / number, state, length / number) for place in range(number)]
    laid, start = [], day.began
    for _, state, length in sorted(mix):
        laid.append(Stay(state, start, start + length))
        start += length
    return [*laid, Stay(agent.state, opened, now)] if open_stay else laid


def clipped(stay: Stay, spans: Sequence[Span]) -> Iterator[float]:
    """Yield the length of a stay in every span that it touches."""
    for span in spans:
        start, end = max(stay.start, span.start), min(stay.end, span.end)
        is_instant = stay.start == stay.end and span.start <= stay.start < span.end
        if end > start or is_instant:
            yield end - start


def stat(samples: Sequence[float]) -> dict[str, int]:
    """Return the platform's statistic of samples: integers, the mean rounded down."""
    if not samples:
        return {"min": 0, "avg": 0, "max": 0, "count": 0, "sum": 0}
    total = int(sum(samples) + _INSTANT)
    return {
        "min": int(min(samples)),
        "avg": total // len(samples),
        "max": int(max(samples) + _INSTANT),
        "count": len(samples),
        "sum": total,
    }


def guessed_stat(count: int, total: int, longest: int | None = None) -> dict[str, int]:
    """Return the statistic of samples of which only number and sum are known."""
    if not count:
        return {"min": 0, "avg": 0, "max": 0, "count": 0, "sum": 0}
    mean = total // count
    low = mean if count == 1 else mean // 2
    high = total if count == 1 else min(2 * mean + 1, total)
    if longest is not None:
        high = max(longest, -(-total // count))
    return {"min": low, "avg": mean, "max": high, "count": count, "sum": total}


@dataclass(frozen=True)
class Share:
    """Share of a day's figure that falls into some spans of time."""

    began: float
    now: float
    spans: Sequence[Span]
    weight: float = 1.0  # of what is asked for, when not all of it is

    def of(self, total: float) -> int:
        """Return the share of a day's figure; shares of neighbouring spans add up to it."""
        total = max(total, 0.0) * self.weight
        return sum(
            int(total * self._passed(span.end) + _INSTANT)
            - int(total * self._passed(span.start) + _INSTANT)
            for span in self.spans
        )

    def _passed(self, instant: float) -> float:
        """Return the part of the day that has passed at an instant."""
        if instant >= self.now:
            return 1.0
        if instant <= self.began:
            return 0.0
        return (instant - self.began) / (self.now - self.began)


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
    """Return intervals and seconds of operators by status."""
    asked = call.parameters.words("acd_status", ACD_STATUS_WORDS)
    statuses = list(dict.fromkeys(call.account.acd_statuses.values()))
    if not call.account.omit_zero:
        statuses = list(dict.fromkeys([*ACD_STATUS_WORDS, *statuses]))
    chosen = [status for status in statuses if asked is None or status in asked]
    laid: dict[int, dict[str, list[Any]]] = {}

    def record(agent: Agent, spans: Sequence[Span]) -> Record | None:
        if agent.id not in laid:
            by_status: dict[str, list[Any]] = {status: [] for status in statuses}
            for stay in stays(agent, call.now, open_stay=call.account.open_stay):
                by_status[call.account.acd_statuses[stay.state]].append(stay)
            laid[agent.id] = by_status
        figures = {}
        for status in chosen:
            lengths = [
                seconds for stay in laid[agent.id][status] for seconds in clipped(stay, spans)
            ]
            if lengths or not call.account.omit_zero:
                figures[status] = stat(lengths)
        if not figures:
            return None
        if call.account.status_shape == "array":
            return {"acd_status": [{status: figure} for status, figure in figures.items()]}
        return {"acd_status": figures}

    return {"result": _grouped(call, record)}


def get_acd_operator_statistics(call: Call) -> dict[str, Any]:
    """Return the operators' calls and their times."""
    keys = _keys(call, _OPERATOR_KEYS)
    numbers = call.parameters.ids("acd_queue_id", call.acd_queues)
    chosen = None if numbers is None else {call.acd_queues[number].name for number in numbers}

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
    """Return an operator's figures: a contact counts as answered when it is handled.

    Talk lasts from answer to end and includes holds. After-call work is absent if there was none.
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
    """Return the calls of queues, summed over the queues: no row names its queue."""
    keys = _keys(call, _QUEUE_KEYS)
    numbers = call.parameters.ids("acd_queue_id", call.acd_queues)
    queues = [call.acd_queues[x] for x in (call.acd_queues if numbers is None else numbers)]
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

    Contacts rejected by a campaign that was not running count at its first queue.
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
            total, total * length, max((len(queue.waiting) for queue in queues), default=0)
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
    first = next(x for x in call.acd_queues.values() if x.campaign == queue.campaign)
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
    """Return the keys of the answer by their short names."""
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
    span = window(call.parameters, call.now, call.account.recent)
    aggregation = call.parameters.choice("aggregation", AGGREGATIONS, "none")
    return buckets(span, aggregation, call.account.first_hour)


def _grouped(call: Call, record: Callable[[Agent, Sequence[Span]], Record | None]) -> list[Record]:
    """Return the records grouped by user or by bucket."""
    group = call.parameters.choice("group", ("user", "aggregation"), "user")
    pieces = _buckets(call)
    numbers = call.parameters.ids("user_id", call.users)
    agents = [call.users[x] for x in (call.users if numbers is None else numbers)]
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
            by_user = [(agent.id, record(agent, bucket.spans)) for agent in agents]
            inner = [{"user_id": number, **row} for number, row in by_user if row]
            outer.append((dict(bucket.labels), inner))
    return [{**labels, "statistics": rows} for labels, rows in outer if rows]
