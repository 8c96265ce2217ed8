"""Which accounts run, and how is one set of them changed into another?

An account whose identity is the same goes on undisturbed. A new one waits for those that leave and
have its name or its login to sign out, because a platform may allow one session for each user; it
waits for no other.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

import httpx

from exporter.config.account import AccountConfig
from exporter.config.load import Config
from exporter.config.redact import Redactor
from exporter.errors import ConfigError
from exporter.exposition.store import SnapshotStore
from exporter.logs import get_log
from exporter.refresh.schedule import Refresher
from exporter.status import AccountStatus, Failure
from exporter.telemetry import AccountTelemetry, Telemetry

# Seconds; together with the end of the web server below the ten after which an orchestrator kills.
_SIGN_OUT_TIMEOUT = 5.25  # the last request may be a long poll, 5 s by default
_LAST_TIMEOUT = 1.0
_CLOSE_TIMEOUT = 0.5

Build = Callable[[AccountConfig, httpx.AsyncClient, AccountTelemetry], Refresher]

_log = get_log(__name__)


@dataclass(frozen=True)
class Identity:
    """All that makes an account what it is: its section, secrets included, and its TLS files."""

    config: AccountConfig
    files: tuple[bytes | None, ...]

    @classmethod
    def of(cls, config: AccountConfig, directory: Path) -> "Identity":
        """Look at an account's section and at the content of its files.

        Other files (``x_file``, credentials) are part of the section once it has been read.
        """
        tls = config.transport_tls(directory)
        return cls(config, tuple(map(_digest, (tls.ca_file, tls.cert_file, tls.key_file))))


def _digest(file: str | None) -> bytes | None:
    try:
        return hashlib.sha256(Path(file).read_bytes()).digest() if file else None
    except OSError:
        return b""  # whoever needs it says what is wrong with it


class Running:
    """See the module. It shows from ``start`` on, and from ``leave`` on no more."""

    def __init__(
        self,
        identity: Identity,
        client: httpx.AsyncClient,
        telemetry: AccountTelemetry,
        build: Build,
    ) -> None:
        self.identity = identity
        self.telemetry = telemetry
        self.refresher = build(identity.config, client, telemetry)
        self._hide = Redactor(identity.config).redact
        self._client = client
        self._task: asyncio.Task[NoReturn] | None = None
        self._leaving = False

    def start(self) -> None:
        """Keep the account fresh from now on."""
        self._task = asyncio.create_task(self.refresher.run())

    def retry(self) -> bool:
        """Try an account at once that rejected credentials have stopped; tell whether it was."""
        stopped = self.refresher.status().session == "stopped"
        if self._task is None or self._leaving or not stopped:
            return False
        self._task.cancel()  # it only waits
        self.start()
        return True

    def leave(self) -> None:
        """Read nothing more; what is left to do is to sign out."""
        if not self._leaving and self._task is not None and not self.refresher.end():
            self._task.cancel()  # once: a second time would cut the sign-out short
        self._leaving = True

    async def stop(self) -> None:
        """Sign out, within bounds, and close what is open."""
        self.leave()
        if self._task is not None:
            _, alive = await asyncio.wait([self._task], timeout=_SIGN_OUT_TIMEOUT)
            if alive:
                _log.warning("signing out took too long", account=self.identity.config.name)
                self._task.cancel()
                await asyncio.wait([self._task], timeout=_LAST_TIMEOUT)
        closing = asyncio.create_task(self._client.aclose())
        await asyncio.wait([closing], timeout=_CLOSE_TIMEOUT)

    def status(self) -> AccountStatus:
        """Tell how the account stands, without any secret in it; may be asked from any thread."""
        status = self.refresher.status()
        feeds = tuple(replace(feed, failure=self._safe(feed.failure)) for feed in status.feeds)
        return replace(status, failure=self._safe(status.failure), feeds=feeds)

    def _safe(self, failure: Failure | None) -> Failure | None:
        return failure and replace(failure, message=self._hide(failure.message))


ClientFactory = Callable[[AccountConfig, Path], httpx.AsyncClient]


@dataclass(frozen=True, slots=True)
class PendingAccount:
    """An account that is about to run; its client is made ahead, because that can fail."""

    identity: Identity
    client: httpx.AsyncClient

    def follows(self, other: Running) -> bool:
        """Tell whether another account has to be gone first."""
        old, new = other.identity.config, self.identity.config
        same_login = new.login is not None and old.login == new.login
        return old.name == new.name or same_login


@dataclass(frozen=True, slots=True)
class Change:
    """What leads from the accounts that run to those of another configuration."""

    order: tuple[str, ...]
    leaving: tuple[Running, ...]
    coming: tuple[PendingAccount, ...]

    def __str__(self) -> str:
        gone = {each.identity.config.name for each in self.leaving}
        new = {each.identity.config.name for each in self.coming}
        return (
            f"{len(self.order) - len(new)} unchanged, {len(gone & new)} changed, "
            f"{len(new - gone)} added, {len(gone - new)} removed"
        )


class Accounts:
    """The accounts that run, in the order of the configuration."""

    def __init__(
        self, store: SnapshotStore, telemetry: Telemetry, clients: ClientFactory, build: Build
    ) -> None:
        self._board = store
        self._telemetry = telemetry
        self._clients = clients
        self._build = build
        self._running: dict[str, Running] = {}  # replaced, never changed: other threads read it
        self._ended = False

    def __iter__(self) -> Iterator[Running]:
        return iter(self._running.values())

    def telemetry_of(self, name: str) -> AccountTelemetry | None:
        """Return where an account counts; ``None`` if it has left."""
        found = self._running.get(name)
        return found.telemetry if found else None

    def plan(self, config: Config) -> Change:
        """Compare with a configuration, and make ready what is new.

        Raises ``ConfigError`` where a certificate file cannot be used; nothing has changed then.
        """
        wanted = {
            account.name: Identity.of(account, config.directory) for account in config.accounts
        }
        kept = {name for name, each in self._running.items() if wanted.get(name) == each.identity}
        leaving = tuple(each for name, each in self._running.items() if name not in kept)
        coming, faults = [], []
        for name, identity in wanted.items():
            if name in kept:
                continue
            try:
                client = self._clients(identity.config, config.directory)
            except OSError as error:
                faults.append(f"{name}: tls: a certificate file cannot be used: {error}")
            else:
                coming.append(PendingAccount(identity, client))
        if faults:
            raise ConfigError(faults)
        return Change(tuple(wanted), leaving, tuple(coming))

    def part(self, change: Change) -> None:
        """Let those that leave read nothing any more, and show nowhere."""
        leaving = {each.identity.config.name for each in change.leaving}
        self._running = {name: each for name, each in self._running.items() if name not in leaving}
        for each in change.leaving:
            each.leave()
            self._board.remove_account(each.identity.config.name)
            each.telemetry.remove()

    async def apply(self, change: Change) -> None:
        """Sign out those that leave, start those that come, retry those that were stopped."""
        for each in self:
            each.retry()
        leaving = {each: asyncio.create_task(each.stop()) for each in change.leaving}
        coming = [
            self._enter(each, [leaving[old] for old in leaving if each.follows(old)])
            for each in change.coming
        ]
        await asyncio.gather(*leaving.values(), *coming)
        self._running = {
            name: self._running[name] for name in change.order if name in self._running
        }

    async def _enter(self, coming: PendingAccount, before: list[asyncio.Task[None]]) -> None:
        if before:
            await asyncio.wait(before)
        if self._ended:
            await coming.client.aclose()
            return
        self.add(coming).start()

    def add(self, coming: PendingAccount) -> Running:
        """Let an account show; it has still to be started."""
        config = coming.identity.config
        telemetry = AccountTelemetry(self._telemetry, config.provider, config.name)
        running = Running(coming.identity, coming.client, telemetry, self._build)
        self._running = {**self._running, config.name: running}
        return running

    def start(self) -> None:
        """Start all that show."""
        for each in self:
            each.start()

    async def stop(self) -> None:
        """Sign out of all at the same time; none starts after that."""
        self._ended = True
        await asyncio.gather(*(each.stop() for each in self))
