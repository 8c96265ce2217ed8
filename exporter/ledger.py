"""Counters that never fall without a reason: is this fall a reset or a correction?

A platform's day total may shrink when a call is re-counted. Prometheus would take that for a
restart and count everything twice, so the highest value is held until the period's boundary.
A fall to zero, or any fall once a boundary was passed, is a reset and goes through.
"""

from collections.abc import Sequence

from exporter.parsers import Number
from exporter.period import Period


class Ledger:
    """The highest value of each counter series of one feed since its period began."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, bytes], tuple[Number, float]] = {}

    def settle(
        self,
        name: str,
        labels: Sequence[bytes],
        values: Sequence[Number],
        period: Period | None,
        at: float,
    ) -> tuple[list[Number], int]:
        """Return the values to show for a counter's series, and how many were held.

        ``at`` is the platform's time of the reading in epoch seconds.
        """
        seen = self._seen
        shown: list[Number] = []
        held = 0
        restarts: dict[float, bool] = {}  # nearly always one reading time for all series
        for label, value in zip(labels, values, strict=True):
            key = (name, label)
            best, last = seen.get(key, (value, at))
            if value < best and value != 0 and period is not None:
                if last not in restarts:
                    restarts[last] = period.restarted(last, at)
                if not restarts[last]:
                    held += 1
                    shown.append(best)
                    seen[key] = (best, at)
                    continue
            seen[key] = (value, at)
            shown.append(value)
        return shown, held

    def prune(self, limit: int) -> None:
        """Forget the series seen longest ago, down to ``limit``."""
        if len(self._seen) > limit:
            newest = sorted(self._seen.items(), key=lambda item: item[1][1], reverse=True)
            self._seen = dict(newest[:limit])
