"""Independent SOAP clients read the Five9 simulator over a socket."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import five9
import pytest
import requests
import uvicorn
import zeep

from exporter.clock import SystemClock
from exporter.simulators.five9.simulator import Five9Simulator
from exporter.simulators.floor.floor import Floor

REAL_WSDL = Path(__file__).parents[3] / "../shared/reference/data/SupervisorWebService-v9_5.wsdl"

pytestmark = pytest.mark.real


@pytest.fixture
def simulator() -> Five9Simulator:
    start = time.time()
    floor = Floor(start=start - 600, time_zone="America/Los_Angeles")
    floor.advance(start)
    return Five9Simulator(floor, SystemClock())


@pytest.fixture
def address(simulator: Five9Simulator) -> Iterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(simulator.app, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    port = listener.getsockname()[1]
    yield f"http://127.0.0.1:{port}/wssupervisor/v13/SupervisorWebService"
    server.should_exit = True
    thread.join()
    listener.close()


@pytest.fixture
def session(simulator: Five9Simulator) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.auth = (simulator.username, simulator.password)
        yield session


def plain(statistics: Any) -> tuple[list[str], list[list[str]]]:
    rows = [[cell or "" for cell in row.values.data] for row in statistics.rows]
    return statistics.columns["values"].data, rows


@pytest.mark.skipif(
    not REAL_WSDL.is_file(),
    reason=f"THE VENDOR'S OWN WSDL IS MISSING, its client cannot be tested: {REAL_WSDL}",
)
def test_zeep_reads_it_with_the_description_of_the_platform(
    simulator: Five9Simulator, address: str, session: requests.Session
) -> None:
    """A plain zeep client on the vendor's own WSDL signs in, reads a table and signs out."""
    client = zeep.Client(str(REAL_WSDL), transport=zeep.Transport(session=session))
    binding = "{http://service.supervisor.ws.five9.com/}WsSupervisorServiceSoapBinding"
    service = client.create_service(binding, address)

    service.setSessionParameters({"shiftStart": 0, "timeZone": -25200000})
    statistics = service.getStatistics("ACDStatus")
    update = service.getStatisticsUpdate("ACDStatus", statistics.timestamp, 0)
    service.closeSession()

    assert plain(statistics) == simulator.rows("ACDStatus")
    assert update is None


def test_the_public_client_reads_it(
    simulator: Five9Simulator, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client that others use with Five9 loads the description, signs in and reads a table."""
    monkeypatch.setattr(five9.Five9, "WSDL_SUPERVISOR", f"{address}?wsdl&user=%s")

    supervisor = five9.Five9(simulator.username, simulator.password).supervisor
    statistics = supervisor.getStatistics("ACDStatus")

    columns, rows = plain(statistics)
    records = five9.Five9.parse_response(columns, statistics.rows)
    assert (columns, rows) == simulator.rows("ACDStatus")
    assert [record["Skill Name"] for record in records] == [row[0] for row in rows]
