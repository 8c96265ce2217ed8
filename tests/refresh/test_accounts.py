"""Changes of the running accounts on a reload, on virtual time."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from exporter.collector.base import Collector, Feed, FeedTimes
from exporter.collector.http import Http
from exporter.config.account import AccountConfig
from exporter.config.load import Config
from exporter.errors import ConfigError, Unauthorized
from exporter.exposition.encoding import Format
from exporter.exposition.store import Limits, SnapshotStore
from exporter.metrics import families as f
from exporter.metrics.labels import AccountLabels
from exporter.metrics.reading import Reading, Rows
from exporter.metrics.tables import Column, Key, Table
from exporter.refresh.accounts import Accounts, RunningAccount
from exporter.refresh.logins import Logins
from exporter.refresh.schedule import Refresher
from exporter.telemetry import AccountTelemetry, Telemetry
from support.clock import LoopClock, run

TABLE = Table(
    "grid",
    (Key("queue", "Queue"),),
    (Column("Waiting", f.QUEUE_CONTACTS_WAITING, labels={"media": "voice"}),),
)


class LoginConfig(AccountConfig):
    """An account whose user may have one session."""

    user: str
    secret: str = "first"
    shared: bool = False  # accounts may share the login

    @property
    def login(self) -> object:
        return None if self.shared else self.user

    @property
    def signs_in_with(self) -> tuple[object, ...]:
        return self.user, self.secret


class Platform(Collector):
    """A platform that records sign-ins and sign-outs, and the sessions of a user."""

    def __init__(self, world: "World", config: LoginConfig, client: httpx.AsyncClient) -> None:
        self.world = world
        self.config = config
        self.client = client
        self.feeds = [Feed("a", (TABLE,), FeedTimes(10.0, 20.0, 30.0))]

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        world, user = self.world, self.config.user
        await asyncio.sleep(world.sign_in_takes.get(user, 0.0))
        if user in world.refused:
            world.note("refused", user)
            raise Unauthorized("no")
        world.note("in", user)
        world.sessions[user] = world.sessions.get(user, 0) + 1
        world.most_sessions = max(world.most_sessions, world.sessions[user])
        try:
            yield
        finally:
            await asyncio.sleep(world.sign_out_takes.get(user, 0.0))
            world.sessions[user] -= 1
            world.note("out", user)

    async def fetch(self, feed: str) -> Reading:  # noqa: ARG002 - there is one feed
        self.world.fetched.append((self.config.name, asyncio.get_running_loop().time()))
        await asyncio.sleep(self.world.answer_takes.get(self.config.user, 0.0))
        self.world.note("answered", self.config.user)
        return Reading({"grid": Rows.of([{"Queue": "Sales", "Waiting": 1}])})


class World:
    """Accounts on a loop of virtual time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.events: list[tuple[str, str, float]] = []
        self.fetched: list[tuple[str, float]] = []
        self.sessions: dict[str, int] = {}
        self.most_sessions = 0
        self.sign_out_takes: dict[str, float] = {}
        self.answer_takes: dict[str, float] = {}
        self.sign_in_takes: dict[str, float] = {}
        self.refused: set[str] = set()
        self.clients: list[httpx.AsyncClient] = []
        self.store = SnapshotStore()
        self.telemetry = Telemetry()
        self.logins = Logins(LoopClock(0.0).monotonic)
        self.accounts = Accounts(self.store, self.telemetry, self.client, self.build)

    def note(self, what: str, user: str) -> None:
        self.events.append((what, user, round(asyncio.get_running_loop().time(), 3)))

    def at(self, what: str, user: str) -> list[float]:
        return [at for each, who, at in self.events if (each, who) == (what, user)]

    def client(self, config: AccountConfig, directory: Path) -> httpx.AsyncClient:
        tls = config.tls_settings(directory)
        if tls.ca_file:
            Path(tls.ca_file).read_bytes()
        self.clients.append(httpx.AsyncClient())
        return self.clients[-1]

    def build(
        self, config: AccountConfig, client: httpx.AsyncClient, telemetry: AccountTelemetry
    ) -> tuple[Refresher, Http]:
        assert isinstance(config, LoginConfig)
        clock = LoopClock(1_700_000_000.0)
        refresher = Refresher(
            Platform(self, config, client),
            AccountLabels({"provider": "five9", "account": config.name}),
            self.store,
            telemetry,
            auth_retry=900.0,
            limits=Limits(1000, 500_000),
            clock=clock,
            roll=lambda: 0.0,
            login=self.logins.of(config.fingerprint()),
        )
        return refresher, Http(client, telemetry, clock)

    def config(self, *sections: str, **options: Any) -> Config:
        """Return a configuration of sections such as ``a:user``."""
        accounts = []
        for section in sections:
            name, _, user = section.partition(":")
            data = {"name": name, "provider": "five9", "user": user or name}
            accounts.append(LoginConfig.model_validate({**data, **options.get(name, {})}))
        return Config(tuple(accounts), self.folder)

    async def change(self, *sections: str, **options: Any) -> str:
        change = self.accounts.plan(self.config(*sections, **options))
        self.accounts.retry()
        self.accounts.stop_removed(change)
        await self.accounts.apply(change)
        return str(change)

    @property
    def names(self) -> list[str]:
        return [account.identity.config.name for account in self.accounts]

    def running(self, name: str) -> RunningAccount:
        return next(account for account in self.accounts if account.identity.config.name == name)

    def own(self, account: str) -> dict[tuple[str, ...], float]:
        """Return all of the exporter's own series of an account."""
        return {
            (sample.name, *sorted(sample.labels.values())): sample.value
            for family in self.telemetry.registry.collect()
            for sample in family.samples
            if sample.labels.get("account") == account
        }

    def page(self) -> str:
        now = asyncio.get_running_loop().time()
        return b"".join(self.store.page(now).body(Format.TEXT, gzip=False)[0]).decode()


Scene = Callable[[World], Coroutine[Any, Any, None]]


@pytest.fixture
def play(tmp_path: Path) -> Callable[[Scene], None]:
    """Run a scene with accounts a and b that have been running for a minute; then sign out."""

    def perform(scene: Scene) -> None:
        async def whole() -> None:
            world = World(tmp_path)
            await world.change("a", "b")
            await asyncio.sleep(60)
            await scene(world)
            await world.accounts.stop()
            assert all(client.is_closed for client in world.clients)
            assert asyncio.all_tasks() == {asyncio.current_task()}

        run(whole())

    return perform


def test_what_is_the_same_goes_on(play: Callable[[Scene], None]) -> None:
    """A reload without a change, or with another order, leaves every account untouched."""

    async def scene(world: World) -> None:
        before = {name: world.running(name) for name in "ab"}
        count = len(world.fetched)
        own = world.own("a")
        assert await world.change("b", "a") == "2 unchanged, 0 changed, 0 added, 0 removed"
        assert world.names == ["b", "a"]
        assert world.own("a") == own
        await asyncio.sleep(60)
        assert {name: world.running(name) for name in "ab"} == before
        assert world.at("in", "a") == world.at("in", "b") == [0]
        assert len(world.fetched) == count + 12
        assert len(world.clients) == 2

    play(scene)


def test_a_changed_account_signs_out_before_it_signs_in(play: Callable[[Scene], None]) -> None:
    """A changed account waits for its old session to end; no other account waits."""

    async def scene(world: World) -> None:
        world.sign_out_takes["a"] = 4.0
        done = await world.change("a", "b", "c", a={"max_series": 7})
        assert done == "1 unchanged, 1 changed, 1 added, 0 removed"
        assert world.at("in", "c") == [60]
        await asyncio.sleep(20)
        assert world.at("out", "a") == [64]
        assert world.at("in", "a") == [0, 64]
        assert world.at("in", "b") == [0]
        assert world.most_sessions == 1
        assert [at for name, at in world.fetched if name == "b" and 60 < at < 70] == [65]
        assert world.names == ["a", "b", "c"]

    play(scene)


def test_a_login_that_moves_waits_too(play: Callable[[Scene], None]) -> None:
    """An account with another name, but the login of a removed one, waits for its sign-out."""

    async def scene(world: World) -> None:
        world.sign_out_takes["a"] = 2.0
        await world.change("renamed:a", "b", "new")
        await asyncio.sleep(5)
        assert world.at("in", "a") == [0, 62]
        assert world.at("in", "new") == [60]
        assert world.most_sessions == 1

    play(scene)


def test_logins_that_change_places(play: Callable[[Scene], None]) -> None:
    """Two accounts that swap logins wait for both old sessions to end."""

    async def scene(world: World) -> None:
        world.sign_out_takes |= {"a": 1.0, "b": 3.0}
        await world.change("a:b", "b:a")
        await asyncio.sleep(5)
        assert world.at("in", "a") == world.at("in", "b") == [0, 63]
        assert world.most_sessions == 1

    play(scene)


def test_a_sign_out_that_hangs_is_bounded(
    play: Callable[[Scene], None], caplog: pytest.LogCaptureFixture
) -> None:
    """A sign-out that hangs is cancelled after some seconds, and the client is closed."""

    async def scene(world: World) -> None:
        world.sign_out_takes["a"] = 1e6
        await world.change("a", "b", a={"max_series": 7})
        await asyncio.sleep(1)
        assert world.at("in", "a") == [0, 65.25]
        assert world.clients[0].is_closed
        world.sign_out_takes.clear()

    play(scene)
    assert "signing out took too long" in caplog.text


def test_a_removed_account_vanishes_at_once(play: Callable[[Scene], None]) -> None:
    """All series of a removed account are dropped before it has signed out."""

    async def scene(world: World) -> None:
        world.sign_out_takes["b"] = 3.0
        other = world.own("a")
        assert world.own("b")
        change = world.accounts.plan(world.config("a"))
        world.accounts.stop_removed(change)
        assert world.own("b") == {}
        assert 'account="b"' not in world.page()
        assert 'account="a"' in world.page()
        await world.accounts.apply(change)
        assert world.at("out", "b") == [63]
        assert world.own("b") == {}
        assert world.own("a") == other
        assert world.names == ["a"]

    play(scene)


def test_a_name_may_come_back(play: Callable[[Scene], None]) -> None:
    """An account that returns counts from zero, and only once."""

    async def scene(world: World) -> None:
        await world.change("a")
        await world.change("a", "b")
        await asyncio.sleep(1)
        assert world.own("b")["contactcenter_session_signins_total", "b", "five9", "ok"] == 1
        assert 'account="b"' in world.page()

    play(scene)


@pytest.mark.parametrize("key", ["ca_file", "cert_file"])
def test_the_content_of_files_counts(play: Callable[[Scene], None], key: str) -> None:
    """A certificate that was renewed under its old name makes its account a changed one."""

    async def scene(world: World) -> None:
        file = world.folder / "some.pem"
        file.write_text("old")
        options = {"b": {"tls": {key: "some.pem"}}}
        await world.change("a", "b", **options)
        assert (await world.change("a", "b", **options)).startswith("2 unchanged")
        file.write_text("new")
        done = await world.change("a", "b", **options)
        assert done == "1 unchanged, 1 changed, 0 added, 0 removed"

    play(scene)


def test_secrets_count(tmp_path: Path) -> None:
    """Another secret is another account, though neither prints its value."""
    world = World(tmp_path)
    plans = [
        world.accounts.plan(world.config("a", a={"agents_key": key}))
        for key in ("hunter1", "hunter2", "hunter1")
    ]
    first, second, third = (plan.added[0].identity for plan in plans)
    assert first == third != second
    assert "hunter" not in repr(first)


def test_a_certificate_that_cannot_be_used(play: Callable[[Scene], None]) -> None:
    """A missing certificate file is an error that names the account, and nothing has changed."""

    async def scene(world: World) -> None:
        options = {each: {"tls": {"ca_file": f"{each}.pem"}} for each in "bc"}
        with pytest.raises(ConfigError) as caught:
            await world.change("b", "c", **options)
        assert [fault.split(":")[0] for fault in caught.value.faults] == ["b", "c"]
        await asyncio.sleep(10)
        assert world.names == ["a", "b"]
        assert world.at("in", "a") == world.at("in", "b") == [0]

    play(scene)


def test_rejected_credentials_are_tried_once_more(play: Callable[[Scene], None]) -> None:
    """An account that rejected credentials have stopped is tried once at each reload."""

    async def scene(world: World) -> None:
        world.refused.add("c")
        await world.change("a", "b", "c")
        await asyncio.sleep(100)
        assert world.at("refused", "c") == [60]
        assert world.running("c").status().session == "stopped"
        await world.change("a", "b", "c")
        await asyncio.sleep(100)
        assert world.at("refused", "c") == [60, 160]
        world.refused.clear()
        await world.change("a", "b", "c")
        await asyncio.sleep(1)
        assert world.at("in", "c") == [260]
        assert world.at("in", "a") == [0]
        assert len(world.clients) == 3

    play(scene)


async def reload_often(world: World, *sections: str, **options: Any) -> None:
    """Reload a configuration 46 times in 30 seconds."""
    for _ in range(46):
        await world.change(*sections, **options)
        await asyncio.sleep(30 / 46)


def test_reloads_do_not_repeat_a_rejected_sign_in(play: Callable[[Scene], None]) -> None:
    """However often the configuration is loaded, rejected credentials are tried once a minute."""

    async def scene(world: World) -> None:
        world.refused.add("c")
        for _ in range(6):
            await reload_often(world, "a", "b", "c")
        assert world.at("refused", "c") == [60, 120, 180]
        assert world.at("in", "a") == [0]

    play(scene)


def test_a_waiting_account_says_why(play: Callable[[Scene], None]) -> None:
    """An account whose sign-in waits is stopped, with the reason and the time of the next."""

    async def scene(world: World) -> None:
        world.refused.add("c")
        await reload_often(world, "a", "c", c={"max_series": 7})
        await world.change("a", "c", c={"max_series": 8})
        await asyncio.sleep(1)
        status = world.running("c").status()
        assert status.session == "stopped"
        assert status.failure is not None
        assert (status.failure.reason, status.failure.message) == ("auth", "no")
        assert status.retry_in is not None
        assert 27 <= status.retry_in <= 30
        assert world.running("c").refresher.ready.is_set()
        signins = "contactcenter_session_signins_total"
        assert (signins, "auth", "c", "five9") not in world.own("c")  # nothing was sent for it

    play(scene)


@pytest.mark.parametrize("change", ["section", "name", "name of a shared login"])
def test_an_edit_does_not_repeat_a_rejected_sign_in(
    play: Callable[[Scene], None], change: str
) -> None:
    """An account that changed in something else, or was renamed, has the same credentials."""

    async def scene(world: World) -> None:
        world.refused.add("c")
        shared = {"shared": change == "name of a shared login"}
        for number in range(46):
            name = "c" if change == "section" else f"c{number}"
            options = {name: {**shared, "max_series": number + 1 if change == "section" else 9}}
            await world.change("a", f"{name}:c", **options)
            await asyncio.sleep(30 / 46)
        assert world.at("refused", "c") == [60]
        await asyncio.sleep(40)
        assert world.at("refused", "c") == [60, 120]

    play(scene)


def test_a_changed_secret_is_tried_at_once(play: Callable[[Scene], None]) -> None:
    """Other credentials have not been rejected; the earlier ones still wait if they come back."""

    async def scene(world: World) -> None:
        world.refused.add("c")
        await world.change("a", "c")
        await asyncio.sleep(5)
        await world.change("a", "c", c={"secret": "second"})
        await asyncio.sleep(5)
        assert world.at("refused", "c") == [60, 65]
        await world.change("a", "c")
        await asyncio.sleep(52)
        assert world.at("refused", "c") == [60, 65, 120]

    play(scene)


def test_two_accounts_with_one_login(play: Callable[[Scene], None]) -> None:
    """Accounts that share their credentials share the minute, also at their first sign-in."""

    async def scene(world: World) -> None:
        world.refused.add("x")
        world.sign_in_takes["x"] = 2.0
        both = {name: {"shared": True} for name in "cd"}
        await world.change("a", "c:x", "d:x", **both)
        for _ in range(6):
            await reload_often(world, "a", "c:x", "d:x", **both)
        times = world.at("refused", "x")
        assert len(times) in (3, 4)
        assert all(later - earlier >= 60 for earlier, later in pairwise(times))
        world.refused.clear()
        await world.change("a", "c:x", "d:x", **both)
        await asyncio.sleep(70)
        assert len(world.at("in", "x")) == 2

    play(scene)


def test_who_leaves_is_not_tried_again(play: Callable[[Scene], None]) -> None:
    """A stopped account that is removed is not retried by a reload that is still running."""

    async def scene(world: World) -> None:
        world.refused.add("c")
        await world.change("a", "b", "c")
        await asyncio.sleep(10)
        stopped = world.running("c")
        await world.accounts.stop()
        assert not stopped.retry()
        await asyncio.sleep(10)
        assert world.at("refused", "c") == [60]

    play(scene)


def test_nothing_starts_after_the_end(play: Callable[[Scene], None]) -> None:
    """An account that waits for another is not started after shutdown has begun."""

    async def scene(world: World) -> None:
        world.sign_out_takes["a"] = 3.0
        change = world.accounts.plan(world.config("a", "b", a={"max_series": 7}))
        world.accounts.stop_removed(change)
        carrying = asyncio.create_task(world.accounts.apply(change))
        await asyncio.sleep(1)
        await world.accounts.stop()
        await carrying
        assert world.at("in", "a") == [0]
        assert world.at("out", "b") == [61]

    play(scene)


def test_what_has_left_counts_nowhere(play: Callable[[Scene], None]) -> None:
    """What a removed account still counts is not exported, and does not fail."""

    async def scene(world: World) -> None:
        gone = world.running("b").telemetry
        await world.change("a")
        assert world.accounts.telemetry_of("b") is None
        gone.count_request("closeSession", "ok", 0.1)
        gone.set_dropped("a", 3)
        gone.count_duplicates("a", 1)
        gone.watch_up(lambda: True)
        assert world.own("b") == {}

    play(scene)


def test_the_request_at_work_is_answered_first(play: Callable[[Scene], None]) -> None:
    """The current request ends before the sign-out; no other is made, its answer not exported."""

    async def scene(world: World) -> None:
        world.answer_takes["b"] = 4.0
        await asyncio.sleep(6)  # a request of b's has begun at 65
        fetched = len(world.fetched)
        await world.change("a")
        assert world.at("answered", "b")[-1] == world.at("out", "b")[0] == 69
        assert [name for name, at in world.fetched[fetched:] if name == "b"] == []
        assert 'account="b"' not in world.page()
        assert world.own("b") == {}

    play(scene)


def test_a_request_that_is_not_answered_is_given_up(play: Callable[[Scene], None]) -> None:
    """A platform that does not answer delays the sign-out by some seconds only."""

    async def scene(world: World) -> None:
        world.answer_takes["b"] = 1e6
        await asyncio.sleep(6)
        await world.change("a", "b", b={"max_series": 7})
        assert world.at("out", "b") == [71.25]
        await asyncio.sleep(1)
        assert world.at("in", "b") == [0, 71.25]
        world.answer_takes.clear()

    play(scene)


def test_a_session_that_ends_meanwhile(play: Callable[[Scene], None]) -> None:
    """Credentials that are rejected while an account stops do not keep it running."""

    async def scene(world: World) -> None:
        world.sign_in_takes["c"] = 2.0
        world.refused.add("c")
        await world.change("a", "b", "c")
        await asyncio.sleep(1)
        await world.change("a", "b")
        assert world.at("refused", "c") == [62]
        assert asyncio.get_running_loop().time() == 62
        assert world.own("c") == {}

    play(scene)
