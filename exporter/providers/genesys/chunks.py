"""Requests for many statistics: learns how many fit, and leaves out what the platform refuses.

The Statistics API reference names neither a limit nor the way in which a refusal names a statistic.
A platform may leave out a refused statistic or refuse the whole request, with any failure. A
refused request is halved until a single statistic is refused; then requests for other statistics
of its object, and for other objects, tell a refused definition from an object that does not exist.
"""

from collections.abc import Collection, Iterable, Sequence
from math import inf
from typing import Protocol

import orjson

from exporter.clock import Clock
from exporter.errors import Refused, ServerTrouble
from exporter.logs import Log
from exporter.providers.genesys.client import Failed, TooLarge
from exporter.providers.genesys.store import StatisticStore

_MOST_REFUSALS = 64  # requests spent in one pass on finding out why requests are refused
_CONTROLS = 2  # statistics that others have, requested to see whether an object exists
_OTHERS = 8  # other objects for which a refused definition is requested
_REMEMBERED = 86_400.0  # seconds for which a refused definition is left out

_Kind = tuple[str, str]  # object type, header of the statistical type
_Owner = tuple[str, str]  # object type, object id


class Send(Protocol):
    """Sends one request for statistics, and raises ``ProviderError``."""

    async def __call__(self, indexes: Sequence[int], /, *, keep: bool) -> Collection[int]:
        """Return the statistics that were accepted; without ``keep`` nothing stays of them."""


class Chunks:
    """Sends the statistics ``indexes`` in requests of at most ``chunk_size`` that fit.

    The size that fits, in bytes of descriptions, is remembered over sessions. So are the refused
    definitions, by object type and statistic, for a day.
    """

    def __init__(
        self,
        store: StatisticStore,
        indexes: Iterable[int],
        chunk_size: int,
        send: Send,
        clock: Clock,
        log: Log,
    ) -> None:
        self._store = store
        self._chunk_size = chunk_size
        self._send = send
        self._clock = clock
        self._log = log
        self._sizes: dict[int, int] = {}
        self._most_bytes = inf
        self._most_accepted = 0  # bytes
        self._refused: dict[_Kind, float] = {}  # until when they are left out (monotonic)
        self._suspects: set[int] = set()  # refused one by one; requested last
        self._by_kind: dict[_Kind, list[int]] = {}
        self._by_owner: dict[_Owner, list[int]] = {}
        for index in indexes:
            self._by_kind.setdefault(self._kind(index), []).append(index)
            self._by_owner.setdefault(self._owner(index), []).append(index)
        # Of one pass:
        self._refusals_left = 0
        self._culprits = 0  # single statistics that were refused
        self._missed: set[int] = set()  # not among the accepted ones of an accepted request

    def is_refused(self, index: int) -> bool:
        """Return whether a statistic has a definition that the platform refuses."""
        return self._kind(index) in self._refused

    async def send_all(self, indexes: Iterable[int], *, suspects: bool = True) -> None:
        """Request statistics, but those whose definition is refused. Raises ``ProviderError``.

        Without ``suspects`` those are left out too that were refused one by one.
        """
        now = self._clock.monotonic()
        self._refused = {kind: until for kind, until in self._refused.items() if until > now}
        self._refusals_left = _MOST_REFUSALS
        self._missed.clear()
        indexes = list(indexes)
        known = [index for index in indexes if index in self._suspects]
        usual = [index for index in indexes if index not in self._suspects]
        statistics = self._store.statistics
        for documented in (True, False):  # what is not documented must not affect the rest
            await self._send_fitting(
                index
                for index in usual
                if statistics[index].stat_type.documented is documented
                and index not in self._store.spares
            )
        needed = self._store.spares.keys() - self._store.idle
        await self._send_fitting(index for index in usual if index in needed)
        if suspects:
            idle = self._store.idle
            await self._send_suspects([index for index in known if index not in idle])
        self._refuse_missed()

    async def _send_suspects(self, suspects: Sequence[int]) -> None:
        """Request one suspect of each object, and the others of those that were accepted."""
        firsts = {self._owner(index): index for index in reversed(suspects)}
        self._suspects.difference_update(firsts.values())
        await self._send_fitting(firsts.values())
        exist = {owner for owner, index in firsts.items() if self._store.opened([index])}
        rest = [x for x in suspects if self._owner(x) in exist and x in self._suspects]
        self._suspects.difference_update(rest)
        await self._send_fitting(rest)
        self._suspects.update(set(suspects) - self._store.opened(suspects))

    async def _send_fitting(self, indexes: Iterable[int]) -> None:
        """Send statistics in requests that are not known to be too large."""
        part: list[int] = []
        size = 0
        for index in indexes:
            added = self._size([index])
            if len(part) >= self._chunk_size or size + added > self._most_bytes:
                await self._request(part)
                part, size = [], 0
            part.append(index)
            size += added
        await self._request(part)

    def _size(self, indexes: Sequence[int]) -> int:
        for index in indexes:
            if index not in self._sizes:
                description = self._store.statistics[index].description(str(index), updates=True)
                self._sizes[index] = len(orjson.dumps(description))
        return sum(self._sizes[index] for index in indexes)

    async def _request(self, indexes: Sequence[int]) -> None:
        """Send one request; where it is refused, send its halves, as long as refusals are left."""
        chunk = [x for x in indexes if not self.is_refused(x) and x not in self._suspects]
        if not chunk:
            return
        size = self._size(chunk)
        if len(chunk) > 1 and size > self._most_bytes:
            await self._send_fitting(chunk)
            return
        try:
            accepted = await self._send(chunk, keep=True)
        except (Refused, ServerTrouble) as failure:
            if failure.voids:
                raise
            error = failure
        else:
            self._missed.update(set(chunk).difference(accepted))
            self._most_accepted = max(self._most_accepted, size)
            return
        if isinstance(error, ServerTrouble) and not self._may_refuse(error, chunk):
            raise error
        if isinstance(error, TooLarge) and len(chunk) > 1:
            self._learn(size // 2)
            await self._send_fitting(chunk)
            return
        self._refusals_left -= 1
        if len(chunk) == 1:
            await self._judge(chunk[0], error)
        elif self._refusals_left > 0:
            await self._halve(chunk, size, error)
        else:
            self._culprits += 1
            self._log.debug("statistics refused", statistics=len(chunk), error=str(error))

    async def _halve(self, chunk: Sequence[int], size: int, error: Refused | ServerTrouble) -> None:
        """Send a refused request in two; if nothing in it is refused then, it was too large."""
        culprits = self._culprits
        halves = chunk[: len(chunk) // 2], chunk[len(chunk) // 2 :]
        for half in halves:
            await self._request(half)
        if culprits == self._culprits and isinstance(error, Refused):
            self._refusals_left += 1
            if size > self._most_accepted:
                self._learn(max(map(self._size, halves)))

    def _may_refuse(self, error: ServerTrouble, chunk: Sequence[int]) -> bool:
        """Return whether a server error may be a refusal, and not an outage."""
        return isinstance(error, Failed) or any(map(self._is_doubtful, chunk))

    def _is_doubtful(self, index: int) -> bool:
        """Return whether a definition is undocumented, and may cause any error."""
        stat_type = self._store.statistics[index].stat_type
        return not stat_type.documented and not stat_type.name

    def _learn(self, size: int) -> None:
        if size < self._most_bytes:
            self._most_bytes = size
            self._log.info("request size lowered", bytes=size)

    async def _judge(self, index: int, error: Refused | ServerTrouble) -> None:
        """Find out why a single statistic is refused: its definition, its object or an outage.

        A definition is refused if the object is known to exist, and no other object has it.
        """
        self._culprits += 1
        self._suspects.add(index)
        kind, owner = self._kind(index), self._owner(index)
        if await self._exists(owner, kind, error):
            if isinstance(error, ServerTrouble) and await self._accepts(index):
                self._suspects.discard(index)  # the error passed
                await self._request([index])
            elif not self._store.opened(self._by_kind[kind]) and not await self._has_others(index):
                self._refuse(kind, str(error))
            return
        if isinstance(error, TooLarge) and not self._most_accepted:
            raise error
        is_outage = isinstance(error, ServerTrouble) and not self._is_doubtful(index)
        if is_outage and not await self._answers(owner):
            raise error
        others = self._by_owner[owner]
        self._suspects.update(set(others) - self._store.opened(others))

    async def _exists(self, owner: _Owner, kind: _Kind, error: Refused | ServerTrouble) -> bool:
        """Return whether the platform accepts another statistic of an object.

        After a server error it must do so now, because an outage refuses everything.
        """
        others = [x for x in self._by_owner[owner] if self._kind(x) != kind]
        others = [x for x in others if not self.is_refused(x)]
        if isinstance(error, Refused) and self._store.opened(others):
            return True
        usual = [x for x in others if self._store.opened(self._by_kind[self._kind(x)])]
        for control in usual[:_CONTROLS] or others:
            if await self._accepts(control):
                return True
            self._refusals_left -= 1
            if self._refusals_left <= 0:
                break
        return False

    async def _answers(self, owner: _Owner) -> bool:
        """Return whether the platform accepts a statistic of any other object."""
        others = [x for kind in self._by_kind.values() for x in kind if self._owner(x) != owner]
        controls = sorted(self._store.opened(others))[:1]
        controls = controls or others[:: max(1, len(others) // _OTHERS)][:_OTHERS]
        for control in controls:
            if await self._accepts(control):
                return True
        return False

    async def _has_others(self, index: int) -> bool:
        """Return whether the platform accepts the same definition for another object."""
        others = [x for x in self._by_kind[self._kind(index)] if x != index]
        for other in others[:: max(1, len(others) // _OTHERS)][:_OTHERS]:
            if await self._accepts(other):
                return True
        return False

    async def _accepts(self, index: int) -> bool:
        try:
            return bool(await self._send([index], keep=False))
        except (Refused, ServerTrouble) as error:
            if error.voids:
                raise
            return False

    def _refuse_missed(self) -> None:
        """Refuse the definitions that were left out for every object, though some exist."""
        for index in sorted(self._missed):
            kind, owner = self._kind(index), self._owner(index)
            is_open = self._store.opened(self._by_kind[kind])
            if not is_open and self._store.opened(self._by_owner[owner]):
                self._refuse(kind, "not among the statistics that the platform opened")

    def _refuse(self, kind: _Kind, error: str) -> None:
        if kind in self._refused:
            return
        self._refused[kind] = self._clock.monotonic() + _REMEMBERED
        self._suspects.difference_update(self._by_kind[kind])
        self._log.warning(
            "definition refused",
            statistic=f"{kind[1]} of {kind[0]}",
            objects=len(self._by_kind[kind]),
            error=error,
        )

    def _kind(self, index: int) -> _Kind:
        statistic = self._store.statistics[index]
        return statistic.object_type, statistic.stat_type.header

    def _owner(self, index: int) -> _Owner:
        statistic = self._store.statistics[index]
        return statistic.object_type, statistic.object_id
