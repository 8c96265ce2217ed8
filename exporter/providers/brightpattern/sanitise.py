"""Sanitiser of Bright Pattern recordings.

Sources of the keys and words: the vendor's collections of the Real-Time Statistics API and the List
Management API, and traces of them. Records of calling lists are customers' data: of ``entry``
nothing stays but the number of its members.
"""

import contextlib
from dataclasses import replace
from typing import Any

import orjson

from exporter.collector.sanitise import Allowed, Columns, Sanitiser, Value
from exporter.metrics.tables import Table, normalise
from exporter.providers.brightpattern.tables import (
    ACTIVE_MEDIA,
    DISPOSITIONS,
    MEDIA,
    PLUS,
    PSEUDO,
    STATE_DURATION,
    TABLES,
)


def _headers(table: Table) -> list[str]:
    return [getattr(figure, "header", "") for figure in table.figures]


_GRIDS = ("service_grids", "agent_grids")
_TABLES = Columns.of(TABLES)
_SUMMED = (header for table in TABLES for header in _headers(table) if PLUS in header)
_COLUMNS = replace(
    _TABLES,
    figures=_TABLES.figures
    | {normalise(name) for header in _SUMMED for name in header.split(PLUS)}
    | set(map(normalise, (DISPOSITIONS, STATE_DURATION))),
    words={**_TABLES.words, normalise(ACTIVE_MEDIA): frozenset(MEDIA)},
)
_STATISTICS = frozenset(
    {*_COLUMNS.figures, *_COLUMNS.words, *_COLUMNS.others, *map(normalise, PSEUDO)}
)
_KEPT_KEYS = ("stat_name", "statName", "sum_stat_names", "stats_totals")

ALLOWED = Allowed(
    objects={
        *(*_GRIDS, "columns", "order", "stats_totals", "values", "lists", "sortingOrder"),
        *("records", "status"),
    },
    figures={
        *("expires_in", "limit", "dialingRatio", "order", "totalRecords", "totalAttempts"),
        *("lastCallDuration", "error_code"),
    },
    words={
        "token_type": ("Bearer",),
        "grant_type": ("client_credentials",),
        "state": ("RUNNING", "STOPPED"),
        **dict.fromkeys(_KEPT_KEYS, _STATISTICS),
        **dict.fromkeys(("order_dir", "dir"), ("ASC", "DESC")),
        "filter_operation": ("EQ", "NE", "LT", "GT", "LE", "GE"),
        # Settings.
        "auth": ("oauth", "password"),
        "column_key": ("stat_name", "statName"),
        "ratio_scale": ("percent", "fraction", *_STATISTICS),
        "statistics": ("totals", "services", "agents", *_STATISTICS),
        **dict.fromkeys(("totals",), _STATISTICS),
        "feeds": ("subscription", "directory", "campaigns"),
    },
    replaced={
        *("access_token", "scope", "token", "privileges", "user_id", "client_id"),
        *("client_secret", "tenant_url", "username", "password", "id", "name", "direction"),
        *("type", "instanceId", "instanceName", "entry", "globalInteractionID", "lastAgent"),
        *("lastPhone", "lastDate", "lastDisposition", "completedTime", "error"),
        *("error_message", "error_description", "cursor", "next_cursor", "dispositions"),
        *("stats_totals_service_ids", "stats_totals_dispositions", "team_ids", "service_ids"),
        *("order_by", "by", "filter_by", "filter_value", "chat_messages", "enabled"),
        *("completed", "logged_in_agents_only", "my_subteam_only", "metric", "labels"),
        *("teams", "services"),
    },
    segments={"statsapi", "configapi"},
)


class BrightPatternSanitiser(Sanitiser):
    """Sanitiser of JSON bodies and forms; cells are judged by the statistic of their column."""

    allowed = ALLOWED

    def __init__(self) -> None:
        super().__init__()
        self._apps: set[str] = set()  # of the exporter's subscriptions
        self._grids: set[str] = set()
        self._columns: dict[str, dict[str, str]] = {}  # statistics by column id, by kind of grid

    def exchange(
        self, operation: str, asked: tuple[str, bytes], answered: tuple[str, bytes]
    ) -> tuple[Value, Value]:
        """Store the columns of a subscription; data name them by id only."""
        if operation == "POST /statsapi/subscription":
            with contextlib.suppress(orjson.JSONDecodeError):
                self._store_columns(orjson.loads(asked[1]))
        return super().exchange(operation, asked, answered)

    def _store_columns(self, body: Any) -> None:
        for app, block in body.items():
            self._apps.add(app)
            for kind in _GRIDS:
                for grid in block.get(kind, ()):
                    self._columns[kind] = {
                        column["id"]: column.get("stat_name") or column.get("statName") or ""
                        for column in grid["columns"]
                    }

    def mapping(self, content: Any, key: str, *, hide: bool) -> Value:
        """Return the object of ``key``: by app ids, of a column, of a grid, or any other."""
        if hide:
            return super().mapping(content, key, hide=hide)
        if key == "" and self._apps & content.keys():
            return {
                self.pseudonyms.text(app): self.mapping(block, "app", hide=app not in self._apps)
                if isinstance(block, dict)
                else self.value(block, "", hide=True)
                for app, block in content.items()
            }
        if key == "stats_totals":
            return {
                name if name in _COLUMNS else self.pseudonyms.text(name): self._cell(cell, name)
                for name, cell in content.items()
            }
        is_grid = key in _GRIDS and isinstance(content.get("values"), list)
        rows = content["values"] if is_grid else []
        rest = {name: item for name, item in content.items() if not is_grid or name != "values"}
        result = super().mapping(rest, key, hide=False)
        if is_grid:
            columns = self._columns.get(key, {})
            result["values"] = [self._row(row, columns) for row in rows]
        identity = content.get("id")
        own = {column for columns in self._columns.values() for column in columns}
        if isinstance(identity, str) and (
            (key in _GRIDS and identity in ("services", "agents"))
            or (key == "columns" and identity in own)
        ):
            result["id"] = identity
        return result

    def _row(self, row: Any, columns: dict[str, str]) -> Value:
        if not isinstance(row, dict):
            return self.value(row, "", hide=True)
        return {
            name if name in columns else self.pseudonyms.text(name): self._cell(
                cell, columns.get(name, "")
            )
            for name, cell in row.items()
        }

    def _cell(self, cell: Any, statistic: str) -> Value:
        return cell if _COLUMNS.keeps(cell, statistic) else self.value(cell, "", hide=True)
