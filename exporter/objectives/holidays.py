"""Holidays: days on which other hours apply than on their weekday.

Public holidays come from the package ``holidays``, which is imported when a country is first used.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache

Span = tuple[int, int]  # minutes after midnight, the end excluded
Spans = tuple[Span, ...]  # sorted and disjoint
_NAMED_YEARS = range(2020, 2041)  # their holidays can be named; fixed, so that a name stays valid
_LANGUAGE = "en_US"  # if None, the package would take the language of the process


@dataclass(frozen=True, slots=True, eq=False)
class Holidays:
    """Days with hours of their own.

    ``days`` maps a date (``2026-12-25``), a day of every year (``12-25``) or the case-folded name
    of a holiday to its spans; ``None`` stands for those of the weekday. ``countries`` are codes
    such as ``US`` and ``DE-BY``, whose public holidays are closed unless they are in ``days``.
    """

    days: Mapping[str, Spans | None] = field(default_factory=dict)
    countries: tuple[str, ...] = ()

    def spans(self, day: date, usual: Spans) -> Spans:
        """Return the spans of a day whose weekday has the spans ``usual``.

        A date comes before a day of every year, and that before names. The latter two and
        countries leave a closed weekday closed.
        """
        text = day.isoformat()
        if text in self.days:
            own = self.days[text]
            return usual if own is None else own
        if not usual:
            return usual
        rules = [self.days[text[5:]]] if text[5:] in self.days else self._rules(day)
        return min((usual if rule is None else rule for rule in rules), key=_minutes, default=usual)

    def outdated(self, today: date) -> bool:
        """Return whether none is left: all dates have passed, and all calendars have ended."""
        if not (self.countries or self.days):
            return False
        if any(_holidays(code, today.year) for code in self.countries):
            return False
        days = [day for day in self.days if day[0].isdigit()]  # names need a calendar
        return all(len(day) == len("2026-12-25") and day < today.isoformat() for day in days)

    def _rules(self, day: date) -> list[Spans | None]:
        """Return the spans of the day's holidays that are named, else none where one is public."""
        if not self.countries:
            return []
        known = [_holidays(code, day.year).get(day) for code in self.countries]
        names = {name for holiday in known if holiday for name in holiday.names}
        named = [self.days[name] for name in names & self.days.keys()]
        return named or [() for holiday in known if holiday and holiday.public]


def check_country(code: str) -> None:
    """Raise ``ValueError`` if a code such as ``US`` or ``DE-BY`` has no known holidays."""
    import holidays  # noqa: PLC0415 - slow
    from holidays.registry import EntityLoader  # noqa: PLC0415 - slow

    country, dash, subdivision = code.partition("-")
    if country not in EntityLoader.get_country_codes():
        raise ValueError("unknown country; expected a code of ISO 3166 such as US or DE-BY")
    known = sorted(getattr(holidays, country).subdivisions)
    if dash and subdivision not in known:
        choice = f"expected one of {', '.join(known)}" if known else "it has none"
        raise ValueError(f"unknown subdivision of {country}; {choice}")


@lru_cache(maxsize=64)
def holiday_names(code: str) -> frozenset[str]:
    """Return the case-folded names of a country's holidays, public or not."""
    return frozenset[str]().union(
        *(holiday.names for year in _NAMED_YEARS for holiday in _holidays(code, year).values())
    )


@dataclass(frozen=True, slots=True)
class _Holiday:
    """The case-folded names of a day, with and without additions such as ``(observed)``."""

    names: frozenset[str]
    public: bool


@lru_cache(maxsize=256)
def _holidays(code: str, year: int) -> Mapping[date, _Holiday]:
    """Return a country's holidays of one year, public or not."""
    import holidays  # noqa: PLC0415 - slow

    country, _, subdivision = code.partition("-")
    entity = getattr(holidays, country)
    about = {"years": year, "subdiv": subdivision or None, "language": _LANGUAGE}
    with warnings.catch_warnings():  # that a calendar is known up to some year only
        warnings.simplefilter("ignore")
        public = entity(**about)
        every = entity(**about, categories=entity.supported_categories)
    listed = {}
    for day in {*public, *every}:
        names = [name.casefold() for name in public.get_list(day) + every.get_list(day)]
        plain = [name.partition(" (")[0] for name in names]
        listed[day] = _Holiday(frozenset(names + plain), dict.__contains__(public, day))
    return listed


def _minutes(spans: Spans) -> int:
    return sum(end - start for start, end in spans)
