"""Tests of the Voximplant inventory, queue rotation and call lists."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from exporter.errors import InvalidAnswer, ProviderError, Refused, ServerTrouble, Throttled
from exporter.logs import get_log
from exporter.providers.voximplant.call_lists import CallLists
from exporter.providers.voximplant.config import VoximplantConfig
from exporter.providers.voximplant.errors import MissingRole, UnknownId
from exporter.providers.voximplant.inventory import (
    Cached,
    Inventory,
    report_batches,
    unique_labels,
)
from exporter.providers.voximplant.rotation import QueueRotation
from support.clock import VirtualClock

pytestmark = pytest.mark.anyio
WINDOW = (datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 2, 12, tzinfo=UTC))


class Platform:
    """Stands for the client: rows by method, and failures by method and id."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.latency = 0.0
        self.answers: dict[str, list[dict[str, Any]]] = {}
        self.failures: dict[tuple[str, str | None], ProviderError] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []

    async def read_pages(self, method: str, **parameters: Any) -> list[dict[str, Any]]:
        return await self.read_list(method, **parameters)

    async def read_list(self, method: str, **parameters: Any) -> list[dict[str, Any]]:
        self.asked.append((method, parameters))
        self.clock.elapsed += self.latency
        subject = parameters.get("acd_queue_id") or parameters.get("list_id")
        failure = self.failures.get((method, subject)) or self.failures.get((method, None))
        if failure is not None:
            raise failure
        return self.answers.get(method, [])

    def counts(self) -> Counter[str]:
        return Counter(method for method, _ in self.asked)


@pytest.fixture
def platform(clock: VirtualClock) -> Platform:
    return Platform(clock)


def inventory(platform: Platform, **options: Any) -> Inventory:
    config = VoximplantConfig.model_validate({"name": "a", "provider": "voximplant", **options})
    return Inventory(platform, config, platform.clock)  # type: ignore[arg-type]


# Names ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("identity", [None, "", "absent"])
async def test_an_application_without_id(platform: Platform, identity: str | None) -> None:
    """Operators are not counted where an application cannot be asked."""
    row = {"application_name": "a"} if identity == "absent" else {"application_id": identity}
    platform.answers["GetApplications"] = [row, {"application_id": 2}]
    platform.answers["GetUsers"] = [{"user_id": 7}]
    with pytest.raises(InvalidAnswer, match="application has no id"):
        await inventory(platform).operators.refresh(1.0)
    assert platform.counts()["GetUsers"] == 0


async def test_queues_of_one_name_are_told_apart(platform: Platform) -> None:
    """Namesakes carry their ids; one that has no name is its id; unknown ones are not there."""
    names = {1: "Sales", 2: "Support", "3": "Sales", 4: None}
    platform.answers["GetQueues"] = [
        {"acd_queue_id": each, "acd_queue_name": name} for each, name in names.items()
    ]
    found = inventory(platform)

    assert found.queue_labels() == {}
    await found.queues.get_or_stale(900)
    assert found.queue_labels() == {
        "1": "Sales (1)",
        "2": "Support",
        "3": "Sales (3)",
        "4": "4",
    }


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["A", "A", "A (1)"], ["A (1)", "A (2)", "A (1) (3)"]),
        (["A (2)", "A", "A"], ["A (2) (1)", "A (2)", "A (3)"]),
        (["A", "A", "A (1)", "A (1) (3)"], ["A (1)", "A (2)", "A (1) (3)", "A (1) (3) (4)"]),
        (["A (1)", "A (1)", "B"], ["A (1) (1)", "A (1) (2)", "B"]),
    ],
)
def test_no_label_is_the_name_of_another(names: list[str], labels: list[str]) -> None:
    """A queue that is called as a namesake is labelled carries its id as well."""
    ids = {str(number): name for number, name in enumerate(names, 1)}

    assert [*unique_labels(ids).values()] == labels


async def test_smartqueue_gives_way_where_both_have_a_name(platform: Platform) -> None:
    """The queue of ACD v1 keeps its name, so that nothing on the page changes by SmartQueue."""
    platform.answers["GetQueues"] = [
        {"acd_queue_id": 1, "acd_queue_name": "Sales"},
        {"acd_queue_id": 2, "acd_queue_name": "Sales (2)"},
        {"acd_queue_id": 3, "acd_queue_name": "Chat (9)"},
    ]
    rows = [
        {"sq_queue_id": 2, "sq_queue_name": "Sales"},
        {"sq_queue_id": 3, "sq_queue_name": "Support"},
        {"sq_queue_id": 8, "sq_queue_name": "Chat"},
        {"sq_queue_id": 9, "sq_queue_name": "Chat"},
    ]
    found = inventory(platform)
    await found.update_smartqueues(rows)

    assert found.smartqueue_labels() == {
        "2": "Sales (SmartQueue 2)",
        "3": "Support",
        "8": "Chat (8)",
        "9": "Chat (SmartQueue 9)",
    }


async def test_smartqueue_created_again(platform: Platform) -> None:
    """A SmartQueue queue that was deleted and created again keeps its label, for any reader."""
    found = inventory(platform, applications=["7"])
    for queue in (1, 2):
        await found.update_smartqueues([{"sq_queue_id": queue, "sq_queue_name": "Sales"}])
        assert found.smartqueue_labels() == {str(queue): "Sales"}
    for queue in (3, 4):
        platform.answers["SQ_GetQueues"] = [{"sq_queue_id": queue, "sq_queue_name": "Sales"}]
        await found.smartqueues.get(0.0)
        assert found.smartqueue_labels() == {str(queue): "Sales"}
        platform.clock.elapsed += 1
    await found.update_smartqueues([{"sq_queue_id": 4}])
    await found.update_smartqueues([])
    assert found.smartqueue_labels() == {"4": "Sales"}


@pytest.mark.parametrize("identity", [None, "", True, 1.5])
async def test_a_smartqueue_without_an_id_is_no_namesake(
    platform: Platform, identity: object
) -> None:
    """The label of a queue does not change because a row without an id has its name."""
    found = inventory(platform)
    row = {"sq_queue_id": identity, "sq_queue_name": "Sales"}
    await found.update_smartqueues([row, {"sq_queue_id": 1, "sq_queue_name": "Sales"}])

    assert found.smartqueue_labels() == {"1": "Sales"}


async def test_plain_names_of_namesakes(platform: Platform) -> None:
    """Each label made of name and id has its plain name, for include, exclude and objectives."""
    platform.answers["GetQueues"] = [
        {"acd_queue_id": queue, "acd_queue_name": name}
        for queue, name in ((1, "Sales"), (2, "Sales"), (3, "Help (3)"))
    ]
    found = inventory(platform)
    await found.queues.get_or_stale(900)
    await found.update_smartqueues([{"sq_queue_id": 9, "sq_queue_name": "Help (3)"}])

    assert found.plain_names() == {
        "Sales (1)": "Sales",
        "Sales (2)": "Sales",
        "Help (3) (9)": "Help (3)",
    }


async def test_queue_created_again(platform: Platform) -> None:
    """A queue of ACD v1 that was deleted and created again keeps its label."""
    found = inventory(platform)
    for queue in (1, 2):
        platform.answers["GetQueues"] = [{"acd_queue_id": queue, "acd_queue_name": "Sales"}]
        platform.clock.elapsed += 60
        await found.queues_with([str(queue)])
        assert found.queue_labels() == {str(queue): "Sales"}


@pytest.mark.parametrize("name", ["Sales ", "\tSales", "Sales\u00a0", "SALES"])
async def test_similar_names(platform: Platform, name: str) -> None:
    """Names that differ in white space or letter case only are different labels."""
    platform.answers["GetQueues"] = [
        {"acd_queue_id": 1, "acd_queue_name": "Sales"},
        {"acd_queue_id": 2, "acd_queue_name": name},
    ]
    found = inventory(platform)
    await found.queues.get_or_stale(900)
    await found.update_smartqueues([{"sq_queue_id": 3, "sq_queue_name": name.swapcase()}])

    assert found.queue_labels() == {"1": "Sales", "2": name}
    assert set(found.smartqueue_labels().values()).isdisjoint({"Sales", name})


async def test_an_unknown_queue_is_looked_up_once(platform: Platform) -> None:
    """A new id causes one read of the list; one that stays unknown causes no more."""
    platform.answers["GetQueues"] = [{"acd_queue_id": 1, "acd_queue_name": "Sales"}]
    found = inventory(platform)
    known = []
    for ids in (["1"], ["1"], ["1", "2"], ["1", "2"], ["1", "2"]):
        platform.clock.elapsed += 10
        known.append(set(await found.queues_with(ids)))

    assert known == [{"1"}] * 5
    assert platform.counts()["GetQueues"] == 2


async def test_unknown_queues_without_end(platform: Platform) -> None:
    """Of unknown queues only those of the last answer are remembered."""
    platform.answers["GetQueues"] = [{"acd_queue_id": 1, "acd_queue_name": "Sales"}]
    found = inventory(platform)
    for number in range(2, 52):
        platform.clock.elapsed += 10
        await found.queues_with(["1", str(number)])

    assert vars(found)["_unknown_queues"] == {"51"}


@pytest.mark.parametrize(
    ("applications", "wanted"),
    [
        ([], [{"application_id": "7"}, {"application_id": "8"}]),
        (
            [5, "app.acme.n2.voximplant.com"],
            [{"application_id": "5"}, {"application_name": "app.acme.n2.voximplant.com"}],
        ),
    ],
)
async def test_users_are_asked_for_by_application(
    platform: Platform, applications: list[object], wanted: list[dict[str, str]]
) -> None:
    """GetUsers wants exactly one of id and name, for each application that is read."""
    platform.answers["GetApplications"] = [{"application_id": 7}, {"application_id": "8"}]
    platform.answers["GetUsers"] = [{"user_id": 1, "user_display_name": "Ada"}]
    found = inventory(platform, applications=applications)
    assert found.operator_names() is None
    users = await found.operators.get(0)

    assert list(users) == ["1"]
    assert found.operator_names() == {"1": "Ada"}
    assert [
        {name: value for name, value in parameters.items() if name.startswith("application")}
        for method, parameters in platform.asked
        if method == "GetUsers"
    ] == wanted
    assert platform.counts()["GetApplications"] == (0 if applications else 1)


def test_reports_are_asked_for_five_queues_at_a_time() -> None:
    """A request for reports names at most five queues, of one application."""
    first, second = {"application_id": "1"}, {"application_id": "2"}
    queues = [(first, str(each)) for each in range(6)] + [(second, "9")]

    assert list(report_batches(queues)) == [
        (first, ["0", "1", "2", "3", "4"]),
        (first, ["5"]),
        (second, ["9"]),
    ]


# What is cached -----------------------------------------------------------------------------------


async def test_what_is_kept_is_read_again_when_it_is_too_old(clock: VirtualClock) -> None:
    """Each caller gives a maximum age; the value's own feed never shows one reading twice."""
    reads: list[float] = []

    async def read() -> list[float]:
        reads.append(clock.elapsed)
        return reads

    cached = Cached(read, clock)
    await cached.get_or_stale(900)
    await cached.refresh(30)
    clock.elapsed = 20
    await cached.get(900)
    await cached.refresh(30)
    await cached.get_or_stale(900)

    assert reads == [0, 20]


async def test_what_cannot_be_read_stays_as_it_was(clock: VirtualClock) -> None:
    """get_or_stale survives an error, and reads again after a pause."""
    errors: list[ProviderError | None] = [None, Refused("no"), MissingRole("no", retry_after=600)]
    tried: list[float] = []

    async def read() -> str:
        tried.append(clock.elapsed)
        error = errors.pop(0) if errors else None
        if error is not None:
            raise error
        return "known"

    cached = Cached(read, clock)
    for _ in range(100):
        assert await cached.get_or_stale(5) == "known"
        clock.elapsed += 10

    assert tried[:4] == [0, 10, 70, 670]


async def test_a_platform_that_wants_quiet_is_not_overheard(clock: VirtualClock) -> None:
    """get_or_stale passes a throttle on."""

    async def read() -> str:
        raise Throttled("later")

    with pytest.raises(Throttled):
        await Cached(read, clock).get_or_stale(5)


async def test_nothing_after_something_must_come_twice(clock: VirtualClock) -> None:
    """An empty list right after a full one is read again once."""
    answers: list[list[int]] = [[1], [], [2], [], [], []]

    async def read() -> list[int]:
        return answers.pop(0)

    cached = Cached(read, clock)
    assert await cached.get(-1) == [1]
    with pytest.raises(InvalidAnswer, match="empty after one that was not"):
        await cached.get(-1)
    assert await cached.get(-1) == [2]
    with pytest.raises(InvalidAnswer):
        await cached.get(-1)
    assert await cached.get(-1) == []
    assert await cached.get(-1) == []


# Rounds of queues -------------------------------------------------------------------------------


def rotation(platform: Platform) -> QueueRotation:
    return QueueRotation(platform, platform.clock, 60.0, 180.0)  # type: ignore[arg-type]


async def test_a_round_asks_every_queue_once(platform: Platform) -> None:
    """Each request reads one queue, unaggregated, a slice of the round at a time."""
    turns = rotation(platform)
    queues = [str(each) for each in range(130)]
    turns.begin(queues)
    while turns.pending:
        await turns.read(turns.per_second(), 1.0, WINDOW)
        platform.clock.elapsed += 1

    asked = [parameters["acd_queue_id"] for _, parameters in platform.asked]
    assert asked[:130] == queues
    assert turns.per_second() == 3
    assert platform.asked[0] == (
        "GetACDQueueStatistics",
        {
            "acd_queue_id": "0",
            "from_date": WINDOW[0],
            "to_date": WINDOW[1],
            "aggregation": "none",
            "abbreviation": True,
            "report": "all",
        },
    )
    assert len(turns.rows({"0": "Sales"})) == 130
    assert turns.rows({"0": "Sales"})[0]["queue"] == "Sales"


async def test_a_slow_platform_is_not_asked_for_long_at_a_stretch(platform: Platform) -> None:
    """A read ends when its time is over, after at least one queue."""
    platform.latency = 2.0
    turns = rotation(platform)
    turns.begin([str(each) for each in range(9)])
    await turns.read(9, 5.0, WINDOW)
    assert turns.pending == 6
    await turns.read(9, 0.1, WINDOW)
    assert turns.pending == 5


async def test_a_queue_that_fails_is_its_own_affair(platform: Platform) -> None:
    """A queue that is unknown loses its figures, one in trouble keeps them while they are fresh."""
    turns = rotation(platform)
    turns.begin(["1", "2", "3"])
    await turns.read(3, 1.0, WINDOW)
    platform.failures["GetACDQueueStatistics", "1"] = UnknownId("218")
    platform.failures["GetACDQueueStatistics", "2"] = ServerTrouble("19")
    platform.clock.elapsed = 100
    turns.begin(["1", "2", "3"])
    await turns.read(3, 1.0, WINDOW)
    assert [row["queue"] for row in turns.rows({})] == ["2", "3"]

    platform.clock.elapsed = 200
    assert [row["queue"] for row in turns.rows({})] == ["3"]


async def test_a_round_that_fails_altogether_pauses(platform: Platform) -> None:
    """Where no queue is answered the feed fails, and idle time is not used for retries."""
    platform.failures["GetACDQueueStatistics", None] = MissingRole("104", retry_after=600)
    turns = rotation(platform)
    turns.begin(["1", "2"])
    with pytest.raises(MissingRole):
        await turns.read(2, 1.0, WINDOW)
    assert turns.pending == 2
    assert turns.is_idle()
    platform.clock.elapsed = 601
    assert not turns.is_idle()

    platform.failures["GetACDQueueStatistics", None] = ServerTrouble("1")
    with pytest.raises(ServerTrouble):
        await turns.read(2, 1.0, WINDOW)


async def test_a_queue_that_has_gone_is_forgotten(platform: Platform) -> None:
    """A queue that left the inventory is neither read nor shown."""
    turns = rotation(platform)
    turns.begin(["1", "2"])
    await turns.read(1, 1.0, WINDOW)
    turns.begin(["2"])

    assert turns.rows({}) == []
    assert turns.pending == 1


# Call lists -------------------------------------------------------------------------------------


def lists(platform: Platform) -> CallLists:
    return CallLists(platform, platform.clock, get_log("exporter.test"), 900.0)  # type: ignore[arg-type]


TASKS = [{"status_id": each, "custom_data": "15551234567"} for each in (0, 0, 1, 2, 3, "4", 9)]


async def test_finished_lists_are_counted_once(platform: Platform) -> None:
    """A finished list is not counted again."""
    platform.answers["GetCallLists"] = [
        {"list_id": 1, "list_name": "Spring", "status": "Completed"},
        {"list_id": 2, "list_name": "Summer", "status": "In progress"},
        {"list_id": 3, "list_name": "Summer", "status": "Canceled"},
    ]
    platform.answers["GetCallListDetails"] = TASKS
    found = lists(platform)
    for _ in range(3):
        rows = await found.read(details=True)
        platform.clock.elapsed += 300

    asked = [p["list_id"] for method, p in platform.asked if method == "GetCallListDetails"]
    assert Counter(asked) == {"1": 1, "2": 3, "3": 1}
    assert [row["campaign"] for row in rows] == ["Spring", "Summer (2)", "Summer (3)"]
    assert {name: value for name, value in rows[0].items() if name.startswith("tasks")} == {
        "tasks total": 7,
        "tasks available": 2,
        "tasks in_progress": 1,
        "tasks dialed": 1,
        "tasks failed": 1,
        "tasks canceled": 1,
        "tasks other": 1,
    }
    assert "15551234567" not in str(rows)


async def test_tasks_are_counted_only_if_that_is_wanted(platform: Platform) -> None:
    """Without call_list_details there is one request, and no figure of progress."""
    platform.answers["GetCallLists"] = [{"list_id": 1, "list_name": "", "status": "In progress"}]
    (row,) = await lists(platform).read(details=False)

    assert row == {"list_id": 1, "list_name": "", "status": "In progress", "campaign": "1"}
    assert platform.counts() == {"GetCallLists": 1}


async def test_many_lists_are_counted_in_turns(platform: Platform) -> None:
    """A refresh counts a limited number of pages; lists counted longest ago come first."""
    platform.answers["GetCallLists"] = [
        {"list_id": each, "list_name": str(each), "status": "In progress"} for each in range(100)
    ]
    platform.answers["GetCallListDetails"] = TASKS
    found = lists(platform)
    await found.read(details=True)
    first = platform.counts()["GetCallListDetails"]
    platform.clock.elapsed = 300
    rows = await found.read(details=True)

    assert first == 60
    assert len([row for row in rows if "tasks total" in row]) == 100


async def test_a_key_that_may_not_see_tasks_still_sees_lists(
    platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    """The details' missing role is told and waited out; the lists' states stay."""
    platform.answers["GetCallLists"] = [{"list_id": 1, "list_name": "A", "status": "Completed"}]
    platform.failures["GetCallListDetails", None] = MissingRole("104", retry_after=600)
    found = lists(platform)
    for _ in range(3):
        (row,) = await found.read(details=True)
        platform.clock.elapsed += 300

    assert row["campaign"] == "A"
    assert platform.counts()["GetCallListDetails"] == 2
    assert "call list details refused" in caplog.text


async def test_a_list_that_went_meanwhile_is_left_out(platform: Platform) -> None:
    """A list deleted between two requests has a state still, and no progress."""
    platform.answers["GetCallLists"] = [{"list_id": 1, "list_name": "A", "status": "Completed"}]
    platform.failures["GetCallListDetails", None] = UnknownId("255")
    (row,) = await lists(platform).read(details=True)

    assert "tasks total" not in row
