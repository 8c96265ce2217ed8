"""Tests of the whole process: isolation of accounts, secrets, orderly shutdown."""

import asyncio
import logging
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import bcrypt
import httpcore
import httpx
import pytest
from pydantic import SecretStr

from exporter.app import App
from exporter.clock import SystemClock
from exporter.config.account import AccountConfig, client_for
from exporter.config.load import Config
from exporter.config.objectives import QueueObjectives, objectives_of
from exporter.providers import MODELS
from exporter.simulators.five9.simulator import Five9Simulator
from exporter.simulators.floor.floor import Floor
from exporter.web.config import WebConfigWatcher
from exporter.web.site import Paths
from exporter.web.sockets import Address, listen_all
from support.clock import MIDNIGHT
from support.five9 import GENEROUS

pytestmark = pytest.mark.anyio
SECRET = "planted-hunter2"


class World:
    """Two users of one simulated domain, one of them with a wrong password."""

    def __init__(self) -> None:
        floor = Floor(agents=10, queues=4, campaigns=3, start=MIDNIGHT)
        self.simulator = Five9Simulator(
            floor, SystemClock(), limits=GENEROUS, other_users={"second@example.com": SECRET}
        )
        self.simulator.password = SECRET

    def config(self, **passwords: str) -> Config:
        accounts = [
            self._account("first", self.simulator.username, passwords),
            self._account("second", "second@example.com", passwords),
        ]
        return Config(tuple(accounts), Path())

    def _account(self, name: str, user: str, passwords: dict[str, str]) -> AccountConfig:
        options: dict[str, Any] = {
            "name": name,
            "provider": "five9",
            "base_url": "http://127.0.0.1:9001",
            "username": user,
            "password": passwords.get(name, SECRET),
            "long_poll": 0,
        }
        return MODELS["five9"].model_validate(options)

    def client(self, _: AccountConfig, __: Path) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.simulator.app))


async def served(app: App, *wanted: str) -> tuple[str, int]:
    """Serve until the page holds all that is ``wanted``; return the page and its status."""
    stop = asyncio.Event()
    task = asyncio.create_task(app.serve(Address("127.0.0.1", 0), stop))
    page, status = "", 0
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app.site), base_url="http://exporter")
    async with client:
        for _ in range(100):
            answer = await client.get("/metrics")
            page, status = answer.text, answer.status_code
            if all(each in page for each in wanted):
                break
            await asyncio.sleep(0.1)
    stop.set()
    await asyncio.wait_for(task, timeout=10)
    return page, status


async def test_one_rejected_account_leaves_the_other_alone() -> None:
    """A wrong password costs its own account only; the page stays and says which is down."""
    world = World()
    app = App(world.config(second="wrong"), clients=world.client)
    up = 'contactcenter_up{account="first",provider="five9"} 1.0'
    refused_once = 'signins_total{account="second",outcome="auth",provider="five9"} 1.0'
    page, status = await served(app, up, refused_once, 'account="first",queue=')
    assert status == 200
    assert up in page
    assert refused_once in page
    assert 'contactcenter_up{account="second",provider="five9"} 0.0' in page
    assert 'provider="five9",account="second"' not in page
    refused = [r for r in world.simulator.log if r.outcome == "401"]
    assert len(refused) == 1
    closed = [r for r in world.simulator.log if r.operation == "closeSession"]
    assert [record.outcome for record in closed] == ["ok"]


async def test_secrets_stay_secret(caplog: pytest.LogCaptureFixture) -> None:
    """A password is on no page and in no log line, at debug level and in tracebacks too."""
    world = World()
    world.simulator.fail_next("garbage", 2)
    world.simulator.fail_next("html502")
    config = world.config(second="wrong-" + SECRET)
    with caplog.at_level(logging.DEBUG):
        page, _ = await served(App(config, clients=world.client), 'account="first",queue=')
    assert SECRET not in page
    assert SECRET not in caplog.text
    assert SECRET not in repr(config)
    assert "sign-in failed" in caplog.text


async def test_once_waits_for_every_feed() -> None:
    """One page holds every feed's figures and the exporter's own as they are at the end."""
    world = World()
    page = (await App(world.config(), clients=world.client).once()).decode()
    for account in ("first", "second"):
        assert f'contactcenter_up{{account="{account}",provider="five9"}} 1.0' in page
        assert f'contactcenter_campaign_state{{provider="five9",account="{account}"' in page
        assert f'contactcenter_account_permission{{provider="five9",account="{account}"' in page


async def test_objectives_are_on_the_page() -> None:
    """Objectives are on the page for what they match; those that match nothing are counted."""
    written = [
        QueueObjectives.model_validate({"match": match, "waiting_limit": {"warning": 7}})
        for match in ({"account": "f*"}, {"queue": "Nobody"})
    ]
    world = World()
    config = replace(world.config(), objectives=objectives_of(written, []))
    page = (await App(config, clients=world.client).once()).decode()
    labels = 'provider="five9",account="first",queue="{}",level="warning"'
    queues = set(re.findall(r'_queue_contacts_waiting{.*account="first".*queue="(.*?)"', page))
    limits = [line for line in page.splitlines() if "_waiting_limit{" in line]

    assert len(queues) > 1
    assert sorted(limits) == sorted(
        f"contactcenter_queue_waiting_limit{{{labels.format(queue)}}} 7" for queue in queues
    )
    assert "contactcenter_exporter_objectives_unmatched 1.0" in page.splitlines()


def test_a_proxy_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """An account's proxy is its own; the environment's is not looked at."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    (account, _) = World().config().accounts
    with_proxy = account.model_copy(update={"proxy_url": SecretStr("http://127.0.0.1:3128")})
    pools: list[Any] = [client_for(each, Path())._transport._pool for each in (account, with_proxy)]
    assert type(pools[0]) is httpcore.AsyncConnectionPool
    assert bytes(pools[1]._proxy_url) == b"http://127.0.0.1:3128/"


async def test_what_stands_before_the_site(tmp_path: Path) -> None:
    """Passwords, a prefix and another path hold on the socket; what they refuse is counted."""
    file = tmp_path / "web.yml"
    hash_ = bcrypt.hashpw(SECRET.encode(), bcrypt.gensalt(4)).decode()
    file.write_text(f"basic_auth_users: {{prometheus: {hash_}}}\n")
    world = World()
    app = App(world.config(), clients=world.client, paths=Paths("/figures", "/cc", "/cc"))
    watcher = WebConfigWatcher(file)
    (opened,) = listen_all([Address("127.0.0.1", 0)])
    stop = asyncio.Event()
    task = asyncio.create_task(app.serve([opened], stop, watcher=watcher))
    url = f"http://{Address.of(opened)}"
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        assert (await client.get("/-/healthy")).status_code == 401
        client.auth = httpx.BasicAuth("prometheus", SECRET)
        assert (await client.get("/metrics")).status_code == 404
        assert (await client.delete("/cc/figures")).status_code == 405
        page = await client.get("/cc/figures")
        assert page.status_code == 200
        assert "contactcenter_exporter_web_config_last_reload_successful 1" in page.text
        file.write_text("nonsense: 1\n")
        watcher.look()
        watcher.look()  # a change counts once it is the same in two looks
        shown = app.telemetry.registry.get_sample_value
        assert shown("contactcenter_exporter_web_config_last_reload_successful") == 0
    stop.set()
    await asyncio.wait_for(task, timeout=10)
    for code in ("401", "404", "405", "200"):
        assert shown("contactcenter_exporter_http_requests_total", {"code": code}) == 1
