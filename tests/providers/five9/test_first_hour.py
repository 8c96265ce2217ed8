"""An account within Five9's limits of 2015: what sign-ins, refusals, checks and restarts cost.

Queue depth (ACDStatus) may be absent only as long as the platform's own hour leaves no call for a
sign-in and a whole read, and for a short while after that.
"""

import asyncio
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from exporter.config.load import Config, load
from exporter.errors import ConfigError
from exporter.preflight.commands import Preflight
from exporter.providers import MODELS
from exporter.status import AccountStatus, FeedStatus
from support.clock import MIDNIGHT
from support.five9 import LIMITS_OF_2015, Centre
from support.quick import first

pytestmark = pytest.mark.anyio

HOUR = 3600.0
LIMIT = LIMITS_OF_2015["QueryStatistics"][3600]
# Seconds of absence that a free hour still needs: the rest of a minute in which two calls were
# made, and the requests.
GRACE = 75.0
COUNTED = ("setSessionParameters", "getStatistics", "getUserLimits", "getMyPermissions")
CAMPAIGNS = (
    *("CampaignState", "OutboundCampaignManager", "InboundCampaignStatistics"),
    *("OutboundCampaignStatistics", "AutodialCampaignStatistics"),
)


def centre_of_2015(style: str | None = None, before: Centre | None = None) -> Centre:
    """Return an account of default settings, the permission Campaigns missing in that style."""
    switches: dict[str, Any] = {"limits": LIMITS_OF_2015}
    centre = Centre(switches=switches, before=before)
    if style:
        centre.simulator.missing_permission = style  # type: ignore[assignment]
        centre.simulator.permissions["Campaigns"] = False
    return centre


def used(centre: Centre) -> int:
    """Return the calls of the platform's current hour."""
    return centre.simulator.used("QueryStatistics", 3600)


def reads(centre: Centre, feed: str) -> list[float]:
    """Return when whole reads of a feed were requested, in seconds after midnight."""
    return [
        record.start - MIDNIGHT
        for record in centre.simulator.log
        if record.operation == "getStatistics" and record.statistic_type == feed
    ]


class Absence:
    """Watches for how long queue depth is absent although the platform would allow to read it."""

    def __init__(self, centre: Centre) -> None:
        self.centre = centre
        self.longest = 0.0
        self.forced = 0.0
        self.statuses: list[AccountStatus] = []  # one for each watch while it is forced
        self._since: float | None = None
        self._at = centre.clock.now
        centre.clock.watchers.append(self._watch)

    def _watch(self) -> None:
        centre, now = self.centre, self.centre.clock.now
        step, self._at = now - self._at, now
        latest = centre.store.latest("acme", "ACDStatus")
        if latest is not None and latest.expires_at > centre.clock.monotonic():
            self._since = None
        elif used(centre) + 2 > LIMIT:
            self.forced += step
            self._since = None
            self.statuses.append(centre.refresher.status())
        else:
            self._since = now - step if self._since is None else self._since
            self.longest = max(self.longest, now - self._since)


def feed_of(centre: Centre, name: str) -> FeedStatus:
    return next(feed for feed in centre.refresher.status().feeds if feed.name == name)


@pytest.mark.parametrize(
    ("style", "lost_at"),
    first(
        3,
        [
            *(("disallowed", 60), ("fault", 540), (None, 540)),
            *(("disallowed", 540), ("disallowed", 3300)),
        ],
    ),
)
async def test_one_lost_session(style: str | None, lost_at: float) -> None:
    """Whatever is refused, calls are left with which a lost session is opened again."""
    centre = centre_of_2015(style)
    absence = Absence(centre)
    lost = False

    def lose() -> None:
        nonlocal lost
        if not lost and centre.clock.now >= MIDNIGHT + lost_at:
            lost = True
            assert used(centre) <= LIMIT - 3
            centre.simulator.expire_session()

    centre.clock.watchers.append(lose)
    async with centre.running(until=MIDNIGHT + lost_at + 600):
        assert lost
        assert absence.forced == 0
        assert absence.longest <= GRACE
        assert "OperationsLimitExceeded" not in {r.outcome for r in centre.simulator.log}


async def test_refused_feeds_are_read_hourly() -> None:
    """A feed that was refused is read again after an hour, also in another session."""
    centre = centre_of_2015("disallowed")
    centre.clock.watchers.append(
        lambda: centre.simulator.expire_session() if 1800 < seconds() < 1801 else None
    )

    def seconds() -> float:
        return centre.clock.now - MIDNIGHT

    async with centre.running(until=MIDNIGHT + 2 * HOUR - 60):
        for feed in CAMPAIGNS:
            times = reads(centre, feed)
            assert 1 <= len(times) <= 2, feed
            assert all(b - a >= HOUR for a, b in pairwise(times))


@pytest.mark.parametrize("style", first(1, ["disallowed", None]))
async def test_three_restarts(style: str | None) -> None:
    """After three restarts in an hour queue depth is absent no longer than the hour forces."""
    centre = centre_of_2015(style)
    absences = []
    for minutes in (0, 10, 20, 30):
        if minutes:
            centre = centre_of_2015(style, before=centre)
        absences.append(Absence(centre))
        until = MIDNIGHT + (600 * (minutes // 10 + 1) if minutes < 30 else HOUR + 300)
        async with centre.running(until=until):
            pass
    assert max(absence.longest for absence in absences) <= GRACE
    forced = [status for absence in absences for status in absence.statuses]
    assert forced
    waiting = [status for status in forced if status.session == "waiting"]
    assert waiting
    for status in waiting:
        assert status.failure is not None
        assert "next call possible at 01:00 UTC: request limit" in status.failure.message
        assert "QueryStatistics of an hour" in status.failure.message


async def test_check_then_run() -> None:
    """A start after a check reads what is important at once, and says when the rest follows."""
    centre = centre_of_2015()
    config = Config((centre.config,), Path())
    await Preflight(config, centre.clock, lambda *_: centre.client).check()
    centre = centre_of_2015(before=centre)
    absence = Absence(centre)
    started = centre.clock.now
    async with centre.running(until=started + 600):
        assert centre.metric("feed_up", feed="ACDStatus") == 1
        assert centre.metric("feed_up", feed="AgentState") == 1
        late = feed_of(centre, "AutodialCampaignStatistics")
        assert late.hold is not None
        assert late.due_in is not None
        assert late.due_in > 600
        assert str(late.hold).startswith("at 01:0")
        assert str(late.hold).endswith("UTC: request limit QueryStatistics of a minute")
    assert absence.longest <= GRACE


async def test_check_says_before_spending_what_it_costs() -> None:
    """Cost and times come before the first counted call; then feed, number and expected end."""
    centre = centre_of_2015()
    said: list[tuple[int, str]] = []
    preflight = Preflight(
        Config((centre.config,), Path()),
        centre.clock,
        lambda *_: centre.client,
        say=lambda line: said.append((used(centre), line)),
    )
    started = centre.clock.now
    lines, _ = await preflight.check()
    assert [calls for calls, _ in said[:4]] == [0, 0, 0, 0]
    text = [line for _, line in said]
    assert text[0] == (
        "acme: 12 QueryStatistics calls to sign in and read, of 2 of 2 left in a minute, "
        "15 of 15 left in an hour, 240 of 240 left in a day"
    )
    assert text[1].startswith("acme: the last of them at 00:06 UTC: request limit QueryStatistics")
    assert text[3].startswith("acme: and figures of every feed at 01:0")
    assert text[4].startswith("acme: ACDStatus, 1 of 9, expected end at 00:06 UTC")
    assert text[-1].startswith("acme: account, 9 of 9")
    assert len(text) == 4 + 9
    assert used(centre) == 12
    assert centre.clock.now - started <= 370
    assert "requests per hour" in "\n".join(lines)


@pytest.mark.parametrize("offset", [0, 10, 35, 58])
async def test_the_expected_end_is_the_end(offset: float) -> None:
    """Calls that are made together wait for a minute with room for all of them (time in UTC)."""
    centre = centre_of_2015()
    await centre.clock.sleep(offset)
    said: list[str] = []
    preflight = Preflight(
        Config((centre.config,), Path()), centre.clock, lambda *_: centre.client, say=said.append
    )
    await preflight.check()
    last = max(record.start for record in centre.simulator.log if record.operation in COUNTED)
    minute = f"00:{int(last - MIDNIGHT) // 60:02} UTC"

    assert f"the last of them at {minute}" in said[1]
    assert {match[1] for line in said if (match := re.search(r"end at (.{9})", line))} == {minute}


async def test_a_look_at_one_feed_is_cheap() -> None:
    """A sign-in and one whole read."""
    centre = centre_of_2015()
    preflight = Preflight(Config((centre.config,), Path()), centre.clock, lambda *_: centre.client)
    lines, successful = await preflight.check(feeds=["ACDStatus"])
    assert used(centre) == 2
    assert successful
    assert any(line.startswith("    ACDStatus: ok, ") for line in lines)
    assert not any("AgentState" in line for line in lines)


async def test_a_misspelt_feed() -> None:
    """Nothing is requested, and the feed that may have been meant is named."""
    centre = centre_of_2015()
    preflight = Preflight(Config((centre.config,), Path()), centre.clock, lambda *_: centre.client)
    with pytest.raises(ConfigError, match="did you mean 'ACDStatus'"):
        await preflight.check(feeds=["ACDstatus"])
    assert centre.simulator.log == []


async def test_an_interrupted_check_reports_what_it_has() -> None:
    """The feeds that were read are reported, and those that were not."""
    centre = centre_of_2015()
    tasks: list[asyncio.Task[Any]] = []

    def say(line: str) -> None:
        if ", 4 of 9" in line:
            tasks[0].cancel()

    config = Config((centre.config,), Path())
    preflight = Preflight(config, centre.clock, lambda *_: centre.client, say)
    tasks.append(asyncio.create_task(preflight.check()))
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]
    text = "\n".join(preflight.interrupted())
    assert "acme (five9): signed in" in text
    assert "AgentState: ok, " in text
    assert "? account: not read, the check was interrupted" in text
    assert text.count(": ok, ") == 3
    assert text.count("not read, the check was interrupted") == 6
    assert centre.simulator.log[-1].operation == "closeSession"


async def test_the_readme_in_its_order(tmp_path: Path) -> None:
    """Its configuration, check, check --live and run, one after the other, reach every figure."""
    readme = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
    (yaml,) = re.findall(r"```yaml\n(accounts:\n  - name: acme-us\n.*?)```", readme, re.DOTALL)
    centre = centre_of_2015()
    (tmp_path / "password").write_text(centre.simulator.password, encoding="utf-8")
    file = tmp_path / "exporter.yml"
    yaml = yaml.replace("/run/secrets/five9-password", str(tmp_path / "password"))
    yaml = yaml.replace("region: us ", "base_url: http://127.0.0.1:9001 ")
    file.write_text(yaml, encoding="utf-8")
    config = load(file, {"FIVE9_USERNAME": centre.simulator.username}, MODELS)
    preflight = Preflight(config, centre.clock, lambda *_: centre.client)

    lines, successful = await preflight.check()
    assert successful, "\n".join(lines)
    spent = used(centre)
    started = centre.clock.now
    (account,) = config.accounts
    options = account.model_dump(exclude_unset=True)
    centre = Centre(before=centre, **options)
    first: dict[str, float] = {}

    def watch() -> None:
        for feed in centre.collector.feeds:
            if centre.store.latest(account.name, feed.name):
                first.setdefault(feed.name, centre.clock.now - started)

    centre.clock.watchers.append(watch)
    async with centre.running(until=started + 180):
        said = {feed.name: feed for feed in centre.refresher.status().feeds}
        assert spent == LIMIT - 3
    assert first.keys() == {"ACDStatus", "AgentState"}
    assert max(first.values()) < 130  # two windows of a minute, and the requests
    for name, status in said.items():
        assert name in first or (status.hold is not None and "at 01:0" in str(status.hold))

    centre = Centre(before=centre, **options)  # a restart, which the account survives
    centre.clock.watchers.append(watch)
    async with centre.running(until=MIDNIGHT + HOUR + 420):
        assert first.keys() == account.enabled_feeds().keys()
        assert centre.metric("up") == 1
