"""What may stay in a recording for strangers? Nothing, unless it is known to be harmless.

The vendor's own words (headers, states, keys) and figures stay; every other text, and every number
that may name somebody or something, gets a replacement, the same one for the same text. Texts are
judged by the key, header or parameter that they stand under.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

import orjson

from exporter.metrics.tables import Spread, State, Table, normalise

Value = Any
_SECRET = re.compile(
    r"secret|token(?!_type)|passw|salt|api_?key|private|credential|cookie|signature|authorization",
    re.IGNORECASE,
)
_IDENTITY = re.compile(r"(_names?|_ids?|Ids?|mail|phone|caller_?id)$")
_NAMING = re.compile(
    r"mail|phone|caller|callback|\bani\b|dnis|number$|url|host|address|login|extension|contact"
    r"|custom_?data|result_?data|headers|content|names?$|ids?$|Ids?$|^user$|agent$|message|msg$"
    r"|description|comment|note|reason",
)
_SUBTREE = re.compile(r"custom_?data|result_?data|headers|attributes", re.IGNORECASE)
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
_MODES = ("aggregate", "hashed", "id", "name")  # of showing agents


class Pseudonyms:
    """Replacements, numbered as texts come: nothing of a text can be told from its own."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._numbers: dict[int, int] = {}

    def text(self, original: str) -> str:
        """Return the replacement of a text, of the same sort: digits, an id, or words."""
        if original.isascii() and original.isdigit():
            return str(self.number(int(original)))
        place = self._texts.get(original)
        if place is None:
            count = len(self._texts) + 1
            guid = f"00000000-0000-4000-8000-{count:012d}"
            place = guid if _GUID.fullmatch(original) else f"text-{count}"
            self._texts[original] = place
        return place

    def number(self, original: int) -> int:
        """Return the replacement of a number; a text of the same digits has the same."""
        return self._numbers.setdefault(original, 700_001 + len(self._numbers))


class Sanitiser:
    """The rules of one platform; an instance serves one recording.

    ``kept`` keys hold the vendor's words or figures whatever they say; ``plain`` ones look as if
    they named somebody and do not; ``hidden`` ones are replaced, whatever they say; ``words`` are
    the vendor's own, besides those of ``tables``.
    """

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
        """Look at all answers (operation, body) once before any is sanitised."""

    def exchange(
        self, operation: str, asked: tuple[str, bytes], answered: tuple[str, bytes]
    ) -> tuple[Value, Value]:
        """Return the bodies of a request and its answer, given as (content type, bytes)."""
        return self.body(operation, *asked), self.body(operation, *answered)

    def body(self, operation: str, kind: str, content: bytes) -> Value:
        """Return a body as plain values: JSON, a form, or only the size of what is neither."""
        if not content:
            return None
        if "form-urlencoded" in kind:
            pairs = parse_qsl(content.decode(errors="replace"), keep_blank_values=True)
            return {"form": {self.key(name): self.value(text, name) for name, text in pairs}}
        try:
            found = orjson.loads(content)
        except orjson.JSONDecodeError:
            return {"omitted": len(content)}
        return {"json": self.value(found, self.root(operation))}

    def root(self, operation: str) -> str:  # noqa: ARG002
        """Return the key that a whole answer stands under, where it is a bare list."""
        return ""

    def path(self, path: str, query: str, operation: str) -> str:
        """Return a path whose segments are the operation's, or nobody's."""
        ours = set(re.split(r"[/\s]", operation))
        parts = [
            part if part in ours or not part or self._is_ours(part) else self.pseudonyms.text(part)
            for part in path.split("/")
        ]
        pairs = parse_qsl(query, keep_blank_values=True)
        shown = urlencode([(name, str(self.value(text, name))) for name, text in pairs])
        return "/".join(parts) + (f"?{shown}" if shown else "")

    def _is_ours(self, part: str) -> bool:
        return bool(_VERSION.fullmatch(part)) or part in self.segments

    segments: frozenset[str] = frozenset()  # of paths, besides those in the operation's name

    # Values --------------------------------------------------------------------------------

    def key(self, name: str) -> str:
        """Return a key: those of the vendor are plain words."""
        return name if _KEY.fullmatch(name) else self.pseudonyms.text(name)

    def value(self, found: Value, key: str, *, hide: bool = False) -> Value:
        """Return a value that stands under ``key``, and what is in it; ``hide`` hides it all."""
        if isinstance(found, dict):
            return self.mapping(found, key, hide=hide)
        if isinstance(found, list):
            return [self.value(each, key, hide=hide) for each in found]
        if isinstance(found, str):
            return self.pseudonyms.text(found) if hide and found else self.text(found, key)
        if found is None or isinstance(found, bool):
            return found
        if isinstance(found, int | float):
            return self._number(found, key, hide=hide)
        return self.text(str(found), key)  # of settings: a zone, a time of day

    def mapping(self, found: Mapping[str, Value], key: str, *, hide: bool) -> Value:
        """Return an object that stands under ``key``."""
        hide = hide or bool(_SUBTREE.search(key))
        return {
            self.pseudonyms.text(name) if hide else self.key(name): self.value(
                each, name, hide=hide
            )
            for name, each in found.items()
        }

    def text(self, text: str, key: str) -> str:
        """Return a text that stands under ``key``."""
        if not text.strip() or self._keeps(key):
            return text
        if not self._hides(key):
            return self._told(text, key)
        parts = text.split(";")  # a list of ids
        return ";".join(
            part if part.casefold() in _HARMLESS else self.pseudonyms.text(part) for part in parts
        )

    def _told(self, text: str, key: str) -> str:
        """Keep figures and the vendor's words, alone or in a list."""
        if _FIGURE.fullmatch(text.strip()) or (key == "agents" and text in _MODES):
            return text
        if self._knows(key) and _LONG_FIGURE.fullmatch(text.strip()):
            return text
        parts = re.split(r"([;,])", text)
        if all(part in ";," or self._is_word(part) for part in parts):
            return text
        return self.pseudonyms.text(text)

    def _number(self, found: float, key: str, *, hide: bool) -> Value:
        whole = isinstance(found, int)
        if self._keeps(key) and not hide:
            return found
        if hide or self._hides(key):
            return self.pseudonyms.number(int(found))
        if abs(found) < _SMALL or self._knows(key) or not whole:
            return found
        return self.pseudonyms.number(int(found))

    def _is_word(self, text: str) -> bool:
        return text.casefold() in _HARMLESS or normalise(text) in self._words

    def _knows(self, key: str) -> bool:
        return normalise(key) in self._words

    def _keeps(self, key: str) -> bool:
        return normalise(key) in self._kept

    def _hides(self, key: str) -> bool:
        if _SECRET.search(key):
            return True
        name = normalise(key)
        if name in self._hidden:
            return True
        if name in self._plain:
            return False
        looks = _IDENTITY if self._knows(key) else _NAMING
        return bool(looks.search(key))
