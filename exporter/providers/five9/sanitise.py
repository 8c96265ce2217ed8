"""Sanitiser of SOAP envelopes: decides by column which cells a capture may keep."""

from collections.abc import Iterable, Sequence

from lxml import etree

from exporter.collector.repair import Repaired, xml_in_utf8
from exporter.collector.sanitise import Sanitiser, Value, charset_of, replacements, unreadable
from exporter.errors import InvalidAnswer
from exporter.metrics.tables import Spread, normalise
from exporter.providers.five9 import answers
from exporter.providers.five9.answers import local_name
from exporter.providers.five9.budget import CHANGES, FULL
from exporter.providers.five9.tables import STATISTICS, TABLES

_DISPOSITIONS = "getDispositionsNames"
_TYPE = "statisticType"
_TABLES = ("getStatistics", "getStatisticsUpdate", "getColumnNames")
# Elements whose texts are words of the service, or figures.
_KEPT = (
    *("statisticType", "type", "operationType", "faultcode", "timestamp", "lastTimestamp"),
    *("previousTimestamp", "longPollingTimeout", "timeout", "limit", "value", "rollingPeriod"),
    *("statisticsRange", "shiftStart", "timeZone", "idleTimeOut", "forceLogoutSession"),
    *("supervisorLimit", "supervisorsLoggedin", "mobileLimit", "mobileLoggedin"),
    *("version", "region", "long_poll", "idle_timeout", "time_zone", "shift_start"),
    *("statistics_range", "rolling_period"),
)


class Five9Sanitiser(Sanitiser):
    """See ``Sanitiser``."""

    segments = frozenset({"wssupervisor", "SupervisorWebService"})

    def __init__(self) -> None:
        super().__init__(
            TABLES,
            kept=_KEPT,
            words=(*STATISTICS, FULL, CHANGES, "account"),
        )
        self._dispositions: set[str] | None = None
        self._headers: dict[str, list[str]] = {}  # the last table of each statistic type
        self._type = ""

    def prepare(self, bodies: Iterable[tuple[str, bytes]]) -> None:
        """Collect the names of dispositions, which are columns but not words of the vendor."""
        for operation, content in bodies:
            root = _root(content) if operation == _DISPOSITIONS else None
            if root is not None:
                texts = (item.text for item in root.iter() if local_name(item) == "return")
                names = set(filter(None, texts))
                if names:
                    self._dispositions = (self._dispositions or set()) | names

    def exchange(
        self, operation: str, asked: tuple[str, bytes], answered: tuple[str, bytes]
    ) -> tuple[Value, Value]:
        """Store the requested statistic type; a response may have it after its cells."""
        root = _root(asked[1]) if operation in _TABLES else None
        elements = () if root is None else root.iter()
        types = (item.text for item in elements if local_name(item) == "statisticType")
        self._type = next(types, None) or ""
        return super().exchange(operation, asked, answered)

    def body(self, operation: str, kind: str, content: bytes) -> Value:
        """Return an envelope as XML, or what is wrong with a body that is not XML."""
        if not content:
            return None
        try:
            root, repaired = _parse(content, charset_of(kind))
        except InvalidAnswer as error:
            return unreadable(kind, content, error)
        self._envelope(root, operation)
        return {"xml": etree.tostring(root, encoding="unicode"), **replacements(repaired)}

    def _envelope(self, root: etree._Element, operation: str) -> None:
        for element in root.iter():
            name = local_name(element)
            text = element.text
            if not text or not text.strip() or len(element):
                element.tail = None
                continue
            element.text = self._leaf(element, name, text, operation)
            element.tail = None
            for attribute in element.attrib:
                element.attrib[attribute] = self.text(str(element.attrib[attribute]), "nil")

    def _leaf(self, element: etree._Element, name: str, text: str, operation: str) -> str:
        """Return the sanitised text of an element."""
        if operation == _DISPOSITIONS and name == "return":
            return text if normalise(text) in self._words else self.pseudonyms.text(text)
        if name == "data":
            return self._data(element, text, operation)
        if name in ("objectName", "columnName", "columnValue"):
            return self._change(element, name, text)
        if name in ("faultstring", "message"):
            return self.pseudonyms.text(text)
        return self.text(text, name)

    def _data(self, element: etree._Element, text: str, operation: str) -> str:
        """Return the sanitised header, cell, or name of an added or deleted object."""
        values = element.getparent()
        row = None if values is None else values.getparent()
        kind = "" if row is None else local_name(row)
        position = 0 if values is None else values.index(element)
        if kind == "columns" or operation == "getColumnNames":
            headers = self._headers.setdefault(self._type, []) if position else []
            self._headers[self._type] = [*headers[:position], text]
            return self._header(text)
        if kind == "rows":
            headers = self._headers.get(self._type, [])
            return self.text(text, headers[position] if position < len(headers) else "name")
        return self.pseudonyms.text(text)

    def _change(self, element: etree._Element, name: str, text: str) -> str:
        if name == "objectName":
            return self.pseudonyms.text(text)
        if name == "columnName":
            return self._header(text)
        parent = element.getparent()
        siblings: Sequence[etree._Element] = [] if parent is None else list(parent)
        header = next((item.text for item in siblings if local_name(item) == "columnName"), None)
        return self.text(text, header or "name")  # a replaced header is unknown

    def _header(self, header: str) -> str:
        """Keep a header of the vendor; replace a disposition, or what may be one."""
        if normalise(header) in self._words:
            return header
        if self._dispositions is None:
            table = STATISTICS.get(self._type)
            spreads = table is None or any(isinstance(item, Spread) for item in table.figures)
            return self.pseudonyms.text(header) if spreads else header
        return self.pseudonyms.text(header) if header in self._dispositions else header


def _parse(content: bytes, charset: str | None = None) -> tuple[etree._Element, Repaired]:
    """Parse an envelope without entities. Raises ``InvalidAnswer``."""
    text, _ = xml_in_utf8(content, charset)
    _, repaired = answers.read_repaired(answers.check, text)
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True
    )
    return etree.fromstring(repaired.body, parser), repaired


def _root(content: bytes) -> etree._Element | None:
    """Parse an envelope; ``None`` where it is not XML."""
    try:
        return _parse(content)[0]
    except InvalidAnswer:
        return None
