"""The whole: configuration → accounts → refreshers → board → web."""

import asyncio
import contextlib
import gc
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from exporter.board import Board, Publisher
from exporter.clock import Clock, SystemClock
from exporter.config import AccountConfig, Config
from exporter.logs import get_log
from exporter.page import Format
from exporter.providers import PROVIDERS
from exporter.schedule import Refresher
from exporter.telemetry import AccountTelemetry, Telemetry
from exporter.transport import Http, open_client
from exporter.web import Address, Server, Site

ClientFactory = Callable[[AccountConfig, Path], httpx.AsyncClient]
_SIGN_OUT_TIMEOUT = 8.0  # seconds; an orchestrator waits ten before it kills
_ONCE_TIMEOUT = 900.0
_SWITCH_INTERVAL = 0.0005  # seconds; a scrape gets its turn soon while a refresh computes

_log = get_log(__name__)


def client_for(account: AccountConfig, directory: Path) -> httpx.AsyncClient:
    """Return an account's own HTTP client."""
    proxy = account.proxy_url.get_secret_value() if account.proxy_url else None
    return open_client(account.transport_tls(directory), proxy)


class App:
    """One exporter process: every account of one configuration, and one page."""

    def __init__(
        self,
        config: Config,
        *,
        clock: Clock | None = None,
        clients: ClientFactory = client_for,
    ) -> None:
        self._clock = clock or SystemClock()
        self.telemetry = Telemetry()
        self.telemetry.reload_successful.set(1)
        self.telemetry.reload_time.set(self._clock.time())
        self._config = config
        self._views = {
            account.name: AccountTelemetry(self.telemetry, account.provider, account.name)
            for account in config.accounts
        }
        self.board = Board(
            dropped=lambda account, feed, series: self._views[account].dropped(feed, series),
            doubled=lambda account, feed, series: self._views[account].doubled(feed, series),
        )
        self._clients = [clients(account, config.directory) for account in config.accounts]
        self.refreshers = [
            self._refresher(account, client)
            for account, client in zip(config.accounts, self._clients, strict=True)
        ]
        self.publisher = Publisher(self.board, self.telemetry.chapters, self._clock.monotonic)
        self.site = Site(self.publisher, self.telemetry, self._ready)

    def _refresher(self, account: AccountConfig, client: httpx.AsyncClient) -> Refresher:
        view = self._views[account.name]
        http = Http(client, view, self._clock)
        collector = PROVIDERS[account.provider].collector(account, http, view, self._clock)
        return Refresher(
            account.name,
            collector,
            account.scope(),
            self.board,
            view,
            auth_retry=account.auth_retry,
            max_series=account.max_series,
            clock=self._clock,
        )

    def _ready(self) -> bool:
        return all(refresher.begun.is_set() for refresher in self.refreshers)

    async def serve(self, address: Address, stop: asyncio.Event) -> None:
        """Serve the page until ``stop`` is set, then sign out everywhere.

        Raises ``OSError`` where the address cannot be listened on.
        """
        sys.setswitchinterval(_SWITCH_INTERVAL)
        server = Server(self.site, address, "web")
        self.publisher.start()
        server.start()
        _log.info("listening", address=str(server.address), accounts=len(self.refreshers))
        gc.freeze()
        try:
            async with self._refreshing():
                await stop.wait()
        finally:
            server.stop()
            self.publisher.stop()
            _log.info("stopped")

    async def once(self) -> bytes:
        """Return one page, made when every account has been tried with every feed."""
        async with self._tried_once():
            page = self.board.page(self._clock.monotonic(), self.telemetry.chapters())
        return b"".join(page.body(Format.TEXT, gzip=False)[0])

    @asynccontextmanager
    async def _tried_once(self) -> AsyncIterator[None]:
        async with self._refreshing():
            tried = (refresher.tried.wait() for refresher in self.refreshers)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.gather(*tried), _ONCE_TIMEOUT)
            yield

    @asynccontextmanager
    async def _refreshing(self) -> AsyncIterator[None]:
        """Keep every account fresh; on leaving, sign out of all at the same time."""
        tasks = [asyncio.create_task(refresher.run()) for refresher in self.refreshers]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=_SIGN_OUT_TIMEOUT)
            for client in self._clients:
                await client.aclose()
