"""The demo: one floor, the four simulators that serve it, and a configuration to read them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from exporter.clock import Clock
from exporter.config.load import Config
from exporter.config.objectives import CampaignObjectives, QueueObjectives, objectives_of
from exporter.objectives.model import Objectives
from exporter.providers import MODELS
from exporter.simulators.brightpattern.simulator import BrightPatternSimulator
from exporter.simulators.five9.simulator import Five9Simulator
from exporter.simulators.floor.floor import Floor
from exporter.simulators.genesys.simulator import GenesysSimulator
from exporter.simulators.voximplant.simulator import VoximplantSimulator

_DAY = 86_400.0
_LATE_MORNING = 11  # hour of the day, shortly before the peak
_EARLIEST, _LATEST = -12, 14  # hours from UTC
# Limits as Five9's support raises them on request, so that every feed appears within seconds.
_LIMITS = {
    "QueryStatistics": {60: 60, 3600: 600, 86_400: 6_000},
    "QueryChangedStatistics": {60: 120, 3600: 4_800, 86_400: 96_000},
}


@dataclass(frozen=True, slots=True)
class Size:
    """Size of the simulated centre, and the speed of its time."""

    agents: int = 60
    queues: int = 12
    campaigns: int = 6
    seed: int = 1
    time_lapse: float = 1.0


class Centre:
    """A simulated contact centre that starts in the late morning of its local time."""

    def __init__(self, size: Size, clock: Clock) -> None:
        opened = clock.time()
        self.zone = _zone_of_late_morning(opened)
        midnight = opened - opened % 3600 - _LATE_MORNING * 3600
        self.floor = Floor(
            agents=size.agents,
            queues=size.queues,
            campaigns=size.campaigns,
            seed=size.seed,
            start=midnight,
            time_zone=self.zone,
        )
        self.floor.advance(opened)

        def tick() -> None:
            self.floor.advance(opened + (clock.time() - opened) * size.time_lapse)

        self.five9 = Five9Simulator(self.floor, clock, tick=tick, limits=_LIMITS)
        self.genesys = GenesysSimulator(self.floor, clock, tick=tick)
        self.brightpattern = BrightPatternSimulator(self.floor, clock, tick=tick)
        self.voximplant = VoximplantSimulator(self.floor, clock, tick=tick)

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve all platforms on one socket; their paths differ."""
        path = scope.get("path", "")
        if path.startswith("/wssupervisor"):
            app: Any = self.five9.app
        elif path.startswith(self.genesys.url_path):
            app = self.genesys.app
        elif path.startswith("/platform_api"):
            app = self.voximplant.app
        else:
            app = self.brightpattern.app
        await app(scope, receive, send)

    def config(self, url: str) -> Config:
        """Return a configuration with one account per simulator at ``url``."""
        key = self.voximplant.credentials()
        accounts: list[dict[str, Any]] = [
            {
                "name": "demo-five9",
                "provider": "five9",
                "base_url": url,
                "username": self.five9.username,
                "password": self.five9.password,
                "view": {"time_zone": self.zone},
                "long_poll": "1s",  # delays the exit
            },
            {
                "name": "demo-genesys",
                "provider": "genesys",
                "base_url": url,
                "api_key": self.genesys.api_key,
                "client_id": self.genesys.client_id,
                "client_secret": self.genesys.client_secret,
                "username": self.genesys.username,
                "password": self.genesys.password,
                "time_zone": self.zone,
                "objects": self._objects(),
            },
            {
                "name": "demo-brightpattern",
                "provider": "brightpattern",
                "base_url": url,
                "tenant_url": self.brightpattern.tenant_url,
                "username": self.brightpattern.username,
                "api_secret": self.brightpattern.api_secret,
                "time_zone": self.zone,
                "feeds": {"campaigns": {"interval": "1m"}},
            },
            {
                "name": "demo-voximplant",
                "provider": "voximplant",
                "base_url": url,
                **{name: key[name] for name in ("account_id", "key_id", "private_key")},
                "time_zone": self.zone,
            },
        ]
        return Config(
            tuple(MODELS[str(account["provider"])].model_validate(account) for account in accounts),
            Path(),
            self._objectives(),
        )

    def _objects(self) -> list[dict[str, Any]]:
        """Return the objects of the Genesys account, with names shorter than the platform's ids."""
        objects = self.genesys.objects()
        suffixes = {"Queue": "@", "GroupAgents": "", "Agent": "", "CampaignGroup": "@"}
        return [
            {
                "type": kind,
                "ids": objects[kind],
                "names": {x: x.partition(mark)[0] for x in objects[kind]} if mark else {},
            }
            for kind, mark in suffixes.items()
            if objects[kind]
        ]

    def _objectives(self) -> Objectives:
        """Return the objectives: opening hours by day, one queue that has closed for the day."""

        def hours(weekly: str) -> dict[str, str]:
            return {"time_zone": self.zone, "weekly": weekly}

        day, early = hours("Mon-Sun 07:00-22:00"), hours("Mon-Sun 06:00-10:00")
        limits = {"waiting_limit": {"warning": 8, "critical": 20}}
        voice = {"answer_objective": "20s", "service_level_objective": 0.8, **limits}
        chat = {"answer_objective": "45s", "service_level_objective": 0.8, **limits}
        mail = {
            "answer_objective": "4h",
            "service_level_objective": 0.95,
            "waiting_limit": {"warning": 100, "critical": 250},
        }
        queues = [
            {"match": {"queue": "E-mail*"}, "hours": hours("Mon-Sun 00:00-24:00"), **mail},
            {"match": {"queue": "Chat*"}, "hours": day, **chat},
            {"match": {"queue": "Claims"}, "hours": early, **voice},
            {"hours": day, **voice},
        ]
        calling = hours("Mon-Sun 08:00-21:00")
        line = {"answer_objective": "20s", "service_level_objective": 0.8}
        campaigns = [
            {"match": {"direction": "outbound"}, "abandoned_limit": 0.03, "hours": calling},
            {"match": {"direction": "inbound"}, "hours": calling, **line},
        ]
        return objectives_of(
            [QueueObjectives.model_validate(item) for item in queues],
            [CampaignObjectives.model_validate(item) for item in campaigns],
        )


def _zone_of_late_morning(now: float) -> str:
    """Return a zone where it is late morning now; the signs of ``Etc`` zones are inverted."""
    hour = datetime.fromtimestamp(now, UTC).hour
    offset = _LATE_MORNING - hour
    assert _EARLIEST <= offset <= _LATEST
    return f"Etc/GMT{-offset:+d}" if offset else "Etc/GMT"
