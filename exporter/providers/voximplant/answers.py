"""From Voximplant's odd answers to plain values: what is in there, whatever it looks like?

The documented sample of GetACDOperatorStatusStatistics has ``acd_status`` as an object and ids as
numbers; every type of the vendor's clients has an array and texts. Rows come nested by user or by
bucket. Everything here takes all of these.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from exporter.errors import InvalidAnswer
from exporter.metrics.parsers import Cell, Number, number

Row = Mapping[str, Any]

# The keys of the statistics on operators and queues; which are sent depends on ``abbreviation``.
_SHORT = {
    "SpeedOfAnswer": "SA",
    "TalkTime": "TT",
    "AfterCallWork": "ACW",
    "HandlingTime": "HT",
    "WaitingTime": "WT",
    "AbandonmentTime": "AT",
    "QueueLength": "QL",
    "ServiceLevel": "SL",
    "TotalCalls": "TC",
    "AnsweredCalls": "AC",
    "UnansweredCalls": "UAC",
    "RejectedCalls": "RC",
    "TotalDialingTime": "TDT",
    "TotalHandlingTime": "THT",
    "TotalTalkTime": "TTT",
    "TotalAfterCallWork": "TACW",
    "TotalWaitingTime": "TWT",
    "TotalSubmissionTime": "TST",
    "TotalAbandonmentTime": "TAT",
}


def identity(value: object) -> str:
    """Return an id as a text, whether it came as one or as a number; nothing for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.strip() if isinstance(value, str) else ""


def figure(value: object) -> Number:
    """Return a number that is to be added up: a sum without it would be wrong."""
    try:
        return number(value if isinstance(value, str | int | float) else None)
    except ValueError:
        raise InvalidAnswer("a figure that cannot be read") from None


def scalars(row: Row) -> dict[str, Cell]:
    """Return a row's plain values as a table takes them; what is nested is an empty cell."""
    return {name: _scalar(value) for name, value in row.items()}


def _scalar(value: object) -> Cell:
    if isinstance(value, bool):
        return int(value)
    return value if isinstance(value, str | int | float) else None


def items(row: Row, name: str) -> list[Row] | None:
    """Return a list of objects inside a row, ``None`` where it is not there."""
    found = row.get(name)
    if found is None:
        return None
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise InvalidAnswer(f"{name} is no list of objects")
    return found


def flatten(rows: Iterable[Row]) -> Iterator[dict[str, Any]]:
    """Yield the records of a statistic, each with the user, date and hour it is of.

    This takes every ``aggregation`` and ``group``: users may hold buckets, buckets may hold users,
    and what has neither is a record itself. Keys are the short ones.
    """
    for row in rows:
        inner = items(row, "statistics")
        outer = {name: value for name, value in row.items() if name != "statistics"}
        for record in [{}] if inner is None else inner:
            yield {_SHORT.get(name, name): value for name, value in {**outer, **record}.items()}


def merged(value: object) -> dict[str, Any]:
    """Return an object that may come as a list of objects with one key each."""
    found: dict[str, Any] = {}
    for part in value if isinstance(value, list) else [] if value is None else [value]:
        if not isinstance(part, dict):
            raise InvalidAnswer("neither an object nor a list of objects")
        found |= part
    return found


def counted(value: object) -> Number | None:
    """Return a number of calls: plain, or in ``{count, percent}``, or in a list of such."""
    if isinstance(value, list):
        return number(sum(figure(merged(each).get("count")) for each in value))
    return figure(value.get("count")) if isinstance(value, dict) else _maybe(value)


def summed(record: Row, name: str) -> Number | None:
    """Return the seconds of a statistic: its own sum, else the total of that name with a T."""
    stat = record.get(name)
    if isinstance(stat, dict):
        return _maybe(stat.get("sum"))
    return _maybe(record.get({"SA": "TST"}.get(name, f"T{name}")))


def sampled(record: Row, name: str) -> Number | None:
    """Return how many times a statistic was measured."""
    stat = record.get(name)
    return _maybe(stat.get("count")) if isinstance(stat, dict) else None


def added(values: Iterable[Number | None]) -> Number | None:
    """Return the sum of what is there, ``None`` where nothing is."""
    found = [value for value in values if value is not None]
    return number(sum(found)) if found else None


def utc_time(cell: Cell) -> Number:
    """Read ``YYYY-MM-DD HH:MM:SS`` in UTC as epoch seconds."""
    if not isinstance(cell, str):
        raise ValueError("not a date and time")
    found = datetime.fromisoformat(cell.strip())
    if found.tzinfo is not None:
        raise ValueError("a time zone where there should be none")
    return number(found.replace(tzinfo=UTC).timestamp())


def _maybe(value: object) -> Number | None:
    return None if value is None else figure(value)
