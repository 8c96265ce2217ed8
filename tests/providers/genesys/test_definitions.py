"""Genesys definitions: compound categories, campaign objects, refused definitions, request size."""

from collections.abc import Callable
from typing import Any

import pytest

from exporter.simulators.floor.floor import Floor
from support.clock import run
from support.genesys import MORNING, Exporter, Platform


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
