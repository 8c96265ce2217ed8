"""Oracle: judges every figure on a page by what the floor had, moment by moment.

A figure is right if the floor had that value at a moment that is not older than the figure's feed
may be. A total may also be held at a value that it had before a fall, for as long as is documented;
and over a whole run its increase must be the floor's, apart from what readings cannot see. An
absent figure is never wrong; it is counted.
"""

from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from support.page import Series

Truth = Mapping[str, Mapping[Series, float]]  # by feed

# Seconds for which README allows a total to be held after a fall: by little, and by more.
HOLD_SMALL, HOLD_LARGE = 3600.0, 300.0
_SMALL, _SMALL_SHARE = 2, 0.1  # what little is: contacts, or a share of the total
_TOLERANCE = 0.003  # platforms round to milliseconds
_LONGEST_ABSENCE = 6 * 3600.0  # seconds, after which a fall is still judged
_MOST_WRONG = 50  # kept for the message


@dataclass
class Verdict:
    """What came of judging the pages of a run; ages in seconds."""

    ticks: int = 0
    values: int = 0
    late: int = 0
    held: int = 0
    unjudged: int = 0
    absent: int = 0
    worst_age: float = 0.0
    longest_absence: float = 0.0
    increases: int = 0
    wrong: list[str] = field(default_factory=list)
    wrong_values: int = 0

    @property
    def share_absent(self) -> float:
        return self.absent / max(self.absent + self.values, 1)

    def fault(self, text: str) -> None:
        self.wrong_values += 1
        if len(self.wrong) < _MOST_WRONG:
            self.wrong.append(text)


@dataclass
class _Total:
    """A total on the page: the value last shown, and the sum of its rises as Prometheus has it.

    ``true_before`` is the floor's own sum when the total was first shown, ``returned_at`` the time
    at which it was shown again after an absence: a fall in between is judged then (README).
    """

    shown: float
    returned_at: float = float("-inf")
    held_at: float = float("-inf")  # the last time at which it was allowed to be held
    rises: float = 0.0
    true_before: float = 0.0


@dataclass
class _Count:
    """The floor's own sum of a total's rises, and how much of it lies in one span of time."""

    value: float
    rises: float = 0.0
    restarts: int = 0
    corrected: float = 0.0
    falls: deque[tuple[float, float]] = field(default_factory=deque)  # when, from what value
    span_began: float = 0.0
    span_rises: float = 0.0
    last_span: float = 0.0
    most_in_span: float = 0.0


class Oracle:
    """Judges pages by a history of the floor's figures.

    ``ages`` are the seconds that a figure may be old, by feed. ``tolerances`` are by family name.
    ``exists`` returns whether the objects that a series is about are on the floor, or were lately:
    a series that no truth has is not judged if they are, and wrong if they are not. ``origins``
    returns the values on the floor from which a total may be counted.
    """

    def __init__(
        self,
        ages: Mapping[str, float],
        tolerances: Mapping[str, float],
        exists: Callable[[Series], bool],
        origins: Callable[[Series], Collection[float]],
    ) -> None:
        self.verdict = Verdict()
        self._ages = ages
        self._oldest = max(ages.values())
        self._tolerances = tolerances
        self._exists = exists
        self._origins = origins
        self.recorded_at = float("-inf")
        self._feed: dict[Series, str] = {}
        self._changes: dict[Series, deque[tuple[float, float | None]]] = {}
        self._now: dict[Series, float] = {}
        self._families: set[str] = set()
        self._counts: dict[Series, _Count] = {}
        self._totals: dict[Series, _Total] = {}
        self._absent_since: dict[Series, float] = {}

    # What the floor has ----------------------------------------------------------------------

    def record(
        self, now: float, truth: Truth, restarted: Callable[[Series], bool] = lambda _: False
    ) -> None:
        """Record the floor's figures at an instant; ``restarted`` tells which totals began anew.

        At that very moment they were zero.
        """
        self.recorded_at = now
        current: dict[Series, float] = {}
        for feed, figures in truth.items():
            for key, value in figures.items():
                self._feed[key] = feed
                current[key] = value
                changes = self._changes.get(key)
                if changes is None:
                    changes = self._changes[key] = deque()
                    self._families.add(key[0])
                if key[0].endswith("_total") and restarted(key):
                    changes.append((now, 0.0))
                if not changes or changes[-1][1] != value:
                    changes.append((now, value))
                    while len(changes) > 2 and changes[1][0] < now - self._oldest:
                        changes.popleft()
        for key in self._now.keys() - current.keys():
            self._changes[key].append((now, None))
        for key, value in current.items():
            if key[0].endswith("_total"):
                self._count(key, value, now, restarted=restarted(key) or key not in self._now)
        self._now = current

    def counted(self) -> Mapping[Series, float]:
        """Return the floor's totals at the last instant recorded."""
        return {key: count.value for key, count in self._counts.items()}

    def reopen(self) -> None:
        """Record that totals may count from now on."""
        for count in self._counts.values():
            count.restarts += 1

    def _count(self, key: Series, value: float, now: float, *, restarted: bool) -> None:
        count = self._counts.get(key)
        if count is None:
            self._counts[key] = _Count(value, span_began=now)
            return
        rise = value - count.value
        if rise < 0:
            count.falls.append((now, count.value))
            if restarted:
                count.restarts += 1
                rise = value
            else:
                count.corrected -= rise
        while count.falls and count.falls[0][0] < now - _LONGEST_ABSENCE - HOLD_SMALL:
            count.falls.popleft()
        count.rises += rise
        count.value = value
        if now - count.span_began > self._oldest + HOLD_LARGE:
            count.last_span, count.span_rises, count.span_began = count.span_rises, 0.0, now
        count.span_rises += max(rise, 0.0)
        count.most_in_span = max(count.most_in_span, count.last_span + count.span_rises)

    # What the page has -----------------------------------------------------------------------

    def judge(self, now: float, page: Mapping[Series, float], *, up: bool) -> None:
        """Judge one page."""
        verdict = self.verdict
        verdict.ticks += 1
        if up and not any(key[0] in self._families for key in page):
            verdict.fault(f"{now}: the account is up and shows nothing")
        for key in self._now.keys() - page.keys():
            verdict.absent += 1
            since = self._absent_since.setdefault(key, now)
            verdict.longest_absence = max(verdict.longest_absence, now - since)
        for key, shown in page.items():
            if self._absent_since.pop(key, None) is not None and key in self._totals:
                self._totals[key].returned_at = now
            if key not in self._feed:
                verdict.unjudged += 1
                if not self._exists(key):
                    verdict.fault(f"{now}: {key} is not on the floor")
                continue
            verdict.values += 1
            self._judge(key, shown, now)
            if key in self._counts:
                self._add_rise(key, shown)

    def _judge(self, key: Series, shown: float, now: float) -> None:
        verdict = self.verdict
        if key in self._counts:
            ages = [self._age(key, shown + origin, now) for origin in self._origins(key)]
            age = min((age for age in ages if age is not None), default=None)
        else:
            age = self._age(key, shown, now)
        if age is not None and age <= self._ages[self._feed[key]]:
            verdict.late += age > 0
            verdict.worst_age = max(verdict.worst_age, age)
        elif key in self._counts and self._is_held(key, shown, now):
            verdict.held += 1
        else:
            floor = self._now.get(key)
            verdict.fault(f"{now}: {self._feed[key]} {key}: {shown}, and not {floor} (age {age})")

    def _age(self, key: Series, shown: float, now: float) -> float | None:
        """Return for how long the floor has not had a value, ``None`` if it never had."""
        tolerance = self._tolerances.get(key[0], 0.0) + _TOLERANCE
        until = now
        for at, value in reversed(self._changes[key]):
            if value is not None and abs(value - shown) <= tolerance:
                return now - until
            until = at
        return None

    def _is_held(self, key: Series, shown: float, now: float) -> bool:
        """Return whether a total may show the value that it had before a fall."""
        total, count = self._totals.get(key), self._counts[key]
        if total is None or total.shown != shown:
            return False
        is_small = shown - count.value <= max(_SMALL, _SMALL_SHARE * shown)
        age = self._ages[self._feed[key]]
        longest = (HOLD_SMALL if is_small else HOLD_LARGE) + age
        falls = [at for at, before in count.falls if shown <= before]
        if any(now - max(at, total.returned_at) <= longest for at in falls):
            total.held_at = now
        return now - total.held_at <= age  # the page is as old as it may be

    def _add_rise(self, key: Series, shown: float) -> None:
        total = self._totals.get(key)
        if total is None:
            self._totals[key] = _Total(shown, true_before=self._counts[key].rises)
            return
        if shown != total.shown:
            total.held_at = float("-inf")
        total.rises += shown - total.shown if shown >= total.shown else shown
        total.shown = shown

    def finish(self) -> Verdict:
        """Judge the increase of every total over the whole run.

        Readings do not see what is counted between the last of them and a restart, nor what a held
        total makes up for; and the first and the last value shown are as old as they may be.
        """
        for key, total in self._totals.items():
            count = self._counts[key]
            true = count.rises - total.true_before
            unseen = count.most_in_span * (2 + count.restarts) + count.corrected
            unseen += _SMALL * (1 + count.restarts)
            self.verdict.increases += 1
            if abs(total.rises - true) > unseen:
                self.verdict.fault(f"{key} rose by {total.rises}, and not {true} ± {unseen}")
        return self.verdict
