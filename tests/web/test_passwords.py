"""Tests of PasswordChecker: results, cache, and what an unknown client can learn or block."""

import asyncio
import threading
from collections.abc import Iterator

import bcrypt
import pytest

from exporter.web import auth
from exporter.web.auth import PasswordChecker, TooManyChecks

pytestmark = pytest.mark.anyio
ALICE = bcrypt.hashpw(b"wonderland", bcrypt.gensalt(4))
LONG = b"x" * 80
USERS = {"alice": ALICE, "bob": bcrypt.hashpw(LONG[:72], bcrypt.gensalt(5))}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[bytes, bytes]]]:
    """Return what bcrypt was asked, and by no thread of the event loop."""
    calls: list[tuple[bytes, bytes]] = []
    real, loop_thread = bcrypt.checkpw, threading.current_thread()

    def checkpw(password: bytes, wanted: bytes) -> bool:
        assert threading.current_thread() is not loop_thread
        calls.append((password, wanted))
        return real(password, wanted)

    monkeypatch.setattr(bcrypt, "checkpw", checkpw)
    return calls


@pytest.mark.parametrize(
    ("user", "password", "right"),
    [
        ("alice", b"wonderland", True),
        ("alice", b"Wonderland", False),
        ("alice", b"", False),
        ("bob", LONG, True),
        ("bob", b"wonderland", False),
        ("eve", b"wonderland", False),
        ("", b"", False),
        ("alice", b"wonder\0land", False),
    ],
)
async def test_who_is_known(user: str, password: bytes, right: bool) -> None:
    """A known user with the right password comes in, nobody else; bytes after 72 do not count."""
    assert await PasswordChecker().check(user, password, USERS) is right


async def test_a_stranger_costs_the_same(asked: list[tuple[bytes, bytes]]) -> None:
    """For a user that does not exist bcrypt is asked too, at the cost of the costliest user."""
    checks = PasswordChecker()
    assert not await checks.check("eve", b"wonderland", USERS)
    ((password, wanted),) = asked
    assert password == b"wonderland"
    assert wanted.startswith(b"$2b$05$")
    assert len(wanted) == len(ALICE)


async def test_a_stranger_stays_one() -> None:
    """Even the password of the stand-in hash, were it found, would let nobody in."""
    asked_for: list[bytes] = []

    def always(_: bytes, wanted: bytes) -> bool:
        asked_for.append(wanted)
        return True

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bcrypt, "checkpw", always)
        assert not await PasswordChecker().check("eve", b"guess", USERS)
    assert len(asked_for) == 1


async def test_a_right_password_is_remembered(asked: list[tuple[bytes, bytes]]) -> None:
    """The second time it is not computed, and neither is a wrong one."""
    checks = PasswordChecker()
    for _ in range(3):
        assert await checks.check("alice", b"wonderland", USERS)
    assert len(asked) == 1
    for _ in range(3):
        assert not await checks.check("alice", b"wrong", USERS)
    assert len(asked) == 2
    changed = {"alice": bcrypt.hashpw(b"wrong", bcrypt.gensalt(4))}
    assert await checks.check("alice", b"wrong", changed)


async def test_wrong_passwords_evict_no_right_one(
    asked: list[tuple[bytes, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wrong ones are remembered up to a number, apart from right ones."""
    monkeypatch.setattr(auth, "_MAX_WRONG", 20)
    checks = PasswordChecker()
    assert await checks.check("alice", b"wonderland", USERS)
    for number in range(100):
        assert not await checks.check("alice", b"%d" % number, USERS)
    assert len(checks._wrong) == 20
    assert len(asked) == 101
    assert await checks.check("alice", b"wonderland", USERS)
    assert not await checks.check("alice", b"99", USERS)
    assert not await checks.check("eve", b"wonderland", USERS)
    assert not await checks.check("eve", b"wonderland", USERS)
    assert len(asked) == 102


async def test_a_changed_password_is_forgotten(asked: list[tuple[bytes, bytes]]) -> None:
    """With another hash in the file the old password lets nobody in."""
    checks = PasswordChecker()
    assert await checks.check("alice", b"wonderland", USERS)
    changed = {"alice": bcrypt.hashpw(b"looking-glass", bcrypt.gensalt(4))}
    assert not await checks.check("alice", b"wonderland", changed)
    assert not await checks.check("alice", b"wonderland", {})
    assert len(asked) == 3


async def test_what_is_remembered_is_bounded_and_no_password() -> None:
    """At most some dozens are remembered, the latest used of them, and as digests only."""
    checks = PasswordChecker()
    many = {f"user{number}": ALICE for number in range(80)}
    for user in many:
        assert await checks.check(user, b"wonderland", many)
    assert len(checks._verified) == auth._MAX_CACHED
    assert not any(b"wonderland" in each or ALICE in each for each in checks._verified)
    assert all(len(each) == 32 for each in checks._verified)


async def test_parts_are_kept_apart() -> None:
    """No other division of the same letters has the same digest, and no other process either."""
    checks = PasswordChecker()
    first = checks._digest(b"ab", b"c", ALICE)
    assert first != checks._digest(b"a", b"bc", ALICE)
    assert first != PasswordChecker()._digest(b"ab", b"c", ALICE)


async def test_the_same_is_asked_once(asked: list[tuple[bytes, bytes]]) -> None:
    """Clients that come with the same password at the same time wait for one check."""
    checks = PasswordChecker()
    found = await asyncio.gather(*(checks.check("alice", b"wonderland", USERS) for _ in range(50)))
    assert found == [True] * 50
    assert len(asked) == 1


async def test_checks_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """One is computed at a time, some wait, and the rest is turned away at once."""
    started, go_on = threading.Semaphore(0), threading.Event()
    lock, now, most = threading.Lock(), 0, 0

    def slow(_: bytes, __: bytes) -> bool:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        started.release()
        assert go_on.wait(10)
        with lock:
            now -= 1
        return False

    monkeypatch.setattr(bcrypt, "checkpw", slow)
    checks = PasswordChecker()
    guesses = [
        asyncio.create_task(checks.check("alice", b"%d" % number, USERS))
        for number in range(auth._MAX_PENDING)
    ]
    for _ in range(auth._MAX_THREADS):
        assert await asyncio.to_thread(started.acquire, timeout=10)
    with pytest.raises(TooManyChecks):
        await checks.check("alice", b"one more", USERS)
    go_on.set()
    assert await asyncio.gather(*guesses) == [False] * auth._MAX_PENDING
    assert most == auth._MAX_THREADS
    assert await checks.check("alice", b"one more", USERS) is False


async def test_a_client_that_goes_away(asked: list[tuple[bytes, bytes]]) -> None:
    """A check goes on for the others when the client that began it is gone."""
    checks = PasswordChecker()
    first = asyncio.create_task(checks.check("alice", b"wonderland", USERS))
    await asyncio.sleep(0)
    second = asyncio.create_task(checks.check("alice", b"wonderland", USERS))
    await asyncio.sleep(0)
    first.cancel()
    assert await second
    assert len(asked) == 1
