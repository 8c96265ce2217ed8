"""Counters of one feed: holds values that fall without a reset.

A platform's day total may shrink when a call is re-counted. Prometheus would take that for a
restart and count everything twice, so the highest value is held until the period's boundary.
A fall to zero, and any fall after a boundary was passed, is a reset and is shown as it is.
"""

from collections.abc import Sequence
from operator import lt

from exporter.metrics.parsers import Number
from exporter.metrics.period import Period


class Counters:
    """The highest value of each counter series of one feed since its period began."""

    def __init__(self) -> None:
        # By family: the series of its last reading. Then the series that were not in it.
        self._last: dict[str, tuple[Sequence[bytes], Sequence[Number], float]] = {}
        self._absent: dict[tuple[str, bytes], tuple[Number, float]] = {}
        self._families: set[str] = set()  # in the current reading
        self._uncorrected = False  # every value was shown as read, and is still in _last

    def start_reading(self) -> None:
        """Start a reading: the calls of ``correct`` that follow belong to it."""
        self._families = set()
        self._uncorrected = True

    def correct(
        self,
        family: str,
        labels: Sequence[bytes],
        values: Sequence[Number],
        period: Period | None,
        at: float,
    ) -> tuple[Sequence[Number], int]:
        """Return the values to show for a counter family, and how many of them were held.

        ``at`` is the platform's time of the reading in epoch seconds.
        """
        last_labels, last_values, _ = self._last.get(family, ((), (), 0.0))
        held = 0
        same = labels is last_labels or labels == last_labels
        if not same or (values is not last_values and any(map(lt, values, last_values))):
            values, held = self._correct_singly(family, labels, values, period, at)
            self._uncorrected = self._uncorrected and not held
        self._last[family] = labels, values, at
        self._families.add(family)
        return values, held

    def repeat_reading(self, at: float) -> bool:
        """Record that the last reading was read again, unchanged, at ``at``.

        Return ``False`` and do nothing if its values have to be corrected again, because a value
        is held or was discarded.
        """
        if self._uncorrected:
            for family in self._families:
                labels, values, _ = self._last[family]
                self._last[family] = labels, values, at
        return self._uncorrected

    def discard_oldest(self, limit: int) -> None:
        """Discard the series that were read longest ago until ``limit`` are left."""
        if len(self._absent) + sum(len(labels) for labels, _, _ in self._last.values()) > limit:
            for family in list(self._last):
                self._split(family)
            self._uncorrected = False
            newest = sorted(self._absent.items(), key=lambda item: item[1][1], reverse=True)
            self._absent = dict(newest[:limit])

    def _correct_singly(
        self,
        family: str,
        labels: Sequence[bytes],
        values: Sequence[Number],
        period: Period | None,
        at: float,
    ) -> tuple[Sequence[Number], int]:
        self._split(family)
        shown: list[Number] = []
        held = 0
        restarts: dict[float, bool] = {}  # by last reading time, which most series share
        for label, value in zip(labels, values, strict=True):
            highest, last = self._absent.pop((family, label), (value, at))
            if value < highest and value != 0 and period is not None:
                if last not in restarts:
                    restarts[last] = period.restarted(last, at)
                if not restarts[last]:
                    held += 1
                    shown.append(highest)
                    continue
            shown.append(value)
        return shown, held

    def _split(self, family: str) -> None:
        """Move the series of a family's last reading to ``_absent``."""
        labels, values, at = self._last.pop(family, ((), (), 0.0))
        for label, value in zip(labels, values, strict=True):
            self._absent[family, label] = (value, at)
