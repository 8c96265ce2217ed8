"""Objectives, limits and opening hours: what is to hold for which queues and campaigns?"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import translate
from typing import Literal

from exporter.metrics.families import BASE_LABELS, Family
from exporter.metrics.parsers import Number
from exporter.objectives.hours import Hours

Subject = Literal["queue", "campaign"]
SUBJECTS: tuple[Subject, ...] = ("queue", "campaign")


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure that is the same for every object: a family, its labels beyond the object's."""

    family: Family
    value: Number
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One item of the configuration: patterns, and what holds for what they match.

    ``place`` is where it stands, such as ``queues[2]``; ``open`` is the family of its ``hours``.
    """

    place: str
    subject: Subject
    patterns: Mapping[str, str]
    figures: Sequence[Figure]
    open: Family
    hours: Hours | None
    _tests: Mapping[str, re.Pattern[str]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        tests = {name: re.compile(translate(text)) for name, text in self.patterns.items()}
        object.__setattr__(self, "_tests", tests)

    def __str__(self) -> str:
        return ", ".join(f"{name}: {text}" for name, text in self.patterns.items())

    def covers(self, base: Mapping[str, str]) -> bool:
        """Tell whether it is for an account with these labels."""
        return all(self._tests[name].match(base[name]) for name in BASE_LABELS)

    def matches(self, name: str) -> bool:
        """Tell whether it is for an object of this name, in the accounts it covers."""
        return self._tests[self.subject].match(name) is not None


@dataclass(frozen=True, slots=True, eq=False)
class Objectives:
    """All items of a configuration, in order: the first that matches an object holds for it.

    ``written`` are the sections as they stand in the file.
    """

    entries: tuple[Entry, ...] = ()
    written: Mapping[str, Sequence[object]] = field(default_factory=dict)
