"""What are the rows of a grid about: which of them are wanted, and what are they called?"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from exporter.metrics.labels import Scope, label_pairs
from exporter.metrics.tables import Table


@dataclass(frozen=True, slots=True, eq=False)
class Naming:
    """What the rows of one grid are about.

    ``size`` is the number of rows; ``texts`` are the cells that name them, column by column: the
    key's, then a person's name where there is one. ``wanted`` are the rows that name themselves
    and that the account wants, ``None`` for all. The others have one entry for each wanted row,
    none where rows are only counted: ``shown`` their own label values, ``parts`` the same as
    ``a="x",b="y"``, which are ``distinct`` where no two of them are the same.
    """

    size: int
    texts: Sequence[Sequence[str]]
    wanted: Sequence[int] | None
    shown: Sequence[tuple[str, ...]]
    parts: Sequence[bytes]
    distinct: bool


def name_rows(
    table: Table,
    scope: Scope,
    size: int,
    texts: Sequence[Sequence[str]],
    before: Naming | None = None,
) -> Naming:
    """Find out what rows are about; ``before`` itself, by the same table and scope, if the same."""
    if before is not None and before.size == size and before.texts == texts:
        return before
    keys = [key.label for key in table.key]
    rows = list(zip(*texts, strict=True)) if texts else [()] * size
    chosen = [
        at
        for at, names in enumerate(rows)
        if all(name.strip() for name in names[: len(keys)]) and scope.wants(table.subject, names)
    ]
    wanted = [rows[at] for at in chosen]
    shown = _shown(table, scope, wanted)
    parts = [label_pairs(dict(zip(keys, name, strict=True))) for name in shown]
    return Naming(
        size,
        texts,
        None if len(chosen) == size else chosen,
        shown,
        parts,
        len(set(parts)) == len(parts),
    )


def _shown(table: Table, scope: Scope, rows: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    keys = len(table.key)
    if table.subject != "agent":
        return [row[:keys] for row in rows]
    if scope.agents == "aggregate":
        return []
    if scope.agents == "hashed":
        return [(scope.hashed(row[0]),) for row in rows]
    if scope.agents == "name" and rows and len(rows[0]) > keys:
        return [(name,) for name in _display_names(rows, keys)]
    return [row[:keys] for row in rows]


def _display_names(rows: Sequence[tuple[str, ...]], at: int) -> list[str]:
    """Return people's names; those of namesakes carry the id, those without one are ids."""
    names = [row[at].strip() for row in rows]
    often = Counter(names)
    return [
        name if name and often[name] == 1 else f"{name} ({row[0]})" if name else row[0]
        for name, row in zip(names, rows, strict=True)
    ]
