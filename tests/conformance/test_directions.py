"""Directions of campaigns, from the floor through the wire to the page."""

from collections.abc import Mapping

import pytest

from exporter.providers import PROVIDERS
from exporter.simulators.floor.figures import Campaign
from support.account import Account
from support.clock import run
from support.platforms import NAMES, PLATFORMS, platform

SHOWS_INBOUND = ("five9",)  # the others list what is dialled
LISTED = 1200.0  # seconds, after which every feed with campaigns has been read


def direction(campaign: Campaign) -> str:
    return "inbound" if campaign.kind == "inbound" else "outbound"


def shown(account: Account) -> Mapping[str, list[str]]:
    """Return the directions on the page of each campaign that has any series there."""
    directions: dict[str, list[str]] = {}
    for (name, pairs), value in account.page().items():
        labels = dict(pairs)
        if "campaign" in labels:
            known = directions.setdefault(labels["campaign"], [])
            if name == "contactcenter_campaign_info":
                assert value == 1
                known.append(labels["direction"])
    return directions


@pytest.mark.parametrize("provider", NAMES)
def test_every_campaign_has_the_direction_that_the_floor_has(provider: str) -> None:
    """A campaign on the page has one direction, and it is the floor's."""

    async def main() -> None:
        account = Account(provider, **PLATFORMS[provider].everything)
        async with account.signed_in(LISTED):
            assert shown(account) == {
                campaign.name: [direction(campaign)]
                for campaign in account.platform.floor.campaigns.values()
                if provider in SHOWS_INBOUND or direction(campaign) == "outbound"
            }

    run(main())


@pytest.mark.parametrize("mode", ["poll", "subscribe"])
@pytest.mark.parametrize(
    "kind", ["Campaign", "CampaignGroup", "CallingList", "CampaignCallingList"]
)
def test_every_type_of_campaign_objects_is_outbound(kind: str, mode: str) -> None:
    """Campaigns, their groups and their lists are dialled, pushed or polled (Genesys)."""

    async def main() -> None:
        ids = platform("genesys").simulator.objects()[kind]
        account = Account("genesys", mode=mode, objects=[{"type": kind, "ids": ids}])
        async with account.signed_in():
            assert shown(account) == {identity: ["outbound"] for identity in ids}

    run(main())


@pytest.mark.parametrize("provider", NAMES)
def test_an_excluded_campaign_has_no_direction(provider: str) -> None:
    """Filters apply to directions as to all series of a campaign."""

    async def main() -> None:
        account = Account(provider, exclude={"campaigns": ["*"]})
        async with account.signed_in(LISTED):
            assert account.page()
            assert shown(account) == {}

    run(main())


def test_a_campaign_in_tables_of_both_directions_has_none() -> None:
    """Where Five9 lists all campaigns in the statistics of every type, nothing tells them apart."""

    async def main() -> None:
        account = Account("five9", switches={"mixed_campaigns": True})
        async with account.signed_in(LISTED):
            directions = shown(account)
            assert set(directions) == set(account.platform.floor.campaigns)
            assert [*directions.values()] == [[]] * len(directions)

    run(main())


@pytest.mark.parametrize("off", ["InboundCampaignStatistics", "OutboundCampaignStatistics"])
def test_a_campaign_in_no_table_that_tells_it_has_no_direction(off: str) -> None:
    """Without the feed of their direction campaigns have a state, and no direction."""

    async def main() -> None:
        account = Account("five9", feeds={off: False, "OutboundCampaignManager": False})
        kind = off.removesuffix("CampaignStatistics").lower()
        async with account.signed_in(LISTED):
            assert shown(account) == {
                campaign.name: [] if campaign.kind == kind else [direction(campaign)]
                for campaign in account.platform.floor.campaigns.values()
            }

    run(main())


@pytest.mark.parametrize("provider", NAMES)
def test_tables_of_campaigns_tell_a_direction(provider: str) -> None:
    """Only the states of all Five9 campaigns come from a table without a direction."""
    tables = [x for x in PROVIDERS[provider].tables if x.subject == "campaign"]

    assert [x.name for x in tables if x.direction is None] == (
        ["CampaignState"] if provider == "five9" else []
    )
