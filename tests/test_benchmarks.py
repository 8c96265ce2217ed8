"""Tests that the benchmarks run; their figures are in README.md."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {
    "nginx": "nginx",
    "prometheus": "prometheus",
    "prometheus-pushgateway": "prometheus-pushgateway",
    "prometheus-node-exporter": "prometheus-node-exporter",
    "openssl": "openssl",
}
SUBJECTS = {"refresh", "soap", "storm", "memory", "scrape", "prometheus", "flood", "paths"}
TARGETS = {f"T{number}" for number in range(1, 18)}


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *map(str, arguments)]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=400, check=False
    )


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.timeout(420)
def test_a_quick_run(tmp_path: Path) -> None:
    """A quick run measures every subject, judges every target and writes both files."""
    lacking = [package for name, package in PACKAGES.items() if not shutil.which(name)]
    if lacking:
        message = f"not installed: apt-get install {' '.join(lacking)}"
        assert not os.environ.get("CI"), message
        pytest.skip(message)
    done = run("--quick", "--output", tmp_path)

    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "results.json").read_text())
    assert {name.partition("/")[0] for name in results["figures"]} == SUBJECTS
    assert all(figure["median"] >= 0 for figure in results["figures"].values())
    assert {target["target"] for target in results["targets"]} == TARGETS
    assert results["missing"] == []
    table = (tmp_path / "results.md").read_text()
    assert all(f"| {target} |" in table for target in TARGETS)


def test_a_subject_that_there_is_not() -> None:
    """A misspelt subject is refused, and those there are are named."""
    done = run("scrap")

    assert done.returncode == 2
    assert "no such subject: scrap" in done.stderr
