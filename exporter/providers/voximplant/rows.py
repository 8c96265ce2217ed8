"""Rows of the tables: one function for each kind of answer. They raise ``InvalidAnswer``."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from exporter.errors import InvalidAnswer
from exporter.metrics.parsers import Cell, Number, total
from exporter.metrics.tables import normalise
from exporter.providers.voximplant.answers import (
    JsonObject,
    calls_of,
    merge_objects,
    objects_in,
    records_of,
    samples_of,
    seconds_of,
    sum_known,
    to_cells,
    to_id,
    to_number,
    to_word,
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
Names = Mapping[str, str]  # of operators, by user id
UNREADABLE = "(unreadable)"  # a cell that no parser reads


# ACD v1 -----------------------------------------------------------------------------------------


def acd_state_row(queue: JsonObject) -> Cells:
    """Return the row of a queue in GetACDState; a list that is absent leaves its cells empty."""
    waiting = objects_in(queue, "waiting_calls")
    servicing = objects_in(queue, "servicing_calls")
    minutes = [call.get("minutes_to_submit") for call in waiting or ()]
    return {
        "waiting_calls": None if waiting is None else len(waiting),
        "servicing_calls": None if servicing is None else len(servicing),
        "longest waiting_time": (
            None if waiting is None else _longest(call.get("waiting_time") for call in waiting)
        ),
        "longest minutes_to_submit": _longest(minutes, 60) if minutes else None,
        **{
            name: cell
            for name, cell in to_cells(queue).items()
            if name.endswith("_count") and cell is not None
        },
    }


def _longest(values: Iterable[object], factor: int = 1) -> Cell:
    """Return the largest value, zero where there are none; ``None`` where one is absent."""
    values = list(values)
    try:
        return None if None in values else max(map(to_number, values), default=0) * factor
    except InvalidAnswer:
        return UNREADABLE


class StatusTimes:
    """Seconds and entries of each operator by state, from GetACDOperatorStatusStatistics.

    Operators in ``names`` without a record have zeros. A predicate ``included`` gets a user id.
    """

    def __init__(self, rows: Iterable[JsonObject], names: Names | None) -> None:
        self._names = names or {}
        self._cells: dict[str, dict[str, Number]] = {
            user: _zeros(ACD_STATES) for user in self._names
        }
        for record in records_of(rows):
            user = to_id(record.get("user_id"))
            if not user:
                raise InvalidAnswer("a record lacks its operator")
            cells = self._cells.setdefault(user, _zeros(ACD_STATES))
            for status, times in merge_objects(record.get("acd_status")).items():
                _add_times(cells, status, merge_objects(times))

    def operators(self, included: Callable[[str], bool]) -> list[Cells]:
        """Return a row for each operator that is included."""
        return [
            {"user_id": user, "user_display_name": self._names.get(user), **cells}
            for user, cells in self._cells.items()
            if included(user)
        ]

    def totals(self, included: Callable[[str], bool]) -> list[Cells]:
        """Return a row for each state with the sums of the operators that are included."""
        operators = [cells for user, cells in self._cells.items() if included(user)]
        if not operators:
            return []
        other = any("other seconds" in cells for cells in operators)
        return [
            {
                "state": state,
                **{
                    unit: total(cells.get(f"{state} {unit}", 0) for cells in operators)
                    for unit in ("seconds", "entries")
                },
            }
            for state in (*ACD_STATES, *(("other",) if other else ()))
        ]


def _add_times(cells: dict[str, Number], status: str, times: JsonObject) -> None:
    state = ACD_STATUS.words.get(normalise(status))
    # An unknown status gets a column of its own as well, which the table reports as unmapped.
    for name in (state,) if state else ("other", status):
        for unit, value in (("seconds", times.get("sum")), ("entries", times.get("count"))):
            header = f"{name} {unit}"
            cells[header] = total((cells.get(header, 0), to_number(value)))


def _zeros(states: Iterable[str]) -> dict[str, Number]:
    return {f"{state} {unit}": 0 for state in states for unit in ("seconds", "entries")}


def operator_rows(rows: Iterable[JsonObject], names: Names | None) -> list[Cells]:
    """Return a row for each operator; those in ``names`` without a record have zeros."""
    names = names or {}
    records: dict[str, list[JsonObject]] = {user: [] for user in names}
    for record in records_of(rows):
        records.setdefault(to_id(record.get("user_id")), []).append(record)
    if "" in records:
        raise InvalidAnswer("a record lacks its operator")
    return [
        {"user_id": user, "user_display_name": names.get(user), **_operator_cells(own)}
        for user, own in records.items()
    ]


def _operator_cells(records: Sequence[JsonObject]) -> Cells:
    if not records:
        return dict.fromkeys(("AC", "UAC", "TDT", "TTT", "THT", "TACW"), 0)
    ring_times = (
        to_number(record["TDT"]) if "TDT" in record else seconds_of(record, "SA")
        for record in records
    )
    # The platform leaves out after-call work where an operator never had that status.
    work_time = sum_known(seconds_of(record, "ACW") for record in records)
    return {
        "AC": sum_known(calls_of(record.get("AC")) for record in records),
        "UAC": sum_known(calls_of(record.get("UAC")) for record in records),
        "TDT": sum_known(ring_times),
        "TTT": sum_known(seconds_of(record, "TT") for record in records),
        "THT": sum_known(seconds_of(record, "HT") for record in records),
        "TACW": 0 if work_time is None else work_time,
    }


def queue_row(rows: Iterable[JsonObject]) -> Cells:
    """Return the row of one queue; without a record, or a call in it, its cells are zero."""
    records = list(records_of(rows))
    calls = sum_known(calls_of(record.get("TC")) for record in records)
    if not records or calls == 0:
        zeros = ("TC", "AC", "UAC", "RC", "HT count", "WT sum", "AT sum", "HT sum", "TT sum")
        return {**dict.fromkeys((*zeros, "WT sum less AT sum"), 0), **_service_level(records)}
    counts = {
        name: sum_known(calls_of(record.get(name)) for record in records)
        for name in ("AC", "UAC", "RC")
    }
    sums = {
        name: sum_known(seconds_of(record, name) for record in records)
        for name in ("HT", "TT", "WT", "AT")
    }
    return {
        "TC": calls,
        **counts,
        "HT count": sum_known(samples_of(record, "HT") for record in records),
        **{f"{name} sum": total for name, total in sums.items()},
        "WT sum less AT sum": _answer_wait(records, counts["AC"], sums["WT"], sums["AT"]),
        **_service_level(records),
    }


def _answer_wait(
    records: Sequence[JsonObject],
    answered: Number | None,
    wait_time: Number | None,
    abandonment_time: Number | None,
) -> Number | None:
    """Return the seconds that answered calls waited: all waits less those of abandoned calls.

    This requires that the sums cover the same calls, which the counts show; else ``None``.
    """
    waits = sum_known(samples_of(record, "WT") for record in records)
    abandoned = sum_known(samples_of(record, "AT") for record in records)
    if answered is None or wait_time is None or abandonment_time is None or abandoned is None:
        return None
    if waits != answered + abandoned or wait_time < abandonment_time:
        return None
    return wait_time - abandonment_time


def _service_level(records: Sequence[JsonObject]) -> Cells:
    """Return the shortest of a queue's thresholds and the calls answered within it."""
    calls: dict[Number, Number] = defaultdict(int)
    for record in records:
        for level in objects_in(record, "SL") or ():
            threshold = to_number(level.get("acceptable_waiting_time"))
            calls[threshold] += to_number(level.get("call_count"))
    if not calls:
        return {}
    threshold = min(calls)
    return {"SL acceptable_waiting_time": threshold, "SL call_count": calls[threshold]}


# SmartQueue -------------------------------------------------------------------------------------


def smartqueue_row(queue: JsonObject) -> Cells:
    """Return the row of a queue in GetSQState, by channel and without any customer data.

    A list that is absent leaves its columns out; one that is not readable makes them unreadable.
    """
    row: Cells = {}
    for name, count in (("sq_agents", _agent_counts), ("tasks", _task_columns)):
        try:
            row |= count(objects_in(queue, name))
        except InvalidAnswer:
            row |= dict.fromkeys(count([]), UNREADABLE)
    return row


def _agent_counts(agents: Sequence[JsonObject] | None) -> Cells:
    if agents is None:
        return {}
    counts: Counter[str] = Counter()
    for prefix in (*(f"{channel} " for channel in CHANNELS), ""):
        counts.update({f"{prefix}agents {state}": 0 for state in SMARTQUEUE_STATES})
    for agent in agents:
        counts.update(_agent_columns(agent))
    return {**counts}


def _task_columns(tasks: Sequence[JsonObject] | None) -> Cells:
    if tasks is None:
        return {}
    counts: Counter[str] = Counter()
    for channel in CHANNELS:
        counts.update({f"{channel} waiting": 0, f"{channel} active": 0})
    longest: dict[str, Number] = dict.fromkeys(CHANNELS, 0)
    for task in tasks:
        channel, status = to_word(task.get("task_type")), to_word(task.get("status"))
        state = "waiting" if status in WAITING else "active" if status in ACTIVE else status
        counts[f"{channel} {state}"] += 1
        if state == "waiting":
            seconds = to_number(task.get("waiting_time")) / 1000
            longest[channel] = max(longest.get(channel, 0), seconds)
    waits = {f"{channel} longest waiting_time": wait for channel, wait in longest.items()}
    return {**counts, **waits}


def _agent_columns(agent: JsonObject) -> Iterator[str]:
    """Yield the columns that count an agent: one for each channel, and one for all channels."""
    states = set()
    for channel, status in merge_objects(agent.get("sq_statuses")).items():
        word = to_word(merge_objects(status).get("sq_status_name"))
        state = SMARTQUEUE_STATUS.words.get(normalise(word), "other")
        states.add(state)
        yield f"{channel} agents {state}"
        if state == "other":
            yield f"{channel} agents {word}"  # the table reports it as unmapped
    for state in (*SMARTQUEUE_STATES, *RARE_STATES):
        if state in states:
            yield f"agents {state}"
            return


def report_values(reports: Iterable[JsonObject], scale: float) -> Iterator[tuple[str, str, Number]]:
    """Yield (queue id, report, value) for the latest interval of every SmartQueue report.

    Times are multiplied by ``scale``. The id is empty where a group lacks it.
    """
    for report in reports:
        name = to_word(report.get("report_type"))
        factor = scale if name.endswith(("_time", "_time_in_queue", "_speed", "_worktime")) else 1
        for group in objects_in(report, "groups") or ():
            intervals = objects_in(group, "values") or []
            latest = max(intervals, key=lambda item: to_word(item.get("to_date")), default={})
            value: Any = latest.get("value")
            queue = to_id(group.get("sq_queue_id"))
            if value is not None:
                yield queue, name, total((to_number(value) * factor,))
