"""Column mappings of the configuration: a column or statistic to a known or ``custom_`` family."""

from collections.abc import Collection, Mapping
from typing import Literal

from exporter.config.schema import Model
from exporter.config.yaml import suggest
from exporter.metrics.families import FAMILIES, PREFIX, Family, custom_family, stem
from exporter.metrics.parsers import NAMED, share
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
    "share",
]
_CUSTOM = PREFIX + "custom_"


class ColumnConfig(Model):
    """Target of one column: a family, a parser, and constant labels."""

    metric: str
    parse: ParserName = "number"
    labels: dict[str, str] = {}


def make_column(
    header: str,
    mapping: ColumnConfig,
    table: Table,
    shares: Collection[str] = (),
    *,
    windowed: bool = False,
) -> Column:
    """Return the column that ``mapping`` describes in ``table``.

    ``shares`` are the headers whose scale can be proven (``parse: share``). With ``windowed`` a
    metric of the user has the label ``window`` too. Raises ``ValueError`` if the metric is unknown,
    or if its labels or its parser do not fit.
    """
    if mapping.parse == "share" and header not in shares:
        raise ValueError(
            "parse: share is for ratios whose scale the exporter can find; use percent or fraction"
        )
    labels = (*(key.label for key in table.key), *mapping.labels)
    family = _family(mapping.metric, (*labels, "window") if windowed else labels)
    parse = share if mapping.parse == "share" else NAMED[mapping.parse]
    column = Column(header, family, parse, mapping.labels, certain=True)
    table.extended((column,))
    return column


def add_columns(
    table: Table, mappings: Mapping[str, ColumnConfig], shares: Collection[str] = ()
) -> Table:
    """Return ``table`` with columns for valid ``mappings``, by header."""
    columns = (make_column(header, mapping, table, shares) for header, mapping in mappings.items())
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
