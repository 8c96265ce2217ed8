"""What is measured with: the same made-up centre of 20 accounts and 100 families for every peer."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from exporter.metrics.families import PREFIX, Family
from exporter.metrics.labels import AccountLabels
from exporter.metrics.parsers import count, milliseconds
from exporter.metrics.period import Period
from exporter.metrics.reading import Reading, Rows
from exporter.metrics.tables import Column, Key, Subject, Table

ACCOUNTS = 20
FEED = "statistics"
SITE = {"site": "emea-west-01"}
# All accounts' objects for 10,000 series, and the figures of each object.
_PER_10K: dict[Subject, tuple[int, int]] = {
    "agent": (300, 20),
    "queue": (60, 40),
    "campaign": (40, 40),
}
POOL = 8_000  # numbers to take cells from; more would weigh in the memory that is measured
_NARROW = 3  # columns
_SHARE = 20  # one row of that many changes: 5 %

# What differs from one reading to the next: every cell, all cells of 5 % of the rows, three cells
# of 5 % of the rows, nothing.
Change = Literal["all", "scattered", "narrow", "nothing"]


def _table(subject: Subject, figures: int) -> Table:
    """Declare a table half of whose figures are day totals and half durations."""
    columns = []
    for figure in range(figures):
        name = f"{PREFIX}{subject}_benchmark_figure_{figure:02}"
        labels = (subject, "media")
        if figure % 2:
            family = Family(f"{name}_seconds", "A duration of the benchmark.", "gauge", labels)
        else:
            family = Family(f"{name}_total", "A total of the benchmark.", "counter", labels)
        parse = milliseconds if figure % 2 else count
        columns.append(Column(f"Figure {figure:02}", family, parse, {"media": "voice"}))
    key = (Key(subject, "Name"),)
    return Table(subject, key, tuple(columns), subject, period=Period("day"))


TABLES = tuple(_table(subject, figures) for subject, (_, figures) in _PER_10K.items())


def columns(table: Table) -> list[Column]:
    """Return a table's figures, all of which are columns."""
    return [figure for figure in table.figures if isinstance(figure, Column)]


def _numbers() -> list[int]:
    chance = random.Random(9)  # noqa: S311 - the same figures in every run
    return [chance.randrange(10, 10 ** chance.randint(2, 7)) for _ in range(POOL)]


_NUMBERS = _numbers()
TEXTS = [str(each) for each in _NUMBERS]


@dataclass(frozen=True, slots=True)
class Account:
    """One account's share of a workload: how many objects of each kind it has."""

    number: int
    sizes: tuple[int, ...]

    @property
    def name(self) -> str:
        """The label ``account``."""
        return f"acme-{self.number:02}"

    @property
    def labels(self) -> AccountLabels:
        """What its series show."""
        return AccountLabels({"provider": "five9", "account": self.name, **SITE}, agents="id")

    def reading(self, generation: int, change: Change = "all") -> Reading:
        """Return a reading; of two generations that follow each other ``change`` differs.

        Every cell is a text of its own, as a parser of answers makes them; totals never fall.
        """
        return Reading(
            {
                table.name: Rows(
                    ["Name", *(figure.header for figure in columns(table))],
                    [self._row(at, row, generation, change) for row in range(self.sizes[at])],
                )
                for at, table in enumerate(TABLES)
            }
        )

    def _row(self, at: int, row: int, generation: int, change: Change) -> Sequence[str]:
        subject = TABLES[at].name
        half = len(TABLES[at].figures) // 2
        start = (self.number * 977 + at * 311 + row) * 41 % (POOL // 2)
        moved = 0 if change == "nothing" else generation
        if change in ("scattered", "narrow"):
            moved = max(0, generation - (generation - row) % _SHARE)
        cells = [""] * (1 + 2 * half)
        cells[0] = f"{subject}-{row:05}@example.com"
        cells[1::2] = [str(each + 7 * moved) for each in _NUMBERS[start : start + half]]
        start += moved * 4999 % (POOL // 4)
        cells[2::2] = "\n".join(TEXTS[start : start + half]).split("\n")
        if change == "narrow" and moved:
            cells[1 + _NARROW :] = self._row(at, row, 0, "nothing")[1 + _NARROW :]
        return cells


def accounts(series: int) -> list[Account]:
    """Return accounts that have ``series`` series together; a multiple of 10,000."""
    assert series % 10_000 == 0
    scale = series // 10_000
    return [
        Account(number, tuple(scale * objects // ACCOUNTS for objects, _ in _PER_10K.values()))
        for number in range(ACCOUNTS)
    ]
