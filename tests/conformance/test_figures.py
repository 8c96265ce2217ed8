"""Floor → wire → client → tables → page: every figure equals the floor's, or is absent."""

import pytest

from support.clock import run
from support.platforms import NAMES
from support.storms import storms

STORMS = storms()
EACH = [
    pytest.param(provider, name, id=f"{provider}-{name}")
    for provider in NAMES
    for name in STORMS[provider]
]
SHORT, LONG = 25, 2_000  # ticks


def weather(provider: str, name: str, ticks: int) -> None:
    """Run a storm; nothing on the page may be wrong, and not too much absent."""
    comparison = run(STORMS[provider][name](ticks))
    right = comparison.equal + comparison.late
    print(f"{provider} {name}: {right} right, {comparison.late} late, {comparison.absent} absent")

    assert comparison.wrong[:5] == []
    assert comparison.ticks >= ticks
    most_absent = comparison.most_absent if ticks >= LONG else 1.0  # a short one may be all storm
    assert comparison.absent < most_absent * right


@pytest.mark.parametrize(("provider", "name"), [(x, next(iter(STORMS[x]))) for x in NAMES])
def test_figures_in_a_short_storm(provider: str, name: str) -> None:
    """Over 25 ticks with faults no figure on the page is wrong."""
    weather(provider, name, SHORT)


@pytest.mark.timeout(900)
@pytest.mark.slow
@pytest.mark.parametrize(("provider", "name"), EACH)
def test_figures_in_a_long_storm(provider: str, name: str) -> None:
    """Over 2,000 ticks with faults and a restart of the day no figure on the page is wrong."""
    weather(provider, name, LONG)
