"""Tests against a hostile platform, a hostile file and a hostile peer on the network."""

import gzip
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from exporter.clock import SystemClock
from exporter.collector import http as transport
from exporter.collector.http import Http, check_status
from exporter.config.load import Config, load
from exporter.errors import ConfigError, InvalidAnswer
from exporter.preflight.commands import Preflight
from exporter.providers import MODELS
from exporter.telemetry import AccountTelemetry, Telemetry
from exporter.web import config as webconfig
from support.certificates import Authority
from support.damage import Damaged
from support.platforms import NAMES, Platform, platform
from support.servers import busy, listening

pytestmark = pytest.mark.anyio
SMALL = 1 << 20
ANSWERS = 14  # of each visit
SECRET = "planted-file-content"


async def taken(headers: dict[str, str], body: bytes) -> int:
    """Return how large an answer is when it has been read."""
    telemetry = AccountTelemetry(Telemetry(), "five9", "acme")

    def serve(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers=headers, stream=httpx.ByteStream(body))

    async def read(response: httpx.Response) -> int:
        check_status(response)
        return len(response.content)

    async with httpx.AsyncClient(transport=httpx.MockTransport(serve)) as client:
        http = Http(client, telemetry, SystemClock())
        return await http.send(client.build_request("GET", "https://platform"), "get", read, 30.0)


# Bodies -----------------------------------------------------------------------------------------


async def test_what_counts_is_the_size_unpacked() -> None:
    """An answer that becomes too large when it is unpacked is refused; a smaller one is read."""
    bomb = gzip.compress(bytes(SMALL + 1))
    packed = {"content-encoding": "gzip"}

    assert len(bomb) < SMALL / 500
    assert await taken(packed, gzip.compress(bytes(SMALL))) == SMALL
    with pytest.raises(InvalidAnswer, match="larger than"):
        await taken(packed, bomb)
    with pytest.raises(InvalidAnswer, match="larger than"):
        await taken({}, bytes(SMALL + 1))


@pytest.mark.parametrize("encoding", ["gzip, gzip", "gzip,deflate", "identity, gzip"])
async def test_packed_more_than_once(encoding: str) -> None:
    """An answer that is compressed more than once is refused before it is decompressed."""
    with pytest.raises(InvalidAnswer, match="an encoding that is not offered"):
        await taken({"content-encoding": encoding}, gzip.compress(gzip.compress(b"x")))


def nested(opening: bytes, closing: bytes) -> Callable[[httpx.Response], bytes]:
    return lambda _: opening * 200_000 + closing * 200_000


def with_entity(file: Path) -> Callable[[httpx.Response], bytes]:
    """Return a damage that has a document name a file, and show it in every cell."""
    doctype = f'<!DOCTYPE x [<!ENTITY e SYSTEM "{file.as_uri()}">]>'.encode()

    def damage(answer: httpx.Response) -> bytes:
        declaration, end, rest = answer.content.rpartition(b"?>")
        return declaration + end + doctype + rest.replace(b"</data>", b"&e;</data>")

    return damage


BODIES = [
    nested(b"[", b"]"),
    nested(b'{"a":', b"}"),
    nested(b"<a>", b"</a>"),
    lambda _: b"1" * 100_000,
    lambda _: b'{"result": ' + b"9" * 5000 + b"}",
    lambda _: b'<?xml version="1.0" encoding="utf-32"?><a/>',
    lambda _: b"\xef\xbb\xbf\xff\xfe",
]


# Seven shifts are all bodies at all positions; the first has each body at two of them.
@pytest.mark.parametrize(
    "shift", [0, *(pytest.param(shift, marks=pytest.mark.slow) for shift in range(1, len(BODIES)))]
)
@pytest.mark.parametrize("provider", NAMES)
async def test_hostile_bodies(provider: str, shift: int) -> None:
    """A body of great depth, of endless digits or of an odd encoding costs its own feed only."""
    for at in range(ANSWERS):
        body = BODIES[(at + shift) % len(BODIES)]
        world = platform(provider)
        world.simulator.tick = None

        damaged = Damaged(world.simulator.app, at, body)

        def client(_: Any, __: Path, damaged: Damaged = damaged) -> httpx.AsyncClient:
            return httpx.AsyncClient(transport=damaged)

        lines, _ = await Preflight(Config((world.account,), Path()), world.clock, client).check()
        assert "internal error" not in "\n".join(lines)


async def test_external_entities(tmp_path: Path) -> None:
    """No answer in XML can have a file of ours read: not in figures, reports or recordings."""
    file = tmp_path / "secret.txt"
    file.write_text(SECRET)
    refused = 0
    for at in range(ANSWERS):
        world = platform("five9", agents="name")

        def client(_: Any, __: Path, at: int = at, world: Platform = world) -> httpx.AsyncClient:
            return httpx.AsyncClient(transport=Damaged(world.simulator.app, at, with_entity(file)))

        preflight = Preflight(Config((world.account,), Path()), world.clock, client)
        lines, _ = await preflight.check()
        recording, _ = await preflight.capture("acme")
        assert SECRET not in "\n".join(lines)
        assert SECRET not in recording.decode()
        refused += "document type declaration" in "\n".join(lines)
    assert refused > 5


# Where requests go ------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("provider", NAMES)
async def test_redirects_are_never_followed(provider: str, status: int) -> None:
    """A platform that sends us elsewhere is told as such; nothing is sent there."""
    asked = set()

    def serve(request: httpx.Request) -> httpx.Response:
        asked.add(request.url.host)
        return httpx.Response(status, headers={"location": "https://elsewhere.example/"})

    world = platform(provider)

    def client(_: Any, __: Path) -> httpx.AsyncClient:
        made = transport.open_client(transport.Tls(), None)
        made._transport = httpx.MockTransport(serve)
        return made

    lines, well = await Preflight(Config((world.account,), Path()), world.clock, client).check()

    assert not well
    assert asked == {"127.0.0.1"}
    assert f"HTTP {status}: redirects are not followed" in "\n".join(lines)


@pytest.mark.parametrize(
    ("name", "tls", "reason"),
    [
        ("127.0.0.1", {}, "network"),
        ("127.0.0.1", {"ca_file": "ca.pem"}, "server"),
        ("other.example", {"ca_file": "ca.pem"}, "network"),
        ("other.example", {"insecure_skip_verify": True}, "server"),
    ],
)
async def test_certificates_are_verified(
    tmp_path: Path, name: str, tls: dict[str, Any], reason: str
) -> None:
    """Who signed a certificate, and for which host, is looked at unless that is switched off."""
    authority = Authority()
    authority.sign(name, name).write(tmp_path, "server")
    (tmp_path / "ca.pem").write_text(authority.pem)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    async with listening(busy, context) as port:
        world = platform("five9", base_url=f"https://127.0.0.1:{port}", tls=tls)
        lines, _ = await Preflight(Config((world.account,), tmp_path), world.clock).check()

    assert f"sign-in: failed ({reason})" in "\n".join(lines)


# Files ------------------------------------------------------------------------------------------

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "text",
    [BOMB, "x: " + "[" * 50_000, "x: " + "{a: " * 50_000],
    ids=["aliases", "lists", "mappings"],
)
def test_files_that_grow(tmp_path: Path, text: str) -> None:
    """Aliases that multiply, and values of great depth, are refused in both files."""
    file = tmp_path / "file.yml"
    file.write_text(text)

    with pytest.raises(ConfigError, match="too many values, or values nested too deeply"):
        load(file, {}, MODELS)
    (fault,) = webconfig.load(file).faults
    assert "too many values, or values nested too deeply" in fault


@pytest.mark.parametrize(
    "value", ["!!int " + "9" * 5000, "9" * 5000, "1e999", "-1e999", "!!float 9e9999"]
)
@pytest.mark.parametrize("key", ["max_series", "timeout", "smartqueue: {report_seconds_scale"])
def test_numbers_without_end(tmp_path: Path, key: str, value: str) -> None:
    """A number that no computer holds is a fault of its own line."""
    file = tmp_path / "exporter.yml"
    close = "}" * key.count("{")
    file.write_text(f"accounts:\n- name: a\n  provider: voximplant\n  {key}: {value}{close}\n")

    with pytest.raises(ConfigError) as caught:
        load(file, {}, MODELS)
    assert any(fault.startswith(f"{file}:4: ") for fault in caught.value.faults)
