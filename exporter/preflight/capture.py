"""A recording of requests and answers for bug reports: what is in it, and where is it put?"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import httpx
import orjson
from pydantic import SecretStr

from exporter import __version__
from exporter.clock import Clock
from exporter.collector.sanitise import Sanitiser
from exporter.config.account import AccountConfig

FORMAT = 1
_MOST = 64 * 1024 * 1024  # bytes that are kept; what comes after is left out, and counted
_HEADERS = ("content-type", "retry-after", "date")
# Who reads which platform: of no use to anybody who looks for a mistake.
_OMITTED = {
    *(
        "name",
        "provider",
        "username",
        "client_id",
        "base_url",
        "auth_url",
        "tenant_url",
        "labels",
        "tls",
    ),
    *("labels", "tls", "credentials_file", "account_id", "key_id", "child_account_id"),
}
_ABOUT = (
    "A sanitised recording of what contactcenter-exporter asked and was answered. Names, ids, "
    "hosts and secrets are replaced; figures and the vendor's own words are not. Read it before "
    "you send it."
)


@dataclass(frozen=True, slots=True)
class _Exchange:
    operation: str
    at: float
    request: httpx.Request
    response: httpx.Response | None
    omitted: bool


class Recorder:
    """Takes every exchange of one account, and makes a document of them."""

    def __init__(
        self, account: AccountConfig, sanitiser: Callable[[], Sanitiser], clock: Clock
    ) -> None:
        self._account = account
        self._sanitiser = sanitiser
        self._clock = clock
        self._started = clock.monotonic()
        self._exchanges: list[_Exchange] = []
        self._size = 0

    def take(self, operation: str, request: httpx.Request, response: httpx.Response | None) -> None:
        """Keep an exchange; no answer means that none came."""
        self._size += len(request.content) + (len(response.content) if response else 0)
        at = round(self._clock.monotonic() - self._started, 3)
        self._exchanges.append(
            _Exchange(operation, at, request, response, omitted=self._size > _MOST)
        )

    def document(self) -> bytes:
        """Return the recording as JSON."""
        sanitiser = self._sanitiser()
        answers = [
            (each.operation, each.response.content) for each in self._exchanges if each.response
        ]
        sanitiser.prepare(answers)
        exchanges = [self._shown(sanitiser, each) for each in self._exchanges]
        found = {
            "about": _ABOUT,
            "format": FORMAT,
            "exporter": __version__,
            "provider": self._account.provider,
            "settings": self._settings(sanitiser),
            "exchanges": exchanges,
        }
        return orjson.dumps(found, option=orjson.OPT_INDENT_2, default=str) + b"\n"

    def _settings(self, sanitiser: Sanitiser) -> dict[str, Any]:
        """Return what the account asks for, without what is secret or says who it is."""
        plain = self._account.model_dump(exclude_unset=True)
        return {
            name: sanitiser.value(value, name)
            for name, value in plain.items()
            if name not in _OMITTED and not isinstance(value, SecretStr)
        }

    def _shown(self, sanitiser: Sanitiser, each: _Exchange) -> dict[str, Any]:
        request, response = each.request, each.response
        empty = ("", b"")
        asked = (request.headers.get("content-type", ""), request.content)
        answered = (
            (response.headers.get("content-type", ""), response.content) if response else empty
        )
        if each.omitted:
            asked = answered = empty
        said = sanitiser.exchange(each.operation, asked, answered)
        url = request.url
        shown: dict[str, Any] = {
            "at": each.at,
            "operation": each.operation,
            "method": request.method,
            "path": sanitiser.path(url.path, url.query.decode(), each.operation),
            "request": said[0],
            "status": response.status_code if response else None,
        }
        if response is not None:
            shown["headers"] = {
                name: response.headers[name] for name in _HEADERS if name in response.headers
            }
            shown["answer"] = said[1]
        return shown | ({"left_out": "the recording was full"} if each.omitted else {})


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Make a file that was not there and that nobody else may read; keep it only if it gets whole.

    Raises ``FileExistsError``, or another ``OSError``.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    whole = False
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        whole = True
    finally:
        if not whole:
            path.unlink()
