"""Frame of every dashboard: identity, variables, links to the others, grid."""

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.models import dashboard as model

from boards.panels import DATASOURCE, Panel, small_legend

TAG = "contactcenter"
_WIDTH, _WIDE = 24, 12  # columns of the grid; from so many on, a legend stands beside its lines


def uid(name: str) -> str:
    """Return the fixed uid of a dashboard."""
    return f"{TAG}-{name}"


def link(name: str) -> str:
    """Return the address of a dashboard, ready for variables; it keeps the data source."""
    return f"/d/{uid(name)}?var-datasource=${{datasource}}"


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


def section(title: str, *shelves: Shelf) -> Section:
    """Return a section of a dashboard."""
    return Section(title, shelves)


def board(
    name: str,
    title: str,
    description: str,
    sections: Sequence[Section],
    *,
    choose: Sequence[str] = ("provider", "account"),
    span: str = "now-3h",
    refresh: str = "30s",
) -> build.Dashboard:
    """Return a dashboard; a section without a title has no heading of its own."""
    made = build.Dashboard(title).uid(uid(name)).description(description).tags([TAG])
    made.readonly().timezone("browser").time(span, "now").refresh(refresh)
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
    for label in choose:
        made.with_variable(_variable(label, choose))
    top, number = 0, 0
    for each in sections:
        if each.title:
            number += 1
            place = model.GridPos(h=1, w=_WIDTH, x=0, y=top)
            made.with_row(build.Row(each.title).id(number).grid_pos(place))
            top += 1
        for row in each.shelves:
            left = 0
            for width, panel in row.panels:
                number += 1
                place = model.GridPos(h=row.height, w=width, x=left, y=top)
                made.with_panel(panel.id(number).grid_pos(place))
                left += width
            top += row.height
    return made


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
