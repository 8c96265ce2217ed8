"""A platform that names everything anew, and what an account keeps of the names."""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import cycle

import httpx

from support.account import Account

_CONTAINERS = (list, tuple, set, frozenset, deque)
_WORDS = ("Lunch", "Break", "Training", "Meeting", "Ready", "READY", "RUNNING", "DND", '"voice')
_IDS = re.compile(rb'(?<="acd_queue_id":)\d+|(?<="user_id":)\d+|(?<="list_id":)\d+')
_FAILURES = ("long:65536", "long:2000", "html503", "html400", "cut", "garbage")


class Renaming(httpx.AsyncBaseTransport):
    """The way to a platform whose objects, states and reasons are renamed every 5 seconds."""

    def __init__(self, account: Account) -> None:
        floor = account.platform.floor
        names = {*floor.queues, *floor.agents, *floor.campaigns, *floor.dispositions, *_WORDS}
        longest_first = sorted(names, key=len, reverse=True)
        self._names = re.compile("|".join(map(re.escape, longest_first)).encode())
        self._clock = account.clock
        self._inner = httpx.ASGITransport(account.platform.simulator.app)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        generation = f"{self._clock.time() // 5:.0f}".encode()
        body = self._names.sub(lambda name: name[0] + b" " + generation, await response.aread())
        body = _IDS.sub(lambda number: number[0] + generation, body)
        headers = [(name, text) for name, text in response.headers.raw if b"length" not in name]
        return httpx.Response(response.status_code, headers=headers, content=body)


class Renamed(Account):
    """An account of a platform that names everything anew, with new cookies and long messages."""

    def __init__(self, provider: str) -> None:
        super().__init__(provider, max_series=40, agents="name")
        simulator = self.platform.simulator
        simulator.new_cookies, simulator.long_messages = 100, 10_000
        if provider == "five9":
            simulator.new_operation_types = 30
        self.line._inner = Renaming(self)
        self._kinds = cycle(_FAILURES)

    @property
    def refreshes(self) -> float:
        """The number of refreshes, with those that failed."""
        metric = self.telemetry.feed_refreshes
        return sum(sample.value for family in metric.collect() for sample in family.samples)

    async def go_on(self, refreshes: float) -> None:
        """Continue for so many refreshes; now and then an answer fails or has a long name."""
        until = self.refreshes + refreshes
        while self.refreshes < until:
            self.platform.simulator.fail_no_more()
            self.platform.simulator.fail_next(next(self._kinds))
            self.platform.simulator.log.clear()
            await self.wait(60)

    def items(self) -> dict[str, int]:
        """Return the number of items in the containers that an account keeps, by their place."""
        roots = {"refresher": self.refresher, "telemetry": self.account, "store": self.store}
        sizes: dict[str, int] = {}
        for place, container in _containers(roots.items(), set()):
            sizes[place] = sizes.get(place, 0) + len(container)
        metrics = self.telemetry.registry.collect()
        sizes["cookies"] = len([*self.client.cookies.jar])
        return {**sizes, "own series": sum(len(family.samples) for family in metrics)}


def _containers(
    parts: Iterable[tuple[str, object]], seen: set[int]
) -> Iterator[tuple[str, Mapping[object, object] | Iterable[object]]]:
    """Yield the containers that objects of the exporter hold, directly or in one another."""
    stack = [*parts]
    while stack:
        place, value = stack.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, Mapping):
            yield place, value
            stack += [(place, part) for part in (*value.keys(), *value.values())]
        elif isinstance(value, _CONTAINERS):
            yield place, value
            stack += [(place, part) for part in value]
        elif type(value).__module__.startswith("exporter."):
            names = getattr(value, "__dict__", None) or getattr(type(value), "__slots__", ())
            stack += [
                (f"{type(value).__name__}.{name}", getattr(value, name))
                for name in names
                if hasattr(value, name)
            ]
