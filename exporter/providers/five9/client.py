"""SOAP client of one user: sends requests, classifies failures, reads responses.

zeep builds the envelopes and reads the small typed responses; ``answers`` streams statistics. The
client uses a bundled minimal WSDL and its own address: the vendor's WSDL names a plain http one, to
which credentials would go in clear text.
"""

import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import httpx
import zeep
from lxml import etree
from zeep.exceptions import Error as ZeepError
from zeep.proxy import AsyncServiceProxy

from exporter.collector.bounds import SMALL, Bounds
from exporter.collector.http import UNEXPECTED, Http, bounds_of, check_status, note_replaced
from exporter.collector.repair import xml_in_utf8
from exporter.collector.threads import run_in_fresh_thread
from exporter.errors import (
    InvalidAnswer,
    ProviderError,
    Refused,
    ServerTrouble,
    SessionLost,
    Throttled,
    Unauthorized,
    Unexplained,
)
from exporter.providers.five9 import answers
from exporter.providers.five9.answers import Fault, Statistics, StatisticsUpdate

_BINDING = "{http://service.supervisor.ws.five9.com/}WsSupervisorBinding"
_WSDL = Path(__file__).with_name("statistics.wsdl")
logging.getLogger("zeep").setLevel(logging.CRITICAL)  # it logs a traceback for every bad value
_LONGEST_WINDOW = 7 * 86_400.0  # seconds of a request limit; a day is the longest documented
_MOST_CALLS = 10**9
_NAMES_SIZE = 4 * SMALL  # bytes: 10,000 names of columns or dispositions
_LIMIT_PAUSE = 60.0  # seconds; the shortest of Five9's windows
_LICENCE_PAUSE = 300.0
_MAX_CONFLICTS = 3  # refusals in a row after which another program must hold the session


class ResyncRequired(Refused):
    """Five9 no longer knows the timestamp or a column: the table has to be read whole."""

    lasting = False


class UserInUse(Refused):
    """Five9 serves another request or session of the same user."""

    lasting = False
    remedy = (
        "Another program works with the same user. Give the exporter a user of its own, or set "
        "force_logout."
    )


class LicenceLimitReached(Refused):
    """All supervisor licences of the domain are in use."""

    lasting = False
    remedy = "No supervisor licence is free. Close a session, or ask Five9 for another licence."


class WebServicesDenied(Unauthorized):
    """The user may not use the web services."""

    remedy = (
        "The user may not use the web services. It needs the supervisor permission "
        "CanUseSupervisorSoapApi and the administrator permission User Can Execute Web API "
        "Requests."
    )


@dataclass(frozen=True, slots=True)
class CallCounter:
    """One request counter of the platform: calls used of a limit within a window (seconds)."""

    operation: str
    window: float
    limit: int
    used: int


@dataclass(frozen=True, slots=True)
class Licences:
    """Sessions in use and allowed, of supervisors and of the mobile application."""

    supervisor_limit: int
    supervisors: int
    mobile_limit: int
    mobiles: int


class _BundledWsdl:
    """zeep transport that loads the bundled WSDL and no other document."""

    def load(self, url: str) -> bytes:
        if url != str(_WSDL):
            raise ZeepError("only the bundled WSDL is loaded")
        return _WSDL.read_bytes()


@lru_cache(maxsize=1)
def _document() -> zeep.wsdl.Document:
    """Parse the WSDL once for all accounts."""
    return zeep.Client(str(_WSDL), transport=_BundledWsdl()).wsdl


class _Transport:
    """zeep transport that sends envelopes through the account's ``Client``."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    async def post_xml(self, address: str, envelope: Any, headers: dict[str, str]) -> Any:
        operation = etree.QName(envelope[-1][0]).localname
        body = etree.tostring(envelope, xml_declaration=True, encoding="utf-8")
        return await self._client.send_envelope(operation, address, body, headers)


class Client:
    """Requests of one user to the Statistics (Supervisor) Web Services; all of them only read.

    The caller makes one request at a time: Five9 refuses a second one of the same user (Statistics
    Web Services API Reference Guide). Every method raises ``ProviderError``.
    """

    def __init__(self, http: Http, url: str, username: str, password: str, timeout: float) -> None:
        http.client.auth = httpx.BasicAuth(username, password)
        self._http = http
        self._timeout = timeout
        self._hold = 0.0  # seconds for which the server may hold the current request
        self._conflicts = 0
        # strict=False accepts elements that a later version adds.
        settings = zeep.Settings(strict=False, raw_response=True, forbid_dtd=True)
        self._zeep = zeep.Client(_document(), transport=_Transport(self), settings=settings)
        self._binding = self._zeep.wsdl.bindings[_BINDING]
        self._service = AsyncServiceProxy(self._zeep, self._binding, address=url)

    def forget_cookies(self) -> None:
        """Drop the cookies of an earlier session."""
        self._http.forget_cookies()

    async def set_session_parameters(self, view: dict[str, object]) -> None:
        """Open a session, or change the settings of the open one."""
        await self._service.setSessionParameters(viewSettings=view)

    async def close_session(self) -> None:
        """End the session, which frees a supervisor licence."""
        await self._service.closeSession()

    async def call_counters(self) -> list[CallCounter]:
        """Read the request counters; those of operation types that are not documented are left out.

        The call needs no session and has no limit itself.
        """
        windows: Sequence[Any] = await self._service.getCallCountersState() or ()
        with _reading("getCallCountersState"):
            counters = (
                _counter(window.timeout, counter)
                for window in windows
                if window is not None
                for counter in window.callCounterStates or ()
                if counter is not None
            )
            return [counter for counter in counters if counter is not None]

    async def user_limits(self) -> Licences | None:
        """Read how many sessions are in use."""
        limits = await self._service.getUserLimits()
        if limits is None:
            return None
        with _reading("getUserLimits"):
            return Licences(
                limits.supervisorLimit,
                limits.supervisorsLoggedin,
                limits.mobileLimit,
                limits.mobileLoggedin,
            )

    async def permissions(self) -> dict[str, bool]:
        """Read which permissions the user has; one whose value is no boolean is left out."""
        permissions: Sequence[Any] = await self._service.getMyPermissions() or ()
        with _reading("getMyPermissions"):
            return {
                str(item.type): _BOOLEANS[item.value]
                for item in permissions
                if item is not None and item.type and item.value in _BOOLEANS
            }

    async def disposition_names(self) -> frozenset[str]:
        """Read the names of the domain's dispositions, each of which is a column."""
        names: Sequence[str | None] = await self._service.getDispositionsNames() or ()
        with _reading("getDispositionsNames"):
            return frozenset(name for name in names if name)

    async def column_names(self, statistic_type: str) -> list[str]:
        """Read the columns of a statistic type."""
        row = await self._service.getColumnNames(statisticType=statistic_type)
        with _reading("getColumnNames"):
            values = row and row["values"]
            return [name or "" for name in values.data] if values else []

    async def statistics(self, statistic_type: str) -> Statistics:
        """Read a whole table."""
        statistics: Statistics = await self._service.getStatistics(statisticType=statistic_type)
        _check_type(statistics.type, statistic_type)
        return statistics

    async def statistics_update(
        self, statistic_type: str, timestamp: int, hold: float
    ) -> StatisticsUpdate | None:
        """Read what changed since ``timestamp`` (epoch ms); ``None`` where nothing did.

        The server may hold the request up to ``hold`` seconds until something changes.
        """
        self._hold = hold
        try:
            update: StatisticsUpdate | None = await self._service.getStatisticsUpdate(
                statisticType=statistic_type,
                previousTimestamp=timestamp,
                longPollingTimeout=round(hold * 1000),
            )
        finally:
            self._hold = 0.0
        if update is not None:
            _check_type(update.type, statistic_type)
        return update

    async def send_envelope(
        self, operation: str, address: str, body: bytes, headers: dict[str, str]
    ) -> Any:
        """Send an envelope and return the parsed response."""
        request = self._http.client.build_request("POST", address, content=body, headers=headers)
        timeout = self._timeout + self._hold
        sizes = {"getColumnNames": _NAMES_SIZE, "getDispositionsNames": _NAMES_SIZE}
        size = self._http.max_answer if operation in _PARSERS else sizes.get(operation, SMALL)
        reader = self._reader(operation)
        return await self._http.send(request, operation, reader, timeout, size=size)

    def _reader(self, operation: str) -> Callable[[httpx.Response], Awaitable[Any]]:
        async def read(response: httpx.Response) -> Any:
            if response.status_code not in (httpx.codes.OK, httpx.codes.INTERNAL_SERVER_ERROR):
                check_status(response)
            result, replaced = await run_in_fresh_thread(self._parse, operation, response)
            if isinstance(result, Fault):
                raise self._error_of(operation, result)
            check_status(response)
            self._conflicts = 0
            note_replaced(response, replaced)
            return result

        return read

    def _parse(self, operation: str, response: httpx.Response) -> tuple[Any, int]:
        """Return what a response holds, and how many characters of it were replaced.

        Faults come as HTTP 500, sometimes as 200.
        """
        bounds = bounds_of(response)
        body, foreign = xml_in_utf8(response.content, response.charset_encoding)
        bounds.check_size(body)
        if not response.is_success:
            return answers.read_fault(body, bounds), 0
        parse = _PARSERS.get(operation)
        result, repaired = answers.read_repaired(
            parse or answers.check, body, bounds, distinct=parse is not None
        )
        if result is None and parse is None:
            result = self._read_typed(operation, repaired.body)
        elif isinstance(result, Statistics | StatisticsUpdate):
            result.replaced = repaired.replaced
        return result, foreign + repaired.replaced

    def _error_of(self, operation: str, fault: Fault) -> ProviderError:
        """Return the error of a fault by its detail element; texts are not documented."""
        message = f"{fault.name or 'fault'}: {fault.message}"
        if fault.name == "UserAlreadyLoggedInFault":
            self._conflicts += 1
            if self._conflicts >= _MAX_CONFLICTS and operation != "setSessionParameters":
                return SessionLost(message)
        if fault.name == "AccessDisallowedFault" and operation != "setSessionParameters":
            return Refused(message)  # a missing permission fails one statistic type only
        error = _FAULTS.get(fault.name, Unexplained)
        return error(message, retry_after=_PAUSES.get(fault.name, 0.0))

    def _read_typed(self, operation: str, body: bytes) -> Any:
        if body.startswith(b"<?xml"):  # it may declare an encoding in which no tag was counted
            body = body.partition(b"?>")[2]
        response = httpx.Response(httpx.codes.OK, content=body)
        with _reading(operation):
            return self._binding.process_reply(self._zeep, self._binding.get(operation), response)


_PARSERS: dict[str, Callable[[bytes, Bounds], Any]] = {
    "getStatistics": answers.read_statistics,
    "getStatisticsUpdate": answers.read_update,
}
# Faults: Statistics Web Services API Reference Guide and the v9_5 WSDL.
_FAULTS: dict[str, type[ProviderError]] = {
    "SessionNotInitializedFault": SessionLost,
    "SessionClosedFault": SessionLost,
    "StatisticsNotRequestedFault": ResyncRequired,
    "UnknownTimestampFault": ResyncRequired,
    "ConfigurationChangedFault": ResyncRequired,
    "UnknownColumnFault": ResyncRequired,
    "OperationsLimitExceededFault": Throttled,
    "UserAlreadyLoggedInFault": UserInUse,
    "UserLimitReachedFault": LicenceLimitReached,
    "AccessDisallowedFault": WebServicesDenied,
    "IncorrectArgumentFault": Refused,
    "MissedArgumentFault": Refused,
    "InvalidAccountFault": Unauthorized,
    "ServerFault": ServerTrouble,
    "ServiceUnavailableFault": ServerTrouble,
}
# Of XML Schema; zeep reads everything else as false.
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
# Type apiOperationType of the v9_5 WSDL.
_OPERATION_TYPES = frozenset(
    (
        *("Query", "Modify", "Upload", "SingleUpload", "ReportRequest", "RetrieveReport"),
        *("AsynchronousUpload", "QueryStatistics", "QueryChangedStatistics"),
        *("Web2CampaignUpload", "VIVRCreateSession"),
    )
)
_PAUSES = {
    "OperationsLimitExceededFault": _LIMIT_PAUSE,
    "UserLimitReachedFault": _LICENCE_PAUSE,
}


@contextmanager
def _reading(operation: str) -> Iterator[None]:
    """Raise ``InvalidAnswer`` for what zeep, and reading its objects, raises for another shape."""
    try:
        yield
    except (ZeepError, *UNEXPECTED) as error:
        raise InvalidAnswer(f"not an answer to {operation}: {type(error).__name__}") from error


def _counter(length: int | None, counter: Any) -> CallCounter | None:
    """Return a counter, ``None`` where it is of an unknown type, incomplete or implausible."""
    limit, used = counter.limit, counter.value
    if counter.operationType not in _OPERATION_TYPES or length is None or None in (limit, used):
        return None
    if 0 < length <= _LONGEST_WINDOW and 0 <= limit <= _MOST_CALLS and 0 <= used <= _MOST_CALLS:
        return CallCounter(counter.operationType, float(length), limit, used)
    return None


def _check_type(received: str | None, requested: str) -> None:
    if received not in (None, requested):
        raise InvalidAnswer(f"requested {requested}, received {received[:60]}")
