"""Tests of the sample configurations beside the rules."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter import __version__
from support.dashboards import BOARDS, ROOT
from support.programs import program
from support.scenarios import alerts

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
_SERVICE_KEYS = {
    "build", "cap_drop", "command", "depends_on", "environment", "image", "ports", "read_only",
    "restart", "security_opt", "volumes",
}  # fmt: skip
_PORTS = {"exporter": 10077, "prometheus": 9090, "alertmanager": 9093, "grafana": 3000}


def sample(name: str) -> Any:
    return yaml.safe_load((BOARDS / name).read_text(encoding="utf-8"))


@pytest.mark.real
def test_amtool_accepts_the_alertmanager_sample() -> None:
    """Alertmanager's own tool finds the sample well formed."""
    binary = program("amtool")
    command = [binary, "check-config", str(BOARDS / "alertmanager.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.real
def test_promtool_accepts_the_prometheus_sample() -> None:
    """Prometheus' own tool finds the sample and the rules that it names well formed."""
    command = [program("promtool"), "check", "config", str(BOARDS / "prometheus.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("rules found") == len(list((BOARDS / "rules").glob("*.yml")))


@pytest.mark.real
@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ({"subsystem": "queues", "severity": "critical", "account": "acme-eu"}, "operations"),
        ({"subsystem": "queues", "severity": "critical", "account": "acme-us"}, "acme-us-duty"),
        ({"subsystem": "queues", "severity": "warning", "account": "acme-us"}, "operations"),
        ({"subsystem": "account", "severity": "critical", "account": "acme-us"}, "platform-team"),
        ({"subsystem": "exporter", "severity": "warning"}, "platform-team"),
        ({"subsystem": "agents", "severity": "info", "account": "acme-eu"}, "operations"),
    ],
)
def test_alerts_are_routed(labels: dict[str, str], receiver: str) -> None:
    """An alert goes to those who can do something about it, by account and severity."""
    command = [
        program("amtool"),
        "config",
        "routes",
        "test",
        f"--config.file={BOARDS / 'alertmanager.yml'}",
        *(f"{name}={value}" for name, value in labels.items()),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=50)

    assert done.stdout.strip() == receiver


def test_inhibitions_are_about_alerts_that_exist() -> None:
    """Every alert that an inhibition names is one of our rules."""
    known = set(alerts(BOARDS / "rules"))
    for rule in sample("alertmanager.yml")["inhibit_rules"]:
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            parts = re.fullmatch(r'(\w+)=~?"(.*)"', matcher)
            assert parts, matcher
            label, pattern = parts.groups()
            if label == "alertname":
                assert [name for name in known if re.fullmatch(pattern, name)], matcher
        assert {"provider", "account"} <= set(rule["equal"])


def test_the_job_is_one_that_the_rules_know() -> None:
    """The rules find exporters by their job, whose name the sample sets."""
    (job,) = sample("prometheus.yml")["scrape_configs"]

    assert "contactcenter" in job["job_name"]
    assert "honor_timestamps" not in job
    assert job["honor_labels"] is True


def test_every_job_of_the_readme_keeps_the_labels() -> None:
    """Where a job adds an account of its own, the exporter's is not renamed."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```yaml\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    jobs = [
        job
        for block in blocks
        if "scrape_configs:" in block
        for job in yaml.safe_load(block)["scrape_configs"]
    ]

    assert len(jobs) == 3
    assert [job["job_name"] for job in jobs if job.get("honor_labels") is not True] == []


def test_services_are_well_formed() -> None:
    """Every service has an image of a fixed version, known keys, and listens on loopback only."""
    assert set(SERVICES) == set(_PORTS)
    for name, service in SERVICES.items():
        assert set(service) <= _SERVICE_KEYS, name
        assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", service["image"]), name
        assert service["ports"] == [f"127.0.0.1:{_PORTS[name]}:{_PORTS[name]}"]
        assert set(service.get("depends_on", [])) <= set(SERVICES)


def test_files_that_are_mounted_exist() -> None:
    """Every mount is a file of the tree, read-only, or a volume that is declared."""
    used = set()
    for name, service in SERVICES.items():
        for mount in service.get("volumes", []):
            source, target, *mode = mount.split(":")
            if source.startswith("./"):
                assert (ROOT / source).exists(), (name, source)
                assert mode == ["ro"], (name, source)
                assert Path(target).is_absolute()
            else:
                used.add(source)

    assert used == set(COMPOSE["volumes"])


def test_parts_know_each_other() -> None:
    """Addresses in the samples are services of compose.yml, on the ports they listen on."""
    addresses = {f"{name}:{port}" for name, port in _PORTS.items()}
    prometheus = sample("prometheus.yml")
    sources = sample("provisioning/datasources/prometheus.yml")["datasources"]
    named = [
        *prometheus["scrape_configs"][0]["static_configs"][0]["targets"],
        *prometheus["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"],
        *(source["url"].removeprefix("http://") for source in sources),
    ]

    assert set(named) == {"exporter:10077", "alertmanager:9093", "prometheus:9090"}
    assert set(named) <= addresses


def test_rules_are_where_prometheus_looks() -> None:
    """What the sample names relative to itself is mounted beside it."""
    mounts = dict(mount.split(":")[:2] for mount in SERVICES["prometheus"]["volumes"])
    (pattern,) = sample("prometheus.yml")["rule_files"]

    assert mounts["./dashboards/rules"] == f"/etc/prometheus/{pattern.partition('/')[0]}"
    assert list(BOARDS.glob(pattern))


def test_grafana_finds_data_source_and_dashboards() -> None:
    """What is provisioned points to what is mounted, and the interval is Prometheus' own."""
    mounts = dict(mount.split(":")[:2] for mount in SERVICES["grafana"]["volumes"])
    (provider,) = sample("provisioning/dashboards/contactcenter.yml")["providers"]
    prometheus, alertmanager = sample("provisioning/datasources/prometheus.yml")["datasources"]

    assert mounts["./dashboards"] == provider["options"]["path"]
    assert mounts["./dashboards/provisioning"] == "/etc/grafana/provisioning"
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (BOARDS / Path(home).name).is_file()
    assert Path(home).parent == Path(provider["options"]["path"])
    scrape = sample("prometheus.yml")["global"]["scrape_interval"]
    assert prometheus["jsonData"]["timeInterval"] == scrape
    assert prometheus["jsonData"]["alertmanagerUid"] == alertmanager["uid"]


def test_the_exporter_is_built_from_the_tree() -> None:
    """The demo runs in the image that the Dockerfile makes, under the package's version."""
    exporter = SERVICES["exporter"]

    assert exporter["build"] == "."
    assert exporter["image"] == f"contactcenter-exporter:{__version__}"
    assert exporter["command"] == ["demo"]
