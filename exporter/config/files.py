"""Reads the small files that a configuration names."""

import os
import stat
from pathlib import Path

_LONGEST = 1_000_000  # bytes: more than all public authorities together


def read_file(path: Path) -> bytes:
    """Return the content of a regular file of at most 1 MB; never wait for it.

    Raises ``OSError``, also for a pipe, which may have no writer and can be read once only, and
    ``ValueError`` for an invalid path.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            kind = "a pipe, which may have no writer" if stat.S_ISFIFO(mode) else "a device"
            raise OSError(0, f"is {kind}; expected a file")
        content = file.read(_LONGEST + 1)
    if len(content) > _LONGEST:
        raise OSError(0, f"is larger than {_LONGEST} bytes")
    return content
