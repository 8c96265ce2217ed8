import json
import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.metrics import parsers
from exporter.metrics.parsers import (
    NAMED,
    clock,
    count,
    count_share,
    epoch_milliseconds,
    fraction,
    milliseconds,
    number,
    pair,
    pair_second,
    percent,
    seconds,
    share,
)

EVERY = [*NAMED.values(), count, count_share, share]
counts = st.integers(min_value=0, max_value=10**15)
floats = st.floats(-1e200, 1e200)
odd_cells = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.text("0123456789.:()%+-eE \u0665", max_size=12),
    st.lists(st.integers()),
    st.dictionaries(st.text(), st.integers()),
)


@pytest.mark.parametrize(
    ("parse", "cell", "expected"),
    [
        (number, "7", 7),
        (number, " 7 ", 7),
        (number, "-7", -7),
        (number, "+7", 7),
        (number, "7.0", 7),
        (number, "7.5", 7.5),
        (number, ".5", 0.5),
        (number, "7.", 7),
        (number, "1e3", 1000),
        (number, 7, 7),
        (number, 7.0, 7),
        (number, -0.0, 0),
        (number, "9007199254740993", 9007199254740992.0),
        (number, "1e200", 1e200),
        (number, -1e200, -1e200),
        (seconds, "0", 0),
        (milliseconds, "1500", 1.5),
        (milliseconds, "0", 0),
        (epoch_milliseconds, "1760000000000", 1_760_000_000),
        (count, "12", 12),
        (count, 0, 0),
        (fraction, "0.93", 0.93),
        (percent, "93", 0.93),
        (percent, "93%", 0.93),
        (percent, "93 %", 0.93),
        (percent, 93, 0.93),
        (percent, "0", 0),
        (share, "93%", 0.93),
        (share, "0.93 of 1", 0.93),
        (share, "1 of 1", 1),
        (share, "0", 0),
        (share, 0, 0),
        (share, " 93% ", 0.93),
        (clock, "00:01:07", 67),
        (clock, "100:00:00", 360_000),
        (clock, "0:00:00", 0),
        (clock, "00:00:01.25", 1.25),
        (pair, "7 (6)", 7),
        (pair, "7(6)", 7),
        (pair_second, "7 (6)", 6),
        (pair_second, " 7 ( 6 ) ", 6),
        (count_share, "12", 12),
        (count_share, "12 (8%)", 12),
        (count_share, "12 (8.33%)", 12),
        (count_share, 12, 12),
    ],
)
def test_reads(parse: parsers.Parser, cell: parsers.Cell, expected: float) -> None:
    """A parser reads what it is made for."""
    assert expected == parse(cell)


@pytest.mark.parametrize(
    ("parse", "cell"),
    [
        (number, ""),
        (number, "-"),
        (number, "."),
        (number, "n/a"),
        (number, "1,000"),
        (number, "1_000"),
        (number, "0x10"),
        (number, "nan"),
        (number, "inf"),
        (number, "1e999"),
        (number, "1e201"),
        (number, "-1e201"),
        (number, 1.0000000000000001e200),
        (number, -1.0000000000000001e200),
        (number, 10**201),
        (number, "9" * 201),
        (percent, "1e201%"),
        (milliseconds, 1e201),
        (number, "\u0665"),
        (number, "5 5"),
        (number, None),
        (number, True),
        (number, float("nan")),
        (number, float("inf")),
        (seconds, "-1"),
        (milliseconds, "-1"),
        (epoch_milliseconds, "-1"),
        (count, "-1"),
        (fraction, "-0.1"),
        (percent, "-1%"),
        (percent, "%"),
        (percent, "9%3"),
        (share, "0.93"),
        (share, "93"),
        (share, 1),
        (share, "1.2 of 1"),
        (share, "101%"),
        (share, " of 1"),
        (clock, "1:07"),
        (clock, "00:60:00"),
        (clock, "00:00:60"),
        (clock, "-00:00:01"),
        (clock, 67),
        (clock, None),
        (pair, "7"),
        (pair, "7 (6"),
        (pair, "-7 (6)"),
        (pair, 7),
        (count_share, "12 (8)"),
        (count_share, "12.5"),
        (count_share, True),
    ],
)
def test_refuses(parse: parsers.Parser, cell: parsers.Cell) -> None:
    """A parser refuses what it is not sure of, with ValueError."""
    with pytest.raises(ValueError, match=r"."):
        parse(cell)


@given(st.sampled_from(EVERY), odd_cells)
def test_is_finite_or_refuses(parse: parsers.Parser, cell: parsers.Cell) -> None:
    """Whatever the cell, a parser returns a number that sums stand, or raises ValueError."""
    try:
        value = parse(cell)
    except ValueError:
        value = 0

    assert math.isfinite(value)
    assert abs(value) <= 1e200
    assert type(value) in (int, float)


@pytest.mark.parametrize("parse", [number, milliseconds, count_share])
def test_refuses_an_integer_that_no_float_can_hold(parse: parsers.Parser) -> None:
    """An integer beyond all floats, as JSON may hold, is refused with ValueError."""
    with pytest.raises(ValueError, match=r"."):
        parse(10**400)


@given(st.sampled_from([number, count, seconds, fraction, count_share]), counts)
def test_integers_survive(parse: parsers.Parser, value: int) -> None:
    """An integer written as text comes back as the same integer."""
    actual = parse(str(value))

    assert value == actual
    assert isinstance(actual, int)


@given(floats)
def test_decimals_survive(value: float) -> None:
    """A float written as text or JSON comes back as the same number."""
    assert value == number(repr(value))
    assert value == number(json.loads(json.dumps(value)))


@given(st.sampled_from([milliseconds, epoch_milliseconds]), st.integers(0, 10**13))
def test_milliseconds_survive(parse: parsers.Parser, value: int) -> None:
    """A duration written in milliseconds comes back in seconds."""
    assert value / 1000 == parse(str(value))


@pytest.mark.parametrize("cell", [32_503_680_000_000, 253_402_300_800_000, "1e18", 1e200])
def test_a_time_that_cannot_be_is_invalid(cell: parsers.Cell) -> None:
    """A time after the year 2999 is not read: Python's dates may not hold it."""
    with pytest.raises(ValueError, match="too late"):
        epoch_milliseconds(cell)
    with pytest.raises(ValueError, match="too late"):
        parsers.epoch_seconds(cell)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *(("x", "x"), (7, "7"), (0, "0"), (1.5, "1.5"), ("", "")),
        *((value, "") for value in (None, True, False, ["x"], {"a": 1}, [], {})),
    ],
)
def test_plain_text(value: object, expected: str) -> None:
    """A list or an object is no name; how Python writes it is never a label."""
    assert parsers.plain_text(value) == expected


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [([1, 2], 3), ([0.5, 0.5], 1), ([1e200, 1e200], 2e200), ([2**53 - 1, 1], 2.0**53), ([], 0)],
)
def test_total(numbers: list[parsers.Number], expected: parsers.Number) -> None:
    """A sum may be larger than any number that is read, and is an integer where it is exact."""
    total = parsers.total(numbers)

    assert (total, type(total)) == (expected, type(expected))


@given(st.sampled_from(["", "%", " %"]), st.integers(min_value=0, max_value=100))
def test_percents_survive(sign: str, value: int) -> None:
    """A percentage comes back as a ratio, with and without its sign."""
    assert value / 100 == percent(f"{value}{sign}")


@given(st.integers(min_value=0, max_value=999_999 * 3600))
def test_clocks_survive(value: int) -> None:
    """A duration written as HH:MM:SS comes back in seconds."""
    minutes, secs = divmod(value, 60)
    hours, minutes = divmod(minutes, 60)

    assert value == clock(f"{hours:02}:{minutes:02}:{secs:02}")


@given(counts, counts)
def test_pairs_survive(first: int, second: int) -> None:
    """Both counts of a pair come back, each by its own parser."""
    text = f"{first} ({second})"

    assert (first, second) == (pair(text), pair_second(text))


def test_messages_do_not_quote_the_cell() -> None:
    """An error does not say what was in the cell: it may be a person's data."""
    said = []
    for parse in EVERY:
        try:
            parse("Jane Roe")
        except ValueError as error:
            said.append(str(error))

    assert len(EVERY) == len(said)
    assert not [text for text in said if "Jane" in text]


@pytest.mark.parametrize(
    ("name", "parse"),
    [("number", number), ("percent", percent), ("clock", clock), ("pair_second", pair_second)],
)
def test_named(name: str, parse: Callable[..., parsers.Number]) -> None:
    """The words of the configuration name the parsers."""
    assert parse is NAMED[name]


BULK = [
    parsers.number,
    parsers.count,
    parsers.fraction,
    parsers.seconds,
    parsers.milliseconds,
]


@pytest.mark.parametrize("parse", BULK)
@given(
    st.lists(
        st.integers(0, 10**18).map(str)
        | st.sampled_from(["007", "", " 5", "1_000", "+5", "-5", "5.0", "٣", "x", "9" * 5000])
        | st.none()
        | st.integers(),
        max_size=4,
    )
)
def test_a_column_in_bulk(parse: parsers.Parser, column: list[parsers.Cell]) -> None:
    """A column read in bulk is what its cells are one by one, types included; or it is not read."""
    found = parsers.whole_numbers(column, parse)

    if found is not None:
        one_by_one = [parse(cell) for cell in column]
        assert found == one_by_one
        assert list(map(type, found)) == list(map(type, one_by_one))


@pytest.mark.parametrize("parse", BULK)
def test_a_column_of_digits_is_read_in_bulk(parse: parsers.Parser) -> None:
    """Digits are what is read in bulk, by the parsers to which they mean a plain number."""
    assert parsers.whole_numbers(["7", "0", "12000"], parse) is not None
    assert parsers.whole_numbers(["7", "0"], parsers.clock) is None
    assert parsers.whole_numbers([], parse) is None
