"""Workload of the benchmarks: a made-up centre of 20 accounts and 100 families for every peer."""

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
# Objects of all accounts for 10,000 series, and figures per object.
_PER_10K: dict[Subject, tuple[int, int]] = {
    "agent": (300, 20),
    "queue": (60, 40),
    "campaign": (40, 40),
}
POOL = 8_000  # distinct numbers of the cells; more would add to the measured memory
_SHARE = 20  # one row in 20 changes: 5 %

# What differs from one reading to the next: every cell, all cells of 5 % of the rows, nothing.
Change = Literal["all", "scattered", "nothing"]


def _table(subject: Subject, figures: int) -> Table:
    """Return a table whose figures are half day totals, half durations."""
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
    """Return a table's figures; all of them are columns."""
    return [figure for figure in table.figures if isinstance(figure, Column)]


def _numbers() -> list[int]:
    chance = random.Random(9)  # noqa: S311 - the same figures in every run
    return [chance.randrange(10, 10 ** chance.randint(2, 7)) for _ in range(POOL)]


_NUMBERS = _numbers()
TEXTS = [str(value) for value in _NUMBERS]


@dataclass(frozen=True, slots=True)
class Account:
    """One account of a workload; ``sizes`` are its numbers of objects by table."""

    number: int
    sizes: tuple[int, ...]

    @property
    def name(self) -> str:
        """The label ``account``."""
        return f"acme-{self.number:02}"

    @property
    def labels(self) -> AccountLabels:
        """The labels of its series."""
        return AccountLabels({"provider": "five9", "account": self.name, **SITE}, agents="id")

    def reading(self, generation: int, change: Change = "all") -> Reading:
        """Return a reading, which differs from that of the previous generation by ``change``.

        Every cell is a string of its own, as a parser creates them; totals never fall.
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
        if change == "scattered":
            moved = max(0, generation - (generation - row) % _SHARE)
        cells = [""] * (1 + 2 * half)
        cells[0] = f"{subject}-{row:05}@example.com"
        cells[1::2] = [str(value + 7 * moved) for value in _NUMBERS[start : start + half]]
        start += moved * 4999 % (POOL // 4)
        cells[2::2] = "\n".join(TEXTS[start : start + half]).split("\n")
        return cells


def accounts(series: int) -> list[Account]:
    """Return 20 accounts with ``series`` series in total, which is a multiple of 10,000."""
    assert series % 10_000 == 0
    scale = series // 10_000
    return [
        Account(number, tuple(scale * objects // ACCOUNTS for objects, _ in _PER_10K.values()))
        for number in range(ACCOUNTS)
    ]
