"""Whole visits in which a field of an answer has an extreme value.

A visit is recorded once: every answer of a platform, by the request that it answers. Each case then
puts an extreme value in place of one value of one of these answers, one XML text or attribute, a
header, the status or the whole body, for some minutes, and runs the account's real schedule on
virtual time. When the extreme is gone the page has to be as without it.
"""

import asyncio
import copy
import gc
import json
import logging
import math
import random
import re
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from lxml import etree

from exporter.config.load import Config
from exporter.preflight.commands import Preflight
from exporter.simulators.floor.floor import Floor
from exporter.status import Overview
from exporter.web.status_page import render
from support.bench import Bench
from support.clock import MIDNIGHT, MORNING, LoopClock, run
from support.page import Series, figures_of
from support.platforms import PLATFORMS, Platform

EXTREME, STEP = 150.0, 15.0  # seconds for which the extreme lasts, and between two looks
RECOVERED = 3600.0 + 900.0  # seconds within which the page is whole again
MOST_LINES = 150  # of the log, of one case
MOST_PRINTED = 500  # lines of a command
_HOW = (*("early", "late") * 3, "check", "discover", "capture")
_LONGEST_COMMAND = 7200.0  # virtual seconds
_FEWEST = 80  # series that stay as they are while the floor stands still
_MORE_REQUESTS = 90  # a minute: halving what was refused takes 64 (Genesys)
_STUCK = 180.0  # real seconds that no case takes, unless something spins
_MARK = "\ue000extreme\ue000"
_GUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_ANY = "*"  # every item of a list, or the key that the exporter chose at random
_RANDOM = re.compile(r"exporter-[0-9a-f]{16}")
_FEW = 3  # items of a list whose places are listed

VARIANTS: Mapping[str, tuple[str, Mapping[str, Any], Mapping[str, Any]]] = {
    "five9": ("five9", {}, {"agents": "name"}),
    "five9, streaming": ("five9", {"stream_durations": True}, {"agents": "name"}),
    "genesys": ("genesys", {}, {"mode": "subscribe", "agents": "id"}),
    "genesys, polled": ("genesys", {}, {"mode": "poll", "agents": "id"}),
    "brightpattern": ("brightpattern", {}, {"agents": "name"}),
    "brightpattern, by password": (
        "brightpattern",
        {"password": "planted-password-brightpattern", "password_login": True},
        {"agents": "name", "auth": "password", "password": "planted-password-brightpattern"},
    ),
    "voximplant": ("voximplant", {}, {"agents": "name", **PLATFORMS["voximplant"].everything}),
}

# What stands in place of a value, as it is written in JSON. In XML strings lose their quotes.
VALUES = (
    *("null", "true", "false", "[]", "{}", '""', '" "', "0", "-0.0", "-1", "1", "0.5", "1e-400"),
    *("1000000000", "1e9", "1e15", "1e18", "1e200", "1e308", "1e400", "-1e400", "NaN", "Infinity"),
    *("-Infinity", "9007199254740993", "9223372036854775808", "18446744073709551616"),
    *("-9223372036854775809", "9" * 308, "9" * 5_000, "-" + "9" * 5_000, "0." + "3" * 5_000),
    *('"-1"', '"0"', '"1e999"', '"NaN"', '"Infinity"', f'"{"9" * 5_000}"', f'"{"9" * 400}.5"'),
    *('"99999-12-31T23:59:59Z"', '"0000-00-00 00:00:00"', '"0001-01-01 00:00:00"'),
    *('"9999-12-31 23:59:59"', '"1969-12-31 23:59:59"', '"2026-11-25T00:00:00+99:00"'),
    *('"2026-11-25 00:00:00.999999999999"', '"99:99:99"', '"-00:00:01"', '"999999:59:59"'),
    *("253402300800000", "253402300800", "-62135596801", "-62135596801000", "1e16"),
    *('"true"', '"null"', '"None"', '"x"', '"*"', '"all"', '"\\u0000"', '"\\ud800"', '"\\n"'),
    *('"\\u0661"', '"1,5"', '"1_000"', '"0x10"', '"%s{0}${x}"', '"+1"', '".5"', '"1 (1)"', '"50%"'),
    *(
        "[" * 1_000 + "]" * 1_000,
        '{"a":' * 1_000 + "1" + "}" * 1_000,
        "[" * 100_000,
        "[[1],[2]]",
        "[null]",
    ),
    *(
        '{"": ""}',
        '{"a": 1}',
        f'"{"x" * 100_000}"',
        f'"{"&lt;" * 20_000}"',
        "[" + "0," * 9999 + "0]",
    ),
)
ABSENT, TWICE, RENAMED = "(absent)", "(twice)", "(renamed)"
STATUSES = (100, 199, 200, 201, 204, 205, 206, 226, 299, 300, 302, 304, 399, 400, 401, 402, 403)
STATUSES += (404, 405, 406, 408, 409, 410, 411, 412, 413, 414, 415, 416, 418, 421, 422, 423, 425)
STATUSES += (426, 428, 429, 431, 451, 499, 500, 501, 502, 503, 504, 505, 511, 520, 599, 600, 999)
_DATES = (
    *("Fri, 31 Dec 9999 23:59:59 GMT", "Fri, 31 Dec 99999 23:59:59 GMT", "0", "", "x" * 10_000),
    *("Thu, 01 Jan 1970 00:00:00 GMT", "Mon, 01 Jan 0001 00:00:00 GMT", "9" * 5_000, "NaN"),
    *("Wed, 25 Nov 2026 09:00:00 +9959", "Wed, 25 Nov 2026 09:00:00 -9999", "Wed, 99 Nov 2026"),
    *("Mon, 01 Jan 0001 00:00:00 +2359", "Fri, 31 Dec 9999 23:59:59 -2359", "1 Jan 0 0:0:0 GMT"),
    *("Wed, 25 Nov 2026 99:99:99 GMT", "Wed, 25 Nov -2026 09:00:00 GMT", "Wed, 25 Nov 2026 09:00"),
    *("Wed, 25 Nov 2026 09:00:00 +99999999999999", "2026-11-25T09:00:00Z", "\u0661\u0662"),
)
_DELAYS = ("0", "-1", "1e9", "1000000000", "9" * 5_000, "NaN", "inf", "0.5", "+5", "5 s", *_DATES)
HEADERS: Sequence[tuple[int | None, Mapping[str, str]]] = (
    *((None, {"date": text}) for text in _DATES),
    *((status, {"retry-after": text}) for status in (429, 503) for text in _DELAYS),
    *((429, {"retry-after": text, "date": date}) for text in _DATES for date in _DATES[:4]),
    *((None, {"content-type": text}) for text in ("", "text/html", "x" * 10_000, "a/b; charset=x")),
    *(
        (None, {"content-type": f"application/json; charset={x}"})
        for x in ("utf-7", "idna", "9" * 99)
    ),
    *((None, {"content-encoding": text}) for text in ("gzip", "br", "zstd", "x", "identity", "")),
    *((None, {"content-length": text}) for text in ("0", "-1", "9" * 400, "x")),
    *(
        (None, {"set-cookie": text})
        for text in (
            "a=b; Max-Age=" + "9" * 5_000,
            "a=b; Max-Age=NaN",
            "a=b; Expires=Fri, 31 Dec 99999 0:0:0 GMT",
            "a=b; Max-Age=-1",
            "a=b; Version=x; Port=x",
            "=",
            ";",
            "a=" + "x" * 10_000,
            "a=b; Expires=Mon, 01 Jan 0001 00:00:00 GMT",
            "a=b; Domain=" + "." * 1_000,
        )
    ),
    *(
        (status, {"location": text})
        for status in (301, 307)
        for text in ("", "//", "http://[", "x:")
    ),
    *((None, {"age": text}) for text in ("0", "-1", "x")),
    *((None, {"etag": "x", "vary": "*", "transfer-encoding": text}) for text in ("chunked", "x")),
)
BODIES = (
    b"",
    b" ",
    b"null",
    b"0",
    b'""',
    b"[]",
    b"{}",
    b"true",
    b"\x00",
    b"\xff\xfe",
    b"NaN",
    b"<a/>",
)
BODIES += (
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"9" * 100_000,
    b"<a>" * 10_000,
    b"<!DOCTYPE a>",
    b"<",
)
BODIES += (b"\xef\xbb\xbf{}", b"{}{}", b"[{}]", b"[[]]", b"[null]", b"1e999", b"-" + b"9" * 5_000)
BODIES += (b'<?xml version="9.9" encoding="x"?><a/>', b"<a xmlns:b=''/>", b'<a b="1" b="2"/>')


class Place(NamedTuple):
    """A place in the answers to one kind of request: ``kind`` is json, xml, status, header, body.

    ``path`` leads to it in JSON: keys, indexes, or ``*`` for every item of a list; in XML it is the
    index of an element, and the name of an attribute if it is one.
    """

    answer: str
    kind: str
    path: tuple[Any, ...] = ()


class Case(NamedTuple):
    """An extreme value at a place, and what meets it.

    ``how`` is ``early``, from the first request of a schedule on; ``late``, a minute later; or a
    command: ``check``, ``discover``, ``capture``.
    """

    place: Place
    extreme: Any
    how: str = "early"

    def __str__(self) -> str:
        extreme = repr(self.extreme)
        shown = extreme if len(extreme) < 70 else f"{extreme[:40]}... ({len(extreme)})"
        place = self.place
        return f"{place.answer} {place.kind} {list(place.path)} = {shown}, {self.how}"


def key_of(request: httpx.Request) -> str:
    """Return the kind of a request: its method, path and operation."""
    path = _GUID.sub("*", request.url.path)
    content = request.content
    if content.startswith(b"<?xml"):
        body = etree.fromstring(content)[-1][0]
        kinds = [element.text for element in body if element.tag == "statisticType"]
        return " ".join([etree.QName(body).localname, *map(str, kinds)])
    if b'"channel"' in content[:200]:
        messages = json.loads(content)
        path += f" {messages[0]['channel'] if isinstance(messages, list) else messages['channel']}"
    return f"{request.method} {path}"


class Rewriting(httpx.AsyncBaseTransport):
    """The way to a simulator, on which the answers to one kind of request may be rewritten."""

    def __init__(self, app: Any, clock: LoopClock) -> None:
        self._inner = httpx.ASGITransport(app)
        self._clock = clock
        self.case: Case | None = None
        self.rewritten = 0
        self.answers: dict[str, httpx.Response] = {}
        self.times: list[float] = []  # of the requests

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.times.append(self._clock.monotonic())
        key = key_of(request)
        answer = await self._inner.handle_async_request(request)
        content = await answer.aread()
        plain = httpx.Response(answer.status_code, headers=answer.headers, content=content)
        first = self.answers.get(key)
        if first is None or len(first.content) < len(content):
            self.answers[key] = plain
        case = self.case
        if case is None or case.place.answer != key:
            return httpx.Response(answer.status_code, headers=answer.headers, content=content)
        new = rewritten(plain, case)
        self.rewritten += new is not None
        return new or plain

    def busiest_minute(self) -> int:
        """Return the most requests within a minute."""
        return max(
            (
                sum(at <= x < at + 60 for x in self.times[i : i + 500])
                for i, at in enumerate(self.times)
            ),
            default=0,
        )


def rewritten(answer: httpx.Response, case: Case) -> httpx.Response | None:
    """Return an answer with the extreme in it, ``None`` where it has no such place."""
    status, headers, content = answer.status_code, answer.headers.copy(), answer.content
    place, extreme = case.place, case.extreme
    if place.kind == "status":
        status = extreme
    elif place.kind == "body":
        content = extreme
    elif place.kind == "header":
        status = extreme[0] or status
        kept = [pair for pair in headers.raw if pair[0].lower().decode() not in extreme[1]]
        new = [(name.encode(), text.encode()) for name, text in extreme[1].items()]
        headers = httpx.Headers([*kept, *new])
    else:
        change = _in_json if place.kind == "json" else _in_xml
        new = change(content, place.path, extreme)
        if new is None or new == content:
            return None
        content = new
    if "content-length" not in (extreme[1] if place.kind == "header" else ()):
        headers.pop("content-length", None)
    stream = httpx.ByteStream(content)
    return httpx.Response(status, headers=headers, stream=stream)


def _in_json(content: bytes, path: Sequence[Any], extreme: str) -> bytes | None:
    try:
        value = json.loads(content)
    except ValueError:
        return None
    holder = {"": value}
    places = [*_resolve(holder, ("", *path))]
    after = b""
    for target, key in reversed(places):
        if extreme == ABSENT:
            del target[key]
        elif extreme == RENAMED and isinstance(target, dict):
            target[f"{key}x"] = target.pop(key)
        elif extreme == TWICE and isinstance(target, list):
            target.insert(key, copy.deepcopy(target[key]))
        elif extreme in (TWICE, RENAMED):
            return None
        else:
            target[key] = _MARK
    if not places or "" not in holder:
        return None
    text = json.dumps(holder[""]).encode()
    return text.replace(json.dumps(_MARK).encode(), extreme.encode()) + after


def _resolve(value: Any, path: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    """Yield the containers that a path leads to, with the key or index of the value in each."""
    step, rest = path[0], path[1:]
    if step == _ANY and isinstance(value, list):
        steps: Sequence[Any] = range(len(value))
    elif isinstance(value, dict):
        steps = [key for key in value if key == step or (step == _ANY and _RANDOM.fullmatch(key))]
    else:
        steps = (
            [step]
            if isinstance(value, list) and isinstance(step, int) and step < len(value)
            else []
        )
    for key in steps:
        if rest:
            yield from _resolve(value[key], rest)
        else:
            yield value, key


def _in_xml(content: bytes, path: Sequence[Any], extreme: str) -> bytes | None:
    root = etree.fromstring(content)
    index, attribute = path[0], path[1] if len(path) > 1 else None
    elements = [
        element
        for at, element in enumerate(root.iter())
        if index == (element.tag if isinstance(index, str) else at)
    ]
    text = _text_of(extreme)
    for element in elements:
        if attribute:
            element.set(attribute, re.sub("[\x00-\x1f]", "?", text))
        elif not _change(element, extreme):
            return None
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace("\x00", "&#0;")
    return etree.tostring(root, encoding="utf-8").replace(_MARK.encode(), escaped.encode())


def _text_of(extreme: str) -> str:
    """Return an extreme as the text of an element."""
    if extreme[:1] == '"':
        extreme = extreme.strip('"').encode().decode("unicode-escape", "replace")
    return extreme.encode(errors="replace").decode()


def _change(element: etree._Element, extreme: str) -> bool:
    """Change an element; return whether that is possible."""
    parent = element.getparent()
    if extreme in (ABSENT, TWICE):
        if parent is None:
            return False
        if extreme == ABSENT:
            parent.remove(element)
        else:
            parent.append(copy.deepcopy(element))
    elif extreme == RENAMED:
        element.tag = f"{element.tag}x"
    elif extreme == "[[1],[2]]":
        etree.SubElement(element, "data").text = "1"
    else:
        for child in [*element]:
            element.remove(child)
        element.text = None if extreme == "null" else _MARK
        if extreme == "null":
            element.set(_NIL, "true")
    return True


# Places -----------------------------------------------------------------------------------------


def places_of(key: str, answer: httpx.Response) -> Iterator[Place]:
    """Yield the places in an answer."""
    for kind in ("status", "header", "body"):
        yield Place(key, kind)
    try:
        value = json.loads(answer.content)
    except ValueError:
        yield from _xml_places(key, answer.content)
    else:
        for path in _json_paths(value):
            yield Place(key, "json", path)


def _json_paths(value: Any) -> Iterator[tuple[Any, ...]]:
    yield ()
    if isinstance(value, dict):
        for key in value:
            step = _ANY if _RANDOM.fullmatch(key) else key
            yield from ((step, *rest) for rest in _json_paths(value[key]))
    elif isinstance(value, list) and value:
        for index in {*range(min(_FEW, len(value))), len(value) - 1}:
            yield from ((index, *rest) for rest in _json_paths(value[index]))
        richest = max(value, key=lambda item: len(item) if isinstance(item, dict | list) else 0)
        yield from ((_ANY, *rest) for rest in _json_paths(richest))


def _xml_places(key: str, content: bytes) -> Iterator[Place]:
    try:
        root = etree.fromstring(content)
    except etree.XMLSyntaxError:
        return
    seen: Counter[str] = Counter()
    for index, element in enumerate(root.iter()):
        tag = str(element.tag)
        seen[tag] += 1
        yield Place(key, "xml", (index,))
        if seen[tag] == 1:
            yield Place(key, "xml", (tag,))
            for attribute in (*element.attrib, "{http://www.w3.org/2001/XMLSchema-instance}type"):
                yield Place(key, "xml", (index, str(attribute)))


def extremes_of(place: Place) -> Sequence[Any]:
    """Return the extremes for a place."""
    if place.kind == "status":
        return STATUSES
    if place.kind == "header":
        return HEADERS
    if place.kind == "body":
        return BODIES
    return (*VALUES, ABSENT, TWICE, RENAMED) if len(place.path) else (*VALUES, TWICE)


# Visits -----------------------------------------------------------------------------------------


class Stuck(SystemExit):
    """A case that does not end; as an exit, since a task would keep any other exception."""


class Lines(logging.Handler):
    """Collects what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


def _raise_stuck(_: int, frame: Any) -> None:
    places = [f"{x.filename.rpartition('/')[2]}:{x.lineno}" for x in traceback.extract_stack(frame)]
    raise Stuck(" ".join(places[-12:]))


class Visit(Bench):
    """One account of a variant on a virtual loop, whose floor stands still."""

    def __init__(self, variant: str) -> None:
        provider, switches, options = VARIANTS[variant]
        self.clock: LoopClock = LoopClock(MORNING)
        floor = Floor(agents=3, queues=2, campaigns=2, seed=3, start=MIDNIGHT)
        self.platform: Platform = PLATFORMS[provider](switches, self.clock, floor=floor, **options)
        self.simulator = self.platform.simulator
        if "stream_durations" in switches:
            floor.set_load(0.0)  # durations go on, and nothing else happens
        else:
            self.simulator.tick = None
        self.line = Rewriting(self.simulator.app, self.clock)
        super().__init__(self.platform.account, self.line, observe=False)


async def _command(visit: Visit, name: str, outcome: "Outcome") -> None:
    """Run a command of the command line, which must neither raise nor print without end."""
    client = httpx.AsyncClient(transport=visit.line)
    preflight = Preflight(Config((visit.config,), Path()), visit.clock, lambda *_: client)
    async with asyncio.timeout(_LONGEST_COMMAND):
        result: tuple[Any, Any] = await getattr(preflight, name)(*["acme"][name == "check" :])
    lines = result[1] if name == "capture" else result[0]
    if len(lines) > MOST_PRINTED:
        outcome.faults.append(f"{name} printed {len(lines)} lines")
    crashes = [line for line in lines if "(internal)" in line or "InternalError" in line]
    if crashes:
        outcome.faults.append(f"{name}: {crashes[:2]}")


@dataclass
class Outcome:
    """What came of a case; ``faults`` are what must not be."""

    faults: list[str] = field(default_factory=list)
    recovered: float = 0.0  # seconds after the extreme was gone
    rewritten: int = 0
    lines: int = 0
    busiest: int = 0


class Extremes:
    """All cases of one variant; ``first`` is a visit without extremes."""

    def __init__(self, variant: str, seed: int = 1, looks: int = 12) -> None:
        self.variant = variant
        self.chance = random.Random(seed)
        self.answers: dict[str, httpx.Response] = {}
        self.constant: dict[Series, float] = {}
        self.varying: set[Series] = set()
        self.busiest = self.lines = 0
        run(self._record(looks))
        self.places = {
            key: [*places_of(key, answer)] for key, answer in sorted(self.answers.items())
        }

    async def _record(self, looks: int) -> None:
        """Record the answers of a visit and of a check, and the page that they make."""
        visit, lines = Visit(self.variant), Lines()
        logging.getLogger().addHandler(lines)
        task = asyncio.create_task(visit.refresher.run())
        pages = []
        for _ in range(looks):
            await asyncio.wait([task], timeout=300.0)
            pages.append(visit.page())
        task.cancel()
        await asyncio.wait([task])
        await visit.client.aclose()
        logging.getLogger().removeHandler(lines)
        self.lines = len(lines.records)
        self.busiest = visit.line.busiest_minute()
        self.answers |= visit.line.answers
        self.varying = {
            key
            for page in pages
            for key in page
            if "_since_" in key[0] or any(p.get(key) != page[key] for p in pages)
        }
        self.constant = {key: value for key, value in pages[0].items() if key not in self.varying}
        assert len(self.constant) > _FEWEST, self.varying

    def cases(self) -> Iterator[Case]:
        """Yield cases at random: every kind of answer as often as any other."""
        keys = [*self.places]
        while True:
            for key in self.chance.sample(keys, len(keys)):
                place = self.chance.choice(self.places[key])
                extreme = self.chance.choice(extremes_of(place))
                yield Case(place, extreme, self.chance.choice(_HOW))

    def run(self, case: Case) -> Outcome:
        """Run a case."""
        outcome = Outcome()
        lines = Lines()
        root = logging.getLogger()
        root.addHandler(lines)
        signal.signal(signal.SIGALRM, _raise_stuck)
        signal.setitimer(signal.ITIMER_REAL, _STUCK)
        try:
            run(self._run(case, outcome))
            gc.collect(0)  # a task whose exception nobody took reports it
        except Stuck as error:
            outcome.faults.append(f"stuck: {error}")
        except Exception as error:  # noqa: BLE001 - all of it is a fault
            outcome.faults.append(f"raised {type(error).__name__}: {error!s:.200}")
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            root.removeHandler(lines)
        outcome.lines = len(lines.records)
        if outcome.lines > MOST_LINES + self.lines:
            common = Counter(record.getMessage()[:60] for record in lines.records).most_common(3)
            outcome.faults.append(f"{outcome.lines} lines: {common}")
        for record in lines.records:
            if record.exc_info:
                outcome.faults.append(
                    f"traceback: {record.getMessage()}: {record.exc_info[1]!r:.200}"
                )
            elif record.levelno >= logging.ERROR:
                outcome.faults.append(f"error: {record.name}: {record.getMessage():.200}")
        outcome.faults = [*dict.fromkeys(outcome.faults)]
        return outcome

    async def _run(self, case: Case, outcome: Outcome) -> None:
        def handle(_: object, context: Mapping[str, Any]) -> None:
            outcome.faults.append(f"loop: {context.get('message')}: {context.get('exception')!r}")

        asyncio.get_running_loop().set_exception_handler(handle)
        visit = Visit(self.variant)
        if case.how not in ("early", "late"):
            visit.line.case = case
            await _command(visit, case.how, outcome)
            outcome.rewritten = visit.line.rewritten
            return
        task = asyncio.create_task(visit.refresher.run())
        try:
            if case.how == "late":
                await asyncio.wait([task], timeout=60.0)
            visit.line.case = case
            for _ in range(int(EXTREME / STEP)):
                await asyncio.wait([task], timeout=STEP)
                self._look(visit, outcome)
            visit.line.case = None
            await self._recover(case, visit, task, outcome)
            visit.line.case = case  # for the sign-out
        finally:
            task.cancel()
            await asyncio.wait([task], timeout=60.0)
            if not task.done():
                outcome.faults.append("the sign-out hangs")
            elif not task.cancelled():
                outcome.faults.append(f"the schedule ended: {task.exception()!r}")
            await visit.client.aclose()
        self._sum_up(visit, outcome)

    def _sum_up(self, visit: Visit, outcome: Outcome) -> None:
        outcome.busiest, outcome.rewritten = visit.line.busiest_minute(), visit.line.rewritten
        if outcome.busiest > 2 * self.busiest + _MORE_REQUESTS:
            outcome.faults.append(f"{outcome.busiest} requests in a minute, else {self.busiest}")
        for family in visit.telemetry.registry.collect():
            for sample in family.samples:
                if sample.labels.get("outcome") == "internal" and sample.value:
                    outcome.faults.append(f"internal: {sample.name}")

    def _look(self, visit: Visit, outcome: Outcome) -> None:
        page = visit.store.page(visit.clock.monotonic())
        for (name, _), value in figures_of(page).items():
            if not math.isfinite(value):
                outcome.faults.append(f"{name} is {value}")
            if "timestamp_seconds" in name and not 0 <= value < 4e10:
                outcome.faults.append(f"{name} is {value}")
        status = visit.refresher.status()
        render(Overview((status,)), "", {})
        if (status.retry_in or 0.0) > 3600.0:
            outcome.faults.append(f"waits for {status.retry_in} s")
        for feed in status.feeds:
            if feed.hold is None and (feed.due_in or 0.0) > max(3600.0, feed.interval) + 1.0:
                outcome.faults.append(f"{feed.name} waits for {feed.due_in} s")

    async def _recover(
        self, case: Case, visit: Visit, task: asyncio.Task[Any], outcome: Outcome
    ) -> None:
        is_read_anew = not self.variant.startswith("five9")
        while True:
            page = visit.page()
            states = {feed.state for feed in visit.refresher.status().feeds}
            if not is_read_anew and states == {"ok"}:
                # What a whole table had is believed until it is read again, after two hours.
                visit.simulator.expire_session()
                is_read_anew = True
            wrong = {
                key: page.get(key) for key, value in self.constant.items() if page.get(key) != value
            }
            if case.place.answer == "getDispositionsNames":  # read once a day
                wrong = {key: value for key, value in wrong.items() if "disposition" not in key[0]}
            extra = page.keys() - self.constant.keys() - self.varying
            if is_read_anew and not wrong and not extra and visit.metric("up") == 1:
                return
            if outcome.recovered > RECOVERED:
                some = [f"{name} {value}" for (name, _), value in [*wrong.items()][:3]]
                more = sorted(name for name, _ in extra)[:3]
                up = visit.metric("up")
                text = f"not recovered: {len(wrong)} wrong {some}, extra {more}, up {up}"
                outcome.faults.append(text)
                return
            step = STEP if outcome.recovered < EXTREME else 4 * STEP
            await asyncio.wait([task], timeout=step)
            outcome.recovered += step
            self._look(visit, outcome)
            if task.done():
                return


def fuzz(variants: Sequence[str], seconds: float, seed: int) -> Counter[str]:
    """Run cases of the variants in turn for so many seconds; print faults, return how many ran."""
    end = time.monotonic() + seconds
    total: Counter[str] = Counter()
    all_extremes = [Extremes(variant, seed) for variant in variants]
    streams = [(extremes, extremes.cases()) for extremes in all_extremes]
    while time.monotonic() < end:
        for extremes, cases in streams:
            case = next(cases)
            outcome = extremes.run(case)
            total[extremes.variant] += 1
            total["applied"] += outcome.rewritten > 0
            total["faulty"] += bool(outcome.faults)
            for fault in outcome.faults:
                print(f"{extremes.variant}: {case}\n    {fault}", flush=True)
    return total


if __name__ == "__main__":
    names = sys.argv[3:] or [*VARIANTS]
    result = fuzz(names, float(sys.argv[1]), int(sys.argv[2]))
    print(dict(result))
    sys.exit(result["faulty"] > 0)
