"""Objectives on the page: which hold for the queues and campaigns that are live, who is open?"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from exporter.logs import get_log
from exporter.metrics.counters import Counters
from exporter.metrics.families import Family
from exporter.metrics.labels import label_pairs
from exporter.metrics.mapping import Mapped, Series
from exporter.metrics.parsers import Number
from exporter.metrics.snapshot import Snapshot, take
from exporter.objectives.hours import Hours
from exporter.objectives.model import SUBJECTS, Entry, Objectives

FEED = "objectives"  # stands for a feed where series are counted that were left out
_LOOK_AGAIN = 86_400.0  # seconds, where hours do not change for long

_log = get_log(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Applied:
    """What holds for one account from ``since`` until just before ``until`` (epoch seconds).

    ``objects`` are the live ones by feed; ``matched`` the entries whose patterns match any of
    them, whether or not an earlier entry holds instead.
    """

    objectives: Objectives
    objects: tuple[Mapping[str, frozenset[str]], ...]
    since: float
    until: float
    snapshot: Snapshot
    matched: frozenset[Entry]


def apply(
    objectives: Objectives,
    base: Mapping[str, str],
    fresh: Sequence[Snapshot],
    at: float,
    before: Applied | None = None,
) -> Applied:
    """Apply objectives to what an account with the labels ``base`` shows at an instant.

    ``before`` is the account's last result: returned as it is while nothing has changed, else
    what is equal in it is taken over.
    """
    objects = tuple(snapshot.objects for snapshot in fresh)
    if (
        before is not None
        and before.objectives is objectives
        and before.objects == objects  # mostly the same objects, which costs next to nothing
        and before.since <= at < before.until
    ):
        return before
    sheet = _Sheet(base, at)
    entries = [entry for entry in objectives.entries if entry.covers(base)]
    for subject in SUBJECTS:
        mine = [entry for entry in entries if entry.subject == subject]
        names = {name for each in objects for name in each.get(subject, ())}
        for name in sorted(names) if mine else ():
            sheet.write(name, [entry for entry in mine if entry.matches(name)])
    snapshot = take(
        base["account"],
        FEED,
        Mapped(sheet.series()),
        Counters(),
        taken_at=at,
        source_at=None,
        expires_at=float("inf"),
        before=before.snapshot if before else None,
    )
    return Applied(objectives, objects, at, sheet.until, snapshot, frozenset(sheet.matched))


class _Sheet:
    """The series of one account at one instant, and how long they hold."""

    def __init__(self, base: Mapping[str, str], at: float) -> None:
        self.at = at
        self.until = at + _LOOK_AGAIN
        self._lines: dict[Family, list[tuple[bytes, Number]]] = {}
        self.matched: set[Entry] = set()
        self._start = b"{" + label_pairs(base) + b","
        self._open: dict[Hours, bool] = {}

    def write(self, name: str, matching: Sequence[Entry]) -> None:
        """Write what holds for an object: what the first of the matching entries says."""
        self.matched.update(matching)
        for entry in matching[:1]:
            for figure in entry.figures:
                self._add(figure.family, {entry.subject: name, **figure.labels}, figure.value)
            if entry.hours:
                self._add(entry.open, {entry.subject: name}, int(self._is_open(entry.hours)))

    def series(self) -> dict[Family, Series]:
        """Return what was written."""
        return {
            family: Series([labels for labels, _ in lines], [value for _, value in lines], None)
            for family, lines in self._lines.items()
        }

    def _add(self, family: Family, labels: Mapping[str, str], value: Number) -> None:
        line = self._start + label_pairs(labels) + b"} ", value
        self._lines.setdefault(family, []).append(line)

    def _is_open(self, hours: Hours) -> bool:
        if hours not in self._open:
            self._open[hours] = hours.open_at(self.at)
            self.until = min(self.until, hours.next_change(self.at) or self.until)
        return self._open[hours]


class Unmatched:
    """Counts the entries that match nothing live, and logs each of them once.

    ``find`` returns them, or ``None`` while an account has not been tried.
    """

    def __init__(self, find: Callable[[], Sequence[Entry] | None]) -> None:
        self._find = find
        self._logged: set[tuple[str, ...]] = set()

    def count(self) -> int | None:
        """Return how many there are, or ``None`` as long as that is not known."""
        found = self._find()
        for entry in found or ():
            name = (entry.place, *entry.patterns.values())
            if name not in self._logged:
                self._logged.add(name)
                _log.bind(**entry.patterns).warning("objectives matched nothing", entry=entry.place)
        return None if found is None else len(found)
