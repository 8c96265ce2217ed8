"""Runs the benchmarks: ``python -m benchmarks [--quick] [subject ...]``."""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType

from benchmarks import (
    flood,
    memory,
    paths,
    prometheus,
    refresh,
    report,
    scrape,
    soap,
    storm,
    targets,
)
from benchmarks.harness import CLIENT_CORE, CORES, SERVER_CORE, Figures, Missing, Options

_SUBJECTS: dict[str, ModuleType] = {
    "refresh": refresh,
    "soap": soap,
    "storm": storm,
    "memory": memory,
    "scrape": scrape,
    "prometheus": prometheus,
    "flood": flood,
    "paths": paths,
}
HERE = Path(__file__).parent


def machine() -> str:
    """Return the machine and versions of this run."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory_size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{CORES} cores {model}, {memory_size:.0f} GiB, "
        f"{platform.system()} {platform.release().split('-')[0]}, "
        f"Python {platform.python_version()}"
    )


def main() -> int:
    """Measure, write and print; 1 where something could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("subjects", nargs="*", metavar="subject", help=", ".join(_SUBJECTS))
    parser.add_argument("--quick", action="store_true", help="only show that everything works")
    parser.add_argument("--output", type=Path, help="a folder for results.json and results.md")
    given = parser.parse_args()
    unknown = set(given.subjects) - set(_SUBJECTS)
    if unknown:
        parser.error(f"no such subject: {', '.join(sorted(unknown))}")
    chosen = given.subjects or list(_SUBJECTS)
    os.sched_setaffinity(0, {CLIENT_CORE})
    figures = Figures()
    missing = []
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # nginx reads its files as another user
        options = Options(given.quick, Path(folder))
        for subject in chosen:
            began = time.monotonic()
            try:
                _SUBJECTS[subject].run(options, figures)
            except Missing as error:
                missing.append(f"{subject}: {error}")
            print(f"{subject}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    judged = targets.judge(options, figures)
    results = {
        "machine": machine(),
        "cores": {"servers": SERVER_CORE, "clients": CLIENT_CORE},
        "load before": round(load, 2),
        "rounds": options.rounds,
        "missing": missing,
        "targets": [target.as_json() for target in judged],
        "figures": {
            key: {"median": figures[key], "rounds": values}
            for key, values in sorted(figures.rounds.items())
        },
    }
    text = report.write(results, judged, [_SUBJECTS[each] for each in chosen], options, figures)
    print(text)
    whole = not given.quick and not given.subjects and not missing
    if given.output or whole:
        target = given.output or HERE
        target.mkdir(parents=True, exist_ok=True)
        (target / "results.json").write_text(json.dumps(results, indent=1) + "\n")
        report.save(target / ("results.md" if given.output else "README.md"), text)
    for line in missing:
        print(f"not measured: {line}", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
