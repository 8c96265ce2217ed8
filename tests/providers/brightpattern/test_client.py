"""Tests of the Bright Pattern client and authentication against stub applications."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from exporter.collector.http import Http
from exporter.errors import InvalidAnswer, ProviderError, ServerTrouble, Throttled, Unauthorized
from exporter.logs import get_log
from exporter.providers.brightpattern.auth import PasswordAuth, TokenAuth
from exporter.providers.brightpattern.campaigns import MAX_PAGES, Campaigns
from exporter.providers.brightpattern.client import (
    Client,
    DataNotReady,
    SubscriptionDeclined,
    SubscriptionLost,
    TokenRejected,
)
from exporter.providers.brightpattern.config import BrightPatternConfig
from exporter.telemetry import AccountTelemetry, Telemetry

pytestmark = pytest.mark.anyio

URL = "https://acme.example.com"
DATA = "/statsapi/subscription/data"


class App:
    """A platform of canned answers: by path, else 200 with nothing; keeps what was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.requests: list[httpx.Request] = []
        self.life: object = "3480"
        self.tokens = 0
        self.token_status = 200

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.url.path.endswith("/oauth/token"):
            return self._token()
        answer = self.answers.get(request.url.path, httpx.Response(200))
        return answer(request) if callable(answer) else answer

    def _token(self) -> httpx.Response:
        if self.token_status != 200:
            return httpx.Response(self.token_status)
        self.tokens += 1
        body = {
            "access_token": f"{self.tokens:064X}",
            "token_type": "Bearer",
            "expires_in": self.life,
        }
        return httpx.Response(200, json=body)

    def count(self, path: str) -> int:
        return sum(request.url.path == path for request in self.requests)


def http_of(app: Callable[[httpx.Request], httpx.Response], clock: Any) -> Http:
    view = AccountTelemetry(Telemetry(), "brightpattern", "acme")
    return Http(httpx.AsyncClient(transport=httpx.MockTransport(app)), view, clock)


def config_of(**options: Any) -> BrightPatternConfig:
    account = {
        "name": "acme",
        "provider": "brightpattern",
        "base_url": URL,
        "username": "api",
        "api_secret": "swordfish",
        "feeds": {"campaigns": {}},
        **options,
    }
    return BrightPatternConfig.model_validate(account)


def oauth_of(http: Http, clock: Any) -> TokenAuth:
    return TokenAuth(config_of(), http, clock, "v2")


def client_of(app: App, clock: Any) -> Client:
    return Client(config_of(), http_of(app, clock), clock)


async def test_token_is_asked_for_by_form(clock: Any) -> None:
    """The token request is a form with the four documented fields; the token goes along."""
    app = App()
    app.answers[DATA] = httpx.Response(200, json={})
    assert await client_of(app, clock).data() == {}
    token, data = app.requests
    assert token.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(token.content.decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": ["api"],
        "client_secret": ["swordfish"],
        "scope": ["acme.example.com"],
    }
    assert data.headers["authorization"] == f"Bearer {1:064X}"


@pytest.mark.parametrize(
    ("life", "early", "late"),
    [("1000", 799, 801), (1000, 799, 801), ("40", 59, 61), (None, 479, 481), ("soon", 479, 481)],
)
async def test_token_is_renewed_at_most_once_a_minute(
    clock: Any, life: object, early: float, late: float
) -> None:
    """A token is renewed after 80 % of its life, text or number, but not within a minute."""
    app = App()
    app.life = life
    client = client_of(app, clock)
    for elapsed, tokens in ((0, 1), (early, 1), (late, 2)):
        clock.elapsed = float(elapsed)
        await client.sign_in()
        assert app.tokens == tokens


async def test_old_token_serves_while_the_endpoint_is_down(clock: Any) -> None:
    """A renewal that fails for the server's sake does not cost the token that still lives."""
    app = App()
    app.life = "1000"
    client = client_of(app, clock)
    await client.sign_in()
    app.token_status = 503
    clock.elapsed = 900.0
    await client.sign_in()
    clock.elapsed = 1001.0
    with pytest.raises(ServerTrouble):
        await client.sign_in()


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_rejected_credentials_are_unauthorized(clock: Any, status: int) -> None:
    """Whatever status says that the credentials are wrong, it stops the account, silently."""
    app = App()
    app.token_status = status
    with pytest.raises(Unauthorized) as caught:
        await client_of(app, clock).sign_in()
    assert "swordfish" not in str(caught.value)
    assert len(app.requests) == 1


async def test_answer_401_gets_one_new_token(clock: Any) -> None:
    """A 401 asks for a new token once and tries again; a second one is the end."""
    app = App()
    client = client_of(app, clock)
    known = {f"Bearer {1:064X}", f"Bearer {2:064X}"}

    def data(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200 if request.headers["authorization"] in known else 401, json={})

    app.answers[DATA] = data
    await client.data()
    known.remove(f"Bearer {1:064X}")
    await client.data()
    assert app.tokens == 2
    known.clear()
    clock.elapsed += 200  # a third token at once would be delayed
    with pytest.raises(TokenRejected):
        await client.data()
    assert app.tokens == 3


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (204, DataNotReady),
        (404, SubscriptionLost),
        (403, Unauthorized),
        (429, Throttled),
        (502, ServerTrouble),
        (302, InvalidAnswer),
    ],
)
async def test_statuses_of_data(clock: Any, status: int, error: type[ProviderError]) -> None:
    """Each status of the data is the error that the collector acts on."""
    app = App()
    app.answers[DATA] = httpx.Response(status)
    with pytest.raises(error):
        await client_of(app, clock).data()


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"a": Nope}', b'{"a": "1"', b"null"])
async def test_unreadable_data_are_invalid(clock: Any, body: bytes) -> None:
    """What is not a whole JSON object is an invalid answer."""
    app = App()
    app.answers[DATA] = httpx.Response(200, content=body)
    with pytest.raises(InvalidAnswer):
        await client_of(app, clock).data()


async def test_subscription_answers(clock: Any) -> None:
    """Success has an empty body; 409 is throttled; 400 keeps the platform's words."""
    app = App()
    client = client_of(app, clock)
    path = "/statsapi/subscription"
    await client.subscribe({"x": {}})
    assert app.requests[-1].headers["content-type"] == "application/json"
    app.answers[path] = httpx.Response(409)
    with pytest.raises(Throttled):
        await client.subscribe({})
    said = {"error_code": 1004, "error_message": "unknown statistic"}
    for content, code in ((said, "1004"), ([], "no code")):
        app.answers[path] = httpx.Response(400, json=content)
        with pytest.raises(SubscriptionDeclined) as caught:
            await client.subscribe({})
        assert caught.value.code == code
    app.answers[path] = httpx.Response(400, content=b"<html>")
    with pytest.raises(SubscriptionDeclined):
        await client.subscribe({})


@pytest.mark.parametrize("status", [200, 404, 500, 403])
async def test_dropping_ignores_the_answer(clock: Any, status: int) -> None:
    """Dropping what may not be there takes any answer."""
    app = App()
    app.answers["/statsapi/subscription/active"] = httpx.Response(status)
    await client_of(app, clock).unsubscribe()


async def test_directory_takes_array_and_object(clock: Any) -> None:
    """Names come as a bare array or inside an object."""
    app = App()
    client = client_of(app, clock)
    path = "/statsapi/cfg/dispositions"
    for content in (["Sale"], {"dispositions": ["Sale"]}):
        app.answers[path] = httpx.Response(200, json=content)
        assert await client.directory("dispositions") == ["Sale"]
    app.answers[path] = httpx.Response(200, json={"others": []})
    with pytest.raises(InvalidAnswer):
        await client.directory("dispositions")


async def test_password_login_keeps_whatever_cookie_comes(clock: Any) -> None:
    """The session's cookie is sent along, with the balancer's; a 401 signs in once more."""
    app = App()
    sessions = iter(("one", "two"))

    def auth(request: httpx.Request) -> httpx.Response:
        cookies = [("Set-Cookie", f"X-BP-SESSION-ID={next(sessions)}; Path=/; HttpOnly")]
        cookies.append(("Set-Cookie", "AWSALB=7; Path=/"))
        return httpx.Response(200, headers=cookies, json={"token": "x"})

    def data(request: httpx.Request) -> httpx.Response:
        good = "two" in request.headers["cookie"] and "AWSALB=7" in request.headers["cookie"]
        return httpx.Response(200 if good else 401, json={})

    app.answers |= {"/statsapi/auth": auth, DATA: data}
    config = config_of(auth="password", password="pw", api_secret=None, feeds={})
    client = Client(config, http_of(app, clock), clock)
    assert await client.data() == {}
    assert app.count("/statsapi/auth") == 2
    app.answers["/statsapi/auth"] = httpx.Response(200)
    await client.sign_out()
    assert app.requests[-1].method == "DELETE"
    await client.sign_out()
    assert app.count("/statsapi/auth") == 3


async def test_old_login_advises_the_new_one(clock: Any) -> None:
    """Where passwords are no longer taken, the message says what to do."""
    app = App()
    app.answers["/statsapi/auth"] = httpx.Response(403, json={"error": "illegal login attempt"})
    config = config_of(auth="password", password="pw-secret")
    with pytest.raises(Unauthorized, match="auth: oauth") as caught:
        await PasswordAuth(config, http_of(app, clock), clock).ensure_valid()
    assert "pw-secret" not in str(caught.value)


async def test_tokens_that_are_none_are_invalid(clock: Any) -> None:
    """A token must be printable text, else nothing is sent with it."""
    tokens = ("", "a\nb", "x" * 6001, 5)
    for body in (*({"access_token": token} for token in tokens), [], {}):
        http = http_of(lambda _, body=body: httpx.Response(200, json=body), clock)  # type: ignore[misc]
        with pytest.raises(InvalidAnswer):
            await oauth_of(http, clock).ensure_valid()
    http = http_of(lambda _: httpx.Response(200, content=b"<html>"), clock)
    with pytest.raises(InvalidAnswer):
        await oauth_of(http, clock).ensure_valid()


class Lists:
    """A List Management API with campaigns of one list each: id → (records, completed)."""

    def __init__(self, **campaigns: tuple[int, int]) -> None:
        self.campaigns = campaigns
        self.pages = 0
        self.circle = False
        self.attempts: Callable[[int], Any] = lambda at: at % 2
        self.app = App()
        self.app.answers[f"{self.BASE}/getAll"] = lambda _: httpx.Response(200, json=self._all())
        for name in campaigns:
            self.app.answers[f"{self.BASE}/getCampaign/{name}"] = self._campaign
            self.app.answers[f"{self.BASE}/getAllRecords/{name}"] = self._page

    BASE = "/configapi/v3/campaign"

    def _all(self) -> list[Any]:
        known = [{"id": x, "name": "Same", "state": "RUNNING"} for x in self.campaigns]
        return [*known, {"id": "gone", "name": "Gone", "state": None}, {"name": "no id"}, 5]

    def _campaign(self, request: httpx.Request) -> httpx.Response:
        records, _ = self.campaigns[request.url.path.rpartition("/")[2]]
        lists = [{"instanceId": "I", "totalRecords": records, "enabled": True}]
        return httpx.Response(200, json={"lists": lists})

    def _page(self, request: httpx.Request) -> httpx.Response:
        self.pages += 1
        records, completed = self.campaigns[request.url.path.rpartition("/")[2]]
        asked = json.loads(request.content)
        start = 0 if self.circle else int(asked["cursor"] or 0)
        end = min(start + asked["limit"], records)
        page = [
            {"status": {"completed": at < completed, "totalAttempts": self.attempts(at)}}
            for at in range(start, end)
        ]
        cursor = str(end) if end < records else None
        return httpx.Response(200, json={"next_cursor": cursor, "records": page})


async def test_records_are_counted_page_by_page(clock: Any) -> None:
    """Records are counted by reading all pages; a campaign that is gone loses its own only."""
    lists = Lists(a=(2500, 1000), b=(0, 0))
    lists.app.answers[f"{Lists.BASE}/getCampaign/gone"] = httpx.Response(404)
    found = await Campaigns(client_of(lists.app, clock), 900.0, get_log("test")).read()
    assert [list(row) for row in found.tables["campaigns.states"].cells] == [
        ["Same (a)", "RUNNING", "Same"],
        ["Same (b)", "RUNNING", "Same"],
        ["Gone", None, None],
    ]
    rows = {(name, status): n for name, status, n, _ in found.tables["campaigns.records"].cells}
    assert rows["Same (a)", "total"] == 2500
    assert rows["Same (a)", "completed"] == 1000
    assert rows["Same (a)", "attempted"] == rows["Same (a)", "available"] == 750
    assert rows["Same (b)", "total"] == rows["Same (b)", "available"] == 0
    assert len(rows) == 8
    assert lists.pages == 4


@pytest.mark.parametrize(
    ("told", "counts"),
    [
        ("0", {"total": 3, "available": 3, "attempted": 0, "completed": 0}),
        ("2", {"total": 3, "available": 0, "attempted": 3, "completed": 0}),
        (None, {"total": 3, "available": 3, "attempted": 0, "completed": 0}),
        ("x", {}),
        ([], {}),
        (True, {}),
    ],
)
async def test_attempts(clock: Any, told: Any, counts: dict[str, int]) -> None:
    """Attempts may come as a text; where they cannot be read no record is counted."""
    lists = Lists(a=(3, 0))
    lists.attempts = lambda _: told
    found = await Campaigns(client_of(lists.app, clock), 900.0, get_log("test")).read()
    rows = found.tables["campaigns.records"].cells
    assert {status: n for name, status, n in rows if name == "Same"} == counts


async def test_pages_are_bounded(clock: Any) -> None:
    """A list too long to count shows its total only; pages that go round in a circle end."""
    lists = Lists(long=(MAX_PAGES * 1000 + 1, 0), short=(1500, 0))
    campaigns = Campaigns(client_of(lists.app, clock), 900.0, get_log("test"))
    rows = (await campaigns.read()).tables["campaigns.records"].cells
    assert [status for name, status, *_ in rows if name == "Same (long)"] == ["total"]
    assert lists.pages == 2
    lists.circle = True
    rows = (await campaigns.read()).tables["campaigns.records"].cells
    assert {name for name, *_ in rows} == {"Same (long)"}
    assert lists.pages == 4
