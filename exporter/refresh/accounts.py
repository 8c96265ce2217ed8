"""Running accounts, and the change from one set of them to another on a reload.

An account whose identity is unchanged keeps running. A new one starts when the removed accounts
that have its name or its login have signed out, as a platform may allow one session per user.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

import httpx

from exporter.collector.http import Http
from exporter.collector.transport import stop_waiting
from exporter.config.account import AccountConfig
from exporter.config.files import read_file
from exporter.config.load import Config
from exporter.config.redact import Redactor
from exporter.errors import ConfigError
from exporter.exposition.store import SnapshotStore
from exporter.logs import get_log
from exporter.refresh.schedule import Refresher
from exporter.status import AccountStatus, Failure
from exporter.telemetry import AccountTelemetry, Telemetry

# Seconds; with the shutdown of the web server, less than the ten after which containers are killed.
_SIGN_OUT_TIMEOUT = 5.25  # the last request may be a long poll, 5 s by default
_LAST_TIMEOUT = 1.0
_CLOSE_TIMEOUT = 0.5

Build = Callable[[AccountConfig, httpx.AsyncClient, AccountTelemetry], tuple[Refresher, Http]]

_log = get_log(__name__)


@dataclass(frozen=True)
class Identity:
    """Everything that a running account depends on: its section, and the content of its files."""

    config: AccountConfig
    files: tuple[bytes | None, ...]

    @classmethod
    def of(cls, config: AccountConfig, directory: Path) -> "Identity":
        """Return the identity of an account, whose TLS files are relative to ``directory``.

        The content of other files (``*_file``) is part of the section once that has been read.
        """
        tls = config.tls_settings(directory)
        return cls(config, tuple(map(_digest, (tls.ca_file, tls.cert_file, tls.key_file))))


def _digest(file: str | None) -> bytes | None:
    try:
        return hashlib.sha256(read_file(Path(file))).digest() if file else None
    except OSError:
        return b""  # opening the client says what is wrong


class RunningAccount:
    """One account with its client, its metrics and the task that reads its feeds."""

    def __init__(
        self,
        identity: Identity,
        client: httpx.AsyncClient,
        telemetry: AccountTelemetry,
        build: Build,
    ) -> None:
        self.identity = identity
        self.telemetry = telemetry
        self.refresher, self._http = build(identity.config, client, telemetry)
        self._redact = Redactor(identity.config).redact
        self._client = client
        self._task: asyncio.Task[NoReturn] | None = None
        self._stopping = False

    def start(self) -> None:
        """Start reading the feeds."""
        self._task = asyncio.create_task(self.refresher.run())

    def retry(self) -> bool:
        """Sign in again where rejected credentials had stopped the account.

        Return whether they had. The sign-in waits until a minute has passed since they were
        rejected. What else the platform postponed is asked for within a minute.
        """
        self.refresher.retry()
        stopped = self.refresher.status().session == "stopped"
        if self._task is None or self._stopping or not stopped:
            return False
        self._task.cancel()  # it only sleeps
        self.start()
        return True

    def request_stop(self) -> None:
        """Stop reading the feeds; the sign-out follows."""
        if not self._stopping and self._task is not None and not self.refresher.request_stop():
            self._task.cancel()  # once: a second time would cut the sign-out short
        self._stopping = True
        stop_waiting(self._client)  # nothing was sent: the platform does not go on with it

    async def stop(self) -> None:
        """Sign out within a time limit, and close the client."""
        self.request_stop()
        if self._task is not None:
            _, alive = await asyncio.wait([self._task], timeout=_SIGN_OUT_TIMEOUT)
            if alive:
                _log.warning("signing out took too long", account=self.identity.config.name)
                self._task.cancel()
                await asyncio.wait([self._task], timeout=_LAST_TIMEOUT)
        closing = asyncio.create_task(self._client.aclose())
        await asyncio.wait([closing], timeout=_CLOSE_TIMEOUT)

    def status(self) -> AccountStatus:
        """Return the current status, without secrets. Thread-safe."""
        status = self.refresher.status()
        feeds = tuple(
            replace(feed, failure=self._without_secrets(feed.failure)) for feed in status.feeds
        )
        return replace(
            status,
            failure=self._without_secrets(status.failure),
            feeds=feeds,
            skew=self._http.skew,
            certificates=dict(self._http.certificates),
        )

    def _without_secrets(self, failure: Failure | None) -> Failure | None:
        return failure and replace(failure, message=self._redact(failure.message))


ClientFactory = Callable[[AccountConfig, Path], httpx.AsyncClient]


@dataclass(frozen=True, slots=True)
class PendingAccount:
    """An account to start; its client is opened beforehand, because that can fail."""

    identity: Identity
    client: httpx.AsyncClient

    def waits_for(self, removed: RunningAccount) -> bool:
        """Return whether a removed account has to be signed out first."""
        old, new = removed.identity.config, self.identity.config
        same_login = new.login is not None and old.login == new.login
        return old.name == new.name or same_login


@dataclass(frozen=True, slots=True)
class Change:
    """The difference between the running accounts and those of another configuration."""

    order: tuple[str, ...]
    removed: tuple[RunningAccount, ...]
    added: tuple[PendingAccount, ...]

    def __str__(self) -> str:
        removed = {account.identity.config.name for account in self.removed}
        added = {account.identity.config.name for account in self.added}
        return (
            f"{len(self.order) - len(added)} unchanged, {len(removed & added)} changed, "
            f"{len(added - removed)} added, {len(removed - added)} removed"
        )


class Accounts:
    """The running accounts, in the order of the configuration."""

    def __init__(
        self, store: SnapshotStore, telemetry: Telemetry, clients: ClientFactory, build: Build
    ) -> None:
        self._store = store
        self._telemetry = telemetry
        self._clients = clients
        self._build = build
        self._running: dict[str, RunningAccount] = {}  # replaced, never changed: threads read it
        self._stopped = False

    def __iter__(self) -> Iterator[RunningAccount]:
        return iter(self._running.values())

    def telemetry_of(self, name: str) -> AccountTelemetry | None:
        """Return the metrics of an account; ``None`` if it has been removed."""
        account = self._running.get(name)
        return account.telemetry if account else None

    def plan(self, config: Config) -> Change:
        """Compare the running accounts with a configuration; open the clients of new accounts.

        Raises ``ConfigError`` where a certificate file cannot be used; nothing has changed then.
        """
        identities = {
            account.name: Identity.of(account, config.directory) for account in config.accounts
        }
        running = self._running.items()
        kept = {name for name, account in running if identities.get(name) == account.identity}
        removed = tuple(account for name, account in running if name not in kept)
        added, faults = [], []
        for name, identity in identities.items():
            if name in kept:
                continue
            try:
                client = self._clients(identity.config, config.directory)
            except OSError as error:
                faults.append(f"{name}: tls: a certificate file cannot be used: {error}")
            else:
                added.append(PendingAccount(identity, client))
        if faults:
            raise ConfigError(faults)
        return Change(tuple(identities), removed, tuple(added))

    def stop_removed(self, change: Change) -> None:
        """Stop reading removed accounts and drop their series."""
        removed = {account.identity.config.name: account for account in change.removed}
        self._running = {
            name: account for name, account in self._running.items() if name not in removed
        }
        for name, account in removed.items():
            account.request_stop()
            self._store.remove_account(name)
            account.telemetry.remove()

    async def apply(self, change: Change) -> None:
        """Sign out removed accounts and start added ones."""
        stops = {account: asyncio.create_task(account.stop()) for account in change.removed}
        starts = [
            self._start_after(added, [stops[old] for old in stops if added.waits_for(old)])
            for added in change.added
        ]
        await asyncio.gather(*stops.values(), *starts)
        self._running = {
            name: self._running[name] for name in change.order if name in self._running
        }

    def retry(self) -> None:
        """Try again at once what is postponed because it was refused: sign-ins and feeds."""
        for running in self:
            running.retry()

    async def _start_after(self, added: PendingAccount, stops: list[asyncio.Task[None]]) -> None:
        if stops:
            await asyncio.wait(stops)
        if self._stopped:
            await added.client.aclose()
            return
        self.add(added).start()

    def add(self, added: PendingAccount) -> RunningAccount:
        """Export an account, which has still to be started."""
        config = added.identity.config
        telemetry = AccountTelemetry(self._telemetry, config.provider, config.name)
        running = RunningAccount(added.identity, added.client, telemetry, self._build)
        self._running = {**self._running, config.name: running}
        return running

    def start(self) -> None:
        """Start every account."""
        for account in self:
            account.start()

    async def stop(self) -> None:
        """Sign out of every account, all at once; none starts after that."""
        self._stopped = True
        await asyncio.gather(*(account.stop() for account in self))
