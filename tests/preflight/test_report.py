"""Tests of check --live: it names what is missing, and leaves no session behind."""

import asyncio
import datetime as dt
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from exporter.clock import SystemClock
from exporter.collector.base import Collector
from exporter.collector.http import Http, open_client
from exporter.collector.survey import Collected, Limit, Survey
from exporter.config.load import Config
from exporter.config.objectives import CampaignObjectives, QueueObjectives, objectives_of
from exporter.errors import ConfigError, ServerTrouble
from exporter.metrics.reading import Reading, Rows
from exporter.preflight.commands import Preflight
from exporter.preflight.report import forecasts, report_failure
from exporter.preflight.session import PreflightSession
from exporter.providers.brightpattern import preflight as brightpattern
from exporter.providers.brightpattern.directory import Directory, DirectoryEntry
from support.clock import MORNING, LoopClock, run
from support.five9 import LIMITS_OF_2015
from support.platforms import NAMES, PLATFORMS, platform

pytestmark = pytest.mark.anyio


def lines_with(text: str, mark: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(f"  {mark} ")]


@pytest.mark.parametrize("provider", NAMES)
async def test_nothing_is_missing(provider: str) -> None:
    """Where everything is granted the check says so, counts objects, and passes."""
    text, well = await platform(provider).check()

    assert well, text
    assert lines_with(text, "!") == []
    assert text.splitlines()[0] == f"acme ({provider}): signed in"
    assert text.splitlines()[-1] == "    no faults"
    assert "requests per hour: " in text
    assert "    objects: " in text


@pytest.mark.parametrize("provider", NAMES)
async def test_nothing_is_left_behind(provider: str) -> None:
    """The check ends its session, subscription or token."""
    world = platform(provider)
    await world.check()

    assert not world.left_behind()


def test_genesys_that_pushes() -> None:
    """Where Genesys pushes nothing is missing either, and nothing is left behind."""

    async def main() -> None:
        world = platform("genesys", clock=LoopClock(MORNING), mode="subscribe")
        text, well = await world.check()

        assert well, text
        assert "statistics: ok, " in text
        assert not world.left_behind()
        assert any("/meta/subscribe" in each.channels for each in world.simulator.log)

    run(main())


FIVE9 = {
    "Agents": "No data for ACDStatus, AgentState, AgentStatistics",
    "Campaigns": "No data for CampaignState",
    "AllSkills": "Only the user's own skills are exported",
    "ViewDataForAllAgentGroups": "Only agents of the user's own groups count",
}


@pytest.mark.parametrize("style", ["fault", "empty"])
@pytest.mark.parametrize("permission", FIVE9)
async def test_five9_permission(permission: str, style: str) -> None:
    """A permission that is not granted is named with what it costs, and fails the check."""
    world = platform("five9", {"missing_permission": style})
    world.simulator.permissions[permission] = False
    text, well = await world.check()

    assert not well
    (line,) = (x for x in lines_with(text, "!") if f"permission {permission}: missing" in x)
    assert FIVE9[permission] in line
    assert "Ask your Five9 administrator" in line


async def test_five9_limited_on_purpose() -> None:
    """Who names the wanted queues may do without the permission to see all: that is a hint."""
    world = platform("five9", include={"queues": ["Sales"]})
    world.simulator.permissions["AllSkills"] = False
    text, well = await world.check()

    assert well, text
    assert any("permission AllSkills: missing" in line for line in lines_with(text, "?"))


async def test_five9_no_web_services() -> None:
    """Without access to the web services both permissions that open them are named."""
    world = platform("five9")
    world.simulator.permissions["CanUseSupervisorSoapApi"] = False
    text, well = await world.check()

    assert not well
    assert "acme (five9): not signed in" in text
    assert "CanUseSupervisorSoapApi: missing" in text
    assert "User Can Execute Web API Requests" in text


async def test_five9_wrong_password() -> None:
    """A rejected password names no permission, and is tried once."""
    world = platform("five9", password="wrong")
    text, well = await world.check()

    assert not well
    assert "sign-in: failed (auth): HTTP 401. The platform rejected the credentials: check" in text
    assert "permission" not in text
    assert len(world.simulator.log) == 1


async def test_five9_without_the_account_feed() -> None:
    """Permissions and licences are asked for where no feed reads them."""
    world = platform("five9", feeds={"account": False})
    world.simulator.permissions["Campaigns"] = False
    text, _ = await world.check()

    assert "permission Campaigns: missing" in text
    assert "licences, supervisor: " in text


async def test_five9_only_what_is_wanted() -> None:
    """A permission that no wanted feed needs is not asked for."""
    feeds = ("ACDStatus", "AgentState", "account")
    off = {name: False for name in platform("five9").account.enabled_feeds() if name not in feeds}
    world = platform("five9", feeds=off)
    world.simulator.permissions["Campaigns"] = False
    text, well = await world.check()

    assert well, text
    assert "permission Campaigns" not in text


BRIGHTPATTERN = [
    ({"may_read": False}, "privilege Access Realtime Stats API"),
    ({"may_read": False, "refusal_status": 401}, "privilege Access Realtime Stats API"),
    ({"may_see_agents": False}, "privilege View real-time agent metrics"),
    ({"may_see_agents": False, "unseen": "absent"}, "privilege View real-time agent metrics"),
    ({"may_see_services": False}, "privilege View real-time service metrics"),
    ({"may_see_services": False, "unseen": "absent"}, "privilege View real-time service metrics"),
    ({"supervised_teams": frozenset()}, "supervisor of teams"),
    ({"supervised_teams": frozenset(), "unseen": "absent"}, "supervisor of teams"),
    ({"may_see_campaigns": False}, "privilege for the List Management API"),
]


@pytest.mark.parametrize(("switches", "name"), BRIGHTPATTERN)
async def test_brightpattern_privilege(switches: dict[str, Any], name: str) -> None:
    """A privilege that refusals or empty grids reveal is named, and fails the check."""
    text, well = await platform("brightpattern", switches).check()

    assert not well
    (line,) = (x for x in lines_with(text, "!") if f"{name}: missing" in x)
    assert "Ask your Bright Pattern administrator" in line


async def test_brightpattern_no_licence() -> None:
    """No free subscription is told as a matter of licences, not of privileges."""
    switches = {"max_active_subscriptions": 1, "wallboards_open": 1}
    text, well = await platform("brightpattern", switches).check()

    assert not well
    assert "No subscription is free. Close a wallboard" in text
    assert "privilege" not in text


async def test_brightpattern_wrong_name() -> None:
    """A configured team that the user does not see is named."""
    team = next(iter(platform("brightpattern").floor.agents.values())).team
    text, well = await platform("brightpattern", teams=[team, "Nobody"]).check()

    assert not well
    assert "'Nobody' is not visible" in text
    assert repr(team) not in text


VOXIMPLANT = [
    ({"Supervisor"}, {"GetACDState"}),
    (
        {"User manager"},
        {"GetACDState", "GetQueues", "GetCallLists"},
    ),
    (
        {"Call list manager"},
        {
            *("GetACDState", "GetQueues", "GetUsers", "GetACDOperatorStatusStatistics"),
            "GetACDOperatorStatistics",
        },
    ),
]


@pytest.mark.parametrize("code", [104, 100])
@pytest.mark.parametrize(("roles", "methods"), VOXIMPLANT)
async def test_voximplant_role(roles: set[str], methods: set[str], code: int) -> None:
    """Each method that the key may not call is named with the roles that would allow it."""
    world = platform("voximplant", {"roles": frozenset(roles), "role_code": code})
    text, well = await world.check()

    assert not well
    named = {x.split()[3] for x in lines_with(text, "!") if " role for " in x}
    assert named == methods
    assert "role for GetACDState (Developer, Admin or Owner): missing. state" in text


async def test_voximplant_details_need_a_role() -> None:
    """A refusal that a feed survives is named all the same."""
    switches = {"roles": frozenset({"Supervisor"})}
    off = {"state": False}
    text, well = await platform("voximplant", switches, call_list_details=True, feeds=off).check()

    assert not well
    assert "role for GetCallListDetails (Call list manager, Developer, Admin or Owner)" in text
    assert "call_lists: ok" in text


async def test_voximplant_smartqueue() -> None:
    """For methods whose role the vendor does not publish, that is what is said."""
    switches = {"unpublished_roles": frozenset({"Admin"}), "roles": frozenset({"Developer"})}
    text, well = await platform("voximplant", switches, smartqueue={}, applications=[5001]).check()

    assert not well
    assert "role for GetSQState (a role that the vendor does not name" in text


async def test_genesys_may_not_read() -> None:
    """A 403 on statistics is told as the permission that it is."""
    text, well = await platform("genesys", {"may_read": False}).check()

    assert not well
    assert "permission to read statistics: missing. The platform answers 403" in text


@pytest.mark.parametrize(
    ("options", "words"),
    [({"api_key": "wrong"}, "is not accepted"), ({"api_key": None}, "is not configured")],
)
async def test_genesys_api_key(options: dict[str, Any], words: str) -> None:
    """A gateway that refuses before anybody signs in wants another key."""
    text, well = await platform("genesys", **options).check()

    assert not well
    assert "api_key: missing" in text
    assert words in text


async def test_genesys_wrong_password() -> None:
    """A login that is not accepted says nothing of the key."""
    text, well = await platform("genesys", password="wrong").check()

    assert not well
    assert "the login was not accepted" in text
    assert "api_key" not in text


async def test_genesys_statistics_not_opened() -> None:
    """What could not be opened is counted and named, but persons are not."""
    objects = [
        {"type": "Queue", "ids": ["9001@planted-switch"]},
        {"type": "GroupAgents", "ids": ["All Agents"]},
        {"type": "Agent", "ids": ["planted-agent"]},
    ]
    text, well = await platform("genesys", objects=objects).check()

    assert not well
    (line,) = (x for x in lines_with(text, "!") if "statistics not opened: " in x)
    assert "CurrentNumber CallWait of Queue 9001@planted-switch" in line
    assert "check the ids and types under objects:" in line
    assert "planted-agent" not in text
    assert "1 GroupAgents objects" in text


# Budget -----------------------------------------------------------------------------------------


async def test_over_the_budget() -> None:
    """Intervals that the platform's limits do not allow are named with those that they do."""
    world = platform("five9", {"limits": LIMITS_OF_2015}, feeds={"ACDStatus": {"interval": "2s"}})
    text, well = await world.check()

    assert not well
    (line,) = (x for x in lines_with(text, "!") if "QueryChangedStatistics" in x and "per day" in x)
    assert "over the limit" in line
    assert "feeds: {ACDStatus: {interval: " in line
    advised = line.partition("interval: ")[2].partition("s}")[0]
    again = platform(
        "five9", {"limits": LIMITS_OF_2015}, feeds={"ACDStatus": {"interval": f"{advised}s"}}
    )
    text, well = await again.check()
    assert well, text


async def test_everything_over_the_budget() -> None:
    """Where one feed alone cannot make up for it, all of them are to be slower."""
    feeds = {
        name: {"interval": "3s"}
        for name in platform("five9").account.enabled_feeds()
        if name != "account"
    }
    text, well = await platform("five9", {"limits": LIMITS_OF_2015}, feeds=feeds).check()

    assert not well
    lines = lines_with(text, "!")
    line = next(x for x in lines if "QueryChangedStatistics" in x and "per day" in x)
    assert line.count("interval: ") == 8


async def test_limits_of_ones_own() -> None:
    """Limits of the configuration are held against it, and what is used of them is unknown."""
    budget = {"query_changed_statistics": {"hour": 100}}
    text, well = await platform("five9", budget=budget).check()

    assert not well
    (line,) = (x for x in lines_with(text, "!") if "QueryChangedStatistics" in x)
    assert "of 100 requests per hour: over the limit" in line


async def test_requests_in_an_hour() -> None:
    """The requests of an hour are those that the schedule makes with these intervals."""
    feeds = {"state": {"interval": "30s"}, "queue_statistics": {"interval": "60s"}}
    world = platform("voximplant", feeds=feeds)
    queues = sum(queue.media == "voice" for queue in world.floor.queues.values())
    text, _ = await world.check()

    assert "GetACDState 120" in text
    assert f"GetACDQueueStatistics {queues * 60}," in text


# The connection ---------------------------------------------------------------------------------


@pytest.mark.parametrize("ahead", [120.0, -120.0])
@pytest.mark.parametrize("provider", NAMES)
async def test_skew(provider: str, ahead: float) -> None:
    """A clock that is two minutes off is named with its direction."""
    world = platform(provider, {"clock_ahead": ahead, "date_header": True})
    text, _ = await world.check()

    (line,) = (x for x in lines_with(text, "?") if "clock" in x)
    assert (
        f"12{0 if '120 s' in line else 1} s {'ahead of' if ahead > 0 else 'behind'} this host's"
        in line
    )


@pytest.mark.parametrize("provider", NAMES)
async def test_no_skew(provider: str) -> None:
    """Clocks that agree are said to."""
    text, _ = await platform(provider, {"date_header": True}).check()

    assert "clock: agrees with the platform's" in text


def certificate(folder: Path, days: int) -> tuple[Path, Path]:
    """Make a certificate for localhost that lasts so long; return it, and it with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=days, hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    public = made.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "ca.pem").write_bytes(public)
    (folder / "both.pem").write_bytes(public + private)
    return folder / "ca.pem", folder / "both.pem"


@asynccontextmanager
async def https(folder: Path, days: int) -> AsyncIterator[tuple[int, Path]]:
    """Serve nothing but 503 over TLS; give the port and the certificate to trust."""
    public, both = certificate(folder, days)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(both)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "localhost", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1], public


@pytest.mark.parametrize("verified", [True, False])
@pytest.mark.parametrize(("days", "mark"), [(20, "?"), (64, " ")])
async def test_certificate(tmp_path: Path, days: int, mark: str, verified: bool) -> None:
    """The days of the platform's own certificate are told; fewer than three weeks are a hint."""
    async with https(tmp_path, days) as (port, ca):
        tls = {"ca_file": str(ca)} if verified else {"insecure_skip_verify": True}
        world = platform("five9", base_url=f"https://localhost:{port}", tls=tls)

        def client(account: Any, folder: Path) -> httpx.AsyncClient:
            return open_client(account.tls_settings(folder), None)

        preflight = Preflight(Config((world.account,), tmp_path), SystemClock(), client)
        lines, _ = await preflight.check()

    (line,) = (each for each in lines if "certificate of localhost" in each)
    assert f"{days} days left" in line
    assert line[2] == mark


async def test_a_proxy_may_hide_the_certificate() -> None:
    """Behind a proxy the check says that the certificate seen may be the proxy's."""
    world = platform("five9", proxy_url="http://127.0.0.1:3128")
    text, _ = await world.check()

    assert "seen through the proxy; may be its own" in text


# Accounts and failures --------------------------------------------------------------------------


async def test_one_of_several() -> None:
    """Only the account that is named is asked."""
    first, second = platform("five9"), platform("voximplant", name="other")
    config = Config((first.account, second.account), Path())

    def client(account: Any, folder: Path) -> httpx.AsyncClient:
        return (first if account.name == "acme" else second).client(account, folder)

    lines, well = await Preflight(config, first.clock, client).check("other")

    assert well
    assert lines[0] == "other (voximplant): signed in"
    assert first.simulator.log == []
    with pytest.raises(ConfigError, match="no account named 'acne'; did you mean 'acme'"):
        await Preflight(config, first.clock, client).check("acne")


async def test_a_bug_costs_one_account(caplog: pytest.LogCaptureFixture) -> None:
    """What nobody expected fails its own account, with a place in the log."""
    first, second = platform("five9"), platform("five9", name="other")
    config = Config((first.account, second.account), Path())

    def client(account: Any, folder: Path) -> httpx.AsyncClient:
        if account.name == "acme":
            raise LookupError("a bug")
        return second.client(account, folder)

    lines, well = await Preflight(config, second.clock, client).check()

    assert not well
    assert lines[:2] == report_failure("acme", LookupError()).lines
    assert "other (five9): signed in" in lines
    assert "a bug" in caplog.text


async def test_a_certificate_file_that_is_not_there(caplog: pytest.LogCaptureFixture) -> None:
    """An account whose certificate file cannot be read says so, without a traceback."""
    world = platform("five9", tls={"ca_file": "none.pem"})
    lines, well = await Preflight(Config((world.account,), Path()), world.clock).check()

    assert not well
    assert lines[0] == "acme: not checked"
    assert "No such file" in lines[1]
    assert "Check tls:" in lines[1]
    assert caplog.text == ""


async def test_a_failed_feed_says_what_to_do() -> None:
    """A feed that fails says why, and what helps; the others are read."""
    world = platform("five9")
    world.simulator.fail_next("fault:Server", target="getStatistics")
    text, well = await world.check()

    assert not well
    assert "ACDStatus: failed (server): ServerFault" in text
    assert "The platform, or a proxy before it, failed:" in text
    assert "AgentState: ok, " in text


async def test_a_session_that_ends() -> None:
    """Where the session ends, feeds that were not read say so."""
    world = platform("five9")
    world.simulator.fail_next("fault:SessionClosed", target="getStatistics")
    text, well = await world.check()

    assert not well
    assert "ACDStatus: failed (session)" in text
    assert "AgentState: failed (session): not read: the session had ended" in text


async def test_a_wait_without_end() -> None:
    """A feed whose turn comes only after the whole visit's time is not waited for."""
    limits = {"QueryStatistics": {60: 100, 3600: 4}, "QueryChangedStatistics": {60: 30}}
    world = platform("five9", {"limits": limits})
    text, well = await world.check()

    assert not well
    assert "failed (throttled): not read: next call possible at 10:00 UTC: request limit" in text
    assert world.clock.now - MORNING < 900


@pytest.mark.parametrize("provider", NAMES)
async def test_secrets_stay_secret(provider: str, caplog: pytest.LogCaptureFixture) -> None:
    """No secret is in what check and discover print, nor in the log at debug level."""
    world = platform(provider, agents="name", **PLATFORMS[provider].everything)
    with caplog.at_level(logging.DEBUG):
        checked, _ = await world.check()
        offered, _ = await world.preflight.discover("acme")
    said = "\n".join((checked, *offered, caplog.text))
    secrets = world.secrets()
    people = {agent.name for agent in world.floor.agents.values()}
    people |= {each.username for each in world.floor.agents.values()}
    people -= {identity for each in world.options.get("objects", ()) for identity in each["ids"]}

    assert [secret for secret in sorted(secrets) if secret in said] == []
    assert [each for each in sorted(people) if each in checked + "\n".join(offered)] == []


async def test_a_limit_of_nothing() -> None:
    """Where a limit allows no request at all, the feeds that need one are to be left out."""
    expected = forecasts([Limit("x", 60.0, 0)], {"first": {"x": 0.1}, "second": {"y": 1.0}})

    assert [forecast.fits for forecast in expected] == [False]
    assert expected[0].remedy({"first": 10.0}) == "over the limit. Disable these feeds: first"
    assert forecasts([Limit("x", 60.0, 0)], {})[0].fits


async def test_five9_permissions_cannot_be_read() -> None:
    """Where permissions cannot be read that is said, and none is called missing."""
    world = platform("five9")
    world.simulator.fail_next("fault:Server", 5, target="getMyPermissions")
    text, well = await world.check()

    assert not well
    assert "permissions and licences: not read (server)" in text
    assert "missing. " not in text
    assert "4 queues" in text


async def test_what_did_not_fit() -> None:
    """Missing, unreadable and unmapped columns are hints."""
    world = platform("five9")
    for kind in ("missing_column:Calls In Queue", "wrong_type", "extra_column:New"):
        world.simulator.fail_next(kind, target="getStatistics")
    text, well = await world.check()

    assert well, text
    assert "ACDStatus: columns not in the answer: Calls In Queue" in text
    assert "CampaignState: unmapped columns: 1, listed by 'discover'" in text


async def test_voximplant_account() -> None:
    """An account that is frozen or not active is a fault."""
    world = platform("voximplant")
    answer = world.simulator.answer("GetAccountInfo")
    answer["result"] |= {"frozen": True, "active": False}

    async def serve(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("GetAccountInfo"):
            return httpx.Response(200, json=answer)
        transport = httpx.ASGITransport(world.simulator.app)
        found = await transport.handle_async_request(request)
        return httpx.Response(found.status_code, content=await found.aread())

    def client(_: Any, __: Path) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(serve))

    preflight = Preflight(Config((world.account,), Path()), world.clock, client)
    lines, well = await preflight.check()

    assert not well
    assert "  ! the account is frozen: contact Voximplant" in lines
    assert "  ! the account is not active: contact Voximplant" in lines


async def test_a_survey_that_fails() -> None:
    """A survey that fails is a fault of its own."""
    session = PreflightSession(platform("five9").account, Broken(), Http.__new__(Http), {})
    await session.run_survey()

    assert session.survey.faults == ["survey failed: not now"]


class Broken(Collector):
    """A collector to which nothing works."""

    feeds = ()

    def open(self) -> Any:
        raise AssertionError("not asked for")

    async def fetch(self, _: str) -> Any:
        raise AssertionError("not asked for")

    async def survey(self, _: Collected) -> Survey:
        raise ServerTrouble("not now")


async def test_a_feed_that_takes_too_long() -> None:
    """A feed that does not answer within its timeout has failed, and costs no other."""
    world = platform("five9", feeds={"ACDStatus": {"timeout": "1s"}})
    held = asyncio.Event()

    async def serve(request: httpx.Request) -> httpx.Response:
        if b">ACDStatus<" in request.content:
            await held.wait()
        found = await httpx.ASGITransport(world.simulator.app).handle_async_request(request)
        headers = {"content-type": found.headers["content-type"]}
        return httpx.Response(found.status_code, headers=headers, content=await found.aread())

    def client(_: Any, __: Path) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(serve))

    preflight = Preflight(Config((world.account,), Path()), world.clock, client)
    lines, well = await preflight.check()

    assert not well
    assert any("ACDStatus: failed (timeout): took longer than 1 s" in line for line in lines)
    assert any("AgentState: ok" in line for line in lines)


async def test_nothing_yet_for_ever() -> None:
    """A platform that has nothing yet is asked a few times, and then that is its answer."""
    world = platform("brightpattern", {"polls_until_ready": 100})
    text, well = await world.check()

    assert not well
    assert "subscription: failed (empty): HTTP 204: no data yet. The platform has " in text


def test_brightpattern_teams_without_services() -> None:
    """A user whose teams have no visible service lacks either, and both are named."""
    world = platform("brightpattern", teams=[])
    found = Collected({"subscription": Reading({"subscription.services": Rows.of([])})})
    result = Survey()
    directory = Directory(services=[], teams=[DirectoryEntry("1", "Blue")])
    brightpattern.survey(world.account, found, directory, result)  # type: ignore[arg-type]

    (permission,) = (each for each in result.permissions if "service metrics" in each.name)
    assert permission.granted is False
    assert "the teams have none, or the privilege is missing" in permission.consequence


async def test_an_objective_that_matches_nothing() -> None:
    """An objective for what no account has is listed, and fails nothing."""
    world = platform("five9")
    queue = next(iter(world.floor.queues))
    written = [
        QueueObjectives.model_validate({"match": {"queue": name}, "waiting_limit": {"warning": 7}})
        for name in (queue, "Nobody")
    ]
    config = Config((world.account,), Path(), objectives_of(written, []))
    lines, well = await Preflight(config, world.clock, world.client).check()

    assert well, lines
    assert [line for line in lines if "matches no queue" in line] == [
        f"? queues[1]: matches no queue ({config.objectives.items[1]})"
    ]
    assert "Nobody" in lines[-1]


@pytest.mark.parametrize("provider", NAMES)
async def test_an_item_for_a_direction_without_campaigns(provider: str) -> None:
    """An item for a direction that no campaign of the account has is listed."""
    world = platform(provider)
    written = [
        CampaignObjectives.model_validate({"match": {"direction": direction}})
        for direction in ("inbound", "outbound")
    ]
    config = Config((world.account,), Path(), objectives_of([], written))
    lines, _ = await Preflight(config, world.clock, world.client).check()

    assert [line for line in lines if "matches no campaign" in line] == (
        []
        if provider == "five9"
        else [f"? campaigns[0]: matches no campaign ({config.objectives.items[0]})"]
    )
    assert str(config.objectives.items[0]).endswith("direction: inbound")


async def test_brightpattern_scale() -> None:
    """A configured scale that the numbers disprove is a hint."""
    world = platform("brightpattern", ratio_scale="fraction")
    world.floor.advance(world.clock.now + 3600)
    world.clock.elapsed += 3600
    lines, _ = await world.preflight.check()
    hint = "  ? subscription.services: service_level is left out: configured as fraction, but"
    assert any(line.startswith(hint) for line in lines), lines
