"""Memory of an account whose platform names everything anew in every answer."""

import gc
import logging
import tracemalloc

import pytest

from exporter.metrics import tables
from exporter.providers.brightpattern import rows
from exporter.providers.five9 import rows as five9_rows
from exporter.refresh import schedule
from support.clock import run
from support.platforms import NAMES
from support.quick import first
from support.renaming import Renamed

FEW = 60  # refreshes
POINTS = 6
MANY = 600
STEPS = 5
MOST_GROWTH = 100_000  # bytes, between two of the steps after the first
# Five9's tables grow by updates until they are read whole again: how many refreshes fill all of
# them, and how many bytes that makes with the limit below. Totals of Voximplant's queues that have
# gone are kept for an hour.
FILLING = {"five9": 240}
GROWTH = {"five9": 500_000, "voximplant": 250_000}
# The times of an account's requests within a day, as many as its quota allows.
TIMES = {"Budget._recent"}


@pytest.fixture(autouse=True)
def low_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lower the limits of what is remembered, so that they are reached soon."""
    monkeypatch.setattr(schedule, "_MOST_LOGGED_NAMES", 20)
    monkeypatch.setattr(rows, "_MOST_UNKNOWN_MEDIA", 2)
    monkeypatch.setattr(five9_rows, "MOST_CELLS", 1_500)


@pytest.mark.parametrize("provider", first(1, sorted(NAMES, reverse=True)))
def test_no_container_grows(provider: str) -> None:
    """What an account remembers of names, words and messages has a limit each."""

    async def main() -> None:
        account = Renamed(provider)
        async with account.signed_in():
            await account.go_on(FILLING.get(provider, 0))
            before = await _peaks(account)
            after = await _peaks(account)
        grown = {
            place: (before.get(place, 0), size)
            for place, size in after.items()
            if size > 1.5 * before.get(place, 0) + 20 and place not in TIMES
        }
        print(grown, sum(before.values()), sum(after.values()))
        assert grown == {}

    run(main())


async def _peaks(account: Renamed) -> dict[str, int]:
    """Return how much each place has held at most, while some refreshes were made.

    A local copy of a table grows by the rows of its updates until it is read whole again.
    """
    peaks: dict[str, int] = {}
    for _ in range(POINTS):
        await account.go_on(FEW / POINTS)
        for place, size in account.items().items():
            peaks[place] = max(peaks.get(place, 0), size)
    return peaks


def _held() -> int:
    """Return the bytes that the exporter and its libraries hold, without the simulators."""
    tables._normalised.cache_clear()
    gc.collect()
    others = ("*/simulators/*", "*/tests/*", "*/asyncio/*", tracemalloc.__file__)
    filters = [tracemalloc.Filter(inclusive=False, filename_pattern=name) for name in others]
    kept = tracemalloc.take_snapshot().filter_traces(filters)
    return sum(statistic.size for statistic in kept.statistics("filename"))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("provider", NAMES)
def test_memory_stays_flat(provider: str, caplog: pytest.LogCaptureFixture) -> None:
    """The exporter holds as much after many hundreds of refreshes as after some."""
    caplog.set_level(logging.CRITICAL + 1, "exporter")  # pytest keeps every record

    async def main() -> None:
        account = Renamed(provider)
        sizes = []
        async with account.signed_in():
            tracemalloc.start()
            for _ in range(STEPS + 1):
                await account.go_on(MANY / (STEPS + 1))
                sizes.append(_held())
            tracemalloc.stop()
        print(provider, account.refreshes, sizes)
        assert max(sizes[2:]) - sizes[1] < GROWTH.get(provider, MOST_GROWTH)

    run(main())
