"""Values in Voximplant's answers: accepts every layout that the vendor documents.

The sample of GetACDOperatorStatusStatistics in the Management API reference has ``acd_status`` as
an object and ids as numbers; the types of the vendor's clients have an array and texts. Rows come
nested by user or by bucket. The functions here accept all of these; they raise ``InvalidAnswer``.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from exporter.errors import InvalidAnswer
from exporter.metrics.parsers import Cell, Number, epoch_seconds, number, total
from exporter.metrics.reading import REPLACEMENT, RefusedRow, check_refused

JsonObject = Mapping[str, Any]

# Long and short keys of the statistics; ``abbreviation`` decides which are sent.
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


def to_id(value: object) -> str:
    """Return an id as a text, whether it is a text or an integer; empty for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return to_word(value).strip() if isinstance(value, str) else ""


def to_word(value: object) -> str:
    """Return one of the platform's own words as a text.

    With a replaced character it may be any of them, so that what it sorts would be counted wrong;
    so may a list or an object.
    """
    if isinstance(value, list | dict):
        raise InvalidAnswer("a word of the platform is a list or an object")
    word = str(value)
    if REPLACEMENT in word:
        raise InvalidAnswer("an id or a word of the platform holds a forbidden character")
    return word


def to_number(value: object) -> Number:
    """Return a number that goes into a sum, which would be wrong without it."""
    try:
        return number(value if isinstance(value, str | int | float) else None)
    except ValueError:
        raise InvalidAnswer("a value is not a number") from None


def to_cells(row: JsonObject) -> dict[str, Cell]:
    """Return a row's plain values as cells; a nested value becomes an empty cell."""
    return {name: _to_cell(value) for name, value in row.items()}


def _to_cell(value: object) -> Cell:
    if isinstance(value, bool):
        return int(value)
    return value if isinstance(value, str | int | float) else None


def distinct(objects: Sequence[JsonObject], name: str) -> list[JsonObject]:
    """Return objects without those whose id came before; those without an id stay."""
    ids: set[str] = set()
    result = []
    for item in objects:
        identity = to_id(item.get(name))
        if not identity or identity not in ids:
            result.append(item)
        ids.add(identity)
    return result


class ObjectsById(dict[str, JsonObject]):
    """Rows by id. ``refused`` are those without an id, ``repeated`` counts those that came before.

    Values have names, so that a row can lack a value, but not have it elsewhere. A row that moved
    to another page during the read comes twice. Raises ``InvalidAnswer`` where most lack an id.
    """

    def __init__(self, rows: Sequence[JsonObject], name: str) -> None:
        super().__init__()
        self.refused: list[RefusedRow] = []
        self.repeated = 0
        for position, row in enumerate(rows, 1):
            identity = to_id(row.get(name))
            if not identity:
                self.refused.append(RefusedRow(position, len(row), "no id"))
            elif identity in self:
                self.repeated += 1
            else:
                self[identity] = row
        check_refused(self.refused, len(rows))


def objects_in(row: JsonObject, name: str) -> list[JsonObject] | None:
    """Return a list of objects in a row, ``None`` where the row lacks it."""
    objects = row.get(name)
    if objects is None:
        return None
    if not isinstance(objects, list) or not all(isinstance(item, dict) for item in objects):
        raise InvalidAnswer(f"{name} is not a list of objects")
    return objects


def records_of(rows: Iterable[JsonObject]) -> Iterator[dict[str, Any]]:
    """Yield the records of a statistic with their user, date and hour, under short keys.

    Every ``aggregation`` and ``group`` is accepted: users may hold buckets, buckets may hold users,
    and a row without either is a record itself.
    """
    for row in rows:
        records = objects_in(row, "statistics")
        outer = {name: value for name, value in row.items() if name != "statistics"}
        for record in [{}] if records is None else records:
            yield {_SHORT.get(name, name): value for name, value in {**outer, **record}.items()}


def merge_objects(value: object) -> dict[str, Any]:
    """Return an object that may come as a list of objects with one key each."""
    merged: dict[str, Any] = {}
    for part in value if isinstance(value, list) else [] if value is None else [value]:
        if not isinstance(part, dict):
            raise InvalidAnswer("expected an object or a list of objects")
        merged |= part
    return merged


def calls_of(value: object) -> Number | None:
    """Return a number of calls: plain, in ``{count, percent}``, or in a list of such objects."""
    if isinstance(value, list):
        return total(to_number(merge_objects(part).get("count")) for part in value)
    return to_number(value.get("count")) if isinstance(value, dict) else _optional_number(value)


def seconds_of(record: JsonObject, name: str) -> Number | None:
    """Return the seconds of a statistic: its own sum, else the total (the same key with a T)."""
    statistic = record.get(name)
    if isinstance(statistic, dict):
        return _optional_number(statistic.get("sum"))
    return _optional_number(record.get({"SA": "TST"}.get(name, f"T{name}")))


def samples_of(record: JsonObject, name: str) -> Number | None:
    """Return how many times a statistic was measured."""
    statistic = record.get(name)
    return _optional_number(statistic.get("count")) if isinstance(statistic, dict) else None


def sum_known(values: Iterable[Number | None]) -> Number | None:
    """Return the sum of the values that are known, ``None`` where none is."""
    known = [value for value in values if value is not None]
    return total(known) if known else None


def utc_time(cell: Cell) -> Number:
    """Parse ``YYYY-MM-DD HH:MM:SS`` in UTC as epoch seconds."""
    if not isinstance(cell, str):
        raise ValueError("not a date and time")
    time = datetime.fromisoformat(cell.strip())
    if time.tzinfo is not None:
        raise ValueError("unexpected time zone")
    return epoch_seconds(time.replace(tzinfo=UTC).timestamp())


def _optional_number(value: object) -> Number | None:
    return None if value is None else to_number(value)
