"""Objectives: limits, targets and opening hours for the objects that match patterns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from exporter.metrics.families import BASE_LABELS, Family
from exporter.metrics.parsers import Number
from exporter.metrics.patterns import Patterns
from exporter.metrics.tables import Direction, Subject
from exporter.objectives.hours import Hours

SUBJECTS: tuple[Subject, ...] = ("queue", "campaign")  # those that can have objectives


@dataclass(frozen=True, slots=True)
class ObjectiveSeries:
    """A value that every matching object gets; ``labels`` come after the object's own label."""

    family: Family
    value: Number
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Objective:
    """One item of ``queues`` or ``campaigns`` in the configuration.

    ``place`` is its position, such as ``queues[2]``; ``patterns`` are names or shell patterns
    by label, and the direction of campaigns if the item names one; ``open`` is the family that
    shows its ``hours``.
    """

    place: str
    subject: Subject
    patterns: Mapping[str, str]
    series: Sequence[ObjectiveSeries]
    open: Family
    hours: Hours | None
    _compiled: Mapping[str, Patterns] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        compiled = {name: Patterns([text]) for name, text in self.patterns.items()}
        object.__setattr__(self, "_compiled", compiled)

    def __str__(self) -> str:
        return ", ".join(f"{name}: {text}" for name, text in self.patterns.items())

    def covers(self, base: Mapping[str, str]) -> bool:
        """Return whether an account with these base labels matches."""
        return all(self._compiled[name].match([base[name]]) for name in BASE_LABELS)

    def matches(
        self,
        name: str,
        namesakes: Mapping[tuple[str, str], str] | None = None,
        direction: Direction | None = None,
    ) -> bool:
        """Return whether an object's label matches, or its plain name in ``namesakes``.

        A campaign whose ``direction`` is not known matches no item that names one. The account is
        checked by ``covers``.
        """
        plain = (namesakes or {}).get((self.subject, name), name)
        is_directed = self.patterns.get("direction", direction) == direction
        return is_directed and self._compiled[self.subject].match([name, plain])


@dataclass(frozen=True, slots=True, eq=False)
class Objectives:
    """All objectives in order of precedence: the first that matches an object applies.

    ``sections`` are the configuration's sections they were made of.
    """

    items: tuple[Objective, ...] = ()
    sections: Mapping[str, Sequence[object]] = field(default_factory=dict)

    def outdated(self, at: float) -> list[Objective]:
        """Return those whose holidays have all passed at an instant."""
        return [item for item in self.items if item.hours and item.hours.outdated(at)]
