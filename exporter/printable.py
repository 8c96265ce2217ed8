"""Texts of others for terminals, logs and pages: hidden characters escaped, length bounded."""

import json

_LONGEST = 4000  # characters of one text


def escape_hidden(text: str) -> str:
    r"""Return a text with JSON's escapes, such as ``\u001b``, for characters that are not shown.

    These are controls (C0, C1, DEL), line and paragraph separators, characters without width, those
    that change the direction of writing, and every space but the plain one.
    """
    if text.isprintable():
        return text
    return "".join(ch if ch.isprintable() else json.dumps(ch)[1:-1] for ch in text)


def shorten(text: str) -> str:
    """Return a text, cut where it is too long."""
    more = len(text) - _LONGEST
    return f"{text[:_LONGEST]}… ({more} more characters)" if more > 0 else text


def printable(text: str) -> str:
    """Return a text as one line of bounded length without hidden characters."""
    return escape_hidden(shorten(text))
