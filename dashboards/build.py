"""Write the dashboards as JSON beside this script, or with --check see that they are up to date."""

import argparse
import json
import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from boards import BOARDS

_FOLDER = Path(__file__).parent


def documents() -> dict[Path, str]:
    """Return what each file is to hold."""
    return {
        _FOLDER / f"{name}.json": json.dumps(
            make().build(), cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False
        )
        + "\n"
        for name, make in BOARDS.items()
    }


def main(arguments: list[str] | None = None) -> int:
    """Write or check; return the process's exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if a file differs")
    check = parser.parse_args(arguments).check
    wanted = documents()
    stale = [
        file
        for file, text in wanted.items()
        if not file.exists() or file.read_text(encoding="utf-8") != text
    ]
    left = set(_FOLDER.glob("*.json")) - set(wanted)
    if check:
        for file in sorted({*stale, *left}):
            print(f"{file.name} is not what build.py makes: make dashboards", file=sys.stderr)
        return 1 if stale or left else 0
    for file in stale:
        file.write_text(wanted[file], encoding="utf-8")
    for file in left:
        file.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
