"""Models of the sections ``queues`` and ``campaigns``: limits, objectives, opening hours."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from exporter.config.schema import Duration, Model, Zone
from exporter.config.yaml import format_path
from exporter.metrics import families as f
from exporter.metrics.families import Family
from exporter.metrics.parsers import number
from exporter.metrics.tables import Direction
from exporter.objectives.hours import Hours, Week, parse_week
from exporter.objectives.model import Objective, Objectives, ObjectiveSeries

_HOURS_EXPECTED = "expected days and hours such as Mon-Fri 08:00-20:00"


def _line(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(_HOURS_EXPECTED)
    parse_week([value])
    return value


def _one_or_more(value: object) -> object:
    if value == []:
        raise ValueError(_HOURS_EXPECTED)
    return value if isinstance(value, list) else [value]


def _day(value: object) -> date:
    try:
        return date.fromisoformat(str(value))
    except ValueError as error:
        raise ValueError("expected a date such as 2026-12-25") from error


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
    holidays: list[Annotated[date, BeforeValidator(_day)]] = []

    def hours(self) -> Hours:
        """Return the hours in the form that can be evaluated."""
        spans: Week = parse_week(self.weekly)
        return Hours(self.time_zone, spans, frozenset(self.holidays))


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
