"""Tests of the site: formats, encodings, HEAD, unknown paths, route prefixes, a real socket."""

import asyncio
import gzip
import re
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from exporter.errors import ConfigError
from exporter.exposition.encoding import Format
from exporter.exposition.page import Page
from exporter.exposition.publisher import Publisher
from exporter.exposition.store import Limits, SnapshotStore
from exporter.metrics import families as f
from exporter.metrics.counters import Counters
from exporter.metrics.mapping import Mapped, Series
from exporter.metrics.snapshot import make_snapshot
from exporter.status import AccountStatus, Failure, Overview
from exporter.telemetry import Telemetry
from exporter.web.answers import Answers
from exporter.web.config import WebConfigWatcher
from exporter.web.server import Server
from exporter.web.site import Paths, Site, choose_format, quality
from exporter.web.sockets import Address
from support.certificates import Authority

pytestmark = pytest.mark.anyio
PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1"
    ";q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


DEFAULT = Paths()
FAMILIES = [f.QUEUE_CONTACTS_WAITING, f.CAMPAIGN_DIALS, f.QUEUE_AGENTS, f.QUEUE_LONGEST_WAIT]


class Bench:
    """A site with two figures on its page."""

    def __init__(self, paths: Paths = DEFAULT) -> None:
        self.store = SnapshotStore()
        self.store.add_account("acme", ["a"], Limits(1000))
        mapped = Mapped()
        for family in (f.QUEUE_CONTACTS_WAITING, f.CAMPAIGN_DIALS):
            mapped.series[family] = Series([b'{queue="Sales"} '], [3], None)
        snapshot = make_snapshot(
            "acme", "a", mapped, Counters(), taken_at=0.0, source_at=None, expires_at=1e9
        )
        self.store.put(snapshot)
        self.telemetry = Telemetry()
        self.is_ready = False
        self.publisher = Publisher(self.store, self.telemetry.exposed_families, lambda: 100.0)
        self.site = Site(self.publisher, self.telemetry, lambda: self.is_ready, paths=paths)
        transport = httpx.ASGITransport(self.site)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://exporter")

    def requests(self, code: str) -> float | None:
        sample = self.telemetry.registry.get_sample_value
        return sample("contactcenter_exporter_http_requests_total", {"code": code})


async def test_text_is_the_default() -> None:
    """A client without wishes gets text 0.0.4, plain."""
    answer = await Bench().client.get("/metrics", headers={"accept": "*/*", "accept-encoding": ""})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == Format.TEXT.value
    assert "content-encoding" not in answer.headers
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert "contactcenter_queue_contacts_waiting" in {m.name for m in read_text(answer.text)}


async def test_prometheus_gets_openmetrics_gzipped() -> None:
    """What Prometheus sends is answered in OpenMetrics, compressed, and reads back."""
    headers = {"accept": PROMETHEUS, "accept-encoding": "gzip"}
    answer = await Bench().client.get("/metrics", headers=headers)
    assert answer.headers["content-type"] == Format.OPENMETRICS.value
    assert answer.headers["content-encoding"] == "gzip"
    names = {family.name for family in read_openmetrics(answer.text)}
    assert {"contactcenter_queue_contacts_waiting", "contactcenter_campaign_dials"} <= names


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", Format.TEXT),
        ("text/plain", Format.TEXT),
        ("application/openmetrics-text", Format.OPENMETRICS),
        ("application/openmetrics-text;q=0", Format.TEXT),
        ("application/openmetrics-text;q=0.2, text/plain;q=0.8", Format.TEXT),
        ("text/plain;q=0.5, application/openmetrics-text;q=0.5", Format.OPENMETRICS),
        ("application/json", Format.TEXT),
        ("application/openmetrics-text;q=nonsense", Format.TEXT),
        (PROMETHEUS, Format.OPENMETRICS),
    ],
)
def test_formats_are_negotiated(accept: str, expected: Format) -> None:
    """The format with the higher quality wins; text where nothing is said."""
    assert choose_format(accept) is expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("gzip", 1.0),
        ("gzip;q=0", 0.0),
        ("deflate, gzip;q=0.4", 0.4),
        ("*", 1.0),
        ("*;q=0.3, gzip;q=0", 0.0),
        ("identity", 0.0),
        ("GZIP ; Q=0.7", 0.7),
        ("gzip;q=7", 1.0),
    ],
)
def test_qualities_are_read(header: str, expected: float) -> None:
    """Quality values are read as HTTP has them, and bounded."""
    assert quality(header, ["gzip"]) == expected


async def test_head_has_headers_only() -> None:
    """HEAD is answered like GET, without a body."""
    bench = Bench()
    head = await bench.client.head("/metrics")
    get = await bench.client.get("/metrics")
    assert head.content == b""
    assert head.headers["content-type"] == get.headers["content-type"]
    assert int(head.headers["content-length"]) > 0


async def test_names_are_filtered() -> None:
    """``name[]`` leaves the families asked for."""
    wanted = "contactcenter_campaign_dials_total"
    answer = await Bench().client.get("/metrics", params={"name[]": wanted})
    assert answer.text.count("# TYPE") == 1
    assert f'{wanted}{{queue="Sales"}} 3' in answer.text


async def test_accounts_are_filtered() -> None:
    """``account`` leaves the accounts asked for, and goes with ``name[]``."""
    bench = Bench()
    bench.store.add_account("beta", ["a"], Limits(1000))
    bench.telemetry.up.labels("five9", "acme").set(1)
    bench.telemetry.up.labels("five9", "beta").set(0)
    bench.publisher = Publisher(bench.store, bench.telemetry.exposed_families, lambda: 100.0)
    bench.site = Site(bench.publisher, bench.telemetry, lambda: True)
    transport = httpx.ASGITransport(bench.site)
    async with httpx.AsyncClient(transport=transport, base_url="http://exporter") as client:
        acme, beta, both, none = [
            (await client.get("/metrics", params={"account": names})).text
            for names in (["acme"], ["beta"], ["acme", "beta"], [""])
        ]
        dials = await client.get(
            "/metrics", params={"account": "acme", "name[]": "contactcenter_campaign_dials_total"}
        )

    assert 'queue="Sales"' in acme
    assert 'contactcenter_up{account="acme",provider="five9"} 1.0' in acme
    assert "beta" not in acme
    assert beta.splitlines()[2:] == ['contactcenter_up{account="beta",provider="five9"} 0.0']
    assert both.count("contactcenter_up{") == 2
    assert "process_start_time_seconds" in none
    assert "process_start_time_seconds" not in both
    assert "acme" not in none
    assert dials.text.count("# TYPE") == 1


async def test_a_name_that_is_no_account() -> None:
    """An account that is not configured is not found, also beside one that is."""
    bench = Bench()
    for names in (["acme-u"], ["acme", "nobody"]):
        answer = await bench.client.get("/metrics", params={"account": names})

        assert answer.status_code == 404
        assert answer.text == f"no such account: {names[-1]}\n"
        assert answer.headers["content-type"].startswith("text/plain")


async def test_unknown_paths_and_methods() -> None:
    """Other paths are not found, other methods are not allowed, and both are counted."""
    bench = Bench()
    assert (await bench.client.get("/nothing")).status_code == 404
    assert (await bench.client.post("/metrics")).status_code == 405
    assert bench.requests("404") == 1
    assert bench.requests("405") == 1


async def test_health() -> None:
    """Healthy at once; ready when every account has been tried."""
    bench = Bench()
    assert (await bench.client.get("/-/healthy")).status_code == 200
    assert (await bench.client.get("/-/ready")).status_code == 503
    bench.is_ready = True
    assert (await bench.client.get("/-/ready")).status_code == 200


async def test_landing_page_links() -> None:
    """The landing page names the version and links to everything."""
    answer = await Bench().client.get("/")
    assert "text/html" in answer.headers["content-type"]
    for path in ("/metrics", "/-/healthy", "/-/ready"):
        assert f'href="{path}"' in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("telemetry", "url", "prefix", "expected"),
    [
        ("/metrics", None, None, Paths()),
        ("/m", None, None, Paths("/m")),
        ("/metrics", "http://host:9000", None, Paths()),
        ("/metrics", "https://host/", None, Paths()),
        ("/metrics", "https://host/cc/", None, Paths(prefix="/cc", external="/cc")),
        ("/metrics", "https://host/a/b", None, Paths(prefix="/a/b", external="/a/b")),
        ("/metrics", "https://host/cc", "/", Paths(external="/cc")),
        ("/metrics", "https://host/cc", "inner/", Paths(prefix="/inner", external="/cc")),
        ("/metrics", None, "/cc", Paths(prefix="/cc")),
        ("/metrics", None, "", Paths()),
    ],
)
def test_paths_are_read(
    telemetry: str, url: str | None, prefix: str | None, expected: Paths
) -> None:
    """The prefix is the external URL's path where nothing else is said."""
    assert Paths.parse(telemetry, url, prefix) == expected


@pytest.mark.parametrize(
    ("telemetry", "url", "prefix", "says"),
    [
        ("/", None, None, "'/' is the path of another page"),
        ("/-/healthy", None, None, "'/-/healthy' is the path of another page"),
        ("/config", None, None, "'/config' is the path of another page"),
        ("metrics", None, None, "'metrics' is not a path"),
        ("/a b", None, None, "'/a b' is not a path"),
        ("/metrics", "host/cc", None, "--web.external-url: expected a URL"),
        ("/metrics", "ftp://host/cc", None, "--web.external-url: expected a URL"),
        ("/metrics", "http://user:hunter2@host/", None, "--web.external-url: expected a URL"),
        ("/metrics", "http://host/?q", None, "--web.external-url: expected a URL"),
        ("/metrics", "http://host:99999/", None, "--web.external-url: expected a URL"),
        ("/metrics", "http://host/a b", None, "--web.external-url: '/a b' is not a plain path"),
        ("/metrics", None, "/a?b", "--web.route-prefix: '/a?b' is not a plain path"),
        ("/metrics", None, "//evil.example", "--web.route-prefix: '//evil.example' is not"),
    ],
)
def test_bad_paths(telemetry: str, url: str | None, prefix: str | None, says: str) -> None:
    """What is no path, or another page's, is refused by the option's name."""
    with pytest.raises(ConfigError, match=r"^--web") as raised:
        Paths.parse(telemetry, url, prefix)
    assert says in str(raised.value)
    assert "hunter2" not in str(raised.value)


def below(*options: str) -> Bench:
    return Bench(Paths(*options))


@pytest.mark.parametrize("path", ["/cc/", "/cc/metrics", "/cc/-/healthy", "/cc/config"])
async def test_below_the_prefix(path: str) -> None:
    """Every page is below the prefix, with its query."""
    answer = await below("/metrics", "/cc", "/cc").client.get(f"{path}?name[]=none")
    assert answer.status_code == 200
    assert bool(answer.text) is (path in ("/cc/", "/cc/-/healthy"))


@pytest.mark.parametrize("path", ["/metrics", "/ccx/metrics", "/-/healthy", "/cc/nothing"])
async def test_outside_the_prefix(path: str) -> None:
    """What is not below the prefix is not found."""
    bench = below("/metrics", "/cc", "/cc")
    answer = await bench.client.get(path)
    assert answer.status_code == 404
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert bench.requests("404") == 1


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("path", ["/", "/cc"])
async def test_the_root_leads_to_the_prefix(path: str, method: str) -> None:
    """The root, and the prefix without its slash, redirect to the status page."""
    bench = below("/metrics", "/cc", "/cc")
    answer = await bench.client.request(method, path)
    assert (answer.status_code, answer.headers["location"]) == (302, "/cc/")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert bench.requests("302") == 1


@pytest.mark.parametrize(
    ("options", "root", "links"),
    [
        (("/metrics", "/cc", "/cc"), "/cc/", ["/cc/metrics", "/cc/-/healthy"]),
        (("/metrics", "/in", "/cc"), "/in/", ["/cc/metrics", "/cc/-/healthy"]),
        (("/metrics", "", "/cc"), "/", ["/cc/metrics", "/cc/-/healthy"]),
        (("/probe/m", "", ""), "/", ["/probe/m", "/-/healthy"]),
        (("/probe/m", "/cc", "/cc"), "/cc/", ["/cc/probe/m", "/cc/-/healthy"]),
    ],
)
async def test_links_carry_the_external_path(
    options: tuple[str, ...], root: str, links: list[str]
) -> None:
    """Links lead where a browser finds the pages, whatever a proxy takes away."""
    page = (await below(*options).client.get(root)).text
    assert re.findall('href="([^"]+)"', page)[:2] == links


async def test_a_proxy_that_takes_its_part_away() -> None:
    """With an empty route prefix links carry the external path, and requests do not."""
    bench = below("/metrics", "", "/cc")
    assert (await bench.client.get("/metrics")).status_code == 200
    assert (await bench.client.get("/cc/metrics")).status_code == 404


async def test_another_telemetry_path() -> None:
    """The metrics are at the given path, and nowhere else."""
    bench = below("/probe/m")
    assert "contactcenter_queue_contacts_waiting" in (await bench.client.get("/probe/m")).text
    assert (await bench.client.get("/metrics")).status_code == 404
    assert (await bench.client.get("/-/healthy")).status_code == 200


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [(":10077", "", 10077), ("127.0.0.1:1", "127.0.0.1", 1), ("[::1]:80", "::1", 80)],
)
def test_addresses(text: str, host: str, port: int) -> None:
    """Addresses are read and written in the same way."""
    address = Address.parse(text)
    assert (address.host, address.port) == (host, port)
    assert str(address) == text


@pytest.mark.parametrize("text", ["", "10077", "host:", "host:x", "host:65536", ":-1"])
def test_bad_addresses(text: str) -> None:
    """What is no address is refused."""
    with pytest.raises(ValueError, match="is not an address"):
        Address.parse(text)


@pytest.mark.parametrize("host", ["127.0.0.1", "", "::1"])
def test_a_real_socket(host: str) -> None:
    """The site is served on a real socket, on IPv4 and IPv6, and stops when told."""
    if host == "::1" and not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    bench = Bench()
    server = Server(bench.site, Address(host, 0), "test")
    server.start()
    shown = Address(host or "127.0.0.1", server.address.port)
    try:
        answer = httpx.get(f"http://{shown}/metrics", trust_env=False)
        raw = httpx.get(
            f"http://{shown}/metrics", headers={"accept-encoding": "gzip"}, trust_env=False
        )
    finally:
        server.stop()
    assert "server" not in answer.headers
    assert answer.text == raw.text
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://{shown}/metrics", trust_env=False)


@contextmanager
def serving(series: int, watcher: WebConfigWatcher | None = None) -> Iterator[tuple[Server, bytes]]:
    """Serve a page of many blocks, and return it too."""
    bench = Bench()
    for account in range(120):
        bench.store.add_account(f"a{account}", ["a"], Limits(4 * series))
        mapped = Mapped()
        for family in FAMILIES:
            labels = [f'{{account="a{account}",queue="q{at}"}} '.encode() for at in range(series)]
            mapped.series[family] = Series(labels, list(range(series)), None)
        bench.store.put(
            make_snapshot(
                f"a{account}", "a", mapped, Counters(), taken_at=0.0, source_at=None, expires_at=1e9
            )
        )
    bench.publisher.renew()
    page = b"".join(bench.publisher.page.body(Format.TEXT, gzip=False)[0])
    server = Server(bench.site, Address("127.0.0.1", 0), "test", watcher=watcher)
    server.start()
    try:
        yield server, page
    finally:
        server.stop()


def receive(client: socket.socket, size: int) -> bytes:
    """Read an answer's head, and so many bytes behind it."""
    received = bytearray()
    while (end := received.find(b"\r\n\r\n")) < 0 or len(received) < end + 4 + size:
        part = client.recv(300_000)
        assert part
        received += part
    return bytes(received[end + 4 :])


@pytest.mark.parametrize("secure", [False, True])
def test_a_page_of_many_blocks(tmp_path: Path, secure: bool) -> None:
    """A large plain page comes whole and in order, again and again on a connection, HEAD between.

    So it does where everything is encrypted, though not in the same pieces.
    """
    watcher, context = None, ssl.create_default_context()
    if secure:
        authority = Authority()
        authority.sign("server", "localhost").write(tmp_path, "server")
        (tmp_path / "web.yml").write_text(
            "tls_server_config: {cert_file: server.crt, key_file: server.key}\n"
        )
        watcher = WebConfigWatcher(tmp_path / "web.yml")
        context.load_verify_locations(cadata=authority.pem)
    with (
        serving(300, watcher) as (server, page),
        socket.create_connection(("127.0.0.1", server.address.port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") if secure else plain as client,
    ):
        rest = " /metrics HTTP/1.1\r\nhost: x\r\naccept-encoding: identity\r\n\r\n"
        for _ in range(2):
            client.sendall(f"GET{rest}".encode())
            assert page == receive(client, len(page))
            client.sendall(f"HEAD{rest}".encode())
            assert receive(client, 0) == b""
    assert len(page) > 6_000_000


def test_requests_for_a_page_that_come_together() -> None:
    """Pages asked for at once, by clients who read slowly, are not mixed up."""
    with (
        serving(60) as (server, page),
        socket.create_connection(("127.0.0.1", server.address.port), timeout=10) as client,
    ):
        request = "GET /metrics HTTP/1.1\r\nhost: x\r\naccept-encoding: identity\r\n\r\n"
        client.sendall(request.encode() * 3)
        time.sleep(0.2)
        received = bytearray()
        while received.count(b"HTTP/1.1 200 OK") < 3 or not received.endswith(page[-1000:]):
            part = client.recv(100_000)
            assert part
            received += part
    heads = bytes(received).replace(page, b"")
    assert heads.count(b"\r\n\r\n") == heads.count(b"HTTP/1.1 200 OK") == 3
    assert len(heads) < 1500


def test_a_taken_port_is_an_error() -> None:
    """A port that is in use is an error of the operating system, not an exit of uvicorn's."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = Address("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(OSError, match="in use"):
            Server(Bench().site, address, "test")


def test_the_page_compresses_to_itself() -> None:
    """The compressed page is the plain one."""
    page = Bench().publisher.current()
    plain = b"".join(page.body(Format.TEXT, gzip=False)[0])
    assert gzip.decompress(b"".join(page.body(Format.TEXT, gzip=True)[0])) == plain


async def test_no_hidden_character_in_the_status() -> None:
    """The JSON of the status has escapes for characters that a terminal would act on."""
    bench = Bench()
    text = "a\u202eb\x9b\u2028\x7f\r\n"
    account = AccountStatus(text, "five9", "waiting", (), failure=Failure(text, text, text))
    site = Site(
        bench.publisher, bench.telemetry, lambda: True, overview=lambda: Overview((account,))
    )
    client = httpx.AsyncClient(transport=httpx.ASGITransport(site), base_url="http://exporter")
    answer = await client.get("/-/status")

    assert answer.text.isprintable()
    assert answer.json()["accounts"][0]["account"] == text
    missing = await client.get("/metrics", params={"account": text})
    assert missing.text == "no such account: a\\u202eb\\u009b\\u2028\\u007f\\r\\n\n"


class SlowBench(Bench):
    """A site whose status takes a while, with clients that ask at the same time."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[str] = []
        self.now = 0.0
        self.may_end = threading.Event()
        self.publisher = Publisher(self.store, self.telemetry.exposed_families, lambda: self.now)
        self.site = Site(self.publisher, self.telemetry, lambda: True, overview=self.overview)
        transport = httpx.ASGITransport(self.site)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://exporter")

    def overview(self) -> Overview:
        assert threading.current_thread() is not threading.main_thread()
        self.made.append("overview")
        assert self.may_end.wait(30)
        return Overview()


@pytest.mark.parametrize("path", ["/", "/-/status"])
async def test_a_status_is_made_once_a_second(path: str) -> None:
    """Fifty clients share one status, and finished pages do not wait for it."""
    bench = SlowBench()
    tasks = [asyncio.create_task(bench.client.get(path)) for _ in range(50)]
    await asyncio.sleep(0.01)
    for finished in ("/metrics", "/config", "/-/healthy", "/-/ready", "/nothing"):
        await asyncio.wait_for(bench.client.get(finished), timeout=20)
    assert not any(task.done() for task in tasks)
    bench.may_end.set()
    assert {(await task).status_code for task in tasks} == {200}
    assert len(bench.made) == 1
    bench.now = 0.9
    await bench.client.get(path)
    assert len(bench.made) == 1
    bench.now = 1.3
    await bench.client.get(path)
    assert len(bench.made) == 2


@pytest.mark.parametrize("query", ["account=acme", "account=acme&account=", "name[]=x"])
async def test_a_part_of_a_page_is_made_once(query: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients that ask for the same part of a page share it until there is another page."""
    bench = SlowBench()
    calls: list[threading.Thread] = []
    for name in ("for_accounts", "with_samples"):
        real = getattr(Page, name)

        def noted(*arguments: object, real: Callable[..., Page] = real) -> Page:
            calls.append(threading.current_thread())
            return real(*arguments)

        monkeypatch.setattr(Page, name, noted)
    answers = [await bench.client.get(f"/metrics?{query}") for _ in range(5)]
    assert len({answer.content for answer in answers}) == 1
    assert len(calls) == 1
    assert calls[0] is not threading.main_thread()
    bench.publisher.renew()
    await bench.client.get(f"/metrics?{query}")
    assert len(calls) == 2


async def test_too_many_different_parts_are_refused() -> None:
    """A client cannot have more made than the exporter can make."""
    bench = SlowBench()
    blocked = asyncio.create_task(bench.client.get("/"))
    await asyncio.sleep(0.01)
    asyncio.get_running_loop().call_later(0.2, bench.may_end.set)
    queries = [f"/metrics?account=acme&name[]=n{number}" for number in range(200)]
    answers = await asyncio.gather(*(bench.client.get(query) for query in queries))
    statuses = Counter(answer.status_code for answer in answers)
    assert set(statuses) == {200, 503}
    assert statuses[503] > 100
    assert (await blocked).status_code == 200
    assert bench.requests("503") == statuses[503]
    assert len(bench.site._answers._answers) <= 16


async def test_an_answer_that_fails_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug while an answer is made is no answer for the next client."""
    answers = Answers(lambda: 0.0)

    def broken() -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await answers.get("key", broken)
    assert await answers.get("key", lambda: 7) == 7
    assert await answers.get("key", broken) == 7
