"""Tests of the Dockerfile, read as text."""

import json
import re
from pathlib import Path
from typing import NamedTuple

import pytest

from exporter import __version__

_ROOT = Path(__file__).parent.parent
_SECRET = re.compile(r"(password|secret|token|api_?key|credential)", re.IGNORECASE)


class _Instruction(NamedTuple):
    word: str
    rest: str


def _instructions() -> list[_Instruction]:
    """Return the Dockerfile's instructions, continued lines joined and comments left out."""
    lines = (_ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n\s*", " ", text)
    return [
        _Instruction(word.upper(), rest.strip())
        for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line.strip())
    ]


def _last_stage() -> list[_Instruction]:
    found = _instructions()
    last = max(at for at, each in enumerate(found) if each.word == "FROM")
    return found[last:]


def _only(word: str) -> str:
    """Return what the only instruction of its kind in the last stage says."""
    (found,) = (each.rest for each in _last_stage() if each.word == word)
    return found


def test_stages_start_from_one_pinned_base() -> None:
    """Both stages name an image of one Python on one Debian, never the latest."""
    bases = [
        instruction.rest.split()[0] for instruction in _instructions() if instruction.word == "FROM"
    ]

    assert bases == ["python:3.11-slim-bookworm"] * 2


def test_runs_as_a_numeric_user_that_is_not_root() -> None:
    """An orchestrator can only verify a user that is a number; it is not 0."""
    user, _, group = _only("USER").partition(":")

    assert user.isdigit()
    assert group.isdigit()
    assert 0 not in (int(user), int(group))


def test_nothing_is_done_as_root_after_the_user_is_set() -> None:
    """No later instruction writes to the image or changes the user again."""
    words = [each.word for each in _last_stage()]

    after = words[words.index("USER") + 1 :]
    assert not {"RUN", "COPY", "ADD", "USER"} & set(after)


def test_health_is_checked_without_a_shell_or_curl() -> None:
    """The health check asks the health endpoint, with nothing but the image's Python."""
    command = json.loads(_only("HEALTHCHECK").partition("CMD ")[2])

    assert command[:2] == ["python", "-c"]
    assert "/-/healthy" in command[2]
    compile(command[2], "HEALTHCHECK", "exec")


def test_health_check_and_exposed_port_are_the_default_one() -> None:
    """The port is the one on which ``run`` listens when nothing else is said."""
    assert _only("EXPOSE") == "10077"
    assert "10077" in _only("HEALTHCHECK")


def test_nothing_is_added_from_elsewhere() -> None:
    """Only files of the tree and of the first stage come in; no ADD, which also takes URLs."""
    assert [instruction for instruction in _instructions() if instruction.word == "ADD"] == []
    assert [each for each in _instructions() if "://" in each.rest] == []


def test_no_secret_is_baked_in() -> None:
    """No argument or variable of the image is named like a secret."""
    named = [
        instruction.rest
        for instruction in _instructions()
        if instruction.word in ("ENV", "ARG", "LABEL")
    ]

    assert [rest for rest in named if _SECRET.search(rest)] == []


def test_installs_what_the_constraints_pin() -> None:
    """The first stage builds with constraints; what is installed comes from there alone."""
    runs = " ".join(
        instruction.rest for instruction in _instructions() if instruction.word == "RUN"
    )

    assert "pip wheel --no-cache-dir -c constraints.txt" in runs
    assert "--no-index" in runs
    assert [each for each in _last_stage() if each.word == "RUN"] == []


def test_writes_nothing() -> None:
    """With a read-only root file system, Python does not try to keep its bytecode."""
    assert "PYTHONDONTWRITEBYTECODE=1" in _only("ENV")
    assert [each for each in _last_stage() if each.word == "VOLUME"] == []


def test_starts_the_exporter_without_a_shell() -> None:
    """Signals reach the exporter itself, and arguments after the image's name its command line."""
    assert json.loads(_only("ENTRYPOINT")) == ["contactcenter-exporter"]
    assert json.loads(_only("CMD")) == [
        "run",
        "--config.file=/etc/contactcenter-exporter/exporter.yml",
    ]


@pytest.mark.parametrize("label", ["title", "description", "licenses", "version", "revision"])
def test_image_is_labelled(label: str) -> None:
    """The Open Containers labels say what the image is."""
    assert f"org.opencontainers.image.{label}=" in _only("LABEL")


def test_version_label_is_the_version() -> None:
    """The image's version is the package's."""
    assert f'image.version="{__version__}"' in _only("LABEL")


def test_context_holds_what_is_copied_and_little_else() -> None:
    """The ignore file lets in exactly what the first stage copies."""
    ignore = (_ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_in = {line.removeprefix("!") for line in ignore if line.startswith("!")}
    copied = {
        name
        for instruction in _instructions()
        if instruction.word == "COPY" and not instruction.rest.startswith("--from")
        for name in instruction.rest.split()[:-1]
    }

    assert "*" in ignore
    assert let_in == copied
