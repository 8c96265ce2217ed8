"""Entry point: ``python -m exporter`` and the command ``contactcenter-exporter``."""

import sys

from exporter.logs import divert_stderr
from exporter.signals import SIGNALS, Interrupted


def main() -> int:
    """Run the command of ``sys.argv`` and return the process's exit code."""
    serves = _serves(sys.argv[1:])
    SIGNALS.catch(serves=serves)
    try:
        errors = divert_stderr()
        from exporter.cli import main as run  # noqa: PLC0415 - takes most of a second

        code = run()
        if not serves:
            errors.drained()  # a pager may take its time, as with standard output
    except Interrupted as signal:
        # No account was signed in, or all have been signed out.
        print(f"contactcenter-exporter: stopped by {signal}", file=sys.stderr)  # noqa: T201
        return 0 if serves else 1
    else:
        return code
    finally:
        SIGNALS.release()


def _serves(words: list[str]) -> bool:
    """Return whether a command line starts a program that serves until it is stopped."""
    command = words[0] if words and not words[0].startswith("-") else "run"
    return command in ("run", "demo", "simulate") and "--once" not in words


if __name__ == "__main__":
    sys.exit(main())
