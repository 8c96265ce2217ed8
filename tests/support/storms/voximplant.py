"""Voximplant for many ticks with faults: the page equals the floor, or the figure is absent."""

import random
from functools import partial
from typing import Any

from support.clock import MORNING
from support.page import Series
from support.voximplant import Centre

EVERY_FEED = {
    name: {"interval": "10s", "stale_after": "60s"}
    for name in (
        *("state", "operators", "operator_status", "operator_statistics", "queue_statistics"),
        *("smartqueue_state", "smartqueue_reports", "queues", "call_lists", "account"),
    )
}


EVERY_FEED |= {
    name: {"interval": "60s", "stale_after": "180s"}
    for name in ("call_lists", "smartqueue_reports")
}
SMARTQUEUE = {"reports": ["count_abandonment_calls", "service_level"]}


FAULTS = (
    *("html500", "html502", "html503", "html429", "html403", "cut", "garbage", "reset"),
    *("code:1", "code:19", "code:100", "code:104", "code:116", "code:127", "code:162"),
    *("code:340", "code:416", "code:455", "code:456", "code:484", "code:515", "code:569"),
)


# Every field of the simulator that says what the reference does not settle, both ways and more.
UNCERTAIN: dict[str, tuple[Any, ...]] = {
    "status_shape": ("object", "array"),
    "ids": ("int", "str", "str_in_statistics"),
    "calls_shape": ("array", "object"),
    "percent_scale": (100, 1),
    "key_style": ("asked", "short", "long"),
    "omit_zero": (True, False),
    "none_by_aggregation": ("aggregation", "user"),
    "first_hour": (0, 1),
    "sq_statuses_shape": ("array", "object"),
    "sq_queues_shape": ("array", "object"),
    "details_count": ("page", "total"),
    "default_report": (None, ("AC",)),
    "auth_status": (200, 401),
    "role_code": (104, 100),
    "date_header": (False, True),
    "open_stay": (True, False),
    "throttle": ("340", "429"),
    "resend_seconds": (0.0, 4.0),
}


SETTINGS = [
    {name: values[turn % len(values)] for name, values in UNCERTAIN.items()} for turn in range(3)
]


class Comparison:
    """Compares the page with what the floor said when each feed was last read."""

    most_absent = 0.5

    def __init__(self, centre: Centre) -> None:
        self.centre = centre
        self.equal = self.absent = self.late = self.ticks = 0
        self.wrong: list[str] = []

    def compare(self) -> None:
        """Compare once."""
        page = self.centre.page()
        self.ticks += 1
        for feed, (_, truth) in self.centre.noted.items():
            for key, expected in truth.items():
                shown = page.get(key)
                if shown is None:
                    self.absent += 1
                elif self._same(feed, key, expected, shown):
                    self.equal += 1
                else:
                    now = self.centre.clock.now
                    self.wrong.append(f"{now}: {feed} {key}: {expected} != {shown}")
            self._look_for_ghosts(feed, truth, page)

    def _same(self, feed: str, key: Series, expected: float, shown: float) -> bool:
        if feed in ("queue_statistics", "account"):  # not all asked at that very moment
            return shown in self.centre.asked[key]
        return abs(shown - expected) < 1e-6

    def _look_for_ghosts(
        self, feed: str, truth: dict[Series, float], page: dict[Series, float]
    ) -> None:
        names = {"state": "queue_contacts_active", "operators": "agents", "call_lists": "campaign_"}
        if feed not in names or (feed == "state" and "smartqueue_state" in self.centre.noted):
            return
        for key in page.keys() - truth.keys():
            labels = dict(key[1])
            known = labels.get("queue", "").isdigit()  # its name was not read yet
            if key[0] == f"contactcenter_{names[feed]}" and not known:
                self.wrong.append(f"{self.centre.clock.now}: {feed}: {key} is no more")


def inject(centre: Centre, chance: random.Random) -> None:
    """Break something now and then, and change what there is."""
    floor = centre.floor
    if chance.random() < 0.05:
        centre.simulator.fail_next(chance.choice(FAULTS))
    if chance.random() < 0.01:
        floor.surge(chance.choice(list(floor.queues)), chance.randrange(1, 9))
    if chance.random() < 0.005:
        floor.add_queue(f"Extra {len(floor.queues)} {chance.random()}")
    if chance.random() < 0.003:
        floor.remove_queue(chance.choice(list(floor.queues)[3:]))
    if chance.random() < 0.005:
        floor.add_agent(f"temp.{len(floor.agents)}@example.com")


async def storm(seed: int, switches: dict[str, Any], ticks: int) -> Comparison:
    """Read so many ticks of ten seconds, with faults, in one of the shapes of the answers."""
    centre = Centre(
        agents="id",
        feeds=EVERY_FEED,
        smartqueue=SMARTQUEUE,
        call_list_details=True,
        switches=switches,
    )
    comparison = Comparison(centre)
    chance = random.Random(seed)
    beat = [MORNING]

    def watch() -> None:
        if centre.clock.now >= beat[0]:
            beat[0] = centre.clock.now + 10
            inject(centre, chance)
            comparison.compare()

    centre.clock.watchers.append(watch)
    async with centre.running(11 * ticks):
        pass
    assert comparison.equal > 100 * comparison.ticks
    assert len({record.outcome for record in centre.simulator.log}) > min(ticks / 20, 15)
    assert centre.simulator.max_in_flight == 1
    return comparison


STORMS = {
    name: partial(storm, seed, switches)
    for seed, (name, switches) in enumerate(
        zip(("first", "second", "third"), SETTINGS, strict=True)
    )
}
