"""Peak memory of an exporter whose platform sends answers that explode, over a socket."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from exporter.clock import SystemClock
from exporter.collector.bounds import STATISTICS
from exporter.providers import MODELS
from exporter.simulators.floor.floor import Floor
from support.platforms import NAMES, Platform, platform
from support.programs import free_port

SMALL = ["bomb:small:120:gzip", "bomb:fault:60", "bomb:deep:60", "bomb:keys:60", "bomb:keys:6"]
OTHER = ["bomb:text:31", "bomb:digits:31", "bomb:spaces:31", "bomb:small:2", "bomb:entities:31"]
Measure = Callable[[str, float], dict[str, float]]


@contextmanager
def exporter(platforms: list[Platform]) -> Iterator[Measure]:
    """Run an exporter of platforms, with a healthy account; give what measures a kind of bomb."""
    healthy = platform("voximplant", clock=SystemClock(), floor=a_floor())
    served = [*platforms, healthy]
    port = free_port()
    app = Starlette(
        routes=[Mount(f"/{place}", item.simulator.app) for place, item in enumerate(served)]
    )
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="critical", lifespan="off"))
    threading.Thread(target=server.run, daemon=True).start()
    accounts = []
    for place, item in enumerate(served):
        feeds = {name: {"interval": "1s"} for name in MODELS[item.provider].INTERVALS}
        options = {"name": f"{place}", "base_url": f"http://127.0.0.1:{port}/{place}"}
        accounts.append({**item.options, "feeds": feeds, **options})
    child = subprocess.Popen(
        [sys.executable, "-m", "support.exploded"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert child.stdin
    assert child.stdout

    def ask(line: str) -> Any:
        child.stdin.write(line + "\n")
        child.stdin.flush()
        return child.stdout.readline()

    def measure(kind: str, seconds: float) -> dict[str, float]:
        ask("begin")
        for item in platforms:
            for target in item.live_targets:
                item.simulator.fail_next(kind, 3, target)
        time.sleep(seconds)
        result = json.loads(ask("end"))
        for item in platforms:
            item.simulator.fail_no_more()
        time.sleep(2)
        print(f"{len(platforms)} x {platforms[0].provider} {kind}:", end=" ")
        print(", ".join(f"{name} {value:,.2f}" for name, value in result.items()))
        return result

    try:
        assert ask(json.dumps(accounts)) == "ready\n"
        yield measure
        child.stdin.close()
        began = time.monotonic()
        child.wait(30)
        print(f"ended within {time.monotonic() - began:.1f} s")
    finally:
        child.kill()
        child.wait()
        child.stdin.close()
        child.stdout.close()
        server.should_exit = True


def a_floor() -> Floor:
    return Floor(agents=5, queues=3, campaigns=3, seed=3, start=time.time() - 3600)


def bombed(provider: str) -> Platform:
    return platform(provider, clock=SystemClock(), floor=a_floor())


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("provider", NAMES)
def test_memory_is_bounded(provider: str) -> None:
    """No answer takes more than eight times its bound, and no other account waits for long."""
    with exporter([bombed(provider)]) as measure:
        for kind in (*SMALL, *OTHER):
            figures = measure(kind, 5.0)
            assert figures["peak"] < 8 * STATISTICS, kind
            assert figures["kept"] < 16 * STATISTICS, kind  # the allocator keeps freed memory
            assert figures["stall"] < 10.0, kind  # it was 12 to 72 s; the machine may be busy
            assert figures["gap"] < 10.0, kind


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_memory_of_eight_at_once() -> None:
    """Eight accounts whose answers explode at the same time take little more than one."""
    with exporter([bombed("five9") for _ in range(8)]) as measure:
        for kind in ("bomb:small:60", "bomb:fault:60", "bomb:text:31"):
            figures = measure(kind, 10.0)
            assert figures["peak"] < (8 + 2 * 8) * STATISTICS, kind
