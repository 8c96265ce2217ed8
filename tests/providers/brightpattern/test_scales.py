"""Scales of Bright Pattern's ratios from end to end: each ratio on the page is the floor's."""

import logging
from typing import Any

import pytest

from exporter.providers.brightpattern.tables import RATIOS
from exporter.simulators.floor.floor import Floor
from support.brightpattern import Exporter, Platform, own
from support.clock import MIDNIGHT
from support.page import Series
from support.quick import first

pytestmark = pytest.mark.anyio

MORNING = MIDNIGHT + 9 * 3600
SCALES = ("fraction", "percent", "signed")
TOTALS = tuple(name for name in RATIOS if name != "service_level_target")


def switches(scale: str, **more: Any) -> dict[str, Any]:
    """Return the switches of a tenant that writes all ratios on one scale."""
    scales = {(block, name): scale for block in ("totals", "service") for name in RATIOS}
    return {"share_scales": scales, **more}


def morning(**switches: Any) -> Platform:
    """Return a platform that has been open for an hour."""
    floor = Floor(agents=20, queues=8, campaigns=6, seed=3, start=MORNING - 3600)
    floor.advance(MORNING)
    return Platform(start=MORNING, floor=floor, **switches)


def is_ratio(key: Series) -> bool:
    return key[0].startswith("contactcenter_queue_") and key[0].endswith("_ratio")


def check(exporter: Exporter) -> int:
    """Return how many ratios are on the page; each is that of the last answer."""
    _, truth = exporter.noted["subscription"]
    shown = {key: value for key, value in exporter.page().items() if is_ratio(key)}
    for key, value in shown.items():
        assert value == pytest.approx(truth[key], abs=1e-9), key
    return len(shown)


@pytest.mark.parametrize("cut", first(1, [False, True]))
@pytest.mark.parametrize("digits", first(2, [None, 0, 6]))
@pytest.mark.parametrize("scale", SCALES)
async def test_every_scale(scale: str, digits: int | None, cut: bool) -> None:
    """Each ratio equals the floor's or is absent, on every scale, rounded or cut off."""
    platform = morning(**switches(scale, share_digits=digits, share_cut=cut))
    exporter = Exporter(platform)
    async with exporter.running(12):
        for _ in range(12):
            await exporter.go_on(5)
            shown = check(exporter)
        if (scale, digits) != ("fraction", 0):  # those are all 0 or 1
            assert shown > 20


async def test_each_ratio_on_its_own_scale() -> None:
    """Statistics and blocks do not share a scale."""
    scales = {("service", name): SCALES[position % 2] for position, name in enumerate(RATIOS)}
    platform = morning(share_scales=scales)
    mapped = {name: {"metric": f"custom_{name}_ratio", "parse": "share"} for name in TOTALS}
    exporter = Exporter(platform, statistics={"totals": mapped})
    async with exporter.running(60):
        assert check(exporter) > 20
        page, truth = exporter.page(), platform.simulator.truth().totals
        for name in TOTALS:  # fractions
            assert page[own(f"custom_{name}_ratio")] == float(truth[name]), name


async def test_a_day_of_fractions() -> None:
    """From midnight on a ratio is absent until calls prove its scale, and never wrong."""
    exporter = Exporter(Platform(start=MIDNIGHT + 7 * 3600, **switches("fraction")))
    counts = []
    async with exporter.running(12):
        for _ in range(100):
            await exporter.go_on(30)
            counts.append(check(exporter))
    assert counts[0] < counts[-1]
    assert counts[-1] > 20


async def test_a_proof_outlasts_a_subscription(caplog: pytest.LogCaptureFixture) -> None:
    """What is proven stays so when the subscription or the session is lost; it is logged once."""
    caplog.set_level(logging.INFO)
    platform = morning(**switches("fraction"))
    exporter = Exporter(platform)
    async with exporter.running(60):
        before = check(exporter)
        platform.simulator.take_over()
        platform.simulator.expire_tokens()
        await exporter.go_on(20)  # the first data of the new subscription
        assert check(exporter) >= before - 2
    proofs = [r.__dict__["fields"] for r in caplog.records if "share proven" in r.getMessage()]
    names = [fields["statistic"] for fields in proofs]
    assert len(names) == len(set(names)) == len(RATIOS)
    assert {fields["scale"] for fields in proofs} == {"fraction"}


@pytest.mark.parametrize(
    ("scale", "configured"), [("fraction", "percent"), ("percent", "fraction")]
)
async def test_a_wrong_setting_shows_nothing(
    scale: str, configured: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A configured scale that the numbers disprove is named once, and the ratios are absent."""
    platform = morning(**switches(scale))
    exporter = Exporter(platform, ratio_scale=configured)
    async with exporter.running(12):
        for _ in range(12):
            await exporter.go_on(5)
            check(exporter)
    messages = [r.getMessage() for r in caplog.records]
    disproved = "configured scale of a share disproved; the share is left out"
    assert 1 <= messages.count(disproved) <= len(RATIOS)


async def test_a_setting_that_is_right() -> None:
    """A configured scale is valid from the first answer on."""
    platform = morning(**switches("fraction"))
    exporter = Exporter(platform, ratio_scale="fraction")
    async with exporter.running(8):
        assert check(exporter) > 20


@pytest.mark.slow
async def test_no_ratio_of_a_small_tenant_is_wrong() -> None:
    """One queue with few calls: all day nothing is wrong."""
    for scale in ("fraction", "percent"):
        start = MIDNIGHT + 7 * 3600
        floor = Floor(agents=2, queues=1, campaigns=1, seed=5, start=start)
        exporter = Exporter(Platform(start=start, floor=floor, **switches(scale)))
        async with exporter.running(12):
            for _ in range(40):
                await exporter.go_on(120)
                check(exporter)
