"""The commands that ask platforms once and tell a person: check --live, discover, capture."""

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
from exporter.metrics.mapping import map_reading
from exporter.preflight import report as live
from exporter.preflight import report as menu
from exporter.preflight.capture import Recorder
from exporter.preflight.session import Visit, survey, visiting
from exporter.providers import PROVIDERS
from exporter.telemetry import AccountTelemetry, Telemetry

ClientFactory = Callable[[AccountConfig, Path], httpx.AsyncClient]

_log = get_log(__name__)


class Enquiries:
    """Asks the accounts of one configuration, each in a session of its own."""

    def __init__(self, config: Config, clock: Clock, clients: ClientFactory = client_for) -> None:
        self._config = config
        self._clock = clock
        self._clients = clients

    async def check(self, name: str | None = None) -> tuple[list[str], bool]:
        """Visit every account, or one; return a report, and whether nothing is missing.

        Raises ``ConfigError`` where there is no such account.
        """
        accounts = (self.account(name),) if name else self._config.accounts
        visits = await asyncio.gather(*map(self._surveyed, accounts), return_exceptions=True)
        lines: list[str] = []
        well = True
        for account, visit in zip(accounts, visits, strict=True):
            if isinstance(visit, BaseException):
                if not isinstance(visit, OSError):
                    _log.error("check broke", account=account.name, exc_info=visit)
                lines += live.broken(account.name, visit)
                well = False
                continue
            said, fine = live.report(visit, self._clock.time())
            lines += said
            well = well and fine
        if name is None:
            lines += self._unmatched([each for each in visits if isinstance(each, Visit)])
        return lines, well

    def _unmatched(self, visits: Sequence[Visit]) -> list[str]:
        """Say which objectives match nothing that was found; that is worth a line, no failure."""
        seen = [(visit.account.account_labels().base, _objects(visit)) for visit in visits]
        return [
            f"? {entry.place} matches nothing ({entry})"
            for entry in self._config.objectives.items
            if not any(
                entry.covers(base) and any(map(entry.matches, names.get(entry.subject, ())))
                for base, names in seen
            )
        ]

    async def _surveyed(self, account: AccountConfig) -> Visit:
        async with self._visiting(account) as visit:
            await survey(visit)
        return visit

    async def discover(self, name: str) -> tuple[list[str], bool]:
        """Visit one account; return what its platform offers, and whether it could be read.

        Raises ``ConfigError`` where there is no such account.
        """
        async with self._visiting(self.account(name)) as visit:
            if visit.refusal is not None:
                return live.report(visit, self._clock.time())
            try:
                offers = await visit.collector.discover(visit.found)
            except ProviderError as error:
                return [f"{name}: asking for more failed ({error.reason}): {error}"], False
        return menu.lines(visit, offers), not visit.found.errors

    async def capture(self, name: str) -> tuple[bytes, list[str]]:
        """Visit one account; return the sanitised recording, and what came of the visit.

        Raises ``ConfigError`` where there is no such account.
        """
        account = self.account(name)
        recorder = Recorder(account, PROVIDERS[account.provider].sanitiser, self._clock)
        async with self._visiting(account, recorder.take) as visit:
            await survey(visit)
        lines, _ = live.report(visit, self._clock.time())
        return recorder.document(), lines

    def account(self, name: str) -> AccountConfig:
        """Return the account of a name. Raises ``ConfigError`` where there is none."""
        names = [each.name for each in self._config.accounts]
        if name not in names:
            raise ConfigError([f"no account is called {name!r}{suggest(name, names)}"])
        return self._config.accounts[names.index(name)]

    @asynccontextmanager
    async def _visiting(
        self, account: AccountConfig, on_exchange: OnExchange | None = None
    ) -> AsyncIterator[Visit]:
        telemetry = AccountTelemetry(Telemetry(), account.provider, account.name)
        async with self._clients(account, self._config.directory) as client:
            redact = Redactor(account).redact
            http = Http(client, telemetry, self._clock, on_exchange, redact)
            kind = PROVIDERS[account.provider].collector
            collector = kind(account, http, telemetry, self._clock)
            async with visiting(account, collector, telemetry, http, self._clock) as visit:
                yield visit


def _objects(visit: Visit) -> dict[str, frozenset[str]]:
    """Return the names of queues and campaigns that have a figure, by label."""
    tables = {table.name: table for feed in visit.collector.feeds for table in feed.tables}
    found: dict[str, frozenset[str]] = {}
    for reading in visit.found.readings.values():
        try:
            mapped = map_reading(reading, tables, visit.account.account_labels(), raw=False)
        except ProviderError:
            continue  # its feed's line says so
        for label, names in mapped.objects.items():
            found[label] = found.get(label, frozenset()) | names
    return found
