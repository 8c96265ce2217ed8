"""Write the dashboards as JSON beside this script, or with --check see that they are up to date.

With --label and --out, write rules, dashboards and Alertmanager's sample for accounts that are told
apart by one more label, such as env; label.yml says where the label belongs.
"""

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml
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


def labelled(label: str) -> dict[Path, str]:
    """Return rules, Alertmanager's sample and dashboards with one more label of accounts.

    The paths are relative to the folder that they are to be written to.
    """
    pairs = yaml.safe_load((_FOLDER / "label.yml").read_text(encoding="utf-8"))
    files = [*sorted(_FOLDER.glob("rules/*.rules.yml")), _FOLDER / "alertmanager.yml"]
    texts = documents() | {file: file.read_text(encoding="utf-8") for file in files}
    for old, new in pairs:
        replacement = new.replace("LABEL", label)
        texts = {file: text.replace(old, replacement) for file, text in texts.items()}
    return {
        file.relative_to(_FOLDER): _with_variable(text, label) if file.suffix == ".json" else text
        for file, text in texts.items()
    }


def _with_variable(text: str, label: str) -> str:
    """Add a variable for the label to a dashboard, before that of the provider."""
    document: dict[str, Any] = json.loads(text)
    variables = document["templating"]["list"]
    provider = variables[1]
    query = provider["query"] | {"query": f"label_values(contactcenter_up, {label})"}
    variables.insert(1, provider | {"name": label, "label": label, "query": query})
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Write or check; return the process's exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if a file differs")
    parser.add_argument("--label", help="name of one more label that tells accounts apart")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder to write to with --label")
    options = parser.parse_args(arguments)
    if (options.label is None) != (options.out is None):
        parser.error("--label and --out belong together")
    if options.label is None:
        return _check() if options.check else _write()
    if not re.fullmatch("[a-zA-Z_][a-zA-Z0-9_]*", options.label):
        parser.error(f"{options.label!r} is not a valid label name")
    for file, text in labelled(options.label).items():
        (options.out / file).parent.mkdir(parents=True, exist_ok=True)
        (options.out / file).write_text(text, encoding="utf-8")
    return 0


def _stale() -> tuple[dict[Path, str], set[Path]]:
    """Return the files that differ with what they are to hold, and those to be removed."""
    wanted = documents()
    stale = {
        file: text
        for file, text in wanted.items()
        if not file.exists() or file.read_text(encoding="utf-8") != text
    }
    return stale, set(_FOLDER.glob("*.json")) - set(wanted)


def _check() -> int:
    stale, left = _stale()
    for file in sorted({*stale, *left}):
        print(f"{file.name} is not what build.py makes: make dashboards", file=sys.stderr)
    return 1 if stale or left else 0


def _write() -> int:
    stale, left = _stale()
    for file, text in stale.items():
        file.write_text(text, encoding="utf-8")
    for file in left:
        file.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
