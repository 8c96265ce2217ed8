"""HTTP client of one account: sends requests, classifies failures, counts them."""

import asyncio
import contextlib
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, TypeVar

import httpx

from exporter import __version__
from exporter.clock import Clock, time_limit
from exporter.collector.bounds import SMALL, STATISTICS, Body, Bounds
from exporter.collector.cookies import BoundedCookies, are_refused
from exporter.collector.repair import read_json
from exporter.collector.threads import run_in_worker_if
from exporter.collector.transport import CONNECT_TIMEOUT, RESENT, Transport
from exporter.errors import (
    CookiesRefused,
    InvalidAnswer,
    ProviderError,
    ServerTrouble,
    Throttled,
    TimedOut,
    Unauthorized,
    Unexplained,
    Unreachable,
    Untrusted,
)
from exporter.metrics.parsers import END_OF_TIME
from exporter.telemetry import AccountTelemetry

T = TypeVar("T")
Read = Callable[[httpx.Response], Awaitable[T]]
# Called after every exchange: its operation, the request, and the whole answer if there was one.
OnExchange = Callable[[str, httpx.Request, httpx.Response | None], None]
# Raises for an answer that is a failure, from its status and its body, parsed as JSON if it is.
Check = Callable[[httpx.Response, Any], None]
_MAX_RETRY_AFTER = 3600.0
_FIRST_DATE = 1_577_836_800.0  # epoch seconds: 2020, before there was this program
_LARGE = 256 * 1024  # bytes of a body that is better parsed off the event loop
_LONGEST_MESSAGE = 500  # characters of an error
# What an answer of another shape raises: also numbers that are too large, and lists too deep.
UNEXPECTED = (
    *(ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError),
)
_MOST_LARGE = 8  # answers above SMALL that are read at a time
_UNPACKED = 65_536  # bytes unpacked at a time
_TURN = 262_144  # bytes read between two turns of other tasks
_REPLACED, _BOUNDS, _CUT = "replaced", "bounds", "cut"  # keys of an answer's extensions
_ZLIB_HEAD = 2  # bytes; RFC 1950: the method, and a multiple of 31
_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}  # of zlib, by content encoding
_OUTCOMES = {"throttled", "auth", "server", "timeout", "network", "fault", "invalid"}


@dataclass(frozen=True, slots=True)
class Tls:
    """TLS settings of one account; files are paths of PEM files."""

    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    insecure_skip_verify: bool = False


def open_client(tls: Tls, proxy: str | None, account: str = "") -> httpx.AsyncClient:
    """Return a client that follows no redirects and ignores the environment.

    Name look-ups that hang are bounded for each ``account``.
    Raises ``OSError`` or ``ssl.SSLError`` where a certificate file cannot be used.
    """
    context = _context(tls) if tls != Tls() else _public()
    return httpx.AsyncClient(
        transport=Transport(context, proxy, account),
        trust_env=False,
        follow_redirects=False,
        headers={
            "User-Agent": f"contactcenter-exporter/{__version__}",
            "Accept-Encoding": "gzip, deflate",  # httpx adds others where their modules are found
        },
    )


def is_proxy(address: str) -> bool:
    """Return whether a client can be opened with this proxy; SOCKS is not supported."""
    try:
        url = httpx.Proxy(address).url
    except (ValueError, httpx.InvalidURL):
        return False
    return url.scheme in ("http", "https") and bool(url.host)


@cache
def _public() -> ssl.SSLContext:
    """Return the context that trusts public authorities; shared, as all of them take 0.7 MB."""
    return httpx.create_ssl_context(trust_env=False)


def _context(tls: Tls) -> ssl.SSLContext:
    context = (
        ssl.create_default_context(cafile=tls.ca_file)
        if tls.ca_file
        else httpx.create_ssl_context(trust_env=False)
    )
    if tls.insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.cert_file:
        context.load_cert_chain(tls.cert_file, tls.key_file)
    return context


def check_status(response: httpx.Response, _: object = None) -> None:
    """Raise the error that an HTTP status stands for; return on success."""
    status = response.status_code
    if response.is_success:
        return
    message = f"HTTP {status}"
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        raise Unauthorized(message)
    if status == httpx.codes.TOO_MANY_REQUESTS:
        raise Throttled(message, retry_after=retry_after(response))
    if response.is_server_error:
        raise ServerTrouble(message, retry_after=retry_after(response))
    if response.is_redirect:
        raise InvalidAnswer(f"{message}: redirects are not followed")
    raise Unexplained(message)


def retry_after(response: httpx.Response) -> float:
    """Return the seconds in a ``Retry-After`` header; 0 where there is none."""
    text = response.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), _MAX_RETRY_AFTER)
    until, since = _date(text), _date(response.headers.get("date", ""))
    if until is None or since is None:
        return 0.0
    return min(max(until - since, 0.0), _MAX_RETRY_AFTER)


def _date(text: str) -> float | None:
    """Return a date of a header in epoch seconds; ``None`` if there is none that can be used."""
    try:
        date = parsedate_to_datetime(text)
        at = date.timestamp()
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return None  # the parser raises all of these
    return at if date.tzinfo is not None and _FIRST_DATE <= at < END_OF_TIME else None


class Http:
    """Sends one account's requests and counts them.

    ``skew`` is how many seconds the platform's clock is ahead of ours, ``None`` until an answer
    with a date has come. ``certificates`` holds the expiry (epoch seconds) of the certificates
    seen, by host. ``redact`` removes the account's secrets from a text. ``max_answer`` is the size
    (bytes) up to which an answer with statistics is read. Of answers that are larger than
    ``SMALL``, ``slots`` lets so many be read and parsed at a time, so that their sum is bounded.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        telemetry: AccountTelemetry,
        clock: Clock,
        on_exchange: OnExchange | None = None,
        redact: Callable[[str], str] = str,
        *,
        max_answer: int = STATISTICS,
        slots: asyncio.Semaphore | None = None,
    ) -> None:
        self.client = client
        self._cookies = BoundedCookies()
        self.client.cookies = self._cookies
        self.redact = redact
        self.max_answer = max_answer
        self._slots = slots or large_slots()
        self._telemetry = telemetry
        self._clock = clock
        self._on_exchange = on_exchange
        self.skew: float | None = None
        self.certificates: dict[str, float] = {}

    async def json(
        self,
        request: httpx.Request,
        operation: str,
        parse: Callable[[Any], T],
        timeout: float,  # noqa: ASYNC109 - as in send
        check: Check = check_status,
        *,
        size: int = SMALL,
    ) -> T:
        """Send a request and parse the JSON of the answer; see ``send`` and ``json_reader``."""
        return await self.send(request, operation, json_reader(parse, check), timeout, size=size)

    async def send(
        self,
        request: httpx.Request,
        operation: str,
        read: Read[T],
        timeout: float,  # noqa: ASYNC109 - a deadline for the whole exchange, not for the caller
        *,
        size: int = SMALL,
    ) -> T:
        """Send a request and return what ``read`` makes of the answer.

        ``read`` checks the status itself (see ``check_status``). ``timeout`` in seconds bounds
        the whole exchange, so that a trickling answer ends too. ``size`` bounds the answer in
        bytes, ``SMALL`` that of a failure; what exceeds it of a failure is dropped. Every request
        is counted under ``operation`` with its outcome. Raises ``ProviderError``.
        """
        started = self._clock.monotonic()
        outcome = "timeout"  # where the caller cancels
        answer = None
        try:
            async with contextlib.AsyncExitStack() as slot:
                try:
                    answer = await self._exchange(request, timeout, Bounds(operation, size), slot)
                finally:
                    if self._on_exchange is not None:
                        self._on_exchange(operation, request, answer)
                if are_refused(answer):
                    self._cookies.reduce(len(answer.request.headers["cookie"]))
                    text = f"HTTP {answer.status_code}: the header fields are too large"
                    raise CookiesRefused(text)
                result = await read(answer)
            outcome = "ok"
        except ProviderError as error:
            # Platforms may repeat what they were sent, so it is cut after that.
            text = self.redact(str(error))[:_LONGEST_MESSAGE]
            if answer is not None and _CUT in answer.extensions:
                text = f"{text}; {answer.extensions[_CUT]}"
            error.args = (text,)
            outcome = error.reason if error.reason in _OUTCOMES else "fault"
            raise
        finally:
            if answer is not None:
                self._telemetry.count_replaced(answer.extensions.get(_REPLACED, 0))
            for _ in range(request.extensions.get(RESENT, 0)):
                self._telemetry.count_request(operation, "network", 0.0)
            elapsed = self._clock.monotonic() - started
            self._telemetry.count_request(operation, outcome, max(elapsed, 0.0))
        return result

    def forget_cookies(self) -> None:
        """Drop all cookies, as at the beginning of a session."""
        self._cookies.forget()

    def _measure_skew(self, response: httpx.Response) -> None:
        """Compare the clocks; an answer from a cache carries an old time."""
        if "age" in response.headers:
            return
        date = _date(response.headers.get("date", ""))
        if date is not None:
            self.skew = date + 0.5 - self._clock.time()  # the header has whole seconds

    def _note_certificate(self, response: httpx.Response) -> None:
        host = response.request.url.host
        stream = response.extensions.get("network_stream")
        if stream is None or host in self.certificates:
            return
        tls = stream.get_extra_info("ssl_object")
        # OpenSSL took it, and we cannot read it.
        with contextlib.suppress(KeyError, OverflowError, ValueError):
            if tls is not None:
                self.certificates[host] = _end_of_certificate(tls)

    async def _exchange(
        self,
        request: httpx.Request,
        limit: float,
        bounds: Bounds,
        slot: contextlib.AsyncExitStack,
    ) -> httpx.Response:
        connect = min(limit, CONNECT_TIMEOUT)
        request.extensions["timeout"] = httpx.Timeout(limit, connect=connect).as_dict()
        try:
            async with time_limit(self._clock, limit):
                response = await self.client.send(request, stream=True)
                try:
                    self._note_certificate(response)
                    await self._read(response, bounds, slot)
                finally:
                    await response.aclose()
        except (TimeoutError, httpx.TimeoutException) as error:
            raise TimedOut(f"no answer within {limit:g} s") from error
        except (httpx.DecodingError, zlib.error) as error:
            raise InvalidAnswer("the answer's content encoding is not valid") from error
        except (httpx.TransportError, OSError) as error:
            untrusted = "CERTIFICATE_VERIFY_FAILED" in str(error)
            error_class = Untrusted if untrusted else Unreachable
            raise error_class(f"{type(error).__name__}: {_message(error)}") from error
        self._measure_skew(response)
        return response

    async def _read(
        self, response: httpx.Response, bounds: Bounds, slot: contextlib.AsyncExitStack
    ) -> None:
        """Read the body into the response, as far as the bounds allow."""
        if not response.is_success:
            bounds = Bounds(bounds.operation, min(bounds.size, SMALL))
        response.extensions[_BOUNDS] = bounds
        body = Body(bounds)
        work, is_large = 0, False
        try:
            async for piece in _pieces(response, bounds):
                body.add(piece, response.num_bytes_downloaded or len(piece))
                if not is_large and len(body) > SMALL:
                    is_large = True
                    await slot.enter_async_context(self._slots)
                work += len(piece) + _TURN // 64  # many small pieces take as long as a large one
                if work > _TURN:
                    work = 0
                    await self._clock.sleep(0)
        except (InvalidAnswer, zlib.error) as error:
            if response.is_success:
                raise
            response.extensions[_CUT] = str(error)
            body = Body(bounds)
        response._content = body.bytes()  # noqa: SLF001 - what aread() does, but bounded


def large_slots() -> asyncio.Semaphore:
    """Return the slots of a process for answers that are larger than ``SMALL``."""
    return asyncio.Semaphore(_MOST_LARGE)


def _end_of_certificate(tls: ssl.SSLObject) -> float:
    """Return when a server's certificate ends (epoch seconds); raises ``ValueError``."""
    if verified := tls.getpeercert():
        return ssl.cert_time_to_seconds(str(verified["notAfter"]))
    from cryptography import x509  # noqa: PLC0415 - large; Python reads verified ones itself

    certificate = tls.getpeercert(binary_form=True) or b""
    return x509.load_der_x509_certificate(certificate).not_valid_after_utc.timestamp()


def _message(error: Exception) -> str:
    """Return an error's text without what it quotes: a peer may repeat our credentials."""
    text = str(error)
    if isinstance(error, httpx.ProxyError):
        return text.partition(" ")[0]  # the status; a phrase of the proxy's own is behind it
    if isinstance(error, httpx.RemoteProtocolError):
        return text.partition(":")[0]  # "illegal status line", with the line behind it
    return text


async def _pieces(response: httpx.Response, bounds: Bounds) -> AsyncIterator[bytes]:
    """Yield the unpacked body in pieces; unlike httpx, of a bounded size each.

    Raises ``InvalidAnswer`` for an encoding that was not offered, ``zlib.error`` for a body that
    does not have it.
    """
    if response.is_stream_consumed:  # by a transport without a network
        yield response.content
        return
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity", *_WINDOW_BITS):
        # With two encodings, each would expand a byte to a thousand.
        raise InvalidAnswer(f"the answer to {bounds.operation} has an encoding that is not offered")
    with contextlib.suppress(ValueError):
        if int(response.headers.get("content-length", 0)) > bounds.size:
            raise bounds.too_large()
    unpacker = _Unpacker(encoding) if encoding in _WINDOW_BITS else None
    async for raw in response.aiter_raw():
        if unpacker is None:
            yield raw
        else:
            for piece in unpacker.feed(raw):
                yield piece


class _Unpacker:
    """Unpacks gzip or deflate in pieces of a bounded size."""

    def __init__(self, encoding: str) -> None:
        self._zlib = zlib.decompressobj(_WINDOW_BITS[encoding])
        self._head = b"" if encoding == "deflate" else None

    def feed(self, raw: bytes) -> Iterator[bytes]:
        """Yield what a piece unpacks to."""
        if self._head is not None:
            self._head = raw = self._head + raw
            if len(raw) < _ZLIB_HEAD:
                return
            self._head = None
            if int.from_bytes(raw[:_ZLIB_HEAD]) % 31 or raw[0] & 15 != zlib.DEFLATED:
                self._zlib = zlib.decompressobj(-zlib.MAX_WBITS)  # some servers omit the head
        piece = self._zlib.decompress(raw, _UNPACKED)
        yield piece
        while self._zlib.unconsumed_tail or len(piece) == _UNPACKED:
            piece = self._zlib.decompress(self._zlib.unconsumed_tail, _UNPACKED)
            yield piece


def bounds_of(response: httpx.Response) -> Bounds:
    """Return the bounds within which an answer was read."""
    bounds = response.extensions[_BOUNDS]
    assert isinstance(bounds, Bounds)
    return bounds


def note_replaced(response: httpx.Response, characters: int) -> None:
    """Note how many characters of an answer were replaced, for ``Http.send`` to count them."""
    response.extensions[_REPLACED] = characters


def json_reader(parse: Callable[[Any], T], check: Check = check_status) -> Read[T]:
    """Return a reader for ``Http.send`` that returns what ``parse`` makes of a JSON body.

    A body is repaired as by ``read_json``. ``check`` is called first. An empty body is parsed as
    ``None``.
    Raises ``InvalidAnswer`` for a body that is not JSON, and where ``check`` or ``parse`` raises
    ``TypeError``, ``ValueError``, ``LookupError``, ``AttributeError``, ``ArithmeticError`` or
    ``RecursionError``.
    """

    async def read(response: httpx.Response) -> T:
        body, broken = None, None
        try:
            body = await parse_json(response)
        except InvalidAnswer as error:
            broken = error
        try:
            check(response, body)
            if broken is not None:
                raise InvalidAnswer(str(broken)) from broken
            return parse(body)
        except UNEXPECTED as error:
            name = type(error).__name__  # its text may hold data
            raise InvalidAnswer(f"the answer has an unexpected shape ({name})") from error

    return read


async def parse_json(response: httpx.Response) -> Any:
    """Return the value of a JSON body, ``None`` for an empty one. Raises ``InvalidAnswer``."""
    content = response.content
    if not content:
        return None
    body, repaired = await run_in_worker_if(
        len(content) > _LARGE,
        read_json,
        content,
        response.charset_encoding,
        bounds_of(response),
    )
    note_replaced(response, repaired.replaced)
    return body


def json_object(body: object) -> dict[str, Any]:
    """Return a JSON object; raises ``InvalidAnswer`` for anything else."""
    if not isinstance(body, dict):
        raise InvalidAnswer("the answer is not a JSON object")
    return body


def json_array(body: object) -> list[Any]:
    """Return a JSON array; raises ``InvalidAnswer`` for anything else."""
    if not isinstance(body, list):
        raise InvalidAnswer("the answer is not a JSON array")
    return body
