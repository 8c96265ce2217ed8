"""SOAP of the simulator: parses requests strictly, writes answers and faults.

Shapes, order and enumerations are those of the Statistics Web Services API Reference Guide, 2015,
and of the service description (WSDL) that the platform serves.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape as escape_attribute
from itertools import pairwise
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

from lxml import etree

NAMESPACE = "http://service.supervisor.ws.five9.com/"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"

STATISTIC_TYPES = (
    "AgentState",
    "AgentStatistics",
    "ACDStatus",
    "CampaignState",
    "OutboundCampaignManager",
    "OutboundCampaignStatistics",
    "InboundCampaignStatistics",
    "AutodialCampaignStatistics",
)
ROLLING_PERIODS: Mapping[str, int | None] = {
    "Minutes5": 300,
    "Minutes10": 600,
    "Minutes15": 900,
    "Minutes30": 1800,
    "Hour1": 3600,
    "Hours2": 7200,
    "Hours3": 10800,
    "Today": None,
}
STATISTICS_RANGES = (
    "RollingHour",
    "CurrentDay",
    "CurrentWeek",
    "CurrentMonth",
    "Lifetime",
    "CurrentShift",
)

_HOUR = 3_600_000
_LONG = 2**63

Cell = str | None


class FaultError(Exception):
    """A SOAP fault.

    ``name`` is the local name of the element in ``detail`` without "Fault"; None if the message
    could not be parsed, for which SOAP 1.1 has no detail and a code of its own.
    """

    def __init__(self, name: str | None, message: str, **fields: str | int) -> None:
        super().__init__(message)
        self.name = name
        self.message = message
        self.fields = fields


class Call(NamedTuple):
    """An operation and its arguments."""

    operation: str
    arguments: dict[str, Any]


class _Argument(NamedTuple):
    name: str
    read: "Callable[[etree._Element], Any]"
    required: bool = False


def _incorrect(element: etree._Element, why: str) -> FaultError:
    return FaultError("IncorrectArgument", f'"{etree.QName(element).localname}": {why}')


def _text(element: etree._Element) -> str:
    if len(element):
        raise _incorrect(element, "text expected")
    return element.text or ""


def _boolean(element: etree._Element) -> bool:
    words = {"true": True, "1": True, "false": False, "0": False}
    word = _text(element).strip()
    if word not in words:
        raise _incorrect(element, f"{word!r} is not a boolean")
    return words[word]


def _whole(low: int, high: int) -> Callable[[etree._Element], int]:
    def read(element: etree._Element) -> int:
        word = _text(element).strip()
        if not (word.isascii() and word.removeprefix("-").isdigit()):
            raise _incorrect(element, f"{word!r} is not a number")
        if not low <= int(word) <= high:
            raise _incorrect(element, f"{int(word):,} is out of range")
        return int(word)

    return read


def _one_of(words: Iterable[str]) -> Callable[[etree._Element], str]:
    allowed = frozenset(words)

    def read(element: etree._Element) -> str:
        word = _text(element)
        if word not in allowed:
            raise _incorrect(element, f"{word!r} is not one of the values")
        return word

    return read


def _row(element: etree._Element) -> list[str]:
    """Read a row: one values element with data elements."""
    names: list[str] = _children(element, (_Argument("values", _data),)).get("values", [])
    return names


def _data(element: etree._Element) -> list[str]:
    for child in element:
        if child.tag != "data":
            raise _incorrect(element, f"unexpected element {child.tag!s}")
    return [_text(child) for child in element]


def _view_settings(element: etree._Element) -> dict[str, Any]:
    return _children(element, _VIEW_ARGUMENTS)


def _children(element: etree._Element, arguments: Sequence[_Argument]) -> dict[str, Any]:
    """Read an xs:sequence without unknown, repeated, misplaced or missing children."""
    order = {argument.name: position for position, argument in enumerate(arguments)}
    children = {child: str(child.tag) for child in element if isinstance(child.tag, str)}
    for name in children.values():
        if name not in order:
            raise _incorrect(element, f"unexpected element {name}")
    if (element.text or "").strip() or any((child.tail or "").strip() for child in children):
        raise _incorrect(element, "unexpected text")
    positions = [order[name] for name in children.values()]
    if len(set(positions)) != len(positions):
        raise _incorrect(element, "an element occurs twice")
    if any(before > after for before, after in pairwise(positions)):
        raise _incorrect(element, "elements out of order")
    for argument in arguments:
        if argument.required and order[argument.name] not in positions:
            raise FaultError("MissedArgument", f'"{argument.name}" is required')
    return {name: arguments[order[name]].read(child) for child, name in children.items()}


_VIEW_ARGUMENTS = (
    _Argument("appType", _text),
    _Argument("forceLogoutSession", _boolean),
    _Argument("idleTimeOut", _whole(60, 1800)),
    _Argument("rollingPeriod", _one_of(ROLLING_PERIODS)),
    _Argument("shiftStart", _whole(0, 24 * _HOUR - 1), required=True),
    _Argument("statisticsRange", _one_of(STATISTICS_RANGES)),
    _Argument("timeZone", _whole(-12 * _HOUR, 14 * _HOUR), required=True),
)
VIEW_SETTINGS = tuple(argument.name for argument in _VIEW_ARGUMENTS)
_TYPE = _Argument("statisticType", _one_of(STATISTIC_TYPES), required=True)

OPERATIONS: Mapping[str, tuple[_Argument, ...]] = {
    "setSessionParameters": (_Argument("viewSettings", _view_settings, required=True),),
    "getSessionParameters": (),
    "getColumnNames": (_TYPE,),
    "getStatistics": (_TYPE, _Argument("columnNames", _row)),
    "getStatisticsUpdate": (
        _TYPE,
        _Argument("previousTimestamp", _whole(-_LONG, _LONG - 1), required=True),
        _Argument("longPollingTimeout", _whole(0, _LONG - 1), required=True),
    ),
    "closeSession": (),
    "getCallCountersState": (),
    "getUserLimits": (),
    "getMyPermissions": (),
    "getDispositionsNames": (),
    "getApiVersions": (),
}


def wrapper(body: bytes) -> etree._Element:
    """Return the only element in the body of a SOAP 1.1 envelope. Raises a fault."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    try:
        envelope = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        raise FaultError(None, f"the message could not be read: {error}") from None
    if b"<!DOCTYPE" in body:
        raise FaultError(None, "a document type is not allowed in SOAP")
    if envelope.tag != f"{{{SOAP}}}Envelope":
        raise FaultError(None, f"not a SOAP 1.1 envelope: {envelope.tag!s}")
    soap_body = envelope.find(f"{{{SOAP}}}Body")
    elements = [] if soap_body is None else [e for e in soap_body if isinstance(e.tag, str)]
    if len(elements) != 1:
        raise FaultError(None, "one element is expected in the body")
    return elements[0]


def operation_of(element: etree._Element) -> str:
    """Return the name of an operation. Raises a fault if it is unknown."""
    name = etree.QName(element)
    if name.namespace != NAMESPACE or name.localname not in OPERATIONS:
        raise FaultError(None, f"message part {element.tag!s} was not recognized")
    return name.localname


def read(element: etree._Element) -> Call:
    """Parse an operation with its arguments. Raises a fault."""
    operation = operation_of(element)
    return Call(operation, _children(element, OPERATIONS[operation]))


class Writer(NamedTuple):
    """Writes answers in the format of its fields."""

    prefix: str = "env"
    nil_style: str = "empty"  # or "nil"
    empty_containers: bool = False

    def envelope(self, inner: str) -> bytes:
        """Write an envelope around the content of a body."""
        soap = self.prefix
        return (
            f'<{soap}:Envelope xmlns:{soap}="{SOAP}"'
            ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
            f"<{soap}:Header/><{soap}:Body>{inner}</{soap}:Body></{soap}:Envelope>"
        ).encode()

    def answer(self, operation: str, returns: Iterable[str]) -> bytes:
        """Write an answer with one return element per content."""
        inner = "".join(f"<return>{content}</return>" for content in returns)
        name = f"ns2:{operation}Response"
        return self.envelope(f'<{name} xmlns:ns2="{NAMESPACE}">{inner}</{name}>')

    def fault(self, error: FaultError) -> bytes:
        """Write a fault, with a typed detail where the service has a type for it."""
        code, detail = f"{self.prefix}:Client", ""
        if error.name is not None:
            # The fields of a fault are a sequence in alphabetical order.
            fields = dict(sorted({**error.fields, "message": error.message}.items()))
            name = f"ns2:{error.name}Fault"
            inner = elements(fields)
            detail = f'<detail><{name} xmlns:ns2="{NAMESPACE}">{inner}</{name}></detail>'
            code = f"{self.prefix}:Server"
        return self.envelope(
            f"<{self.prefix}:Fault><faultcode>{code}</faultcode>"
            f"<faultstring>{escape(error.message)}</faultstring>{detail}</{self.prefix}:Fault>"
        )

    def values(self, cells: Sequence[Cell]) -> str:
        """Write a row's content; cells are joined first because escaping each is slow."""
        if not cells:
            return "<values/>"
        text = escape("\0".join([cell or "" for cell in cells]))
        data = "<data>" + text.replace("\0", "</data><data>") + "</data>"
        return f"<values>{data.replace('<data></data>', self.none('data'))}</values>"

    def none(self, tag: str) -> str:
        """Write an element without a value."""
        return f'<{tag} xsi:nil="true"/>' if self.nil_style == "nil" else f"<{tag}/>"

    def container(self, tag: str, names: Sequence[str]) -> str:
        """Write added or deleted objects; some servers also send an empty list."""
        if names or self.empty_containers:
            return f"<{tag}>{self.values(names)}</{tag}>"
        return ""

    def updates(self, changes: Iterable[tuple[str, str, Cell]]) -> str:
        """Write one dataUpdate per changed cell: object, column, value."""
        none = self.none("columnValue")
        written = []
        for name, column, value in changes:
            cell = f"<columnValue>{escape(value)}</columnValue>" if value else none
            written.append(
                f"<dataUpdate><columnName>{escape(column)}</columnName>{cell}"
                f"<objectName>{escape(name)}</objectName></dataUpdate>"
            )
        return "".join(written)


def elements(fields: Mapping[str, str | int | bool]) -> str:
    """Write simple elements, booleans as XML Schema spells them."""
    return "".join(
        f"<{tag}>{escape(str(value).lower() if isinstance(value, bool) else str(value))}</{tag}>"
        for tag, value in fields.items()
    )


def description(wsdl: str, address: str) -> bytes:
    """Return the service description with the address of the service."""
    placeholder = 'location="https://five9.invalid/"'
    return wsdl.replace(placeholder, f'location="{escape_attribute(address)}"').encode()
