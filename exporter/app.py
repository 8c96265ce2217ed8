"""The whole: configuration → accounts → refreshers → board → web; and the same again on reload."""

import asyncio
import contextlib
import gc
import socket
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import httpx
from starlette.types import ASGIApp

from exporter.clock import Clock, SystemClock
from exporter.collector.http import Http
from exporter.collector.threads import run_apart
from exporter.config.account import AccountConfig, client_for
from exporter.config.load import Config
from exporter.config.redact import Redactor, as_yaml
from exporter.errors import ConfigError, ReloadRefused
from exporter.exposition.encoding import Format
from exporter.exposition.publisher import Publisher
from exporter.exposition.store import SnapshotStore
from exporter.logs import get_log
from exporter.objectives.model import Objective
from exporter.objectives.series import Unmatched
from exporter.providers import PROVIDERS
from exporter.refresh.accounts import Accounts, Change, ClientFactory
from exporter.refresh.schedule import Refresher
from exporter.status import Overview
from exporter.telemetry import AccountTelemetry, Telemetry
from exporter.web.auth import AccessMiddleware
from exporter.web.config import WebConfigWatcher
from exporter.web.middleware import RefusalMiddleware
from exporter.web.server import Server
from exporter.web.site import Paths, Site
from exporter.web.sockets import Address

_ONCE_TIMEOUT = 900.0
_SWITCH_INTERVAL = 0.0005  # seconds; a scrape gets its turn soon while a refresh computes
_READ_TIMEOUT = 5.0  # seconds for the configuration and all its files
_TURN_TIMEOUT = 8.0  # seconds that a reload waits for an earlier one, or the end for the last
_MOST_WAITING = 2  # reloads by signal: one at work, one behind it

_log = get_log(__name__)


class App:
    """One exporter process: every account of one configuration, and one page.

    ``reread`` reads the configuration anew, and raises ``ConfigError``; without it there is
    nothing to reload. ``lifecycle`` allows to ask for a reload over HTTP.
    """

    def __init__(
        self,
        config: Config,
        *,
        clock: Clock | None = None,
        clients: ClientFactory = client_for,
        reread: Callable[[], Config] | None = None,
        lifecycle: bool = False,
        paths: Paths | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self.telemetry = Telemetry()
        self._config = config
        self._reread = reread
        self._has_read(successful=True)
        self.store = SnapshotStore(
            dropped=self._dropped,
            duplicated=self._duplicated,
            objectives=config.objectives,
            wall=self._clock.time,
        )
        self.telemetry.watch_objectives(Unmatched(self._unmatched).count)
        self.accounts = Accounts(self.store, self.telemetry, clients, self._refresher)
        for coming in self.accounts.plan(config).coming:
            self.accounts.add(coming)
        self.publisher = Publisher(
            self.store, self.telemetry.exposed_families, self._clock.monotonic
        )
        self.site = Site(
            self.publisher,
            self.telemetry,
            self._ready,
            overview=self.overview,
            config=lambda: as_yaml(self._config),
            reload=self._reload_from_web if lifecycle else None,
            paths=paths or Paths(),
        )
        self._turn = asyncio.Lock()  # one reload at a time
        self._reloads: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending = False
        self._was_ready = False

    def _refresher(
        self, account: AccountConfig, client: httpx.AsyncClient, telemetry: AccountTelemetry
    ) -> Refresher:
        http = Http(client, telemetry, self._clock, hide=Redactor(account).redact)
        collector = PROVIDERS[account.provider].collector(account, http, telemetry, self._clock)
        return Refresher(
            account.name,
            collector,
            account.account_labels(),
            self.store,
            telemetry,
            auth_retry=account.auth_retry,
            max_series=account.max_series,
            clock=self._clock,
        )

    def _unmatched(self) -> list[Objective] | None:
        return self.store.unmatched(self._clock.monotonic())

    def _dropped(self, account: str, feed: str, series: int) -> None:
        if telemetry := self.accounts.telemetry_of(account):
            telemetry.dropped(feed, series)

    def _duplicated(self, account: str, feed: str, series: int) -> None:
        if telemetry := self.accounts.telemetry_of(account):
            telemetry.duplicated(feed, series)

    def _ready(self) -> bool:
        """Tell whether every account has been tried; what a reload adds changes nothing of it."""
        begun = all(each.refresher.begun.is_set() for each in self.accounts)
        self._was_ready = self._was_ready or begun
        return self._was_ready

    def overview(self) -> Overview:
        """Tell how everything stands; may be asked from any thread."""
        return Overview(
            tuple(each.status() for each in self.accounts),
            config_age=self._clock.time() - self._read_at,
            config_broken=self._broken,
        )

    # Serving -------------------------------------------------------------------------------

    async def serve(
        self,
        where: Address | Sequence[socket.socket],
        stop: asyncio.Event,
        *,
        watcher: WebConfigWatcher | None = None,
    ) -> None:
        """Serve the page until ``stop`` is set, then sign out everywhere.

        Raises ``OSError`` where the address cannot be listened on.
        """
        sys.setswitchinterval(_SWITCH_INTERVAL)
        self._loop = asyncio.get_running_loop()
        server = Server(self._web_app(watcher), where, "web", watcher=watcher)
        self.publisher.start()
        server.start()
        for address in server.addresses:
            _log.info("listening", address=str(address), accounts=len(list(self.accounts)))
        try:
            async with self._refreshing():
                await stop.wait()
        finally:
            server.stop()
            self.publisher.stop()
            _log.info("stopped")

    def _web_app(self, watcher: WebConfigWatcher | None) -> ASGIApp:
        """Return the site with its middleware."""
        app: ASGIApp = self.site

        def count(status: int) -> None:
            self.telemetry.http_requests.labels(str(status)).inc()

        if watcher is not None:
            successful = self.telemetry.web_reload_successful
            successful.set_function(lambda: watcher.last_reload_successful)
            app = AccessMiddleware(app, lambda: watcher.current, count, self._clock.monotonic)
        return RefusalMiddleware(app, count)

    async def once(self) -> bytes:
        """Return one page, made when every account has been tried with every feed."""
        async with self._tried_once():
            page = self.store.page(self._clock.monotonic(), self.telemetry.exposed_families())
        return b"".join(page.body(Format.TEXT, gzip=False)[0])

    @asynccontextmanager
    async def _tried_once(self) -> AsyncIterator[None]:
        async with self._refreshing():
            tried = (each.refresher.tried.wait() for each in self.accounts)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.gather(*tried), _ONCE_TIMEOUT)
            yield

    @asynccontextmanager
    async def _refreshing(self) -> AsyncIterator[None]:
        """Keep every account fresh; on leaving, sign out of all at the same time."""
        self.accounts.start()
        try:
            yield
        finally:
            self._ending = True
            await asyncio.gather(self.accounts.stop(), self._last_reload())

    async def _last_reload(self) -> None:
        """Wait for a reload to end that is at work, and for those behind it to be refused."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_TURN_TIMEOUT), self._turn:
                pass

    # Reloading -----------------------------------------------------------------------------

    async def reload(self) -> str:
        """Read the configuration anew and change what differs; return what was done.

        Raises ``ConfigError`` where it cannot be used: nothing has changed then;
        ``ReloadRefused`` where there is nothing to read, or not now.
        """
        if self._reread is None:
            raise ReloadRefused("there is no configuration file to read again")
        try:
            async with asyncio.timeout(_TURN_TIMEOUT):
                await self._turn.acquire()
        except TimeoutError:
            raise ReloadRefused("another reload is still at work") from None
        try:
            done = await self._reload(self._reread)
        finally:
            self._turn.release()
        _log.info("configuration reloaded", accounts=done)
        gc.collect()  # those that left have cycles, and their secrets should not stay in memory
        return done

    async def _reload(self, reread: Callable[[], Config]) -> str:
        try:
            return await self._change(*await self._read(reread))
        finally:
            await asyncio.to_thread(self.publisher.renew)  # who asks now sees what came of it

    async def _read(self, reread: Callable[[], Config]) -> tuple[Config, Change]:
        successful = False
        try:
            self._check_ending()
            config = await run_apart(reread, _READ_TIMEOUT)
            self._check_ending()
            change = self.accounts.plan(config)
            successful = True
        except TimeoutError:
            raise self._unusable([f"could not be read within {_READ_TIMEOUT:g} s"]) from None
        except ConfigError as error:
            raise self._unusable(error.faults) from None
        finally:
            self._has_read(successful=successful)
        return config, change

    async def _change(self, config: Config, change: Change) -> str:
        self._ready()  # what it is now holds for what is added, too
        self._config = config
        self.store.set_objectives(config.objectives)
        self.accounts.part(change)
        await asyncio.to_thread(self.publisher.renew)
        await self.accounts.apply(change)
        return str(change)

    def _check_ending(self) -> None:
        if self._ending:
            raise ReloadRefused("the exporter is ending")

    def _unusable(self, faults: list[str]) -> ConfigError:
        for fault in faults:
            _log.error("configuration not reloaded", fault=fault)
        return ConfigError(faults)

    def _has_read(self, *, successful: bool) -> None:
        self.telemetry.reload_successful.set(successful)
        self._broken = not successful
        if successful:
            self._read_at = self._clock.time()
            self.telemetry.reload_time.set(self._read_at)

    def reload_on_signal(self) -> None:
        """Reload in the background; the log tells what came of it. For ``SIGHUP``."""
        if len(self._reloads) < _MOST_WAITING:  # one that waits will read what is there by then
            task = asyncio.create_task(self._reload_quietly())
            self._reloads.add(task)
            task.add_done_callback(self._reloads.discard)

    async def _reload_quietly(self) -> None:
        with contextlib.suppress(ConfigError):  # it has been logged
            try:
                await self.reload()
            except ReloadRefused as error:
                _log.warning("reload refused", error=str(error))

    async def _reload_from_web(self) -> str:
        """Reload on the loop of the accounts; requests are served on another."""
        assert self._loop is not None, "nothing is served before"
        return await asyncio.wrap_future(
            asyncio.run_coroutine_threadsafe(self.reload(), self._loop)
        )
