"""What all tests share: a clock that tests move, and how long properties are tried."""

import asyncio
import os
import sys

import pytest
from hypothesis import settings

# httpx's ASGI transport looks for trio at every request; a module that is known to be absent is
# found to be so at once, instead of in every folder of the path each time.
sys.modules.setdefault("trio", None)  # type: ignore[arg-type]

settings.register_profile("exporter", max_examples=200, deadline=None)
settings.register_profile("nightly", max_examples=10_000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "exporter"))

NOON = 1_772_452_800.0  # 2026-03-02 12:00 UTC, a Monday


class VirtualClock:
    """A clock that only a sleep, or the test itself, moves."""

    def __init__(self) -> None:
        self.elapsed = 0.0

    def time(self) -> float:
        return NOON + self.elapsed

    def monotonic(self) -> float:
        return self.elapsed

    async def sleep(self, seconds: float) -> None:
        self.elapsed += max(seconds, 0.0)
        await asyncio.sleep(0)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture(scope="session")
def make_clock() -> type[VirtualClock]:
    return VirtualClock
