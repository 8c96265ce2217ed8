"""Tests from values of statistics to series: each figure is correct or absent."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.metrics.mapping import Mapped, map_reading
from exporter.providers.genesys import tables
from exporter.providers.genesys import tables as h
from exporter.providers.genesys.collector import feeds, statistics
from exporter.providers.genesys.config import GenesysConfig
from exporter.providers.genesys.statistics import ObjectStatistic
from exporter.providers.genesys.store import StatisticStore
from support.clock import VirtualClock


def config(objects: Sequence[Mapping[str, Any]], **more: Any) -> GenesysConfig:
    return GenesysConfig.model_validate(
        {
            "name": "acme",
            "provider": "genesys",
            "base_url": "https://gapi.example.com",
            "client_id": "exporter",
            "client_secret": "s3cret",
            "username": "u",
            "password": "p",
            "objects": list(objects),
            **more,
        }
    )


class Reader:
    """A store, and the series that its readings become."""

    def __init__(self, account: GenesysConfig) -> None:
        self.account = account
        self.statistics = statistics(account)
        self.tables = {table.name: table for table in feeds(account)[0].tables}
        self.clock = VirtualClock()
        self.outdated = 0
        self.store = StatisticStore(
            self.statistics,
            set(self.tables),
            account.service_level_threshold,
            self.clock,
            self._count_outdated,
        )

    def _count_outdated(self) -> None:
        self.outdated += 1

    def number(self, header: str, identity: str) -> int:
        return next(
            at
            for at, each in enumerate(self.statistics)
            if (each.stat_type.header, each.object_id) == (header, identity)
        )

    def put(self, header: str, identity: str, value: Any, timestamp: Any = None) -> None:
        number = self.number(header, identity)
        self.store.mark_open(number)
        self.store.update(number, {"value": value, "timestamp": timestamp})

    def mapped(self) -> Mapped:
        return map_reading(
            self.store.reading(), self.tables, self.account.account_labels(), raw=False
        )

    def series(self) -> dict[str, float]:
        found = {}
        base = b'{provider="genesys",account="acme",'
        for family, series in self.mapped().series.items():
            for labels, value in zip(series.labels, series.values, strict=True):
                name = family.name.removeprefix("contactcenter_")
                found[f"{name}{{{labels.removeprefix(base).decode().strip()}"] = value
        return found


QUEUE = {"type": "Queue", "ids": ["q1", "q2"], "names": {"q1": "Sales"}}
AGENTS = {"type": "Agent", "ids": ["jd", "as", "kl"], "names": {"jd": "Jane Doe"}}


def test_a_queue_is_named_and_counted() -> None:
    """A queue's figures carry its label; the threshold stands beside what is counted by it."""
    reader = Reader(config([QUEUE]))
    reader.put(h.WAITING, "q1", {"intValue": 3, "stringValue": "3"})
    reader.put(h.WAITING, "q2", 0)
    reader.put(h.WITHIN, "q1", "12")
    reader.put(h.SERVICE_LEVEL, "q1", "93.5")
    assert reader.series() == {
        'queue_contacts_waiting{queue="Sales",media="all"}': 3,
        'queue_contacts_waiting{queue="q2",media="all"}': 0,
        'queue_contacts_answered_within_threshold_total{queue="Sales",media="all"}': 12,
        'queue_service_level_threshold_seconds{queue="Sales",media="all"}': 20,
        'queue_service_level_ratio{queue="Sales",media="all",window="1h"}': 0.935,
    }


def test_what_is_not_open_is_missing_and_what_has_no_value_is_absent() -> None:
    """A statistic that is open for no object is reported; one without a value makes no series."""
    reader = Reader(config([QUEUE]))
    reader.put(h.WAITING, "q1", None)
    reader.put(h.OFFERED, "q1", 1)
    mapped = reader.mapped()
    missing = mapped.schemas["statistics.queues"].missing
    assert h.WAITING not in missing
    assert h.OFFERED not in missing
    assert {h.ANSWERED, h.ABANDONED, h.LONGEST_WAIT} <= missing
    assert mapped.schemas["statistics.service_levels"].missing == {h.SERVICE_LEVEL}
    assert list(reader.series()) == ['queue_contacts_offered_total{queue="Sales",media="all"}']


def test_a_statistic_that_is_not_open_for_one_object_is_counted() -> None:
    """A queue whose statistics were not opened counts with all of them, beside one that works."""
    reader = Reader(config([QUEUE]))
    for statistic in reader.store.statistics:
        if statistic.object_id == "q1":
            reader.put(statistic.stat_type.header, "q1", 1)
    schemas = reader.mapped().schemas
    assert schemas["statistics.queues"].missing_columns == sum(
        statistic.object_id == "q2" and statistic.table == "statistics.queues"
        for statistic in reader.store.statistics
    )
    assert schemas["statistics.service_levels"].missing_columns == 1
    assert not schemas["statistics.queues"].missing


def test_an_agent_that_is_not_open_is_counted() -> None:
    """An agent's state that was not opened is counted, also where agents are not named."""
    reader = Reader(config([AGENTS]))
    reader.put(h.AGENT_STATE, "jd", {"stateValue": {"status": 4}})
    assert reader.mapped().schemas["statistics.agents"].missing_columns == 2


def test_agents_that_are_all_not_open_are_counted() -> None:
    """Agents none of whom was opened are counted as missing, and as agents in no state."""
    reader = Reader(config([AGENTS]))
    assert reader.mapped().schemas["statistics.agents"].missing_columns == 3
    assert reader.series() == {}
    reader.put(h.AGENT_STATE, "jd", None)  # open, but without a value
    assert reader.mapped().schemas["statistics.agents"].missing_columns == 2
    assert reader.series() == {}


def test_values_belong_to_a_statistic_and_cannot_be_shifted() -> None:
    """Rows are made of values by the index of their statistic: each fits its columns."""
    reader = Reader(config([QUEUE]))
    reader.put(h.WAITING, "q1", 1)
    reader.put(h.OFFERED, "q2", 2)
    for rows in reader.store.reading().tables.values():
        assert {len(row) for row in rows.cells} <= {len(rows.headers)}


def test_agents_are_counted_by_state_and_nobody_is_named() -> None:
    """In aggregate mode agents whose state is known are counted, by number or name of a status."""
    reader = Reader(config([AGENTS]))
    reader.put(h.AGENT_STATE, "jd", {"stateValue": {"status": 4, "time": 1392641892}})
    reader.put(h.AGENT_STATE, "as", {"objectValue": {"status": "CallInbound"}})
    reader.put(h.AGENT_STATE, "kl", None)
    series = reader.series()
    assert {key: value for key, value in series.items() if value} == {
        'agents{state="ready"}': 1,
        'agents{state="on_contact"}': 1,
    }
    assert len(series) == 8


def test_without_any_state_nothing_is_said_of_agents() -> None:
    """Without any known agent state there are no counts, not even zeros."""
    reader = Reader(config([AGENTS]))
    reader.put(h.AGENT_STATE, "jd", None)
    assert reader.series() == {}


def test_agents_have_names_where_wanted() -> None:
    """With agents: name an agent is known by the name that the configuration gives."""
    reader = Reader(config([AGENTS], agents="name"))
    reader.put(h.AGENT_STATE, "jd", {"stateValue": {"status": "8", "time": "1392641892"}})
    reader.put(h.AGENT_STATE, "as", "23")
    reader.put(h.AGENT_TALK, "jd", "61.5")
    series = reader.series()
    assert series['agent_state{agent="Jane Doe",state="not_ready"}'] == 1
    assert series['agent_state{agent="as",state="logged_out"}'] == 1
    assert series['agent_state_since_timestamp_seconds{agent="Jane Doe"}'] == 1392641892
    assert series['agent_talk_seconds_total{agent="Jane Doe",media="all"}'] == 61.5


@pytest.mark.parametrize(
    ("running", "activated", "state"),
    [
        (1, 1, "running"),
        ("1", None, "running"),
        (0, 1, "stopped"),
        (0, 0, "stopped"),
        (0, None, "stopped"),
        (None, 1, None),
        ("?", 1, None),
    ],
)
def test_a_campaign_has_a_state_where_its_running_is_known(
    running: Any, activated: Any, state: str | None
) -> None:
    """A campaign's flags make one state; without the flag for running there is none."""
    reader = Reader(config([{"type": "CampaignGroup", "ids": ["spring"]}]))
    reader.put(h.RUNNING, "spring", running)
    reader.put(h.ACTIVATED, "spring", activated)
    reader.put(h.STALLS["agents"], "spring", 1)
    series = reader.series()
    states = {key for key, value in series.items() if key.startswith("campaign_state") and value}
    wanted = {f'campaign_state{{campaign="spring",state="{state}"}}'} if state else set()
    assert states == wanted
    assert series['campaign_stalled{campaign="spring",reason="agents"}'] == 1


def test_other_objects_have_the_users_own_statistics() -> None:
    """A type that is neither queue, agent nor campaign is labelled as an object."""
    own = {
        "name": "Size",
        "object_type": "Workbin",
        "object_ids": ["box"],
        "metric": "custom_size",
        "labels": {"site": "berlin"},
    }
    reader = Reader(config([], statistics=[own]))
    reader.put("statistics[0]", "box", 4)
    assert reader.series() == {'custom_size{object="box",site="berlin"}': 4}


def test_the_newest_value_counts() -> None:
    """A value that was produced earlier than the one we have is dropped, whenever it comes."""
    reader = Reader(config([QUEUE]))
    reader.put(h.WAITING, "q1", 5, 2000)
    reader.put(h.WAITING, "q1", 4, 1000)
    reader.put(h.WAITING, "q1", 6, "2000")
    key = 'queue_contacts_waiting{queue="Sales",media="all"}'
    assert reader.series()[key] == 6
    reader.put(h.WAITING, "q1", 7, None)
    assert reader.series()[key] == 7


def test_an_unchanged_store_returns_the_same_reading() -> None:
    """An unchanged store returns the same reading, which is not mapped again."""
    reader = Reader(config([QUEUE]))
    reader.put(h.WAITING, "q1", 5, 1)
    before = reader.store.reading()
    reader.put(h.WAITING, "q1", 5, 2)
    assert reader.store.reading() is before
    reader.put(h.WAITING, "q1", 6, 3)
    assert reader.store.reading() is not before


def test_what_cannot_be_opened_again_is_forgotten() -> None:
    """Reopening drops the values of statistics that were not opened."""
    reader = Reader(config([QUEUE]))
    reader.put(h.WAITING, "q1", 5)
    reader.put(h.WAITING, "q2", 6)
    reader.store.mark_all_closed()
    assert reader.series() == {}
    reader.store.mark_open(reader.number(h.WAITING, "q2"))
    reader.store.drop_unopened()
    assert list(reader.series()) == ['queue_contacts_waiting{queue="q2",media="all"}']
    reader.store.clear()
    assert reader.series() == {}


@given(
    st.lists(
        st.tuples(st.sampled_from(["q1", "q2"]), st.integers(0, 9), st.none() | st.integers(0, 50)),
        max_size=30,
    )
)
def test_in_any_order_the_newest_value_is_shown(updates: list[tuple[str, int, int | None]]) -> None:
    """In any order of arrival, the value produced last is stored."""
    reader = Reader(config([QUEUE]))
    newest: dict[str, int] = {}
    wanted: dict[str, int] = {}
    for identity, value, at in updates:
        reader.put(h.WAITING, identity, value, at)
        if at is None:
            wanted[identity] = value
        elif at >= newest.get(identity, at):
            wanted[identity] = value
            newest[identity] = at
    labels = {"q1": "Sales", "q2": "q2"}
    shown = {
        f'queue_contacts_waiting{{queue="{labels[identity]}",media="all"}}': value
        for identity, value in wanted.items()
    }
    assert reader.series() == shown


def test_every_statistic_has_a_figure() -> None:
    """Each built-in statistic's column is a figure, or makes one, in the table that it goes to."""
    objects = [
        {"type": kind, "ids": [kind]}
        for kind in ("Queue", "GroupAgents", "Agent", "Campaign", "CallingList")
    ]
    by_name = {table.name: table for table in tables.TABLES}

    def claimed(statistic: ObjectStatistic) -> bool:
        table = by_name[statistic.table]
        names = {getattr(figure, "header", "") for figure in table.figures} | set(table.ignored)
        return statistic.stat_type.header in names

    assert all(claimed(each) for each in statistics(config(objects, agents="id")))


def test_a_clock_that_steps_back_freezes_nothing() -> None:
    """A value stamped minutes before the stored one is the newer one by arrival."""
    reader = Reader(config([QUEUE]))
    now = 1_800_000_000_000
    reader.put(h.WAITING, "q1", 3, now)
    reader.put(h.WAITING, "q1", 40, now - 300_000)
    assert reader.series() == {'queue_contacts_waiting{queue="Sales",media="all"}': 40}
    reader.put(h.WAITING, "q1", 41, now - 299_000)
    assert reader.series() == {'queue_contacts_waiting{queue="Sales",media="all"}': 41}
    assert reader.outdated == 0
    assert reader.store.stepped_back


@pytest.mark.parametrize("ahead", [20.0, 86_400.0, 1e9, 1e30])
def test_one_stamp_in_the_future_blocks_nothing_for_long(ahead: float) -> None:
    """Values after one stamped in the future are stored, within the bound of overtaking."""
    reader = Reader(config([QUEUE]))
    now = 1_800_000_000_000.0
    reader.put(h.WAITING, "q1", 3, now + ahead * 1000)
    reader.clock.elapsed = 1
    reader.put(h.WAITING, "q1", 4, now + 1000)
    outdated = ahead < 30
    assert reader.outdated == outdated
    assert reader.store.stepped_back
    for value, elapsed in ((5, 25), (6, 31)):
        reader.clock.elapsed = elapsed
        reader.put(h.WAITING, "q1", value, now + 1000 * min(elapsed, ahead - 1))
    assert reader.series() == {'queue_contacts_waiting{queue="Sales",media="all"}': 6}


def test_an_overtaken_value_is_dropped_and_counted() -> None:
    """A value produced seconds before the stored one is dropped if it may have been overtaken."""
    reader = Reader(config([QUEUE]))
    now = 1_800_000_000_000
    reader.put(h.WAITING, "q1", 3, now)
    reader.put(h.WAITING, "q1", 2, now - 10_000)
    reader.put(h.WAITING, "q1", 2, now - 10_000)
    reader.put(h.WAITING, "q1", 3, now)
    assert reader.series() == {'queue_contacts_waiting{queue="Sales",media="all"}': 3}
    assert reader.outdated == 2
    reader.put(h.WAITING, "q1", 5)  # without a stamp
    reader.put(h.WAITING, "q1", 2, now - 10_000)
    assert reader.series() == {'queue_contacts_waiting{queue="Sales",media="all"}': 5}
    reader.clock.elapsed = 31
    reader.put(h.WAITING, "q1", 7, now - 1_000)
    assert reader.series() == {'queue_contacts_waiting{queue="Sales",media="all"}': 7}
