"""What came of visiting every account once: a report for the person who sets the exporter up."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from exporter.collector.offers import Offer, Offers
from exporter.collector.survey import Limit
from exporter.config.yaml import write
from exporter.errors import InternalError, ProviderError
from exporter.preflight.session import FeedVisit, Visit

_HOUR = 3600.0
_WINDOWS = {60.0: "a minute", 3600.0: "an hour", 86_400.0: "a day"}
_HEADROOM = 0.95  # of a limit may be planned with; the rest is for what cannot be planned
_SMALLEST_PART = 0.1  # of a feed's requests that shall be left to it; else all feeds give

Demand = Mapping[str, Mapping[str, float]]  # what each feed asks in a second, by operation


def demand_of(visit: Visit) -> Demand:
    """Return what the feeds ask at their intervals, as far as the visit has shown."""
    return {
        name: {
            operation: count / each.feed.times.interval
            for operation, count in visit.collector.steady_requests(name, each.requests).items()
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


_NOTABLE_SKEW = 30.0  # seconds
_SHORT_LIFE = 21  # days of a certificate
_DAY = 86_400.0
_SHOWN = 8  # names in a line


@dataclass(slots=True)
class Report:
    """The lines about one account: ``!`` begins what has to be done, ``?`` what is good to know."""

    lines: list[str]
    faults: int = 0

    def say(self, text: str) -> None:
        """Add a plain line."""
        self.lines.append(f"    {text}")

    def fault(self, text: str) -> None:
        """Add something without which the configuration does not work as it says."""
        self.faults += 1
        self.lines.append(f"  ! {text}")

    def hint(self, text: str) -> None:
        """Add something that is good to know."""
        self.lines.append(f"  ? {text}")


def report(visit: Visit, now: float) -> tuple[list[str], bool]:
    """Return the lines about one account, and whether nothing is missing; ``now`` is epoch time."""
    found = _account(visit, now)
    return found.lines, not found.faults


def broken(account: str, error: BaseException) -> list[str]:
    """Return the lines of an account that could not be visited: a file, or a bug of ours."""
    if isinstance(error, OSError):
        why = f"cannot begin: {error}. Check tls: and the files that it names."
    else:
        why = f"internal error ({type(error).__name__}). {InternalError.remedy}"
    return [f"{account}: not checked", f"  ! {why}"]


def _account(visit: Visit, now: float) -> Report:
    name = f"{visit.account.name} ({visit.account.provider})"
    said = "not signed in" if visit.refusal else "signed in"
    found = Report([f"{name}: {said}"])
    if visit.refusal:
        found.fault(_failure("sign-in", visit.refusal))
    else:
        for each in visit.feeds.values():
            _feed(found, each)
    _survey(found, visit)
    _requests(found, visit)
    _clock(found, visit.http.skew)
    _certificates(found, visit, now)
    missing = f"{found.faults} of the lines above begin with ! and need work"
    found.say(missing if found.faults else "nothing is missing")
    return found


def _failure(what: str, error: ProviderError) -> str:
    return f"{what}: failed ({error.reason}): {error}. {error.remedy}"


def _feed(found: Report, each: FeedVisit) -> None:
    name = each.feed.name
    if each.error:
        found.fault(_failure(name, each.error))
    elif each.mapped:
        found.say(f"{name}: ok, {each.series} series")
        for table, schema in each.mapped.schemas.items():
            if schema.missing:
                found.hint(f"{table}: not in the answer: {_listed(schema.missing)}")
            if schema.rejected:
                found.hint(f"{table}: cells that cannot be read: {_listed(schema.rejected)}")
            if schema.unmapped["column"]:
                count = len(schema.unmapped["column"])
                found.hint(f"{table}: {count} columns are not mapped: see 'discover'")


def _listed(words: Iterable[str]) -> str:
    ordered = sorted(words)
    more = f" and {len(ordered) - _SHOWN} more" if len(ordered) > _SHOWN else ""
    return ", ".join(ordered[:_SHOWN]) + more


def _survey(found: Report, visit: Visit) -> None:
    survey = visit.survey
    if survey.objects:
        found.say(
            "found: " + ", ".join(f"{count} {name}" for name, count in survey.objects.items())
        )
    for permission in survey.permissions:
        if permission.granted is None:
            found.say(f"{permission.name}: the platform does not tell")
        elif permission.granted:
            found.say(f"{permission.name}: held")
        elif permission.needed:
            found.fault(f"{permission.name}: missing. {permission.consequence}")
        else:
            found.hint(f"{permission.name}: missing. {permission.consequence}")
    for licence in survey.licences:
        found.say(f"licences, {licence.kind}: {licence.used:g} of {licence.limit:g} used")
    for fault in survey.faults:
        found.fault(fault)
    for hint in survey.hints:
        found.hint(hint)


def _requests(found: Report, visit: Visit) -> None:
    """Show what the visit took, and what the configuration asks in an hour."""
    first = sum(visit.requests.values())
    found.say(f"requests of this check: {first:g} ({_counted(visit.requests)})")
    if visit.refusal:
        return
    demand = demand_of(visit)
    counts = hourly(demand)
    found.say(f"requests in an hour: {sum(counts.values())} ({_counted(counts)})")
    intervals = {name: each.feed.times.interval for name, each in visit.feeds.items()}
    for asked in against(visit.survey.limits, demand):
        if asked.fits:
            found.say(str(asked))
        else:
            found.fault(f"{asked}: {asked.advice(intervals)}")


def _counted(counts: Mapping[str, float]) -> str:
    found = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    return ", ".join(f"{operation} {count:g}" for operation, count in found if count) or "none"


# The connection ---------------------------------------------------------------------------------


def _clock(found: Report, skew: float | None) -> None:
    if skew is None:
        found.say("clock: the platform does not tell the time")
    elif abs(skew) <= _NOTABLE_SKEW:
        found.say("clock: agrees with the platform's")
    else:
        way = "ahead of" if skew > 0 else "behind"
        found.hint(
            f"clock: the platform's is {abs(skew):.0f} s {way} ours: synchronise this host (NTP), "
            "or tokens are refused and ages are wrong"
        )


def _certificates(found: Report, visit: Visit, now: float) -> None:
    """Tell how long the platform's certificates last; a proxy may show its own instead."""
    shown = (
        " (as seen through the proxy, which may show its own)" if visit.account.proxy_url else ""
    )
    for host, ends in sorted(visit.http.certificates.items()):
        days = math.floor((ends - now) / _DAY)
        text = f"certificate of {host}: {days} days left{shown}"
        if days < _SHORT_LIFE:
            found.hint(f"{text}: it has to be renewed, or the figures end with it")
        else:
            found.say(text)
    if not visit.http.certificates and not visit.refusal:
        found.say(f"certificate: none was seen; the connection has no TLS of its own{shown}")


def lines(visit: Visit, offers: Offers) -> list[str]:
    """Return every column by table with what becomes of it, and YAML that maps the rest."""
    found = [f"{visit.account.name} ({visit.account.provider}) offers:"]
    for table in dict.fromkeys(each.table for each in offers.found):
        found += _table(table, [each for each in offers.found if each.table == table])
    for name, error in visit.found.errors.items():
        found.append(f"  ! {name}: not read ({error.reason}): {error}")
    found += [f"  ? {note}" for note in offers.notes]
    found += _yaml(visit, offers)
    return found


def _table(name: str, offers: Sequence[Offer]) -> Iterator[str]:
    yield f"  {name}:"
    for each in offers:
        told = ", ".join(each.metrics)
        numbers = "" if each.use != "not mapped" or each.parse else " (no numbers seen)"
        yield f"    {each.name}: {told or each.use}{numbers}"


def _yaml(visit: Visit, offers: Offers) -> Iterator[str]:
    """Return the keys to paste; they hold what the account has under them already."""
    if not offers.keys:
        yield "everything that can be mapped is mapped"
        return
    names = ", ".join(f"{key}:" for key in offers.keys)
    yield ""
    yield f"# Into the account {visit.account.name} of exporter.yml, in place of {names}"
    yield "# Metrics are gauges here; call them as you like, see docs/metrics.md for known names."
    for line in write(offers.keys).splitlines():
        yield f"    {line}"
