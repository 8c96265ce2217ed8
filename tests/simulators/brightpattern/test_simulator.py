"""The Bright Pattern simulator, read with raw HTTP and with the figures of the floor itself."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from exporter.simulators.brightpattern.figures import LIKELY, SEEN, names
from exporter.simulators.brightpattern.simulator import BrightPatternSimulator
from exporter.simulators.floor.figures import LOGGED_OUT, READY
from exporter.simulators.floor.floor import Floor
from support.clock import VirtualClock

pytestmark = pytest.mark.anyio

START = datetime(2026, 3, 2, 18, 0, tzinfo=UTC).timestamp()  # a Monday, 10 o'clock in California
ZONE = "America/Los_Angeles"
HOUR = 3600.0
V2, V3 = "/configapi/v2/oauth/token", "/configapi/v3/oauth/token"
AUTH = "/statsapi/auth"
SUBSCRIPTION = "/statsapi/subscription"
DATA = "/statsapi/subscription/data"
ACTIVE = "/statsapi/subscription/active"
CAMPAIGN = "/configapi/v3/campaign"
TOTALS = {"app": {"stats_totals": ["in_calls_waiting", "agents_logged"]}}


class Wire:
    """One client of a simulator, with its own cookies."""

    def __init__(self, simulator: BrightPatternSimulator) -> None:
        self.simulator = simulator
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(simulator.app), base_url="http://acme.example.com"
        )

    async def token(self, path: str = V2, **form: str) -> httpx.Response:
        right = {
            "grant_type": "client_credentials",
            "client_id": self.simulator.username,
            "client_secret": self.simulator.api_secret,
            "scope": self.simulator.tenant_url,
        }
        return await self.http.post(path, data={**right, **form})

    async def sign_in(self, path: str = V2, **form: str) -> "Wire":
        token = (await self.token(path, **form)).json()["access_token"]
        self.http.headers["Authorization"] = f"Bearer {token}"
        return self

    async def log_in(self, **fields: str) -> httpx.Response:
        right = {
            "tenant_url": self.simulator.tenant_url,
            "username": self.simulator.username,
            "password": self.simulator.password,
        }
        return await self.http.post(AUTH, json={**right, **fields})

    async def subscribe(self, body: Any) -> httpx.Response:
        return await self.http.post(SUBSCRIPTION, json=body)

    async def poll(self) -> httpx.Response:
        return await self.http.get(DATA)

    async def read(self, body: Any) -> Any:
        """Subscribe, and return the first data."""
        subscribed = await self.subscribe(body)
        assert subscribed.status_code == 200, subscribed.text
        while (answer := await self.poll()).status_code == 204:
            pass
        assert answer.status_code == 200
        return answer.json()

    async def rows(self, kind: str, statistics: list[str], **grid: Any) -> list[list[Any]]:
        """Return the rows of one grid, in the order of the statistics."""
        columns = [{"id": name, "stat_name": name} for name in statistics]
        wanted = {"id": "g", "columns": columns, **grid}
        data = await self.read({"app": {f"{kind}_grids": [wanted]}})
        (answer,) = data["app"][f"{kind}_grids"]
        assert answer["id"] == "g"
        return [[row[name] for name in statistics] for row in answer["values"]]

    async def get(self, path: str) -> Any:
        response = await self.http.get(path)
        assert response.status_code == 200, response.text
        return response.json()


def grid(*columns: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {"app": {"agent_grids": [{"id": "g", "columns": list(columns), **others}]}}


LOGIN = {"id": "1", "stat_name": "login_id"}


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(START)


@pytest.fixture
def floor() -> Floor:
    floor = Floor(start=START - 3 * HOUR, time_zone=ZONE)
    floor.advance(START)
    return floor


@pytest.fixture
def make(floor: Floor, clock: VirtualClock) -> Callable[..., Wire]:
    return lambda **switches: Wire(BrightPatternSimulator(floor, clock, **switches))


class TestTokens:
    async def test_a_form_gets_a_token(self, make: Callable[..., Wire]) -> None:
        """A token is 64 hexadecimal digits, and its life a string."""
        answer = (await make().token()).json()

        assert len(answer["access_token"]) == 64
        assert int(answer["access_token"], 16)
        assert answer["token_type"] == "Bearer"
        assert answer["expires_in"] == "3600"
        assert answer["scope"] == "acme.example.com"

    async def test_the_same_token_comes_with_the_life_that_is_left(
        self, make: Callable[..., Wire], clock: VirtualClock
    ) -> None:
        """A valid token is handed out again until it has expired."""
        wire = make()

        first = (await wire.token()).json()
        clock.now += 120
        second = (await wire.token()).json()
        clock.now += 3480
        third = (await wire.token()).json()

        assert second == {**first, "expires_in": "3480"}
        assert third["access_token"] != first["access_token"]
        assert third["expires_in"] == "3600"

    @pytest.mark.parametrize(
        "wrong",
        [
            {"client_id": "nobody"},
            {"client_secret": "sword"},
            {"scope": "other.example.com"},
            {"grant_type": "password"},
        ],
    )
    async def test_a_wrong_parameter_gets_401(
        self, make: Callable[..., Wire], wrong: dict[str, str]
    ) -> None:
        """Each of the four parameters has to be right."""
        assert (await make().token(**wrong)).status_code == 401

    async def test_only_a_form_is_read(self, make: Callable[..., Wire]) -> None:
        """JSON, a query or an Authorization header do not bring a token."""
        wire = make()
        right = {
            "grant_type": "client_credentials",
            "client_id": wire.simulator.username,
            "client_secret": wire.simulator.api_secret,
            "scope": wire.simulator.tenant_url,
        }
        form = {"Content-Type": "application/x-www-form-urlencoded"}

        as_json = await wire.http.post(V2, json=right)
        as_query = await wire.http.post(V2, params=right, headers=form)
        basic = (wire.simulator.username, wire.simulator.api_secret)
        as_header = await wire.http.post(
            V2, auth=basic, data={"grant_type": "client_credentials", "scope": right["scope"]}
        )

        assert [each.status_code for each in (as_json, as_query, as_header)] == [415, 401, 401]

    async def test_wrong_secrets_lock_a_user_out(self, make: Callable[..., Wire]) -> None:
        """After so many wrong secrets in a row even the right one is refused."""
        wire = make(lock_after=2)

        codes = [(await wire.token(client_secret=each)).status_code for each in ("a", "b")]
        held = wire.simulator.wrong_secrets
        codes.append((await wire.token()).status_code)

        assert codes == [401, 401, 401]
        assert held == 2

    async def test_the_right_secret_forgives(self, make: Callable[..., Wire]) -> None:
        """A right secret in time takes the wrong ones off."""
        wire = make(lock_after=2)

        await wire.token(client_secret="a")
        right = await wire.token()

        assert right.status_code == 200
        assert wire.simulator.wrong_secrets == 0

    async def test_the_life_may_be_a_number(self, make: Callable[..., Wire]) -> None:
        """A switch writes expires_in as a number."""
        assert (await make(expires_in="number").token()).json()["expires_in"] == 3600

    @pytest.mark.parametrize(("shared", "codes"), [(True, [200, 200]), (False, [401, 200])])
    async def test_tokens_of_the_two_apis(
        self, make: Callable[..., Wire], shared: bool, codes: list[int]
    ) -> None:
        """Whether the statistics take a token of configapi v3 is a switch."""
        wire = await make(tokens_shared=shared).sign_in(V3)

        paths = ["/statsapi/cfg/teams", f"{CAMPAIGN}/getAll"]

        assert [(await wire.http.get(path)).status_code for path in paths] == codes

    @pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer 0123", "Basic dTpw", "0123"])
    async def test_without_a_valid_token_there_is_nothing(
        self, make: Callable[..., Wire], header: str | None
    ) -> None:
        """Every guarded path answers 401 to a missing or unknown token."""
        wire = make()
        headers = {} if header is None else {"Authorization": header}
        asked = [
            ("POST", SUBSCRIPTION),
            ("GET", DATA),
            ("DELETE", ACTIVE),
            ("GET", "/statsapi/cfg/dispositions"),
            ("GET", "/statsapi/cfg/wallboards"),
            ("GET", f"{CAMPAIGN}/getAll"),
        ]

        answers = [await wire.http.request(*each, headers=headers) for each in asked]

        assert {answer.status_code for answer in answers} == {401}
        assert answers[-1].json()["error"] == "unauthorized"

    async def test_expired_tokens_are_refused_mid_stream(
        self, make: Callable[..., Wire], clock: VirtualClock
    ) -> None:
        """A token ends with its life, or when told to; the subscription outlives it."""
        wire = await make().sign_in()
        await wire.read(TOTALS)

        wire.simulator.expire_tokens()
        told = await wire.poll()
        await wire.sign_in()
        renewed = await wire.poll()
        wire.simulator.subscription_idle_seconds = None
        clock.now += 3600
        late = await wire.poll()

        assert [told.status_code, renewed.status_code, late.status_code] == [401, 200, 401]


class TestPasswords:
    async def test_the_old_way_is_closed(self, make: Callable[..., Wire]) -> None:
        """From release 5.36 on a password is answered with 403 and an error text."""
        answer = await make().log_in()

        assert answer.status_code == 403
        assert answer.json() == {"error": "illegal login attempt"}

    @pytest.mark.parametrize(
        ("generation", "cookies"),
        [
            ("statsapi", {"X-STATSAPI-TOKEN", "X-STATSAPI-TENANT", "X-STATSAPI-LOGIN"}),
            ("session", {"X-BP-SESSION-ID"}),
        ],
    )
    async def test_a_password_opens_a_session(
        self, make: Callable[..., Wire], generation: str, cookies: set[str]
    ) -> None:
        """The cookies of either generation authenticate what follows."""
        wire = make(password_login=True, session_cookies=generation)

        opened = await wire.log_in()
        seen = {cookie.name for cookie in wire.http.cookies.jar} - {"AWSALB", "AWSALBCORS"}
        data = await wire.read(TOTALS)

        assert set(opened.json()) == {"token", "privileges", "user_id"}
        assert seen == cookies
        assert set(data["app"]["stats_totals"]) == set(TOTALS["app"]["stats_totals"])

    async def test_half_of_the_cookies_do_not_do(self, make: Callable[..., Wire]) -> None:
        """All three cookies of the first generation have to come back."""
        wire = make(password_login=True)
        await wire.log_in()

        wire.http.cookies.delete("X-STATSAPI-LOGIN")

        assert (await wire.http.get("/statsapi/cfg/teams")).status_code == 401

    @pytest.mark.parametrize("field", ["tenant_url", "username", "password"])
    async def test_wrong_credentials_get_401(self, make: Callable[..., Wire], field: str) -> None:
        """Each of the three fields has to be right."""
        assert (await make(password_login=True).log_in(**{field: "x"})).status_code == 401

    async def test_the_next_login_ends_the_session(self, make: Callable[..., Wire]) -> None:
        """A user has one session: a second login makes the first one's cookie worthless."""
        wire = make(password_login=True)
        other = Wire(wire.simulator)

        await wire.log_in()
        await other.log_in()
        codes = [(await each.http.get("/statsapi/cfg/teams")).status_code for each in (wire, other)]

        assert codes == [401, 200]

    async def test_a_session_can_be_left(self, make: Callable[..., Wire]) -> None:
        """DELETE signs out."""
        wire = make(password_login=True)
        await wire.log_in()

        left = await wire.http.delete(AUTH)

        assert left.status_code == 200
        assert (await wire.http.get("/statsapi/cfg/teams")).status_code == 401

    async def test_cookies_do_not_open_the_list_api(self, make: Callable[..., Wire]) -> None:
        """Campaigns are for tokens only."""
        wire = make(password_login=True)
        await wire.log_in()

        assert (await wire.http.get(f"{CAMPAIGN}/getAll")).status_code == 401


class TestSubscribing:
    async def test_success_is_empty(self, make: Callable[..., Wire]) -> None:
        """A subscription is answered with 200, no bytes and no content type."""
        wire = await make().sign_in()

        answer = await wire.subscribe(TOTALS)

        assert (answer.status_code, answer.content) == (200, b"")
        assert "content-type" not in answer.headers
        assert wire.simulator.subscribed() == TOTALS

    @pytest.mark.parametrize(
        "body",
        [
            [],
            {},
            {"app": []},
            {"app": {"stats_totals": "agents_logged"}},
            {"app": {"stats_totals": [1]}},
            {"app": {"stats_totals": ["no_such_statistic"]}},
            {"app": {"stats_totals": ["login_id"]}},
            {"app": {"stats_totals": ["agents_logged"], "stats": []}},
            {"app": {"stats_totals": [], "stats_totals_service_ids": ["Sales"]}},
            {"app": {"stats_totals": None}},
            {"app": {"moods": []}},
            {"app": {"agent_grids": {}}},
            {"app": {"agent_grids": [{"columns": [LOGIN]}]}},
            {"app": {"agent_grids": [{"id": "g"}]}},
            {"app": {"agent_grids": [{"id": True, "columns": [LOGIN]}]}},
            {"app": {"agent_grids": [{"id": "g", "columns": [LOGIN]}] * 2}},
            {"app": {"service_grids": [{"id": "g", "columns": [LOGIN]}]}},
            {"app": {"service_grids": [{"id": "g", "columns": [LOGIN], "team_ids": []}]}},
            grid(),
            grid(LOGIN, LOGIN),
            grid({"id": "1"}),
            grid({"stat_name": "login_id"}),
            grid({"id": 1.5, "stat_name": "login_id"}),
            grid({**LOGIN, "statName": "login_id"}),
            grid({**LOGIN, "coltitle": "Login"}),
            grid({**LOGIN, "dir": "ASC"}),
            grid({"id": "1", "stat_name": "name"}),
            grid({"id": "1", "stat_name": "no_such_statistic"}),
            grid({"id": "1", "stat_name": "login_id", "dispositions": "Sale"}),
            grid(LOGIN, limit="many"),
            grid(LOGIN, limit=-1),
            grid(LOGIN, limit=True),
            grid(LOGIN, order_by="2"),
            grid(LOGIN, order_by="1", order_dir="UP"),
            grid(LOGIN, order=[{"by": "2", "dir": "ASC"}]),
            grid(LOGIN, order=[{"dir": "ASC"}]),
            grid(LOGIN, filter_by="2", filter_value="", filter_operation="EQ"),
            grid(LOGIN, filter_by="1", filter_value="", filter_operation="LIKE"),
            grid(LOGIN, filter_by="1", filter_value=1, filter_operation="EQ"),
            grid(LOGIN, team_ids=["Blue"]),
            grid(LOGIN, logged_in_agents_only="no"),
            grid(LOGIN, my_subteam_only=1),
        ],
    )
    async def test_a_bad_body_gets_a_code_and_a_message(
        self, make: Callable[..., Wire], body: Any
    ) -> None:
        """Whatever is malformed, unknown or foreign refuses the whole subscription."""
        wire = await make().sign_in()

        answer = await wire.subscribe(body)

        assert answer.status_code == 400
        assert set(answer.json()) == {"error_code", "error_message"}
        assert isinstance(answer.json()["error_code"], int)
        assert wire.simulator.active_subscriptions == 0

    async def test_a_body_is_json(self, make: Callable[..., Wire]) -> None:
        """Another content type is refused, and so is JSON that cannot be read."""
        wire = await make(error_codes="text").sign_in()

        typed = await wire.http.post(SUBSCRIPTION, content="{}", headers={"Content-Type": "text/a"})
        torn = await wire.http.post(
            SUBSCRIPTION, content="{", headers={"Content-Type": "application/json"}
        )

        assert typed.status_code == 415
        assert torn.status_code == 400
        assert isinstance(torn.json()["error_code"], str)

    async def test_an_unknown_statistic_may_be_an_empty_cell(
        self, make: Callable[..., Wire]
    ) -> None:
        """A switch serves unknown names as nothing, in totals and in grids."""
        wire = await make(unknown_statistics="empty").sign_in()
        body = grid(LOGIN, {"id": "2", "stat_name": "mood"}, limit=1)
        body["app"]["stats_totals"] = ["weather", "agents_logged"]

        data = await wire.read(body)

        assert data["app"]["stats_totals"]["weather"] == ""
        assert data["app"]["stats_totals"]["agents_logged"] != ""
        assert data["app"]["agent_grids"][0]["values"][0]["2"] == ""

    @pytest.mark.parametrize(
        ("accepted", "codes"),
        [("both", [200, 200]), ("stat_name", [200, 400]), ("statName", [400, 200])],
    )
    async def test_both_spellings_of_the_column_key(
        self, make: Callable[..., Wire], accepted: str, codes: list[int]
    ) -> None:
        """Which spelling a server takes is a switch; both are taken at first."""
        wire = await make(column_key=accepted).sign_in()

        answers = [
            await wire.subscribe(grid({"id": "1", key: "login_id"}))
            for key in ("stat_name", "statName")
        ]

        assert [answer.status_code for answer in answers] == codes

    async def test_names_nobody_has_seen_in_a_place_can_be_unknown(
        self, make: Callable[..., Wire]
    ) -> None:
        """A switch leaves only the names that were seen in a kind of block."""
        wire = await make().sign_in()

        before = await wire.subscribe({"app": {"stats_totals": ["agents_busy"]}})
        wire.simulator.likely_statistics = False
        after = await wire.subscribe({"app": {"stats_totals": ["agents_busy"]}})

        assert [before.status_code, after.status_code] == [200, 400]


class TestLicences:
    async def test_the_limit_is_of_the_tenant(self, make: Callable[..., Wire]) -> None:
        """One subscription too many is answered with 409, until one is deleted."""
        wire = await make(max_active_subscriptions=1, other_users={"b": "s"}).sign_in()
        other = await Wire(wire.simulator).sign_in(client_id="b", client_secret="s")

        codes = [(await each.subscribe(TOTALS)).status_code for each in (wire, other, wire)]
        used = wire.simulator.active_subscriptions
        codes.append((await wire.http.delete(ACTIVE)).status_code)
        codes.append((await other.subscribe(TOTALS)).status_code)

        assert codes == [200, 409, 200, 200, 200]
        assert used == 1

    async def test_wallboards_of_others_count(self, make: Callable[..., Wire]) -> None:
        """Licences that others use up are missing here."""
        wire = await make(max_active_subscriptions=3, wallboards_open=3).sign_in()

        refused = await wire.subscribe(TOTALS)
        wire.simulator.wallboards_open = 2
        accepted = await wire.subscribe(TOTALS)

        assert (refused.status_code, accepted.status_code) == (409, 200)
        assert set(refused.json()) == {"error_code", "error_message"}
        assert wire.simulator.active_subscriptions == 3

    async def test_subscriptions_idle_out(
        self, make: Callable[..., Wire], clock: VirtualClock
    ) -> None:
        """After 15 minutes without a poll the subscription and its licence are gone."""
        wire = await make().sign_in()
        await wire.read(TOTALS)

        codes = []
        for seconds in (600, 600, 901):
            clock.now += seconds
            codes.append((await wire.poll()).status_code)

        assert codes == [200, 200, 404]
        assert wire.simulator.active_subscriptions == 0


class TestPolling:
    async def test_data_need_a_while(self, make: Callable[..., Wire]) -> None:
        """After a subscription so many polls are answered with 204 and no bytes."""
        wire = await make(polls_until_ready=2).sign_in()
        await wire.subscribe(TOTALS)

        answers = [await wire.poll() for _ in range(3)]

        assert [answer.status_code for answer in answers] == [204, 204, 200]
        assert answers[0].content == b""

    async def test_nothing_is_active_at_first(self, make: Callable[..., Wire]) -> None:
        """Without a subscription polls get 404, and deleting it the status of the switch."""
        wire = await make(delete_nothing_status=500).sign_in()

        polled, deleted = await wire.poll(), await wire.http.delete(ACTIVE)

        assert wire.simulator.subscribed() is None
        assert (polled.status_code, deleted.status_code) == (404, 500)

    async def test_a_second_subscription_replaces_the_first(
        self, make: Callable[..., Wire]
    ) -> None:
        """A user has one subscription, however many clients there are."""
        wire = await make().sign_in()
        other = await Wire(wire.simulator).sign_in()
        await wire.read(TOTALS)

        await other.read({"second": {"stats_totals": ["agents_ready"]}})
        data = (await wire.poll()).json()

        assert set(data) == {"second"}
        assert wire.simulator.active_subscriptions == 1

    async def test_subscriptions_may_belong_to_tokens(
        self, make: Callable[..., Wire], clock: VirtualClock
    ) -> None:
        """With the switch a new token has no subscription yet."""
        wire = await make(subscription_per="token").sign_in()
        await wire.read(TOTALS)

        clock.now += 10
        wire.simulator.expire_tokens()
        await wire.sign_in()

        assert (await wire.poll()).status_code == 404

    @pytest.mark.parametrize(
        ("outcome", "code"), [("not_found", 404), ("unauthorized", 401), ("foreign", 200)]
    )
    async def test_another_login_takes_the_subscription(
        self, make: Callable[..., Wire], outcome: str, code: int
    ) -> None:
        """What the loser sees is a switch: no subscription, no session, or strange data."""
        wire = await make(taken_over=outcome).sign_in()
        await wire.read(TOTALS)

        assert wire.simulator.subscribed() == TOTALS
        wire.simulator.take_over()
        lost = await wire.poll()
        used = wire.simulator.active_subscriptions
        again = await wire.read(TOTALS)

        assert lost.status_code == code
        assert code != 200 or set(lost.json()) == {"wallboard"}
        assert used == 1
        assert set(again) == {"app"}

    async def test_another_login_ends_a_session(self, make: Callable[..., Wire]) -> None:
        """With the old way to sign in the cookie is worthless afterwards."""
        wire = make(password_login=True)
        await wire.log_in()

        wire.simulator.take_over()

        assert (await wire.poll()).status_code == 401

    @pytest.mark.parametrize(("sticky", "code"), [(True, 404), (False, 200)])
    async def test_the_balancer_wants_its_cookie_back(
        self, make: Callable[..., Wire], sticky: bool, code: int
    ) -> None:
        """Where machines do not share, whoever loses the cookie loses the subscription."""
        wire = await make(sticky_required=sticky).sign_in()

        kept = await wire.read(TOTALS)
        again = [(await wire.poll()).status_code for _ in range(3)]
        wire.http.cookies.clear()
        polls = []
        for _ in range(2):
            polls.append((await wire.poll()).status_code)
            wire.http.cookies.clear()

        assert kept
        assert again == [200, 200, 200]
        assert sorted(polls) == sorted([200, code])

    async def test_the_cookie_changes_with_each_answer(self, make: Callable[..., Wire]) -> None:
        """Every answer sets the balancer's cookies anew, unless there is no balancer."""
        wire = make()

        values = {(await wire.token()).cookies["AWSALB"] for _ in range(3)}
        wire.simulator.balancer = False
        direct = await wire.token()

        assert len(values) == 3
        assert "AWSALB" not in direct.cookies

    async def test_data_may_be_refreshed_at_intervals(
        self, make: Callable[..., Wire], floor: Floor, clock: VirtualClock
    ) -> None:
        """Within the refresh interval the same data come again."""
        wire = await make(refresh_seconds=5.0).sign_in()
        before = await wire.read(TOTALS)

        floor.surge("Sales", 200)
        clock.now += 4
        same = (await wire.poll()).json()
        clock.now += 1
        fresh = (await wire.poll()).json()

        assert same == before
        assert fresh != before

    async def test_last_modified_is_wrong_in_the_afternoon(self, make: Callable[..., Wire]) -> None:
        """The header has the twelve-hour clock of the platform."""
        wire = await make().sign_in()
        await wire.read(TOTALS)

        assert (await wire.poll()).headers["last-modified"] == "Mon, 02 Mar 2026 06:00:00 GMT"


class TestFigures:
    def test_the_catalogue_has_45_names(self) -> None:
        """All names that are known are served, each in the places where it was seen."""
        everywhere = {name for kind in SEEN for name in SEEN[kind] | LIKELY[kind]}

        assert [len(SEEN[kind]) for kind in ("totals", "service", "agent")] == [14, 15, 25]
        assert len(everywhere) == 45

    async def test_everything_is_as_the_platform_would_say(self, make: Callable[..., Wire]) -> None:
        """A subscription to all statistics brings the simulator's own truth, all in strings."""
        wire = await make().sign_in()
        columns = {kind: sorted(names(wire.simulator, kind)) for kind in SEEN}

        data = await wire.read({"t": {"stats_totals": columns["totals"]}})
        services = await wire.rows("service", columns["service"])
        agents = await wire.rows("agent", columns["agent"])

        truth = wire.simulator.truth()
        assert data["t"]["stats_totals"] == truth.totals
        assert [dict(zip(columns["service"], row, strict=True)) for row in services] == list(
            truth.services.values()
        )
        assert [dict(zip(columns["agent"], row, strict=True)) for row in agents] == list(
            truth.agents.values()
        )

    async def test_services_are_the_queues_and_dialling_campaigns_of_the_floor(
        self, make: Callable[..., Wire], floor: Floor
    ) -> None:
        """Each service's figures are the floor's, one service is named like a number."""
        rows = make().simulator.truth().services
        dialling = {name for name, each in floor.campaigns.items() if each.kind != "inbound"}

        assert set(rows) == set(floor.queues) | dialling
        assert "1" in rows
        for name, queue in floor.queues.items():
            day, states, row = queue.day, floor.queue_agents(name), rows[name]
            logged = sum(states.values()) - states[LOGGED_OUT]
            assert row["in_calls_waiting"] == str(queue.waiting_count)
            assert row["in_max_wait_time"] == str(round(queue.longest_wait))
            assert row["in_calls_received_per_day"] == str(day.offered)
            assert row["in_calls_abandoned_total_per_day"] == str(day.abandoned)
            assert row["in_calls_handled_per_day"] == str(day.handled)
            assert row["agents_logged"] == str(logged)
            assert row["agents_ready"] == str(states[READY])
            assert row["agents_busy"] == str(logged - states[READY] - states["not_ready"])
            if queue.media == "email":
                assert row["service_level"] == row["service_level_threshold_time"] == ""
            elif day.answered:
                whole = day.answered + day.abandoned - day.short_abandoned
                level = round(100 * day.answered_within_threshold / whole, 2)
                assert float(row["service_level"]) == level
                asa = round(day.answer_wait_seconds / day.answered)
                assert row["in_average_speed_of_answer"] == str(asa)
        for name in dialling:
            totals = floor.campaigns[name].day
            assert rows[name]["out_calls_answered_per_day"] == str(totals.answered_live)
            assert rows[name]["in_calls_waiting"] == "0"
            assert rows[name]["service_level"] == ""

    async def test_totals_count_an_agent_once(
        self, make: Callable[..., Wire], floor: Floor
    ) -> None:
        """Totals are sums and maxima of services; agents of several services count once."""
        totals = make().simulator.truth().totals
        queues = floor.queues.values()
        present = [agent for agent in floor.agents.values() if agent.state != LOGGED_OUT]

        assert totals["agents_logged"] == str(len(present))
        assert totals["agents_ready"] == str(sum(agent.state == READY for agent in present))
        assert totals["in_calls_waiting"] == str(sum(queue.waiting_count for queue in queues))
        assert totals["in_max_wait_time"] == str(round(max(q.longest_wait for q in queues)))
        assert totals["in_calls_received_per_day"] == str(sum(q.day.offered for q in queues))
        assert totals["service_level_threshold_time"] == ""

    async def test_totals_of_some_services(self, make: Callable[..., Wire], floor: Floor) -> None:
        """Applications in one subscription may cover different services."""
        wire = await make().sign_in()
        ids = {each["name"]: each["id"] for each in await wire.get("/statsapi/cfg/services")}
        name = "in_calls_received_per_day"

        data = await wire.read(
            {
                "all": {"stats_totals": [name], "stats_totals_service_ids": []},
                "one": {
                    "stats_totals": [name, "service_level_threshold_time"],
                    "stats_totals_service_ids": [ids["Sales"]],
                    "stats_totals_dispositions": [],
                },
            }
        )

        assert data["one"]["stats_totals"] == {
            name: str(floor.queues["Sales"].day.offered),
            "service_level_threshold_time": "20",
        }
        assert int(data["all"]["stats_totals"][name]) > int(data["one"]["stats_totals"][name])

    async def test_agents_are_the_floors(self, make: Callable[..., Wire], floor: Floor) -> None:
        """Each agent's cells are the floor's; logged-out agents have no state."""
        words = {
            "ready": "ready",
            "ringing": "busy",
            "on_contact": "busy",
            "on_hold": "busy",
            "after_contact_work": "after_call_work",
            "not_ready": "not_ready",
            "logged_out": "",
        }
        rows = make().simulator.truth().agents

        assert set(rows) == set(floor.agents)
        assert {row["acd_state"] for row in rows.values()} == set(words.values())
        for login, agent in floor.agents.items():
            row, seconds = rows[login], agent.day.state_seconds
            assert row["acd_state"] == words[agent.state]
            assert row["first_last_name"] == f"{row['firstname']} {row['lastname']}" == agent.name
            assert row["user_id"] == agent.guid.upper()
            assert row["team_name"] == agent.team
            assert row["in_calls_handled_per_day"] == str(agent.day.inbound)
            assert row["agent_total_ready_time"] == str(round(seconds["ready"]))
            assert row["agent_total_break_time"] == str(round(seconds["not_ready"]))
            assert row["reason"] == (agent.reason if agent.state == "not_ready" else "")
            assert (row["login_time"] == "") == (agent.state == LOGGED_OUT)
            assert (row["active_item_media_type"] == "") == (agent.contact is None)

    async def test_dispositions_of_a_column(self, make: Callable[..., Wire], floor: Floor) -> None:
        """A column counts the interactions that ended with one of its dispositions."""
        wire = await make().sign_in()
        column = {"id": "2", "stat_name": "calls_dispositions_per_day"}
        wanted = ["Resolved", "Sale"]

        data = await wire.read(grid(LOGIN, {**column, "dispositions": wanted}))
        rows = data["app"]["agent_grids"][0]["values"]
        campaigns = await wire.rows("service", ["name", "calls_dispositions_per_day"])

        for row in rows:
            counts = floor.agents[row["1"]].day.dispositions
            assert row["2"] == str(sum(counts[name] for name in wanted))
        assert any(row["2"] != "0" for row in rows)
        assert {name: cell for name, cell in campaigns if name in floor.campaigns} == {
            name: str(sum(each.day.dispositions.values()))
            for name, each in floor.campaigns.items()
            if each.kind != "inbound"
        }

    @pytest.mark.parametrize(
        ("switches", "agent", "expected"),
        [
            ({"logged_out_state": "0"}, LOGGED_OUT, "0"),
            ({"ringing_state": "ready"}, "ringing", "ready"),
            ({"ringing_state": "busy"}, "ringing", "busy"),
        ],
    )
    async def test_states_that_are_not_settled(
        self,
        make: Callable[..., Wire],
        floor: Floor,
        switches: dict[str, str],
        agent: str,
        expected: str,
    ) -> None:
        """How a logged-out or a ringing agent is written is a switch."""
        while agent not in {each.state for each in floor.agents.values()}:
            floor.advance(floor.now + 1)
        login = next(name for name, each in floor.agents.items() if each.state == agent)

        assert make(**switches).simulator.truth().agents[login]["acd_state"] == expected

    async def test_login_times_and_media_have_two_spellings(
        self, make: Callable[..., Wire], floor: Floor
    ) -> None:
        """A login time is a duration or an instant, media are in upper or lower case."""
        login = next(name for name, agent in floor.agents.items() if agent.contact)
        switched = make(media_case="lower", login_time="timestamp").simulator

        plain, row = make().simulator.truth().agents[login], switched.truth().agents[login]

        assert row["active_item_media_type"] == plain["active_item_media_type"].lower()
        assert row["active_item_media_type"] in {"voice", "chat", "email"}
        since = datetime.fromisoformat(row["login_time"]).timestamp()
        assert START - since == pytest.approx(int(plain["login_time"]), abs=1)

    @pytest.mark.parametrize(
        ("switches", "cells", "totals"),
        [
            ({}, ["Renewals", "0", ""], ["0", ""]),
            ({"nothing": "null"}, ["Renewals", "0", None], ["0", None]),
            ({"numbers": "bare"}, ["Renewals", 0, ""], [0, ""]),
            ({"numbers": "bare_totals"}, ["Renewals", "0", ""], [0, ""]),
        ],
    )
    async def test_how_values_are_written(
        self,
        make: Callable[..., Wire],
        switches: dict[str, str],
        cells: list[Any],
        totals: list[Any],
    ) -> None:
        """Values are strings, nothing is an empty one; switches write numbers and null."""
        wire = await make(**switches).sign_in()
        ids = {each["name"]: each["id"] for each in await wire.get("/statsapi/cfg/services")}
        only = {"service_ids": [ids["Renewals"]]}
        figures = ["in_calls_waiting", "in_average_speed_of_answer"]

        rows = await wire.rows("service", ["name", *figures], **only)
        data = await wire.read(
            {"a": {"stats_totals": figures, "stats_totals_service_ids": only["service_ids"]}}
        )

        assert rows == [cells]
        assert [data["a"]["stats_totals"][name] for name in figures] == totals

    async def test_nothing_may_be_a_missing_key(self, make: Callable[..., Wire]) -> None:
        """A switch leaves cells without a value out, in grids and in totals."""
        wire = await make(nothing="absent").sign_in()
        columns = [{"id": "1", "stat_name": "name"}, {"id": "2", "stat_name": "service_level"}]

        data = await wire.read(
            {
                "app": {
                    "stats_totals": ["service_level_threshold_time"],
                    "service_grids": [{"id": "g", "columns": columns}],
                }
            }
        )

        rows = {row["1"]: row for row in data["app"]["service_grids"][0]["values"]}
        assert data["app"]["stats_totals"] == {}
        assert set(rows["Renewals"]) == {"1"}
        assert set(rows["Sales"]) == {"1", "2"}


class TestGrids:
    async def test_rows_are_ordered_and_cut(self, make: Callable[..., Wire]) -> None:
        """Rows come in the order asked for, numbers as numbers, then cut to the limit."""
        wire = await make().sign_in()
        columns = ["name", "in_calls_received_per_day"]

        rising = await wire.rows("service", columns, order_by=columns[1])
        top = await wire.rows("service", columns, order_by=columns[1], order_dir="DESC", limit="3")
        both = await wire.rows(
            "service",
            columns,
            order=[{"by": columns[1], "dir": "DESC"}, {"by": "name", "dir": "ASC"}],
        )

        counts = [int(row[1]) for row in rising]
        assert counts == sorted(counts)
        assert [int(row[1]) for row in top] == sorted(counts, reverse=True)[:3]
        assert both == sorted(both, key=lambda row: (-int(row[1]), row[0]))

    @pytest.mark.parametrize(
        ("operation", "passes"),
        [
            ("EQ", lambda a, b: a == b),
            ("NE", lambda a, b: a != b),
            ("LT", lambda a, b: a < b),
            ("GT", lambda a, b: a > b),
            ("LE", lambda a, b: a <= b),
            ("GE", lambda a, b: a >= b),
        ],
    )
    async def test_rows_are_filtered(
        self,
        make: Callable[..., Wire],
        operation: str,
        passes: Callable[[int, int], bool],
    ) -> None:
        """A grid keeps the rows whose cell compares to the value."""
        wire = await make().sign_in()
        columns = ["name", "in_calls_received_per_day"]
        everything = await wire.rows("service", columns)
        middle = sorted(int(row[1]) for row in everything)[len(everything) // 2]

        kept = await wire.rows(
            "service",
            columns,
            filter_by=columns[1],
            filter_value=str(middle),
            filter_operation=operation,
        )

        assert kept == [row for row in everything if passes(int(row[1]), middle)]

    @pytest.mark.parametrize("only", [True, "true", False, "false", None])
    async def test_logged_out_agents(
        self, make: Callable[..., Wire], floor: Floor, only: bool | str | None
    ) -> None:
        """A boolean or its word chooses whether logged-out agents are listed, with no state."""
        wire = await make().sign_in()
        choice = {} if only is None else {"logged_in_agents_only": only}

        rows = await wire.rows("agent", ["login_id", "acd_state"], **choice)

        present = [agent for agent in floor.agents.values() if agent.state != LOGGED_OUT]
        expected = len(present) if only in (True, "true") else len(floor.agents)
        assert len(rows) == expected
        assert ("" in {state for _, state in rows}) == (only not in (True, "true"))

    async def test_a_filter_also_drops_logged_out_agents(
        self, make: Callable[..., Wire], floor: Floor
    ) -> None:
        """The wallboard's own way: acd_state not equal to nothing."""
        wire = await make().sign_in()
        by = {"filter_by": "acd_state", "filter_value": "", "filter_operation": "NE"}

        rows = await wire.rows("agent", ["login_id", "acd_state"], **by)

        assert {login for login, _ in rows} == {
            name for name, each in floor.agents.items() if each.state != LOGGED_OUT
        }

    async def test_rows_of_teams_and_services(
        self, make: Callable[..., Wire], floor: Floor
    ) -> None:
        """Ids choose teams and services; an unknown id chooses nothing."""
        wire = await make().sign_in()
        teams = {each["name"]: each["id"] for each in await wire.get("/statsapi/cfg/teams")}
        services = {each["name"]: each["id"] for each in await wire.get("/statsapi/cfg/services")}

        blue = await wire.rows("agent", ["team_name"], team_ids=[teams["Blue"]])
        sales = await wire.rows("agent", ["login_id"], service_ids=[services["Sales"]])
        lines = await wire.rows("service", ["name"], service_ids=[services["1"]])
        nobody = await wire.rows("agent", ["login_id"], team_ids=[services["Sales"]])

        assert {name for (name,) in blue} == {"Blue"}
        assert {name for (name,) in sales} == {
            name for name, each in floor.agents.items() if "Sales" in each.queues
        }
        assert lines == [["1"]]
        assert nobody == []

    async def test_a_grid_without_a_limit_may_be_cut(self, make: Callable[..., Wire]) -> None:
        """A default limit is a switch."""
        wire = await make(default_limit=2).sign_in()

        assert len(await wire.rows("agent", ["login_id"])) == 2
        assert len(await wire.rows("agent", ["login_id"], limit=5)) == 5

    async def test_only_what_was_asked_for_comes(self, make: Callable[..., Wire]) -> None:
        """Applications, blocks, grids and column ids come back as they were sent."""
        wire = await make().sign_in()

        data = await wire.read(
            {
                "one": {"stats_totals": []},
                "two": {"agent_grids": [{"id": 7, "columns": [{**LOGIN, "id": 5}], "limit": 1}]},
                "": {},
            }
        )

        assert data["one"] == {"stats_totals": {}}
        assert data["two"]["agent_grids"][0]["id"] == 7
        assert set(data["two"]["agent_grids"][0]["values"][0]) == {"5"}
        assert data[""] == {}


class TestVisibility:
    async def test_teams_limit_the_rows(self, make: Callable[..., Wire], floor: Floor) -> None:
        """A supervisor sees the agents of the teams and the services that these handle."""
        floor.add_queue("Nobody's")
        for agent in floor.agents.values():
            agent.queues = tuple(name for name in agent.queues if name != "Nobody's")
        wire = await make(supervised_teams=frozenset(["Blue"])).sign_in()

        teams = await wire.get("/statsapi/cfg/teams")
        agents = await wire.rows("agent", ["login_id"])
        services = {each["name"] for each in await wire.get("/statsapi/cfg/services")}
        rows = await wire.rows("service", ["name", "agents_logged"])

        blue = {name: each for name, each in floor.agents.items() if each.team == "Blue"}
        assert [team["name"] for team in teams] == ["Blue"]
        assert {login for (login,) in agents} == set(blue)
        assert "Nobody's" not in services
        assert {name for name, _ in rows} == services
        present = [each for each in floor.agents.values() if each.state != LOGGED_OUT]
        everybody = {name: sum(name in a.queues for a in present) for name in floor.queues}
        assert all(int(n) == everybody[name] for name, n in rows if name in everybody)

    @pytest.mark.parametrize("unseen", ["empty", "absent"])
    @pytest.mark.parametrize(
        ("switches", "kind"),
        [
            ({"may_see_agents": False}, "agent_grids"),
            ({"supervised_teams": frozenset()}, "agent_grids"),
            ({"may_see_services": False}, "service_grids"),
        ],
    )
    async def test_missing_privileges_leave_a_block_empty(
        self, make: Callable[..., Wire], unseen: str, switches: dict[str, Any], kind: str
    ) -> None:
        """Who may not see agents or services gets no rows, or no grid."""
        wire = await make(unseen=unseen, **switches).sign_in()
        name = {"agent_grids": "login_id", "service_grids": "name"}[kind]
        wanted = {"id": "g", "columns": [{"id": "1", "stat_name": name}]}

        data = await wire.read({"app": {kind: [wanted]}})

        assert data["app"] == ({kind: [{"id": "g", "values": []}]} if unseen == "empty" else {})

    @pytest.mark.parametrize("code", [401, 403])
    async def test_access_itself_is_a_privilege(self, make: Callable[..., Wire], code: int) -> None:
        """Which status says so is a switch; the token is granted all the same."""
        wire = await make(may_read=False, refusal_status=code).sign_in()

        assert (await wire.subscribe(TOTALS)).status_code == code


class TestDay:
    async def test_day_figures_restart_at_midnight(
        self, make: Callable[..., Wire], floor: Floor
    ) -> None:
        """At the floor's midnight, the default, what is counted per day falls to nothing."""
        wire = make()
        before = wire.simulator.truth().totals

        floor.advance(datetime(2026, 3, 3, 8, 0, 1, tzinfo=UTC).timestamp())
        after = wire.simulator.truth().totals

        assert int(before["in_calls_received_per_day"]) > 50
        assert int(after["in_calls_received_per_day"]) < 5
        assert int(after["in_calls_received_per_day"]) == sum(
            queue.day.offered for queue in floor.queues.values()
        )

    async def test_the_reset_may_have_an_hour(
        self, make: Callable[..., Wire], floor: Floor
    ) -> None:
        """Figures run on over the floor's midnight, restart at the tenant's hour, lose nothing."""
        wire = make(reset_hour=21.5)  # in California
        reset = datetime(2026, 3, 3, 5, 30, tzinfo=UTC).timestamp()

        def received() -> int:
            return int(wire.simulator.truth().totals["in_calls_received_per_day"])

        def offered() -> int:
            return sum(queue.day.offered for queue in floor.queues.values())

        floor.advance(reset - 1)
        before, at_reset = received(), offered()
        floor.advance(reset)
        restarted = received()
        floor.advance(reset + 2.5 * HOUR - 1)  # a second to midnight
        evening = offered()
        counted = received()
        floor.advance(reset + 16 * HOUR)

        assert before == at_reset > 0
        assert restarted in (0, 1)
        assert counted in (evening - at_reset, evening - at_reset - 1)
        assert received() in (counted + offered(), counted + offered() + 1)

    async def test_every_day_has_its_reset(self, make: Callable[..., Wire], floor: Floor) -> None:
        """The reset comes again each day, for agents and campaigns as well."""
        wire = make(reset_hour=4.0)

        seen = []
        for day in (3, 4, 5):
            floor.advance(datetime(2026, 3, day, 13, 0, tzinfo=UTC).timestamp())
            rows = wire.simulator.truth().agents.values()
            seen.append(sum(int(row["agent_total_ready_time"]) for row in rows))

        assert all(0 < ready < 60 * HOUR for ready in seen)

    async def test_a_floor_without_queues_resets_at_midnight_only(
        self, clock: VirtualClock
    ) -> None:
        """Another hour needs the clock of a queue."""
        empty = Floor(queues=0, start=START)

        assert BrightPatternSimulator(empty, clock).truth().totals["in_calls_waiting"] == "0"
        with pytest.raises(ValueError, match="queues"):
            BrightPatternSimulator(empty, clock, reset_hour=4.0)

    async def test_a_correction_lets_a_figure_fall(
        self, make: Callable[..., Wire], floor: Floor
    ) -> None:
        """A day figure can fall a little, in its row and in totals, until the next reset."""
        simulator = make().simulator
        name = "in_calls_received_per_day"
        before = simulator.truth()

        simulator.correct(name, "Sales", -2)
        after = simulator.truth()
        floor.advance(START + 14 * HOUR + 60)
        next_day = simulator.truth()

        assert int(after.services["Sales"][name]) == int(before.services["Sales"][name]) - 2
        assert int(after.totals[name]) == int(before.totals[name]) - 2
        assert next_day.services["Sales"][name] == str(floor.queues["Sales"].day.offered)

    @pytest.mark.parametrize(
        ("statistic", "name"),
        [("in_calls_received_per_day", "Nowhere"), ("agents_logged", "Sales")],
    )
    async def test_only_day_figures_are_corrected(
        self, make: Callable[..., Wire], statistic: str, name: str
    ) -> None:
        """What is not counted cannot be corrected."""
        with pytest.raises(ValueError, match=name):
            make().simulator.correct(statistic, name)


class TestConfiguration:
    @pytest.mark.parametrize("shape", ["array", "object"])
    async def test_dispositions(self, make: Callable[..., Wire], floor: Floor, shape: str) -> None:
        """Names come as an array, or in an object; flags leave some of them out."""
        wire = await make(dispositions_shape=shape).sign_in()

        def plain(answer: Any) -> list[str]:
            assert isinstance(answer, dict) == (shape == "object")
            return list(answer["dispositions"] if shape == "object" else answer)

        every = plain(await wire.get("/statsapi/cfg/dispositions"))
        agents = plain(await wire.get("/statsapi/cfg/dispositions?agentCanSelect=1"))
        inbound = plain(await wire.get("/statsapi/cfg/dispositions?inbound=1"))
        both = plain(await wire.get("/statsapi/cfg/dispositions?inbound=1&outbound=1"))

        assert every == both == sorted(floor.dispositions)
        assert set(agents) == set(inbound) < set(every)

    async def test_ids_are_upper_case_guids_that_rows_repeat(
        self, make: Callable[..., Wire]
    ) -> None:
        """Teams have the ids of their rows, services those of the filters."""
        wire = await make().sign_in()

        teams = await wire.get("/statsapi/cfg/teams")
        services = await wire.get("/statsapi/cfg/services")
        rows = await wire.rows("agent", ["team_id", "team_name"])

        assert {(team["id"], team["name"]) for team in teams} == {(row[0], row[1]) for row in rows}
        everything = [*teams, *services]
        assert all(
            each["id"] == each["id"].upper() and len(each["id"]) == 36 for each in everything
        )
        assert len({each["id"] for each in everything}) == len(everything)
        assert (await wire.http.get("/statsapi/cfg/moods")).status_code == 404


class TestCampaigns:
    async def test_dialling_campaigns_are_listed(
        self, make: Callable[..., Wire], floor: Floor
    ) -> None:
        """Outbound campaigns have one of two states."""
        wire = await make().sign_in(V3)

        listed = await wire.get(f"{CAMPAIGN}/getAll")

        assert {each["name"]: each["state"] for each in listed} == {
            name: "RUNNING" if each.state == "running" else "STOPPED"
            for name, each in floor.campaigns.items()
            if each.kind != "inbound"
        }

    async def test_a_campaign_has_its_lists(self, make: Callable[..., Wire], floor: Floor) -> None:
        """A campaign comes with its list and the number of records."""
        wire = await make().sign_in(V3)
        ids = {each["name"]: each["id"] for each in await wire.get(f"{CAMPAIGN}/getAll")}

        campaign = await wire.get(f"{CAMPAIGN}/getCampaign/{ids['Renewals']}")

        (only,) = campaign["lists"]
        assert only["totalRecords"] == floor.campaigns["Renewals"].records.total
        assert (campaign["name"], campaign["direction"]) == ("Renewals", "OUTBOUND_VOICE")

    @pytest.mark.parametrize("last", ["null", "empty", "absent", "page"])
    async def test_records_come_in_pages(
        self, make: Callable[..., Wire], floor: Floor, last: str
    ) -> None:
        """Pages follow by cursor until there is none, or until an empty page."""
        floor.advance(START + 3 * HOUR)
        wire = await make(last_cursor=last).sign_in(V3)
        ids = {each["name"]: each["id"] for each in await wire.get(f"{CAMPAIGN}/getAll")}
        campaign = await wire.get(f"{CAMPAIGN}/getCampaign/{ids['Renewals']}")
        path = f"{CAMPAIGN}/getAllRecords/{ids['Renewals']}"
        body = {"instanceId": campaign["lists"][0]["instanceId"], "limit": 50, "cursor": None}

        pages = []
        while True:
            answer = (await wire.http.post(path, json=body)).json()
            pages.append(answer["records"])
            body["cursor"] = answer.get("next_cursor")
            if not (answer["records"] and body["cursor"]):
                break

        records = [record for page in pages for record in page]
        done = wire.simulator.completed_records("Renewals")
        total = floor.campaigns["Renewals"].records.total
        assert 50 < done < total
        assert len(records) == total
        assert len({record["entry"]["id"] for record in records}) == len(records)
        assert sum(record["status"]["completed"] for record in records) == done
        tried = sum(record["status"]["totalAttempts"] > 0 for record in records)
        available = floor.campaigns["Renewals"].records.available
        assert tried == total - available
        attempts = await wire.http.post(
            path, json={**body, "cursor": None, "limit": 1, "extractAttempts": True}
        )
        assert len(attempts.json()["records"][0]["attempts"]) == 1
        assert (pages[-1] == []) == (last == "page")

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"instanceId": None}, 400),
            ({"instanceId": "0"}, 409),
            ({"limit": 0}, 400),
            ({"limit": 1001}, 400),
            ({"limit": "50"}, 400),
            ({"limit": True}, 400),
            ({"cursor": "next"}, 400),
            ({"extractAttempts": "true"}, 400),
            ({"page": 1}, 400),
            ({"startTime": "2026-03-02T00:00:00.000"}, 400),
        ],
    )
    async def test_bad_pages_are_refused(
        self, make: Callable[..., Wire], change: dict[str, Any], code: int
    ) -> None:
        """Each parameter has its type and bounds, and strange ones are refused in words."""
        wire = await make().sign_in(V3)
        listed = await wire.get(f"{CAMPAIGN}/getAll")
        campaign = await wire.get(f"{CAMPAIGN}/getCampaign/{listed[0]['id']}")
        body = {"instanceId": campaign["lists"][0]["instanceId"], "limit": 50}

        path = f"{CAMPAIGN}/getAllRecords/{listed[0]['id']}"
        answer = await wire.http.post(path, json={**body, **change})

        assert answer.status_code == code
        assert set(answer.json()) == {"error", "error_description"}

    async def test_bad_requests_are_refused(self, make: Callable[..., Wire]) -> None:
        """Unknown campaigns, missing or strange bodies and missing privileges have statuses."""
        wire = await make().sign_in(V3)
        listed = await wire.get(f"{CAMPAIGN}/getAll")
        records = f"{CAMPAIGN}/getAllRecords/{listed[0]['id']}"

        unknown = await wire.http.get(f"{CAMPAIGN}/getCampaign/0")
        typed = await wire.http.post(records, data={"limit": "1"})
        lists = await wire.http.post(records, json=[])
        empty = await wire.http.post(records, json={"limit": 1})
        wire.simulator.may_see_campaigns = False
        forbidden = await wire.http.get(f"{CAMPAIGN}/getAll")

        answers = [unknown, typed, lists, empty, forbidden]
        assert [answer.status_code for answer in answers] == [404, 415, 400, 400, 403]
        assert all(answer.json()["error_description"] for answer in answers)


class TestFailures:
    @pytest.mark.parametrize(("kind", "code"), [("401", 401), ("429:30", 429), ("500", 500)])
    async def test_a_status_comes_alone(
        self, make: Callable[..., Wire], kind: str, code: int
    ) -> None:
        """A status has no body, and "Retry-After" where the kind says so."""
        wire = await make().sign_in()
        await wire.read(TOTALS)

        wire.simulator.fail_next(kind, target=DATA)
        other = await wire.http.get("/statsapi/cfg/teams")
        failed, after = await wire.poll(), await wire.poll()

        assert (other.status_code, failed.status_code, after.status_code) == (200, code, 200)
        assert failed.content == b""
        assert failed.headers.get("retry-after", "") == kind.partition(":")[2]
        assert wire.simulator.log[-2].outcome == kind

    @pytest.mark.parametrize(
        ("kind", "totals", "row"),
        [
            ("null_cells", {"agents_logged": "L", "service_level_threshold_time": None}, "S"),
            ("bare_numbers", {"agents_logged": 1, "service_level_threshold_time": ""}, "B"),
            ("wrong_type", {"agents_logged": "n/a", "service_level_threshold_time": ""}, "W"),
            ("missing_column:2", {"agents_logged": "L", "service_level_threshold_time": ""}, "M"),
            (
                "extra_column:x",
                {"agents_logged": "L", "service_level_threshold_time": "", "x": "1"},
                "X",
            ),
            ("no_rows", {"agents_logged": "L", "service_level_threshold_time": ""}, ""),
        ],
    )
    async def test_data_are_changed_once(
        self, make: Callable[..., Wire], kind: str, totals: dict[str, Any], row: str
    ) -> None:
        """Each kind changes the next data in its way, and only these."""
        wire = await make().sign_in()
        ids = {each["name"]: each["id"] for each in await wire.get("/statsapi/cfg/services")}
        columns = [
            {"id": "1", "stat_name": "name"},
            {"id": "2", "stat_name": "service_level_target"},
        ]
        wanted = {"id": "g", "columns": columns, "service_ids": [ids["1"]]}
        body = {"app": {"stats_totals": sorted(totals.keys() - {"x"}), "service_grids": [wanted]}}
        logged = wire.simulator.truth().totals["agents_logged"]

        wire.simulator.fail_next(kind)
        changed = await wire.read(body)
        clean = (await wire.poll()).json()

        logged_as = {"L": logged, 1: int(logged)}
        expected = {name: logged_as.get(value, value) for name, value in totals.items()}
        cells: dict[str, list[dict[str, Any]]] = {
            "S": [{"1": "1", "2": "80"}],
            "B": [{"1": 1, "2": 80}],
            "W": [{"1": "n/a", "2": "n/a"}],
            "M": [{"1": "1"}],
            "X": [{"1": "1", "2": "80", "x": "1"}],
            "": [],
        }
        assert changed["app"]["stats_totals"] == expected
        assert changed["app"]["service_grids"][0]["values"] == cells[row]
        assert clean["app"]["service_grids"][0]["values"] == cells["S"]

    async def test_data_may_be_gone(self, make: Callable[..., Wire]) -> None:
        """An answer without any application is possible."""
        wire = await make().sign_in()
        wire.simulator.fail_next("no_data")

        assert await wire.read(TOTALS) == {}


class TestLog:
    async def test_requests_are_logged(
        self, make: Callable[..., Wire], clock: VirtualClock
    ) -> None:
        """The log has method, path, user, time and status of every request."""
        wire = await make().sign_in()
        clock.now += 5
        await wire.poll()
        await wire.http.get(DATA, headers={"Authorization": ""})

        token, polled, stranger = wire.simulator.log
        user = wire.simulator.username
        assert (token.method, token.path, token.user, token.status) == ("POST", V2, user, 200)
        assert (polled.method, polled.path, polled.user, polled.status) == ("GET", DATA, user, 404)
        assert (stranger.user, stranger.status) == ("", 401)
        assert (polled.start, polled.end) == (START + 5, START + 5)
