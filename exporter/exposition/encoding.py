"""Exposition formats, HELP and TYPE headers, and segments compressed for gzip."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from types import ModuleType

deflate: ModuleType
try:
    from isal import isal_zlib as deflate
except ImportError:  # no wheel for this machine: the same format, about four times slower
    deflate = zlib

GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
LAST_BLOCK = b"\x03\x00"  # an empty deflate block that ends the stream
_LEVEL = 1


class Format(Enum):
    """An exposition format; the value is its media type."""

    TEXT = "text/plain; version=0.0.4; charset=utf-8"
    OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """A part of the page: its bytes, and the same as fully flushed deflate."""

    plain: Sequence[bytes]
    packed: bytes


def make_segment(*plain: bytes) -> Segment:
    """Compress bytes as one segment."""
    packer = deflate.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    return Segment(plain, packer.compress(b"".join(plain)) + packer.flush(zlib.Z_FULL_FLUSH))


@lru_cache(maxsize=4096)
def _make_header(name: str, text: str, kind: str) -> Segment:
    return make_segment(f"# HELP {name} {text}\n# TYPE {name} {kind}\n".encode())


def make_headers(name: str, text: str, kind: str) -> Mapping[Format, Segment]:
    """Return HELP and TYPE of a family in each format.

    OpenMetrics names a counter's family without ``_total``.
    """
    short = name.removesuffix("_total") if kind == "counter" else name
    return {
        Format.TEXT: _make_header(name, text, kind),
        Format.OPENMETRICS: _make_header(short, text, kind),
    }
