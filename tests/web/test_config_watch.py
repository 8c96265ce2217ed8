"""Tests of reloading the web configuration when its files change."""

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.config import files
from exporter.errors import ConfigError
from exporter.web.config import WebConfigWatcher
from support.certificates import Authority

FIRST = "$2b$04$" + "a" * 53
SECOND = "$2b$04$" + "b" * 53
TLS = "tls_server_config: {cert_file: server.crt, key_file: server.key}\n"


class World:
    """A web configuration and its certificate, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "web.yml"
        self.authority = Authority()
        self.rotate()

    def write(self, text: str) -> None:
        self.file.write_text(text)

    def rotate(self) -> None:
        self.authority.sign("server", "localhost").write(self.folder, "server")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def settle(watcher: WebConfigWatcher) -> None:
    """Look twice: once to see a change, once to see that it stands still."""
    watcher.look()
    watcher.look()


def users(hash_: str) -> str:
    return f"basic_auth_users: {{alice: {hash_}}}\n"


def test_a_change_is_taken_when_it_stands_still(world: World) -> None:
    """A new version is read at the second look that sees the same, not at the first."""
    world.write(users(FIRST))
    watcher = WebConfigWatcher(world.file)
    world.write(users(SECOND) + "# longer")
    watcher.look()
    assert watcher.current.users["alice"] == FIRST.encode()
    world.write(users(SECOND) + "# still being written")
    watcher.look()
    assert watcher.current.users["alice"] == FIRST.encode()
    watcher.look()
    assert watcher.current.users["alice"] == SECOND.encode()


def test_nothing_is_read_while_nothing_changes(world: World) -> None:
    """Without a change the same configuration stays, and so does the TLS context."""
    world.write(TLS)
    watcher = WebConfigWatcher(world.file)
    before = watcher.current
    settle(watcher)
    assert watcher.current is before


def test_a_change_that_is_taken_back(world: World) -> None:
    """A file that is as it was before the second look is not read."""
    world.write(users(FIRST))
    watcher = WebConfigWatcher(world.file)
    before, times = watcher.current, world.file.stat()
    os.utime(world.file, ns=(1, 1))
    watcher.look()
    os.utime(world.file, ns=(times.st_atime_ns, times.st_mtime_ns))
    settle(watcher)
    assert watcher.current is before


def test_a_certificate_is_taken(world: World) -> None:
    """A certificate and key that are replaced make a new context; the file itself is the same."""
    world.write(TLS)
    watcher = WebConfigWatcher(world.file)
    before = watcher.current.tls
    world.rotate()
    settle(watcher)
    assert watcher.current.tls is not before


def test_a_broken_version_changes_nothing(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be used is logged once, with every fault, and the version before stays."""
    world.write(users(FIRST))
    watcher = WebConfigWatcher(world.file)
    world.write("basic_auth_users: {alice: hunter2, bob: hunter3}\n")
    with caplog.at_level(logging.INFO):
        for _ in range(5):
            watcher.look()
    (record,) = caplog.records
    assert record.getMessage() == "web configuration not reloaded"
    faults = record.fields["faults"]  # type: ignore[attr-defined]
    assert "alice: is not a bcrypt hash" in faults
    assert "bob: is not a bcrypt hash" in faults
    assert "hunter" not in faults
    assert watcher.current.users == {"alice": FIRST.encode()}
    assert not watcher.last_reload_successful
    world.write(users(SECOND))
    settle(watcher)
    assert watcher.last_reload_successful
    assert watcher.current.users == {"alice": SECOND.encode()}


def test_a_key_that_comes_later(world: World) -> None:
    """A certificate without its key waits for it; the file that was missing is watched as well."""
    world.write(TLS)
    watcher = WebConfigWatcher(world.file)
    before = watcher.current
    world.write(TLS.replace("server.key", "new.key"))
    settle(watcher)
    assert watcher.current is before
    (world.folder / "server.key").rename(world.folder / "new.key")
    settle(watcher)
    assert watcher.current is not before


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (TLS, "", "tls_server_config"),
        ("", TLS, "tls_server_config"),
        (users(FIRST), "", "basic_auth_users"),
    ],
)
def test_nothing_opens_by_a_slip(
    world: World, caplog: pytest.LogCaptureFixture, old: str, new: str, says: str
) -> None:
    """TLS and passwords do not go away while running, not even with an emptied file."""
    world.write(old)
    watcher = WebConfigWatcher(world.file)
    before = watcher.current
    world.write(new)
    settle(watcher)
    assert watcher.current is before
    assert says in caplog.records[-1].fields["faults"]  # type: ignore[attr-defined]


def test_a_file_that_vanishes(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """A file that is gone is a broken version like another."""
    world.write(users(FIRST))
    watcher = WebConfigWatcher(world.file)
    world.file.unlink()
    settle(watcher)
    assert watcher.current.users
    assert "cannot be read" in caplog.records[-1].fields["faults"]  # type: ignore[attr-defined]


def test_the_first_version_has_to_be_good(world: World) -> None:
    """Nothing starts with a file that cannot be used."""
    world.write("nothing")
    with pytest.raises(ConfigError, match="expected a mapping"):
        WebConfigWatcher(world.file)


def test_a_pipe_is_no_configuration(world: World) -> None:
    """A pipe, a device and a directory are refused at once, for the file and those it names."""
    os.mkfifo(world.file)
    with pytest.raises(ConfigError, match="is a pipe"):
        WebConfigWatcher(world.file)
    world.file.unlink()
    world.file.mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        WebConfigWatcher(world.file)
    world.file.rmdir()
    world.file.symlink_to("/dev/zero")
    with pytest.raises(ConfigError, match="is a device"):
        WebConfigWatcher(world.file)
    world.file.unlink()
    world.write(TLS)
    (world.folder / "server.key").unlink()
    os.mkfifo(world.folder / "server.key")
    with pytest.raises(ConfigError, match="key_file: cannot be read: is a pipe"):
        WebConfigWatcher(world.file)


def wait(holds: Callable[[], bool]) -> None:
    for _ in range(500):
        if holds():
            return
        time.sleep(0.01)
    raise AssertionError("not within 5 s")


@pytest.mark.parametrize("call", ["open", "stat"])
def test_a_file_system_that_hangs(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """A poll never waits; a hanging one is an unsuccessful reload, logged once, until it ends."""
    world.write(users(FIRST))
    watcher = WebConfigWatcher(world.file)
    world.write(users(SECOND) + "# longer")
    watcher.look()
    hang = threading.Event()
    target, name = (files.os, "open") if call == "open" else (Path, "stat")
    real = getattr(target, name)

    def slow(*args: object, **options: object) -> object:
        assert hang.wait(20)
        return real(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(target, name, slow)
        started = time.monotonic()
        watcher.poll()
        for _ in range(4):
            watcher.poll()
        assert watcher.last_reload_successful
        threads = threading.active_count()
        for _ in range(50):
            watcher.poll()
        assert time.monotonic() - started < 2
        assert threading.active_count() == threads
    assert not watcher.last_reload_successful
    assert watcher.current.users["alice"] == FIRST.encode()
    (record,) = caplog.records
    assert "could not be read within 5 s" in record.fields["faults"]  # type: ignore[attr-defined]
    hang.set()
    wait(lambda: watcher.current.users["alice"] == SECOND.encode())
    watcher.poll()
    assert watcher.last_reload_successful
