"""Every account from sign-in to sign-out, and while its platform fails."""

from collections import Counter
from typing import Any

import pytest

from exporter.providers import MODELS
from support.account import LIVE, Account
from support.clock import run
from support.platforms import NAMES, PLATFORMS, platform
from support.quick import first

GONE = 1800.0  # seconds after which no live figure of a platform that is away may be shown
UNDER_WAY = 2.0  # seconds in which an answer can still come that was under way, and be published
MINUTES = 200.0  # seconds after which an account is down whose platform is away
MOST_REQUESTS = 60  # a minute, of an account whose sessions die
BACK = 420.0  # seconds: the longest back-off of a session, and a refresh


@pytest.mark.parametrize("provider", NAMES)
def test_an_account_is_up_and_leaves_nothing_behind(provider: str) -> None:
    """An account shows its queues while it runs; stopped, it holds nothing at its platform."""

    async def main() -> None:
        account = Account(provider)
        async with account.signed_in():
            assert account.metric("up") == 1
            assert account.waiting() >= 3
            assert account.metric("session_signins_total", outcome="ok") == 1
        assert not account.platform.left_behind()

    run(main())


@pytest.mark.parametrize("provider", NAMES)
def test_rejected_credentials_are_tried_once(provider: str) -> None:
    """Rejected credentials mean one sign-in, no figure, and a pause of ``auth_retry``."""

    async def main() -> None:
        options = {
            name: value
            for name, value in platform(provider).wrong.items()
            if name in platform(provider).options
        }
        account = Account(provider, **options)
        async with account.signed_in(800):
            assert account.metric("up") == 0
            assert account.metric("session_signins_total", outcome="auth") == 1
            assert account.page() == {}
            await account.wait(150)
            assert account.metric("session_signins_total", outcome="auth") == 2

    run(main())


@pytest.mark.parametrize("kind", first(2, ["html503", "cut", "html502", "garbage", "reset"]))
@pytest.mark.parametrize("provider", NAMES)
def test_one_bad_answer_costs_little(provider: str, kind: str) -> None:
    """After one answer that cannot be used, all figures are there again."""

    async def main() -> None:
        account = Account(provider)
        async with account.signed_in():
            queues = account.waiting()
            account.platform.simulator.fail_next(kind)
            await account.wait(LIVE)
            assert account.waiting() == queues
            assert account.metric("up") == 1

    run(main())


@pytest.mark.parametrize("provider", NAMES)
def test_a_platform_that_is_away_shows_nothing(provider: str) -> None:
    """Figures leave the page while a platform cannot be reached, and come back with it."""

    async def main() -> None:
        account = Account(provider)
        async with account.signed_in():
            queues = account.waiting()
            account.line.is_cut = True
            await account.wait(GONE)
            assert account.waiting() == 0
            account.line.is_cut = False
            await account.wait(BACK)
            assert account.waiting() == queues
            assert account.metric("up") == 1

    run(main())


@pytest.mark.parametrize("provider", NAMES)
def test_the_live_feeds_of_a_platform(provider: str) -> None:
    """Exactly the feeds with figures of what queues, agents or campaigns do are live."""

    async def main() -> None:
        account = Account(provider, **PLATFORMS[provider].everything)
        live = {feed.name for feed in account.collector.feeds if feed.is_live}
        assert live == PLATFORMS[provider].live_feeds

    run(main())


@pytest.mark.parametrize("provider", NAMES)
def test_a_blind_account_is_down(provider: str) -> None:
    """An account without live figures is down while its other feeds work, and comes back."""

    async def main() -> None:
        account = Account(provider, **PLATFORMS[provider].everything)
        async with account.signed_in(BACK):
            others = [feed.name for feed in account.collector.feeds if not feed.is_live]
            for target in account.platform.live_targets:
                account.platform.simulator.fail_next("html503", 10**9, target)
            await account.wait(account.live_for + UNDER_WAY)
            assert account.metric("up") == 0
            assert not account.refresher.status().up
            assert [account.metric("feed_up", feed=feed) for feed in others] == [1] * len(others)
            account.platform.simulator.fail_no_more()
            await account.wait(BACK)
            assert account.metric("up") == 1
            assert account.refresher.status().up

    run(main())


@pytest.mark.parametrize("provider", NAMES)
def test_an_account_is_up_while_it_has_live_figures(provider: str) -> None:
    """Where a platform is cut off, the account goes down with its last live figure."""

    async def main() -> None:
        account = Account(provider)
        async with account.signed_in():
            live = [feed.name for feed in account.collector.feeds if feed.is_live]
            account.line.is_cut = True
            cut_at = account.clock.monotonic()
            while account.metric("up"):
                latest = [account.store.latest("acme", feed) for feed in live]
                now = account.clock.monotonic()
                assert any(snapshot and snapshot.expires_at > now for snapshot in latest)
                await account.wait(1)
            assert account.clock.monotonic() - cut_at <= account.live_for + UNDER_WAY
            account.line.is_cut = False
            await account.wait(BACK)
            assert account.metric("up") == 1

    run(main())


@pytest.mark.parametrize("failure", first(2, ["refused", "rejected", "hang", "html503"]))
@pytest.mark.parametrize(  # the second is just after slow feeds were read
    "cut_after", [pytest.param(LIVE, marks=pytest.mark.slow), 901.0]
)
@pytest.mark.parametrize(
    ("provider", "options"),
    [(x, {**PLATFORMS[x].everything}) for x in NAMES] + [("genesys", {"mode": "poll"})],
)
def test_an_account_goes_down_within_minutes(
    provider: str, options: dict[str, Any], cut_after: float, failure: str
) -> None:
    """Where a platform is away, its account is down within minutes, whatever feeds are slow."""

    async def main() -> None:
        account = Account(provider, **options)
        async with account.signed_in(cut_after):
            assert account.metric("up") == 1
            if failure == "refused":
                account.line.is_cut = True
            elif failure == "rejected":
                account.platform.reject()
            else:
                account.platform.simulator.fail_next(failure, 10**9)
            await account.wait(MINUTES)
            for _ in range(5):
                assert account.metric("up") == 0
                await account.wait(120)

    run(main())


@pytest.mark.parametrize(
    ("provider", "feed"), [(x, feed) for x in NAMES for feed in sorted(PLATFORMS[x].live_feeds)]
)
def test_an_account_with_one_live_feed_does_not_flap(provider: str, feed: str) -> None:
    """An account with a single live feed is up between its refreshes, however slow it is."""

    async def main() -> None:
        feeds = dict.fromkeys(PLATFORMS[provider].live_feeds, False) | {feed: {}}
        account = Account(provider, **{**PLATFORMS[provider].everything, "feeds": feeds})
        async with account.signed_in():
            (interval,) = (x.times.interval for x in account.collector.feeds if x.name == feed)
            for _ in range(20):  # a report takes minutes, and outbound campaigns start later
                await account.wait(0 if account.metric("up") else 60)
            for _ in range(60):
                assert account.metric("up") == 1
                await account.wait(max(interval / 10, 1))
            assert account.metric("feed_refreshes_total", feed=feed, outcome="ok") >= 5

    run(main())


@pytest.mark.parametrize(
    ("provider", "slow", "target"),
    [("brightpattern", "campaigns", "*/data"), ("voximplant", "call_lists", "Get[AS]*")],
)
def test_an_account_with_one_working_feed_is_up(provider: str, slow: str, target: str) -> None:
    """Where all quick feeds fail for good, the slow one is read early and keeps the account up."""

    async def main() -> None:
        account = Account(provider)
        async with account.signed_in(BACK):
            account.platform.simulator.fail_next("html503", 10**9, target)
            read = account.metric("feed_refreshes_total", feed=slow, outcome="ok")
            assert read is not None
            (interval,) = (x.times.interval for x in account.collector.feeds if x.name == slow)
            for _ in range(200):
                assert account.metric("up") == 1
                await account.wait(interval / 50)
            again = account.metric("feed_refreshes_total", feed=slow, outcome="ok")
            assert again is not None
            assert 4 <= again - read <= 5, "once ahead of its schedule"

    run(main())


@pytest.mark.parametrize(
    "provider", [x for x in NAMES if MODELS[x].INTERVALS.keys() - PLATFORMS[x].live_feeds]
)
def test_an_account_without_live_feeds_is_up(provider: str) -> None:
    """Where every live feed is disabled, the other feeds decide."""

    async def main() -> None:
        account = Account(provider, feeds=dict.fromkeys(PLATFORMS[provider].live_feeds, False))
        async with account.signed_in():
            assert account.metric("up") == 1
            account.line.is_cut = True
            stale = max(feed.times.stale_after for feed in account.collector.feeds)
            await account.wait(stale)
            assert account.metric("up") == 0
            account.line.is_cut = False
            await account.wait(4000)  # an hourly feed is read again
            assert account.metric("up") == 1

    run(main())


@pytest.mark.parametrize("provider", NAMES)
def test_a_silent_platform_stays_up(provider: str) -> None:
    """Where nothing happens on a platform that answers, its figures are fresh all the same."""

    async def main() -> None:
        account = Account(provider)
        async with account.signed_in():
            account.platform.simulator.tick = None
            for _ in range(30):
                await account.wait(20)
                assert account.metric("up") == 1

    run(main())


@pytest.mark.parametrize("kind", first(1, ["html429", "slow:5", "code:340", "hang"]))
def test_overdue_feeds_are_not_read_twice_in_a_row(kind: str) -> None:
    """After a pause of the account no request equals one of the second before it.

    Voximplant refuses what looks like a request that was sent twice (code 484).
    """
    feeds = {"state": {"interval": "2s"}, "operators": {"interval": "4s"}, "queues": False}

    async def main() -> None:
        account = Account("voximplant", switches={"resend_seconds": 0.95}, feeds=feeds)
        async with account.signed_in():
            for turn in range(24):
                account.platform.simulator.fail_next(kind, target="GetACDState")
                await account.wait(40 + turn / 7)
        outcomes = [record.outcome for record in account.platform.simulator.log]
        assert outcomes.count("484") == 0
        assert len(outcomes) > 300

    run(main())


@pytest.mark.parametrize(
    ("provider", "kind", "target", "every"),
    [
        parameter
        for name in NAMES
        for parameter in first(1, [(name, *dying) for dying in PLATFORMS[name].dying])
    ],
)
def test_sessions_that_die_are_not_renewed_all_the_time(
    provider: str, kind: str, target: str, every: int
) -> None:
    """Where each session dies at once, after five minutes one sign-in a minute is made at most.

    The same is true of the handshakes of a session, and of opening everything anew.
    """

    async def main() -> None:
        account = Account(provider)
        simulator = account.platform.simulator
        async with account.signed_in():
            simulator.fail_next(kind, 10**9, target, every=every)
            begin = account.clock.time() + 300
            await account.wait(1800)
            names = (account.platform.sign_in, "/meta/handshake", "POST */subscription")
            requests = [(x.start - begin, vars(x)) for x in simulator.log if x.start >= begin]
            minutes = Counter(
                (int(at // 60), name) for at, record in requests for name in _names(record, names)
            )
            assert not [(key, number) for key, number in minutes.items() if number > 1]
            rates = Counter(int(at // 60) for at, _ in requests)
            assert max(rates.values(), default=0) <= MOST_REQUESTS
            simulator.fail_no_more()
            await account.wait(BACK)
            assert account.metric("up") == 1
            assert account.waiting() >= 3

    run(main())


def _names(record: dict[str, Any], names: tuple[str, ...]) -> list[str]:
    """Return what a request is named by, of ``names``."""
    own = {record.get("operation"), record.get("path"), *record.get("channels", ())}
    if record.get("method") == "POST" and str(record.get("path")).endswith("/subscription"):
        own.add("POST */subscription")
    return [name for name in names if name in own]
