"""Secrets appear on no page and in no log, report, recording, message or repr."""

import asyncio
import io
import json
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import bcrypt
import httpx
import pytest

from exporter.app import App
from exporter.collector.http import Http
from exporter.config.account import client_for
from exporter.config.load import load
from exporter.errors import ConfigError
from exporter.logs import LogFormat, set_up
from exporter.preflight.commands import Preflight
from exporter.providers import MODELS, PROVIDERS
from exporter.telemetry import AccountTelemetry, Telemetry
from exporter.web.config import WebConfigWatcher, WebFile
from support.certificates import Authority
from support.clock import MORNING, VirtualClock
from support.planted import WAYS, Planted, leaks, secret_fields, secrets_in
from support.platforms import NAMES, PLATFORMS
from support.quick import first
from support.servers import listening

pytestmark = pytest.mark.anyio
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


@pytest.fixture(params=first(1, ["logfmt", "json"]))
def log(restored_logging: None, request: pytest.FixtureRequest) -> io.StringIO:
    """Return where everything that is logged goes, in either format, at debug level."""
    stream = io.StringIO()
    form: LogFormat = request.param
    set_up("debug", form, stream)
    return stream


async def pages(app: App) -> str:
    """Run an application until every feed was tried; return all its pages with their headers."""
    texts = []
    async with app._refreshing():
        await asyncio.wait_for(
            asyncio.gather(*(x.refresher.all_tried.wait() for x in app.accounts)), 30
        )
        app.publisher.renew()
        transport = httpx.ASGITransport(app.site)
        async with httpx.AsyncClient(transport=transport, base_url="http://exporter") as client:
            for path in ("/metrics", "/", "/config", "/-/ready", "/-/reload", "/nowhere"):
                for accept in ("text/plain", OPENMETRICS):
                    answer = await client.get(path, headers={"accept": accept})
                    texts.append(f"{answer.status_code} {answer.headers} {answer.text}")
    return "\n".join(texts)


# What is planted --------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", NAMES)
def test_every_secret_field_is_planted(tmp_path: Path, provider: str) -> None:
    """Each field that can hold a secret holds one in these tests; a new one has to be planted."""
    found = {
        place: secret
        for way in WAYS
        for account in Planted(tmp_path, provider, way).config.accounts
        for place, secret in secrets_in(account)
    }

    assert set(found) == set(secret_fields(MODELS[provider]))
    assert all(len(secret) >= 8 for secret in found.values())
    texts = {secret.strip() for secret in found.values()}
    assert len(texts) == len(found) - PLATFORMS[provider].twice


def test_the_providers_are_all() -> None:
    """Every provider is planted."""
    assert set(NAMES) == set(MODELS)


def test_a_field_inside_is_found() -> None:
    """The secrets of models inside a model are enumerated."""
    assert "credentials_file.private_key" in set(secret_fields(MODELS["voximplant"]))
    assert set(secret_fields(WebFile)) == {"tls_server_config.key", "basic_auth_users"}


@pytest.mark.parametrize("provider", NAMES)
def test_leaks_are_seen(tmp_path: Path, provider: str) -> None:
    """What these tests look with sees a secret that is there."""
    planted = Planted(tmp_path, provider, "inline")
    for _, secret in secrets_in(planted.world.account):
        assert planted.said(f"HTTP 401: {secret.splitlines()[-1]} was wrong")


# What is said -----------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("provider", NAMES)
async def test_pages_and_logs(tmp_path: Path, provider: str, way: str, log: io.StringIO) -> None:
    """No page has a secret, nor the log of a process that works."""
    planted = Planted(tmp_path, provider, way)
    app = App(planted.config, clock=planted.world.clock, clients=planted.client)
    text = await pages(app)

    assert f'contactcenter_up{{account="acme",provider="{provider}"}} 1.0' in text
    assert planted.said(text) == []
    assert planted.said(log.getvalue()) == []


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("provider", NAMES)
async def test_reports(tmp_path: Path, provider: str, way: str, log: io.StringIO) -> None:
    """Neither check, discover and capture nor their logs have a secret."""
    planted = Planted(tmp_path, provider, way, agents="name")
    preflight = Preflight(planted.config, planted.world.clock, planted.client)
    checked, well = await preflight.check()
    offered, _ = await preflight.discover("acme")
    recording, lines = await preflight.capture("acme")

    assert well, checked
    for text in ("\n".join((*checked, *offered, *lines)), recording.decode(), log.getvalue()):
        assert planted.said(text) == []


# Failures ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", NAMES)
async def test_wrong_credentials(tmp_path: Path, provider: str, log: io.StringIO) -> None:
    """What the platform did not accept is on no page, in no report and in no log."""
    planted = Planted(tmp_path, provider, "inline", **PLATFORMS[provider].wrong)
    clients = planted.client
    text = await pages(App(planted.config, clock=planted.world.clock, clients=clients))
    lines, well = await Preflight(planted.config, planted.world.clock, clients).check()

    assert not well
    assert "sign-in" in log.getvalue() or "session" in log.getvalue()
    for each in (text, "\n".join(lines), log.getvalue()):
        assert planted.said(each) == []


@pytest.mark.parametrize("provider", NAMES)
async def test_a_bug(tmp_path: Path, provider: str, log: io.StringIO) -> None:
    """The traceback of a bug in the middle of a request has no secret."""
    planted = Planted(tmp_path, provider, "inline")

    class Broken(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            raise LookupError(f"a bug at {request!r}")

    def client(_: Any, __: Path) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=Broken())

    text = await pages(App(planted.config, clock=planted.world.clock, clients=client))
    lines, _ = await Preflight(planted.config, planted.world.clock, client).check()

    assert "Traceback" in log.getvalue()
    assert "a bug at " in log.getvalue()
    for each in (text, "\n".join(lines), log.getvalue()):
        assert planted.said(each) == []


async def answer_407(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Be a proxy that refuses, and says everything that it was told."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    told = head.replace("\r\n", " ").strip()
    body = f"<html>{head}</html>".encode()
    writer.write(f"HTTP/1.1 407 {told}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
    await writer.drain()
    writer.close()


async def repeat(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer with what was sent, which is no HTTP."""
    writer.write(await reader.readuntil(b"\r\n\r\n"))
    await writer.drain()
    writer.close()


@asynccontextmanager
async def nobody(_: Path) -> AsyncIterator[dict[str, Any]]:
    async with listening(answer_407) as port:
        pass
    yield {"base_url": f"http://127.0.0.1:{port}", "proxy_url": None}


@asynccontextmanager
async def no_proxy(_: Path) -> AsyncIterator[dict[str, Any]]:
    yield {"base_url": "https://platform.invalid"}


@asynccontextmanager
async def refusing_proxy(_: Path) -> AsyncIterator[dict[str, Any]]:
    async with listening(answer_407) as port:
        proxy = f"http://planted-proxy-user:planted-proxy-password@127.0.0.1:{port}"
        yield {"base_url": "https://platform.invalid", "proxy_url": proxy}


@asynccontextmanager
async def parrot(_: Path) -> AsyncIterator[dict[str, Any]]:
    async with listening(repeat) as port:
        yield {"base_url": f"http://127.0.0.1:{port}", "proxy_url": None}


@asynccontextmanager
async def unknown_certificate(folder: Path) -> AsyncIterator[dict[str, Any]]:
    Authority().sign("localhost", "127.0.0.1").write(folder, "server")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    async with listening(answer_407, context) as port:
        yield {"base_url": f"https://127.0.0.1:{port}", "proxy_url": None}


@pytest.mark.parametrize("trouble", [nobody, no_proxy, refusing_proxy, parrot, unknown_certificate])
@pytest.mark.parametrize("provider", NAMES)
async def test_no_connection(
    tmp_path: Path, provider: str, trouble: Callable[..., Any], log: io.StringIO
) -> None:
    """Neither a platform nor a proxy that cannot be reached, or that refuses, brings one out."""
    async with trouble(tmp_path) as options:
        planted = Planted(tmp_path, provider, "inline", **options)
        lines, well = await Preflight(planted.config, VirtualClock(MORNING)).check()
        text = await pages(App(planted.config, clock=VirtualClock(MORNING), clients=client_for))

    assert not well
    assert "failed (network)" in "\n".join(lines)
    assert "reason=network" in log.getvalue() or '"reason": "network"' in log.getvalue()
    for each in (text, "\n".join(lines), log.getvalue()):
        assert planted.said(each) == []


# The configuration ------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", NAMES)
def test_mistakes(tmp_path: Path, provider: str) -> None:
    """Whatever is wrong with a secret, or beside it, its text is in no fault."""
    planted = Planted(tmp_path, provider, "inline")
    sound = {
        **planted.world.options,
        **{name: secret for name, secret in secrets_in(planted.world.account) if "." not in name},
    }
    for name in [field for field in secret_fields(MODELS[provider]) if "." not in field]:
        secret = sound[name]
        for odd in (
            {name: [secret]},
            {name: {secret: secret}},
            {name: secret, f"{name}_file": "none"},
            {name[:-1]: secret},
            {name: secret, "provider": secret},
            {name: secret, "feeds": secret, "labels": [secret], "timeout": secret},
            {name: secret, "agents": secret, "tls": secret, "max_series": secret},
            {name: secret, "base_url": f"https://u:{secret}@host"},
            {"proxy_url": f"u:{secret}@host:3128"},
        ):
            file = tmp_path / "wrong.yml"
            file.write_text(json.dumps({"accounts": [{**sound, **odd}]}))
            with pytest.raises(ConfigError) as caught:
                load(file, {}, MODELS)
            assert planted.said(str(caught.value)) == [], odd
            assert planted.said(repr(caught.value)) == [], odd


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("provider", NAMES)
def test_objects(tmp_path: Path, provider: str, way: str) -> None:
    """No object that holds a secret shows it: configurations, collectors, and what is in them."""
    planted = Planted(tmp_path, provider, way)
    (account,) = planted.config.accounts
    telemetry = AccountTelemetry(Telemetry(), provider, "acme")
    http = Http(client_for(account, tmp_path), telemetry, planted.world.clock)
    collector = PROVIDERS[provider].collector(account, http, telemetry, planted.world.clock)
    shown = [planted.config, account, account.account_labels(), collector, *objects_in(collector)]

    assert len(shown) > 5
    for each in shown:
        assert planted.said(f"{each!r} {each} {each:}") == [], type(each)
    assert planted.said(str(account.model_dump())) == []
    assert planted.said(account.model_dump_json()) == []


def objects_in(value: Any, depth: int = 4) -> Iterator[Any]:
    """Yield the objects of ours that an object holds."""
    for each in getattr(value, "__dict__", {}).values():
        if type(each).__module__.startswith("exporter."):
            yield each
            if depth:
                yield from objects_in(each, depth - 1)


# Our own server ---------------------------------------------------------------------------------


async def test_the_web_configuration(tmp_path: Path, log: io.StringIO) -> None:
    """Hashes, passwords and the key of our own server are in no answer, fault, log or repr."""
    password = "planted-web-password"
    hash_ = bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
    pair = Authority().sign("localhost", "localhost")
    key = "\n".join(f"    {line}" for line in pair.key.splitlines())
    cert = "\n".join(f"    {line}" for line in pair.cert.splitlines())
    text = (
        f"basic_auth_users: {{planted: {hash_}}}\n"
        f"tls_server_config:\n  cert: |\n{cert}\n  key: |\n{key}\n"
    )
    file = tmp_path / "web.yml"
    file.write_text(text)
    secrets = {password, hash_, hash_[7:], *pair.key.splitlines()[1:-1]}
    watch = WebConfigWatcher(file)
    said = [repr(watch.current), str(watch.current), repr(WebFile.model_validate({}))]

    app = App(Planted(tmp_path, "five9", "inline").config)
    front = httpx.ASGITransport(app._web_app(watch))
    async with httpx.AsyncClient(transport=front, base_url="http://exporter") as client:
        for auth in (None, ("planted", password), ("planted", "wrong"), (password, hash_)):
            for path in ("/metrics", "/", "/config"):
                answer = await client.get(path, auth=auth)
                said.append(f"{answer.status_code} {answer.headers} {answer.text}")
    for broken in (
        text.replace("$2b$04$", "$9z$"),
        text.replace("basic_auth_users: {", "basic_auth_users: ["),
        text.replace("  key: |", "  kee: |"),
        text.replace("planted: ", "planted: !x "),
        text.replace("  cert: |", "  cert_file: |"),
    ):
        assert broken != text
        file.write_text(broken)
        for _ in range(2):
            watch.look()
        with pytest.raises(ConfigError) as caught:
            WebConfigWatcher(file)
        said.append(str(caught.value))

    assert any(each.startswith("200 ") for each in said)
    assert any(each.startswith("401 ") for each in said)
    assert "web configuration not reloaded" in log.getvalue()
    assert leaks("\n".join((*said, log.getvalue())), secrets) == []
