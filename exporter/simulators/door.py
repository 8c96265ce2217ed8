"""Base of the simulated platforms: failures on request, request log, gateway pages, clock."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from email.utils import formatdate
from fnmatch import fnmatchcase
from http import HTTPStatus
from random import Random
from typing import Any, ClassVar, Generic, Literal, TypeVar

import httpx
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send

from exporter.clock import Clock
from exporter.simulators.bombs import PATTERN, Bomb
from exporter.simulators.floor.floor import Floor

_KINDS = (
    r"html[2345]\d\d|reset|hang|cut|garbage|slow:\d+(\.\d+)?"
    r"|insert:[^@]+(@.+)?|literal:[^@]+(@.+)?|encoded:[\w-]+|(?:twice|lacking):.+|date:-?\d+"
    r"|long:\d+(@.+)?|head:\d+|" + PATTERN
)
# Texts and numbers of an answer that the kinds insert and literal change.
_TEXTS = re.compile(rb'(?<=>)[^<>&]+(?=<)|(?<=": ")[^"\\]+(?=")|(?<=":")[^"\\]+(?=")')
_NUMBERS = re.compile(rb'(?<=": )-?\d[\d.]*(?=[,}\]])|(?<=":)-?\d[\d.]*(?=[,}\]])')
# Texts of an answer that describe an error or a status, by the keys and elements of all platforms.
_MESSAGES = re.compile(
    rb'(?:"(?:message|msg|error_message|error_description)": ?"|<faultstring>)(?=[^"<])'
)
_ANY = "*"
_LOG_SIZE = 100_000  # a demo may run for weeks


@dataclass
class Record:
    """One request as a simulator saw it; times are the clock's."""

    start: float
    end: float | None = None
    status: int | None = None
    outcome: str = ""  # ok, cancelled, an HTTP status, a kind of failure, or a platform's own word


@dataclass
class Failure:
    """A kind of failure for the next requests whose target matches both patterns."""

    kind: str
    left: int
    target: str
    limited_to: str  # where the platform has this kind
    every: int = 1
    seen: int = 0  # requests that matched

    def is_its_turn(self) -> bool:
        """Count a request; return whether it is the one of ``every`` that fails."""
        self.seen += 1
        return self.seen % self.every == 0

    @property
    def word(self) -> str:
        """The kind without its detail."""
        return self.kind.partition(":")[0]

    @property
    def detail(self) -> str:
        """What follows the colon: a column, a fault, a number of seconds."""
        return self.kind.partition(":")[2]

    def applies(self, target: str) -> bool:
        """Return whether a request of this target fails."""
        patterns = (self.target, self.limited_to)
        return self.left > 0 and all(fnmatchcase(target, pattern) for pattern in patterns)


class Reset(Response):
    """A connection that breaks after the head of the answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - as Starlette calls it
        """Send the head, then break off: with or without a socket httpx sees a disconnect."""
        head = [(b"content-type", str(self.media_type).encode()), (b"content-length", b"4096")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        raise httpx.RemoteProtocolError("peer closed connection without sending complete body")


def gateway_page(status: int, headers: Mapping[str, str] | None = None) -> HTMLResponse:
    """Return an HTML page as a proxy in front of a platform sends it."""
    phrase = "Sign in to the network" if status == HTTPStatus.OK else HTTPStatus(status).phrase
    title = f"{status} {phrase}"
    html = (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{title}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    )
    return HTMLResponse(html, status, headers)


R = TypeVar("R", bound=Record)


@dataclass(eq=False)
class SimulatedPlatform(Generic[R]):
    r"""A floor served over HTTP, with failures on request. Base class of the four platforms.

    A request passes ``serve``, which logs it, and ``answer_or_fail``, which answers it unless
    ``fail_next`` has asked for a failure. Every platform knows these kinds of failure:

    - ``html<status>``: a gateway's page, with 200 that of a captive portal;
    - ``reset``: the connection breaks after the head of the answer;
    - ``hang``: no answer within ``hang_seconds``, then a gateway's 504;
    - ``slow:<seconds>``: the answer is late;
    - ``cut``: the answer ends in its middle;
    - ``garbage``: a body that is not what its content type says;
    - ``insert:<characters>``: the characters are inserted into one of the answer's texts, each as
      the byte of its number (``insert:\x1b``, ``insert:&#0;``, ``insert:\xfc``), or with
      ``@<name>`` behind them after the first character of that name wherever it occurs;
    - ``literal:<characters>``: the characters stand in place of one of the numbers of a JSON
      answer (``literal:NaN``), or with ``@<key>`` behind them of all numbers of that key;
    - ``encoded:<charset>``: the answer comes in another encoding, which its header declares;
    - ``long:<bytes>``: so many letters, others each time, are inserted into one of the answer's
      texts, or with ``@<name>`` behind them into that name wherever it occurs;
    - ``twice:<key>`` and ``lacking:<key>``: in every list of a JSON answer whose first object has
      the key, that object comes again at the end, or lacks the key;
    - ``date:<seconds>``: the answer's Date header is so far ahead of the platform's clock;
    - ``head:<kilobytes>``: the answer has headers of that size;
    - ``bomb:<shape>:<megabytes>``: an answer that explodes, unpacked so large, of many ``small``
      elements, ``deep`` nesting, many different ``keys``, one ``text``, one number of ``digits``,
      ``spaces`` with a mistake at their end, a ``fault`` (status 500) of many elements, or
      ``entities``; with ``:gzip``, ``:deflate`` or ``:twice`` (gzip in gzip) behind it packed, with
      ``:br`` declared as Brotli, with ``:slivers`` in chunks of two bytes.
    """

    # A platform's own kinds, as regular expressions, with the targets they are limited to.
    own_kinds: ClassVar[Mapping[str, str]] = {}
    media_type: ClassVar[str] = "application/json"

    floor: Floor
    clock: Clock
    _: KW_ONLY
    tick: Callable[[], None] | None = None  # moves the floor; called before each look at it
    seed: int = 1
    hang_seconds: float = 600.0
    clock_ahead: float = 0.0  # seconds by which the platform's clock is ahead of ours
    date_header: bool = False  # also send that clock's time, as a server in front may do
    new_cookies: int = 0  # bytes of a cookie that every answer sets under a new name; 0: none
    cookies_at_once: int = 1  # the number of them
    header_limit: int = 8192  # bytes of a request's header fields, as Tomcat and nginx have it
    header_status: Literal[431, 400] = 431  # RFC 6585, or as Tomcat and nginx answer
    long_messages: int = 0  # bytes by which each message of an answer is longer
    log: list[R] = field(init=False, default_factory=list)
    random: Random = field(init=False)
    _failures: list[Failure] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)

    def fail_next(self, kind: str, n: int = 1, target: str = _ANY, *, every: int = 1) -> None:
        """Let the next ``n`` requests fail whose target matches a pattern, or one of ``every``.

        A target is what the platform names a request by: an operation, a method or a path.
        """
        for kinds, limited_to in {_KINDS: _ANY, **self.own_kinds}.items():
            if re.fullmatch(kinds, kind):
                self._failures = [failure for failure in self._failures if failure.left > 0]
                self._failures.append(Failure(kind, n, target, limited_to, every))
                return
        raise ValueError(f"unknown kind of failure: {kind}")

    def fail_no_more(self) -> None:
        """Forget the failures that were asked for."""
        self._failures.clear()

    def move(self) -> None:
        """Let the floor catch up with the time."""
        if self.tick is not None:
            self.tick()

    def platform_time(self) -> float:
        """Return the time of the platform's own clock."""
        return self.clock.time() + self.clock_ahead

    async def serve(
        self, request: Request, record: R, answer: Callable[[], Awaitable[Response]]
    ) -> Response:
        """Log a request and answer it."""
        self.move()
        await request.body()  # first, as a look for a disconnect would lose it
        self.log.append(record)
        del self.log[:-_LOG_SIZE]
        try:
            response = self._headers_refusal(request) or await answer()
            record.status = response.status_code
            is_error = record.status >= HTTPStatus.BAD_REQUEST
            record.outcome = record.outcome or (str(record.status) if is_error else "ok")
        finally:
            record.outcome = record.outcome or "cancelled"
            record.end = self.clock.time()
        if self.date_header and "date" not in response.headers:
            response.headers["Date"] = formatdate(self.platform_time(), usegmt=True)
        for _ in range(self.cookies_at_once if self.new_cookies else 0):
            name, value = self.random.randbytes(8).hex(), "c" * self.new_cookies
            field = (b"set-cookie", f"{name}={value}; Path=/".encode())
            fields = response.raw_headers
            fields.insert(self.random.choice([0, len(fields)]), field)  # before others, or after
        if self.long_messages:
            body = bytes(response.body)
            longer = _MESSAGES.sub(lambda start: start[0] + b"m" * self.long_messages, body)
            return response if longer == body else _with_body(response, longer)
        return response

    def _headers_refusal(self, request: Request) -> Response | None:
        """Return the refusal of a request whose header fields are too large."""
        size = sum(len(name) + len(value) + len(": \r\n") for name, value in request.headers.raw)
        if size <= self.header_limit:
            return None
        if self.header_status == 400:  # noqa: PLR2004
            text = "<html><head><title>400 Request Header Or Cookie Too Large</title></head></html>"
            return HTMLResponse(text, self.header_status)
        return gateway_page(self.header_status)

    async def answer_or_fail(
        self,
        request: Request,
        record: R,
        target: str,
        answer: Callable[[Failure | None], Awaitable[Response]],
    ) -> Response:
        """Answer a request, or fail as the next failure of its target says."""
        failure = next((failure for failure in self._failures if failure.applies(target)), None)
        if failure is None or not failure.is_its_turn():
            return await answer(None)
        failure.left -= 1
        record.outcome = failure.kind
        response = await self.failed(failure, request) or await answer(failure)
        return self._changed(response, failure)

    async def failed(self, failure: Failure, request: Request) -> Response | None:
        """Return what is sent in place of an answer; None for kinds that change an answer."""
        if failure.word.startswith("html"):
            return gateway_page(int(failure.word.removeprefix("html")))
        match failure.word:
            case "reset":
                return Reset(media_type=self.media_type)
            case "bomb":
                return Bomb(failure.detail, self.media_type)
            case "garbage":
                return Response(b"\x00\xffgarbage", media_type=self.media_type)
            case "hang":
                await self._wait(request, self.hang_seconds)
                return gateway_page(HTTPStatus.GATEWAY_TIMEOUT)
            case "slow":
                await self._wait(request, float(failure.detail))
        return None

    async def _wait(self, request: Request, seconds: float) -> None:
        """Wait until the time is over or the client has gone."""
        until = self.clock.monotonic() + seconds
        while (left := until - self.clock.monotonic()) > 0 and not await request.is_disconnected():
            await self.clock.sleep(min(left, 1.0))

    def _changed(self, response: Response, failure: Failure) -> Response:
        """Return an answer as the kinds that change its bytes leave it."""
        body, media_type = bytes(response.body), self.media_type
        new, _, place = failure.detail.partition("@")
        match failure.word:
            case "cut":
                third = len(body) // 3
                body = body[: self.random.randrange(third, max(2 * third, third + 1))]
            case "long":
                letters = self.random.randbytes(int(new)).hex()[: int(new)]
                body = self._inserted(body, letters.encode(), place.encode())
            case "insert":
                body = self._inserted(body, new.encode("latin-1"), place.encode())
            case "literal":
                body = self._with_literal(body, new.encode(), re.escape(place.encode()))
            case "twice" | "lacking" if self.media_type == "application/json":
                answer = json.loads(body)
                body = json.dumps(_with_odd_rows(answer, failure.word, failure.detail)).encode()
            case "date":
                date = self.platform_time() + int(failure.detail)
                response.headers["Date"] = formatdate(date, usegmt=True)
                return response
            case "head":
                response.headers["X-Padding"] = "x" * (1000 * int(failure.detail))
                return response
            case "encoded":
                body = body.decode().encode(failure.detail)
                media_type = f"{media_type.partition(';')[0]}; charset={failure.detail}"
            case _:
                return response
        return _with_body(response, body, media_type)

    def _inserted(self, body: bytes, new: bytes, name: bytes) -> bytes:
        """Return a body with ``new`` inserted into the name, or into a text at random."""
        if name:
            first = len(name.decode()[0].encode())
            return body.replace(name, name[:first] + new + name[first:])
        texts = [*_TEXTS.finditer(body)]
        if not texts:
            return body
        text = self.random.choice(texts)
        at = self.random.randrange(text.start(), text.end() + 1)
        while at < len(body) and body[at] & 0xC0 == 0x80:  # noqa: PLR2004 - within a character
            at += 1
        return body[:at] + new + body[at:]

    def _with_literal(self, body: bytes, new: bytes, key: bytes) -> bytes:
        """Return a body with ``new`` for the numbers of the key, or for a number at random."""
        if key:
            return re.sub(rb'("%b": ?)-?\d[\d.]*' % key, lambda number: number[1] + new, body)
        numbers = [*_NUMBERS.finditer(body)]
        if not numbers:
            return body
        number = self.random.choice(numbers)
        return body[: number.start()] + new + body[number.end() :]


def _with_body(response: Response, body: bytes, media_type: str | None = None) -> Response:
    """Return a response with another body, and perhaps another type of it."""
    changed = Response(body, response.status_code, media_type=media_type)
    known = {name for name, _ in changed.raw_headers}
    changed.raw_headers += [item for item in response.raw_headers if item[0] not in known]
    return changed


def _with_odd_rows(value: Any, word: str, key: str) -> Any:
    """Return an answer with the first row of each list ``twice``, or ``lacking`` its key."""
    if isinstance(value, dict):
        return {name: _with_odd_rows(part, word, key) for name, part in value.items()}
    if not isinstance(value, list):
        return value
    rows = [_with_odd_rows(row, word, key) for row in value]
    if not rows or not isinstance(rows[0], dict) or key not in rows[0]:
        return rows
    if word == "twice":
        return [*rows, rows[0]]
    return [{name: cell for name, cell in rows[0].items() if name != key}, *rows[1:]]
