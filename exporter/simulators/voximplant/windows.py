"""Which part of the floor's day falls into a window, and into the buckets of a window.

The floor remembers the sums of its local day and no history. A window that covers the day so far
has the floor's own figures. For any other, an agent's stays are laid out over the day in an even
mix, all of one state equally long but the present one, which is where it is; they are clipped at
the edges of windows and buckets. Everything else that is counted or timed is spread evenly over
the day. Before local midnight there is nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from exporter.simulators.floor.figures import STATES, Agent
from exporter.simulators.floor.floor import Floor
from exporter.simulators.voximplant.wire import Parameters, RefusalError

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
    """What a record says of its time, and which time that is."""

    labels: Mapping[str, Any]
    spans: Sequence[Span]


def local_midnight(floor: Floor) -> float:
    """Return when the floor's present day began."""
    zone = ZoneInfo(floor.time_zone)
    today = datetime.fromtimestamp(floor.now, zone).date()
    return datetime.combine(today, time(), zone).timestamp()


def window(parameters: Parameters, now: float) -> Span:
    """Return the window asked for; it ends now at the latest, a second begun counts as over."""
    start, end = parameters.instant("from_date"), parameters.instant("to_date")
    assert start is not None, "from_date is required"
    end = now if end is None else end
    if start > end:
        raise RefusalError(123)
    if end - start > _MOST_DAYS * DAY:
        raise RefusalError(569, _MOST_DAYS)
    end = now if end > now - 1.0 else end
    return Span(min(start, end), end)


def buckets(span: Span, aggregation: str, first_hour: int) -> list[Bucket]:
    """Cut a window at the hours or days of UTC, and name the pieces."""
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
    """Return an agent's stays of the day so far; their sums and entries are the floor's.

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
    """Give the length of a stay in each span that it touches."""
    for span in spans:
        start, end = max(stay.start, span.start), min(stay.end, span.end)
        is_instant = stay.start == stay.end and span.start <= stay.start < span.end
        if end > start or is_instant:
            yield end - start


def stat(samples: Sequence[float]) -> dict[str, int]:
    """Return what the platform says of samples: whole numbers, the mean rounded down."""
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
    """Return the same of samples whose number and sum alone are known."""
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
    """How much of what grew since an instant falls into some spans of time."""

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
