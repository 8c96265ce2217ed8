"""The simulated platforms of all providers: what every provider brings to the shared tests.

A new provider adds one class to ``PLATFORMS``: the tests in ``tests/conformance``, and all others
that are parametrised by ``NAMES``, then run against it.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import httpx

from exporter.clock import Clock
from exporter.collector.http import Http
from exporter.config.account import AccountConfig
from exporter.config.load import Config
from exporter.preflight.commands import Preflight
from exporter.preflight.session import open_session
from exporter.providers import MODELS, PROVIDERS
from exporter.simulators.brightpattern.simulator import BrightPatternSimulator
from exporter.simulators.five9.simulator import Five9Simulator
from exporter.simulators.floor.floor import Floor
from exporter.simulators.genesys.simulator import GenesysSimulator
from exporter.simulators.voximplant.simulator import VoximplantSimulator
from exporter.telemetry import AccountTelemetry, Telemetry
from support.clock import MIDNIGHT, MORNING, VirtualClock
from support.five9 import GENEROUS
from support.genesys import objects_of

_SECRETS = ("password", "api_secret", "api_key", "client_secret", "private_key")


class Platform:
    """One simulated platform, one account of it, and what the shared tests need to know of both.

    ``switches`` are the simulator's, ``options`` the account's. ``everything`` are the options with
    which every feed is read, ``on_a_loop`` those for an account on a virtual loop.
    ``names_callers`` and ``names_agents`` are whether answers hold callers' numbers and agents'
    full names, ``names_unasked`` whether they do so for an account that shows no agents. ``wrong``
    are options that the platform rejects at sign-in, ``stranger`` those of somebody who replays a
    recording. ``dying`` are ways in which sessions die soon after each sign-in: a kind of failure,
    its target, and which share of the requests fail (one of so many); ``sign_in`` is what a request
    that signs in is named by. ``live_feeds`` are the feeds with live figures, ``live_targets`` the
    simulator's targets of their requests.
    """

    provider: ClassVar[str]
    live_feeds: ClassVar[frozenset[str]]
    live_targets: ClassVar[Sequence[str]]
    everything: ClassVar[Mapping[str, Any]] = {}
    on_a_loop: ClassVar[Mapping[str, Any]] = {}
    names_callers: ClassVar[bool] = False
    names_agents: ClassVar[bool] = True
    names_unasked: ClassVar[bool] = False
    twice: ClassVar[int] = 0  # secrets that a configuration may hold in two places
    wrong: ClassVar[Mapping[str, str]]
    stranger: ClassVar[Mapping[str, str]]
    dying: ClassVar[Sequence[tuple[str, str, int]]]
    sign_in: ClassVar[str]  # what a request that signs in is named by

    def __init__(
        self,
        switches: Mapping[str, Any] | None = None,
        clock: Any = None,
        *,
        floor: Floor | None = None,
        step: float = 0.0,
        **options: Any,
    ) -> None:
        self.clock = clock or VirtualClock(MORNING)
        self.floor = floor or Floor(agents=12, queues=6, campaigns=6, seed=3, start=MIDNIGHT)
        self.floor.advance(MORNING)
        self.step = step  # seconds for which the floor stands still
        self.moved: Callable[[], None] = lambda: None  # called after each step
        self.frozen = False  # the floor stands still
        self.simulator: Any = self.make(dict(switches or {}))
        self.options = {
            "name": "acme",
            "provider": self.provider,
            "base_url": "http://127.0.0.1:9001",
            **self.credentials(),
            **options,
        }
        self.loaded: AccountConfig | None = None  # instead of what the options make

    def make(self, switches: dict[str, Any]) -> Any:
        """Return the simulator, with secrets that these tests look for."""
        raise NotImplementedError

    def credentials(self) -> dict[str, Any]:
        """Return the options that an account needs."""
        raise NotImplementedError

    def left_behind(self) -> object:
        """Return what the platform still holds of a session that has ended; falsy for nothing."""
        raise NotImplementedError

    def reject(self) -> None:
        """End the session and reject the account's credentials from now on."""
        raise NotImplementedError

    def secrets(self) -> set[str]:
        """Return the secrets of the account and of the simulator's answers."""
        own = {str(self.options[name]) for name in _SECRETS if name in self.options}
        return own | self.answered_secrets()

    def answered_secrets(self) -> set[str]:
        """Return the secrets that only the platform's answers have."""
        return set()

    def also_accepted(self) -> dict[str, Any]:
        """Make the platform accept every other way to sign in too; return its options."""
        return {}

    def add_unmapped_column(self, header: str) -> None:
        """Add to the next answers a column that no table knows, where the platform can."""

    def into_files(self, options: dict[str, Any], folder: Path) -> None:
        """Move credentials into a file of the platform's own format, where it has one."""

    def stranger_options(self) -> dict[str, Any]:
        """Return the options with which somebody else replays a recording of the account."""
        return dict(self.stranger)

    def tick(self) -> None:
        if self.frozen:
            return
        now = self.clock.time()
        before = self.floor.now
        self.floor.advance(now - now % self.step if self.step else now)
        if self.floor.now > before:
            self.moved()

    @property
    def account(self) -> AccountConfig:
        """The account, as its model reads it."""
        account = self.loaded or MODELS[self.provider].model_validate(self.options)
        assert list(account.faults()) == []
        return account

    def client(self, _: AccountConfig, __: Path) -> httpx.AsyncClient:
        """Return a client whose only host is the simulator."""
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.simulator.app))

    @property
    def preflight(self) -> Preflight:
        """What asks the account."""
        return Preflight(Config((self.account,), Path()), self.clock, self.client)

    async def check(self) -> tuple[str, bool]:
        """Check the account live; return the text, and whether nothing is missing."""
        lines, well = await self.preflight.check()
        return "\n".join(lines), well


class Five9(Platform):
    provider = "five9"
    live_feeds = frozenset(MODELS["five9"].INTERVALS) - {"account"}
    live_targets = ("getStatistics*",)
    names_unasked = True
    wrong: ClassVar = {"password": "planted-wrong-secret"}
    stranger: ClassVar = {"username": "x", "password": "x"}
    dying: ClassVar = (
        ("fault:SessionClosed", "getStatistics", 1),
        ("fault:SessionClosed", "getStatisticsUpdate", 2),
        ("fault:UserAlreadyLoggedIn", "setSessionParameters", 1),
        ("fault:UserAlreadyLoggedIn", "getStatistics*", 1),
        ("fault:UserLimitReached", "setSessionParameters", 1),
    )
    sign_in = "setSessionParameters"

    def make(self, switches: dict[str, Any]) -> Five9Simulator:
        switches = {"limits": GENEROUS, "password": "planted-password-five9", **switches}
        return Five9Simulator(self.floor, self.clock, tick=self.tick, **switches)

    def credentials(self) -> dict[str, Any]:
        return {"username": self.simulator.username, "password": self.simulator.password}

    def left_behind(self) -> object:
        closed = [r.outcome for r in self.simulator.log if r.operation == "closeSession"]
        return closed != ["ok"] or self.simulator.log[-1].operation != "closeSession"

    def reject(self) -> None:
        self.simulator.password = "changed"
        self.simulator.expire_session()

    def add_unmapped_column(self, header: str) -> None:
        self.simulator.fail_next(f"extra_column:{header}", target="getStatistics")


class Genesys(Platform):
    """Genesys is polled unless the options say otherwise: pushing takes a virtual loop's clock."""

    provider = "genesys"
    live_feeds = frozenset({"statistics"})
    live_targets = ("/statistics/*",)
    on_a_loop: ClassVar = {"mode": "subscribe"}
    names_agents = False  # ids alone
    wrong: ClassVar = {"password": "planted-wrong-secret"}
    stranger: ClassVar = {
        "base_url": "http://127.0.0.1:1",
        **dict.fromkeys(("client_id", "client_secret", "username", "password"), "x"),
    }
    dying: ClassVar = (
        ("unknown:403", "*/meta/connect", 1),
        ("unknown:402", "*/meta/connect", 2),
        ("unsuccessful", "*/meta/connect", 1),
        ("403", "*/meta/connect", 1),
        ("401", "/statistics/*", 2),
        ("502", "*/subscriptions", 1),
    )
    sign_in = "/auth/v3/oauth/token"

    def make(self, switches: dict[str, Any]) -> GenesysSimulator:
        planted = {
            "username": "planted-tenant\\planted-user",
            "password": "planted-password-genesys",
            "client_id": "planted-client",
            "client_secret": "planted-secret-genesys",
            "api_key": "planted-key-genesys",
        }
        return GenesysSimulator(
            self.floor, self.clock, **{"tick": self.tick, **planted, **switches}
        )

    def credentials(self) -> dict[str, Any]:
        names = ("client_id", "client_secret", "api_key", "username", "password")
        kinds = ("Queue", "GroupAgents", "Agent", "CampaignGroup")
        return {
            **{name: getattr(self.simulator, name) for name in names},
            "mode": "poll",
            "objects": objects_of(self.simulator, *kinds),
        }

    def left_behind(self) -> object:
        simulator = self.simulator
        return [*simulator.open_subscriptions, *simulator.live_sessions] or simulator.live_tokens

    def reject(self) -> None:
        self.simulator.password = self.simulator.client_secret = "changed"
        self.simulator.expire_tokens()


class BrightPattern(Platform):
    provider = "brightpattern"
    live_feeds = frozenset({"subscription", "campaigns"})
    live_targets = ("*/data", "*/campaign*")
    names_callers = True
    wrong: ClassVar = dict.fromkeys(("password", "api_secret"), "planted-wrong-secret")
    dying: ClassVar = (
        ("401", "/statsapi/*", 2),
        ("401", "*/data", 1),
        ("404", "*/data", 1),
        ("404", "*/data", 2),
        ("409", "*/subscription", 1),
    )
    sign_in = "/configapi/v2/oauth/token"
    stranger: ClassVar = {"username": "x", "api_secret": "x", "base_url": "http://127.0.0.1:1"}

    def make(self, switches: dict[str, Any]) -> BrightPatternSimulator:
        switches = {"api_secret": "planted-secret-bp", **switches}
        return BrightPatternSimulator(self.floor, self.clock, tick=self.tick, **switches)

    def credentials(self) -> dict[str, Any]:
        names = ("tenant_url", "username", "api_secret")
        return {
            **{name: getattr(self.simulator, name) for name in names},
            "feeds": {"campaigns": {}},
        }

    def left_behind(self) -> object:
        return self.simulator.active_subscriptions

    def reject(self) -> None:
        self.simulator.api_secret = "changed"
        self.simulator.expire_tokens()

    def also_accepted(self) -> dict[str, Any]:
        self.simulator.password = "planted-password-brightpattern"
        return {"password": self.simulator.password}


class Voximplant(Platform):
    provider = "voximplant"
    live_feeds = frozenset(MODELS["voximplant"].INTERVALS) - {"account", "queues"}
    live_targets = ("GetACD*", "GetSQ*", "GetSmartQueue*", "GetCallList*", "GetUsers")
    everything: ClassVar = {
        "smartqueue": {"reports": ["count_handled_calls", "service_level"]},
        "call_list_details": True,
    }
    names_callers = names_unasked = True
    twice = 1  # the key may be in a file of its own or in the file of credentials
    wrong: ClassVar = {"key_id": "planted-wrong-key"}
    dying: ClassVar = (
        ("code:100", "Get*", 2),
        ("code:456", "Get*", 2),
        ("code:456", "GetACD*", 1),
        ("html401", "Get[!A]*", 2),
    )
    sign_in = "GetAccountInfo"

    def make(self, switches: dict[str, Any]) -> VoximplantSimulator:
        return VoximplantSimulator(self.floor, self.clock, tick=self.tick, **switches)

    def credentials(self) -> dict[str, Any]:
        key = self.simulator.credentials()
        return {name: key[name] for name in ("account_id", "key_id", "private_key")}

    def left_behind(self) -> object:
        return None  # a request signs itself: there is no session

    def reject(self) -> None:
        self.simulator.key_id = "changed"

    def secrets(self) -> set[str]:
        return {*super().secrets(), "BEGIN PRIVATE"}

    def answered_secrets(self) -> set[str]:
        return set(self.simulator.secrets.values())

    def into_files(self, options: dict[str, Any], folder: Path) -> None:
        del options["private_key_file"]
        key = {name: options.pop(name) for name in ("account_id", "key_id")}
        key["private_key"] = (folder / "private_key").read_text()
        path = folder / "credentials.json"
        path.write_text(json.dumps(key))
        path.chmod(0o600)
        options["credentials_file"] = path.name

    def stranger_options(self) -> dict[str, Any]:
        return {name: self.options[name] for name in ("account_id", "key_id", "private_key")}


PLATFORMS: Mapping[str, type[Platform]] = {
    platform.provider: platform for platform in (Five9, Genesys, BrightPattern, Voximplant)
}
NAMES = tuple(PLATFORMS)


def platform(
    provider: str, switches: Mapping[str, Any] | None = None, clock: Any = None, **options: Any
) -> Platform:
    """Return a platform of a provider, made anew."""
    return PLATFORMS[provider](switches, clock, **options)


async def shape(
    account: AccountConfig, transport: httpx.AsyncBaseTransport, clock: Clock
) -> dict[str, int]:
    """Read an account once; return how many series each family has."""
    telemetry = AccountTelemetry(Telemetry(), account.provider, account.name)
    async with httpx.AsyncClient(transport=transport) as client:
        http = Http(client, telemetry, clock)
        collector = PROVIDERS[account.provider].collector(account, http, telemetry, clock)
        async with open_session(account, collector, telemetry, http, clock) as visit:
            sizes: dict[str, int] = {}
            assert visit.refusal is None, visit.refusal
            assert visit.collected.errors == {}
            for feed in visit.feeds.values():
                assert feed.mapped is not None
                for family, series in feed.mapped.series.items():
                    sizes[family.name] = sizes.get(family.name, 0) + len(series.labels)
            return sizes
