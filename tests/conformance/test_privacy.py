"""The page names no caller, no customer, and agents only as the account allows."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from exporter.app import App
from exporter.config.load import Config
from exporter.providers import MODELS
from support.platforms import NAMES, PLATFORMS, platform

pytestmark = pytest.mark.anyio
MODES = ("aggregate", "hashed", "id", "name")
_CALLER = re.compile(r"(?:callerid|customer|phone)\W+(\d{6,})", re.IGNORECASE)


class Watched:
    """An account whose page is read while many people wait, and what came over the wire."""

    def __init__(self, provider: str, agents: str) -> None:
        options: dict[str, Any] = {"agents": agents}
        if agents == "hashed":
            options["agents_key"] = "a key that nobody knows"
        self.world = platform(provider, **PLATFORMS[provider].everything, **options)
        for queue in self.world.floor.queues:
            self.world.floor.surge(queue, 10)
        self.wire = ""

    def client(self, account: Any, folder: Path) -> httpx.AsyncClient:
        client = self.world.client(account, folder)
        client.event_hooks["response"] = [self._overhear]
        return client

    async def _overhear(self, answer: httpx.Response) -> None:
        self.wire += (await answer.aread()).decode()

    async def page(self) -> str:
        config = Config((self.world.account,), Path())
        app = App(config, clock=self.world.clock, clients=self.client)
        return (await app.once()).decode()

    def callers(self) -> set[str]:
        """Return the numbers of people who called, or are to be called, as they were answered."""
        return set(_CALLER.findall(self.wire))


def test_all_modes_and_platforms() -> None:
    """Every mode of every platform is looked at."""
    assert set(NAMES) == set(MODELS)
    assert MODELS["five9"].model_fields["agents"].annotation.__args__ == MODES


@pytest.mark.parametrize("agents", MODES)
@pytest.mark.parametrize("provider", NAMES)
async def test_no_caller_is_on_the_page(provider: str, agents: str) -> None:
    """Numbers of callers and customers that a platform answers are nowhere on the page."""
    watched = Watched(provider, agents)
    page = await watched.page()
    callers = watched.callers()

    assert bool(callers) == watched.world.names_callers
    assert f'contactcenter_up{{account="acme",provider="{provider}"}} 1.0' in page
    assert [caller for caller in callers if caller in page] == []


@pytest.mark.parametrize("agents", MODES)
@pytest.mark.parametrize("provider", NAMES)
async def test_agents_are_shown_as_the_account_says(provider: str, agents: str) -> None:
    """Names are on the page in mode "name" alone, ids in mode "id"; otherwise there is neither."""
    watched = Watched(provider, agents)
    page = await watched.page()
    floor = watched.world.floor
    people = floor.agents.values()
    names = {each.name for each in people}
    logins = {each.username for each in people}

    if agents == "name" and watched.world.names_agents:
        assert any(name in page for name in names)
    else:
        assert [each for each in names if each in page] == []
        assert any(each in watched.wire for each in names) == watched.world.names_unasked
    if agents in ("aggregate", "hashed"):
        assert [login for login in logins if login in page] == []
    labelled = re.findall(r'[{,]agent="([^"]*)"', page)
    assert bool(labelled) == (agents != "aggregate")
    if agents == "hashed":
        assert {len(each) for each in labelled} == {16}
        assert all(set(each) <= set("0123456789abcdef") for each in labelled)
