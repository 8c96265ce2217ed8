"""Damaged answers: replaces or removes any value of an answer."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx

Damage = Callable[[httpx.Response], bytes]
Step = tuple[Any, Any]  # a list or an object, and the index or key of something in it
_CELL = re.compile(rb"(?<=<data>)[^<]+(?=</data>)|(?<=<columnValue>)[^<]+(?=</columnValue>)")
_FIGURE = re.compile(rb"-?\d+(\.\d+)?%?")


class Damaged(httpx.AsyncBaseTransport):
    """A way to an application on which the ``at``-th answer, counted from 0, or each is damaged."""

    def __init__(self, app: Any, at: int | None, damage: Damage) -> None:
        self._inner = httpx.ASGITransport(app)
        self._every = at is None
        self._left = at or 0
        self._damage = damage

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self._inner.handle_async_request(request)
        self._left -= 1
        if self._left != -1 and not self._every:
            return answer
        content = await answer.aread()
        plain = httpx.Response(answer.status_code, headers=answer.headers, content=content)
        headers = [
            header for header in answer.headers.multi_items() if header[0] != "content-length"
        ]
        return httpx.Response(answer.status_code, headers=headers, content=self._damage(plain))


def bytes_cut(where: int, length: int, new: bytes) -> Damage:
    """Return a damage that puts other bytes in the place of some."""

    def damage(answer: httpx.Response) -> bytes:
        body = answer.content
        at = where % (len(body) + 1)
        return body[:at] + new + body[at + length :]

    return damage


def value_changed(which: int, new: Any) -> Damage:
    """Return a damage that changes something in JSON, or the text of something in XML."""

    def damage(answer: httpx.Response) -> bytes:
        body = answer.content
        try:
            found = json.loads(body)
        except ValueError:
            return _cell_changed(body, which, json.dumps(new).strip('"').encode(), re.compile(b""))
        steps = list(_steps(found))
        if not steps:
            return json.dumps(new).encode()
        holder, key = steps[which % len(steps)]
        holder[key] = new
        return json.dumps(found).encode()

    return damage


def figure_spoiled(which: int, junk: str) -> Damage:
    """Return a damage that makes a figure one that nobody can read, and changes nothing else."""

    def damage(answer: httpx.Response) -> bytes:
        body = answer.content
        try:
            found = json.loads(body)
        except ValueError:
            return _cell_changed(body, which, junk.encode(), _FIGURE)
        steps = [(holder, key) for holder, key in _steps(found) if _is_figure(key, holder[key])]
        if steps:
            holder, key = steps[which % len(steps)]
            holder[key] = junk
        return json.dumps(found).encode()

    return damage


def _steps(value: Any) -> Iterator[Step]:
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _steps(value[key])


def _is_figure(key: Any, value: Any) -> bool:
    """Return whether something is a number that counts or measures, not one that names."""
    if "id" in str(key).lower() or isinstance(value, bool):
        return False
    return isinstance(value, int | float) or (
        isinstance(value, str) and _FIGURE.fullmatch(value.encode()) is not None
    )


def _cell_changed(body: bytes, which: int, new: bytes, wanted: re.Pattern[bytes]) -> bytes:
    cells = [
        each for each in _CELL.finditer(body) if not wanted.pattern or wanted.fullmatch(each[0])
    ]
    if not cells:
        return body
    cell = cells[which % len(cells)]
    text = new.replace(b"&", b"&amp;").replace(b"<", b"&lt;")
    return body[: cell.start()] + text + body[cell.end() :]
