"""Accounts to ask once: each platform's simulator with secrets planted, on virtual time."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import httpx

from exporter.clock import Clock
from exporter.collector.http import Http
from exporter.config.account import AccountConfig
from exporter.config.load import Config
from exporter.preflight.commands import Enquiries
from exporter.preflight.session import visiting
from exporter.providers import MODELS, PROVIDERS
from exporter.simulators.brightpattern.simulator import BrightPatternSimulator
from exporter.simulators.five9.simulator import Five9Simulator
from exporter.simulators.floor.floor import Floor
from exporter.simulators.genesys.settings import Settings
from exporter.simulators.genesys.simulator import GenesysSimulator
from exporter.simulators.voximplant.simulator import VoximplantSimulator
from exporter.telemetry import AccountTelemetry, Telemetry
from support.five9 import GENEROUS, VirtualClock
from support.genesys import objects_of

MORNING = 1_795_564_800.0 + 9 * 3600  # 2026-11-25 09:00 UTC
NAMES = ("five9", "genesys", "brightpattern", "voximplant")
SCALES = {"ratio_scale": "fraction"}
OBJECTS = ("Queue", "GroupAgents", "Agent", "CampaignGroup")


class World:
    """One platform and one account of it; ``switches`` are the simulator's.

    Genesys is polled, unless the options say otherwise: pushing takes a clock of a virtual loop.
    """

    def __init__(
        self,
        provider: str,
        switches: Mapping[str, Any] | None = None,
        clock: Any = None,
        **options: Any,
    ) -> None:
        self.provider = provider
        self.clock = clock or VirtualClock(MORNING)
        self.floor = Floor(agents=12, queues=6, campaigns=6, seed=3, start=MORNING - 9 * 3600)
        self.floor.advance(MORNING)
        self.simulator: Any = getattr(self, f"_{provider}")(dict(switches or {}))
        self.options = {**self._account(), **options}
        self.loaded: AccountConfig | None = None  # instead of what the options make

    def _five9(self, switches: dict[str, Any]) -> Any:
        switches = {"limits": GENEROUS, "password": "planted-password-five9", **switches}
        return Five9Simulator(self.floor, self.clock, tick=self._tick, **switches)

    def _brightpattern(self, switches: dict[str, Any]) -> Any:
        switches = {"api_secret": "planted-secret-bp", **switches}
        return BrightPatternSimulator(self.floor, self.clock, tick=self._tick, **switches)

    def _voximplant(self, switches: dict[str, Any]) -> Any:
        return VoximplantSimulator(self.floor, self.clock, tick=self._tick, **switches)

    def _genesys(self, switches: dict[str, Any]) -> Any:
        names = {each.name for each in fields(Settings)}
        settings = Settings(**{name: switches[name] for name in names & switches.keys()})
        own = {name: value for name, value in switches.items() if name not in names}
        planted = {
            "username": "planted-tenant\\planted-user",
            "password": "planted-password-genesys",
            "client_id": "planted-client",
            "client_secret": "planted-secret-genesys",
            "api_key": "planted-key-genesys",
        }
        planted |= {"tick": self._tick, "settings": settings, **own}
        return GenesysSimulator(self.floor, self.clock, **planted)

    def _tick(self) -> None:
        self.floor.advance(self.clock.time())

    def _account(self) -> dict[str, Any]:
        common = {"name": "acme", "provider": self.provider, "base_url": "http://127.0.0.1:9001"}
        simulator = self.simulator
        if self.provider == "five9":
            mine = {"username": simulator.username, "password": simulator.password}
        elif self.provider == "brightpattern":
            mine = {
                "tenant_url": simulator.tenant_url,
                "username": simulator.username,
                "api_secret": simulator.api_secret,
                "feeds": {"campaigns": {}},
                **SCALES,
            }
        elif self.provider == "voximplant":
            key = simulator.credentials()
            mine = {name: key[name] for name in ("account_id", "key_id", "private_key")}
        else:
            mine = {
                "client_id": simulator.client_id,
                "client_secret": simulator.client_secret,
                "api_key": simulator.api_key,
                "username": simulator.username,
                "password": simulator.password,
                "mode": "poll",
                "objects": objects_of(simulator, *OBJECTS),
            }
        return {**common, **mine}

    @property
    def account(self) -> AccountConfig:
        """The account, as its model reads it."""
        found = self.loaded or MODELS[self.provider].model_validate(self.options)
        assert list(found.faults()) == []
        return found

    def client(self, _: AccountConfig, __: Path) -> httpx.AsyncClient:
        """Return a client whose only host is the simulator."""
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.simulator.app))

    @property
    def enquiries(self) -> Enquiries:
        """What asks the account."""
        return Enquiries(Config((self.account,), Path()), self.clock, self.client)

    async def check(self) -> tuple[str, bool]:
        """Check the account live; return the text, and whether nothing is missing."""
        lines, well = await self.enquiries.check()
        return "\n".join(lines), well


async def shape(
    account: AccountConfig, transport: httpx.AsyncBaseTransport, clock: Clock
) -> dict[str, int]:
    """Read an account once; return how many series each family has."""
    telemetry = AccountTelemetry(Telemetry(), account.provider, account.name)
    async with httpx.AsyncClient(transport=transport) as client:
        http = Http(client, telemetry, clock)
        collector = PROVIDERS[account.provider].collector(account, http, telemetry, clock)
        async with visiting(account, collector, telemetry, http, clock) as visit:
            found: dict[str, int] = {}
            assert visit.refusal is None, visit.refusal
            assert visit.found.errors == {}
            for each in visit.feeds.values():
                assert each.mapped is not None
                for family, series in each.mapped.series.items():
                    found[family.name] = found.get(family.name, 0) + len(series.labels)
            return found
