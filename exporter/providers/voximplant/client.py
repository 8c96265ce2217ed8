"""HTTP client of one account: calls methods of the Management API, classifies failures.

A call is a form-encoded POST; answers are JSON, with errors in the body. Sources: Management API
reference on docs.voximplant.ai; the vendor's clients for Python, Node.js, PHP, Java and Go. Only
one request may run at a time, which the caller ensures.
"""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from statistics import median
from typing import Any, Final

import httpx

from exporter.clock import Clock
from exporter.collector.bounds import SMALL
from exporter.collector.http import Http, check_status, json_object, retry_after
from exporter.collector.transport import REPEATABLE
from exporter.errors import InvalidAnswer, Throttled, Unauthorized
from exporter.logs import Log
from exporter.metrics.parsers import Cell
from exporter.providers.voximplant.answers import JsonObject, to_cells
from exporter.providers.voximplant.auth import KeyAuth
from exporter.providers.voximplant.errors import Denied, MissingRole, TokenTimeInvalid, error_of

Value = str | int | bool | datetime | Sequence[str] | None
# Rows; more are refused (Management API reference, GetCallListDetails and GetCallHistory).
PAGE_SIZE: Final = 1000
_MAX_PAGES = 200
_ACCOUNT_INFO = "GetAccountInfo"
# The answer may hold the account's api_key and callback_salt: all other fields are dropped.
_ACCOUNT_FIELDS = (
    *("currency", "balance", "min_balance_to_notify", "credit_limit", "active", "frozen"),
)
# Seconds.
_TRUSTED_FOR = 60.0  # after an answer the key is known to be valid
_FIRST_PAUSE, _LONGEST_PAUSE = 10.0, 300.0
_SHORTEST_RETRY = 60.0  # after a reload
_FIRST_ROLE_PAUSE, _LONGEST_ROLE_PAUSE = 60.0, 3600.0
_LONGEST_DENIED_PAUSE = 300.0  # of a method that was allowed: the key may have been refused
_NOTABLE_SKEW = 30.0
_SKEWS = 5  # answers whose median is the skew, so that a few wrong Date headers move no day


class Client:
    """The requests of one account. Every method raises ``ProviderError``.

    ``allowed`` and ``forbidden`` are the methods that the key may and may not call, as far as
    they have been called.
    """

    def __init__(
        self, http: Http, url: str, auth: KeyAuth, timeout: float, clock: Clock, log: Log
    ) -> None:
        http.client.auth = auth
        self._http = http
        self._url = url
        self._auth = auth
        self._timeout = timeout
        self._clock = clock
        self._log = log
        self._answered_at = float("-inf")
        self._throttles = 0
        self._throttled_at = self._paused_until = float("-inf")
        self._refusals: Counter[str] = Counter()
        self._skews: deque[float | None] = deque(maxlen=_SKEWS)  # None: without a Date
        self._skew_logged = False
        self.allowed: set[str] = set()

    @property
    def skew(self) -> float | None:
        """The seconds by which the platform's clock is ahead of ours; ``None`` if unknown.

        The median of the last answers; of two answers the smaller skew. An answer without a Date
        says nothing against our clock.
        """
        if not any(skew is not None for skew in self._skews):
            return None
        skews = [skew or 0.0 for skew in self._skews]
        return median(skews) if len(skews) > 2 else min(skews, key=abs)  # noqa: PLR2004

    @property
    def forbidden(self) -> frozenset[str]:
        """The methods for which the key lacks a role."""
        return frozenset(self._refusals)

    @property
    def pause(self) -> float:
        """The seconds until the platform accepts requests of this account again, or 0."""
        return max(0.0, self._paused_until - self._clock.monotonic())

    def retry(self) -> None:
        """Forget a pause that the platform asked for, but for a minute after its answer."""
        soonest = self._throttled_at + _SHORTEST_RETRY
        self._paused_until = min(self._paused_until, soonest)

    def now(self) -> float:
        """Return the platform's time (epoch seconds); our own where the skew is small."""
        skew = self.skew or 0.0
        return self._clock.time() + (skew if abs(skew) > _NOTABLE_SKEW else 0.0)

    def forget_cookies(self) -> None:
        """Drop the cookies of an earlier session."""
        self._http.forget_cookies()

    async def read_account(self) -> dict[str, Cell]:
        """Read the account's money and state; every key may do so."""
        answer = await self.call(_ACCOUNT_INFO)
        account = answer.get("result")
        if not isinstance(account, dict):
            raise InvalidAnswer(f"{_ACCOUNT_INFO}: answer lacks the account")
        return to_cells({name: account.get(name) for name in _ACCOUNT_FIELDS})

    async def read_list(self, method: str, **parameters: Value) -> list[JsonObject]:
        """Read a list that comes in one answer."""
        return _result_list(method, await self.call(method, **parameters))

    async def read_pages(self, method: str, **parameters: Value) -> list[JsonObject]:
        """Read a list that comes in pages, until ``total_count`` or a short page.

        A total below the number of rows is not true. Raises ``InvalidAnswer`` where pages repeat.
        """
        rows: list[JsonObject] = []
        page: list[JsonObject] = []
        for _ in range(_MAX_PAGES):
            answer = await self.call(method, **parameters, count=PAGE_SIZE, offset=len(rows))
            before, page = page, _result_list(method, answer)
            if page and page == before:
                raise InvalidAnswer(f"{method}: a page came twice")
            rows += page
            total = answer.get("total_count")
            if type(total) is int and total >= len(rows):
                if total == len(rows):
                    return rows
                if not page:
                    raise InvalidAnswer(f"{method}: pages end after {len(rows)} of {total} rows")
            elif len(page) < PAGE_SIZE:
                return rows
        raise InvalidAnswer(f"{method}: more than {_MAX_PAGES} pages")

    async def call(self, method: str, **parameters: Value) -> JsonObject:
        """Call a method and return its whole answer.

        A token whose times do not suit the platform's clock is signed again, once. An
        authorization error of a key that is known to be valid means a missing role, for which the
        platform does not always send its own code.
        """
        try:
            answer = await self._call(method, parameters)
        except Throttled as error:
            raise self._throttled(error) from error
        except TokenTimeInvalid:
            raise
        except Unauthorized as error:
            if method == _ACCOUNT_INFO:
                raise
            await self._check_key()
            text = f"{error}: a role is missing"
            raise self._forbidden(method, text, may_pass=method in self.allowed) from error
        except MissingRole as error:
            raise self._forbidden(method, str(error)) from error
        self._throttles = 0
        self._refusals.pop(method, None)
        self.allowed.add(method)
        self._answered_at = self._clock.monotonic()
        return answer

    async def _check_key(self) -> None:
        """Raise ``Unauthorized`` where the key itself is refused; a recent answer proves it."""
        if self._clock.monotonic() - self._answered_at > _TRUSTED_FOR:
            await self.read_account()

    async def _call(self, method: str, parameters: Mapping[str, Value]) -> JsonObject:
        try:
            return await self._send(method, parameters)
        except TokenTimeInvalid:
            self._auth.renew(self._http.skew or 0.0)  # of the answer that refused the token
        return await self._send(method, parameters)

    async def _send(self, method: str, parameters: Mapping[str, Value]) -> JsonObject:
        request = self._http.client.build_request(
            "POST",
            f"{self._url}/{method}",
            data=encode(parameters),
            extensions={REPEATABLE: method.startswith("Get")},
        )

        def check(response: httpx.Response, answer: Any) -> None:
            self._note_skew(response)
            _check_answer(method, response, answer)

        size = SMALL if method == _ACCOUNT_INFO else self._http.max_answer
        return await self._http.json(request, method, json_object, self._timeout, check, size=size)

    def _throttled(self, error: Throttled) -> Throttled:
        """Pause all methods, longer each time, because the limit is the account's."""
        backoff = min(_FIRST_PAUSE * 2.0 ** min(self._throttles, 30), _LONGEST_PAUSE)
        self._throttles += 1
        pause = max(error.retry_after, backoff)
        self._throttled_at = self._clock.monotonic()
        self._paused_until = self._throttled_at + pause
        return Throttled(str(error), retry_after=pause)

    def _forbidden(self, method: str, text: str, *, may_pass: bool = False) -> MissingRole:
        """Pause the method, longer each time, because a role is seldom granted soon."""
        self._refusals[method] += 1
        pause = _FIRST_ROLE_PAUSE * 4.0 ** min(self._refusals[method] - 1, 10)
        if may_pass:
            return Denied(text, retry_after=min(pause, _LONGEST_DENIED_PAUSE))
        return MissingRole(text, retry_after=min(pause, _LONGEST_ROLE_PAUSE))

    def _note_skew(self, response: httpx.Response) -> None:
        self._skews.append(self._http.skew if "date" in response.headers else None)
        skew = self.skew
        if skew is not None and abs(skew) > _NOTABLE_SKEW and not self._skew_logged:
            self._skew_logged = True
            self._log.warning("clock differs from the platform's", seconds=round(skew))


def encode(parameters: Mapping[str, Value]) -> dict[str, str]:
    """Return parameters as the platform reads them; those that are ``None`` are left out."""
    return {name: _text(value) for name, value in parameters.items() if value is not None}


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, str | int):
        return str(value)
    return ";".join(value or ())


def _check_answer(method: str, response: httpx.Response, answer: Any) -> None:
    """Raise the error of an answer's body, or of the HTTP status.

    A partial failure (``errors`` beside a result) is an error: the figures would be too small.
    """
    if isinstance(answer, dict):
        faults = answer.get("errors")
        fault = answer.get("error", faults[0] if isinstance(faults, list) and faults else None)
        if fault is not None:
            error = error_of(method, fault)
            error.retry_after = max(error.retry_after, retry_after(response))
            raise error
    check_status(response)


def _result_list(method: str, answer: JsonObject) -> list[JsonObject]:
    """Return an answer's list of objects; a single object is a list of one."""
    result = answer.get("result")
    if isinstance(result, dict):
        result = [result] if result else []
    if not isinstance(result, list) or not all(isinstance(row, dict) for row in result):
        raise InvalidAnswer(f"{method}: result is not a list of objects")
    return result
