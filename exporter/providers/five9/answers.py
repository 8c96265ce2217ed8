"""Parser of SOAP responses: streams bodies into plain values, without entities.

Elements are matched by namespace and local name, never by prefix, which differs between versions
of the service. All values are strings; an empty or nil element is ``None``.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from lxml import etree

from exporter.collector.repair import Repaired, Unreadable, repair_xml
from exporter.errors import InvalidAnswer

T = TypeVar("T")
_SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"
# Elements to read; libxml2 skips the others much faster than Python. The envelope is listed because
# it ends last.
_STATISTICS = ("Envelope", "getStatisticsResponse", "columns", "rows", "timestamp", "type")
_UPDATE = (
    "Envelope",
    "getStatisticsUpdateResponse",
    "return",
    "dataUpdate",
    "addedObjects",
    "deletedObjects",
    "lastTimestamp",
    "type",
)
NESTED = "(element)"  # a cell that holds elements: neither a number nor a name
_START_OF_DOCUMENT = 4096  # bytes; a document type declaration can only be in these


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
    parse: Callable[[bytes], T], body: bytes, *, distinct: bool = False
) -> tuple[T, Repaired]:
    """Return what ``parse`` makes of a body, and the body without what XML forbids.

    It is repaired only where it is not well-formed. Raises ``InvalidAnswer``.
    """
    try:
        return parse(body), Repaired(body, 0)
    except Unreadable:
        repair = repair_xml(body, distinct=distinct)
    try:
        return parse(repair.body), repair.result
    except Unreadable as error:
        offset = repair.original_offset(error.offset)
        raise Unreadable(body, offset, error.what, error.fault) from error


def read_fault(body: bytes) -> Fault | None:
    """Return the fault in a response, ``None`` where there is none or the body is not XML."""
    try:
        elements, _ = read_repaired(lambda body: list(_elements(body)), body)
    except InvalidAnswer:
        return None
    fault = next((element for element in elements if element.tag == f"{_SOAP}Fault"), None)
    if fault is None:
        return None
    message = _child_text(fault, "faultstring") or ""
    details = (child for element in fault if local_name(element) == "detail" for child in element)
    detail = next(details, None)
    return Fault("" if detail is None else local_name(detail), message)


def read_statistics(body: bytes) -> Statistics:
    """Read a response to ``getStatistics``. Raises ``InvalidAnswer``."""
    statistics = Statistics()
    complete = False
    for element in _elements(body, _STATISTICS, clear="rows"):
        name = local_name(element)
        if name == "rows":
            statistics.rows.append(_values(element))
        elif name == "columns":
            statistics.columns = [text or "" for text in _values(element)]
        elif name == "timestamp":
            statistics.timestamp = _integer(element)
        elif name == "type":
            statistics.type = element.text
        complete = complete or name == "getStatisticsResponse"
    if not complete:
        raise InvalidAnswer("not an answer to getStatistics")
    return statistics


def read_update(body: bytes) -> StatisticsUpdate | None:
    """Read a response to ``getStatisticsUpdate``; ``None`` where nothing changed.

    Raises ``InvalidAnswer``.
    """
    update = StatisticsUpdate()
    complete = changed = False
    for element in _elements(body, _UPDATE, clear="dataUpdate"):
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
        changed = changed or name == "return"
        complete = complete or name == "getStatisticsUpdateResponse"
    if not complete:
        raise InvalidAnswer("not an answer to getStatisticsUpdate")
    return update if changed else None


def _add_change(element: etree._Element, update: StatisticsUpdate) -> None:
    key = _child_text(element, "objectName")
    column = _child_text(element, "columnName")
    if key and column:
        value = next((child for child in element if local_name(child) == "columnValue"), None)
        update.changes.append((key, column, None if value is None else _cell(value)))
    elif len(element):  # an empty container says nothing
        update.incomplete.append((key or None, column or None))


def _elements(
    body: bytes, names: Sequence[str] = (), *, clear: str = ""
) -> Iterator[etree._Element]:
    """Yield elements (those of ``names``, or all) as they end; empty a ``clear`` after use."""
    if b"<!DOCTYPE" in body[:_START_OF_DOCUMENT]:
        raise InvalidAnswer("the answer has a document type declaration")
    events = etree.iterparse(
        io.BytesIO(body),
        events=("end",),
        tag=[f"{{*}}{name}" for name in names] or None,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        for _, element in events:
            if element.getparent() is None and element.getroottree().docinfo.doctype:
                raise InvalidAnswer("the answer has a document type declaration")
            yield element
            if clear and local_name(element) == clear:
                element.clear()
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


def check(body: bytes) -> None:
    """Raise ``InvalidAnswer`` unless the body is complete; zeep accepts a truncated one."""
    for _ in _elements(body):
        pass
