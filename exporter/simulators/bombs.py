"""Answers that explode: small on the wire and large unpacked, or large in memory when parsed."""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

PATTERN: Final = (
    r"bomb:(small|deep|keys|text|digits|spaces|fault|entities)"
    r":\d+(:(gzip|deflate|twice|br|slivers))?"
)
_MEGABYTE: Final = 1_000_000
_PIECE: Final = 65_536  # bytes sent at a time
_SLIVER: Final = 2
_ENVELOPE: Final = "http://schemas.xmlsoap.org/soap/envelope/"
_PACKED: Final = ("gzip", "deflate", "twice")


@dataclass(frozen=True, slots=True)
class _Shape:
    """A body: ``head``, then units, which may differ by their number, then ``tail``."""

    unit: bytes | Callable[[int], bytes]
    head: bytes = b""
    tail: bytes = b""

    def units(self, number: int) -> tuple[int, bytes]:
        """Return a piece of units from this number on, and the number that follows them."""
        if isinstance(self.unit, bytes):
            return number, self.unit * (_PIECE // len(self.unit))
        end = number + _PIECE // len(self.unit(number))
        return end, b"".join(map(self.unit, range(number, end)))


_SOAP_HEAD = f'<e:Envelope xmlns:e="{_ENVELOPE}"><e:Body>'.encode()
_SOAP_TAIL = b"</e:Body></e:Envelope>"
_FAULT = b"<e:Fault><faultcode>e:Server</faultcode><faultstring>no</faultstring><detail>"
_JSON: Final = {
    "small": _Shape(b"{},", b'{"result":[', b"{}]}"),
    "deep": _Shape(b"[", b"", b""),
    "keys": _Shape(lambda number: b'"%x":0,' % number, b"{", b'"":0}'),
    "text": _Shape(b"x", b'{"result":"', b'"}'),
    "digits": _Shape(b"9", b'{"result":', b"}"),
    "spaces": _Shape(b" ", b'{"result":[', b"?"),
    "fault": _Shape(b'{"code":1},', b'{"errors":[', b"{}]}"),
    "entities": _Shape(b"\\u0000", b'{"result":"', b'"}'),
}
_XML: Final = {
    "small": _Shape(b"<a/>", _SOAP_HEAD, _SOAP_TAIL),
    "deep": _Shape(b"<a>", _SOAP_HEAD, b""),
    "keys": _Shape(lambda number: b' a%x=""' % number, _SOAP_HEAD + b"<a", b"/>" + _SOAP_TAIL),
    "text": _Shape(b"x", _SOAP_HEAD, _SOAP_TAIL),
    "digits": _Shape(
        b"9", _SOAP_HEAD + b"<getStatisticsResponse><timestamp>", b"</timestamp>" + _SOAP_TAIL
    ),
    "spaces": _Shape(b" ", _SOAP_HEAD, b"&"),
    "fault": _Shape(b"<a/>", _SOAP_HEAD + _FAULT, b"</detail></e:Fault>" + _SOAP_TAIL),
    "entities": _Shape(
        b"&b;",
        b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
        + _SOAP_HEAD,
        _SOAP_TAIL,
    ),
}


class Bomb(Response):
    """The answer that a kind ``bomb:<shape>:<megabytes>[:<packing>]`` asks for."""

    def __init__(self, detail: str, media_type: str) -> None:
        shape, megabytes, *packing = detail.split(":")
        self._packing = packing[0] if packing else ""
        self._recipe = (shape, int(megabytes), "xml" in media_type)
        super().__init__(status_code=500 if shape == "fault" else 200, media_type=media_type)
        del self.headers["content-length"]
        if encoding := {"twice": "gzip, gzip", "slivers": ""}.get(self._packing, self._packing):
            self.headers["Content-Encoding"] = encoding

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - as Starlette calls it
        """Send the answer in chunks, until the client has gone."""
        headers = self.raw_headers
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        size = _SLIVER if self._packing == "slivers" else _PIECE
        for piece in self._pieces():
            for at in range(0, len(piece), size):
                body = piece[at : at + size]
                await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    def _pieces(self) -> Iterator[bytes]:
        if self._packing in _PACKED:
            return iter([_packed(*self._recipe, self._packing)])
        return _unpacked(*self._recipe)


def _unpacked(name: str, megabytes: int, is_xml: bool) -> Iterator[bytes]:
    """Yield a body of this size in pieces."""
    shape = (_XML if is_xml else _JSON)[name]
    yield shape.head
    number = 0
    left = megabytes * _MEGABYTE
    while left > 0:
        number, piece = shape.units(number)
        left -= len(piece)
        yield piece
    yield shape.tail


@cache
def _packed(name: str, megabytes: int, is_xml: bool, packing: str) -> bytes:
    body = _compressed(_unpacked(name, megabytes, is_xml), gzip=packing != "deflate")
    return body if packing != "twice" else _compressed(iter([body]), gzip=True)


def _compressed(pieces: Iterator[bytes], *, gzip: bool) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, 31 if gzip else 15)
    packed = b"".join(map(packer.compress, pieces))
    return packed + packer.flush()
