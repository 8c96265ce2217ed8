"""Tests of check --live --url: a running exporter reports what it knows, and asks no platform."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import bcrypt
import pytest

from exporter.app import App
from exporter.cli import main
from exporter.clock import SystemClock
from exporter.config.load import Config
from exporter.errors import ConfigError
from exporter.preflight.running import parse_url, report_running
from exporter.web.config import WebConfigWatcher
from exporter.web.site import Paths
from exporter.web.sockets import Address, listen_all
from support.clock import MORNING
from support.five9 import LIMITS_OF_2015
from support.platforms import NAMES, PLATFORMS, platform

pytestmark = pytest.mark.anyio
SECRET = "pläin:text"


@asynccontextmanager
async def running(
    world: Any,
    *,
    complete: bool = False,
    watcher: WebConfigWatcher | None = None,
    paths: Paths | None = None,
) -> AsyncIterator[str]:
    """Run an exporter of one account on a real socket; yield its host and port."""
    app = App(Config((world.account,), Path()), clients=world.client, paths=paths)
    (opened,) = listen_all([Address("127.0.0.1", 0)])
    stop = asyncio.Event()
    task = asyncio.create_task(app.serve([opened], stop, watcher=watcher))
    try:
        async with asyncio.timeout(20):
            for account in app.accounts:
                refresher = account.refresher
                await (refresher.all_tried if complete else refresher.ready).wait()
        yield str(Address.of(opened))
    finally:
        stop.set()
        await asyncio.wait_for(task, timeout=10)


async def check(url: str, account: str | None = None, *feeds: str) -> tuple[str, bool]:
    lines, successful = await report_running(parse_url(url), None, account, feeds, SystemClock())
    return "\n".join(lines), successful


def clock_of_today(ahead: float = 0.0) -> dict[str, float]:
    """Return the switch for a platform whose clock is so far ahead of the system's."""
    return {"clock_ahead": SystemClock().time() + ahead - MORNING}


async def test_what_a_running_exporter_knows() -> None:
    """Feeds, failures with remedies and quotas are reported without a request to the platform."""
    world = platform("five9", {"missing_permission": "disallowed"})
    world.simulator.permissions["Campaigns"] = False
    async with running(world, complete=True) as address:
        counted = world.simulator.used("QueryStatistics", 3600)
        text, successful = await check(f"http://{address}")
        assert not successful
        single, successful = await check(f"http://{address}/", None, "ACDStatus")
        assert successful
        with pytest.raises(ConfigError, match="did you mean 'ACDStatus'"):
            await check(f"http://{address}", None, "ACDstatus")
        with pytest.raises(ConfigError, match="did you mean 'acme'"):
            await check(f"http://{address}", "acne")
        assert world.simulator.used("QueryStatistics", 3600) == counted
    assert text.startswith("acme (five9): signed in\n    ACDStatus: ok, ")
    assert "  ! CampaignState: failed (fault): AccessDisallowedFault" in text
    assert "  ! CampaignState" not in single
    assert "QueryStatistics: " in text
    assert "! permission Campaigns: missing. " in text
    assert "    permission Agents: granted" in text
    assert "    licences, supervisor: " in text
    assert "    clock: " in text


@pytest.mark.parametrize("provider", NAMES)
async def test_every_platform_is_reported(provider: str) -> None:
    """All platforms have a report without a fault; what no feed reads is said not to be known."""
    world = platform(provider, clock_of_today(), **PLATFORMS[provider].everything)
    async with running(world, complete=True) as address:
        text, successful = await check(f"http://{address}")
    assert successful, text
    unknown = "permissions and licences: not read by a feed of this account"
    assert (unknown in text) == (provider != "five9")


async def test_a_clock_that_is_ahead() -> None:
    """The platform's clock is compared with the exporter's, as check --live does."""
    world = platform("voximplant", {**clock_of_today(90.0), "date_header": True})
    async with running(world) as address:
        text, _ = await check(f"http://{address}")
    found = re.search(r"\? clock: the platform's is (\d+) s ahead of this host's", text)
    assert found is not None, text
    assert 60 < int(found[1]) <= 91  # the simulated clock stands still


async def test_a_limit_that_delays_first_figures() -> None:
    """The report says when first figures come, and which limit delays them."""
    async with running(platform("five9", {"limits": LIMITS_OF_2015})) as address:
        await asyncio.sleep(0.3)
        text, successful = await check(f"http://{address}")
    assert successful
    assert "? AutodialCampaignStatistics: first figures at " in text
    assert "UTC: request limit QueryStatistics of a minute" in text


async def test_a_protected_exporter(tmp_path: Path) -> None:
    """Basic auth and a prefix are those of the URL; a password is not printed."""
    file = tmp_path / "web.yml"
    hash_ = bcrypt.hashpw(SECRET.encode(), bcrypt.gensalt(4)).decode()
    file.write_text(f"basic_auth_users: {{prometheus: {hash_}}}\n")
    paths = Paths("/metrics", "/cc", "/cc")
    watcher = WebConfigWatcher(file)
    async with running(platform("five9"), watcher=watcher, paths=paths) as address:
        text, _ = await check(f"http://prometheus:pl%C3%A4in%3Atext@{address}/cc")
        assert "acme (five9): signed in" in text
        text, successful = await check(f"http://prometheus:wrong-password@{address}/cc")
        assert not successful
        assert "check the user in --url and the password" in text
        assert "wrong-password" not in text
        secret = tmp_path / "password"
        for content in (SECRET, f"{SECRET}\n", f"{SECRET}\r\n"):
            secret.write_text(content, encoding="utf-8")
            for user in ("prometheus", "prometheus:"):
                url = parse_url(f"http://{user}@{address}/cc", secret)
                lines, _ = await report_running(url, None, None, (), SystemClock())
                assert lines[0] == "acme (five9): signed in"


@pytest.mark.parametrize(
    ("url", "content", "words"),
    [
        ("http://127.0.0.1:1", b"x", "--url.password-file: expected --url with a user"),
        ("http://a:b@127.0.0.1:1", b"x", "--url.password-file: expected --url with a user"),
        ("http://a@127.0.0.1:1", b"", "password: is empty"),
        ("http://a@127.0.0.1:1", b"\n", "password: is empty"),
        ("http://a@127.0.0.1:1", b"\xff", "password: is not UTF-8"),
        ("http://a@127.0.0.1:1", b"secret \n", "password: hidden characters: space"),
        ("http://a@127.0.0.1:1", None, "password: cannot be read: No such file"),
        (None, b"x", "--url.password-file: only with --url"),
    ],
)
def test_password_files(
    url: str | None,
    content: bytes | None,
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What is wrong with a file of a password is said, without the password."""
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    command = ["check", "--live", "--url.password-file", str(file)]
    assert main([*command, "--url", url] if url else command) == 2
    error = capsys.readouterr().err
    assert words in error
    assert "secret" not in error


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        ("127.0.0.1:10077", 2, "--url: expected a URL such as"),
        ("ftp://x", 2, "--url: expected a URL such as"),
        ("http://x:99999", 2, "--url: expected a URL such as"),
        ("http://127.0.0.1:1", 1, "status not read (network)"),
    ],
)
def test_no_exporter_there(
    url: str, code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistake in the URL, or an exporter that does not run, is said."""
    assert main(["check", "--live", "--url", url]) == code
    output = capsys.readouterr()
    assert words in output.out + output.err
