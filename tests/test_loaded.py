"""Tests of what a process imports: libraries of configured platforms only."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from exporter.providers import MODELS, PROVIDERS
from support.platforms import platform

# Large libraries, and the platforms that need one; the last ones are for tests and the demo.
LIBRARIES = {
    "zeep": {"five9"},
    "requests": {"five9"},
    "lxml": {"five9"},
    "jwt": {"voximplant"},
    "cryptography": {"voximplant"},
    "holidays": set(),  # where a country is set
    "websockets": set(),
    "exporter.simulators": set(),
}
ONCE = """
import sys
from exporter.cli import main
code = main(["run", "--once", "--config.file", sys.argv[1]])
print(code, *sys.modules)
"""


def run(script: str, *arguments: str) -> list[str]:
    """Return the words of the last line that a script writes in an interpreter of its own."""
    command = [sys.executable, "-c", script, *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    return ended.stdout.splitlines()[-1].split()


@pytest.mark.parametrize("providers", [*([each] for each in PROVIDERS), ["genesys", "voximplant"]])
def test_only_what_is_configured_is_loaded(tmp_path: Path, providers: list[str]) -> None:
    """Libraries and platforms that the configuration does not need are not in the process."""
    file = tmp_path / "exporter.yml"
    accounts = [
        {**platform(provider).options, "name": provider, "base_url": "http://127.0.0.1:9"}
        for provider in providers
    ]
    hours = {"time_zone": "UTC", "weekly": "Mon-Fri 08:00-20:00", "holidays": ["2026-12-25"]}
    file.write_text(json.dumps({"accounts": accounts, "queues": [{"hours": hours}]}))
    code, *loaded = run(ONCE, str(file))

    assert code == "0"
    assert {each for each in LIBRARIES if each in loaded} == {
        each for each, users in LIBRARIES.items() if users & set(providers)
    }
    assert {each for each in PROVIDERS if f"exporter.providers.{each}" in loaded} == set(providers)


def test_the_page_needs_no_configuration() -> None:
    """What maps, renders and serves loads nothing that reads a configuration or asks platforms."""
    modules = "exporter.refresh.schedule, exporter.web.site, exporter.web.server"
    loaded = run(f"import sys, {modules}; print(*sys.modules)")

    assert "exporter.exposition.page" in loaded
    assert {"pydantic", "yaml", "httpx", "bcrypt", *LIBRARIES} & set(loaded) == set()


def test_every_platform_can_be_loaded() -> None:
    """Each name leads to a platform of its own; another name leads nowhere."""
    assert len({each.model for each in PROVIDERS.values()}) == len(PROVIDERS) == len(MODELS)
    assert dict(MODELS) == {name: each.model for name, each in PROVIDERS.items()}
    assert all(each.tables for each in PROVIDERS.values())
    assert "six9" not in MODELS
    with pytest.raises(KeyError):
        PROVIDERS["config"]
