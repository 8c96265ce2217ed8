"""Fixtures and hypothesis profiles that all tests share."""

import logging
import os
import random
import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

from support.clock import VirtualClock

# httpx's ASGI transport looks for trio at every request; a module that is known to be absent is
# found to be so at once, instead of in every folder of the path each time.
sys.modules.setdefault("trio", None)  # type: ignore[arg-type]

settings.register_profile("quick", max_examples=40, deadline=None)
settings.register_profile("exporter", max_examples=200, deadline=None)
settings.register_profile("nightly", max_examples=10_000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "exporter"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin the slow set with the tests that may take longest, so that none is left for the end."""

    def most_seconds(item: pytest.Item) -> float:
        mark = item.get_closest_marker("timeout")
        return mark.args[0] if mark else 0.0

    if config.option.markexpr == "slow":
        items.sort(key=most_seconds, reverse=True)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Seed the jitter of pauses, so that a test runs alike each time."""
    random.seed(item.nodeid)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture(scope="session")
def make_clock() -> type[VirtualClock]:
    return VirtualClock


@pytest.fixture
def restored_logging() -> Iterator[None]:
    """Restore the process's logging after the test."""
    root, ours = logging.getLogger(), logging.getLogger("exporter")
    before = (root.handlers[:], root.level, ours.level)
    yield
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    ours.setLevel(before[2])
