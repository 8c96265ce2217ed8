"""Series for the live queues and campaigns of an account: objectives, directions of campaigns."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from exporter.logs import get_log
from exporter.metrics.counters import Counters
from exporter.metrics.families import CAMPAIGN_INFO, Family
from exporter.metrics.labels import render_labels
from exporter.metrics.mapping import Mapped, Series
from exporter.metrics.parsers import Number
from exporter.metrics.snapshot import Snapshot, make_snapshot
from exporter.metrics.tables import Direction
from exporter.objectives.hours import Hours
from exporter.objectives.model import SUBJECTS, Objective, Objectives

FEED = "objectives"  # the label ``feed`` of these series where dropped series are counted
_LONGEST_VALID = 86_400.0  # seconds, if no opening hours change earlier

_log = get_log(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class AccountObjectives:
    """The series of one account, valid from ``since`` until just before ``until`` (epoch seconds).

    ``objects`` are the live objects by feed; ``matched`` are the objectives whose patterns match
    any of them, even if an earlier objective applies.
    """

    objectives: Objectives
    objects: tuple[Mapping[str, frozenset[str]], ...]
    since: float
    until: float
    snapshot: Snapshot
    matched: frozenset[Objective]


def apply_objectives(
    objectives: Objectives,
    base: Mapping[str, str],
    fresh: Sequence[Snapshot],
    at: float,
    before: AccountObjectives | None = None,
) -> AccountObjectives:
    """Apply objectives to the objects in an account's ``fresh`` snapshots, and add directions.

    ``base`` are the account's base labels, ``at`` is in epoch seconds. ``before`` is the
    account's last result, which is returned if nothing has changed.
    """
    objects = tuple(snapshot.objects for snapshot in fresh)
    if (
        before is not None
        and before.objectives is objectives
        and before.objects == objects  # usually the same objects, so the comparison is cheap
        and before.since <= at < before.until
    ):
        return before
    builder = _SeriesBuilder(base, at)
    namesakes: dict[tuple[str, str], str] = {}
    for snapshot in fresh:
        namesakes.update(snapshot.namesakes)
    covering = [item for item in objectives.items if item.covers(base)]
    known = directions(objects)
    for subject in SUBJECTS:
        items = [item for item in covering if item.subject == subject]
        names = names_in(objects, subject)
        for name in sorted(names) if items else ():
            matching = [item for item in items if item.matches(name, namesakes, known.get(name))]
            builder.add_object(name, matching)
    for name, direction in sorted(known.items()):
        builder.add_direction(name, direction)
    applied = make_snapshot(
        base["account"],
        FEED,
        Mapped(builder.series()),
        Counters(),
        taken_at=at,
        source_at=None,
        expires_at=float("inf"),
        before=before.snapshot if before else None,
    )
    return AccountObjectives(
        objectives, objects, at, builder.until, applied, frozenset(builder.matched)
    )


def names_in(objects: Iterable[Mapping[str, frozenset[str]]], kind: str) -> frozenset[str]:
    """Return the names of one kind in the ``objects`` of several feeds."""
    return frozenset().union(*(names.get(kind, ()) for names in objects))


def directions(objects: Sequence[Mapping[str, frozenset[str]]]) -> dict[str, Direction]:
    """Return the directions of the live campaigns in the ``objects`` of an account's feeds.

    A campaign in tables of both directions has none, since no limit of one direction is right for
    it.
    """
    live, inbound, outbound = (names_in(objects, x) for x in ("campaign", "inbound", "outbound"))
    return {
        **dict.fromkeys(live & inbound - outbound, "inbound"),
        **dict.fromkeys(live & outbound - inbound, "outbound"),
    }


class _SeriesBuilder:
    """Builds the series of one account for the instant ``at``; they are valid until ``until``."""

    def __init__(self, base: Mapping[str, str], at: float) -> None:
        self.at = at
        self.until = at + _LONGEST_VALID
        self.matched: set[Objective] = set()
        self._samples: dict[Family, list[tuple[bytes, Number]]] = {}
        self._start = b"{" + render_labels(base) + b","
        self._open: dict[Hours, bool] = {}

    def add_object(self, name: str, matching: Sequence[Objective]) -> None:
        """Add the series of an object: those of the first objective that matches it."""
        self.matched.update(matching)
        for objective in matching[:1]:
            about: dict[str, str] = {objective.subject: name}
            for series in objective.series:
                self._add(series.family, {**about, **series.labels}, series.value)
            if objective.hours:
                self._add(objective.open, about, int(self._is_open(objective.hours)))

    def add_direction(self, campaign: str, direction: Direction) -> None:
        """Add the series that tells a campaign's direction."""
        self._add(CAMPAIGN_INFO, {"campaign": campaign, "direction": direction}, 1)

    def series(self) -> dict[Family, Series]:
        """Return the series that were added."""
        return {
            family: Series([labels for labels, _ in samples], [value for _, value in samples], None)
            for family, samples in self._samples.items()
        }

    def _add(self, family: Family, labels: Mapping[str, str], value: Number) -> None:
        sample = self._start + render_labels(labels) + b"} ", value
        self._samples.setdefault(family, []).append(sample)

    def _is_open(self, hours: Hours) -> bool:
        if hours not in self._open:
            self._open[hours] = hours.open_at(self.at)
            self.until = min(self.until, hours.next_change(self.at) or self.until)
        return self._open[hours]


class Unmatched:
    """Counts the objectives that match nothing live, and logs each of them once.

    ``find`` returns them, or ``None`` until every account has been read or has failed.
    ``find_outdated`` returns those whose holidays have all passed, which are logged once too.
    """

    def __init__(
        self,
        find: Callable[[], Sequence[Objective] | None],
        find_outdated: Callable[[], Sequence[Objective]] = tuple,
    ) -> None:
        self._find = find
        self._find_outdated = find_outdated
        self._logged: set[tuple[str, ...]] = set()

    def count(self) -> int | None:
        """Return their number, or ``None`` while it is unknown."""
        unmatched = self._find()
        self._log_once("objectives matched nothing", unmatched or ())
        self._log_once("all holidays have passed", self._find_outdated())
        return None if unmatched is None else len(unmatched)

    def _log_once(self, message: str, objectives: Sequence[Objective]) -> None:
        for objective in objectives:
            name = (message, objective.place, *objective.patterns.values())
            if name not in self._logged:
                self._logged.add(name)
                _log.bind(**objective.patterns).warning(message, entry=objective.place)
