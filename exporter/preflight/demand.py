"""How many requests does a configuration ask of a platform, and do its limits allow them?"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from exporter.collector.survey import Limit
from exporter.preflight.session import Visit

_HOUR = 3600.0
_WINDOWS = {60.0: "a minute", 3600.0: "an hour", 86_400.0: "a day"}
_HEADROOM = 0.95  # of a limit may be planned with; the rest is for what cannot be planned
_SMALLEST_PART = 0.1  # of a feed's requests that shall be left to it; else all feeds give

Demand = Mapping[str, Mapping[str, float]]  # what each feed asks in a second, by operation


def demand_of(visit: Visit) -> Demand:
    """Return what the feeds ask at their intervals, as far as the visit has shown."""
    return {
        name: {
            operation: count / each.feed.interval
            for operation, count in visit.collector.steady(name, each.requests).items()
            if count
        }
        for name, each in visit.feeds.items()
    }


def hourly(demand: Demand) -> dict[str, int]:
    """Return the requests in an hour by operation."""
    totals: Counter[str] = Counter()
    for rates in demand.values():
        totals.update({operation: rate * _HOUR for operation, rate in rates.items()})
    return {operation: round(count) for operation, count in totals.items()}


@dataclass(frozen=True, slots=True)
class Asked:
    """A limit, and what each feed asks in its window.

    ``decisive`` is the limit of its operation that is reached first.
    """

    limit: Limit
    shares: Mapping[str, float]
    decisive: bool = False

    @property
    def asked(self) -> float:
        """The requests in the limit's window."""
        return sum(self.shares.values())

    @property
    def fullness(self) -> float:
        """How much of the limit is asked for; 1 is all of it."""
        if self.limit.limit > 0:
            return self.asked / self.limit.limit
        return math.inf if self.asked else 0.0

    @property
    def fits(self) -> bool:
        """Whether the limit allows it, or a tighter one speaks for it."""
        return self.fullness <= _HEADROOM or not self.decisive

    def __str__(self) -> str:
        limit = self.limit
        window = _WINDOWS.get(limit.window, f"in {limit.window:g} s")
        used = "" if limit.used is None else f", {limit.used:g} used now"
        return f"{limit.operation}: {self.asked:.0f} of {limit.limit:g} {window} asked for{used}"

    def advice(self, intervals: Mapping[str, float]) -> str:
        """Say which interval to lengthen: that of the hungriest feed, or all where one is too few.

        ``intervals`` are those of the feeds, in seconds.
        """
        over = "over the limit" if self.fullness > 1 else "leaves no room below the limit"
        allowed = self.limit.limit * _HEADROOM
        if allowed <= 0:
            return f"{over}. Leave these feeds out: {', '.join(self.shares)}"
        feed, most = max(self.shares.items(), key=lambda each: each[1])
        left = allowed - (self.asked - most)
        factors = {feed: most / left} if left > most * _SMALLEST_PART else {}
        factors = factors or dict.fromkeys(self.shares, self.asked / allowed)
        lengths = {name: math.ceil(intervals[name] * factor) for name, factor in factors.items()}
        longer = ", ".join(f"{name}: {{interval: {length}s}}" for name, length in lengths.items())
        return f"{over}. Lengthen intervals, or leave feeds out: feeds: {{{longer}}}"


def against(limits: Sequence[Limit], demand: Demand) -> list[Asked]:
    """Hold what is asked for against every limit."""
    found = [Asked(limit, _shares(limit, demand)) for limit in limits]
    tightest = {each.limit.operation: each for each in sorted(found, key=lambda x: x.fullness)}
    return [
        Asked(each.limit, each.shares, each is tightest[each.limit.operation]) for each in found
    ]


def _shares(limit: Limit, demand: Demand) -> dict[str, float]:
    """Return how many requests each feed asks in a limit's window."""
    rates = ((feed, by_operation.get(limit.operation)) for feed, by_operation in demand.items())
    return {feed: rate * limit.window for feed, rate in rates if rate}
