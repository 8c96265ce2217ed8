"""The vendor's own client reads the Voximplant simulator over TLS."""

import ipaddress
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from voximplant.apiclient import VoximplantAPI, VoximplantException

from exporter.clock import SystemClock
from exporter.simulators.floor.floor import Floor
from exporter.simulators.voximplant.simulator import VoximplantSimulator

pytestmark = pytest.mark.real


@pytest.fixture
def simulator() -> VoximplantSimulator:
    start = time.time()
    floor = Floor(start=start - 3600, time_zone="America/Los_Angeles")
    floor.advance(start)
    return VoximplantSimulator(floor, SystemClock())


class Certificates:
    """A certificate authority of one test, and what it has signed for this machine."""

    def __init__(self, folder: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        own = ec.generate_private_key(ec.SECP256R1())
        authority = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a test's authority")])
        server = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
        here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        root = (
            _certificate(authority, authority, key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(identifier, critical=False)
            .sign(key, hashes.SHA256())
        )
        leaf = (
            _certificate(server, authority, own.public_key())
            .add_extension(here, critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier),
                critical=False,
            )
            .sign(key, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        self.bundle = folder / "authority.pem"
        self.bundle.write_bytes(root.public_bytes(pem))
        self.certificate = folder / "server.pem"
        self.certificate.write_bytes(leaf.public_bytes(pem))
        self.key = folder / "server.key"
        self.key.write_bytes(
            own.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(hours=1))
    )


@pytest.fixture
def client(
    simulator: VoximplantSimulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[VoximplantAPI]:
    """Give the vendor's client, which trusts the simulator's certificate and has its key."""
    certificates = Certificates(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates.bundle))
    credentials = tmp_path / "credentials.json"
    credentials.write_text(json.dumps(simulator.credentials()), encoding="utf-8")
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        simulator.app,
        log_level="warning",
        lifespan="off",
        ssl_certfile=certificates.certificate,
        ssl_keyfile=certificates.key,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield VoximplantAPI(str(credentials), endpoint=f"127.0.0.1:{listener.getsockname()[1]}")
    server.should_exit = True
    thread.join()
    listener.close()


def midnight(simulator: VoximplantSimulator) -> datetime:
    """Return an instant before everything that the floor has to tell."""
    return datetime.fromtimestamp(simulator.floor.now - 86_400, UTC)


def test_the_client_reads_the_state_of_queues(
    simulator: VoximplantSimulator, client: VoximplantAPI
) -> None:
    """GetACDState comes through, with its dates made out by the client."""
    state = client.get_acd_state("all")["result"]["acd_queues"]
    raw = simulator.answer("GetACDState")["result"]["acd_queues"]

    counts = ("ready_operators_count", "locked_operators_count", "after_service_operator_count")
    assert [[each[name] for name in counts] for each in state] == [
        [each[name] for name in counts] for each in raw
    ]
    dates = [row["unreached"] for each in state for row in each["locked_operators"]]
    dates += [row["begin_time"] for each in state for row in each["waiting_calls"]]
    assert all(date.tzinfo is not None for date in dates)


@pytest.mark.parametrize("shape", ["object", "array"])
def test_the_client_reads_the_statistics_of_statuses(
    simulator: VoximplantSimulator, client: VoximplantAPI, shape: str
) -> None:
    """GetACDOperatorStatusStatistics comes through in either shape, with semicolon lists."""
    simulator.status_shape = "array" if shape == "array" else "object"
    rows = client.get_acd_operator_status_statistics(
        midnight(simulator),
        [1001, 1002],
        acd_status=["READY", "OFFLINE"],
        aggregation="hour",
        group="user",
    )["result"]

    assert [row["user_id"] for row in rows] == [1001, 1002]
    statuses = [statistic["acd_status"] for row in rows for statistic in row["statistics"]]
    assert statuses
    for status in statuses:
        assert isinstance(status, list) is (shape == "array")
        figures = (
            {name: stat for part in status for name, stat in part.items()}
            if (shape == "array")
            else status
        )
        assert set(figures) <= {"READY", "OFFLINE"}
        assert all(stat["avg"] == stat["sum"] // stat["count"] for stat in figures.values())


def test_the_client_reads_the_statistics_of_operators(
    simulator: VoximplantSimulator, client: VoximplantAPI
) -> None:
    """GetACDOperatorStatistics comes through, with the client's False for long keys."""
    rows = client.get_acd_operator_statistics(
        midnight(simulator), "all", abbreviation=False, report="all"
    )["result"]

    handled = {agent.id: agent.day.handled for agent in simulator.floor.agents.values()}
    assert rows
    for row in rows:
        assert row["statistics"][0]["AnsweredCalls"] == handled[row["user_id"]]


def test_the_client_reads_the_statistics_of_queues(
    simulator: VoximplantSimulator, client: VoximplantAPI
) -> None:
    """GetACDQueueStatistics comes through, for one queue at a time and by day."""
    queue = next(iter(simulator.floor.queues.values()))
    rows = client.get_acd_queue_statistics(
        midnight(simulator), [queue.id], abbreviation=True, report="all", aggregation="day"
    )["result"]

    assert sum(row["AC"][0]["count"] for row in rows) == queue.day.answered
    assert all(row["date"].year for row in rows)


def test_the_client_reads_smart_queue(
    simulator: VoximplantSimulator, client: VoximplantAPI
) -> None:
    """GetSQState comes through, with the dates of statuses made out by the client."""
    state = client.get_sq_state(application_id=5001, sq_queue_id="all", timezone="Etc/GMT")
    queues = {each["sq_queue_name"]: each for each in state["result"]}

    assert list(queues) == list(simulator.floor.queues)
    for name, each in queues.items():
        ready = Counter(
            agent["sq_statuses"][0]["CALL"]["sq_status_name"] for agent in each["sq_agents"]
        )["READY"]
        assert ready == simulator.floor.queue_agents(name)["ready"]
        dates = [agent["sq_statuses"][0]["CALL"]["from_date"] for agent in each["sq_agents"]]
        assert all(isinstance(date, datetime) for date in dates)


def test_the_client_reads_users(simulator: VoximplantSimulator, client: VoximplantAPI) -> None:
    """GetUsers comes through, page by page, with the client's True for queues."""
    pages = [
        client.get_users(application_id=5001, with_queues=True, count=25, offset=offset)
        for offset in (0, 25, 50)
    ]
    rows = [row for page in pages for row in page["result"]]

    assert [page["total_count"] for page in pages] == [len(simulator.floor.agents)] * 3
    assert {row["user_id"] for row in rows} == {
        agent.id for agent in simulator.floor.agents.values()
    }
    assert all("acd_queues" in row for row in rows)


def test_the_client_reads_the_account(
    simulator: VoximplantSimulator, client: VoximplantAPI
) -> None:
    """GetAccountInfo comes through, with money, address and the planted secrets."""
    answer = client.get_account_info()

    assert answer["result"]["balance"] == round(simulator.floor.account.balance, 4)
    assert answer["api_address"] == "api.voximplant.com"
    assert answer["result"]["api_key"] == simulator.secrets["api_key"]


@pytest.mark.parametrize("status", [200, 401])
def test_the_client_sees_refusals(
    simulator: VoximplantSimulator, client: VoximplantAPI, status: int
) -> None:
    """An error in the body reaches the client's caller as its code, whatever the HTTP status."""
    simulator.auth_status = 401 if status == 401 else 200
    simulator.clock_ahead = 3600.0
    with pytest.raises(VoximplantException) as expired:
        client.get_account_info()
    simulator.clock_ahead = 0.0
    simulator.fail_next("html502")
    with pytest.raises(VoximplantException, match="502 Bad Gateway"):
        client.get_account_info()

    assert (expired.value.code, expired.value.message) == (456, "The token has expired.")
