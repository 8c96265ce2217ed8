"""Connections of one account: resolves names apart, and keeps connections between refreshes."""

import asyncio
import ssl
from collections.abc import Callable, Coroutine, Iterable, Sequence
from ipaddress import ip_address
from typing import Any

import httpcore
import httpx

from exporter.clock import Clock, SystemClock
from exporter.collector.resolver import Resolver

CONNECT_TIMEOUT = 10.0  # seconds
REPEATABLE = "repeatable"  # key of a request's extensions: a read, whatever its method is
RESENT = "resent"  # key of a request's extensions: how often it was sent before without an answer
# Seconds that an idle connection is kept: the interval of most feeds, so that few refreshes need a
# look-up and a handshake. Gateways of clouds forget a connection after four minutes or more.
_KEEP_ALIVE = 120.0
_SHORTEST_KEEP_ALIVE = 5.0  # where connections turned out to be closed before that
_KEEP_ALIVE_SHARE = 0.8  # of the time after which a connection turned out to be closed
_LIMITS = httpx.Limits(max_connections=10, keepalive_expiry=_KEEP_ALIVE)
# Of the time for the connection, so 8 s: a resolver whose first server is dead answers after 5 s.
_LOOKUP_SHARE = 0.8
_LAST_LOOKUP = 1.0  # seconds for a look-up of an account that stops
_NEXT_ADDRESS = 0.25  # seconds before the next address is tried too (RFC 8305)
_CLOSED = (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)
_IDEMPOTENT = {"GET", "HEAD", "DELETE"}

SocketOptions = Iterable[httpcore.SOCKET_OPTION] | None

_resolver = Resolver()


class Transport(httpx.AsyncHTTPTransport):
    """Sends the requests of one account, through a proxy or not.

    A kept connection that was closed meanwhile is not used: httpcore looks before it sends. But a
    server may close it at the same moment, or a gateway may have forgotten it. A request that only
    reads, by its method or marked as ``REPEATABLE``, is then sent again on another connection, if
    no answer has begun, and counted as ``RESENT``.
    """

    def __init__(
        self, context: ssl.SSLContext, proxy: str | None, account: str, clock: Clock | None = None
    ) -> None:
        super().__init__(verify=context, trust_env=False, limits=_LIMITS, proxy=proxy)
        self._clock = clock or SystemClock()
        self.network = _Network(account)
        self._pool._network_backend = self.network  # noqa: SLF001 - httpx has no parameter for it
        self._used_at = self._clock.monotonic()
        self._keep_alive = _KEEP_ALIVE

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return the response, whose body has still to be read."""
        while True:
            idle = self._clock.monotonic() - self._used_at
            await self._close_idle(idle)
            connected = False

            async def note(event: str, _: dict[str, Any]) -> None:
                nonlocal connected
                connected = connected or event == "connection.connect_tcp.started"

            request.extensions["trace"] = note
            try:
                response = await super().handle_async_request(request)
            except (httpx.TransportError, asyncio.CancelledError) as error:
                if connected:
                    raise
                self._note_closed(idle)
                reads = request.method in _IDEMPOTENT or request.extensions.get(REPEATABLE)
                if not reads or not isinstance(error, _CLOSED):
                    raise
                request.extensions[RESENT] = request.extensions.get(RESENT, 0) + 1
            else:
                self._used_at = self._clock.monotonic()
                return response

    async def _close_idle(self, idle: float) -> None:
        """Close connections that the server has probably closed, perhaps during a suspend."""
        if idle > self._keep_alive:
            for connection in self._pool.connections:
                if connection.is_idle():
                    await connection.aclose()

    def _note_closed(self, idle: float) -> None:
        """Note that a connection kept for so long was closed, or that a gateway had forgotten it.

        A gateway that drops what is sent then shows as a timeout.
        """
        if idle > _SHORTEST_KEEP_ALIVE:
            keep = max(idle * _KEEP_ALIVE_SHARE, _SHORTEST_KEEP_ALIVE)
            self._keep_alive = min(self._keep_alive, keep)


class _Network(httpcore.AsyncNetworkBackend):
    """Opens TCP connections: looks names up by the resolver, then tries their addresses."""

    def __init__(self, account: str) -> None:
        self._account = account
        self._tcp = httpcore.AnyIOBackend()
        self._longest_lookup = float("inf")
        self._lookups: set[asyncio.Timeout] = set()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: SocketOptions = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to a host within ``timeout`` seconds after its name was resolved."""

        async def connect(address: str) -> httpcore.AsyncNetworkStream:
            return await self._tcp.connect_tcp(
                address, port, local_address=local_address, socket_options=socket_options
            )

        addresses = [host] if _is_address(host) else await self._resolve(host, port, timeout)
        try:
            async with asyncio.timeout(timeout):
                return await _first(connect, addresses)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"no connection within {timeout:g} s") from error

    async def sleep(self, seconds: float) -> None:
        """Sleep; httpcore does so between its own retries, of which there are none."""
        await self._tcp.sleep(seconds)

    def stop_waiting(self) -> None:
        """Stop waiting for look-ups that hang; those that follow may take a second."""
        self._longest_lookup = _LAST_LOOKUP
        for waiting in self._lookups:
            if not waiting.expired():
                waiting.reschedule(0.0)

    async def _resolve(self, host: str, port: int, time_to_connect: float | None) -> list[str]:
        limit = min((time_to_connect or CONNECT_TIMEOUT) * _LOOKUP_SHARE, self._longest_lookup)
        try:
            async with asyncio.timeout(limit) as waiting:
                self._lookups.add(waiting)
                try:
                    return await _resolver.resolve(self._account, host, port)
                finally:
                    self._lookups.discard(waiting)
        except TimeoutError as error:
            message = f"name resolution of {host} took longer than {limit:g} s"
            raise httpcore.ConnectError(message) from error
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


async def _first(
    connect: Callable[[str], Coroutine[Any, Any, httpcore.AsyncNetworkStream]],
    addresses: Sequence[str],
) -> httpcore.AsyncNetworkStream:
    """Return the first connection that succeeds; the next address is tried after 250 ms too.

    Raises the last error where none succeeds.
    """
    if len(addresses) == 1:
        return await connect(addresses[0])
    waiting = list(reversed(addresses))
    tasks: list[asyncio.Task[httpcore.AsyncNetworkStream]] = []
    running: set[asyncio.Task[httpcore.AsyncNetworkStream]] = set()
    first = None
    try:
        while waiting or running:
            if waiting:
                tasks.append(asyncio.create_task(connect(waiting.pop())))
                running.add(tasks[-1])
            done, running = await asyncio.wait(
                running,
                timeout=_NEXT_ADDRESS if waiting else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for task in done:
                if task.exception() is None:
                    first = task.result()
                    return first
        return tasks[-1].result()  # raises
    finally:
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, httpcore.AsyncNetworkStream) and result is not first:
                await result.aclose()


def stop_waiting(client: httpx.AsyncClient) -> None:
    """Stop waiting for name look-ups of a client that hang, as its account stops."""
    transport = client._transport  # noqa: SLF001 - the one that it was opened with
    if isinstance(transport, Transport):
        transport.network.stop_waiting()
