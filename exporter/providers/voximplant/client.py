"""Voximplant's wire: form-encoded posts of one method each, answers in JSON, errors in the body.

The Management API reference on docs.voximplant.ai, and the vendor's clients for Python, Node.js,
PHP, Java and Go. The caller sees to it that there is one request at a time.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import httpx

from exporter.clock import Clock
from exporter.collector.http import Http, check_status, json_object, retry_after
from exporter.errors import InvalidAnswer, Throttled, Unauthorized
from exporter.logs import Log
from exporter.metrics.parsers import Cell
from exporter.providers.voximplant.answers import scalars
from exporter.providers.voximplant.auth import KeyAuth
from exporter.providers.voximplant.errors import Forbidden, StaleToken, error_of

Row = dict[str, Any]
Value = str | int | bool | datetime | Sequence[str] | None
PAGE: Final = 1000  # rows; more are refused (Voximplant, GetCallListDetails and GetCallHistory)
_MAX_PAGES = 200
_ACCOUNT_INFO = "GetAccountInfo"
# The answer may hold the account's api_key and callback_salt: nothing else is looked at.
_ACCOUNT_FIELDS = (
    "currency",
    "balance",
    "min_balance_to_notify",
    "credit_limit",
    "active",
    "frozen",
)
_TRUSTED_FOR = 60.0  # seconds for which an answer proves that the key is good
_FIRST_PAUSE = 10.0
_LONGEST_PAUSE = 300.0
_FIRST_ROLE_PAUSE = 60.0
_LONGEST_ROLE_PAUSE = 3600.0
_NOTABLE_SKEW = 30.0


class Client:
    """One account's requests. Every method raises ``ProviderError``.

    ``answered`` and ``forbidden`` are the methods that this key may and may not call, as far as
    they have been tried.
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
        self._quiet_until = float("-inf")
        self._refusals: Counter[str] = Counter()
        self._skew_told = False
        self.answered: set[str] = set()

    @property
    def skew(self) -> float | None:
        """The seconds by which the platform's clock is ahead of ours, once it told."""
        return self._http.skew

    @property
    def forbidden(self) -> frozenset[str]:
        """The methods for which the key lacks a role."""
        return frozenset(self._refusals)

    @property
    def quiet(self) -> float:
        """The seconds for which the platform wants to hear nothing of this account; 0 is none."""
        return max(0.0, self._quiet_until - self._clock.monotonic())

    def now(self) -> float:
        """Return the platform's time in epoch seconds; ours where they agree well enough."""
        skew = self.skew or 0.0
        return self._clock.time() + (skew if abs(skew) > _NOTABLE_SKEW else 0.0)

    async def account_info(self) -> dict[str, Cell]:
        """Read what may be shown of the account; every key may ask this."""
        answer = await self.call(_ACCOUNT_INFO)
        found = answer.get("result")
        if not isinstance(found, dict):
            raise InvalidAnswer(f"{_ACCOUNT_INFO}: no account")
        return scalars({name: found.get(name) for name in _ACCOUNT_FIELDS})

    async def rows(self, method: str, **parameters: Value) -> list[Row]:
        """Read a list that comes in one answer."""
        return objects(method, await self.call(method, **parameters))

    async def pages(self, method: str, **parameters: Value) -> list[Row]:
        """Read a list that comes in pages, to its end: until ``total_count`` or a short page."""
        rows: list[Row] = []
        for _ in range(_MAX_PAGES):
            answer = await self.call(method, **parameters, count=PAGE, offset=len(rows))
            page = objects(method, answer)
            rows += page
            total = answer.get("total_count")
            if isinstance(total, int):
                if len(rows) >= total:
                    return rows
                if not page:
                    raise InvalidAnswer(f"{method}: {len(rows)} rows of {total}, and no more")
            elif len(page) < PAGE:
                return rows
        raise InvalidAnswer(f"{method}: more than {_MAX_PAGES} pages")

    async def call(self, method: str, **parameters: Value) -> Row:
        """Call a method and return the whole answer.

        A token that does not suit the platform's clock is signed anew once. An authorization
        error of a key that is known to be good is a missing role, which the platform does not
        always call by its own code.
        """
        try:
            answer = await self._call(method, parameters)
        except Throttled as error:
            raise self._slowed(error) from error
        except StaleToken:
            raise
        except Unauthorized as error:
            if method == _ACCOUNT_INFO:
                raise
            await self._prove_key()
            raise self._forbidden(method, f"{error}: a role is missing") from error
        except Forbidden as error:
            raise self._forbidden(method, str(error)) from error
        self._throttles = 0
        self._refusals.pop(method, None)
        self.answered.add(method)
        self._answered_at = self._clock.monotonic()
        return answer

    async def _prove_key(self) -> None:
        """Find out whether the key itself is good; an answer of late proves it."""
        if self._clock.monotonic() - self._answered_at > _TRUSTED_FOR:
            await self.account_info()

    async def _call(self, method: str, parameters: Mapping[str, Value]) -> Row:
        try:
            return await self._send(method, parameters)
        except StaleToken:
            self._auth.renew(self.skew or 0.0)
        return await self._send(method, parameters)

    async def _send(self, method: str, parameters: Mapping[str, Value]) -> Row:
        request = self._http.client.build_request(
            "POST", f"{self._url}/{method}", data=encode(parameters)
        )

        def check(response: httpx.Response, body: object) -> None:
            self._tell_skew()
            check_answer(method, response, body)

        return await self._http.json(request, method, json_object, self._timeout, check)

    def _slowed(self, error: Throttled) -> Throttled:
        """Be quiet for a while, longer each time; it is the account that is limited."""
        grown = min(_FIRST_PAUSE * 2.0 ** min(self._throttles, 30), _LONGEST_PAUSE)
        self._throttles += 1
        pause = max(error.retry_after, grown)
        self._quiet_until = self._clock.monotonic() + pause
        return Throttled(str(error), retry_after=pause)

    def _forbidden(self, method: str, said: str) -> Forbidden:
        """Leave the method alone, longer each time: a role is seldom granted soon."""
        self._refusals[method] += 1
        pause = _FIRST_ROLE_PAUSE * 4.0 ** min(self._refusals[method] - 1, 10)
        return Forbidden(said, retry_after=min(pause, _LONGEST_ROLE_PAUSE))

    def _tell_skew(self) -> None:
        skew = self.skew
        if skew is not None and abs(skew) > _NOTABLE_SKEW and not self._skew_told:
            self._skew_told = True
            self._log.warning("clock differs from the platform's", seconds=round(skew))


def encode(parameters: Mapping[str, Value]) -> dict[str, str]:
    """Write parameters as the platform reads them; what is ``None`` is left out."""
    return {name: _text(value) for name, value in parameters.items() if value is not None}


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, str | int):
        return str(value)
    return ";".join(value or ())


def check_answer(method: str, response: httpx.Response, answer: object) -> None:
    """Raise what an answer's body, or else its status, stands for.

    A partial failure (``errors`` beside a result) counts as one: figures would be too small.
    """
    if isinstance(answer, dict):
        faults = answer.get("errors")
        fault = answer.get("error", faults[0] if isinstance(faults, list) and faults else None)
        if fault is not None:
            error = error_of(method, fault)
            error.retry_after = max(error.retry_after, retry_after(response))
            raise error
    check_status(response)


def objects(method: str, answer: Row) -> list[Row]:
    """Return an answer's list of objects; a single object is a list of one."""
    found = answer.get("result")
    if isinstance(found, dict):
        found = [found] if found else []
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise InvalidAnswer(f"{method}: the result is no list of objects")
    return found
