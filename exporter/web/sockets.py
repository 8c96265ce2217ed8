"""Where do we listen: on addresses of our own, or on sockets that systemd has opened?"""

import socket
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from exporter.errors import ConfigError

_BACKLOG = 512  # many replicas may come at once; a short queue costs them a second each
_FIRST = 3  # systemd passes its sockets from this descriptor on


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen: a host (empty for all) and a port (0 for any free one)."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Read ``:10077``, ``127.0.0.1:10077`` or ``[::1]:10077``; raises ``ValueError``."""
        host, colon, port = text.rpartition(":")
        host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
        if not colon or not port.isascii() or not port.isdigit() or int(port) > 65_535:  # noqa: PLR2004
            raise ValueError(f"{text!r} is no address such as :10077 or 127.0.0.1:10077")
        return cls(host, int(port))

    @classmethod
    def of(cls, opened: socket.socket) -> "Address":
        """Return where a socket listens."""
        host, port = opened.getsockname()[:2]
        return cls("" if host in ("::", "0.0.0.0") else host, port)  # noqa: S104 - read, not bound

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def listen(address: Address) -> socket.socket:
    """Open a socket; with no host, for IPv4 and IPv6 alike. Raises ``OSError``."""
    where = (address.host, address.port)
    if not address.host and socket.has_dualstack_ipv6():
        return socket.create_server(
            where, family=socket.AF_INET6, backlog=_BACKLOG, dualstack_ipv6=True
        )
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    return socket.create_server(where, family=family, backlog=_BACKLOG)


def listen_all(addresses: Iterable[Address]) -> list[socket.socket]:
    """Open a socket for each address, or none of them. Raises ``OSError``."""
    with ExitStack() as opened:
        found = [opened.enter_context(listen(address)) for address in addresses]
        opened.pop_all()
    return found


def inherited(environment: Mapping[str, str], process: int) -> list[socket.socket]:
    """Return the sockets that systemd has passed to this process, by ``sd_listen_fds(3)``.

    Raises ``ConfigError`` where there is none, or one that cannot be served.
    """
    try:
        meant = int(environment.get("LISTEN_PID", ""))
        many = int(environment.get("LISTEN_FDS", ""))
    except ValueError:
        meant, many = 0, 0
    if meant != process or many < 1:
        raise ConfigError(
            ["--web.systemd-socket: systemd has passed no socket; is there a .socket unit for it?"]
        )
    with ExitStack() as opened:
        try:
            found = [
                opened.enter_context(socket.socket(fileno=number))
                for number in range(_FIRST, _FIRST + many)
            ]
        except OSError as error:
            message = f"--web.systemd-socket: LISTEN_FDS is not true: {error.strerror}"
            raise ConfigError([message]) from error
        for each in found:
            if each.family not in (socket.AF_INET, socket.AF_INET6) or not _listens(each):
                raise ConfigError(
                    ["--web.systemd-socket: each socket has to be a TCP ListenStream= address"]
                )
            each.set_inheritable(False)
        opened.pop_all()
    return found


def _listens(each: socket.socket) -> bool:
    stream = each.type == socket.SOCK_STREAM
    return stream and each.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
