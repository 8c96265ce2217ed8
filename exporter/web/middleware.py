"""What stands before the site: which requests are none of its business, and under which path?"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

_METHODS = ("GET", "HEAD", "POST")
_PATH = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@/-]*")
_METRICS = "/metrics"  # the site's own name for it
_TAKEN = ("/", "/config")

Count = Callable[[int], None]  # is told the status of each answer that is not the site's


def refuse(status: int, headers: Mapping[str, str]) -> Response:
    """Return an answer that says no more than its status does."""
    headers = {"x-content-type-options": "nosniff", **headers}
    return PlainTextResponse(f"{HTTPStatus(status).phrase}\n", status, headers)


class Guard:
    """Refuses what no page of ours takes: other methods, and any body."""

    def __init__(self, app: ASGIApp, count: Count) -> None:
        self._app = app
        self._count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request that the site could answer."""
        if scope["method"] not in _METHODS:
            status, headers = 405, {"allow": ", ".join(_METHODS)}
        elif _has_body(scope):
            status, headers = 413, {}
        else:
            await self._app(scope, receive, send)
            return
        self._count(status)
        await refuse(status, {**headers, "connection": "close"})(scope, receive, send)


def _has_body(scope: Scope) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0"))
        for name, value in scope["headers"]
    )


@dataclass(frozen=True, slots=True)
class Paths:
    """Under which paths the site is found; all begin with a slash and end without one.

    ``prefix`` comes before every path that is asked for here, ``external`` before every path that
    a browser sees: they differ where a proxy takes a part away. Either is empty for none.
    """

    telemetry: str = _METRICS
    prefix: str = ""
    external: str = ""

    @classmethod
    def parse(cls, telemetry: str, url: str | None, prefix: str | None) -> "Paths":
        """Read ``--web.telemetry-path``, ``--web.external-url`` and ``--web.route-prefix``.

        Raises ``ValueError``.
        """
        external = _external(url) if url else ""
        inner = external if prefix is None else _trimmed(prefix, "--web.route-prefix")
        if not telemetry.startswith("/") or not _PATH.fullmatch(telemetry):
            raise ValueError(f"--web.telemetry-path: {telemetry!r} is no path such as /metrics")
        if telemetry in _TAKEN or telemetry.startswith("/-/"):
            raise ValueError(f"--web.telemetry-path: {telemetry!r} is another page's")
        return cls(telemetry, inner, external)


def _external(url: str) -> str:
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        fits = False
    if not fits or parts.query or parts.fragment or parts.username or parts.password:
        raise ValueError(
            "--web.external-url: an address such as https://host/path is wanted, "
            "without credentials and query"
        )
    return _trimmed(parts.path, "--web.external-url")


def _trimmed(path: str, option: str) -> str:
    if not _PATH.fullmatch(path) or "//" in path:
        raise ValueError(f"{option}: {path!r} is no plain path")
    inner = path.strip("/")
    return f"/{inner}" if inner else ""


class Mount:
    """Puts the site under its paths; it reads where it is from ASGI's ``root_path``.

    The path of the metrics is told it as ``telemetry_path`` in the request's state.
    """

    def __init__(self, app: ASGIApp, paths: Paths, count: Count) -> None:
        self._app = app
        self._paths = paths
        self._count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve what is below the prefix, and lead there from its surroundings."""
        prefix, telemetry = self._paths.prefix, self._paths.telemetry
        path: str = scope["path"]
        inner = path.removeprefix(prefix) if path.startswith(f"{prefix}/") else None
        if prefix and path in ("/", prefix):
            self._count(302)
            nosniff = {"x-content-type-options": "nosniff"}
            await RedirectResponse(f"{prefix}/", 302, nosniff)(scope, receive, send)
        elif inner is None or (inner == _METRICS and telemetry != _METRICS):
            self._count(404)
            await refuse(404, {})(scope, receive, send)
        else:
            external = self._paths.external
            state = {**scope.get("state", {}), "telemetry_path": telemetry}
            shown = external + (_METRICS if inner == telemetry else inner)
            mounted = {**scope, "root_path": external, "path": shown, "state": state}
            await self._app(mounted, receive, send)
