"""Five9's wire: one method for each operation we use, all of them read-only.

zeep makes the envelopes and reads the small typed answers; statistics are streamed by
``answers``. Our own minimal WSDL is used and the address is always ours: the vendor's WSDL names
a plain http one, to which a trusting client would post its credentials in clear.
"""

import base64
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import httpx
import zeep
from lxml import etree
from zeep.exceptions import Error as ZeepError
from zeep.proxy import AsyncServiceProxy

from exporter.collector.http import Http, check_status
from exporter.collector.threads import run_in_worker_if
from exporter.errors import (
    InvalidAnswer,
    ProviderError,
    Refused,
    ServerTrouble,
    SessionLost,
    Throttled,
    Unauthorized,
)
from exporter.providers.five9 import answers
from exporter.providers.five9.answers import Fault, Statistics, Update

T = TypeVar("T")
_BINDING = "{http://service.supervisor.ws.five9.com/}WsSupervisorBinding"
_WSDL = Path(__file__).with_name("statistics.wsdl")
_LARGE = 64 * 1024  # bytes of an answer that are better read off the event loop
_LIMIT_PAUSE = 60.0  # seconds; the shortest of Five9's windows
_LICENCE_PAUSE = 300.0
_CONFLICTS = 3  # refusals in a row after which somebody else must have the session


class Forgotten(Refused):
    """Five9 no longer knows what we build on (a timestamp, a column): read the table anew."""


@dataclass(frozen=True, slots=True)
class Counter:
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


class _Files:
    """zeep's way to documents: our WSDL, and nothing else."""

    def load(self, url: str) -> bytes:
        if url != str(_WSDL):
            raise ZeepError("only the bundled WSDL is loaded")
        return _WSDL.read_bytes()


@lru_cache(maxsize=1)
def _document() -> zeep.wsdl.Document:
    """Parse the WSDL once for all accounts."""
    return zeep.Client(str(_WSDL), transport=_Files()).wsdl


class _Wire:
    """zeep's way to the service: hands envelopes to our transport and readers to the answers."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    async def post_xml(self, address: str, envelope: Any, headers: dict[str, str]) -> Any:
        operation = etree.QName(envelope[-1][0]).localname
        body = etree.tostring(envelope, xml_declaration=True, encoding="utf-8")
        return await self._client.exchange(operation, address, body, headers)


class Client:
    """One user's requests to the Statistics (Supervisor) Web Services.

    The caller sees to it that there is one request at a time: Five9 refuses a second one of the
    same user (Statistics Web Services API Reference Guide). Every method raises ``ProviderError``.
    """

    def __init__(self, http: Http, url: str, username: str, password: str, timeout: float) -> None:
        self._http = http
        self._timeout = timeout
        self._hold = 0.0  # seconds the present request may be held by the server
        self._conflicts = 0
        login = base64.b64encode(f"{username}:{password}".encode()).decode()
        self._authorization = f"Basic {login}"
        # strict=False: an element that a later version adds is no error.
        settings = zeep.Settings(strict=False, raw_response=True, forbid_dtd=True)
        self._zeep = zeep.Client(_document(), transport=_Wire(self), settings=settings)
        self._binding = self._zeep.wsdl.bindings[_BINDING]
        self._service = AsyncServiceProxy(self._zeep, self._binding, address=url)

    async def set_session_parameters(self, view: dict[str, object]) -> None:
        """Open a session, or change the settings of the one that is open."""
        await self._service.setSessionParameters(viewSettings=view)

    async def close_session(self) -> None:
        """End the session, which frees a supervisor licence."""
        await self._service.closeSession()

    async def call_counters(self) -> list[Counter]:
        """Read the request counters; needs no session and is itself not limited."""
        states: Sequence[Any] = await self._service.getCallCountersState() or ()
        return [
            Counter(str(each.operationType), float(state.timeout), int(each.limit), int(each.value))
            for state in states
            for each in state.callCounterStates or ()
            if each is not None and each.operationType
        ]

    async def user_limits(self) -> Licences | None:
        """Read how many sessions are in use."""
        found = await self._service.getUserLimits()
        if found is None:
            return None
        return Licences(
            found.supervisorLimit,
            found.supervisorsLoggedin,
            found.mobileLimit,
            found.mobileLoggedin,
        )

    async def permissions(self) -> dict[str, bool]:
        """Read what this user may see and do."""
        found: Sequence[Any] = await self._service.getMyPermissions() or ()
        return {str(each.type): bool(each.value) for each in found if each.type}

    async def disposition_names(self) -> frozenset[str]:
        """Read the names of the domain's dispositions, each of which is a column."""
        found: Sequence[str | None] = await self._service.getDispositionsNames() or ()
        return frozenset(name for name in found if name)

    async def column_names(self, statistic_type: str) -> list[str]:
        """Read the columns of a statistic type."""
        found = await self._service.getColumnNames(statisticType=statistic_type)
        values = found and found["values"]
        return [name or "" for name in values.data] if values else []

    async def statistics(self, statistic_type: str) -> Statistics:
        """Read a whole table."""
        found: Statistics = await self._service.getStatistics(statisticType=statistic_type)
        _check_type(found.type, statistic_type)
        return found

    async def statistics_update(
        self, statistic_type: str, timestamp: int, hold: float
    ) -> Update | None:
        """Read what changed since ``timestamp`` (epoch ms); ``None`` where nothing did.

        The server may hold the request up to ``hold`` seconds until something changes.
        """
        self._hold = hold
        try:
            found: Update | None = await self._service.getStatisticsUpdate(
                statisticType=statistic_type,
                previousTimestamp=timestamp,
                longPollingTimeout=round(hold * 1000),
            )
        finally:
            self._hold = 0.0
        if found is not None:
            _check_type(found.type, statistic_type)
        return found

    async def exchange(
        self, operation: str, address: str, body: bytes, headers: dict[str, str]
    ) -> Any:
        """Send one envelope and return what its reader makes of the answer."""
        request = self._http.client.build_request(
            "POST",
            address,
            content=body,
            headers={**headers, "Authorization": self._authorization},
        )
        timeout = self._timeout + self._hold
        return await self._http.send(request, operation, self._reader(operation), timeout)

    def _reader(self, operation: str) -> Callable[[httpx.Response], Awaitable[Any]]:
        parsers: dict[str, Callable[[bytes], Any]] = {
            "getStatistics": answers.read_statistics,
            "getStatisticsUpdate": answers.read_update,
        }
        parse = parsers.get(operation)

        async def read(response: httpx.Response) -> Any:
            self._judge(operation, response)
            if parse is None:
                return self._typed(operation, response)
            body = response.content
            return await run_in_worker_if(len(body) > _LARGE, parse, body)

        return read

    def _judge(self, operation: str, response: httpx.Response) -> None:
        """Raise what a status or a fault stands for.

        Faults come as 500; they are looked for in a success too.
        """
        ok = response.status_code == httpx.codes.OK
        if not ok and response.status_code != httpx.codes.INTERNAL_SERVER_ERROR:
            check_status(response)
        fault = None if ok and b"Fault" not in response.content else _fault(response.content)
        if fault is not None:
            raise self._error(operation, fault)
        check_status(response)
        self._conflicts = 0

    def _error(self, operation: str, fault: Fault) -> ProviderError:
        """Return the error of a fault, by its detail element: texts are not documented."""
        said = f"{fault.name or 'fault'}: {fault.message[:200]}"
        if fault.name == "UserAlreadyLoggedInFault":
            self._conflicts += 1
            if self._conflicts >= _CONFLICTS and operation != "setSessionParameters":
                return SessionLost(said)
        if fault.name == "AccessDisallowedFault" and operation != "setSessionParameters":
            return Refused(said)  # one statistic type without permission is that type's failure
        return _FAULTS.get(fault.name, Refused)(said, retry_after=_PAUSES.get(fault.name, 0.0))

    def _typed(self, operation: str, response: httpx.Response) -> Any:
        answers.check(response.content)
        try:
            return self._binding.process_reply(self._zeep, self._binding.get(operation), response)
        except (ZeepError, TypeError, ValueError, AttributeError) as error:
            raise InvalidAnswer(f"not an answer to {operation}: {type(error).__name__}") from error


_FAULTS: dict[str, type[ProviderError]] = {
    "SessionNotInitializedFault": SessionLost,
    "SessionClosedFault": SessionLost,
    "StatisticsNotRequestedFault": Forgotten,
    "UnknownTimestampFault": Forgotten,
    "ConfigurationChangedFault": Forgotten,
    "UnknownColumnFault": Forgotten,
    "OperationsLimitExceededFault": Throttled,
    "AccessDisallowedFault": Unauthorized,
    "InvalidAccountFault": Unauthorized,
    "ServerFault": ServerTrouble,
    "ServiceUnavailableFault": ServerTrouble,
}
_PAUSES = {
    "OperationsLimitExceededFault": _LIMIT_PAUSE,
    "UserLimitReachedFault": _LICENCE_PAUSE,
}


def _fault(body: bytes) -> Fault | None:
    return answers.read_fault(body)


def _check_type(found: str | None, wanted: str) -> None:
    if found not in (None, wanted):
        raise InvalidAnswer(f"asked for {wanted}, got {found[:60]}")
