"""Models of the sections ``queues`` and ``campaigns``: limits, objectives, opening hours."""

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import date
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from exporter.config.schema import Duration, Model, Zone
from exporter.config.yaml import format_path, suggest
from exporter.metrics import families as f
from exporter.metrics.families import Family
from exporter.metrics.parsers import number
from exporter.metrics.tables import Direction
from exporter.objectives.holidays import Holidays, Spans, check_country, holiday_names
from exporter.objectives.hours import Hours, Week, parse_day, parse_week
from exporter.objectives.model import Objective, Objectives, ObjectiveSeries

_HOURS_EXPECTED = "expected days and hours such as Mon-Fri 08:00-20:00"
_DAY_EXPECTED = (
    "expected a date such as 2026-12-25, a day of every year such as 12-25, a country such as US "
    "or DE-BY, or beside a country the English name of one of its holidays"
)
_COUNTRY = re.compile(r"[A-Z]{2,3}(-.*)?")
_YEARLY = re.compile(r"\d\d-\d\d", re.ASCII)


def _line(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(_HOURS_EXPECTED)
    parse_week([value])
    return value


def _one_or_more(value: object) -> object:
    if value == []:
        raise ValueError(_HOURS_EXPECTED)
    return value if isinstance(value, list) else [value]


class _HolidayList:
    """Reads the items of ``holidays``; ``faults`` are those of single items."""

    def __init__(self, items: Sequence[object]) -> None:
        self.days: dict[str, Spans | None] = {}
        self.countries: list[str] = []
        self.faults: list[InitErrorDetails] = []
        codes = [isinstance(item, str) and bool(_COUNTRY.fullmatch(item)) for item in items]
        for index, item in enumerate(items):
            if codes[index]:
                self._try(index, item, self._add_country)
        self._names: frozenset[str] | None = None  # unknown
        if not self.faults:
            self._names = frozenset[str]().union(*map(holiday_names, self.countries))
        for index, item in enumerate(items):
            if not codes[index]:
                self._try(index, item, self._add_days)

    def _try(self, index: int, item: object, add: Callable[[Any], None]) -> None:
        try:
            add(item)
        except ValueError as error:
            problem = PydanticCustomError("value_error", "{problem}", {"problem": str(error)})
            self.faults.append(InitErrorDetails(type=problem, loc=(index,), input=item))

    def _add_country(self, code: str) -> None:
        check_country(code)
        self.countries.append(code)

    def _add_days(self, item: object) -> None:
        for text, hours in item.items() if isinstance(item, dict) and item else [(item, "closed")]:
            day = self._parse_key(text)
            spans = None if hours == "open" else parse_day(str(hours))
            if self.days.setdefault(day, spans) != spans:
                raise ValueError("an earlier item has other hours for the same day or name")

    def _parse_key(self, item: object) -> str:
        """Return the key in ``Holidays.days`` of a date, a day of every year or a name."""
        text = str(item) if isinstance(item, str | int | date) else ""
        with suppress(ValueError):
            if _YEARLY.fullmatch(text):
                return date.fromisoformat(f"2000-{text}").isoformat()[5:]
            return date.fromisoformat(text).isoformat()
        name = text.casefold()
        if not text or text[0].isdigit() or not (self._names is None or self._names):
            raise ValueError(_DAY_EXPECTED)
        if self._names is not None and name not in self._names:
            known = f"{', '.join(self.countries)} has no holiday of this name"
            raise ValueError(f"{known}{suggest(name, self._names)}")
        return name


def _holidays(value: object) -> object:
    if isinstance(value, list) and (faults := _HolidayList(value).faults):
        raise ValidationError.from_exception_data("holidays", faults)
    return value


Lines = Annotated[
    list[Annotated[str, BeforeValidator(_line)]],
    BeforeValidator(_one_or_more),
]
Pattern = Annotated[str, Field(min_length=1)]
Ratio = Annotated[float, Field(gt=0, le=1)]
Limit = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]


class HoursConfig(Model):
    """Opening hours in the configuration."""

    time_zone: Zone
    weekly: Lines
    holidays: Annotated[list[Any], BeforeValidator(_holidays)] = []

    def hours(self) -> Hours:
        """Return the hours in the form that can be evaluated."""
        spans: Week = parse_week(self.weekly)
        listed = _HolidayList(self.holidays)
        return Hours(self.time_zone, spans, Holidays(listed.days, tuple(listed.countries)))


class QueueMatch(Model):
    """Shell patterns; a queue matches if all of them match."""

    provider: Pattern = "*"
    account: Pattern = "*"
    queue: Pattern = "*"


class CampaignMatch(Model):
    """Shell patterns, and a direction; a campaign matches if all of them match."""

    provider: Pattern = "*"
    account: Pattern = "*"
    campaign: Pattern = "*"
    direction: Direction | None = None


class WaitingLimit(Model):
    """Limit of waiting contacts, by level."""

    warning: Count | None = None
    critical: Count | None = None

    @model_validator(mode="after")
    def _ordered(self) -> "WaitingLimit":
        if None not in (self.warning, self.critical) and self.levels != sorted(self.levels):
            raise ValueError("critical must not be less than warning")
        return self

    @property
    def levels(self) -> list[int]:
        """The limits that are set, warning first."""
        return [limit for limit in (self.warning, self.critical) if limit is not None]


class QueueObjectives(Model):
    """Limits, objectives and hours of matching queues; an item without any exempts them."""

    match: QueueMatch = QueueMatch()
    waiting_limit: WaitingLimit = WaitingLimit()
    answer_objective: Annotated[Duration, Field(gt=0)] | None = None
    service_level_objective: Ratio | None = None
    hours: HoursConfig | None = None


class CampaignObjectives(Model):
    """Limit, objectives and hours of matching campaigns; an item without any exempts them."""

    match: CampaignMatch = CampaignMatch()
    abandoned_limit: Limit | None = None
    answer_objective: Annotated[Duration, Field(gt=0)] | None = None
    service_level_objective: Ratio | None = None
    hours: HoursConfig | None = None


def objectives_of(
    queues: Sequence[QueueObjectives], campaigns: Sequence[CampaignObjectives]
) -> Objectives:
    """Return the objectives of the items under ``queues`` and ``campaigns``."""
    entries = [
        Objective(
            format_path(("queues", index)),
            "queue",
            item.match.model_dump(),
            _queue_figures(item),
            f.QUEUE_OPEN,
            item.hours.hours() if item.hours else None,
        )
        for index, item in enumerate(queues)
    ]
    entries += [
        Objective(
            format_path(("campaigns", index)),
            "campaign",
            item.match.model_dump(exclude_none=True),
            _figures(
                [
                    (f.CAMPAIGN_ABANDONED_LIMIT, item.abandoned_limit),
                    (f.CAMPAIGN_ANSWER_OBJECTIVE, item.answer_objective),
                    (f.CAMPAIGN_SERVICE_LEVEL_OBJECTIVE, item.service_level_objective),
                ]
            ),
            f.CAMPAIGN_OPEN,
            item.hours.hours() if item.hours else None,
        )
        for index, item in enumerate(campaigns)
    ]
    sections: dict[str, Sequence[object]] = {"queues": queues, "campaigns": campaigns}
    return Objectives(tuple(entries), {name: items for name, items in sections.items() if items})


def _queue_figures(item: QueueObjectives) -> list[ObjectiveSeries]:
    levels = item.waiting_limit.model_dump(exclude_none=True)
    limits = [
        ObjectiveSeries(f.QUEUE_WAITING_LIMIT, limit, {"level": x}) for x, limit in levels.items()
    ]
    return limits + _figures(
        [
            (f.QUEUE_ANSWER_OBJECTIVE, item.answer_objective),
            (f.QUEUE_SERVICE_LEVEL_OBJECTIVE, item.service_level_objective),
        ]
    )


def _figures(values: Iterable[tuple[Family, float | None]]) -> list[ObjectiveSeries]:
    return [ObjectiveSeries(family, number(value)) for family, value in values if value is not None]
