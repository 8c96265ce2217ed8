"""Parameters of a request, paging, dates and errors of the Management API.

A method's name stands in the path or in ``cmd``, its parameters in the query, in a urlencoded or in
a multipart body: every one of the vendor's clients has its own way, and all work.
"""

import re
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from email import policy
from email.parser import BytesParser
from typing import Any
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

ALL = "all"
_DEFAULT_COUNT, _MAX_COUNT = 20, 1000

# The vendor's texts, from the error list of its clients.
_TEXTS = {
    1: "Fatal error",
    2: "Internal error",
    4: "DB error",
    19: "ACD failed",
    100: "Authorization failed",
    101: "Invalid arguments",
    102: "Missing 'cmd' parameter",
    103: "Unknown command",
    104: "Forbidden command",
    111: "Invalid date format",
    116: "The 'application_id' parameter is invalid",
    117: "The 'user_id' parameter is invalid",
    123: "Invalid date range",
    131: "The account is not activated",
    134: "Required parameter is empty",
    162: "try later..",
    218: "The 'acd_queue_id' parameter is invalid",
    227: "The 'acd_status' parameter is invalid",
    228: "The 'aggregation' parameter is invalid",
    229: "The 'report' parameter is invalid",
    251: "Call service error",
    254: "The 'group' parameter is invalid",
    255: "The 'list_id' parameter is invalid",
    314: "Concurrent resource limit exceeded",
    340: "Rate limit exceed",
    416: "Repeat after N seconds",
    428: "Invalid status. Possible values are 'in progress', 'canceled' and 'completed'",
    433: "Invalid key id.",
    447: "Invalid token format.",
    454: "The token TTL exceeds the maximum limit.",
    455: "Token issued in the future.",
    456: "The token has expired.",
    458: "Specify only one of the following parameters: {}",
    459: "Unknown report type.",
    484: "HTTP request is rejected due to probable automatic request resend. Try again later.",
    485: "Specify the '{}' parameter.",
    492: "The '{}' parameter is forbidden.",
    496: "The '{}' parameter is invalid.",
    497: "{} should be in range of {}..{}",
    515: "The same operation has been performed recently. Please",
    525: "Grouping by user can be specified for {} reports only.",
    526: "Grouping by queue can be specified for {} reports only.",
    527: "Please make a request outside VPN.",
    569: "Date range should be within {} days.",
}
RATE_LIMIT = 340
AUTH_CODES = frozenset({100, 135, 137, 433, 447, 454, 455, 456})
_OWN_CODES = {
    "application_id": 116,
    "application_name": 116,
    "user_id": 117,
    "acd_queue_id": 218,
    "acd_status": 227,
    "aggregation": 228,
    "report": 229,
    "group": 254,
    "list_id": 255,
    "status": 428,
    "report_type": 459,
}
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)
_FORMAT = "%Y-%m-%d %H:%M:%S"


class RefusalError(Exception):
    """An error answer; ``code`` is the vendor's number."""

    def __init__(self, code: int, *arguments: object, text: str | None = None) -> None:
        self.code = code
        known = _TEXTS.get(code, f"Error {code}")
        self.text = text or (known.format(*arguments) if arguments else known)
        super().__init__(f"{code}: {self.text}")

    def body(self) -> dict[str, Any]:
        """Return the JSON of the answer."""
        return {"error": {"code": self.code, "msg": self.text}}


def invalid(name: str) -> RefusalError:
    """Return the error for a parameter's value; some parameters have a code of their own."""
    return RefusalError(_OWN_CODES.get(name, 496), name)


def read_body(media_type: str, body: bytes) -> list[tuple[str, str]]:
    """Return the parameters of a form or multipart body; others are ignored."""
    kind = media_type.partition(";")[0].strip().lower()
    try:
        if kind == "application/x-www-form-urlencoded":
            return parse_qsl(body.decode(), keep_blank_values=True)
        if kind == "multipart/form-data":
            return list(_parts(media_type, body))
    except UnicodeDecodeError:
        raise RefusalError(101) from None
    return []


def _parts(media_type: str, body: bytes) -> Iterable[tuple[str, str]]:
    head = f"Content-Type: {media_type}\r\n\r\n".encode()
    message = BytesParser(policy=policy.HTTP).parsebytes(head + body)
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        payload = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(payload, bytes):
            yield name, payload.decode()


def merge(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return parameters by name; refuse a parameter with two values."""
    merged: dict[str, str] = {}
    for name, value in pairs:
        if merged.setdefault(name, value) != value:
            raise RefusalError(101)
    return merged


class Parameters:
    """The parameters of one call. A bad value raises ``RefusalError``."""

    def __init__(self, values: dict[str, str]) -> None:
        self.values = values

    def text(self, name: str) -> str | None:
        """Return a parameter as text."""
        return self.values.get(name)

    def flag(self, name: str, *, default: bool = False) -> bool | None:
        """Return a boolean: the vendor's clients send True as well as true."""
        value = self.values.get(name)
        if value is None:
            return default
        if value.lower() not in ("true", "false"):
            raise invalid(name)
        return value.lower() == "true"

    def given_flag(self, name: str) -> bool | None:
        """Return a boolean, None if the parameter is absent."""
        return self.flag(name) if name in self.values else None

    def number(self, name: str) -> int | None:
        """Return a number."""
        value = self.values.get(name)
        return None if value is None else _number(name, value)

    def known(self, name: str, known: Collection[int]) -> int | None:
        """Return a number that has to be one of ``known``."""
        value = self.number(name)
        if value is not None and value not in known:
            raise invalid(name)
        return value

    def ranged(self, name: str, default: int, low: int, high: int) -> int:
        """Return a number that has to be in a range."""
        value = self.number(name)
        if value is None:
            return default
        if not low <= value <= high:
            raise RefusalError(497, name, low, high)
        return value

    def words(self, name: str, known: Collection[str] | None = None) -> list[str] | None:
        """Return a list of words that have to be among ``known``."""
        value = self.values.get(name)
        if value is None:
            return None
        words = value.split(";")
        if known is not None and not set(words) <= set(known):
            raise invalid(name)
        return words

    def choice(self, name: str, known: Collection[str], default: str) -> str:
        """Return a word that has to be one of ``known``."""
        value = self.values.get(name, default)
        if value not in known:
            raise invalid(name)
        return value

    def ids(
        self, name: str, known: Collection[int] | None = None, *, allow_all: bool = True
    ) -> list[int] | None:
        """Return a list of numbers that have to be among ``known``, None for all."""
        value = self.values.get(name)
        if value is None or (allow_all and value == ALL):
            return None
        numbers = [_number(name, part) for part in value.split(";")]
        if known is not None and not set(numbers) <= set(known):
            raise invalid(name)
        return numbers

    def instant(self, name: str, zone: ZoneInfo | None = None) -> float | None:
        """Return a date without offset, in UTC or in ``zone``, as epoch seconds."""
        value = self.values.get(name)
        if value is None:
            return None
        if _INSTANT.fullmatch(value) is None:
            raise RefusalError(111)
        try:
            wall = datetime.strptime(value, _FORMAT).replace(tzinfo=zone or UTC)
        except ValueError:
            raise RefusalError(111) from None
        return wall.timestamp()

    def only_one(self, *names: str) -> None:
        """Refuse more than one of these parameters."""
        if sum(name in self.values for name in names) > 1:
            raise RefusalError(458, ", ".join(names))

    def page(self, rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], int]:
        """Return the requested page of rows and the number of all rows."""
        count = self.ranged("count", _DEFAULT_COUNT, 0, _MAX_COUNT)
        offset = self.ranged("offset", 0, 0, 2**31)
        return rows[offset : offset + count], len(rows)


def _number(name: str, text: str) -> int:
    """Return a number, or refuse it with the text of Java's number parser."""
    if re.fullmatch(r"-?\d{1,18}", text, re.ASCII) is None:
        code = _OWN_CODES.get(name, 496)
        raise RefusalError(code, text=f'For input string: "{text}"')
    return int(text)


def page_of(rows: list[dict[str, Any]], parameters: Parameters) -> dict[str, Any]:
    """Return an answer with a page of rows and their total."""
    page, total = parameters.page(rows)
    return {"result": page, "count": len(page), "total_count": total}


def written(instant: float, zone: ZoneInfo | None = None) -> str:
    """Return an instant in the platform's format, without offset."""
    return datetime.fromtimestamp(instant, zone or UTC).strftime(_FORMAT)
