"""Sanitiser of Five9 recordings: writes envelopes anew from what the lists allow.

Sources of the elements and words: WSDL of the Supervisor Web Service (v9.5), Statistics Web Service
guide. Headers are those of the tables; names of dispositions are the customer's.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from lxml import etree

from exporter.collector.repair import Repaired, xml_in_utf8
from exporter.collector.sanitise import (
    Allowed,
    Columns,
    Sanitiser,
    Value,
    charset_of,
    is_figure,
    replacements,
    unreadable,
)
from exporter.errors import InvalidAnswer
from exporter.metrics.tables import normalise
from exporter.providers.five9 import answers
from exporter.providers.five9.answers import local_name
from exporter.providers.five9.tables import STATISTICS, TABLES

_SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
_NAMESPACES = {
    _SOAP: "s",
    "http://service.supervisor.ws.five9.com/": "f",
    "http://www.w3.org/2001/XMLSchema-instance": "xsi",
    "http://www.w3.org/2001/XMLSchema": "xs",
}
_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_DISPOSITIONS = "getDispositionsNames"
_OPERATIONS = (
    *("setSessionParameters", "getSessionParameters", "closeSession", "getColumnNames"),
    *("getStatistics", "getStatisticsUpdate", "getCallCountersState", "getUserLimits"),
    *("getMyPermissions", "getApiVersions", "getLoggedInUsers", "getMySkillsIds"),
    *("getMyGroupIds", _DISPOSITIONS),
)
_FAULTS = (
    *("AccessDisallowed", "AgentNotFound", "ConfigurationChanged", "IncorrectArgument"),
    *("InvalidAccount", "MissedArgument", "OperationsLimitExceeded", "Server"),
    *("ServiceUnavailable", "SessionClosed", "SessionNotInitialized", "StatisticsNotRequested"),
    *("UnknownColumn", "UnknownTimestamp", "UserAlreadyLoggedIn", "UserLimitReached"),
    *("ConcurrentModification", "CampaignNotFound", "DispositionNotFound"),
)
_PERMISSIONS = (
    *("Users", "Agents", "CallMonitoring", "Stations", "ChatSessions", "Campaigns", "AllSkills"),
    *("CampaignManagement", "BillingInfo", "BargeInMonitor", "WhisperMonitor", "NICEEnabled"),
    *("ViewDataForAllAgentGroups", "ReviewVoiceRecordings", "EditAgentSkills"),
    *("CanAccessDashboardMenu", "CampaignManagementStart", "CampaignManagementStop"),
    *("CampaignManagementReset", "CampaignManagementResetDispositions", "CanAccessShowFields"),
    *("CampaignManagementResetListPositions", "CampaignManagementResetAbandonCallRate"),
    "CanViewTextDetailsTab",
)
_RANGES = ("RollingHour", "CurrentDay", "CurrentWeek", "CurrentMonth", "Lifetime", "CurrentShift")
_ROLLING = (
    *("Minutes5", "Minutes10", "Minutes15", "Minutes30", "Hour1", "Hours2", "Hours3", "Today"),
)
_TYPES = tuple(STATISTICS)
_TABLES = Columns.of(TABLES)
# Of the columns that are not exported, those that hold durations only.
_DURATIONS = {x for table in TABLES for x in table.ignored if x.endswith(" Duration")}
_COLUMNS = replace(_TABLES, figures=_TABLES.figures | set(map(normalise, _DURATIONS)))

ALLOWED = Allowed(
    objects={
        *("Envelope", "Header", "Body", "Fault", "detail", "return", "viewSettings"),
        *_OPERATIONS,
        *(f"{name}Response" for name in _OPERATIONS),
        *(f"{name}Fault" for name in _FAULTS),
        *("columns", "columnNames", "rows", "values", "addedObjects", "deletedObjects"),
        *("dataUpdate", "callCounterStates", "roledId"),
    },
    figures={
        *("idleTimeOut", "shiftStart", "timeZone", "longPollingTimeout", "timeout", "limit"),
        *("value", "mobileLimit", "mobileLoggedin", "supervisorLimit", "supervisorsLoggedin"),
        *("minute", "hour", "day", "idle_timeout", "long_poll"),  # settings
    },
    times={"timestamp", "lastTimestamp", "previousTimestamp"},
    words={
        "statisticType": _TYPES,
        "type": (*_TYPES, *_PERMISSIONS),
        "operationType": (
            *("Query", "Modify", "Upload", "SingleUpload", "ReportRequest", "RetrieveReport"),
            *("AsynchronousUpload", "QueryStatistics", "QueryChangedStatistics"),
            *("Web2CampaignUpload", "VIVRCreateSession"),
        ),
        "statisticsRange": _RANGES,
        "rollingPeriod": _ROLLING,
        "faultcode": (
            *("Server", "Client", "VersionMismatch", "MustUnderstand"),
            *(f"{name}Fault" for name in _FAULTS),
        ),
        "role": ("Agent", "DomainSupervisor", "DomainAdmin"),
        "forceLogoutSession": ("true", "false", "0", "1"),
        # Settings.
        "statistics_range": _RANGES,
        "rolling_period": _ROLLING,
        "region": ("us", "ca", "eu", "frk", "in"),
        "version": ("v9_5", *(f"v{number}" for number in range(2, 30))),
        "columns": (*_TYPES, *_COLUMNS.figures, *_COLUMNS.words, *_COLUMNS.others),
        "feeds": (*_TYPES, "account"),
    },
    replaced={
        *("data", "objectName", "columnName", "columnValue", "faultstring", "faultactor"),
        *("message", "appType", "name", "id", "userId", "minVersion", "maxVersion"),
        *("query_statistics", "query_changed_statistics", "metric", "labels"),
    },
    segments={"wssupervisor", "SupervisorWebService"},
)


class Five9Sanitiser(Sanitiser):
    """Sanitiser of SOAP envelopes; cells are judged by their column."""

    allowed = ALLOWED

    def __init__(self) -> None:
        super().__init__()
        self._dispositions: set[str] = set()
        self._headers: dict[str, list[str]] = {}  # the last table of each statistic type
        self._type = ""

    def prepare(self, bodies: Iterable[tuple[str, bytes]]) -> None:
        """Collect the names of dispositions, whose columns hold figures."""
        for operation, content in bodies:
            root = _root(content) if operation == _DISPOSITIONS else None
            if root is not None:
                texts = (item.text for item in root.iter() if local_name(item) == "return")
                self._dispositions |= set(filter(None, texts))

    def exchange(
        self, operation: str, asked: tuple[str, bytes], answered: tuple[str, bytes]
    ) -> tuple[Value, Value]:
        """Store the requested statistic type; a response may have it after its cells."""
        root = _root(asked[1])
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
        namespaces = {prefix: uri for uri, prefix in _NAMESPACES.items()}
        new = etree.Element(self._tag(root), nsmap=namespaces)
        self._fill(new, root, operation, hide=local_name(root) not in self.allowed)
        etree.cleanup_namespaces(new)
        return {"xml": etree.tostring(new, encoding="unicode"), **replacements(repaired)}

    def _tag(self, element: etree._Element, *, hide: bool = False) -> str:
        """Return the name of the element that takes another's place."""
        name = local_name(element)
        namespace = etree.QName(element).namespace
        if hide or name not in self.allowed:
            name = self.pseudonyms.text(f"<{name}>")
        if namespace is None:
            return name
        known = namespace in _NAMESPACES
        uri = namespace if known else f"urn:{self.pseudonyms.text(namespace)}"
        return f"{{{uri}}}{name}"

    def _fill(
        self, new: etree._Element, old: etree._Element, operation: str, *, hide: bool
    ) -> None:
        """Copy what is allowed of an element's attributes, text and children."""
        for name, value in old.attrib.items():
            if name == _NIL and not hide and str(value) in ("true", "false", "0", "1"):
                new.set(_NIL, str(value))
            else:
                new.set(self.pseudonyms.text(f"@{name!s}"), self._hidden(str(value)))
        if old.text:
            is_leaf = not hide and not len(old)
            new.text = self._leaf(old, old.text, operation) if is_leaf else self._hidden(old.text)
        opens = self.opens(local_name(old))
        for child in old:
            hidden = hide or not opens or local_name(child) not in self.allowed
            copy = etree.SubElement(new, self._tag(child, hide=hidden))
            self._fill(copy, child, operation, hide=hidden)
            copy.tail = self._hidden(child.tail or "") or None

    def _hidden(self, text: str) -> str:
        return self.replace(text, "") if text.strip() else text

    def _leaf(self, element: etree._Element, text: str, operation: str) -> str:
        """Return the sanitised text of an element without children."""
        name = local_name(element)
        if not text.strip():
            return text
        if name == "data":
            return self._data(element, text, operation)
        if name == "columnName" or (name == "return" and operation == _DISPOSITIONS):
            return self._header(text)
        if name == "columnValue":
            siblings: Sequence[etree._Element] = list(element.itersiblings(preceding=True))
            siblings = [*siblings, *element.itersiblings()]
            headers = (item.text for item in siblings if local_name(item) == "columnName")
            return self._cell(text, next(headers, None) or "")
        plain = text.rpartition(":")[2] if name == "faultcode" else text
        return plain if self.keeps(plain, name) else str(self.replace(plain, name))

    def _data(self, element: etree._Element, text: str, operation: str) -> str:
        """Return the sanitised header, cell, or name of an added or deleted object."""
        values = element.getparent()
        row = None if values is None else values.getparent()
        kind = "" if row is None else local_name(row)
        position = 0 if values is None else values.index(element)
        if kind in ("columns", "columnNames") or operation == "getColumnNames":
            headers = self._headers.setdefault(self._type, []) if position else []
            missing = [""] * (position - len(headers))
            self._headers[self._type] = [*headers[:position], *missing, text]
            return self._header(text)
        headers = self._headers.get(self._type, []) if kind == "rows" else []
        return self._cell(text, headers[position] if position < len(headers) else "")

    def _header(self, header: str) -> str:
        """Return a header of the tables, or the replacement of any other."""
        return header if header in _COLUMNS else self.pseudonyms.text(header)

    def _cell(self, text: str, header: str) -> str:
        """Return a cell; columns of dispositions hold figures."""
        is_disposition = header in self._dispositions and header not in _COLUMNS
        kept = _COLUMNS.keeps(text, header) or (is_disposition and is_figure(text))
        return text if kept else str(self.replace(text, "" if header else "data"))


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
