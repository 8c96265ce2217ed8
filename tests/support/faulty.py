"""One account of each platform, read while known faults are dealt at random, judged by an oracle.

The floor moves every ``TICK`` and stands still between, so that its history is exact. One fault is
dealt at a time, from a shuffled deck of all kinds, so that each kind comes as often as any other.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from exporter.simulators.floor.floor import Floor
from support import brightpattern, five9, genesys, voximplant
from support.bench import Bench, Line
from support.clock import MORNING, LoopClock
from support.oracle import Oracle, Truth, Verdict
from support.page import Series, figures_of, text_of
from support.platforms import PLATFORMS, Platform

TICK = 10.0  # seconds for which the floor stands still
OFTEN = 0.06  # the share of ticks that bring a fault
SEEN = 9.0  # seconds after a tick at which the page is judged
_OBJECTS = ("queue", "agent", "campaign")
_FEWEST = 3  # contacts of a total that is corrected: its sums of seconds stay as they are
_TOTALS_OF_QUEUES = ("offered", "handled")

Fault = Callable[["Run"], None]


class Run(Bench):
    """An account of one platform, its faults and its oracle.

    ``alter`` changes each page before it is judged: with it a test proves that the oracle sees.
    """

    provider: ClassVar[str]
    options: ClassVar[Mapping[str, Any]] = {}
    switches: ClassVar[Mapping[str, Any]] = {}
    tolerances: ClassVar[Mapping[str, float]] = {}
    failures: ClassVar[tuple[str, ...]] = ("html503", "cut", "garbage", "reset", "slow:3")
    extra_ages: ClassVar[Mapping[str, float]] = {}  # of figures that are late, by feed

    def __init__(
        self,
        seed: int = 1,
        often: float = OFTEN,
        alter: Callable[[dict[Series, float]], dict[Series, float]] = lambda page: page,
    ) -> None:
        self.clock = LoopClock(MORNING)
        floor = Floor(agents=5, queues=3, campaigns=3, seed=3, start=MORNING - 3600, load=1.5)
        self.platform: Platform = PLATFORMS[self.provider](
            self.switches, self.clock, floor=floor, step=TICK, **self.options
        )
        self.floor, self.simulator = floor, self.platform.simulator
        self.line = Line(self.simulator.app)
        self.chance = random.Random(seed)
        self.dealt: Counter[str] = Counter()
        self.happened: Counter[str] = Counter()  # what was seen to have an effect
        self.often = often
        self._alter = alter
        self.only: Sequence[str] = ()  # the kinds of faults to deal, if not all
        self.deck: list[str] = []
        self._cut_for = 0
        Bench.__init__(self, self.platform.account, self.line, observe=False)
        self.ages = {
            feed.name: feed.times.stale_after + 2 * TICK + self.extra_ages.get(feed.name, 0.0)
            for feed in self.collector.feeds
        }
        self.seen: dict[tuple[str, str], float] = {}  # when an object was last there
        self.oracle = Oracle(self.ages, self.tolerances, self.exists, self.origins)
        self.platform.moved = self.record

    # What is asked of each platform ----------------------------------------------------------

    def all_truth(self) -> Truth:
        """Return every figure that the page must show, by feed."""
        return {feed.name: self.truth(feed.name) for feed in self.collector.feeds}

    def names(self) -> Mapping[str, list[str]]:
        """Return the names of the floor's objects as the page shows them, by label."""
        return {
            "queue": [*self.floor.queues],
            "agent": [*self.floor.agents],
            "campaign": [*self.floor.campaigns],
        }

    def exists(self, key: Series) -> bool:
        """Return whether the objects of a series are on the floor, or were lately."""
        oldest = self.floor.now - max(self.ages.values())
        return all(
            self.seen.get((label, text.replace("\N{REPLACEMENT CHARACTER}", "")), 0.0) >= oldest
            for label, text in key[1]
            if label in _OBJECTS
        )

    def origins(self, key: Series) -> Collection[float]:  # noqa: ARG002 - most count from midnight
        """Return the values of a total on the floor from which it may be counted."""
        return (0.0,)

    def correct(self) -> bool:
        """Lower a total by one or two; return whether there is one."""
        queue = self.chance.choice([*self.floor.queues.values()])
        name = self.chance.choice(_TOTALS_OF_QUEUES)
        value = getattr(queue.day, name)
        if value < _FEWEST:
            return False
        setattr(queue.day, name, value - self.chance.randrange(1, 3))
        return True

    def faults(self) -> dict[str, Fault]:
        """Return the faults by kind."""
        return {
            **{kind: _failing(kind) for kind in self.failures},
            "away": Run.go_away,
            "restart": Run.restart,
            "correction": Run.lower,
            "recreate": Run.recreate,
            "surge": Run.surge,
            "insert": Run.insert,
        }

    # Faults ----------------------------------------------------------------------------------

    def go_away(self) -> None:
        self._cut_for = self.chance.randrange(1, 25)
        self.line.is_cut = True
        self.happened["away"] += 1

    def restart(self) -> None:
        """Begin the day's totals anew, as a fail-over does."""
        self.floor.restart_totals()
        self.record(lambda _: True)
        self.happened["restart"] += 1

    def lower(self) -> None:
        self.happened["correction"] += self.correct()

    def recreate(self) -> None:
        """Delete a voice queue and create another of its name, unseen between."""
        queues = self.floor.queues.values()
        name = self.chance.choice([queue.name for queue in queues if queue.media == "voice"])
        self.floor.remove_queue(name)
        self.floor.add_queue(name)
        self.record(lambda key: ("queue", name) in key[1])
        self.happened["recreate"] += 1

    def surge(self) -> None:
        self.floor.surge(self.chance.choice([*self.floor.queues]), self.chance.randrange(2, 12))
        self.happened["surge"] += 1

    def insert(self) -> None:
        """Put a character into a name that the answer's format forbids there."""
        names = [name for name in (*self.floor.queues, *self.floor.agents) if name.isalnum()]
        self.fail(f"insert:\x1b@{self.chance.choice(names)}", 3)

    def fail(self, kind: str, times: int = 1, target: str = "*") -> None:
        self.simulator.fail_next(kind, times, target)

    # The run ---------------------------------------------------------------------------------

    def record(self, restarted: Callable[[Series], bool] = lambda _: False) -> None:
        """Record what the floor has now; at midnight all totals begin anew."""
        for label, names in self.names().items():
            self.seen.update({(label, name): self.floor.now for name in names})
        now = self.floor.now
        if now != self.oracle.recorded_at and now % 86_400 < TICK:
            restarted = lambda _: True  # noqa: E731 - shorter than a function
        self.oracle.record(now, self.all_truth(), restarted)

    def page(self) -> dict[Series, float]:
        """Return the figures on the page; a series that is there twice is a fault."""
        page = self.store.page(self.clock.monotonic())
        figures = figures_of(page)
        lines = sum(line[:1] not in ("", "#") for line in text_of(page).split("\n"))
        if lines != len(figures):
            self.oracle.verdict.fault(f"{lines - len(figures)} series twice")
        return self._alter(figures)

    @asynccontextmanager
    async def signed_in(self) -> AsyncIterator[None]:
        """Run the account's schedule, and stop it as on SIGTERM."""
        self.task = asyncio.create_task(self.refresher.run())
        try:
            yield
        finally:
            self.task.cancel()
            await asyncio.wait([self.task])
            await self.client.aclose()

    async def go_on(self, seconds: float) -> None:
        await asyncio.wait([self.task], timeout=seconds)
        if self.task.done():
            self.task.result()  # raises what ended the schedule, which nothing may

    async def run(self, ticks: int) -> Verdict:
        """Run for so many ticks; return the verdict."""
        self.platform.tick()
        self.record()
        async with self.signed_in():
            await self.go_on(SEEN)
            for _ in range(ticks):
                self.platform.tick()
                self.record()
                self.oracle.judge(self.clock.time(), self.page(), up=bool(self.metric("up")))
                self._deal()
                await self.go_on(TICK)
        self.happened.update(record.outcome for record in self.simulator.log)
        return self.oracle.finish()

    def _deal(self) -> None:
        if self._cut_for:
            self._cut_for -= 1
            self.line.is_cut = self._cut_for > 0
        elif self.chance.random() < self.often:
            faults = self.faults()
            if not self.deck:
                kinds = self.only or [*faults]
                self.deck = self.chance.sample(kinds, len(kinds))
            kind = self.deck.pop()
            self.simulator.fail_no_more()  # else they pile up while the session waits
            self.dealt[kind] += 1
            faults[kind](self)
            self.record()

    def without_effect(self) -> set[str]:
        """Return the kinds of faults that were never seen to have an effect.

        The log of a simulator names a failure by its kind, or by the detail alone.
        """
        words = {word for outcome in self.happened for word in outcome.split("@")[0].split(":")}
        return {kind for kind in self.faults() if kind.split(":")[-1] not in words}

    def report(self) -> str:
        """Return one line about the run."""
        verdict = self.oracle.verdict
        dealt = ", ".join(f"{kind} {times}" for kind, times in sorted(self.dealt.items()))
        return (
            f"{self.provider}: {verdict.ticks} ticks, {verdict.values} values, "
            f"{verdict.wrong_values} wrong, {verdict.unjudged} not judged, "
            f"{verdict.share_absent:.2%} absent (longest {verdict.longest_absence:.0f} s), "
            f"worst age {verdict.worst_age:.0f} s, {verdict.held} held, "
            f"{verdict.increases} increases; faults: {dealt}"
        )


def _failing(kind: str) -> Fault:
    return lambda run: run.fail(kind, run.chance.randrange(1, 4))


class Five9(Run, five9.Centre):
    provider = "five9"
    options: ClassVar = {"agents": "id", "long_poll": "2s"}
    switches: ClassVar = {"stream_durations": True}
    # Five9 counts on where the floor stands still, in steps of five seconds.
    tolerances: ClassVar = {name: TICK + step for name, step in five9.STEPPED.items()}
    failures: ClassVar = (
        *Run.failures,
        *("fault:SessionClosed", "fault:UnknownTimestamp", "fault:ServiceUnavailable"),
    )

    def correct(self) -> bool:
        campaign = self.chance.choice(
            [campaign for campaign in self.floor.campaigns.values() if campaign.kind == "inbound"]
        )
        value = campaign.day.offered
        campaign.life.offered -= min(value, self.chance.randrange(1, 3))
        return value > 0

    def faults(self) -> dict[str, Fault]:
        rows = ("short_row", "long_row", "blank_row", "row_twice", "short_rows")
        several = {kind: _in_full(kind, 8) for kind in rows}
        return super().faults() | several | {"empty_table": _in_full("empty_table", 1)}


def _in_full(kind: str, most: int) -> Fault:
    """Return a fault of the tables that only full answers have; a second empty one is believed."""

    def deal(run: Run) -> None:
        run.simulator.forget_timestamps()
        run.fail(kind, run.chance.randrange(1, most + 1), "getStatistics")

    return deal


@dataclass
class _Opening:
    """What each total had counted when a subscription was opened, and when it was last open."""

    counted: Mapping[Series, float]
    seen: float = 0.0


class Genesys(Run, genesys.Exporter):
    provider = "genesys"
    options: ClassVar = {"agents": "id", "mode": "subscribe"}
    switches: ClassVar = {"counts_from": "opening"}
    # Seconds are cut to whole ones, here after and there before those of the opening are taken off.
    tolerances: ClassVar = {
        f"contactcenter_{name}": 1.0 for name in genesys.PERIODICAL if name.endswith("_total")
    }
    # A long poll counts as alive for 30 s, and some figures are pushed every 10.
    extra_ages: ClassVar = {"statistics": 40.0}
    failures: ClassVar = (
        *Run.failures,
        "402",
        "spring",
        "unsuccessful",
        "reconnect:handshake",
        "literal:NaN",
    )

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._openings: dict[str, _Opening] = {}
        self._former: list[_Opening] = []  # before totals restarted
        super().__init__(*arguments, **options)

    def origins(self, key: Series) -> set[float]:
        """Return what a total had counted when each subscription was opened, or today's zero."""
        openings = [*self._openings.values(), *self._former]
        return {opening.counted.get(key, 0.0) for opening in openings}

    def record(self, restarted: Callable[[Series], bool] = lambda _: False) -> None:
        before = self.oracle.recorded_at
        self._find_openings(before)  # of the time since then
        super().record(restarted)
        new_day = self.floor.now // 86_400 > before // 86_400
        now = self.oracle.counted()
        for opening in self._openings.values():  # what restarted counts from its restart
            kept = {
                key: value
                for key, value in opening.counted.items()
                if value <= now[key] and not new_day
            }
            if len(kept) < len(opening.counted):  # the page may show the former for a while
                self._former.append(_Opening(opening.counted, self.floor.now))
                opening.counted = kept

    def _find_openings(self, now: float) -> None:
        openings, opened = self._openings, set(self.simulator.open_subscriptions)
        if opened - openings.keys():
            self.oracle.reopen()
        for name in opened:
            openings.setdefault(name, _Opening(self.oracle.counted())).seen = now
        oldest = now - max(self.ages.values())
        self._openings = {name: item for name, item in openings.items() if item.seen >= oldest}
        self._former = [opening for opening in self._former if opening.seen >= oldest]

    def truth(self, _: str) -> dict[Series, float]:
        return genesys.truth(self.floor, self.config)

    def faults(self) -> dict[str, Fault]:
        return super().faults() | {
            "outage": Genesys.outage,
            "sessions": Genesys.lose,
            "clock": Genesys.step_clock,
            "refusal": Genesys.refuse,
            "413": Genesys.limit,
        }

    def outage(self) -> None:
        self.simulator.unavailable()
        asyncio.get_running_loop().call_later(
            self.chance.randrange(5, 120), self.simulator.available
        )
        self.happened["outage"] += 1

    def step_clock(self) -> None:
        self.simulator.stamp_ahead = self.chance.choice([-3600.0, -300.0, -20.0, 0.0, 20.0, 300.0])
        self.happened["clock"] += 1

    def refuse(self) -> None:
        """Refuse a definition, or the whole request that has it, when all is opened anew."""
        simulator = self.simulator
        simulator.lacks_definitions ^= {"EstimWaitTime"}
        simulator.refusal = self.chance.choice(["one", "400", "500", "spring", "code", "empty"])
        simulator.expire_sessions(http=True)
        self.happened["refusal"] += 1

    def limit(self) -> None:
        """Let a gateway refuse large requests, or none, when all is opened anew."""
        self.simulator.body_limit = self.chance.choice([None, 4_000, 16_000])
        self.simulator.expire_sessions(http=True)

    def lose(self) -> None:
        self.simulator.expire_sessions(http=self.chance.random() < 0.5)
        self.happened["sessions"] += 1


class BrightPattern(Run, brightpattern.Exporter):
    provider = "brightpattern"
    options: ClassVar = {"agents": "id"}
    switches: ClassVar = {
        "share_scales": {
            ("service", name): ("percent", "fraction")[place % 2]
            for place, name in enumerate(brightpattern.SHARES)
        }
    }
    # The platform reports whole seconds since a change, and the floor stands still between.
    tolerances: ClassVar = {"contactcenter_agent_state_since_timestamp_seconds": TICK + 1.0}
    failures: ClassVar = (
        *(*Run.failures, "204", "404", "429:20", "null_cells", "bare_numbers", "wrong_type"),
        *("no_data", "extra_column:99", "missing_column:2", "literal:NaN"),
    )

    def names(self) -> Mapping[str, list[str]]:
        """Return the names of objects; a campaign is a service, as a queue is."""
        names = super().names()
        return {**names, "queue": [*names["queue"], *names["campaign"]]}

    def truth(self, feed: str) -> dict[Series, float]:
        """Return what the floor has; what it has not counted is zero."""
        zeros = [
            brightpattern.own("agent_dispositions_total", agent=agent, disposition=disposition)
            for agent in (self.floor.agents if feed == "subscription" else ())
            for disposition in self.floor.dispositions
        ]
        return {**dict.fromkeys(zeros, 0.0), **super().truth(feed)}

    def correct(self) -> bool:
        queue = self.chance.choice([*self.floor.queues])
        self.simulator.correct("in_calls_received_per_day", queue, -1)
        return True

    def faults(self) -> dict[str, Fault]:
        return super().faults() | {"take_over": BrightPattern.take_over}

    def take_over(self) -> None:
        self.simulator.take_over()
        self.happened["take_over"] += 1


class Voximplant(Run, voximplant.Centre):
    provider = "voximplant"
    # Statistics are asked by the queues of an inventory that is read every ten minutes.
    extra_ages: ClassVar = {"queue_statistics": 600.0}
    # The platform has whole seconds.
    # Whole seconds, of a total less what it was when it restarted.
    tolerances: ClassVar = dict.fromkeys(
        (
            "contactcenter_queue_wait_seconds_total",
            "contactcenter_queue_handle_seconds_total",
            "contactcenter_queue_talk_seconds_total",
        ),
        1.0,
    )
    options: ClassVar = {
        "agents": "id",
        "call_list_details": True,
        "smartqueue": {"reports": ["count_abandonment_calls"]},
    }

    def names(self) -> Mapping[str, list[str]]:
        queues = self.floor.queues.values()
        labels = ("{0.name}", "{0.id}", "{0.name} ({0.id})", "{0.name} ({1})", "{1}")
        return {
            **super().names(),
            "queue": [x.format(queue, queue.id + 10_000) for queue in queues for x in labels],
            "agent": [str(agent.id) for agent in self.floor.agents.values()],
        }

    failures: ClassVar = (*Run.failures, "code:1", "code:340", "code:515", "html429", "literal:NaN")


RUNS: Mapping[str, type[Run]] = {
    run.provider: run for run in (Five9, Genesys, BrightPattern, Voximplant)
}
