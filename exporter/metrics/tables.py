"""Table declarations: which columns of a platform's answer feed which metric families.

A table is a literal; its labels and headers are checked when it is created. ``mapping`` applies
it to rows, into which the provider's collector has brought the platform's answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal

from exporter.metrics.families import Family
from exporter.metrics.parsers import Parser, number
from exporter.metrics.period import Period

_LONGEST_REMEMBERED = 100  # characters

Subject = Literal["queue", "agent", "campaign"]
Direction = Literal["inbound", "outbound"]


def normalise(text: str) -> str:
    """Return the letters and digits of a header or state word, case-folded."""
    return _normalised(text) if len(text) <= _LONGEST_REMEMBERED else _normalised.__wrapped__(text)


@lru_cache(maxsize=4096)  # every answer has the same few headers and words
def _normalised(text: str) -> str:
    return "".join(ch for ch in text.casefold() if ch.isalnum())


@dataclass(frozen=True, slots=True)
class States:
    """A platform's state words (any case and punctuation) and the canonical states they mean."""

    canonical: tuple[str, ...]
    words: Mapping[str, str]

    def __post_init__(self) -> None:
        unknown = set(self.words.values()) - set(self.canonical)
        if unknown:
            raise ValueError(f"not canonical states: {unknown}")
        object.__setattr__(self, "words", {normalise(k): v for k, v in self.words.items()})


@dataclass(frozen=True, slots=True)
class Column:
    """A column of numbers: one series per row.

    ``parse`` reads the cells of ``header`` or one of its ``aliases``; ``labels`` are constant.
    ``certain`` is false if the header may be absent, because the vendor does not document it or not
    every account has it; its absence is not reported.
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

    Only rows whose ``state_header`` means ``state`` are counted. If there are more than ``cap``
    different words, the rarest are summed as ``other``.
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
    """The sum of a column over all rows; no series if no row has a value."""

    header: str
    family: Family
    parse: Parser = number
    aliases: tuple[str, ...] = ()
    certain: bool = True


@dataclass(frozen=True, slots=True)
class Spread:
    """Columns named at run time, such as dispositions: the header is the label ``label``.

    ``names`` is the key of the headers in ``Rows.names``. Past ``cap`` headers the rest are
    summed as ``other``.
    """

    names: str
    family: Family
    label: str
    parse: Parser = number
    cap: int = 50


Figure = Column | State | Reasons | Sum | Spread


@dataclass(frozen=True, slots=True)
class Key:
    """A column that identifies a row; its cell is the value of the label ``label``."""

    label: str
    header: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """One grid of a platform's answer and its figures.

    ``key`` identifies a row. ``subject`` is what a row is about, for include and exclude patterns
    and the privacy of agents; ``display`` is the header of its name, where the key is an id, or
    a label made of name and id. ``direction`` is that of all campaigns in the table, if it tells
    one. ``ignored`` headers are left out on purpose; ``private`` ones are never exported, not even
    raw. ``period`` is the period of the figures, set per account by ``over``. ``inventory`` is set
    if the figures say what is configured, and not what happens.
    Raises ``ValueError`` if a figure does not give exactly the labels of its family, if its family
    is the exporter's own, if two owners claim a header, or if a table of other rows than campaigns
    has a direction.
    """

    name: str
    key: tuple[Key, ...]
    figures: tuple[Figure, ...]
    subject: Subject | None = None
    display: str | None = None
    direction: Direction | None = None
    ignored: tuple[str, ...] = ()
    private: tuple[str, ...] = ()
    period: Period | None = None
    inventory: bool = False

    def __post_init__(self) -> None:
        if self.direction and self.subject != "campaign":
            raise ValueError(f"{self.name}: only campaigns have a direction")
        for figure in self.figures:
            self._check_labels(figure)
        owners: dict[str, str] = {}
        for owner, header in self._headers():
            first = owners.setdefault(normalise(header), owner)
            if first != owner:
                raise ValueError(f"{self.name}: {header!r} is claimed by {first} and {owner}")

    def over(self, period: Period) -> "Table":
        """Return this table for a period; if it slides, counters become their sliding twins."""
        figures = self.figures
        if period.slides:
            figures = tuple(
                replace(figure, family=figure.family.sliding) if figure.family.sliding else figure
                for figure in figures
            )
        return replace(self, figures=figures, period=period)

    def extended(self, columns: tuple[Column, ...]) -> "Table":
        """Return this table with the user's columns, which replace columns of the same header."""
        replaced = {normalise(column.header) for column in columns}
        figures = tuple(
            figure
            for figure in self.figures
            if not (isinstance(figure, Column) and replaced & _headers(figure))
        )
        ignored = tuple(header for header in self.ignored if normalise(header) not in replaced)
        return replace(self, figures=(*figures, *columns), ignored=ignored)

    def _check_labels(self, figure: Figure) -> None:
        if figure.family.own:
            raise ValueError(f"{self.name}: {figure.family.name} is set by the exporter")
        given = [key.label for key in self.key] if _is_per_row(figure) else []
        given += _own_labels(figure)
        expected = set(figure.family.labels) - {"window"}
        keys = tuple(key.label for key in self.key)
        if set(given) != expected or len(given) != len(expected):
            raise ValueError(
                f"{self.name}: {figure.family.name} has the labels {sorted(expected)}, "
                f"not {sorted(given)}"
            )
        inner = tuple(label for label in figure.family.labels if label in keys)
        if inner and (inner != keys or "".join(keys) not in "".join(figure.family.labels)):
            raise ValueError(
                f"{self.name}: {figure.family.name} must have the labels {keys} side by side"
            )

    def _headers(self) -> list[tuple[str, str]]:
        """Return (owner, header) pairs; figures with the same header are one owner."""
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
    """Return the labels of a figure besides those of its row."""
    if isinstance(figure, Column):
        return list(figure.labels)
    if isinstance(figure, Spread):
        return [figure.label]
    if isinstance(figure, Sum):
        return []
    return ["reason"] if isinstance(figure, Reasons) else ["state"]


def _headers(column: Column) -> set[str]:
    return {normalise(name) for name in (column.header, *column.aliases)}
