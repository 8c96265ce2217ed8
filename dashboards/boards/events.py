"""Events that every graph shows as vertical lines: alerts, opening hours, reloads."""

from dataclasses import dataclass

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as model

from boards import look
from boards.panels import DATASOURCE
from boards.promql import ALERTS, Promql, by, total

_STEP = "1m"  # between the values that Grafana asks for; adjacent ones become one event
_RELOADED = "contactcenter_exporter_config_last_reload_success_timestamp_seconds"


class _Annotation(model.AnnotationQuery):
    """An annotation; ``more`` are the fields that Grafana's Prometheus data source adds."""

    more: dict[str, object]

    def to_json(self) -> dict[str, object]:
        return {**super().to_json(), **self.more}


@dataclass(frozen=True)
class Event(Builder[model.AnnotationQuery]):
    """A query of which every value over zero is an event, with its title and colour.

    ``tags`` are labels; ``shown`` is whether it is switched on when a dashboard is opened. If
    ``timed``, the value itself is the time of the event, in milliseconds.
    """

    name: str
    expression: str
    title: str
    colour: str
    tags: tuple[str, ...] = ()
    shown: bool = True
    timed: bool = False

    def build(self) -> model.AnnotationQuery:
        """Return the annotation."""
        annotation = _Annotation(
            name=self.name,
            datasource=DATASOURCE,
            enable=self.shown,
            icon_color=self.colour,
            expr=self.expression,
        )
        annotation.more = {
            "step": _STEP,
            "titleFormat": self.title,
            "tagKeys": ",".join(self.tags),
            "useValueForTime": "on" if self.timed else False,
        }
        return annotation


def events(q: Promql) -> list[Event]:
    """Return the events of a dashboard; an account has one of each, however many its queues."""
    chosen = 'provider=~"$provider|", account=~"$account|"'
    alert = by("alertname", "severity")
    queues = total(q.figure("queue_open", "queue"))
    before = total(q.figure("queue_open", "queue", ago=_STEP))
    same = f"and on ({by()})"
    return [
        Event(
            "Critical alerts",
            f'max by ({alert}) ({ALERTS}, severity="critical", {chosen}}})',
            "{{alertname}}",
            look.CRITICAL,
            ("severity", "account"),
        ),
        Event(
            "Other alerts",
            f'max by ({alert}) ({ALERTS}, severity!="critical", {chosen}}})',
            "{{alertname}}",
            look.WARNING_LINE,
            ("severity", "account"),
            shown=False,
        ),
        Event(
            "Openings",
            f"({queues} > 0) {same} ({before} == 0)",
            "first queue of {{account}} opens",
            look.GREEN,
        ),
        Event(
            "Closings",
            f"({queues} == 0) + 1 {same} ({before} > 0)",
            "last queue of {{account}} closes",
            look.GREY,
        ),
        Event(
            "Reloads",
            f"1000 * max by (instance) ({_RELOADED})",
            "configuration of {{instance}} loaded",
            look.BLUE,
            timed=True,
        ),
    ]
