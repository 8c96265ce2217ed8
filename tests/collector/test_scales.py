"""Tests that the numbers of its rows prove the scale of a share, and never the wrong one."""

import logging
import math
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from exporter.collector.scales import Bound, ShareScales
from exporter.config.columns import ColumnConfig, add_columns
from exporter.logs import get_log
from exporter.metrics.labels import AccountLabels
from exporter.metrics.mapping import map_reading
from exporter.metrics.parsers import Cell, Parser
from exporter.metrics.period import Period
from exporter.metrics.reading import Reading, Rows
from exporter.metrics.tables import Column, Table
from exporter.providers.brightpattern import tables as bp
from exporter.providers.five9 import tables as five9
from exporter.providers.genesys import tables as genesys

RATIO = "in_calls_abandoned_in_queue_ratio_per_day"
COUNT = "in_calls_abandoned_in_queue_per_day"
RECEIVED = "in_calls_received_per_day"
CAMPAIGNS = five9.STATISTICS["InboundCampaignStatistics"]
SCALES = {**bp.SCALES, genesys.percentage: None}
Row = Mapping[str, Cell]


def ratios() -> tuple[Column, ...]:
    """Return the columns of all ratios of services."""
    columns = (figure for figure in bp.SERVICES.figures if isinstance(figure, Column))
    return tuple(column for column in columns if column.header in bp.RATIOS)


def with_parser(parse: Parser) -> Table:
    """Return the table of services with a configured scale of all ratios."""
    return bp.SERVICES.extended(tuple(replace(column, parse=parse) for column in ratios()))


def with_totals() -> Table:
    """Return the table of totals with all ratios that it can have."""
    own = {
        name: ColumnConfig(metric=f"custom_{name}_ratio", parse="share")
        for name in bp.RATIOS
        if (bp.TOTALS.name, name) in bp.BOUNDS
    }
    return add_columns(bp.TOTALS, own, bp.RATIOS)


class Reader:
    """Readings of one table by a clock."""

    def __init__(self, table: Table = bp.SERVICES) -> None:
        self.table = table.over(Period("day"))
        bounds: dict[tuple[str, str], Bound] = {**bp.BOUNDS, **five9.BOUNDS}
        self.scales = ShareScales([self.table], get_log("scales"), bounds=bounds, parsers=SCALES)
        self.now = 0.0

    def read(self, *rows: Row, after: float = 5.0) -> dict[str, list[float]]:
        """Return the values of each family, in the order of the rows."""
        self.now += after
        keys = [key.header for key in self.table.key]
        cells: list[dict[str, Cell]] = [
            {**dict.fromkeys(keys, f"q{number}"), **row} for number, row in enumerate(rows)
        ]
        reading = self.scales.convert(Reading({self.table.name: Rows.of(cells)}), self.now)
        labels = AccountLabels(base={"a": "b"}, agents="id")
        mapped = map_reading(reading, {self.table.name: self.table}, labels, raw=False)
        return {
            family.name.removeprefix("contactcenter_"): [*series.values]
            for family, series in mapped.series.items()
            if series.values
        }

    def shares(self, *rows: Row, after: float = 5.0) -> list[float]:
        """Return the values of all ratios."""
        families = self.read(*rows, after=after)
        return [x for name, values in families.items() if name.endswith("_ratio") for x in values]

    def prove(self, *rows: Row) -> list[float]:
        """Return the ratios after some readings of the same rows."""
        for _ in range(2):
            self.shares(*rows)
        return self.shares(*rows)


def row(value: Cell, count: Cell = None, received: Cell = None) -> Row:
    return {RATIO: value, COUNT: count, RECEIVED: received}


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "scales")
    return caplog


# Proofs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["12.5", 12.5, " 12.5 "])
def test_a_value_above_1_proves_per_cent(cell: Cell) -> None:
    """The proof is valid at once and for every row of the column."""
    assert Reader().shares(row(cell), row("1"), row("0.5"), row("0")) == [0.125, 0.01, 0.005, 0]


def test_counts_prove_a_fraction() -> None:
    """Five of forty are 0.125, not 0.125 %; the row has to show it for some seconds."""
    reader = Reader()
    assert [reader.shares(row("0.125", "5", "40"), row("1", "", "9")) for _ in range(3)] == [
        [],
        [],
        [0.125, 1],
    ]


@pytest.mark.parametrize(
    "rows",
    [
        [row("0.5")],
        [row("1")],
        [row("1", "10", "1000")],  # of a thousand: 1 %, and 1 is above any true fraction
        [row("0.9", "5", "555")],  # 0.9 %
        [row("0.5", "0", "10")],  # no contact was abandoned
        [row("0.5", "3", "0")],  # nobody called
        [row("0.5", "9", "2")],  # more abandoned than received
        [row("1.5", "3", "2")],  # the same, shown as a fraction
        [row("0.1", "9", "10")],  # neither
        [row("0.5", "5", "n/a")],
    ],
)
def test_what_proves_nothing(rows: list[Row]) -> None:
    """Such values are left out, however often they come."""
    assert Reader().prove(*rows) == []


@pytest.mark.parametrize("cell", ["0", 0, "0.0", "40%"])
def test_what_needs_no_proof(cell: Cell) -> None:
    """Zero is the same on both scales, and a percent sign is the scale; neither proves anything."""
    reader = Reader()
    expected = 0.4 if cell == "40%" else 0
    assert reader.prove(row(cell, "4", "10"), row("0.4", "", "")) == [expected]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"service_level": "0.9", RECEIVED: "20"}, [0.9]),  # of 20 no share is 0.9 %
        ({"service_level": "0.9", RECEIVED: "2000"}, []),
        (
            {
                "service_level": "0.9",
                RECEIVED: "2000",
                "in_calls_handled_per_day": "1800",
                COUNT: "100",
                "in_average_speed_of_answer": "8",
                "service_level_threshold_time": "20",
            },
            [0.9],
        ),
        (
            {
                "service_level": "0.9",
                RECEIVED: "2000",
                "in_calls_handled_per_day": "1800",
                COUNT: "100",
                "in_average_speed_of_answer": "60",  # hardly anybody within the threshold
                "service_level_threshold_time": "20",
            },
            [],
        ),
        ({"service_level_target": "0.8"}, [0.8]),
        ({"service_level_target": "1"}, []),
        ({"service_level_target": "80"}, [0.8]),
        ({"in_calls_abandoned_percent_per_day": "0.2", COUNT: "0", RECEIVED: "10"}, [0.2]),
        ({"in_calls_abandoned_percent_per_day": "0.2", COUNT: "1", RECEIVED: "900"}, []),
    ],
)
def test_proofs_of_each_ratio(cells: Row, expected: list[float]) -> None:
    """Each ratio has the proofs that its definition allows."""
    assert Reader().prove(cells) == expected


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"Abandon Call Rate": "0.125", "Calls Abandoned": "5", "Calls Connected": "35"}, [0.125]),
        ({"Abandon Call Rate": "12.5", "Calls Abandoned": "5", "Calls Connected": "35"}, [0.125]),
        (
            {
                "Abandon Call Rate": "0.5",  # per cent of all calls, most ended in the IVR
                "Calls Abandoned": "5",
                "Calls Connected": "35",
                "Total Calls": "1000",
            },
            [],
        ),
        ({"abandonCallRate": "0.2", "abandonedCallsCount": "1", "totalCallsCount": "5"}, [0.2]),
        ({"Service Level Queue": "0.75", "Total Calls": "20"}, [0.75]),
        ({"Service Level Queue": "0.75", "Total Calls": "2000"}, []),
        ({"Service Level Queue": "75"}, [0.75]),
        ({"Service Level Talk": "1", "Total Calls": "3"}, [1]),
    ],
)
def test_proofs_of_campaigns(cells: Row, expected: list[float]) -> None:
    """The counts of the row are found under every name that the table knows."""
    assert Reader(CAMPAIGNS).prove(cells) == expected


@pytest.mark.parametrize(
    ("share", "calls", "mean", "login", "expected"),
    [
        ("42.5", "10", "153000", "3600000", [0.425]),
        ("0.425", "10", "153000", "3600000", []),
        ("12", "1", "720000", "60000", []),  # a call that began before midnight
        ("42.5", "", "", "", []),
    ],
)
def test_proofs_of_agents(
    share: str, calls: str, mean: str, login: str, expected: list[float]
) -> None:
    """An agent's share of time can be above 1, where a call is longer than the login of the day."""
    cells = {"Total Calls": calls, "Avg Handle Time": mean, "Login Time": login}
    assert Reader(five9.AGENT_STATISTICS).prove({**cells, "Utilization": share}) == expected


def test_a_fraction_is_not_shown_as_a_percentage() -> None:
    """A share that is published as a percentage is left out until it is proven to be one."""
    reader = Reader(genesys.SERVICE_LEVELS)
    assert reader.prove({genesys.SERVICE_LEVEL: "0.9"}) == []
    rows = [{genesys.SERVICE_LEVEL: cell} for cell in ("0.5", "93.5")]
    assert reader.shares(*rows) == [0.005, 0.935]
    assert reader.shares({genesys.SERVICE_LEVEL: "150"}) == []


# Numbers of different instants ----------------------------------------------------------------


def test_a_value_older_than_a_restart_of_its_counts() -> None:
    """0.5 % of yesterday is no fraction of today's two calls, however long it stands."""
    reader = Reader()
    assert reader.shares(row("0.5", "5", "1000")) == []
    for _ in range(100):
        assert reader.shares(row("0.5", "1", "2")) == []
    assert reader.shares(row("50", "1", "2")) == [0.5]


def test_a_row_that_shows_a_fraction_for_a_moment() -> None:
    """A row has to show a fraction for some seconds without a break."""
    reader = Reader()
    for _ in range(10):
        assert reader.shares(row("0.5", "20", "40")) == []
        assert reader.shares(row("0.5", "20", "4000")) == []


def test_rows_that_contradict_each_other() -> None:
    """One odd value among fractions proves nothing, and nothing is shown beside it."""
    reader = Reader()
    fractions = [row("0.5", "20", "40"), row("0.25", "5", "20")]
    assert reader.shares(*fractions, row("17")) == []
    assert reader.prove(*fractions) == [0.5, 0.25]
    assert reader.shares(*fractions, row("17")) == []
    assert reader.shares(*fractions) == [0.5, 0.25]


def test_a_contradiction_withdraws_the_proof(log: pytest.LogCaptureFixture) -> None:
    """The share is left out for an hour without the contrary; after a second time for good."""
    reader = Reader()
    assert reader.prove(row("0.5", "20", "40")) == [0.5]
    assert reader.shares(row("50", "20", "40")) == []
    assert reader.shares(row("50", "20", "40"), after=3500) == []
    assert reader.shares(row("50", "20", "40"), after=200) == [0.5]
    assert reader.prove(row("0.5", "20", "40")) == []
    assert reader.shares(row("50", "20", "40"), after=1e6) == []
    assert reader.shares(row("50", "20", "40"), after=1e6) == []
    messages = [record.getMessage() for record in log.records]
    proven, contradicted = "scale of a share proven", "scale of a share contradicted"
    assert [message.partition(";")[0] for message in messages] == [
        proven,
        contradicted,
        proven,
        contradicted,
    ]


def test_a_proof_is_logged_once(log: pytest.LogCaptureFixture) -> None:
    """The line names table, statistic, scale and proof."""
    reader = Reader()
    for _ in range(5):
        reader.shares(row("12.5"))
    assert [record.__dict__["fields"] for record in log.records] == [
        {
            "table": "subscription.services",
            "statistic": RATIO,
            "scale": "percent",
            "proof": "value above 1",
        }
    ]


# Configured scales ----------------------------------------------------------------------------


def test_a_configured_scale_needs_no_proof() -> None:
    """It is valid at once, and the share is left out while its rows show the contrary."""
    reader = Reader(with_parser(bp.fraction_share))
    assert reader.shares(row("0.5")) == [0.5]
    assert list(reader.scales.hints("")) == []
    assert reader.shares(row("0.5"), row("17")) == []
    assert "configured as fraction, but its rows show percent" in "".join(reader.scales.hints(""))
    assert reader.shares(row("0.5")) == []


def test_a_configured_percentage_that_is_a_fraction(log: pytest.LogCaptureFixture) -> None:
    """What would be wrong by 100 is not shown for a moment, and the setting is named once."""
    reader = Reader(with_parser(bp.percent_share))
    assert reader.shares(row("0.4", "", "2000")) == [0.004]
    for _ in range(9):
        assert reader.shares(row("0.5", "20", "40")) == []
    (record,) = log.records
    assert record.getMessage().startswith("configured scale of a share disproved")
    assert "configured as percent" in "".join(reader.scales.hints(""))


def test_hints_name_what_is_left_out() -> None:
    """A share that waits for its proof is named with what to do; one that is proven is not."""
    reader = Reader()
    reader.shares(row("0.5"))
    (hint,) = reader.scales.hints("set it")
    assert RATIO in hint
    assert hint.endswith("set it")
    reader.shares(row("50"))
    assert list(reader.scales.hints("set it")) == []


def test_an_unchanged_reading_stays_the_same_object() -> None:
    """A platform that hands out one reading again costs no mapping."""
    scales = Reader().scales
    reading = Reading({bp.SERVICES.name: Rows.of([{bp.NAME: "a", **row("50")}])})
    assert scales.convert(reading, 0) is scales.convert(reading, 1)
    other = Reading({"subscription.agents": Rows.of([])})
    assert scales.convert(other, 2) is other


# Property: never the wrong scale --------------------------------------------------------------


@st.composite
def true_rows(draw: st.DrawFn) -> tuple[str, float, dict[str, Cell]]:
    """Draw a ratio, its true value, and the counts of its row."""
    received = draw(st.integers(1, 3000))
    lost = draw(st.integers(0, received))
    short = draw(st.integers(0, received - lost))
    answered = draw(st.integers(0, received - lost - short))
    waits = draw(st.lists(st.integers(0, 200), min_size=1, max_size=20))
    within = sum(wait <= 20 for wait in waits) * answered // len(waits)
    counts: dict[str, Cell] = {
        RECEIVED: str(received),
        COUNT: str(lost),
        "in_calls_short_abandoned_in_queue_per_day": str(short),
        "service_level_threshold_time": "20",
    }
    if answered % len(waits) == 0:
        counts["in_average_speed_of_answer"] = str(sum(waits) / len(waits))
        counts["in_calls_handled_per_day"] = str(answered)
    # The denominator of the abandoned shares is not documented: any part of the received.
    whole = draw(st.integers(max(lost + short, 1), received))
    shares = {
        RATIO: lost / whole,
        "in_calls_short_abandoned_in_queue_ratio_per_day": short / whole,
        "in_calls_abandoned_percent_per_day": (lost + short) / whole,
        "service_level": within / (answered + lost) if answered + lost else 0.0,
    }
    name = draw(st.sampled_from(sorted(shares)))
    return name, shares[name], counts


@given(
    st.lists(true_rows(), min_size=1, max_size=4),
    st.sampled_from([1, 100]),
    st.integers(0, 6),
    st.sampled_from([round, math.floor]),
    st.sampled_from([bp.SERVICES, with_totals()]),
)
def test_the_wrong_scale_is_never_proven(
    drawn: list[tuple[str, float, dict[str, Cell]]],
    factor: int,
    digits: int,
    shorten: object,
    table: Table,
) -> None:
    """Whatever is rounded or cut off: each share shown is the true one, within its digits."""
    assert callable(shorten)
    if not table.key:  # one row
        drawn = drawn[:1]
    reader = Reader(table)
    rows = []
    truth = []
    for name, share, counts in drawn:
        written = shorten(share * factor * 10**digits) / 10**digits
        assume(written == 0 or written <= 2 * share * factor <= 4 * written)
        rows.append({**counts, name: repr(written)})
        truth.append(written / factor)
    shown = reader.prove(*rows)
    for value in shown:
        assert any(math.isclose(value, true, rel_tol=1e-9) for true in truth), (value, rows)
