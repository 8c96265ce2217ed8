"""The cookies of an account: how many are kept, which, and to whom they are sent."""

import asyncio
import itertools
from collections.abc import Iterable

import httpx
import pytest

from exporter.clock import Clock
from exporter.collector.cookies import MOST_BYTES, MOST_COOKIES
from exporter.collector.http import Http
from exporter.errors import CookiesRefused, Refused
from exporter.telemetry import AccountTelemetry, Telemetry

pytestmark = pytest.mark.anyio

SESSIONS = [  # and the balancers' beside them
    {"STATISTICS_SESSIONID": "a", "BAYEUX_BROWSER": "b", "AWSALB": "c"},
    {"JSESSIONID": "s" * 1000},
    {"X-BP-SESSION-ID": "s", "AWSALBCORS": "c"},
    {"X-STATSAPI-TOKEN": "t" * 100, "X-STATSAPI-TENANT": "acme", "X-STATSAPI-LOGIN": "u"},
    {"connect.sid": "s"},
]


class Platform:
    """A platform that sets cookies and remembers which it was sent."""

    def __init__(self, clock: Clock) -> None:
        self.sent = ""
        self.answer = httpx.Response(200)
        self.cookies: list[tuple[str, str]] = []
        self._client = httpx.AsyncClient(transport=httpx.MockTransport(self._serve))
        self.http = Http(self._client, AccountTelemetry(Telemetry(), "five9", "acme"), clock)

    async def _serve(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)  # others are sent meanwhile
        self.sent = request.headers.get("cookie", "")
        headers = [(name.encode(), value.encode()) for name, value in self.cookies]
        return httpx.Response(self.answer.status_code, content=self.answer.content, headers=headers)

    async def get(self, *cookies: str, url: str = "https://acme.example.com/api/data") -> str:
        """Send a request, which is answered with cookies; return those that it was sent with."""
        self.cookies = [("set-cookie", cookie) for cookie in cookies]
        await self.http.send(self._client.build_request("GET", url), "get", _checked, 5.0)
        return self.sent


async def _checked(response: httpx.Response) -> None:
    if response.is_error:
        raise Refused(f"HTTP {response.status_code}")


@pytest.fixture
def platform(clock: Clock) -> Platform:
    return Platform(clock)


def names(sent: str) -> set[str]:
    return {part.partition("=")[0] for part in sent.split("; ") if part}


@pytest.mark.parametrize("size", [1, 1000, 4000])
async def test_the_cookies_of_the_session_survive_new_ones(platform: Platform, size: int) -> None:
    """New cookies push out neither the first ones nor the limit."""
    await platform.get("SESSION=s; Path=/", "BAYEUX_BROWSER=b; Path=/; HttpOnly")
    for number in range(70):
        sent = await platform.get(f"new{number}={'x' * size}; Path=/", f"AWSALB={number}; Path=/")

    assert {"SESSION", "BAYEUX_BROWSER", "AWSALB"} < names(sent)
    assert "AWSALB=68" in sent
    assert len(sent) <= MOST_BYTES
    assert len(names(sent)) <= MOST_COOKIES


@pytest.mark.parametrize(
    "before",
    [
        [f"new{number}=x; Path=/" for number in range(500)],
        [f"new={'x' * 4000}; Path=/"],
        [f"new={'x' * 2100}; Path=/", f"more={'x' * 1900}; Path=/"],
        [f"new={'x' * 50_000}; Path=/"],
        [f"{'n' * 50_000}=x; Path=/"],
    ],
)
@pytest.mark.parametrize("at_once", [True, False])
async def test_a_cookie_that_comes_late_is_kept(
    platform: Platform, before: list[str], *, at_once: bool
) -> None:
    """The session's cookie is kept where others came before it, in its answer or an earlier one."""
    answers: Iterable[list[str]] = [[*before, "SESSION=s"]] if at_once else [before, ["SESSION=s"]]
    for answer in answers:
        await platform.get(*answer)

    sent = await platform.get()

    assert "SESSION" in names(sent)
    assert len(sent) <= MOST_BYTES


@pytest.mark.parametrize("session", SESSIONS, ids="+".join)
@pytest.mark.parametrize("number", [1, 60])
@pytest.mark.parametrize("size", [10, 1000, 2030, 4000])
async def test_the_cookies_of_the_session_survive_any_others(
    platform: Platform, session: dict[str, str], number: int, size: int
) -> None:
    """Others come before, with and after the session's cookies, which are set anew at last."""
    count = itertools.count()

    def others() -> list[str]:
        return [f"new{next(count):04}={'x' * size}; Path=/" for _ in range(number)]

    def cookies(value: str) -> list[str]:
        return [f"{name}={text}{value}; Path=/" for name, text in session.items()]

    await platform.get(*others())
    await platform.get(*others(), *cookies("older"))
    await platform.get(*cookies("old"), *others())
    await platform.get(*others())
    await platform.get(*others(), *cookies("new"), *others())
    for _ in range(5):
        sent = await platform.get(*others())
        assert {f"{name}={text}new" for name, text in session.items()} <= {*sent.split("; ")}
        assert len(sent) <= MOST_BYTES
        assert len(names(sent)) <= MOST_COOKIES


@pytest.mark.parametrize("size", [10, 1000, 2030, 4075])
@pytest.mark.parametrize("is_first", [True, False])
async def test_a_cookie_of_an_unknown_name_survives_others(
    platform: Platform, size: int, *, is_first: bool
) -> None:
    """So does a cookie of no known name where each answer has one other."""
    for number in range(60):
        other = f"new{number:04}={'x' * size}; Path=/"
        cookies = ["route=node1; Path=/"] if number == 2 else []
        await platform.get(*([*cookies, other] if is_first else [other, *cookies]))

    assert "route" in names(await platform.get())


async def test_a_large_cookie_is_kept_where_there_is_room(platform: Platform) -> None:
    """A cookie that is larger than usual yields to others, not to emptiness."""
    await platform.get(f"SESSION={'s' * 3000}")
    assert names(await platform.get("route=node1")) == {"SESSION"}
    await platform.get(*[f"new{number}={'x' * 900}" for number in range(4)])
    assert "SESSION" not in names(await platform.get())


async def test_a_cookie_that_cannot_be_sent(platform: Platform) -> None:
    """A cookie of characters that no header field holds is left out, and no request fails."""
    await platform.get("name=Zürich; Path=/", "\u540d=x; Path=/", "SESSION=s; Path=/")

    assert await platform.get() == "SESSION=s"


async def test_cookies_stay_with_their_host(platform: Platform) -> None:
    """No other host gets a cookie, and no host sets one for another."""
    await platform.get("SESSION=s; Path=/", "theft=x; Domain=elsewhere.example.org; Path=/")

    assert await platform.get(url="https://elsewhere.example.org/api/data") == ""
    assert await platform.get(url="https://example.com/api/data") == ""
    assert await platform.get() == "SESSION=s"


async def test_cookies_of_one_name(platform: Platform) -> None:
    """Cookies of one name and several paths or domains are different cookies."""
    await platform.get("ID=root; Path=/", "ID=api; Path=/api", "ID=other; Path=/other")
    await platform.get("ID=all; Domain=example.com; Path=/")

    sent = await platform.get()

    assert sorted(sent.split("; ")) == ["ID=all", "ID=api", "ID=root"]
    assert await platform.get("ID=x; Path=/; Max-Age=0") == sent
    assert sorted((await platform.get()).split("; ")) == ["ID=all", "ID=api"]


async def test_cookies_that_are_set_and_deleted_leave_nothing(platform: Platform) -> None:
    """Under new names, paths and domains the jar stays empty."""
    for number in range(30):
        await platform.get(f"ID=x; Path=/api/{number}; Domain=acme.example.com")
        await platform.get(
            f"ID=x; Path=/api/{number}; Domain=acme.example.com; Max-Age=0",
            f"old{number}=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        )

    jar = platform.http.client.cookies.jar
    assert [*jar] == []
    assert vars(jar)["_cookies"] == {}


@pytest.mark.parametrize(
    ("status", "page", "size"),
    [
        (431, b"", 600),
        (431, b"Request Header Fields Too Large", 10),
        (400, b"<title>400 Request Header Or Cookie Too Large</title>", 10),  # nginx
        (400, b"<b>Message</b> Request header is too large</p>", 10),  # Tomcat
        (400, b"<p>HTTP Error 400. The size of the request headers is too long.</p>", 10),  # IIS
        (494, b"Request Header Or Cookie Too Large", 10),
    ],
)
async def test_cookies_that_are_refused_are_dropped(
    platform: Platform, status: int, page: bytes, size: int
) -> None:
    """Where a server takes less, the cookies go, and the next request is without them."""
    await platform.get(f"SESSION={'s' * size}")
    platform.answer = httpx.Response(status, content=page)

    with pytest.raises(CookiesRefused, match=str(status)):
        await platform.get()

    platform.answer = httpx.Response(200)
    assert await platform.get() == ""


async def test_the_cookies_of_the_session_survive_a_refusal(platform: Platform) -> None:
    """Other cookies are dropped, and not kept again in this session."""
    await platform.get("SESSION=s", "other=x")
    platform.answer = httpx.Response(494, content=b"Request Header Or Cookie Too Large")

    refusals = await asyncio.gather(*[platform.get() for _ in range(3)], return_exceptions=True)
    assert [type(refusal) for refusal in refusals] == 3 * [CookiesRefused]

    platform.answer = httpx.Response(200)
    assert await platform.get("new=x", "AWSALB=a") == "SESSION=s"
    assert names(await platform.get()) == {"SESSION", "AWSALB"}
    platform.http.forget_cookies()
    await platform.get("new=x")
    assert await platform.get() == "new=x"


@pytest.mark.parametrize(
    ("status", "page", "cookie"),
    [
        (400, b'{"status": {"code": 3, "message": "the list is too large"}}', "SESSION=s"),
        (413, b"Request Entity Too Large", "SESSION=s"),
        (431, b'{"message": "Request too long"}', "SESSION=s"),
        (431, b"Request Header Fields Too Large", ""),
        (500, b"Request Header Fields Too Large", "SESSION=s"),
    ],
)
async def test_other_refusals_drop_no_cookie(
    platform: Platform, status: int, page: bytes, cookie: str
) -> None:
    """A refusal that is not about cookies is left to the platform's own reader."""
    await platform.get(*filter(None, [cookie]))
    platform.answer = httpx.Response(status, content=page)

    with pytest.raises(Refused, match=str(status)):
        await platform.get()

    platform.answer = httpx.Response(200)
    assert await platform.get() == cookie
