"""Tests of what the simulated platforms share, on a platform with one path."""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from exporter.simulators.door import Failure, Record, SimulatedPlatform
from exporter.simulators.floor.floor import Floor
from support.clock import VirtualClock

pytestmark = pytest.mark.anyio

START = datetime(2026, 3, 2, 18, 0, tzinfo=UTC).timestamp()
ANSWER = {"rows": list(range(50)), "name": "Übersee", "size": 7, "depth": 2.5}


class Tiny(SimulatedPlatform[Record]):
    """A platform that answers every path."""

    own_kinds: ClassVar[Mapping[str, str]] = {r"no_rows|rename:\w+": "/data"}

    def __post_init__(self) -> None:
        super().__post_init__()
        self.app = Starlette(routes=[Route("/{name}", self._get)])

    async def _get(self, request: Request) -> Response:
        record = Record(self.clock.time())
        path = request.url.path
        return await self.serve(
            request, record, lambda: self.answer_or_fail(request, record, path, self._answer)
        )

    async def _answer(self, failure: Failure | None) -> Response:
        if failure is not None and failure.word == "rename":
            return JSONResponse({failure.detail: []})
        return JSONResponse({"rows": []} if failure and failure.word == "no_rows" else ANSWER)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(START)


class Wire:
    def __init__(self, clock: VirtualClock, **fields: Any) -> None:
        self.platform = Tiny(Floor(start=START), clock, **fields)
        transport = httpx.ASGITransport(self.platform.app)
        self._http = httpx.AsyncClient(transport=transport, base_url="http://tiny")

    async def get(self, path: str = "/data") -> httpx.Response:
        return await self._http.get(path)


@pytest.mark.parametrize(
    ("status", "title"),
    [
        (200, "Sign in to the network"),
        (403, "Forbidden"),
        (429, "Too Many Requests"),
        (502, "Bad Gateway"),
        (503, "Service Unavailable"),
    ],
)
async def test_a_gateway_sends_pages(clock: VirtualClock, status: int, title: str) -> None:
    """So many answers are pages of a gateway, and then no more; a failure is its outcome."""
    wire = Wire(clock)
    wire.platform.fail_next(f"html{status}", n=2)

    responses = [await wire.get() for _ in range(3)]

    assert [response.status_code for response in responses] == [status, status, 200]
    assert responses[0].headers["content-type"].startswith("text/html")
    assert f"<title>{status} {title}</title>" in responses[0].text
    assert responses[2].json() == ANSWER
    outcomes = [record.outcome for record in wire.platform.log]
    assert outcomes == [f"html{status}", f"html{status}", "ok"]


@pytest.mark.parametrize("kind", ["cut", "garbage"])
async def test_an_answer_cannot_be_read(clock: VirtualClock, kind: str) -> None:
    """Part of an answer, and garbage, come with a status and content type of an answer."""
    wire = Wire(clock)
    wire.platform.fail_next(kind)

    response = await wire.get()

    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    with pytest.raises(ValueError, match=r"."):
        response.json()


async def test_a_connection_breaks(clock: VirtualClock) -> None:
    """A reset breaks the connection after the head of the answer."""
    wire = Wire(clock)
    wire.platform.fail_next("reset")

    with pytest.raises(httpx.RemoteProtocolError):
        await wire.get()

    assert (await wire.get()).json() == ANSWER


@pytest.mark.parametrize(
    ("kind", "seconds", "status"), [("hang", 600, 504), ("slow:2.5", 2.5, 200)]
)
async def test_an_answer_is_late(
    clock: VirtualClock, kind: str, seconds: float, status: int
) -> None:
    """A hanging request ends with the gateway's timeout, a slow one with its answer."""
    wire = Wire(clock)
    wire.platform.fail_next(kind)

    response = await wire.get()

    assert (response.status_code, clock.now - START) == (status, seconds)
    assert wire.platform.log[0].end == START + seconds


async def test_a_hanging_request_ends_with_its_client(clock: VirtualClock) -> None:
    """A request whose client has gone is not held on to."""
    wire = Wire(clock)
    wire.platform.fail_next("hang")
    arrived = asyncio.Event()
    wire.platform.tick = arrived.set
    gone = asyncio.create_task(wire.get())
    await arrived.wait()
    await asyncio.sleep(0)

    gone.cancel()
    await asyncio.wait([gone])

    assert wire.platform.log[0].outcome in ("hang", "cancelled")
    assert wire.platform.log[0].status is None
    assert wire.platform.log[0].end is not None


async def test_failures_have_targets(clock: VirtualClock) -> None:
    """A pattern chooses requests; a platform's own kind is limited to its targets as well."""
    wire = Wire(clock)
    wire.platform.fail_next("html502", target="/a*")
    wire.platform.fail_next("no_rows")
    wire.platform.fail_next("rename:lines")

    answers = [await wire.get(path) for path in ("/b", "/data", "/ab", "/data", "/a")]

    assert [answer.status_code for answer in answers] == [200, 200, 502, 200, 200]
    assert [answers[1].json(), answers[3].json()] == [{"rows": []}, {"lines": []}]
    assert answers[0].json() == answers[4].json() == ANSWER


@pytest.mark.parametrize("kind", ["", "sulk", "html600", "html", "reset:1", "slow", "no_rows:2"])
def test_an_unknown_kind_is_an_error(clock: VirtualClock, kind: str) -> None:
    """A misspelled kind of failure is refused at once."""
    with pytest.raises(ValueError, match="unknown kind"):
        Wire(clock).platform.fail_next(kind)


async def test_requests_are_logged_after_the_floor_has_moved(clock: VirtualClock) -> None:
    """The owner moves the floor before each request; the log has its times and its outcome."""
    moves: list[float] = []
    wire = Wire(clock, tick=lambda: moves.append(clock.now))

    await wire.get()
    clock.now += 5
    await wire.get()

    assert moves == [START, START + 5]
    first, second = wire.platform.log
    assert (first.start, first.end, first.status, first.outcome) == (START, START, 200, "ok")
    assert second.start == START + 5


async def test_a_platform_has_a_clock_of_its_own(clock: VirtualClock) -> None:
    """Answers carry the time of the platform's clock, where it sends it."""
    wire = Wire(clock, clock_ahead=90.0)
    without = await wire.get()
    wire.platform.date_header = True

    answer = await wire.get()

    assert "date" not in without.headers
    assert answer.headers["date"] == "Mon, 02 Mar 2026 18:01:30 GMT"
    assert wire.platform.platform_time() == START + 90


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("insert:\x1b@Übersee", "Übersee".encode(), "Ü\x1bbersee".encode()),
        ("insert:\xfc@Übersee", "Übersee".encode(), "Ü".encode() + b"\xfcbersee"),
        ("insert:\\ud800@Übersee", "Übersee".encode(), "Ü\\ud800bersee".encode()),
        ("literal:NaN@size", b'"size":7', b'"size":NaN'),
    ],
)
async def test_characters_are_inserted(
    clock: VirtualClock, kind: str, before: bytes, after: bytes
) -> None:
    """Characters are inserted as bytes where the kind says, and nothing else changes."""
    wire = Wire(clock)
    wire.platform.fail_next(kind)

    damaged, whole = await wire.get(), await wire.get()

    assert damaged.content == whole.content.replace(before, after)
    assert int(damaged.headers["content-length"]) == len(damaged.content)
    assert whole.json() == ANSWER


async def test_characters_are_inserted_at_random(clock: VirtualClock) -> None:
    """Without a place the characters are within a text, never within another character."""
    wire = Wire(clock)
    wire.platform.fail_next("insert:?", n=30)

    names = {(await wire.get()).json()["name"] for _ in range(30)}

    assert {name.replace("?", "") for name in names} == {"Übersee"}
    assert len(names) > 4


@pytest.mark.parametrize(
    ("kind", "rows"),
    [
        ("twice:id", [{"id": 1, "of": []}, {"id": 2}, {"id": 1, "of": []}]),
        ("lacking:id", [{"of": []}, {"id": 2}]),
        ("twice:name", [{"id": 1, "of": []}, {"id": 2}]),
    ],
)
async def test_a_row_comes_twice_or_lacks_its_key(
    clock: VirtualClock, monkeypatch: pytest.MonkeyPatch, kind: str, rows: list[Any]
) -> None:
    """The first row of the lists whose rows have the key is changed, in one answer."""
    answer = {"rows": [{"id": 1, "of": []}, {"id": 2}], "name": "x", "sizes": [1]}
    monkeypatch.setitem(ANSWER, "inner", answer)
    wire = Wire(clock)
    wire.platform.fail_next(kind)

    changed, whole = await wire.get(), await wire.get()

    assert changed.json() == {**ANSWER, "inner": {**answer, "rows": rows}}
    assert whole.json() == ANSWER


async def test_an_answer_in_another_encoding(clock: VirtualClock) -> None:
    """The header names the encoding of the answer."""
    wire = Wire(clock)
    wire.platform.fail_next("encoded:iso-8859-1")

    response = await wire.get()

    assert response.headers["content-type"] == "application/json; charset=iso-8859-1"
    assert "Übersee".encode("latin-1") in response.content


async def test_new_cookies_fill_the_header_until_it_is_refused(clock: VirtualClock) -> None:
    """A client that keeps every cookie is refused as Tomcat or nginx do, and served without them.

    Each answer, a refusal too, sets a cookie under a name of its own.
    """
    wire = Wire(clock, new_cookies=1000)

    statuses = [(await wire.get()).status_code for _ in range(9)]
    wire.platform.header_status = 400
    refused = await wire.get()
    wire._http.cookies.clear()

    assert statuses == [200] * 8 + [431]
    assert (refused.status_code, "Cookie Too Large" in refused.text) == (400, True)
    assert (await wire.get()).status_code == 200


async def test_a_name_grows(clock: VirtualClock) -> None:
    """The letters are as many as asked for, in the name, and others each time."""
    wire = Wire(clock)
    wire.platform.fail_next("long:65536@Übersee", n=2)

    names = [(await wire.get()).json()["name"] for _ in range(3)]

    assert [len(name) for name in names] == [65_543, 65_543, 7]
    assert names[0] != names[1]
    assert names[0].startswith("Ü")
    assert names[0].endswith("bersee")


async def test_messages_grow(clock: VirtualClock) -> None:
    """Only what describes an error or a status becomes longer."""
    wire = Wire(clock, long_messages=1000)
    assert (await wire.get()).json() == ANSWER

    async def answer() -> Response:
        return JSONResponse({"status": {"message": "No session", "code": 7}}, 500)

    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    request = Request(scope, receive=_no_body)
    response = await wire.platform.serve(request, Record(0.0), answer)
    assert json.loads(bytes(response.body)) == {
        "status": {"message": "m" * 1000 + "No session", "code": 7}
    }
    assert response.headers["content-type"] == "application/json"
    assert response.headers["content-length"] == str(len(response.body))


async def _no_body() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


SHAPES = ["small", "deep", "keys", "text", "digits", "spaces", "fault", "entities"]


@pytest.mark.parametrize("packing", ["", ":gzip", ":deflate"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("media_type", ["application/json", "text/xml; charset=utf-8"])
async def test_an_answer_explodes(
    clock: VirtualClock, shape: str, packing: str, media_type: str
) -> None:
    """A bomb is as large as the switch says; packed, it is small on the wire."""
    wire = Wire(clock)
    wire.platform.media_type = media_type
    wire.platform.fail_next(f"bomb:{shape}:1{packing}")

    response = await wire.get()

    assert response.status_code == (500 if shape == "fault" else 200)
    assert 1_000_000 <= len(response.content) < 1_100_000
    packed_size = response.num_bytes_downloaded
    assert packed_size < (20_000 if packing and shape != "keys" else 1_100_000)


async def test_a_bomb_within_a_bomb(clock: VirtualClock) -> None:
    """A body can be packed twice, and declare an encoding that nobody asked for."""
    wire = Wire(clock)
    wire.platform.fail_next("bomb:small:2:twice")
    wire.platform.fail_next("bomb:small:2:br")

    twice, brotli = await wire.get(), await wire.get()

    assert twice.num_bytes_downloaded < 1_000
    assert len(twice.content) > 2_000_000
    assert brotli.headers["content-encoding"] == "br"


async def test_large_headers(clock: VirtualClock) -> None:
    """An answer may have headers of any size."""
    wire = Wire(clock)
    wire.platform.fail_next("head:300")

    response = await wire.get()

    assert len(response.headers["x-padding"]) == 300_000
    assert response.json() == ANSWER
