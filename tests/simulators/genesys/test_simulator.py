"""The Genesys simulator's tokens and operations, read with raw HTTP."""

from typing import Any

import httpx
import pytest

from support.genesys_wire import (
    SUBSCRIPTIONS,
    Wire,
    defined,
    named,
    simulate,
    state,
    virtual,
)

WAITING = {"category": "CurrentNumber", "subject": "DNAction", "mainMask": "CallWait"}


# Tokens.


@virtual
async def test_the_password_grant() -> None:
    """The password grant gives a bearer token with a lifetime and a refresh token."""
    wire = Wire(simulate())

    answer = (await wire.token()).json()

    assert answer["token_type"] == "bearer"
    assert answer["expires_in"] == 1800
    assert {"access_token", "refresh_token", "scope"} <= set(answer)


@virtual
async def test_the_client_credentials_grant() -> None:
    """The client credentials grant gives a token without a refresh token."""
    wire = Wire(simulate())

    answer = await wire.token(grant_type="client_credentials")
    await wire.sign_in(grant_type="client_credentials")

    assert "refresh_token" not in answer.json()
    assert (await wire.http.get("/auth/v3/ping")).status_code == 200


@virtual
async def test_a_refresh_token_works_once() -> None:
    """A refresh token is exchanged for a new token, and is used up."""
    wire = Wire(simulate())
    refresh = (await wire.token()).json()["refresh_token"]

    first = await wire.token(grant_type="refresh_token", refresh_token=refresh)
    second = await wire.token(grant_type="refresh_token", refresh_token=refresh)

    assert first.status_code == 200
    assert second.json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"grant_type": ""}, 400, "invalid_request"),
        ({"grant_type": "implicit"}, 400, "unsupported_grant_type"),
        ({"password": "wrong"}, 400, "invalid_grant"),
        ({"username": "monitor"}, 400, "invalid_grant"),
        ({"scope": "read"}, 400, "invalid_scope"),
        ({"client_id": "other"}, 401, "invalid_client"),
    ],
)
@virtual
async def test_bad_token_requests(form: dict[str, str], status: int, error: str) -> None:
    """A token request that is wrong is refused in the words of RFC 6749."""
    answer = await Wire(simulate()).token(**form)

    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.json()["error_description"]


@virtual
async def test_the_client_has_to_be_known() -> None:
    """A wrong secret, a missing or a broken Basic header is an unknown client."""
    wire = Wire(simulate())
    form = {"grant_type": "client_credentials"}
    path = "/auth/v3/oauth/token"

    wrong = await wire.token(("exporter", "wrong"))
    missing = await wire.http.post(path, data=form)
    broken = await wire.http.post(path, data=form, headers={"Authorization": "Basic %%"})

    assert [each.status_code for each in (wrong, missing, broken)] == [401, 401, 401]
    assert wrong.headers["www-authenticate"].startswith("Basic")


@virtual
async def test_a_token_request_is_a_form() -> None:
    """A token request in JSON is refused."""
    simulator = simulate()
    auth = (simulator.client_id, simulator.client_secret)

    answer = await Wire(simulator).http.post("/auth/v3/oauth/token", json={}, auth=auth)

    assert answer.status_code == 415


@virtual
async def test_ping_and_sign_out() -> None:
    """A ping is refused without a token; signing out ends this token alone."""
    simulator = simulate()
    one, other = await Wire(simulator).sign_in(), await Wire(simulator).sign_in()

    before = await one.http.get("/auth/v3/ping")
    await one.http.get("/auth/v3/sign-out")
    after = await one.http.get("/auth/v3/ping")

    assert (before.status_code, after.status_code) == (200, 403)
    assert (await other.http.get("/auth/v3/ping")).status_code == 200


@virtual
async def test_global_sign_out() -> None:
    """A global sign-out ends all tokens of the user."""
    simulator = simulate()
    one, other = await Wire(simulator).sign_in(), await Wire(simulator).sign_in()

    await one.http.post("/auth/v3/sign-out", params={"global": "true"})

    assert (await other.http.get("/auth/v3/ping")).status_code == 403


@virtual
async def test_sign_out_without_a_token() -> None:
    """Signing out without a token succeeds and ends nothing."""
    simulator = simulate()
    one = await Wire(simulator).sign_in()

    assert (await Wire(simulator).http.get("/auth/v3/sign-out")).status_code == 200
    assert (await one.http.get("/auth/v3/ping")).status_code == 200


@pytest.mark.parametrize("status", [401, 403])
@virtual
async def test_tokens_expire(status: int) -> None:
    """An expired token is refused, with the status of the switch."""
    simulator = simulate(token_seconds=60.0, refused_status=status)
    wire = await Wire(simulator).begin()

    await simulator.clock.sleep(60.0)

    assert (await wire.create()).status_code == status


@virtual
async def test_tokens_end_on_request() -> None:
    """Expired tokens are refused until a new one comes, in lower case too."""
    simulator = simulate()
    wire = await Wire(simulator).begin()

    simulator.expire_tokens()
    refused = await wire.create(state("s", simulator.objects()["Agent"][0]))
    await wire.sign_in()
    wire.http.headers["Authorization"] = wire.http.headers["Authorization"].replace("B", "b", 1)
    served = await wire.create(state("s", simulator.objects()["Agent"][0]))

    assert (refused.status_code, served.status_code) == (401, 200)


@virtual
async def test_a_lifetime_can_be_left_out() -> None:
    """A switch omits the lifetime from the token answer."""
    assert "expires_in" not in (await Wire(simulate(says_expires_in=False)).token()).json()


@virtual
async def test_old_tokens_make_room() -> None:
    """No more than a thousand tokens of each kind are kept."""
    wire = Wire(simulate())
    await wire.sign_in()

    for _ in range(1000):
        last = await wire.token()

    assert (await wire.http.get("/auth/v3/ping")).status_code == 403
    wire.http.headers["Authorization"] = f"Bearer {last.json()['access_token']}"
    assert (await wire.http.get("/auth/v3/ping")).status_code == 200


@virtual
async def test_the_key_is_needed() -> None:
    """Without the gateway's key nothing is answered."""
    wire = Wire(simulate())
    del wire.http.headers["x-api-key"]

    assert (await wire.token()).status_code == 403


# Subscriptions.


@virtual
async def test_a_subscription_has_values() -> None:
    """A create answers each statistic with its object, value and the floor's instant."""
    simulator = simulate()
    wire = await Wire(simulator).begin()
    agent, queue = simulator.objects()["Agent"][0], simulator.objects()["Queue"][0]

    answer = await wire.create(
        named("s1", "LoginDuration", "Agent", agent), defined("s2", "Queue", queue, **WAITING)
    )

    body = answer.json()
    first, second = body["data"]["statistics"]
    assert body["status"] == {"code": 0}
    assert (body["data"]["subscriptionId"], body["data"]["operationId"]) == ("sub-1", "sub-1")
    assert (first["name"], first["objectId"], first["objectType"]) == (
        *("LoginDuration", agent),
        "Agent",
    )
    assert "name" not in second
    assert second["value"]["intValue"] == next(iter(simulator.floor.queues.values())).waiting_count
    assert second["timestamp"] == int(simulator.floor.now * 1000)


@virtual
async def test_verbose_off() -> None:
    """With verbose OFF an entry has id, value and timestamp alone; other words are refused."""
    simulator = simulate()
    wire = await Wire(simulator).begin()
    one = state("s", simulator.objects()["Agent"][0])

    answer = await wire.create(one, verbose="OFF")

    (entry,) = answer.json()["data"]["statistics"]
    assert set(entry) == {"statisticId", "value", "timestamp"}
    assert (await wire.create(one, key="other", verbose="ON")).status_code == 400
    assert (await wire.peek(verbose="ON")).status_code == 400


@virtual
async def test_peeks() -> None:
    """A peek returns all statistics or those named, by commas or repeated, and errors."""
    simulator = simulate()
    wire = await Wire(simulator).begin()
    agents = simulator.objects()["Agent"]
    await wire.create(*(state(f"s{index}", agents[index]) for index in range(3)))

    def ids(answer: httpx.Response) -> list[str]:
        return [statistic["statisticId"] for statistic in answer.json()["data"]["statistics"]]

    assert ids(await wire.peek()) == ["s0", "s1", "s2"]
    assert ids(await wire.peek(statisticIds="s2,s0")) == ["s2", "s0"]
    assert ids(await wire.peek(statisticIds=["s1", "s2"])) == ["s1", "s2"]
    unknown = await wire.peek(statisticIds="s1,nope")
    assert ids(unknown) == ["s1"]
    assert "nope" in unknown.json()["errors"][0]["status"]["message"]


@virtual
async def test_deleting() -> None:
    """A delete closes the subscription, and always succeeds."""
    simulator = simulate()
    wire = await Wire(simulator).begin()
    await wire.create(state("s", simulator.objects()["Agent"][0]))

    for _ in range(2):
        answer = await wire.http.delete(f"{SUBSCRIPTIONS}/sub-1")
        assert answer.json() == {"status": {"code": 0}}

    assert simulator.open_subscriptions == []
    assert (await wire.peek()).status_code == 404


@virtual
async def test_a_subscription_is_the_sessions_own() -> None:
    """Another HTTP session neither reads nor closes a subscription."""
    simulator = simulate()
    one, other = await Wire(simulator).begin(), await Wire(simulator).begin()
    await one.create(state("s", simulator.objects()["Agent"][0]))

    assert (await other.peek()).status_code == 404
    await other.http.delete(f"{SUBSCRIPTIONS}/sub-1")
    assert simulator.open_subscriptions == ["sub-1"]


@virtual
async def test_a_session_is_needed() -> None:
    """Without the session's cookie a create and a peek are forbidden."""
    simulator = simulate()
    wire = await Wire(simulator).begin()
    wire.http.cookies.delete("STATISTICS_SESSIONID")

    answer = await wire.create(state("s", simulator.objects()["Agent"][0]))

    assert answer.status_code == 403
    assert answer.json()["status"]["code"] == 403
    assert (await wire.peek()).status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"data": {"statistics": [{}]}},
        {"operationId": "x"},
        {"operationId": "x", "data": []},
        {"operationId": "x", "data": {"statistics": []}},
        {"operationId": "x", "data": {"statistics": ["s"]}},
        {"operationId": 1, "data": {"statistics": [{}]}},
    ],
)
@virtual
async def test_bad_creates(body: Any) -> None:
    """A create without an operation id or without statistics is a bad request."""
    wire = await Wire(simulate()).begin()

    assert (await wire.http.post(SUBSCRIPTIONS, json=body)).status_code == 400


@virtual
async def test_a_create_is_json() -> None:
    """What is no JSON, or says that it is something else, is a bad request."""
    wire = await Wire(simulate()).begin()
    json = {"Content-Type": "application/json"}

    assert (await wire.http.post(SUBSCRIPTIONS, content=b"{", headers=json)).status_code == 400
    assert (await wire.http.post(SUBSCRIPTIONS, content=b"{}")).status_code == 400


@virtual
async def test_an_operation_id_is_used_once() -> None:
    """An id that is open is refused."""
    simulator = simulate()
    wire = await Wire(simulator).begin()
    agents = simulator.objects()["Agent"]
    await wire.create(state("s", agents[0]))

    assert (await wire.create(state("t", agents[1]))).status_code == 400


@virtual
async def test_a_subscription_has_a_limit() -> None:
    """More statistics than the limit are a bad request, in a read of many too."""
    simulator = simulate(statistics_limit=1)
    wire = await Wire(simulator).begin()
    agent = simulator.objects()["Agent"][0]
    many = {"data": {"statistics": [{}, {}]}}

    assert (await wire.create(state("s", agent))).status_code == 200
    assert (await wire.create(state("s", agent), state("t", agent), key="b")).status_code == 400
    answer = await wire.http.post("/statistics/v3/operations/get-statistic-ex", json=many)
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("refusal", "status"),
    [("400", 400), ("500", 500), ("503", 503), ("spring", 500), ("code", 200), ("empty", 200)],
)
@virtual
async def test_a_refused_statistic_can_cost_its_request(refusal: Any, status: int) -> None:
    """The switch lets one refused statistic refuse its request; what is valid opens alone."""
    simulator = simulate(refusal=refusal, lacks_definitions=frozenset({"TotalNumber CallEntered"}))
    wire = await Wire(simulator).begin()
    queue = simulator.objects()["Queue"][0]
    total = {"category": "TotalNumber", "subject": "DNAction"}
    good = defined("a", "Queue", queue, **total, mainMask="CallAnswered")
    bad = defined("b", "Queue", queue, **total, mainMask="CallEntered")

    refused = await wire.create(good, bad)
    assert refused.status_code == status
    assert not refused.json().get("data", {}).get("statistics")
    assert refused.json()["status"] not in (0, {"code": 0})
    assert simulator.open_statistics == 0
    assert len((await wire.create(good, key="c")).json()["data"]["statistics"]) == 1


@virtual
async def test_a_queue_of_another_medium_has_no_voice_estimate() -> None:
    """EstimWaitTime is refused at a queue that is not voice, ExpectedWaitTime2 is not."""
    simulator = simulate(multimedia=frozenset({"Chat"}))
    wire = await Wire(simulator).begin()
    wait = {
        "subject": "DNAction",
        "mainMask": "CallWait",
        "intervalType": "SlidingWindow",
        "dynamicTimeProfile": "3600:10",
    }
    asked = [
        defined(f"{category} {name}", "Queue", f"{name}@SIP_Switch", category=category, **wait)
        for category in ("EstimWaitTime", "ExpectedWaitTime2")
        for name in ("Support", "Chat")
    ]

    entries = (await wire.create(*asked)).json()["data"]["statistics"]
    assert {entry["statisticId"] for entry in entries} == {
        *("EstimWaitTime Support", "ExpectedWaitTime2 Support", "ExpectedWaitTime2 Chat")
    }


@pytest.mark.parametrize("answer", ["400", "413", "414", "431", "html413"])
@virtual
async def test_a_gateway_limits_the_size_of_a_body(answer: Any) -> None:
    """The gateway refuses a body above its limit, whatever the path."""
    simulator = simulate(body_limit=500, too_large=answer)
    wire = await Wire(simulator).begin()
    agents = simulator.objects()["Agent"]

    assert (await wire.create(state("s", agents[0]))).status_code == 200
    refused = await wire.create(*(state(agent, agent) for agent in agents), key="b")
    assert refused.status_code == int(answer.removeprefix("html"))
    assert ("<html>" in refused.text) == (answer == "html413")
    many = {"data": {"statistics": [{"name": "x" * 500}]}}
    read = await wire.http.post("/statistics/v3/operations/get-statistic-ex", json=many)
    assert read.status_code == refused.status_code


@pytest.mark.parametrize("layout", ["message", "detail", "bare", "none"])
@virtual
async def test_partial_success(layout: Any) -> None:
    """A failed statistic is missing; the switch chooses how errors name it."""
    simulator = simulate(errors=layout, partial_code=3, ok_code=1)
    wire = await Wire(simulator).begin()
    agent = simulator.objects()["Agent"][0]

    body = (await wire.create(state("good", agent), state("bad", "nobody"))).json()
    good = (await wire.peek()).json()

    reason = "Object nobody of type Agent not found"
    status = {
        "message": {"code": 2, "message": f"bad: {reason}"},
        "detail": {"code": 2, "message": reason, "detail": {"statisticId": "bad"}},
        "bare": {"code": 2, "message": reason},
    }
    assert [statistic["statisticId"] for statistic in body["data"]["statistics"]] == ["good"]
    assert body["status"]["code"] == 3
    assert body.get("errors") == ([{"status": status[layout]}] if layout in status else None)
    assert good["status"]["code"] == 1
    assert "errors" not in good


# Reads without a subscription.


@virtual
async def test_reading_one() -> None:
    """One configured statistic is read without a session; what is unknown is not found."""
    simulator = simulate()
    wire = await Wire(simulator).sign_in()
    queue = simulator.objects()["Queue"][0]
    path = "/statistics/v3/statistic-values"
    where = {"objectId": queue, "objectType": "Queue"}

    found = await wire.http.get(f"{path}/Total_Answered", params=where)
    unknown = await wire.http.get(f"{path}/Nothing", params=where)
    elsewhere = await wire.http.get(f"{path}/InboundCalls", params=where)
    nowhere = await wire.http.get(f"{path}/Total_Answered", params={"objectId": queue})

    statistic = found.json()["data"]["statistic"]
    answered = next(iter(simulator.floor.queues.values())).day.answered
    assert statistic["value"]["intValue"] == answered
    assert (statistic["name"], statistic["objectId"]) == ("Total_Answered", queue)
    assert [each.status_code for each in (unknown, elsewhere, nowhere)] == [404, 404, 400]


@virtual
async def test_reading_many() -> None:
    """Configured statistics are read together; a definition or an unknown one is an error."""
    simulator = simulate()
    wire = await Wire(simulator).sign_in()
    agent = simulator.objects()["Agent"][0]
    asked = [
        named("", "InboundCalls", "Agent", agent),
        named("", "Nothing", "Agent", agent),
        state("", agent),
    ]
    path = "/statistics/v3/operations/get-statistic-ex"

    answer = (await wire.http.post(path, json={"data": {"statistics": asked}})).json()

    assert [statistic["name"] for statistic in answer["data"]["statistics"]] == ["InboundCalls"]
    assert "statisticId" not in answer["data"]["statistics"][0]
    assert len(answer["errors"]) == 2
    assert (await wire.http.post(path, json={})).status_code == 400


@virtual
async def test_an_unavailable_service() -> None:
    """Without its Stat Server the service opens, peeks and reads nothing, and has dropped all."""
    simulator = simulate()
    wire = await Wire(simulator).begin()
    agent = simulator.objects()["Agent"][0]
    await wire.create(state("s", agent))
    where = {"objectId": agent, "objectType": "Agent"}

    simulator.unavailable()
    answers = [
        await wire.create(state("s", agent)),
        await wire.peek(),
        await wire.http.get("/statistics/v3/statistic-values/InboundCalls", params=where),
        await wire.http.post("/statistics/v3/operations/get-statistic-ex", json={}),
    ]
    simulator.available()

    assert [answer.status_code for answer in answers] == [503] * 4
    assert simulator.open_statistics == 0
    assert (await wire.create(state("s", agent))).status_code == 200


# Misbehaviour.


@pytest.mark.parametrize("kind", ["500", "503", "spring"])
@virtual
async def test_failures(kind: str) -> None:
    """A requested failure replaces one answer of its path."""
    simulator = simulate()
    wire = await Wire(simulator).begin()

    simulator.fail_next(kind, target=SUBSCRIPTIONS)
    ping = await wire.http.get("/auth/v3/ping")
    failed = await wire.create()

    assert (ping.status_code, simulator.log[-1].outcome) == (200, kind)
    assert failed.status_code == (503 if kind == "503" else 500)
    assert failed.json()["status"]


@virtual
async def test_requests_are_noted() -> None:
    """The log has path, body, cookies and status of requests, but no body of sign-ins."""
    simulator = simulate()
    wire = await Wire(simulator).begin()
    await wire.create(state("s", "nobody"))

    first, *_, last = simulator.log

    assert (first.path, first.body) == ("/auth/v3/oauth/token", None)
    assert (last.method, last.path, last.status) == ("POST", SUBSCRIPTIONS, 200)
    assert last.body["operationId"] == "sub-1"
    assert last.cookies == {"STATISTICS_SESSIONID", "BAYEUX_BROWSER"}
