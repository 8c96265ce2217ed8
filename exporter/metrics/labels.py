"""What an account may show: its labels, how agents are named, which objects are wanted."""

import hashlib
import hmac
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

from exporter.metrics.tables import Subject, Table

AgentMode = Literal["aggregate", "hashed", "id", "name"]
_HASH_DIGITS = 16


def escape(value: str) -> str:
    """Escape a label value as both exposition formats ask."""
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def label_pairs(labels: Mapping[str, str]) -> bytes:
    """Write labels as ``a="x",b="y"``."""
    text = ",".join(f'{name}="{escape(value)}"' for name, value in labels.items())
    return text.encode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Scope:
    """One account's say in how rows become series.

    ``base`` holds the labels on every series, ``provider`` and ``account`` first. Patterns are
    shell patterns by subject: a row is wanted if it matches one of ``include`` (where there are
    any) and none of ``exclude``.
    """

    base: Mapping[str, str]
    agents: AgentMode = "aggregate"
    agents_key: bytes = field(default=b"", repr=False)
    include: Mapping[Subject, Sequence[str]] = field(default_factory=dict)
    exclude: Mapping[Subject, Sequence[str]] = field(default_factory=dict)

    def wants(self, subject: Subject | None, names: Sequence[str]) -> bool:
        """Tell whether an object known by any of ``names`` is to be exported."""
        if subject is None:
            return True
        include = self.include.get(subject, ())
        exclude = self.exclude.get(subject, ())
        if include and not any(fnmatchcase(name, p) for name in names for p in include):
            return False
        return not any(fnmatchcase(name, pattern) for name in names for pattern in exclude)

    def hashed(self, identity: str) -> str:
        """Return the pseudonym of an agent: stable, and not to be reversed without the key."""
        digest = hmac.new(
            self.agents_key, identity.encode("utf-8", "surrogatepass"), hashlib.sha256
        )
        return digest.hexdigest()[:_HASH_DIGITS]


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
