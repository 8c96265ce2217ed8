"""Arrivals of contacts, and their admission by the queue's campaign."""

from random import Random

from exporter.simulators.floor.figures import Campaign, Queue, Registry
from exporter.simulators.floor.routing import Router
from exporter.simulators.floor.timing import HOUR, Calendar, busyness

_PEAK_PER_AGENT = 8.0 / HOUR  # contacts per second and agent in the busiest hour, at load 1
_LOOK_AGAIN = 300.0  # seconds between draws of a quiet queue
_CALLBACK_LINE = 4  # contacts in the line from which on some ask to be called back
_CALLBACK_SHARE = 0.08
_IVR_ERROR_SHARE = 0.02


class Arrivals:
    """Brings contacts to the queues, more by day than at night.

    An event planned for a queue carries the queue's ``plan`` and is void once that has changed.
    """

    def __init__(
        self, registry: Registry, router: Router, calendar: Calendar, rng: Random, load: float
    ) -> None:
        self.load = load
        self._registry = registry
        self._clock = registry.clock
        self._router = router
        self._calendar = calendar
        self._rng = rng
        self._weight = 1.0

    def weigh(self) -> None:
        """Share the load anew after a queue was added or removed."""
        self._weight = sum(queue.weight for queue in self._registry.queues.values())

    def set_load(self, factor: float) -> None:
        """Scale the arrivals from now on."""
        self.load = factor
        for queue in self._registry.queues.values():
            self.plan(queue)

    def plan(self, queue: Queue) -> None:
        """Schedule the next contact of a queue, or a new draw if that is far off."""
        queue.plan += 1
        rate = self._rate(queue)
        gap = self._rng.expovariate(rate) if rate > 0 else _LOOK_AGAIN
        if gap < _LOOK_AGAIN:
            self._clock.after(gap, self._arrive, queue, queue.plan)
        else:
            self._clock.after(_LOOK_AGAIN, self._look_again, queue, queue.plan)

    def force(self, queue: Queue) -> None:
        """Let a contact arrive now, even if the queue's campaign does not run."""
        campaign = self._campaign_of(queue)
        if campaign is not None:
            campaign.life.offered += 1
            campaign.life.ivr_success += 1
        self._router.join(queue)

    def _rate(self, queue: Queue) -> float:
        """Return the contacts per second of a queue; the staff shares one load by its weight."""
        peak = _PEAK_PER_AGENT * len(self._registry.agents) * queue.weight / self._weight
        return self.load * peak * busyness(self._calendar.hour(self._clock.now))

    def _look_again(self, queue: Queue, plan: int) -> None:
        if queue.plan == plan:
            self.plan(queue)

    def _arrive(self, queue: Queue, plan: int) -> None:
        if queue.plan != plan:
            return
        if self._admit(queue):
            self._router.join(queue)
        self.plan(queue)

    def _admit(self, queue: Queue) -> bool:
        """Return whether a contact joins the queue: not if its campaign is closed or calls back."""
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
        return None if queue.campaign is None else self._registry.campaigns[queue.campaign]
