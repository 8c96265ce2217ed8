"""Patterns that select objects by name: equality first, shell patterns second."""

import re
from collections.abc import Iterable, Sequence
from fnmatch import translate

_WILDCARDS = frozenset("*?[")


class Patterns:
    """Texts that match an equal name and, as shell patterns, other names.

    So ``Support [EN]`` matches the name ``Support [EN]``. Letter case and white space count.
    ``unmatched`` are the texts that have matched nothing yet.
    """

    __slots__ = ("_expressions", "texts", "unmatched")

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts = frozenset(texts)
        self.unmatched = set(self.texts)
        self._expressions = [
            (text, re.compile(translate(text)).match)
            for text in sorted(self.texts)
            if not _WILDCARDS.isdisjoint(text)
        ]

    def match(self, names: Sequence[str], aliases: Sequence[str] = ()) -> bool:
        """Return whether any text matches one of an object's names, or equals an alias."""
        equal = self.texts.intersection((*names, *aliases))
        self.unmatched -= equal
        matches = bool(equal)
        for text, expression in self._expressions:
            if matches and text not in self.unmatched:
                continue
            if any(map(expression, names)):
                matches = True
                self.unmatched.discard(text)
        return matches
