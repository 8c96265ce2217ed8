"""The worked example of docs/add-a-platform.md is complete, small, typed, and works."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import exporter.providers
from exporter.app import App
from exporter.config.load import Config, load
from exporter.errors import ConfigError
from exporter.preflight.commands import Preflight
from exporter.providers import MODELS
from support.clock import MORNING, VirtualClock
from support.platforms import NAMES  # noqa: F401 - loads every provider before the folder changes
from support.programs import program

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "add-a-platform.md"
MOST_LINES = 263
SECRET = "planted-acmedesk-secret"
_BLOCK = re.compile(r"^```python\n# (acmedesk/\w+\.py)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks() -> dict[str, str]:
    """Return the files of the example by path."""
    return dict(_BLOCK.findall(PAGE.read_text(encoding="utf-8")))


class FakeAcmeDesk:
    """AcmeDesk as its documentation describes it; it refuses what is not allowed."""

    def __init__(self) -> None:
        self.secret = SECRET
        self.scope = True
        self.tokens: set[str] = set()
        self.requests: list[str] = []
        routes = [
            Route("/oauth/token", self._token, methods=["POST"]),
            Route("/v1/queues", self._queues),
            Route("/v1/agents", self._agents),
        ]
        self.app = Starlette(routes=routes)

    async def _token(self, request: Request) -> Response:
        self.requests.append("token")
        form = parse_qs((await request.body()).decode())
        if form != {"client_id": ["exporter"], "client_secret": [self.secret]}:
            return JSONResponse({"error": "invalid_client"}, status_code=401)
        self.tokens.add(f"token-{len(self.tokens)}")
        return JSONResponse({"access_token": max(self.tokens), "expires_in": 3600})

    def _is_signed_in(self, request: Request) -> bool:
        self.requests.append(request.url.path)
        return request.headers.get("authorization", "").removeprefix("Bearer ") in self.tokens

    async def _queues(self, request: Request) -> Response:
        if not self._is_signed_in(request):
            return JSONResponse({}, status_code=401)
        sales = {"name": "Sales", "waiting": 3, "longest_wait_ms": 41000}
        idle = {"name": "Claims", "waiting": 0, "longest_wait_ms": None}
        return JSONResponse(
            [
                {**sales, "offered_today": 118, "sla": "93%"},
                {**idle, "offered_today": 0, "sla": None, "new_column": 1},
            ]
        )

    async def _agents(self, request: Request) -> Response:
        if not self._is_signed_in(request):
            return JSONResponse({}, status_code=401)
        if not self.scope:
            return JSONResponse({}, status_code=403)
        words = ("AVAILABLE", "AVAILABLE", "IN_CALL", "PAUSE")
        return JSONResponse(
            [
                {"login": f"agent{at}", "name": f"Agent Name{at}", "status": word}
                for at, word in enumerate(words)
            ]
        )


@pytest.fixture
def acmedesk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAcmeDesk]:
    """Register the example as it says: a folder and a word."""
    for path, code in blocks().items():
        file = tmp_path / "providers" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(code, encoding="utf-8")
    monkeypatch.setattr(
        exporter.providers,
        "__path__",
        [*exporter.providers.__path__, str(tmp_path / "providers")],
    )
    monkeypatch.setattr(exporter.providers, "_NAMES", (*MODELS, "acmedesk"))
    yield FakeAcmeDesk()
    for name in [name for name in sys.modules if name.startswith("exporter.providers.acmedesk")]:
        del sys.modules[name]


def config(folder: Path, **options: Any) -> Config:
    """Return a configuration with one account."""
    (folder / "secret").write_text(f"{SECRET}\n")
    keys = {
        "name": "acme",
        "provider": "acmedesk",
        "base_url": "http://127.0.0.1:9",
        "client_id": "exporter",
        "client_secret_file": "secret",
        **options,
    }
    lines = "".join(f"  {name}: {value}\n" for name, value in keys.items() if value is not None)
    (folder / "exporter.yml").write_text(f"accounts:\n-\n{lines}")
    return load(folder / "exporter.yml", {}, MODELS)


def client_of(platform: FakeAcmeDesk) -> Any:
    def make(*_: object) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(platform.app))

    return make


async def page(platform: FakeAcmeDesk, config: Config) -> list[str]:
    """Return the account's own lines of one page."""
    app = App(config, clock=VirtualClock(MORNING), clients=client_of(platform))
    text = (await app.once()).decode()
    assert SECRET not in text
    return [line for line in text.splitlines() if 'provider="acmedesk"' in line]


def figures(lines: list[str], name: str) -> dict[str, float]:
    """Return the figures of a metric by the labels that are its own."""
    pattern = re.compile(rf"contactcenter_{name}{{.*account=\"acme\"(?:,(.*))?}} (\S+)")
    found = (pattern.fullmatch(line) for line in lines)
    return {match[1] or "": float(match[2]) for match in found if match}


def test_it_is_small() -> None:
    """The example is one folder with the modules of every provider, in at most 260 lines."""
    modules = {Path(path).name for path in blocks()}
    others = {path.name for path in (ROOT / "exporter" / "providers" / "genesys").glob("*.py")}

    assert len(modules) == 9
    assert modules <= others
    assert sum(len(code.splitlines()) for code in blocks().values()) <= MOST_LINES


async def test_its_page_shows_what_the_platform_says(
    acmedesk: FakeAcmeDesk, tmp_path: Path
) -> None:
    """Every figure of the answers is on the page, and nothing for null."""
    lines = await page(acmedesk, config(tmp_path, agents="id"))

    both = {'queue="Claims",media="all"': 0.0, 'queue="Sales",media="all"': 3.0}
    assert figures(lines, "queue_contacts_waiting") == both
    assert figures(lines, "queue_longest_wait_seconds") == {'queue="Sales",media="all"': 41.0}
    assert figures(lines, "queue_contacts_offered_total")['queue="Sales",media="all"'] == 118
    assert figures(lines, "queue_service_level_ratio") == {
        'queue="Sales",media="all",window="day"': 0.93
    }
    states = figures(lines, "agents")
    assert {state: count for state, count in states.items() if count} == {
        'state="ready"': 2,
        'state="on_contact"': 1,
        'state="not_ready"': 1,
    }
    assert figures(lines, "agent_state") == {
        f'agent="agent{at}",state="{state}"': 1.0
        for at, state in enumerate(("ready", "ready", "on_contact", "not_ready"))
    }
    assert acmedesk.requests == ["token", "/v1/queues", "/v1/agents"]


async def test_agents_are_private_by_default(acmedesk: FakeAcmeDesk, tmp_path: Path) -> None:
    """Without ``agents`` in the account no login and no name is on the page."""
    text = "\n".join(await page(acmedesk, config(tmp_path)))

    assert "agent0" not in text
    assert "Agent Name" not in text


async def test_rejected_credentials(acmedesk: FakeAcmeDesk, tmp_path: Path) -> None:
    """Rejected credentials mean no other request, and nothing is shown."""
    acmedesk.secret = "another"
    lines = await page(acmedesk, config(tmp_path))

    assert figures(lines, "queue_contacts_waiting") == {}
    assert set(acmedesk.requests) == {"token"}


async def test_check_live(acmedesk: FakeAcmeDesk, tmp_path: Path) -> None:
    """``check --live`` names the scope that is missing; discover and capture work."""
    checked = config(tmp_path)
    clock = VirtualClock(MORNING)
    preflight = Preflight(checked, clock, client_of(acmedesk))
    lines, well = await preflight.check()
    assert well, lines
    acmedesk.scope = False
    lines, well = await preflight.check()
    assert not well
    assert any("agents.read" in line and line.startswith("  !") for line in lines)
    offered, _ = await preflight.discover("acme")
    assert any("new_column" in line for line in offered)
    recording, _ = await preflight.capture("acme")
    for text in ("\n".join((*lines, *offered)), recording.decode()):
        assert SECRET not in text
    assert "Sales" not in recording.decode()


def test_its_configuration(acmedesk: FakeAcmeDesk, tmp_path: Path) -> None:
    """Mistakes of the example's own keys are reported with their line."""
    with pytest.raises(ConfigError, match=r"exporter\.yml:6: .*client_id"):
        config(tmp_path, client_id='""')


def test_it_is_linted_and_formatted(tmp_path: Path) -> None:
    """The example passes ruff with the project's settings."""
    ruff = Path(sys.executable).with_name("ruff")
    if not ruff.exists():
        program("ruff")
    folder = tmp_path / "exporter" / "providers"
    for path, code in blocks().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(code, encoding="utf-8")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [ruff, *command, "--no-cache", str(folder)],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_its_types(tmp_path: Path) -> None:
    """The example passes mypy --strict beside the package."""
    copy = tmp_path / "exporter"
    shutil.copytree(ROOT / "exporter", copy, ignore=shutil.ignore_patterns("__pycache__"))
    for path, code in blocks().items():
        (copy / "providers" / path).parent.mkdir(parents=True, exist_ok=True)
        (copy / "providers" / path).write_text(code, encoding="utf-8")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--strict", "--explicit-package-bases"),
            *("--ignore-missing-imports", "--follow-imports=silent"),
            *("--cache-dir", str(tmp_path / "cache"), "exporter/providers/acmedesk"),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
