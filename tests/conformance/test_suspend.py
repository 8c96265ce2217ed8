"""Every account while its machine is suspended, paused, or its wall clock is corrected."""

import asyncio
from collections.abc import Callable

import pytest

from exporter.clock import ElapsedTime, SystemClock
from exporter.exposition.encoding import Format
from exporter.exposition.publisher import Publisher
from support import faulty
from support.account import Account
from support.clock import MORNING, run
from support.platforms import NAMES, PLATFORMS, platform
from support.quick import first

HOURS = 3 * 3600.0
BACK = 420.0  # seconds: the longest back-off of a session, and a refresh


class Machine:
    """A machine whose event loop is virtual, with the clocks that its kernel counts.

    ``boot`` is ahead of the event loop by the suspend that was counted, ``wall`` by that and by
    the corrections of the wall clock.
    """

    def __init__(self) -> None:
        self.boot = self.wall = 0.0
        loop = asyncio.get_running_loop()
        elapsed = ElapsedTime(
            lambda: loop.time() + self.boot, lambda: MORNING + loop.time() + self.wall
        )
        self.clock = SystemClock(elapsed)

    def suspend(self, seconds: float) -> None:
        """Suspend it: the event loop's clock stands still, and CLOCK_BOOTTIME does not."""
        self.boot += seconds
        self.wall += seconds

    def pause(self, seconds: float) -> None:
        """Pause it from outside: only the wall clock is set right afterwards."""
        self.wall += seconds


class Suspended(Account):
    """An account, its platform, and the page of a machine that may be suspended.

    The platform has the same clock: what was true of it before is not true of it after hours.
    """

    def __init__(self, provider: str) -> None:
        self.machine = Machine()
        options = PLATFORMS[provider].on_a_loop
        super().__init__(provider, platform(provider, clock=self.machine.clock, **options))
        self.publisher = Publisher(
            self.store, self.telemetry.exposed_families, self.machine.clock.monotonic
        )

    def scrape(self) -> str:
        """Return the page that the web server would serve now; no thread has made one."""
        return b"".join(self.publisher.current().body(Format.TEXT, gzip=False)[0]).decode()

    @property
    def figures(self) -> int:
        """How many figures of queues and agents the next scrape shows."""
        lines = self.scrape().splitlines()
        return sum(
            line.startswith(("contactcenter_queue", "contactcenter_agents")) for line in lines
        )

    def requests(self) -> int:
        """Return how many requests have ended."""
        return sum(
            int(sample.value)
            for family in self.telemetry.registry.collect()
            for sample in family.samples
            if sample.name == "contactcenter_api_requests_total"
        )

    @property
    def up(self) -> set[float]:
        """The values of ``contactcenter_up`` that the next scrape shows."""
        lines = self.scrape().splitlines()
        return {float(line.split()[-1]) for line in lines if line.startswith("contactcenter_up{")}


@pytest.mark.parametrize("how", first(1, ["suspend", "pause"]))
@pytest.mark.parametrize("provider", NAMES)
def test_figures_from_before(provider: str, how: str) -> None:
    """The first scrape after a suspend shows none of them; minutes later there are new ones.

    A machine that was paused from outside shows none once its wall clock is right.
    """

    async def main() -> None:
        account = Suspended(provider)
        async with account.signed_in():
            assert (account.figures > 10, account.up) == (True, {1.0})
            queues, sent = account.waiting(), account.requests()
            getattr(account.machine, how)(HOURS)
            while account.requests() == sent:
                assert (account.figures, account.up) == (0, {0.0})
                await account.wait(0.5)
            await account.wait(BACK)
            assert (account.waiting(), account.up) == (queues, {1.0})

    run(main())


@pytest.mark.parametrize("provider", first(1, NAMES))
def test_what_is_due_begins_soon(provider: str) -> None:
    """After a suspend a request follows within seconds, whatever a sleep or request has left."""

    async def main() -> None:
        account = Suspended(provider)
        async with account.signed_in():
            for _ in range(5):
                await account.wait(7.3)
                sent = account.requests()
                account.machine.suspend(HOURS)
                await account.wait(11.0)  # of a pause two naps are left, of a request one
                assert account.requests() > sent

    run(main())


@pytest.mark.parametrize("seconds", first(1, [40.0, -86_400.0, -40.0, 0.4]))
@pytest.mark.parametrize("provider", first(1, NAMES))
def test_the_wall_clock_is_corrected(provider: str, seconds: float) -> None:
    """A correction back, or ahead by less than 45 s, takes no figure away and loses no session."""

    async def main() -> None:
        account = Suspended(provider)
        async with account.signed_in():
            before, sign_ins = (
                account.figures,
                account.metric("session_signins_total", outcome="ok"),
            )
            account.machine.wall += seconds
            assert (account.figures, account.up) == (before, {1.0})
            await account.wait(20.0)
            assert account.up == {1.0}
            assert account.metric("session_signins_total", outcome="ok") == sign_ins

    run(main())


LENGTHS = (5.0, 20.0, 50.0, 70.0, 130.0, 400.0, 1200.0, 3600.0)  # seconds


@pytest.mark.slow
@pytest.mark.parametrize("provider", NAMES)
def test_no_figure_is_old(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Suspended and paused at random for seconds to an hour: no scrape has an old figure."""

    async def main() -> None:
        machine = Machine()
        monkeypatch.setattr(faulty, "LoopClock", lambda _: machine.clock)
        account = faulty.RUNS[provider](often=0.2)

        def deal(how: Callable[[float], None], seconds: float) -> None:
            how(seconds)
            account.platform.tick()
            account.record()
            up = bool(account.metric("up"))
            account.oracle.judge(account.clock.time(), account.page(), up=up)

        kinds: dict[str, faulty.Fault] = {
            "suspend": lambda run: deal(machine.suspend, run.chance.choice(LENGTHS)),
            "pause": lambda run: deal(machine.pause, run.chance.choice(LENGTHS[2:])),
        }
        monkeypatch.setattr(account, "faults", lambda: kinds)
        verdict = await account.run(100)
        print(account.report())
        assert verdict.wrong == []
        assert min(account.dealt.values()) >= 5
        assert verdict.share_absent < 0.5

    run(main())
