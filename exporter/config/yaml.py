"""YAML with places: reads a file into plain values and remembers the line of each."""

import difflib
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from exporter.errors import ConfigError

KeyPath = tuple[str | int, ...]
_MAX_DEPTH = 32
_MAX_NODES = 100_000  # aliases that multiply are refused before they fill the memory
_VARIABLE = re.compile(r"\$(?:\$|\{([^}]*)\})")


class _Loader(yaml.SafeLoader):
    """YAML 1.2's idea of plain scalars: ``12:30`` is text, and so are ``yes``, ``on`` and dates."""


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
    """Writes what the loader reads as the same."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - two equal lists are written twice
        return True


_Dumper.yaml_implicit_resolvers = _Loader.yaml_implicit_resolvers


def write(value: Any) -> str:
    """Write plain values as the YAML that ``read`` reads as the same values."""
    return yaml.dump(
        _without_variables(value), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=96
    )


def _without_variables(value: Any) -> Any:
    """Double the dollars of texts, so that none is taken for a variable."""
    if isinstance(value, dict):
        return {key: _without_variables(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_variables(each) for each in value]
    return value.replace("$", "$$") if isinstance(value, str) else value


class Located:
    """A file's content: plain values, the line of every key and item, and faults so far."""

    def __init__(
        self, file: Path, value: Any, lines: dict[KeyPath, int], faults: list[str]
    ) -> None:
        self.file = file
        self.faults = faults
        self.value = value
        self._lines = lines
        self._origins: dict[KeyPath, KeyPath] = {}

    def line(self, path: KeyPath) -> int:
        """Return the line of a path, or of the nearest thing around it."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)

    def fault(self, path: KeyPath, message: str) -> str:
        """Write a fault with its place: ``exporter.yml:12: accounts[0].region: …``."""
        for length in range(len(path), 0, -1):
            origin = self._origins.get(path[:length])
            if origin:
                path = (*origin, *path[length:])
                break
        where = f"{show(path)}: " if path else ""
        return f"{self.file}:{self.line(path)}: {where}{message}"

    def merge(self, source: KeyPath, target: KeyPath, own: Collection[str]) -> None:
        """Give the mapping at ``target`` the keys of the one at ``source``, less its ``own``."""
        values, into = self._at(source), self._at(target)
        for key, value in values.items():
            if key not in own:
                into[key] = value
                self._origins[*target, key] = (*source, key)

    def _at(self, path: KeyPath) -> Any:
        value = self.value
        for step in path:
            value = value[step]
        return value


def show(path: KeyPath) -> str:
    """Write a path as a person would: ``accounts[2].feeds.ACDStatus``."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def suggest(word: str, known: Iterator[str] | list[str]) -> str:
    """Return a hint such as ``; did you mean 'feeds'?`` for a near miss, else nothing."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""


def read(file: Path, environment: Mapping[str, str] | None) -> Located:
    """Read a YAML file and expand ``${NAME}`` in its texts; ``$$`` is a dollar.

    Without an ``environment`` every text is taken as it is.

    Raises ``ConfigError`` where the file cannot be read or is no YAML. A key that is there twice
    and a variable that is not set are in ``faults``, so that more can be looked for.
    """
    try:
        with file.open(encoding="utf-8") as stream:
            node = yaml.compose(stream, Loader=_Loader)
    except OSError as error:
        raise ConfigError([f"{file}: cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"{file}: not valid UTF-8 at byte {error.start}"]) from error
    except yaml.YAMLError as error:
        raise ConfigError([f"{file}:{_mark(error)}"]) from None
    except RecursionError:
        raise ConfigError([f"{file}: too many values, or values nested too deeply"]) from None
    builder = _Builder(file, environment)
    value = builder.build(node, ())
    return Located(file, value, builder.lines, builder.faults)


def _mark(error: yaml.YAMLError) -> str:
    """Return the line and problem of a YAML error, without quoting the file's content."""
    mark = getattr(error, "problem_mark", None)
    problem = str(getattr(error, "problem", None) or "not valid YAML")
    for word in ("alias", "tag handle", "anchor"):
        if word in problem:
            problem = f"unknown or duplicate {word}; quote text that begins with !, * or &"
    return f"{mark.line + 1 if mark else 1}: {problem}"


class _Builder:
    def __init__(self, file: Path, environment: Mapping[str, str] | None) -> None:
        self.file = file
        self.environment = environment
        self.lines: dict[KeyPath, int] = {}
        self.faults: list[str] = []
        self._loader = _Loader("")
        self._nodes = 0

    def build(self, node: yaml.Node | None, path: KeyPath) -> Any:
        if node is None:
            return None
        self._nodes += 1
        if self._nodes > _MAX_NODES or len(path) > _MAX_DEPTH:
            raise ConfigError([f"{self.file}: too many values, or values nested too deeply"])
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*path, at)) for at, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._fault(key_node, path, "a key is not a string; quote text that begins with {")
                continue
            key = str(key_node.value)
            inner = (*path, key)
            if key in values:
                self._fault(key_node, inner, "duplicate key")
            self.lines[inner] = key_node.start_mark.line + 1
            values[key] = self.build(value_node, inner)
        return values

    def _scalar(self, node: yaml.Node, path: KeyPath) -> Any:
        construct: dict[str, Callable[[Any], Any]] = {
            "tag:yaml.org,2002:null": lambda _: None,
            "tag:yaml.org,2002:bool": self._loader.construct_yaml_bool,
            "tag:yaml.org,2002:int": lambda each: int(each.value),
            "tag:yaml.org,2002:float": lambda each: float(each.value),
            "tag:yaml.org,2002:str": lambda each: self._expand(each, path),
        }
        if node.tag not in construct:
            self._fault(node, path, "YAML tags are not supported; quote text that begins with !")
            return None
        try:
            return construct[node.tag](node)
        except (ValueError, KeyError):
            self._fault(node, path, "the value does not match its YAML tag")
            return None

    def _expand(self, node: yaml.Node, path: KeyPath) -> str:
        environment = self.environment
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
        self.faults.append(f"{self.file}:{node.start_mark.line + 1}: {show(path)}: {message}")
