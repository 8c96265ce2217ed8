"""Parser of SOAP responses: streams bodies into plain values, without entities.

Elements are matched by namespace and local name, never by prefix, which differs between versions
of the service. All values are strings; an empty or nil element is ``None``.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from lxml import etree

from exporter.collector.bounds import Bounds, markup
from exporter.collector.repair import ANY, Repaired, Unreadable, plain, repair_xml
from exporter.errors import InvalidAnswer

T = TypeVar("T")
_FAULT = "{http://schemas.xmlsoap.org/soap/envelope/}Fault"
# Elements to read; libxml2 skips the others much faster than Python. The envelope is listed because
# it ends last.
_STATISTICS = ("Envelope", "Fault", "getStatisticsResponse", "columns", "rows", "timestamp", "type")
_UPDATE = (
    "Envelope",
    "Fault",
    "getStatisticsUpdateResponse",
    "return",
    "dataUpdate",
    "addedObjects",
    "deletedObjects",
    "lastTimestamp",
    "type",
)
NESTED = "(element)"  # a cell that holds elements: neither a number nor a name
_PIECE = 16_384  # bytes parsed at a time
# Bytes of the bound for each tag or attribute in memory at a time: libxml2 takes up to 256 for it.
_BYTES_FOR_EACH = 170
_BYTES_FOR_A_ROW = 64  # of the bound, on average
# What may come before the root element; a document type declaration only there.
_PROLOG = re.compile(
    rb"(?:\xef\xbb\xbf)?(?:\s++|<\?(?:[^?]++|\?(?!>))*+\?>|<!--(?:[^-]++|-(?!->))*+-->)*+"
)


@dataclass(slots=True)
class Statistics:
    """Response to ``getStatistics``: a whole table. ``timestamp`` is epoch ms of Five9's clock.

    ``replaced`` counts the characters of the response that XML forbids. Where there are any, each
    is a character of its own in ``rows``, as ``repair_xml`` writes them with ``distinct``.
    """

    columns: list[str] | None = None
    rows: list[list[str | None]] = field(default_factory=list)
    timestamp: int = 0
    type: str | None = None
    replaced: int = 0


@dataclass(slots=True)
class StatisticsUpdate:
    """Response to ``getStatisticsUpdate``: changes since a timestamp.

    ``changes`` are (object, column, value); ``incomplete`` are (object, column) of those that lack
    one of them or both. ``timestamp`` is epoch ms of Five9's clock.
    """

    added: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    changes: list[tuple[str, str, str | None]] = field(default_factory=list)
    incomplete: list[tuple[str | None, str | None]] = field(default_factory=list)
    timestamp: int = 0
    type: str | None = None
    replaced: int = 0


@dataclass(frozen=True, slots=True)
class Fault:
    """SOAP fault: the local name of its detail element, and its text."""

    name: str
    message: str


def read_repaired(
    parse: Callable[[bytes, Bounds], T],
    body: bytes,
    bounds: Bounds = ANY,
    *,
    distinct: bool = False,
) -> tuple[T, Repaired]:
    """Return what ``parse`` makes of a body in UTF-8, and the body without what XML forbids.

    It is repaired only where it is not well-formed. Raises ``InvalidAnswer``.
    """
    try:
        return parse(body, bounds), Repaired(body, 0)
    except Unreadable:
        repair = repair_xml(body, distinct=distinct, bounds=bounds)
    try:
        return parse(repair.body, bounds), repair.result
    except Unreadable as error:
        offset = repair.original_offset(error.offset)
        raise Unreadable(body, offset, error.what, error.fault) from error


def read_fault(body: bytes, bounds: Bounds = ANY) -> Fault | None:
    """Return the fault in a response, ``None`` where there is none or the body is not XML."""
    try:
        return read_repaired(check, body, bounds)[0]
    except InvalidAnswer:
        return None


def check(body: bytes, bounds: Bounds = ANY) -> Fault | None:
    """Return the fault in a response, ``None`` where there is none.

    Raises ``InvalidAnswer`` unless the body is complete; zeep accepts a truncated one.
    """
    fault = None
    for element in _elements(body, ("Envelope", "Fault"), bounds):
        if element.tag == _FAULT:
            fault = fault or _fault(element)
    return fault


def _fault(element: etree._Element) -> Fault:
    message = plain(_child_text(element, "faultstring") or "")
    details = (child for part in element if local_name(part) == "detail" for child in part)
    detail = next(details, None)
    return Fault("" if detail is None else local_name(detail), message)


def read_statistics(body: bytes, bounds: Bounds = ANY) -> Statistics | Fault:
    """Read a response to ``getStatistics``. Raises ``InvalidAnswer``."""
    statistics = Statistics()
    complete = False
    fault = None
    for element in _elements(body, _STATISTICS, bounds, clear=("rows",)):
        name = local_name(element)
        if name == "rows":
            statistics.rows.append(_values(element))
        elif name == "columns":
            statistics.columns = [text or "" for text in _values(element)]
        elif name == "timestamp":
            statistics.timestamp = _integer(element)
        elif name == "type":
            statistics.type = element.text
        elif element.tag == _FAULT:
            fault = fault or _fault(element)
        complete = complete or name == "getStatisticsResponse"
    if fault is None and not complete:
        raise InvalidAnswer("not an answer to getStatistics")
    return fault or statistics


def read_update(body: bytes, bounds: Bounds = ANY) -> StatisticsUpdate | Fault | None:
    """Read a response to ``getStatisticsUpdate``; ``None`` where nothing changed.

    Raises ``InvalidAnswer``.
    """
    update = StatisticsUpdate()
    complete = changed = False
    fault = None
    for element in _elements(
        body, _UPDATE, bounds, clear=("dataUpdate", "addedObjects", "deletedObjects")
    ):
        name = local_name(element)
        if name == "dataUpdate":
            _add_change(element, update)
        elif name == "addedObjects":
            update.added += [text for text in _values(element) if text]
        elif name == "deletedObjects":
            update.deleted += [text for text in _values(element) if text]
        elif name == "lastTimestamp":
            update.timestamp = _integer(element)
        elif name == "type":
            update.type = element.text
        elif element.tag == _FAULT:
            fault = fault or _fault(element)
        changed = changed or name == "return"
        complete = complete or name == "getStatisticsUpdateResponse"
    if fault is None and not complete:
        raise InvalidAnswer("not an answer to getStatisticsUpdate")
    return fault or (update if changed else None)


def _add_change(element: etree._Element, update: StatisticsUpdate) -> None:
    key = _child_text(element, "objectName")
    column = _child_text(element, "columnName")
    if key and column:
        value = next((child for child in element if local_name(child) == "columnValue"), None)
        update.changes.append((key, column, None if value is None else _cell(value)))
    elif len(element):  # an empty container says nothing
        update.incomplete.append((key or None, column or None))


def _elements(
    body: bytes, names: Sequence[str], bounds: Bounds, *, clear: Sequence[str] = ()
) -> Iterator[etree._Element]:
    """Yield the elements of these names as they end; free each ``clear`` after its use.

    With a ``clear`` all is freed that comes before it in the element that holds it. Raises
    ``InvalidAnswer``, where too many elements are in memory too.
    """
    prolog = _PROLOG.match(body)
    if prolog and body.startswith(b"<!DOCTYPE", prolog.end()):
        raise InvalidAnswer("the answer has a document type declaration")
    parser = etree.XMLPullParser(
        ("end",),
        tag=[f"{{*}}{name}" for name in names],
        encoding="utf-8",  # whatever the body declares: its tags were counted in it
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    most = bounds.size // _BYTES_FOR_EACH
    kept = 0  # tags and attributes in memory, at most
    cleared = 0
    parent = None
    try:
        for at in range(0, len(body) + _PIECE, _PIECE):
            piece = body[at : at + _PIECE]
            added = markup(piece)
            kept += added
            if kept > most or cleared > bounds.size // _BYTES_FOR_A_ROW:
                raise bounds.too_many()
            if piece:
                parser.feed(piece)
            else:
                parser.close()
            for _, element in parser.read_events():
                yield element
                if not clear or local_name(element) not in clear:
                    continue
                cleared += 1
                element.clear()
                holder = element.getparent()
                parent = holder if parent is None else parent
                if holder is parent and holder is not None:
                    while (before := element.getprevious()) is not None:
                        holder.remove(before)
                    kept = added
    except etree.XMLSyntaxError as error:
        fault = _FAULTS.get(error.code, "unknown fault")
        offset = _offset_of(body, error)
        raise Unreadable(body, offset, "not well-formed XML", fault) from error


_FAULTS = {
    number: name.removeprefix("ERR_").replace("_", " ").lower()
    for name, number in vars(etree.ErrorTypes).items()
    if name.startswith("ERR_")
}


def _offset_of(body: bytes, error: etree.XMLSyntaxError) -> int:
    """Return the place of an error in bytes; libxml2 counts lines, and characters in a line."""
    at = 0
    for _ in range((error.lineno or 1) - 1):
        at = body.find(b"\n", at) + 1
    characters = max(error.offset or 0, 0)
    line = body[at : at + 4 * characters].decode(errors="replace")
    return min(at + len(line[:characters].encode()), len(body))


def local_name(element: etree._Element) -> str:
    """Return an element's name without its namespace."""
    return str(element.tag).rpartition("}")[2]


def _values(row: etree._Element) -> list[str | None]:
    """Return the data of a row, which is one ``values`` element with many ``data``."""
    return [_cell(data) for values in row for data in values]


def _cell(element: etree._Element) -> str | None:
    return NESTED if len(element) else element.text


def _child_text(parent: etree._Element, name: str) -> str | None:
    return next((child.text for child in parent if local_name(child) == name), None)


def _integer(element: etree._Element) -> int:
    """Return an integer of 64 bits, as XML's type ``long`` has."""
    try:
        value = int(element.text or "")
    except ValueError as error:
        raise InvalidAnswer(f"{local_name(element)} is not an integer") from error
    if not -(2**63) <= value < 2**63:
        raise InvalidAnswer(f"{local_name(element)} is too large")
    return value
