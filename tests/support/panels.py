"""Parser of the dashboards: documents, panels, queries."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from support.dashboards import BOARDS

DOCUMENTS: dict[str, dict[str, Any]] = {
    file.stem: json.loads(file.read_text(encoding="utf-8"))
    for file in sorted(BOARDS.glob("*.json"))
}


class Target(NamedTuple):
    """A query where it stands, and the unit in which its result is shown."""

    store: str
    panel: str
    ref: str
    expression: str
    unit: str


def panels() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every panel that is no heading, with its dashboard; those of folded rows too."""
    for name, document in DOCUMENTS.items():
        for panel in document["panels"]:
            folded = panel.get("panels", []) if panel["type"] == "row" else [panel]
            yield from ((name, found) for found in folded)


def targets() -> Iterator[Target]:
    """Yield every query of every panel."""
    for name, panel in panels():
        for target in panel["targets"]:
            unit = unit_of(panel, target["refId"])
            yield Target(name, panel["title"], target["refId"], target["expr"], unit)


def annotations() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every annotation, with its dashboard."""
    for name, document in DOCUMENTS.items():
        yield from ((name, found) for found in document["annotations"].get("list", []))


def unit_of(panel: dict[str, Any], ref: str) -> str:
    """Return the unit of a query's result; a table has one for each column."""
    if panel["type"] != "table":
        own = [
            value["value"]
            for override in panel["fieldConfig"]["overrides"]
            if override["matcher"] == {"id": "byFrameRefID", "options": ref}
            for value in override["properties"]
            if value["id"] == "unit"
        ]
        return str(own[0] if own else panel["fieldConfig"]["defaults"]["unit"])
    (organize,) = (item for item in panel["transformations"] if item["id"] == "organize")
    heading = organize["options"]["renameByName"][f"Value #{ref}"]
    found = [
        value["value"]
        for override in panel["fieldConfig"]["overrides"]
        if override["matcher"]["options"] == heading
        for value in override["properties"]
        if value["id"] == "unit"
    ]
    assert len(found) == 1, f"{panel['title']}: {heading} has no unit of its own"
    return str(found[0])
