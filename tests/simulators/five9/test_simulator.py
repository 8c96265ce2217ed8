"""The Five9 simulator, read with raw XML, and with two clients that know nothing of it."""

import asyncio
import importlib.resources
import re
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
import zeep
from lxml import etree

from exporter.simulators.five9.domain import DEFAULT_LIMITS
from exporter.simulators.five9.service import compare
from exporter.simulators.five9.simulator import Five9Simulator
from exporter.simulators.five9.tables import SILENT_COLUMNS, Table
from exporter.simulators.floor.floor import Floor
from support.clock import VirtualClock

pytestmark = pytest.mark.anyio

START = datetime(2026, 3, 2, 18, 0, tzinfo=UTC).timestamp()  # a Monday, 10 o'clock in California
NAMESPACE = "http://service.supervisor.ws.five9.com/"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
PATH = "/wssupervisor/v13/SupervisorWebService"
OWN_WSDL = importlib.resources.files("exporter.providers.five9") / "statistics.wsdl"
REAL_WSDL = Path(__file__).parents[3] / "../shared/reference/data/SupervisorWebService-v9_5.wsdl"
needs_real_wsdl = pytest.mark.skipif(
    not REAL_WSDL.is_file(),
    reason=f"THE VENDOR'S OWN WSDL IS MISSING, its client cannot be tested: {REAL_WSDL}",
)
TYPES = {
    "AgentState": "Username",
    "AgentStatistics": "Username",
    "ACDStatus": "Skill Name",
    "CampaignState": "Campaign Name",
    "OutboundCampaignManager": "Campaign Name",
    "OutboundCampaignStatistics": "Campaign Name",
    "InboundCampaignStatistics": "Campaign Name",
    "AutodialCampaignStatistics": "Campaign Name",
}
VIEW = "<shiftStart>0</shiftStart><timeZone>-25200000</timeZone>"
SETTINGS = f"<viewSettings>{VIEW}</viewSettings>"
ACD = "<statisticType>ACDStatus</statisticType>"
PLENTY = {name: dict.fromkeys(windows, 10_000) for name, windows in DEFAULT_LIMITS.items()}


class Wire:
    """Sends raw envelopes to a simulator over ASGI."""

    def __init__(self, simulator: Five9Simulator, user: str | None = None) -> None:
        self.simulator = simulator
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(simulator.app),
            base_url="http://five9",
            auth=(user or simulator.username, simulator.password),
            headers={"Content-Type": "text/xml;charset=UTF-8", "SOAPAction": '""'},
        )

    async def send(self, operation: str, arguments: str = "", **request: Any) -> httpx.Response:
        body = (
            f'<e:Envelope xmlns:e="{SOAP}"><e:Body><s:{operation} xmlns:s="{NAMESPACE}">'
            f"{arguments}</s:{operation}></e:Body></e:Envelope>"
        )
        return await self.http.post(PATH, **{"content": body, **request})

    async def call(self, operation: str, arguments: str = "") -> etree._Element:
        response = await self.send(operation, arguments)
        assert response.status_code == 200, response.text
        assert_valid(body_of(response))
        return body_of(response)

    async def fault(self, operation: str, arguments: str = "") -> str | None:
        response = await self.send(operation, arguments)
        assert response.status_code == 500, response.text
        return fault_of(response)

    async def table(self, statistic_type: str) -> tuple[int, list[str], list[list[str]]]:
        name = f"<statisticType>{statistic_type}</statisticType>"
        answer = await self.call("getStatistics", name)
        rows = [cells(row) for row in answer.iterfind("return/rows")]
        return int(text(answer, "timestamp")), cells(answer.find("return/columns")), rows

    async def update(self, statistic_type: str, since: int, wait: int = 0) -> etree._Element:
        return await self.call("getStatisticsUpdate", update_of(statistic_type, since, wait))


def update_of(statistic_type: str, since: int, wait: int = 0) -> str:
    return (
        f"<statisticType>{statistic_type}</statisticType>"
        f"<previousTimestamp>{since}</previousTimestamp>"
        f"<longPollingTimeout>{wait}</longPollingTimeout>"
    )


def body_of(response: httpx.Response) -> etree._Element:
    body = etree.fromstring(response.content).find(f"{{{SOAP}}}Body")
    assert body is not None
    return body[0]


def fault_of(response: httpx.Response) -> str | None:
    fault = body_of(response)
    assert fault.tag == f"{{{SOAP}}}Fault"
    detail = fault.find("detail")
    if detail is None:
        return None
    if REAL_WSDL.is_file():
        schema_of(REAL_WSDL).assertValid(detail[0])
    return etree.QName(detail[0]).localname


def text(answer: etree._Element, name: str) -> str:
    return answer.findtext(f"return/{name}") or ""


def cells(row: etree._Element | None) -> list[str]:
    return [] if row is None else [data.text or "" for data in row.iterfind("values/data")]


def infoset(element: etree._Element) -> Any:
    return element.tag, (element.text or "").strip(), [infoset(child) for child in element]


def apply(table: dict[str, dict[str, str]], columns: list[str], answer: etree._Element) -> None:
    for name in cells(answer.find("return/addedObjects")):
        table[name] = {**dict.fromkeys(columns, ""), columns[0]: name}
    for change in answer.iterfind("return/dataUpdate"):
        row = table[change.findtext("objectName") or ""]
        row[change.findtext("columnName") or ""] = change.findtext("columnValue") or ""
    for name in cells(answer.find("return/deletedObjects")):
        del table[name]


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(START)


@pytest.fixture
def floor() -> Floor:
    floor = Floor(start=START - 3600, time_zone="America/Los_Angeles")
    floor.advance(START)
    return floor


@pytest.fixture
def make(floor: Floor, clock: VirtualClock) -> Callable[..., Wire]:
    def make(**switches: Any) -> Wire:
        return Wire(Five9Simulator(floor, clock, **{"limits": PLENTY, **switches}))

    return make


async def signed_in(wire: Wire) -> Wire:
    await wire.call("setSessionParameters", SETTINGS)
    return wire


@cache
def schema_of(path: Path) -> etree.XMLSchema:
    schema = next(etree.parse(path).iter("{http://www.w3.org/2001/XMLSchema}schema"))
    return etree.XMLSchema(etree.fromstring(etree.tostring(schema)))


def assert_valid(answer: etree._Element) -> None:
    """Hold an answer against our description and, where it is at hand, the vendor's."""
    for path in (Path(str(OWN_WSDL)), REAL_WSDL):
        if path.is_file():
            schema_of(path).assertValid(answer)


def zeep_client(path: object) -> zeep.Client:
    with closing(requests.Session()) as session:
        return zeep.Client(str(path), transport=zeep.Transport(session=session))


class TestDescription:
    def test_zeep_writes_the_envelope_of_the_guide(self) -> None:
        """A request written from our description equals the documented envelope."""
        client = zeep_client(OWN_WSDL)
        sent = client.create_message(
            client.service,
            "setSessionParameters",
            viewSettings={
                "timeZone": 3600000,
                "shiftStart": 25200000,
                "statisticsRange": "CurrentDay",
                "rollingPeriod": "Minutes15",
                "idleTimeOut": 600,
                "forceLogoutSession": False,
            },
        )
        expected = f"""
            <soapenv:Envelope xmlns:soapenv="{SOAP}"><soapenv:Body>
              <sup:setSessionParameters xmlns:sup="{NAMESPACE}"><viewSettings>
                <forceLogoutSession>false</forceLogoutSession><idleTimeOut>600</idleTimeOut>
                <rollingPeriod>Minutes15</rollingPeriod><shiftStart>25200000</shiftStart>
                <statisticsRange>CurrentDay</statisticsRange><timeZone>3600000</timeZone>
              </viewSettings></sup:setSessionParameters>
            </soapenv:Body></soapenv:Envelope>"""

        assert infoset(sent) == infoset(etree.fromstring(expected))

    @needs_real_wsdl
    def test_operations_are_those_of_the_platform(self) -> None:
        """Each operation of our description has the signature and types of the vendor's."""
        real, own = (zeep_client(path).service for path in (REAL_WSDL, OWN_WSDL))

        for name, operation in own._binding._operations.items():
            theirs = real._binding._operations[name]
            assert operation.input.signature() == theirs.input.signature()
            assert operation.soapaction == theirs.soapaction == ""

    async def test_is_served_with_its_own_address_to_whoever_names_a_user(
        self, make: Callable[..., Wire]
    ) -> None:
        """The description needs a user in the query, no password, and points to the server."""
        wire = make()

        served = await wire.http.get(f"{PATH}?wsdl&user=a%40b", auth=("", ""))
        nameless = await wire.http.get(f"{PATH}?wsdl")

        assert f'location="http://five9{PATH}"' in served.text
        assert nameless.status_code == 400


class TestRefusals:
    @pytest.mark.parametrize("auth", [None, ("supervisor@example.com", "wrong"), ("", "")])
    async def test_bad_credentials_get_a_page(
        self, make: Callable[..., Wire], auth: tuple[str, str] | None
    ) -> None:
        """Missing or wrong credentials are answered with 401 and HTML, not with SOAP."""
        wire = make()
        wire.http.auth = None

        response = await wire.send("getApiVersions", auth=auth)

        assert response.status_code == 401
        assert "JBoss" in response.text
        assert response.headers["content-type"].startswith("text/html")

    async def test_headers_are_needed(self, make: Callable[..., Wire]) -> None:
        """A wrong content type and a SOAPAction that is not empty are refused."""
        wire = make()

        typed = await wire.send("getApiVersions", headers={"Content-Type": "application/soap+xml"})
        action = await wire.send("getApiVersions", headers={"SOAPAction": "urn:x"})
        del wire.http.headers["SOAPAction"]
        actionless = await wire.send("getApiVersions")

        assert typed.status_code == 415
        assert (action.status_code, fault_of(action)) == (500, None)
        assert (actionless.status_code, fault_of(actionless)) == (500, None)

    async def test_an_unknown_version_is_not_found(self, make: Callable[..., Wire]) -> None:
        """Only the configured version and the path without one are served."""
        wire = make()

        paths = [PATH.replace("v13", "v99"), PATH.replace("v13/", "")]
        codes = [(await wire.http.post(path, content="")).status_code for path in paths]

        assert codes == [404, 500]

    @pytest.mark.parametrize(
        "envelope",
        [
            "not XML",
            f'<e:Envelope xmlns:e="{SOAP}"><e:Body/></e:Envelope>',
            '<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Body/></e:Envelope>',
            f'<e:Envelope xmlns:e="{SOAP}"><e:Body><getApiVersions/></e:Body></e:Envelope>',
            (
                f'<e:Envelope xmlns:e="{SOAP}"><e:Body>'
                '<getApiVersions xmlns="http://service.admin.ws.five9.com/"/></e:Body></e:Envelope>'
            ),
            (
                f'<e:Envelope xmlns:e="{SOAP}"><e:Body>'
                f'<getApiVersion xmlns="{NAMESPACE}"/></e:Body></e:Envelope>'
            ),
            (
                f'<!DOCTYPE a [<!ENTITY b "c">]><e:Envelope xmlns:e="{SOAP}"><e:Body>'
                f'<getApiVersions xmlns="{NAMESPACE}"/></e:Body></e:Envelope>'
            ),
        ],
    )
    async def test_what_is_no_message_gets_a_client_fault(
        self, make: Callable[..., Wire], envelope: str
    ) -> None:
        """A body that is not one known wrapper is refused without a typed detail."""
        response = await make().send("", content=envelope)

        assert (response.status_code, fault_of(response)) == (500, None)
        assert body_of(response).findtext("faultcode") == "env:Client"

    @pytest.mark.parametrize(
        ("settings", "fault"),
        [
            ("", "MissedArgumentFault"),
            ("<viewSettings><shiftStart>0</shiftStart></viewSettings>", "MissedArgumentFault"),
            ("<viewSettings><timeZone>0</timeZone></viewSettings>", "MissedArgumentFault"),
            (f'<viewSettings xmlns="{NAMESPACE}">{VIEW}</viewSettings>', "IncorrectArgumentFault"),
            (f"<settings>{VIEW}</settings>", "IncorrectArgumentFault"),
            (f"<viewSettings><speed>1</speed>{VIEW}</viewSettings>", "IncorrectArgumentFault"),
            (f"<viewSettings>{VIEW}{VIEW}</viewSettings>", "IncorrectArgumentFault"),
            (f"<viewSettings>text{VIEW}</viewSettings>", "IncorrectArgumentFault"),
            (
                f"<viewSettings>{VIEW}<idleTimeOut>60</idleTimeOut></viewSettings>",
                "IncorrectArgumentFault",
            ),
            *(
                (f"<viewSettings>{wrong}{VIEW}</viewSettings>", "IncorrectArgumentFault")
                for wrong in (
                    "<forceLogoutSession>yes</forceLogoutSession>",
                    "<forceLogoutSession>True</forceLogoutSession>",
                    "<idleTimeOut>59</idleTimeOut>",
                    "<idleTimeOut>1801</idleTimeOut>",
                    "<idleTimeOut>3 minutes</idleTimeOut>",
                    "<rollingPeriod>Hour2</rollingPeriod>",
                )
            ),
            (SETTINGS.replace("-25200000", "-43200001"), "IncorrectArgumentFault"),
            (SETTINGS.replace("-25200000", "68400000"), "IncorrectArgumentFault"),
        ],
    )
    async def test_settings_must_be_right(
        self, make: Callable[..., Wire], settings: str, fault: str
    ) -> None:
        """Settings that the schema or the guide forbids are refused."""
        assert await make().fault("setSessionParameters", settings) == fault

    async def test_arguments_of_statistics_must_be_right(self, make: Callable[..., Wire]) -> None:
        """A type outside the enumeration, a missing argument and a strange column are refused."""
        wire = await signed_in(make())
        column = "<columnNames><values><data>Speed</data></values></columnNames>"
        wrong = ACD.replace("ACDStatus", "CampaignPerformance")

        assert await wire.fault("getStatistics") == "MissedArgumentFault"
        assert await wire.fault("getStatistics", wrong) == "IncorrectArgumentFault"
        assert await wire.fault("getStatistics", ACD + column) == "UnknownColumnFault"
        assert await wire.fault("getStatisticsUpdate", ACD) == "MissedArgumentFault"


class TestSession:
    async def test_reading_needs_a_session(self, make: Callable[..., Wire]) -> None:
        """What reads is refused before a session; counters, limits and versions are not."""
        wire = make()

        for operation in ("getSessionParameters", "getMyPermissions", "getDispositionsNames"):
            assert await wire.fault(operation) == "SessionNotInitializedFault"
        assert await wire.fault("getStatistics", ACD) == "SessionNotInitializedFault"
        for operation in ("getCallCountersState", "getUserLimits", "getApiVersions"):
            await wire.call(operation)

    async def test_ends_when_idle_closed_or_expired(
        self, make: Callable[..., Wire], clock: VirtualClock
    ) -> None:
        """A session that has ended in any way is a closed one until the next is started."""
        wire = make()

        async def idle() -> None:
            clock.now += 181

        async def close() -> None:
            await wire.call("closeSession")

        async def expire() -> None:
            wire.simulator.expire_session()

        for end in (idle, close, expire):
            await signed_in(wire)
            await wire.call("getMyPermissions")
            await end()
            assert await wire.fault("getMyPermissions") == "SessionClosedFault"

    async def test_keeps_its_settings(self, make: Callable[..., Wire], floor: Floor) -> None:
        """The settings of a living session can be changed and read back."""
        wire = await signed_in(make())
        changed = SETTINGS.replace("<shift", "<rollingPeriod>Today</rollingPeriod><shift")

        await wire.call("setSessionParameters", changed)
        answer = await wire.call("getSessionParameters")

        names = await wire.call("getDispositionsNames")

        assert [name.text for name in names] == list(floor.dispositions)
        assert text(answer, "rollingPeriod") == "Today"
        assert text(answer, "timeZone") == "-25200000"

    async def test_a_second_login_takes_over_only_by_force(self, make: Callable[..., Wire]) -> None:
        """A person who signs in with the user ends the session and must be forced out."""
        wire = await signed_in(make())
        force = SETTINGS.replace("<shift", "<forceLogoutSession>1</forceLogoutSession><shift")

        wire.simulator.log_in_elsewhere()

        assert await wire.fault("getMyPermissions") == "SessionClosedFault"
        assert await wire.fault("setSessionParameters", SETTINGS) == "UserAlreadyLoggedInFault"
        await wire.call("setSessionParameters", force)
        await wire.call("getMyPermissions")

    async def test_costs_a_licence(self, make: Callable[..., Wire], floor: Floor) -> None:
        """A session counts against the supervisor licences, and none is started without one."""
        wire = make(other_users={"second@example.com": "correct horse"})
        second = Wire(wire.simulator, "second@example.com")
        account = floor.account
        floor.account.supervisors_logged_in, floor.account.supervisors_limit = 0, 1

        await signed_in(wire)
        limits = await wire.call("getUserLimits")

        assert text(limits, "supervisorsLoggedin") == "1"
        assert text(limits, "supervisorLimit") == "1"
        assert await second.fault("setSessionParameters", SETTINGS) == "UserLimitReachedFault"
        await wire.call("closeSession")
        await second.call("setSessionParameters", SETTINGS)
        account.supervisors_logged_in = 7  # others
        assert text(await second.call("getUserLimits"), "supervisorsLoggedin") == "7"

    async def test_only_one_request_at_a_time(self, make: Callable[..., Wire]) -> None:
        """While a long poll waits, every other request of the user is refused and noted."""
        wire = await signed_in(make())
        since, _, _ = await wire.table("CampaignState")

        polled, refused = await asyncio.gather(
            wire.update("CampaignState", since, wait=5000), wire.fault("getUserLimits")
        )

        assert refused == "UserAlreadyLoggedInFault"
        assert len(polled) == 0
        assert [record.operation for record in wire.simulator.overlaps] == ["getUserLimits"]
        assert wire.simulator.max_in_flight == 2


class TestLimits:
    async def test_are_charged_and_refused(
        self, make: Callable[..., Wire], clock: VirtualClock
    ) -> None:
        """The third QueryStatistics operation of a minute is refused, the next minute's is not."""
        wire = make(limits=DEFAULT_LIMITS)
        clock.now += 45
        await wire.call("setSessionParameters", SETTINGS)
        await wire.call("getUserLimits")

        response = await wire.send("getStatistics", ACD)
        clock.now += 15
        await wire.call("getStatistics", ACD)

        assert fault_of(response) == "OperationsLimitExceededFault"
        fields = {child.tag: child.text for child in body_of(response).iterfind("detail/*/*")}
        assert fields["limit"] == "2"
        assert fields["operationType"] == "QueryStatistics"
        used = [wire.simulator.used("QueryStatistics", window) for window in (60, 3600, 86400)]
        assert used == [1, 3, 3]

    async def test_windows_follow_the_data_centre(
        self, make: Callable[..., Wire], clock: VirtualClock
    ) -> None:
        """Hours and days begin on the data centre's clock, not with the first request."""
        wire = make(zone="Asia/Kolkata", limits=DEFAULT_LIMITS)
        clock.now += 900  # 23:45 in India

        await wire.call("setSessionParameters", SETTINGS)
        clock.now += 901

        used = [wire.simulator.used("QueryStatistics", window) for window in (3600, 86400)]
        assert used == [0, 0]

    async def test_can_be_read_for_nothing(self, make: Callable[..., Wire]) -> None:
        """The counters are told per window, and asking for them is not counted."""
        wire = await signed_in(make(limits=DEFAULT_LIMITS))

        await wire.call("getCallCountersState")
        answer = await wire.call("getCallCountersState")

        told = {
            (state.findtext("operationType"), window.findtext("timeout")): (
                state.findtext("value"),
                state.findtext("limit"),
            )
            for window in answer
            for state in window.iterfind("callCounterStates")
        }
        assert told["QueryStatistics", "60"] == ("1", "2")
        assert told["QueryChangedStatistics", "86400"] == ("0", "24000")

    async def test_new_operation_types(self, make: Callable[..., Wire]) -> None:
        """Each report has as many new types as asked for, beside the two that are limited."""
        wire = await signed_in(make(new_operation_types=3))

        answers = [body_of(await wire.send("getCallCountersState")) for _ in range(2)]

        names = [
            {state.findtext("operationType") for state in answer.iter("callCounterStates")}
            for answer in answers
        ]
        assert names[0] & names[1] == {"QueryStatistics", "QueryChangedStatistics"}
        assert [len(types) for types in names] == [5, 5]


class TestTables:
    @pytest.mark.parametrize("switches", [{}, {"nil_style": "nil", "envelope_prefix": "S"}])
    @pytest.mark.parametrize("statistic_type", TYPES)
    async def test_answer_is_what_the_floor_shows(
        self, make: Callable[..., Wire], statistic_type: str, switches: dict[str, Any]
    ) -> None:
        """A full read is valid, has the key first and the rest in order, and equals the floor."""
        wire = await signed_in(make(**switches))
        name = f"<statisticType>{statistic_type}</statisticType>"

        _, columns, rows = await wire.table(statistic_type)
        names = await wire.call("getColumnNames", name)

        assert columns == [TYPES[statistic_type], *sorted(columns[1:])]
        assert (columns, rows) == wire.simulator.rows(statistic_type)
        assert cells(names.find("return")) == columns
        assert rows

    async def test_skills_count_agents_and_calls(
        self, make: Callable[..., Wire], floor: Floor
    ) -> None:
        """A skill's row gives all logged-in agents, those at work, and the calls that wait."""
        columns, rows = make().simulator.rows("ACDStatus")

        for row in (dict(zip(columns, cells, strict=True)) for cells in rows):
            queue = floor.queues[row["Skill Name"]]
            states = queue.agent_states
            busy = states["on_contact"] + states["on_hold"]
            logged_in = sum(states.values()) - states["logged_out"]
            working = states["ready"] + states["ringing"] + busy
            assert row["Agents Logged In"] == f"{logged_in} ({working})"
            assert row["Agents On Call"] == str(busy)
            assert row["Calls In Queue"] == str(queue.waiting_count)

    async def test_a_filter_chooses_and_orders_columns(self, make: Callable[..., Wire]) -> None:
        """The columns asked for come back, in the order they were asked for."""
        wire = await signed_in(make())
        data = "<data>Calls In Queue</data><data>Skill Name</data>"

        answer = await wire.call(
            "getStatistics", f"{ACD}<columnNames><values>{data}</values></columnNames>"
        )

        assert cells(answer.find("return/columns")) == ["Calls In Queue", "Skill Name"]
        assert {len(cells(row)) for row in answer.iterfind("return/rows")} == {2}

    @pytest.mark.parametrize(
        ("switches", "statistic_type", "column", "pattern"),
        [
            ({}, "AgentStatistics", "Utilization", r"\d+\.\d\d%"),
            ({"fcr_style": "count_percent"}, "AgentStatistics", "First Call Resolution", r".*%\)"),
            ({"state_case": "upper"}, "CampaignState", "State", r"[A-Z_]+"),
            ({"state_case": "lower"}, "AgentState", "State", r"[a-z ]+"),
            ({}, "AgentState", "State Since", r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d"),
            ({}, "AgentState", "State Duration", r"\d+"),
            ({"stream_durations": True}, "AgentState", "State Duration", r"(0|\d*[05]000)"),
        ],
    )
    async def test_cells_have_the_style_that_is_switched_on(
        self,
        make: Callable[..., Wire],
        switches: dict[str, Any],
        statistic_type: str,
        column: str,
        pattern: str,
    ) -> None:
        """Shares, counts, states, instants and durations are written as the switch says."""
        columns, rows = make(**switches).simulator.rows(statistic_type)

        written = {row[columns.index(column)] for row in rows}
        assert written == {cell for cell in written if re.fullmatch(pattern, cell)}

    async def test_permissions_hide_tables_and_rows(self, make: Callable[..., Wire]) -> None:
        """A missing permission is a fault or an empty table; without AllSkills no skill is seen."""
        wire = await signed_in(make())
        wire.simulator.permissions |= {"Campaigns": False, "AllSkills": False}

        fault = await wire.fault("getStatistics", ACD.replace("ACDStatus", "CampaignState"))
        wire.simulator.missing_permission = "empty"
        _, columns, campaigns = await wire.table("CampaignState")
        _, _, skills = await wire.table("ACDStatus")

        assert fault == "ServerFault"
        assert (columns[0], campaigns, skills) == ("Campaign Name", [], [])

    async def test_permissions_bar_the_service_and_hide_agents(
        self, make: Callable[..., Wire]
    ) -> None:
        """Without the right to use the service all is refused; without groups no agent is seen."""
        wire = await signed_in(make())
        wire.simulator.permissions |= {"ViewDataForAllAgentGroups": False}

        _, _, rows = await wire.table("AgentState")
        answer = await wire.call("getMyPermissions")
        wire.simulator.permissions["CanUseSupervisorSoapApi"] = False

        granted = {each.findtext("type"): each.findtext("value") for each in answer}
        assert rows == []
        assert (granted["Agents"], granted["ViewDataForAllAgentGroups"]) == ("true", "false")
        assert await wire.fault("getApiVersions") == "AccessDisallowedFault"


class TestUpdates:
    @pytest.mark.parametrize("stream", [False, True])
    @pytest.mark.parametrize("statistic_type", TYPES)
    async def test_carry_a_table_along(
        self,
        make: Callable[..., Wire],
        floor: Floor,
        clock: VirtualClock,
        statistic_type: str,
        stream: bool,
    ) -> None:
        """A table that is updated again and again stays equal to a full read."""
        wire = make(stream_durations=stream, tick=lambda: floor.advance(clock.now))
        await signed_in(wire)
        stamp, columns, rows = await wire.table(statistic_type)
        table = {row[0]: dict(zip(columns, row, strict=True)) for row in rows}

        for _ in range(20):
            answer = await wire.update(statistic_type, stamp, wait=20_000)
            if len(answer):
                assert int(text(answer, "previousTimestamp")) == stamp
                stamp = int(text(answer, "lastTimestamp"))
                apply(table, columns, answer)

        expected_columns, expected = wire.simulator.rows(statistic_type)
        silent = set() if stream else SILENT_COLUMNS
        kept = [i for i, name in enumerate(expected_columns) if name not in silent]
        assert sorted([table[key][columns[i]] for i in kept] for key in table) == sorted(
            [row[i] for i in kept] for row in expected
        )

    async def test_name_what_came_and_went(self, make: Callable[..., Wire], floor: Floor) -> None:
        """New and vanished skills are announced, and a new one brings all its cells."""
        wire = await signed_in(make())
        since, columns, rows = await wire.table("ACDStatus")
        floor.add_queue("Warranty")
        floor.remove_queue(rows[0][0])

        answer = await wire.update("ACDStatus", since)

        assert cells(answer.find("return/addedObjects")) == ["Warranty"]
        assert cells(answer.find("return/deletedObjects")) == [rows[0][0]]
        changed = [
            (change.findtext("objectName"), change.findtext("columnName"))
            for change in answer.iterfind("return/dataUpdate")
        ]
        assert [c for o, c in changed if o == "Warranty"] == columns

    async def test_may_keep_quiet_about_new_objects(
        self, make: Callable[..., Wire], floor: Floor
    ) -> None:
        """Old endpoints do not announce new objects, and some send empty containers."""
        wire = await signed_in(make(announce_added=False, empty_containers=True))
        since, _, _ = await wire.table("ACDStatus")
        floor.add_queue("Warranty")

        answer = await wire.update("ACDStatus", since)

        assert answer.find("return/addedObjects") is None
        assert len(answer.find("return/deletedObjects/values")) == 0
        assert answer.find("return/dataUpdate") is not None

    async def test_need_the_columns_of_before(self, make: Callable[..., Wire]) -> None:
        """A table whose columns have changed can only be read anew."""
        wire = await signed_in(make())
        since, _, _ = await wire.table("AgentStatistics")
        wire.simulator.floor.dispositions = wire.simulator.floor.dispositions[1:]

        fault = await wire.fault("getStatisticsUpdate", update_of("AgentStatistics", since))

        assert fault == "ConfigurationChangedFault"

    async def test_wait_until_something_changes(
        self, make: Callable[..., Wire], floor: Floor, clock: VirtualClock
    ) -> None:
        """A poll ends with the first change, or empty when its time is over."""
        name = next(name for name, queue in floor.queues.items() if queue.media == "voice")

        def tick() -> None:
            floor.queues[name].callbacks_waiting = 7 if clock.now >= START + 5.5 else 0

        wire = await signed_in(make(tick=tick))
        since, _, _ = await wire.table("ACDStatus")
        first = await wire.update("ACDStatus", since, wait=3500)
        waited = clock.now - START
        second = await wire.update("ACDStatus", since, wait=10_000)

        assert (len(first), waited) == (0, 3.5)
        assert second.findtext("return/dataUpdate/columnValue") == "7"
        assert clock.now == START + 5.5
        assert [record.outcome for record in wire.simulator.log[-2:]] == ["nothing", "ok"]

    async def test_end_with_the_session(self, make: Callable[..., Wire]) -> None:
        """A session that is lost during a poll ends the poll with a fault."""
        wire = make()
        await signed_in(wire)
        since, _, _ = await wire.table("CampaignState")
        wire.simulator.tick = wire.simulator.expire_session

        fault = await wire.fault("getStatisticsUpdate", update_of("CampaignState", since, 5000))

        assert fault == "SessionClosedFault"

    async def test_need_a_known_timestamp(self, make: Callable[..., Wire]) -> None:
        """Each type keeps its own newest two timestamps and needs a full read first."""
        wire = await signed_in(make())
        stamps = [(await wire.table("ACDStatus"))[0] for _ in range(3)]
        refused = [await wire.fault("getStatisticsUpdate", update_of("ACDStatus", stamps[0]))]

        await wire.update("ACDStatus", stamps[1])
        await wire.update("ACDStatus", stamps[2])
        refused += [await wire.fault("getStatisticsUpdate", update_of("AgentState", stamps[2]))]
        wire.simulator.forget_timestamps()
        refused += [await wire.fault("getStatisticsUpdate", update_of("ACDStatus", stamps[2]))]

        assert stamps == sorted(set(stamps))
        unknown = "UnknownTimestampFault"
        assert refused == [unknown, "StatisticsNotRequestedFault", unknown]

    def test_running_durations_are_silent(self) -> None:
        """A duration that merely runs on is sent only along with another change."""
        columns = ["Username", "State", "State Duration"]
        before = Table(columns, {"a": ["a", "Ready", "1000"], "b": ["b", "Ready", "9000"]})
        later = Table(columns, {"a": ["a", "Ready", "2000"], "b": ["b", "Ready", "500"]})
        changed = Table(columns, {"a": ["a", "Not Ready", "2000"], "b": ["b", "Ready", "9500"]})
        silent = ["State Duration"]

        assert compare(before, later).changes == [
            ("a", "State Duration", "2000"),
            ("b", "State Duration", "500"),
        ]
        assert compare(before, later, silent=silent).changes == [("b", "State Duration", "500")]
        assert compare(before, changed, silent=silent).changes == [
            ("a", "State", "Not Ready"),
            ("a", "State Duration", "2000"),
        ]


class TestFailures:
    @pytest.mark.parametrize("name", ["ServerFault", "Server", "OperationsLimitExceeded"])
    async def test_can_be_a_fault(self, make: Callable[..., Wire], name: str) -> None:
        """Any fault can be ordered by its name, for one operation only if need be."""
        wire = await signed_in(make())
        wire.simulator.fail_next(f"fault:{name}", target="getStatistics")

        await wire.call("getMyPermissions")
        fault = await wire.fault("getStatistics", ACD)

        assert fault == f"{name.removesuffix('Fault')}Fault"

    @pytest.mark.parametrize("kind", ["cut", "garbage", "doctype"])
    async def test_can_be_bytes_that_are_no_answer(
        self, make: Callable[..., Wire], kind: str
    ) -> None:
        """A body can be cut off, be no XML, or bring a document type, under a status of 200."""
        wire = await signed_in(make())
        wire.simulator.fail_next(kind)

        response = await wire.send("getStatistics", ACD)

        assert response.status_code == 200
        assert "xml" in response.headers["content-type"]
        if kind == "doctype":
            assert "<!ENTITY" in response.text
            assert "&bomb;" in response.text
        else:
            with pytest.raises(etree.XMLSyntaxError):
                etree.fromstring(response.content)

    async def test_can_spoil_a_table(self, make: Callable[..., Wire]) -> None:
        """One full read can be empty, blank, mistyped or have other columns; the next is right."""
        wire = await signed_in(make())
        right = (await wire.table("ACDStatus"))[1:]
        spoiled = {}
        for kind in (
            "empty_table",
            "blank_rows",
            "wrong_type",
            "missing_column:Total VMs",
            "extra_column:Moons",
            "no_columns",
            "blank_row",
            "short_row",
            "short_rows",
            "long_row",
            "row_twice",
        ):
            wire.simulator.fail_next(kind)
            await wire.call("getMyPermissions")
            spoiled[kind] = (await wire.table("ACDStatus"))[1:]
            assert (await wire.table("ACDStatus"))[1:] == right

        assert spoiled["empty_table"] == (right[0], [])
        assert {cell for row in spoiled["blank_rows"][1] for cell in row} == {""}
        assert [cell for row in spoiled["wrong_type"][1] for cell in row].count("n/a") == 1
        assert "Total VMs" not in spoiled["missing_column:Total VMs"][0]
        assert spoiled["extra_column:Moons"][0][-1] == "Moons"
        assert spoiled["no_columns"] == ([], right[1])
        assert not any(spoiled["blank_row"][1][0])
        assert spoiled["blank_row"][1][1:] == right[1][1:]
        width = len(right[0])
        widths = {kind: [len(row) for row in rows] for kind, (_, rows) in spoiled.items()}
        others = [width] * (len(right[1]) - 1)
        assert widths["short_row"] == [width - 1, *others]
        assert widths["short_rows"] == [width - 1] * len(right[1])
        assert widths["long_row"] == [width + 1, *others]
        assert spoiled["row_twice"] == (right[0], [*right[1], right[1][0]])

    async def test_is_logged_like_everything_else(
        self, make: Callable[..., Wire], clock: VirtualClock
    ) -> None:
        """Each request is recorded with operation, type, user, times and outcome."""
        wire = await signed_in(make())
        since, _, _ = await wire.table("CampaignState")
        await wire.update("CampaignState", since, wait=2000)
        await wire.fault("getStatistics", "<statisticType>Speed</statisticType>")

        seen = [(r.operation, r.statistic_type, r.outcome) for r in wire.simulator.log[1:]]
        assert seen == [
            ("getStatistics", "CampaignState", "ok"),
            ("getStatisticsUpdate", "CampaignState", "nothing"),
            ("getStatistics", "Speed", "IncorrectArgument"),
        ]
        polled = wire.simulator.log[2]
        assert (polled.user, polled.start, polled.end) == (
            "supervisor@example.com",
            START,
            clock.now,
        )
