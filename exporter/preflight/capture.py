"""Sanitised recording of requests and answers, for bug reports."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import httpx
import orjson

from exporter import __version__
from exporter.clock import Clock
from exporter.collector.sanitise import Sanitiser
from exporter.config.account import AccountConfig

FORMAT = 1
_MAX_SIZE = 64 * 1024 * 1024  # bytes of bodies kept; the bodies of later exchanges are left out
_HEADERS = ("content-type", "retry-after", "date")
# Settings that say who reads which platform, which no bug report needs.
_OMITTED = {
    *("name", "provider", "username", "client_id", "base_url", "auth_url", "tenant_url"),
    *("labels", "tls", "credentials_file", "account_id", "key_id", "child_account_id"),
}
_ABOUT = (
    "A sanitised recording of the requests of contactcenter-exporter and the answers to them. "
    "What the vendor does not document is replaced: names, ids, hosts, secrets, texts and keys. "
    "Documented keys and words, figures in documented places and lengths are kept. Read it before "
    "you send it."
)
_NOTHING = ("", b"")


@dataclass(frozen=True, slots=True)
class _Exchange:
    operation: str
    at: float
    request: httpx.Request
    response: httpx.Response | None
    omitted: bool


class Recorder:
    """Keeps every exchange of one account, and returns them as a sanitised document."""

    def __init__(
        self, account: AccountConfig, sanitiser: Callable[[], Sanitiser], clock: Clock
    ) -> None:
        self._account = account
        self._sanitiser = sanitiser
        self._clock = clock
        self._started = clock.monotonic()
        self._exchanges: list[_Exchange] = []
        self._size = 0

    def record(
        self, operation: str, request: httpx.Request, response: httpx.Response | None
    ) -> None:
        """Keep an exchange; ``response`` is ``None`` where none arrived."""
        self._size += len(request.content) + (len(response.content) if response else 0)
        at = round(self._clock.monotonic() - self._started, 3)
        omitted = self._size > _MAX_SIZE
        self._exchanges.append(_Exchange(operation, at, request, response, omitted))

    def document(self) -> bytes:
        """Return the recording as JSON."""
        sanitiser = self._sanitiser()
        answers = [(x.operation, x.response.content) for x in self._exchanges if x.response]
        sanitiser.prepare(answers)
        document = {
            "about": _ABOUT,
            "format": FORMAT,
            "exporter": __version__,
            "provider": self._account.provider,
            "settings": self._settings(sanitiser),
            "exchanges": [_sanitised(exchange, sanitiser) for exchange in self._exchanges],
        }
        return orjson.dumps(document, option=orjson.OPT_INDENT_2, default=str) + b"\n"

    def _settings(self, sanitiser: Sanitiser) -> dict[str, Any]:
        """Return the keys that are set, without secrets and without the account's identity."""
        return {
            name: value
            for name, value in sanitiser.setting(self._account, "").items()
            if name not in _OMITTED
        }


def _sanitised(exchange: _Exchange, sanitiser: Sanitiser) -> dict[str, Any]:
    request, response, operation = exchange.request, exchange.response, exchange.operation
    question = answer = _NOTHING
    if not exchange.omitted:
        question = (request.headers.get("content-type", ""), request.content)
        if response is not None:
            answer = (response.headers.get("content-type", ""), response.content)
    request_body, answer_body = sanitiser.exchange(operation, question, answer)
    url = request.url
    document: dict[str, Any] = {
        "at": exchange.at,
        "operation": operation,
        "method": request.method,
        "path": sanitiser.path(url.path, url.query.decode(), operation),
        "request": request_body,
        "status": response.status_code if response else None,
    }
    if response is not None:
        headers = response.headers
        document["headers"] = {
            name: sanitiser.header(name, headers[name]) for name in _HEADERS if name in headers
        }
        document["answer"] = answer_body
    return document | ({"left_out": "the recording was full"} if exchange.omitted else {})


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Create a file that only its owner may read; it is removed again if the block raises.

    Raises ``FileExistsError``, or another ``OSError``.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    complete = False
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        complete = True
    finally:
        if not complete:
            path.unlink()
