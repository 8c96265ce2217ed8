"""Kinds of panels: number, lines, bars, table, states."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from string import ascii_uppercase

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import common as shape
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import prometheus as query

from boards import look
from boards.promql import RATE

DASHBOARD = "/d/"  # what the address of a dashboard begins with
DATASOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
Panel = timeseries.Panel | stat.Panel | bargauge.Panel | table.Panel | statetimeline.Panel
_FILL = 70  # percent, of areas and columns
_NARROW = 60  # pixels that a column needs at least; they share what is left
_READABLE = 20  # pixels of the values beside bars


@dataclass(frozen=True, slots=True)
class Query:
    """A query and the name of its series.

    ``limit`` gives the colour of a dashed line, ``unit`` one that differs from the panel's, and
    ``decimals`` belong to it.
    """

    expression: str
    legend: str = ""
    limit: str = ""
    colour: str = ""
    unit: str = ""
    decimals: int = 0


def number(
    title: str,
    description: str,
    *queries: Query,
    unit: str = "short",
    colours: build.ThresholdsConfig = look.PLAIN,
    size: int = 0,
    decimals: int | None = None,
    mapping: model.ValueMap | None = None,
) -> stat.Panel:
    """Return a large number for each series; ``size`` is that of its digits in pixels.

    It is of this instant, without a curve behind it: asked over time, a figure that has left the
    page would be shown with its last value for as long as the range is.
    """
    panel = stat.Panel().title(title).description(description).datasource(DATASOURCE).unit(unit)
    panel.no_value("no data").interval("5m" if _counts(queries) else "")
    panel.color_scheme(build.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(values=False))
    coloured = colours is not look.PLAIN or any(each.colour for each in queries)
    solid, plain = shape.BigValueColorMode.BACKGROUND_SOLID, shape.BigValueColorMode.VALUE
    panel.color_mode(solid if coloured else plain)
    panel.thresholds(look.steps() if coloured and colours is look.PLAIN else colours)
    panel.graph_mode(shape.BigValueGraphMode.NONE)
    panel.justify_mode(shape.BigValueJustifyMode.CENTER)
    panel.orientation(shape.VizOrientation.AUTO).wide_layout(wide_layout=False)
    many = len(queries) > 1 or bool(queries[0].legend)
    panel.text_mode(shape.BigValueTextMode.VALUE_AND_NAME if many else shape.BigValueTextMode.VALUE)
    if size:
        panel.text(common.VizTextDisplayOptions().value_size(size).title_size(size / 2.5))
    _whole(panel, unit, decimals)
    if mapping:
        panel.mappings([mapping])
    for letter, each in zip(ascii_uppercase, queries, strict=False):
        panel.with_target(_target(letter, each).instant())
        _override(panel, letter, each)
    return panel


def lines(  # noqa: PLR0913 - each is said by some graph
    title: str,
    description: str,
    *queries: Query,
    unit: str = "short",
    stacked: bool = False,
    columns: bool = False,
    colours: Mapping[str, str] | None = None,
    thresholds: build.ThresholdsConfig | None = None,
    least: float | None = 0,
    most: float | None = None,
    interval: str = "",
    decimals: int | None = None,
) -> timeseries.Panel:
    """Return series over time; a query with ``limit`` is drawn as a dashed line."""
    panel = timeseries.Panel().title(title).description(description).datasource(DATASOURCE)
    panel.unit(unit).interval(interval or ("5m" if _counts(queries) else ""))
    panel.color_scheme(build.FieldColor().mode(model.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
    panel.draw_style(shape.GraphDrawStyle.BARS if columns else shape.GraphDrawStyle.LINE)
    panel.line_width(1 if stacked or columns else 2)
    panel.fill_opacity(_FILL if stacked or columns else 0)
    panel.show_points(shape.VisibilityMode.AUTO)  # a single reading is seen too
    _whole(panel, unit, decimals)
    panel.span_nulls(span_nulls=False)
    if stacked:
        panel.stacking(common.StackingConfig().mode(shape.StackingMode.NORMAL).group("A"))
    if least is not None:
        panel.min(least)
    if most is not None:
        panel.max(most)
    if thresholds:
        panel.thresholds(thresholds)
        panel.thresholds_style(
            common.GraphThresholdsStyleConfig().mode(shape.GraphThresholdsStyleMode.DASHED)
        )
    panel.legend(
        common.VizLegendOptions()
        .display_mode(shape.LegendDisplayMode.TABLE)
        .placement(shape.LegendPlacement.RIGHT)
        .show_legend(show_legend=True)
        .calcs(["lastNotNull", "max"])
        .sort_by("Last *")
        .sort_desc(sort_desc=True)
    )
    panel.tooltip(
        common.VizTooltipOptions()
        .mode(shape.TooltipDisplayMode.MULTI)
        .sort(shape.SortOrder.DESCENDING)
    )
    for letter, each in zip(ascii_uppercase, queries, strict=False):
        panel.with_target(_target(letter, each).range())
        _override(panel, letter, each)
    for name, colour in (colours or {}).items():
        panel.override_by_name(name, look.fixed(colour))
    return panel


def bars(
    title: str,
    description: str,
    *queries: Query,
    unit: str = "short",
    colours: build.ThresholdsConfig = look.BARS,
    most: float | None = None,
    size: int = _READABLE,
    decimals: int | None = None,
) -> bargauge.Panel:
    """Return one horizontal bar for each series, as it is now."""
    panel = bargauge.Panel().title(title).description(description).datasource(DATASOURCE)
    panel.unit(unit).min(0).thresholds(colours).no_value("none")
    panel.interval("5m" if _counts(queries) else "")
    panel.color_scheme(build.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
    panel.display_mode(shape.BarGaugeDisplayMode.BASIC)
    panel.orientation(shape.VizOrientation.HORIZONTAL)
    panel.value_mode(shape.BarGaugeValueMode.TEXT).show_unfilled(show_unfilled=True)
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(values=False))
    if most is not None:
        panel.max(most)
    panel.text(common.VizTextDisplayOptions().value_size(size).title_size(size * 0.7))
    _whole(panel, unit, decimals)
    for letter, each in zip(ascii_uppercase, queries, strict=False):
        panel.with_target(_target(letter, each).instant())
        _override(panel, letter, each)
    return panel


def strip(
    title: str,
    description: str,
    expression: str,
    legend: str,
    mapping: model.ValueMap = look.UP_DOWN,
) -> statetimeline.Panel:
    """Return one strip of time for each series of zeros and ones, in the colours of a mapping."""
    panel = statetimeline.Panel().title(title).description(description).datasource(DATASOURCE)
    panel.unit("short").mappings([mapping]).show_value(shape.VisibilityMode.NEVER)
    panel.row_height(0.8).fill_opacity(80).line_width(0).merge_values(merge_values=True)
    panel.color_scheme(build.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
    bounds = [(int(value), str(of.color)) for value, of in sorted(mapping.options.items())]
    panel.thresholds(look.steps(*bounds))
    panel.legend(small_legend())
    return panel.with_target(_target("A", Query(expression, legend)).range())


def small_legend() -> common.VizLegendOptions:
    """Return the legend of a panel that has no room beside its lines: names, below."""
    return (
        common.VizLegendOptions()
        .display_mode(shape.LegendDisplayMode.LIST)
        .placement(shape.LegendPlacement.BOTTOM)
        .show_legend(show_legend=True)
        .calcs([])
    )


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its heading, what fills it, its unit and how it is coloured."""

    heading: str
    expression: str
    unit: str = "short"
    colours: build.ThresholdsConfig | None = None
    mapping: model.ValueMap | None = None
    decimals: int | None = None
    width: int = 0  # pixels; 0 shares the rest


@dataclass(frozen=True, slots=True)
class Key:
    """A label that names the rows, its heading, and the dashboard or page that it leads to."""

    label: str
    heading: str
    link: str = field(default="")
    width: int = 0  # pixels; 0 shares the rest


def rows(
    title: str,
    description: str,
    keys: Sequence[Key],
    columns: Sequence[Column],
    *,
    sort: str,
    rising: bool = False,
) -> table.Panel:
    """Return a table with a row for each object, worst first."""
    panel = table.Panel().title(title).description(description).datasource(DATASOURCE)
    panel.unit("short").no_value("-").interval("5m")
    panel.color_scheme(build.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
    panel.thresholds(look.PLAIN)
    panel.cell_height(shape.TableCellHeight.SM).min_width(_NARROW)
    panel.sort_by([common.TableSortByFieldState().display_name(sort).desc(desc=not rising)])
    names: dict[str, str] = {key.label: key.heading for key in keys}
    for letter, column in zip(ascii_uppercase, columns, strict=False):
        names[f"Value #{letter}"] = column.heading
        target = _target(letter, Query(column.expression)).instant()
        panel.with_target(target.format(query.PromQueryFormat.TABLE))
        panel.override_by_name(column.heading, _of_column(column))
    for key in keys:
        found = [_link(key, keys)] if key.link else []
        if key.width:
            found.append(model.DynamicConfigValue(id_val="custom.width", value=key.width))
        if found:
            panel.override_by_name(key.heading, found)
    if len(columns) == 1:
        names["Value"] = columns[0].heading  # a table of one query calls it so
    keep = {name: index for index, name in enumerate(names)}
    hidden = {"provider", "account"}.difference(names)
    panel.with_transformation(model.DataTransformerConfig(id_val="merge", options={}))
    return panel.with_transformation(
        model.DataTransformerConfig(
            id_val="organize",
            options={
                "excludeByName": dict.fromkeys(("Time", *hidden), True),
                "indexByName": keep,
                "renameByName": names,
            },
        )
    )


def _of_column(column: Column) -> list[model.DynamicConfigValue]:
    found = [model.DynamicConfigValue(id_val="unit", value=column.unit)]
    decimals = 0 if column.decimals is None and column.unit == "short" else column.decimals
    if decimals is not None:
        found.append(model.DynamicConfigValue(id_val="decimals", value=decimals))
    if column.colours:
        found.append(model.DynamicConfigValue(id_val="thresholds", value=column.colours.build()))
    if column.mapping:
        found.append(model.DynamicConfigValue(id_val="mappings", value=[column.mapping]))
        found.append(model.DynamicConfigValue(id_val="thresholds", value=look.steps().build()))
    if column.colours or column.mapping:
        ground = {"type": "color-background", "mode": "basic"}
        found.append(model.DynamicConfigValue(id_val="custom.cellOptions", value=ground))
    if column.width:
        found.append(model.DynamicConfigValue(id_val="custom.width", value=column.width))
    return found


def _link(key: Key, keys: Sequence[Key]) -> model.DynamicConfigValue:
    """Return a link; to a dashboard, with the value and the account that the row is of."""
    link: dict[str, str | bool]
    if key.link.startswith(DASHBOARD):
        chosen = f"&var-{key.label}=${{__value.text:percentencode}}"
        for account in keys:
            if account.label == "account" != key.label:
                chosen += f"&var-account=${{__data.fields.{account.heading}:percentencode}}"
        url = f"{key.link}{chosen}&${{__url_time_range}}"
        link = {"title": f"Show this {key.heading.lower()}", "url": url}
    else:
        link = {"title": "Open the runbook", "url": key.link, "targetBlank": True}
    return model.DynamicConfigValue(id_val="links", value=[link])


def _target(letter: str, each: Query) -> prometheus.Dataquery:
    target = prometheus.Dataquery().ref_id(letter).expr(each.expression).datasource(DATASOURCE)
    return target.legend_format(each.legend or "__auto")


def _override(panel: Panel, letter: str, each: Query) -> None:
    """Give the series of one query what differs from the panel."""
    found = look.dashed(each.limit) if each.limit else []
    found += look.fixed(each.colour) if each.colour else []
    if each.unit:
        found.append(model.DynamicConfigValue(id_val="unit", value=each.unit))
        found.append(model.DynamicConfigValue(id_val="decimals", value=each.decimals))
    if found:
        panel.override_by_query(letter, found)


def _whole(panel: Panel, unit: str, decimals: int | None) -> None:
    """Set the decimals; contacts, calls and agents are counted in whole numbers."""
    if decimals is None and unit == "short":
        decimals = 0
    if decimals is not None:
        panel.decimals(decimals)


def _counts(queries: Sequence[Query]) -> bool:
    """Return whether totals are counted: over less than five minutes, little comes to pass."""
    return any(RATE in each.expression for each in queries)
