"""The whole chain for tests: exporter, Prometheus with our rules, Alertmanager, receiver.

The rules and the Alertmanager configuration are rendered copies of ours: every ``for`` is two
seconds, ``keep_firing_for`` fifteen, Alertmanager groups for one second, and its receivers are the
test's own. Nothing else is changed. Limits, objectives and hours that the demo does not configure
are recorded by one more rule group, as constants.
"""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import httpx
import yaml

from support.dashboards import BOARDS, OBJECTIVES, ROOT, RULES
from support.programs import free_port, program

T = TypeVar("T")
_WAIT = 60.0  # seconds for anything to come true
_STOP = 20.0
# What stands in for an objective that is not on the page.
_CONSTANT = {
    "contactcenter_queue_waiting_limit": (
        "contactcenter_queue_contacts_waiting",
        "provider, account, queue",
        {"warning": 25, "critical": 1000},
    ),
    "contactcenter_queue_answer_objective_seconds": (
        "contactcenter_queue_longest_wait_seconds",
        "provider, account, queue",
        20,
    ),
    "contactcenter_queue_service_level_objective_ratio": (
        "contactcenter_queue_longest_wait_seconds",
        "provider, account, queue",
        0.8,
    ),
    "contactcenter_queue_open": (
        "contactcenter_queue_longest_wait_seconds",
        "provider, account, queue",
        1,
    ),
    "contactcenter_campaign_open": (
        "contactcenter_campaign_state",
        "provider, account, campaign",
        1,
    ),
    "contactcenter_campaign_abandoned_limit_ratio": (
        "contactcenter_campaign_state",
        "provider, account, campaign",
        0.03,
    ),
    "contactcenter_exporter_objectives_unmatched": ("up", "job, instance", 0),
}


def until(true: Callable[[], T], what: str, seconds: float = _WAIT) -> T:
    """Return the first result that is true of a function that is asked again and again."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            found = true()
        except (httpx.TransportError, ValueError):  # it is starting: no socket, or no JSON yet
            found = None
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"in {seconds:g} s it did not come true: {what}")


@dataclass
class Told:
    """What Alertmanager sent, in the order of arrival: one entry for each alert of each message."""

    alerts: list[dict[str, Any]] = field(default_factory=list)

    def find(self, name: str, status: str, **labels: str) -> list[dict[str, Any]]:
        """Return the alerts of a name and status that were told, with these labels."""
        wanted = {"alertname": name, **labels}
        return [
            alert
            for alert in list(self.alerts)
            if alert["status"] == status and wanted.items() <= alert["labels"].items()
        ]


@dataclass(frozen=True)
class Stack:
    """The addresses of all parts, and what was told."""

    exporter: str
    platforms: str
    prometheus: str
    alertmanager: str
    told: Told

    def drive(self, what: str, **how: str | int) -> None:
        """Drive the floor; see ``support.driven``."""
        get(self.platforms, f"/drive/{what}", **how)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the result of an instant query; raises with Prometheus' words if it is refused."""
        answer = _json(self.prometheus, "/api/v1/query", query=expression)
        assert answer.get("status") == "success", f"{expression}: {answer.get('error')}"
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def rules(self) -> list[dict[str, Any]]:
        """Return how Prometheus fares with each rule."""
        groups = _json(self.prometheus, "/api/v1/rules")["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def alerts(self) -> list[dict[str, Any]]:
        """Return the alerts that Alertmanager holds, suppressed ones too."""
        found: list[dict[str, Any]] = _json(self.alertmanager, "/api/v2/alerts")
        return found


def get(address: str, path: str, **query: str | int) -> httpx.Response:
    """Get something from loopback."""
    return httpx.get(
        f"http://{address}{path}", params=query, trust_env=False, timeout=10
    ).raise_for_status()


def _json(address: str, path: str, **query: str) -> Any:
    url = f"http://{address}{path}"
    return httpx.get(url, params=query, trust_env=False, timeout=10).json()


@contextmanager
def running(folder: Path) -> Iterator[Stack]:
    """Start everything on free ports of loopback, with its data in ``folder``."""
    with ExitStack() as parts:
        exporter, platforms = parts.enter_context(_demo(folder))
        told, ear = parts.enter_context(_receiver())
        alertmanager = parts.enter_context(_alertmanager(folder, ear))
        page = until(lambda: _complete(exporter), "the exporter has read every account")
        rules = render_rules(folder / "rules", page)
        prometheus = parts.enter_context(_prometheus(folder, rules, exporter, alertmanager))
        stack = Stack(exporter, platforms, prometheus, alertmanager, told)
        until(lambda: stack.query("up == 1"), "Prometheus scrapes the exporter")
        yield stack


def _complete(exporter: str) -> str:
    """Return the page when it has the slowest of what the first tests need."""
    page = get(exporter, "/metrics").text
    up = re.findall(r"^contactcenter_feed_up\{.*\} (\d)", page, re.MULTILINE)
    return page if up and set(up) == {"1"} else ""


@contextmanager
def _process(command: list[str], log: Path, **more: Any) -> Iterator[subprocess.Popen[str]]:
    with log.open("w") as err, subprocess.Popen(command, stderr=err, text=True, **more) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(timeout=_STOP)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def _demo(folder: Path) -> Iterator[tuple[str, str]]:
    log = folder / "exporter.log"
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    command = [sys.executable, "-m", "support.driven"]
    with _process(command, log, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        platforms = process.stdout.readline().strip()
        assert platforms, log.read_text()
        found = until(lambda: re.search(r"listening.*address=(\S+)", log.read_text()), "listening")
        yield found[1], platforms


@contextmanager
def _receiver() -> Iterator[tuple[Told, str]]:
    told = Told()

    class Ear(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            for alert in message["alerts"]:
                told.alerts.append({**alert, "receiver": message["receiver"]})
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing: what came is in ``told``."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Ear)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield told, f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=_STOP)


@contextmanager
def _alertmanager(folder: Path, ear: str) -> Iterator[str]:
    binary = program("prometheus-alertmanager")
    config = yaml.safe_load((BOARDS / "alertmanager.yml").read_text(encoding="utf-8"))
    for route in (config["route"], *config["route"]["routes"]):
        route |= {"group_wait": "0s", "group_interval": "1s", "repeat_interval": "1h"}
    config["receivers"] = [
        {
            "name": receiver["name"],
            "webhook_configs": [{"url": f"http://{ear}/", "send_resolved": True}],
        }
        for receiver in config["receivers"]
    ]
    file = folder / "alertmanager.yml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    address = f"127.0.0.1:{free_port()}"
    command = [
        binary,
        f"--config.file={file}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
    ]
    with _process(command, folder / "alertmanager.log"):
        until(lambda: get(address, "/-/ready").is_success, "Alertmanager is ready")
        yield address


@contextmanager
def _prometheus(folder: Path, rules: Path, exporter: str, alertmanager: str) -> Iterator[str]:
    binary = program("prometheus")
    config = yaml.safe_load((BOARDS / "prometheus.yml").read_text(encoding="utf-8"))
    config["global"] = {
        "scrape_interval": "1s",
        "scrape_timeout": "1s",
        "evaluation_interval": "1s",
    }
    config["rule_files"] = [str(rules / "*.rules.yml")]
    config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [alertmanager]
    config["scrape_configs"][0]["static_configs"][0]["targets"] = [exporter]
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    address = f"127.0.0.1:{free_port()}"
    command = [
        binary,
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address={address}",
    ]
    with _process(command, folder / "prometheus.log"):
        yield address


def render_rules(folder: Path, page: str) -> Path:
    """Write copies of our rules that fire soon, and constants for objectives not on the page."""
    folder.mkdir()
    for file in sorted(RULES.glob("*.rules.yml")):
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        for group in content["groups"]:
            if "interval" in group:
                group["interval"] = "1s"  # of an hour: else its series would come after the test
            for rule in group["rules"]:
                if "for" in rule:
                    rule["for"] = "2s"
                if "keep_firing_for" in rule:
                    rule["keep_firing_for"] = "15s"
        (folder / file.name).write_text(yaml.safe_dump(content), encoding="utf-8")
    missing = [
        rule
        for name in sorted(OBJECTIVES)
        if not re.search(rf"^{name}\b", page, re.MULTILINE)
        for rule in _constants(name)
    ]
    extra = {"groups": [{"name": "objectives", "rules": missing}]}
    (folder / "objectives.rules.yml").write_text(yaml.safe_dump(extra), encoding="utf-8")
    return folder


def _constants(name: str) -> list[dict[str, Any]]:
    series, labels, value = _CONSTANT[name]
    levels = value if isinstance(value, dict) else {"": value}
    return [
        {
            "record": name,
            "expr": f"group by ({labels}) ({series}) * {figure}",
            **({"labels": {"level": level}} if level else {}),
        }
        for level, figure in levels.items()
    ]
