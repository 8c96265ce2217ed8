"""Tests of basic auth, rate limit and response headers, as a client sees them."""

import asyncio
import base64
import threading
from collections import Counter

import bcrypt
import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from exporter.web.auth import AccessMiddleware, PasswordChecker, TooManyChecks
from exporter.web.config import WebConfig

pytestmark = pytest.mark.anyio
USERS = {"alice": bcrypt.hashpw("wünder:land".encode(), bcrypt.gensalt(4))}


class Bench:
    """A gate with a page behind it, rules that can be changed, and a clock."""

    def __init__(self, rules: WebConfig) -> None:
        self.rules = rules
        self.counted: Counter[int] = Counter()
        self.served = 0
        self.now = 1000.0
        gate = AccessMiddleware(self._page, lambda: self.rules, self._count, lambda: self.now)
        transport = httpx.ASGITransport(gate)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://exporter")

    def _count(self, status: int) -> None:
        self.counted[status] += 1

    async def _page(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.served += 1
        headers = {"x-frame-options": "sameorigin", "x-other": "stays"}
        await PlainTextResponse("page", headers=headers)(scope, receive, send)

    async def status(self, authorization: str | None = None) -> int:
        headers = {} if authorization is None else {"authorization": authorization}
        return (await self.client.get("/", headers=headers)).status_code


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


async def test_without_users_everybody_comes_in() -> None:
    """A configuration without users asks for no password."""
    bench = Bench(WebConfig())
    assert await bench.status() == 200
    assert not bench.counted


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (basic("alice", "wünder:land"), 200),
        (basic("alice", "wünder:land").replace("Basic", "bAsIc "), 200),
        (basic("alice", "wonderland"), 401),
        (basic("eve", "wünder:land"), 401),
        (None, 401),
        ("", 401),
        ("Basic", 401),
        ("Basic !", 401),
        ("Basic YWxpY2U=", 401),
        ("Basic /w==", 401),
        ("Basic " + base64.b64encode(b"\xff:x").decode(), 401),
        ("Bearer " + basic("alice", "wünder:land").removeprefix("Basic "), 401),
    ],
)
async def test_who_comes_in(authorization: str | None, status: int) -> None:
    """Only one header, with a known user and the right password, opens."""
    bench = Bench(WebConfig(users=USERS))
    assert await bench.status(authorization) == status
    assert bench.served == (status == 200)
    assert bench.counted == Counter({401: 1} if status == 401 else {})


async def test_two_headers_are_none() -> None:
    """Where it is not clear which of two credentials is meant, nobody comes in."""
    bench = Bench(WebConfig(users=USERS))
    both = [("authorization", basic("alice", "wünder:land"))] * 2
    assert (await bench.client.get("/", headers=both)).status_code == 401


async def test_what_a_stranger_is_told() -> None:
    """The refusal asks for a password and says nothing else."""
    bench = Bench(WebConfig(users=USERS))
    answer = await bench.client.get("/-/healthy")
    assert answer.headers["www-authenticate"].startswith("Basic realm=")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.text == "Unauthorized\n"


async def test_users_can_change() -> None:
    """The rules that count are those of the moment."""
    bench = Bench(WebConfig(users=USERS))
    assert await bench.status(basic("alice", "wünder:land")) == 200
    bench.rules = WebConfig(users={"bob": USERS["alice"]})
    assert await bench.status(basic("alice", "wünder:land")) == 401
    assert await bench.status(basic("bob", "wünder:land")) == 200


async def test_too_many_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes when too many passwords wait is told to come later."""

    async def busy(*_: object) -> bool:
        raise TooManyChecks

    monkeypatch.setattr(PasswordChecker, "check", busy)
    bench = Bench(WebConfig(users=USERS))
    assert await bench.status(basic("alice", "x")) == 503
    assert bench.counted == Counter({503: 1})


async def test_a_check_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """While one password is computed, those who are known already are served."""
    bench = Bench(WebConfig(users=USERS))
    alice = basic("alice", "wünder:land")
    assert await bench.status(alice) == 200
    begun, go_on = threading.Event(), threading.Event()

    def slow(_: bytes, __: bytes) -> bool:
        begun.set()
        return not go_on.wait(10)

    monkeypatch.setattr(bcrypt, "checkpw", slow)
    stranger = asyncio.create_task(bench.status(basic("alice", "guess")))
    assert await asyncio.to_thread(begun.wait, 10)
    assert [await bench.status(alice) for _ in range(5)] == [200] * 5
    assert not stranger.done()
    go_on.set()
    assert await stranger == 401


async def test_headers_are_set_on_every_answer() -> None:
    """Headers of the configuration are on pages and refusals, in place of the page's own."""
    wanted = ((b"x-frame-options", b"deny"), (b"strict-transport-security", b"max-age=1"))
    bench = Bench(WebConfig(users=USERS, headers=wanted))
    good = await bench.client.get("/", headers={"authorization": basic("alice", "wünder:land")})
    bad = await bench.client.get("/")
    assert (good.status_code, bad.status_code) == (200, 401)
    for answer in (good, bad):
        assert answer.headers.get_list("x-frame-options") == ["deny"]
        assert answer.headers["strict-transport-security"] == "max-age=1"
    assert good.headers["x-other"] == "stays"


async def test_the_rate_is_limited() -> None:
    """A burst is answered, then one request each interval; the bucket does not overflow."""
    bench = Bench(WebConfig(interval=2.0, burst=3, users=USERS))

    async def statuses(many: int) -> list[int]:
        return [await bench.status() for _ in range(many)]

    assert await statuses(4) == [401, 401, 401, 429]
    bench.now += 1.0
    assert await statuses(1) == [429]
    bench.now += 1.0
    assert await statuses(2) == [401, 429]
    bench.now += 1000.0
    assert await statuses(4) == [401, 401, 401, 429]


async def test_another_rate_begins_anew() -> None:
    """A rate that is changed holds from the next request on."""
    bench = Bench(WebConfig(interval=100.0, burst=1))
    assert [await bench.status(), await bench.status()] == [200, 429]
    bench.rules = WebConfig(interval=100.0, burst=2)
    assert [await bench.status() for _ in range(3)] == [200, 200, 429]
    bench.rules = WebConfig()
    assert await bench.status() == 200
