"""Which accounts run, and how is one set of them changed into another?

An account whose identity is the same goes on undisturbed. A new one waits for those that leave and
have its name or its login to sign out, because a platform may allow one session for each user; it
waits for no other.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from exporter.config.load import AccountConfig, Config
from exporter.errors import ConfigError
from exporter.exposition.store import Board
from exporter.refresh.running import Build, Identity, Running
from exporter.telemetry import AccountTelemetry, Telemetry

ClientFactory = Callable[[AccountConfig, Path], httpx.AsyncClient]


@dataclass(frozen=True, slots=True)
class Coming:
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
    coming: tuple[Coming, ...]

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
        self, board: Board, telemetry: Telemetry, clients: ClientFactory, build: Build
    ) -> None:
        self._board = board
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
                coming.append(Coming(identity, client))
        if faults:
            raise ConfigError(faults)
        return Change(tuple(wanted), leaving, tuple(coming))

    def part(self, change: Change) -> None:
        """Let those that leave read nothing any more, and show nowhere."""
        leaving = {each.identity.config.name for each in change.leaving}
        self._running = {name: each for name, each in self._running.items() if name not in leaving}
        for each in change.leaving:
            each.leave()
            self._board.release(each.identity.config.name)
            each.telemetry.retire()

    async def carry_out(self, change: Change) -> None:
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

    async def _enter(self, coming: Coming, before: list[asyncio.Task[None]]) -> None:
        if before:
            await asyncio.wait(before)
        if self._ended:
            await coming.client.aclose()
            return
        self.add(coming).start()

    def add(self, coming: Coming) -> Running:
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
