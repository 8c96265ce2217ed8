"""A real Prometheus scrapes with TLS: with a password, and with a certificate of its own."""

import json
import re
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bcrypt
import httpx
import pytest

from support.certificates import Authority
from support.programs import free_port, program
from support.prometheus import query
from support.quick import first

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]
PASSWORD = "correct horse"


class AccountSlot:
    """A folder with certificates, a web configuration and a Prometheus' configuration."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority()
        (folder / "ca.pem").write_text(self.authority.pem)
        self.authority.sign("server", "localhost", "127.0.0.1").write(folder, "server")
        self.authority.sign("prometheus", "prometheus.example").write(folder, "client")

    def web(self, *, tls: str = "", rest: str = "") -> Path:
        """Write a web configuration with TLS and more."""
        file = self.folder / "web.yml"
        file.write_text(
            f"tls_server_config: {{cert_file: server.crt, key_file: server.key{tls}}}\n{rest}"
        )
        return file

    @contextmanager
    def demo(self, *arguments: str) -> Iterator[str]:
        """Start a demo with that web configuration; give its address."""
        command = [sys.executable, "-m", "exporter", "demo", *arguments]
        command += ["--web.listen-address=127.0.0.1:0", f"--web.config.file={self.folder}/web.yml"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            try:
                assert process.stderr is not None
                lines = (re.search(r"address=(\S+)", line) for line in process.stderr)
                yield next(found[1] for found in lines if found)
            finally:
                process.terminate()
                process.wait(timeout=15)

    @contextmanager
    def prometheus(self, target: str, **options: Any) -> Iterator[str]:
        """Start a Prometheus that scrapes the target each second; give its address."""
        job = {
            "job_name": "contactcenter",
            "scheme": "https",
            "static_configs": [{"targets": [target]}],
            **options,
        }
        job["tls_config"] = {"ca_file": f"{self.folder}/ca.pem", **job.get("tls_config", {})}
        config = self.folder / "prometheus.yml"
        config.write_text(
            json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": [job]})
        )
        address = f"127.0.0.1:{free_port()}"
        command = [
            program("prometheus"),
            f"--config.file={config}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address={address}",
        ]
        log = (self.folder / "log").open("w")
        with log, subprocess.Popen(command, stdout=log, stderr=log) as process:
            try:
                yield address
            finally:
                process.terminate()
                process.wait(timeout=20)


@pytest.fixture
def place(tmp_path: Path) -> AccountSlot:
    program("prometheus")
    return AccountSlot(tmp_path)


def last_error(prometheus: str) -> str:
    """Return what Prometheus says of its last scrape."""
    targets = httpx.get(f"http://{prometheus}/api/v1/targets", trust_env=False).json()
    (target,) = targets["data"]["activeTargets"]
    return str(target["lastError"])


def test_a_scrape_with_a_password(place: AccountSlot) -> None:
    """Prometheus reads the page below its prefix over TLS with its name and password."""
    hash_ = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(10)).decode()
    place.web(rest=f"basic_auth_users: {{prometheus: {hash_}}}\n")
    login = {"username": "prometheus", "password": PASSWORD}
    with (
        place.demo("--web.route-prefix=/cc", "--web.telemetry-path=/figures") as target,
        place.prometheus(target, basic_auth=login, metrics_path="/cc/figures") as prometheus,
    ):
        assert query(prometheus, "up == 1")
        assert query(prometheus, "contactcenter_up == 1")
        assert last_error(prometheus) == ""


def test_a_scrape_with_a_wrong_password(place: AccountSlot) -> None:
    """With another password Prometheus is told 401, and that is counted."""
    hash_ = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    place.web(rest=f"basic_auth_users: {{prometheus: {hash_}}}\n")
    login = {"username": "prometheus", "password": "wrong"}
    with (
        place.demo() as target,
        place.prometheus(target, basic_auth=login) as prometheus,
    ):
        assert query(prometheus, "up == 0")
        assert "401" in last_error(prometheus)
        trusted = ssl.create_default_context(cafile=place.folder / "ca.pem")
        login = ("prometheus", PASSWORD)
        with httpx.Client(auth=login, verify=trusted, trust_env=False) as client:
            for _ in range(100):
                page = client.get(f"https://{target}/metrics").text
                if 'contactcenter_exporter_http_requests_total{code="401"}' in page:
                    break
                time.sleep(0.1)
            else:
                pytest.fail("no refusal was counted")


@pytest.mark.parametrize("shown", first(1, [True, False]))
def test_a_scrape_with_a_certificate(place: AccountSlot, shown: bool) -> None:
    """Prometheus reads the page with a certificate of its own, and does not without."""
    place.web(
        tls=", client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem, "
        "min_version: TLS13, client_allowed_sans: [prometheus.example]"
    )
    own = {"cert_file": f"{place.folder}/client.crt", "key_file": f"{place.folder}/client.key"}
    with (
        place.demo() as target,
        place.prometheus(target, tls_config=own if shown else {}) as prometheus,
    ):
        assert query(prometheus, f"up == {int(shown)}")
        assert (last_error(prometheus) == "") is shown
