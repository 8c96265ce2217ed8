import io
import json
import logging
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.logs import Json, Log, Logfmt, get_log, set_up

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
