"""Periods of figures, and when they restart."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_UTC = ZoneInfo("UTC")
SLACK = 300.0  # seconds by which the platform's clock may differ from ours around a boundary
_LONGEST = {"day": 1, "shift": 1, "week": 7, "month": 31}


@dataclass(frozen=True, slots=True)
class Period:
    """The period that a figure covers.

    ``window`` is the value of the label ``window``. The periods ``day``, ``shift``, ``week`` and
    ``month`` restart at ``times`` (wall times in ``zone``); ``lifetime`` never restarts; every
    other window slides. If the vendor does not document the time, ``times`` has several, and a
    week may restart on Sunday and on Monday: a reset is accepted at any of them.
    """

    window: str
    zone: ZoneInfo = _UTC
    times: tuple[time, ...] = (time(),)

    @property
    def slides(self) -> bool:
        """Whether figures of this period can fall at any time, so that they are not counters."""
        return self.window not in _LONGEST and self.window != "lifetime"

    def restarted(self, last: float, now: float) -> bool:
        """Return whether a boundary lies between two readings (epoch seconds), within SLACK."""
        boundary = self._last_boundary(now + SLACK)
        return boundary is not None and boundary > last - SLACK

    def _last_boundary(self, at: float) -> float | None:
        """Return the latest boundary up to ``at``, both in epoch seconds."""
        reach = _LONGEST.get(self.window)
        if reach is None:
            return None
        today = datetime.fromtimestamp(at, self.zone).date()
        days = (today - timedelta(days=back) for back in range(reach + 1))
        instants = (
            datetime.combine(day, moment, self.zone).timestamp()
            for day in days
            if self._starts(day)
            for moment in self.times
        )
        return max((instant for instant in instants if instant <= at), default=None)

    def _starts(self, day: date) -> bool:
        if self.window == "week":
            return day.isoweekday() in (1, 7)
        return self.window != "month" or day.day == 1
