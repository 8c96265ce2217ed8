"""Which feeds an account has, with their tables, and which statistics these need."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from exporter.collector.base import Feed
from exporter.config.columns import add_columns
from exporter.metrics.labels import AccountLabels
from exporter.metrics.tables import Column, Table
from exporter.providers.brightpattern import tables
from exporter.providers.brightpattern.config import CAMPAIGNS, BrightPatternConfig
from exporter.providers.brightpattern.rows import statistics
from exporter.providers.brightpattern.subscription import Statistic

SUBSCRIPTION, DIRECTORY = "subscription", "directory"

_GRIDS = {
    tables.TOTALS.name: "totals",
    tables.SERVICES.name: "services",
    tables.AGENTS.name: "agents",
    tables.EACH_AGENT.name: "agents",
}


def certain_of(wanted: Mapping[str, Table]) -> set[Statistic]:
    """Return the statistics of which a table is certain, so that their absence is news."""
    return {each for each, certain in _needed(wanted) if certain}


def _needed(wanted: Mapping[str, Table]) -> Iterable[tuple[Statistic, bool]]:
    """Yield what the tables need, and whether they are certain of it."""
    for table, grid in _GRIDS.items():
        if table in wanted:
            for name, certain in statistics(wanted[table]):
                yield Statistic(grid, name), certain
    if tables.AGENT_TIMES.name in wanted:
        for name in tables.TIMES:
            yield Statistic("agents", name), True


def asked(
    config: BrightPatternConfig, labels: AccountLabels, wanted: Mapping[str, Table]
) -> Iterable[Statistic]:
    """Return the statistics to subscribe to: names first, what is only guessed last.

    Who agents are is asked for no more than needed.
    """
    found = dict.fromkeys(Statistic(grid, name) for grid, name in tables.KEYS.items())
    certain = certain_of(wanted)
    if (
        labels.agents == "name"
        or labels.filter.include.get("agent")
        or labels.filter.exclude.get("agent")
    ):
        found[Statistic("agents", tables.FULL_NAME)] = None
    every = [each for each, _ in _needed(wanted)]
    if SUBSCRIPTION in config.wanted_feeds() and config.wanted_feeds()[SUBSCRIPTION].raw:
        every += [Statistic("totals", name) for name in tables.TOTALS.ignored if name != "app"]
    every += [Statistic("services", tables.DISPOSITIONS)]
    if labels.agents != "aggregate":
        every += [Statistic("agents", tables.DISPOSITIONS)]
    found |= dict.fromkeys(sorted(every, key=lambda each: each not in certain))
    return found


def feeds(config: BrightPatternConfig, labels: AccountLabels) -> Iterable[Feed]:
    """Return the feeds of an account in order of importance, bound to its day and its scales."""
    period = config.period()
    own = config.statistics
    subscription = [
        add_columns(tables.TOTALS, own.totals),
        add_columns(_scaled(tables.SERVICES, config), own.services),
        tables.SERVICE_DISPOSITIONS,
        tables.AGENTS,
        tables.AGENT_TIMES,
    ]
    if labels.agents != "aggregate":
        subscription += [add_columns(tables.EACH_AGENT, own.agents), tables.AGENT_DISPOSITIONS]
    by_feed = {
        SUBSCRIPTION: [table.over(period) for table in subscription],
        DIRECTORY: [tables.DIRECTORY_SERVICES, tables.DIRECTORY_TEAMS],
        CAMPAIGNS: [tables.CAMPAIGN_STATES, tables.CAMPAIGN_RECORDS],
    }
    for name, times in config.wanted_feeds().items():
        yield Feed(name, by_feed[name], times)


def _scaled(table: Table, config: BrightPatternConfig) -> Table:
    """Return a table whose ratios are read on the account's scales."""
    figures = tuple(
        replace(figure, parse=tables.SCALES[config.scale(figure.header)])
        if isinstance(figure, Column) and figure.header in tables.RATIOS
        else figure
        for figure in table.figures
    )
    return replace(table, figures=figures)
