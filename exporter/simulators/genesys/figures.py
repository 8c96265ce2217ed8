"""Values of statistics: compiles a definition at an object into a function of the floor.

Totals restart at local midnight. The floor keeps days and no shorter window of agents and queues,
so that a sliding window is evaluated over the day; of campaigns it keeps minutes, three hours of
them. Of queues it keeps the waits of answered contacts and one threshold: a time range from zero
is evaluated as that threshold. A ringing contact still waits, so that it is distributed and
answered at one instant. An agent's contact is counted when its work is done. Consultations,
transfers and forwarded calls do not occur and count zero; what the floor does not count at all is
refused: log-ins, calls abandoned while they rang, times of calls of one direction.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from exporter.simulators.floor.figures import (
    AFTER_CONTACT_WORK,
    LOGGED_OUT,
    NOT_READY,
    ON_CONTACT,
    ON_HOLD,
    READY,
    RINGING,
    STATES,
    WINDOW_MINUTES,
    Agent,
    AgentDay,
    Campaign,
    CampaignTotals,
    Queue,
    QueueDay,
)
from exporter.simulators.genesys.definitions import (
    AGENT_ACTIONS,
    CAMPAIGN_ACTIONS,
    CONDITIONS,
    HOLDS,
    OBJECT_TYPES,
    QUEUE_ACTIONS,
    WAITS,
    Definition,
    Mask,
    RefusedError,
)
from exporter.simulators.genesys.world import (
    GoneError,
    World,
    actions,
    agent_state,
    group_state,
    speller,
)

Value = float | None
Compute = Callable[[], Value]
_SINGLE = {
    "WaitForNextCall": READY,
    "CallRinging": RINGING,
    "AfterCallWork": AFTER_CONTACT_WORK,
    "NotReadyForNextCall": NOT_READY,
    "LoggedOut": LOGGED_OUT,
}
_TALKS = ("CallInbound", "CallOutbound", "CallInternal")
_AGENT_NUMBERS: dict[str, Callable[[AgentDay], int]] = {
    "CallInbound": lambda day: day.inbound + day.voicemails,
    "CallOutbound": lambda day: day.outbound + day.manual,
    "CallInternal": lambda day: day.internal,
}
_UNCOUNTED_ACTIONS = ("LoggedIn", "CallAbandonedFromRinging")
_HOUR = 3600.0
_PERCENT = 100.0


def compile_agents(
    world: World, definition: Definition, members: Callable[[], Iterable[Agent]], group: str | None
) -> Compute:
    """Return the function for a number of agents; raises ``RefusedError``."""
    for mask in (definition.main, definition.relative):
        foreign = (mask.named | mask.without) - AGENT_ACTIONS
        if foreign:
            raise RefusedError(f"Action {min(foreign)} does not occur at agents")
    if definition.category.startswith("Current"):
        return _current_of_agents(world, definition, members, group)
    return _historical_of_agents(world, definition, members)


def _current_of_agents(
    world: World, definition: Definition, members: Callable[[], Iterable[Agent]], group: str | None
) -> Compute:
    category = definition.category
    main, relative = _adjusted(definition.main, definition), definition.relative

    def count(mask: Mask) -> int:
        if group is not None:
            doing = world.doing(group).items()
            return sum(number for what, number in doing if mask.meets(what))
        return sum(mask.meets(actions(agent)) for agent in members())

    def times() -> list[float]:
        now = world.floor.now
        return [float(int(now - agent.since)) for agent in members() if main.meets(actions(agent))]

    computes: dict[str, Compute] = {
        "CurrentNumber": lambda: count(main),
        "CurrentRelativeNumberPercentage": lambda: _ratio(_PERCENT * count(main), count(relative)),
        "CurrentMaxTime": lambda: max(times(), default=0.0),
        "CurrentMinTime": lambda: min(times(), default=0.0),
        "CurrentAverageTime": lambda: _mean(times()),
    }
    if group is None:
        computes["CurrentTime"] = computes["CurrentContinuousTime"] = computes["CurrentMaxTime"]
    return _chosen(computes, category)


def _adjusted(mask: Mask, definition: Definition) -> Mask:
    """Replace the action LoggedIn by "not LoggedOut"; as a status it has a low priority."""
    if definition.subject == "DNAction" and "LoggedIn" in mask.named:
        return Mask(frozenset(), mask.without | {"LoggedOut"}, every=True)
    return mask


def _historical_of_agents(
    world: World, definition: Definition, members: Callable[[], Iterable[Agent]]
) -> Compute:
    category = definition.category
    main, relative = definition.main, definition.relative
    if category in ("TotalNumber", "TotalAdjustedNumber"):
        number = _number(main)
        return lambda: sum(number(agent.day) for agent in members())
    if category in ("TotalTime", "TotalAdjustedTime"):
        states = _states(_adjusted(main, definition))
        # The time of an action that goes on counts when it ends, except in adjusted totals.
        finished = category == "TotalTime" and definition.subject == "DNAction"
        return lambda: float(
            int(sum(_time(world, agent, states, finished=finished) for agent in members()))
        )
    if category == "AverageTime":
        spent, number = _booked(world, main), _number(relative)
        return lambda: _quotient(members(), spent, number)
    if category == "AverageNumberPerRelativeHour":
        number, states = _number(main), _states(_adjusted(relative, definition))

        def hours(agent: Agent) -> float:
            return _time(world, agent, states) / _HOUR

        return lambda: _ratio(
            sum(number(agent.day) for agent in members()), sum(map(hours, members()))
        )
    if category == "RelativeTimePercentage":
        top, bottom = _states(_adjusted(main, definition)), _states(_adjusted(relative, definition))
        return lambda: _ratio(
            _PERCENT * sum(_time(world, agent, top) for agent in members()),
            sum(_time(world, agent, bottom) for agent in members()),
        )
    raise RefusedError(f"Category {category} is not supported for agents")


def _time(world: World, agent: Agent, states: tuple[str, ...], *, finished: bool = False) -> float:
    """Return today's seconds in some states, without the present stay if ``finished``."""
    seconds = world.seconds(agent)
    total = sum(seconds[state] for state in states)
    if finished and agent.state in states:
        total -= world.floor.now - max(agent.since, agent.day.began)
    return total


def _quotient(
    members: Iterable[Agent],
    spent: Callable[[Agent], float],
    number: Callable[[AgentDay], int],
) -> float:
    agents = list(members)
    return _ratio(sum(map(spent, agents)), sum(number(agent.day) for agent in agents))


def _number(mask: Mask) -> Callable[[AgentDay], int]:
    """Return the function that counts the actions of a mask in a day."""
    if not mask.every and any(name in mask.named for name in _UNCOUNTED_ACTIONS):
        raise RefusedError("The action is not counted for agents")
    states = [_SINGLE[name] for name in _SINGLE if name in mask]
    states += [ON_HOLD] if _holds(mask) else []
    talks = [_AGENT_NUMBERS[name] for name in _TALKS if name in mask]
    return lambda day: (
        sum(talk(day) for talk in talks) + sum(day.state_entries[state] for state in states)
    )


def _states(mask: Mask) -> tuple[str, ...]:
    """Return the floor's states of a mask."""
    talks = [name in mask for name in _TALKS]
    if any(talks) and not all(talks):
        raise RefusedError("The time of calls is not kept by direction")
    states = {_SINGLE[name] for name in _SINGLE if name in mask}
    states |= {ON_CONTACT} if all(talks) else set()
    states |= {ON_HOLD} if _holds(mask) else set()
    return tuple(state for state in STATES if state in states)


def _holds(mask: Mask) -> bool:
    """Return whether a mask includes holds, by status or by the actions of all directions."""
    kinds = [name in mask for name in HOLDS]
    if mask.every:
        return mask.without.isdisjoint(("CallOnHold", *HOLDS))
    if "CallOnHold" in mask:
        return True
    if any(kinds) and not all(kinds):
        raise RefusedError("Holds are not kept by direction")
    return all(kinds)


def _booked(world: World, mask: Mask) -> Callable[[Agent], float]:
    """Return the function for the time of a mean: of contacts whose work is done."""
    states = _states(mask)
    booked = (ON_CONTACT, ON_HOLD, AFTER_CONTACT_WORK)
    others = tuple(state for state in states if state not in booked)

    def spent(agent: Agent) -> float:
        day = agent.day
        return (
            day.talk_seconds * (ON_CONTACT in states)
            + day.hold_seconds * (ON_HOLD in states)
            + day.after_contact_work_seconds * (AFTER_CONTACT_WORK in states)
            + _time(world, agent, others)
        )

    return spent


def _chosen(computes: dict[str, Compute], category: str) -> Compute:
    if category not in computes:
        raise RefusedError(f"Category {category} is not supported for these objects")
    return computes[category]


def _ratio(top: float, bottom: float) -> float:
    """Return a ratio, zero if the divisor is zero, as the Stat Server does."""
    return round(top / bottom, 3) if bottom else 0.0


def _mean(times: list[float]) -> float:
    return _ratio(sum(times), len(times))


Queues = Callable[[], list[Queue]]
_QUEUE_NUMBERS: dict[str, Callable[[QueueDay], int]] = {
    "CallWait": lambda day: day.answered + day.abandoned,  # waits that have ended
    "CallEntered": lambda day: day.offered,
    "CallDistributed": lambda day: day.answered,
    "CallAnswered": lambda day: day.answered,
    "CallAbandoned": lambda day: day.abandoned,
    "CallReleased": lambda day: day.handled,  # the contact and the work after it are done
    "CallCleared": lambda _: 0,  # no call is taken out of a queue, or forwarded
    "CallForwarded": lambda _: 0,
}
_IN_RANGE: dict[str, Callable[[QueueDay], int]] = {
    "CallAnswered": lambda day: day.answered_within_threshold,
    "CallDistributed": lambda day: day.answered_within_threshold,
    "CallAbandoned": lambda day: day.short_abandoned,
}
_WAITED = ("CallWait", "CallAnswered", "CallDistributed")  # with the wait as their time


def compile_queues(world: World, definition: Definition, queues: Queues) -> Compute:
    """Return the function for a number of queues; raises ``RefusedError``."""
    for mask in (definition.main, definition.relative):
        foreign = (mask.named | mask.without) - QUEUE_ACTIONS
        if foreign:
            raise RefusedError(f"Action {min(foreign)} does not occur at queues")
        if mask.every:
            raise RefusedError("All actions of a queue have no common number")
    category = definition.category
    if category.startswith("Current"):
        return _current_of_queues(world, definition, queues)
    if category in WAITS:
        return lambda: _estimate(queues())
    return _historical_of_queues(definition, queues)


def _current_of_queues(world: World, definition: Definition, queues: Queues) -> Compute:
    if definition.main.named != {"CallWait"}:
        raise RefusedError("CallWait alone is a present action of a queue")

    def waits() -> list[float]:
        now = world.floor.now
        return [
            float(int(now - contact.arrived))
            for queue in queues()
            for contact in queue.waiting.values()
        ]

    def within() -> int:
        left, right = _range(definition)
        return sum(left <= wait < right for wait in waits())

    computes: dict[str, Compute] = {
        "CurrentNumber": lambda: sum(queue.waiting_count for queue in queues()),
        "CurrentMaxTime": lambda: max((int(queue.longest_wait) for queue in queues()), default=0),
        "CurrentMinTime": lambda: min(waits(), default=0.0),
        "CurrentAverageTime": lambda: _mean(waits()),
        "CurrentNumberInTimeRange": within,
        "CurrentNumberInTimeRangePercentage": lambda: _ratio(_PERCENT * within(), len(waits())),
    }
    if "TimeRange" in definition.category:
        _range(definition)
    if definition.category not in computes:
        raise RefusedError(f"Category {definition.category} is not supported for queues")
    return computes[definition.category]


def _historical_of_queues(definition: Definition, queues: Queues) -> Compute:
    main, relative, category = definition.main, definition.relative, definition.category
    if category == "ServiceFactor1":
        return _service_factor(definition, queues)
    if category in ("TotalNumber", "TotalAdjustedNumber"):
        return _sum(queues, _numbers(main, _QUEUE_NUMBERS))
    if category in ("RelativeNumber", "RelativeNumberPercentage"):
        top, bottom = (
            _sum(queues, _numbers(main, _QUEUE_NUMBERS)),
            _sum(queues, _numbers(relative, _QUEUE_NUMBERS)),
        )
        scale = _PERCENT if category.endswith("Percentage") else 1.0
        return lambda: _ratio(scale * top(), bottom())
    if category.startswith("TotalNumberInTimeRange"):
        _from_zero(definition.ranges[0], definition.ranges[1])
        inside = _sum(queues, _numbers(main, _IN_RANGE))
        if category == "TotalNumberInTimeRange":
            return inside
        everything = _sum(queues, _numbers(main, _QUEUE_NUMBERS))
        return lambda: _ratio(_PERCENT * inside(), everything())
    return _times(definition, queues)


def _times(definition: Definition, queues: Queues) -> Compute:
    """Return the function for wait times; of abandoned calls only the longest is kept."""
    main, category = definition.main, definition.category
    if len(main.named) != 1 or not main.named <= set(_WAITED):
        raise RefusedError("Times are kept of CallWait, CallAnswered and CallDistributed alone")
    waited = _sum(queues, [lambda day: day.answer_wait_seconds])
    answered = _sum(queues, [lambda day: day.answered])
    match category:
        case "TotalTime" | "TotalAdjustedTime":
            return lambda: float(int(waited()))
        case "AverageTime":
            if definition.relative.named != main.named:
                raise RefusedError("A mean wait needs the same mask twice")
            return lambda: _ratio(waited(), answered())
        case "MaxTime" if "CallWait" in main:
            return lambda: max(
                (int(queue.day.longest_wait_seconds) for queue in queues()), default=0
            )
    raise RefusedError(f"Category {category} is not supported for queues")


def _service_factor(definition: Definition, queues: Queues) -> Compute:
    """Return the function for the share answered in time, short abandons excluded on request."""
    left, right, left2, right2 = definition.ranges
    _from_zero(left, right)
    discounts = right2 is not None
    if discounts:
        _from_zero(left2, right2)
    in_time = _sum(queues, [lambda day: day.answered_within_threshold])
    ended = _sum(
        queues,
        [lambda day: day.answered + day.abandoned - (day.short_abandoned if discounts else 0)],
    )
    return lambda: _ratio(_PERCENT * in_time(), ended())


def _estimate(queues: list[Queue]) -> float | None:
    """Return the estimated wait, from the mean handling time and the staffed agents.

    Zero if an agent is ready; None without staffed agents or handled contacts.
    """
    if any(queue.idle for queue in queues):
        return 0.0
    states = [queue.agent_states for queue in queues]
    staffed = sum(
        sum(counts.values()) - counts[LOGGED_OUT] - counts[NOT_READY] for counts in states
    )
    handled = sum(queue.day.handled for queue in queues)
    if not staffed or not handled:
        return None
    mean = sum(queue.day.handle_seconds for queue in queues) / handled
    return _ratio((sum(queue.waiting_count for queue in queues) + 1) * mean, staffed)


def _numbers(
    mask: Mask, known: dict[str, Callable[[QueueDay], int]]
) -> list[Callable[[QueueDay], float]]:
    unknown = mask.named - set(known)
    if unknown or not mask.named:
        raise RefusedError(f"Action {min(unknown, default='')} is not counted at queues")
    return [known[name] for name in sorted(mask.named)]


def _sum(queues: Queues, figures: list[Callable[[QueueDay], float]]) -> Callable[[], float]:
    return lambda: sum(figure(queue.day) for queue in queues() for figure in figures)


def _range(definition: Definition) -> tuple[float, float]:
    left, right = definition.ranges[:2]
    if right is None or right <= (left or 0.0):
        raise RefusedError("timeRangeRight is missing, or not after timeRangeLeft")
    return left or 0.0, right


def _from_zero(left: float | None, right: float | None) -> None:
    if left or not right:
        raise RefusedError("The time range has to begin at 0 and to end later")


_STATUSES = {
    "running": "StatusRunning",
    "starting": "StatusActivated",  # loaded, and does not dial
    "stopping": "StatusActivated",
    "stopped": "StatusDeactivated",
    "resetting": "StatusDeactivated",
}
_MODES = {("outbound", "predictive"): "Predict", ("outbound", "preview"): "Preview"}
_AUTODIAL = "PowerGVP"  # no agent is in these calls
_UNCOUNTED_LEADS = frozenset(["CallbackScheduled", "CallbackCompleted"])


def campaign_actions(campaign: Campaign) -> tuple[str, ...]:
    """Return a campaign's actions; the floor has no shortage of ports and no system errors."""
    status = _STATUSES[campaign.state]
    if status != "StatusRunning":
        return status, "NoDial"
    doing = [status, _MODES.get((campaign.kind, campaign.mode), _AUTODIAL)]
    if campaign.records.available + campaign.records.asap == 0:
        doing.append("StatusWaitingRecords")
    if campaign.kind == "outbound" and not campaign.idle:
        doing.append("StatusWaitingAgents")
    return tuple(doing)


def compile_campaign(
    world: World, definition: Definition, object_type: str, campaign: Callable[[], Campaign]
) -> Compute:
    """Return the function for a number of a campaign; raises ``RefusedError``."""
    main, category = definition.main, definition.category
    if object_type in _LISTS and (main.every or CONDITIONS & (main.named | main.without)):
        raise RefusedError(f"General conditions are not for {object_type}")
    foreign = (main.named | main.without) - CAMPAIGN_ACTIONS
    if foreign or definition.subject != "CampaignAction":
        raise RefusedError("Campaigns know campaign actions alone")
    if category == "CurrentNumber" and main.named.isdisjoint({"LeadProcessed", *_UNCOUNTED_LEADS}):
        return lambda: int(main.meets(campaign_actions(campaign())))
    if category == "CurrentTime" and main.named and main.named <= set(_STATUSES.values()):

        def since() -> float:
            now = campaign()
            is_meant = _STATUSES[now.state] in main
            return float(int(world.floor.now - now.since)) if is_meant else 0.0

        return since
    if category == "TotalNumber" and main.named == {"LeadProcessed"}:
        return _processed(world, definition.window, campaign)
    raise RefusedError(f"Category {category} is not supported for campaigns with this mask")


def _processed(world: World, window: float | None, campaign: Callable[[], Campaign]) -> Compute:
    """Return the function for processed leads: dials and records with a disposition.

    A sliding window is in clock minutes, three hours at most.
    """
    if window is not None and window > WINDOW_MINUTES * 60.0:
        raise RefusedError("The sliding window is too long")

    def totals(name: str) -> CampaignTotals:
        if window is None:
            return world.floor.campaigns[name].day
        return world.floor.campaign_window(name, window)

    def processed() -> int:
        name = campaign().name
        return world.once(f"totals {window}", name, lambda: totals(name)).dispositioned

    return processed


_FIGURES = 100_000  # cached; beyond, all are made anew
_QUEUES = ("Queue", "RoutePoint", "GroupQueues")
_LISTS = ("CallingList", "CampaignCallingList")
_CAMPAIGNS = ("Campaign", "CampaignGroup", *_LISTS)


@dataclass(slots=True, eq=False)
class Figure:
    """One definition at one object. A tree stays the same object while nothing changes."""

    compute: Callable[[], Any]
    version: Callable[[], Any] | None  # of a tree; a number is always computed anew
    is_state: bool = False
    instant: float = -1.0
    seen: Any = None
    value: Any = None


class Figures:
    """Cache of figures by definition and object."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._figures: dict[tuple[Definition, str, str, str], Figure] = {}

    def find(
        self, definition: Definition, object_type: str, object_id: str, spelling: str
    ) -> Figure:
        """Return a figure; raises ``RefusedError`` if it cannot be evaluated."""
        key = (definition, object_type, object_id, spelling)
        figure = self._figures.get(key)
        if figure is None:
            if len(self._figures) >= _FIGURES:
                self._figures.clear()
            figure = self._make(definition, object_type, object_id, spelling)
            self._figures[key] = figure
        try:
            self.value(figure)
        except GoneError:
            raise RefusedError(f"Object {object_id} of type {object_type} not found") from None
        return figure

    def value(self, figure: Figure) -> Any:
        """Return the value at this instant; raises ``GoneError``."""
        now = self._world.floor.now
        if figure.instant != now:
            version = None if figure.version is None else figure.version()
            if version is None or version != figure.seen:
                figure.value = figure.compute()
                figure.seen = version
            figure.instant = now
        return figure.value

    def _make(
        self, definition: Definition, object_type: str, object_id: str, spelling: str
    ) -> Figure:
        if object_type not in OBJECT_TYPES:
            raise RefusedError(f"Unknown objectType {object_type}")
        world, category = self._world, definition.category
        if category in WAITS and object_type not in _QUEUES:
            raise RefusedError(f"Category {category} is not for {object_type}")
        at_queue = object_type == "GroupAgents" and (
            category == "ServiceFactor1"
            or (bool(definition.main.named) and definition.main.named <= QUEUE_ACTIONS)
        )
        if object_type in _CAMPAIGNS:
            return Figure(
                compile_campaign(
                    *(world, definition, object_type),
                    lambda: world.campaign(object_type, object_id),
                ),
                None,
            )
        if definition.subject == "CampaignAction":
            raise RefusedError(f"Subject CampaignAction is not for {object_type}")
        if object_type in _QUEUES or at_queue:
            return Figure(
                compile_queues(world, definition, lambda: world.queues(object_type, object_id)),
                None,
            )
        if object_type == "Agent":
            return self._agent(definition, object_id, spelling)
        if object_type == "GroupAgents":
            return self._group(definition, object_id, spelling)
        raise RefusedError(f"Object {object_id} of type {object_type} not found")

    def _agent(self, definition: Definition, name: str, spelling: str) -> Figure:
        world = self._world
        if definition.subject == "GroupStatus":
            raise RefusedError("Subject GroupStatus is not for Agent")
        if definition.category != "CurrentState":
            compute = compile_agents(world, definition, lambda: (world.agent(name),), None)
            return Figure(compute, None)
        spell = speller(spelling)

        def version() -> tuple[int, int]:
            agent = world.agent(name)
            return agent.id, agent.turn

        def tree() -> dict[str, Any]:
            return agent_state(world.agent(name), definition.subject, spell)

        return Figure(tree, version, is_state=True)

    def _group(self, definition: Definition, name: str, spelling: str) -> Figure:
        world = self._world
        if definition.category != "CurrentState":
            return Figure(
                compile_agents(world, definition, lambda: world.members(name), name), None
            )
        spell = speller(spelling)

        def version() -> list[tuple[int, int]]:
            return [(agent.id, agent.turn) for agent in world.members(name)]

        def tree() -> dict[str, Any]:
            return group_state(name, world.members(name), definition.subject, spell)

        return Figure(tree, version, is_state=True)
