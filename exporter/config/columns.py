"""Column mappings of the configuration: a column or statistic to a known or ``custom_`` family."""

from collections.abc import Mapping
from typing import Literal

from exporter.config.schema import Model
from exporter.config.yaml import suggest
from exporter.metrics.families import FAMILIES, PREFIX, Family, custom_family, stem
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
    """Target of one column: a family, a parser, and constant labels."""

    metric: str
    parse: ParserName = "number"
    labels: dict[str, str] = {}


def make_column(
    header: str, mapping: ColumnConfig, table: Table, *, windowed: bool = False
) -> Column:
    """Return the column that ``mapping`` describes in ``table``.

    With ``windowed`` a metric of the user has the label ``window`` too. Raises ``ValueError`` if
    the metric is unknown or its labels do not fit the table.
    """
    labels = (*(key.label for key in table.key), *mapping.labels)
    family = _family(mapping.metric, (*labels, "window") if windowed else labels)
    column = Column(header, family, NAMED[mapping.parse], mapping.labels, certain=True)
    table.extended((column,))
    return column


def add_columns(table: Table, mappings: Mapping[str, ColumnConfig]) -> Table:
    """Return ``table`` with columns for valid ``mappings``, by header."""
    columns = (make_column(header, mapping, table) for header, mapping in mappings.items())
    return table.extended(tuple(columns))


def _family(metric: str, labels: tuple[str, ...]) -> Family:
    name = metric if metric.startswith(PREFIX) else PREFIX + metric
    if name.startswith(_CUSTOM):
        if suffix := name.removeprefix(stem(name)):
            raise ValueError(f"{metric!r} must not end in {suffix}, which OpenMetrics reserves")
        return custom_family(name, labels)
    if name not in FAMILIES:
        known = (family.removeprefix(PREFIX) for family in FAMILIES)
        hint = suggest(name.removeprefix(PREFIX), known) or "; custom names start with custom_"
        raise ValueError(f"unknown metric {metric!r}{hint}")
    return FAMILIES[name]
