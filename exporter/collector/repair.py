"""Repair of answers that hold what their format forbids: each such character is replaced.

XML 1.0 (section 2.2) forbids most control characters, surrogates, U+FFFE and U+FFFF, raw and as a
reference, and entities that are not declared. JSON (RFC 8259) forbids control characters and
unpaired surrogates in strings, numbers that are not finite, and every encoding but UTF-8. One such
character must not cost the other figures of its answer, so it becomes U+FFFD. What a repair cannot
make readable is refused with its place and the kind of character, never with its content.
"""

import codecs
import gc
import math
import re
import unicodedata
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html.entities import html5
from typing import Any, Final
from xml.sax.saxutils import escape

import orjson

from exporter.collector.bounds import STATISTICS, Bounds
from exporter.errors import InvalidAnswer
from exporter.metrics.reading import REPLACEMENT

# Private-use characters that stand for the replaced ones where texts have to stay distinct.
_MARKS: Final = 0x100000
_MARK = re.compile("[\U00100000-\U0010ffff]")
_MOST: Final = 200_000  # replacements; an answer that needs more is not text
_BYTES_FOR_EACH: Final = 100  # of an answer's bound: a replacement takes 200 bytes of memory
ANY: Final = Bounds("a request", STATISTICS)
_MOST_PLACES: Final = 20
_AROUND: Final = 40  # bytes before and behind a place
_CHUNK: Final = 65_536  # bytes decoded at a time
_BMP: Final = 0x10000
_CHARSET = re.compile(
    r"ascii|utf-(8|16|32)(-[bl]e)?|iso8859-\d+|cp\d+|koi8-[rtu]|gb\w+|big5\w*|euc_\w+|shift_jis\w*"
)
_BOMS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

Edit = tuple[int, int, bytes]  # start and end in a body, and what takes the place


class Unreadable(InvalidAnswer):
    """The answer cannot be parsed: the message names the place and no content.

    ``offset`` is the place in bytes, ``what`` the body is not, ``fault`` why.
    """

    def __init__(self, body: bytes, offset: int, what: str, fault: str) -> None:
        line = body.count(b"\n", 0, offset) + 1
        column = offset - (body.rfind(b"\n", 0, offset) + 1) + 1
        super().__init__(
            f"{what} at line {line}, column {column} ({kind_at(body, offset)}): {fault}"
        )
        self.offset = offset
        self.what = what
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Repaired:
    """A body in UTF-8 without what its format forbids.

    ``places`` are the first replacements: offset in bytes and kind of character.
    """

    body: bytes
    replaced: int
    places: Sequence[tuple[int, str]] = ()


def plain(text: str) -> str:
    """Return a text with U+FFFD for the characters that ``repair_xml`` marked as distinct."""
    return text if text.isascii() else _MARK.sub(REPLACEMENT, text)


def without_content(body: bytes, offset: int) -> str:
    """Return the form of what is around a place: letters as ``x``, digits as ``9``."""
    text = body[max(offset - _AROUND, 0) : offset + _AROUND].decode(errors="replace")
    return "".join("9" if c.isdigit() else c if _is_form(c) else "x" for c in text)


def _is_form(character: str) -> bool:
    code = ord(character)
    is_plain = character.isascii() and not character.isalpha()
    return is_plain or character == REPLACEMENT or not _is_allowed(code)


def kind_at(body: bytes, offset: int) -> str:
    """Return the kind of the character at a place, which does not tell a letter or digit."""
    piece = body[offset : offset + 4]
    for size in range(1, len(piece) + 1):
        try:
            character = piece[:size].decode()
        except UnicodeDecodeError:
            continue
        category = unicodedata.category(character)[0]
        return {"L": "letter", "M": "letter", "N": "digit"}.get(category, f"U+{ord(character):04X}")
    return f"byte 0x{piece[0]:02X}" if piece else "end of the answer"


# Encodings --------------------------------------------------------------------------------------


def _decoder_of(charset: str | None) -> str | None:
    """Return the codec of a declared charset, ``None`` for UTF-8 and where none is declared.

    Raises ``InvalidAnswer`` for a charset that is not known.
    """
    if not charset:
        return None
    try:
        name = codecs.lookup(charset).name
    except LookupError:
        name = ""
    if not _CHARSET.fullmatch(name):
        raise InvalidAnswer("the answer declares a charset that is not supported")
    return None if name in ("ascii", "utf-8") else name


def _byte_order_mark(body: bytes) -> str | None:
    """Return the codec of a body that begins with the mark of UTF-16 or UTF-32."""
    return next((codec for mark, codec in _BOMS if body.startswith(mark)), None)


def _to_utf8(body: bytes, codec: str) -> tuple[bytes, int]:
    """Return a body in UTF-8, and how many characters its encoding does not have."""
    try:
        return body.decode(codec).encode(), 0
    except UnicodeError:
        text = body.decode(codec, "replace")
    return text.encode(errors="replace"), max(text.count(REPLACEMENT), 1)


def _is_utf8(body: bytes) -> bool:
    return next(_invalid_utf8(body), None) is None


def _invalid_utf8(body: bytes) -> Iterator[tuple[int, int]]:
    """Yield start and end of what is not UTF-8; decodes piece by piece, to keep memory low."""
    view = memoryview(body)
    at = 0
    while at < len(body):
        piece = view[at : at + _CHUNK]
        try:
            _, used = codecs.utf_8_decode(piece, "strict", at + _CHUNK >= len(body))
        except UnicodeDecodeError as error:
            yield at + error.start, at + error.end
            used = error.end
        at += used


# Edits ------------------------------------------------------------------------------------------


class _Repair:
    """Edits of a body in two steps: bytes that are not UTF-8, then characters."""

    def __init__(
        self,
        body: bytes,
        characters: Callable[[bytes], Iterator[Edit]],
        replacement: Callable[[int], bytes],
        bounds: Bounds,
    ) -> None:
        most = min(_MOST, bounds.size // _BYTES_FOR_EACH)
        self._bytes = _capped(
            (
                (start, end, replacement(zlib.crc32(body[start:end])))
                for start, end in _invalid_utf8(body)
            ),
            most,
        )
        valid = _apply(body, self._bytes)
        self._characters = _capped(characters(valid), most)
        self.body = _apply(valid, self._characters)
        bounds.check_size(self.body)
        places = [(start, kind_at(body, start)) for start, _, _ in self._bytes[:_MOST_PLACES]]
        for start, end, _ in self._characters[:_MOST_PLACES]:
            places.append((_original(self._bytes, start), _kind_of_edit(valid[start:end])))
        self.result = Repaired(
            self.body, len(self._bytes) + len(self._characters), sorted(places)[:_MOST_PLACES]
        )

    def original_offset(self, offset: int) -> int:
        """Return where a place of the repaired body is in the original."""
        return _original(self._bytes, _original(self._characters, offset))


def _kind_of_edit(text: bytes) -> str:
    """Return the kind of what was replaced; a reference and an escape are ASCII and no content."""
    if text[:1] == b"&":
        match = _REFERENCE.fullmatch(text)
        if match is None or match["name"]:
            return "entity" if match else "U+0026"
        return f"reference to U+{_code_of(match):04X}"
    if text[:1] == b"\\":
        return f"escape of U+{text[2:].decode().upper()}" if len(text) > len(b"\\u") else "escape"
    return "number" if text[:1] in b"+-0123456789NnIi" else kind_at(text, 0)


def _capped(edits: Iterator[Edit], most: int) -> list[Edit]:
    result: list[Edit] = []
    for edit in edits:
        result.append(edit)
        if len(result) > most:
            raise InvalidAnswer(f"more than {most} characters of the answer are not readable")
    return result


def _apply(body: bytes, edits: Sequence[Edit]) -> bytes:
    if not edits:
        return body
    result, at = bytearray(), 0
    for start, end, new in edits:
        result += body[at:start]
        result += new
        at = end
    result += memoryview(body)[at:]
    return bytes(result)


def _original(edits: Sequence[Edit], offset: int) -> int:
    """Return the offset before edits of an offset behind them."""
    shift = 0
    for start, end, new in edits:
        if start + shift >= offset:
            break
        shift += len(new) - (end - start)
    return offset - shift


# XML --------------------------------------------------------------------------------------------

_REFERENCE = re.compile(rb"&(?:#(?P<decimal>\d+)|#x(?P<hex>[\da-fA-F]+)|(?P<name>[^\W\d][\w.-]*));")
_FORBIDDEN = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|\xef\xbf[\xbe\xbf]")
# Sections without references: they end where they say so, or with the answer.
_XML = re.compile(
    rb"(?P<text>[^<&\x00-\x08\x0b\x0c\x0e-\x1f\xef]{1,65536}+)"
    rb"|<!\[CDATA\[.*?(?:\]\]>|\Z)|<!--.*?(?:-->|\Z)|<\?.*?(?:\?>|\Z)|"
    + _REFERENCE.pattern
    + rb"|&|"
    + _FORBIDDEN.pattern,
    re.DOTALL,
)
_DECLARATION = re.compile(
    rb"(?:\xef\xbb\xbf)?<\?xml\s[^>]{0,100}?\sencoding\s*=\s*[\"'](?P<name>[^\"'>]{1,40})[\"']"
)
_PREDEFINED = (b"amp", b"lt", b"gt", b"quot", b"apos")


def xml_in_utf8(body: bytes, charset: str | None) -> tuple[bytes, int]:
    """Return a document in UTF-8, and how many characters its encoding does not have.

    The byte order mark decides, then the charset of the HTTP header, then the document's own
    declaration (RFC 7303, section 3); the header not where the document disproves it.
    Raises ``InvalidAnswer`` for a charset that is not known.
    """
    declaration = _DECLARATION.match(body)
    mark = _byte_order_mark(body)
    if mark is None and not charset and declaration is None:
        return body, 0
    own = declaration["name"].decode() if declaration else ""
    if mark is None and _is_default(charset) and _is_default(own):
        return body, 0
    codec = mark or _decoder_of(charset or own)
    # The parser read this declaration as single bytes, so the answer is not in UTF-16.
    if declaration and (codec or "").startswith(("utf-16", "utf-32")):
        codec = None
    if charset and own and not _decodes(body, codec):
        codec = _decoder_of(own)
    text, replaced = (body, 0) if codec is None else _to_utf8(body, codec)
    text = text.removeprefix(codecs.BOM_UTF8)
    declaration = _DECLARATION.match(text)
    if declaration:
        start, end = declaration.span("name")
        text = text[:start] + b"UTF-8" + text[end:]
    return text, replaced


def _is_default(charset: str | None) -> bool:
    return not charset or charset.lower() in ("utf-8", "utf8")


def _decodes(body: bytes, codec: str | None) -> bool:
    try:
        return _is_utf8(body) if codec is None else bool(body.decode(codec))
    except UnicodeError:
        return False


def repair_xml(body: bytes, *, distinct: bool = False, bounds: Bounds = ANY) -> "_Repair":
    """Replace what XML 1.0 forbids in a body of UTF-8.

    HTML's entities are decoded, a lone ampersand is kept as one. With ``distinct`` a private-use
    character stands for each replaced one, so that names which differ stay different (``plain``).
    """

    def replacement(code: int) -> bytes:
        return (chr(_MARKS + code % _BMP) if distinct else REPLACEMENT).encode()

    def characters(text: bytes) -> Iterator[Edit]:
        for match in _XML.finditer(text):
            start, end = match.span()
            if match["text"] is not None:
                continue
            if text[start : start + 1] == b"<":
                for raw in _FORBIDDEN.finditer(text, start, end):
                    yield *raw.span(), replacement(ord(raw[0].decode(errors="surrogatepass")))
            elif text[start : start + 1] != b"&":
                yield start, end, replacement(ord(match[0].decode()))
            else:
                new = _dereferenced(match, replacement)
                if new is not None:
                    yield start, end, new

    return _Repair(body, characters, replacement, bounds)


def _dereferenced(match: re.Match[bytes], replacement: Callable[[int], bytes]) -> bytes | None:
    """Return what takes the place of a reference, ``None`` for one that is allowed."""
    name = match["name"]
    if name is None and match[0] == b"&":
        return b"&amp;"
    if name is None:
        code = _code_of(match)
        return None if _is_allowed(code) else replacement(code)
    if name in _PREDEFINED:
        return None
    text = html5.get(f"{name.decode()};")
    return escape(text).encode() if text else replacement(zlib.crc32(name))


def _code_of(match: re.Match[bytes]) -> int:
    digits, base = (match["hex"], 16) if match["hex"] else (match["decimal"], 10)
    return int(digits.lstrip(b"0")[:12] or b"0", base)


def _is_allowed(code: int) -> bool:
    """Return whether a document may hold a character (XML 1.0, section 2.2)."""
    return (
        code in (0x9, 0xA, 0xD)
        or 0x20 <= code <= 0xD7FF  # noqa: PLR2004
        or 0xE000 <= code <= 0xFFFD  # noqa: PLR2004
        or 0x10000 <= code <= 0x10FFFF  # noqa: PLR2004
    )


# JSON -------------------------------------------------------------------------------------------

_NOT_JSON = "the answer is not JSON"
_TOO_DEEP = ("depth limit", "Recursion limit")  # of orjson: 1024; its versions word it so
_COPIES: Final = 2  # of a body that is repaired: as it came and, in UTF-8, before the repair
# A search without a match would keep all other threads waiting: what lies between tokens matches
# too, in pieces. ``rest`` holds no token, as one follows no letter, digit, sign or dot.
_TOKENS = re.compile(
    rb'(?P<string>"(?:[^"\\]++|\\.)*+(?:"|\\?\Z))(?P<key>\s*:)?'
    rb'|(?P<rest>(?:[^"+\-\dNnIi]{1,1024}+|(?:null|-?\d{1,300}+(?:\.\d{1,300}+)?)(?![\w.+-])'
    rb"|(?<=[\w.+-])[\w.+-]{1,1024}+){1,64}+)"
    rb"|(?<![\w.+-])[-+]?(?:[nN][aA][nN]|[iI][nN][fF](?:[iI][nN][iI][tT][yY])?)(?![\w.])"
    rb"|(?<![\w.+-])-?(?:\d{309,}+(?:\.\d++)?|\d++(?:\.\d++)?[eE]\+?\d{3,})(?![\w.])",
    re.DOTALL | re.ASCII,
)
_ESCAPES = re.compile(
    rb"[^\\\x00-\x1f]{1,65536}+"
    rb"|\\u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}"
    rb"|(?P<bad>\\u[dD][89a-fA-F][\da-fA-F]{2}|[\x00-\x1f])"
    rb'|\\(?:["\\/bfnrt]|u[\da-fA-F]{4})'
    rb"|(?P<escape>\\.)",
    re.DOTALL,
)


def read_json(
    body: bytes, charset: str | None = None, bounds: Bounds = ANY
) -> tuple[Any, Repaired]:
    """Return the value of a JSON body, and the body as it was read.

    Where it is not valid UTF-8 its byte order mark or the declared charset decides: RFC 8259 has
    no charset, so that many servers declare one that their answers do not have. A string keeps
    U+FFFD for each character that it must not hold, a number that is not finite becomes null.
    ``bounds`` are those within which the body was received. Raises ``InvalidAnswer``, for a
    replacement in the key of an object too: keys are the platform's words, without which a figure
    would be missed.
    """
    try:
        return _loads(body), Repaired(body, 0)
    except orjson.JSONDecodeError as error:
        if error.msg.startswith(_TOO_DEEP):
            raise InvalidAnswer("the answer is nested too deep") from None
    replaced = 0
    bounds.check_json(body, copies=_COPIES)
    codec = _byte_order_mark(body)
    if codec is None and (b"\0" in body or not _is_utf8(body)):
        codec = _decoder_of(charset)
    if codec is not None:
        body, replaced = _to_utf8(body, codec)
        bounds.check_size(body)
    start = len(codecs.BOM_UTF8) if body.startswith(codecs.BOM_UTF8) else 0
    repair = _Repair(body[start:], _json_edits, lambda _: REPLACEMENT.encode(), bounds)
    bounds.check_json(repair.body, copies=_COPIES)
    try:
        value = _loads(repair.body)
    except orjson.JSONDecodeError as error:
        offset = repair.original_offset(len(error.doc[: error.pos].encode())) + start
        raise Unreadable(body, offset, _NOT_JSON, error.msg) from None
    result = repair.result
    places = [(offset + start, kind) for offset, kind in result.places]
    if start:
        places.insert(0, (0, "byte order mark"))
    return value, Repaired(result.body, result.replaced + replaced + bool(start), places)


def _loads(body: bytes) -> Any:
    """Return the value of a body; the garbage collector would look at all of it several times."""
    collects = gc.isenabled() and len(body) > _CHUNK
    if collects:
        gc.disable()
    try:
        return orjson.loads(body)
    finally:
        if collects:
            gc.enable()


def _json_edits(text: bytes) -> Iterator[Edit]:
    for match in _TOKENS.finditer(text):
        start, end = match.span()
        token = match[0]
        if match["rest"] is not None:
            continue
        if match["string"] is None:
            if not _is_finite(token):
                yield start, end, b"null"
            continue
        edits = [*_string_edits(text, *match.span("string"))]
        if match["key"] and (edits or REPLACEMENT.encode() in token):
            offset = edits[0][0] if edits else start
            raise Unreadable(text, offset, _NOT_JSON, "a character in the key of an object")
        yield from edits


def _is_finite(token: bytes) -> bool:
    return not token[-1:].isalpha() and math.isfinite(float(token))


def _string_edits(text: bytes, start: int, end: int) -> Iterator[Edit]:
    for match in _ESCAPES.finditer(text, start, end):
        if match["bad"] or match["escape"]:
            yield *match.span(), REPLACEMENT.encode()
