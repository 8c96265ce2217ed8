"""Parsers of cells.

Every parser takes one cell that is neither null nor empty and returns an ``int`` or a finite
``float`` in base units, or raises ``ValueError``. Parsers do not guess.
"""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import cast

import orjson

Cell = str | int | float | None
Number = int | float
Parser = Callable[[Cell], Number]

_DECIMAL = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d{1,3})?", re.ASCII)
_CLOCK = re.compile(r"(\d{1,6}):([0-5]\d):([0-5]\d)(\.\d+)?", re.ASCII)
_PAIR = re.compile(r"(\d{1,18})\s*\(\s*(\d{1,18})\s*\)", re.ASCII)
_COUNT_SHARE = re.compile(r"(\d{1,18})(\s*\(\s*\d+(\.\d+)?\s*%\s*\))?", re.ASCII)
OF_ONE = " of 1"  # ends a ratio that is a fraction
_LARGEST = 1e200  # sums of such numbers are still finite
_EXACT = 2**53  # above it, a float cannot represent every integer
END_OF_TIME = 32_503_680_000  # epoch seconds, the year 3000: what is later is no time of a figure


def number(cell: Cell) -> Number:
    """Read a decimal number; integers stay integers."""
    if isinstance(cell, str):
        text = cell.strip()
        if text.isascii() and text.isdigit() and len(text) < 16:  # noqa: PLR2004 - below 2**53
            return int(text)
        if not _DECIMAL.fullmatch(text):
            raise ValueError(f"not a number: {len(text)} characters")
        value = float(text)
    elif isinstance(cell, bool) or not isinstance(cell, int | float):
        raise ValueError(f"not a number: {type(cell).__name__}")
    else:
        value = float(cell) if abs(cell) <= _LARGEST else math.inf
    if not abs(value) <= _LARGEST:
        raise ValueError("not finite, or too large")
    return int(value) if value.is_integer() and abs(value) < _EXACT else value


def seconds(cell: Cell) -> Number:
    """Read a duration in seconds; negative values are invalid."""
    value = number(cell)
    if value < 0:
        raise ValueError("a duration cannot be negative")
    return value


def milliseconds(cell: Cell) -> Number:
    """Read a duration in milliseconds."""
    return seconds(cell) / 1000


def plain_text(value: object) -> str:
    """Return a name or id of JSON as a text; empty for null, a boolean, a list and an object."""
    is_plain = isinstance(value, str | int | float) and not isinstance(value, bool)
    return str(value) if is_plain else ""


def total(numbers: Iterable[Number]) -> Number:
    """Return the sum of numbers that a parser returned; it may be larger than any of them."""
    value = sum(numbers)
    if abs(value) >= _EXACT:
        return float(value)  # an integer may have more digits than JSON's encoder takes
    return int(value) if value == int(value) else value


def epoch_seconds(cell: Cell) -> Number:
    """Read a time in seconds since the epoch; later than the year 2999 is invalid."""
    value = seconds(cell)
    if value >= END_OF_TIME:
        raise ValueError("not a time: too late")
    return value


def epoch_milliseconds(cell: Cell) -> Number:
    """Read a time in milliseconds since the epoch."""
    return epoch_seconds(seconds(cell) / 1000)


def count(cell: Cell) -> Number:
    """Read a count; negative values are invalid."""
    value = number(cell)
    if value < 0:
        raise ValueError("a count cannot be negative")
    return value


def fraction(cell: Cell) -> Number:
    """Read a ratio from 0 to 1."""
    return count(cell)


def percent(cell: Cell) -> Number:
    """Read a ratio in per cent, with or without the sign: ``93`` and ``93%`` are 0.93."""
    if isinstance(cell, str):
        cell = cell.strip().removesuffix("%")
    return count(cell) / 100


def share(cell: Cell) -> Number:
    """Read a ratio of undocumented scale, from 0 to 1.

    Only zero and values that show their scale are valid: ``93%``, and ``0.93 of 1``, as
    ``collector.scales`` writes them where it has found the scale.
    """
    text = cell.strip() if isinstance(cell, str) else ""
    if text.endswith("%"):
        value = percent(text)
    elif text.endswith(OF_ONE):
        value = fraction(text.removesuffix(OF_ONE))
    elif count(cell) == 0:
        value = 0
    else:
        raise ValueError("a ratio without percent sign, whose scale is not documented")
    if value > 1:
        raise ValueError("a ratio above 1")
    return value


def clock(cell: Cell) -> Number:
    """Read a duration ``HH:MM:SS``."""
    match = _CLOCK.fullmatch(cell.strip()) if isinstance(cell, str) else None
    if match is None:
        raise ValueError("not a duration HH:MM:SS")
    hours, minutes, secs, part = match.groups()
    whole = int(hours) * 3600 + int(minutes) * 60 + int(secs)
    return whole + float(part) if part else whole


def _pair(cell: Cell, group: int) -> Number:
    match = _PAIR.fullmatch(cell.strip()) if isinstance(cell, str) else None
    if match is None:
        raise ValueError("not a pair N (M)")
    return int(match[group])


def pair(cell: Cell) -> Number:
    """Read the first of two counts: ``7 (6)`` is 7."""
    return _pair(cell, 1)


def pair_second(cell: Cell) -> Number:
    """Read the second of two counts: ``7 (6)`` is 6."""
    return _pair(cell, 2)


def count_share(cell: Cell) -> Number:
    """Read a count that may carry its share: ``12`` and ``12 (8%)`` are 12."""
    if isinstance(cell, str):
        match = _COUNT_SHARE.fullmatch(cell.strip())
        if match is None:
            raise ValueError("not a count with its share")
        return int(match[1])
    return count(cell)


# Parsers that only divide a string of digits, and their divisors.
_DIVISORS: dict[Parser, int] = {
    number: 1,
    count: 1,
    fraction: 1,
    seconds: 1,
    milliseconds: 1000,
}


def whole_numbers(column: Sequence[Cell], parse: Parser) -> Sequence[Number] | None:
    """Read a column in bulk, several times faster than ``parse`` cell by cell.

    Return ``None`` if a cell is not a string of digits, or if ``parse`` is not known.
    """
    divisor = _DIVISORS.get(parse)
    if divisor is None or not column:
        return None
    try:
        text = ",".join(cast("Sequence[str]", column)).encode()
        if text.translate(None, b"0123456789,"):
            return None
        numbers: list[int] = orjson.loads(b"[%b]" % text)
    except (TypeError, ValueError):  # a cell is not a string, is empty, or begins with a zero
        return None
    if len(numbers) != len(column):  # a cell such as "1,234"
        return None
    if sum(numbers) >= _EXACT and max(numbers) >= _EXACT:  # the sum alone is faster
        return None
    return numbers if divisor == 1 else [value / divisor for value in numbers]


NAMED: dict[str, Parser] = {
    "number": number,
    "percent": percent,
    "fraction": fraction,
    "seconds": seconds,
    "milliseconds": milliseconds,
    "clock": clock,
    "pair": pair,
    "pair_second": pair_second,
    "epoch_milliseconds": epoch_milliseconds,
}
