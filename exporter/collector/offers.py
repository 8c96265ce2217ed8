"""What does a platform offer, which of it is mapped to which metric, and how is the rest mapped?"""

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

Use = Literal["mapped", "names the row", "left out on purpose", "never exported", "not mapped"]
_GUESSES = ("number", "percent", "clock", "pair")  # in this order; units are for the user to say
_ENDINGS = {"percent": "_ratio", "clock": "_seconds"}


@dataclass(frozen=True, slots=True)
class Offer:
    """One column, statistic or report: what becomes of it, and the metrics it feeds.

    ``parse`` is a parser that reads all its values, ``None`` where there is none, or no value.
    """

    table: str
    name: str
    use: Use
    metrics: tuple[str, ...] = ()
    parse: str | None = None


@dataclass(slots=True)
class Offers:
    """Everything that was seen, and ``keys`` to add to the account so that more is exported.

    ``notes`` say what is not in ``keys``, and why. Nothing here is a value of the platform's.
    """

    found: list[Offer] = field(default_factory=list)
    keys: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def unmapped(self, table: str) -> list[Offer]:
        """Return what of a table is numbers, and not mapped."""
        return [
            each
            for each in self.found
            if each.table == table and each.use == "not mapped" and each.parse
        ]


def offers(tables: Iterable[Table], found: Collected) -> Offers:
    """Return what becomes of every column in the readings."""
    seen = Offers()
    for table in tables:
        for reading in found.readings.values():
            rows = reading.tables.get(table.name)
            if rows is not None:
                seen.found += _columns(table, rows)
    return seen


def _columns(table: Table, rows: Rows) -> Iterable[Offer]:
    for at, header in enumerate(rows.headers):
        use, metrics = _use(table, rows, header)
        parse = guess([row[at] for row in rows.cells]) if use == "not mapped" else None
        yield Offer(table.name, header, use, metrics, parse)


def _use(table: Table, rows: Rows, header: str) -> tuple[Use, tuple[str, ...]]:
    name = normalise(header)
    metrics = [each.family.name for each in table.figures if _reads(each, rows, header)]
    if metrics:
        return "mapped", tuple(dict.fromkeys(metrics))
    keys = [each for key in table.key for each in (key.header, *key.aliases)]
    if name in {normalise(each) for each in (*keys, table.display or "")}:
        return "names the row", ()
    if name in {normalise(each) for each in table.private}:
        return "never exported", ()
    if name in {normalise(each) for each in table.ignored}:
        return "left out on purpose", ()
    return "not mapped", ()


def _reads(figure: Figure, rows: Rows, header: str) -> bool:
    if isinstance(figure, Spread):
        return header in rows.names.get(figure.names, frozenset())
    return normalise(header) in {normalise(each) for each in (figure.header, *figure.aliases)}


def guess(cells: Collection[Cell]) -> str | None:
    """Return the first plain parser that reads every cell that says something."""
    told = [cell for cell in cells if cell is not None and cell != ""]
    if not told:
        return None
    signed = all(isinstance(cell, str) and cell.strip().endswith("%") for cell in told)
    for name in ("percent",) if signed else _GUESSES:
        if name == "percent" and not signed:
            continue
        with contextlib.suppress(ValueError):
            for cell in told:
                NAMED[name](cell)
            return name
    return None


def mapping(name: str, parse: str | None, taken: set[str], *words: str) -> dict[str, Any]:
    """Return the keys that map something to a metric of its own: no two share a name.

    ``words`` come before ``name`` in the metric's name; ``taken`` are names in use.
    """
    stem = "_".join(filter(None, map(_slug, ("custom", *words, name)))).removesuffix("_total")
    stem += _ENDINGS.get(parse or "", "")
    metric, number = stem, 1
    while metric in taken:
        number += 1
        metric = f"{stem}_{number}"
    taken.add(metric)
    return {"metric": metric} if parse in (None, "number") else {"metric": metric, "parse": parse}


def taken_names(found: Sequence[Offer]) -> set[str]:
    """Return the metrics that are in use, as they are written in the configuration."""
    return {metric.removeprefix(PREFIX) for each in found for metric in each.metrics}


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.casefold()).strip("_")
