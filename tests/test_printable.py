"""Tests of texts for terminals: no hidden character, one line, bounded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.printable import escape_hidden, printable


@given(st.text())
def test_no_hidden_character_stays(text: str) -> None:
    """Whatever the text, what is printed is one line of characters that are shown."""
    assert printable(text).isprintable()
    assert escape_hidden(escape_hidden(text)) == escape_hidden(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('Zoë 日本 😀 \\ "', 'Zoë 日本 😀 \\ "'),
        ("a\x1b[31m", r"a\u001b[31m"),
        ("a\r\n! forged", r"a\r\n! forged"),
        ("\x9b\x85\u2028\u202e\u2066", r"\u009b\u0085\u2028\u202e\u2066"),
        ("\u200b\xa0\x7f\ufeff", r"\u200b\u00a0\u007f\ufeff"),
        ("\U000e0041\ud800", r"\udb40\udc41\ud800"),
    ],
)
def test_escapes(text: str, expected: str) -> None:
    """Characters that are shown stay; the others are written as in JSON."""
    assert printable(text) == expected


def test_a_long_text_is_cut() -> None:
    """Of a long text the beginning is printed, and how much is missing."""
    assert printable("x" * 10_000) == "x" * 4000 + "… (6000 more characters)"
