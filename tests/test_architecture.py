"""The architecture of the package, as far as the syntax trees of its modules can tell."""

import ast
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import httpx
import pytest

import exporter

ROOT = Path(exporter.__file__).parent
FILES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py"))
PROVIDERS = sorted(
    path.name for path in (ROOT / "providers").iterdir() if (path / "__init__.py").is_file()
)
# From the top to the ground; a module may import what stands below it, and its own package.
LAYERS = (
    ("__main__",),
    ("cli",),
    ("app", "preflight", "simulators"),
    ("refresh", "web", "providers"),
    ("config",),
    ("collector",),
    ("telemetry",),
    ("exposition",),
    ("objectives",),
    ("metrics",),
    ("status",),
    ("errors", "clock", "logs", "signals"),
    ("printable",),
)
LEVEL = {part: level for level, parts in enumerate(LAYERS) for part in parts}
PACKAGES = {
    *("metrics", "objectives", "exposition", "collector", "config", "refresh", "web"),
    *("providers", "preflight", "simulators"),
}
MODULES_AT_THE_ROOT = 12  # at the most
OF_A_PROVIDER = {
    *("__init__.py", "config.py", "client.py", "auth.py", "tables.py", "rows.py"),
    *("collector.py", "preflight.py", "sanitise.py"),
}
HTTPX_ERRORS = {
    name
    for name, value in vars(httpx).items()
    if isinstance(value, type) and issubclass(value, Exception)
}

Names = Iterator[str]


@cache
def tree(file: str) -> ast.Module:
    return ast.parse((ROOT / file).read_text(encoding="utf-8"))


def part_of(file: str) -> str:
    """Return the package that a file is in, or the name of a module at the root."""
    return Path(file).parts[0].removesuffix(".py")


def within(*names: str) -> Callable[[str], bool]:
    """Return whether a name is one of these, or inside one of them."""
    return lambda name: any(name == outer or name.startswith(f"{outer}.") for outer in names)


def imports(file: str) -> Names:
    """Yield the full name of everything that a file imports, at any depth."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported_files(file: str) -> Names:
    """Yield the files of this package that a file imports."""
    for name in imports(file):
        if not within("exporter")(name):
            continue
        parts = name.split(".")[1:]
        for length in (len(parts), len(parts) - 1):
            path = "/".join(parts[:length])
            found = [x for x in (f"{path}.py", f"{path}/__init__.py") if x in FILES]
            if found:
                yield found[0]
                break


def names(file: str) -> Names:
    """Yield every dotted name that a file uses, imports included: ``time.sleep``."""
    yield from imports(file)
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}"


def literals(file: str) -> Names:
    """Yield the texts of a file that are not docstrings."""
    owners = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    bodies = [node.body for node in ast.walk(tree(file)) if isinstance(node, owners)]
    docs = {id(body[0].value) for body in bodies if body and isinstance(body[0], ast.Expr)}
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value


def broad(file: str) -> Names:
    """Yield the broad classes that a file's handlers catch; a bare one is BaseException."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.ExceptHandler):
            caught = "BaseException" if node.type is None else ast.unparse(node.type)
            words = set(caught.strip("()").replace(",", " ").split())
            yield from words & {"Exception", "BaseException"}
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
            yield from {ast.unparse(part) for part in node.args} & {"Exception", "BaseException"}


def files_with(find: Callable[[str], Names], wanted: Callable[[str], bool]) -> set[str]:
    return {file for file in FILES if any(wanted(name) for name in find(file))}


# Layout -------------------------------------------------------------------------------------------


def test_the_packages() -> None:
    """There are ten packages, and few modules beside them; no name tells a simulated thing."""
    assert {part_of(file) for file in FILES if "/" in file} == PACKAGES
    assert len([file for file in FILES if "/" not in file]) <= MODULES_AT_THE_ROOT
    assert [file for file in FILES if "simulated" in file] == []


def test_imports_point_down() -> None:
    """A module imports its own package and what stands below it in the layers, nothing else."""
    edges = sorted(
        f"{file} → {other}"
        for file in FILES
        for other in set(imported_files(file))
        if file != "__init__.py" and other != "__init__.py"
        if part_of(file) != part_of(other)
        if LEVEL[part_of(file)] >= LEVEL[part_of(other)]
    )

    assert edges == []


def test_no_modules_import_each_other() -> None:
    """No circle is among the imports of the whole package."""
    graph = {file: set(imported_files(file)) - {file} for file in FILES}
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))
    assert set(order) == set(FILES)


def test_no_product_package_imports_simulators() -> None:
    """Only simulators import simulators; the command line does so inside its functions."""
    found = files_with(imports, within("exporter.simulators"))
    outside = {file for file in found if part_of(file) != "simulators"}
    at_the_top = {
        file
        for file in outside
        for node in tree(file).body
        if isinstance(node, ast.ImportFrom) and within("exporter.simulators")(str(node.module))
    }

    assert outside == {"cli.py"}
    assert at_the_top == set()


@pytest.mark.parametrize("provider", PROVIDERS)
def test_no_provider_is_named_outside_its_folder(provider: str) -> None:
    """A provider's name is in its folder, its simulator's folder and the list of providers."""
    home = (f"providers/{provider}/", "simulators/", "providers/__init__.py")
    found = {
        file
        for file in FILES
        if not file.startswith(home)
        for text in (*literals(file), *imports(file))
        if provider in text
    }

    assert found == set()


@pytest.mark.parametrize("provider", PROVIDERS)
def test_providers_have_the_same_modules(provider: str) -> None:
    """Every provider's folder has the same modules to begin with."""
    assert {path.name for path in (ROOT / "providers" / provider).glob("*.py")} >= OF_A_PROVIDER


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_collector_has_the_methods_of_its_base(provider: str) -> None:
    """A provider's collector defines no public method that the base does not have."""
    files = [tree(f"providers/{provider}/collector.py"), tree("collector/base.py")]
    own, base = (
        {
            method.name
            for node in ast.walk(file)
            if isinstance(node, ast.ClassDef) and node.name.endswith("Collector")
            for method in node.body
            if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef)
            if not method.name.startswith("_")
        }
        for file in files
    )

    assert own >= {"open", "fetch"}
    assert own <= base


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_client_and_its_simulator_are_strangers(provider: str) -> None:
    """A simulator shares no code with the client that it tests."""
    files = [file for file in FILES if file.startswith(f"simulators/{provider}/")]
    wanted = within(f"exporter.providers.{provider}")

    assert files
    assert [file for file in files if any(wanted(name) for name in imports(file))] == []


# What only some modules do ------------------------------------------------------------------------


def test_metric_names() -> None:
    """Metric names are written in the vocabulary only."""
    assert files_with(literals, lambda text: "contactcenter_" in text) == {"metrics/families.py"}


def test_prometheus_client() -> None:
    """Only the exporter's own metrics use the Prometheus library."""
    assert files_with(imports, within("prometheus_client")) == {"telemetry.py"}


def test_broad_handlers() -> None:
    """Broad handlers stand around a refresh and around a session, and nowhere else."""
    found = Counter(name for file in FILES if part_of(file) == "refresh" for name in broad(file))

    assert found == {"Exception": 2}
    assert {file for file in FILES if any(broad(file))} <= {
        "refresh/schedule.py",
        "refresh/session.py",
    }


def test_the_clock() -> None:
    """Time is read and waited for in one module; everything else is given a clock."""
    wanted = within(
        "asyncio.sleep",
        "anyio.sleep",
        "time.sleep",
        "time.time",
        "time.time_ns",
        "time.monotonic",
        "time.monotonic_ns",
        "time.perf_counter",
        "datetime.now",
        "datetime.utcnow",
        "datetime.today",
        "date.today",
    )

    assert files_with(names, wanted) == {"clock.py"}


def test_the_environment() -> None:
    """The environment and YAML are read by the configuration and the command line."""
    wanted = within("os.environ", "os.environb", "os.getenv", "yaml")
    found = files_with(names, wanted)

    assert {file for file in found if part_of(file) != "config"} <= {"cli.py", "__main__.py"}


def test_httpx_errors() -> None:
    """Above the HTTP client only our own errors exist; simulators raise httpx's on purpose."""
    found = files_with(names, within(*(f"httpx.{name}" for name in HTTPX_ERRORS)))
    below = {"collector/http.py", "collector/transport.py"}

    assert {file for file in found if part_of(file) != "simulators"} == below


@pytest.mark.parametrize("file", FILES)
def test_modules_say_what_they_are(file: str) -> None:
    """Every module begins with a docstring whose first line is a sentence and not a question."""
    text = ast.get_docstring(tree(file))

    assert text
    assert text.splitlines()[0].endswith((".", ":"))
