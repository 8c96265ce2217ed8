"""Tests from Voximplant's answers to rows and series: every layout, and odd cells."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import InvalidAnswer
from exporter.metrics.families import FAMILIES
from exporter.metrics.labels import AccountLabels
from exporter.metrics.mapping import map_reading
from exporter.metrics.reading import Reading, RefusedRow, Rows
from exporter.metrics.tables import Table
from exporter.providers.voximplant import rows as r
from exporter.providers.voximplant import tables as t
from exporter.providers.voximplant.answers import (
    ObjectsById,
    calls_of,
    distinct,
    merge_objects,
    records_of,
    to_id,
    utc_time,
)
from exporter.providers.voximplant.collector import feeds, reports_table
from exporter.providers.voximplant.config import VoximplantConfig


def stat(*samples: int) -> dict[str, int]:
    """Make a statistic as the vendor's sample has it: the mean is rounded down."""
    total = sum(samples)
    return {
        "min": min(samples),
        "avg": total // len(samples),
        "max": max(samples),
        "count": len(samples),
        "sum": total,
    }


# The sample on the reference page of GetACDOperatorStatusStatistics.
ELEVEN = {"READY": stat(151, 2496), "ONLINE": stat(14, 22, 267)}
TWELVE = {"READY": stat(1169), "ONLINE": stat(27, 2252)}
SAMPLE = [
    {
        "user_id": 487576,
        "statistics": [
            {"date": "2019-05-20", "hour": 11, "acd_status": ELEVEN},
            {"date": "2019-05-20", "hour": 12, "acd_status": TWELVE},
        ],
    }
]
LAYOUTS: dict[str, list[dict[str, Any]]] = {
    "hour by user": SAMPLE,
    "hour by aggregation": [
        {"date": "2019-05-20", "hour": 11, "statistics": [{"user_id": "487576", "acd_status": E}]}
        for E in (ELEVEN, TWELVE)
    ],
    "hour of day by user": [
        {
            "user_id": "487576",
            "statistics": [{"hour": 12, "acd_status": E} for E in (ELEVEN, TWELVE)],
        }
    ],
    "hour of day by aggregation": [
        {"hour": hour, "statistics": [{"user_id": 487576, "acd_status": E}]}
        for hour, E in enumerate((ELEVEN, TWELVE))
    ],
    "day by aggregation": [
        {"date": day, "statistics": [{"user_id": 487576, "acd_status": E}]}
        for day, E in (("2019-05-20", ELEVEN), ("2019-05-21", TWELVE))
    ],
    "array": [
        {
            "user_id": "487576",
            "statistics": [{"acd_status": [{k: v} for k, v in E.items()]}],
        }
        for E in (ELEVEN, TWELVE)
    ],
    "none by aggregation": [
        {"statistics": [{"user_id": 487576, "acd_status": E} for E in (ELEVEN, TWELVE)]}
    ],
    "no levels at all": [{"user_id": 487576, "acd_status": E} for E in (ELEVEN, TWELVE)],
}


@pytest.mark.parametrize("rows", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_every_layout_of_status_statistics_says_the_same(rows: list[dict[str, Any]]) -> None:
    """By user or by bucket, as object or as array, ids as numbers or as texts."""
    times = r.StatusTimes(rows, None)
    (mine,) = times.operators(lambda _: True)
    totals = {row["state"]: (row["seconds"], row["entries"]) for row in times.totals(bool)}

    assert mine["user_id"] == "487576"
    assert (mine["ready seconds"], mine["ready entries"]) == (3816, 3)
    assert (mine["not_ready seconds"], mine["not_ready entries"]) == (2582, 5)
    assert totals["ready"] == (3816, 3)
    assert totals["logged_out"] == (0, 0)
    assert "other" not in totals


def test_operators_without_a_status_have_zeros() -> None:
    """The platform leaves out zeros; a known operator without a record has zeros."""
    times = r.StatusTimes([], {"1": "Ada", "2": "Ben"})

    assert [row["user_display_name"] for row in times.operators(bool)] == ["Ada", "Ben"]
    assert {row["seconds"] for row in times.totals(bool)} == {0}
    assert r.StatusTimes([], None).totals(bool) == []
    assert r.StatusTimes([], {"1": "Ada"}).totals(lambda _: False) == []


def test_a_status_nobody_knows_is_other_and_is_told() -> None:
    """A new status word counts under other, and is a column that the table does not map."""
    rows = [{"user_id": 1, "acd_status": {"SIESTA": stat(60), "READY": stat(30)}}]
    times = r.StatusTimes(rows, None)
    grids = {
        t.STATUS_TOTALS.name: Rows.of(times.totals(bool)),
        t.OPERATOR_STATUS.name: Rows.of(times.operators(bool)),
    }
    tables = {table.name: table for table in t.FEED_TABLES["operator_status"]}
    base = {"provider": "voximplant", "account": "acme"}
    mapped = map_reading(Reading(grids), tables, AccountLabels(base), raw=False)

    assert mapped.schemas[t.OPERATOR_STATUS.name].unmapped["column"] == {
        "SIESTA seconds",
        "SIESTA entries",
    }
    series = mapped.series[FAMILIES["contactcenter_agents_state_seconds_total"]]
    shown = dict(zip(series.labels, series.values, strict=True))
    assert shown[b'{provider="voximplant",account="acme",state="other"} '] == 60


@pytest.mark.parametrize(
    "rows",
    [
        [{"acd_status": {"READY": stat(1)}}],
        [{"user_id": True, "acd_status": {}}],
        [{"user_id": 1, "acd_status": {"READY": {"avg": 5}}}],
        [{"user_id": 1, "acd_status": {"READY": {"sum": "x", "count": 1}}}],
        [{"user_id": 1, "acd_status": {"READY": 5}}],
        [{"user_id": 1, "acd_status": "READY"}],
        [{"user_id": 1, "statistics": {"acd_status": {}}}],
        [{"user_id": 1, "statistics": ["x"]}],
    ],
)
def test_statistics_that_would_make_sums_wrong_are_refused(rows: list[dict[str, Any]]) -> None:
    """A record without user, sum or number makes the whole answer invalid."""
    with pytest.raises(InvalidAnswer):
        r.StatusTimes(rows, None)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                (
                    *("user_id", "statistics", "acd_status", "READY", "sum", "count", "TC"),
                    *("AC", "SL", "waiting_calls", "sq_agents", "sq_statuses", "tasks"),
                    *("HT", "groups", "values"),
                )
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
objects = st.lists(
    st.dictionaries(st.text(max_size=3), json_values)
    | st.fixed_dictionaries({"user_id": json_values, "statistics": json_values}),
    max_size=3,
)


@pytest.mark.fuzz
@given(objects)
def test_odd_answers_are_invalid_and_nothing_worse(rows: list[dict[str, Any]]) -> None:
    """Any answer becomes rows of cells or InvalidAnswer."""
    makers = (
        lambda: r.StatusTimes(rows, {"1": "x"}).operators(bool),
        lambda: r.operator_rows(rows, None),
        lambda: [r.queue_row(rows)],
        lambda: [r.acd_state_row(row) for row in rows],
        lambda: [r.smartqueue_row(row) for row in rows],
        lambda: [{"value": row[2]} for row in r.report_values(rows, 1.0)],
    )
    for make in makers:
        try:
            made = make()
        except InvalidAnswer:
            continue
        for row in made:
            assert all(
                value is None or isinstance(value, str | int | float) for value in row.values()
            )


def test_operator_statistics_of_the_vendors_sample() -> None:
    """Days are added up; ids and keys may have either spelling; no work is no time of it."""
    rows = [
        {
            "user_id": 1768,
            "statistics": [
                {"date": "2021-04-08", "TT": stat(31, 740), "AC": 18},
                {"date": "2021-04-09", "TalkTime": stat(34, 1089), "AnsweredCalls": 29},
            ],
        }
    ]
    mine, idle = r.operator_rows(rows, {"1768": "Ada", "9": "Ben"})

    assert mine["AC"] == 47
    assert mine["TTT"] == 31 + 740 + 34 + 1089
    assert mine["TACW"] == 0
    assert mine["TDT"] is None
    assert idle == {
        "user_id": "9",
        "user_display_name": "Ben",
        **dict.fromkeys(("AC", "UAC", "TDT", "TTT", "THT", "TACW"), 0),
    }


QUEUE_DAY = {
    "date": "2026-11-20",
    "WT": stat(1, 90, 609),
    "AT": stat(60),
    "HT": stat(100, 200),
    "TT": stat(80, 150),
    "TC": 4,
    "AC": [{"count": 2, "percent": 50}],
    "UAC": [{"count": 1, "percent": 25}],
    "RC": {"count": 1, "percent": 0.25},
    "SL": [
        {"acceptable_waiting_time": 60, "call_count": 2, "service_level": 1},
        {"acceptable_waiting_time": 20, "call_count": 1, "service_level": 0.5},
    ],
}


def test_queue_statistics_are_counts_and_sums() -> None:
    """Means, shares and scales that nobody documents are not used."""
    assert r.queue_row([QUEUE_DAY]) == {
        "TC": 4,
        "AC": 2,
        "UAC": 1,
        "RC": 1,
        "HT count": 2,
        "HT sum": 300,
        "TT sum": 230,
        "WT sum": 700,
        "AT sum": 60,
        "WT sum less AT sum": 640,
        "SL acceptable_waiting_time": 20,
        "SL call_count": 1,
    }


def test_the_wait_of_answered_calls_is_told_only_if_it_is_certain() -> None:
    """If the platform counts other calls in one sum than in the other, there is no difference."""
    found = r.queue_row([{**QUEUE_DAY, "AT": stat(60, 0)}])

    assert found["WT sum less AT sum"] is None
    assert found["WT sum"] == 700


@pytest.mark.parametrize("rows", [[], [{"TC": 0}], [{"TotalCalls": 0, "HT": stat(0)}]])
def test_a_queue_without_calls_has_zeros(rows: list[dict[str, Any]]) -> None:
    """No record means no call: the totals of the day are zero, not unknown."""
    found = r.queue_row(rows)

    assert {found[name] for name in ("TC", "AC", "UAC", "RC", "WT sum", "HT sum")} == {0}


def test_totals_stand_in_for_sums() -> None:
    """Where a statistic is not sent, its total of the same meaning is taken."""
    found = r.queue_row([{"TC": 1, "AC": 1, "TWT": 9, "TotalHandlingTime": "30"}])

    assert (found["WT sum"], found["HT sum"], found["TT sum"]) == (9, 30, None)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [(3, 3), ("3", 3), ({"count": 3}, 3), ([{"count": 3}], 3), ([], 0), (None, None)],
)
def test_counts_come_in_four_shapes(value: object, wanted: int | None) -> None:
    """A number, an object with its share, a list of such, nothing."""
    assert calls_of(value) == wanted


def test_the_state_of_a_queue_counts_and_never_names() -> None:
    """Waits are in seconds, the prediction is in minutes, and callers are left out."""
    call = {"callerid": "15551234567", "begin_time": "2026-11-20 10:00:00"}
    queue = {
        "acd_queue_id": 7,
        "ready_operators_count": 2,
        "after_service_operator_count": 0,
        "locked_operators_count": 1,
        "servicing_calls": [call],
        "waiting_calls": [
            {**call, "waiting_time": 5, "minutes_to_submit": 1},
            {**call, "waiting_time": 41, "minutes_to_submit": 3},
        ],
    }

    assert r.acd_state_row(queue) == {
        "waiting_calls": 2,
        "servicing_calls": 1,
        "longest waiting_time": 41,
        "longest minutes_to_submit": 180,
        "ready_operators_count": 2,
        "after_service_operator_count": 0,
        "locked_operators_count": 1,
    }


def test_what_the_state_does_not_tell_is_not_shown() -> None:
    """A missing list is no count of zero, a missing wait leaves the longest one open."""
    nothing = r.acd_state_row({"acd_queue_id": 7})
    partly = r.acd_state_row({"waiting_calls": [{}], "servicing_calls": []})

    assert set(nothing.values()) == {None}
    assert partly["waiting_calls"] == 1
    assert partly["longest waiting_time"] is None
    assert partly["servicing_calls"] == 0


@pytest.mark.parametrize("in_list", [True, False])
def test_a_smartqueue_agent_counts_once_and_in_each_channel(*, in_list: bool) -> None:
    """Statuses may be an object or a list; an agent is counted in its busiest state."""
    statuses = {
        "CALL": {"sq_status_name": "READY"},
        "IM": {"sq_status_name": "IN_SERVICE"},
    }
    agents = [
        {"user_id": 1, "sq_statuses": [statuses] if in_list else statuses},
        {"user_id": 2, "sq_statuses": [{"CALL": {"sq_status_name": "CUSTOM_10"}}]},
        {"user_id": 3, "sq_statuses": {"CALL": {"sq_status_name": "SIESTA"}}},
        {"user_id": 4},
    ]
    found = r.smartqueue_row({"sq_agents": agents, "tasks": []})
    counts = {name: value for name, value in found.items() if value}

    assert counts == {
        "agents on_contact": 1,
        "agents not_ready": 1,
        "agents other": 1,
        "CALL agents ready": 1,
        "CALL agents not_ready": 1,
        "CALL agents other": 1,
        "CALL agents SIESTA": 1,
        "IM agents on_contact": 1,
    }


def test_smartqueue_tasks_are_counted_by_channel_and_state() -> None:
    """A distributed task still waits; times are milliseconds; unknown words stay visible."""
    tasks = [
        {"task_type": "CALL", "status": "IN_QUEUE", "waiting_time": 1500, "custom_data": "x"},
        {"task_type": "CALL", "status": "DISTRIBUTED", "waiting_time": 2500},
        {"task_type": "IM", "status": "IN_PROCESSING", "waiting_time": 99_000},
        {"task_type": "FAX", "status": "IN_QUEUE", "waiting_time": 1},
    ]
    found = r.smartqueue_row({"sq_agents": [], "tasks": tasks})

    assert (found["CALL waiting"], found["CALL longest waiting_time"]) == (2, 2.5)
    assert (found["IM active"], found["IM longest waiting_time"]) == (1, 0)
    assert found["FAX waiting"] == 1


def test_reports_give_their_latest_value_and_times_are_scaled() -> None:
    """Of several intervals the last one; only what is a time is scaled; null is nothing."""

    def report(name: str, *values: object) -> dict[str, Any]:
        return {
            "report_type": name,
            "groups": [
                {
                    "sq_queue_id": 5,
                    "values": [
                        {"to_date": f"2026-11-20 10:{minute:02}:00", "value": value}
                        for minute, value in enumerate(values)
                    ],
                }
            ],
        }

    rows = [
        report("max_time_in_queue", 1000, 2000),
        report("count_handled_calls", 7),
        report("service_level", None),
        report("average_answer_speed"),
    ]

    assert list(r.report_values(rows, 0.001)) == [
        ("5", "max_time_in_queue", 2),
        ("5", "count_handled_calls", 7),
    ]


def account(**options: Any) -> VoximplantConfig:
    return VoximplantConfig.model_validate({"name": "acme", "provider": "voximplant", **options})


def test_a_report_of_times_is_no_counter() -> None:
    """A report that is mapped to a total of time has a gauge: reports cover the last 30 minutes."""
    mapping = {"metric": "queue_talk_seconds_total", "labels": {"media": "voice"}}
    config = account(smartqueue={}, statistics={"sum_talk_time": mapping})
    family = reports_table(config).figures[-1].family

    assert family.name == "contactcenter_queue_talk_in_window_seconds"
    assert family.labels == ("queue", "media", "window")


def test_reports_are_raw_unless_they_are_mapped() -> None:
    """A mapped report has its own family, over the window that reports cover."""
    config = account(
        smartqueue={"reports": ["service_level", "count_abandonment_calls"]},
        statistics={
            "count_abandonment_calls": {
                "metric": "queue_contacts_abandoned_total",
                "labels": {"media": "voice"},
            }
        },
    )
    grid = Rows.of([{"queue": "Sales", "service_level": 0.8, "count_abandonment_calls": 3}])
    table = reports_table(config)
    base = {"provider": "voximplant", "account": "acme"}
    mapped = map_reading(
        Reading({table.name: grid}), {table.name: table}, AccountLabels(base), raw=True
    )
    lines = {
        family.name + series.labels[0].decode(): series.values[0]
        for family, series in mapped.series.items()
    }
    start = 'provider="voximplant",account="acme"'

    assert lines == {
        f'contactcenter_queue_contacts_abandoned_in_window{{{start},queue="Sales",media="voice",'
        'window="30m"} ': 3,
        f'contactcenter_raw_value{{{start},table="smartqueue_reports",object="Sales",'
        'column="service_level"} ': 0.8,
    }
    assert mapped.schemas[table.name].unmapped["column"] == set()


def test_totals_restart_with_the_day_of_the_accounts_zone() -> None:
    """The tables of statistics know the period, the others have none."""
    config = account(time_zone="America/New_York")
    periods = {feed.name: {table.period for table in feed.tables} for feed in feeds(config)}

    assert periods["operator_status"] == {config.period}
    assert config.period.zone.key == "America/New_York"
    assert periods["state"] == {None}


def every_table() -> list[Table]:
    return [table for tables in t.FEED_TABLES.values() for table in tables]


def test_states_are_mapped_as_the_vocabulary_says() -> None:
    """All eight statuses of ACD v1, and those that SmartQueue has besides."""
    assert {
        word: t.ACD_STATUS.words[word.lower().replace("_", "")]
        for word in (
            "READY",
            "OFFLINE",
            "IN_SERVICE",
            "AFTER_SERVICE",
            "ONLINE",
            "BANNED",
            "TIMEOUT",
            "DND",
        )
    } == {
        "READY": "ready",
        "OFFLINE": "logged_out",
        "IN_SERVICE": "on_contact",
        "AFTER_SERVICE": "after_contact_work",
        "ONLINE": "not_ready",
        "BANNED": "not_ready",
        "TIMEOUT": "not_ready",
        "DND": "not_ready",
    }
    assert t.SMARTQUEUE_STATUS.words["dialing"] == "ringing"
    assert t.SMARTQUEUE_STATUS.words["custom10"] == "not_ready"


def test_every_feed_has_tables_named_after_it() -> None:
    """A table is called as its feed, or as its feed and a part of it."""
    assert set(t.FEED_TABLES) == set(VoximplantConfig.INTERVALS)
    assert all(
        table.name.partition(".")[0] == feed
        for feed, tables in t.FEED_TABLES.items()
        for table in tables
    )
    assert len({table.name for table in every_table()}) == len(every_table())


@given(st.integers() | st.text() | st.none() | st.booleans() | st.floats())
def test_an_id_is_a_text(value: object) -> None:
    """Numbers and texts are ids, nothing else is."""
    found = to_id(value)

    assert isinstance(found, str)
    assert found == found.strip()
    if isinstance(value, int) and not isinstance(value, bool):
        assert found == str(value)


def test_objects_may_come_in_parts() -> None:
    """A list of objects with one key each is one object."""
    assert (
        merge_objects([{"a": 1}, {"b": 2}]) == merge_objects({"a": 1, "b": 2}) == {"a": 1, "b": 2}
    )
    assert merge_objects(None) == {}


def test_records_take_user_and_bucket_from_either_level() -> None:
    """The inner level wins where both say something."""
    rows = [{"date": "d", "user_id": 1, "statistics": [{"hour": 2, "TalkTime": 3}]}]

    assert list(records_of(rows)) == [{"date": "d", "user_id": 1, "hour": 2, "TT": 3}]


def test_dates_are_utc() -> None:
    """The platform writes no zone: ACD v1 is in UTC."""
    assert utc_time("2026-03-02 12:00:00") == 1_772_452_800
    for wrong in ("", "yesterday", 5, "2026-03-02 12:00:00+02:00"):
        with pytest.raises(ValueError, match=r"isoformat|date|zone"):
            utc_time(wrong)


def test_rows_by_id() -> None:
    """Rows that come twice are counted, rows without an id refused; values have names."""
    rows = [{"id": 1, "a": 1}, {"id": "1", "a": 2}, {"a": 3}, {"id": 2}, {"id": 3}, {"id": 2}]
    objects = ObjectsById(rows, "id")
    assert objects == {"1": rows[0], "2": rows[3], "3": rows[4]}
    assert objects.repeated == 2
    assert objects.refused == [RefusedRow(3, 1, "no id")]
    with pytest.raises(InvalidAnswer, match="2 of 3 rows were refused"):
        ObjectsById([{"id": None}, {}, {"id": 1}], "id")


def test_objects_that_come_twice() -> None:
    """Of objects with one id the first stays, as do objects without an id."""
    agents = [{"id": 1, "a": 1}, {"a": 2}, {"id": "1"}, {"a": 3}, {"id": 2}]
    assert distinct(agents, "id") == [agents[0], agents[1], agents[3], agents[4]]


@pytest.mark.parametrize(
    ("queue", "unreadable"),
    [
        (
            {"tasks": [{"task_type": "CALL", "status": "IN_QUE\ufffdE", "waiting_time": 1}]},
            "waiting",
        ),
        (
            {"tasks": [{"task_type": "CA\ufffdL", "status": "IN_QUEUE", "waiting_time": 1}]},
            "waiting",
        ),
        ({"tasks": [{"task_type": "CALL", "status": "IN_QUEUE", "waiting_time": "x"}]}, "waiting"),
        (
            {"sq_agents": [{"sq_statuses": {"CALL": {"sq_status_name": "RE\ufffdDY"}}}]},
            "agents ready",
        ),
    ],
)
def test_words_with_a_replaced_character(queue: Any, unreadable: str) -> None:
    """What a word sorts would be counted wrong: these cells are rejected, no others."""
    whole = {"sq_agents": [], "tasks": []}
    cells = r.smartqueue_row({**whole, **queue})
    assert cells[f"CALL {unreadable}"] == r.UNREADABLE
    assert cells[f"IM {unreadable}"] == r.UNREADABLE
    others = "tasks" if "sq_agents" in queue else "sq_agents"
    assert r.smartqueue_row({others: []}).items() <= cells.items()
    assert cells.keys() == r.smartqueue_row(whole).keys()


@pytest.mark.parametrize("wait", ["x", "5\ufffd", [5], {}])
def test_an_unreadable_wait_costs_only_itself(wait: Any) -> None:
    """The number of waiting calls of the queue is known all the same."""
    call = {"waiting_time": wait, "minutes_to_submit": wait}
    cells = r.acd_state_row({"waiting_calls": [call, call], "servicing_calls": [{}]})
    assert (cells["waiting_calls"], cells["servicing_calls"]) == (2, 1)
    assert cells["longest waiting_time"] == cells["longest minutes_to_submit"] == r.UNREADABLE
