"""The results as Markdown, and the files that they are written to."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks.harness import Figures, Options
from benchmarks.targets import Target

_BEGIN, _END = "<!-- results: begin -->", "<!-- results: end -->"


def write(
    results: Mapping[str, Any],
    judged: Sequence[Target],
    subjects: Sequence[ModuleType],
    options: Options,
    figures: Figures,
) -> str:
    """Return everything that was measured."""
    parts = [
        f"{results['machine']}; load before: {results['load before']}.",
        f"Median of {results['rounds']} round(s).",
    ]
    if judged:
        lines = ["| | target | asked | found | |", "|---|---|---|---|---|"]
        for target in judged:
            word = "pass" if target.passed else "**miss**"
            found = f"{target.found:,.0f}" if target.found >= 100 else f"{target.found:.2f}"
            lines.append(
                f"| {target.number} | {target.what} | {target.asked} "
                f"| {found} {target.unit.partition(' ')[0]} | {word} |"
            )
        parts.append("\n".join(lines))
    missing = {line.partition(":")[0] for line in results["missing"]}
    for subject in subjects:
        if subject.__name__.rpartition(".")[2] not in missing:
            parts += subject.tables(options, figures)
    return "\n\n".join(parts)


def save(file: Path, text: str) -> None:
    """Write between the file's markers; a file without them becomes the results alone."""
    before = after = ""
    if file.exists() and _BEGIN in (old := file.read_text()):
        before, _, rest = old.partition(_BEGIN)
        after = rest.partition(_END)[2]
    file.write_text(f"{before}{_BEGIN}\n\n{text}\n\n{_END}{after or chr(10)}")
