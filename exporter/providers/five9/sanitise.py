"""What of Five9's envelopes may be shown to strangers: cells are judged by their column."""

from collections.abc import Iterable, Sequence

from lxml import etree

from exporter.collector.sanitise import Sanitiser, Value
from exporter.errors import InvalidAnswer
from exporter.metrics.tables import Spread, normalise
from exporter.providers.five9 import answers
from exporter.providers.five9.budget import CHANGES, FULL
from exporter.providers.five9.tables import LICENSES, PERMISSIONS, STATISTICS

_DISPOSITIONS = "getDispositionsNames"
_TYPE = "statisticType"
_TABLES = ("getStatistics", "getStatisticsUpdate", "getColumnNames")
# Elements whose texts are the service's own words, or figures.
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
            (*STATISTICS.values(), LICENSES, PERMISSIONS),
            kept=_KEPT,
            words=(*STATISTICS, FULL, CHANGES, "account"),
        )
        self._dispositions: set[str] | None = None
        self._headers: dict[str, list[str]] = {}  # the last table of each statistic type
        self._type = ""

    def prepare(self, bodies: Iterable[tuple[str, bytes]]) -> None:
        """Learn the dispositions: they are columns, and not the vendor's words."""
        for operation, content in bodies:
            root = _parse(content) if operation == _DISPOSITIONS else None
            if root is not None:
                told = (each.text for each in root.iter() if _local(each) == "return")
                names = set(filter(None, told))
                if names:
                    self._dispositions = (self._dispositions or set()) | names

    def exchange(
        self, operation: str, asked: tuple[str, bytes], answered: tuple[str, bytes]
    ) -> tuple[Value, Value]:
        """Remember which table is asked for; the answer may not say it before its cells."""
        root = _parse(asked[1]) if operation in _TABLES else None
        wanted = (
            []
            if root is None
            else [each for each in root.iter() if _local(each) == "statisticType"]
        )
        self._type = (wanted[0].text or "") if wanted else ""
        return super().exchange(operation, asked, answered)

    def body(self, operation: str, kind: str, content: bytes) -> Value:  # noqa: ARG002 - it is XML
        """Return an envelope as XML, or only the size of what is none."""
        if not content:
            return None
        root = _parse(content)
        if root is None:
            return {"omitted": len(content)}
        self._envelope(root, operation)
        return {"xml": etree.tostring(root, encoding="unicode")}

    def _envelope(self, root: etree._Element, operation: str) -> None:
        for element in root.iter():
            name = _local(element)
            text = element.text
            if not text or not text.strip() or len(element):
                element.tail = None
                continue
            element.text = self._leaf(element, name, text, operation)
            element.tail = None
            for attribute in element.attrib:
                element.attrib[attribute] = self.text(str(element.attrib[attribute]), "nil")

    def _leaf(self, element: etree._Element, name: str, text: str, operation: str) -> str:
        """Return what stays of an element's text."""
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
        """Return a header, a cell, or the name of an object that came or went."""
        values = element.getparent()
        grid = None if values is None else values.getparent()
        around = "" if grid is None else _local(grid)
        at = 0 if values is None else values.index(element)
        if around == "columns" or operation == "getColumnNames":
            headers = self._headers.setdefault(self._type, []) if at else []
            self._headers[self._type] = [*headers[:at], text]
            return self._header(text)
        if around == "rows":
            headers = self._headers.get(self._type, [])
            return self.text(text, headers[at] if at < len(headers) else "name")
        return self.pseudonyms.text(text)

    def _change(self, element: etree._Element, name: str, text: str) -> str:
        if name == "objectName":
            return self.pseudonyms.text(text)
        if name == "columnName":
            return self._header(text)
        parent = element.getparent()
        siblings: Sequence[etree._Element] = [] if parent is None else list(parent)
        shown = next((each.text for each in siblings if _local(each) == "columnName"), None)
        return self.text(text, shown or "name")  # a header that was replaced names nothing we know

    def _header(self, header: str) -> str:
        """Keep the vendor's; where dispositions are not known, one that may be such goes."""
        if normalise(header) in self._words:
            return header
        if self._dispositions is None:
            table = STATISTICS.get(self._type)
            spreads = table is None or any(isinstance(each, Spread) for each in table.figures)
            return self.pseudonyms.text(header) if spreads else header
        return self.pseudonyms.text(header) if header in self._dispositions else header


def _parse(content: bytes) -> etree._Element | None:
    """Parse an envelope without entities; ``None`` where that cannot be done."""
    try:
        answers.check(content)
    except InvalidAnswer:
        return None
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True
    )
    return etree.fromstring(content, parser)


def _local(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2]
