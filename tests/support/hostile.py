"""The accounts of ``support.faulty`` under a second set of faults: hostile answers and conditions.

Answers that explode, headers and cookies that grow, names of 64 kB, new operation types, dates and
pauses of any size, look-ups that hang, and a machine that is suspended for hours.
"""

import asyncio
import ctypes
import functools
import gc
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import httpx

from support import faulty
from support.faulty import Fault, Run
from support.oracle import Verdict
from support.page import Series

LOOK_UP = 20.0  # seconds for which a resolver hangs
LONG_NAME = 65_536  # bytes
_LONGEST_NAME = 200  # characters of a name on the floor; what is longer was made by a fault
_KEPT_RECORDS = 50  # of the simulator's log, because requests are still open
_PAGE_KB = 4
# Kinds of ``fail_next`` that every simulator has.
KINDS = (
    *("bomb:small:60:gzip", "bomb:small:8:deflate", "bomb:small:40:twice", "bomb:small:2:br"),
    *("bomb:deep:8:gzip", "bomb:keys:4:gzip", "bomb:text:40:gzip", "bomb:digits:2:gzip"),
    *("bomb:spaces:8:gzip", "bomb:fault:8:gzip", "bomb:entities:1", "bomb:small:1"),
    "head:64",
    *("date:100000000000", "date:-1000000000"),
)
# Values of Retry-After; the first is waited for, at most for an hour.
PAUSES = (
    *("1000000000", "-1", "0", "nan", "1e400", "99999999999999999999999", "2.5"),
    *("Fri, 31 Dec 9999 23:59:59 GMT", "Fri, 31 Dec 99999 23:59:59 GMT", "yesterday", ""),
)
# Statuses that no simulator sends unless a request breaks a rule; 431 is that of cookies piled up.
FORBIDDEN = frozenset({400, 405, 406, 411, 415, 431})


class Hostile(Run):
    """An account that meets hostile faults beside the known ones.

    ``memory`` has the resident kilobytes, and ``series`` the number of the exporter's own series,
    at the middle and at the end of the run. ``forbidden`` counts the refusals of requests that
    break a rule of the platform.
    """

    known: ClassVar[tuple[str, ...]] = ("html503", "cut", "reset", "away", "restart", "surge")
    full: ClassVar[str] = "*"  # the requests whose answers have every row
    refusals: ClassVar[frozenset[str]] = frozenset()  # a platform's own words for FORBIDDEN

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.forbidden: Counter[str] = Counter()
        self.memory: list[int] = []
        self.series: list[int] = []

    def faults(self) -> dict[str, Fault]:
        known = super().faults()
        return {
            **{kind: known[kind] for kind in self.known},
            **{kind: _failing(kind) for kind in KINDS},
            "cookies": Hostile.set_cookies,
            "messages": Hostile.lengthen_messages,
            "look-up": Hostile.hang_look_ups,
            "suspend": Hostile.suspend,
            "retry after": Hostile.refuse_for,
            "long name": Hostile.lengthen_name,
        }

    def exists(self, key: Series) -> bool:
        return super().exists(key) or any(len(text) >= _LONGEST_NAME for _, text in key[1])

    # Faults ----------------------------------------------------------------------------------

    def set_cookies(self) -> None:
        """Let every answer set a cookie of a new name, for a few minutes."""
        self.simulator.new_cookies = self.chance.choice([40, 1_000, 4_000])
        self._end_later(self.simulator, "new_cookies", 0)
        self.happened["cookies"] += 1

    def lengthen_messages(self) -> None:
        self.simulator.long_messages = self.chance.choice([0, 1_000, 1_000_000])
        self.happened["messages"] += 1

    def lengthen_name(self) -> None:
        # Of a voice queue: others are called as an agent's state is, and an agent under another
        # name is another agent in the sums of all.
        queues = self.floor.queues.values()
        name = self.chance.choice([queue.name for queue in queues if queue.media == "voice"])
        self.fail(f"long:{LONG_NAME}@{name}", 3, self.full)
        self.happened["long name"] += 1

    def hang_look_ups(self) -> None:
        """Let a resolver hang before each request, for a few minutes."""
        self.line.delay = self.chance.choice([LOOK_UP, 3 * LOOK_UP])
        self._end_later(self.line, "delay", 0.0)
        self.happened["look-up"] += 1

    def _end_later(self, owner: object, name: str, value: float) -> None:
        """Set an attribute back after half a minute to five."""
        end = functools.partial(setattr, owner, name, value)
        asyncio.get_running_loop().call_later(self.chance.randrange(30, 300), end)

    def refuse_for(self) -> None:
        """Let a gateway refuse the next request for a time that no client can wait."""
        status, pause = self.chance.choice([429, 503]), self.chance.choice(PAUSES)
        self.line.instead = [httpx.Response(status, headers={"Retry-After": pause})]
        self.happened["retry after"] += 1

    def suspend(self) -> None:
        """Stand still for up to four hours: no timer runs, and all clocks go on."""
        self.clock.suspend(self.chance.choice([30.0, 300.0, 3_600.0, 4 * 3_600.0]))
        self.platform.tick()
        self.happened["suspend"] += 1

    # The run ---------------------------------------------------------------------------------

    async def run(self, ticks: int) -> Verdict:
        self._halves = [ticks // 2, ticks]
        return await super().run(ticks)

    def _deal(self) -> None:
        super()._deal()
        log = self.simulator.log
        self._note_outcomes(log[:-_KEPT_RECORDS])
        del log[:-_KEPT_RECORDS]
        if self.oracle.verdict.ticks in self._halves:
            self.memory.append(_resident())
            families = self.telemetry.registry.collect()
            self.series.append(sum(len(family.samples) for family in families))

    def _note_outcomes(self, records: list[Any]) -> None:
        for record in records:
            self.happened[record.outcome] += 1
            if record.outcome in self.refusals | {str(status) for status in FORBIDDEN}:
                self.forbidden[record.outcome] += 1

    def without_effect(self) -> set[str]:
        return {kind for kind in super().without_effect() if kind not in self.happened}

    def report(self) -> str:
        return (
            f"{super().report()}; forbidden {dict(self.forbidden)}; resident {self.memory} kB, "
            f"own series {self.series}"
        )


def _failing(kind: str) -> Fault:
    return lambda run: run.fail(kind, 1)


def _resident() -> int:
    """Return the resident memory in kilobytes, after what is free was returned to the system."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_KB


class Five9(Hostile, faulty.Five9):
    known: ClassVar = (*Hostile.known, "fault:SessionClosed")
    full: ClassVar = "getStatistics"

    def faults(self) -> dict[str, Fault]:
        return super().faults() | {
            "operation types": Five9.add_operation_types,
            "long name": Five9.lengthen_name,
        }

    def lengthen_name(self) -> None:
        # In an update, a row under another name says that the row of the right name is unchanged.
        self.simulator.forget_timestamps()
        super().lengthen_name()

    def add_operation_types(self) -> None:
        self.simulator.new_operation_types = self.chance.choice([0, 3_000])
        self.happened["operation types"] += 1


class Genesys(Hostile, faulty.Genesys):
    known: ClassVar = (*Hostile.known, "outage", "sessions")


class BrightPattern(Hostile, faulty.BrightPattern):
    known: ClassVar = (*Hostile.known, "429:20", "take_over")


class Voximplant(Hostile, faulty.Voximplant):
    # A request that waits for a resolver names a window that has ended when it arrives. The
    # simulator has no history: it would spread the day's figures evenly, and one call make none.
    switches: ClassVar = {"recent": 2 * LOOK_UP + 5.0}
    refusals: ClassVar = frozenset({"484"})  # a request that was sent twice


RUNS: Mapping[str, type[Hostile]] = {
    run.provider: run for run in (Five9, Genesys, BrightPattern, Voximplant)
}
