"""Patterns that select objects by name: equality first, shell patterns second."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from fnmatch import translate

_WILDCARDS = frozenset("*?[")


def composed(text: str) -> str:
    """Return a text in which a letter and its accents are one character where Unicode has it.

    Platforms and editors write such a letter in either way, and it looks the same (Unicode Standard
    Annex 15, form NFC).
    """
    return text if text.isascii() else unicodedata.normalize("NFC", text)


class Patterns:
    """Texts that match an equal name and, as shell patterns, other names.

    So ``Support [EN]`` matches the name ``Support [EN]``. Letter case and white space count;
    how an accented letter is encoded does not. ``unmatched`` are the texts that have matched
    nothing yet.
    """

    __slots__ = ("_expressions", "_texts", "unmatched")

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts: dict[str, set[str]] = {}  # texts by their composed form
        for text in texts:
            self._texts.setdefault(composed(text), set()).add(text)
        self.unmatched = set().union(*self._texts.values())
        self._expressions = [
            (text, re.compile(translate(text)).match)
            for text in sorted(self._texts)
            if not _WILDCARDS.isdisjoint(text)
        ]

    def match(self, names: Sequence[str], aliases: Sequence[str] = ()) -> bool:
        """Return whether any text matches one of an object's names, or equals an alias."""
        names = [composed(name) for name in names]
        equal = self._texts.keys() & {*names, *map(composed, aliases)}
        self.unmatched.difference_update(*(self._texts[text] for text in equal))
        matches = bool(equal)
        for text, expression in self._expressions:
            if matches and self.unmatched.isdisjoint(self._texts[text]):
                continue
            if any(map(expression, names)):
                matches = True
                self.unmatched -= self._texts[text]
        return matches
