"""Real programs that tests start: their paths, and free ports for them."""

import os
import shutil
import socket

import pytest

_PACKAGES = {
    "amtool": "prometheus-alertmanager",
    "node": "nodejs",
    "promtool": "prometheus",
    "vmalert": "victoria-metrics",
}


def program(name: str) -> str:
    """Return a program's path; without it a test skips locally, and fails under CI."""
    path = shutil.which(name)
    if path is None:
        message = f"{name} is not installed: apt-get install {_PACKAGES.get(name, name)}"
        assert not os.environ.get("CI"), message
        pytest.skip(message)
    return path


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
