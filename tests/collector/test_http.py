import asyncio
import contextlib
import gzip
import ssl
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter import __version__
from exporter.clock import Clock, backoff
from exporter.collector import http as transport
from exporter.collector.bounds import SMALL
from exporter.collector.http import (
    Http,
    Tls,
    check_status,
    json_array,
    json_object,
    json_reader,
    open_client,
    retry_after,
)
from exporter.errors import (
    InvalidAnswer,
    ProviderError,
    Refused,
    ServerTrouble,
    SessionLost,
    Throttled,
    TimedOut,
    Unauthorized,
    Unexplained,
    Unreachable,
    Untrusted,
)
from exporter.telemetry import AccountTelemetry, Telemetry
from support.clock import VirtualClock

pytestmark = pytest.mark.anyio

Handler = Callable[[httpx.Request], Any]
BASE = {"provider": "five9", "account": "acme"}
NOW = "Mon, 02 Mar 2026 12:00:00 GMT"


class Wire:
    """An account's way to a platform that is a function, and what was counted on it."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.telemetry = Telemetry()

    async def send(self, handler: Handler, *, limit: float = 5.0, read: Any = None) -> bytes:
        async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as client:
            http = Http(client, AccountTelemetry(self.telemetry, "five9", "acme"), self.clock)
            request = client.build_request("POST", "https://platform/service", content=b"x")
            return await http.send(request, "getStatistics", read or content, limit)

    @property
    def counted(self) -> dict[str, float]:
        return {
            sample.labels["outcome"]: sample.value
            for family in self.telemetry.registry.collect()
            for sample in family.samples
            if sample.name == "contactcenter_api_requests_total"
        }

    def value(self, name: str, **labels: str) -> float | None:
        return self.telemetry.registry.get_sample_value(name, {**BASE, **labels})


async def content(response: httpx.Response) -> bytes:
    check_status(response)
    return response.content


@pytest.fixture
def wire(clock: Clock) -> Wire:
    return Wire(clock)


async def chunks(chunk: bytes, times: int) -> AsyncIterator[bytes]:
    for _ in range(times):
        yield chunk


async def test_a_body(wire: Wire) -> None:
    """A success's body is what its reader makes of it, and the request is counted as ok."""
    actual = await wire.send(lambda request: httpx.Response(200, content=request.content * 2))

    assert actual == b"xx"
    assert wire.counted == {"ok": 1}


async def test_an_answer_from_before_a_suspend(wire: Wire, clock: VirtualClock) -> None:
    """An answer that was sent before the machine was suspended for an hour is not used."""

    def suspended(_: httpx.Request) -> httpx.Response:
        clock.elapsed += 3600.0
        return httpx.Response(200, content=b"old")

    with pytest.raises(TimedOut, match="no answer within 5 s"):
        await wire.send(suspended)
    assert wire.counted == {"timeout": 1}


async def test_a_streamed_body(wire: Wire) -> None:
    """A body that comes in pieces is read whole."""
    actual = await wire.send(lambda _: httpx.Response(200, content=chunks(b"abc", 3)))

    assert actual == b"abcabcabc"


async def test_a_packed_body(wire: Wire) -> None:
    """A compressed body is unpacked."""
    actual = await wire.send(
        lambda _: httpx.Response(
            200, content=gzip.compress(b"x" * 5000), headers={"Content-Encoding": "gzip"}
        )
    )

    assert actual == b"x" * 5000


@pytest.mark.parametrize(
    ("status", "expected", "outcome"),
    [
        (400, Unexplained, "fault"),
        (401, Unauthorized, "auth"),
        (403, Unauthorized, "auth"),
        (404, Unexplained, "fault"),
        (408, Unexplained, "fault"),
        (429, Throttled, "throttled"),
        (500, ServerTrouble, "server"),
        (502, ServerTrouble, "server"),
        (503, ServerTrouble, "server"),
        (504, ServerTrouble, "server"),
        (301, InvalidAnswer, "invalid"),
        (302, InvalidAnswer, "invalid"),
        (307, InvalidAnswer, "invalid"),
        (304, InvalidAnswer, "invalid"),
    ],
)
async def test_a_status(
    wire: Wire, status: int, expected: type[ProviderError], outcome: str
) -> None:
    """A status that is no success is an error of its kind, and is counted as that."""
    with pytest.raises(ProviderError) as caught:
        await wire.send(lambda _: httpx.Response(status, headers={"Location": "https://evil"}))

    assert expected is type(caught.value)
    assert str(caught.value).startswith(f"HTTP {status}")
    assert wire.counted == {outcome: 1}


async def test_redirects_are_not_followed(wire: Wire) -> None:
    """A redirect is not followed: it would take the credentials elsewhere."""
    asked = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return httpx.Response(307, headers={"Location": "https://evil/"})

    with pytest.raises(InvalidAnswer, match="redirects are not followed"):
        await wire.send(handler)

    assert asked == ["platform"]


@pytest.mark.parametrize(
    ("error", "expected", "outcome"),
    [
        (httpx.ConnectTimeout("x"), TimedOut, "timeout"),
        (httpx.ReadTimeout("x"), TimedOut, "timeout"),
        (httpx.WriteTimeout("x"), TimedOut, "timeout"),
        (httpx.PoolTimeout("x"), TimedOut, "timeout"),
        (TimeoutError("x"), TimedOut, "timeout"),
        (httpx.ConnectError("x"), Unreachable, "network"),
        (httpx.ReadError("x"), Unreachable, "network"),
        (httpx.WriteError("x"), Unreachable, "network"),
        (httpx.CloseError("x"), Unreachable, "network"),
        (httpx.ProxyError("x"), Unreachable, "network"),
        (httpx.RemoteProtocolError("x"), Unreachable, "network"),
        (httpx.LocalProtocolError("x"), Unreachable, "network"),
        (httpx.UnsupportedProtocol("x"), Unreachable, "network"),
        (ssl.SSLError("x"), Unreachable, "network"),
        (httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] x"), Untrusted, "network"),
        (ssl.SSLCertVerificationError(1, "CERTIFICATE_VERIFY_FAILED: x"), Untrusted, "network"),
        (OSError("x"), Unreachable, "network"),
        (httpx.DecodingError("x"), InvalidAnswer, "invalid"),
    ],
)
async def test_a_failure(
    wire: Wire, error: Exception, expected: type[ProviderError], outcome: str
) -> None:
    """Whatever goes wrong below is an error of ours, and is counted by its kind."""

    def handler(_: httpx.Request) -> httpx.Response:
        raise error

    with pytest.raises(ProviderError) as caught:
        await wire.send(handler)

    assert expected is type(caught.value)
    assert wire.counted == {outcome: 1}


async def test_a_body_that_breaks_off(wire: Wire) -> None:
    """A connection lost within the body is a network failure."""

    async def cut() -> AsyncIterator[bytes]:
        yield b"x"
        raise httpx.ReadError("reset")

    with pytest.raises(Unreachable):
        await wire.send(lambda _: httpx.Response(200, content=cut()))

    assert wire.counted == {"network": 1}


async def test_a_body_that_cannot_be_unpacked(wire: Wire) -> None:
    """A body that is not what its encoding says is an invalid answer."""
    with pytest.raises(InvalidAnswer, match="content encoding"):
        await wire.send(
            lambda _: httpx.Response(
                200, content=chunks(b"no gzip", 1), headers={"Content-Encoding": "gzip"}
            )
        )

    assert wire.counted == {"invalid": 1}


async def test_a_body_without_end(wire: Wire) -> None:
    """A body over the cap is given up long before its end."""
    sent = []

    async def endless() -> AsyncIterator[bytes]:
        piece = b"x" * 2**20
        while True:
            sent.append(len(piece))
            yield piece

    with pytest.raises(InvalidAnswer, match="to getStatistics is larger than 1 MiB"):
        await wire.send(lambda _: httpx.Response(200, content=endless()))

    assert sum(sent) <= SMALL + 2**20
    assert wire.counted == {"invalid": 1}


def packed(size: int, *, times: int = 1, wbits: int = 31) -> bytes:
    """Return a JSON array of so many bytes, packed."""
    body = b"[" + b"{}," * (size // 3) + b"0]"
    for _ in range(times):
        packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
        body = packer.compress(body) + packer.flush()
    return body


@pytest.mark.parametrize(
    ("encoding", "wbits", "times", "message"),
    [
        ("gzip", 31, 1, "has more elements than the limit of 1 MiB allows"),
        ("x-gzip", 31, 1, "has more elements than the limit of 1 MiB allows"),
        ("deflate", 15, 1, "has more elements than the limit of 1 MiB allows"),
        ("deflate", -15, 1, "has more elements than the limit of 1 MiB allows"),
        ("gzip, gzip", 31, 2, "has an encoding that is not offered"),
        ("br", 31, 1, "has an encoding that is not offered"),
        ("zstd", 31, 1, "has an encoding that is not offered"),
        ("gzip", 15, 1, "content encoding is not valid"),
    ],
)
async def test_a_packed_bomb(
    wire: Wire, encoding: str, wbits: int, times: int, message: str
) -> None:
    """A body that unpacks to a thousand times its size is given up; no piece of it is large.

    It comes in a single chunk from the network, which httpx would unpack as a whole.
    """
    body = packed(20_000_000, wbits=wbits, times=times)
    assert len(body) < 40_000
    headers = {"Content-Encoding": encoding}
    tracemalloc.start()
    try:
        with pytest.raises(InvalidAnswer, match=message):
            await wire.send(lambda _: httpx.Response(200, content=chunks(body, 1), headers=headers))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 8 * SMALL
    assert wire.counted == {"invalid": 1}


@pytest.mark.parametrize(("wbits", "encoding"), [(31, "gzip"), (15, "deflate"), (-15, "deflate")])
@pytest.mark.parametrize("chunk", [1, 7, 100_000])
async def test_a_packed_body_in_pieces(wire: Wire, chunk: int, wbits: int, encoding: str) -> None:
    """What was packed comes out whole, however it is cut."""
    body = b'[{"name":"' + bytes(range(32, 34)) * 150_000 + b'"}]'
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    sent = packer.compress(body) + packer.flush()

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(sent), chunk):
            yield sent[at : at + chunk]

    headers = {"Content-Encoding": encoding}
    actual = await wire.send(lambda _: httpx.Response(200, content=pieces(), headers=headers))

    assert actual == body


@pytest.mark.parametrize(
    ("status", "expected"), [(401, Unauthorized), (429, Throttled), (500, ServerTrouble)]
)
async def test_a_bomb_with_a_failure(
    wire: Wire, status: int, expected: type[ProviderError]
) -> None:
    """The status of a failure counts, whatever comes with it; the error names the bound too."""
    reader = json_reader(json_object)
    with pytest.raises(expected) as caught:
        await wire.send(
            lambda _: httpx.Response(status, content=chunks(b"[" + b"{}," * 20_000, 99)),
            read=reader,
        )
    assert str(caught.value) == (
        f"HTTP {status}; the answer to getStatistics has more elements than the limit of 1 MiB "
        "allows"
    )


async def test_a_body_that_says_how_large_it_is(wire: Wire) -> None:
    """A body is not read whose declared length is over the bound."""
    read = []

    async def body() -> AsyncIterator[bytes]:
        read.append(1)
        yield b"x"

    headers = {"Content-Length": str(SMALL + 1)}
    with pytest.raises(InvalidAnswer, match="larger than 1 MiB"):
        await wire.send(lambda _: httpx.Response(200, content=body(), headers=headers))
    assert read == []


async def test_slivers(wire: Wire) -> None:
    """Other tasks have their turn while a body comes in chunks of two bytes."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    answer = httpx.Response(200, content=chunks(b"ab", 10_000))
    actual = await wire.send(lambda _: answer, limit=60.0)
    counting.cancel()

    assert len(actual) == 20_000
    assert turns > 140


async def test_large_answers_are_read_a_few_at_a_time(wire: Wire) -> None:
    """Answers above the small bound wait for a slot; small ones pass them."""
    slots = asyncio.Semaphore(1)
    release = asyncio.Event()
    large = b"x" * (2 * SMALL)

    async def held(response: httpx.Response) -> bytes:
        await release.wait()
        return response.content

    async with httpx.AsyncClient(
        transport=httpx.MockTransport(lambda request: httpx.Response(200, content=request.content))
    ) as client:
        telemetry = AccountTelemetry(wire.telemetry, "five9", "acme")
        http = Http(client, telemetry, wire.clock, max_answer=4 * SMALL, slots=slots)

        def send(body: bytes, read: Any) -> asyncio.Task[bytes]:
            request = client.build_request("POST", "https://platform/x", content=body)
            return asyncio.create_task(http.send(request, "x", read, 9.0, size=http.max_answer))

        first = send(large, held)
        await asyncio.sleep(0.05)
        second = send(large, content)
        assert await send(b"small", content) == b"small"
        await asyncio.sleep(0.05)
        assert not second.done()
        release.set()
        assert await first == await second == large


async def test_a_body_that_trickles(wire: Wire) -> None:
    """The deadline is for the whole exchange: a body that trickles for ever ends too."""

    async def trickle() -> AsyncIterator[bytes]:
        while True:
            yield b"x"
            await asyncio.sleep(0)

    with pytest.raises(TimedOut, match=r"no answer within 0.02 s"):
        await wire.send(lambda _: httpx.Response(200, content=trickle()), limit=0.02)

    assert wire.counted == {"timeout": 1}


async def test_a_head_that_never_comes(wire: Wire) -> None:
    """A platform that never answers is given up at the deadline."""

    async def handler(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(TimedOut):
        await wire.send(handler, limit=0.02)

    assert wire.counted == {"timeout": 1}


async def test_giving_up_is_counted(wire: Wire) -> None:
    """A request whose caller is cancelled is counted, and the cancellation goes on."""

    async def handler(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await wire.send(handler)

    assert wire.counted == {"timeout": 1}


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (SessionLost("x"), "fault"),
        (Refused("x"), "fault"),
        (InvalidAnswer("x"), "invalid"),
        (Throttled("x"), "throttled"),
    ],
)
async def test_a_reader_s_verdict(wire: Wire, error: ProviderError, outcome: str) -> None:
    """What the reader of the answer raises goes on, and is what is counted."""

    async def read(_: httpx.Response) -> bytes:
        raise error

    with pytest.raises(type(error)) as caught:
        await wire.send(lambda _: httpx.Response(200), read=read)

    assert error is caught.value
    assert wire.counted == {outcome: 1}


async def test_the_duration_is_counted(wire: Wire, clock: Any) -> None:
    """Every request's duration goes to the histogram of its operation."""

    async def handler(_: httpx.Request) -> httpx.Response:
        await clock.sleep(2.0)
        return httpx.Response(200)

    await wire.send(handler)
    name = "contactcenter_api_request_duration_seconds"

    assert wire.value(f"{name}_sum", operation="getStatistics") == 2
    assert wire.value(f"{name}_count", operation="getStatistics") == 1


async def test_errors_show_no_secret(wire: Wire) -> None:
    """A failure's text does not quote the request."""

    def handler(request: httpx.Request) -> httpx.Response:
        request.headers["Authorization"] = "Basic hunter2"
        return httpx.Response(500, text="hunter2")

    with pytest.raises(ServerTrouble) as caught:
        await wire.send(handler)

    assert "hunter2" not in str(caught.value)


# Retry-After ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, 0),
        ({"Retry-After": "30"}, 30),
        ({"Retry-After": " 30 "}, 30),
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": "-5"}, 0),
        ({"Retry-After": "1.5"}, 0),
        ({"Retry-After": "soon"}, 0),
        ({"Retry-After": "\u0663\u0660"}, 0),
        ({"Retry-After": "9" * 400}, 3600),
        ({"Retry-After": "9" * 5_000}, 3600),
        ({"Retry-After": "1000000000"}, 3600),
        ({"Retry-After": "Mon, 02 Mar 2026 12:01:30 GMT", "Date": NOW}, 90),
        ({"Retry-After": "Mon, 02 Mar 2026 11:00:00 GMT", "Date": NOW}, 0),
        ({"Retry-After": "Wed, 01 Mar 2126 12:00:00 GMT", "Date": NOW}, 3600),
        ({"Retry-After": "Fri, 31 Dec 99999 23:59:59 GMT", "Date": NOW}, 0),
        ({"Retry-After": "Fri, 31 Dec 9999 23:59:59 -2359", "Date": NOW}, 0),
        ({"Retry-After": "Mon, 02 Mar 2026 12:01:30 +9999999999", "Date": NOW}, 0),
        ({"Retry-After": "Mon, 02 Mar 2026 12:01:30 GMT", "Date": "never"}, 0),
        ({"Retry-After": "Mon, 02 Mar 2026 12:01:30 -0000", "Date": NOW}, 0),
        ({"Retry-After": "Mon, 99 Mar 2026 12:01:30 GMT", "Date": NOW}, 0),
    ],
)
def test_retry_after(headers: dict[str, str], expected: float) -> None:
    """Retry-After is seconds or a date, within an hour; what cannot be read is no wish."""
    raw = {name: value.encode() for name, value in headers.items()}

    assert expected == retry_after(httpx.Response(503, headers=raw))


@pytest.mark.parametrize("status", [429, 503])
async def test_the_error_carries_the_wait(wire: Wire, status: int) -> None:
    """An error carries how long the platform asks to wait."""
    with pytest.raises(ProviderError) as caught:
        await wire.send(lambda _: httpx.Response(status, headers={"Retry-After": "7"}))

    assert caught.value.retry_after == 7


# Waiting after failures -----------------------------------------------------------------------

rolls = st.floats(0, 1, exclude_max=True)
firsts = st.floats(0.1, 3600)


@given(st.integers(1, 10_000), firsts, st.floats(0.1, 7200), rolls)
def test_backoff_is_bounded(failures: int, first: float, cap: float, roll: float) -> None:
    """The wait is at most the cap, and never more than a tenth below what it doubles to."""
    wait = backoff(failures, first, cap, lambda: roll)
    full = min(first * 2.0 ** min(failures - 1, 30), cap)

    assert full * 0.9 <= wait <= full <= cap


@given(st.integers(1, 1000), firsts, st.floats(0.1, 7200), rolls)
def test_backoff_is_monotone(failures: int, first: float, cap: float, roll: float) -> None:
    """One failure more never makes the wait shorter."""
    waits = [backoff(failures + more, first, cap, lambda: roll) for more in (0, 1)]

    assert waits[0] <= waits[1]


@pytest.mark.parametrize(("failures", "expected"), [(1, 2), (2, 4), (3, 8), (9, 300), (99, 300)])
def test_backoff(failures: int, expected: float) -> None:
    """The wait doubles from the first on, up to the cap."""
    assert expected == backoff(failures, 2.0, 300.0, lambda: 0.0)


# Clients --------------------------------------------------------------------------------------


async def test_open_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client says who it is, follows nothing and reads no proxy from the environment."""
    monkeypatch.setenv("HTTPS_PROXY", "http://evil:1")
    async with open_client(Tls(), None) as client:
        assert client.headers["User-Agent"] == f"contactcenter-exporter/{__version__}"
        assert not client.follow_redirects
        assert not client.trust_env


async def test_certificates_are_not_taken_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Which authorities are trusted does not depend on the environment."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "gone.pem"))
    transport._public.cache_clear()
    async with open_client(Tls(), None) as client:
        assert not client.is_closed


async def test_what_is_trusted_is_read_once() -> None:
    """Accounts without TLS settings share one context; what others set does not reach it."""

    def context(client: httpx.AsyncClient) -> Any:
        return client._transport._pool._ssl_context

    lax = Tls(insecure_skip_verify=True)
    async with (
        open_client(lax, None) as other,
        open_client(Tls(), None) as one,
        open_client(Tls(), None) as two,
    ):
        assert context(one) is context(two)
        assert context(one).verify_mode is ssl.CERT_REQUIRED
        assert context(other).verify_mode is ssl.CERT_NONE


@pytest.mark.parametrize("name", ["ca_file", "cert_file"])
def test_a_certificate_that_is_not_there(tmp_path: Path, name: str) -> None:
    """A certificate's file that cannot be read is an OSError when the client is opened."""
    with pytest.raises(OSError, match=r"."):
        open_client(Tls(**{name: str(tmp_path / "gone.pem")}), None)


async def test_verification_can_be_switched_off() -> None:
    """On request any certificate is taken."""
    async with open_client(Tls(insecure_skip_verify=True), None) as client:
        assert not client.is_closed


async def exchanged(wire: Wire, handler: Handler) -> tuple[Http, list[tuple[str, str, int | None]]]:
    """Send a request; return the client, and what the callback got."""
    told: list[tuple[str, str, int | None]] = []

    def on_exchange(operation: str, request: httpx.Request, answer: httpx.Response | None) -> None:
        told.append((operation, request.method, answer.status_code if answer else None))

    telemetry = AccountTelemetry(wire.telemetry, "five9", "acme")
    async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as client:
        http = Http(client, telemetry, wire.clock, on_exchange)
        request = client.build_request("POST", "https://platform/service", content=b"x")
        with contextlib.suppress(ProviderError):
            await http.send(request, "getStatistics", content, 5.0)
    return http, told


def unreachable(_: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused")


@pytest.mark.parametrize(
    ("handler", "status"),
    [
        (lambda _: httpx.Response(200), 200),
        (lambda _: httpx.Response(503), 503),
        (unreachable, None),
    ],
)
async def test_exchanges_are_reported(wire: Wire, handler: Handler, status: int | None) -> None:
    """The callback is called for every exchange, whatever its outcome."""
    assert (await exchanged(wire, handler))[1] == [("getStatistics", "POST", status)]


@pytest.mark.parametrize(
    ("headers", "skew"),
    [
        ({"date": "Mon, 02 Mar 2026 12:02:00 GMT"}, 120.5),
        ({"date": "Mon, 02 Mar 2026 11:58:00 GMT"}, -119.5),
        ({"date": "Mon, 02 Mar 2026 12:02:00 GMT", "age": "120"}, None),
        ({"date": "yesterday"}, None),
        ({}, None),
    ],
)
async def test_skew(wire: Wire, headers: dict[str, str], skew: float | None) -> None:
    """The platform's clock is compared with ours, unless a cache kept the answer."""
    http, _ = await exchanged(wire, lambda _: httpx.Response(200, headers=headers))

    assert http.skew == skew


class Stream:
    """What httpx tells of a connection, whose certificate nobody can read."""

    def get_extra_info(self, name: str) -> Any:
        assert name == "ssl_object"
        return self

    def getpeercert(self, *, binary_form: bool = False) -> bytes | dict[str, str]:
        return b"no certificate" if binary_form else {}


async def test_an_unreadable_certificate(wire: Wire) -> None:
    """A certificate that cannot be read is not known, and costs nothing."""
    extensions = {"network_stream": Stream()}
    http, told = await exchanged(wire, lambda _: httpx.Response(200, extensions=extensions))

    assert http.certificates == {}
    assert told[0][2] == 200


async def test_a_platform_that_repeats_a_secret(clock: Clock) -> None:
    """What a platform says in its errors is told without the account's secrets."""

    async def refuse(response: httpx.Response) -> bytes:
        raise Refused(f"the platform said {response.text}")

    async with httpx.AsyncClient(
        transport=httpx.MockTransport(lambda _: httpx.Response(200, text="no user hunter2"))
    ) as client:
        telemetry = AccountTelemetry(Telemetry(), "five9", "acme")
        http = Http(client, telemetry, clock, redact=lambda text: text.replace("hunter2", "***"))
        request = client.build_request("GET", "http://platform/")
        with pytest.raises(Refused) as caught:
            await http.send(request, "get", refuse, 5.0)
    assert str(caught.value) == "the platform said no user ***"


@pytest.mark.parametrize("before", [0, 150, 194, 496, 499, 10_000])
async def test_a_long_message_is_cut_after_secrets_are_removed(clock: Clock, before: int) -> None:
    """An error has at most 500 characters, and no part of a secret where it is cut."""
    said = f"{'m' * before}hunter2{'m' * 1_000_000}"

    async def refuse(response: httpx.Response) -> bytes:
        raise Refused(response.text)

    transport = httpx.MockTransport(lambda _: httpx.Response(200, text=said))
    async with httpx.AsyncClient(transport=transport) as client:
        telemetry = AccountTelemetry(Telemetry(), "five9", "acme")
        http = Http(client, telemetry, clock, redact=lambda text: text.replace("hunter2", "***"))
        request = client.build_request("GET", "http://platform/")
        with pytest.raises(Refused) as caught:
            await http.send(request, "get", refuse, 5.0)
    assert len(str(caught.value)) == 500
    assert "h" not in str(caught.value)


# JSON ------------------------------------------------------------------------------------


async def _json(wire: Wire, content: bytes, parse: Any, status: int = 200, **options: Any) -> Any:
    return await wire.send(
        lambda _: httpx.Response(status, content=content),
        read=json_reader(parse, **options),
    )


async def test_json(wire: Wire) -> None:
    """A body is parsed and passed on; an empty one is passed as nothing."""
    assert await _json(wire, b'{"a": [1]}', json_object) == {"a": [1]}
    assert await _json(wire, b"[1]", json_array) == [1]
    assert await _json(wire, b"", str) == "None"
    assert (
        await _json(wire, b"[" + b"1.0000000000," * 30_000 + b"1]", len) == 30_001
    )  # in the worker
    assert wire.counted == {"ok": 4}


NOT_JSON = "the answer is not JSON at line 1, column"
EXPECTED_VALUE = "unexpected character, expected a JSON value"


@pytest.mark.parametrize(
    ("content", "parse", "message"),
    [
        (b"<html>", json_object, f"{NOT_JSON} 1 (U+003C): {EXPECTED_VALUE}"),
        (b"[]", json_object, "the answer is not a JSON object"),
        (b"", json_object, "the answer is not a JSON object"),
        (b"{}", json_array, "the answer is not a JSON array"),
        (b"[]", lambda body: body["key"], "the answer has an unexpected shape (TypeError)"),
        (b"{}", lambda body: body["key"], "the answer has an unexpected shape (KeyError)"),
        (b"[]", lambda body: body.keys(), "the answer has an unexpected shape (AttributeError)"),
        (b'"x"', int, "the answer has an unexpected shape (ValueError)"),
    ],
)
async def test_json_of_an_unexpected_shape(
    wire: Wire, content: bytes, parse: Any, message: str
) -> None:
    """No answer makes anything but a ``ProviderError`` of a client."""
    with pytest.raises(InvalidAnswer) as caught:
        await _json(wire, content, parse)
    assert str(caught.value) == message
    assert wire.counted == {"invalid": 1}


async def test_json_of_a_failure(wire: Wire) -> None:
    """The status is checked first; a check of the platform's own sees the body."""

    def check(response: httpx.Response, body: Any) -> None:
        if body is not None:
            raise Refused(body["error"])
        check_status(response)

    with pytest.raises(ServerTrouble):
        await _json(wire, b"<html>", json_object, status=502)
    with pytest.raises(Refused, match="no such queue"):
        await _json(wire, b'{"error": "no such queue"}', json_object, check=check)
    with pytest.raises(InvalidAnswer):
        await _json(wire, b"[]", json_object, check=check)
    with pytest.raises(ServerTrouble):
        await _json(wire, b"<html>", json_object, status=502, check=check)


async def test_json_is_one_request(clock: Clock) -> None:
    """``Http.json`` sends, reads and counts."""
    wire = Wire(clock)
    handler = httpx.MockTransport(lambda _: httpx.Response(200, content=b"[1]"))
    async with httpx.AsyncClient(transport=handler) as client:
        http = Http(client, AccountTelemetry(wire.telemetry, "five9", "acme"), clock)
        request = client.build_request("GET", "https://platform/service")
        assert await http.json(request, "GET /service", json_array, 5.0) == [1]
    assert wire.counted == {"ok": 1}
