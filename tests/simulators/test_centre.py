import pytest

from exporter.metrics.tables import Direction
from exporter.simulators.centre import Centre, Size
from support.clock import MIDNIGHT, VirtualClock


@pytest.mark.parametrize("hour", [0, 9, 11, 17, 23])
def test_objectives_of_the_demo(hour: int) -> None:
    """Whenever the demo is started, one queue has closed, the rest is open, and all items match."""
    centre = Centre(Size(agents=2), VirtualClock(MIDNIGHT + 3600 * hour + 1234))
    objectives = centre.config("http://127.0.0.1:9001").objectives.items
    names = {"queue": centre.floor.queues, "campaign": centre.floor.campaigns}
    directions: dict[str, Direction] = {
        name: "inbound" if campaign.kind == "inbound" else "outbound"
        for name, campaign in centre.floor.campaigns.items()
    }
    is_open = {}
    for objective in objectives:
        matching = [
            name
            for name in names[objective.subject]
            if objective.matches(name, direction=directions.get(name))
        ]
        assert matching, objective.place
        assert objective.hours is not None
        for name in matching:
            is_open.setdefault(name, objective.hours.open_at(MIDNIGHT + 3600 * hour + 1234))

    assert [name for name, value in is_open.items() if not value] == ["Claims"]
    assert set(is_open) == {*centre.floor.queues, *centre.floor.campaigns}
