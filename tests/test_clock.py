"""Tests of the machine's clock: suspend, pauses of virtual machines, corrections of the wall."""

import asyncio
import threading
import time

import pytest

from exporter import clock as clocks
from exporter.clock import ElapsedTime, SystemClock, time_limit, uptime
from support.clock import run

HOUR = 3100.0


class Machine:
    """The clocks of a machine: of its boot, with suspend, and of the wall."""

    def __init__(self) -> None:
        self.boot, self.wall = 1000.0, 1_800_000_000.0
        self.elapsed = ElapsedTime(lambda: self.boot, lambda: self.wall)

    def since(self, boot: float, wall: float) -> float:
        """Return how far the elapsed time goes on while the clocks go on so far."""
        before = self.elapsed.seconds()
        self.boot += boot
        self.wall += wall
        return self.elapsed.seconds() - before


@pytest.mark.parametrize(
    ("boot", "wall", "passed"),
    [
        (1.0, 1.0, 1.0),
        (HOUR, HOUR, HOUR),  # suspend
        (0.0, HOUR, HOUR),  # paused from outside, and the wall clock set right
        (20.0, 20.0 + HOUR, 20.0 + HOUR),
        (1.0, 1.0 + 44.0, 1.0),  # a correction
        (1.0, 1.0 + 46.0, 47.0),
        (1.0, 1.0 - HOUR, 1.0),
        (HOUR, HOUR - 40.0, HOUR),
        (0.0, -1e9, 0.0),
    ],
)
def test_elapsed_time(boot: float, wall: float, passed: float) -> None:
    """Suspend counts; so does a wall clock that is ahead by more than it may be corrected."""
    assert Machine().since(boot, wall) == pytest.approx(passed)


def test_many_corrections() -> None:
    """Corrections do not add up to a pause, and what counted once does not count again."""
    machine = Machine()

    assert machine.since(0.0, HOUR) == pytest.approx(HOUR)
    assert machine.since(1.0, 1.0) == pytest.approx(1.0)
    for _ in range(10):
        assert machine.since(1.0, 31.0) == pytest.approx(1.0)
    assert machine.since(0.0, -2 * HOUR) == 0.0
    assert machine.since(0.0, HOUR) == pytest.approx(HOUR)  # since the last reading


def test_threads_see_one_pause() -> None:
    """A pause counts once, however many threads read the clock."""
    machine = Machine()
    machine.wall += HOUR
    threads = [threading.Thread(target=machine.elapsed.seconds) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert machine.elapsed.seconds() == pytest.approx(1000.0 + HOUR)


def test_the_clock_counts_suspend(monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux counts suspend in CLOCK_BOOTTIME; where there is none, CLOCK_MONOTONIC is read."""
    real = time.clock_gettime
    monkeypatch.setattr(time, "clock_gettime", lambda which: (which, real(which))[0] * 1.0)
    monkeypatch.setattr(time, "CLOCK_BOOTTIME", 7, raising=False)
    assert clocks._count() == 7.0
    monkeypatch.delattr(time, "CLOCK_BOOTTIME")
    assert clocks._count() == time.CLOCK_MONOTONIC


def test_all_clocks_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two clocks of the machine see the same pause, whichever is read first."""
    first, second = SystemClock(), SystemClock()
    assert abs(first.monotonic() - second.monotonic()) < 1.0
    wall = time.time()
    monkeypatch.setattr(time, "time", lambda: wall + HOUR)
    before = uptime()
    assert first.monotonic() - before == pytest.approx(second.monotonic() - before, abs=1.0)
    assert first.time() == second.time() == wall + HOUR
    monkeypatch.undo()
    assert first.monotonic() - before > HOUR - 1.0  # never back


class Suspended:
    """A clock whose machine was suspended for ``boot`` seconds, in which the loop stood still."""

    def __init__(self) -> None:
        self.boot = 0.0
        loop = asyncio.get_running_loop()
        elapsed = ElapsedTime(lambda: loop.time() + self.boot, lambda: loop.time() + self.boot)
        self.clock = SystemClock(elapsed)


@pytest.mark.parametrize(
    ("seconds", "before", "suspended", "ends"),
    [
        (60.0, 2.0, 0.0, (60.0, 60.1)),
        (0.0, 0.0, 0.0, (0.0, 0.0)),
        (60.0, 2.0, HOUR, (2.0, 7.0)),
        (60.0, 2.0, 30.0, (29.0, 35.0)),
        (3.0, 1.0, HOUR, (1.0, 3.1)),
    ],
)
def test_sleep(seconds: float, before: float, suspended: float, ends: tuple[float, float]) -> None:
    """A sleep of which suspend is a part ends within seconds of the resume, never early."""

    async def main() -> float:
        machine = Suspended()
        loop = asyncio.get_running_loop()
        start, until = loop.time(), machine.clock.monotonic() + seconds
        sleep = asyncio.create_task(machine.clock.sleep(seconds))
        await asyncio.sleep(before)
        machine.boot += suspended
        await sleep
        assert machine.clock.monotonic() >= until
        return loop.time() - start

    least, most = ends
    assert least <= run(main()) <= most + 0.001


def test_sleeps_do_not_end_together() -> None:
    """After a resume, what many accounts wait for begins within seconds, and not at once."""

    async def main() -> list[int]:
        machine = Suspended()
        loop = asyncio.get_running_loop()

        async def wait() -> float:
            await machine.clock.sleep(HOUR)
            return loop.time()

        sleeps = [asyncio.create_task(wait()) for _ in range(200)]
        await asyncio.sleep(100.0)
        machine.boot += 3 * HOUR
        ended = await asyncio.gather(*sleeps)
        assert max(ended) <= 105.001
        return [sum(100.0 + n <= end < 101.0 + n for end in ended) for n in range(5)]

    counts = run(main())
    assert (sum(counts), max(counts) < 80) == (200, True)


def test_a_sleep_lets_others_run() -> None:
    """A sleep of no time, or less, yields to other tasks."""

    async def main() -> None:
        ran = []
        task = asyncio.create_task(asyncio.sleep(0, ran.append(1)))
        for seconds in (0.0, -1.0):
            await SystemClock().sleep(seconds)
        assert task.done()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("takes", "suspended", "ends"),
    [
        (29.0, 0.0, None),
        (31.0, 0.0, 30.0),
        (29.0, HOUR, 10.0),  # noticed at the second look
        (29.0, 10.0, 20.0),
    ],
)
def test_a_time_limit(takes: float, suspended: float, ends: float | None) -> None:
    """A limit counts suspend: what it had left is not waited for after the resume."""

    async def main() -> float | None:
        machine = Suspended()
        loop = asyncio.get_running_loop()
        start = loop.time()
        loop.call_later(7.0, lambda: setattr(machine, "boot", suspended))
        try:
            async with time_limit(machine.clock, 30.0):
                await asyncio.sleep(takes)
        except TimeoutError:
            return loop.time() - start
        return None

    assert run(main()) == pytest.approx(ends)


def test_what_came_before_a_suspend_is_too_late() -> None:
    """An answer from before the suspend that is read after the resume is not taken."""

    async def main() -> None:
        machine = Suspended()
        with pytest.raises(TimeoutError):
            async with time_limit(machine.clock, 30.0):
                machine.boot += HOUR
        async with time_limit(machine.clock, 30.0):
            machine.boot += 20.0

    run(main())
