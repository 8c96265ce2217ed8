"""Counters that never fall without a reason: is this fall a reset or a correction?

A platform's day total may shrink when a call is re-counted. Prometheus would take that for a
restart and count everything twice, so the highest value is held until the period's boundary.
A fall to zero, or any fall once a boundary was passed, is a reset and goes through.
"""

from collections.abc import Sequence
from operator import lt

from exporter.metrics.parsers import Number
from exporter.metrics.period import Period


class Counters:
    """The highest value of each counter series of one feed since its period began."""

    def __init__(self) -> None:
        # The series of each name's last reading, and those that were not in it.
        self._last: dict[str, tuple[Sequence[bytes], Sequence[Number], float]] = {}
        self._gone: dict[tuple[str, bytes], tuple[Number, float]] = {}
        self._read: set[str] = set()  # the names of the last reading
        self._settled = False  # whether all of it was shown as it was read, and still is in _last

    def begin(self) -> None:
        """Begin a reading; what is settled from now on is in it."""
        self._read = set()
        self._settled = True

    def settle(
        self,
        name: str,
        labels: Sequence[bytes],
        values: Sequence[Number],
        period: Period | None,
        at: float,
    ) -> tuple[Sequence[Number], int]:
        """Return the values to show for a counter's series, and how many were held.

        ``at`` is the platform's time of the reading in epoch seconds.
        """
        last_labels, last_values, _ = self._last.get(name, ((), (), 0.0))
        held = 0
        same = labels is last_labels or labels == last_labels
        if not same or (values is not last_values and any(map(lt, values, last_values))):
            values, held = self._settle_each(name, labels, values, period, at)
            self._settled = self._settled and not held
        self._last[name] = labels, values, at
        self._read.add(name)
        return values, held

    def confirm(self, at: float) -> bool:
        """Take note that all that was read last was read again at ``at``, and was the same.

        Returns ``False``, and does nothing, where it has to be settled again: a value is held, or
        was pruned.
        """
        if self._settled:
            for name in self._read:
                labels, values, _ = self._last[name]
                self._last[name] = labels, values, at
        return self._settled

    def _settle_each(
        self,
        name: str,
        labels: Sequence[bytes],
        values: Sequence[Number],
        period: Period | None,
        at: float,
    ) -> tuple[Sequence[Number], int]:
        self._put_aside(name)
        shown: list[Number] = []
        held = 0
        restarts: dict[float, bool] = {}  # nearly always one reading time for all series
        for label, value in zip(labels, values, strict=True):
            best, last = self._gone.pop((name, label), (value, at))
            if value < best and value != 0 and period is not None:
                if last not in restarts:
                    restarts[last] = period.restarted(last, at)
                if not restarts[last]:
                    held += 1
                    shown.append(best)
                    continue
            shown.append(value)
        return shown, held

    def _put_aside(self, name: str) -> None:
        """Take a name's last reading apart into its series."""
        labels, values, at = self._last.pop(name, ((), (), 0.0))
        for label, value in zip(labels, values, strict=True):
            self._gone[name, label] = (value, at)

    def prune(self, limit: int) -> None:
        """Forget the series seen longest ago, down to ``limit``."""
        if len(self._gone) + sum(len(labels) for labels, _, _ in self._last.values()) > limit:
            for name in list(self._last):
                self._put_aside(name)
            self._settled = False
            newest = sorted(self._gone.items(), key=lambda item: item[1][1], reverse=True)
            self._gone = dict(newest[:limit])
