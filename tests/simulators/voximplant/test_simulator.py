"""The Voximplant simulator over raw HTTP: refusals, layouts, and figures against the floor."""

import base64
import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from exporter.simulators.floor.figures import (
    LOGGED_OUT,
    ON_CONTACT,
    ON_HOLD,
    READY,
    RINGING,
    STATES,
)
from exporter.simulators.floor.floor import Floor
from exporter.simulators.voximplant.simulator import VoximplantSimulator
from support.clock import VirtualClock

pytestmark = pytest.mark.anyio

START = datetime(2026, 3, 2, 20, 0, tzinfo=UTC).timestamp()  # a Monday, noon in California
MIDNIGHT = "2026-03-02 08:00:00"  # of California, in UTC
APP = {"application_id": "5001"}
USERS = {"from_date": MIDNIGHT, "user_id": "all"}
QUEUES = {"from_date": MIDNIGHT, "acd_queue_id": "all"}
STATUSES = "GetACDOperatorStatusStatistics"
OPERATORS = "GetACDOperatorStatistics"
QUEUE_STATISTICS = "GetACDQueueStatistics"
METRICS = "GetSmartQueueRealtimeMetrics"
A_DAY = "0000-00-01 00:00:00"
REPORT = {**APP, "timezone": "Etc/GMT", "from_date": MIDNIGHT, "interval": A_DAY}


class Wire:
    """Sends raw requests to a simulator over ASGI."""

    def __init__(self, simulator: VoximplantSimulator) -> None:
        self.simulator = simulator
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(simulator.app), base_url="http://voximplant"
        )

    def token(self, header: dict[str, Any] | None = None, **claims: Any) -> str:
        credentials = self.simulator.credentials()
        now = self.simulator.clock.time()
        whole = {"iss": str(credentials["account_id"]), "iat": now - 5, "exp": now + 24, **claims}
        head = {"kid": credentials["key_id"], **(header or {})}
        return jwt.encode(whole, credentials["private_key"], "RS256", headers=head)

    async def send(self, method: str, token: str | None = None, **values: Any) -> httpx.Response:
        head = {"Authorization": f"Bearer {token or self.token()}"}
        return await self.http.post(f"/platform_api/{method}", data=values, headers=head)

    async def call(self, method: str, **values: Any) -> Any:
        response = await self.send(method, **values)
        assert response.status_code == 200, response.text
        assert response.headers["content-type"] == "application/json"
        return response.json()

    async def result(self, method: str, **values: Any) -> Any:
        answer = await self.call(method, **values)
        assert "error" not in answer, answer
        return answer["result"]

    async def code(self, method: str, **values: Any) -> int:
        return (await self.error(method, **values))["code"]

    async def error(self, method: str, **values: Any) -> dict[str, Any]:
        answer = await self.call(method, **values)
        assert list(answer) == ["error"], answer
        return answer["error"]


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(START)


def working_floor() -> Floor:
    floor = Floor(start=START - 14 * 3600, time_zone="America/Los_Angeles")
    floor.advance(START)
    return floor


@pytest.fixture(scope="module")
def floor() -> Floor:
    """Give a floor that is only read."""
    return working_floor()


@pytest.fixture
def own_floor() -> Floor:
    """Give a floor that may be changed."""
    return working_floor()


@pytest.fixture
def make(floor: Floor, clock: VirtualClock) -> Callable[..., Wire]:
    def make(**switches: Any) -> Wire:
        return Wire(VoximplantSimulator(floor, clock, **switches))

    return make


@pytest.fixture
def wire(make: Callable[..., Wire]) -> Wire:
    return make()


def numeric_issuer(token: str, simulator: VoximplantSimulator, issuer: int) -> str:
    """Sign a token again with a number for its issuer, which PyJWT refuses to do by itself."""
    claims = jwt.decode(token, options={"verify_signature": False})
    return jwt.api_jws.encode(
        json.dumps({**claims, "iss": issuer}).encode(),
        simulator.credentials()["private_key"],
        "RS256",
        headers={"kid": simulator.key_id},
    )


# The method's name, and where parameters stand.


async def test_placements_of_method_and_parameters(wire: Wire) -> None:
    """The method may stand in the path or in cmd, parameters in the query or in either body."""
    head = {"Authorization": f"Bearer {wire.token()}"}
    name, values = "GetQueues", {"count": "2"}
    parts = {key: (None, value) for key, value in {"cmd": name, **values}.items()}
    post = wire.http.post

    answers = [
        await post(f"/platform_api/{name}", data=values, headers=head),
        await post(f"/platform_api/{name}/", data=values, headers=head),
        await post("/platform_api", data={"cmd": name, **values}, headers=head),
        await post("/platform_api/", files=parts, headers=head),
        await post(f"/platform_api/{name}", params=values, headers=head),
        await wire.http.get(f"/platform_api/{name}", params=values, headers=head),
        await wire.http.get("/platform_api", params={"cmd": name, **values}, headers=head),
    ]

    bodies = [answer.json() for answer in answers]
    assert len(bodies[0]["result"]) == 2
    assert all(body == bodies[0] for body in bodies)


async def test_multipart_values_keep_their_letters(wire: Wire) -> None:
    """A part's value comes through as it was sent, lines and letters and all."""
    head = {"Authorization": f"Bearer {wire.token()}"}
    parts = {"acd_queue_name": (None, "Rück")}

    answer = await wire.http.post("/platform_api/GetQueues", files=parts, headers=head)

    assert [row["acd_queue_name"] for row in answer.json()["result"]] == ["Rückfragen"]


@pytest.mark.parametrize(
    ("path", "code"),
    [("", 102), ("/GetACDStates", 103), ("/getACDState", 103), ("/SQ_GetSkill", 103)],
)
async def test_a_method_has_one_name_in_one_spelling(wire: Wire, path: str, code: int) -> None:
    """Without a name the platform asks for one, and it knows no name in other letters."""
    head = {"Authorization": f"Bearer {wire.token()}"}

    answer = await wire.http.post(f"/platform_api{path}", headers=head)

    assert (answer.status_code, answer.json()["error"]["code"]) == (200, code)


async def test_a_parameter_with_two_values_is_refused(wire: Wire) -> None:
    """The same parameter with two values is refused, and so are letters that are none."""
    head = {"Authorization": f"Bearer {wire.token()}"}
    url = "/platform_api/GetQueues"
    form = {**head, "Content-Type": "application/x-www-form-urlencoded"}

    twice = await wire.http.post(f"{url}?count=3", data={"count": "4"}, headers=head)
    broken = await wire.http.post(url, content=b"count=\xff", headers=form)

    assert [each.json()["error"]["code"] for each in (twice, broken)] == [101, 101]


# Tokens.


@pytest.mark.parametrize(
    ("header", "claims", "code"),
    [
        ({}, {"iat": START + 2, "exp": START + 60}, 455),
        ({}, {"iat": START - 60, "exp": START}, 456),
        ({}, {"iat": START - 5, "exp": START + 3596}, 454),
        ({"kid": "another"}, {}, 433),
        ({"kid": None}, {}, 447),
        ({}, {"iss": "acme"}, 447),
        ({}, {"iss": None}, 447),
        ({}, {"iat": None}, 447),
        ({}, {"exp": None}, 447),
        ({}, {"exp": float("nan")}, 447),
        ({}, {"iat": True}, 447),
        ({}, {"iss": "7654321"}, 100),
    ],
)
async def test_a_token_is_read_strictly(
    wire: Wire, header: dict[str, Any], claims: dict[str, Any], code: int
) -> None:
    """Each fault of a token has the code that the vendor's error list has for it."""
    token = wire.token({name: value for name, value in header.items() if value})
    if header.get("kid", "") is None:
        credentials = wire.simulator.credentials()
        now = wire.simulator.clock.time()
        body = {"iss": "1234567", "iat": now - 5, "exp": now + 24}
        token = jwt.encode(body, credentials["private_key"], "RS256")
    elif claims:
        whole = jwt.decode(token, options={"verify_signature": False}) | claims
        payload = json.dumps({key: each for key, each in whole.items() if each is not None})
        token = jwt.api_jws.encode(
            payload.encode(),
            wire.simulator.credentials()["private_key"],
            "RS256",
            headers={"kid": wire.simulator.key_id},
        )

    assert await wire.code("GetAccountInfo", token=token) == code


async def test_a_token_of_the_longest_life_is_good(wire: Wire) -> None:
    """An hour is the most that lies between a token's two instants, and it is enough."""
    token = wire.token(iat=START - 5, exp=START + 3595)

    assert "result" in await wire.call("GetAccountInfo", token=token)


async def test_malformed_tokens_are_refused(wire: Wire) -> None:
    """No token, another scheme, malformed, unsigned and foreign tokens are refused."""
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    claims = {"iss": "1234567", "iat": START - 5, "exp": START + 24}
    kid = {"kid": wire.simulator.key_id}
    head, body, _ = wire.token().split(".")
    listed = base64.urlsafe_b64encode(b"[1]").decode().rstrip("=")
    headers = {
        100: [None, f"Bearer {jwt.encode(claims, stranger, 'RS256', headers=kid)}"],
        447: [
            "Basic YTpi",
            "Bearer nonsense",
            f"Bearer {head}.{body}",
            f"Bearer {head}.{body}.a=",
            f"Bearer {head}.{body}.ä",
            f"Bearer {listed}.{body}.aaaa",
            f"Bearer {jwt.encode(claims, None, 'none', headers=kid)}",
            f"Bearer {jwt.encode(claims, 'x' * 64, 'HS256', headers=kid)}",
        ],
    }

    for code, values in headers.items():
        for value in values:
            head_line = [] if value is None else [(b"Authorization", value.encode())]
            answer = await wire.http.post("/platform_api/GetAccountInfo", headers=head_line)
            assert answer.json()["error"]["code"] == code, value


async def test_the_issuer_may_be_text_or_a_number(wire: Wire) -> None:
    """The vendor's clients send the account's id in both ways, and both are good."""
    text = wire.token()
    number = numeric_issuer(text, wire.simulator, 1_234_567)

    for token in (text, number):
        assert (await wire.result("GetAccountInfo", token=token))["account_id"] == 1_234_567


async def test_a_child_account_answers_for_itself(make: Callable[..., Wire]) -> None:
    """With a child's id for an issuer, the parent's key reads the child's floor."""
    child = Floor(start=START - 3600, agents=3, queues=1, campaigns=0)
    wire = make(children={77: child})

    users = await wire.call("GetUsers", token=wire.token(iss="77"), **APP)
    account = await wire.result("GetAccountInfo", token=wire.token(iss="77"), account_id="77")
    wrong = await wire.code("GetAccountInfo", account_id="77")

    assert users["total_count"] == len(child.agents)
    assert account["account_id"] == 77
    assert wrong == 100
    assert [record.account_id for record in wire.simulator.log] == [77, 77, None]


async def test_clocks_that_differ_break_tokens(make: Callable[..., Wire]) -> None:
    """A platform behind us sees tokens from the future, one ahead of us old ones."""
    behind, ahead = make(clock_ahead=-10.0, date_header=True), make(clock_ahead=30.0)

    assert await behind.code("GetAccountInfo") == 455
    assert await ahead.code("GetAccountInfo") == 456
    response = await behind.send("GetAccountInfo")
    assert response.headers["date"] == "Mon, 02 Mar 2026 19:59:50 GMT"


async def test_refused_tokens_may_come_with_a_status(make: Callable[..., Wire]) -> None:
    """A switch answers token errors with 401, other errors with 200."""
    wire = make(auth_status=401)

    expired = await wire.send("GetAccountInfo", token=wire.token(iat=START - 60, exp=START - 1))
    unknown = await wire.send("GetNothing")

    assert (expired.status_code, expired.json()["error"]["code"]) == (401, 456)
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (200, 103)


async def test_a_key_can_be_brought_along(make: Callable[..., Wire]) -> None:
    """With a public key alone the simulator checks tokens, and has no credentials to give."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public_only, whole = make(public_key=private.public_key()), make(private_key=private)

    answer = await public_only.send("GetAccountInfo", token=whole.token())

    assert "result" in answer.json()
    assert whole.simulator.credentials()["private_key"].startswith("-----BEGIN PRIVATE KEY-----")
    with pytest.raises(ValueError, match="public half"):
        public_only.simulator.credentials()


# Roles.


@pytest.mark.parametrize(
    ("role", "forbidden"),
    [
        ("Owner", set()),
        ("Developer", set()),
        ("Supervisor", {"GetACDState", "GetCallListDetails"}),
        ("User manager", {"GetACDState", "GetQueues", "GetCallLists", "GetCallListDetails"}),
        (
            "Support",
            {
                *("GetACDState", "GetQueues", "GetUsers", "GetCallListDetails"),
                *(STATUSES, OPERATORS, QUEUE_STATISTICS),
            },
        ),
        (
            "Call list manager",
            {"GetACDState", "GetQueues", "GetUsers", STATUSES, OPERATORS, QUEUE_STATISTICS},
        ),
    ],
)
async def test_roles_decide_what_a_key_may_call(
    make: Callable[..., Wire], role: str, forbidden: set[str]
) -> None:
    """Each role may call what the method pages say, and 104 is the answer to all else."""
    wire = make(roles=frozenset({role}))
    calls: dict[str, dict[str, str]] = {
        "GetAccountInfo": {},
        "GetACDState": {},
        "GetQueues": {},
        "GetUsers": APP,
        STATUSES: USERS,
        OPERATORS: USERS,
        QUEUE_STATISTICS: QUEUES,
        "GetCallLists": {},
        "GetCallListDetails": {"list_id": "304", "output": "json"},
    }

    answers = {method: await wire.call(method, **values) for method, values in calls.items()}

    refused = {method for method, answer in answers.items() if "error" in answer}
    assert refused == forbidden
    assert all(answers[method]["error"]["code"] == 104 for method in refused)


async def test_undocumented_roles_are_switches(make: Callable[..., Wire]) -> None:
    """SmartQueue is open to any key unless roles are set, and a missing role may show as 100."""
    free = make(roles=frozenset())
    strict = make(roles=frozenset({"Supervisor"}), unpublished_roles=frozenset({"Owner"}))
    plain = make(roles=frozenset(), role_code=100)

    assert await free.result("SQ_GetQueues", **APP)
    assert await strict.code("SQ_GetQueues", **APP) == 104
    assert await plain.code("GetACDState") == 100


# Parameters.


@pytest.mark.parametrize(
    ("method", "values", "code"),
    [
        ("GetUsers", {}, 116),
        ("GetUsers", {"application_id": "1"}, 116),
        ("GetUsers", {"application_id": "5001;5002"}, 116),
        ("GetUsers", {"application_name": "elsewhere"}, 116),
        ("GetUsers", {**APP, "application_name": "x"}, 458),
        ("GetUsers", {"application_id": ""}, 485),
        ("GetUsers", {**APP, "acd_status": "BUSY"}, 227),
        ("GetUsers", {**APP, "order_by": "age"}, 496),
        ("GetUsers", {**APP, "with_queues": "yes"}, 496),
        ("GetUsers", {**APP, "colour": "blue"}, 492),
        ("GetUsers", {**APP, "count": "1001"}, 497),
        ("GetUsers", {**APP, "offset": "-1"}, 497),
        ("GetUsers", {**APP, "count": "many"}, 496),
        ("GetACDState", {"acd_queue_id": "999"}, 218),
        ("GetACDState", {"acd_queue_id": "any"}, 218),
        ("GetQueues", {"acd_queue_id": "999"}, 218),
        (STATUSES, {"user_id": "all"}, 485),
        (STATUSES, {"from_date": MIDNIGHT}, 485),
        (STATUSES, {**USERS, "user_id": ""}, 134),
        (STATUSES, {**USERS, "to_date": ""}, 485),
        (STATUSES, {**USERS, "user_id": "1"}, 117),
        (STATUSES, {**USERS, "from_date": "2026-03-02T08:00:00"}, 111),
        (STATUSES, {**USERS, "from_date": "2026-03-02 08:00:00Z"}, 111),
        (STATUSES, {**USERS, "from_date": "2026-03-02"}, 111),
        (STATUSES, {**USERS, "from_date": "2026-02-30 08:00:00"}, 111),
        (STATUSES, {**USERS, "to_date": "2026-03-02 07:59:59"}, 123),
        (STATUSES, {**USERS, "from_date": "2026-01-01 00:00:00"}, 569),
        (STATUSES, {**USERS, "aggregation": "week"}, 228),
        (STATUSES, {**USERS, "group": "queue"}, 254),
        (OPERATORS, {**USERS, "report": "AC;WT"}, 229),
        (QUEUE_STATISTICS, {**QUEUES, "report": "TalkTime"}, 229),
        (QUEUE_STATISTICS, {**QUEUES, "group": "user"}, 492),
        (QUEUE_STATISTICS, {"from_date": MIDNIGHT}, 485),
        ("GetSQState", APP, 485),
        ("GetSQState", {"sq_queue_id": "all"}, 116),
        ("GetSQState", {**APP, "sq_queue_id": "201"}, 496),
        ("GetSQState", {**APP, "sq_queue_id": "all", "sq_queue_name": "Sales"}, 458),
        ("GetSQState", {**APP, "sq_queue_name": "Nowhere"}, 496),
        ("GetSQState", {**APP, "sq_queue_id": "all", "timezone": "Mars/Olympus"}, 496),
        ("GetCallLists", {"status": "running"}, 428),
        ("GetCallListDetails", {"list_id": "x"}, 255),
        ("GetCallListDetails", {"list_id": "1"}, 251),
        ("GetCallListDetails", {"list_id": "304", "output": "json", "count": "1001"}, 497),
    ],
)
async def test_wrong_parameters_have_their_codes(
    wire: Wire, method: str, values: dict[str, str], code: int
) -> None:
    """What is missing, empty, unknown or malformed is refused with HTTP 200 and a code."""
    assert await wire.code(method, **values) == code


async def test_lists_are_joined_by_semicolons(wire: Wire) -> None:
    """A comma list fails in the words of a number parser, a semicolon list is read."""
    comma = await wire.error(STATUSES, **{**USERS, "user_id": "1001,1002"})
    rows = await wire.result(STATUSES, **{**USERS, "user_id": "1001;1002"})

    assert comma == {"code": 117, "msg": 'For input string: "1001,1002"'}
    assert [row["user_id"] for row in rows] == [1001, 1002]


async def test_booleans_may_be_in_any_case(wire: Wire) -> None:
    """True and true both ask for the queues of users, False and false do not."""
    for value, there in {"True": True, "true": True, "False": False, "false": False}.items():
        rows = await wire.result("GetUsers", **APP, with_queues=value)
        assert all(("acd_queues" in row) is there for row in rows)


async def test_pages_have_twenty_rows_by_default(wire: Wire, floor: Floor) -> None:
    """A page has twenty rows by default, says how many there are, and pages join without gaps."""
    first = await wire.call("GetUsers", **APP)
    pages = [
        await wire.call("GetUsers", **APP, count="25", offset=str(offset))
        for offset in range(0, 75, 25)
    ]
    whole = await wire.call("GetUsers", **APP, count="1000")

    assert (first["count"], first["total_count"]) == (20, len(floor.agents))
    assert [page["count"] for page in pages] == [25, 25, 10]
    assert [row for page in pages for row in page["result"]] == whole["result"]


# Limits.


async def test_the_same_request_at_once_is_a_resend(
    make: Callable[..., Wire], clock: VirtualClock
) -> None:
    """Within the window an identical request is refused, another one and a later one are not."""
    wire = make(resend_seconds=2.0)

    assert "result" in await wire.call("GetQueues", count="1")
    assert await wire.code("GetQueues", count="1") == 484
    assert "result" in await wire.call("GetQueues", count="2")
    clock.now += 2.0
    assert "result" in await wire.call("GetQueues", count="1")


# ACD v1 now.


async def test_users_can_be_filtered(wire: Wire, floor: Floor) -> None:
    """The filters by status, queue, name and id give exactly the matching users."""

    async def found(**values: str) -> set[int]:
        return {
            row["user_id"] for row in await wire.result("GetUsers", **APP, count="1000", **values)
        }

    agents = floor.agents.values()
    assert await found(acd_status="OFFLINE") == {a.id for a in agents if a.state == LOGGED_OUT}
    assert await found(acd_queue_id="201") == {a.id for a in agents if "Support" in a.queues}
    assert await found(excluded_acd_queue_id="201") == {
        a.id for a in agents if "Support" not in a.queues
    }
    assert await found(user_name="ada.") == {a.id for a in agents if a.first_name == "Ada"}
    assert await found(user_display_name="Díaz") == {a.id for a in agents if a.last_name == "Díaz"}
    assert await found(user_id="1002") == {1002}
    assert await found(user_active="false") == set()


async def test_the_second_application_is_empty(wire: Wire) -> None:
    """Agents and queues belong to the first application: the other has none of them."""
    other = {"application_id": "5002"}

    applications = await wire.call("GetApplications")
    assert [row["application_id"] for row in applications["result"]] == [5001, 5002]
    assert applications["total_count"] == 2
    name = applications["result"][0]["application_name"]
    assert (await wire.call("GetUsers", application_name=name))["total_count"] == 60
    assert (await wire.call("GetUsers", **other))["total_count"] == 0
    assert (await wire.call("GetQueues", **other))["total_count"] == 0
    assert await wire.result("SQ_GetQueues", **other) == []
    assert await wire.result("GetSQState", **other, sq_queue_id="all") == []


async def test_the_state_of_one_queue_is_enough(wire: Wire) -> None:
    """The filter takes ids, all and nothing; the name of a queue is never told."""
    one = await wire.result("GetACDState", acd_queue_id="202")
    every = await wire.result("GetACDState", acd_queue_id="all")

    assert [state["acd_queue_id"] for state in one["acd_queues"]] == [202]
    assert every == await wire.result("GetACDState")
    assert "acd_queue_name" not in one["acd_queues"][0]


async def test_queues_are_listed_with_their_operators(wire: Wire, floor: Floor) -> None:
    """ACD v1 has the voice queues, and counts their operators when asked."""
    rows = await wire.result("GetQueues", with_operatorcount="true", with_skills="true")
    one = await wire.result("GetQueues", acd_queue_id="201")

    voice = {queue.name: queue for queue in floor.queues.values() if queue.media == "voice"}
    assert [row["acd_queue_name"] for row in rows] == list(voice)
    for row in rows:
        assert row["operatorcount"] == sum(floor.queue_agents(row["acd_queue_name"]).values())
        assert row["sl_thresholds"] == [20]
    assert [row["acd_queue_name"] for row in one] == ["Support"]
    assert "operatorcount" not in one[0]


# The statistics of operators' statuses.


async def test_status_times_of_the_day_are_the_floors(wire: Wire, floor: Floor) -> None:
    """Since local midnight each status has the floor's seconds, and its entries as intervals."""
    rows = {row["user_id"]: row["statistics"] for row in await wire.result(STATUSES, **USERS)}

    assert len(rows) == len(floor.agents)
    for agent in floor.agents.values():
        (record,) = rows[agent.id]
        seconds, entries = agent.day.state_seconds, agent.day.state_entries
        for status, states in {
            "READY": (READY, RINGING),
            "IN_SERVICE": (ON_CONTACT, ON_HOLD),
            "AFTER_SERVICE": ("after_contact_work",),
            "DND": ("not_ready",),
            "OFFLINE": (LOGGED_OUT,),
        }.items():
            found = record["acd_status"].get(status, {"sum": 0, "count": 0})
            assert found["sum"] == int(sum(seconds[each] for each in states) + 1e-6)
            carried = found["count"] - sum(entries[state] for state in states)
            assert carried in (0, 1)
        total = sum(times["sum"] for times in record["acd_status"].values())
        assert abs(total - 12 * 3600) < 8


async def test_means_are_rounded_down(wire: Wire) -> None:
    """Every mean is the whole part of sum by count, between the smallest and the largest."""
    for row in await wire.result(STATUSES, **USERS, aggregation="hour"):
        for record in row["statistics"]:
            for stat in record["acd_status"].values():
                assert stat["avg"] == stat["sum"] // stat["count"]
                assert stat["min"] <= stat["avg"] <= stat["max"] <= 3600


async def test_buckets_clip_and_add_up(wire: Wire) -> None:
    """Stays are cut at the hour: the hours add up to the day, long stays count in each of them."""
    (whole,) = await wire.result(STATUSES, **{**USERS, "user_id": "1003"})
    (hours,) = await wire.result(STATUSES, **{**USERS, "user_id": "1003"}, aggregation="hour")

    day = whole["statistics"][0]["acd_status"]
    assert len(hours["statistics"]) == 12
    for status, stat in day.items():
        pieces = [each["acd_status"].get(status) for each in hours["statistics"]]
        pieces = [piece for piece in pieces if piece]
        assert abs(sum(piece["sum"] for piece in pieces) - stat["sum"]) <= len(pieces)
        assert sum(piece["count"] for piece in pieces) >= stat["count"]
    offline = [statistic["acd_status"].get("OFFLINE", {}) for statistic in hours["statistics"]]
    assert offline[0] == {"min": 3600, "avg": 3600, "max": 3600, "count": 1, "sum": 3600}


async def test_two_halves_of_a_window_make_the_whole(wire: Wire) -> None:
    """Clipping at the edges of windows loses no second and doubles none."""
    noon = "2026-03-02 17:23:45"

    async def seconds(**values: str) -> int:
        rows = await wire.result(STATUSES, **{**USERS, "user_id": "1001", **values})
        return sum(times["sum"] for times in rows[0]["statistics"][0]["acd_status"].values())

    first, second = await seconds(to_date=noon), await seconds(from_date=noon)
    assert abs(first - (9 * 3600 + 23 * 60 + 45)) < 6
    assert abs(first + second - await seconds()) < 6


@pytest.mark.parametrize(("seconds", "is_whole"), [(0, True), (29, True), (31, False)])
async def test_a_window_that_ended_lately_may_have_the_figures_of_now(
    make: Callable[..., Wire], floor: Floor, seconds: int, *, is_whole: bool
) -> None:
    """By a switch, figures are spread over the day only where a window ended earlier."""
    end = datetime.fromtimestamp(floor.now - seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
    wire = make(recent=30.0)

    now = await wire.result(STATUSES, **USERS)
    then = await wire.result(STATUSES, **USERS, to_date=end)

    assert (then == now) is is_whole


async def test_the_open_stay_may_be_left_out(make: Callable[..., Wire], floor: Floor) -> None:
    """A switch leaves out the stay that still runs: its status has one less, and less time."""
    agent = next(each for each in floor.agents.values() if each.state == READY)
    one = {**USERS, "user_id": str(agent.id), "acd_status": "READY"}

    (with_it,) = await make().result(STATUSES, **one)
    (without,) = await make(open_stay=False).result(STATUSES, **one)

    full, closed = (row["statistics"][0]["acd_status"]["READY"] for row in (with_it, without))
    assert full["count"] - closed["count"] == 1
    assert abs(full["sum"] - closed["sum"] - (floor.now - agent.since)) <= 1


async def test_statuses_without_time_may_be_told(make: Callable[..., Wire]) -> None:
    """Statuses without time are omitted, or by a switch all eight are there."""
    one = {**USERS, "user_id": "1001"}

    (omitted,) = await make().result(STATUSES, **one)
    (told,) = await make(omit_zero=False).result(STATUSES, **one)

    assert "BANNED" not in omitted["statistics"][0]["acd_status"]
    figures = told["statistics"][0]["acd_status"]
    assert len(figures) == 8
    assert figures["BANNED"] == {"min": 0, "avg": 0, "max": 0, "count": 0, "sum": 0}


async def test_before_the_local_day_there_is_nothing(wire: Wire) -> None:
    """The floor remembers its local day only: who had nothing in a window has no row."""
    past = {"from_date": "2026-03-01 00:00:00", "to_date": "2026-03-02 07:00:00"}

    assert await wire.result(STATUSES, user_id="all", **past) == []
    assert await wire.result(OPERATORS, user_id="all", **past) == []
    assert await wire.result(QUEUE_STATISTICS, acd_queue_id="all", **past) == []


async def test_statuses_may_be_a_list(make: Callable[..., Wire]) -> None:
    """The object keyed by status and the list of such objects say the same."""
    one = {**USERS, "user_id": "1001"}

    (as_object,) = await make().result(STATUSES, **one)
    (as_array,) = await make(status_shape="array").result(STATUSES, **one)

    listed = as_array["statistics"][0]["acd_status"]
    assert isinstance(listed, list)
    assert {k: v for each in listed for k, v in each.items()} == as_object["statistics"][0][
        "acd_status"
    ]


async def test_states_may_have_other_words(make: Callable[..., Wire]) -> None:
    """A status that no list of the vendor has comes out of users and statistics alike."""
    words = dict.fromkeys(STATES, "NEW_ONE")
    wire = make(acd_statuses=words)

    rows = await wire.result("GetUsers", **APP)
    (row,) = await wire.result(STATUSES, **{**USERS, "user_id": "1001"})

    assert {each["acd_status"] for each in rows} == {"NEW_ONE"}
    assert list(row["statistics"][0]["acd_status"]) == ["NEW_ONE"]


@pytest.mark.parametrize(
    ("aggregation", "outer", "inner"),
    [
        ("none", [], ["acd_status"]),
        ("day", ["date"], ["acd_status"]),
        ("hour", ["date", "hour"], ["acd_status"]),
        ("hour_of_day", ["hour"], ["acd_status"]),
    ],
)
async def test_rows_are_laid_out_by_user_or_by_time(
    wire: Wire, aggregation: str, outer: list[str], inner: list[str]
) -> None:
    """Either the user or the time stands outside, with the same records inside."""
    by_user = await wire.result(STATUSES, **USERS, aggregation=aggregation)
    by_time = await wire.result(STATUSES, **USERS, aggregation=aggregation, group="aggregation")

    def record(*parts: dict[str, Any]) -> tuple[Any, ...]:
        row = {name: value for part in parts for name, value in part.items()}
        return row["user_id"], row.get("date"), row.get("hour"), json.dumps(row["acd_status"])

    assert list(by_user[0]) == ["user_id", "statistics"]
    assert list(by_user[0]["statistics"][0]) == [*outer, *inner]
    assert list(by_time[0]) == [*outer, "statistics"]
    assert list(by_time[0]["statistics"][0]) == ["user_id", *inner]
    assert {record(row, statistic) for row in by_user for statistic in row["statistics"]} == {
        record(row, each) for row in by_time for each in row["statistics"]
    }


async def test_uncertain_layouts_are_switches(make: Callable[..., Wire]) -> None:
    """Without aggregation the time may still be grouped by user, and hours may count from one."""
    one = {**USERS, "user_id": "1001"}

    odd = await make(none_by_aggregation="user").result(STATUSES, **one, group="aggregation")
    (zero,) = await make().result(STATUSES, **one, aggregation="hour")
    (based,) = await make(first_hour=1).result(STATUSES, **one, aggregation="hour")

    assert list(odd[0]) == ["user_id", "statistics"]
    assert [statistic["hour"] for statistic in zero["statistics"]] == list(range(8, 20))
    assert [each["hour"] for each in based["statistics"]] == list(range(9, 21))


@pytest.mark.parametrize("ids", ["int", "str", "str_in_statistics"])
async def test_ids_may_be_text(make: Callable[..., Wire], ids: str) -> None:
    """Ids are numbers, or text everywhere, or text in the statistics of operators only."""
    wire = make(ids=ids)

    (row,) = await wire.result(STATUSES, **{**USERS, "user_id": "1001"})
    users = await wire.result("GetUsers", **APP, user_id="1001")
    state = await wire.result("GetACDState", acd_queue_id="201")

    assert row["user_id"] == (1001 if ids == "int" else "1001")
    assert users[0]["user_id"] == ("1001" if ids == "str" else 1001)
    assert state["acd_queues"][0]["acd_queue_id"] == ("201" if ids == "str" else 201)


# The statistics of operators and queues.


async def test_operators_can_be_asked_for_some_figures(wire: Wire) -> None:
    """A report gives the keys it names, long ones when abbreviations are not wanted."""
    one = {**USERS, "user_id": "1001", "report": "AC;TTT"}

    (short,) = await wire.result(OPERATORS, **one)
    (long,) = await wire.result(OPERATORS, **one, abbreviation="False")

    assert sorted(short["statistics"][0]) == ["AC", "TTT"]
    assert sorted(long["statistics"][0]) == ["AnsweredCalls", "TotalTalkTime"]
    assert sorted(short["statistics"][0].values()) == sorted(long["statistics"][0].values())


async def test_operators_of_one_queue_have_a_part(wire: Wire, floor: Floor) -> None:
    """The filter by queue leaves its operators only, with a share of their figures."""
    rows = await wire.result(OPERATORS, **USERS, acd_queue_id="201")
    every = {row["user_id"]: row["statistics"][0] for row in await wire.result(OPERATORS, **USERS)}
    names = {agent.id: agent.queues for agent in floor.agents.values()}

    assert rows
    for row in rows:
        assert "Support" in names[row["user_id"]]
        assert row["statistics"][0]["AC"] <= every[row["user_id"]]["AC"]


async def test_operators_figures_of_hours_add_up(wire: Wire) -> None:
    """What an operator did is spread over the day: the hours sum up to it exactly."""
    one = {**USERS, "user_id": "1001"}

    (day,) = await wire.result(OPERATORS, **one)
    (hours,) = await wire.result(OPERATORS, **one, aggregation="hour_of_day")

    for key in ("AC", "TTT", "THT", "TDT"):
        assert sum(statistic[key] for statistic in hours["statistics"]) == day["statistics"][0][key]


async def test_queues_figures_of_the_day_are_the_floors(wire: Wire, floor: Floor) -> None:
    """For one queue the single row has its calls, waits, talk and service level."""
    queue = floor.queues["Support"]
    day = queue.day

    (row,) = await wire.result(QUEUE_STATISTICS, **{**QUEUES, "acd_queue_id": str(queue.id)})

    assert "acd_queue_id" not in row
    counts = {key: row[key][0]["count"] for key in ("AC", "UAC", "RC")}
    assert (counts["AC"], counts["UAC"]) == (day.answered, day.abandoned)
    assert row["TC"] == sum(counts.values())
    assert row["TWT"] - row["TAT"] == int(day.answer_wait_seconds)
    assert row["WT"]["max"] == int(day.longest_wait_seconds)
    assert (row["TTT"], row["THT"]) == (int(day.talk_seconds), int(day.handle_seconds))
    assert row["HT"]["count"] == day.handled
    assert row["SL"] == [
        {
            "acceptable_waiting_time": 20,
            "call_count": day.answered_within_threshold,
            "service_level": round(day.answered_within_threshold / row["TC"], 4),
        }
    ]


async def test_several_queues_are_summed_up(wire: Wire, floor: Floor) -> None:
    """However many queues are asked for, one row without a name has their sums."""
    two = {**QUEUES, "acd_queue_id": "201;202"}
    (both,) = await wire.result(QUEUE_STATISTICS, **two)
    single = [
        (await wire.result(QUEUE_STATISTICS, **{**QUEUES, "acd_queue_id": each}))[0]
        for each in ("201", "202")
    ]
    (every,) = await wire.result(QUEUE_STATISTICS, **QUEUES)

    for key in ("TC", "TWT", "TTT", "THT"):
        assert both[key] == sum(row[key] for row in single)
    voice = [queue for queue in floor.queues.values() if queue.media == "voice"]
    assert every["AC"][0]["count"] == sum(queue.day.answered for queue in voice)
    refused = sum(campaign.day.rejected for campaign in floor.campaigns.values())
    assert every["RC"][0]["count"] == refused > 0


async def test_shapes_of_queue_figures_are_switches(make: Callable[..., Wire]) -> None:
    """Calls may be an object, percents a fraction, and keys long or short whatever is asked."""
    one = {**QUEUES, "acd_queue_id": "201", "report": "AC"}

    (usual,) = await make().result(QUEUE_STATISTICS, **one)
    (other,) = await make(calls_shape="object", percent_scale=1).result(QUEUE_STATISTICS, **one)
    (long,) = await make(key_style="long").result(QUEUE_STATISTICS, **one, abbreviation="true")
    (short,) = await make(key_style="short").result(QUEUE_STATISTICS, **one, abbreviation="false")
    (fewer,) = await make(default_report=("TC",)).result(QUEUE_STATISTICS, **QUEUES)
    (every,) = await make().result(QUEUE_STATISTICS, **{**one, "report": "all"})

    assert 1 < usual["AC"][0]["percent"] <= 100
    assert 0 < other["AC"]["percent"] <= 1
    assert other["AC"]["count"] == usual["AC"][0]["count"]
    assert long["AnsweredCalls"] == usual["AC"] == short["AC"]
    assert list(fewer) == ["TC"]
    assert len(every) == 18


async def test_queue_figures_by_day_carry_their_date(wire: Wire) -> None:
    """The date of a bucket is its UTC date, even where the local day is another one."""
    rows = await wire.result(QUEUE_STATISTICS, **QUEUES, aggregation="day")
    hours = await wire.result(QUEUE_STATISTICS, **QUEUES, aggregation="hour")

    assert [row["date"] for row in rows] == ["2026-03-02"]
    assert sum(row["TC"] for row in hours) == rows[0]["TC"]


# SmartQueue.


async def test_dates_are_in_the_zone_that_is_named(wire: Wire) -> None:
    """Without a zone dates are the account's own, which is hours away from UTC."""
    one = {**APP, "sq_queue_name": "Support"}

    def first(result: Any) -> datetime:
        status = result[0]["sq_agents"][0]["sq_statuses"][0]["IM"]
        return datetime.fromisoformat(status["from_date"])

    in_utc = first(await wire.result("GetSQState", **one, timezone="Etc/GMT"))
    own = first(await wire.result("GetSQState", **one))
    auto = first(await wire.result("GetSQState", **one, timezone="auto"))

    assert (in_utc - own).total_seconds() == 8 * 3600
    assert auto == own


async def test_reasons_are_custom_statuses(wire: Wire, floor: Floor) -> None:
    """A not-ready agent has the custom status of the reason."""
    (state,) = await wire.result("GetSQState", **APP, sq_queue_name="Support")
    reasons = {a.id: a.reason for a in floor.agents.values() if a.state == "not_ready"}

    statuses = {
        reasons.get(row["user_id"]): row["sq_statuses"][0]["IM"]["sq_status_name"]
        for row in state["sq_agents"]
    }
    assert statuses["Lunch"] == "CUSTOM_2"
    assert not statuses[None].startswith("CUSTOM")


async def test_smart_queue_shapes_are_switches(make: Callable[..., Wire]) -> None:
    """A status list may be an object, and one queue may stand alone."""
    wire = make(sq_statuses_shape="object", sq_queues_shape="object")

    state = await wire.result("GetSQState", **APP, sq_queue_id="10201")
    one = await wire.result("SQ_GetQueues", **APP, sq_queue_id="10201", with_agentcount="true")
    usual = await make().result("SQ_GetQueues", **APP, sq_queue_id="10201")

    assert set(state[0]["sq_agents"][0]["sq_statuses"]) == {"IM", "CALL"}
    assert (one["sq_queue_name"], one["agentcount"]) == ("Support", 20)
    assert [row["sq_queue_name"] for row in usual] == ["Support"]


async def test_reports_of_queues_are_the_floors(wire: Wire, floor: Floor) -> None:
    """Over the local day so far a queue's reports are its day's figures."""
    names = "call_count_assigned_to_queue;count_abandonment_calls;service_level;max_time_in_queue"
    answer = await wire.call(
        METRICS, **REPORT, sq_queue_id="10201;10202", report_type=names, max_waiting_sec="20"
    )

    assert answer["timezone"] == "Etc/GMT"
    values = {
        (report["report_type"], group["sq_queue_name"]): group["values"]
        for report in answer["result"]
        for group in report["groups"]
    }
    assert all(len(value) == 1 for value in values.values())
    for name in ("Support", "Sales"):
        day = floor.queues[name].day
        only = {report: values[report, name][0]["value"] for report in names.split(";")}
        assert only["call_count_assigned_to_queue"] == day.offered
        assert only["count_abandonment_calls"] == day.abandoned
        settled = day.answered + day.abandoned
        assert only["service_level"] == round(100 * day.answered_within_threshold / settled, 4)
        assert only["max_time_in_queue"] == round(day.longest_wait_seconds, 3)
    first = values["service_level", "Support"][0]
    assert (first["from_date"], first["to_date"]) == (MIDNIGHT, "2026-03-02 20:00:00")


async def test_reports_of_chats_know_chats_only(wire: Wire, floor: Floor) -> None:
    """A chat queue has its figures in the reports of messages, and none in those of calls."""
    answer = await wire.call(
        METRICS, **REPORT, sq_queue_name="Chat",
        report_type="im_count_assigned_to_queue;call_count_assigned_to_queue;count_handled_calls",
    )  # fmt: skip

    values = [report["groups"][0]["values"][0]["value"] for report in answer["result"]]
    day = floor.queues["Chat"].day
    assert values == [day.offered, 0, day.handled]


async def test_reports_of_agents_are_the_floors(wire: Wire, floor: Floor) -> None:
    """Grouped by agent, times in a status and handled contacts are the agent's own."""
    names = "sum_agents_ready_time;count_handled_calls;occupancy_rate;average_handle_time"
    answer = await wire.call(METRICS, **REPORT, user_id="1001;1002", report_type=names)
    by_id = {agent.id: agent for agent in floor.agents.values()}

    ready, handled, occupancy, handle = (report["groups"] for report in answer["result"])
    assert [group["user_id"] for group in ready] == [1001, 1002]
    for place, group in enumerate(ready):
        day = by_id[group["user_id"]].day
        assert group["values"][0]["value"] == int(day.state_seconds[READY])
        assert handled[place]["values"][0]["value"] == day.handled
        assert 0 < occupancy[place]["values"][0]["value"] < 100
        mean = day.handle_seconds / day.handled
        assert abs(handle[place]["values"][0]["value"] - mean) < 1


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"report_type": "calls_per_moon"}, 459),
        ({"report_type": "service_level", "sq_queue_id": "10201"}, 485),
        ({"report_type": "count_abandonment_calls"}, 485),
        ({"sq_queue_id": "10201;10202;10203;10204;10205;10206"}, 497),
        ({"user_id": "1001;1002;1003;1004;1005;1006"}, 497),
        ({"sq_queue_id": "all"}, 496),
        ({"sq_queue_id": "10201;10202", "group_by": "agent"}, 525),
        (
            {
                "report_type": "count_abandonment_calls",
                "sq_queue_id": "10201",
                "group_by": "agent",
            },
            525,
        ),
        ({"group_by": "queue"}, 526),
        ({"group_by": "team"}, 496),
        ({"from_date": "2026-02-28 19:00:00"}, 123),
        ({"to_date": "2026-03-02 07:00:00"}, 123),
        ({"interval": "1 day"}, 496),
        ({"interval": "0000-00-00 00:00:00"}, 496),
        ({"interval": "0000-00-00 00:00:01"}, 496),
    ],
)
async def test_reports_have_their_limits(wire: Wire, values: dict[str, str], code: int) -> None:
    """Five ids, two days, groupings that fit: everything else is refused."""
    whole = {**REPORT, "report_type": "count_handled_calls", **values}

    assert await wire.code(METRICS, **whole) == code


async def test_reports_are_cut_into_intervals(wire: Wire) -> None:
    """An interval cuts the window from its start, and the pieces add up; empty ones may go."""
    one = {**REPORT, "sq_queue_id": "10201", "report_type": "count_handled_calls"}

    def values(answer: dict[str, Any]) -> list[dict[str, Any]]:
        return answer["result"][0]["groups"][0]["values"]

    (whole,) = values(await wire.call(METRICS, **one))
    pieces = values(await wire.call(METRICS, **{**one, "interval": "0000-00-00 05:00:00"}))
    ago = {**one, "from_date": "2026-03-02 02:00:00", "interval": "0000-00-00 06:00:00"}
    shown = values(await wire.call(METRICS, **ago))
    omitted = values(await wire.call(METRICS, **ago, omit_empty="true"))

    assert [piece["from_date"][11:13] for piece in pieces] == ["08", "13", "18"]
    assert sum(piece["value"] for piece in pieces) == whole["value"]
    assert shown[0]["value"] == 0
    assert omitted == shown[1:]


async def test_realtime_metrics_are_of_the_last_half_hour(wire: Wire) -> None:
    """Without dates the window is the last half hour; it may begin a day ago at most."""
    names = {"report_type": "average_handle_time", "sq_queue_id": "10201"}
    window = {**APP, "timezone": "Etc/GMT", **names}

    answer = await wire.call(METRICS, **window)

    (value,) = answer["result"][0]["groups"][0]["values"]
    assert value["from_date"] == "2026-03-02 19:30:00"
    assert value["to_date"] == "2026-03-02 20:00:00"
    assert await wire.code(METRICS, **window, from_date="2026-03-01 00:00:00") == 123


# Call lists and the account.


async def test_call_lists_are_the_dialling_campaigns(wire: Wire, floor: Floor) -> None:
    """Outbound and automatic campaigns are lists, with a status and no counts."""
    answer = await wire.call("GetCallLists", list_id="all")
    active = await wire.result("GetCallLists", is_active="true")
    dialling = {each.id: each for each in floor.campaigns.values() if each.kind != "inbound"}

    assert answer["total_count"] == len(dialling) == 3
    for row in answer["result"]:
        campaign = dialling[row["list_id"]]
        assert row["list_name"] == campaign.name
        stopped = campaign.state == "stopped"
        assert (row["status"] in ("Suspended", "Completed")) is stopped
    assert {row["list_id"] for row in active} == {
        number for number, each in dialling.items() if each.state == "running"
    }
    assert await wire.result("GetCallLists", status="canceled") == []
    assert len(await wire.result("GetCallLists", name="Renewals")) == 1
    assert await wire.result("GetCallLists", from_date="2026-03-02 20:00:01") == []
    assert len(await wire.result("GetCallLists", to_date="2026-03-02 20:00:01")) == 3


async def test_tasks_of_a_list_are_its_records(make: Callable[..., Wire], floor: Floor) -> None:
    """Paged through, the tasks of a list count up to the campaign's records by status."""
    wire = make(details_count="total")
    campaign = floor.campaigns["Renewals"]
    one = {"list_id": str(campaign.id), "output": "json"}

    answer = await wire.call("GetCallListDetails", **one)
    page = await make().call("GetCallListDetails", **one, count="7", offset="3")

    records = campaign.records
    assert answer["count"] == len(answer["result"]) == records.total
    counts = Counter((row["status_id"], row["status"]) for row in answer["result"])
    assert counts[0, "New"] == records.available + records.asap
    assert counts[1, "In progress"] == records.redial_timer > 0
    assert counts[2, "Processed"] == records.dialed > 0
    assert counts[3, "Error"] == records.unreachable
    assert page["count"] == 7
    assert page["result"] == answer["result"][3:10]


async def test_lists_of_stopped_campaigns_are_suspended_or_done(clock: VirtualClock) -> None:
    """At night no list is in progress: one with records left is suspended, others are completed."""
    floor = Floor(start=START - 9 * 3600, time_zone="America/Los_Angeles")
    wire = Wire(VoximplantSimulator(floor, clock))
    records = floor.campaigns["Renewals"].records
    records.dialed, records.available = records.available, 0

    rows = await wire.result("GetCallLists")

    statuses = {row["list_name"]: (row["status"], "dt_complete" in row) for row in rows}
    assert statuses.pop("Renewals") == ("Completed", True)
    assert set(statuses.values()) == {("Suspended", False)}
    assert await wire.result("GetCallLists", is_active="true") == []


async def test_at_midnight_the_day_is_empty(clock: VirtualClock) -> None:
    """In the first instant of the local day nobody has spent a second in any status."""
    midnight = datetime(2026, 3, 2, 8, 0, tzinfo=UTC).timestamp()
    floor = Floor(start=midnight - 60, time_zone="America/Los_Angeles")
    floor.advance(midnight)
    clock.now = midnight
    wire = Wire(VoximplantSimulator(floor, clock))

    for method in (STATUSES, OPERATORS):
        assert await wire.result(method, **USERS) == []
    assert await wire.result(QUEUE_STATISTICS, **QUEUES, aggregation="hour") == []


async def test_tasks_come_as_a_file_by_default(wire: Wire) -> None:
    """Without ``output=json`` the answer is a CSV file."""
    response = await wire.send("GetCallListDetails", list_id="304", count="2")

    assert response.headers["content-type"] == "application/octet-stream"
    assert response.text.splitlines()[0].startswith("task_id;task_uuid;status_id")
    assert len(response.text.splitlines()) == 3


async def test_the_account_has_money_and_secrets(wire: Wire, floor: Floor) -> None:
    """Balance and limit are the floor's, and the planted secrets are in the same object."""
    answer = await wire.call("GetAccountInfo", return_live_balance="True")

    result = answer["result"]
    assert result["balance"] == round(floor.account.balance, 4)
    assert result["credit_limit"] == floor.account.credit_limit
    assert (result["active"], result["frozen"]) == (True, False)
    assert result["location"] == "America/Los_Angeles"
    assert answer["api_address"] == "api.voximplant.com"
    assert {"api_key", "callback_salt"} < set(wire.simulator.secrets)
    assert result.items() >= wire.simulator.secrets.items()


async def test_an_account_without_money_is_frozen(own_floor: Floor, clock: VirtualClock) -> None:
    """Once balance and credit are used up the account is frozen."""
    wire = Wire(VoximplantSimulator(own_floor, clock))
    own_floor.account.balance = -own_floor.account.credit_limit

    assert (await wire.result("GetAccountInfo"))["frozen"] is True


# Misbehaviour.


async def test_any_code_can_be_had(make: Callable[..., Wire]) -> None:
    """A code comes with the vendor's text if it has one, and with a status where a switch says."""
    wire = make(auth_status=401, throttle="429")
    for kind in ("code:416", "code:4711", "code:456", "code:340"):
        wire.simulator.fail_next(kind)

    answers = [await wire.send("GetAccountInfo") for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 401, 429]
    assert "json" not in answers[3].headers["content-type"]
    assert [answer.json()["error"] for answer in answers[:3]] == [
        {"code": 416, "msg": "Repeat after N seconds"},
        {"code": 4711, "msg": "Error 4711"},
        {"code": 456, "msg": "The token has expired."},
    ]


async def test_the_log_has_every_request(wire: Wire) -> None:
    """Method, parameters, account and outcome of each request are on record, and no token."""
    await wire.call("GetQueues", count="3")
    await wire.code("GetUsers")

    first, second = wire.simulator.log
    assert (first.method, first.parameters, first.outcome) == ("GetQueues", {"count": "3"}, "ok")
    assert (first.account_id, first.end) == (1_234_567, START)
    assert second.outcome == "116"
    assert wire.simulator.calls("GetQueues") == 1


async def test_direct_reads_equal_the_answers(wire: Wire, floor: Floor) -> None:
    """``answer`` and ``status_times`` agree with the answers over HTTP."""
    agent = next(each for each in floor.agents.values() if each.day.handled)
    (row,) = await wire.result(STATUSES, **{**USERS, "user_id": str(agent.id)})
    times = wire.simulator.status_times(agent.username)

    assert wire.simulator.answer("GetQueues") == await wire.call("GetQueues")
    figures = row["statistics"][0]["acd_status"]
    assert {status: stat["count"] for status, stat in figures.items()} == {
        status: count for status, (count, _) in times.items()
    }
    for status, (_, seconds) in times.items():
        assert abs(figures[status]["sum"] - seconds) < 1
