"""The demo in a process of its own, with a floor that a test drives over HTTP.

``python -m support.driven`` prints the exporter's address and that of the simulated platforms. The
platforms' socket takes, beside their own requests: ``/drive/surge?queue=Q&contacts=N`` (so many
arrive at once), ``/drive/drain`` (nobody arrives any more, and an hour passes) and
``/drive/fail?prefix=/P`` (requests to paths that begin so are answered 401 from now on). Each is
done in the thread that the simulators run in, as they move the same floor.
"""

import asyncio
import signal
import sys
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from exporter.app import App
from exporter.clock import SystemClock
from exporter.config.account import FeedConfig
from exporter.config.load import Config
from exporter.simulators.centre import Centre, Size
from exporter.web.server import Server
from exporter.web.sockets import Address

_HOUR = 3600.0
_OFTEN = FeedConfig.model_validate({"interval": "5s", "stale_after": "30s"})
_SLOW = 75.0  # seconds; what is read less often than that stays as it is
_LAPSE = 10.0  # simulated seconds in one real one, so that something happens within a test


class Driven:
    """A centre whose floor can be driven, and whose platforms can be made to fail."""

    def __init__(self) -> None:
        self.centre = Centre(Size(time_lapse=_LAPSE), SystemClock())
        self._failing: set[str] = set()

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve the platforms and what drives them."""
        path = scope.get("path", "")
        if path.startswith("/drive/"):
            answer: Response = self._drive(Request(scope))
        elif any(path.startswith(prefix) for prefix in self._failing):
            answer = PlainTextResponse("not accepted\n", status_code=401)
        else:
            await self.centre.app(scope, receive, send)
            return
        await answer(scope, receive, send)

    def _drive(self, request: Request) -> Response:
        floor, asked = self.centre.floor, request.query_params
        match request.url.path.removeprefix("/drive/"):
            case "surge":
                floor.surge(asked["queue"], int(asked["contacts"]))
            case "drain":
                floor.set_load(0.0)
                floor.advance(floor.now + _HOUR)
            case "fail":
                self._failing.add(asked["prefix"])
            case other:
                return PlainTextResponse(f"{other}?\n", status_code=404)
        return PlainTextResponse("done\n")

    def config(self, url: str) -> Config:
        """Return the demo's configuration, read more often, one account's agents by name."""
        config = self.centre.config(url)
        accounts = []
        for account in config.accounts:
            often = {
                name: _OFTEN
                for name, times in account.enabled_feeds().items()
                if times.interval <= _SLOW
            }
            accounts.append(account.model_copy(update={"feeds": account.feeds | often}))
        accounts[0] = accounts[0].model_copy(update={"agents": "name"})
        return replace(config, accounts=tuple(accounts))


async def _serve() -> None:
    driven, stop = Driven(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    platforms = Server(driven.app, Address("127.0.0.1", 0), "simulators")
    platforms.start()
    try:
        app = App(driven.config(f"http://{platforms.address}"))
        serving = asyncio.create_task(app.serve(Address("127.0.0.1", 0), stop))
        print(platforms.address, flush=True)
        await serving
    finally:
        platforms.stop(at_once=True)


if __name__ == "__main__":
    from exporter.logs import set_up

    set_up("info", "logfmt")
    sys.exit(asyncio.run(_serve()))
