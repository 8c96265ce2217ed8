"""systemd: sockets of a ``.socket`` unit, and reports of the state to ``Type=notify`` services."""

import socket
from collections.abc import Mapping
from contextlib import ExitStack

from exporter.clock import uptime
from exporter.errors import ConfigError
from exporter.logs import get_log

_FIRST_DESCRIPTOR = 3  # of those that systemd passes
_NOTIFY_TIMEOUT = 1.0  # seconds

_log = get_log(__name__)


class Notifier:
    """Reports the state of this process by ``sd_notify(3)``; does nothing outside systemd."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._path = environment.get("NOTIFY_SOCKET", "")

    def ready(self) -> None:
        """Report that the start, or a reload, has ended."""
        self._send("READY=1")

    def reloading(self) -> None:
        """Report that a reload has begun; ``ready`` has to follow."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={round(uptime() * 1e6)}")

    def stopping(self) -> None:
        """Report that the stop has begun."""
        self._send("STOPPING=1")

    def _send(self, state: str) -> None:
        if not self._path:
            return
        # A leading @ is the null character of Linux' abstract addresses.
        address = "\0" + self._path[1:] if self._path.startswith("@") else self._path
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.settimeout(_NOTIFY_TIMEOUT)
                sender.connect(address)
                sender.sendall(state.encode())
        except OSError as error:
            _log.warning("systemd not notified", state=state.partition("\n")[0], error=str(error))


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
