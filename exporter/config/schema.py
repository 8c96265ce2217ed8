"""The shape of a part of the file: what does its model want, and what is wrong with it where?

Models are pydantic's; what it finds is said in our words, with the path inside the part.
"""

import re
from datetime import time
from typing import Annotated, Any, get_args, get_origin
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from exporter.config.yaml import KeyPath, suggest

Fault = tuple[KeyPath, str]
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?", re.ASCII)
_UNITS = (86_400.0, 3600.0, 60.0, 1.0, 0.001)


def duration(value: object) -> float:
    """Read ``15s``, ``2m`` or ``1h30m`` as seconds; a bare 0 is zero."""
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
        found = time.fromisoformat(str(value))
    except ValueError as error:
        raise ValueError("expected a time of day such as 08:00") from error
    if found.tzinfo is not None:
        raise ValueError("expected a time of day without a UTC offset; time_zone sets the zone")
    return found


Duration = Annotated[float, BeforeValidator(duration)]
Zone = Annotated[ZoneInfo, BeforeValidator(_zone)]
WallTime = Annotated[time, BeforeValidator(_wall_time)]


class Model(BaseModel):
    """Shape of a part of the file: no unknown keys, and errors that hide what was written."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def shape_faults(error: ValidationError, data: Any, model: type[BaseModel]) -> list[Fault]:
    """Return what pydantic found, as paths inside ``data`` and messages in our words."""
    faults = []
    for each in error.errors(include_input=False, include_url=False):
        path = _place(dict(each), data)
        faults.append((path, _say(dict(each), model, path)))
    return faults


def _clean(loc: tuple[int | str, ...], data: Any) -> KeyPath:
    """Keep of pydantic's path what is in the file; it also names the branches of unions."""
    path: list[int | str] = []
    for step in loc:
        in_mapping = isinstance(data, dict) and step in data
        in_list = isinstance(data, list) and isinstance(step, int) and step < len(data)
        if in_mapping or in_list:
            data = data[step]
            path.append(step)
    return tuple(path)


def _place(error: dict[str, Any], data: Any) -> KeyPath:
    """Return where in the account a pydantic error is; a missing key is named all the same."""
    path = _clean(error["loc"], data)
    return (*path, error["loc"][-1]) if error["type"] == "missing" else path


def prune(data: Any, path: KeyPath) -> None:
    """Take out what has the wrong shape, so that the rest can still be checked for its meaning.

    Of a list, that is the whole list; a mapping that is empty without it goes as well.
    """
    trail = []
    for step in path:
        trail.append((data, step))
        if isinstance(data, dict) and step not in data:
            break  # it is missing, or has been taken out already
        data = data[step]
    for owner, key in reversed(trail):
        if not isinstance(owner, dict):
            continue
        owner.pop(key, None)
        if owner:
            break


def _say(error: dict[str, Any], model: type[BaseModel], path: KeyPath) -> str:
    """Put a pydantic error into our words."""
    kind = error["type"]
    if kind == "extra_forbidden":
        return f"unknown key{suggest(str(path[-1]), _keys_at(model, path[:-1]))}"
    if kind == "missing":
        return "is required"
    return str(error["msg"]).removeprefix("Value error, ").replace("Input should", "must")


def _keys_at(model: type[BaseModel], path: KeyPath) -> list[str]:
    """Return the keys that the model knows at a path."""
    here: Any = model
    for step in path:
        inner = _inner_types(here)
        grid = next((each for each in inner if get_origin(each) in (dict, list)), None)
        owner = next((each for each in inner if _is_model(each)), None)
        if grid is not None and not _is_model(here):
            here = get_args(grid)[-1]
        elif owner is not None and step in owner.model_fields:
            here = owner.model_fields[step].annotation
        else:
            return []
    found = next((each for each in _inner_types(here) if _is_model(each)), None)
    return list(found.model_fields) if found else []


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _inner_types(kind: Any) -> list[Any]:
    """Return a type and all types inside it: ``dict[str, A | B]`` holds A and B."""
    return [kind, *(inner for arg in get_args(kind) for inner in _inner_types(arg))]
