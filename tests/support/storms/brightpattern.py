"""Bright Pattern for many ticks with faults: the page equals the floor, or figures are absent."""

import random
from functools import partial
from typing import Any

from exporter.simulators.floor.floor import Floor
from support.brightpattern import Exporter, Platform
from support.clock import MIDNIGHT, MORNING
from support.oracle import HOLD_SMALL
from support.page import Series

TICK = 5.0
LONG = 1_000  # ticks within which every kind of mischief is sure to happen


FAULTS = (
    *("401", "404", "429:20", "html502", "html503", "html504"),
    *("reset", "cut", "garbage", "html200"),
    *("null_cells", "bare_numbers", "wrong_type", "no_data", "extra_column:99"),
    *(f"missing_column:{position}" for position in range(8)),
)


CORRECTABLE = (
    "in_calls_received_per_day",
    "in_calls_abandoned_total_per_day",
    "in_calls_short_abandoned_in_queue_per_day",
    "in_calls_handled_per_day",
)


_INTERNAL = {"feed": "subscription", "outcome": "internal"}


AGENT_KINDS = ("agent_dispositions_total",)  # zero where the floor has counted nothing


class Comparison:
    """Compares the page with what the platform said when each feed was last read."""

    most_absent = 0.2

    def __init__(self, exporter: Exporter, reset: float) -> None:
        self.exporter = exporter
        self.reset = reset
        self.equal = self.absent = self.late = self.ticks = self.held = 0
        self.wrong: list[str] = []
        self._expected: dict[Series, tuple[float, ...]] = {}  # the values that may be shown
        # By total: the value held, when it was read last, and when the floor's fell below it.
        self._best: dict[Series, tuple[float, float, float]] = {}
        self._seen: dict[Series, float] | None = None

    def compare(self) -> None:
        """Compare once."""
        self.ticks += 1
        noted = self.exporter.noted.get("subscription")
        if noted is None:
            return
        at, truth = noted
        page = self.exporter.page()
        if truth is not self._seen:
            self._seen = truth
            self._expected = {key: self._hold(key, now, at, page) for key, now in truth.items()}
        for key, expected in self._expected.items():
            shown = page.get(key)
            tolerance = 2.5 if "_since_" in key[0] else 1e-9
            if shown is None:
                self.absent += 1
            elif any(abs(shown - value) <= tolerance for value in expected):
                self.equal += 1
            else:
                self.wrong.append(f"{self.exporter.clock.time()}: {key}: {expected} != {shown}")
        names = {name for name, _ in truth}
        for key in {key for key in page if key[0] in names} - truth.keys():
            if not (key[0].endswith(AGENT_KINDS) and page[key] == 0):
                self.wrong.append(f"{self.exporter.clock.time()}: {key} is no more")

    def _hold(
        self, key: Series, now: float, at: float, page: dict[Series, float]
    ) -> tuple[float, ...]:
        """Return what may be shown: the floor's value, or that before a correction, for an hour."""
        if not key[0].endswith("_total"):
            return (now,)
        best, last, fell_at = self._best.get(key, (now, at, at))
        may_fall = last - 300 < self.reset < at + 300
        fell_at = fell_at if now < best else at
        held = now < best and now != 0 and not may_fall and at - fell_at <= HOLD_SMALL
        self.held += held
        if key in page:  # a cell that did not come is not held against the next one
            is_held = held and page[key] == best
            self._best[key] = (best, at, fell_at) if is_held else (now, at, at)
        return (now, best) if held else (now,)


class Mischief:
    """Breaks something now and then, and changes what there is; seeded."""

    def __init__(self, platform: Platform, seed: int, calm: float) -> None:
        self.platform = platform
        self.chance = random.Random(seed)
        self.calm = calm  # when the day is reset: corrections would be hidden around it
        self.quiet_until = self.empty_at = 0.0
        self.licences_back = float("inf")

    def tick(self) -> None:
        """Do whatever comes to mind."""
        simulator, now = self.platform.simulator, self.platform.clock.now
        if now >= self.licences_back:
            simulator.wallboards_open, self.licences_back = 0, float("inf")
        if now < self.quiet_until:
            return
        if self.chance.random() < 0.05:
            simulator.fail_next(self.chance.choice(FAULTS), target="/statsapi/*")
            self.quiet_until = now + 12
        elif self.chance.random() < 0.02 and now > self.empty_at + 600:
            self.empty_at = now  # an empty table twice in a row would be believed
            simulator.fail_next("no_rows")
        elif self.chance.random() < 0.01:
            simulator.fail_next("204", n=self.chance.randrange(1, 5), target="*/data")
        elif self.chance.random() < 0.006:
            self.chance.choice((simulator.take_over, simulator.expire_tokens))()
        elif self.chance.random() < 0.002:
            simulator.wallboards_open = 10  # no licence is left for whom another login ousts
            simulator.expire_tokens()
            self.licences_back = now + 200
        self._on_the_floor(now)

    def _on_the_floor(self, now: float) -> None:
        floor, simulator = self.platform.floor, self.platform.simulator
        if self.chance.random() < 0.02:
            floor.surge(self.chance.choice(list(floor.queues)), self.chance.randrange(1, 9))
        if self.chance.random() < 0.01 and abs(now - self.calm) > 900:
            queue = self.chance.choice(list(floor.queues))
            simulator.correct(self.chance.choice(CORRECTABLE), queue, -self.chance.randrange(1, 4))
        if self.chance.random() < 0.005:
            name = f"Extra {self.chance.randrange(3)}"
            (floor.remove_queue if name in floor.queues else floor.add_queue)(name)
        if self.chance.random() < 0.005:
            floor.add_agent(f"temp{round(now)}@example.com")


async def storm(
    seed: int, start: float, switches: dict[str, Any], options: dict[str, Any], ticks: int
) -> Comparison:
    """Read so many ticks of five seconds, with faults; a long storm has a daily reset."""
    reset = start + 5400  # as the simulator has it in every set of switches
    floor = Floor(agents=12, queues=8, campaigns=3, seed=3, start=start)
    platform = Platform(start=start, floor=floor, **switches)
    exporter = Exporter(platform, **options)
    comparison, mischief = Comparison(exporter, reset), Mischief(platform, seed, reset)
    beat = [start + TICK]

    def watch() -> None:
        while platform.clock.now >= beat[0]:
            beat[0] += TICK
            mischief.tick()
            comparison.compare()

    platform.clock.watchers.append(watch)
    async with exporter.running((ticks + 50) * TICK):
        assert comparison.held > 0 or ticks < LONG
        assert exporter.metric("feed_refreshes_total", **_INTERNAL) is None
    left = platform.simulator.active_subscriptions - platform.simulator.wallboards_open
    assert left == 0 or platform.simulator.subscription_per == "token"  # dead tokens leave theirs
    return comparison


SETTINGS: dict[str, tuple[int, float, dict[str, Any], dict[str, Any]]] = dict(
    zip(
        ("strings", "bare", "password"),
        [
            (11, MORNING, {"reset_hour": 10.5}, {"agents": "id", "reset_time": "10:30"}),
            (
                12,
                MIDNIGHT - 5400,
                {
                    "numbers": "bare",
                    "nothing": "null",
                    "subscription_per": "token",
                    "max_active_subscriptions": None,
                    "taken_over": "foreign",
                    "media_case": "lower",
                    "dispositions_shape": "object",
                    "token_seconds": 900.0,
                    "delete_nothing_status": 500,
                },
                {"agents": "id", "column_key": "statName"},
            ),
            (
                13,
                MORNING,
                {
                    "reset_hour": 10.5,
                    "nothing": "absent",
                    "numbers": "bare_totals",
                    "taken_over": "unauthorized",
                    "password_login": True,
                    "session_cookies": "session",
                    "sticky_required": True,
                    "ringing_state": "ready",
                },
                {"auth": "password", "password": "correct horse", "reset_time": "10:30"},
            ),
        ],
        strict=True,
    )
)
STORMS = {name: partial(storm, *settings) for name, settings in SETTINGS.items()}
