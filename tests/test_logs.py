import asyncio
import fcntl
import io
import json
import logging
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.logs import BackgroundStream, Json, Log, Logfmt, dropped_lines, get_log, set_up

LOG = get_log("exporter.test_logs")
values = st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.none())


@pytest.fixture
def lines(restored_logging: None) -> Callable[..., list[str]]:
    """Return a function that sets up logging, says something and gives the lines written."""

    def lines(
        say: Callable[[Log], object], level: str = "debug", form: str = "logfmt"
    ) -> list[str]:
        stream = io.StringIO()
        set_up(level, form, stream)
        say(LOG)
        return stream.getvalue().splitlines()

    return lines


def record(**fields: object) -> logging.LogRecord:
    made = logging.LogRecord("exporter", logging.WARNING, "", 0, "refresh failed", None, None)
    made.created = 1_772_452_800.25
    made.fields = fields
    return made


def boom() -> None:
    raise RuntimeError("boom")


def test_logfmt() -> None:
    """A line is time, level and message, then the fields; values with blanks are quoted."""
    assert Logfmt().format(record(feed="ACDStatus", error='no "x"', wait=1.5, left=None)) == (
        'ts=2026-03-02T12:00:00.250Z level=warn msg="refresh failed" feed=ACDStatus '
        'error="no \\"x\\"" wait=1.5 left=None'
    )


def test_json() -> None:
    """In JSON the same facts are members of one object, with their own types."""
    assert json.loads(Json().format(record(feed="ACDStatus", wait=1.5, left=None))) == {
        "ts": "2026-03-02T12:00:00.250Z",
        "level": "warn",
        "msg": "refresh failed",
        "feed": "ACDStatus",
        "wait": 1.5,
        "left": None,
    }


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("x", "x"),
        ("", '""'),
        ("a b", '"a b"'),
        ("a=b", '"a=b"'),
        ("a\\b", '"a\\\\b"'),
        ("a\nb", '"a\\nb"'),
        ("\x1b[31m", '"\\u001b[31m"'),
        ("é", "é"),
        (1 / 3, "0.333333"),
        (7, "7"),
        (True, "True"),
    ],
)
def test_words(value: object, expected: str) -> None:
    """A value stands bare where it is one plain word, else in quotes with escapes."""
    assert Logfmt().format(record(x=value)).endswith(f" x={expected}")


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), values))
def test_logfmt_is_one_line(fields: dict[str, object]) -> None:
    """Whatever the values, a record is one line without control characters."""
    line = Logfmt().format(record(**fields))

    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", line)


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), st.text()))
def test_json_is_one_line(fields: dict[str, str]) -> None:
    """Whatever the values, a record is one line that reads back as the same fields."""
    line = Json().format(record(**fields))

    assert "\n" not in line
    assert fields.items() <= json.loads(line).items()


@pytest.mark.parametrize("form", [Logfmt(), Json()])
def test_a_traceback_is_on_the_line(form: logging.Formatter) -> None:
    """An exception's traceback is a field of the same line."""
    made = record()
    try:
        boom()
    except RuntimeError as error:
        made.exc_info = (type(error), error, error.__traceback__)
    line = form.format(made)

    assert "\n" not in line
    assert "traceback" in line
    assert "boom" in line


def test_objects_in_json() -> None:
    """What JSON does not know is written as text."""
    assert json.loads(Json().format(record(error=ValueError("x"))))["error"] == "x"


def test_fields(lines: Callable[..., list[str]]) -> None:
    """Keyword arguments become fields."""
    (line,) = lines(lambda log: log.warning("refresh failed", feed="x", name="y"))

    assert line.endswith('level=warn msg="refresh failed" feed=x name=y')


def test_bind(lines: Callable[..., list[str]]) -> None:
    """Bound fields are on every line, and a line's own field wins."""
    bound = LOG.bind(provider="five9", feed="a").bind(account="acme")
    (line,) = lines(lambda _: bound.info("refreshed", feed="b"))

    assert line.endswith("msg=refreshed provider=five9 feed=b account=acme")


def test_bind_leaves_its_origin(lines: Callable[..., list[str]]) -> None:
    """Binding makes another logger and changes none."""
    LOG.bind(provider="five9")
    (line,) = lines(lambda log: log.info("started"))

    assert line.endswith("msg=started")


def test_exception(lines: Callable[..., list[str]]) -> None:
    """An exception is logged with its traceback and fields."""

    def say(log: Log) -> None:
        try:
            boom()
        except RuntimeError:
            log.exception("refresh broke", feed="x")

    (line,) = lines(say, form="json")
    facts = json.loads(line)

    assert (facts["level"], facts["feed"]) == ("error", "x")
    assert facts["traceback"].endswith("RuntimeError: boom")


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("debug", ["debug", "info", "warn", "error"]),
        ("info", ["info", "warn", "error"]),
        ("warn", ["warn", "error"]),
        ("error", ["error"]),
    ],
)
def test_levels(lines: Callable[..., list[str]], level: str, expected: list[str]) -> None:
    """Only lines of the level asked for, or above, are written."""

    def say(log: Log) -> None:
        log.debug("a")
        log.info("b")
        log.warning("c")
        log.error("d")

    assert expected == [re.findall(r"level=(\w+)", line)[0] for line in lines(say, level)]


def test_libraries_are_quiet(lines: Callable[..., list[str]]) -> None:
    """Other packages' lines are written from warnings on, whatever the level."""

    def say(_: Log) -> None:
        other = logging.getLogger("httpx")
        other.info("HTTP Request: POST https://host?key=secret")
        other.warning("trouble")

    (line,) = lines(say, "debug")
    assert line.endswith("level=warn msg=trouble")


def test_set_up_twice(lines: Callable[..., list[str]]) -> None:
    """Setting up again replaces what was there: no line comes twice."""
    lines(lambda log: log.info("x"))

    assert len(lines(lambda log: log.info("x"))) == 1


@contextmanager
def full_pipe(**bounds: int) -> Iterator[tuple[BackgroundStream, int]]:
    """Yield a stream that waits to write ``first`` to a full pipe, and the end that is read."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    os.write(writer, b"-" * 4096)
    stream = BackgroundStream(writer, **bounds)
    stream.write("first\n")
    while stream._lines:
        time.sleep(0.001)
    yield stream, reader
    assert stream.drained(5)
    os.close(writer)
    os.close(reader)


def read_lines(stream: BackgroundStream, reader: int) -> list[str]:
    """Read a pipe until the stream has written everything; return the lines after the first."""
    os.set_blocking(reader, False)
    text = b""
    done = False
    while not done:
        done = stream.drained(0.01)
        with suppress(BlockingIOError):
            while part := os.read(reader, 65536):
                text += part
    return [line for line in text.decode().lstrip("-").splitlines() if line != "first"]


def test_a_full_pipe_drops_the_oldest_lines() -> None:
    """Of too many lines the latest stay, in order, behind a line with the number of the others."""
    before = dropped_lines()
    with full_pipe(most_lines=5) as (stream, reader):
        started = time.monotonic()
        for number in range(1000):
            print("line", number, file=stream)
        assert time.monotonic() - started < 2
        notice, *lines = read_lines(stream, reader)
    assert dropped_lines() - before == 995
    assert notice.endswith('level=warn msg="log lines dropped" lines=995')
    assert lines == [f"line {number}" for number in range(995, 1000)]


def test_a_full_pipe_keeps_few_bytes() -> None:
    """The bytes of lines that wait are bounded too; a line that is longer is dropped."""
    before = dropped_lines()
    with full_pipe(most_bytes=1000) as (stream, reader):
        for number in range(100):
            stream.write(f"{number:099}\n")
        assert stream._size == 1000
        stream.write("x" * 5000 + "\n")
        stream.write("last\n")
        notice, *lines = read_lines(stream, reader)
    assert notice.endswith("lines=101")
    assert lines == ["last"]
    assert dropped_lines() - before == 101


def test_a_text_without_an_end_is_bounded() -> None:
    """What has no line break is cut into lines, and not kept without a bound."""
    with full_pipe(most_bytes=1000) as (stream, reader):
        for _ in range(100):
            stream.write("y" * 100)
        assert len(stream._unfinished) <= 1000
        assert read_lines(stream, reader)


def test_dropped_lines_are_counted_in_json(restored_logging: None) -> None:
    """The line that counts them has the format of the log."""
    with full_pipe(most_lines=2) as (stream, reader):
        set_up("info", "json", stream)
        for number in range(10):
            LOG.info("said", number=number)
        notice, *lines = map(json.loads, read_lines(stream, reader))
    assert (notice["level"], notice["msg"], notice["lines"]) == ("warn", "log lines dropped", 8)
    assert [line["number"] for line in lines] == [8, 9]


def test_lines_that_cannot_be_written_are_counted() -> None:
    """Where writing fails a line is counted; the number is said once writing works again."""
    before = dropped_lines()
    with full_pipe() as (stream, reader):
        assert read_lines(stream, reader) == []
        pipe, stream._descriptor = stream._descriptor, os.open("/dev/full", os.O_WRONLY)
        stream.write("lost\nlost too\n")
        assert stream.drained(5)
        stream._descriptor = pipe
        stream.write("written\n")
        notice, line = read_lines(stream, reader)
    assert notice.endswith("lines=2")
    assert line == "written"
    assert dropped_lines() - before == 2


def test_a_slow_reader_gets_everything() -> None:
    """A reader that takes some bytes at a time gets every line once, in order."""
    with full_pipe() as (stream, reader):
        for number in range(50):
            stream.write(f"{number}\n")
        text = b""
        while b"49\n" not in text:
            text += os.read(reader, 7)
        assert text.decode().lstrip("-").split() == ["first", *map(str, range(50))]


def test_a_pipe_that_does_not_block() -> None:
    """A pipe that another process has made non-blocking loses no line either."""
    with full_pipe() as (stream, reader):
        os.set_blocking(stream._descriptor, False)  # type: ignore[arg-type]
        for number in range(2000):
            stream.write(f"{number}\n")
        assert read_lines(stream, reader) == [*map(str, range(2000))]


def test_a_finalizer_that_logs() -> None:
    """A line that is written while another is being written, by the same thread, is kept."""
    with full_pipe() as (stream, reader):
        with stream._changed:
            stream.write("from a finalizer\n")
        assert read_lines(stream, reader) == ["from a finalizer"]


def test_every_way_to_standard_error(
    monkeypatch: pytest.MonkeyPatch, restored_logging: None
) -> None:
    """Tracebacks of threads, of the interpreter and of asyncio wait for nobody either."""
    with full_pipe() as (stream, reader):
        monkeypatch.setattr("sys.stderr", stream)
        monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)
        thread = threading.Thread(target=boom, name="broken")
        thread.start()
        thread.join()
        sys.__excepthook__(ValueError, ValueError("uncaught"), None)
        loop = asyncio.new_event_loop()
        set_up("info", "logfmt")
        loop.call_exception_handler({"message": "task failed"})
        loop.close()
        text = "\n".join(read_lines(stream, reader))
    assert "Exception in thread broken" in text
    assert "RuntimeError: boom" in text
    assert "ValueError: uncaught" in text
    assert 'level=error msg="task failed"' in text
