"""Simulated time: events, the local calendar, the arrival curve, and how long things take."""

import heapq
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from itertools import count, pairwise
from random import Random
from typing import Any
from zoneinfo import ZoneInfo


class Timeline:
    """Simulated seconds since the epoch, moved only by ``run``.

    Events of one instant happen in the order they were planned, so that the outcome does not
    depend on the number of steps.
    """

    def __init__(self, start: float) -> None:
        self.now = start
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._order = count()

    def at(self, instant: float, action: Callable[..., None], *args: object) -> None:
        """Schedule ``action(*args)`` for an instant, now if that has passed."""
        heapq.heappush(self._events, (max(instant, self.now), next(self._order), action, args))

    def after(self, seconds: float, action: Callable[..., None], *args: object) -> None:
        """Schedule ``action(*args)`` for some seconds from now."""
        heapq.heappush(self._events, (self.now + seconds, next(self._order), action, args))

    def run(self, to: float) -> None:
        """Run all events up to and including the instant ``to``."""
        events = self._events
        while events and events[0][0] <= to:
            self.now, _, action, args = heapq.heappop(events)
            action(*args)
        self.now = max(self.now, to)


MINUTE = 60.0
HOUR = 3600.0
SHIFT_SECONDS = 8.5 * HOUR

# Arrivals by hour of the local day, as a share of the busiest hour; straight lines in between.
_BUSY = (
    (0.0, 0.01),
    (6.0, 0.01),
    (7.0, 0.06),
    (8.0, 0.28),
    (9.0, 0.66),
    (10.0, 0.76),
    (11.0, 0.85),
    (12.0, 1.00),
    (13.0, 0.96),
    (14.0, 0.85),
    (16.0, 0.80),
    (17.0, 0.48),
    (18.0, 0.24),
    (20.0, 0.11),
    (22.0, 0.05),
    (24.0, 0.01),
)

# Mean seconds, by the kind of contact: the conversation and the work after it.
_TALK = {
    "voice": 200.0,
    "chat": 280.0,
    "email": 240.0,
    "voicemail": 60.0,
    "callback": 180.0,
    "outbound": 120.0,
    "manual": 90.0,
    "internal": 50.0,
}
_WORK = {"voice": 40.0, "chat": 25.0, "email": 10.0, "outbound": 30.0}
_PATIENCE = {"voice": 340.0, "chat": 300.0, "email": 86400.0}
_SHORT_PATIENCE_SHARE = 0.01  # people who notice at once that they called the wrong number


class Calendar:
    """Wall time in one time zone. A day may have 23 or 25 hours."""

    def __init__(self, time_zone: str) -> None:
        self._zone = ZoneInfo(time_zone)

    def day(self, at: float) -> date:
        """Return the local date of an instant."""
        return datetime.fromtimestamp(at, self._zone).date()

    def hour(self, at: float) -> float:
        """Return the hour of the local day, with its fraction."""
        local = datetime.fromtimestamp(at, self._zone)
        return local.hour + local.minute / 60.0 + local.second / 3600.0

    def instant(self, day: date, minutes: float) -> float:
        """Return the instant of a wall time, given as minutes after the day's midnight."""
        wall = datetime.combine(day, time(), self._zone) + timedelta(minutes=minutes)
        return wall.timestamp()


def busyness(hour: float) -> float:
    """Return the arrivals at an hour of the day as a share of those of the busiest hour."""
    for (start, low), (end, high) in pairwise(_BUSY):
        if hour < end:
            return low + (high - low) * (hour - start) / (end - start)
    return _BUSY[-1][1]


def patience(rng: Random, media: str) -> float:
    """Draw the wait after which a contact is abandoned."""
    if media != "email" and rng.random() < _SHORT_PATIENCE_SHARE:
        return rng.uniform(0.5, 4.5)
    return rng.expovariate(1.0 / _PATIENCE[media])


def ringing(rng: Random, media: str) -> float:
    """Draw the time an agent takes to accept a contact."""
    return rng.uniform(0.5, 1.5) if media == "email" else rng.uniform(2.0, 7.0)


def talk(rng: Random, kind: str) -> float:
    """Draw the length of a conversation, without holds."""
    return 5.0 + rng.gammavariate(2.0, _TALK[kind] / 2.0)


def work(rng: Random, kind: str) -> float:
    """Draw the length of the after-contact work; some kinds need none."""
    mean = _WORK.get(kind)
    return 0.0 if mean is None else 3.0 + rng.expovariate(1.0 / mean)


def absences(rng: Random, start_hour: float) -> list[tuple[float, str, float]]:
    """Draw the absences of a shift: hours since its start, reason, seconds.

    Agents present at noon have lunch between 11:30 and 12:45, when most contacts arrive.
    """
    noon_shift = start_hour <= 9.5  # noqa: PLR2004 - later shifts eat half-way through
    lunch = rng.uniform(11.5, 12.75) - start_hour if noon_shift else rng.uniform(3.8, 4.6)
    planned = [
        (rng.uniform(1.5, 2.3), "Break", 15 * MINUTE),
        (lunch, "Lunch", rng.uniform(35.0, 45.0) * MINUTE),
        (rng.uniform(6.4, 7.2), "Break", 15 * MINUTE),
    ]
    if rng.random() < 0.35:  # noqa: PLR2004 - about every third day somebody is called away
        reason = rng.choice(("Training", "Meeting", "Coaching", "System Issue"))
        planned.append((rng.uniform(0.5, 7.5), reason, rng.uniform(10.0, 40.0) * MINUTE))
    return planned
