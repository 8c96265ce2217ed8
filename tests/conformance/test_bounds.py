"""What a platform can name without end, of every platform: cookies, names, messages."""

from typing import Any

import pytest

from support.account import Account
from support.clock import run
from support.platforms import NAMES
from support.quick import first

WITH_COOKIES_FIRST = sorted(NAMES, key=lambda name: name != "genesys")  # its session has cookies


def refused(account: Account) -> list[str]:
    """Return the outcomes of the requests that were refused for their size."""
    return [record.outcome for record in account.platform.simulator.log if record.status == 431]


def own_series(account: Account) -> set[tuple[str, ...]]:
    """Return the exporter's own series of an account, without their values."""
    return {
        (sample.name, *sample.labels.values())
        for family in account.telemetry.registry.collect()
        for sample in family.samples
    }


@pytest.mark.parametrize(("size", "seconds"), first(1, [(1500, 30.0), (300, 900.0)]))
@pytest.mark.parametrize("provider", first(1, WITH_COOKIES_FIRST))
def test_cookies_that_pile_up_end_no_session(provider: str, size: int, seconds: float) -> None:
    """An account stays signed in where every answer sets a cookie under a new name."""

    async def main() -> None:
        account = Account(provider)
        account.platform.simulator.new_cookies = size
        async with account.signed_in():
            queues = account.waiting()
            await account.wait(seconds)
            assert refused(account) == []
            assert account.waiting() == queues
            assert account.metric("up") == 1
            assert account.metric("session_signins_total", outcome="ok") == 1

    run(main())


@pytest.mark.parametrize(
    ("size", "number"), first(1, [(2000, 2), (4000, 1), (4000, 3), (10, 60), (2000, 1)])
)
@pytest.mark.parametrize("provider", first(1, WITH_COOKIES_FIRST))
def test_an_account_signs_in_under_a_rain_of_cookies(provider: str, size: int, number: int) -> None:
    """Other cookies from the first answer on, of any size, displace none of the session's."""

    async def main() -> None:
        account = Account(provider)
        simulator: Any = account.platform.simulator
        simulator.new_cookies, simulator.cookies_at_once = size, number
        async with account.signed_in(120):
            queues = account.waiting()
            assert queues
            await account.wait(60)
            assert refused(account) == []
            assert account.waiting() == queues
            assert account.metric("up") == 1
            assert account.metric("session_signins_total", outcome="ok") == 1

    run(main())


@pytest.mark.parametrize("status", first(1, [431, 400]))
@pytest.mark.parametrize("provider", first(1, WITH_COOKIES_FIRST))
def test_an_account_recovers_from_too_many_cookies(provider: str, status: int) -> None:
    """Where a proxy takes less than the exporter keeps, all but the session's cookies go."""

    async def main() -> None:
        account = Account(provider)
        simulator: Any = account.platform.simulator
        simulator.header_status = status
        async with account.signed_in():
            queues = account.waiting()
            simulator.new_cookies, simulator.header_limit = 500, 3000
            await account.wait(60)
            assert any(record.status == status for record in simulator.log)
            await account.wait(90)
            assert account.waiting() == queues
            assert account.metric("up") == 1
            assert account.metric("session_signins_total", outcome="ok") == 1

    run(main())


def test_operation_types_that_five9_names_without_end() -> None:
    """Each report of the request counters has new operation types; none of them is exported."""

    async def main() -> None:
        account = Account("five9")
        async with account.signed_in():
            names = own_series(account)
            account.platform.simulator.new_operation_types = 100
            await account.wait(200)
            reports = [r for r in account.platform.simulator.log if "Counters" in r.operation]
            assert len(reports) >= 3
            assert own_series(account) == names
            operations = {quota.operation for quota in account.account.quotas}
            assert operations == {"QueryStatistics", "QueryChangedStatistics"}

    run(main())


@pytest.mark.parametrize(
    ("provider", "kind", "target"),
    [
        ("five9", "fault:Strange", "getStatistics*"),
        ("genesys", "500", "/statistics/*"),
        ("brightpattern", "400", "*/data"),
    ],
)
def test_a_long_message_is_cut(
    provider: str, kind: str, target: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A message of a megabyte costs a line of the log and of the status page."""

    async def main() -> None:
        account = Account(provider)
        account.platform.simulator.long_messages = 1_000_000
        async with account.signed_in(10):
            account.platform.simulator.fail_next(kind, 10**6, target)
            await account.wait(400)
            status = account.refresher.status()
            failures = [status.failure, *(feed.failure for feed in status.feeds)]
            assert any(failures)
            assert all(len(failure.message) < 600 for failure in failures if failure)

    run(main())
    fields = [vars(record).get("fields", {}) for record in caplog.records]
    assert any(line.get("error") for line in fields)
    assert all(len(str(text)) < 600 for line in fields for text in line.values())
