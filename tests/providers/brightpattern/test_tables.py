"""Tests from answers to rows: keys, odd cells, sums, namesakes, dispositions, bisection."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.errors import InvalidAnswer, Refused
from exporter.logs import get_log
from exporter.metrics.mapping import Mapped, map_reading
from exporter.metrics.reading import Reading
from exporter.providers.brightpattern import tables as t
from exporter.providers.brightpattern.client import SubscriptionDeclined
from exporter.providers.brightpattern.collector import feeds, statistics
from exporter.providers.brightpattern.config import BrightPatternConfig
from exporter.providers.brightpattern.directory import Directory, DirectoryEntry
from exporter.providers.brightpattern.rows import UNLISTED_PAUSE, RowBuilder
from exporter.providers.brightpattern.subscription import (
    LIMIT,
    GridStatistic,
    SubscribedObjects,
    Subscription,
    disposition_columns,
    subscribe_accepted,
)

STATISTICS = Path(__file__).parents[2] / "data/brightpattern-statistics.yaml"
ID = "11111111-2222-3333-4444-55555555555"


class Reader:
    """An account's way from a JSON answer to series, without a wire."""

    def __init__(self, directory: Directory | None = None, **options: Any) -> None:
        account = {
            "name": "acme",
            "provider": "brightpattern",
            "base_url": "https://acme.example.com",
            "username": "api",
            "api_secret": "x",
            **options,
        }
        self.config = BrightPatternConfig.model_validate(account)
        assert list(self.config.faults()) == []
        self.labels = self.config.account_labels()
        self.feed = next(iter(feeds(self.config)))
        self.tables = {table.name: table for table in self.feed.tables}
        self.directory = directory or Directory()
        self.subscription = Subscription(
            statistics(self.config, self.tables),
            self.directory.objects(self.config),
            "stat_name",
        )
        self.rows = RowBuilder(self.feed.tables, self.labels, get_log("test"))
        self.now = 1000.0

    def row(self, grid: str, **cells: Any) -> dict[str, Any]:
        """Write a row as the platform does, of the columns that are named."""
        (block,) = self.subscription.body().values()
        columns = block[f"{grid}_grids"][0]["columns"]
        return {c["id"]: cells[c["stat_name"]] for c in columns if c["stat_name"] in cells}

    def map_reading(
        self, services: Any = (), agents: Any = (), totals: Any = None, extra: Any = ()
    ) -> Mapped:
        block = {
            "stats_totals": totals or {},
            "service_grids": [{"id": "services", "values": list(services)}, *extra],
            "agent_grids": [{"id": "agents", "values": list(agents)}],
        }
        answer = self.subscription.read(block)
        reading = self.rows.reading(self.subscription, answer, self.now, self.directory.names)
        return map_reading(reading, self.tables, self.labels, raw=self.feed.times.raw)


def values(mapped: Mapped, name: str) -> dict[str, float]:
    """Return a family's values by their own labels, as written on the page."""
    return {
        label.decode().partition('account="acme"')[2].strip(",} "): value
        for family, series in mapped.series.items()
        if family.name == f"contactcenter_{name}"
        for label, value in zip(series.labels, series.values, strict=True)
    }


def test_every_known_statistic_has_its_place() -> None:
    """Each statistic of the list is mapped, or known and left out on purpose."""
    tables = {
        "service": {*t.SERVICES.ignored, t.NAME, t.DISPOSITIONS},
        "agent": {*t.EACH_AGENT.ignored, *t.EACH_AGENT.private, t.LOGIN, t.FULL_NAME, t.REASON},
        "totals": set(t.TOTALS.ignored),
    }
    tables["agent"].add(t.DISPOSITIONS)
    reader = Reader(agents="name")
    for grid, name in reader.subscription.statistics:
        tables[{"services": "service", "agents": "agent"}[grid]].add(name)
    listed: dict[str, list[str]] = yaml.safe_load(STATISTICS.read_text(encoding="utf-8"))
    assert len(listed) == 46
    for name, grids in listed.items():
        for grid in grids:
            assert name in {*tables[grid], "SUM"}, (grid, name)


def test_cells_of_every_type() -> None:
    """Texts and bare numbers are read alike; nothing, in any spelling, makes no series."""
    reader = Reader(ratio_scale="percent")
    rows = [
        reader.row("service", name="1", in_calls_waiting="2", service_level="95.5"),
        reader.row("service", name=3, in_calls_waiting=4, service_level=0),
        reader.row("service", name="a", in_calls_waiting="", service_level=None),
        reader.row("service", name="b", in_calls_waiting="n/a", service_level="180"),
        reader.row("service", name="c", in_calls_waiting=True, service_level=[1]),
        reader.row("service", in_calls_waiting="9"),
        reader.row("service", name="", in_calls_waiting="9"),
        "no row",
    ]
    mapped = reader.map_reading(rows)
    assert values(mapped, "queue_contacts_waiting") == {
        'queue="1",media="all"': 2,
        'queue="3",media="all"': 4,
    }
    assert values(mapped, "queue_service_level_ratio") == {
        'queue="1",media="all",window="day"': 0.955,
        'queue="3",media="all",window="day"': 0,
    }
    rejected = mapped.schemas["subscription.services"].rejected
    assert rejected == {"in_calls_waiting": 2, "service_level": 2}


def test_scale_is_the_accounts_word() -> None:
    """A ratio is read as it is said to be written; above the whole it is refused."""
    scales = {"service_level": "fraction", "in_calls_abandoned_percent_per_day": "percent"}
    reader = Reader(ratio_scale=scales)
    row = reader.row(
        "service", name="a", service_level="0.8", in_calls_abandoned_percent_per_day="8"
    )
    mapped = reader.map_reading([row])
    assert list(values(mapped, "queue_service_level_ratio").values()) == [0.8]
    assert list(values(mapped, "queue_abandoned_ratio").values()) == [0.08]
    reader = Reader(ratio_scale="fraction")
    mapped = reader.map_reading([reader.row("service", name="a", service_level="80")])
    assert values(mapped, "queue_service_level_ratio") == {}


def test_a_scale_that_nobody_told_is_not_guessed() -> None:
    """Without a scale a share is refused and counted, but for zero and for a percent sign."""
    reader = Reader()
    rows = [
        reader.row("service", name=name, service_level=cell)
        for name, cell in (("a", "0.8"), ("b", "80"), ("c", "1"), ("d", "0"), ("e", "80%"))
    ]
    mapped = reader.map_reading(rows)
    assert values(mapped, "queue_service_level_ratio") == {
        'queue="d",media="all",window="day"': 0,
        'queue="e",media="all",window="day"': 0.8,
    }
    assert mapped.schemas["subscription.services"].rejected == {"service_level": 3}


def test_agents_are_counted_by_state() -> None:
    """Every row counts, logged-out ones too; a strange word is other, and reported."""
    reader = Reader()
    words = ("ready", "Ready", "busy", "after_call_work", "not_ready", "", "0", 0, None, "odd")
    rows = [
        reader.row("agent", login_id=f"a{n}", acd_state=word, reason="")
        for n, word in enumerate(words)
    ]
    mapped = reader.map_reading(agents=rows)
    assert {k: v for k, v in values(mapped, "agents").items() if v} == {
        'state="ready"': 2,
        'state="on_contact"': 1,
        'state="after_contact_work"': 1,
        'state="not_ready"': 1,
        'state="logged_out"': 4,
        'state="other"': 1,
    }
    assert values(mapped, "agents_not_ready") == {'reason="unspecified"': 1}
    assert mapped.schemas["subscription.agents"].unmapped["state"] == {"odd"}


def test_counts_of_all_agents_need_all_cells() -> None:
    """Where one agent's cell is missing, sums and counts over all agents are left out."""
    reader = Reader()
    whole = {"acd_state": "ready", "reason": "", "agent_total_ready_time": "5"}
    good = [reader.row("agent", login_id=x, **whole) for x in "ab"]
    mapped = reader.map_reading(agents=good)
    assert values(mapped, "agents_state_seconds_total") == {'state="ready"': 10}
    for spoiled in (
        reader.row("agent", login_id="c", acd_state="ready"),
        reader.row("agent", login_id="c", **{**whole, "agent_total_ready_time": "n/a"}),
        reader.row("agent", **whole),
    ):
        assert (
            values(reader.map_reading(agents=[*good, spoiled]), "agents_state_seconds_total") == {}
        )
    no_state = reader.row("agent", login_id="c", agent_total_ready_time="5")
    assert values(reader.map_reading(agents=[*good, no_state]), "agents") == {}
    with pytest.raises(InvalidAnswer):
        reader.map_reading(agents=[reader.row("agent", **{**whole, "login_id": ""})])


def test_not_ready_reasons_are_capped() -> None:
    """Past fifty reasons, the rarest are counted together."""
    reader = Reader()
    rows = [
        reader.row("agent", login_id=f"a{n}", acd_state="not_ready", reason=f"r{n}")
        for n in range(60)
    ]
    reasons = values(reader.map_reading(agents=rows), "agents_not_ready")
    assert len(reasons) == 51
    assert reasons['reason="other"'] == 10


def test_each_agent() -> None:
    """Per-agent figures: state and its steady start, medium, sums, next state."""
    reader = Reader(agents="id")
    cells = {
        "login_id": "ann",
        "acd_state": "busy",
        "acd_next_state": "not_ready",
        "state_duration": "100",
        "active_item_media_type": "VOICE",
        "in_calls_handled_per_day": "3",
        "out_calls_handled_per_day": "4",
    }
    mapped = reader.map_reading(agents=[reader.row("agent", **cells)])
    assert values(mapped, "agent_state_since_timestamp_seconds") == {'agent="ann"': 900}
    assert values(mapped, "agent_contacts_active") == {'agent="ann",media="voice"': 1}
    assert values(mapped, "agent_next_state") == {'agent="ann",state="not_ready"': 1}
    assert values(mapped, "agent_contacts_handled_total") == {'agent="ann",media="all"': 7}
    reader.now += 5.9
    cells |= {"state_duration": "105", "active_item_media_type": "Fax"}
    mapped = reader.map_reading(agents=[reader.row("agent", **cells)])
    assert values(mapped, "agent_state_since_timestamp_seconds") == {'agent="ann"': 900}
    assert values(mapped, "agent_contacts_active") == {'agent="ann",media="other"': 1}
    cells |= {"acd_state": "ready", "state_duration": "n/a", "out_calls_handled_per_day": ""}
    mapped = reader.map_reading(agents=[reader.row("agent", **cells)])
    assert values(mapped, "agent_state_since_timestamp_seconds") == {}
    assert values(mapped, "agent_contacts_handled_total") == {}
    assert values(mapped, "agents_contacts_handled_total") == {}
    nothing = dict.fromkeys(("in_calls_handled_per_day", "out_calls_handled_per_day"), "")
    rows = [reader.row("agent", **cells), reader.row("agent", **{**cells, **nothing})]
    rows[0] |= reader.row("agent", out_calls_handled_per_day="4")
    mapped = reader.map_reading(agents=rows)
    assert values(mapped, "agents_contacts_handled_total") == {"": 7}


def test_namesakes_are_told_apart() -> None:
    """Two services of one name have a grid each, and show as name (id); others are not mixed."""
    directory = Directory(
        [
            DirectoryEntry(f"{ID}A", "Sales"),
            DirectoryEntry(f"{ID}B", "Sales"),
            DirectoryEntry("C", "Chat"),
        ]
    )
    reader = Reader(directory)
    (block,) = reader.subscription.body().values()
    assert [grid.get("service_ids") for grid in block["service_grids"]] == [
        None,
        [f"{ID}A"],
        [f"{ID}B"],
    ]
    rows = [
        reader.row("service", name=name, in_calls_waiting=waiting)
        for name, waiting in (("Sales", "1"), ("Sales", "2"), ("Chat", "3"))
    ]
    extra = [{"id": f"{ID}A", "values": rows[:1]}, {"id": f"{ID}B", "values": rows[1:2]}]
    assert values(reader.map_reading(rows, extra=extra), "queue_contacts_waiting") == {
        f'queue="Sales ({ID}A)",media="all"': 1,
        f'queue="Sales ({ID}B)",media="all"': 2,
        'queue="Chat",media="all"': 3,
    }
    info = directory.reading(reader.subscription.objects).tables["directory.services"]
    assert [row[0] for row in info.cells] == [f"Sales ({ID}A)", f"Sales ({ID}B)", "Chat"]


def test_unlisted_service_is_shown_once_it_has_stood_for_a_while() -> None:
    """A name that the directory lacks may be a spoiled cell, so it is believed when it stays."""
    reader = Reader(Directory([DirectoryEntry("C", "Chat")]))
    rows = [
        reader.row("service", name=name, in_calls_waiting="1") for name in ("Chat", "New", "Two")
    ]
    rows.append(rows[-1])
    assert len(values(reader.map_reading(rows), "queue_contacts_waiting")) == 1
    assert reader.rows.unlisted == {"New", "Two"}
    reader.now += UNLISTED_PAUSE
    shown = values(reader.map_reading(rows), "queue_contacts_waiting")
    assert len(shown) == 2  # two rows of one name are never believed
    reader.map_reading(rows[:1])
    assert len(values(reader.map_reading(rows), "queue_contacts_waiting")) == 1


@pytest.mark.parametrize("item", ["Sales [EN]", "Sales [EN] (A)"])
def test_namesakes_are_excluded_by_plain_name(item: str) -> None:
    """The plain name excludes all namesakes, in every table about them; the label one."""
    entries = [DirectoryEntry(n, "Sales [EN]") for n in "AB"]
    directory = Directory(entries, dispositions=["Won"])
    for options in ({"exclude": {"queues": [item]}}, {"include": {"queues": [item]}}):
        reader = Reader(directory, **options)
        row = reader.row("service", name="Sales [EN]", in_calls_waiting="1", dispositions="2")
        extra = [{"id": n, "values": [row]} for n in "AB"]
        shown = values(reader.map_reading([row, row], extra=extra), "queue_contacts_waiting")
        info = directory.reading(reader.subscription.objects)
        table = {t.DIRECTORY_SERVICES.name: t.DIRECTORY_SERVICES}
        services = Reading({name: info.tables[name] for name in table})
        mapped = map_reading(services, table, reader.labels, raw=False)
        passing = {"A", "B"} if item == "Sales [EN]" else {"A"}
        passing = passing if "include" in options else {"A", "B"} - passing

        assert set(shown) == {f'queue="Sales [EN] ({n})",media="all"' for n in passing}
        assert len(values(mapped, "queue_info")) == len(passing)


@pytest.mark.parametrize("name", ["Sales ", " Sales", "\tSales", "Sales\u00a0", "sales"])
def test_names_are_compared_by_every_character(name: str) -> None:
    """Services whose names differ in white space or letter case only are shown from the start."""
    for names in [{name: 1}, {"Sales": 2, name: 3}]:
        entries = [DirectoryEntry(f"{ID}{n}", listed) for n, listed in enumerate(names)]
        reader = Reader(Directory(entries))
        rows = [reader.row("service", name=x, in_calls_waiting=n) for x, n in names.items()]
        shown = values(reader.map_reading(rows), "queue_contacts_waiting")

        assert shown == {f'queue="{x}",media="all"': n for x, n in names.items()}
        assert reader.rows.unlisted == frozenset()


@pytest.mark.parametrize("login", ["ann ", "\u00a0ann", "Ann"])
def test_logins_are_compared_by_every_character(login: str) -> None:
    """The states of agents whose logins differ in white space or letter case only begin apart."""
    reader = Reader(agents="id")
    for _ in range(2):
        rows = [
            reader.row("agent", login_id=name, acd_state="ready", state_duration=seconds)
            for name, seconds in (("ann", 100), (login, 101))
        ]
        shown = values(reader.map_reading(agents=rows), "agent_state_since_timestamp_seconds")
        assert shown == {'agent="ann"': 900, f'agent="{login}"': 899}


def test_configured_services_without_a_row() -> None:
    """A configured service without a row may have been created again under another id."""
    directory = Directory([DirectoryEntry("A", "Sales"), DirectoryEntry("B", "Chat")])
    objects = Reader(directory, services=["Sales"]).subscription.objects

    assert directory.without_row(objects, {"Chat"}) == {"Sales"}
    assert directory.without_row(objects, {"Sales"}) == frozenset()
    assert directory.without_row(SubscribedObjects(), ()) == frozenset()


def test_namesakes_by_name_and_label() -> None:
    """The plain name selects all namesakes, the label one of them."""
    directory = Directory([DirectoryEntry("A", "Sales [EN]"), DirectoryEntry("B", "Sales [EN]")])

    assert Reader(directory, services=["Sales [EN]"]).subscription.objects.services == ("A", "B")
    assert Reader(directory, services=["Sales [EN] (B)"]).subscription.objects.services == ("B",)


@pytest.mark.parametrize(("text", "name"), [("Zo\xe9", "Zoe\u0301"), ("Zoe\u0301", "Zo\xe9")])
def test_a_configured_service_with_an_accent(text: str, name: str) -> None:
    """How an accented letter is encoded does not matter."""
    directory = Directory([DirectoryEntry("A", name), DirectoryEntry("B", "Zoe")])
    for service in (text, f"{text} (A)"):
        reader = Reader(directory, services=[service])
        assert reader.subscription.objects.services == ("A",)
        assert directory.unknown(reader.config) == frozenset()


def test_filters_by_name_and_id() -> None:
    """Wanted names become ids; none found is refused, for none would mean all."""
    directory = Directory(
        [DirectoryEntry(f"{ID}A", "Sales"), DirectoryEntry(f"{ID}B", "1")],
        [DirectoryEntry("T", "Blue")],
    )
    reader = Reader(directory, services=["1", f"{ID}a"], teams=["Blue", "Red"])
    (block,) = reader.subscription.body().values()
    assert block["service_grids"][0]["service_ids"] == [f"{ID}B", f"{ID}A"]
    assert block["agent_grids"][0]["team_ids"] == ["T"]
    assert directory.unknown(reader.config) == {"Red"}
    with pytest.raises(Refused):
        Directory([], []).objects(reader.config)
    assert Directory().objects(Reader(services=[f"{ID}A"]).config).services == (f"{ID}A",)


def test_grid_cut_at_its_limit_is_refused() -> None:
    """As many rows as were allowed may be fewer than there are."""
    reader = Reader()
    row = reader.row("agent", login_id="a", acd_state="ready", reason="")
    with pytest.raises(InvalidAnswer, match="cut"):
        reader.map_reading(agents=[row] * LIMIT)


def test_block_of_the_wrong_shape_is_invalid_or_absent() -> None:
    """RowBuilder that are no grids are left out; a block that is none is invalid."""
    reader = Reader()
    with pytest.raises(InvalidAnswer):
        reader.subscription.read([])
    for odd in (None, {}, [None], [{"id": "services"}], [{"id": "services", "values": "x"}]):
        answer = reader.subscription.read(
            {"service_grids": odd, "stats_totals": [], "agent_grids": 5}
        )
        assert answer.grids == {}


def test_totals_and_raw() -> None:
    """Totals are exported where mapped; raw shows the known others."""
    mapping = {"agents_ready + agents_logged": {"metric": "custom_both"}}
    reader = Reader(statistics={"totals": mapping}, feeds={"subscription": {"raw": True}})
    mapped = reader.map_reading(
        totals={"agents_ready": "3", "agents_logged": 4, "in_calls_waiting": "5"}
    )
    assert values(mapped, "custom_both") == {"": 7}
    raw = values(mapped, "raw_value")
    assert raw['table="subscription.totals",object="",column="in_calls_waiting"'] == 5


def test_disposition_columns() -> None:
    """Names that cannot be told apart, and those past the cap, are counted together."""
    columns = disposition_columns(["Sale", "SALE!", "No Sale", "Other", "—", "Login ID"])
    assert columns == {
        "No Sale": ("No Sale",),
        "other": ("Login ID", "Other", "SALE!", "Sale", "—"),
    }
    many = disposition_columns(f"d{n:03}" for n in range(70))
    assert len(many) == 51
    assert len(many["other"]) == 20
    assert disposition_columns([]) == {}


def test_dispositions_of_agents() -> None:
    """Each disposition is a column of its own, asked for by name."""
    directory = Directory(dispositions=["Sale", "No Sale"])
    reader = Reader(directory, agents="id")
    (block,) = reader.subscription.body().values()
    columns = block["agent_grids"][0]["columns"]
    by_name = {tuple(c["dispositions"]): c["id"] for c in columns if "dispositions" in c}
    row = reader.row("agent", login_id="ann") | {by_name["Sale",]: "2", by_name["No Sale",]: ""}
    assert values(reader.map_reading(agents=[row]), "agent_dispositions_total") == {
        'agent="ann",disposition="Sale"': 2
    }


class Taker:
    """A platform that declines some statistics, or more than so many of them."""

    def __init__(self, *declined: str, most: int = 1000) -> None:
        self.declined = declined
        self.most = most
        self.posts: list[list[GridStatistic]] = []
        self.active: list[GridStatistic] = []

    async def post(self, statistics: Any) -> None:
        self.posts.append(list(statistics))
        if len(statistics) > self.most or any(x.name in self.declined for x in statistics):
            raise SubscriptionDeclined("1", "no")
        self.active = list(statistics)


WANTED = [
    *(GridStatistic("services", name) for name in ("name", *(f"s{n}" for n in range(20)))),
    *(GridStatistic("agents", name) for name in ("login_id", *(f"a{n}" for n in range(20)))),
]


@pytest.mark.anyio
@pytest.mark.parametrize(
    "declined", [("s3",), ("a19",), ("s0", "a0"), ("s1", "s2", "s3", "a5", "a6")]
)
async def test_bisection_finds_exactly_what_is_declined(declined: tuple[str, ...]) -> None:
    """What is declined is found in few steps, and the rest is what is subscribed to."""
    taker, found = Taker(*declined), set[GridStatistic]()
    good = await subscribe_accepted(WANTED, found, taker.post, "why")
    assert {each.name for each in found} == set(declined)
    assert set(good) == set(taker.active) == {x for x in WANTED if x.name not in declined}
    assert len(taker.posts) <= 4 + 12 * len(declined)


@pytest.mark.anyio
async def test_bisection_of_whole_grids() -> None:
    """A grid whose key is declined is left out; where nothing is taken, that is said."""
    taker, found = Taker("login_id"), set[GridStatistic]()
    good = await subscribe_accepted(WANTED, found, taker.post, "why")
    assert {each.grid for each in good} == {"services"}
    with pytest.raises(Refused, match="why"):
        await subscribe_accepted(WANTED, set(), Taker("login_id", "name").post, "why")
    small = Taker(most=10)
    assert len(await subscribe_accepted(WANTED, set(), small.post, "why")) == 10
    assert len(small.active) == 10


def test_selection_without_a_directory() -> None:
    """Where nothing is known of names, everything visible is asked for."""
    assert Directory().objects(Reader().config) == SubscribedObjects()


@pytest.mark.parametrize("row", [[], None, "x", {}, {"99": "Sales", "98": "3"}])
def test_a_row_that_does_not_fit_is_refused(row: Any) -> None:
    """A row that is no object or has none of our columns is refused; the others stand."""
    reader = Reader()
    good = [reader.row("service", name=name, in_calls_waiting="3") for name in "ab"]
    mapped = reader.map_reading([row, *good])
    assert len(values(mapped, "queue_contacts_waiting")) == 2
    assert mapped.schemas[t.SERVICES.name].rejected_cells > 0
    with pytest.raises(InvalidAnswer, match="2 of 3 rows were refused"):
        reader.map_reading([row, row, good[0]])


@pytest.mark.parametrize("name", [["Sales"], {"name": "Sales"}, True, [], {}])
def test_a_name_that_is_no_text_is_refused(name: Any) -> None:
    """A name of another type names nobody: the row is refused, like one without a name."""
    reader = Reader()
    good = [reader.row("service", name=text, in_calls_waiting="3") for text in "ab"]
    mapped = reader.map_reading([reader.row("service", name=name, in_calls_waiting="4"), *good])

    assert set(values(mapped, "queue_contacts_waiting").values()) == {3}
    assert mapped.schemas[t.SERVICES.name].rejected_cells > 0


def test_an_agent_row_that_does_not_fit_leaves_no_figures_of_all() -> None:
    """Figures of all agents are left out where an agent's row was refused."""
    reader = Reader()
    good = [reader.row("agent", login_id=name, acd_state="ready") for name in "ab"]
    assert values(reader.map_reading(agents=good), "agents")
    mapped = reader.map_reading(agents=[*good, {"77": "x"}])
    assert not values(mapped, "agents")
    assert mapped.schemas[t.AGENTS.name].rejected_cells == 1


def test_rows_that_come_twice_are_counted() -> None:
    """An agent who comes twice is counted once, services that come twice are left out."""
    reader = Reader()
    agent = reader.row("agent", login_id="a", acd_state="ready")
    mapped = reader.map_reading(agents=[agent, agent])
    assert sum(values(mapped, "agents").values()) == 1
    assert mapped.duplicates == 1
    service = reader.row("service", name="a", in_calls_waiting="3")
    other = reader.row("service", name="b", in_calls_waiting="1")
    mapped = reader.map_reading([service, service, other])
    assert len(values(mapped, "queue_contacts_waiting")) == 1
    assert mapped.duplicates == 2
