"""Labels of an account's series: base labels, filters and how agents are named."""

import hashlib
import hmac
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from exporter.metrics.patterns import Patterns
from exporter.metrics.reading import REPLACEMENT
from exporter.metrics.tables import Subject, Table

LONGEST_VALUE = 256  # characters of a label value; longer ones are cut
_SHOWN = LONGEST_VALUE - 16  # characters of a value that is cut, before the digits of its digest
AgentMode = Literal["aggregate", "hashed", "id", "name"]
_HASH_DIGITS = 16


def escape(value: str) -> str:
    """Escape a label value; both exposition formats use the same rules."""
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def bounded(value: str) -> str:
    """Return a label value, or where it is too long its beginning and a digest of the whole.

    Values that differ stay different: the result is longer than any value that is not cut. A
    replaced character stays visible, as by ``AccountLabels.pseudonym``.
    """
    if len(value) <= LONGEST_VALUE:
        return value
    digest = hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return f"{value[:_SHOWN]}\u2026{digest}{REPLACEMENT if REPLACEMENT in value else ''}"


def cut_values(values: Iterable[str]) -> int:
    """Return how many label values are too long."""
    return sum(len(value) > LONGEST_VALUE for value in values)


def render_labels(labels: Mapping[str, str]) -> bytes:
    """Return labels as ``a="x",b="y"``, each value ``bounded``.

    NUL, which ends an exposition for some, is replaced.
    """
    text = ",".join(f'{name}="{escape(bounded(value))}"' for name, value in labels.items())
    return text.replace("\0", REPLACEMENT).encode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Filter:
    """Names and shell patterns that select objects, by subject.

    An object passes if one of its names matches an item of ``include`` (an empty list matches
    everything) and none of its names matches an item of ``exclude``.
    """

    include: Mapping[Subject, Sequence[str]] = field(default_factory=dict)
    exclude: Mapping[Subject, Sequence[str]] = field(default_factory=dict)
    _include: Mapping[Subject, Patterns] = field(init=False, repr=False, compare=False)
    _exclude: Mapping[Subject, Patterns] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("include", "exclude"):
            lists: Mapping[Subject, Sequence[str]] = getattr(self, name)
            compiled = {subject: Patterns(texts) for subject, texts in lists.items() if texts}
            object.__setattr__(self, f"_{name}", compiled)

    def accepts(
        self, subject: Subject | None, names: Sequence[str], aliases: Sequence[str] = ()
    ) -> bool:
        """Return whether an object known by ``names`` passes; rows without subject always do.

        ``aliases`` are compared for equality only.
        """
        if subject is None:
            return True
        include, exclude = self._include.get(subject), self._exclude.get(subject)
        # Both are applied, so that the items that match nothing are known.
        included = include is None or include.match(names, aliases)
        excluded = exclude is not None and exclude.match(names, aliases)
        return included and not excluded

    def unmatched(self, subject: Subject) -> list[str]:
        """Return the items for a subject that have matched nothing yet, sorted."""
        lists = (self._include.get(subject), self._exclude.get(subject))
        return sorted({text for patterns in lists if patterns for text in patterns.unmatched})


@dataclass(frozen=True, slots=True)
class AccountLabels:
    """How one account's rows are labelled, and which rows are exported.

    ``base`` holds the labels of every series, ``provider`` and ``account`` first. ``agents_key``
    is the key of the hash that replaces agents' ids in the mode ``hashed``.
    """

    base: Mapping[str, str]
    agents: AgentMode = "aggregate"
    agents_key: bytes = field(default=b"", repr=False)
    filter: Filter = Filter()

    def accepts_agent(self, agent_id: str, name: str) -> bool:
        """Return whether an agent passes: by id, by name, or by the label for namesakes.

        Where agents are shown and some are excluded, one with a replaced character does not pass:
        it may be one of those.
        """
        if not self.filter.include and not self.filter.exclude:
            return True
        shown = name.strip()
        names = [text for text in (agent_id, name, shown) if text]
        accepted = self.filter.accepts("agent", names, (f"{shown} ({agent_id})",))
        unsure = self.agents != "aggregate" and self.filter.exclude.get("agent")
        return accepted and not (unsure and any(REPLACEMENT in text for text in names))

    def pseudonym(self, agent_id: str) -> str:
        """Return the keyed hash of an agent's id: stable, not reversible without the key.

        A replaced character stays visible, as other agents may have the same id.
        """
        digest = hmac.new(
            self.agents_key, agent_id.encode("utf-8", "surrogatepass"), hashlib.sha256
        )
        mark = REPLACEMENT if REPLACEMENT in agent_id else ""
        return digest.hexdigest()[:_HASH_DIGITS] + mark


@dataclass(frozen=True, slots=True, eq=False)
class RowLabels:
    """The row labels of one grid.

    ``size`` is the number of rows; ``names`` are the cells that name them, column by column: the
    key columns, then the object's name if the table has a column for it. ``kept`` are the indexes
    of the rows that have a complete key and pass the filter, ``None`` if all do. ``values`` (label
    values) and ``pairs`` (the same as ``a="x",b="y"``) have one item per kept row; they are empty
    for agents in the mode ``aggregate``. ``unique`` is true if no two ``pairs`` are equal.
    ``namesakes`` are the plain names of queues and campaigns, by subject and label. ``cut`` counts
    the values that are too long for a label; ``values`` has them whole.
    """

    size: int
    names: Sequence[Sequence[str]]
    kept: Sequence[int] | None
    values: Sequence[tuple[str, ...]]
    pairs: Sequence[bytes]
    unique: bool
    namesakes: Mapping[tuple[str, str], str]
    cut: int


def label_rows(
    table: Table,
    account: AccountLabels,
    size: int,
    names: Sequence[Sequence[str]],
    before: RowLabels | None = None,
) -> RowLabels:
    """Return the labels of a grid's rows.

    ``before`` is an earlier result for the same table and account; it is returned if its rows
    have the same names.
    """
    if before is not None and before.size == size and before.names == names:
        return before
    keys = [key.label for key in table.key]
    rows = list(zip(*names, strict=True)) if names else [()] * size
    kept = [
        index
        for index, row in enumerate(rows)
        if all(name.strip() for name in row[: len(keys)]) and _passes(table, account, row)
    ]
    values = _label_values(table, account, [rows[index] for index in kept])
    pairs = [render_labels(dict(zip(keys, value, strict=True))) for value in values]
    return RowLabels(
        size,
        names,
        None if len(kept) == size else kept,
        values,
        pairs,
        len(set(pairs)) == len(pairs),
        _namesakes(table, [rows[index] for index in kept]),
        sum(map(cut_values, values)),
    )


def _passes(table: Table, account: AccountLabels, row: Sequence[str]) -> bool:
    """Return whether a row, given as the cells that name it, passes an account's filter."""
    if table.subject == "agent":
        return account.accepts_agent(row[0], row[-1] if len(row) > len(table.key) else "")
    return account.filter.accepts(table.subject, [name for name in row if name])


def _namesakes(table: Table, rows: Sequence[tuple[str, ...]]) -> dict[tuple[str, str], str]:
    keys = len(table.key)
    if table.subject in (None, "agent") or not rows or len(rows[0]) == keys:
        return {}
    return {(str(table.subject), row[0]): row[keys] for row in rows if row[keys]}


def _label_values(
    table: Table, account: AccountLabels, rows: Sequence[tuple[str, ...]]
) -> list[tuple[str, ...]]:
    keys = len(table.key)
    if table.subject != "agent":
        return [row[:keys] for row in rows]
    if account.agents == "aggregate":
        return []
    if account.agents == "hashed":
        return [(account.pseudonym(row[0]),) for row in rows]
    if account.agents == "name" and rows and len(rows[0]) > keys:
        return [(name,) for name in _display_names(rows, keys)]
    return [row[:keys] for row in rows]


def _display_names(rows: Sequence[tuple[str, ...]], column: int) -> list[str]:
    """Return persons' names: with the id appended if not unique, the id alone if empty."""
    names = [row[column].strip() for row in rows]
    frequency = Counter(names)
    return [
        name if name and frequency[name] == 1 else f"{name} ({row[0]})" if name else row[0]
        for name, row in zip(names, rows, strict=True)
    ]
