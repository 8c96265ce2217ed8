"""What is a statistic of a campaign or a campaign group? Its present status and processed leads."""

from collections.abc import Callable

from exporter.simulators.floor.figures import WINDOW_MINUTES, Campaign, CampaignTotals
from exporter.simulators.genesys.agents import Compute
from exporter.simulators.genesys.definitions import CAMPAIGN_ACTIONS, Definition, RefusedError
from exporter.simulators.genesys.world import World

_STATUSES = {
    "running": "StatusRunning",
    "starting": "StatusActivated",  # loaded, and does not dial
    "stopping": "StatusActivated",
    "stopped": "StatusDeactivated",
    "resetting": "StatusDeactivated",
}
_MODES = {("outbound", "predictive"): "Predict", ("outbound", "preview"): "Preview"}
_AUTODIAL = "PowerGVP"  # no agent is in these calls
_UNCOUNTED = frozenset(["CallbackScheduled", "CallbackCompleted"])


def campaign_actions(campaign: Campaign) -> tuple[str, ...]:
    """Return what a campaign does now; ports never run short, and nothing fails, on the floor."""
    status = _STATUSES[campaign.state]
    if status != "StatusRunning":
        return status, "NoDial"
    doing = [status, _MODES.get((campaign.kind, campaign.mode), _AUTODIAL)]
    if campaign.records.available + campaign.records.asap == 0:
        doing.append("StatusWaitingRecords")
    if campaign.kind == "outbound" and not campaign.idle:
        doing.append("StatusWaitingAgents")
    return tuple(doing)


def compile_campaign(
    world: World, definition: Definition, campaign: Callable[[], Campaign]
) -> Compute:
    """Return what evaluates a number of a campaign; raises ``RefusedError``."""
    main, category = definition.main, definition.category
    foreign = (main.named | main.without) - CAMPAIGN_ACTIONS
    if foreign or definition.subject != "CampaignAction":
        raise RefusedError("Campaigns know campaign actions alone")
    if category == "CurrentNumber" and main.named.isdisjoint({"LeadProcessed", *_UNCOUNTED}):
        return lambda: int(main.meets(campaign_actions(campaign())))
    if category == "CurrentTime" and main.named and main.named <= set(_STATUSES.values()):

        def since() -> float:
            found = campaign()
            meant = _STATUSES[found.state] in main
            return float(int(world.floor.now - found.since)) if meant else 0.0

        return since
    if category == "TotalNumber" and main.named == {"LeadProcessed"}:
        return _processed(world, definition.window, campaign)
    raise RefusedError(f"Category {category} is not supported for campaigns with this mask")


def _processed(world: World, window: float | None, campaign: Callable[[], Campaign]) -> Compute:
    """Count dials and records that came out, those that are to be dialled again too.

    The floor has clock minutes for a sliding window, of three hours at most.
    """
    if window is not None and window > WINDOW_MINUTES * 60.0:
        raise RefusedError("The sliding window is too long")

    def totals(name: str) -> CampaignTotals:
        if window is None:
            return world.floor.campaigns[name].day
        return world.floor.campaign_window(name, window)

    def processed() -> int:
        name = campaign().name
        return world.once(f"totals {window}", name, lambda: totals(name)).dispositioned

    return processed
