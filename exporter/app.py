"""The application: builds accounts, page and web server from a configuration, and reloads them."""

import asyncio
import contextlib
import gc
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import httpx
from starlette.types import ASGIApp

from exporter.clock import Clock, SystemClock
from exporter.collector.http import Http, large_slots
from exporter.collector.threads import run_with_timeout
from exporter.config.account import AccountConfig, client_for
from exporter.config.load import Config
from exporter.config.redact import Redactor, as_yaml
from exporter.errors import ConfigError, ReloadRefused
from exporter.exposition.encoding import Format
from exporter.exposition.publisher import Publisher
from exporter.exposition.store import SnapshotStore
from exporter.logs import get_log
from exporter.objectives.series import Unmatched
from exporter.providers import PROVIDERS
from exporter.refresh.accounts import Accounts, Change, ClientFactory
from exporter.refresh.logins import Logins
from exporter.refresh.schedule import Refresher
from exporter.status import Overview
from exporter.telemetry import AccountTelemetry, Telemetry
from exporter.web.auth import AccessMiddleware
from exporter.web.config import WebConfigWatcher
from exporter.web.middleware import RefusalMiddleware
from exporter.web.server import Server
from exporter.web.site import Paths, Site
from exporter.web.sockets import Address
from exporter.web.systemd import Notifier

_ONCE_TIMEOUT = 900.0
_SWITCH_INTERVAL = 0.0005  # seconds; lets a scrape run soon while a refresh computes
_READ_TIMEOUT = 5.0  # seconds for the configuration and all its files
_LOCK_TIMEOUT = 8.0  # seconds that a reload, or the shutdown, waits for an earlier reload

_log = get_log(__name__)


class App:
    """One exporter process: the accounts of one configuration, and one page.

    ``reread`` loads the configuration again, and raises ``ConfigError``; without it a reload is
    refused. ``lifecycle`` allows to reload over HTTP. ``environment`` names systemd's socket for
    reports of the state.
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
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._systemd = Notifier(environment or {})
        self.telemetry = Telemetry()
        self._config = config
        self._shown = as_yaml(config).encode()
        self._reread = reread
        self._record_load(successful=True)
        self.store = SnapshotStore(
            dropped=self._dropped,
            duplicated=self._duplicated,
            objectives=config.objectives,
            wall=self._clock.time,
        )
        unmatched = Unmatched(
            lambda: self.store.unmatched(self._clock.monotonic()), self.store.outdated
        )
        self.telemetry.watch_objectives(unmatched.count)
        self._logins = Logins(self._clock.monotonic)
        self._slots = large_slots()
        self.accounts = Accounts(self.store, self.telemetry, clients, self._refresher)
        for account in self.accounts.plan(config).added:
            self.accounts.add(account)
        self.publisher = Publisher(
            self.store, self.telemetry.exposed_families, self._clock.monotonic
        )
        self.site = Site(
            self.publisher,
            self.telemetry,
            self._ready,
            overview=self.overview,
            config=lambda: self._shown,
            reload=self._reload_from_web if lifecycle else None,
            paths=paths or Paths(),
        )
        self._reload_lock = asyncio.Lock()  # one reload at a time
        self._next_reload: asyncio.Task[str] | None = None  # the one that waits
        self._reloads: set[asyncio.Task[None]] = set()
        self._unread: set[str] = set()  # accounts whose secret files could not be read again
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = False
        self._was_ready = False

    def _refresher(
        self, account: AccountConfig, client: httpx.AsyncClient, telemetry: AccountTelemetry
    ) -> tuple[Refresher, Http]:
        http = Http(
            client,
            telemetry,
            self._clock,
            redact=Redactor(account).redact,
            max_answer=account.max_answer_bytes,
            slots=self._slots,
        )
        collector = PROVIDERS[account.provider].collector(account, http, telemetry, self._clock)
        refresher = Refresher(
            collector,
            account.account_labels(),
            self.store,
            telemetry,
            auth_retry=account.auth_retry,
            limits=account.limits,
            replaced=partial(self._replace_secrets, account),
            login=self._logins.of(account.fingerprint()),
            clock=self._clock,
        )
        return refresher, http

    def _dropped(self, account: str, feed: str, series: int) -> None:
        if telemetry := self.accounts.telemetry_of(account):
            telemetry.set_dropped(feed, series)

    def _duplicated(self, account: str, feed: str, series: int) -> None:
        if telemetry := self.accounts.telemetry_of(account):
            telemetry.count_duplicates(feed, series)

    def _ready(self) -> bool:
        """Return whether every account has been tried; stays true when a reload adds accounts."""
        ready = all(account.refresher.ready.is_set() for account in self.accounts)
        self._was_ready = self._was_ready or ready
        return self._was_ready

    def overview(self) -> Overview:
        """Return the current status of every account. Thread-safe."""
        return Overview(
            tuple(account.status() for account in self.accounts),
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
        """Serve the page until ``stop`` is set, then sign out of every account.

        Raises ``OSError`` where an address cannot be listened on.
        """
        sys.setswitchinterval(_SWITCH_INTERVAL)
        self._loop = asyncio.get_running_loop()
        server = Server(
            self._web_app(watcher),
            where,
            "web",
            watcher=watcher,
            count_refusal=self.telemetry.count_refusal,
        )
        self.publisher.start()
        server.start()
        for address in server.addresses:
            _log.info("listening", address=str(address), accounts=len(list(self.accounts)))
        try:
            async with self._refreshing():
                self._systemd.ready()
                await stop.wait()
                self._systemd.stopping()
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
        """Return one page, made when every feed of every account has been tried."""
        async with self._refreshing():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_ONCE_TIMEOUT):
                    for account in self.accounts:
                        await account.refresher.all_tried.wait()
            page = self.store.page(self._clock.monotonic(), self.telemetry.exposed_families())
        return b"".join(page.body(Format.TEXT, gzip=False)[0])

    @asynccontextmanager
    async def _refreshing(self) -> AsyncIterator[None]:
        """Refresh every account; on exit, sign out of all at the same time."""
        self.accounts.start()
        try:
            yield
        finally:
            self._stopping = True
            await asyncio.gather(self.accounts.stop(), self._last_reload())

    async def _last_reload(self) -> None:
        """Wait until the running reload has ended, and waiting ones have been refused."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LOCK_TIMEOUT), self._reload_lock:
                pass

    # Reloading -----------------------------------------------------------------------------

    async def reload(self) -> str:
        """Load the configuration again and apply the difference; return a summary of it.

        One reload runs and one waits, which serves every caller that comes meanwhile. Raises
        ``ConfigError`` where the configuration is not valid (nothing has changed then), and
        ``ReloadRefused`` where there is no file or the exporter is busy or stopping.
        """
        if self._reread is None:
            raise ReloadRefused("there is no configuration file to reload")
        if self._next_reload is None:
            self._next_reload = asyncio.create_task(self._reload_in_turn(self._reread))
        return await asyncio.shield(self._next_reload)

    async def _reload_in_turn(self, reread: Callable[[], Config]) -> str:
        try:
            async with asyncio.timeout(_LOCK_TIMEOUT):
                await self._reload_lock.acquire()
        except TimeoutError:
            raise ReloadRefused("another reload is still running") from None
        finally:
            self._next_reload = None
        self._systemd.reloading()
        try:
            summary, is_removing = await self._reload(reread)
        finally:
            self._systemd.ready()
            self._reload_lock.release()
        _log.info("configuration reloaded", accounts=summary)
        if is_removing:
            gc.collect()  # accounts have cycles, and their secrets should not stay in memory
        return summary

    async def _reload(self, reread: Callable[[], Config]) -> tuple[str, bool]:
        """Return a summary, and whether accounts were removed or replaced."""
        try:
            config, change, shown = await self._read(reread)
            self.accounts.retry()
            await self._change(config, change, shown)
            return str(change), bool(change.removed)
        finally:
            await asyncio.to_thread(self.publisher.renew)  # shows the result to the next scrape

    def _prepare(self, reread: Callable[[], Config]) -> tuple[Config, Change, bytes]:
        """Read a configuration and everything that depends on files, which may hang."""
        config = reread()
        return config, self.accounts.plan(config), as_yaml(config).encode()

    async def _read(self, reread: Callable[[], Config]) -> tuple[Config, Change, bytes]:
        successful = False
        try:
            self._check_stopping()
            prepare = partial(self._prepare, reread)
            prepared = await run_with_timeout(prepare, _READ_TIMEOUT, self)
            self._check_stopping()
            successful = True
        except TimeoutError:
            raise self._rejected([f"could not be read within {_READ_TIMEOUT:g} s"]) from None
        except ConfigError as error:
            raise self._rejected(error.faults) from None
        finally:
            self._record_load(successful=successful)
        return prepared

    async def _change(self, config: Config, change: Change, shown: bytes) -> None:
        self._ready()  # before accounts are added
        self._config = config
        self._shown = shown
        self.store.set_objectives(config.objectives)
        self.accounts.stop_removed(change)
        await asyncio.to_thread(self.publisher.renew)
        await self.accounts.apply(change)

    async def _replace_secrets(self, account: AccountConfig) -> bool:
        """Read an account's secret files again; return whether it is replaced, as they changed."""
        reread = self._config.rereads.get(account.name)
        if reread is None:
            return False
        try:
            current = await run_with_timeout(reread, _READ_TIMEOUT, (self, account.name))
        except (ConfigError, TimeoutError) as error:
            log_line = _log.debug if account.name in self._unread else _log.warning
            log_line("secret files not read", account=account.name, error=str(error))
            self._unread.add(account.name)
            return False
        self._unread.discard(account.name)
        if current == account:
            return False
        task = asyncio.create_task(self._replace_account(current))
        self._reloads.add(task)
        task.add_done_callback(self._reloads.discard)
        return True

    async def _replace_account(self, account: AccountConfig) -> None:
        """Replace the running account of that name; a reload that comes first may do so too."""
        _log.info("secret files changed", account=account.name)
        async with self._reload_lock:
            if self._stopping or account.name not in self._config.rereads:
                return
            accounts = (account if x.name == account.name else x for x in self._config.accounts)
            config = replace(self._config, accounts=tuple(accounts))
            prepare = partial(self._prepare, lambda: config)
            with contextlib.suppress(ConfigError, TimeoutError):  # a TLS file: a reload says which
                await self._change(*await run_with_timeout(prepare, _READ_TIMEOUT, (self, "plan")))

    def _check_stopping(self) -> None:
        if self._stopping:
            raise ReloadRefused("the exporter is stopping")

    def _rejected(self, faults: list[str]) -> ConfigError:
        for fault in faults:
            _log.error("configuration not reloaded", fault=fault)
        return ConfigError(faults)

    def _record_load(self, *, successful: bool) -> None:
        self.telemetry.reload_successful.set(successful)
        self._broken = not successful
        if successful:
            self._read_at = self._clock.time()
            self.telemetry.reload_time.set(self._read_at)

    def reload_on_signal(self) -> None:
        """Reload in the background, and log the result. For ``SIGHUP``."""
        if self._next_reload is None:  # a waiting one will read the latest file
            task = asyncio.create_task(self._reload_quietly())
            self._reloads.add(task)
            task.add_done_callback(self._reloads.discard)

    async def _reload_quietly(self) -> None:
        with contextlib.suppress(ConfigError):  # has been logged
            try:
                await self.reload()
            except ReloadRefused as error:
                _log.warning("reload refused", error=str(error))

    async def _reload_from_web(self) -> str:
        """Reload on the event loop of the accounts; requests are served on another."""
        assert self._loop is not None, "requests are served only after start"
        return await asyncio.wrap_future(
            asyncio.run_coroutine_threadsafe(self.reload(), self._loop)
        )
