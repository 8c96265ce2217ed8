import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config.yaml import format_path, read, suggest
from exporter.errors import ConfigError

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "\n".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "exporter.yml"


def load(file: Path, text: str, **environment: str) -> Any:
    file.write_text(text, encoding="utf-8")
    document = read(file, environment)
    assert document.faults == []
    return document.value


def faults(file: Path, text: str, **environment: str) -> list[str]:
    """Return the faults of a file that can be read all the same."""
    file.write_text(text, encoding="utf-8")
    return [fault.removeprefix(f"{file}:") for fault in read(file, environment).faults]


def refusal(file: Path, text: str, **environment: str) -> list[str]:
    """Return the faults for which a file is refused whole."""
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read(file, environment)
    return [fault.removeprefix(f"{file}:") for fault in caught.value.faults]


# Values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10:30", "10:30"),
        ("1:30:00", "1:30:00"),
        ("2026-12-25", "2026-12-25"),
        ("yes", "yes"),
        ("on", "on"),
        ("No", "No"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("15s", "15s"),
        ("'7'", "7"),
        ("7", 7),
        ("-7", -7),
        ("0.5", 0.5),
        ("1e3", 1000.0),
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("[a, 1]", ["a", 1]),
        ("{b: c}", {"b": "c"}),
        ("!!str 7", "7"),
        ("|\n  x\n  y", "x\ny\n"),
    ],
)
def test_scalars(file: Path, text: str, expected: object) -> None:
    """Plain scalars are what YAML 1.2 says: times, dates, yes and on are text."""
    assert load(file, f"key: {text}\n") == {"key": expected}


def test_an_empty_file(file: Path) -> None:
    """A file of nothing, or of comments, is null."""
    assert load(file, "# nothing\n") is None


def test_an_alias_is_a_copy(file: Path) -> None:
    """An alias stands for a copy: what is changed in one place stays in the other."""
    value = load(file, "a: &x {k: [1]}\nb: *x\n")
    value["a"]["k"].append(2)

    assert value == {"a": {"k": [1, 2]}, "b": {"k": [1]}}


# Environment ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${NAME}", "value"),
        ("a ${NAME} b ${NAME}", "a value b value"),
        ("$${NAME}", "${NAME}"),
        ("$$", "$"),
        ("$$$$", "$$"),
        ("a$b", "a$b"),
        ("$NAME", "$NAME"),
        ("100$", "100$"),
        ("'${NAME}'", "value"),
        ("${NUMBER}", "7"),
        ("${TRICK}", "${NAME}$$"),
    ],
)
def test_expansion(file: Path, text: str, expected: str) -> None:
    """Braced names expand once from the environment; two dollars are one."""
    environment = {"NAME": "value", "NUMBER": "7", "TRICK": "${NAME}$$"}

    assert load(file, f"key: {text}\n", **environment) == {"key": expected}


def test_expansion_everywhere(file: Path) -> None:
    """Names expand in lists and deep mappings, but not in keys."""
    value = load(file, "a: [{b: '${N}'}]\n${N}: 1\n", N="v")

    assert value == {"a": [{"b": "v"}], "${N}": 1}


def test_missing_variables(file: Path) -> None:
    """Every variable that is not set is a fault with its place."""
    assert faults(file, "a: ${ONE}\nb:\n- x\n- ${TWO} ${THREE}\n") == [
        "1: a: environment variable 'ONE' is not set",
        "4: b[1]: environment variable 'TWO' is not set",
        "4: b[1]: environment variable 'THREE' is not set",
    ]


def test_an_empty_variable_is_set(file: Path) -> None:
    """A variable that is set to nothing expands to nothing."""
    assert load(file, "a: x${E}y\n", E="") == {"a": "xy"}


@given(st.text(st.characters(exclude_categories=["C", "Z"])))
def test_dollars_can_be_written(text: str) -> None:
    """Any text with its dollars doubled comes back as it was."""
    written = json.dumps({"key": text.replace("$", "$$")}, ensure_ascii=False)
    with tempfile.TemporaryDirectory() as folder:
        actual = load(Path(folder) / "exporter.yml", written)

    assert actual == {"key": text}


# Places ---------------------------------------------------------------------------------------


def test_lines(file: Path) -> None:
    """Every key and item has its line; what is not there has the line of what is around it."""
    file.write_text("# head\na:\n  b: 1\n  c:\n  - x\n  - y\n", encoding="utf-8")
    document = read(file, {})
    paths = [(), ("a",), ("a", "b"), ("a", "c", 1), ("a", "c", 1, "no"), ("a", "z"), ("z",)]

    assert [document.line(path) for path in paths] == [2, 2, 3, 6, 6, 2, 2]


def test_fault(file: Path) -> None:
    """A fault names file, line and path."""
    file.write_text("a:\n- b: 1\n", encoding="utf-8")

    assert f"{file}:2: a[0].b: is wrong" == read(file, {}).fault(("a", 0, "b"), "is wrong")


def test_fault_of_the_whole(file: Path) -> None:
    """A fault of the file as a whole has no path."""
    file.write_text("a: 1\n", encoding="utf-8")

    assert f"{file}:1: is wrong" == read(file, {}).fault((), "is wrong")


def test_merge(file: Path) -> None:
    """Merging gives what is lacking; a fault in it is placed where it was written."""
    file.write_text("d:\n  x: 1\n  y: {z: 2}\na:\n- x: 3\n", encoding="utf-8")
    document = read(file, {})
    document.merge(("d",), ("a", 0), {"x"})

    assert document.value["a"] == [{"x": 3, "y": {"z": 2}}]
    assert document.fault(("a", 0, "y", "z"), "!") == f"{file}:3: d.y.z: !"
    assert document.fault(("a", 0, "x"), "!") == f"{file}:5: a[0].x: !"


def test_merge_leaves_out_what_is_the_target_s_own(file: Path) -> None:
    """A key that is said to be the target's own is not given, even where the target lacks it."""
    file.write_text("d:\n  x: 1\n  y: 2\n  z: 3\na:\n- x: 4\n", encoding="utf-8")
    document = read(file, {})
    document.merge(("d",), ("a", 0), ["x", "y"])

    assert document.value == {"d": {"x": 1, "y": 2, "z": 3}, "a": [{"x": 4, "z": 3}]}


@pytest.mark.parametrize(
    ("path", "expected"),
    [((), ""), (("a",), "a"), (("a", 2, "b", "c"), "a[2].b.c"), ((0,), "[0]")],
)
def test_show(path: tuple[str | int, ...], expected: str) -> None:
    """A path is written as a person would."""
    assert expected == format_path(path)


@pytest.mark.parametrize(
    ("word", "expected"),
    [("feds", "; did you mean 'feeds'?"), ("feeds", "; did you mean 'feeds'?"), ("zzz", "")],
)
def test_suggest(word: str, expected: str) -> None:
    """A near miss is met with a suggestion, anything else with nothing."""
    assert expected == suggest(word, ["feeds", "labels"])


# Faults ---------------------------------------------------------------------------------------


def test_keys_twice(file: Path) -> None:
    """A key that is there twice is a fault at its second place, at any depth."""
    assert faults(file, "a: 1\nb:\n  c: 1\n  c: 2\na: 3\n") == [
        "4: b.c: duplicate key",
        "5: a: duplicate key",
    ]


def test_keys_twice_in_two_spellings(file: Path) -> None:
    """A quoted key is the same key."""
    assert faults(file, "a: 1\n'a': 2\n") == ["2: a: duplicate key"]


def test_faults_of_every_kind(file: Path) -> None:
    """Faults that do not keep the file from being read are all there, and so are its values."""
    file.write_text("a: ${NO}\nb: !x y\nc: !!int z\nd: 1\nd: 2\ne: 3\n", encoding="utf-8")
    document = read(file, {})

    assert [fault.removeprefix(f"{file}:")[:5] for fault in document.faults] == [
        "1: a:",
        "2: b:",
        "3: c:",
        "5: d:",
    ]
    assert (document.value["d"], document.value["e"]) == (2, 3)


@pytest.mark.parametrize("text", ["a: &x [*x]\n", "a: &x {b: *x}\n", "&x [*x, *x]\n"])
def test_recursive_aliases(file: Path, text: str) -> None:
    """A value that holds itself is refused."""
    assert refusal(file, text) == [" too many values, or values nested too deeply"]


def test_alias_bombs(file: Path) -> None:
    """Aliases that multiply are refused before they fill the memory."""
    assert refusal(file, BOMB) == [" too many values, or values nested too deeply"]


@pytest.mark.parametrize("depth", [40, 5000])
def test_deep_nesting(file: Path, depth: int) -> None:
    """A file nested deeper than any configuration is refused, however deep it is."""
    assert refusal(file, "a: " + "[" * depth + "]" * depth) == [
        " too many values, or values nested too deeply"
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: [1\n", 2),
        ("a: b: c\n", 1),
        ("a: 'x\n", 2),
        ("a: 1\n\tb: 2\n", 2),
        ("--- a\n--- b\n", 2),
    ],
)
def test_no_yaml(file: Path, text: str, line: int) -> None:
    """A file that is no YAML is refused with the line of the trouble."""
    found = refusal(file, text)

    assert len(found) == 1
    assert found[0].startswith(f"{line}: ")


def test_no_file(file: Path) -> None:
    """A file that is not there is refused with the reason."""
    with pytest.raises(ConfigError, match=r"exporter\.yml: cannot be read: No such file"):
        read(file, {})


def test_a_folder(tmp_path: Path) -> None:
    """A folder is refused with the reason."""
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        read(tmp_path, {})


def test_no_utf_8(file: Path) -> None:
    """A file that is not UTF-8 is refused with the place of the first wrong byte."""
    file.write_bytes(b"a: \xff\n")

    with pytest.raises(ConfigError, match="not valid UTF-8 at byte 3"):
        read(file, {})


@pytest.mark.parametrize("text", ["a: \x07\n", "a: \x00\n"])
def test_control_characters(file: Path, text: str) -> None:
    """A character that YAML does not allow is refused."""
    assert refusal(file, text) == ["1: not valid YAML"]


@pytest.mark.parametrize("tag", ["!env", "!!python/name:os.system", "!!set", "!!binary"])
def test_unknown_tags(file: Path, tag: str) -> None:
    """A tag that is not known is a fault at its place, and nothing is made of it."""
    file.write_text(f"a: 1\nb: {tag} x\n", encoding="utf-8")
    document = read(file, {})

    assert len(document.faults) == 1
    assert document.faults[0].startswith(f"{file}:2: b: ")
    assert tag.strip("!") not in document.faults[0].removeprefix(str(file))
    assert document.value == {"a": 1, "b": None}


@pytest.mark.parametrize("text", ["!!int x", "!!float x", "!!bool x", "!!int ''"])
def test_values_that_do_not_fit_their_tag(file: Path, text: str) -> None:
    """A value that contradicts its tag is a fault at its place."""
    found = faults(file, f"a: 1\nb: {text}\n")

    assert len(found) == 1
    assert found[0].startswith("2: b: ")


SECRET = "hunter2"


@pytest.mark.parametrize(
    "text",
    [
        "password: '{s}\n",
        'password: "{s}\\q"\n',
        "password: [{s}\n",
        "password: {{{s}\n",
        "password: x: {s}\n",
        "  password: {s}\n bad: 1\n",
        "password: @{s}\n",
        "password: `{s}\n",
        "password: %{s}\n",
        "password: *{s}\n",
        "password: !{s}\n",
        "password: !{s}!x y\n",
        "password: !<{s} x\n",
        "password: !!int {s}\n",
        "password: | {s}\n",
        "password: > {s}\n",
        "password: {s}\n  {s}: {s}\n",
        "password: &{s} *{s}\n",
        "password: \x07{s}\n",
        "password: {s}\npassword: {s}\n",
        "password: {{{{ {s} }}}}\npassword: x\n",
    ],
)
def test_a_secret_is_not_quoted(file: Path, text: str) -> None:
    """Whatever character a password begins with unquoted, no fault shows it."""
    file.write_text(text.format(s=SECRET), encoding="utf-8")
    try:
        said = read(file, {}).faults
    except ConfigError as error:
        said = error.faults

    assert said
    assert SECRET not in "\n".join(said)
