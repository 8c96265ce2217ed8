"""What all tests share: a clock that tests move, and how long properties are tried."""

import os
import sys

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


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture(scope="session")
def make_clock() -> type[VirtualClock]:
    return VirtualClock
