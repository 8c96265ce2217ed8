"""Answers that explode, of every platform: they cost the refreshes they came with, and no more."""

from collections import Counter

import pytest

from support.account import Account
from support.clock import run
from support.platforms import NAMES
from support.quick import first

# Sent instead of every answer with figures; what is packed would take gigabytes.
KINDS = [
    *("bomb:small:120:gzip", "bomb:fault:60:gzip", "bomb:deep:40:gzip", "bomb:text:40:gzip"),
    *("bomb:keys:12:deflate", "bomb:digits:40:gzip", "bomb:spaces:30", "bomb:entities:30:gzip"),
    *("bomb:small:40", "bomb:small:2:twice", "bomb:small:1:br", "bomb:keys:40"),
]


@pytest.mark.parametrize("kind", first(1, KINDS))
@pytest.mark.parametrize("provider", NAMES)
def test_a_bomb_costs_its_refresh(provider: str, kind: str) -> None:
    """While answers explode the feeds fail with a reason; then all figures are back."""

    async def main() -> None:
        account = Account(provider)
        async with account.signed_in():
            queues = account.waiting()
            for target in account.platform.live_targets:
                account.platform.simulator.fail_next(kind, 50, target)
            await account.wait(100)
            account.platform.simulator.fail_no_more()
            outcomes = Counter(
                sample.labels["outcome"]
                for family in account.telemetry.registry.collect()
                for sample in family.samples
                if sample.name == "contactcenter_feed_refreshes_total" and sample.value
            )
            assert outcomes.keys() - {"ok", "skipped", "empty"}
            assert "internal" not in outcomes
            await account.wait(420)
            assert account.metric("up") == 1
            assert account.waiting() == queues

    run(main())
