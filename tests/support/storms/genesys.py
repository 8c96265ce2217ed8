"""Genesys for many ticks with faults: the page equals the floor, or the figure is absent."""

import random
from collections import deque
from functools import partial
from typing import Any

from exporter.simulators.floor.floor import Floor
from support.bench import Line
from support.clock import MIDNIGHT
from support.genesys import MORNING, PERIODICAL, TICK, Exporter, Platform, objects_of, truth
from support.page import Series

SETTLED = 4.7  # seconds after a tick at which everything that moves at once has arrived


FRESH = 80.0  # seconds: a long poll counts as alive for 30, figures stay for 30, and a tick or two


CALM = 90.0  # seconds without mischief after which only the ordinary delays are allowed


LATE = 25.0  # seconds: what is pushed every 10 may be as old as this


LONG = 1_000  # ticks within which every kind of mischief is sure to happen
NOTIFY = "*/notifications/meta/connect"


class Comparison:
    """Compares the page with the floor, tick after tick."""

    most_absent = 0.15

    def __init__(self, exporter: Exporter) -> None:
        self.exporter = exporter
        self.past: deque[tuple[float, dict[Series, float]]] = deque(maxlen=20)
        self.calm_since = 0.0
        self.ticks = self.equal = self.late = self.absent = 0
        self.wrong: list[str] = []

    def compare(self) -> None:
        platform = self.exporter.platform
        now = platform.clock.monotonic()
        platform.simulator.move()  # though nobody may have asked for a while
        wanted = truth(platform.floor, self.exporter.config)
        self.past.append((now, wanted))
        if len(self.past) < LATE // TICK + 2:
            return  # what is late may be older than what we know of
        self.ticks += 1
        page = self.exporter.page()
        self.absent += len(wanted.keys() - page.keys())
        calm = now - self.calm_since > CALM
        for name, value in page.items():
            if wanted.get(name) == value:
                self.equal += 1
            elif self._was(name, value, now - self._allowed(name, calm=calm)):
                self.late += 1
            else:
                self.wrong.append(f"{now}: {name}: {wanted.get(name)} != {value}")

    def _allowed(self, name: Series, *, calm: bool) -> float:
        if not calm:
            return FRESH
        return LATE if name[0].removeprefix("contactcenter_") in PERIODICAL else 0.0

    def _was(self, name: Series, value: float, since: float) -> bool:
        return any(past.get(name) == value for at, past in self.past if at >= since)


class Mischief:
    """Lets a seeded choice of things go wrong."""

    KINDS = (
        *("402", "restart", "token", "spring", "html502", "500", "reset", "cut", "garbage"),
        *("unsuccessful", "reconnect:handshake", "object", "multiple_clients", "hang", "slow:15"),
        *("unavailable", "repeat", "old", "create", "outage"),
    )

    def __init__(self, exporter: Exporter, line: Line, seed: int, often: float) -> None:
        self.simulator = exporter.platform.simulator
        self.line = line
        self.ticks_cut = 0
        self.chance = random.Random(seed)
        self.often = often
        self.deck: list[str] = []
        self.done: set[str] = set()

    def tick(self) -> bool:
        """Do something at random; return whether anything was done."""
        self.ticks_cut -= self.line.is_cut
        self.line.is_cut = self.ticks_cut > 0
        if self.line.is_cut:
            return True
        if not self.simulator.is_available:
            if self.chance.random() < 0.3:
                self.simulator.available()
            return True
        if self.chance.random() >= self.often:
            return False
        if not self.deck:
            self.deck = self.chance.sample(self.KINDS, len(self.KINDS))
        kind = self.deck.pop()
        self.done.add(kind)
        self._do(kind)
        return True

    def _do(self, kind: str) -> None:
        simulator = self.simulator
        if kind == "402":
            simulator.expire_sessions()
        elif kind == "restart":
            simulator.expire_sessions(http=True)
        elif kind == "token":
            simulator.expire_tokens()
        elif kind == "unavailable":
            simulator.unavailable()
        elif kind in ("repeat", "old"):
            simulator.repeat_updates(older_by=60.0 if kind == "old" else 0.0)
        elif kind == "create":
            simulator.expire_sessions()
            simulator.fail_next(self.chance.choice(("503", "cut", "spring")), 2, "*/subscriptions")
        elif kind == "outage":
            self.line.is_cut = True
            self.ticks_cut = self.chance.randrange(1, 20)
        else:
            simulator.fail_next(kind, self.chance.randrange(1, 4), NOTIFY)


async def conform(
    settings: dict[str, Any], start: float, seed: int, often: float, ticks: int, **options: Any
) -> tuple[Exporter, Comparison, Mischief]:
    floor = Floor(agents=12, queues=6, campaigns=4, seed=3, start=start)
    platform = Platform(start=start, floor=floor, **settings)
    unknown = {"type": "Queue", "ids": ["nobody@SIP_Switch"]}
    objects = objects_of(platform.simulator, "Queue", "GroupAgents", "Agent", "CampaignGroup")
    line = Line(platform.simulator.app)
    exporter = Exporter(platform, line, objects=[*objects, unknown], **options)
    comparison, mischief = Comparison(exporter), Mischief(exporter, line, seed, often)
    async with exporter.running(3 * TICK + SETTLED):
        while comparison.ticks < ticks:
            comparison.compare()
            if mischief.tick():
                comparison.calm_since = platform.clock.monotonic()
            await exporter.go_on(TICK)
    return exporter, comparison, mischief


SETTINGS: dict[str, dict[str, Any]] = {
    "usual": {},
    "shy": {
        "ok_code": 1,
        "partial_code": 1,
        "errors": "detail",
        "unknown_session": "402::session_unknown",
        "replies_with_client_id": False,
        "handshake_advice": False,
        "as_object": True,
        "nesting": 0,
        "names_subscription": False,
        "value": "number",
        "no_value": "absent",
        "state_value": "bare",
        "status": "name",
        "refused_status": 403,
        "says_expires_in": False,
    },
    "wordy": {
        "partial_code": 7,
        "errors": "none",
        "unknown_session": "402::unknown_session",
        "ack": True,
        "events": "after",
        "events_on": "any",
        "nesting": 2,
        "service_message": "workspace",
        "value": "wrapped",
        "no_value": "nan",
        "state_value": "objectValue",
        "status": "digits",
        "secure_browser_cookie": True,
        "balancer": True,
        "token_seconds": 300.0,
        "statistics_limit": 30,
        "keeps_subscriptions": True,
    },
}


async def storm(
    settings: str, start: float, seed: int, options: dict[str, Any], ticks: int
) -> Comparison:
    """Read so many ticks of five seconds, with faults; the last setting passes midnight."""
    made = await conform(SETTINGS[settings], start, seed, 0.03, ticks, **options)
    exporter, comparison, mischief = made
    if ticks >= LONG:
        assert mischief.done == set(Mischief.KINDS), "too few ticks for all that can go wrong"
    assert comparison.late < 0.3 * (comparison.equal + comparison.late)
    internal = exporter.metric("feed_refreshes_total", feed="statistics", outcome="internal")
    assert internal is None
    return comparison


STORMS = {
    "usual": partial(storm, "usual", MORNING, 21, {}),
    "shy": partial(storm, "shy", MORNING + 5 * 3600.0, 22, {"chunk": 50}),
    "wordy": partial(storm, "wordy", MIDNIGHT - 5400, 23, {"chunk": 30}),
}
