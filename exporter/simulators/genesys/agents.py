"""What is a statistic of an agent or a group of agents? Counts, times and means off the floor.

The day's figures restart at local midnight. The floor keeps no shorter window for agents, so that a
sliding one is evaluated over the day. It counts a contact when its work is done; what never happens
there (consultations, transfers, forwarded calls) counts zero, and what it does not count at all is
refused: log-ins, calls that left while they rang, and the time of calls of one direction alone.
"""

from collections.abc import Callable, Iterable

from exporter.simulators.floor.figures import (
    AFTER_CONTACT_WORK,
    LOGGED_OUT,
    NOT_READY,
    ON_CONTACT,
    ON_HOLD,
    READY,
    RINGING,
    STATES,
    Agent,
    AgentDay,
)
from exporter.simulators.genesys.definitions import (
    AGENT_ACTIONS,
    HOLDS,
    Definition,
    Mask,
    RefusedError,
)
from exporter.simulators.genesys.world import World, actions

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
_NUMBERS: dict[str, Callable[[AgentDay], int]] = {
    "CallInbound": lambda day: day.inbound + day.voicemails,
    "CallOutbound": lambda day: day.outbound + day.manual,
    "CallInternal": lambda day: day.internal,
}
_UNCOUNTED = ("LoggedIn", "CallAbandonedFromRinging")
_HOUR = 3600.0
_PERCENT = 100.0


def compile_agents(
    world: World, definition: Definition, members: Callable[[], Iterable[Agent]], group: str | None
) -> Compute:
    """Return what evaluates a number of these agents; raises ``RefusedError``."""
    for mask in (definition.main, definition.relative):
        foreign = (mask.named | mask.without) - AGENT_ACTIONS
        if foreign:
            raise RefusedError(f"Action {min(foreign)} does not occur at agents")
    if definition.category.startswith("Current"):
        return _current(world, definition, members, group)
    return _historical(world, definition, members)


def _current(
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
        return [float(int(now - each.since)) for each in members() if main.meets(actions(each))]

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
    """Let the action LoggedIn mean who is logged in; as a status it is below what they do."""
    if definition.subject == "DNAction" and "LoggedIn" in mask.named:
        return Mask(frozenset(), mask.without | {"LoggedOut"}, every=True)
    return mask


def _historical(
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
            sum(number(agent.day) for agent in members()), sum(hours(each) for each in members())
        )
    if category == "RelativeTimePercentage":
        top, bottom = _states(_adjusted(main, definition)), _states(_adjusted(relative, definition))
        return lambda: _ratio(
            _PERCENT * sum(_time(world, agent, top) for agent in members()),
            sum(_time(world, agent, bottom) for agent in members()),
        )
    raise RefusedError(f"Category {category} is not supported for agents")


def _time(world: World, agent: Agent, states: tuple[str, ...], *, finished: bool = False) -> float:
    """Return the seconds of the day in some states, the present stay included or not."""
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
    """Return how often what a mask means has happened in a day."""
    if not mask.every and any(name in mask.named for name in _UNCOUNTED):
        raise RefusedError("The action is not counted for agents")
    states = [_SINGLE[name] for name in _SINGLE if name in mask]
    states += [ON_HOLD] if _holds(mask) else []
    talks = [_NUMBERS[name] for name in _TALKS if name in mask]
    return lambda day: (
        sum(talk(day) for talk in talks) + sum(day.state_entries[state] for state in states)
    )


def _states(mask: Mask) -> tuple[str, ...]:
    """Return the floor's states that a mask means."""
    talks = [name in mask for name in _TALKS]
    if any(talks) and not all(talks):
        raise RefusedError("The time of calls is not kept by direction")
    wanted = {_SINGLE[name] for name in _SINGLE if name in mask}
    wanted |= {ON_CONTACT} if all(talks) else set()
    wanted |= {ON_HOLD} if _holds(mask) else set()
    return tuple(state for state in STATES if state in wanted)


def _holds(mask: Mask) -> bool:
    """Tell whether a mask means holds, by status or by the action of each direction."""
    kinds = [name in mask for name in HOLDS]
    if mask.every:
        return mask.without.isdisjoint(("CallOnHold", *HOLDS))
    if "CallOnHold" in mask:
        return True
    if any(kinds) and not all(kinds):
        raise RefusedError("Holds are not kept by direction")
    return all(kinds)


def _booked(world: World, mask: Mask) -> Callable[[Agent], float]:
    """Return the time behind a mean: of contacts whose work is done, as they are counted."""
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
    """Divide; nothing by nothing is zero, as the Stat Server has it."""
    return round(top / bottom, 3) if bottom else 0.0


def _mean(times: list[float]) -> float:
    return _ratio(sum(times), len(times))
