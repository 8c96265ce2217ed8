"""Who calls when: contacts arrive, and their campaign lets them in or not."""

from random import Random

from exporter.simulators.floor.campaigns import Campaign
from exporter.simulators.floor.desk import Desk
from exporter.simulators.floor.figures import House
from exporter.simulators.floor.queues import Queue
from exporter.simulators.floor.rhythm import HOUR, Calendar, busyness

_PEAK_PER_AGENT = 8.0 / HOUR  # contacts per second and agent in the busiest hour, at load 1
_LOOK_AGAIN = 300.0  # a quiet queue asks this often whether it has become busier
_CALLBACK_LINE = 4  # so many in the line, and some ask to be called back
_CALLBACK_SHARE = 0.08
_IVR_ERROR_SHARE = 0.02


class Arrivals:
    """Brings contacts to the queues of one house, more by day than at night.

    What is planned for a queue carries its ``plan``, and is void once that has moved on.
    """

    def __init__(
        self, house: House, desk: Desk, calendar: Calendar, rng: Random, load: float
    ) -> None:
        self.load = load
        self._house = house
        self._clock = house.clock
        self._desk = desk
        self._calendar = calendar
        self._rng = rng
        self._weight = 1.0

    def weigh(self) -> None:
        """Share the load anew: queues have come or gone."""
        self._weight = sum(queue.weight for queue in self._house.queues.values())

    def set_load(self, factor: float) -> None:
        """Scale the arrivals from now on."""
        self.load = factor
        for queue in self._house.queues.values():
            self.plan(queue)

    def plan(self, queue: Queue) -> None:
        """Plan the next contact of a queue, or a second look if that is far off."""
        queue.plan += 1
        rate = self._rate(queue)
        gap = self._rng.expovariate(rate) if rate > 0 else _LOOK_AGAIN
        if gap < _LOOK_AGAIN:
            self._clock.after(gap, self._arrive, queue, queue.plan)
        else:
            self._clock.after(_LOOK_AGAIN, self._look_again, queue, queue.plan)

    def force(self, queue: Queue) -> None:
        """Let a contact arrive now, whether or not the queue's campaign runs."""
        campaign = self._campaign_of(queue)
        if campaign is not None:
            campaign.life.offered += 1
            campaign.life.ivr_success += 1
        self._desk.join(queue)

    def _rate(self, queue: Queue) -> float:
        """Return the contacts per second of a queue; the staff shares one load by its weight."""
        peak = _PEAK_PER_AGENT * len(self._house.agents) * queue.weight / self._weight
        return self.load * peak * busyness(self._calendar.hour(self._clock.now))

    def _look_again(self, queue: Queue, plan: int) -> None:
        if queue.plan == plan:
            self.plan(queue)

    def _arrive(self, queue: Queue, plan: int) -> None:
        if queue.plan != plan:
            return
        if self._admit(queue):
            self._desk.join(queue)
        self.plan(queue)

    def _admit(self, queue: Queue) -> bool:
        """Let the campaign look at a contact first: closed, or called back, it never waits."""
        campaign = self._campaign_of(queue)
        if campaign is None:
            return True
        life = campaign.life
        life.offered += 1
        if campaign.state != "running":
            life.rejected += 1
            return False
        failed = self._rng.random() < _IVR_ERROR_SHARE
        life.ivr_error += failed
        life.ivr_success += not failed
        crowded = queue.media == "voice" and len(queue.line) >= _CALLBACK_LINE
        if crowded and self._rng.random() < _CALLBACK_SHARE:
            life.callbacks += 1
            queue.callbacks_waiting += 1
            return False
        return True

    def _campaign_of(self, queue: Queue) -> Campaign | None:
        return None if queue.campaign is None else self._house.campaigns[queue.campaign]
