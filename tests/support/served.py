"""A simulated Five9 on a socket, for tests that start a command."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from exporter.clock import SystemClock
from exporter.simulators.five9.simulator import Five9Simulator
from exporter.simulators.floor.floor import Floor
from exporter.web.server import Server
from exporter.web.sockets import Address
from support.five9 import GENEROUS


@contextmanager
def platform(folder: Path, **options: str) -> Iterator[tuple[Path, Five9Simulator]]:
    """Serve a simulated Five9 on loopback; yield a configuration that reads it."""
    floor = Floor(agents=8, queues=4, campaigns=3, start=time.time())
    simulator = Five9Simulator(floor, SystemClock(), limits=GENEROUS)
    server = Server(simulator.app, Address("127.0.0.1", 0), "simulator")
    server.start()
    account = {
        "name": "acme",
        "provider": "five9",
        "base_url": f"http://{server.address}",
        "username": simulator.username,
        "password": simulator.password,
        **options,
    }
    file = folder / "exporter.yml"
    file.write_text(json.dumps({"accounts": [account]}))
    try:
        yield file, simulator
    finally:
        server.stop(at_once=True)
