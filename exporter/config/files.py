"""Reads a configuration and the small files that it names."""

import errno
import os
import stat
from pathlib import Path

_LONGEST = 1_000_000  # bytes: more than all public authorities together


def read_file(path: Path, longest: int = _LONGEST) -> bytes:
    """Return the content of a regular file of at most ``longest`` bytes; never wait for a writer.

    Raises ``OSError``, also for a pipe, which may have no writer and can be read once only, and
    ``ValueError`` for an invalid path.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            if stat.S_ISDIR(mode):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            kind = "a pipe, which may have no writer" if stat.S_ISFIFO(mode) else "a device"
            raise OSError(0, f"is {kind}; expected a file")
        with open(descriptor, "rb", closefd=False) as file:
            content = file.read(longest + 1)
    finally:
        os.close(descriptor)
    if len(content) > longest:
        raise OSError(0, f"is larger than {longest} bytes")
    return content
