"""What all tests share: a clock that tests move, and how long properties are tried."""

import asyncio

import pytest
from hypothesis import settings

settings.register_profile("exporter", max_examples=100, deadline=None)
settings.load_profile("exporter")

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
