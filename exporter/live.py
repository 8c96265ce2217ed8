"""What came of trying every account once: a report for the person who sets the exporter up."""

from collections.abc import Iterator, Sequence

from exporter import families as f
from exporter.families import Family
from exporter.objectives import Entry
from exporter.telemetry import Telemetry

Labels = dict[str, str]


def report(
    telemetry: Telemetry, accounts: dict[str, list[str]], unmatched: Sequence[Entry] = ()
) -> tuple[list[str], bool]:
    """Return the lines of the report, and whether everything answered.

    ``accounts`` maps each account to its feeds; ``unmatched`` are objectives that match nothing,
    which is worth a line and no failure. The requests are those of one whole cycle:
    signing in, reading every feed once, and what had to be read for them first.
    """
    lines = []
    well = True
    for account, feeds in accounts.items():
        samples = {family: list(_samples(telemetry, family, account)) for family in _FAMILIES}
        signins = [(each["outcome"], count) for each, count in samples[f.SESSION_SIGNINS] if count]
        signed_in = bool(dict(signins).get("ok"))
        well = well and signed_in
        said = "signed in" if signed_in else f"not signed in ({_words(signins)})"
        lines.append(f"{account}: {said}")
        for feed in feeds if signed_in else ():
            up = any(value for each, value in samples[f.FEED_UP] if each["feed"] == feed)
            well = well and up
            lines.append(f"  {feed}: {_feed(feed, samples, up=up)}")
        requests = [(each["operation"], count) for each, count in samples[f.API_REQUESTS]]
        total = sum(count for _, count in requests)
        lines.append(f"  requests in one cycle: {total:g} ({_words(requests)})")
    for entry in unmatched:
        patterns = ", ".join(f"{name}: {text}" for name, text in entry.patterns.items())
        lines.append(f"{entry.place} matches nothing ({patterns})")
    return lines, well


_FAMILIES = (
    f.SESSION_SIGNINS,
    f.FEED_UP,
    f.FEED_SAMPLES,
    f.FEED_REFRESHES,
    f.API_REQUESTS,
)


def _feed(feed: str, samples: dict[Family, list[tuple[Labels, float]]], *, up: bool) -> str:
    if up:
        series = sum(value for each, value in samples[f.FEED_SAMPLES] if each["feed"] == feed)
        return f"ok, {series:g} series"
    outcomes = [
        (each["outcome"], count)
        for each, count in samples[f.FEED_REFRESHES]
        if each["feed"] == feed and count
    ]
    return f"failed ({_words(outcomes)})" if outcomes else "not read in time"


def _samples(telemetry: Telemetry, family: Family, account: str) -> Iterator[tuple[Labels, float]]:
    for metric in telemetry.registry.collect():
        for sample in metric.samples:
            if sample.name == family.name and sample.labels.get("account") == account:
                yield sample.labels, sample.value


def _words(counts: list[tuple[str, float]]) -> str:
    totals: dict[str, float] = {}
    for word, count in counts:
        totals[word] = totals.get(word, 0) + count
    return ", ".join(f"{word} {count:g}" for word, count in totals.items()) or "nothing tried"
