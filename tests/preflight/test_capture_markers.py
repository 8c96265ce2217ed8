"""Markers in every place of every answer: none is in a recording unless the list allows it."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count, cycle
from typing import Any

import anyio
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from exporter.preflight import commands
from exporter.preflight.capture import Recorder
from exporter.providers import PROVIDERS
from support.platforms import NAMES, PLATFORMS, platform

pytestmark = pytest.mark.anyio
MARKER = re.compile(r"(?i)mark-?\d+|987654\d+|1971-0\d-\d\d")
Change = Callable[[Any, str], Any]
_RECORDINGS: dict[str, Recorder] = {}


async def recorded(provider: str, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """Return what was recorded of a platform with every feed, not yet sanitised."""
    if provider not in _RECORDINGS:

        class Kept(Recorder):
            def document(self) -> bytes:
                _RECORDINGS[provider] = self
                return b"{}"

        monkeypatch.setattr(commands, "Recorder", Kept)
        world = platform(provider, **PLATFORMS[provider].everything, agents="name")
        await world.preflight.capture("acme")
    return _RECORDINGS[provider]


def with_answers(recorder: Recorder, change: Callable[[bytes, bool], bytes]) -> str:
    """Return the document of a recording whose answers were changed."""
    exchanges = list(recorder._exchanges)
    changed = []
    for exchange in exchanges:
        answer = exchange.response
        if answer is not None and answer.content:
            is_xml = "xml" in answer.headers.get("content-type", "")
            content = change(answer.content, is_xml)
            kinds = {"content-type": answer.headers.get("content-type", "")}
            answer = httpx.Response(answer.status_code, headers=kinds, content=content)
        changed.append(replace(exchange, response=answer))
    recorder._exchanges = changed
    try:
        return Recorder.document(recorder).decode()
    finally:
        recorder._exchanges = exchanges


def marks() -> Callable[[], str]:
    numbers = count(1000)
    return lambda: f"mark-{next(numbers)}"


# JSON -------------------------------------------------------------------------------------------


def in_json(value: Any, leaf: Change, key: Callable[[str], str] = str, name: str = "") -> Any:
    """Return a value with every leaf and every key changed."""
    if isinstance(value, dict):
        return {key(inner): in_json(item, leaf, key, inner) for inner, item in value.items()}
    if isinstance(value, list):
        return [in_json(item, leaf, key, name) for item in value]
    return leaf(value, name)


def with_unknown(value: Any, mark: Callable[[], str]) -> Any:
    """Return a value with something unknown in every object and list, known words below it."""
    if isinstance(value, dict):
        known = {name: with_unknown(item, mark) for name, item in value.items()}
        below = {name: mark() for name in value}
        return {**known, mark(): below, "entry": {**below, "deep": [{mark(): mark()}]}}
    if isinstance(value, list):
        return [*(with_unknown(item, mark) for item in value), mark(), [mark()], {mark(): 1}]
    return value


# XML --------------------------------------------------------------------------------------------


def in_xml(content: bytes, change: Callable[[etree._Element], None]) -> bytes:
    root = etree.fromstring(content)
    for element in list(root.iter()):
        change(element)
    return etree.tostring(root)


def fill(element: etree._Element, mark: Callable[[], str]) -> None:
    """Put markers wherever XML can hold a text that is not a cell's own."""
    element.set(mark(), mark())
    element.set(f"{{urn:{mark()}}}nil", mark())
    element.set("{http://www.w3.org/2001/XMLSchema-instance}nil", mark())
    element.set("{http://www.w3.org/XML/1998/namespace}lang", mark())
    if len(element):
        element.text = mark()
        element.append(etree.Comment(mark()))
        element.append(etree.ProcessingInstruction(mark(), mark()))
        unknown = etree.SubElement(element, f"{{urn:{mark()}}}{mark()}", nsmap={mark(): "urn:x"})
        unknown.text = mark()
        etree.SubElement(unknown, "timestamp").text = mark()
        for child in element:
            child.tail = mark()
    elif element.text is None:
        element.text = etree.CDATA(mark())


# Tests ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", NAMES)
async def test_texts(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No text of an answer stays that is not a word of the list."""
    recorder, mark = await recorded(provider, monkeypatch), marks()

    def change(content: bytes, is_xml: bool) -> bytes:
        if not is_xml:
            return json.dumps(in_json(json.loads(content), lambda *_: mark())).encode()

        def text(element: etree._Element) -> None:
            element.text = mark()

        return in_xml(content, text)

    assert MARKER.findall(with_answers(recorder, change)) == []


@pytest.mark.parametrize("provider", NAMES)
async def test_keys(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No key of an object and no name of an element stays, nor anything in it."""
    recorder, mark = await recorded(provider, monkeypatch), marks()

    def change(content: bytes, is_xml: bool) -> bytes:
        if not is_xml:
            body = in_json(json.loads(content), lambda *_: 9_876_540_001, lambda _: mark())
            return json.dumps(body).encode()

        def rename(element: etree._Element) -> None:
            element.tag = mark()
            if not len(element):
                element.text = "9876540001"

        return in_xml(content, rename)

    assert MARKER.findall(with_answers(recorder, change)) == []


@pytest.mark.parametrize("provider", NAMES)
async def test_unknown_additions(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing stays that was added: members with known names below unknown ones, attributes."""
    recorder, mark = await recorded(provider, monkeypatch), marks()

    def change(content: bytes, is_xml: bool) -> bytes:
        if is_xml:
            return in_xml(content, lambda element: fill(element, mark))
        return json.dumps(with_unknown(json.loads(content), mark)).encode()

    assert MARKER.findall(with_answers(recorder, change)) == []


@pytest.mark.parametrize("provider", NAMES)
async def test_numbers(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Telephone numbers and birth dates stay nowhere, but dates where the list has instants."""
    recorder = await recorded(provider, monkeypatch)
    allowed = PROVIDERS[provider].sanitiser().allowed

    def planted(value: Any, name: str) -> Any:
        if isinstance(value, str) and name in allowed.times:
            return value
        return "1971-02-03" if isinstance(value, str) else 9_876_540_001

    def change(content: bytes, is_xml: bool) -> bytes:
        if not is_xml:
            return json.dumps(in_json(json.loads(content), planted)).encode()

        def number(element: etree._Element) -> None:
            is_instant = etree.QName(element).localname in allowed.times
            if not len(element) and not is_instant:
                element.text = next(numbers)

        return in_xml(content, number)

    numbers = cycle(("9876540001", "1971-02-03", "+98 76 54 10"))
    assert MARKER.findall(with_answers(recorder, change)) == []


@pytest.mark.parametrize("provider", NAMES)
async def test_bodies_of_another_kind(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of a body stays that is not JSON or XML, is cut, or has another encoding."""
    recorder = await recorded(provider, monkeypatch)
    text = "mark-1001 <b>mark-1002</b> {'mark-1003': '+987654321'} Zoë"
    page = f"<html><!-- mark-1004 --><p title='mark-1005'>{text}</p><br></html>"
    bodies = (
        *(text.encode(codec) for codec in ("utf-8", "latin-1", "utf-16", "utf-32")),
        *(page.encode(), json.dumps(text).encode(), b"987654321", b"[987654321, 1.98765432e3]"),
        *(b'{"mark-1001": "mark-1002', b"<a mark-1001='mark-1002'>mark-1003</b>", b"\x00mark-1001"),
        *(b"<!DOCTYPE a [<!ENTITY e 'mark-1001'>]><a>&e;</a>", b"<mark-1001/>", b"true"),
    )
    each = cycle(bodies)

    assert MARKER.findall(with_answers(recorder, lambda *_: next(each))) == []


@pytest.mark.parametrize("provider", NAMES)
async def test_headers(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No header stays but a media type, a charset and an instant or number."""
    recorder = await recorded(provider, monkeypatch)
    values = ("mark-1001/json; charset=mark-1002; x=mark-1003", "text/xml; mark-1004=mark-1005")
    exchange = next(each for each in recorder._exchanges if each.response)
    names = ("date", "retry-after", "set-cookie", "location", "server", "x-mark-1006")
    for kind in values:
        headers = {"content-type": kind, **dict.fromkeys(names, "mark-1007")}
        answer = httpx.Response(200, headers=headers, content=b"")
        changed = Recorder(recorder._account, recorder._sanitiser, recorder._clock)
        changed._exchanges = [replace(exchange, response=answer)]
        document = changed.document().decode()
        assert MARKER.findall(document) == []
        assert '"date"' in document


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every node of a JSON value."""
    yield path
    if isinstance(value, dict | list):
        for name in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[name], (*path, name))


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = put(value[path[0]], path[1:], new)
    return copy


MARKED = st.recursive(
    st.integers(1000, 9999).map("mark-{}".format)
    | st.sampled_from([None, True, "", "mark-1001;mark-1002", "READY;mark-1003", "MARK1004"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.integers(1000, 9999).map("mark-{}".format)
            | st.sampled_from(
                ["status", "value", "name", "id", "count", "data", "entry", "values"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@pytest.mark.parametrize("provider", [name for name in NAMES if name != "five9"])
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_any_node(provider: str, data: st.DataObject) -> None:
    """Whatever takes the place of any node of an answer, no marker of it stays."""
    if provider not in _RECORDINGS:
        with pytest.MonkeyPatch.context() as monkeypatch:
            anyio.run(recorded, provider, monkeypatch)
    recorder = _RECORDINGS[provider]
    exchanges = recorder._exchanges
    full = [at for at, each in enumerate(exchanges) if each.response and each.response.content]
    at = data.draw(st.sampled_from(full))
    answer = exchanges[at].response
    body = json.loads(answer.content)
    path = data.draw(st.sampled_from(list(places(body))))
    content = json.dumps(put(body, path, data.draw(MARKED))).encode()
    changed = httpx.Response(answer.status_code, headers=answer.headers, content=content)
    sanitiser = PROVIDERS[provider].sanitiser()
    shown = ""
    for number, each in enumerate(exchanges[: at + 1]):
        kinds = (each.request.headers.get("content-type", ""), each.request.content)
        response = changed if number == at else each.response
        if number == at or each.operation.startswith("POST"):
            _, shown = sanitiser.exchange(
                each.operation, kinds, ("application/json", response.content if response else b"")
            )

    assert MARKER.findall(json.dumps(shown)) == []
