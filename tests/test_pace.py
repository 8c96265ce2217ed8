"""The spacing of attempts that succeed only for a moment."""

from itertools import pairwise

import pytest

from exporter.clock import Pace
from support.clock import VirtualClock


def spaced(clock: VirtualClock, pace: Pace, times: int, lasting: float) -> list[float]:
    """Make attempts that last so long, each as soon as the pace allows; return their times."""
    begun = []
    for _ in range(times):
        clock.elapsed += pace.delay
        pace.begin()
        begun.append(clock.elapsed)
        clock.elapsed += lasting
        pace.note_good()
    return begun


@pytest.mark.parametrize("lasting", [0.0, 1.0, 15.0, 45.0, 59.0, 61.0, 75.0])
@pytest.mark.parametrize("rolled", [0.0, 0.5, 0.999])
def test_after_five_minutes_at_most_one_attempt_a_minute(lasting: float, rolled: float) -> None:
    """However long attempts last, more than one a minute is made in the first minutes only."""
    clock = VirtualClock()
    times = spaced(clock, Pace(clock, lambda: rolled), 60, lasting)
    late = [at for at in times if at >= 300]
    assert all(later - earlier >= 60 for earlier, later in pairwise(late))
    assert times[1] == lasting, "the second follows at once"


def test_an_attempt_that_lasts_makes_up_for_brief_ones() -> None:
    """Each minute and a half counts for one brief attempt, so that one success forgets none."""
    clock = VirtualClock()
    pace = Pace(clock, lambda: 0.0)
    spaced(clock, pace, 12, 0.0)
    spaced(clock, pace, 1, 100.0)
    spaced(clock, pace, 2, 0.0)
    assert pace.delay > 50
    spaced(clock, pace, 1, 3600.0)
    assert pace.delay == 0
    first, second, third = spaced(clock, pace, 3, 1.0)
    assert (second - first, third - second) == (1.0, 4.0), "as if it had never failed"


def test_paces_of_many_accounts_differ() -> None:
    """Chance takes up to a tenth off a delay, so that accounts do not act in step."""
    delays = set()
    for rolled in (0.0, 0.3, 0.9):
        clock = VirtualClock()
        pace = Pace(clock, lambda rolled=rolled: rolled)  # type: ignore[misc]
        spaced(clock, pace, 9, 0.0)
        delays.add(round(pace.delay, 3))
    assert len(delays) == 3
    assert min(delays) > 60
