"""Reading what Five9 answers: SOAP bodies → plain values, streamed and without entities.

Elements are known by namespace and local name, never by prefix, which has differed between
versions of the service. All values are texts; an empty or nil element is ``None``.
"""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from lxml import etree

from exporter.errors import InvalidAnswer

_SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"
# What is read of an answer; libxml2 passes over the rest much faster than we do. The envelope is
# among them because it is the last to end.
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
_START_OF_DOCUMENT = 4096  # bytes in which a document type declaration must stand


@dataclass(slots=True)
class Statistics:
    """A whole table: ``getStatistics``. ``timestamp`` is epoch milliseconds by Five9's clock."""

    columns: list[str] | None = None
    rows: list[list[str | None]] = field(default_factory=list)
    timestamp: int = 0
    type: str | None = None


@dataclass(slots=True)
class Update:
    """What changed since the last answer: ``getStatisticsUpdate``; cells are (object, column)."""

    added: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    changes: list[tuple[str, str, str | None]] = field(default_factory=list)
    timestamp: int = 0
    type: str | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """A SOAP fault: the local name of its detail element, and what it says."""

    name: str
    message: str
    operation_type: str | None = None


def read_fault(body: bytes) -> Fault | None:
    """Return the fault in an answer, or ``None`` if it is none (or is not XML)."""
    try:
        elements = list(_elements(body))
    except InvalidAnswer:
        return None
    fault = next((each for each in elements if each.tag == f"{_SOAP}Fault"), None)
    if fault is None:
        return None
    message = _child_text(fault, "faultstring") or ""
    details = [each for each in fault if _local(each) == "detail"]
    detail = next((each for parent in details for each in parent), None)
    if detail is None:
        return Fault("", message)
    return Fault(_local(detail), message, _child_text(detail, "operationType"))


def read_statistics(body: bytes) -> Statistics:
    """Read a ``getStatistics`` answer. Raises ``InvalidAnswer``."""
    found = Statistics()
    seen = False
    for element in _elements(body, _STATISTICS, clear="rows"):
        name = _local(element)
        if name == "rows":
            found.rows.append(_values(element))
        elif name == "columns":
            found.columns = [text or "" for text in _values(element)]
        elif name == "timestamp":
            found.timestamp = _integer(element)
        elif name == "type":
            found.type = element.text
        seen = seen or name == "getStatisticsResponse"
    if not seen:
        raise InvalidAnswer("not an answer to getStatistics")
    return found


def read_update(body: bytes) -> Update | None:
    """Read a ``getStatisticsUpdate`` answer; ``None`` where nothing changed.

    Raises ``InvalidAnswer``.
    """
    found = Update()
    seen = changed = False
    for element in _elements(body, _UPDATE, clear="dataUpdate"):
        name = _local(element)
        if name == "dataUpdate":
            key = _child_text(element, "objectName")
            column = _child_text(element, "columnName")
            if key and column:
                found.changes.append((key, column, _child_text(element, "columnValue")))
        elif name == "addedObjects":
            found.added += [text for text in _values(element) if text]
        elif name == "deletedObjects":
            found.deleted += [text for text in _values(element) if text]
        elif name == "lastTimestamp":
            found.timestamp = _integer(element)
        elif name == "type":
            found.type = element.text
        changed = changed or name == "return"
        seen = seen or name == "getStatisticsUpdateResponse"
    if not seen:
        raise InvalidAnswer("not an answer to getStatisticsUpdate")
    return found if changed else None


def _elements(
    body: bytes, names: Sequence[str] = (), *, clear: str = ""
) -> Iterator[etree._Element]:
    """Yield elements as they end, those of ``names`` or all; ``clear`` is emptied after use."""
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
            if clear and _local(element) == clear:
                element.clear()
    except etree.XMLSyntaxError as error:
        raise InvalidAnswer(f"not well-formed XML at line {error.lineno}") from error


def _local(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _values(row: etree._Element) -> list[str | None]:
    """Return the data of a row: one ``values`` element with many ``data``."""
    return [data.text for values in row for data in values]


def _child_text(parent: etree._Element, name: str) -> str | None:
    return next((child.text for child in parent if _local(child) == name), None)


def _integer(element: etree._Element) -> int:
    try:
        return int(element.text or "")
    except ValueError as error:
        raise InvalidAnswer(f"{_local(element)} is not an integer") from error


def check(body: bytes) -> None:
    """Raise ``InvalidAnswer`` unless the body is whole: zeep would read half an answer as well."""
    for _ in _elements(body):
        pass
