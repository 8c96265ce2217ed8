"""Bounds of an answer: its bytes, how far it unpacks, and the memory that parsing it may take.

All bounds follow from the bytes that an operation's answer may have: parsing takes at most eight
times as much memory, the answer included. What an element takes at most was measured with orjson
3.13 and lxml 6.1 on CPython 3.11 for 64 bits.
"""

from dataclasses import dataclass
from typing import Final

from exporter.errors import InvalidAnswer

SMALL: Final = 2**20  # bytes: tokens, permissions, counters, and every failure
STATISTICS: Final = 32 * 2**20  # bytes, by default: 20,000 rows of 30 columns are 13 MB

_RATIO: Final = 200  # of unpacking, beyond a mebibyte; Apache's mod_deflate refuses the same
_COUNTED: Final = 65_536  # bytes counted at a time
# Bytes that a value, the key before it and the container that begins with it take at most.
_JSON_COSTS: Final = {b"{": 120, b"[": 60, b",": 100, b":": 110}
_JSON_BUDGET: Final = 6  # times the size; a repaired body is there twice more
_WIDEST: Final = 4  # bytes that a character takes in a text with one beyond U+FFFF
_BEYOND_BMP: Final = bytes(range(0xF0, 0xF5))  # first bytes of such characters
_NOT_COUNTED: Final = bytes(set(range(256)) - set(b"{[,:" + _BEYOND_BMP))
_XML_BYTES: Final = 10  # of an answer for each tag and attribute, on average


class OverBound(InvalidAnswer):
    """The answer is larger than the exporter accepts."""

    remedy = (
        "The answer is larger than the exporter accepts: check base_url and proxies; if statistics "
        "are that large, raise max_answer_bytes."
    )


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bounds of the answers to an operation; ``size`` is in bytes, unpacked."""

    operation: str
    size: int

    def too_large(self) -> OverBound:
        """Return the error for an answer with more bytes."""
        return OverBound(f"the answer to {self.operation} is larger than {_mib(self.size)}")

    def too_many(self) -> OverBound:
        """Return the error for an answer whose elements take too much memory."""
        return OverBound(
            f"the answer to {self.operation} has more elements than the limit of "
            f"{_mib(self.size)} allows"
        )

    def check_size(self, body: bytes) -> None:
        """Raise ``OverBound`` where a body is too large."""
        if len(body) > self.size:
            raise self.too_large()

    def check_json(self, body: bytes, *, copies: int) -> None:
        """Raise ``OverBound`` unless JSON may be parsed, while ``copies`` of it are held."""
        self.check_size(body)
        meter = _JsonMeter(self, copies * len(body))
        for at in range(0, len(body), _COUNTED):
            meter.add(body[at : at + _COUNTED])


class Body:
    """A body while it arrives. Raises ``OverBound`` as soon as it exceeds a bound."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._data = bytearray()
        self._meter: _JsonMeter | _XmlMeter | None = None
        self._counted = 0

    def __len__(self) -> int:
        return len(self._data)

    def add(self, piece: bytes, received: int) -> None:
        """Add a piece; ``received`` are the bytes of the whole body so far, before unpacking."""
        size = len(self._data) + len(piece)
        if max(size, received) > self._bounds.size:
            raise self._bounds.too_large()
        if size > max(SMALL, _RATIO * received):
            raise OverBound(
                f"the answer to {self._bounds.operation} unpacks to more than {_RATIO} times what "
                "was sent"
            )
        self._data += piece
        if self._meter is None and self._data:
            self._meter = _meter(self._bounds, bytes(self._data[:_COUNTED]))
        if self._meter is None or size <= self._meter.free:
            return
        while self._counted < size:
            end = min(self._counted + _COUNTED, size)
            self._meter.add(bytes(self._data[self._counted : end]))
            self._counted = end

    def bytes(self) -> bytes:
        """Return the body."""
        return bytes(self._data)


class _JsonMeter:
    """Memory that a JSON body takes at most when it is parsed; ``free`` bytes need no counting."""

    def __init__(self, bounds: Bounds, used: int = 0) -> None:
        self._bounds = bounds
        self._budget = _JSON_BUDGET * bounds.size
        self._used = used
        self._size = 0
        self._width = 1  # bytes for each character of a text
        self.free = self._budget // (max(_JSON_COSTS.values()) + _WIDEST)

    def add(self, piece: bytes) -> None:
        structure = piece.translate(None, _NOT_COUNTED)
        counts = {byte: structure.count(byte) for byte in _JSON_COSTS}
        self._used += sum(_JSON_COSTS[byte] * count for byte, count in counts.items())
        self._size += len(piece)
        if len(structure) > sum(counts.values()):
            self._width = _WIDEST
        elif not piece.isascii():
            self._width = max(self._width, 2)
        if self._used + self._width * self._size > self._budget:
            raise self._bounds.too_many()


class _XmlMeter:
    """Tags and attributes of an XML body; ``free`` bytes need no counting."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._used = 0
        self.free = bounds.size // _XML_BYTES

    def add(self, piece: bytes) -> None:
        self._used += markup(piece)
        if self._used > self.free:
            raise self._bounds.too_many()


def markup(piece: bytes) -> int:
    """Return how many tags and attributes a piece of XML has at most."""
    return piece.count(b"<") + piece.count(b"=")


def _meter(bounds: Bounds, start: bytes) -> _JsonMeter | _XmlMeter:
    is_xml = start.lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n").startswith(b"<")
    return _XmlMeter(bounds) if is_xml else _JsonMeter(bounds)


def _mib(size: int) -> str:
    return f"{size / 2**20:g} MiB"
