"""Which figure of the floor each statistic of the Genesys simulator is, and what it refuses."""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from exporter.simulators.floor.figures import (
    AFTER_CONTACT_WORK,
    LOGGED_OUT,
    NOT_READY,
    ON_CONTACT,
    ON_HOLD,
    READY,
    RINGING,
    Agent,
    Contact,
)
from exporter.simulators.floor.floor import Floor
from exporter.simulators.genesys.definitions import NAMES
from exporter.simulators.genesys.figures import campaign_actions
from exporter.simulators.genesys.simulator import GenesysSimulator
from exporter.simulators.genesys.world import actions
from support.clock import LoopClock
from support.genesys_wire import LATE_MORNING, MIDNIGHT, Wire, defined, named, virtual

TALK = "CallUnknown,CallConsult,CallInternal,CallOutbound,CallInbound"
LOGGED_IN = "*,~LoggedOut,~NotMonitored"
HOLD = "CallOnHoldInbound,CallOnHoldOutbound,CallOnHoldInternal,CallOnHoldConsult,CallOnHoldUnknown"
QUEUE, GROUP = "Support@SIP_Switch", "Support"
DIALS, DIAL_GROUP = "Renewals", "Renewals@Renewals group"
DIAL_LIST = "Renewals@Renewals list"
LINE = "Main Line queues"
HOUR = {"intervalType": "SlidingWindow", "dynamicTimeProfile": "3600:10"}
# What somebody does on the floor that the tests look at.
_DOING = {
    ("CallOnHold", "CallOnHoldInbound"),
    ("CallInbound",),
    ("CallOutbound",),
    ("NotReadyForNextCall",),
    ("LoggedOut",),
}


@cache
def floor() -> Floor:
    """Return a busy floor that stands still; tests only read it."""
    made = Floor(agents=25, queues=4, campaigns=6, start=MIDNIGHT, load=1.3)
    made.advance(MIDNIGHT + 9.5 * 3600.0)
    for _ in range(9000):  # until noon, when nobody dials
        doing = {actions(agent) for agent in made.agents.values()}
        waiting = [made.queues[name].waiting_count for name in (GROUP, "E-mail")]
        if doing >= _DOING and min(waiting) > 1 and not made.queues[GROUP].idle:
            return made
        made.advance(made.now + 1.0)
    raise AssertionError("never busy enough")


def agents(group: str | None = GROUP) -> list[Agent]:
    return [agent for agent in floor().agents.values() if group is None or group in agent.queues]


def one() -> Agent:
    """Return the agent who has handled most."""
    return max(floor().agents.values(), key=lambda each: each.day.handled)


def simulate(of: Floor | None = None) -> GenesysSimulator:
    return GenesysSimulator(of or floor(), LoopClock(LATE_MORNING))


async def answer(simulator: GenesysSimulator, *asked: dict[str, Any]) -> dict[str, Any]:
    wire = await Wire(simulator).begin()
    body: dict[str, Any] = (await wire.create(*asked)).json()
    return body


async def value(asked: dict[str, Any], of: Floor | None = None) -> Any:
    """Return what a statistic tells: a number, a tree or nothing."""
    body = await answer(simulate(of), asked)
    assert body["data"]["statistics"], body
    told = body["data"]["statistics"][0]["value"]
    if told is None or "stateValue" in told:
        return told and told["stateValue"]
    number = float(told["stringValue"])
    assert told["intValue"] == int(number)
    return number


def statistic(category: str, mask: str | None, kind: str, key: str, **more: Any) -> dict[str, Any]:
    definition = {"category": category, "subject": "DNStatus", **more}
    if mask is not None:
        definition["mainMask"] = mask
    return defined("s", kind, key, **definition)


def number_of(state: str, group: str | None = GROUP) -> int:
    return sum(agent.state == state for agent in agents(group))


def entered(*states: str) -> Callable[[], int]:
    return lambda: sum(one().day.state_entries[state] for state in states)


def seconds(*states: str) -> Callable[[], int]:
    return lambda: int(sum(one().day.state_seconds[state] for state in states))


def talking(direction: str) -> int:
    return sum(
        agent.state == ON_CONTACT
        and agent.contact is not None
        and agent.contact.direction == direction
        for agent in agents(None)
    )


def waits(queue: str = "E-mail") -> list[int]:
    of = floor()
    return [int(of.now - each.arrived) for each in of.queues[queue].waiting.values()]


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        ("WaitForNextCall", lambda: number_of(READY)),
        ("CallRinging,CallDialing", lambda: number_of(RINGING)),
        (TALK, lambda: number_of(ON_CONTACT)),
        ("CallOnHold", lambda: number_of(ON_HOLD)),
        (HOLD, lambda: number_of(ON_HOLD)),
        ("AfterCallWork", lambda: number_of(AFTER_CONTACT_WORK)),
        ("NotReadyForNextCall", lambda: number_of(NOT_READY)),
        ("LoggedOut", lambda: number_of(LOGGED_OUT)),
        ("'*'", lambda: len(agents())),
        ("*,~LoggedOut", lambda: len(agents()) - number_of(LOGGED_OUT)),
        ("~LoggedOut", lambda: len(agents()) - number_of(LOGGED_OUT)),
        ("*, ~CallOnHold", lambda: len(agents()) - number_of(ON_HOLD)),
        ("LoggedIn,OffHook,ASM_Engaged", lambda: 0),
    ],
)
@virtual
async def test_agents_of_a_group(mask: str, expected: Callable[[], int]) -> None:
    """A mask counts the agents who serve a queue by what they do."""
    assert await value(statistic("CurrentNumber", mask, "GroupAgents", GROUP)) == expected()


@pytest.mark.parametrize("direction", ["inbound", "outbound"])
@virtual
async def test_agents_by_direction(direction: str) -> None:
    """Calls of one direction are counted apart, of all agents too."""
    asked = statistic("CurrentNumber", f"Call{direction.title()}", "GroupAgents", "All Agents")

    assert await value(asked) == talking(direction) > 0


@virtual
async def test_logged_in_as_an_action() -> None:
    """As an action LoggedIn goes on beside all others."""
    asked = statistic("CurrentNumber", "LoggedIn", "GroupAgents", GROUP, subject="DNAction")

    assert await value(asked) == len(agents()) - number_of(LOGGED_OUT)


@pytest.mark.parametrize(
    ("category", "expected"),
    [
        ("CurrentMaxTime", max),
        ("CurrentMinTime", min),
        ("CurrentAverageTime", lambda times: round(sum(times) / len(times), 3)),
    ],
)
@virtual
async def test_times_in_a_status(category: str, expected: Callable[[list[int]], float]) -> None:
    """The longest, shortest and mean time of the agents in a status."""
    of = floor()
    times = [int(of.now - agent.since) for agent in agents(None) if agent.state == ON_CONTACT]

    assert await value(statistic(category, TALK, "GroupAgents", "All Agents")) == expected(times)


@pytest.mark.parametrize("category", ["CurrentTime", "CurrentContinuousTime"])
@virtual
async def test_the_time_in_the_present_status(category: str) -> None:
    """An agent's time in a status is that since it began, zero in another one."""
    agent = one()

    present = await value(statistic(category, "*", "Agent", agent.username))
    other = await value(statistic(category, "OffHook", "Agent", agent.username))

    assert (present, other) == (int(floor().now - agent.since), 0)


@virtual
async def test_shares_of_agents() -> None:
    """A present share is of the relative mask, in percent; of nobody it is zero."""
    asked = statistic(
        *("CurrentRelativeNumberPercentage", TALK, "GroupAgents", GROUP), relativeMask="~LoggedOut"
    )
    nobody = statistic(
        *("CurrentRelativeNumberPercentage", TALK, "GroupAgents", GROUP), relativeMask="OffHook"
    )
    there = len(agents()) - number_of(LOGGED_OUT)

    assert await value(asked) == round(100 * number_of(ON_CONTACT) / there, 3)
    assert await value(nobody) == 0


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        ("CallTransferMade", lambda: 0),
        (TALK, lambda: one().day.handled),
        ("CallRinging", entered(RINGING)),
        ("CallOnHold", entered(ON_HOLD)),
        (HOLD, entered(ON_HOLD)),
        ("NotReadyForNextCall,AfterCallWork", entered(NOT_READY, AFTER_CONTACT_WORK)),
    ],
)
@virtual
async def test_numbers_of_an_agent(mask: str, expected: Callable[[], int]) -> None:
    """Numbers since midnight are those that the floor books for the agent."""
    asked = statistic("TotalNumber", mask, "Agent", one().username, subject="DNAction")

    assert await value(asked) == expected()


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        ("CallOnHold", seconds(ON_HOLD)),
        ("CallRinging", seconds(RINGING)),
        ("LoggedOut", seconds(LOGGED_OUT)),
        (
            "*,~LoggedOut,~CallOnHold",
            lambda: int(one().day.login_seconds - one().day.state_seconds[ON_HOLD]),
        ),
    ],
)
@pytest.mark.parametrize("category", ["TotalTime", "TotalAdjustedTime"])
@virtual
async def test_times_of_an_agent(category: str, mask: str, expected: Callable[[], int]) -> None:
    """Times of statuses since midnight are the floor's, with what goes on now."""
    assert await value(statistic(category, mask, "Agent", one().username)) == expected()


@virtual
async def test_an_unfinished_action() -> None:
    """The time of an action counts when it ends, but at once in an adjusted total."""
    of = floor()
    agent = next(each for each in agents(None) if each.state == ON_CONTACT)
    whole = agent.day.state_seconds[ON_CONTACT]
    where = (TALK, "Agent", agent.username)

    finished = await value(statistic("TotalTime", *where, subject="DNAction"))
    adjusted = await value(statistic("TotalAdjustedTime", *where, subject="DNAction"))

    assert finished == int(whole - (of.now - agent.since)) < whole
    assert adjusted == int(whole)


@virtual
async def test_logged_in_time_as_an_action() -> None:
    """The time of the action LoggedIn is the login time."""
    asked = statistic("TotalAdjustedTime", "LoggedIn", "Agent", one().username, subject="DNAction")

    assert await value(asked) == int(one().day.login_seconds)


@virtual
async def test_totals_of_a_group() -> None:
    """A group's total is the sum over its agents."""
    calls = statistic("TotalNumber", TALK, "GroupAgents", GROUP)
    ready = statistic("TotalTime", "WaitForNextCall", "GroupAgents", GROUP)

    assert await value(calls) == sum(agent.day.handled for agent in agents())
    assert await value(ready) == int(sum(each.day.state_seconds[READY] for each in agents()))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("AverageHandlingTime", lambda day: day.talk_seconds + day.after_contact_work_seconds),
        ("Average_Handle_Time", lambda day: day.handle_seconds),
        ("Average_Hold_Time", lambda day: day.hold_seconds),
    ],
)
@virtual
async def test_means_of_an_agent(name: str, expected: Callable[[Any], float]) -> None:
    """Means are of the contacts whose work is done."""
    agent = one()
    asked = named("s", name, "Agent", agent.username)

    assert await value(asked) == round(expected(agent.day) / agent.day.handled, 3)


@virtual
async def test_a_mean_stay() -> None:
    """A mean of another status is its time by the number of entries."""
    agent = max(agents(None), key=lambda each: each.day.state_entries[NOT_READY])
    asked = statistic(
        *("AverageTime", "NotReadyForNextCall", "Agent", agent.username),
        relativeMask="NotReadyForNextCall",
    )
    day = agent.day

    expected = day.state_seconds[NOT_READY] / day.state_entries[NOT_READY]
    assert await value(asked) == round(expected, 3)


@virtual
async def test_productivity() -> None:
    """Calls by the hours of login."""
    agent = one()
    asked = named("s", "Productivity", "Agent", agent.username)

    hours = agent.day.login_seconds / 3600
    assert await value(asked) == round(agent.day.handled / hours, 3)


@virtual
async def test_shares_of_time() -> None:
    """A share of time is of the relative mask, in percent."""
    day = one().day
    asked = statistic(
        *("RelativeTimePercentage", TALK, "Agent", one().username), relativeMask=LOGGED_IN
    )

    assert await value(asked) == round(100 * day.state_seconds[ON_CONTACT] / day.login_seconds, 3)


@pytest.mark.parametrize(
    ("kind", "key", "names"),
    [
        ("RoutePoint", QUEUE, ["Support"]),
        ("GroupAgents", GROUP, ["Support"]),
        ("GroupAgents", "All Agents", ["Support", "Sales", "Chat", "E-mail"]),
        ("GroupQueues", "All Queues", ["Support", "Sales", "Chat", "E-mail"]),
        ("GroupQueues", LINE, ["Support", "E-mail"]),
    ],
)
@virtual
async def test_numbers_of_groups(kind: str, key: str, names: list[str]) -> None:
    """A number of a group is the sum over its queues."""
    of = floor()

    told = await value(statistic("TotalNumber", "CallEntered", kind, key, subject="DNAction"))

    assert told == sum(of.queues[name].day.offered for name in names) > 0


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        ("CallDistributed", lambda day: day.answered),
        ("CallCleared", lambda _: 0),
        ("CallWait", lambda day: day.answered + day.abandoned),
        ("CallAnswered,CallAbandoned", lambda day: day.answered + day.abandoned),
    ],
)
@virtual
async def test_numbers_of_queues(mask: str, expected: Callable[[Any], int]) -> None:
    """Numbers of a queue are the floor's."""
    told = await value(statistic("TotalNumber", mask, "Queue", QUEUE, subject="DNAction"))

    assert told == expected(floor().queues[GROUP].day)


@pytest.mark.parametrize(
    ("category", "expected"),
    [
        ("CurrentMinTime", lambda: min(waits())),
        ("CurrentAverageTime", lambda: round(sum(waits()) / len(waits()), 3)),
    ],
)
@virtual
async def test_present_waits(category: str, expected: Callable[[], float]) -> None:
    """The longest, shortest and mean of the waits that go on."""
    asked = statistic(category, "CallWait", "Queue", "E-mail@SIP_Switch")

    assert await value(asked) == expected()


@virtual
async def test_present_waits_in_a_range() -> None:
    """Waits of a range are counted, and their share of all that go on."""
    limit = max(waits())
    ranges = {"timeRangeLeft": 0, "timeRangeRight": limit}
    where = ("CallWait", "Queue", "E-mail@SIP_Switch")
    within = sum(wait < limit for wait in waits())

    assert await value(statistic("CurrentNumberInTimeRange", *where, **ranges)) == within
    assert await value(statistic("CurrentNumberInTimeRangePercentage", *where, **ranges)) == round(
        100 * within / len(waits()), 3
    )


@virtual
async def test_waits_of_the_day() -> None:
    """Totals and means of waits are of those who were answered; the longest is of all."""
    day = floor().queues["Support"].day
    mean = round(day.answer_wait_seconds / day.answered, 3)

    assert await value(statistic("TotalTime", "CallWait", "Queue", QUEUE)) == int(
        day.answer_wait_seconds
    )
    assert await value(named("s", "AverageWaitingTime", "Queue", QUEUE)) == mean
    assert (
        await value(
            statistic("AverageTime", "CallAnswered", "Queue", QUEUE, relativeMask="CallAnswered")
        )
        == mean
    )
    assert await value(statistic("MaxTime", "CallWait", "Queue", QUEUE)) == int(
        day.longest_wait_seconds
    )


@virtual
async def test_answered_in_time() -> None:
    """A range from zero is the queue's threshold; its share is of all that were answered."""
    day = floor().queues["Support"].day
    ranges = {"timeRangeLeft": 0, "timeRangeRight": "20"}
    where = ("CallAnswered", "Queue", QUEUE)

    assert await value(statistic("TotalNumberInTimeRange", *where, **ranges)) == (
        day.answered_within_threshold
    )
    assert await value(statistic("TotalNumberInTimeRangePercentage", *where, **ranges)) == round(
        100 * day.answered_within_threshold / day.answered, 3
    )
    assert (
        await value(statistic("TotalNumberInTimeRange", "CallAbandoned", "Queue", QUEUE, **ranges))
        == day.short_abandoned
    )


@virtual
async def test_service_levels() -> None:
    """A service factor discounts those who soon gave up where it has a range for them."""
    day = floor().queues["Support"].day
    top, all_ended = 100 * day.answered_within_threshold, day.answered + day.abandoned
    strict = defined(
        *("s", "Queue", QUEUE),
        category="ServiceFactor1",
        subject="DNAction",
        mainMask="CallAnswered",
        **HOUR,
        timeRangeRight=20,
    )

    for name in ("ServiceLevel", "Service_Level"):
        told = await value(named("s", name, "Queue", QUEUE))
        assert told == round(top / (all_ended - day.short_abandoned), 3)
    assert await value(named("s", "ServiceLevel", "GroupAgents", GROUP)) == told
    assert await value(strict) == round(top / all_ended, 3)


@pytest.mark.parametrize(
    ("category", "scale"), [("RelativeNumber", 1), ("RelativeNumberPercentage", 100)]
)
@virtual
async def test_shares_of_calls(category: str, scale: int) -> None:
    """A share of calls is that of two numbers."""
    day = floor().queues["Support"].day
    asked = statistic(category, "CallAbandoned", "Queue", QUEUE, relativeMask="CallEntered")

    assert await value(asked) == round(scale * day.abandoned / day.offered, 3)


@virtual
async def test_estimates_at_the_ends() -> None:
    """With somebody ready the estimate is zero; with nobody there is none."""
    small = Floor(agents=2, queues=1, campaigns=0, start=MIDNIGHT, load=0.0)
    asked = named("s", "ExpectedWaitTime", "Queue", QUEUE)

    at_night = await value(asked, small)
    small.advance(LATE_MORNING)

    assert at_night is None
    assert small.queues["Support"].idle
    assert await value(asked, small) == 0


@pytest.mark.parametrize("kind", ["Campaign", "CampaignGroup"])
@virtual
async def test_campaigns(kind: str) -> None:
    """A campaign's status counts one while it lasts, with its dial mode and what it lacks."""
    campaign = floor().campaigns[DIALS]
    key = DIALS if kind == "Campaign" else DIAL_GROUP
    doing = campaign_actions(campaign)
    assert doing[:2] == ("StatusRunning", "Predict")

    for mask in ("StatusRunning", "StatusActivated", "StatusWaitingAgents", "Predict", "NoDial"):
        asked = statistic("CurrentNumber", mask, kind, key, subject="CampaignAction")
        assert await value(asked) == int(mask in doing)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("starting", ("StatusActivated", "NoDial")),
        ("stopping", ("StatusActivated", "NoDial")),
        ("stopped", ("StatusDeactivated", "NoDial")),
        ("resetting", ("StatusDeactivated", "NoDial")),
    ],
)
def test_statuses_of_campaigns(state: str, expected: tuple[str, ...]) -> None:
    """A campaign is running, loaded without dialling, or not loaded."""
    other = Floor(agents=5, queues=1, campaigns=6, start=MIDNIGHT).campaigns[DIALS]
    other.state = state

    assert campaign_actions(other) == expected


def test_what_campaigns_lack() -> None:
    """A running campaign waits for records when there are none, and for agents if it has any."""
    other = Floor(agents=5, queues=1, campaigns=6, start=MIDNIGHT).campaigns
    for campaign in other.values():
        campaign.state = "running"
    other[DIALS].records.available = 0

    assert campaign_actions(other[DIALS])[2:] == ("StatusWaitingRecords", "StatusWaitingAgents")
    assert campaign_actions(other["Win-back"])[1:] == ("Preview", "StatusWaitingAgents")
    assert campaign_actions(other["Reminders"])[1:] == ("PowerGVP",)


@virtual
async def test_times_of_campaigns() -> None:
    """The time in a campaign's status is since it began, zero in another one."""
    campaign = floor().campaigns[DIALS]
    where = ("Campaign", DIALS)
    running = statistic("CurrentTime", "StatusRunning", *where, subject="CampaignAction")
    idle = statistic("CurrentTime", "StatusDeactivated", *where, subject="CampaignAction")

    assert await value(running) == int(floor().now - campaign.since)
    assert await value(idle) == 0


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("Campaign", DIALS),
        ("CampaignGroup", DIAL_GROUP),
        ("CallingList", f"{DIALS} list"),
        ("CampaignCallingList", DIAL_LIST),
    ],
)
@virtual
async def test_leads(kind: str, key: str) -> None:
    """Leads processed are what came out today, or in the clock minutes of a sliding window."""
    of = floor()
    where = ("TotalNumber", "LeadProcessed", kind, key)
    sliding = {"intervalType": "SlidingWindow", "dynamicTimeProfile": "600:10"}

    today = await value(statistic(*where, subject="CampaignAction"))
    lately = await value(statistic(*where, subject="CampaignAction", **sliding))

    assert today == of.campaigns[DIALS].day.dispositioned > lately
    assert lately == of.campaign_window(DIALS, 600.0).dispositioned


@virtual
async def test_state_trees() -> None:
    """A state tree is as deep as its subject, with epoch seconds; who is out has no place."""
    agent = next(each for each in agents(None) if each.state == ON_HOLD)
    out = next(each for each in agents(None) if each.state == LOGGED_OUT)
    assert agent.contact is not None
    common = {"status": 13, "time": int(agent.since)}
    action = {
        "action": "CallOnHoldInbound",
        "time": int(agent.since),
        "connectionId": f"{agent.contact.id:016X}",
    }
    line = {"dnId": str(agent.id), "switchId": "SIP_Switch", **common}
    place = {"placeId": f"Place_{agent.id}", **common}
    top = {"agentId": agent.username, "loginId": str(agent.id), **common}
    expected = {
        "AgentStatus": top,
        "PlaceStatus": {**top, "place": place},
        "DNStatus": {**top, "place": {**place, "dnStatuses": [line]}},
        "DNAction": {
            **top,
            "place": {**place, "dnStatuses": [{**line, "actions": [action]}]},
        },
    }

    for subject, tree in expected.items():
        asked = statistic("CurrentState", "*", "Agent", agent.username, subject=subject)
        assert await value(asked) == tree
    asked = statistic("CurrentState", "*", "Agent", out.username, subject="DNAction")
    assert await value(asked) == {
        "agentId": out.username,
        "loginId": str(out.id),
        "status": 23,
        "time": int(out.since),
    }


@virtual
async def test_the_action_of_an_idle_agent() -> None:
    """An action without a call has no connection."""
    agent = next(each for each in agents(None) if each.state == NOT_READY)
    asked = statistic("CurrentState", "*", "Agent", agent.username, subject="DNAction")

    tree = await value(asked)

    (action,) = tree["place"]["dnStatuses"][0]["actions"]
    assert action == {"action": "NotReadyForNextCall", "time": int(agent.since)}


@virtual
async def test_group_trees() -> None:
    """A group's tree has its agents."""
    tree = await value(named("s", "CurrentAllAgentState", "GroupAgents", GROUP))

    assert (tree["groupId"], tree["agentCount"]) == (GROUP, len(agents()))
    assert [agent["agentId"] for agent in tree["agents"]] == [each.username for each in agents()]


@virtual
async def test_all_names() -> None:
    """Each configured name is evaluated at each of its types, but for what the floor lacks."""
    simulator = simulate()
    ids = {kind: keys[0] for kind, keys in simulator.objects().items()}
    asked = [
        named(f"{name}/{kind}", name, kind, ids[kind])
        for name, (kinds, _) in NAMES.items()
        for kind in kinds
    ]

    body = await answer(simulator, *asked)

    assert len(NAMES) == 47
    assert [error["status"]["message"] for error in body["errors"]] == [
        "RefusedCalls/Agent: The action is not counted for agents"
    ]


def test_objects() -> None:
    """The objects are those of the floor, by type, with the groups made of them."""
    of = floor()

    objects = simulate().objects()

    queues = [f"{name}@SIP_Switch" for name in of.queues]
    assert objects == {
        "Agent": list(of.agents),
        "GroupAgents": ["All Agents", *of.queues],
        "Queue": queues,
        "RoutePoint": queues,
        "GroupQueues": [
            *("All Queues", "Main Line queues", "Service Line queues", "Partner Line queues"),
        ],
        "Campaign": ["Renewals", "Win-back", "Reminders"],
        "CampaignGroup": [f"{name}@{name} group" for name in ("Renewals", "Win-back", "Reminders")],
        "CallingList": ["Renewals list", "Win-back list", "Reminders list"],
        "CampaignCallingList": [
            f"{name}@{name} list" for name in ("Renewals", "Win-back", "Reminders")
        ],
    }


CALLS = {"category": "TotalNumber", "subject": "DNAction", "mainMask": "CallAnswered"}
READY_NOW = {"category": "CurrentNumber", "subject": "DNStatus", "mainMask": "WaitForNextCall"}
WAITING = {**READY_NOW, "mainMask": "CallWait"}
WAITS = {
    "category": "ExpectedWaitTime2",
    "subject": "DNAction",
    "mainMask": "CallWait",
    **HOUR,
}
LEADS = {"subject": "CampaignAction", "mainMask": "LeadProcessed"}
RUNNING = {"category": "CurrentNumber", "subject": "CampaignAction", "mainMask": "StatusRunning"}


@pytest.mark.parametrize(
    ("kind", "key", "definition", "reason"),
    [
        ("Queue", QUEUE, {**CALLS, "category": "Total"}, "Unknown category Total"),
        ("Queue", QUEUE, {**CALLS, "category": "totalnumber"}, "Unknown category totalnumber"),
        ("Queue", QUEUE, {"mainMask": "CallWait"}, "category is missing"),
        ("Queue", QUEUE, {**CALLS, "subject": "Queue"}, "Unknown subject Queue"),
        ("Queue", QUEUE, {**CALLS, "mainMask": "CallSeen"}, "Unknown action 'CallSeen'"),
        ("Queue", QUEUE, {**CALLS, "mainMask": "callwait"}, "Unknown action 'callwait'"),
        ("Queue", QUEUE, {**CALLS, "mainMask": None}, "mainMask is missing"),
        (
            *("Queue", QUEUE),
            {**CALLS, "mainMask": None, "relativeMask": "CallWait"},
            "relativeMask without mainMask",
        ),
        ("Queue", QUEUE, {**CALLS, "notificationMode": "Often"}, "Unknown notificationMode"),
        ("Queue", QUEUE, {**CALLS, "insensitivity": -1}, "Bad insensitivity"),
        ("Queue", QUEUE, {**CALLS, "insensitivity": True}, "Bad insensitivity"),
        ("Queue", QUEUE, {**CALLS, "notificationFrequency": "x"}, "Bad notificationFrequency"),
        ("Queue", QUEUE, {**CALLS, "maskType": "Place"}, "Unknown maskType"),
        ("Queue", QUEUE, {**CALLS, "dynamicFilter": "x"}, "Unknown filter"),
        ("Queue", QUEUE, {**CALLS, "objects": "Agents"}, "Unknown objects"),
        ("Queue", QUEUE, {**CALLS, "saveHistory": True}, "Unknown attribute saveHistory"),
        ("Queue", QUEUE, {**CALLS, "intervalType": "Window"}, "Unknown intervalType"),
        ("Queue", QUEUE, {**CALLS, "intervalType": "SinceLogin"}, "Cannot apply time profile"),
        ("Queue", QUEUE, {**CALLS, "dynamicTimeProfile": "8:00"}, "Cannot apply time profile"),
        ("Queue", QUEUE, {**CALLS, "intervalType": "SlidingWindow"}, "Cannot apply time profile"),
        ("Queue", QUEUE, READY_NOW, "WaitForNextCall does not occur at queues"),
        ("Queue", QUEUE, {**CALLS, "mainMask": "*"}, "All actions of a queue"),
        ("Queue", QUEUE, {**CALLS, "mainMask": "DNReady"}, "DNReady is not counted"),
        ("Queue", QUEUE, {**CALLS, "category": "CurrentNumber"}, "CallWait alone"),
        ("Queue", QUEUE, {**WAITING, "category": "CurrentTime"}, "not supported for queues"),
        ("Queue", QUEUE, {**WAITING, "category": "MinTime"}, "not supported for queues"),
        (
            *("Queue", QUEUE),
            {**WAITING, "category": "TotalTime", "mainMask": "CallAbandoned"},
            "Times are kept",
        ),
        ("Queue", QUEUE, {**WAITING, "category": "AverageTime"}, "the same mask twice"),
        (
            *("Queue", QUEUE),
            {**CALLS, "category": "RelativeNumber"},
            "Action  is not counted",
        ),
        (
            *("Queue", QUEUE),
            {**CALLS, "category": "TotalNumberInTimeRange", "timeRangeLeft": 5},
            "has to begin at 0",
        ),
        (
            *("Queue", QUEUE),
            {**WAITING, "category": "CurrentNumberInTimeRange"},
            "timeRangeRight is missing",
        ),
        (
            *("Queue", QUEUE),
            {
                **CALLS,
                "category": "ServiceFactor1",
                **HOUR,
                "timeRangeRight": 5,
                "timeRangeRight2": 0,
            },
            "has to begin at 0",
        ),
        (
            *("Queue", QUEUE),
            {**CALLS, **HOUR, "category": "ServiceFactor1", "mainMask": None},
            "needs CallAnswered in its mainMask",
        ),
        ("Queue", QUEUE, {**CALLS, "category": "ServiceFactor1"}, "needs an interval"),
        ("Queue", QUEUE, {**WAITS, "subject": "DNStatus"}, "needs the subject DNAction"),
        ("Queue", QUEUE, {**WAITS, "mainMask": "CallAnswered"}, "needs CallWait in its mainMask"),
        (
            *("RoutePoint", QUEUE),
            {
                **WAITS,
                "category": "EstimWaitTime",
                "intervalType": None,
                "dynamicTimeProfile": None,
            },
            "needs an interval",
        ),
        ("Agent", "nobody", WAITS, "is not for Agent"),
        ("GroupAgents", GROUP, WAITS, "is not for GroupAgents"),
        ("Queue", "Support", CALLS, "Object Support of type Queue not found"),
        ("Queue", "Support@Other", CALLS, "not found"),
        ("Queue", "Nothing@SIP_Switch", CALLS, "not found"),
        ("GroupQueues", "Support", CALLS, "not found"),
        ("GroupQueues", "Renewals queues", CALLS, "not found"),
        ("GroupAgents", "Nobody", CALLS, "not found"),
        ("GroupAgents", "Nobody", READY_NOW, "not found"),
        ("Agent", "nobody", READY_NOW, "not found"),
        ("Place", "x", READY_NOW, "Unknown objectType Place"),
        ("AgentPlace", "Place_1001", READY_NOW, "not found"),
        ("Agent", None, READY_NOW, "objectType and objectId are required"),
        ("Agent", "ada.adler@acme.example", WAITING, "CallWait does not occur at agents"),
        (
            *("Agent", "ada.adler@acme.example"),
            {**READY_NOW, "subject": "GroupStatus"},
            "GroupStatus is not for Agent",
        ),
        (
            *("Agent", "ada.adler@acme.example"),
            {**READY_NOW, "subject": "CampaignAction"},
            "CampaignAction is not for Agent",
        ),
        (
            *("Agent", "ada.adler@acme.example"),
            {**READY_NOW, "category": "CurrentStateReasons"},
            "not supported for these objects",
        ),
        (
            *("Agent", "ada.adler@acme.example"),
            {**READY_NOW, "category": "MaxTime"},
            "not supported for agents",
        ),
        (
            *("Agent", "ada.adler@acme.example"),
            {**READY_NOW, "category": "TotalTime", "mainMask": "CallInbound"},
            "not kept by direction",
        ),
        (
            *("Agent", "ada.adler@acme.example"),
            {**READY_NOW, "category": "TotalTime", "mainMask": "CallOnHoldInbound"},
            "not kept by direction",
        ),
        (
            *("Agent", "ada.adler@acme.example"),
            {**READY_NOW, "category": "TotalNumber", "mainMask": "LoggedIn"},
            "not counted for agents",
        ),
        ("Campaign", "Main Line", WAITING, "campaign actions alone"),
        (
            *("Campaign", "Main Line"),
            {**READY_NOW, "subject": "CampaignAction", "mainMask": "StatusRunning"},
            "not found",
        ),
        (
            *("CampaignGroup", "Renewals"),
            {**READY_NOW, "subject": "CampaignAction", "mainMask": "StatusRunning"},
            "not found",
        ),
        (
            *("Campaign", DIALS),
            {**READY_NOW, "subject": "CampaignAction", "mainMask": "LeadProcessed"},
            "not supported for campaigns",
        ),
        (
            *("Campaign", DIALS),
            {
                **CALLS,
                "subject": "CampaignAction",
                "mainMask": "LeadProcessed",
                "intervalType": "SlidingWindow",
                "dynamicProfile": "10801:10",
            },
            "window is too long",
        ),
        ("CallingList", f"{DIALS} list", RUNNING, "not for CallingList"),
        ("CampaignCallingList", DIAL_LIST, RUNNING, "not for CampaignCallingList"),
        ("CampaignCallingList", DIAL_LIST, {**RUNNING, "mainMask": "Predict"}, "not for"),
        ("CampaignGroup", DIALS, RUNNING, "not found"),
        ("CampaignGroup", DIAL_LIST, RUNNING, "not found"),
        ("CallingList", DIALS, {**CALLS, **LEADS}, "not found"),
        ("CampaignCallingList", f"{DIALS} list", {**CALLS, **LEADS}, "not found"),
    ],
)
@virtual
async def test_refusals(kind: str, key: Any, definition: dict[str, Any], reason: str) -> None:
    """What cannot be evaluated is refused, with the reason."""
    asked = defined("s", kind, key, **{k: v for k, v in definition.items() if v is not None})

    body = await answer(simulate(), asked)

    assert body["data"]["statistics"] == []
    assert reason in body["errors"][0]["status"]["message"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"definition": None, "name": None}, "Either name or definition"),
        ({"name": "InboundCalls"}, "Either name or definition"),
        ({"definition": "x"}, "not an object"),
        ({"definition": None, "name": "inboundcalls"}, "Unknown statistic inboundcalls"),
        ({"definition": None, "name": "Total_Answered"}, "is not for Agent"),
        ({"statisticId": None}, "statisticId is required"),
    ],
)
@virtual
async def test_bad_descriptions(change: dict[str, Any], reason: str) -> None:
    """A statistic has an id, and either a name of its object type or a definition."""
    description = {**defined("s", "Agent", one().username, **READY_NOW), **change}
    asked = {name: each for name, each in description.items() if each is not None}

    body = await answer(simulate(), asked)

    assert reason in body["errors"][0]["status"]["message"]


@virtual
async def test_ids_are_unique() -> None:
    """A second statistic of one id is refused."""
    asked = defined("s", "Agent", one().username, **READY_NOW)

    body = await answer(simulate(), asked, asked)

    assert len(body["data"]["statistics"]) == 1
    assert "Duplicate" in body["errors"][0]["status"]["message"]


@virtual
async def test_previews_are_outbound_calls() -> None:
    """An agent who looks at a record, or has it dialled, is in an outbound call."""
    small = Floor(agents=2, queues=1, campaigns=0, start=MIDNIGHT, load=0.0)
    small.advance(LATE_MORNING)
    agent = next(each for each in small.agents.values() if each.state == READY)
    agent.contact = Contact(1, "voice", "outbound", small.now, previewed=True)
    agent.state = ON_CONTACT

    tree = await value(
        statistic("CurrentState", "*", "Agent", agent.username, subject="AgentStatus"), small
    )

    assert tree["status"] == 21
