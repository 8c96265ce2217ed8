"""Hostile answers and conditions dealt at random: every figure is the floor's, or it is absent."""

import pytest

from support.clock import run
from support.hostile import RUNS
from support.quick import first

SHORT, LONG = 40, 10_000  # ticks
CROWDED = 0.8  # the share of ticks that bring a fault in a short run
MOST_GROWTH = 30_000  # kB of resident memory in the second half of a long run
MOST_SERIES = 1_000  # of the exporter's own


def weather(provider: str, ticks: int, **options: float) -> None:
    account = RUNS[provider](**options)  # type: ignore[arg-type]
    verdict = run(account.run(ticks))
    print(account.report())
    assert verdict.wrong == []
    assert verdict.ticks == ticks
    assert account.forbidden == {}
    assert account.series[1] < MOST_SERIES
    if ticks == LONG:
        assert account.memory[1] - account.memory[0] < MOST_GROWTH
        assert account.series[1] <= 1.1 * account.series[0]
        assert account.faults().keys() == account.dealt.keys()
        assert account.without_effect() == set()
        assert verdict.increases > 0
    internal = [
        sample
        for family in account.telemetry.registry.collect()
        for sample in family.samples
        if "internal" in sample.labels.values() and sample.value
    ]
    assert internal == []


@pytest.mark.parametrize("provider", first(1, RUNS))
def test_no_figure_is_wrong(provider: str) -> None:
    """In a short run that is full of hostile faults no figure is wrong."""
    weather(provider, SHORT, often=CROWDED)


@pytest.mark.timeout(1800)
@pytest.mark.slow
@pytest.mark.parametrize("provider", RUNS)
def test_no_figure_is_wrong_in_a_day(provider: str) -> None:
    """Over 10,000 ticks no figure is wrong, no request is forbidden, and memory stays flat."""
    weather(provider, LONG, seed=2)
