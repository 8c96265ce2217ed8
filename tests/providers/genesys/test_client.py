"""Tests of the Genesys client, authentication and subscriptions against a stub application."""

import base64
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.collector.http import Http
from exporter.collector.token import RenewalPaused
from exporter.errors import (
    InvalidAnswer,
    ProviderError,
    Rejected,
    ServerTrouble,
    Throttled,
    Unauthorized,
    Unexplained,
)
from exporter.logs import get_log
from exporter.providers.genesys.client import AccessDenied, Client
from exporter.providers.genesys.collector import statistics
from exporter.providers.genesys.config import GenesysConfig
from exporter.providers.genesys.store import StatisticStore
from exporter.providers.genesys.subscriptions import Subscriptions, Unavailable
from exporter.telemetry import AccountTelemetry, Telemetry
from support.clock import VirtualClock

pytestmark = pytest.mark.anyio

Answer = httpx.Response | Callable[[httpx.Request], httpx.Response]


class App:
    """A platform of canned answers by path; keeps what was asked, and hands out tokens."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.requests: list[httpx.Request] = []
        self.token: Answer | None = None
        self.life: object = 1800
        self.tokens = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.get(request.url.path, httpx.Response(200, json=envelope({})))
        if request.url.path == "/auth/v3/oauth/token":
            answer = self.token or self.hand_out
        return answer(request) if callable(answer) else answer

    def hand_out(self, _: httpx.Request) -> httpx.Response:
        self.tokens += 1
        body = {"access_token": f"token-{self.tokens}", "expires_in": self.life}
        return httpx.Response(200, json=body)

    def paths(self) -> list[str]:
        return [request.url.path.removeprefix("/statistics/v3") for request in self.requests]


def envelope(data: Any, code: Any = 0, **more: Any) -> dict[str, Any]:
    return {"status": {"code": code, "message": "so it is"}, "data": data, **more}


def config(**more: Any) -> GenesysConfig:
    return GenesysConfig.model_validate(
        {
            "name": "acme",
            "provider": "genesys",
            "base_url": "https://gapi.example.com",
            "client_id": "exporter",
            "client_secret": "s3cret",
            "username": "acme\\wallboard",
            "password": "swordfish",
            "api_key": "key-1",
            "objects": [{"type": "Queue", "ids": ["q1", "q2"]}],
            **more,
        }
    )


def client_of(app: App, clock: Any, account: GenesysConfig | None = None) -> Client:
    view = AccountTelemetry(Telemetry(), "genesys", "acme")
    http = Http(httpx.AsyncClient(transport=httpx.MockTransport(app)), view, clock)
    return Client(account or config(), http, clock)


async def test_a_token_by_password(clock: Any) -> None:
    """Signing in sends the user's name with its tenant, the client as Basic, and the API key."""
    app = App()
    client = client_of(app, clock)
    await client.sign_in()
    (request,) = app.requests
    assert parse_qs(request.content.decode()) == {
        "grant_type": ["password"],
        "username": ["acme\\wallboard"],
        "password": ["swordfish"],
        "client_id": ["exporter"],
    }
    assert base64.b64decode(request.headers["authorization"].split()[1]) == b"exporter:s3cret"
    assert request.headers["x-api-key"] == "key-1"
    await client.peek_subscription("a b")
    asked = app.requests[-1]
    assert asked.url.raw_path == b"/statistics/v3/subscriptions/a%20b/statistic-values?verbose=INFO"
    assert asked.headers["authorization"] == "Bearer token-1"
    assert asked.headers["x-api-key"] == "key-1"
    assert len(asked.headers["x-b3-traceid"]) == 16


async def test_a_token_by_client_credentials_from_another_host(clock: Any) -> None:
    """Client credentials send no user; tokens may come from a host of their own."""
    app = App()
    account = config(
        grant="client_credentials",
        auth_url="https://auth.example.com/",
        api_key=None,
        username=None,
    )
    await client_of(app, clock, account).sign_in()
    (request,) = app.requests
    assert str(request.url) == "https://auth.example.com/auth/v3/oauth/token"
    assert parse_qs(request.content.decode()) == {"grant_type": ["client_credentials"]}
    assert "x-api-key" not in request.headers


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, {"error": "invalid_grant", "error_description": "swordfish is wrong"}, Rejected),
        (401, {"error": "invalid_client"}, Rejected),
        (403, {}, Rejected),
        (401, "<html>", Rejected),
        (400, {"error": "temporarily_unavailable"}, ServerTrouble),
        (400, "<html>", Unexplained),
        (503, "<html>", ServerTrouble),
        (429, {}, Throttled),
        (200, "<html>", InvalidAnswer),
        (200, {}, InvalidAnswer),
        (200, {"access_token": "a\nb"}, InvalidAnswer),
        (200, {"access_token": ""}, InvalidAnswer),
        (200, {"access_token": "x" * 6001}, InvalidAnswer),
        (200, [], InvalidAnswer),
    ],
)
async def test_what_a_refused_token_means(
    clock: Any, status: int, body: Any, error: type[ProviderError]
) -> None:
    """Each refusal is told apart: credentials, a limit, a platform in trouble."""
    app = App()
    content = body if isinstance(body, str) else json.dumps(body)
    app.token = httpx.Response(status, content=content)
    with pytest.raises(ProviderError) as caught:
        await client_of(app, clock).sign_in()
    assert type(caught.value) is error
    assert "swordfish" not in str(caught.value)
    assert len(app.requests) == 1


@pytest.mark.parametrize(
    ("life", "renewed_after"),
    [(1000, 800), ("1000", 800), (None, 480), ("soon", 480), (-5, 480), (10, 60)],
)
async def test_a_token_is_renewed_ahead_of_its_end(
    clock: Any, life: Any, renewed_after: float
) -> None:
    """At 80 % of its life, but once a minute at most, a token is replaced."""
    app = App()
    app.life = life
    client = client_of(app, clock)
    await client.sign_in()
    clock.elapsed = renewed_after - 1
    await client.peek_subscription("x")
    assert app.tokens == 1
    clock.elapsed = renewed_after + 1
    await client.peek_subscription("x")
    assert app.tokens == 2


async def test_a_denied_request_is_made_again_with_a_new_token(clock: Any) -> None:
    """A request answered 401 or 403 is repeated once with a new token."""
    app = App()
    path = "/statistics/v3/subscriptions/x/statistic-values"
    for status in (401, 403):
        app.answers[path] = lambda request, status=status: (
            httpx.Response(200, json=envelope({"statistics": [{"statisticId": "1"}]}))
            if request.headers["authorization"] == f"Bearer token-{app.tokens}" and app.tokens > 1
            else httpx.Response(status)
        )
        app.tokens = 0
        client = client_of(app, clock)
        await client.sign_in()
        clock.elapsed += 60
        assert await client.peek_subscription("x") == [{"statisticId": "1"}]
        assert app.tokens == 2


async def test_a_request_denied_twice_loses_the_session(clock: Any) -> None:
    """A request denied with a new token too ends the session."""
    app = App()
    app.answers["/statistics/v3/subscriptions"] = httpx.Response(403)
    client = client_of(app, clock)
    await client.sign_in()
    with pytest.raises(AccessDenied, match="with a new token"):
        await client.create_subscription("x", [])
    assert app.tokens == 1, "the first token was new"
    clock.elapsed += 60
    with pytest.raises(AccessDenied, match="with a new token too"):
        await client.create_subscription("x", [])
    assert app.tokens == 2
    with pytest.raises(RenewalPaused):
        await client.sign_in()
    clock.elapsed += 60
    await client.sign_in()
    assert app.tokens == 3


async def test_rejected_credentials_at_a_renewal_are_told(clock: Any) -> None:
    """A refused token request means rejected credentials."""
    app = App()
    client = client_of(app, clock)
    await client.sign_in()
    app.answers["/statistics/v3/subscriptions"] = httpx.Response(401)
    app.token = httpx.Response(400, json={"error": "invalid_grant"})
    with pytest.raises(Unauthorized):
        await client.create_subscription("x", [])


async def test_signing_out_ends_this_token_only(clock: Any) -> None:
    """Signing out ends only this token, once."""
    app = App()
    client = client_of(app, clock)
    await client.sign_in()
    app.answers["/auth/v3/sign-out"] = httpx.Response(500)
    await client.sign_out(2.0)
    await client.sign_out(2.0)
    assert [request.url.path for request in app.requests] == [
        "/auth/v3/oauth/token",
        "/auth/v3/sign-out",
    ]
    assert not app.requests[-1].url.query


async def test_secure_cookies_go_out_over_plain_http(clock: Any) -> None:
    """Behind an internal http:// gateway a cookie marked Secure is sent all the same."""
    app = App()
    path = "/statistics/v3/notifications"
    cookies = [("set-cookie", "BAYEUX_BROWSER=b; HttpOnly; Secure; Path=/")]
    app.answers[path] = httpx.Response(200, headers=cookies, json=[])
    for base in ("http://127.0.0.1:9", "https://gapi.example.com"):
        client = client_of(app, clock, config(base_url=base))
        await client.sign_in()
        await client.post_messages([], "handshake", 5.0)
        await client.post_messages([], "connect", 5.0)
        assert app.requests[-1].headers["cookie"] == "BAYEUX_BROWSER=b"
        await client.sign_in()
        await client.post_messages([], "handshake", 5.0)
        assert "cookie" not in app.requests[-1].headers


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (envelope({"statistics": [{"statisticId": "1"}]}, 1), 1),
        (envelope({"statistics": [{"statisticId": "1"}, 5, None]}, 7, errors=[{}]), 1),
        (envelope({"statistics": {"statisticId": "1"}}), 1),
        (envelope({"statistics": None}), 0),
        (envelope(None), 0),
        ({"data": {"statistics": [{}, {}]}}, 2),
    ],
)
async def test_an_envelope_is_taken_for_what_it_holds(clock: Any, answer: Any, found: int) -> None:
    """Data is accepted with any code; without data only the codes 0 and 1 are success."""
    app = App()
    app.answers["/statistics/v3/operations/get-statistic-ex"] = httpx.Response(200, json=answer)
    client = client_of(app, clock)
    assert len(await client.get_values([])) == found


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (httpx.Response(200, json=envelope(None, 5)), Unexplained),
        (httpx.Response(200, json={}), Unexplained),
        (httpx.Response(200, json=[]), InvalidAnswer),
        (httpx.Response(200, text="<html>"), InvalidAnswer),
        (httpx.Response(200), InvalidAnswer),
        (httpx.Response(400, json=envelope(None, 5)), Unexplained),
        (httpx.Response(504), ServerTrouble),
    ],
)
async def test_a_failure_names_the_operation_or_the_trace(
    clock: Any, response: httpx.Response, error: type[ProviderError]
) -> None:
    """An envelope that failed, or is none, is an error that the vendor's support can trace."""
    app = App()
    app.answers["/statistics/v3/subscriptions"] = response
    with pytest.raises(error) as caught:
        await client_of(app, clock).create_subscription("x", [])
    assert "POST /subscriptions" in str(caught.value) or "(trace " in str(caught.value)


async def test_closing_takes_any_answer(clock: Any) -> None:
    """Deleting a subscription accepts an empty body."""
    app = App()
    app.answers["/statistics/v3/subscriptions/x"] = httpx.Response(200)
    await client_of(app, clock).delete_subscription("x")
    assert app.requests[-1].method == "DELETE"


# Subscriptions ----------------------------------------------------------------------------------


class Service:
    """Plays ``POST /subscriptions``: opens what ``opens`` lets it, refuses by ``refuses``."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.opens: Callable[[dict[str, Any]], bool] = lambda _: True
        self.refuses: Callable[[dict[str, Any]], bool] = lambda _: False
        self.deleted: list[str] = []
        self.ids: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        asked = body["data"]["statistics"]
        self.sizes.append(len(asked))
        self.ids.append(body["operationId"])
        if any(self.refuses(each) for each in asked):
            return httpx.Response(400, json=envelope(None, 5))
        opened = [
            {"statisticId": each["statisticId"], "value": 1, "timestamp": 1}
            for each in asked
            if self.opens(each)
        ]
        return httpx.Response(200, json=envelope({"statistics": opened}))


def subscriptions_of(
    service: Service, clock: Any, ids: int = 2, chunk: int = 200
) -> tuple[Subscriptions, StatisticStore, App]:
    app = App()
    app.answers["/statistics/v3/subscriptions"] = service
    queues = [f"q{number}" for number in range(ids)]
    account = config(objects=[{"type": "Queue", "ids": queues}])
    store = StatisticStore(statistics(account), {"statistics.queues"}, 20.0, clock, lambda: None)
    client = client_of(app, clock, account)
    return Subscriptions(client, store, chunk, clock, get_log("test")), store, app


async def test_statistics_are_opened_in_lots(clock: Any) -> None:
    """A subscription holds at most one chunk; undocumented types have chunks of their own."""
    service = Service()
    subscriptions, store, _ = subscriptions_of(service, clock, ids=10, chunk=25)
    await subscriptions.reopen()
    assert service.sizes == [25, 25, 10, 25, 15]
    assert store.unopened == []
    assert len(set(service.ids)) == 5


async def test_one_bad_statistic_costs_only_itself(
    clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A lot that is refused as a whole is halved until the bad statistic is found; it is named."""
    service = Service()
    service.refuses = lambda each: each["statisticId"] == "5"
    subscriptions, store, _ = subscriptions_of(service, clock)
    await subscriptions.reopen()
    assert store.unopened == [5]
    assert "statistics not opened" in caplog.text
    first = len(service.sizes)
    assert first <= 11
    caplog.clear()
    await subscriptions.open_missing()
    assert len(service.sizes) == first + 1
    assert "statistics not opened" not in caplog.text


async def test_a_platform_that_refuses_everything_is_not_asked_for_ever(clock: Any) -> None:
    """The search for bad statistics is bounded."""
    service = Service()
    service.refuses = lambda _: True
    subscriptions, store, _ = subscriptions_of(service, clock, ids=200)
    await subscriptions.reopen()
    assert len(store.unopened) == 2200
    assert len(service.sizes) < 100


async def test_a_refused_definition_is_requested_again_after_a_day(clock: Any) -> None:
    """What was refused is left out, and is opened where the platform accepts it a day later."""
    service = Service()
    service.opens = lambda each: each["definition"]["category"] != "CurrentMaxTime"
    subscriptions, store, _ = subscriptions_of(service, clock)
    await subscriptions.reopen()
    assert {store.statistics[x].stat_type.header for x in store.unopened} == {
        "CurrentMaxTime CallWait"
    }
    service.opens = lambda _: True
    requests = len(service.sizes)
    clock.elapsed += 86_000
    await subscriptions.open_missing()
    assert len(service.sizes) == requests
    clock.elapsed += 401
    await subscriptions.open_missing()
    assert store.unopened == []


async def test_partial_success_is_found_by_comparing(clock: Any) -> None:
    """A statistic that was not returned is not open, whatever the errors say."""
    service = Service()
    service.opens = lambda each: each["objectId"] == "q1"
    subscriptions, store, app = subscriptions_of(service, clock)
    await subscriptions.reopen()
    assert {store.statistics[number].object_id for number in store.unopened} == {"q0"}
    service.opens = lambda _: False
    await subscriptions.open_missing()
    assert app.requests[-1].method == "DELETE", "a subscription with nothing in it is left open"


async def test_opening_anew_closes_what_was_open(clock: Any) -> None:
    """Each reopening uses new subscription ids and deletes the earlier ones."""
    service = Service()
    subscriptions, _, app = subscriptions_of(service, clock)
    await subscriptions.reopen()
    old = subscriptions.ids
    await subscriptions.reopen()
    closed = {request.url.path for request in app.requests if request.method == "DELETE"}
    assert closed == {f"/statistics/v3/subscriptions/{subscription}" for subscription in old}
    assert not set(old) & set(subscriptions.ids)
    await subscriptions.close(3.0)
    assert subscriptions.ids == []


def update(**entry: Any) -> dict[str, Any]:
    return {"statistics": [entry]}


async def test_updates_of_other_subscriptions_are_not_ours(clock: Any) -> None:
    """Updates of other subscriptions are ignored; older servers send no subscription id."""
    subscriptions, store, _ = subscriptions_of(Service(), clock)
    await subscriptions.reopen()
    mine, waiting = subscriptions.ids[0], 0

    def heard(**entry: Any) -> Any:
        subscriptions.on_event("/statistics/v3/updates", update(**entry))
        return store._cells.get(waiting, (None, None))[0]

    assert heard(subscriptionId="other", statisticId=str(waiting), value=7, timestamp=2) == 1
    assert heard(subscriptionId=mine, statisticId=str(waiting), value=8, timestamp=2) == 8
    assert heard(statisticId=waiting, value=9, timestamp=3) == 9
    assert heard(subscriptionId=mine, statisticId="999", value=5) == 9
    assert heard(subscriptionId=mine, statisticId="x", value=5) == 9
    assert heard(subscriptionId=7, statisticId=str(waiting), value=10, timestamp=4) == 10


@pytest.mark.parametrize("depth", [0, 1, 2])
async def test_events_are_unwrapped(clock: Any, depth: int) -> None:
    """Values and the state of the service are found in any number of envelopes."""
    subscriptions, store, _ = subscriptions_of(Service(), clock)
    await subscriptions.reopen()
    wrapped: Any = update(statisticId="0", value=42, timestamp=5)
    state: Any = {"serviceState": "unavailable"}
    for _ in range(depth):
        wrapped, state = {"name": "X", "data": wrapped}, {"messageType": "Y", "data": state}
    subscriptions.on_event("/statistics/v3/updates", wrapped)
    assert store._cells[0] == (42, None)
    subscriptions.on_event("/statistics/v3/service", state)
    assert not subscriptions.available
    assert store._cells == {}
    subscriptions.on_event("/statistics/v3/service", {"serviceState": "AVAILABLE"})
    assert subscriptions.available


async def test_statistics_dropped_while_they_are_opened_are_not_believed(clock: Any) -> None:
    """Statistics dropped by the service while they are opened are reopened."""
    service = Service()
    subscriptions, store, app = subscriptions_of(service, clock)

    def dropped(request: httpx.Request) -> httpx.Response:
        subscriptions.on_event("/statistics/v3/service", {"serviceState": "UNAVAILABLE"})
        return service(request)

    app.answers["/statistics/v3/subscriptions"] = dropped
    with pytest.raises(Unavailable):
        await subscriptions.reopen()
    assert store._cells == {}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(["data", "statistics", "serviceState", "statisticId", "value"])
            | st.text(),
            inner,
        )
    ),
)


@pytest.mark.fuzz
@given(JSON)
def test_no_event_breaks_the_subscriptions(data: Any) -> None:
    """Any event is processed or ignored."""
    account = config()
    store = StatisticStore(
        statistics(account), {"statistics.queues"}, 20.0, VirtualClock(), lambda: None
    )
    view = AccountTelemetry(Telemetry(), "genesys", "acme")
    nowhere = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(404)))
    client = Client(account, Http(nowhere, view, None), None)  # type: ignore[arg-type]
    subscriptions = Subscriptions(client, store, 200, VirtualClock(), get_log("test"))
    subscriptions.on_event("/statistics/v3/updates", data)
    assert store.reading().tables is not None
