"""HTTP to a platform: sends, counts, and turns whatever goes wrong into one of our errors."""

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cache
from typing import TypeVar

import httpx

from exporter import __version__
from exporter.clock import Clock
from exporter.errors import (
    InvalidAnswer,
    ProviderError,
    Refused,
    ServerTrouble,
    Throttled,
    TimedOut,
    Unauthorized,
    Unreachable,
)
from exporter.telemetry import AccountTelemetry

T = TypeVar("T")
# Told of every exchange: its operation, the request, and the whole answer if there was one.
Witness = Callable[[str, httpx.Request, httpx.Response | None], None]
MAX_BODY = 128 * 1024 * 1024  # bytes: 20,000 rows of 30 columns are 13 MB
_CONNECT_TIMEOUT = 10.0
_MAX_RETRY_AFTER = 24 * 3600.0
_OUTCOMES = {"throttled", "auth", "server", "timeout", "network", "fault", "invalid"}


@dataclass(frozen=True, slots=True)
class Tls:
    """How to trust a platform and how to show who we are (paths of PEM files)."""

    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    insecure_skip_verify: bool = False


def open_client(tls: Tls, proxy: str | None) -> httpx.AsyncClient:
    """Return a client that follows no redirects and reads nothing from the environment.

    Raises ``OSError`` or ``ssl.SSLError`` where a certificate file cannot be used.
    """
    return httpx.AsyncClient(
        verify=_context(tls) if tls != Tls() else _public(),
        proxy=proxy,
        trust_env=False,
        follow_redirects=False,
        headers={"User-Agent": f"contactcenter-exporter/{__version__}"},
    )


def is_proxy(address: str) -> bool:
    """Tell whether a client can be opened with a proxy; SOCKS takes a package that we lack."""
    try:
        found = httpx.Proxy(address).url
    except (ValueError, httpx.InvalidURL):
        return False
    return found.scheme in ("http", "https") and bool(found.host)


@cache
def _public() -> ssl.SSLContext:
    """Trust the public authorities; read once, as all of them take 0.7 MB."""
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


class Http:
    """One account's way to its platform.

    ``skew`` is how many seconds the platform's clock is ahead of ours, once it told.
    ``certificates`` are when those end that answered over TLS (epoch seconds), by host. ``hide``
    takes the account's secrets out of a text.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        telemetry: AccountTelemetry,
        clock: Clock,
        witness: Witness | None = None,
        hide: Callable[[str], str] = str,
    ) -> None:
        self.client = client
        self.hide = hide
        self._telemetry = telemetry
        self._clock = clock
        self._witness = witness
        self.skew: float | None = None
        self.certificates: dict[str, float] = {}

    async def send(
        self,
        request: httpx.Request,
        operation: str,
        read: Callable[[httpx.Response], Awaitable[T]],
        timeout: float,  # noqa: ASYNC109 - a deadline for the whole exchange, not for the caller
    ) -> T:
        """Send a request and return what ``read`` makes of the answer.

        ``read`` judges the status itself (``check_status`` does the usual). ``timeout`` in
        seconds bounds the whole exchange, so that a trickling answer ends too. Every request is
        counted under ``operation`` with its outcome. Raises ``ProviderError``.
        """
        started = self._clock.monotonic()
        outcome = "timeout"  # what it is if the caller gives up on us
        try:
            answer = await self._witnessed(request, operation, timeout)
            result = await read(answer)
            outcome = "ok"
        except ProviderError as error:
            error.args = (self.hide(str(error)),)  # platforms may repeat what they were sent
            outcome = error.reason if error.reason in _OUTCOMES else "fault"
            raise
        finally:
            elapsed = self._clock.monotonic() - started
            self._telemetry.requested(operation, outcome, max(elapsed, 0.0))
        return result

    async def _witnessed(
        self, request: httpx.Request, operation: str, limit: float
    ) -> httpx.Response:
        answer: httpx.Response | None = None
        try:
            answer = await self._exchange(request, limit)
        finally:
            if self._witness is not None:
                self._witness(operation, request, answer)
        self._measure_skew(answer)
        return answer

    def _measure_skew(self, response: httpx.Response) -> None:
        """Compare clocks; an answer that a cache kept tells an old time."""
        if "age" in response.headers:
            return
        with contextlib.suppress(KeyError, TypeError, ValueError):
            told = parsedate_to_datetime(response.headers["date"]).timestamp()
            self.skew = told + 0.5 - self._clock.time()  # the header has whole seconds

    def _note_certificate(self, response: httpx.Response) -> None:
        host = response.request.url.host
        stream = response.extensions.get("network_stream")
        if stream is None or host in self.certificates:
            return
        tls = stream.get_extra_info("ssl_object")
        with contextlib.suppress(ValueError):  # one that OpenSSL took, and we cannot read
            if tls is not None:
                self.certificates[host] = _end_of_certificate(tls)

    async def _exchange(self, request: httpx.Request, limit: float) -> httpx.Response:
        request.extensions["timeout"] = httpx.Timeout(limit, connect=_CONNECT_TIMEOUT).as_dict()
        try:
            async with asyncio.timeout(limit):
                response = await self.client.send(request, stream=True)
                try:
                    self._note_certificate(response)
                    await _read_capped(response)
                finally:
                    await response.aclose()
        except (TimeoutError, httpx.TimeoutException) as error:
            raise TimedOut(f"no answer within {limit:g} s") from error
        except httpx.DecodingError as error:
            raise InvalidAnswer("the answer's content encoding is broken") from error
        except (httpx.TransportError, OSError) as error:
            raise Unreachable(f"{type(error).__name__}: {_told(error)}") from error
        return response


def _end_of_certificate(tls: ssl.SSLObject) -> float:
    """Return when a server's certificate ends (epoch seconds); raises ``ValueError``."""
    if verified := tls.getpeercert():
        return ssl.cert_time_to_seconds(str(verified["notAfter"]))
    from cryptography import x509  # noqa: PLC0415 - large; Python reads verified ones itself

    certificate = tls.getpeercert(binary_form=True) or b""
    return x509.load_der_x509_certificate(certificate).not_valid_after_utc.timestamp()


def _told(error: Exception) -> str:
    """Return what an error says, less what it quotes: who is there may repeat our credentials."""
    text = str(error)
    if isinstance(error, httpx.ProxyError):
        return text.partition(" ")[0]  # the status; a phrase of the proxy's own is behind it
    if isinstance(error, httpx.RemoteProtocolError):
        return text.partition(":")[0]  # "illegal status line", with the line behind it
    return text


async def _read_capped(response: httpx.Response) -> None:
    """Read the body into the response, up to MAX_BODY as it is unpacked."""
    if "," in response.headers.get("content-encoding", ""):
        # Each packing makes a thousand bytes of one: of two, one read could fill the memory.
        raise InvalidAnswer("the answer is packed more than once")
    chunks = []
    size = 0
    async for chunk in response.aiter_bytes():
        size += len(chunk)
        if size > MAX_BODY:
            raise InvalidAnswer(f"the answer is larger than {MAX_BODY} bytes")
        chunks.append(chunk)
    response._content = b"".join(chunks)  # noqa: SLF001 - what aread() does, but bounded


def check_status(response: httpx.Response) -> None:
    """Raise the error that an HTTP status stands for; return on success."""
    status = response.status_code
    if response.is_success:
        return
    said = f"HTTP {status}"
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        raise Unauthorized(said)
    if status == httpx.codes.TOO_MANY_REQUESTS:
        raise Throttled(said, retry_after=retry_after(response))
    if response.is_server_error:
        raise ServerTrouble(said, retry_after=retry_after(response))
    if response.is_redirect:
        raise InvalidAnswer(f"{said}: redirects are not followed")
    raise Refused(said)


def retry_after(response: httpx.Response) -> float:
    """Return the seconds that a ``Retry-After`` header asks for; 0 where there is none."""
    text = response.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), _MAX_RETRY_AFTER)
    with contextlib.suppress(ValueError, TypeError):
        until = parsedate_to_datetime(text)
        since = parsedate_to_datetime(response.headers.get("date", ""))
        return min(max((until - since).total_seconds(), 0.0), _MAX_RETRY_AFTER)
    return 0.0
