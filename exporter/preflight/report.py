"""What came of visiting every account once: a report for the person who sets the exporter up."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from exporter.errors import ProviderError
from exporter.preflight.demand import against, demand_of, hourly
from exporter.preflight.session import FeedVisit, Visit

_NOTABLE_SKEW = 30.0  # seconds
_SHORT_LIFE = 21  # days of a certificate
_DAY = 86_400.0
_SHOWN = 8  # names in a line
# What helps against each kind of failure that the platform's own words do not explain.
_ADVICE = {
    "network": "check base_url or region, name resolution, firewall, proxy_url and tls",
    "timeout": "the platform is slow, or something between holds the answer: try timeout: 60s",
    "server": "the platform, or a proxy before it, is in trouble: try again later",
    "throttled": "wait, or give the exporter longer intervals or fewer feeds",
    "invalid": "not what the platform should say: check base_url, and see 'capture'",
    "fault": "the platform declined it: see the permissions below",
    "session": "the session ended: see whether somebody else works with this user",
    "auth": "check the credentials; until they are right, do not try often: users get locked",
    "empty": "the platform had nothing yet: try again, then look at the user's permissions",
    "forbidden": "a role is missing: see below",
}


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
        why = f"cannot begin: {error}. To do: check tls: and the files that it names"
    else:
        why = f"internal error ({type(error).__name__}). To do: report it, with the log"
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
    advice = _ADVICE.get(error.reason, "see the log with --log.level debug")
    return f"{what}: failed ({error.reason}): {error}. To do: {advice}"


def _feed(found: Report, each: FeedVisit) -> None:
    name = each.feed.name
    if each.error:
        found.fault(_failure(name, each.error))
    elif each.folded:
        found.say(f"{name}: ok, {each.series} series")
        for table, schema in each.folded.schemas.items():
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
    for grant in survey.grants:
        if grant.held is None:
            found.say(f"{grant.name}: the platform does not tell")
        elif grant.held:
            found.say(f"{grant.name}: held")
        elif grant.needed:
            found.fault(f"{grant.name}: missing. {grant.loss}")
        else:
            found.hint(f"{grant.name}: missing. {grant.loss}")
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
    intervals = {name: each.feed.interval for name, each in visit.feeds.items()}
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
