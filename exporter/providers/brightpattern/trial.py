"""Which known statistics does a tenant take that nothing maps? Found out by subscribing to them.

The platform has no list of its statistics, and takes or declines a subscription as a whole.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from exporter.collector.offers import Offer, Offers, mapping, taken_names
from exporter.errors import Refused
from exporter.providers.brightpattern.client import Declined
from exporter.providers.brightpattern.config import BrightPatternConfig
from exporter.providers.brightpattern.subscription import Statistic, negotiate
from exporter.providers.brightpattern.tables import RATIOS, TOTALS

Post = Callable[[Sequence[Statistic]], Awaitable[None]]
KNOWN = tuple(name for name in TOTALS.ignored if name != "app")
_TIMES = ("_wait_time", "_threshold_time", "_speed_of_answer")


async def totals(config: BrightPatternConfig, post: Post, seen: Offers) -> None:
    """Subscribe to the known totals that are not mapped; add those that are taken to ``seen``.

    Raises ``ProviderError``.
    """
    mapped = config.statistics.totals
    wanted = [Statistic("totals", name) for name in KNOWN if name not in mapped]
    declined: set[Statistic] = set()
    if wanted:
        await _try(wanted, declined, post)
    for each in wanted:
        if each in declined:
            seen.notes.append(f"totals: {each.name} is not offered by this tenant")
        else:
            parse = _parser(config, each.name)
            seen.found.append(Offer(TOTALS.name, each.name, "not mapped", parse=parse))
    seen.notes.append(
        "the platform has no list of its statistics: others, by their names in the vendor's list, "
        "can be mapped under statistics: too"
    )


async def _try(wanted: Sequence[Statistic], declined: set[Statistic], post: Post) -> None:
    try:
        await post(wanted)
    except Declined as error:
        try:
            await negotiate(wanted, declined, post, str(error))
        except Refused:
            declined.update(wanted)


def _parser(config: BrightPatternConfig, name: str) -> str | None:
    if name in RATIOS:
        return config.scale(name)
    return "seconds" if name.endswith(_TIMES) else "number"


def suggest(config: BrightPatternConfig, seen: Offers) -> None:
    """Add the keys that map what is not mapped yet."""
    taken = taken_names(seen.found)
    own: dict[str, Any] = config.statistics.model_dump(exclude_defaults=True)
    found = {}
    for each in seen.found:
        if each.table != TOTALS.name or each.use != "not mapped":
            continue
        if each.parse is None:
            seen.notes.append(f"totals: {each.name} is a ratio; say ratio_scale: for it first")
            continue
        found[each.name] = mapping(each.name, each.parse, taken, "total")
    if found:
        seen.keys["statistics"] = {**own, "totals": {**own.get("totals", {}), **found}}
