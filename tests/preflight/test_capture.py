"""A recording for a bug report can be replayed and identifies nobody."""

import json
import logging
import re
import stat
from pathlib import Path
from typing import Any

import httpx
import pytest

from exporter.preflight import capture
from exporter.preflight.capture import new_file
from exporter.providers import MODELS
from exporter.simulators.floor import factory
from support.platforms import NAMES, PLATFORMS, Platform, platform, shape
from support.quick import first
from support.replay import Replay

pytestmark = pytest.mark.anyio


async def captured(world: Platform) -> dict[str, Any]:
    document, lines = await world.preflight.capture("acme")
    assert lines[0] == f"acme ({world.provider}): signed in"
    found: dict[str, Any] = json.loads(document)
    return found


def replaying(world: Platform, document: dict[str, Any]) -> Any:
    """Return the account that a maintainer would read the recording with."""
    settings = {name: value for name, value in document["settings"].items() if name != "feeds"}
    feeds = {name: {} for name in document["settings"].get("feeds", {})}
    options = {
        "name": "replayed",
        "provider": world.provider,
        **world.stranger_options(),
        **settings,
        **({"feeds": feeds} if feeds else {}),
    }
    account = MODELS[world.provider].model_validate(options)
    assert list(account.faults()) == []
    return account


@pytest.mark.parametrize("agents", first(1, ["name", "aggregate"]))
@pytest.mark.parametrize("provider", NAMES)
async def test_replay(provider: str, agents: str) -> None:
    """What was captured gives the same families and counts when it is read again."""
    options = {**PLATFORMS[provider].everything, "agents": agents}
    world = platform(provider, **options)
    document = await captured(world)
    again = platform(provider, **options)
    wanted = await shape(again.account, httpx.ASGITransport(again.simulator.app), again.clock)

    replay = Replay(document)
    found = await shape(replaying(world, document), replay, platform(provider).clock)

    assert found == wanted
    assert sum(wanted.values()) > 10


@pytest.fixture
def marked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give everybody and everything on the floor a name that stands out."""
    for name in ("_QUEUES", "_TOPICS"):
        rows = [(f"planted-{name}-{at}", "voice", 1.0) for at in range(12)]
        monkeypatch.setattr(factory, name, (*rows[:-1], ("86753090", "voice", 1.0)))
    for name in ("_FIRST_NAMES", "_LAST_NAMES", "_TEAMS", "_OUTBOUND_NAMES", "_INBOUND_NAMES"):
        monkeypatch.setattr(factory, name, tuple(f"Planted{name}{at}" for at in range(12)))


def secrets(world: Platform) -> set[str]:
    """Return the secrets of an account, and who reads what."""
    names = ("username", "client_id", "tenant_url", "account_id", "key_id")
    identities = {str(world.options[name]) for name in names if name in world.options}
    return {*world.secrets(), *identities, "127.0.0.1"}


@pytest.mark.usefixtures("marked")
@pytest.mark.parametrize("agents", ["aggregate", "name"])
@pytest.mark.parametrize("provider", NAMES)
async def test_nobody_is_in_it(
    provider: str, agents: str, caplog: pytest.LogCaptureFixture
) -> None:
    """No secret, login, host, person, caller, queue, campaign or team is in a recording."""
    world = platform(provider, agents=agents)
    with caplog.at_level(logging.DEBUG):
        document, lines = await world.preflight.capture("acme")
    text = document.decode()

    assert re.findall(r"(?i)planted[-_\w]*|86753090|1555\d{7}|\+?4930\d+", text) == []
    assert [secret for secret in sorted(secrets(world)) if secret in text] == []
    said = "\n".join(lines) + caplog.text
    assert [each for each in sorted(secrets(world) - {"127.0.0.1"}) if each in said] == []


@pytest.mark.usefixtures("marked")
async def test_smartqueue_hides_its_customers() -> None:
    """Neither the callers of SmartQueue's tasks nor what was noted of them is in a recording."""
    world = platform("voximplant", smartqueue={})
    world.floor.surge(next(iter(world.floor.queues)), 30)
    answer = json.dumps(
        world.simulator.answer("GetSQState", application_id="5001", sq_queue_id="all")
    )
    callers = set(re.findall(r"\d{9,}", answer))
    text = (await world.preflight.capture("acme"))[0].decode()

    assert callers
    assert "custom_data" in text
    assert [caller for caller in callers if caller in text] == []


async def test_figures_and_the_vendors_words_stay() -> None:
    """Headers, states, permissions and figures are in a recording as they came."""
    world = platform("five9", agents="name")
    _, rows = world.simulator.rows("ACDStatus")
    text = json.dumps(await captured(world))

    for word in ("Current Longest Queue Time", "Ready For Calls", "Not Ready", "AllSkills"):
        assert word in text
    assert rows[0][9] in text


async def test_the_same_name_is_the_same_everywhere() -> None:
    """A replaced name is replaced by the same everywhere, so that tables still fit together."""
    document = await captured(platform("brightpattern"))
    listed = next(
        x for x in document["exchanges"] if x["operation"] == "GET /statsapi/cfg/services"
    )
    names = {each["name"] for each in listed["answer"]["json"]}
    data = next(
        x["answer"]["json"]
        for x in document["exchanges"]
        if x["operation"] == "GET /statsapi/subscription/data" and x["status"] == 200
    )
    (block,) = data.values()
    shown = {row["0"] for grid in block["service_grids"] for row in grid["values"]}

    assert shown == names


async def test_dispositions_that_nobody_listed_are_hidden() -> None:
    """Where Five9 does not list the dispositions, no unknown header is taken for the vendor's."""
    world = platform("five9")
    world.simulator.fail_next("fault:Server", target="getDispositionsNames")
    disposition = world.floor.dispositions[0]
    document = await captured(world)

    assert disposition not in json.dumps(document, ensure_ascii=False)


async def test_settings_name_nobody() -> None:
    """Patterns, labels and limits to persons stay at home; how agents are shown is told."""
    patterns = {"queues": ["Sales*"], "agents": ["jane*"]}
    labels = {"site": "hidden-site"}
    world = platform("five9", include=patterns, labels=labels, agents="name", long_poll="3s")
    settings = (await captured(world))["settings"]

    assert settings["agents"] == "name"
    assert settings["long_poll"] == 3.0
    assert "Sales" not in str(settings)
    assert "jane" not in str(settings)
    assert "hidden-site" not in str(settings)


async def test_what_is_no_answer_is_in_it_too() -> None:
    """A page of a proxy is told by its size only, a broken connection by having no answer."""
    world = platform("five9")
    world.simulator.fail_next("html502", target="getStatistics")
    world.simulator.fail_next("reset", target="getUserLimits")
    document = await captured(world)
    by_operation = {exchange["operation"]: exchange for exchange in reversed(document["exchanges"])}

    page = by_operation["getStatistics"]
    assert page["status"] == 502
    assert list(page["answer"]) == ["omitted"]
    assert by_operation["getUserLimits"]["status"] is None
    assert "answer" not in by_operation["getUserLimits"]


@pytest.mark.usefixtures("marked")
@pytest.mark.parametrize("provider", NAMES)
async def test_an_answer_with_forbidden_characters(provider: str) -> None:
    """Such an answer is in a recording without a name, with the places of the characters."""
    text = "&#x1B;" if provider == "five9" else "\\ud800"
    world = platform(provider, agents="name")
    world.simulator.fail_next(f"insert:{text}@planted", n=1000)
    world.simulator.fail_next(f"insert:{text}", n=1000)  # where nobody is named
    document = await captured(world)
    answers = [x["answer"] for x in document["exchanges"] if x.get("answer")]
    repaired = [answer for answer in answers if answer.get("replaced")]

    assert repaired
    assert {place["kind"] for answer in repaired for place in answer["places"]} == {
        "reference to U+001B" if provider == "five9" else "escape of U+D800"
    }
    assert re.findall(r"(?i)p.{0,8}lanted\w*|86753090|1555\d{7}", json.dumps(document)) == []


@pytest.mark.parametrize("provider", NAMES)
async def test_an_answer_that_stays_unreadable(provider: str) -> None:
    """Its size, its fault and the form around the place are in a recording, but no content."""
    world = platform(provider, agents="name")
    world.simulator.fail_next("cut", n=1000)
    document, _ = await world.preflight.capture("acme")
    answers = [x["answer"] for x in json.loads(document)["exchanges"] if x.get("answer")]
    faulty = [answer for answer in answers if "omitted" in answer]

    assert faulty
    for answer in faulty:
        assert list(answer) == ["omitted", "fault", "around"]
        assert re.search(r"at line \d+, column \d+ \(.+\): ", answer["fault"])
        assert re.search(r"[a-wyzA-Z0-8]", answer["around"]) is None


async def test_a_recording_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past its limit a recording lists what was asked, and holds no more bodies."""
    monkeypatch.setattr(capture, "_MAX_SIZE", 20_000)
    document = await captured(platform("five9"))
    last = document["exchanges"][-1]

    assert last["operation"] == "closeSession"
    assert last["left_out"] == "the recording was full"
    assert last["answer"] is None


def test_a_new_file(tmp_path: Path) -> None:
    """The file is its owner's alone, and one that is there already stays as it is."""
    path = tmp_path / "recording.json"
    with new_file(path) as file:
        file.write(b"content")

    assert path.read_bytes() == b"content"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError), new_file(path):
        pass
    assert path.read_bytes() == b"content"


def test_a_file_that_does_not_get_whole(tmp_path: Path) -> None:
    """Where recording failed no file is left."""
    with pytest.raises(LookupError), new_file(tmp_path / "recording.json"):
        raise LookupError

    assert list(tmp_path.iterdir()) == []
