"""The npm packages that tests with Node need, installed once."""

import fcntl
import json
import subprocess
from pathlib import Path

from support.programs import program

FOLDER = Path(__file__).parents[1] / "node"
_INSTALL = ("ci", "--ignore-scripts", "--no-audit", "--no-fund")


def modules() -> Path:
    """Return the folder of the packages in tests/node/package-lock.json, installed if need be."""
    npm = program("npm")
    folder = FOLDER / "node_modules"
    lock = FOLDER / "package-lock.json"
    with lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # the first of all test processes installs
        if _versions(folder / ".package-lock.json") != _versions(lock):
            done = subprocess.run(
                [npm, *_INSTALL],
                cwd=FOLDER,
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
            assert done.returncode == 0, done.stderr
    return folder


def _versions(lock: Path) -> dict[str, str]:
    """Return the version of each package in a lock file; npm writes one of what it installed."""
    if not lock.exists():
        return {}
    packages = json.loads(lock.read_text())["packages"]
    return {name: package["version"] for name, package in packages.items() if name}
