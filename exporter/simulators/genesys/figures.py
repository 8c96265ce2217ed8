"""What is the value of a statistic now? Evaluated once for an instant, however many ask."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from exporter.simulators.genesys.agents import compile_agents
from exporter.simulators.genesys.campaigns import compile_campaign
from exporter.simulators.genesys.definitions import (
    OBJECT_TYPES,
    QUEUE_ACTIONS,
    Definition,
    RefusedError,
)
from exporter.simulators.genesys.queues import compile_queues
from exporter.simulators.genesys.states import agent_state, group_state, speller
from exporter.simulators.genesys.world import GoneError, World

_FIGURES = 100_000  # remembered evaluations; with more, all are made anew
_QUEUES = ("Queue", "RoutePoint", "GroupQueues")
_CAMPAIGNS = ("Campaign", "CampaignGroup")


@dataclass(slots=True, eq=False)
class Figure:
    """One definition at one object. A tree stays the same object for as long as nothing changes."""

    compute: Callable[[], Any]
    version: Callable[[], Any] | None  # what a tree depends on; a number is always made anew
    is_state: bool = False
    instant: float = -1.0
    seen: Any = None
    value: Any = None


class Figures:
    """Every statistic that somebody has asked for."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._figures: dict[tuple[Definition, str, str, str], Figure] = {}

    def find(
        self, definition: Definition, object_type: str, object_id: str, spelling: str
    ) -> Figure:
        """Return the figure; raises ``RefusedError`` where it cannot be evaluated."""
        key = (definition, object_type, object_id, spelling)
        figure = self._figures.get(key)
        if figure is None:
            if len(self._figures) >= _FIGURES:
                self._figures.clear()
            figure = self._make(definition, object_type, object_id, spelling)
            self._figures[key] = figure
        try:
            self.value(figure)
        except GoneError:
            raise RefusedError(f"Object {object_id} of type {object_type} not found") from None
        return figure

    def value(self, figure: Figure) -> Any:
        """Return the value at this instant; raises ``GoneError``."""
        now = self._world.floor.now
        if figure.instant != now:
            version = None if figure.version is None else figure.version()
            if version is None or version != figure.seen:
                figure.value = figure.compute()
                figure.seen = version
            figure.instant = now
        return figure.value

    def _make(
        self, definition: Definition, object_type: str, object_id: str, spelling: str
    ) -> Figure:
        if object_type not in OBJECT_TYPES:
            raise RefusedError(f"Unknown objectType {object_type}")
        world, category = self._world, definition.category
        at_queue = object_type == "GroupAgents" and (
            category in ("ServiceFactor1", "EstimWaitTime", "EstimWaitingTime", "ExpectedWaitTime2")
            or (bool(definition.main.named) and definition.main.named <= QUEUE_ACTIONS)
        )
        if object_type in _CAMPAIGNS:
            return Figure(
                compile_campaign(world, definition, lambda: world.campaign(object_type, object_id)),
                None,
            )
        if definition.subject == "CampaignAction":
            raise RefusedError(f"Subject CampaignAction is not for {object_type}")
        if object_type in _QUEUES or at_queue:
            return Figure(
                compile_queues(world, definition, lambda: world.queues(object_type, object_id)),
                None,
            )
        if object_type == "Agent":
            return self._agent(definition, object_id, spelling)
        if object_type == "GroupAgents":
            return self._group(definition, object_id, spelling)
        raise RefusedError(f"Object {object_id} of type {object_type} not found")

    def _agent(self, definition: Definition, name: str, spelling: str) -> Figure:
        world = self._world
        if definition.subject == "GroupStatus":
            raise RefusedError("Subject GroupStatus is not for Agent")
        if definition.category != "CurrentState":
            compute = compile_agents(world, definition, lambda: (world.agent(name),), None)
            return Figure(compute, None)
        spell = speller(spelling)

        def version() -> tuple[int, int]:
            agent = world.agent(name)
            return agent.id, agent.turn

        def tree() -> dict[str, Any]:
            return agent_state(world.agent(name), definition.subject, spell)

        return Figure(tree, version, is_state=True)

    def _group(self, definition: Definition, name: str, spelling: str) -> Figure:
        world = self._world
        if definition.category != "CurrentState":
            return Figure(
                compile_agents(world, definition, lambda: world.members(name), name), None
            )
        spell = speller(spelling)

        def version() -> list[tuple[int, int]]:
            return [(agent.id, agent.turn) for agent in world.members(name)]

        def tree() -> dict[str, Any]:
            return group_state(name, world.members(name), definition.subject, spell)

        return Figure(tree, version, is_state=True)
