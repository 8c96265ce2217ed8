import time as wall
from dataclasses import asdict, fields
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.simulators.floor.figures import (
    AFTER_CONTACT_WORK,
    LOGGED_OUT,
    ON_CONTACT,
    ON_HOLD,
    READY,
    RINGING,
    STATES,
    Agent,
    Campaign,
    Queue,
    count_states,
)
from exporter.simulators.floor.floor import Floor
from exporter.simulators.floor.timing import Timeline

MIDNIGHT = datetime(2025, 10, 10, tzinfo=ZoneInfo("UTC")).timestamp()
HOUR = 3600.0
BUSY_STATES = {RINGING, ON_CONTACT, ON_HOLD, AFTER_CONTACT_WORK}
AGENT_COUNTS = (
    "handled",
    "inbound",
    "outbound",
    "manual",
    "internal",
    "preview",
    "voicemails",
    "resolved",
    "talk_seconds",
    "hold_seconds",
    "after_contact_work_seconds",
    "handle_seconds",
)
QUEUE_COUNTS = (
    "offered",
    "answered",
    "abandoned",
    "short_abandoned",
    "handled",
    "answered_within_threshold",
    "answer_wait_seconds",
    "handle_seconds",
    "talk_seconds",
    "longest_wait_seconds",
)


def agent_figures(agent: Agent) -> dict[str, float]:
    """Everything of an agent's day that may only rise."""
    day = agent.day
    figures = {name: float(getattr(day, name)) for name in AGENT_COUNTS}
    figures |= {f"{state} seconds": seconds for state, seconds in day.state_seconds.items()}
    figures |= {f"{state} entries": float(n) for state, n in day.state_entries.items()}
    figures |= {f"disposition {name}": float(n) for name, n in day.dispositions.items()}
    return figures | {"login_seconds": day.login_seconds}


def queue_figures(queue: Queue) -> dict[str, float]:
    return {name: float(getattr(queue.day, name)) for name in QUEUE_COUNTS}


def campaign_figures(campaign: Campaign) -> dict[str, float]:
    day = campaign.day
    figures = {field.name: getattr(day, field.name) for field in fields(day)}
    dispositions: dict[str, int] = figures.pop("dispositions")
    return figures | {f"disposition {name}": n for name, n in dispositions.items()}


def day_figures(floor: Floor) -> dict[tuple[str, str], float]:
    figures = {}
    for items, read in (
        (floor.agents, agent_figures),
        (floor.queues, queue_figures),
        (floor.campaigns, campaign_figures),
    ):
        for name, item in items.items():
            figures |= {(name, figure): value for figure, value in read(item).items()}
    return figures


def everything(floor: Floor) -> object:
    """All that can be read, comparable with ==."""
    return (
        floor.now,
        day_figures(floor),
        asdict(floor.account),
        [
            (a.guid, a.state, a.since, a.reason, a.contact and a.contact.id)
            for a in floor.agents.values()
        ],
        [(list(q.waiting), q.active, q.voicemails_total) for q in floor.queues.values()],
        [(c.state, c.since, asdict(c.records), c.ratio_actual) for c in floor.campaigns.values()],
    )


def check_agent(agent: Agent, floor: Floor) -> None:
    day = agent.day
    assert sum(day.state_seconds.values()) == pytest.approx(floor.now - day.began, abs=1e-3)
    assert day.handled == day.inbound + day.outbound + day.manual + day.internal + day.voicemails
    assert day.handled == sum(day.dispositions.values())
    assert day.preview <= day.outbound
    assert day.resolved <= day.handled
    assert day.handle_seconds == pytest.approx(
        day.talk_seconds + day.hold_seconds + day.after_contact_work_seconds
    )
    assert agent.since <= floor.now
    assert (agent.contact is not None) == (agent.state in BUSY_STATES)
    assert set(agent.queues) <= set(floor.queues)
    if agent.contact is not None:
        assert agent.contact.agent == agent.username
        assert agent.contact.held(floor.now) >= 0
        assert agent.contact.talked(floor.now) >= -1e-6


def check_queue(queue: Queue, floor: Floor) -> None:
    day = queue.day
    assert day.carried_over + day.offered == day.answered + day.abandoned + queue.waiting_count
    assert day.answered_within_threshold <= day.answered
    assert day.short_abandoned <= day.abandoned
    assert day.talk_seconds <= day.handle_seconds + 1e-6
    assert day.longest_wait_seconds >= queue.longest_wait
    assert (queue.longest_wait > 0 or queue.waiting_count == 0) or any(
        contact.arrived == floor.now for contact in queue.waiting.values()
    )
    served = [agent for agent in floor.agents.values() if queue.name in agent.queues]
    assert floor.queue_agents(queue.name) == count_states(served)
    assert list(queue.idle) == [
        agent.username
        for agent in sorted(queue.idle.values(), key=lambda agent: agent.since)
        if agent.state == READY
    ]
    assert set(queue.idle) == {agent.username for agent in served if agent.state == READY}
    assert not (queue.idle and queue.line)
    ringing = [
        agent.contact.id
        for agent in floor.agents.values()
        if agent.state == RINGING and agent.contact and agent.contact.queue == queue.name
    ]
    assert sorted([*queue.line, *ringing]) == sorted(queue.waiting) == list(queue.waiting)
    handling = [
        agent.contact.media
        for agent in floor.agents.values()
        if agent.state in (ON_CONTACT, ON_HOLD)
        and agent.contact
        and agent.contact.queue == queue.name
    ]
    assert queue.voicemails_active == handling.count("voicemail")
    assert queue.active == len(handling) - queue.voicemails_active


def check_campaign(campaign: Campaign, floor: Floor) -> None:
    life, records = campaign.life, campaign.records
    assert life.dispositioned == sum(life.dispositions.values())
    assert set(life.dispositions) <= set(floor.dispositions)
    assert life.within_threshold <= life.connected
    assert min(asdict(records).values()) >= 0
    assert records.total == campaign.list_size
    handling = sum(
        agent.contact is not None
        and agent.contact.campaign == campaign.name
        and agent.contact.started is not None
        and agent.contact.ended is None
        for agent in floor.agents.values()
    )
    assert campaign.active == handling
    if campaign.kind == "inbound":
        waiting = sum(
            queue.waiting_count
            for queue in floor.queues.values()
            if queue.campaign == campaign.name
        )
        assert life.offered == (
            life.rejected + life.callbacks + life.connected + life.abandoned + waiting
        )
        assert life.offered == life.rejected + life.ivr_success + life.ivr_error
        return
    assert life.offered == life.dials
    assert life.dials == life.connected + life.no_party_contact + campaign.in_flight
    assert life.answered_live <= life.connected
    assert life.abandoned + life.handled <= life.answered_live


def check(floor: Floor) -> None:
    """Assert every invariant the floor promises."""
    for agent in floor.agents.values():
        check_agent(agent, floor)
    for queue in floor.queues.values():
        check_queue(queue, floor)
    for campaign in floor.campaigns.values():
        check_campaign(campaign, floor)
    assert min(day_figures(floor).values(), default=0) >= 0
    assert sum(count_states(floor.agents.values()).values()) == len(floor.agents)
    assert 0 <= floor.account.supervisors_logged_in <= floor.account.supervisors_limit


sizes = st.builds(
    dict,
    agents=st.integers(0, 40),
    queues=st.integers(0, 16),
    campaigns=st.integers(0, 9),
    seed=st.integers(0, 2**32),
    load=st.sampled_from([0.0, 0.5, 1.0, 4.0]),
    time_zone=st.sampled_from(
        ["UTC", "America/New_York", "Asia/Kathmandu", "Africa/Cairo", "America/Havana"]
    ),
    start=st.floats(MIDNIGHT - 200 * 86400, MIDNIGHT + 200 * 86400),
)


@settings(max_examples=40, deadline=None)
@given(sizes, st.lists(st.floats(0, 4 * HOUR), max_size=8))
def test_invariants_hold_at_every_stop(size: dict[str, Any], steps: list[float]) -> None:
    """Whatever its size and however it is moved, the floor's figures agree with each other."""
    floor = Floor(**size)
    check(floor)
    for step in steps:
        floor.advance(floor.now + step)
        check(floor)


@settings(max_examples=25, deadline=None)
@given(sizes, st.lists(st.floats(0, 2 * HOUR), max_size=12))
def test_slicing_does_not_matter(size: dict[str, Any], steps: list[float]) -> None:
    """The figures at an instant do not depend on the steps taken to get there."""
    sliced, at_once = Floor(**size), Floor(**size)
    for step in steps:
        sliced.advance(sliced.now + step)
    at_once.advance(sliced.now)
    assert everything(sliced) == everything(at_once)


perturbations = st.sampled_from(
    ["surge", "add_queue", "remove_queue", "add_agent", "remove_agent", "set_load", "log_out_all"]
)


@settings(max_examples=40, deadline=None)
@given(sizes, st.lists(st.tuples(st.floats(0, 2 * HOUR), perturbations, st.integers(0, 99))))
def test_perturbations_keep_the_floor_consistent(
    size: dict[str, Any], script: list[tuple[float, str, int]]
) -> None:
    """Queues and agents come, go and are flooded, and the figures still agree."""
    floor = Floor(**size)
    for number, (step, what, pick) in enumerate(script):
        floor.advance(floor.now + step)
        perturb(floor, what, pick, number)
        check(floor)
    floor.advance(floor.now + 3 * HOUR)
    check(floor)


def perturb(floor: Floor, what: str, pick: int, number: int) -> None:
    queues, agents = list(floor.queues), list(floor.agents)
    match what:
        case "surge" if queues:
            floor.surge(queues[pick % len(queues)], pick)
        case "add_queue":
            floor.add_queue(f"Added {number}")
        case "remove_queue" if queues:
            floor.remove_queue(queues[pick % len(queues)])
        case "add_agent":
            floor.add_agent(f"added.{number}@acme.example")
        case "remove_agent" if agents:
            floor.remove_agent(agents[pick % len(agents)])
        case "set_load":
            floor.set_load(pick / 20)
        case "log_out_all":
            floor.log_out_all()


def test_same_seed_gives_the_same_day_and_another_seed_another() -> None:
    """A day can be replayed, and no two seeds give the same one."""
    days = []
    for seed in (1, 1, 2):
        floor = Floor(seed=seed, start=MIDNIGHT)
        floor.advance(MIDNIGHT + 10 * HOUR)
        days.append(everything(floor))
    assert days[0] == days[1]
    assert days[0] != days[2]


@pytest.mark.parametrize(
    ("zone", "first", "hours"),
    [
        ("UTC", date(2025, 10, 10), 24),
        ("Europe/Berlin", date(2025, 10, 26), 25),
        ("America/New_York", date(2025, 3, 9), 23),
        ("Africa/Cairo", date(2025, 4, 24), 24),
    ],
)
def test_day_figures_fall_at_local_midnight_only(zone: str, first: date, hours: int) -> None:
    """Day totals rise through a day of 23, 24 or 25 hours and restart when it ends."""
    start = datetime.combine(first, time(), ZoneInfo(zone)).timestamp()
    floor = Floor(agents=20, start=start, time_zone=zone)
    before = day_figures(floor)
    for _ in range(hours * 4 - 1):
        floor.advance(floor.now + HOUR / 4)
        now = day_figures(floor)
        assert {key for key, value in before.items() if now[key] < value - 1e-6} == set()
        before = now
    floor.advance(floor.now + HOUR / 4)
    assert all(agent.day.began == floor.now for agent in floor.agents.values())
    assert all(not sum(agent.day.state_seconds.values()) for agent in floor.agents.values())
    assert all(queue.day.offered == 0 for queue in floor.queues.values())
    assert all(campaign.day.offered == 0 for campaign in floor.campaigns.values())


def test_totals_restart_within_a_day() -> None:
    """Day totals can begin anew at any time, as after a fail-over; nothing else changes."""
    floor = Floor(agents=20, load=4.0, start=MIDNIGHT)
    floor.advance(MIDNIGHT + 11 * HOUR)
    waiting = {name: queue.waiting_count for name, queue in floor.queues.items()}
    days = [queue.day for queue in floor.queues.values()]
    assert sum(day.offered for day in days) > 0
    floor.restart_totals()
    assert all(queue.day.offered == 0 for queue in floor.queues.values())
    assert all(campaign.day.offered == 0 for campaign in floor.campaigns.values())
    assert all(not sum(agent.day.state_seconds.values()) for agent in floor.agents.values())
    assert waiting == {name: queue.waiting_count for name, queue in floor.queues.items()}
    floor.advance(MIDNIGHT + 12 * HOUR)
    assert sum(queue.day.offered for queue in floor.queues.values()) > 0
    check(floor)


def test_waiting_contacts_survive_midnight() -> None:
    """A contact that waits at midnight is carried over, and its wait goes on."""
    floor = Floor(agents=3, start=MIDNIGHT + 86390)
    floor.log_out_all()
    floor.surge("E-mail", 7)
    floor.advance(MIDNIGHT + 86400 + 10)
    queue = floor.queues["E-mail"]
    assert queue.day.carried_over == 7
    assert queue.waiting_count >= 6
    assert queue.longest_wait == 20
    check(floor)


def test_conversation_survives_midnight() -> None:
    """An agent's state goes on over midnight, while its seconds of the day begin anew."""
    floor = Floor(load=8.0, start=MIDNIGHT + 20 * HOUR)
    floor.advance(MIDNIGHT + 24 * HOUR)
    talking = [agent for agent in floor.agents.values() if agent.state == ON_CONTACT]
    assert talking
    assert all(agent.since < floor.now for agent in talking)
    assert all(agent.day.state_seconds[ON_CONTACT] == 0 for agent in talking)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_queues_build_at_lunch(seed: int) -> None:
    """Lines are longest while agents have lunch, and short before and at night."""
    floor = Floor(seed=seed, start=MIDNIGHT)
    waiting = {}
    for hour in range(24):
        samples = []
        for minute in range(60):
            floor.advance(MIDNIGHT + hour * HOUR + minute * 60)
            samples.append(sum(queue.waiting_count for queue in floor.queues.values()))
        waiting[hour] = sum(samples) / 60
        if hour == 12:
            assert sum(sample > 0 for sample in samples) > 30
    assert max(waiting, key=waiting.__getitem__) in (11, 12)
    assert waiting[12] > 3 * waiting[9]
    assert max(waiting[hour] for hour in range(6)) < 1


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_day_looks_like_a_contact_centre(seed: int) -> None:
    """At the end of the office day the figures are those of an ordinary, busy centre."""
    floor = Floor(seed=seed, start=MIDNIGHT)
    floor.advance(MIDNIGHT + 18 * HOUR)
    days = [queue.day for queue in floor.queues.values()]
    offered = sum(day.offered for day in days)
    assert 1000 < offered < 10_000
    assert 0.02 < sum(day.abandoned for day in days) / offered < 0.10
    assert 0.5 < sum(d.answered_within_threshold for d in days) / sum(d.answered for d in days) < 1
    assert sum(queue.voicemails_total for queue in floor.queues.values()) > 0
    agents = [agent.day for agent in floor.agents.values()]
    for figure in AGENT_COUNTS:
        assert sum(getattr(day, figure) for day in agents) > 0, figure
    entered = {state for day in agents for state, times in day.state_entries.items() if times}
    assert entered == set(STATES)


def test_campaigns_work_and_rest() -> None:
    """Outbound and autodial campaigns dial by day and are stopped at night."""
    floor = Floor(start=MIDNIGHT)
    seen = {name: {campaign.state} for name, campaign in floor.campaigns.items()}
    for minute in range(24 * 60 * 2 - 1):
        floor.advance(MIDNIGHT + minute * 30)
        for name, campaign in floor.campaigns.items():
            seen[name].add(campaign.state)
    kinds = [campaign.kind for campaign in floor.campaigns.values()]
    assert kinds == ["inbound"] * 3 + ["outbound"] * 2 + ["autodial"]
    for name, campaign in floor.campaigns.items():
        day = campaign.day
        if campaign.kind == "inbound":
            assert day.connected > day.abandoned > 0
            assert day.visual_ivr_sessions > 0
            continue
        assert seen[name] == {"stopped", "starting", "running", "stopping", "resetting"}
        assert campaign.state == "stopped"
        assert day.dials > day.connected > day.answered_live > 0
        assert (day.preview_skipped > 0) == (campaign.mode == "preview")
        assert (day.ivr_success > 0) == (campaign.kind == "autodial")
    assert seen["Main Line"] == {"running"}


def test_window_slides_and_the_widest_one_remembers_three_hours() -> None:
    """A window counts the clock minutes that began within it, and forgets what is older."""
    floor = Floor(start=MIDNIGHT + 8 * HOUR)
    marks = {}
    for minute in range(300):
        floor.advance(MIDNIGHT + 8 * HOUR + minute * 60)
        marks[minute] = floor.campaigns["Main Line"].life.copy()
    floor.advance(floor.now + 30)
    life = floor.campaigns["Main Line"].life
    for seconds, first in ((300, 295), (3600, 240), (3 * 3600, 120)):
        window = floor.campaign_window("Main Line", seconds)
        assert window.offered == life.offered - marks[first].offered
        assert window.connected == life.connected - marks[first].connected
        assert window.dispositions == life.dispositions - marks[first].dispositions
    assert floor.campaign_window("Main Line", 20).offered == 0
    longest = [
        floor.campaign_window("Main Line", each).longest_wait_seconds for each in (300, 3600)
    ]
    assert 0 < longest[0] <= longest[1] <= floor.campaigns["Main Line"].day.longest_wait_seconds


def test_going_back_changes_nothing() -> None:
    """Advancing to an instant that has passed leaves the floor as it is."""
    floor = Floor(start=MIDNIGHT)
    floor.advance(MIDNIGHT + 9 * HOUR)
    before = everything(floor)
    floor.advance(MIDNIGHT)
    floor.advance(MIDNIGHT + 9 * HOUR)
    assert everything(floor) == before


def test_odd_names_are_there() -> None:
    """The queues include the names that break careless programs, and every kind of media."""
    floor = Floor(start=MIDNIGHT)
    names = set(floor.queues)
    assert {'VIP "Gold" \\ Silver', "Rückfragen", "1", "[Default]"} <= names
    assert {queue.media for queue in floor.queues.values()} == {"voice", "chat", "email"}


@pytest.mark.parametrize(("agents", "queues", "campaigns"), [(1, 1, 1), (2500, 300, 40)])
def test_ids_and_names_are_unique(agents: int, queues: int, campaigns: int) -> None:
    """However big the floor is, no two things share an id, a guid or a name."""
    floor = Floor(agents=agents, queues=queues, campaigns=campaigns, start=MIDNIGHT)
    assert (len(floor.agents), len(floor.queues), len(floor.campaigns)) == (
        agents,
        queues,
        campaigns,
    )
    for items in (floor.agents, floor.queues, floor.campaigns):
        assert len({item.id for item in items.values()}) == len(items)
        assert len({item.guid for item in items.values()}) == len(items)
    assert all(username.isascii() for username in floor.agents)
    assert {name for agent in floor.agents.values() for name in agent.queues} == set(floor.queues)


def test_surge_fills_a_queue_and_then_drains() -> None:
    """A surge is seen at once in the waiting figures, and is worked off or given up."""
    floor = Floor(start=MIDNIGHT + 10 * HOUR)
    floor.advance(floor.now + HOUR)
    before = floor.queues["Billing"].day.offered
    floor.surge("Billing", 100)
    queue = floor.queues["Billing"]
    assert queue.day.offered == before + 100
    assert queue.waiting_count >= 100
    floor.advance(floor.now + 60)
    assert queue.longest_wait >= 60
    floor.advance(floor.now + HOUR)
    assert queue.waiting_count < 20
    assert queue.day.longest_wait_seconds > 60


def test_surge_crowds_out_callers_who_ask_to_be_called_back() -> None:
    """With a long line some callers leave a number, and an agent calls them later."""
    floor = Floor(start=MIDNIGHT + 10 * HOUR, load=3.0)
    floor.advance(floor.now + 2 * HOUR)
    assert sum(queue.callbacks_waiting for queue in floor.queues.values()) > 0
    floor.set_load(0.0)
    floor.advance(floor.now + 2 * HOUR)
    assert sum(queue.callbacks_waiting for queue in floor.queues.values()) == 0
    check(floor)


def test_load_scales_the_arrivals() -> None:
    """Twice the load brings about twice the contacts, none brings none."""
    offered = []
    for load in (0.0, 1.0, 2.0):
        floor = Floor(start=MIDNIGHT + 8 * HOUR)
        floor.set_load(load)
        floor.advance(floor.now + 4 * HOUR)
        offered.append(sum(queue.day.offered for queue in floor.queues.values()))
    assert offered[0] == 0
    assert 1.5 < offered[2] / offered[1] < 2.5


def test_everybody_logged_out_stays_out_until_the_next_shift() -> None:
    """After a forced log-out nobody answers, and the next shift does."""
    floor = Floor(start=MIDNIGHT + 9.5 * HOUR)
    floor.advance(floor.now + HOUR / 2)
    floor.log_out_all()
    floor.advance(floor.now + HOUR / 2)
    assert count_states(floor.agents.values())[LOGGED_OUT] == len(floor.agents)
    floor.advance(MIDNIGHT + 13 * HOUR)
    assert 0 < count_states(floor.agents.values())[LOGGED_OUT] < len(floor.agents)
    check(floor)


def test_added_and_removed_things_appear_and_vanish_everywhere() -> None:
    """A new queue gets contacts, a new agent works, and what is removed leaves no trace."""
    floor = Floor(start=MIDNIGHT + 9 * HOUR)
    floor.add_queue("New")
    floor.add_agent("new.one@acme.example")
    floor.advance(floor.now + 2 * HOUR)
    agent = floor.agents["new.one@acme.example"]
    assert agent.name == "New One"
    assert agent.day.handled > 0
    assert floor.queues["New"].day.answered > 0
    floor.remove_queue("New")
    floor.remove_queue("Support")
    floor.remove_agent("new.one@acme.example")
    floor.advance(floor.now + HOUR)
    assert "Support" not in floor.queues
    assert "new.one@acme.example" not in floor.agents
    assert all({"New", "Support"}.isdisjoint(agent.queues) for agent in floor.agents.values())
    check(floor)


def test_adding_a_name_twice_is_refused() -> None:
    """Names are keys: the floor refuses a second thing of the same name."""
    floor = Floor(start=MIDNIGHT)
    with pytest.raises(ValueError, match="'Support'"):
        floor.add_queue("Support")
    with pytest.raises(ValueError, match="is an agent"):
        floor.add_agent(next(iter(floor.agents)))


def test_campaign_agents_count_everyone_once() -> None:
    """The agents of a campaign are those who may get its contacts, each counted once."""
    floor = Floor(start=MIDNIGHT + 10 * HOUR)
    outbound = [agent for agent in floor.agents.values() if "Renewals" in agent.campaigns]
    assert floor.campaign_agents("Renewals") == count_states(outbound)
    assert 0 < sum(floor.campaign_agents("Main Line").values()) <= len(floor.agents)
    assert sum(floor.campaign_agents("Reminders").values()) == 0


def test_ready_agents_are_not_left_idle_while_contacts_wait() -> None:
    """The longest idle agent gets the next contact."""
    floor = Floor(start=MIDNIGHT + 9 * HOUR, load=0.0)
    floor.advance(floor.now + 600)
    first = next(iter(floor.queues["Sales"].idle.values()))
    floor.surge("Sales", 1)
    assert first.state == RINGING
    assert first.contact is not None
    assert first.contact.queue == "Sales"


def test_timeline_keeps_the_order_of_one_instant() -> None:
    """Events of the same instant happen in the order they were planned."""
    timeline = Timeline(0.0)
    seen = []
    for number in range(5):
        timeline.at(1.0, seen.append, number)
    timeline.at(-1.0, seen.append, "late")
    timeline.run(1.0)
    assert seen == ["late", 0, 1, 2, 3, 4]


def test_big_floor_is_fast_enough_for_a_demo() -> None:
    """Five thousand agents at noon take well under a tenth of a second per simulated second."""
    floor = Floor(agents=5000, queues=200, campaigns=60, start=MIDNIGHT + 11.5 * HOUR)
    floor.advance(floor.now + 300)
    began = wall.perf_counter()
    floor.advance(floor.now + 30)
    assert (wall.perf_counter() - began) / 30 < 0.1
