"""Base model and value types of the configuration, and pydantic's errors as faults.

A fault is a path inside the validated part and a message that shows no value.
"""

import re
from datetime import time
from typing import Annotated, Any, ClassVar, get_args, get_origin
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from exporter.config.yaml import KeyPath, suggest

Fault = tuple[KeyPath, str]
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?", re.ASCII)
# By pydantic's type of error; in braces what its context holds.
_MESSAGES = {
    "string_type": "expected text; quote a number, a date, and words such as yes and null",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "has characters or a form that is not allowed here ({pattern})",
    "int_type": "expected a whole number",
    "int_parsing": "expected a whole number",
    "int_from_float": "expected a whole number",
    "float_type": "expected a number",
    "float_parsing": "expected a number",
    "finite_number": "expected a number",
    "bool_type": "expected true or false",
    "bool_parsing": "expected true or false",
    "list_type": "expected a list such as [a, b]",
    "too_short": "must have at least {min_length} items",
    "too_long": "must have at most {max_length} items",
    "literal_error": "expected one of {expected}",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
}
_UNITS = (86_400.0, 3600.0, 60.0, 1.0, 0.001)


def duration(value: object) -> float:
    """Return the seconds of ``15s``, ``2m`` or ``1h30m``; a bare 0 is zero."""
    if value == 0 and not isinstance(value, bool):
        return 0.0
    match = _DURATION.fullmatch(value) if isinstance(value, str) and value else None
    if match is None:
        raise ValueError("expected a duration such as 15s, 2m or 1h30m")
    parts = zip(match.groups(), _UNITS, strict=True)
    return sum(int(part) * unit for part, unit in parts if part)


def _zone(value: object) -> ZoneInfo:
    try:
        return ZoneInfo(str(value))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("expected an IANA time zone such as America/New_York") from error


def _wall_time(value: object) -> time:
    try:
        wall_time = time.fromisoformat(str(value))
    except ValueError as error:
        raise ValueError("expected a time of day such as 08:00") from error
    if wall_time.tzinfo is not None:
        raise ValueError("expected a time of day without a UTC offset; time_zone sets the zone")
    return wall_time


Duration = Annotated[float, BeforeValidator(duration)]
Zone = Annotated[ZoneInfo, BeforeValidator(_zone)]
WallTime = Annotated[time, BeforeValidator(_wall_time)]


class Model(BaseModel):
    """Base of all models: refuses unknown keys, is immutable, shows no values in errors.

    ``EXAMPLE`` is a valid value, for errors.
    """

    EXAMPLE: ClassVar[str] = "{key: value}"

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def shape_faults(error: ValidationError, data: Any, model: type[BaseModel]) -> list[Fault]:
    """Return pydantic's errors as faults; ``data`` is what ``model`` was validated from."""
    faults = []
    for detail in error.errors(include_input=False, include_url=False):
        path = _known_path(detail["loc"], data)
        if detail["type"] == "missing":
            faults.append(((*path, detail["loc"][-1]), "is required"))
        elif detail["type"] == "extra_forbidden":
            hint = suggest(str(path[-1]), _keys_at(model, path[:-1]))
            faults.append((path, f"unknown key{hint}"))
        else:
            faults.append((path, _message(detail, model, path)))
    return faults


def _message(detail: ErrorDetails, model: type[BaseModel], path: KeyPath) -> str:
    """Return an error in our words, where there are any for its type."""
    kind = detail["type"]
    if kind in ("dict_type", "model_type"):
        owner = _model_at(model, path)
        example = getattr(owner, "EXAMPLE", Model.EXAMPLE) if owner else Model.EXAMPLE
        return f"expected a mapping such as {example}"
    if kind not in _MESSAGES:
        return detail["msg"].removeprefix("Value error, ")
    context = {key: _number(value) for key, value in detail.get("ctx", {}).items()}
    return _MESSAGES[kind].format(**context)


def _number(value: object) -> object:
    return f"{value:g}" if isinstance(value, float) else value


def _known_path(loc: tuple[int | str, ...], data: Any) -> KeyPath:
    """Return the steps of ``loc`` that are in ``data``; pydantic also names branches of unions."""
    path: list[int | str] = []
    for step in loc:
        in_mapping = isinstance(data, dict) and step in data
        in_list = isinstance(data, list) and isinstance(step, int) and step < len(data)
        if in_mapping or in_list:
            data = data[step]
            path.append(step)
    return tuple(path)


def prune(data: Any, path: KeyPath) -> None:
    """Remove an invalid value from ``data``, so that the rest can still be checked.

    A list that holds it is removed whole, as is a mapping that becomes empty.
    """
    trail = []
    for step in path:
        trail.append((data, step))
        if isinstance(data, dict) and step not in data:
            break  # missing, or removed before
        data = data[step]
    for owner, key in reversed(trail):
        if not isinstance(owner, dict):
            continue
        owner.pop(key, None)
        if owner:
            break


def _keys_at(model: type[BaseModel], path: KeyPath) -> list[str]:
    """Return the keys that ``model`` accepts at ``path``."""
    owner = _model_at(model, path)
    return list(owner.model_fields) if owner else []


def _model_at(model: type[BaseModel], path: KeyPath) -> type[BaseModel] | None:
    """Return the model of the mapping at ``path`` inside ``model``, or of the items there."""
    annotation: Any = model
    for step in path:
        types = _nested_types(annotation)
        container = next((kind for kind in types if get_origin(kind) in (dict, list)), None)
        owner = next((kind for kind in types if _is_model(kind)), None)
        if container is not None and not _is_model(annotation):
            annotation = get_args(container)[-1]
        elif owner is not None and step in owner.model_fields:
            annotation = owner.model_fields[step].annotation
        else:
            return None
    return next((kind for kind in _nested_types(annotation) if _is_model(kind)), None)


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _nested_types(kind: Any) -> list[Any]:
    """Return a type and its arguments, recursively: ``dict[str, A | B]`` contains A and B."""
    return [kind, *(nested for arg in get_args(kind) for nested in _nested_types(arg))]
