"""Tests of the Voximplant client against stub applications."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from exporter.collector.http import Http
from exporter.errors import (
    InvalidAnswer,
    ProviderError,
    Refused,
    ServerTrouble,
    Throttled,
    Unauthorized,
    Unexplained,
    Unreachable,
)
from exporter.logs import get_log
from exporter.providers.voximplant.auth import KeyAuth
from exporter.providers.voximplant.client import Client, encode
from exporter.providers.voximplant.errors import CODES, MissingRole, TokenTimeInvalid, UnknownId
from exporter.telemetry import AccountTelemetry, Telemetry
from support.clock import NOON, VirtualClock

pytestmark = pytest.mark.anyio

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
Answer = httpx.Response | dict[str, Any] | Exception


class App:
    """A platform that gives prepared answers, the last one for ever, and notes what it is asked."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.tokens: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.method == "POST"
        if request.content:
            assert request.headers["content-type"] == "application/x-www-form-urlencoded"
        form = parse_qs(request.content.decode(), strict_parsing=bool(request.content))
        self.asked.append((request.url.path, {name: value[0] for name, value in form.items()}))
        self.tokens.append(request.headers["authorization"])
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)


class Lab:
    """A client that talks to an app."""

    def __init__(self, app: App, clock: VirtualClock) -> None:
        self.telemetry = Telemetry()
        view = AccountTelemetry(self.telemetry, "voximplant", "acme")
        http = Http(httpx.AsyncClient(transport=httpx.MockTransport(app)), view, clock)
        auth = KeyAuth("1", "key-1", KEY, clock)
        url = "https://platform/platform_api"
        self.client = Client(http, url, auth, 10.0, clock, get_log("exporter.test"))


@pytest.fixture
def talk(clock: VirtualClock) -> Iterator[Callable[..., tuple[Client, App]]]:
    def make(*answers: Answer) -> tuple[Client, App]:
        app = App(*answers)
        return Lab(app, clock).client, app

    return make


Talk = Callable[..., tuple[Client, App]]


def error(code: object, text: str = "") -> dict[str, Any]:
    return {"error": {"code": code, "msg": text}}


def test_parameters_are_written_as_the_platform_reads_them() -> None:
    """Lists with semicolons, dates in UTC, small truth values; what is None is left out."""
    east = timezone(timedelta(hours=2))
    written = encode(
        {
            "ids": ["1", "2"],
            "from_date": datetime(2026, 11, 20, 1, 30, 5, tzinfo=east),
            "yes": True,
            "no": False,
            "count": 20,
            "name": "a b",
            "nothing": None,
        }
    )

    assert written == {
        "ids": "1;2",
        "from_date": "2026-11-19 23:30:05",
        "yes": "true",
        "no": "false",
        "count": "20",
        "name": "a b",
    }


async def test_a_call_is_a_form_posted_to_the_methods_path(talk: Talk) -> None:
    """The method is in the path, the parameters in the body, the token in the header."""
    client, app = talk({"result": []})
    await client.read_list("GetACDState", acd_queue_id="all", ids=["1", "2"])

    assert app.asked == [("/platform_api/GetACDState", {"acd_queue_id": "all", "ids": "1;2"})]
    assert app.tokens[0].startswith("Bearer ")


@pytest.mark.parametrize(
    ("code", "kind", "reason"),
    [
        *((code, ServerTrouble, "server") for code in (1, 2, 4, 5, 15, 16, 19, 21, 251, 252)),
        *((code, MissingRole, "forbidden") for code in (104, 527)),
        *((code, Throttled, "throttled") for code in (162, 314, 340, 416, 484, 515)),
        *((code, UnknownId, "fault") for code in (116, 117, 218, 222, 255, 546, 558)),
        *((code, Refused, "fault") for code in (101, 111, 123, 127, 131, 194, 459, 569)),
        (9999, Unexplained, "fault"),
        ("340", Throttled, "throttled"),
        (None, InvalidAnswer, "invalid"),
        ("x", InvalidAnswer, "invalid"),
    ],
)
async def test_codes_decide_whatever_the_status(
    talk: Talk, code: object, kind: type[ProviderError], reason: str
) -> None:
    """The error in a body counts, with the HTTP status 200 as with 401 and 500."""
    for status in (200, 401, 500):
        client, app = talk(httpx.Response(status, json=error(code, "planted 'user_id' text")))
        with pytest.raises(kind) as caught:
            await client.call("GetUsers")

        assert type(caught.value) is kind
        assert caught.value.reason == reason
        assert "planted" not in str(caught.value)
        assert len(app.asked) == 1


@pytest.mark.parametrize("code", [100, 135, 137, 433, 447, 454])
async def test_auth_codes_reject_the_key(talk: Talk, code: int) -> None:
    """GetAccountInfo, which every key may ask, fails by the key alone: one request, no more."""
    client, app = talk(error(code))
    with pytest.raises(Unauthorized):
        await client.read_account()

    assert len(app.asked) == 1


def test_every_known_code_has_a_name() -> None:
    """Names are constants of the vendor's, so that a log line can be looked up."""
    assert all(name.isupper() and name.isascii() for name, _, _ in CODES.values())
    assert len(CODES) > 50


async def test_an_error_names_the_method_the_code_and_the_parameter(talk: Talk) -> None:
    """Of the platform's text only the parameter's name is kept."""
    client, _ = talk(error(485, "Specify the 'acd_queue_id' parameter. secret@example.com"))
    with pytest.raises(Refused) as caught:
        await client.call("GetACDQueueStatistics")

    said = "GetACDQueueStatistics: error 485 PARAMETER_CANT_BE_EMPTY_EX acd_queue_id"
    assert str(caught.value) == said


async def test_a_token_from_the_future_is_signed_anew_once(talk: Talk) -> None:
    """The second try has another token, made by the clock in the answer's Date header."""
    date = {"date": "Mon, 02 Mar 2026 11:57:59 GMT"}
    refused = httpx.Response(200, json=error(455), headers=date)
    client, app = talk(refused, httpx.Response(200, json={"result": {}}, headers=date))
    await client.call("GetAccountInfo")

    assert len(app.asked) == 2
    assert app.tokens[0] != app.tokens[1]
    assert client.skew == pytest.approx(-120.5)
    assert client.now() == pytest.approx(NOON - 120.5)


@pytest.mark.parametrize("code", [455, 456])
async def test_a_token_is_not_signed_anew_twice(talk: Talk, code: int) -> None:
    """A second token that is refused too is an authorization error."""
    client, app = talk(error(code))
    with pytest.raises(TokenTimeInvalid):
        await client.call("GetUsers")

    assert len(app.asked) == 2


async def test_throttling_grows_and_concerns_the_account(talk: Talk, clock: VirtualClock) -> None:
    """The pause doubles with every refusal in a row and ends with the first success."""
    limit = error(340)
    client, app = talk(limit, limit, limit, {"result": []}, limit)
    pauses = []
    for _ in range(3):
        with pytest.raises(Throttled) as caught:
            await client.call("GetUsers")
        pauses.append(caught.value.retry_after)
        assert client.pause == caught.value.retry_after
        clock.elapsed += client.pause
    await client.call("GetUsers")
    with pytest.raises(Throttled) as caught:
        await client.call("GetUsers")

    assert pauses == [10, 20, 40]
    assert caught.value.retry_after == 10
    assert len(app.asked) == 5


@pytest.mark.parametrize(
    ("answer", "pause"),
    [
        (error(416, "Repeat after 77 seconds"), 77),
        (error(484, "HTTP request is rejected"), 30),
        (httpx.Response(429, headers={"retry-after": "45"}), 45),
        (httpx.Response(429, json=error(340), headers={"retry-after": "45"}), 45),
        (httpx.Response(429, html="<html>"), 10),
    ],
)
async def test_the_pause_is_what_the_platform_asks_for(
    talk: Talk, answer: Answer, pause: float
) -> None:
    """Seconds in the text of code 416, a Retry-After header, else our own beginning."""
    client, _ = talk(answer)
    with pytest.raises(Throttled) as caught:
        await client.call("GetUsers")

    assert caught.value.retry_after == pause


async def test_a_role_is_missing_if_the_key_is_good(talk: Talk, clock: VirtualClock) -> None:
    """Code 100 of a key that answered lately is a missing role; the pauses grow."""
    client, app = talk({"result": []}, error(100))
    await client.call("GetUsers")
    pauses = []
    for _ in range(5):
        with pytest.raises(MissingRole) as caught:
            await client.call("GetACDState")
        pauses.append(caught.value.retry_after)

    assert pauses == [60, 240, 960, 3600, 3600]
    assert len(app.asked) == 6


async def test_a_key_that_did_not_answer_lately_is_proved(talk: Talk, clock: VirtualClock) -> None:
    """After a silence, code 100 is checked by GetAccountInfo."""
    client, app = talk(error(100), {"result": {}}, error(100))
    with pytest.raises(MissingRole):
        await client.call("GetACDState")
    clock.elapsed += 61
    with pytest.raises(Unauthorized) as caught:
        await client.call("GetACDState")

    assert not isinstance(caught.value, MissingRole)
    assert [path.rpartition("/")[2] for path, _ in app.asked] == [
        *("GetACDState", "GetAccountInfo", "GetACDState", "GetAccountInfo"),
    ]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(502, html="<html>"), ServerTrouble),
        (httpx.Response(404, html="<html>"), Unexplained),
        (httpx.Response(302, headers={"location": "https://elsewhere"}), InvalidAnswer),
        (httpx.Response(200, content=b"\x00\xffnot JSON"), InvalidAnswer),
        (httpx.Response(200, content=b'{"result": ['), InvalidAnswer),
        (httpx.Response(200, json=[1]), InvalidAnswer),
        ({}, InvalidAnswer),
        ({"result": None}, InvalidAnswer),
        ({"result": [1]}, InvalidAnswer),
        ({"result": "text"}, InvalidAnswer),
        ({"error": None}, InvalidAnswer),
        ({"error": {}}, InvalidAnswer),
        ({"error": "text"}, InvalidAnswer),
        ({"result": [], "errors": [{"code": 117, "msg": ""}]}, UnknownId),
        (httpx.ConnectError("refused"), Unreachable),
    ],
)
async def test_answers_that_are_none(talk: Talk, answer: Answer, kind: type[ProviderError]) -> None:
    """Pages of proxies, broken and partial answers are each their own kind of error."""
    client, _ = talk(answer)
    with pytest.raises(kind):
        await client.read_list("GetUsers")


async def test_lists_are_paged_to_their_total(talk: Talk) -> None:
    """Pages are asked for until total_count is reached, by what the server really gave."""
    pages = [
        {"result": [{"user_id": each} for each in range(start, start + size)], "total_count": 7}
        for start, size in ((0, 3), (3, 3), (6, 1))
    ]
    client, app = talk(*pages)
    rows = await client.read_pages("GetUsers", application_id="5")

    assert [row["user_id"] for row in rows] == list(range(7))
    assert [form["offset"] for _, form in app.asked] == ["0", "3", "6"]
    assert {form["count"] for _, form in app.asked} == {"1000"}


async def test_lists_without_a_total_end_with_a_short_page(talk: Talk) -> None:
    """SmartQueue sends no total; one object is a list of one."""
    client, app = talk({"result": [{"sq_queue_id": 1}] * 1000}, {"result": {"sq_queue_id": 2}})
    rows = await client.read_pages("SQ_GetQueues")

    assert len(rows) == 1001
    assert len(app.asked) == 2


async def test_a_list_that_breaks_off_is_no_list(talk: Talk) -> None:
    """Fewer rows than the platform says there are would make figures too small."""
    client, _ = talk({"result": [{}] * 2, "total_count": 5}, {"result": [], "total_count": 5})
    with pytest.raises(InvalidAnswer, match="end after 2 of 5 rows"):
        await client.read_pages("GetUsers")


async def test_a_list_without_end_is_left(talk: Talk) -> None:
    """A server that sends ever more pages does not fill the memory."""
    pages = ({"result": [{"user_id": user}], "total_count": 10**9} for user in range(300))
    client, app = talk(*pages)
    with pytest.raises(InvalidAnswer, match="more than"):
        await client.read_pages("GetUsers")

    assert len(app.asked) == 200


@pytest.mark.parametrize("total", [10**9, 1e18, None, True, -1, 0, "3"])
async def test_pages_that_repeat(talk: Talk, total: object) -> None:
    """A server that ignores the offset is asked twice."""
    client, app = talk(
        {"result": [{"user_id": user} for user in range(1000)], "total_count": total}
    )
    with pytest.raises(InvalidAnswer, match="a page came twice"):
        await client.read_pages("GetUsers")

    assert len(app.asked) == 2


@pytest.mark.parametrize("total", [True, False, -1, 0, 999, "1200", 1200.0, [], None])
async def test_a_total_that_cannot_be_true(talk: Talk, total: object) -> None:
    """No row of a full page's successor is missed because of the total."""
    users = [{"user_id": user} for user in range(1200)]
    client, _ = talk(
        {"result": users[:1000], "total_count": total},
        {"result": users[1000:], "total_count": total},
    )

    assert await client.read_pages("GetUsers") == users


async def test_of_the_account_only_what_may_be_shown_is_kept(talk: Talk) -> None:
    """The answer holds secrets, which do not leave the client."""
    secret = {"api_key": "planted", "callback_salt": "planted", "account_email": "planted"}
    client, _ = talk(
        {"result": {"balance": 1.5, "currency": "EUR", "active": True, "frozen": False, **secret}}
    )

    assert await client.read_account() == {
        "currency": "EUR",
        "balance": 1.5,
        "min_balance_to_notify": None,
        "credit_limit": None,
        "active": 1,
        "frozen": 0,
    }


async def test_a_clock_that_differs_is_told_once(
    talk: Talk, caplog: pytest.LogCaptureFixture
) -> None:
    """More than half a minute between the clocks is worth one warning."""
    ahead = httpx.Response(
        200, json={"result": []}, headers={"date": "Mon, 02 Mar 2026 12:00:40 GMT"}
    )
    near = httpx.Response(
        200, json={"result": []}, headers={"date": "Mon, 02 Mar 2026 12:00:20 GMT"}
    )
    odd = httpx.Response(200, json={"result": []}, headers={"date": "yesterday"})
    client, _ = talk(near, ahead, ahead, odd)
    await client.call("GetUsers")
    assert client.now() == NOON
    for _ in range(3):
        await client.call("GetUsers")

    assert [record.getMessage() for record in caplog.records] == [
        "clock differs from the platform's"
    ]
    assert client.now() == NOON + 40.5
