"""Counters of one feed: tell the restart of a period total from a correction.

A total may fall within its period because a contact is counted again elsewhere (a correction), or
because the platform began to count anew (a restart). Prometheus takes every fall for a restart:
with a correction shown, it counts the whole total twice; with a restart not shown, it counts
nothing until the old value is reached. A fall is a restart and is shown as it is

- to exactly zero, or after a boundary of the period was passed;
- if the rows count from another origin than before (``Rows.origin``);
- with all other falls of its table, if half of the table's series, and at least three, fell below
  half of their values;
- if the series was absent when its table restarted so;
- below half of its value within ``LONE_HOLD`` seconds after the feed was lost or its table
  restarted, or if the series was absent when the feed was lost.

Any other fall is held: the earlier value is shown until the total has caught up, for
``LONGEST_HOLD`` seconds at most. While the total is low by more than a tenth, which takes too long
to catch up, the limit is ``LONE_HOLD`` seconds.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import lt
from typing import NamedTuple

from exporter.metrics.families import Family
from exporter.metrics.mapping import Series
from exporter.metrics.parsers import Number

LONE_HOLD = 300.0  # seconds
LONGEST_HOLD = 3600.0
_ALWAYS_SMALL = 2  # contacts, or seconds, by which a total of any size may be low
_FEWEST = 3  # series that fall together

_Key = tuple[str, bytes]  # family name, label set


@dataclass(frozen=True, slots=True)
class Falls:
    """The falls of one reading, apart from resets.

    ``held`` is the number of series that show an earlier value. By family name, ``long_held`` is
    the number of those held for ``LONE_HOLD`` seconds or more, and ``restarted`` the number of
    series whose fall was taken for a restart.
    """

    held: int = 0
    long_held: Mapping[str, int] = field(default_factory=dict)
    restarted: Mapping[str, int] = field(default_factory=dict)


class _Past(NamedTuple):
    """When series were last read, and what had happened to their totals until then.

    ``at`` is the platform's time in epoch seconds; ``restarts`` of the table and ``losses`` of the
    feed are numbers.
    """

    at: float
    origin: Hashable
    restarts: int
    losses: int


class _Block(NamedTuple):
    """The series of a family's last reading, with the values shown."""

    labels: Sequence[bytes]
    values: Sequence[Number]
    past: _Past


class _Fall(NamedTuple):
    """The fall of the series at ``place`` in a family; ``is_reset`` if it is shown for certain.

    ``is_after_loss`` is whether the feed was lost since the series was read last.
    """

    family: Family
    place: int
    key: _Key
    table: str
    shown: Number
    value: Number
    is_reset: bool
    is_after_loss: bool

    @property
    def is_large(self) -> bool:
        return self.value < self.shown / 2

    @property
    def is_small(self) -> bool:
        return self.shown - self.value <= max(_ALWAYS_SMALL, self.shown / 10)


@dataclass(slots=True)
class _Hold:
    """When a held series fell, and when its fall was first not small, in epoch seconds.

    A further fall does not renew these times; they end when the total has caught up.
    """

    since: float
    not_small_since: float = float("inf")

    def update(self, fall: _Fall, now: float) -> None:
        """Record a reading. A clock that was set back does not prolong the hold."""
        self.since = min(self.since, now)
        if not fall.is_small or self.not_small_since < float("inf"):
            self.not_small_since = min(self.not_small_since, now)

    def is_over(self, fall: _Fall, now: float) -> bool:
        """Return whether the series has been held for as long as it may be."""
        not_small_for = float("-inf") if fall.is_small else now - self.not_small_since
        return now - self.since >= LONGEST_HOLD or not_small_for >= LONE_HOLD


class Counters:
    """The values shown of each counter series of one feed, and which of them are held."""

    def __init__(self) -> None:
        # By family name: the series of its last reading. Then the series that were not in it.
        self._last: dict[str, _Block] = {}
        self._absent: dict[_Key, tuple[Number, _Past]] = {}
        self._holds: dict[_Key, _Hold] = {}  # also of absent series
        self._names: set[str] = set()  # families in the last reading
        self.is_settled = False  # the last reading, if it came again, would be shown unchanged
        self._was_lost = False  # since the last reading
        self._losses = 0
        self._lost_at = float("-inf")
        # By table: how often its series fell together, and when they did last.
        self._restarts: Counter[str] = Counter()
        self._restarted_at: dict[str, float] = {}

    def record_loss(self) -> None:
        """Record that a session ended or a refresh failed, so that totals may have restarted."""
        if self._last or self._absent:
            self._was_lost, self.is_settled = True, False

    def correct(
        self, series: Mapping[Family, Series], at: float, now: float
    ) -> tuple[Mapping[Family, Sequence[Number]], Falls]:
        """Return the values to show of each counter family of a reading, and its falls.

        ``at`` is the platform's time of the reading, to which the boundaries of periods apply;
        ``now`` is the exporter's, which limits the holds. Both are in epoch seconds.
        """
        if self._was_lost:
            self._was_lost, self._lost_at = False, now
            self._losses += 1
        counters = {family: item for family, item in series.items() if family.kind == "counter"}
        falls = [
            fall
            for family, item in counters.items()
            if self._has_changed(family, item)
            for fall in self._find_falls(family, item, at)
        ]
        corrected: dict[Family, list[Number]] = {}
        held: dict[_Key, _Hold] = {}
        long_held: Counter[str] = Counter()
        restarted: Counter[str] = Counter()
        tables = _restarted_tables(counters.values(), falls) if falls else ()
        for fall in falls:
            if fall.is_reset:
                continue
            hold = self._holds.get(fall.key) or _Hold(now)
            hold.update(fall, now)
            if fall.table in tables or self._is_restart(fall, now) or hold.is_over(fall, now):
                restarted[fall.family.name] += 1
                continue
            held[fall.key] = hold
            if now - hold.since >= LONE_HOLD:
                long_held[fall.family.name] += 1
            values = corrected.setdefault(fall.family, [*counters[fall.family].values])
            values[fall.place] = fall.shown
        self._restarts.update(tables)
        self._restarted_at |= dict.fromkeys(tables, now)
        shown = {family: corrected.get(family, item.values) for family, item in counters.items()}
        for family, item in counters.items():
            past = _Past(at, item.origin, self._restarts[item.table], self._losses)
            self._last[family.name] = _Block(item.labels, shown[family], past)
        if self._holds or held:
            absent = {key: hold for key, hold in self._holds.items() if key in self._absent}
            self._holds = absent | held
        self._names = {family.name for family in counters}
        self.is_settled = not held
        return shown, Falls(len(held), long_held, restarted)

    def repeat_reading(self, at: float) -> bool:
        """Record that the last reading was read again, unchanged, at ``at``.

        Return ``False`` and do nothing if its values have to be corrected again, because a value
        is held or was discarded, or because the feed was lost.
        """
        if self.is_settled:
            for name in self._names:
                block = self._last[name]
                self._last[name] = block._replace(past=block.past._replace(at=at))
        return self.is_settled

    def discard_oldest(self, limit: int) -> None:
        """Discard the series that were read longest ago until ``limit`` are left."""
        if len(self._absent) + sum(len(block.labels) for block in self._last.values()) > limit:
            for name in list(self._last):
                self._split(name)
            self.is_settled = False
            newest = sorted(self._absent.items(), key=lambda item: item[1][1].at, reverse=True)
            self._absent = dict(newest[:limit])
            self._holds = {key: hold for key, hold in self._holds.items() if key in self._absent}

    def _has_changed(self, family: Family, item: Series) -> bool:
        """Return whether a family has other series than in its last reading, or lower values."""
        last = self._last.get(family.name)
        if last is None or not (item.labels is last.labels or item.labels == last.labels):
            return True
        return item.values is not last.values and any(map(lt, item.values, last.values))

    def _find_falls(self, family: Family, item: Series, at: float) -> Iterator[_Fall]:
        self._split(family.name)
        passed: dict[float, bool] = {}  # by last reading time, which most series share
        for place, (label, value) in enumerate(zip(item.labels, item.values, strict=True)):
            key = family.name, label
            highest, past = self._absent.pop(key, (value, None))
            if past is None or value >= highest:
                continue
            is_reset = (
                value == 0
                or item.period is None
                or past.restarts != self._restarts[item.table]
                or (None not in (item.origin, past.origin) and item.origin != past.origin)
            )
            if not is_reset and item.period is not None:
                if past.at not in passed:
                    passed[past.at] = item.period.restarted(past.at, at)
                is_reset = passed[past.at]
            is_after_loss = past.losses != self._losses
            yield _Fall(family, place, key, item.table, highest, value, is_reset, is_after_loss)

    def _is_restart(self, fall: _Fall, now: float) -> bool:
        """Return whether a lone fall is large and follows a loss or a restart of its table."""
        times = self._lost_at, self._restarted_at.get(fall.table, float("-inf"))
        is_soon = any(0 <= now - time < LONE_HOLD for time in times)
        return fall.is_large and (fall.is_after_loss or is_soon)

    def _split(self, name: str) -> None:
        """Move the series of a family's last reading to ``_absent``."""
        block = self._last.pop(name, None)
        if block is not None:
            for label, value in zip(block.labels, block.values, strict=True):
                self._absent[name, label] = value, block.past


def _restarted_tables(items: Iterable[Series], falls: Sequence[_Fall]) -> set[str]:
    """Return the tables with enough series that fell below half, of those that could fall."""
    large = Counter(fall.table for fall in falls if fall.is_large)
    could: Counter[str] = Counter(fall.table for fall in falls if fall.value == 0)
    for item in items:
        if large[item.table] >= _FEWEST:
            could[item.table] += sum(map(bool, item.values))
    return {table for table, number in large.items() if number >= max(_FEWEST, could[table] / 2)}
