"""Fuzz tests: hostile input raises only our own errors, soon, and makes no figure."""

import asyncio
import json
import math
import tempfile
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.collector.http import Http
from exporter.config.load import Config, load
from exporter.config.redact import as_yaml
from exporter.errors import ConfigError, InvalidAnswer, ProviderError
from exporter.metrics.labels import AccountLabels
from exporter.metrics.mapping import map_reading
from exporter.metrics.parsers import number
from exporter.metrics.reading import Reading
from exporter.preflight.session import open_session
from exporter.providers import MODELS, PROVIDERS
from exporter.providers.brightpattern.collector import feeds, statistics
from exporter.providers.brightpattern.config import BrightPatternConfig
from exporter.providers.brightpattern.subscription import SubscribedObjects, Subscription
from exporter.providers.five9.answers import read_statistics
from exporter.providers.five9.rows import Replica
from exporter.providers.five9.tables import ACD_STATUS
from exporter.telemetry import AccountTelemetry, Telemetry
from exporter.web import config as webconfig
from support.damage import Damage, Damaged, bytes_cut, figure_spoiled, value_changed
from support.platforms import NAMES, PLATFORMS, platform

pytestmark = [pytest.mark.fuzz, pytest.mark.timeout(7200)]
SLOWEST = timedelta(seconds=10)  # for one example; a usual one takes a hundredth of it
FEW = max(settings.default.max_examples // 10, 10)  # whole visits
MOST_ANSWERS = 40  # of a visit
Figures = dict[tuple[str, bytes], float]

texts = st.text(max_size=8) | st.sampled_from(
    [
        "",
        "-1",
        "1e999",
        "NaN",
        "Infinity",
        "1_000",
        "٣",
        "0x10",
        "9" * 400,
        "\x00",
        "${HOME}",
        "true",
    ]
)
CELLS = st.none() | texts | st.integers().map(str)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
damages: st.SearchStrategy[Damage] = st.one_of(
    st.builds(bytes_cut, st.integers(0, 10**6), st.integers(0, 200), st.binary(max_size=12)),
    st.builds(bytes_cut, st.integers(0, 10**6), st.just(10**9), st.just(b"")),
    st.builds(value_changed, st.integers(0, 10**6), json_values),
)


# Platforms --------------------------------------------------------------------------------------


def visited(provider: str, at: int, damage: Damage) -> Figures:
    """Visit an account one of whose answers is damaged; return its figures.

    The floor stands still, so that asking again finds the same.
    """

    async def main() -> Figures:
        world = platform(provider, agents="name", **PLATFORMS[provider].everything)
        world.simulator.tick = None
        transport = Damaged(world.simulator.app, at, damage)
        telemetry = AccountTelemetry(Telemetry(), provider, "acme")
        found: Figures = {}
        async with httpx.AsyncClient(transport=transport) as client:
            http = Http(client, telemetry, world.clock)
            kind = PROVIDERS[provider].collector
            collector = kind(world.account, http, telemetry, world.clock)
            async with open_session(
                world.account, collector, telemetry, http, world.clock
            ) as visit:
                for feed in visit.feeds.values():
                    found |= figures(feed.mapped.series) if feed.mapped else {}
        return found

    return asyncio.run(main())


def figures(series: Mapping[Any, Any]) -> Figures:
    return {
        (family.name, label): float(value)
        for family, each in series.items()
        for label, value in zip(each.labels, each.values, strict=True)
    }


@pytest.mark.parametrize("provider", NAMES)
def test_damaged_answers(provider: str) -> None:
    """Any damage to any answer of a visit ends in our errors or in finite figures."""

    @settings(max_examples=FEW, deadline=SLOWEST)
    @given(st.integers(0, MOST_ANSWERS), damages)
    def check(at: int, damage: Damage) -> None:
        assert all(math.isfinite(value) for value in visited(provider, at, damage).values())

    check()


@pytest.mark.parametrize("provider", NAMES)
def test_spoiled_figures(provider: str) -> None:
    """Where a figure cannot be read, every figure on the page is right, or is not there."""
    whole = visited(provider, -1, bytes_cut(0, 0, b""))
    assert len(whole) > 50

    @settings(max_examples=FEW, deadline=SLOWEST)
    @given(st.integers(0, MOST_ANSWERS), st.integers(0, 10**6), st.sampled_from(["x", "1x", "?1"]))
    def check(at: int, which: int, junk: str) -> None:
        found = visited(provider, at, figure_spoiled(which, junk))
        wrong = {key: value for key, value in found.items() if whole.get(key) != value}
        assert wrong == {}

    check()


@settings(deadline=SLOWEST)
@given(
    st.lists(
        st.lists(CELLS, min_size=4, max_size=4) | st.lists(CELLS, max_size=6),
        max_size=5,
    )
)
def test_five9_figures_are_cells(rows: list[list[str | None]]) -> None:
    """A figure of a Five9 table is a cell of its column, in a row that fits the columns."""
    headers = ["Skill Name", "Calls In Queue", "Agents Logged In", "Current Longest Queue Time"]
    cells = "".join(f"<rows><values>{''.join(map(data, row))}</values></rows>" for row in rows)
    columns = f"<columns><values>{''.join(map(data, headers))}</values></columns>"
    body = (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>'
        f"<getStatisticsResponse><return>{columns}{cells}</return></getStatisticsResponse>"
        "</e:Body></e:Envelope>"
    ).encode("utf-8", "xmlcharrefreplace")
    try:
        grid = Replica(ACD_STATUS, read_statistics(body), [], 0.0)
    except InvalidAnswer:
        return
    reading = Reading({ACD_STATUS.name: grid.rows(0.0, {})})
    found = map_reading(
        reading, {ACD_STATUS.name: ACD_STATUS}, AccountLabels(base={"account": "a"}), raw=False
    )

    cells_of_column = [row[1] for row in rows if len(row) == len(headers)]
    said = {float(value) for value in map(_number, cells_of_column) if value is not None}
    waiting = {
        value for (name, _), value in figures(found.series).items() if name.endswith("_waiting")
    }
    assert waiting <= said


def _number(cell: str | None) -> float | None:
    try:
        return float(number(cell))
    except ValueError:
        return None


def data(text: str | None) -> str:
    if text is None:
        return "<data/>"
    return f"<data>{text.replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;')}</data>"


BRIGHTPATTERN = BrightPatternConfig.model_validate(
    {
        "name": "a",
        "provider": "brightpattern",
        "base_url": "https://a.example",
        "username": "u",
        "api_secret": "s",
        "agents": "name",
    }
)
grids = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "id": st.sampled_from(["services", "agents"]) | json_values,
            "values": st.lists(
                st.dictionaries(st.integers(0, 30).map(str), json_values, max_size=6) | json_values,
                max_size=3,
            )
            | json_values,
        },
    )
    | json_values,
    max_size=3,
)
blocks = (
    st.fixed_dictionaries(
        {},
        optional={
            "stats_totals": st.dictionaries(texts, json_values) | json_values,
            "service_grids": grids | json_values,
            "agent_grids": grids | json_values,
        },
    )
    | json_values
)


@settings(deadline=SLOWEST)
@given(blocks)
def test_brightpattern_blocks(block: Any) -> None:
    """Any block of a subscription's answer is cells that it holds, or an invalid answer."""
    tables = {table.name: table for table in next(iter(feeds(BRIGHTPATTERN))).tables}
    subscription = Subscription(statistics(BRIGHTPATTERN, tables), SubscribedObjects(), "stat_name")
    try:
        answer = subscription.read(block)
    except InvalidAnswer:
        return
    held = json.dumps(block)
    for rows in answer.grids.values():
        for row in rows:
            for cell in row.cells.values():
                assert cell is None or json.dumps(cell) in held or str(cell).startswith("(")


# Files ------------------------------------------------------------------------------------------

KEYS = sorted(
    {name for model in MODELS.values() for name in model.model_fields} - {"name", "provider"}
)
account_values = json_values | st.sampled_from(
    [
        *(
            "15s",
            "1h",
            "https://h",
            "http://127.0.0.1:1",
            "name",
            "hashed",
            "Europe/Berlin",
            "08:00",
        ),
        *({}, [], {"interval": "1s"}, {"queues": ["*"]}, [{"type": "Queue", "ids": ["q"]}]),
    ]
)
accounts = st.fixed_dictionaries(
    {"name": texts, "provider": st.sampled_from(sorted(MODELS)) | json_values},
    optional={
        **dict.fromkeys(KEYS, account_values),
        **{f"{each}_file": texts for each in ("password", "api_secret", "proxy_url")},
        "credentials_file": texts,
    },
)
objectives = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "match": st.dictionaries(st.sampled_from(["queue", "account", "x"]), texts)
            | json_values,
            "waiting_limit": st.fixed_dictionaries({"warning": json_values}) | json_values,
            "hours": st.fixed_dictionaries({"time_zone": texts, "weekly": json_values}),
        },
    )
    | json_values,
    max_size=2,
)
files = st.fixed_dictionaries(
    {"accounts": st.lists(accounts | json_values, max_size=2) | json_values},
    optional={
        "defaults": st.dictionaries(st.sampled_from([*KEYS, "name"]), account_values, max_size=3)
        | json_values,
        "queues": objectives | json_values,
        "campaigns": objectives | json_values,
    },
)
web_files = st.fixed_dictionaries(
    {},
    optional={
        "tls_server_config": st.dictionaries(
            st.sampled_from(["cert_file", "key_file", "cert", "key", "min_version", "client_ca"]),
            json_values,
        )
        | json_values,
        "http_server_config": st.dictionaries(st.sampled_from(["http2", "headers"]), json_values),
        "rate_limit": st.dictionaries(st.sampled_from(["interval", "burst"]), json_values),
        "basic_auth_users": st.dictionaries(texts, texts | st.just("$2b$04$" + "a" * 53))
        | json_values,
    },
)
chunks = st.lists(
    st.sampled_from(
        [
            *(
                "accounts:",
                "\n",
                "  ",
                "- ",
                "name: ",
                "&a ",
                "*a",
                "!!int ",
                "!x ",
                "{",
                "}",
                "[",
                "]",
            ),
            *(
                "<<: ",
                "|",
                ">",
                "'",
                '"',
                "#",
                "---",
                "...",
                "\t",
                "? ",
                ": ",
                "${A}",
                "$$",
                "provider: ",
            ),
            *(
                "five9",
                "genesys",
                "%YAML 1.1\n",
                "\\x00",
                "tls_server_config:",
                "basic_auth_users: ",
            ),
        ]
    )
    | st.text(max_size=4),
    max_size=25,
).map("".join)
written = st.one_of(
    files.map(lambda value: yaml.safe_dump(value, allow_unicode=True)),
    files.map(json.dumps),
    web_files.map(lambda value: yaml.safe_dump(value, allow_unicode=True)),
    chunks,
    st.text(),
    st.binary(),
)


def in_a_file(content: str | bytes) -> bytes:
    return content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")


def loaded(file: Path) -> Config | list[str]:
    """Return the configuration in a file, or what is wrong with it."""
    try:
        return load(file, {"A": "a"}, MODELS)
    except ConfigError as error:
        return error.faults


@settings(deadline=SLOWEST)
@given(written)
def test_any_configuration(content: str | bytes) -> None:
    """Any file is a configuration that can be used and shown, or faults of its own lines."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "exporter.yml"
        file.write_bytes(in_a_file(content))
        config = loaded(file)
    if isinstance(config, list):
        assert config
        assert all(each.startswith(str(file)) for each in config)
        return
    assert yaml.safe_load(as_yaml(config))["accounts"]
    for account in config.accounts:
        assert account.account_labels().base["account"] == account.name
        assert account.enabled_feeds()


@settings(deadline=SLOWEST)
@given(st.one_of(web_files.map(yaml.safe_dump), written))
def test_any_web_configuration(content: str | bytes) -> None:
    """Any file is a web configuration or has faults, and nothing else goes wrong."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "web.yml"
        file.write_bytes(in_a_file(content))
        result = webconfig.load(file)
        assert (result.config is None) == bool(result.faults)


def test_our_errors_are_what_a_visit_survives() -> None:
    """What the visits above count on: a visit catches our errors, and nothing but those."""

    def bug(_: httpx.Response) -> bytes:
        raise LookupError("a bug")

    assert issubclass(InvalidAnswer, ProviderError)
    with pytest.raises(LookupError):
        visited("five9", 3, bug)
