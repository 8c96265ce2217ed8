"""Does every line stand in its room? The architecture, as far as the syntax tree can tell."""

import ast
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import httpx
import pytest

import exporter

ROOT = Path(exporter.__file__).parent
FILES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py"))
PROVIDERS = sorted(
    path.name for path in (ROOT / "providers").iterdir() if (path / "__init__.py").is_file()
)
DOORS = {"config.py", "client.py", "tables.py", "collector.py", "provider.py", "simulator.py"}
# Kernel modules that may know the providers: they bring both ends together.
BOTH_ENDS = {"app.py", "cli.py", "enquiries.py", "__main__.py"}
HTTPX_ERRORS = {
    name
    for name, value in vars(httpx).items()
    if isinstance(value, type) and issubclass(value, Exception)
}

Found = Iterator[str]


@cache
def tree(file: str) -> ast.Module:
    return ast.parse((ROOT / file).read_text(encoding="utf-8"))


def is_simulator(file: str) -> bool:
    return Path(file).name.startswith("simul")


def is_kernel(file: str) -> bool:
    return not file.startswith(("providers/", "demo/")) and file not in BOTH_ENDS


def docstrings(file: str) -> set[int]:
    """Return the ids of the constants that are docstrings."""
    owners = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    bodies = [node.body for node in ast.walk(tree(file)) if isinstance(node, owners)]
    return {id(body[0].value) for body in bodies if body and isinstance(body[0], ast.Expr)}


def imports(file: str) -> Found:
    """Yield the full name of everything that a file imports, at any depth."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def names(file: str) -> Found:
    """Yield every dotted name that a file uses, imports included: ``time.sleep``."""
    yield from imports(file)
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}"


def literals(file: str) -> Found:
    """Yield the texts of a file that are no docstrings."""
    docs = docstrings(file)
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value


def broad(file: str) -> Found:
    """Yield the broad classes that a file's handlers catch; a bare one is BaseException."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.ExceptHandler):
            caught = "BaseException" if node.type is None else ast.unparse(node.type)
            words = set(caught.strip("()").replace(",", " ").split())
            yield from words & {"Exception", "BaseException"}
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
            yield from {ast.unparse(each) for each in node.args} & {"Exception", "BaseException"}


def files_with(find: Callable[[str], Found], wanted: Callable[[str], bool]) -> set[str]:
    return {file for file in FILES if any(wanted(each) for each in find(file))}


def within(*packages: str) -> Callable[[str], bool]:
    """Return whether a name is one of these, or inside one of them."""
    return lambda name: any(name == each or name.startswith(f"{each}.") for each in packages)


def test_there_is_something_to_look_at() -> None:
    """The rules below see the kernel, the providers and the demo."""
    assert {"page.py", "schedule.py", "providers/five9/client.py", "demo/floor.py"} <= set(FILES)
    assert "five9" in PROVIDERS


def test_metric_names() -> None:
    """Metric names are written in the vocabulary only."""
    assert files_with(literals, lambda text: "contactcenter_" in text) == {"families.py"}


def test_prometheus_client() -> None:
    """Only the exporter's own metrics and the web know the Prometheus library."""
    found = files_with(imports, within("prometheus_client"))

    assert found <= {"telemetry.py", "web.py"}
    assert "telemetry.py" in found


def test_broad_handlers() -> None:
    """Broad handlers stand at the two boundaries of the schedule and nowhere else."""
    found = Counter((file, each) for file in FILES for each in broad(file))

    assert found == {("schedule.py", "Exception"): 2}


def test_the_clock() -> None:
    """Time is told and waited for in one file; everything else is given a clock."""
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
    """The environment and YAML are read where the configuration is; the rest gets values."""
    wanted = within("os.environ", "os.environb", "os.getenv", "yaml")

    assert files_with(names, wanted) <= {
        "located.py",
        "config.py",
        "shown.py",
        "cli.py",
        "__main__.py",
    }


def test_httpx_errors() -> None:
    """Above the transport only our own errors exist; simulators raise httpx's on purpose."""
    found = files_with(names, within(*(f"httpx.{name}" for name in HTTPX_ERRORS)))

    assert {file for file in found if not is_simulator(file)} == {"transport.py"}


def test_the_kernel_knows_no_provider() -> None:
    """Providers import the kernel, never the other way round."""
    kernel = [file for file in FILES if is_kernel(file)]
    wanted = within("exporter.providers", "exporter.simulators")

    assert [file for file in kernel if any(wanted(each) for each in imports(file))] == []


def test_the_kernel_is_below_the_ends() -> None:
    """What brings both ends together is imported by nothing below it."""
    wanted = within(*(f"exporter.{Path(file).stem}" for file in BOTH_ENDS))

    assert files_with(imports, wanted) <= {*BOTH_ENDS, "demo/centre.py"}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_providers_do_not_know_each_other(provider: str) -> None:
    """A provider imports no other provider."""
    others = within(*(f"exporter.providers.{each}" for each in PROVIDERS if each != provider))
    files = [file for file in FILES if file.startswith(f"providers/{provider}/")]

    assert [file for file in files if any(others(each) for each in imports(file))] == []


@pytest.mark.parametrize("provider", PROVIDERS)
def test_providers_have_the_same_doors(provider: str) -> None:
    """Every provider's folder has the same files to enter by."""
    assert {path.name for path in (ROOT / "providers" / provider).glob("*.py")} >= DOORS


def test_simulators_stay_outside() -> None:
    """Nothing but the demo and other simulator files imports a simulator or the demo."""
    inside = [file for file in FILES if not file.startswith("demo/") and not is_simulator(file)]

    def wanted(name: str) -> bool:
        return any(part.startswith("simul") for part in name.split(".")) or within(
            "exporter.simulators"
        )(name)

    found = {file for file in inside if any(wanted(each) for each in imports(file))}
    assert found <= {"cli.py", "app.py"}
    assert not [
        (file, each)
        for file in found
        for each in imports(file)
        if any(
            part.startswith("simul") for part in each.removeprefix("exporter.simulators").split(".")
        )
    ]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_client_and_its_simulator_are_strangers(provider: str) -> None:
    """A simulator shares no code with the client it is to judge."""
    wanted = within(
        *(
            f"exporter.providers.{provider}.{path.stem}"
            for path in (ROOT / "providers" / provider).glob("*.py")
            if not is_simulator(path.name)
        )
    )
    files = [
        file for file in FILES if file.startswith(f"providers/{provider}/") and is_simulator(file)
    ]

    assert [file for file in files if any(wanted(each) for each in imports(file))] == []


def test_providers_are_named_in_one_place() -> None:
    """No kernel file names two providers: nothing compares vendors."""
    found = {
        file
        for file in FILES
        if is_kernel(file)
        and len({name for name in PROVIDERS for text in literals(file) if name in text}) > 1
    }

    assert found == set()


@pytest.mark.parametrize("file", FILES)
def test_modules_say_which_question_they_answer(file: str) -> None:
    """Every module begins with a docstring of at least one sentence."""
    text = ast.get_docstring(tree(file))

    assert text
    assert text.splitlines()[0].rstrip(":")[-1] in ".?!"
