"""Logging in logfmt or JSON: constant messages with fields. Standard error never blocks."""

import atexit
import io
import json
import logging
import os
import select
import sys
import threading
from collections import deque
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

from exporter.printable import shorten

LogFormat = Literal["logfmt", "json"]
_MOST_LINES = 10_000  # that wait to be written
_MOST_BYTES = 4_000_000
_STDERR = 2  # file descriptor
_LAST_WRITES = 1.0  # seconds for what is still unwritten when the process ends
_dropped_lines = 0  # of this process, by every ``BackgroundStream``
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


def set_up(level: str, form: LogFormat, stream: TextIO | None = None) -> None:
    """Write log lines to ``stream``, by default standard error; of libraries, from warnings on."""
    handler = logging.StreamHandler(stream or sys.stderr)
    formatter = Json() if form == "json" else Logfmt()
    handler.setFormatter(formatter)
    if isinstance(handler.stream, BackgroundStream):
        handler.stream.formatter = formatter
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(LEVELS[level], logging.WARNING))
    logging.getLogger("exporter").setLevel(LEVELS[level])


def dropped_lines() -> int:
    """Return how many lines this process could not write to standard error."""
    return _dropped_lines


class BackgroundStream(io.TextIOBase):
    """A text stream whose lines are written by a thread of its own, so that no writer blocks.

    A pipe that is not read, a terminal that is paused or a disk that hangs stops every thread
    that writes to it. Lines wait here instead; if there are too many, the oldest are dropped and
    counted, and a line says how many once the next can be written. ``descriptor`` is where they
    are written; with ``None``, every line is dropped. The thread is a daemon: it does not keep
    the process from ending.
    """

    def __init__(
        self,
        descriptor: int | None,
        *,
        most_lines: int = _MOST_LINES,
        most_bytes: int = _MOST_BYTES,
    ) -> None:
        super().__init__()
        self.formatter: logging.Formatter = Logfmt()  # of the line that counts dropped ones
        self._descriptor = descriptor
        self._most_lines, self._most_bytes = most_lines, most_bytes
        # Reentrant: the garbage collector may run here, and a finalizer may write a line.
        self._changed = threading.Condition(threading.RLock())
        self._lines: deque[bytes] = deque()
        self._size = 0  # bytes of these lines
        self._unfinished = ""  # a line whose end has not been written yet
        self._dropped = 0  # lines since the last that was written
        self._writing = False
        threading.Thread(target=self._write_lines, name="stderr", daemon=True).start()

    def write(self, text: str) -> int:
        """Add text; its complete lines will be written. Never blocks."""
        with self._changed:
            *lines, rest = (self._unfinished + text).split("\n")
            if len(rest) > self._most_bytes:
                lines.append(rest)
                rest = ""
            self._unfinished = rest
            for line in lines:
                self._append(f"{line}\n".encode(errors="backslashreplace"))
            self._changed.notify_all()
        return len(text)

    def writable(self) -> bool:
        """Return that it can be written to."""
        return True

    def drained(self, seconds: float | None = None) -> bool:
        """Wait until no line is left to be written; return whether that was within ``seconds``."""
        with self._changed:
            if self._unfinished:
                self.write("\n")
            return self._changed.wait_for(lambda: not self._lines and not self._writing, seconds)

    def _append(self, line: bytes) -> None:
        self._lines.append(line)
        self._size += len(line)
        while len(self._lines) > self._most_lines or self._size > self._most_bytes:
            self._size -= len(self._lines.popleft())
            self._count_dropped(1)

    def _count_dropped(self, lines: int) -> None:
        global _dropped_lines  # noqa: PLW0603 - as standard error, there is one in a process
        _dropped_lines += lines
        self._dropped += lines

    def _write_lines(self) -> None:
        while True:
            with self._changed:
                self._writing = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._lines)
                line = self._lines.popleft()
                self._size -= len(line)
                self._writing = True
                dropped = self._dropped
            counted = not dropped or self._try(self._notice(dropped))
            written = counted and self._try(line)
            with self._changed:
                self._dropped -= dropped if counted else 0
                if not written:
                    self._count_dropped(1)

    def _notice(self, dropped: int) -> bytes:
        name, message = __name__, "log lines dropped"
        record = logging.LogRecord(name, logging.WARNING, "", 0, message, None, None)
        record.fields = {"lines": dropped}
        return f"{self.formatter.format(record)}\n".encode()

    def _try(self, line: bytes) -> bool:
        """Write a line; return whether that was possible."""
        if self._descriptor is None:
            return False
        view = memoryview(line)
        while view:
            try:
                view = view[os.write(self._descriptor, view) :]
            except BlockingIOError:  # another process has made the pipe non-blocking
                select.select([], [self._descriptor], [], 1.0)
            except OSError:  # nobody reads the pipe any more, or the disk is full
                return False
        return True


def divert_stderr() -> BackgroundStream:
    """Replace ``sys.stderr`` by a stream that never blocks.

    At the end of the process there is a second for what is still unwritten.
    """
    if sys.__stderr__ is None:  # closed: the next socket or file must not get its number
        while os.open(os.devnull, os.O_RDWR) < _STDERR:
            continue
        stream = BackgroundStream(None)
    else:
        sys.__stderr__.flush()
        stream = BackgroundStream(sys.__stderr__.fileno())
    sys.stderr = stream
    atexit.register(stream.drained, _LAST_WRITES)
    return stream
