"""Columns that a platform offers: which are mapped to which metrics, and how to map the rest."""

import contextlib
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from exporter.collector.survey import Collected
from exporter.metrics.families import PREFIX
from exporter.metrics.parsers import NAMED, Cell
from exporter.metrics.reading import Rows
from exporter.metrics.tables import Figure, Spread, Table, normalise

Use = Literal["mapped", "row key", "ignored", "never exported", "not mapped"]
_GUESSES = ("number", "clock", "pair")  # in this order; the user sets the unit
_ENDINGS = {"percent": "_ratio", "share": "_ratio", "clock": "_seconds"}


@dataclass(frozen=True, slots=True)
class Offer:
    """One column, statistic or report: how it is used, and the metrics made from it.

    ``parse`` names a parser that reads all its values; ``None`` where none does, or all are empty.
    """

    table: str
    name: str
    use: Use
    metrics: tuple[str, ...] = ()
    parse: str | None = None


@dataclass(slots=True)
class Offers:
    """Everything that is offered, and ``keys`` to add to the account to export more of it.

    ``notes`` say what is not in ``keys``, and why. No value of the platform is included.
    """

    items: list[Offer] = field(default_factory=list)
    keys: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def unmapped(self, table: str) -> list[Offer]:
        """Return the columns of a table that hold numbers and are not mapped."""
        return [
            offer
            for offer in self.items
            if offer.table == table and offer.use == "not mapped" and offer.parse
        ]


def offers(tables: Iterable[Table], collected: Collected) -> Offers:
    """Return how each column of the readings is used."""
    result = Offers()
    for table in tables:
        for reading in collected.readings.values():
            rows = reading.tables.get(table.name)
            if rows is not None:
                result.items += _columns(table, rows)
    return result


def _columns(table: Table, rows: Rows) -> Iterable[Offer]:
    for position, header in enumerate(rows.headers):
        use, metrics = _use(table, rows, header)
        parse = guess([row[position] for row in rows.cells]) if use == "not mapped" else None
        yield Offer(table.name, header, use, metrics, parse)


def _use(table: Table, rows: Rows, header: str) -> tuple[Use, tuple[str, ...]]:
    name = normalise(header)
    metrics = [figure.family.name for figure in table.figures if _reads(figure, rows, header)]
    if metrics:
        return "mapped", tuple(dict.fromkeys(metrics))
    keys = [header for key in table.key for header in (key.header, *key.aliases)]
    if name in set(map(normalise, (*keys, table.display or ""))):
        return "row key", ()
    if name in set(map(normalise, table.private)):
        return "never exported", ()
    if name in set(map(normalise, table.ignored)):
        return "ignored", ()
    return "not mapped", ()


def _reads(figure: Figure, rows: Rows, header: str) -> bool:
    if isinstance(figure, Spread):
        return header in rows.names.get(figure.names, frozenset())
    return normalise(header) in set(map(normalise, (figure.header, *figure.aliases)))


def guess(cells: Collection[Cell]) -> str | None:
    """Return the first of the plain parsers that reads every cell that is not empty."""
    values = [cell for cell in cells if cell is not None and cell != ""]
    if not values:
        return None
    signed = all(isinstance(cell, str) and cell.strip().endswith("%") for cell in values)
    for name in ("percent",) if signed else _GUESSES:
        with contextlib.suppress(ValueError):
            for cell in values:
                NAMED[name](cell)
            return name
    return None


def mapping(name: str, parse: str | None, taken: set[str], *words: str) -> dict[str, Any]:
    """Return the keys that map a column to a metric with a name of its own.

    ``words`` come before ``name`` in the metric's name; ``taken`` are names in use, and gets the
    new one.
    """
    stem = "_".join(filter(None, map(_slug, ("custom", *words, name)))).removesuffix("_total")
    stem += _ENDINGS.get(parse or "", "")
    metric, number = stem, 1
    while metric in taken:
        number += 1
        metric = f"{stem}_{number}"
    taken.add(metric)
    return {"metric": metric} if parse in (None, "number") else {"metric": metric, "parse": parse}


def taken_names(offers: Sequence[Offer]) -> set[str]:
    """Return the names of metrics in use, as the configuration spells them."""
    return {metric.removeprefix(PREFIX) for offer in offers for metric in offer.metrics}


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.casefold()).strip("_")
