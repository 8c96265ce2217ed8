"""What is a statistic of a queue, a route point or a group? Counts, waits and shares off the floor.

A contact that rings still waits, so that it is distributed and answered at one instant. The floor
keeps the waits of those who were answered, one threshold for a queue, and days but no shorter
window: each time range from zero is evaluated as the threshold, each sliding window as the day.
"""

from collections.abc import Callable

from exporter.simulators.floor.figures import LOGGED_OUT, NOT_READY, Queue, QueueDay
from exporter.simulators.genesys.agents import Compute
from exporter.simulators.genesys.definitions import QUEUE_ACTIONS, Definition, Mask, RefusedError
from exporter.simulators.genesys.world import World

Queues = Callable[[], list[Queue]]
_PERCENT = 100.0
_NUMBERS: dict[str, Callable[[QueueDay], int]] = {
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
    """Return what evaluates a number of these queues; raises ``RefusedError``."""
    for mask in (definition.main, definition.relative):
        foreign = (mask.named | mask.without) - QUEUE_ACTIONS
        if foreign:
            raise RefusedError(f"Action {min(foreign)} does not occur at queues")
        if mask.every:
            raise RefusedError("All actions of a queue have no common number")
    category = definition.category
    if category.startswith("Current"):
        return _current(world, definition, queues)
    if category in ("EstimWaitTime", "EstimWaitingTime", "ExpectedWaitTime2"):
        return lambda: _estimate(queues())
    return _historical(definition, queues)


def _current(world: World, definition: Definition, queues: Queues) -> Compute:
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
        "CurrentMaxTime": lambda: max((int(each.longest_wait) for each in queues()), default=0),
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


def _historical(definition: Definition, queues: Queues) -> Compute:
    main, relative, category = definition.main, definition.relative, definition.category
    if category == "ServiceFactor1":
        return _service_factor(definition, queues)
    if category in ("TotalNumber", "TotalAdjustedNumber"):
        return _sum(queues, _numbers(main, _NUMBERS))
    if category in ("RelativeNumber", "RelativeNumberPercentage"):
        top, bottom = (
            _sum(queues, _numbers(main, _NUMBERS)),
            _sum(queues, _numbers(relative, _NUMBERS)),
        )
        scale = _PERCENT if category.endswith("Percentage") else 1.0
        return lambda: _ratio(scale * top(), bottom())
    if category.startswith("TotalNumberInTimeRange"):
        _from_zero(definition.ranges[0], definition.ranges[1])
        inside = _sum(queues, _numbers(main, _IN_RANGE))
        if category == "TotalNumberInTimeRange":
            return inside
        everything = _sum(queues, _numbers(main, _NUMBERS))
        return lambda: _ratio(_PERCENT * inside(), everything())
    return _times(definition, queues)


def _times(definition: Definition, queues: Queues) -> Compute:
    """Evaluate what is made of waits; those of abandoned calls are not kept, but the longest."""
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
            return lambda: max((int(each.day.longest_wait_seconds) for each in queues()), default=0)
    raise RefusedError(f"Category {category} is not supported for queues")


def _service_factor(definition: Definition, queues: Queues) -> Compute:
    """Answered in time, of all that were answered or abandoned but for those soon abandoned."""
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
    """Return the wait of a new call, from the mean handling time and who could take it.

    Zero where somebody is ready; nothing where nobody is there, or nothing has been handled yet.
    """
    if any(queue.idle for queue in queues):
        return 0.0
    states = [queue.agent_states for queue in queues]
    staffed = sum(sum(each.values()) - each[LOGGED_OUT] - each[NOT_READY] for each in states)
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


def _ratio(top: float, bottom: float) -> float:
    """Divide; nothing by nothing is zero, as the Stat Server has it."""
    return round(top / bottom, 3) if bottom else 0.0


def _mean(waits: list[float]) -> float:
    return _ratio(sum(waits), len(waits))
