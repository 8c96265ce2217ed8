import pytest

from exporter.metrics import families as f
from exporter.metrics.labels import AccountLabels, AgentMode
from exporter.metrics.mapping import Mapped, map_reading
from exporter.metrics.parsers import Cell
from exporter.metrics.period import Period
from exporter.metrics.reading import Reading, Rows
from exporter.metrics.tables import Column, Spread, State, Table, normalise
from exporter.providers.five9.tables import (
    ACD_STATUS,
    AGENT,
    AGENT_STATE,
    AGENT_STATISTICS,
    CAMPAIGN,
    CAMPAIGN_STATE,
    LICENSES,
    OUTBOUND_CAMPAIGN_MANAGER,
    RUNNING,
    STATISTICS,
    TABLES,
)


def read(
    table: Table,
    row: dict[str, Cell],
    *,
    agents: AgentMode = "id",
    window: str = "day",
    spread: tuple[str, ...] = (),
) -> Mapped:
    rows = Rows(list(row), [list(row.values())], {"dispositions": frozenset(spread)})
    tables = {table.name: table.over(Period(window))}
    return map_reading(
        Reading({table.name: rows}), tables, AccountLabels(base={"a": "b"}, agents=agents), raw=True
    )


def series(mapped: Mapped) -> dict[str, float]:
    """Return every series by its name and own labels."""
    return {
        family.name.removeprefix("contactcenter_")
        + label.decode().replace('{a="b",', "{").replace('{a="b"}', "").strip(): value
        for family, found in mapped.series.items()
        for label, value in zip(found.labels, found.values, strict=True)
    }


def test_the_eight_statistic_types() -> None:
    """There is a table for each of the eight statistic types, under the platform's name."""
    assert set(STATISTICS) == {
        "AgentState",
        "AgentStatistics",
        "ACDStatus",
        "CampaignState",
        "OutboundCampaignManager",
        "OutboundCampaignStatistics",
        "InboundCampaignStatistics",
        "AutodialCampaignStatistics",
    }
    assert [name for name, table in STATISTICS.items() if name != table.name] == []


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_figures_do_not_meet(table: Table) -> None:
    """No two columns of a table make the same series."""
    made = [
        (figure.family.name, *sorted(figure.labels.items()))
        for figure in table.figures
        if isinstance(figure, Column)
    ]

    assert len(made) == len(set(made))


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
@pytest.mark.parametrize("window", ["day", "shift", "lifetime", "rolling_hour", "30m"])
def test_every_table_over_every_period(table: Table, window: str) -> None:
    """Over any period a table has as many figures, and counters only where it restarts."""
    over = table.over(Period(window))
    kinds = {figure.family.kind for figure in over.figures}

    assert len(table.figures) == len(over.figures)
    assert "counter" not in kinds or not Period(window).slides


@pytest.mark.parametrize("name", list(RUNNING))
def test_running_durations_are_known(name: str) -> None:
    """Every running duration is a header that its table maps or leaves out on purpose."""
    table = STATISTICS[name]
    headers = [figure.header for figure in table.figures if not isinstance(figure, Spread)]
    known = {normalise(header) for header in (*headers, *table.ignored)}

    assert {normalise(header) for header in RUNNING[name]} <= known


def test_customers_are_private() -> None:
    """The column that names a caller is never exported, not even raw."""
    row = {"Username": "jo", "State": "On Call", "Customer": "4155550100", "News": "1"}
    found = series(read(AGENT_STATE, row))

    assert "Customer" in AGENT_STATE.private
    assert not [key for key in found if "4155550100" in key or "Customer" in key]
    assert found['raw_value{table="AgentState",object="jo",column="News"}'] == 1


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("Ready", "ready"),
        ("READY", "ready"),
        ("Not Ready", "not_ready"),
        ("NOT_READY", "not_ready"),
        ("Ringing", "ringing"),
        ("On Call", "on_contact"),
        ("On Voicemail", "on_contact"),
        ("On Hold", "on_hold"),
        ("After Call Work", "after_contact_work"),
        ("ACW", "after_contact_work"),
        ("Logged Out", "logged_out"),
    ],
)
def test_agent_states(word: str, expected: str) -> None:
    """The platform's words for an agent's state, in any spelling, have our state."""
    assert expected == AGENT.words[normalise(word)]


@pytest.mark.parametrize(
    ("word", "expected"),
    [("RUNNING", "running"), ("Not Running", "stopped"), ("STOPPING", "stopping")],
)
def test_campaign_states(word: str, expected: str) -> None:
    """The platform's words for a campaign's state, in any spelling, have our state."""
    assert expected == CAMPAIGN.words[normalise(word)]


def test_acd_status() -> None:
    """A skill's row becomes what waits, for how long, and who serves it."""
    row = {
        "Skill Name": "Billing",
        "Calls In Queue": "3",
        "Calls In Queue (Visual IVR)": "1",
        "Current Longest Queue Time": "61000",
        "Longest Queue Time": "120500",
        "Queue Callbacks": "2",
        "VMs In Queue": "4",
        "VMs In Progress": "5",
        "Total VMs": "9",
        "Agents Logged In": "7 (6)",
        "Agents Ready For Calls": "2",
        "Agents On Call": "3",
        "Agents Not Ready For Calls": "1",
        "Agents Ready For VMs": "0",
    }
    mapped = read(ACD_STATUS, row)

    assert series(mapped) == {
        'queue_contacts_waiting{queue="Billing",media="voice"}': 3,
        'queue_contacts_waiting{queue="Billing",media="visual_ivr"}': 1,
        'queue_longest_wait_seconds{queue="Billing",media="voice"}': 61,
        'queue_longest_wait_window_seconds{queue="Billing",media="voice",window="day"}': 120.5,
        'queue_callbacks_waiting{queue="Billing",media="callback"}': 2,
        'queue_voicemails_waiting{queue="Billing",media="voicemail"}': 4,
        'queue_voicemails_active{queue="Billing",media="voicemail"}': 5,
        'queue_voicemails{queue="Billing",media="voicemail"}': 9,
        'queue_agents_logged_in{queue="Billing"}': 7,
        'queue_agents{queue="Billing",state="ready"}': 2,
        'queue_agents{queue="Billing",state="on_contact"}': 3,
        'queue_agents{queue="Billing",state="not_ready"}': 1,
        'queue_agents_voicemail_ready{queue="Billing"}': 0,
    }
    assert not mapped.schemas["ACDStatus"].missing
    assert not mapped.schemas["ACDStatus"].unmapped["column"]


def test_agent_state() -> None:
    """An agent's row becomes counts for everybody, and the agent's own state where wanted."""
    row = {
        "Username": "jo@acme",
        "Full Name": "Jo Roe",
        "State": "Not Ready",
        "Reason Code": "Lunch",
        "State Duration": 5000,
        "State Start": 1_760_000_000_000,
        "Reason Duration": "4000",
        "Not Ready State Duration": "5000",
    }
    found = series(read(AGENT_STATE, row))
    aggregate = series(read(AGENT_STATE, row, agents="aggregate"))

    assert {key: value for key, value in found.items() if value and "agent=" in key} == {
        'agent_state{agent="jo@acme",state="not_ready"}': 1,
        'agent_state_since_timestamp_seconds{agent="jo@acme"}': 1_760_000_000,
        'agent_state_seconds{agent="jo@acme",state="not_ready"}': 5,
        'agent_reason_seconds{agent="jo@acme"}': 4,
    }
    assert aggregate == {
        **{f'agents{{state="{state}"}}': 0 for state in f.AGENT_STATES},
        'agents{state="not_ready"}': 1,
        'agents_not_ready{reason="Lunch"}': 1,
    }


def test_agents_are_counted_by_every_state() -> None:
    """The tally of agents has all canonical states."""
    (tally,) = (
        figure
        for figure in AGENT_STATE.figures
        if isinstance(figure, State) and figure.show == "count"
    )

    assert tally.states.canonical == f.AGENT_STATES


def test_agent_statistics() -> None:
    """Totals are counters, averages carry their window, dispositions become labels."""
    row = {
        "Username": "jo",
        "Total Calls": "12",
        "Total Inbound Calls": "10",
        "First Call Resolution": "6 (50%)",
        "Avg Handle Time": "90500",
        "Occupancy": "83%",
        "Utilization": "0.5",
        "Sale": "4",
        "Call Charges": "$5",
    }
    mapped = read(AGENT_STATISTICS, row, spread=("Sale",))

    assert series(mapped) == {
        "agents_contacts_handled_total": 12,
        'agent_contacts_handled_total{agent="jo",media="voice"}': 12,
        'agent_calls_total{agent="jo",direction="inbound"}': 10,
        'agent_first_contact_resolutions_total{agent="jo"}': 6,
        'agent_handle_average_seconds{agent="jo",window="day"}': 90.5,
        'agent_occupancy_ratio{agent="jo",window="day"}': 0.83,
        'agent_dispositions_total{agent="jo",disposition="Sale"}': 4,
    }
    assert mapped.schemas["AgentStatistics"].rejected == {"Utilization": 1}


def test_campaign_state() -> None:
    """A campaign's row becomes a series for each state, 1 for the present one."""
    found = series(read(CAMPAIGN_STATE, {"Campaign Name": "Spring", "State": "RUNNING"}))

    assert found == {
        f'campaign_state{{campaign="Spring",state="{state}"}}': int(state == "running")
        for state in f.CAMPAIGN_STATES
    }


def test_outbound_campaign_manager() -> None:
    """The dialler's figures slide with the rolling period; lists' records do not."""
    row = {
        "Campaign Name": "Spring",
        "Dialing Attempts": "50",
        "Abandoned": "2",
        "Available Records": "900",
        "Calls To Agent Ratio": "1.5",
    }

    assert series(read(OUTBOUND_CAMPAIGN_MANAGER, row, window="30m")) == {
        'campaign_dials_in_window{campaign="Spring",window="30m"}': 50,
        'campaign_abandoned_in_window{campaign="Spring",window="30m"}': 2,
        'campaign_records{campaign="Spring",status="available"}': 900,
        'campaign_dialing_ratio{campaign="Spring",kind="actual"}': 1.5,
    }


def test_campaign_statistics() -> None:
    """A campaign's totals are counters; ratios and averages carry their window."""
    row = {
        "Campaign Name": "Spring",
        "Total Calls": "50",
        "Calls Abandoned": "2",
        "Abandon Call Rate": "4%",
        "Service Level Queue": "0",
        "Avg Speed Of Answer": "9000",
        "Finished In IVR (Success)": "3",
        "No Sale": "7",
    }

    assert series(read(STATISTICS["InboundCampaignStatistics"], row, spread=("No Sale",))) == {
        'campaign_offered_total{campaign="Spring"}': 50,
        'campaign_abandoned_total{campaign="Spring"}': 2,
        'campaign_abandoned_ratio{campaign="Spring",window="day"}': 0.04,
        'campaign_service_level_ratio{campaign="Spring",window="day"}': 0,
        'campaign_answer_seconds{campaign="Spring",window="day"}': 9,
        'campaign_ivr_finished_total{campaign="Spring",outcome="success"}': 3,
        'campaign_dispositions_total{campaign="Spring",disposition="No Sale"}': 7,
    }


def test_licenses() -> None:
    """Licences are shown by kind and state."""
    row = {"kind": "supervisor", "state": "used", "value": 3}

    assert series(read(LICENSES, row)) == {'account_licenses{kind="supervisor",state="used"}': 3}


@pytest.mark.parametrize("table", STATISTICS.values(), ids=lambda table: table.name)
def test_internal_names(table: Table) -> None:
    """A column known by its internal name gives the same series as by its display name."""
    by_header: dict[str, Cell] = {table.key[0].header: "x"}
    by_alias: dict[str, Cell] = {table.key[0].header: "x"}
    for figure in table.figures:
        if isinstance(figure, Column) and figure.aliases:
            cell = "7 (6)" if figure.family is f.QUEUE_AGENTS_LOGGED_IN else "0"
            by_header[figure.header] = by_alias[figure.aliases[0]] = cell

    assert series(read(table, by_header)) == series(read(table, by_alias))
