"""From Voximplant's plain values to the rows that the tables take: one function for each grid."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from exporter.errors import InvalidAnswer
from exporter.metrics.parsers import Cell, Number, number
from exporter.metrics.tables import States, normalise
from exporter.providers.voximplant.answers import (
    Row,
    added,
    counted,
    figure,
    flatten,
    identity,
    items,
    merged,
    sampled,
    scalars,
    summed,
)
from exporter.providers.voximplant.tables import (
    ACD_STATES,
    ACD_STATUS,
    ACTIVE,
    CHANNELS,
    RARE_STATES,
    SMARTQUEUE_STATES,
    SMARTQUEUE_STATUS,
    WAITING,
)

Cells = dict[str, Cell]
People = Mapping[str, str]  # names by user id
Label = Callable[[str], str]


# ACD v1 -----------------------------------------------------------------------------------------


def acd_state(queue: Row) -> Cells:
    """Return what a queue is like now; a list that is not there says nothing."""
    waiting = items(queue, "waiting_calls")
    servicing = items(queue, "servicing_calls")
    predicted = [call.get("minutes_to_submit") for call in waiting or ()]
    minutes = _longest(predicted) if predicted else None
    return {
        "waiting_calls": None if waiting is None else len(waiting),
        "servicing_calls": None if servicing is None else len(servicing),
        "longest waiting_time": _longest_wait(waiting),
        "longest minutes_to_submit": None if minutes is None else minutes * 60,
        **{
            name: value
            for name, value in scalars(queue).items()
            if name.endswith("_count") and value is not None
        },
    }


def _longest_wait(calls: Iterable[Row] | None) -> Number | None:
    """Return the longest wait in seconds; zero where nobody waits."""
    return None if calls is None else _longest(call.get("waiting_time") for call in calls)


def _longest(values: Iterable[object]) -> Number | None:
    """Return the largest value, zero of none; nothing where one is not there."""
    found = list(values)
    return None if None in found else max(map(figure, found), default=0)


class StatusTimes:
    """How long and how often operators were in each state, from the operator-status statistics."""

    def __init__(self, rows: Iterable[Row], people: People | None) -> None:
        self._people = people or {}
        self._cells: dict[str, dict[str, Number]] = {
            user: _zeros(ACD_STATES) for user in self._people
        }
        for record in flatten(rows):
            user = identity(record.get("user_id"))
            if not user:
                raise InvalidAnswer("statistics that belong to no operator")
            mine = self._cells.setdefault(user, _zeros(ACD_STATES))
            for status, stat in merged(record.get("acd_status")).items():
                self._add(mine, status, merged(stat))

    def _add(self, mine: dict[str, Number], status: str, stat: Row) -> None:
        state = ACD_STATUS.words.get(normalise(status))
        # A status that we do not know is shown as a column of its own: the table reports it.
        for name in (state,) if state else ("other", status):
            for unit, value in (("seconds", stat.get("sum")), ("entries", stat.get("count"))):
                header = f"{name} {unit}"
                mine[header] = number(mine.get(header, 0) + figure(value))

    def operators(self, wanted: Callable[[str], bool]) -> list[Cells]:
        """Return a row for each operator that is wanted."""
        return [
            {"user_id": user, "user_display_name": self._people.get(user), **mine}
            for user, mine in self._cells.items()
            if wanted(user)
        ]

    def totals(self, wanted: Callable[[str], bool]) -> list[Cells]:
        """Return a row for each state: the sums of all operators that are wanted."""
        shown = [mine for user, mine in self._cells.items() if wanted(user)]
        if not shown:
            return []
        states = [
            state
            for state in (*ACD_STATES, "other")
            if any(f"{state} seconds" in mine for mine in shown)
        ]
        return [
            {
                "state": state,
                **{
                    unit: number(sum(mine.get(f"{state} {unit}", 0) for mine in shown))
                    for unit in ("seconds", "entries")
                },
            }
            for state in states
        ]


def _zeros(states: Iterable[str]) -> dict[str, Number]:
    return {f"{state} {unit}": 0 for state in states for unit in ("seconds", "entries")}


def operator_statistics(rows: Iterable[Row], people: People | None) -> list[Cells]:
    """Return a row for each operator; those known who had no calls have zeros."""
    known = people or {}
    records: dict[str, list[Row]] = {user: [] for user in known}
    for record in flatten(rows):
        records.setdefault(identity(record.get("user_id")), []).append(record)
    if "" in records:
        raise InvalidAnswer("statistics that belong to no operator")
    return [
        {"user_id": user, "user_display_name": known.get(user), **_operator(mine)}
        for user, mine in records.items()
    ]


def _operator(records: Sequence[Row]) -> Cells:
    if not records:
        return dict.fromkeys(("AC", "UAC", "TDT", "TTT", "THT", "TACW"), 0)
    ring = added(figure(each["TDT"]) if "TDT" in each else summed(each, "SA") for each in records)
    # After-call work is only there for those who used the status.
    work = added(summed(each, "ACW") for each in records)
    return {
        "AC": added(counted(each.get("AC")) for each in records),
        "UAC": added(counted(each.get("UAC")) for each in records),
        "TDT": ring,
        "TTT": added(summed(each, "TT") for each in records),
        "THT": added(summed(each, "HT") for each in records),
        "TACW": 0 if work is None else work,
    }


def queue_statistics(rows: Iterable[Row]) -> Cells:
    """Return one queue's figures; no record, or no call in it, is zero of everything."""
    records = list(flatten(rows))
    calls = added(counted(each.get("TC")) for each in records)
    names = ("AC", "UAC", "RC", "HT count", "WT sum", "AT sum", "HT sum", "TT sum")
    if not records or calls == 0:
        level = _service_level(records)
        return {"TC": 0, **dict.fromkeys((*names, "WT sum less AT sum"), 0), **level}
    sums = {f"{name} sum": added(summed(r, name) for r in records) for name in ("HT", "TT")}
    waits = {name: added(summed(r, name) for r in records) for name in ("WT", "AT")}
    counts = {name: added(counted(r.get(name)) for r in records) for name in ("AC", "UAC", "RC")}
    return {
        "TC": calls,
        **counts,
        "HT count": added(sampled(r, "HT") for r in records),
        **sums,
        "WT sum": waits["WT"],
        "AT sum": waits["AT"],
        "WT sum less AT sum": _answer_wait(records, counts["AC"], waits["WT"], waits["AT"]),
        **_service_level(records),
    }


def _answer_wait(
    records: Sequence[Row], answered: Number | None, waited: Number | None, lost: Number | None
) -> Number | None:
    """Return how long the answered calls waited: all waits less those of the lost calls.

    That is so only if the calls behind the three figures are the same, which the counts tell.
    """
    every = added(sampled(each, "WT") for each in records)
    left = added(sampled(each, "AT") for each in records)
    if None in (answered, waited, lost, every, left):
        return None
    assert answered is not None
    assert waited is not None
    assert lost is not None
    assert left is not None
    return waited - lost if every == answered + left and waited >= lost else None


def _service_level(records: Sequence[Row]) -> Cells:
    """Return the shortest of a queue's thresholds and the calls answered within it."""
    within: dict[Number, Number] = defaultdict(int)
    for record in records:
        for level in items(record, "SL") or ():
            within[figure(level.get("acceptable_waiting_time"))] += figure(level.get("call_count"))
    if not within:
        return {}
    threshold = min(within)
    return {"SL acceptable_waiting_time": threshold, "SL call_count": within[threshold]}


# SmartQueue -------------------------------------------------------------------------------------


def smartqueue_state(queue: Row) -> Cells:
    """Return what a SmartQueue queue is like now, by channel; nothing of the customers."""
    found: Counter[str] = Counter()
    for channel in CHANNELS:
        found.update({f"{channel} waiting": 0, f"{channel} active": 0})
        found.update({f"{channel} agents {state}": 0 for state in SMARTQUEUE_STATES})
    found.update({f"agents {state}": 0 for state in SMARTQUEUE_STATES})
    for agent in items(queue, "sq_agents") or ():
        found.update(_agent_columns(agent))
    longest: dict[str, Number] = dict.fromkeys(CHANNELS, 0)
    for task in items(queue, "tasks") or ():
        channel, status = str(task.get("task_type")), str(task.get("status"))
        word = "waiting" if status in WAITING else "active" if status in ACTIVE else status
        found[f"{channel} {word}"] += 1
        if word == "waiting":
            waited = figure(task.get("waiting_time")) / 1000
            longest[channel] = max(longest.get(channel, 0), waited)
    return {**found, **{f"{name} longest waiting_time": each for name, each in longest.items()}}


def _agent_columns(agent: Row) -> Iterable[str]:
    """Yield the columns in which an agent counts: of each channel, and once of both."""
    states = set()
    for channel, status in merged(agent.get("sq_statuses")).items():
        word = str(merged(status).get("sq_status_name"))
        state = _word(SMARTQUEUE_STATUS, word)
        states.add(state)
        yield f"{channel} agents {state}"
        if state == "other":
            yield f"{channel} agents {word}"  # the table reports it
    busiest = next((each for each in (*SMARTQUEUE_STATES, *RARE_STATES) if each in states), None)
    if busiest is not None:
        yield f"agents {busiest}"


def _word(states: States, word: str) -> str:
    return states.words.get(normalise(word), "other")


def smartqueue_reports(answers: Iterable[Row], scale: float) -> Iterable[tuple[str, str, Number]]:
    """Yield (queue id, report, value) of the latest interval of every report."""
    for report in answers:
        name = str(report.get("report_type"))
        factor = scale if name.endswith(("_time", "_time_in_queue", "_speed", "_worktime")) else 1
        for group in items(report, "groups") or ():
            values = items(group, "values") or []
            latest = max(values, key=lambda each: str(each.get("to_date")), default={})
            value: Any = latest.get("value")
            queue = identity(group.get("sq_queue_id"))
            if value is not None and queue:
                yield queue, name, number(figure(value) * factor)
