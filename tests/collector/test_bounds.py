"""Bounds of answers: what is refused while it arrives, and before it is parsed."""

import gzip

import pytest

from exporter.collector.bounds import SMALL, STATISTICS, Body, Bounds, OverBound
from exporter.collector.repair import read_json
from exporter.errors import InvalidAnswer

PIECE = 65_536
TENTH = SMALL // 10


def receive(body: bytes, size: int = SMALL, received: int | None = None) -> int:
    """Return how many bytes were taken until the body was refused, or all."""
    incoming = Body(Bounds("GET /x", size))
    for at in range(0, len(body), PIECE):
        try:
            incoming.add(body[at : at + PIECE], received or at + PIECE)
        except OverBound:
            return at
    assert incoming.bytes() == body
    return len(body)


@pytest.mark.parametrize(
    "body",
    [
        b"[" + b"{}," * TENTH + b"0]",
        b"[" + b"[]," * TENTH + b"0]",
        b"[" * 3 * TENTH,
        b"{" + b"".join(b'"%x":0,' % number for number in range(TENTH)) + b'"":0}',
        b"[" + b'"ab",' * TENTH + b"0]",
        b"<a>" + b"<a/>" * 2 * TENTH + b"</a>",
        b"\xef\xbb\xbf \n<a>" + b"<a/>" * 2 * TENTH + b"</a>",
        b"<a " + b'b="" ' * 2 * TENTH + b"/>",
        "[".encode("utf-16") + "{},".encode("utf-16-le") * TENTH,
    ],
    ids=["objects", "arrays", "deep", "keys", "texts", "elements", "mark", "attributes", "utf-16"],
)
def test_too_many_elements_are_refused_on_arrival(body: bytes) -> None:
    """The elements are counted while the answer arrives, so that most of it is never read."""
    assert receive(body) <= len(body) - PIECE
    assert receive(body, STATISTICS) == len(body)  # of statistics it may have so many


def test_a_large_answer_with_few_elements_is_read() -> None:
    """Rows as platforms send them may fill half of the bound, long texts all of it."""
    row = b'{"statisticId":"1-CurrentNumberOfCalls","value":12345,"timestamp":1700000000},'
    for body in (
        b"[" + row * (SMALL // 2 // len(row)) + b"0]",
        b'["' + b"x" * (SMALL - 4) + b'"]',
        b"<a>" + b"<data>123456789</data>" * (SMALL // 22 - 1) + b"</a>",
    ):
        assert receive(body) == len(body)


def test_what_unpacks_too_far() -> None:
    """Beyond a mebibyte an answer may not unpack to more than 200 times what was sent."""
    body = b"[" + b" " * (4 * SMALL)
    packed = len(gzip.compress(body))
    assert packed < len(body) // 900
    assert receive(body, STATISTICS, packed) == SMALL  # all of it that needs no ratio
    assert receive(body, STATISTICS, len(body) // 190) == len(body)


def test_messages_name_operation_and_bound() -> None:
    """A refusal says which operation's answer is over which bound."""
    for body, received, message in (
        (b"x" * (SMALL + 1), SMALL, "the answer to GET /x is larger than 1 MiB"),
        (b"x", SMALL + 1, "the answer to GET /x is larger than 1 MiB"),
        (b"{" * 60_000, 1, "the answer to GET /x has more elements than the limit of 1 MiB allows"),
    ):
        with pytest.raises(OverBound) as caught:
            Body(Bounds("GET /x", SMALL)).add(body, received)
        assert str(caught.value) == message
        assert "max_answer_bytes" in caught.value.remedy


@pytest.mark.parametrize(
    ("body", "charset"),
    [
        (("[" + "{}," * TENTH + "0]").encode("cp037"), "cp037"),  # no byte is that of a brace
        (b"[" + b"{}," * TENTH + b"NaN]", None),
        (b'["' + "é".encode("latin-1") * (SMALL - 10) + b'"]', "latin-1"),  # grows to twice
    ],
    ids=["ebcdic", "repaired", "grows"],
)
def test_what_hides_from_the_count_is_refused_before_it_is_parsed(
    body: bytes, charset: str | None
) -> None:
    """A body is counted again in the encoding in which it is parsed, and when it is repaired."""
    with pytest.raises(OverBound):
        read_json(body, charset, Bounds("GET /x", SMALL))


@pytest.mark.parametrize("body", [b"[" * 5000, b'{"a":' * 5000, (b"[" * 5000 + b"]" * 5000)])
def test_deep_json(body: bytes) -> None:
    """Deep nesting is refused at once; no repair is tried."""
    with pytest.raises(InvalidAnswer, match="nested too deep"):
        read_json(body)


@pytest.mark.parametrize(
    "body", [b"9" * 5000, b"-" + b"9" * 5000 + b".5", b"1e999999999", b"[1" + b"0" * 400_000 + b"]"]
)
def test_enormous_numbers_are_absent(body: bytes) -> None:
    """A number that is not finite as a double is null, however many digits it has."""
    assert read_json(body)[0] in (None, [None])
