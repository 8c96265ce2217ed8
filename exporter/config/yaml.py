"""YAML reader: plain values, the line of every key and item, variables from the environment."""

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from exporter.config.files import read_file
from exporter.errors import ConfigError

KeyPath = tuple[str | int, ...]
_MOST_BYTES = 16_000_000
_MAX_DEPTH = 32
_MAX_NODES = 100_000  # aliases that multiply are refused before they exhaust memory
_TOO_LARGE = "too many values, or values nested too deeply"
_VARIABLE = re.compile(r"\$(?:\$|\{([^}]*)\})")


class _Loader(yaml.SafeLoader):
    """Resolves plain scalars as YAML 1.2: ``12:30``, ``yes``, ``on`` and dates are text."""


_Loader.yaml_implicit_resolvers = {}


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]{1,18}", list("-+0123456789")),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", list("-+.0123456789")),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first
    )


class _Dumper(yaml.SafeDumper):
    """Quotes what ``_Loader`` would not read as the same value."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
        return True


_Dumper.yaml_implicit_resolvers = _Loader.yaml_implicit_resolvers


def write(value: Any) -> str:
    """Return plain values as YAML from which ``read`` returns the same values."""
    return dump(_escape_dollars(value), _Dumper)


def dump(value: Any, dumper: type[yaml.SafeDumper]) -> str:
    """Return plain values as YAML in which characters that are not shown are escaped."""
    text = yaml.dump(value, Dumper=dumper, sort_keys=False, allow_unicode=True, width=96)
    if all(line.isprintable() for line in text.split("\n")):
        return text
    return yaml.dump(value, Dumper=dumper, sort_keys=False, width=96)


def _escape_dollars(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _escape_dollars(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escape_dollars(item) for item in value]
    return value.replace("$", "$$") if isinstance(value, str) else value


@dataclass
class Document:
    """A YAML file: its value, the line of every key and item, and the faults found in it."""

    file: Path
    value: Any = None
    faults: list[str] = field(default_factory=list)
    _lines: dict[KeyPath, int] = field(default_factory=dict)
    _origins: dict[KeyPath, KeyPath] = field(default_factory=dict)

    def line(self, path: KeyPath) -> int:
        """Return the line of a path, or of its nearest ancestor that is in the file."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)

    def fault(self, path: KeyPath, message: str) -> str:
        """Return a message with its location: ``exporter.yml:12: accounts[0].region: …``."""
        for length in range(len(path), 0, -1):
            origin = self._origins.get(path[:length])
            if origin:
                path = (*origin, *path[length:])
                break
        prefix = f"{format_path(path)}: " if path else ""
        return f"{self.file}:{self.line(path)}: {prefix}{message}"

    def merge(self, source: KeyPath, target: KeyPath, own: Collection[str]) -> None:
        """Copy keys of the mapping at ``source``, except ``own``, into that at ``target``.

        Faults below a copied key are reported at ``source``.
        """
        copied = {key: value for key, value in self._at(source).items() if key not in own}
        self._at(target).update(copied)
        self._origins |= {(*target, key): (*source, key) for key in copied}

    def _at(self, path: KeyPath) -> Any:
        value = self.value
        for step in path:
            value = value[step]
        return value


def format_path(path: KeyPath) -> str:
    """Return a path as text: ``accounts[2].feeds.ACDStatus``."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def suggest(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'feeds'?`` where a known word is similar, else an empty string."""
    similar = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {similar[0]!r}?" if similar else ""


def read(file: Path, environment: Mapping[str, str] | None) -> Document:
    """Read a YAML file; ``${NAME}`` in a text is replaced from ``environment``, ``$$`` by ``$``.

    Without an ``environment`` texts are returned unchanged.

    Raises ``ConfigError`` if the file cannot be read or is not valid YAML. Duplicate keys, tags and
    unset variables are collected in ``faults``, so that the rest can still be checked.
    """
    try:
        node = yaml.compose(read_file(file, _MOST_BYTES).decode(), Loader=_Loader)
    except OSError as error:
        raise ConfigError([f"{file}: cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"{file}: not valid UTF-8 at byte {error.start}"]) from error
    except yaml.YAMLError as error:
        raise ConfigError([f"{file}:{_problem(error)}"]) from None
    except RecursionError:
        raise ConfigError([f"{file}: {_TOO_LARGE}"]) from None
    constructor = _Constructor(file, environment)
    value = constructor.construct(node, ())
    return Document(file, value, constructor.faults, constructor.lines)


def _problem(error: yaml.YAMLError) -> str:
    """Return the line and problem of a YAML error without quoting the file's content."""
    mark = getattr(error, "problem_mark", None)
    problem = str(getattr(error, "problem", None) or "not valid YAML")
    for word in ("alias", "tag handle", "anchor"):
        if word in problem:
            problem = f"unknown or duplicate {word}; quote text that begins with !, * or &"
    return f"{mark.line + 1 if mark else 1}: {problem}"


class _Constructor:
    """Constructs plain values from YAML nodes, and records lines and faults."""

    def __init__(self, file: Path, environment: Mapping[str, str] | None) -> None:
        self.lines: dict[KeyPath, int] = {}
        self.faults: list[str] = []
        self._file = file
        self._environment = environment
        self._loader = _Loader("")
        self._nodes = 0

    def construct(self, node: yaml.Node | None, path: KeyPath) -> Any:
        if node is None:
            return None
        self._nodes += 1
        if self._nodes > _MAX_NODES or len(path) > _MAX_DEPTH:
            raise ConfigError([f"{self._file}: {_TOO_LARGE}"])
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.construct(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._fault(key_node, path, "a key is not a string; quote text that begins with {")
                continue
            key = str(key_node.value)
            key_path = (*path, key)
            if key == "<<" and key_node.style is None:
                self._fault(
                    key_node,
                    path,
                    "merge keys (<<) are not supported; keys that accounts share "
                    "belong into the section defaults:",
                )
                continue
            if key in values:
                self._fault(key_node, key_path, "duplicate key")
            self.lines[key_path] = key_node.start_mark.line + 1
            values[key] = self.construct(value_node, key_path)
        return values

    def _scalar(self, node: yaml.Node, path: KeyPath) -> Any:
        constructors: dict[str, Callable[[Any], Any]] = {
            "tag:yaml.org,2002:null": lambda _: None,
            "tag:yaml.org,2002:bool": self._loader.construct_yaml_bool,
            "tag:yaml.org,2002:int": lambda scalar: int(scalar.value),
            "tag:yaml.org,2002:float": lambda scalar: float(scalar.value),
            "tag:yaml.org,2002:str": lambda scalar: self._expand(scalar, path),
        }
        if node.tag not in constructors:
            self._fault(node, path, "YAML tags are not supported; quote text that begins with !")
            return None
        try:
            return constructors[node.tag](node)
        except (ValueError, KeyError):
            self._fault(node, path, "the value does not match its YAML tag")
            return None

    def _expand(self, node: yaml.Node, path: KeyPath) -> str:
        environment = self._environment
        if environment is None:
            return str(node.value)

        def replacement(match: re.Match[str]) -> str:
            name = match[1]
            if name is None:
                return "$"
            if name not in environment:
                self._fault(node, path, f"environment variable {name!r} is not set")
            return environment.get(name, "")

        return _VARIABLE.sub(replacement, node.value)

    def _fault(self, node: yaml.Node, path: KeyPath, message: str) -> None:
        line = node.start_mark.line + 1
        place = f"{format_path(path)}: " if path else ""
        self.faults.append(f"{self._file}:{line}: {place}{message}")
