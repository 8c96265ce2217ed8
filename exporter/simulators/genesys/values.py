"""How does a value look on the wire? In the layout that the settings choose.

A fraction is in the text alone: the integer beside it is cut off.
"""

from typing import Any

from exporter.simulators.genesys.settings import Settings, ValueLayout


def encode(value: Any, instant: float, settings: Settings, *, is_state: bool) -> dict[str, Any]:
    """Return the part of an entry that tells a value of an instant in epoch seconds."""
    stamp = int(instant * 1000)
    if value is None:
        return _nothing(stamp, settings)
    if is_state:
        return {"value": _state(value, stamp, settings), "timestamp": stamp}
    return {"value": _number(value, stamp, settings.value), "timestamp": stamp}


def _nothing(stamp: int, settings: Settings) -> dict[str, Any]:
    match settings.no_value:
        case "absent":
            return {}
        case "nan":
            return {"value": "NaN", "timestamp": stamp}
        case "empty":
            return {"value": "", "timestamp": stamp}
    return {"value": None, "timestamp": stamp}


def _state(tree: dict[str, Any], stamp: int, settings: Settings) -> dict[str, Any]:
    if settings.state_value == "bare":
        return tree
    return {settings.state_value: tree, "timestamp": stamp, "intervalLength": 0, "tag": -1}


def _number(value: float, stamp: int, layout: ValueLayout) -> Any:
    text = str(int(value)) if value == int(value) else f"{value:.3f}".rstrip("0")
    event_info = {
        "intValue": int(value),
        "stringValue": text,
        "timestamp": stamp,
        "intervalLength": 0,
        "tag": -1,
    }
    match layout:
        case "number":
            return int(value) if value == int(value) else value
        case "string":
            return text
        case "wrapped":
            return {"eventInfo": event_info}
    return event_info
