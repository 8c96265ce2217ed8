"""The commands ``check --live``, ``discover`` and ``capture``: one session for each account."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from exporter.clock import Clock
from exporter.collector.http import Http, OnExchange
from exporter.config.account import AccountConfig, client_for
from exporter.config.load import Config
from exporter.config.redact import Redactor
from exporter.config.yaml import suggest
from exporter.errors import ConfigError, ProviderError
from exporter.logs import get_log
from exporter.objectives.model import Objective
from exporter.objectives.series import directions
from exporter.preflight.capture import Recorder
from exporter.preflight.report import list_offers, report_failure, report_session
from exporter.preflight.session import PreflightSession, open_session
from exporter.providers import PROVIDERS
from exporter.telemetry import AccountTelemetry, Telemetry

ClientFactory = Callable[[AccountConfig, Path], httpx.AsyncClient]

_log = get_log(__name__)


class Preflight:
    """Runs the commands for the accounts of one configuration."""

    def __init__(
        self,
        config: Config,
        clock: Clock,
        clients: ClientFactory = client_for,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._config = config
        self._clock = clock
        self._clients = clients
        self._say = say
        self._sessions: list[PreflightSession] = []

    async def check(
        self, name: str | None = None, feeds: Sequence[str] = ()
    ) -> tuple[list[str], bool]:
        """Check every account, or the one named; return a report, and whether it has no fault.

        Where ``feeds`` are named, only these are read, and nothing is surveyed. Raises
        ``ConfigError`` if there is no account or feed of that name.
        """
        accounts = self._with_feeds(name, feeds)
        results = await asyncio.gather(
            *(self._survey(account, feeds) for account in accounts), return_exceptions=True
        )
        lines: list[str] = []
        ok = True
        for account, result in zip(accounts, results, strict=True):
            if isinstance(result, BaseException):
                if not isinstance(result, OSError):
                    _log.error("check failed", account=account.name, exc_info=result)
                report = report_failure(account.name, result)
            else:
                report = report_session(result, self._clock.time())
            lines += report.lines
            ok = ok and not report.faults
        if name is None and not feeds:
            lines += self._unmatched([x for x in results if isinstance(x, PreflightSession)])
        return lines, ok

    def interrupted(self) -> list[str]:
        """Return the report of what was read before the command was interrupted."""
        lines: list[str] = []
        for session in self._sessions:
            session.is_partial = True
            lines += report_session(session, self._clock.time()).lines
        return lines

    def _with_feeds(self, name: str | None, feeds: Sequence[str]) -> Sequence[AccountConfig]:
        """Return the account named, or all; of these, those that have any of the feeds."""
        accounts = (self.account(name),) if name else self._config.accounts
        known = sorted({feed for account in accounts for feed in account.enabled_feeds()})
        unknown = [
            f"no enabled feed named {feed!r}{suggest(feed, known)}"
            for feed in feeds
            if feed not in known
        ]
        if unknown:
            raise ConfigError(unknown)
        return [x for x in accounts if not feeds or set(feeds) & x.enabled_feeds().keys()]

    def _unmatched(self, sessions: Sequence[PreflightSession]) -> list[str]:
        """Return a hint for every objective that matches no queue or campaign."""
        return [
            f"? {objective.place}: matches no {objective.subject} ({objective})"
            for objective in self._config.objectives.items
            if not any(_matches(objective, session) for session in sessions)
        ]

    async def _survey(self, account: AccountConfig, feeds: Sequence[str]) -> PreflightSession:
        async with self._open(account, feeds=feeds) as session:
            if not feeds:
                await session.run_survey()
        return session

    async def discover(self, name: str) -> tuple[list[str], bool]:
        """Return the listing of what one account's platform offers, and whether all was read.

        Raises ``ConfigError`` if there is no account of that name.
        """
        async with self._open(self.account(name)) as session:
            if session.refusal is not None:
                return report_session(session, self._clock.time()).lines, False
            try:
                offers = await session.collector.discover(session.collected)
            except ProviderError as error:
                return [f"{name}: discovery failed ({error.reason}): {error}"], False
        return list_offers(session, offers), not session.collected.errors

    async def capture(self, name: str) -> tuple[bytes, list[str]]:
        """Return a sanitised recording of one account's session, and the report of its check.

        Raises ``ConfigError`` if there is no account of that name.
        """
        account = self.account(name)
        recorder = Recorder(account, PROVIDERS[account.provider].sanitiser, self._clock)
        async with self._open(account, recorder.record) as session:
            await session.run_survey()
        return recorder.document(), report_session(session, self._clock.time()).lines

    def account(self, name: str) -> AccountConfig:
        """Return the account of that name. Raises ``ConfigError`` if there is none."""
        accounts = {account.name: account for account in self._config.accounts}
        if name not in accounts:
            raise ConfigError([f"no account named {name!r}{suggest(name, accounts)}"])
        return accounts[name]

    @asynccontextmanager
    async def _open(
        self,
        account: AccountConfig,
        on_exchange: OnExchange | None = None,
        feeds: Sequence[str] = (),
    ) -> AsyncIterator[PreflightSession]:
        telemetry = AccountTelemetry(Telemetry(), account.provider, account.name)
        async with self._clients(account, self._config.directory) as client:
            http = Http(
                client,
                telemetry,
                self._clock,
                on_exchange,
                Redactor(account).redact,
                max_answer=account.max_answer_bytes,
            )
            collector_class = PROVIDERS[account.provider].collector
            collector = collector_class(account, http, telemetry, self._clock)
            async with open_session(
                account,
                collector,
                telemetry,
                http,
                self._clock,
                only=feeds,
                say=self._say,
                started=self._sessions.append,
            ) as session:
                yield session


def _matches(objective: Objective, session: PreflightSession) -> bool:
    """Return whether an objective matches a queue or campaign that has a series."""
    if not objective.covers(session.account.account_labels().base):
        return False
    mapped = [result.mapped for result in session.feeds.values() if result.mapped]
    known = directions([part.objects for part in mapped])
    return any(
        objective.matches(name, part.namesakes, known.get(name))
        for part in mapped
        for name in part.objects.get(objective.subject, ())
    )
