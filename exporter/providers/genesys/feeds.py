"""Which statistics an account opens, and the tables that they fill."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from exporter.collector.base import Feed
from exporter.config.columns import ColumnConfig, make_column
from exporter.metrics.tables import Column, Table
from exporter.providers.genesys import headers as h
from exporter.providers.genesys import tables
from exporter.providers.genesys.config import STATISTICS, GenesysConfig, StatisticConfig, table_of
from exporter.providers.genesys.rows import Statistic
from exporter.providers.genesys.statistics import Profile, Wanted

_TABLES: Mapping[Profile, Table] = {
    "queue": tables.QUEUES,
    "agent_group": tables.AGENT_GROUPS,
    "agent": tables.EACH_AGENT,
    "campaign": tables.CAMPAIGNS,
}
_APART = {h.SERVICE_LEVEL: tables.SERVICE_LEVELS}  # their period is not the day


def feed(config: GenesysConfig) -> Feed:
    """Return the account's feed, its tables bound to the account's day and own statistics."""
    times = config.wanted_feeds()[STATISTICS]
    own: dict[str, list[Column]] = {}
    for name, _, found in _own(config):
        own.setdefault(name, []).append(found)
    bound = [
        replace(table.extended(tuple(own.get(table.name, ()))), period=table.period)
        if table.period
        else table.extended(tuple(own.get(table.name, ()))).over(config.period())
        for table in tables.TABLES
        if table is not tables.EACH_AGENT or config.agents != "aggregate"
    ]
    return Feed(STATISTICS, bound, times)


def statistics(config: GenesysConfig) -> Sequence[Statistic]:
    """Return every statistic to open.

    Where a user maps a statistic of an object to a figure, the built-in one for the same figure of
    that object is not opened: the user's word counts.
    """
    own = list(_own_statistics(config))
    taken = {
        (wanted.object_type, identity, found.family.name, tuple(sorted(found.labels.items())))
        for (_, wanted, found) in _own(config)
        for identity in wanted.object_ids
    }
    built_in = [
        statistic
        for statistic in _built_in(config)
        if not any(
            (statistic.kind, statistic.identity, name, labels) in taken
            for name, labels in _figures(statistic)
        )
    ]
    return [*built_in, *own]


def _figures(statistic: Statistic) -> Iterator[tuple[str, tuple[tuple[str, str], ...]]]:
    table = next(each for each in tables.TABLES if each.name == statistic.table)
    for figure in table.figures:
        if isinstance(figure, Column) and figure.header == statistic.wanted.header:
            yield figure.family.name, tuple(sorted(figure.labels.items()))


def _built_in(config: GenesysConfig) -> Iterator[Statistic]:
    for objects in config.objects:
        if objects.wanted is None:
            continue
        chosen = config.built_in(objects.wanted)
        for identity in objects.ids:
            label = config.label(objects.type, identity)
            for wanted in chosen:
                table = _APART.get(wanted.header, _TABLES[objects.wanted])
                yield Statistic(table.name, wanted, objects.type, identity, label)


def _own(config: GenesysConfig) -> Iterator[tuple[str, StatisticConfig, Column]]:
    """Yield the user's own statistics with their table's name and their column."""
    for at, wanted in enumerate(config.statistics):
        table = table_of(wanted.object_type)
        mapping = ColumnConfig(metric=wanted.metric, parse=wanted.parse, labels=wanted.labels)
        yield table.name, wanted, make_column(f"statistics[{at}]", mapping, table)


def _own_statistics(config: GenesysConfig) -> Iterator[Statistic]:
    for table, own, found in _own(config):
        wanted = Wanted(found.header, own.name, own.definition or {}, guess=True)
        for identity in own.object_ids:
            label = config.label(own.object_type, identity)
            yield Statistic(table, wanted, own.object_type, identity, label)
