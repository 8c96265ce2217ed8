"""What a platform offers, written for the person who decides what to export."""

from collections.abc import Iterator, Sequence

from exporter.collector.offers import Offer, Offers
from exporter.config.yaml import write
from exporter.preflight.session import Visit


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
