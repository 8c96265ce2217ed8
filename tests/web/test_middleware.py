"""Middleware: methods and bodies that are refused."""

from collections import Counter

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from exporter.web.middleware import RefusalMiddleware

pytestmark = pytest.mark.anyio


async def page(_: Request) -> Response:
    return PlainTextResponse("page")


SITE = Starlette(
    routes=[Route("/metrics", page), Route("/-/reload", page, methods=["POST", "PUT"])]
)


class Bench:
    """A client, and the statuses that were counted."""

    def __init__(self) -> None:
        self.counted: Counter[int] = Counter()

        def count(status: int) -> None:
            self.counted[status] += 1

        transport = httpx.ASGITransport(RefusalMiddleware(SITE, count))
        self.client = httpx.AsyncClient(transport=transport, base_url="http://exporter")


@pytest.mark.parametrize("method", ["DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
async def test_other_methods(method: str) -> None:
    """Nothing but GET, HEAD, POST and PUT is taken, whatever the path."""
    bench = Bench()
    answer = await bench.client.request(method, "/anything")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD, POST, PUT"
    assert answer.headers["connection"] == "close"
    assert bench.counted == Counter({405: 1})


async def body() -> object:
    yield b"x"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("options", [{"content": b"x"}, {"content": "chunks"}])
async def test_bodies(method: str, options: dict[str, object]) -> None:
    """A body is refused on every route, whether its length is known or not."""
    bench = Bench()
    content = body() if options["content"] == "chunks" else options["content"]
    path = "/-/reload" if method == "POST" else "/metrics"
    answer = await bench.client.request(method, path, content=content)  # type: ignore[arg-type]
    assert answer.status_code == 413
    assert answer.headers["connection"] == "close"
    assert bench.counted == Counter({413: 1})


async def test_an_empty_body_is_none() -> None:
    """POST without content comes through, with a length of 0 or none."""
    bench = Bench()
    assert (await bench.client.post("/-/reload")).status_code == 200
    assert (await bench.client.put("/-/reload")).status_code == 200
    zero = {"content-length": "0"}
    assert (await bench.client.post("/-/reload", headers=zero)).status_code == 200
    assert not bench.counted
