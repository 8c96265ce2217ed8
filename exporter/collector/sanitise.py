"""Sanitiser for recordings: replaces everything that is not known to be harmless.

The vendor's own words (headers, states, keys) and figures are kept. Every other text, and every
number that may identify a person or an object, is replaced, the same text by the same replacement.
What becomes of a text depends on its key, header or parameter.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from exporter.collector.repair import Repaired, Unreadable, read_json, without_content
from exporter.errors import InvalidAnswer
from exporter.metrics.tables import Spread, State, Table, normalise

Value = Any
_SECRET = re.compile(
    r"secret|token(?!_type)|passw|salt|api_?key|private|credential|cookie|signature|authorization",
    re.IGNORECASE,
)
_IDENTITY = re.compile(r"(_names?|_ids?|Ids?|mail|phone|caller_?id)$")
_NAMING = re.compile(
    r"mail|phone|caller|callback|\bani\b|dnis|number$|url|host|address|login|extension|contact"
    r"|headers|content|names?$|ids?$|Ids?$|^user$|agent$|message|msg$"
    r"|description|comment|note|reason",
)
_FIGURE = re.compile(
    r"[-+]?\d{1,6}(\.\d{1,6})?\s?%?"  # a small number, or a share
    r"|\d{1,6}\s*\(\s*\d{1,6}(\.\d+)?\s*%?\s*\)"  # a pair
    r"|\d{1,3}(:\d\d){1,2}"  # a duration
    r"|\d{4}-\d\d-\d\d([T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[-+]\d\d:?\d\d)?)?",  # a date
    re.ASCII,
)
_LONG_FIGURE = re.compile(r"[-+]?\d{1,18}(\.\d{1,9})?", re.ASCII)
_SMALL = 1_000_000  # from here on a number may be a telephone's
_GUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_KEY = re.compile(r"[A-Za-z_][\w.\-/: ]{0,60}", re.ASCII)
_VERSION = re.compile(r"v\d{1,3}(_\d{1,3})?", re.ASCII)
_SETTINGS = ("time_zone", "interval", "timeout", "stale_after", "metric", "parse")
_HARMLESS = frozenset({"", "all", "none", "true", "false", "yes", "no"})
_MODES = ("aggregate", "hashed", "id", "name")  # values of the key agents


class Pseudonyms:
    """Replacements, numbered in order of appearance, so that they reveal nothing of the text."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._numbers: dict[int, int] = {}

    def text(self, original: str) -> str:
        """Return the replacement of a text: digits for digits, an id for an id, else a word."""
        if original.isascii() and original.isdigit():
            return str(self.number(int(original)))
        replacement = self._texts.get(original)
        if replacement is None:
            count = len(self._texts) + 1
            guid = f"00000000-0000-4000-8000-{count:012d}"
            replacement = guid if _GUID.fullmatch(original) else f"text-{count}"
            self._texts[original] = replacement
        return replacement

    def number(self, original: int) -> int:
        """Return the replacement of a number, the same as of a text with its digits."""
        return self._numbers.setdefault(original, 700_001 + len(self._numbers))


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


class Sanitiser:
    """The rules of one platform; an instance serves one recording.

    Values of ``kept`` keys are kept; those of ``plain`` keys, whose names look like personal data,
    are judged like any other; those of ``hidden`` keys are always replaced. ``words`` are the
    vendor's own, besides those of ``tables``.
    """

    segments: frozenset[str] = frozenset()  # of paths, besides those in the operation's name
    # Keys of customers' own data, of which not even the keys are kept.
    customer_data = re.compile(r"headers|attributes", re.IGNORECASE)

    def __init__(
        self,
        tables: Iterable[Table] = (),
        *,
        kept: Iterable[str] = (),
        plain: Iterable[str] = (),
        hidden: Iterable[str] = (),
        words: Iterable[str] = (),
    ) -> None:
        self.pseudonyms = Pseudonyms()
        self._kept = set(map(normalise, (*_SETTINGS, *kept)))
        self._plain = set(map(normalise, plain))
        self._hidden: set[str] = set()
        self._words = set(map(normalise, words))
        for table in tables:
            self._learn(table)
        self._hidden = (self._hidden - self._plain) | set(map(normalise, hidden))

    def _learn(self, table: Table) -> None:
        rows = [name for key in table.key for name in (key.header, *key.aliases)]
        self._words |= set(map(normalise, (*table.ignored, *rows)))
        if table.subject is not None:
            self._hidden |= set(map(normalise, (*rows, table.display or "")))
        self._hidden |= set(map(normalise, table.private))
        for figure in table.figures:
            if isinstance(figure, Spread):
                continue
            headers = set(map(normalise, (figure.header, *figure.aliases)))
            self._words |= headers
            if isinstance(figure, State):
                self._kept |= headers
                self._words |= set(figure.states.words)
        self._hidden.discard("")

    # Exchanges -----------------------------------------------------------------------------

    def prepare(self, bodies: Iterable[tuple[str, bytes]]) -> None:
        """Read all answers (operation, body) once before the first is sanitised."""

    def exchange(
        self, operation: str, request: tuple[str, bytes], answer: tuple[str, bytes]
    ) -> tuple[Value, Value]:
        """Return the bodies of a request and its answer, given as (content type, bytes)."""
        return self.body(operation, *request), self.body(operation, *answer)

    def body(self, operation: str, kind: str, content: bytes) -> Value:
        """Return a body as plain values: JSON, a form, or what is wrong with anything else."""
        if not content:
            return None
        if "form-urlencoded" in kind:
            pairs = parse_qsl(content.decode(errors="replace"), keep_blank_values=True)
            return {"form": {self.key(name): self.value(text, name) for name, text in pairs}}
        try:
            body, repaired = read_json(content, charset_of(kind))
        except InvalidAnswer as error:
            return unreadable(kind, content, error)
        return {"json": self.value(body, self.root(operation)), **replacements(repaired)}

    def root(self, operation: str) -> str:  # noqa: ARG002
        """Return the key that decides about an answer which is a bare list."""
        return ""

    def path(self, path: str, query: str, operation: str) -> str:
        """Return a path in which only segments of the operation and the API are kept."""
        known = {"", *re.split(r"[/\s]", operation), *self.segments}
        parts = [
            part if part in known or _VERSION.fullmatch(part) else self.pseudonyms.text(part)
            for part in path.split("/")
        ]
        pairs = parse_qsl(query, keep_blank_values=True)
        sanitised = urlencode([(name, str(self.value(text, name))) for name, text in pairs])
        return "/".join(parts) + (f"?{sanitised}" if sanitised else "")

    # Values --------------------------------------------------------------------------------

    def key(self, name: str) -> str:
        """Return a key, replaced unless it is a plain word, as the vendor's are."""
        return name if _KEY.fullmatch(name) else self.pseudonyms.text(name)

    def value(self, value: Value, key: str, *, hide: bool = False) -> Value:
        """Return the value of ``key``, with all that it contains; ``hide`` replaces everything."""
        if isinstance(value, dict):
            return self.mapping(value, key, hide=hide)
        if isinstance(value, list):
            return [self.value(item, key, hide=hide) for item in value]
        if isinstance(value, str):
            return self.pseudonyms.text(value) if hide and value else self.text(value, key)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            return self._number(value, key, hide=hide)
        return self.text(str(value), key)  # of settings: a zone, a time of day

    def mapping(self, content: Mapping[str, Value], key: str, *, hide: bool) -> Value:
        """Return the object of ``key``."""
        hide = hide or bool(self.customer_data.search(key))
        rename = self.pseudonyms.text if hide else self.key
        return {rename(name): self.value(item, name, hide=hide) for name, item in content.items()}

    def text(self, text: str, key: str) -> str:
        """Return the text of ``key``."""
        if not text.strip() or self._keeps(key):
            return text
        if not self._hides(key):
            return self._words_or_figure(text, key)
        parts = text.split(";")  # a list of ids
        return ";".join(
            part if part.casefold() in _HARMLESS else self.pseudonyms.text(part) for part in parts
        )

    def _words_or_figure(self, text: str, key: str) -> str:
        """Return a figure, or the vendor's words alone or in a list; else a replacement."""
        if _FIGURE.fullmatch(text.strip()) or (key == "agents" and text in _MODES):
            return text
        if self._knows(key) and _LONG_FIGURE.fullmatch(text.strip()):
            return text
        parts = re.split(r"([;,])", text)
        if all(part in ";," or self._is_word(part) for part in parts):
            return text
        return self.pseudonyms.text(text)

    def _number(self, number: float, key: str, *, hide: bool) -> Value:
        if self._keeps(key) and not hide:
            return number
        may_identify = abs(number) >= _SMALL and isinstance(number, int) and not self._knows(key)
        if hide or self._hides(key) or may_identify:
            return self.pseudonyms.number(int(number))
        return number

    def _is_word(self, text: str) -> bool:
        return text.casefold() in _HARMLESS or normalise(text) in self._words

    def _knows(self, key: str) -> bool:
        return normalise(key) in self._words

    def _keeps(self, key: str) -> bool:
        return normalise(key) in self._kept

    def _hides(self, key: str) -> bool:
        if _SECRET.search(key) or self.customer_data.search(key):
            return True
        name = normalise(key)
        if name in self._hidden:
            return True
        if name in self._plain:
            return False
        pattern = _IDENTITY if self._knows(key) else _NAMING
        return bool(pattern.search(key))
