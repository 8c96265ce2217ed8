"""Tests of what is shipped: the wheel's content, versions, systemd units."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from zipfile import ZipFile

import pytest

from exporter import __version__
from exporter.cli import main
from exporter.web.server import ConnectionLimits

pytestmark = pytest.mark.timeout(240)  # the first to ask for the wheel waits for its build
_ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from this tree."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir"]
    done = subprocess.run(
        [*command, str(folder), str(_ROOT)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with ZipFile(wheel) as archive:
        return set(archive.namelist())


def _project() -> dict[str, object]:
    with (_ROOT / "pyproject.toml").open("rb") as file:
        project: dict[str, object] = tomllib.load(file)["project"]
    return project


def test_wheel_is_pure_and_named_for_the_version(wheel: Path) -> None:
    """One wheel serves every platform, and its name carries the version."""
    assert wheel.name == f"contactcenter_exporter-{__version__}-py3-none-any.whl"


@pytest.mark.parametrize(
    "name",
    [
        "exporter/py.typed",
        "exporter/web/status_page.css",
        "exporter/web/status_page.js",
        "exporter/providers/five9/statistics.wsdl",
    ],
)
def test_wheel_has_the_files_that_are_no_code(names: set[str], name: str) -> None:
    """What is not Python, but needed at run time or by type checkers, is in the wheel."""
    assert name in names


def test_wheel_has_every_module(names: set[str]) -> None:
    """No module of the tree is left out."""
    modules = {str(path.relative_to(_ROOT)) for path in (_ROOT / "exporter").rglob("*.py")}

    assert modules - names == set()


def test_wheel_has_nothing_else(names: set[str]) -> None:
    """Tests, samples and caches stay at home; the licence comes along."""
    tops = {name.partition("/")[0] for name in names}

    assert tops == {"exporter", f"contactcenter_exporter-{__version__}.dist-info"}
    assert not [name for name in names if "__pycache__" in name]
    assert any(name.endswith("/LICENSE") for name in names)


@pytest.mark.parametrize(
    "unit", ["contactcenter-exporter.service", "contactcenter-exporter.socket"]
)
def test_options_of_the_units_exist(unit: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What a unit starts, or says is to be started, is a command with options that exist."""
    text = (_ROOT / "packaging" / unit).read_text(encoding="utf-8")
    (options,) = re.findall(r"ExecStart=\S+/contactcenter-exporter run (.+)", text)
    with pytest.raises(SystemExit, match="0"):
        main(["run", "--help"])
    shown = capsys.readouterr().out

    for option in re.findall(r"--[a-z.-]+", options):
        assert option in shown


def test_the_socket_unit_is_the_service_s() -> None:
    """The socket has the service's name, so that systemd brings them together, and its port."""
    service, opened = (
        (_ROOT / "packaging" / f"contactcenter-exporter.{kind}").read_text(encoding="utf-8")
        for kind in ("service", "socket")
    )

    assert re.findall(r"^ListenStream=(.+)$", opened, re.MULTILINE) == ["10077"]
    assert "--web.listen-address=:10077" in service
    assert not re.search(r"^(Service|Accept)=", opened, re.MULTILINE)


def test_the_service_has_file_descriptors() -> None:
    """The unit's limit is enough for all the connections of clients and as many to platforms."""
    service = (_ROOT / "packaging" / "contactcenter-exporter.service").read_text(encoding="utf-8")
    (limit,) = re.findall(r"^LimitNOFILE=(\d+)$", service, re.MULTILINE)
    assert int(limit) >= 2 * ConnectionLimits().connections


def test_the_service_reports_its_state_and_restarts() -> None:
    """The unit waits for the exporter's reports, and no exit code leaves it stopped."""
    service = (_ROOT / "packaging" / "contactcenter-exporter.service").read_text(encoding="utf-8")

    assert re.findall(r"^(?:Type|Restart\w*)=.+$", service, re.MULTILINE) == [
        "Type=notify",
        "Restart=always",
        "RestartSec=60s",
    ]
    assert "AF_UNIX" in service


def test_version_is_the_same_everywhere() -> None:
    """pyproject.toml and the package agree, and the changelog knows the version or what is next."""
    changelog = (_ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    assert _project()["version"] == __version__
    assert f"## [{__version__}]" in changelog or "## [Unreleased]" in changelog


def test_constraints_are_exact_pins() -> None:
    """Every line of constraints.txt is a name and one version: no URL, path or option."""
    lines = (_ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()

    assert [
        line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+]+", line)
    ] == []


def test_every_direct_dependency_is_pinned() -> None:
    """What pyproject.toml asks for, at run time, in tests, for linting, is in constraints.txt."""
    project = _project()
    groups = project["optional-dependencies"]
    assert isinstance(groups, dict)
    wanted = [*project["dependencies"], *groups["test"], *groups["lint"]]  # type: ignore[misc]
    lines = (_ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {_plain(line.partition("==")[0]) for line in lines}

    asked = {_plain(re.split(r"[^A-Za-z0-9._-]", each, maxsplit=1)[0]) for each in wanted}
    assert asked - pinned == set()


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
