"""One unreadable character costs no other figure: replaced, counted, and never a wrong figure."""

import asyncio
import logging
from datetime import timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.collector.http import Http
from exporter.preflight.session import open_session
from exporter.providers import PROVIDERS
from exporter.telemetry import AccountTelemetry, Telemetry
from support.bench import Bench
from support.clock import MORNING, LoopClock, run
from support.damage import Damage, Damaged
from support.platforms import NAMES, PLATFORMS, platform
from support.quick import first

XML = ["&#x1B;", "&#0;", "&#xFFFE;", "&#xD800;", "&#x110000;", "&unknown;", "\x01", "\xfc"]
XML += ["\xef\xbf\xbe", "\xc0\x80", "\xe2\x82"]
JSON = ["\x1b", "\x00", "\\ud800", "\\udfff", "\xfc", "\xc0\x80", "\xed\xa0\x80"]
CHARACTERS = {provider: XML if provider == "five9" else JSON for provider in NAMES}
NAMED = [provider for provider in NAMES if provider != "genesys"]  # whose answers hold names
EACH = [
    case
    for provider in NAMED
    for case in first(2, [(provider, text) for text in CHARACTERS[provider]])
]

Figures = dict[tuple[str, bytes], float]


def read(
    provider: str,
    damage: Damage | None = None,
    at: int | None = None,
    insert: str = "",
    agents: str = "name",
) -> Figures:
    """Read every feed of an account once; return its figures.

    ``damage`` is done to the ``at``-th answer, or to all; ``insert`` is a kind of failure.
    """

    async def main() -> Figures:
        key = {"agents_key": "k" * 32} if agents == "hashed" else {}
        world = platform(provider, agents=agents, **key, **PLATFORMS[provider].everything)
        world.simulator.tick = None
        if insert:
            world.simulator.fail_next(insert, n=1000)
        transport: Any = httpx.ASGITransport(world.simulator.app)
        if damage is not None:
            transport = Damaged(world.simulator.app, at, damage)
        telemetry = AccountTelemetry(Telemetry(), provider, "acme")
        figures: Figures = {}
        async with httpx.AsyncClient(transport=transport) as client:
            http = Http(client, telemetry, world.clock)
            collector = PROVIDERS[provider].collector(world.account, http, telemetry, world.clock)
            async with open_session(
                world.account, collector, telemetry, http, world.clock
            ) as session:
                for feed in session.feeds.values():
                    for family, series in feed.mapped.series.items() if feed.mapped else ():
                        for label, value in zip(series.labels, series.values, strict=True):
                            figures[family.name, label] = float(value)
        return figures

    return asyncio.run(main())


def a_name(provider: str) -> str:
    """Return a name that the answers of a platform hold, of a queue or of an agent."""
    world = platform(provider, agents="name")
    return next(iter(world.floor.queues))


@pytest.mark.parametrize(("provider", "text"), EACH)
def test_a_character_in_a_name(provider: str, text: str) -> None:
    """The name has U+FFFD in place of the character; all figures are as without it."""
    name = a_name(provider)
    whole = read(provider)
    found = read(provider, insert=f"insert:{text}@{name}")

    assert without_marks(found) == whole
    assert any(f"{name[0]}\ufffd".encode() in label for _, label in found)


@pytest.mark.parametrize("agents", ["name", "id", "hashed", "aggregate"])
def test_names_that_become_equal(agents: str) -> None:
    """Agents whose logins differ in a forbidden character only count, but are not shown by it."""
    whole = read("five9", agents=agents)
    world = platform("five9")
    first, second = sorted(world.floor.agents)[:2]
    found = read("five9", agents=agents, damage=renamed({first: "a&#1;b", second: "a&#x1B;b"}))

    for family in ("contactcenter_agents", "contactcenter_agents_contacts_handled_total"):
        assert of_family(found, family) == of_family(whole, family) != {}
    assert {key: value for key, value in found.items() if whole.get(key, value) != value} == {}
    assert [label for _, label in found if "\ufffd".encode() in label] == []


def of_family(figures: Figures, name: str) -> Figures:
    return {key: value for key, value in figures.items() if key[0] == name}


def renamed(names: dict[str, str]) -> Damage:
    def damage(answer: httpx.Response) -> bytes:
        body = answer.content
        for before, after in names.items():
            body = body.replace(f"<data>{before}</data>".encode(), f"<data>{after}</data>".encode())
        return body

    return damage


@pytest.mark.parametrize("literal", first(1, ["NaN", "-Infinity", "1e999"]))
@pytest.mark.parametrize("provider", [name for name in NAMES if name != "five9"])
def test_a_number_that_json_does_not_have(provider: str, literal: str) -> None:
    """Such a number is absent; what is shown beside it is right."""
    whole = read(provider)
    found = read(provider, insert=f"literal:{literal}")

    assert {key: value for key, value in found.items() if whole.get(key) != value} == {}


@pytest.mark.parametrize("charset", first(1, ["utf-16", "iso-8859-1"]))
@pytest.mark.parametrize("provider", NAMES)
def test_a_declared_encoding(provider: str, charset: str) -> None:
    """An answer in the encoding that its header declares has the same figures."""
    assert read(provider, insert=f"encoded:{charset}") == read(provider)


class Account(Bench):
    """One account, read from its platform on a virtual loop."""

    def __init__(self, provider: str, **options: Any) -> None:
        self.clock = LoopClock(MORNING)
        options = {**PLATFORMS[provider].on_a_loop, **options}
        self.platform = platform(provider, clock=self.clock, **options)
        transport = httpx.ASGITransport(self.platform.simulator.app)
        super().__init__(self.platform.account, transport, observe=False)

    def replaced(self) -> float:
        """Return how many characters were replaced in the answers to all feeds."""
        feeds = [feed.name for feed in self.collector.feeds]
        counts = [self.metric("replaced_characters_total", feed=feed) for feed in feeds]
        assert None not in counts
        return sum(count or 0 for count in counts)


@pytest.mark.parametrize("provider", NAMES)
def test_characters_are_counted(provider: str, caplog: pytest.LogCaptureFixture) -> None:
    """Every replaced character is counted for its feed; no part of the answer is in the log."""
    name = a_name(provider)
    insert = f"insert:{CHARACTERS[provider][0]}@{name}"

    async def main() -> None:
        account = Account(provider, agents="name")
        task = asyncio.create_task(account.refresher.run())
        await asyncio.wait([task], timeout=120)
        assert account.replaced() == 0
        kind = "literal:NaN@intValue" if provider == "genesys" else insert
        account.platform.simulator.fail_next(kind, n=1000)
        await asyncio.wait([task], timeout=480)
        assert account.replaced() > 0
        assert account.metric("up") == 1
        task.cancel()
        await asyncio.wait([task])
        await account.client.aclose()

    with caplog.at_level(logging.DEBUG):
        run(main())
    assert [line for line in caplog.messages if name[1:] in line] == []


# Any character at any place -----------------------------------------------------------------


def inserted(where: int, new: bytes) -> Damage:
    def damage(answer: httpx.Response) -> bytes:
        body = answer.content
        at = where % (len(body) + 1)
        while at < len(body) and body[at] & 0xC0 == 0x80:
            at += 1
        return body[:at] + new + body[at:]

    return damage


@pytest.mark.timeout(600)
@pytest.mark.parametrize("provider", NAMES)
def test_any_character_at_any_place(provider: str) -> None:
    """The same figures, fewer, or a refusal: no figure is another than without the character.

    A queue of Voximplant whose name could not be read is shown by its id.
    """
    whole = without_marks(read(provider))
    examples = max(settings.default.max_examples // 5, 10)

    @settings(max_examples=examples, deadline=timedelta(seconds=10))
    @given(
        st.integers(0, 40),
        st.integers(0, 10**6),
        st.sampled_from(CHARACTERS[provider]).map(lambda text: text.encode("latin-1")),
    )
    def check(at: int, where: int, new: bytes) -> None:
        found = without_marks(read(provider, inserted(where, new), at))
        assert {key: value for key, value in found.items() if whole.get(key, value) != value} == {}
        if provider != "voximplant":
            assert found.keys() <= whole.keys()

    check()


def without_marks(figures: Figures) -> Figures:
    mark = "\ufffd".encode()
    return {(name, label.replace(mark, b"")): value for (name, label), value in figures.items()}
