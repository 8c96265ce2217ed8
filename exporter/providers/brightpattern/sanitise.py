"""Sanitiser of JSON bodies: decides by the column's statistic which cells a capture may keep."""

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
                *("RUNNING", "STOPPED", "oauth", "percent", "fraction", "UTC"),
                *(DISPOSITIONS, *MEDIA),
            ),
        )
        self._columns: dict[str, dict[str, str]] = {}  # statistics by column id, by kind of grid

    def exchange(
        self, operation: str, asked: tuple[str, bytes], answered: tuple[str, bytes]
    ) -> tuple[Value, Value]:
        """Store the columns of a subscription; data name them by id only."""
        if operation == _SUBSCRIPTION and asked[1]:
            self._store_columns(orjson.loads(asked[1]))
        return super().exchange(operation, asked, answered)

    def root(self, operation: str) -> str:
        """Return the key under which a bare list is judged."""
        return "dispositions" if operation.endswith("/dispositions") else ""

    def _store_columns(self, body: Any) -> None:
        for block in body.values():
            for kind in _GRIDS:
                for grid in block.get(kind, ()):
                    self._columns[kind] = {
                        column["id"]: column.get("stat_name") or column.get("statName") or ""
                        for column in grid["columns"]
                    }

    def mapping(self, content: Any, key: str, *, hide: bool) -> Value:
        """Return a sanitised object; the cells of a grid are judged by their columns."""
        if key in _GRIDS and isinstance(content.get("values"), list):
            columns = self._columns.get(key, {})
            rows = [self._row(row, columns) for row in content["values"]]
            rest = {name: value for name, value in content.items() if name != "values"}
            return {**super().mapping(rest, key, hide=hide), "values": rows}
        return super().mapping(content, key, hide=hide)

    def _row(self, row: Any, columns: dict[str, str]) -> Value:
        if not isinstance(row, dict):
            return self.value(row, "name")
        return {name: self.value(cell, columns.get(name, "name")) for name, cell in row.items()}
