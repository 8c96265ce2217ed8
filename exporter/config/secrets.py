"""Hidden characters in secrets and in names that are sent with them: finds and describes them."""

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, Field

NOT_ASCII = (
    "has characters outside ASCII: Basic credentials are sent as UTF-8, while Python's requests "
    "sends Latin-1; which of them the platform expects could not be verified"
)
_NAMES = {
    "\x00": "NUL",
    "\t": "tab",
    "\n": "line break",
    "\r": "carriage return",
    "\ufeff": "byte-order mark",
}
# Cc control, Cf format, Cs surrogate, Zl and Zp separators; Zs are spaces.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Zs"})
# Unicode's Default_Ignorable_Code_Point outside these categories, and the blank of Braille.
_IGNORABLE = frozenset(
    map(
        chr,
        (
            *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180F, 0x2800),
            *(0x3164, 0xFFA0, *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)),
        ),
    )
)
_PEM = "-----BEGIN "
_PEM_BLANKS = str.maketrans("", "", " \r\n")
_MOST_INSIDE = 3


def describe_hidden(text: str) -> str:
    """Return which hidden characters a text has and where, or an empty string.

    White space other than a space inside is hidden, as are control characters and everything that
    has no shape of its own. In a PEM text line breaks and spaces are not. The rest of the text is
    not shown.
    """
    if _PEM in text:
        text = text.translate(_PEM_BLANKS)
    places = []
    if text and (text[0] == " " or _is_hidden(text[0])):
        places.append(f"{_name(text[0])} at the beginning")
    if len(text) > 1 and (text[-1] == " " or _is_hidden(text[-1])):
        places.append(f"{_name(text[-1])} at the end")
    inside = dict.fromkeys(_name(ch) for ch in text[1:-1] if _is_hidden(ch))
    places += [f"{name} inside" for name in list(inside)[:_MOST_INSIDE]]
    return f"hidden characters: {', '.join(places)}" if places else ""


def remove_hidden(text: str) -> str:
    """Return a text without its hidden characters, to look for other faults in it."""
    kept = text if _PEM in text else text.strip(" ")
    return "".join(ch for ch in kept if not _is_hidden(ch) or (_PEM in text and ch in "\r\n"))


def _is_hidden(character: str) -> bool:
    if character == " ":
        return False
    return unicodedata.category(character) in _HIDDEN or character in _IGNORABLE


def _name(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cs":  # how the environment holds a byte that is not UTF-8
        return "byte that is not UTF-8"
    default = "control character" if category == "Cc" else "invisible character"
    name = _NAMES.get(character) or unicodedata.name(character, default).lower()
    return f"{name} (U+{ord(character):04X})"


def _visible(text: str) -> str:
    if fault := describe_hidden(text):
        raise ValueError(fault)
    return text


# The name of a user, client or tenant, which is sent with a secret.
Credential = Annotated[str, Field(min_length=1), AfterValidator(_visible)]
