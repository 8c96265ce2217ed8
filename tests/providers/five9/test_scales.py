"""Scales of Five9's shares from end to end: each share on the page is the floor's."""

from typing import Any

import pytest

from exporter.simulators.floor.floor import Floor
from support.clock import MIDNIGHT
from support.five9 import Centre
from support.page import Series
from support.quick import first

pytestmark = pytest.mark.anyio

CAMPAIGNS = "InboundCampaignStatistics"
MORNING = MIDNIGHT + 9 * 3600


class Shares(Centre):
    """A domain whose shares are compared."""

    def truth(self, feed: str) -> dict[Series, float]:
        found: dict[Series, float] = {}
        window = {"window": "day"}
        for campaign in self.floor.campaigns.values() if feed == CAMPAIGNS else ():
            day, labels = campaign.day, {"campaign": campaign.name, **window}
            whole = day.connected + day.abandoned
            for name, part, total in (
                ("campaign_abandoned_ratio", day.abandoned, whole),
                ("campaign_service_level_ratio", day.within_threshold, whole),
                ("campaign_talk_level_ratio", day.handled, day.connected),
            ):
                found[self.own(name, **labels)] = part / total if total else 0.0
        return found

    def check(self) -> list[str]:
        """Return the names of the shares on the page; those of campaigns are the floor's."""
        _, truth = self.noted[CAMPAIGNS]
        names = []
        for key, value in self.page().items():
            name = key[0].removeprefix("contactcenter_")
            if name.endswith("_ratio") and "objective" not in name:
                names.append(name)
                if name.startswith("campaign_") and key in truth:
                    assert value == pytest.approx(truth[key], abs=0.011), key
                assert 0 <= value <= 1
        return names


def shares(style: str, **switches: Any) -> Shares:
    """Return an exporter of a domain that has been open for an hour."""
    floor = Floor(agents=12, queues=6, campaigns=6, seed=3, start=MORNING - 3600)
    floor.advance(MORNING)
    switches = {"share_style": style, **switches}
    feeds = {name: {"interval": "1m"} for name in (CAMPAIGNS, "AgentStatistics")}
    return Shares(start=MORNING, floor=floor, switches=switches, agents="id", feeds=feeds)


@pytest.mark.parametrize("digits", first(2, [None, 0, 6]))
@pytest.mark.parametrize("cut", first(1, [False, True]))
@pytest.mark.parametrize("style", ["signed", "percent", "fraction"])
async def test_every_scale(style: str, cut: bool, digits: int | None) -> None:
    """Each share of a campaign is the floor's or absent, in every style, rounded or cut off."""
    if (style, digits) == ("fraction", 0):
        digits = 3  # without digits all are 0 or 1
    centre = shares(style, share_cut=cut, share_digits=digits)
    async with centre.running(MORNING + 300):
        names = centre.check()
    assert names.count("campaign_abandoned_ratio") > 0
    if style != "fraction":
        assert "agent_occupancy_ratio" in names


async def test_each_column_on_its_own_scale() -> None:
    """Columns do not share a scale."""
    styles = {"Abandon Call Rate": "percent", "Service Level Queue": "fraction"}
    centre = shares("signed", share_styles=styles)
    async with centre.running(MORNING + 300):
        names = centre.check()
    assert {name for name in names if name.startswith("campaign_")} == {
        "campaign_abandoned_ratio",
        "campaign_service_level_ratio",
        "campaign_talk_level_ratio",
    }
