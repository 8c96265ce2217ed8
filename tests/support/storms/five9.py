"""Five9 for many ticks with faults: the page equals the floor, or the figure is absent."""

import random
from collections.abc import Mapping
from functools import partial

from support.clock import MORNING
from support.five9 import STEPPED, Centre
from support.page import Series

EVERY_FEED = {
    name: {"interval": "10s", "stale_after": "40s"}
    for name in (
        *("ACDStatus", "AgentState", "CampaignState", "OutboundCampaignManager"),
        *("InboundCampaignStatistics", "OutboundCampaignStatistics"),
        *("AutodialCampaignStatistics", "AgentStatistics"),
    )
} | {"account": {"interval": "5m"}}


FAULTS = (
    *("html502", "html503", "cut", "garbage", "doctype", "empty_table", "blank_rows"),
    *("blank_row", "short_row", "short_rows", "long_row", "row_twice"),
    *("lacking_object", "lacking_objects", "lacking_column", "lacking_columns"),
    *("fault:SessionClosed", "fault:SessionNotInitialized", "fault:OperationsLimitExceeded"),
    *("fault:UnknownTimestamp", "fault:StatisticsNotRequested", "fault:ConfigurationChanged"),
    *("fault:Server", "fault:ServiceUnavailable", "fault:UserAlreadyLoggedIn", "reset"),
)


# Falls of a day total happen at midnight only; the floor makes no corrections.
_SILENT_DAY_FIGURES = ("queue_longest_wait_window_seconds", "campaign_longest_wait_seconds")


class Comparison:
    """Compares the page with what the floor said when each feed was last read."""

    most_absent = 0.15

    def __init__(self, centre: Centre, *, streamed: bool, deletes: bool = True) -> None:
        self.centre = centre
        self.streamed = streamed
        self.deletes = deletes
        self.equal = self.absent = self.late = self.ticks = 0
        self.wrong: list[str] = []
        self.highest = 0.0

    def compare(self) -> None:
        """Compare once."""
        page = self.centre.page()
        self.ticks += 1
        for feed, (_, truth) in self.centre.noted.items():
            self._compare_feed(feed, truth, page)

    def _compare_feed(
        self, feed: str, truth: Mapping[Series, float], page: Mapping[Series, float]
    ) -> None:
        names = {name for name, _ in truth}
        for key, now in truth.items():
            expected = self._held(key, now)
            shown = page.get(key)
            if shown is None:
                self.absent += 1
            elif self._same(key[0], expected, shown):
                self.equal += 1
            else:
                self.wrong.append(f"{self.centre.clock.now}: {feed} {key}: {expected} != {shown}")
        if feed in ("ACDStatus", "AgentState", "CampaignState", "OutboundCampaignManager"):
            ghosts = {key for key in page if key[0] in names} - truth.keys()
            self.wrong += [f"{self.centre.clock.now}: {feed}: {key} is no more" for key in ghosts]

    def _held(self, key: Series, now: float) -> float:
        """Return what to expect of a sum over agents: it is held when one of them is deleted."""
        if key[0] != "contactcenter_agents_contacts_handled_total" or not self.deletes:
            return now
        self.highest = max(self.highest, now)
        return self.highest

    def _same(self, name: str, expected: float, shown: float) -> bool:
        if name.endswith(_SILENT_DAY_FIGURES) and not self.streamed:
            return shown <= expected + 0.001  # the platform says no more until something changes
        step = STEPPED.get(name, 0.0) if self.streamed else 0.0
        return abs(expected - shown) <= step + 0.003  # Five9 rounds to milliseconds


def inject(centre: Centre, chance: random.Random) -> None:
    """Break something now and then, and change what there is."""
    simulator, floor = centre.simulator, centre.floor
    if chance.random() < 0.04:
        simulator.fail_next(chance.choice(FAULTS))
    if chance.random() < 0.004:
        simulator.expire_session()
    if chance.random() < 0.01:
        simulator.forget_timestamps()
    if chance.random() < 0.01:
        floor.surge(chance.choice(list(floor.queues)), chance.randrange(1, 9))
    if chance.random() < 0.005:
        name = f"Extra {chance.randrange(3)}"
        (floor.remove_queue if name in floor.queues else floor.add_queue)(name)
    if chance.random() < 0.005:
        temporary = [name for name in floor.agents if name.startswith("temp")]
        if temporary and chance.random() < 0.5:
            floor.remove_agent(temporary[0])
        else:
            floor.add_agent(f"temp{round(centre.clock.now)}@example.com")


async def storm(switches: dict[str, object], ticks: int) -> Comparison:
    """Read a day of so many ticks of ten seconds, with faults."""
    centre = Centre(start=MORNING, agents="id", feeds=EVERY_FEED, long_poll="2s", switches=switches)
    comparison = Comparison(centre, streamed=bool(switches["stream_durations"]))
    chance = random.Random(11)
    beat = [MORNING]

    def watch() -> None:
        if centre.clock.now >= beat[0]:
            beat[0] = centre.clock.now + 10
            inject(centre, chance)
            comparison.compare()

    centre.clock.watchers.append(watch)
    async with centre.running(until=MORNING + 10.3 * ticks):
        pass
    assert centre.simulator.max_in_flight == 1
    assert centre.simulator.overlaps == []
    return comparison


STORMS = {
    "streaming": partial(
        storm, {"stream_durations": True, "nil_style": "nil", "state_case": "upper"}
    ),
    "silent": partial(
        storm,
        {
            "stream_durations": False,
            "announce_added": False,
            "empty_containers": True,
            "state_case": "lower",
            "fcr_style": "count_percent",
            "envelope_prefix": "soap",
        },
    ),
}
