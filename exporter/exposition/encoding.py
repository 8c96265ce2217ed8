"""The exposition formats, and gzip in segments."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from types import ModuleType

from exporter.metrics.families import Family

deflate: ModuleType


try:
    from isal import isal_zlib as deflate
except ImportError:  # no wheel for this machine: the same format, about four times slower
    deflate = zlib


_LEVEL = 1


_GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


_EMPTY_LAST_BLOCK = b"\x03\x00"


class Format(Enum):
    """An exposition format; the value is its media type."""

    TEXT = "text/plain; version=0.0.4; charset=utf-8"
    OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """A part of the page: the bytes of blocks, and all of them as fully flushed deflate."""

    plain: Sequence[bytes]
    packed: bytes


def _segment(*plain: bytes) -> Segment:
    packer = deflate.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    return Segment(plain, packer.compress(b"".join(plain)) + packer.flush(zlib.Z_FULL_FLUSH))


@lru_cache(maxsize=4096)
def _header(name: str, summary: str, kind: str) -> Segment:
    return _segment(f"# HELP {name} {summary}\n# TYPE {name} {kind}\n".encode())


def _headers(family: Family, *, shadowed: bool) -> Mapping[Format, Segment]:
    """Write HELP and TYPE.

    OpenMetrics names a counter's family without ``_total``. Where that name is ``shadowed`` by a
    gauge on the same page (a total beside its sliding twin), it has to be of unknown type.
    """
    name, kind = family.name, str(family.kind)
    text = openmetrics = _header(name, family.help, kind)
    if kind == "counter":
        openmetrics = (
            _header(name, family.help, "unknown")
            if shadowed
            else _header(name.removesuffix("_total"), family.help, kind)
        )
    return {Format.TEXT: text, Format.OPENMETRICS: openmetrics}
