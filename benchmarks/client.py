"""A light scraper: several connections, each of which requests the page again at once.

One thread waits for all of them, so that eight scrapers on one core do not get in each other's
way. Knows answers of a given length, in chunks, and those that end with the connection.
"""

import selectors
import socket
import statistics
import time
from dataclasses import dataclass, field

# What Prometheus 2.42 sends.
_ACCEPT = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
_RECEIVE = 256 * 1024
_LAST_CHUNK = b"\r\n0\r\n\r\n"
_TIMEOUT = 240.0  # seconds for a whole turn


@dataclass(slots=True)
class Timings:
    """How long scrapes took (ms), and the size of a body as it was sent."""

    found: list[float] = field(default_factory=list)
    size: int = 0

    @property
    def p50(self) -> float:
        """The median."""
        return statistics.median(self.found)

    @property
    def p99(self) -> float:
        """What one of a hundred scrapes exceeds; of few scrapes the longest."""
        ordered = sorted(self.found)
        return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]


class _Connection:
    """One scraper's connection, its request, and how much of the answer has come."""

    def __init__(self, port: int, request: bytes, selector: selectors.BaseSelector) -> None:
        self._where = ("127.0.0.1", port)
        self._request = request
        self._selector = selector
        self._socket: socket.socket | None = None
        self._buffer = bytearray(_RECEIVE)
        self.began = 0.0
        self.size = 0

    def ask(self) -> None:
        """Send a request, on a new connection where the server has closed the last."""
        self._head = b""
        self._left: int | None = None  # of a given length
        self._chunked = self._headed = self._closes = False
        self._tail = b""
        self.size = 0
        self.began = time.perf_counter()
        if self._socket is not None:
            self._socket.sendall(self._request)
            return
        self._socket = socket.socket()
        self._socket.setblocking(False)  # noqa: FBT003 - the library's own order
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.connect_ex(self._where)
        self._selector.register(self._socket, selectors.EVENT_WRITE, self)

    def go_on(self) -> bool:
        """Do what the socket is ready for; return whether the answer is complete."""
        complete = self._go_on()
        if complete and self._closes:
            self.close()
        return complete

    def _go_on(self) -> bool:
        assert self._socket is not None
        if self._selector.get_key(self._socket).events == selectors.EVENT_WRITE:
            self._socket.sendall(self._request)
            self._selector.modify(self._socket, selectors.EVENT_READ, self)
            return False
        got = self._socket.recv_into(self._buffer)
        if got == 0:
            self.close()
            if not self._headed or self._chunked or self._left:
                raise RuntimeError("an answer was cut short")
            return True
        view = memoryview(self._buffer)[:got]
        if not self._headed:
            view = self._take_head(view)
        self.size += len(view)
        if self._chunked:
            self._tail = (self._tail + bytes(view[-len(_LAST_CHUNK) :]))[-len(_LAST_CHUNK) :]
            return self._tail == _LAST_CHUNK
        if self._left is not None:
            self._left -= len(view)
        return self._left == 0

    def _take_head(self, view: memoryview) -> memoryview:
        self._head += bytes(view)
        head, end, body = self._head.partition(b"\r\n\r\n")
        if not end:
            return memoryview(b"")
        self._headed = True
        status, *lines = head.lower().split(b"\r\n")
        if status.split()[1] != b"200":
            raise RuntimeError(f"not answered: {head.decode()}")
        self._closes = status.startswith(b"http/1.0") or b"connection: close" in lines
        for line in lines:
            name, _, value = line.partition(b":")
            if name == b"content-length":
                self._left = int(value)
            self._chunked = self._chunked or (name == b"transfer-encoding")
        return memoryview(body)

    def close(self) -> None:
        """End the connection."""
        if self._socket is not None:
            self._selector.unregister(self._socket)
            self._socket.close()
            self._socket = None


def scrape(
    port: int,
    *,
    path: str = "/metrics",
    gzip: bool,
    connections: int = 1,
    seconds: float = 2.0,
    most: int = 2000,
) -> Timings:
    """Scrape until there are ``most`` answers or the time is over; each connection at least once.

    One answer of each connection comes before and is not counted, unless it took very long.
    """
    encoding = "gzip" if gzip else "identity"
    request = (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: Prometheus/2.42.0\r\n"
        f"Accept: {_ACCEPT}\r\nAccept-Encoding: {encoding}\r\n"
        "X-Prometheus-Scrape-Timeout-Seconds: 10\r\n\r\n"
    ).encode()
    timings = Timings()
    with selectors.DefaultSelector() as selector:
        crowd = [_Connection(port, request, selector) for _ in range(connections)]
        warm: set[_Connection] = set()
        asking = set(crowd)
        start = time.perf_counter()
        for each in crowd:
            each.ask()
        while asking:
            ready = selector.select(timeout=_TIMEOUT)
            if not ready:
                raise RuntimeError("no answer in time")
            for key, _ in ready:
                each = key.data
                if not each.go_on():
                    continue
                now = time.perf_counter()
                took = (now - each.began) * 1000
                if each in warm or took > seconds * 1000 / 4:
                    timings.found.append(took)
                    timings.size = each.size
                    warm.add(each)
                    if now - start > seconds or len(timings.found) >= most:
                        asking.discard(each)
                        continue
                warm.add(each)
                each.ask()
        for each in crowd:
            each.close()
    return timings
