"""A platform that replays a recording in the same order."""

import json
import re
from collections import defaultdict, deque
from collections.abc import Iterator
from typing import Any

import httpx
from lxml import etree

_GUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


class Replay(httpx.AsyncBaseTransport):
    """See the module.

    What we chose at random then, such as ids of subscriptions, is another now: requests tell which
    is which, and answers are changed accordingly.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        assert document["format"] == 1
        self._left: dict[str, deque[dict[str, Any]]] = defaultdict(deque)
        for exchange in document["exchanges"]:
            asked = exchange["request"] or {}
            self._left[_key(exchange["method"], exchange["path"], asked.get("xml", ""))].append(
                exchange
            )
        self._renamed: dict[str, str] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        content = (await request.aread()).decode()
        xml = content if "xml" in request.headers.get("content-type", "") else ""
        key = _key(request.method, request.url.raw_path.decode(), xml)
        assert self._left[key], f"the recording has no further answer to {key}"
        exchange = self._left[key].popleft()
        recorded = (exchange["request"] or {}).get("json")
        if recorded is not None:
            self._renamed |= dict(_differences(recorded, json.loads(content)))
        if exchange["status"] is None:
            raise httpx.ConnectError("there was no answer")
        body = self._body(exchange["answer"] or {})
        return httpx.Response(
            exchange["status"], headers=exchange["headers"], content=body.encode(), request=request
        )

    @property
    def left(self) -> int:
        """How many answers nobody has asked for."""
        return sum(map(len, self._left.values()))

    def _body(self, answer: dict[str, Any]) -> str:
        text = answer.get("xml", "")
        if "json" in answer:
            text = json.dumps(answer["json"])
        for then, now in self._renamed.items():
            text = text.replace(json.dumps(then), json.dumps(now))
        return text or "?" * answer.get("omitted", 0)


def _key(method: str, path: str, xml: str) -> str:
    what = ""
    if xml:
        elements = list(etree.fromstring(xml.encode()).iter())
        body = next(element for element in elements if str(element.tag).endswith("}Body"))
        kind = next((each.text for each in elements if each.tag == "statisticType"), "")
        what = f" {str(body[0].tag).rpartition('}')[2]} {kind}"
    return f"{method} {_GUID.sub('*', path)}{what}"


def _differences(then: Any, now: Any) -> Iterator[tuple[str, str]]:
    """Yield the texts and keys that differ between two requests of one shape."""
    if isinstance(then, dict) and isinstance(now, dict):
        assert len(then) == len(now)
        for (key, value), (other, another) in zip(then.items(), now.items(), strict=True):
            if key != other:
                yield key, other
            yield from _differences(value, another)
    elif isinstance(then, list) and isinstance(now, list):
        assert len(then) == len(now)
        for value, another in zip(then, now, strict=True):
            yield from _differences(value, another)
    elif isinstance(then, str) and then != now:
        yield then, now
