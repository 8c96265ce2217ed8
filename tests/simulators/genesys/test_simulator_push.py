"""What the Genesys simulator pushes, when, and in which layout."""

import asyncio
import time
from typing import Any

import pytest

from exporter.simulators.floor.figures import ON_CONTACT
from exporter.simulators.floor.floor import Floor
from exporter.simulators.genesys.simulator import GenesysSimulator
from support.clock import LoopClock
from support.genesys_wire import (
    LATE_MORNING,
    MIDNIGHT,
    SERVICE,
    UPDATES,
    Wire,
    defined,
    named,
    simulate,
    state,
    virtual,
)

SECONDS = {"category": "CurrentTime", "subject": "DNStatus", "mainMask": "*"}
READY_SECONDS = {
    "category": "TotalTime",
    "subject": "AgentStatus",
    "mainMask": "WaitForNextCall",
}
AT_ONCE = {"timeout": 0}


def agent_of(simulator: GenesysSimulator, state: str = ON_CONTACT) -> str:
    """Return somebody who is in that state now."""
    agents = simulator.floor.agents.values()
    return next(agent.username for agent in agents if agent.state == state)


def freeze(simulator: GenesysSimulator) -> None:
    """Stop the floor."""
    simulator.tick = None


@virtual
async def test_a_change_is_pushed() -> None:
    """An immediate statistic is pushed when it changes, with its ids and the floor's instant."""
    simulator = simulate()
    wire = await Wire(simulator).begin()
    agent = agent_of(simulator)
    before = simulator.floor.agents[agent]
    turn = before.turn
    await wire.create(state("s", agent))

    while before.turn == turn:
        news = await wire.updates()

    (entry,) = news
    tree = entry["value"]["stateValue"]
    assert set(entry) == {"subscriptionId", "statisticId", "value", "timestamp"}
    assert (entry["subscriptionId"], entry["statisticId"]) == ("sub-1", "s")
    assert entry["timestamp"] == int(simulator.floor.now * 1000)
    assert tree["time"] == int(before.since)
    assert simulator.floor.now - before.since < 1.0


@virtual
async def test_an_unchanged_statistic_is_not_pushed() -> None:
    """An immediate statistic that does not change is not pushed."""
    simulator = simulate()
    freeze(simulator)
    wire = await Wire(simulator).begin()
    await wire.create(state("s", agent_of(simulator)))

    assert await wire.updates() == []
    assert simulator.clock.monotonic() == 20.0


@virtual
async def test_insensitivity_of_zero() -> None:
    """With insensitivity 0 a value is pushed every second even if it has not changed."""
    simulator = simulate()
    freeze(simulator)
    wire = await Wire(simulator).begin()
    await wire.create(state("s", agent_of(simulator), insensitivity=0))

    times = []
    for _ in range(3):
        assert len(await wire.updates()) == 1
        times.append(simulator.clock.monotonic())

    assert times == [1.0, 2.0, 3.0]


@virtual
async def test_insensitivity() -> None:
    """A change that is smaller than the insensitivity is not pushed."""
    simulator = simulate()
    wire = await Wire(simulator).begin()
    agent = agent_of(simulator)
    simulator.floor.agents[agent].state = "not_ready"  # stays so: nothing is planned for it
    simulator.floor.agents[agent].turn += 1
    await wire.create(defined("s", "Agent", agent, insensitivity=5, **SECONDS))

    (entry,) = await wire.updates()

    assert simulator.clock.monotonic() == pytest.approx(5.0, abs=1.0)
    assert entry["value"]["intValue"] >= 5


@pytest.mark.parametrize("mode", ["Periodical", "PERIODICAL"])
@virtual
async def test_periodical(mode: str) -> None:
    """A periodical statistic comes at its frequency, however long nobody has asked."""
    simulator = simulate()
    freeze(simulator)
    wire = await Wire(simulator).begin()
    definition = {**SECONDS, "notificationMode": mode, "notificationFrequency": "3"}
    await wire.create(defined("s", "Agent", agent_of(simulator), **definition))

    times = []
    for _ in range(2):
        assert len(await wire.updates()) == 1
        times.append(simulator.clock.monotonic())
    await simulator.clock.sleep(7.5)
    late = await wire.updates()
    at = simulator.clock.monotonic()
    await wire.updates()

    assert times == [3.0, 6.0]
    assert (len(late), at, simulator.clock.monotonic()) == (1, 13.5, 15.0)


@virtual
async def test_periodical_with_insensitivity() -> None:
    """A periodical statistic with an insensitivity says nothing while it does not change."""
    simulator = simulate()
    freeze(simulator)
    wire = await Wire(simulator).begin()
    definition = {**SECONDS, "notificationMode": "Periodical", "notificationFrequency": 3}
    await wire.create(defined("s", "Agent", agent_of(simulator), insensitivity=1, **definition))

    assert await wire.updates() == []


@virtual
async def test_no_notification() -> None:
    """A statistic without notification is only ever peeked at."""
    simulator = simulate()
    wire = await Wire(simulator).begin()
    definition = {**SECONDS, "notificationMode": "NoNotification", "insensitivity": 0}
    await wire.create(defined("s", "Agent", agent_of(simulator), **definition))

    assert await wire.updates() == []
    assert len((await wire.peek()).json()["data"]["statistics"]) == 1


@virtual
async def test_reset() -> None:
    """A statistic notified at resets comes once, after midnight, restarted."""
    floor = Floor(agents=20, queues=4, campaigns=6, start=MIDNIGHT)
    almost = MIDNIGHT + 86_400.0 - 30.0
    floor.advance(almost)
    clock = LoopClock(almost)
    simulator = GenesysSimulator(floor, clock, tick=lambda: floor.advance(clock.time()))
    wire = await Wire(simulator).begin()
    definition = {**READY_SECONDS, "notificationMode": "Reset"}
    await wire.create(defined("s", "GroupAgents", "All Agents", **definition))

    early = await wire.updates()
    (entry,) = await wire.updates()
    at = clock.monotonic()
    late = await wire.updates()

    assert (early, late) == ([], [])
    assert at == pytest.approx(30.0, abs=0.3)
    assert entry["value"]["intValue"] < 60


@virtual
async def test_a_peek_does_not_spend_an_update() -> None:
    """A value returned by a peek is pushed nevertheless."""
    simulator = simulate()
    wire = await Wire(simulator).begin()
    agent = agent_of(simulator)
    found = simulator.floor.agents[agent]
    turn = found.turn
    await wire.create(state("s", agent))

    while found.turn == turn:
        await simulator.clock.sleep(1.0)
        await wire.peek()
        if found.turn == turn:
            await wire.connect(advice=AT_ONCE)

    assert len(await wire.updates(advice=AT_ONCE)) == 1


@virtual
async def test_updates_need_a_channel_subscription() -> None:
    """Without a subscription to the channel no update waits for a session."""
    simulator = simulate()
    wire = await Wire(simulator).sign_in()
    await wire.handshake()
    await wire.create(state("s", agent_of(simulator), insensitivity=0))

    silent = await wire.updates()
    await wire.subscribe()

    assert silent == []
    assert len(await wire.updates()) == 1


@virtual
async def test_several_who_wait_share_a_look() -> None:
    """Connects that are held side by side look at the floor as often as one alone."""
    simulator = simulate()
    wires = [await Wire(simulator).begin() for _ in range(4)]
    looks = []
    move = simulator.tick
    assert move is not None

    def tick() -> None:
        looks.append(simulator.clock.monotonic())
        move()

    simulator.tick = tick
    await asyncio.gather(*(wire.connect() for wire in wires))

    assert len(looks) == 4 + 81  # one for each request, and one each quarter of a second


@virtual
async def test_updates_go_to_the_http_session() -> None:
    """Updates do not reach another HTTP session."""
    simulator = simulate()
    one, other = await Wire(simulator).begin(), await Wire(simulator).begin()
    await one.create(state("s", agent_of(simulator), insensitivity=0))

    assert await other.updates() == []


@virtual
async def test_removed_objects_are_not_pushed() -> None:
    """An agent who has left is pushed no more, is missing in a peek, and opened no more."""
    simulator = simulate()
    wire = await Wire(simulator).begin()
    agent, queue = agent_of(simulator), next(iter(simulator.floor.queues))
    number = {"category": "CurrentNumber", "subject": "DNAction", "mainMask": "CallWait"}
    gone = [
        state("s", agent, insensitivity=0),
        defined("q", "Queue", f"{queue}@SIP_Switch", insensitivity=0, **number),
    ]
    await wire.create(*gone)

    simulator.floor.remove_agent(agent)
    simulator.floor.remove_queue(queue)
    silent = await wire.updates()
    peeked = (await wire.peek()).json()
    again = (await wire.create(*gone, key="again")).json()

    assert silent == []
    assert (peeked["data"]["statistics"], len(peeked["errors"])) == ([], 2)
    assert (again["data"]["statistics"], len(again["errors"])) == ([], 2)


@virtual
async def test_updates_are_grouped() -> None:
    """One message carries at most 500 updates."""
    simulator = simulate()
    wire = await Wire(simulator).begin()
    simulator.push([{"statisticId": "x"}] * 1_001)

    messages = await wire.connect()

    sizes = [
        len(message["data"]["data"]["statistics"])
        for message in messages
        if message["channel"] == UPDATES
    ]
    assert sizes == [500, 500, 1]


# What an event looks like.


@pytest.mark.parametrize("nesting", [0, 1, 2])
@virtual
async def test_nesting(nesting: Any) -> None:
    """An event's content is flat, in an envelope or in two, as the switch says."""
    simulator = simulate(nesting=nesting, names_subscription=False)
    wire = await Wire(simulator).begin()
    await wire.create(state("s", agent_of(simulator), insensitivity=0))

    data = (await wire.connect())[0]["data"]

    for _ in range(nesting):
        assert "statistics" not in data
        data = data["data"]
    assert set(data["statistics"][0]) == {"statisticId", "value", "timestamp"}


@virtual
async def test_the_workspace_s_service_message() -> None:
    """A switch sends the service state in the layout of the Workspace API."""
    simulator = simulate(service_message="workspace")
    wire = await Wire(simulator).begin()
    simulator.unavailable()
    simulator.available()

    first, second, _ = await wire.connect()

    assert first["data"] == {
        "messageType": "ServiceStateChanged",
        "serviceName": "STATS",
        "serviceState": "UNAVAILABLE",
    }
    assert second["data"]["serviceState"] == "AVAILABLE"


@virtual
async def test_events_keep_their_order() -> None:
    """Updates and the service's state arrive in the order in which they happened."""
    simulator = simulate()
    wire = await Wire(simulator).begin()
    simulator.push([{"statisticId": "x"}])
    simulator.unavailable()
    simulator.push([{"statisticId": "y"}])

    *events, _ = await wire.connect()

    assert [event["channel"] for event in events] == [UPDATES, SERVICE, UPDATES]


@virtual
async def test_no_updates_without_the_stat_server() -> None:
    """An unavailable service pushes nothing of the floor."""
    simulator = simulate()
    wire = await Wire(simulator).begin()
    await wire.create(state("s", agent_of(simulator), insensitivity=0))
    simulator.unavailable()

    await wire.connect()

    assert await wire.updates() == []


@pytest.mark.parametrize("layout", ["event_info", "number", "string", "wrapped"])
@virtual
async def test_number_layouts(layout: Any) -> None:
    """A number comes in the layout that the switch says; a fraction is in the text alone."""
    simulator = simulate(value=layout)
    freeze(simulator)
    wire = await Wire(simulator).begin()
    agent = max(simulator.floor.agents.values(), key=lambda each: each.day.handled)
    day = agent.day
    mean = round((day.talk_seconds + day.after_contact_work_seconds) / day.handled, 3)
    assert mean != int(mean)

    answer = await wire.create(
        named("mean", "AverageHandlingTime", "Agent", agent.username),
        named("count", "InboundCalls", "Agent", agent.username),
    )

    mean_value, count_value = (
        statistic["value"] for statistic in answer.json()["data"]["statistics"]
    )
    if layout == "wrapped":
        assert set(mean_value) == {"eventInfo"}
        mean_value, count_value = mean_value["eventInfo"], count_value["eventInfo"]
    count = day.inbound + day.voicemails
    if layout in ("event_info", "wrapped"):
        assert (mean_value["intValue"], float(mean_value["stringValue"])) == (int(mean), mean)
        assert (count_value["intValue"], count_value["stringValue"]) == (count, str(count))
        assert (count_value["tag"], count_value["intervalLength"]) == (-1, 0)
    elif layout == "number":
        assert (mean_value, count_value) == (mean, count)
    else:
        assert (float(mean_value), count_value) == (mean, str(count))


@pytest.mark.parametrize(
    ("layout", "expected"),
    [
        ("null", {"value": None}),
        ("absent", {}),
        ("nan", {"value": "NaN"}),
        ("empty", {"value": ""}),
    ],
)
@virtual
async def test_no_value(layout: Any, expected: dict[str, Any]) -> None:
    """The switch chooses the layout of a missing value, in repeated updates too."""
    floor = Floor(agents=2, queues=1, campaigns=0, start=MIDNIGHT)
    simulator = GenesysSimulator(floor, LoopClock(MIDNIGHT), no_value=layout)
    wire = await Wire(simulator).begin()

    answer = await wire.create(named("s", "ExpectedWaitTime", "Queue", "Support@SIP_Switch"))
    simulator.repeat_updates(older_by=1.0)
    (update,) = await wire.updates(advice=AT_ONCE)

    (entry,) = answer.json()["data"]["statistics"]
    assert {name: entry[name] for name in entry if name == "value"} == expected
    assert ("timestamp" in entry) == (layout != "absent")
    assert ("timestamp" in update) == (layout != "absent")


@pytest.mark.parametrize("layout", ["stateValue", "objectValue", "bare"])
@pytest.mark.parametrize(("spelling", "code"), [("int", 8), ("digits", "8"), ("name", None)])
@virtual
async def test_state_layouts(layout: Any, spelling: Any, code: Any) -> None:
    """A state tree is wrapped, and its status written, as the switches say."""
    simulator = simulate(state_value=layout, status=spelling)
    wire = await Wire(simulator).begin()
    agent = agent_of(simulator, "not_ready")

    answer = await wire.create(state("s", agent))

    value = answer.json()["data"]["statistics"][0]["value"]
    tree = value if layout == "bare" else value[layout]
    assert tree["agentId"] == agent
    assert tree["status"] == (code or "NotReadyForNextCall")


# Commands.


@virtual
async def test_raw_updates() -> None:
    """Entries can be pushed as they are."""
    wire = await Wire(simulate()).begin()
    mute = await Wire(wire.simulator).sign_in()
    await mute.handshake()

    wire.simulator.push([{"statisticId": "odd", "value": {"stringValue": "x"}}])

    assert await wire.updates() == [{"statisticId": "odd", "value": {"stringValue": "x"}}]
    assert await mute.updates(advice=AT_ONCE) == []


@virtual
async def test_repeated_and_old_updates() -> None:
    """The last values can be pushed again, with timestamps that are older; nobody may listen."""
    simulator = simulate()
    freeze(simulator)
    wire = await Wire(simulator).begin()
    deaf = await Wire(simulator).sign_in()
    await deaf.handshake()
    agent = agent_of(simulator)
    answer = await wire.create(state("s", agent))
    await deaf.create(state("s", agent), key="sub-2")

    simulator.repeat_updates()
    simulator.repeat_updates(older_by=60.0)
    same, older = await wire.updates()

    (first,) = answer.json()["data"]["statistics"]
    assert (same["value"], same["timestamp"]) == (first["value"], first["timestamp"])
    assert older["timestamp"] == first["timestamp"] - 60_000


@virtual
async def test_a_slow_session_is_dropped() -> None:
    """A session with more than 200,000 undelivered updates is ended."""
    simulator = simulate()
    wire = await Wire(simulator).begin()

    simulator.push([{"statisticId": "x"}] * 200_000)
    alive = len(simulator.live_sessions)
    simulator.push([{"statisticId": "x"}])

    assert (alive, simulator.live_sessions) == (1, [])
    assert (await wire.connect())[0]["error"].startswith("402")


@pytest.mark.slow
@virtual
async def test_ten_thousand_statistics() -> None:
    """A look at ten thousand statistics takes well under a tenth of a second."""
    floor = Floor(agents=500, queues=50, campaigns=6, start=MIDNIGHT)
    floor.advance(LATE_MORNING)
    clock = LoopClock(LATE_MORNING)
    simulator = GenesysSimulator(
        floor,
        clock,
        tick=lambda: floor.advance(clock.time()),
        statistics_limit=20_000,
    )
    wire = await Wire(simulator).begin()
    names = (
        *("CurrentAgentState", "InboundCalls", "OutboundCalls", "InternalCalls", "LoginDuration"),
        *("ReadyDuration", "NotReadyDuration", "TalkDuration", "HoldDuration", "WrapDuration"),
        *("AverageHandlingTime", "Productivity", "Total_Login_Time", "Total_Calls_Outbound"),
        *("TimeInCurrentState", "Average_Handle_Time", "Average_Hold_Time", "ConsultCalls"),
        *("Total_Not_Ready_Time", "TimeInCurrentStateVoice"),
    )
    asked = [named(f"{name} {key}", name, "Agent", key) for key in floor.agents for name in names]
    answer = await wire.create(*asked)
    assert len(answer.json()["data"]["statistics"]) == len(asked) == 10_000
    await wire.connect(advice=AT_ONCE)

    looks = []
    for _ in range(5):
        await clock.sleep(2.0)
        floor.advance(clock.time())
        started = time.thread_time()
        simulator._look()
        looks.append(time.thread_time() - started)
    print(f"\n10,000 statistics: {min(looks) * 1000:.1f} ms a look")

    assert min(looks) < 0.1


@virtual
async def test_totals_may_count_from_the_opening() -> None:
    """A total of today begins at zero when it is opened, and again at midnight; a wait does not."""
    simulator = simulate(counts_from="opening")
    floor = simulator.floor
    wire = await Wire(simulator).begin()
    queue = "Support@SIP_Switch"
    total = {"category": "TotalNumber", "subject": "DNAction", "mainMask": "CallEntered"}
    waiting = {"category": "CurrentNumber", "subject": "DNAction", "mainMask": "CallWait"}
    asked = (defined("total", "Queue", queue, **total), defined("now", "Queue", queue, **waiting))

    def shown(answer: Any) -> list[int]:
        return [entry["value"]["intValue"] for entry in answer.json()["data"]["statistics"]]

    before = floor.queues["Support"].day.offered
    assert before > 0
    assert shown(await wire.create(*asked)) == [0, floor.queues["Support"].waiting_count]
    floor.surge("Support", 3)
    await asyncio.sleep(5)
    since = floor.queues["Support"].day.offered - before
    assert since >= 3
    assert shown(await wire.peek())[0] == since
    assert shown(await wire.create(*asked, key="sub-2"))[0] == 0
    simulator.drop_statistics(queue, "CallEntered")
    assert len(shown(await wire.peek())) == 1
