"""Logging in logfmt or JSON: constant messages with fields."""

import json
import logging
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

from exporter.printable import shorten

LogFormat = Literal["logfmt", "json"]
LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
}
_NAMES = {value: name for name, value in LEVELS.items()}


class Log(logging.LoggerAdapter[logging.Logger]):
    """A logger whose keyword arguments are fields: ``log.warning("refresh failed", feed="x")``."""

    def bind(self, **fields: object) -> "Log":
        """Return a logger that adds these fields to every line."""
        return Log(self.logger, {**(self.extra or {}), **fields})

    def process(
        self, msg: object, kwargs: MutableMapping[str, Any]
    ) -> tuple[object, MutableMapping[str, Any]]:
        """Move keyword arguments that ``logging`` does not know into the record's fields."""
        known = {key: kwargs.pop(key) for key in ("exc_info", "stacklevel") if key in kwargs}
        return msg, {**known, "extra": {"fields": {**(self.extra or {}), **kwargs}}}


def get_log(name: str) -> Log:
    """Return the logger of a module."""
    return Log(logging.getLogger(name), {})


def _fields(record: logging.LogRecord, formatter: logging.Formatter) -> dict[str, object]:
    time = datetime.fromtimestamp(record.created, UTC)
    given: dict[str, object] = {"msg": record.getMessage(), **getattr(record, "fields", {})}
    fields: dict[str, object] = {
        "ts": time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": _NAMES.get(record.levelno, record.levelname.lower()),
        **{name: shorten(x) if isinstance(x, str) else x for name, x in given.items()},
    }
    if record.exc_info:
        fields["traceback"] = formatter.formatException(record.exc_info)
    return fields


class Logfmt(logging.Formatter):
    """``ts=… level=warn msg="refresh failed" feed=ACDStatus``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        return " ".join(f"{key}={_quoted(value)}" for key, value in _fields(record, self).items())


class Json(logging.Formatter):
    """One JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        return json.dumps(_fields(record, self), default=str)


def _quoted(value: object) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    plain = text and not any(ch in ' ="\\' or not ch.isprintable() for ch in text)
    return text if plain else json.dumps(text, ensure_ascii=not text.isprintable())


def set_up(level: str, form: LogFormat, stream: TextIO = sys.stderr) -> None:
    """Write log lines to ``stream``; of libraries, only warnings and errors."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(Json() if form == "json" else Logfmt())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(LEVELS[level], logging.WARNING))
    logging.getLogger("exporter").setLevel(LEVELS[level])
