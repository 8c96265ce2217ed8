"""What stands before the site: methods, bodies, prefixes and paths."""

from collections import Counter

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from exporter.web.middleware import Guard, Mount, Paths

pytestmark = pytest.mark.anyio


async def told(request: Request) -> Response:
    """Answer with what a page is told of where it is."""
    state = request.scope.get("state", {})
    root, telemetry = request.scope["root_path"], state.get("telemetry_path")
    return JSONResponse({"root": root, "telemetry": telemetry, "query": request.url.query})


SITE = Starlette(
    routes=[
        Route("/", told),
        Route("/metrics", told),
        Route("/-/healthy", told),
        Route("/-/reload", told, methods=["POST"]),
    ]
)


class Bench:
    """A client, and what was counted."""

    def __init__(self, paths: Paths | None = None) -> None:
        self.counted: Counter[int] = Counter()

        def count(status: int) -> None:
            self.counted[status] += 1

        app: ASGIApp = SITE if paths is None else Mount(SITE, paths, count)
        transport = httpx.ASGITransport(Guard(app, count))
        self.client = httpx.AsyncClient(transport=transport, base_url="http://exporter")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
async def test_other_methods(method: str) -> None:
    """Nothing but GET, HEAD and POST is taken, whatever the path."""
    bench = Bench()
    answer = await bench.client.request(method, "/anything")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD, POST"
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
    zero = {"content-length": "0"}
    assert (await bench.client.post("/-/reload", headers=zero)).status_code == 200
    assert not bench.counted


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
        ("/", None, None, "'/' is another page's"),
        ("/-/healthy", None, None, "'/-/healthy' is another page's"),
        ("/config", None, None, "'/config' is another page's"),
        ("metrics", None, None, "'metrics' is no path"),
        ("/a b", None, None, "'/a b' is no path"),
        ("/metrics", "host/cc", None, "--web.external-url: an address"),
        ("/metrics", "ftp://host/cc", None, "--web.external-url: an address"),
        ("/metrics", "http://user:hunter2@host/", None, "--web.external-url: an address"),
        ("/metrics", "http://host/?q", None, "--web.external-url: an address"),
        ("/metrics", "http://host:99999/", None, "--web.external-url: an address"),
        ("/metrics", "http://host/a b", None, "--web.external-url: '/a b' is no plain path"),
        ("/metrics", None, "/a?b", "--web.route-prefix: '/a?b' is no plain path"),
        ("/metrics", None, "//evil.example", "--web.route-prefix: '//evil.example' is no"),
    ],
)
def test_bad_paths(telemetry: str, url: str | None, prefix: str | None, says: str) -> None:
    """What is no path, or another page's, is refused by the option's name."""
    with pytest.raises(ValueError, match=r"^--web") as raised:
        Paths.parse(telemetry, url, prefix)
    assert says in str(raised.value)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("path", ["/cc/", "/cc/metrics", "/cc/-/healthy"])
async def test_below_the_prefix(path: str) -> None:
    """Every page is below the prefix, and knows it."""
    answer = await Bench(Paths(prefix="/cc", external="/cc")).client.get(path + "?name=x")
    assert answer.json() == {"root": "/cc", "telemetry": "/metrics", "query": "name=x"}


@pytest.mark.parametrize("path", ["/metrics", "/ccx/metrics", "/-/healthy", "/cc/nothing"])
async def test_outside_the_prefix(path: str) -> None:
    """What is not below the prefix is not found."""
    assert (await Bench(Paths(prefix="/cc", external="/cc")).client.get(path)).status_code == 404


@pytest.mark.parametrize("path", ["/", "/cc"])
async def test_the_root_leads_to_the_prefix(path: str) -> None:
    """Who comes to the root, or forgets the slash, is led to the landing page."""
    bench = Bench(Paths(prefix="/cc", external="/cc"))
    answer = await bench.client.get(path)
    assert (answer.status_code, answer.headers["location"]) == (302, "/cc/")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert bench.counted == Counter({302: 1})


async def test_a_proxy_that_takes_its_part_away() -> None:
    """With an empty route prefix links carry the external path, and requests do not."""
    bench = Bench(Paths(external="/cc"))
    assert (await bench.client.get("/")).json()["root"] == "/cc"
    assert (await bench.client.get("/metrics")).json()["root"] == "/cc"
    assert (await bench.client.get("/cc/metrics")).status_code == 404


async def test_another_telemetry_path() -> None:
    """The figures are where they are wanted, and nowhere else."""
    bench = Bench(Paths(telemetry="/probe/m"))
    assert (await bench.client.get("/probe/m")).json()["telemetry"] == "/probe/m"
    assert (await bench.client.get("/metrics")).status_code == 404
    assert (await bench.client.get("/-/healthy")).json()["telemetry"] == "/probe/m"
