"""The user's own mappings: a column or statistic → a family of ours, or a ``custom_`` one."""

from collections.abc import Mapping
from typing import Literal

from exporter.config.schema import Model
from exporter.config.yaml import suggest
from exporter.metrics.families import FAMILIES, PREFIX, Family, custom
from exporter.metrics.parsers import NAMED
from exporter.metrics.tables import Column, Table

ParserName = Literal[
    "number",
    "percent",
    "fraction",
    "seconds",
    "milliseconds",
    "clock",
    "pair",
    "pair_second",
    "epoch_milliseconds",
]
_CUSTOM = PREFIX + "custom_"


class ColumnConfig(Model):
    """Where one figure of the platform goes: a family, a parser, constant labels."""

    metric: str
    parse: ParserName = "number"
    labels: dict[str, str] = {}


def column(header: str, wanted: ColumnConfig, table: Table) -> Column:
    """Return the column of a user's mapping in ``table``.

    Raises ``ValueError`` where the metric is unknown or its labels do not fit the table.
    """
    family = _family(wanted.metric, (*(key.label for key in table.key), *wanted.labels))
    found = Column(header, family, NAMED[wanted.parse], wanted.labels, certain=True)
    table.extended((found,))
    return found


def extend(table: Table, mappings: Mapping[str, ColumnConfig]) -> Table:
    """Return ``table`` with a user's mappings, which were checked when the file was read."""
    return table.extended(tuple(column(header, each, table) for header, each in mappings.items()))


def _family(metric: str, labels: tuple[str, ...]) -> Family:
    name = metric if metric.startswith(PREFIX) else PREFIX + metric
    if name.startswith(_CUSTOM):
        return custom(name, labels)
    if name not in FAMILIES:
        known = [each.removeprefix(PREFIX) for each in FAMILIES]
        hint = suggest(name.removeprefix(PREFIX), known) or "; custom names start with custom_"
        raise ValueError(f"unknown metric {metric!r}{hint}")
    return FAMILIES[name]
