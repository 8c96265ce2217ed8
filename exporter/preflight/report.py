"""Text output of ``check --live`` and ``discover``, and the request forecast in it.

A line that begins with ``!`` is a fault, which fails the check; one with ``?`` is a hint.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from exporter.collector.offers import Offer, Offers
from exporter.collector.survey import Limit, Survey
from exporter.config.yaml import write
from exporter.errors import InternalError, ProviderError
from exporter.preflight.session import FeedResult, PreflightSession

_HOUR = 3600.0
_DAY = 86_400.0
_NOTABLE_SKEW = 30.0  # seconds
_SHORT_VALIDITY = 21  # days of a certificate


# check --live -----------------------------------------------------------------------------------


@dataclass(slots=True)
class Report:
    """The lines about one account, and how many of them are faults."""

    lines: list[str] = field(default_factory=list)
    faults: int = 0

    def info(self, text: str) -> None:
        """Add a plain line."""
        self.lines.append(f"    {text}")

    def fault(self, text: str) -> None:
        """Add a fault: the configuration cannot work as written."""
        self.faults += 1
        self.lines.append(f"  ! {text}")

    def hint(self, text: str) -> None:
        """Add a hint, which does not fail the check."""
        self.lines.append(f"  ? {text}")


def report_failure(account: str, error: BaseException) -> Report:
    """Report an account that could not be checked, for a file or for a bug of the exporter."""
    report = Report([f"{account}: not checked"])
    if isinstance(error, OSError):
        report.fault(f"cannot start: {error}. Check tls: and the files that it names.")
    else:
        report.fault(f"internal error ({type(error).__name__}). {InternalError.remedy}")
    return report


def report_session(session: PreflightSession, now: float) -> Report:
    """Report one account after its survey; ``now`` is epoch time in seconds."""
    account = session.account
    state = "signed in" if session.signed_in else "not signed in"
    report = Report([f"{account.name} ({account.provider}): {state}"])
    if session.refusal:
        report.fault(_failure("sign-in", session.refusal))
    else:
        for result in session.feeds.values():
            _add_feed(report, result)
    add_survey(report, session.survey)
    _add_requests(report, session)
    add_clock(report, session.http.skew)
    source = " (seen through the proxy; may be its own)" if session.account.proxy_url else ""
    add_certificates(report, session.http.certificates, now, source)
    if not session.http.certificates and not session.refusal:
        report.info(f"certificate: none, the connection does not use TLS{source}")
    report.info(f"faults: {report.faults}, see the lines with !" if report.faults else "no faults")
    return report


def _failure(name: str, error: ProviderError) -> str:
    return f"{name}: failed ({error.reason}): {error}. {error.remedy}"


def _add_feed(report: Report, result: FeedResult) -> None:
    name = result.feed.name
    if result.error:
        report.fault(_failure(name, result.error))
    elif not result.mapped:
        report.hint(f"{name}: not read, the check was interrupted")
    else:
        report.info(f"{name}: ok, {result.series} series")
        for table, schema in result.mapped.schemas.items():
            for note in schema.notes(table):
                report.hint(note)


def add_survey(report: Report, survey: Survey) -> None:
    """Add objects, permissions and licences, and what is missing."""
    if survey.objects:
        counts = (f"{count} {name}" for name, count in survey.objects.items())
        report.info(f"objects: {', '.join(counts)}")
    for permission in survey.permissions:
        if permission.granted is None:
            report.info(f"{permission.name}: not reported by the platform")
        elif permission.granted:
            report.info(f"{permission.name}: granted")
        else:
            add = report.fault if permission.needed else report.hint
            add(f"{permission.name}: missing. {permission.consequence}")
    for licence in survey.licences:
        report.info(
            f"licences, {licence.kind}: {_number(licence.used)} of {_number(licence.limit)} used"
        )
    for fault in survey.faults:
        report.fault(fault)
    for hint in survey.hints:
        report.hint(hint)


def _add_requests(report: Report, session: PreflightSession) -> None:
    total = sum(session.requests.values())
    report.info(f"requests of this check: {total:g} ({_counted(session.requests)})")
    if session.refusal or session.is_partial:
        return
    rates = request_rates(session)
    hourly: Counter[str] = Counter()
    for by_operation in rates.values():
        hourly.update({operation: rate * _HOUR for operation, rate in by_operation.items()})
    counts = {operation: round(count) for operation, count in hourly.items()}
    report.info(f"requests per hour: {sum(counts.values())} ({_counted(counts)})")
    intervals = {name: result.feed.times.interval for name, result in session.feeds.items()}
    for forecast in forecasts(session.survey.limits, rates):
        if forecast.fits:
            report.info(str(forecast))
        else:
            report.fault(f"{forecast}: {forecast.remedy(intervals)}")


def _number(value: float | None) -> str:
    """Return a figure of the platform; one that could not be read is unknown."""
    return "unknown" if value is None else f"{value:g}"


def _counted(counts: Mapping[str, float]) -> str:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{operation} {count:g}" for operation, count in ordered if count) or "none"


def add_clock(report: Report, skew: float | None) -> None:
    """Add whether the platform's clock agrees, which is ``skew`` seconds ahead."""
    if skew is None:
        report.info("clock: not reported by the platform")
    elif abs(skew) <= _NOTABLE_SKEW:
        report.info("clock: agrees with the platform's")
    else:
        direction = "ahead of" if skew > 0 else "behind"
        report.hint(
            f"clock: the platform's is {abs(skew):.0f} s {direction} this host's: synchronise this "
            "host (NTP), or tokens are refused and ages are wrong"
        )


def add_certificates(
    report: Report, certificates: Mapping[str, float], now: float, source: str = ""
) -> None:
    """Add how long each certificate is valid; ``certificates`` are expiries by host."""
    for host, expiry in sorted(certificates.items()):
        days = math.floor((expiry - now) / _DAY)
        text = f"certificate of {host}: {days} days left{source}"
        if days < _SHORT_VALIDITY:
            report.hint(f"{text}: it must be renewed before it expires")
        else:
            report.info(text)


# Request forecast -------------------------------------------------------------------------------

_WINDOWS = {60.0: "per minute", 3600.0: "per hour", 86_400.0: "per day"}
_USABLE = 0.95  # of a limit; the rest is for requests that cannot be planned
_MIN_SHARE = 0.1  # of a feed's requests that must be left to it, else all feeds are slowed down

Rates = Mapping[str, Mapping[str, float]]  # requests per second, by feed and operation


def request_rates(session: PreflightSession) -> Rates:
    """Return the requests of each feed at its interval, computed from those of this session."""
    steady = session.collector.steady_requests
    return {
        name: {
            operation: count / result.feed.times.interval
            for operation, count in steady(name, result.requests).items()
            if count
        }
        for name, result in session.feeds.items()
    }


@dataclass(frozen=True, slots=True)
class Forecast:
    """A limit, and the requests that each feed will make in its window.

    ``tightest`` is set on the limit of an operation that is reached first.
    """

    limit: Limit
    requests: Mapping[str, float]
    tightest: bool = False

    @property
    def total(self) -> float:
        """Requests of all feeds in the limit's window."""
        return sum(self.requests.values())

    @property
    def usage(self) -> float:
        """Fraction of the limit; 1 is all of it."""
        if self.limit.limit > 0:
            return self.total / self.limit.limit
        return math.inf if self.total else 0.0

    @property
    def fits(self) -> bool:
        """Whether the limit is kept, or a tighter one of the same operation is reported."""
        return self.usage <= _USABLE or not self.tightest

    def __str__(self) -> str:
        limit = self.limit
        window = _WINDOWS.get(limit.window, f"per {limit.window:g} s")
        used = "" if limit.used is None else f", {limit.used:g} used now"
        return f"{limit.operation}: {self.total:.0f} of {limit.limit:g} requests {window}{used}"

    def remedy(self, intervals: Mapping[str, float]) -> str:
        """Return which intervals to lengthen: that of the busiest feed, or all if not sufficient.

        ``intervals`` are those of the feeds, in seconds.
        """
        problem = "over the limit" if self.usage > 1 else "too close to the limit"
        usable = self.limit.limit * _USABLE
        if usable <= 0:
            return f"{problem}. Disable these feeds: {', '.join(self.requests)}"
        busiest, most = max(self.requests.items(), key=lambda item: item[1])
        left = usable - (self.total - most)
        factors = {busiest: most / left} if left > most * _MIN_SHARE else {}
        factors = factors or dict.fromkeys(self.requests, self.total / usable)
        lengths = {name: math.ceil(intervals[name] * factor) for name, factor in factors.items()}
        longer = ", ".join(f"{name}: {{interval: {length}s}}" for name, length in lengths.items())
        return f"{problem}. Lengthen intervals or disable feeds: feeds: {{{longer}}}"


def forecasts(limits: Sequence[Limit], rates: Rates) -> list[Forecast]:
    """Return the forecast for every limit."""
    unranked = [Forecast(limit, _requests(limit, rates)) for limit in limits]
    by_usage = sorted(unranked, key=lambda forecast: forecast.usage)
    tightest = {forecast.limit.operation: forecast for forecast in by_usage}
    return [
        replace(forecast, tightest=forecast is tightest[forecast.limit.operation])
        for forecast in unranked
    ]


def _requests(limit: Limit, rates: Rates) -> dict[str, float]:
    """Return how many requests each feed makes in a limit's window."""
    by_feed = ((feed, operations.get(limit.operation)) for feed, operations in rates.items())
    return {feed: rate * limit.window for feed, rate in by_feed if rate}


# discover ---------------------------------------------------------------------------------------


def list_offers(session: PreflightSession, offers: Offers) -> list[str]:
    """Return every column by table with its use, and YAML that maps the unmapped ones."""
    lines = [f"{session.account.name} ({session.account.provider}) offers:"]
    for table in dict.fromkeys(offer.table for offer in offers.items):
        lines.append(f"  {table}:")
        lines += [f"    {_described(offer)}" for offer in offers.items if offer.table == table]
    for name, error in session.collected.errors.items():
        lines.append(f"  ! {name}: not read ({error.reason}): {error}")
    lines += [f"  ? {note}" for note in offers.notes]
    lines += _yaml(session.account.name, offers)
    return lines


def _described(offer: Offer) -> str:
    numbers = "" if offer.use != "not mapped" or offer.parse else " (no numbers seen)"
    return f"{offer.name}: {', '.join(offer.metrics) or offer.use}{numbers}"


def _yaml(account: str, offers: Offers) -> Iterator[str]:
    """Yield the keys to paste, which include what the account already has under them."""
    if not offers.keys:
        yield "everything that can be mapped is mapped"
        return
    names = ", ".join(f"{key}:" for key in offers.keys)
    yield ""
    yield f"# For the account {account} in exporter.yml; replaces {names}"
    yield "# These metrics are gauges. Rename them as you like; docs/metrics.md lists known names."
    for line in write(offers.keys).strip().split("\n"):
        yield f"    {line}"
