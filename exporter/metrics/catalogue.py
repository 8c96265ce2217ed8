"""Catalogue of metrics: every family with the vendors' figures that feed it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TypedDict

from exporter.metrics.families import CAMPAIGN_INFO, FAMILIES, PROCESS_WIDE, Family
from exporter.metrics.tables import Reasons, Spread, State, Table


class CatalogueEntry(TypedDict):
    """One family as plain values; ``sources`` are the vendors' figures that feed it."""

    name: str
    type: str
    unit: str
    labels: list[str]
    help: str
    sources: list[str]


Tables = Mapping[str, Sequence[Table]]


def _sources(family: Family, tables: Tables) -> Iterator[str]:
    """Yield the vendors' figures that feed a family or its counter twin."""
    for provider, provider_tables in tables.items():
        for table in provider_tables:
            for header in _headers(table, family):
                yield f"{provider} {table.name}: {header}"


def _headers(table: Table, family: Family) -> Iterator[str]:
    if family is CAMPAIGN_INFO and table.direction:
        yield f"its campaigns are {table.direction}"
    for figure in table.figures:
        if family not in (figure.family, figure.family.sliding):
            continue
        if isinstance(figure, Spread):
            yield f"the columns named by its {figure.names}"
            continue
        counted = isinstance(figure, State) and figure.show == "count"
        count = "rows by " if counted or isinstance(figure, Reasons) else ""
        note = "" if figure.certain else " (may be absent)"
        yield f"{count}{figure.header}{note}"


def entries(tables: Tables) -> list[CatalogueEntry]:
    """Return all families as plain values, by name; ``tables`` are the tables by provider."""
    return [
        {
            "name": family.name,
            "type": family.kind,
            "unit": family.unit,
            "labels": [
                *([] if family in PROCESS_WIDE else ["provider", "account"]),
                *family.labels,
            ],
            "help": family.help,
            "sources": list(_sources(family, tables)),
        }
        for _, family in sorted(FAMILIES.items())
    ]


def markdown(tables: Tables) -> str:
    """Return the catalogue as a Markdown table."""
    lines = [
        "| metric | type | unit | labels | meaning | fed by |",
        "|---|---|---|---|---|---|",
    ]
    for entry in entries(tables):
        labels = ", ".join(f"`{label}`" for label in entry["labels"])
        sources = "<br>".join(entry["sources"]).replace("|", "\\|")
        lines.append(
            f"| `{entry['name']}` | {entry['type']} | {entry['unit']} | {labels} "
            f"| {entry['help']} | {sources} |"
        )
    return "\n".join(lines)


def as_json(tables: Tables) -> str:
    """Return the catalogue as JSON."""
    return json.dumps(entries(tables), indent=2)
