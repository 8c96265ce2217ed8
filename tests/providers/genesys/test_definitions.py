"""Genesys definitions: compound categories, campaign objects, refused definitions, request size."""

from collections.abc import Callable
from typing import Any

import pytest

from exporter.simulators.floor.floor import Floor
from support.clock import run
from support.genesys import MORNING, Exporter, Platform
from support.quick import first

REFUSALS = ["400", "500", "spring", "code", "empty"]


def platform_of(queues: int, **switches: Any) -> Platform:
    floor = Floor(agents=6, queues=queues, campaigns=4, seed=3, start=MORNING)
    return Platform(floor=floor, **switches)


def queue_ids(platform: Platform) -> list[str]:
    return list(platform.simulator.objects()["Queue"])


def queues(platform: Platform) -> list[dict[str, Any]]:
    return [{"type": "Queue", "ids": queue_ids(platform)}]


def figures(exporter: Exporter, name: str) -> dict[str, float]:
    """Return the values of a family by queue or campaign, and the medium or state if it has one."""
    full = f"contactcenter_{name}"
    found: dict[str, float] = {}
    for (family, labels), value in exporter.page().items():
        shown = dict(labels)
        if family == full:
            words = [shown.get(x) for x in ("queue", "campaign", "media", "state", "reason")]
            found[" ".join(word for word in words if word not in (None, "all"))] = value
    return found


def logged(caplog: pytest.LogCaptureFixture) -> str:
    """Return the messages so far with their fields."""
    return "\n".join(f"{x.getMessage()} {x.__dict__.get('fields')}" for x in caplog.records)


def refusals(platform: Platform, since: int = 0) -> int:
    """Count the refused requests for statistics."""
    log = platform.simulator.log[since:]
    paths = ("/subscriptions", "/get-statistic-ex")
    return sum(x.path.endswith(paths) and x.method == "POST" and x.outcome != "ok" for x in log)


def read(exporter: Exporter, check: Callable[[], Any], seconds: float = 20.0) -> None:
    """Run an exporter for a while on a virtual loop, then check."""

    async def main() -> None:
        async with exporter.running(seconds):
            work = check()
            if work is not None:
                await work

    run(main())


@pytest.mark.parametrize("mode", ["subscribe", "poll"])
@pytest.mark.parametrize("count", first(1, [40, 120]))
@pytest.mark.parametrize("refusal", first(2, ["one", *REFUSALS]))
def test_a_refused_definition_costs_only_itself(refusal: str, count: int, mode: str) -> None:
    """Whatever a refusal costs on the wire, every queue keeps its other figures."""
    platform = platform_of(count, refusal=refusal, lacks_definitions=frozenset({"CurrentMaxTime"}))
    exporter = Exporter(platform, objects=queues(platform), mode=mode)

    def check() -> None:
        assert len(figures(exporter, "queue_contacts_waiting")) == count
        assert len(figures(exporter, "queue_contacts_handled_total")) == count
        assert len(figures(exporter, "queue_service_level_ratio")) == count
        assert figures(exporter, "queue_longest_wait_seconds") == {}

    read(exporter, check)


def test_compound_categories_are_accepted() -> None:
    """Every queue has a service level and an estimated wait, which is of voice calls."""
    platform = platform_of(6)
    exporter = Exporter(platform, objects=queues(platform))

    def check() -> None:
        assert sorted(figures(exporter, "queue_service_level_ratio")) == sorted(queue_ids(platform))
        waits = figures(exporter, "queue_estimated_wait_seconds")
        assert waits
        assert all(name.endswith(" voice") for name in waits)
        assert refusals(platform) == 0

    read(exporter, check)


def campaigns(platform: Platform, *types: str) -> list[dict[str, Any]]:
    objects = platform.simulator.objects()
    return [{"type": name, "ids": objects[name]} for name in types]


@pytest.mark.parametrize("refusal", ["one", "400"])
def test_campaign_objects_have_the_statistics_of_their_type(refusal: str) -> None:
    """Campaigns and groups have a state, all four types have processed records; none is refused."""
    types = ("Campaign", "CampaignGroup", "CallingList", "CampaignCallingList")
    platform = platform_of(3, refusal=refusal)
    exporter = Exporter(platform, objects=campaigns(platform, *types))
    objects = platform.simulator.objects()

    def check() -> None:
        processed = figures(exporter, "campaign_records_processed_total")
        assert sorted(processed) == sorted(x for name in types for x in objects[name])
        states = {key.rpartition(" ")[0] for key in figures(exporter, "campaign_state")}
        assert states == {*objects["Campaign"], *objects["CampaignGroup"]}
        assert refusals(platform) == 0
        for table in ("campaigns", "calling_lists"):
            missing = exporter.metric("schema_missing_columns", table=f"statistics.{table}")
            assert missing == 0

    read(exporter, check)


@pytest.mark.parametrize("refusal", ["one", "400", "503"])
def test_another_category_stands_in_for_the_estimate_of_voice(refusal: str) -> None:
    """A queue without EstimWaitTime has ExpectedWaitTime2, which covers all media."""
    chats = frozenset({"Chat", "E-mail"})
    platform = platform_of(6, refusal=refusal, multimedia=chats)
    exporter = Exporter(platform, objects=queues(platform))

    def check() -> None:
        waits = figures(exporter, "queue_estimated_wait_seconds")
        voice = {key.removesuffix(" voice") for key in waits if key.endswith(" voice")}
        assert voice
        assert not voice & {f"{name}@SIP_Switch" for name in chats}
        assert waits.keys() & {f"{name}@SIP_Switch" for name in chats}
        assert not voice & waits.keys()
        assert exporter.metric("schema_missing_columns", table="statistics.queues") == len(chats)

    read(exporter, check)


def test_the_estimate_of_all_media_replaces_a_category_that_is_missing() -> None:
    """Where the release lacks EstimWaitTime, every queue has ExpectedWaitTime2."""
    platform = platform_of(6, refusal="400", lacks_definitions=frozenset({"EstimWaitTime"}))
    exporter = Exporter(platform, objects=queues(platform))

    def check() -> None:
        waits = figures(exporter, "queue_estimated_wait_seconds")
        assert waits
        assert not [key for key in waits if key.endswith(" voice")]

    read(exporter, check)


@pytest.mark.parametrize("refusal", first(1, ["one", "400", "spring"]))
def test_a_refused_definition_is_remembered_over_sessions(
    refusal: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged once, and requested no more by the routine check and after a lost session."""
    platform = platform_of(12, refusal=refusal, lacks_definitions=frozenset({"CurrentMaxTime"}))
    exporter = Exporter(platform, objects=queues(platform))

    async def check() -> None:
        assert logged(caplog).count("definition refused") == 1
        assert "CurrentMaxTime CallWait of Queue" in logged(caplog)
        assert "statistics not opened" not in logged(caplog)
        assert exporter.metric("schema_missing_columns", table="statistics.queues") >= 1
        before = len(platform.simulator.log)
        platform.simulator.expire_sessions(http=True)
        await exporter.go_on(700)
        assert len(figures(exporter, "queue_contacts_waiting")) == 12
        asked = [
            entry["definition"]["category"]
            for record in platform.simulator.log[before:]
            if record.path.endswith("/subscriptions") and record.method == "POST"
            for entry in record.body["data"]["statistics"]
        ]
        assert "CurrentNumber" in asked
        assert "CurrentMaxTime" not in asked
        assert logged(caplog).count("definition refused") == 1

    platform.frozen = True
    read(exporter, check)


@pytest.mark.parametrize("refusal", first(2, ["one", *REFUSALS]))
@pytest.mark.parametrize("first", [True, False])
def test_an_object_that_does_not_exist_is_no_refused_definition(
    refusal: str, first: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """A misspelt queue costs only itself, though a definition is refused as well."""
    platform = platform_of(40, refusal=refusal, lacks_definitions=frozenset({"CurrentMaxTime"}))
    real = queue_ids(platform)
    strangers = ["nobody@SIP_Switch", "nothing@SIP_Switch"]
    ids = [*strangers, *real] if first else [*real[:20], *strangers, *real[20:]]
    exporter = Exporter(platform, objects=[{"type": "Queue", "ids": ids}])

    def check() -> None:
        assert len(figures(exporter, "queue_contacts_waiting")) == 40
        assert len(figures(exporter, "queue_contacts_handled_total")) == 40
        assert logged(caplog).count("definition refused") == 1
        assert "nobody@SIP_Switch" in logged(caplog)

    read(exporter, check)


@pytest.mark.parametrize("refusal", first(1, ["400", "one", "spring"]))
def test_an_object_that_is_created_later_is_found(refusal: str) -> None:
    """The only object of its type is opened once it exists: nothing was taken for refused."""
    platform = platform_of(3, refusal=refusal)
    floor = platform.floor
    queue = floor.queues.pop("Chat")
    ids = ["Chat@SIP_Switch"]
    groups = {"type": "GroupAgents", "ids": ["All Agents"]}
    exporter = Exporter(platform, objects=[{"type": "Queue", "ids": ids}, groups])

    async def check() -> None:
        assert figures(exporter, "queue_contacts_waiting") == {}
        floor.queues["Chat"] = queue
        await exporter.go_on(1300)
        assert list(figures(exporter, "queue_contacts_waiting")) == ids

    platform.frozen = True
    read(exporter, check, 60.0)


@pytest.mark.parametrize("refusal", first(2, ["one", *REFUSALS]))
def test_the_first_definitions_of_a_single_object_are_refused(refusal: str) -> None:
    """With one object and several refused definitions the others are read."""
    lacks = [
        "CurrentNumber",
        "CurrentMaxTime",
        "TotalNumber CallEntered",
        "TotalNumber CallAnswered",
    ]
    platform = platform_of(3, refusal=refusal, lacks_definitions=frozenset(lacks))
    exporter = Exporter(platform, objects=[{"type": "Queue", "ids": queue_ids(platform)[:1]}])

    def check() -> None:
        assert len(figures(exporter, "queue_contacts_abandoned_total")) == 1
        assert len(figures(exporter, "queue_contacts_handled_total")) == 1

    read(exporter, check)


OWN = {"object_type": "Queue", "metric": "custom_good", "labels": {"media": "all"}}


@pytest.mark.parametrize("refusal", first(1, ["400", "one", "spring"]))
@pytest.mark.parametrize("mode", ["subscribe", "poll"])
def test_a_bad_statistic_of_the_users_own_costs_only_itself(refusal: str, mode: str) -> None:
    """Own statistics by name or definition, good and bad, at 120 queues."""
    platform = platform_of(120, refusal=refusal)
    ids = queue_ids(platform)
    own = [
        {"name": "Nope", "object_type": "Queue", "object_ids": ids, "metric": "custom_bad"},
        {
            "name": "Current_In_Queue",
            "object_type": "Queue",
            "object_ids": ids,
            "metric": "custom_x",
        },
        {
            "definition": {"category": "Nope"},
            "object_type": "Queue",
            "object_ids": ids,
            "metric": "custom_worse",
        },
    ]
    exporter = Exporter(platform, objects=queues(platform), statistics=own, mode=mode)

    async def check() -> None:
        for name in ("queue_contacts_waiting", "queue_contacts_handled_total", "custom_x"):
            assert len(figures(exporter, name)) == 120
        assert figures(exporter, "custom_bad") == figures(exporter, "custom_worse") == {}
        before = len(platform.simulator.log)
        await exporter.go_on(400)
        assert len(figures(exporter, "custom_x")) == 120
        assert refusals(platform, before) == 0

    platform.frozen = True
    read(exporter, check, 40.0)


# The size of requests ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "count", "limit"),
    first(
        4,
        [
            *(("400", 100, 16_384), ("413", 100, 4_096), ("431", 30, 4_096)),
            *(("html413", 30, 4_096), ("414", 30, 4_096), ("413", 1_000, 16_384)),
        ],
    ),
)
def test_the_size_of_requests_is_learnt(answer: str, count: int, limit: int) -> None:
    """Behind a limit of 16 kB all 1,000 queues have their depth; the size is learnt once."""
    platform = platform_of(count, body_limit=limit, too_large=answer)
    platform.frozen = True
    exporter = Exporter(platform, objects=queues(platform))

    async def check() -> None:
        assert len(figures(exporter, "queue_contacts_waiting")) == count
        assert len(figures(exporter, "queue_contacts_handled_total")) == count
        assert 0 < refusals(platform) <= 10
        before = len(platform.simulator.log)
        platform.simulator.expire_sessions(http=True)
        await exporter.go_on(30)
        assert len(figures(exporter, "queue_contacts_waiting")) == count
        assert refusals(platform, before) == 0

    read(exporter, check, 30.0)


def test_the_number_of_statistics_is_learnt() -> None:
    """A limit on the number of statistics is a bad request, and is learnt as well."""
    platform = platform_of(200, statistics_limit=17)
    platform.frozen = True
    exporter = Exporter(platform, objects=queues(platform))

    async def check() -> None:
        assert len(figures(exporter, "queue_contacts_waiting")) == 200
        assert 0 < refusals(platform) <= 20
        before = len(platform.simulator.log)
        platform.simulator.expire_sessions(http=True)
        await exporter.go_on(60)
        assert refusals(platform, before) == 0

    read(exporter, check, 60.0)


@pytest.mark.parametrize("answer", ["413", "400"])
def test_the_size_of_reads_is_learnt(answer: str) -> None:
    """Names that are read without a subscription are split, too."""
    platform = platform_of(400, body_limit=4_096, too_large=answer)
    ids = queue_ids(platform)
    name = {"name": "Current_In_Queue", "object_ids": ids}
    exporter = Exporter(platform, objects=[], statistics=[{**OWN, **name}], mode="poll")

    async def check() -> None:
        assert len(figures(exporter, "custom_good")) == 400
        before = len(platform.simulator.log)
        await exporter.go_on(300)
        assert refusals(platform, before) == 0
        assert len(figures(exporter, "custom_good")) == 400

    platform.frozen = True
    read(exporter, check, 40.0)


@pytest.mark.parametrize("answer", first(2, ["413", "html413", "414", "431"]))
@pytest.mark.parametrize("mode", ["subscribe", "poll"])
def test_a_statistic_that_does_not_fit_alone_is_an_error(
    answer: str, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The feed fails with what to do, and the requests are few."""
    platform = platform_of(40, body_limit=250, too_large=answer)
    exporter = Exporter(platform, objects=queues(platform), mode=mode)

    def check() -> None:
        assert exporter.page() == {}
        assert f"HTTP {answer.removeprefix('html')}" in logged(caplog)
        assert "raise the gateway's limit" in logged(caplog)
        assert refusals(platform) < 200

    read(exporter, check, 60.0)


def test_a_huge_definition_costs_only_itself() -> None:
    """A statistic that is larger than the limit does not make all other requests small."""
    platform = platform_of(100, body_limit=16_384)
    huge = {"definition": {"category": "x" * 20_000}, "object_ids": queue_ids(platform)}
    exporter = Exporter(platform, objects=queues(platform), statistics=[{**OWN, **huge}])

    def check() -> None:
        assert len(figures(exporter, "queue_contacts_waiting")) == 100
        assert len(figures(exporter, "queue_contacts_handled_total")) == 100
        assert len(platform.requests("/subscriptions", "POST")) < 200

    read(exporter, check, 60.0)


def test_passing_errors_do_not_lower_the_size() -> None:
    """Requests that fail for a while and are accepted in halves are not taken for too large."""
    platform = platform_of(40)
    platform.frozen = True
    exporter = Exporter(platform, objects=queues(platform))

    async def check() -> None:
        opened = len(platform.simulator.open_subscriptions)
        for _ in range(5):
            for kind in ("spring", "400"):
                platform.simulator.fail_next(kind, 1, "*/subscriptions")
                platform.simulator.expire_sessions(http=True)
                await exporter.go_on(120)
                assert len(figures(exporter, "queue_contacts_waiting")) == 40
        platform.simulator.expire_sessions(http=True)
        await exporter.go_on(30)
        assert len(platform.simulator.open_subscriptions) == opened

    read(exporter, check)
