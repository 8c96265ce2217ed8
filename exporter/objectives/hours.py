"""Opening hours: parses weekly hours and finds when they open and close.

All times are local wall time: it is open while a wall clock in the zone shows a time within the
ranges of the week, or those of a holiday. Hours that start within an hour skipped by daylight
saving start with the first minute after it; ranges within a repeated hour apply twice.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from math import floor
from zoneinfo import ZoneInfo

from exporter.objectives.holidays import Holidays, Span, Spans

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY = 1440  # minutes
_HORIZON = 400 * 86_400.0  # seconds
_NUMBERS = {day.lower(): number for number, day in enumerate(DAYS)}
_RANGE = re.compile(r"(\d{1,2}):(\d\d)-(\d{1,2}):(\d\d)", re.ASCII)
_GAPS = re.compile(r"\s*([-,])\s*")

Week = tuple[Spans, ...]  # the spans of each day, Monday first


def parse_week(lines: Iterable[str]) -> Week:
    """Parse lines such as ``Mon-Fri 08:00-12:00, 13:00-20:00``; adjacent spans are merged.

    Days may be listed and may wrap around (``Sat-Mon``); a range may pass midnight. Raises
    ``ValueError`` if a line is invalid.
    """
    week_spans: list[list[Span]] = [[] for _ in DAYS]
    for line in lines:
        days, spans = _parse_line(line)
        for day in days:
            for start, end in spans:
                if start < end:
                    week_spans[day].append((start, end))
                else:
                    week_spans[day].append((start, _DAY))
                    week_spans[(day + 1) % len(DAYS)].append((0, end))
    return tuple(_merge(spans) for spans in week_spans)


def parse_day(text: str) -> Spans:
    """Parse the hours of one day, such as ``08:00-12:00, 13:00-15:00``; ``closed`` has none.

    Raises ``ValueError`` if they are invalid or pass midnight.
    """
    if text.strip().lower() == "closed":
        return ()
    try:
        day, next_day, *_ = parse_week([f"Mon {text}"])
    except ValueError as error:
        raise ValueError("expected hours such as 08:00-12:00, or closed, or open") from error
    if next_day:
        raise ValueError("hours must end on the same day, at 24:00 at the latest")
    return day


def _parse_line(line: str) -> tuple[set[int], list[Span]]:
    """Parse one line; a span that passes midnight ends before it starts."""
    words = _GAPS.sub(r"\1", line.strip()).split()
    if len(words) < 2:  # noqa: PLR2004 - days and at least one range
        raise ValueError("expected days and hours such as Mon-Fri 08:00-20:00")
    days: set[int] = set()
    for part in words[0].split(","):
        first, _, last = part.partition("-")
        start, end = _parse_weekday(first), _parse_weekday(last or first)
        days |= {day % len(DAYS) for day in range(start, end + (7 if end < start else 0) + 1)}
    return days, [_parse_span(part) for word in words[1:] for part in word.split(",")]


def _parse_weekday(word: str) -> int:
    if word.lower() not in _NUMBERS:
        raise ValueError(f"expected {', '.join(DAYS)}, or a range such as Mon-Fri")
    return _NUMBERS[word.lower()]


def _parse_span(text: str) -> Span:
    match = _RANGE.fullmatch(text)
    if match is None:
        raise ValueError(
            "expected hours such as 08:00-20:00 after the days; write other days as another item"
        )
    hour, minute, end_hour, end_minute = map(int, match.groups())
    start, end = hour * 60 + minute, end_hour * 60 + end_minute
    if max(minute, end_minute) >= 60 or start >= _DAY or end > _DAY:  # noqa: PLR2004 - minutes
        raise ValueError("hours must be between 00:00 and 23:59, or 24:00 as an end")
    if start == end:
        raise ValueError("hours must not end when they begin; write all day as 00:00-24:00")
    return start, end


def _merge(spans: list[Span]) -> Spans:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        elif start < end:  # a range that ended at midnight has an empty rest on the next day
            merged.append((start, end))
    return tuple(merged)


@dataclass(frozen=True, slots=True)
class Hours:
    """Weekly opening hours in one time zone, and other hours on ``holidays``."""

    zone: ZoneInfo
    week: Week
    holidays: Holidays = field(default_factory=Holidays)

    def open_at(self, instant: float) -> bool:
        """Return whether it is open at an instant (epoch seconds)."""
        wall = self._wall(instant)
        minute = wall.hour * 60 + wall.minute
        return any(start <= minute < end for start, end in self._spans(wall.date()))

    def next_change(self, instant: float) -> float | None:
        """Return the next opening or closing after an instant, ``None`` if not within 400 days."""
        before = self.open_at(instant)
        at = instant
        while at < instant + _HORIZON:
            at = self._next_edge(at)
            if self.open_at(at) != before:
                return at
        return None

    def outdated(self, instant: float) -> bool:
        """Return whether no holiday is left at an instant."""
        return self.holidays.outdated(self._wall(instant).date())

    def _wall(self, instant: float) -> datetime:
        return datetime.fromtimestamp(instant, self.zone)

    def _spans(self, day: date) -> Spans:
        return self.holidays.spans(day, self.week[day.weekday()])

    def _next_edge(self, at: float) -> float:
        """Return the next instant at which it may open or close.

        That is the next start or end of a span, midnight, or a change of the UTC offset.
        """
        wall = self._wall(at)
        midnight = wall.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
        shown = wall.replace(tzinfo=None)
        minutes = (minute for span in self._spans(wall.date()) for minute in span)
        edges = [midnight + timedelta(minutes=minute) for minute in minutes]
        edge = min(time for time in (*edges, midnight + timedelta(days=1)) if time > shown)
        then = round(at + (edge - shown).total_seconds())  # all edges are whole seconds
        if self._offset(then) == self._offset(at):
            return then
        low, high = floor(at), then
        while high - low > 1:
            middle = (low + high) // 2
            if self._offset(middle) == self._offset(at):
                low = middle
            else:
                high = middle
        return high

    def _offset(self, instant: float) -> timedelta | None:
        return self._wall(instant).utcoffset()
