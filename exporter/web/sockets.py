"""Listening sockets: opened on given addresses, or inherited from systemd."""

import socket
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from exporter.errors import ConfigError

_BACKLOG = 512  # replicas may connect at the same time; a short queue costs them a second each
_FIRST_DESCRIPTOR = 3  # of those that systemd passes


@dataclass(frozen=True, slots=True)
class Address:
    """An address to listen on: a host (empty for all) and a port (0 for any free port)."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Read ``:10077``, ``127.0.0.1:10077`` or ``[::1]:10077``; raises ``ValueError``."""
        host, colon, port = text.rpartition(":")
        host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
        if not colon or not port.isascii() or not port.isdigit() or int(port) > 65_535:  # noqa: PLR2004
            raise ValueError(f"{text!r} is not an address such as :10077 or 127.0.0.1:10077")
        return cls(host, int(port))

    @classmethod
    def of(cls, listener: socket.socket) -> "Address":
        """Return the address that a socket listens on."""
        host, port = listener.getsockname()[:2]
        return cls("" if host in ("::", "0.0.0.0") else host, port)  # noqa: S104 - read, not bound

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def listen(address: Address) -> socket.socket:
    """Open a socket; without a host, for both IPv4 and IPv6. Raises ``OSError``."""
    if not address.host and socket.has_dualstack_ipv6():
        return socket.create_server(
            ("", address.port), family=socket.AF_INET6, backlog=_BACKLOG, dualstack_ipv6=True
        )
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    return socket.create_server((address.host, address.port), family=family, backlog=_BACKLOG)


def listen_all(addresses: Iterable[Address]) -> list[socket.socket]:
    """Open a socket for each address, or none of them. Raises ``OSError``."""
    with ExitStack() as stack:
        opened = [stack.enter_context(listen(address)) for address in addresses]
        stack.pop_all()
    return opened


def systemd_sockets(environment: Mapping[str, str], process: int) -> list[socket.socket]:
    """Return the sockets that systemd passed to this process, by ``sd_listen_fds(3)``.

    Raises ``ConfigError`` if there is none, or one that is not a listening TCP socket.
    """
    try:
        owner = int(environment.get("LISTEN_PID", ""))
        count = int(environment.get("LISTEN_FDS", ""))
    except ValueError:
        owner, count = 0, 0
    if owner != process or count < 1:
        raise ConfigError(
            ["--web.systemd-socket: systemd passed no socket; is there a .socket unit?"]
        )
    with ExitStack() as stack:
        try:
            inherited = [
                stack.enter_context(socket.socket(fileno=number))
                for number in range(_FIRST_DESCRIPTOR, _FIRST_DESCRIPTOR + count)
            ]
        except OSError as error:
            message = f"--web.systemd-socket: LISTEN_FDS is wrong: {error.strerror}"
            raise ConfigError([message]) from error
        for listener in inherited:
            internet = listener.family in (socket.AF_INET, socket.AF_INET6)
            if not internet or not _is_listening(listener):
                raise ConfigError(
                    ["--web.systemd-socket: every socket has to be a TCP ListenStream= address"]
                )
            listener.set_inheritable(False)
        stack.pop_all()
    return inherited


def _is_listening(opened: socket.socket) -> bool:
    stream = opened.type == socket.SOCK_STREAM
    return stream and opened.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
