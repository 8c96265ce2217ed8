"""Sanitiser for recordings: keeps what the platform's list allows, and replaces everything else.

Structure, types and lengths stay. What becomes of a value depends on its key, header or parameter,
and on the value: a key that may hold figures keeps figures only. A text is replaced by the same
replacement wherever it occurs, so that answers still fit together.
"""

import codecs
import re
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date, time
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode
from zoneinfo import ZoneInfo

from pydantic import BaseModel, SecretStr

from exporter.collector.repair import Repaired, Unreadable, read_json, without_content
from exporter.errors import InvalidAnswer
from exporter.metrics.parsers import NAMED
from exporter.metrics.tables import Reasons, Spread, State, Table, normalise

Value = Any
_FIGURE = re.compile(
    r"[-+]?\d{1,9}(\.\d{1,18})?\s?%?"  # a number, or a share
    r"|\d{1,9}\s*\(\s*\d{1,9}(\.\d{1,18})?\s*%?\s*\)"  # a pair
    r"|\d{1,9}(:\d\d){1,2}",  # a duration
    re.ASCII,
)
_TIME = re.compile(
    r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?\s?(Z|[-+]\d\d:?\d\d)?)?"
    r"|\d\d:\d\d(:\d\d)?|1\d{9}|1\d{12}|0",
    re.ASCII,
)
_TOO_LARGE = 10**9  # a number from here on may be a telephone's
_INSTANTS = ((10**9, 2 * 10**9), (10**12, 2 * 10**12))  # epoch seconds, milliseconds
_SHAPE = re.compile(r"[\d\s:.,%()/TZ+-]*\d[\d\s:.,%()/TZ+-]*", re.ASCII)
_GUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_VERSION = re.compile(r"v\d{1,3}(_\d{1,3})?", re.ASCII)
_HTTP_DATE = re.compile(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", re.ASCII)
_LONGEST = 1000  # characters of a replacement
_LONGEST_SHAPE = 64  # characters of a text whose shape is kept
_MAX_INTEGER_DIGITS = 19  # of a number that JSON readers take for an integer
_MEDIA_TYPES = frozenset(
    f"application/{name}"
    for name in ("json", "xml", "soap+xml", "octet-stream", "x-www-form-urlencoded")
) | {"text/html", "text/plain", "text/xml", "text/csv"}
_BOOLEANS = frozenset({"true", "false"})


# What is allowed --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a platform's tables, by header: which cells may stay."""

    figures: frozenset[str]
    words: Mapping[str, frozenset[str]]
    others: frozenset[str]  # the header stays, the cells are replaced

    @classmethod
    def of(cls, tables: Iterable[Table]) -> "Columns":
        """Return the columns that tables name; the headers are normalised."""
        figures: set[str] = set()
        others: set[str] = set()
        words: dict[str, frozenset[str]] = {}
        for table in tables:
            for key in table.key:
                others |= set(map(normalise, (key.header, *key.aliases)))
            others |= set(map(normalise, (*table.ignored, *table.private, table.display or "")))
            for figure in table.figures:
                if isinstance(figure, Spread):
                    continue
                headers = set(map(normalise, (figure.header, *figure.aliases)))
                if isinstance(figure, State):
                    for header in headers:
                        words[header] = words.get(header, frozenset()) | set(figure.states.words)
                else:
                    (others if isinstance(figure, Reasons) else figures).update(headers)
        personal = {header for table in tables for header in map(normalise, table.private)}
        return cls(frozenset(figures - personal), words, frozenset(others - {""}))

    def __contains__(self, header: str) -> bool:
        name = normalise(header)
        known = name in self.figures or name in self.words or name in self.others
        return known and header.isascii() and header.isprintable()

    def keeps(self, cell: Value, header: str) -> bool:
        """Return whether a cell of the column may stay."""
        name = normalise(header)
        if cell is None or (isinstance(cell, str) and not cell.strip()):
            return True
        if isinstance(cell, bool) or not isinstance(cell, str | int | float):
            return False
        if name in self.figures and is_figure(cell):
            return True
        return is_word(str(cell), self.words.get(name, frozenset()))


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a recording of one platform may hold, by key of an object, element or parameter.

    All other keys are replaced, with everything that they contain. ``objects`` hold further keys,
    which are judged in the same way. ``figures`` keep numbers below 10⁹, shares and durations,
    ``times`` instants; ``words`` keep the vendor's words listed for the key, in any case and
    punctuation. Of ``replaced`` keys only the key, booleans and empty values stay. A key may be in
    several lists. ``segments`` of paths stay besides those in the operation's name.
    """

    objects: AbstractSet[str] = frozenset()
    figures: AbstractSet[str] = frozenset()
    times: AbstractSet[str] = frozenset()
    words: Mapping[str, Iterable[str]] = field(default_factory=dict)
    replaced: AbstractSet[str] = frozenset()
    segments: AbstractSet[str] = frozenset()

    def __contains__(self, key: str) -> bool:
        lists = (self.objects, self.figures, self.times, self.words, self.replaced)
        return any(key in names for names in lists)


# Settings of every platform.
_SETTINGS: Mapping[str, frozenset[str]] = {
    "agents": frozenset({"aggregate", "hashed", "id", "name"}),
    "parse": frozenset(NAMED),
}
_SETTING_FIGURES = frozenset(
    {"interval", "timeout", "stale_after", "auth_retry", "max_series", "service_level_threshold"}
)


# Replacements -----------------------------------------------------------------------------------


class Pseudonyms:
    """Replacements, numbered in order of appearance; of a text they reveal its length only."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def text(self, original: str) -> str:
        """Return the replacement of a text: digits for digits, an id for an id, else a word."""
        replacement = self._texts.get(original)
        if replacement is None:
            replacement = self._texts[original] = self._new(original, len(self._texts) + 1)
        return replacement

    def _new(self, original: str, count: int) -> str:
        size = len(original)
        if original.isascii() and original.isdigit() and size <= _LONGEST:
            first = "7" if size < _MAX_INTEGER_DIGITS else "1"
            return first + str(count).zfill(size - 1)
        if _GUID.fullmatch(original):
            return f"00000000-0000-4000-8000-{count:012d}"
        return f"text-{count}".ljust(min(size, _LONGEST), "x")

    def number(self, original: float) -> float:
        """Return the replacement of a number, of an integer the same as of a text with its digits.

        A fraction keeps its digits' places only.
        """
        if isinstance(original, int):
            number = int(self.text(str(abs(original))))
            return -number if original < 0 else number
        return float(shape(repr(original)))


def shape(text: str) -> str:
    """Return a text with all digits replaced by the same one."""
    return re.sub(r"\d", "1", text)


def charset_of(kind: str) -> str | None:
    """Return the charset that a content type declares."""
    match = re.search(r"charset=[\"']?([\w.:-]+)", kind, re.IGNORECASE)
    return match[1] if match else None


def unreadable(kind: str, content: bytes, error: InvalidAnswer) -> dict[str, Value]:
    """Return what may be told of a body that cannot be read: size, fault, and form around it."""
    told: dict[str, Value] = {"omitted": len(content)}
    if isinstance(error, Unreadable) and "html" not in kind:
        told["fault"] = str(error)
        told["around"] = without_content(content, error.offset)
    return told


def replacements(repaired: Repaired) -> dict[str, Value]:
    """Return how many characters of a body were replaced, and the first: place (bytes) and kind."""
    if not repaired.replaced:
        return {}
    places = [{"byte": offset, "kind": kind} for offset, kind in repaired.places]
    return {"replaced": repaired.replaced, "places": places}


# Sanitiser --------------------------------------------------------------------------------------


class Sanitiser:
    """Sanitiser of one platform with JSON bodies; an instance serves one recording.

    ``own`` are texts that the exporter has chosen itself, by key, such as numbers of columns; they
    are taken from its requests and stay.
    """

    allowed: ClassVar[Allowed]

    def __init__(self) -> None:
        self.pseudonyms = Pseudonyms()
        self.own: dict[str, set[str]] = {}
        words = {key: frozenset(words) for key, words in self.allowed.words.items()}
        self._words = {
            key: words | frozenset(map(normalise, words)) for key, words in words.items()
        }

    # Exchanges -----------------------------------------------------------------------------

    def prepare(self, bodies: Iterable[tuple[str, bytes]]) -> None:
        """Read all answers (operation, body) once before the first is sanitised."""

    def exchange(
        self, operation: str, request: tuple[str, bytes], answer: tuple[str, bytes]
    ) -> tuple[Value, Value]:
        """Return the bodies of a request and its answer, given as (content type, bytes)."""
        return self.body(operation, *request), self.body(operation, *answer)

    def body(self, operation: str, kind: str, content: bytes) -> Value:  # noqa: ARG002
        """Return a body as plain values: JSON, a form, or what is wrong with anything else."""
        if not content:
            return None
        if "form-urlencoded" in kind:
            pairs = parse_qsl(content.decode(errors="replace"), keep_blank_values=True)
            return {"form": {self.key(name): self.value(text, name) for name, text in pairs}}
        try:
            body, repaired = read_json(content, charset_of(kind))
            shown = self.value(body, "")
        except InvalidAnswer as error:
            return unreadable(kind, content, error)
        except RecursionError:
            return {"omitted": len(content), "fault": "objects inside each other"}
        return {"json": shown, **replacements(repaired)}

    def path(self, path: str, query: str, operation: str) -> str:
        """Return a path in which only segments of the operation and the API are kept."""
        known = {"", *re.split(r"[/\s]", operation), *self.allowed.segments}
        parts = [
            part if part in known or _VERSION.fullmatch(part) else self.pseudonyms.text(part)
            for part in path.split("/")
        ]
        pairs = parse_qsl(query, keep_blank_values=True)
        sanitised = urlencode([(self.key(name), self.value(text, name)) for name, text in pairs])
        return "/".join(parts) + (f"?{sanitised}" if sanitised else "")

    def header(self, name: str, value: str) -> str:
        """Return the value of an answer's header: a media type, an instant or a number."""
        if name != "content-type":
            plain = _HTTP_DATE.fullmatch(value) or re.fullmatch(r"\d{1,6}", value, re.ASCII)
            return value if plain else self.pseudonyms.text(value)
        media_type = value.partition(";")[0].strip().lower()
        charset = charset_of(value)
        shown = media_type if media_type in _MEDIA_TYPES else self.pseudonyms.text(media_type)
        if charset is None:
            return shown
        try:
            return f"{shown}; charset={codecs.lookup(charset).name}"
        except LookupError:
            return f"{shown}; charset={self.pseudonyms.text(charset)}"

    # Values --------------------------------------------------------------------------------

    def key(self, name: str) -> str:
        """Return a key, replaced unless it is allowed."""
        return name if name in self.allowed else self.pseudonyms.text(name)

    def value(self, value: Value, key: str, *, hide: bool = False) -> Value:
        """Return the value of ``key``, with all that it contains; ``hide`` replaces everything.

        The empty key is that of a whole body.
        """
        if isinstance(value, dict):
            return self.mapping(value, key, hide=hide or (key != "" and not self.opens(key)))
        if isinstance(value, list):
            return [self.value(item, key, hide=hide) for item in value]
        if value is None or value == "" or (not hide and self.keeps(value, key)):
            return value
        return self.replace(value, key)

    def opens(self, key: str) -> bool:
        """Return whether the object of a key is judged by its own keys."""
        return key in self.allowed.objects

    def mapping(self, content: Mapping[str, Value], key: str, *, hide: bool) -> Value:  # noqa: ARG002
        """Return the object of ``key``."""
        result = {}
        for name, item in content.items():
            hidden = hide or name not in self.allowed
            result[self.pseudonyms.text(name) if hidden else name] = self.value(
                item, name, hide=hidden
            )
        return result

    def keeps(self, value: Value, key: str) -> bool:
        """Return whether a text, number or boolean of ``key`` is allowed."""
        allowed = self.allowed
        if isinstance(value, bool):
            return key in allowed
        if isinstance(value, int | float):
            is_instant = any(start <= value < end for start, end in _INSTANTS) or value == 0
            return (
                (key in allowed.figures and is_figure(value))
                or (key in allowed.times and is_instant)
                or self._is_word(str(value), key)
            )
        text = value.strip()
        return (
            not text
            or (key in allowed.figures and is_figure(text))
            or (key in allowed.times and _TIME.fullmatch(text) is not None)
            or (key in allowed and text.lower() in _BOOLEANS)
            or all(self._is_word(part, key) for part in re.split(r"[;,]", text))
        )

    def _is_word(self, text: str, key: str) -> bool:
        return text in self.own.get(key, ()) or is_word(text, self._words.get(key, frozenset()))

    def replace(self, value: Value, key: str) -> Value:
        """Return the replacement of a text, number or boolean of ``key``.

        A figure keeps its shape, unless the key is known: then it is a name or an id.
        """
        if isinstance(value, bool):
            return True
        if isinstance(value, int | float):
            return self.pseudonyms.number(value)
        is_short = len(value) <= _LONGEST_SHAPE and not value.isdigit()
        if is_short and key not in self.allowed and _SHAPE.fullmatch(value):
            return shape(value)
        parts = value.split(";")  # of a list of ids
        return ";".join(self.pseudonyms.text(part) if part else "" for part in parts)

    # Settings ------------------------------------------------------------------------------

    def setting(self, value: Value, key: str) -> Value:
        """Return a value of the configuration; the names of a model's fields are the exporter's."""
        if isinstance(value, BaseModel):
            fields = (name for name in type(value).model_fields if name in value.model_fields_set)
            given = {name: getattr(value, name) for name in fields}
            return {
                name: self.setting(item, name)
                for name, item in given.items()
                if not isinstance(item, SecretStr)
            }
        if isinstance(value, dict):
            return {self._setting_key(x, key): self.setting(item, key) for x, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.setting(item, key) for item in value]
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, ZoneInfo | time | date):
            return str(value)
        kept = is_word(str(value), _SETTINGS.get(key, frozenset())) or self.keeps(value, key)
        is_figure = isinstance(value, int | float) and key in _SETTING_FIGURES
        return value if kept or is_figure else self.replace(value, key)

    def _setting_key(self, name: str, key: str) -> str:
        kept = name in self.allowed or self._is_word(name, key)
        return name if kept else self.pseudonyms.text(name)


def is_figure(value: str | float) -> bool:
    """Return whether a value is a number, share, pair of numbers or duration of usual size."""
    if isinstance(value, str):
        return _FIGURE.fullmatch(value.strip()) is not None
    return abs(value) < _TOO_LARGE


def is_word(text: str, words: frozenset[str]) -> bool:
    """Return whether a text is one of the words, in any case and punctuation."""
    plain = text.isascii() and text.isprintable()
    return text in words or (plain and normalise(text) in words)
