"""Frame of every dashboard: identity, variables, links to the others, grid."""

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import common, statetimeline, timeseries
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import dashboard as model

from boards import look
from boards.events import events
from boards.panels import DASHBOARD, DATASOURCE, Panel, Query, number, small_legend
from boards.platforms import note
from boards.promql import Promql

TAG = "contactcenter"
RUNBOOK = "https://contactcenter-exporter.example/runbook"  # as in the rules
_HEAD = 3  # rows of the grid that the accounts take
_NAMED, _LEGIBLE = 5, 34  # missing accounts that have room for their names, in pixels
_WIDTH, _WIDE = 24, 12  # columns of the grid; from so many on, a legend stands beside its lines


def uid(name: str) -> str:
    """Return the fixed uid of a dashboard."""
    return f"{TAG}-{name}"


def runbook() -> str:
    """Return the address of an alert's section, which begins with the alert's name and "Means"."""
    return f"{RUNBOOK}#:~:text=${{__value.text}},-Means"


def link(name: str) -> str:
    """Return the address of a dashboard, ready for variables; it keeps the data source."""
    return f"{DASHBOARD}{uid(name)}?var-datasource=${{datasource}}"


@dataclass(frozen=True, slots=True)
class Shelf:
    """Panels side by side, with their widths, which fill the grid, and their common height."""

    height: int
    panels: tuple[tuple[int, Panel], ...]

    def __post_init__(self) -> None:
        if sum(width for width, _ in self.panels) != _WIDTH:
            raise ValueError("a shelf is as wide as the grid, so that no corner stays empty")


def shelf(height: int, *panels: Panel, widths: Sequence[int] = ()) -> Shelf:
    """Return a shelf whose panels share the grid evenly unless ``widths`` says otherwise."""
    shares = widths or [_WIDTH // len(panels)] * len(panels)
    for width, panel in zip(shares, panels, strict=True):
        if width < _WIDE and isinstance(panel, timeseries.Panel):
            panel.legend(small_legend())
    return Shelf(height, tuple(zip(shares, panels, strict=True)))


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, and the shelves below it."""

    title: str
    shelves: tuple[Shelf, ...]
    folded: bool = False


def section(title: str, *shelves: Shelf, folded: bool = False) -> Section:
    """Return a section of a dashboard."""
    return Section(title, shelves, folded)


def board(
    name: str,
    title: str,
    description: str,
    q: Promql,
    sections: Sequence[Section],
    *,
    span: str = "now-3h",
    refresh: str = "30s",
    zone: str = "browser",
) -> build.Dashboard:
    """Return a dashboard with a variable for each of ``q``, headed by its missing accounts.

    A section without a title has no heading of its own; a folded one is opened by a click.
    """
    made = build.Dashboard(title).uid(uid(name)).description(description).tags([TAG])
    made.readonly().timezone(zone).time(span, "now").refresh(refresh)
    made.tooltip(model.DashboardCursorSync.CROSSHAIR)
    made.link(
        build.DashboardLink("Contact centre")
        .type(model.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(as_dropdown=False)
        .include_vars(include_vars=True)
        .keep_time(keep_time=True)
    )
    made.with_variable(
        build.DatasourceVariable("datasource")
        .label("Data source")
        .type("prometheus")
        .current(model.VariableOption(text="default", value="default"))
    )
    for label in q.variables:
        made.with_variable(_variable(label, q.variables))
    graphs = (timeseries.Panel, statetimeline.Panel)
    panels = [panel for each in sections for row in each.shelves for _, panel in row.panels]
    for event in events(q) if any(isinstance(panel, graphs) for panel in panels) else ():
        made.annotation(event)
    top, last = 0, 0
    for each in (section("", shelf(_HEAD, _missing(q))), *sections):
        heading = build.Row(each.title).collapsed(each.folded)
        if each.title:
            last += 1
            heading.id(last).grid_pos(model.GridPos(h=1, w=_WIDTH, x=0, y=top))
            top += 1
            if not each.folded:
                made.with_row(heading)
        below = top
        for row in each.shelves:
            left = 0
            for width, panel in row.panels:
                last += 1
                shown = panel.build()
                panel.description(f"{shown.description}{note(name, str(shown.title))}")
                panel.id(last).grid_pos(model.GridPos(h=row.height, w=width, x=left, y=below))
                if each.folded:
                    heading.with_panel(panel)
                else:
                    made.with_panel(panel)
                left += width
            below += row.height
        if each.folded:
            made.with_row(heading)
        else:
            top = below
    return made


def _missing(q: Promql) -> Panel:
    """Return the panel at the head of every dashboard: whose figures are not in the others."""
    panel = number(
        "Accounts",
        "Accounts that have had no current figures for now: their platform does not answer, or no "
        "exporter shows them. What they had is in no other panel. Known are the accounts of the "
        "last day.",
        Query(f"topk({_NAMED}, {q.missing})", "{{account}}", colour=look.CRITICAL),
        Query(f"count({q.missing}) > {_NAMED}", "missing in all", colour=look.CRITICAL),
        Query(
            f"count({q.up} == 1) unless on () count({q.missing})",
            "accounts with current figures, none is missing:",
        ),
    )
    size = common.VizTextDisplayOptions().value_size(_LEGIBLE).title_size(_LEGIBLE)
    gone = look.words({str(value): ("missing", look.CRITICAL) for value in (0, 1)})
    panel.override_by_query(
        "A", [*look.fixed(look.CRITICAL), model.DynamicConfigValue(id_val="mappings", value=[gone])]
    )
    panel.no_value("no exporter has been here for a day").wide_layout(wide_layout=True).text(size)
    return panel


# Where the values of a variable come from, and what they are called.
_SOURCES = {
    "provider": ("Provider", "contactcenter_up"),
    "account": ("Account", "contactcenter_up"),
    "queue": ("Queue", "contactcenter_queue_contacts_waiting"),
    "campaign": ("Campaign", "contactcenter_campaign_state"),
}


def _variable(label: str, choose: Sequence[str]) -> build.QueryVariable:
    """Return a variable whose values are those of what is chosen left of it."""
    heading, metric = _SOURCES[label]
    left = [other for other in choose[: choose.index(label)] if other in ("provider", "account")]
    chosen = ", ".join(f'{other}=~"${other}"' for other in left)
    selected = f"{metric}{{{chosen}}}" if chosen else metric
    source = {
        "qryType": 1,
        "query": f"label_values({selected}, {label})",
        "refId": "PrometheusVariableQueryEditor-VariableQuery",
    }
    return (
        build.QueryVariable(label)
        .label(heading)
        .datasource(DATASOURCE)
        .query(source)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_CASE_INSENSITIVE_ASC)
        .multi(multi=True)
        .include_all(include_all=True)
        .all_value(".*")
        .current(model.VariableOption(selected=True, text=["All"], value=["$__all"]))
    )
