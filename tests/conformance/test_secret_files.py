"""Secret files that change while an account is stopped by rejected credentials."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from exporter import app
from exporter.app import App
from exporter.config.load import load
from exporter.providers import MODELS
from support.clock import MORNING, LoopClock, run
from support.platforms import NAMES, PLATFORMS, platform

T = TypeVar("T")
SECRETS = ("password", "api_secret", "api_key", "client_secret", "private_key")
BACK = 130.0  # seconds: the next look at the files, a sign-out and a sign-in, and a refresh


async def _at_once(function: Callable[[], T], _: float, __: object) -> T:
    """Call a function without a thread of its own, for which virtual time does not wait."""
    return function()


@pytest.fixture(autouse=True)
def _no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "run_with_timeout", _at_once)


class World:
    """Accounts whose secrets are in files, and the exporter that reads them in virtual time."""

    def __init__(self, provider: str, folder: Path) -> None:
        self.provider, self.folder = provider, folder
        clock = LoopClock(MORNING)
        self.platform = platform(provider, clock=clock, **PLATFORMS[provider].on_a_loop)
        section = self.write(wrong=True)
        file = folder / "exporter.yml"
        file.write_text(json.dumps({"accounts": [section]}))
        self.app = App(load(file, {}, MODELS), clock=clock, clients=self.platform.client)
        self.app.publisher.renew = lambda: None  # in a thread, which has no virtual time

    def write(self, *, wrong: bool) -> dict[str, Any]:
        """Write the secrets into their files; return the account's section."""
        section = dict(self.platform.options)
        if wrong:
            section |= {x: y for x, y in self.platform.wrong.items() if x in section}
        for name in SECRETS:
            if name in section:
                (self.folder / name).write_text(f"{section.pop(name)}\n")
                section[f"{name}_file"] = name
        self.platform.into_files(section, self.folder)
        return section

    @asynccontextmanager
    async def running(self, seconds: float) -> AsyncIterator[None]:
        self.app.accounts.start()
        await asyncio.sleep(seconds)
        try:
            yield
        finally:
            await self.app.accounts.stop()

    def metric(self, name: str, **labels: str) -> float | None:
        own = {"provider": self.provider, "account": "acme", **labels}
        return self.app.telemetry.registry.get_sample_value(f"contactcenter_{name}", own)

    def rejections(self) -> float | None:
        return self.metric("session_signins_total", outcome="auth")


@pytest.mark.parametrize("provider", NAMES)
def test_a_new_secret_is_used_at_once(
    provider: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A file that changes is read within a minute; the rejected secret is sent once only."""

    async def main() -> None:
        world = World(provider, tmp_path)
        async with world.running(300):
            assert (world.rejections(), world.metric("up")) == (1, 0)
            world.write(wrong=False)
            await asyncio.sleep(BACK)
            assert world.metric("up") == 1
            # The metrics of the account began anew with its new section.
            assert world.rejections() is None
        assert not world.platform.left_behind()

    run(main())
    assert [x.getMessage() for x in caplog.records].count("sign-in failed") == 1


@pytest.mark.parametrize("provider", NAMES)
def test_a_secret_that_changes_just_before_the_sign_in(provider: str, tmp_path: Path) -> None:
    """The files are read before each sign-in that follows a rejection, whenever they changed."""

    async def main() -> None:
        world = World(provider, tmp_path)
        async with world.running(60):
            retry_in = world.app.overview().accounts[0].retry_in
            assert retry_in is not None
            await asyncio.sleep(retry_in - 0.5)
            assert world.rejections() == 1
            world.write(wrong=False)
            await asyncio.sleep(BACK)
            assert (world.rejections(), world.metric("up")) == (None, 1)

    run(main())


@pytest.mark.parametrize(
    "provider",
    [pytest.param(x, marks=pytest.mark.slow if x == "voximplant" else ()) for x in NAMES],
)
def test_unchanged_secrets_are_sent_ever_more_rarely(provider: str, tmp_path: Path) -> None:
    """The pause doubles with every rejection, from ``auth_retry`` to an hour."""

    async def main() -> None:
        world = World(provider, tmp_path)
        async with world.running(890):
            counts = []
            for seconds in (0, 20, 1780, 30, 3570, 40, 3560, 50):
                await asyncio.sleep(seconds)
                counts.append(world.rejections())
            assert counts == [1, 2, 2, 3, 3, 4, 4, 5]

    run(main())


def test_a_file_that_cannot_be_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Without its file an account goes on with the secret it has; the log names the file."""

    async def main() -> None:
        world = World("five9", tmp_path)
        async with world.running(30):
            (tmp_path / "password").unlink()
            await asyncio.sleep(900)
            assert world.rejections() == 2
            world.write(wrong=False)
            await asyncio.sleep(BACK)
            assert world.metric("up") == 1

    run(main())
    lines = [x.__dict__["fields"]["error"] for x in caplog.records if "not read" in x.getMessage()]
    assert len(lines) == 1
    assert "exporter.yml:1: accounts[0].password_file: cannot be read" in lines[0]


def test_the_secret_of_one_feed(tmp_path: Path) -> None:
    """A secret that one feed alone uses is read again within a minute too (Bright Pattern)."""

    async def main() -> None:
        clock = LoopClock(MORNING)
        world = platform("brightpattern", {"password_login": True}, clock)
        secret = world.options.pop("api_secret")
        section = {**world.options, **world.also_accepted(), "auth": "password"}
        (tmp_path / "secret").write_text("wrong")
        section["api_secret_file"] = "secret"
        file = tmp_path / "exporter.yml"
        file.write_text(json.dumps({"accounts": [section]}))
        exporter = App(load(file, {}, MODELS), clock=clock, clients=world.client)
        exporter.publisher.renew = lambda: None  # type: ignore[method-assign]

        def up(feed: str) -> float | None:
            labels = {"provider": "brightpattern", "account": "acme", "feed": feed}
            return exporter.telemetry.registry.get_sample_value("contactcenter_feed_up", labels)

        exporter.accounts.start()
        await asyncio.sleep(300)
        assert (up("subscription"), up("campaigns")) == (1, 0)
        (tmp_path / "secret").write_text(secret)
        await asyncio.sleep(BACK)
        assert (up("subscription"), up("campaigns")) == (1, 1)
        await exporter.accounts.stop()

    run(main())


@pytest.mark.parametrize("edit", [{}, {"max_series": 0}, {"name": ""}])
@pytest.mark.parametrize("provider", NAMES)
def test_reloads_do_not_repeat_rejected_credentials(
    provider: str, edit: dict[str, object], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """46 reloads in 30 s send them once, also if each edits another key or the name."""

    async def main() -> None:
        world = World(provider, tmp_path)
        accounts, config = world.app.accounts, world.app._config
        async with world.running(10):
            for number in range(46):
                update = {x: number + 1 if y == 0 else f"acme-{number}" for x, y in edit.items()}
                account = config.accounts[0].model_copy(update=update)
                change = accounts.plan(replace(config, accounts=(account,)))
                accounts.retry()
                accounts.stop_removed(change)
                await accounts.apply(change)
                await asyncio.sleep(30 / 46)
            assert [x.getMessage() for x in caplog.records].count("sign-in failed") == 1
            await asyncio.sleep(5)  # sign-ins are spread over some seconds
            assert world.app.overview().accounts[0].session == "stopped"
            await asyncio.sleep(60)
            assert [x.getMessage() for x in caplog.records].count("sign-in failed") == 2

    run(main())
