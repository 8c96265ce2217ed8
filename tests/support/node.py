"""The npm packages that tests with Node need, installed once."""

import fcntl
import subprocess
from pathlib import Path

from support.programs import program

FOLDER = Path(__file__).parents[1] / "node"
_INSTALL = ("ci", "--ignore-scripts", "--no-audit", "--no-fund")


def modules(parent: Path = FOLDER) -> Path:
    """Return the folder of the packages in a package-lock.json, installed if need be."""
    npm = program("npm")
    folder = parent / "node_modules"
    lock = parent / "package-lock.json"
    with lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # the first of all test processes installs
        mark = folder / ".installed"
        if not mark.exists() or mark.read_text() != lock.read_text():
            done = subprocess.run(
                [npm, *_INSTALL],
                cwd=parent,
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            mark.write_text(lock.read_text())
    return folder
