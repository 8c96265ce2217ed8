"""The dashboards, each a module of its own."""

from collections.abc import Callable
from typing import Final

from grafana_foundation_sdk.builders.dashboard import Dashboard

from boards.agents import agents
from boards.campaigns import campaigns
from boards.health import health
from boards.overview import overview
from boards.queues import queues
from boards.wallboard import wallboard

BOARDS: Final[dict[str, Callable[[], Dashboard]]] = {
    "overview": overview,
    "queues": queues,
    "wallboard": wallboard,
    "agents": agents,
    "campaigns": campaigns,
    "exporter": health,
}
