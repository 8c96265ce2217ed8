"""What an account may show: its labels, how agents are named, which objects are wanted."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

from exporter.metrics.tables import Subject

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
