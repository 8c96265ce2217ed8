"""Declarations: which column of a platform's table is which figure?

A table is a literal, checked when it is made: its labels against the families', its headers
against each other. It says *what* maps to what; ``fold.py`` does the mapping, and odd answers are
shaped into rows by the provider's collector before they come here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal

from exporter.metrics.families import Family
from exporter.metrics.parsers import Parser, number
from exporter.metrics.period import Period

Subject = Literal["queue", "agent", "campaign"]


@lru_cache(maxsize=16_384)  # the same few headers and words come with every answer
def normalise(text: str) -> str:
    """Reduce a header or state word to what matters: letters and digits, caseless."""
    return "".join(ch for ch in text.casefold() if ch.isalnum())


@dataclass(frozen=True, slots=True)
class States:
    """A platform's state words (any case and punctuation) → our canonical ones."""

    canonical: tuple[str, ...]
    words: Mapping[str, str]

    def __post_init__(self) -> None:
        strange = set(self.words.values()) - set(self.canonical)
        if strange:
            raise ValueError(f"not canonical: {strange}")
        object.__setattr__(self, "words", {normalise(k): v for k, v in self.words.items()})


@dataclass(frozen=True, slots=True)
class Column:
    """One figure of a row: ``header`` (or an alias) → ``family``, read by ``parse``.

    ``certain`` is False where the vendor's spelling is our guess, so its absence is no news.
    """

    header: str
    family: Family
    parse: Parser = number
    labels: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    certain: bool = True


@dataclass(frozen=True, slots=True)
class State:
    """A column of state words.

    ``show`` says which series are made: ``current``, one per row with the value 1, whose label
    ``state`` is the row's state; ``each``, one per row and canonical state, 1 for the row's state
    and 0 for the others; ``count``, one per canonical state, the number of rows in it.
    """

    header: str
    family: Family
    states: States
    show: Literal["current", "each", "count"] = "current"
    aliases: tuple[str, ...] = ()
    certain: bool = True


@dataclass(frozen=True, slots=True)
class Reasons:
    """The number of rows by the platform's own word in ``header``.

    Only the rows whose ``state_header`` means ``state`` count; past ``cap`` different words the
    rarest are summed under ``other``.
    """

    header: str
    family: Family
    state_header: str
    states: States
    state: str
    cap: int = 50
    aliases: tuple[str, ...] = ()
    certain: bool = True


@dataclass(frozen=True, slots=True)
class Sum:
    """The sum of a column over all rows; absent where no row has a value."""

    header: str
    family: Family
    parse: Parser = number
    aliases: tuple[str, ...] = ()
    certain: bool = True


@dataclass(frozen=True, slots=True)
class Spread:
    """The columns named at run time (dispositions): the header becomes the label ``label``.

    Past ``cap`` names the rest are summed under ``other``.
    """

    names: str
    family: Family
    label: str
    parse: Parser = number
    cap: int = 50


Figure = Column | State | Reasons | Sum | Spread


@dataclass(frozen=True, slots=True)
class Key:
    """A label whose value is a row's cell: what the row is about."""

    label: str
    header: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """One grid of rows and the figures in it.

    ``key`` names the row. ``subject`` says what a row is about, so that include and exclude
    patterns, and the privacy of agents, apply; ``display`` is the header of a person's name.
    ``ignored`` headers are known and left out on purpose; ``private`` ones are never exported,
    not even raw. ``period`` is what the period figures cover, set for each account by ``over``.
    Raises ``ValueError`` where a family's labels are not exactly those that the table can give.
    """

    name: str
    key: tuple[Key, ...]
    figures: tuple[Figure, ...]
    subject: Subject | None = None
    display: str | None = None
    ignored: tuple[str, ...] = ()
    private: tuple[str, ...] = ()
    period: Period | None = None

    def __post_init__(self) -> None:
        for figure in self.figures:
            self._check_labels(figure)
        taken: dict[str, str] = {}
        for owner, header in self._headers():
            other = taken.setdefault(normalise(header), owner)
            if other != owner:
                raise ValueError(f"{self.name}: {header!r} is claimed by {other} and {owner}")

    def over(self, period: Period) -> "Table":
        """Return this table for a period: counters become their sliding twins if it slides."""
        figures = self.figures
        if period.slides:
            figures = tuple(
                replace(figure, family=figure.family.sliding) if figure.family.sliding else figure
                for figure in figures
            )
        return replace(self, figures=figures, period=period)

    def extended(self, columns: tuple[Column, ...]) -> "Table":
        """Return this table with the user's own columns, which win over what they name again."""
        mine = {normalise(column.header) for column in columns}
        figures = tuple(
            figure
            for figure in self.figures
            if not (isinstance(figure, Column) and mine & _names(figure))
        )
        ignored = tuple(header for header in self.ignored if normalise(header) not in mine)
        return replace(self, figures=(*figures, *columns), ignored=ignored)

    def _check_labels(self, figure: Figure) -> None:
        given = [key.label for key in self.key] if _is_per_row(figure) else []
        given += _own_labels(figure)
        wanted = set(figure.family.labels) - {"window"}
        keys = tuple(key.label for key in self.key)
        if set(given) != wanted or len(given) != len(wanted):
            raise ValueError(
                f"{self.name}: {figure.family.name} has the labels {sorted(wanted)}, "
                f"not {sorted(given)}"
            )
        inner = tuple(label for label in figure.family.labels if label in keys)
        if inner and (inner != keys or "".join(keys) not in "".join(figure.family.labels)):
            raise ValueError(f"{self.name}: {figure.family.name} must name {keys} side by side")

    def _headers(self) -> list[tuple[str, str]]:
        """Return (owner, header) pairs; figures of one header may share it."""
        pairs = [("key", name) for key in self.key for name in (key.header, *key.aliases)]
        pairs += [("ignored", header) for header in (*self.ignored, *self.private)]
        for figure in self.figures:
            if not isinstance(figure, Spread):
                names = (figure.header, *figure.aliases)
                pairs += [(f"column {figure.header}", name) for name in names]
        return pairs


def _is_per_row(figure: Figure) -> bool:
    if isinstance(figure, State):
        return figure.show != "count"
    return isinstance(figure, Column | Spread)


def _own_labels(figure: Figure) -> list[str]:
    """Return the labels that a figure adds to those of its row."""
    if isinstance(figure, Column):
        return list(figure.labels)
    if isinstance(figure, Spread):
        return [figure.label]
    if isinstance(figure, Sum):
        return []
    return ["reason"] if isinstance(figure, Reasons) else ["state"]


def _names(column: Column) -> set[str]:
    return {normalise(name) for name in (column.header, *column.aliases)}
