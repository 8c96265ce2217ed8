"""What of Bright Pattern's answers may be shown: cells are judged by their column's statistic."""

from typing import Any

import orjson

from exporter.collector.sanitise import Sanitiser, Value
from exporter.providers.brightpattern.tables import DISPOSITIONS, MEDIA, TABLES

_GRIDS = ("service_grids", "agent_grids")
_SUBSCRIPTION = "POST /statsapi/subscription"


class BrightPatternSanitiser(Sanitiser):
    """See ``Sanitiser``."""

    segments = frozenset({"statsapi", "configapi"})

    def __init__(self) -> None:
        super().__init__(
            TABLES,
            kept=(
                "stat_name",
                "statName",
                "stats_totals",
                "grant_type",
                "token_type",
                "column_key",
            ),
            plain=("id", "error_code"),
            hidden=("name", "services", "teams", "dispositions"),
            words=(
                *("services", "agents", "totals", "subscription", "directory", "campaigns", "app"),
                *(
                    "RUNNING",
                    "STOPPED",
                    "oauth",
                    "percent",
                    "fraction",
                    "UTC",
                    DISPOSITIONS,
                    *MEDIA,
                ),
            ),
        )
        self._columns: dict[str, dict[str, str]] = {}  # statistics by column, of each kind of grid

    def exchange(
        self, operation: str, asked: tuple[str, bytes], answered: tuple[str, bytes]
    ) -> tuple[Value, Value]:
        """Learn from a subscription what the columns of the answers are."""
        if operation == _SUBSCRIPTION and asked[1]:
            self._learn_columns(orjson.loads(asked[1]))
        return super().exchange(operation, asked, answered)

    def root(self, operation: str) -> str:
        """Return what a bare list is of."""
        return "dispositions" if operation.endswith("/dispositions") else ""

    def _learn_columns(self, body: Any) -> None:
        for block in body.values():
            for kind in _GRIDS:
                for grid in block.get(kind, ()):
                    self._columns[kind] = {
                        column["id"]: column.get("stat_name") or column.get("statName") or ""
                        for column in grid["columns"]
                    }

    def mapping(self, found: Any, key: str, *, hide: bool) -> Value:
        """Return an object; the cells of a grid's rows by what their columns are."""
        if key in _GRIDS and isinstance(found.get("values"), list):
            columns = self._columns.get(key, {})
            rows = [self._row(row, columns) for row in found["values"]]
            rest = {name: each for name, each in found.items() if name != "values"}
            return {**super().mapping(rest, key, hide=hide), "values": rows}
        return super().mapping(found, key, hide=hide)

    def _row(self, row: Any, columns: dict[str, str]) -> Value:
        if not isinstance(row, dict):
            return self.value(row, "name")
        return {at: self.value(cell, columns.get(at, "name")) for at, cell in row.items()}
