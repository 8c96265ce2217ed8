"""One account at work: its way to the platform, its refresher, and the task that drives it."""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

import httpx

from exporter.config.load import AccountConfig
from exporter.config.redact import Hider
from exporter.logs import get_log
from exporter.refresh.schedule import Refresher
from exporter.status import AccountStatus, Failure
from exporter.telemetry import AccountTelemetry

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
        self._hide = Hider(identity.config).hide
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
