"""Tests of offered columns, and of the YAML that maps them."""

from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from exporter.collector.offers import Offer, Offers, guess, mapping
from exporter.config.account import AccountConfig
from exporter.config.load import Config, load
from exporter.config.yaml import read, write
from exporter.metrics.parsers import Cell
from exporter.preflight.commands import Preflight
from exporter.providers import MODELS
from exporter.providers.brightpattern import preflight as brightpattern
from exporter.providers.brightpattern.client import SubscriptionDeclined
from exporter.providers.genesys import preflight as survey
from exporter.providers.voximplant.preflight import discover
from exporter.simulators.genesys import definitions
from support.platforms import NAMES, Platform, platform

pytestmark = pytest.mark.anyio


def pasted(lines: list[str]) -> str:
    """Return what is printed to be pasted: everything below the comment, as it stands."""
    start = max(at for at, line in enumerate(lines) if line.startswith("#")) + 1
    return "\n".join(lines[start:]) + "\n"


def reread(folder: Path, world: Platform, more: str) -> AccountConfig:
    """Load a file with the world's account and what was pasted into it, in place of its keys."""
    below = read_text(folder, "accounts:\n  - x: 1\n" + more)["accounts"][0]
    options = {name: value for name, value in world.options.items() if name not in below}
    text = "accounts:\n  - " + "\n    ".join(write(options).splitlines()) + "\n" + more
    file = folder / "exporter.yml"
    file.write_text(text, encoding="utf-8")
    (account,) = load(file, {}, MODELS).accounts
    return account


def read_text(folder: Path, text: str) -> Any:
    file = folder / "part.yml"
    file.write_text(text, encoding="utf-8")
    return read(file, {}).value


def worlds(provider: str) -> Platform:
    """Return an account of each platform that has something to offer."""
    options: dict[str, dict[str, Any]] = {
        "five9": {"agents": "hashed", "agents_key": "k" * 16},
        "voximplant": {"smartqueue": {"reports": ["count_handled_calls"]}},
        "genesys": {"agents": "name"},
    }
    world = platform(provider, **options.get(provider, {}))
    for header in ('Calls "Moved" $HOME: 12:30 #1', "1e5"):
        world.add_unmapped_column(header)
    return world


@pytest.mark.parametrize("provider", NAMES)
async def test_round_trip(provider: str, tmp_path: Path) -> None:
    """What is printed validates when it is pasted, and leaves nothing more to paste."""
    world = worlds(provider)
    lines, well = await world.preflight.discover("acme")
    assert well, lines
    account = reread(tmp_path, world, pasted(lines))

    again = worlds(provider)
    again.loaded = account
    offers, _ = await again.preflight.discover("acme")
    printed = [line for line in offers if line.startswith("    ") and ": not mapped" in line]
    assert printed == []


async def test_five9_columns(tmp_path: Path) -> None:
    """A column that nothing maps is offered with a parser that reads it, whatever it is called."""
    world = worlds("five9")
    lines, _ = await world.preflight.discover("acme")
    account = reread(tmp_path, world, pasted(lines))

    columns = account.model_dump()["columns"]
    assert columns["ACDStatus"] == {
        'Calls "Moved" $HOME: 12:30 #1': {
            "metric": "custom_queue_calls_moved_home_12_30_1",
            "parse": "number",
            "labels": {},
        }
    }
    assert list(columns["AgentState"]) == ["1e5"]
    text = "\n".join(lines)
    assert "    Calls In Queue: contactcenter_queue_contacts_waiting" in text
    assert "    Skill Name: row key" in text
    assert ": ignored" in text


async def test_five9_keeps_what_is_mapped() -> None:
    """Mappings that the account has stay in what is to be pasted."""
    columns = {
        "ACDStatus": {"Mine": {"metric": "custom_mine", "parse": "clock"}},
        "CampaignState": {"Other": {"metric": "custom_other"}},
    }
    world = platform("five9", columns=columns)
    world.simulator.fail_next("extra_column:New", target="getStatistics")
    lines, _ = await world.preflight.discover("acme")
    text = pasted(lines)

    for part in ("metric: custom_mine", "parse: clock", "metric: custom_other", "New:"):
        assert part in text


async def test_five9_persons() -> None:
    """Columns of agents are not offered to who shows no agents, and the reason is told."""
    world = platform("five9")
    for name in ("First", "Second"):
        world.simulator.fail_next(f"extra_column:{name}", target="getStatistics")
    lines, _ = await world.preflight.discover("acme")
    text = "\n".join(lines)

    assert "AgentState: rows are agents; columns require agents: hashed, id or name" in text
    assert "First:" in pasted(lines)
    assert "Second:" not in pasted(lines)


async def test_nothing_to_paste() -> None:
    """Where everything is mapped, that is said, and no empty YAML printed."""
    lines, well = await platform("five9").preflight.discover("acme")

    assert well
    assert lines[-1] == "everything that can be mapped is mapped"


async def test_brightpattern_declined() -> None:
    """What the tenant declines is told and not offered; a ratio finds its scale."""
    world = platform("brightpattern", {"likely_statistics": False})
    lines, _ = await world.preflight.discover("acme")
    text = "\n".join(lines)

    assert "in_calls_handled_per_day is not offered by this tenant" in text
    assert (
        "        service_level:\n"
        "          metric: custom_total_service_level_ratio\n"
        "          parse: share\n"
    ) in pasted(lines)
    assert world.simulator.active_subscriptions == 0


async def test_brightpattern_declined_totals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Totals are tried together, and one that is declined costs only itself."""
    known = (*_totals(), "in_calls_invented")
    monkeypatch.setattr("exporter.providers.brightpattern.preflight.KNOWN_TOTALS", known)
    lines, _ = await platform("brightpattern").preflight.discover("acme")

    assert "  ? totals: in_calls_invented is not offered by this tenant" in lines
    assert "agents_ready:" in pasted(lines)


def _totals() -> tuple[str, ...]:
    from exporter.providers.brightpattern.preflight import KNOWN_TOTALS  # noqa: PLC0415 - before it is changed

    return KNOWN_TOTALS


async def test_brightpattern_takes_nothing() -> None:
    """Where every total is declined none is offered, and each is told."""

    async def post(_: object) -> None:
        raise SubscriptionDeclined("12", "no such statistic")

    seen = Offers()
    await brightpattern.discover(platform("brightpattern").account, post, (), seen)  # type: ignore[arg-type]

    assert seen.items == []
    assert len([note for note in seen.notes if "is not offered by this tenant" in note]) == 14


@pytest.mark.parametrize("mixed", [False, True])
async def test_genesys_names(mixed: bool) -> None:
    """Only the names that the contact centre has are offered, for all objects of their type."""
    lacks = frozenset({"Total_Abandoned", "CurrNumberACWStatuses"})
    world = platform("genesys", {"refuses_unknown_names": mixed, "lacks": lacks})
    lines, _ = await world.preflight.discover("acme")
    text = pasted(lines)
    (account,) = yaml.safe_load(f"accounts:\n  - x: 1\n{text}")["accounts"]
    offered = [(statistic["object_type"], statistic["name"]) for statistic in account["statistics"]]
    tried = {(kind, name) for kind in ("Queue", "GroupAgents") for name in survey.NAMES[kind]}

    assert len(offered) == len(set(offered))
    assert set(offered) == {
        (kind, name)
        for kind, name in tried
        if name not in lacks and kind in definitions.NAMES[name][0]
    }
    assert tried - set(offered)
    assert "parse: percent" in text
    assert "Agent: rows are agents; requires agents: hashed, id or name" in "\n".join(lines)


async def test_a_refused_sign_in_is_reported() -> None:
    """Where nobody can sign in, discover says what the check would say, and fails."""
    lines, well = await platform("five9", password="wrong").preflight.discover("acme")

    assert not well
    assert "acme (five9): not signed in" in lines


async def test_a_feed_that_fails_is_told() -> None:
    """What could not be read is named, and the rest offered."""
    world = platform("five9")
    world.simulator.fail_next("fault:Server", target="getStatistics")
    lines, well = await world.preflight.discover("acme")

    assert not well
    assert any(line.startswith("  ! ACDStatus: not read (server)") for line in lines)


async def test_asking_for_more_may_fail() -> None:
    """Where the platform fails while it is asked for more, that is what is printed."""
    world = platform("brightpattern")
    subscriptions = 0

    def client(account: AccountConfig, folder: Path) -> httpx.AsyncClient:
        async def serve(request: httpx.Request) -> httpx.Response:
            nonlocal subscriptions
            subscriptions += request.url.path == "/statsapi/subscription"
            if subscriptions > 1:
                return httpx.Response(503)
            found = await httpx.ASGITransport(world.simulator.app).handle_async_request(request)
            return httpx.Response(
                found.status_code, headers=found.headers, content=await found.aread()
            )

        return httpx.AsyncClient(transport=httpx.MockTransport(serve))

    preflight = Preflight(Config((world.account,), Path()), world.clock, client)
    lines, well = await preflight.discover("acme")

    assert not well
    assert lines == ["acme: discovery failed (server): HTTP 503"]


async def test_voximplant_without_smartqueue() -> None:
    """Reports are offered with the key without which none is read."""
    lines, _ = await platform("voximplant").preflight.discover("acme")

    assert "  ? smartqueue: without this key SmartQueue is not read" in lines
    assert "smartqueue:" in pasted(lines)


async def test_voximplant_unknown_fields() -> None:
    """Fields that cannot be mapped are asked to be reported."""
    seen = Offers([Offer("operators", "new_field", "not mapped", parse="number")])
    discover(platform("voximplant").account, seen)  # type: ignore[arg-type]

    assert "unknown fields; please report them: operators: new_field" in seen.notes


async def test_genesys_mapped_names() -> None:
    """Names that are mapped are not tried again, and stay in what is to be pasted."""
    route_point = platform("genesys").simulator.objects()["RoutePoint"][0]
    own = [
        {
            "name": name,
            "object_type": "RoutePoint",
            "object_ids": [route_point],
            "metric": f"custom_{at}",
        }
        for at, (name, (kinds, _)) in enumerate(definitions.NAMES.items())
        if "RoutePoint" in kinds
    ]
    world = platform("genesys", objects=[], statistics=own)
    lines, _ = await world.preflight.discover("acme")

    assert lines[-1] == "everything that can be mapped is mapped"


CELLS: list[tuple[list[Cell], str | None]] = [
    (["1", "2.5", None, ""], "number"),
    (["93%", "0%"], "percent"),
    (["93%", "1"], None),
    (["00:01:07", "00:00:00"], "clock"),
    (["7 (6)"], "pair"),
    (["text", "1"], None),
    ([None, ""], None),
    ([], None),
]


@pytest.mark.parametrize(("cells", "parser"), CELLS)
def test_guess(cells: list[Cell], parser: str | None) -> None:
    """A parser is offered only where it reads every cell that says something."""
    assert guess(cells) == parser


def test_mapping_names() -> None:
    """No two mappings share a metric, and none is called like a counter."""
    taken: set[str] = set()
    found = [mapping(name, None, taken, "queue")["metric"] for name in ("A b", "a-B", "Total", "%")]

    assert found == ["custom_queue_a_b", "custom_queue_a_b_2", "custom_queue", "custom_queue_2"]
    assert mapping("Share", "percent", taken)["metric"] == "custom_share_ratio"


def test_write_and_read(tmp_path: Path) -> None:
    """Odd texts come back from YAML as they were written."""
    odd = {"a: b": "12:30", "1e5": "1e5", "$x": "${HOME} $$", "- c": ["#d", "null", "true", "é\n"]}

    assert read_text(tmp_path, write(odd)) == {**odd, "$x": odd["$x"]}
