"""Tests of listening sockets: several addresses, all or none, and those of systemd."""

import os
import socket
import sys
from collections.abc import Iterator

import pytest

from exporter.errors import ConfigError
from exporter.web import systemd
from exporter.web.sockets import Address, listen, listen_all
from exporter.web.systemd import systemd_sockets


def test_several_addresses() -> None:
    """Each address gets a socket of its own that listens."""
    opened = listen_all([Address("127.0.0.1", 0), Address("127.0.0.1", 0)])
    try:
        ports = {Address.of(each).port for each in opened}
        assert len(ports) == 2
        for port in ports:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
    finally:
        for each in opened:
            each.close()


def test_all_addresses_or_none() -> None:
    """Where one address is taken, the others are let go again."""
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        wanted = [Address("127.0.0.1", port), Address("127.0.0.1", taken.getsockname()[1])]
        with pytest.raises(OSError, match="in use"):
            listen_all(wanted)
        with socket.create_server(("127.0.0.1", port)):
            pass


def test_where_a_socket_listens() -> None:
    """A socket for everybody has no host; another has its own."""
    for host in ("", "127.0.0.1"):
        with listen(Address(host, 0)) as opened:
            assert Address.of(opened) == Address(host, opened.getsockname()[1])


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Return descriptors as systemd would pass them: in a row, the first as if it were 3."""
    first = 200
    monkeypatch.setattr(systemd, "_FIRST_DESCRIPTOR", first)
    given: list[int] = []
    yield given
    for number in given:
        with_closed = first + given.index(number)
        try:
            os.close(with_closed)
        except OSError:
            continue


def give(given: list[int], opened: socket.socket) -> None:
    """Pass a socket on, as the next descriptor of the row."""
    os.dup2(opened.fileno(), 200 + len(given), inheritable=True)
    given.append(opened.fileno())


def test_sockets_of_systemd(passed: list[int]) -> None:
    """All sockets that are passed to this process are taken, and go to no child of it."""
    with listen(Address("127.0.0.1", 0)) as one, listen(Address("127.0.0.1", 0)) as two:
        give(passed, one)
        give(passed, two)
        found = systemd_sockets({"LISTEN_PID": "77", "LISTEN_FDS": "2"}, 77)
        names = [each.getsockname() for each in found]
        assert names == [one.getsockname(), two.getsockname()]
        assert not any(each.get_inheritable() for each in found)
        for each in found:
            each.detach()


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"LISTEN_FDS": "1"},
        {"LISTEN_PID": "78", "LISTEN_FDS": "1"},
        {"LISTEN_PID": "77", "LISTEN_FDS": "0"},
        {"LISTEN_PID": "77", "LISTEN_FDS": "many"},
    ],
)
def test_nothing_passed(environment: dict[str, str]) -> None:
    """Without a socket for this very process, that is said."""
    with pytest.raises(ConfigError, match="systemd passed no socket"):
        systemd_sockets(environment, 77)


def test_a_descriptor_that_is_no_socket(passed: list[int]) -> None:
    """An environment that promises what is not there is found out."""
    with pytest.raises(ConfigError, match="LISTEN_FDS is wrong"):
        systemd_sockets({"LISTEN_PID": "77", "LISTEN_FDS": "1"}, 77)


@pytest.mark.parametrize("kind", ["datagram", "unix", "idle"])
def test_a_socket_of_another_kind(passed: list[int], kind: str) -> None:
    """Only TCP sockets that listen can be served."""
    family = socket.AF_UNIX if kind == "unix" else socket.AF_INET
    form = socket.SOCK_DGRAM if kind == "datagram" else socket.SOCK_STREAM
    with socket.socket(family, form) as opened:
        if kind == "unix" and sys.platform == "linux":
            opened.bind("")
            opened.listen()
        give(passed, opened)
        with pytest.raises(ConfigError, match="has to be a TCP ListenStream="):
            systemd_sockets({"LISTEN_PID": "77", "LISTEN_FDS": "1"}, 77)


@pytest.mark.parametrize("text", [":0", "[::]:0"])
def test_all_addresses_are_of_both_families(text: str) -> None:
    """Without a host, and with that of IPv6, a socket answers over IPv4 and IPv6."""
    with listen(Address.parse(text)) as opened:
        port = opened.getsockname()[1]
        for host in ("127.0.0.1", "::1"):
            with socket.create_connection((host, port), timeout=5):
                pass
